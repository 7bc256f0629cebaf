//! The written form of `notify.toml`, read into a [`NotifyConfig`] or into the list of all its faults. Never opens a file.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{Body, Channel, NotifyConfig, Way};
use crate::io::key_text::key;
use crate::io::keys::KeySource;
use crate::model::notice::Cause;
use crate::model::written::{
    Fault, Faults, Fields, Node, SIZE_MAX, Value, flag, list, read_toml, shown, text, texts, word,
};

const FILE: &[&str] = &["terminal", "channels"];
const TERMINAL: &[&str] = &["bell", "desktop", "on"];
const CHANNEL: &[&str] = &["on", "command", "url", "secret", "body"];
const BODIES: &[(&str, Body)] = &[("artel", Body::Artel), ("slack", Body::Slack)];

impl NotifyConfig {
    /// Reads `notify.toml`, empty where there is none; keys may stand in `env`, the environment of artel.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file; never empty.
    pub fn from_toml(file: &str, env: &BTreeMap<String, String>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        if file.len() > SIZE_MAX {
            faults.add(&(0..0), format!("the file is larger than {} KiB", SIZE_MAX >> 10));
            return faults.unless_any(None);
        }
        let node = read_toml(file, &mut faults);
        let config = fields(&node, env, &mut faults);
        faults.unless_any(config)
    }
}

fn fields(node: &Node, env: &BTreeMap<String, String>, faults: &mut Faults) -> Option<NotifyConfig> {
    let mut config = NotifyConfig::default();
    let mut fields = Fields::open(node, "`notify.toml`", FILE, faults)?;
    if let Some(node) = fields.take("terminal") {
        let mut fields = Fields::open(node, "`terminal`", TERMINAL, faults)?;
        config.bell = fields.take("bell").and_then(|node| flag(node, "`bell`", faults)).unwrap_or(false);
        config.desktop = fields.take("desktop").and_then(|node| flag(node, "`desktop`", faults)).unwrap_or(false);
        config.on = causes(fields.take("on"), faults);
    }
    let Some(node) = fields.take("channels") else { return Some(config) };
    let Value::Map(entries) = &node.value else {
        faults.add(&node.at, format!("`channels` is a table of channels, not {}", node.found()));
        return None;
    };
    for entry in entries {
        if !is_name(&entry.name) {
            let help = "use small letters, digits, `-` and `_`, beginning with a letter";
            faults.add_with_help(&entry.at, format!("`{}` names no channel", shown(&entry.name)), help);
        } else if let Some(channel) = channel(&entry.name, &entry.node, env, faults) {
            config.channels.insert(entry.name.clone(), channel);
        }
    }
    Some(config)
}

fn is_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

/// Reads what is told; all where nothing is said.
fn causes(node: Option<&Node>, faults: &mut Faults) -> BTreeSet<Cause> {
    let Some(node) = node else { return Cause::ALL.into() };
    let known = Cause::ALL.map(|cause| (cause.word(), cause));
    list(node, "`on`", faults).iter().filter_map(|node| word(node, "each value of `on`", &known, faults)).collect()
}

