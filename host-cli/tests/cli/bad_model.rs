//! Model files that are none, or damaged: the first check that fails is named, whatever the command.

use crate::util::{Place, crc32, write_png};

/// Bytes of the header, and where things stand in it (docs/blob-format.md).
const HEADER: usize = 64;
const VERSION: usize = 8;
const LAYERS: usize = 10;
const TOTAL_LEN: usize = 12;
const SECTIONS: usize = 16;
const PAYLOAD_CRC: usize = 20;
const FINGERPRINT: usize = 32;
const HEADER_CRC: usize = 60;

/// Rows of the two tables: three layers and seven sections.
const TABLES: usize = 16 * (3 + 7);

/// Every command that reads a model.
const READERS: [&str; 3] =
    ["inspect bad.pmlp", "eval bad.pmlp --data data", "predict bad.pmlp a.png"];

/// A folder with a model, data and an image, and the model's bytes.
fn model() -> (Place, Vec<u8>) {
    let place = Place::with_model();
    write_png(&place.path("a.png"), 8, &[9; 64]);
    let bytes = place.read("model.pmlp");
    assert_eq!(bytes[SECTIONS], 7, "the tables are not as long as these tests think");
    (place, bytes)
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Makes both checksums right.
fn seal(bytes: &mut [u8]) {
    let payload = crc32(&bytes[HEADER..]);
    put_u32(bytes, PAYLOAD_CRC, payload);
    let header = crc32(&bytes[..HEADER_CRC]);
    put_u32(bytes, HEADER_CRC, header);
}

/// The model with a change that the checksums do not show.
fn sealed(good: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = good.to_vec();
    change(&mut bytes);
    seal(&mut bytes);
    bytes
}

#[test]
fn the_tests_own_checksums_are_those_of_the_format() {
    let (_place, good) = model();
    assert_eq!(sealed(&good, |_| {}), good);
}

#[test]
fn every_command_says_what_is_wrong_with_a_model() {
    let (place, good) = model();
    let len = good.len();
    let png = place.read("a.png");
    let cut = |len: usize| good[..len].to_vec();
    let is_cut = |at: usize| format!("cut short: its header says {len} bytes, there are {at}");
    for (what, bytes, part) in [
        ("erased", vec![0xff; len], "is erased (all 0xFF)".to_owned()),
        ("erased and short", vec![0xff; 7], "is erased (all 0xFF)".to_owned()),
        ("zeroed", vec![0; len], "is zeroed (all 0x00)".to_owned()),
        ("empty", vec![], "0 bytes are too few for a model: its header alone takes 64".to_owned()),
        ("one byte", cut(1), "1 bytes are too few".to_owned()),
        ("a byte less than the header", cut(63), "63 bytes are too few".to_owned()),
        ("header only", cut(64), is_cut(64)),
        ("half", cut(len / 2), is_cut(len / 2)),
        ("without its last byte", cut(len - 1), is_cut(len - 1)),
        (
            "with one byte more",
            [&good[..], &[0]].concat(),
            format!("the model ends after {len} bytes, but the file goes on"),
        ),
        (
            "from a newer version",
            sealed(&good, |bytes| bytes[VERSION] = 3),
            "the model has format version 3, this program reads up to 2: use a newer picomlp"
                .to_owned(),
        ),
        (
            "from a newer version, header of another form",
            sealed(&good, |bytes| {
                bytes[VERSION..VERSION + 2].fill(0xff);
                bytes[LAYERS..HEADER_CRC].fill(0xee);
                bytes[HEADER..].fill(0xdd);
            }),
            "format version 65535".to_owned(),
        ),
        ("an image", png, "not a picomlp model: it is a PNG image, expected".to_owned()),
        ("a text", vec![b'x'; 1000], "not a picomlp model".to_owned()),
        (
            "a text's line ends",
            good.iter()
                .flat_map(|b| if *b == b'\n' { vec![b'\r', b'\n'] } else { vec![*b] })
                .collect(),
            "not a picomlp model".to_owned(),
        ),
    ] {
        println!("{what}");
        place.put("bad.pmlp", &bytes);
        for line in READERS {
            place.fails(line, &["bad.pmlp: ", &part]);
        }
    }
}

#[test]
fn every_command_says_that_there_is_no_model() {
    let (place, _) = model();
    for line in READERS {
        place.fails(line, &["cannot read bad.pmlp", "No such file"]);
    }
    std::fs::create_dir(place.path("bad.pmlp")).unwrap();
    for line in READERS {
        place.fails(line, &["cannot read bad.pmlp", "it is a folder, expected a file"]);
    }
}

#[test]
fn a_model_cut_short_anywhere_is_refused() {
    let (place, good) = model();
    let len = good.len();
    let tables_end = HEADER + TABLES;
    for cut in (0..tables_end).step_by(3).chain((tables_end..len).step_by(61)).chain(len - 3..len) {
        place.put("bad.pmlp", &good[..cut]);
        let part =
            if cut < HEADER { format!("{cut} bytes are too few") } else { "cut short".to_owned() };
        place.fails(READERS[cut % 3], &["bad.pmlp: ", &part, &format!("{cut}")]);
    }
}

#[test]
fn a_model_with_any_header_byte_changed_is_refused() {
    let (place, good) = model();
    for at in 0..HEADER {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= change;
            place.put("bad.pmlp", &bytes);
            let part = if at < VERSION { "not a picomlp model" } else { "header is damaged" };
            place.fails(READERS[at % 3], &["bad.pmlp: ", part]);
        }
    }
}

