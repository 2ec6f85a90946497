//! Both ends of the device protocol, each fed by a script of noise, frames and damaged frames.

use std::sync::LazyLock;

use picomlp::blob::{Contents, Int8Contents};
use picomlp::{Init, Mlp, Model, Network, QuantizedModel};
use picomlp_link::{
    Decoder, Device, Frame, FrameError, HEADER, MAGIC, Message, ModelDevice, OVERHEAD,
    QuantizedDevice, VERSION, answer,
};

use crate::blob::Bytes;
use crate::source::Source;

type Net = Mlp<5, 4, 3>;
const INPUTS: usize = 5;

/// A model with both forms.
static MODEL: LazyLock<Bytes> = LazyLock::new(|| {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    let net = Net::default();
    let mut contents = Contents::new(&net, &params);
    contents.int8 = Some(Int8Contents::new(&[2.0]).keep_f32(true));
    let mut bytes = Bytes::new(16);
    contents.write_pieces(|piece| bytes.extend_from_slice(piece)).unwrap();
    bytes
});

/// The device's end: each frame gets one answer of its number, and after any bytes at all a device can still be talked to.
pub fn device(data: &[u8]) -> bool {
    let mut from = Source(data);
    if from.below(2) == 0 {
        let mut scratch = [0.0; Net::INFER_SCRATCH];
        let model = Model::<Net>::from_blob(&MODEL).unwrap();
        talk(&mut ModelDevice { model, name: "device", scratch: &mut scratch }, from)
    } else {
        let mut scratch = [0; Net::INT8_SCRATCH];
        let model = QuantizedModel::<Net>::from_blob(&MODEL).unwrap();
        talk(&mut QuantizedDevice { model, name: "device", scratch: &mut scratch }, from)
    }
}

fn talk(device: &mut impl Device, from: Source<'_>) -> bool {
    let mut taken = false;
    let wire = script(from);
    let mut memory = [0; INPUTS];
    let mut decoder = Decoder::new(&mut memory);
    for (at, byte) in wire.iter().enumerate() {
        if let Some(came) = decoder.push(*byte) {
            taken |= came.is_ok();
            check_answer(device, came);
        }
        assert!(decoder.pending() + decoder.skipped() <= at + 1);
        assert!(decoder.pending() <= OVERHEAD + INPUTS);
    }
    // As the desktop asks: what may be left of a request, then a hello; at the second time it is heard.
    let mut hello = vec![0; INPUTS + 4];
    Frame::write_pieces(u16::MAX, &Message::Hello, |piece| hello.extend_from_slice(piece));
    let heard = hello.iter().chain(&hello).any(|byte| {
        let came = decoder.push(*byte);
        matches!(came, Some(Ok(frame)) if frame.message() == Ok(Message::Hello))
    });
    assert!(heard);
    taken
}

/// The answer is one whole frame with the request's number, whatever came.
fn check_answer(device: &mut impl Device, came: Result<Frame<'_>, FrameError>) {
    let sequence = match came {
        Ok(frame) => frame.sequence,
        Err(FrameError::HeaderCrc { .. }) => 0,
        Err(
            FrameError::PayloadCrc { sequence, .. }
            | FrameError::Version { sequence, .. }
            | FrameError::TooLong { sequence, .. },
        ) => sequence,
        Err(other) => panic!("a fault that this property does not know: {other}"),
    };
    let asked = came.map(|frame| frame.message());
    let mut wire = vec![];
    answer(device, came, |piece| wire.extend_from_slice(piece));
    let mut memory = [0; 128];
    let mut desktop = Decoder::new(&mut memory);
    let (last, first) = wire.split_last().unwrap();
    assert!(first.iter().all(|byte| desktop.push(*byte).is_none()));
    let frame = desktop.push(*last).unwrap().unwrap();
    assert_eq!(frame.sequence, sequence);
    let said = frame.message().unwrap();
    let fits = match asked {
        Ok(Ok(Message::Hello)) => matches!(said, Message::Info(_)),
        Ok(Ok(Message::Classify { pixels })) if pixels.len() == INPUTS => {
            matches!(said, Message::Result { class, logits } if class < 3 && logits.iter().len() == 3)
        }
        _ => matches!(said, Message::Error { .. }),
    };
    assert!(fits, "{asked:?} was answered by {said:?}");
}

/// The desktop's end: whatever a device says, the session ends, in an answer or a fault that can be shown.
pub fn desktop(data: &[u8]) -> bool {
    let (answers, fault) = picomlp_cli::fuzzing::converse(script(Source(data)), INPUTS, 3);
    assert!(!format!("{fault:#}").is_empty());
    answers > 0
}

/// The bytes that a script stands for: noise as it is, frames with right checksums, frames with one wrong bit.
fn script(mut from: Source<'_>) -> Vec<u8> {
    let (mut wire, mut sequence) = (vec![], 1);
    while !from.is_empty() && wire.len() < 4096 {
        let op = from.byte();
        let len = from.below(64);
        match op % 8 {
            0 => wire.extend_from_slice(from.take(len)),
            1..=5 => frame(&mut wire, VERSION, op % 8, sequence, from.take(len)),
            6 => {
                let [version, kind] = [from.byte(), from.byte()];
                sequence = from.word() as u16;
                frame(&mut wire, version, kind, sequence, from.take(len));
            }
            _ => {
                let start = wire.len();
                frame(&mut wire, VERSION, from.byte() % 8, sequence, from.take(len));
                let flip = from.word() as usize % (8 * (wire.len() - start));
                wire[start + flip / 8] ^= 1 << (flip % 8);
            }
        }
        // The next answer is to the next request, most of the time.
        sequence = sequence.wrapping_add(u16::from(op & 0xf0 != 0xf0));
    }
    wire
}

/// A frame as `docs/device-protocol.md` has it.
fn frame(wire: &mut Vec<u8>, version: u8, kind: u8, sequence: u16, payload: &[u8]) {
    let mut header = MAGIC.to_vec();
    header.extend([version, kind]);
    header.extend(sequence.to_le_bytes());
    header.extend((payload.len() as u32).to_le_bytes());
    header.extend(crc32fast::hash(&header).to_le_bytes());
    assert_eq!(header.len(), HEADER);
    wire.extend(header);
    wire.extend_from_slice(payload);
    wire.extend(crc32fast::hash(payload).to_le_bytes());
}
