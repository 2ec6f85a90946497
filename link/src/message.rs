//! What frames say.

use core::fmt;

use bytemuck::cast_slice;

/// The most bytes of a device's name that are sent.
pub const MAX_NAME: usize = 64;

/// Bytes of [`Info`] before the name.
const INFO: usize = 28;

/// A request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Asks for [`Info`].
    Hello,
    /// What the device runs.
    Info(Info<'a>),
    /// Asks for the logits of one sample.
    Classify {
        /// The sample: its pixels, or its features in little-endian f32.
        pixels: &'a [u8],
    },
    /// What the device computed.
    Result {
        /// The class that it found.
        class: u32,
        /// Its logits, `[outputs]`.
        logits: Words<'a>,
    },
    /// Asks for the features of the next sample.
    Read,
    /// What the device's sensor gave, as features.
    Features {
        /// The features, as the bits of `f32`.
        values: Words<'a>,
    },
    /// The device could not do what it was asked.
    Error {
        /// The reason, as a number.
        code: ErrorCode,
        /// The reason in words; UTF-8, may be empty.
        text: &'a str,
    },
}

/// Numbers of the kinds.
mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const INFO: u8 = 2;
    pub(super) const CLASSIFY: u8 = 3;
    pub(super) const RESULT: u8 = 4;
    pub(super) const ERROR: u8 = 5;
    pub(super) const READ: u8 = 6;
    pub(super) const FEATURES: u8 = 7;
}

/// What a device runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info<'a> {
    /// The fingerprint of its parameters.
    pub fingerprint: u64,
    /// The fingerprint of its layers:
    /// [`Blob::architecture_fingerprint`](picomlp::blob::Blob::architecture_fingerprint).
    pub architecture: u64,
    /// Values in one sample.
    pub inputs: u32,
    /// Logits of one sample.
    pub outputs: u32,
    /// What its logits are.
    pub arithmetic: Arithmetic,
    /// What it calls itself: UTF-8, cut at [`MAX_NAME`] bytes.
    pub name: &'a str,
}

/// What a device computes in, and so what its logits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arithmetic {
    /// Logits are the bits of an `f32`.
    F32,
    /// Logits are `i32`.
    Int8,
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        })
    }
}

/// Why a device could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request came garbled; it can be sent again.
    Garbled,
    /// A version, kind or arithmetic that the device does not know.
    Unsupported,
    /// The request is not as long as the device's model needs it.
    Length,
    /// The device has no model that it can run.
    NoModel,
    /// Something else, or a number that this version does not know.
    Failed,
}

impl ErrorCode {
    const NUMBERS: [(Self, u32); 5] = [
        (Self::Garbled, 1),
        (Self::Unsupported, 2),
        (Self::Length, 3),
        (Self::NoModel, 4),
        (Self::Failed, 5),
    ];

    fn number(self) -> u32 {
        Self::NUMBERS.iter().find(|(code, _)| *code == self).map_or(0, |(_, number)| *number)
    }

    fn from_number(number: u32) -> Self {
        let found = Self::NUMBERS.iter().find(|(_, of)| *of == number);
        found.map_or(Self::Failed, |(code, _)| *code)
    }
}

/// 32-bit words, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words<'a>(&'a [[u8; 4]]);

impl<'a> Words<'a> {
    /// The bits of floats.
    #[must_use]
    pub fn from_floats(floats: &'a [f32]) -> Self {
        Self(cast_slice(floats))
    }

    /// Integers.
    #[must_use]
    pub fn from_integers(integers: &'a [i32]) -> Self {
        Self(cast_slice(integers))
    }

    /// The words, first to last.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.0.iter().map(|word| u32::from_le_bytes(*word))
    }
}

/// Why a sound frame says nothing that can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// A kind that this version does not know.
    Kind {
        /// The kind.
        got: u8,
    },
    /// The payload is not as long as its kind has it, or holds what its kind cannot.
    Payload {
        /// The kind.
        kind: u8,
        /// Bytes of payload.
        len: usize,
    },
    /// The device computes in something that this version does not know.
    Arithmetic {
        /// Its number.
        got: u32,
    },
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kind { got } => write!(f, "a message of the unknown kind {got}"),
            Self::Payload { kind, len } => {
                write!(
                    f,
                    "wrong length: a message of kind {kind} cannot have {len} bytes like these"
                )
            }
            Self::Arithmetic { got } => write!(f, "the unknown arithmetic {got}"),
        }
    }
}

