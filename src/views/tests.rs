//! Holds the laws of the views over runs that the real law told. Never part of the product.

use super::board::board;
use super::ended::{Class, ended};
use super::inbox::{Bucket, inbox};
use super::line::{Interest, line};
use super::plan_tree::{dot, plan_tree};
use super::story::{HOSTILE, Story};
use super::task::task;
use super::timeline::{Mark, timeline};
use crate::machine::command::Ask;
use crate::machine::evolve::evolve;
use crate::machine::state::{State, Status};
use crate::model::goal::Gate;
use crate::model::ids::TaskId;
use crate::model::inert::is_active;

fn lines(story: &Story) -> Vec<(Interest, String)> {
    let mut state = State::default();
    let mut told = Vec::new();
    for recorded in &story.events {
        state = evolve(state, recorded);
        let line = line(&state, recorded);
        told.push((line.interest, line.text));
    }
    told
}

#[test]
fn a_log_reads_as_a_story() {
    let told: Vec<String> = lines(&Story::incomplete("")).into_iter().map(|(_, text)| text).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn no_line_holds_an_active_character() {
    for story in [Story::incomplete(HOSTILE), Story::at_work(HOSTILE)] {
        for (_, text) in lines(&story) {
            assert!(!text.chars().any(is_active), "{text:?}");
        }
    }
}

#[test]
fn counts_of_the_board_add_up() {
    for story in [Story::incomplete(""), Story::at_work(""), Story::done("")] {
        let board = board(&story.state, &story.outside()).unwrap();
        let it = board.counts;
        let sum = it.waiting + it.ready + it.running + it.judging + it.gated + it.queued + it.landed;
        assert_eq!(sum + it.nothing + it.kept + it.blocked + it.dropped + it.reverted, it.total);
        assert_eq!(board.landed.len() as u32, it.landed);
        let root = &board.scopes[0];
        assert_eq!((root.tasks, root.through), (it.total, it.landed + it.nothing));
    }
}

#[test]
fn what_can_never_start_is_left_over_with_its_reason() {
    let story = Story::incomplete("");
    let board = board(&story.state, &story.outside()).unwrap();
    let last = board.left.iter().find(|row| row.task == TaskId(12)).unwrap();
    assert_eq!((&*last.status, last.why.as_str()), ("waiting", "waits for t11 (kept)"));
    assert_eq!(board.stands.class, Class::Incomplete);
}

#[test]
fn nothing_is_guessed_before_three_landings_nor_after_the_end() {
    let mut story = Story::open("", &[], 1);
    story.plan(6);
    story.advance();
    let mut landings = 0;
    while landings < 3 {
        assert_eq!(story.pace.eta(&story.state, story.now_ms), None);
        let task = story.running_tasks()[0];
        story.pass(10_000);
        story.candidate(task);
        story.accept(task);
        story.land(&[]);
        landings += 1;
    }
    let eta = story.pace.eta(&story.state, story.now_ms).unwrap();
    // Three of the six, and what the codemod left of one.
    assert_eq!(eta.left, 4);
    assert!((39_000..44_000).contains(&eta.ms), "{eta:?}");
    assert!(eta.basis.starts_with("at 5.7 landed/min over the last 3"), "{}", eta.basis);
    let done = Story::done("");
    assert_eq!(done.pace.eta(&done.state, done.now_ms), None);
}

#[test]
fn time_before_a_restart_does_not_slow_the_guess() {
    let mut story = Story::at_work("");
    assert!(story.pace.eta(&story.state, story.now_ms).is_some());
    story.pass(86_400_000);
    story.tell(crate::machine::command::Command::Wake { epoch: 2, sandbox: None });
    assert_eq!(story.pace.eta(&story.state, story.now_ms), None);
}

#[test]
fn every_settled_thing_is_in_exactly_one_bucket() {
    for story in [Story::incomplete(""), Story::done(""), Story::at_work("")] {
        let items = inbox(&story.state);
        for (id, task) in &story.state.tasks {
            let found = items.iter().filter(|item| item.task == Some(*id)).count();
            assert_eq!(found, usize::from(task.status.is_settled()), "{id}");
        }
        let runs = items.iter().filter(|item| item.task.is_none()).count();
        assert_eq!(runs, usize::from(!story.state.is_live()));
    }
    let items = inbox(&Story::incomplete("").state);
    let bucket = |id| items.iter().find(|item| item.task == Some(TaskId(id))).map(|item| item.bucket);
    assert_eq!(bucket(6), Some(Bucket::NeedsInput));
    assert_eq!(bucket(8), Some(Bucket::Failed));
    assert_eq!(bucket(5), Some(Bucket::Finished));
}

#[test]
fn a_run_at_a_gate_waits_for_a_person() {
    let mut story = Story::open("", &[Gate::Plan], 2);
    story.plan(4);
    story.advance();
    assert_eq!(ended(&story.state).class, Class::Waits);
    let items = inbox(&story.state);
    assert_eq!(items[0].next, "artel approve plan --run r-7k2m");
    story.ask("q-1", Ask::Approve(Gate::Plan));
    assert_eq!(ended(&story.state).class, Class::Live);
}

#[test]
fn attempts_of_one_slot_do_not_overlap() {
    let story = Story::incomplete("");
    let timeline = timeline(&story.state, story.now_ms).unwrap();
    assert!((1..=4).contains(&timeline.slots.len()));
    for slot in &timeline.slots {
        assert!(slot.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
    }
    let marks: Vec<Mark> = timeline.slots.iter().flatten().map(|bar| bar.mark).collect();
    for mark in [Mark::Landed, Mark::Lost, Mark::Failed, Mark::Nothing] {
        assert!(marks.contains(&mark), "{mark:?}");
    }
}

#[test]
fn a_task_tells_each_attempt_and_what_came_of_it() {
    let story = Story::incomplete("");
    let kept = story.first(|status| matches!(status, Status::Kept { .. }));
    let view = task(&story.state, kept, story.now_ms).unwrap();
    assert_eq!(view.status, "kept");
    assert!(view.why.unwrap().contains("E0277"));
    let agents: Vec<&str> = view.attempts.iter().map(|attempt| attempt.agent.as_str()).collect();
    assert_eq!(agents, ["codemod", "command:./fix.sh", "command:./fix.sh"]);
    assert_eq!(view.attempts[0].next.as_deref(), Some("handed to the next agent"));
    assert!(task(&story.state, TaskId(99), 0).is_none());
}

#[test]
fn a_graph_takes_hostile_titles_for_text() {
    let story = Story::at_work(HOSTILE);
    let plan = plan_tree(&story.state).unwrap();
    let dot = dot(&plan);
    assert!(!dot.chars().any(|c| c != '\n' && is_active(c)));
    for line in dot.lines() {
        let unescaped = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(unescaped.matches('"').count() % 2, 0, "{line}");
    }
    assert_eq!(plan.depth, 2);
    insta::assert_snapshot!(super::plan_tree::dot(&plan_tree(&Story::at_work("").state).unwrap()));
}
