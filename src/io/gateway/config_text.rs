//! The written form of `gateway.toml`, read over the defaults into a [`GatewayConfig`] or into the list of all its
//! faults. Never opens a file.

use std::collections::BTreeMap;

use super::breaker::BreakerLimits;
use super::config::{Family, GatewayConfig, Provider, UnknownModels};
use super::price_text::{model_globs, rates};
use crate::io::key_text::key;
use crate::io::keys::KeySource;
use crate::model::egress::EGRESS;
use crate::model::written::{
    Entry, Fault, Faults, Fields, Node, SIZE_MAX, Value, count, flag, nano_usd, read_toml, shown, text, word,
};

const FILE: &[&str] = &["providers", "breaker"];
const PROVIDER: &[&str] = &["speaks", "base", "key", "models", "calls_at_once", "unknown_models", "extras"];
const BREAKER: &[&str] = &["repeats", "errors", "usd_per_minute"];
const RATES: &[&str] = &["input", "cache_read", "cache_write", "cache_write_1h", "output"];
const FAMILIES: &[(&str, Family)] =
    &[("anthropic", Family::Anthropic), ("openai", Family::OpenAi), ("gemini", Family::Gemini)];

/// Describes a provider that is there without being configured.
struct Known {
    name: &'static str,
    speaks: Family,
    base: &'static str,
    /// Names the variable that its own tools read its place from.
    base_env: &'static str,
    key_env: &'static str,
}

const KNOWN: [Known; 3] = [
    Known {
        name: "anthropic",
        speaks: Family::Anthropic,
        base: "https://api.anthropic.com",
        base_env: "ANTHROPIC_BASE_URL",
        key_env: "ANTHROPIC_API_KEY",
    },
    Known {
        name: "openai",
        speaks: Family::OpenAi,
        base: "https://api.openai.com/v1",
        base_env: "OPENAI_BASE_URL",
        key_env: "OPENAI_API_KEY",
    },
    Known {
        name: "gemini",
        speaks: Family::Gemini,
        base: "https://generativelanguage.googleapis.com",
        base_env: "GOOGLE_GEMINI_BASE_URL",
        key_env: "GEMINI_API_KEY",
    },
];

impl GatewayConfig {
    /// Reads `gateway.toml`, empty where there is none, over what the environment of artel says of the three known
    /// providers.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file; never empty. What is wrong with the environment stands at
    /// the beginning.
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

fn fields(node: &Node, env: &BTreeMap<String, String>, faults: &mut Faults) -> Option<GatewayConfig> {
    let mut config = GatewayConfig::default();
    let mut fields = Fields::open(node, "`gateway.toml`", FILE, faults)?;
    let written: &[Entry] = match fields.take("providers") {
        None => &[],
        Some(node) => match &node.value {
            Value::Map(entries) => entries,
            Value::Null
            | Value::Flag(_)
            | Value::Whole(_)
            | Value::Real(_)
            | Value::Date(_)
            | Value::Text(_)
            | Value::List(_) => {
                faults.add(&node.at, format!("`providers` is a table of providers, not {}", node.found()));
                &[]
            }
        },
    };
    for known in &KNOWN {
        let is_placed = written.iter().any(|entry| entry.name == known.name && has(&entry.node, "base"));
        config.providers.insert(known.name.to_owned(), by_default(known, env, is_placed, faults));
    }
    for entry in written {
        let name = &entry.name;
        if name == EGRESS {
            faults.add(&entry.at, "`egress` names no provider: it stands for ways out that roles grant");
            continue;
        }
        if !is_name(name) {
            let help = "use small letters, digits, `-` and `_`, beginning with a letter: the name is a part of a path";
            faults.add_with_help(&entry.at, format!("`{}` names no provider", shown(name)), help);
            continue;
        }
        let before = config.providers.remove(name);
        if let Some(provider) = provider((name, &entry.node), before, env, faults) {
            config.providers.insert(name.clone(), provider);
        }
    }
    if let Some(node) = fields.take("breaker") {
        breaker(&mut config.breaker, node, faults);
    }
    Some(config)
}

fn has(node: &Node, field: &str) -> bool {
    matches!(&node.value, Value::Map(entries) if entries.iter().any(|entry| entry.name == field))
}

fn is_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

fn by_default(known: &Known, env: &BTreeMap<String, String>, is_placed: bool, faults: &mut Faults) -> Provider {
    let mut base = known.base.to_owned();
    let elsewhere = env.get(known.base_env).map(|base| base.trim()).filter(|base| !base.is_empty() && !is_placed);
    if let Some(elsewhere) = elsewhere {
        match sound_base(elsewhere) {
            Ok(sound) => base = sound,
            Err(why) => {
                let help = format!("set it to such as `{}`, or write `base` in `gateway.toml`", known.base);
                faults.add_with_help(&(0..0), format!("the variable `{}` {why}", known.base_env), help);
            }
        }
    }
    Provider { key: KeySource::env(known.key_env, env), ..Provider::at(known.speaks, in_full(known.speaks, base)) }
}

/// Writes a place as its API's own tools want it: OpenAI's end with the version, the others' do not.
fn in_full(speaks: Family, base: String) -> String {
    let has_path = base.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    match speaks {
        Family::OpenAi if !has_path => base + "/v1",
        Family::OpenAi | Family::Anthropic | Family::Gemini => base,
    }
}

/// Checks where a provider is.
fn sound_base(base: &str) -> Result<String, String> {
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    let rest = rest.ok_or("does not begin with `https://` or `http://`")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.contains('@') {
        return Err("holds a name or password: a key has its own field".to_owned());
    }
    let sound_host = !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
    let sound_path = path.split('/').all(|part| part != "..")
        && path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '~'));
    if !sound_host || !sound_path {
        return Err("is no address: write the host and, where there is one, the path before the API's own".to_owned());
    }
    Ok(base.trim_end_matches('/').to_owned())
}

