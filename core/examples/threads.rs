//! Trains on two threads: the parameters are those of one thread, bit for bit.
//!
//! `cargo run --release -p picomlp --example threads`

use std::thread;

use picomlp::fingerprint::fingerprint;
use picomlp::{Adam, Buffers, Error, Init, Layer, Mlp, Network, Serial, Threads, Trainer};
use picomlp_fixtures::digits;

type Net = Mlp<784, 256, 10>;

const BATCH: usize = 64;

/// Starts a thread for each half of the work. Starting one takes longer than some of the halves;
/// a program that needs speed keeps its threads, as `picomlp_train::Pool` does.
struct Scoped;

impl Threads for Scoped {
    fn count(&self) -> usize {
        2
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        thread::scope(|scope| {
            scope.spawn(a);
            b();
        });
    }
}

fn train(threads: &dyn Threads) -> Result<u64, Error> {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1)?;
    let buffers = Buffers {
        params: &mut params[..],
        state: vec![0.0; Adam::state_len(Net::PARAMS)],
        workspace: vec![0.0; Net::default().train_scratch_on(threads.count(), BATCH)],
    };
    let mut trainer = Trainer::new(Net::default(), Adam::new(1e-3), buffers)?.with_threads(threads);
    let (mut images, mut labels) = ([[0; digits::PIXELS]; BATCH], [0; BATCH]);
    for step in 0..20 {
        for (i, (image, label)) in images.iter_mut().zip(&mut labels).enumerate() {
            *label = digits::sample(step * BATCH as u64 + i as u64, 1, image);
        }
        trainer.step(&images, &labels)?;
    }
    Ok(fingerprint(&params))
}

fn main() -> Result<(), Error> {
    let (one, two) = (train(&Serial)?, train(&Scoped)?);
    println!("one thread {one:016x}, two threads {two:016x}");
    assert_eq!(one, two);
    Ok(())
}
