//! The pictures of `train --plots`.

use std::path::Path;

use anyhow::Result;
use picomlp::{InputMap, Layer, LossKind, Sequential};

use super::args::Args;
use super::report::Report;
use crate::Pool;
use crate::data::Split;
use crate::plot::{History, Show, Subject, parts, write_folder};

/// Draws all of them and writes them into `folder`: of the test set, or of the training set if there is none.
pub(super) fn write(
    args: &Args,
    folder: &Path,
    pool: &Pool,
    (net, params, map, loss): (&Sequential, &[f32], InputMap, LossKind),
    data: &Split,
    report: &mut Report<'_>,
) -> Result<()> {
    let names = (0..net.outputs()).map(|class| data.train.class_name(class)).collect();
    let (measured, set) = match data.test.is_empty() {
        true => (&data.train, "training samples"),
        false => (&data.test, "test samples"),
    };
    let history = History::parse(&report.history)?;
    let show = Show {
        subject: Subject { net, params, map, loss, names, set },
        measured,
        shown: &data.train,
        history: Some(&history),
    };
    let inputs = args.inputs().and("--out", [&args.out]);
    let files =
        write_folder(&inputs, folder, args.plots_format, &parts(pool, &show)?, &report.history)?;
    report.plots(folder, &files)
}

/// Writes history.jsonl alone.
pub(super) fn write_history(args: &Args, folder: &Path, report: &Report<'_>) -> Result<()> {
    let inputs = args.inputs().and("--out", [&args.out]);
    write_folder(&inputs, folder, args.plots_format, &[], &report.history).map(drop)
}
