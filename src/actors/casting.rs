//! Owns which brain plays an attempt, by the name that its role gives it. Sets none to work.

use std::path::PathBuf;

use super::world::World;
use crate::io::agents::script::Script;
use crate::io::agents::{Acp, Agent, Claude, Codex, Command, Door, Login, Programs};
use crate::model::role::{AgentRef, Role};

/// Makes the agent that a role names, where it plays by a process, with what leads it to artel or logs it in.
///
/// # Errors
/// Where it plays by none.
pub fn cast(
    world: &World,
    (agent, role): (&AgentRef, &Role),
    (door, login): (Option<Door>, Option<Login>),
) -> Result<Box<dyn Agent + Send>, String> {
    let programs = || {
        let named = |name: &str| world.outer_env.get(name).cloned();
        Programs::new(named("PATH"), named("HOME").map(PathBuf::from))
    };
    Ok(match agent {
        AgentRef::Command(line) => Box::new(Command::new(line.clone())),
        AgentRef::Script(name) => {
            let text = world.opening.assets.get(name).cloned().unwrap_or_default();
            Box::new(Script::new(world.artel.clone(), name.clone(), text))
        }
        AgentRef::Claude { model } => {
            let claude = Claude::new(programs(), model.clone(), door).thinking(role.effort);
            Box::new(match login {
                Some(login) => claude.logged_in(login, &role.limits),
                None => claude,
            })
        }
        AgentRef::Codex { model } => {
            let codex = Codex::new(programs(), model.clone(), door).thinking(role.effort);
            Box::new(match login {
                Some(login) => codex.logged_in(login),
                None => codex,
            })
        }
        AgentRef::Acp(line) => {
            let acp = Acp::new(world.artel.clone(), programs(), line.clone(), door).thinking(role.effort);
            Box::new(match login {
                Some(login) => acp.logged_in(login),
                None => acp,
            })
        }
        AgentRef::Llm(_)
        | AgentRef::Codemod
        | AgentRef::Shard
        | AgentRef::Whole
        | AgentRef::Ladder
        | AgentRef::Revert => {
            return Err(format!("{agent} is no process"));
        }
    })
}
