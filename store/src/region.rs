//! Where the two slots lie, and what is in them.

use core::ops::Range;

use crate::header::{HEADER, Header};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    start: u32,
    slot_len: u32,
    found: [Option<Header>; 2],
}

impl Region {
    /// Two slots of whole pages, if the region is that.
    pub(crate) fn new(region: Range<u32>, page: u32, capacity: u32) -> Option<Self> {
        let len = region.end.checked_sub(region.start)?;
        let is_whole = len > 0 && len.is_multiple_of(page.checked_mul(2)?);
        (is_whole && region.start.is_multiple_of(page) && region.end <= capacity)
            .then_some(Self { start: region.start, slot_len: len / 2, found: [None; 2] })
            .filter(|region| region.slot_len > HEADER as u32)
    }

    pub(crate) fn header_at(&self, slot: usize) -> u32 {
        self.start + slot as u32 * self.slot_len
    }

    pub(crate) fn payload_at(&self, slot: usize) -> u32 {
        self.header_at(slot) + HEADER as u32
    }

    /// Bytes of payload that a slot has room for.
    pub(crate) fn room(&self) -> u32 {
        self.slot_len - HEADER as u32
    }

    pub(crate) fn found(&mut self, slot: usize, header: Header) {
        if let Some(found) = self.found.get_mut(slot) {
            *found = Some(header);
        }
    }

    pub(crate) fn forget(&mut self, slot: usize) {
        if let Some(found) = self.found.get_mut(slot) {
            *found = None;
        }
    }

    /// The slot with the newest. Generations may wrap: the newer one is ahead by less than half of them all.
    pub(crate) fn newest(&self) -> Option<(usize, Header)> {
        match self.found {
            [Some(a), Some(b)] => {
                let ahead = a.saved.generation.wrapping_sub(b.saved.generation) as i32;
                Some(if ahead > 0 { (0, a) } else { (1, b) })
            }
            [Some(a), None] => Some((0, a)),
            [None, b] => b.map(|b| (1, b)),
        }
    }

    /// The slot that may be erased.
    pub(crate) fn older(&self) -> usize {
        self.newest().map_or(0, |(slot, _)| 1 - slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Saved;

    #[test]
    fn a_region_is_two_slots_of_whole_pages() {
        assert!(Region::new(4096..12288, 4096, 1 << 20).is_some());
        for wrong in [4096..8192, 100..8292, 0..0, (1 << 20) - 4096..(1 << 20) + 4096] {
            assert!(Region::new(wrong.clone(), 4096, 1 << 20).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn the_newest_is_found_across_the_end_of_the_numbers() {
        let mut region = Region::new(0..8192, 4096, 8192).unwrap();
        assert_eq!((region.newest(), region.older()), (None, 0));
        let of = |generation| Header { saved: Saved { generation, len: 0 }, payload_crc: 0 };
        for (a, b, newest) in [(1, 2, 1), (2, 1, 0), (u32::MAX, 0, 1), (0, u32::MAX, 0)] {
            region.found(0, of(a));
            region.found(1, of(b));
            assert_eq!(region.newest().map(|(slot, _)| slot), Some(newest));
            assert_eq!(region.older(), 1 - newest);
        }
    }
}
