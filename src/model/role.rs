//! Owns roles: which agents play a part, in which order, within which limits. Never starts an agent.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model_name::ModelName;
use super::review::{Criterion, Lens};

/// Describes a role as its TOML file does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The role's name: its file's name without the ending.
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
    /// What part it plays.
    pub part: Part,
    /// Agents in order of escalation: only what one could not do, or had rejected, reaches the next.
    pub agents: Vec<AgentRef>,
    /// Name of the prompt file, without the ending, that an agent's brief is made with.
    pub prompt: String,
    /// Whether the next agent plays while a limit of the one before lasts, or its key is refused; else its tasks wait.
    #[serde(default)]
    pub failover: bool,
    /// Whether its agents only follow rules, so that string literals and deletions are held to the rule's.
    #[serde(default)]
    pub mechanical: bool,
    /// What a judge is shown, one session after another; only where it judges by sessions.
    #[serde(default)]
    pub lenses: Vec<Lens>,
    /// What a judge's session scores, and from which score on it is held.
    #[serde(default)]
    pub criteria: Vec<Criterion>,
    /// How hard the models of its `llm` agents are to think; without it, as their provider has it.
    #[serde(default)]
    pub effort: Option<Effort>,
    /// What becomes of the context of an `llm` agent when it has grown long.
    #[serde(default)]
    pub context: ContextPolicy,
    /// How many tokens make a context long; 0 is no bound.
    #[serde(default = "context_tokens")]
    pub context_tokens: u64,
    /// What an attempt may use.
    #[serde(default)]
    pub limits: Limits,
    /// What an attempt is given beside its worktree.
    #[serde(default)]
    pub grants: Grants,
}

/// Tokens that make a context long where a role does not say: three quarters of what most models read.
pub const CONTEXT_TOKENS: u64 = 150_000;

fn context_tokens() -> u64 {
    CONTEXT_TOKENS
}

/// Says how hard a model is to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// A little.
    Low,
    /// More.
    Medium,
    /// Much.
    High,
}

impl Effort {
    /// Gives the word for it, which roles and the agents that have such a choice share.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Says what becomes of a context that has grown long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContextPolicy {
    /// The agent writes down how far it is; it goes on from the brief and that note alone.
    #[default]
    Reset,
    /// Old results of tools are taken out of it, and it goes on.
    Compact,
}

/// Says which part a role plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Emits tasks and spawns sub-planners; never writes code.
    Planner,
    /// Does tasks; never plans.
    Worker,
    /// Gives verdicts.
    Judge,
}

/// Bounds what an agent may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall time of an attempt, in seconds.
    pub wall_s: u64,
    /// Silence after which an attempt is ended, in seconds.
    pub idle_s: u64,
    /// Bytes of output after which an attempt is ended.
    pub output_bytes: u64,
    /// Tries of each agent of the list before the next one is asked.
    pub attempts: u32,
    /// Address space of each process, in bytes; 0 is no bound.
    pub memory_bytes: u64,
    /// Processes at one time; 0 is no bound.
    pub processes: u64,
    /// Size of one file that it writes, in bytes; 0 is no bound.
    pub file_bytes: u64,
    /// Files that a candidate may change.
    pub changed_files: u32,
    /// Bytes of all files that a candidate adds or changes.
    pub changed_bytes: u64,
    /// Calls to models; 0 is no bound.
    pub calls: u64,
    /// Tokens that calls to models may use; 0 is no bound.
    pub tokens: u64,
    /// Money that calls to models may cost, in nano-dollars; 0 is no bound. Written in dollars.
    #[schemars(rename = "usd", with = "f64")]
    pub nano_usd: u64,
    /// How deep planners may nest; the root planner is 0.
    pub depth: u32,
    /// How many sub-planners one planner may have.
    pub fan_out: u32,
    /// How many tasks one planner may emit.
    pub tasks: u32,
    /// Rounds of judging one task after which a judge's session may find no new class of fault.
    pub rounds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_s: 1800,
            idle_s: 600,
            output_bytes: 64 << 20,
            attempts: 2,
            memory_bytes: 0,
            processes: 0,
            file_bytes: 1 << 30,
            changed_files: 2000,
            changed_bytes: 64 << 20,
            calls: 0,
            tokens: 0,
            nano_usd: 0,
            depth: 3,
            fan_out: 200,
            tasks: 20_000,
            rounds: 2,
        }
    }
}

