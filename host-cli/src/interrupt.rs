//! SIGINT (Ctrl-C) and SIGTERM: at once, or as soon as what was begun is whole.
//!
//! As a rule a signal ends the process at once, with exit code 130 or 143. While something is deferred (training, or the
//! writing of files), the first one is only noted, and [`requested`] tells; a second one ends the process at once all the same.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether a signal that comes now ends the process.
static AT_ONCE: AtomicBool = AtomicBool::new(true);

/// The exit code of the signal that came; 0 if none has.
static CODE: AtomicUsize = AtomicUsize::new(0);

/// Answers signals from now on, also where the shell has the process ignore them, as it does behind `&`.
///
/// # Errors
///
/// If the system refuses.
pub fn install() -> io::Result<()> {
    for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
        // In this order: the first signal must not see what it sets itself.
        flag::register_conditional_shutdown(signal, code, &AT_ONCE)?;
        flag::register_usize(signal, &CODE, code as usize)?;
        flag::register(signal, &AT_ONCE)?;
    }
    Ok(())
}

/// The exit code that a signal asks for, if one came while it was deferred.
#[must_use]
pub fn requested() -> Option<u8> {
    u8::try_from(CODE.load(Ordering::SeqCst)).ok().filter(|code| *code > 0)
}

/// Has the first signal wait as long as the value lives.
pub(crate) fn defer() -> Deferred {
    // What is begun after the first signal still waits for nobody but the second.
    Deferred(requested().is_none() && AT_ONCE.swap(false, Ordering::SeqCst))
}

/// Signals are deferred; by this value, unless they were already.
#[derive(Debug)]
#[must_use]
pub(crate) struct Deferred(bool);

impl Drop for Deferred {
    fn drop(&mut self) {
        if self.0 {
            AT_ONCE.store(true, Ordering::SeqCst);
        }
    }
}

/// What a command ends with that a signal has stopped: the files it names are written.
#[derive(Debug)]
pub struct Interrupted(pub String);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted; {}", self.0)
    }
}

impl core::error::Error for Interrupted {}
