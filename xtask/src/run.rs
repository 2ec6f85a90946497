//! Runs commands from the workspace's root.

use core::time::Duration;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::{self, available_parallelism, sleep};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A command with the root as its folder.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// `cargo` with these arguments, and these flags for the compiler (none, whatever the environment says, if empty).
///
/// Flags get a target folder of their own, so that builds with different flags do not throw each other's away.
pub(crate) fn cargo(args: &[&str], rustflags: &str) -> Command {
    let mut command = command("cargo", args);
    command.env("RUSTFLAGS", rustflags);
    if !rustflags.is_empty() {
        let name = rustflags.rsplit('=').next().unwrap_or_default().replace([',', '+'], "-");
        command.env("CARGO_TARGET_DIR", root().join("target").join(format!("flags-{name}")));
    }
    command
}

/// Where [`cargo`] puts what it builds.
pub(crate) fn target_folder(cargo: &Command) -> PathBuf {
    let mut of_command = cargo.get_envs().filter(|(name, _)| *name == "CARGO_TARGET_DIR");
    let folder = of_command.next().and_then(|(_, value)| value.map(PathBuf::from));
    let folder = folder.or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from));
    folder.unwrap_or_else(|| root().join("target"))
}

/// Runs it and shows its output.
pub(crate) fn show(mut command: Command) -> Result<()> {
    let text = format!("{command:?}");
    let status = command.status().with_context(|| format!("cannot run {text}"))?;
    if !status.success() {
        bail!("{text}: {status}");
    }
    Ok(())
}

/// Runs it and returns its standard output.
pub(crate) fn read(mut command: Command) -> Result<String> {
    let text = format!("{command:?}");
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {text}"))?;
    if !output.status.success() {
        bail!("{text}: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{text}: output is not UTF-8"))
}

/// As [`read`], for a program that may hang: it is stopped after `limit`. Its standard input is empty.
pub(crate) fn read_within(mut command: Command, limit: Duration) -> Result<String> {
    let text = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {text}"))?;
    let began = Instant::now();
    let mut stdout = child.stdout.take().context("no output to read")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{text}: no end after {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(5));
    };
    let printed = match reader.join() {
        Ok(printed) => printed.with_context(|| format!("{text}: output is not UTF-8"))?,
        Err(_) => bail!("{text}: the output could not be read"),
    };
    if !status.success() {
        print!("{printed}");
        bail!("{text}: {status}");
    }
    Ok(printed)
}

/// Does the work for each item, for as many at a time as this machine has cores; returns the results in the items' order.
pub(crate) fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = &Mutex::new(items.iter().enumerate());
    let take = || next.lock().ok().and_then(|mut next| next.next());
    let worker = || {
        let mut results = Vec::new();
        while let Some((place, item)) = take() {
            results.push((place, work(item)));
        }
        results
    };
    let workers = available_parallelism().map_or(1, usize::from);
    let mut results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}
