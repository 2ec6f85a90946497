//! A network with its int8 parameters in a blob, used in place.

use bytemuck::{cast_slice, cast_slice_mut, try_cast_slice_mut};

use super::format::layer_kind;
use super::{Blob, BlobError, FromBlob, SelfTestFailure};
use crate::Error;
use crate::fingerprint::{FNV_OFFSET, fnv1a};
use crate::int8::{Int8Layer, scratch_len};
use crate::kernels::{
    INT8_BLOCK, INT8_PAIRS, Int8Row, Int8Work, int8_forward, keep_rolled, requantize, rescale_all,
};
use crate::layers::Layer;
use crate::math::is_finite;
use crate::network::{check_len, check_room};

/// A network in integers alone: u8 pixels in, i32 logits of one scale out, and no float between.
///
/// ```
/// use picomlp::blob::{Aligned, Contents, Int8Contents};
/// use picomlp::{Init, Mlp, Network, QuantizedModel};
///
/// type Net = Mlp<4, 3, 2>;
/// let (net, mut params) = (Net::default(), [0.0; Net::PARAMS]);
/// net.init(&mut params, Init::He, 1)?;
/// let mut flash = Aligned([0xff; 512]);
/// let mut contents = Contents::new(&net, &params);
/// contents.int8 = Some(Int8Contents::new(&[2.0]));
/// contents.write(&mut flash.0)?;
///
/// let model = QuantizedModel::<Net>::from_blob(&*flash)?;
/// let mut scratch = [0; Net::INT8_SCRATCH];
/// let class = model.classify(&[255, 0, 0, 9], &mut scratch)?;
/// assert!(class < 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct QuantizedModel<'a, N> {
    net: N,
    rows: &'a [Int8Row],
    blob: Blob<'a>,
}

impl<'a, N: FromBlob> QuantizedModel<'a, N> {
    /// Checks the bytes and reads them in place, as [`Model::from_blob`](super::Model::from_blob) does.
    ///
    /// # Errors
    ///
    /// Any of [`BlobError`], saying which check failed.
    pub fn from_blob(bytes: &'a [u8]) -> Result<Self, BlobError> {
        let blob = Blob::parse(bytes)?;
        Self::with_net(N::from_blob(&blob)?, blob)
    }
}

impl<'a, N: Layer> QuantizedModel<'a, N> {
    /// Puts a parsed blob and its network together, as [`Model::with_net`](super::Model::with_net) does.
    ///
    /// # Errors
    ///
    /// [`BlobError::NoSection`] without int8 parameters, [`BlobError::Misaligned`], [`Error::DescribedParams`].
    pub fn with_net(net: N, blob: Blob<'a>) -> Result<Self, BlobError> {
        let rows = blob.int8_params()?;
        blob.check_net(&net)?;
        Ok(Self { net, rows, blob })
    }

    /// The network.
    #[must_use]
    pub fn net(&self) -> &N {
        &self.net
    }

