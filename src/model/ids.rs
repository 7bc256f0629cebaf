//! Owns the names of things: runs, scopes, tasks, attempts, batches, requests and git objects.
//! Never assigns one: numbers come from the state, so that a replay gives the same names.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Says which text is not an id, and what an id of that kind looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct NotAnId {
    text: String,
    wanted: &'static str,
}

impl NotAnId {
    fn new(text: &str, wanted: &'static str) -> Self {
        Self { text: text.to_owned(), wanted }
    }
}

/// Reads and writes an id as its text form, in JSON as everywhere else.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                // A long journal holds millions of ids: none is copied only to be read.
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a text")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                from.deserialize_str(Text)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

/// Declares an id that is a letter and a number.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $letter:literal, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix($letter)
                    .and_then(|number| number.parse().ok())
                    .map(Self)
                    .ok_or_else(|| NotAnId::new(text, $wanted))
            }
        }
        as_text!($name);
    };
}

numbered!(
    /// Names a task within its run.
    TaskId, "t", "a task such as t12"
);
numbered!(
    /// Names a planner's scope within its run.
    ScopeId, "s", "a scope such as s3"
);
numbered!(
    /// Names a landing batch within its run.
    BatchId, "b", "a batch such as b4"
);

/// Names one worker's try at a task; tries count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The task that is tried.
    pub task: TaskId,
    /// Which try it is, from 1.
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.task, self.number)
    }
}

impl FromStr for AttemptId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let parse = || {
            let (task, number) = text.split_once('.')?;
            Some(Self { task: task.parse().ok()?, number: number.parse().ok()? })
        };
        parse().ok_or_else(|| NotAnId::new(text, "an attempt such as t12.1"))
    }
}
as_text!(AttemptId);

/// Declares an id that is a short text of lower-case letters, digits and dashes.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Shows the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let fits = (1..=64).contains(&text.len())
                    && !text.starts_with('-')
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                fits.then(|| Self(text.to_owned())).ok_or_else(|| NotAnId::new(text, $wanted))
            }
        }
        as_text!($name);
    };
}

word!(
    /// Names a run on this machine; safe in a ref name and in a file name.
    RunId, "a run such as r-7k2m (lower-case letters, digits and dashes)"
);
word!(
    /// Names a request, so that the same request sent twice is one.
    RequestId, "a request id (lower-case letters, digits and dashes)"
);

/// Names a git object by its SHA-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub [u8; 20]);

impl Oid {
    /// Shows the first ten hexadecimal digits, as people quote commits.
    pub fn short(&self) -> String {
        self.to_string()[..10].to_owned()
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Oid {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId::new(text, "a git object id of 40 hexadecimal digits");
        if text.len() != 40 {
            return Err(wrong());
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            b'A'..=b'F' => Some(byte - b'A' + 10),
            _ => None,
        };
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return Err(wrong()) };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}
as_text!(Oid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        let attempt = AttemptId { task: TaskId(12), number: 3 };
        assert_eq!(attempt.to_string(), "t12.3");
        assert_eq!("t12.3".parse(), Ok(attempt));
        let json = serde_json::to_string(&attempt).unwrap();
        assert_eq!(json, "\"t12.3\"");
        assert_eq!(serde_json::from_str::<AttemptId>(&json).unwrap(), attempt);
        let oid = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(oid.parse::<Oid>().unwrap().to_string(), oid);
    }

    #[test]
    fn hostile_names_are_no_ids() {
        for text in ["", "-x", "a/b", "a b", "A", "a\n", "..", "ä"] {
            assert!(text.parse::<RunId>().is_err(), "{text:?}");
        }
        assert!("t1x".parse::<TaskId>().is_err());
        assert!("zz23456789abcdef0123456789abcdef01234567".parse::<Oid>().is_err());
    }
}
