//! Owns a person's word: what goals ask one for, how much a change truly changes, what people say, and the book of each
//! word that was given and used.

use std::collections::BTreeMap;

use artel::machine::awaited::{Objection, Shown};
use artel::machine::command::{Ask, Link, Refusal};
use artel::machine::event::{Event, Subject};
use artel::machine::rules::edit::planned;
use artel::machine::state::State;
use artel::model::gating::{Extent, Gating, Reason, Then, Timeout, covers, reasons};
use artel::model::globs::globs;
use artel::model::goal::{Gate, Goal};
use artel::model::ids::{AttemptId, Oid};
use artel::model::plan_edit::{EditedTask, PlanEdit};
use artel::model::seat::Seat;

use crate::laws::{Law, broken, law};
use crate::repo::{Repo, Tree};
use crate::world::World;

/// Adds what waits for a word, drawn from what is there, so that seeds give the runs that they gave before.
pub fn gate(goal: &mut Goal, drawn: Oid, hears: bool) {
    let one_in = |at: usize, n: u8| drawn.0[at].is_multiple_of(n);
    // A plan whose planner hears why is the only one that is sent back.
    if hears && one_in(11, 2) {
        goal.approve.insert(Gate::Plan);
    }
    let then = [Then::Deny, Then::Approve, Then::Stop, Then::Escalate][drawn.0[9] as usize % 4];
    if one_in(1, 8) {
        goal.approve.insert(Gate::Landing);
    }
    if one_in(2, 4) {
        goal.approve.insert(Gate::Delivery);
    }
    goal.gating = Gating {
        paths: if one_in(3, 4) { vec!["a/*".to_owned()] } else { Vec::new() },
        roles: if one_in(4, 6) { ["second".to_owned()].into() } else { Default::default() },
        lines: one_in(5, 5).then_some(24),
        files: one_in(6, 6).then_some(1),
        nano_usd: one_in(7, 3).then_some(400),
        timeout: one_in(8, 3).then_some(Timeout { after_s: 900, then }),
    };
}

/// Tells how much a change truly changes. What merging makes of it is now and then more than its author did.
pub fn measure(goal: &Goal, old: &Tree, new: &Tree) -> Extent {
    let differs = |path: &&String| old.get(*path) != new.get(*path);
    let paths: Vec<&String> = old.keys().chain(new.keys().filter(|path| !old.contains_key(*path))).collect();
    let changed: Vec<String> = paths.into_iter().filter(differs).cloned().collect();
    let guard = globs(&goal.gating.paths).expect("sound globs");
    let mut guarded: Vec<String> = changed.iter().filter(|path| guard.is_match(path)).cloned().collect();
    guarded.sort_unstable();
    let surroundings = old.values().map(|blob| u64::from(blob.id) % 3).sum::<u64>() % 12;
    Extent { files: changed.len() as u32, lines: 10 * changed.len() as u64 + surroundings, guarded }
}

/// Holds each word that was given and not used yet.
#[derive(Default)]
pub struct Words {
    asked: BTreeMap<AttemptId, Vec<Reason>>,
    given: BTreeMap<AttemptId, Vec<Reason>>,
    proposed: Option<String>,
}

