//! Owns what a person is told of a run while nobody looks: that it needs them, that something failed, that it is finished,
//! that half of a budget is used. Learns from events, and says each thing once for each cause. Never sends it.

use std::collections::BTreeMap;

use super::ended::{Class, ended};
use super::inbox::{Bucket, inbox_of_limit, inbox_of_run, inbox_of_task, inbox_of_wait};
use super::limits::of_a_person;
use super::waiting::{Waiting, waiting};
use super::words;
use crate::machine::event::{Recorded, Subject};
use crate::machine::state::{State, Status};
use crate::model::gating::Then;
use crate::model::ids::TaskId;
use crate::model::inert::{fit, headline};
use crate::model::notice::{Cause, Notice};
use crate::model::spend::Usd;

/// Shares of a budget that are told of, in percent.
const STEPS: [u64; 3] = [50, 80, 100];
/// Longest texts that are told, in columns.
const TITLE: usize = 200;
const WHY: usize = 600;

/// Knows what was told of a run. Nothing of it need be kept: it is what [`Noticing::of`] reads from the state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Noticing {
    /// How the run stands, where that is told.
    stands: Option<Class>,
    /// Counts by which tasks that are left over are noticed.
    tally: (u32, u32),
    /// Tasks that are left over to a person: whether each is blocked.
    left: BTreeMap<TaskId, bool>,
    /// Whether a blocked task waits for its planner, and comes to be left over to a person if that says nothing.
    has_asked: bool,
    /// Agents whose limit somebody must lift.
    limits: Vec<String>,
    /// What waits for a word: whether that is overdue. A gate is told of when the run has come to rest there, and when it
    /// is overdue.
    awaited: BTreeMap<Subject, bool>,
    /// The share of each budget that was told of.
    used: BTreeMap<&'static str, u64>,
}

impl Noticing {
    /// Reads what was told of a run that stands like this.
    pub fn of(state: &State) -> Self {
        if state.opening.is_none() {
            return Self::default();
        }
        let is_blocked = |status: &Status| match status {
            Status::Blocked { .. } => Some(true),
            Status::Kept { .. } => Some(false),
            Status::Waiting
            | Status::Ready
            | Status::Running
            | Status::Judging
            | Status::Gated
            | Status::Queued
            | Status::Landed { .. }
            | Status::Nothing
            | Status::Dropped { .. }
            | Status::Reverted { .. } => None,
        };
        let mut left: BTreeMap<TaskId, bool> =
            state.tasks.iter().filter_map(|(id, task)| Some((*id, is_blocked(&task.status)?))).collect();
        let count = left.len();
        left.retain(|id, is_blocked| !*is_blocked || !state.waits_for_planner(*id));
        let has_asked = left.len() < count;
        let mut noticing = Self { left, has_asked, tally: (state.tally.kept, state.tally.blocked), ..Self::default() };
        noticing.read(state);
        noticing
    }

    /// Reads what costs nothing to read.
    fn read(&mut self, state: &State) {
        let class = ended(state).class;
        // Whoever stopped it knows.
        self.stands = (!matches!(class, Class::Unopened | Class::Live | Class::Stopped)).then_some(class);
        self.limits = of_a_person(state).into_iter().map(|row| row.agent).collect();
        let is_told = |(on, is_overdue): &(Subject, bool)| *is_overdue || !matches!(on, Subject::Gate(_));
        let awaited = state.awaited().map(|(on, wait)| (on, wait.is_overdue));
        self.awaited = awaited.filter(is_told).collect();
        self.used = shares(state).into_iter().map(|share| (share.what, share.step())).collect();
    }

