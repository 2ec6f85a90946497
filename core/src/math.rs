//! Every function that is more than an addition, a multiplication or a division: the one place that defines them.
//!
//! `exp`, `sigmoid` and `tanh` are our own, since they must have SIMD twins with the same bits; the rest is `libm`.
//! None depends on the target. Their errors, in units in the last place of the exact result, are tested against f64.

/// In integers: without an FPU, a comparison of floats is a call.
#[inline(always)]
pub(crate) fn is_finite(value: f32) -> bool {
    value.to_bits() << 1 < f32::INFINITY.to_bits() << 1
}

/// What `exp` computes with; its SIMD twin in `kernels` uses the same numbers in the same order.
///
/// `eˣ = 2ⁿ·eʳ` with `n = round(x/ln 2)` and `r = x - n·ln 2`, `ln 2` in two parts so that `n·LN_2_HIGH` is
/// exact; `eʳ = 1 + r + r²·P(r)`. Source of the split and the polynomial: Moshier, Cephes, `expf.c`.
pub(crate) mod exp_constants {
    pub(crate) const LOG2_E: f32 = core::f32::consts::LOG2_E;
    /// 1.5·2²³: adding it rounds to an integer, which then stands in the low bits.
    pub(crate) const ROUND: f32 = 12_582_912.0;
    pub(crate) const LN_2_HIGH: f32 = 0.693_359_4; // 355/512
    pub(crate) const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Highest power first.
    pub(crate) const POLYNOMIAL: [f32; 6] =
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];
    /// `ln 2⁻¹²⁶`, rounded up: below it the result would be subnormal, and is 0.
    pub(crate) const LOWEST: f32 = -87.336_54;
    /// The largest number whose exponential is finite.
    pub(crate) const HIGHEST: f32 = 88.722_83;
}

/// `eˣ`, within 2 units in the last place; 0 where it would be subnormal (below -87.3).
#[inline]
#[must_use]
pub fn exp(x: f32) -> f32 {
    use exp_constants as c;
    if x < c::LOWEST {
        return 0.0;
    }
    if x > c::HIGHEST {
        return f32::INFINITY;
    }
    let shifted = x * c::LOG2_E + c::ROUND;
    let n = shifted - c::ROUND;
    let r = x - n * c::LN_2_HIGH - n * c::LN_2_LOW;
    let mut p = c::POLYNOMIAL[0];
    for coefficient in c::POLYNOMIAL.iter().skip(1) {
        p = p * r + coefficient;
    }
    let p = p * (r * r) + r + 1.0;
    let n = (shifted.to_bits() as i32).wrapping_sub(c::ROUND.to_bits() as i32);
    // In two steps, since 2¹²⁸ is no f32 but `p·2¹²⁸` may be one.
    let half = n >> 1;
    let power = |n: i32| f32::from_bits(((n.wrapping_add(127)) as u32) << 23);
    p * power(half) * power(n.wrapping_sub(half))
}

/// The logistic function `1/(1 + e⁻ˣ)`, within 3 units in the last place; 0 where it would be subnormal (below -87.3).
#[inline]
#[must_use]
pub fn sigmoid(x: f32) -> f32 {
    if x < exp_constants::LOWEST {
        return 0.0;
    }
    1.0 / (1.0 + exp(-x))
}

/// What `tanh` computes with, as [`exp_constants`]: near zero `x + x³·P(x²)`, elsewhere `1 - 2/(e²ˣ + 1)`.
///
/// Source of the split and the polynomial: Moshier, Cephes, `tanhf.c`.
pub(crate) mod tanh_constants {
    /// Below it the other form would lose digits to cancellation.
    pub(crate) const NEAR_ZERO: f32 = 0.625;
    /// Highest power first.
    pub(crate) const POLYNOMIAL: [f32; 5] =
        [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 0.133_314_42, -0.333_332_8];
}

/// The hyperbolic tangent, within 2 units in the last place.
#[inline]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    use tanh_constants as c;
    let size = x.abs();
    if size < c::NEAR_ZERO {
        let square = x * x;
        let mut p = c::POLYNOMIAL[0];
        for coefficient in c::POLYNOMIAL.iter().skip(1) {
            p = p * square + coefficient;
        }
        return p * square * x + x;
    }
    // An infinite exponential makes the quotient 0 and the result 1.
    (1.0 - 2.0 / (exp(size + size) + 1.0)).copysign(x)
}