fn provider(
    (name, node): (&str, &Node),
    before: Option<Provider>,
    env: &BTreeMap<String, String>,
    faults: &mut Faults,
) -> Option<Provider> {
    let what = format!("`providers.{name}`");
    let mut fields = Fields::open(node, &what, PROVIDER, faults)?;
    let speaks = fields.take("speaks").and_then(|node| word(node, "`speaks`", FAMILIES, faults));
    let speaks = speaks.or(before.as_ref().map(|it| it.speaks)).unwrap_or(Family::OpenAi);
    let base = fields.take("base").and_then(|node| base(node, faults));
    let mut provider = match (before, base) {
        (before, Some(base)) => {
            let base = in_full(speaks, base);
            before
                .map_or_else(|| Provider::at(speaks, base.clone()), |it| Provider { speaks, base: base.clone(), ..it })
        }
        (Some(before), None) => Provider { speaks, ..before },
        (None, None) => {
            faults.add_with_help(&fields.at, format!("{what} has no `base`"), "write `base = \"https://…\"`");
            return None;
        }
    };
    if let Some(key) = fields.take("key").and_then(|node| key(node, "key", env, faults)) {
        provider.key = key;
    }
    if let Some(node) = fields.take("models") {
        provider.models = model_globs(node, "`models`", faults).into_iter().map(|(glob, _)| glob).collect();
    }
    if let Some(most) = fields.take("calls_at_once").and_then(|node| count(node, "`calls_at_once`", 1..=1000, faults)) {
        provider.calls_at_once = most;
    }
    if let Some(unknown) = fields.take("unknown_models").and_then(|node| unknown_models(node, faults)) {
        provider.unknown_models = unknown;
    }
    if let Some(extras) = fields.take("extras").and_then(|node| flag(node, "`extras`", faults)) {
        provider.extras = extras;
    }
    Some(provider)
}

fn base(node: &Node, faults: &mut Faults) -> Option<String> {
    let written = text(node, "`base`", faults)?;
    match sound_base(&written) {
        Ok(base) => Some(base),
        Err(why) => {
            faults.add_with_help(&node.at, format!("`base` {why}"), "write it such as `https://api.example.com/v1`");
            None
        }
    }
}

fn unknown_models(node: &Node, faults: &mut Faults) -> Option<UnknownModels> {
    if matches!(&node.value, Value::Text(_)) {
        let known = [("refuse", UnknownModels::Refuse), ("free", UnknownModels::Free)];
        return word(node, "`unknown_models`", &known, faults);
    }
    let mut fields = Fields::open(node, "`unknown_models`", RATES, faults)?;
    rates(&mut fields, "`unknown_models`", faults).map(UnknownModels::Cost)
}

