//! Owns the laws that only the journal on disk can break: several processes, death, damage, refusing disks.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Barrier;

use rusqlite::Connection;

use crate::io::files::tests::without_privilege;
use crate::io::journal::laws::{events, open, run};
use crate::io::journal::{Journal, JournalError, SqliteJournal};
use crate::model::ids::RunId;

/// Tells a test that it is the child, and where the journal lies.
const CHILD: &str = "ARTEL_TEST_CHILD";

fn started(dir: &Path) -> (SqliteJournal, RunId, u64) {
    let journal = SqliteJournal::open(&dir.join("artel.db")).unwrap();
    let run = open(&journal, "r-1", None, 1);
    let epoch = journal.claim(&run, "1@here").unwrap();
    (journal, run, epoch)
}

/// Prepares to run one test of this program as a process of its own, told where the journal lies.
fn child(program: &str, test: &str, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    let own = std::env::current_exe().unwrap();
    command.args(["-c", program, "sh"]).arg(own).args(["--exact", &format!("{}::{test}", module()), "--nocapture"]);
    command.env(CHILD, dir.join("artel.db")).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn module() -> &'static str {
    module_path!().split_once("::").unwrap().1
}

fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Says on standard output which event was acknowledged, past the harness's capture.
fn acknowledge(seq: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "acknowledged {seq}").unwrap();
    out.flush().unwrap();
}

fn acknowledged(line: &str) -> Option<u64> {
    line.rsplit_once("acknowledged ").map(|(_, seq)| seq.parse().unwrap())
}

fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

#[test]
fn writers_of_different_runs_share_one_file() {
    let temp = tempfile::tempdir().unwrap();
    let (path, start) = (temp.path().join("artel.db"), Barrier::new(4));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                let journal = SqliteJournal::open(path).unwrap();
                let run = open(&journal, &format!("r-{writer}"), None, writer);
                let epoch = journal.claim(&run, "x").unwrap();
                for turn in 0..60 {
                    assert_eq!(journal.append(&run, epoch, turn * 2, &events(&["A", "B"])).unwrap(), turn * 2 + 2);
                }
            });
        }
    });
    let journal = SqliteJournal::open(&path).unwrap();
    for row in journal.runs().unwrap() {
        assert_eq!((row.last_seq, journal.read(&row.run, 1, 1000).unwrap().len()), (120, 120));
    }
}

#[test]
fn of_two_writers_of_one_run_exactly_one_wins() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, run, epoch) = started(temp.path());
    let rival = SqliteJournal::open(&temp.path().join("artel.db")).unwrap();
    for turn in 0..30 {
        let start = Barrier::new(2);
        let attempt = |journal: &SqliteJournal, name: &str| {
            start.wait();
            journal.append(&run, epoch, turn, &events(&[name]))
        };
        let answers = std::thread::scope(|scope| {
            let one = scope.spawn(|| attempt(&journal, "One"));
            [attempt(&rival, "Two"), one.join().unwrap()]
        });
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        let stale = answers.iter().filter(|answer| matches!(answer, Err(JournalError::Stale { .. }))).count();
        assert_eq!((won, stale), (1, 1), "{answers:?}");
    }
    assert_eq!(journal.last_seq(&run).unwrap(), 30);
}

#[test]
fn claims_at_one_moment_get_epochs_of_their_own() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, run, _) = started(temp.path());
    let claim = || SqliteJournal::open(&temp.path().join("artel.db")).unwrap().claim(&run, "x").unwrap();
    let mut epochs = std::thread::scope(|scope| {
        let claims = [(); 4].map(|()| scope.spawn(claim));
        claims.map(|claim| claim.join().unwrap())
    });
    epochs.sort_unstable();
    assert_eq!(epochs, [2, 3, 4, 5]);
    drop(journal);
}

