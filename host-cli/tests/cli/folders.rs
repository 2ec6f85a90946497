//! Folders of PNG files by class.

use crate::util::{
    Place, TEST, TEST_IMAGES, TEST_LABELS, TRAIN, bars_pixels, field, idx, write_png,
};

/// Writes bars into `folder/<class>/`, named so that their order within a class is that of the set.
fn put_bars(place: &Place, folder: &str, count: usize, seed: u64, names: [&str; 4]) {
    let (images, labels) = bars_pixels(count, seed);
    for (i, (image, label)) in images.chunks_exact(64).zip(labels).enumerate() {
        let name = format!("{folder}/{}/{i:04}.png", names[usize::from(label)]);
        place.put(&name, b"");
        write_png(&place.path(&name), 8, image);
    }
}

const NUMBERS: [&str; 4] = ["0", "1", "2", "3"];
const WORDS: [&str; 4] = ["flat", "upright", "falling", "rising"];

fn place(names: [&str; 4]) -> Place {
    let place = Place::new();
    put_bars(&place, "png/train", TRAIN, 1, names);
    put_bars(&place, "png/test", TEST, 2, names);
    place
}

#[test]
fn a_folder_of_png_files_is_trained_on_and_measured() {
    let place = place(NUMBERS);
    place.put("png/train/0/.hidden", b"");
    place.put("png/train/0/._0001.png", b"");
    place.put("png/train/__MACOSX/._0", b"");
    place.put("png/train/0/notes.txt", b"");
    let lines = place.json("train --data png --hidden 6 --epochs 3 --json");
    assert_eq!((&lines[0]["network"], &lines[0]["test_samples"]), (&"64-6-4".into(), &TEST.into()));
    let notes = &lines[0]["data_notes"];
    let expected = "png/train: 200 images of 8×8 in 4 class folders; files ignored, as they are not PNG or JPEG: 1";
    assert_eq!(notes[0], expected);
    let done = lines.last().unwrap();
    let eval = place.json("eval model.pmlp --data png --json").pop().unwrap();
    for name in ["test_accuracy", "test_loss", "fingerprint"] {
        assert_eq!(eval[name], done[name], "{name}");
    }
    // The test folder alone, and the same images from IDX files: the order plays no part in the accuracy.
    place.put_bars("idx", TRAIN);
    for data in ["png/test", "idx"] {
        let other = place.json(&format!("eval model.pmlp --data {data} --json")).pop().unwrap();
        assert_eq!(other["test_accuracy"], eval["test_accuracy"], "{data}");
    }
    // The other names for the parts.
    std::fs::rename(place.path("png/train"), place.path("png/training")).unwrap();
    std::fs::rename(place.path("png/test"), place.path("png/testing")).unwrap();
    let again = place.json("train --data png --hidden 6 --epochs 3 --json").pop().unwrap();
    assert_eq!(again["fingerprint"], done["fingerprint"]);
}

#[test]
fn classes_have_the_names_of_their_folders() {
    let place = place(WORDS);
    place.ok("train --data png --hidden 6 --epochs 3 --quiet");
    assert!(place.ok("inspect model.pmlp").contains("classes        falling flat rising upright"));
    let before = place.json("eval model.pmlp --data png --json").pop().unwrap();
    // A test set that lacks a class leaves the others' labels as they are.
    std::fs::remove_dir_all(place.path("png/test/falling")).unwrap();
    let eval = place.json("eval model.pmlp --data png --json").pop().unwrap();
    assert_eq!(eval["confusion"][0], serde_json::json!([0, 0, 0, 0]));
    for class in 1..4 {
        assert_eq!(eval["confusion"][class], before["confusion"][class]);
    }
    // The numbers of an IDX file are no names of these classes.
    place.put_bars("idx", TRAIN);
    place.fails(
        "eval model.pmlp --data idx",
        &["idx: the model has no class `0`", "one of falling"],
    );
    // A CSV file may name the classes, too.
    let (images, _) = bars_pixels(1, 2);
    let pixels: Vec<String> = images.iter().map(u8::to_string).collect();
    for (label, ends) in [("flat", true), ("steep", false)] {
        let names = (0..64).map(|i| format!(",p{i}")).collect::<String>();
        let text = format!("label{names}\n{label},{}\n", pixels.join(","));
        place.put("one.csv", text.as_bytes());
        if ends {
            let eval = place.json("eval model.pmlp --data one.csv --json").pop().unwrap();
            let row: Vec<u32> = serde_json::from_value(eval["confusion"][1].clone()).unwrap();
            assert_eq!(row.iter().sum::<u32>(), 1);
        } else {
            let parts = [
                "line 2, column 1 (`label`)",
                "one of falling, flat, rising, upright, got `steep`",
            ];
            place.fails("eval model.pmlp --data one.csv", &parts);
        }
    }
}

