//! An input as a description to build from, and files in memory.

use core::cell::RefCell;
use std::io::{Seek, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Takes numbers and slices off the front of an input; 0 and empty slices after its end.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a>(pub(crate) &'a [u8]);

impl<'a> Source<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn word(&mut self) -> u32 {
        (0..4).fold(0, |word, place| word | u32::from(self.byte()) << (8 * place))
    }

    /// A number below `bound`, which is at most 256.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// `len` bytes; zeros after the input's end.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = self.take(len).to_vec();
        bytes.resize(len, 0);
        bytes
    }
}

/// Hands over the path of a file with these bytes. Each thread has one file, in memory where the system has a place for that.
pub(crate) fn with_file<R>(bytes: &[u8], read: impl FnOnce(&Path) -> R) -> R {
    thread_local! {
        static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) };
    }
    FILE.with_borrow_mut(|slot| {
        let file = slot.get_or_insert_with(|| {
            NamedTempFile::new_in("/dev/shm").or_else(|_| NamedTempFile::new()).unwrap()
        });
        file.rewind().unwrap();
        file.write_all(bytes).unwrap();
        file.as_file().set_len(bytes.len() as u64).unwrap();
        read(file.path())
    })
}
