//! Recomputes from its log what a device's [`Monitor`] decided.
//!
//! The log is a CSV file with the features of each sample, its number within the monitor's phase, and the device's score and
//! decision. A comment before it holds the settings:
//!
//! ```text
//! # picomlp monitor: optimizer=adam lr=0.003 learn=1500 patience=500 calibrate=200 quantile=0.995 votes=3/5
//! f0,f1,f2,sample,score,decision
//! 0.31,-0.2,1.5,0,1.0625,learning
//! ```
//!
//! A device that was cut off goes on from what it saved last: the number of the sample falls back, and so does the replay.

use core::fmt;
use core::str::FromStr;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use csv::StringRecord;
use picomlp::monitor::{MonitorState, Phase, Threshold};
use picomlp::optim::AnyOptimizer;
use picomlp::{
    Buffers, Layer, Monitor, MonitorSettings, Observation, Optimizer, Sequential, Trainer,
    WeightDecay,
};

use crate::config::{Built, OptimizerSpec};
use crate::named::Named;
use crate::{ModelFile, open};

/// Bytes of a log at most.
const MOST: u64 = 1 << 30;

/// What the line of settings begins with.
const SETTINGS: &str = "# picomlp monitor:";

/// The columns after the features.
const COLUMNS: [&str; 3] = ["sample", "score", "decision"];

/// Samples from one checkpoint to the next.
const INTERVAL: usize = 64;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// Samples replayed, those of [`first_difference`](Self::first_difference) not included.
    pub samples: usize,
    /// How often the device went on from an earlier state.
    pub restarts: usize,
    /// Samples of each decision: learning, calibrating, normal, anomaly.
    pub decisions: [usize; 4],
    /// The threshold at the end; 0 before it is calibrated.
    pub threshold: f32,
    /// Where device and PC part.
    pub first_difference: Option<Difference>,
}

/// The decisions by name, in the order of [`Replay::decisions`].
pub const DECISIONS: [&str; 4] = ["learning", "calibrating", "normal", "anomaly"];

/// The first difference between a device and this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The line of the log.
    pub line: u64,
    /// The column.
    pub column: &'static str,
    /// What this machine computes.
    pub expected: String,
    /// What the device wrote.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, expected, got } = self;
        write!(f, "line {line}, {column}: this machine computes {expected}, the device wrote {got}")
    }
}

/// Replays a log, beginning with the parameters of a model; stops at the first difference.
///
/// # Errors
///
/// Each names the file, and the line where there is one: log or model cannot be read; the settings are missing or make no sense; a
/// column is missing or no number; the model has another number of inputs or outputs than the log has features; the log does
/// not begin with the monitor's first sample.
pub fn replay(log: &Path, model: &Path) -> Result<Replay> {
    let shown = log.display();
    let text = open::read_text(log, MOST)?;
    let setup = Setup::find(&text).with_context(|| shown.to_string())?;
    let file = ModelFile::read(model)?;
    let model = file.model()?;
    let mut run = Run::new(setup, model.net(), model.params())?;

    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let titles = reader.headers().with_context(|| shown.to_string())?;
    let features = titles.len().saturating_sub(COLUMNS.len());
    ensure!(
        features > 0 && titles.iter().skip(features).eq(COLUMNS),
        "{shown}: expected the features' columns and then {}, got `{}`",
        COLUMNS.join(", "),
        titles.iter().collect::<Vec<_>>().join(",")
    );
    for size in [model.net().inputs(), model.net().outputs()] {
        ensure!(
            size == features,
            "{shown}: expected {size} features as {} has them, got {features}",
            file.path().display()
        );
    }
    let mut replay = Replay::default();
    for record in reader.records() {
        let row = record.map_err(Into::into).and_then(|record| Row::read(&record));
        let row = row.with_context(|| shown.to_string())?;
        let line = row.line;
        let different = |column, expected: String, got: String| {
            Some(Difference { line, column, expected, got })
        };
        if run.position() != row.position {
            let found = run.rewind(row.position)?;
            if !found && replay.samples == 0 {
                bail!(
                    "{shown}, line {line}: expected sample 0 of learning first: a log is replayed from its beginning"
                );
            }
            if !found {
                let name = |(phase, sample)| format!("sample {sample} of {phase:?}").to_lowercase();
                replay.first_difference =
                    different("sample", name(run.position()), name(row.position));
                break;
            }
            replay.restarts += 1;
        }
        let said = run.observe(row.features).with_context(|| format!("{shown}, line {line}"))?;
        let score = said.score();
        replay.first_difference = if score.to_bits() != row.score.to_bits() {
            different("score", score.to_string(), row.score.to_string())
        } else if said.decision() != DECISIONS[row.decision] {
            different("decision", said.decision().into(), DECISIONS[row.decision].into())
        } else {
            None
        };
        if replay.first_difference.is_some() {
            break;
        }
        replay.samples += 1;
        replay.decisions[row.decision] += 1;
    }
    replay.threshold = run.monitor.state().threshold();
    Ok(replay)
}

