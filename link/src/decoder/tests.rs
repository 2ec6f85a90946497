use std::vec::Vec;

use super::*;
use picomlp::rng::{Purpose, Stream};

use crate::{Arithmetic, ErrorCode, Info, MAX_NAME, Message, MessageError, OVERHEAD, Words};

const INFO: Info<'static> = Info {
    fingerprint: 0x0123_4567_89ab_cdef,
    architecture: u64::MAX - 1,
    inputs: 784,
    outputs: 10,
    arithmetic: Arithmetic::Int8,
    name: "brett ü",
};

const LOGITS: [f32; 3] = [1.5, -0.0, f32::NAN];

fn messages() -> [Message<'static>; 5] {
    [
        Message::Hello,
        Message::Info(INFO),
        Message::Classify { pixels: &[0xb5, b'P', b'M', b'D', 1] },
        Message::Result { class: 2, logits: Words::from_floats(&LOGITS) },
        Message::Error { code: ErrorCode::NoModel, text: "erased" },
    ]
}

fn bytes(sequence: u16, message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let len = Frame::write_pieces(sequence, message, |piece| bytes.extend_from_slice(piece));
    assert_eq!(len, bytes.len());
    bytes
}

/// What came out of a stream: sequence numbers of frames, and errors.
fn decode(memory: &mut [u8], stream: &[u8]) -> Vec<Result<u16, FrameError>> {
    let mut decoder = Decoder::new(memory);
    let mut found = Vec::new();
    for byte in stream {
        found.extend(decoder.push(*byte).map(|came| came.map(|frame| frame.sequence)));
    }
    found
}

#[test]
fn every_message_comes_out_as_it_went_in() {
    for message in messages() {
        let mut memory = [0; 64];
        let mut decoder = Decoder::new(&mut memory);
        let bytes = bytes(0xfffe, &message);
        let (last, first) = bytes.split_last().unwrap();
        assert!(first.iter().all(|byte| decoder.push(*byte).is_none()), "{message:?}");
        assert_eq!(decoder.pending(), first.len());
        let frame = decoder.push(*last).unwrap().unwrap();
        assert_eq!((frame.sequence, frame.message()), (0xfffe, Ok(message)));
    }
}

#[test]
fn words_are_the_bits_of_floats_and_integers() {
    assert!(Words::from_floats(&LOGITS).iter().eq(LOGITS.map(f32::to_bits)));
    assert!(Words::from_integers(&[-1, 7]).iter().eq([u32::MAX, 7]));
}

#[test]
fn every_cut_of_a_frame_needs_more() {
    for message in messages() {
        let bytes = bytes(3, &message);
        for cut in 0..bytes.len() {
            assert_eq!(decode(&mut [0; 64], &bytes[..cut]), [], "{message:?} cut at {cut}");
        }
    }
}

/// Each of the 255 other values at each place; no frame comes out, and one after it does.
#[test]
#[cfg_attr(miri, ignore = "too many values for an interpreter")]
fn every_change_of_a_single_byte_is_found() {
    for message in messages() {
        let good = bytes(3, &message);
        let mut stream = good.clone();
        stream.extend(bytes(4, &Message::Hello));
        for at in 0..good.len() {
            for change in 1..=255 {
                stream[at] ^= change;
                let found = decode(&mut [0; 64], &stream);
                let what = (&message, at, change, &found);
                let (last, before) = found.split_last().expect("the second frame was lost");
                assert_eq!(*last, Ok(4), "{what:?}");
                let header = |came: &_| matches!(came, Err(FrameError::HeaderCrc { .. }));
                match before {
                    [] => assert!(at < MAGIC.len(), "{what:?}"),
                    [Err(FrameError::PayloadCrc { sequence: 3, .. })] => {
                        assert!(at >= HEADER, "{what:?}");
                    }
                    // One message holds a magic itself, which is tried, too.
                    _ => assert!(at < HEADER && before.iter().all(header), "{what:?}"),
                }
                stream[at] ^= change;
            }
        }
    }
}

