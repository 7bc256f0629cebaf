//! Owns the proof of a run: its journal as evidence, and what landed by its account. Never mends anything.

use std::collections::BTreeSet;

use serde::Serialize;

use super::place::decode_events;
use super::{AppError, Place};
use crate::io::git::{RefNames, Repo};
use crate::io::journal::Checkpoint;
use crate::io::journal::audit::audit;
use crate::io::signing::Signer;
use crate::machine::event::{Event, Recorded};
use crate::model::ids::{BatchId, Oid, RunId};

/// Tells what is proven of a run, and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// All that is wrong; empty where all holds.
    pub flaws: Vec<Wrong>,
}

/// States one thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The first event in question; none where no event is.
    pub from: Option<u64>,
    /// The last.
    pub to: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl Wrong {
    fn at(seq: u64, what: String) -> Self {
        Self { from: Some(seq), to: Some(seq), what }
    }

    fn whole(what: impl Into<String>) -> Self {
        Self { from: None, to: None, what: what.into() }
    }
}

/// Looks whether a run's journal is what was appended, by its chain, its checkpoints and its anchor, and whether what
/// landed by its account is there and is what was checked. `anchor` names another ref or commit to hold it against.
///
/// # Errors
/// Fails where there is no such run or the journal's file cannot be read at all.
pub fn verify(place: &Place, run: &RunId, anchor: Option<&str>) -> Result<Proof, AppError> {
    let mut flaws = Vec::new();
    let key = Signer::read(&place.dir.journal_key()).ok().map(|signer| signer.public());
    let Evidence { opened, landings, checked, is_at_rest } = gather(place, run, &mut flaws)?;
    let repo = opened.as_ref().and_then(|opened| Repo::discover(std::path::Path::new(&opened.repo)).ok());
    if repo.is_none() {
        flaws.push(Wrong::whole("the run's repository is not there: neither anchor nor landings can be looked at"));
    }
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
        flaws.push(Wrong::whole("the key that signs checkpoints is gone: who signed these is not known"));
    }
    if found.checkpoints == 0 && is_at_rest && found.unlinked < found.events {
        flaws.push(Wrong::whole("the run rests, and no checkpoint was signed"));
    }
    if anchors.is_none()
        && (is_at_rest || found.events >= 2 * crate::actors::seal::ANCHOR_EVERY)
        && found.unlinked < found.events
    {
        flaws.push(Wrong::whole(format!("the anchor `{anchor}` is gone: whether the end was cut off is not known")));
    }
    for flaw in &found.flaws {
        let (from, to) = flaw.range();
        flaws.push(Wrong { from: Some(from), to: Some(to), what: flaw.to_string() });
    }
    let landed = landings.iter().map(|landing| landing.commits.len() as u64).sum();
    if let Some(repo) = &repo {
        for landing in &landings {
            flaws.extend(unproven(repo, landing, &checked)?);
        }
    }
    if let (Ok(by_snapshot), Ok(by_events)) = (place.load(run), place.replay(run))
        && by_snapshot != by_events.state
    {
        flaws.push(Wrong::whole(
            "the snapshot holds another state than the events give; `artel doctor --repair` drops it",
        ));
    }
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
        flaws,
    })
}

/// Holds what a run says of itself.
#[derive(Default)]
struct Evidence {
    opened: Option<Opened>,
    landings: Vec<Landing>,
    /// Trees on which the checks were green, with the batch for which they ran.
    checked: BTreeSet<(BatchId, Oid)>,
    is_at_rest: bool,
}

struct Opened {
    repo: String,
    prefix: String,
}

struct Landing {
    seq: u64,
    batch: BatchId,
    commits: Vec<(Oid, Oid)>,
    tree: Oid,
}

/// Reads all events that can be read; those that cannot are flaws.
fn gather(place: &Place, run: &RunId, flaws: &mut Vec<Wrong>) -> Result<Evidence, AppError> {
    let mut evidence = Evidence::default();
    place.journal.survey(run, &mut |entry, _| match decode_events(entry) {
        Ok(recorded) => evidence.learn(recorded),
        Err(error) => {
            flaws.push(Wrong::at(entry.seq, format!("cannot be read: {}", crate::actors::world::told(&error))))
        }
    })?;
    Ok(evidence)
}

impl Evidence {
    fn learn(&mut self, Recorded { seq, event, .. }: Recorded) {
        self.is_at_rest = matches!(event, Event::RunEnded { .. } | Event::RunParked { .. });
        if let Event::RunOpened(opening) = event {
            self.opened = Some(Opened { repo: opening.repo, prefix: opening.config.branch_prefix });
        } else if let Event::PrefixChecked { batch, tree, green: true, .. } = event {
            self.checked.insert((batch, tree));
        } else if let Event::BatchLanded { batch, landed, tree, .. } = event {
            let commits = landed.iter().map(|link| (link.commit, link.tree)).collect();
            self.landings.push(Landing { seq, batch, commits, tree });
        }
    }
}

/// Reads the checkpoints that an anchor keeps, the oldest first; none where there is no such anchor.
fn anchored(repo: &Repo, anchor: &str, flaws: &mut Vec<Wrong>) -> Result<Option<Vec<Checkpoint>>, AppError> {
    let Some(texts) = repo.anchors(anchor, usize::MAX)? else { return Ok(None) };
    let mut kept = Vec::new();
    for text in texts {
        match Checkpoint::from_text(&text) {
            Some(checkpoint) => kept.push(checkpoint),
            None => flaws.push(Wrong::whole(format!("the anchor `{anchor}` holds a commit without a checkpoint"))),
        }
    }
    kept.sort_by_key(|checkpoint| checkpoint.seq);
    Ok(Some(kept))
}

/// Tells what of a landing is not there or is not what was checked.
fn unproven(repo: &Repo, landing: &Landing, checked: &BTreeSet<(BatchId, Oid)>) -> Result<Vec<Wrong>, AppError> {
    let Landing { seq, batch, commits, tree } = landing;
    let mut wrong = Vec::new();
    for (commit, stands) in commits {
        match repo.commit_of(*commit) {
            Ok((found, _)) if found == *stands => {}
            Ok((found, _)) => {
                wrong.push(Wrong::at(*seq, format!("landed {commit} has the tree {found}, not {stands}")));
            }
            Err(_) => wrong.push(Wrong::at(*seq, format!("landed {commit} is not in the repository"))),
        }
    }
    if commits.last().is_some_and(|(_, last)| last != tree) {
        wrong.push(Wrong::at(*seq, format!("{batch} landed the tree {tree}, which is not that of its last commit")));
    }
    if !checked.contains(&(*batch, *tree)) {
        wrong.push(Wrong::at(*seq, format!("{batch} landed the tree {tree}, on which no check was green")));
    }
    Ok(wrong)
}
