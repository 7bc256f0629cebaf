//! Owns the metrics of a run, each since the run was opened: they follow from the journal, so that a restart neither loses
//! nor doubles any.

use std::collections::BTreeMap;

use super::spans::error_of;
use super::who::{named, provider_name};
use crate::machine::event::{Event, Recorded};
use crate::machine::state::State;
use crate::model::attempt::Outcome;
use crate::model::egress::EGRESS;
use crate::model::seat::Seat;
use crate::model::spend::{Call, CallEnd};
use crate::model::telemetry::{Attributes, Metric, Points, Scalar, Spread};
use crate::views::counts::counts;

/// Bounds of counts of tokens, as the conventions advise.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Bounds of durations in seconds, as the conventions advise.
const SECONDS: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// What was asked of whom: role, provider, model, and the kind of token or of error.
type Asked = (String, String, String, String);

/// Counts what happens in a run.
#[derive(Debug, Default)]
pub struct Meters {
    tokens: BTreeMap<Asked, Spread>,
    durations: BTreeMap<Asked, Spread>,
    attempts: BTreeMap<&'static str, u64>,
    landings: u64,
    conflicts: u64,
    ejections: u64,
}

impl Meters {
    /// Takes an event in; `state` is the fold up to and with it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other events are not counted")]
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        let mut ended = |word: &'static str| *self.attempts.entry(word).or_default() += 1;
        match &recorded.event {
            Event::CallMade { seat, call } => self.call(state, *seat, call),
            Event::AttemptEnded { outcome, .. } => ended(match outcome {
                Outcome::Candidate(_) => "candidate",
                Outcome::Nothing => "nothing",
                Outcome::Failed { .. } => "failed",
                Outcome::Blocked { .. } => "blocked",
            }),
            Event::AttemptLost { .. } => ended("lost"),
            Event::AttemptLimited { .. } => ended("limited"),
            Event::BatchMerged { conflicts, .. } => self.conflicts += conflicts.len() as u64,
            Event::MemberEjected { .. } => self.ejections += 1,
            Event::BatchLanded { landed, .. } => self.landings += landed.len() as u64,
            _ => {}
        }
    }

    fn call(&mut self, state: &State, seat: Seat, call: &Call) {
        if call.provider == EGRESS || matches!(call.end, CallEnd::Refused { .. }) {
            return;
        }
        let role = state.role_at(seat).map(|role| role.name.clone()).unwrap_or_default();
        let asked = |of: &str| (role.clone(), call.provider.clone(), named(&call.model), of.to_owned());
        let error = error_of(call).unwrap_or_default();
        let durations = self.durations.entry(asked(&error)).or_insert_with(|| Spread::new(SECONDS));
        durations.add(call.ms as f64 / 1000.0);
        if call.end == CallEnd::Whole {
            for (of, count) in [("input", call.tokens.read()), ("output", call.tokens.output)] {
                self.tokens.entry(asked(of)).or_insert_with(|| Spread::new(TOKENS)).add(count as f64);
            }
        }
    }

    /// Gives all metrics as the run stands.
    pub fn metrics(&self, state: &State) -> Vec<Metric> {
        let Some(opening) = &state.opening else { return Vec::new() };
        let run: Scalar = opening.run.as_str().into();
        let of_run = || Attributes::from([("artel.run", run.clone())]);
        let with = |name: &'static str, value: Scalar| {
            let mut known = of_run();
            known.insert(name, value);
            known
        };
        let whole = |value: u64| vec![(of_run(), Scalar::from(value))];
        let spread = |all: &BTreeMap<Asked, Spread>, last: &'static str| {
            let point = |((role, provider, model, of), spread): (&Asked, &Spread)| {
                let mut known = of_run();
                known.insert("gen_ai.operation.name", "chat".into());
                known.insert("gen_ai.provider.name", provider_name(provider).into());
                known.insert("gen_ai.request.model", model.as_str().into());
                known.insert("gen_ai.response.model", model.as_str().into());
                known.insert("artel.role", role.as_str().into());
                if !of.is_empty() {
                    known.insert(last, of.as_str().into());
                }
                (known, spread.clone())
            };
            Points::Histogram(all.iter().map(point).collect())
        };
        let metric = |name, unit, about, points| Metric { name, unit, about, points };
        let by_status = counts(state.tally).by_status();
        let tasks = by_status.map(|(status, count)| (with("artel.task.status", status.into()), count.into()));
        let attempts =
            self.attempts.iter().map(|(word, count)| (with("artel.outcome", (*word).into()), (*count).into()));
        let spend = vec![(of_run(), (state.total_spent().spend.nano_usd as f64 / 1e9).into())];
        let all = vec![
            metric(
                "gen_ai.client.token.usage",
                "{token}",
                "Tokens read and written by calls to models.",
                spread(&self.tokens, "gen_ai.token.type"),
            ),
            metric(
                "gen_ai.client.operation.duration",
                "s",
                "How long calls to models took.",
                spread(&self.durations, "error.type"),
            ),
            metric("artel.tasks", "{task}", "Tasks by status.", Points::Gauge(tasks.to_vec())),
            metric("artel.queue", "{candidate}", "Accepted candidates that wait to land.", {
                Points::Gauge(whole(state.queue.len() as u64))
            }),
            metric(
                "artel.running",
                "{attempt}",
                "Attempts under way.",
                Points::Gauge(whole(state.running.len() as u64)),
            ),
            metric("artel.attempts", "{attempt}", "Attempts that ended.", Points::Sum(attempts.collect())),
            metric("artel.landings", "{task}", "Tasks that landed.", Points::Sum(whole(self.landings))),
            metric("artel.conflicts", "{conflict}", "Candidates that conflicted.", Points::Sum(whole(self.conflicts))),
            metric("artel.ejections", "{candidate}", "Candidates taken out of their batch.", {
                Points::Sum(whole(self.ejections))
            }),
            metric("artel.spend", "USD", "What calls to models cost.", Points::Sum(spend)),
        ];
        let is_empty = |points: &Points| match points {
            Points::Gauge(points) | Points::Sum(points) => points.is_empty(),
            Points::Histogram(points) => points.is_empty(),
        };
        all.into_iter().filter(|metric| !is_empty(&metric.points)).collect()
    }
}
