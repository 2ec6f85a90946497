//! The int8 form as ONNX: what the graph says, computed by an interpreter of its operators, beside the integers.

use std::collections::HashMap;

use picomlp::blob::Int8Contents;

use super::super::protobuf::Value::{Bytes, Varint};
use super::super::protobuf::fields;
use super::*;

/// A network of 6 inputs with ReLUs between its layers, quantized; of features, with a rescale first and last, or of
/// pixels.
fn quantized(of_features: bool) -> ModelFile {
    let mut layers = picomlp::layers::LayerList::new();
    let dense =
        [AnyLayer::dense(6, 9), AnyLayer::relu(9), AnyLayer::dense(9, 5), AnyLayer::relu(5)];
    let rescale = |width| of_features.then_some(AnyLayer::rescale(width));
    let last = [AnyLayer::dense(5, 3)];
    for layer in rescale(6).into_iter().chain(dense).chain(last).chain(rescale(3)) {
        layer.describe(&mut layers).unwrap();
    }
    let net = Sequential::new(layers).unwrap();
    let params: Vec<f32> = (0..net.params()).map(|i| (i as f32 * 0.7).sin()).collect();
    let map = InputMap { scale: 1.0 / 255.0, shift: -0.4 };
    let (kind, map) = match of_features {
        true => (InputKind::Features, InputMap { scale: 1.0, shift: 0.0 }),
        false => (InputKind::Image, map),
    };
    let int8 = Int8Contents::new(&[4.0, 6.0]);
    let bytes = written(&Contents {
        input: Some(Input { kind, ..Input::image(2, 3, map) }),
        int8: Some(if of_features { int8.features([-2.0, 3.0]) } else { int8 }),
        ..Contents::new(&net, &params)
    });
    ModelFile::from_bytes(Path::new("m.pmlp"), &bytes.unwrap()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).unwrap().to_owned()
}

/// The bytes of each field of that number.
fn all(message: &[u8], number: u64) -> Vec<&[u8]> {
    let fields = fields(message).map(Result::unwrap);
    let of_number = fields.filter(|(n, _)| *n == number);
    of_number.map(|(_, v)| if let Bytes(bytes) = v { bytes } else { panic!() }).collect()
}

/// Computes a graph of one sample as the operators' specification has it, in f64; returns the operators and the output.
fn run(file: &[u8], x: &[f64]) -> (Vec<String>, Vec<f64>) {
    let graph = all(file, 7)[0];
    let mut values = HashMap::from([("input".to_owned(), x.to_vec())]);
    let mut types = HashMap::new();
    for tensor in all(graph, 5) {
        let kind = fields(tensor).find_map(|f| match f.unwrap() {
            (2, Varint(kind)) => Some(kind),
            _ => None,
        });
        let (name, data) = (text(all(tensor, 8)[0]), all(tensor, 9)[0]);
        let words = || data.as_chunks::<4>().0.iter();
        let numbers = match kind {
            Some(1) => words().map(|w| f64::from(f32::from_le_bytes(*w))).collect(),
            Some(2) => data.iter().map(|b| f64::from(*b)).collect(),
            Some(3) => data.iter().map(|b| f64::from(*b as i8)).collect(),
            Some(6) => words().map(|w| f64::from(i32::from_le_bytes(*w))).collect(),
            other => panic!("{name}: type {other:?}"),
        };
        types.insert(name.clone(), kind);
        values.insert(name, numbers);
    }
    let (mut ops, mut last) = (Vec::new(), String::new());
    for node in all(graph, 1) {
        let names: Vec<String> = all(node, 1).into_iter().map(text).collect();
        let op = text(all(node, 4)[0]);
        let inputs: Vec<&[f64]> = names.iter().map(|name| values[name].as_slice()).collect();
        let x = inputs[0];
        // Element i of a constant: one for all, or one for each row of x, which has as many rows.
        let of = |c: &[f64], i: usize| c[i * c.len() / x.len()];
        let each = |f: &dyn Fn(usize, f64) -> f64| {
            x.iter().enumerate().map(|(i, x)| f(i, *x)).collect::<Vec<_>>()
        };
        let y = match op.as_str() {
            "Mul" => each(&|i, x| x * of(inputs[1], i)),
            "Add" => each(&|i, x| x + of(inputs[1], i)),
            "Relu" => each(&|_, x| x.max(0.0)),
            "QuantizeLinear" => {
                assert_eq!((types[&names[2]], inputs[2]), (Some(2), &[0.0][..]), "u8, from 0");
                each(&|i, x| (x / of(inputs[1], i)).round_ties_even().clamp(0.0, 255.0))
            }
            "DequantizeLinear" => {
                assert!(inputs.get(2).is_none_or(|zeros| zeros.iter().all(|zero| *zero == 0.0)));
                each(&|i, x| x * of(inputs[1], i))
            }
            "Gemm" => {
                let rows = inputs[1].chunks(x.len()).zip(inputs[2]);
                rows.map(|(w, b)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b).collect()
            }
            _ => panic!("{op}"),
        };
        last = text(all(node, 2)[0]);
        values.insert(last.clone(), y);
        ops.push(op);
    }
    assert_eq!(last, "logits");
    (ops, values.remove("logits").unwrap())
}

#[test]
fn an_int8_graph_computes_the_integers_logits_within_half_a_step() {
    for of_features in [false, true] {
        let file = quantized(of_features);
        let model = file.quantized().unwrap();
        let onnx = export(&file, Format::Onnx, false, Path::new("m")).unwrap().files.remove(0).1;
        let layer = ["DequantizeLinear", "DequantizeLinear", "DequantizeLinear", "Gemm"];
        let hidden = [&layer[..], &["Relu", "QuantizeLinear"]].concat();
        let first =
            if of_features { &["Mul", "Add", "QuantizeLinear"][..] } else { &["QuantizeLinear"] };
        let expected_ops = [first, &hidden, &hidden, &layer].concat();
        let (mut scratch, mut x) = (vec![0; model.scratch_len()], [0; 6]);
        for sample in 0..200 {
            let raw = [0, 1, 2, 3, 4, 5].map(|i| ((sample * 97 + i * 41) % 256) as f32);
            let raw = if of_features { raw.map(|x| x / 40.0 - 3.0) } else { raw };
            match of_features {
                true => model.read_features(&raw, &mut x).unwrap(),
                false => x = raw.map(|x| x as u8),
            }
            let (ops, got) = run(&onnx, &raw.map(f64::from));
            assert_eq!(ops, expected_ops);
            let step = f64::from(model.logit_step());
            for (got, expected) in got.iter().zip(model.logits(&x, &mut scratch).unwrap()) {
                // Half a step is the rounding of the logit, the rest that of scales to f32.
                let distance = got / step - f64::from(*expected);
                assert!(distance.abs() < 0.501, "sample {sample}: {got} and {expected} of {step}");
            }
        }
    }
}
