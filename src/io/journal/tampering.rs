//! Owns the sweep of tampers: each way of changing a journal behind its back, tried on every event, must be found and
//! placed. Each is done to a real file by its own SQL.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::io::journal::audit::{Audit, Flaw, audit};
use crate::io::journal::chain::ChainHash;
use crate::io::journal::checkpoint::tests::signed;
use crate::io::journal::laws::{open, run};
use crate::io::journal::{Checkpoint, Entry, EntryRef, Journal, JournalError, NewEntry, SqliteJournal};
use crate::io::signing::Signer;

const EVENTS: u64 = 40;
/// Events that lie between two checkpoints.
const EVERY: u64 = 16;

/// Holds a journal, its key, and what its anchor keeps.
struct Lab {
    dir: tempfile::TempDir,
    signer: Signer,
    anchors: Vec<Checkpoint>,
}

/// One file that is tampered with.
struct Victim<'a> {
    lab: &'a Lab,
    file: tempfile::NamedTempFile,
    raw: Connection,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let signer = Signer::read_or_make(&dir.path().join("key")).unwrap();
        let journal = SqliteJournal::open(&dir.path().join("whole.db")).unwrap();
        let run = open(&journal, "r-1", None, 1);
        let epoch = journal.claim(&run, "x").unwrap();
        let mut anchors = Vec::new();
        for seq in 1..=EVENTS {
            let data = format!("{{\"n\":{seq}}}");
            let entry = NewEntry { at_ms: seq as i64, kind: "A".to_owned(), v: 1, data };
            journal.append(&run, epoch, seq - 1, &[entry]).unwrap();
            if seq % EVERY == 0 || seq == EVENTS {
                let chain = journal.chain_at(&run, seq).unwrap().unwrap();
                let checkpoint = signed(&signer, &run, seq, chain);
                journal.add_checkpoint(&checkpoint).unwrap();
                if seq % (2 * EVERY) == 0 || seq == EVENTS {
                    anchors.push(checkpoint);
                }
            }
        }
        Self { dir, signer, anchors }
    }

    /// Copies the whole journal to a file of its own, where nothing guards it.
    fn victim(&self) -> Victim<'_> {
        let file = tempfile::NamedTempFile::new_in(&self.dir).unwrap();
        std::fs::copy(self.dir.path().join("whole.db"), file.path()).unwrap();
        let raw = Connection::open(file.path()).unwrap();
        for guarded in ["events", "checkpoints"] {
            for verb in ["changed", "removed"] {
                raw.execute(&format!("DROP TRIGGER {guarded}_are_never_{verb}"), []).unwrap();
            }
        }
        Victim { lab: self, file, raw }
    }
}

