//! Owns the laws of a journal, which each implementation is tried against.

use std::path::PathBuf;

use crate::io::journal::{
    Entry, Journal, JournalError, MemoryJournal, NewEntry, NewRun, Position, RunRow, Sent, SqliteJournal,
};
use crate::model::ids::RunId;

pub(super) fn run(text: &str) -> RunId {
    text.parse().unwrap()
}

pub(super) fn open(journal: &dyn Journal, id: &str, name: Option<&str>, opened_at_ms: i64) -> RunId {
    let new = NewRun { run: run(id), name: name.map(str::to_owned), repo: PathBuf::from("/repo"), opened_at_ms };
    journal.open_run(&new).unwrap();
    new.run
}

pub(super) fn events(kinds: &[&str]) -> Vec<NewEntry> {
    let event =
        |kind: &&str| NewEntry { at_ms: 5, kind: kind.to_string(), v: 1, data: format!("{{\"is\":\"{kind}\"}}") };
    kinds.iter().map(event).collect()
}

fn kinds(entries: &[Entry]) -> Vec<(u64, &str)> {
    entries.iter().map(|entry| (entry.seq, entry.kind.as_str())).collect()
}

/// Tries a law on each implementation.
fn on_each(law: impl Fn(&dyn Journal)) {
    law(&MemoryJournal::default());
    let temp = tempfile::tempdir().unwrap();
    law(&SqliteJournal::open(&temp.path().join("artel.db")).unwrap());
}

