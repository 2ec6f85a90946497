//! The flags of `train`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ArgAction;
use picomlp_plots::FileFormat;
use picomlp_train::augment::Augment;
use picomlp_train::config::{
    ClassWeight, InitSpec, Monitor, OptimizerKind, OptimizerSpec, ScheduleSpec, Settings,
    TrainConfig,
};
use picomlp_train::data::{Inputs, Scale, Source};
use picomlp_train::number::{above_zero, below_one, not_negative};
use picomlp_train::{Checkpoint, Checkpoints, Every, output};

use super::data::DataArgs;
use super::model::NetworkArgs;
use super::{count, named};

/// The flags that `train --help` shows; `--help-all` shows all.
pub const COMMON: [&str; 12] = [
    "recipe",
    "source",
    "hidden",
    "epochs",
    "batch_size",
    "optimizer",
    "lr",
    "val_split",
    "seed",
    "out",
    "help",
    "help_all",
];

const EXAMPLES: &str = "\
Examples:
  picomlp train                                             # synthetic digits, no files needed
  picomlp train --data synthetic:motion                     # synthetic accelerometer, no files needed
  picomlp train --data mnist --hidden 200,100 --epochs 20   # MNIST's four IDX files in a folder
  picomlp train --data vibration.csv --target state --out m.pmlp

`picomlp train --help-all` shows every flag.";

/// Train a network and write it as a model file.
///
/// Without flags: 784-128-10 on digits that the program draws itself. The same seed and settings give the same model,
/// bit for bit, on any machine.
#[derive(Clone, Debug, clap::Args)]
#[command(
    allow_negative_numbers = true, // so that `--lr -1` is an invalid rate, not an unknown flag
    disable_help_flag = true,
    after_help = EXAMPLES
)]
pub struct Args {
    /// Recipe: one that comes with the program (`picomlp recipes` lists them), or a file NAME.toml. Flags given beside it win.
    #[arg(long, alias = "config", value_name = "NAME|FILE")]
    recipe: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    pub(crate) checkpoints: CheckpointArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print the flags that are used most
    #[arg(short, long, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Print all flags
    #[arg(long, action = ArgAction::HelpLong)]
    help_all: Option<bool>,
}