/// Lists what an attempt is given beside its worktree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Names of environment variables that are passed on where they are set, beside the short default list.
    pub env: BTreeSet<String>,
    /// How many free ports of this machine are leased to an attempt; named `ARTEL_PORT_1` and on.
    pub ports: u32,
    /// Paths outside the worktree that a sandboxed attempt may read and run; absolute.
    pub read: BTreeSet<PathBuf>,
    /// Paths outside the worktree that a sandboxed attempt may write; absolute.
    pub write: BTreeSet<PathBuf>,
    /// Toolchains whose programs and stores of packages are shown to a sandboxed attempt: cargo, npm, python, go, jvm.
    /// Without it all that the machine has.
    pub toolchains: Option<BTreeSet<String>>,
    /// Package registries (crates, npm, pypi, go, maven) and single hosts that an attempt may reach by TLS, through artel.
    pub egress: BTreeSet<String>,
    /// Agents that may use the login of their own which this user has: claude, codex, copilot, gemini, goose, opencode. What
    /// they spend is as they tell it.
    pub logins: BTreeSet<String>,
}

/// Names an agent as roles do: `codemod`, `command:./fix.sh`, `claude:opus`, `acp:goose acp`, `llm:gpt-5.6`, `script:parts/worker.yml`,
/// `shard`, `whole`, `ladder`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentRef {
    /// Structural rewrite by ast-grep rules, without a process.
    Codemod,
    /// Any program, run by `sh -c`.
    Command(String),
    /// A part written in a file, by the name under which the run holds its text.
    Script(String),
    /// Claude Code, without a screen.
    Claude {
        /// The model, as that program names it; none is its own choice.
        model: Option<String>,
    },
    /// Codex, without a screen.
    Codex {
        /// The model, as that program names it; none is its own choice.
        model: Option<String>,
    },
    /// Any agent that speaks the Agent Client Protocol, by the line for `sh -c` that starts it.
    Acp(String),
    /// artel's own loop over a model.
    Llm(ModelName),
    /// The deterministic planner.
    Shard,
    /// The planner that hands the whole goal out as one task.
    Whole,
    /// The mechanical judge.
    Ladder,
    /// The coordinator itself, when it takes a landed task back out.
    Revert,
}

impl Role {
    /// Lists what its sessions score as judges.
    pub fn scored(&self) -> Vec<Criterion> {
        if self.criteria.is_empty() { Criterion::usual() } else { self.criteria.clone() }
    }

    /// Lists the agents that plan or judge by a session of their own, in order of escalation.
    pub fn sessions(&self) -> impl Iterator<Item = &AgentRef> {
        self.agents.iter().filter(|agent| agent.is_session())
    }
}

impl AgentRef {
    /// Names the providers of models that it may ask, the likeliest first; none where it asks no model that artel knows of.
    pub fn providers(&self) -> Vec<&str> {
        match self {
            Self::Llm(name) => vec![name.provider()],
            Self::Claude { .. } => vec!["anthropic"],
            Self::Codex { .. } => vec!["openai"],
            Self::Acp(_) => vec!["anthropic", "openai", "gemini"],
            Self::Command(_)
            | Self::Script(_)
            | Self::Codemod
            | Self::Shard
            | Self::Whole
            | Self::Ladder
            | Self::Revert => Vec::new(),
        }
    }

    /// Names the model that it asks, after whose it is; none where artel does not know which that is.
    pub fn model(&self) -> Option<(&str, &str)> {
        match self {
            Self::Llm(name) => Some((name.provider(), name.model())),
            Self::Claude { model } => Some(("anthropic", model.as_deref()?)),
            Self::Codex { model } => Some(("openai", model.as_deref()?)),
            Self::Acp(_)
            | Self::Command(_)
            | Self::Script(_)
            | Self::Codemod
            | Self::Shard
            | Self::Whole
            | Self::Ladder
            | Self::Revert => None,
        }
    }

    /// Tells whether it plans or judges in a session of its own, and not by rule.
    pub fn is_session(&self) -> bool {
        match self {
            Self::Command(_) | Self::Claude { .. } | Self::Codex { .. } | Self::Acp(_) | Self::Llm(_) => true,
            Self::Codemod | Self::Script(_) | Self::Shard | Self::Whole | Self::Ladder | Self::Revert => false,
        }
    }

    /// Names whose limits the agent meets: those of one program meet the same, whatever model they ask.
    pub fn account(&self) -> String {
        match self {
            Self::Claude { .. } => "claude".to_owned(),
            Self::Codex { .. } => "codex".to_owned(),
            Self::Llm(name) => format!("llm:{}", name.provider()),
            Self::Codemod
            | Self::Command(_)
            | Self::Script(_)
            | Self::Acp(_)
            | Self::Shard
            | Self::Whole
            | Self::Ladder
            | Self::Revert => self.to_string(),
        }
    }
}

