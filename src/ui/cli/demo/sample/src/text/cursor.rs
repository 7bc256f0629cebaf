//! A place in a text that moves forward.

use error::{Error, Result};

/// Goes through a text sign by sign.
pub struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning.
    pub fn new(text: &'a str) -> Cursor<'a> {
        Cursor { rest: text }
    }

    /// Tells the next sign without going past it.
    pub fn peek(&self) -> Result<char> {
        self.rest.chars().next().ok_or(Error::End)
    }

    /// Goes past the next sign.
    pub fn next(&mut self) -> Result<char> {
        let sign = try!(self.peek());
        self.rest = &self.rest[sign.len_utf8()..];
        Ok(sign)
    }

    /// Takes signs while they please.
    pub fn take<F: Fn(char) -> bool>(&mut self, pleases: F) -> Result<&'a str> {
        let end = self.rest.find(|c| !pleases(c)).unwrap_or_else(|| self.rest.len());
        if end == 0 {
            return Err(Error::Unexpected(try!(self.peek())));
        }
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(taken)
    }

    /// Goes past blanks.
    pub fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Tells whether a sign is the next.
    pub fn is_at(&self, sign: char) -> bool {
        self.rest.starts_with(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;
    use error::Error;

    #[test]
    fn a_cursor_goes_to_the_end() {
        let mut cursor = Cursor::new("aé");
        assert_eq!(cursor.next(), Ok('a'));
        assert_eq!(cursor.next(), Ok('é'));
        assert_eq!(cursor.next(), Err(Error::End));
    }

    #[test]
    fn taking_nothing_is_an_error() {
        assert_eq!(Cursor::new("1").take(char::is_alphabetic), Err(Error::Unexpected('1')));
        assert_eq!(Cursor::new("").take(char::is_alphabetic), Err(Error::End));
    }
}
