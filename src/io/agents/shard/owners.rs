//! Owns splitting by owner: how a CODEOWNERS file is read, and which of its lines a path belongs to. Never asks whether
//! an owner exists.

use std::collections::{BTreeMap, BTreeSet};

use super::ShardError;
use super::split::{Group, Groups, group};

/// Where CODEOWNERS files are looked for; the first one counts.
const PLACES: [&str; 4] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];
/// Largest CODEOWNERS file that is read, in bytes; GitHub's own bound.
const BYTES_MAX: usize = 3 << 20;
/// Lines that cannot be read and are named one by one.
const NAMED_MAX: usize = 20;
/// Longest key of a group, in characters.
const KEY_MAX: usize = 120;
/// The group of what nobody owns; an owner's name holds an `@`.
const UNOWNED: &str = "unowned";

/// Splits by the owners that CODEOWNERS names; what several own together is a group of its own.
pub(super) fn split(files: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Result<Groups, ShardError> {
    let found = PLACES.into_iter().find_map(|path| Some((path, read(path)?)));
    let (path, text) = found.ok_or(ShardError::NoOwners)?;
    if text.len() > BYTES_MAX {
        return Err(ShardError::OwnersTooLarge { path, bytes: text.len(), max: BYTES_MAX });
    }
    let owners = Owners::parse(path, &text);
    let mut by_owner: BTreeMap<&BTreeSet<String>, Vec<&str>> = BTreeMap::new();
    let nobody = BTreeSet::new();
    for file in files {
        by_owner.entry(owners.of(file).unwrap_or(&nobody)).or_default().push(file);
    }
    let unowned = by_owner.remove(&nobody);
    let mut groups: Vec<Group> = by_owner.iter().map(|(owners, files)| group_of(owners, files)).collect();
    groups.extend(unowned.map(|files| group(UNOWNED, UNOWNED, &files)));
    Ok(Groups { groups, notes: owners.notes })
}

fn group_of(owners: &BTreeSet<String>, files: &[&str]) -> Group {
    let names = owners.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    if names.len() <= KEY_MAX {
        return group(&names, &names, files);
    }
    let key = format!("{}…{}", &names[..KEY_MAX / 2], super::chunks::fingerprint(&[names.as_str()]));
    group(&key, &format!("{} owners: {names}", owners.len()), files)
}

/// Holds the lines of a CODEOWNERS file, so that few of them are tried on a path.
#[derive(Debug, Default)]
struct Owners {
    lines: Vec<(Vec<Part>, BTreeSet<String>)>,
    /// Numbers of lines in rising order, by what a path must have for them to match.
    by_mark: BTreeMap<Mark, Vec<usize>>,
    notes: Vec<String>,
}

/// Says what a path must have for a line to match it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    /// This file or folder, from the root.
    Path(String),
    /// This name in some place.
    Name(String),
    /// A name in some place with this after its last dot.
    Ending(String),
    /// Nothing that is quickly looked up.
    Nothing,
}

impl Mark {
    fn of(pattern: &[Part]) -> Self {
        match pattern {
            [Part::Name(_), ..] => {
                let literal = |part: &Part| match part {
                    Part::Any => None,
                    Part::Name(glyphs) => text(glyphs),
                };
                let names: Vec<String> = pattern.iter().map_while(literal).collect();
                if names.is_empty() { Self::Nothing } else { Self::Path(names.join("/")) }
            }
            [Part::Any, Part::Name(glyphs), ..] => {
                let after_dot = || glyphs.rsplit(|glyph| *glyph == Glyph::Char('.')).next().and_then(text);
                let has_dot = glyphs.contains(&Glyph::Char('.'));
                text(glyphs)
                    .map(Self::Name)
                    .or_else(|| after_dot().filter(|_| has_dot).map(Self::Ending))
                    .unwrap_or(Self::Nothing)
            }
            [Part::Any, ..] | [] => Self::Nothing,
        }
    }

    /// Lists all marks that a path has.
    fn all_of(path: &str) -> impl Iterator<Item = Self> {
        let names = path.split('/').map(|name| Self::Name(name.to_owned()));
        let endings = path.split('/').filter_map(|name| Some(Self::Ending(name.rsplit_once('.')?.1.to_owned())));
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let paths = ends.map(|end| Self::Path(path[..end].to_owned()));
        paths.chain(names).chain(endings).chain([Self::Nothing])
    }
}

