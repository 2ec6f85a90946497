//! Cuts time series into samples of equal length: windows of a number of steps, each of as many values as there are channels.
//!
//! A file has a step in each row, or a recording in each row (`acc_x_0, acc_x_1, …, acc_y_0, …`). Either way a recording is a run of
//! steps, each with the values of all channels next to each other, and a window is a slice of it. No window reaches from one
//! recording into the next.

use anyhow::{Result, ensure};

use super::dataset::{Dataset, Feature, Targets, Values};
use super::groups::Groups;
use super::schema::{Schema, Target};
use crate::text::grouped;

/// The columns of a file that hold a series.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// Step by step, the channels of each next to each other.
    pub(super) columns: Vec<usize>,
    /// Names of the channels, and the first of their columns.
    pub(super) channels: Vec<(String, usize)>,
}

impl Series {
    /// Finds the channels of `features`, which are columns of these names. Rows are recordings if the names count the steps of each
    /// channel, at least `window` of them, or if there are more columns than the `channels` that were said.
    pub(super) fn detect(
        features: &[usize],
        names: &[String],
        window: usize,
        channels: Option<usize>,
    ) -> Result<Self, String> {
        let said = channels.unwrap_or(0);
        if said == features.len() || said == 0 && Self::counted(features, names, window).is_none() {
            let channels = features.iter().map(|&column| (names[column].clone(), column)).collect();
            return Ok(Self { columns: features.to_vec(), channels });
        }
        if let Some(series) = Self::counted(features, names, window)
            && (said == 0 || said == series.channels.len())
        {
            return Ok(series);
        }
        if !features.len().is_multiple_of(said) {
            let columns = features.len();
            return Err(format!("{columns} columns are no steps of --channels {said}"));
        }
        // One channel after the other.
        let steps = features.len() / said;
        let places = (0..steps).flat_map(|step| (0..said).map(move |of| of * steps + step));
        let channels = (0..said).map(|of| ((of + 1).to_string(), features[of * steps])).collect();
        Ok(Self { columns: places.map(|place| features[place]).collect(), channels })
    }

    /// Finds the channels that a model reads, by their names.
    pub(super) fn known(channels: &[String], names: &[String]) -> Option<Self> {
        let all: Vec<usize> = (0..names.len())
            .filter(|&column| {
                step_of(&names[column]).is_some_and(|(channel, _)| channels.contains(&channel))
            })
            .collect();
        let mut found = Self::counted(&all, names, 1).unwrap_or_default();
        if found.channels.len() == channels.len() {
            // In the model's order, which need not be that of the file.
            let place = |name: &String| found.channels.iter().position(|(n, _)| n == name);
            let order: Vec<usize> = channels.iter().filter_map(place).collect();
            let steps = found.columns.chunks_exact(channels.len());
            found.columns = steps.flat_map(|step| order.iter().map(|&of| step[of])).collect();
            found.channels = order.iter().map(|&of| found.channels[of].clone()).collect();
            return Some(found);
        }
        let column = |name: &String| names.iter().position(|column| column == name);
        let columns: Vec<usize> = channels.iter().filter_map(column).collect();
        (columns.len() == channels.len()).then(|| Self {
            channels: channels.iter().cloned().zip(columns.iter().copied()).collect(),
            columns,
        })
    }

    /// The channels, if names count the same steps of each of them, without a gap.
    fn counted(features: &[usize], names: &[String], window: usize) -> Option<Self> {
        let mut channels: Vec<(String, Vec<(usize, usize)>)> = Vec::new();
        for &column in features {
            let (name, step) = step_of(&names[column])?;
            match channels.iter_mut().find(|(known, _)| *known == name) {
                Some((_, steps)) => steps.push((step, column)),
                None => channels.push((name, vec![(step, column)])),
            }
        }
        channels.iter_mut().for_each(|(_, steps)| steps.sort_unstable());
        let numbers = |steps: &[(usize, usize)]| steps.iter().map(|s| s.0).collect::<Vec<_>>();
        let first = numbers(&channels.first()?.1);
        let is_regular = first.windows(2).all(|pair| pair[1] == pair[0] + 1)
            && channels.iter().all(|(_, steps)| numbers(steps) == first);
        (is_regular && first.len() >= window.max(2)).then(|| Self {
            columns: (0..first.len())
                .flat_map(|step| channels.iter().map(move |(_, steps)| steps[step].1))
                .collect(),
            channels: channels.iter().map(|(name, steps)| (name.clone(), steps[0].1)).collect(),
        })
    }
}

