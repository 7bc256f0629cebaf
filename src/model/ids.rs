//! Owns the names of things: runs, scopes, tasks, attempts, batches, requests and git objects.
//! Never assigns one: numbers come from the state, so that a replay gives the same names.

use std::fmt;
use std::marker::PhantomData;
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

/// Reads an id from its text. A long journal holds millions of ids: none is copied only to be read.
struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err = NotAnId>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Reads and writes an id as its text form, in JSON as wherever a person may read it; where nobody does, as the value that
/// is given with both ways, if there is one.
macro_rules! as_text {
    ($name:ident, $bare:ty, $strip:expr, $build:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let strip: fn(&$name) -> $bare = $strip;
                if to.is_human_readable() { to.collect_str(self) } else { strip(self).serialize(to) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    return from.deserialize_str(Text(PhantomData));
                }
                <$bare>::deserialize(from).map($build)
            }
        }
        as_text!(@shown $name);
    };
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(Text(PhantomData))
            }
        }
        as_text!(@shown $name);
    };
    (@shown $name:ident) => {
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
        as_text!($name, u32, |id| id.0, Self);
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
as_text!(AttemptId, (TaskId, u32), |id| (id.task, id.number), |(task, number)| Self { task, number });

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

/// The value of each hexadecimal digit; of any other byte one that no digit has.
const HEX: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit] as usize] = digit as u8;
        values[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

impl FromStr for Oid {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId::new(text, "a git object id of 40 hexadecimal digits");
        if text.len() != 40 {
            return Err(wrong());
        }
        let (mut bytes, mut met) = ([0; 20], 0);
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (HEX[usize::from(pair[0])], HEX[usize::from(pair[1])]);
            met |= high | low;
            *byte = high << 4 | low;
        }
        if met > 0xf { Err(wrong()) } else { Ok(Self(bytes)) }
    }
}
as_text!(Oid, [u8; 20], |id| id.0, Self);

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
        assert_eq!(oid.to_uppercase().parse::<Oid>().unwrap().to_string(), oid);
    }

    #[test]
    fn where_nobody_reads_them_ids_take_no_more_room_than_they_must() {
        let (attempt, oid) = (AttemptId { task: TaskId(300), number: 3 }, Oid([0xab; 20]));
        let ids = (attempt, ScopeId(1), oid, "r-7k2m".parse::<RunId>().unwrap());
        let bytes = postcard::to_stdvec(&ids).unwrap();
        assert_eq!(bytes.len(), 3 + 1 + 20 + 7);
        assert_eq!(postcard::from_bytes(&bytes), Ok(ids));
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
