//! An optimizer of one's own: Lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023, program 1).
//!
//! `cargo run --release -p picomlp --example custom_optimizer`

use picomlp::optim::{Gradient, State, Update};
use picomlp::{Buffers, Error, Init, Mlp, Network, Optimizer, Trainer};
use picomlp_fixtures::digits;

/// Steps by the sign of an average of gradients.
#[derive(Clone, Copy, Debug)]
struct Lion {
    learning_rate: f32,
    beta1: f32,
    beta2: f32,
}

impl Optimizer for Lion {
    /// The average of gradients.
    const STATE_PER_PARAM: usize = 1;

    type Update = Self;

    /// What a step does; the settings are all that it needs.
    fn begin(&mut self) -> Self {
        *self
    }

    fn check(&self) -> Result<(), Error> {
        if self.learning_rate.is_finite() && self.learning_rate > 0.0 {
            return Ok(());
        }
        Err(Error::Setting { what: "learning_rate", expected: "a finite number above 0" })
    }

    fn learning_rate(&self) -> f32 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.learning_rate = rate;
    }
}

impl Update for Lion {
    /// Gets a block of parameters, their state and their gradient. Blocks come in any order and on any thread.
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, _bias: bool) {
        let Self { learning_rate, beta1, beta2 } = self;
        gradient.for_each_dense(params, state, |params, [average, _], gradient| {
            for ((w, m), g) in params.iter_mut().zip(average).zip(gradient) {
                let direction = beta1 * *m + (1.0 - beta1) * g;
                if direction != 0.0 {
                    *w -= learning_rate * direction.signum();
                }
                *m = beta2 * *m + (1.0 - beta2) * g;
            }
        });
    }
}

type Net = Mlp<784, 32, 10>;

fn main() -> Result<(), Error> {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1)?;
    let optimizer = Lion { learning_rate: 3e-5, beta1: 0.9, beta2: 0.99 };
    let buffers = Buffers {
        params,
        state: vec![0.0; Net::PARAMS],
        workspace: vec![0.0; Net::train_scratch(1)],
    };
    let mut trainer = Trainer::new(Net::default(), optimizer, buffers)?;
    let mut loss = [0.0; 4];
    for index in 0..4_000 {
        let mut image = [0; digits::PIXELS];
        let label = digits::sample(index, 1, &mut image);
        loss[index as usize / 1_000] += trainer.step(&image, &[label])? / 1_000.0;
    }
    println!("loss of each thousand of digits: {loss:.4?}");
    assert!(loss[3] < loss[0]);
    Ok(())
}
