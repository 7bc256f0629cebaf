//! Owns what models cost, in whole nano-dollars a token (dollars a million tokens, times 1,000), and the sums made of
//! it. Never rounds down, never uses a fraction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::call::Tokens;

/// Holds the prices of one token, in nano-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rates {
    /// Read afresh.
    pub input: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Read and written to a cache.
    pub cache_write: u64,
    /// Read and written to a cache that is kept for an hour or longer.
    pub cache_write_1h: u64,
    /// Written by the model.
    pub output: u64,
}

/// Holds what one model costs and how much it takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Price {
    /// What its tokens cost.
    pub rates: Rates,
    /// What all tokens of a call cost that reads more than as many.
    pub long: Option<(u64, Rates)>,
    /// Tokens that it writes at most, where a request names no number.
    pub output_max: u64,
    /// Tokens that it reads at most.
    pub context: u64,
}

/// Output of a model of which nothing else is known, in tokens.
const OUTPUT_MAX: u64 = 128_000;
/// Context of a model of which nothing else is known, in tokens.
const CONTEXT: u64 = 1_050_000;

impl Price {
    /// Gives the price of a model of which only the rates are known.
    pub fn of(rates: Rates) -> Self {
        Self { rates, long: None, output_max: OUTPUT_MAX, context: CONTEXT }
    }

    /// Tells what was used costs, in nano-dollars.
    pub fn cost(&self, tokens: &Tokens) -> u64 {
        let rates = match &self.long {
            Some((over, rates)) if tokens.read() > *over => rates,
            Some(_) | None => &self.rates,
        };
        let written_1h = tokens.cache_write_1h.min(tokens.cache_write);
        sum(&[
            (tokens.input, rates.input),
            (tokens.cache_read, rates.cache_read),
            (tokens.cache_write - written_1h, rates.cache_write),
            (written_1h, rates.cache_write_1h),
            (tokens.output, rates.output),
        ])
    }

    /// Tells what a call costs at most that reads and writes at most so many tokens, in nano-dollars.
    pub fn cost_max(&self, read: u64, written: u64) -> u64 {
        let long = self.long.iter().filter(|(over, _)| read > *over).map(|(_, rates)| rates);
        let costs = long.chain([&self.rates]).map(|rates| {
            let dearest = rates.input.max(rates.cache_read).max(rates.cache_write).max(rates.cache_write_1h);
            sum(&[(read, dearest), (written, rates.output)])
        });
        costs.max().unwrap_or_default()
    }
}

fn sum(parts: &[(u64, u64)]) -> u64 {
    let each = parts.iter().map(|(count, rate)| u128::from(*count) * u128::from(*rate));
    let sum = each.fold(0, u128::saturating_add);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// Prices the models of one provider that fit, as people and programs are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PriceRow {
    /// The provider, by its name in the configuration.
    pub provider: String,
    /// Globs of the models.
    pub models: Vec<String>,
    /// What they cost.
    #[serde(flatten)]
    pub price: Price,
}

/// Lists what models cost; what stands earlier wins.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    pub(super) entries: Vec<Entry>,
}

/// Prices the models of one provider that fit.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) provider: String,
    pub(super) models: Vec<(String, globset::GlobMatcher)>,
    pub(super) price: Price,
}

impl Prices {
    /// Finds what a model costs.
    pub fn of(&self, provider: &str, model: &str) -> Option<&Price> {
        // Most globs are told apart by how they begin, before their expressions are tried.
        let begins = |glob: &str| model.starts_with(glob.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default());
        let fits = |entry: &&Entry| {
            let mut models = entry.models.iter();
            entry.provider == provider && models.any(|(glob, matcher)| begins(glob) && matcher.is_match(model))
        };
        self.entries.iter().find(fits).map(|entry| &entry.price)
    }

    /// Lists the models of a provider that stand here by their full names.
    pub fn names<'p>(&'p self, provider: &'p str) -> impl Iterator<Item = &'p str> {
        let entries = self.entries.iter().filter(move |entry| entry.provider == provider);
        entries.flat_map(|entry| &entry.models).map(|(glob, _)| glob.as_str()).filter(|glob| !glob.contains('*'))
    }

    /// Goes through all prices; the first that fits a model holds.
    pub fn rows(&self) -> impl Iterator<Item = PriceRow> {
        self.entries.iter().map(|entry| PriceRow {
            provider: entry.provider.clone(),
            models: entry.models.iter().map(|(glob, _)| glob.clone()).collect(),
            price: entry.price,
        })
    }

    /// Puts these prices before others.
    #[must_use]
    pub fn over(mut self, others: Self) -> Self {
        self.entries.extend(others.entries);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(input: u64, output: u64) -> Rates {
        Rates { input, cache_read: input / 10, cache_write: input * 5 / 4, cache_write_1h: input * 2, output }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let price = Price::of(rates(4000, 20_000));
        let tokens = Tokens { input: 2000, cache_read: 6000, cache_write: 400, output: 100, ..Tokens::default() };
        assert_eq!(price.cost(&tokens), 8_000_000 + 2_400_000 + 2_000_000 + 2_000_000);
        let tokens = Tokens { cache_write: 400, cache_write_1h: 300, ..Tokens::default() };
        assert_eq!(price.cost(&tokens), 100 * 5000 + 300 * 8000);
        assert_eq!(price.cost(&Tokens { output: 50, reasoning: 40, ..Tokens::default() }), 1_000_000);
    }

    #[test]
    fn a_long_prompt_has_its_own_price_from_the_first_token_over() {
        let price = Price { long: Some((1000, rates(8000, 30_000))), ..Price::of(rates(4000, 20_000)) };
        let read = |input, cache_read| Tokens { input, cache_read, output: 1, ..Tokens::default() };
        assert_eq!(price.cost(&read(1000, 0)), 4_000_000 + 20_000);
        assert_eq!(price.cost(&read(1000, 1)), 8_000_000 + 800 + 30_000);
    }

    #[test]
    fn the_most_a_call_may_cost_takes_the_dearest_way_to_read() {
        let price = Price { long: Some((1000, rates(8000, 10_000))), ..Price::of(rates(4000, 20_000)) };
        assert_eq!(price.cost_max(1000, 10), 1000 * 8000 + 10 * 20_000);
        assert_eq!(price.cost_max(1001, 10), 1001 * 16_000 + 10 * 10_000);
    }

    #[test]
    fn sums_beyond_all_numbers_stay_at_the_largest() {
        let price = Price::of(Rates { input: u64::MAX, output: u64::MAX, ..Rates::default() });
        let tokens = Tokens { input: u64::MAX, output: u64::MAX, ..Tokens::default() };
        assert_eq!(price.cost(&tokens), u64::MAX);
        assert_eq!(price.cost_max(u64::MAX, u64::MAX), u64::MAX);
    }

    proptest::proptest! {
        #[test]
        fn no_call_costs_more_than_it_may(
            input in 0..3000_u64, cache_read in 0..3000_u64, cache_write in 0..3000_u64, cache_write_1h in 0..4000_u64,
            output in 0..3000_u64, over in 0..9000_u64, more in 0..1000_u64, base in 1..100_u64, long in 1..100_u64,
        ) {
            let price = Price { long: Some((over, rates(long, long * 3))), ..Price::of(rates(base, base * 5)) };
            let tokens = Tokens { input, cache_read, cache_write, cache_write_1h, output, reasoning: 0 };
            proptest::prop_assert!(price.cost(&tokens) <= price.cost_max(tokens.read() + more, output + more));
        }
    }
}
