//! Owns the look at who could do the work: the roles that a run of a repository would have, where each comes from, and
//! which agents this machine has. Sets nobody to work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AppError, read_roles};
use crate::io::agents::{KnownAgent, Programs, ask_versions, known_agents};
use crate::io::git::Repo;
use crate::model::inert::inert;
use crate::model::role::{AgentRef, CONTEXT_TOKENS, ContextPolicy, Role};

/// Tells of a role and where it comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RoleRow {
    /// The role; its money is told in nano-dollars, which a file writes in dollars.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub role: Role,
    /// Where it comes from: `built in`, or files and overrides in order.
    pub from: Vec<String>,
}

/// Lists the roles as a run of a repository would have them, each setting of roles applied; without a repository the
/// built-in ones.
///
/// # Errors
/// Where a role file or a setting is faulty.
pub fn role_rows(repo: Option<&Repo>, settings: &[String]) -> Result<Vec<RoleRow>, AppError> {
    let roles = read_roles(repo, settings)?;
    let builtin = read_roles(None, &[])?;
    let root = repo.and_then(Repo::workdir);
    let row = |role: &Role| {
        let mut from = Vec::new();
        if builtin.get(&role.name).is_some() {
            from.push("built in".to_owned());
        }
        let file = format!(".artel/roles/{}.toml", role.name);
        if root.is_some_and(|root| root.join(&file).exists()) {
            from.push(file);
        }
        let own = format!("{}.", role.name);
        from.extend(settings.iter().filter(|setting| setting.trim().starts_with(&own)).cloned());
        RoleRow { role: role.clone(), from }
    };
    Ok(roles.iter().map(row).collect())
}

/// Says what a role asks for that an agent of it does not heed, or may not.
pub fn unheeded(role: &Role) -> Vec<String> {
    let keeps_context = role.context == ContextPolicy::default() && role.context_tokens == CONTEXT_TOKENS;
    let mut notes = Vec::new();
    for agent in &role.agents {
        let effort = match agent {
            AgentRef::Acp(_) => "is passed on to {} where it offers a choice of that",
            AgentRef::Command(_) => "is not passed on to {}",
            AgentRef::Llm(_) | AgentRef::Claude { .. } | AgentRef::Codex { .. } => "",
            // Who asks no model thinks no harder.
            AgentRef::Script(_)
            | AgentRef::Codemod
            | AgentRef::Shard
            | AgentRef::Whole
            | AgentRef::Ladder
            | AgentRef::Revert => continue,
        };
        let named = inert(&agent.to_string());
        if role.effort.is_some() && !effort.is_empty() {
            notes.push(format!("role {}: effort {}", role.name, effort.replace("{}", &named)));
        }
        if !keeps_context && !matches!(agent, AgentRef::Llm(_)) {
            notes.push(format!("role {}: context policy is {named}'s own, and is not passed on to it", role.name));
        }
    }
    notes
}

/// Lists what is known of agents, and which of them this machine has in which version, by an environment's `PATH` and `HOME`.
/// None is run that lies in the repository that holds a folder.
pub fn agents_here(env: &BTreeMap<String, String>, cwd: &Path) -> Vec<KnownAgent> {
    let path = env.get("PATH").cloned().unwrap_or_default();
    let mut agents = known_agents(&Programs::new(Some(path.clone()), env.get("HOME").map(PathBuf::from)));
    let repo = Repo::discover(cwd).ok().and_then(|repo| repo.workdir()?.canonicalize().ok());
    ask_versions(&mut agents, &path, repo.as_deref());
    agents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role_text::{read_new, set};

    #[test]
    fn what_an_agent_does_not_heed_is_said_once_for_each() {
        let agents = "['codemod', 'llm:claude-sonnet-5', 'claude', 'codex', 'acp:goose acp', 'command:./fix.sh']";
        let role = read_new("worker", &format!("part = 'worker'\nagents = {agents}\nabout = 'x'")).unwrap();
        assert_eq!(unheeded(&role), [""; 0]);
        let high = set(&role, "worker.effort=high").unwrap();
        let choice = "role worker: effort is passed on to acp:goose acp where it offers a choice of that";
        assert_eq!(unheeded(&high), [choice, "role worker: effort is not passed on to command:./fix.sh"]);
        for change in ["worker.context=compact", "worker.context_tokens=1000"] {
            let notes = unheeded(&set(&role, change).unwrap());
            let own = |agent: &str| format!("role worker: context policy is {agent}'s own, and is not passed on to it");
            assert_eq!(notes, ["claude", "codex", "acp:goose acp", "command:./fix.sh"].map(own), "{change}");
        }
    }
}