/// Whether the processor's control register (`MXCSR`, `FPCR`, `FPSCR`, `fcsr`) is as IEEE 754 starts it: rounding to
/// nearest, ties to even, and subnormal numbers kept, as operands and as results.
///
/// Found by three sums and two products whose results differ in each of the other modes, and which the compiler does not see
/// through. Where floating point is software, the answer is always yes.
#[must_use]
pub fn rounds_to_nearest_and_keeps_subnormals() -> bool {
    let value = |x: f32| core::hint::black_box(x);
    let ulp = f32::EPSILON;
    // Halfway: to even, so down; upwards and ties away from zero give 1 + ulp. Above halfway: up; towards zero gives 1.
    let nearest = value(1.0) + value(0.5 * ulp) == 1.0
        && value(1.0) + value(0.75 * ulp) == 1.0 + ulp
        && value(-1.0) + value(-0.5 * ulp) == -1.0;
    let subnormal = value(f32::MIN_POSITIVE) * value(0.5);
    nearest && subnormal.to_bits() != 0 && value(subnormal) * value(2.0) == f32::MIN_POSITIVE
}

/// Natural logarithm (`libm::logf`), within 1 unit in the last place.
#[inline]
#[must_use]
pub fn ln(x: f32) -> f32 {
    libm::logf(x)
}

/// `ln(1 + x)` (`libm::log1pf`), accurate for small `x` too.
#[inline]
#[must_use]
pub fn ln_1p(x: f32) -> f32 {
    libm::log1pf(x)
}

/// Square root, correctly rounded as IEEE 754 asks.
#[inline]
#[must_use]
pub fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
}

/// Square root in f64, correctly rounded.
#[inline]
#[must_use]
pub fn sqrt_f64(x: f64) -> f64 {
    libm::sqrt(x)
}

/// Cosine in f64 (`libm::cos`), within 1 unit in the last place.
#[inline]
#[must_use]
pub fn cos_f64(x: f64) -> f64 {
    libm::cos(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance of `got` from `exact` in units in the last place of `exact` as an f32.
    fn ulps(got: f32, exact: f64) -> f64 {
        let near = exact as f32;
        let ulp = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
        (f64::from(got) - exact).abs() / ulp
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn exp_stays_within_2_ulps() {
        let mut worst = (0.0, 0.0);
        let mut x = -87.3f32;
        while x < 88.7 {
            let error = ulps(exp(x), libm::exp(f64::from(x)));
            if error > worst.0 {
                worst = (error, x);
            }
            x += 0.000_37;
        }
        assert!(worst.0 <= 2.0, "{} ulps at {}", worst.0, worst.1);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn exp_ends_in_zero_and_infinity() {
        assert_eq!(exp(-87.4), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-2e4), 0.0);
        assert!(exp(88.72).is_finite());
        assert_eq!(exp(88.73), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
    }

    /// The largest error of `f` between two numbers, in steps of a few thousandths.
    fn worst(f: fn(f32) -> f32, exact: fn(f64) -> f64, from: f32, to: f32) -> (f64, f32) {
        let (mut worst, mut x) = ((0.0, 0.0), from);
        while x < to {
            let error = ulps(f(x).abs(), exact(f64::from(x)).abs());
            if error > worst.0 {
                worst = (error, x);
            }
            x += 0.000_37;
        }
        worst
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn sigmoid_stays_within_3_ulps_and_ends_in_zero_and_one() {
        let worst = worst(sigmoid, |x| 1.0 / (1.0 + libm::exp(-x)), -87.3, 20.0);
        assert!(worst.0 <= 3.0, "{} ulps at {}", worst.0, worst.1);
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!([-87.4, -1e30, f32::NEG_INFINITY].map(sigmoid), [0.0; 3]);
        assert_eq!([20.0, 1e30, f32::INFINITY].map(sigmoid), [1.0; 3]);
        assert!(sigmoid(f32::NAN).is_nan());
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn tanh_stays_within_2_ulps_and_ends_in_minus_one_and_one() {
        let worst = worst(tanh, libm::tanh, -12.0, 12.0);
        assert!(worst.0 <= 2.0, "{} ulps at {}", worst.0, worst.1);
        // Around each power of two, down to where the result is its argument.
        for power in -120..3 {
            let mut x = libm::ldexp(1.0, power) as f32;
            for _ in 0..500 {
                let error = ulps(tanh(x), libm::tanh(f64::from(x)));
                assert!(error <= 2.0, "{error} ulps at {x}");
                assert_eq!(tanh(-x), -tanh(x));
                x *= 1.001_3;
            }
        }
        assert_eq!([20.0, 1e30, f32::INFINITY].map(tanh), [1.0; 3]);
        assert_eq!([-20.0, -1e30, f32::NEG_INFINITY].map(tanh), [-1.0; 3]);
        assert_eq!(tanh(-0.0).to_bits(), 0, "as with every sum");
        assert!(tanh(f32::NAN).is_nan());
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn ln_stays_within_1_ulp() {
        let mut x = 1e-3f32;
        while x < 1e4 {
            let error = ulps(ln(x).abs(), libm::log(f64::from(x)).abs());
            assert!(error <= 1.0, "{error} ulps at {x}");
            x *= 1.000_1;
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn sqrt_is_correctly_rounded() {
        let mut x = 1e-30f32;
        while x < 1e30 {
            assert_eq!(sqrt(x), libm::sqrt(f64::from(x)) as f32, "x = {x}");
            x *= 1.013;
        }
    }
}
