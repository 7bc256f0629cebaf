//! Owns who plays the roles of a goal that names nobody: by what is installed and which keys are set. Starts nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::gateway::read_providers;
use super::opening::read_roles;
use super::{AppError, Place};
use crate::io::agents::{KnownAgent, Login, Programs, known_agents};
use crate::io::gateway::GatewayConfig;
use crate::model::login::login_by;
use crate::model::role::{AgentRef, Role};

/// Agents that may be hired, the preferred first, and the provider whose key they work with.
const CANDIDATES: [(&str, &str); 8] = [
    ("claude", "anthropic"),
    ("codex", "openai"),
    ("acp:claude-agent-acp", "anthropic"),
    ("acp:codex-acp", "openai"),
    ("acp:gemini --acp", "gemini"),
    // artel's own loop needs a key and nothing that is installed.
    ("llm:claude-sonnet-5-5", "anthropic"),
    ("llm:gpt-5.6", "openai"),
    ("llm:gemini-3.8-flash", "gemini"),
];

/// The roles that those who are hired play; who judges the run is whoever judges.
const PLAYED: [&str; 3] = ["worker", "planner", "judge"];
/// The role that judges a run.
const RUN_JUDGE: &str = "run-judge";

/// How many agents are hired: one, and one of another provider for what that could not do.
const HIRED: usize = 2;

/// Tells who plays which part, as settings of roles say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crew {
    /// The agents that do the tasks, in order of escalation.
    pub workers: Vec<Hired>,
    /// The role that plans: by a session of an agent that was hired, or the whole goal for one that the user named.
    pub planner: &'static str,
    /// The role that says at the end whether the goal is reached: by a session, where one is there.
    pub run_judge: Option<&'static str>,
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
    has_login: &'a dyn Fn(&AgentRef) -> bool,
    /// Names the roles that are played and do not grant an agent its own login.
    refusing: &'a dyn Fn(&AgentRef) -> Vec<&'static str>,
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
    let agents = known_agents(&Programs::new(place.env.get("PATH").cloned(), place.env.get("HOME").map(PathBuf::from)));
    let read = read_roles(Some(&repo), settings)?;
    let grants = |role: &str, agent: &AgentRef| read.get(role).is_some_and(|it| it.grants.login_of(agent).is_some());
    let refusing = |agent: &AgentRef| PLAYED.into_iter().filter(|role| !grants(role, agent)).collect();
    let has_login = |agent: &AgentRef| Login::is_kept(agent, &place.env);
    let market = Market { agents: &agents, has_key: &has_key, has_login: &has_login, refusing: &refusing, is_open };
    // A goal in words has no rules that strings and deletions could be held to.
    let mut drafted = vec!["worker.mechanical=false".to_owned()];
    let named = read.get("worker").map(|role| role.agents.clone()).unwrap_or_default();
    let is_hired = named == [AgentRef::Codemod];
    let mut workers = if is_hired {
        match hire(&market) {
            Ok(workers) => workers,
            Err(nobody) => return Ok(Err(nobody)),
        }
    } else {
        named.into_iter().map(|agent| Hired { pays: pays(&agent, &config), agent }).collect()
    };
    if is_hired {
        drafted.extend(playing(&workers));
    }
    let last = workers.last().map(|hired| hired.agent.clone());
    for hired in &mut workers {
        if grants("worker", &hired.agent) {
            hired.pays = Pays::Granted;
        }
    }
    let run_judge = workers.last().filter(|last| match last.pays {
        Pays::Nothing => false,
        Pays::Key(_) | Pays::Login => true,
        Pays::Granted => is_hired || grants(RUN_JUDGE, &last.agent),
    });
    let run_judge = run_judge.map(|_| RUN_JUDGE);
    if let Some(last) = last.filter(|_| run_judge.is_some()) {
        drafted.push(format!("{RUN_JUDGE}.agents=[{:?}]", last.to_string()));
        // Who may judge by a login may judge the run by it.
        let login = read.get("judge").and_then(|judge| judge.grants.login_of(&last));
        drafted.extend(login.map(|login| format!("{RUN_JUDGE}.grants.logins=[{:?}]", login.agent)));
    }
    let all: Vec<String> = drafted.iter().chain(settings).cloned().collect();
    let roles = read_roles(Some(&repo), &all)?.iter().cloned().collect();
    let planner = if is_hired { "planner" } else { "whole" };
    Ok(Ok(Crew { workers, planner, run_judge, settings: drafted, roles }))
}

/// Says to roles who plays them: the preferred one plans; of two, the other judges, who has not done the work.
fn playing(workers: &[Hired]) -> Vec<String> {
    let names: Vec<String> = workers.iter().map(|hired| format!("{:?}", hired.agent.to_string())).collect();
    let mut said = vec![format!("worker.agents=[{}]", names.join(", "))];
    said.extend(names.first().map(|name| format!("planner.agents=[{name}]")));
    said.extend(names.last().map(|name| format!("judge.agents=[\"ladder\", {name}]")));
    said
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
    for (rank, (name, provider)) in CANDIDATES.into_iter().enumerate() {
        let is_own = name.starts_with("llm:");
        let is_there = is_own || market.agents.iter().any(|known| known.agent == name && known.installed);
        let Ok(agent) = name.parse::<AgentRef>() else { continue };
        let has_login = (market.has_login)(&agent);
        let pays = if has_login && (market.refusing)(&agent).is_empty() {
            Pays::Granted
        } else if (market.has_key)(provider) {
            Pays::Key(provider.to_owned())
        } else if market.is_open && has_login {
            Pays::Login
        } else {
            continue;
        };
        if is_there {
            hired.entry(provider).or_insert((rank, Hired { agent, pays }));
        }
    }
    let mut hired: Vec<(usize, Hired)> = hired.into_values().collect();
    // What is counted and bounded goes before what is not.
    hired.sort_by_key(|(rank, hired)| (hired.pays == Pays::Login, *rank));
    let hired: Vec<Hired> = hired.into_iter().map(|(_, hired)| hired).take(HIRED).collect();
    if hired.is_empty() { Err(nobody(market)) } else { Ok(hired) }
}

