//! What the README promises, tried: the first run in an empty folder, and the accuracies on the real MNIST.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::run::{cargo, read, root, show, target_folder};

/// Builds the command line as a user does; returns its path.
pub(crate) fn picomlp(rustflags: &str, profile: &[&str]) -> Result<PathBuf> {
    let args: Vec<_> = ["build", "-p", "picomlp-cli"].iter().chain(profile).copied().collect();
    let build = cargo(&args, rustflags);
    let target = target_folder(&build);
    show(build)?;
    let folder = if profile.contains(&"--release") { "release" } else { "debug" };
    Ok(target.join(folder).join(format!("picomlp{}", env::consts::EXE_SUFFIX)))
}

/// The folder with MNIST's files.
pub(crate) fn data() -> Result<PathBuf> {
    let beside = root().join("../shared/mnist");
    let folder = env::var_os("PICOMLP_MNIST").map_or(beside, PathBuf::from);
    ensure!(
        folder.is_dir(),
        "{} is no folder: this check needs MNIST's four IDX files; name their folder in PICOMLP_MNIST",
        folder.display()
    );
    fs::canonicalize(&folder).with_context(|| folder.display().to_string())
}

/// An empty folder of this name under the target folder.
pub(crate) fn empty_folder(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/xtask").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

pub(crate) fn in_folder(program: &Path, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder);
    command
}

/// Trains with `--json`; returns the last line.
fn train(program: &Path, folder: &Path, args: &[&str]) -> Result<Value> {
    let args: Vec<_> = ["train", "--json"].iter().chain(args).copied().collect();
    let out = read(in_folder(program, folder, &args))?;
    let last = out.lines().last().context("no output")?;
    let done: Value = serde_json::from_str(last).with_context(|| last.to_owned())?;
    ensure!(done["event"] == "done", "the last line is not `done`: {last}");
    Ok(done)
}

pub(crate) fn number(line: &Value, field: &str) -> Result<f64> {
    line[field].as_f64().with_context(|| format!("no number `{field}` in {line}"))
}

/// The README's first commands, in an empty folder; then what its digits are worth on the real ones.
pub(crate) fn first_run() -> Result<()> {
    let program = picomlp("", &["--release"])?;
    let folder = empty_folder("first-run")?;
    show(in_folder(&program, &folder, &["train"]))?;
    show(in_folder(&program, &folder, &["draw", "7", "--seed", "3", "-o", "seven.png"]))?;
    let seen = read(in_folder(&program, &folder, &["predict", "model.pmlp", "seven.png"]))?;
    print!("{seen}");
    ensure!(seen.starts_with("seven.png: 7\n"), "the drawn 7 was not read as a 7");
    show(in_folder(&program, &folder, &["inspect", "model.pmlp"]))?;
    let data = data()?.display().to_string();
    let real =
        read(in_folder(&program, &folder, &["eval", "model.pmlp", "--data", &data, "--json"]))?;
    let accuracy = number(&serde_json::from_str(&real)?, "test_accuracy")?;
    println!("trained on synthetic digits, tested on MNIST: {accuracy}");
    ensure!(accuracy >= 0.80, "synthetic digits are worth {accuracy} on MNIST, expected 0.80");
    Ok(())
}

/// The accuracies that the project promises on MNIST.
pub(crate) fn accuracy() -> Result<()> {
    let program = picomlp("", &["--release"])?;
    let folder = empty_folder("mnist")?;
    let data = data()?.display().to_string();
    let common = ["--data", &data, "--epochs", "10", "--batch-size", "64", "--seed", "1"];
    let rows: [(&[&str], f64); 4] = [
        (&["--hidden", "128", "--optimizer", "adam", "--lr", "1e-3"], 0.975),
        (&["--hidden", "128", "--optimizer", "sgd", "--lr", "0.1"], 0.972),
        (&["--hidden", "200,200", "--optimizer", "adam", "--lr", "1e-3"], 0.976),
        (&["--hidden", "", "--optimizer", "adam", "--lr", "1e-3"], 0.92),
    ];
    let mut low = Vec::new();
    for (settings, promised) in rows {
        let args: Vec<_> = common.iter().chain(settings).copied().collect();
        let done = train(&program, &folder, &args)?;
        let accuracy = number(&done, "test_accuracy")?;
        println!("{}: {accuracy}, at least {promised} expected; {done}", settings.join(" "));
        if accuracy < promised {
            low.push(settings.join(" "));
        }
    }
    ensure!(low.is_empty(), "below the promised accuracy: {low:?}");
    Ok(())
}

