//! Models that come from other tools and go to them.

use crate::util::{Place, field};

#[test]
fn a_model_comes_back_from_every_format_and_measures_the_same() {
    let place = Place::with_model();
    let fingerprint = field(&place.ok("inspect model.pmlp"), "fingerprint").to_owned();
    let eval = |model: &str| {
        let line = place.json(&format!("eval {model} --data data --json")).pop().unwrap();
        [line["test_accuracy"].clone(), line["test_loss"].clone()]
    };
    for format in ["onnx", "safetensors", "npz"] {
        let ran = place.run(&format!("export model.pmlp -o m.{format}"));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(
            ran.stderr.contains("raw values are to be read as x·0.003921569 + 0"),
            format != "onnx"
        );
        assert!(field(&ran.stdout, "exported").starts_with(&format!("m.{format}, ")), "{ran:?}");
        let shown = place.ok(&format!("import m.{format} -o {format}.pmlp"));
        assert_eq!(field(&shown, "network"), "64-6-4, 418 parameters");
        assert_eq!(field(&shown, "layers"), "dense, relu, dense");
        assert_eq!(field(&shown, "fingerprint"), fingerprint);
        assert_eq!(eval(&format!("{format}.pmlp")), eval("model.pmlp"));
    }
    place.ok("import m.onnx -o again.pmlp --format onnx --layers 64-6-4 --image-shape 8x8");
    place.fails(
        "import m.onnx -o a.pmlp --layers 64-7-4",
        &["m.onnx: it holds a network of 64-6-4"],
    );
    place.fails("import m.onnx -o a.pmlp --inputs raw", &["--inputs contradicts the file"]);
    place
        .fails("import m.onnx -o m.onnx", &["it is the imported file m.onnx, which would be lost"]);
    place.misused("import m.onnx -o a.pmlp --layers 64", &["expected widths, as in 784-128-10"]);
}

#[test]
fn a_model_becomes_source_code_in_either_language() {
    let place = Place::with_model();
    let shown = place.ok("export model.pmlp -o net.h");
    assert!(shown.contains("net.h, ") && shown.contains("net.c, "), "{shown}");
    place.ok("export model.pmlp --format rust -o net.rs");
    place.ok("quantize model.pmlp --data data -o small.pmlp");
    place.ok("export small.pmlp --format c -o small");
    for name in ["net.h", "net.c", "net.rs", "small.h", "small.c"] {
        assert!(place.read(name).len() > 400, "{name}");
    }
    place.fails("export small.pmlp -o small.npz", &["int8 parameters alone, f32 ones are needed"]);
    place.fails("export model.pmlp -o net.pt", &["net.pt: its extension names no format"]);
    place.fails("export net.rs -o net.onnx", &["net.rs"]);
}

#[test]
fn an_int8_form_goes_to_onnx_and_is_not_read_back() {
    let place = Place::with_model();
    place.ok("quantize model.pmlp --data data -o small.pmlp");
    place.ok("quantize model.pmlp --data data --keep-f32 -o both.pmlp");
    place.ok("export small.pmlp -o small.onnx");
    let ran = place.run("export both.pmlp -o f32.onnx");
    assert!(ran.code == 0 && ran.stderr.contains("--int8 exports it"), "{ran:?}");
    place.ok("export both.pmlp -o both.onnx --int8");
    assert_eq!(place.read("small.onnx"), place.read("both.onnx"));
    place.fails("import small.onnx -o a.pmlp", &["(QuantizeLinear): the graph is quantized"]);
    place.fails("export model.pmlp -o a.onnx --int8", &["no int8 parameters"]);
    place.fails("export both.pmlp -o a.npz --int8", &["npz takes f32 parameters"]);
}

#[test]
fn what_an_imported_file_does_not_say_is_asked_for_or_warned_about() {
    let place = Place::with_model();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interchange");
    for name in ["script.npz", "sklearn.onnx"] {
        place.put(name, &std::fs::read(format!("{folder}/{name}")).unwrap());
    }
    place.fails(
        "import script.npz -o a.pmlp",
        &["script.npz: it holds 2 dense layers", "--activation"],
    );
    let ran = place.run("import script.npz -o a.pmlp --activation relu");
    assert!(ran.code == 0 && ran.stderr.contains("read as --inputs raw has it"), "{ran:?}");
    place.ok("import script.npz -o a.pmlp --activation relu --inputs unit");
    let ran = place.run("import sklearn.onnx -o b.pmlp");
    assert!(ran.code == 0 && ran.stderr.contains("Softmax, Identity, ArgMax"), "{ran:?}");
    place.fails(
        "import model.pmlp --format onnx -o c.pmlp",
        &["it is a picomlp model, expected onnx"],
    );
}