/// Gives the text that glyphs stand for where they stand for one only.
fn text(glyphs: &[Glyph]) -> Option<String> {
    let char = |glyph: &Glyph| match glyph {
        Glyph::Char(c) => Some(*c),
        Glyph::One | Glyph::Star => None,
    };
    glyphs.iter().map(char).collect()
}

impl Owners {
    fn parse(path: &str, text: &str) -> Self {
        let mut owners = Self::default();
        let mut of_section = BTreeSet::new();
        let mut unread = 0;
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            match Line::parse(line) {
                Line::Nothing => {}
                Line::Section(defaults) => of_section = defaults,
                Line::Rule(pattern, names) if names.is_empty() => owners.add(pattern, of_section.clone()),
                Line::Rule(pattern, names) => owners.add(pattern, names),
                Line::Unreadable(why) => {
                    unread += 1;
                    if unread <= NAMED_MAX {
                        owners.notes.push(format!("{path}:{}: {why}; the line is passed over", number + 1));
                    }
                }
            }
        }
        if unread > NAMED_MAX {
            owners.notes.push(format!("{path}: {} more lines are passed over", unread - NAMED_MAX));
        }
        owners
    }

    fn add(&mut self, pattern: Vec<Part>, owners: BTreeSet<String>) {
        self.by_mark.entry(Mark::of(&pattern)).or_default().push(self.lines.len());
        self.lines.push((pattern, owners));
    }

    /// Finds whom the last matching line names; none where no line matches.
    fn of(&self, path: &str) -> Option<&BTreeSet<String>> {
        let parts: Vec<Vec<char>> = path.split('/').map(|part| part.chars().collect()).collect();
        let mut best = None;
        for lines in Mark::all_of(path).filter_map(|mark| self.by_mark.get(&mark)) {
            let better = lines.iter().rev().take_while(|line| Some(**line) > best);
            best = better.copied().find(|line| matches(&self.lines[*line].0, &parts)).or(best);
        }
        let line = best?;
        Some(&self.lines[line].1)
    }
}

/// Says what one line of a CODEOWNERS file is.
enum Line {
    Nothing,
    /// A heading of GitLab's, with the owners of those of its lines that name none.
    Section(BTreeSet<String>),
    Rule(Vec<Part>, BTreeSet<String>),
    Unreadable(&'static str),
}

impl Line {
    fn parse(line: &str) -> Self {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Self::Nothing;
        }
        if let Some(heading) = line.strip_prefix('^').unwrap_or(line).strip_prefix('[') {
            let Some((_, rest)) = heading.split_once(']') else {
                return Self::Unreadable("a heading that does not end");
            };
            // The number of approvals that a heading may ask for.
            let rest = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |(_, rest)| rest);
            return names(rest).map_or(Self::Unreadable("not a heading with owners"), Self::Section);
        }
        let (pattern, rest) = line.split_at(end_of_pattern(line));
        if pattern.starts_with('!') {
            return Self::Unreadable("`!` has no meaning in CODEOWNERS");
        }
        let Some(names) = names(rest) else { return Self::Unreadable("what follows the pattern is not an owner") };
        match parts(pattern) {
            Some(parts) => Self::Rule(parts, names),
            None => Self::Unreadable("the pattern matches nothing"),
        }
    }
}

fn end_of_pattern(line: &str) -> usize {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c.is_whitespace() && !escaped {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    line.len()
}

/// Reads owners up to a comment: `@user`, `@org/team`, `name@example.com`; none where one of them is none of these.
fn names(text: &str) -> Option<BTreeSet<String>> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "@/._%+-".contains(c);
    let is_owner =
        |name: &str| name.contains('@') && !name.ends_with('@') && !name.contains("//") && name.chars().all(allowed);
    text.split_whitespace()
        .take_while(|name| !name.starts_with('#'))
        .map(|name| is_owner(name).then(|| name.to_owned()))
        .collect()
}

