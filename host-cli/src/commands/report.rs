//! `picomlp report`: one page that shows a model from all sides.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use picomlp::blob::{Provenance, TargetKind};
use picomlp::{Layer, Model, Sequential};
use picomlp_plots::{Part, Show, Subject, parts};
use picomlp_train::text::{grouped, percent, widths};
use picomlp_train::{History, Measured, ModelFile, ModelInput, Pool, vote};

use crate::args::data::MeasureArgs;
use crate::files;
use crate::text::{loss_title, optimizer_title};

/// Write a page that shows what a model confuses, what it looks at, what its data is like, and the settings that repeat it.
///
/// The page is one HTML file that needs nothing else: no network, no other file.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    of: MeasureArgs,
    /// What `train --json` printed, or history.jsonl of `train --plots`: for the curves.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The page to write.
    #[arg(short, long, default_value = "report.html", value_name = "FILE.html")]
    out: PathBuf,
}

/// Measures, draws and writes the page, and says where it is.
///
/// # Errors
///
/// If model, data or history cannot be read or do not fit each other, or the page cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let inputs = args.of.inputs().and("--history", &args.history);
    let output = files::plan(&inputs, [&args.out])?;
    let file = ModelFile::read(&args.of.model)?;
    let model = file.model()?;
    let history = args.history.as_deref().map(History::read).transpose()?;
    let Measured { data, is_held_out, note } =
        args.of.load(&ModelInput::new(&file, model.blob(), model.net()))?;
    let pool = Pool::new(args.of.threads)?;
    let subject = Subject::of_model(&model, &data);
    let show = Show { subject, measured: &data, shown: &data, history: history.as_ref() };
    let mut parts = parts(&pool, &show).with_context(|| file.path().display().to_string())?;
    if history.is_none() {
        let note = "The curves of the training are left out: give --history the file that train --json or --plots wrote.";
        parts.insert(0, ("curves", "Training", Part::Note(note.to_owned())));
    }
    parts.insert(0, ("settings", "Settings", Part::Settings(settings(&file, &model))));
    let name = args.of.model.file_name().unwrap_or(args.of.model.as_os_str()).to_string_lossy();
    let lead = format!(
        "{}, {} parameters, measured on {} {} of {}{}",
        widths(model.net()),
        grouped(model.net().params()),
        grouped(vote::count_answers(&data)),
        vote::answers(&data),
        args.of.data,
        if is_held_out { " that training held out" } else { "" }
    );
    let page = picomlp_plots::report(&name, &lead, &parts);
    files::write(output, &[page.as_bytes()])?;
    let shown = args.out.display();
    writeln!(out, "{shown}: {} parts, {} bytes", parts.len(), grouped(page.len()))?;
    if is_held_out {
        writeln!(out, "data           {note}")?;
    }
    Ok(())
}

/// What the model says of itself.
fn settings(file: &ModelFile, model: &Model<'_, Sequential>) -> Vec<(&'static str, String)> {
    let blob = model.blob();
    let mut rows = vec![
        ("model", file.path().display().to_string()),
        ("network", widths(model.net())),
        ("classes", blob.class_names().collect::<Vec<_>>().join(" ")),
        ("fingerprint", format!("{:016x}", blob.fingerprint())),
    ];
    let Some(Provenance {
        seed,
        steps,
        data_fingerprint,
        optimizer,
        learning_rate,
        batch_size,
        epochs,
        train_samples,
        test_samples,
        test_measure,
        loss,
        command,
    }) = blob.provenance()
    else {
        rows.push(("training", "the model does not say how it was made".to_owned()));
        return rows;
    };
    let accuracy = match test_samples {
        0 => "not measured".to_owned(),
        samples if matches!(blob.targets(), Some(TargetKind::Values | TargetKind::Inputs)) => {
            format!("R² {test_measure:.4} of {} samples", grouped(samples as usize))
        }
        samples => {
            format!("{} of {} samples", percent(f64::from(test_measure)), grouped(samples as usize))
        }
    };
    rows.extend([
        ("optimizer", format!("{}, learning rate {learning_rate}", optimizer_title(optimizer))),
        ("loss", loss_title(loss).to_owned()),
        ("batch", batch_size.to_string()),
        ("trained", format!("{} steps, to the end of epoch {epochs}", grouped(steps as usize))),
        ("seed", seed.to_string()),
        (
            "data",
            format!(
                "{} training samples, fingerprint {data_fingerprint:016x}",
                grouped(train_samples as usize)
            ),
        ),
        ("measured in its test", accuracy),
        ("repeat", command.to_owned()),
    ]);
    rows
}
