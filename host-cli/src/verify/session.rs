//! Requests and their answers.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use picomlp_link::{Arithmetic, Decoder, ErrorCode, Frame, FrameError, MAGIC, MAX_NAME, Message};

use super::fault::Fault;
use super::link::{Event, Link};

/// How long a device that may still be starting has for the answer to a hello, before it is sent another.
const HELLO_AGAIN: Duration = Duration::from_millis(500);

/// Bytes of a payload that every answer but a result fits in.
const OTHER_ANSWERS: usize = 28 + MAX_NAME;

/// Returns the bytes of memory that a session with a model of N outputs needs.
pub(super) fn memory_len(outputs: usize) -> usize {
    OTHER_ANSWERS.max(4 + 4 * outputs)
}

/// What a device says of itself.
#[derive(Debug)]
pub(super) struct DeviceInfo {
    pub(super) fingerprint: u64,
    pub(super) architecture: u64,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) arithmetic: Arithmetic,
    pub(super) name: String,
}

/// What a device computed of one image.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) class: u32,
    pub(super) logits: Vec<u32>,
}

/// A message of the device.
enum Answer {
    Info(DeviceInfo),
    Outcome(Outcome),
    Features(Vec<f32>),
    Refused(ErrorCode, String),
    Other,
}

/// A device that answers one request after the other.
pub(super) struct Session<'m> {
    link: Link,
    timeout: Duration,
    decoder: Decoder<'m>,
    /// Bytes received and not decoded yet.
    unread: VecDeque<u8>,
    /// The first bytes since the last frame.
    first: Vec<u8>,
    sequence: u16,
    /// Once the device has answered, it says nothing but answers.
    started: bool,
}

impl<'m> Session<'m> {
    /// `memory` as long as [`memory_len`] says.
    pub(super) fn new(link: Link, timeout: Duration, memory: &'m mut [u8]) -> Self {
        Self {
            link,
            timeout,
            decoder: Decoder::new(memory),
            unread: VecDeque::new(),
            first: Vec::new(),
            sequence: 0,
            started: false,
        }
    }

    /// Asks what the device runs, until it answers. A request of the model that it should have is `request` bytes long.
    pub(super) fn hello(&mut self, request: usize) -> Result<DeviceInfo, Fault> {
        let until = Instant::now() + self.timeout;
        // What is left of the request of an earlier run that was stopped, for which the device would wait.
        let rest_of_request = vec![0; request + 4];
        // Garbled bytes may be noise, or an answer to an earlier run: they count only if nothing better comes.
        let mut garbled = None;
        loop {
            if self.sequence > 0 {
                self.link.send(rest_of_request.clone());
            }
            self.send(&Message::Hello);
            let again = until.min(Instant::now() + HELLO_AGAIN);
            while Instant::now() < again {
                match self.next(again) {
                    Ok((sequence, _, Answer::Info(info))) if sequence <= self.sequence => {
                        self.started = true;
                        return Ok(info);
                    }
                    Ok((got, _, Answer::Info(_))) => {
                        garbled = Some(Fault::Sequence { expected: self.sequence, got });
                    }
                    Ok((_, _, Answer::Refused(code, text))) => {
                        let fault = Fault::Refused { code, text };
                        if code != ErrorCode::Garbled {
                            return Err(fault);
                        }
                        garbled = Some(fault);
                    }
                    Ok((_, got, _)) => garbled = Some(Fault::Kind { expected: "info", got }),
                    Err(Fault::Stalled { .. }) => {}
                    Err(
                        fault @ Fault::Frame(
                            FrameError::HeaderCrc { .. } | FrameError::PayloadCrc { .. },
                        ),
                    ) => garbled = Some(fault),
                    Err(fault) => return Err(fault),
                }
            }
            if again == until {
                return Err(garbled.unwrap_or(self.stalled()));
            }
        }
    }

