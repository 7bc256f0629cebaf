//! Holds the laws of telemetry over runs that the real law told. Never part of the product.

use std::collections::{BTreeMap, BTreeSet};

use super::{Meters, Spans, calling_session, tool_spans};
use crate::machine::event::{Event, Recorded};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::seat::Seat;
use crate::model::spend::{Call, CallEnd, Tokens};
use crate::model::telemetry::{Metric, Points, Scalar, Span, SpanKind, ToolCall};
use crate::views::story::{HOSTILE, Story};

fn told(events: &[Recorded]) -> (Vec<Span>, Vec<Metric>) {
    let (mut spans, mut meters, mut state) = (Spans::default(), Meters::default(), State::default());
    let mut over = Vec::new();
    for recorded in events {
        state = evolve(state, recorded);
        over.extend(spans.learn(&state, recorded));
        meters.learn(&state, recorded);
    }
    (over, meters.metrics(&state))
}

/// A story with three calls right after its first attempt was leased.
fn with_calls(story: &Story) -> Vec<Recorded> {
    let leased = story.events.iter().position(|it| matches!(it.event, Event::AttemptLeased(_))).unwrap();
    let Event::AttemptLeased(lease) = &story.events[leased].event else { unreachable!() };
    let tokens = Tokens { input: 100, cache_read: 900, output: 50, reasoning: 20, ..Tokens::default() };
    let call = |number, end, status| Call {
        number,
        provider: "gemini".to_owned(),
        model: "gemini-3-pro".to_owned(),
        end,
        status,
        tokens,
        nano_usd: 2_000_000,
        ms: 1500,
        bytes: 0,
        told: false,
    };
    let calls = [
        call(1, CallEnd::Whole, 200),
        call(2, CallEnd::Failed, 529),
        Call { provider: "egress".to_owned(), model: "crates.io".to_owned(), ..call(3, CallEnd::Whole, 200) },
    ];
    let seat = Seat::Attempt(lease.attempt);
    let mut events = story.events.clone();
    let at_ms = events[leased].at_ms + 5;
    let calls = calls.map(|call| Recorded { seq: 0, at_ms, event: Event::CallMade { seat, call } });
    events.splice(leased + 1..=leased, calls);
    (1..).zip(&mut events).for_each(|(seq, recorded)| recorded.seq = seq);
    events
}

#[test]
fn every_span_is_a_part_of_the_run_and_is_told_once() {
    for story in [Story::incomplete(""), Story::done("")] {
        let (spans, _) = told(&with_calls(&story));
        let ids: BTreeSet<_> = spans.iter().map(|span| span.id).collect();
        assert_eq!(ids.len(), spans.len());
        let roots: Vec<_> = spans.iter().filter(|span| span.parent.is_none()).collect();
        assert_eq!((roots.len(), roots[0].name.as_str()), (1, "run"));
        let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.id, span)).collect();
        for span in &spans {
            assert!(span.start_ms <= span.end_ms && span.trace == roots[0].trace);
            let mut above = span;
            while let Some(parent) = above.parent {
                above = by_id[&parent];
            }
            assert_eq!(above.id, roots[0].id);
        }
        let of = |name: &str| spans.iter().filter(|span| span.name == name).count();
        let attempts = story.state.attempts_made() as usize;
        assert_eq!(spans.iter().filter(|span| span.name.starts_with("invoke_agent")).count(), attempts);
        assert_eq!((of("iteration"), of("task")), (1, story.state.tally.total() as usize));
        assert!(of("verdict") > 0 && of("landing") > 0);
        let child = spans.iter().find(|span| span.name.starts_with("invoke_agent")).unwrap();
        assert_eq!(by_id[&child.parent.unwrap()].name, "task");
        assert_eq!(by_id[&by_id[&child.parent.unwrap()].parent.unwrap()].name, "iteration");
    }
}

