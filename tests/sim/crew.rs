//! Owns those who carry out what is owed: workers, judges, the merger, checks, the branch and delivery. In a wild
//! world they fail, lie, repeat themselves and fall silent.

use artel::machine::asked::Heard;
use artel::machine::command::{Command, Conflict, Leave, Link, PlanStep};
use artel::machine::due::Effect;
use artel::model::attempt::{Candidate, Handoff, Leftover, Outcome, Parked, ScopeAsk, Usage};
use artel::model::check::{Answer, Check, CheckResult};
use artel::model::ids::{AttemptId, BatchId, Oid, ScopeId};
use artel::model::means::Means;
use artel::model::review::{Lens, Review, RunHandoff, RunRuling, RunVerdict, Score};
use artel::model::role::AgentRef;
use artel::model::seat::Seat;
use artel::model::spend::{Call, CallEnd, Tokens};
use artel::model::task::Work;
use artel::model::verdict::{Finding, Ruling, Rung, Verdict};

use crate::checks;
use crate::gates;
use crate::mutants;
use crate::plans;
use crate::repo::{Blob, Repo, Swap, Tree};
use crate::world::{Job, Mood, Must, World};

/// Begins to carry out an effect.
pub fn start(world: &mut World, effect: &Effect) -> Job {
    match effect {
        Effect::Plan { scope, wake, .. } => Job::Planning(plans::moves(world, *scope, *wake)),
        Effect::Work { .. } => Job::Going { silent: world.chance(8) },
        Effect::OpenBranch
        | Effect::TakeBaseline
        | Effect::Judge { .. }
        | Effect::Review { .. }
        | Effect::JudgeRun { .. }
        | Effect::Merge { .. }
        | Effect::Check { .. }
        | Effect::Land { .. }
        | Effect::CheckConditions { .. }
        | Effect::Deliver { .. } => Job::Going { silent: false },
    }
}

/// Leaves what an effect may have done before it was cut off.
pub fn half_done(world: &mut World, effect: &Effect) {
    match effect {
        Effect::OpenBranch => {
            let base = world.state.opening().base;
            world.repo.branch.get_or_insert(base);
        }
        Effect::Land { from, to, .. } => {
            world.story.world(format!("{to} may have become the branch without a report"));
            let _ = world.repo.swap(*from, *to);
        }
        Effect::Deliver { branch, head } => {
            world.story.world(format!("{head} may have come into `{branch}` without a report"));
            let _ = world.repo.deliver(*head);
        }
        Effect::TakeBaseline
        | Effect::Plan { .. }
        | Effect::Work { .. }
        | Effect::Judge { .. }
        | Effect::Review { .. }
        | Effect::JudgeRun { .. }
        | Effect::Merge { .. }
        | Effect::Check { .. }
        | Effect::CheckConditions { .. } => {}
    }
}

/// Carries an effect on: it reports, or a planner makes its next move.
pub fn progress(world: &mut World, effect: &Effect) {
    let job = world.flight.remove(effect).expect("it is in flight");
    let job = match (job, effect) {
        (Job::Reported(moves), _) => Job::Reported(moves),
        (Job::Planning(moves), Effect::Plan { scope, wake, fence })
            if spends(world, Seat::Planner { scope: *scope, wake: *wake }, *fence) =>
        {
            Job::Planning(moves)
        }
        (Job::Planning(mut moves), Effect::Plan { scope, wake, fence }) => {
            if let Some((step, must)) = moves.pop_front() {
                let command = planned(world, (*scope, *wake, *fence), step);
                world.post(command, must, Some(effect.clone()));
            }
            Job::Reported(moves)
        }
        (Job::Going { silent: true }, Effect::Work { attempt, .. }) if world.mood == Mood::Kind => {
            let command = Command::ReportLost { attempt: *attempt, why: "it fell silent".to_owned() };
            world.post(command, Must::Anything, Some(effect.clone()));
            Job::Reported(Default::default())
        }
        (Job::Going { silent: true }, _) => Job::Going { silent: true },
        (Job::Going { silent: false }, Effect::Work { attempt, fence })
            if spends(world, Seat::Attempt(*attempt), *fence) =>
        {
            Job::Going { silent: false }
        }
        (Job::Going { silent: false }, Effect::Review { attempt, lens, fence })
            if spends(world, Seat::Judge { attempt: *attempt, lens: *lens }, *fence) =>
        {
            Job::Going { silent: false }
        }
        (Job::Going { silent: false } | Job::Planning(_), _) => {
            carry_out(world, effect);
            Job::Reported(Default::default())
        }
    };
    world.flight.insert(effect.clone(), job);
}