#[test]
fn all_who_open_a_journal_at_its_birth_get_it() {
    for _ in 0..30 {
        let (temp, start) = (tempfile::tempdir().unwrap(), Barrier::new(8));
        let open = || {
            start.wait();
            SqliteJournal::open(&temp.path().join("artel.db")).map(|_| ())
        };
        std::thread::scope(|scope| {
            let openers = [(); 8].map(|()| scope.spawn(open));
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn requests_from_all_sides_arrive_each_once() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, run, _) = started(temp.path());
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let (run, path) = (&run, temp.path().join("artel.db"));
            scope.spawn(move || {
                let journal = SqliteJournal::open(&path).unwrap();
                for number in 0..15 {
                    let id = format!("q-{sender}-{number}").parse().unwrap();
                    journal.send_request(run, &id, 1, "{}").unwrap();
                    journal.send_request(run, &"same".parse().unwrap(), 1, "{}").unwrap();
                }
            });
        }
    });
    assert_eq!(journal.requests(&run, 0).unwrap().len(), 4 * 15 + 1);
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    if let Some(path) = child_path() {
        let journal = SqliteJournal::open(&path).unwrap();
        let epoch = journal.claim(&run("r-1"), "child").unwrap();
        for after in 0.. {
            acknowledge(journal.append(&run("r-1"), epoch, after, &events(&["A"])).unwrap());
        }
    }
    let temp = tempfile::tempdir().unwrap();
    drop(started(temp.path()));
    let mut writer = child("exec \"$@\"", "what_was_acknowledged_outlives_a_kill", temp.path()).spawn().unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut last = 0;
    for line in lines.map_while(Result::ok) {
        last = acknowledged(&line).unwrap_or(last);
        if last == 40 {
            writer.kill().unwrap();
        }
    }
    writer.wait().unwrap();
    assert!(last >= 40, "the child stopped at {last}");
    let journal = SqliteJournal::open(&temp.path().join("artel.db")).unwrap();
    let kept = journal.last_seq(&run("r-1")).unwrap();
    assert!(kept >= last, "{last} acknowledged, {kept} kept");
    assert_eq!(journal.read(&run("r-1"), 1, usize::MAX).unwrap().len() as u64, kept);
    let epoch = journal.claim(&run("r-1"), "parent").unwrap();
    journal.append(&run("r-1"), epoch, kept, &events(&["B"])).unwrap();
}

#[test]
fn after_a_disk_fault_nothing_more_is_written_and_nothing_acknowledged_is_gone() {
    if let Some(path) = child_path() {
        let journal = SqliteJournal::open(&path).unwrap();
        let (run, epoch) = (run("r-1"), journal.claim(&run("r-1"), "child").unwrap());
        let mut after = 0;
        let fault = loop {
            match journal.append(&run, epoch, after, &events(&["A", "B", "C"])) {
                Ok(last) => after = last,
                Err(fault) => break fault,
            }
            acknowledge(after);
        };
        assert!(matches!(fault, JournalError::Lost { source: Some(_), .. }), "{fault:?}");
        let fault = journal.set_ended(&run, None).unwrap_err();
        assert!(matches!(fault, JournalError::Lost { source: None, .. }), "{fault:?}");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    drop(started(temp.path()));
    // Writing beyond the limit on a file's size fails as a broken disk does, once the signal for it is ignored.
    let limited = "trap '' XFSZ; ulimit -f 800; exec \"$@\"";
    let test = "after_a_disk_fault_nothing_more_is_written_and_nothing_acknowledged_is_gone";
    let output = child(limited, test, temp.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let last = text.lines().filter_map(acknowledged).max().unwrap();
    let journal = SqliteJournal::open(&temp.path().join("artel.db")).unwrap();
    let kept = journal.read(&run("r-1"), 1, usize::MAX).unwrap().len() as u64;
    assert!(kept >= last && journal.last_seq(&run("r-1")).unwrap() == kept, "{last} acknowledged, {kept} kept");
}

#[test]
fn events_and_requests_cannot_be_changed_or_removed_by_anybody() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, run, epoch) = started(temp.path());
    journal.append(&run, epoch, 0, &events(&["A"])).unwrap();
    journal.send_request(&run, &"q".parse().unwrap(), 1, "{}").unwrap();
    let raw = Connection::open(temp.path().join("artel.db")).unwrap();
    for sql in
        ["UPDATE events SET kind = 'B'", "DELETE FROM events", "UPDATE requests SET body = ''", "DELETE FROM requests"]
    {
        let fault = raw.execute(sql, []).unwrap_err();
        assert!(fault.to_string().contains("are never"), "{sql}: {fault}");
    }
}

