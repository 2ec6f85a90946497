//! Writes ONNX files: the f32 form as a chain of operators, the int8 form as the same chain between QuantizeLinear and
//! DequantizeLinear (QDQ).
//!
//! In QDQ, a graph computes in floats, and each pair of the two operators says to which integers a value is rounded.
//! A runtime with integer kernels (ONNX Runtime, TensorRT) replaces `DequantizeLinear → Gemm → QuantizeLinear` by one
//! of them; another one computes what the graph says. Both do what picomlp does with its integers, but for roundings,
//! which `docs/interchange.md` names.

use anyhow::{Result, bail};
use picomlp::{AnyLayer, InputMap, Layer, QuantizedModel, Sequential};

use super::about::Metadata;
use super::protobuf::Message;
use super::tensors::named;

/// Element types of `TensorProto`.
const F32: u64 = 1;
const U8: u64 = 2;
const I8: u64 = 3;
const I32: u64 = 6;

/// A model that takes raw values, `[batch][inputs]`, and gives the outputs of the last layer.
pub(super) fn f32(
    net: &Sequential,
    params: &[f32],
    map: InputMap,
    metadata: &Metadata,
) -> Result<Vec<u8>> {
    let mut graph = Graph::default();
    if map.scale != 1.0 {
        graph.floats("scale", &[1], &[map.scale]);
        graph.node("scaled", "Mul", &["scale"], &[]);
    }
    if map.shift != 0.0 {
        graph.floats("shift", &[1], &[map.shift]);
        graph.node("shifted", "Add", &["shift"], &[]);
    }
    let mut tensors = named(net, params)?.into_iter().peekable();
    for (i, layer) in net.layers().iter().enumerate() {
        let mut own = Vec::new();
        while let Some((name, tensor)) =
            tensors.next_if(|(name, _)| name.split('.').next() == Some(&i.to_string()))
        {
            graph.floats(&name, &tensor.shape, &tensor.data);
            own.push(name);
        }
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let output = if i + 1 == net.layers().len() { LOGITS } else { &format!("layer{i}") };
        if let (AnyLayer::Rescale(_), [scale, shift]) = (layer, &own[..]) {
            graph.node(&format!("scaled{i}"), "Mul", &[scale], &[]);
            graph.node(output, "Add", &[shift], &[]);
            continue;
        }
        let (op, attributes) = match layer {
            AnyLayer::Dense(_) => ("Gemm", vec![int("transB", 1)]),
            AnyLayer::Relu(_) => ("Relu", vec![]),
            AnyLayer::LeakyRelu(layer) => ("LeakyRelu", vec![real("alpha", layer.slope())]),
            AnyLayer::Sigmoid(_) => ("Sigmoid", vec![]),
            AnyLayer::Tanh(_) => ("Tanh", vec![]),
            AnyLayer::LayerNorm(layer) => {
                let attributes = vec![int("axis", u64::MAX), real("epsilon", layer.epsilon())];
                ("LayerNormalization", attributes)
            }
            _ => bail!("layer {i} ({layer}) has no form in ONNX"),
        };
        graph.node(output, op, &own, &attributes);
    }
    Ok(graph.model(net, metadata))
}

