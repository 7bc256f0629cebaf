//! Owns the one table of what programs may ask: the paths, who may, what goes in and what comes out. The router and the
//! document that describes it are both made from this table.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    assets, events, guard, login, machine, metrics, openapi, pages, past, reads, refused, site::Site, transcripts,
    writes,
};
use crate::app::{Became, Brief, Fact, Left, Proof, RoleRow, Standing};
use crate::io::agents::KnownAgent;
use crate::io::gateway::PriceRow;
use crate::machine::command::Ask;
use crate::model::plan_edit::PlanEdit;
use crate::model::plan_text;
use crate::views::board::Board;
use crate::views::burn::Burn;
use crate::views::cost::Cost;
use crate::views::digest::Digest;
use crate::views::graph::{Graph, Marks};
use crate::views::journal::Page;
use crate::views::outlay::Outlay;
use crate::views::plan_tree::PlanTree;
use crate::views::task::TaskView;
use crate::views::timeline::Timeline;
use crate::views::traffic::TrafficView;

/// Bytes that a request's body may have.
pub const BODY_BYTES: usize = 64 << 10;

/// Bytes that it may have where it edits a plan: a form writes what is no letter as three.
pub const PLAN_BYTES: usize = 3 * plan_text::SIZE_MAX;

/// Begins the path of each route for programs.
pub const PREFIX: &str = "/api/v1";

/// Says what a route answers with.
#[derive(Clone, Copy)]
pub enum Answer {
    /// JSON of this form.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Text of one of these media types.
    Text(&'static [&'static str]),
}

/// Describes one route.
pub struct Route {
    /// `get` or `post`.
    pub method: &'static str,
    /// Its path below the prefix, with holes.
    pub path: &'static str,
    /// Who may ask.
    pub needs: Standing,
    /// What it does, in a sentence.
    pub tells: &'static str,
    /// What the query may hold: name, and what it says.
    pub query: &'static [(&'static str, &'static str)],
    /// The form of the body, where there is one.
    pub body: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// How many bytes the body may have.
    pub body_bytes: usize,
    /// What it answers with.
    pub answer: Answer,
    serves: MethodRouter<Arc<Site>>,
}

fn json<T: JsonSchema>() -> Answer {
    Answer::Json(|generator| generator.subschema_for::<T>())
}

fn reads(path: &'static str, tells: &'static str, answer: Answer, serves: MethodRouter<Arc<Site>>) -> Route {
    let (needs, body_bytes) = (Standing::Viewer, BODY_BYTES);
    Route { method: "get", path, needs, tells, query: &[], body: None, body_bytes, answer, serves }
}

fn writes<T: JsonSchema>(
    path: &'static str,
    needs: Standing,
    tells: &'static str,
    answer: Answer,
    serves: MethodRouter<Arc<Site>>,
) -> Route {
    let body: fn(&mut SchemaGenerator) -> Schema = |generator| generator.subschema_for::<T>();
    let (body, body_bytes) = (Some(body), BODY_BYTES);
    Route { method: "post", path, needs, tells, query: &[], body, body_bytes, answer, serves }
}

/// Has something done that needs no more to be said.
fn does(path: &'static str, tells: &'static str, answer: Answer, serves: MethodRouter<Arc<Site>>) -> Route {
    Route { method: "post", needs: Standing::Operator, ..reads(path, tells, answer, serves) }
}

impl Route {
    fn for_operators(self) -> Self {
        Self { needs: Standing::Operator, ..self }
    }

