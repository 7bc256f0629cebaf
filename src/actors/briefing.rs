//! Owns what a worker is shown of its task: the role's prompt, filled. Chooses nothing of it.

use std::borrow::Cow;

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
        schema: None,
    })
}

/// Bytes of each change that a resolver is shown, and of all of them.
const PATCH_BYTES: usize = 100 << 10;
const SIDES_BYTES: usize = 250 << 10;

/// Shows a resolver both sides of a conflict, with the briefs that they were done by.
fn both_sides(world: &Ground, resolving: &Resolving) -> Result<String, GitError> {
    let Resolving { candidate, landed } = resolving;
    let (base, _) = world.repo.commit_of(candidate.base)?;
    let own = world.repo.patch(base, candidate.tree)?;
    let mut sides = Sides { text: format!("The change that did not merge:\n{}\n", cut(&own)), left_out: Vec::new() };
    for (task, commit) in landed {
        sides.landed(task, || {
            let (tree, parents) = world.repo.commit_of(*commit)?;
            let Some(before) = parents.first() else { return Ok(None) };
            let (before, _) = world.repo.commit_of(*before)?;
            world.repo.patch(before, tree).map(Some)
        })?;
    }
    Ok(sides.written())
}

/// Gathers what a resolver is shown, as far as there is room.
struct Sides {
    text: String,
    left_out: Vec<String>,
}

impl Sides {
    /// Shows what landed with its change, or notes that it is left out.
    fn landed(
        &mut self,
        task: &TaskDraft,
        patch: impl FnOnce() -> Result<Option<String>, GitError>,
    ) -> Result<(), GitError> {
        let TaskDraft { title, brief, .. } = task;
        if self.text.len() >= SIDES_BYTES {
            self.left_out.push(title.clone());
            return Ok(());
        }
        if let Some(patch) = patch()? {
            let (brief, patch) = (cut(brief), cut(&patch));
            self.text.push_str(&format!("\nThis landed: {title}\nIts brief was: {brief}\nIts change:\n{patch}\n"));
        }
        Ok(())
    }

    fn written(self) -> String {
        let Self { mut text, left_out } = self;
        if !left_out.is_empty() {
            let titles: Vec<&str> = left_out.iter().take(20).map(String::as_str).collect();
            let (count, titles) = (left_out.len(), titles.join("; "));
            text.push_str(&format!(
                "\n{count} more landed, for which there is no room here; `git log` has them: {titles}\n"
            ));
        }
        text
    }
}

/// Cuts what is too long to be shown as a whole, and says so.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= PATCH_BYTES {
        return Cow::Borrowed(text);
    }
    let kept = &text[..text.floor_char_boundary(PATCH_BYTES)];
    Cow::Owned(format!("{kept}\n[{} bytes are left out here]", text.len() - kept.len()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::draft;

    #[test]
    fn a_resolver_is_shown_as_many_changes_as_there_is_room_for_and_told_of_the_others() {
        let mut sides = Sides { text: String::new(), left_out: Vec::new() };
        for number in 0..30 {
            let task = TaskDraft { title: format!("change {number}"), ..draft("a", "a") };
            sides.landed(&task, || Ok(Some("é".repeat(PATCH_BYTES)))).unwrap();
        }
        let text = sides.written();
        assert!(text.len() < SIDES_BYTES + 2 * PATCH_BYTES, "{}", text.len());
        assert!(text.contains("This landed: change 2\n") && text.contains("bytes are left out here]"));
        assert!(
            text.contains("27 more landed, for which there is no room here") && text.contains("change 3; change 4;")
        );
    }
}
