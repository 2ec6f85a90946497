//! Anomaly detection in place: learns what is normal where the machine stands, and notices what isn't.
//!
//! An autoencoder is trained to rebuild its input; what it has never seen it rebuilds badly. The mean squared error is the
//! score of a sample.
//!
//! ```text
//!  learn: a step on each sample          calibrate: the scores of        detect: a score above the threshold
//!  until the error stops falling   ──▶   fresh samples give a      ──▶   is a vote; enough of the last votes
//!  or enough samples have come           threshold                       are an anomaly
//! ```
//!
//! Every decision is a function of the samples: a PC that is given the same ones comes to the same decisions, bit for bit.

use crate::kernels::Element;
use crate::layers::Layer;
use crate::loss::Loss;
use crate::network::check_len;
use crate::optim::Optimizer;
use crate::trainer::Trainer;
use crate::{Error, math};

/// How a [`Monitor`] learns, where its threshold lies, and when it speaks up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct MonitorSettings {
    /// Samples to learn from at most.
    pub learn: u32,
    /// Learning also ends when the smoothed error has not fallen by a hundredth in this many samples.
    pub patience: u32,
    /// Samples to calibrate the threshold on.
    pub calibrate: u32,
    /// Where the threshold lies among their scores.
    pub threshold: Threshold,
    /// Scores above the threshold that make an anomaly...
    pub votes_needed: u32,
    /// ... among this many, the last ones; at most 32.
    pub votes_of: u32,
    /// The learning rate at which samples that are judged normal are learnt too, so that slow change stays normal; none to
    /// keep what was learnt.
    pub drift: Option<f32>,
}

impl MonitorSettings {
    /// Up to 2,000 samples to learn from, 200 to calibrate on, the threshold at their 99.5th percentile, three votes of five,
    /// no drift.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            learn: 2000,
            patience: 500,
            calibrate: 200,
            threshold: Threshold::Quantile(0.995),
            votes_needed: 3,
            votes_of: 5,
            drift: None,
        }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the one that does not.
    pub fn check(&self) -> Result<(), Error> {
        let (threshold, expected) = match self.threshold {
            Threshold::Quantile(q) => (q > 0.0 && q <= 1.0, "a fraction above 0, up to 1"),
            Threshold::Deviations(k) => (k.is_finite() && k >= 0.0, "a finite number, 0 or more"),
        };
        let votes = (1..=self.votes_of).contains(&self.votes_needed) && self.votes_of <= 32;
        let drift = self.drift.is_none_or(|rate| rate.is_finite() && rate > 0.0);
        for (what, expected, fits) in [
            ("learn", "at least 1", self.learn > 0),
            ("patience", "at least 1", self.patience > 0),
            ("calibrate", "at least 1", self.calibrate > 0),
            ("threshold", expected, threshold),
            ("votes", "1 to 32, and no more needed than there are", votes),
            ("drift", "a finite number above 0", drift),
        ] {
            if !fits {
                return Err(Error::Setting { what, expected });
            }
        }
        Ok(())
    }
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the threshold lies among the scores of normal samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// At this fraction of them. Read off a histogram with four bins from each power of two to the next, with a straight
    /// line inside a bin.
    Quantile(f32),
    /// This many standard deviations above their mean.
    Deviations(f32),
}

/// What a [`Monitor`] says of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Observation {
    /// It has been learnt from.
    Learning {
        /// The mean squared error before the step.
        score: f32,
    },
    /// It has been counted for the threshold.
    Calibrating {
        /// The mean squared error.
        score: f32,
    },
    /// It and those before it are as before.
    Normal {
        /// The mean squared error.
        score: f32,
    },
    /// Too many of the last scores were above the threshold.
    Anomaly {
        /// The mean squared error.
        score: f32,
    },
}

impl Observation {
    /// The mean squared error of the sample.
    #[must_use]
    pub const fn score(self) -> f32 {
        let (Self::Learning { score }
        | Self::Calibrating { score }
        | Self::Normal { score }
        | Self::Anomaly { score }) = self;
        score
    }

    /// Its name: `learning`, `calibrating`, `normal` or `anomaly`.
    #[must_use]
    pub const fn decision(self) -> &'static str {
        match self {
            Self::Learning { .. } => "learning",
            Self::Calibrating { .. } => "calibrating",
            Self::Normal { .. } => "normal",
            Self::Anomaly { .. } => "anomaly",
        }
    }
}

/// Bins of the histogram: four for each power of two from 2⁻²⁰ to 2¹².
const BINS: usize = 4 * 32;

/// The bits of an `f32` above its two leading digits after the point, and those of 2⁻²⁰.
const BIN_SHIFT: u32 = 21;
const FIRST_BIN: u32 = (127 - 20) << 2;

