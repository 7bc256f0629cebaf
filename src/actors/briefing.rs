//! Owns what a worker is shown of its task: the role's prompt, filled. Chooses nothing of it.

use super::order::{Order, Resolving};
use super::world::{Ground, told};
use crate::io::agents::{Brief, NamedRule};
use crate::io::git::GitError;
use crate::model::seat::Seat;
use crate::model::task::TaskDraft;
use crate::model::verdict::Finding;
use crate::views::brief::{BriefView, FindingView, render};

/// Gives the brief of an attempt.
///
/// # Errors
/// Says why its prompt could not be filled.
pub fn brief(world: &Ground, order: &Order) -> Result<Brief, String> {
    let opening = &world.opening;
    let checks = order.checks.iter().map(|check| check.run.clone());
    let deviations = order.handoffs.iter().flat_map(|handoff| handoff.deviations.clone());
    let (mut findings, mut material) = apart(&order.findings);
    findings.extend(half_done(order));
    order.notes.iter().for_each(|note| material.push_str(&format!("{note}\n")));
    if let Some(resolving) = &order.resolves {
        let both = both_sides(world, resolving).map_err(|error| format!("failed to {}", told(&error)))?;
        material.push_str(&both);
    }
    let view = BriefView {
        goal_name: opening.goal.name.clone(),
        goal_prose: opening.goal.prose.clone(),
        task: order.task.key.clone(),
        title: order.task.title.clone(),
        text: order.task.brief.clone(),
        paths: order.task.paths.iter().map(str::to_owned).collect(),
        findings,
        steering: order.steering.clone(),
        attempt: order.attempt.number,
        checks: checks.collect(),
        deviations: deviations.collect(),
        decisions: order.decisions.clone(),
        material,
        ..BriefView::default()
    };
    let template = opening.prompts.get(&order.role.prompt);
    let template = template.ok_or_else(|| format!("the run holds no prompt `{}`", order.role.prompt))?;
    let text = render(template, &view).map_err(|error| format!("failed to {}", told(&error)))?;
    let rule =
        |name: &String| NamedRule { name: name.clone(), yaml: opening.assets.get(name).cloned().unwrap_or_default() };
    Ok(Brief {
        run: world.run.clone(),
        seat: Seat::Attempt(order.attempt),
        title: order.task.title.clone(),
        text,
        paths: order.task.paths.clone(),
        rules: order.task.rules.iter().map(rule).collect(),
        findings: order.findings.clone(),
        steering: order.steering.clone(),
        handoffs: order.handoffs.clone(),
        seed: opening.seed,
        resumes: None,
    })
}

/// Bytes of each change that a resolver is shown.
const PATCH_BYTES: usize = 100 << 10;

/// Shows a resolver both sides of a conflict, with the briefs that they were done by.
fn both_sides(world: &Ground, resolving: &Resolving) -> Result<String, GitError> {
    let Resolving { candidate, landed } = resolving;
    let (base, _) = world.repo.commit_of(candidate.base)?;
    let own = world.repo.patch(base, candidate.tree)?;
    let mut text = format!("The change that did not merge:\n{}\n", cut(&own));
    for (task, commit) in landed {
        let (tree, parents) = world.repo.commit_of(*commit)?;
        let Some(before) = parents.first() else { continue };
        let (before, _) = world.repo.commit_of(*before)?;
        let patch = world.repo.patch(before, tree)?;
        let TaskDraft { title, brief, .. } = task;
        text.push_str(&format!("\nThis landed: {title}\nIts brief was: {brief}\nIts change:\n{}\n", cut(&patch)));
    }
    Ok(text)
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(PATCH_BYTES).map_or(text, |(at, _)| &text[..at])
}

/// Parts what was found from the output that it quotes, which is a stranger's word.
fn apart(findings: &[Finding]) -> (Vec<FindingView>, String) {
    let mut material = String::new();
    let heads = findings.iter().map(|finding| {
        let mut view = FindingView::from(finding);
        if let Some((head, output)) = finding.what.split_once('\n') {
            let head = head.trim_end_matches(':');
            material.push_str(&format!("{head}:\n{output}\n"));
            view.what = format!("{head}; its output stands below:");
        }
        view
    });
    (heads.collect(), material)
}

/// Says that what a limit had stopped lies there half done, where it does.
fn half_done(order: &Order) -> Option<FindingView> {
    order.resumes.as_ref().filter(|_| order.from.is_some())?;
    Some(FindingView {
        what: "a limit of the account had stopped the attempt before this one; what it had done lies in your files"
            .to_owned(),
        advice: "look at what is done, and go on from there".to_owned(),
        ..FindingView::default()
    })
}