/// Brings a planner's move; who sits leaves its seat in the end.
fn planned(world: &mut World, (scope, wake, fence): (ScopeId, u32, u64), step: PlanStep) -> Command {
    if fence > 0 {
        let seat = Seat::Planner { scope, wake };
        match step {
            PlanStep::Done => {
                return asks(world, seat, fence).unwrap_or_else(|| left(world, seat, fence, Leave::Done));
            }
            PlanStep::Fail(why) => return left(world, seat, fence, Leave::Failed(why)),
            PlanStep::Emit(_) | PlanStep::Spawn(_) | PlanStep::Claim { .. } | PlanStep::AnswerScope(_) => {}
        }
        if world.chance(5) {
            let lie = Command::ReportPlan { scope, wake, fence: fence + 1000, step: step.clone() };
            world.post(lie, Must::BeRefused, None);
        }
    }
    Command::ReportPlan { scope, wake, fence, step }
}

/// Brings the end of a session, which may end in another way than its agent meant it to.
fn left(world: &mut World, seat: Seat, fence: u64, leave: Leave) -> Command {
    let usage = Usage { cpu_ms: 7, ..Usage::default() };
    if is_short_of_money(world) {
        return Command::ReportOutOfMoney { seat, fence, wants: wants(world) };
    }
    let leave = if world.chance(8) {
        let until_ms = world.rng.bool().then(|| world.now_ms + world.rng.i64(-5000..2_000_000));
        // By the fence, not by chance: what is kept of a session decides who takes it up, and no more.
        let session = (!fence.is_multiple_of(3)).then(|| format!("session-{fence}"));
        Leave::Limited { until_ms, why: "it is enough for today".to_owned(), session }
    } else if world.chance(10) {
        Leave::Failed("it made no sense".to_owned())
    } else {
        leave
    };
    if world.chance(5) {
        let lie = Command::LeaveSeat { seat, fence: fence + 1000, leave: leave.clone(), usage };
        world.post(lie, Must::BeRefused, None);
    }
    Command::LeaveSeat { seat, fence, leave, usage }
}

/// Has whoever sits there ask a person, now and then.
fn asks(world: &World, seat: Seat, fence: u64) -> Option<Command> {
    let leave = Leave::Asks {
        missing: "an answer to: is it so?".to_owned(),
        session: fence.is_multiple_of(2).then(|| format!("session-{fence}")),
    };
    let usage = Usage { cpu_ms: 3, ..Usage::default() };
    world.beside_chance(50 + fence, 25).then_some(Command::LeaveSeat { seat, fence, leave, usage })
}

/// Has a judge's session say something of a candidate.
fn review(world: &mut World, effect: &Effect, (attempt, lens, fence): (AttemptId, u32, u64)) {
    let seat = Seat::Judge { attempt, lens };
    if let Some(command) = asks(world, seat, fence) {
        return world.post(command, Must::Anything, Some(effect.clone()));
    }
    if world.chance(20) {
        let command = left(world, seat, fence, Leave::Failed("it made no sense".to_owned()));
        return world.post(command, Must::Anything, Some(effect.clone()));
    }
    let ruling = match world.rng.u8(0..10) {
        _ if world.mood == Mood::Kind => Ruling::Accept,
        0..=5 => Ruling::Accept,
        6..=8 => Ruling::Reject,
        _ => Ruling::Restart,
    };
    let finding = Finding {
        rung: Rung::Review,
        rule: ["missed-case", "too-much", "unclear"][world.rng.usize(0..3)].to_owned(),
        path: None,
        what: "something is missing".to_owned(),
        advice: "add it".to_owned(),
    };
    let findings = if ruling == Ruling::Accept { Vec::new() } else { vec![finding] };
    let score = |criterion: &str, score| Score { criterion: criterion.to_owned(), score, evidence: "a/0".to_owned() };
    let low = world.chance(10);
    let scores = ["brief", "restraint", "soundness"].map(|name| score(name, if low { 3 } else { 9 })).to_vec();
    let (lens_word, judge) = (Lens::Diff, "somebody".to_owned());
    let review = Review { lens: lens_word, judge, ruling, scores, findings, notes: Vec::new() };
    let usage = Usage { cpu_ms: 5, ..Usage::default() };
    let report = |lens, fence| Command::ReportReview { attempt, lens, fence, review: review.clone(), usage };
    if world.chance(6) {
        world.post(report(lens, fence + 1000), Must::BeRefused, None);
        world.post(report(lens + 1, fence), Must::BeRefused, None);
    }
    if world.chance(5) {
        world.post(report(lens, fence), Must::Anything, None);
    }
    world.post(report(lens, fence), Must::Anything, Some(effect.clone()));
}

