//! Floating-point operations of networks of dense layers, a product and a sum for each weight.
//!
//! Zeros count like other inputs, so the throughput of what skips them is *dense-equivalent*: it may exceed what the
//! machine can do. Softmax and optimizer are not counted.

/// Counts the operations of `batch` samples through a dense layer.
#[must_use]
pub const fn dense_flops(batch: usize, inputs: usize, outputs: usize) -> u64 {
    2 * (batch * inputs * outputs) as u64
}

/// Counts the operations of a forward pass of `batch` samples; `widths` are the inputs, then each layer's outputs.
#[must_use]
pub fn forward_flops(batch: usize, widths: &[usize]) -> u64 {
    widths.windows(2).map(|pair| dense_flops(batch, pair[0], pair[1])).sum()
}

/// Counts the operations of a training step: forward, the gradient of every weight, and that at every hidden layer.
#[must_use]
pub fn step_flops(batch: usize, widths: &[usize]) -> u64 {
    let hidden = widths.get(1..).unwrap_or_default();
    2 * forward_flops(batch, widths) + forward_flops(batch, hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_of_mnist_with_128_hidden_values_is_24_5_gflop() {
        assert_eq!(step_flops(1, &[784, 128, 10]), 409_088);
        assert_eq!(60_000 * step_flops(1, &[784, 128, 10]), 24_545_280_000);
    }

    #[test]
    fn a_network_without_hidden_layers_needs_no_gradient_at_its_inputs() {
        assert_eq!(forward_flops(3, &[784, 10]), 3 * 2 * 7_840);
        assert_eq!(step_flops(3, &[784, 10]), 2 * 3 * 2 * 7_840);
    }
}
