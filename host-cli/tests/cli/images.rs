//! `draw` and `predict`.

use std::io::Read;

use image::{DynamicImage, GrayImage, Luma};

use crate::util::{Place, crc32, write_png};

/// A model that reads digits of any size.
fn with_model() -> Place {
    let place = Place::with_digits();
    place.train("--hidden 6 --epochs 4 --lr 0.01 --quiet");
    place
}

#[test]
fn predict_shows_the_image_the_class_and_three_probabilities() {
    let place = with_model();
    place.ok("draw 1 --seed 4 -o one.png");
    let shown = place.ok("predict model.pmlp one.png");
    let lines: Vec<&str> = shown.lines().collect();
    let class = lines[0].strip_prefix("one.png: ").unwrap();
    assert!(class.parse::<u8>().unwrap() < 10, "{shown}");
    assert!(lines[1].starts_with('┌') && lines[lines.len() - 2].starts_with('└'), "{shown}");
    assert!(lines[2..lines.len() - 2].iter().all(|line| line.starts_with('│')), "{shown}");
    assert!(shown.contains('█'), "{shown}");
    let last = lines[lines.len() - 1];
    assert!(last.starts_with(&format!("  {class}: ")), "{shown}");
    assert_eq!(last.matches(" %").count(), 3, "{shown}");

    let quiet = place.ok("predict model.pmlp one.png --quiet");
    assert_eq!(quiet, format!("{}\n{last}\n", lines[0]));

    let json = place.json("predict model.pmlp one.png --json").pop().unwrap();
    assert_eq!((&json["event"], &json["file"]), (&"prediction".into(), &"one.png".into()));
    assert_eq!(json["class"], class);
    let top: Vec<f64> = (0..3).map(|i| json["top"][i]["probability"].as_f64().unwrap()).collect();
    assert!(top.is_sorted_by(|a, b| a >= b) && top.iter().sum::<f64>() <= 1.000_001, "{json}");
    assert!(json["top"].as_array().unwrap().len() == 3, "{json}");
}

#[test]
fn predict_takes_a_folder_of_images_in_the_order_of_their_names() {
    let place = with_model();
    std::fs::create_dir(place.path("some")).unwrap();
    for name in ["c.png", "a.PNG", "b.png"] {
        place.ok(&format!("draw 7 -o some/{name}"));
    }
    place.put("some/notes.txt", b"no image");
    place.ok("draw 2 -o z.png");
    let lines = place.json("predict model.pmlp z.png some --json");
    let files: Vec<_> = lines.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["z.png", "some/a.PNG", "some/b.png", "some/c.png"]);

    std::fs::create_dir(place.path("none")).unwrap();
    place.fails("predict model.pmlp none", &["none: no PNG or JPEG file in this folder"]);
}

#[test]
fn predict_reads_dark_on_light_and_light_on_dark_of_any_size_and_color_alike() {
    let place = with_model();
    let bar = |x: u32, y: u32| (40..52).contains(&x) && (20..90).contains(&y);
    let dark = GrayImage::from_fn(100, 120, |x, y| Luma([if bar(x, y) { 0 } else { 255 }]));
    let light = GrayImage::from_fn(100, 120, |x, y| Luma([if bar(x, y) { 255 } else { 0 }]));
    let dark = DynamicImage::from(dark);
    for (name, image) in [
        ("a.png", dark.clone()),
        ("b.png", light.into()),
        ("c.png", dark.to_rgb8().into()),
        ("d.png", dark.to_rgba8().into()),
        ("e.png", dark.to_luma16().into()),
        ("f.png", dark.to_rgba16().into()),
    ] {
        image.save(place.path(name)).unwrap();
    }
    let shown = place.ok("predict model.pmlp a.png b.png c.png d.png e.png f.png");
    let mut blocks: Vec<&str> = shown.split(".png: ").skip(1).collect();
    for block in &mut blocks {
        // Without the next file's name.
        *block = block.rsplit_once('%').unwrap().0;
    }
    assert_eq!(blocks.len(), 6, "{shown}");
    assert!(blocks.iter().all(|block| *block == blocks[0]), "{shown}");
}

