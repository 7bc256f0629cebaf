//! Owns what is told of one call while its answer passes by. Never sees a request, never prices a token.

use super::picker::{Picker, Wanted};
use super::sse::{Lines, Piece};
use super::{anthropic, gemini, openai};
use crate::io::gateway::call::{Api, Tokens};

/// Says how an answer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io::gateway) enum Framing {
    /// As server-sent events.
    Events,
    /// As one JSON text.
    Whole,
    /// In a way that cannot be read here.
    Dark,
}

/// Sums up what was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::io::gateway) struct Told {
    /// What was counted so far.
    pub(in crate::io::gateway) tokens: Tokens,
    /// Whether what the model read is counted.
    pub(in crate::io::gateway) read: bool,
    /// Whether the count is the last one, by what the API promises.
    pub(in crate::io::gateway) last: bool,
    /// Whether the model has said all, where the API says that before it counts for the last time.
    pub(in crate::io::gateway) stopped: bool,
    /// Bytes of what the model wrote that were seen: at least as many as it has tokens.
    pub(in crate::io::gateway) seen: u64,
}

/// Takes a value that was picked, by the number of its path.
type Take = fn(&mut Told, usize, &[u8]);

/// Reads what one answer tells.
#[derive(Debug)]
pub(in crate::io::gateway) struct Meter {
    api: Api,
    framing: Framing,
    lines: Lines,
    picker: Picker,
    take: Take,
    told: Told,
}

impl Meter {
    pub(in crate::io::gateway) fn new(api: Api, framing: Framing) -> Self {
        let (wanted, take): (&'static [Wanted], Take) = match api {
            Api::Messages => (anthropic::WANTED, anthropic::take),
            Api::Responses => (openai::RESPONSES, openai::take_response),
            Api::Chat => (openai::CHAT, openai::take_chat),
            Api::Gemini => (gemini::WANTED, gemini::take),
        };
        Self { api, framing, lines: Lines::default(), picker: Picker::new(wanted), take, told: Told::default() }
    }

    /// Reads the next chunk.
    pub(in crate::io::gateway) fn feed(&mut self, chunk: &[u8]) {
        let Self { lines, picker, told, take, .. } = self;
        let mut found = |which, value: &[u8]| take(told, which, value);
        match self.framing {
            Framing::Dark => {}
            Framing::Whole => picker.feed(chunk, &mut found),
            Framing::Events => lines.feed(chunk, &mut |piece| match piece {
                Piece::Data(bytes) => picker.feed(bytes, &mut found),
                Piece::End => picker.restart(),
            }),
        }
    }

    /// Tells whether the count is the last one, where the answer ended without breaking off or did not.
    pub(in crate::io::gateway) fn is_complete(&self, ended: bool) -> bool {
        match self.api {
            Api::Messages | Api::Responses => self.told.last,
            Api::Chat | Api::Gemini => ended && self.told.read,
        }
    }

    /// Gives what was told until here.
    pub(in crate::io::gateway) fn told(&self) -> Told {
        Told { seen: self.picker.weight(), ..self.told }
    }
}

