//! The device protocol as `docs/device-protocol.md` has it.

use picomlp_link::{Decoder, Frame, Message, Words};

/// The bytes of the document's example of this name.
fn example(name: &str) -> Vec<u8> {
    let document = include_str!("../../docs/device-protocol.md");
    let (_, rest) = document.split_once(&format!("\n```{name}\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn documents_examples_are_the_frames_that_are_written_and_read() {
    let logits = [-0.5, 1.25];
    let result = Message::Result { class: 1, logits: Words::from_floats(&logits) };
    for (name, sequence, message) in [
        ("hello", 1, Message::Hello),
        ("classify", 2, Message::Classify { pixels: &[0, 128, 255] }),
        ("result", 2, result),
    ] {
        let expected = example(name);
        let mut written = vec![];
        Frame::write_pieces(sequence, &message, |piece| written.extend_from_slice(piece));
        assert_eq!(written, expected, "{name}");
        let mut memory = [0; 16];
        let mut decoder = Decoder::new(&mut memory);
        let (last, first) = expected.split_last().unwrap();
        assert!(first.iter().all(|byte| decoder.push(*byte).is_none()), "{name}");
        let frame = decoder.push(*last).unwrap().unwrap();
        assert_eq!((frame.sequence, frame.message()), (sequence, Ok(message)), "{name}");
    }
}
