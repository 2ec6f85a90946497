//! Inputs with a chosen share of exact zeros, and digits like MNIST's.

use core::fmt;

use picomlp::kernels::PIXEL_SCALE;
use picomlp_fixtures::{digits, sparse_pixels};

/// The share of inputs that are not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Density {
    zeros_per_256: u32,
}

/// Nothing but zeros, MNIST's share (19 % of the training set's pixels are not zero), ReLU's share, no zero at all.
pub const DENSITIES: [Density; 4] = [
    Density { zeros_per_256: 256 },
    Density::MNIST,
    Density { zeros_per_256: 128 },
    Density { zeros_per_256: 0 },
];

impl Density {
    /// That of MNIST's training set.
    pub const MNIST: Self = Self { zeros_per_256: 207 };
    /// About that of ReLU outputs.
    pub const HALF: Self = Self { zeros_per_256: 128 };
}

impl fmt::Display for Density {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", ((256 - self.zeros_per_256) * 100 + 128) / 256)
    }
}

/// Pixels of this density, the zeros in random places.
#[must_use]
pub fn pixels(len: usize, density: Density) -> Vec<u8> {
    let mut pixels = vec![0; len];
    sparse_pixels(&mut pixels, 1, density.zeros_per_256);
    pixels
}

/// The values of [`pixels`] as a network sees them: in [0, 1].
#[must_use]
pub fn floats(len: usize, density: Density) -> Vec<f32> {
    pixels(len, density).into_iter().map(|pixel| f32::from(pixel) * PIXEL_SCALE).collect()
}

/// Synthetic digits with their labels: zeros lie together, as in MNIST.
#[derive(Clone, Debug)]
pub struct Digits {
    /// `[len][784]`.
    pub images: Vec<u8>,
    /// `[len]`.
    pub labels: Vec<u8>,
}

impl Digits {
    /// The first `len` digits of a fixed seed.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let mut image = [0; digits::PIXELS];
        let mut all = Self { images: Vec::new(), labels: Vec::new() };
        for index in 0..len as u64 {
            all.labels.push(digits::sample(index, 1, &mut image));
            all.images.extend(image);
        }
        all
    }
}
