//! `cargo xtask c-library`: the C library for every target, packed; and programs in C that are linked with it and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;

use crate::code;
use crate::firmware::{self, CORTEX_M4, CORTEX_M33, MICROBIT};
use crate::mnist::{empty_folder, in_folder, picomlp};
use crate::python;
use crate::run::{command, read, root, show};
use crate::tools::{CMAKE, CXX, GCC_ARM, VALGRIND, need_target};

/// What `cargo xtask c-library` may be asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build for this target alone (as the compiler calls it); repeat for several. Defaults to all.
    #[arg(long, value_name = "TRIPLE")]
    target: Vec<String>,
}

/// What the library is built for.
struct Target {
    triple: &'static str,
    flags: &'static str,
    /// Where packages look for it: Arduino's name of the processor, and of its FPU where it has one.
    folders: &'static [&'static str],
}

const HOST: Target = Target { triple: "x86_64-unknown-linux-gnu", flags: "", folders: &["x86_64"] };

const M0: Target =
    Target { triple: "thumbv6m-none-eabi", flags: "", folders: &["cortex-m0", "cortex-m0plus"] };

const M4F: Target = Target {
    triple: "thumbv7em-none-eabihf",
    flags: "-C target-cpu=cortex-m4",
    folders: &["cortex-m4/fpv4-sp-d16-hard"],
};

/// The M55's vectors flush subnormal numbers, so it gets the code of an M33, which it runs.
const M33: Target = Target {
    triple: "thumbv8m.main-none-eabihf",
    flags: "-C target-cpu=cortex-m33",
    folders: &["cortex-m33/fpv5-sp-d16-hard", "cortex-m55/fpv5-sp-d16-hard"],
};

const TARGETS: [Target; 12] = [
    M0,
    Target { triple: "thumbv7m-none-eabi", flags: "", folders: &["cortex-m3"] },
    Target { triple: "thumbv7em-none-eabi", flags: "", folders: &["cortex-m4", "cortex-m7"] },
    Target {
        triple: "thumbv7em-none-eabi",
        flags: "-C target-cpu=cortex-m4",
        folders: &["cortex-m4/fpv4-sp-d16-softfp"],
    },
    M4F,
    // Not every M7 computes in double precision.
    Target {
        triple: "thumbv7em-none-eabihf",
        flags: "-C target-cpu=cortex-m7 -C target-feature=-fp64",
        folders: &["cortex-m7/fpv5-sp-d16-hard", "cortex-m7/fpv5-d16-hard"],
    },
    M33,
    Target { triple: "riscv32imc-unknown-none-elf", flags: "", folders: &["esp32c3", "rv32imc"] },
    Target {
        triple: "riscv32imac-unknown-none-elf",
        flags: "",
        folders: &["esp32c6", "esp32h2", "rv32imac"],
    },
    Target {
        triple: "riscv32imafc-unknown-none-elf",
        flags: "",
        folders: &["esp32p4", "rv32imafc"],
    },
    HOST,
    Target { triple: "aarch64-unknown-linux-gnu", flags: "", folders: &["aarch64"] },
];

/// Where the sources are.
fn bindings(path: &str) -> PathBuf {
    root().join("bindings/c").join(path)
}

/// Builds for these targets and packs them.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wanted = |target: &&Target| {
        args.target.is_empty() || args.target.iter().any(|triple| triple == target.triple)
    };
    let targets: Vec<_> = TARGETS.iter().filter(wanted).collect();
    ensure!(
        !targets.is_empty(),
        "no such target; there are {}",
        TARGETS.map(|t| t.triple).join(", ")
    );
    let folder = package(&targets)?;
    println!("{}", folder.display());
    Ok(())
}

/// Builds the library for a target, without debug information.
fn build(target: &Target) -> Result<PathBuf> {
    let Target { triple, flags, folders } = target;
    need_target(triple)?;
    let folder = root().join("target/c-library/build").join(folders[0].replace('/', "-"));
    let args =
        ["build", "--quiet", "-p", "picomlp-c", "--profile", "c-library", "--target", triple];
    let mut cargo = command("cargo", &args);
    cargo.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", flags);
    if triple.contains("-none-") {
        cargo.arg("--no-default-features");
    }
    show(cargo)?;
    let built = folder.join(triple).join("c-library/libpicomlp_c.a");
    let library = folder.join("libpicomlp.a");
    let mut strip = Command::new(of_the_toolchain("rust-objcopy")?);
    show({
        strip.arg("--strip-debug").arg(&built).arg(&library);
        strip
    })?;
    Ok(library)
}

