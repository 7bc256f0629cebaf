//! Owns which agents can be let use a login of their own, and which hosts that leads to. Never reads one.

use std::collections::BTreeSet;

use super::role::{AgentRef, Grants};

/// Describes the login that an agent keeps by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLogin {
    /// The agent, as roles name it without its model.
    pub agent: &'static str,
    /// The hosts that it asks its models at.
    pub hosts: &'static [&'static str],
}

/// The logins that a role may grant.
pub const LOGINS: [OwnLogin; 2] = [
    OwnLogin { agent: "claude", hosts: &["api.anthropic.com"] },
    OwnLogin { agent: "codex", hosts: &["chatgpt.com", "api.openai.com"] },
];

/// What is said of a session whose spending only its agent tells.
pub const AS_TOLD: &str = "as told by the agent";

impl Grants {
    /// Gives the login of its own that an agent is let use; none where none is granted, or it has none.
    pub fn login_of(&self, agent: &AgentRef) -> Option<OwnLogin> {
        let name = match agent {
            AgentRef::Claude { .. } => "claude",
            AgentRef::Codex { .. } => "codex",
            AgentRef::Codemod
            | AgentRef::Command(_)
            | AgentRef::Script(_)
            | AgentRef::Acp(_)
            | AgentRef::Llm(_)
            | AgentRef::Shard
            | AgentRef::Whole
            | AgentRef::Ladder
            | AgentRef::Revert => return None,
        };
        LOGINS.into_iter().find(|login| login.agent == name && self.logins.contains(name))
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
        for name in ["codex", "llm:claude-opus-5-5", "acp:claude-agent-acp", "command:claude", "codemod"] {
            assert_eq!(granted.login_of(&agent(name)), None, "{name}");
            assert!(granted.hosts_of_login(&agent(name)).is_empty());
        }
        assert_eq!(Grants::default().login_of(&agent("claude")), None, "never by default");
        assert!(LOGINS.iter().flat_map(|login| login.hosts).all(|host| is_host(host)));
    }
}