impl Victim<'_> {
    fn sql(&self, sql: &str, seq: u64) -> &Self {
        let done = self.raw.execute(sql, params![seq as i64]).unwrap();
        assert!(done > 0, "{sql} did nothing at {seq}");
        self
    }

    /// Makes the chain anew from an event on, as whoever can write the file can.
    fn chain_anew(&self) -> &Self {
        let mut query = self.raw.prepare("SELECT seq, at_ms, kind, v, data FROM events ORDER BY seq").unwrap();
        let rows = query.query_map([], |row| {
            let seq: i64 = row.get(0)?;
            Ok(Entry { seq: seq as u64, at_ms: row.get(1)?, kind: row.get(2)?, v: row.get(3)?, data: row.get(4)? })
        });
        let rows: Vec<Entry> = rows.unwrap().map(Result::unwrap).collect();
        let mut head = ChainHash::start(&run("r-1"));
        for entry in &rows {
            head = head.then(entry.as_ref());
            self.raw.execute("UPDATE events SET chain = ?2 WHERE seq = ?1", params![entry.seq as i64, head.0]).unwrap();
        }
        let last = rows.last().unwrap().seq;
        self.raw.execute("UPDATE runs SET last_seq = ?1", [last as i64]).unwrap();
        self
    }

    /// Takes an event out and has those behind it move up.
    fn close_gap(&self, seq: u64) -> &Self {
        for next in seq + 1..=EVENTS {
            self.sql("UPDATE events SET seq = seq - 1 WHERE seq = ?1", next);
        }
        self.sql("UPDATE runs SET last_seq = ?1", EVENTS - 1)
    }

    /// Has the events from one on make room for another.
    fn insert(&self, seq: u64) -> &Self {
        for at in (seq..=EVENTS).rev() {
            self.sql("UPDATE events SET seq = seq + 1 WHERE seq = ?1", at);
        }
        self.sql("INSERT INTO events VALUES ('r-1', ?1, 5, 'A', 1, '{}', zeroblob(32))", seq);
        self.sql("UPDATE runs SET last_seq = ?1", EVENTS + 1)
    }

    /// Cuts the end off and everything in the file that would tell.
    fn cut(&self, seq: u64) -> &Self {
        self.sql("DELETE FROM events WHERE seq >= ?1", seq);
        self.sql("DELETE FROM checkpoints WHERE seq >= ?1", seq);
        self.sql("UPDATE runs SET last_seq = ?1", seq - 1)
    }

    /// Signs all of the journal's checkpoints anew over what lies there.
    fn sign_anew(&self, signer: &Signer) -> &Self {
        let mut query = self.raw.prepare("SELECT c.seq, e.chain FROM checkpoints c JOIN events e USING (seq)").unwrap();
        let rows = query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)));
        for (seq, chain) in rows.unwrap().map(Result::unwrap).collect::<Vec<_>>() {
            let Checkpoint { chain, key, signature, .. } = signed(signer, &run("r-1"), seq as u64, ChainHash(chain));
            let sql = "UPDATE checkpoints SET chain = ?2, key = ?3, signature = ?4 WHERE seq = ?1";
            self.raw.execute(sql, params![seq, chain.0, key, signature]).unwrap();
        }
        self
    }

    fn audit_with(&self, anchors: &[Checkpoint]) -> Audit {
        audit_of(self.file.path(), &self.lab.signer.public(), anchors)
    }

    /// Asserts that the tamper is found with the anchor, and that a flaw names a range that holds the event.
    fn is_found(&self, what: &str, seq: u64) {
        let found = self.audit_with(&self.lab.anchors);
        let holds = |flaw: &Flaw| (flaw.range().0..=flaw.range().1).contains(&seq);
        assert!(found.flaws.iter().any(holds), "{what} at {seq}: {:?}", found.flaws);
    }

    /// Tells whether whoever reads the events of the run is refused.
    fn is_refused(&self) -> bool {
        let journal = SqliteJournal::open_read_only(self.file.path()).unwrap();
        matches!(journal.for_each(&run("r-1"), 1, &mut |_| ()), Err(JournalError::Damaged { .. }))
    }
}

fn audit_of(path: &Path, key: &str, anchors: &[Checkpoint]) -> Audit {
    audit(&SqliteJournal::open_read_only(path).unwrap(), &run("r-1"), key, anchors).unwrap()
}

#[test]
fn a_journal_that_nobody_touched_holds() {
    let lab = Lab::new();
    let found = lab.victim().audit_with(&lab.anchors);
    let want = Audit {
        events: EVENTS,
        unlinked: 0,
        checkpoints: 3,
        checkpointed_to: EVENTS,
        anchors: 2,
        anchored_to: EVENTS,
        flaws: Vec::new(),
    };
    assert_eq!(found, want);
}

