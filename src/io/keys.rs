//! Owns the real credentials: where they come from, and that none is ever shown. Never sends one.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

/// Largest key, in bytes.
const KEY_BYTES: usize = 8 << 10;
/// Time that a command may take to give a key.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says where a key comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// None is needed.
    None,
    /// A variable of the environment that artel was started in.
    Env {
        /// Its name.
        name: String,
        /// Its value, where it is set and not empty.
        value: Option<String>,
    },
    /// A file that holds nothing else, and that only its owner may read.
    File(PathBuf),
    /// What a program writes to standard output; no shell reads the words.
    Command(Vec<String>),
    /// An entry of the desktop's keyring, by the attributes under which libsecret keeps it.
    Keyring {
        /// Its `service`.
        service: String,
        /// Its `account`.
        account: String,
    },
    /// The key itself: for tests.
    Literal(String),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Env { name, .. } => write!(f, "Env({name})"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Command(argv) => write!(f, "Command({}, …)", argv.first().map_or("", String::as_str)),
            Self::Keyring { service, account } => write!(f, "Keyring({service}, {account})"),
            Self::Literal(_) => f.write_str("Literal(…)"),
        }
    }
}

impl KeySource {
    /// Names a variable.
    pub fn env(name: impl Into<String>, env: &BTreeMap<String, String>) -> Self {
        let name = name.into();
        let value = env.get(&name).filter(|value| !value.trim().is_empty()).cloned();
        Self::Env { name, value }
    }

    /// Tells whether there is where a key may come from, without reading it.
    pub fn is_set(&self) -> bool {
        match self {
            Self::Env { value, .. } => value.is_some(),
            Self::None | Self::File(_) | Self::Command(_) | Self::Keyring { .. } | Self::Literal(_) => true,
        }
    }
}

/// Holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    fn of(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        if text.len() > KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("what stands there is no key: it has blanks, or is too long".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// Gives it to what signs or asks with it; for nothing else.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Makes the value of a header of it, behind a prefix, that no log shows.
    pub fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Puts stars in the place of the key wherever it stands in a text.
    pub fn mask(&self, text: &[u8]) -> Vec<u8> {
        let mut masked = text.to_vec();
        let key = self.0.as_bytes();
        let mut at = 0;
        while let Some(found) = masked[at..].windows(key.len()).position(|window| window == key) {
            masked[at + found..at + found + key.len()].fill(b'*');
            at += found + key.len();
        }
        masked
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Keeps one key, read when it is first needed.
#[derive(Debug)]
pub struct Keyring {
    source: KeySource,
    read: Mutex<Option<Key>>,
}

impl Keyring {
    /// Reads nothing yet.
    pub fn new(source: KeySource) -> Self {
        Self { source, read: Mutex::new(None) }
    }

    /// Tells whether there is where a key may come from, without reading it.
    pub fn is_set(&self) -> bool {
        self.source.is_set()
    }

    /// Gives the key; nothing where the provider needs none.
    ///
    /// # Errors
    /// What was tried and why it gave no key, without the key.
    pub async fn key(&self) -> Result<Option<Key>, String> {
        if self.source == KeySource::None {
            return Ok(None);
        }
        let mut read = self.read.lock().await;
        if read.is_none() {
            *read = Some(read_from(&self.source).await?);
        }
        Ok(read.clone())
    }

    /// Forgets a key that the provider does not accept, so that the next call reads it again.
    pub async fn forget(&self, refused: &Key) {
        let mut read = self.read.lock().await;
        if read.as_ref() == Some(refused) {
            *read = None;
        }
    }
}

async fn read_from(source: &KeySource) -> Result<Key, String> {
    match source {
        KeySource::None => Err("none is configured".to_owned()),
        KeySource::Literal(text) => Key::of(text),
        KeySource::Env { name, value } => {
            let text = value.as_ref().ok_or_else(|| format!("the variable `{name}` is not set"))?;
            Key::of(text).map_err(|why| format!("the variable `{name}`: {why}"))
        }
        KeySource::File(path) => from_file(path).await,
        KeySource::Command(argv) => from_command(argv).await,
        KeySource::Keyring { service, account } => from_keyring(service, account).await,
    }
}

async fn from_file(path: &Path) -> Result<Key, String> {
    let at = path.display();
    // What is no file, such as a pipe that nobody writes to, must not be waited for.
    let waits_for_nobody = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = tokio::fs::OpenOptions::new().read(true).custom_flags(waits_for_nobody).open(path).await;
    let file = file.map_err(|error| format!("open {at}: {error}"))?;
    let told = file.metadata().await.map_err(|error| format!("read {at}: {error}"))?;
    if !told.is_file() {
        return Err(format!("{at} is no file"));
    }
    let mode = told.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("others may read or change the file {at} (mode {mode:03o}): `chmod 600 {at}`"));
    }
    let text = read_little(file).await.map_err(|why| format!("read {at}: {why}"))?;
    Key::of(&text).map_err(|why| format!("the file {at}: {why}"))
}

