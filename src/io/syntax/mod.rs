//! What source code says: its language, whether it parses, what a rule matches, which strings and tests it holds.
//! Works on bytes in memory; never reads or writes a file.

mod language;
mod rules;
mod scan;
mod pass;
mod form;
mod census;
mod outline;
mod paint;

pub use census::{TestCensus, TestCensusError, count_skips, count_tests};
pub use form::{has_conflict_markers, literals, parse_errors};
pub use language::{Lang, Skipped, language_of};
pub use outline::{Import, Outline, Symbol, outline};
pub use paint::{Hue, paint};
pub use pass::{Pass, rewrite_once};
pub use rules::{RuleError, Rules};
pub use scan::{Match, scan};
