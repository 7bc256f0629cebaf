//! Tells what a repository or machine that is not fit is told, and what artel makes of unusual ones.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{House, RENAME, Said, rename_goal, said};

fn house() -> House {
    let goal = rename_goal("checks: [\"test -d src\"]\nplan: { rules: [rename.yml] }\n");
    House::with(&[("goal.md", &goal), ("rename.yml", RENAME), ("src/a.py", "print(old(1))\n")])
}

fn artel_in(house: &House, folder: &Path, args: &[&str]) -> Said {
    said(&house.command(args).current_dir(folder).output().unwrap())
}

/// Runs git in another folder of the house; asserts that it went well.
fn git_in(house: &House, folder: &Path, args: &[&str]) {
    let at = folder.to_string_lossy();
    house.git(&[&["-C", &at][..], args].concat());
}

/// Asserts that a verb failed with one error, its cause and what to do next, and nothing else.
#[track_caller]
fn one_error(told: &Said, parts: &[&str]) {
    assert_eq!(told.err.matches("error: ").count(), 1, "{}", told.err);
    assert!(told.err.starts_with("error: failed to ") && !told.err.contains("panicked"), "{}", told.err);
    for part in parts {
        assert!(told.err.contains(part), "no `{part}` in\n{}", told.err);
    }
}

#[test]
fn a_folder_that_is_no_repository_is_refused() {
    let house = house();
    fs::remove_dir_all(house.repo().join(".git")).unwrap();
    for verb in [&["run", "goal.md"][..], &["plan", "goal.md"], &["init"], &["status"]] {
        one_error(&house.artel(verb).exits(4), &["find a git repository at or above", "git init"]);
    }
}

#[test]
fn a_repository_without_a_commit_is_refused() {
    let house = house();
    fs::remove_dir_all(house.repo().join(".git")).unwrap();
    house.git(&["init", "--quiet"]);
    for verb in ["run", "plan"] {
        one_error(&house.artel(&[verb, "goal.md"]).exits(4), &["nothing was committed yet", "make a first commit"]);
    }
}

#[test]
fn a_bare_repository_has_runs_and_is_delivered_into() {
    let house = house();
    let bare = house.root().join("bare.git");
    house.git(&["clone", "--quiet", "--bare", ".", &bare.to_string_lossy()]);
    artel_in(&house, &bare, &["run", "../repo/goal.md"]).exits(0);
    artel_in(&house, &bare, &["deliver"]).exits(0);
    assert_eq!(house.git(&["-C", &bare.to_string_lossy(), "show", "main:src/a.py"]), "print(new(1))");
    one_error(&artel_in(&house, &bare, &["init"]).exits(4), &["a bare repository has no files"]);
}

#[test]
fn a_dirty_checkout_is_noted_and_left_as_it_is() {
    let house = house();
    house.write("src/a.py", "print(old(99))\n");
    house.write("src/new.py", "print(old(5))\n");
    house.artel(&["run", "goal.md"]).exits(0).says("note: the checkout has changes that are not committed");
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
    assert_eq!(fs::read_to_string(house.repo().join("src/a.py")).unwrap(), "print(old(99))\n");
    assert_eq!(house.git(&["status", "--porcelain"]), " M src/a.py\n?? src/new.py");
}

#[test]
fn a_shallow_clone_is_noted_and_migrated() {
    let house = house();
    house.write("more", "x");
    house.commit("second");
    let clone = house.root().join("clone");
    let from = format!("file://{}", house.repo().display());
    house.git(&["clone", "--quiet", "--depth=1", &from, &clone.to_string_lossy()]);
    artel_in(&house, &clone, &["run", "goal.md"]).exits(0).says("a shallow clone");
    artel_in(&house, &clone, &["deliver"]).exits(0);
    assert_eq!(fs::read_to_string(clone.join("src/a.py")).unwrap(), "print(new(1))\n");
    git_in(&house, &clone, &["fsck", "--strict"]);
}

#[test]
fn a_partial_clone_is_refused_until_it_has_what_the_run_reads() {
    let house = house();
    house.git(&["config", "uploadpack.allowFilter", "true"]);
    house.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let clone = house.root().join("clone");
    let from = format!("file://{}", house.repo().display());
    house.git(&["clone", "--quiet", "--no-checkout", "--filter=blob:none", &from, &clone.to_string_lossy()]);
    let goal = house.repo().join("goal.md");
    for verb in ["run", "plan"] {
        let told = artel_in(&house, &clone, &[verb, &goal.to_string_lossy()]).exits(4);
        one_error(&told, &["read 3 files of", "`goal.md`", "hint: ", "git fetch --refetch --no-filter"]);
    }
    git_in(&house, &clone, &["fetch", "--quiet", "--refetch", "--no-filter"]);
    artel_in(&house, &clone, &["run", &goal.to_string_lossy()]).exits(0).says("a partial clone");
}

