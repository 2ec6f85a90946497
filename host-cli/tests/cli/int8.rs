//! The int8 form: made, measured, run, and refused.

use picomlp::blob::{Aligned, Contents, Input};
use picomlp::{InputMap, Model, Sequential};
use serde_json::Value;

use crate::util::{Place, field, write_png};

#[test]
fn quantize_writes_a_certificate_that_eval_confirms() {
    let place = Place::with_model();
    let shown = place.ok("quantize model.pmlp --data data -o small.pmlp");
    let mut names = place.names();
    names.retain(|name| name.starts_with("small"));
    assert_eq!(names, ["small.certificate.json", "small.pmlp"]);
    assert!(field(&shown, "quantized").contains("int8 alone"), "{shown}");
    assert_eq!(field(&shown, "certificate"), "small.certificate.json");

    let certificate: Value = serde_json::from_slice(&place.read("small.certificate.json")).unwrap();
    let eval = place.json("eval small.pmlp --data data --int8 --json").pop().unwrap();
    assert_eq!(certificate["int8"]["accuracy"], eval["test_accuracy"]);
    assert_eq!(eval["int8"], true);
    let eval = place.json("eval model.pmlp --data data --json").pop().unwrap();
    assert_eq!(certificate["f32"]["accuracy"], eval["test_accuracy"]);
    assert_eq!(certificate["fingerprint"], eval["fingerprint"]);
    assert_eq!(certificate["test_samples"], 60);
    assert_eq!(certificate["calibration_samples"], 200);
    assert_eq!(certificate["bytes"], place.read("small.pmlp").len());
    let number = |form: &str, what: &str| certificate[form][what].as_f64().unwrap();
    let drop = 100.0 * (number("f32", "accuracy") - number("int8", "accuracy"));
    assert!((certificate["drop_points"].as_f64().unwrap() - drop).abs() < 1e-9, "{certificate}");
    assert_eq!(number("f32", "flash_bytes"), f64::from(4 * (65 * 6 + 7 * 4)));
    // 32 rows of 16 bytes, then 3; a row for the step, a bias and a multiplier for each of 8 outputs.
    assert_eq!(number("int8", "flash_bytes"), f64::from(16 * (32 + 3) + 2 * (16 + 64)));
    assert_eq!(number("int8", "ram_bytes"), f64::from(4 * (256 + 8 + 2) + 1024));
    assert!(certificate["worst_logit_error"].as_f64().unwrap() < 1.0, "{certificate}");

    let again = place.json("quantize model.pmlp --data data -o again.pmlp --json").pop().unwrap();
    assert_eq!(again["worst_logit_error"], certificate["worst_logit_error"]);
    assert!(place.read("again.pmlp") == place.read("small.pmlp"), "two runs differ");
}

#[test]
fn int8_form_is_inspected_and_predicts_and_f32_is_missed() {
    let place = Place::with_model();
    place.ok("quantize model.pmlp --data data -o small.pmlp");
    let shown = place.ok("inspect small.pmlp");
    assert!(shown.contains("bytes of flash for the weights in int8"), "{shown}");
    assert!(shown.contains("bytes of RAM for int8 inference"), "{shown}");
    assert_eq!(field(&shown, "self-test"), "int8: 4 vectors, passed bit for bit");
    let [old, new] = ["model", "small"]
        .map(|name| place.json(&format!("inspect {name}.pmlp --json")).pop().unwrap());
    assert_eq!(old["fingerprint"], new["fingerprint"]);
    assert!(old["int8"].is_null() && new["inference_ram"].is_null(), "{old} {new}");
    assert_eq!(new["int8"]["inference_ram"], 4 * (256 + 8 + 2) + 1024);

    let bar: [u8; 64] = core::array::from_fn(|i| if (3..5).contains(&(i / 8)) { 250 } else { 0 });
    write_png(&place.path("bar.png"), 8, &bar);
    let [in_f32, in_int8] = ["model.pmlp", "small.pmlp --int8"].map(|model| {
        let line = place.json(&format!("predict {model} bar.png --json")).pop().unwrap();
        (line["class"].clone(), line["top"][0]["probability"].as_f64().unwrap())
    });
    assert_eq!(in_f32.0, in_int8.0);
    assert!((in_f32.1 - in_int8.1).abs() < 0.1, "{in_f32:?} {in_int8:?}");

    let alone = "small.pmlp: the model has int8 parameters alone, f32 ones are needed";
    place.fails("eval small.pmlp --data data", &[alone, "--int8"]);
    place.fails("predict small.pmlp bar.png", &[alone]);
    place.fails("quantize small.pmlp --data data -o other.pmlp", &[alone]);
    let none = "model.pmlp: the model has no int8 parameters; `picomlp quantize` makes them";
    place.fails("eval model.pmlp --data data --int8", &[none]);
    place.fails("predict model.pmlp bar.png --int8", &[none]);
}