/// The program by which libsecret gives what the desktop's keyring holds.
const SECRET_TOOL: &str = "secret-tool";

async fn from_keyring(service: &str, account: &str) -> Result<Key, String> {
    let store = format!("`{SECRET_TOOL} store --label=artel service {service} account {account}` puts one there");
    let argv = [SECRET_TOOL, "lookup", "service", service, "account", account].map(str::to_owned);
    let given = said_by(&argv).await.map_err(|why| match why {
        Silent::NotThere => format!(
            "this machine has no way to a keyring: `{SECRET_TOOL}` (of libsecret-tools) is not installed; a `file` \
             or a `command` does as well"
        ),
        Silent::Failed(_) => format!("the keyring holds no key of service {service}, account {account}: {store}"),
        Silent::Other(why) => why,
    })?;
    Key::of(&given).map_err(|why| format!("the keyring's key of service {service}, account {account}: {why}; {store}"))
}

async fn from_command(argv: &[String]) -> Result<Key, String> {
    let program = argv.first().ok_or("the command is empty")?;
    let given = said_by(argv).await.map_err(|why| match why {
        Silent::NotThere => format!("start `{program}`: there is no such program"),
        Silent::Failed(status) => format!("`{program}`: it ended with {status}"),
        Silent::Other(why) => why,
    })?;
    Key::of(&given).map_err(|why| format!("`{program}`: {why}"))
}

/// Says why a program gave nothing.
enum Silent {
    NotThere,
    Failed(std::process::ExitStatus),
    Other(String),
}

/// Gives what a program writes to standard output, within bounds of time and size.
async fn said_by(argv: &[String]) -> Result<String, Silent> {
    let Some((program, arguments)) = argv.split_first() else { return Err(Silent::NotThere) };
    let other = |why: String| Silent::Other(format!("`{program}`: {why}"));
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            let is_missing = error.kind() == std::io::ErrorKind::NotFound;
            if is_missing { Silent::NotThere } else { Silent::Other(format!("start `{program}`: {error}")) }
        })?;
    let group = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    let Some(output) = child.stdout.take() else { return Err(other("it has no output".to_owned())) };
    let read = async {
        let text = read_little(output).await.map_err(other)?;
        let status = child.wait().await.map_err(|error| other(error.to_string()))?;
        if status.success() { Ok(text) } else { Err(Silent::Failed(status)) }
    };
    let text = tokio::time::timeout(PATIENCE, read).await;
    text.unwrap_or_else(|_| {
        // What it has started itself goes with it.
        let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
        Err(Silent::Other(format!("`{program}` gave no key within {} s, and was ended", PATIENCE.as_secs())))
    })
}

