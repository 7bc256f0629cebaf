//! Owns `artel run`: opens a run for a goal and works on it in this process.

use clap::Args;

use super::args::{Sandbox, Shown};
use super::exit::Exit;
use super::fail::Fail;
use super::live::{self, Shape};
use super::out::Out;
use super::seam::{self, OpenOptions, Opened, Place};
use super::serve;
use super::words::{self, Meant, Way};
use crate::model::inert::inert;
use crate::model::sandbox::Tier;

/// Opens a run and works until it rests or ends.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Goal file; or what is wanted in a few words, for which artel drafts one and asks before it begins
    #[arg(value_name = "GOAL")]
    goal: String,
    /// With words: begin without asking
    #[arg(long, short = 'y')]
    yes: bool,
    /// Open the run and leave it to `artel resume`
    #[arg(long)]
    open_only: bool,
    /// Hand the run to the server of this machine, which is started where none is; `artel attach` follows it
    #[arg(long, conflicts_with = "open_only")]
    detach: bool,
    #[command(flatten)]
    opening: OpeningArgs,
    #[command(flatten)]
    sandbox: Sandbox,
    #[command(flatten)]
    shown: Shown,
}

/// Says how a run is opened.
#[derive(Debug, Args)]
pub struct OpeningArgs {
    /// Name of your own, by which the run is found
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Commit or branch to start from [default: what is checked out]
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Change a role for this run, such as worker.agents=codemod,command:./fix.sh
    #[arg(long = "role", value_name = "ROLE.FIELD=VALUE")]
    roles: Vec<String>,
    /// Attempts at one time [default: from artel.toml, else the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
    /// Number that all chance in the run is drawn from [default: drawn]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl OpeningArgs {
    /// Gives the options.
    pub fn options(&self) -> OpenOptions {
        let (name, base) = (self.name.clone(), self.base.clone());
        OpenOptions { name, base, roles: self.roles.clone(), workers: self.workers, seed: self.seed, open_only: false }
    }
}

/// Runs the verb.
///
/// # Errors
/// Where the goal is faulty, the repository not fit, or the run cannot be hosted.
pub fn run(out: &Out, args: &RunArgs) -> Result<Exit, Fail> {
    let place = Place::open()?.in_sandbox(args.sandbox.tier());
    let meant = if place.is_there() { words::meant_there(&args.goal)? } else { words::meant(&args.goal)? };
    let mut options = OpenOptions { open_only: args.open_only, ..args.opening.options() };
    let goal = match meant {
        Meant::File(goal) => goal,
        Meant::Words(wanted) => {
            let way = Way { yes: args.yes, json: args.shown.format.json, is_open: is_open(args.sandbox.tier()) };
            match words::agree(out, &place, &wanted, &options, way)? {
                Some(agreed) => {
                    options.roles = agreed.roles;
                    agreed.goal
                }
                None => return Ok(Exit::Waits),
            }
        }
    };
    let Opened { run, notes } = seam::open_run(&place, &goal, &options)?;
    for note in notes {
        out.remark(&format!("note: {}", inert(&note)));
    }
    let shape: Shape = args.shown.into();
    if place.is_there() && !args.detach && !args.open_only {
        // The live view shows where the run stands; lines tell it from its beginning.
        let from = (!out.is_live || shape != Shape::Text).then_some(1);
        return live::watch_from(out, &place, &run, shape, from);
    }
    if args.open_only || (args.detach && place.is_there()) {
        if args.shown.format.json {
            out.json_line(&serde_json::json!({ "run": run }))?;
        } else {
            out.line(run.as_str())?;
        }
        return Ok(Exit::Done);
    }
    if args.detach {
        let url = serve::hand_over(&place, &run)?;
        if args.shown.format.json {
            out.json_line(&serde_json::json!({ "run": run, "server": url }))?;
        } else {
            out.line(run.as_str())?;
            out.remark(&format!(
                "{url} works on it: `artel attach {run}` follows it, `artel serve --link` opens its page"
            ));
        }
        return Ok(Exit::Done);
    }
    live::host(out, &place, &run, shape)
}

/// Tells whether no sandbox was asked for, so that agents reach the network by themselves.
fn is_open(asked: Option<Tier>) -> bool {
    asked.map_or_else(|| std::env::var("ARTEL_SANDBOX").is_ok_and(|named| named == "none"), |tier| tier == Tier::None)
}
