//! What was measured on labeled samples.

use std::io::Write;

use anyhow::Result;
use picomlp_train::Evaluation;
use picomlp_train::text::{grouped, one_line, percent};

/// Writes accuracy and loss.
pub(crate) fn write_result(out: &mut dyn Write, result: &Evaluation) -> Result<()> {
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
