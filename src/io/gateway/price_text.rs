//! The written form of the prices, read into [`Prices`] or into the list of all its faults, and the prices that artel
//! brings along. Never opens a file.

use super::prices::{Entry, Price, Prices, Rates};
use crate::model::written::{Fault, Faults, Fields, Node, SIZE_MAX, Value, count, list, read_toml, shown, text};

const FILE: &[&str] = &["as_of", "price"];
const PRICE: &[&str] = &[
    "provider",
    "models",
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "output",
    "output_max",
    "context",
    "long",
];
const LONG: &[&str] = &["over", "input", "cache_read", "cache_write", "cache_write_1h", "output"];
const RATES: &[&str] = &["input", "cache_read", "cache_write", "cache_write_1h", "output"];

/// Dearest token that is believed, in nano-dollars: a dollar.
const RATE_MAX: i64 = 1_000_000_000;
/// Most tokens of one call that are believed.
const TOKENS_MAX: i64 = 1_000_000_000;

impl Prices {
    /// Gives the prices that artel brings along.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub fn built_in() -> Self {
        match Self::from_toml(include_str!("prices.toml")) {
            Ok(prices) => prices,
            Err(faults) => panic!("bug: the built-in prices cannot be read: {faults:?}"),
        }
    }

    /// Reads a price file.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file; never empty.
    pub fn from_toml(file: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        if file.len() > SIZE_MAX {
            faults.add(&(0..0), format!("the file is larger than {} KiB", SIZE_MAX >> 10));
            return faults.unless_any(None);
        }
        let node = read_toml(file, &mut faults);
        let prices = entries(&node, &mut faults);
        faults.unless_any(prices)
    }
}

fn entries(node: &Node, faults: &mut Faults) -> Option<Prices> {
    let mut fields = Fields::open(node, "the price file", FILE, faults)?;
    // The date is for people.
    let _ = fields.take("as_of");
    let mut prices = Prices::default();
    if let Some(node) = fields.take("price") {
        prices.entries = list(node, "`price`", faults).iter().filter_map(|node| entry(node, faults)).collect();
    }
    Some(prices)
}

fn entry(node: &Node, faults: &mut Faults) -> Option<Entry> {
    let mut fields = Fields::open(node, "each `[[price]]`", PRICE, faults)?;
    let provider = fields.take("provider").and_then(|node| text(node, "`provider`", faults));
    let models = fields.take("models").map(|node| model_globs(node, "`models`", faults));
    let rates = rates(&mut fields, "a price", faults);
    let mut price = Price::of(rates?);
    for (name, into) in [("output_max", &mut price.output_max), ("context", &mut price.context)] {
        let read = fields.take(name).and_then(|node| count(node, &format!("`{name}`"), 1..=TOKENS_MAX, faults));
        *into = read.unwrap_or(*into);
    }
    price.long = fields.take("long").and_then(|node| long(node, faults));
    let (Some(provider), Some(models)) = (provider, models) else {
        faults.add_with_help(&fields.at, "a price names no model", "write `provider` and `models`");
        return None;
    };
    Some(Entry { provider, models, price })
}

fn long(node: &Node, faults: &mut Faults) -> Option<(u64, Rates)> {
    let mut fields = Fields::open(node, "`long`", LONG, faults)?;
    let over = fields.take("over").and_then(|node| count(node, "`over`", 1..=TOKENS_MAX, faults));
    if over.is_none() {
        faults.add_with_help(&fields.at, "`long` does not say from where on it holds", "write `over = 200000`");
    }
    Some((over?, rates(&mut fields, "`long`", faults)?))
}

/// Reads the rates of a price; what is not written of reading and writing caches costs what reading costs.
pub(super) fn rates(fields: &mut Fields<'_>, what: &str, faults: &mut Faults) -> Option<Rates> {
    let mut read = RATES.iter().map(|name| {
        let node = fields.take(name)?;
        count::<u64>(node, &format!("`{name}`, in nano-dollars a token,"), 0..=RATE_MAX, faults)
    });
    let [input, cache_read, cache_write, cache_write_1h, output] = std::array::from_fn(|_| read.next().flatten());
    let (Some(input), Some(output)) = (input, output) else {
        let help = "write both in whole nano-dollars a token: 3 dollars a million tokens are 3000";
        faults.add_with_help(&fields.at, format!("{what} lacks `input` or `output`"), help);
        return None;
    };
    let cache_write = cache_write.unwrap_or(input);
    Some(Rates {
        input,
        cache_read: cache_read.unwrap_or(input),
        cache_write,
        cache_write_1h: cache_write_1h.unwrap_or(cache_write),
        output,
    })
}