/// A program that comes with the compiler.
fn of_the_toolchain(name: &str) -> Result<PathBuf> {
    let folder = read(command("rustc", &["--print", "target-libdir"]))?;
    let lib = Path::new(folder.trim()).parent().context("no target folder")?;
    Ok(lib.join("bin").join(name))
}

/// Links all of the library for a device, and looks for code that panics, formats or allocates.
fn check_symbols(target: &Target, library: &Path) -> Result<()> {
    let image = library.with_extension("elf");
    let header = fs::read_to_string(bindings("include/picomlp.h"))?;
    let mut lld = Command::new(of_the_toolchain("rust-lld")?);
    lld.args(["-flavor", "gnu", "--gc-sections", "--entry", "pico_version"]);
    for (start, _) in header.match_indices(" pico_") {
        let name = header[start + 1..].split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        let name = name.into_iter().next().unwrap_or_default();
        if header[start + 1 + name.len()..].starts_with('(') {
            lld.args(["--undefined", name]);
        }
    }
    lld.arg(library).arg("-o").arg(&image);
    show(lld)?;
    code::forbid(&image).with_context(|| target.triple)
}

/// One folder that Arduino, PlatformIO, Zephyr and CMake accept.
fn package(targets: &[&Target]) -> Result<PathBuf> {
    let name = format!("c-library/picomlp-c-{}", env!("CARGO_PKG_VERSION"));
    let package = empty_folder(&name)?;
    copy_folder(&bindings("package"), &package)?;
    copy_folder(&bindings("examples"), &package.join("examples"))?;
    copy(&bindings("include/picomlp.h"), &package.join("src/picomlp.h"))?;
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(license), &package.join(license))?;
    }
    for target in targets {
        let library = build(target)?;
        if target.triple.contains("-none-") {
            check_symbols(target, &library)?;
        }
        for folder in target.folders {
            copy(&library, &package.join("src").join(folder).join("libpicomlp.a"))?;
        }
    }
    Ok(package)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { copy_folder(&path, &to)? } else { copy(&path, &to)? }
    }
    Ok(())
}

/// The header, the example on the desktop and on three boards, and CMake's package.
pub(crate) fn quick() -> Result<()> {
    check_header()?;
    let library = build(&HOST)?;
    let expected = fs::read_to_string(bindings("examples/digits/expected.txt"))?;
    let same = |printed: &str, place: &str| {
        print!("== {place} ==\n{printed}");
        ensure!(printed == expected, "{place}: not what examples/digits/expected.txt says");
        Ok(())
    };
    let (committed, exported) = (bindings("examples/digits"), export_model()?);
    for (source, model) in [
        ("examples/digits/digits.c", &committed),
        ("examples/minimal/minimal.c", &exported),
        ("tests/refused.c", &exported),
    ] {
        let sanitize = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let sanitized = Command::new(compile(&sanitize, source, model, &library)?);
        let mut valgrind =
            VALGRIND.command(&["--quiet", "--error-exitcode=9", "--leak-check=full"])?;
        valgrind.arg(compile(&["-O2"], source, model, &library)?);
        for (how, program) in [("sanitizers", sanitized), ("valgrind", valgrind)] {
            let printed = read(program).with_context(|| format!("{source}: {how}"))?;
            if source.ends_with("digits.c") {
                same(&printed, how)?;
            }
        }
    }
    check_cmake(&same)?;
    for (target, board) in [(M0, MICROBIT), (M4F, CORTEX_M4), (M33, CORTEX_M33)] {
        let library = build(&target)?;
        check_symbols(&target, &library)?;
        let image = compile_for_board(&target, board.name, "examples/digits/digits.c", &library)?;
        code::forbid(&image)?;
        let printed = firmware::emulate(&board, &image)?;
        let (measured, rest): (Vec<_>, Vec<_>) =
            printed.lines().partition(|line| line.starts_with("measured "));
        println!("{}", measured.join("\n"));
        same(&format!("{}\n", rest.join("\n")), board.name)?;
    }
    Ok(())
}

