//! Which samples of its data a model was not trained on: the split of its training, made again.

use anyhow::{Context, Result, ensure};

use crate::data::{Amount, Dataset, HeldOut, Schema, Source, Split, SplitSpec};
use crate::model_input::ModelInput;
use crate::text::grouped;

/// What a model is to be measured on.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The samples.
    pub data: Dataset,
    /// Whether they are what training held out of its data.
    pub is_held_out: bool,
    /// A sentence about them.
    pub note: String,
}

impl ModelInput {
    /// Loads what the model is to be measured on. If `source` is what it was trained on, these are the samples that training held
    /// out for testing; else all of a file, or the test set.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the model.
    pub fn load_measured(&self, source: &Source, schema: &Schema) -> Result<Measured> {
        let recorded = self.split.unwrap_or_default();
        if recorded.merged
            && recorded.test > 0
            && let Ok((data, split)) = self.split_again(source, schema)
        {
            return Ok(self.held_out(&data, &split, source));
        }
        let mut data = self.load_gapped(source, schema)?;
        // A fingerprint takes a while: only what has as many samples can be what it was trained on.
        if data.len() == recorded.samples as usize && data.own_test == 0 && !recorded.merged {
            if recorded.test > 0
                && let Ok(split) = self.split_of(&data, source)
            {
                return Ok(self.held_out(&data, &split, source));
            }
            if data.fingerprint(&data.all()) == self.data_fingerprint {
                let note = format!(
                    "{source}: all {} samples that the model was trained on; training held none out for testing",
                    grouped(data.len())
                );
                self.fill(&mut data);
                return Ok(Measured { data, is_held_out: false, note });
            }
        }
        let default = || format!("{source}: {} samples", grouped(data.len()));
        let note = data.notes.first().cloned().unwrap_or_else(default);
        self.fill(&mut data);
        Ok(Measured { data, is_held_out: false, note })
    }

    fn held_out(&self, data: &Dataset, split: &Split, source: &Source) -> Measured {
        let note = format!(
            "{source}: the {} samples that training held out for testing",
            grouped(split.test.len())
        );
        let mut data = data.subset(&split.test);
        self.fill(&mut data);
        Measured { data, is_held_out: true, note }
    }

    /// Repeats the split that training made of `source`.
    ///
    /// # Errors
    ///
    /// If the model does not record it, or `source` is not the data that the model was trained on.
    pub fn split_again(&self, source: &Source, schema: &Schema) -> Result<(Dataset, Split)> {
        let model = self.model();
        let recorded = self
            .split
            .with_context(|| format!("{model} does not record how its training data was split"))?;
        let mut data = Dataset::load(source, &self.schema(schema)?)?;
        if recorded.test > 0 && !recorded.merged {
            data.drop_test();
        }
        let split = self.split_of(&data, source)?;
        self.check_fit(&data, source)?;
        self.fill(&mut data);
        Ok((data, split))
    }

    /// The split of `data` into what the model was trained on, and what was held out.
    fn split_of(&self, data: &Dataset, source: &Source) -> Result<Split> {
        let (model, recorded) = (self.model(), self.split.unwrap_or_default());
        let test = data.own_test == 0 || recorded.merged;
        let held_out = if test { 0 } else { data.own_test };
        let (found, samples) = (data.len() - held_out, recorded.samples as usize);
        ensure!(
            found == samples,
            "{source} has {found} training samples, but {model} was trained on data with {samples}: its split can be repeated \
             on the same data alone"
        );
        // Whole groups may be fewer samples than were asked for.
        let amount = |flag, count| self.reading(flag).unwrap_or(Amount::Count(count as usize));
        let spec = SplitSpec {
            merge: recorded.merged,
            test: test.then(|| amount("test-split", recorded.test)),
            validation: Some(amount("val-split", recorded.validation)),
            ..self.split_spec()
        };
        let split = Split::new(data, &spec, self.seed)?;
        let got = data.fingerprint(&split.seen());
        ensure!(
            got == self.data_fingerprint,
            "{source} is not what {model} was trained on: the fingerprint of its training samples is {got:016x}, expected {:016x}",
            self.data_fingerprint
        );
        Ok(split)
    }

    /// Holds test samples out of `data` as training does with the model's seed.
    ///
    /// # Errors
    ///
    /// If a part would be empty.
    pub fn split_by(&self, data: &Dataset, amount: Amount) -> Result<Split> {
        let (count, samples) = (amount.of(data.len()), data.len());
        ensure!(
            (1..samples).contains(&count),
            "--test-split {amount} of {samples} samples leaves one part empty"
        );
        let spec =
            SplitSpec { test: Some(amount), validation: Some(Amount::NONE), ..self.split_spec() };
        Split::new(data, &spec, self.seed)
    }

    fn split_spec(&self) -> SplitSpec {
        let split = self.split.unwrap_or_default();
        let held_out = if split.last { HeldOut::Last } else { HeldOut::Random };
        SplitSpec { stratified: split.stratified, held_out, ..SplitSpec::default() }
    }
}
