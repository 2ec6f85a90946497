//! Keeps the newest of what was saved in flash, through power cuts.
//!
//! A region of flash holds two slots. A save erases the slot that does not hold the newest, writes the payload, and last of
//! all a header with a generation number and checksums; until that is whole, the slot does not count. So whenever the power
//! fails, the next [`Store::open`] finds the old state or the new one, never a mixture, and never nothing where there was
//! something.
//!
//! ```text
//!  slot A  │ header: generation 7, length, checksums │ payload …            │  the newest
//!  slot B  │ (erased)                                │ payload, being writt…│  a save on its way
//! ```
//!
//! Each save wears each page of one slot by one erase: [`Saved::generation`] counts saves, half of them a slot.
//!
//! [`Store`] works over `embedded-storage`'s traits; `asynch::Store` (feature `async`) is the same over their async sisters.
#![no_std]
#![forbid(unsafe_code)]

mod header;
mod region;

use core::fmt;
use core::ops::Range;

pub use header::Saved;
use header::{CRC, Checksum, HEADER, Header};
use region::Region;

/// Why something could not be opened, read or saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError<E> {
    /// The flash said so.
    Flash(E),
    /// The region is not made of two slots of whole erase pages within the flash.
    Region {
        /// Bytes that a page has.
        page: u32,
        /// Bytes that the flash has.
        capacity: u32,
    },
    /// A payload has no room in a slot.
    TooLong {
        /// Its bytes.
        len: usize,
        /// Bytes for which there is room.
        room: usize,
    },
    /// The buffer is too short for what was saved.
    BufferTooShort {
        /// Bytes that were saved.
        needed: usize,
        /// Bytes of the buffer.
        got: usize,
    },
    /// More or less was written than was announced; the save does not count.
    Length {
        /// Bytes that were announced.
        expected: usize,
        /// Bytes that were written.
        got: usize,
    },
    /// What is read is not what was there when the store was opened.
    Damaged,
}

impl<E> From<E> for StoreError<E> {
    fn from(error: E) -> Self {
        Self::Flash(error)
    }
}

