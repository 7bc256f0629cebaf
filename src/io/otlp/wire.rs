//! Owns the bytes of OTLP: the messages of the published schema that artel sends, by their field numbers, and nothing of
//! those that it does not. Knows no network.

use prost::Message;

use crate::model::telemetry::{Attributes, Metric, Points, Scalar, Span, SpanKind, Spread};

/// Nanoseconds of a millisecond.
const NANOS: u64 = 1_000_000;
/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Spans {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<SpanMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct SpanMessage {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 3, 4")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Whole(i64),
    #[prost(double, tag = "4")]
    Real(f64),
}

#[derive(Clone, PartialEq, Message)]
struct Metrics {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<MetricMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(oneof = "Numbers", tags = "5, 7, 9")]
    numbers: Option<Numbers>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Numbers {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    points: Vec<NumberPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    temporality: i32,
    #[prost(bool, tag = "3")]
    is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(message, repeated, tag = "1")]
    points: Vec<SpreadPoint>,
    #[prost(int32, tag = "2")]
    temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct NumberPoint {
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(oneof = "Number", tags = "4, 6")]
    value: Option<Number>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Number {
    #[prost(double, tag = "4")]
    Real(f64),
    #[prost(sfixed64, tag = "6")]
    Whole(i64),
}

#[derive(Clone, PartialEq, Message)]
struct SpreadPoint {
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    explicit_bounds: Vec<f64>,
    #[prost(double, optional, tag = "11")]
    min: Option<f64>,
    #[prost(double, optional, tag = "12")]
    max: Option<f64>,
}

/// Writes a request that tells spans.
pub(super) fn spans(resource: &[(String, String)], spans: &[Span]) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans: spans.iter().map(span).collect() }];
    let resource = Some(of_resource(resource));
    Spans { resource_spans: vec![ResourceSpans { resource, scope_spans }] }.encode_to_vec()
}

/// Writes a request that tells metrics: since when, and as of when, in milliseconds since 1970.
pub(super) fn metrics(resource: &[(String, String)], metrics: &[Metric], (since_ms, at_ms): (i64, i64)) -> Vec<u8> {
    let span = (nanos(since_ms), nanos(at_ms));
    let metrics = metrics.iter().map(|it| metric(it, span)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics }];
    let resource = Some(of_resource(resource));
    Metrics { resource_metrics: vec![ResourceMetrics { resource, scope_metrics }] }.encode_to_vec()
}

fn scope() -> Scope {
    Scope { name: "artel".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

fn of_resource(pairs: &[(String, String)]) -> Resource {
    let pair = |(key, value): &(String, String)| KeyValue { key: key.clone(), value: any(Any::Text(value.clone())) };
    Resource { attributes: pairs.iter().map(pair).collect() }
}

fn nanos(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(NANOS)
}

#[expect(clippy::unnecessary_wraps, reason = "the schema has it optional")]
fn any(value: Any) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn known(attributes: &Attributes) -> Vec<KeyValue> {
    let pair = |(key, value): (&&'static str, &Scalar)| {
        let value = match value {
            Scalar::Text(text) => Any::Text(text.clone()),
            Scalar::Whole(number) => Any::Whole(*number),
            Scalar::Real(number) => Any::Real(*number),
        };
        KeyValue { key: (*key).to_owned(), value: any(value) }
    };
    attributes.iter().map(pair).collect()
}

fn span(span: &Span) -> SpanMessage {
    SpanMessage {
        trace_id: span.trace.to_vec(),
        span_id: span.id.to_vec(),
        parent_span_id: span.parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        name: span.name.clone(),
        kind: match span.kind {
            SpanKind::Internal => 1,
            SpanKind::Client => 3,
        },
        start_time_unix_nano: nanos(span.start_ms),
        end_time_unix_nano: nanos(span.end_ms),
        attributes: known(&span.attributes),
        status: span.is_error.then_some(Status { code: ERROR }),
    }
}

fn metric(metric: &Metric, span: (u64, u64)) -> MetricMessage {
    let numbers = |points: &[(Attributes, Scalar)]| points.iter().map(|it| number(it, span)).collect();
    let numbers = match &metric.points {
        Points::Gauge(points) => Numbers::Gauge(Gauge { points: numbers(points) }),
        Points::Sum(points) => {
            Numbers::Sum(Sum { points: numbers(points), temporality: CUMULATIVE, is_monotonic: true })
        }
        Points::Histogram(points) => {
            let points = points.iter().map(|it| spread(it, span)).collect();
            Numbers::Histogram(Histogram { points, temporality: CUMULATIVE })
        }
    };
    let (name, unit) = (metric.name.to_owned(), metric.unit.to_owned());
    MetricMessage { name, description: metric.about.to_owned(), unit, numbers: Some(numbers) }
}

fn number((attributes, value): &(Attributes, Scalar), (since, at): (u64, u64)) -> NumberPoint {
    let value = match value {
        Scalar::Whole(number) => Some(Number::Whole(*number)),
        Scalar::Real(number) => Some(Number::Real(*number)),
        Scalar::Text(_) => None,
    };
    NumberPoint { attributes: known(attributes), start_time_unix_nano: since, time_unix_nano: at, value }
}

fn spread((attributes, spread): &(Attributes, Spread), (since, at): (u64, u64)) -> SpreadPoint {
    SpreadPoint {
        attributes: known(attributes),
        start_time_unix_nano: since,
        time_unix_nano: at,
        count: spread.counts.iter().sum(),
        sum: Some(spread.sum),
        bucket_counts: spread.counts.clone(),
        explicit_bounds: spread.bounds.to_vec(),
        min: spread.ends.map(|(least, _)| least),
        max: spread.ends.map(|(_, greatest)| greatest),
    }
}
