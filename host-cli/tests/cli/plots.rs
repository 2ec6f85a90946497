//! `plot`, `report`, and `train --plots`.

use std::io::Cursor;

use image::{ImageReader, RgbImage};

use crate::util::{Place, TEST, bars_pixels, json_lines, kaggle, write_png};

/// Every kind, what it takes, and words that its image must have.
const KINDS: [(&str, &str, &[&str]); 8] = [
    ("curves", "history.jsonl", &["Loss and accuracy", "epoch", "loss", "training", "validation"]),
    (
        "confusion",
        "model.pmlp --data data",
        &["Confusion matrix", "of 60 samples", "Predicted class"],
    ),
    ("classes", "model.pmlp --data data", &["Precision and recall", "100 %"]),
    (
        "mistakes",
        "model.pmlp --data data",
        &["Mistakes", "of 60 samples", "True → predicted class", " → "],
    ),
    ("weights", "model.pmlp", &["Weights of the first hidden layer", "6 units", "8×8", "weight"]),
    ("rotation", "model.pmlp --data data", &["Rotation", "Sample 0, a ", "345°"]),
    ("samples", "--data data", &["Samples of each class", "200 samples of 8×8 pixels"]),
    (
        "pca",
        "--data data",
        &["Principal components", "200 samples", "component 1 (", "component 2 ("],
    ),
];

/// With the model of [`Place::with_model`] and the history of its training.
fn place() -> Place {
    let place = Place::with_data();
    let printed = place.train("--hidden 6 --epochs 2 --json");
    place.put("history.jsonl", printed.as_bytes());
    place
}

#[track_caller]
fn png(bytes: &[u8]) -> RgbImage {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().unwrap();
    assert_eq!(reader.format(), Some(image::ImageFormat::Png));
    reader.decode().unwrap().into_rgb8()
}

