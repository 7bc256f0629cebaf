//! Owns the reading of logins that agents keep by themselves, as far as a session may have them: what asks models for some
//! hours, and never what renews it. Writes none back.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::io::process::read_small;
use crate::model::login::{Field, Given, Holds, Kept, OwnLogin, login_by};
use crate::model::role::AgentRef;

/// Longest file that holds a login, in bytes.
const BYTES_MOST: u64 = 1 << 20;

/// A login is not begun with that ends sooner, in milliseconds.
const LEAST_MS: i64 = 5 * 60_000;

/// The variable from which a session writes the file that it is given its login in.
const FILE_VARIABLE: &str = "ARTEL_LOGIN_TOKEN";

/// Holds what an agent's session is let log in by.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    own: OwnLogin,
    value: String,
    /// The secret parts of it.
    secrets: Vec<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("agent", &self.own.agent).finish_non_exhaustive()
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
    /// There is no token, and of what the agent keeps by itself none could be given.
    #[error(
        "find the login of {agent}: artel was started without {variable}, and nothing that {agent} keeps by itself is given \
             to a session; `artel stop`, then `artel resume` with a token for this in it"
    )]
    NoToken {
        /// The agent.
        agent: &'static str,
        /// The variable that would hold it.
        variable: &'static str,
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
        login_by(agent).map(|own| Self::of(own, env, now_ms)).transpose()
    }

    /// Tells whether an agent seems to keep a login in the environment that artel was started in; looks into none.
    pub fn is_kept(agent: &AgentRef, env: &BTreeMap<String, String>) -> bool {
        let Some(own) = login_by(agent) else { return false };
        let is_set = own.token.and_then(|name| env.get(name)).is_some_and(|token| !token.trim().is_empty());
        is_set || own.kept.is_some_and(|kept| place_of(env, &kept).is_file())
    }

    fn of(own: OwnLogin, env: &BTreeMap<String, String>, now_ms: i64) -> Result<Self, LoginError> {
        let agent = own.agent;
        let made = own.token.and_then(|name| env.get(name)).map(|token| token.trim()).filter(|token| !token.is_empty());
        if let Some(token) = made {
            return Ok(Self { own, value: token.to_owned(), secrets: vec![token.to_owned()] });
        }
        let Some(kept) = own.kept else {
            return Err(LoginError::NoToken { agent, variable: own.token.unwrap_or_default() });
        };
        let (place, value) = read(env, agent, &kept)?;
        let token = value.pointer(kept.token).and_then(Value::as_str).filter(|token| !token.is_empty());
        let Some(token) = token else {
            return Err(LoginError::Missing { agent, place });
        };
        let ends_ms = ends_ms(&kept, &value, token).unwrap_or(i64::MAX);
        if ends_ms <= now_ms.saturating_add(LEAST_MS) {
            return Err(LoginError::Over { agent });
        }
        match own.given {
            Given::Token(_) => Ok(Self { own, value: token.to_owned(), secrets: vec![token.to_owned()] }),
            Given::Text(_, fields) | Given::File(_, fields) => {
                let (value, secrets) = given(fields, &value, now_ms).ok_or(LoginError::Missing { agent, place })?;
                Ok(Self { own, value: value.to_string(), secrets })
            }
        }
    }

    /// Gives the variables in which a session finds it.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let name = match self.own.given {
            Given::Token(name) | Given::Text(name, _) => name,
            Given::File(..) => FILE_VARIABLE,
        };
        let beside = self.own.beside.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        beside.chain([(name.to_owned(), self.value.clone())]).collect()
    }

    /// Names the file below the desk that the session is to write it in by [`Self::written_to`], where it is to.
    pub(super) fn file(&self) -> Option<&'static str> {
        match self.own.given {
            Given::File(place, _) => Some(place),
            Given::Token(_) | Given::Text(..) => None,
        }
    }

    /// Says to a shell how it comes from its variable into a file, given as a word of the shell, in a folder that is there.
    pub(super) fn written_to(place: &str) -> String {
        format!("(umask 077; printf %s \"${FILE_VARIABLE}\" > {place}) && unset {FILE_VARIABLE} && ")
    }

    /// Lists its secret parts, each under a name that says so.
    pub fn secrets(&self) -> impl Iterator<Item = (String, String)> {
        let name = |number| format!("{}_SECRET_{number}", self.own.agent);
        self.secrets.iter().enumerate().map(move |(number, secret)| (name(number), secret.clone()))
    }
}

/// Names the file in which an agent keeps its login, below a folder that a variable names or that lies in the home.
fn place_of(env: &BTreeMap<String, String>, kept: &Kept) -> PathBuf {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (variable, below) = kept.elsewhere;
    let elsewhere = set(variable).map(|folder| folder.join(below));
    let folder = elsewhere.or_else(|| Some(set("HOME")?.join(kept.folder)));
    folder.unwrap_or_else(|| PathBuf::from(kept.folder)).join(kept.file)
}

