//! Owns what is told of what planners and workers ask for, and of what waits for the split of a file. Never shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, Tone, detail, progress, text, whose};
use crate::machine::state::State;
use crate::model::ids::{ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::seat::Seat;

/// Shows a file that a task splits, and what waits until it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrozenRow {
    /// The files.
    pub paths: Vec<String>,
    /// The task that splits them.
    pub by: TaskId,
    /// Its title.
    pub title: String,
    /// How many tasks wait for it.
    pub tasks: u32,
}

/// Lists the files that are being split, the oldest split first.
pub fn frozen(state: &State) -> Vec<FrozenRow> {
    if state.splits.is_empty() {
        return Vec::new();
    }
    let ready = state.ready.iter().map(|urgency| urgency.task);
    let waiting: Vec<TaskId> =
        ready.chain(state.queue.iter().map(|id| id.task)).filter_map(|id| state.held_by(id)).collect();
    let row = |(id, task): (TaskId, &crate::machine::state::Task)| FrozenRow {
        paths: task.draft.splits.iter().map(str::to_owned).collect(),
        by: id,
        title: task.draft.title.clone(),
        tasks: u32::try_from(waiting.iter().filter(|by| **by == id).count()).unwrap_or(u32::MAX),
    };
    state.freezing().map(row).collect()
}

/// Says which split a task waits for, where it does.
pub fn waits_for_split(state: &State, id: TaskId) -> Option<String> {
    let by = state.held_by(id)?;
    let splits = state.tasks.get(&by).map(|task| named(&task.draft.splits)).unwrap_or_default();
    Some(format!("waits for the split of {splits} by {by}"))
}

/// Says to whoever plans what people have said, and why they sent the plans before back, a line each.
pub fn told_to_planners(state: &State) -> Vec<String> {
    let sent_back = state.asked.sent_back.iter().map(|why| format!("a plan was sent back, to be made anew: {why}"));
    sent_back.chain(state.steering.iter().cloned()).collect()
}

fn named(paths: &PathSet) -> String {
    paths.iter().collect::<Vec<_>>().join(", ")
}

pub(super) fn raised(task: String, to: ScopeId) -> Line {
    progress(format!("what {task} asks to change lies outside its planner's scope: the planner of {to} is asked"))
}

pub(super) fn answered(task: String, (granted, paths): (bool, &PathSet), reason: &str, by: Option<ScopeId>) -> Line {
    let who = by.map_or_else(|| "a person".to_owned(), |by| format!("the planner of {by}"));
    let (paths, reason) = (text(&named(paths)), text(reason));
    if granted {
        return progress(format!("{who} lets {task} change {paths} too: {reason}"));
    }
    progress(format!("{who} does not let {task} change {paths}: {reason}")).in_tone(Tone::Warning)
}

pub(super) fn heard(seat: Seat, before_call: u64) -> Line {
    detail(format!("{} was told what people have said, before its call {before_call} of a tool", whose(seat)))
}

pub(super) fn asks(who: &str, missing: &str) -> Line {
    progress(format!("{who} waits for a person: it lacks {}", text(missing))).in_tone(Tone::Warning)
}