#[test]
fn every_commit_waits_for_the_disk() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, ..) = started(temp.path());
    let asked = |name: &str| journal.pragma_of_the_writer(name);
    assert_eq!((asked("journal_mode"), asked("synchronous")), ("wal".to_owned(), "2".to_owned()));
    assert_eq!(asked("busy_timeout"), "30000");
}

#[test]
fn what_was_appended_lies_in_the_file_itself_once_it_is_settled() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, run, epoch) = started(temp.path());
    journal.append(&run, epoch, 0, &events(&["A", "B"])).unwrap();
    let alone = temp.path().join("alone.db");
    let lies_there = || {
        fs::copy(temp.path().join("artel.db"), &alone).unwrap();
        let raw = Connection::open(&alone).unwrap();
        raw.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, u32>(0)).unwrap_or(0)
    };
    assert_eq!(lies_there(), 0);
    journal.settle().unwrap();
    assert_eq!(lies_there(), 2);
    assert_eq!(journal.read(&run, 1, 9).unwrap().len(), 2);
    SqliteJournal::open_read_only(&temp.path().join("artel.db")).unwrap().settle().unwrap();
}

#[test]
fn a_journal_of_a_newer_artel_is_read_and_never_written() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, run, epoch) = started(temp.path());
    journal.append(&run, epoch, 0, &events(&["A"])).unwrap();
    drop(journal);
    let path = temp.path().join("artel.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for journal in [SqliteJournal::open(&path).unwrap(), SqliteJournal::open_read_only(&path).unwrap()] {
        assert_eq!(journal.read(&run, 1, 9).unwrap().len(), 1);
        let fault = journal.append(&run, epoch, 1, &events(&["B"])).unwrap_err();
        assert!(matches!(fault, JournalError::Newer { found: 99, known: 3 }), "{fault:?}");
    }
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE runs RENAME COLUMN last_seq TO head").unwrap();
    let fault = SqliteJournal::open(&path).unwrap().runs().unwrap_err();
    assert!(matches!(fault, JournalError::Newer { found: 99, .. }), "{fault:?}");
}

