//! Owns the view of which processes are alive and the ending of those that must not be. Never starts one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

/// Ends rounds of killing after about ten seconds: what is left by then cannot be killed by this user.
const ROUNDS: u32 = 200;

/// Describes a process as the kernel's table shows it.
struct Seen {
    pid: i32,
    zombie: bool,
    parent: i32,
    session: i32,
}

/// Stops and then kills every descendant of this process, reaps them, and tells how many it met alive.
///
/// Needs this process to be their subreaper. They are stopped first, and looked for again until no new one is found,
/// because one that forks faster than it is killed would otherwise win.
pub(super) fn end_descendants() -> u32 {
    let mut met = BTreeSet::new();
    for round in 0..ROUNDS {
        if reap_all() {
            break;
        }
        let mut stopped = BTreeSet::new();
        loop {
            let new: Vec<i32> = descendants(own_pid()).into_iter().filter(|pid| stopped.insert(*pid)).collect();
            new.iter().for_each(|pid| signal(*pid, Signal::STOP));
            if new.is_empty() {
                break;
            }
        }
        stopped.iter().for_each(|pid| signal(*pid, Signal::KILL));
        met.extend(stopped);
        if reap_all() {
            break;
        }
        // The kernel needs a moment to take a killed process down; there is nothing to wait on but its death.
        std::thread::sleep(Duration::from_millis(u64::from(round.clamp(1, 50))));
    }
    u32::try_from(met.len()).unwrap_or(u32::MAX)
}

/// Kills what an init that vanished has left: all of its session and all whose environment carries its mark.
pub(super) fn end_stragglers(session: i32, mark: &str) -> u32 {
    let mut met = BTreeSet::new();
    for round in 0..ROUNDS {
        let left: Vec<i32> = all()
            .into_iter()
            .filter(|seen| !seen.zombie && seen.pid != own_pid() && seen.pid != session)
            .filter(|seen| seen.session == session || carries(seen.pid, mark))
            .map(|seen| seen.pid)
            .collect();
        if left.is_empty() {
            break;
        }
        left.iter().for_each(|pid| signal(*pid, Signal::STOP));
        left.iter().for_each(|pid| signal(*pid, Signal::KILL));
        met.extend(left);
        std::thread::sleep(Duration::from_millis(u64::from(round.clamp(1, 50))));
    }
    u32::try_from(met.len()).unwrap_or(u32::MAX)
}

/// Reaps every child that has ended; tells whether none is left.
fn reap_all() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// Lists the living descendants of a process.
fn descendants(of: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<Seen>> = BTreeMap::new();
    for seen in all() {
        children.entry(seen.parent).or_default().push(seen);
    }
    let (mut found, mut open) = (Vec::new(), vec![of]);
    while let Some(parent) = open.pop() {
        for seen in children.remove(&parent).unwrap_or_default() {
            open.push(seen.pid);
            if !seen.zombie {
                found.push(seen.pid);
            }
        }
    }
    found
}

fn all() -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| look(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

fn look(pid: i32) -> Option<Seen> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name stands in brackets and may itself hold brackets and blanks.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some(Seen { pid, zombie, parent, session })
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

fn signal(pid: i32, signal: Signal) {
    // A process that is gone, or that belongs to somebody else, is not an error here: the next round looks again.
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_knows_this_process_and_its_session() {
        let own = look(own_pid()).unwrap();
        assert_eq!(own.session, rustix::process::getsid(None).unwrap().as_raw_nonzero().get());
        assert_eq!(Some(own.parent), rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()));
        assert!(!own.zombie);
    }
}
