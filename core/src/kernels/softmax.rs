//! Softmax cross-entropy of a batch and its gradient, in place of the logits.
//!
//! `loss = ln Σⱼ exp(zⱼ - max) - (z[label] - max)`, `∂loss/∂zⱼ = softmax(z)ⱼ - [j = label]`. The largest logit
//! is taken out first, so no `exp` overflows and the sum is at least 1; Blanchard, Higham and Higham, "Accurately
//! computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41(4), 2021, algorithm 4.1.
//!
//! With label smoothing (Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7) the label's 1 is
//! another distribution `t`: `loss = ln Σⱼ exp(zⱼ - max) - Σⱼ tⱼ·(zⱼ - max)`, `∂loss/∂zⱼ = softmax(z)ⱼ - tⱼ`.
//!
//! Exponentials are taken over 16 samples' logits at once, so that no lane is idle whatever the class count.

use super::exp::{exp, exp_scalar};
use super::scalar::{SCALAR, keep_rolled};
use super::targets::{Targets, Terms};
use crate::math;

/// Samples whose exponentials are taken together: whole vectors for every number of classes.
const GROUP: usize = 16;

/// Replaces the logits by `scale` times the gradient of each sample's loss; returns the sum of the losses.
///
/// # Shapes and units
///
/// `logits: [batch][classes]` with `batch = labels.len()`. Losses in nats, added in ascending sample order.
///
/// # Panics
///
/// If `logits` does not fit `labels`. A label past the last class adds the largest logit's loss.
#[inline]
pub fn softmax_cross_entropy(logits: &mut [f32], labels: &[u8], scale: f32) -> f32 {
    smoothed_cross_entropy(logits, labels, scale, 0.0)
}

/// As [`softmax_cross_entropy`], with the share `smoothing` of each label spread over all classes alike.
///
/// The target is `1 - smoothing + smoothing/classes` for the label and `smoothing/classes` for the others.
///
/// # Panics
///
/// As [`softmax_cross_entropy`].
#[inline]
pub fn smoothed_cross_entropy(
    logits: &mut [f32],
    labels: &[u8],
    scale: f32,
    smoothing: f32,
) -> f32 {
    let terms = terms(logits, labels, scale, smoothing);
    cross_entropy(logits, Targets::Classes(labels), &terms)
}

/// [`smoothed_cross_entropy`] of the samples that are there, for classes of either width.
///
/// # Shapes
///
/// `logits: [batch][terms.outputs]`. Samples without a class are skipped.
#[inline]
pub fn cross_entropy(logits: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
    if SCALAR {
        run_scalar(logits, targets, terms)
    } else {
        run::<GROUP>(logits, targets, terms, exp)
    }
}

#[inline(never)] // one copy, made by the core's own settings
fn run_scalar(logits: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
    run::<1>(logits, targets, terms, exp_scalar)
}

/// Replaces the logits of one sample by the probabilities of its classes.
#[inline]
pub fn softmax(logits: &mut [f32]) {
    subtract_max(logits);
    exp(logits);
    normalise(logits);
}

/// What [`softmax_cross_entropy`] must give, one exponential at a time.
///
/// # Panics
///
/// As [`softmax_cross_entropy`].
pub fn softmax_cross_entropy_scalar(logits: &mut [f32], labels: &[u8], scale: f32) -> f32 {
    smoothed_cross_entropy_scalar(logits, labels, scale, 0.0)
}

/// What [`smoothed_cross_entropy`] must give, one exponential at a time.
///
/// # Panics
///
/// As [`softmax_cross_entropy`].
pub fn smoothed_cross_entropy_scalar(
    logits: &mut [f32],
    labels: &[u8],
    scale: f32,
    smoothing: f32,
) -> f32 {
    let terms = terms(logits, labels, scale, smoothing);
    run_scalar(logits, Targets::Classes(labels), &terms)
}

#[inline]
fn terms(logits: &[f32], labels: &[u8], scale: f32, smoothing: f32) -> Terms<'static> {
    let classes = logits.len().checked_div(labels.len()).unwrap_or(1);
    assert!(
        labels.is_empty() || classes > 0 && logits.len() == labels.len() * classes,
        "softmax_cross_entropy: logits are not [batch][classes]"
    );
    Terms { smoothing, ..Terms::new(classes).scaled(scale) }
}

