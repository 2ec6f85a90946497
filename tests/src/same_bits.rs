//! Equal bits where the arithmetic is the same: sizes in the type or at run time, one sample or a batch of them,
//! pixels or floats, rows in place or copied; and the golden run.

use picomlp::fingerprint::fingerprint;
use picomlp::kernels::PIXEL_SCALE;
use picomlp::{
    Adam, Batch, Buffers, Chain, Dense, Element, FixedLayer, Init, InputMap, Layer, Mlp, Network,
    Optimizer, Relu, Sequential, Sgd, Threads, Trainer, rng,
};
use picomlp_tests::golden_run;

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

pub(crate) fn pixels(len: usize, seed: u64) -> Vec<u8> {
    let mut pixels = vec![0; len];
    picomlp_fixtures::sparse_pixels(&mut pixels, seed, 128);
    pixels
}

fn floats(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|p| f32::from(*p) * PIXEL_SCALE).collect()
}

pub(crate) fn labels(len: usize, classes: usize) -> Vec<u8> {
    (0..len).map(|s| (s * s % classes) as u8).collect()
}

pub(crate) fn initial(net: &impl Layer, seed: u64) -> Vec<f32> {
    let mut params = vec![f32::NAN; net.params()];
    net.init(&mut params, Init::He, seed).unwrap();
    params
}

pub(crate) fn forward<T: Element>(net: &impl Layer, params: &[f32], x: &[T]) -> Vec<f32> {
    let x = Batch::rows(x, net.inputs()).unwrap();
    let mut y = vec![f32::NAN; x.len() * net.outputs()];
    net.forward(params, x, &mut y, &mut vec![f32::NAN; net.infer_scratch(x.len())]).unwrap();
    y
}

/// Losses of four steps on one batch, then the parameters: all their bits. The scratch holds NaN to begin with and is
/// just as long as it must be.
fn train<O: Optimizer, T: Element>(
    net: &(impl Layer + Clone),
    optimizer: O,
    x: Batch<'_, T>,
    labels: &[u8],
) -> Vec<u32> {
    let mut params = initial(net, 6);
    let mut state = vec![0.0; O::STATE_PER_PARAM * params.len()];
    let mut scratch = vec![f32::NAN; net.train_scratch(x.len())];
    let mut trainer = Trainer::new(
        net.clone(),
        optimizer,
        Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
    )
    .unwrap();
    let mut result: Vec<f32> = (0..4).map(|_| trainer.step(x, labels).unwrap()).collect();
    result.extend(trainer.params());
    assert!(result.iter().all(|value| value.is_finite()));
    bits(&result)
}

/// [`train`] with either optimizer.
fn train_both<T: Element>(
    net: &(impl Layer + Clone),
    x: Batch<'_, T>,
    labels: &[u8],
) -> [Vec<u32>; 2] {
    [train(net, Sgd::new(0.1), x, labels), train(net, Adam::new(1e-2), x, labels)]
}

