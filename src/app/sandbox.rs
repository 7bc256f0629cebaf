//! Owns which sandbox a run gets: the one that a person asks for, or the best that holds. Runs nothing of a run.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{AppError, Place};
use crate::actors::world::told;
use crate::io::hands::{Enclosure, Hands, Local, try_out};
use crate::model::sandbox::Tier;
use crate::model::secrets::Secrets;

/// Names the variable by which a person asks for a tier.
pub const SANDBOX_VARIABLE: &str = "ARTEL_SANDBOX";

/// Gives hands in the sandbox that was asked for, by flag or environment; else in the best that holds. None is given only
/// where it was asked for, and never less than the repository demands (`least`).
///
/// # Errors
/// [`AppError::Sandbox`] where none holds that would do, and why.
pub async fn choose(place: &Place, least: Option<Tier>) -> Result<Hands, AppError> {
    let asked = match place.sandbox {
        Some(tier) => Some(tier),
        None => named_in(place)?,
    };
    let wanted = asked.map_or_else(|| vec![Tier::Bubblewrap, Tier::Landlock], |tier| vec![tier]);
    let mut why = Vec::new();
    for tier in wanted {
        if let Some(least) = least.filter(|least| tier < *least) {
            why.push((tier, format!("the repository's artel.toml asks for {least}")));
            continue;
        }
        match hands(place, tier).await {
            Ok(hands) => return Ok(hands),
            Err(reason) => why.push((tier, reason)),
        }
    }
    Err(AppError::Sandbox { why })
}

fn named_in(place: &Place) -> Result<Option<Tier>, AppError> {
    let Some(text) = place.env.get(SANDBOX_VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
    Tier::from_str(text).map(Some).map_err(|error| AppError::Unfit {
        what: format!("{SANDBOX_VARIABLE} is set, and {error}"),
        next: format!("unset {SANDBOX_VARIABLE}, or set it to one of these"),
    })
}

/// Gives hands in a sandbox of a tier that was tried out; says why not where it does not hold.
pub(super) async fn hands(place: &Place, tier: Tier) -> Result<Hands, String> {
    let enclosure = Enclosure::of(tier, &place.artel, place.env.get("PATH").map(String::as_str));
    let enclosure = enclosure.map_err(|error| format!("failed to {}", told(&error)))?;
    let hands = Hands::Local(Local::with_init(place.artel.clone(), enclosure).keeping(Secrets::of(&place.env)));
    if tier != Tier::None {
        let home = place.env.get("HOME").map(PathBuf::from).filter(|home| home.parent().is_some());
        let tried = try_out(&hands, place.dir.root(), home.as_deref().filter(|home: &&Path| home.is_absolute())).await;
        tried.map_err(|error| format!("failed to {}", told(&error)))?;
    }
    Ok(hands)
}
