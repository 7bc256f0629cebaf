//! Tells that a run's journal can be sifted and its past looked at, over the wire and on its page.

use serde_json::Value;

use crate::crew::{open_gate, playing};
use crate::wire::{Server, gated};

#[test]
fn events_are_sifted_and_each_page_leads_to_the_next() {
    let house = gated("");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.artel(&playing(&[])).exits(0);
    let (run, events) = (house.run(), house.events());
    let server = Server::start(&house);
    let ask = |query: &str| server.get("viewer", &format!("/api/v1/runs/{run}/journal?{query}")).is(200).json();
    let seqs = |page: &Value| -> Vec<u64> {
        page["rows"].as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()).collect()
    };
    let whole = ask("");
    assert_eq!(seqs(&whole), (1..=events.len() as u64).rev().collect::<Vec<_>>());
    let leases = ask("kind=AttemptLeased");
    assert_eq!(leases["rows"].as_array().unwrap().len(), house.told("AttemptLeased").len());
    let of_task = ask("task=t2");
    assert!(seqs(&of_task).len() < events.len() && !seqs(&of_task).is_empty());
    let texts = ask("text=LANDED");
    for row in texts["rows"].as_array().unwrap() {
        assert!(row["text"].as_str().unwrap().to_lowercase().contains("landed"), "{row}");
    }
    let page = ask("limit=5&before=9");
    assert_eq!(
        (seqs(&page), &page["has_older"], &page["has_newer"]),
        (vec![8, 7, 6, 5, 4], &true.into(), &true.into())
    );
    assert_eq!(seqs(&ask("limit=3&after=8")), [11, 10, 9]);
    for bad in ["task=x", "before=x", "limit=-1", &format!("text={}", "a".repeat(500))] {
        let status = server.get("viewer", &format!("/api/v1/runs/{run}/journal?{bad}")).status;
        assert!((400..500).contains(&status), "{bad}: {status}");
    }
    let page = server.get("viewer", &format!("/runs/{run}/journal?kind=AttemptLeased&text=%3Ci%3E")).is(200);
    page.says("No event is like that").says("value=\"&lt;i&gt;\"");
}

#[test]
fn a_board_and_the_marks_of_its_tasks_are_shown_as_they_were_at_any_event() {
    let house = gated("");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.artel(&playing(&[])).exits(0);
    let (run, events) = (house.run(), house.events());
    let server = Server::start(&house);
    let last = events.len() as u64;
    let mut landed = 0;
    for event in &events {
        let seq = event["seq"].as_u64().unwrap();
        if event["kind"] == "BatchLanded" {
            landed += event["event"]["BatchLanded"]["landed"].as_array().unwrap().len();
        }
        let board = server.get("viewer", &format!("/api/v1/runs/{run}?at={seq}")).is(200).json();
        assert_eq!(board["counts"]["landed"], landed, "at {seq}");
        let marks = server.get("viewer", &format!("/api/v1/runs/{run}/marks?at={seq}")).is(200).json();
        assert_eq!(
            (marks["seq"].as_u64(), marks["letters"].as_str().unwrap().matches('l').count()),
            (Some(seq), landed)
        );
    }
    assert_eq!(landed, 2);
    let now = server.get("viewer", &format!("/api/v1/runs/{run}")).is(200).json();
    let then = server.get("viewer", &format!("/api/v1/runs/{run}?at={}", last + 9)).is(200).json();
    for field in ["counts", "landed", "conditions", "stands", "attempts"] {
        assert_eq!(now[field], then[field], "{field}");
    }
    server.get("viewer", &format!("/api/v1/runs/{run}?at=0")).is(404);
    let lease = events.iter().find(|event| event["kind"] == "AttemptLeased").unwrap()["seq"].as_u64().unwrap();
    let page = server.get("viewer", &format!("/runs/{run}/journal?at={lease}")).is(200);
    page.says(&format!("Event {lease}, ")).says("AttemptLeased as it is stored").says("▸ 1 under way");
    assert_eq!(house.events(), events, "looking changes nothing");
}

#[test]
fn what_an_attempt_prints_is_told_from_where_the_reader_is() {
    let house = gated("");
    let gate = |name: &str| {
        format!("  - run: \"until test -e {}/gate-{name}; do sleep 0.02; done\"\n", house.root().display())
    };
    house.in_the_open();
    let steps =
        format!("  - say: one\n{}  - say: \"two \\e[31m\"\n{}  - write: {{text: \"new\\n\"}}\n", gate("a"), gate("b"));
    crate::crew::crew(&house, &[("a", "src/a.txt", "")], &steps, "");
    house.artel(&playing(&["--open-only"])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    let read = |from: u64| server.get("viewer", &format!("/api/v1/runs/{run}/attempts/t1.1/log?from={from}"));
    let mut next = 0;
    house.until("it has printed", || {
        let answer = read(0);
        next = answer.header("artel-next").and_then(|next| next.parse().ok()).unwrap_or(0);
        answer.status == 200 && answer.body.contains("one")
    });
    assert_eq!(read(next).is(200).body, "");
    let page = server.get("viewer", &format!("/runs/{run}/tasks/t1")).is(200);
    page.says("What it prints").says(&format!("data-next=\"{next}\"")).says("one");
    open_gate(&house, "a");
    let mut told = String::new();
    house.until("it prints more", || {
        told = read(next).is(200).body;
        told.contains("two")
    });
    assert!(!told.contains("one") && told.contains("two \\x1b[31m"), "{told}");
    assert_eq!(read(1 << 40).is(200).body, "");
    open_gate(&house, "b");
    house.until("it is done", || house.board()["stands"]["class"] == "done");
}
