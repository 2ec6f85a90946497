use std::fs;

use picomlp::blob::InputStats;
use picomlp::{AnyLayer, Batch, Network};

use super::*;

mod int8;

/// Files of other tools, by `make.py` in the same folder.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interchange").join(name)
}

fn options(activation: &str) -> Options {
    let activation = (!activation.is_empty()).then(|| activation.parse().unwrap());
    Options { activation, ..Options::default() }
}

fn logits(model: &Imported, x: &[u8]) -> Vec<f32> {
    let (net, mut scratch) = (&model.net, vec![0.0; model.net.infer_scratch(1)]);
    let mut logits = vec![0.0; net.outputs()];
    let x = Batch::rows(x, net.inputs()).unwrap().with_map(model.input.map);
    net.forward(&model.params, x, &mut logits, &mut scratch).unwrap();
    logits
}

/// The values' differences to the largest, which a softmax does not change.
fn below_largest(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().map(|value| value - largest).collect()
}

/// Each tool computes in floats of 24 bits, or better. A value passes at most 4 layers of 7 terms, which makes below 64 roundings;
/// no layer enlarges an error by more than its weights, whose row sums are below 8 here, once by a layer normalization.
const BOUND: f64 = 64.0 * 8.0 / (1 << 24) as f64;

#[test]
fn files_of_other_tools_compute_what_the_tools_do() {
    let expected = fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    let x: Vec<Vec<u8>> = serde_json::from_value(expected["x"].clone()).unwrap();
    for (name, activation, inputs) in [
        ("torch.onnx", "", None),
        ("keras.onnx", "", None),
        ("sklearn.onnx", "", None),
        ("sklearn.npz", "tanh", Some(Inputs::Unit)),
        ("script.npz", "relu", Some(Inputs::Unit)),
        ("torch.safetensors", "relu", Some(Inputs::Unit)),
    ] {
        let options = Options { inputs, ..options(activation) };
        let model = import(&fixture(name), &options).unwrap();
        let rows: Vec<Vec<f64>> = serde_json::from_value(expected[name].clone()).unwrap();
        for (x, expected) in x.iter().zip(rows) {
            let got: Vec<f64> = logits(&model, x).into_iter().map(f64::from).collect();
            let (got, expected) = (below_largest(&got), below_largest(&expected));
            for (got, expected) in got.iter().zip(&expected) {
                assert!(
                    (got - expected).abs() < BOUND * (1.0 + expected.abs()),
                    "{name}: {got} {expected}"
                );
            }
        }
    }
}

/// A model of every kind of layer, and all that a file can say of it.
fn model() -> ModelFile {
    let mut layers = picomlp::layers::LayerList::new();
    for layer in [
        AnyLayer::rescale(6),
        AnyLayer::dense_no_bias(6, 5),
        AnyLayer::layer_norm(5, 1e-3),
        AnyLayer::leaky_relu(5, 0.03),
        AnyLayer::dense(5, 4),
        AnyLayer::relu(4),
        AnyLayer::dense(4, 4),
        AnyLayer::tanh(4),
        AnyLayer::dense(4, 3),
        AnyLayer::sigmoid(3),
        AnyLayer::rescale(3),
    ] {
        layer.describe(&mut layers).unwrap();
    }
    let net = Sequential::new(layers).unwrap();
    let params: Vec<f32> = (0..net.params()).map(|i| (i as f32 * 0.7).sin()).collect();
    let input = Input {
        kind: InputKind::Features,
        preparation: Preparation::AsIs,
        max: None,
        stats: Some(InputStats { mean: 0.1, deviation: 0.7, lowest: -0.3, highest: 1.0 / 3.0 }),
        ..Input::image(2, 3, InputMap { scale: 1.0, shift: 0.0 })
    };
    let provenance = Provenance { loss: LossKind::SquaredError, ..Provenance::default() };
    let bytes = written(&Contents {
        input: Some(input),
        class_names: &["a", "b \"c\"", "grün"],
        features: &["a", "b", "c", "d", "e", "f"].map(|name| Feature { name, unit: "m/s²" }),
        targets: Some(TargetKind::Values),
        provenance: Some(provenance),
        ..Contents::new(&net, &params)
    });
    ModelFile::from_bytes(Path::new("m.pmlp"), &bytes.unwrap()).unwrap()
}

fn exported(format: Format) -> Vec<u8> {
    export(&model(), format, false, Path::new("m")).unwrap().files.remove(0).1
}

const BOTH_WAYS: [Format; 3] = [Format::Onnx, Format::Safetensors, Format::Npz];

