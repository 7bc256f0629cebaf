//! Owns what a scripted worker does to files of its worktree, the current folder. Never asks whether it may.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::part::Step;
use super::player::{Player, Stop};

/// Assertions of common languages, each with its opposite.
const OPPOSITES: [(&str, &str); 8] = [
    ("assert_eq!(", "assert_ne!("),
    ("assert!(", "assert!(!"),
    ("assertEqual(", "assertNotEqual("),
    ("assertEquals(", "assertNotEquals("),
    ("assertTrue(", "assertFalse("),
    (").toBe(", ").not.toBe("),
    (").toEqual(", ").not.toEqual("),
    ("assert ", "assert not "),
];

/// Does a step that changes files.
pub(super) fn change(player: &Player, step: &Step) -> Result<(), Stop> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the player keeps all other steps to itself")]
    match step {
        Step::Replace { path, find, with, optional } => each(player, path.as_deref(), |path| {
            let (find, with) = (player.fill_for(find, path), player.fill_for(with, path));
            let text = if *optional && !Path::new(path).exists() { String::new() } else { read(path)? };
            match text.contains(&find) {
                true => write(path, &text.replace(&find, &with)),
                false if *optional => Ok(()),
                false => Err(Stop::Failed(format!("{path} does not hold {find:?}"))),
            }
        }),
        Step::Append { path, text } => each(player, path.as_deref(), |path| {
            make_folder(path)?;
            let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(on(path))?;
            file.write_all(player.fill_for(text, path).as_bytes()).map_err(on(path))
        }),
        Step::Write { path, text } => each(player, path.as_deref(), |path| write(path, &player.fill_for(text, path))),
        Step::Delete { path } => each(player, path.as_deref(), |path| fs::remove_file(path).map_err(on(path))),
        Step::Chmod { path, mode } => each(player, path.as_deref(), |path| {
            let mode = u32::from_str_radix(mode, 8).map_err(|error| Stop::Failed(error.to_string()))?;
            fs::set_permissions(path, Permissions::from_mode(mode)).map_err(on(path))
        }),
        Step::Symlink { path, target } => {
            let path = player.fill(path);
            make_folder(&path)?;
            symlink(player.fill(target), &path).map_err(on(&path))
        }
        Step::Conflict { path, line, text } => replace_line(&player.fill(path), *line, &player.fill(text)),
        Step::Outside { path } => {
            let beside = "../outside-{attempt}";
            let text = "written outside of what the task owns\n";
            write(&player.fill(path.as_deref().unwrap_or(beside)), text)
        }
        Step::BreakTest { path } => break_test(&player.fill(path)),
        Step::DeleteTest { path, test } => {
            delete_test(&player.fill(path), test.as_deref().map(|test| player.fill(test)).as_deref())
        }
        _ => Ok(()),
    }
}

/// Fails where a file holds a text.
pub(super) fn refuse(path: &str, contains: &str) -> Result<(), Stop> {
    match fs::read_to_string(path) {
        Ok(text) if text.contains(contains) => Err(Stop::Failed(format!("{path} holds {contains:?}"))),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Does something to the named file, or to each that the task owns.
fn each(player: &Player, path: Option<&str>, change: impl Fn(&str) -> Result<(), Stop>) -> Result<(), Stop> {
    if let Some(path) = path {
        return change(&player.fill(path));
    }
    let mut files: Vec<String> = player.brief.paths.files.iter().cloned().collect();
    for folder in &player.brief.paths.folders {
        below(folder, &mut files)?;
    }
    files.sort();
    files.dedup();
    files.iter().try_for_each(|path| change(path))
}

/// Lists the files below a folder of the worktree, but for git's own; an empty name is the whole of it.
fn below(folder: &str, files: &mut Vec<String>) -> Result<(), Stop> {
    let place = if folder.is_empty() { "." } else { folder };
    for entry in fs::read_dir(place).map_err(on(place))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name == ".git" {
            continue;
        }
        if kind.is_dir() {
            below(&format!("{folder}{name}/"), files)?;
        } else if kind.is_file() {
            files.push(format!("{folder}{name}"));
        }
    }
    Ok(())
}

fn replace_line(path: &str, line: usize, text: &str) -> Result<(), Stop> {
    let before = read(path)?;
    let mut lines: Vec<&str> = before.lines().collect();
    let held = lines.len();
    let place = lines
        .get_mut(line.saturating_sub(1))
        .ok_or_else(|| Stop::Failed(format!("{path} has {held} lines, not {line}")))?;
    *place = text;
    write(path, &(lines.join("\n") + "\n"))
}

fn break_test(path: &str) -> Result<(), Stop> {
    let text = read(path)?;
    let known = OPPOSITES.iter().filter_map(|pair| Some((text.find(pair.0)?, pair))).min_by_key(|(at, _)| *at);
    let (_, (assertion, opposite)) =
        known.ok_or_else(|| Stop::Failed(format!("{path} holds no assertion that is known here")))?;
    write(path, &text.replacen(assertion, opposite, 1))
}

fn delete_test(path: &str, test: Option<&str>) -> Result<(), Stop> {
    let Some(test) = test else { return fs::remove_file(path).map_err(on(path)) };
    let text = read(path)?;
    let at = text.find(test).ok_or_else(|| Stop::Failed(format!("{path} does not hold {test:?}")))?;
    let start = text[..at].rfind("\n\n").map_or(0, |gap| gap + 1);
    let end = text[at..].find("\n\n").map_or(text.len(), |gap| at + gap + 1);
    write(path, &format!("{}{}", &text[..start], &text[end..]))
}

fn read(path: &str) -> Result<String, Stop> {
    fs::read_to_string(path).map_err(on(path))
}

fn write(path: &str, text: &str) -> Result<(), Stop> {
    make_folder(path)?;
    fs::write(path, text).map_err(on(path))
}

fn make_folder(path: &str) -> Result<(), Stop> {
    match Path::new(path).parent() {
        Some(folder) => fs::create_dir_all(folder).map_err(on(path)),
        None => Ok(()),
    }
}

fn on(path: &str) -> impl FnOnce(io::Error) -> Stop {
    let path = path.to_owned();
    move |error| Stop::Failed(format!("{path}: {error}"))
}
