//! Owns which agents can be let use a login of their own: where each keeps it, what of it a session is given and how, and
//! which hosts that leads to. Never reads one.

use std::collections::BTreeSet;

use super::role::{AgentRef, Grants};

/// Describes the login that an agent keeps by itself. Never what renews it: that has no place here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLogin {
    /// The agent, as roles name it without its model; of those that speak the protocol, the program that the line begins with.
    pub agent: &'static str,
    /// How roles name it.
    pub named: Named,
    /// The hosts that it asks its models at, and those that it must ask before.
    pub hosts: &'static [&'static str],
    /// The variable of artel's own environment that holds a token which was made for this; it goes before any file.
    pub token: Option<&'static str>,
    /// Where it keeps its login; nothing where that could do more than ask models, or is in no file.
    pub kept: Option<Kept>,
    /// How a session is given it.
    pub given: Given,
    /// What its session is told beside it, by variables.
    pub beside: &'static [(&'static str, &'static str)],
}

/// Says how roles name an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// By its name.
    Plainly,
    /// By `acp:` and a line that begins with its program.
    ByLine,
}

/// Says where an agent keeps its login, and where the parts of that stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The variable that names another folder than the one below the home, and what the file lies below there.
    pub elsewhere: (&'static str, &'static str),
    /// Its folder below the home.
    pub folder: &'static str,
    /// The file in that folder.
    pub file: &'static str,
    /// What models are asked by, as a JSON pointer.
    pub token: &'static str,
    /// When that ends, as a JSON pointer to milliseconds since 1970 or to a time in RFC 3339. A token that says it by itself
    /// is believed too.
    pub ends: Option<&'static str>,
}

/// Says how a session is given a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// As the token alone, in a variable.
    Token(&'static str),
    /// As an object of these fields, in a variable.
    Text(&'static str, &'static [Field]),
    /// As an object of these fields, in a file of its desk.
    File(&'static str, &'static [Field]),
}

/// A field of what a session is given, by its JSON pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(pub &'static str, pub Holds);

/// Says what a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The secret that stands there in what the agent keeps: without it there is no login.
    Secret,
    /// What stands there in what the agent keeps, or nothing.
    Kept,
    /// These words.
    Words(&'static str),
    /// Nothing.
    Nothing,
    /// The time at which it is given.
    Now,
}

/// The logins that a role may grant: what each agent's own program reads, in the version that is named.
pub const LOGINS: [OwnLogin; 6] = [CLAUDE, CODEX, COPILOT, GEMINI, GOOSE, OPENCODE];

/// Claude Code 2.1.330; the variable is also what `claude setup-token` makes, which lasts a year.
const CLAUDE: OwnLogin = OwnLogin {
    agent: "claude",
    named: Named::Plainly,
    hosts: &["api.anthropic.com"],
    token: Some("CLAUDE_CODE_OAUTH_TOKEN"),
    kept: Some(Kept {
        elsewhere: ("CLAUDE_CONFIG_DIR", ""),
        folder: ".claude",
        file: ".credentials.json",
        token: "/claudeAiOauth/accessToken",
        ends: Some("/claudeAiOauth/expiresAt"),
    }),
    given: Given::Token("CLAUDE_CODE_OAUTH_TOKEN"),
    beside: &[],
};

/// Codex 0.169.0. As of the moment at which it is given, so that nobody tries to renew it.
const CODEX: OwnLogin = OwnLogin {
    agent: "codex",
    named: Named::Plainly,
    hosts: &["chatgpt.com", "api.openai.com"],
    token: None,
    kept: Some(Kept {
        elsewhere: ("CODEX_HOME", ""),
        folder: ".codex",
        file: "auth.json",
        token: "/tokens/access_token",
        ends: None,
    }),
    given: Given::File(
        "codex/auth.json",
        &[
            Field("/auth_mode", Holds::Words("chatgpt")),
            Field("/OPENAI_API_KEY", Holds::Nothing),
            Field("/tokens/id_token", Holds::Secret),
            Field("/tokens/access_token", Holds::Secret),
            Field("/tokens/refresh_token", Holds::Words("")),
            Field("/tokens/account_id", Holds::Kept),
            Field("/last_refresh", Holds::Now),
        ],
    ),
    beside: &[],
};

