//! One line of a ledger.

use error::Result;
use std::str::FromStr;
use text::cursor::Cursor;
use text::number::cents;
use text::word::word;

/// A name and an amount in cents.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it was for.
    pub name: String,
    /// How much, in cents.
    pub cents: i64,
}

/// Reads `name: amount`.
///
/// ```ignore
/// let entry: Entry = try!("rent: 700.00".parse());
/// ```
impl FromStr for Entry {
    type Err = ::error::Error;

    fn from_str(line: &str) -> Result<Entry> {
        let mut cursor = Cursor::new(line);
        cursor.skip_blanks();
        let name = try!(word(&mut cursor));
        expect_sign!(cursor, ':');
        cursor.skip_blanks();
        Ok(Entry { name: name, cents: try!(cents(&mut cursor)) })
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn a_line_is_an_entry() {
        let entry: Entry = " rent: 700.00".parse().unwrap();
        assert_eq!(entry, Entry { name: "rent".to_string(), cents: 70_000 });
        assert!("rent 700.00".parse::<Entry>().is_err());
    }
}