fn channel(name: &str, node: &Node, env: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Channel> {
    let what = format!("`channels.{name}`");
    let mut fields = Fields::open(node, &what, CHANNEL, faults)?;
    let on = causes(fields.take("on"), faults);
    let argv = fields.take("command").map(|node| (node, texts(node, "`command`", faults)));
    let url = fields.take("url").map(|node| url(node, env, faults));
    let secret = fields.take("secret");
    let body = fields.take("body");
    let way = match (argv, url) {
        (Some((_, argv)), None) if !argv.is_empty() => {
            for node in [secret, body].into_iter().flatten() {
                faults.add(&node.at, format!("{what} has a `command`, which is neither signed nor has another body"));
            }
            Way::Command(argv)
        }
        (None, Some(url)) => {
            let secret = secret.map(|node| key(node, "secret", env, faults));
            let body = body.map(|node| word(node, "`body`", BODIES, faults));
            let (secret, body) = (secret.unwrap_or(Some(KeySource::None))?, body.unwrap_or(Some(Body::Artel))?);
            Way::Webhook { url: url?, secret, body }
        }
        (Some((node, _)), None) => {
            faults.add_with_help(
                &node.at,
                "`command` names no program",
                "write `command = [\"notify-send\", \"artel\"]`",
            );
            return None;
        }
        (Some(_), Some(_)) | (None, None) => {
            let help = "write one of `command = [\"program\"]` and `url = \"https://…\"`";
            faults.add_with_help(&fields.at, format!("{what} does not have one way out"), help);
            return None;
        }
    };
    Some(Channel { on, way })
}

/// Reads a web address, or where it stands.
fn url(node: &Node, env: &BTreeMap<String, String>, faults: &mut Faults) -> Option<KeySource> {
    if !matches!(&node.value, Value::Text(_)) {
        return key(node, "url", env, faults);
    }
    let written = text(node, "`url`", faults)?;
    match sound(&written) {
        Ok(()) => Some(KeySource::Literal(written)),
        Err(why) => {
            faults.add_with_help(
                &node.at,
                format!("`url` {why}"),
                "write it such as `https://hooks.example.com/artel`",
            );
            None
        }
    }
}

/// Checks a web address.
pub(super) fn sound(url: &str) -> Result<(), &'static str> {
    let Ok(parsed) = reqwest::Url::parse(url) else { return Err("is no address") };
    match parsed.scheme() {
        "http" | "https" if !parsed.username().is_empty() || parsed.password().is_some() => {
            Err("holds a name or password: what signs has its own field")
        }
        "http" | "https" if parsed.has_host() => Ok(()),
        _ => Err("does not begin with `https://` or `http://`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(file: &str) -> Result<NotifyConfig, Vec<Fault>> {
        NotifyConfig::from_toml(file, &BTreeMap::new())
    }

    #[test]
    fn without_a_file_nobody_is_told() {
        assert_eq!(read("").unwrap(), NotifyConfig::default());
    }

    #[test]
    fn every_field_is_read() {
        let file = r#"
[terminal]
bell = true
desktop = true
on = ["failed"]
[channels.me]
command = ["notify-send", "artel"]
[channels.team]
on = ["needs_input", "budget", "escalated"]
url = { env = "HOOK" }
secret = { file = "/run/secret" }
body = "slack"
[channels.bare]
url = "http://127.0.0.1:9000/x?y=1"
"#;
        let config = read(file).unwrap();
        assert_eq!((config.bell, config.desktop, config.on.len()), (true, true, 1));
        assert_eq!(config.channels["me"].on.len(), Cause::ALL.len());
        let team = &config.channels["team"];
        assert_eq!(team.on, [Cause::NeedsInput, Cause::Budget, Cause::Escalated].into());
        let (url, secret) = (KeySource::env("HOOK", &BTreeMap::new()), KeySource::File("/run/secret".into()));
        assert_eq!(team.way, Way::Webhook { url, secret, body: Body::Slack });
        let url = KeySource::Literal("http://127.0.0.1:9000/x?y=1".to_owned());
        let bare = Way::Webhook { url, secret: KeySource::None, body: Body::Artel };
        assert_eq!(config.channels["bare"].way, bare);
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        for (file, expected) in [
            ("[channel.x]", "has no field `channel`"),
            ("channels = 3", "is a table of channels"),
            ("[channels.\"../x\"]\nurl = 'https://x'", "names no channel"),
            ("[channels.x]", "does not have one way out"),
            ("[channels.x]\nurl = 'https://x'\ncommand = ['y']", "does not have one way out"),
            ("[channels.x]\ncommand = []", "names no program"),
            ("[channels.x]\ncommand = ['y']\nsecret = { env = 'S' }", "neither signed"),
            ("[channels.x]\nurl = 'ftp://x'", "does not begin with"),
            ("[channels.x]\nurl = 'https://me:pw@x'", "holds a name or password"),
            ("[channels.x]\nurl = 'x'", "is no address"),
            ("[channels.x]\nurl = 'https://x'\nsecret = 's3cret'", "says where the key is, and is not the key"),
            ("[channels.x]\nurl = 'https://x'\nbody = 'teams'", "`body` cannot be `teams`"),
            ("[channels.x]\nurl = 'https://x'\non = ['done']", "cannot be `done`"),
            ("[terminal]\nbell = 'yes'", "must be yes or no"),
        ] {
            let faults = read(file).unwrap_err();
            assert!(faults.iter().any(|fault| fault.what.contains(expected)), "{file}: {faults:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_read_or_refused_with_places_inside_it(file in "([a-z_]{1,8} ?= ?)?.*\n?.*") {
            if let Err(faults) = read(&file) {
                for fault in faults {
                    prop_assert!(file.get(fault.at.clone()).is_some(), "{fault:?}");
                }
            }
        }
    }
}
