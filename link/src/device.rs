//! The device's end: what it runs, and its answer to whatever comes in.

use bytemuck::cast_slice_mut;
use picomlp::fingerprint::fingerprint;
use picomlp::{Error, Layer, Model, QuantizedModel};

use super::frame::{Frame, FrameError};
use super::message::{Arithmetic, ErrorCode, Info, Message, MessageError, Words};

/// What can be asked for logits over the protocol.
pub trait Device {
    /// What it runs.
    fn info(&self) -> Info<'_>;

    /// The class of one sample, and its logits. `values` are its pixels, or, for a model of features, little-endian
    /// f32.
    ///
    /// # Errors
    ///
    /// [`Error::InputWidth`] if the sample is not `[inputs]`, and whatever keeps the model from running.
    fn classify(&mut self, values: &[u8]) -> Result<(u32, Words<'_>), Error>;

    /// Waits for the next sample of a sensor and returns its features, for `picomlp record`; nothing without a sensor.
    fn features(&mut self) -> Option<Words<'_>> {
        None
    }
}

/// A model in f32, as a device.
#[derive(Debug)]
pub struct ModelDevice<'a, N> {
    /// The model.
    pub model: Model<'a, N>,
    /// What the device calls itself.
    pub name: &'a str,
    /// As long as [`infer_scratch`](Layer::infer_scratch)`(1)` or longer; for features, `inputs` longer.
    pub scratch: &'a mut [f32],
}

impl<N: Layer> Device for ModelDevice<'_, N> {
    fn info(&self) -> Info<'_> {
        let (net, blob) = (self.model.net(), self.model.blob());
        Info {
            // Of the parameters as they lie there, not as the header says.
            fingerprint: fingerprint(self.model.params()),
            architecture: blob.architecture_fingerprint(),
            inputs: net.inputs() as u32,
            outputs: net.outputs() as u32,
            arithmetic: Arithmetic::F32,
            name: self.name,
        }
    }

    fn classify(&mut self, values: &[u8]) -> Result<(u32, Words<'_>), Error> {
        let expected = self.model.net().inputs();
        let logits = if self.model.blob().reads_features() {
            let (features, scratch) = copied(values, expected, self.scratch)?;
            self.model.logits(features, scratch)?
        } else if values.len() == expected {
            self.model.logits(values, self.scratch)?
        } else {
            return Err(Error::InputWidth { expected, got: values.len() });
        };
        Ok((self.model.loss_kind().class(logits) as u32, Words::from_floats(logits)))
    }
}

/// A model in int8, as a device.
#[derive(Debug)]
pub struct QuantizedDevice<'a, N> {
    /// The model.
    pub model: QuantizedModel<'a, N>,
    /// What the device calls itself.
    pub name: &'a str,
    /// As long as [`scratch_len`](QuantizedModel::scratch_len) or longer; for features, `2·inputs` longer.
    pub scratch: &'a mut [i32],
}

impl<N: Layer> Device for QuantizedDevice<'_, N> {
    fn info(&self) -> Info<'_> {
        let net = self.model.net();
        Info {
            fingerprint: self.model.fingerprint(),
            architecture: self.model.blob().architecture_fingerprint(),
            inputs: net.inputs() as u32,
            outputs: net.outputs() as u32,
            arithmetic: Arithmetic::Int8,
            name: self.name,
        }
    }

    fn classify(&mut self, values: &[u8]) -> Result<(u32, Words<'_>), Error> {
        let expected = self.model.net().inputs();
        let logits = if self.model.blob().reads_features() {
            let too_short = Error::BufferTooShort {
                what: "scratch",
                needed: 2 * expected + self.model.scratch_len(),
                got: self.scratch.len(),
            };
            let (inputs, rest) = self.scratch.split_at_mut_checked(expected).ok_or(too_short)?;
            let (features, rest) = rest.split_at_mut_checked(expected).ok_or(too_short)?;
            let (features, _) = copied(values, expected, cast_slice_mut(features))?;
            let inputs = cast_slice_mut::<i32, u8>(inputs).get_mut(..expected).ok_or(too_short)?;
            self.model.read_features(features, inputs)?;
            self.model.logits(inputs, rest)?
        } else {
            self.model.logits(values, self.scratch)?
        };
        Ok((self.model.class_of(logits) as u32, Words::from_integers(logits)))
    }
}

/// The features that little-endian bytes mean, at the start of the scratch, and the rest of it.
fn copied<'s>(
    bytes: &[u8],
    expected: usize,
    scratch: &'s mut [f32],
) -> Result<(&'s [f32], &'s mut [f32]), Error> {
    let (words, rest) = bytes.as_chunks::<4>();
    if words.len() != expected || !rest.is_empty() {
        return Err(Error::InputWidth { expected, got: words.len() });
    }
    let too_short = Error::BufferTooShort { what: "scratch", needed: expected, got: scratch.len() };
    let (features, scratch) = scratch.split_at_mut_checked(expected).ok_or(too_short)?;
    for (feature, word) in features.iter_mut().zip(words) {
        *feature = f32::from_le_bytes(*word);
    }
    Ok((features, scratch))
}

/// Answers what a [`Decoder`](super::Decoder) gave: hands the frame over in pieces, first to last.
///
/// What came garbled is answered as such, so that the other end need not wait; if not even its header was sound, with
/// the sequence number 0.
pub fn answer(
    device: &mut impl Device,
    came: Result<Frame<'_>, FrameError>,
    take: impl FnMut(&[u8]),
) {
    let error = |code, text| Message::Error { code, text };
    let (sequence, reply) = match came {
        Err(FrameError::HeaderCrc { .. }) => (0, error(ErrorCode::Garbled, "header")),
        Err(FrameError::PayloadCrc { sequence, .. }) => {
            (sequence, error(ErrorCode::Garbled, "payload"))
        }
        Err(FrameError::Version { sequence, .. }) => {
            (sequence, error(ErrorCode::Unsupported, "protocol version"))
        }
        Err(FrameError::TooLong { sequence, .. }) => {
            (sequence, error(ErrorCode::Length, "more values than the model has inputs"))
        }
        Ok(frame) => (
            frame.sequence,
            match frame.message() {
                Ok(Message::Hello) => Message::Info(device.info()),
                Ok(Message::Classify { pixels: values }) => match device.classify(values) {
                    Ok((class, logits)) => Message::Result { class, logits },
                    Err(Error::InputWidth { .. }) => {
                        error(ErrorCode::Length, "not as many values as the model has inputs")
                    }
                    Err(_) => error(ErrorCode::Failed, "the model cannot be run"),
                },
                Ok(Message::Read) => match device.features() {
                    Some(values) => Message::Features { values },
                    None => error(ErrorCode::Unsupported, "no sensor"),
                },
                Err(MessageError::Payload { .. }) => error(ErrorCode::Length, "request"),
                Ok(_) | Err(_) => error(ErrorCode::Unsupported, "kind of request"),
            },
        ),
    };
    Frame::write_pieces(sequence, &reply, take);
}

#[cfg(test)]
mod tests;
