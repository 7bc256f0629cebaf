//! What can go wrong.

use std::fmt;
use std::num::ParseIntError;

/// Says what is wrong with a ledger.
#[derive(Debug, PartialEq)]
pub enum Error {
    /// The text ended too early.
    End,
    /// Another sign was wanted.
    Unexpected(char),
    /// A number is none.
    Number(String),
    /// A book has no entry of that name.
    Missing(String),
    /// A line could not be written.
    Write,
}

/// What a step gives.
pub type Result<T> = ::std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Error::End => try!(f.write_str("the text ended too early")),
            Error::Unexpected(sign) => {
                try!(f.write_str("unexpected "));
                try!(write!(f, "{:?}", sign));
            }
            Error::Number(ref text) => try!(write!(f, "`{}` is no number", text)),
            Error::Missing(ref name) => {
                try!(f.write_str("no entry is named "));
                try!(f.write_str(name));
            }
            Error::Write => return f.write_str("a line could not be written"),
        }
        Ok(())
    }
}

impl From<ParseIntError> for Error {
    fn from(error: ParseIntError) -> Error {
        Error::Number(error.to_string())
    }
}

impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Error {
        Error::Write
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn errors_speak() {
        assert_eq!(Error::End.to_string(), "the text ended too early");
        assert_eq!(Error::Unexpected('x').to_string(), "unexpected 'x'");
        assert_eq!(Error::Missing("rent".to_string()).to_string(), "no entry is named rent");
    }
}
