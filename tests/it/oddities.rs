//! Tells what becomes of unusual files: names, line ends, links, submodules, pointers, sizes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::common::{House, RENAME, rename_goal};

const OLD: &str = "print(old(1))\n";

fn house(front: &str) -> House {
    let goal = rename_goal(&format!("plan: {{ rules: [rename.yml], files_per_task: 1 }}\n{front}"));
    House::with(&[("goal.md", &goal), ("rename.yml", RENAME), ("src/a.py", OLD)])
}

/// Lists what differs between the base and the newest run's branch.
fn changed(house: &House) -> String {
    house.git(&["-c", "core.quotePath=false", "diff", "--name-status", "main", &house.head()])
}

/// Gives a role setting with which this shell line does each task, by the paths that the task owns.
fn agent(line: &str) -> [String; 4] {
    let set = format!("worker.agents=command:{line}");
    ["--role".to_owned(), set, "--role".to_owned(), "worker.mechanical=false".to_owned()]
}

fn run_with(house: &House, line: &str) -> crate::common::Said {
    let set = agent(line);
    let args: Vec<&str> = ["run", "goal.md"].into_iter().chain(set.iter().map(String::as_str)).collect();
    house.artel(&args)
}

/// Replaces `old` in each file of the task, byte for byte otherwise.
const SED: &str = "while IFS= read -r f; do sed -i s/old/new/ -- \"./$f\"; done < \"$ARTEL_PATHS\"";

