//! Owns who may do what with a server: tokens that are made at its first start, links that log a browser in once, and who
//! is logged in. All of it lies in files of this user's alone; never shows a token by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{AppError, Place};
use crate::io::clock::Clock;
use crate::io::files::{StateDir, atomic_write, atomic_write_new, make_private};

/// How long a link logs in.
const LINK_MS: i64 = 15 * 60 * 1000;
/// How long who is logged in stays so.
const SESSION_MS: i64 = 30 * 24 * 3600 * 1000;
/// Links and sessions that are kept; the oldest go first.
const KEPT_AT_MOST: usize = 256;
/// Begins each secret, so that one that is found somewhere is known for what it is.
const PREFIX: &str = "artel-serve-";

/// Says what somebody may do with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Look.
    Viewer,
    /// Look, give their word at gates and on tasks, and steer.
    Approver,
    /// Everything: open, stop, resume and deliver runs, and raise budgets, too.
    Operator,
}

impl Standing {
    /// Lists all, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Approver, Self::Operator];

    /// Names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Standing {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL.into_iter().find(|standing| standing.word() == text);
        all.ok_or_else(|| format!("`{text}` is nobody: write viewer, approver or operator"))
    }
}

/// Knows the tokens, the links that still log in, and who is logged in.
pub struct Access {
    sessions_file: PathBuf,
    tokens: BTreeMap<Standing, String>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

/// Holds secrets by their hashes alone.
#[derive(Default)]
struct Held {
    links: BTreeMap<String, Kept>,
    sessions: BTreeMap<String, Kept>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    standing: Standing,
    until_ms: i64,
}

impl Access {
    /// Reads the tokens, or makes them where there are none.
    ///
    /// # Errors
    /// Where they cannot be read or made, or others may read them.
    pub fn open(place: &Place) -> Result<Self, AppError> {
        let dir = place.dir.serve_dir();
        make_private(&dir)?;
        let file = tokens_file(&place.dir);
        if !file.exists() {
            let drawn: Result<BTreeMap<Standing, String>, AppError> =
                Standing::ALL.into_iter().map(|standing| Ok((standing, draw()?))).collect();
            let text = toml::to_string(&drawn?).map_err(|error| unfit(&file, &error.to_string()))?;
            atomic_write_new(&file, text.as_bytes())?;
        }
        let tokens = read_tokens(&file)?;
        let sessions_file = dir.join("sessions.json");
        // Who cannot be known to be logged in logs in once more.
        let sessions = std::fs::read(&sessions_file).ok();
        let sessions = sessions.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let held = Mutex::new(Held { links: BTreeMap::new(), sessions });
        Ok(Self { sessions_file, tokens, clock: Arc::clone(&place.clock), held })
    }

    /// Tells whose token this is.
    pub fn of_token(&self, presented: &str) -> Option<Standing> {
        let mut found = None;
        for (standing, token) in &self.tokens {
            if bool::from(token.as_bytes().ct_eq(presented.as_bytes())) {
                found = Some(*standing);
            }
        }
        found
    }

    /// Makes a code that logs a browser in once.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub fn make_link(&self, standing: Standing) -> Result<String, AppError> {
        let code = draw()?;
        let kept = Kept { standing, until_ms: self.clock.now_ms() + LINK_MS };
        put(&mut self.held().links, hash(&code), kept);
        Ok(code)
    }

    /// Takes a code and gives the secret by which the browser is known from then on; nothing where the code was taken
    /// before, is too old or was never made.
    ///
    /// # Errors
    /// Where it cannot be noted who is logged in.
    pub fn log_in(&self, code: &str) -> Result<Option<String>, AppError> {
        let now_ms = self.clock.now_ms();
        let Some(link) = self.held().links.remove(&hash(code)).filter(|link| link.until_ms > now_ms) else {
            return Ok(None);
        };
        let secret = draw()?;
        let mut held = self.held();
        put(&mut held.sessions, hash(&secret), Kept { until_ms: now_ms + SESSION_MS, ..link });
        self.keep(&held)?;
        Ok(Some(secret))
    }

    /// Tells what who is logged in may do.
    pub fn of_session(&self, secret: &str) -> Option<Standing> {
        let now_ms = self.clock.now_ms();
        self.held().sessions.get(&hash(secret)).filter(|kept| kept.until_ms > now_ms).map(|kept| kept.standing)
    }

    /// Logs somebody out.
    ///
    /// # Errors
    /// Where that cannot be noted.
    pub fn log_out(&self, secret: &str) -> Result<(), AppError> {
        let mut held = self.held();
        held.sessions.remove(&hash(secret));
        self.keep(&held)
    }

