//! Owns what calls to models use: tokens, and money in whole nano-dollars. Never prices a call.

use std::fmt;
use std::ops::AddAssign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::egress::EGRESS;
use super::means::Means;

/// Nano-dollars of a dollar.
pub const DOLLAR: u64 = 1_000_000_000;

/// Counts the tokens of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tokens {
    /// Read anew.
    pub input: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Read anew and kept in a cache, for whatever time.
    pub cache_write: u64,
    /// Of those, kept for an hour or longer.
    pub cache_write_1h: u64,
    /// Written, reasoning included.
    pub output: u64,
    /// Of those, reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Sums those that were read, from wherever.
    pub fn read(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    /// Sums those that were read and written.
    pub fn total(&self) -> u64 {
        self.read().saturating_add(self.output)
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.input, other.input),
            (&mut self.cache_read, other.cache_read),
            (&mut self.cache_write, other.cache_write),
            (&mut self.cache_write_1h, other.cache_write_1h),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Sums what calls used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Spend {
    /// The calls.
    pub calls: u64,
    /// Their tokens, as far as they are known.
    pub tokens: Tokens,
    /// What they cost, in nano-dollars; what is not known for sure is counted at the most that it may be.
    pub nano_usd: u64,
    /// How many of the calls are whole sessions of which only their agents tell: they log in by themselves.
    pub told: u64,
    /// Tokens that were held for sessions that were cut off, and may have been used: they count against budgets.
    pub lost_tokens: u64,
    /// Calls that were.
    pub lost_calls: u64,
}

impl Spend {
    /// Sums it as budgets bound it.
    pub fn means(&self) -> Means {
        Means {
            nano_usd: self.nano_usd,
            tokens: self.tokens.total().saturating_add(self.lost_tokens),
            calls: self.calls.saturating_add(self.lost_calls),
        }
    }

    /// Counts what was held for a session that was cut off as used: nobody knows what was under way.
    pub fn lose(&mut self, held: Means) {
        self.nano_usd = self.nano_usd.saturating_add(held.nano_usd);
        self.lost_tokens = self.lost_tokens.saturating_add(held.tokens);
        self.lost_calls = self.lost_calls.saturating_add(held.calls);
    }

    /// Counts a call that came to be known after its session was lost, in the place of what was held for it.
    pub fn find(&mut self, call: Self) {
        let Means { tokens, calls, .. } = call.means();
        self.lost_tokens = self.lost_tokens.saturating_sub(tokens);
        self.lost_calls = self.lost_calls.saturating_sub(calls);
        *self += Self { nano_usd: 0, ..call };
    }
}

impl AddAssign for Spend {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.tokens += other.tokens;
        self.nano_usd = self.nano_usd.saturating_add(other.nano_usd);
        self.told += other.told;
        self.lost_tokens = self.lost_tokens.saturating_add(other.lost_tokens);
        self.lost_calls += other.lost_calls;
    }
}

/// Tells of one call to a model, as it was seen on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// Which of its session's calls it was, from 1.
    pub number: u64,
    /// Who was asked.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// How it ended.
    pub end: CallEnd,
    /// The HTTP status of the answer; 0 where there was none.
    pub status: u16,
    /// What it used.
    pub tokens: Tokens,
    /// What it cost, in nano-dollars.
    pub nano_usd: u64,
    /// From the request's arrival to the answer's end, in milliseconds.
    pub ms: u64,
    /// Bytes that passed, in both directions.
    #[serde(default)]
    pub bytes: u64,
    /// Whether it is a whole session, of which nobody but its agent tells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// Says how a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallEnd {
    /// The whole answer came, and told what it used.
    Whole,
    /// The answer broke off, or did not tell what it used: the most that it may be is counted.
    Cut,
    /// The provider answered with an error, or was not reached.
    Failed,
    /// It was not sent.
    Refused {
        /// Why.
        why: String,
        /// The version of the user's rules by which it was: a hash of their texts; empty where it was not noted.
        #[serde(default)]
        policy: String,
    },
}

impl Call {
    /// Gives what it adds to a sum.
    pub fn spend(&self) -> Spend {
        let is_call = self.provider != EGRESS && !matches!(self.end, CallEnd::Refused { .. });
        let calls = u64::from(is_call);
        let told = u64::from(self.told);
        Spend { calls, tokens: self.tokens, nano_usd: self.nano_usd, told, ..Spend::default() }
    }
}

/// Shows an amount of money as people read it: `$0`, `$0.0042`, `$1.50`, `$120`.
pub struct Usd(pub u64);

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(nano) = *self;
        // Two digits of what is worth less than a cent, cents of the rest: rounded up, as money that is spent is.
        let step = match nano {
            0 => return f.write_str("$0"),
            1..10_000 => 1,
            10_000..1_000_000 => 1_000,
            1_000_000..10_000_000 => 100_000,
            _ => DOLLAR / 100,
        };
        let nano = nano.div_ceil(step).saturating_mul(step);
        let (whole, part) = (nano / DOLLAR, nano % DOLLAR);
        if part == 0 {
            return write!(f, "${whole}");
        }
        let digits = format!("{part:09}");
        let digits = digits.trim_end_matches('0');
        write!(f, "${whole}.{digits:0<2}")
    }
}

/// Reads an amount of dollars, such as `5`, `0.25` or `$12.50`; gives nano-dollars, nothing where it is none.
pub fn nano_usd_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 9 {
        return None;
    }
    let part: u64 = format!("{part:0<9}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(DOLLAR)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_and_shown_as_people_write_it() {
        for (text, nano, shown) in [
            ("5", 5_000_000_000, "$5"),
            ("$12.5", 12_500_000_000, "$12.50"),
            ("0.0042", 4_200_000, "$0.0042"),
            ("0.000000001", 1, "$0.000000001"),
            ("1.234", 1_234_000_000, "$1.24"),
            ("0", 0, "$0"),
        ] {
            assert_eq!(nano_usd_of(text), Some(nano), "{text}");
            assert_eq!(Usd(nano).to_string(), shown);
        }
        for text in ["", "-1", "1e3", "1.", ".5", "five", "1,5", "0.0000000001", "99999999999999999999"] {
            assert_eq!(nano_usd_of(text), None, "{text}");
        }
    }
}