/// Everything that a network computes, with sizes in the type and at run time.
fn compare<N: FixedLayer>(widths: &[usize]) {
    let (fixed, free) = (N::default(), Sequential::mlp(widths).unwrap());
    assert_eq!(N::PARAMS, free.params(), "{widths:?}");
    for init in
        [Init::He, Init::HeNormal, Init::Xavier, Init::XavierNormal, Init::Normal(0.1), Init::Zeros]
    {
        let (mut a, mut b) = (vec![f32::NAN; N::PARAMS], vec![f32::NAN; N::PARAMS]);
        fixed.init(&mut a, init, 9).unwrap();
        free.init(&mut b, init, 9).unwrap();
        assert_eq!(fingerprint(&a), fingerprint(&b), "{widths:?}, {init:?}");
    }
    let params = initial(&fixed, 6);
    for batch in [1, 2, 5, 64, 67] {
        let x = pixels(batch * N::INPUTS, batch as u64);
        let (x32, labels) = (floats(&x), labels(batch, N::OUTPUTS));
        let y = bits(&forward(&fixed, &params, &x));
        assert_eq!(y, bits(&forward(&free, &params, &x)), "{widths:?}, batch {batch}");
        assert_eq!(y, bits(&forward(&free, &params, &x32)), "{widths:?}, batch {batch}, floats");
        let one_by_one = x.chunks(N::INPUTS).flat_map(|x| bits(&forward(&fixed, &params, x)));
        assert_eq!(y, one_by_one.collect::<Vec<_>>(), "{widths:?}, batch {batch}, one by one");

        let (x, x32) = (Batch::rows(&x, N::INPUTS).unwrap(), Batch::rows(&x32, N::INPUTS).unwrap());
        let trained = train_both(&fixed, x, &labels);
        assert!(trained == train_both(&free, x, &labels), "{widths:?}, batch {batch}");
        assert!(trained == train_both(&free, x32, &labels), "{widths:?}, batch {batch}, floats");
    }
}

#[test]
fn networks_with_sizes_in_the_type_and_at_run_time_give_the_same_bits() {
    compare::<Dense<65, 7>>(&[65, 7]);
    compare::<Dense<3, 1>>(&[3, 1]);
    compare::<Mlp<20, 16, 5>>(&[20, 16, 5]);
    compare::<Mlp<131, 43, 10>>(&[131, 43, 10]);
    compare::<Chain<Chain<Mlp<70, 19, 33>, Relu<33>>, Dense<33, 10>>>(&[70, 19, 33, 10]);
    // Chained from the right: more memory between the layers, the same arithmetic.
    compare::<
        Chain<Dense<70, 19>, Chain<Relu<19>, Chain<Dense<19, 33>, Chain<Relu<33>, Dense<33, 10>>>>>,
    >(&[70, 19, 33, 10]);
}

#[test]
fn rows_picked_in_place_give_the_bits_of_copied_rows() {
    let net = Mlp::<131, 43, 10>::default();
    let (x, labels) = (pixels(90 * 131, 4), labels(90, 10));
    let mut order = [0; 90];
    rng::shuffle(&mut order, 4, 1);
    for picked in order.chunks(67) {
        let row = |i: &u32| &x[*i as usize * 131..][..131];
        let copied: Vec<u8> = picked.iter().flat_map(row).copied().collect();
        let labels: Vec<u8> = picked.iter().map(|i| labels[*i as usize]).collect();
        let in_place = Batch::gather(&x, 131, picked).unwrap();
        let copied = Batch::rows(&copied, 131).unwrap();
        assert!(train_both(&net, in_place, &labels) == train_both(&net, copied, &labels));
    }
}

#[test]
fn smaller_last_batch_gives_the_bits_it_gives_in_a_trainer_of_its_size() {
    type Net = Mlp<131, 43, 10>;
    let (x, labels) = (pixels(70 * 131, 5), labels(70, 10));
    let last = || (&x[64 * 131..], &labels[64..]);
    let mut params = initial(&Net::default(), 6);
    let mut scratch = vec![f32::NAN; Net::train_scratch(64)];
    let mut trainer = Trainer::new(
        Net::default(),
        Sgd::new(0.1),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
    )
    .unwrap();
    trainer.step(&x[..64 * 131], &labels[..64]).unwrap();
    let mut other_params = trainer.params().to_vec();
    let mut other_scratch = vec![f32::NAN; Net::train_scratch(6)];
    let loss = trainer.step(last().0, last().1).unwrap();
    let mut other = Trainer::new(
        Net::default(),
        Sgd::new(0.1),
        Buffers { params: &mut other_params, state: &mut [0.0; 0], workspace: &mut other_scratch },
    )
    .unwrap();
    assert_eq!(loss.to_bits(), other.step(last().0, last().1).unwrap().to_bits());
    assert_eq!(fingerprint(trainer.params()), fingerprint(other.params()));
}

