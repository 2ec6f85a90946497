//! The network once more, in f64 and plain loops, and how far the f32 one may be from it.
//!
//! Dense layers with a ReLU after each but the last, softmax cross-entropy, mean over the batch. Nothing here
//! calls the crate under test.
//!
//! The bound is a running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
//! sections 3.1 and 3.3): beside each exact value goes a bound on the distance of the f32 one, and each
//! operation's rule says what it adds. f64's own rounding, 2⁻²⁹ of f32's, is left out of these bounds.

use core::ops::{Add, Div, Mul, Sub};

/// Unit roundoff of f32.
pub(crate) const U: f64 = 1.0 / (1u32 << 24) as f64;

/// `γₙ = nu/(1 - nu)`: the relative error of `n` roundings (Higham, lemma 3.1).
pub(crate) fn gamma(n: usize, u: f64) -> f64 {
    let nu = n as f64 * u;
    nu / (1.0 - nu)
}

/// A number, and the most by which the f32 one may differ from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Near {
    pub(crate) exact: f64,
    pub(crate) error: f64,
}

impl Near {
    pub(crate) fn exactly(x: f32) -> Self {
        Self { exact: f64::from(x), error: 0.0 }
    }

    /// The largest magnitude that the f32 number can have.
    fn size(self) -> f64 {
        self.exact.abs() + self.error
    }

    /// With so many roundings more.
    fn rounded(self, n: usize) -> Self {
        Self { error: self.error + gamma(n, U) * self.size(), ..self }
    }

    /// On which side of zero it is; panics if f32 may see it on the other: take another seed.
    pub(crate) fn is_positive(self) -> bool {
        assert!(
            self.exact.abs() > self.error,
            "a hidden unit is within {:e} of the kink",
            self.error
        );
        self.exact > 0.0
    }

    /// A function whose slope is nowhere steeper than `slope`, and which f32 finds within so many roundings.
    pub(crate) fn map(self, f: impl Fn(f64) -> f64, slope: f64, roundings: f64) -> Self {
        let inherited = Self { exact: f(self.exact), error: slope * self.error };
        Self { error: inherited.error + roundings * U * inherited.size(), ..inherited }
    }

    /// `1/√x`: the slope is steepest, `½x^(-3/2)`, at the smallest number that f32 may have there; two roundings.
    pub(crate) fn rsqrt(self) -> Self {
        let least = self.exact - self.error;
        assert!(least > 0.0, "a variance may be 0");
        Self { exact: 1.0 / self.exact.sqrt(), error: 0.5 * least.powf(-1.5) * self.error }
            .rounded(2)
    }
}

impl Add for Near {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { exact: self.exact + other.exact, error: self.error + other.error }.rounded(1)
    }
}

impl Sub for Near {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { exact: self.exact - other.exact, error: self.error + other.error }.rounded(1)
    }
}

impl Mul for Near {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let inherited = self.size() * other.error + self.error * other.exact.abs();
        Self { exact: self.exact * other.exact, error: inherited }.rounded(1)
    }
}

/// By a number without error.
impl Div for Near {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        assert!(other.error == 0.0);
        let by = other.exact;
        Self { exact: self.exact / by, error: self.error / by.abs() }.rounded(1)
    }
}

/// `Σ a·b` in f32, each product and each sum rounded. Terms with an exact zero add nothing, so round nothing.
pub(crate) fn sum(terms: impl Iterator<Item = (Near, Near)>) -> Near {
    let (mut exact, mut size, mut inherited, mut n) = (0.0, 0.0, 0.0, 0);
    for (a, b) in terms {
        exact += a.exact * b.exact;
        size += a.size() * b.size();
        inherited += a.size() * b.error + a.error * b.exact.abs();
        n += usize::from(a.size() > 0.0);
    }
    Near { exact, error: gamma(n + 1, U) * size + inherited }
}

/// Widths of the layers, and where each one's parameters lie: weights `[IN][OUT]`, then the bias.
pub(crate) struct Reference<'a> {
    pub(crate) widths: &'a [usize],
}

/// Loss and gradient with their bounds.
pub(crate) struct Bounded {
    pub(crate) loss: Near,
    pub(crate) gradient: Vec<Near>,
}