/// The channel and the step of a name such as `acc_x_12` or `h7`.
fn step_of(name: &str) -> Option<(String, usize)> {
    let channel = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let step = name[channel.len()..].parse().ok()?;
    let channel = channel.trim_end_matches(['_', '-', '.', ' ']);
    (!channel.is_empty()).then(|| (channel.to_owned(), step))
}

/// The names of the channels that a model reads by windows, if they have names.
pub(super) fn channels_of(features: &[Feature], window: usize) -> Vec<String> {
    let first = &features[..features.len() / window.max(1)];
    let names: Option<Vec<String>> =
        first.iter().map(|feature| feature.name.strip_suffix("_0").map(str::to_owned)).collect();
    let names = names.unwrap_or_default();
    let are_numbers = names.iter().enumerate().all(|(at, name)| *name == (at + 1).to_string());
    if are_numbers { Vec::new() } else { names }
}

/// Cuts `data`, whose features are steps of `channels`, into windows. `runs` tells rows that do not follow each other apart.
///
/// # Errors
///
/// If no recording is as long as a window.
pub(super) fn cut(
    mut data: Dataset,
    channels: &[Feature],
    runs: &[u32],
    schema: &Schema,
) -> Result<Dataset> {
    let (window, stride) = schema.window_and_stride();
    let (width, rows, steps) = (channels.len(), data.len(), data.pixels() / channels.len());
    let Values::Floats(values) = core::mem::take(&mut data.inputs) else { return Ok(data) };
    let is_end = |row: usize| {
        let next = row + 1;
        let differs = match &data.targets {
            Targets::Classes(labels) if !labels.is_empty() => labels.get(row) != labels.get(next),
            _ => data.anomalous.get(row) != data.anomalous.get(next),
        };
        next == rows
            || steps > 1
            || differs
            || runs.get(row) != runs.get(next)
            || data.groups.of.get(row) != data.groups.of.get(next)
    };
    let (mut start, mut recordings, mut short) = (0, 0, 0);
    // The last row of each window.
    let (mut inputs, mut ends, mut of) = (Vec::<f32>::new(), Vec::new(), Vec::new());
    for row in (0..rows).filter(|&row| is_end(row)) {
        let all = (row + 1 - start) * steps;
        if all < window {
            short += 1;
        }
        for from in (0..(all + 1).saturating_sub(window)).step_by(stride) {
            inputs.extend_from_slice(&values[(start * steps + from) * width..][..window * width]);
            ends.push((start + (from + window - 1) / steps) as u32);
            of.push(recordings);
        }
        start = row + 1;
        recordings += 1;
    }
    ensure!(
        !ends.is_empty(),
        "none of {recordings} recordings has the {window} steps of --window {window}"
    );
    // What is left are targets and groups.
    data.cols = 0;
    let mut found = data.subset(&ends);
    found.notes = data.notes;
    found.notes.push(format!(
        "{} windows of {window} steps and {width} channels, every {stride} steps, from {} recordings{}",
        grouped(ends.len()),
        grouped(recordings as usize - short),
        match short {
            0 => String::new(),
            _ => format!("; {} shorter ones left out", grouped(short)),
        }
    ));
    let features = (0..window).flat_map(|step| {
        let name =
            move |f: &Feature| Feature { name: format!("{}_{step}", f.name), unit: f.unit.clone() };
        channels.iter().map(name)
    });
    found.features = features.collect();
    found.inputs = inputs.into();
    found.cols = window * width;
    if schema.target == Target::Inputs
        && let (Values::Floats(inputs), Targets::Values(_)) = (&found.inputs, &found.targets)
    {
        found.targets = Targets::Values(inputs.to_vec());
        found.target_names = found.features.iter().map(|feature| feature.name.clone()).collect();
    }
    if found.groups.of.is_empty() {
        let are_runs = steps == 1;
        found.groups = Groups { of: of.clone(), names: Vec::new(), are_runs };
    }
    found.recordings = of;
    Ok(found)
}
