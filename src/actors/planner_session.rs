//! Owns how a scope is planned by a session: what its planner is shown, and that what it hands out is brought before the
//! law. Never plans itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;

use super::asking::{Asking, Silence};
use super::coordinator::Coordinator;
use super::order::{HandedUp, SessionPlan};
use super::planning::Mouth;
use super::tools::PlanningTools;
use super::world::World;
use crate::io::agents::{PlanAnswer, read_plan};
use crate::machine::command::{Command, Leave, PlanStep};
use crate::model::attempt::Handoff;
use crate::model::check::CheckResult;
use crate::model::review::{RunHandoff, RunRuling, RunVerdict};
use crate::views::answer::Form;
use crate::views::brief::{BriefView, LimitsView};

/// Folders of the repository that a planner is shown at most.
const FOLDERS_MOST: usize = 200;

/// Bytes of what others wrote that a planner is shown at most: what its tasks handed up, and what red conditions wrote.
const MATERIAL_BYTES: usize = 200 << 10;

/// Plans one waking of a scope; gives the report, or nothing where it was cancelled.
pub async fn plan(
    world: &Arc<World>,
    order: SessionPlan,
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Option<Command> {
    let (scope, wake, fence) = (order.scope, order.wake, order.seated.fence);
    let looked = Arc::clone(world);
    let (tree, commit) = (order.tree, order.commit);
    let folders = tokio::task::spawn_blocking(move || folders(&looked, tree)).await.unwrap_or_default();
    let mouth = Mouth::sitting(coordinator.clone(), (scope, wake, fence));
    let paths = order.draft.paths.clone();
    let (worker, planner) = (world.opening.goal.plan.worker.clone(), order.draft.role.clone());
    let tools = PlanningTools::new(
        mouth.clone(),
        coordinator.clone(),
        (scope, order.keys.clone()),
        (worker.clone(), planner.clone()),
        paths.clone(),
    );
    let asking = Asking {
        tools: Some(Arc::new(tools)),
        seated: order.seated.clone(),
        news: handed_out(&order.status),
        commit,
        form: Form::Plan,
        view: view(world, &order, &folders),
        paths: paths.clone(),
    };
    let keys = order.keys.clone();
    let taken = asking.answer(world, coordinator, &cancelled, |said| {
        let answer = read_plan(&said, (&worker, &planner), &paths);
        let (mouth, keys) = (mouth.clone(), keys.clone());
        async move {
            let PlanAnswer { tasks, scopes, decisions, answers } =
                keys.name(answer.map_err(|fault| fault.to_string())?);
            for (key, value) in decisions {
                mouth.say(PlanStep::Claim { key, value }).await?;
            }
            for answer in answers {
                mouth.say(PlanStep::AnswerScope(answer)).await?;
            }
            if !scopes.is_empty() {
                mouth.say(PlanStep::Spawn(scopes)).await?;
            }
            if !tasks.is_empty() {
                mouth.say(PlanStep::Emit(tasks)).await?;
            }
            Ok(())
        }
    });
    match taken.await {
        Ok(((), usage)) => Some(Command::LeaveSeat { seat: asking.seated.seat, fence, leave: Leave::Done, usage }),
        Err(Silence::Over(report)) => Some(*report),
        Err(Silence::Cancelled) => None,
    }
}

fn view(world: &World, order: &SessionPlan, folders: &[(String, usize)]) -> BriefView {
    let goal = &world.opening.goal;
    let limits = &order.seated.role.limits;
    let may_spawn = order.depth < limits.depth;
    let mut material = String::new();
    if !folders.is_empty() {
        material.push_str("Folders of the repository, with how many files lie below each:\n");
        folders.iter().for_each(|(folder, files)| material.push_str(&format!("{folder} {files}\n")));
    }
    order.handoffs.iter().for_each(|handed_up| material.push_str(&format!("\n{}", report(handed_up))));
    for result in &order.red {
        let CheckResult { name, tail, .. } = result;
        material.push_str(&format!("\nthe condition `{name}` does not hold:\n{}\n", tail.trim_end()));
    }
    if material.len() > MATERIAL_BYTES {
        material.truncate(material.floor_char_boundary(MATERIAL_BYTES));
        material.push_str("\n(it goes on; it is cut here)\n");
    }
    let text = if order.draft.brief.is_empty() {
        "Plan all that the goal asks for.".to_owned()
    } else {
        order.draft.brief.clone()
    };
    BriefView {
        goal_name: goal.name.clone(),
        goal_prose: goal.prose.clone(),
        task: order.draft.key.clone(),
        title: order.draft.title.clone(),
        text,
        paths: order.draft.paths.iter().map(|path| if path.is_empty() { "*" } else { path }.to_owned()).collect(),
        steering: order.steering.clone(),
        attempt: order.wake,
        checks: goal.checks.iter().map(|check| check.run.clone()).collect(),
        material,
        status: order.status.clone(),
        ruled: order.ruled.iter().flat_map(ruled).collect(),
        red: order.red.iter().map(|result| result.name.clone()).collect(),
        roles: order.workers.clone(),
        decisions: order.decisions.clone(),
        limits: LimitsView {
            tasks: limits.tasks.saturating_sub(order.emitted),
            scopes: if may_spawn { limits.fan_out.saturating_sub(order.children) } else { 0 },
        },
        ..BriefView::default()
    }
}

/// Says how what a planner has handed out stands when it goes on, which may be what it knew last, or not.
fn handed_out(status: &[String]) -> Vec<String> {
    let begins = (!status.is_empty()).then(|| "What you have handed out stands so now:".to_owned());
    begins.into_iter().chain(status.iter().map(|line| format!("- {line}"))).collect()
}

/// Puts what the run's judge said into lines.
fn ruled(verdict: &RunVerdict) -> Vec<String> {
    let RunHandoff { holds, missing, advice } = &verdict.handoff;
    let word = match verdict.ruling {
        RunRuling::Done => "done",
        RunRuling::Continue => "continue",
        RunRuling::Restart => "restart",
    };
    let mut lines = vec![format!("{word}: {}", verdict.why)];
    lines.extend(holds.iter().map(|line| format!("is reached and must stay: {line}")));
    lines.extend(missing.iter().map(|line| format!("is missing: {line}")));
    lines.extend(advice.iter().map(|line| format!("to know: {line}")));
    lines
}

/// Puts a handoff into lines.
fn report(HandedUp { task, below, asked, handoff }: &HandedUp) -> String {
    let Handoff { done, concerns, deviations, findings, leftovers, blocked, flagged, wants } = handoff;
    let whose = below.as_ref().map(|below| format!(" (of the scope {below}, below yours)")).unwrap_or_default();
    let mut text = format!("{task}{whose} reports:\ndone: {}\n", done.trim());
    for (word, lines) in [("concern", concerns), ("left its brief", deviations), ("found", findings)] {
        lines.iter().for_each(|line| text.push_str(&format!("{word}: {}\n", line.trim())));
    }
    for leftover in leftovers {
        text.push_str(&format!("left undone: {} line {}: {}\n", leftover.path, leftover.line, leftover.why));
    }
    for it in flagged {
        text.push_str(&format!("flags {}, which too many tasks change: {}\n", it.path, it.why.trim()));
    }
    if let Some(wants) = wants {
        text.push_str(&format!("asks for {}\n", wants.words()));
        match (below, asked) {
            (Some(_), _) => text.push_str("that lies outside its planner's scope and in yours: answer it\n"),
            (None, Some(asked)) => {
                text.push_str(&format!("that lies outside your scope: the planner of {asked} was asked\n"));
            }
            (None, None) => {}
        }
    }
    if let Some(missing) = blocked.as_ref().filter(|_| wants.is_none()) {
        text.push_str(&format!("is blocked, missing: {missing}\n"));
    }
    text
}

/// Counts the files below each folder, two deep; none where the tree cannot be read, which whoever plans sees itself.
fn folders(world: &World, tree: crate::model::ids::Oid) -> Vec<(String, usize)> {
    let Ok(files) = world.repo.files(tree) else { return Vec::new() };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for file in &files.files {
        let mut parts: Vec<&str> = file.path.split('/').collect();
        parts.pop();
        parts.truncate(2);
        *counts.entry(format!("{}/", parts.join("/"))).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    // The largest first where there are too many.
    if counts.len() > FOLDERS_MOST {
        counts.sort_by_key(|(folder, files)| (std::cmp::Reverse(*files), folder.clone()));
        counts.truncate(FOLDERS_MOST);
    }
    counts
}
