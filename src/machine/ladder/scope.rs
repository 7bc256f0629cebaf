//! Owns the first step of the ladder: only owned paths, no surprising links or modes, size within bounds.
//! Never looks into a file.

use globset::GlobSet;

use super::evidence::{Changed, Evidence, Mode, finding};
use crate::model::paths::PathSet;
use crate::model::role::Limits;
use crate::model::verdict::{Finding, Rung};

/// Holds what a candidate may touch and how large it may be.
#[derive(Debug, Clone)]
pub struct Bounds<'a> {
    /// What the task owns.
    pub owned: &'a PathSet,
    /// What the goal owns; none is everything.
    pub owns: Option<&'a GlobSet>,
    /// What the goal forbids.
    pub never: &'a GlobSet,
    /// The role's limits.
    pub limits: &'a Limits,
}

/// Lists what stands against a candidate by where it reaches.
pub fn scope(evidence: &Evidence, bounds: &Bounds<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = evidence.refused.iter().map(|it| refused(&it.path, &it.why)).collect();
    for changed in &evidence.changed {
        found.extend(reach(changed, bounds));
        found.extend(surprise(changed));
        found.extend(large(changed, bounds.limits));
    }
    found.extend(too_much(evidence, bounds.limits));
    found
}

fn at(rule: &str, path: &str, what: String, advice: &str) -> Finding {
    finding(Rung::Scope, rule, Some(path), what, advice)
}

fn refused(path: &str, why: &str) -> Finding {
    at("path-refused", path, format!("`{path}` could not be taken: {why}"), "remove it from the worktree")
}

/// Finds a path that is not the task's or not the goal's.
fn reach(changed: &Changed, bounds: &Bounds<'_>) -> Option<Finding> {
    let path = &changed.path;
    if !bounds.owned.holds(path) {
        let what = format!("`{path}` is not among the task's paths");
        return Some(at("path-not-owned", path, what, "put it back; report it as a concern if it must change"));
    }
    if bounds.never.is_match(path) {
        let what = format!("`{path}` is among the paths that the goal never lets change");
        return Some(at("path-never", path, what, "put it back and do the task without it"));
    }
    if bounds.owns.is_some_and(|owns| !owns.is_match(path)) {
        let what = format!("`{path}` is not among the paths that the goal owns");
        return Some(at("path-outside-goal", path, what, "put it back; report it as a concern if it must change"));
    }
    None
}

/// Finds links that leave the repository, modes that changed, submodules, and files that git obeys.
fn surprise(changed: &Changed) -> Option<Finding> {
    let path = &changed.path;
    let (old, new) = (changed.old_mode.map(Mode::of), changed.new_mode.map(Mode::of));
    if old == Some(Mode::Submodule) || new == Some(Mode::Submodule) {
        let what = format!("`{path}` is a submodule, or became one");
        return Some(at("submodule-changed", path, what, "leave submodules as they are; do not nest repositories"));
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if [".gitattributes", ".gitmodules"].iter().any(|obeyed| name.eq_ignore_ascii_case(obeyed)) {
        let what = format!("`{path}` changes what git does with files");
        return Some(at("git-file-changed", path, what, "put it back"));
    }
    let (is_link, was_changed) = (new == Some(Mode::Link), old.is_some() && new.is_some() && old != new);
    if was_changed {
        let (was, is) = (old.map_or("nothing", Mode::word), new.map_or("nothing", Mode::word));
        let what = format!("`{path}` was {was} and is {is}");
        return Some(at("mode-changed", path, what, "give it back its type and mode"));
    }
    if new == Some(Mode::Other) {
        let what = format!("`{path}` is neither a file nor a link");
        return Some(at("mode-changed", path, what, "remove it"));
    }
    let target = changed.new.as_ref().and_then(|facts| facts.link_target.as_deref());
    if is_link && !target.is_some_and(|target| stays_inside(path, target)) {
        let what = format!("`{path}` is a link to `{}`, which may lie outside the repository", target.unwrap_or("?"));
        return Some(at("link-escapes", path, what, "link inside the repository only, with `..` at the start only"));
    }
    None
}

/// Tells whether a link surely points into the repository. `..` counts at the start only: after a name it may
/// lead through another link, and then up to somewhere else.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains(['\\', '\0']) || target.contains(':') {
        return false;
    }
    let mut above = path.split('/').filter(|part| !part.is_empty()).count() as i64 - 1;
    let mut has_name = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if has_name => return false,
            ".." => above -= 1,
            name if name.eq_ignore_ascii_case(".git") => return false,
            _ => has_name = true,
        }
        if above < 0 {
            return false;
        }
    }
    true
}

