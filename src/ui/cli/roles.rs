//! Owns `artel roles`: the roles with their agents and limits, and where each comes from; and which agents there are.

use std::io::IsTerminal;

use clap::{Args, Subcommand};

use super::args::{Format, RepoFlag};
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::pick::{TaskRef, no_task, read};
use super::seam::{self, Place, RoleRow};
use crate::io::agents::{KnownAgent, LimitsTold, Says};
use crate::model::inert::inert_lines;
use crate::model::role::{Limits, Part};
use crate::views::words;

/// Shows the roles.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RolesArgs {
    #[command(subcommand)]
    part: Option<RolesPart>,
    /// Show what a change would make of them, such as worker.agents=codemod,command:./fix.sh
    #[arg(long = "role", value_name = "ROLE.FIELD=VALUE")]
    changes: Vec<String>,
    /// Show the agents that roles may name instead: whether they are installed, and what each can tell
    #[arg(long, conflicts_with_all = ["changes", "repo"])]
    agents: bool,
    #[command(flatten)]
    repo: RepoFlag,
    #[command(flatten)]
    format: Format,
}

/// Shows one thing of a role.
#[derive(Debug, Subcommand)]
enum RolesPart {
    /// Show the brief that a role's agent is given for a task, byte for byte
    Show(Shown),
}

/// Names the brief that is shown.
#[derive(Debug, Args)]
struct Shown {
    /// Role that does the task
    #[arg(value_name = "ROLE")]
    role: String,
    /// Task, as t12 or RUN/t12
    #[arg(long, value_name = "TASK")]
    task: TaskRef,
    /// Have its tokens counted by the provider of the agent's model, by artel's key and at no cost, instead of estimated
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    format: Format,
}

/// Shows a task's brief; how long it is goes beside it, so that what is written is the brief alone.
fn brief(out: &Out, Shown { role, task, exact, format }: &Shown) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let read = read(&place, task.run.as_deref())?;
    let found = read.state.tasks.get(&task.task).ok_or_else(|| no_task(&read.run, task.task))?;
    let does = read.state.role_of(found).map(|role| role.name.clone()).unwrap_or_default();
    if does != *role {
        return Err(Fail::new(Exit::Missing, format!("show the brief of {} for the role `{role}`", task.task))
            .because(format!("the role `{does}` does it")));
    }
    let made = seam::brief(&place, &read.state, (&read.run, task.task), *exact)?;
    let text = &made.brief;
    if format.json {
        out.json(&made)?;
    } else {
        // A terminal is shown nothing that it would obey; a file or a pipe gets each byte.
        if std::io::stdout().is_terminal() {
            out.lines(inert_lines(text).lines())?;
        } else {
            out.raw(text.as_bytes())?;
        }
        out.remark(&format!("{} bytes, {}", text.len(), made.length()));
    }
    Ok(Exit::Done)
}

/// Runs the verb.
///
/// # Errors
/// Where a role file or a change is faulty.
pub fn roles(out: &Out, args: &RolesArgs) -> Result<Exit, Fail> {
    if let Some(RolesPart::Show(shown)) = &args.part {
        return brief(out, shown);
    }
    if args.agents {
        let agents = seam::agents()?;
        if args.format.json {
            out.json(&agents)?;
        } else {
            out.lines(agent_lines(&agents, out.width, out.paint))?;
        }
        return Ok(Exit::Done);
    }
    let roles = seam::roles(args.repo.folder(), &args.changes)?;
    if args.format.json {
        out.json(&roles)?;
    } else {
        out.lines(lines(&roles, out.width, out.paint))?;
    }
    Ok(Exit::Done)
}

/// Writes the roles as a table.
pub fn lines(roles: &[RoleRow], width: usize, paint: Paint) -> Vec<String> {
    let mut table = Columns::indented(0);
    table.headings(&["role", "part", "agents, in order of escalation", "limits", "from"]);
    for row in roles {
        let part = match row.role.part {
            Part::Planner => "planner",
            Part::Worker => "worker",
            Part::Judge => "judge",
        };
        let agents: Vec<String> = row.role.agents.iter().map(ToString::to_string).collect();
        table.row([
            Cell::new(&row.role.name).hue(Hue::Strong),
            Cell::new(part),
            Cell::new(agents.join(", ")).hue(Hue::Busy),
            Cell::new(limits(row.role.part, &row.role.limits)),
            Cell::new(row.from.join(", ")).hue(Hue::Faint),
        ]);
    }
    let mut lines = table.lines(width, paint);
    for row in roles {
        lines.push(
            paint.on(Hue::Faint, &crate::model::inert::fit(&format!("{}: {}", row.role.name, row.role.about), width)),
        );
        lines.extend(seam::unheeded(&row.role).iter().map(|note| crate::model::inert::fit(note, width)));
    }
    lines
}

fn limits(part: Part, limits: &Limits) -> String {
    let wall = words::limit(limits.wall_s);
    match part {
        Part::Planner => format!("depth {}, {} sub-planners, {} tasks", limits.depth, limits.fan_out, limits.tasks),
        Part::Worker => format!("{wall}, {} each", words::count(limits.attempts as usize, "attempt")),
        Part::Judge => wall,
    }
}

/// Writes what is known of agents as a table.
pub fn agent_lines(agents: &[KnownAgent], width: usize, paint: Paint) -> Vec<String> {
    let mut table = Columns::indented(0);
    table.headings(&[
        "agent",
        "here",
        "version",
        "tokens",
        "cost",
        "resumes",
        "limits",
        "login",
        "where it is, or how it is got",
    ]);
    let says = |says: Says| match says {
        Says::Nothing => "-",
        Says::Partly => "in part",
        Says::Session => "yes",
    };
    for known in agents {
        let limits = match known.limits {
            LimitsTold::Nothing => "-",
            LimitsTold::Kind => "that",
            LimitsTold::Reset => "until when",
        };
        let (here, hue) = match (&known.program, known.installed) {
            (None, _) => ("built in", Hue::Plain),
            (Some(_), true) => ("yes", Hue::Good),
            (Some(_), false) => ("no", Hue::Faint),
        };
        let found = known.found.as_ref().map(|path| path.to_string_lossy().into_owned());
        table.row([
            Cell::new(&known.agent).hue(Hue::Strong),
            Cell::new(here).hue(hue),
            Cell::new(known.version.as_deref().unwrap_or("-")),
            Cell::new(says(known.usage)),
            Cell::new(says(known.cost)),
            Cell::new(if known.resume { "yes" } else { "-" }),
            Cell::new(limits),
            Cell::new(if known.login { "yes" } else { "-" }),
            Cell::new(found.or_else(|| known.get.as_deref().map(str::to_owned)).unwrap_or_default()).hue(Hue::Faint),
        ]);
    }
    table.lines(width, paint)
}