impl Words {
    /// Holds an event against the words that were given before it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most events are no matter of a word")]
    pub fn before(&mut self, state: &State, event: &Event, repo: &Repo) -> Law {
        match event {
            Event::CandidateAsked { attempt, reasons } => {
                let is_new = self.asked.insert(*attempt, reasons.clone()).is_none();
                law(is_new, || format!("{attempt} is asked about twice"))?;
            }
            Event::CandidateApproved { attempt, commit } => {
                let stands = state.attempt(*attempt).and_then(|it| it.candidate()).map(|it| it.commit);
                law(stands == Some(*commit), || format!("a word on {commit} is taken for one on {stands:?}"))?;
                let asked = self.asked.remove(attempt).ok_or_else(|| broken(format!("{attempt} was never asked")))?;
                // What was said on the same commit before still holds.
                self.given.entry(*attempt).or_default().extend(asked);
            }
            Event::CandidateDenied { attempt, .. } => {
                self.asked.remove(attempt);
                self.given.remove(attempt);
            }
            Event::TaskDropped { task, .. } => self.asked.retain(|id, _| id.task != *task),
            Event::TaskOverruled { task } => {
                let attempts = &state.tasks[task].attempts;
                let id = AttemptId { task: *task, number: attempts.len() as u32 };
                let candidate = attempts.last().and_then(|it| it.candidate()).expect("it is let land");
                let (old, new) = (repo.tree_of(candidate.base), repo.tree_of(candidate.commit));
                self.given.insert(id, wanted(state, id, &measure(&state.opening().goal, old, new)));
            }
            Event::MemberEjected { attempt, .. } => _ = self.given.remove(attempt),
            Event::BatchLanded { landed, .. } => self.landed(state, landed, repo)?,
            Event::DeliveryProposed { branch, .. } => self.proposed = Some(branch.clone()),
            Event::DeliveryRefused { .. } => self.proposed = None,
            Event::DeliveryAsked { branch } => {
                let is_gated = state.opening().goal.approve.contains(&Gate::Delivery);
                let of = self.proposed.take();
                law(!is_gated || of.as_ref() == Some(branch), || format!("`{branch}` is delivered, asked was {of:?}"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Holds each landing against the rules, by what it truly changes, and uses its word up.
    fn landed(&mut self, state: &State, landed: &[Link], repo: &Repo) -> Law {
        let mut before = state.head.expect("the branch is open");
        for link in landed {
            let extent = measure(&state.opening().goal, repo.tree_of(before), repo.tree_of(link.commit));
            let wanted = wanted(state, link.attempt, &extent);
            let said = self.given.remove(&link.attempt).unwrap_or_default();
            law(covers(&said, &wanted), || format!("{} lands, {wanted:?} wanted a word, had {said:?}", link.attempt))?;
            before = link.commit;
        }
        Ok(())
    }
}

fn wanted(state: &State, id: AttemptId, extent: &Extent) -> Vec<Reason> {
    let (goal, task) = (&state.opening().goal, &state.tasks[&id.task]);
    // Its own role's, also where its resolver has brought it.
    let own = &task.draft.role;
    let played = state.role_of(task).map_or("", |role| role.name.as_str());
    reasons(goal, if goal.gating.roles.contains(own) { own } else { played }, extent)
}

/// Says something on what waits for a word, sensible or not; nothing where nothing waits.
pub fn word(world: &mut World) -> Option<Ask> {
    let awaited: Vec<Subject> = world.state.awaited().map(|(on, _)| on).collect();
    let on = world.rng.choice(&awaited).copied()?;
    if on == Subject::Gate(Gate::Plan) && world.rng.u8(0..3) > 0 {
        return Some(Ask::EditPlan(edited(world)));
    }
    let goes_on = world.rng.u8(0..4) > 0;
    // Now and then somebody speaks of what he has not seen.
    let is_blind = world.rng.u8(0..6) == 0;
    let reason = "no".to_owned();
    Some(match on {
        Subject::Gate(gate) => {
            if goes_on {
                let shown = world.state.shown();
                let shown = if is_blind { Shown { edits: shown.edits + 1, ..shown } } else { shown };
                Ask::ApproveGate { gate, shown }
            } else if gate == Gate::Plan && is_blind {
                sent_back(world, is_blind)
            } else {
                Ask::Deny { gate, reason, shown: None }
            }
        }
        Subject::Candidate(attempt) => {
            let commit = world.state.asked.candidates[&attempt].commit;
            let commit = if is_blind { Oid([7; 20]) } else { commit };
            let then = if world.rng.bool() { Refusal::Redo } else { Refusal::Drop };
            if goes_on {
                Ask::ApproveCandidate { attempt, commit }
            } else {
                Ask::DenyCandidate { attempt, commit, reason, then }
            }
        }
        Subject::Delivery => {
            let waiting = world.state.asked.delivery.clone()?;
            let head = if is_blind { world.state.opening().base } else { waiting.head };
            let branch = waiting.branch;
            if goes_on { Ask::ApproveDelivery { branch, head } } else { Ask::DenyDelivery { branch, head, reason } }
        }
        Subject::Question(seat) => answer(&world.state, seat, u32::from(is_blind))?,
    })
}

/// Has something against a plan that a session made, now and then, in a wild world.
pub fn objection(world: &World) -> Option<Ask> {
    let hears = world.state.waiting == Some(Gate::Plan) && world.state.is_planned_by_session();
    let mut chance = world.beside(50);
    // One after the other: chances whose salts are near each other follow each other.
    let (speaks, is_blind) = (chance.u8(0..100) < 50, chance.bool());
    (hears && world.is_wild() && speaks).then(|| sent_back(world, is_blind))
}

/// Sends the plan back that waits, or the one before.
fn sent_back(world: &World, is_blind: bool) -> Ask {
    let shown = world.state.shown();
    let shown = if is_blind { Shown { edits: shown.edits + 1, ..shown } } else { shown };
    Ask::SendPlanBack(Objection { reason: "no".to_owned(), shown })
}

/// Answers what was asked at a seat, or a question that many after it.
fn answer(state: &State, seat: Seat, after: u32) -> Option<Ask> {
    let (number, _) = state.open_question(seat)?;
    Some(Ask::AnswerQuestion { seat, number: number + after, answer: "it is so".to_owned() })
}

/// Edits the plan as it stands: some tasks are taken out, split, told otherwise, put in another order.
fn edited(world: &mut World) -> PlanEdit {
    let revision = world.state.asked.edits + u32::from(world.rng.u8(0..8) == 0);
    let all: Vec<EditedTask> = planned(&world.state)
        .map(|(_, task)| EditedTask { scope: Some(task.scope), draft: task.draft.clone() })
        .collect();
    let known: Vec<String> = all.iter().map(|task| task.draft.key.clone()).collect();
    let mut tasks = Vec::new();
    for mut task in all {
        match world.rng.u8(0..8) {
            0 => continue,
            1 => {
                let mut half = task.clone();
                half.draft.key = format!("{}/half {}", half.draft.key, world.fresh());
                tasks.push(half);
            }
            2 => task.draft.weight = world.rng.u64(0..9),
            3 => task.draft.brief = "mind the gap".to_owned(),
            4 => task.draft.after.clear(),
            5 => _ = task.draft.after.insert(world.rng.choice(&known).cloned().unwrap_or_default()),
            6 if world.rng.u8(0..4) == 0 => task.draft.paths = artel::model::paths::PathSet::everything(),
            _ => {}
        }
        tasks.push(task);
    }
    let is_there: Vec<String> = tasks.iter().map(|task| task.draft.key.clone()).collect();
    if world.rng.u8(0..4) > 0 {
        for task in &mut tasks {
            task.draft.after.retain(|key| is_there.contains(key));
        }
    }
    PlanEdit { revision, tasks }
}

/// Says what a run that waits for a word is told in a kind world; where its time-out will tell, nobody does.
pub fn kind_word(state: &State) -> Option<Ask> {
    let (on, wait) = state.awaited().next()?;
    let lapses = state.opening().goal.gating.timeout.is_some_and(|it| matches!(it.then, Then::Deny | Then::Approve));
    if lapses && !wait.is_overdue {
        return None;
    }
    Some(match on {
        Subject::Gate(gate) => Ask::Approve(gate),
        Subject::Candidate(attempt) => {
            Ask::ApproveCandidate { attempt, commit: state.asked.candidates[&attempt].commit }
        }
        Subject::Delivery => {
            let waiting = state.asked.delivery.as_ref()?;
            Ask::ApproveDelivery { branch: waiting.branch.clone(), head: waiting.head }
        }
        Subject::Question(seat) => answer(state, seat, 0)?,
    })
}
