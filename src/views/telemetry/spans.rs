//! Owns the spans of a run: the run, its iterations, tasks, attempts, sessions that plan or judge, verdicts, landings, gates
//! and calls, each told once it is over. Names of spans follow from the journal, so that whoever tells them twice tells the
//! same ones.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::who::{agent_name, invoked, named, provider_name};
use crate::machine::event::{End, Event, Lease, Left, Recorded};
use crate::machine::state::{State, Status};
use crate::model::attempt::{Outcome, Usage};
use crate::model::check::{Answer, CheckResult};
use crate::model::egress::EGRESS;
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, BatchId, TaskId};
use crate::model::role::AgentRef;
use crate::model::seat::Seat;
use crate::model::spend::{Call, CallEnd};
use crate::model::telemetry::{Attributes, Scalar, Span, SpanId, SpanKind, TraceId};
use crate::model::verdict::Ruling;
use crate::views::concerns::tasks_of;
use crate::views::words;

/// Nano-dollars of a dollar.
const DOLLAR: f64 = 1e9;

/// Names what is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Run,
    Iteration,
    Task(TaskId),
    Seat(Seat),
    Verdict(AttemptId),
    Batch(BatchId),
    Gate(Gate),
}

/// What has begun and is not over.
#[derive(Debug)]
struct Begun {
    id: SpanId,
    parent: Option<SpanId>,
    name: String,
    start_ms: i64,
    attributes: Attributes,
}

/// Gathers the spans of a run.
#[derive(Debug, Default)]
pub struct Spans {
    trace: TraceId,
    run: String,
    begun: BTreeMap<Key, Begun>,
    over: Vec<Span>,
}

impl Spans {
    /// Takes an event in, and gives the spans that are over by it; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) -> Vec<Span> {
        let Recorded { seq, at_ms, event } = recorded;
        self.begin_or_end(state, event, *seq, *at_ms);
        for task in tasks_of(state, event) {
            self.look_at(state, task, *at_ms);
        }
        if let Event::RunEnded { end } = event {
            self.end_all(state, end, *at_ms);
        }
        std::mem::take(&mut self.over)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other events begin and end nothing")]
    fn begin_or_end(&mut self, state: &State, event: &Event, seq: u64, at_ms: i64) {
        match event {
            Event::RunOpened(opening) => {
                self.run = opening.run.to_string();
                let hash = Sha256::digest(format!("run {} of {} at {at_ms}", opening.run, opening.base));
                self.trace.copy_from_slice(&hash[..16]);
                self.begin_run(1, seq, at_ms);
            }
            Event::RunReopened => self.begin_run(state.iteration.max(1), seq, at_ms),
            Event::IterationBegan { iteration } => {
                self.end(Key::Iteration, at_ms, Attributes::new(), false);
                self.begin_iteration(*iteration, seq, at_ms);
            }
            Event::TasksEmitted { tasks, .. } => tasks.iter().for_each(|task| self.task(state, task.id, seq, at_ms)),
            Event::TaskRetried { task } | Event::TaskOverruled { task } => self.task(state, *task, seq, at_ms),
            Event::AttemptLeased(lease) => self.leased(state, lease, seq, at_ms),
            Event::SeatTaken { seat, agent, .. } => self.seated(state, *seat, agent, seq, at_ms),
            Event::AttemptEnded { attempt, outcome, usage, .. } => {
                self.attempted(*attempt, outcome, *usage, seq, at_ms)
            }
            Event::AttemptLost { attempt, .. } => self.broke_off(Seat::Attempt(*attempt), "lost", None, at_ms),
            Event::AttemptLimited { attempt, usage, .. } => {
                self.broke_off(Seat::Attempt(*attempt), "limited", Some(*usage), at_ms);
            }
            Event::SeatLeft { seat, left, usage, .. } => match left {
                Left::Done => {
                    self.end(Key::Seat(*seat), at_ms, used(*usage), false);
                }
                Left::Failed { .. } => self.broke_off(*seat, "failed", Some(*usage), at_ms),
                Left::Limited { .. } => self.broke_off(*seat, "limited", Some(*usage), at_ms),
                Left::Cut { .. } => self.broke_off(*seat, "cut", Some(*usage), at_ms),
                Left::Asks { .. } => self.broke_off(*seat, "asks", Some(*usage), at_ms),
            },
            Event::CallMade { seat, call } => self.called(state, *seat, call, seq, at_ms),
            Event::VerdictGiven { attempt, verdict, .. } => {
                let ruling = match verdict.ruling {
                    Ruling::Accept => "accept",
                    Ruling::Reject => "reject",
                    Ruling::Restart => "restart",
                };
                let mut known = answered(&verdict.checks);
                known.insert("artel.ruling", ruling.into());
                known.insert("artel.findings", (verdict.findings.len() as u64).into());
                self.end(Key::Verdict(*attempt), at_ms, known, false);
            }
            Event::BatchFormed { batch, members, .. } => {
                let known = Attributes::from([("artel.batch.members", (members.len() as u64).into())]);
                self.begin(Key::Batch(*batch), Key::Iteration, "landing", (seq, at_ms), known);
            }
            Event::BatchMerged { batch, conflicts, .. } => {
                self.note(Key::Batch(*batch), "artel.batch.conflicts", (conflicts.len() as u64).into());
            }
            Event::BatchLanded { batch, landed, .. } => {
                self.note(Key::Batch(*batch), "artel.batch.landed", (landed.len() as u64).into());
            }
            Event::BatchClosed { batch } => self.end(Key::Batch(*batch), at_ms, Attributes::new(), false),
            Event::GateReached { gate } => {
                let known = Attributes::from([("artel.gate", words::gate(*gate).into())]);
                self.begin(Key::Gate(*gate), Key::Iteration, "wait for a person", (seq, at_ms), known);
            }
            Event::GatePassed { gate } => self.end(Key::Gate(*gate), at_ms, Attributes::new(), false),
            Event::PlanSentBack { .. } => self.end(Key::Gate(Gate::Plan), at_ms, Attributes::new(), false),
            Event::GateRefused { gate, .. } => self.end(Key::Gate(*gate), at_ms, Attributes::new(), true),
            _ => {}
        }
    }