fn breaker(breaker: &mut BreakerLimits, node: &Node, faults: &mut Faults) {
    let Some(mut fields) = Fields::open(node, "`breaker`", BREAKER, faults) else { return };
    for (name, into) in [("repeats", &mut breaker.repeats), ("errors", &mut breaker.errors)] {
        let read = fields.take(name).and_then(|node| count(node, &format!("`{name}`"), 1..=1_000_000, faults));
        *into = read.unwrap_or(*into);
    }
    if let Some(node) = fields.take("usd_per_minute") {
        breaker.nano_usd_per_minute = nano_usd(node, "`usd_per_minute`", faults);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::prices::Rates;
    use super::*;

    fn read(file: &str) -> Result<GatewayConfig, Vec<Fault>> {
        GatewayConfig::from_toml(file, &BTreeMap::new())
    }

    #[test]
    fn the_three_are_there_without_a_file() {
        let config = read("").unwrap();
        let shown: Vec<_> =
            config.providers.iter().map(|(name, it)| format!("{name} {} {:?}", it.base, it.key)).collect();
        assert_eq!(
            shown,
            [
                "anthropic https://api.anthropic.com Env(ANTHROPIC_API_KEY)",
                "gemini https://generativelanguage.googleapis.com Env(GEMINI_API_KEY)",
                "openai https://api.openai.com/v1 Env(OPENAI_API_KEY)",
            ]
        );
    }

    #[test]
    fn the_environment_of_artel_moves_them_unless_the_file_does() {
        let env: BTreeMap<String, String> = [
            ("ANTHROPIC_BASE_URL", "http://127.0.0.1:4000/"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:4001"),
            ("GOOGLE_GEMINI_BASE_URL", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let config = GatewayConfig::from_toml("[providers.gemini]\nbase = 'https://g.example/x/'", &env).unwrap();
        assert_eq!(config.providers["anthropic"].base, "http://127.0.0.1:4000");
        assert_eq!(config.providers["openai"].base, "http://127.0.0.1:4001/v1");
        assert_eq!(config.providers["gemini"].base, "https://g.example/x");
        assert_eq!(config.providers["gemini"].key, KeySource::env("GEMINI_API_KEY", &BTreeMap::new()));
        let env = [("OPENAI_BASE_URL".to_owned(), "api.openai.com".to_owned())].into();
        let faults = GatewayConfig::from_toml("", &env).unwrap_err();
        assert!(faults[0].what.contains("`OPENAI_BASE_URL` does not begin with `https://`"), "{faults:?}");
        assert!(GatewayConfig::from_toml("[providers.openai]\nbase = 'https://o.example'", &env).is_ok());
    }

    #[test]
    fn every_field_is_read() {
        let file = r#"
[providers.anthropic]
key = { command = ["pass", "show", "anthropic"] }
models = ["claude-*"]
calls_at_once = 3
[providers.local]
base = "http://127.0.0.1:8000"
key = "none"
unknown_models = "free"
extras = true
[providers.other]
speaks = "anthropic"
base = "https://other.example/anthropic"
key = { file = "/run/key" }
unknown_models = { input = 1000, output = 2000 }
[breaker]
repeats = 3
errors = 4
usd_per_minute = 0.5
"#;
        let config = read(file).unwrap();
        let anthropic = &config.providers["anthropic"];
        assert_eq!((anthropic.calls_at_once, &anthropic.models[..]), (3, &["claude-*".to_owned()][..]));
        assert!(matches!(&anthropic.key, KeySource::Command(argv) if argv.len() == 3));
        let local = &config.providers["local"];
        assert_eq!((local.base.as_str(), local.speaks), ("http://127.0.0.1:8000/v1", Family::OpenAi));
        assert_eq!((&local.key, local.unknown_models, local.extras), (&KeySource::None, UnknownModels::Free, true));
        let other = &config.providers["other"];
        assert_eq!((other.base.as_str(), other.speaks), ("https://other.example/anthropic", Family::Anthropic));
        let cost = Rates { input: 1000, cache_read: 1000, cache_write: 1000, cache_write_1h: 1000, output: 2000 };
        assert_eq!(other.unknown_models, UnknownModels::Cost(cost));
        let breaker = BreakerLimits { repeats: 3, errors: 4, nano_usd_per_minute: Some(500_000_000) };
        assert_eq!(config.breaker, breaker);
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        for (file, expected) in [
            ("[provider.x]", "has no field `provider`"),
            ("[providers.X]\nbase = 'https://x'", "`X` names no provider"),
            ("[providers.x]\nkey = 'none'", "`providers.x` has no `base`"),
            ("[providers.openai]\nkey = 'sk-123'", "says where the key is, and is not the key"),
            ("[providers.openai]\nkey = { env = 'A', file = '/b' }", "names no one source"),
            ("[providers.openai]\nkey = { file = 'b' }", "not an absolute path"),
            ("[providers.openai]\nbase = 'ftp://x'", "does not begin with"),
            ("[providers.openai]\nbase = 'https://me:pw@x'", "holds a name or password"),
            ("[providers.openai]\nbase = 'https://x/?a=b'", "is no address"),
            ("[providers.openai]\ncalls_at_once = 0", "`calls_at_once` is from 1 to 1000, not 0"),
            ("[providers.openai]\nunknown_models = 'fre'", "`unknown_models` cannot be `fre`"),
            ("[providers.openai]\nspeaks = 'french'", "`speaks` cannot be `french`"),
            ("[providers.openai]\nmodels = ['[']", "is not a glob"),
            ("[breaker]\nrepeat = 3", "has no field `repeat`"),
            ("providers = 3", "is a table of providers"),
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
