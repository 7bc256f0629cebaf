//! Owns the measuring of how soon a run goes on that waits for a person's word and holds no process: from the start of
//! `artel approve` to the first event of work that the word lets be done.

use std::process::{Command, Stdio};

use artel::app::{Place, is_hosted};
use artel::machine::event::Event;
use artel::model::ids::{AttemptId, RunId};

use super::Size;
use super::figure::{Goal, figure, quantile};
use super::ground::Lab;
use super::ring::place;
use super::serve::{AGENT, Server, open, until};

/// Has each candidate wait before it lands.
const FRONT: &str = "approve: [landing]\n";

/// Measures the median of several runs whose word comes while a server has let go of them, and of some whose person goes on
/// with them by hand, where there is no server.
pub fn words(size: Size) {
    let rounds = if size == Size::Quick { 3 } else { 15 };
    let lab = Lab::new(300);
    let place = place(&lab);
    let runs: Vec<RunId> = (0..2 * rounds).map(|_| open(&lab, &place, 1, AGENT, FRONT)).collect();
    let server = Server::start(&place);
    for run in &runs {
        let rests = || place.load(run).is_ok_and(|state| state.rest.is_some()) && !is_hosted(&place, run);
        until("the run waits and nobody works on it", rests);
    }
    let (served, alone) = runs.split_at(rounds);
    let mut served: Vec<f64> = served.iter().map(|run| goes_on(&place, run, &["approve"])).collect();
    drop(server);
    let mut alone: Vec<f64> = alone.iter().map(|run| goes_on(&place, run, &["approve", "resume"])).collect();
    figure("gate_resume", quantile(&mut served, 0.5), "s", Goal::Most(1.0));
    figure("gate_resume_by_hand", quantile(&mut alone, 0.5), "s", Goal::None);
}

/// Gives verbs about a run, one after the other, and looks until it has ended; gives the seconds from the start of the first
/// verb to the event by which exactly the candidate that waited begins to land.
fn goes_on(place: &Place, run: &RunId, verbs: &[&str]) -> f64 {
    let state = place.load(run).expect("the journal");
    let waiting: Vec<AttemptId> = state.asked.candidates.keys().copied().collect();
    assert_eq!(waiting.len(), 1, "one candidate waits");
    // The clock by which events are dated.
    let begun_ms = place.clock.now_ms();
    for verb in verbs {
        let mut command = Command::new(&place.artel);
        command.args([verb, run.as_str()]).current_dir(place.dir.root()).env("ARTEL_HOME", place.dir.root());
        command.env("ARTEL_SANDBOX", "none").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().expect("artel runs").success(), "{verb}");
    }
    until("the run ends", || place.load(run).is_ok_and(|state| state.end.is_some()) && !is_hosted(place, run));
    let events = place.events(run, state.seq + 1).expect("the journal");
    let begins = |event: &Event| matches!(event, Event::BatchFormed { members, .. } if *members == waiting);
    let at_ms = events.iter().find(|it| begins(&it.event)).map(|it| it.at_ms).expect("it lands");
    (at_ms - begun_ms) as f64 / 1000.0
}
