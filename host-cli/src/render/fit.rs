//! Whether a model fits microcontrollers.

use std::io::Write;

use anyhow::{Context, Result};
use picomlp_train::chips::{CHIPS, Chip, Use, find};

/// Writes a table of all chips, or what is left on one.
///
/// # Errors
///
/// If there is no chip of that name.
pub(crate) fn write(out: &mut dyn Write, chip: Option<&str>, uses: &[Use]) -> Result<()> {
    match chip {
        None => table(out, uses)?,
        Some(name) => {
            let chip = find(name).with_context(|| {
                let names: Vec<_> = CHIPS.iter().map(|chip| chip.name).collect();
                format!(
                    "--fit {name}: no chip of that name is known; there are {}",
                    names.join(", ")
                )
            })?;
            one(out, chip, uses)?;
        }
    }
    writeln!(
        out,
        "\nFlash holds model and code, RAM the stack too. Times are modelled, for a sample without zeros (which are skipped), without wait states;\nthose of other processors are not."
    )?;
    Ok(())
}

fn head(chip: &Chip) -> String {
    format!("{} {} MHz, {} KB flash, {} KB RAM", chip.core.name, chip.mhz, chip.flash, chip.ram)
}

fn table(out: &mut dyn Write, uses: &[Use]) -> Result<()> {
    write!(out, "{:<12} {:<46}", "chip", "")?;
    for used in uses {
        write!(out, " {:<16}", used.name)?;
    }
    writeln!(out)?;
    for chip in CHIPS {
        write!(out, "{:<12} {:<46}", chip.name, head(chip))?;
        for used in uses {
            let says = match (used.left(chip), used.milliseconds(chip)) {
                ([flash, ram], Some(time)) if flash >= 0 && ram >= 0 => {
                    format!("yes, {time:.2} ms")
                }
                ([flash, ram], None) if flash >= 0 && ram >= 0 => "yes".to_owned(),
                ([flash, _], _) if flash < 0 => "no: flash".to_owned(),
                _ => "no: RAM".to_owned(),
            };
            write!(out, " {says:<16}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, chip: &Chip, uses: &[Use]) -> Result<()> {
    writeln!(out, "{}: {} ({})", chip.name, head(chip), chip.source)?;
    for used in uses {
        let kb = |bytes: isize| bytes.unsigned_abs().div_ceil(1024);
        let says = |left: isize, of: &str| match left {
            0.. => format!("{} KB of {of} left", kb(left)),
            _ => format!("{} KB of {of} missing", kb(left)),
        };
        let [flash, ram] = used.left(chip);
        write!(out, "{:<16} {}, {}", used.name, says(flash, "flash"), says(ram, "RAM"))?;
        match used.milliseconds(chip) {
            Some(time) => writeln!(out, ", {time:.2} ms a sample")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}