/// Reads a picked value; nothing where it is null or of another form.
pub(super) fn parsed<'v, T: serde::Deserialize<'v>>(value: &'v [u8]) -> Option<T> {
    serde_json::from_slice::<Option<T>>(value).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(api: Api, framing: Framing, answer: &str, chunk: usize) -> Told {
        let mut meter = Meter::new(api, framing);
        answer.as_bytes().chunks(chunk).for_each(|piece| meter.feed(piece));
        meter.told()
    }

    fn everywhere(api: Api, framing: Framing, answer: &str, expected: Tokens, last: bool) {
        for chunk in 1..=answer.len() {
            let told = told(api, framing, answer, chunk);
            assert_eq!((told.tokens, told.read, told.last), (expected, true, last), "{answer} by {chunk}");
        }
    }

    #[test]
    fn anthropic_is_read_to_the_token() {
        let stream = concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[],\"usage\":{\"input_tokens\":1000,",
            "\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":3000,\"output_tokens\":1,",
            "\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":200}}}}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\\u00e9 \\\"usage\\\":{\\\"output_tokens\\\":9}\"}}\n\n",
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":50,",
            "\"output_tokens_details\":{\"thinking_tokens\":20}}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
        );
        let tokens =
            Tokens { input: 1000, cache_read: 3000, cache_write: 300, cache_write_1h: 200, output: 50, reasoning: 20 };
        everywhere(Api::Messages, Framing::Events, stream, tokens, true);
        let whole = "{\"type\":\"message\",\"content\":[{\"usage\":{\"output_tokens\":7}}],\"usage\":{\"input_tokens\":5,\
                     \"cache_creation_input_tokens\":null,\"output_tokens\":6,\"service_tier\":\"standard\"}}";
        let tokens = Tokens { input: 5, output: 6, ..Tokens::default() };
        everywhere(Api::Messages, Framing::Whole, whole, tokens, true);
        let beginning = &stream[..stream.find("event: ping").unwrap()];
        let told = told(Api::Messages, Framing::Events, beginning, 3);
        assert_eq!((told.tokens.input, told.tokens.output, told.read, told.last), (1000, 1, true, false));
    }

    #[test]
    fn several_rounds_within_one_call_are_summed_up() {
        let whole = "{\"usage\":{\"input_tokens\":5,\"output_tokens\":6,\"iterations\":[\
                     {\"type\":\"compaction\",\"input_tokens\":100,\"output_tokens\":10},\
                     {\"type\":\"message\",\"input_tokens\":5,\"output_tokens\":6}]}}";
        let tokens = Tokens { input: 105, output: 16, ..Tokens::default() };
        everywhere(Api::Messages, Framing::Whole, whole, tokens, true);
    }

    #[test]
    fn a_chat_is_read_to_the_token() {
        let usage = "{\"prompt_tokens\":4000,\"completion_tokens\":50,\"total_tokens\":4050,\"prompt_tokens_details\":\
                     {\"cached_tokens\":3000,\"cache_write_tokens\":100},\"completion_tokens_details\":{\"reasoning_tokens\":7}}";
        let tokens =
            Tokens { input: 900, cache_read: 3000, cache_write: 100, cache_write_1h: 0, output: 50, reasoning: 7 };
        let stream = format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"hi\"}}}}],\"usage\":null}}\n\n\
             data: {{\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n"
        );
        everywhere(Api::Chat, Framing::Events, &stream, tokens, false);
        everywhere(Api::Chat, Framing::Whole, &format!("{{\"choices\":[],\"usage\":{usage}}}\n"), tokens, false);
        let plain = "{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"prompt_tokens_details\":null}}";
        let tokens = Tokens { input: 3, output: 4, ..Tokens::default() };
        everywhere(Api::Chat, Framing::Whole, plain, tokens, false);
    }

    #[test]
    fn a_response_is_read_to_the_token() {
        let usage = "{\"input_tokens\":4000,\"input_tokens_details\":{\"cached_tokens\":3000},\"output_tokens\":50,\
                     \"output_tokens_details\":{\"reasoning_tokens\":7},\"total_tokens\":4050}";
        let tokens = Tokens { input: 1000, cache_read: 3000, output: 50, reasoning: 7, ..Tokens::default() };
        let stream = format!(
            "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{\"usage\":null}}}}\n\n\
             data: {{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}}\n\n\
             data: {{\"type\":\"response.completed\",\"response\":{{\"output\":[],\"usage\":{usage}}}}}\n\n"
        );
        everywhere(Api::Responses, Framing::Events, &stream, tokens, true);
        everywhere(Api::Responses, Framing::Whole, &format!("{{\"usage\":{usage}}}"), tokens, true);
    }

    #[test]
    fn gemini_is_read_to_the_token() {
        let usage = "{\"promptTokenCount\":4000,\"candidatesTokenCount\":50,\"totalTokenCount\":4067,\
                     \"cachedContentTokenCount\":3000,\"thoughtsTokenCount\":7,\"toolUsePromptTokenCount\":10}";
        let tokens = Tokens { input: 1010, cache_read: 3000, output: 57, reasoning: 7, ..Tokens::default() };
        let part = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"usageMetadata\":{\"promptTokenCount\":4000}}";
        let last = format!("{{\"candidates\":[],\"usageMetadata\":{usage}}}");
        everywhere(Api::Gemini, Framing::Events, &format!("data: {part}\r\n\r\ndata: {last}\r\n\r\n"), tokens, false);
        everywhere(Api::Gemini, Framing::Whole, &format!("[{part},\n{last}]"), tokens, false);
        everywhere(Api::Gemini, Framing::Whole, &last, tokens, false);
    }

    #[test]
    fn what_was_seen_of_an_answer_is_never_less_than_its_tokens() {
        for (api, event, least) in [
            (
                Api::Messages,
                "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}",
                5,
            ),
            (Api::Messages, "{\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"}}", 4),
            (Api::Chat, "{\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}", 5),
            (Api::Chat, "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"abc\"}}]}}]}", 3),
            (Api::Responses, "{\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}", 5),
            (Api::Gemini, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}]}", 5),
            (
                Api::Gemini,
                "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"args\":{\"a\":\"bc\"}}}]}}]}",
                2,
            ),
        ] {
            let told = told(api, Framing::Events, &format!("data: {event}\n\n"), 4);
            assert!((least..least + 8).contains(&told.seen), "{event}: {}", told.seen);
            assert!(!told.read && !told.last);
        }
    }

    #[test]
    fn numbers_of_another_form_are_not_told() {
        for usage in
            ["{\"input_tokens\":-5}", "{\"input_tokens\":1.5}", "\"many\"", "{\"input_tokens\":99999999999999999999}"]
        {
            let told = told(Api::Messages, Framing::Whole, &format!("{{\"usage\":{usage}}}"), 5);
            assert_eq!(told, Told::default(), "{usage}");
        }
    }
}
