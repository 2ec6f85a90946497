//! Holds the int8 kernel of this processor to the portable and to the scalar one, and the logits of networks of many
//! widths to the host's.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::kernels::{
    INT8_DSP, INT8_PAIRS, Int8Row, Int8Weights, int8_forward, int8_forward_portable,
    int8_forward_scalar, int8_rows,
};
use picomlp_firmware::console::{exit, fail, print, print_hex_u64, print_u32};
use picomlp_tests::int8_run::{FEATURES, FINGERPRINTS, WIDTHS, logits_of, logits_of_features};

/// Bytes in an order without a pattern (Numerical Recipes' generator); three of four inputs are zero.
struct Bytes(u32);

impl Bytes {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 24) as u8
    }

    fn input(&mut self) -> u8 {
        if self.next() < 192 { 0 } else { self.next() }
    }
}

/// Whether the build must have the kernel for the DSP extension: unless it was built to be without.
const DSP: bool = option_env!("WITHOUT_DSP").is_none();

const MOST_ROWS: usize = 392 * 16;
const MOST_BLOCKS: usize = 16;

#[entry]
fn main() -> ! {
    if INT8_DSP != DSP {
        fail("built with the wrong kernel");
    }
    let mut compared = 0;
    for inputs in (1..=67).chain([128, 255, 256, 257, 784]) {
        for outputs in [1, 7, 8, 9, 10, 17, 128] {
            if !same(inputs, outputs) {
                print("the kernels differ at ");
                print_u32(inputs as u32);
                print(" inputs and outputs: ");
                print_u32(outputs as u32);
                fail("");
            }
            compared += 1;
        }
    }
    print("this build's, portable and scalar kernel agree at sizes: ");
    print_u32(compared);
    print("\n");
    for (outputs, expected) in WIDTHS.into_iter().zip(FINGERPRINTS) {
        let Ok(got) = logits_of(outputs) else { fail("a network was refused") };
        print("logits of ");
        print_u32(outputs as u32);
        print(" outputs: ");
        print_hex_u64(got);
        print("\n");
        if got != expected {
            fail("the host has others");
        }
    }
    let Ok(got) = logits_of_features() else { fail("a network of features was refused") };
    print("logits of features: ");
    print_hex_u64(got);
    print("\n");
    if got != FEATURES {
        fail("the host has others");
    }
    exit(0)
}

fn same(inputs: usize, outputs: usize) -> bool {
    let mut bytes = Bytes((1000 * inputs + outputs) as u32);
    let mut rows: [Int8Row; MOST_ROWS] = [[0; 4]; MOST_ROWS];
    let count = int8_rows(inputs, outputs).unwrap_or(0);
    let Some(rows) = rows.get_mut(..count) else { return false };
    for word in rows.as_flattened_mut() {
        *word = u32::from_le_bytes([bytes.next(), bytes.next(), bytes.next(), bytes.next()]);
    }
    let Some(weights) = Int8Weights::new(rows, inputs, outputs) else { return false };
    [true, false].into_iter().all(|sparse| {
        let mut x = [0; 784];
        let Some(x) = x.get_mut(..inputs) else { return false };
        x.iter_mut().for_each(|x| *x = if sparse { bytes.input() } else { bytes.next() | 1 });
        let begin = [[-3, i32::MAX, 0, i32::MIN, 5, 6, 7, 8]; MOST_BLOCKS];
        let mut work = [[0; 2]; INT8_PAIRS];
        let [mut fast, mut portable, mut scalar] = [begin; 3];
        int8_forward(x, weights, &mut fast, &mut work);
        int8_forward_portable(x, weights, &mut portable, &mut work);
        let blocks = outputs.div_ceil(8);
        int8_forward_scalar(x, weights, scalar.get_mut(..blocks).unwrap_or_default());
        fast == portable && fast == scalar
    })
}