#[test]
fn a_model_with_both_forms_is_evaluated_in_either() {
    let place = Place::with_model();
    let shown = place.ok("quantize model.pmlp --data data -o both.pmlp --keep-f32 --max-drop 100");
    assert!(field(&shown, "quantized").contains("f32 and int8"), "{shown}");
    let f32 = |name: &str| place.ok(&format!("eval {name}.pmlp --data data"));
    assert_eq!(f32("both"), f32("model"));
    place.ok("eval both.pmlp --data data --int8 --threads 3");
    let self_test = place.ok("inspect both.pmlp");
    let self_test = field(&self_test, "self-test");
    assert_eq!(self_test, "4 vectors, passed bit for bit; int8: 4 vectors, passed bit for bit");
}

/// A hidden unit that is always 0, with outgoing weights beside which all others vanish in 8 bits.
#[test]
fn quantize_fails_and_writes_nothing_when_int8_loses_more_than_allowed() {
    let place = Place::with_data();
    place.train("--hidden 6 --epochs 30 --lr 0.05 --quiet");
    let mut bytes = Box::new(Aligned([0; 1 << 14]));
    let file = place.read("model.pmlp");
    bytes.0[..file.len()].copy_from_slice(&file);
    let old = Model::<Sequential>::from_blob(&bytes.0).unwrap();
    let (w1, rest) = old.params().split_at(64 * 6);
    let (b1, rest) = rest.split_at(6);
    let (w2, b2) = rest.split_at(6 * 4);
    let mut params: Vec<f32> = w1.chunks(6).flat_map(|row| [row, &[0.0]].concat()).collect();
    params.extend([b1, &[0.0], w2, &[1e6; 4], b2].concat());
    let net = Sequential::mlp(&[64, 7, 4]).unwrap();
    let mut contents = Contents::new(&net, &params);
    contents.input = Some(Input::image(8, 8, InputMap::PIXELS));
    let mut blob = vec![];
    contents.write_pieces(|piece| blob.extend_from_slice(piece)).unwrap();
    place.put("bad.pmlp", &blob);

    let parts = ["bad.pmlp: int8 loses ", "at most 0.2 are allowed; nothing was written"];
    place.fails("quantize bad.pmlp --data data -o small.pmlp --max-drop 0.2", &parts);
    // Without a limit it is written, and the certificate says what it is worth.
    let line = place.json("quantize bad.pmlp --data data -o small.pmlp --json").pop().unwrap();
    assert!(line["drop_points"].as_f64().unwrap() > 10.0, "{line}");
}

#[test]
fn quantize_refuses_what_it_cannot_use() {
    let place = Place::with_model();
    place.misused("quantize model.pmlp --data data", &["--out"]);
    place.misused("quantize model.pmlp -o a.pmlp --max-drop=-1", &["from 0 to 100"]);
    place.misused("quantize model.pmlp -o a.pmlp --max-drop 101", &["from 0 to 100"]);
    place.misused("quantize model.pmlp -o a.pmlp --max-drop x", &["from 0 to 100"]);
    place.misused("quantize model.pmlp -o a.pmlp --calibration 0", &["--calibration"]);
    place.fails("quantize none.pmlp --data data -o a.pmlp", &["cannot read none.pmlp"]);
    place.fails("quantize model.pmlp --data none -o a.pmlp", &["none"]);
    place.fails("quantize model.pmlp --data data -o none/a.pmlp", &["there is no folder none"]);
    place.fails("quantize model.pmlp -o a.pmlp", &["model.pmlp reads 64 values"]);
}