/// Tells what is missing: a key for each agent that would do, or a grant. A key alone would do without any of them.
fn nobody(market: &Market<'_>) -> Nobody {
    let mut nobody = Nobody::default();
    for (name, provider) in CANDIDATES {
        let is_installed = market.agents.iter().any(|known| known.agent == name && known.installed);
        if is_installed {
            let key = key_variable(provider);
            nobody.found.push(format!("{name} is installed, and there is no key of {provider}"));
            nobody.advice.push(format!("set {key}, or name the key in gateway.toml (docs/gateway.md)"));
            nobody.advice.extend(login_advice(market, name));
        }
    }
    if nobody.found.is_empty() {
        nobody.found.push("no agent with a model is installed, and no key of a model is set".to_owned());
        for (name, provider) in &CANDIDATES[..2] {
            let get = market.agents.iter().find(|known| known.agent == *name).and_then(|known| known.get.as_deref());
            nobody.advice.push(format!("{}, and set {}", get.unwrap_or_default(), key_variable(provider)));
        }
        nobody.advice.push("or name any program of yours: --role 'worker.agents=command:./fix.sh'".to_owned());
    }
    nobody.advice.dedup();
    nobody
}

/// Tells how an agent could be let use its own login: by who does not grant it, or by logging in.
fn login_advice(market: &Market<'_>, name: &str) -> Option<String> {
    let agent: AgentRef = name.parse().ok()?;
    let login = login_by(&agent)?.agent;
    let refusing = (market.refusing)(&agent);
    match ((market.has_login)(&agent), refusing.is_empty()) {
        (true, false) => {
            let grants: Vec<String> =
                refusing.iter().map(|role| format!("--role {role}.grants.logins={login}")).collect();
            Some(format!("or let {login} use its own login (docs/agents.md): {}", grants.join(" ")))
        }
        (false, true) => {
            Some(format!("or start `{login}` once by yourself and log in: its login is granted, and not there"))
        }
        (true, true) | (false, false) => None,
    }
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
        granting(installed, keys, logins, &[], is_open)
    }

    fn granting(
        installed: &[&str],
        keys: &[&str],
        logins: &[&str],
        granted: &[(&str, &str)],
        is_open: bool,
    ) -> Result<Vec<String>, Nobody> {
        let mut agents = known_agents(&Programs::default());
        for known in &mut agents {
            known.installed |= installed.contains(&&*known.agent);
        }
        let (has_key, has_login) = (|it: &str| keys.contains(&it), |it: &AgentRef| logins.contains(&&*it.to_string()));
        let grants = |role: &str, it: &AgentRef| granted.contains(&(role, &*it.to_string()));
        let refusing = |it: &AgentRef| PLAYED.into_iter().filter(|role| !grants(role, it)).collect();
        let market = Market { agents: &agents, has_key: &has_key, has_login: &has_login, refusing: &refusing, is_open };
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
        let login = ["claude"];
        let hired = market(&["claude", "codex"], &["openai"], &login, true).unwrap();
        assert_eq!(hired, ["codex Key(\"openai\")", "claude Login"]);
        let nobody = market(&["claude"], &[], &login, false).unwrap_err();
        assert_eq!(nobody.found, ["claude is installed, and there is no key of anthropic"]);
        assert!(nobody.advice[0].contains("ANTHROPIC_API_KEY") && !nobody.advice.concat().contains("--sandbox"));
    }

    #[test]
    fn a_login_serves_where_all_who_play_grant_it_and_who_does_not_is_named() {
        let all = PLAYED.map(|role| (role, "claude"));
        let hired = |granted, logins: &[&str]| granting(&["claude"], &[], logins, granted, false);
        assert_eq!(hired(&all, &["claude"]).unwrap(), ["claude Granted"]);
        let part = hired(&all[..1], &["claude"]).unwrap_err().advice;
        let both = "--role planner.grants.logins=claude --role judge.grants.logins=claude";
        assert!(part[1].ends_with(&format!("(docs/agents.md): {both}")), "{part:?}");
        assert!(hired(&all, &[]).unwrap_err().advice[1].contains("start `claude` once by yourself"));
        assert_eq!(
            granting(&["claude"], &["anthropic"], &["claude"], &all, false).unwrap(),
            ["claude Granted"],
            "as its sessions do, which ask by their login though there is a key"
        );
    }

    #[test]
    fn what_is_missing_is_told_with_what_helps() {
        assert_eq!(market(&[], &["openai"], &[], false).unwrap(), ["llm:gpt-5.6 Key(\"openai\")"], "a key is enough");
        let nobody = market(&[], &[], &[], true).unwrap_err();
        assert_eq!(nobody.found, ["no agent with a model is installed, and no key of a model is set"]);
        assert!(nobody.advice[0].contains("npm install") && nobody.advice[0].contains("ANTHROPIC_API_KEY"));
    }
}
