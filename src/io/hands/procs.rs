//! Owns the view of which processes are alive and the ending of those that must not be. Never starts one.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, wait};

/// Ends the killing: what is left by then cannot be killed by this user.
const PATIENCE: Duration = Duration::from_secs(10);

/// Describes a process as the kernel's table shows it.
struct Seen {
    pid: i32,
    zombie: bool,
    parent: i32,
    group: i32,
    session: i32,
    threads: usize,
}

/// Kills the group of a command that has ended and every descendant of this process, reaps them, and tells how many of
/// them were killed.
///
/// Needs this process to be their subreaper. What forks faster than it can be listed is caught by its process group,
/// which the kernel signals as a whole, in a time that does not grow with the table of processes; what also leaves its
/// group with each fork can only be outrun.
pub(super) fn end_descendants(command: Pid) -> u32 {
    let (mut killed, mut met) = (0, BTreeSet::new());
    let end = Instant::now() + PATIENCE;
    loop {
        let _ = kill_process_group(command, Signal::KILL);
        if reap_all(&mut killed) || Instant::now() > end {
            return killed;
        }
        let mut left = descendants(own_pid());
        left.retain(|seen| !seen.zombie);
        pause_unless(kill_all(left, &mut met));
    }
}

/// Kills what an init that vanished has left: all of its session and all whose environment carries its mark.
///
/// Each is killed with its group as soon as it is met, since what forks without end goes on while the table is read.
pub(super) fn end_stragglers(session: i32, mark: &str) -> u32 {
    let mut met = BTreeSet::new();
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let (before, mut is_left) = (met.len(), false);
        for seen in all().filter(|seen| !seen.zombie && seen.pid != own_pid() && seen.pid != session) {
            if seen.session == session || carries(seen.pid, mark) {
                is_left = true;
                kill_all(vec![seen], &mut met);
            }
        }
        if !is_left {
            break;
        }
        pause_unless(met.len() > before);
    }
    u32::try_from(met.len()).unwrap_or(u32::MAX)
}

/// Tells whether the job has more processes and threads than that, those among them that are dead and not reaped: all
/// that this one can see, where it is the first of a namespace.
pub(super) fn are_more_than(most: usize) -> bool {
    let mut left = most;
    let is_over = |seen: Seen| {
        let (rest, over) = left.overflowing_sub(seen.threads);
        left = rest;
        over
    };
    if own_pid() == 1 { all().any(is_over) } else { descendants(own_pid()).into_iter().any(is_over) }
}

/// Kills the children of a process.
pub(super) fn kill_children(of: i32) {
    for child in children(of).into_iter().filter_map(Pid::from_raw) {
        // One that is gone already is as wanted.
        let _ = kill_process(child, Signal::KILL);
    }
}

/// Kills processes and their groups; tells whether one of them had not been met before.
///
/// A group lies within one session and a session within one job, so that no stranger is in it.
fn kill_all(seen: Vec<Seen>, met: &mut BTreeSet<i32>) -> bool {
    let own = look(own_pid()).map(|own| own.group);
    let groups: BTreeSet<i32> = seen.iter().map(|seen| seen.group).filter(|group| Some(*group) != own).collect();
    // What is gone already, or belongs to somebody else, is not an error here: the next round looks again.
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    for pid in seen.iter().filter_map(|seen| Pid::from_raw(seen.pid)) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let before = met.len();
    met.extend(seen.into_iter().map(|seen| seen.pid));
    met.len() > before
}

/// Gives the kernel a moment to take killed processes down; there is nothing to wait on but their death.
fn pause_unless(new_ones_were_met: bool) {
    if !new_ones_were_met {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How many are reaped before what is left is killed again: what forks without end also dies without end.
const REAPED_AT_ONCE: u32 = 4096;

/// Reaps children that have ended and counts those that were killed; tells whether no child is left.
fn reap_all(killed: &mut u32) -> bool {
    for _ in 0..REAPED_AT_ONCE {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((_, status))) => *killed += u32::from(status.terminating_signal() == Some(Signal::KILL.as_raw())),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
    false
}

/// Lists the descendants of a process.
fn descendants(of: i32) -> Vec<Seen> {
    let (mut found, mut open) = (Vec::new(), vec![of]);
    while let Some(parent) = open.pop() {
        for child in children(parent) {
            open.push(child);
            found.extend(look(child));
        }
    }
    found
}

/// Lists the children of a process, by the kernel's own list where it keeps one: what that costs follows from how many
/// there are, and not from how many processes the machine has.
fn children(of: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{of}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.filter_map(Result::ok) {
        match std::fs::read_to_string(thread.path().join("children")) {
            Ok(list) => found.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok())),
            Err(_) if thread.path().exists() => {
                return all().filter(|seen| seen.parent == of).map(|seen| seen.pid).collect();
            }
            Err(_) => {}
        }
    }
    found
}

fn all() -> impl Iterator<Item = Seen> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| look(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

fn look(pid: i32) -> Option<Seen> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name stands in brackets and may itself hold brackets and blanks.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    let threads = fields.nth(13)?.parse().ok()?;
    Some(Seen { pid, zombie, parent, group, session, threads })
}

fn carries(pid: i32, mark: &str) -> bool {
    let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
}

/// Gives the processor time of all children that were reaped, with theirs, in milliseconds.
pub(super) fn cpu_of_reaped_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rfind(')').map_or("", |at| &stat[at + 1..]);
    let ticks: u64 = after_name.split_ascii_whitespace().skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    use super::*;

    #[test]
    fn the_table_knows_a_process_its_group_and_its_session() {
        // A session of the test's own: the one that it was started in may lie outside its process namespace.
        let mut child = std::process::Command::new("setsid")
            .args(["sh", "-c", "echo started; read _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let seen = look(pid).unwrap();
        assert_eq!((seen.pid, seen.parent, seen.group, seen.session), (pid, own_pid(), pid, pid));
        assert!(!seen.zombie);
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_child_is_found_by_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(children(own_pid()).contains(&pid));
        assert!(all().any(|seen| seen.pid == pid && seen.parent == own_pid()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