/// The phase of a [`Monitor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// Samples are learnt from.
    Learn,
    /// Samples are counted for the threshold.
    Calibrate,
    /// Samples are judged.
    Detect,
}

/// All that a [`Monitor`] remembers besides its trainer's parameters and state: plain numbers, to be kept through a power
/// cut as [words](Self::to_words).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonitorState {
    phase: Phase,
    /// Samples in this phase.
    samples: u32,
    /// The error while learning, smoothed.
    smoothed: f32,
    /// The least that it was when it last fell by a hundredth, and samples since.
    best: f32,
    since_best: u32,
    /// Mean of the calibration's scores, and the sum of the squares of their distances from it.
    mean: f32,
    squares: f32,
    threshold: f32,
    /// The last votes, the newest in the lowest bit.
    votes: u32,
    histogram: [u32; BINS],
}

impl MonitorState {
    /// Words of a state.
    pub const WORDS: usize = 9 + BINS;

    /// Nothing has been seen.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            phase: Phase::Learn,
            samples: 0,
            smoothed: 0.0,
            best: f32::INFINITY,
            since_best: 0,
            mean: 0.0,
            squares: 0.0,
            threshold: 0.0,
            votes: 0,
            histogram: [0; BINS],
        }
    }

    /// The phase.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Samples in this phase.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// The threshold; 0 before it is calibrated.
    #[must_use]
    pub const fn threshold(&self) -> f32 {
        self.threshold
    }

    /// The state as words.
    #[must_use]
    pub fn to_words(&self) -> [u32; Self::WORDS] {
        let mut words = [0; Self::WORDS];
        let (numbers, histogram) = words.split_at_mut(9);
        let floats = [self.smoothed, self.best, self.mean, self.squares, self.threshold];
        let counts = [self.phase as u32, self.samples, self.since_best, self.votes];
        let all = counts.into_iter().chain(floats.map(f32::to_bits));
        numbers.iter_mut().zip(all).for_each(|(word, number)| *word = number);
        histogram.iter_mut().zip(self.histogram).for_each(|(word, count)| *word = count);
        words
    }

    /// The state that [`to_words`](Self::to_words) wrote; nothing if no state has these words.
    #[must_use]
    pub fn from_words(words: &[u32; Self::WORDS]) -> Option<Self> {
        let [phase, samples, since_best, votes, floats @ ..] = words.first_chunk::<9>()?;
        let [smoothed, best, mean, squares, threshold] = floats.map(f32::from_bits);
        let phase = match phase {
            0 => Phase::Learn,
            1 => Phase::Calibrate,
            2 => Phase::Detect,
            _ => return None,
        };
        let is_sound =
            [smoothed, mean, squares, threshold].iter().all(|x| x.is_finite() && *x >= 0.0);
        let histogram = *words.last_chunk::<BINS>()?;
        (is_sound && best > 0.0).then_some(Self {
            phase,
            samples: *samples,
            smoothed,
            best,
            since_best: *since_best,
            mean,
            squares,
            threshold,
            votes: *votes,
            histogram,
        })
    }

    fn begin(&mut self, phase: Phase) {
        (self.phase, self.samples) = (phase, 0);
    }

    /// Counts an error while learning; whether learning is over.
    fn learn(&mut self, score: f32, settings: &MonitorSettings) -> bool {
        // The mean of the first samples, then of about the last hundred.
        let share = 1.0 / self.samples.min(100) as f32;
        self.smoothed += (score - self.smoothed) * share;
        self.since_best += 1;
        if self.smoothed < self.best * 0.99 {
            (self.best, self.since_best) = (self.smoothed, 0);
        }
        self.samples >= settings.learn || self.since_best >= settings.patience
    }

    /// Counts a score for the threshold: Welford's update, and the histogram.
    fn calibrate(&mut self, score: f32) {
        let distance = score - self.mean;
        self.mean += distance / self.samples as f32;
        self.squares += distance * (score - self.mean);
        let bin = (score.to_bits() >> BIN_SHIFT).saturating_sub(FIRST_BIN) as usize;
        if let Some(count) = self.histogram.get_mut(bin.min(BINS - 1)) {
            *count += 1;
        }
    }

    fn threshold_of(&self, threshold: Threshold) -> f32 {
        match threshold {
            Threshold::Deviations(k) => {
                self.mean + k * math::sqrt(self.squares / self.samples as f32)
            }
            Threshold::Quantile(fraction) => {
                let wanted = fraction * self.samples as f32;
                let mut below = 0.0;
                for (bin, count) in (0..).zip(self.histogram) {
                    let count = count as f32;
                    if count > 0.0 && below + count >= wanted {
                        let edge = |bin: u32| f32::from_bits((FIRST_BIN + bin) << BIN_SHIFT);
                        return edge(bin)
                            + (edge(bin + 1) - edge(bin)) * ((wanted - below) / count);
                    }
                    below += count;
                }
                self.mean
            }
        }
    }

    /// Counts a vote; whether there are enough.
    fn vote(&mut self, score: f32, settings: &MonitorSettings) -> bool {
        let kept = u32::MAX >> (32 - settings.votes_of.clamp(1, 32));
        self.votes = (self.votes << 1 | u32::from(score > self.threshold)) & kept;
        self.votes.count_ones() >= settings.votes_needed
    }
}

