//! Tells that what is asked over the wire is asked once, answered, and reaches who it is meant for.

use serde_json::json;

use crate::crew::{open_gate, playing, text};
use crate::wire::{Server, gated};

#[test]
fn a_request_with_a_key_is_carried_out_once_however_often_it_is_sent() {
    let house = gated("approve: [plan]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    let requests = format!("/api/v1/runs/{run}/requests");
    let key = "Idempotency-Key: of/mine 1\r\n";
    let steer = |message: &str| json!({"steer": {"task": null, "message": message}});
    let first = server.post("approver", &requests, key, &steer("one")).is(200).json();
    assert_eq!(first["answer"], "carried_out");
    let again = server.post("approver", &requests, key, &steer("one")).is(200).json();
    assert_eq!(first, again);
    server.post("approver", &requests, key, &steer("two")).is(422).says("Idempotency-Key");
    server.post("approver", &requests, "", &steer("three")).is(200);
    let steered: Vec<String> = house.told("Steered").iter().map(|told| text(&told["message"])).collect();
    assert_eq!(steered, ["one", "three"]);

    // What was carried out stays so when it is sent again, though it would be refused by now.
    let approve = json!({"approve": "plan"});
    let key = "Idempotency-Key: word\r\n";
    house.until("it waits", || house.board()["stands"]["class"] == "waits");
    server.post("approver", &requests, key, &approve).is(200);
    server.post("approver", &requests, key, &approve).is(200);
    server.post("approver", &requests, "", &approve).is(409);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.until("it is done", || house.board()["stands"]["class"] == "done");
}

#[test]
fn a_run_is_opened_over_the_wire_once_by_its_key() {
    let house = gated("");
    let server = Server::start(&house);
    let repo = house.repo();
    let wanted = json!({
        "repo": repo, "goal": "goal.md", "name": "WEB-1",
        "roles": ["shard.agents=script:plan.yml", "worker.agents=script:work.yml", "worker.mechanical=false"],
    });
    let key = "Idempotency-Key: open 1\r\n";
    let opened = server.post("operator", "/api/v1/runs", key, &wanted).is(200).json();
    let refuses_others = |server: &Server<'_>| {
        for (field, other) in [("name", json!("WEB-2")), ("open_only", json!(true)), ("seed", json!(5))] {
            let mut other_body = wanted.clone();
            other_body[field] = other;
            server.post("operator", "/api/v1/runs", key, &other_body).is(422).says("Idempotency-Key");
        }
        let again = server.post("operator", "/api/v1/runs", key, &wanted).is(200).json();
        assert_eq!(opened["run"], again["run"]);
        assert_eq!(house.artel(&["list", "--json"]).json().as_array().unwrap().len(), 1);
    };
    refuses_others(&server);
    server.kill();
    let server = Server::start(&house);
    refuses_others(&server);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.until("it is done", || house.board()["stands"]["class"] == "done");
    for (wrong, status) in [
        (json!({"repo": "here", "goal": "goal.md"}), 422),
        (json!({"repo": house.root(), "goal": "goal.md"}), 422),
        (json!({"repo": repo, "goal": "none.md"}), 422),
        (json!({"repo": repo}), 422),
        (json!({"repo": repo, "goal": "goal.md", "more": 1}), 422),
    ] {
        server.post("operator", "/api/v1/runs", "", &wrong).is(status);
    }
}
