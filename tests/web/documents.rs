//! Tells that the document which describes the server is true, that looking changes nothing, and that numbers are told.

use crate::crew::{open_gate, playing, text};
use crate::wire::{Server, gated};

/// Asks about a repository of the server's machine.
fn is_for_operators(server: &Server<'_>, path: &str, repo: &str) {
    server.get("approver", path).is(403);
    if path.ends_with("/tokens") {
        // What a script is given, no provider counts.
        server.get("operator", path).is(422).says("which model");
        return;
    }
    server.get("operator", &format!("{path}?repo={repo}")).is(200).says("[");
    let is_of_machine = path.ends_with("/agents");
    server.get("operator", &format!("{path}?repo=..%2F")).is(if is_of_machine { 200 } else { 422 });
}

#[test]
fn each_described_path_answers_as_described_and_looking_changes_nothing() {
    let house = gated("");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.artel(&playing(&[])).exits(0);
    let (run, before) = (house.run(), house.events());
    let server = Server::start(&house);
    let document = server.get("viewer", "/api/v1/openapi.json").is(200).json();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(told) = methods.get("get") else { continue };
        let filled = path.replace("{run}", &run).replace("{task}", "t1").replace("{attempt}", "t1.1");
        let filled = filled.replace("{transcript}", "t1.1");
        if told["description"].as_str().unwrap().ends_with("For: operator.") {
            is_for_operators(&server, &filled, &house.repo().display().to_string());
            continue;
        }
        if path.ends_with("/plan/draft") {
            // There is one while a plan waits for a word; this run's has begun.
            server.get("viewer", &filled).is(404);
            continue;
        }
        let answer = server.get("viewer", &filled).is(200);
        let kinds = told["responses"]["200"]["content"].as_object().unwrap();
        let kind = answer.header("content-type").unwrap();
        assert!(kinds.contains_key(kind), "{path}: {kind}");
        asked += 1;
        if !path.contains('{') {
            continue;
        }
        for hostile in
            ["..", "%00", "t999", "%E2%80%AE", "r-none", "-1", "%3Cscript%3E", "a%2F..%2Fb", &"9".repeat(400)]
        {
            let fill = path.replace("{run}", hostile).replace("{task}", hostile).replace("{attempt}", hostile);
            let fill = fill.replace("{transcript}", hostile);
            let of_run = path.replace("{run}", &run).replace("{task}", hostile).replace("{attempt}", hostile);
            let of_run = of_run.replace("{transcript}", hostile);
            for path in [fill, of_run] {
                let status = server.get("viewer", &path).status;
                assert!(status == 200 || (400..500).contains(&status), "{path}: {status}");
            }
        }
    }
    assert!(asked >= 15, "{asked}");
    for page in [
        "/",
        "/inbox",
        &format!("/runs/{run}"),
        &format!("/runs/{run}/tasks/t1"),
        &format!("/runs/{run}/digest"),
        "/static/page.css",
        "/static/page.js",
    ] {
        server.get("viewer", page).is(200);
    }
    assert_eq!(house.events(), before);

    // The same as the command line's.
    for (path, args) in [
        ("cost", vec!["cost", "--json"]),
        ("tasks/t2", vec!["show", "t2", "--json"]),
        ("digest", vec!["digest", "--json"]),
        ("digest?after=9", vec!["digest", "--after", "9", "--json"]),
    ] {
        let told = server.get("viewer", &format!("/api/v1/runs/{run}/{path}")).is(200).json();
        assert_eq!(told, house.artel(&args).json(), "{path}");
    }
    let diff = server.get("viewer", &format!("/api/v1/runs/{run}/tasks/t1/diff")).is(200);
    assert_eq!(diff.body, house.artel(&["diff", "t1"]).exits(0).out);
}

#[test]
fn a_digest_leads_to_the_events_and_the_pages_that_it_rests_on() {
    let house = gated("");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.artel(&playing(&[])).exits(0);
    house.artel(&["deliver"]).exits(0);
    let (run, events) = (house.run(), house.events());
    let marked = house.artel(&["digest", "--md"]).exits(0).out;
    assert!(marked.contains("## Landed (2)") && marked.contains("`#") && !marked.contains("](http"), "{marked}");
    let server = Server::start(&house);
    let marked = house.artel(&["digest", "--md", "--since", "24h"]).exits(0).out;
    let links: Vec<&str> =
        marked.split(&format!("](http://{}", server.at)).skip(1).map(|it| it.split(')').next().unwrap()).collect();
    assert!(links.len() > 5, "{marked}");
    for link in links.iter().filter(|link| link.contains("/tasks/")) {
        server.get("viewer", link).is(200);
    }
    let page = server.get("viewer", &format!("/runs/{run}/digest")).is(200).says("Landed (2)");
    for attempt in ["t1.1", "t2.1"] {
        let changes = format!("/runs/{run}/attempts/{attempt}/diff");
        assert!(page.body.contains(&format!("href=\"{changes}\"")), "{}", page.body);
        server.get("viewer", &changes).is(200).says("class=\"add\">new");
    }
    let delivered = house.git(&["rev-parse", "HEAD"]);
    let changes = format!("/runs/{run}/deliveries/{delivered}/diff");
    assert!(page.body.contains(&format!("href=\"{changes}\"")) && marked.contains(&changes), "{}", page.body);
    server.get("viewer", &changes).is(200).says("class=\"add\">new").says("src/a.txt").says("src/b.txt");
    let base = text(&events[0]["event"]["RunOpened"]["base"]);
    for other in [base.as_str(), "HEAD"] {
        server.get("viewer", &format!("/runs/{run}/deliveries/{other}/diff")).is(404);
    }
    let at = page.body.split("journal?at=").nth(1).unwrap().split('"').next().unwrap();
    let event = house.artel(&["log", "--at", at, "--json"]).exits(0).json_lines();
    assert_eq!(event, [events[at.parse::<usize>().unwrap() - 1].clone()]);
    house.artel(&["log", "--at", "9999"]).exits(11).says("its last event is");
    let alone = house.artel(&["digest", "--html"]).exits(0).out;
    assert!(alone.starts_with("<!DOCTYPE html>") && alone.contains("default-src 'none'"), "{alone}");
    server.get("viewer", &format!("/runs/{run}/digest?after=x")).is(400);
}

#[test]
fn numbers_are_told_to_prometheus() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    let metrics = server.get("viewer", "/metrics").is(200);
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in metrics.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("artel_") && value.parse::<f64>().is_ok(), "{line}");
    }
    metrics
        .says("artel_runs{state=\"live\"} 1\n")
        .says(&format!("artel_tasks{{run=\"{run}\",status=\"running\"}} 2\n"))
        .says(&format!("artel_attempts_total{{run=\"{run}\"}} 2\n"))
        .says("artel_runs_coordinated 1\n");
}
