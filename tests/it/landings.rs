//! Tells that a landing survives death within any system call that changes something, and that all it wrote is on the
//! disk before the journal says that it has landed. `ARTEL_FULL=1` dies in each call instead of a sample.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{House, RENAME, Said, rename_goal, said};
use crate::crew::{holds_the_laws, landed_tasks};
use crate::deaths::{chance, is_full, leaves_nothing};
use crate::disk::has_strace;

/// Calls that change what other processes, or a later start, find. A death before a file is made is one after the call
/// before, so opening is none of them.
const CHANGING: [&str; 14] = [
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "link",
    "linkat",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "rmdir",
    "utimensat",
];

/// How many deaths are died where not all are.
const SAMPLE: usize = 4;

/// Builds a repository in which so many tasks are to be done by rule, hence without a process; some files are packed
/// and some are not, and some of the run's refs lie in packed-refs.
fn house(files: usize) -> House {
    let goal = rename_goal("plan: { rules: [rename.yml], files_per_task: 1 }\n");
    let house = House::with(&[("goal.md", &goal), ("rename.yml", RENAME)]);
    for number in 1..=files {
        house.write(&format!("src/{number}/a.py"), &format!("print(old({number}))\n"));
    }
    house.commit("sources");
    house
}

/// Runs a verb under strace with these options.
fn traced(house: &House, options: &[&str], args: &[&str]) -> std::process::Output {
    let artel = house.command(args);
    let mut strace = Command::new("strace");
    // Not with `--seccomp-bpf`, under which no signal can be injected.
    strace.args(["-f", "-qq"]).args(options).arg(artel.get_program()).args(args);
    strace.current_dir(house.repo()).env_clear().stdin(Stdio::null());
    strace.envs(artel.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // With one thread for all that blocks each call has its number: strace counts each thread's by themselves.
    strace.env("TOKIO_WORKER_THREADS", "1").env("ARTEL_BLOCKING_THREADS", "1").output().unwrap()
}

/// Has a run die in one call; tells whether it did.
fn dies_in(house: &House, call: &str, number: u32) -> bool {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={number}"));
    let out = traced(house, &["-o", "/dev/null", "-e", &trace, "-e", &inject], &["run", "goal.md"]);
    // strace ends as what it traced has ended.
    let died = out.status.signal() == Some(9);
    assert!(died || out.status.code() == Some(0), "{call} {number}: {:?}", said(&out));
    died
}

/// Takes the run up again and asserts all that must hold of one that was never disturbed.
#[track_caller]
fn goes_on(house: &House, wanted: &str, tasks: usize) -> Said {
    let is_stored = house.artel(&["status"]).code == Some(0);
    let verb: &[&str] = if is_stored { &["resume"] } else { &["run", "goal.md"] };
    let told = house.artel(verb).exits(0);
    assert_eq!(house.git(&["rev-parse", &format!("{}^{{tree}}", house.head())]), wanted);
    let landed: BTreeSet<String> = landed_tasks(&house.events()).into_iter().collect();
    assert_eq!(landed.len(), tasks);
    holds_the_laws(house);
    leaves_nothing(house);
    told
}

/// Tells how many tasks a run of so many files has, and what tree it comes to.
fn undisturbed(files: usize) -> (String, usize) {
    let house = house(files);
    house.artel(&["run", "goal.md"]).exits(0);
    (house.git(&["rev-parse", &format!("{}^{{tree}}", house.head())]), landed_tasks(&house.events()).len())
}

/// Tells how often one thread makes each call, at most.
fn most_calls(files: usize) -> BTreeMap<String, u32> {
    let house = house(files);
    let trace = house.root().join("trace");
    let calls = format!("trace={}", CHANGING.join(","));
    let out = traced(&house, &["-o", trace.to_str().unwrap(), "-e", &calls], &["run", "goal.md"]);
    assert_eq!(out.status.code(), Some(0));
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    for line in fs::read_to_string(trace).unwrap().lines().filter(|line| !line.contains("resumed>")) {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        *counts.entry((call.to_owned(), thread.to_owned())).or_default() += 1;
    }
    let mut most: BTreeMap<String, u32> = BTreeMap::new();
    for ((call, _), count) in counts {
        most.entry(call).and_modify(|most| *most = count.max(*most)).or_insert(count);
    }
    most
}

/// Dies once in each of the calls, or in a sample of them, of a run with so many files.
#[expect(clippy::print_stdout, reason = "how many points there are is what is asked of the whole sweep")]
fn sweep(files: usize, salt: u64) {
    if !has_strace() {
        return;
    }
    let (wanted, tasks) = undisturbed(files);
    let most = most_calls(files);
    let mut points: Vec<(&String, u32)> =
        most.iter().flat_map(|(call, most)| (1..=*most).map(move |number| (call, number))).collect();
    let all = points.len();
    if !is_full() {
        chance(salt).shuffle(&mut points);
        points.truncate(SAMPLE);
    }
    let mut died = 0;
    for (tried, (call, number)) in points.iter().enumerate() {
        let house = house(files);
        died += usize::from(dies_in(&house, call, *number));
        goes_on(&house, &wanted, tasks);
        if is_full() && (tried + 1) % 50 == 0 {
            println!("{died} of {} died, of {all} points; the last is {call} {number}", tried + 1);
        }
    }
    println!("{died} of {} died, of {all} points", points.len());
    // Which thread does what is chance, so that not every number is reached each time.
    assert!(died * 2 > points.len(), "only {died} of {} died", points.len());
}

#[test]
fn a_death_within_any_call_of_a_landing_loses_nothing() {
    sweep(3, 11);
}

#[test]
fn a_death_within_any_call_of_a_landing_of_many_loses_nothing() {
    sweep(9, 12);
}

/// What was seen of one name in the file system, up to a moment.
#[derive(Default, Debug)]
struct Written {
    /// Files that were written and not flushed since.
    unflushed: BTreeSet<String>,
    /// Folders in which a name was made and that were not flushed since.
    unnamed: BTreeSet<String>,
}

impl Written {
    fn see(&mut self, call: &str, line: &str) {
        let of_fd = |line: &str| {
            let from = line.find('<')?;
            Some(line[from + 1..].split(['>', '"']).next()?.to_owned())
        };
        let paths: Vec<String> = line.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        let folder = |path: &String| Path::new(path).parent().map(|it| it.to_string_lossy().into_owned());
        match call {
            "write" | "pwrite64" => self.unflushed.extend(of_fd(line)),
            "fsync" | "fdatasync" => {
                if let Some(path) = of_fd(line) {
                    self.unflushed.remove(&path);
                    self.unnamed.remove(path.trim_end_matches('/'));
                }
            }
            "rename" | "link" => {
                if let [from, to] = &paths[..] {
                    if self.unflushed.remove(from) {
                        self.unflushed.insert(to.clone());
                    }
                    self.unnamed.extend(folder(to));
                }
            }
            "mkdir" => self
                .unnamed
                .extend(paths.first().map(|it| it.trim_end_matches('/').to_owned()).as_ref().and_then(folder)),
            // A name that is removed is no longer owed to the disk.
            "unlink" => drop(paths.first().map(|path| self.unflushed.remove(path))),
            _ => {}
        }
    }

    /// Keeps what a landing owes to the disk: objects, and refs that are not merely being made.
    fn owed(&self, git: &str) -> BTreeSet<String> {
        let is_owed = |path: &&String| {
            let below = path.strip_prefix(git).unwrap_or_default();
            let is_kept = below.starts_with("/objects") || below.starts_with("/refs") || below.is_empty();
            path.starts_with(git) && is_kept && !below.ends_with(".lock")
        };
        self.unflushed.iter().chain(&self.unnamed).filter(is_owed).cloned().collect()
    }
}

#[test]
fn all_that_a_landing_wrote_is_on_the_disk_before_the_journal_says_that_it_landed() {
    if !has_strace() {
        return;
    }
    let house = house(6);
    let trace = house.root().join("trace");
    let calls = "trace=write,pwrite64,fsync,fdatasync,rename,link,unlink,mkdir";
    let out = traced(&house, &["-y", "-s", "65536", "-o", trace.to_str().unwrap(), "-e", calls], &["run", "goal.md"]);
    assert_eq!(out.status.code(), Some(0));
    let git = house.repo().join(".git").to_string_lossy().into_owned();
    let (mut written, mut landed, mut flushes) = (Written::default(), 0, 0);
    let mut begun: BTreeMap<String, String> = BTreeMap::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        // A call counts when it has ended; a write when it begins, which is the stricter.
        let rest = rest.trim_start();
        let whole = if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread.to_owned(), start.to_owned());
            continue;
        } else if rest.starts_with("<... ") {
            begun.remove(thread).unwrap_or_default() + rest.split_once("resumed>").map_or("", |(_, rest)| rest)
        } else {
            rest.to_owned()
        };
        let Some((call, _)) = whole.split_once('(') else { continue };
        // What stands before a result may be blanks: strace lines results up where a call was interrupted.
        if whole.rsplit_once(" = ").is_some_and(|(_, result)| result.starts_with("-1 ")) {
            continue;
        }
        if call == "pwrite64" && whole.contains("artel.db-wal") && whole.contains("BatchLanded") {
            assert_eq!(written.owed(&git), BTreeSet::new(), "it has landed, and this is not on the disk");
            landed += 1;
        }
        flushes += usize::from(call == "fsync" && whole.contains(&git));
        written.see(call, &whole);
    }
    assert!(landed > 0 && flushes > 5, "{landed} landings, {flushes} flushes were seen");
}
