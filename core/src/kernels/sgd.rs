//! Plain gradient descent: `w = w - rate·g`.

use wide::f32x16;

use super::lanes::map_with;

/// Moves `params` against `gradient` by `rate`.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn sgd(params: &mut [f32], gradient: &[f32], rate: f32) {
    assert!(params.len() == gradient.len(), "sgd: slices differ in length");
    map_with(params, gradient, |w, g| w - f32x16::splat(rate) * g);
}

/// What [`sgd`] must give, one value at a time.
///
/// # Panics
///
/// If the slices differ in length.
pub fn sgd_scalar(params: &mut [f32], gradient: &[f32], rate: f32) {
    assert!(params.len() == gradient.len(), "sgd_scalar: slices differ in length");
    for (w, g) in params.iter_mut().zip(gradient) {
        *w -= rate * g;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgd_equals_scalar_bit_for_bit_at_every_length() {
        let (mut params, mut gradient) = ([0.0; 67], [0.0; 67]);
        picomlp_fixtures::fill(&mut params, 1);
        picomlp_fixtures::fill(&mut gradient, 2);
        for n in 0..=67 {
            let (mut simd, mut scalar) = (params, params);
            sgd(&mut simd[..n], &gradient[..n], 0.1);
            sgd_scalar(&mut scalar[..n], &gradient[..n], 0.1);
            assert_eq!(simd.map(f32::to_bits), scalar.map(f32::to_bits), "length {n}");
        }
    }
}