    /// Takes in an event and the state after it; gives what is told because of it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) -> Vec<Notice> {
        // No event keeps one task and lets go of another, so that equal counts mean that nothing has changed.
        let is_same = !self.has_asked && self.tally == (state.tally.kept, state.tally.blocked);
        let after = if is_same {
            let left = std::mem::take(&mut self.left);
            let mut after = Self { left, tally: self.tally, ..Self::default() };
            if state.opening.is_some() {
                after.read(state);
            }
            after
        } else {
            Self::of(state)
        };
        let before = std::mem::replace(self, after);
        let Some(opening) = &state.opening else { return Vec::new() };
        let mut told = Vec::new();
        for share in shares(state) {
            let step = share.step();
            if step > before.used.get(share.what).copied().unwrap_or(0) {
                let next = format!("artel cost {}", opening.run);
                told.push(Told { percent: Some(step), ..Told::new(Cause::Budget, share.words(step), next) });
            }
        }
        for row in of_a_person(state).iter().filter(|row| !before.limits.contains(&row.agent)) {
            let (task, title, why, next) = inbox_of_limit(state, row);
            told.push(Told { task, title: Some(title), ..Told::new(Cause::NeedsInput, why, next) });
        }
        if self.awaited != before.awaited {
            for (on, shown) in waiting(state) {
                if self.awaited.get(&on).is_some_and(|now| before.awaited.get(&on) != Some(now)) {
                    told.extend(told_of_wait(state, on, &shown));
                }
            }
        }
        let is_new = |(id, is_blocked): &(&TaskId, &bool)| !is_same && before.left.get(id) != Some(is_blocked);
        for (id, is_blocked) in self.left.iter().filter(is_new) {
            let Some(task) = state.tasks.get(id) else { continue };
            let Some((_, why, next)) = inbox_of_task(state, task, &opening.run, *id) else { continue };
            let cause = if *is_blocked { Cause::NeedsInput } else { Cause::Failed };
            told.push(Told { task: Some(*id), title: Some(task.draft.title.clone()), ..Told::new(cause, why, next) });
        }
        if self.stands.is_some()
            && self.stands != before.stands
            && let Some((bucket, next)) = inbox_of_run(state, &opening.run)
        {
            let cause = match bucket {
                Bucket::NeedsInput => Cause::NeedsInput,
                Bucket::Failed => Cause::Failed,
                Bucket::Finished => Cause::Finished,
            };
            told.push(Told::new(cause, ended(state).words, next));
        }
        let notice = |(number, told): (u32, Told)| told.notice(state, recorded, number);
        (1..).zip(told).map(notice).collect()
    }
}

/// Holds what is said, before it has a name.
struct Told {
    cause: Cause,
    task: Option<TaskId>,
    title: Option<String>,
    why: String,
    next: String,
    percent: Option<u64>,
}

impl Told {
    fn new(cause: Cause, why: String, next: String) -> Self {
        Self { cause, task: None, title: None, why, next, percent: None }
    }

    fn notice(self, state: &State, recorded: &Recorded, number: u32) -> Notice {
        let opening = state.opening();
        let (run, seq) = (opening.run.clone(), recorded.seq);
        Notice {
            id: format!("{run}-{seq}-{number}"),
            cause: self.cause,
            run,
            name: opening.name.as_ref().map(|name| fit(name, TITLE)),
            task: self.task,
            title: headline(self.title.as_ref().unwrap_or(&opening.goal.name), TITLE),
            why: headline(&self.why, WHY),
            next: fit(&self.next, WHY),
            percent: self.percent,
            seq,
            number,
            at_ms: recorded.at_ms,
        }
    }
}

/// Says what is told of something that waits for a word, or has waited for it long enough.
fn told_of_wait(state: &State, on: Subject, shown: &Waiting) -> Option<Told> {
    let (task, title, why, next) = inbox_of_wait(state, on, shown);
    // Where time gave or refused the word, nobody's is needed any more.
    let (cause, why) = match (shown.is_overdue, shown.lapse) {
        (true, Some(Then::Stop)) if on == Subject::Delivery => return None,
        (false, _) | (true, None | Some(Then::Stop)) => (Cause::NeedsInput, why),
        (true, Some(Then::Escalate)) => {
            let waited_ms = words::between_ms(shown.since_ms, shown.until_ms.unwrap_or(shown.since_ms));
            (Cause::Escalated, format!("{why}; no word came within {}", words::limit(waited_ms / 1000)))
        }
        (true, Some(Then::Approve | Then::Deny)) => return None,
    };
    Some(Told { task, title: Some(title), ..Told::new(cause, why, next) })
}

