//! Owns what people ask by a page's buttons: each button is a small form with a key of its own, so that pressing twice
//! asks once. Never carries anything out.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::budgets;
use crate::actors::world::blocking;
use crate::app::Standing;
use crate::machine::awaited::{Objection, Shown};
use crate::machine::command::{Ask, Refusal};
use crate::machine::event::Rest;
use crate::machine::state::{State as RunState, Status, Task};
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, Oid, RunId, TaskId};
use crate::model::inert;
use crate::model::plan_edit::PlanEdit;
use crate::model::plan_text;
use crate::model::seat::Seat;
use crate::model::spend::Usd;
use crate::model::written::Fault;
use crate::ui::web::extract::{Path, Weighed};
use crate::ui::web::guard::{Caller, leads_here};
use crate::ui::web::refused::Refused;
use crate::ui::web::routes::PLAN_BYTES;
use crate::ui::web::site::Site;
use crate::ui::web::writes::{fits, id_of_form, needed, put};
use crate::views::{waiting, words};

/// Names the form that edits a plan.
const EDIT: &str = "edit_plan";

/// Faults of a plan that are told at one time.
const FAULTS: usize = 20;

/// Holds what a form says.
#[derive(Debug, Clone, Deserialize)]
pub struct Filled {
    ask: String,
    key: String,
    back: String,
    #[serde(default)]
    task: String,
    #[serde(default)]
    gate: String,
    #[serde(default)]
    edits: String,
    #[serde(default)]
    since_ms: String,
    #[serde(default)]
    attempt: String,
    #[serde(default)]
    commit: String,
    #[serde(default)]
    branch: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    of: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    seat: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    text: String,
}

