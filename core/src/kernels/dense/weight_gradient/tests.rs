use std::vec;
use std::vec::Vec;

use super::*;
use crate::kernels::simd::testing::with_all_vectors;
use crate::kernels::testing::{Case, Halves, MAPS, assert_same_bits, cases};
use crate::kernels::{Serial, State, Update};

/// Remembers the gradient and how often each part of it came.
struct Recorder;

impl Update for Recorder {
    fn apply(&self, to: &mut [f32], state: State<'_>, gradient: Gradient<'_>, _: bool) {
        gradient.for_each_dense(to, state, |to, [times, _], gradient| {
            to.copy_from_slice(gradient);
            times.iter_mut().for_each(|times| *times += 1.0);
        });
    }
}

/// What `update` gives, each part of it once.
fn record(len: usize, update: impl Fn(&mut Sink<'_>)) -> Vec<f32> {
    let (mut gradient, mut times) = (vec![f32::NAN; len], vec![0.0; len]);
    update(&mut Sink::new(&mut gradient, &mut times, &Recorder));
    assert!(times[7..].iter().all(|&times| times == 1.0), "not once each: {times:?}");
    gradient.split_off(7)
}

/// As processors without vector registers do it.
fn by_scalars<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    outputs: usize,
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let (shifted, _) = work.split_at_mut(outputs);
    let is_shifted = bias_gradient(x.map().shift, d_y, x.width() * outputs, sink, shifted);
    let shifted = is_shifted.then_some(&*shifted);
    scalar::weight_gradient(
        x,
        d_y,
        outputs,
        shifted,
        sink,
        &mut vec![0.0; scalar::work_len(outputs, x.len())],
    );
}

fn compare<T: Element>(data: &[T], case: &Case) {
    let Case { batch, inputs, outputs } = *case;
    let d_y = case.values(batch * outputs, 3);
    let len = 7 + inputs * outputs + outputs;
    for map in [T::MAP].into_iter().chain(MAPS) {
        let x = Batch::rows(data, inputs).unwrap().with_map(map);
        let expected = record(len, |sink| dense_update_scalar(x, &d_y, 7, sink));
        let mut work = vec![f32::NAN; update_work(outputs, batch, 3)];
        let got = record(len, |sink| dense_update(&Serial, x, &d_y, 7, sink, &mut work.clone()));
        assert_same_bits(&got, &expected, case);
        work.fill(f32::NAN);
        let got = record(len, |sink| dense_update(&Halves(3), x, &d_y, 7, sink, &mut work.clone()));
        assert_same_bits(&got, &expected, case);
        let got = record(len, |sink| {
            by_scalars(x, &d_y, outputs, &mut sink.split_at(7).1, &mut work.clone())
        });
        assert_same_bits(&got, &expected, case);
    }
}

#[test]
fn dense_update_equals_scalar_bit_for_bit_at_every_size() {
    with_all_vectors(|| {
        for case in cases() {
            compare(&case.pixels(), &case);
            compare(&case.full_pixels(), &case);
            compare(&case.inputs(), &case);
            compare(&case.full_inputs(), &case);
        }
    });
}

/// Adds to what is there, as a batch in parts asks for; remembers which parameters came as a bias.
struct Adder;

impl Update for Adder {
    fn apply(&self, to: &mut [f32], state: State<'_>, gradient: Gradient<'_>, bias: bool) {
        if let Gradient::OuterProduct { rows, d_y, .. } = &gradient {
            for (row, x) in rows.iter() {
                let row = to[row * d_y.len()..].iter_mut();
                row.zip(*d_y).for_each(|(sum, d)| *sum += x * d);
            }
        }
        if !matches!(gradient, Gradient::Dense(_)) {
            return;
        }
        gradient.for_each_dense(to, state, |to, [is_bias, _], gradient| {
            to.copy_from_slice(gradient);
            is_bias.fill(f32::from(u8::from(bias)));
        });
    }
}

#[test]
fn sums_go_on_from_those_of_the_samples_before_and_a_bias_is_given_as_one() {
    with_all_vectors(|| {
        for case in cases() {
            let Case { batch, inputs, outputs } = case;
            let (pixels, d_y) = (case.pixels(), case.values(batch * outputs, 3));
            let len = inputs * outputs + outputs;
            let (mut work, maps) = (vec![0.0; update_work(outputs, batch, 1)], MAPS);
            for (map, more) in maps.into_iter().chain([u8::MAP]).zip([true, false].repeat(9)) {
                let x = Batch::rows(&pixels, inputs).unwrap().with_map(map);
                let mut given = |update: &mut dyn FnMut(&mut Sink<'_>, &mut [f32])| {
                    let (mut gradient, mut bias) = (case.values(len, 4), vec![0.0; len]);
                    let mut sink = Sink::new(&mut gradient, &mut bias, &Adder);
                    sink.accumulates = Some((&[], more));
                    update(&mut sink, &mut work);
                    let is_bias = bias.iter().position(|bias| *bias != 0.0).unwrap_or(len);
                    assert_eq!(is_bias, len - outputs, "{case:?}");
                    gradient
                };
                let expected = given(&mut |sink, _| dense_update_scalar(x, &d_y, 0, sink));
                let fast = given(&mut |sink, work| dense_update(&Serial, x, &d_y, 0, sink, work));
                assert_same_bits(&fast, &expected, &case);
                let scalar = given(&mut |sink, work| by_scalars(x, &d_y, outputs, sink, work));
                assert_same_bits(&scalar, &expected, &case);
            }
        }
    });
}

#[test]
fn an_input_that_is_zero_in_every_sample_has_a_gradient_of_positive_zero() {
    with_all_vectors(|| {
        let x = Batch::rows(&[0u8, 1, 0, 2], 2).unwrap();
        let d_y = [-1.0, 0.0, -1.0, -0.0];
        let mut work = [0.0; update_work(2, 2, 1)];
        let gradient =
            record(13, |sink| dense_update(&Serial, x, &d_y, 7, sink, &mut work.clone()));
        work.fill(0.0);
        assert_eq!(gradient[..2].iter().map(|g| g.to_bits()).collect::<Vec<_>>(), [0, 0]);
    });
}