async fn read_little(from: impl tokio::io::AsyncRead + Unpin) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    // What is no text is shown nowhere: it may be half a key.
    String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "sk-canary-0123456789";

    async fn read(source: KeySource) -> Result<Option<Key>, String> {
        Keyring::new(source).key().await
    }

    #[tokio::test]
    async fn a_key_is_read_from_each_source() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{CANARY}\n")).unwrap();
        let words = |line: &str| KeySource::Command(line.split(' ').map(str::to_owned).collect());
        for source in [
            KeySource::Literal(CANARY.to_owned()),
            KeySource::File(file.path().to_owned()),
            words(&format!("echo {CANARY}")),
        ] {
            assert_eq!(read(source.clone()).await.unwrap().unwrap().0, CANARY, "{source:?}");
        }
        assert_eq!(read(KeySource::None).await, Ok(None));
    }

    #[tokio::test]
    async fn what_gives_no_key_is_told_without_what_it_gave() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{CANARY} and {CANARY}")).unwrap();
        for (source, expected) in [
            (KeySource::env("ARTEL_NO_SUCH_KEY", &BTreeMap::new()), "the variable `ARTEL_NO_SUCH_KEY` is not set"),
            (KeySource::File("/dev/null".into()), "/dev/null is no file"),
            (KeySource::File("/nowhere/key".into()), "open /nowhere/key"),
            (KeySource::File(file.path().to_owned()), "no key"),
            (KeySource::Command(vec!["false".to_owned()]), "`false`: it ended with"),
            (KeySource::Command(vec!["true".to_owned()]), "it is empty"),
            (KeySource::Command(vec!["/nowhere/program".to_owned()]), "start `/nowhere/program`"),
            (KeySource::Command(vec!["yes".to_owned(), CANARY.to_owned()]), "`yes`"),
            (KeySource::Command(Vec::new()), "empty"),
        ] {
            let why = read(source).await.unwrap_err();
            assert!(why.contains(expected) && !why.contains(CANARY), "{why}");
        }
    }

    #[tokio::test]
    async fn a_variable_is_read_from_the_environment_that_artel_was_started_in_and_from_no_other() {
        let env = BTreeMap::from([("A".to_owned(), CANARY.to_owned()), ("B".to_owned(), " ".to_owned())]);
        assert_eq!(read(KeySource::env("A", &env)).await.unwrap().unwrap().0, CANARY);
        for name in ["B", "PATH"] {
            assert!(!KeySource::env(name, &env).is_set(), "{name}");
            assert!(read(KeySource::env(name, &env)).await.unwrap_err().contains("is not set"));
        }
        assert_eq!(format!("{:?}", KeySource::env("A", &env)), "Env(A)");
    }

    #[tokio::test]
    async fn a_file_that_others_may_read_is_refused_with_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), CANARY).unwrap();
        for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o602, false)] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            match read(KeySource::File(file.path().to_owned())).await {
                Ok(_) => assert!(is_fine, "{mode:o}"),
                Err(why) => assert!(!is_fine && why.contains("chmod 600") && !why.contains(CANARY), "{mode:o}: {why}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_never_ends_is_ended_with_all_that_it_started() {
        // Both ends of a pipe that lives as long as whatever the command has started.
        let (mut lives, held) = std::io::pipe().unwrap();
        let at = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&held));
        let line = format!("exec 3> {at}; sleep 1000 & wait");
        let why = read(KeySource::Command(vec!["sh".to_owned(), "-c".to_owned(), line])).await.unwrap_err();
        assert!(why.contains("gave no key within 30 s"), "{why}");
        drop(held);
        // Ends only when nobody holds the other end any more.
        let mut rest = Vec::new();
        assert_eq!(std::io::Read::read_to_end(&mut lives, &mut rest).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_machine_without_a_keyring_says_so() {
        let source = KeySource::Keyring { service: "artel-of-a-test".to_owned(), account: "nobody".to_owned() };
        let why = read(source).await.unwrap_err();
        let is_told =
            why.contains("libsecret-tools") || why.contains("secret-tool store --label=artel service artel-of-a-test");
        assert!(is_told, "{why}");
    }

    #[tokio::test]
    async fn a_key_never_shows() {
        let source = KeySource::Literal(CANARY.to_owned());
        let ring = Keyring::new(source.clone());
        let key = ring.key().await.unwrap().unwrap();
        let header = key.header("Bearer ").unwrap();
        let command = KeySource::Command(vec!["echo".to_owned(), CANARY.to_owned()]);
        for shown in [format!("{source:?}"), format!("{ring:?}"), format!("{header:?}"), format!("{command:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        let text = format!("{CANARY}{CANARY} is wrong: {CANARY}");
        let masked = String::from_utf8(key.mask(text.as_bytes())).unwrap();
        assert_eq!(masked, format!("{0}{0} is wrong: {0}", "*".repeat(CANARY.len())));
    }

    #[tokio::test]
    async fn a_refused_key_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "sk-old").unwrap();
        let ring = Keyring::new(KeySource::File(file.path().to_owned()));
        let old = ring.key().await.unwrap().unwrap();
        std::fs::write(file.path(), "sk-new").unwrap();
        assert_eq!(ring.key().await.unwrap().unwrap(), old);
        ring.forget(&old).await;
        let new = ring.key().await.unwrap().unwrap();
        assert_eq!(new.0, "sk-new");
        ring.forget(&old).await;
        assert_eq!(ring.key().await.unwrap().unwrap(), new);
    }
}