/// Has the judge of the run say something at the end of an iteration; in a kind world what the conditions say.
fn judge_run(world: &mut World, effect: &Effect, iteration: u32, fence: u64) {
    if let Some(command) = asks(world, Seat::RunJudge { iteration }, fence) {
        return world.post(command, Must::Anything, Some(effect.clone()));
    }
    if world.chance(20) {
        let leave = Leave::Failed("it made no sense".to_owned());
        let command = left(world, Seat::RunJudge { iteration }, fence, leave);
        return world.post(command, Must::Anything, Some(effect.clone()));
    }
    let results = world.state.conditions.clone().map(|(_, results)| results).unwrap_or_default();
    let is_red = results.iter().any(|result| result.answer != Answer::Green);
    let ruling = match world.rng.u8(0..4) {
        0 if world.mood == Mood::Wild => RunRuling::Restart,
        1 if world.mood == Mood::Wild => RunRuling::Continue,
        _ if is_red => RunRuling::Continue,
        _ => RunRuling::Done,
    };
    let report = |ruling, fence| {
        let verdict = RunVerdict { ruling, why: "it looks so".to_owned(), handoff: RunHandoff::default() };
        Command::ReportRunVerdict { iteration, fence, verdict, usage: Usage { cpu_ms: 5, ..Usage::default() } }
    };
    if is_red && world.chance(20) {
        world.post(report(RunRuling::Done, fence), Must::BeRefused, None);
    }
    if world.chance(6) {
        world.post(report(ruling, fence + 1000), Must::BeRefused, None);
    }
    world.post(report(ruling, fence), Must::Anything, Some(effect.clone()));
}

fn is_short_of_money(world: &mut World) -> bool {
    let (bounds, accounted) = (world.state.budget.bounds(), world.state.accounted());
    let left = bounds.nano_usd.map(|limit| limit.saturating_sub(accounted.nano_usd));
    let is_tight = !bounds.is_none() || !world.state.budget.task.is_none() || !world.state.budget.roles.is_empty();
    (left.is_some_and(|left| left < 200) && world.chance(50)) || (is_tight && world.chance(8))
}

/// Gives what a call may need, or a session asks for beside.
fn wants(world: &mut World) -> Means {
    Means { nano_usd: world.rng.u64(1..500), tokens: world.rng.u64(0..900), calls: world.rng.u64(1..4) }
}

/// Has somebody ask models, perhaps: it holds money before a call, and each of its calls is heard before it goes on.
fn spends(world: &mut World, seat: Seat, fence: u64) -> bool {
    let held = match seat {
        Seat::Attempt(id) => {
            let attempt = world.state.attempt(id).filter(|attempt| attempt.ended_ms.is_none());
            attempt.map(|attempt| attempt.held())
        }
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => {
            world.state.sitting.get(&seat).map(|sitting| sitting.held())
        }
    };
    let Some(held) = held else { return false };
    if world.mail.iter().any(|mail| money_of(&mail.command) == Some(seat)) {
        return true;
    }
    // Whose last word is on its way, from before the run rested, has nothing more to say.
    if world.mail.iter().any(|mail| is_last_word(&mail.command, seat)) {
        return false;
    }
    if !world.chance(30) {
        return false;
    }
    let part = |rng: &mut fastrand::Rng| Means {
        nano_usd: rng.u64(0..=held.nano_usd),
        tokens: rng.u64(0..=held.tokens),
        calls: rng.u64(0..=held.calls),
    };
    let command = match (held, world.rng.u8(0..4)) {
        (Means { calls: 0, .. }, _) => Command::AskAllowance { seat, fence, means: wants(world) },
        (_, 0) => Command::ReturnAllowance { seat, fence, means: part(&mut world.rng) },
        (_, _) => {
            let used = Means { calls: 1, ..part(&mut world.rng) };
            let sum = world.ledger.calls.entry(seat).or_default();
            *sum = sum.plus(used);
            Command::ReportCall { seat, fence, call: call(used) }
        }
    };
    world.post(command, Must::Anything, None);
    true
}