#[test]
fn our_own_files_come_back_bit_for_bit_without_flags() {
    for format in BOTH_WAYS {
        let bytes = exported(format);
        let imported = read_bytes(format, &bytes, None, &options("")).unwrap();
        assert!(imported.to_bytes().unwrap() == model().bytes(), "{format}");
        assert_eq!(imported.notes, Vec::<String>::new(), "{format}");
    }
}

#[test]
fn source_holds_the_model_file_and_its_sizes() {
    let model = model();
    let files = export(&model, Format::C, false, Path::new("a-1.c")).unwrap().files;
    let [(header, macros), (source, array)] = &files[..] else { panic!("{files:?}") };
    assert_eq!([header, source], [Path::new("a-1.h"), Path::new("a-1.c")]);
    let [macros, array] = [macros, array].map(|text| str::from_utf8(text).unwrap());
    let len = model.bytes().len();
    assert!(macros.contains(&format!("#define A_1_BYTES {len}\n")), "{macros}");
    assert!(array.starts_with("#include \"a-1.h\"\n"), "{array}");
    let body = array.split_once('{').unwrap().1.split_once('}').unwrap().0;
    let numbers = body.split(',').map(str::trim).filter(|number| !number.is_empty());
    let numbers: Vec<u8> = numbers.map(|number| number.parse().unwrap()).collect();
    assert!(numbers == model.bytes());
    let rust = String::from_utf8(exported(Format::Rust)).unwrap();
    assert!(rust.contains(&format!("pub const BYTES: usize = {len};\n")), "{rust}");
    assert!(rust.contains(body.trim_end()), "{rust}");
    let error = export(&model, Format::C, false, Path::new("1.h")).unwrap_err().to_string();
    assert!(error.contains("begin it with a letter"), "{error}");
}

#[test]
fn what_a_file_does_not_hold_or_contradicts_is_named() {
    let error = |name: &str, options: &Options| {
        format!("{:#}", import(&fixture(name), options).unwrap_err())
    };
    let widths = Some(vec![6, 4, 3]);
    for (name, options, expected) in [
        ("script.npz", options(""), "does not say what stands between them: give --activation"),
        ("script.npz", options("relu,relu"), "--activation has 2 values"),
        (
            "script.npz",
            Options { widths, ..options("relu") },
            "a network of 6-5-3, expected --layers 6-4-3",
        ),
        (
            "script.npz",
            Options { inputs: Some(Inputs::Standardized), ..options("relu") },
            "needs the training data",
        ),
        (
            "script.npz",
            Options { image_shape: "3x3".parse().ok(), ..options("relu") },
            "reads 6 values, not 3x3",
        ),
        (
            "keras.onnx",
            Options { inputs: Some(Inputs::Signed), ..options("") },
            "--inputs contradicts the file",
        ),
        ("make.py", options(""), "its extension names no format"),
        (
            "script.npz",
            Options { format: Some(Format::Onnx), ..options("") },
            "NumPy archive (.npz), expected onnx",
        ),
        ("torch.onnx", Options { format: Some(Format::Npz), ..options("") }, "no npz archive"),
        (
            "torch.onnx",
            Options { format: Some(Format::Safetensors), ..options("") },
            "no safetensors file",
        ),
        ("expected.json", Options { format: Some(Format::Onnx), ..options("") }, "no ONNX file"),
        (
            "torch.onnx",
            Options { format: Some(Format::C), ..options("") },
            "c is written, not read",
        ),
    ] {
        let error = error(name, &options);
        assert!(error.contains(expected) && error.contains(name), "{error}");
    }
}

/// A graph of these nodes, `(operator, inputs, output)`, with a matrix `w` of 2 by 2 and a row `c`.
fn graph(nodes: &[(&str, &[&str], &str)]) -> Result<Imported> {
    use protobuf::Message;
    let tensor = |name: &str, dims: &[u64]| {
        let len = dims.iter().product::<u64>() as usize;
        let data = vec![0.5f32; len].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
        let message = dims.iter().fold(Message::default(), |message, dim| message.int(1, *dim));
        message.int(2, 1).bytes(8, name).bytes(9, data).0
    };
    let mut graph = Message::default().bytes(5, tensor("w", &[2, 2])).bytes(5, tensor("c", &[2]));
    for (op, inputs, output) in nodes {
        let node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
        graph = graph.bytes(1, node.bytes(2, output).bytes(3, "n").bytes(4, op).0);
    }
    let graph = graph.bytes(11, Message::default().bytes(1, "x").0);
    let graph = graph.bytes(12, Message::default().bytes(1, "y").0);
    read_bytes(Format::Onnx, &Message::default().bytes(7, graph.0).0, None, &options(""))
}

