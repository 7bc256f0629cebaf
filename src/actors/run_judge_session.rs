//! Owns how a session judges a run at the end of an iteration: from the goal, the tree and the conditions, in a context of
//! its own. Never shows it what workers or planners said.

use std::sync::Arc;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;

use super::asking::{Asking, Silence};
use super::coordinator::Coordinator;
use super::order::RunJudging;
use super::tools::RunJudgingTools;
use super::world::World;
use crate::io::agents::read_run_verdict;
use crate::machine::command::Command;
use crate::model::check::Answer;
use crate::model::paths::PathSet;
use crate::views::answer::Form;
use crate::views::brief::BriefView;

/// Has a session judge the run; gives the report, or nothing where it was cancelled.
pub async fn judge(
    world: &Arc<World>,
    order: RunJudging,
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Option<Command> {
    let (iteration, fence) = (order.iteration, order.seated.fence);
    let red: Vec<String> =
        order.conditions.iter().filter(|it| it.answer != Answer::Green).map(|it| it.name.clone()).collect();
    let tools = RunJudgingTools::new(red);
    let asking = Asking {
        tools: Some(Arc::new(tools.clone())),
        seated: order.seated.clone(),
        news: Vec::new(),
        commit: order.head,
        form: Form::Run,
        view: view(world, &order),
        paths: PathSet::everything(),
    };
    let taken = asking.answer(world, coordinator, &cancelled, |said| {
        // What was said by the tool stands, whatever the last words are.
        let given = tools.given().map_or_else(|| read_run_verdict(&said), Ok);
        let verdict = given.map_err(|fault| fault.to_string()).and_then(|verdict| tools.may_say(verdict));
        async move { verdict }
    });
    match taken.await {
        Ok((verdict, usage)) => Some(Command::ReportRunVerdict { iteration, fence, verdict, usage }),
        Err(Silence::Over(report)) => Some(*report),
        Err(Silence::Cancelled) => None,
    }
}

fn view(world: &World, order: &RunJudging) -> BriefView {
    let goal = &world.opening.goal;
    let mut material = String::new();
    for result in order.conditions.iter().filter(|result| !result.tail.trim().is_empty()) {
        material.push_str(&format!("the condition `{}` wrote:\n{}\n\n", result.name, result.tail.trim_end()));
    }
    let word = |answer| if answer == Answer::Green { "holds" } else { "does not hold" };
    BriefView {
        goal_name: goal.name.clone(),
        goal_prose: goal.prose.clone(),
        task: "run".to_owned(),
        title: goal.name.clone(),
        attempt: order.iteration,
        steering: order.steering.clone(),
        material,
        status: order.conditions.iter().map(|result| format!("{}: {}", result.name, word(result.answer))).collect(),
        ..BriefView::default()
    }
}
