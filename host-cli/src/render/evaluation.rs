//! What was measured on labeled samples.

use std::io::Write;

use anyhow::Result;
use picomlp_train::text::{grouped, one_line, percent};
use picomlp_train::{Evaluation, Regression};

/// Writes accuracy, or R² and errors, and loss.
pub(crate) fn write_result(out: &mut dyn Write, result: &Evaluation) -> Result<()> {
    if let Some(Regression { r2, mae, rmse, .. }) = result.regression {
        writeln!(
            out,
            "test R²        {r2:.4} ({} samples), mean absolute error {mae:.4}, root mean squared error {rmse:.4}, loss {:.4}",
            grouped(result.samples),
            result.loss
        )?;
        if let Some(auc) = result.auc {
            writeln!(out, "anomalies      ROC AUC {auc:.4}")?;
        }
        return Ok(());
    }
    writeln!(
        out,
        "test accuracy  {} ({} of {}), loss {:.4}",
        percent(result.accuracy()),
        grouped(result.correct),
        grouped(result.samples),
        result.loss
    )?;
    Ok(())
}

/// Writes the confusion matrix, with the recall of each class.
pub(crate) fn write_confusion(
    out: &mut dyn Write,
    result: &Evaluation,
    names: &[&str],
) -> Result<()> {
    let numbers: Vec<String> = (0..result.confusion.len()).map(|class| class.to_string()).collect();
    let name = |class: usize| one_line(names.get(class).copied().unwrap_or(&numbers[class]));
    let counts = result.confusion.iter().flatten().map(|count| count.to_string().len());
    let labels = (0..numbers.len()).map(|class| name(class).chars().count());
    let width = counts.chain(labels).max().unwrap_or(1) + 2;
    writeln!(out, "\nconfusion      columns: predicted class; rows: true class")?;
    write!(out, "{:>width$}", "")?;
    for class in 0..numbers.len() {
        write!(out, "{:>width$}", name(class))?;
    }
    writeln!(out, "{:>10}", "recall")?;
    for (class, row) in result.confusion.iter().enumerate() {
        write!(out, "{:>width$}", name(class))?;
        for count in row {
            match count {
                0 => write!(out, "{:>width$}", ".")?,
                _ => write!(out, "{count:>width$}")?,
            }
        }
        let samples: usize = row.iter().sum();
        match samples {
            0 => writeln!(out, "{:>10}", "-")?,
            _ => writeln!(out, "{:>10}", percent(row[class] as f64 / samples as f64))?,
        }
    }
    Ok(())
}

/// Writes precision, recall and F1 of each class, and their means.
pub(crate) fn write_classes(
    out: &mut dyn Write,
    result: &Evaluation,
    name: impl Fn(usize) -> String,
) -> Result<()> {
    let classes = result.classes();
    let names: Vec<String> =
        (0..classes.len()).map(|class| one_line(&name(class)).into_owned()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(14);
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
    writeln!(out, "\n{:<width$} precision    recall        f1   samples", "class")?;
    for (class, name) in classes.iter().zip(names) {
        let (precision, recall) = (number(class.precision), number(class.recall));
        let (f1, samples) = (class.f1, grouped(class.samples));
        writeln!(out, "{name:<width$} {precision:>9} {recall:>9} {f1:>9.4} {samples:>9}")?;
    }
    let (mean, weighted) = (result.macro_f1(), result.weighted_f1());
    writeln!(out, "{:<width$} {mean:>29.4}", "mean of F1")?;
    writeln!(out, "{:<width$} {weighted:>29.4}", "by samples")?;
    writeln!(out, "{:<width$} {:>19.4}", "mean of recall", result.balanced_accuracy())?;
    if let Some(auc) = result.auc {
        writeln!(out, "{:<width$} {auc:>9.4}", "ROC AUC")?;
    }
    Ok(())
}