    fn keep(&self, held: &Held) -> Result<(), AppError> {
        let text = serde_json::to_vec(&held.sessions);
        let text = text.map_err(|error| unfit(&self.sessions_file, &error.to_string()))?;
        Ok(atomic_write(&self.sessions_file, &text)?)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that panics is done under the lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one of the tokens, for who runs on the server's own machine as its user.
///
/// # Errors
/// Where there are none, or they cannot be read.
pub fn read_token(place: &Place, standing: Standing) -> Result<String, AppError> {
    let file = tokens_file(&place.dir);
    let mut tokens = read_tokens(&file)?;
    tokens.remove(&standing).ok_or_else(|| unfit(&file, &format!("it holds no token for `{standing}`")))
}

fn tokens_file(dir: &StateDir) -> PathBuf {
    dir.serve_dir().join("tokens.toml")
}

fn read_tokens(file: &Path) -> Result<BTreeMap<Standing, String>, AppError> {
    let unread = |source| AppError::Read { what: "the server's tokens", path: file.to_owned(), source };
    if std::fs::metadata(file).map_err(unread)?.permissions().mode() & 0o077 != 0 {
        return Err(unfit(file, "others may read it"));
    }
    let text = std::fs::read_to_string(file).map_err(unread)?;
    let tokens: BTreeMap<Standing, String> =
        toml::from_str(&text).map_err(|_| unfit(file, "it does not name tokens for viewer, approver and operator"))?;
    if tokens.values().any(|token| token.len() < 32) {
        return Err(unfit(file, "a token in it is shorter than 32 characters"));
    }
    Ok(tokens)
}

fn unfit(file: &Path, why: &str) -> AppError {
    let source = std::io::Error::new(ErrorKind::InvalidData, format!("{why}; remove it to have new ones made"));
    AppError::Read { what: "the server's tokens", path: file.to_owned(), source }
}

/// Keeps a secret's hash, in the place of the oldest where there are too many.
fn put(kept: &mut BTreeMap<String, Kept>, hash: String, new: Kept) {
    while kept.len() >= KEPT_AT_MOST {
        let oldest = kept.iter().min_by_key(|(_, kept)| kept.until_ms).map(|(hash, _)| hash.clone());
        oldest.and_then(|hash| kept.remove(&hash));
    }
    kept.insert(hash, new);
}

/// Draws a secret of 256 bits.
fn draw() -> Result<String, AppError> {
    let mut bytes = [0; 32];
    let drawn = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
    drawn.map_err(|_| AppError::Unfit {
        what: "the system gives no randomness for the server's tokens".to_owned(),
        next: "look at /dev/urandom".to_owned(),
    })?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{hex}"))
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Set(AtomicI64);
    impl Clock for Set {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn place(temp: &Path, now: &Arc<Set>) -> Place {
        let env = BTreeMap::from([("ARTEL_HOME".to_owned(), temp.to_str().unwrap().to_owned())]);
        let clock = Arc::clone(now) as Arc<dyn Clock>;
        Place { clock, ..Place::open(env, temp.to_owned()).unwrap() }
    }

    #[test]
    fn tokens_are_made_once_are_private_and_differ() {
        let temp = tempfile::tempdir().unwrap();
        let place = place(temp.path(), &Arc::new(Set(AtomicI64::new(5))));
        let access = Access::open(&place).unwrap();
        let file = tokens_file(&place.dir);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        for standing in Standing::ALL {
            let token = read_token(&place, standing).unwrap();
            assert_eq!(access.of_token(&token), Some(standing));
            assert_eq!(Access::open(&place).unwrap().of_token(&token), Some(standing));
            assert_eq!(access.of_token(&token[..token.len() - 1]), None);
        }
        assert_eq!(access.of_token(""), None);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Access::open(&place).is_err());
    }

    #[test]
    fn a_link_logs_in_once_and_not_for_ever() {
        let temp = tempfile::tempdir().unwrap();
        let now = Arc::new(Set(AtomicI64::new(5)));
        let place = place(temp.path(), &now);
        let access = Access::open(&place).unwrap();
        let code = access.make_link(Standing::Approver).unwrap();
        assert_eq!(access.of_session(&code), None);
        let secret = access.log_in(&code).unwrap().unwrap();
        assert_eq!(access.log_in(&code).unwrap(), None);
        assert_eq!(access.of_session(&secret), Some(Standing::Approver));
        let kept = std::fs::read_to_string(&access.sessions_file).unwrap();
        assert!(!kept.contains(&secret[PREFIX.len()..]), "{kept}");
        assert_eq!(Access::open(&place).unwrap().of_session(&secret), Some(Standing::Approver));
        access.log_out(&secret).unwrap();
        assert_eq!(access.of_session(&secret), None);
        assert_eq!(Access::open(&place).unwrap().of_session(&secret), None);

        let (code, old) = (access.make_link(Standing::Viewer).unwrap(), access.make_link(Standing::Viewer).unwrap());
        let secret = access.log_in(&code).unwrap().unwrap();
        now.0.fetch_add(LINK_MS, Ordering::Relaxed);
        assert_eq!(access.log_in(&old).unwrap(), None);
        now.0.fetch_add(SESSION_MS, Ordering::Relaxed);
        assert_eq!(access.of_session(&secret), None);
    }
}
