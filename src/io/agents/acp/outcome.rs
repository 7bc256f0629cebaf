//! Owns the last line that the client writes: how a session ended, in the agent's words. Never says more than it heard.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::io::agents::agent::Ending;
use crate::io::agents::limits::{is_limit, resets_at_ms};
use crate::io::agents::told::{Told, nano_usd};
use crate::model::spend::Tokens;

/// What marks the line among those of the transcript.
pub(super) const MARK: &str = "acp-result";

/// Longest text of an outcome, in characters.
const TEXT_MOST: usize = 2000;

/// Says how a session ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// [`MARK`].
    pub(super) artel: String,
    /// Why the agent stopped; nothing where it never said.
    pub(super) stop_reason: Option<String>,
    /// Its name for the session.
    pub(super) session: Option<String>,
    /// What it used.
    pub(super) usage: Option<Used>,
    /// What that cost.
    pub(super) cost: Option<Cost>,
    /// What went wrong.
    pub(super) error: Option<Trouble>,
}

/// Counts tokens as the protocol does; whether the input holds what came from the cache differs between agents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Used {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cached_read_tokens: u64,
    pub(super) cached_write_tokens: u64,
    pub(super) total_tokens: u64,
}

/// Names a sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) amount: Value,
    pub(super) currency: String,
}

/// Says what went wrong, by the protocol's error where there was one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Trouble {
    pub(super) code: Option<i64>,
    pub(super) message: String,
    pub(super) data: Value,
}

impl Trouble {
    /// Says what went wrong in words of artel's own.
    pub(super) fn own(message: impl Into<String>) -> Self {
        Self { message: cut(&message.into()), ..Self::default() }
    }

    /// Takes what a peer said, as far as it is short.
    pub(super) fn of_peer(error: &Value) -> Self {
        let message = error["message"].as_str().map_or_else(|| "it does not say why".to_owned(), cut);
        let is_short = error["data"].to_string().chars().count() <= TEXT_MOST;
        let data = if is_short { error["data"].clone() } else { Value::Null };
        Self { code: error["code"].as_i64(), message, data }
    }

    /// Tells all that was said, as one text.
    fn told(&self) -> String {
        let more = match &self.data {
            Value::String(text) => Some(text.as_str()),
            Value::Object(fields) => fields.get("message").and_then(Value::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        match more.filter(|more| *more != self.message) {
            Some(more) => format!("{}: {}", self.message, cut(more)),
            None => self.message.clone(),
        }
    }

    /// Tells whether a limit is what went wrong. Who says so by a code is believed before the words are looked at.
    fn is_limit(&self, told: &str) -> bool {
        let named = |name: &str| self.data.get(name).and_then(Value::as_str);
        self.code == Some(429)
            || matches!(named("errorKind"), Some("rate_limit" | "billing_error"))
            || matches!(named("codexErrorInfo"), Some("usageLimitExceeded"))
            || self.code.is_some() && is_limit(told)
    }
}

/// Reads how a session ended and what it used from the line that tells it; nothing of any other line.
pub(in crate::io::agents) fn ended(line: &Value) -> Option<(Option<Ending>, Told)> {
    let outcome: Outcome = (line["artel"] == MARK).then(|| serde_json::from_value(line.clone()).ok()).flatten()?;
    Some((outcome.ending(), outcome.told()))
}

impl Outcome {
    /// Judges the session.
    pub(super) fn ending(&self) -> Option<Ending> {
        if let Some(trouble) = &self.error {
            let told = trouble.told();
            return Some(if trouble.is_limit(&told) {
                let resets_at_ms = resets_at_ms(&told, &TimeZone::system());
                Ending::Limited(told, resets_at_ms)
            } else {
                Ending::Failed(told)
            });
        }
        match self.stop_reason.as_deref()? {
            "end_turn" => Some(Ending::Done),
            other => Some(Ending::Failed(format!("the agent stopped: {other}"))),
        }
    }

    /// Tells what the agent said of itself. The session was new, so that what counts all of it counts this process.
    pub(super) fn told(&self) -> Told {
        let in_usd = self.cost.as_ref().filter(|cost| cost.currency == "USD");
        Told {
            session: self.session.clone(),
            tokens: self.usage.map(Used::tokens),
            nano_usd: in_usd.and_then(|cost| nano_usd(&cost.amount)),
            cumulative: false,
        }
    }
}

impl Used {
    /// Counts each token once. Where input and output are all there is, the input holds what came from the cache.
    fn tokens(self) -> Tokens {
        let Self { input_tokens, output_tokens, cached_read_tokens, cached_write_tokens, total_tokens } = self;
        let holds_cached = total_tokens > 0 && input_tokens.checked_add(output_tokens) == Some(total_tokens);
        let cached = if holds_cached { cached_read_tokens.saturating_add(cached_write_tokens) } else { 0 };
        Tokens {
            input: input_tokens.saturating_sub(cached),
            cache_read: cached_read_tokens,
            cache_write: cached_write_tokens,
            output: output_tokens,
            ..Tokens::default()
        }
    }
}

/// Cuts a text that is too long to be passed on.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(TEXT_MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn by(error: &Value) -> Option<Ending> {
        Outcome { error: Some(Trouble::of_peer(error)), ..Outcome::default() }.ending()
    }