#[test]
fn a_branch_in_the_way_is_named_and_another_prefix_helps() {
    let house = house();
    house.git(&["branch", "artel"]);
    for verb in ["run", "plan"] {
        one_error(&house.artel(&[verb, "goal.md"]).exits(4), &["`refs/heads/artel` is in the way", "`branch_prefix`"]);
    }
    house.write("artel.toml", "branch_prefix = \"crew\"\n");
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(house.git(&["show", &format!("crew/{}/main:src/a.py", house.run())]), "print(new(1))");
}

#[test]
fn a_hostile_base_names_no_commit_and_runs_nothing() {
    let house = house();
    let tree = house.git(&["rev-parse", "HEAD^{tree}"]);
    let hostile = [
        "nope",
        "",
        "--output=x",
        "$(touch x)",
        "a\nb",
        "HEAD:goal.md",
        &tree,
        "@{-1}",
        "main..main",
        "*",
        "\u{1b}[2J",
    ];
    for base in hostile {
        let told = house.artel(&["run", "goal.md", &format!("--base={base}")]).exits(4);
        one_error(&told, &["find the commit"]);
        assert!(!told.err.contains('\u{1b}') && !house.repo().join("x").exists());
    }
    let first = house.git(&["rev-parse", "HEAD"]);
    house.write("src/a.py", "print(2)\n");
    house.commit("second");
    for base in [&first[..], "HEAD~1", "main^"] {
        house.artel(&["run", "goal.md", "--base", base]).exits(0);
        assert_eq!(house.landed("src/a.py"), "print(new(1))");
    }
}

#[test]
fn locks_that_git_left_behind_are_named_and_hold_up_no_run() {
    let house = house();
    let locks = ["index.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "refs/heads/main.lock"];
    for lock in locks {
        fs::write(house.repo().join(".git").join(lock), "").unwrap();
    }
    house.artel(&["run", "goal.md"]).exits(0).says("note: lock files of git: 5");
    assert!(locks.iter().all(|lock| house.repo().join(".git").join(lock).exists()));
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
    house.artel(&["doctor"]).says("HEAD.lock");
    house.artel(&["deliver"]).exits(10).says("lock");
    assert_eq!(house.git(&["show", "main:src/a.py"]), "print(old(1))");
    for lock in locks {
        fs::remove_file(house.repo().join(".git").join(lock)).unwrap();
    }
    house.artel(&["deliver"]).exits(0);
    assert_eq!(house.git(&["show", "main:src/a.py"]), "print(new(1))");
}

#[test]
fn a_lock_left_on_the_runs_own_branch_does_not_hold_it_up() {
    let house = house();
    let run = house.artel(&["run", "--open-only", "goal.md"]).exits(0).out.trim().to_owned();
    let folder = house.repo().join(".git/refs/heads/artel").join(&run);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("main.lock"), "").unwrap();
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
}

/// Has a process hold the lock of the run's branch, as a git that was stopped between two steps does; gives it back
/// when it holds the lock.
fn holding(house: &House, program: &[&str], tells: &str, says: &str) -> Child {
    let mut holder = Command::new(program[0]);
    holder.args(&program[1..]).current_dir(house.repo()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    holder.stdin.as_mut().unwrap().write_all(tells.as_bytes()).unwrap();
    let mut lines = BufReader::new(holder.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == says), "{program:?} holds no lock");
    holder
}

#[test]
fn a_lock_of_a_living_process_is_told_and_stays_until_that_is_dead() {
    for is_git in [true, false] {
        let house = house();
        let run = house.artel(&["run", "--open-only", "goal.md"]).exits(0).out.trim().to_owned();
        let name = format!("refs/heads/artel/{run}/main");
        let lock = house.repo().join(".git").join(format!("{name}.lock"));
        fs::create_dir_all(lock.parent().unwrap()).unwrap();
        let mut holder = if is_git {
            let moves = format!("start\ncreate {name} {}\nprepare\n", house.git(&["rev-parse", "main"]));
            holding(&house, &["git", "update-ref", "--stdin"], &moves, "prepare: ok")
        } else {
            let keeps = "exec 9> \"$0\"; echo held; exec cat";
            holding(&house, &["sh", "-c", keeps, lock.to_str().unwrap()], "", "held")
        };
        house.artel(&["resume"]).exits(9).says("main.lock").says("is in the way");
        assert!(lock.exists(), "a living process has lost its lock");
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert!(lock.exists());
        house.artel(&["resume"]).exits(0);
        assert_eq!(house.landed("src/a.py"), "print(new(1))");
    }
}

