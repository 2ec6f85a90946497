//! The device's results beside the host's own.

use core::fmt;
use core::time::Duration;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use picomlp_link::{Arithmetic, Device};

use super::session::{DeviceInfo, Outcome, Session};
use picomlp_train::data::{Dataset, Values};

/// What came of all samples.
pub(super) struct Comparison {
    pub(super) samples: usize,
    /// Samples whose class and logits agree in every bit.
    pub(super) equal: usize,
    /// Samples in which the device found the class that the label names; `None` where the targets are no classes.
    pub(super) correct: Option<usize>,
    pub(super) first: Option<Difference>,
    /// From sending a sample to having its answer, summed.
    pub(super) seconds: f64,
}

/// The first place where device and host differ.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    /// The sample, counted from 0.
    pub(super) sample: usize,
    /// The logit, counted from 0; none if it is the class that differs.
    pub(super) output: Option<usize>,
    pub(super) expected: u32,
    pub(super) got: u32,
    pub(super) arithmetic: Arithmetic,
}

impl Difference {
    /// The first one between two results of a sample. Both have the same number of logits.
    fn find(
        sample: usize,
        arithmetic: Arithmetic,
        host: &Outcome,
        device: &Outcome,
    ) -> Option<Self> {
        let mut logits = host.logits.iter().zip(&device.logits).enumerate();
        let (output, expected, got) = match logits.find(|(_, (a, b))| a != b) {
            Some((output, (expected, got))) => (Some(output), *expected, *got),
            None if host.class != device.class => (None, host.class, device.class),
            None => return None,
        };
        Some(Self { sample, output, expected, got, arithmetic })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sample, output, expected, got, arithmetic } = *self;
        let Some(output) = output else {
            return write!(
                f,
                "sample {sample}: the logits are equal, but the class is not: expected {expected}, got {got}"
            );
        };
        write!(f, "sample {sample}, output {output}: expected the bits {expected:08x} (")?;
        write_value(f, arithmetic, expected)?;
        write!(f, "), got {got:08x} (")?;
        write_value(f, arithmetic, got)?;
        f.write_str(")")
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, arithmetic: Arithmetic, bits: u32) -> fmt::Result {
    match arithmetic {
        Arithmetic::F32 => write!(f, "{:?}", f32::from_bits(bits)),
        _ => write!(f, "{}", bits as i32),
    }
}

/// Whether the device has the host's model.
pub(super) fn check_model(host: &impl Device, device: &DeviceInfo, path: &Path) -> Result<()> {
    let (host, shown) = (host.info(), path.display());
    ensure!(
        host.arithmetic == device.arithmetic,
        "the device computes in {}, {shown} in {}",
        device.arithmetic,
        host.arithmetic
    );
    let sizes = [host.inputs, host.outputs].map(|size| size as usize);
    ensure!(
        sizes == [device.inputs, device.outputs] && host.architecture == device.architecture,
        "the device has another architecture: {} inputs, {} outputs, fingerprint {:016x}; \
         {shown} has {} inputs, {} outputs, fingerprint {:016x}",
        device.inputs,
        device.outputs,
        device.architecture,
        sizes[0],
        sizes[1],
        host.architecture
    );
    ensure!(
        host.fingerprint == device.fingerprint,
        "the device has other parameters: their fingerprint is {:016x}, that of {shown} is {:016x}",
        device.fingerprint,
        host.fingerprint
    );
    Ok(())
}

/// Sends the first `limit` samples and compares what comes back.
pub(super) fn compare(
    session: &mut Session<'_>,
    host: &mut impl Device,
    data: &Dataset,
    limit: usize,
) -> Result<Comparison> {
    let (outputs, arithmetic) = (host.info().outputs as usize, host.info().arithmetic);
    let samples = limit.min(data.len());
    let mut all = Comparison {
        samples,
        equal: 0,
        correct: (data.classes > 0).then_some(0),
        first: None,
        seconds: 0.0,
    };
    let mut time = Duration::ZERO;
    for sample in 0..samples {
        let values = bytes_of(data, sample);
        let (class, logits) = host.classify(&values)?;
        let expected = Outcome { class, logits: logits.iter().collect() };
        let began = Instant::now();
        let got = session.classify(&values, outputs).with_context(|| format!("sample {sample}"))?;
        time += began.elapsed();
        if let (Some(correct), Some(label)) = (&mut all.correct, data.labels().get(sample)) {
            *correct += usize::from(got.class == u32::from(*label));
        }
        match Difference::find(sample, arithmetic, &expected, &got) {
            None => all.equal += 1,
            found => all.first = all.first.or(found),
        }
    }
    all.seconds = time.as_secs_f64();
    Ok(all)
}

/// The bytes of a sample in a request: its pixels, or its features in little-endian f32.
fn bytes_of(data: &Dataset, sample: usize) -> Vec<u8> {
    match &data.inputs {
        Values::Bytes(_) => data.image(sample).to_vec(),
        Values::Floats(values) => {
            let row = &values[sample * data.pixels()..][..data.pixels()];
            row.iter().flat_map(|value| value.to_le_bytes()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(class: u32, logits: [f32; 3]) -> Outcome {
        Outcome { class, logits: logits.map(f32::to_bits).to_vec() }
    }

    fn find(host: &Outcome, device: &Outcome) -> Option<String> {
        Difference::find(7, Arithmetic::F32, host, device).map(|found| found.to_string())
    }

    #[test]
    fn difference_is_the_first_logit_whose_bits_differ_then_the_class() {
        let host = outcome(1, [0.0, 1.5, -2.0]);
        assert_eq!(find(&host, &host), None);
        assert_eq!(
            find(&host, &outcome(1, [-0.0, 1.5, -3.0])).as_deref(),
            Some("sample 7, output 0: expected the bits 00000000 (0.0), got 80000000 (-0.0)")
        );
        assert_eq!(
            find(&host, &outcome(2, [0.0, 1.5, -2.0])).as_deref(),
            Some("sample 7: the logits are equal, but the class is not: expected 1, got 2")
        );
    }

    #[test]
    fn difference_of_integers_is_shown_in_integers() {
        let [host, device] = [-1, 2].map(|logit| Outcome { class: 0, logits: vec![logit as u32] });
        let found = Difference::find(0, Arithmetic::Int8, &host, &device).unwrap();
        assert_eq!(
            found.to_string(),
            "sample 0, output 0: expected the bits ffffffff (-1), got 00000002 (2)"
        );
    }
}