#[test]
fn odd_names_are_migrated_by_rule_and_by_program() {
    for by_program in [false, true] {
        let house = house("");
        for name in
            ["-x.py", "src/-rf.py", "src/--.py", "src/sp ace é.py", "src/q\"u'o$te.py", "src/{a,b}*[x].py", "src/A.py"]
        {
            house.write(name, OLD);
        }
        house.commit("odd names");
        let said = if by_program { run_with(&house, SED) } else { house.artel(&["run", "goal.md"]) };
        said.exits(0).says("names that differ in case only: 1 (src/A.py src/a.py)");
        assert_eq!(house.board()["counts"]["landed"], 8);
        assert_eq!(changed(&house).lines().count(), 8);
        assert_eq!(house.landed("-x.py"), "print(new(1))");
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_kept_named_and_never_passes_for_done() {
    let house = house("");
    let name = OsStr::from_bytes(b"src/\xff.py");
    fs::write(house.repo().join(name), "print(3)\n").unwrap();
    house.commit("an odd name");
    let entry = |commit: &str| {
        house.git(&["ls-tree", "-r", commit]).lines().find(|line| line.contains("377")).map(str::to_owned)
    };
    for said in [house.artel(&["run", "goal.md"]), run_with(&house, SED)] {
        said.exits(0).says("names that are not UTF-8: 1");
        assert_eq!(changed(&house), "M\tsrc/a.py");
        assert_eq!(entry(&house.head()), entry("main"));
    }
    fs::write(house.repo().join(name), OLD).unwrap();
    house.commit("with a match");
    house.artel(&["run", "goal.md"]).exits(5).says("1 done-condition not met");
}

#[test]
fn a_name_that_no_commit_may_hold_is_kept_with_the_reason() {
    let house = house("");
    house.write("src/two\nlines.py", OLD);
    house.commit("a line end in a name");
    house.artel(&["run", "goal.md"]).exits(5).says("control characters");
    assert_eq!(changed(&house), "M\tsrc/a.py");
}

#[test]
fn line_ends_stay_as_they_are_for_rules_and_programs() {
    for by_program in [false, true] {
        for autocrlf in ["false", "input", "true"] {
            let house = house("");
            house.write(
                ".gitattributes",
                "*.txt text eol=crlf\nlf.py text eol=lf\nwin.py text eol=crlf\nraw.py -text\n",
            );
            house.write("lf.py", "print(old(1))\nprint(2)\n");
            house.write("win.py", "print(old(1))\r\nprint(2)\r\n");
            house.write("raw.py", "print(old(1))\r\nprint(2)\n");
            house.write("notes.txt", "one\r\ntwo\r\n");
            house.commit("line ends");
            house.git(&["config", "core.autocrlf", autocrlf]);
            let said = if by_program { run_with(&house, SED) } else { house.artel(&["run", "goal.md"]) };
            said.exits(0);
            let bytes =
                |commit: &str, path: &str| house.try_git(&["cat-file", "blob", &format!("{commit}:{path}")]).stdout;
            let head = house.head();
            for path in ["lf.py", "win.py", "raw.py", "src/a.py"] {
                let before = String::from_utf8(bytes("main", path)).unwrap();
                let after = String::from_utf8(bytes(&head, path)).unwrap();
                assert_eq!(after, before.replace("old", "new"), "{path}, autocrlf {autocrlf}, program {by_program}");
            }
            assert_eq!(changed(&house).lines().count(), 4, "{}", changed(&house));
        }
    }
}

#[test]
fn links_are_neither_followed_nor_changed() {
    let house = house("");
    let outside = house.root().join("outside.py");
    fs::write(&outside, OLD).unwrap();
    for (name, target) in [
        ("src/inner.py", "a.py"),
        ("src/outer.py", "../../outside.py"),
        ("src/loop.py", "loop.py"),
        ("src/up", "../../.."),
        ("all", "src"),
    ] {
        symlink(target, house.repo().join(name)).unwrap();
    }
    symlink(&outside, house.repo().join("src/absolute.py")).unwrap();
    house.commit("links");
    let links = |commit: &str| -> Vec<String> {
        let listed = house.git(&["ls-tree", "-r", commit]);
        listed.lines().filter(|line| line.starts_with("120000")).map(str::to_owned).collect()
    };
    for said in [house.artel(&["run", "goal.md"]), run_with(&house, SED)] {
        said.exits(0).says("links that leave the repository: 3");
        assert_eq!(changed(&house), "M\tsrc/a.py");
        assert_eq!((links(&house.head()).len(), links(&house.head())), (6, links("main")));
        assert_eq!(fs::read_to_string(&outside).unwrap(), OLD);
    }
}

#[test]
fn submodules_and_pointers_are_named_and_come_through_whole() {
    let house = house("checks: [\"grep -q git-lfs art.psd\"]\n");
    let other = house.root().join("other");
    house.git(&["init", "--quiet", &other.to_string_lossy()]);
    house.git(&["-C", &other.to_string_lossy(), "commit", "--quiet", "--allow-empty", "--message", "x"]);
    house.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../other", "src/sub"]);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{:064}\nsize 12\n", 1);
    house.write("art.psd", &pointer);
    house.write(".gitattributes", "*.psd filter=lfs diff=lfs merge=lfs -text\n");
    house.commit("a submodule and a pointer");
    // A filter that would spoil the pointer if anything ran it.
    house.git(&["config", "filter.lfs.clean", "echo spoilt; touch ../ran"]);
    house.git(&["config", "filter.lfs.smudge", "echo spoilt; touch ../ran"]);
    let odd = |commit: &str| house.git(&["ls-tree", commit, "art.psd", "src/sub", ".gitmodules"]);
    for said in [house.artel(&["run", "goal.md"]), run_with(&house, SED)] {
        said.exits(0).says("submodules: 1 (src/sub)").says("files kept by LFS: 1 (art.psd)");
        assert_eq!(changed(&house), "M\tsrc/a.py");
        assert_eq!(odd(&house.head()), odd("main"));
    }
    assert!(!house.root().join("ran").exists(), "a filter ran");
}

#[test]
fn a_file_of_100_mb_is_carried_along_and_none_is_taken_in() {
    let house = house("");
    let big = fs::File::create(house.repo().join("big.bin")).unwrap();
    big.set_len(100 << 20).unwrap();
    house.git(&["-c", "core.compression=0", "add", "big.bin"]);
    house.git(&["commit", "--quiet", "--message", "a big file"]);
    house.artel(&["run", "goal.md"]).exits(0).says("large files: 1 (big.bin)");
    assert_eq!(changed(&house), "M\tsrc/a.py");
    let grow = "sed -i s/old/new/ src/a.py; truncate -s 100M src/a.py";
    let set = agent(grow);
    let mut args: Vec<&str> = ["run", "goal.md", "--role", "worker.limits.attempts=1"].into();
    args.extend(set.iter().map(String::as_str));
    house.artel(&args).exits(5).says("1 task left over");
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
}