#[test]
fn training_twice_with_one_seed_gives_the_same_bits_and_another_seed_others() {
    let net = Mlp::<20, 16, 5>::default();
    let (x, labels) = (pixels(160, 6), labels(8, 5));
    let x = Batch::rows(&x, 20).unwrap();
    assert!(train_both(&net, x, &labels) == train_both(&net, x, &labels));
    assert_ne!(fingerprint(&initial(&net, 6)), fingerprint(&initial(&net, 7)));
}

#[test]
fn golden_run_ends_in_the_fingerprint_of_every_machine() {
    let golden = golden_run::run().unwrap();
    assert!(golden.is_expected(), "\n{golden}");
}

/// Reports N threads and runs the halves in reverse order.
pub(crate) struct Backwards(pub(crate) usize);

impl Threads for Backwards {
    fn count(&self) -> usize {
        self.0
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        b();
        a();
    }
}

#[test]
fn training_on_any_number_of_threads_gives_the_same_bits() {
    let net = Sequential::mlp(&[300, 120, 60, 10]).unwrap();
    let map = InputMap { scale: 0.0127, shift: -0.42 };
    let pixels = pixels(70 * 300, 3);
    let labels = labels(70, 10);
    let train = |threads: usize, map: InputMap| {
        let mut params = initial(&net, 1);
        let mut state = vec![0.0; Adam::state_len(params.len())];
        let mut scratch = vec![f32::NAN; net.train_scratch_on(threads, 70)];
        let adam = Adam::new(1e-3);
        let trainer = Trainer::new(
            net.clone(),
            adam,
            Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
        )
        .unwrap();
        let threads = Backwards(threads);
        let mut trainer = trainer.with_threads(&threads);
        let x = Batch::rows(&pixels, 300).unwrap().with_map(map);
        let losses: Vec<f32> = (0..5).map(|_| trainer.step(x, &labels[..]).unwrap()).collect();
        (bits(&losses), fingerprint(&params))
    };
    for map in [InputMap::PIXELS, map] {
        let one = train(1, map);
        for threads in [2, 3, 4, 7, 16] {
            assert_eq!(train(threads, map), one, "{threads} threads, {map:?}");
        }
    }
}

/// What `docs/numerics.md` says of standardised inputs, against inputs that were standardised one by one: the same
/// function up to rounding, which is bounded by that of sums of 300 terms.
#[test]
fn inputs_read_with_a_shift_give_the_logits_of_shifted_inputs() {
    let map = InputMap { scale: 0.0127, shift: -0.42 };
    let net = Sequential::mlp(&[300, 10]).unwrap();
    let (params, pixels) = (initial(&net, 1), pixels(4 * 300, 9));
    let shifted: Vec<f32> = pixels.iter().map(|p| f32::from(*p) * map.scale + map.shift).collect();
    let plain = forward(&net, &params, &shifted);
    let mut folded = vec![0.0; plain.len()];
    let x = Batch::rows(&pixels, 300).unwrap().with_map(map);
    let mut scratch = vec![0.0; net.infer_scratch(4)];
    net.forward(&params, x, &mut folded, &mut scratch).unwrap();
    // Each side: 300 products and sums of magnitude |x|·|w| at the most, and the folded one 300 more sums of weights.
    let nu = 603.0 * 2f32.powi(-24);
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |max, value| max.max(value.abs()));
    let magnitude = 300.0 * (2.0 * largest(&shifted) + 2.0 * map.shift.abs()) * largest(&params);
    let bound = nu / (1.0 - nu) * magnitude;
    for (folded, plain) in folded.iter().zip(&plain) {
        assert!((folded - plain).abs() <= bound, "{folded} is not {plain} within {bound}");
    }
    assert!(bound < 0.02 * largest(&plain), "the bound {bound} says nothing");
}
