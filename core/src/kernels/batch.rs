//! Samples as the kernels see them: rows of one matrix, in order or picked by index.

use core::num::NonZeroUsize;

use super::{Element, InputMap};
use crate::Error;

/// Some samples of one width: rows `[len][width]`, or rows picked by index out of a larger set.
///
/// Picking moves indices, never pixels: a shuffled epoch reads the data set where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    data: &'a [T],
    /// Not 0, so that dividing by it cannot panic.
    width: NonZeroUsize,
    order: Option<&'a [u32]>,
    map: InputMap,
}

impl<'a, T: Element> Batch<'a, T> {
    /// All rows of `data`, shape `[len][width]`.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] if `data` is not a whole number of rows, [`Error::ZeroSize`] if `width` is 0.
    pub fn rows(data: &'a [T], width: usize) -> Result<Self, Error> {
        let Some(width) = NonZeroUsize::new(width) else {
            return Err(Error::ZeroSize { what: "width" });
        };
        let got = data.len();
        if got % width != 0 {
            let expected = got - got % width + width.get();
            return Err(Error::BufferLength { what: "data", expected, got });
        }
        Ok(Self { data, width, order: None, map: T::MAP })
    }

    /// The rows of `data` (shape `[any][width]`) that `order` names, in its order.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`Error::SampleOutOfRange`] if `order` names a row that is not there.
    pub fn gather(data: &'a [T], width: usize, order: &'a [u32]) -> Result<Self, Error> {
        let all = Self::rows(data, width)?;
        let samples = all.len();
        match order.iter().find(|&&sample| sample as usize >= samples) {
            Some(&sample) => Err(Error::SampleOutOfRange { sample: sample as usize, samples }),
            None => Ok(Self { order: Some(order), ..all }),
        }
    }

    /// The same samples, their values read in another way than [`Element::MAP`].
    #[inline]
    #[must_use]
    pub fn with_map(self, map: InputMap) -> Self {
        Self { map, ..self }
    }

    /// How the values are read.
    #[inline]
    #[must_use]
    pub fn map(&self) -> InputMap {
        self.map
    }

    /// The first `at` samples, and the rest.
    #[inline]
    #[must_use]
    pub fn split_at(self, at: usize) -> (Self, Self) {
        let at = at.min(self.len());
        match self.order {
            Some(order) => {
                let (a, b) = order.split_at(at);
                (Self { order: Some(a), ..self }, Self { order: Some(b), ..self })
            }
            None => {
                let (a, b) = self.data.split_at(at * self.width.get());
                (Self { data: a, ..self }, Self { data: b, ..self })
            }
        }
    }

    /// Samples in this batch.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.order {
            Some(order) => order.len(),
            None => self.data.len() / self.width,
        }
    }

    /// Whether there is no sample.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values in one sample.
    #[inline]
    #[must_use]
    pub fn width(&self) -> usize {
        self.width.get()
    }

    /// Sample `i`, `[width]`; empty if there is no such sample.
    #[inline]
    #[must_use]
    pub fn sample(&self, i: usize) -> &'a [T] {
        let row = match self.order {
            Some(order) => order.get(i).map_or(usize::MAX, |&row| row as usize),
            None => i,
        };
        let start = row.saturating_mul(self.width.get());
        self.data.get(start..start.saturating_add(self.width.get())).unwrap_or_default()
    }

    /// Value `i` of sample `s` times the scale, if there is one. The shift is not added.
    #[inline(always)]
    pub(super) fn scaled(&self, s: usize, i: usize) -> Option<f32> {
        let row = match self.order {
            Some(order) => *order.get(s)? as usize,
            None => s,
        };
        let value = self.data.get(row.wrapping_mul(self.width.get()).wrapping_add(i))?;
        Some(value.to_f32() * self.map.scale)
    }

    /// All samples in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let batch = *self;
        (0..self.len()).map(move |i| batch.sample(i))
    }
}

/// What can be read as a [`Batch`] once the width of a sample is known.
pub trait IntoBatch<'a> {
    /// What a sample is made of.
    type Element: Element;

    /// Reads `self` as samples of `width` values.
    ///
    /// # Errors
    ///
    /// Those of [`Batch::rows`]; [`Error::InputWidth`] if the samples have another width.
    fn into_batch(self, width: usize) -> Result<Batch<'a, Self::Element>, Error>;
}

impl<'a, T: Element> IntoBatch<'a> for Batch<'a, T> {
    type Element = T;

    fn into_batch(self, width: usize) -> Result<Self, Error> {
        if self.width() == width {
            Ok(self)
        } else {
            Err(Error::InputWidth { expected: width, got: self.width() })
        }
    }
}

impl<'a, T: Element> IntoBatch<'a> for &'a [T] {
    type Element = T;

    fn into_batch(self, width: usize) -> Result<Batch<'a, T>, Error> {
        Batch::rows(self, width)
    }
}

impl<'a, T: Element, const N: usize> IntoBatch<'a> for &'a [T; N] {
    type Element = T;

    fn into_batch(self, width: usize) -> Result<Batch<'a, T>, Error> {
        Batch::rows(self, width)
    }
}

impl<'a, T: Element, const N: usize> IntoBatch<'a> for &'a [[T; N]] {
    type Element = T;

    fn into_batch(self, width: usize) -> Result<Batch<'a, T>, Error> {
        Batch::rows(self.as_flattened(), N)?.into_batch(width)
    }
}

impl<'a, T: Element, const N: usize, const M: usize> IntoBatch<'a> for &'a [[T; N]; M] {
    type Element = T;

    fn into_batch(self, width: usize) -> Result<Batch<'a, T>, Error> {
        self.as_slice().into_batch(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gather_reads_the_named_rows_where_they_lie() {
        let data = [1u8, 2, 3, 4, 5, 6];
        let batch = Batch::gather(&data, 2, &[2, 0, 2]).unwrap();
        assert_eq!(batch.len(), 3);
        assert!(batch.iter().eq([&[5u8, 6][..], &[1, 2], &[5, 6]]));
    }

    #[test]
    fn gather_refuses_a_row_that_is_not_there() {
        let error = Batch::gather(&[0u8; 6], 2, &[0, 3]).unwrap_err();
        assert_eq!(error, Error::SampleOutOfRange { sample: 3, samples: 3 });
    }

    #[test]
    fn rows_refuses_a_part_of_a_row_and_a_width_of_zero() {
        let error = Batch::rows(&[0.0; 5], 2).unwrap_err();
        assert_eq!(error, Error::BufferLength { what: "data", expected: 6, got: 5 });
        assert_eq!(Batch::rows(&[0.0; 4], 0).unwrap_err(), Error::ZeroSize { what: "width" });
    }
}