#[inline(always)]
fn run<const GROUP: usize>(
    logits: &mut [f32],
    targets: Targets<'_>,
    terms: &Terms<'_>,
    exp: impl Fn(&mut [f32]),
) -> f32 {
    let (classes, smoothing) = (terms.outputs.max(1), terms.smoothing);
    let group = GROUP.saturating_mul(classes).max(1);
    let (kept, spread) = (1.0 - smoothing, smoothing / classes as f32);
    let mut total = terms.loss_before;
    for (first, logits) in logits.chunks_mut(group).enumerate() {
        let class = |sample: usize| targets.class(first * GROUP + sample);
        let mut of_target = [0.0; GROUP];
        for ((sample, z), of_target) in
            logits.chunks_exact_mut(classes).enumerate().zip(&mut of_target)
        {
            let Some(class) = class(sample) else { break };
            subtract_max(z);
            *of_target = z.get(class).copied().unwrap_or_default();
            if smoothing > 0.0 {
                let mut sum = 0.0;
                for z in z.iter() {
                    keep_rolled();
                    sum += z;
                }
                *of_target = *of_target * kept + sum * spread;
            }
        }
        exp(logits);
        for ((sample, e), of_target) in logits.chunks_exact_mut(classes).enumerate().zip(of_target)
        {
            let Some(class) = class(sample) else { break };
            let weight = terms.weight(Some(class));
            total += (math::ln(normalise(e)) - of_target) * weight;
            if let Some(e) = e.get_mut(class) {
                *e -= kept;
            }
            if smoothing > 0.0 {
                for e in e.iter_mut() {
                    keep_rolled();
                    *e -= spread;
                }
            }
            let scale = terms.scale * weight;
            for e in e.iter_mut() {
                keep_rolled();
                *e *= scale;
            }
        }
    }
    total
}

/// Takes the largest logit out of one sample's.
#[cfg_attr(target_arch = "arm", inline(never))] // small rather than fast
#[cfg_attr(not(target_arch = "arm"), inline(always))]
fn subtract_max(z: &mut [f32]) {
    let mut max = f32::NEG_INFINITY;
    for z in &*z {
        keep_rolled();
        max = larger(max, *z);
    }
    for z in z {
        keep_rolled();
        *z -= max;
    }
}

/// Makes one sample's exponentials add up to 1; returns what they added up to.
#[cfg_attr(target_arch = "arm", inline(never))] // small rather than fast
#[cfg_attr(not(target_arch = "arm"), inline(always))]
fn normalise(e: &mut [f32]) -> f32 {
    let mut sum = 0.0;
    for e in e.iter() {
        keep_rolled();
        sum += e;
    }
    let share = 1.0 / sum;
    for e in e {
        keep_rolled();
        *e *= share;
    }
    sum
}

/// The larger one, and NaN if either is NaN.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn softmax_cross_entropy_equals_scalar_bit_for_bit_for_all_batches_and_classes() {
        for classes in [1, 2, 7, 10, 17] {
            for batch in 0..=35 {
                let mut logits = [0.0; 17 * 35];
                let logits = &mut logits[..classes * batch];
                picomlp_fixtures::fill(logits, classes as u64);
                logits.iter_mut().for_each(|z| *z *= 20.0);
                let labels: [u8; 35] = core::array::from_fn(|i| (i % classes) as u8);
                let mut other = [0.0; 17 * 35];
                let other = &mut other[..classes * batch];
                other.copy_from_slice(logits);
                for smoothing in [0.0, 0.1] {
                    let labels = &labels[..batch];
                    let loss = smoothed_cross_entropy(logits, labels, 0.25, smoothing);
                    let expected = smoothed_cross_entropy_scalar(other, labels, 0.25, smoothing);
                    assert_eq!(loss.to_bits(), expected.to_bits(), "{classes} classes, {batch}");
                    assert!(logits.iter().zip(&*other).all(|(a, b)| a.to_bits() == b.to_bits()));
                }
            }
        }
    }

    /// Every step rounds once; the loss is a few ulps of its largest term away from the f64 value.
    #[test]
    fn loss_and_gradient_agree_with_f64() {
        let logits = [2.5f32, -1.0, 0.3, 7.0];
        let exact: [f64; 4] = logits.map(|z| libm::exp(f64::from(z)));
        let sum: f64 = exact.iter().sum();
        for label in 0..4u8 {
            let mut gradient = logits;
            let loss = softmax_cross_entropy(&mut gradient, &[label], 1.0);
            let expected = libm::log(sum) - f64::from(logits[usize::from(label)]);
            let unit = f64::from(f32::EPSILON);
            assert!((f64::from(loss) - expected).abs() <= 4.0 * unit * expected.max(1.0));
            for (class, (g, e)) in gradient.iter().zip(exact).enumerate() {
                let expected = e / sum - f64::from(u8::from(class == usize::from(label)));
                assert!((f64::from(*g) - expected).abs() <= 4.0 * unit);
            }
        }
    }

    #[test]
    fn logits_of_ten_thousand_give_finite_losses() {
        let mut logits = [1e4, -1e4, 0.0];
        assert_eq!(softmax_cross_entropy(&mut logits, &[0], 1.0), 0.0);
        assert_eq!(logits, [0.0, 0.0, 0.0]);
        let mut logits = [1e4, -1e4, 0.0];
        assert_eq!(softmax_cross_entropy(&mut logits, &[1], 1.0), 2e4);
        assert_eq!(logits, [1.0, -1.0, 0.0]);
    }

    #[test]
    fn a_nan_logit_gives_a_nan_loss() {
        for place in 0..3 {
            let mut logits = [1.0, 2.0, 3.0];
            logits[place] = f32::NAN;
            assert!(softmax_cross_entropy(&mut logits, &[0], 1.0).is_nan(), "place {place}");
        }
    }
}