#[test]
fn what_was_appended_is_read_back_in_order() {
    on_each(|journal| {
        let run = open(journal, "r-1", None, 1);
        let epoch = journal.claim(&run, "1@here").unwrap();
        assert_eq!(journal.append(&run, epoch, 0, &events(&["A", "B"])).unwrap(), 2);
        assert_eq!(journal.append(&run, epoch, 2, &events(&["C"])).unwrap(), 3);
        assert_eq!(journal.append(&run, epoch, 3, &[]).unwrap(), 3);
        assert_eq!(kinds(&journal.read(&run, 0, 10).unwrap()), [(1, "A"), (2, "B"), (3, "C")]);
        assert_eq!(kinds(&journal.read(&run, 2, 1).unwrap()), [(2, "B")]);
        assert_eq!(journal.read(&run, 4, 1).unwrap(), []);
        assert_eq!(journal.last_seq(&run).unwrap(), 3);
        let mut seen = Vec::new();
        journal.for_each(&run, 3, &mut |entry| seen.push(entry.to_entry())).unwrap();
        let last = Entry { seq: 3, at_ms: 5, kind: "C".to_owned(), v: 1, data: r#"{"is":"C"}"#.to_owned() };
        assert_eq!(seen, [last]);
    });
}

#[test]
fn an_older_epoch_can_append_no_more() {
    on_each(|journal| {
        let run = open(journal, "r-1", None, 1);
        assert_eq!(journal.epoch(&run).unwrap(), 0);
        let old = journal.claim(&run, "1@here").unwrap();
        assert_eq!(journal.epoch(&run).unwrap(), old);
        journal.append(&run, old, 0, &events(&["A"])).unwrap();
        let new = journal.claim(&run, "2@there").unwrap();
        assert!(new > old);
        assert_eq!(journal.epoch(&run).unwrap(), new);
        let fault = journal.append(&run, old, 1, &events(&["B"])).unwrap_err();
        let JournalError::Stale { expected, found, holder, .. } = fault else { panic!("{fault:?}") };
        assert_eq!(expected, Position { epoch: old, seq: 1 });
        assert_eq!((found, holder.as_deref()), (Position { epoch: new, seq: 1 }, Some("2@there")));
        assert_eq!(journal.append(&run, new, 1, &events(&["C"])).unwrap(), 2);
    });
}

#[test]
fn an_append_that_does_not_continue_the_record_is_refused_whole() {
    on_each(|journal| {
        let run = open(journal, "r-1", None, 1);
        let epoch = journal.claim(&run, "1@here").unwrap();
        journal.append(&run, epoch, 0, &events(&["A"])).unwrap();
        for after in [0, 2, u64::MAX - 9] {
            let fault = journal.append(&run, epoch, after, &events(&["B", "C"])).unwrap_err();
            assert!(matches!(fault, JournalError::Stale { .. }), "{fault:?}");
        }
        assert_eq!(kinds(&journal.read(&run, 1, 9).unwrap()), [(1, "A")]);
    });
}

#[test]
fn a_run_that_nobody_claimed_takes_no_events() {
    on_each(|journal| {
        let run = open(journal, "r-1", None, 1);
        assert!(matches!(journal.append(&run, 0, 0, &events(&["A"])), Err(JournalError::Stale { .. })));
    });
}

#[test]
fn runs_do_not_see_each_other() {
    on_each(|journal| {
        let (one, two) = (open(journal, "r-1", None, 1), open(journal, "r-10", None, 2));
        let (first, second) = (journal.claim(&one, "x").unwrap(), journal.claim(&two, "x").unwrap());
        journal.append(&one, first, 0, &events(&["A"])).unwrap();
        journal.append(&two, second, 0, &events(&["B", "C"])).unwrap();
        assert_eq!(kinds(&journal.read(&one, 1, 9).unwrap()), [(1, "A")]);
        assert_eq!(kinds(&journal.read(&two, 1, 9).unwrap()), [(1, "B"), (2, "C")]);
    });
}

#[test]
fn an_unknown_run_is_named_by_every_call() {
    on_each(|journal| {
        let (nobody, request) = (run("r-no"), "q-1".parse().unwrap());
        let answers = [
            journal.claim(&nobody, "x").map(|_| ()),
            journal.append(&nobody, 1, 0, &events(&["A"])).map(|_| ()),
            journal.for_each(&nobody, 1, &mut |_| ()),
            journal.read(&nobody, 1, 1).map(|_| ()),
            journal.last_seq(&nobody).map(|_| ()),
            journal.epoch(&nobody).map(|_| ()),
            journal.set_ended(&nobody, Some("done")),
            journal.send_request(&nobody, &request, 1, "{}").map(|_| ()),
            journal.requests(&nobody, 0).map(|_| ()),
        ];
        for answer in answers {
            assert!(matches!(&answer, Err(JournalError::NoSuchRun { run }) if *run == nobody), "{answer:?}");
        }
    });
}

#[test]
fn an_id_opens_one_run() {
    on_each(|journal| {
        let id = open(journal, "r-1", Some("first"), 1);
        let again = NewRun { run: id, name: Some("second".to_owned()), repo: PathBuf::from("/x"), opened_at_ms: 2 };
        assert!(matches!(journal.open_run(&again), Err(JournalError::RunExists { .. })));
        assert_eq!(journal.runs().unwrap()[0].name.as_deref(), Some("first"));
    });
}

#[test]
fn a_listing_tells_each_run_oldest_first() {
    on_each(|journal| {
        let late = open(journal, "r-a", None, 9);
        let early = open(journal, "r-b", Some("TICKET-1"), 3);
        let epoch = journal.claim(&early, "7@here").unwrap();
        journal.append(&early, epoch, 0, &events(&["A", "B"])).unwrap();
        journal.set_ended(&early, Some("done")).unwrap();
        let row = |run: &RunId, opened_at_ms| RunRow {
            run: run.clone(),
            name: None,
            repo: PathBuf::from("/repo"),
            opened_at_ms,
            last_seq: 0,
            ended: None,
            holder: None,
        };
        let told = RunRow {
            name: Some("TICKET-1".to_owned()),
            last_seq: 2,
            ended: Some("done".to_owned()),
            holder: Some("7@here".to_owned()),
            ..row(&early, 3)
        };
        assert_eq!(journal.runs().unwrap(), [told, row(&late, 9)]);
        journal.set_ended(&early, None).unwrap();
        assert_eq!(journal.runs().unwrap()[0].ended, None);
    });
}

#[test]
fn a_run_is_found_by_id_then_name_then_beginning() {
    on_each(|journal| {
        for (id, name) in [("r-7a", None), ("r-7ab", Some("r-7a")), ("r-8", Some("twice")), ("r-9", Some("twice"))] {
            open(journal, id, name, 1);
        }
        let found = |text: &str| journal.find_run(text).map(|row| row.run);
        assert_eq!(found("r-7a").unwrap(), run("r-7a"));
        assert_eq!(found("r-8").unwrap(), run("r-8"));
        assert_eq!(found("r-7ab").unwrap(), run("r-7ab"));
        for (text, fits) in [("twice", ["r-8", "r-9"]), ("r-7", ["r-7a", "r-7ab"])] {
            let fault = found(text).unwrap_err();
            let JournalError::Ambiguous { candidates, .. } = &fault else { panic!("{fault:?}") };
            assert_eq!(*candidates, fits.map(run));
            assert!(fault.to_string().contains(fits[1]), "{fault}");
        }
        for text in ["", "%", "r-7abc", "tw"] {
            assert!(matches!(found(text), Err(JournalError::NoRunLike { .. })), "{text}");
        }
    });
}

#[test]
fn a_request_is_stored_once_and_its_first_text_stands() {
    on_each(|journal| {
        let (one, two) = (open(journal, "r-1", None, 1), open(journal, "r-2", None, 1));
        let (stop, go) = ("stop".parse().unwrap(), "go".parse().unwrap());
        assert_eq!(journal.send_request(&one, &stop, 10, "1").unwrap(), Sent::New);
        assert_eq!(journal.send_request(&one, &stop, 11, "2").unwrap(), Sent::Already);
        assert_eq!(journal.send_request(&two, &stop, 12, "3").unwrap(), Sent::New);
        assert_eq!(journal.send_request(&one, &go, 13, "4").unwrap(), Sent::New);
        let all = journal.requests(&one, 0).unwrap();
        let told: Vec<_> = all.iter().map(|request| (&request.id, request.at_ms, request.body.as_str())).collect();
        assert_eq!(told, [(&stop, 10, "1"), (&go, 13, "4")]);
        assert!(all[0].row < all[1].row);
        assert_eq!(journal.requests(&one, all[0].row).unwrap(), all[1..]);
        assert_eq!(journal.requests(&one, all[1].row).unwrap(), []);
    });
}