#[test]
fn every_event_that_is_flipped_or_edited_is_named_and_refused() {
    let lab = Lab::new();
    for seq in 1..=EVENTS {
        for (what, sql) in [
            ("flip", "UPDATE events SET data = replace(data, 'n', 'o') WHERE seq = ?1"),
            ("edit", "UPDATE events SET data = '{\"n\":0}' WHERE seq = ?1"),
            ("time", "UPDATE events SET at_ms = at_ms + 1 WHERE seq = ?1"),
            ("kind", "UPDATE events SET kind = 'B' WHERE seq = ?1"),
            ("form", "UPDATE events SET v = 2 WHERE seq = ?1"),
        ] {
            let victim = lab.victim();
            let found = victim.sql(sql, seq).audit_with(&[]);
            assert_eq!(found.flaws, [Flaw::Changed { from: seq, to: seq }], "{what} at {seq}");
            assert!(victim.is_refused(), "{what} at {seq}");
        }
        let victim = lab.victim();
        victim.sql("UPDATE events SET chain = zeroblob(32) WHERE seq = ?1", seq).is_found("link", seq);
        victim.sql("UPDATE events SET chain = NULL WHERE seq = ?1", seq);
        if seq > 1 {
            victim.is_found("no link", seq);
        } else {
            // So begins a journal that is older than its chain: the first link that is there binds all before it.
            assert_eq!(victim.audit_with(&lab.anchors).unlinked, 1);
            assert!(victim.sql("UPDATE events SET data = '{\"x\":1}' WHERE seq = ?1", 1).is_refused());
        }
    }
}

#[test]
fn every_event_that_is_deleted_swapped_or_added_is_named() {
    let lab = Lab::new();
    for seq in 1..=EVENTS {
        let victim = lab.victim();
        let found = victim.sql("DELETE FROM events WHERE seq = ?1", seq).audit_with(&[]);
        assert!(found.flaws.contains(&Flaw::Missing { from: seq, to: seq }), "{seq}: {:?}", found.flaws);
        assert!(victim.is_refused(), "{seq}");
        lab.victim().sql("DELETE FROM events WHERE seq = ?1", seq).close_gap(seq).is_found("delete and close", seq);
        lab.victim().insert(seq).is_found("insert", seq);
        if seq < EVENTS {
            let victim = lab.victim();
            victim.sql("UPDATE events SET seq = -1 WHERE seq = ?1", seq);
            victim.sql("UPDATE events SET seq = seq - 1 WHERE seq = ?1", seq + 1);
            victim.sql("UPDATE events SET seq = ?1 WHERE seq = -1", seq + 1);
            victim.is_found("swap", seq);
            victim.chain_anew().is_found("swap and chain anew", seq);
        }
    }
    let victim = lab.victim();
    victim.sql("INSERT INTO events VALUES ('r-1', ?1, 5, 'A', 1, '{}', zeroblob(32))", EVENTS + 1);
    assert!(victim.audit_with(&[]).flaws.contains(&Flaw::Added { from: EVENTS + 1, to: EVENTS + 1 }));
}

#[test]
fn a_chain_that_was_made_anew_is_found_by_the_checkpoints_within_their_stretch() {
    let lab = Lab::new();
    for seq in 1..=EVENTS {
        let edited = lab.victim();
        let edit = "UPDATE events SET data = '{}' WHERE seq = ?1";
        let found = edited.sql(edit, seq).chain_anew().audit_with(&[]);
        let (from, to) = ((seq - 1) / EVERY * EVERY + 1, seq.next_multiple_of(EVERY).min(EVENTS));
        let by = crate::io::journal::audit::Kept::Inside;
        assert_eq!(found.flaws, [Flaw::Rewritten { from, to, by }], "{seq}");
        assert!(!edited.is_refused(), "whoever only reads cannot know");
        edited.is_found("edit and chain anew", seq);

        let victim = lab.victim();
        victim.sql("DELETE FROM events WHERE seq = ?1", seq).close_gap(seq).chain_anew();
        victim.is_found("delete and chain anew", seq);
        lab.victim().insert(seq).chain_anew().is_found("insert and chain anew", seq);
    }
}

