//! Owns how a few small values are picked out of a JSON text that comes in pieces. Never keeps more of it than the
//! value that is being picked; never judges whether the rest is sound.

/// Says what becomes of a value that is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is given out.
    Take,
    /// Its bytes are counted.
    Weigh,
}

/// Names a value by the keys that lead to it; lists on the way are passed through.
pub(super) type Wanted = (How, &'static [&'static str]);

/// Longest key that is compared, in bytes.
const KEY_BYTES: usize = 64;
/// Largest value that is given out, in bytes.
const VALUE_BYTES: usize = 32 << 10;
/// Deepest nesting that is followed.
const DEPTH: usize = 256;

/// Picks values out of one JSON text after another.
#[derive(Debug)]
pub(super) struct Picker {
    wanted: &'static [Wanted],
    frames: Vec<Frame>,
    state: State,
    escaped: bool,
    key: Vec<u8>,
    /// The paths that the value which comes next is on.
    next: On,
    picked: Option<Picked>,
    weight: u64,
}

/// Tells which of the wanted paths lead to a place, and how many of their keys are behind it.
#[derive(Debug, Clone, Copy)]
struct On {
    paths: u32,
    keys: usize,
}

#[derive(Debug)]
struct Frame {
    is_object: bool,
    on: On,
}

#[derive(Debug)]
struct Picked {
    which: usize,
    /// How many frames are open where the value ends.
    depth: usize,
    bytes: Vec<u8>,
    is_whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    Key,
    InKey,
    Colon,
    Text,
    Bare,
    After,
    /// The text is none that can be followed.
    Lost,
}

impl Picker {
    pub(super) fn new(wanted: &'static [Wanted]) -> Self {
        debug_assert!(wanted.len() <= 32, "paths are kept as bits");
        let next = On { paths: u32::MAX, keys: 0 };
        Self {
            wanted,
            frames: Vec::new(),
            state: State::Value,
            escaped: false,
            key: Vec::new(),
            next,
            picked: None,
            weight: 0,
        }
    }

    /// Tells how many bytes the weighed values had, quotes not counted.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// Begins a new text.
    pub(super) fn restart(&mut self) {
        self.frames.clear();
        self.state = State::Value;
        self.escaped = false;
        self.next = On { paths: u32::MAX, keys: 0 };
        self.picked = None;
    }

    /// Takes the next piece and gives out what is whole by it: the number of its path, and the value as it is written.
    pub(super) fn feed(&mut self, piece: &[u8], found: &mut impl FnMut(usize, &[u8])) {
        let mut rest = piece;
        while let Some((byte, behind)) = rest.split_first() {
            let plain = self.plain(rest);
            if plain > 0 {
                rest = &rest[plain..];
            } else {
                self.step(*byte, found);
                rest = behind;
            }
        }
    }

    /// Takes what stands within a text or a key before its next quote or escape, where no value is being picked; tells how
    /// many bytes.
    fn plain(&mut self, rest: &[u8]) -> usize {
        if !matches!(self.state, State::Text | State::InKey) || self.escaped || self.picked.is_some() {
            return 0;
        }
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
        if self.state == State::Text {
            self.weigh(length);
        } else {
            let room = (KEY_BYTES + 1).saturating_sub(self.key.len());
            self.key.extend_from_slice(&rest[..length.min(room)]);
        }
        length
    }

    fn step(&mut self, byte: u8, found: &mut impl FnMut(usize, &[u8])) {
        match self.state {
            State::Lost => {}
            State::Value => self.value(byte, found),
            State::Key => match byte {
                b'"' => {
                    self.key.clear();
                    self.state = State::InKey;
                    self.keep(byte);
                }
                b'}' => self.close(byte, true, found),
                _ => self.between(byte),
            },
            State::InKey => {
                self.keep(byte);
                if self.ends_text(byte) {
                    self.state = State::Colon;
                } else if self.key.len() <= KEY_BYTES {
                    self.key.push(byte);
                }
            }
            State::Colon => {
                self.between(byte);
                if byte == b':' {
                    self.next = self.beneath();
                    self.state = State::Value;
                }
            }
            State::Text => {
                self.keep(byte);
                self.weigh(1);
                if self.ends_text(byte) {
                    self.value_ended(found);
                }
            }
            State::Bare => {
                if matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace() {
                    self.value_ended(found);
                    self.step(byte, found);
                } else {
                    self.keep(byte);
                    self.weigh(1);
                }
            }
            State::After => self.after(byte, found),
        }
    }

    /// Takes a byte where a value begins.
    fn value(&mut self, byte: u8, found: &mut impl FnMut(usize, &[u8])) {
        if byte.is_ascii_whitespace() {
            return self.between(byte);
        }
        if byte == b']' {
            return self.close(byte, false, found);
        }
        let ends_here = |(which, (how, path)): (usize, &Wanted)| {
            let is_here = self.next.paths & (1 << which) != 0 && path.len() == self.next.keys && !path.is_empty();
            (is_here && *how == How::Take).then_some(which)
        };
        if self.picked.is_none()
            && let Some(which) = self.wanted.iter().enumerate().find_map(ends_here)
        {
            self.picked = Some(Picked { which, depth: self.frames.len(), bytes: Vec::new(), is_whole: true });
        }
        self.keep(byte);
        match byte {
            b'{' | b'[' if self.frames.len() >= DEPTH => self.state = State::Lost,
            b'{' | b'[' => {
                self.frames.push(Frame { is_object: byte == b'{', on: self.next });
                self.state = if byte == b'{' { State::Key } else { State::Value };
            }
            b'"' => self.state = State::Text,
            _ => {
                self.state = State::Bare;
                self.weigh(1);
            }
        }
    }

