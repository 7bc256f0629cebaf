//! Owns `artel demo`: a real migration in a folder of its own. Touches nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::{CRATE, GOAL, GOAL_SAMPLE, VERSION, fetch_crate, write_assets, write_sample};
use crate::ui::cli::args::{Sandbox, Shown};
use crate::ui::cli::exit::Exit;
use crate::ui::cli::fail::Fail;
use crate::ui::cli::live::{self, Shape};
use crate::ui::cli::out::Out;
use crate::ui::cli::seam::{self, OpenOptions, Opened, Place};

/// Migrates the published source of a real crate.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Use the built-in small sample: needs no network
    #[arg(long)]
    sample: bool,
    /// Folder to make for it [default: artel-demo below the working directory, with a number where that exists]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Attempts at one time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    workers: u32,
    #[command(flatten)]
    sandbox: Sandbox,
    #[command(flatten)]
    shown: Shown,
}

/// Runs the verb.
///
/// # Errors
/// Where the source cannot be had, the folder not be made, or the run not be hosted.
pub fn demo(out: &Out, args: &DemoArgs) -> Result<Exit, Fail> {
    let dir = folder(args.dir.as_deref())?;
    lay(out, args, &dir)?;
    let goal = dir.join("goal.md");
    let place = Place::open_in(&dir)?.in_sandbox(args.sandbox.tier());
    let options = OpenOptions { workers: Some(args.workers), ..OpenOptions::default() };
    out.remark(&format!("the repository is {}; its goal is {}", dir.display(), goal.display()));
    let Opened { run, .. } = seam::open_run(&place, &goal, &options)?;
    let shape = args.shown.into();
    let exit = live::host(out, &place, &run, shape)?;
    if shape != Shape::Json {
        out.remark(&format!("look around: artel log {run} · artel show {run}/t1 · artel diff {run}/t1"));
        if let Some(program) = unfound() {
            out.remark(&format!("artel is {} here: `cargo install --path .` puts it on your path", program.display()));
        }
    }
    Ok(exit)
}

/// Gives this program's own path, where typing `artel` would not find a program.
fn unfound() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_found = std::env::split_paths(&paths).any(|folder| folder.join("artel").is_file());
    if is_found { None } else { std::env::current_exe().ok() }
}

/// Chooses a folder that does not exist yet.
fn folder(wanted: Option<&Path>) -> Result<PathBuf, Fail> {
    let unfit =
        |dir: &Path, why: String| Fail::new(Exit::Unfit, format!("make the folder {}", dir.display())).because(why);
    if let Some(dir) = wanted {
        if dir.exists() {
            return Err(unfit(dir, "it exists already".to_owned()).hint("name another one with --dir"));
        }
        std::fs::create_dir_all(dir).map_err(|error| unfit(dir, error.to_string()))?;
        return dir.canonicalize().map_err(|error| unfit(dir, error.to_string()));
    }
    for number in 1..1000 {
        let dir = PathBuf::from(if number == 1 { "artel-demo".to_owned() } else { format!("artel-demo-{number}") });
        match std::fs::create_dir(&dir) {
            Ok(()) => return dir.canonicalize().map_err(|error| unfit(&dir, error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unfit(&dir, error.to_string()).hint("name another one with --dir")),
        }
    }
    Err(unfit(Path::new("artel-demo"), "a thousand of them exist".to_owned()).hint("name one with --dir"))
}

/// Lays down the source, the goal and the rules, and makes a repository of them.
fn lay(out: &Out, args: &DemoArgs, dir: &Path) -> Result<(), Fail> {
    let failed =
        |error: std::io::Error| Fail::new(Exit::Unfit, format!("write below {}", dir.display())).because(error);
    let goal = if args.sample {
        write_sample(dir).map_err(failed)?;
        GOAL_SAMPLE
    } else {
        out.remark(&format!("fetching {CRATE} {VERSION} through cargo"));
        match fetch_crate(CRATE, VERSION, dir) {
            Ok(()) => GOAL,
            Err(error) if error.is_network() => {
                let why = crate::model::inert::inert(&crate::actors::world::told(&error));
                out.remark(&format!("no network ({why}): taking the built-in small sample instead"));
                write_sample(dir).map_err(failed)?;
                GOAL_SAMPLE
            }
            Err(error) => {
                return Err(Fail::new(Exit::Unfit, format!("get the source of {CRATE} {VERSION}"))
                    .because(error)
                    .hint("`artel demo --sample` takes the built-in small sample"));
            }
        }
    };
    write_assets(dir, goal).map_err(failed)?;
    for words in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=artel demo",
            "-c",
            "user.email=demo@artel.invalid",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "--quiet",
            "--no-verify",
            "--message=As it was published",
        ],
    ] {
        git(dir, words)?;
    }
    Ok(())
}

fn git(dir: &Path, words: &[&str]) -> Result<(), Fail> {
    let tried = || format!("run git {} in {}", words.join(" "), dir.display());
    let quiet = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];
    let ran = Command::new("git").current_dir(dir).args(quiet).args(words).output();
    let ran = ran.map_err(|error| Fail::new(Exit::Unfit, tried()).because(error).hint("install git"))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(Fail::new(Exit::Unfit, tried()).because(String::from_utf8_lossy(&ran.stderr).into_owned()))
}
