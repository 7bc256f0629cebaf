//! Owns where the user says which models may be asked, with which keys and at what price: files in the state directory, and
//! artel's own environment. Never reads anything of a repository for that.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{AppError, Place};
use crate::actors::world::told;
use crate::io::files::StateDir;
use crate::io::gateway::{Follow, Gateway, GatewayConfig, Prices, Rules};

/// Names the file of providers and keys.
const PROVIDERS: &str = "gateway.toml";

/// Names the file of prices that stand before those that artel brings along.
const PRICES: &str = "prices.toml";

/// Reads which providers there are.
///
/// # Errors
/// Where the file cannot be read, or with all that is wrong with it.
pub fn read_providers(dir: &StateDir, env: &BTreeMap<String, String>) -> Result<GatewayConfig, AppError> {
    let (name, text) = read(dir, PROVIDERS)?;
    let what = "the providers of models";
    GatewayConfig::from_toml(&text, env).map_err(|faults| AppError::Faults { what, name, text, faults })
}

/// Reads what models cost: the user's own prices, before those that artel brings along.
///
/// # Errors
/// As [`read_providers`].
pub fn read_prices(dir: &StateDir) -> Result<Prices, AppError> {
    let (name, text) = read(dir, PRICES)?;
    let what = "the prices of models";
    let own = Prices::from_toml(&text).map_err(|faults| AppError::Faults { what, name, text, faults })?;
    Ok(own.over(Prices::built_in()))
}

/// Makes the way to models, by rules that are read again when the user changes them.
pub(super) fn open_gateway(place: &Place) -> Result<Gateway, AppError> {
    let files = [PROVIDERS, PRICES].map(|name| place.dir.root().join(name)).to_vec();
    let (dir, env, notices) = (place.dir.clone(), place.env.clone(), Arc::clone(&place.notices));
    let read = move || read_rules(&dir, &env).map_err(|error| in_words(&error));
    let tell = move |why: String| notices.add(format!("the rules for models stay as they were: failed to {why}"));
    let follow = Follow::new(files, read, tell);
    Ok(Gateway::following(read_rules(&place.dir, &place.env)?, follow, Arc::clone(&place.clock))?)
}

/// Reads both files.
fn read_rules(dir: &StateDir, env: &BTreeMap<String, String>) -> Result<Rules, AppError> {
    let mut hash = Sha256::new();
    for name in [PROVIDERS, PRICES] {
        let (_, text) = read(dir, name)?;
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    let version = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(Rules { config: read_providers(dir, env)?, prices: read_prices(dir)?, version })
}

/// Tells an error with the first fault of a file that has some, in one line.
fn in_words(error: &AppError) -> String {
    let told = told(error);
    let AppError::Faults { text, faults, .. } = error else { return told };
    let first = faults.first().map(|fault| {
        let line = text.get(..fault.at.start).map_or(1, |before| before.matches('\n').count() + 1);
        format!(": line {line}: {}", fault.what)
    });
    format!("{told}{}", first.unwrap_or_default())
}

/// Reads a file of the state directory; it is empty where there is none.
pub(super) fn read(dir: &StateDir, name: &str) -> Result<(String, String), AppError> {
    let path = dir.root().join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((path.display().to_string(), String::new())),
        Err(source) => Err(AppError::Read { what: "the file", path, source }),
    }
}