/// A build of the command line: flags for the compiler, and for cargo.
type Build = (&'static str, &'static [&'static str]);

/// One for each kind of update.
const OPTIMIZERS: [&str; 4] = ["sgd", "momentum", "rmsprop", "adam"];

const DEBUG: Build = ("", &[]);
const RELEASE: Build = ("", &["--release"]);
const NATIVE: Build = ("-C target-cpu=native", &["--release"]);

/// One seed, one fingerprint, on one thread and on three.
pub(crate) fn same_bits() -> Result<()> {
    same_bits_in(&[RELEASE])
}

/// As [`same_bits`], without optimisation, and with all that this machine's processor has.
pub(crate) fn same_bits_of_builds() -> Result<()> {
    same_bits_in(&[DEBUG, RELEASE, NATIVE])
}

/// A run that the builds go on with in turns ends in the model of one that never changed hands.
fn resumed_by_turns(
    programs: &[PathBuf],
    folder: &Path,
    data: &str,
    optimizer: &str,
) -> Result<()> {
    let settings = ["--data", data, "--optimizer", optimizer, "--hidden", "64", "--dropout", "0.2"];
    let with =
        |more: &[&'static str]| settings.iter().copied().chain(more.iter().copied()).collect();
    let epochs = ["--epochs", "3", "--warmup", "50"];
    let first: Vec<_> = with(&[&epochs[..], &["--max-steps", "2500"]].concat());
    train(&programs[0], folder, &first)?;
    let whole = fs::read(folder.join("model.pmlp"))?;
    let checkpoints = empty_folder("same-bits-checkpoints")?.display().to_string();
    let begun: Vec<_> = first
        .iter()
        .copied()
        .chain(["--checkpoint", &checkpoints, "--checkpoint-every", "100steps"])
        .collect();
    let (mut command, mut turn) = (begun, 0);
    // Each is stopped at some step; the last one is left alone.
    for program in programs.iter().cycle().take(2 * programs.len()) {
        turn += 1;
        let mut child = in_folder(program, folder, &["train", "--quiet"]).args(&command).spawn()?;
        std::thread::sleep(core::time::Duration::from_millis(700));
        child.kill()?;
        child.wait()?;
        if fs::read_dir(&checkpoints)?.count() > 0 {
            command = vec!["--resume", &checkpoints];
        }
    }
    train(&programs[programs.len() - 1], folder, &command)?;
    let is_same = fs::read(folder.join("model.pmlp"))? == whole;
    ensure!(is_same, "{optimizer}: after {turn} turns of resuming it is another model");
    Ok(())
}

fn same_bits_in(builds: &[Build]) -> Result<()> {
    let folder = empty_folder("same-bits")?;
    let data = data()?.display().to_string();
    let (mut prints, mut programs) = (Vec::new(), Vec::new());
    for (rustflags, profile) in builds {
        let program = picomlp(rustflags, profile)?;
        programs.push(program.clone());
        for (optimizer, threads) in OPTIMIZERS.into_iter().flat_map(|o| [(o, "1"), (o, "3")]) {
            let settings = ["--data", &data, "--optimizer", optimizer, "--threads", threads];
            let size = ["--max-steps", "300", "--hidden", "128,20"];
            let args: Vec<_> = settings.iter().chain(&size).copied().collect();
            let done = train(&program, &folder, &args)?;
            let print = done["fingerprint"].as_str().unwrap_or_default().to_owned();
            println!("{optimizer:<8} {print} {threads} threads {profile:?} {rustflags}");
            prints.push((optimizer, print));
        }
    }
    for optimizer in OPTIMIZERS {
        let mut of = prints.iter().filter(|(name, _)| *name == optimizer).map(|(_, print)| print);
        let first = of.next().context("nothing was trained")?;
        if !of.all(|print| print == first) {
            bail!("{optimizer}: builds disagree in the fingerprint");
        }
        resumed_by_turns(&programs, &folder, &data, optimizer)?;
    }
    Ok(())
}
