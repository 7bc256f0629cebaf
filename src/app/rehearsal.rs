//! Owns trying out a goal's checks on the commit that its run would start from, as that run would. Opens no run.

use std::str::FromStr;
use std::sync::Arc;

use tokio::sync::watch;

use super::hosting::{pools, world};
use super::opening::prepare;
use super::{AppError, OpenOptions, Place, sandbox};
use crate::actors::checks::{NoAnswer, run_all};
use crate::actors::world::{Ground, blocking};
use crate::io::files::{RepoKey, RunLock};
use crate::io::git::RefNames;
use crate::model::check::CheckResult;
use crate::model::ids::{Oid, RunId};

/// Stands in the place of a run's name, and is longer than one that is drawn.
const REHEARSAL: &str = "r-rehearsal";

/// Runs each check of a goal on its base, in a clean worktree and in the sandbox of a run; gives the base too.
///
/// # Errors
/// As opening the run; [`AppError::Unfit`] where the checks could not be run at all.
pub async fn rehearse(place: &Place, options: &OpenOptions) -> Result<(Oid, Vec<CheckResult>), AppError> {
    let (opener, asked) = (place.clone(), options.clone());
    let (mut opening, repo) = blocking(move || {
        let repo = opener.repo()?;
        let opening = prepare(&opener.cwd, &repo, &asked)?;
        Ok::<_, AppError>((opening, repo))
    })
    .await?;
    let run = match RunId::from_str(REHEARSAL) {
        Ok(run) => run,
        Err(error) => panic!("bug: {error}"),
    };
    opening.run = run.clone();
    // Whoever died at it has left its worktrees to the next.
    let _lock = RunLock::try_acquire(&place.dir.lock(&run))?;
    let hands = sandbox::choose(place, opening.config.sandbox).await?;
    let (base, checks) = (opening.base, opening.goal.checks.clone());
    let trees = place.dir.trees(&RepoKey::of(repo.identity())).join(run.as_str());
    let opener = place.clone();
    let world = blocking(move || {
        let refs = RefNames::new(&opening.config.branch_prefix, opening.run.clone())?;
        let pools = pools(&opener, &opening, &repo)?;
        world(&opener, Ground::new(Arc::new(opening), repo), refs, pools, hands)
    })
    .await?;
    let (_wanted, cancelled) = watch::channel(false);
    let answers = run_all(&world, ("base-", base), &checks, cancelled).await;
    let dir = place.dir.run_dir(&run);
    blocking(move || {
        for pool in [&world.workshop, &world.bench] {
            pool.clear()?;
        }
        for dir in [trees, dir.join("desks"), dir.join("logs")] {
            let _ = std::fs::remove_dir_all(dir);
        }
        Ok::<_, AppError>(())
    })
    .await?;
    match answers {
        Ok(answers) => Ok((base, answers)),
        Err(NoAnswer::Cancelled) => Err(untried("they were broken off")),
        Err(NoAnswer::Trouble(why)) => Err(untried(&why)),
    }
}

fn untried(why: &str) -> AppError {
    AppError::Unfit {
        what: format!("the checks could not be tried on the base: {why}"),
        next: "mend it, or write a goal file: docs/goal.md tells its form".to_owned(),
    }
}