/// Says that a text names no agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no agent: use codemod, command:PROGRAM, claude, claude:MODEL, codex, codex:MODEL, acp:PROGRAM, \
     llm:MODEL, llm:PROVIDER::MODEL, script:FILE, shard, whole or ladder"
)]
pub struct NoSuchAgent(String);

impl FromStr for AgentRef {
    type Err = NoSuchAgent;
    fn from_str(text: &str) -> Result<Self, NoSuchAgent> {
        match text.split_once(':') {
            None if text == "codemod" => Ok(Self::Codemod),
            None if text == "shard" => Ok(Self::Shard),
            None if text == "whole" => Ok(Self::Whole),
            None if text == "ladder" => Ok(Self::Ladder),
            None if text == "revert" => Ok(Self::Revert),
            None if text == "claude" => Ok(Self::Claude { model: None }),
            None if text == "codex" => Ok(Self::Codex { model: None }),
            Some(("claude", model)) if is_model(model) => Ok(Self::Claude { model: Some(model.to_owned()) }),
            Some(("codex", model)) if is_model(model) => Ok(Self::Codex { model: Some(model.to_owned()) }),
            Some(("acp", line)) if !line.trim().is_empty() => Ok(Self::Acp(line.to_owned())),
            Some(("llm", model)) => model.parse().map(Self::Llm).map_err(|_| NoSuchAgent(text.to_owned())),
            Some(("command", line)) if !line.trim().is_empty() => Ok(Self::Command(line.to_owned())),
            Some(("script", file)) if !file.trim().is_empty() => Ok(Self::Script(file.to_owned())),
            _ => Err(NoSuchAgent(text.to_owned())),
        }
    }
}

/// Tells whether a text can name a model: one word that no program takes for an option.
fn is_model(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

impl fmt::Display for AgentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codemod => f.write_str("codemod"),
            Self::Command(line) => write!(f, "command:{line}"),
            Self::Script(file) => write!(f, "script:{file}"),
            Self::Claude { model: None } => f.write_str("claude"),
            Self::Claude { model: Some(model) } => write!(f, "claude:{model}"),
            Self::Codex { model: None } => f.write_str("codex"),
            Self::Codex { model: Some(model) } => write!(f, "codex:{model}"),
            Self::Acp(line) => write!(f, "acp:{line}"),
            Self::Llm(name) => write!(f, "llm:{name}"),
            Self::Shard => f.write_str("shard"),
            Self::Whole => f.write_str("whole"),
            Self::Ladder => f.write_str("ladder"),
            Self::Revert => f.write_str("revert"),
        }
    }
}

impl Serialize for AgentRef {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AgentRef {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for AgentRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AgentRef".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(codemod|shard|whole|ladder|command:.+|script:.+|claude(:\\S+)?|codex(:\\S+)?|acp:.+|llm:\\S+)$",
            "examples": ["codemod", "command:./fix.sh", "claude", "codex:gpt-5-codex", "acp:goose acp", "llm:claude-sonnet-5", "script:parts/worker.yml", "shard", "whole", "ladder"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_an_agent_is_written_as_it_was_read() {
        for text in [
            "codemod",
            "command:./fix.sh a:b",
            "script:parts/worker.yml",
            "claude",
            "claude:opus",
            "claude:us.anthropic.claude-opus-5-5-v1:0",
            "codex",
            "codex:gpt-5-codex",
            "acp:goose acp",
            "acp:npx -y @agentclientprotocol/codex-acp",
            "llm:claude-opus-5-5",
            "llm:openai/chat::gpt-4.1",
            "shard",
            "whole",
            "ladder",
        ] {
            assert_eq!(text.parse::<AgentRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn agents_of_one_program_meet_the_same_limits() {
        let account = |text: &str| text.parse::<AgentRef>().unwrap().account();
        assert_eq!(account("claude:opus"), account("claude"));
        assert_ne!(account("claude"), account("codex"));
        assert_eq!(account("llm:claude-opus-5-5"), account("llm:anthropic::claude-sonnet-5"));
        assert_ne!(account("llm:claude-opus-5-5"), account("llm:gpt-5.6"));
        assert_ne!(account("acp:goose acp"), account("acp:gemini --acp"), "who they ask is not known");
    }

    #[test]
    fn a_model_is_one_word_and_no_option() {
        assert_eq!("claude:opus".parse(), Ok(AgentRef::Claude { model: Some("opus".to_owned()) }));
        for text in ["claude:", "claude:--resume", "codex: ", "codex:a b", "acp:", "acp: ", "acp", "Claude", "claude\n"]
        {
            let error = text.parse::<AgentRef>().unwrap_err();
            assert!(error.to_string().contains("acp:PROGRAM"), "{error}");
        }
    }
}