#[test]
fn class_folders_without_a_test_set_are_split_and_numbers_are_in_their_order() {
    let place = Place::new();
    put_bars(&place, "png", TRAIN, 1, ["9", "10", "2", "11"]);
    let text = place.ok("train --data png --hidden 6 --epochs 1 --test-split 40 --stratified");
    assert!(text.contains("144 training, 16 validation, 40 test samples"), "{text}");
    assert!(place.ok("inspect model.pmlp").contains("classes        2 9 10 11"));
    // A label is the name of a class, not its place.
    place.put(&format!("idx/{TEST_IMAGES}"), &idx(&[2, 8, 8], &bars_pixels(2, 1).0));
    place.put(&format!("idx/{TEST_LABELS}"), &idx(&[2], &[9, 10]));
    let eval = place.json("eval model.pmlp --data idx --json").pop().unwrap();
    let rows: Vec<Vec<u32>> = serde_json::from_value(eval["confusion"].clone()).unwrap();
    let samples: Vec<u32> = rows.iter().map(|row| row.iter().sum()).collect();
    assert_eq!(samples, [0, 1, 1, 0]);
}

#[test]
fn images_of_any_size_are_brought_into_one_form_where_that_is_asked_for() {
    let place = Place::new();
    for (class, side) in [("1", 40), ("1", 50), ("7", 60), ("7", 30)] {
        for seed in 1..4 {
            let name = format!("png/{class}/{side}-{seed}.png");
            place.put(&name, b"");
            place.ok(&format!("draw {class} --seed {seed} -o {name}"));
            let small = image::open(place.path(&name)).unwrap().into_luma8();
            let large = image::GrayImage::from_fn(side, side, |x, y| {
                *small.get_pixel(x * 28 / side, y * 28 / side)
            });
            large.save(place.path(&name)).unwrap();
        }
    }
    let line = "train --data png --hidden 4 --epochs 1 --test-split 4 --stratified";
    place.fails(
        line,
        &["png/1/50-1.png: the image is 50x50", "expected 40x40 as png/1/40-1.png", "--normalize"],
    );
    let text = place.ok(&format!("{line} --normalize"));
    assert!(
        text.contains("12 images of 28×28 in 2 class folders, brought into MNIST's form"),
        "{text}"
    );
    let text = place.ok(&format!("{line} --normalize --image-shape 12x12"));
    assert!(field(&text, "network").starts_with("144-4-2"), "{text}");
    place.ok("predict model.pmlp png/1/50-1.png");
    place.ok("eval model.pmlp --data png --normalize");
}

#[test]
fn what_is_wrong_with_a_folder_is_said() {
    let place = place(NUMBERS);
    let put_back = || put_bars(&place, "png/train", 8, 1, NUMBERS);
    let fails = |parts: &[&str]| {
        place.fails("train --data png --epochs 1", parts);
    };

    write_png(&place.path("png/train/2/0002.png"), 9, &[0; 81]);
    fails(&[
        "png/train/2/0002.png: the image is 9x9 (rows x columns), expected 8x8 as png/train/0/0000.png",
        "--normalize",
    ]);
    place.put("png/train/2/0002.png", b"\x89PNG\r\n\x1a\n and no more");
    fails(&["cannot decode png/train/2/0002.png: the PNG is damaged or cut short"]);
    place.put("png/train/2/0002.png", b"no image");
    fails(&["png/train/2/0002.png is not a PNG or JPEG file"]);
    put_back();

    write_png(&place.path("png/test/2/0002.png"), 9, &[0; 81]);
    fails(&["png/test/2/0002.png: the image is 9x9", "expected 8x8 as the set's shape"]);
    put_bars(&place, "png/test", 8, 2, NUMBERS);

    std::fs::create_dir(place.path("png/train/4")).unwrap();
    fails(&["the class folder png/train/4 has no PNG or JPEG file: it is empty"]);
    place.put("png/train/4/a.gif", b"");
    fails(&["the class folder png/train/4 has no PNG or JPEG file: it has png/train/4/a.gif"]);
    std::fs::remove_dir_all(place.path("png/train/4")).unwrap();

    std::fs::rename(place.path("png/test/3"), place.path("png/test/4")).unwrap();
    fails(&["png/test/4: the training data has no class `4`, expected 0 to 3"]);
    std::fs::rename(place.path("png/test/4"), place.path("png/test/3")).unwrap();

    place.put_bars("idx", 20);
    let line = "train --data idx --test-data png --epochs 1";
    place.ok(line);
    place.fails("eval model.pmlp --data png/train/0", &["did you mean png/train?"]);
    std::fs::rename(place.path("png/train"), place.path("png/other")).unwrap();
    fails(&["the folder png has test images but no folder `train`"]);
    std::fs::remove_dir_all(place.path("png/test")).unwrap();
    place.ok("train --data png --epochs 1 --hidden 2"); // found in `other`
    (1..4).for_each(|class| {
        std::fs::remove_dir_all(place.path(&format!("png/other/{class}"))).unwrap()
    });
    fails(&["the folder png/other has 1 folders, expected one for each of 2 to 256 classes"]);
}