/// How a gradient becomes a step, and how many steps there are.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Training")]
struct TrainingArgs {
    /// Epochs to train for.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    epochs: u32,
    /// Samples in one step; a last, smaller batch is trained on as well.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    batch_size: u32,
    /// Optimizer; rms-group is RMSprop with one adaptive rate for all weights of a layer, and one for its bias; adam-bf16 is
    /// Adam with its moments in bfloat16, for devices with little RAM.
    #[arg(long, value_parser = named::<OptimizerKind>(), default_value_t)]
    optimizer: OptimizerKind,
    /// Learning rate [default: 0.1 for sgd, 0.01 for momentum and nesterov, 0.5 for rms-group, 0.001 for the others].
    #[arg(long, value_parser = above_zero, value_name = "RATE")]
    lr: Option<f32>,
    /// Fraction of the velocity that is kept [momentum, nesterov; default: 0.9].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    momentum: Option<f64>,
    /// Decay of the first moment [adam, adamw, adam-bf16; default: 0.9].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    beta1: Option<f64>,
    /// Decay of the second moment [adam, adamw, adam-bf16; default: 0.999].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    beta2: Option<f64>,
    /// Decay of the mean square [rmsprop, rms-group; default: 0.99].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    alpha: Option<f64>,
    /// Added to the denominator [adam, adamw, adam-bf16, rmsprop; default: 1e-8; rms-group: 1e-3].
    #[arg(long, value_parser = above_zero, value_name = "EPSILON")]
    epsilon: Option<f32>,
    /// L2 penalty: adds DECAY × w to each gradient. With adamw, decoupled: subtracts lr × DECAY × w from the weight
    /// [default: 0; adamw: 0.01].
    #[arg(long, value_parser = not_negative, value_name = "DECAY")]
    weight_decay: Option<f32>,
    /// Exempt biases from the decay.
    #[arg(long)]
    decay_weights_only: bool,
    /// Clip gradients to this norm.
    #[arg(long, value_parser = above_zero, value_name = "NORM")]
    clip_norm: Option<f32>,
    /// Learning-rate schedule: `constant`; `step:N:F` (multiply by F every N epochs); `cosine` or `cosine:MIN` (anneal to
    /// MIN); `plateau:N:F` (multiply by F after N epochs without a lower validation loss).
    #[arg(long, default_value_t, value_name = "SCHEDULE")]
    schedule: ScheduleSpec,
    /// Steps of linear warm-up.
    #[arg(long, default_value_t = 0, value_name = "STEPS")]
    warmup: u64,
    /// Early stopping: stop after EPOCHS epochs without a better validation measure.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "EPOCHS")]
    patience: Option<u32>,
    /// Validation measure that chooses the epoch; `auto`: accuracy for classes and labels, R² for values.
    #[arg(long, value_parser = named::<Monitor>(), default_value_t, value_name = "MEASURE")]
    monitor: Monitor,
    /// Weights of the classes in the loss: `balanced` (inversely to their samples), or CLASS=WEIGHT separated by commas, 1 for
    /// others.
    #[arg(long, value_name = "WEIGHTS")]
    class_weight: Option<ClassWeight>,
    /// Take the whole training set as one batch, in file order.
    #[arg(long, conflicts_with = "batch_size")]
    full_batch: bool,
    /// Keep the parameters with the lowest training loss instead of the last ones; needs --full-batch and --val-split 0.
    #[arg(long, conflicts_with = "batch_size")]
    keep_lowest_loss: bool,
    /// Seed of initial weights, shuffling, dropout, and held-out samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take the samples in the order of the file in every epoch.
    #[arg(long)]
    no_shuffle: bool,
    /// Stop after N steps.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    max_steps: Option<u64>,
    /// Initial weights: `he`, `he-normal`, `xavier`, `xavier-normal`, `normal:STDDEV` or `zeros`.
    #[arg(long, default_value_t, value_name = "INIT")]
    init: InitSpec,
    /// Fine-tune: start from the layers of a model file, from the first one on as far as they fit; a last layer for
    /// other classes is new. Network and preparation of inputs are the model's, unless flags say otherwise.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["inputs", "scale"])]
    init_from: Option<PathBuf>,
    /// Leave the first N dense layers of that model as they are, bit for bit. They run as at inference: without
    /// dropout.
    #[arg(long, default_value_t = 0, value_name = "N")]
    freeze: u32,
    /// Scale of features, each by itself, over the training samples: mean 0 and standard deviation 1 (standardize), 0 to 1
    /// (minmax), or as they are in the file (none).
    #[arg(long, value_parser = named::<Scale>(), default_value_t, value_name = "SCALE")]
    scale: Scale,
    /// Range of pixels: 0 to 1 (unit), -1 to 1 (signed), mean 0 and standard deviation 1 over the training samples
    /// (standardized), or as they are in the file (raw).
    #[arg(long, value_parser = named::<Inputs>(), default_value_t, value_name = "RANGE")]
    inputs: Inputs,
    /// Threshold of an autoencoder, stored in the model: the score that this fraction of normal validation samples does not
    /// exceed (of training samples, without any).
    #[arg(long, default_value_t = 0.995, value_parser = fraction, value_name = "FRACTION")]
    threshold_quantile: f32,
    /// Vary training samples at random, anew in every step: images by shift=PIXELS, rotate=DEGREES, scale=FRACTION and
    /// elastic=PIXELS, series of features by shift=STEPS, scale=FRACTION and jitter=STDDEV (of standardized features), separated
    /// by commas.
    #[arg(long, value_name = "KIND=AMOUNT")]
    augment: Option<Augment>,
    /// Threads to use [default: as many as a step is fastest on, which is measured; at most one for each core]; the
    /// model does not depend on their number.
    #[arg(long, value_parser = count(1024), value_name = "N")]
    threads: Option<usize>,
}

