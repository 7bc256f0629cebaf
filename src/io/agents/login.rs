//! Owns the reading of logins that agents keep by themselves, as far as a session may have them: what asks models for some
//! hours, and never what renews it. Writes none back.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::io::process::read_small;
use crate::model::role::AgentRef;

/// Longest file that holds a login, in bytes.
const BYTES_MOST: u64 = 1 << 20;

/// A login is not begun with that ends sooner, in milliseconds.
const LEAST_MS: i64 = 5 * 60_000;

/// Holds what an agent's session is let log in by.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    variable: &'static str,
    value: String,
    /// The secret parts of it.
    secrets: Vec<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("variable", &self.variable).finish_non_exhaustive()
    }
}

/// Says why an agent has no login that it could be let use.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is none.
    #[error("find the login of {agent}: {} holds none; log in with `{agent}` once by yourself", place.display())]
    Missing {
        /// The agent.
        agent: &'static str,
        /// Where it would be.
        place: PathBuf,
    },
    /// The file that holds it cannot be read.
    #[error("read the login of {agent} in {}", place.display())]
    Unreadable {
        /// The agent.
        agent: &'static str,
        /// The file.
        place: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is over, or nearly.
    #[error(
        "use the login of {agent}: it has ended, or ends within minutes; start `{agent}` once by yourself, which renews it, \
             then `artel retry TASK`"
    )]
    Over {
        /// The agent.
        agent: &'static str,
    },
}

impl Login {
    /// Reads the login that an agent keeps, in the environment that artel was started in; none where the agent has none.
    ///
    /// # Errors
    /// Where it is not there, cannot be read, or is over at that time.
    pub fn read(agent: &AgentRef, env: &BTreeMap<String, String>, now_ms: i64) -> Result<Option<Self>, LoginError> {
        match agent {
            AgentRef::Claude { .. } => claude(env, now_ms).map(Some),
            AgentRef::Codex { .. } => codex(env, now_ms).map(Some),
            AgentRef::Codemod
            | AgentRef::Command(_)
            | AgentRef::Script(_)
            | AgentRef::Acp(_)
            | AgentRef::Llm(_)
            | AgentRef::Shard
            | AgentRef::Whole
            | AgentRef::Ladder
            | AgentRef::Revert => Ok(None),
        }
    }

    /// The files below a desk in which sessions keep such logins while they run.
    pub const FILES: [&str; 1] = ["codex/auth.json"];

    /// Gives the variable in which a session finds it.
    pub(super) fn variable(&self) -> (String, String) {
        (self.variable.to_owned(), self.value.clone())
    }

    /// Lists its secret parts, each under a name that says so.
    pub fn secrets(&self) -> impl Iterator<Item = (String, String)> {
        let name = |number| format!("{}_SECRET_{number}", self.variable);
        self.secrets.iter().enumerate().map(move |(number, secret)| (name(number), secret.clone()))
    }
}

/// The variable by which Claude Code is told a token: also the one that `claude setup-token` makes, which lasts a year.
const CLAUDE: &str = "CLAUDE_CODE_OAUTH_TOKEN";

/// The variable from which Codex's file is written.
pub(super) const CODEX: &str = "ARTEL_LOGIN_TOKEN";

fn claude(env: &BTreeMap<String, String>, now_ms: i64) -> Result<Login, LoginError> {
    const AGENT: &str = "claude";
    if let Some(token) = env.get(CLAUDE).filter(|token| !token.trim().is_empty()) {
        return Ok(Login { variable: CLAUDE, value: token.clone(), secrets: vec![token.clone()] });
    }
    let (place, kept) = read(env, AGENT, ("CLAUDE_CONFIG_DIR", ".claude"), ".credentials.json")?;
    let login = &kept["claudeAiOauth"];
    let token = login["accessToken"].as_str().ok_or(LoginError::Missing { agent: AGENT, place })?;
    let ends_ms = login["expiresAt"].as_i64().unwrap_or(i64::MAX);
    if ends_ms <= now_ms.saturating_add(LEAST_MS) {
        return Err(LoginError::Over { agent: AGENT });
    }
    Ok(Login { variable: CLAUDE, value: token.to_owned(), secrets: vec![token.to_owned()] })
}

fn codex(env: &BTreeMap<String, String>, now_ms: i64) -> Result<Login, LoginError> {
    const AGENT: &str = "codex";
    let (place, kept) = read(env, AGENT, ("CODEX_HOME", ".codex"), "auth.json")?;
    let text = |name: &str| kept["tokens"][name].as_str();
    let (Some(access), Some(id)) = (text("access_token"), text("id_token")) else {
        return Err(LoginError::Missing { agent: AGENT, place });
    };
    let at = jiff::Timestamp::from_millisecond(now_ms).map(|at| at.to_string()).unwrap_or_default();
    // As of this moment, so that nobody tries to renew it: what would is left out.
    let value = json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {"id_token": id, "access_token": access, "refresh_token": "", "account_id": text("account_id")},
        "last_refresh": at,
    });
    Ok(Login { variable: CODEX, value: value.to_string(), secrets: vec![access.to_owned(), id.to_owned()] })
}

