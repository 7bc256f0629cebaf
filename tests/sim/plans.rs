//! Owns the planners: they hand out tasks, give parts of their scope away, try what is forbidden, finish or fail.

use std::collections::{BTreeSet, VecDeque};

use artel::machine::command::PlanStep;
use artel::machine::state::Scope;
use artel::model::ids::ScopeId;
use artel::model::paths::PathSet;
use artel::model::task::{ScopeAnswer, ScopeDraft, TaskDraft};

use crate::checks::check;
use crate::world::{Mood, Must, World};

/// How many tasks a wild run may grow to.
const TASKS: usize = 24;

/// Thinks of the moves of one waking.
pub fn moves(world: &mut World, id: ScopeId, wake: u32) -> VecDeque<(PlanStep, Must)> {
    let scope = world.state.scopes[&id].clone();
    let mut moves = VecDeque::new();
    if world.mood == Mood::Wild {
        for _ in 0..world.rng.u32(0..6) {
            let is_full = world.state.tasks.len() >= TASKS;
            let step = match world.rng.u8(0..10) {
                0..=4 if !is_full => emit(world, id, &scope, wake),
                5..=6 if world.state.scopes.len() < 12 => spawn(world, &scope),
                7..=9 => forbidden(world, &scope),
                _ => continue,
            };
            moves.push_back(step);
        }
    } else if world.state.tasks.is_empty() {
        moves.push_back(emit(world, id, &scope, wake));
    }
    asked(world, id, &mut moves);
    let last = if world.chance(4) { PlanStep::Fail("it gave up".to_owned()) } else { PlanStep::Done };
    moves.push_back((last, Must::Anything));
    moves
}

/// Decides something, answers tasks that ask, and tries what nobody may, now and then.
fn asked(world: &World, id: ScopeId, moves: &mut VecDeque<(PlanStep, Must)>) {
    if world.beside_chance(1, 40) {
        let mut rng = world.beside(2);
        let (key, value) = (format!("style {}", rng.u8(0..4)), format!("like {}", rng.u8(0..2)));
        moves.push_back((PlanStep::Claim { key, value }, Must::Anything));
    }
    for (number, (_, task)) in world.state.tasks.iter().filter(|(_, task)| task.scope == id).enumerate() {
        let Some(wants) = &task.wants else { continue };
        let mut rng = world.beside(100 + number as u64);
        let answer = |granted, paths| ScopeAnswer { task: task.draft.key.clone(), granted, paths, reason: "so".into() };
        match rng.u8(0..8) {
            0..=2 => moves.push_back((PlanStep::AnswerScope(answer(true, PathSet::default())), Must::Anything)),
            3..=5 => moves.push_back((PlanStep::AnswerScope(answer(false, PathSet::default())), Must::Anything)),
            6 if !wants.paths.iter().any(|path| path == "z/") => {
                let more = PathSet::parse(["z/".to_owned()]);
                moves.push_back((PlanStep::AnswerScope(answer(true, more)), Must::Anything));
            }
            _ => {}
        }
    }
    for (number, (_, task)) in world.state.tasks.iter().filter(|(_, task)| task.scope != id).enumerate() {
        if task.wants.is_none() {
            continue;
        }
        // Who has nothing to do with it answers it too, now and then, and is refused.
        let mut rng = world.beside(300 + number as u64);
        let granted = rng.bool();
        let answer =
            ScopeAnswer { task: task.draft.key.clone(), granted, paths: PathSet::default(), reason: "so".into() };
        let is_above = world.state.above(task.scope).any(|(above, _)| above == id);
        let must = if is_above { Must::Anything } else { Must::BeRefused };
        if rng.u8(0..4) < 3 {
            moves.push_back((PlanStep::AnswerScope(answer), must));
        }
    }
    if world.beside_chance(3, 15) {
        let ghost = ScopeAnswer { task: "ghost".into(), granted: true, paths: PathSet::default(), reason: "so".into() };
        let elsewhere = TaskDraft { splits: PathSet::of_files(["z/9".into()]), ..task(format!("odd-{id}"), &["a/0"]) };
        let forbidden = match world.beside(4).u8(0..3) {
            0 => PlanStep::AnswerScope(ghost),
            1 => PlanStep::Claim { key: " ".into(), value: "x".into() },
            _ => PlanStep::Emit(vec![elsewhere]),
        };
        moves.push_back((forbidden, Must::BeRefused));
    }
}

fn task(key: String, files: &[&str]) -> TaskDraft {
    TaskDraft {
        key,
        title: String::new(),
        brief: String::new(),
        paths: PathSet::of_files(files.iter().map(|file| (*file).to_owned())),
        after: BTreeSet::new(),
        checks: Vec::new(),
        role: "worker".to_owned(),
        rules: Vec::new(),
        weight: 1,
        splits: PathSet::default(),
    }
}

/// Lists the files of the base that lie in a scope.
fn files(world: &World, scope: &Scope) -> Vec<String> {
    let base = world.repo.tree_of(world.state.opening().base);
    base.keys().filter(|path| scope.draft.paths.holds(path)).cloned().collect()
}

