//! Owns what is known of agents before one is set to work: how each is got, and what it can tell. What is written here was
//! measured; runs nothing.

use std::borrow::Cow;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::found::Programs;
use super::{claude, codex};
use crate::model::login::{LOGINS, Named, OwnLogin};

/// Describes an agent that roles can name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownAgent {
    /// The name that roles give it.
    pub agent: Cow<'static, str>,
    /// The program that it needs; nothing where it is part of artel, or is what the user names.
    pub program: Option<Cow<'static, str>>,
    /// Where that program lies on this machine; nothing where it was not found.
    pub found: Option<PathBuf>,
    /// Whether it can be set to work on this machine.
    pub installed: bool,
    /// Which version that program says it is; nothing where it was not asked, or did not say.
    #[serde(default)]
    pub version: Option<String>,
    /// How it is got; nothing where there is nothing to be got.
    pub get: Option<Cow<'static, str>>,
    /// What it tells of the tokens that it used.
    pub usage: Says,
    /// What it tells of what they cost.
    pub cost: Says,
    /// Whether a session that ended can be taken up again.
    pub resume: bool,
    /// What it tells of a limit that it met.
    pub limits: Limits,
    /// Whether a role may grant it the login that it keeps by itself.
    pub login: bool,
}

/// Says how much an agent tells of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Nothing.
    Nothing,
    /// Something that is known to be too little, such as the last call only.
    Partly,
    /// What this session used.
    Session,
}

/// Says what an agent tells of a limit that it met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// Nothing: it waits, or fails as it would for any other reason; or it meets none.
    Nothing,
    /// That it met one.
    Kind,
    /// That it met one, and where its provider says so, until when.
    Reset,
}