#[test]
fn a_call_is_told_by_the_conventions() {
    let (spans, metrics) = told(&with_calls(&Story::done("")));
    let call = spans.iter().find(|span| span.name == "chat gemini-3-pro" && !span.is_error).unwrap();
    assert_eq!((call.kind, call.end_ms - call.start_ms), (SpanKind::Client, 1500));
    for (name, value) in [
        ("gen_ai.operation.name", Scalar::from("chat")),
        ("gen_ai.provider.name", "gcp.gemini".into()),
        ("gen_ai.request.model", "gemini-3-pro".into()),
        ("gen_ai.response.model", "gemini-3-pro".into()),
        ("gen_ai.usage.input_tokens", 1000_u64.into()),
        ("gen_ai.usage.output_tokens", 50_u64.into()),
        ("gen_ai.usage.cache_read.input_tokens", 900_u64.into()),
        ("artel.spend.usd", 0.002.into()),
    ] {
        assert_eq!(call.attributes.get(name), Some(&value), "{name}");
    }
    let failed = spans.iter().find(|span| span.name == "chat gemini-3-pro" && span.is_error).unwrap();
    assert_eq!(failed.attributes.get("error.type"), Some(&"529".into()));
    let out = spans.iter().find(|span| span.name == "egress").unwrap();
    assert_eq!(out.attributes.get("server.address"), Some(&"crates.io".into()));
    let metric = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();
    let Points::Histogram(tokens) = &metric("gen_ai.client.token.usage").points else { panic!() };
    let sums: BTreeMap<_, _> = tokens
        .iter()
        .map(|(known, spread)| (format!("{:?}", known["gen_ai.token.type"]), (spread.sum, spread.counts.iter().sum())))
        .collect();
    assert_eq!(sums["Text(\"input\")"], (1000.0, 1_u64));
    assert_eq!(sums["Text(\"output\")"], (50.0, 1));
    let Points::Histogram(durations) = &metric("gen_ai.client.operation.duration").points else { panic!() };
    assert_eq!(durations.len(), 2, "one with an error and one without");
}

#[test]
fn what_is_told_again_is_the_same_from_wherever_the_telling_went_on() {
    let events = with_calls(&Story::incomplete(""));
    assert_eq!(told(&events), told(&events));
    let (whole, _) = told(&events);
    let (first, _) = told(&events[..events.len() / 2]);
    assert_eq!(first[..], whole[..first.len()]);
}

#[test]
fn no_text_of_agents_people_or_repositories_is_told() {
    for taint in [HOSTILE, " --api-key=hunter2"] {
        let (spans, metrics) = told(&with_calls(&Story::incomplete(taint)));
        let text = format!("{spans:?} {metrics:?}");
        for secret in ["hunter2", "drawkcab", "owned", "fix.sh", "src/", "try-to-question-mark", "licence"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}

#[test]
fn metrics_are_what_the_run_came_to() {
    let story = Story::incomplete("");
    let (_, metrics) = told(&story.events);
    let one = |name: &str| {
        match &metrics.iter().find(|metric| metric.name == name).unwrap().points {
            Points::Sum(points) | Points::Gauge(points) => points.iter().map(|(_, value)| match value {
                Scalar::Whole(value) => *value,
                Scalar::Real(_) | Scalar::Text(_) => panic!("{name} counts"),
            }),
            Points::Histogram(_) => panic!("{name} is a number"),
        }
        .sum::<i64>()
    };
    assert_eq!(one("artel.tasks"), i64::from(story.state.tally.total()));
    assert_eq!(one("artel.landings"), story.state.landings as i64);
    assert_eq!(one("artel.attempts"), story.state.attempts_made() as i64);
    assert_eq!((one("artel.conflicts"), one("artel.queue"), one("artel.running")), (1, 0, 0));
}

#[test]
fn tools_are_parts_of_the_session_that_called_them_and_of_no_other_program() {
    let (spans, _) = told(&Story::done("").events);
    let other = spans.iter().find(|span| span.name.starts_with("invoke_agent")).unwrap();
    assert_eq!(calling_session(other), None, "what any program prints tells of no tools");
    let mut session = other.clone();
    for agent in ["claude", "codex", "acp", "llm"] {
        session.attributes.insert("gen_ai.agent.name", agent.into());
        assert_eq!(calling_session(&session).map(|(agent, _)| agent), Some(agent));
    }
    let call = |from_ms, is_error| ToolCall {
        id: "c1".to_owned(),
        name: format!("read_file{HOSTILE}"),
        from_ms,
        to_ms: i64::MAX,
        is_error,
    };
    let tools = tool_spans(&session, &[call(session.start_ms, false), call(0, true)]);
    assert_ne!(tools[0].id, tools[1].id);
    for tool in &tools {
        assert_eq!((tool.parent, tool.trace), (Some(session.id), session.trace));
        assert!(session.start_ms <= tool.start_ms && tool.end_ms <= session.end_ms);
        assert!(!tool.name.chars().any(crate::model::inert::is_active));
    }
    assert_eq!(tools[1].attributes["error.type"], "tool_error".into());
}
