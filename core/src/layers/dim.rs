//! A size that is part of a type, or a value known only at run time.

/// A number of inputs or outputs.
pub trait Dim: Copy {
    /// The number, if it is part of the type.
    const SIZE: Option<usize> = None;

    /// The number.
    fn get(self) -> usize;
}

/// The size `N`, known to the compiler and taking no memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Const<const N: usize>;

impl<const N: usize> Dim for Const<N> {
    const SIZE: Option<usize> = Some(N);

    #[inline(always)]
    fn get(self) -> usize {
        N
    }
}

impl Dim for usize {
    #[inline(always)]
    fn get(self) -> usize {
        self
    }
}
