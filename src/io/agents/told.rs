//! Owns what an agent says of itself: its session, its tokens, its price. A claim, never the ledger.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::spend::Tokens;

/// Tells what an agent says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its name for the session, by which the session can be taken up again.
    pub session: Option<String>,
    /// What the model read and wrote; nothing where it does not say.
    pub tokens: Option<Tokens>,
    /// What that cost, in billionths of a dollar; nothing where it does not say.
    pub nano_usd: Option<u64>,
    /// Whether both count all of the session, also what ran of it before this process.
    pub cumulative: bool,
}

impl Told {
    /// Tells what was used since an earlier word of the same session: what counts all of it counts the earlier part too.
    #[must_use]
    pub fn since(&self, earlier: Option<&Self>) -> Self {
        let Some(earlier) = earlier.filter(|earlier| self.cumulative && earlier.session == self.session) else {
            return self.clone();
        };
        let before = earlier.tokens.unwrap_or_default();
        let tokens = self.tokens.map(|all| Tokens {
            input: all.input.saturating_sub(before.input),
            cache_read: all.cache_read.saturating_sub(before.cache_read),
            cache_write: all.cache_write.saturating_sub(before.cache_write),
            cache_write_1h: all.cache_write_1h.saturating_sub(before.cache_write_1h),
            output: all.output.saturating_sub(before.output),
            reasoning: all.reasoning.saturating_sub(before.reasoning),
        });
        let nano_usd = self.nano_usd.map(|all| all.saturating_sub(earlier.nano_usd.unwrap_or_default()));
        Self { tokens, nano_usd, cumulative: false, session: self.session.clone() }
    }
}

/// Reads a sum in dollars as billionths of one; nothing where it is no sum.
pub(super) fn nano_usd(value: &Value) -> Option<u64> {
    let usd = value.as_f64().filter(|usd| (0.0..1e9).contains(usd))?;
    // The range above makes this the same number.
    Some((usd * 1e9).round() as u64)
}

/// Reads a count; 0 where there is none.
pub(super) fn count(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// Longest text of an event that is kept, in characters.
const TEXT_MOST: usize = 4000;

/// Reads a text, cut where it is long; nothing where there is none.
pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    let text = value.get(name)?.as_str()?;
    Some(text.chars().take(TEXT_MOST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_counts_the_whole_session_is_counted_once() {
        let tokens = |input, output| Some(Tokens { input, output, ..Tokens::default() });
        let told = |session: &str, tokens, nano_usd, cumulative| Told {
            session: Some(session.to_owned()),
            tokens,
            nano_usd,
            cumulative,
        };
        let first = told("s", tokens(100, 10), Some(7), true);
        assert_eq!(first.since(None), first);
        let all = told("s", tokens(150, 30), Some(9), true);
        assert_eq!(all.since(Some(&first)), told("s", tokens(50, 20), Some(2), false));
        let other = told("other", tokens(150, 30), Some(9), true);
        assert_eq!(other.since(Some(&first)), other, "another session begins at nothing");
        let own = told("s", tokens(50, 20), Some(2), false);
        assert_eq!(own.since(Some(&first)), own, "this counts its own part");
        assert_eq!(first.since(Some(&all)).tokens, tokens(0, 0), "no word counts less than nothing");
    }

    #[test]
    fn dollars_become_whole_billionths() {
        for (usd, nano) in
            [(json!(0.019_799_999_999_999_998), Some(19_800_000)), (json!(0), Some(0)), (json!(2), Some(2_000_000_000))]
        {
            assert_eq!(nano_usd(&usd), nano);
        }
        for garbage in [json!(-1), json!("1"), json!(1e300), json!(null), json!([1])] {
            assert_eq!(nano_usd(&garbage), None);
        }
    }
}
