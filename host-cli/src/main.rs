//! `picomlp`: trains, evaluates and inspects small networks.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind as UsageError;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use picomlp_cli::commands::train::COMMON;
use picomlp_cli::interrupt::{self, Interrupted};
use picomlp_cli::stdout::{self, Printer, say_and_exit};
use picomlp_cli::text::Printable;
use picomlp_cli::{commands, recipe, verify};
use picomlp_train::text::printable;

/// Train small multi-layer perceptrons and look at them.
///
/// Results go to standard output, progress and notes to standard error. Exit code 0: done, 1: failed, 2: wrong usage,
/// 130 or 143: stopped by SIGINT (Ctrl-C) or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "picomlp", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<commands::train::Args>),
    Eval(commands::eval::Args),
    Compare(commands::compare::Args),
    Predict(commands::predict::Args),
    Inspect(commands::inspect::Args),
    Draw(commands::draw::Args),
    Plot(commands::plot::Args),
    Report(commands::report::Args),
    Recipes(commands::recipes::Args),
    Quantize(commands::quantize::Args),
    Import(commands::import::Args),
    Export(commands::export::Args),
    Verify(verify::Args),
    Record(verify::record::Args),
    Replay(commands::replay::Args),
    Bench(commands::bench::Args),
    Gradcheck(commands::gradcheck::Args),
}

/// The command line; `train --help` shows the flags that are used most.
fn command_line() -> clap::Command {
    let is_common = |id: &clap::Id| COMMON.contains(&id.as_str());
    Cli::command().mut_subcommand("train", |train| {
        train.mut_args(|arg| if is_common(arg.get_id()) { arg } else { arg.hide_short_help(true) })
    })
}

fn main() -> ExitCode {
    if let Err(error) = interrupt::install() {
        return failed(&anyhow::Error::from(error).context("cannot answer signals"));
    }
    let cli = match recipe::matches(command_line(), env::args_os()) {
        Ok(matches) => Cli::from_arg_matches(&matches).unwrap_or_else(|error| say_and_exit(&error)),
        Err(error) => return failed(&error),
    };
    if let Command::Train(args) = &cli.command
        && let Err(why) = args.check()
    {
        misused("train", &why);
    }
    if let Command::Plot(args) = &cli.command
        && let Err(why) = args.check()
    {
        misused("plot", &why);
    }
    let out = &mut Printable(Printer(io::stdout()));
    let result = match &cli.command {
        Command::Train(args) => commands::train::run(args, out),
        Command::Eval(args) => commands::eval::run(args, out),
        Command::Compare(args) => commands::compare::run(args, out),
        Command::Predict(args) => commands::predict::run(args, out),
        Command::Inspect(args) => commands::inspect::run(args, out),
        Command::Draw(args) => commands::draw::run(args, out),
        Command::Plot(args) => commands::plot::run(args, out),
        Command::Report(args) => commands::report::run(args, out),
        Command::Recipes(args) => commands::recipes::run(args, out),
        Command::Quantize(args) => commands::quantize::run(args, out),
        Command::Import(args) => commands::import::run(args, out),
        Command::Export(args) => commands::export::run(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Record(args) => verify::record::run(args, out),
        Command::Replay(args) => commands::replay::run(args, out),
        Command::Bench(args) => commands::bench::run(args, out),
        Command::Gradcheck(args) => commands::gradcheck::run(args, out),
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        Err(error) if !stdout::is_closed(&error) => failed(&error),
        // Done, or whoever reads the output has seen enough.
        _ => interrupt::requested().map_or(ExitCode::SUCCESS, ExitCode::from),
    }
}

/// Says what went wrong. Where nobody can be told, the exit code still tells.
fn failed(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "picomlp: {}", printable(&format!("{error:#}")));
    let code = interrupt::requested().filter(|_| error.is::<Interrupted>());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Says what is wrong with the flags of a subcommand, and how it is used; exit code 2.
fn misused(name: &str, why: &str) -> ! {
    let mut cli = command_line();
    cli.build();
    let command = cli.find_subcommand_mut(name).map(|command| command.clone());
    say_and_exit(&command.unwrap_or(cli).error(UsageError::ArgumentConflict, why))
}