pub(super) fn told(seat: Seat, answer: &str) -> Line {
    progress(format!("{} was answered: {}", whose(seat), text(answer)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::machine::command::{Ask, Command, Leave, PlanStep};
    use crate::machine::event::Recorded;
    use crate::machine::testing::Scene;
    use crate::model::attempt::Usage;
    use crate::model::gating::{Then, Timeout};
    use crate::model::inert::is_active;
    use crate::model::notice::Cause;
    use crate::model::task::TaskDraft;
    use crate::views::board::board;
    use crate::views::ended::ended;
    use crate::views::inbox::{Bucket, inbox};
    use crate::views::notices::Noticing;
    use crate::views::story::{HOSTILE, Story};
    use crate::views::task::task;

    #[test]
    fn what_waits_for_a_split_says_so_wherever_it_is_looked_at() {
        let mut story = Story::open("", &[], 1);
        let path = PathSet::of_files(["src/all.rs".to_owned()]);
        let draft = |key: &str, splits| TaskDraft {
            key: key.to_owned(),
            title: key.to_owned(),
            brief: String::new(),
            paths: path.clone(),
            after: BTreeSet::new(),
            checks: Vec::new(),
            role: "worker".to_owned(),
            rules: Vec::new(),
            weight: 1,
            splits,
        };
        let step = PlanStep::Emit(vec![draft("split", path.clone()), draft("other", PathSet::default())]);
        story.tell(Command::ReportPlan { scope: ScopeId(0), wake: 1, fence: 0, step });
        let (split, other) = (TaskId(1), TaskId(2));
        let board = board(&story.state, &story.outside()).unwrap();
        let [row] = board.frozen.as_slice() else { panic!("{:?}", board.frozen) };
        assert_eq!((row.by, row.tasks, row.paths.as_slice()), (split, 1, &["src/all.rs".to_owned()][..]));
        let told = task(&story.state, other, story.now_ms).unwrap();
        assert_eq!(told.why.as_deref(), Some("waits for the split of src/all.rs by t1"));
    }

    const PLANNER: Seat = Seat::Planner { scope: ScopeId(0), wake: 1 };

    /// Has a planner's session ask a person something in a run whose words are overdue after a minute.
    fn asking(missing: &str) -> Scene {
        let scene = Scene::opened(|opening| {
            opening.roles.get_mut("planner").unwrap().agents = vec!["claude".parse().unwrap()];
            opening.goal.gating.timeout = Some(Timeout { after_s: 60, then: Then::Escalate });
        });
        let scene = scene.begun().settled();
        let fence = scene.state.sitting[&PLANNER].fence;
        let leave = Leave::Asks { missing: missing.to_owned(), session: None };
        scene.does(Command::LeaveSeat { seat: PLANNER, fence, leave, usage: Usage::default() }).settled()
    }

    /// Gives what is told of a run by each event that a command brings.
    fn told_of(scene: Scene, command: Command) -> (Scene, Vec<(Cause, String)>) {
        let mut noticing = Noticing::of(&scene.state);
        let (mut scene, mut told) = (scene.clone(), Vec::new());
        for event in scene.when(&command).unwrap() {
            scene = scene.given(event.clone());
            let recorded = Recorded { seq: scene.state.seq, at_ms: scene.now_ms, event };
            let line = crate::views::line::line(&scene.state, &recorded);
            assert!(!line.text.contains(is_active), "{}", line.text);
            told.extend(noticing.learn(&scene.state, &recorded).into_iter().map(|it| (it.cause, it.line())));
        }
        (scene, told)
    }

    #[test]
    fn a_question_stands_in_the_inbox_once_and_says_who_asks_and_how_it_is_answered() {
        let scene = asking("an answer to: Which colour?");
        let items = inbox(&scene.state);
        let [item] = items.as_slice() else { panic!("{items:?}") };
        let run = &scene.state.opening().run;
        assert_eq!((item.bucket, item.next.as_str()), (Bucket::NeedsInput, &*format!("artel answer {run}/s0 ANSWER")));
        assert_eq!(item.why, "waits for your answer: the planner of s0 lacks an answer to: Which colour?");
        let waiting = item.waiting.as_ref().unwrap();
        assert_eq!((waiting.seat, waiting.number), (Some(PLANNER), Some(1)));
        let outside = Story::open("", &[], 1);
        let board = board(&scene.state, &outside.outside()).unwrap();
        assert_eq!((board.asked.len(), &*board.scopes[0].planner), (1, "asks"));
        assert_eq!(ended(&scene.state).words, "waits for your answer to 1 question");
    }

    #[test]
    fn a_question_is_told_of_once_and_once_more_when_its_answer_is_overdue() {
        let quiet = Scene::opened(|opening| {
            opening.roles.get_mut("planner").unwrap().agents = vec!["claude".parse().unwrap()];
        });
        let quiet = quiet.begun().settled();
        let fence = quiet.state.sitting[&PLANNER].fence;
        let leave = Leave::Asks { missing: HOSTILE.to_owned(), session: None };
        let leaves = Command::LeaveSeat { seat: PLANNER, fence, leave, usage: Usage::default() };
        let (scene, told) = told_of(quiet, leaves);
        assert!(matches!(told.as_slice(), [(Cause::NeedsInput, line)] if !line.contains(is_active)), "{told:?}");
        assert_eq!(told_of(scene, Command::Advance).1, [], "that the run rests on it says no more");
        let mut late = asking("a word");
        late.now_ms += 60_000;
        let (late, told) = told_of(late, Command::LetLapse);
        assert!(
            matches!(told.as_slice(), [(Cause::Escalated, line)] if line.contains("no word came within")),
            "{told:?}"
        );
        let answer = Ask::AnswerQuestion { seat: PLANNER, number: 1, answer: HOSTILE.to_owned() };
        let command = Command::Request { id: "q-9".parse().unwrap(), ask: answer };
        let (answered, told) = told_of(late, command);
        assert!(told.is_empty() && inbox(&answered.state).is_empty(), "{told:?}");
    }
}