fn emit(world: &mut World, id: ScopeId, scope: &Scope, wake: u32) -> (PlanStep, Must) {
    let files = files(world, scope);
    let known: Vec<String> = world.state.task_keys.keys().cloned().collect();
    let mut drafts: Vec<TaskDraft> = Vec::new();
    for _ in 0..world.rng.u32(0..5) {
        let Some(first) = world.rng.choice(&files).cloned() else { break };
        // Few numbers make the same key again now and then.
        let mut draft = task(format!("{id}-{wake}-{}", world.rng.u8(0..12)), &[&first]);
        if world.rng.u8(0..3) == 0 {
            draft.paths.files.extend(world.rng.choice(&files).cloned());
        }
        if world.rng.u8(0..8) == 0 {
            let folder = first.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
            let whole = PathSet { folders: [folder].into(), files: BTreeSet::new() };
            draft.paths = if scope.draft.paths.covers(&whole) { whole } else { draft.paths };
        }
        if world.rng.u8(0..4) == 0 {
            draft.after.extend(world.rng.choice(&known).cloned());
        }
        if world.rng.u8(0..3) == 0 {
            draft.after.extend(drafts.last().map(|before| before.key.clone()).filter(|key| *key != draft.key));
        }
        draft.weight = world.rng.u64(0..9);
        if world.rng.u8(0..6) == 0 {
            draft.checks.push(check("own"));
        }
        if world.rng.u8(0..6) == 0 {
            draft.role = "second".to_owned();
        }
        if world.beside_chance(10 + drafts.len() as u64, 15) {
            draft.splits = PathSet::of_files(draft.paths.files.first().cloned());
        }
        drafts.push(draft);
    }
    // What waits for a later one of the same list is as good as what waits for an earlier one.
    if world.rng.bool() {
        drafts.reverse();
    }
    (PlanStep::Emit(drafts), Must::Anything)
}

fn part(key: String, paths: &[&str]) -> ScopeDraft {
    ScopeDraft {
        key,
        title: String::new(),
        paths: PathSet::parse(paths.iter().map(|path| (*path).to_owned())),
        decisions: BTreeSet::new(),
        role: "planner".to_owned(),
        brief: String::new(),
    }
}

fn spawn(world: &mut World, scope: &Scope) -> (PlanStep, Must) {
    let parts: &[&str] = if scope.depth == 0 { &["a/", "b/", "c/"] } else { &["c/d/", "a/0", "b/0"] };
    let mut drafts = Vec::new();
    for path in parts {
        if world.rng.bool() {
            let mut draft = part(format!("{path}{}", world.state.iteration), &[path]);
            if world.rng.u8(0..3) == 0 {
                draft.decisions.insert(format!("style {}", world.rng.u8(0..3)));
            }
            drafts.push(draft);
        }
    }
    (PlanStep::Spawn(drafts), Must::Anything)
}

/// Thinks of a move that no state of the run allows.
fn forbidden(world: &mut World, scope: &Scope) -> (PlanStep, Must) {
    let new = format!("bad-{}", world.fresh());
    let inside = files(world, scope);
    let inside = inside.first().map_or("a/0", String::as_str);
    let step = match world.rng.u8(0..11) {
        0 => PlanStep::Emit(vec![TaskDraft { after: ["ghost".to_owned()].into(), ..task(new, &[inside]) }]),
        1 => PlanStep::Emit(vec![TaskDraft { after: [new.clone()].into(), ..task(new, &[inside]) }]),
        2 => {
            let other = format!("{new}+");
            PlanStep::Emit(vec![
                TaskDraft { after: [other.clone()].into(), ..task(new.clone(), &[inside]) },
                TaskDraft { after: [new].into(), ..task(other, &[inside]) },
            ])
        }
        3 => PlanStep::Emit(vec![TaskDraft { role: "nobody".to_owned(), ..task(new, &[inside]) }]),
        4 => PlanStep::Emit(vec![TaskDraft { role: "idle".to_owned(), ..task(new, &[inside]) }]),
        5 => PlanStep::Emit(vec![task(String::new(), &[inside])]),
        6 => PlanStep::Emit((0..13).map(|number| task(format!("{new}-{number}"), &[inside])).collect()),
        7 if scope.depth > 0 => PlanStep::Emit(vec![task(new, &["z/elsewhere"])]),
        8 if scope.depth > 0 => PlanStep::Spawn(vec![part(new, &["z/"])]),
        9 => {
            let folder = inside.rsplit_once('/').map_or_else(|| inside.to_owned(), |(folder, _)| format!("{folder}/"));
            PlanStep::Spawn(vec![part(new.clone(), &[&folder]), part(format!("{new}+"), &[inside])])
        }
        10 => {
            let own = scope.draft.decisions.first().cloned();
            let decisions: BTreeSet<String> = [own.unwrap_or_else(|| format!("one owner of {new}"))].into();
            PlanStep::Spawn(vec![
                ScopeDraft { decisions: decisions.clone(), ..part(new.clone(), &[]) },
                ScopeDraft { decisions, ..part(format!("{new}+"), &[]) },
            ])
        }
        _ => PlanStep::Spawn(vec![part(String::new(), &[inside])]),
    };
    (step, Must::BeRefused)
}
