//! The flags of `train`, and the command that repeats a run.

use core::fmt;
use std::path::PathBuf;

use picomlp_train::config::{InitSpec, OptimizerKind, OptimizerSpec, above_zero};

use super::network::NetworkArgs;
use super::optimization::OptimizationArgs;
use crate::commands::named;
use crate::data::{DataArgs, Inputs, Source};
use crate::output;
use crate::plot::{FileFormat, parse_picture_format};
use crate::pool::parse_threads;
use crate::text::{program, shell_word};

/// Train a network and write it as a model file.
///
/// Without flags: 784-128-10 on digits that the program draws itself. The same seed and settings give the same model,
/// bit for bit, on any machine.
#[derive(Clone, Debug, clap::Args)]
#[command(allow_negative_numbers = true)] // so that `--lr -1` is a wrong rate, not an unknown flag
pub struct Args {
    /// Take the flags that a recipe sets: one that comes with the program (`picomlp recipes` lists them), or a file
    /// NAME.toml. Flags given beside it win.
    #[arg(long, value_name = "NAME|FILE")]
    recipe: Option<String>,
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
    /// Passes over the training set.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) epochs: u32,
    /// Samples in one step; a last, smaller batch is trained on as well.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) batch_size: u32,
    /// Optimizer; rms-group is RMSprop with one adaptive rate for all weights of a layer, and one for its bias.
    #[arg(long, value_parser = named::<OptimizerKind>(), default_value_t)]
    optimizer: OptimizerKind,
    /// Learning rate [default: 0.1 for sgd, 0.01 for momentum and nesterov, 0.5 for rms-group, 0.001 for the others].
    #[arg(long, value_parser = above_zero, value_name = "RATE")]
    lr: Option<f32>,
    #[command(flatten)]
    pub(super) optimization: OptimizationArgs,
    /// Print every Nth epoch only, and the last one.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(super) log_every: u32,
    /// Determines initial weights, shuffling, and which samples are held out.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Take the samples in the order of the file in every epoch.
    #[arg(long)]
    pub(super) no_shuffle: bool,
    /// Stop after so many steps.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    pub(super) max_steps: Option<u64>,
    /// Initial weights: `he`, `he-normal`, `xavier`, `xavier-normal`, `normal:STDDEV` or `zeros`.
    #[arg(long, default_value_t, value_name = "INIT")]
    pub(super) init: InitSpec,
    /// What pixels are read as: 0 to 1 (unit), -1 to 1 (signed), with mean 0 and deviation 1 over the training samples
    /// (standardised), or as they stand in the file (raw).
    #[arg(long, value_enum, default_value_t, value_name = "RANGE")]
    pub(super) inputs: Inputs,
    /// Threads to use [default: one for each core]; the model does not depend on how many.
    #[arg(long, value_parser = parse_threads, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// The model file to write.
    #[arg(
        long,
        short,
        default_value = "model.pmlp",
        value_name = "FILE",
        conflicts_with = "folds"
    )]
    pub(super) out: PathBuf,
    /// Write pictures of the training, the model and the data into this folder, and history.jsonl for `plot curves`. The
    /// accuracy on the training samples is then measured after each epoch, too.
    #[arg(long, value_name = "DIR", conflicts_with = "folds")]
    pub(super) plots: Option<PathBuf>,
    /// The format of these pictures: `png` or `svg`.
    #[arg(long, default_value = "png", value_name = "FORMAT", requires = "plots", value_parser = parse_picture_format)]
    pub(super) plots_format: FileFormat,
    /// Print one JSON object a line instead of text: one `start`, one `epoch` each, one `done`.
    #[arg(long)]
    pub(super) json: bool,
    /// Print the result alone.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl Args {
    /// Returns the optimizer and its settings.
    pub(super) fn optimizer(&self) -> OptimizerSpec {
        self.optimization.optimizer(self.optimizer, self.lr)
    }

    /// Whether the flags go together; if not, why.
    ///
    /// # Errors
    ///
    /// What to tell the user.
    pub fn check(&self) -> Result<(), String> {
        self.optimization.check(&self.optimizer(), !self.data.val_split.is_zero())
    }

    /// What is read.
    pub(super) fn inputs(&self) -> output::Inputs {
        output::Inputs::default()
            .and("--data", self.data.source.path())
            .and("--test-data", self.data.test_data.as_ref().and_then(Source::path))
            .and("--recipe", &self.recipe)
    }

    /// The flag that says how large a batch is.
    fn batch(&self) -> String {
        if self.optimization.full_batch {
            "--full-batch".to_owned()
        } else {
            format!("--batch-size {}", self.batch_size)
        }
    }

    /// The command that repeats the run: every setting that plays a part, in words for a shell.
    pub(super) fn command(&self) -> String {
        let name = |value: &dyn fmt::Display| shell_word(&value.to_string()).into_owned();
        let mut command = format!(
            "{} train --data {} --hidden {} --epochs {} {} --optimizer {} --lr {} --seed {} \
             --val-split {} --init {}",
            program(),
            name(&self.data.source),
            name(&self.network.hidden),
            self.epochs,
            self.batch(),
            self.optimizer,
            self.optimizer().learning_rate(),
            self.seed,
            self.data.val_split,
            self.init,
        );
        command.push_str(&self.network.flags());
        command.push_str(&self.optimization.flags());
        if self.inputs != Inputs::default() {
            command.push_str(&format!(" --inputs {}", self.inputs));
        }
        if self.no_shuffle {
            command.push_str(" --no-shuffle");
        }
        if let Some(steps) = self.max_steps {
            command.push_str(&format!(" --max-steps {steps}"));
        }
        command.push_str(&self.data.words());
        if self.data.folds.is_none() {
            command.push_str(&format!(" --out {}", name(&self.out.display())));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Args, String> {
        let words = core::iter::once("train").chain(line.split_whitespace());
        // A shell would turn '' into an empty word.
        let words = words.map(|word| if word == "''" { "" } else { word });
        Line::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
    }

    #[test]
    fn hidden_takes_any_widths_and_none() {
        use picomlp_train::config::Hidden;
        assert_eq!(parse("--hidden 200,100").unwrap().network.hidden, Hidden(vec![200, 100]));
        assert_eq!(parse("--hidden ''").unwrap().network.hidden, Hidden(vec![]));
        assert_eq!(parse("").unwrap().network.hidden, Hidden(vec![128]));
    }

    #[test]
    fn the_learning_rate_depends_on_the_optimizer_unless_given() {
        assert_eq!(parse("").unwrap().optimizer().learning_rate(), 1e-3);
        assert_eq!(parse("--optimizer sgd").unwrap().optimizer().learning_rate(), 0.1);
        assert_eq!(parse("--optimizer sgd --lr 0.5").unwrap().optimizer().learning_rate(), 0.5);
    }

    #[test]
    fn the_command_repeats_every_setting_of_the_optimization() {
        for line in [
            "--full-batch --optimizer rms-group --lr 0.5 --seed 1 --val-split 0.1 --init normal:0.1 --alpha 0.9 \
             --epsilon 0.001 --weight-decay 0.000001 --decay-weights-only --schedule plateau:3:0.5 --patience 9",
            "--batch-size 64 --optimizer nesterov --lr 0.01 --seed 1 --val-split 0.1 --init xavier-normal --momentum 0.5 \
             --clip-norm 2.5 --schedule step:30:0.1 --warmup 100",
            "--full-batch --optimizer sgd --lr 0.5 --seed 1 --val-split 0 --init he --keep-lowest-loss",
            "--batch-size 64 --optimizer adamw --lr 0.001 --seed 1 --val-split 0.1 --init zeros --beta1 0.8 --beta2 0.99 \
             --schedule cosine:0.0001",
        ] {
            let args = parse(line).unwrap();
            args.check().unwrap();
            let command = args.command();
            let words = command.split_once(" train ").unwrap().1;
            let got = words.split_once(" --epochs 10 ").unwrap().1;
            assert_eq!(got, format!("{line} --out model.pmlp"));
            assert_eq!(parse(words).unwrap().command(), command);
        }
    }

    #[test]
    fn the_command_repeats_every_setting() {
        let line = "--data some/dir --hidden '' --epochs 3 --batch-size 7 --optimizer sgd --lr 0.25 --seed 9 \
                    --val-split 0 --init xavier --norm layer --loss mse --inputs signed --no-shuffle --max-steps 5 --out a.pmlp";
        let args = parse(line).unwrap();
        assert_eq!(args.command().split_once(" train ").unwrap().1, line);
        let again = parse(args.command().split_once(" train ").unwrap().1).unwrap();
        assert_eq!(again.command(), args.command());
    }

    #[test]
    fn the_command_repeats_every_setting_of_the_data() {
        for line in [
            "--test-data b.csv --stratified --held-out last --csv-header no --label last --csv-max 16 --image-shape 8x8 --out a",
            "--merge --test-split 10000 --normalize --out a",
            "--test-split 0 --folds 5",
        ] {
            let command = parse(line).unwrap().command();
            assert!(command.ends_with(&format!(" --val-split 0.1 --init he {line}")), "{command}");
            let words = command.split_once(" train ").unwrap().1;
            assert_eq!(parse(words).unwrap().command(), command);
        }
    }
}