#[test]
fn what_halts_a_run_is_told_whole_and_once_it_is_mended_the_run_goes_on() {
    let house = house();
    let run = house.artel(&["run", "--open-only", "goal.md"]).exits(0).out.trim().to_owned();
    // A folder in the branch's place, with something in it, lets no ref be made there.
    let taken = house.repo().join(".git/refs/heads/artel").join(&run).join("main/in/the/way");
    fs::create_dir_all(taken.parent().unwrap()).unwrap();
    fs::write(&taken, format!("{}\n", house.git(&["rev-parse", "main"]))).unwrap();
    let halted = house.artel(&["resume"]).exits(9);
    let why = halted.err.lines().chain(halted.out.lines()).find_map(|line| line.split_once("outside the run: "));
    let why: String = why.unwrap().1.split_whitespace().collect();
    let shown: String = house.artel(&["status"]).exits(0).out.split_whitespace().collect();
    assert!(shown.contains(&why), "{why} is not in {shown}");
    fs::remove_dir_all(house.repo().join(".git/refs/heads/artel").join(&run)).unwrap();
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
}

#[test]
fn artel_works_from_a_sub_folder_and_from_a_linked_worktree() {
    let house = house();
    let below = house.repo().join("src");
    artel_in(&house, &below, &["run", "../goal.md"]).exits(0);
    artel_in(&house, &below, &["status"]).exits(0).says("done:");
    let linked = house.root().join("linked");
    house.git(&["worktree", "add", "--quiet", "-b", "side", &linked.to_string_lossy()]);
    artel_in(&house, &linked, &["run", "goal.md"]).exits(0);
    assert_eq!(house.told("RunOpened")[0]["branch"], "side");
    artel_in(&house, &linked, &["deliver"]).exits(0);
    assert_eq!(fs::read_to_string(linked.join("src/a.py")).unwrap(), "print(new(1))\n");
    assert_eq!(fs::read_to_string(house.repo().join("src/a.py")).unwrap(), "print(old(1))\n");
    assert_eq!(house.git(&["show", "main:src/a.py"]), "print(old(1))");
    git_in(&house, &linked, &["diff", "--exit-code", "HEAD"]);
}

#[test]
fn a_long_and_odd_folder_name_is_a_folder_name() {
    let house = house();
    let odd = house.root().join(format!("a 'b' \"c\" $(d) ; é 漢 {}", "x".repeat(150)));
    fs::rename(house.repo(), &odd).unwrap();
    let fix = "worker.agents=command:sh -c 'sed -i s/old/new/ \"$PWD/src/a.py\"'";
    artel_in(&house, &odd, &["run", "goal.md", "--role", fix]).exits(0);
    artel_in(&house, &odd, &["deliver"]).exits(0);
    assert_eq!(fs::read_to_string(odd.join("src/a.py")).unwrap(), "print(new(1))\n");
    artel_in(&house, &odd, &["list"]).exits(0);
}

#[test]
fn a_folder_whose_name_is_not_utf_8_is_refused() {
    let house = house();
    let odd = house.root().join(std::ffi::OsStr::from_bytes(b"re\xffpo"));
    fs::rename(house.repo(), &odd).unwrap();
    for verb in ["run", "plan"] {
        let told = artel_in(&house, &odd, &[verb, "goal.md"]).exits(4);
        one_error(&told, &["a path that is not UTF-8 is not supported", "rename the folder"]);
    }
    artel_in(&house, &odd, &["list", "--json"]).exits(0).says("[]");
}

/// Runs a shell line in a mount namespace of its own; none where this machine allows no mounts.
#[expect(clippy::print_stderr, reason = "a story that cannot be told here must say why")]
fn with_mounts(house: &House, line: &str) -> Option<Said> {
    let can = |how: &str| Command::new("unshare").args([how, "mount", "-t", "tmpfs", "x", "/mnt"]).output();
    let how = ["-m", "-Urm"].into_iter().find(|how| can(how).is_ok_and(|out| out.status.success()));
    let Some(how) = how else {
        assert!(std::env::var_os("CI").is_none(), "no file system can be mounted here, so none can be read-only");
        eprintln!("skipped: this machine lets nobody mount a file system, so none can be read-only or full");
        return None;
    };
    let artel = house.command(&[]);
    let mut shell = Command::new("unshare");
    shell.args([how, "sh", "-c", line]).current_dir(house.repo()).env_clear();
    for (name, value) in artel.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell.env("ARTEL", env!("CARGO_BIN_EXE_artel"));
    Some(said(&shell.output().unwrap()))
}

