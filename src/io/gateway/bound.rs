//! Owns how much a call may cost before it is sent. Never knows what it did cost.

use super::prices::Price;
use super::request::Wish;
use crate::model::means::Means;

/// Tokens that the provider adds to what a request holds: its own instructions, and what tools need.
const ADDED: u64 = 4096;

/// Bounds what one call may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// Tokens that it reads at most.
    pub(super) read: u64,
    /// Tokens that it writes at most.
    pub(super) written: u64,
    /// What it costs at most, in nano-dollars.
    pub(super) nano_usd: u64,
}

impl Bound {
    /// Bounds a call: a token is at least one byte of the request, except of what the provider holds already, which is
    /// at most what the model can read.
    pub(super) fn of(wish: &Wish, price: &Price) -> Self {
        let sent = (wish.body.len() as u64).saturating_add(ADDED);
        let read = if wish.refers { sent.max(price.context) } else { sent };
        let each = wish.output_max.unwrap_or(price.output_max);
        let written = each.saturating_mul(wish.answers.max(1));
        Self { read, written, nano_usd: price.cost_max(read, written) }
    }

    /// Gives what is to be reserved for the call.
    pub(super) fn means(&self) -> Means {
        Means { nano_usd: self.nano_usd, tokens: self.tokens(), calls: 1 }
    }

    /// Counts the tokens.
    pub(super) fn tokens(&self) -> u64 {
        self.read.saturating_add(self.written)
    }
}
