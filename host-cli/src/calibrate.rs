//! How large the values between layers get.

use anyhow::{Result, ensure};
use picomlp::{AnyLayer, Batch, InputMap, Layer, Network, Sequential};

use crate::data::Dataset;

/// Samples that go through the network together.
const BATCH: usize = 256;

/// The largest output of each ReLU over the first `samples` samples of `data`.
///
/// # Errors
///
/// If the network does not fit the data, or an output is no finite number.
pub(crate) fn largest_activations(
    net: &Sequential,
    params: &[f32],
    data: &Dataset,
    map: InputMap,
    samples: usize,
) -> Result<Vec<f32>> {
    let order: Vec<u32> = (0..).take(samples.min(data.len())).collect();
    let mut largest = Vec::new();
    for (i, layer) in net.layers().iter().enumerate() {
        if !matches!(layer, AnyLayer::Relu(_)) {
            continue;
        }
        // The network up to this layer is one of its own.
        let head = Sequential::new(net.layers().iter().take(i + 1).copied().collect())?;
        let params = &params[..head.params()];
        let mut y = vec![0.0; BATCH * head.outputs()];
        let mut scratch = vec![0.0; head.infer_scratch(BATCH)];
        let mut most = 0.0_f32;
        for order in order.chunks(BATCH) {
            let x = Batch::gather(&data.images, data.pixels(), order)?.with_map(map);
            let y = &mut y[..order.len() * head.outputs()];
            head.forward(params, x, y, &mut scratch)?;
            ensure!(y.iter().all(|y| y.is_finite()), "an output of layer {i} is no finite number");
            most = y.iter().fold(most, |most, y| most.max(*y));
        }
        largest.push(most);
    }
    Ok(largest)
}