/// Reads that file.
fn read(env: &BTreeMap<String, String>, agent: &'static str, kept: &Kept) -> Result<(PathBuf, Value), LoginError> {
    let place = place_of(env, kept);
    // The user's own, which may lie elsewhere.
    let real = place.canonicalize().unwrap_or_else(|_| place.clone());
    match read_small(&real, BYTES_MOST) {
        Ok(Some(bytes)) => Ok((place, serde_json::from_slice(&bytes).unwrap_or_default())),
        Ok(None) => Err(LoginError::Missing { agent, place }),
        Err(source) => Err(LoginError::Unreadable { agent, place, source }),
    }
}

/// Tells when a token ends, by what stands beside it and by itself, whichever is sooner; nothing where neither says so.
fn ends_ms(kept: &Kept, value: &Value, token: &str) -> Option<i64> {
    let told = kept.ends.and_then(|place| value.pointer(place)).and_then(|ends| match ends {
        // Some count in fractions.
        Value::Number(ends) => ends.as_i64().or_else(|| ends.as_f64().map(|ends| ends as i64)),
        Value::String(ends) => ends.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    });
    [told, own_end_ms(token)].into_iter().flatten().min()
}

/// Tells when a token ends by itself: a JSON Web Token holds it, unsealed.
fn own_end_ms(token: &str) -> Option<i64> {
    let claims = token.split('.').nth(1).filter(|_| token.split('.').count() == 3)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims["exp"].as_i64()?.checked_mul(1000)
}

