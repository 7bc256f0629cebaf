//! Owns the names of those who ask models: attempts at tasks, planners while they plan, judges with one lens. Never says
//! who sits there.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::ids::{AttemptId, ScopeId};

/// Names who asks models; written `t4.1`, `s2/3`, `t4.1/2`, `run/1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seat {
    /// An attempt at a task.
    Attempt(AttemptId),
    /// A scope's planner in one waking.
    Planner {
        /// The scope.
        scope: ScopeId,
        /// The waking, from 1.
        wake: u32,
    },
    /// A judge of a candidate.
    Judge {
        /// The attempt whose candidate is judged.
        attempt: AttemptId,
        /// Which of the judge's lenses is looked through, from 1.
        lens: u32,
    },
    /// The judge of the run at the end of an iteration.
    RunJudge {
        /// The iteration, from 1.
        iteration: u32,
    },
}

impl Seat {
    /// Names the transcript of who sits there, as far as nobody sat there before.
    pub fn record(self) -> String {
        match self {
            Self::Attempt(attempt) => attempt.to_string(),
            Self::Planner { scope, wake } => format!("planner-{scope}-{wake}"),
            Self::Judge { attempt, lens } => format!("judge-{attempt}-{lens}"),
            Self::RunJudge { iteration } => format!("run-judge-run-{iteration}"),
        }
    }
}

/// Names the transcript of a session that was asked once more for what it did not answer.
pub fn again(record: &str) -> String {
    format!("{record}-again")
}

/// Says that a text names no seat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody who asks models, such as t12.1, s3/1, t12.1/2 or run/1")]
pub struct NoSeat(String);

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(attempt) => attempt.fmt(f),
            Self::Planner { scope, wake } => write!(f, "{scope}/{wake}"),
            Self::Judge { attempt, lens } => write!(f, "{attempt}/{lens}"),
            Self::RunJudge { iteration } => write!(f, "run/{iteration}"),
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Seat {
    type Err = NoSeat;
    fn from_str(text: &str) -> Result<Self, NoSeat> {
        let parse = || {
            let Some((whose, number)) = text.split_once('/') else {
                return text.parse().ok().map(Self::Attempt);
            };
            let number = number.parse().ok()?;
            if whose == "run" {
                return Some(Self::RunJudge { iteration: number });
            }
            match whose.parse() {
                Ok(scope) => Some(Self::Planner { scope, wake: number }),
                Err(_) => Some(Self::Judge { attempt: whose.parse().ok()?, lens: number }),
            }
        };
        parse().ok_or_else(|| NoSeat(text.to_owned()))
    }
}

impl Serialize for Seat {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // A long journal holds millions of names: none is copied only to be read.
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Seat;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seat, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

impl JsonSchema for Seat {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seat".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["t4.1", "s2/3", "t4.1/2", "run/1"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::TaskId;

    #[test]
    fn a_seat_is_read_as_it_was_written() {
        let attempt = AttemptId { task: TaskId(4), number: 1 };
        let seats = [
            (Seat::Attempt(attempt), "t4.1"),
            (Seat::Planner { scope: ScopeId(2), wake: 3 }, "s2/3"),
            (Seat::Judge { attempt, lens: 2 }, "t4.1/2"),
            (Seat::RunJudge { iteration: 2 }, "run/2"),
        ];
        for (seat, text) in seats {
            assert_eq!((seat.to_string(), text.parse()), (text.to_owned(), Ok(seat)));
        }
    }

    #[test]
    fn a_text_that_names_nobody_is_refused() {
        for text in ["", "t4", "s2", "s2/", "t4.1/x", "t4/1", "x/1"] {
            assert_eq!(text.parse::<Seat>(), Err(NoSeat(text.to_owned())));
        }
    }
}
