//! Owns how configuration says where a key comes from. Never reads the key.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::keys::KeySource;
use crate::model::written::{Faults, Fields, Node, Value, text, texts};

const KEY: &[&str] = &["env", "file", "command", "keyring"];
const KEYRING: &[&str] = &["service", "account"];

/// Reads where a key comes from; `name` is the field that says so.
pub fn key(node: &Node, name: &str, env: &BTreeMap<String, String>, faults: &mut Faults) -> Option<KeySource> {
    if matches!(&node.value, Value::Text(text) if text == "none") {
        return Some(KeySource::None);
    }
    if matches!(&node.value, Value::Text(_)) {
        let help = format!(
            "write `{name} = {{ env = \"NAME\" }}`, `{{ file = \"/path\" }}` or `{{ command = [\"program\"] }}`; a key \
             itself stands in no configuration"
        );
        faults.add_with_help(&node.at, format!("`{name}` says where the key is, and is not the key"), help);
        return None;
    }
    let mut fields = Fields::open(node, &format!("`{name}`"), KEY, faults)?;
    let named = fields.take("env").and_then(|node| text(node, "`env`", faults)).map(|name| KeySource::env(name, env));
    let file = fields.take("file").and_then(|node| {
        let path = PathBuf::from(text(node, "`file`", faults)?);
        if !path.is_absolute() {
            faults.add_with_help(&node.at, "`file` is not an absolute path", "begin it with `/`");
        }
        Some(KeySource::File(path))
    });
    let command = fields.take("command").map(|node| KeySource::Command(texts(node, "`command`", faults)));
    let keyring = fields.take("keyring").and_then(|node| keyring(node, faults));
    let mut sources = [named, file, command, keyring].into_iter().flatten();
    let (first, second) = (sources.next(), sources.next());
    if first.is_none() || second.is_some() {
        faults.add_with_help(
            &fields.at,
            format!("`{name}` names no one source"),
            "write one of `env`, `file`, `command`, `keyring`",
        );
        return None;
    }
    first
}

/// Reads which entry of the desktop's keyring holds a key.
fn keyring(node: &Node, faults: &mut Faults) -> Option<KeySource> {
    let mut fields = Fields::open(node, "`keyring`", KEYRING, faults)?;
    let at = fields.at.clone();
    let mut word = |name: &str, faults: &mut Faults| {
        let Some(node) = fields.take(name) else {
            faults.add_with_help(
                &at,
                format!("`keyring` has no `{name}`"),
                "write `keyring = { service = \"artel\", account = \"anthropic\" }`",
            );
            return None;
        };
        let word = text(node, &format!("`{name}`"), faults)?;
        let is_one = !word.is_empty() && !word.starts_with('-') && word.chars().all(|c| c.is_ascii_graphic());
        if !is_one {
            faults.add_with_help(&node.at, format!("`{name}` is no plain word"), "use letters, digits and dashes");
        }
        is_one.then_some(word)
    };
    let (service, account) = (word("service", faults), word("account", faults));
    Some(KeySource::Keyring { service: service?, account: account? })
}
