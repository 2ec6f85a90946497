//! A layer of one's own: softsign, `y = x / (1 + |x|)`.
//!
//! `cargo run -p picomlp --example custom_layer`

use picomlp::kernels::Sink;
use picomlp::layers::{Io, OutputUse, Pass, Shape};
use picomlp::{
    Adam, Batch, Buffers, Chain, Dense, Element, Error, FixedLayer, Init, Layer, Network, Trainer,
};

/// Softsign of `WIDTH` values.
#[derive(Clone, Copy, Debug, Default)]
struct Softsign<const WIDTH: usize>;

impl<const WIDTH: usize> Layer for Softsign<WIDTH> {
    // Known to the compiler, so that a network of layers that do not meet does not compile.
    const STATIC_SHAPE: Option<Shape> = Some(Self::SHAPE);

    fn shape(&self) -> Shape {
        Self::SHAPE
    }

    fn init_pass(&self, _params: &mut [f32], _init: Init, _seed: u64, _index: &mut u64) {}

    /// Works in place: `y` holds the input.
    fn apply(&self, _pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
        for y in y {
            *y /= 1.0 + y.abs();
        }
        Ok(())
    }

    /// `dy/dx = 1 / (1 + |x|)² = (1 - |y|)²`
    fn backward_pass<T: Element>(
        &self,
        _pass: Pass<'_>,
        _sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        for (d_y, y) in io.d_y.iter_mut().zip(io.y) {
            *d_y *= (1.0 - y.abs()) * (1.0 - y.abs());
        }
        // The first layer of a network is not asked for the gradient at its inputs.
        if let Some(d_x) = io.d_x {
            d_x.copy_from_slice(io.d_y);
        }
        Ok(())
    }
}

impl<const WIDTH: usize> FixedLayer for Softsign<WIDTH> {
    const SHAPE: Shape = Shape { reads: OutputUse::Values, ..Shape::in_place(WIDTH) };
}

type Net = Chain<Chain<Dense<2, 8>, Softsign<8>>, Dense<8, 2>>;

const INPUTS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
const LABELS: [u8; 4] = [0, 1, 1, 0];

fn main() -> Result<(), Error> {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::Xavier, 1)?;
    check_gradient(&params)?;

    let buffers = Buffers {
        params: &mut params,
        state: [0.0; Adam::state_len(Net::PARAMS)],
        workspace: [0.0; Net::train_scratch(4)],
    };
    let mut trainer = Trainer::new(Net::default(), Adam::new(0.05), buffers)?;
    let first = trainer.step(&INPUTS, &LABELS)?;
    let mut last = first;
    for _ in 0..300 {
        last = trainer.step(&INPUTS, &LABELS)?;
    }
    println!("loss {first:.4} -> {last:.4}");
    assert!(last < first / 20.0);
    Ok(())
}

/// Compares the gradient with central differences, as every new layer should be.
fn check_gradient(params: &[f32; Net::PARAMS]) -> Result<(), Error> {
    const STEP: f32 = 1e-3;
    let mut scratch = [0.0; Net::train_scratch(4)];
    let mut gradient = [0.0; Net::PARAMS];
    let x = || Batch::rows(INPUTS.as_flattened(), 2);
    Net::default().gradient(params, x()?, &LABELS, &mut gradient, &mut scratch)?;
    for (i, gradient) in gradient.into_iter().enumerate() {
        let mut loss_at = |offset| {
            let mut params = *params;
            params[i] += offset;
            let mut unused = [0.0; Net::PARAMS];
            Net::default().gradient(&params, x()?, &LABELS, &mut unused, &mut scratch)
        };
        let difference = (loss_at(STEP)? - loss_at(-STEP)?) / (2.0 * STEP);
        assert!((gradient - difference).abs() < 1e-3, "parameter {i}: {gradient}, {difference}");
    }
    println!("gradient checked");
    Ok(())
}
