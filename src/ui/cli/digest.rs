//! Owns `artel digest`: what a run, or a stretch of it, came to, on one page.

use clap::Args;

use super::args::RunArg;
use super::digest_text::{Links, markdown, plain};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::seam::{self, Place};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::written::seconds_of;
use crate::ui::web::pages::digest::document;
use crate::views::digest::lay::lay;
use crate::views::digest::{Teller, Window};

/// Tells on one page what a run came to.
#[derive(Debug, Args)]
pub struct DigestArgs {
    #[command(flatten)]
    run: RunArg,
    /// Write Markdown
    #[arg(long, conflicts_with_all = ["html", "json"])]
    md: bool,
    /// Write a page that stands alone, to be printed or sent
    #[arg(long, conflicts_with = "json")]
    html: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// Tell of this last stretch of time alone, such as 90m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = ms_of, conflicts_with = "after")]
    since: Option<i64>,
    /// Tell of what came after an event alone, by its number
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
}

/// Reads a stretch of time, such as `90m`, `24h` or `7d`; gives milliseconds.
fn ms_of(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no stretch of time: write a number and s, m, h or d, such as 24h");
    // A bare number names no unit, and is more likely a slip than seconds.
    let has_unit = text.ends_with(|last: char| !last.is_ascii_digit());
    let s = seconds_of(text).filter(|_| has_unit).ok_or_else(wrong)?;
    i64::try_from(s).ok().and_then(|s| s.checked_mul(1000)).ok_or_else(wrong)
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn digest(out: &Out, args: &DigestArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let run = seam::find(&place, args.run.text())?;
    let since_ms = args.since.map(|ms| seam::now_ms().saturating_sub(ms));
    let mut teller = Teller::new(Window { after: args.after.unwrap_or(0), since_ms });
    let mut state = State::default();
    for recorded in seam::events(&place, &run, 1)? {
        state = evolve(state, &recorded);
        teller.learn(&state, &recorded);
    }
    let Some(digest) = teller.finish(&state) else {
        return Err(Fail::new(Exit::Missing, format!("read run {run}")).because("it is not open"));
    };
    let links = Links { run, server: seam::server(&place) };
    if args.json {
        out.json(&digest)?;
    } else if args.html {
        out.line(&document(&lay(&digest), links.server.as_deref(), &links.run))?;
    } else if args.md {
        out.lines(markdown(&lay(&digest), &links))?;
    } else {
        out.lines(plain(&lay(&digest), &links, out.paint))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inert::is_active;
    use crate::ui::cli::digest_text::without_code;
    use crate::ui::cli::paint::Paint;
    use crate::views::digest::lay::Laid;
    use crate::views::story::{HOSTILE, Story};

    const LIVE: &str = "](http://evil.test) ![x](http://evil.test/x.png) <img src=x onerror=alert(1)> ``` `` @everyone \
        https://evil.test www.evil.test evil@evil.test <!-- $`x`$ | \n\n# evil\n\n[evil]: http://evil.test";

    fn laid(story: &Story) -> (Laid, Links) {
        let mut teller = Teller::new(Window::default());
        let mut state = State::default();
        for recorded in &story.events {
            state = evolve(state, recorded);
            teller.learn(&state, recorded);
        }
        let run = state.opening().run.clone();
        (lay(&teller.finish(&state).unwrap()), Links { run, server: Some("http://127.0.0.1:7433".to_owned()) })
    }

    #[test]
    fn a_digest_is_written_for_a_terminal() {
        let (laid, links) = laid(&Story::incomplete(""));
        insta::assert_snapshot!(plain(&laid, &links, Paint::plain()).join("\n"));
    }

    #[test]
    fn a_digest_is_written_as_markdown() {
        let (laid, links) = laid(&Story::incomplete(""));
        insta::assert_snapshot!(markdown(&laid, &links).join("\n"));
    }

    #[test]
    fn a_digest_is_written_as_a_page_that_stands_alone() {
        let (laid, links) = laid(&Story::incomplete(""));
        insta::assert_snapshot!(document(&laid, None, &links.run).replace("<li>", "\n<li>"));
    }

    #[test]
    fn nothing_that_others_wrote_is_live_in_any_form() {
        for taint in [LIVE, HOSTILE] {
            for story in [Story::incomplete(taint), Story::at_work(taint), Story::done(taint)] {
                let (laid, links) = laid(&story);
                let marked = markdown(&laid, &links);
                assert!(marked.iter().all(|line| line.chars().all(|c| !is_active(c))));
                for line in &marked {
                    let bare = without_code(line);
                    for live in ["evil", "<", "@", "![", "www", "drawkcab"] {
                        assert!(!bare.contains(live), "{live} in {line}");
                    }
                }
                assert!(marked.join("\n").contains(if taint == LIVE { "evil.test" } else { "drawkcab" }));
                let page = document(&laid, links.server.as_deref(), &links.run);
                assert!(page.chars().all(|c| !is_active(c)), "{page}");
                assert!(!page.contains("<img") && !page.contains("href=\"http://evil") && !page.contains("<!--"));
                let text = plain(&laid, &links, Paint::plain());
                assert!(text.iter().flat_map(|line| line.chars()).all(|c| !is_active(c)));
            }
        }
    }

    #[test]
    fn a_stretch_of_time_is_a_number_and_a_unit() {
        for (text, ms) in [("90s", 90_000), ("2m", 120_000), ("24h", 86_400_000), ("7d", 604_800_000)] {
            assert_eq!(ms_of(text), Ok(ms));
        }
        for text in ["", "h", "24", "-1h", "1.5h", "+1h", "1w", "99999999999999999999d", "9223372036854775807d", "1ħ"]
        {
            assert!(ms_of(text).is_err(), "{text}");
        }
    }
}
