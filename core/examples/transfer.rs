//! Transfer learning: the first layers stay as they are, and a new last layer learns other classes.
//!
//! `cargo run --release -p picomlp --example transfer`

use picomlp::{Adam, Buffers, Chain, Dense, Error, Init, Mlp, Network, Relu, Sgd, Trainer, argmax};
use picomlp_fixtures::digits;

/// Digits 0 to 4.
type Net = Mlp<784, 32, 5>;
/// Its first layers, whose parameters stand first in those of the network.
type Base = Chain<Dense<784, 32>, Relu<32>>;
/// A last layer for digits 5 to 9: 165 parameters.
type Head = Dense<32, 5>;

const SAMPLES: u64 = 2_000;

/// An image of one of the five digits from `first` on, and which of them it is.
fn sample(index: u64, first: u8) -> ([u8; digits::PIXELS], u8) {
    let mut image = [0; digits::PIXELS];
    let label = (index % 5) as u8;
    digits::draw(first + label, index, &mut image);
    (image, label)
}

fn main() -> Result<(), Error> {
    // The network that is there.
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1)?;
    let buffers = Buffers {
        params: &mut params[..],
        state: vec![0.0; Adam::state_len(Net::PARAMS)],
        workspace: vec![0.0; Net::train_scratch(1)],
    };
    let mut trainer = Trainer::new(Net::default(), Adam::new(1e-3), buffers)?;
    for index in 0..SAMPLES {
        let (image, label) = sample(index, 0);
        trainer.step(&image, &[label])?;
    }

    // Training the head takes its own 165 parameters and the 32 activations before it.
    let frozen = &params[..Base::PARAMS];
    let features = |image: &[u8; digits::PIXELS]| -> Result<[f32; 32], Error> {
        let mut features = [0.0; 32];
        Base::default().forward(frozen, image, &mut features, &mut [0.0; Base::INFER_SCRATCH])?;
        Ok(features)
    };
    let mut head = [0.0; Head::PARAMS];
    Head::default().init(&mut head, Init::He, 2)?;
    let buffers =
        Buffers { params: &mut head, state: [0.0; 0], workspace: [0.0; Head::train_scratch(1)] };
    let mut trainer = Trainer::new(Head::default(), Sgd::new(0.01), buffers)?;
    for index in 0..SAMPLES {
        let (image, label) = sample(index, 5);
        trainer.step(&features(&image)?, &[label])?;
    }

    let mut correct = 0;
    for index in SAMPLES..SAMPLES + 500 {
        let (image, label) = sample(index, 5);
        let mut logits = [0.0; 5];
        Head::default().forward(&head, &features(&image)?, &mut logits, &mut [])?;
        correct += usize::from(argmax(&logits) == usize::from(label));
    }
    println!("{correct} of 500 digits that the first layers have never seen are read");
    assert!(correct > 350);
    Ok(())
}