/// Asks what a form says and goes back to the page.
///
/// # Errors
/// Where the form is not whole, the run refuses, or the caller may not ask that.
pub async fn ask(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path(run): Path<String>,
    form: Result<Weighed<Form<Filled>>, FormRejection>,
) -> Result<Response, Refused> {
    let tried = format!("ask something of {run}");
    let Weighed(Form(form), bytes) = form.map_err(|fault| unread(&tried, &fault))?;
    // A plan is a file of megabytes.
    let read = move || {
        let asked = asked(&form);
        (form, asked)
    };
    let (form, asked) = blocking(read).await;
    let asked = asked.map_err(|why| {
        let refused = Refused::new(StatusCode::UNPROCESSABLE_ENTITY, &tried, why);
        if form.ask == EDIT { refused.next("go back: what you wrote still stands there") } else { refused }
    })?;
    for (number, ask) in asked.into_iter().enumerate() {
        fits(&tried, &ask, bytes)?;
        // The first is named by the key alone.
        let key = if number == 0 { form.key.clone() } else { format!("{}/{number}", form.key) };
        put(&site, standing, &run, id_of_form(&key)?, ask).await?;
    }
    let back = if leads_here(&form.back) { form.back } else { "/".to_owned() };
    Ok((StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response())
}

fn unread(tried: &str, fault: &FormRejection) -> Refused {
    let why = match fault.status() {
        StatusCode::PAYLOAD_TOO_LARGE => format!("it has more than {} MiB", PLAN_BYTES >> 20),
        _ => fault.body_text(),
    };
    Refused::new(fault.status(), tried, why)
}

/// Reads what is asked, in order: words reach the attempt that they are for before it is begun.
fn asked(form: &Filled) -> Result<Vec<Ask>, String> {
    if form.ask == "send_back" {
        let steer = Filled { ask: "steer".to_owned(), ..form.clone() };
        let retry = Filled { ask: "retry".to_owned(), ..form.clone() };
        return Ok(vec![one(&steer)?, one(&retry)?]);
    }
    Ok(vec![one(form)?])
}

fn one(form: &Filled) -> Result<Ask, String> {
    let task = || form.task.parse::<TaskId>().map_err(|error| error.to_string());
    let gate = || match form.gate.as_str() {
        "plan" => Ok(Gate::Plan),
        "sweep" => Ok(Gate::Sweep),
        "spend" => Ok(Gate::Spend),
        other => Err(format!("`{other}` is no gate")),
    };
    let shown = || match (form.edits.parse(), form.since_ms.parse()) {
        (Ok(edits), Ok(since_ms)) => Ok(Shown { edits, since_ms }),
        _ => Err("it does not say what was shown: look at the page again"),
    };
    let text = || match form.text.trim() {
        "" => Err("say it in words: the field was empty".to_owned()),
        text => Ok(text.to_owned()),
    };
    let attempt = || form.attempt.parse::<AttemptId>().map_err(|error| error.to_string());
    let commit = || form.commit.parse::<Oid>().map_err(|error| error.to_string());
    let deny =
        |then| Ok::<_, String>(Ask::DenyCandidate { attempt: attempt()?, commit: commit()?, reason: text()?, then });
    Ok(match form.ask.as_str() {
        "approve" => Ask::ApproveGate { gate: gate()?, shown: shown()? },
        "approve_task" => Ask::ApproveTask(task()?),
        "deny" => Ask::Deny { gate: gate()?, reason: text()?, shown: Some(shown()?) },
        "send_plan_back" => Ask::SendPlanBack(Objection { reason: text()?, shown: shown()? }),
        // Browsers send lines as they think fit.
        EDIT => Ask::EditPlan(plan_text::read(&form.text.replace("\r\n", "\n")).map_err(faults)?),
        "approve_candidate" => Ask::ApproveCandidate { attempt: attempt()?, commit: commit()? },
        "deny_candidate" => deny(Refusal::Redo)?,
        "drop_candidate" => deny(Refusal::Drop)?,
        "approve_delivery" => Ask::ApproveDelivery { branch: form.branch.clone(), head: commit()? },
        "deny_delivery" => Ask::DenyDelivery { branch: form.branch.clone(), head: commit()?, reason: text()? },
        "deny_task" => Ask::DenyTask { task: task()?, reason: text()? },
        "retry" => Ask::Retry(task()?),
        "grant" => Ask::AnswerScope { task: task()?, granted: true, reason: text()? },
        "refuse" => Ask::AnswerScope { task: task()?, granted: false, reason: text()? },
        "answer" => {
            let seat = form.seat.parse::<Seat>().map_err(|error| error.to_string())?;
            let number = form.number.parse().map_err(|_| "it does not say which question: look at the page again")?;
            Ask::AnswerQuestion { seat, number, answer: text()? }
        }
        "drain" => Ask::Drain,
        "stop" => Ask::Stop,
        "resume" => Ask::Resume,
        "steer" => Ask::Steer { task: if form.task.is_empty() { None } else { Some(task()?) }, message: text()? },
        "revert" => Ask::Revert(task()?),
        "deliver" => Ask::Deliver { branch: None, onto: None },
        "raise_usd" => Ask::Raise(budgets::of_money(&form.text)?),
        "raise_attempts" => Ask::Raise(budgets::of_attempts(&form.text)?),
        "raise_bound" => Ask::Raise(budgets::of_bound((&form.unit, &form.of, &form.role), &form.text)?),
        other => return Err(format!("`{other}` is nothing that can be asked")),
    })
}

fn faults(faults: Vec<Fault>) -> String {
    let more = faults.len().saturating_sub(FAULTS);
    let told = faults.into_iter().take(FAULTS).map(|it| it.what);
    let more = (more > 0).then(|| format!("and {more} more"));
    told.chain(more).collect::<Vec<_>>().join("; ")
}

/// Draws buttons of one page for one person.
pub struct Buttons<'a> {
    /// The run.
    pub run: &'a RunId,
    /// What the person may do.
    pub standing: Standing,
    /// The page to come back to.
    pub back: &'a str,
    /// Where the branch stands that the run was opened from, where it has moved since.
    pub moved_on: Option<Oid>,
    /// Where the branch stands into which a delivery waits to go.
    pub target: Option<Oid>,
}