/// Makes what a session is given, with the secrets in it; nothing where one of them is not there.
fn given(fields: &[Field], kept: &Value, now_ms: i64) -> Option<(Value, Vec<String>)> {
    let (mut all, mut secrets) = (json!({}), Vec::new());
    for Field(place, holds) in fields {
        let value = match holds {
            Holds::Secret => {
                let secret = kept.pointer(place)?.as_str().filter(|secret| !secret.is_empty())?;
                secrets.push(secret.to_owned());
                Value::from(secret)
            }
            Holds::Kept => kept.pointer(place).cloned().unwrap_or_default(),
            Holds::Words(words) => Value::from(*words),
            Holds::Nothing => Value::Null,
            Holds::Now => jiff::Timestamp::from_millisecond(now_ms).map(|at| at.to_string()).unwrap_or_default().into(),
        };
        let mut at = &mut all;
        for name in place.split('/').skip(1) {
            at = &mut at[name];
        }
        *at = value;
    }
    Some((all, secrets))
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
        let named = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(claude.variables(), named("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat-1"));
        let kept = json!({"OPENAI_API_KEY": "sk-1", "tokens": {"id_token": "id-1", "access_token": "at-1", "refresh_token": "rt-1", "account_id": "a"}, "last_refresh": "2020-01-01T00:00:00Z"});
        std::fs::write(dir.path().join(".codex/auth.json"), kept.to_string()).unwrap();
        let codex = login("codex", &env).unwrap().unwrap();
        assert_eq!((codex.file(), claude.file()), (Some("codex/auth.json"), None));
        let value: Value = serde_json::from_str(&codex.variables()["ARTEL_LOGIN_TOKEN"]).unwrap();
        assert_eq!((&value["tokens"]["access_token"], &value["tokens"]["refresh_token"]), (&json!("at-1"), &json!("")));
        assert_eq!((&value["OPENAI_API_KEY"], &value["tokens"]["account_id"]), (&Value::Null, &json!("a")));
        assert!(value["last_refresh"].as_str().unwrap().starts_with("2026-"));
        for login in [claude, codex] {
            assert!(!login.value.contains("rt-1") && !login.value.contains("ort-1"));
            let shown = format!("{login:?}");
            assert!(login.secrets().all(|(_, secret)| login.value.contains(&secret) && !shown.contains(&secret)));
        }
        for none in ["acp:vibe-acp", "acp:codex --acp", "llm:claude-opus-5-5", "command:claude"] {
            assert!(login(none, &env).unwrap().is_none(), "{none}");
        }
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

    /// Has a user keep something in a file of the home.
    fn keep(dir: &tempfile::TempDir, file: &str, kept: &Value) {
        let file = dir.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, kept.to_string()).unwrap();
    }

    /// The files are as the programs' own code writes them: @google/gemini-cli 0.61.0, goose 1.52.0, opencode 1.18.33.
    #[test]
    fn of_those_that_speak_the_protocol_each_is_given_what_its_program_reads() {
        let (dir, mut env) = home();
        let ends = "2026-12-31T00:00:00Z";
        let ends_ms = ends.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        keep(
            &dir,
            ".gemini/oauth_creds.json",
            &json!({"access_token": "ya29.at", "refresh_token": "1//rt", "scope": "s", "token_type": "Bearer", "id_token": "id", "expiry_date": ends_ms}),
        );
        let gemini = login("acp:gemini --acp", &env).unwrap().unwrap();
        let told = [("GOOGLE_CLOUD_ACCESS_TOKEN", "ya29.at"), ("GOOGLE_GENAI_USE_GCA", "true")];
        assert_eq!(gemini.variables(), told.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        keep(
            &dir,
            ".config/goose/chatgpt_codex/tokens.json",
            &json!({"access_token": "at", "refresh_token": "rt", "id_token": "id", "expires_at": ends, "account_id": "a"}),
        );
        let goose = login("acp:goose acp", &env).unwrap().unwrap();
        let value: Value = serde_json::from_str(&goose.value).unwrap();
        assert_eq!(value, json!({"access_token": "at", "refresh_token": "", "expires_at": ends, "account_id": "a"}));
        assert_eq!(goose.file(), Some("home/.config/goose/chatgpt_codex/tokens.json"));
        let own = json!({"type": "oauth", "access": "at", "refresh": "rt", "expires": ends_ms, "accountId": "a"});
        let other = json!({"type": "oauth", "access": "gho", "refresh": "gho", "expires": 0});
        let kept = json!({"openai": own, "github-copilot": other, "anthropic": {"type": "api", "key": "sk-1"}});
        keep(&dir, ".local/share/opencode/auth.json", &kept);
        let opencode = login("acp:opencode acp", &env).unwrap().unwrap();
        let value: Value = serde_json::from_str(&opencode.variables()["OPENCODE_AUTH_CONTENT"]).unwrap();
        let given = json!({"type": "oauth", "access": "at", "refresh": "", "expires": ends_ms, "accountId": "a"});
        assert_eq!(value, json!({"openai": given}), "none of the others is given");
        env.insert("XDG_DATA_HOME".to_owned(), dir.path().join("elsewhere").display().to_string());
        let told = login("acp:opencode acp", &env).unwrap_err().to_string();
        assert!(told.contains("elsewhere/opencode/auth.json holds none"), "{told}");
        for login in [gemini, goose, opencode] {
            let secrets: Vec<String> = login.secrets().map(|(_, secret)| secret).collect();
            assert!(!secrets.is_empty() && secrets.iter().all(|secret| login.value.contains(secret)));
        }
    }

    #[test]
    fn of_copilot_only_a_token_that_was_made_for_it_is_given() {
        let (dir, mut env) = home();
        keep(&dir, ".copilot/config.json", &json!({"copilotTokens": {"https://github.com:ada": "gho_all"}}));
        env.insert("GH_TOKEN".to_owned(), "gho_all".to_owned());
        let told = login("acp:copilot --acp", &env).unwrap_err().to_string();
        assert!(told.contains("without COPILOT_GITHUB_TOKEN"), "{told}");
        env.insert("COPILOT_GITHUB_TOKEN".to_owned(), "github_pat_1\n".to_owned());
        let copilot = login("acp:copilot --acp", &env).unwrap().unwrap();
        let told = BTreeMap::from([("COPILOT_GITHUB_TOKEN".to_owned(), "github_pat_1".to_owned())]);
        assert_eq!(copilot.variables(), told);
    }

    #[test]
    fn a_login_that_nearly_ends_is_over_whoever_says_so() {
        let (dir, env) = home();
        let soon = jiff::Timestamp::from_millisecond(NOW_MS + 60_000).unwrap();
        let claims = URL_SAFE_NO_PAD.encode(json!({"exp": soon.as_second()}).to_string());
        let token = format!("e30.{claims}.c2ln");
        keep(&dir, ".gemini/oauth_creds.json", &json!({"access_token": "at", "expiry_date": soon.as_millisecond()}));
        keep(
            &dir,
            ".config/goose/chatgpt_codex/tokens.json",
            &json!({"access_token": "at", "refresh_token": "rt", "expires_at": soon.to_string()}),
        );
        let openai = json!({"type": "oauth", "access": token, "refresh": "rt", "expires": NOW_MS + 3_600_000});
        keep(&dir, ".local/share/opencode/auth.json", &json!({"openai": openai}));
        keep(&dir, ".codex/auth.json", &json!({"tokens": {"id_token": "id", "access_token": token}}));
        for agent in ["acp:gemini --acp", "acp:goose acp", "acp:opencode acp", "codex"] {
            let told = login(agent, &env).unwrap_err();
            assert!(matches!(told, LoginError::Over { .. }), "{agent}: {told}");
        }
    }
}
