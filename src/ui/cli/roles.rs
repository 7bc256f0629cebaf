//! Owns `artel roles`: the roles with their agents and limits, and where each comes from; and which agents there are.

use clap::Args;

use super::args::Format;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{self, RoleRow};
use crate::io::agents::{KnownAgent, LimitsTold, Says};
use crate::model::role::{Limits, Part};
use crate::views::words;

/// Shows the roles.
#[derive(Debug, Args)]
pub struct RolesArgs {
    /// Show what a change would make of them, such as worker.agents=codemod,command:./fix.sh
    #[arg(long = "role", value_name = "ROLE.FIELD=VALUE")]
    changes: Vec<String>,
    /// Show the agents that roles may name instead: whether they are installed, and what each can tell
    #[arg(long, conflicts_with = "changes")]
    agents: bool,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where a role file or a change is faulty.
pub fn roles(out: &Out, args: &RolesArgs) -> Result<Exit, Fail> {
    if args.agents {
        let agents = seam::agents()?;
        if args.format.json {
            out.json(&agents)?;
        } else {
            out.lines(agent_lines(&agents, out.width, out.paint))?;
        }
        return Ok(Exit::Done);
    }
    let roles = seam::roles(&args.changes)?;
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
    table.headings(&["agent", "here", "tokens", "cost", "resumes", "limits", "where it is, or how it is got"]);
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
        let (here, hue) = match (known.program, known.installed) {
            (None, _) => ("built in", Hue::Plain),
            (Some(_), true) => ("yes", Hue::Good),
            (Some(_), false) => ("no", Hue::Faint),
        };
        let found = known.found.as_ref().map(|path| path.to_string_lossy().into_owned());
        table.row([
            Cell::new(known.agent).hue(Hue::Strong),
            Cell::new(here).hue(hue),
            Cell::new(says(known.usage)),
            Cell::new(says(known.cost)),
            Cell::new(if known.resume { "yes" } else { "-" }),
            Cell::new(limits),
            Cell::new(found.or_else(|| known.get.map(str::to_owned)).unwrap_or_default()).hue(Hue::Faint),
        ]);
    }
    table.lines(width, paint)
}