#[test]
fn an_end_that_was_cut_off_is_found_by_the_anchor_alone() {
    let lab = Lab::new();
    for seq in 2..=EVENTS {
        let victim = lab.victim();
        victim.cut(seq);
        assert_eq!(victim.audit_with(&[]).flaws, [], "the file itself does not tell");
        let found = victim.audit_with(&lab.anchors);
        let by = crate::io::journal::audit::Kept::Outside;
        let from = if seq > 2 * EVERY { 2 * EVERY + 1 } else { 1 };
        assert_eq!(found.flaws, [Flaw::CutOff { from, to: EVENTS, by }], "{seq}");
    }
}

#[test]
fn checkpoints_that_were_replaced_are_found() {
    let lab = Lab::new();
    let stranger = Signer::read_or_make(&lab.dir.path().join("stranger")).unwrap();
    for seq in [EVERY, 2 * EVERY, EVENTS] {
        for sql in [
            "UPDATE checkpoints SET signature = replace(signature, 'A', 'B') WHERE seq = ?1",
            "UPDATE checkpoints SET chain = zeroblob(32) WHERE seq = ?1",
            "UPDATE checkpoints SET seq = seq - 1 WHERE seq = ?1",
        ] {
            let found = lab.victim().sql(sql, seq).audit_with(&[]);
            assert!(matches!(found.flaws[..], [Flaw::Forged { .. }]), "{sql}: {:?}", found.flaws);
        }
    }
    for seq in 1..=EVENTS {
        let edit = "UPDATE events SET data = '{}' WHERE seq = ?1";
        let victim = lab.victim();
        victim.sql(edit, seq).chain_anew().sign_anew(&stranger);
        let found = victim.audit_with(&[]);
        assert!(found.flaws.iter().any(|flaw| matches!(flaw, Flaw::Stranger { .. })), "{seq}");
        // Who has the key itself is found by what was kept elsewhere, and by nothing else.
        victim.sign_anew(&lab.signer);
        assert_eq!(victim.audit_with(&[]).flaws, []);
        victim.is_found("all signed anew", seq);
    }
}

#[test]
fn an_older_journal_is_bound_from_its_migration_on() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("artel.db");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(include_str!("../../../tests/golden/journal-form1.sql")).unwrap();
    drop(raw);
    let signer = Signer::read_or_make(&temp.path().join("key")).unwrap();
    let run = run("r-old");
    let read = |journal: &SqliteJournal| journal.read(&run, 1, 9).unwrap().len();
    let old = SqliteJournal::open_read_only(&path).unwrap();
    assert_eq!((read(&old), old.chain_at(&run, 1).unwrap(), old.checkpoints(&run).unwrap()), (3, None, Vec::new()));
    assert_eq!(audit(&old, &run, &signer.public(), &[]).unwrap().unlinked, 3);
    drop(old);
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(read(&journal), 3);
    let caches = "SELECT count(*) FROM sqlite_schema WHERE name = 'snapshots'";
    assert_eq!(Connection::open(&path).unwrap().query_row(caches, [], |row| row.get::<_, u32>(0)), Ok(0));
    let epoch = journal.claim(&run, "x").unwrap();
    let entry = NewEntry { at_ms: 9, kind: "Draining".to_owned(), v: 1, data: "\"Draining\"".to_owned() };
    journal.append(&run, epoch, 3, &[entry]).unwrap();
    let mut head = ChainHash::start(&run);
    journal.for_each(&run, 1, &mut |entry: EntryRef<'_>| head = head.then(entry)).unwrap();
    assert_eq!(journal.chain_at(&run, 4).unwrap(), Some(head));
    let found = audit(&journal, &run, &signer.public(), &[]).unwrap();
    assert_eq!((found.events, found.unlinked, found.flaws), (4, 3, Vec::new()));
    drop(journal);
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("DROP TRIGGER events_are_never_changed; UPDATE events SET at_ms = 0 WHERE seq = 2").unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(audit(&journal, &run, &signer.public(), &[]).unwrap().flaws, [Flaw::Changed { from: 1, to: 4 }]);
    assert!(matches!(journal.for_each(&run, 1, &mut |_| ()), Err(JournalError::Damaged { .. })));
}