/// Tells whether a command ends the session of whoever plans or judges at a seat.
fn is_last_word(command: &Command, of: Seat) -> bool {
    if let Command::LeaveSeat { seat, .. } | Command::ReportOutOfMoney { seat, .. } = command {
        return *seat == of;
    }
    if let Command::ReportReview { attempt, lens, .. } = command {
        return of == Seat::Judge { attempt: *attempt, lens: *lens };
    }
    matches!(command, Command::ReportRunVerdict { iteration, .. } if of == Seat::RunJudge { iteration: *iteration })
}

/// Tells whether a command is about the money of somebody who goes on.
pub fn is_money(command: &Command) -> bool {
    money_of(command).is_some()
}

fn money_of(command: &Command) -> Option<Seat> {
    if let Command::AskAllowance { seat, .. }
    | Command::ReturnAllowance { seat, .. }
    | Command::ReportCall { seat, .. } = command
    {
        return Some(*seat);
    }
    None
}

fn call(Means { nano_usd, tokens, .. }: Means) -> Call {
    let (provider, model) = ("a provider".to_owned(), "a model".to_owned());
    Call {
        number: 1,
        provider,
        model,
        end: CallEnd::Whole,
        status: 200,
        tokens: Tokens { input: tokens, ..Tokens::default() },
        nano_usd,
        ms: 1,
        bytes: 0,
        told: false,
    }
}

fn carry_out(world: &mut World, effect: &Effect) {
    let report = match effect {
        Effect::OpenBranch => {
            half_done(world, effect);
            Command::ReportBranch { at: world.state.opening().base }
        }
        Effect::TakeBaseline => {
            let base = world.state.opening().base_tree;
            Command::ReportBaseline { results: run_checks(world, base, true) }
        }
        Effect::Work { attempt, fence } => return work(world, effect, *attempt, *fence),
        Effect::Judge { attempt } => return judge(world, effect, *attempt),
        Effect::JudgeRun { iteration, fence } => return judge_run(world, effect, *iteration, *fence),
        Effect::Review { attempt, lens, fence } => return review(world, effect, (*attempt, *lens, *fence)),
        Effect::Merge { batch } => return merge(world, effect, *batch),
        Effect::Check { batch, upto, tree, repeat, .. } => {
            if world.chance(10) {
                let (wrong, results) = (Oid([7; 20]), Vec::new());
                let lie = Command::ReportPrefix { batch: *batch, upto: *upto, tree: wrong, results };
                world.post(lie, Must::BeRefused, None);
            }
            let results = run_checks(world, *tree, *repeat);
            Command::ReportPrefix { batch: *batch, upto: *upto, tree: *tree, results }
        }
        Effect::Land { batch, from, to, .. } => land(world, *batch, *from, *to),
        Effect::CheckConditions { head } => {
            let tree = world.repo.tree_of(*head);
            let done = &world.state.opening().goal.done;
            let results = done.iter().map(|condition| checks::truth(condition.name(), tree)).collect();
            Command::ReportConditions { head: *head, results }
        }
        Effect::Deliver { branch, head } => {
            let result = if world.chance(30) { Err("it conflicts".to_owned()) } else { world.repo.deliver(*head) };
            Command::ReportDelivery { branch: branch.clone(), result }
        }
        Effect::Plan { .. } => return,
    };
    world.post(report, Must::Anything, Some(effect.clone()));
}

fn run_checks(world: &mut World, tree: Oid, repeat: bool) -> Vec<CheckResult> {
    let flakiness = if world.mood == Mood::Kind { 0.0 } else { world.flakiness };
    let content = world.repo.tree(tree);
    let goal = &world.state.opening().goal;
    let seen = |it: &Check| checks::seen(&it.name, content, repeat, flakiness, &mut world.rng);
    let results: Vec<CheckResult> = goal.checks.iter().map(seen).collect();
    world.ledger.answers.entry(tree).or_default().push(results.clone());
    results
}