impl Buttons<'_> {
    pub(super) fn fields(&self, name: &str, more: &[(&str, &str)]) -> Markup {
        let key = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        html! {
            input type="hidden" name="ask" value=(name);
            input type="hidden" name="key" value=(key);
            input type="hidden" name="back" value=(self.back);
            @for (name, value) in more { input type="hidden" name=(name) value=(value); }
        }
    }

    fn may(&self, ask: &Ask) -> bool {
        self.standing >= needed(ask)
    }

    /// Draws a button that shows what will happen and asks only at the second press.
    fn sure(&self, name: &str, title: &str, then: &str, class: &str, more: &[(&str, &str)]) -> Markup {
        html! {
            details.act {
                summary { (title) }
                form method="post" action={ "/runs/" (self.run) "/ask" } {
                    (self.fields(name, more))
                    p { (then) }
                    button class=(class) { (title) }
                }
            }
        }
    }

    /// Draws a button that asks for words first.
    fn told(&self, name: &str, title: &str, label: &str, class: &str, more: &[(&str, &str)]) -> Markup {
        html! {
            details.act {
                summary { (title) }
                form method="post" action={ "/runs/" (self.run) "/ask" } {
                    (self.fields(name, more))
                    label { (label) textarea name="text" required maxlength="4000" {} }
                    button class=(class) { (title) }
                }
            }
        }
    }

    /// Draws a button that asks for an amount first, and proposes one.
    pub(super) fn amount(&self, name: &str, title: &str, label: &str, proposed: &str) -> Markup {
        html! {
            details.act {
                summary { (title) }
                form method="post" action={ "/runs/" (self.run) "/ask" } {
                    (self.fields(name, &[]))
                    label { (label) input name="text" required inputmode="decimal" maxlength="20" value=(proposed); }
                    button.main { (title) }
                }
            }
        }
    }

    /// Says what happens when a gate is passed, and whether the ground has moved since the run was opened.
    fn gate_says(&self, state: &RunState, gate: Gate) -> String {
        let (opening, then) = (state.opening(), waiting::past(state, gate));
        let within = state.budget.nano_usd.map(|most| format!(" For {} at most in all.", Usd(most)));
        let within = within.unwrap_or_default();
        let branch = opening.branch.as_deref().map_or_else(|| "its branch".to_owned(), |name| inert::fit(name, 60));
        let base = opening.base.short();
        let ground = match self.moved_on {
            Some(at) => format!(
                "The run stands on {base}; {branch} has moved to {} since. What is done meets that when it is delivered.",
                at.short()
            ),
            None => format!("The run stands on {base}, from which {branch} has not moved."),
        };
        format!("{}.{within} {ground}", words::sentence(&then))
    }

    /// Draws what may be asked of a run as it stands.
    pub fn of_run(&self, state: &RunState) -> Markup {
        let is_over = state.end.is_some();
        let gate = state.waiting.filter(|_| !is_over);
        let rests = matches!(state.rest, Some(Rest::Stopped | Rest::Budget { .. } | Rest::Trouble { .. }));
        let operates = self.may(&Ask::Resume);
        let has_landed = state.head.is_some_and(|head| head != state.opening().base);
        html! {
            div.acts {
                @if let Some(gate) = gate.filter(|gate| self.may(&Ask::Approve(*gate))) {
                    @let word = words::gate(gate);
                    @let shown = state.shown();
                    @let (edits, since) = (shown.edits.to_string(), shown.since_ms.to_string());
                    @let more = [("gate", word), ("edits", edits.as_str()), ("since_ms", since.as_str())];
                    (self.sure("approve", &format!("Approve the {word}"), &self.gate_says(state, gate), "main", &more))
                    @if gate == Gate::Plan && self.may(&Ask::EditPlan(PlanEdit { revision: 0, tasks: Vec::new() })) {
                        a.press href={ "/runs/" (self.run) "/plan" } { "Edit the plan" }
                    }
                    @if gate == Gate::Plan && state.is_planned_by_session() {
                        (self.told("send_plan_back", "Send the plan back", "Why? Its planner makes another, and is told.", "harm", &more))
                    }
                    (self.told("deny", &format!("Refuse the {word}"), "Why? The run ends here.", "harm", &more))
                }
                @if operates && rests {
                    (self.sure("resume", "Resume", "The run goes on from where it stands.", "main", &[]))
                }
                @if operates && state.is_live() {
                    (self.sure("drain", "Stop", "What runs is finished first, nothing new is begun.", "harm", &[]))
                    (self.sure("stop", "Stop at once", "What runs is ended, and tried again after resuming.", "harm", &[]))
                }
                @if self.may(&Ask::Steer { task: None, message: String::new() }) && !is_over {
                    (self.told("steer", "Steer", "What are all next attempts to be told?", "main", &[]))
                }
                @if operates && !is_over {
                    (self.of_budget(state))
                }
                @for (seat, ..) in state.open_questions().filter(|(seat, ..)| !matches!(seat, Seat::Judge { .. })) {
                    (self.of_question(state, seat))
                }
                (self.of_delivery(state))
                @if operates && has_landed && state.delivered_head != state.head && state.asked.delivery.is_none() {
                    @let to = state.opening().branch.as_deref().unwrap_or("the branch that it was opened from");
                    @let to = inert::inert(to);
                    (self.sure("deliver", "Deliver", &format!("What landed is brought into {to}."), "main", &[]))
                }
            }
        }
    }

    /// Draws a plan that waits, as it is written, to be edited.
    pub fn of_plan(&self, text: &str) -> Markup {
        html! {
            form method="post" action={ "/runs/" (self.run) "/ask" } {
                (self.fields(EDIT, &[]))
                label {
                    "What you save is what runs, once it is approved"
                    textarea.plan name="text" required spellcheck="false" rows="30" { (text) }
                }
                button.main { "Save the plan" }
            }
        }
    }

    /// Draws the answer that a question waits for: to exactly what is shown.
    pub fn of_question(&self, state: &RunState, seat: Seat) -> Markup {
        let waiting = waiting::of_question(state, seat).filter(|_| state.end.is_none());
        let Some((number, waiting)) = waiting.and_then(|it| Some((it.number?, it))) else { return html! {} };
        if !self.may(&Ask::AnswerQuestion { seat, number, answer: String::new() }) {
            return html! {};
        }
        let (seat, number) = (seat.to_string(), number.to_string());
        let more = [("seat", seat.as_str()), ("number", number.as_str())];
        self.told("answer", "Answer", &inert::inert(&waiting.reasons.join("; ")), "main", &more)
    }

    /// Draws the word that a delivery waits for: on exactly what is shown.
    fn of_delivery(&self, state: &RunState) -> Markup {
        let Some(mut waiting) = waiting::of_delivery(state) else { return html! {} };
        waiting.note_target(self.target);
        let moved = waiting.moved().map(|moved| format!("; {moved}")).unwrap_or_default();
        let then = inert::inert(&format!("{}{moved}", waiting.then));
        let (branch, commit) = (waiting.branch.unwrap_or_default(), waiting.commit.unwrap_or(Oid([0; 20])));
        if !self.may(&Ask::ApproveDelivery { branch: branch.clone(), head: commit }) {
            return html! {};
        }
        let commit = commit.to_string();
        let more = [("branch", branch.as_str()), ("commit", commit.as_str())];
        html! {
            (self.sure("approve_delivery", "Approve the delivery", &then, "main", &more))
            (self.told("deny_delivery", "Refuse the delivery", "Why? Nothing is delivered.", "harm", &more))
        }
    }

    /// Draws the word that a candidate waits for: on exactly what is shown.
    fn of_candidate(&self, state: &RunState, task: &Task, id: TaskId) -> Markup {
        let attempt = AttemptId { task: id, number: task.attempts.len() as u32 };
        let Some(waiting) = waiting::of_candidate(state, attempt) else { return html! {} };
        let Some(commit) = waiting.commit.filter(|_| self.may(&Ask::Retry(id))) else { return html! {} };
        let (attempt, commit) = (attempt.to_string(), commit.to_string());
        let more = [("attempt", attempt.as_str()), ("commit", commit.as_str())];
        html! {
            (self.sure("approve_candidate", "Approve", &inert::inert(&waiting.then), "main", &more))
            (self.told("deny_candidate", "Refuse", "Why? The next attempt is told.", "harm", &more))
            (self.told("drop_candidate", "Refuse and give up", "Why? The task is not done again.", "harm", &more))
        }
    }

    /// Draws what may be asked about a task as it stands.
    pub fn of_task(&self, state: &RunState, id: TaskId) -> Markup {
        let Some(task) = state.tasks.get(&id) else { return html! {} };
        let name = id.to_string();
        let more = [("task", name.as_str())];
        let approves = self.may(&Ask::Retry(id));
        let has_candidate = task.attempts.iter().any(|attempt| attempt.candidate().is_some());
        let (is_kept, is_blocked) =
            (matches!(task.status, Status::Kept { .. }), matches!(task.status, Status::Blocked { .. }));
        let last = AttemptId { task: id, number: task.attempts.len() as u32 };
        let is_asked = state.is_asked_about(id);
        html! {
            div.acts {
                (self.of_candidate(state, task, id))
                @if is_asked {
                    (self.of_question(state, state.review_seat(last)))
                }
                @if approves && (is_kept || is_blocked) {
                    (self.told("send_back", "Send back", "What is wrong? A new attempt is made and told this.", "main", &more))
                    (self.sure("retry", "Try again", "A new attempt is made, in a fresh worktree.", "main", &more))
                }
                @if approves && is_blocked && task.wants.is_some() {
                    (self.told("grant", "Grant", "Why may it change what it asks for?", "main", &more))
                    (self.told("refuse", "Refuse", "Why not? It is tried again within its own paths.", "harm", &more))
                }
                @if approves && is_kept && has_candidate {
                    @let says = moved(state, id);
                    (self.sure("approve_task", "Let it land", &says, "main", &more))
                }
                @if approves && (is_kept || is_blocked || is_asked) {
                    (self.told("deny_task", "Give up", "Why? The task is not tried again.", "harm", &more))
                }
                @if approves && !task.status.is_settled() {
                    (self.told("steer", "Steer", "What is its next attempt to be told?", "main", &more))
                }
                @if self.may(&Ask::Revert(id)) && matches!(task.status, Status::Landed { .. }) {
                    (self.sure("revert", "Take it back out", "A new task takes it out; the checks run again.", "harm", &more))
                }
            }
        }
    }
}

/// Says what happens when a kept candidate may land, and whether the branch has moved since it was made.
fn moved(state: &RunState, id: TaskId) -> String {
    let candidate = state.tasks.get(&id).and_then(|task| task.attempts.iter().rev().find_map(|it| it.candidate()));
    let Some(candidate) = candidate else { return String::new() };
    let commit = candidate.commit.short();
    if state.head == Some(candidate.base) {
        format!("{commit} is merged into the run's branch, on which it was made, if its checks hold.")
    } else {
        let head = state.head.map(|head| head.short()).unwrap_or_default();
        let base = candidate.base.short();
        format!(
            "{commit} is merged if its checks hold. It was made on {base}; the run's branch has moved to {head} since."
        )
    }
}