/// Holds what [`KnownAgent`] tells, without this machine.
struct Entry(&'static str, Option<&'static str>, Option<&'static str>, Says, Says, bool, Limits);

/// What was measured of each agent, by the name that roles give it: program, how it is got, tokens, cost, resume, limits.
const KNOWN: [Entry; 15] = [
    Entry("codemod", None, None, Says::Nothing, Says::Nothing, false, Limits::Nothing),
    Entry("command:PROGRAM", None, None, Says::Nothing, Says::Nothing, false, Limits::Nothing),
    Entry("script:FILE", None, None, Says::Nothing, Says::Nothing, false, Limits::Nothing),
    Entry("llm:PROVIDER::MODEL", None, None, Says::Session, Says::Session, true, Limits::Reset),
    Entry("claude", Some("claude"), Some(claude::HOW_TO_GET), Says::Session, Says::Session, true, Limits::Reset),
    Entry("codex", Some("codex"), Some(codex::HOW_TO_GET), Says::Session, Says::Nothing, true, Limits::Reset),
    Entry(
        "acp:claude-agent-acp",
        Some("claude-agent-acp"),
        Some("npm install -g @agentclientprotocol/claude-agent-acp"),
        Says::Session,
        Says::Session,
        true,
        Limits::Kind,
    ),
    Entry(
        "acp:codex-acp",
        Some("codex-acp"),
        Some("npm install -g @agentclientprotocol/codex-acp"),
        Says::Session,
        Says::Nothing,
        true,
        Limits::Reset,
    ),
    Entry(
        "acp:copilot --acp",
        Some("copilot"),
        Some("npm install -g @github/copilot"),
        Says::Session,
        Says::Nothing,
        true,
        Limits::Nothing,
    ),
    Entry(
        "acp:gemini --acp",
        Some("gemini"),
        Some("npm install -g @google/gemini-cli"),
        Says::Session,
        Says::Nothing,
        false,
        Limits::Kind,
    ),
    Entry(
        "acp:goose acp",
        Some("goose"),
        Some("npm: @aaif/goose-binary-linux-x64, its bin/ in PATH"),
        Says::Partly,
        Says::Session,
        true,
        Limits::Nothing,
    ),
    Entry(
        "acp:kimi acp",
        Some("kimi"),
        Some("npm install -g @moonshot-ai/kimi-code"),
        Says::Nothing,
        Says::Nothing,
        true,
        Limits::Nothing,
    ),
    Entry(
        "acp:opencode acp",
        Some("opencode"),
        Some("npm install -g opencode-ai"),
        Says::Partly,
        Says::Session,
        true,
        Limits::Nothing,
    ),
    Entry(
        "acp:qwen --acp",
        Some("qwen"),
        Some("npm install -g @qwen-code/qwen-code"),
        Says::Nothing,
        Says::Nothing,
        true,
        Limits::Nothing,
    ),
    Entry(
        "acp:vibe-acp",
        Some("vibe-acp"),
        Some("pipx install mistral-vibe"),
        Says::Session,
        Says::Session,
        true,
        Limits::Nothing,
    ),
];

/// Lists what is known of agents, with where each lies on this machine.
pub fn known_agents(programs: &Programs) -> Vec<KnownAgent> {
    let known = |Entry(agent, program, get, usage, cost, resume, limits): &Entry| {
        let found = program.and_then(|program| programs.find(program)).map(|found| found.program);
        KnownAgent {
            agent: (*agent).into(),
            program: program.map(Cow::Borrowed),
            installed: program.is_none() || found.is_some(),
            found,
            version: None,
            get: get.map(Cow::Borrowed),
            usage: *usage,
            cost: *cost,
            resume: *resume,
            limits: *limits,
            login: LOGINS.iter().any(|login| is_by(login, agent, *program)),
        }
    };
    KNOWN.iter().map(known).collect()
}

/// Says how much the agent of a login tells of the tokens that it used, and of what they cost.
pub fn tells(login: &OwnLogin) -> (Says, Says) {
    let entry = KNOWN.iter().find(|Entry(agent, program, ..)| is_by(login, agent, *program));
    entry.map_or((Says::Nothing, Says::Nothing), |Entry(_, _, _, usage, cost, ..)| (*usage, *cost))
}

/// Tells whether a login is that of an agent, by how roles name it and its program.
fn is_by(login: &OwnLogin, agent: &str, program: Option<&str>) -> bool {
    let named = if agent.starts_with("acp:") { Named::ByLine } else { Named::Plainly };
    login.named == named && program == Some(login.agent)
}

/// Says how a program that speaks the protocol is got.
pub(super) fn how_to_get_acp(program: &str) -> String {
    let entry = KNOWN.iter().find(|Entry(agent, known, ..)| agent.starts_with("acp:") && *known == Some(program));
    match entry {
        Some(Entry(_, _, Some(get), ..)) => (*get).to_owned(),
        Some(_) | None => "install it, or name it by its absolute path".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::AgentRef;

    #[test]
    fn each_is_an_agent_that_roles_can_name() {
        for known in known_agents(&Programs::default()) {
            let named: AgentRef = known.agent.parse().unwrap();
            assert_eq!(named.to_string(), known.agent);
            assert_eq!(known.program.is_none(), known.get.is_none());
            assert_eq!(known.installed, known.program.is_none(), "{known:?}");
        }
    }

    #[test]
    fn the_readme_has_the_table_of_agents() {
        let says = |says: Says| match says {
            Says::Nothing => "-",
            Says::Partly => "in part",
            Says::Session => "yes",
        };
        let mut table =
            String::from("| agent | tokens | cost | resumes | limits | how it is got |\n|---|---|---|---|---|---|\n");
        for known in known_agents(&Programs::default()) {
            let limits = match known.limits {
                Limits::Nothing => "-",
                Limits::Kind => "that",
                Limits::Reset => "until when",
            };
            let (resumes, get) = (if known.resume { "yes" } else { "-" }, known.get.as_deref().unwrap_or("built in"));
            let (tokens, cost) = (says(known.usage), says(known.cost));
            table.push_str(&format!("| `{}` | {tokens} | {cost} | {resumes} | {limits} | {get} |\n", known.agent));
        }
        let readme = include_str!("../../../README.md");
        assert!(readme.contains(&table), "README.md has to hold:\n{table}");
    }

    #[test]
    fn of_each_login_it_is_known_what_its_agent_tells() {
        let known = known_agents(&Programs::default());
        let with_login: Vec<&str> = known.iter().filter(|known| known.login).map(|known| &*known.agent).collect();
        assert_eq!(with_login.len(), LOGINS.len(), "{with_login:?}");
        let of = |name: &str| tells(LOGINS.iter().find(|login| login.agent == name).unwrap());
        assert_eq!(of("claude"), (Says::Session, Says::Session));
        assert_eq!(of("gemini"), (Says::Session, Says::Nothing));
        assert_eq!(of("goose"), (Says::Partly, Says::Session));
    }
}