    fn begin(&mut self, key: Key, parent: Key, name: &str, (seq, at_ms): (u64, i64), known: Attributes) {
        let parent = self.begun.get(&parent).or_else(|| self.begun.get(&Key::Run)).map(|begun| begun.id);
        let parent = parent.filter(|_| key != Key::Run);
        let id = self.id(&format!("{key:?}"), seq);
        let mut attributes = known;
        attributes.insert("artel.run", self.run.as_str().into());
        attributes.insert("artel.event", seq.into());
        self.begun.insert(key, Begun { id, parent, name: name.to_owned(), start_ms: at_ms, attributes });
    }

    /// Names a span after what began it.
    fn id(&self, what: &str, seq: u64) -> SpanId {
        let mut hash = Sha256::new();
        hash.update(self.trace);
        hash.update(format!("{what} {seq}"));
        let mut id = SpanId::default();
        id.copy_from_slice(&hash.finalize()[..8]);
        id
    }

    fn note(&mut self, key: Key, name: &'static str, value: Scalar) {
        if let Some(begun) = self.begun.get_mut(&key) {
            begun.attributes.insert(name, value);
        }
    }

    fn end(&mut self, key: Key, at_ms: i64, known: Attributes, is_error: bool) {
        let Some(Begun { id, parent, name, start_ms, mut attributes }) = self.begun.remove(&key) else { return };
        attributes.extend(known);
        let (trace, kind, end_ms) = (self.trace, SpanKind::Internal, at_ms.max(start_ms));
        self.over.push(Span { trace, id, parent, name, kind, start_ms, end_ms, attributes, is_error });
    }

    fn begin_run(&mut self, iteration: u32, seq: u64, at_ms: i64) {
        self.begin(Key::Run, Key::Run, "run", (seq, at_ms), Attributes::new());
        self.begin_iteration(iteration, seq, at_ms);
    }

    fn begin_iteration(&mut self, iteration: u32, seq: u64, at_ms: i64) {
        let known = Attributes::from([("artel.iteration", iteration.into())]);
        self.begin(Key::Iteration, Key::Run, "iteration", (seq, at_ms), known);
    }

    fn task(&mut self, state: &State, id: TaskId, seq: u64, at_ms: i64) {
        if self.begun.contains_key(&Key::Task(id)) {
            return;
        }
        let mut known = Attributes::from([("artel.task", id.to_string().into())]);
        if let Some(task) = state.tasks.get(&id) {
            known.insert("artel.scope", task.scope.to_string().into());
            known.insert("artel.role", task.draft.role.as_str().into());
        }
        self.begin(Key::Task(id), Key::Iteration, "task", (seq, at_ms), known);
    }