#[test]
fn a_model_with_a_payload_bit_flipped_is_refused() {
    let (place, good) = model();
    let last = good.len() - 1;
    for at in (HEADER..good.len()).step_by(23).chain([last]) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        place.put("bad.pmlp", &bytes);
        place.fails(READERS[at % 3], &["bad.pmlp: ", "the model's payload is damaged"]);
    }
}

#[test]
fn a_model_with_right_checksums_and_no_meaning_is_refused() {
    let (place, good) = model();
    let row = |row: usize| HEADER + 16 * row;
    for (what, at, value, part) in [
        ("too short", TOTAL_LEN, 10, "its length is below the header's"),
        ("no layers", LAYERS, u32::from_le_bytes([0, 0, good[12], good[13]]), "malformed"),
        ("too many sections", SECTIONS, 0xffff, "its tables reach past its end"),
        ("a layer of no kind", row(0), 99, "a layer of an unknown kind"),
        ("a layer of 65 inputs", row(0) + 4, 65, "its parameters are not those of its layers"),
        ("a layer of 7 outputs", row(0) + 8, 7, "its layers do not fit together"),
        ("a layer of no outputs", row(2) + 8, 0, "its layers do not fit together"),
        ("a relu that widens", row(1) + 8, 7, "an activation or a normalisation changes its width"),
        ("a section far away", row(3) + 4, 0xffff_fff0, "a section lies outside it"),
        ("a section too long", row(3) + 8, 0xffff_ffff, "a section lies outside it"),
        ("a section askew", row(3) + 4, row(10) as u32 + 1, "at a multiple of 16"),
    ] {
        println!("{what}");
        place.put("bad.pmlp", &sealed(&good, |bytes| put_u32(bytes, at, value)));
        for line in READERS {
            place.fails(line, &["bad.pmlp: ", part]);
        }
    }
}

#[test]
fn a_model_with_any_table_entry_changed_never_brings_a_command_down() {
    let (place, good) = model();
    for at in (HEADER..HEADER + TABLES).step_by(4) {
        for (value, line) in
            [0, 1, 0x10_0000, 0x7fff_ffff, u32::MAX].iter().zip(READERS.iter().cycle().skip(at / 4))
        {
            place.put("bad.pmlp", &sealed(&good, |bytes| put_u32(bytes, at, *value)));
            // Some entries may be changed: a section that nobody asks for, or a zero that was one.
            let ran = place.run(line);
            if ran.code != 0 {
                ran.assert_failed(1, "picomlp: ", &["bad.pmlp"]);
            }
        }
    }
}

