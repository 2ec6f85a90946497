//! `y += x·W` on u8 inputs and i8 weights.
//!
//! The pairs of inputs that are not both zero are listed once; then each block of eight outputs keeps its sums in
//! registers while it passes over the list. Sums of integers are exact, so every order of them gives the same.

use super::nonzeros::{Int8Work, Nonzeros, for_each_list};
use super::{INT8_BLOCK, Int8Weights};

#[cfg(picomlp_dsp)]
use crate::kernels::arm_int8_block::add_products;
#[cfg(not(picomlp_dsp))]
use add_products_portable as add_products;

/// Whether [`int8_forward`] uses the instructions of Arm's DSP extension here.
pub const INT8_DSP: bool = cfg!(picomlp_dsp);

/// Adds `Σᵢ x[i]·W[i]` to the sums of each block, wrapping around at 32 bits; zero inputs cost next to nothing.
///
/// # Shapes
///
/// `x: [inputs]`, `y: [padded_outputs / 8][8]`. Inputs and blocks that the weights do not have are passed over.
#[inline]
pub fn int8_forward(
    x: &[u8],
    weights: Int8Weights<'_>,
    y: &mut [[i32; INT8_BLOCK]],
    work: &mut Int8Work,
) {
    let x = x.get(..weights.inputs()).unwrap_or(x);
    for_each_list(x, work, |nonzeros| add_all(nonzeros, weights, y));
}

/// The products of the listed inputs with all blocks' weights.
#[inline(never)] // as `nonzeros::list`
fn add_all(nonzeros: &Nonzeros<'_>, weights: Int8Weights<'_>, y: &mut [[i32; INT8_BLOCK]]) {
    for (block, y) in weights.blocks().zip(y) {
        add_products(nonzeros, block, y);
    }
}

/// As [`int8_forward`], whatever instructions the processor has.
pub fn int8_forward_portable(
    x: &[u8],
    weights: Int8Weights<'_>,
    y: &mut [[i32; INT8_BLOCK]],
    work: &mut Int8Work,
) {
    let x = x.get(..weights.inputs()).unwrap_or(x);
    for_each_list(x, work, |nonzeros| {
        for (block, y) in weights.blocks().zip(&mut *y) {
            add_products_portable(nonzeros, block, y);
        }
    });
}

/// What [`int8_forward`] must give, one product at a time.
pub fn int8_forward_scalar(x: &[u8], weights: Int8Weights<'_>, y: &mut [[i32; INT8_BLOCK]]) {
    for (o, y) in y.as_flattened_mut().iter_mut().enumerate() {
        for (i, x) in x.iter().enumerate().take(weights.inputs()) {
            *y = y.wrapping_add(i32::from(*x) * weights.get(i, o));
        }
    }
}

/// The products of the listed inputs with a block's weights; none if the list is of a layer with more inputs.
#[inline]
fn add_products_portable(nonzeros: &Nonzeros<'_>, block: &[[u32; 4]], y: &mut [i32; INT8_BLOCK]) {
    use wide::{i16x8, i32x4};
    // Two outputs a lane, and the even one of them alone.
    let (mut both, mut even) = (i32x4::splat(0), i32x4::splat(0));
    let Some(block) = block.get(..nonzeros.pairs()) else { return };
    for (pair, x) in nonzeros.iter() {
        let Some(row) = block.get(pair) else { return };
        let x = i16x8::new(bytemuck::cast([x; 4]));
        let w = i16x8::new(bytemuck::cast(*row));
        both += w.dot(x);
        even += ((w << 8_u32) >> 8_u32).dot(x);
    }
    let (both, even) = (both.to_array(), even.to_array());
    let sums = both.iter().zip(even).flat_map(|(both, even)| [even, both.wrapping_sub(even) >> 8]);
    for (y, sum) in y.iter_mut().zip(sums) {
        *y = y.wrapping_add(sum);
    }
}
