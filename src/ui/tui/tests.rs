//! Holds how the live view looks and what its keys wish for, over runs that the real law told. Never part of the product.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::draw;
use super::subject::Subject;
use super::view::{Mode, Stance, View, Wish};
use crate::machine::awaited::{Objection, Shown};
use crate::machine::command::{Ask, Refusal};
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, ScopeId, TaskId};
use crate::model::inert::is_active;
use crate::model::seat::Seat;
use crate::views::board::{Board, RunningRow, board};
use crate::views::cost::{Cost, cost};
use crate::views::story::{HOSTILE, Story};
use crate::views::waiting::AskedRow;

fn seen(story: &Story) -> (Board, Cost) {
    (board(&story.state, &story.outside()).unwrap(), cost(&story.state).unwrap())
}

fn looking() -> View {
    View::new(Stance::Hosts, true)
}

/// Draws, and gives the lines of the screen.
fn drawn((board, cost): &(Board, Cost), view: &View, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, board, cost, view, true)).unwrap();
    let buffer = terminal.backend().buffer();
    let symbol = |x, y| buffer.cell((x, y)).map(|cell| cell.symbol()).unwrap_or_default();
    let line = |y| (0..width).map(|x| symbol(x, y)).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

/// Draws a run of a story as whoever hosts it sees it.
pub(crate) fn of_story(story: &Story, width: u16) -> Vec<String> {
    drawn(&seen(story), &looking(), width, 40)
}