fn large(changed: &Changed, limits: &Limits) -> Option<Finding> {
    let (size, limit) = (changed.new_size, limits.file_bytes);
    let what = || format!("`{}` holds {size} bytes, and the role allows {limit}", changed.path);
    (limit > 0 && size > limit).then(|| at("file-too-large", &changed.path, what(), "make it smaller or leave it out"))
}

fn too_much(evidence: &Evidence, limits: &Limits) -> Vec<Finding> {
    let mut found = Vec::new();
    let files = evidence.changed.len();
    if files as u64 > u64::from(limits.changed_files) {
        let what = format!("{files} files differ, and the role allows {}", limits.changed_files);
        found.push(finding(Rung::Scope, "too-many-files", None, what, "remove what is generated; change less"));
    }
    let bytes = evidence.changed.iter().fold(0_u64, |sum, it| sum.saturating_add(it.new_size));
    if bytes > limits.changed_bytes {
        let what = format!("the changed files hold {bytes} bytes, and the role allows {}", limits.changed_bytes);
        found.push(finding(Rung::Scope, "too-many-bytes", None, what, "remove what is generated; change less"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::evidence::samples::{added, deleted, evidence, modified, rules};
    use super::super::evidence::{Facts, Kind, Refused};
    use super::*;
    use crate::model::globs::globs;

    fn judge(changed: Changed) -> Vec<Finding> {
        judge_within(changed, &["."], &[], &[])
    }

    fn judge_within(changed: Changed, owned: &[&str], owns: &[&str], never: &[&str]) -> Vec<Finding> {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let owned = PathSet::parse(texts(owned));
        let (owns, never) = (texts(owns), globs(&texts(never)).unwrap());
        let goal = globs(&owns).unwrap();
        let owns = (!owns.is_empty()).then_some(&goal);
        let limits = Limits { changed_files: 2, changed_bytes: 100, file_bytes: 50, ..Limits::default() };
        scope(&evidence([changed]), &Bounds { owned: &owned, owns, never: &never, limits: &limits })
    }

    fn link(path: &str, target: Option<&str>) -> Changed {
        let facts = Facts { link_target: target.map(str::to_owned), ..Facts::default() };
        Changed { new_mode: Some(0o120_000), ..added(path, facts) }
    }

    #[test]
    fn only_owned_paths_may_change() {
        let change = || added("src/a.rs", Facts::default());
        assert!(judge_within(change(), &["src/"], &[], &[]).is_empty());
        assert_eq!(rules(&judge_within(change(), &["src/b.rs"], &[], &[])), ["path-not-owned"]);
        assert_eq!(rules(&judge_within(deleted("lib/x", Facts::default()), &["src/"], &[], &[])), ["path-not-owned"]);
    }

    #[test]
    fn the_goal_bounds_what_a_task_owns() {
        let change = || added("src/gen/a.rs", Facts::default());
        assert_eq!(rules(&judge_within(change(), &["src/"], &[], &["src/gen/**"])), ["path-never"]);
        assert_eq!(rules(&judge_within(change(), &["src/"], &["src/*.rs"], &[])), ["path-outside-goal"]);
        assert!(judge_within(change(), &["src/"], &["src/**"], &["*.rs"]).is_empty(), "`*` does not cross a folder");
    }

    #[test]
    fn a_link_that_may_leave_the_repository_is_refused() {
        for (path, target) in [
            ("a", "/etc/passwd"),
            ("a", "../x"),
            ("d/a", "../../x"),
            ("a", "b/../../x"),
            ("a", "sub/link/../x"),
            ("a", ".git/config"),
            ("d/a", "../.GIT/hooks"),
            ("a", "c:\\windows"),
            ("a", ""),
            ("a", ".."),
        ] {
            assert_eq!(rules(&judge(link(path, Some(target)))), ["link-escapes"], "{path} -> {target}");
        }
        assert_eq!(rules(&judge(link("a", None))), ["link-escapes"], "a target that was not read may be anything");
        for (path, target) in [("a", "b"), ("d/a", "../b"), ("d/e/a", "./../../b/c"), ("a", "..b"), ("a", "b/...")] {
            assert!(judge(link(path, Some(target))).is_empty(), "{path} -> {target}");
        }
    }

    #[test]
    fn modes_and_types_do_not_change_by_the_way() {
        for (old, new) in [(0o100_644, 0o100_755), (0o100_755, 0o100_644), (0o100_644, 0o120_000)] {
            let facts = Facts { link_target: Some("b".into()), ..Facts::default() };
            let change = Changed {
                kind: Kind::TypeChanged,
                old_mode: Some(old),
                new_mode: Some(new),
                ..modified("a", Facts::default(), facts)
            };
            assert_eq!(rules(&judge(change)), ["mode-changed"], "{old:o} {new:o}");
        }
        let odd = Changed { new_mode: Some(0o040_000), ..added("a", Facts::default()) };
        assert_eq!(rules(&judge(odd)), ["mode-changed"]);
        let script = Changed { new_mode: Some(0o100_755), ..added("run.sh", Facts::default()) };
        assert!(judge(script).is_empty(), "a new file may be executable");
    }

    #[test]
    fn submodules_stay_as_they_are() {
        let nested = Changed { new_mode: Some(0o160_000), ..added("vendor/x", Facts::default()) };
        let gone = Changed { old_mode: Some(0o160_000), ..deleted("vendor/x", Facts::default()) };
        let moved = Changed {
            old_mode: Some(0o160_000),
            new_mode: Some(0o160_000),
            ..modified("x", Facts::default(), Facts::default())
        };
        for change in [nested, gone, moved] {
            assert_eq!(rules(&judge(change)), ["submodule-changed"]);
        }
    }

    #[test]
    fn files_that_git_obeys_do_not_change() {
        for path in [".gitattributes", "deep/.gitattributes", ".gitmodules", "a/.GitAttributes"] {
            assert_eq!(rules(&judge(added(path, Facts::default()))), ["git-file-changed"], "{path}");
        }
        assert!(judge(added("x.gitattributes", Facts::default())).is_empty());
    }

    #[test]
    fn size_is_bounded_by_file_by_count_and_in_all() {
        let sized = |path: &str, size| Changed { new_size: size, ..added(path, Facts::default()) };
        assert_eq!(rules(&judge(sized("a", 51))), ["file-too-large"]);
        let (owned, never) = (PathSet::everything(), GlobSet::empty());
        let judge_all = |changes: Vec<Changed>| {
            let limits = Limits { changed_files: 2, changed_bytes: 100, file_bytes: 0, ..Limits::default() };
            let bounds = Bounds { owned: &owned, owns: None, never: &never, limits: &limits };
            scope(&evidence(changes), &bounds)
        };
        assert!(judge_all(vec![sized("a", 50), sized("b", 50)]).is_empty());
        assert_eq!(rules(&judge_all(vec![sized("a", 101)])), ["too-many-bytes"]);
        assert_eq!(rules(&judge_all(vec![sized("a", u64::MAX), sized("b", u64::MAX)])), ["too-many-bytes"]);
        assert_eq!(rules(&judge_all(vec![sized("a", 1), sized("b", 1), sized("c", 1)])), ["too-many-files"]);
    }

    #[test]
    fn what_could_not_be_taken_is_told() {
        let refused = Refused { path: "fifo".to_owned(), why: "it is a pipe".to_owned() };
        let found = scope(
            &Evidence { refused: vec![refused], ..Evidence::default() },
            &Bounds { owned: &PathSet::everything(), owns: None, never: &GlobSet::empty(), limits: &Limits::default() },
        );
        assert_eq!(rules(&found), ["path-refused"]);
        assert!(found[0].what.contains("it is a pipe"));
    }
}
