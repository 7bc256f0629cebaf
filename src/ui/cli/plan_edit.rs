//! Owns the editing of a plan that waits for a person's word: in an editor, from a file, or printed. Never says whether
//! an edit is sound: the run does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::args::Format;
use super::asking::put_and_tell;
use super::diagnostics::{Look, render};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::{Read, read};
use super::seam::Place;
use crate::machine::command::Ask;
use crate::model::ids::RunId;
use crate::model::inert::inert_lines;
use crate::model::plan_edit::PlanEdit;
use crate::model::plan_text::{self, SIZE_MAX};
use crate::views::plan_draft::plan_draft;

/// Bytes of a plan that are read: one more than it may have, so that a longer one is refused and never cut.
const BYTES_AT_MOST: u64 = SIZE_MAX as u64 + 1;

/// Says where the edited plan comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The user's editor.
    Editor,
    /// A file; `-` is the standard input.
    File(&'a Path),
    /// Nowhere: the plan is printed as it would be edited.
    Print,
}

/// Has another plan run than the one that waits.
///
/// # Errors
/// Where no plan waits, the edit cannot be read, or the run refuses it.
pub fn edit(out: &Out, run: Option<&str>, source: Source, format: Format) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let found = read(&place, run)?;
    let plan = plan_draft(&found.state).ok_or_else(|| {
        Fail::new(Exit::Refused, format!("edit the plan of {}", found.run))
            .because("no plan of it waits for a word")
            .hint("a goal with `plan: { approval: required }` has its plan wait before it starts")
    })?;
    match source {
        Source::Print if format.json => out.json(&plan)?,
        Source::Print => out.raw(inert_lines(&plan_text::write(&plan)).as_bytes())?,
        Source::File(path) => {
            let text = text_of(path)?;
            return taken(out, &place, (&found, &plan), (&path.display().to_string(), &text), format);
        }
        Source::Editor => {
            let path = written(&found.run, &plan)?;
            let kept = |fail: Fail| {
                fail.hint(format!("your edit stays: `artel plan {} --from {}`", found.run, path.display()))
            };
            let text = edited(&path).map_err(kept)?;
            let name = path.display().to_string();
            let exit = taken(out, &place, (&found, &plan), (&name, &text), format).map_err(kept)?;
            // A file that stays behind harms nobody.
            let _ = fs::remove_file(&path);
            return Ok(exit);
        }
    }
    Ok(Exit::Done)
}

/// Reads an edited plan and asks for it to be run; an empty one changes nothing.
fn taken(
    out: &Out,
    place: &Place,
    (found, plan): (&Read, &PlanEdit),
    (name, text): (&str, &str),
    format: Format,
) -> Result<Exit, Fail> {
    let is_empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let wanted = if is_empty { plan.clone() } else { parsed(name, text)? };
    if wanted == *plan {
        out.line("nothing is changed")?;
        return Ok(Exit::Done);
    }
    let told = format!("the plan is edited: `artel approve plan --run {}` lets it run", found.run);
    put_and_tell(out, place, found, Ask::EditPlan(wanted), &told, format)
}

fn parsed(name: &str, text: &str) -> Result<PlanEdit, Fail> {
    let faulty = |faults: Vec<_>| Fail::rendered(Exit::Faulty, render(name, text, &faults, Look::Plain));
    plan_text::read(text).map_err(faulty)
}

fn text_of(path: &Path) -> Result<String, Fail> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(BYTES_AT_MOST).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(BYTES_AT_MOST).read_to_string(&mut text))
    };
    read.map_err(|error| Fail::new(Exit::Trouble, format!("read {}", path.display())).because(error))?;
    Ok(text)
}

/// Writes the plan into a file of its own that nobody else reads.
fn written(run: &RunId, plan: &PlanEdit) -> Result<PathBuf, Fail> {
    let path = std::env::temp_dir().join(format!("artel-plan-{run}-{:08x}.yml", fastrand::u32(..)));
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let done = file.and_then(|mut file| file.write_all(plan_text::write(plan).as_bytes()));
    done.map_err(|error| Fail::new(Exit::Trouble, format!("write {}", path.display())).because(error))?;
    Ok(path)
}

/// Has a file edited in the user's editor.
fn edited(path: &Path) -> Result<String, Fail> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).ok_or_else(|| {
        Fail::new(Exit::Trouble, "open an editor")
            .because("no editor is named")
            .hint(format!("set EDITOR, or change {0} and give it with `artel plan --from {0}`", path.display()))
    })?;
    // What is set may hold arguments of its own, as git has it.
    let line = format!("{editor} \"$1\"");
    let ended = std::process::Command::new("sh").args(["-c", &line, "sh"]).arg(path).status();
    let failed = || Fail::new(Exit::Trouble, format!("edit {}", path.display()));
    let status = ended.map_err(|error| failed().because(error))?;
    if !status.success() {
        return Err(failed().because(format!("`{editor}` ended with {status}; nothing is changed")));
    }
    text_of(path)
}
