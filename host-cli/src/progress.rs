//! The progress bar, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over the samples of a whole run, with loss, samples a second and time left.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar on standard error; nothing at all if that is no terminal, or if `quiet`.
    pub(crate) fn new(samples: u64, quiet: bool) -> Self {
        let bar = ProgressBar::new(samples);
        bar.set_draw_target(if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr() // hides itself where that is no terminal
        });
        let template = "{msg} [{bar:30}] {percent:>3} % {per_sec:>12} {eta:>4} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(
                style
                    .with_key(
                        "per_sec",
                        |state: &indicatif::ProgressState, out: &mut dyn core::fmt::Write| {
                            // A bar that cannot be drawn is no reason to stop training.
                            let _ = write!(out, "{:.0} samples/s", state.per_sec());
                        },
                    )
                    .progress_chars("=> "),
            );
        }
        Self(bar)
    }

    /// Some samples are done; `loss` is the mean over the epoch so far.
    pub(crate) fn add(&self, samples: u64, epoch: u32, epochs: u32, loss: f64) {
        if !self.0.is_hidden() {
            self.0.set_message(format!("epoch {epoch}/{epochs} loss {loss:.4}"));
        }
        self.0.inc(samples);
    }

    /// Runs `print` with the bar out of the way.
    pub(crate) fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.0.suspend(print)
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
