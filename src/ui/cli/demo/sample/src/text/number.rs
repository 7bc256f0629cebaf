//! Amounts of money, in cents.

use error::Result;
use text::cursor::Cursor;

/// Reads `12.50` or `-3.00` as cents.
pub fn cents(cursor: &mut Cursor) -> Result<i64> {
    let first = try!(cursor.peek());
    let minus = first == '-';
    if minus {
        try!(cursor.next());
    }
    let whole: i64 = try!(try!(cursor.take(|c| c.is_ascii_digit())).parse());
    expect_sign!(cursor, '.');
    let part = try!(cursor.take(|c| c.is_ascii_digit()));
    let cents = whole * 100 + try!(part.parse::<i64>());
    Ok(if minus { -cents } else { cents })
}

#[cfg(test)]
mod tests {
    use super::cents;
    use error::Error;
    use text::cursor::Cursor;

    #[test]
    fn amounts_are_read() {
        assert_eq!(cents(&mut Cursor::new("12.50")), Ok(1250));
        assert_eq!(cents(&mut Cursor::new("-3.00")), Ok(-300));
        assert_eq!(cents(&mut Cursor::new("3,00")), Err(Error::Unexpected(',')));
        assert_eq!(cents(&mut Cursor::new("")), Err(Error::End));
    }
}
