//! Owns which places of a repository much was done at. Counts by what tasks own and where candidates conflict, because the
//! journal names no other files.

use std::collections::BTreeMap;

use super::page::HotPlace;
use crate::model::paths::PathSet;

/// Places that are told.
const TOLD: usize = 10;

/// Counts what was done where.
#[derive(Debug, Default)]
pub(super) struct Heat(BTreeMap<String, HotPlace>);

impl Heat {
    fn at(&mut self, path: &str, seq: u64) -> &mut HotPlace {
        let name = if path.is_empty() { "/" } else { path };
        let new = || HotPlace { at: seq, path: name.to_owned(), conflicts: 0, refused: 0, landings: 0 };
        let place = self.0.entry(name.to_owned()).or_insert_with(new);
        place.at = seq;
        place
    }

    pub(super) fn conflict(&mut self, path: &str, seq: u64) {
        self.at(path, seq).conflicts += 1;
    }

    pub(super) fn refusal(&mut self, paths: &PathSet, seq: u64) {
        for path in paths.folders.iter().chain(&paths.files) {
            self.at(path, seq).refused += 1;
        }
    }

    pub(super) fn landing(&mut self, paths: &PathSet, seq: u64) {
        for path in paths.folders.iter().chain(&paths.files) {
            self.at(path, seq).landings += 1;
        }
    }

    /// Gives the places at which something went wrong or more than one task landed, the hottest first.
    pub(super) fn hottest(self) -> Vec<HotPlace> {
        let is_hot = |place: &HotPlace| place.conflicts + place.refused > 0 || place.landings > 1;
        let mut places: Vec<HotPlace> = self.0.into_values().filter(is_hot).collect();
        places.sort_by_key(|place| std::cmp::Reverse((place.conflicts, place.refused, place.landings)));
        places.truncate(TOLD);
        places
    }
}
