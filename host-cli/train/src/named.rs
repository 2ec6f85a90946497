//! Enumerations whose values have names.

/// A setting that is one of a few named values.
pub trait Named: Copy + PartialEq + Send + Sync + 'static {
    /// Every value with its name, in the order in which help texts list them.
    const NAMES: &'static [(&'static str, Self)];

    /// Returns the name of this value.
    fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, value)| *value == self);
        named.map_or("unknown", |(name, _)| name)
    }

    /// Returns the value of this name.
    ///
    /// # Errors
    ///
    /// If there is none, listing the names.
    fn from_name(text: &str) -> Result<Self, String> {
        match Self::NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let names: Vec<_> = Self::NAMES.iter().map(|(name, _)| *name).collect();
                Err(format!("unknown value '{text}': expected one of {}", names.join(", ")))
            }
        }
    }
}

/// Defines an enumeration whose values have names, which it implements [`Named`], `Default` (its first value), `Display` and
/// `FromStr` for.
#[macro_export]
macro_rules! named {
    ($(#[$about:meta])* $public:vis enum $type:ident {
        $($(#[$of:meta])* $variant:ident = $name:literal),+ $(,)?
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $public enum $type {
            $($(#[$of])* $variant),+
        }

        impl Default for $type {
            fn default() -> Self {
                <Self as $crate::Named>::NAMES[0].1
            }
        }

        impl $crate::Named for $type {
            const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),+];
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad($crate::Named::name(*self))
            }
        }

        impl core::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $crate::Named::from_name(text)
            }
        }
    };
}
