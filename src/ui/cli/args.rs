//! Owns the shape of the command line: its verbs and what all of them share. Does nothing.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use super::exit;
use super::paint::Color;
use crate::model::sandbox::Tier;

/// Gets a goal done in a git repository by a crew of agents: plans, works in isolation, judges, lands.
///
/// `artel run goal.md` plans the goal into tasks, has each done in a worktree of its own, has every candidate judged
/// by somebody other than its author, and lands what was accepted on a branch that stays green. Your own branches
/// and checkout are not touched before `artel deliver`.
#[derive(Debug, Parser)]
#[command(name = "artel", version, propagate_version = true, arg_required_else_help = true, after_long_help = exit::help())]
#[command(max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
    /// Whether output is coloured; `auto` respects NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Server on another machine whose runs are meant [default: ARTEL_SERVER, else none]; its token stands in ARTEL_TOKEN
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
}

/// Lists the verbs, in the order in which a person meets them.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Migrate a real crate, live: nothing to configure, nothing of yours is touched
    Demo(super::demo::DemoArgs),
    /// Lay down artel.toml, a goal with a rule, ignore lines; overwrites nothing
    Init(super::init::InitArgs),
    /// Open a run for a goal and work until it rests or ends
    Run(super::run::RunArgs),
    /// Show the plan of a goal; creates nothing
    Plan(super::plan::PlanArgs),
    /// Show where a run stands
    Status(super::status::StatusArgs),
    /// List runs, or what needs you
    List(super::list::ListArgs),
    /// Show what needs you, what failed and what is finished
    Inbox(super::inbox::InboxArgs),
    /// Show one task: its brief, its attempts, what came of them
    Show(super::show::ShowArgs),
    /// Show what happened, event by event
    Log(super::log::LogArgs),
    /// Show what a task's last candidate changes
    Diff(super::diff::DiffArgs),
    /// Show what a run has cost, by agent and role
    Cost(super::cost::CostArgs),
    /// Tell on one page what a run came to, each claim with the event that it rests on
    Digest(super::digest::DigestArgs),
    /// Follow a run that another process works on, until it rests or ends
    Watch(super::watch::WatchArgs),
    /// Follow a run to its end from any of its events on; Ctrl-C leaves it alone
    Attach(super::attach::AttachArgs),
    /// Host all runs of this machine, with an interface for programs and pages for people
    Serve(super::serve::ServeArgs),
    /// Let a waiting gate pass, a candidate land, or a delivery go out
    Approve(super::approve::ApproveArgs),
    /// Refuse at a waiting gate, refuse a candidate or a delivery, or give a kept task up
    Deny(super::deny::DenyArgs),
    /// Have kept or blocked tasks tried again, and those that wait for a usage limit at once
    Retry(super::retry::RetryArgs),
    /// Stop a run: what runs is finished, nothing new is begun
    Stop(super::stop::StopArgs),
    /// Go on with a run, after a stop, a crash or a spent budget
    Resume(super::resume::ResumeArgs),
    /// Tell attempts something: those that run with their next tool, and all that follow
    Steer(super::steer::SteerArgs),
    /// Answer what a blocked task, a planner or a judge asks
    Answer(super::answer::AnswerArgs),
    /// Let a task change what it asks for beside what it owns, or say why not
    Grant(super::grant::GrantArgs),
    /// Bring what landed into your branch
    Deliver(super::deliver::DeliverArgs),
    /// Take a landed task back out; the checks run again
    Revert(super::revert::RevertArgs),
    /// Look whether a run's journal is what was stored, and what landed is what was checked
    Verify(super::verify::VerifyArgs),
    /// Clear away what is no longer needed
    Gc(super::gc::GcArgs),
    /// Look whether this machine and repository are fit
    Doctor(super::doctor::DoctorArgs),
    /// Show the roles and where each comes from
    Roles(super::roles::RolesArgs),
    /// Show what models cost, as calls to them are priced
    Prices(super::prices::PricesArgs),
    /// Print the JSON schemas of the files that artel reads
    Schema(super::schema::SchemaArgs),
    /// Send a test notice by each channel of notify.toml
    Notify(super::notify::NotifyArgs),
    /// Print completions for a shell
    Completions(super::completions::CompletionsArgs),
    /// Write manual pages
    Man(super::man::ManArgs),
}

/// Names a run.
#[derive(Debug, Args)]
pub struct RunArg {
    /// Run, by id, a unique beginning of it, or its name [default: the newest run of this repository]
    #[arg(value_name = "RUN")]
    run: Option<String>,
}

impl RunArg {
    /// Gives what was written, if anything.
    pub fn text(&self) -> Option<&str> {
        self.run.as_deref()
    }
}

/// Names a run where something else stands first.
#[derive(Debug, Args)]
pub struct RunFlag {
    /// Run, by id, a unique beginning of it, or its name [default: the newest run of this repository]
    #[arg(long = "run", value_name = "RUN")]
    run: Option<String>,
}

impl RunFlag {
    /// Gives what was written, if anything.
    pub fn text(&self) -> Option<&str> {
        self.run.as_deref()
    }
}

/// Names a repository.
#[derive(Debug, Args)]
pub struct RepoFlag {
    /// Repository that is meant, by a folder in it [default: the one here; with --server none]
    #[arg(long = "repo", value_name = "DIR")]
    repo: Option<PathBuf>,
}

impl RepoFlag {
    /// Gives the folder, if one was named.
    pub fn folder(&self) -> Option<&Path> {
        self.repo.as_deref()
    }
}

/// Chooses the sandbox.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// How agents and checks are held apart from this machine: bubblewrap, landlock, none [default: ARTEL_SANDBOX, else the best that holds here]
    #[arg(long, value_name = "TIER")]
    sandbox: Option<Tier>,
}

impl Sandbox {
    /// Gives what was asked for, if anything.
    pub fn tier(&self) -> Option<Tier> {
        self.sandbox
    }
}

/// Chooses how a run is shown while it is followed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Shown {
    /// Write plain lines, also on a terminal: nothing moves and no keys are read
    #[arg(long)]
    pub plain: bool,
    /// As all verbs have it.
    #[command(flatten)]
    pub format: Format,
}

/// Chooses between text and JSON.
#[derive(Debug, Clone, Copy, Args)]
pub struct Format {
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}