impl Default for MonitorState {
    fn default() -> Self {
        Self::new()
    }
}

/// Learns what is normal, calibrates a threshold, and detects what is not, one sample at a time.
///
/// ```
/// use picomlp::{Adam, Buffers, Init, Mlp, Monitor, MonitorSettings, Network, Observation, Trainer};
///
/// type Net = Mlp<8, 3, 8>; // rebuilds 8 features from 3
///
/// let mut params = [0.0; Net::PARAMS];
/// Net::default().init(&mut params, Init::He, 1)?;
/// let buffers = Buffers {
///     params,
///     state: [0.0; Adam::state_len(Net::PARAMS)],
///     workspace: [0.0; Net::train_scratch(1)],
/// };
/// let trainer = Trainer::new(Net::default(), Adam::new(3e-3), buffers)?;
/// let mut monitor = Monitor::new(trainer, MonitorSettings::new())?;
///
/// // A machine that hums: a wave with any phase.
/// let wave = |t: u32, swing: f32| -> [f32; 8] {
///     core::array::from_fn(|i| swing * ((t * 7 + i as u32 * 5) as f32 * 0.157).sin())
/// };
/// let mut t = 0;
/// while !matches!(monitor.observe(&wave(t, 1.0))?, Observation::Normal { .. }) {
///     t += 1;
/// }
/// let broken = (0..5).map(|i| monitor.observe(&wave(i, 4.0)));
/// assert!(matches!(broken.last(), Some(Ok(Observation::Anomaly { .. }))));
/// # Ok::<(), picomlp::Error>(())
/// ```
#[derive(Debug)]
pub struct Monitor<'a, N, O, P = &'a mut [f32], S = &'a mut [f32], W = &'a mut [f32]> {
    trainer: Trainer<'a, N, O, P, S, W>,
    settings: MonitorSettings,
    state: MonitorState,
}

