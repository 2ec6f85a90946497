//! The trained model as a file.

use anyhow::{Context, Result};
use picomlp::blob::{Contents, DataSplit, Input, Provenance};
use picomlp::fingerprint::fingerprint;
use picomlp::layers::trace;
use picomlp::{Batch, Error, Layer, Network, Sequential};

use super::args::Args;
use super::session::{Place, Plan};
use crate::Evaluation;
use crate::data::Split;
use crate::data::split::HeldOut;
use crate::model_input::recorded;
use crate::output::Outputs;

/// Pictures of the test set (or of the training set if there is none) that travel in the model as self-test vectors.
const SELF_TESTS: usize = 4;

/// What was written.
pub(super) struct Exported {
    pub(super) fingerprint: u64,
    pub(super) bytes: usize,
    /// The command that trains the same model again.
    pub(super) command: String,
    /// What it records of its inputs.
    pub(super) input: Input,
}

/// Writes into `output`: parameters, input shape, class names, provenance, self-test vectors.
pub(super) fn write(
    args: &Args,
    output: Outputs,
    (net, params): (&Sequential, &[f32]),
    data: &Split,
    plan: &Plan,
    kept: Place,
    test: Option<&Evaluation>,
) -> Result<Exported> {
    let names: Vec<String> = (0..net.outputs()).map(|class| data.train.class_name(class)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pictures = if data.test.is_empty() { &data.train } else { &data.test };
    let vectors = SELF_TESTS.min(pictures.len());
    let mut inputs = &pictures.images[..vectors * net.inputs()];
    let mut logits = vec![0.0; vectors * net.outputs()];
    let x = Batch::rows(inputs, net.inputs())?.with_map(plan.map);
    let mut layers = Vec::new();
    match net.forward(params, x, &mut logits, &mut vec![0.0; net.infer_scratch(vectors)]) {
        Ok(()) => layers = traced(net, params, x)?,
        // Bits of NaN differ from machine to machine: nothing to compare with.
        Err(Error::OutputNotFinite { .. }) => {
            inputs = &[];
            logits.clear();
        }
        Err(error) => return Err(error.into()),
    }
    let command = args.command();
    let count = |samples: usize| u32::try_from(samples).unwrap_or(u32::MAX);
    // After loading, `--test-split` is set where the data has no test set of its own.
    let held_out = if args.data.test_split.is_some() { data.test.len() } else { 0 };
    let input = recorded(&args.data, &data.train, &plan.train, plan.map);
    let split = DataSplit {
        samples: count(data.train.len() + held_out),
        test: count(held_out),
        validation: count(plan.validation.len()),
        merged: args.data.merge,
        stratified: args.data.stratified,
        last: args.data.held_out == HeldOut::Last,
        own_validation: args.data.validation > 0,
    };
    let contents = Contents {
        input: Some(input),
        split: Some(split),
        class_names: &names,
        provenance: Some(Provenance {
            seed: args.seed,
            steps: kept.step,
            data_fingerprint: data.train.fingerprint(),
            optimizer: args.optimizer().kind.in_blob(),
            learning_rate: kept.rate,
            batch_size: if args.optimization.full_batch {
                count(plan.batch_size)
            } else {
                args.batch_size
            },
            epochs: kept.epoch,
            train_samples: count(plan.train.len()),
            test_samples: count(test.map_or(0, |test| test.samples)),
            test_accuracy: test.map_or(0.0, Evaluation::accuracy) as f32,
            loss: plan.loss.kind(),
            command: &command,
        }),
        self_test_inputs: inputs,
        self_test_logits: &logits,
        self_test_layers: &layers,
        ..Contents::new(net, params)
    };
    let mut bytes = Vec::with_capacity(contents.byte_len()?);
    contents
        .write_pieces(|piece| bytes.extend_from_slice(piece))
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    output.write(&[&bytes])?;
    Ok(Exported { fingerprint: fingerprint(params), bytes: bytes.len(), command, input })
}

/// What every layer but the last gives, sample by sample.
fn traced(net: &Sequential, params: &[f32], x: Batch<'_, u8>) -> Result<Vec<f32>> {
    let (mut values, mut scratch) = (Vec::new(), vec![0.0; net.infer_scratch(1)]);
    for sample in x.iter() {
        let x = Batch::rows(sample, net.inputs())?.with_map(x.map());
        trace(net, params, x, &mut scratch, |_, outputs| values.extend_from_slice(outputs))?;
        values.truncate(values.len() - net.outputs());
    }
    Ok(values)
}