impl core::error::Error for MessageError {}

impl<'a> Message<'a> {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Hello => kind::HELLO,
            Self::Info(_) => kind::INFO,
            Self::Classify { .. } => kind::CLASSIFY,
            Self::Result { .. } => kind::RESULT,
            Self::Error { .. } => kind::ERROR,
            Self::Read => kind::READ,
            Self::Features { .. } => kind::FEATURES,
        }
    }

    /// Hands over the payload in pieces.
    pub(super) fn payload(&self, mut take: impl FnMut(&[u8])) {
        match self {
            Self::Hello | Self::Read => {}
            Self::Features { values } => take(values.0.as_flattened()),
            Self::Info(info) => {
                take(&info.fingerprint.to_le_bytes());
                take(&info.architecture.to_le_bytes());
                let arithmetic = match info.arithmetic {
                    Arithmetic::F32 => 0,
                    Arithmetic::Int8 => 1,
                };
                for word in [info.inputs, info.outputs, arithmetic] {
                    take(&word.to_le_bytes());
                }
                take(cut(info.name, MAX_NAME).as_bytes());
            }
            Self::Classify { pixels } => take(pixels),
            Self::Result { class, logits } => {
                take(&class.to_le_bytes());
                take(logits.0.as_flattened());
            }
            Self::Error { code, text } => {
                take(&code.number().to_le_bytes());
                take(cut(text, MAX_NAME).as_bytes());
            }
        }
    }

    pub(super) fn from_payload(kind: u8, payload: &'a [u8]) -> Result<Self, MessageError> {
        let wrong = MessageError::Payload { kind, len: payload.len() };
        match kind {
            kind::HELLO if payload.is_empty() => Ok(Self::Hello),
            kind::INFO => Info::from_payload(payload, wrong).map(Self::Info),
            kind::CLASSIFY => Ok(Self::Classify { pixels: payload }),
            kind::RESULT => match payload.as_chunks::<4>() {
                ([class, logits @ ..], []) => {
                    Ok(Self::Result { class: u32::from_le_bytes(*class), logits: Words(logits) })
                }
                _ => Err(wrong),
            },
            kind::ERROR => {
                let (code, text) = payload.split_first_chunk::<4>().ok_or(wrong)?;
                let text = core::str::from_utf8(text).map_err(|_| wrong)?;
                Ok(Self::Error { code: ErrorCode::from_number(u32::from_le_bytes(*code)), text })
            }
            kind::READ if payload.is_empty() => Ok(Self::Read),
            kind::FEATURES => match payload.as_chunks::<4>() {
                (values, []) => Ok(Self::Features { values: Words(values) }),
                _ => Err(wrong),
            },
            kind::HELLO | kind::READ => Err(wrong),
            got => Err(MessageError::Kind { got }),
        }
    }
}

impl<'a> Info<'a> {
    fn from_payload(payload: &'a [u8], wrong: MessageError) -> Result<Self, MessageError> {
        let (fixed, name) = payload.split_at_checked(INFO).ok_or(wrong)?;
        let name = core::str::from_utf8(name).map_err(|_| wrong)?;
        let ([a, b, c, d, inputs, outputs, arithmetic], []) = fixed.as_chunks::<4>() else {
            return Err(wrong);
        };
        let [a, b, c, d, inputs, outputs, arithmetic] =
            [a, b, c, d, inputs, outputs, arithmetic].map(|word| u32::from_le_bytes(*word));
        let long = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let arithmetic = match arithmetic {
            0 => Arithmetic::F32,
            1 => Arithmetic::Int8,
            got => return Err(MessageError::Arithmetic { got }),
        };
        let (fingerprint, architecture) = (long(a, b), long(c, d));
        Ok(Self { fingerprint, architecture, inputs, outputs, arithmetic, name })
    }
}

/// The first `most` bytes of a text, or fewer, so that no character is cut.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
