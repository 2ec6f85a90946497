//! Compares every kernel with its scalar twin, bit for bit, on the processor that it was written for.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::kernels::{
    AdamCoefficients, Batch, Element, InputMap, Serial, Sink, adam, adam_scalar, dense_forward,
    dense_forward_scalar, dense_input_gradient, dense_input_gradient_scalar, dense_update,
    dense_update_scalar, exp, exp_scalar, relu, relu_gradient, relu_gradient_scalar, relu_scalar,
    sgd, sgd_scalar, update_work,
};
use picomlp::{Adam, Buffers, Error, Mlp, Optimizer, Sgd, Trainer};
use picomlp_firmware::console::{exit, fail, print, print_u32};
use picomlp_firmware::float_mode;

type Net = Mlp<2, 1, 1>;

/// More inputs than a list of nonzeros holds, and a rest.
const INPUTS: usize = 131;
/// Every width of a block, alone and after a whole block.
const OUTPUTS: [usize; 10] = [1, 2, 3, 7, 10, 15, 16, 17, 33, 47];
const WIDEST: usize = 47;
const BATCHES: [usize; 4] = [1, 2, 5, 70];
const LARGEST: usize = 70;
const PARAMS: usize = (INPUTS + 1) * WIDEST;

/// Numbers of all magnitudes between 2⁻³⁰ and 1, some of them zero; the same on every machine.
struct Numbers(u32);

impl Numbers {
    fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn fill(&mut self, to: &mut [f32]) {
        for value in to {
            let bits = self.bits();
            let exponent = 127 - (bits >> 23 & 31) % 30;
            let float = f32::from_bits(bits & 0x8000_0000 | exponent << 23 | bits & 0x007f_ffff);
            *value = match bits >> 28 & 7 {
                0 => 0.0,
                1 => -0.0,
                _ => float,
            };
        }
    }

    fn pixels(&mut self, to: &mut [u8], share_of_zeros: u32) {
        for value in to {
            let bits = self.bits();
            *value = if bits % 256 < share_of_zeros { 0 } else { (bits >> 8) as u8 };
        }
    }
}

fn same(what: &str, got: &[f32], expected: &[f32]) {
    if got.len() != expected.len()
        || got.iter().zip(expected).any(|(a, b)| a.to_bits() != b.to_bits())
    {
        fail(what);
    }
}

fn dense<T: Element>(x: &[T], batch: usize, outputs: usize, numbers: &mut Numbers) {
    let mut weights = [0.0; PARAMS];
    let (weights, _) = weights.split_at_mut((INPUTS + 1) * outputs);
    numbers.fill(weights);
    let (w, bias) = weights.split_at(INPUTS * outputs);
    for map in [T::MAP, InputMap { scale: 0.3, shift: -0.2 }] {
        let Ok(x) = Batch::rows(x, INPUTS) else { fail("no batch") };
        let x = x.with_map(map);
        let (mut y, mut expected) = ([9.0; LARGEST * WIDEST], [9.0; LARGEST * WIDEST]);
        let (y, expected) = (&mut y[..batch * outputs], &mut expected[..batch * outputs]);
        dense_forward(&Serial, x, w, bias, y);
        dense_forward_scalar(x, w, bias, expected);
        same("dense_forward", y, expected);

        let (mut gradient, mut wanted) = ([0.0; PARAMS], [0.0; PARAMS]);
        let mut work = [9.0; update_work(WIDEST, LARGEST, 1)];
        dense_update(&Serial, x, y, 0, &mut Sink::keep(&[], &mut gradient, false), &mut work);
        dense_update_scalar(x, y, 0, &mut Sink::keep(&[], &mut wanted, false));
        let used = weights_len(outputs);
        same("dense_update", &gradient[..used], &wanted[..used]);

        let (mut params, mut moved) = ([0.0; PARAMS], [0.0; PARAMS]);
        numbers.fill(&mut params);
        moved.copy_from_slice(&params);
        sgd_scalar(&mut moved[..used], &wanted[..used], 0.3);
        let update = Sgd::new(0.3).begin();
        dense_update(&Serial, x, y, 0, &mut Sink::new(&mut params, &mut [], &update), &mut work);
        same("dense_update with SGD", &params[..used], &moved[..used]);
        one_adam_step(x, y, &wanted[..used], &mut work, numbers);

        let (mut d_x, mut expected) = ([9.0; LARGEST * INPUTS], [9.0; LARGEST * INPUTS]);
        let (d_x, expected) = (&mut d_x[..batch * INPUTS], &mut expected[..batch * INPUTS]);
        dense_input_gradient(&Serial, batch, y, w, d_x);
        dense_input_gradient_scalar(batch, y, w, expected);
        same("dense_input_gradient", d_x, expected);
    }
}

fn weights_len(outputs: usize) -> usize {
    (INPUTS + 1) * outputs
}

