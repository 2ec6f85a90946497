//! `picomlp draw`: a synthetic digit as an image.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use picomlp_fixtures::digits::{PIXELS, SIDE};
use picomlp_train::image::png::encode_gray;
use picomlp_train::output::Inputs;

use crate::files;

/// Draw a synthetic digit as a PNG, so that `predict` can be tried at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The digit to draw.
    #[arg(value_parser = clap::value_parser!(u8).range(0..=9))]
    digit: u8,
    /// Which of its many forms.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The PNG to write.
    #[arg(short, long, value_name = "FILE.png")]
    out: PathBuf,
}

/// Draws the digit and says what to do with it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let mut image = [0; PIXELS];
    picomlp_fixtures::digits::draw(args.digit, args.seed, &mut image);
    let bytes = encode_gray(SIDE, SIDE, &image)?;
    files::write(files::plan(&Inputs::default(), [&args.out])?, &[&bytes])?;
    writeln!(
        out,
        "{}: a {} of {SIDE}×{SIDE} pixels, seed {}",
        args.out.display(),
        args.digit,
        args.seed
    )?;
    Ok(())
}
