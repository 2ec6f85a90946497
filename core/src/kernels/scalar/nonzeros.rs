//! The nonzero inputs of a sample as one short list, for processors without vector registers.
//!
//! There a mask of zeros is no cheaper to make than a list, and a list is cheaper to walk: once for each block of
//! outputs. A list holds 64 inputs; a sample with more is worked off list by list, which changes no sum's order.

use crate::kernels::Element;

/// Most inputs on a list: 512 bytes of stack. MNIST's pictures, 150 nonzero pixels in the mean, make three lists.
pub(crate) const LEN: usize = 52;

/// Entries are handed to the kernels in whole groups of this many.
const GROUP: usize = 4;

/// Some rows of a matrix and what each is multiplied with, in ascending order.
///
/// Every row is below the number of rows that the matrix has: the kernels in `arm/` rely on it.
#[derive(Clone, Debug)]
pub struct Nonzeros {
    rows: u32,
    len: usize,
    indices: [u32; LEN],
    values: [f32; LEN],
}

impl Nonzeros {
    /// An empty list for a matrix of `rows` rows.
    #[inline]
    pub(crate) fn new(rows: usize) -> Self {
        let mut list = Self { rows: 0, len: 0, indices: [0; LEN], values: [0.0; LEN] };
        list.set_rows(rows);
        list
    }

    /// Says of how many rows the matrix is.
    #[inline]
    pub(crate) fn set_rows(&mut self, rows: usize) {
        self.rows = u32::try_from(rows).unwrap_or(u32::MAX);
    }

    /// Appends a row if there is room; a row that does not exist is left out.
    #[inline(always)]
    pub(crate) fn push(&mut self, row: u32, value: f32) {
        let (index, to) = (self.indices.get_mut(self.len), self.values.get_mut(self.len));
        if let (Some(index), Some(to), true) = (index, to, row < self.rows) {
            (*index, *to) = (row, value);
            self.len += 1;
        }
    }

    /// Whether fewer than [`GROUP`] more will go in.
    #[inline(always)]
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.len > LEN - GROUP
    }

    /// Whether no row is on the list.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes all rows off the list.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Rows that the matrix has.
    #[cfg(any(test, picomlp_cortex_m))]
    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The rows and their values, filled up to a multiple of four with row 0 and the value `+0.0`: a product that
    /// changes no sum. Empty if there is no row.
    #[cfg(any(test, picomlp_cortex_m))]
    #[inline(always)]
    pub(crate) fn groups(&mut self) -> (&[u32], &[f32]) {
        let whole = self.len.next_multiple_of(GROUP);
        if let (Some(indices), Some(values)) =
            (self.indices.get_mut(self.len..whole), self.values.get_mut(self.len..whole))
        {
            indices.fill(0);
            values.fill(0.0);
        }
        let (indices, values) = (self.indices.get(..whole), self.values.get(..whole));
        (indices.unwrap_or_default(), values.unwrap_or_default())
    }

    /// The rows and their values, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let pairs = self.indices.iter().zip(&self.values).take(self.len);
        pairs.map(|(index, value)| (*index as usize, *value))
    }
}

/// [`Element::list`], with `LOOK` inputs compared with zero at once.
#[inline(always)] // into `Element::list`
pub(crate) fn fill<T: Element, const LOOK: usize>(
    sample: &[T],
    scale: f32,
    first: usize,
    list: &mut Nonzeros,
) -> usize {
    let (mut groups, rest) = sample.get(first..).unwrap_or_default().as_chunks::<LOOK>();
    // The last values, fewer than a group, are filled up with zeros, which are on no list.
    let mut last = [[T::default(); LOOK]];
    last.as_flattened_mut().iter_mut().zip(rest).for_each(|(to, value)| *to = *value);
    let mut tail = last.get(..usize::from(!rest.is_empty()));
    let (mut at, mut len) = (first, 0);
    loop {
        let Some((group, others)) = groups.split_first() else {
            let Some(last) = tail.take() else { break };
            groups = last;
            continue;
        };
        groups = others;
        if !T::all_zero(group) {
            if len > LEN - LOOK {
                break;
            }
            for (i, value) in group.iter().enumerate() {
                if !T::all_zero(&[*value]) {
                    if let (Some(index), Some(to)) =
                        (list.indices.get_mut(len), list.values.get_mut(len))
                    {
                        (*index, *to) = ((at + i) as u32, value.to_f32() * scale);
                    }
                    len += 1;
                }
            }
        }
        at += LOOK;
    }
    // Whatever list this was: its rows are now this sample's inputs, and all are below their number.
    list.set_rows(sample.len());
    list.len = len;
    at.min(sample.len())
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn lists_hold_every_nonzero_input_once_in_order_and_tell_of_all_inputs() {
        for len in 0..=210 {
            for zeros in [0, 128, 255] {
                let mut pixels = vec![0; len];
                picomlp_fixtures::sparse_pixels(&mut pixels, len as u64, zeros);
                let (mut listed, mut told) = (vec![], 0);
                let mut list = Nonzeros::new(len);
                while told < len {
                    let next = u8::list(&pixels, 0.5, told, &mut list);
                    assert!(list.iter().all(|(row, _)| (told..next).contains(&row)));
                    listed.extend(list.iter());
                    told = next;
                }
                let nonzero = pixels.iter().enumerate().filter(|(_, pixel)| **pixel != 0);
                let expected: Vec<_> = nonzero.map(|(i, p)| (i, f32::from(*p) * 0.5)).collect();
                assert_eq!((listed, told), (expected, len));
            }
        }
    }

    #[test]
    fn groups_are_filled_up_with_products_that_change_nothing() {
        let mut list = Nonzeros::new(10);
        assert_eq!(list.groups(), (&[][..], &[][..]));
        for row in [3, 10, 4, 5, 8, 9] {
            list.push(row, 2.0); // there is no row 10
        }
        let (rows, values) = list.groups();
        assert_eq!(rows, [3, 4, 5, 8, 9, 0, 0, 0]);
        assert_eq!(values, [2.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0]);
        assert_eq!((list.rows(), list.iter().count()), (10, 5));
    }
}
