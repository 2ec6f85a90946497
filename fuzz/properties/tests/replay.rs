//! The committed corpus, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "these are helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use picomlp_fuzz_properties::TARGETS;

/// Bytes that all of the corpus may take.
const MOST: u64 = 300_000;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(target: &str) -> Vec<PathBuf> {
    let folder = fuzz_folder().join("corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_property_holds_for_its_corpus_and_takes_some_of_it() {
    let mut total = 0;
    for (name, property) in TARGETS {
        let files = files(name);
        let mut taken = 0;
        for file in &files {
            let bytes = fs::read(file).unwrap();
            total += bytes.len() as u64;
            println!("{}", file.display()); // the last one is the one that fails
            taken += usize::from(property(&bytes));
        }
        // A corpus that is always refused, or never, tests half of a reader.
        assert!(taken > 0, "{name}: nothing of {} files is taken", files.len());
    }
    assert!(total <= MOST, "the corpus takes {total} bytes, at most {MOST} are allowed");
}

#[test]
fn every_property_holds_for_no_input_at_all_and_for_a_byte() {
    for (_, property) in TARGETS {
        property(&[]);
        (0..=u8::MAX).for_each(|byte| _ = property(&[byte]));
    }
}

#[test]
fn every_property_has_a_fuzz_target_that_calls_it() {
    let folder = fuzz_folder().join("fuzz_targets");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), TARGETS.len());
    for (name, _) in TARGETS {
        let text = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        assert!(text.contains(&format!("picomlp_fuzz_properties::{name}(data)")), "{name}");
    }
}
