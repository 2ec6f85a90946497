//! A network with its parameters in a blob, used in place.

use super::{Blob, BlobError, SelfTestFailure};
use crate::Error;
use crate::kernels::{Batch, Element, InputMap, IntoBatch};
use crate::layers::{AnyLayer, FixedLayer, Layer, Sequential};
use crate::loss::LossKind;
use crate::network::{Network, argmax, check_float_mode, check_len, check_room};
use crate::samples::{Sample, Samples};

/// A network that can be checked against, or made from, a blob's layer table.
pub trait FromBlob: Layer + Sized {
    /// The network, if the blob holds one of its kind.
    ///
    /// # Errors
    ///
    /// [`BlobError::Architecture`] with the first layer that differs.
    fn from_blob(blob: &Blob<'_>) -> Result<Self, BlobError>;
}

impl<N: FixedLayer> FromBlob for N {
    fn from_blob(blob: &Blob<'_>) -> Result<Self, BlobError> {
        let net = Self::default();
        let shape = net.shape();
        shape.check().map_err(BlobError::of_network)?;
        let (mut layer, mut difference) = (0, None);
        let mut compare = |expected| {
            let got = blob.known_layers().nth(layer);
            if expected != got {
                difference.get_or_insert(BlobError::Architecture { layer, expected, got });
            }
            layer += 1;
        };
        net.for_each_layer(&mut |single| {
            match single.known()? {
                AnyLayer::Dropout(_) => {}
                known => compare(Some(known)),
            }
            Ok(())
        })
        .map_err(BlobError::of_network)?;
        compare(None);
        difference.map_or(Ok(net), Err)
    }
}

impl FromBlob for Sequential {
    fn from_blob(blob: &Blob<'_>) -> Result<Self, BlobError> {
        blob.network()
    }
}

/// A network and its parameters where they lie: in flash, in a file's bytes.
///
/// ```
/// use picomlp::blob::{Aligned, Contents};
/// use picomlp::{Init, Mlp, Model, Network, StoredSamples};
///
/// type Net = Mlp<4, 3, 2>;
/// let mut params = [0.0; Net::PARAMS];
/// Net::default().init(&mut params, Init::He, 1)?;
/// let mut flash = Aligned([0xff; 512]);
/// Contents::new(&Net::default(), &params).write(&mut flash.0)?;
///
/// let model = Model::<Net>::from_blob(&*flash)?;
/// let mut scratch = [0.0; Net::INFER_SCRATCH];
/// let class = model.classify(&[255u8, 0, 0, 9], &mut scratch)?;
/// assert!(class < 2);
///
/// let images = [[255u8, 0, 0, 9], [0, 0, 255, 0], [9, 0, 0, 255]];
/// let mut all_at_once = [0; 3];
/// model.classify_batch(&images, &mut all_at_once, &mut [0.0; 3 * Net::INFER_SCRATCH])?;
/// assert_eq!(all_at_once[0], class);
///
/// let labels = all_at_once.map(|class| class as u8);
/// let accuracy = model.accuracy(&mut StoredSamples::new(&images, &labels), &mut scratch)?;
/// assert_eq!(accuracy, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model<'a, N> {
    net: N,
    params: &'a [f32],
    blob: Blob<'a>,
}

impl<'a, N: FromBlob> Model<'a, N> {
    /// Checks the bytes and reads them in place.
    ///
    /// With a network type whose sizes are fixed, the blob must hold just that; with [`Sequential`], it says what
    /// it holds.
    ///
    /// # Errors
    ///
    /// Any of [`BlobError`], saying which check failed; [`Error::FloatMode`] among them.
    pub fn from_blob(bytes: &'a [u8]) -> Result<Self, BlobError> {
        let blob = Blob::parse(bytes)?;
        Self::with_net(N::from_blob(&blob)?, blob)
    }
}

impl<'a, N: Layer> Model<'a, N> {
    /// Puts a parsed blob and its network together, such as a borrowed [`Sequential`]. Reads no bytes again.
    ///
    /// # Errors
    ///
    /// [`BlobError::NoSection`] without f32 parameters, [`BlobError::Misaligned`], [`Error::FloatMode`],
    /// [`Error::DescribedParams`] for another network than the blob's.
    pub fn with_net(net: N, blob: Blob<'a>) -> Result<Self, BlobError> {
        check_float_mode().map_err(BlobError::Network)?;
        let params = blob.params()?;
        blob.check_net(&net)?;
        Ok(Self { net, params, blob })
    }

    /// The network.
    #[must_use]
    pub fn net(&self) -> &N {
        &self.net
    }

