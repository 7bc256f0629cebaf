//! Owns the look at who could do the work: the roles that a run of a repository would have, where each comes from, and
//! which agents this machine has. Sets nobody to work.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AppError, read_roles};
use crate::io::agents::{KnownAgent, Programs, known_agents};
use crate::io::git::Repo;
use crate::model::role::Role;

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

/// Lists what is known of agents, and which of them this machine has, by an environment's `PATH` and `HOME`.
pub fn agents_here(env: &BTreeMap<String, String>) -> Vec<KnownAgent> {
    known_agents(&Programs::new(env.get("PATH").cloned(), env.get("HOME").map(PathBuf::from)))
}
