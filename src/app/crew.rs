//! Owns who plays the roles of a goal that names nobody: by what is installed and which keys are set. Starts nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::gateway::read_providers;
use super::opening::read_roles;
use super::{AppError, Place};
use crate::io::agents::{KnownAgent, Programs, known_agents};
use crate::io::gateway::GatewayConfig;
use crate::model::role::{AgentRef, Role};

/// Agents that may be hired, the preferred first: the provider whose key they work with, and where below the home of the
/// user they keep a login of their own.
const CANDIDATES: [(&str, &str, Option<&str>); 8] = [
    ("claude", "anthropic", Some(".claude/.credentials.json")),
    ("codex", "openai", Some(".codex/auth.json")),
    ("acp:claude-agent-acp", "anthropic", None),
    ("acp:codex-acp", "openai", None),
    ("acp:gemini --acp", "gemini", None),
    // artel's own loop needs a key and nothing that is installed.
    ("llm:claude-sonnet-5-5", "anthropic", None),
    ("llm:gpt-5.6", "openai", None),
    ("llm:gemini-3.8-flash", "gemini", None),
];

/// How many agents are hired: one, and one of another provider for what that could not do.
const HIRED: usize = 2;

/// Tells who plays which part, as settings of roles say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crew {
    /// The agents that do the tasks, in order of escalation.
    pub workers: Vec<Hired>,
    /// The role that plans: by a session of an agent that was hired, or the whole goal for one that the user named.
    pub planner: &'static str,
    /// What is to be said to roles for that, before what the user says.
    pub settings: Vec<String>,
    /// The roles with both.
    pub roles: Vec<Role>,
}

/// Names an agent and what its calls to models are paid with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hired {
    /// The agent.
    pub agent: AgentRef,
    /// What pays.
    pub pays: Pays,
}

/// Says what an agent's calls to models are paid with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pays {
    /// It asks no model that artel knows of.
    Nothing,
    /// The user's key of a provider, through the gateway: counted and bounded.
    Key(String),
    /// The agent's own login, which its role grants: counted by the agent's word.
    Granted,
    /// The agent's own login: neither counted nor bounded, and beyond a sandbox without network.
    Login,
}

/// Tells what stands in the way of hiring anybody, and what would help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nobody {
    /// What was found.
    pub found: Vec<String>,
    /// What to do, any of these.
    pub advice: Vec<String>,
}

/// Holds what the choice of agents goes by.
struct Market<'a> {
    agents: &'a [KnownAgent],
    has_key: &'a dyn Fn(&str) -> bool,
    has_login: &'a dyn Fn(&str) -> bool,
    /// Whether agents reach the network by themselves: no sandbox was asked for.
    is_open: bool,
}

/// Chooses who plays the roles: whom the user named, in settings or in the repository's roles; else who is there.
///
/// # Errors
/// The faults of roles and of `gateway.toml`; within, what is missing where there is nobody.
pub fn crew(place: &Place, settings: &[String], is_open: bool) -> Result<Result<Crew, Nobody>, AppError> {
    let repo = place.repo()?;
    let config = read_providers(&place.dir, &place.env)?;
    let has_key = |provider: &str| config.has_key(provider);
    let home = place.env.get("HOME").map(PathBuf::from);
    let has_login = |file: &str| home.as_ref().is_some_and(|home| home.join(file).is_file());
    let agents = known_agents(&Programs::new(place.env.get("PATH").cloned(), home.clone()));
    let market = Market { agents: &agents, has_key: &has_key, has_login: &has_login, is_open };
    // A goal in words has no rules that strings and deletions could be held to.
    let mut drafted = vec!["worker.mechanical=false".to_owned()];
    let read = read_roles(Some(&repo), settings)?;
    let worker = read.get("worker");
    let named = worker.map(|role| role.agents.clone()).unwrap_or_default();
    let mut planner = "whole";
    let mut workers = if named == [AgentRef::Codemod] {
        match hire(&market) {
            Ok(workers) => {
                planner = "planner";
                let names: Vec<String> = workers.iter().map(|hired| format!("{:?}", hired.agent.to_string())).collect();
                drafted.push(format!("worker.agents=[{}]", names.join(", ")));
                // The preferred one plans; of two, the other judges, who has not done the work.
                let (first, last) = (names.first(), names.last());
                drafted.extend(first.map(|name| format!("planner.agents=[{name}]")));
                drafted.extend(last.map(|name| format!("judge.agents=[\"ladder\", {name}]")));
                workers
            }
            Err(nobody) => return Ok(Err(nobody)),
        }
    } else {
        named.into_iter().map(|agent| Hired { pays: pays(&agent, &config), agent }).collect()
    };
    for hired in &mut workers {
        if worker.is_some_and(|role| role.grants.login_of(&hired.agent).is_some()) {
            hired.pays = Pays::Granted;
        }
    }
    let all: Vec<String> = drafted.iter().chain(settings).cloned().collect();
    let roles = read_roles(Some(&repo), &all)?.iter().cloned().collect();
    Ok(Ok(Crew { workers, planner, settings: drafted, roles }))
}

/// Tells what an agent that the user named is paid with.
fn pays(agent: &AgentRef, config: &GatewayConfig) -> Pays {
    let providers = agent.providers();
    if providers.is_empty() {
        return Pays::Nothing;
    }
    let key = providers.into_iter().find(|provider| config.has_key(provider));
    key.map_or(Pays::Login, |provider| Pays::Key(provider.to_owned()))
}

