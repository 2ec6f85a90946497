//! What was measured on labeled samples.

use std::io::Write;

use anyhow::Result;
use picomlp_train::text::{grouped, one_line, percent};
use picomlp_train::{Average, Evaluation, Regression};

/// Writes accuracy, or R² and errors, and loss.
pub(crate) fn write_result(out: &mut dyn Write, result: &Evaluation) -> Result<()> {
    if let Some(Regression { r2, mae, rmse, .. }) = result.regression {
        writeln!(
            out,
            "test R²        {r2:.4} ({} samples), mean absolute error {mae:.4}, root mean squared error {rmse:.4}, loss {:.4}",
            grouped(result.samples),
            result.loss
        )?;
        if let (Some(auc), Some(partial)) = (result.auc, result.partial_auc) {
            writeln!(
                out,
                "anomalies      ROC AUC {auc:.4}, partial {partial:.4} (false positive rate up to 0.1)"
            )?;
        }
        if let Some(counts) = result.anomalies {
            let false_alarms = counts.predicted - counts.correct;
            writeln!(
                out,
                "at threshold   {} of {} anomalies found, {} of {} normal samples taken for one; F1 {:.4}",
                grouped(counts.correct),
                grouped(counts.samples),
                grouped(false_alarms),
                grouped(result.samples - counts.samples),
                counts.measures().f1
            )?;
        }
        return Ok(());
    }
    writeln!(
        out,
        "test accuracy  {} ({} of {}{}), loss {:.4}",
        percent(result.accuracy()),
        grouped(result.correct),
        grouped(result.samples),
        if result.labels.is_empty() { "" } else { " with all labels right" },
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

/// Writes precision, recall and F1 of each class or label, their means, and measures of all samples; `top_k` beyond 1.
pub(crate) fn write_classes(
    out: &mut dyn Write,
    result: &Evaluation,
    top_k: Option<usize>,
    name: impl Fn(usize) -> String,
) -> Result<()> {
    let classes = result.classes();
    let names: Vec<String> =
        (0..classes.len()).map(|class| one_line(&name(class)).into_owned()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(17);
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
    let labels = !result.labels.is_empty();
    let what = if labels { "label" } else { "class" };
    writeln!(out, "\n{what:<width$} precision    recall        f1   samples")?;
    for (class, name) in classes.iter().zip(names) {
        let (precision, recall) = (number(class.precision), number(class.recall));
        let (f1, samples) = (class.f1, grouped(class.samples));
        writeln!(out, "{name:<width$} {precision:>9} {recall:>9} {f1:>9.4} {samples:>9}")?;
    }
    let averages = [
        ("macro average", result.macro_average()),
        ("weighted average", result.weighted_average()),
    ];
    let micro = labels.then(|| ("micro average", result.micro_average()));
    for (name, Average { precision, recall, f1 }) in averages.into_iter().chain(micro) {
        writeln!(out, "{name:<width$} {precision:>9.4} {recall:>9.4} {f1:>9.4}")?;
    }
    writeln!(out)?;
    let balanced = (!labels).then(|| ("balanced accuracy", result.balanced_accuracy()));
    let top = top_k.map(|k| (format!("top-{k} accuracy"), result.top_k(k)));
    for (name, value) in
        balanced.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(top)
    {
        writeln!(out, "{name:<width$} {value:>9.4}")?;
    }
    if let (Some(auc), Some(partial)) = (result.auc, result.partial_auc) {
        writeln!(out, "{:<width$} {auc:>9.4}", "ROC AUC")?;
        writeln!(
            out,
            "{:<width$} {partial:>9.4} (false positive rate up to 0.1)",
            "partial ROC AUC"
        )?;
    }
    if let Some(error) = result.calibration_error {
        writeln!(out, "{:<width$} {error:>9.4}", "calibration error")?;
    }
    Ok(())
}