/// Has a session told what people have said, perhaps twice or more than they said.
fn hears(world: &mut World, id: AttemptId, fence: u64) {
    let heard = Heard::of(&world.state, world.state.tasks.get(&id.task));
    if heard == Heard::default() || !world.beside_chance(20, 60) {
        return;
    }
    let report = |heard| Command::ReportHeard { seat: Seat::Attempt(id), fence, heard, before_call: 1 };
    world.post(report(heard), Must::Anything, None);
    if world.beside_chance(21, 30) {
        world.post(report(heard), Must::Anything, None);
        let unsaid = Heard { of_task: heard.of_task + 1000, ..heard };
        world.post(report(unsaid), Must::BeRefused, None);
    }
}

fn work(world: &mut World, effect: &Effect, id: AttemptId, fence: u64) {
    hears(world, id, fence);
    if world.is_poison(id.task) || world.chance(6) {
        let command = Command::ReportLost { attempt: id, why: "it vanished".to_owned() };
        return world.post(command, Must::Anything, Some(effect.clone()));
    }
    if is_short_of_money(world) {
        let seat = Seat::Attempt(id);
        let report = Command::ReportOutOfMoney { seat, fence, wants: wants(world) };
        return world.post(report, Must::Anything, Some(effect.clone()));
    }
    if world.chance(6) {
        let until_ms = world.rng.bool().then(|| world.now_ms + world.rng.i64(-5000..2_000_000));
        let (why, usage) = ("it is enough for today".to_owned(), Usage::default());
        let parked = parked(world, id, fence);
        let limited = |fence| Command::ReportLimited {
            attempt: id,
            fence,
            until_ms,
            why: why.clone(),
            usage,
            parked: parked.clone(),
        };
        if world.chance(8) {
            world.post(limited(fence + 1), Must::BeRefused, None);
        }
        return world.post(limited(fence), Must::Anything, Some(effect.clone()));
    }
    // By the fence, not by chance: what is noted of a transcript decides nothing.
    if fence.is_multiple_of(5) {
        let record = id.to_string();
        let sha256 = "0123456789abcdef".repeat(4);
        let (seat, bytes) = (Seat::Attempt(id), 100 * fence);
        let keep =
            |fence| Command::KeepTranscript { seat, fence, record: record.clone(), bytes, sha256: sha256.clone() };
        world.post(keep(fence + 1), Must::BeRefused, None);
        world.post(keep(fence), Must::Anything, None);
    }
    let (outcome, handoff) = outcome(world, id);
    let usage = Usage { wall_ms: 100, cpu_ms: world.rng.u64(0..3000), output_bytes: 10, leaked: 0 };
    let report = |fence| Command::ReportAttempt {
        attempt: id,
        fence,
        outcome: outcome.clone(),
        handoff: handoff.clone(),
        usage,
    };
    if world.chance(8) {
        let wrong = if world.rng.bool() { fence + 1 } else { fence.wrapping_sub(1) };
        world.post(report(wrong), Must::BeRefused, None);
    }
    if world.chance(5) {
        world.post(report(fence), Must::Anything, None);
    }
    world.post(report(fence), Must::Anything, Some(effect.clone()));
}

/// Gives what an attempt leaves that a limit ends: nothing, a session, or files too. By the fence, not by chance.
fn parked(world: &mut World, id: AttemptId, fence: u64) -> Option<Parked> {
    let base = world.state.attempt(id).expect("it is leased").base;
    let session = Some(format!("session-{fence}"));
    match fence % 3 {
        0 => None,
        1 => Some(Parked { session, files: None }),
        _ => {
            let tree = world.repo.tree_of(base).clone();
            Some(Parked { session, files: Some(world.repo.commit(tree, &[base]).0) })
        }
    }
}