/// All targets, and the manifests of what is packed.
pub(crate) fn thorough() -> Result<()> {
    let package = package(&TARGETS.iter().collect::<Vec<_>>())?;
    let python = python::environment("c-manifests", &["-r", "bindings/c/tests/requirements.txt"])?;
    let mut check = command(&python, &["bindings/c/tests/manifests.py"]);
    check.arg(package);
    show(check)
}

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// The header compiles as C99 and as C++11.
fn check_header() -> Result<()> {
    CXX.need()?;
    for [compiler, standard, language] in [["gcc", "-std=c99", "c"], ["g++", "-std=c++11", "c++"]] {
        let mut gcc = command(compiler, &WARNINGS);
        gcc.args([standard, "-fsyntax-only", "-x", language]).arg(bindings("include/picomlp.h"));
        show(gcc)?;
    }
    Ok(())
}

/// A folder with the example's model as the command line trains and exports it now.
fn export_model() -> Result<PathBuf> {
    let program = picomlp("", &[])?;
    let folder = empty_folder("c-library-model")?;
    let zipped = fs::File::open(root().join("fixtures/data/digits8x8.csv.gz"))?;
    let mut csv = fs::File::create(folder.join("digits8x8.csv"))?;
    std::io::copy(&mut MultiGzDecoder::new(zipped), &mut csv)?;
    for line in [
        "train --data digits8x8.csv --pixel-max 16 --hidden 6 --optimizer sgd --lr 0.3 --epochs 30 --seed 1 -o f32.pmlp",
        "quantize f32.pmlp --data digits8x8.csv --keep-f32 -o model.pmlp",
        "export model.pmlp -o model.h",
    ] {
        read(in_folder(&program, &folder, &line.split(' ').collect::<Vec<_>>()))?;
    }
    Ok(folder)
}

/// Compiles and links a program in C for this machine.
fn compile(flags: &[&str], source: &str, model: &Path, library: &Path) -> Result<PathBuf> {
    let program = library.with_file_name(format!("program{}", flags.len()));
    let mut gcc = command("gcc", flags);
    gcc.args(WARNINGS).arg("-std=c99").args(["-Wl,--gc-sections", "-o"]).arg(&program);
    add_sources(&mut gcc, source, model, library);
    gcc.args(["-lpthread", "-ldl", "-lm"]);
    show(gcc)?;
    Ok(program)
}

/// A program, its model, our header and the library.
fn add_sources(gcc: &mut Command, source: &str, model: &Path, library: &Path) {
    gcc.arg("-I").arg(bindings("include")).arg("-I").arg(model);
    gcc.arg(bindings(source)).arg(model.join("model.c")).arg(library);
}

/// Compiles and links a program in C for one of QEMU's boards.
fn compile_for_board(
    target: &Target,
    board: &str,
    source: &str,
    library: &Path,
) -> Result<PathBuf> {
    let image = library.with_file_name(format!("{board}.elf"));
    let mut gcc = GCC_ARM.command(&WARNINGS)?;
    let (cpu, fpu) = target.folders[0].split_once('/').unwrap_or((target.folders[0], ""));
    gcc.args(["-std=c99", "-Os", "-mthumb", "--specs=nano.specs", "--specs=nosys.specs"]);
    gcc.args(["-nostartfiles", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]);
    gcc.arg(format!("-mcpu={cpu}"));
    if let Some(fpu) = fpu.strip_suffix("-hard") {
        gcc.args([&format!("-mfpu={fpu}"), "-mfloat-abi=hard"]);
    }
    gcc.arg("-T").arg(root().join("firmware/boards").join(format!("{board}.x")));
    gcc.arg("-T").arg(bindings("tests/qemu/board.ld"));
    gcc.arg(bindings("tests/qemu/board.c"));
    add_sources(&mut gcc, source, &bindings("examples/digits"), library);
    gcc.args(["-Wl,--no-warn-rwx-segments", "-Wl,-z,noexecstack", "-o"]).arg(&image);
    show(gcc)?;
    Ok(image)
}

/// A program that finds the package with `find_package`.
fn check_cmake(same: &dyn Fn(&str, &str) -> Result<()>) -> Result<()> {
    let package = package(&[&HOST])?;
    let build = empty_folder("c-library-cmake")?;
    let mut cmake = CMAKE.command(&["-S"])?;
    cmake.arg(package.join("examples/cmake")).arg("-B").arg(&build);
    cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", package.display()));
    show(cmake)?;
    show({
        let mut cmake = CMAKE.command(&["--build"])?;
        cmake.arg(&build);
        cmake
    })?;
    same(&read(Command::new(build.join("digits")))?, "CMake's find_package")
}