/// @github/copilot 1.0.102. What it keeps by itself opens repositories too and never ends, and so is not given; a token in
/// this variable can be made to do nothing else than ask its models.
const COPILOT: OwnLogin = OwnLogin {
    agent: "copilot",
    named: Named::ByLine,
    hosts: &[
        "api.github.com",
        "api.githubcopilot.com",
        "api.individual.githubcopilot.com",
        "api.business.githubcopilot.com",
        "api.enterprise.githubcopilot.com",
    ],
    token: Some("COPILOT_GITHUB_TOKEN"),
    kept: None,
    given: Given::Token("COPILOT_GITHUB_TOKEN"),
    beside: &[],
};

/// @google/gemini-cli 0.61.0, which takes a token that it cannot renew by these two variables.
const GEMINI: OwnLogin = OwnLogin {
    agent: "gemini",
    named: Named::ByLine,
    hosts: &["cloudcode-pa.googleapis.com"],
    token: Some("GOOGLE_CLOUD_ACCESS_TOKEN"),
    kept: Some(Kept {
        elsewhere: ("GEMINI_CLI_HOME", ".gemini"),
        folder: ".gemini",
        file: "oauth_creds.json",
        token: "/access_token",
        ends: Some("/expiry_date"),
    }),
    given: Given::Token("GOOGLE_CLOUD_ACCESS_TOKEN"),
    beside: &[("GOOGLE_GENAI_USE_GCA", "true")],
};

/// goose 1.52.0, where its provider is `chatgpt_codex`.
const GOOSE: OwnLogin = OwnLogin {
    agent: "goose",
    named: Named::ByLine,
    hosts: &["chatgpt.com"],
    token: None,
    kept: Some(Kept {
        elsewhere: ("XDG_CONFIG_HOME", "goose/chatgpt_codex"),
        folder: ".config/goose/chatgpt_codex",
        file: "tokens.json",
        token: "/access_token",
        ends: Some("/expires_at"),
    }),
    given: Given::File(
        "home/.config/goose/chatgpt_codex/tokens.json",
        &[
            Field("/access_token", Holds::Secret),
            Field("/refresh_token", Holds::Words("")),
            Field("/expires_at", Holds::Kept),
            Field("/account_id", Holds::Kept),
        ],
    ),
    beside: &[],
};

/// opencode 1.18.33, for models of its provider `openai`: of its logins the one with ChatGPT, which ends by itself.
const OPENCODE: OwnLogin = OwnLogin {
    agent: "opencode",
    named: Named::ByLine,
    hosts: &["chatgpt.com"],
    token: None,
    kept: Some(Kept {
        elsewhere: ("XDG_DATA_HOME", "opencode"),
        folder: ".local/share/opencode",
        file: "auth.json",
        token: "/openai/access",
        ends: Some("/openai/expires"),
    }),
    given: Given::Text(
        "OPENCODE_AUTH_CONTENT",
        &[
            Field("/openai/type", Holds::Words("oauth")),
            Field("/openai/access", Holds::Secret),
            Field("/openai/refresh", Holds::Words("")),
            Field("/openai/expires", Holds::Kept),
            Field("/openai/accountId", Holds::Kept),
        ],
    ),
    beside: &[],
};

/// Agents whose login a role may not grant, and why.
pub const UNGRANTED: [(&str, &str); 3] = [
    ("claude-agent-acp", "it works by the login of `claude`: name the agent `claude`, and grant that"),
    ("codex-acp", "it works by the login of `codex`: name the agent `codex`, and grant that"),
    ("qwen", "its provider has ended it on 2026-04-15: Qwen Code works by a key alone, through the gateway"),
];

/// What is said of a session whose spending only its agent tells.
pub const AS_TOLD: &str = "as told by the agent";

/// Finds the login that an agent has; none where it has none that could be granted.
pub fn login_by(agent: &AgentRef) -> Option<OwnLogin> {
    let (name, named) = match agent {
        AgentRef::Claude { .. } => ("claude", Named::Plainly),
        AgentRef::Codex { .. } => ("codex", Named::Plainly),
        AgentRef::Acp(line) => (program_of(line)?, Named::ByLine),
        AgentRef::Codemod
        | AgentRef::Command(_)
        | AgentRef::Script(_)
        | AgentRef::Llm(_)
        | AgentRef::Shard
        | AgentRef::Whole
        | AgentRef::Ladder
        | AgentRef::Revert => return None,
    };
    LOGINS.into_iter().find(|login| login.agent == name && login.named == named)
}

