//! Tells that whoever follows a run's events misses and repeats none, from wherever and however often the connection
//! drops.

use artel::io::journal::format::FORMAT;
use artel::io::journal::{Journal, NewEntry, SqliteJournal};

use crate::common::House;
use crate::crew::{open_gate, playing};
use crate::wire::{Server, gated};

#[test]
fn events_come_once_each_to_readers_at_any_offset_over_a_server_that_is_killed() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    let (mut first, mut late) = (server.stream(&run, 0), server.stream(&run, 4));
    let mut seen = first.until("AttemptLeased");
    let mut seen_late = late.until("AttemptLeased");
    assert_eq!((seen[0], seen_late[0]), (1, 5));
    open_gate(&house, "t1");
    seen.extend(first.until("BatchLanded"));
    server.kill();
    while let Some((id, _)) = first.next() {
        seen.push(id);
    }
    while let Some((id, _)) = late.next() {
        seen_late.push(id);
    }
    open_gate(&house, "t2");
    let server = Server::start(&house);
    seen.extend(server.stream(&run, *seen.last().unwrap()).until("RunEnded"));
    seen_late.extend(server.stream(&run, *seen_late.last().unwrap()).until("RunEnded"));
    let last = house.events().len() as u64;
    let upto = *seen.last().unwrap();
    assert!(upto <= last);
    assert_eq!(seen, (1..=upto).collect::<Vec<_>>());
    assert_eq!(seen_late, (5..=upto).collect::<Vec<_>>());

    // As the command line tells them.
    let lines = server.get("viewer", &format!("/api/v1/runs/{run}/events?after=2&limit=3")).is(200);
    let told: Vec<serde_json::Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told, house.events()[2..5]);
    let none = server.get("viewer", &format!("/api/v1/runs/{run}/events?after={last}")).is(200);
    assert_eq!(none.body, "");
    let bearer = format!("Authorization: Bearer {}\r\nLast-Event-ID: x\r\n", server.token("viewer"));
    server.send("GET", &format!("/api/v1/runs/{run}/events"), &bearer, "").is(400);
}

/// Stores so many events in a row at the end of the house's run, which nobody works on, each with so many bytes of text.
fn store(house: &House, run: &str, count: u64, bytes: usize) {
    let journal = SqliteJournal::open(&house.home().join("artel.db")).unwrap();
    let run = run.parse().unwrap();
    let epoch = journal.claim(&run, "a test").unwrap();
    let mut last = journal.last_seq(&run).unwrap();
    let until = last + count;
    while last < until {
        let entry = |seq: u64| {
            let message = format!("{seq} {}", "x".repeat(bytes));
            let data = serde_json::json!({ "Steered": { "task": null, "message": message } }).to_string();
            NewEntry { at_ms: 1, kind: "Steered".to_owned(), v: FORMAT, data }
        };
        let entries: Vec<NewEntry> = (last + 1..=until.min(last + 100)).map(entry).collect();
        last = journal.append(&run, epoch, last, &entries).unwrap();
    }
}

/// A house whose run waits for a word, so that nobody works on it, and its server.
fn resting() -> House {
    let house = gated("approve: [plan]\n");
    house.artel(&playing(&[])).says("approve");
    house
}

#[test]
fn fifty_readers_at_once_lose_nothing_of_a_long_run_of_events() {
    const READERS: usize = 50;
    const EVENTS: u64 = 1500;
    let house = resting();
    let run = house.run();
    let server = Server::start(&house);
    let first = house.events().len() as u64;
    let last = first + EVENTS;
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                // Some were there from the first, some know a part.
                let after = if number % 2 == 0 { 0 } else { first };
                let mut stream = server.stream(&run, after);
                scope.spawn(move || {
                    let mut seen = Vec::new();
                    while seen.last() != Some(&last) {
                        seen.push(stream.next().expect("the stream stands").0);
                    }
                    (after, seen)
                })
            })
            .collect();
        store(&house, &run, EVENTS, 40);
        for reader in readers {
            let (after, seen) = reader.join().unwrap();
            assert!(seen.into_iter().eq(after + 1..=last));
        }
    });
}

#[test]
fn a_reader_who_takes_nothing_is_let_go_and_goes_on_where_it_was() {
    let house = resting();
    let run = house.run();
    let server = Server::started(&house, &[], &[("ARTEL_TEST_READ_PATIENCE_MS", "200")]);
    let sockets = || {
        let all = std::fs::read_dir(format!("/proc/{}/fd", server.process())).unwrap().flatten();
        all.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")))
            .count()
    };
    let before = sockets();
    let mut slow = server.stream(&run, 0);
    let mut seen = vec![slow.next().unwrap().0];
    assert!(sockets() > before);
    // More than any buffer between them holds.
    let last = house.events().len() as u64 + 16;
    store(&house, &run, 16, 1 << 20);
    house.until("the server lets go of it", || sockets() <= before);
    while let Some((id, _)) = slow.next() {
        seen.push(id);
    }
    assert!(*seen.last().unwrap() < last, "it was not told all");
    let mut again = server.stream(&run, *seen.last().unwrap());
    while *seen.last().unwrap() < last {
        seen.push(again.next().unwrap().0);
    }
    assert!(seen.into_iter().eq(1..=last));
}
