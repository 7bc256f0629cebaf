//! Owns the look at a journal that was refused: which run is damaged, from which event on, what is still sound, and
//! what can be done. Empties caches that do not fit; never changes, drops or invents an event.

use std::collections::BTreeMap;
use std::path::Path;

use super::facts::{Fact, Fitness};
use super::{AppError, Loaded, Place};
use crate::actors::world::told;
use crate::io::journal::RunRow;
use crate::io::journal::audit::audit;

/// Looks through every run of the journal, and says of each that is damaged what is left of it.
pub fn repair(env: BTreeMap<String, String>, cwd: &Path) -> Vec<Fact> {
    let place = match Place::open(env, cwd.to_owned()) {
        Ok(place) => place,
        Err(error) => {
            let advice = "nothing was changed: keep the file, and put a copy in its place that can be opened";
            return vec![Fact::bad("journal", Fitness::Unfit, told(&error), advice)];
        }
    };
    let runs = match place.runs() {
        Ok(runs) => runs,
        Err(error) => return vec![Fact::bad("journal", Fitness::Unfit, told(&error), RESTORE)],
    };
    let mut facts: Vec<Fact> = runs.iter().flat_map(|row| look(&place, row)).collect();
    if facts.is_empty() {
        facts.push(Fact::good("journal", format!("{} runs, all events as they were appended", runs.len())));
    }
    facts
}

const RESTORE: &str = "nothing was changed, and other runs go on; keep the file, put a copy in its place that \
    `artel verify` finds sound, or open the goal anew: what landed is on the run's branch";

fn look(place: &Place, row: &RunRow) -> Option<Fact> {
    match place.replay(&row.run) {
        // A run that was begun and never opened holds nothing that could be damaged.
        Err(AppError::Unopened { .. }) if row.last_seq == 0 => None,
        Ok(whole) => cache(place, row, whole),
        Err(error) => {
            let found = format!("{}: {}; {}", row.run, sound(place, row), told(&error));
            Some(Fact::bad("run", Fitness::Unfit, found, RESTORE))
        }
    }
}

/// Tells how much of a damaged run is as it was appended.
fn sound(place: &Place, row: &RunRow) -> String {
    match audit(place.journal.as_ref(), &row.run, "", &[]) {
        Ok(found) => match found.flaws.iter().find(|flaw| flaw.is_of_events()) {
            Some(flaw) => {
                format!("{} of {} events are sound before the first that is not", flaw.range().0 - 1, row.last_seq)
            }
            None => format!("all {} events are as they were appended, but not all can be read", found.events),
        },
        Err(error) => format!("the file itself is damaged there: {}", told(&error)),
    }
}

/// Empties a snapshot that is not what the events give. Both are folded to the same event: a live run grows, and has its
/// snapshot kept anew, while it is looked at.
fn cache(place: &Place, row: &RunRow, whole: Loaded) -> Option<Fact> {
    let kept = place.kept_snapshot(&row.run).ok()??;
    let last = kept.seq.max(whole.state.seq);
    let folded = |loaded| place.fold_to(&row.run, loaded, last).ok();
    let by_snapshot = Loaded::of_kept(&kept).and_then(folded);
    let is_sound = by_snapshot
        .zip(folded(whole))
        .is_some_and(|(quick, slow)| quick.state == slow.state && quick.pace == slow.pace);
    if is_sound {
        return None;
    }
    let found = format!("{}: its snapshot is not what its events give", row.run);
    Some(match place.drop_snapshot(&row.run) {
        Ok(()) => Fact::bad("snapshot", Fitness::Weak, found, "it was dropped: the events are read instead"),
        Err(error) => Fact::bad("snapshot", Fitness::Unfit, format!("{found}; failed to remove it: {error}"), RESTORE),
    })
}

#[cfg(test)]
mod tests {
    use super::super::place::SNAPSHOT;
    use super::super::place::testing::{opened, store};
    use super::*;
    use crate::machine::event::Event;

    #[test]
    fn a_run_that_grows_while_it_is_looked_at_keeps_a_snapshot_that_fits() {
        let temp = tempfile::tempdir().unwrap();
        let (place, run) = opened(temp.path());
        let row = place.runs().unwrap().remove(0);
        let keep = |loaded: &Loaded| place.keep(&run, SNAPSHOT, loaded.state.seq, loaded).unwrap();
        let is_kept = || place.kept_snapshot(&run).unwrap().is_some();
        let whole = place.replay(&run).unwrap();
        keep(&whole);
        store(&place, &run, &[Event::Steered { task: None, message: "a".to_owned() }]);
        assert_eq!(cache(&place, &row, whole.clone()), None, "events came after they were read");
        keep(&place.replay(&run).unwrap());
        assert_eq!(cache(&place, &row, whole.clone()), None, "a snapshot was kept after they were read");
        assert!(is_kept());
        let mut other = place.replay(&run).unwrap();
        other.state.steering.clear();
        keep(&other);
        let fact = cache(&place, &row, whole).unwrap();
        assert!(fact.fit == Fitness::Weak && !is_kept(), "{fact:?}");
    }
}