fn at_a_gate() -> Story {
    let mut story = Story::open("", &[Gate::Plan], 2);
    story.plan(4);
    story.advance();
    story
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// Presses keys one by one; gives what was wished for by the last.
fn press(view: &mut View, board: &Board, keys: &str) -> Option<Wish> {
    let code = |c| match c {
        '↓' => KeyCode::Down,
        '↑' => KeyCode::Up,
        '⏎' => KeyCode::Enter,
        '␛' => KeyCode::Esc,
        '⌫' => KeyCode::Backspace,
        c => KeyCode::Char(c),
    };
    keys.chars().map(|c| view.press(key(code(c)), board)).last().flatten()
}

#[test]
fn a_run_at_work() {
    let seen = seen(&Story::at_work(""));
    insta::assert_snapshot!("at_work_80x24", drawn(&seen, &looking(), 80, 24).join("\n"));
    insta::assert_snapshot!("at_work_200x60", drawn(&seen, &looking(), 200, 60).join("\n"));
}

#[test]
fn a_run_with_leftovers() {
    let seen = seen(&Story::incomplete(""));
    let mut view = looking();
    press(&mut view, &seen.0, "↓↓");
    insta::assert_snapshot!("incomplete_80x24", drawn(&seen, &view, 80, 24).join("\n"));
    insta::assert_snapshot!("incomplete_200x60", drawn(&seen, &view, 200, 60).join("\n"));
}

#[test]
fn a_gate_the_help_and_a_reason_that_is_typed() {
    let seen = seen(&at_a_gate());
    let mut view = View::new(Stance::Rests, true);
    insta::assert_snapshot!("at_a_gate", drawn(&seen, &view, 80, 24).join("\n"));
    press(&mut view, &seen.0, "?");
    insta::assert_snapshot!("the_help", drawn(&seen, &view, 80, 24).join("\n"));
    press(&mut view, &seen.0, "qdnot like thiz⌫s");
    insta::assert_snapshot!("a_reason", drawn(&seen, &view, 80, 24).join("\n"));
}

#[test]
fn what_agents_write_reaches_no_cell_as_it_is() {
    for story in [Story::incomplete(HOSTILE), Story::at_work(HOSTILE)] {
        let mut seen = seen(&story);
        let long = format!("{}{HOSTILE}", "x".repeat(10 << 20));
        seen.0.running.push(RunningRow {
            attempt: "t1.1".parse().unwrap(),
            title: long.clone(),
            agent: long.clone(),
            elapsed_ms: 1,
            last_line: Some(long),
        });
        let mut view = looking();
        view.mode = Mode::Typing(super::view::Typing::Steer(None), HOSTILE.to_owned());
        for (width, height) in [(80, 24), (200, 60)] {
            let lines = drawn(&seen, &view, width, height);
            assert!(!lines.iter().any(|line| line.chars().any(is_active)), "{lines:?}");
        }
    }
}

#[test]
fn no_size_is_too_small() {
    let seen = [seen(&Story::at_work("")), seen(&at_a_gate())];
    for (width, height) in (1..40).flat_map(|width| (1..26).map(move |height| (width * 4 - 3, height))) {
        for seen in &seen {
            assert_eq!(drawn(seen, &looking(), width, height).len(), usize::from(height));
        }
    }
}

#[test]
fn the_gate_that_waits_is_meant_where_nothing_is_chosen() {
    let (board, _) = seen(&at_a_gate());
    let mut view = looking();
    let (gate, shown) = (Gate::Plan, at_a_gate().state.shown());
    assert_eq!(press(&mut view, &board, "a"), Some(Wish::Ask(Ask::ApproveGate { gate, shown })));
    let deny = Ask::Deny { gate, reason: "too wide".to_owned(), shown: Some(shown) };
    assert_eq!(press(&mut view, &board, "dtoo wide⏎"), Some(Wish::Ask(deny)));
    assert_eq!(press(&mut view, &board, "d⏎"), None, "without a reason nothing is refused");
    assert_eq!(press(&mut view, &board, "dno␛"), None);
    assert_eq!(view.mode, Mode::Looking);
    assert_eq!(press(&mut view, &board, "r"), None, "a gate is not tried again");
    let back = Ask::SendPlanBack(Objection { reason: "too wide".to_owned(), shown });
    assert_eq!(press(&mut view, &board, "btoo wide⏎"), Some(Wish::Ask(back)));
    assert_eq!(press(&mut view, &board, "b⏎"), None, "without a reason nothing is sent back");
    press(&mut view, &board, "btoo wide");
    assert_eq!(press(&mut view, &Board { gate: None, ..board.clone() }, "⏎"), None, "it no longer waits");

    // Whoever has chosen the plan, or types why not, saw the one before the edit.
    let edited = Board { shown: Some(Shown { edits: shown.edits + 1, ..shown }), ..board.clone() };
    press(&mut view, &board, "↓");
    view.keep_up(&edited);
    assert_eq!(view.chosen, None);
    press(&mut view, &board, "dtoo wide");
    let deny = Ask::Deny { gate, reason: "too wide".to_owned(), shown: Some(shown) };
    assert_eq!(press(&mut view, &edited, "⏎"), Some(Wish::Ask(deny)), "the run refuses that");
}

#[test]
fn the_candidate_that_waits_alone_is_meant_by_its_commit() {
    let (story, task) = Story::awaiting();
    let (board, _) = seen(&story);
    let (attempt, commit) = (AttemptId { task, number: 1 }, board.asked[0].commit.unwrap());
    assert_eq!(Some(commit), story.state.attempt(attempt).unwrap().candidate().map(|it| it.commit));
    let mut view = looking();
    let approve = Ask::ApproveCandidate { attempt, commit };
    assert_eq!(press(&mut view, &board, "a"), Some(Wish::Ask(approve)));
    let deny = Ask::DenyCandidate { attempt, commit, reason: "too bold".to_owned(), then: Refusal::Redo };
    assert_eq!(press(&mut view, &board, "dtoo bold⏎"), Some(Wish::Ask(deny)));
    assert_eq!(press(&mut view, &board, "r"), None, "what waits for a word is not tried again");

    press(&mut view, &board, "↓");
    view.keep_up(&board);
    assert_eq!(view.chosen, Some(Subject::Candidate { attempt, commit }));
    let mut other = board.clone();
    other.asked[0].commit = Some(board.base);
    view.keep_up(&other);
    assert_eq!(view.chosen, None, "another commit was not chosen");
    let mut two = board.clone();
    two.gate = Some(Gate::Spend);
    two.shown = Some(Shown { edits: 0, since_ms: 1 });
    assert_eq!(press(&mut view, &two, "a"), None, "neither of two is meant unasked");
}

#[test]
fn the_question_that_waits_alone_is_answered_in_words() {
    let (mut board, _) = seen(&Story::incomplete(""));
    let (seat, number) = (Seat::Planner { scope: ScopeId(2), wake: 3 }, 2);
    let row = AskedRow {
        what: "s2".to_owned(),
        title: "the docs".to_owned(),
        why: "waits for your answer: the planner of s2 (waking 3) lacks an answer to: Which colour?".to_owned(),
        attempt: None,
        commit: None,
        seat: Some(seat),
        number: Some(number),
    };
    board.asked.push(row);
    let mut view = looking();
    assert_eq!(press(&mut view, &board, "a"), None);
    assert!(view.prompt().unwrap().1.contains("answer the planner of s2 (waking 3)"));
    let answer = Ask::AnswerQuestion { seat, number, answer: "Blue".to_owned() };
    assert_eq!(press(&mut view, &board, "Blue⏎"), Some(Wish::Ask(answer)));
    assert_eq!(press(&mut view, &board, "d"), None, "it is not refused");
    assert!(view.prompt().unwrap().1.contains("choose"));
}

#[test]
fn the_chosen_task_is_meant_and_stays_chosen_while_it_is_there() {
    let story = Story::incomplete("");
    let (board, _) = seen(&story);
    let kept: Vec<TaskId> = board.left.iter().filter(|row| row.status == "kept").map(|row| row.task).collect();
    let blocked = board.left.iter().find(|row| row.status == "blocked").unwrap().task;
    let mut view = looking();
    assert_eq!(press(&mut view, &board, "a"), None);
    assert!(view.prompt().unwrap().1.contains("choose"));
    press(&mut view, &board, "↓");
    while view.chosen.unwrap().task() != Some(kept[0]) {
        press(&mut view, &board, "↓");
    }
    assert_eq!(press(&mut view, &board, "a"), Some(Wish::Ask(Ask::ApproveTask(kept[0]))));
    assert_eq!(press(&mut view, &board, "r"), Some(Wish::Ask(Ask::Retry(kept[0]))));
    let denied = Ask::DenyTask { task: kept[0], reason: "by hand".to_owned() };
    assert_eq!(press(&mut view, &board, "dby hand⏎"), Some(Wish::Ask(denied)));
    let steer = Ask::Steer { task: Some(kept[0]), message: "keep x".to_owned() };
    assert_eq!(press(&mut view, &board, "skeep x⏎"), Some(Wish::Ask(steer)));
    press(&mut view, &board, "␛");
    let steer = Ask::Steer { task: None, message: "all".to_owned() };
    assert_eq!(press(&mut view, &board, "sall⏎"), Some(Wish::Ask(steer)));
    press(&mut view, &board, "↑↑↑↑↑↑↑↑↑↑↑↑");
    while view.chosen.unwrap().task() != Some(blocked) {
        press(&mut view, &board, "↓");
    }
    assert_eq!(press(&mut view, &board, "a"), None, "a blocked task has no candidate to let through");
    let mut later = board.clone();
    later.left.retain(|row| row.task != blocked);
    view.keep_up(&later);
    assert_eq!(view.chosen, None);
}

#[test]
fn leaving_is_safe_whatever_this_process_is_to_the_run() {
    let (board, _) = seen(&Story::at_work(""));
    let mut follows = View::new(Stance::Follows, true);
    assert_eq!(press(&mut follows, &board, "q"), Some(Wish::Leave));
    let mut hosts = looking();
    assert_eq!(press(&mut hosts, &board, "q"), None, "it asks first");
    assert!(hosts.prompt().unwrap().1.contains("works on the run"));
    assert_eq!(press(&mut hosts, &board, "n"), None);
    assert_eq!(press(&mut hosts, &board, "qy"), Some(Wish::Interrupt));
    assert_eq!(press(&mut hosts, &board, "xy"), Some(Wish::Ask(Ask::Drain)));
    assert_eq!(press(&mut hosts, &board, "x⏎"), None);
    for mode in ["", "?", "sabc", "q"] {
        press(&mut hosts, &board, mode);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(hosts.press(interrupt, &board), Some(Wish::Interrupt), "Ctrl-C after {mode:?}");
        hosts.mode = Mode::Looking;
    }
}

#[test]
fn what_is_pasted_is_typed_and_never_pressed() {
    let (board, _) = seen(&at_a_gate());
    let mut view = looking();
    view.paste("a\nq\n");
    assert_eq!((&view.mode, view.prompt()), (&Mode::Looking, None));
    press(&mut view, &board, "s");
    view.paste("one\ntwo\u{1b}[2J");
    let steer = Ask::Steer { task: None, message: "one two [2J".to_owned() };
    assert_eq!(press(&mut view, &board, "⏎"), Some(Wish::Ask(steer)));
    press(&mut view, &board, "s");
    view.paste(&"x".repeat(10 << 20));
    let Some(Wish::Ask(Ask::Steer { message, .. })) = press(&mut view, &board, "⏎") else { panic!("nothing typed") };
    assert_eq!(message.len(), 2000);
}