/// Names the program that a line for the shell begins with, past what it sets.
fn program_of(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| *word == "env" || word.contains('='));
    words.next()?.rsplit('/').next()
}

/// Names the files below a desk in which sessions keep logins while they run.
pub fn login_files() -> impl Iterator<Item = &'static str> {
    LOGINS.into_iter().filter_map(|login| match login.given {
        Given::File(place, _) => Some(place),
        Given::Token(_) | Given::Text(..) => None,
    })
}

impl Grants {
    /// Gives the login of its own that an agent is let use; none where none is granted, or it has none.
    pub fn login_of(&self, agent: &AgentRef) -> Option<OwnLogin> {
        login_by(agent).filter(|login| self.logins.contains(login.agent))
    }

    /// Lists the hosts that an agent may reach beside what is granted by name: those that its login leads to.
    pub fn hosts_of_login(&self, agent: &AgentRef) -> BTreeSet<String> {
        let hosts = self.login_of(agent).map(|login| login.hosts).unwrap_or_default();
        hosts.iter().map(|host| (*host).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::egress::is_host;
    use super::*;

    #[test]
    fn a_login_is_used_only_where_it_is_granted_and_leads_to_its_provider_alone() {
        let agent = |name: &str| name.parse::<AgentRef>().unwrap();
        let granted = Grants { logins: ["claude".to_owned()].into(), ..Grants::default() };
        assert_eq!(granted.login_of(&agent("claude:opus")).map(|login| login.agent), Some("claude"));
        assert_eq!(granted.hosts_of_login(&agent("claude")), ["api.anthropic.com".to_owned()].into());
        for name in
            ["codex", "llm:claude-opus-5-5", "acp:claude-agent-acp", "acp:claude --acp", "command:claude", "codemod"]
        {
            assert_eq!(granted.login_of(&agent(name)), None, "{name}");
            assert!(granted.hosts_of_login(&agent(name)).is_empty());
        }
        assert_eq!(Grants::default().login_of(&agent("claude")), None, "never by default");
        assert!(LOGINS.iter().flat_map(|login| login.hosts).all(|host| is_host(host)));
    }

    #[test]
    fn an_agent_that_speaks_the_protocol_is_known_by_the_program_of_its_line() {
        let by = |name: &str| login_by(&name.parse::<AgentRef>().unwrap()).map(|login| login.agent);
        assert_eq!(by("acp:gemini --acp"), Some("gemini"));
        assert_eq!(by("acp:env COPILOT_MODEL=gpt-4.1 copilot --acp"), Some("copilot"));
        assert_eq!(by("acp:GOOSE_PROVIDER=chatgpt_codex /opt/goose/bin/goose acp"), Some("goose"));
        for none in
            ["acp:node gemini", "acp:env A=b", "acp:codex --acp", "acp:qwen --acp", "command:gemini", "acp:gemini-x"]
        {
            assert_eq!(by(none), None, "{none}");
        }
    }

    #[test]
    fn what_renews_a_login_is_given_by_no_entry() {
        for login in LOGINS {
            let fields: &[Field] = match login.given {
                Given::Token(_) => &[],
                Given::Text(_, fields) | Given::File(_, fields) => fields,
            };
            for Field(place, holds) in fields.iter().filter(|Field(place, _)| place.contains("refresh")) {
                assert!(matches!(holds, Holds::Words("") | Holds::Now), "{}: {place}", login.agent);
            }
            let is_whole = matches!(login.given, Given::Token(_)) || login.token.is_none();
            assert!(is_whole, "{}: a token alone fills no fields", login.agent);
            assert!(login.token.is_some() || login.kept.is_some(), "{}: it is somewhere", login.agent);
            assert!(UNGRANTED.iter().all(|(name, _)| *name != login.agent));
        }
        assert_eq!(login_files().collect::<Vec<_>>(), ["codex/auth.json", GOOSE_FILE]);
    }

    const GOOSE_FILE: &str = "home/.config/goose/chatgpt_codex/tokens.json";
}
