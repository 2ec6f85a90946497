//! A monitor's life on any machine: it learns how walking feels, loses its power a hundred times, and is then shown all
//! activities.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};
use picomlp::monitor::Phase;
use picomlp::{
    Adam, Buffers, Error, Init, Mlp, Monitor, MonitorSettings, MonitorState, Network, Observation,
    Optimizer, Trainer, math,
};
use picomlp_fixtures::motion::{self, AXES, NAMES, STEPS, VALUES};
use picomlp_store::{Store, StoreError};

/// Of each axis: how much it moves, how fast, and where it rests.
pub const FEATURES: usize = 3 * AXES;

/// The class that is normal.
pub const WALKING: usize = 1;

/// The autoencoder.
pub type Net = Mlp<FEATURES, 4, FEATURES>;

type Params = [f32; Net::PARAMS];
type Moments = [f32; Adam::state_len(Net::PARAMS)];
type Workspace = [f32; Net::train_scratch(1)];

/// Its trainer, which owns its memory: 1.5 KB.
pub type Held = Trainer<'static, Net, Adam, Params, Moments, Workspace>;

/// A monitor with such a trainer.
pub type Watch = Monitor<'static, Net, Adam, Params, Moments, Workspace>;

/// Logarithms of the deviation of each axis and of its changes, and half its mean: a few hundredths of a g and a landing are
/// then of one size.
#[must_use]
pub fn features(window: &[f32; VALUES]) -> [f32; FEATURES] {
    let mut features = [0.0; FEATURES];
    let (readings, _) = window.as_chunks::<AXES>();
    for (axis, features) in features.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let values = || readings.iter().filter_map(|reading| reading.get(axis));
        let square = |sum: f32, x: f32| sum + x * x;
        let mean = values().fold(0.0, |sum, x| sum + x) / STEPS as f32;
        let moved = values().map(|x| x - mean).fold(0.0, square) / STEPS as f32;
        let changed = values().zip(values().skip(1)).map(|(a, b)| b - a).fold(0.0, square);
        let changed = changed / (STEPS - 1) as f32;
        *features = [0.25 * math::ln(moved) + 1.0, 0.25 * math::ln(changed) + 1.0, 0.5 * mean];
    }
    features
}

/// The features of the `index`-th window of an activity.
#[must_use]
pub fn window_of(activity: usize, index: u64, seed: u64) -> [f32; FEATURES] {
    let mut window = [0.0; VALUES];
    motion::sample(index * NAMES.len() as u64 + activity as u64, seed, &mut window);
    features(&window)
}

/// The learning rate.
pub const RATE: f32 = 3e-3;

/// A trainer with these numbers, after this many steps. There is one: the buffers have their sizes by their types.
#[must_use]
pub fn trainer(params: Params, state: Moments, steps: u64) -> Option<Held> {
    let mut adam = Adam::new(RATE);
    adam.set_steps(steps);
    let workspace = [0.0; Net::train_scratch(1)];
    let trainer = Trainer::new(Net::default(), adam, Buffers { params, state, workspace }).ok()?;
    Some(trainer.with_seed(0, steps))
}

/// A trainer that has learnt nothing yet.
#[must_use]
pub fn fresh() -> Option<Held> {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1).ok()?;
    trainer(params, [0.0; Adam::state_len(Net::PARAMS)], 0)
}

/// What is saved: steps, the monitor's words, parameters and moments.
const SAVED: usize = 8 + 4 * (MonitorState::WORDS + Net::PARAMS + Adam::state_len(Net::PARAMS));

fn bytes_of(monitor: &Watch) -> [u8; SAVED] {
    let mut bytes = [0; SAVED];
    let (steps, words) = bytes.split_at_mut(8);
    steps.copy_from_slice(&monitor.trainer().steps().to_le_bytes());
    let numbers = monitor.trainer().params().iter().chain(monitor.trainer().state());
    let all = monitor.state().to_words().into_iter().chain(numbers.map(|n| n.to_bits()));
    for (to, word) in words.as_chunks_mut::<4>().0.iter_mut().zip(all) {
        *to = word.to_le_bytes();
    }
    bytes
}

fn monitor_of(bytes: &[u8; SAVED], settings: MonitorSettings) -> Option<Watch> {
    let (steps, words) = bytes.split_first_chunk()?;
    let mut words = words.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    let remembered = core::array::from_fn(|_| words.next().unwrap_or_default());
    let mut number = |_| f32::from_bits(words.next().unwrap_or_default());
    let params = core::array::from_fn(&mut number);
    let state = core::array::from_fn(&mut number);
    let trainer = trainer(params, state, u64::from_le_bytes(*steps))?;
    Monitor::resume(trainer, settings, MonitorState::from_words(&remembered)?).ok()
}

/// Flash in RAM, whose power fails after some operations, in the middle of one.
#[derive(Debug)]
struct Flash<'a> {
    bytes: &'a mut [u8],
    operations_left: Option<u32>,
}

#[derive(Debug)]
struct NoPower;