/// The int8 form of a model, which takes the same inputs and gives logits as floats.
///
/// A layer's sum of integers, times `step_in·step_weight[o]`, is its output as a float. The file of a model has that
/// product as `multiplier[o]/2³²·step_out`, so the weights' scale is that, divided by the scale that the inputs are
/// given. Zero points are 0: those of features are in the first layer's bias.
pub(super) fn int8(model: &QuantizedModel<'_, Sequential>, metadata: &Metadata) -> Vec<u8> {
    let (net, map, mut graph) = (model.net(), model.blob().input_map(), Graph::default());
    graph.floats("one", &[], &[1.0]);
    graph.constant("u8.zero", U8, &[], vec![0]);
    let features = model.blob().int8_inputs().ok();
    if let Some(maps) = features {
        let [scales, shifts] = [0, 1].map(|i| maps.iter().map(|map| map[i]).collect::<Vec<_>>());
        graph.floats("scale", &[maps.len()], &scales);
        graph.floats("shift", &[maps.len()], &shifts);
        graph.node("scaled", "Mul", &["scale"], &[]);
        graph.node("shifted", "Add", &["shift"], &[]);
    }
    // Pixels are the integers, and 1 is worth their scale. What 1 is worth in features cancels out.
    let mut step = if features.is_none() && map.scale > 0.0 { map.scale } else { 1.0 };
    graph.node("integers", "QuantizeLinear", &["one", "u8.zero"], &[]);
    let dense = net.layers().iter().enumerate().filter(|(_, l)| matches!(l, AnyLayer::Dense(_)));
    for ((i, layer), (int8, has_relu)) in dense.zip(model.layers()) {
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let name = |what: &str| format!("{i}.{what}");
        graph.floats(&name("step"), &[], &[step]);
        graph.node(&name("input"), "DequantizeLinear", &[&name("step"), "u8.zero"], &[]);

        let sum_steps = (0..outputs)
            .map(|o| f64::from(int8.multiplier(o)) / 4_294_967_296.0 * f64::from(int8.step()));
        let sum_steps: Vec<f64> = sum_steps.collect();
        let floats = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
        let weight_steps: Vec<f64> = sum_steps.iter().map(|sum| sum / f64::from(step)).collect();
        let weights = (0..outputs).flat_map(|o| (0..inputs).map(move |i| int8.weight(i, o) as u8));
        graph.constant(&name("weight"), I8, &[outputs, inputs], weights.collect());
        graph.floats(&name("weight.step"), &[outputs], &floats(&weight_steps));
        let zeros = vec![0; outputs];
        graph.constant(&name("weight.zero"), I8, &[outputs], zeros);
        let bias = (0..outputs).flat_map(|o| int8.bias(o).to_le_bytes());
        graph.constant(&name("bias"), I32, &[outputs], bias.collect());
        graph.floats(&name("bias.step"), &[outputs], &floats(&sum_steps));
        let axis = [int("axis", 0)];
        let (weight, bias) = (name("weight.float"), name("bias.float"));
        let stored = [name("weight"), name("weight.step"), name("weight.zero")];
        graph.side(&weight, "DequantizeLinear", &stored.each_ref().map(String::as_str), &axis);
        // An int32 has no zero point.
        let stored = [name("bias"), name("bias.step")];
        graph.side(&bias, "DequantizeLinear", &stored.each_ref().map(String::as_str), &axis);

        step = int8.step();
        if !has_relu {
            graph.node(LOGITS, "Gemm", &[&weight, &bias], &[int("transB", 1)]);
            break;
        }
        graph.node(&name("sum"), "Gemm", &[&weight, &bias], &[int("transB", 1)]);
        graph.node(&name("relu"), "Relu", &[], &[]);
        graph.floats(&name("output.step"), &[], &[step]);
        graph.node(&name("integers"), "QuantizeLinear", &[&name("output.step"), "u8.zero"], &[]);
    }
    graph.model(net, metadata)
}

const INPUT: &str = "input";
const LOGITS: &str = "logits";

/// A graph that is being written: a chain of nodes.
struct Graph {
    message: Message,
    /// The output of the last node.
    value: String,
}

impl Default for Graph {
    fn default() -> Self {
        Self { message: Message::default(), value: INPUT.to_owned() }
    }
}

impl Graph {
    fn constant(&mut self, name: &str, kind: u64, shape: &[usize], data: Vec<u8>) {
        let dims = shape.iter().fold(Message::default(), |dims, side| dims.int(1, *side as u64));
        let tensor = dims.int(2, kind).bytes(8, name).bytes(9, data);
        self.message = core::mem::take(&mut self.message).bytes(5, tensor.0);
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, F32, shape, data);
    }

    /// Adds a node that takes the last value and these constants.
    fn node(&mut self, output: &str, op: &str, constants: &[&str], attributes: &[Message]) {
        let value = core::mem::replace(&mut self.value, output.to_owned());
        self.side(output, op, &[&[value.as_str()], constants].concat(), attributes);
    }

    /// Adds a node beside the chain.
    fn side(&mut self, output: &str, op: &str, inputs: &[&str], attributes: &[Message]) {
        let node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
        let node = node.bytes(2, output).bytes(3, output).bytes(4, op);
        let node = attributes.iter().fold(node, |node, attribute| node.bytes(5, &attribute.0));
        self.message = core::mem::take(&mut self.message).bytes(1, node.0);
    }

    /// The file of a model whose nodes these are.
    fn model(self, net: &Sequential, metadata: &Metadata) -> Vec<u8> {
        let graph = self
            .message
            .bytes(2, "picomlp")
            .bytes(11, tensor_info(INPUT, net.inputs()))
            .bytes(12, tensor_info(LOGITS, net.outputs()));
        // IR version 8 is that of operator set 17, which brought LayerNormalization.
        let mut model = Message::default()
            .int(1, 8)
            .bytes(2, "picomlp")
            .bytes(7, graph.0)
            .bytes(8, Message::default().bytes(1, "").int(2, 17).0);
        for (key, value) in metadata {
            model = model.bytes(14, Message::default().bytes(1, key).bytes(2, value).0);
        }
        model.0
    }
}

fn real(name: &str, value: f32) -> Message {
    Message::default().bytes(1, name).float(2, value).int(20, 1)
}

fn int(name: &str, value: u64) -> Message {
    Message::default().bytes(1, name).int(3, value).int(20, 2)
}

/// Floats of shape `[batch][width]`.
fn tensor_info(name: &str, width: usize) -> Vec<u8> {
    let batch = Message::default().bytes(2, "batch");
    let width = Message::default().int(1, width as u64);
    let shape = Message::default().bytes(1, batch.0).bytes(1, width.0);
    let tensor = Message::default().int(1, F32).bytes(2, shape.0);
    Message::default().bytes(1, name).bytes(2, Message::default().bytes(1, tensor.0).0).0
}