/// Stands for part of a pattern between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`: any number of folders.
    Any,
    /// One file or folder.
    Name(Vec<Glyph>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glyph {
    /// This character.
    Char(char),
    /// `?`: one character.
    One,
    /// `*`: any number of characters.
    Star,
}

/// Reads a pattern into parts that match a whole path from the root; none where it can match nothing.
fn parts(pattern: &str) -> Option<Vec<Part>> {
    let anchored = pattern.starts_with('/');
    let body = pattern.trim_start_matches('/');
    let folder = body.ends_with('/');
    let body = body.trim_end_matches('/');
    if body.is_empty() {
        return None;
    }
    let texts: Vec<&str> = body.split('/').filter(|part| !part.is_empty()).collect();
    let mut parts: Vec<Part> = texts.iter().map(|text| part(text)).collect();
    if texts.len() == 1 && !anchored && parts[0] != Part::Any {
        parts.insert(0, Part::Any);
    }
    let star = Part::Name(vec![Glyph::Star]);
    match parts.last()? {
        // `foo/` and `foo/**` are what lies in `foo`, not a file called so.
        Part::Any => parts.push(star),
        Part::Name(_) if folder => parts.extend([star, Part::Any]),
        // `docs/*` is what lies right in `docs`, and not what lies in folders there.
        last @ Part::Name(_) if *last == star => {}
        Part::Name(_) => parts.push(Part::Any),
    }
    Some(parts)
}

fn part(text: &str) -> Part {
    if text == "**" {
        return Part::Any;
    }
    let mut glyphs = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => glyphs.extend(chars.next().map(Glyph::Char)),
            '?' => glyphs.push(Glyph::One),
            '*' if glyphs.last() == Some(&Glyph::Star) => {}
            '*' => glyphs.push(Glyph::Star),
            _ => glyphs.push(Glyph::Char(c)),
        }
    }
    Part::Name(glyphs)
}

fn matches(pattern: &[Part], path: &[Vec<char>]) -> bool {
    wild(
        pattern,
        path,
        |part| *part == Part::Any,
        |part, name| match part {
            Part::Any => false,
            Part::Name(glyphs) => is_called(name, glyphs),
        },
    )
}

fn is_called(name: &[char], glyphs: &[Glyph]) -> bool {
    wild(
        glyphs,
        name,
        |glyph| *glyph == Glyph::Star,
        |glyph, c| match glyph {
            Glyph::Char(expected) => expected == c,
            Glyph::One => true,
            Glyph::Star => false,
        },
    )
}

