//! Leaky ReLU, sigmoid and tanh, in place, and their gradients, which go back from the output.

use bytemuck::cast;
use wide::{f32x16, i32x16};

use super::Native;
use super::exp::exp16;
use super::lanes::{map, map_with};
use super::scalar::SCALAR;
use crate::math::{self, exp_constants, tanh_constants as c};

/// `y = y` above zero and `slope·y` elsewhere.
#[inline]
pub fn leaky_relu(y: &mut [f32], slope: f32) {
    if SCALAR {
        return leaky_relu_scalar(y, slope);
    }
    let slope = f32x16::splat(slope);
    map(Native, y, |y| y.simd_gt(f32x16::ZERO).select(y, y * slope));
}

/// What [`leaky_relu`] must give, one value at a time.
pub fn leaky_relu_scalar(y: &mut [f32], slope: f32) {
    for y in y {
        *y = if *y > 0.0 { *y } else { *y * slope };
    }
}

/// Turns the gradient at [`leaky_relu`]'s output into that at its input. A slope of 0 or more leaves the output's
/// sign what the input's was.
#[inline]
pub fn leaky_relu_gradient(y: &[f32], d_y: &mut [f32], slope: f32) {
    if SCALAR {
        return leaky_relu_gradient_scalar(y, d_y, slope);
    }
    let slope = f32x16::splat(slope);
    map_with(Native, d_y, y, |d_y, y| y.simd_gt(f32x16::ZERO).select(d_y, d_y * slope));
}

/// What [`leaky_relu_gradient`] must give, one value at a time.
pub fn leaky_relu_gradient_scalar(y: &[f32], d_y: &mut [f32], slope: f32) {
    for (d_y, y) in d_y.iter_mut().zip(y) {
        *d_y = if *y > 0.0 { *d_y } else { *d_y * slope };
    }
}

/// Replaces each value by [`math::sigmoid`] of it, 16 lanes at a time.
#[inline]
pub fn sigmoid(y: &mut [f32]) {
    if SCALAR {
        return sigmoid_scalar(y);
    }
    let one = f32x16::splat(1.0);
    map(Native, y, |x| {
        let y = one / (one + exp16(-x));
        x.simd_lt(f32x16::splat(exp_constants::LOWEST)).select(f32x16::ZERO, y)
    });
}

/// What [`sigmoid`] must give, one value at a time.
pub fn sigmoid_scalar(y: &mut [f32]) {
    for y in y {
        *y = math::sigmoid(*y);
    }
}

/// Turns the gradient at the sigmoid's output `y` into that at its input: `d·(y·(1 - y))`.
#[inline]
pub fn sigmoid_gradient(y: &[f32], d_y: &mut [f32]) {
    if SCALAR {
        return sigmoid_gradient_scalar(y, d_y);
    }
    map_with(Native, d_y, y, |d_y, y| d_y * (y * (f32x16::splat(1.0) - y)));
}

/// What [`sigmoid_gradient`] must give, one value at a time.
pub fn sigmoid_gradient_scalar(y: &[f32], d_y: &mut [f32]) {
    for (d_y, y) in d_y.iter_mut().zip(y) {
        *d_y *= y * (1.0 - y);
    }
}

/// Replaces each value by [`math::tanh`] of it, 16 lanes at a time.
#[inline]
pub fn tanh(y: &mut [f32]) {
    if SCALAR {
        return tanh_scalar(y);
    }
    map(Native, y, tanh16);
}

#[inline(always)]
fn tanh16(x: f32x16) -> f32x16 {
    let splat = f32x16::splat;
    let bits: i32x16 = cast(x);
    let sign = bits & i32x16::splat(i32::MIN);
    let size: f32x16 = cast(bits ^ sign);
    let square = x * x;
    let mut p = splat(c::POLYNOMIAL[0]);
    for coefficient in c::POLYNOMIAL.iter().skip(1) {
        p = p * square + splat(*coefficient);
    }
    let near = p * square * x + x;
    let far = splat(1.0) - splat(2.0) / (exp16(size + size) + splat(1.0));
    let far: f32x16 = cast(cast::<f32x16, i32x16>(far) | sign);
    size.simd_lt(splat(c::NEAR_ZERO)).select(near, far)
}

