//! What makes a blob a checkpoint, from which training goes on.

use bytemuck::try_cast_slice;

use super::BlobError;
use super::contents::take_words;
use super::format::{u32_at, u64_at};
use crate::training::TrainingState;

/// What training goes on from.
///
/// A device that trains needs the [`TrainingState`] alone:
///
/// ```
/// use picomlp::blob::{Aligned, Blob, Checkpoint, Contents};
/// use picomlp::{Adam, Buffers, Init, Mlp, Network, Trainer};
///
/// type Net = Mlp<4, 3, 2>;
/// const STATE: usize = Adam::state_len(Net::PARAMS);
/// let trainer = |params| {
///     let (state, workspace) = ([0.0; STATE], [0.0; Net::train_scratch(1)]);
///     Trainer::new(Net::default(), Adam::new(1e-2), Buffers { params, state, workspace })
/// };
/// let mut params = [0.0; Net::PARAMS];
/// Net::default().init(&mut params, Init::He, 1)?;
/// let mut first = trainer(params)?;
/// first.step(&[255u8, 0, 0, 9], &[1])?;
///
/// // The parameters are those of the blob, so they are not written twice.
/// let training = picomlp::TrainingState { params: &[], ..first.training_state() };
/// let checkpoint = Some(Checkpoint { training, ..Checkpoint::default() });
/// let mut flash = Aligned([0xff; 768]);
/// Contents { checkpoint, ..Contents::new(&Net::default(), first.params()) }.write(&mut flash.0)?;
///
/// let mut second = trainer([0.0; Net::PARAMS])?;
/// second.resume(&Blob::parse(&*flash)?.checkpoint()?.training)?;
/// assert_eq!(second.step(&[0u8, 9, 9, 0], &[0])?, first.step(&[0u8, 9, 9, 0], &[0])?);
/// assert_eq!(second.params(), first.params());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Checkpoint<'a> {
    /// What the trainer goes on from.
    pub training: TrainingState<'a>,
    /// Where the run stands, in the words of the program that trains; may be empty.
    pub progress: &'a str,
    /// The settings of the run, likewise.
    pub settings: &'a str,
}

/// Bytes before the numbers.
const FIXED: usize = 32;

impl<'a> TrainingState<'a> {
    fn arrays(&self) -> [&'a [f32]; 3] {
        [self.params, self.state, self.best]
    }

    /// Bytes of the section; nothing if this machine cannot count them.
    pub(super) fn byte_len(&self) -> Option<usize> {
        let words =
            self.arrays().iter().try_fold(0usize, |sum, array| sum.checked_add(array.len()));
        words?.checked_mul(4)?.checked_add(FIXED)
    }

    pub(super) fn write(&self, take: &mut dyn FnMut(&[u8])) {
        take(&self.seed.to_le_bytes());
        take(&self.steps.to_le_bytes());
        let lens = self.arrays().map(|array| array.len() as u32);
        lens.into_iter().chain([0]).for_each(|len| take(&len.to_le_bytes()));
        self.arrays().into_iter().for_each(|array| take_words(array, |w| w.to_le_bytes(), take));
    }

    /// Whether a section has the length that it says, for a blob of `params` parameters.
    pub(super) fn fits(bytes: &[u8], params: usize) -> bool {
        let lens = [16, 20, 24].map(|at| u64::from(u32_at(bytes, at)));
        let [own, _, best] = lens;
        let own = if own == 0 { params as u64 } else { own };
        bytes.len() as u64 == FIXED as u64 + 4 * lens.iter().sum::<u64>()
            && (best == 0 || best == own)
    }

    /// Reads a section that [`fits`](Self::fits) in place; `params` are those of the blob.
    pub(super) fn read(
        bytes: &'a [u8],
        params: impl FnOnce() -> Result<&'a [f32], BlobError>,
    ) -> Result<Self, BlobError> {
        let (fixed, words) = bytes.split_at_checked(FIXED).unwrap_or_default();
        let words: &[f32] = try_cast_slice(words)
            .map_err(|_| BlobError::Misaligned { needed: align_of::<f32>() })?;
        let [own, state] = [16, 20].map(|at| u32_at(fixed, at) as usize);
        let (own, rest) = words.split_at_checked(own).unwrap_or_default();
        let (state, best) = rest.split_at_checked(state).unwrap_or_default();
        let params = if own.is_empty() { params()? } else { own };
        Ok(Self { seed: u64_at(fixed, 0), steps: u64_at(fixed, 8), params, state, best })
    }
}
