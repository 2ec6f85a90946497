//! `int8_forward` against its scalar twin.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::kernels::testing::{Case, cases};

/// Weights of any bytes, those that no quantizer writes among them.
fn rows(case: &Case, bytes: impl Fn(usize) -> u8) -> Vec<Int8Row> {
    let count = int8_rows(case.inputs, case.outputs).unwrap();
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes(4 * at + byte)));
    (0..count).map(|row| [0, 1, 2, 3].map(|k| word(4 * row + k))).collect()
}

fn assert_same(case: &Case, rows: &[Int8Row], x: &[u8]) {
    let weights = Int8Weights::new(rows, case.inputs, case.outputs).unwrap();
    let blocks = case.outputs.div_ceil(INT8_BLOCK);
    let begin: Vec<[i32; 8]> =
        (0..blocks).map(|b| [i32::MAX, i32::MIN, -1, 0, 1, 77, b as i32, -8]).collect();
    let mut expected = begin.clone();
    int8_forward_scalar(x, weights, &mut expected);
    let mut work = [[u32::MAX; 2]; INT8_PAIRS];
    let (mut fast, mut portable) = (begin.clone(), begin);
    int8_forward(x, weights, &mut fast, &mut work);
    int8_forward_portable(x, weights, &mut portable, &mut work);
    assert!(fast == expected, "{case:?}: {fast:?} is not {expected:?}");
    assert!(portable == expected, "{case:?}: {portable:?} is not {expected:?}");
}

#[test]
fn int8_forward_equals_scalar_at_every_size() {
    for case in cases() {
        let random: Vec<u8> = case.values(997, 5).iter().map(|v| v.to_bits() as u8).collect();
        let rows = rows(&case, |at| random[at % 997]);
        let (pixels, full) = (case.pixels(), case.full_pixels());
        for x in pixels.chunks(case.inputs).chain(full.chunks(case.inputs)).take(7) {
            assert_same(&case, &rows, x);
        }
        assert_same(&case, &rows, &vec![0; case.inputs]);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many values for an interpreter")]
fn int8_forward_equals_scalar_at_the_largest_sums() {
    for inputs in [255, 256, 257, 784, 2000] {
        let case = Case { batch: 1, inputs, outputs: 9 };
        let x = vec![255; inputs];
        for byte in [0x7f, 0x80, 0x81, 0xff] {
            assert_same(&case, &rows(&case, |_| byte), &x);
            assert_same(&case, &rows(&case, |at| if at % 2 == 0 { byte } else { 0x7f }), &x);
            assert_same(&case, &rows(&case, |at| if at % 2 == 0 { 0x7f } else { byte }), &x);
        }
    }
}

#[test]
fn inputs_and_outputs_of_other_lengths_are_passed_over() {
    let case = Case { batch: 1, inputs: 6, outputs: 8 };
    let rows = rows(&case, |at| at as u8);
    let weights = Int8Weights::new(&rows, 6, 8).unwrap();
    let mut work = [[0; 2]; INT8_PAIRS];
    let (mut short, mut long) = ([[0; 8]; 1], [[0; 8]; 2]);
    int8_forward(&[1, 2, 3, 4, 5, 6, 7, 8], weights, &mut long, &mut work);
    int8_forward(&[1, 2, 3, 4, 5, 6], weights, &mut short, &mut work);
    assert_eq!(long, [short[0], [0; 8]]);
    int8_forward(&[1, 2, 3], weights, &mut short, &mut work);
    int8_forward(&[1, 2, 3, 0, 0, 0], weights, &mut long, &mut work);
    assert_eq!(short, [long[0]]);
}
