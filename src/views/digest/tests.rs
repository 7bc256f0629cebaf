//! Holds the laws of digests over runs that the real law told. Never part of the product.

use super::lay::{Piece, lay};
use super::{Digest, Teller, Window};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::views::inbox::{Bucket, inbox};
use crate::views::story::Story;

fn told(story: &Story, window: Window) -> Digest {
    let mut teller = Teller::new(window);
    let mut state = State::default();
    for recorded in &story.events {
        state = evolve(state, recorded);
        teller.learn(&state, recorded);
    }
    teller.finish(&state).unwrap()
}

#[test]
fn every_claim_rests_on_an_event_that_there_is() {
    for story in [Story::incomplete(""), Story::at_work(""), Story::done("")] {
        let laid = lay(&told(&story, Window::default()));
        let last = story.events.last().unwrap().seq;
        let pieces = laid.sections.iter().flat_map(|section| &section.rows).flat_map(|row| &row.pieces);
        let events: Vec<u64> =
            pieces.filter_map(|piece| if let Piece::At(at) = piece { Some(*at) } else { None }).collect();
        assert!(events.len() > 10 && events.iter().all(|at| (1..=last).contains(at)), "{events:?}");
    }
}

#[test]
fn what_landed_is_left_over_or_waits_is_what_the_run_holds() {
    let story = Story::incomplete("");
    let digest = told(&story, Window::default());
    let landed: usize = digest.landed.iter().map(|scope| scope.tasks.len()).sum();
    assert_eq!(landed, story.state.tally.landed as usize);
    let tally = story.state.tally;
    assert_eq!(digest.left.len() as u32, tally.kept + tally.blocked + tally.dropped + tally.reverted);
    let waiting = inbox(&story.state).into_iter().filter(|item| item.bucket == Bucket::NeedsInput).count();
    assert_eq!(digest.needs.len(), waiting);
    let of = |at: u64| story.events[at as usize - 1].event.kind();
    assert!(digest.landed.iter().flat_map(|scope| &scope.tasks).all(|row| of(row.at) == "BatchLanded"));
    assert!(digest.conflicts.iter().all(|row| of(row.at) == "BatchMerged" && !row.paths.is_empty()));
    assert_eq!(digest.conflicts.len(), 1);
    assert_eq!(of(digest.stands_at), "RunEnded");
    let flaky: u32 = digest.checks.iter().map(|check| check.flaky).sum();
    assert_eq!(flaky, story.state.flakes.values().sum::<u32>());
    assert!(digest.checks.iter().any(|check| check.name == "lint" && check.red_on_base));
}

#[test]
fn a_later_window_tells_what_came_after_and_two_windows_tell_it_all() {
    let story = Story::incomplete("");
    let whole = told(&story, Window::default());
    let cut = story.events.len() as u64 / 2;
    let later = told(&story, Window { after: cut, since_ms: None });
    assert_eq!((later.span.after, later.span.upto), (cut, whole.span.upto));
    let rows = |digest: &Digest| digest.landed.iter().flat_map(|scope| scope.tasks.clone()).collect::<Vec<_>>();
    let after: Vec<_> = rows(&whole).into_iter().filter(|row| row.at > cut).collect();
    assert_eq!(rows(&later), after);
    assert!(later.story.iter().all(|moment| moment.at > cut));
    assert_eq!(later.needs, whole.needs, "what waits is told whenever it began to");
    let at_ms = story.events[cut as usize].at_ms;
    let since = told(&story, Window { after: 0, since_ms: Some(at_ms) });
    assert!(since.span.from_ms >= at_ms && since.span.after > 0);
    let none = told(&story, Window { after: u64::MAX, since_ms: None });
    assert!(none.landed.is_empty() && none.story.is_empty() && none.span.upto == whole.span.upto);
}

#[test]
fn a_long_story_keeps_its_first_and_last_moments() {
    let mut story = Story::at_work("");
    let steer = |_| crate::machine::event::Event::Steered { task: None, message: "go on".to_owned() };
    let last = story.events.last().unwrap().clone();
    for (seq, event) in (last.seq + 1..).zip((0..200).map(steer)) {
        story.events.push(crate::machine::event::Recorded { seq, at_ms: last.at_ms, event });
    }
    let digest = told(&story, Window::default());
    assert_eq!(digest.story.len(), 60);
    assert!(digest.skipped >= 140);
    assert_eq!(digest.story.last().unwrap().at, last.seq + 200);
    assert!(digest.story[0].text.starts_with("run r-7k2m opened"));
}
