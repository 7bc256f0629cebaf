//! Owns `artel roles`: the roles with their agents and limits, and where each comes from.

use clap::Args;

use super::args::Format;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{self, RoleRow};
use crate::model::role::{Limits, Part};
use crate::views::words;

/// Shows the roles.
#[derive(Debug, Args)]
pub struct RolesArgs {
    /// Show what a change would make of them, such as worker.agents=codemod,command:./fix.sh
    #[arg(long = "role", value_name = "ROLE.FIELD=VALUE")]
    changes: Vec<String>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where a role file or a change is faulty.
pub fn roles(out: &Out, args: &RolesArgs) -> Result<Exit, Fail> {
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