/// Says how much of a budget is used.
struct Share {
    what: &'static str,
    used: u64,
    of: u64,
    /// Whether nothing more may be used, though the sum is not reached.
    is_over: bool,
}

impl Share {
    /// Gives the highest of the shares that are told of which was reached; 0 where none was.
    fn step(&self) -> u64 {
        let reached = |step: &&u64| u128::from(self.used) * 100 >= u128::from(self.of) * u128::from(**step);
        if self.is_over { 100 } else { STEPS.iter().rev().find(reached).copied().unwrap_or(0) }
    }

    fn words(&self, step: u64) -> String {
        let amount = |n: u64| match self.what {
            "money" => Usd(n).to_string(),
            "attempts" | "tokens" | "calls" => n.to_string(),
            _ => words::duration(n),
        };
        format!(
            "{step} % of the {} that the run may use is used: {} of {}",
            self.what,
            amount(self.used),
            amount(self.of)
        )
    }
}

/// Lists the budgets that a run has.
fn shares(state: &State) -> Vec<Share> {
    let budget = &state.budget;
    let spent = state.total_spent();
    let share = |what, used, of: Option<u64>| of.map(|of| Share { what, used, of, is_over: false });
    let used = spent.spend.means();
    let of_calls = [
        share("money", used.nano_usd, budget.nano_usd),
        share("tokens", used.tokens, budget.tokens),
        share("calls", used.calls, budget.calls),
    ];
    // Whose call was refused for want of one of them is told once, by the one that is nearest to its end.
    let nearest = |it: &Share| u128::from(it.used) * 1000 / u128::from(it.of.max(1));
    let short =
        of_calls.iter().flatten().max_by_key(|it| nearest(it)).map(|it| it.what).filter(|_| state.is_money_short);
    let of_calls = of_calls.into_iter().flatten().map(|it| Share { is_over: short == Some(it.what), ..it });
    let ms = |s: Option<u64>| s.map(|s| s.saturating_mul(1000));
    let all = [
        share("attempts", state.attempts_made(), budget.attempts),
        share("processor time", spent.usage.cpu_ms, ms(budget.cpu_s)),
        share("time", words::between_ms(state.opened_ms, state.last_ms), ms(budget.wall_s)),
    ];
    of_calls.chain(all.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Ask, Command};
    use crate::machine::evolve::evolve;
    use crate::model::gating::Timeout;
    use crate::model::goal::{Budget, Gate};
    use crate::model::inert::is_active;
    use crate::views::story::{HOSTILE, Story};

    /// Gives what is told of a story from its beginning.
    fn told(story: &Story) -> Vec<Notice> {
        let (mut state, mut noticing, mut told) = (State::default(), Noticing::default(), Vec::new());
        for recorded in &story.events {
            state = evolve(state, recorded);
            told.extend(noticing.learn(&state, recorded));
            assert_eq!(noticing, Noticing::of(&state), "at event {}: what was told is not kept", recorded.seq);
        }
        told
    }

    #[test]
    fn what_is_told_of_a_run_with_leftovers() {
        let lines: Vec<String> = told(&Story::incomplete("")).iter().map(Notice::line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn each_thing_has_a_name_of_its_own_and_is_told_once() {
        let told = told(&Story::incomplete(""));
        let mut ids: Vec<&str> = told.iter().map(|notice| notice.id.as_str()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(told.iter().filter(|notice| notice.task.is_none() && notice.cause == Cause::Failed).count(), 1);
    }

    #[test]
    fn what_is_told_is_inert_and_short() {
        for notice in told(&Story::incomplete(HOSTILE)) {
            let line = notice.line();
            assert!(!line.chars().any(is_active), "{line:?}");
            assert!(notice.next.starts_with("artel "), "{}", notice.next);
            assert!(line.chars().count() < 1000);
        }
    }

    #[test]
    fn a_gate_is_told_of_and_a_stop_by_hand_is_not() {
        let mut story = Story::open("", &[Gate::Plan], 2);
        story.plan(4);
        story.advance();
        let lines: Vec<String> = told(&story).iter().map(Notice::line).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("needs you"), "{lines:?}");
        let mut story = Story::at_work("");
        let before = told(&story).len();
        story.ask("q-1", Ask::Stop);
        story.advance();
        assert_eq!(told(&story).len(), before);
    }

    #[test]
    fn a_candidate_that_waits_for_a_word_is_told_of_once() {
        let (story, task) = Story::awaiting();
        let told = told(&story);
        let found: Vec<_> = told.iter().map(|notice| (notice.cause, notice.task, notice.next.as_str())).collect();
        let run = &story.state.opening().run;
        let next = format!("artel approve {run}/{task}");
        assert_eq!(found, [(Cause::NeedsInput, Some(task), next.as_str())]);
        assert!(told[0].why.contains("every landing waits"), "{}", told[0].why);
    }

    #[test]
    fn a_word_that_does_not_come_is_told_of_as_what_becomes_of_it() {
        let after = |then| {
            let timeout = Some(Timeout { after_s: 8 * 3600, then });
            let (mut story, task) = Story::awaiting_with(|goal| goal.gating.timeout = timeout);
            assert_eq!(told(&story).len(), 1);
            story.pass(8 * 3_600_000);
            story.tell(Command::LetLapse);
            let of_task: Vec<Notice> = told(&story).into_iter().filter(|notice| notice.task == Some(task)).collect();
            of_task[1..].to_vec()
        };
        let escalated = after(Then::Escalate);
        assert_eq!(escalated.len(), 1);
        assert_eq!(escalated[0].cause, Cause::Escalated);
        assert!(escalated[0].why.ends_with("OVERDUE; no word came within 8 h"), "{}", escalated[0].why);
        assert!(escalated[0].line().contains(" escalated: "), "{}", escalated[0].line());
        let causes = |then| after(then).iter().map(|notice| notice.cause).collect::<Vec<_>>();
        assert_eq!(causes(Then::Stop), [Cause::NeedsInput]);
        assert!(causes(Then::Approve).is_empty());
        assert_eq!(causes(Then::Deny), [Cause::Failed], "its task is kept");
    }

    #[test]
    fn a_kept_task_that_is_kept_again_is_told_of_again() {
        let mut story = Story::incomplete("");
        let kept = story.first(|status| matches!(status, Status::Kept { .. }));
        let of_it = |story: &Story| told(story).iter().filter(|notice| notice.task == Some(kept)).count();
        assert_eq!(of_it(&story), 1);
        story.ask("q-1", Ask::Retry(kept));
        assert_eq!(of_it(&story), 1);
    }

    #[test]
    fn half_of_a_budget_four_fifths_and_all_of_it_are_told_once_each() {
        let mut story = Story::open("", &[], 2);
        story.plan(6);
        story.ask("q-1", Ask::Raise(Budget { attempts: Some(2), wall_s: Some(100), ..Budget::default() }));
        story.pass(50_000);
        story.advance();
        story.pass(40_000);
        story.ask("q-2", Ask::Steer { task: None, message: "m".to_owned() });
        let told = told(&story);
        let budget = told.iter().filter(|notice| notice.cause == Cause::Budget);
        let found: Vec<(&str, Option<u64>)> = budget
            .map(|notice| (if notice.why.contains("attempts") { "attempts" } else { "time" }, notice.percent))
            .collect();
        let want = [("time", Some(50)), ("attempts", Some(50)), ("attempts", Some(100)), ("time", Some(80))];
        for one in want {
            assert_eq!(found.iter().filter(|it| **it == one).count(), 1, "{one:?} of {found:?}");
        }
    }
}
