//! Owns what becomes of a run while the disk is short of space: no new work is handed out until there is more.

use crate::machine::event::Event;
use crate::machine::state::State;

/// Notes that the disk ran short, or that there is space again; told twice it is noted once.
pub(in crate::machine) fn report(state: &State, short: Option<&String>) -> Vec<Event> {
    match (short, &state.short) {
        (Some(what), None) if state.is_live() => vec![Event::SpaceRanShort { what: what.clone() }],
        (None, Some(_)) => vec![Event::SpaceCameBack],
        (Some(_), _) | (None, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::machine::command::{Command, PlanStep};
    use crate::machine::testing::{Scene, attempt, candidate, draft, kinds};

    fn space(short: Option<&str>) -> Command {
        Command::ReportSpace { short: short.map(str::to_owned) }
    }

    #[test]
    fn nothing_is_leased_while_the_disk_is_short_and_the_run_goes_on_by_itself() {
        let scene = Scene::open().begun().does(space(Some("1 MiB is free")));
        let scene = scene.planned(vec![draft("a", "a")]);
        assert!(scene.state.running.is_empty());
        assert!(scene.state.is_live(), "it must not rest: nobody would wake it");
        assert!(scene.owes().is_empty(), "the done-conditions are not looked at while work is left");
        let scene = scene.does(space(None)).settled();
        assert_eq!(scene.state.running.len(), 1);
    }

    #[test]
    fn what_runs_when_the_disk_gets_short_is_finished_and_landed() {
        let scene = Scene::opened(|opening| opening.workers = 2).begun();
        let scene = scene.planned(vec![draft("a", "a"), draft("b", "b"), draft("c", "c")]);
        let scene = scene.does(space(Some("1 MiB is free"))).ends(attempt(1, 1), candidate(1)).settled();
        let scene = scene.accepted(attempt(1, 1)).settled();
        assert!(scene.state.batch.is_some());
        assert_eq!(scene.state.running.len(), 1, "the third waits");
    }

    #[test]
    fn shortness_is_told_once_and_not_of_a_run_that_rests() {
        let scene = Scene::open().begun().plans(PlanStep::Emit(vec![draft("a", "a")]));
        assert_eq!(kinds(&scene.when(&space(None)).unwrap()), Vec::<&str>::new());
        let short = scene.clone().does(space(Some("1 MiB is free")));
        assert_eq!(kinds(&short.when(&space(Some("2 MiB are free"))).unwrap()), Vec::<&str>::new());
        assert_eq!(kinds(&short.when(&space(None)).unwrap()), ["SpaceCameBack"]);
        let rests = scene.does(Command::ReportTrouble { what: "x".into() });
        assert_eq!(kinds(&rests.when(&space(Some("1 MiB is free"))).unwrap()), Vec::<&str>::new());
    }
}