impl<E: fmt::Debug> fmt::Display for StoreError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash reports {error:?}"),
            Self::Region { page, capacity } => write!(
                f,
                "the region is not two slots of whole pages: expected a multiple of {} bytes at a multiple of {page}, within {capacity}",
                2 * page
            ),
            Self::TooLong { len, room } => {
                write!(f, "{len} bytes are to be saved, a slot has room for {room}")
            }
            Self::BufferTooShort { needed, got } => {
                write!(f, "{needed} bytes were saved, the buffer has {got}")
            }
            Self::Length { expected, got } => {
                write!(f, "{expected} bytes were announced, {got} written")
            }
            Self::Damaged => f.write_str("the flash has changed since the store was opened"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for StoreError<E> {}

/// The blocking store and the async one: the same text, with and without `async` and `.await`.
macro_rules! store {
    ($read:ident, $write:ident, [$($async:ident)?], [$($await:tt)*]) => {
        /// Two slots in a region of flash, of which one holds the newest of what was saved.
        #[derive(Debug)]
        pub struct Store<F> {
            flash: F,
            region: Region,
        }

        impl<F: $read> Store<F> {
            /// Looks for what was saved; `region` is in bytes from the beginning of the flash.
            ///
            /// # Errors
            ///
            /// [`StoreError::Region`] unless the region is two slots of whole pages; [`StoreError::Flash`] if a slot cannot be read and the
            /// other holds nothing.
            pub $($async)? fn open(mut flash: F, region: Range<u32>) -> Result<Self, StoreError<F::Error>>
            where
                F: $write,
            {
                const { assert!(HEADER % F::WRITE_SIZE == 0 && HEADER % F::READ_SIZE == 0) };
                let (page, capacity) = (F::ERASE_SIZE as u32, flash.capacity() as u32);
                let mut region = Region::new(region, page, capacity)
                    .ok_or(StoreError::Region { page, capacity })?;
                let mut failed = None;
                for slot in 0..2 {
                    // A save that was cut off may leave words that some flash refuses to read.
                    match Self::find(&mut flash, &region, slot)$($await)* {
                        Ok(Some(header)) => region.found(slot, header),
                        Ok(None) => {}
                        Err(error) => failed = Some(error),
                    }
                }
                if let (Some(error), None) = (failed, region.newest()) {
                    return Err(StoreError::Flash(error));
                }
                Ok(Self { flash, region })
            }

            /// The header of a slot that holds something whole.
            $($async)? fn find(
                flash: &mut F,
                region: &Region,
                slot: usize,
            ) -> Result<Option<Header>, F::Error> {
                let mut block = [0; HEADER];
                flash.read(region.header_at(slot), &mut block)$($await)*?;
                let Some(header) = Header::from_bytes(&block, region.room()) else {
                    return Ok(None);
                };
                let mut checksum = CRC.digest();
                for (at, len) in header.saved.blocks() {
                    flash.read(region.payload_at(slot) + at, &mut block)$($await)*?;
                    checksum.update(block.get(..len).unwrap_or_default());
                }
                Ok((checksum.finalize() == header.payload_crc).then_some(header))
            }

            /// The newest of what was saved.
            #[must_use]
            pub fn newest(&self) -> Option<Saved> {
                self.region.newest().map(|(_, header)| header.saved)
            }

            /// Bytes that can be saved.
            #[must_use]
            pub fn room(&self) -> usize {
                self.region.room() as usize
            }

            /// Reads the newest into `buffer`; returns its length, or nothing if nothing was ever saved.
            ///
            /// # Errors
            ///
            /// [`StoreError::BufferTooShort`], [`StoreError::Damaged`], [`StoreError::Flash`].
            pub $($async)? fn load(
                &mut self,
                buffer: &mut [u8],
            ) -> Result<Option<usize>, StoreError<F::Error>> {
                let Some((slot, header)) = self.region.newest() else { return Ok(None) };
                let (needed, got) = (header.saved.len as usize, buffer.len());
                let Some(buffer) = buffer.get_mut(..needed) else {
                    return Err(StoreError::BufferTooShort { needed, got });
                };
                let mut checksum = CRC.digest();
                for ((at, len), to) in header.saved.blocks().zip(buffer.chunks_mut(HEADER)) {
                    let mut block = [0; HEADER];
                    self.flash.read(self.region.payload_at(slot) + at, &mut block)$($await)*?;
                    to.iter_mut().zip(&block).take(len).for_each(|(to, byte)| *to = *byte);
                    checksum.update(to);
                }
                if checksum.finalize() == header.payload_crc {
                    Ok(Some(needed))
                } else {
                    Err(StoreError::Damaged)
                }
            }

            /// The flash.
            #[must_use]
            pub fn into_flash(self) -> F {
                self.flash
            }
        }

        impl<F: $write> Store<F> {
            /// Saves `payload` in place of the older of the two that are there.
            ///
            /// # Errors
            ///
            /// [`StoreError::TooLong`], [`StoreError::Flash`]; the newest is then what it was.
            pub $($async)? fn save(&mut self, payload: &[u8]) -> Result<(), StoreError<F::Error>> {
                let mut save = self.begin(payload.len())?;
                save.write(payload)$($await)*?;
                save.finish()$($await)*
            }

            /// Begins a save of `len` bytes that are written in pieces. Without [`Save::finish`] it does not count.
            ///
            /// # Errors
            ///
            /// [`StoreError::TooLong`].
            pub fn begin(&mut self, len: usize) -> Result<Save<'_, F>, StoreError<F::Error>> {
                let room = self.room();
                if len > room {
                    return Err(StoreError::TooLong { len, room });
                }
                let slot = self.region.older();
                self.region.forget(slot);
                let checksum = CRC.digest();
                Ok(Save { store: self, slot, len, erased: 0, written: 0, checksum, block: [0xff; HEADER] })
            }
        }

        /// A save on its way.
        pub struct Save<'a, F> {
            store: &'a mut Store<F>,
            slot: usize,
            /// Bytes that were announced.
            len: usize,
            /// Bytes of the slot that are erased.
            erased: u32,
            /// Bytes of the payload that were taken.
            written: usize,
            checksum: Checksum,
            /// The last of them, which do not fill a block yet.
            block: [u8; HEADER],
        }

        impl<F: $write> Save<'_, F> {
            /// Erases one page; returns whether there are more to erase. [`write`](Self::write) erases what is left.
            ///
            /// # Errors
            ///
            /// [`StoreError::Flash`].
            pub $($async)? fn erase_next(&mut self) -> Result<bool, StoreError<F::Error>> {
                let needed = (HEADER + self.len) as u32;
                if self.erased < needed {
                    let from = self.store.region.header_at(self.slot) + self.erased;
                    let page = F::ERASE_SIZE as u32;
                    self.store.flash.erase(from, from + page)$($await)*?;
                    self.erased += page;
                }
                Ok(self.erased < needed)
            }

            /// Writes the next bytes of the payload.
            ///
            /// # Errors
            ///
            /// [`StoreError::Length`] if they are more than was announced; [`StoreError::Flash`].
            pub $($async)? fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError<F::Error>> {
                while self.erase_next()$($await)*? {}
                let (expected, got) = (self.len, self.written + bytes.len());
                if got > expected {
                    return Err(StoreError::Length { expected, got });
                }
                self.checksum.update(bytes);
                for byte in bytes {
                    let at = self.written % HEADER;
                    if let Some(place) = self.block.get_mut(at) {
                        *place = *byte;
                    }
                    self.written += 1;
                    if at + 1 == HEADER {
                        self.write_block()$($await)*?;
                    }
                }
                Ok(())
            }

            /// Writes the block that ends with the last byte taken.
            $($async)? fn write_block(&mut self) -> Result<(), StoreError<F::Error>> {
                let at = ((self.written - 1) / HEADER * HEADER) as u32;
                let at = self.store.region.payload_at(self.slot) + at;
                self.store.flash.write(at, &self.block)$($await)*?;
                self.block = [0xff; HEADER];
                Ok(())
            }

            /// Makes it count: writes the header.
            ///
            /// # Errors
            ///
            /// [`StoreError::Length`] if bytes are missing; [`StoreError::Flash`].
            pub $($async)? fn finish(mut self) -> Result<(), StoreError<F::Error>> {
                self.write(&[])$($await)*?;
                let (expected, got) = (self.len, self.written);
                if got < expected {
                    return Err(StoreError::Length { expected, got });
                }
                if !self.written.is_multiple_of(HEADER) {
                    self.write_block()$($await)*?;
                }
                let generation = self.store.newest().map_or(1, |saved| saved.generation.wrapping_add(1));
                let saved = Saved { generation, len: self.len as u32 };
                let header = Header { saved, payload_crc: self.checksum.finalize() };
                let at = self.store.region.header_at(self.slot);
                self.store.flash.write(at, &header.to_bytes())$($await)*?;
                self.store.region.found(self.slot, header);
                Ok(())
            }
        }

        impl<F> fmt::Debug for Save<'_, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Save").field("len", &self.len).field("written", &self.written).finish_non_exhaustive()
            }
        }
    };
}

mod blocking {
    use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

    use super::*;

    store!(ReadNorFlash, NorFlash, [], []);
}

pub use blocking::{Save, Store};

/// The store over `embedded-storage-async`.
#[cfg(feature = "async")]
pub mod asynch {
    use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

    use super::*;

    store!(ReadNorFlash, NorFlash, [async], [.await]);
}