/// Width and height that the first element says, checked against a view of the same size.
#[track_caller]
fn svg_size(svg: &str) -> (u32, u32) {
    let head = svg.lines().next().unwrap();
    assert!(head.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "), "{head}");
    let number = |name: &str| {
        let (_, after) = head.split_once(&format!(" {name}=\"")).unwrap();
        after.split('"').next().unwrap().parse().unwrap()
    };
    let size = (number("width"), number("height"));
    assert!(head.contains(&format!("viewBox=\"0 0 {} {}\"", size.0, size.1)), "{head}");
    assert!(svg.ends_with("</svg>\n"));
    size
}

/// Bars as a folder of PNG files by class, in classes of these names.
fn put_named(place: &Place, names: [&str; 4]) {
    let (images, labels) = bars_pixels(TEST, 2);
    for (at, (image, label)) in images.chunks_exact(64).zip(labels).enumerate() {
        let name = format!("named/{}/{at}.png", names[usize::from(label)]);
        place.put(&name, b"");
        write_png(&place.path(&name), 8, image);
    }
}

#[test]
fn each_kind_is_drawn_as_svg_and_twice_as_large_as_png_with_the_same_bytes_each_time() {
    let place = place();
    for (kind, what, words) in KINDS {
        place.ok(&format!("plot {kind} {what} -o a.svg"));
        place.ok(&format!("plot {kind} {what} -o b --format svg"));
        let said = place.ok(&format!("plot {kind} {what} --format png"));
        let again = place.ok(&format!("plot {kind} {what} --out c.PNG"));
        assert_eq!(said.replace(&format!("{kind}.png"), "c.PNG"), again);
        let svg = String::from_utf8(place.read("a.svg")).unwrap();
        assert!(place.read("b") == svg.as_bytes(), "{kind}: another SVG");
        for word in words {
            assert!(svg.contains(word), "{kind}: no `{word}`");
        }
        let bytes = place.read(&format!("{kind}.png"));
        assert!(place.read("c.PNG") == bytes, "{kind}: another PNG");
        let (image, (width, height)) = (png(&bytes), svg_size(&svg));
        assert_eq!(image.dimensions(), (2 * width, 2 * height), "{kind}");
        assert!(said.contains(&format!(": {}×{}, {kind}", 2 * width, 2 * height)), "{said}");
        // Opaque paper around everything, and ink in it.
        let corner = image.get_pixel(0, 0).0;
        assert_eq!((corner, image.get_pixel(2 * width - 1, 2 * height - 1).0), ([255; 3], corner));
        assert!(image.pixels().any(|pixel| pixel.0.iter().all(|level| *level < 60)), "{kind}");
    }
}

#[test]
fn images_do_not_depend_on_the_number_of_threads() {
    let place = place();
    for (kind, what, _) in KINDS.into_iter().filter(|(_, what, _)| what.contains("--data")) {
        place.ok(&format!("plot {kind} {what} --threads 1 -o one.svg"));
        place.ok(&format!("plot {kind} {what} --threads 3 -o three.svg"));
        assert!(place.read("one.svg") == place.read("three.svg"), "{kind}");
    }
}

#[test]
fn the_confusion_matrix_has_the_counts_of_eval() {
    let place = place();
    let eval = place.json("eval model.pmlp --data data --json").pop().unwrap();
    place.ok("plot confusion model.pmlp --data data -o a.svg");
    let svg = String::from_utf8(place.read("a.svg")).unwrap();
    let text = |count: &str| svg.matches(&format!(">{count}</text>")).count();
    let mut counts: Vec<String> = vec![];
    for count in
        eval["confusion"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap())
    {
        counts.extend(count.as_u64().filter(|count| *count > 3).map(|count| count.to_string()));
    }
    assert!(!counts.is_empty());
    for count in &counts {
        let expected = counts.iter().filter(|other| *other == count).count();
        assert_eq!(text(count), expected, "{count} of {counts:?}");
    }
    let right =
        format!("{} of 60 samples", (eval["test_accuracy"].as_f64().unwrap() * 60.0).round());
    assert!(svg.contains(&right), "{right}");
}

#[test]
fn a_model_without_hidden_layers_shows_the_weights_of_each_class() {
    let place = Place::with_data();
    place.train("--hidden '' --epochs 1 --quiet");
    place.ok("plot weights model.pmlp -o a.svg");
    let svg = String::from_utf8(place.read("a.svg")).unwrap();
    assert!(svg.contains("Weights of each class") && svg.contains("4 classes"));
    assert_eq!(svg.matches("<image").count(), 4 + 1); // and the scale
    place.ok("plot weights model.pmlp --count 2 -o a.svg");
    let svg = String::from_utf8(place.read("a.svg")).unwrap();
    assert!(svg.contains("The first 2 of 4 classes") && svg.matches("<image").count() == 3);
}

#[test]
fn weights_of_all_zeros_and_a_class_without_samples_are_drawn() {
    let place = Place::new();
    let (images, labels) = bars_pixels(80, 1);
    let places: Vec<usize> = (0..80).filter(|at| labels[*at] == 1).collect();
    place.put("a.csv", &kaggle(&images, Some(&labels), 64));
    place.ok("train --data a.csv --init zeros --max-steps 1 --lr 1e-30 --hidden '' --quiet");
    place.ok("plot weights model.pmlp -o a.png");
    let few: Vec<u8> = places.iter().flat_map(|at| images[64 * at..][..64].to_vec()).collect();
    place.put("ones.csv", &kaggle(&few, Some(&vec![1; places.len()]), 64));
    for kind in ["confusion", "classes", "mistakes", "rotation"] {
        place.ok(&format!("plot {kind} model.pmlp --data ones.csv -o {kind}.svg"));
    }
    let classes = String::from_utf8(place.read("classes.svg")).unwrap();
    assert_eq!(classes.matches(">no sample<").count(), 3);
    assert!(!classes.contains("NaN"));
}

#[test]
fn names_of_classes_are_escaped_and_cut_where_they_are_long() {
    let place = Place::new();
    let names = ["<b>&\"bold", "a very long name of a class", "it's", "<script>"];
    put_named(&place, names);
    place.ok("train --data named --hidden 4 --epochs 2 --test-split 20 --plots pics --quiet");
    place.ok("report model.pmlp --data named -o r.html");
    for kind in ["confusion", "classes", "mistakes", "rotation"] {
        place.ok(&format!("plot {kind} model.pmlp --data named -o {kind}.svg"));
        place.ok(&format!("plot {kind} model.pmlp --data named -o {kind}.png"));
        let svg = String::from_utf8(place.read(&format!("{kind}.svg"))).unwrap();
        assert!(!svg.contains("<b>") && !svg.contains("<script>"), "{kind}");
    }
    let svg = String::from_utf8(place.read("confusion.svg")).unwrap();
    assert!(svg.contains("&lt;b&gt;&amp;&quot;bold") && svg.contains("it&#39;s"), "{svg}");
    assert!(svg.contains("a very long n…"), "{svg}");
    let page = String::from_utf8(place.read("r.html")).unwrap();
    assert!(!page.contains("<b>") && page.contains("&lt;script&gt;"));
    // Two scripts, of which one is data.
    assert_eq!(page.matches("<script").count(), 2);
}

#[test]
fn other_shapes_and_numbers_of_classes_are_drawn() {
    let place = Place::new();
    // 3×5 pixels, twelve classes.
    let labels: Vec<u8> = (0..96).map(|i| i % 12).collect();
    let pixel = |i: u32| if (i * i) % 7 < 3 { (i * 37 % 200) as u8 } else { 0 };
    let images: Vec<u8> = (0..96 * 15).map(pixel).collect();
    place.put("a.csv", &kaggle(&images, Some(&labels), 15));
    let format = "--image-shape 3x5 --csv-max 200";
    place.ok(&format!("train --data a.csv {format} --hidden 3 --epochs 1 --test-split 0 --val-split 0 --quiet --plots pics --plots-format svg"));
    for file in ["confusion", "classes", "mistakes", "weights", "samples", "rotation", "pca"] {
        let svg = String::from_utf8(place.read(&format!("pics/{file}.svg"))).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{file}");
        svg_size(&svg);
    }
    let svg = String::from_utf8(place.read("pics/confusion.svg")).unwrap();
    assert!(svg.contains("of 96 training samples"), "{svg}");
    place.ok(&format!("report model.pmlp --data a.csv {format}"));
}

#[test]
fn train_writes_all_images_a_history_and_no_other_model() {
    let place = Place::with_data();
    let plain = place.fingerprint("--hidden 6 --epochs 3");
    let said = place.train("--hidden 6 --epochs 3 --plots pics");
    assert!(said.contains(&plain), "{said}");
    let line = said.lines().last().unwrap();
    let expected = "figures        pics: history.jsonl, curves.png, confusion.png, classes.png, mistakes.png, \
                    weights.png, samples.png, rotation.png, pca.png, pca.html";
    assert_eq!(line, expected);
    let files = line.split_once(": ").unwrap().1.split(", ");
    for file in files.clone().filter(|file| file.ends_with(".png")) {
        png(&place.read(&format!("pics/{file}")));
    }
    let history = String::from_utf8(place.read("pics/history.jsonl")).unwrap();
    let lines = json_lines(&history);
    assert_eq!(lines.len(), 4);
    assert!(lines[..3].iter().all(|epoch| epoch["train_accuracy"].as_f64().is_some()), "{history}");
    // Drawn again from the history, it is the same image; the folder's files are written over.
    place.ok("plot curves pics/history.jsonl -o again.png");
    assert!(place.read("again.png") == place.read("pics/curves.png"));
    let confusion = place.read("pics/confusion.png");
    assert_eq!(place.train("--hidden 6 --epochs 3 --plots pics --json").lines().count(), 5);
    assert!(place.read("pics/confusion.png") == confusion);
    let in_folder = std::fs::read_dir(place.path("pics")).unwrap().count();
    assert_eq!(in_folder, files.count());
}

#[test]
fn a_folder_for_images_that_cannot_be_written_is_known_before_training() {
    let place = Place::with_data();
    place.put("file", b"");
    place.fails(
        "train --data data --plots file",
        &["cannot write figures to file: it is no folder"],
    );
    place.fails("train --data data --plots no/such", &["no/such: there is no folder no"]);
    place.misused("train --data data --folds 3 --plots pics", &["--plots", "--folds"]);
    place.misused("train --data data --plots-format svg", &["--plots"]);
    place.misused("train --data data --plots p --plots-format html", &["expected png or svg"]);
}

#[test]
fn pca_is_a_page_that_needs_no_other_file_unless_a_image_is_asked_for() {
    let place = Place::with_data();
    let said = place.ok("plot pca --data data");
    assert!(said.starts_with("pca.html: 200 samples; the first three components hold "), "{said}");
    let page = String::from_utf8(place.read("pca.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<canvas"));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let (_, data) = page.split_once("class=\"cloud-data\">").unwrap();
    let data = &json_lines(data.split("</script>").next().unwrap())[0];
    assert_eq!(data["labels"].as_array().unwrap().len(), 200);
    assert_eq!(data["places"].as_array().unwrap().len(), 600);
    assert!(data["places"].as_array().unwrap().iter().all(|v| v.as_i64().unwrap().abs() <= 1000));
    place.ok("plot pca --data data --test --out test.html");
    let page = String::from_utf8(place.read("test.html")).unwrap();
    assert!(page.contains("60 samples"), "{page}");
}

#[test]
fn the_report_has_every_part_and_what_repeats_the_run() {
    let place = place();
    let said = place.ok("report model.pmlp --data data --history history.jsonl");
    assert!(said.starts_with("report.html: 10 parts, "), "{said}");
    let page = String::from_utf8(place.read("report.html")).unwrap();
    let parts = ["settings", "curves", "confusion", "classes", "mistakes", "weights", "samples"];
    for id in parts.iter().chain(&["rotation", "pca", "cloud"]) {
        assert_eq!(page.matches(&format!("<section id=\"{id}\">")).count(), 1, "{id}");
    }
    let repeat = place.json("inspect model.pmlp --json").pop().unwrap()["command"].clone();
    assert!(page.contains(repeat.as_str().unwrap()), "{repeat}");
    assert!(page.contains("prefers-color-scheme: dark"));
    // Nothing comes from outside; SVG's namespace is a name.
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"));
    assert_eq!(page.matches("<svg").count(), 8);
    place.ok("report model.pmlp --data data --history history.jsonl --threads 3 -o b.html");
    assert!(place.read("b.html") == page.as_bytes());
    place.ok("report model.pmlp --data data -o c.html");
    let page = String::from_utf8(place.read("c.html")).unwrap();
    assert!(page.contains("give --history") && page.matches("<svg").count() == 7);
}

#[test]
fn curves_have_a_line_for_each_fold() {
    let place = Place::with_data();
    let printed = place.train("--hidden 6 --epochs 2 --folds 3 --json");
    place.put("folds.jsonl", printed.as_bytes());
    place.ok("plot curves folds.jsonl -o a.svg");
    let svg = String::from_utf8(place.read("a.svg")).unwrap();
    assert!(svg.contains("2 epochs, 3 folds"), "{svg}");
}

#[test]
fn a_history_that_is_none_is_refused_by_its_line() {
    let place = Place::with_model();
    place.put("a.jsonl", b"{\"event\":\"start\"}\nepoch 1\n");
    let parts = ["a.jsonl: line 2 is not JSON, expected what `train --json` prints"];
    place.fails("plot curves a.jsonl", &parts);
    place.fails("report model.pmlp --data data --history a.jsonl", &parts);
    place.put("b.jsonl", b"{\"event\":\"start\"}\n");
    place.fails("plot curves b.jsonl", &["b.jsonl: no epoch in it"]);
    place.put("c.jsonl", b"\xff\xfe");
    place.fails("plot curves c.jsonl", &["cannot read c.jsonl"]);
    place.fails("plot curves none.jsonl", &["cannot read none.jsonl"]);
}

#[test]
fn what_does_not_go_together_is_refused_and_nothing_is_written() {
    let place = Place::with_model();
    for (line, parts) in [
        ("plot", &["Usage"] as &[&str]),
        ("plot tree model.pmlp", &["tree"]),
        ("plot weights", &["<MODEL>"]),
        (
            "plot weights model.pmlp -o a.gif",
            &["a.gif does not tell a format: expected .png or .svg"],
        ),
        ("plot pca --data data -o a", &["expected .png, .svg or .html"]),
        ("plot weights model.pmlp -o a.html", &["html is for pca alone"]),
        ("plot confusion model.pmlp --format html", &["html is for pca alone"]),
        ("plot weights model.pmlp --count 0", &["--count", "1..=1000"]),
        ("plot rotation model.pmlp --step 0", &["--step"]),
        ("plot samples --data data --count x", &["--count"]),
        ("plot samples model.pmlp", &["model.pmlp"]),
    ] {
        if line == "plot" {
            assert_eq!(place.run(line).code, 2);
        } else {
            place.misused(line, parts);
        }
    }
    place.put("other.csv", &kaggle(&[0, 1, 2, 255], Some(&[0]), 4));
    place.fails("plot confusion model.pmlp --data other.csv", &["other.csv"]);
    place.fails("plot rotation model.pmlp --data data --sample 60", &["--sample 60 of 60 samples"]);
    place.fails("plot weights none.pmlp", &["cannot read none.pmlp"]);
    place.fails("plot weights model.pmlp -o no/a.png", &["no/a.png: there is no folder no"]);
    place
        .fails("report model.pmlp --data data -o no/a.html", &["no/a.html: there is no folder no"]);
    let (images, labels) = bars_pixels(9, 1);
    place.put("train.csv", &kaggle(&images, Some(&labels), 64));
    place.fails("plot samples --data train.csv --test", &["train.csv has no test set"]);
    place.put("broken.pmlp", &place.read("model.pmlp")[..100]);
    place.fails("report broken.pmlp --data data", &["broken.pmlp"]);
}

#[test]
fn images_too_large_for_principal_components_are_told_so_and_left_out_of_a_report() {
    let place = Place::new();
    for class in ["a", "b"] {
        for sample in 0..4u8 {
            let name = format!("png/{class}/{sample}.png");
            place.put(&name, b"");
            let pixel =
                |i: usize| if i % 7 == usize::from(sample) { 200 } else { class.as_bytes()[0] };
            write_png(&place.path(&name), 50, &(0..2500).map(pixel).collect::<Vec<u8>>());
        }
    }
    place.fails("plot pca --data png", &["2500 pixels take too long, expected at most 2304"]);
    place.ok(
        "train --data png --hidden 2 --epochs 1 --test-split 2 --val-split 0 --quiet --plots pics",
    );
    place.ok("report model.pmlp --data png");
    let page = String::from_utf8(place.read("report.html")).unwrap();
    assert!(page.contains("Principal components are left out"), "{page}");
}

/// The sizes in the table of docs/plots.md.
fn documented_sizes() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plots.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("| | units | | units |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells: Vec<&str> = rows.flat_map(|row| row.trim_matches('|').split('|')).collect();
    let name = |cell: &str| cell.trim().split(',').next().unwrap().to_owned();
    cells.chunks_exact(2).map(|pair| (name(pair[0]), pair[1].trim().to_owned())).collect()
}

#[test]
fn images_of_ten_classes_have_the_sizes_that_are_documented() {
    use picomlp_fixtures::digits::{PIXELS, sample};
    let place = Place::new();
    let mut images = vec![0; 300 * PIXELS];
    let each = images.as_chunks_mut::<PIXELS>().0.iter_mut().zip(0..);
    let labels: Vec<u8> = each.map(|(image, at)| sample(at, 1, image)).collect();
    place.put("a.csv", &kaggle(&images, Some(&labels), PIXELS));
    // One step: most of the 150 are mistakes, more than a gallery shows.
    let line =
        "train --data a.csv --test-split 150 --max-steps 1 --quiet --plots p --plots-format svg";
    place.ok(line);
    // The axis of epochs has the same size whatever is on it.
    let sizes = documented_sizes();
    assert_eq!(sizes.len(), KINDS.len());
    for (kind, size) in sizes {
        let svg = String::from_utf8(place.read(&format!("p/{kind}.svg"))).unwrap();
        let (width, height) = svg_size(&svg);
        assert_eq!(format!("{width}×{height}"), size, "{kind}");
    }
}
