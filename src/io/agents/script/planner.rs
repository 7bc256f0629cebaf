//! Owns how a part plays a planner: from what woke it to what it does. Pure: the same call gives the same moves.

use globset::Glob;
use regex::Regex;

use super::draft::{Move, Reaction, ScopeText, TaskText};
use super::part::Part;
use crate::model::attempt::Handoff;
use crate::model::check::Check;
use crate::model::paths::PathSet;
use crate::model::task::{ScopeAnswer, ScopeDraft, TaskDraft};

/// Longest that a check of a scripted task may take, in seconds.
const CHECK_TIMEOUT_S: u64 = 600;

/// States one thing that a planner wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannerMove {
    /// Hand out tasks.
    Emit(Vec<TaskDraft>),
    /// Give parts of the scope to sub-planners.
    Spawn(Vec<ScopeDraft>),
    /// Decide something once for the whole run.
    Claim {
        /// What.
        key: String,
        /// How.
        value: String,
    },
    /// Answer what a task has asked to change.
    AnswerScope(ScopeAnswer),
    /// Let time pass, in milliseconds, before the next move.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Nothing is left to plan until a handoff comes.
    Done,
    /// The planner gives up, and says why.
    Fail(String),
}

/// Holds a handoff that wakes a planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Woken {
    /// Key of the task that handed it up.
    pub task: String,
    /// What it said.
    pub handoff: Handoff,
}

/// Says what the planner of a scope does: at its start (`wake` is 0), or when handoffs have woken it for the given time.
///
/// The last move is always [`PlannerMove::Done`] or [`PlannerMove::Fail`]; what a part says after one is not done.
/// Gives nothing where the part says nothing of planning.
pub fn planner_moves(part: &Part, scope: &str, wake: u32, handoffs: &[Woken]) -> Option<Vec<PlannerMove>> {
    let own = part.scopes.get(scope);
    let (plan, reactions) = match own {
        Some(own) => (&own.plan, &own.on_handoff),
        None => (part.plan.as_ref()?, &part.on_handoff),
    };
    let mut moves = Vec::new();
    if wake == 0 {
        extend(&mut moves, plan, &Holes { scope, wake, from: "" });
    }
    for woken in handoffs {
        for reaction in reactions.iter().filter(|reaction| answers(reaction, wake, woken)) {
            extend(&mut moves, &reaction.then, &Holes { scope, wake, from: &woken.task });
        }
    }
    let is_last = |planned: &PlannerMove| matches!(planned, PlannerMove::Done | PlannerMove::Fail(_));
    match moves.iter().position(is_last) {
        Some(last) => moves.truncate(last + 1),
        None => moves.push(PlannerMove::Done),
    }
    Some(moves)
}

fn answers(reaction: &Reaction, wake: u32, woken: &Woken) -> bool {
    let Handoff { done, concerns, deviations, findings, leftovers, blocked, flagged, wants } = &woken.handoff;
    let says = |wanted: &Regex| {
        let lines = concerns.iter().chain(deviations).chain(findings).chain(blocked).chain([done]);
        let lines = lines.chain(leftovers.iter().map(|leftover| &leftover.why));
        let lines = lines.chain(flagged.iter().flat_map(|flagged| [&flagged.path, &flagged.why]));
        lines.chain(wants.iter().map(|wants| &wants.why)).any(|line| wanted.is_match(line))
    };
    // A pattern that does not compile is a fault of the part, found when it was read.
    let is_task = |glob: &str| Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(&woken.task));
    reaction.wake.is_none_or(|wanted| wanted == wake)
        && reaction.task.as_deref().is_none_or(is_task)
        && reaction.says.as_deref().is_none_or(|wanted| Regex::new(wanted).is_ok_and(|wanted| says(&wanted)))
}

/// Fills what a planner's texts leave open.
struct Holes<'a> {
    scope: &'a str,
    wake: u32,
    from: &'a str,
}

impl Holes<'_> {
    fn fill(&self, text: &str, n: u32) -> String {
        text.replace("{scope}", self.scope)
            .replace("{wake}", &self.wake.to_string())
            .replace("{from}", self.from)
            .replace("{n}", &n.to_string())
    }

    fn titled(&self, title: &str, key: &str, n: u32) -> String {
        self.fill(if title.is_empty() { key } else { title }, n)
    }

    fn task(&self, text: &TaskText, n: u32) -> TaskDraft {
        let check = |line: &String| {
            let run = self.fill(line, n);
            Check { name: run.clone(), run, timeout_s: CHECK_TIMEOUT_S }
        };
        TaskDraft {
            key: self.fill(&text.key, n),
            title: self.titled(&text.title, &text.key, n),
            brief: self.fill(&text.brief, n),
            paths: PathSet::parse(text.paths.iter().map(|path| self.fill(path, n))),
            after: text.after.iter().map(|key| self.fill(key, n)).collect(),
            checks: text.checks.iter().map(check).collect(),
            role: text.role.clone(),
            rules: text.rules.clone(),
            weight: text.weight.max(1),
            splits: PathSet::parse(text.splits.iter().map(|path| self.fill(path, n))),
        }
    }

    fn answer(&self, reason: &str, granted: bool) -> ScopeAnswer {
        ScopeAnswer { task: self.from.to_owned(), granted, paths: PathSet::default(), reason: self.fill(reason, 1) }
    }

    fn scope(&self, text: &ScopeText) -> ScopeDraft {
        ScopeDraft {
            key: self.fill(&text.key, 1),
            title: self.titled(&text.title, &text.key, 1),
            paths: PathSet::parse(text.paths.iter().map(|path| self.fill(path, 1))),
            decisions: text.decisions.clone(),
            role: text.role.clone(),
            brief: self.fill(&text.brief, 1),
        }
    }
}