/// The mean loss, and what it was made of.
pub(crate) struct Forward {
    pub(crate) loss: f64,
    /// `[batch][classes]`.
    pub(crate) logits: Vec<f64>,
    /// Which hidden units were above zero, of all samples and layers.
    pub(crate) pattern: Vec<bool>,
}

impl Reference<'_> {
    pub(crate) fn inputs(&self) -> usize {
        self.widths[0]
    }

    pub(crate) fn classes(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// `(IN, OUT, start of its parameters)` of each dense layer.
    pub(crate) fn layers(&self) -> impl DoubleEndedIterator<Item = (usize, usize, usize)> {
        let mut at = 0;
        let layers = self.widths.windows(2).map(|pair| {
            let layer = (pair[0], pair[1], at);
            at += pair[0] * pair[1] + pair[1];
            layer
        });
        layers.collect::<Vec<_>>().into_iter()
    }

    /// The mean loss of the batch, in f64 alone.
    pub(crate) fn forward(&self, params: &[f64], x: &[f64], labels: &[u8]) -> Forward {
        let mut result = Forward { loss: 0.0, logits: vec![], pattern: vec![] };
        for (x, label) in x.chunks(self.inputs()).zip(labels) {
            let mut values = x.to_vec();
            for (inputs, outputs, at) in self.layers() {
                if at > 0 {
                    result.pattern.extend(values.iter().map(|v| *v > 0.0));
                    values.iter_mut().for_each(|v| *v = v.max(0.0));
                }
                let (weights, bias) = params[at..].split_at(inputs * outputs);
                let mut next = bias[..outputs].to_vec();
                for (value, row) in values.iter().zip(weights.chunks(outputs)) {
                    for (next, w) in next.iter_mut().zip(row) {
                        *next += value * w;
                    }
                }
                values = next;
            }
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = values.iter().map(|z| (z - max).exp()).sum();
            result.loss += sum.ln() + max - values[usize::from(*label)];
            result.logits.extend(values);
        }
        result.loss /= labels.len() as f64;
        result
    }

    /// Loss and gradient, by the chain rule in f64, with bounds on the distance of those that f32 gives.
    ///
    /// Panics where a hidden unit is so close to zero that f32 may see it on the other side: take another seed.
    pub(crate) fn bounded(&self, params: &[f32], x: &[f32], labels: &[u8]) -> Bounded {
        let batch = labels.len();
        let params: Vec<Near> = params.iter().map(|p| Near::exactly(*p)).collect();
        let one = Near::exactly(1.0);
        // values[l][s]: what dense layer l reads of sample s; the last are the logits.
        let mut values = vec![x.chunks(self.inputs()).map(nears).collect::<Vec<_>>()];
        for (inputs, outputs, at) in self.layers() {
            let weight = |i: usize, o: usize| params[at + i * outputs + o];
            let last = at + inputs * outputs + outputs == params.len();
            let of_sample = |x: &Vec<Near>| {
                let unit = |o| {
                    let bias = params[at + inputs * outputs + o];
                    let terms = x.iter().enumerate().map(|(i, x)| (*x, weight(i, o)));
                    let y = sum(terms.chain([(bias, one)]));
                    if last { y } else { relu(y) }
                };
                (0..outputs).map(unit).collect::<Vec<_>>()
            };
            let next = values[values.len() - 1].iter().map(of_sample).collect();
            values.push(next);
        }
        let logits = values.pop().unwrap();
        let (mut losses, mut d_y) = (vec![], vec![]);
        for (z, label) in logits.iter().zip(labels) {
            let (loss, d_z) = softmax_cross_entropy(z, usize::from(*label), batch);
            losses.push((loss, one));
            d_y.push(d_z);
        }
        let total = sum(losses.into_iter());
        let loss = Near {
            exact: total.exact / batch as f64,
            error: (total.error + gamma(2, U) * total.size()) / batch as f64,
        };
        let mut gradient = vec![Near::default(); params.len()];
        for ((inputs, outputs, at), x) in self.layers().rev().zip(values.iter().rev()) {
            for o in 0..outputs {
                for i in 0..inputs {
                    gradient[at + i * outputs + o] =
                        sum(x.iter().zip(&d_y).map(|(x, d_y)| (x[i], d_y[o])));
                }
                gradient[at + inputs * outputs + o] = sum(d_y.iter().map(|d_y| (d_y[o], one)));
            }
            let back = |(x, d_y): (&Vec<Near>, &Vec<Near>)| {
                let input = |i: usize| {
                    let row = &params[at + i * outputs..][..outputs];
                    let d_x = sum(d_y.iter().copied().zip(row.iter().copied()));
                    if x[i].exact > 0.0 { d_x } else { Near::default() }
                };
                (0..inputs).map(input).collect::<Vec<_>>()
            };
            if at > 0 {
                d_y = x.iter().zip(&d_y).map(back).collect();
            }
        }
        Bounded { loss, gradient }
    }
}

