//! What two parsers share.

/// Expects a sign at a cursor and goes past it.
macro_rules! expect_sign {
    ($cursor:expr, $sign:expr) => {{
        let found = try!($cursor.next());
        if found != $sign {
            return Err(::error::Error::Unexpected(found));
        }
    }};
}
