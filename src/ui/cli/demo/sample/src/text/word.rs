//! Names of entries.

use error::Result;
use text::cursor::Cursor;

/// Reads a name: letters, then letters and dashes.
pub fn word(cursor: &mut Cursor) -> Result<String> {
    let mut name = try!(cursor.take(char::is_alphabetic)).to_string();
    while cursor.is_at('-') {
        name.push(try!(cursor.next()));
        name.push_str(try!(cursor.take(char::is_alphabetic)));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::word;
    use text::cursor::Cursor;

    #[test]
    fn names_may_hold_dashes() {
        assert_eq!(word(&mut Cursor::new("car-hire 1")), Ok("car-hire".to_string()));
        assert!(word(&mut Cursor::new("car-")).is_err());
    }
}
