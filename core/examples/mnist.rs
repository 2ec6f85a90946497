//! A training loop of one's own, on MNIST: shuffling, epochs, accuracy on the test set.
//!
//! `cargo run --release -p picomlp --example mnist --features std -- FOLDER`
//!
//! FOLDER holds MNIST's four IDX files, unpacked. Without a folder, digits drawn by the program are learned.

use std::path::Path;
use std::{env, fs, io};

use picomlp::rng::shuffle;
use picomlp::{Adam, Batch, Buffers, Init, Mlp, Network, Trainer, argmax};
use picomlp_fixtures::digits;

type Net = Mlp<784, 128, 10>;

const BATCH: usize = 64;
const EPOCHS: u64 = 3;

/// Images of 784 pixels, one after the other, and their labels.
struct Set {
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Set {
    /// Reads `NAME-images-idx3-ubyte` and `NAME-labels-idx1-ubyte`: a header of 16 and of 8 bytes, then the data.
    fn read(folder: &Path, name: &str) -> io::Result<Self> {
        let images = fs::read(folder.join(format!("{name}-images-idx3-ubyte")))?;
        let labels = fs::read(folder.join(format!("{name}-labels-idx1-ubyte")))?;
        Ok(Self { images: images[16..].to_vec(), labels: labels[8..].to_vec() })
    }

    /// Draws digits; another seed gives others.
    fn draw(samples: u64, seed: u64) -> Self {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for index in 0..samples {
            let mut image = [0; digits::PIXELS];
            labels.push(digits::sample(index, seed, &mut image));
            images.extend(image);
        }
        Self { images, labels }
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let (train, test) = match env::args().nth(1) {
        Some(folder) => (Set::read(folder.as_ref(), "train")?, Set::read(folder.as_ref(), "t10k")?),
        None => (Set::draw(5_000, 1), Set::draw(1_000, 2)),
    };

    // A network of this size is too large for the stack of some threads: vectors instead of arrays.
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1)?;
    let buffers = Buffers {
        params: &mut params[..],
        state: vec![0.0; Adam::state_len(Net::PARAMS)],
        workspace: vec![0.0; Net::train_scratch(BATCH)],
    };
    let mut trainer = Trainer::new(Net::default(), Adam::new(1e-3), buffers)?;

    let mut order: Vec<u32> = (0..).take(train.labels.len()).collect();
    for epoch in 0..EPOCHS {
        shuffle(&mut order, 1, epoch);
        let mut loss = 0.0;
        for rows in order.chunks(BATCH) {
            let labels: Vec<u8> = rows.iter().map(|&row| train.labels[row as usize]).collect();
            // The images are read where they lie, in the order of `rows`.
            let batch = Batch::gather(&train.images, 784, rows)?;
            loss += trainer.step(batch, &labels[..])? * rows.len() as f32;
        }
        println!("epoch {}: loss {:.4}", epoch + 1, loss / order.len() as f32);
    }

    let mut scratch = vec![0.0; Net::INFER_SCRATCH];
    let mut correct = 0;
    for (image, &label) in test.images.chunks_exact(784).zip(&test.labels) {
        let mut logits = [0.0; 10];
        Net::default().forward(&params, image, &mut logits, &mut scratch)?;
        correct += usize::from(argmax(&logits) == usize::from(label));
    }
    println!("test accuracy {:.2} %", 100.0 * correct as f32 / test.labels.len() as f32);
    Ok(())
}