    #[test]
    fn only_the_end_of_a_turn_is_success() {
        let by =
            |reason: Option<&str>| Outcome { stop_reason: reason.map(str::to_owned), ..Outcome::default() }.ending();
        assert_eq!((by(Some("end_turn")), by(None)), (Some(Ending::Done), None));
        for reason in ["max_tokens", "max_turn_requests", "refusal", "cancelled", "END_TURN", ""] {
            assert_eq!(by(Some(reason)), Some(Ending::Failed(format!("the agent stopped: {reason}"))));
        }
        let both =
            Outcome { stop_reason: Some("end_turn".to_owned()), error: Some(Trouble::own("no")), ..Outcome::default() };
        assert_eq!(both.ending(), Some(Ending::Failed("no".to_owned())));
    }

    #[test]
    fn limits_are_known_by_code_kind_or_words() {
        for error in [
            json!({"code": -32603, "message": "Internal error: API Error", "data": {"errorKind": "rate_limit"}}),
            json!({"code": -32603, "message": "Internal error", "data": {"codexErrorInfo": "usageLimitExceeded"}}),
            json!({"code": 429, "message": "no"}),
            json!({"code": -32603, "message": "Internal error", "data": "Rate limit exceeded"}),
        ] {
            assert!(matches!(by(&error), Some(Ending::Limited(_, None))), "{error}");
        }
        let day = json!({"code": -32603, "message": "Internal error", "data": {"codexErrorInfo": "usageLimitExceeded", "message": "try again at Nov 23rd, 2026 2:13 AM."}});
        assert!(
            matches!(by(&day), Some(Ending::Limited(why, Some(_))) if why.starts_with("Internal error: try again"))
        );
        for error in [json!({"code": -32000, "message": "Authentication required"}), json!(7), json!({"data": ["x"]})] {
            assert!(matches!(by(&error), Some(Ending::Failed(_))), "{error}");
        }
    }

    #[test]
    fn each_token_is_counted_once() {
        let tokens = |input, output, read, write, total| {
            let used = Used {
                input_tokens: input,
                output_tokens: output,
                cached_read_tokens: read,
                cached_write_tokens: write,
                total_tokens: total,
            };
            used.tokens()
        };
        let apart = Tokens { input: 2000, cache_read: 6000, cache_write: 400, output: 100, ..Tokens::default() };
        assert_eq!(tokens(2000, 100, 6000, 400, 8500), apart);
        let within = Tokens { input: 2000, cache_read: 6000, cache_write: 0, output: 100, ..Tokens::default() };
        assert_eq!(tokens(8000, 100, 6000, 0, 8100), within);
        assert_eq!(tokens(u64::MAX, 1, u64::MAX, 1, 5).input, u64::MAX);
    }
}