#[test]
fn noise_before_a_frame_is_passed_over_whatever_it_ends_in() {
    let frame = bytes(9, &Message::Hello);
    for noise in [
        &b"boot 1.2\r\nPMD ready\r\n"[..],
        &[0; 40],
        &[0xff; 7],
        &[0xb5],
        &[0xb5, 0xb5, b'P', 0xb5, b'P', b'M'],
        &frame[..7],
        &frame[..HEADER - 1],
    ] {
        let stream = [noise, &frame].concat();
        let mut memory = [0; 4];
        let mut decoder = Decoder::new(&mut memory);
        let (last, first) = stream.split_last().unwrap();
        for byte in first {
            // A frame that was broken off may be seen to be garbled, but not to be sound.
            assert!(!matches!(decoder.push(*byte), Some(Ok(_))), "{noise:?}");
        }
        assert_eq!(decoder.skipped(), noise.len(), "{noise:?}");
        assert!(matches!(decoder.push(*last), Some(Ok(Frame { sequence: 9, .. }))), "{noise:?}");
        assert_eq!((decoder.skipped(), decoder.pending()), (0, 0));
    }
}

#[test]
fn frame_that_is_too_long_or_of_another_version_is_named_at_its_header() {
    let long = bytes(5, &Message::Classify { pixels: &[7; 9] });
    let room = 8;
    assert_eq!(
        decode(&mut [0; 8], &long),
        [Err(FrameError::TooLong { sequence: 5, got: 9, room })]
    );
    assert_eq!(decode(&mut [0; 9], &long), [Ok(5)]);
    let mut other = bytes(5, &Message::Hello);
    other[at::VERSION] = 2;
    let crc = header_crc(other.first_chunk().unwrap());
    other[at::CRC..HEADER].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(decode(&mut [0; 8], &other), [Err(FrameError::Version { sequence: 5, got: 2 })]);
}

#[test]
#[cfg_attr(miri, ignore = "too many values for an interpreter")]
fn half_a_million_random_bytes_give_no_frame_and_no_panic() {
    let mut random = Stream::new(1, Purpose::Shuffle, 0);
    let mut memory = [0; 32];
    let mut decoder = Decoder::new(&mut memory);
    let mut headers = 0;
    for _ in 0..100_000 {
        // Often a magic, so that headers are reached.
        let piece = match random.below(4) {
            0 => MAGIC,
            _ => random.below(u32::MAX).to_le_bytes(),
        };
        for byte in piece.into_iter().chain([random.below(256) as u8]) {
            match decoder.push(byte) {
                None => {}
                Some(Err(FrameError::HeaderCrc { .. })) => headers += 1,
                Some(other) => panic!("{other:?}"),
            }
        }
        assert!(decoder.pending() <= HEADER);
    }
    assert!(headers > 1000, "{headers}");
}

/// Right checksums around anything at all.
#[test]
#[cfg_attr(miri, ignore = "too many values for an interpreter")]
fn random_payloads_of_every_kind_are_understood_or_refused() {
    let mut random = Stream::new(2, Purpose::Shuffle, 0);
    let mut understood = [0; 8];
    for round in 0..20_000 {
        let kind = random.below(8) as u8;
        let len = random.below(80) as usize;
        let mut payload: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
        if round % 2 == 0 {
            payload.iter_mut().for_each(|byte| *byte &= 1);
        }
        match Message::from_payload(kind, &payload) {
            Ok(message) => {
                understood[usize::from(kind)] += 1;
                let mut again = Vec::new();
                message.payload(|piece| again.extend_from_slice(piece));
                // A name that is too long is cut; codes from a later version become `Failed`.
                if !matches!(message, Message::Error { .. }) && len <= MAX_NAME {
                    assert_eq!(again, payload);
                }
            }
            Err(MessageError::Kind { got }) => assert!(kind == got && !(1..=5).contains(&kind)),
            Err(error) => assert!(!std::format!("{error}").is_empty()),
        }
    }
    assert!(understood[1..=5].iter().all(|count| *count > 0), "{understood:?}");
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let name = std::format!("x{}", "ü".repeat(MAX_NAME));
    let bytes = bytes(1, &Message::Info(Info { name: &name, ..INFO }));
    assert_eq!(bytes.len(), OVERHEAD + 28 + MAX_NAME - 1);
}