    /// The blob, for what else it says.
    #[must_use]
    pub fn blob(&self) -> &Blob<'a> {
        &self.blob
    }

    /// `i32`s of scratch for one sample.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        scratch_len(self.net.shape().max_outputs, self.net.shape().activations)
    }

    /// Bytes of the int8 parameters.
    #[must_use]
    pub fn param_bytes(&self) -> usize {
        size_of_val(self.rows)
    }

    /// FNV-1a of the int8 parameters' bytes as they lie there: by which two machines compare them.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fnv1a(FNV_OFFSET, cast_slice(self.rows))
    }

    /// What 1 is worth in the logits: `logit as f32 * logit_step()` is to be compared with an f32 network's.
    #[must_use]
    pub fn logit_step(&self) -> f32 {
        self.layers().last().map_or(0.0, |(layer, _)| layer.step)
    }

    /// Makes int8 inputs of one sample's features, for [`logits`](Self::logits): f32, or i16 and i8 as they come from a sensor.
    /// Each is `x·scale + shift` with numbers of its own, rounded to the nearest of 0 to 255, halves upwards.
    ///
    /// # Shapes
    ///
    /// `x` and `inputs`: `[inputs]`.
    ///
    /// # Errors
    ///
    /// [`Error::InputWidth`]; [`Error::InputNotFinite`] for a NaN or an infinity; [`Error::Setting`] for a model that reads
    /// pixels, or whose bytes are not aligned.
    pub fn read_features<T: Copy + Into<f32>>(
        &self,
        x: &[T],
        inputs: &mut [u8],
    ) -> Result<(), Error> {
        let what =
            Error::Setting { what: "features", expected: "the inputs of the model's int8 form" };
        let maps = self.blob.int8_inputs().map_err(|_| what)?;
        for got in [x.len(), inputs.len()] {
            if got != maps.len() {
                return Err(Error::InputWidth { expected: maps.len(), got });
            }
        }
        for (input, ((x, [scale, shift]), to)) in x.iter().zip(maps).zip(inputs).enumerate() {
            let x: f32 = (*x).into();
            if !is_finite(x) {
                return Err(Error::InputNotFinite { sample: 0, input });
            }
            // Not below 0, so that the conversion rounds down.
            *to = ((x * scale + shift).clamp(0.0, 255.0) + 0.5) as u8;
        }
        Ok(())
    }

    /// The class with the largest logit, the first of them if there are several; of one output, see
    /// [`LossKind::class`](crate::LossKind::class).
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits).
    pub fn classify(&self, x: &[u8], scratch: &mut [i32]) -> Result<usize, Error> {
        Ok(self.class_of(self.logits(x, scratch)?))
    }

    /// The class that these logits predict, as [`classify`](Self::classify) chooses it.
    ///
    /// # Shapes
    ///
    /// `logits: [outputs]`.
    #[must_use]
    pub fn class_of(&self, logits: &[i32]) -> usize {
        match logits {
            [logit] if self.net.outputs() == 1 => {
                self.blob.loss_kind().class(&[*logit as f32 * self.logit_step()])
            }
            _ => largest(logits),
        }
    }

    /// The logits of one sample, `[outputs]`, in the scratch: integers that have one step in common.
    ///
    /// # Shapes
    ///
    /// `x: [inputs]`; `scratch` as long as [`scratch_len`](Self::scratch_len) (for a network of fixed sizes
    /// `Net::INT8_SCRATCH`) or longer.
    ///
    /// # Errors
    ///
    /// [`Error::InputWidth`] and [`Error::BufferTooShort`].
    pub fn logits<'s>(&self, x: &[u8], scratch: &'s mut [i32]) -> Result<&'s [i32], Error> {
        let (expected, got) = (self.net.inputs(), x.len());
        if got != expected {
            return Err(Error::InputWidth { expected, got });
        }
        let needed = self.scratch_len();
        check_room("scratch", scratch, needed)?;
        let too_short = Error::BufferTooShort { what: "scratch", needed, got: scratch.len() };
        let (work, rest) = scratch.split_at_mut_checked(2 * INT8_PAIRS).ok_or(too_short)?;
        let work: &mut [[u32; 2]] = try_cast_slice_mut(work).map_err(|_| too_short)?;
        let work: &mut Int8Work = work.try_into().map_err(|_| too_short)?;
        let sums_len = scratch_len(self.net.shape().max_outputs, 0) - 2 * INT8_PAIRS;
        let (sums, activations) = rest.split_at_mut_checked(sums_len).ok_or(too_short)?;
        let sums = sums.as_chunks_mut::<INT8_BLOCK>().0;
        let activations: &mut [u8] = cast_slice_mut(activations);

        let mut is_first = true;
        for (layer, is_hidden) in self.layers() {
            let width = layer.weights.inputs();
            let x = if is_first { x } else { activations.get(..width).unwrap_or_default() };
            is_first = false;
            let biases = layer.bias.as_flattened();
            sums.as_flattened_mut().iter_mut().zip(biases).for_each(|(sum, bias)| *sum = *bias);
            int8_forward(x, layer.weights, sums, work);
            if is_hidden {
                requantize(sums, layer.multipliers, activations.as_chunks_mut().0);
            } else {
                rescale_all(sums, layer.multipliers);
            }
        }
        Ok(sums.as_flattened().get(..self.net.outputs()).unwrap_or_default())
    }

    /// The outputs of one sample as floats, [`logits`](Self::logits) times [`logit_step`](Self::logit_step): the inputs of a head that is
    /// trained behind this model.
    ///
    /// # Shapes
    ///
    /// `features: [outputs]`; otherwise as for [`logits`](Self::logits).
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits), [`Error::BufferLength`] naming `features`.
    pub fn features(
        &self,
        x: &[u8],
        features: &mut [f32],
        scratch: &mut [i32],
    ) -> Result<(), Error> {
        check_len("features", features, self.net.outputs())?;
        let (logits, step) = (self.logits(x, scratch)?, self.logit_step());
        features.iter_mut().zip(logits).for_each(|(to, logit)| *to = *logit as f32 * step);
        Ok(())
    }

    /// Runs the blob's own int8 test vectors; returns the first difference from the expected integers.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits).
    pub fn self_test(&self, scratch: &mut [i32]) -> Result<Option<SelfTestFailure>, Error> {
        let Some(test) = self.blob.int8_self_test() else { return Ok(None) };
        for (vector, (pixels, expected)) in test.vectors().enumerate() {
            let logits = self.logits(pixels, scratch)?;
            for (output, (logit, expected)) in logits.iter().zip(expected).enumerate() {
                let got = *logit as u32;
                if got != expected {
                    return Ok(Some(SelfTestFailure {
                        vector,
                        layer: None,
                        output,
                        expected,
                        got,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Returns the dense layers in order, and whether a ReLU follows each.
    pub fn layers(&self) -> impl Iterator<Item = (Int8Layer<'a>, bool)> {
        let (blob, mut rows) = (self.blob, self.rows);
        (0..blob.layer_count()).filter_map(move |i| {
            let [kind, inputs, outputs, _] = blob.layer_row(i);
            if kind != layer_kind::DENSE {
                return None;
            }
            let (layer, rest) = Int8Layer::split(rows, inputs as usize, outputs as usize)?;
            rows = rest;
            let next = i + 1;
            let is_hidden =
                next < blob.layer_count() && blob.layer_row(next)[0] == layer_kind::RELU;
            Some((layer, is_hidden))
        })
    }
}

/// The index of the largest logit, the first of them if there are several.
fn largest(logits: &[i32]) -> usize {
    let (mut class, mut largest) = (0, i32::MIN);
    for (i, &logit) in logits.iter().enumerate() {
        keep_rolled();
        if logit > largest {
            (class, largest) = (i, logit);
        }
    }
    class
}
