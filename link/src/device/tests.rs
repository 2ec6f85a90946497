use std::string::String;
use std::vec::Vec;

use picomlp::blob::{Aligned, Contents};
use picomlp::{Init, Mlp, Network, argmax};

use super::*;
use crate::{Decoder, MAGIC};

type Net = Mlp<4, 3, 2>;

/// What a device with a small model answers to these bytes: sequence number and message in words.
fn answers(wire: &[u8]) -> Vec<(u16, String)> {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    let mut flash = Aligned([0xff; 512]);
    Contents::new(&Net::default(), &params).write(&mut flash.0).unwrap();
    let mut device = ModelDevice {
        model: Model::<Net>::from_blob(&*flash).unwrap(),
        name: "test",
        scratch: &mut [0.0; Net::INFER_SCRATCH],
    };
    let (mut request, mut reply) = ([0; 4], [0; 64]);
    let (mut requests, mut replies) = (Decoder::new(&mut request), Decoder::new(&mut reply));
    let mut seen = Vec::new();
    for byte in wire {
        let Some(came) = requests.push(*byte) else { continue };
        answer(&mut device, came, |piece| {
            for byte in piece {
                if let Some(frame) = replies.push(*byte) {
                    let frame = frame.unwrap();
                    seen.push((frame.sequence, std::format!("{:?}", frame.message().unwrap())));
                }
            }
        });
    }
    seen
}

fn request(sequence: u16, message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::write_pieces(sequence, message, |piece| bytes.extend_from_slice(piece));
    bytes
}

#[track_caller]
fn assert_answer(wire: &[u8], sequence: u16, part: &str) {
    let seen = answers(wire);
    assert!(
        matches!(&seen[..], [(of, text)] if *of == sequence && text.contains(part)),
        "{seen:?}"
    );
}

#[test]
fn device_says_what_it_runs_and_computes_the_models_logits() {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    let (mut logits, mut scratch) = ([0.0; 2], [0.0; Net::INFER_SCRATCH]);
    let pixels = [9, 0, 255, 1];
    Net::default().forward(&params, &pixels, &mut logits, &mut scratch).unwrap();
    let wire = [
        &b"noise"[..],
        &request(7, &Message::Hello),
        &request(8, &Message::Classify { pixels: &pixels }),
    ];
    let seen = answers(&wire.concat());
    let print = fingerprint(&params);
    assert_eq!((seen[0].0, seen[1].0, seen.len()), (7, 8, 2));
    assert!(seen[0].1.contains(&std::format!("fingerprint: {print}")), "{seen:?}");
    let (class, logits) = (argmax(&logits) as u32, Words::from_floats(&logits));
    assert_eq!(seen[1].1, std::format!("{:?}", Message::Result { class, logits }));
}

#[test]
fn device_answers_what_it_cannot_do_with_the_reason() {
    let short = request(3, &Message::Classify { pixels: &[1; 3] });
    assert_answer(&short, 3, "code: Length");
    assert_answer(&request(4, &Message::Classify { pixels: &[1; 5] }), 4, "code: Length");
    let unasked = Message::Error { code: ErrorCode::Failed, text: "" };
    assert_answer(&request(5, &unasked), 5, "code: Unsupported");
    let mut garbled = short.clone();
    garbled[17] ^= 1;
    assert_answer(&garbled, 3, "code: Garbled");
    garbled[MAGIC.len()] ^= 1;
    assert_answer(&garbled, 0, "code: Garbled");
}

/// As when a desktop is stopped in the middle of a request, and another one begins.
#[test]
fn device_is_reached_again_once_a_broken_request_is_filled_up_with_zeros() {
    let broken = &request(3, &Message::Classify { pixels: &[1; 4] })[..18];
    let wire = [broken, &[0; 4 + 4], &request(1, &Message::Hello)].concat();
    let seen = answers(&wire);
    assert!(seen[0].1.contains("Garbled") && seen[1].0 == 1 && seen[1].1.contains("Info"));
}
