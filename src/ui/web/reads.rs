//! Owns what programs are told of runs: each is a view of the fold, as the command line's `--json` shows it. Changes
//! nothing.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{Path, Query};
use super::refused::Refused;
use super::site::{Site, Summed};
use crate::actors::world::blocking;
use crate::app::{self, Brief, Follower, Proof};
use crate::io::gateway::PriceRow;
use crate::machine::snapshot;
use crate::machine::state::State as RunState;
use crate::model::ids::{RunId, TaskId};
use crate::model::plan_edit::PlanEdit;
use crate::views::board::{Board, board};
use crate::views::burn::Burn;
use crate::views::cost::{Cost, cost};
use crate::views::digest::{Digest, Window};
pub use crate::views::inbox::Item;
use crate::views::inbox::inbox as items;
use crate::views::outlay::Outlay;
use crate::views::plan_draft::plan_draft as plan_draft_of;
use crate::views::plan_tree::{PlanTree, plan_tree};
use crate::views::summary::Summary;
use crate::views::task::{TaskView, task as task_view};
use crate::views::timeline::{Timeline, whole_timeline};
use crate::views::traffic::TrafficView;

/// Paths that are listed where most happened.
const HOTTEST: usize = 100;

/// Answers with JSON, or says why not.
pub type Told<T> = Result<Json<T>, Refused>;

/// Any JSON.
pub type Any = serde_json::Value;

/// Tells of a run in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The user's own name for it.
    pub name: Option<String>,
    /// The repository's common git directory.
    pub repo: String,
    /// When it was opened, in milliseconds since 1970.
    pub opened_at_ms: i64,
    /// The number of its last event.
    pub last_seq: u64,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether somebody works on it.
    pub coordinated: bool,
    /// How it stands; nothing where it cannot be read.
    pub summary: Option<Summary>,
    /// Why it cannot be read or hosted, where it cannot.
    pub trouble: Option<String>,
}

/// Tells of a task in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TaskRow {
    /// The task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// How it stands.
    pub status: String,
    /// Its attempts.
    pub attempts: usize,
}

/// Lists all runs. Blocks on the disk.
///
/// # Errors
/// Where the journal cannot be read.
pub fn run_rows(site: &Site) -> Result<Vec<RunRow>, Refused> {
    let row = |(row, summary): Summed| RunRow {
        coordinated: app::is_hosted(&site.place, &row.run),
        trouble: summary.as_ref().err().cloned().or_else(|| Some(site.hosts.trouble(&row.run)?.words())),
        summary: summary.ok(),
        run: row.run,
        name: row.name,
        repo: row.repo.to_string_lossy().into_owned(),
        opened_at_ms: row.opened_at_ms,
        last_seq: row.last_seq,
        ended: row.ended.is_some(),
    };
    Ok(site.summaries()?.into_iter().map(row).collect())
}

/// Lists all runs.
///
/// # Errors
/// Where the journal cannot be read.
pub async fn runs(State(site): State<Arc<Site>>) -> Told<Vec<RunRow>> {
    Ok(Json(blocking(move || run_rows(&site)).await?))
}

/// Gives a run's board from its fold.
///
/// # Errors
/// Where the run is not open.
pub fn board_of(site: &Site, run: &RunId, follower: &Follower) -> Result<Board, Refused> {
    follower
        .see(|loaded, _| board(&loaded.state, &site.place.outside(run, &loaded.state, &loaded.pace)))
        .ok_or_else(|| not_open(run))
}

/// Says that a run is not open.
pub fn not_open(run: &RunId) -> Refused {
    Refused::missing(format!("read run {run}"), "it is not open")
}

fn viewed<T>(run: &RunId, follower: &Follower, view: impl FnOnce(&RunState) -> Option<T>) -> Result<T, Refused> {
    let seen = follower.see(|loaded, _| view(&loaded.state));
    seen.ok_or_else(|| not_open(run))
}

