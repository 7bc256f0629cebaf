//! Owns `artel prices`: what models cost, as calls to them are priced.

use clap::Args;

use super::args::Format;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam;
use crate::io::gateway::PriceRow;
use crate::model::inert::fit;
use crate::model::spend::Usd;

/// Shows what models cost.
#[derive(Debug, Args)]
pub struct PricesArgs {
    /// Only models whose names hold this
    #[arg(value_name = "TEXT")]
    model: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where the user's own price file is faulty or cannot be read.
pub fn prices(out: &Out, args: &PricesArgs) -> Result<Exit, Fail> {
    let mut rows = seam::prices()?;
    if let Some(wanted) = &args.model {
        rows.retain(|row| row.models.iter().any(|model| model.contains(wanted.as_str())));
    }
    if args.format.json {
        out.json(&rows)?;
    } else {
        out.lines(lines(&rows, out.width, out.paint))?;
    }
    Ok(Exit::Done)
}

/// Writes prices as a table, in dollars a million tokens.
pub fn lines(rows: &[PriceRow], width: usize, paint: Paint) -> Vec<String> {
    if rows.is_empty() {
        return vec!["no such model has a price: `prices.toml` in the state directory may name one".to_owned()];
    }
    let mut table = Columns::indented(0);
    table.headings(&["provider", "in", "cached", "kept", "out", "models"]);
    for row in rows {
        let a_million = |nano_usd: u64| Cell::number(Usd(nano_usd.saturating_mul(1_000_000)));
        table.row([
            Cell::new(&row.provider).hue(Hue::Strong),
            a_million(row.price.rates.input),
            a_million(row.price.rates.cache_read),
            a_million(row.price.rates.cache_write),
            a_million(row.price.rates.output),
            Cell::new(row.models.join(", ")).hue(Hue::Faint),
        ]);
    }
    let mut lines = table.lines(width, paint);
    let note = "dollars a million tokens; the first row that fits a model holds";
    lines.push(paint.on(Hue::Faint, &fit(note, width)));
    lines
}