/// Runs that outlive what happens to them.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Checkpoints")]
pub(crate) struct CheckpointArgs {
    /// Folder for checkpoints: models from which --resume goes on. Also written when the run ends, or is interrupted.
    #[arg(long, value_name = "DIR", conflicts_with = "folds")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// How often to write one: `2epochs`, `500steps`, `30s`, `10min` or `1h` [default: 1epoch].
    #[arg(long, value_name = "EVERY")]
    checkpoint_every: Option<Every>,
    /// Checkpoints to keep, the latest ones; 0 for all [default: 3].
    #[arg(long, value_name = "N")]
    keep_last: Option<usize>,
    /// Go on from a checkpoint, or from the latest one in a folder: the model is that of a run that never stopped. Settings
    /// and outputs are the checkpoint's; no other flag is needed. Without a path: from the latest one in --checkpoint, if there is
    /// one.
    #[arg(long, value_name = "DIR|FILE", num_args = 0..=1, conflicts_with = "folds")]
    pub(crate) resume: Option<Option<PathBuf>>,
    /// Resume in spite of other data or settings.
    #[arg(long)]
    pub(crate) force: bool,
}

impl CheckpointArgs {
    /// Returns the checkpoint, or the folder, to go on from.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn resumed(&self) -> Result<Option<PathBuf>> {
        match (&self.resume, &self.checkpoint) {
            (Some(None), Some(folder)) => {
                Ok(Checkpoint::is_any_in(folder)?.then(|| folder.clone()))
            }
            (path, _) => Ok(path.clone().flatten()),
        }
    }
}

