//! Owns the `codemod` agent's engine: rule files, in order, each to its fixed point, on a file's bytes.
//! Never reads or writes a file; never decides what becomes of a leftover.

use std::collections::BTreeMap;
use std::path::Path;

use crate::io::syntax::{Rules, Skipped, parse_errors, rewrite_once, scan};
use crate::model::attempt::Leftover;

/// How many passes of one rule file may fail to bring the number of its matches down.
const PASSES: u32 = 10;
/// How many passes of one rule file are made in all: a nest deeper than this is hostile, and each pass is paid for.
const PASSES_ALL: u32 = 100;
/// How far a file may grow before a rule file is stopped, in bytes over twice its size.
const GROWTH: usize = 64 * 1024;

/// Rewrites files by rule files; shared between threads.
#[derive(Debug)]
pub struct Codemod {
    rules: Vec<Rules>,
    passes: u32,
}

/// Holds what the rules made of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The file after all rules.
    pub bytes: Vec<u8>,
    /// Whether it differs from before.
    pub changed: bool,
    /// How many passes changed something, over all rule files.
    pub passes: u32,
    /// How many edits each rule made, by rule id.
    pub applied: BTreeMap<String, u32>,
    /// What the rules match and could not rewrite, in the order of the file.
    pub leftovers: Vec<Leftover>,
    /// Whether more places than before do not parse.
    pub broke_parse: bool,
}

/// Holds a file on its way through the rule files.
struct Course {
    text: String,
    passes: u32,
    applied: BTreeMap<String, u32>,
    restless: Vec<String>,
}

impl Codemod {
    /// Takes rule files in the order in which they are applied.
    pub fn new(rules: Vec<Rules>) -> Self {
        Self { rules, passes: PASSES }
    }

    /// Bounds how many passes of one rule file may fail to bring the number of its matches down.
    #[must_use]
    pub fn with_passes(self, passes: u32) -> Self {
        Self { passes, ..self }
    }

    /// Lists the rule files, in order.
    pub fn rules(&self) -> &[Rules] {
        &self.rules
    }

    /// Tells whether some rule reads this file, by its language and its path.
    pub fn reads(&self, path: impl AsRef<Path>) -> bool {
        self.rules.iter().any(|rules| rules.reads(path.as_ref()))
    }

    /// Applies the rule files, each to its fixed point and then the next. What cannot be read as source is left as
    /// it is and told as a leftover, where a rule would read it.
    pub fn rewrite(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Rewritten {
        let path = path.as_ref();
        match self.attempt(path, bytes) {
            Ok(rewritten) => rewritten,
            Err(skipped) => Rewritten {
                bytes: bytes.to_vec(),
                changed: false,
                passes: 0,
                applied: BTreeMap::new(),
                leftovers: vec![leftover(path, 0, format!("not rewritten: {skipped}"))],
                broke_parse: false,
            },
        }
    }

    fn attempt(&self, path: &Path, bytes: &[u8]) -> Result<Rewritten, Skipped> {
        let Some(text) = self.text_of(path, bytes)? else { return Ok(untouched(bytes)) };
        let course = self.run(path, text)?;
        let mut leftovers: Vec<Leftover> = course.restless.iter().map(|why| leftover(path, 0, why.clone())).collect();
        for rules in &self.rules {
            for left in scan(rules, path, course.text.as_bytes())? {
                let why = if left.fixable { "still matches after its fix" } else { "has no fix" };
                leftovers.push(leftover(
                    path,
                    left.line,
                    format!("`{}` {why}: {}", left.rule_id, first_line(&left.text)),
                ));
            }
        }
        if course.restless.is_empty() && course.passes > 0 && self.rules.len() > 1 {
            let again = self.run(path, &course.text)?;
            if again.text != course.text {
                let line = first_difference(&course.text, &again.text);
                leftovers.push(leftover(path, line, "not idempotent: the rules change their own result".to_owned()));
            }
        }
        leftovers.sort();
        let bytes_after = course.text.into_bytes();
        let changed = bytes_after != bytes;
        Ok(Rewritten {
            broke_parse: changed && parse_errors(path, &bytes_after) > parse_errors(path, bytes),
            bytes: bytes_after,
            changed,
            passes: course.passes,
            applied: course.applied,
            leftovers,
        })
    }

    /// Reads the file's text; none where no rule reads the file or it is empty.
    fn text_of<'a>(&self, path: &Path, bytes: &'a [u8]) -> Result<Option<&'a str>, Skipped> {
        if !self.reads(path) || bytes.is_empty() {
            return Ok(None);
        }
        std::str::from_utf8(bytes).map(Some).map_err(|_| Skipped::NotUtf8)
    }

    fn run(&self, path: &Path, text: &str) -> Result<Course, Skipped> {
        let mut course = Course { text: text.to_owned(), passes: 0, applied: BTreeMap::new(), restless: Vec::new() };
        let limit = text.len() * 2 + GROWTH;
        for rules in &self.rules {
            self.settle(rules, path, limit, &mut course)?;
        }
        Ok(course)
    }

    /// Applies one rule file until it changes nothing. Passes that bring the number of matches down are free, since
    /// they end by themselves; the others are bounded.
    fn settle(&self, rules: &Rules, path: &Path, limit: usize, course: &mut Course) -> Result<(), Skipped> {
        let (mut idle, mut passes) = (0, 0);
        let mut places = usize::MAX;
        loop {
            let pass = rewrite_once(rules, path, &course.text)?;
            if pass.text == course.text {
                return Ok(());
            }
            if pass.places >= places {
                idle += 1;
            }
            if idle >= self.passes || passes >= PASSES_ALL || pass.text.len() > limit {
                let why = if pass.text.len() > limit { "the file only grows" } else { "it still changes the file" };
                course.restless.push(format!("`{}` reached no fixed point in {passes} passes: {why}", rules.name()));
                return Ok(());
            }
            places = pass.places;
            passes += 1;
            course.passes += 1;
            course.text = pass.text;
            for (rule, count) in pass.applied {
                *course.applied.entry(rule).or_default() += count;
            }
        }
    }
}