#[test]
fn a_file_that_is_no_journal_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let (text, other) = (temp.path().join("text"), temp.path().join("other"));
    fs::write(&text, "a text that is much longer than the sixteen bytes of a header\n".repeat(99)).unwrap();
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for path in [text, other] {
        let before = fs::read(&path).unwrap();
        for fault in [SqliteJournal::open(&path).unwrap_err(), SqliteJournal::open_read_only(&path).unwrap_err()] {
            assert!(matches!(fault, JournalError::NotAJournal { .. }), "{fault:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_damaged_page_is_told_and_not_skipped() {
    let temp = tempfile::tempdir().unwrap();
    let (journal, run, epoch) = started(temp.path());
    let many = vec!["A"; 2000];
    journal.append(&run, epoch, 0, &events(&many)).unwrap();
    drop(journal);
    let path = temp.path().join("artel.db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 8192 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let fault = SqliteJournal::open(&path).unwrap().read(&run, 1, 5000).unwrap_err();
    assert!(matches!(fault, JournalError::Damaged { .. }), "{fault:?}");
}

#[test]
fn a_missing_event_is_told_wherever_it_was() {
    for gone in [1, 2, 3] {
        let temp = tempfile::tempdir().unwrap();
        let (journal, run, epoch) = started(temp.path());
        journal.append(&run, epoch, 0, &events(&["A", "B", "C"])).unwrap();
        let raw = Connection::open(temp.path().join("artel.db")).unwrap();
        raw.execute_batch("DROP TRIGGER events_are_never_removed").unwrap();
        raw.execute("DELETE FROM events WHERE seq = ?1", [gone]).unwrap();
        let fault = journal.for_each(&run, 1, &mut |_| ()).unwrap_err();
        assert!(
            matches!(&fault, JournalError::Damaged { why, .. } if why.contains(&format!("event {gone}"))),
            "{fault:?}"
        );
        assert!(journal.read(&run, 1, 3).is_err());
    }
}

#[test]
fn a_state_directory_that_cannot_be_written_is_told_with_what_to_do() {
    let temp = tempfile::tempdir().unwrap();
    mode(temp.path(), 0o500);
    let path = temp.path().join("artel.db");
    let fault = without_privilege(|| SqliteJournal::open(&path)).unwrap_err();
    assert!(matches!(fault, JournalError::NotWritable { .. }), "{fault:?}");
    assert!(fault.to_string().contains("ARTEL_HOME"), "{fault}");
    let fault = SqliteJournal::open(&temp.path().join("none/artel.db")).unwrap_err();
    assert!(matches!(fault, JournalError::NotWritable { .. }), "{fault:?}");
}

#[test]
fn status_is_read_beside_a_live_writer_and_where_nothing_may_be_written() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("artel.db");
    let (journal, run, epoch) = started(temp.path());
    let reader = SqliteJournal::open_read_only(&path).unwrap();
    journal.append(&run, epoch, 0, &events(&["A"])).unwrap();
    assert_eq!(reader.read(&run, 1, 9).unwrap().len(), 1);
    drop(reader);
    let seen = || {
        let reader = SqliteJournal::open_read_only(&path).unwrap();
        let fault = reader.claim(&run, "x").unwrap_err();
        assert!(matches!(fault, JournalError::OpenedToRead { .. }), "{fault:?}");
        reader.read(&run, 1, 9).unwrap().len()
    };
    let lock = |bits: u32| {
        fs::read_dir(temp.path()).unwrap().for_each(|file| mode(&file.unwrap().path(), bits & 0o666));
        mode(temp.path(), bits);
    };
    lock(0o500);
    assert_eq!(without_privilege(seen), 1);
    lock(0o700);
    journal.append(&run, epoch, 1, &events(&["B"])).unwrap();
    lock(0o500);
    assert_eq!(without_privilege(seen), 2);
    lock(0o700);
    drop(journal);
    assert!(!temp.path().join("artel.db-wal").exists());
    lock(0o500);
    assert_eq!(without_privilege(seen), 2);
}

#[test]
fn a_reader_is_told_that_there_is_no_journal() {
    let temp = tempfile::tempdir().unwrap();
    let empty = temp.path().join("empty");
    fs::write(&empty, "").unwrap();
    for path in [empty, temp.path().join("none"), temp.path().join("no/ne")] {
        let fault = SqliteJournal::open_read_only(&path).unwrap_err();
        assert!(matches!(fault, JournalError::Absent { .. }), "{fault:?}");
    }
    assert!(!temp.path().join("none").exists());
}

#[test]
fn a_repository_path_that_is_no_text_is_kept() {
    use std::os::unix::ffi::OsStrExt;
    let temp = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&temp.path().join("artel.db")).unwrap();
    let repo = PathBuf::from(std::ffi::OsStr::from_bytes(b"/a/\xff b"));
    let new = crate::io::journal::NewRun { run: run("r-1"), name: None, repo: repo.clone(), opened_at_ms: 1 };
    journal.open_run(&new).unwrap();
    assert_eq!(journal.runs().unwrap()[0].repo, repo);
}
