//! The caller's pointers, checked as far as pointers can be.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::slice;

use crate::pico_error;

/// What an opaque struct holds: a value, once the tag says so.
#[repr(C)]
pub(crate) struct Slot<T> {
    tag: u32,
    value: MaybeUninit<T>,
}

/// What is in the tag of an open slot.
const OPEN: u32 = 0x70_69_63_6f;

impl<T> Slot<T> {
    /// Whether a C struct of `words` 64-bit words has room for it.
    pub(crate) const fn fits(words: usize) -> bool {
        size_of::<Self>() <= 8 * words && align_of::<Self>() <= 8
    }

    /// The value, if it is open.
    ///
    /// # Safety
    ///
    /// `this` is null, or points to initialized memory of a slot that nobody writes to during `'a`; if it has been
    /// opened, what the value borrows is still there.
    pub(crate) unsafe fn get<'a>(this: *const Self) -> Result<&'a T, pico_error> {
        check(this)?;
        // SAFETY: not null, aligned, and the tag is there by the contract.
        let is_open = unsafe { (*this).tag } == OPEN;
        // SAFETY: the tag is set only after the value has been written.
        if is_open { Ok(unsafe { (*this).value.assume_init_ref() }) } else { Err(NOT_OPEN) }
    }

    /// The value to change.
    ///
    /// # Safety
    ///
    /// That of [`get`](Self::get), and nobody else reads the slot during `'a`.
    pub(crate) unsafe fn get_mut<'a>(this: *mut Self) -> Result<&'a mut T, pico_error> {
        // SAFETY: the same contract.
        unsafe { Self::get(this) }?;
        // SAFETY: it is open, and nobody else uses it.
        Ok(unsafe { (*this).value.assume_init_mut() })
    }

    /// Closes the slot, and opens it if `fill` writes a value. What was there before needs no drop.
    ///
    /// # Safety
    ///
    /// `this` is null, or points to memory of a slot that nobody else uses.
    pub(crate) unsafe fn open(
        this: *mut Self,
        fill: impl FnOnce(&mut MaybeUninit<T>) -> Result<(), pico_error>,
    ) -> Result<(), pico_error> {
        check(this)?;
        // SAFETY: not null, aligned, and nobody else's; what has no value yet is a `MaybeUninit`.
        unsafe {
            (*this).tag = 0;
            fill(&mut (*this).value)?;
            (*this).tag = OPEN;
        }
        Ok(())
    }
}

const NOT_OPEN: pico_error = pico_error::PICO_ERROR_NOT_OPEN;

fn check<T>(pointer: *const T) -> Result<(), pico_error> {
    if pointer.is_null() {
        Err(pico_error::PICO_ERROR_NULL)
    } else if pointer.is_aligned() {
        Ok(())
    } else {
        Err(pico_error::PICO_ERROR_MISALIGNED)
    }
}

/// Null is as good as any other pointer to nothing; more than half of the address space is no array.
fn check_slice<T>(pointer: *const T, len: usize) -> Result<bool, pico_error> {
    if len == 0 {
        return Ok(false);
    }
    check(pointer)?;
    let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| isize::try_from(bytes).ok());
    bytes.map(|_| true).ok_or(pico_error::PICO_ERROR_BUFFER_LENGTH)
}

/// `len` values that the caller lends to read.
///
/// # Safety
///
/// `pointer` is null, or to `len` values that nobody writes to during `'a`.
pub(crate) unsafe fn input<'a, T>(pointer: *const T, len: usize) -> Result<&'a [T], pico_error> {
    let is_some = check_slice(pointer, len)?;
    // SAFETY: not null, aligned, of a sound length, and readable by the contract.
    Ok(if is_some { unsafe { slice::from_raw_parts(pointer, len) } } else { &[] })
}

/// `len` values that the caller lends to write.
///
/// # Safety
///
/// `pointer` is null, or to `len` values, of a type to which all bits are values, that nobody else uses during `'a`.
pub(crate) unsafe fn output<'a, T>(pointer: *mut T, len: usize) -> Result<&'a mut [T], pico_error> {
    let is_some = check_slice(pointer, len)?;
    // SAFETY: not null, aligned, of a sound length, and nobody else's by the contract.
    Ok(if is_some { unsafe { slice::from_raw_parts_mut(pointer, len) } } else { &mut [] })
}

/// Views a buffer of bytes as 4-byte words.
///
/// # Safety
///
/// That of [`output`].
pub(crate) unsafe fn words<'a, T>(
    pointer: *mut c_void,
    bytes: usize,
) -> Result<&'a mut [T], pico_error> {
    // SAFETY: the same contract.
    unsafe { output(pointer.cast(), bytes / size_of::<T>()) }
}

/// Where one result goes.
///
/// # Safety
///
/// `pointer` is null, or to a value that nobody else uses during `'a`.
pub(crate) unsafe fn one<'a, T>(pointer: *mut T) -> Result<&'a mut T, pico_error> {
    check(pointer)?;
    // SAFETY: not null, aligned, and nobody else's by the contract.
    Ok(unsafe { &mut *pointer })
}
