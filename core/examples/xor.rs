//! Learns XOR: everything that a network needs, in arrays on the stack.
//!
//! `cargo run -p picomlp --example xor`

use picomlp::{Adam, Buffers, Error, Init, Mlp, Network, Trainer, argmax};

/// Two inputs, eight hidden units, two classes.
type Net = Mlp<2, 8, 2>;

const INPUTS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
const LABELS: [u8; 4] = [0, 1, 1, 0];

fn main() -> Result<(), Error> {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1)?;

    let buffers = Buffers {
        params: &mut params,
        state: [0.0; Adam::state_len(Net::PARAMS)],
        workspace: [0.0; Net::train_scratch(INPUTS.len())],
    };
    let mut trainer = Trainer::new(Net::default(), Adam::new(0.05), buffers)?;
    for step in 0..200 {
        let loss = trainer.step(&INPUTS, &LABELS)?;
        if step % 50 == 0 {
            println!("step {step:>3}: loss {loss:.4}");
        }
    }

    let mut scratch = [0.0; Net::INFER_SCRATCH];
    for (input, label) in INPUTS.iter().zip(LABELS) {
        let mut logits = [0.0; 2];
        Net::default().forward(&params, input, &mut logits, &mut scratch)?;
        println!("{input:?} is of class {}", argmax(&logits));
        assert_eq!(argmax(&logits), usize::from(label));
    }
    Ok(())
}