impl<'a, N, O, P, S, W> Monitor<'a, N, O, P, S, W>
where
    N: Layer,
    O: Optimizer,
    P: AsMut<[f32]> + AsRef<[f32]>,
    S: AsMut<[f32]> + AsRef<[f32]>,
    W: AsMut<[f32]> + AsRef<[f32]>,
{
    /// A monitor that has seen nothing yet, and minimizes the mean squared error whatever the trainer's loss was.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`].
    pub fn new(
        trainer: Trainer<'a, N, O, P, S, W>,
        settings: MonitorSettings,
    ) -> Result<Self, Error> {
        Self::resume(trainer, settings, MonitorState::new())
    }

    /// A monitor that continues from a saved state; the trainer must have its parameters, optimizer state and steps again.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`].
    pub fn resume(
        trainer: Trainer<'a, N, O, P, S, W>,
        settings: MonitorSettings,
        state: MonitorState,
    ) -> Result<Self, Error> {
        settings.check()?;
        let trainer = trainer.with_loss(Loss::MEAN_SQUARED_ERROR)?;
        Ok(Self { trainer, settings, state })
    }

    /// Learns from a sample, counts it for the threshold, or judges it.
    ///
    /// # Errors
    ///
    /// Those of [`Trainer::step`]; nothing has changed then.
    pub fn observe(&mut self, features: &[f32]) -> Result<Observation, Error> {
        self.observe_as(features, features)
    }

    /// As [`observe`](Self::observe) where the trained network's input is not what it rebuilds: the code of a frozen
    /// encoder, of which the network is the decoder.
    ///
    /// # Errors
    ///
    /// As [`observe`](Self::observe).
    pub fn observe_as<T: Element>(
        &mut self,
        input: &[T],
        features: &[f32],
    ) -> Result<Observation, Error> {
        let Self { trainer, settings, state } = self;
        check_len("features", features, trainer.net().outputs())?;
        if state.phase == Phase::Learn {
            let score = trainer.step(input, features)?;
            state.samples = state.samples.saturating_add(1);
            if state.learn(score, settings) {
                state.begin(Phase::Calibrate);
            }
            return Ok(Observation::Learning { score });
        }
        let outputs = trainer.predict(input)?;
        let width = outputs.len();
        let score = Loss::MEAN_SQUARED_ERROR.sum(outputs, features, width)?;
        if !score.is_finite() {
            return Err(Error::LossNotFinite);
        }
        if state.phase == Phase::Calibrate {
            state.samples = state.samples.saturating_add(1);
            state.calibrate(score);
            if state.samples >= settings.calibrate {
                state.threshold = state.threshold_of(settings.threshold);
                state.begin(Phase::Detect);
            }
            return Ok(Observation::Calibrating { score });
        }
        // What is learnt on must be decided before it is: a step that fails changes nothing.
        if let Some(rate) = settings.drift
            && score <= state.threshold
        {
            trainer.optimizer_mut().set_learning_rate(rate);
            trainer.step(input, features)?;
        }
        state.samples = state.samples.saturating_add(1);
        let is_anomaly = state.vote(score, settings);
        Ok(if is_anomaly { Observation::Anomaly { score } } else { Observation::Normal { score } })
    }

    /// What it remembers, to be saved beside the [trainer](Self::trainer)'s parameters, state and steps.
    #[must_use]
    pub fn state(&self) -> &MonitorState {
        &self.state
    }

    /// The trainer.
    #[must_use]
    pub fn trainer(&self) -> &Trainer<'a, N, O, P, S, W> {
        &self.trainer
    }

    /// The trainer and what was remembered.
    #[must_use]
    pub fn into_parts(self) -> (Trainer<'a, N, O, P, S, W>, MonitorState) {
        (self.trainer, self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_quantile_lies_within_a_bin_of_the_sorted_scores_one() {
        let mut scores: Vec<f32> = picomlp_fixtures::values(3).map(f32::abs).take(1000).collect();
        let mut state = MonitorState::new();
        for score in &scores {
            state.samples += 1;
            state.calibrate(*score);
        }
        scores.sort_by(f32::total_cmp);
        for (fraction, index) in [(0.5, 499), (0.9, 899), (0.995, 994), (1.0, 999)] {
            let found = state.threshold_of(Threshold::Quantile(fraction));
            assert!((found / scores[index] - 1.0).abs() < 0.25, "{fraction}: {found}");
        }
    }

    #[test]
    fn deviations_are_counted_from_the_mean() {
        let mut state = MonitorState::new();
        for score in [1.0, 3.0, 5.0, 7.0] {
            state.samples += 1;
            state.calibrate(score);
        }
        assert_eq!(state.threshold_of(Threshold::Deviations(0.0)), 4.0);
        assert_eq!(state.threshold_of(Threshold::Deviations(2.0)), 4.0 + 2.0 * math::sqrt(5.0));
    }

    #[test]
    fn the_last_votes_decide() {
        let settings = MonitorSettings { votes_needed: 2, votes_of: 3, ..MonitorSettings::new() };
        let mut state = MonitorState { threshold: 1.0, ..MonitorState::new() };
        let said = [2.0, 0.5, 2.0, 0.5, 0.5, 2.0].map(|score| state.vote(score, &settings));
        assert_eq!(said, [false, false, true, false, false, false]);
    }

    #[test]
    fn learning_ends_when_the_error_stays_or_enough_samples_came() {
        let settings = MonitorSettings { learn: 50, patience: 5, ..MonitorSettings::new() };
        let samples = |error: fn(u32) -> f32| {
            let mut state = MonitorState::new();
            loop {
                state.samples += 1;
                if state.learn(error(state.samples), &settings) {
                    return state.samples;
                }
            }
        };
        assert_eq!(samples(|_| 1.0), 6);
        assert_eq!(samples(|n| 1.0 / (n * n * n) as f32), 50);
    }

    #[test]
    fn words_are_read_as_they_were_written_and_nonsense_is_refused() {
        let mut state = MonitorState::new();
        state.samples = 7;
        state.calibrate(0.3);
        let words = state.to_words();
        assert_eq!(MonitorState::from_words(&words), Some(state));
        for (word, value) in [(0, 3), (4, f32::NAN.to_bits()), (8, (-1.0f32).to_bits())] {
            let mut wrong = words;
            wrong[word] = value;
            assert_eq!(MonitorState::from_words(&wrong), None, "word {word}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let good = MonitorSettings::new();
        assert_eq!(good.check(), Ok(()));
        for bad in [
            MonitorSettings { learn: 0, ..good },
            MonitorSettings { votes_needed: 6, ..good },
            MonitorSettings { votes_of: 33, ..good },
            MonitorSettings { threshold: Threshold::Quantile(1.5), ..good },
            MonitorSettings { threshold: Threshold::Deviations(f32::NAN), ..good },
            MonitorSettings { drift: Some(0.0), ..good },
        ] {
            assert!(matches!(bad.check(), Err(Error::Setting { .. })), "{bad:?}");
        }
    }
}