/// The settings in a log.
#[derive(Debug, PartialEq)]
struct Setup {
    optimizer: OptimizerSpec,
    monitor: MonitorSettings,
}

impl Setup {
    /// Finds the line of settings and reads it.
    fn find(text: &str) -> Result<Self> {
        let mut comments = text.lines().take_while(|line| line.starts_with('#'));
        let settings = comments.find_map(|line| line.strip_prefix(SETTINGS)).ok_or_else(|| {
            anyhow!("no settings: expected `{SETTINGS} optimizer=adam lr=0.003 learn=…` in the first line")
        })?;
        settings.parse()
    }
}

impl FromStr for Setup {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut optimizer = OptimizerSpec::default();
        let mut monitor = MonitorSettings::new();
        let (mut missing, mut threshold) =
            (vec!["optimizer", "lr", "learn", "patience", "calibrate", "votes"], None);
        for pair in text.split_whitespace() {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            missing.retain(|needed| *needed != name);
            let wrong = || format!("settings of the monitor: invalid value '{value}' for '{name}'");
            let number = || value.parse::<f32>().with_context(wrong);
            let count = || value.parse::<u32>().with_context(wrong);
            match name {
                "optimizer" => {
                    optimizer.kind =
                        Named::from_name(value).map_err(|why| anyhow!(why)).with_context(wrong)?;
                }
                "lr" => optimizer.learning_rate = Some(number()?),
                "learn" => monitor.learn = count()?,
                "patience" => monitor.patience = count()?,
                "calibrate" => monitor.calibrate = count()?,
                "quantile" => threshold = Some(Threshold::Quantile(number()?)),
                "deviations" => threshold = Some(Threshold::Deviations(number()?)),
                "votes" => {
                    let (needed, of) = value.split_once('/').with_context(wrong)?;
                    monitor.votes_needed = needed.parse().with_context(wrong)?;
                    monitor.votes_of = of.parse().with_context(wrong)?;
                }
                "drift" => monitor.drift = Some(number()?),
                _ => bail!("settings of the monitor: unknown setting '{name}'"),
            }
        }
        monitor.threshold = threshold
            .or_else(|| {
                missing.push("quantile or deviations");
                None
            })
            .unwrap_or(monitor.threshold);
        ensure!(missing.is_empty(), "settings of the monitor: {} missing", missing.join(", "));
        Ok(Self { optimizer, monitor })
    }
}

/// A phase, and the samples that the monitor has seen in it.
type Position = (Phase, u32);

/// A row of the log.
struct Row {
    line: u64,
    features: Vec<f32>,
    position: Position,
    score: f32,
    decision: usize,
}

impl Row {
    fn read(record: &StringRecord) -> Result<Self> {
        let line = record.position().map_or(0, csv::Position::line);
        let field = |at: usize| record.get(at).unwrap_or_default();
        let wrong = |at: usize, expected: &str| {
            anyhow!("line {line}, column {}: expected {expected}, got `{}`", at + 1, field(at))
        };
        let count = record.len().saturating_sub(COLUMNS.len());
        let number = |at| field(at).parse::<f32>().map_err(|_| wrong(at, "a number"));
        let features = (0..count).map(number).collect::<Result<_>>()?;
        let sample = field(count).parse().map_err(|_| wrong(count, "a whole number"))?;
        let decision = DECISIONS.iter().position(|name| *name == field(count + 2));
        let decision = decision.ok_or_else(|| wrong(count + 2, &DECISIONS.join(", ")))?;
        let phase = [Phase::Learn, Phase::Calibrate, Phase::Detect][decision.min(2)];
        Ok(Self { line, features, position: (phase, sample), score: number(count + 1)?, decision })
    }
}