fn outcome(world: &mut World, id: AttemptId) -> (Outcome, Handoff) {
    let task = &world.state.tasks[&id.task];
    let (paths, what) = (task.draft.paths.clone(), task.work.clone());
    let attempt = world.state.attempt(id).expect("it is leased").clone();
    let mut handoff = Handoff { done: "something".to_owned(), ..Handoff::default() };
    if world.chance(15) {
        let path = if world.rng.bool() { "outside".to_owned() } else { a_path(&paths.files, world) };
        handoff.leftovers.push(Leftover { path, line: 1, why: "no fix".to_owned() });
    }
    // Some tasks ask again and again.
    let asks = if id.task.0 % 7 == 3 { 50 } else { 4 };
    if what == Work::Brief && world.beside_chance(30, asks) {
        let path = if world.beside(31).bool() { "b/0" } else { "c/d/" };
        let wants = ScopeAsk { paths: vec![path.to_owned()], why: "it calls it".to_owned() };
        let missing = wants.words();
        handoff.wants = Some(wants);
        return (Outcome::Blocked { missing }, handoff);
    }
    let base = world.repo.tree_of(attempt.base).clone();
    let tree = match what {
        Work::Revert(_) => taken_out(world, id, &base),
        Work::Brief if world.chance(8) => return (Outcome::Nothing, handoff),
        Work::Brief if world.chance(8) => return (Outcome::Failed { why: "it broke".to_owned() }, handoff),
        Work::Brief if world.chance(3) => return (Outcome::Blocked { missing: "a key".to_owned() }, handoff),
        Work::Brief => {
            let from = attempt.from.filter(|_| attempt.agent != AgentRef::Codemod);
            let start = from.map_or(base.clone(), |from| world.repo.tree_of(from).clone());
            let mut owned: Vec<String> = start.keys().filter(|path| paths.holds(path)).cloned().collect();
            owned.extend(paths.files.iter().filter(|path| !start.contains_key(*path)).cloned());
            Ok(edited(world, start, &owned))
        }
    };
    let tree = match tree {
        Ok(tree) if tree == base => return (Outcome::Nothing, handoff),
        Ok(tree) => tree,
        Err(why) => return (Outcome::Failed { why }, handoff),
    };
    let files = tree.iter().filter(|(path, blob)| base.get(*path) != Some(blob)).count() as u32;
    let extent = gates::measure(&world.state.opening().goal, &base, &tree);
    let (commit, tree) = world.repo.commit(tree, &[attempt.base]);
    (Outcome::Candidate(Candidate { commit, tree, base: attempt.base, files, extent }), handoff)
}

fn a_path(files: &std::collections::BTreeSet<String>, world: &mut World) -> String {
    let at = world.rng.usize(0..files.len().max(1));
    files.iter().nth(at).cloned().unwrap_or_else(|| "a/0".to_owned())
}

fn edited(world: &mut World, mut tree: Tree, owned: &[String]) -> Tree {
    for path in owned {
        if world.chance(30) {
            continue;
        }
        let mut blob = Blob { id: world.fresh(), ..Blob::default() };
        blob.is_old = world.chance(15);
        blob.breaks_tests = world.chance(6);
        blob.breaks_lint = world.chance(4);
        blob.breaks_own = world.chance(4);
        blob.hides_test = world.chance(3);
        blob.clash = world.chance(world.clashes).then(|| (world.rng.u8(0..2), world.rng.bool()));
        if world.chance(4) {
            tree.remove(path);
        } else {
            tree.insert(path.clone(), blob);
        }
    }
    tree
}

fn taken_out(world: &World, id: AttemptId, onto: &Tree) -> Result<Tree, String> {
    let Work::Revert(task) = world.state.tasks[&id.task].work else { panic!("it takes a task out") };
    let merge = world.state.tasks[&task].attempts.iter().rev().find_map(|attempt| attempt.landed);
    let merge = merge.ok_or("what is taken out never landed")?;
    let before = world.repo.tree_of(world.repo.first_parent(merge));
    Repo::merge(world.repo.tree_of(merge), onto, before).map_err(|paths| format!("{paths:?} changed since"))
}

