//! Self-tests: a sound one passes, and one changed bit of what it expects is found where it is.

use picomlp::blob::{Contents, Input, Int8Contents};
use picomlp::layers::{AnyLayer, LayerList, trace};
use picomlp::{Batch, InputMap, Layer, Model, Network, QuantizedModel, Sequential};

use crate::blob::{Bytes, is_not_finite, seal};
use crate::source::Source;

/// Builds a network with a self-test, f32 and int8, from the input; runs it; changes a bit anywhere after the tables, and runs
/// it again.
pub fn self_test(data: &[u8]) -> bool {
    let mut from = Source(data);
    let flip = from.word() as usize;
    let net = network(&mut from);
    let (inputs, outputs) = (net.inputs(), net.outputs());
    // Any bits at all, or numbers of a usual size.
    let param = match from.below(4) {
        0 => |from: &mut Source<'_>| f32::from_bits(from.word()),
        _ => |from: &mut Source<'_>| f32::from(from.byte() as i8) / 16.0,
    };
    let params: Vec<f32> = (0..net.params()).map(|_| param(&mut from)).collect();
    let map = InputMap {
        scale: (1.0 + f32::from(from.byte())) / 256.0,
        shift: f32::from(from.byte() as i8) / 8.0,
    };
    let vectors = 1 + from.below(3);
    let pixels = from.bytes(vectors * inputs);
    let mut scratch = vec![0.0; net.infer_scratch(1)];
    let (mut logits, mut hidden) = (vec![0.0; vectors * outputs], vec![]);
    for (pixels, logits) in pixels.chunks_exact(inputs).zip(logits.chunks_exact_mut(outputs)) {
        let x = Batch::rows(pixels, inputs).unwrap().with_map(map);
        if let Err(error) = net.forward(&params, x, logits, &mut scratch) {
            assert!(is_not_finite(error));
            return false; // there is no self-test of values that overflow
        }
        let last = net.layers().len() - 1;
        trace(&net, &params, x, &mut scratch, |layer, values| {
            hidden.extend_from_slice(if layer < last { values } else { &[] });
        })
        .unwrap();
    }
    let mut contents = Contents {
        input: Some(Input::image(1, inputs, map)),
        self_test_inputs: &pixels,
        self_test_logits: &logits,
        self_test_layers: if from.below(2) == 0 { &[] } else { &hidden },
        ..Contents::new(&net, &params)
    };
    let bytes = write(&contents);
    let failure = Model::<Sequential>::from_blob(&bytes).unwrap().self_test(&mut scratch);
    assert_eq!(failure, Ok(None));
    check_flipped(bytes, flip, &logits);

    let ranges: Vec<f32> = net.layers().iter().filter(|l| is_relu(l)).map(|_| 4.0).collect();
    contents.int8 = Some(Int8Contents::new(&ranges));
    if contents.byte_len().is_err() {
        return true; // not in int8
    }
    let bytes = write(&contents);
    let model = QuantizedModel::<Sequential>::from_blob(&bytes).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let rows = pixels.chunks_exact(inputs);
    let logits = rows.flat_map(|row| model.logits(row, &mut scratch).unwrap().to_vec());
    let logits: Vec<i32> = logits.collect();
    contents.int8 = Some(Int8Contents::new(&ranges).self_test(&logits));
    let bytes = write(&contents);
    let model = QuantizedModel::<Sequential>::from_blob(&bytes).unwrap();
    assert_eq!(model.self_test(&mut scratch), Ok(None));
    true
}

/// One to four dense layers with something behind each, as many inputs and outputs as the input says.
fn network(from: &mut Source<'_>) -> Sequential {
    let mut layers = LayerList::new();
    let mut width = 1 + from.below(70);
    for _ in 0..1 + from.below(4) {
        let kind = from.byte();
        let outputs = 1 + from.below(40);
        let dense = if kind & 8 == 0 { AnyLayer::dense } else { AnyLayer::dense_no_bias };
        layers.push(dense(width, outputs)).unwrap();
        width = outputs;
        let after = match kind % 8 {
            0 | 1 => AnyLayer::relu(width),
            2 => AnyLayer::leaky_relu(width, 0.01),
            3 => AnyLayer::sigmoid(width),
            4 => AnyLayer::tanh(width),
            5 => AnyLayer::layer_norm(width, 1e-5),
            _ => continue,
        };
        layers.push(after).unwrap();
    }
    // Ends in logits, so that half of the networks have an int8 form.
    if layers.last().is_some_and(is_relu) {
        layers.pop();
    }
    Sequential::new(layers).unwrap()
}

fn is_relu(layer: &AnyLayer) -> bool {
    matches!(layer, AnyLayer::Relu(_))
}

fn write(contents: &Contents<'_, Sequential>) -> Bytes {
    let mut bytes = Bytes::new(16);
    contents.write_pieces(|piece| bytes.extend_from_slice(piece)).unwrap();
    bytes
}

/// Changes one bit of the payload. Where it was one of the expected logits, the self-test fails, with the changed bits.
fn check_flipped(mut bytes: Bytes, flip: usize, logits: &[f32]) {
    let payload = 64..bytes.len();
    let at = payload.start + flip / 8 % payload.len();
    let before = bytes.clone();
    bytes[at] ^= 1 << (flip % 8);
    seal(&mut bytes);
    let Ok(model) = Model::<Sequential>::from_blob(&bytes) else { return };
    if model.net().infer_scratch(1).max(model.net().inputs()) > 1 << 16 {
        return;
    }
    let mut scratch = vec![0.0; model.net().infer_scratch(1)];
    let failure = match model.self_test(&mut scratch) {
        Ok(failure) => failure,
        Err(error) => return assert!(is_not_finite(error)),
    };
    let expected = |blob: &[u8]| -> Option<Vec<u32>> {
        let model = Model::<Sequential>::from_blob(blob).ok()?;
        Some(model.blob().self_test()?.vectors().flat_map(|(_, bits)| bits).collect())
    };
    let (old, new) = (expected(&before), expected(&bytes));
    let (Some(old), Some(new)) = (old, new) else { return };
    assert!(old.iter().zip(logits).all(|(bits, logit)| *bits == logit.to_bits()));
    if old.len() == new.len()
        && let Some(changed) = old.iter().zip(&new).position(|(old, new)| old != new)
    {
        let failure = failure.unwrap();
        let outputs = model.net().outputs();
        let place = (failure.vector, failure.output, failure.expected, failure.got);
        assert_eq!(place, (changed / outputs, changed % outputs, new[changed], old[changed]));
    }
}