    /// Its parameters, in place.
    #[must_use]
    pub fn params(&self) -> &'a [f32] {
        self.params
    }

    /// The blob, for what else it says.
    #[must_use]
    pub fn blob(&self) -> &Blob<'a> {
        &self.blob
    }

    /// The class with the largest logit, the first of them if there are several; of one output, see [`LossKind::class`].
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if `scratch` is shorter than [`infer_scratch`](Layer::infer_scratch)`(1)`, and
    /// those of [`Network::forward`]; more than one sample is [`Error::BufferLength`].
    pub fn classify<'x>(&self, x: impl IntoBatch<'x>, scratch: &mut [f32]) -> Result<usize, Error> {
        Ok(self.class_of(self.logits(x, scratch)?))
    }

    /// The class that these logits predict. Which loss it was matters for one output alone.
    fn class_of(&self, logits: &[f32]) -> usize {
        if self.net.outputs() == 1 { self.loss_kind().class(logits) } else { argmax(logits) }
    }

    /// The class of each sample: all at once, which reads the weights once for them all.
    ///
    /// # Shapes
    ///
    /// `classes: [batch]`, overwritten; `scratch` as long as [`infer_scratch`](Layer::infer_scratch)`(batch)` or longer.
    ///
    /// # Errors
    ///
    /// Those of [`Network::forward`], and [`Error::BufferLength`] naming `classes`.
    pub fn classify_batch<'x>(
        &self,
        x: impl IntoBatch<'x>,
        classes: &mut [usize],
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        let x = self.read(x.into_batch(self.net.inputs())?);
        check_len("classes", classes, x.len())?;
        let outputs = self.net.outputs();
        check_room("scratch", scratch, self.net.infer_scratch(x.len()))?;
        let (logits, between) = scratch.split_at_mut(x.len() * outputs);
        self.net.forward(self.params, x, logits, between)?;
        for (class, logits) in classes.iter_mut().zip(logits.chunks_exact(outputs.max(1))) {
            *class = self.class_of(logits);
        }
        Ok(())
    }

    /// The fraction of a source's samples whose class the model finds; NaN if it has none.
    ///
    /// # Errors
    ///
    /// Those of [`classify`](Self::classify), at the first sample that gives one.
    pub fn accuracy(&self, samples: &mut impl Samples, scratch: &mut [f32]) -> Result<f32, Error> {
        let (mut right, mut all) = (0_u32, 0_u32);
        while let Some(Sample { pixels, label }) = samples.next() {
            right += u32::from(self.classify(pixels, scratch)? == usize::from(label));
            all += 1;
        }
        Ok(right as f32 / all as f32)
    }

    /// The probability of each class, as [`LossKind::probabilities`] finds it from the outputs.
    ///
    /// # Shapes
    ///
    /// `probabilities: [outputs]`, overwritten.
    ///
    /// # Errors
    ///
    /// Those of [`classify`](Self::classify), and [`Error::BufferLength`] naming `probabilities`.
    pub fn probabilities<'x>(
        &self,
        x: impl IntoBatch<'x>,
        probabilities: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        check_len("probabilities", probabilities, self.net.outputs())?;
        let logits = self.logits(x, scratch)?;
        for (p, z) in probabilities.iter_mut().zip(logits) {
            *p = *z;
        }
        self.loss_kind().probabilities(probabilities);
        Ok(())
    }

    /// The loss that it was trained with; cross-entropy if the blob does not say where the model comes from.
    #[must_use]
    pub fn loss_kind(&self) -> LossKind {
        self.blob.loss_kind()
    }

    /// The samples, read as the blob says that pixels are read. What is not pixels is taken as it is.
    #[must_use]
    pub fn read<'x, T: Element>(&self, x: Batch<'x, T>) -> Batch<'x, T> {
        if T::MAP == InputMap::PIXELS { x.with_map(self.blob.input_map()) } else { x }
    }

    /// The logits of one sample, `[outputs]`, in the scratch.
    ///
    /// # Errors
    ///
    /// Those of [`classify`](Self::classify).
    pub fn logits<'s, 'x>(
        &self,
        x: impl IntoBatch<'x>,
        scratch: &'s mut [f32],
    ) -> Result<&'s [f32], Error> {
        let needed = self.net.infer_scratch(1);
        check_room("scratch", scratch, needed)?;
        let too_short = Error::BufferTooShort { what: "scratch", needed, got: scratch.len() };
        let (logits, between) =
            scratch.split_at_mut_checked(self.net.outputs()).ok_or(too_short)?;
        let x = self.read(x.into_batch(self.net.inputs())?);
        self.net.forward(self.params, x, logits, between)?;
        Ok(logits)
    }

    /// The score of one sample of an autoencoder: how far its outputs are from its inputs, the mean square over the features,
    /// each in standard deviations of the training data. Above the blob's
    /// [`anomaly_threshold`](Blob::anomaly_threshold), the sample is an anomaly.
    ///
    /// # Errors
    ///
    /// Those of [`classify`](Self::classify), and [`Error::InputWidth`] for a network that does not rebuild its inputs.
    pub fn anomaly_score(&self, x: &[f32], scratch: &mut [f32]) -> Result<f32, Error> {
        let y = self.logits(x, scratch)?;
        if y.len() != x.len() {
            return Err(Error::InputWidth { expected: y.len(), got: x.len() });
        }
        Ok(mean_square(y, x, self.score_scales()))
    }

    /// What the differences of outputs and inputs are multiplied by in a score, for each; empty for 1.
    #[must_use]
    pub fn score_scales(&self) -> &'a [f32] {
        match self.blob.layer(0) {
            Ok(AnyLayer::Rescale(_)) => self.params.get(..self.net.inputs()).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Runs the blob's own test vectors; returns the first difference from the expected bits.
    ///
    /// # Errors
    ///
    /// Those of [`classify`](Self::classify).
    pub fn self_test(&self, scratch: &mut [f32]) -> Result<Option<SelfTestFailure>, Error> {
        let Some(test) = self.blob.self_test() else { return Ok(None) };
        test.run(&self.net, self.params, self.blob.input_map(), scratch)
    }
}

/// The mean of the squared differences, each times its scale, summed in order; scales that are missing are 1.
#[must_use]
pub fn mean_square(y: &[f32], x: &[f32], scales: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (at, (y, x)) in y.iter().zip(x).enumerate() {
        let difference = (y - x) * scales.get(at).copied().unwrap_or(1.0);
        sum += difference * difference;
    }
    sum / y.len() as f32
}
