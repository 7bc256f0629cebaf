//! Owns the proof of a run: its journal as evidence, and what landed by its account. Never mends anything.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::place::decode_events;
use super::{AppError, Place};
use crate::actors::seal::ANCHOR_EVERY;
use crate::io::git::{RefNames, Repo};
use crate::io::journal::Checkpoint;
use crate::io::journal::audit::{Audit, audit};
use crate::io::signing::Signer;
use crate::io::transcripts::{Mark, Noted, audit as audit_transcripts};
use crate::machine::event::{Event, Recorded};
use crate::model::ids::{BatchId, Oid, RunId};

/// Tells what is proven of a run, and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// The run.
    pub run: RunId,
    /// How many events the journal holds.
    pub events: u64,
    /// How many of them, from the first on, were appended before artel chained them.
    pub unlinked: u64,
    /// How many signed checkpoints the journal holds.
    pub checkpoints: u64,
    /// The last event that a sound one covers; 0 where there is none.
    pub checkpointed_to: u64,
    /// The ref in which checkpoints are kept outside the journal.
    pub anchor: String,
    /// How many it holds.
    pub anchors: u64,
    /// The last event that a sound one covers; 0 where there is none.
    pub anchored_to: u64,
    /// The public key that all of them must be signed with; none where this user has none.
    pub key: Option<String>,
    /// How many commits landed by the journal's account.
    pub landed: u64,
    /// How many transcripts of sessions the journal tells of.
    pub transcripts: u64,
    /// Whether they were cleared away with all that the run's sessions wrote, and could not be looked at.
    pub transcripts_are_cleared: bool,
    /// What is not signed yet, though nothing is wrong with it; none where all is signed.
    pub unsealed: Option<Finding>,
    /// All that is wrong; empty where all holds.
    pub flaws: Vec<Finding>,
}

/// States one thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The first event in question; none where no event is.
    pub from: Option<u64>,
    /// The last.
    pub to: Option<u64>,
    /// What was found.
    pub what: String,
}

impl Finding {
    fn at(seq: u64, what: String) -> Self {
        Self { from: Some(seq), to: Some(seq), what }
    }

    fn between((from, to): (u64, u64), what: String) -> Self {
        Self { from: Some(from), to: Some(to), what }
    }

    fn whole(what: impl Into<String>) -> Self {
        Self { from: None, to: None, what: what.into() }
    }
}

/// Looks whether a run's journal is what was appended, by its chain, its checkpoints and its anchor, and whether what
/// landed by its account is there and is what was checked. `anchor` names another ref or commit to hold it against, whole.
///
/// # Errors
/// Fails where there is no such run, the journal's file cannot be read at all, or `anchor` is no whole name.
pub fn verify(place: &Place, run: &RunId, anchor: Option<&str>) -> Result<Proof, AppError> {
    let mut flaws = Vec::new();
    // Noted only once the end was sealed, and read before the events, which others may append to meanwhile.
    let has_ended = place.runs()?.iter().any(|row| row.run == *run && row.ended.is_some());
    let key = Signer::read(&place.dir.journal_key()).ok().map(|signer| signer.public());
    let Evidence { opened, landings, checked, noted } = gather(place, run, &mut flaws)?;
    let repo = opened.as_ref().and_then(|opened| Repo::discover(std::path::Path::new(&opened.repo)).ok());
    if repo.is_none() {
        flaws.push(Finding::whole("the run's repository is not there: neither anchor nor landings can be looked at"));
    }
    let is_named = anchor.is_some();
    let anchor = match (anchor, &opened) {
        (Some(named), _) => named.to_owned(),
        (None, Some(opened)) => RefNames::new(&opened.prefix, run.clone())?.anchor(),
        (None, None) => String::new(),
    };
    let anchors = match &repo {
        Some(repo) => anchored(repo, &anchor, &mut flaws)?,
        None => Some(Vec::new()),
    };
    let found =
        audit(place.journal.as_ref(), run, key.as_deref().unwrap_or_default(), anchors.as_deref().unwrap_or_default())?;
    if key.is_none() && found.checkpoints + found.anchors > 0 {
        flaws.push(Finding::whole("the key that signs checkpoints is gone: who signed these is not known"));
    }
    if found.unlinked > 0 && chains_since(place, run)? {
        let what = "their links are gone: a run that was opened earlier has them".to_owned();
        flaws.push(Finding { from: Some(1), to: Some(found.unlinked), what });
    }
    // Whoever stores an event with a link seals the end; a run that has none is older than all of this.
    let has_ended = has_ended && found.unlinked < found.events;
    if has_ended && found.checkpoints == 0 {
        flaws.push(Finding::whole("the run has ended, and none of its checkpoints is there"));
    }
    let is_due = is_named || has_ended || found.events - found.unlinked >= 2 * ANCHOR_EVERY;
    if is_due && anchors.is_none() {
        flaws.push(Finding::whole(format!("the anchor `{anchor}` is gone: whether the end was cut off is not known")));
    }
    flaws.extend(found.flaws.iter().map(|flaw| Finding::between(flaw.range(), flaw.to_string())));
    let landed = landings.iter().map(|landing| landing.commits.len() as u64).sum();
    let checked = opened.as_ref().is_some_and(|opened| opened.has_checks).then_some(&checked);
    if let Some(repo) = &repo {
        for landing in &landings {
            flaws.extend(unproven(repo, landing, checked)?);
        }
        flaws.extend(unheld(repo, landings.last(), opened.as_ref(), run)?);
    }
    if let (Ok(by_snapshot), Ok(by_events)) = (place.load(run), place.replay(run))
        && by_snapshot.seq == by_events.state.seq
        && by_snapshot != by_events.state
    {
        flaws.push(Finding::whole(
            "the snapshot holds another state than the events give; `artel doctor --repair` drops it",
        ));
    }
    let (transcripts, transcripts_are_cleared) = look_through(place, run, (noted, has_ended), &mut flaws);
    flaws.sort_by_key(|wrong| (wrong.from, wrong.to));
    Ok(Proof {
        run: run.clone(),
        events: found.events,
        unlinked: found.unlinked,
        checkpoints: found.checkpoints,
        checkpointed_to: found.checkpointed_to,
        anchor,
        anchors: found.anchors,
        anchored_to: found.anchored_to,
        key,
        landed,
        transcripts,
        transcripts_are_cleared,
        unsealed: unsealed(&found),
        flaws,
    })
}

