//! Owns how the live view lies on a terminal of any size: the head above, sections beside or below each other as far as
//! there is room, what is asked and the keys below. Never decides what is shown.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::sheet::{Row, Section, head, sections};
use super::subject::Subject;
use super::view::{Mode, View};
use crate::model::inert::{fit, inert, width_of};
use crate::ui::cli::columns::Pieces;
use crate::ui::cli::paint::Hue;
use crate::views::board::Board;
use crate::views::cost::Cost;

/// From how many columns on sections stand in two columns.
const TWO_COLUMNS: u16 = 130;
/// Blanks between the two.
const GUTTER: u16 = 2;
/// Lines of a section, its title among them, that are enough while others have fewer.
const ENOUGH: u16 = 7;
/// Rows below the sections: what is said, and the keys.
const FOOT: u16 = 2;

/// Draws the view over the whole frame.
pub fn draw(frame: &mut Frame<'_>, board: &Board, cost: &Cost, view: &View, has_colour: bool) {
    let area = frame.area();
    let mut page = Page { frame, has_colour };
    let head = head(board, cost, usize::from(area.width));
    let mut y = area.y;
    let end = area.bottom().saturating_sub(FOOT);
    for line in &head {
        if y < end {
            page.line(area.x, y, area.width, line, Style::new());
            y += 1;
        }
    }
    let body = Rect { y, height: end.saturating_sub(y), ..area };
    if view.mode == Mode::Help {
        page.help(body, view);
    } else if area.width >= TWO_COLUMNS {
        let width = (area.width - GUTTER) / 2;
        let (right, left): (Vec<_>, Vec<_>) =
            sections(board, usize::from(width)).into_iter().partition(|section| section.is_right);
        page.sections(Rect { width, ..body }, &left, view.chosen);
        page.sections(Rect { x: body.x + width + GUTTER, width, ..body }, &right, view.chosen);
    } else {
        page.sections(body, &sections(board, usize::from(area.width)), view.chosen);
    }
    page.foot(area, view);
}

/// Draws on a frame.
struct Page<'a, 'f> {
    frame: &'a mut Frame<'f>,
    has_colour: bool,
}

impl Page<'_, '_> {
    fn line(&mut self, x: u16, y: u16, width: u16, pieces: &Pieces, style: Style) {
        let spans = pieces.iter().map(|(hue, text)| Span::styled(text.as_str(), self.style(*hue).patch(style)));
        let line = Line::from(spans.collect::<Vec<_>>());
        self.frame.buffer_mut().set_line(x, y, &line, width);
    }

    fn style(&self, hue: Hue) -> Style {
        let style = Style::new();
        match hue {
            Hue::Plain => style,
            Hue::Faint => style.add_modifier(Modifier::DIM),
            Hue::Strong => style.add_modifier(Modifier::BOLD),
            Hue::Good | Hue::Bad | Hue::Warning | Hue::Busy if !self.has_colour => style,
            Hue::Good => style.fg(Color::Green),
            Hue::Bad => style.fg(Color::Red),
            Hue::Warning => style.fg(Color::Yellow),
            Hue::Busy => style.fg(Color::Cyan),
        }
    }

    fn sections(&mut self, area: Rect, all: &[Section], chosen: Option<Subject>) {
        let height = |section: &Section| u16::try_from(section.rows.len()).unwrap_or(u16::MAX).saturating_add(1);
        let wants: Vec<u16> = all.iter().map(height).collect();
        let mut y = area.y;
        for (section, height) in all.iter().zip(allot(&wants, area.height)) {
            if height > 0 {
                self.section(Rect { y, height, ..area }, section, chosen);
                y += height;
            }
        }
    }

    fn section(&mut self, area: Rect, section: &Section, chosen: Option<Subject>) {
        let room = usize::from(area.height - 1);
        let is_chosen = |row: &Row| row.subject.zip(chosen).is_some_and(|(one, other)| one.is_about(other));
        let (from, shown) = window(section.rows.len(), room, section.rows.iter().position(is_chosen));
        let hidden = section.rows.len() - shown;
        let mut title = section.title.clone();
        if hidden > 0 && shown == room {
            // Where no line is left to say so, the title does.
            title.push_str(&format!(", {hidden} more"));
        }
        let rule = "─".repeat(usize::from(area.width).saturating_sub(width_of(&title) + 4));
        let pieces = vec![(Hue::Faint, "── ".to_owned()), (Hue::Strong, title), (Hue::Faint, format!(" {rule}"))];
        self.line(area.x, area.y, area.width, &pieces, Style::new());
        let mut y = area.y + 1;
        for row in section.rows.iter().skip(from).take(shown) {
            if is_chosen(row) {
                let mut pieces = row.pieces.clone();
                // The mark stands where the row is set in.
                if let Some((_, indent)) = pieces.first_mut() {
                    *indent = format!("▸{}", indent.get(1..).unwrap_or_default());
                }
                self.line(area.x, y, area.width, &pieces, Style::new().add_modifier(Modifier::REVERSED));
            } else {
                self.line(area.x, y, area.width, &row.pieces, Style::new());
            }
            y += 1;
        }
        if hidden > 0 && shown < room {
            self.line(area.x, y, area.width, &vec![(Hue::Faint, format!("  … and {hidden} more"))], Style::new());
        }
    }

