//! A model file as C or Rust source: the bytes as an aligned constant, its sizes as macros or constants.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use picomlp::kernels::SCALAR_BLOCK;
use picomlp::layers::INFER_STACK;
use picomlp::{Adam, Layer, Sgd};

use crate::model_file::ModelFile;
use crate::text::widths;

/// The sizes that a program needs at compile time.
fn sizes(file: &ModelFile) -> Result<(Vec<(&'static str, usize)>, String)> {
    let blob = file.blob()?;
    let net = blob.network()?;
    let about = format!("{}, fingerprint {:016x}", widths(&net), blob.fingerprint());
    let with_f32 = blob.params().is_ok();
    let f32s = if with_f32 { net.infer_scratch(1) } else { 0 };
    let int8 = if blob.int8_params().is_ok() { file.quantized()?.scratch_len() } else { 0 };
    let scratch = 4 * f32s.max(int8);
    let mut sizes = vec![
        ("BYTES", blob.len()),
        ("INPUTS", net.inputs()),
        ("OUTPUTS", net.outputs()),
        ("SCRATCH", scratch),
        ("RAM", scratch + INFER_STACK),
    ];
    if with_f32 {
        // A device takes more workspace than this machine, which has vectors.
        let workspace = net.train_scratch(1) + net.shape().max_outputs.min(SCALAR_BLOCK);
        let train = |state| 4 * (net.params() * (1 + state) + workspace);
        sizes.extend([
            ("TRAIN_SGD", train(Sgd::STATE_PER_PARAM)),
            ("TRAIN_ADAM", train(Adam::STATE_PER_PARAM)),
        ]);
    }
    Ok((sizes, about))
}

/// A name from a file's, as C and Rust allow it.
fn identifier(path: &Path) -> Result<String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = stem.chars().map(word).collect();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    ensure!(
        is_name,
        "{}: the file's name names the constant: begin it with a letter",
        path.display()
    );
    Ok(name)
}

/// The bytes as numbers with commas, 20 a line.
fn numbers(bytes: &[u8]) -> String {
    let line = |line: &[u8]| {
        let numbers: String = line.iter().map(|byte| format!("{byte},")).collect();
        format!("    {numbers}\n")
    };
    bytes.chunks(20).map(line).collect()
}

/// The header and the source file for C99 and later, and C++.
pub(super) fn c(file: &ModelFile, header: &Path) -> Result<[String; 2]> {
    let (sizes, about) = sizes(file)?;
    let name = identifier(header)?;
    let upper = name.to_uppercase();
    let macros: String =
        sizes.iter().map(|(size, value)| format!("#define {upper}_{size} {value}\n")).collect();
    let include = header.file_name().context("it names no file")?.to_string_lossy();
    let header = format!(
        "/* {about}. Written by `picomlp export`. */\n\
         #ifndef {upper}_H\n#define {upper}_H\n\n\
         /* Bytes: _SCRATCH for inference, _RAM with its stack, _TRAIN_... to train with batches of 1. */\n\
         {macros}\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\
         extern const unsigned char {name}[{upper}_BYTES]; /* a .pmlp file, at a multiple of 16 */\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    );
    let source = format!(
        "#include \"{include}\"\n\n\
         #if defined(__GNUC__)\n__attribute__((aligned(16)))\n#elif defined(_MSC_VER)\n__declspec(align(16))\n\
         #else\n_Alignas(16)\n#endif\n\
         const unsigned char {name}[{upper}_BYTES] = {{\n{}}};\n",
        numbers(file.bytes())
    );
    Ok([header, source])
}

/// A Rust module.
pub(super) fn rust(file: &ModelFile) -> Result<String> {
    let (sizes, about) = sizes(file)?;
    let constants: String =
        sizes.iter().map(|(size, value)| format!("pub const {size}: usize = {value};\n")).collect();
    Ok(format!(
        "//! {about}. Written by `picomlp export`. Bytes: `SCRATCH` for inference, `RAM` with its stack,\n//! `TRAIN_…` to train with batches of 1.\n\n\
         use picomlp::blob::Aligned;\n\n{constants}\n#[rustfmt::skip]\n\
         pub static MODEL: Aligned<[u8; BYTES]> = Aligned([\n{}]);\n",
        numbers(file.bytes())
    ))
}
