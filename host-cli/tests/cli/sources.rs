//! Data in other forms than CSV: NumPy's arrays, JSON lines, ARFF, IDX of any type.

use crate::util::{
    FILES, Place, TEST_IMAGES, TRAIN, TRAIN_IMAGES, bars_pixels, crc32, field, idx, kaggle,
};

/// An array as NumPy writes it: `kind` is the type of the elements, `order` whether the first index counts fastest.
fn npy(kind: &str, shape: &[usize], fortran: bool, data: &[u8]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({sides}), }}\n");
    let len = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &len[..], header.as_bytes(), data].concat()
}

/// A zip archive of these files, stored.
fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let name = format!("{name}.npy");
        let [len, crc] = [bytes.len() as u32, crc32(bytes)].map(u32::to_le_bytes);
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc,
            &len,
            &len,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let offset = (archive.len() as u32).to_le_bytes();
        list.extend(
            [b"PK\x01\x02\x14\0", &common[..], &[0; 10], &offset, name.as_bytes()].concat(),
        );
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let [size, start] = [list.len() as u32, archive.len() as u32].map(u32::to_le_bytes);
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &start, &[0, 0]].concat();
    [archive, list, end].concat()
}

fn f64s(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Samples of three features and two classes, row by row.
fn points() -> (Vec<f64>, Vec<u8>) {
    let label = |i: usize| (i * 7 % 5 > 2) as u8;
    let values = (0..120).flat_map(|i| {
        let x = (i * 37 % 100) as f64 / 50.0 - 1.0;
        [x, x * x + 3.0 * f64::from(label(i)), f64::from(label(i)) - x]
    });
    (values.collect(), (0..120).map(label).collect())
}

#[test]
fn arrays_of_numpy_are_read_in_any_type_and_order() {
    let place = Place::new();
    let (values, labels) = points();
    let csv: String = values
        .chunks(3)
        .zip(&labels)
        .map(|(row, label)| format!("{},{},{},{label}\n", row[0], row[1], row[2]))
        .collect();
    place.put("a.csv", format!("1,2,3,label\n{csv}").as_bytes());
    let line = "--epochs 5 --test-split 20 --out m.pmlp";
    let csv = place.ok(&format!("train --data a.csv --csv-header yes {line}"));
    let columns: Vec<f64> =
        (0..3).flat_map(|c| values.iter().skip(c).step_by(3).copied()).collect();
    let big: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    let wide: Vec<u8> = labels.iter().flat_map(|&label| i64::from(label).to_le_bytes()).collect();
    let y = || ("y", npy("|u1", &[120], false, &labels));
    for (name, x, y) in [
        ("c", npy("<f8", &[120, 3], false, &f64s(&values)), y()),
        ("fortran", npy("<f8", &[120, 3], true, &f64s(&columns)), y()),
        (
            "big",
            npy(">f8", &[120, 3], false, &big),
            ("labels", npy("<i8", &[120, 1], false, &wide)),
        ),
    ] {
        place.put("a.npz", &zip(&[("X", x), y]));
        let text = place.ok(&format!("train --data a.npz {line}"));
        assert_eq!(field(&text, "fingerprint"), field(&csv, "fingerprint"), "{name}: {text}");
        assert!(text.contains("a.npz: 120 samples in `X`, labels in `"), "{text}");
        let eval = place.ok("eval m.pmlp --data a.npz");
        assert!(eval.contains("the 20 samples that training held out"), "{eval}");
    }
    // A lone array has no targets.
    place.put("x.npy", &npy("<f8", &[120, 3], false, &f64s(&values)));
    assert_eq!(place.json("predict m.pmlp x.npy --json").len(), 120);
    place.fails("train --data x.npy", &["x.npy: the file has no labels"]);

    // Parts, words, other names, groups.
    let words: Vec<u8> = labels
        .iter()
        .flat_map(|label| ["lo", "hi"][usize::from(*label)].chars())
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    let groups: Vec<u8> = (0..120u8).map(|i| i / 10).collect();
    place.put(
        "named.npz",
        &zip(&[
            ("points", npy("<f8", &[120, 3], false, &f64s(&values))),
            ("words", npy("<U2", &[120], false, &words)),
            ("who", npy("|u1", &[120], false, &groups)),
        ]),
    );
    place.fails(
        "train --data named.npz",
        &["no array is named X", "the file has points, words, who"],
    );
    let named = "train --data named.npz --features points --target words --group who";
    let text = place.ok(&format!("{named} --epochs 2 --test-split 20"));
    assert!(
        text.contains(
            "20 samples held out for testing: --test-split 20, at random, seed 1, whole groups"
        ),
        "{text}"
    );
    assert!(place.ok("inspect model.pmlp").contains("classes        hi lo"));
    let (train, test) = values.split_at(270);
    place.put(
        "parts.npz",
        &zip(&[
            ("x_train", npy("<f8", &[90, 3], false, &f64s(train))),
            ("y_train", npy("|u1", &[90], false, &labels[..90])),
            ("x_test", npy("<f8", &[30, 3], false, &f64s(test))),
            ("y_test", npy("|u1", &[30], false, &labels[90..])),
        ]),
    );
    let text = place.ok("train --data parts.npz --epochs 2");
    assert!(text.contains("parts.npz: 90 training, 0 validation, 30 test samples"), "{text}");
    assert_eq!(place.json("eval model.pmlp --data parts.npz --json")[0]["samples"], 30);

    // Images, as Keras packs MNIST.
    let (images, labels) = bars_pixels(TRAIN, 1);
    place.put("a.csv", &kaggle(&images, Some(&labels), 64));
    let archive = [
        ("x_train", npy("|u1", &[TRAIN, 8, 8], false, &images)),
        ("y_train", npy("|u1", &[TRAIN], false, &labels)),
    ];
    place.put("a.npz", &zip(&archive));
    let print = |data: &str| {
        place.json(&format!("train --data {data} {line} --json")).pop().unwrap()["fingerprint"]
            .clone()
    };
    assert_eq!(print("a.npz"), print("a.csv"));
}

#[test]
fn arrays_that_are_no_data_are_named() {
    let place = Place::new();
    let (values, labels) = points();
    let x = || ("X", npy("<f8", &[120, 3], false, &f64s(&values)));
    let y = || ("y", npy("|u1", &[120], false, &labels));
    let nan: Vec<f64> = [&values[..4], &[f64::NAN], &values[5..]].concat();
    let infinite: Vec<f64> = [&values[..4], &[f64::INFINITY], &values[5..]].concat();
    for (arrays, part) in [
        (
            vec![("X", npy("<f8", &[120, 3], false, &f64s(&nan))), y()],
            "sample 2, feature 2: expected a number, got NaN",
        ),
        (
            vec![("X", npy("<f8", &[120, 3], false, &f64s(&infinite))), y()],
            "sample 2, feature 2: expected a finite number, got inf",
        ),
        (
            vec![x(), ("y", npy("|u1", &[20], false, &labels[..20]))],
            "it has 20 targets, but there are 120 samples",
        ),
        (vec![x(), ("y", npy("|O", &[120], false, &labels))], "its elements are Python objects"),
        (
            vec![("X", npy("<c8", &[120, 3], false, &f64s(&values))), y()],
            "of the type '<c8', expected numbers",
        ),
        (
            vec![("X", npy("<f8", &[120, 4], false, &f64s(&values))), y()],
            "do not fill its shape [120, 4]",
        ),
        (vec![x(), ("y", npy("|u1", &[120], false, &[1; 120]))], "all 120 training labels are 1"),
        (vec![("X", b"no array".to_vec()), y()], "it is no NumPy array, or its header is damaged"),
    ] {
        place.put("a.npz", &zip(&arrays));
        place.fails("train --data a.npz", &["a.npz: ", part]);
    }
    let whole = zip(&[x(), y()]);
    place.put("a.npz", &whole[..whole.len() / 2]);
    place.fails("train --data a.npz", &["a.npz: it is no npz archive, or cut off"]);
    place.put("a.npz", &zip(&[("X", npy("<f8", &[120, 3], false, &f64s(&nan))), y()]));
    let text = place.ok("train --data a.npz --missing mean --epochs 1");
    assert!(text.contains("120 samples in `X`"), "{text}");
}

#[test]
fn json_lines_and_arff_are_read_as_csv_is() {
    let place = Place::new();
    let (values, labels) = points();
    let mut csv = "x_0,x_1,pose.z,label\n".to_owned();
    let mut json = String::new();
    let mut arff = "% of Weka\n@RELATION 'a b'\n@ATTRIBUTE x_0 NUMERIC\n@attribute 'x_1' real\n\n\
                    @attribute pose.z numeric\n@attribute label {'the rest, mostly', run}\n@DATA\n"
        .to_owned();
    for (row, label) in values.chunks(3).zip(&labels) {
        let word = ["the rest, mostly", "run"][usize::from(*label)];
        csv += &format!("{},{},{},\"{word}\"\n", row[0], row[1], row[2]);
        json += &format!(
            "{{\"x\": [{}, {}], \"pose\": {{\"z\": {}}}, \"label\": \"{word}\"}}\n\n",
            row[0], row[1], row[2]
        );
        arff += &format!("{}, {},{} , '{word}'\n% again\n", row[0], row[1], row[2]);
    }
    for (name, text) in [("a.csv", &csv), ("a.jsonl", &json), ("a.arff", &arff)] {
        place.put(name, text.as_bytes());
    }
    let train = |data: &str| {
        place.ok(&format!("train --data {data} --epochs 30 --lr 0.02 --dropout 0 --test-split 20"))
    };
    let expected = field(&train("a.csv"), "fingerprint").to_owned();
    let text = train("a.arff");
    assert!(
        text.contains("a.arff: 120 rows of ARFF, labels in column 4 (`label`), 3 features"),
        "{text}"
    );
    assert_eq!(field(&text, "fingerprint"), expected);
    let text = train("a.jsonl");
    assert!(
        text.contains("a.jsonl: 120 rows of JSON lines, labels in column 4 (`label`)"),
        "{text}"
    );
    assert_eq!(field(&text, "fingerprint"), expected);
    // Held-out samples are the same in every form.
    for data in ["a.csv", "a.jsonl", "a.arff"] {
        let eval = place.ok(&format!("eval model.pmlp --data {data}"));
        assert!(eval.contains("the 20 samples that training held out"), "{eval}");
    }
    let new = "{\"pose\": {\"z\": 1}, \"x\": [0.5, 2]}\n{\"x\": [1, 2], \"pose\": {\"z\": 0}}\n";
    place.put("new.jsonl", new.as_bytes());
    assert_eq!(place.json("predict model.pmlp new.jsonl --json").len(), 2);
    let start = "@relation a\n@attribute x_0 real\n@attribute y {a, b}\n";
    for (name, text, part) in [
        (
            "b.jsonl",
            "{\"a\": 1, \"label\": \"x\"}\n{\"b\": 2}\n".to_owned(),
            "b.jsonl, line 2: expected the fields of the first line, got another one: `b`",
        ),
        (
            "b.jsonl",
            "{\"a\": 1, \"label\": \"x\"}\n[1, 2]\n".to_owned(),
            "b.jsonl, line 2: expected an object as in",
        ),
        (
            "b.jsonl",
            "{\"a\": 1, \"label\": \"x\"}\n\n{\"a\": \"y\", \"label\": \"z\"}\n".to_owned(),
            "b.jsonl, line 3, column 1 (`a`): expected a number",
        ),
        (
            "b.jsonl",
            "{\"a\": 1, \"label\": \"x\"}\n{\"label\": \"x\"}\n".to_owned(),
            "b.jsonl, line 2, column 1 (`a`): expected a number (a missing value",
        ),
        (
            "b.json",
            "[{\"a\": 1}]".to_owned(),
            "b.json is a JSON array, expected a CSV file: write an object in each line",
        ),
        ("b.arff", start.to_owned(), "b.arff, line 4: expected @data, got the end of the file"),
        (
            "b.arff",
            format!("{start}@data\n1,a\n2\n"),
            "b.arff, line 6: expected 2 columns as in the first line, got 1",
        ),
        (
            "b.arff",
            format!("{start}@data\n{{0 1, 1 a}}\n"),
            "b.arff, line 5: expected a value for each column, got a sparse row",
        ),
        ("b.arff", format!("{start}@data\n1,'a\n"), "b.arff, line 5: expected a quote that ends"),
        (
            "b.arff",
            "@relation a\n@attribute x_0\n".to_owned(),
            "b.arff, line 2: expected @attribute NAME TYPE",
        ),
    ] {
        place.put(name, text.as_bytes());
        place.fails(&format!("train --data {name}"), &[part]);
    }
}

#[test]
fn idx_files_of_wide_elements_are_features_and_emnist_s_are_turned() {
    let place = Place::with_data();
    // Twelve bits, as of a converter.
    for (name, count) in [(TRAIN_IMAGES, TRAIN), (TEST_IMAGES, 60)] {
        let (images, _) = bars_pixels(count, 1);
        let values: Vec<u8> =
            images.iter().flat_map(|&pixel| (i16::from(pixel) * 16 - 100).to_be_bytes()).collect();
        let mut bytes = idx(&[count, 2, 32], &values);
        bytes[2] = 0x0b;
        place.put(&format!("data/{name}"), &bytes);
    }
    let text = place.train("--hidden 8 --epochs 2");
    assert!(text.contains("data: 200 training, 0 validation, 60 test samples"), "{text}");
    let shown = place.ok("inspect model.pmlp");
    assert!(shown.contains("64 features: 1, 2, 3"), "{shown}");
    place.ok("eval model.pmlp --data data");

    place.put_bars("data", TRAIN);
    let expected = place.fingerprint("--hidden 6 --epochs 2");
    // What is written the other way round is the same again.
    let turned = |bytes: &[u8]| {
        let (head, pixels) = bytes.split_at(16);
        let image = |image: &[u8]| (0..64).map(|i| image[i % 8 * 8 + i / 8]).collect::<Vec<u8>>();
        [head, &pixels.chunks(64).flat_map(image).collect::<Vec<u8>>()].concat()
    };
    for name in FILES {
        let bytes = place.read(&format!("data/{name}"));
        let bytes = if name.contains("images") { turned(&bytes) } else { bytes };
        place.put(&format!("emnist/emnist-digits-{name}"), &bytes);
        place.put(&format!("turned/{name}"), &bytes);
    }
    for (data, note) in
        [("emnist", "EMNIST's are stored so"), ("turned --transpose yes", "swapped")]
    {
        let lines = place.json(&format!("train --data {data} --hidden 6 --epochs 2 --json"));
        assert_eq!(lines.last().unwrap()["fingerprint"], expected.as_str(), "{data}");
        assert!(lines[0]["data_notes"].to_string().contains(note), "{data}");
        let data = data.split(' ').next().unwrap();
        // The model knows.
        let eval = place.json(&format!("eval model.pmlp --data {data} --json")).pop().unwrap();
        assert_eq!(eval["test_accuracy"], lines.last().unwrap()["test_accuracy"], "{data}");
    }
    let lines = place.json("train --data emnist --transpose no --hidden 6 --epochs 2 --json");
    assert_ne!(lines.last().unwrap()["fingerprint"], expected.as_str());

    // QMNIST's labels have eight numbers each.
    for name in FILES {
        let mut bytes = place.read(&format!("data/{name}"));
        let mut name = format!("qmnist-{}", name.replace("t10k", "test"));
        if name.contains("labels") {
            let labels = &bytes[8..];
            let values = labels.iter().flat_map(|&label| [i32::from(label), 7, 7, 7, 7, 7, 7, 7]);
            let values: Vec<u8> = values.flat_map(i32::to_be_bytes).collect();
            bytes = idx(&[labels.len(), 8], &values);
            bytes[2] = 0x0c;
            name = name.replace("idx1-ubyte", "idx2-int");
        }
        place.put(&format!("qmnist/{name}"), &bytes);
    }
    let lines = place.json("train --data qmnist --hidden 6 --epochs 2 --json");
    assert_eq!(lines.last().unwrap()["fingerprint"], expected.as_str());
}