    fn with(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    fn holding(mut self, bytes: usize) -> Self {
        self.body_bytes = bytes;
        self
    }
}

/// Plain text.
const TEXT: Answer = Answer::Text(&["text/plain; charset=utf-8"]);
/// Which moment, in a query.
const AT: (&str, &str) = ("at", "the number of an event: shows it as it was when that had happened");
/// How long to wait, in a query.
const WAIT: (&str, &str) = ("wait_s", "how many seconds to wait for news, 30 at most");

/// Lists the routes for programs.
pub fn routes() -> Vec<Route> {
    looks().into_iter().chain(looks_back()).chain(evidence()).chain(follows()).chain(machines()).chain(asks()).collect()
}

/// Lists the routes that show what there is.
fn looks() -> Vec<Route> {
    vec![
        reads("/runs", "Lists all runs, the newest first.", json::<Vec<reads::RunRow>>(), get(reads::runs)),
        reads("/runs/{run}", "Shows the board of a run.", json::<Board>(), get(past::run)).with(&[AT]),
        reads("/runs/{run}/tasks", "Lists a run's tasks.", json::<Vec<reads::TaskRow>>(), get(reads::tasks)),
        reads("/runs/{run}/tasks/{task}", "Shows one task with its attempts.", json::<TaskView>(), get(reads::task)),
        reads(
            "/runs/{run}/tasks/{task}/diff",
            "Shows what a task's last candidate changes, as a unified diff.",
            TEXT,
            get(reads::diff),
        ),
        reads(
            "/runs/{run}/attempts/{attempt}/log",
            "Shows the end of what an attempt printed, the stream of a model's agent as it is told to people; from a place \
             on, where one is given, and the header `artel-next` then says from where on there is more.",
            TEXT,
            get(transcripts::printed),
        )
        .with(&[("from", "the byte from which on it is wanted")]),
        reads(
            "/runs/{run}/attempts/{attempt}/diff",
            "Shows what an attempt's candidate changes, as a unified diff.",
            TEXT,
            get(transcripts::diff),
        ),
        reads("/runs/{run}/plan", "Shows the plan as it was made.", json::<PlanTree>(), get(reads::plan)),
        reads(
            "/runs/{run}/plan/draft",
            "Shows the plan that waits for a word, in the form in which an edit of it is asked for.",
            json::<PlanEdit>(),
            get(reads::plan_draft),
        ),
        reads("/runs/{run}/traffic", "Shows how landing went.", json::<TrafficView>(), get(reads::traffic)),
        reads("/runs/{run}/outlay", "Shows spend over time.", json::<Outlay>(), get(reads::outlay)),
        reads("/runs/{run}/timeline", "Shows attempts by worker over time.", json::<Timeline>(), get(reads::timeline)),
        reads("/runs/{run}/burn", "Shows how the work that is left went down.", json::<Burn>(), get(reads::burn)),
        reads(
            "/runs/{run}/digest",
            "Tells what a run, or a stretch of it, came to, each claim with the number of the event that it rests on.",
            json::<Digest>(),
            get(reads::digest),
        )
        .with(&[("after", "the number of the last event that is known"), ("since_s", "seconds up to the present")]),
        reads("/runs/{run}/cost", "Shows what a run has cost, by agent and role.", json::<Cost>(), get(reads::costs)),
        reads(
            "/runs/{run}/inbox",
            "Lists what of a run needs a person.",
            json::<Vec<reads::Item>>(),
            get(reads::inbox_of),
        ),
        reads("/inbox", "Lists what needs a person, of all runs.", json::<Vec<reads::Item>>(), get(reads::inbox))
            .with(&[("all", "finished tasks too")]),
    ]
}

/// Lists the routes that show a run as it was, and how it came to be what it is.
fn looks_back() -> Vec<Route> {
    vec![
        reads(
            "/runs/{run}/graph",
            "Shows the plan as a picture: where each scope and task lies, and how it stands.",
            json::<Graph>(),
            get(past::graph),
        )
        .with(&[AT]),
        reads(
            "/runs/{run}/marks",
            "Shows how each task stands, as one letter; with it a picture of the plan is kept up to date.",
            json::<Marks>(),
            get(past::marks),
        )
        .with(&[AT]),
        reads(
            "/runs/{run}/journal",
            "Shows a page of the journal, the newest event first, sifted by what is asked.",
            json::<Page>(),
            get(past::journal),
        )
        .with(&[
            ("text", "what the event's line holds, whatever its case"),
            ("kind", "which event it is, such as AttemptEnded"),
            ("task", "a task that it is about, as t12"),
            ("actor", "whose doing it is: an agent, a judge, `person` or `coordinator`"),
            ("before", "the number of an event: only older ones"),
            ("after", "the number of an event: only newer ones, the next ones first"),
            ("limit", "how many at most, 200 or fewer"),
        ]),
    ]
}

/// Lists the routes that show what a run's agents were told and wrote, and what its journal proves.
fn evidence() -> Vec<Route> {
    vec![
        reads(
            "/runs/{run}/tasks/{task}/brief",
            "Shows the brief of a task's running attempt, or of the one that would come next.",
            json::<Brief>(),
            get(reads::brief),
        ),
        reads(
            "/runs/{run}/tasks/{task}/tokens",
            "Shows the same brief, its tokens counted by the provider of the agent's model, by the server's key.",
            json::<Brief>(),
            get(reads::tokens),
        )
        .for_operators(),
        reads(
            "/runs/{run}/transcripts",
            "Lists what a run's sessions wrote, by name.",
            json::<Vec<String>>(),
            get(transcripts::transcripts),
        ),
        reads(
            "/runs/{run}/transcripts/{transcript}",
            "Gives what a session wrote, byte for byte. The header `artel-noted` says up to which byte the journal tells \
             what it holds, and `artel-flaw` what is wrong with it by the journal.",
            Answer::Text(&["application/octet-stream"]),
            get(transcripts::transcript),
        ),
        reads(
            "/runs/{run}/verify",
            "Looks whether a run's journal is what was stored, and what landed is what was checked.",
            json::<Proof>(),
            get(reads::verify),
        )
        .with(&[("anchor", "a whole ref or commit id that the journal is held against, in place of the run's anchor")]),
    ]
}

/// Which repository is meant, in a query.
const REPO: (&str, &str) = ("repo", "a folder in a repository of the server's machine, from the root on");

/// Lists the routes that tell of the server's machine and of repositories on it.
fn machines() -> Vec<Route> {
    vec![
        reads(
            "/doctor",
            "Looks whether the server's machine is fit, and a repository where one is named.",
            json::<Vec<Fact>>(),
            get(machine::doctor),
        )
        .with(&[REPO])
        .for_operators(),
        reads(
            "/roles",
            "Lists the roles as a run of a repository would have them; without one those that are built in.",
            json::<Vec<RoleRow>>(),
            get(machine::roles),
        )
        .with(&[REPO, ("role", "changes to roles, each ROLE.FIELD=VALUE")])
        .for_operators(),
        reads(
            "/agents",
            "Lists the agents that roles may name, and which of them the server's machine has.",
            json::<Vec<KnownAgent>>(),
            get(machine::agents),
        )
        .for_operators(),
        reads(
            "/gc",
            "Lists what ended runs of a repository have left that could be cleared away.",
            json::<Vec<Left>>(),
            get(machine::garbage),
        )
        .with(&[REPO])
        .for_operators(),
    ]
}

/// Lists the routes by which runs are followed, and those that tell of this program.
fn follows() -> Vec<Route> {
    vec![
        reads(
            "/runs/{run}/events",
            "Streams a run's events as server-sent events, each with its number as `id`: whoever comes back with the \
             last one as `Last-Event-ID` misses and repeats none. To who does not accept `text/event-stream` it gives \
             those that there are, one JSON value a line.",
            Answer::Text(&["text/event-stream", "application/x-ndjson"]),
            get(events::events),
        )
        .with(&[("after", "the number of the last event that is known"), WAIT, ("limit", "how many at most")]),
        reads(
            "/runs/{run}/state",
            "Gives a run's folded state in the form of this very program, named by the header `artel-form`.",
            Answer::Text(&["application/octet-stream"]),
            get(reads::state),
        ),
        reads("/prices", "Lists what models cost.", json::<Vec<PriceRow>>(), get(reads::prices)),
        reads(
            "/schemas",
            "Gives the JSON schemas of the files that artel reads.",
            json::<reads::Any>(),
            get(reads::schemas),
        ),
        reads("/openapi.json", "Describes all this.", json::<reads::Any>(), get(openapi::openapi)),
    ]
}

/// Lists the routes that change something.
fn asks() -> Vec<Route> {
    vec![
        writes::<writes::Opening>(
            "/runs",
            Standing::Operator,
            "Opens a run for a goal file of the server's machine, and hosts it.",
            json::<writes::Opened>(),
            post(writes::open),
        ),
        writes::<Ask>(
            "/runs/{run}/requests",
            Standing::Approver,
            "Asks something of a run. With the header `Idempotency-Key` the same request is carried out once, however often \
         it is sent. An edit of a plan may have as many bytes as are allowed; all else may have 64 KiB.",
            json::<writes::Answered>(),
            post(writes::ask),
        )
        .holding(PLAN_BYTES),
        does(
            "/runs/{run}/host",
            "Hosts a run on which nobody works, until it rests or ends.",
            json::<writes::Taken>(),
            post(writes::host),
        ),
        writes::<writes::Opening>(
            "/plans",
            Standing::Operator,
            "Plans a goal file of the server's machine, and creates nothing.",
            json::<PlanTree>(),
            post(machine::plan),
        ),
        writes::<machine::Of>(
            "/gc",
            Standing::Operator,
            "Clears away what ended runs of a repository have left; what did not land is kept.",
            json::<Vec<Left>>(),
            post(machine::clear),
        ),
        does(
            "/repair",
            "Looks through every run of the journal and drops caches that do not fit; no event is ever changed.",
            json::<Vec<Fact>>(),
            post(machine::repair),
        ),
        writes::<machine::Channel>(
            "/notices",
            Standing::Operator,
            "Sends a test notice by each channel of `notify.toml`, or by one.",
            json::<Vec<Became>>(),
            post(machine::notify),
        ),
        writes::<login::Wanted>(
            "/links",
            Standing::Operator,
            "Makes a link that logs a browser in once.",
            json::<login::Made>(),
            post(login::make_link),
        ),
    ]
}

/// Builds what answers all requests.
pub fn router(site: Arc<Site>) -> Router {
    let mut router = Router::new();
    for Route { path, needs, body_bytes, serves, .. } in routes() {
        let bounded = serves.layer(DefaultBodyLimit::max(body_bytes));
        let held = bounded.layer(from_fn(move |request, next| guard::needs(needs, request, next)));
        router = router.route(&format!("{PREFIX}{path}"), held);
    }
    let metrics = get(metrics::metrics).layer(from_fn(|request, next| guard::needs(Standing::Viewer, request, next)));
    let pages = pages::router().layer(from_fn_with_state(Arc::clone(&site), pages::told_as_page));
    router
        .route("/metrics", metrics)
        .merge(pages)
        .merge(assets::router())
        .fallback(|| async { refused::Refused::missing("answer", "there is nothing of that name here") })
        .method_not_allowed_fallback(|| async {
            refused::Refused::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "answer", "that is not how it is asked")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn_with_state(Arc::clone(&site), guard::guard))
        .with_state(site)
}