/// Two steps of Adam, row by row in the backward pass, against one pass over the whole gradient.
fn one_adam_step<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    gradient: &[f32],
    work: &mut [f32],
    numbers: &mut Numbers,
) {
    let used = gradient.len();
    let mut params = [0.0; PARAMS];
    numbers.fill(&mut params);
    let params = &mut params[..used];
    let mut state = [0.0; 2 * PARAMS];
    let state = &mut state[..2 * used];
    let mut expected = [0.0; PARAMS];
    expected[..used].copy_from_slice(params);
    let (mut m, mut v) = ([0.0; PARAMS], [0.0; PARAMS]);
    let mut optimizer = Adam::new(0.01);
    let rest = |beta: f64| (1.0 - beta) as f32;
    for step in 1..=2 {
        let update = optimizer.begin();
        dense_update(&Serial, x, d_y, 0, &mut Sink::new(params, state, &update), work);
        let power = |beta: f64| if step == 1 { beta } else { beta * beta };
        let c = AdamCoefficients {
            beta1: 0.9,
            beta1_rest: rest(0.9),
            beta2: 0.999,
            beta2_rest: rest(0.999),
            step: (f64::from(0.01f32) / (1.0 - power(0.9))) as f32,
            root_correction: (1.0 / picomlp::math::sqrt_f64(1.0 - power(0.999))) as f32,
            epsilon: 1e-8,
        };
        adam_scalar(&mut expected[..used], gradient, &mut m[..used], &mut v[..used], &c);
        same("dense_update with Adam", params, &expected[..used]);
        same("Adam's first moments", &state[..used], &m[..used]);
        same("Adam's second moments", &state[used..], &v[..used]);
    }
}

/// Lengths that are and are not whole groups, and moments around the one below which they become zero.
fn element_wise(numbers: &mut Numbers) {
    const N: usize = 37;
    for n in 0..=N {
        let mut values = [[0.0; N]; 4];
        values.iter_mut().for_each(|values| numbers.fill(values));
        let [w, g, mut m, mut v] = values;
        for (i, (m, v)) in m.iter_mut().zip(&mut v).enumerate() {
            *v = v.abs();
            if i % 3 == 0 {
                *m *= f32::from_bits((127 - 98 + i as u32 % 4) << 23);
                *v *= f32::from_bits((127 - 98 + i as u32 % 5) << 23);
            }
        }
        let (mut w1, mut m1, mut v1) = (w, m, v);
        let (mut w2, mut m2, mut v2) = (w, m, v);
        let c = AdamCoefficients {
            beta1: 0.9,
            beta1_rest: 0.1,
            beta2: 0.999,
            beta2_rest: 0.001,
            step: 0.01,
            root_correction: 31.6,
            epsilon: 1e-8,
        };
        for gradient in [g, [0.0; N]] {
            let gradient = &gradient[..n];
            adam(&mut w1[..n], gradient, &mut m1[..n], &mut v1[..n], &c);
            adam_scalar(&mut w2[..n], gradient, &mut m2[..n], &mut v2[..n], &c);
            same("adam: params", &w1, &w2);
            same("adam: m", &m1, &m2);
            same("adam: v", &v1, &v2);
        }
        sgd(&mut w1[..n], &g[..n], 0.7);
        sgd_scalar(&mut w2[..n], &g[..n], 0.7);
        same("sgd", &w1, &w2);
        relu_gradient(&g[..n], &mut w1[..n]);
        relu_gradient_scalar(&g[..n], &mut w2[..n]);
        same("relu_gradient", &w1, &w2);
        relu(&mut w1[..n]);
        relu_scalar(&mut w2[..n]);
        same("relu", &w1, &w2);
        exp(&mut w1[..n]);
        exp_scalar(&mut w2[..n]);
        same("exp", &w1, &w2);
    }
}

/// A trainer is made in the processor's first mode alone.
fn float_modes() {
    let is_refused = || {
        let mut params = [0.0; Net::PARAMS];
        let buffers = Buffers {
            params: &mut params,
            state: &mut [],
            workspace: [0.0; Net::train_scratch(1)],
        };
        matches!(Trainer::new(Net::default(), Sgd::new(0.1), buffers), Err(Error::FloatMode))
    };
    if is_refused() {
        fail("the first float mode is refused");
    }
    if !float_mode::OTHER_MODES.iter().all(|bits| float_mode::with(*bits, is_refused)) {
        fail("a float mode of other bits is not refused");
    }
}

#[entry]
fn main() -> ! {
    let mut numbers = Numbers(1);
    let mut sizes = 0;
    for batch in BATCHES {
        for outputs in OUTPUTS {
            for zeros in [0, 128, 250] {
                let mut pixels = [0; LARGEST * INPUTS];
                numbers.pixels(&mut pixels, zeros);
                dense(&pixels[..batch * INPUTS], batch, outputs, &mut numbers);
                sizes += 1;
            }
            let mut inputs = [0.0; LARGEST * INPUTS];
            numbers.fill(&mut inputs);
            dense(&inputs[..batch * INPUTS], batch, outputs, &mut numbers);
            sizes += 1;
        }
    }
    element_wise(&mut numbers);
    float_modes();
    print("kernels equal their scalar twins at ");
    print_u32(sizes);
    print(" sizes\n");
    print("other float modes are refused\n");
    exit(0)
}
