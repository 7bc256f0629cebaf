//! Owns what is told to a collector of telemetry: spans and metrics, with attributes. Never sends any, and holds no text of
//! a prompt, an answer, a repository or a command line.

use std::collections::BTreeMap;

/// What is known of a span or a point, by the name under which collectors look for it.
pub type Attributes = BTreeMap<&'static str, Scalar>;

/// Holds the value of an attribute or a point.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number.
    Real(f64),
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Scalar {
    fn from(number: u64) -> Self {
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Scalar {
    fn from(number: u32) -> Self {
        Self::Whole(i64::from(number))
    }
}

impl From<f64> for Scalar {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// Names a trace.
pub type TraceId = [u8; 16];
/// Names a span within its trace.
pub type SpanId = [u8; 8];

/// States a stretch of time in which something was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace: the run.
    pub trace: TraceId,
    /// Its name within the trace; the same however often it is told.
    pub id: SpanId,
    /// The span that it is a part of.
    pub parent: Option<SpanId>,
    /// What was done, of few different values.
    pub name: String,
    /// Whether another program was asked.
    pub kind: SpanKind,
    /// When it began, in milliseconds since 1970.
    pub start_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub end_ms: i64,
    /// What is known of it.
    pub attributes: Attributes,
    /// Whether it did not end well.
    pub is_error: bool,
}

/// Says whether another program was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// No.
    Internal,
    /// Yes.
    Client,
}

/// States that a session called a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The name of the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// When it began, in milliseconds since 1970.
    pub from_ms: i64,
    /// When it ended.
    pub to_ms: i64,
    /// Whether the tool could not do what it was to do.
    pub is_error: bool,
}

/// States numbers of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// The unit, as the Unified Code for Units of Measure writes it.
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub about: &'static str,
    /// The numbers.
    pub points: Points,
}

/// Holds the numbers of a metric, each with what it is of.
#[derive(Debug, Clone, PartialEq)]
pub enum Points {
    /// How it stands.
    Gauge(Vec<(Attributes, Scalar)>),
    /// What it has come to since the run was opened; never goes down.
    Sum(Vec<(Attributes, Scalar)>),
    /// How values were spread since the run was opened.
    Histogram(Vec<(Attributes, Spread)>),
}

/// Counts values by size.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// The upper bounds of all counts but the last.
    pub bounds: &'static [f64],
    /// How many values there were up to each bound and above the one before, and how many above all.
    pub counts: Vec<u64>,
    /// Their sum.
    pub sum: f64,
    /// The least and the greatest.
    pub ends: Option<(f64, f64)>,
}

impl Spread {
    /// Counts nothing yet.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0, ends: None }
    }

    /// Takes a value in.
    pub fn add(&mut self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at] += 1;
        self.sum += value;
        let (least, greatest) = self.ends.unwrap_or((value, value));
        self.ends = Some((least.min(value), greatest.max(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_at_a_bound_counts_below_it() {
        let mut spread = Spread::new(&[1.0, 4.0]);
        for value in [0.5, 1.0, 1.5, 4.0, 9.0] {
            spread.add(value);
        }
        assert_eq!((spread.counts, spread.sum, spread.ends), (vec![2, 2, 1], 16.0, Some((0.5, 9.0))));
    }
}