#[test]
fn predict_names_the_image_that_it_cannot_read() {
    let place = with_model();
    place.ok("draw 5 -o good.png");
    let good = place.read("good.png");
    let blank = |name: &str, level: u8| write_png(&place.path(name), 28, &[level; 784]);
    blank("black.png", 0);
    blank("white.png", 255);
    blank("gray.png", 90);
    place.put("empty.png", b"");
    place.put("text.png", b"I am no image");
    place.put("gif.png", b"GIF89a\x01\0\x01\0");
    place.put("jpeg.png", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01");
    place.put("short.png", &good[..40]);
    place.put("half.png", &good[..good.len() / 2]);
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 0xff;
    place.put("damaged.png", &damaged);
    // A header that announces 10 Gpixel.
    let mut huge = good[..33].to_vec();
    huge[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
    let crc = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    huge.extend(&good[33..]);
    place.put("huge.png", &huge);
    for (name, part) in [
        ("black", "no ink found"),
        ("white", "no ink found"),
        ("gray", "no ink found"),
        ("empty", "is not a PNG or JPEG file: it is empty"),
        ("text", "is not a PNG or JPEG file: its first bytes"),
        ("gif", "it is a GIF image, expected a PNG or JPEG image: only PNG and JPEG"),
        ("jpeg", "the JPEG is damaged or cut short"),
        ("short", "the PNG is damaged or cut short"),
        ("half", "the PNG is damaged or cut short"),
        ("damaged", "the PNG is damaged or cut short"),
        ("huge", "is too large: 100000x100000"),
        ("missing", "No such file"),
    ] {
        let name = format!("{name}.png");
        place.fails(&format!("predict model.pmlp {name}"), &[&name, part]);
    }
}

#[test]
fn predict_survives_a_image_cut_short_or_changed_anywhere() {
    let place = with_model();
    place.ok("draw 5 -o good.png");
    let good = place.read("good.png");
    for at in (0..good.len()).step_by(3) {
        let mut changed = good.clone();
        changed[at] ^= 0x55;
        for bytes in [&good[..at], &changed] {
            place.put("bad.png", bytes);
            let ran = place.run("predict model.pmlp bad.png");
            match ran.code {
                0 => assert!(at > 40, "{at}: {ran:?}"),
                _ => ran.assert_failed(1, "picomlp: ", &["bad.png"]),
            }
        }
    }
}

/// A PNG with one chunk before its pixels, which are `lines`, compressed.
fn png_with(width: u32, height: u32, [depth, color]: [u8; 2], extra: &[u8], lines: u64) -> Vec<u8> {
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let body = [name, content].concat();
        [&(content.len() as u32).to_be_bytes()[..], &body, &crc32(&body).to_be_bytes()].concat()
    };
    let mut zeros = std::io::repeat(0).take(lines);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut zeros, &mut zlib).unwrap();
    let header =
        [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, color, 0, 0, 0]].concat();
    let data = chunk(b"IDAT", &zlib.finish().unwrap());
    let ends = [chunk(b"IHDR", &header), chunk(b"IEND", b"")];
    [b"\x89PNG\r\n\x1a\n", &ends[0][..], extra, &data, &ends[1]].concat()
}

#[cfg(target_os = "linux")]
#[test]
fn no_png_takes_more_than_a_hundred_megabytes_and_none_aborts_the_program() {
    let place = with_model();
    let announced = [&[0xff; 4][..], b"iCCP", &[7; 4 << 20]].concat();
    let rows: [(&str, Vec<u8>, &str); 5] = [
        ("profile", png_with(8, 8, [8, 0], &announced, 72), "the PNG is damaged or cut short"),
        // 64 Mpixel of 16-bit RGB: 384 MB decoded.
        ("large", png_with(8000, 8000, [16, 2], &[], 48_001 * 8000), "no ink found"),
        ("clear", png_with(8000, 4000, [16, 6], &[], 64_001 * 4000), "no ink found"),
        ("wide", png_with(65_535, 900, [16, 2], &[], 393_211 * 900), "no ink found"),
        // A pixel, and zeros without end after it.
        ("bomb", png_with(1, 1, [8, 0], &[], 1 << 30), "no ink found"),
    ];
    for (name, bytes, expected) in rows {
        assert!(bytes.len() < 5 << 20, "{name}: {}", bytes.len());
        place.put(&format!("{name}.png"), &bytes);
        let program = env!("CARGO_BIN_EXE_picomlp");
        // 120 MB of addresses, of which the program itself has its share.
        let line = format!("ulimit -v 120000; exec {program} predict model.pmlp {name}.png");
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", &line]).current_dir(place.path("")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(expected), "{name}: {output:?}");
    }
}

#[test]
fn draw_makes_the_same_image_from_the_same_seed_only() {
    let place = Place::new();
    let said = place.ok("draw 7 --seed 3 -o a.png");
    assert_eq!(said, "a.png: a 7 of 28×28 pixels, seed 3\n");
    place.ok("draw 7 --seed 3 --out b.png");
    place.ok("draw 7 --seed 4 --out c.png");
    place.ok("draw 6 --seed 3 --out d.png");
    let image = |name| image::open(place.path(name)).unwrap().into_luma8();
    assert_eq!(place.read("a.png"), place.read("b.png"));
    assert_ne!(image("a.png"), image("c.png"));
    assert_ne!(image("a.png"), image("d.png"));
    assert_eq!(image("a.png").dimensions(), (28, 28));
    assert_eq!(place.names(), ["a.png", "b.png", "c.png", "d.png"]);
}