fn judge(world: &mut World, effect: &Effect, id: AttemptId) {
    let attempt = world.state.attempt(id).expect("it waits for its judge");
    let tree = attempt.candidate().expect("a judge looks at a candidate").tree;
    // Those of the run stand first.
    let of_run = world.state.opening().goal.checks.len();
    let own: Vec<Check> = world.state.checks_of(&world.state.tasks[&id.task]).skip(of_run).cloned().collect();
    let mut results = run_checks(world, tree, true);
    results.extend(own.iter().map(|check| checks::truth(&check.name, world.repo.tree(tree))));
    world.ledger.answers.entry(tree).or_default().push(results.clone());
    let goal = &world.state.opening().goal;
    let baseline = world.state.baseline.clone().unwrap_or_default();
    let held = checks::held(goal.checks.iter().chain(&own), &results, &baseline);
    let finding = Finding {
        rung: Rung::Checks,
        rule: "red".to_owned(),
        path: None,
        what: "a check is red".to_owned(),
        advice: "mend it".to_owned(),
    };
    let verdict = |ruling, judge: &str, findings: Vec<Finding>| Command::ReportVerdict {
        attempt: id,
        verdict: Verdict { ruling, judge: judge.to_owned(), findings, checks: results.clone() },
        usage: Usage { cpu_ms: 3, ..Usage::default() },
    };
    if !held && world.chance(20) {
        world.post(verdict(Ruling::Accept, "ladder", Vec::new()), Must::BeRefused, None);
    }
    if world.chance(4) {
        world.post(verdict(Ruling::Accept, &id.to_string(), Vec::new()), Must::BeRefused, None);
        world.post(verdict(Ruling::Reject, "ladder", Vec::new()), Must::BeRefused, None);
    }
    let ruling = match held {
        true if !world.chance(15) => Ruling::Accept,
        true | false if world.rng.bool() => Ruling::Reject,
        true | false => Ruling::Restart,
    };
    let findings = if ruling == Ruling::Accept { Vec::new() } else { vec![finding] };
    if world.chance(5) {
        world.post(verdict(ruling, "ladder", findings.clone()), Must::Anything, None);
    }
    world.post(verdict(ruling, "ladder", findings), Must::Anything, Some(effect.clone()));
}

fn merge(world: &mut World, effect: &Effect, id: BatchId) {
    let batch = world.state.batch.clone().expect("it is merged");
    let (mut head, mut chain, mut conflicts) = (batch.onto, Vec::new(), Vec::new());
    for member in batch.members {
        let candidate = world.state.attempt(member).and_then(|it| it.candidate()).expect("it was accepted").clone();
        let tree = |commit| world.repo.tree_of(commit);
        match Repo::merge(tree(candidate.base), tree(head), tree(candidate.commit)) {
            Ok(merged) => {
                let extent = gates::measure(&world.state.opening().goal, tree(head), &merged);
                let (commit, tree) = world.repo.commit(merged, &[head, candidate.commit]);
                chain.push(Link { attempt: member, commit, tree, extent });
                head = commit;
            }
            Err(paths) => conflicts.push(Conflict { attempt: member, paths }),
        }
    }
    if world.chance(10) {
        let stranger = AttemptId { task: artel::model::ids::TaskId(1), number: 99 };
        let mut more = conflicts.clone();
        more.push(Conflict { attempt: stranger, paths: Vec::new() });
        let lie = Command::ReportMerge { batch: id, chain: chain.clone(), conflicts: more };
        world.post(lie, Must::BeRefused, None);
        if chain.len() > 1 {
            let turned = chain.iter().rev().cloned().collect();
            let lie = Command::ReportMerge { batch: id, chain: turned, conflicts: conflicts.clone() };
            world.post(lie, Must::BeRefused, None);
        }
    }
    world.post(Command::ReportMerge { batch: id, chain, conflicts }, Must::Anything, Some(effect.clone()));
}

fn land(world: &mut World, batch: BatchId, from: Oid, to: Oid) -> Command {
    let stood = world.repo.branch;
    match mutants::swap(world.mutant, &mut world.repo, from, to) {
        Swap::Done => {
            world.ledger.overwritten = stood.filter(|at| ![from, to].contains(at)).or(world.ledger.overwritten);
            let tree = world.repo.tree_id(to);
            if world.chance(4) {
                let lie = Command::ReportLanding { batch, head: to, tree: Oid([9; 20]) };
                world.post(lie, Must::BeRefused, None);
            }
            Command::ReportLanding { batch, head: to, tree }
        }
        Swap::Found(found) => Command::ReportBranchMoved { found },
    }
}