/// Looks whether transcripts hold what the journal says; tells how many there are, and whether they were cleared away.
fn look_through(
    place: &Place,
    run: &RunId,
    (noted, has_ended): (Vec<Noted>, bool),
    flaws: &mut Vec<Finding>,
) -> (u64, bool) {
    let shelf = place.shelf(run);
    let records = noted.iter().map(|it| &it.record).collect::<BTreeSet<_>>().len() as u64;
    // Those of an ended run are cleared away together, and the journal stays.
    let are_cleared = has_ended && records > 0 && !shelf.is_there();
    if !are_cleared {
        flaws.extend(audit_transcripts(&shelf, noted).iter().map(|flaw| Finding::at(flaw.seq, flaw.to_string())));
    }
    (records, are_cleared)
}

/// Tells whether events were bound to each other before this run was opened, so that none of its own lacks a link.
fn chains_since(place: &Place, run: &RunId) -> Result<bool, AppError> {
    for earlier in place.runs()?.iter().take_while(|row| row.run != *run) {
        if place.journal.chain_at(&earlier.run, 1)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tells what lies beyond all that was signed: where a run is live, and where its coordinator was killed before it could
/// seal the end.
fn unsealed(found: &Audit) -> Option<Finding> {
    if found.unlinked == found.events {
        return None;
    }
    let signed = found.checkpointed_to.max(found.anchored_to);
    let (from, what) = if signed < found.events {
        (signed + 1, "not sealed: bound by the chain alone")
    } else if found.anchored_to < found.events {
        (found.anchored_to + 1, "not sealed: signed in the journal, and not in the anchor")
    } else {
        return None;
    };
    Some(Finding { from: Some(from), to: Some(found.events), what: what.to_owned() })
}

/// Holds what a run says of itself.
#[derive(Default)]
struct Evidence {
    opened: Option<Opened>,
    landings: Vec<Landing>,
    /// Trees on which the checks were green, with the batch for which they ran.
    checked: BTreeSet<(BatchId, Oid)>,
    /// What it says of transcripts.
    noted: Vec<Noted>,
}

struct Opened {
    repo: String,
    prefix: String,
    /// Whether landings had to be checked at all.
    has_checks: bool,
}

struct Landing {
    seq: u64,
    batch: BatchId,
    commits: Vec<(Oid, Oid)>,
    tree: Oid,
}

/// Reads all events that can be read; those that cannot are flaws.
fn gather(place: &Place, run: &RunId, flaws: &mut Vec<Finding>) -> Result<Evidence, AppError> {
    let mut evidence = Evidence::default();
    place.journal.survey(run, &mut |entry, _| match decode_events(entry) {
        Ok(recorded) => evidence.learn(recorded),
        Err(error) => {
            flaws.push(Finding::at(entry.seq, format!("cannot be read: {}", crate::actors::world::told(&error))))
        }
    })?;
    Ok(evidence)
}

impl Evidence {
    fn learn(&mut self, Recorded { seq, event, .. }: Recorded) {
        if let Event::RunOpened(opening) = event {
            let has_checks = !opening.goal.checks.is_empty();
            self.opened = Some(Opened { repo: opening.repo, prefix: opening.config.branch_prefix, has_checks });
        } else if let Event::PrefixChecked { batch, tree, green: true, .. } = event {
            self.checked.insert((batch, tree));
        } else if let Event::BatchLanded { batch, landed, tree, .. } = event {
            let commits = landed.iter().map(|link| (link.commit, link.tree)).collect();
            self.landings.push(Landing { seq, batch, commits, tree });
        } else if let Event::TranscriptKept { record, bytes, sha256, .. } = event {
            self.noted.push(Noted { seq, record, mark: Mark { bytes, sha256 } });
        }
    }
}

/// Reads the checkpoints that an anchor keeps, the oldest first; none where there is no such anchor. A commit without one
/// ends it: whatever else was named may be any history.
fn anchored(repo: &Repo, anchor: &str, flaws: &mut Vec<Finding>) -> Result<Option<Vec<Checkpoint>>, AppError> {
    let mut kept = Vec::new();
    let is_there = repo.anchors(anchor, |text| match Checkpoint::from_text(text) {
        Some(checkpoint) => {
            kept.push(checkpoint);
            ControlFlow::Continue(())
        }
        None => {
            let what = format!("the anchor `{anchor}` holds a commit without a checkpoint, and was read no further");
            flaws.push(Finding::whole(what));
            ControlFlow::Break(())
        }
    })?;
    kept.sort_by_key(|checkpoint| checkpoint.seq);
    Ok(is_there.then_some(kept))
}

/// Tells what of a landing is not there or is not what was checked; `checked` is none where the goal has no check.
fn unproven(
    repo: &Repo,
    landing: &Landing,
    checked: Option<&BTreeSet<(BatchId, Oid)>>,
) -> Result<Vec<Finding>, AppError> {
    let Landing { seq, batch, commits, tree } = landing;
    let mut wrong = Vec::new();
    for (commit, stands) in commits {
        match repo.commit_of(*commit) {
            Ok((found, _)) if found == *stands => {}
            Ok((found, _)) => {
                wrong.push(Finding::at(*seq, format!("landed {commit} has the tree {found}, not {stands}")));
            }
            Err(_) => wrong.push(Finding::at(*seq, format!("landed {commit} is not in the repository"))),
        }
    }
    if commits.last().is_some_and(|(_, last)| last != tree) {
        wrong.push(Finding::at(*seq, format!("{batch} landed the tree {tree}, which is not that of its last commit")));
    }
    if checked.is_some_and(|checked| !checked.contains(&(*batch, *tree))) {
        wrong.push(Finding::at(*seq, format!("{batch} landed the tree {tree}, on which no check was green")));
    }
    Ok(wrong)
}

/// Tells that no branch holds any more what landed last: git's next clearing may take it away.
fn unheld(
    repo: &Repo,
    last: Option<&Landing>,
    opened: Option<&Opened>,
    run: &RunId,
) -> Result<Option<Finding>, AppError> {
    let (Some(last), Some(opened)) = (last, opened) else { return Ok(None) };
    let refs = RefNames::new(&opened.prefix, run.clone())?;
    let Some((commit, _)) = last.commits.last().filter(|(commit, _)| repo.commit_of(*commit).is_ok()) else {
        return Ok(None);
    };
    let holds = |at: Oid| repo.is_ancestor(*commit, at);
    let own = repo.ref_target(&refs.branch())?;
    if let Some(own) = own
        && holds(own)?
    {
        return Ok(None);
    }
    for beginning in ["refs/heads/", "refs/remotes/", "refs/tags/"] {
        for (name, at) in repo.list_refs(beginning)? {
            if !name.starts_with(&refs.branches()) && holds(at)? {
                return Ok(None);
            }
        }
    }
    let branch = refs.branch().replacen("refs/heads/", "", 1);
    let how = if own.is_some() { format!("`{branch}` stands elsewhere") } else { format!("`{branch}` is gone") };
    let what =
        format!("no branch holds {commit}, which landed last: {how}; `git branch -f {branch} {commit}` keeps it");
    Ok(Some(Finding::at(last.seq, what)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_last_signature_is_told_and_nothing_else() {
        for (checkpointed_to, anchored_to, unlinked, want) in [
            (9, 9, 0, None),
            (0, 9, 0, None),
            (0, 0, 0, Some((1, "chain alone"))),
            (7, 5, 3, Some((8, "chain alone"))),
            (9, 5, 0, Some((6, "not in the anchor"))),
            (0, 0, 9, None),
        ] {
            let found = unsealed(&Audit { events: 9, checkpointed_to, anchored_to, unlinked, ..Audit::default() });
            match (&found, want) {
                (None, None) => {}
                (Some(tail), Some((from, says))) => {
                    assert_eq!((tail.from, tail.to), (Some(from), Some(9)));
                    assert!(tail.what.contains(says), "{tail:?}");
                }
                (Some(_), None) | (None, Some(_)) => panic!("{checkpointed_to} {anchored_to}: {found:?}"),
            }
        }
    }
}