#[test]
fn parameters_that_are_not_finite_or_not_those_of_fingerprint_or_self_test_are_found() {
    let (place, good) = model();
    let row = (3..10).map(|row| HEADER + 16 * row).find(|row| good[*row] == 1).unwrap();
    let params = u32::from_le_bytes(good[row + 4..row + 8].try_into().unwrap()) as usize;
    let len = u32::from_le_bytes(good[row + 8..row + 12].try_into().unwrap()) as usize;
    // The last bias: it changes a logit of every sample.
    let last = params + len - 4..params + len;
    for value in [f32::INFINITY, f32::NAN] {
        let mut bytes = good.clone();
        bytes[last.clone()].copy_from_slice(&value.to_le_bytes());
        seal(&mut bytes);
        place.put("bad.pmlp", &bytes);
        for line in READERS {
            place.fails(line, &["bad.pmlp: parameter ", "expected a finite number"]);
        }
    }
    {
        let mut bytes = good.clone();
        bytes[last].copy_from_slice(&1000.0_f32.to_le_bytes());
        seal(&mut bytes);
        place.put("bad.pmlp", &bytes);
        place.fails(READERS[0], &["bad.pmlp: ", "fingerprint is ", "its header says "]);
        let hash =
            bytes[params..params + len].iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        bytes[FINGERPRINT..FINGERPRINT + 8].copy_from_slice(&hash.to_le_bytes());
        seal(&mut bytes);
        place.put("bad.pmlp", &bytes);
        place.fails(READERS[0], &["bad.pmlp: ", "self-test"]);
        // No other command needs what is wrong here; none may fall over it.
        for line in &READERS[1..] {
            place.run(line);
        }
    }
}

#[test]
fn a_width_that_no_parameters_back_is_refused_by_all_commands() {
    let (place, good) = model();
    // A header and one ReLU of width 2³²-1, and nothing else.
    let mut bytes = good[..96].to_vec();
    put_u32(&mut bytes, VERSION, 2 | 1 << 16);
    put_u32(&mut bytes, TOTAL_LEN, 96);
    put_u32(&mut bytes, SECTIONS, 0);
    for (field, word) in [2, u32::MAX, u32::MAX, 0].into_iter().enumerate() {
        put_u32(&mut bytes, HEADER + 4 * field, word);
    }
    seal(&mut bytes);
    place.put("bad.pmlp", &bytes);
    let others = [
        "plot weights bad.pmlp",
        "report bad.pmlp --data data",
        "quantize bad.pmlp --data data -o small.pmlp",
        "verify bad.pmlp --data data --device false",
    ];
    for line in READERS.iter().chain(&others) {
        place.fails(line, &["bad.pmlp: ", "none of its layers has parameters"]);
    }
}

#[test]
fn a_model_that_does_not_fit_the_data_is_refused() {
    let place = Place::with_model();
    // Images of another size, of four classes as the model's.
    let (images, labels) = ([9; 30 * 49], [3; 30]);
    place.put("large/t10k-images-idx3-ubyte", &crate::util::idx(&[30, 7, 7], &images));
    place.put("large/t10k-labels-idx1-ubyte", &crate::util::idx(&[30], &labels));
    place.fails(
        "eval model.pmlp --data large",
        &["model.pmlp reads 64 values", "samples have 7×7 = 49"],
    );
    // Ten classes, where the model knows four.
    place.fails("eval model.pmlp", &["synthetic data has 10 classes", "the model tells 4 apart"]);
    place.train("--hidden 3 --epochs 1 --quiet --out other.pmlp");
    place.ok("eval other.pmlp --data data");
}

#[test]
fn a_image_given_as_the_model_and_a_model_given_as_the_image_are_told_apart() {
    let place = Place::with_model();
    write_png(&place.path("a.png"), 8, &[0; 64]);
    place.fails("predict a.png model.pmlp", &["a.png: not a picomlp model"]);
    place.fails("predict model.pmlp model.pmlp", &["model.pmlp is not a PNG or JPEG file"]);
    place.fails("eval a.png --data data", &["a.png: not a picomlp model"]);
}