fn extend(moves: &mut Vec<PlannerMove>, written: &[Move], holes: &Holes) {
    moves.extend(written.iter().map(|one| match one {
        Move::Emit(tasks) => PlannerMove::Emit(tasks.iter().map(|task| holes.task(task, 1)).collect()),
        Move::EmitEach { count, task } => PlannerMove::Emit((1..=*count).map(|n| holes.task(task, n)).collect()),
        Move::Spawn(scopes) => PlannerMove::Spawn(scopes.iter().map(|scope| holes.scope(scope)).collect()),
        Move::Claim { key, value } => PlannerMove::Claim { key: holes.fill(key, 1), value: holes.fill(value, 1) },
        Move::Grant { reason } => PlannerMove::AnswerScope(holes.answer(reason, true)),
        Move::Refuse { reason } => PlannerMove::AnswerScope(holes.answer(reason, false)),
        Move::Wait { ms } => PlannerMove::Wait { ms: *ms },
        Move::Fail(why) => PlannerMove::Fail(holes.fill(why, 1)),
        Move::Done => PlannerMove::Done,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::agents::script::read_part;

    const PART: &str = r#"
plan:
  - emit_each: {count: 2, task: {key: "edit-{n}", paths: ["src/{n}.txt"], after: [first]}}
  - wait: {ms: 50}
  - spawn:
      - {key: docs, paths: [docs/], role: planner}
on_handoff:
  - {task: "edit-*", says: "left", then: [{emit: [{key: "again-{from}-{wake}", paths: [x]}]}]}
  - {wake: 9, then: [{fail: "woken {wake} times"}]}
scopes:
  docs: {plan: [{emit: [{key: "{scope}-all", title: Docs, paths: [docs/]}]}, done, {fail: never}]}
"#;

    fn woken(task: &str, concern: &str) -> Woken {
        Woken { task: task.to_owned(), handoff: Handoff { concerns: vec![concern.to_owned()], ..Handoff::default() } }
    }

    fn keys(moves: &[PlannerMove]) -> Vec<String> {
        let shown = |planned: &PlannerMove| match planned {
            PlannerMove::Emit(tasks) => tasks.iter().map(|task| task.key.clone()).collect::<Vec<_>>().join(" "),
            PlannerMove::Spawn(scopes) => scopes.iter().map(|scope| format!("+{}", scope.key)).collect(),
            PlannerMove::Claim { key, value } => format!("claim {key} {value}"),
            PlannerMove::AnswerScope(answer) => {
                format!("{} {}", if answer.granted { "grant" } else { "refuse" }, answer.task)
            }
            PlannerMove::Wait { ms } => format!("wait {ms}"),
            PlannerMove::Done => "done".to_owned(),
            PlannerMove::Fail(why) => format!("fail {why}"),
        };
        moves.iter().map(shown).collect()
    }

    #[test]
    fn a_planner_starts_with_its_plan_and_is_then_done() {
        let part = read_part(PART).unwrap();
        let moves = planner_moves(&part, "root", 0, &[]).unwrap();
        assert_eq!(keys(&moves), ["edit-1 edit-2", "wait 50", "+docs", "done"]);
        let PlannerMove::Emit(tasks) = &moves[0] else { panic!("no tasks") };
        assert_eq!(tasks[1].title, "edit-2");
        assert!(tasks[1].paths.holds("src/2.txt"));
        assert_eq!((tasks[1].role.as_str(), tasks[1].weight), ("worker", 1));
    }

    #[test]
    fn a_scope_of_its_own_has_a_plan_of_its_own() {
        let part = read_part(PART).unwrap();
        assert_eq!(keys(&planner_moves(&part, "docs", 0, &[]).unwrap()), ["docs-all", "done"]);
    }

    #[test]
    fn a_handoff_wakes_the_reaction_that_it_fits() {
        let part = read_part(PART).unwrap();
        let wake = |wake, handoffs: &[Woken]| keys(&planner_moves(&part, "root", wake, handoffs).unwrap());
        assert_eq!(wake(3, &[woken("edit-1", "two left"), woken("edit-2", "fine")]), ["again-edit-1-3", "done"]);
        assert_eq!(wake(4, &[woken("other", "left")]), ["done"]);
        assert_eq!(wake(9, &[woken("other", "left")]), ["fail woken 9 times"]);
    }

    #[test]
    fn a_part_without_a_plan_plays_no_planner() {
        let part = read_part("steps: [nothing]").unwrap();
        assert_eq!(planner_moves(&part, "root", 0, &[]), None);
    }
}