    /// Takes a byte behind a value.
    fn after(&mut self, byte: u8, found: &mut impl FnMut(usize, &[u8])) {
        let Some(frame) = self.frames.last() else { return };
        match byte {
            b',' => {
                self.next = frame.on;
                self.state = if frame.is_object { State::Key } else { State::Value };
                self.keep(byte);
            }
            b'}' => self.close(byte, true, found),
            b']' => self.close(byte, false, found),
            _ => self.between(byte),
        }
    }

    fn close(&mut self, byte: u8, is_object: bool, found: &mut impl FnMut(usize, &[u8])) {
        match self.frames.pop() {
            Some(frame) if frame.is_object == is_object => {
                self.keep(byte);
                self.value_ended(found);
            }
            Some(_) | None => self.state = State::Lost,
        }
    }

    fn value_ended(&mut self, found: &mut impl FnMut(usize, &[u8])) {
        self.state = State::After;
        if let Some(picked) = self.picked.take_if(|picked| picked.depth == self.frames.len())
            && picked.is_whole
        {
            found(picked.which, &picked.bytes);
        }
    }

    /// Takes a byte between two others that mean something: blanks and colons, or what does not belong there.
    fn between(&mut self, byte: u8) {
        if byte == b':' {
            self.keep(byte);
        } else if !byte.is_ascii_whitespace() {
            self.state = State::Lost;
        }
    }

    fn ends_text(&mut self, byte: u8) -> bool {
        let escaped = self.escaped;
        self.escaped = byte == b'\\' && !escaped;
        byte == b'"' && !escaped
    }

    /// Tells which paths go on beneath the key that was read.
    fn beneath(&self) -> On {
        let none = On { paths: 0, keys: 0 };
        let on = self.frames.last().map_or(none, |frame| frame.on);
        let goes_on = |(which, (how, path)): (usize, &Wanted)| {
            // What is weighed is weighed with all that is in it.
            let fits = path.get(on.keys).map_or(*how == How::Weigh, |key| key.as_bytes() == self.key);
            (on.paths & (1 << which) != 0 && fits).then_some(1_u32 << which)
        };
        On { paths: self.wanted.iter().enumerate().filter_map(goes_on).sum(), keys: on.keys + 1 }
    }

    fn keep(&mut self, byte: u8) {
        if let Some(picked) = &mut self.picked {
            picked.is_whole &= picked.bytes.len() < VALUE_BYTES;
            if picked.is_whole {
                picked.bytes.push(byte);
            }
        }
    }

    /// Counts so many bytes of a text or a number that is weighed.
    fn weigh(&mut self, bytes: usize) {
        let on = self.next;
        let is_weighed = |(which, (how, path)): (usize, &Wanted)| {
            *how == How::Weigh && on.paths & (1 << which) != 0 && path.len() <= on.keys
        };
        if on.paths != 0 && self.wanted.iter().enumerate().any(is_weighed) {
            self.weight += bytes as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &[Wanted] =
        &[(How::Take, &["usage"]), (How::Take, &["message", "usage"]), (How::Weigh, &["choices", "delta", "text"])];

    fn picked(text: &str, chunk: usize) -> (Vec<(usize, String)>, u64) {
        let mut picker = Picker::new(WANTED);
        let mut all = Vec::new();
        let mut found = |which, value: &[u8]| all.push((which, String::from_utf8(value.to_vec()).unwrap()));
        for piece in text.as_bytes().chunks(chunk) {
            picker.feed(piece, &mut found);
        }
        (all, picker.weight())
    }

    #[test]
    fn values_are_picked_wherever_pieces_are_parted() {
        let text = r#" {"a":{"usage":1},"us\"age":[{"usage":2}], "usage" : {"x": [1,{"usage":3}], "y":"}\"" } ,
            "message":{"usage":null,"z":"usage"},"choices":[{"delta":{"text":"ab\"c"}},{"delta":{"text":"d"}}]}"#;
        for chunk in 1..text.len() {
            let (all, weight) = picked(text, chunk);
            assert_eq!(all.len(), 2, "{all:?}");
            let usage: serde_json::Value = serde_json::from_str(&all[0].1).unwrap();
            assert_eq!(usage, serde_json::json!({"x": [1, {"usage": 3}], "y": "}\""}));
            assert_eq!(all[1], (1, "null".to_owned()));
            assert_eq!(weight, "ab\\\"c\"".len() as u64 + "d\"".len() as u64);
        }
    }

    #[test]
    fn lists_are_passed_through() {
        assert_eq!(picked(r#"[{"usage":1},{"usage":[2]}]"#, 3).0, [(0, "1".to_owned()), (0, "[2]".to_owned())]);
    }

    #[test]
    fn what_is_no_json_gives_nothing_and_does_no_harm() {
        for text in ["", "}", "]", "{]", "{\"usage\" 3}", "[DONE]", "{\"usage\":", "nul", "{\"usage\":{\"a\":1]}"] {
            assert_eq!(picked(text, 1).0, [], "{text}");
        }
        assert_eq!(picked(&"[".repeat(100_000), 1000).0, []);
        let large = format!("{{\"usage\":\"{}\",\"message\":{{\"usage\":1}}}}", "x".repeat(VALUE_BYTES));
        assert_eq!(picked(&large, 1000).0, [(1, "1".to_owned())]);
        let long_key = format!("{{\"{}\":1,\"usage\":2}}", "usage".repeat(1000));
        assert_eq!(picked(&long_key, 7).0, [(0, "2".to_owned())]);
    }
}
