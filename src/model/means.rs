//! Owns what budgets bound: money, tokens and calls, of a run, of a role in it, of one task. Never counts a call.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::TaskId;
use super::spend::Usd;

/// Counts what calls to models use, may use, or are let use, in each way in which a budget bounds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Means {
    /// Money, in nano-dollars.
    pub nano_usd: u64,
    /// Tokens, those that are read and those that are written.
    pub tokens: u64,
    /// Calls.
    pub calls: u64,
}

/// Names one way in which a budget bounds calls to models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Money, in nano-dollars.
    Money,
    /// Tokens.
    Tokens,
    /// Calls.
    Calls,
}

/// Bounds what calls to models may use. Where it is written for people, a list of numbers is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, remote = "Self")]
pub struct Bounds {
    /// Money, in nano-dollars.
    pub nano_usd: Option<u64>,
    /// Tokens, those that are read and those that are written.
    pub tokens: Option<u64>,
    /// Calls.
    pub calls: Option<u64>,
}

/// Names what has a budget of its own for calls to models.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The run.
    #[default]
    Run,
    /// All who play a role in it.
    Role(String),
    /// All attempts at a task.
    Task(TaskId),
}

impl Unit {
    /// Lists all, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Money, Self::Tokens, Self::Calls];

    /// Writes an amount for people.
    pub fn written(self, amount: u64) -> String {
        match self {
            Self::Money => Usd(amount).to_string(),
            Self::Tokens => format!("{amount} tokens"),
            Self::Calls => format!("{amount} calls to models"),
        }
    }
}

impl Means {
    /// Adds both, as far as numbers go.
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// Takes the other away, as far as there is something.
    pub fn minus(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    /// Gives the larger of each.
    pub fn max(self, other: Self) -> Self {
        self.with(other, u64::max)
    }

    /// Gives the smaller of each.
    pub fn min(self, other: Self) -> Self {
        self.with(other, u64::min)
    }

    /// Tells whether it is nothing.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Tells whether there is as much of each in another.
    pub fn fits(self, into: Self) -> bool {
        self.minus(into).is_nothing()
    }

    /// Gives one of it.
    pub fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Money => self.nano_usd,
            Unit::Tokens => self.tokens,
            Unit::Calls => self.calls,
        }
    }

    fn with(self, other: Self, both: fn(u64, u64) -> u64) -> Self {
        Self {
            nano_usd: both(self.nano_usd, other.nano_usd),
            tokens: both(self.tokens, other.tokens),
            calls: both(self.calls, other.calls),
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = Unit::ALL.into_iter().filter(|unit| self.of(*unit) > 0);
        let parts: Vec<String> = there.map(|unit| unit.written(self.of(unit))).collect();
        f.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl Bounds {
    /// Gives one of them.
    pub fn of(&self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Money => self.nano_usd,
            Unit::Tokens => self.tokens,
            Unit::Calls => self.calls,
        }
    }

    /// Tells whether nothing is bounded.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Puts others in the place of those that they name.
    pub fn raise(&mut self, by: &Self) {
        self.nano_usd = by.nano_usd.or(self.nano_usd);
        self.tokens = by.tokens.or(self.tokens);
        self.calls = by.calls.or(self.calls);
    }

    /// Writes those that there are for people.
    pub fn written(&self) -> Vec<String> {
        Unit::ALL.into_iter().filter_map(|unit| self.of(unit).map(|most| unit.written(most))).collect()
    }
}

impl Serialize for Bounds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Bounds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() { from.deserialize_map(Named) } else { Self::deserialize(from) }
    }
}

/// Reads bounds by their names alone.
struct Named;

impl<'de> Visitor<'de> for Named {
    type Value = Bounds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bounds by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bounds, A::Error> {
        Bounds::deserialize(MapAccessDeserializer::new(map))
    }
}

impl Holder {
    /// Tells whether it is the run.
    pub fn is_run(&self) -> bool {
        *self == Self::Run
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("the run"),
            Self::Role(role) => write!(f, "role {role}"),
            Self::Task(task) => write!(f, "task {task}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_counted_each_by_itself_and_never_below_nothing() {
        let means = |nano_usd, tokens, calls| Means { nano_usd, tokens, calls };
        assert_eq!(means(5, 1, 0).plus(means(1, u64::MAX, 2)), means(6, u64::MAX, 2));
        assert_eq!(means(5, 1, 2).minus(means(6, 1, 1)), means(0, 0, 1));
        assert!(means(5, 1, 0).fits(means(5, 2, 0)) && !means(5, 1, 1).fits(means(6, 2, 0)));
        assert_eq!(means(2_000_000_000, 10, 1).to_string(), "$2, 10 tokens, 1 calls to models");
        assert_eq!(Means::default().to_string(), "nothing");
    }

    #[test]
    fn bounds_are_read_by_their_names_and_from_a_snapshot() {
        let bounds = Bounds { tokens: Some(5), ..Bounds::default() };
        assert_eq!(serde_json::from_str::<Bounds>(r#"{"tokens":5,"other":[]}"#).unwrap(), bounds);
        assert!(serde_json::from_str::<Bounds>("[null, 5]").is_err());
        let bytes = postcard::to_stdvec(&bounds).unwrap();
        assert_eq!(postcard::from_bytes::<Bounds>(&bytes).unwrap(), bounds);
        assert_eq!(serde_json::to_string(&bounds).unwrap(), r#"{"nano_usd":null,"tokens":5,"calls":null}"#);
    }

    #[test]
    fn a_raise_leaves_alone_what_it_does_not_name() {
        let mut bounds = Bounds { nano_usd: Some(1), tokens: Some(2), calls: None };
        bounds.raise(&Bounds { tokens: Some(5), ..Bounds::default() });
        assert_eq!(bounds, Bounds { nano_usd: Some(1), tokens: Some(5), calls: None });
        assert_eq!(bounds.written(), ["$0.000000001", "5 tokens"]);
    }
}