/// Reads the file in which an agent keeps its login, below a folder that a variable names or that lies in the home.
fn read(
    env: &BTreeMap<String, String>,
    agent: &'static str,
    (variable, below): (&str, &str),
    name: &str,
) -> Result<(PathBuf, Value), LoginError> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set(variable).or_else(|| Some(set("HOME")?.join(below))).unwrap_or_else(|| PathBuf::from(below));
    let place = folder.join(name);
    match read_small(&place, BYTES_MOST) {
        Ok(Some(bytes)) => Ok((place, serde_json::from_slice(&bytes).unwrap_or_default())),
        Ok(None) => Err(LoginError::Missing { agent, place }),
        Err(source) => Err(LoginError::Unreadable { agent, place, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_790_000_000_000;

    fn home() -> (tempfile::TempDir, BTreeMap<String, String>) {
        let dir = tempfile::tempdir().unwrap();
        let env = BTreeMap::from([("HOME".to_owned(), dir.path().display().to_string())]);
        std::fs::create_dir_all(dir.path().join(".claude")).unwrap();
        std::fs::create_dir_all(dir.path().join(".codex")).unwrap();
        (dir, env)
    }

    fn login(name: &str, env: &BTreeMap<String, String>) -> Result<Option<Login>, LoginError> {
        Login::read(&name.parse().unwrap(), env, NOW_MS)
    }

    #[test]
    fn what_renews_a_login_is_never_part_of_it() {
        let (dir, env) = home();
        let kept = json!({"claudeAiOauth": {"accessToken": "sk-ant-oat-1", "refreshToken": "sk-ant-ort-1", "expiresAt": NOW_MS + 3_600_000}});
        std::fs::write(dir.path().join(".claude/.credentials.json"), kept.to_string()).unwrap();
        let claude = login("claude:opus", &env).unwrap().unwrap();
        assert_eq!(claude.variable(), ("CLAUDE_CODE_OAUTH_TOKEN".to_owned(), "sk-ant-oat-1".to_owned()));
        let kept = json!({"OPENAI_API_KEY": "sk-1", "tokens": {"id_token": "id-1", "access_token": "at-1", "refresh_token": "rt-1", "account_id": "a"}, "last_refresh": "2020-01-01T00:00:00Z"});
        std::fs::write(dir.path().join(".codex/auth.json"), kept.to_string()).unwrap();
        let codex = login("codex", &env).unwrap().unwrap();
        let (_, value) = codex.variable();
        let value: Value = serde_json::from_str(&value).unwrap();
        assert_eq!((&value["tokens"]["access_token"], &value["tokens"]["refresh_token"]), (&json!("at-1"), &json!("")));
        assert_eq!((&value["OPENAI_API_KEY"], &value["tokens"]["account_id"]), (&Value::Null, &json!("a")));
        assert!(value["last_refresh"].as_str().unwrap().starts_with("2026-"));
        for login in [claude, codex] {
            assert!(!login.value.contains("rt-1") && !login.value.contains("ort-1"));
            let shown = format!("{login:?}");
            assert!(login.secrets().all(|(_, secret)| login.value.contains(&secret) && !shown.contains(&secret)));
        }
        assert!(login("acp:goose acp", &env).unwrap().is_none());
    }

    #[test]
    fn a_token_that_was_made_for_this_is_used_before_any_file() {
        let (_dir, mut env) = home();
        env.insert("CLAUDE_CODE_OAUTH_TOKEN".to_owned(), "sk-ant-oat-year".to_owned());
        assert_eq!(login("claude", &env).unwrap().unwrap().value, "sk-ant-oat-year");
    }

    #[test]
    fn a_login_that_is_not_there_or_over_is_told_with_what_to_do() {
        let (dir, env) = home();
        let told = |name: &str| login(name, &env).unwrap_err().to_string();
        assert!(told("claude").contains("log in with `claude`") && told("codex").contains("log in with `codex`"));
        for (kept, words) in [
            (json!({"claudeAiOauth": {"accessToken": "a", "expiresAt": NOW_MS + 60_000}}), "renews it"),
            (json!({"claudeAiOauth": {"accessToken": "a", "expiresAt": 0}}), "renews it"),
            (json!({"claudeAiOauth": {"accessToken": 7}}), "holds none"),
            (json!("garbage"), "holds none"),
        ] {
            std::fs::write(dir.path().join(".claude/.credentials.json"), kept.to_string()).unwrap();
            assert!(told("claude").contains(words), "{kept}");
        }
        std::fs::write(dir.path().join(".codex/auth.json"), json!({"OPENAI_API_KEY": "sk-1"}).to_string()).unwrap();
        assert!(told("codex").contains("holds none"), "a key is for the gateway");
    }
}