/// What is written and printed.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Model file to write.
    #[arg(
        long,
        short,
        default_value = "model.pmlp",
        value_name = "FILE",
        conflicts_with = "folds"
    )]
    pub(crate) out: PathBuf,
    /// Folder for figures of the training, the model and the data, and for history.jsonl, which `plot curves` reads. Also
    /// measures the accuracy on the training samples after each epoch.
    #[arg(long, value_name = "DIR", conflicts_with = "folds")]
    pub(crate) plots: Option<PathBuf>,
    /// Format of these figures: `png` or `svg`.
    #[arg(long, default_value = "png", value_name = "FORMAT", requires = "plots", value_parser = figure_format)]
    pub(crate) plots_format: FileFormat,
    /// CSV file to write: a row an epoch, as the run goes on.
    #[arg(long, value_name = "FILE", conflicts_with = "folds")]
    pub(crate) log: Option<PathBuf>,
    /// Folder to write TensorBoard's event files to: `tensorboard --logdir DIR` draws the epochs as the run goes on.
    #[arg(long, value_name = "DIR", conflicts_with = "folds")]
    pub(crate) tensorboard: Option<PathBuf>,
    /// Print every Nth epoch only, and the last one.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(crate) log_every: u32,
    /// Print one JSON object a line instead of text: one `start`, one `epoch` each, one `done`.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the result alone.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Args {
    /// Checks that the flags fit each other.
    ///
    /// # Errors
    ///
    /// What to tell the user.
    pub fn check(&self) -> Result<(), String> {
        let CheckpointArgs { checkpoint, checkpoint_every, keep_last, resume, force } =
            &self.checkpoints;
        let alone = |flag| Err(format!("'{flag}' needs a folder: '--checkpoint DIR'"));
        match checkpoint {
            None if checkpoint_every.is_some() => alone("--checkpoint-every"),
            None if keep_last.is_some() => alone("--keep-last"),
            None if *resume == Some(None) => alone("--resume"),
            _ if *force && resume.is_none() => Err("'--force' needs '--resume'".to_owned()),
            _ => self.config().check(),
        }
    }

    /// Returns where checkpoints go, if they are asked for; makes the folder.
    ///
    /// # Errors
    ///
    /// If there cannot be such a folder.
    pub(crate) fn checkpoints(&self) -> Result<Option<Checkpoints>> {
        let CheckpointArgs { checkpoint: Some(folder), checkpoint_every, keep_last, .. } =
            &self.checkpoints
        else {
            return Ok(None);
        };
        let mut to = Checkpoints::new(folder)?;
        to.every = checkpoint_every.unwrap_or(to.every);
        to.keep_last = keep_last.unwrap_or(to.keep_last);
        to.outputs = self.outputs();
        Ok(Some(to))
    }

    /// Returns the flags of what is written, which a resumed run keeps.
    fn outputs(&self) -> Settings {
        let path = |path: &PathBuf| Some(path.display().to_string());
        let (output, checkpoints) = (&self.output, &self.checkpoints);
        let mut flags = vec![("out", path(&output.out))];
        if let Some(folder) = &output.plots {
            flags.extend([
                ("plots", path(folder)),
                ("plots-format", Some(output.plots_format.to_string())),
            ]);
        }
        let folders = [("log", &output.log), ("tensorboard", &output.tensorboard)];
        flags.extend(folders.into_iter().filter_map(|(flag, at)| Some((flag, path(at.as_ref()?)))));
        flags.extend(checkpoints.checkpoint.as_ref().map(|folder| ("checkpoint", path(folder))));
        let every = checkpoints.checkpoint_every.map(|every| every.to_string());
        flags.extend(every.map(|every| ("checkpoint-every", Some(every))));
        let keep = checkpoints.keep_last.map(|keep| keep.to_string());
        flags.extend(keep.map(|keep| ("keep-last", Some(keep))));
        flags
    }

    /// Returns the settings of the run.
    pub(crate) fn config(&self) -> TrainConfig {
        let training = &self.training;
        TrainConfig {
            model: self.network.model(),
            loss: self.network.loss(),
            class_weight: training.class_weight.clone(),
            optimizer: OptimizerSpec {
                kind: training.optimizer,
                learning_rate: training.lr,
                momentum: training.momentum,
                beta1: training.beta1,
                beta2: training.beta2,
                alpha: training.alpha,
                epsilon: training.epsilon,
                weight_decay: training.weight_decay,
                decay_weights_only: training.decay_weights_only,
            },
            schedule: training.schedule,
            warmup: training.warmup,
            clip_norm: training.clip_norm,
            epochs: training.epochs,
            batch_size: training.batch_size,
            full_batch: training.full_batch,
            patience: training.patience,
            keep_lowest_loss: training.keep_lowest_loss,
            max_steps: training.max_steps,
            seed: training.seed,
            shuffle: !training.no_shuffle,
            init: training.init,
            init_from: training.init_from.clone(),
            freeze: training.freeze,
            inputs: training.inputs,
            scale: training.scale,
            monitor: training.monitor,
            threshold_quantile: training.threshold_quantile,
            augment: training.augment.clone(),
            split: self.data.split(),
            threads: training.threads,
            measure_training: self.output.plots.is_some(),
        }
    }

    /// Returns the model to start from.
    pub(crate) fn init_from(&self) -> Option<&Path> {
        self.training.init_from.as_deref()
    }

    /// Returns what is read.
    pub(crate) fn inputs(&self) -> output::Inputs {
        output::Inputs::default()
            .and("--data", self.data.source.path())
            .and("--test-data", self.data.test_data.as_ref().and_then(Source::path))
            .and("--init-from", &self.training.init_from)
            .and("--recipe", &self.recipe)
    }
}

fn fraction(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(fraction) if fraction > 0.0 && fraction <= 1.0 => Ok(fraction),
        _ => Err("expected a fraction above 0, up to 1".to_owned()),
    }
}

