//! Owns colour: what each hue means, and whether there is any. Never decides what is said.

use clap::ValueEnum;
use console::Style;

use crate::views::line::Tone;

/// Says whether output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Names what a text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hue {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Landed, green, done.
    Good,
    /// Failed, kept, red.
    Bad,
    /// Worth a look.
    Warning,
    /// Under way.
    Busy,
    /// Beside the point.
    Faint,
    /// A heading or a name.
    Strong,
}

/// Colours text, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// Never colours.
    pub fn plain() -> Self {
        Self { is_on: false }
    }

    /// Chooses by what the user wants and where the output goes.
    pub fn choose(color: Color, is_terminal: bool) -> Self {
        let env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_on = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && env("NO_COLOR").is_none() && env("TERM").is_none_or(|term| term != "dumb"),
        };
        Self { is_on }
    }

    /// Tells whether there is colour.
    pub fn is_on(self) -> bool {
        self.is_on
    }

    /// Colours a text.
    pub fn on(self, hue: Hue, text: &str) -> String {
        if !self.is_on || text.is_empty() {
            return text.to_owned();
        }
        let style = match hue {
            Hue::Plain => return text.to_owned(),
            Hue::Good => Style::new().green(),
            Hue::Bad => Style::new().red(),
            Hue::Warning => Style::new().yellow(),
            Hue::Busy => Style::new().cyan(),
            Hue::Faint => Style::new().dim(),
            Hue::Strong => Style::new().bold(),
        };
        style.force_styling(true).apply_to(text).to_string()
    }
}

/// Gives the hue of a task's state, by its word.
pub fn of_status(word: &str) -> Hue {
    match word {
        "landed" => Hue::Good,
        "kept" | "blocked" => Hue::Bad,
        "gated" => Hue::Warning,
        "running" | "judging" | "queued" => Hue::Busy,
        "reverted" | "dropped" => Hue::Warning,
        "waiting" | "nothing" => Hue::Faint,
        _ => Hue::Plain,
    }
}

/// Gives the hue of a line's tone.
pub fn of_tone(tone: Tone) -> Hue {
    match tone {
        Tone::Plain => Hue::Plain,
        Tone::Good => Hue::Good,
        Tone::Bad => Hue::Bad,
        Tone::Warning => Hue::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_nothing_is_added() {
        assert_eq!(Paint::plain().on(Hue::Bad, "red"), "red");
        assert_eq!(Paint::choose(Color::Auto, false).on(Hue::Bad, "red"), "red");
        assert_eq!(Paint::choose(Color::Always, false).on(Hue::Bad, "red"), "\x1b[31mred\x1b[0m");
        assert!(!Paint::choose(Color::Never, true).is_on());
    }
}