/// Lists tasks.
///
/// # Errors
/// Where there is no such run.
pub async fn tasks(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<Vec<TaskRow>> {
    let rows = |state: &RunState| {
        let row = |(id, task): (&TaskId, &crate::machine::state::Task)| TaskRow {
            task: *id,
            title: task.draft.title.clone(),
            status: task.status.word().to_owned(),
            attempts: task.attempts.len(),
        };
        Some(state.tasks.iter().map(row).collect())
    };
    Ok(Json(site.see(&run, move |_, run, follower| viewed(run, follower, rows)).await?))
}

/// Reads the name of a task or attempt.
///
/// # Errors
/// Where it is none.
pub fn named<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Refused> {
    text.parse().map_err(|error: T::Err| Refused::missing(format!("find `{text}`"), error.to_string()))
}

/// Gives one task from a run's fold.
///
/// # Errors
/// Where there is no such task.
pub fn task_of(site: &Site, run: &RunId, follower: &Follower, id: TaskId) -> Result<TaskView, Refused> {
    let now_ms = site.place.clock.now_ms();
    let seen = follower.see(|loaded, _| task_view(&loaded.state, id, now_ms));
    seen.ok_or_else(|| no_task(run, id))
}

fn no_task(run: &RunId, id: TaskId) -> Refused {
    Refused::missing(format!("find task {id}"), format!("run {run} has no such task"))
}

/// Shows a task.
///
/// # Errors
/// Where there is no such run or task.
pub async fn task(State(site): State<Arc<Site>>, Path((run, task)): Path<(String, String)>) -> Told<TaskView> {
    let id = named(&task)?;
    Ok(Json(site.see(&run, move |site, run, follower| task_of(site, run, follower, id)).await?))
}

/// Gives what a task's last candidate changes.
///
/// # Errors
/// Where there is no such task, or it has no candidate.
pub async fn patch(site: &Arc<Site>, run: &str, id: TaskId) -> Result<String, Refused> {
    let patch = site.see(run, move |site, _, follower| {
        let state = follower.see(|loaded, _| loaded.state.clone());
        Ok(site.place.patch(&state, id)?)
    });
    patch.await?.ok_or_else(|| Refused::missing(format!("show the diff of {id}"), "it has no candidate yet"))
}

/// Shows what a task's last candidate changes, as it is.
///
/// # Errors
/// As [`patch`].
pub async fn diff(
    State(site): State<Arc<Site>>,
    Path((run, task)): Path<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    let id = named(&task)?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], patch(&site, &run, id).await?))
}

/// Shows the brief of a task's running attempt, or of the one that would come next.
///
/// # Errors
/// Where there is no such run or task, or its work needs no brief.
pub async fn brief(State(site): State<Arc<Site>>, Path((run, task)): Path<(String, String)>) -> Told<Brief> {
    Ok(Json(made(&site, &run, &task).await?))
}

/// Shows a brief as [`brief`] does, its tokens counted by the provider of the agent's model.
///
/// # Errors
/// As there, and where nobody counts.
pub async fn tokens(State(site): State<Arc<Site>>, Path((run, task)): Path<(String, String)>) -> Told<Brief> {
    let made = made(&site, &run, &task).await?;
    Ok(Json(blocking(move || made.counted(&site.place)).await?))
}

async fn made(site: &Arc<Site>, run: &str, task: &str) -> Result<Brief, Refused> {
    let id: TaskId = named(task)?;
    let made = site.see(run, move |_, run, follower| {
        let state = follower.see(|loaded, _| loaded.state.clone());
        if !state.tasks.contains_key(&id) {
            return Err(no_task(run, id));
        }
        app::brief_of(&state, id)?
            .ok_or_else(|| Refused::missing(format!("show the brief of {id}"), "its work needs none"))
    });
    made.await
}

/// Says what a journal is held against.
#[derive(Debug, Deserialize)]
pub struct Against {
    /// A ref or commit; none is the run's anchor.
    anchor: Option<String>,
}

/// Looks whether a run's journal is what was stored, and what landed is what was checked.
///
/// # Errors
/// Where there is no such run, or its journal cannot be read at all.
pub async fn verify(
    State(site): State<Arc<Site>>,
    Path(run): Path<String>,
    Query(Against { anchor }): Query<Against>,
) -> Told<Proof> {
    let run = site.find(&run).await?;
    Ok(Json(blocking(move || app::verify(&site.place, &run, anchor.as_deref())).await?))
}