    fn help(&mut self, area: Rect, view: &View) {
        let title = vec![(Hue::Strong, "keys".to_owned())];
        let rows = view.help().map(|(key, words)| {
            let words = fit(words, usize::from(area.width).saturating_sub(12));
            vec![(Hue::Busy, format!("  {key:<9} ")), (Hue::Plain, words)]
        });
        let away = vec![(Hue::Faint, "any key closes this".to_owned())];
        for (y, line) in (area.y..area.bottom()).zip([title].iter().chain(&rows).chain([&away])) {
            self.line(area.x, y, area.width, line, Style::new());
        }
    }

    fn foot(&mut self, area: Rect, view: &View) {
        if area.height < FOOT {
            return;
        }
        if let Some((hue, text)) = view.prompt() {
            let width = usize::from(area.width);
            // Of what is typed, the end is what a person looks at.
            let is_typed = matches!(view.mode, Mode::Typing(..));
            let text = if is_typed { end_of(&inert(&text), width) } else { fit(&text, width) };
            self.line(area.x, area.bottom() - 2, area.width, &vec![(hue, text)], Style::new());
        }
        let keys = fit(view.keys(), usize::from(area.width));
        self.line(area.x, area.bottom() - 1, area.width, &vec![(Hue::Faint, keys)], Style::new());
    }
}

/// Gives as much of the end of a line as fits.
fn end_of(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars().rev() {
        let longer = format!("{c}{kept}");
        if width_of(&longer) + 1 > width {
            break;
        }
        kept = longer;
    }
    format!("…{kept}")
}

/// Says from which row on, and how many, are shown of a list so that the chosen one is among them; where some are not,
/// a line is left to say so.
fn window(rows: usize, room: usize, chosen: Option<usize>) -> (usize, usize) {
    if rows <= room {
        return (0, rows);
    }
    let shown = if room > 1 { room - 1 } else { room };
    let from = chosen.map_or(0, |at| (at + 1).saturating_sub(shown));
    (from, shown)
}

/// Gives each section the height that it gets: a title and one row each, the most pressing first; then what makes a section
/// worth a look; then what is left of the room.
fn allot(wants: &[u16], room: u16) -> Vec<u16> {
    let (mut left, mut given) = (room, vec![0; wants.len()]);
    for most in [2, ENOUGH, u16::MAX] {
        for (gets, want) in given.iter_mut().zip(wants) {
            // A title alone says nothing.
            let more = (*want).min(most).saturating_sub(*gets).min(left);
            if *gets > 0 || more > 1 {
                *gets += more;
                left -= more;
            }
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sections_fill_the_room_and_never_pass_it(
            wants in proptest::collection::vec(2_u16..40, 0..8), room in 0_u16..80
        ) {
            let given = allot(&wants, room);
            let sum: u16 = given.iter().sum();
            prop_assert!(sum <= room);
            prop_assert!(given.iter().zip(&wants).all(|(gets, want)| gets <= want && *gets != 1));
            let wanted: u16 = wants.iter().sum();
            prop_assert!(sum == wanted.min(room) || given.contains(&0), "{:?}", given);
        }

        #[test]
        fn the_chosen_row_is_always_shown(rows in 1_usize..50, room in 1_usize..20, at in 0_usize..50) {
            let at = at.min(rows - 1);
            let (from, shown) = window(rows, room, Some(at));
            prop_assert!(from <= at && at < from + shown && from + shown <= rows, "{from} {shown}");
            prop_assert!(shown <= room);
        }
    }

    #[test]
    fn of_a_long_line_the_end_is_shown() {
        assert_eq!(end_of("abc", 3), "abc");
        assert_eq!(end_of("abcdef", 4), "…def");
        assert_eq!(end_of("漢字漢字", 5), "…漢字");
    }
}
