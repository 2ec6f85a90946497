//! Makes one training step of a batch of 64 with a network of 784-128-10; for `cargo xtask frames`.

use picomlp::{Adam, Buffers, Init, Mlp, Network, Optimizer, Sgd, Trainer};

type Net = Mlp<784, 128, 10>;

fn step(optimizer: impl Optimizer) -> Result<f32, picomlp::Error> {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1)?;
    let state = vec![0.0; optimizer.state_len_of(&Net::default())];
    let buffers = Buffers { params, state, workspace: vec![0.0; Net::train_scratch(64)] };
    let pixels: Vec<u8> = (0..64 * 784).map(|i| if i % 5 == 0 { 200 } else { 0 }).collect();
    Trainer::new(Net::default(), optimizer, buffers)?.step(&pixels[..], &[3; 64])
}

fn main() -> Result<(), picomlp::Error> {
    let loss = match std::env::args().nth(1).as_deref() {
        Some("adam") => step(Adam::new(1e-3))?,
        _ => step(Sgd::new(0.1))?,
    };
    println!("loss {loss}");
    Ok(())
}