/// Matches all of `items` by a pattern some of whose signs stand for any number of items. Going back to the last such
/// sign is enough, so that the time is bounded by the product of the lengths whatever a hostile pattern says.
fn wild<P, I>(pattern: &[P], items: &[I], is_any: impl Fn(&P) -> bool, fits: impl Fn(&P, &I) -> bool) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while item < items.len() {
        if pattern.get(at).is_some_and(&is_any) {
            last_any = Some((at, item));
            at += 1;
        } else if pattern.get(at).is_some_and(|sign| fits(sign, &items[item])) {
            at += 1;
            item += 1;
        } else if let Some((any, from)) = last_any {
            last_any = Some((any, from + 1));
            at = any + 1;
            item = from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(text: &str, path: &str) -> String {
        let owners = Owners::parse("CODEOWNERS", text);
        owners.of(path).map_or_else(|| "-".to_owned(), |names| names.iter().cloned().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn patterns_match_as_the_reference_matcher_says() {
        #[rustfmt::skip]
        let table: &[(&str, &[&str], &[&str])] = &[
            ("foo", &["foo", "foo/bar", "bar/foo", "bar/foo/baz"], &["foo.txt", "bar/foo.txt", "bar/baz"]),
            ("/foo", &["foo", "foo/bar/baz"], &["fool.txt", "bar/foo", "bar/foo/baz"]),
            ("foo/", &["foo/bar", "foo/bar/baz", "bar/foo/baz"], &["foo", "bar/foo", "bar/baz"]),
            ("/foo/", &["foo/bar", "foo/bar/baz"], &["foo", "bar/foo", "bar/foo/baz"]),
            ("foo/bar", &["foo/bar", "foo/bar/baz"], &["foo/bart", "baz/foo/bar"]),
            ("/foo/bar/", &["foo/bar/baz", "foo/bar/baz/qux"], &["foo/bar", "baz/foo/bar/qux"]),
            ("*", &["foo", "foo/bar", "bar/foo/baz"], &[]),
            ("**", &["foo", "foo/bar"], &[]),
            ("f*", &["foo", "foo/bar/baz", "bar/foo", "bar/foo/baz"], &["bar/baz", "xfoo"]),
            ("/*", &["foo", "bar"], &["foo/bar", "foo/bar/baz"]),
            ("/f*", &["foo", "foo/bar/baz"], &["bar/foo", "xfoo"]),
            ("f*/", &["foo/bar", "bar/foo/baz"], &["foo", "bar/foo", "xfoo"]),
            ("/*/", &["foo/bar", "bar/foo/baz"], &["foo"]),
            (r"f\*o", &["f*o"], &["foo"]),
            (r"f\?o", &["f?o"], &["foo"]),
            ("foo/*", &["foo/bar"], &["foo", "foo/bar/baz", "bar/foo/baz"]),
            ("**/foo/*", &["foo/bar", "a/foo/bar"], &["foo/bar/baz"]),
            ("foo/*.txt", &["foo/bar.txt"], &["foo", "foo/bar/baz.txt", "qux/foo/bar.txt"]),
            ("foo/*/baz", &["foo/bar/baz", "foo/bar/baz/qux"], &["foo/bar", "foo/baz"]),
            ("f?o", &["foo"], &["fo", "fooo"]),
            ("**/foo/bar", &["foo/bar", "qux/foo/bar", "qux/foo/bar/baz"], &["foo/baz/bar"]),
            ("**/*bar*", &["bar", "foo/rebar", "foo/qux/barrio"], &["foo/qux"]),
            ("foo/bar/**", &["foo/bar/baz", "foo/bar/baz/qux"], &["foo/bar", "qux/foo/bar/baz"]),
            ("foo/**/bar", &["foo/bar", "foo/bar/baz", "foo/a/b/bar/baz"], &["qux/foo/bar"]),
            ("foo/**/", &["foo/bar", "foo/bar/baz"], &["foo"]),
            ("foo/**/bar/b*", &["foo/bar/baz", "foo/qux/bar/baz"], &["foo/bar", "foo/bar/qux", "foo/qux/bar"]),
            (r"path\ with\ spaces/", &["path with spaces/x"], &["path/x"]),
        ];
        for (pattern, yes, no) in table {
            let text = format!("{pattern} @o");
            for path in *yes {
                assert_eq!(owner(&text, path), "@o", "{pattern} should match {path}");
            }
            for path in *no {
                assert_eq!(owner(&text, path), "-", "{pattern} should not match {path}");
            }
        }
    }

    #[test]
    fn the_documented_example_reads_as_documented() {
        let text = "\u{feff}# This is a comment.\r\n\
            *       @global-owner1 @global-owner2\r\n\
            *.js    @js-owner #This is an inline comment.\r\n\
            *.go docs@example.com\n\
            *.txt @octo-org/octocats\n\
            /build/logs/ @doctocat\n\
            docs/* docs@example.com\n\
            apps/ @octocat\n\
            /docs/ @doctocat\n\
            /scripts/ @doctocat @octocat\n\
            **/logs @octocat\n\
            /apps/ @octocat\n\
            /apps/github\n";
        for (path, expected) in [
            ("some/deep/file.rb", "@global-owner1 @global-owner2"),
            ("lib/x.js", "@js-owner"),
            ("main.go", "docs@example.com"),
            ("build/logs/today", "@octocat"),
            ("build/x/logs/today", "@octocat"),
            ("docs/getting-started.md", "@doctocat"),
            ("docs/build-app/troubleshooting.md", "@doctocat"),
            ("sub/apps/x/y.js", "@octocat"),
            ("scripts/x", "@doctocat @octocat"),
            ("apps/web/x", "@octocat"),
            ("apps/github/x", ""),
            ("notes.txt", "@octo-org/octocats"),
        ] {
            assert_eq!(owner(text, path), expected, "{path}");
        }
    }

    #[test]
    fn the_last_matching_line_wins_wherever_it_is_kept() {
        assert_eq!(owner("/src/ @a\n* @b\n", "src/x"), "@b");
        assert_eq!(owner("* @b\n/src/ @a\n", "src/x"), "@a");
        assert_eq!(owner("/src/ @a\n/src/x\n", "src/x"), "");
        for last in ["/a/", "b/", "*.js", "*.min.js", "x*", "x.*.js", "**/b/*", "/*/b"] {
            let before = "/a/ @1\nb/ @2\n*.js @3\n*.min.js @4\nx* @5\nx.*.js @6\n**/b/* @7\n/*/b @8\n";
            assert_eq!(owner(&format!("{before}{last} @last\n*.rs @9\n/b/ @10\n"), "a/b/x.min.js"), "@last", "{last}");
        }
    }

    #[test]
    fn lines_that_cannot_be_read_are_passed_over_and_named() {
        let owners = Owners::parse("CODEOWNERS", "* @a\n!src/ @b\nsrc/ bob\n/ @c\n[open @d\n");
        assert_eq!(owners.of("src/x").unwrap().len(), 1);
        assert_eq!(owners.notes.len(), 4);
        assert_eq!(owners.notes[1], "CODEOWNERS:3: what follows the pattern is not an owner; the line is passed over");
        let many = Owners::parse("CODEOWNERS", &"!x @a\n".repeat(100));
        assert_eq!(many.notes.len(), NAMED_MAX + 1);
    }

    #[test]
    fn a_section_gives_its_owners_to_lines_that_name_none() {
        let text = "* @all\n[Documentation][2] @docs @writers\n*.md\n/api.md @api\n^[Optional]\nx/\n";
        assert_eq!(owner(text, "a/b.md"), "@docs @writers");
        assert_eq!(owner(text, "api.md"), "@api");
        assert_eq!(owner(text, "x/y"), "");
    }

    #[test]
    fn a_hostile_pattern_takes_no_more_time_than_its_length_times_the_paths() {
        let pattern = format!("{}b", "*a".repeat(200));
        let path = "a".repeat(2000);
        assert_eq!(owner(&format!("{pattern} @o"), &path), "-");
        let pattern = format!("{}b", "**/a/".repeat(100));
        assert_eq!(owner(&format!("{pattern} @o"), &"a/".repeat(500)), "-");
    }

    fn at(place: &'static str, text: impl Into<String>) -> impl Fn(&str) -> Option<String> {
        let text = text.into();
        move |path| (path == place).then(|| text.clone())
    }

    #[test]
    fn groups_are_named_by_the_sorted_owners_and_the_unowned_come_last() {
        for place in PLACES {
            let read = at(place, "src/ @b @a\n/web/ @z\n");
            let groups = split(&["README", "src/x", "web/y"], &read).unwrap().groups;
            let keys: Vec<&str> = groups.iter().map(|group| group.key.as_str()).collect();
            assert_eq!(keys, ["@a @b", "@z", "unowned"], "{place}");
        }
    }

    #[test]
    fn without_owners_the_error_says_what_to_do() {
        let error = split(&["a"], &|_| None).unwrap_err().to_string();
        assert!(error.contains("commit one, or plan `by: folder`"), "{error}");
        let huge = at("CODEOWNERS", " ".repeat(BYTES_MAX + 1));
        assert!(matches!(split(&["a"], &huge), Err(ShardError::OwnersTooLarge { .. })));
    }

    #[test]
    fn a_crowd_of_owners_gets_a_short_key_of_its_own() {
        let crowd = |last: &str| (0..100).map(|n| format!("@owner-{n:03} ")).collect::<String>() + last;
        let read = at("CODEOWNERS", format!("/a {}\n/b {}\n", crowd("@x"), crowd("@y")));
        let groups = split(&["a", "b"], &read).unwrap().groups;
        assert_ne!(groups[0].key, groups[1].key);
        assert!(groups.iter().all(|group| group.key.len() < 120 && group.title.chars().count() <= 201));
    }

    proptest::proptest! {
        #[test]
        fn marks_hide_no_line_that_matches(
            patterns in proptest::collection::vec("/?((a|b|a\\.b|\\*|\\*\\*|\\*\\.b|a\\*|\\?)/){0,3}(a|b|\\*|\\*\\.b|a\\.\\*)/?", 1..12),
            path in "((a|b|a\\.b|c)/){0,4}(a|b|a\\.b|c\\.b)",
        ) {
            let lines: Vec<String> = patterns.iter().enumerate().map(|(n, pattern)| format!("{pattern} @{n}\n")).collect();
            let owners = Owners::parse("CODEOWNERS", &lines.concat());
            let names: Vec<Vec<char>> = path.split('/').map(|name| name.chars().collect()).collect();
            let plain = owners.lines.iter().rev().find(|(pattern, _)| matches(pattern, &names)).map(|(_, names)| names);
            proptest::prop_assert_eq!(owners.of(&path), plain);
        }
    }
}