impl NorFlashError for NoPower {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Flash<'_> {
    type Error = NoPower;
}

impl ReadNorFlash for Flash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, to: &mut [u8]) -> Result<(), NoPower> {
        to.iter_mut().zip(self.bytes.iter().skip(offset as usize)).for_each(|(to, b)| *to = *b);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl Flash<'_> {
    /// Half of the change, if this is the operation in which the power fails.
    fn change(&mut self, at: u32, len: usize, to: impl Fn(usize) -> u8) -> Result<(), NoPower> {
        let fails = self.operations_left == Some(0);
        self.operations_left = self.operations_left.map(|left| left.saturating_sub(1));
        let len = if fails { len / 2 } else { len };
        let bytes = self.bytes.iter_mut().skip(at as usize).take(len);
        bytes.enumerate().for_each(|(i, byte)| *byte = to(i));
        if fails { Err(NoPower) } else { Ok(()) }
    }
}

impl NorFlash for Flash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 256;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        self.change(from, (to - from) as usize, |_| 0xff)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        self.change(offset, bytes.len(), |i| bytes.get(i).copied().unwrap_or_default())
    }
}

/// Bytes of flash: two slots.
pub const FLASH: u32 = 2 * (SAVED as u32 + 32).next_multiple_of(256);

/// Windows of each activity that are shown at the end.
pub const SHOWN: u64 = 400;

/// How the life ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Windows of walking until the threshold was there.
    pub samples: u32,
    /// Saves that the power failed in.
    pub cuts: u32,
    /// The FNV-1a hash of all scores, in their order.
    pub hash: u64,
    /// Of [`SHOWN`] windows of each activity, those at which there was an anomaly.
    pub alarms: [u32; NAMES.len()],
}

/// The settings of its monitor.
#[must_use]
pub fn settings() -> MonitorSettings {
    let mut settings = MonitorSettings::new();
    (settings.learn, settings.patience) = (1500, 1500);
    settings
}

/// Lives: a save after every tenth window, of which a hundred are cut off; then [`SHOWN`] windows of each activity. `observe` makes
/// each observation.
///
/// # Errors
///
/// What went wrong.
pub fn run(
    memory: &mut [u8; FLASH as usize],
    mut observe: impl FnMut(&mut Watch, &[f32; FEATURES]) -> Result<Observation, Error>,
) -> Result<Outcome, &'static str> {
    let settings = settings();
    let mut outcome = Outcome { samples: 0, cuts: 0, hash: FNV_OFFSET, alarms: [0; NAMES.len()] };
    let begin =
        || Monitor::new(fresh().ok_or("the buffers")?, settings).map_err(|_| "the settings");
    let mut monitor = begin()?;
    let mut observe = |monitor: &mut Watch, x: &[f32; FEATURES], hash: &mut u64| {
        let said = observe(monitor, x).map_err(|_| "a window was refused")?;
        *hash = fnv1a(*hash, &said.score().to_le_bytes());
        Ok::<_, &'static str>(said)
    };
    let mut random = picomlp_fixtures::values(7).map(|value| value.to_bits() >> 3 & 0xffff);
    while monitor.state().phase() != Phase::Detect {
        let x = window_of(WALKING, u64::from(outcome.samples), 1);
        observe(&mut monitor, &x, &mut outcome.hash)?;
        outcome.samples += 1;
        if !outcome.samples.is_multiple_of(10) {
            continue;
        }
        let (wants_cut, at) = (random.next().unwrap_or(0), random.next().unwrap_or(0));
        let is_cut = outcome.cuts < 100 && wants_cut % 2 == 0;
        // Erases and blocks of a save, and some more: not every cut comes in time.
        let operations_left = is_cut.then_some(at % (SAVED as u32 / 32 + 8));
        let flash = Flash { bytes: &mut memory[..], operations_left };
        let mut store = Store::open(flash, 0..FLASH).map_err(|_| "the flash")?;
        match store.save(&bytes_of(&monitor)) {
            Ok(()) => {}
            Err(StoreError::Flash(NoPower)) => {
                outcome.cuts += 1;
                let flash = Flash { bytes: &mut memory[..], operations_left: None };
                let mut store = Store::open(flash, 0..FLASH).map_err(|_| "the flash")?;
                let mut bytes = [0; SAVED];
                monitor = match store.load(&mut bytes) {
                    Ok(Some(SAVED)) => monitor_of(&bytes, settings).ok_or("a state is lost")?,
                    Ok(None) => begin()?,
                    _ => return Err("what was saved cannot be read"),
                };
            }
            Err(_) => return Err("a save was refused"),
        }
    }
    // Walking first: what follows an anomaly is one too until the votes are old.
    for activity in [WALKING, 0, 2, 3] {
        for index in 0..SHOWN {
            let x = window_of(activity, index, 2);
            let said = observe(&mut monitor, &x, &mut outcome.hash)?;
            if let (Observation::Anomaly { .. }, Some(alarms)) =
                (said, outcome.alarms.get_mut(activity))
            {
                *alarms += 1;
            }
        }
    }
    Ok(outcome)
}
