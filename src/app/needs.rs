//! Owns what needs a person in all runs of this machine. Leaves no run out because it cannot be read.

use std::path::Path;

use super::place::tip;
use super::{AppError, Place};
use crate::actors::world::told;
use crate::io::journal::RunRow;
use crate::views::inbox::{Item, inbox, unreadable};

/// Lists what needs a person, failed or is finished, in all runs, the newest run first.
///
/// # Errors
/// Where the journal cannot be read.
pub fn whole_inbox(place: &Place) -> Result<Vec<Item>, AppError> {
    let rows = place.runs()?;
    let of_run = |row: &RunRow| match place.load(&row.run) {
        Ok(state) => note_targets(&row.repo, inbox(&state)),
        Err(error) => needs_repair(row, &told(&error)).into_iter().collect(),
    };
    Ok(rows.iter().rev().flat_map(of_run).collect())
}

/// Notes of the deliveries that wait among what needs a person of a run where the branches stand that they would go into.
pub fn note_targets(repo: &Path, mut items: Vec<Item>) -> Vec<Item> {
    for item in &mut items {
        let branch = item.waiting.as_ref().and_then(|waiting| waiting.branch.as_ref());
        if let Some(at) = branch.map(|branch| tip(repo, branch)) {
            item.note_target(at);
        }
    }
    items
}

/// Tells of a run that cannot be read. One that was begun and never opened holds nothing that a person could mend.
pub fn needs_repair(row: &RunRow, why: &str) -> Option<Item> {
    (row.last_seq > 0).then(|| unreadable(&row.run, row.name.as_deref(), why))
}