/// Shows the plan.
///
/// # Errors
/// Where there is no such run.
pub async fn plan(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<PlanTree> {
    Ok(Json(site.see(&run, |_, run, follower| viewed(run, follower, plan_tree)).await?))
}

/// Shows the plan that waits for a word.
///
/// # Errors
/// Where there is no such run, or no plan of it waits.
pub async fn plan_draft(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<PlanEdit> {
    let draft = site.see(&run, |_, _, follower| Ok(follower.see(|loaded, _| plan_draft_of(&loaded.state)))).await?;
    draft.map(Json).ok_or_else(|| no_plan_waits(&run))
}

/// Says that no plan of a run waits for a word.
pub fn no_plan_waits(run: &str) -> Refused {
    Refused::missing(format!("show the plan of {run}"), "no plan of it waits for a word")
}

/// Shows the timeline.
///
/// # Errors
/// Where there is no such run.
pub async fn timeline(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<Timeline> {
    let view = |site: &Site, run: &RunId, follower: &Follower| {
        let now_ms = site.place.clock.now_ms();
        let seen = follower.see(|loaded, told| whole_timeline(&loaded.state, &told.seatings, now_ms));
        seen.ok_or_else(|| not_open(run))
    };
    Ok(Json(site.see(&run, view).await?))
}

/// Shows the burn-down.
///
/// # Errors
/// Where there is no such run.
pub async fn burn(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<Burn> {
    Ok(Json(site.see(&run, |_, _, follower| Ok(follower.see(|_, told| told.burn.clone()))).await?))
}

/// Shows how landing went.
///
/// # Errors
/// Where there is no such run.
pub async fn traffic(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<TrafficView> {
    Ok(Json(site.see(&run, |_, _, follower| Ok(follower.see(|_, told| told.traffic.view(HOTTEST)))).await?))
}

/// Shows what calls to models cost over time.
///
/// # Errors
/// Where there is no such run.
pub async fn outlay(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<Outlay> {
    Ok(Json(site.see(&run, |_, _, follower| Ok(follower.see(|_, told| told.outlay.clone()))).await?))
}

/// Shows the cost.
///
/// # Errors
/// Where there is no such run.
pub async fn cost_of(site: &Arc<Site>, run: &str) -> Result<Cost, Refused> {
    site.see(run, |_, run, follower| viewed(run, follower, cost)).await
}

/// Shows the cost.
///
/// # Errors
/// Where there is no such run.
pub async fn costs(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<Cost> {
    Ok(Json(cost_of(&site, &run).await?))
}

/// Says which stretch of a run is wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Wanted {
    /// The number of the last event that is known.
    #[serde(default)]
    after: u64,
    /// The seconds up to the present that are told of.
    since_s: Option<u64>,
}

/// Gathers the digest of a run.
///
/// # Errors
/// Where there is no such run.
pub async fn digest_of(site: &Arc<Site>, run: &str, wanted: &Wanted) -> Result<Digest, Refused> {
    let Wanted { after, since_s } = *wanted;
    let run = site.find(run).await?;
    let site = Arc::clone(site);
    blocking(move || {
        let ms_of = |s: u64| i64::try_from(s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let since_ms = since_s.map(|s| site.place.clock.now_ms().saturating_sub(ms_of(s)));
        let digest = site.place.digest(&run, Window { after, since_ms })?;
        digest.ok_or_else(|| Refused::missing(format!("read run {run}"), "it is not open"))
    })
    .await
}

/// Tells what a run came to.
///
/// # Errors
/// Where there is no such run, or a number is none.
pub async fn digest(
    State(site): State<Arc<Site>>,
    Path(run): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Told<Digest> {
    Ok(Json(digest_of(&site, &run, &wanted).await?))
}

/// Lists what of a run needs a person.
///
/// # Errors
/// Where there is no such run.
pub async fn inbox_of(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<Vec<Item>> {
    let of_state =
        |state: &RunState| Some(app::note_targets(std::path::Path::new(&state.opening().repo), items(state)));
    Ok(Json(site.see(&run, move |_, run, follower| viewed(run, follower, of_state)).await?))
}

/// Says whether what is finished is wanted too.
#[derive(Debug, Deserialize)]
pub struct Sorted {
    /// Finished tasks too.
    #[serde(default)]
    all: bool,
}

/// Lists what needs a person, of all runs; finished tasks are left out unless all is wanted.
///
/// # Errors
/// Where the journal cannot be read.
pub async fn inbox(State(site): State<Arc<Site>>, Query(Sorted { all }): Query<Sorted>) -> Told<Vec<Item>> {
    let listed = blocking(move || if all { Ok(app::whole_inbox(&site.place)?) } else { open_items(&site) });
    Ok(Json(listed.await?))
}

/// Lists what needs a person, of all runs; finished tasks are left out. Blocks on the disk.
///
/// # Errors
/// Where the journal cannot be read.
pub fn open_items(site: &Site) -> Result<Vec<Item>, Refused> {
    let of_run = |(row, summary): Summed| match summary {
        Ok(summary) => app::note_targets(&row.repo, summary.inbox),
        Err(why) => app::needs_repair(&row, &why).into_iter().collect(),
    };
    let mut items: Vec<Item> = site.summaries()?.into_iter().flat_map(of_run).collect();
    items.sort_by_key(|item| item.bucket);
    Ok(items)
}

/// Gives a run's folded state in the form of this program.
///
/// # Errors
/// Where there is no such run.
pub async fn state(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Result<impl IntoResponse, Refused> {
    let bytes = site.see(&run, |site, run, follower| {
        let written = follower.see(|loaded, _| {
            let outside = site.place.outside(run, &loaded.state, &loaded.pace);
            let last_lines = &outside.last_lines;
            snapshot::write(&(
                run,
                &loaded.state,
                &loaded.pace,
                last_lines,
                &outside.checking,
                outside.coordinated,
                outside.target,
            ))
        });
        written.map_err(|error| Refused::missing(format!("write the state of {run}"), error.to_string()))
    });
    let kind = (CONTENT_TYPE, "application/octet-stream");
    Ok(([kind, (axum::http::HeaderName::from_static("artel-form"), snapshot::FORM)], bytes.await?))
}

/// Lists what models cost.
///
/// # Errors
/// Where the user's own prices cannot be read.
pub async fn prices(State(site): State<Arc<Site>>) -> Told<Vec<PriceRow>> {
    let rows = blocking(move || app::read_prices(&site.place.dir)).await?;
    Ok(Json(rows.rows().collect()))
}

/// Gives the schemas of the files that artel reads.
pub async fn schemas() -> Json<Any> {
    let schemas = crate::ui::cli::schemas::schemas();
    Json(schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect::<serde_json::Map<_, _>>().into())
}
