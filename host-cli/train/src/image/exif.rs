//! How a camera was held: the orientation in an image's Exif data.
//!
//! Exif data is a TIFF file: a byte order, then the offset of a directory of entries of 12 bytes (tag, type, count, value).
//!
//! # Source
//!
//! CIPA DC-008-2024 (Exif 3.0), section 4.6.5.1.6, tag 0x0112.

/// What turns the stored image upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Rows and columns are exchanged, before anything else.
    transpose: bool,
    /// Then left and right are exchanged.
    mirror: bool,
    /// Then top and bottom.
    flip: bool,
}

impl Orientation {
    /// Reads Exif data; upright if it says nothing, or nothing that can be read.
    pub(super) fn of_exif(exif: &[u8]) -> Self {
        Self::parse(exif).unwrap_or_default()
    }

    fn parse(exif: &[u8]) -> Option<Self> {
        let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
        let little = match exif.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let u16_at = |at: usize| {
            let bytes = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
            Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
        };
        let u32_at = |at: usize| {
            let (first, second) = (u32::from(u16_at(at)?), u32::from(u16_at(at.checked_add(2)?)?));
            Some(if little { first | second << 16 } else { first << 16 | second })
        };
        let directory = usize::try_from(u32_at(4)?).ok()?;
        let entry = |entry: u16| directory.checked_add(2 + 12 * usize::from(entry));
        for at in (0..u16_at(directory)?).map_while(entry) {
            if u16_at(at)? == 0x0112 {
                let [transpose, mirror, flip] = match u16_at(at.checked_add(8)?)? {
                    1 => [false, false, false],
                    2 => [false, true, false],
                    3 => [false, true, true],
                    4 => [false, false, true],
                    5 => [true, false, false],
                    6 => [true, true, false],
                    7 => [true, true, true],
                    8 => [true, false, true],
                    _ => return None,
                };
                return Some(Self { transpose, mirror, flip });
            }
        }
        None
    }

    pub(super) const fn swaps_sides(self) -> bool {
        self.transpose
    }

    /// Column and row in the upright image of a pixel stored at (`x`, `y`) of `width` x `height`.
    pub(super) const fn upright(
        self,
        (x, y): (u32, u32),
        (width, height): (u32, u32),
    ) -> (u32, u32) {
        let (x, y, width, height) =
            if self.transpose { (y, x, height, width) } else { (x, y, width, height) };
        (if self.mirror { width - 1 - x } else { x }, if self.flip { height - 1 - y } else { y })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Exif data that says an orientation alone, in either byte order.
    pub(crate) fn exif(orientation: u16, little: bool) -> Vec<u8> {
        let short = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let mut bytes = if little { b"II*\0" } else { b"MM\0*" }.to_vec();
        bytes.extend(long(8));
        for value in [1, 0x0112, 3] {
            bytes.extend(short(value));
        }
        bytes.extend(long(1));
        bytes.extend([short(orientation), short(0)].concat());
        bytes
    }

    #[test]
    fn each_orientation_turns_an_image_upright_as_the_standard_says() {
        // An upright image of 3x2 pixels: abc over def. Each is how a camera stores it.
        let upright = ["abc", "def"];
        let stored: [&[&str]; 8] = [
            &["abc", "def"],
            &["cba", "fed"],
            &["fed", "cba"],
            &["def", "abc"],
            &["ad", "be", "cf"],
            &["cf", "be", "ad"],
            &["fc", "eb", "da"],
            &["da", "eb", "fc"],
        ];
        for (orientation, stored) in (1..).zip(stored) {
            for little in [false, true] {
                let orientation = Orientation::of_exif(&exif(orientation, little));
                let size = (stored[0].len() as u32, stored.len() as u32);
                for (y, row) in (0..).zip(stored) {
                    for (x, pixel) in (0..).zip(row.chars()) {
                        let (x, y) = orientation.upright((x, y), size);
                        let expected = upright[y as usize].chars().nth(x as usize);
                        assert_eq!(expected, Some(pixel), "{orientation:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn data_that_is_damaged_or_says_nothing_is_upright() {
        let whole = exif(6, true);
        let prefixed = [b"Exif\0\0", &whole[..]].concat();
        assert_eq!(Orientation::of_exif(&prefixed), Orientation::of_exif(&whole));
        assert_ne!(Orientation::of_exif(&whole), Orientation::default());
        for len in 0..whole.len() - 3 {
            assert_eq!(Orientation::of_exif(&whole[..len]), Orientation::default(), "{len}");
        }
        for (at, value) in [(0, b'X'), (7, 0xff), (10, 0x13), (18, 9)] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            assert_eq!(Orientation::of_exif(&damaged), Orientation::default(), "{at}");
        }
    }
}
