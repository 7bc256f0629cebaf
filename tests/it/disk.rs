//! Tells what becomes of a run while the disk on which its state lies is short of space, full, or broken.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::common::{House, Said, said};
use crate::crew::{all_end, crew, holds_the_laws, landed_tasks, of_kind, open_gate, playing, processes, waits};

/// Holds a house whose state directory is a small file system, in a mount namespace that this keeps alive.
struct Small {
    house: House,
    holder: Child,
    is_user: bool,
}

impl Small {
    /// Mounts a file system of this many MiB on the state directory; none where this machine allows no mounts, which is
    /// said, and is no excuse where all tests must run.
    #[expect(clippy::print_stderr, reason = "a story that cannot be told here must say why")]
    fn of(house: House, mib: u32) -> Option<Self> {
        fs::create_dir_all(house.home()).unwrap();
        for is_user in [false, true] {
            let how = if is_user { "-Urm" } else { "-m" };
            let home = house.home();
            let line = format!("mount -t tmpfs -o size={mib}m small '{}' && echo ready && exec cat", home.display());
            let mut holder = Command::new("unshare");
            holder.args([how, "sh", "-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let Ok(mut holder) = holder.spawn() else { continue };
            let mut ready = [0; 6];
            if holder.stdout.as_mut().unwrap().read_exact(&mut ready).is_ok() {
                return Some(Self { house, holder, is_user });
            }
            holder.wait().unwrap();
        }
        assert!(std::env::var_os("CI").is_none(), "no file system can be mounted here, so none can be full");
        eprintln!("skipped: this machine lets nobody mount a file system, so none can be full");
        None
    }

    fn command(&self, args: &[&str]) -> Command {
        let artel = self.house.command(args);
        let mut inside = Command::new("nsenter");
        let (repo, pid) = (self.house.repo(), self.holder.id());
        inside.arg(format!("--target={pid}")).arg("--mount").arg(format!("--wd={}", repo.display()));
        if self.is_user {
            inside.args(["--user", "--preserve-credentials"]);
        }
        inside.arg("--").arg(artel.get_program()).args(args).env_clear().stdin(Stdio::null());
        inside.envs(artel.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }

    fn artel(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().unwrap())
    }

    fn start(&self, args: &[&str]) -> Child {
        let log = fs::File::create(self.house.root().join("started.log")).unwrap();
        self.command(args).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn events(&self) -> Vec<serde_json::Value> {
        self.artel(&["log", "--json"]).json_lines()
    }

    /// Fills the disk but for this many KiB.
    fn fill(&self, kib_left: u64) {
        let ballast = self.ballast();
        let free = || rustix::fs::statvfs(ballast.parent().unwrap()).map(|it| it.f_bavail * it.f_frsize).unwrap();
        let mut file = fs::File::create(&ballast).unwrap();
        let chunk = [0; 4096];
        while free() > kib_left << 10 {
            if std::io::Write::write_all(&mut file, &chunk).is_err() {
                return;
            }
        }
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> std::path::PathBuf {
        let home = self.house.home();
        let inside = home.strip_prefix("/").unwrap();
        std::path::Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside).join("ballast")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Builds three tasks, each of which waits at a gate of its own.
fn gated() -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("src/c.txt", "old\n")]);
    let tasks = [("a", "src/a.txt", ""), ("b", "src/b.txt", ""), ("c", "src/c.txt", "")];
    let steps = format!("{}  - write: {{text: new}}\n", waits(&house, "{task}"));
    crew(&house, &tasks, &steps, "checks: [ls]\n");
    house
}

fn at_a_gate(house: &House) {
    house.until("the agent waits", || processes(house).values().any(|line| line.contains("sleep 0.02")));
}

/// Asserts that the run has come to its end by itself, with every task landed once.
#[track_caller]
fn ends_whole(small: &Small, mut run: Child) {
    let log = small.house.root().join("started.log");
    let code = run.wait().unwrap().code();
    assert_eq!(code, Some(0), "{}", fs::read_to_string(log).unwrap());
    let events = small.events();
    let mut landed = landed_tasks(&events);
    landed.sort();
    assert_eq!(landed, ["t1", "t2", "t3"]);
    all_but_the_holder_end(small);
}

fn all_but_the_holder_end(small: &Small) {
    small.house.until("nobody lives on", || processes(&small.house).keys().all(|pid| *pid == small.holder.id()));
}

#[test]
fn a_disk_short_of_space_begins_nothing_new_and_the_run_goes_on_by_itself() {
    let Some(small) = Small::of(gated(), 32) else { return };
    let run = small.start(&playing(&["--workers", "1"]));
    at_a_gate(&small.house);
    // A sixteenth of a small disk must be free: two MiB.
    small.fill(1500);
    open_gate(&small.house, "t1");
    small.house.until("what ran has landed", || landed_tasks(&small.events()) == ["t1"]);
    small.artel(&["status"]).exits(0).says("until there is space").says("KiB are free at");
    assert_eq!(of_kind(&small.events(), "AttemptLeased").len(), 1, "something new was begun");
    assert_eq!(of_kind(&small.events(), "SpaceRanShort").len(), 1);
    small.empty();
    small.house.until("the next is begun", || of_kind(&small.events(), "AttemptLeased").len() == 2);
    assert_eq!(of_kind(&small.events(), "SpaceCameBack").len(), 1);
    ["t2", "t3"].iter().for_each(|task| open_gate(&small.house, task));
    ends_whole(&small, run);
}

/// Plays two tasks, one after the other, of which the first leaves on the disk what fills it.
fn what_is_left_behind_is_cleared(place: &str, steps: &str) {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), (".gitignore", "target\n")]);
    house.in_the_open();
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], steps, "checks: [ls]\n");
    let Some(small) = Small::of(house, 32) else { return };
    let log = small.house.root().join("started.log");
    let code = small.start(&playing(&["--workers", "1"])).wait().unwrap().code();
    assert_eq!(code, Some(0), "{place}: {}", fs::read_to_string(log).unwrap());
    assert_eq!(landed_tasks(&small.events()).len(), 2, "{place}");
}