    fn leased(&mut self, state: &State, lease: &Lease, seq: u64, at_ms: i64) {
        // What waited for a limit, or was left when the run ended, goes on without a word.
        self.task(state, lease.attempt.task, seq, at_ms);
        self.seated(state, Seat::Attempt(lease.attempt), &lease.agent, seq, at_ms);
    }

    fn seated(&mut self, state: &State, seat: Seat, agent: &AgentRef, seq: u64, at_ms: i64) {
        let parent = match seat {
            Seat::Attempt(attempt) | Seat::Judge { attempt, .. } => Key::Task(attempt.task),
            Seat::Planner { .. } | Seat::RunJudge { .. } => Key::Iteration,
        };
        let role = state.role_at(seat).map(|role| role.name.as_str()).unwrap_or_default();
        let mut known = invoked(agent, format!("{}/{seat}", self.run), role);
        known.insert("artel.seat", seat.to_string().into());
        let name = format!("invoke_agent {}", agent_name(agent));
        self.begin(Key::Seat(seat), parent, &name, (seq, at_ms), known);
    }

    fn attempted(&mut self, attempt: AttemptId, outcome: &Outcome, usage: Usage, seq: u64, at_ms: i64) {
        let mut known = used(usage);
        let (word, is_error) = match outcome {
            Outcome::Candidate(candidate) => {
                known.insert("artel.files", candidate.files.into());
                ("candidate", false)
            }
            Outcome::Nothing => ("nothing", false),
            Outcome::Failed { .. } => ("failed", true),
            Outcome::Blocked { .. } => ("blocked", true),
        };
        known.insert("artel.outcome", word.into());
        if is_error {
            known.insert("error.type", word.into());
        }
        self.end(Key::Seat(Seat::Attempt(attempt)), at_ms, known, is_error);
        if matches!(outcome, Outcome::Candidate(_)) {
            let known = Attributes::from([("artel.attempt", attempt.to_string().into())]);
            self.begin(Key::Verdict(attempt), Key::Task(attempt.task), "verdict", (seq, at_ms), known);
        }
    }

    fn broke_off(&mut self, seat: Seat, word: &'static str, usage: Option<Usage>, at_ms: i64) {
        let mut known = usage.map(used).unwrap_or_default();
        known.extend([("artel.outcome", word.into()), ("error.type", word.into())]);
        self.end(Key::Seat(seat), at_ms, known, true);
    }

    fn called(&mut self, state: &State, seat: Seat, call: &Call, seq: u64, at_ms: i64) {
        let is_way_out = call.provider == EGRESS;
        let mut known = if is_way_out {
            Attributes::from([("server.address", named(&call.model).into()), ("artel.bytes", call.bytes.into())])
        } else {
            asked(call)
        };
        known.insert("artel.run", self.run.as_str().into());
        known.insert("artel.event", seq.into());
        known.insert("artel.seat", seat.to_string().into());
        known.insert("gen_ai.conversation.id", format!("{}/{seat}", self.run).into());
        if let Some(role) = state.role_at(seat) {
            known.insert("artel.role", role.name.as_str().into());
        }
        let error = error_of(call);
        known.extend(error.clone().map(|error| ("error.type", error.into())));
        let name = if is_way_out { "egress".to_owned() } else { format!("chat {}", named(&call.model)) };
        let begun = self.begun.get(&Key::Seat(seat)).or_else(|| self.begun.get(&Key::Run));
        self.over.push(Span {
            trace: self.trace,
            id: self.id("call", seq),
            parent: begun.map(|begun| begun.id),
            name,
            kind: SpanKind::Client,
            start_ms: at_ms.saturating_sub(i64::try_from(call.ms).unwrap_or(i64::MAX)),
            end_ms: at_ms,
            attributes: known,
            is_error: error.is_some(),
        });
    }

    /// Ends a task's span where nothing more happens to it by itself.
    fn look_at(&mut self, state: &State, id: TaskId, at_ms: i64) {
        if let Some(task) = state.tasks.get(&id).filter(|task| task.status.is_settled()) {
            let is_error = matches!(task.status, Status::Kept { .. } | Status::Blocked { .. });
            self.end_task(state, id, at_ms, is_error);
        }
    }