type Optimizing = WeightDecay<AnyOptimizer>;
type Watch = Monitor<'static, Sequential, Optimizing, Vec<f32>, Vec<f32>, Vec<f32>>;

/// A monitor that can go back.
struct Run {
    net: Sequential,
    settings: MonitorSettings,
    monitor: Watch,
    /// Each sample since the beginning, but for those that a device has forgotten.
    seen: Vec<(Position, Vec<f32>)>,
    /// What was remembered before every [`INTERVAL`]th of them.
    checkpoints: Vec<Checkpoint>,
}

/// What a device saves.
#[derive(Clone)]
struct Checkpoint {
    params: Vec<f32>,
    state: Vec<f32>,
    steps: u64,
    monitor: MonitorState,
    optimizer: Optimizing,
}

impl Run {
    fn new(setup: Setup, net: &Sequential, params: &[f32]) -> Result<Self> {
        let Setup { optimizer, monitor: settings } = setup;
        let Built::Fused(optimizer) = optimizer.build() else {
            bail!("settings of the monitor: {} needs a gradient buffer", optimizer.kind);
        };
        let first = Checkpoint {
            params: params.to_vec(),
            state: vec![0.0; optimizer.state_len_of(net)],
            steps: 0,
            monitor: MonitorState::new(),
            optimizer,
        };
        let monitor = first.resume(net, settings)?;
        Ok(Self { net: net.clone(), settings, monitor, seen: Vec::new(), checkpoints: vec![first] })
    }

    /// Where the monitor is.
    fn position(&self) -> Position {
        (self.monitor.state().phase(), self.monitor.state().samples())
    }

    fn observe(&mut self, features: Vec<f32>) -> Result<Observation> {
        if self.seen.len() == INTERVAL * self.checkpoints.len() {
            let trainer = self.monitor.trainer();
            self.checkpoints.push(Checkpoint {
                params: trainer.params().to_vec(),
                state: trainer.state().to_vec(),
                steps: trainer.steps(),
                monitor: *self.monitor.state(),
                optimizer: *trainer.optimizer(),
            });
        }
        let (position, said) = (self.position(), self.monitor.observe(&features)?);
        self.seen.push((position, features));
        Ok(said)
    }

    /// Goes back to before a sample; returns whether there is one.
    fn rewind(&mut self, to: Position) -> Result<bool> {
        let key = |(phase, sample): Position| (phase as u32, sample);
        let found = self.seen.binary_search_by_key(&key(to), |(at, _)| key(*at));
        let Ok(index) = found else { return Ok(false) };
        self.checkpoints.truncate(index / INTERVAL + 1);
        let Some(checkpoint) = self.checkpoints.last() else { return Ok(false) };
        self.monitor = checkpoint.resume(&self.net, self.settings)?;
        self.seen.truncate(index);
        for (_, features) in &self.seen[index - index % INTERVAL..] {
            self.monitor.observe(features)?;
        }
        Ok(true)
    }
}

