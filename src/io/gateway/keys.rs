//! Owns the real credentials: where they come from, and that none is ever shown. Never sends one.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

/// Largest key, in bytes.
const KEY_BYTES: usize = 8 << 10;
/// Time that a command may take to give a key.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says where a provider's key comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The provider needs none.
    None,
    /// A variable of artel's own environment.
    Env(String),
    /// A file that holds nothing else.
    File(PathBuf),
    /// What a program writes to standard output; no shell reads the words.
    Command(Vec<String>),
    /// The key itself: for tests.
    Literal(String),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Env(name) => write!(f, "Env({name})"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Command(argv) => write!(f, "Command({}, …)", argv.first().map_or("", String::as_str)),
            Self::Literal(_) => f.write_str("Literal(…)"),
        }
    }
}

/// Holds a key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(String);

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

    /// Makes the value of a header of it, behind a prefix, that no log shows.
    pub(super) fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Puts stars in the place of the key wherever it stands in a text.
    pub(super) fn mask(&self, text: &[u8]) -> Vec<u8> {
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

/// Keeps the key of one provider, read when it is first needed.
#[derive(Debug)]
pub(super) struct Keyring {
    source: KeySource,
    read: Mutex<Option<Key>>,
}

impl Keyring {
    pub(super) fn new(source: KeySource) -> Self {
        Self { source, read: Mutex::new(None) }
    }

    /// Tells whether there is where a key may come from, without reading it.
    pub(super) fn is_set(&self) -> bool {
        match &self.source {
            KeySource::Env(name) => std::env::var_os(name).is_some_and(|value| !value.is_empty()),
            KeySource::None | KeySource::File(_) | KeySource::Command(_) | KeySource::Literal(_) => true,
        }
    }

    /// Gives the key; nothing where the provider needs none.
    ///
    /// # Errors
    /// What was tried and why it gave no key, without the key.
    pub(super) async fn key(&self) -> Result<Option<Key>, String> {
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
    pub(super) async fn forget(&self, refused: &Key) {
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
        KeySource::Env(name) => {
            let text = std::env::var(name).map_err(|_| format!("the variable `{name}` is not set"))?;
            Key::of(&text).map_err(|why| format!("the variable `{name}`: {why}"))
        }
        KeySource::File(path) => {
            let at = path.display();
            let file = tokio::fs::File::open(path).await.map_err(|error| format!("open {at}: {error}"))?;
            let text = read_little(file).await.map_err(|why| format!("read {at}: {why}"))?;
            Key::of(&text).map_err(|why| format!("the file {at}: {why}"))
        }
        KeySource::Command(argv) => from_command(argv).await,
    }
}

async fn from_command(argv: &[String]) -> Result<Key, String> {
    let (program, arguments) = argv.split_first().ok_or("the command is empty")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("start `{program}`: {error}"))?;
    let output = child.stdout.take().ok_or("the command has no output")?;
    let read = async {
        let text = read_little(output).await?;
        let status = child.wait().await.map_err(|error| error.to_string())?;
        if status.success() { Ok(text) } else { Err(format!("it ended with {status}")) }
    };
    let text = tokio::time::timeout(PATIENCE, read).await;
    let text = text.map_err(|_| format!("`{program}` gave no key within {} s", PATIENCE.as_secs()))?;
    text.and_then(|text| Key::of(&text)).map_err(|why| format!("`{program}`: {why}"))
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
            (KeySource::Env("ARTEL_NO_SUCH_KEY".to_owned()), "the variable `ARTEL_NO_SUCH_KEY` is not set"),
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
