//! What a program's image holds: how much code of the core, and none that could panic, format or allocate.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSymbol, SymbolKind};

/// Pieces of mangled names of functions that a program must not link.
const FORBIDDEN: [&str; 7] =
    ["panic", "unwind", "4core3fmt", "core..fmt", "__rust_alloc", "__rdl_alloc", "5alloc"];

/// Pieces of mangled names of the core's functions that compute. Reading and writing blobs, initial values and
/// fingerprints are not among them; the library's loops that fill memory are.
const COMPUTING: [&str; 12] = [
    "7picomlp7kernels",
    "picomlp..kernels",
    "7picomlp6layers",
    "picomlp..layers",
    "7picomlp4blob9quantized",
    "7picomlp7network",
    "7picomlp7trainer",
    "7picomlp7monitor",
    "13picomlp_store",
    "7picomlp5optim",
    "picomlp..optim",
    "__aeabi_memclr",
];

/// What is asked of a program's code.
pub(crate) struct Code {
    /// The program's own function that the core's code is inlined into, as it stands in mangled names.
    pub(crate) entry: &'static str,
    /// The most bytes of code that compute.
    pub(crate) most: u64,
}

/// An image's functions and their sizes.
fn functions(image: &Path) -> Result<Vec<(String, u64)>> {
    let bytes = fs::read(image).with_context(|| image.display().to_string())?;
    let file = object::File::parse(&*bytes).with_context(|| image.display().to_string())?;
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    Ok(functions
        .filter_map(|symbol| Some((symbol.name().ok()?.to_owned(), symbol.size())))
        .collect())
}

/// An error that names a function of an image that panics, formats or allocates, if there is one.
pub(crate) fn forbid(image: &Path) -> Result<()> {
    for (name, _) in functions(image)? {
        if let Some(word) = FORBIDDEN.iter().find(|word| name.contains(**word)) {
            bail!("{}: links {name}, which is code of `{word}`", image.display());
        }
    }
    Ok(())
}

/// Checks an image's symbols; prints the size of its code.
pub(crate) fn check(image: &Path, code: &Code) -> Result<()> {
    forbid(image)?;
    let functions = functions(image)?;
    ensure!(
        functions.iter().any(|(name, size)| name.contains(code.entry) && *size > 0),
        "{}: no function is called {}",
        image.display(),
        code.entry
    );
    let computes = |name: &str| {
        name.contains(code.entry) || COMPUTING.iter().any(|piece| name.contains(piece))
    };
    let size: u64 = functions.iter().filter(|(name, _)| computes(name)).map(|(_, size)| size).sum();
    println!("code that computes: {size} bytes, at most {} allowed", code.most);
    ensure!(size <= code.most, "{}: the core's code is too large", image.display());
    Ok(())
}