impl Checkpoint {
    fn resume(&self, net: &Sequential, settings: MonitorSettings) -> Result<Watch> {
        let Self { params, state, steps, monitor, optimizer } = self.clone();
        let workspace = vec![0.0; net.train_scratch(1)];
        let trainer = Trainer::new(net.clone(), optimizer, Buffers { params, state, workspace })?;
        Ok(Monitor::resume(trainer.with_seed(0, steps), settings, monitor)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use picomlp::blob::Contents;
    use picomlp::{Adam, Init, Mlp, Network};

    use super::*;

    type Net = Mlp<3, 2, 3>;

    const HEADER: &str = "# picomlp monitor: optimizer=adam lr=0.01 learn=200 patience=200 calibrate=50 deviations=4 votes=2/3 drift=0.001\n";

    /// A device's life with restarts, and its log.
    fn log() -> (Vec<f32>, String) {
        let mut params = [0.0; Net::PARAMS];
        Net::default().init(&mut params, Init::He, 1).unwrap();
        let setup = Setup::find(HEADER).unwrap();
        let begin = |params, state, steps, rate, remembered| {
            let adam = Adam::new(rate).at_step(steps);
            let workspace = [0.0; Net::train_scratch(1)];
            let buffers = Buffers { params, state, workspace };
            let trainer = Trainer::new(Net::default(), adam, buffers).unwrap();
            Monitor::resume(trainer.with_seed(0, steps), setup.monitor, remembered).unwrap()
        };
        let fresh = [0.0; Adam::state_len(Net::PARAMS)];
        let mut monitor = begin(params, fresh, 0, 0.01, MonitorState::new());
        let mut saved = (params, fresh, 0, 0.01, MonitorState::new());
        let mut log = format!("{HEADER}f0,f1,f2,sample,score,decision\n");
        let mut noise = picomlp_fixtures::values(3);
        for i in 0..600 {
            if i % 90 == 89 {
                let (params, state, steps, rate, remembered) = saved;
                monitor = begin(params, state, steps, rate, remembered);
            } else if i % 50 == 7 {
                let trainer = monitor.trainer();
                saved = (
                    trainer.params().try_into().unwrap(),
                    trainer.state().try_into().unwrap(),
                    trainer.steps(),
                    trainer.optimizer().learning_rate,
                    *monitor.state(),
                );
            }
            let a = noise.next().unwrap();
            let x = if i > 550 { [a, a, a * a] } else { [a, -a, 0.5 * a] };
            let sample = monitor.state().samples();
            let said = monitor.observe(&x).unwrap();
            let [a, b, c] = x;
            let (score, decision) = (said.score(), said.decision());
            log += &format!("{a},{b},{c},{sample},{score},{decision}\n");
        }
        (params.to_vec(), log)
    }

    fn replayed(params: &[f32], log: &str) -> Result<Replay> {
        let folder = tempfile::tempdir().unwrap();
        let (log_file, model) = (folder.path().join("log.csv"), folder.path().join("m.pmlp"));
        let mut blob = Vec::new();
        let net = Net::default();
        Contents::new(&net, params).write_pieces(|piece| blob.extend_from_slice(piece)).unwrap();
        fs::write(&model, blob).unwrap();
        fs::write(&log_file, log).unwrap();
        replay(&log_file, &model)
    }

    #[test]
    fn a_device_that_restarts_is_replayed_and_the_first_difference_named() {
        let (params, log) = log();
        let replay = replayed(&params, &log).unwrap();
        assert_eq!((replay.samples, replay.restarts), (600, 6), "{replay:?}");
        assert!(replay.first_difference.is_none() && replay.decisions.iter().all(|n| *n > 0));

        let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
        let (row, decision) = lines[400].rsplit_once(',').unwrap();
        let other = if decision == "normal" { "anomaly" } else { "normal" };
        lines[400] = format!("{row},{other}");
        let found = replayed(&params, &lines.join("\n")).unwrap().first_difference.unwrap();
        assert_eq!((found.line, found.column, &*found.got), (401, "decision", other));

        let mut other_params = params.clone();
        other_params[3] = f32::from_bits(params[3].to_bits() + 1);
        let found = replayed(&other_params, &log).unwrap().first_difference.unwrap();
        assert!(found.line < 20 && found.column == "score", "{found}");
        let found = replayed(&params, &log.replace("learn=200", "learn=150")).unwrap();
        assert_eq!(found.first_difference.unwrap().column, "sample");
    }

    #[test]
    fn a_log_that_cannot_be_replayed_is_refused() {
        let (params, log) = log();
        let says = |log: &str| format!("{:#}", replayed(&params, log).unwrap_err());
        assert!(says(&log.replace("# picomlp", "# other")).contains("no settings"));
        assert!(says(&log.replace("votes=2/3", "")).contains("votes missing"));
        assert!(says(&log.replace("deviations=4", "")).contains("quantile or deviations missing"));
        assert!(says(&log.replace("votes=2/3", "votes=2")).contains("'2' for 'votes'"));
        assert!(says(&log.replace("votes=2/3", "votes=4/3")).contains("votes"));
        assert!(says(&log.replace("lr=0.01", "lr=x")).contains("'x' for 'lr'"));
        assert!(says(&log.replace("f0,", "f0,f1,")).contains("expected 3 features"));
        assert!(says(&log.replace("decision", "said")).contains("sample, score, decision"));
        assert!(says(&log.replace("learning", "lerning")).contains("line 3, column 6"));
        let later: Vec<_> = log.lines().take(2).chain(log.lines().skip(10)).collect();
        assert!(says(&later.join("\n")).contains("from its beginning"));
    }
}