fn untouched(bytes: &[u8]) -> Rewritten {
    Rewritten {
        bytes: bytes.to_vec(),
        changed: false,
        passes: 0,
        applied: BTreeMap::new(),
        leftovers: Vec::new(),
        broke_parse: false,
    }
}

fn leftover(path: &Path, line: u32, why: String) -> Leftover {
    Leftover { path: path.to_string_lossy().into_owned(), line, why }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Finds the first line, from 1, in which two texts differ.
fn first_difference(one: &str, other: &str) -> u32 {
    let same = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    u32::try_from(same + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codemod(rules: &[&str]) -> Codemod {
        let read = |(at, yaml): (usize, &&str)| Rules::parse(&format!("r{at}.yml"), yaml).unwrap();
        Codemod::new(rules.iter().enumerate().map(read).collect())
    }

    fn rewrite(rules: &[&str], text: &str) -> Rewritten {
        codemod(rules).rewrite("src/x.rs", text.as_bytes())
    }

    fn text(rewritten: &Rewritten) -> &str {
        std::str::from_utf8(&rewritten.bytes).unwrap()
    }

    const A_TO_B: &str = "id: a\nlanguage: rust\nrule: {pattern: a($X)}\nfix: b($X)\n";

    #[test]
    fn a_codemod_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Codemod>();
    }

    #[test]
    fn nested_matches_are_rewritten_to_the_fixed_point() {
        let rewritten = rewrite(&[A_TO_B], "fn f() { a(a(a(1))) }");
        assert_eq!(text(&rewritten), "fn f() { b(b(b(1))) }");
        assert_eq!((rewritten.passes, rewritten.applied["a"], rewritten.changed), (3, 3, true));
        assert!(rewritten.leftovers.is_empty() && !rewritten.broke_parse);
    }

    #[test]
    fn nesting_deeper_than_the_bound_is_finished_since_each_pass_leaves_less() {
        let deep = format!("fn f() {{ {}1{} }}", "a(".repeat(40), ")".repeat(40));
        let rewritten = rewrite(&[A_TO_B], &deep);
        assert_eq!((rewritten.applied["a"], rewritten.leftovers.len()), (40, 0));
    }

    #[test]
    fn a_hostile_nest_ends_in_bounded_time_and_on_a_small_stack() {
        let deep = format!("fn f() {{ {}1{} }}", "a(".repeat(600), ")".repeat(600));
        let work = move || rewrite(&[A_TO_B], &deep);
        let rewritten = std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
        assert_eq!(rewritten.passes, PASSES_ALL);
        assert!(rewritten.leftovers[0].why.contains("no fixed point"));
    }

    #[test]
    fn rule_files_run_in_order_each_on_the_result_of_the_one_before() {
        let b_to_c = "id: b\nlanguage: rust\nrule: {pattern: b($X)}\nfix: c($X)\n";
        assert_eq!(text(&rewrite(&[A_TO_B, b_to_c], "fn f() { a(1) }")), "fn f() { c(1) }");
        let swapped = rewrite(&[b_to_c, A_TO_B], "fn f() { a(1) }");
        assert_eq!(text(&swapped), "fn f() { b(1) }");
        let whys: Vec<_> = swapped.leftovers.iter().map(|left| left.why.as_str()).collect();
        assert_eq!(
            whys,
            ["`b` still matches after its fix: b(1)", "not idempotent: the rules change their own result"]
        );
    }

    #[test]
    fn a_rule_without_a_fixed_point_is_stopped_and_reported() {
        let rule = "id: a\nlanguage: rust\nrule: {pattern: a($X)}\nfix: a(a($X))\n";
        let rewritten = rewrite(&[rule], "fn f() { a(1) }");
        let first = &rewritten.leftovers[0];
        assert!(first.line == 0 && first.why.contains("no fixed point"), "{first:?}");
    }

    #[test]
    fn a_file_that_only_grows_is_stopped_early() {
        let rule = "id: a\nlanguage: rust\nrule: {pattern: a($X)}\nfix: a(($X, $X))\n";
        let big = format!("fn f() {{ a(\"{}\") }}", "x".repeat(60_000));
        let rewritten = codemod(&[rule]).with_passes(1_000).rewrite("x.rs", big.as_bytes());
        assert!(rewritten.leftovers[0].why.contains("only grows"), "{:?}", rewritten.leftovers[0]);
        assert!(rewritten.bytes.len() < 200_000);
    }

    #[test]
    fn a_match_without_a_fix_is_a_leftover_with_its_line() {
        let find = "id: find-c\nlanguage: rust\nrule: {pattern: c($$$)}\n";
        let rewritten = rewrite(&[A_TO_B, find], "fn f() {\n  a(1);\n  c(\n 2)\n}");
        assert_eq!(rewritten.leftovers, [leftover(Path::new("src/x.rs"), 3, "`find-c` has no fix: c(".to_owned())]);
        assert!(rewritten.changed);
    }

    #[test]
    fn a_fix_that_breaks_the_file_is_told() {
        let rule = "id: a\nlanguage: rust\nrule: {pattern: a()}\nfix: 'a('\n";
        assert!(rewrite(&[rule], "fn f() { a(); }").broke_parse);
        let mends = "id: a\nlanguage: rust\nrule: {pattern: a()}\nfix: b()\n";
        assert!(!rewrite(&[mends], "fn f() { let = ; a(); }").broke_parse);
    }

    #[test]
    fn the_result_is_a_fixed_point_of_the_whole_sequence() {
        let first = rewrite(&[A_TO_B], "fn f() { a(a(1)); g(a(2)) }");
        let second = codemod(&[A_TO_B]).rewrite("src/x.rs", &first.bytes);
        assert_eq!((second.changed, second.passes, second.bytes), (false, 0, first.bytes));
    }

    #[test]
    fn what_is_not_source_is_left_as_it_is_and_told_only_where_a_rule_reads_it() {
        for (path, bytes, told) in [
            ("x.rs", &b"a(\xff)"[..], true),
            ("x.rs", b"a(\0)", true),
            ("x.bin", b"\xff\0", false),
            ("x.py", b"\xff", false),
            ("x.rs", b"", false),
        ] {
            let rewritten = codemod(&[A_TO_B]).rewrite(path, bytes);
            assert_eq!((rewritten.changed, rewritten.bytes.as_slice()), (false, bytes));
            assert_eq!(!rewritten.leftovers.is_empty(), told, "{path} {bytes:?}");
        }
    }

    #[test]
    fn line_ends_are_kept_as_they_are() {
        let rewritten = rewrite(&[A_TO_B], "fn f() {\r\n  a(1);\r\n}\r\n");
        assert_eq!(text(&rewritten), "fn f() {\r\n  b(1);\r\n}\r\n");
    }
}
