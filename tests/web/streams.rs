//! Tells that whoever follows a run's events misses and repeats none, from wherever and however often the connection
//! drops.

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