    fn end_task(&mut self, state: &State, id: TaskId, at_ms: i64, is_error: bool) {
        let Some(task) = state.tasks.get(&id) else { return };
        // A verdict that will not come: a session's word, or a person's, was enough.
        let last = AttemptId { task: id, number: u32::try_from(task.attempts.len()).unwrap_or(u32::MAX) };
        self.end(Key::Verdict(last), at_ms, Attributes::new(), false);
        let mut known = Attributes::from([
            ("artel.task.status", task.status.word().into()),
            ("artel.attempts", (task.attempts.len() as u64).into()),
            ("artel.conflicts", task.conflicts.into()),
        ]);
        let nano_usd = task.attempts.iter().fold(0_u64, |sum, attempt| sum.saturating_add(attempt.spend.nano_usd));
        known.insert("artel.spend.usd", (nano_usd as f64 / DOLLAR).into());
        if is_error {
            known.insert("error.type", task.status.word().into());
        }
        self.end(Key::Task(id), at_ms, known, is_error);
    }

    fn end_all(&mut self, state: &State, end: &End, at_ms: i64) {
        let (word, is_error) = match end {
            End::Done => ("done", false),
            End::Incomplete { .. } => ("incomplete", true),
            End::Denied { .. } => ("denied", true),
        };
        let tasks: Vec<TaskId> =
            self.begun.keys().filter_map(|key| if let Key::Task(id) = key { Some(*id) } else { None }).collect();
        tasks.into_iter().for_each(|task| self.end_task(state, task, at_ms, false));
        let mut known = Attributes::from([
            ("artel.end", word.into()),
            ("artel.tasks", state.tally.total().into()),
            ("artel.landed", state.tally.landed.into()),
            ("artel.spend.usd", (state.total_spent().spend.nano_usd as f64 / DOLLAR).into()),
        ]);
        if is_error {
            known.insert("error.type", word.into());
        }
        let others: Vec<Key> = self.begun.keys().copied().filter(|key| *key != Key::Run).collect();
        others.into_iter().for_each(|key| self.end(key, at_ms, Attributes::new(), false));
        self.end(Key::Run, at_ms, known, is_error);
    }
}

fn used(usage: Usage) -> Attributes {
    Attributes::from([("artel.cpu_ms", usage.cpu_ms.into()), ("artel.output_bytes", usage.output_bytes.into())])
}

fn answered(checks: &[CheckResult]) -> Attributes {
    let count = |answer: Answer| checks.iter().filter(|check| check.answer == answer).count() as u64;
    Attributes::from([
        ("artel.checks", (checks.len() as u64).into()),
        ("artel.checks.red", count(Answer::Red).into()),
        ("artel.checks.flaky", count(Answer::Flaky).into()),
    ])
}

/// Tells a call to a model by the conventions.
fn asked(call: &Call) -> Attributes {
    let tokens = call.tokens;
    let mut known = Attributes::from([
        ("gen_ai.operation.name", "chat".into()),
        ("gen_ai.provider.name", provider_name(&call.provider).into()),
        ("gen_ai.request.model", named(&call.model).into()),
        ("gen_ai.usage.input_tokens", tokens.read().into()),
        ("gen_ai.usage.output_tokens", tokens.output.into()),
        ("gen_ai.usage.cache_read.input_tokens", tokens.cache_read.into()),
        ("gen_ai.usage.cache_creation.input_tokens", tokens.cache_write.into()),
        ("artel.spend.usd", (call.nano_usd as f64 / DOLLAR).into()),
    ]);
    if call.end == CallEnd::Whole {
        known.insert("gen_ai.response.model", named(&call.model).into());
    }
    if tokens.reasoning > 0 {
        known.insert("gen_ai.usage.reasoning.output_tokens", tokens.reasoning.into());
    }
    if call.status > 0 {
        known.insert("http.response.status_code", u32::from(call.status).into());
    }
    known
}

/// Names why a call did not end well, in one of few words; nothing where it did.
pub(super) fn error_of(call: &Call) -> Option<String> {
    match &call.end {
        CallEnd::Whole => None,
        CallEnd::Cut => Some("cut".to_owned()),
        CallEnd::Failed if call.status > 0 => Some(call.status.to_string()),
        CallEnd::Failed => Some("unreached".to_owned()),
        CallEnd::Refused { .. } => Some("refused".to_owned()),
    }
}