#[test]
fn what_an_attempt_built_stops_no_other_for_want_of_space() {
    let fills = |place: &str| {
        let line = format!("head -c 31000000 /dev/zero > {place}");
        format!("  - match: {{title: a, then: [{{run: 'mkdir -p target && {line}'}}]}}\n  - write: {{text: new}}\n")
    };
    for place in ["target/built", "\"$TMPDIR\"/built"] {
        what_is_left_behind_is_cleared(place, &fills(place));
    }
}

#[test]
fn a_full_disk_loses_nothing_and_the_run_goes_on_by_itself() {
    let Some(small) = Small::of(gated(), 16) else { return };
    let run = small.start(&playing(&["--workers", "1"]));
    at_a_gate(&small.house);
    let before = small.events();
    small.fill(0);
    open_gate(&small.house, "t1");
    small.house.until("the agent has ended", || processes(&small.house).values().all(|it| !it.contains("__script")));
    // For the disk to stay full while the end of the attempt is to be stored; what must hold holds however long.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(processes(&small.house).values().any(|line| line.contains("goal.md")), "the coordinator gave up");
    small.empty();
    ["t2", "t3"].iter().for_each(|task| open_gate(&small.house, task));
    ends_whole(&small, run);
    assert_eq!(small.events()[..before.len()], before, "what was acknowledged is gone");
}

#[test]
fn a_check_that_fills_the_disk_says_nothing_against_anybody() {
    let house = gated();
    let ballast = house.home().join("ballast");
    let fills = format!("head -c 90000000 /dev/zero > {0}; test ! -s {0}", ballast.display());
    let goal = fs::read_to_string(house.repo().join("goal.md")).unwrap();
    let check = format!("checks: [\"test -e {} || {{ {fills}; }}\"]", ballast.display());
    house.write("goal.md", &goal.replace("checks: [ls]", &check));
    house.commit("a check that fills the disk once");
    let Some(small) = Small::of(house, 16) else { return };
    ["t1", "t2", "t3"].iter().for_each(|task| open_gate(&small.house, task));
    let run = small.start(&playing(&["--workers", "1"]));
    small.house.until("the check has filled the disk", || {
        let is_full = fs::metadata(small.ballast()).is_ok_and(|meta| meta.len() > 8 << 20);
        is_full && processes(&small.house).values().all(|line| !line.contains("head -c"))
    });
    // Emptied, not removed: the check fills the disk where there is no such file.
    fs::File::create(small.ballast()).unwrap();
    ends_whole(&small, run);
    assert_eq!(of_kind(&small.events(), "BaselineTaken")[0]["results"][0]["answer"], "green");
}

/// Tells whether strace is here; without it nothing can be injected, which is said, and is no excuse where all tests
/// must run.
#[expect(clippy::print_stderr, reason = "a story that cannot be told here must say why")]
pub fn has_strace() -> bool {
    let can = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).output();
    if can.is_ok_and(|out| out.status.success()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "strace is not here or may not trace; `.ci/test` installs it");
    eprintln!("skipped: strace is not here or may not trace, so no system call can be made to fail");
    false
}

#[test]
fn a_flush_that_fails_ends_the_run_at_once_and_who_resumes_it_recovers() {
    if !has_strace() {
        return;
    }
    for number in [2, 3, 4] {
        let house = gated();
        ["t1", "t2", "t3"].iter().for_each(|task| open_gate(&house, task));
        let trace = house.root().join("trace");
        let artel = house.command(&playing(&["--workers", "1"]));
        let mut strace = Command::new("strace");
        strace.args(["-f", "--seccomp-bpf", "-qq", "-y", "-e", "trace=fsync,fdatasync,pwrite64", "-e"]);
        strace.arg(format!("inject=fsync,fdatasync:error=EIO:when={number}+")).arg("-o").arg(&trace);
        strace.arg("-P").arg(house.home().join("artel.db-wal"));
        strace.arg(artel.get_program()).args(artel.get_args()).current_dir(house.repo()).env_clear();
        strace.envs(artel.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
        let told = said(&strace.output().unwrap());
        assert!(told.code != Some(0) && !told.err.contains("panicked"), "{number}: {told:?}");
        let calls = fs::read_to_string(&trace).unwrap();
        let failed = calls.lines().position(|line| line.contains("EIO")).expect("a flush of the journal failed");
        let after: Vec<&str> = calls.lines().skip(failed + 1).collect();
        assert_eq!(after, Vec::<&str>::new(), "the journal was written or flushed after a flush had failed");
        if house.artel(&["status"]).code == Some(0) {
            told.exits(70);
            house.artel(&["resume"]).exits(0);
        } else {
            house.artel(&playing(&["--workers", "1"])).exits(0);
        }
        let mut landed = landed_tasks(&house.events());
        landed.sort();
        assert_eq!(landed, ["t1", "t2", "t3"], "{number}");
        holds_the_laws(&house);
        all_end(&house);
    }
}