/// Hires the preferred agents that are there and can be paid, each with another provider.
fn hire(market: &Market<'_>) -> Result<Vec<Hired>, Nobody> {
    let mut hired: BTreeMap<&str, (usize, Hired)> = BTreeMap::new();
    for (rank, (name, provider, login)) in CANDIDATES.into_iter().enumerate() {
        let is_own = name.starts_with("llm:");
        let is_there = is_own || market.agents.iter().any(|known| known.agent == name && known.installed);
        let pays = if (market.has_key)(provider) {
            Pays::Key(provider.to_owned())
        } else if market.is_open && login.is_some_and(market.has_login) {
            Pays::Login
        } else {
            continue;
        };
        if let Ok(agent) = name.parse().map_err(drop)
            && is_there
        {
            hired.entry(provider).or_insert((rank, Hired { agent, pays }));
        }
    }
    let mut hired: Vec<(usize, Hired)> = hired.into_values().collect();
    // What is counted and bounded goes before what is not.
    hired.sort_by_key(|(rank, hired)| (hired.pays == Pays::Login, *rank));
    let hired: Vec<Hired> = hired.into_iter().map(|(_, hired)| hired).take(HIRED).collect();
    if hired.is_empty() { Err(nobody(market)) } else { Ok(hired) }
}

/// Tells what is missing: a key for each agent that would do. A key alone would do without any of them.
fn nobody(market: &Market<'_>) -> Nobody {
    let mut nobody = Nobody::default();
    for (name, provider, login) in CANDIDATES {
        let is_installed = market.agents.iter().any(|known| known.agent == name && known.installed);
        if is_installed {
            let key = key_variable(provider);
            nobody.found.push(format!("{name} is installed, and there is no key of {provider}"));
            nobody.advice.push(format!("set {key}, or name the key in gateway.toml (docs/gateway.md)"));
            if login.is_some_and(market.has_login) {
                nobody.advice.push(format!("or let {name} use its own login, without a sandbox: --sandbox none"));
            }
        }
    }
    if nobody.found.is_empty() {
        nobody.found.push("no agent with a model is installed, and no key of a model is set".to_owned());
        for (name, provider, _) in &CANDIDATES[..2] {
            let get = market.agents.iter().find(|known| known.agent == *name).and_then(|known| known.get.as_deref());
            nobody.advice.push(format!("{}, and set {}", get.unwrap_or_default(), key_variable(provider)));
        }
        nobody.advice.push("or name any program of yours: --role 'worker.agents=command:./fix.sh'".to_owned());
    }
    nobody.advice.dedup();
    nobody
}

fn key_variable(provider: &str) -> &'static str {
    match provider {
        "anthropic" => "ANTHROPIC_API_KEY",
        "gemini" => "GEMINI_API_KEY",
        _ => "OPENAI_API_KEY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(installed: &[&str], keys: &[&str], logins: &[&str], is_open: bool) -> Result<Vec<String>, Nobody> {
        let mut agents = known_agents(&Programs::default());
        for known in &mut agents {
            known.installed |= installed.contains(&&*known.agent);
        }
        let (has_key, has_login) = (|it: &str| keys.contains(&it), |it: &str| logins.contains(&it));
        let market = Market { agents: &agents, has_key: &has_key, has_login: &has_login, is_open };
        Ok(hire(&market)?.iter().map(|hired| format!("{} {:?}", hired.agent, hired.pays)).collect())
    }

    #[test]
    fn who_is_there_and_paid_is_hired_and_another_provider_stands_behind() {
        let all = ["claude", "codex", "acp:codex-acp", "acp:gemini --acp"];
        let hired = market(&all, &["gemini", "openai", "anthropic"], &[], false).unwrap();
        assert_eq!(hired, ["claude Key(\"anthropic\")", "codex Key(\"openai\")"]);
        assert_eq!(market(&all, &["gemini"], &[], false).unwrap(), ["acp:gemini --acp Key(\"gemini\")"]);
        assert_eq!(market(&["acp:codex-acp"], &["openai"], &[], false).unwrap(), ["acp:codex-acp Key(\"openai\")"]);
    }

    #[test]
    fn a_login_serves_where_no_sandbox_was_asked_for_and_after_what_is_counted() {
        let login = [".claude/.credentials.json"];
        let hired = market(&["claude", "codex"], &["openai"], &login, true).unwrap();
        assert_eq!(hired, ["codex Key(\"openai\")", "claude Login"]);
        let nobody = market(&["claude"], &[], &login, false).unwrap_err();
        assert_eq!(nobody.found, ["claude is installed, and there is no key of anthropic"]);
        assert!(nobody.advice[0].contains("ANTHROPIC_API_KEY") && nobody.advice[1].contains("--sandbox none"));
    }

    #[test]
    fn what_is_missing_is_told_with_what_helps() {
        assert_eq!(market(&[], &["openai"], &[], false).unwrap(), ["llm:gpt-5.6 Key(\"openai\")"], "a key is enough");
        let nobody = market(&[], &[], &[], true).unwrap_err();
        assert_eq!(nobody.found, ["no agent with a model is installed, and no key of a model is set"]);
        assert!(nobody.advice[0].contains("npm install") && nobody.advice[0].contains("ANTHROPIC_API_KEY"));
    }
}
