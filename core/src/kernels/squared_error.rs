//! The squared error of a batch against one-hot targets and its gradient, in place of the outputs.
//!
//! `loss = Σⱼ (aⱼ - tⱼ)²` for one sample, summed over the classes, not averaged; `∂loss/∂aⱼ = 2·(aⱼ - tⱼ)`. A sample has
//! about ten outputs whose sum has one order, so one value at a time is all there is to do: there is no faster twin.

/// Replaces the outputs by `scale` times the gradient of each sample's loss; returns the sum of the losses.
///
/// The target is 1 for the label and 0 for the others, the share `smoothing` of it spread over all classes alike.
///
/// # Shapes
///
/// `outputs: [batch][classes]` with `batch = labels.len()`. Values past the last whole sample stay as they are; a
/// label past the last class makes a target without a label.
#[inline]
pub fn squared_error(outputs: &mut [f32], labels: &[u8], scale: f32, smoothing: f32) -> f32 {
    let Some(classes @ 1..) = outputs.len().checked_div(labels.len()) else { return 0.0 };
    let (kept, spread) = (1.0 - smoothing, smoothing / classes as f32);
    let twice = 2.0 * scale;
    let mut total = 0.0;
    for (outputs, &label) in outputs.chunks_exact_mut(classes).zip(labels) {
        let mut sum = 0.0;
        for (class, a) in outputs.iter_mut().enumerate() {
            let target = if class == usize::from(label) { kept + spread } else { spread };
            let difference = *a - target;
            sum += difference * difference;
            *a = difference * twice;
        }
        total += sum;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_summed_over_classes_and_samples_and_the_gradient_is_twice_the_difference() {
        let mut a = [0.5, 0.25, 1.0, -1.0];
        assert_eq!(squared_error(&mut a, &[0, 1], 0.5, 0.0), 0.25 + 0.0625 + 1.0 + 4.0);
        assert_eq!(a, [-0.5, 0.25, 1.0, -2.0]);
    }

    #[test]
    fn smoothing_moves_its_share_of_the_target_to_all_classes() {
        let mut a = [0.0; 4];
        assert_eq!(squared_error(&mut a, &[2], 1.0, 0.5), 0.625 * 0.625 + 3.0 * 0.125 * 0.125);
        assert_eq!(a, [-0.25, -0.25, -1.25, -0.25]);
    }

    #[test]
    fn a_nan_output_gives_a_nan_loss_and_no_sample_none() {
        assert!(squared_error(&mut [1.0, f32::NAN], &[0], 1.0, 0.0).is_nan());
        assert_eq!(squared_error(&mut [], &[], 1.0, 0.0), 0.0);
    }
}
