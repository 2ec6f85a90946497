//! Panics in an inner loop, so that a backtrace shows the calls that lead there: for `cargo xtask frames` alone.

/// Panics if this is the place that `PICOMLP_FRAME` names.
#[inline(always)]
pub(crate) fn stop_at(place: &str) {
    assert!(std::env::var("PICOMLP_FRAME").as_deref() != Ok(place), "this is {place}");
}