fn nears(values: &[f32]) -> Vec<Near> {
    values.iter().map(|v| Near::exactly(*v)).collect()
}

fn relu(y: Near) -> Near {
    if y.is_positive() { y } else { Near::default() }
}

/// The loss of one sample, and the gradient at its logits divided by the batch.
fn softmax_cross_entropy(z: &[Near], label: usize, batch: usize) -> (Near, Vec<Near>) {
    smoothed_cross_entropy(z, label, 0.0, batch)
}

/// The same with label smoothing. The loss has no bound then: only its gradient has.
pub(crate) fn smoothed_cross_entropy(
    z: &[Near],
    label: usize,
    smoothing: f64,
    batch: usize,
) -> (Near, Vec<Near>) {
    let target = |class: usize| {
        let spread = smoothing / z.len() as f64;
        if class == label { 1.0 - smoothing + spread } else { spread }
    };
    let max = z.iter().fold(f64::NEG_INFINITY, |max, z| max.max(z.exact));
    let max_error = z.iter().fold(0.0, |error: f64, z| error.max(z.error));
    // The largest one is taken out; f32 may take another one for it, but then no further away than this.
    let shifted: Vec<Near> = z
        .iter()
        .map(|z| {
            let exact = z.exact - max;
            let inherited = z.error + max_error;
            Near { exact, error: inherited + U * (exact.abs() + inherited) }
        })
        .collect();
    assert!(shifted.iter().all(|z| z.exact > -80.0), "an exponential may be flushed to zero");
    // eˣ within 2 units in the last place (tested in the core's `math.rs`): 4u. All relative from here.
    let relative = shifted.iter().map(|z| (1.0 + 4.0 * U) * z.error.exp() - 1.0);
    let relative = relative.fold(0.0, f64::max);
    let sum: f64 = shifted.iter().map(|z| z.exact.exp()).sum();
    let sum_relative = (1.0 + relative) * (1.0 + gamma(z.len(), U)) - 1.0;
    // 1/sum and its product with the exponential: two roundings more.
    let p_relative = (1.0 + relative) * (1.0 + gamma(2, U)) / (1.0 - sum_relative) - 1.0;
    let share = 1.0 / batch as f64;
    let gradient = shifted
        .iter()
        .enumerate()
        .map(|(class, z)| {
            let p = z.exact.exp() / sum;
            let exact = p - target(class);
            // The subtraction, the rounding of 1/batch and the product with it: three roundings.
            let error = p_relative * p + gamma(3, U) * (exact.abs() + p_relative * p);
            // With smoothing two targets instead of one, each off by a rounding, and one subtraction more.
            let error = if smoothing > 0.0 { error + gamma(4, U) * (p + 1.0) } else { error };
            Near { exact: exact * share, error: error * share }
        })
        .collect();
    // ln within 1 unit in the last place (2u); its argument's relative error is its own absolute one.
    let ln = sum.ln();
    let ln_error = -(1.0 - sum_relative).ln();
    let ln_error = ln_error + 2.0 * U * (ln.abs() + ln_error);
    let exact = ln - shifted[label].exact;
    let inherited = ln_error + shifted[label].error;
    (Near { exact, error: inherited + U * (exact.abs() + inherited) }, gradient)
}