#[test]
fn a_state_directory_that_is_read_only_is_read_and_never_written() {
    let house = house();
    house.artel(&["run", "goal.md"]).exits(0);
    let seal = "mount --bind $ARTEL_HOME $ARTEL_HOME && mount -o remount,bind,ro $ARTEL_HOME &&";
    for verb in ["run goal.md", "resume", "steer hello", "deliver"] {
        let Some(told) = with_mounts(&house, &format!("{seal} $ARTEL {verb}")) else { return };
        one_error(&told.exits(4), &["it may not be written", "set ARTEL_HOME"]);
    }
    for verb in ["status", "list", "log", "plan goal.md"] {
        with_mounts(&house, &format!("{seal} $ARTEL {verb}")).unwrap().exits(0);
    }
    let empty = "mount -t tmpfs -o ro x $ARTEL_HOME && $ARTEL run goal.md";
    one_error(&with_mounts(&house, empty).unwrap().exits(4), &["it may not be written", "set ARTEL_HOME"]);
}

#[test]
fn a_full_state_directory_stops_the_run_and_loses_nothing() {
    let house = house();
    fs::create_dir_all(house.home()).unwrap();
    let tiny = "mount -t tmpfs -o size=64k x $ARTEL_HOME && $ARTEL run goal.md";
    let Some(told) = with_mounts(&house, tiny) else { return };
    one_error(&told.exits(4), &["no space is left"]);
    let filled = "mount -t tmpfs -o size=4m x $ARTEL_HOME && $ARTEL run --open-only goal.md && \
                  head -c 8000000 /dev/zero > $ARTEL_HOME/ballast; $ARTEL resume; test $? = 4 || exit 99; \
                  $ARTEL status || exit 98; rm $ARTEL_HOME/ballast; $ARTEL resume && $ARTEL status --json";
    let told = with_mounts(&house, filled).unwrap().exits(0);
    assert!(told.err.contains("no space is left; free some, then resume"), "{}", told.err);
    assert!(told.out.contains("done: every done-condition holds"), "{}", told.out);
}

#[test]
fn a_state_directory_that_is_none_is_refused() {
    let house = house();
    fs::write(house.home(), "").unwrap();
    one_error(&house.artel(&["run", "goal.md"]).exits(4), &["state", "hint: ARTEL_HOME"]);
    let relative = said(&house.command(&["run", "goal.md"]).env("ARTEL_HOME", "here").output().unwrap());
    one_error(&relative.exits(4), &["ARTEL_HOME=`here`", "not an absolute path"]);
}

#[test]
fn doctor_names_what_would_keep_every_run_from_beginning() {
    let unfit = |house: &House, what: &str| {
        let facts = house.artel(&["doctor", "--json"]).exits(4).json();
        let named = facts.as_array().unwrap().iter().find(|fact| fact["name"] == what);
        assert_eq!(named.unwrap_or_else(|| panic!("no `{what}` in {facts}"))["fit"], "unfit");
    };
    let taken = house();
    taken.artel(&["doctor"]).exits(0);
    taken.git(&["branch", "artel"]);
    unfit(&taken, "branches");
    let faulty = house();
    faulty.write("artel.toml", "wrokers = 3\n");
    unfit(&faulty, "artel.toml");
    let role = house();
    role.write(".artel/roles/worker.toml", "agents = [\"nobody\"]\n");
    unfit(&role, "roles");
    let empty = House::with(&[]);
    empty.git(&["checkout", "--quiet", "--orphan", "unborn"]);
    unfit(&empty, "base");
}

#[test]
fn a_goal_that_finds_nothing_to_do_says_so() {
    let house = House::with(&[("rename.yml", RENAME), ("src/a.py", "print(1)\n")]);
    house.write("goal.md", &rename_goal("plan: { rules: [rename.yml], sample: 1 }\n"));
    house.commit("goal");
    let said = house.artel(&["run", "goal.md"]).exits(0).says("no task: the planner found nothing to do");
    assert!(!said.err.contains("the sample has landed"), "{}", said.err);
}

#[test]
fn a_condition_that_does_not_hold_shows_why() {
    let house = house();
    let goal = "---\nname: g\ndone: [./run-the-tests.sh, { query: { regex: 'print' } }]\nplan: { rules: [rename.yml], iterations: 1 }\n---\ng\n";
    house.write("goal.md", goal);
    house.commit("goal");
    house.artel(&["run", "goal.md"]).exits(5).says("exit code 127: ").says("src/a.py:1: print(new(1))");
    let why = house.board()["conditions"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("run-the-tests.sh"), "{why}");
}