    /// Asks for one image's class and its `outputs` logits.
    pub(super) fn classify(&mut self, pixels: &[u8], outputs: usize) -> Result<Outcome, Fault> {
        match self.ask(&Message::Classify { pixels })? {
            (_, Answer::Outcome(outcome)) if outcome.logits.len() == outputs => Ok(outcome),
            (_, Answer::Outcome(outcome)) => {
                Err(Fault::Logits { expected: outputs, got: outcome.logits.len() })
            }
            (got, _) => Err(Fault::Kind { expected: "a result", got }),
        }
    }

    /// Sends a request; returns the kind of its answer, and what it says.
    fn ask(&mut self, message: &Message<'_>) -> Result<(u8, Answer), Fault> {
        self.send(message);
        let until = Instant::now() + self.timeout;
        let (got, kind, answer) = loop {
            let next = self.next(until)?;
            // A device that was slow to start answers to every hello.
            if !matches!(next.2, Answer::Info(_)) || Instant::now() >= until {
                break next;
            }
        };
        // A garbled request may have lost its number.
        if let Answer::Refused(code, text) = answer {
            return Err(Fault::Refused { code, text });
        }
        if got != self.sequence {
            return Err(Fault::Sequence { expected: self.sequence, got });
        }
        Ok((kind, answer))
    }

    /// Asks for the features of the next sample.
    pub(super) fn features(&mut self) -> Result<Vec<f32>, Fault> {
        match self.ask(&Message::Read)? {
            (_, Answer::Features(features)) => Ok(features),
            (got, _) => Err(Fault::Kind { expected: "features", got }),
        }
    }

    fn send(&mut self, message: &Message<'_>) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        Frame::write_pieces(self.sequence, message, |piece| bytes.extend_from_slice(piece));
        self.link.send(bytes);
    }

    /// The next frame: its sequence number, its kind and what it says.
    fn next(&mut self, until: Instant) -> Result<(u16, u8, Answer), Fault> {
        let mut late = false;
        loop {
            while let Some(byte) = self.unread.pop_front() {
                if self.first.len() < MAGIC.len() {
                    self.first.push(byte);
                }
                if let Some(came) = self.decoder.push(byte) {
                    self.first.clear();
                    let frame = came.map_err(Fault::Frame)?;
                    let answer = read(&frame)?;
                    return Ok((frame.sequence, frame.kind, answer));
                }
                if self.started && self.decoder.skipped() > 0 {
                    let mut got = core::mem::take(&mut self.first);
                    got.extend(self.unread.iter().take(MAGIC.len() - got.len()));
                    return Err(Fault::Magic { got });
                }
            }
            match self.link.receive(until) {
                Some(Event::Bytes(bytes)) => {
                    self.unread.extend(bytes);
                    // Bytes that came in time are decoded; a stream that never ends is not waited for.
                    if late {
                        return Err(self.stalled());
                    }
                    late = Instant::now() >= until;
                }
                Some(Event::End) => {
                    let pending = self.decoder.pending();
                    return Err(Fault::Ended { how: self.link.how_it_ended(), pending });
                }
                None => return Err(self.stalled()),
            }
        }
    }

    fn stalled(&self) -> Fault {
        let (pending, skipped) = (self.decoder.pending(), self.decoder.skipped());
        Fault::Stalled { timeout: self.timeout, pending, skipped }
    }
}

fn read(frame: &Frame<'_>) -> Result<Answer, Fault> {
    Ok(match frame.message().map_err(Fault::Message)? {
        Message::Info(info) => Answer::Info(DeviceInfo {
            fingerprint: info.fingerprint,
            architecture: info.architecture,
            inputs: info.inputs as usize,
            outputs: info.outputs as usize,
            arithmetic: info.arithmetic,
            name: info.name.to_owned(),
        }),
        Message::Result { class, logits } => {
            Answer::Outcome(Outcome { class, logits: logits.iter().collect() })
        }
        Message::Features { values } => {
            Answer::Features(values.iter().map(f32::from_bits).collect())
        }
        Message::Error { code, text } => Answer::Refused(code, text.to_owned()),
        _ => Answer::Other,
    })
}
