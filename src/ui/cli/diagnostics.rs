//! Owns how the faults of a written file are shown to a person. Never finds one.

use std::fmt::Write;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError, Report, SourceCode, SourceSpan,
    SpanContents,
};

use crate::io::roles::Refused;
use crate::model::written::Fault;

/// Faults that are drawn; the others are counted.
const DRAWN_MAX: usize = 50;

/// Says how much a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Colours and line-drawing characters.
    Fancy,
    /// ASCII without colours, for pipes, logs and screen readers.
    Plain,
}

/// Draws the faults of a file, each with `file:line:column`, its line, a caret and help, and counts them.
pub fn render(name: &str, text: &str, faults: &[Fault], look: Look) -> String {
    let text = printable(text);
    let name = printable(name).replace('\n', "?");
    let handler = match look {
        Look::Fancy => GraphicalReportHandler::new_themed(GraphicalTheme::unicode()),
        Look::Plain => GraphicalReportHandler::new_themed(GraphicalTheme::none()),
    };
    let handler = handler.with_width(110).with_context_lines(0).with_links(false).without_syntax_highlighting();
    let mut drawn = String::new();
    for fault in faults.iter().take(DRAWN_MAX) {
        if !drawn.is_empty() {
            drawn.push('\n');
        }
        let report = report(&name, &text, fault);
        if handler.render_report(&mut drawn, report.as_ref()).is_err() {
            let (line, column) = line_and_column(&text, fault.at.start);
            let _ = writeln!(drawn, "{name}:{line}:{column}: {}", fault.what);
        }
    }
    let count = match faults.len() {
        1 => "1 fault".to_owned(),
        more => format!("{more} faults"),
    };
    let more = match faults.len().saturating_sub(DRAWN_MAX) {
        0 => String::new(),
        hidden => format!("; {hidden} of them not shown"),
    };
    let lines = drawn.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    format!("{lines}\n\n{count} in {name}{more}\n")
}

/// Draws all that was refused of a run's roles, one file or setting after another.
pub fn render_refused(refused: &[Refused], look: Look) -> String {
    let drawn = refused.iter().map(|one| render(&one.name, &one.text, &one.faults, look));
    drawn.collect::<Vec<_>>().join("\n")
}

/// Finds the line and the column, each from 1, of a place; columns count characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].trim_start_matches('\u{feff}').chars().count() + 1)
}

fn report(name: &str, text: &str, fault: &Fault) -> Report {
    let (line, column) = line_and_column(text, fault.at.start);
    let mut diagnostic = MietteDiagnostic::new(format!("{name}:{line}:{column}: {}", printable(&fault.what)))
        .with_label(LabeledSpan::underline(fault.at.clone()));
    if let Some(help) = &fault.help {
        diagnostic = diagnostic.with_help(printable(help));
    }
    Report::new(diagnostic).with_source_code(WholeLines(text.to_owned()))
}

/// Shows the whole line that a place lies in, where miette alone shows the place cut out of it.
struct WholeLines(String);

impl SourceCode for WholeLines {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = &self.0;
        let start = text.floor_char_boundary(span.offset().min(text.len()));
        let start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let last = text.floor_char_boundary((span.offset() + span.len()).min(text.len())).max(start);
        let end = text[last..].find('\n').map_or(text.len(), |end| last + end);
        text.read_span(&(start..end).into(), 0, 0)
    }
}

/// Puts harmless characters of the same length in bytes for what would steer a terminal or reorder its text.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c.to_string(),
            '\u{feff}' => "\u{feff}".to_owned(),
            '\r' => " ".to_owned(),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => "\u{fffd}".to_owned(),
            _ if c.is_control() => "?".repeat(c.len_utf8()),
            _ => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::roles::{Roles, RolesError};
    use crate::model::{config_text, goal_text};

    fn goal(text: &str) -> String {
        render("goal.md", text, &goal_text::read(text).unwrap_err(), Look::Plain)
    }

    #[test]
    fn all_faults_of_a_goal_are_drawn_where_they_stand() {
        insta::assert_snapshot!(goal(
            "---\nname: try-to-question-mark\ndone:\n  - cargo test\n  - name: no try! is left\n    query: { regex: 'try!(' }\n\
             plan: { by: folders, files_per_task: none }\nbudgte: { wall: 2h }\nbudget: { wall: tomorrow }\n\
             owns: src\nnever: ['src/[']\nlanding: { policy: budgeted }\napprove: [sweep]\n---\nReplace `try!`.\n"
        ));
    }

    #[test]
    fn a_goal_without_a_condition_is_shown_one() {
        insta::assert_snapshot!(goal("---\nname: better code\n---\nMake it better.\n"));
    }

    #[test]
    fn a_goal_without_front_matter_is_shown_one() {
        insta::assert_snapshot!(goal("Make it better.\n"));
    }

    #[test]
    fn what_is_not_yaml_is_drawn_where_it_breaks() {
        insta::assert_snapshot!(goal("---\nname: x\ndone:\n\t- cargo test\n---\nDo it.\n"));
    }

    #[test]
    fn faults_of_the_configuration_are_drawn_where_they_stand() {
        let text = "workers = 'all'\n[tests.rust]\nskip = '('\ntset = 'x'\n";
        insta::assert_snapshot!(render("artel.toml", text, &config_text::read(text).unwrap_err(), Look::Plain));
    }

    #[test]
    fn a_byte_order_mark_and_crlf_move_no_column() {
        let shown = goal("\u{feff}---\r\nname: x\r\ndone: [cargo test]\r\nbudgte: {}\r\n---\r\nDo it.\r\n");
        assert!(shown.contains("goal.md:4:1"), "{shown}");
        assert_eq!(line_and_column("\u{feff}äb", 5), (1, 2));
    }

    #[test]
    fn nothing_in_a_file_steers_the_terminal() {
        let shown =
            goal("---\nna\u{1b}]0;x\u{7}me: x\ndone: [\u{9b}2J\u{202e}\u{202e}]\nbad\u{1b}[2J: 1\n---\nDo it.\n");
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{shown}");
    }

    #[test]
    fn a_setting_of_a_role_is_drawn_like_a_file() {
        let settings = ["worker.limits.wal_s=60".to_owned(), "wroker.prompt=x".to_owned()];
        let Err(RolesError::Refused(refused)) = Roles::load(None, &settings) else { panic!("refused") };
        insta::assert_snapshot!(render_refused(&refused, Look::Plain));
    }

    #[test]
    fn a_terminal_is_given_colours_and_the_same_words() {
        let text = "wrokers = 1\n";
        let faults = config_text::read(text).unwrap_err();
        let (fancy, plain) =
            (render("artel.toml", text, &faults, Look::Fancy), render("artel.toml", text, &faults, Look::Plain));
        assert!(fancy.contains('\u{1b}') && !plain.contains('\u{1b}') && plain.is_ascii(), "{fancy}{plain}");
        assert!(fancy.contains("`artel.toml` has no field `wrokers`"), "{fancy}");
    }

    #[test]
    fn many_faults_are_counted() {
        let text: String = (0..80).map(|n| format!("x{n} = 1\n")).collect();
        let shown = render("artel.toml", &text, &config_text::read(&text).unwrap_err(), Look::Plain);
        assert!(shown.ends_with("80 faults in artel.toml; 30 of them not shown\n"), "{shown}");
    }
}
