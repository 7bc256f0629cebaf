//! Owns where the user says which models may be asked, with which keys and at what price: files in the state directory, and
//! artel's own environment. Never reads anything of a repository for that.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use super::{AppError, Place};
use crate::io::files::StateDir;
use crate::io::gateway::{Gateway, GatewayConfig, Prices};

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

/// Makes the way to models.
pub(super) fn open_gateway(place: &Place) -> Result<Gateway, AppError> {
    Ok(Gateway::new(read_providers(&place.dir, &place.env)?, read_prices(&place.dir)?, Arc::clone(&place.clock))?)
}

/// Reads a file of the state directory; it is empty where there is none.
fn read(dir: &StateDir, name: &str) -> Result<(String, String), AppError> {
    let path = dir.root().join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((path.display().to_string(), String::new())),
        Err(source) => Err(AppError::Read { what: "the file", path, source }),
    }
}