/// What [`tanh`] must give, one value at a time.
pub fn tanh_scalar(y: &mut [f32]) {
    for y in y {
        *y = math::tanh(*y);
    }
}

/// Turns the gradient at tanh's output `y` into that at its input: `d·(1 - y·y)`.
#[inline]
pub fn tanh_gradient(y: &[f32], d_y: &mut [f32]) {
    if SCALAR {
        return tanh_gradient_scalar(y, d_y);
    }
    map_with(Native, d_y, y, |d_y, y| d_y * (f32x16::splat(1.0) - y * y));
}

/// What [`tanh_gradient`] must give, one value at a time.
pub fn tanh_gradient_scalar(y: &[f32], d_y: &mut [f32]) {
    for (d_y, y) in d_y.iter_mut().zip(y) {
        *d_y *= 1.0 - y * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::lengths;

    /// A function in place and its gradient, with twins of both.
    struct Twins {
        simd: fn(&mut [f32]),
        scalar: fn(&mut [f32]),
        gradient: fn(&[f32], &mut [f32]),
        gradient_scalar: fn(&[f32], &mut [f32]),
    }

    const ALL: [Twins; 3] = [
        Twins {
            simd: |y| leaky_relu(y, 0.2),
            scalar: |y| leaky_relu_scalar(y, 0.2),
            gradient: |y, d_y| leaky_relu_gradient(y, d_y, 0.2),
            gradient_scalar: |y, d_y| leaky_relu_gradient_scalar(y, d_y, 0.2),
        },
        Twins {
            simd: sigmoid,
            scalar: sigmoid_scalar,
            gradient: sigmoid_gradient,
            gradient_scalar: sigmoid_gradient_scalar,
        },
        Twins {
            simd: tanh,
            scalar: tanh_scalar,
            gradient: tanh_gradient,
            gradient_scalar: tanh_gradient_scalar,
        },
    ];

    #[test]
    fn activations_and_gradients_equal_scalar_bit_for_bit_at_every_length() {
        let (mut values, mut gradient) = ([0.0; 67], [0.0; 67]);
        picomlp_fixtures::fill(&mut values, 1);
        picomlp_fixtures::fill(&mut gradient, 2);
        values.iter_mut().step_by(3).for_each(|x| *x *= 9.0);
        for twins in ALL {
            for n in lengths() {
                let (mut a, mut b) = (values, values);
                (twins.simd)(&mut a[..n]);
                (twins.scalar)(&mut b[..n]);
                assert_eq!(a.map(f32::to_bits), b.map(f32::to_bits), "length {n}");
                let (mut d_a, mut d_b) = (gradient, gradient);
                (twins.gradient)(&a[..n], &mut d_a[..n]);
                (twins.gradient_scalar)(&a[..n], &mut d_b[..n]);
                assert_eq!(d_a.map(f32::to_bits), d_b.map(f32::to_bits), "length {n}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn activations_equal_scalar_bit_for_bit_over_the_whole_range_and_at_special_values() {
        let special = [0.0, -0.0, 0.625, -0.625, 0.624_999_9, 44.4, -87.4, 1e-30, 1e-45, 1e30];
        let ends = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE];
        let sweep = (-9000..9000).map(|i| i as f32 / 100.0);
        for x in special.into_iter().chain(ends).chain(sweep) {
            for twins in ALL {
                let (mut simd, mut scalar) = ([x; 19], [x; 19]);
                (twins.simd)(&mut simd);
                (twins.scalar)(&mut scalar);
                assert_eq!(simd.map(f32::to_bits), scalar.map(f32::to_bits), "x = {x}");
            }
        }
    }

    #[test]
    fn activations_keep_nan() {
        for twins in ALL {
            let mut y = [f32::NAN; 17];
            (twins.simd)(&mut y);
            assert!(y.iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    fn leaky_relu_with_a_slope_of_one_is_the_identity() {
        let mut y = [-2.0, -0.0, 0.0, 3.0];
        leaky_relu(&mut y, 1.0);
        assert_eq!(y.map(f32::to_bits), [-2.0, -0.0, 0.0, 3.0f32].map(f32::to_bits));
    }
}