/// Reads a list of globs over names of models.
pub(super) fn model_globs(node: &Node, what: &str, faults: &mut Faults) -> Vec<(String, globset::GlobMatcher)> {
    let each = format!("each glob of {what}");
    let mut globs = Vec::new();
    for node in list(node, what, faults) {
        let Some(glob) = text(node, &each, faults) else { continue };
        match globset::Glob::new(&glob) {
            Ok(matcher) => globs.push((glob, matcher.compile_matcher())),
            Err(error) => faults.add(&node.at, format!("`{}` is not a glob: {}", shown(&glob), error.kind())),
        }
    }
    if globs.is_empty() && matches!(&node.value, Value::List(nodes) if nodes.is_empty()) {
        faults.add_with_help(&node.at, format!("{what} fits no model"), "write `[\"*\"]` for all");
    }
    globs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_artel_brings_along_can_be_read_and_knows_the_models_of_the_day() {
        let prices = Prices::built_in();
        for (provider, model, input, output) in [
            ("anthropic", "claude-opus-5-5", 4000, 20_000),
            ("anthropic", "claude-sonnet-4-5-20250929", 3000, 15_000),
            ("anthropic", "claude-haiku-4-5", 1000, 5000),
            ("openai", "gpt-5-codex", 1250, 10_000),
            ("openai", "gpt-5-mini-2025-08-07", 250, 2000),
            ("openai", "gpt-6.1-sol", 2000, 10_000),
            ("openai", "gpt-4o-mini", 150, 600),
            ("gemini", "gemini-2.5-pro", 1250, 10_000),
            ("gemini", "gemini-2.5-flash-lite", 100, 400),
        ] {
            let price = prices.of(provider, model).unwrap_or_else(|| panic!("{model}"));
            assert_eq!((price.rates.input, price.rates.output), (input, output), "{model}");
        }
        for model in ["gpt-4o-search-preview", "gpt-9", "claude-opus-9", "claude-opus-5-5x"] {
            assert!(prices.of("openai", model).is_none() && prices.of("anthropic", model).is_none(), "{model}");
        }
        assert!(prices.of("other", "gpt-5").is_none());
        assert!(prices.names("gemini").any(|name| name == "gemini-2.5-pro"));
        for entry in &prices.entries {
            let dear = entry.price.rates.cache_write_1h >= entry.price.rates.input;
            assert!(dear && entry.price.rates.cache_read <= entry.price.rates.input, "{entry:?}");
            assert!(entry.price.long.is_none_or(|(over, long)| over > 0 && long.input >= entry.price.rates.input));
        }
    }

    #[test]
    fn a_users_price_stands_before_what_artel_brings_along() {
        let own = "[[price]]\nprovider = 'openai'\nmodels = ['gpt-5*']\ninput = 1\noutput = 2\n";
        let prices = Prices::from_toml(own).unwrap().over(Prices::built_in());
        let price = prices.of("openai", "gpt-5.1").unwrap();
        assert_eq!(price.rates, Rates { input: 1, cache_read: 1, cache_write: 1, cache_write_1h: 1, output: 2 });
        assert_eq!(prices.of("openai", "gpt-4o").unwrap().rates.input, 2500);
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        for (file, expected) in [
            ("[[price]]\nprovider = 'x'\nmodels = ['*']\ninput = 1.5\noutput = 1", "must be a whole number"),
            ("[[price]]\nprovider = 'x'\nmodels = ['*']\ninput = 1", "lacks `input` or `output`"),
            ("[[price]]\nmodels = ['*']\ninput = 1\noutput = 1", "names no model"),
            ("[[price]]\nprovider = 'x'\nmodels = []\ninput = 1\noutput = 1", "fits no model"),
            ("[[price]]\nprovider = 'x'\nmodels = ['{']\ninput = 1\noutput = 1", "is not a glob"),
            ("[[prices]]\ninput = 1", "has no field `prices`"),
            ("[[price]]\nprovider='x'\nmodels=['*']\ninput=1\noutput=1\nlong={input=1,output=1}", "from where on"),
        ] {
            let faults = Prices::from_toml(file).unwrap_err();
            assert!(faults.iter().any(|fault| fault.what.contains(expected)), "{file}: {faults:?}");
        }
    }
}
