//! Owns how an event becomes an entry of the journal: it holds no secret, whoever told one.

use crate::io::journal::NewEntry;
use crate::io::journal::format::encode;
use crate::machine::event::Event;
use crate::machine::laws::{Broken, broken, law};
use crate::model::secrets::Secrets;

/// Writes an event down with stars in the place of secrets, whoever told one, and gives it as it is written.
///
/// # Errors
/// Fails where something that is no text would be a secret.
pub(super) fn of(event: Event, secrets: &Secrets, now_ms: i64) -> Result<(Event, NewEntry), Broken> {
    let entry = encode(event.kind(), &event, now_ms);
    let Some(name) = secrets.find(entry.data.as_bytes()) else { return Ok((event, entry)) };
    let masked = serde_json::from_slice::<Event>(&secrets.mask(entry.data.as_bytes()));
    let event = masked.map_err(|_| broken(format!("{} would hold the value of {name}", event.kind())))?;
    let entry = encode(event.kind(), &event, now_ms);
    law(secrets.find(entry.data.as_bytes()).is_none(), || format!("{} holds the value of {name}", entry.kind))?;
    Ok((event, entry))
}