/// `png` or `svg`.
fn figure_format(word: &str) -> Result<FileFormat, String> {
    match word.parse() {
        Ok(format) if format != FileFormat::Html => Ok(format),
        _ => Err("expected png or svg".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use picomlp_train::Session;
    use picomlp_train::config::Hidden;
    use picomlp_train::data::Dataset;

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

    /// The command that a run on a tiny set says it is repeated by.
    fn command(args: &Args) -> String {
        let mut data = Dataset {
            inputs: (0..40u8).collect::<Vec<_>>().into(),
            targets: (0..40u8).map(|i| i % 2).collect::<Vec<_>>().into(),
            rows: 1,
            cols: 1,
            classes: 2,
            max: 255,
            source: args.data.source.clone(),
            test_source: args.data.test_data.clone(),
            own_test: 10,
            schema: args.data.schema.schema(),
            ..Dataset::default()
        };
        if args.data.split().test.is_some() && !args.data.split().merge {
            data.own_test = 0;
        }
        let out = args.output.out.clone();
        let folds = args.data.folds.map(|folds| folds as usize);
        let sessions = folds.map(|folds| {
            picomlp_train::CrossValidation::new(&args.config(), &data, folds).unwrap()
        });
        let session = Session::new(args.config(), &data).unwrap();
        let start = match &sessions {
            Some(all) => all.sessions()[0].start(None, folds),
            None => session.start(Some(&out), None),
        };
        start.command.strip_prefix("picomlp train ").unwrap().to_owned()
    }

    #[test]
    fn hidden_takes_any_widths_and_none() {
        let hidden = |line: &str| parse(line).unwrap().config().model.hidden;
        assert_eq!(hidden("--hidden 200,100"), Hidden(vec![200, 100]));
        assert_eq!(hidden("--hidden ''"), Hidden(vec![]));
        assert_eq!(hidden(""), Hidden(vec![128]));
    }

    #[test]
    fn without_flags_the_settings_are_the_library_s_defaults() {
        assert_eq!(parse("").unwrap().config(), TrainConfig::default());
    }

    #[test]
    fn the_learning_rate_depends_on_the_optimizer_unless_given() {
        let rate = |line: &str| parse(line).unwrap().config().optimizer.learning_rate();
        assert_eq!(rate(""), 1e-3);
        assert_eq!(rate("--optimizer sgd"), 0.1);
        assert_eq!(rate("--optimizer sgd --lr 0.5"), 0.5);
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
            let words = command(&args);
            let got = words.split_once(" --epochs 10 ").unwrap().1;
            assert_eq!(got, format!("{line} --out model.pmlp"));
            assert_eq!(command(&parse(&words).unwrap()), words);
        }
    }

    #[test]
    fn the_command_repeats_every_setting() {
        let line = "--data some/dir --hidden '' --epochs 3 --batch-size 7 --optimizer sgd --lr 0.25 --seed 9 \
                    --val-split 0 --init xavier --loss mse --inputs signed --augment rotate=5 --no-shuffle --max-steps 5 --out a.pmlp";
        assert_eq!(command(&parse(line).unwrap()), line);
        let line = "--data some/dir --hidden 8,4 --epochs 3 --batch-size 7 --optimizer sgd --lr 0.25 --seed 9 \
                    --val-split 0 --init xavier --activation tanh --output-activation sigmoid --leaky-slope 0.1 --norm layer \
                    --dropout 0.5,0 --bias hidden --label-smoothing 0.25 --class-weight 0=1,1=2.5 --out a.pmlp";
        assert_eq!(command(&parse(line).unwrap()), line);
    }

    #[test]
    fn the_command_repeats_every_setting_of_the_data() {
        for line in [
            "--test-data b.csv --stratified --held-out last --csv-header no --target last --csv-max 16 --image-shape 8x8 --out a",
            "--merge --test-split 10 --normalize --out a",
            "--test-split 0 --folds 5",
        ] {
            let words = command(&parse(line).unwrap());
            assert!(words.ends_with(&format!(" --val-split 0.1 --init he {line}")), "{words}");
            assert_eq!(command(&parse(&words).unwrap()), words);
        }
    }

    #[test]
    fn british_spellings_are_read() {
        let inputs = |line: &str| parse(line).unwrap().config().inputs;
        assert_eq!(inputs("--inputs standardised"), Inputs::Standardized);
        assert_eq!(inputs("--inputs standardized"), Inputs::Standardized);
        assert!(parse("--normalise").unwrap().data.schema.schema().normalize);
        assert!(!parse("--inputs x").unwrap_err().contains("standardised"));
    }
}
