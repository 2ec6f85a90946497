//! Scales fields of single numbers.

use core::marker::PhantomData;

use anyhow::{Result, anyhow};
use resize::Type;
use resize::px::PixelFormat;

/// Numbers of type `T` for the resizer, which sums in `f32`.
struct Single<T>(PhantomData<T>);

impl<T: Copy + Send + Sync + Into<f32>> PixelFormat for Single<T> {
    type InputPixel = T;
    type OutputPixel = f32;
    type Accumulator = f32;

    fn new() -> f32 {
        0.0
    }

    fn add(&self, sum: &mut f32, value: T, weight: f32) {
        *sum += value.into() * weight;
    }

    fn add_acc(sum: &mut f32, value: f32, weight: f32) {
        *sum += value * weight;
    }

    fn into_pixel(&self, sum: f32) -> f32 {
        sum
    }
}

/// Scales `values`, `[height][width]`, from one (width, height) to another.
///
/// # Errors
///
/// If a side is 0, or there is no memory.
pub(super) fn resample<T: Copy + Send + Sync + Into<f32>>(
    values: &[T],
    from: (usize, usize),
    to: (usize, usize),
    filter: Type,
) -> Result<Vec<f32>> {
    let mut scaled = vec![0.0; to.0 * to.1];
    resize::new(from.0, from.1, to.0, to.1, Single(PhantomData), filter)
        .and_then(|mut resizer| resizer.resize(values, &mut scaled))
        .map_err(|error| anyhow!("cannot scale an image: {error}"))?;
    Ok(scaled)
}

/// Averages areas: for shrinking.
pub(super) fn mean() -> Type {
    // A radius of twice the kernel's: the crate gives weights at the radius to what lies beyond.
    Type::Custom(resize::Filter::box_filter(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_keeps_the_mean() {
        let values: Vec<u8> = (0..60 * 35).map(|i| (i * 7 % 256) as u8).collect();
        let mean_of = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        let blocks = resample(&values, (60, 35), (12, 7), mean()).unwrap();
        let first: f32 = (0..25).map(|i| f32::from(values[i / 5 * 60 + i % 5])).sum();
        assert!((blocks[0] - first / 25.0).abs() < 1e-3, "{} is not {}", blocks[0], first / 25.0);
        for to in [(7, 3), (59, 34), (60, 35), (1, 1)] {
            let flat = resample(&[200_u8; 60 * 35], (60, 35), to, mean()).unwrap();
            assert!((mean_of(&flat) - 200.0).abs() < 1e-3, "{to:?}");
            assert!(flat.iter().all(|level| (level - 200.0).abs() < 1e-3), "{to:?}");
        }
        assert!(resample(&[0_u8; 0], (0, 0), (1, 1), mean()).is_err());
    }
}
