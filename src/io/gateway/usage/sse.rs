//! Owns how a stream of server-sent events is parted into the data of events, in pieces. Never holds a line.

/// Gives a piece of what a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'s> {
    /// Some bytes of an event's data.
    Data(&'s [u8]),
    /// The event is whole.
    End,
}

/// Follows the lines of a stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    at: At,
    after_return: bool,
    has_data: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The beginning of a line.
    #[default]
    Start,
    /// As many letters of `data`.
    Field(usize),
    /// Behind the colon, where one blank does not count.
    Blank,
    /// In the data.
    Data,
    /// In a line that carries no data.
    Other,
}

const FIELD: &[u8] = b"data";

impl Lines {
    /// Takes the next chunk and gives out the pieces in it.
    pub(super) fn feed(&mut self, chunk: &[u8], give: &mut impl FnMut(Piece<'_>)) {
        let mut at = 0;
        while at < chunk.len() {
            let rest = &chunk[at..];
            if self.at == At::Data || self.at == At::Other {
                let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
                if self.at == At::Data && length > 0 {
                    give(Piece::Data(&rest[..length]));
                }
                at += length;
                if length == rest.len() {
                    continue;
                }
            }
            let byte = chunk[at];
            at += 1;
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.line_ended(give),
                _ => at -= usize::from(!self.takes(byte)),
            }
        }
    }

    /// Takes a byte of a field's name; tells whether it was one.
    fn takes(&mut self, byte: u8) -> bool {
        let (next, is_taken) = match self.at {
            At::Start if byte == FIELD[0] => (At::Field(1), true),
            At::Field(count) if FIELD.get(count) == Some(&byte) => (At::Field(count + 1), true),
            At::Field(count) if count == FIELD.len() && byte == b':' => (At::Blank, true),
            At::Blank => (At::Data, byte == b' '),
            At::Start | At::Field(_) | At::Data | At::Other => (At::Other, true),
        };
        self.has_data |= next == At::Blank;
        self.at = next;
        is_taken
    }

    fn line_ended(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        match self.at {
            At::Start if std::mem::take(&mut self.has_data) => give(Piece::End),
            At::Data | At::Blank => give(Piece::Data(b"\n")),
            At::Start | At::Field(_) | At::Other => {}
        }
        self.at = At::Start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(stream: &[u8], chunk: usize) -> Vec<String> {
        let (mut lines, mut events, mut event) = (Lines::default(), Vec::new(), Vec::new());
        for part in stream.chunks(chunk) {
            lines.feed(part, &mut |piece| match piece {
                Piece::Data(bytes) => event.extend_from_slice(bytes),
                Piece::End => events.push(String::from_utf8(std::mem::take(&mut event)).unwrap()),
            });
        }
        events
    }

    #[test]
    fn events_are_the_same_wherever_chunks_are_parted() {
        let streams: [(&[u8], &[&str]); 7] = [
            (b"data: {\"a\":1}\n\ndata: [DONE]\n\n", &["{\"a\":1}\n", "[DONE]\n"]),
            (b"event: x\r\ndata:{}\r\nid: 1\r\n\r\n: ping\r\n\r\ndata: 2\r\n\r\n", &["{}\n", "2\n"]),
            (b"data: 1\rdata: 2\r\r", &["1\n2\n"]),
            (b"dat: 1\ndatax: 2\n data: 3\ndata\n\n\n\ndata:  4\n\n", &[" 4\n"]),
            (b"data:\n\n", &["\n"]),
            (b"data: cut", &[]),
            (b"data: a: b\n\nevent: data: c\n\n", &["a: b\n"]),
        ];
        for (stream, expected) in streams {
            for chunk in 1..=stream.len() {
                assert_eq!(events(stream, chunk), expected, "{} by {chunk}", String::from_utf8_lossy(stream));
            }
        }
    }
}
