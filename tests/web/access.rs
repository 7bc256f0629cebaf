//! Tells who gets to ask what: tokens and standings, links that work once, names by which the server is called, pages of
//! others, and how much.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::crew::playing;
use crate::wire::{Server, gated};

const STEER: &str = "ask=steer&key=k1&back=%2Finbox&text=be+kind";

#[test]
fn nothing_is_told_or_done_without_a_token_and_each_standing_may_what_it_may() {
    let house = gated("approve: [plan]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    let requests = format!("/api/v1/runs/{run}/requests");
    let of_run = format!("/api/v1/runs/{run}");
    for path in ["/api/v1/runs", &of_run, "/metrics", "/", "/inbox", "/api/v1/openapi.json"] {
        server.send("GET", path, "", "").is(401);
        server.send("GET", path, "Authorization: Bearer artel-serve-0\r\n", "").is(401);
        server.get("viewer", path).is(200);
    }
    server.send("POST", &requests, "Content-Type: application/json\r\n", "\"resume\"").is(401);
    let tokens = house.home().join("serve/tokens.toml");
    assert_eq!(std::fs::metadata(tokens).unwrap().permissions().mode() & 0o777, 0o600);

    let (steer, stop) = (json!({"steer": {"task": null, "message": "be kind"}}), json!("stop"));
    server.post("viewer", &requests, "", &steer).is(403).says("approver");
    server.post("approver", &requests, "", &stop).is(403).says("operator");
    server.post("approver", "/api/v1/runs", "", &json!({"repo": "/", "goal": "x"})).is(403);
    server.post("approver", "/api/v1/links", "", &json!({"standing": "operator"})).is(403);
    server.post("approver", &requests, "", &steer).is(200);
    house.until("it waits for a word", || house.board()["stands"]["class"] == "waits");
}

#[test]
fn wrong_tokens_are_answered_ten_times_and_then_not() {
    let house = gated("");
    let server = Server::start(&house);
    let guess = || server.send("GET", "/api/v1/runs", "Authorization: Bearer artel-serve-1\r\n", "").status;
    let statuses: Vec<u16> = (0..40).map(|_| guess()).collect();
    assert_eq!(&statuses[..10], [401; 10]);
    assert!(statuses.contains(&429), "{statuses:?}");
    server.get("viewer", "/api/v1/runs").is(200);
}

#[test]
fn a_page_of_another_site_gets_nowhere() {
    let house = gated("approve: [plan]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    let (at, token) = (&server.at, server.token("operator"));
    let port = at.rsplit(':').next().unwrap();
    let called = |host: &str| {
        server.raw(
            format!("GET /api/v1/runs HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes(),
        )
    };
    for host in [at.clone(), format!("localhost:{port}"), format!("LocalHost:{port}"), format!("[::1]:{port}")] {
        called(&host).is(200);
    }
    for host in ["evil.example", &format!("evil.example:{port}"), "", &format!("{at}.evil.example"), "10.0.0.1"] {
        called(host).is(421);
    }
    let twice = format!(
        "GET /api/v1/runs HTTP/1.0\r\nHost: {at}\r\nHost: evil.example\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    assert_ne!(server.raw(twice.as_bytes()).status, 200);

    let cookie = log_in(&server, &house);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let ask = |head: String| {
        server.send("POST", &format!("/runs/{}/ask", house.run()), &format!("{form}{cookie}{head}"), STEER)
    };
    for foreign in [
        "",
        "Origin: null\r\n",
        "Origin: http://evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        &format!("Origin: http://{at}.evil.example\r\n"),
        &format!("Origin: http://{at}\r\nSec-Fetch-Site: cross-site\r\n"),
    ] {
        ask(foreign.to_owned()).is(403);
    }
    assert!(house.told("Steered").is_empty());
    ask(format!("Origin: http://{at}\r\nSec-Fetch-Site: same-origin\r\n")).is(303);
    assert_eq!(house.told("Steered").len(), 1);
}

/// Logs in by a link and gives the header line by which the browser is known.
pub fn log_in(server: &Server<'_>, house: &crate::common::House) -> String {
    let link = house.artel(&["serve", "--link"]).exits(0).out;
    let path = link.trim().split_once(&server.at).unwrap().1.to_owned();
    let code = path.split_once("code=").unwrap().1.to_owned();
    // To look at a link uses nothing up.
    for _ in 0..2 {
        server.send("GET", &path, "", "").is(200).says(&code);
    }
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = server.send("POST", "/login", form, &format!("code={code}")).is(303);
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    server.send("POST", "/login", form, &format!("code={code}")).is(401);
    format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
}

#[test]
fn a_browser_that_logged_in_stays_so_over_a_restart_until_it_logs_out() {
    let house = gated("");
    let server = Server::start(&house);
    let link = house.artel(&["serve", "--link", "viewer"]).exits(0).out;
    assert!(link.contains("/login?code="));
    let cookie = log_in(&server, &house);
    let page = server.send("GET", "/", &cookie, "").is(200).says("Runs");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let port = server.at.rsplit(':').next().unwrap().to_owned();
    server.kill();
    let server = Server::start_with(&house, &["--name", "artel.example.org"]);
    // The cookie is named after the port, so that two servers of one machine do not take each other's.
    let now = server.at.rsplit(':').next().unwrap();
    let cookie = cookie.replace(&format!("artel-{port}="), &format!("artel-{now}="));
    server.send("GET", "/", &cookie, "").is(200);
    let proxied = format!("GET / HTTP/1.0\r\nHost: artel.example.org\r\n{cookie}\r\n");
    server.raw(proxied.as_bytes()).is(200);
    let origin = format!("Origin: http://{}\r\n", server.at);
    server.send("POST", "/logout", &format!("{cookie}{origin}"), "").is(303);
    server.send("GET", "/", &cookie, "").is(401);
}

#[test]
fn what_is_too_large_or_no_request_at_all_is_refused() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    let requests = format!("/api/v1/runs/{}/requests", house.run());
    let long = json!({"steer": {"task": null, "message": "x".repeat(70_000)}});
    server.post("operator", &requests, "", &long).is(413);
    server.post("operator", &requests, "", &json!({"explode": 1})).is(422).says("openapi");
    server.post("operator", &requests, &format!("Idempotency-Key: {}\r\n", "k".repeat(201)), &json!("resume")).is(400);
    let token = server.token("operator");
    let head = format!("Authorization: Bearer {token}\r\n");
    server.send("POST", &requests, &head, "\"stop\"").is(415);
    server.send("DELETE", "/api/v1/runs", &head, "").is(405);
    server.get("operator", "/api/v1/nothing").is(404);
    let fat = format!("GET / HTTP/1.0\r\nHost: {}\r\nX: {}\r\n\r\n", server.at, "x".repeat(20_000));
    assert_eq!(server.raw(fat.as_bytes()).status, 431);
    assert!(house.told("Steered").is_empty());
}

#[test]
fn what_cannot_be_read_is_refused_in_one_form_by_every_route() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let (run, server) = (house.run(), Server::start(&house));
    // To programs.
    let of = |path: &str| format!("/api/v1/runs/{run}{path}");
    let of_none = |path: &str| format!("/api/v1/runs/%FF{path}");
    let queries =
        ["?at=x", "/graph?at=x", "/marks?at=x", "/attempts/t1.1/log?from=x", "/digest?after=x", "/events?after=x"];
    let paths = [
        "",
        "/tasks",
        "/tasks/t1",
        "/tasks/t1/diff",
        "/attempts/t1.1/log",
        "/attempts/t1.1/diff",
        "/graph",
        "/journal",
    ];
    let asked = queries.map(|path| (400, of(path))).into_iter().chain(paths.map(|path| (404, of_none(path))));
    for (status, path) in asked {
        let told = server.get("viewer", &path).is(status).json();
        assert!(told["error"]["tried"].as_str().is_some_and(|tried| tried.starts_with("read the ")), "{path}: {told}");
        assert!(told["error"]["next"].is_string(), "{path}: {told}");
    }
    // To people.
    let pages = [
        (400, format!("/runs/{run}?live=many")),
        (404, "/runs/%FF".to_owned()),
        (404, "/runs/%FF/journal".to_owned()),
        (404, "/runs/%FF/digest".to_owned()),
        (404, "/runs/%FF/plan".to_owned()),
        (404, "/runs/%FF/tasks/t1".to_owned()),
        (404, "/runs/%FF/attempts/t1.1/diff".to_owned()),
    ];
    for (status, path) in pages {
        let page = server.get("operator", &path).is(status).says("artel failed to read the ");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    }
    server.send("POST", "/login", "Content-Type: text/plain\r\n", "code=x").is(415).says("artel failed to log in");
}

#[test]
fn who_comes_by_a_link_of_another_site_comes_in_and_who_logs_in_comes_to_what_was_asked_for() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let (run, server) = (house.run(), Server::start(&house));
    let path = format!("/runs/{run}/journal?text=a&kind=%22%3E");
    let opens =
        |site: &str| format!("Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: {site}\r\n");
    let shown = format!("content=\"0; url={}\"", path.replace('&', "&amp;"));
    // A browser sends no cookie with such a link: it is sent on to the same page, once.
    let page = server.send("GET", &path, &opens("cross-site"), "").is(401).says(&shown);
    assert!(page.header("set-cookie").is_none() && page.header("location").is_none(), "{}", page.head);
    let refused = |head: &str| {
        let page = server.send("GET", &path, head, "").is(401).says("nobody is logged in");
        assert!(!page.body.contains("http-equiv"), "{}", page.body);
        page.header("set-cookie").map(str::to_owned)
    };
    let wanted = refused(&opens("same-origin")).unwrap();
    assert!(wanted.contains(&format!("-wanted={path}; Path=/login; ")) && wanted.contains("HttpOnly"), "{wanted}");
    assert_eq!(refused(&opens("none")), Some(wanted.clone()));
    // What is no page that a browser opens is told as it is, and nothing is kept of it.
    for head in ["", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"] {
        assert_eq!(refused(head), None, "{head}");
    }
    let frame = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(refused(frame), None);
    server.send("POST", &format!("/runs/{run}/ask"), &opens("cross-site"), STEER).is(403);
    server.send("GET", &format!("/api/v1/runs/{run}"), &opens("cross-site"), "").is(401).says("{\"error\"");

    let log_in_with = |cookie: &str| {
        let link = house.artel(&["serve", "--link"]).exits(0).out;
        let code = link.trim().split_once("code=").unwrap().1.to_owned();
        let head = format!("Content-Type: application/x-www-form-urlencoded\r\n{cookie}");
        server.send("POST", "/login", &head, &format!("code={code}")).is(303)
    };
    let pair = wanted.split(';').next().unwrap();
    let answer = log_in_with(&format!("Cookie: {pair}\r\n"));
    assert_eq!(answer.header("location"), Some(path.as_str()));
    let cookies: Vec<&str> = answer.head.lines().filter(|line| line.starts_with("set-cookie: ")).collect();
    assert!(cookies.len() == 2 && cookies[1].contains("-wanted=; Path=/login; Max-Age=0"), "{cookies:?}");
    let name = pair.split('=').next().unwrap();
    for elsewhere in ["//evil.example/", "/\\evil.example", "https://evil.example/", "", "/a,b"] {
        let answer = log_in_with(&format!("Cookie: {name}={elsewhere}\r\n"));
        assert_eq!(answer.header("location"), Some("/"), "{elsewhere}");
    }
}