#[test]
fn graphs_that_are_no_chain_of_layers_are_refused_with_their_node() {
    for (nodes, expected) in [
        (
            &[("QuantizeLinear", &["x", "w"][..], "y")][..],
            "the graph is quantized, and f32 weights are read: import the model that it was made from",
        ),
        (&[("Conv", &["x", "w"][..], "y")][..], "node 'n' (Conv): unsupported operator"),
        (
            &[("MatMul", &["x", "w"], "a"), ("Add", &["a", "x"], "y")],
            "2 inputs that are not constant",
        ),
        (
            &[("MatMul", &["x", "w"], "a"), ("Relu", &["x"], "y")],
            "takes 'x', which is not the output of the layer before",
        ),
        (&[("MatMul", &["w", "x"], "y")], "its weights are the left factor"),
        (&[("MatMul", &["x", "c"], "y")], "shape [2], expected a matrix"),
        (&[("MatMul", &["x", "q"], "y")], "2 inputs that are not constant"),
        (&[("MatMul", &["x"], "y")], "its weights are missing"),
        (&[("Relu", &["x"], "y")], "in front of the first dense layer"),
        (&[("Softmax", &["x"], "a"), ("MatMul", &["a", "w"], "y")], "(MatMul): it takes 'a'"),
        (&[("MatMul", &["x", "w"], "z")], "output 'y' is not that of its last layer"),
        (
            &[("MatMul", &["x", "w"], "a"), ("Div", &["c", "a"], "y")],
            "divides a constant by its input",
        ),
        (&[("Identity", &["x"], "y")], "no dense layer"),
    ] {
        let error = format!("{:#}", graph(nodes).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
    let layers = |nodes: &[(&str, &[&str], &str)]| {
        let model = graph(nodes).unwrap();
        assert_eq!(model.input.map, InputMap { scale: 1.0, shift: 0.0 });
        (model.net.layers().iter().map(AnyLayer::name).collect::<Vec<_>>(), model.params)
    };
    // Scalings of features are layers, as many as they take; a sum behind a product without a bias is its bias.
    let (names, params) = layers(&[
        ("Mul", &["x", "c"], "a"),
        ("Sub", &["a", "c"], "b"),
        ("MatMul", &["b", "w"], "d"),
        ("Add", &["c", "d"], "e"),
        ("Sub", &["c", "e"], "y"),
    ]);
    assert_eq!(names, ["rescale", "dense", "rescale"]);
    let expected = [[0.5, 0.5], [-0.5, -0.5], [0.5; 2], [0.5; 2], [0.5; 2], [-1.0; 2], [0.5; 2]];
    assert_eq!(params, expected.concat());
    // A batch normalization that an exporter took apart is folded as a whole one is.
    let (names, params) = layers(&[
        ("Add", &["c", "c"], "variance"),
        ("Sqrt", &["variance"], "deviation"),
        ("Div", &["c", "deviation"], "factor"),
        ("Neg", &["factor"], "shift"),
        ("MatMul", &["x", "w"], "a"),
        ("Add", &["a", "c"], "b"),
        ("Mul", &["b", "factor"], "d"),
        ("Add", &["d", "shift"], "y"),
    ]);
    assert_eq!((names, params), (vec!["dense"], [[0.25; 2], [0.25; 2], [-0.25; 2]].concat()));
}

#[test]
fn weights_in_a_file_beside_the_model_are_read_and_no_other_file() {
    use protobuf::Message;
    let folder = tempfile::tempdir().unwrap();
    let weights: Vec<u8> = [9.0f32, 1.0, 2.0].into_iter().flat_map(f32::to_le_bytes).collect();
    fs::write(folder.path().join("w.bin"), weights).unwrap();
    let read = |location: &str| {
        let entry = |key, value| Message::default().bytes(1, key).bytes(2, value).0;
        let tensor = Message::default().int(1, 1).int(1, 2).int(2, 1).bytes(8, "w");
        let tensor = tensor.bytes(13, entry("location", location)).bytes(13, entry("offset", "4"));
        let node = Message::default().bytes(1, "x").bytes(1, "w").bytes(2, "y").bytes(4, "MatMul");
        let graph = Message::default().bytes(5, tensor.0).bytes(1, node.0);
        let graph = graph.bytes(11, Message::default().bytes(1, "x").0);
        let model = Message::default().bytes(7, graph.0);
        read_bytes(Format::Onnx, &model.0, Some(folder.path()), &options(""))
    };
    assert_eq!(read("w.bin").unwrap().params, [1.0, 2.0]);
    for location in ["../w.bin", "/w.bin", "", "./../w.bin"] {
        let error = format!("{:#}", read(location).unwrap_err());
        assert!(error.contains("not beside the model"), "{error}");
    }
    assert!(format!("{:#}", read("none").unwrap_err()).contains("cannot read"));
}

#[test]
fn tensors_are_known_by_the_names_that_tools_give_them() {
    let file = |tensors: &[(&str, &[usize])]| {
        let tensor = |(name, shape): &(&str, &[usize])| {
            let data = vec![0.5; shape.iter().product()];
            ((*name).to_owned(), tensors::Tensor { shape: shape.to_vec(), data })
        };
        let tensors: Vec<_> = tensors.iter().map(tensor).collect();
        let bytes = safetensors::write(&tensors, about::Metadata::new()).unwrap();
        read_bytes(Format::Safetensors, &bytes, None, &options("relu"))
    };
    let widths = |tensors: &[(&str, &[usize])]| widths(&file(tensors).unwrap().net);
    // Numbers count: 10 comes after 2.
    let named: [(&str, &[usize]); 4] = [
        ("fc10.weight", &[2, 4]),
        ("fc2.weight", &[4, 3]),
        ("fc2.bias", &[4]),
        ("fc10.bias", &[2]),
    ];
    assert_eq!(widths(&named), "3-4-2");
    assert_eq!(widths(&[("dense/kernel", &[3, 4]), ("dense_1/kernel", &[4, 2])]), "3-4-2");
    assert_eq!(widths(&[("W1", &[4, 3]), ("b1", &[4]), ("W2", &[4, 4]), ("b2", &[4])]), "3-4-4");
    assert_eq!(widths(&[("l1.w", &[3, 4]), ("l1.b", &[4])]), "3-4");
    for (tensors, expected) in [
        (&[("W1", &[4, 4][..]), ("b1", &[4])][..], "[in][out] or [out][in] cannot be told"),
        (&[("alpha", &[4, 4])], "tensor 'alpha': its name does not say"),
        (
            &[("0.weight", &[4, 3]), ("0.kernel", &[3, 4]), ("0.w", &[3, 4]), ("1.bias", &[3])],
            "its weights are missing",
        ),
        (
            &[("0.weight", &[4, 3]), ("2.weight", &[2, 5])],
            "it has 5 inputs, but the layer before has 4 outputs",
        ),
        (&[("0.weight", &[4, 3]), ("0.bias", &[3])], "its bias has 3 values, expected 4"),
        (&[("0.weight", &[0, 3])], "its weights are 3 by 0"),
        (&[("0.weight", &[4, 3]), ("1.weight", &[4])], "its bias is missing"),
    ] {
        let error = file(tensors).map_or_else(|error| format!("{error:#}"), |_| "read".to_owned());
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_epsilon_of_a_normalization_is_its_tools_default() {
    for ([mean, variance], epsilon) in
        [(["moving_mean", "moving_variance"], 1e-3f64), (["running_mean", "running_var"], 1e-5)]
    {
        let tensor = |name: &str, shape: &[usize], value| {
            (name.to_owned(), tensors::Tensor { shape: shape.to_vec(), data: vec![value] })
        };
        let tensors = [
            tensor("0.kernel", &[1, 1], 1.0),
            tensor("1.gamma", &[1], 1.0),
            tensor("1.beta", &[1], 0.0),
            tensor(&format!("1.{mean}"), &[1], 0.0),
            tensor(&format!("1.{variance}"), &[1], 0.0),
        ];
        let bytes = safetensors::write(&tensors, about::Metadata::new()).unwrap();
        let model = read_bytes(Format::Safetensors, &bytes, None, &options("")).unwrap();
        let expected = 1.0 / f64::from(epsilon as f32).sqrt();
        assert_eq!(model.params, [expected as f32, 0.0]);
        assert!(model.notes[0].contains(&format!("{epsilon} is assumed")), "{:?}", model.notes);
    }
}

/// Every file cut off anywhere, and with every byte changed: read or refused, in bounded memory, without a panic.
#[test]
fn damaged_files_are_refused_or_read() {
    for format in BOTH_WAYS {
        let bytes = exported(format);
        for len in 0..bytes.len() {
            let cut = read_bytes(format, &bytes[..len], None, &options("relu"));
            assert!(cut.is_err() || format == Format::Onnx, "{format} of {len} bytes");
        }
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(model) = read_bytes(format, &damaged, None, &options("relu")) {
                    assert!(model.params.iter().all(|value| value.is_finite()), "{format} {at}");
                }
            }
        }
    }
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    let tensor = tensors::Tensor { shape: vec![1, 2], data: vec![1.0, f32::NAN] };
    let file = [("0.weight".to_owned(), tensor)];
    let bytes = safetensors::write(&file, about::Metadata::new()).unwrap();
    let error = read_bytes(Format::Safetensors, &bytes, None, &options("")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 0 (dense 2→1, no bias): parameter 1 is NaN, expected a finite number"
    );
}
