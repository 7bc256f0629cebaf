//! Owns what a judge finds out about a candidate before it judges: what differs, and what stands in it, read from
//! git's objects alone. Says nothing of what that means.

use std::collections::BTreeMap;

use super::order::Judging;
use super::world::{World, told};
use crate::io::agents::codemod::Codemod;
use crate::io::git::{Change, ChangeKind, Side};
use crate::io::syntax::{TestCensus, has_conflict_markers, literals, parse_errors};
use crate::machine::ladder::{Changed, Evidence, Explained, Facts, Kind};
use crate::model::ids::Oid;
use crate::model::role::AgentRef;
use crate::model::task::Work;

/// Largest file in which is looked, in bytes.
const LOOKED_INTO: u64 = 5 << 20;

/// Finds out what stands in a candidate; fails with one line for people.
pub fn gather(world: &World, judging: &Judging) -> Result<Evidence, String> {
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    let (base_tree, _) = world.repo.commit_of(judging.candidate.base).map_err(|error| failed(&error))?;
    let changes = world.repo.diff(base_tree, judging.candidate.tree).map_err(|error| failed(&error))?;
    let listers = &world.instruments()?.listers;
    let is_codemod = judging.agent == AgentRef::Codemod;
    // Whoever does a rule's work in a mechanical role is held to what the rule explains.
    let is_explained = judging.work == Work::Brief && (is_codemod || judging.role.mechanical);
    let by_rule = is_explained.then(|| world.codemod(&judging.task.rules)).transpose();
    let by_rule = by_rule.map_err(|error| failed(&error))?;
    let mut evidence = Evidence::default();
    for change in &changes {
        let old = look(world, listers, &change.path, change.old.as_ref())?;
        let new = look(world, listers, &change.path, change.new.as_ref())?;
        if let (Some(codemod), Some(old), Some(new)) = (&by_rule, &old, &new) {
            explain(&mut evidence, codemod, &change.path, (&old.bytes, &new.bytes));
            if is_codemod && codemod.rewrite(&change.path, &new.bytes).changed {
                evidence.codemod_again_changes.push(change.path.clone());
            }
        }
        evidence.changed.push(changed(change, old.map(|it| it.facts), new.map(|it| it.facts)));
    }
    Ok(evidence)
}

/// Holds a file's content and what was counted in it.
struct Looked {
    bytes: Vec<u8>,
    facts: Facts,
}

fn look(world: &World, listers: &[TestCensus], path: &str, side: Option<&Side>) -> Result<Option<Looked>, String> {
    let Some(side) = side.filter(|side| side.size <= LOOKED_INTO && side.mode != 0o160_000) else {
        return Ok(None);
    };
    let bytes = read(world, side.oid)?;
    if side.mode == 0o120_000 {
        let link_target = Some(String::from_utf8_lossy(&bytes).into_owned());
        return Ok(Some(Looked { bytes, facts: Facts { link_target, ..Facts::default() } }));
    }
    if bytes.contains(&0) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes);
    let reading = || listers.iter().filter(|lister| lister.reads(path));
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let facts = Facts {
        tests: count(reading().map(|lister| lister.tests(&text)).sum()),
        skips: count(reading().map(|lister| lister.skips(&text)).sum()),
        literals: literals(path, &bytes),
        parse_errors: count(parse_errors(path, &bytes) as u64),
        lines: count(text.lines().count() as u64),
        conflict_markers: has_conflict_markers(&bytes),
        link_target: None,
    };
    Ok(Some(Looked { bytes, facts }))
}

fn read(world: &World, oid: Oid) -> Result<Vec<u8>, String> {
    world.repo.read(oid).map_err(|error| format!("failed to {}", told(&error)))
}

/// Notes what the task's rules themselves make of a file.
fn explain(evidence: &mut Evidence, codemod: &Codemod, path: &str, (old, new): (&[u8], &[u8])) {
    let expected = codemod.rewrite(path, old).bytes;
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    let mut difference: BTreeMap<String, i64> = BTreeMap::new();
    for (literal, times) in literals(path, &expected) {
        *difference.entry(literal).or_default() += i64::from(times);
    }
    for (literal, times) in literals(path, old) {
        *difference.entry(literal).or_default() -= i64::from(times);
    }
    difference.retain(|_, times| *times != 0);
    let removed = lines(old).saturating_sub(lines(&expected));
    let explained = Explained {
        exactly: expected == new,
        lines_removed: u32::try_from(removed).unwrap_or(u32::MAX),
        literals: difference,
    };
    evidence.explained.insert(path.to_owned(), explained);
}

fn changed(change: &Change, old: Option<Facts>, new: Option<Facts>) -> Changed {
    let kind = match change.kind {
        ChangeKind::Added => Kind::Added,
        ChangeKind::Modified => Kind::Modified,
        ChangeKind::Deleted => Kind::Deleted,
        ChangeKind::TypeChanged => Kind::TypeChanged,
    };
    Changed {
        path: change.path.clone(),
        kind,
        old_mode: change.old.as_ref().map(|side| side.mode),
        new_mode: change.new.as_ref().map(|side| side.mode),
        old_size: change.old.as_ref().map_or(0, |side| side.size),
        new_size: change.new.as_ref().map_or(0, |side| side.size),
        old,
        new,
    }
}
