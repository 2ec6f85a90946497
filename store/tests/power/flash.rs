//! A NOR flash whose power fails: pages, words that can be written once, operations that are torn.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub(crate) const PAGE: usize = 128;
pub(crate) const PAGES: usize = 8;

/// What an operation leaves behind when the power fails in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Torn {
    /// Nothing has happened yet.
    Before,
    /// The first half is done.
    FirstHalf,
    /// The second half is done: nobody said in which order.
    SecondHalf,
    /// All but the last word.
    AllButLast,
    /// Every other bit of what was to change.
    EveryOtherBit,
    /// Bits by a pattern that differs from byte to byte.
    SomeBits,
    /// Everything, but nobody was told.
    All,
}

pub(crate) const ALL_TORN: [Torn; 7] = [
    Torn::Before,
    Torn::FirstHalf,
    Torn::SecondHalf,
    Torn::AllButLast,
    Torn::EveryOtherBit,
    Torn::SomeBits,
    Torn::All,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The power is gone.
    Power,
    /// A word was written twice, or something did not fit.
    Misuse,
}

impl NorFlashError for Failure {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flash {
    pub(crate) bytes: Vec<u8>,
    /// Whether each word may be written.
    erased: Vec<bool>,
    /// Operations until the power fails, and how it tears the last one.
    pub(crate) cut: Option<(usize, Torn)>,
    /// Erases and writes done.
    pub(crate) operations: usize,
    pub(crate) erases: [u32; PAGES],
}

impl Flash {
    /// As it leaves the factory: not erased.
    pub(crate) fn new() -> Self {
        let bytes = (0..PAGE * PAGES).map(|i| (i * 37 % 251) as u8).collect();
        let erased = vec![false; PAGE * PAGES / Self::WRITE_SIZE];
        Self { bytes, erased, cut: None, operations: 0, erases: [0; PAGES] }
    }

    /// The same flash, whose power will fail so.
    pub(crate) fn with_cut(&self, cut: Option<(usize, Torn)>) -> Self {
        Self { cut, ..self.clone() }
    }

    /// The power is back.
    pub(crate) fn restarted(&self) -> Self {
        self.with_cut(None)
    }

    /// Changes bytes from `at` on to `to`, or as much of that as the power lasts for.
    fn change(&mut self, at: usize, to: &[u8]) -> Result<(), Failure> {
        let torn = match &mut self.cut {
            Some((0, _)) => return Err(Failure::Power),
            Some((left, torn)) => {
                *left -= 1;
                (*left == 0).then_some(*torn)
            }
            None => None,
        };
        self.operations += 1;
        let len = to.len();
        for (i, (byte, to)) in self.bytes[at..][..len].iter_mut().zip(to).enumerate() {
            let change = *byte ^ to;
            let done = match torn {
                None | Some(Torn::All) => change,
                Some(Torn::Before) => 0,
                Some(Torn::FirstHalf) => {
                    if i < len / 2 {
                        change
                    } else {
                        0
                    }
                }
                Some(Torn::SecondHalf) => {
                    if i < len / 2 {
                        0
                    } else {
                        change
                    }
                }
                Some(Torn::AllButLast) => {
                    if i + Self::WRITE_SIZE < len {
                        change
                    } else {
                        0
                    }
                }
                Some(Torn::EveryOtherBit) => change & 0x55,
                Some(Torn::SomeBits) => change & (i * 73 + 41) as u8,
            };
            *byte ^= done;
        }
        if torn.is_some() { Err(Failure::Power) } else { Ok(()) }
    }
}

impl ErrorType for Flash {
    type Error = Failure;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failure> {
        let from = self.bytes.get(offset as usize..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(Failure::Misuse)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Failure> {
        let (from, to) = (from as usize, to as usize);
        if !(from.is_multiple_of(PAGE) && to.is_multiple_of(PAGE) && from <= to) {
            return Err(Failure::Misuse);
        }
        let words = from / Self::WRITE_SIZE..to / Self::WRITE_SIZE;
        let result = self.change(from, &vec![0xff; to - from]);
        // Words of a page whose erase was torn cannot be relied on, even if they read as erased.
        self.erased[words].fill(result.is_ok());
        for page in &mut self.erases[from / PAGE..to / PAGE] {
            *page += 1;
        }
        result
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failure> {
        let at = offset as usize;
        if !(at.is_multiple_of(Self::WRITE_SIZE) && bytes.len().is_multiple_of(Self::WRITE_SIZE)) {
            return Err(Failure::Misuse);
        }
        for word in &mut self.erased[at / Self::WRITE_SIZE..(at + bytes.len()) / Self::WRITE_SIZE] {
            if !*word {
                return Err(Failure::Misuse);
            }
            *word = false;
        }
        self.change(at, bytes)
    }
}
