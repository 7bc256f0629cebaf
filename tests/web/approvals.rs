//! Tells that a word is given in the browser and over the wire on exactly what waits, and that a server minds the time.

use serde_json::json;

use crate::access::log_in;
use crate::common::House;
use crate::crew::{crew, landings, playing, text};
use crate::pages::{FORM, large, plan_on, press};
use crate::wire::Server;

/// Writes another text where its brief tells of a gap.
pub const MINDS: &str = "  - run: \"if grep -q 'mind the gap' \\\"$ARTEL_BRIEF\\\"; then echo minded > '{path}'; \
                     else echo first > '{path}'; fi\"\n";

fn opened(front: &str) -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], MINDS, front);
    house.artel(&playing(&["--open-only"])).exits(0);
    house
}

fn gated(house: &House, count: u32) {
    house.until("they wait and nobody works on the run", || {
        let board = house.board();
        board["counts"]["gated"] == count && board["coordinated"] == false
    });
}

#[test]
fn candidates_are_approved_and_refused_from_the_inbox_page() {
    let house = opened("approve: [landing]\n");
    let run = house.run();
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    let look = |path: &str| server.send("GET", path, &cookie, "").is(200);
    gated(&house, 2);
    let inbox = look("/inbox").says("needs input (2)").says("every landing waits").says("1 file, 2 lines");
    press(&server, &cookie, &inbox, "approve_candidate", "").is(303);
    house.until("the first has landed", || house.board()["counts"]["landed"] == 1);
    gated(&house, 1);
    let page = look(&format!("/runs/{run}/tasks/t2")).says("has moved");
    press(&server, &cookie, &page, "deny_candidate", "mind the gap").is(303);
    house.until("it is done again", || house.told("AttemptLeased").len() == 3);
    gated(&house, 1);
    // The page still shows what was refused: a word on that is none on what came after.
    press(&server, &cookie, &page, "approve_candidate", "").is(409).says("does not wait for a word");
    let page = look(&format!("/runs/{run}/tasks/t2"));
    press(&server, &cookie, &page, "approve_candidate", "").is(303);
    house.until("it is done", || house.board()["stands"]["class"] == "done");
    assert_eq!(house.landed("src/b.txt"), "minded");
}

#[test]
fn a_server_does_what_the_goal_says_when_no_word_comes() {
    let house = opened("approve: { landing: true, timeout: 1s, then: approve }\n");
    let server = Server::start(&house);
    house.until("it is done and nobody said a word", || house.board()["stands"]["class"] == "done");
    assert_eq!(landings(&house.events()).len(), 2);
    drop(server);
}

#[test]
fn a_plan_is_edited_and_a_candidate_approved_over_the_wire() {
    let house = opened("approve: { plan: required, paths: [src/b.txt] }\n");
    let run = house.run();
    let server = Server::start(&house);
    let requests = format!("/api/v1/runs/{run}/requests");
    house.until("the plan waits", || house.board()["stands"]["class"] == "waits");
    let mut plan = server.get("viewer", &format!("/api/v1/runs/{run}/plan/draft")).is(200).json();
    plan["tasks"][0]["brief"] = json!("mind the gap");
    server.post("approver", &requests, "", &json!({"edit_plan": plan})).is(403);
    server.post("operator", &requests, "", &json!({"edit_plan": plan})).is(200);
    server.post("operator", &requests, "", &json!({"edit_plan": plan})).is(409).says("was edited since");
    server.post("approver", &requests, "", &json!({"approve": "plan"})).is(200);
    gated(&house, 1);
    server.get("viewer", &format!("/api/v1/runs/{run}/plan/draft")).is(404);
    let inbox = server.get("viewer", &format!("/api/v1/runs/{run}/inbox")).is(200).json();
    let waiting: Vec<_> = inbox.as_array().unwrap().iter().filter(|item| item["waiting"].is_object()).collect();
    assert_eq!(waiting.len(), 1, "{inbox}");
    let (attempt, commit) = (&waiting[0]["waiting"]["attempt"], &waiting[0]["waiting"]["commit"]);
    let word = |commit: &serde_json::Value| json!({"approve_candidate": {"attempt": attempt, "commit": commit}});
    server.post("approver", &requests, "", &word(&json!("0".repeat(40)))).is(409);
    server.post("viewer", &requests, "", &word(commit)).is(403);
    server.post("approver", &requests, "", &word(commit)).is(200);
    house.until("it is done", || house.board()["stands"]["class"] == "done");
    assert_eq!(house.landed("src/a.txt"), "minded");
    let landed = landings(&house.events()).last().unwrap().clone();
    assert_eq!(landed.0, text(attempt));
    assert_eq!(json!(house.git(&["rev-parse", &format!("{}^2", landed.1)])), *commit);
}

#[test]
fn a_plan_is_approved_and_refused_only_as_it_was_shown() {
    let house = opened("approve: { plan: required }\n");
    let run = house.run();
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    let requests = format!("/api/v1/runs/{run}/requests");
    house.until("the plan waits", || house.board()["stands"]["class"] == "waits");
    let look = || server.send("GET", "/inbox", &cookie, "").is(200);
    let word = || {
        let inbox = server.get("viewer", &format!("/api/v1/runs/{run}/inbox")).is(200).json();
        json!({"approve_gate": {"gate": "plan", "shown": inbox[0]["waiting"]["shown"]}})
    };
    let (page, before) = (look(), word());
    let mut plan = server.get("viewer", &format!("/api/v1/runs/{run}/plan/draft")).is(200).json();
    plan["tasks"][0]["brief"] = json!("mind the gap");
    server.post("operator", &requests, "", &json!({"edit_plan": plan})).is(200);
    for ask in ["approve", "deny"] {
        press(&server, &cookie, &page, ask, "no").is(409).says("the plan was edited since it was shown");
    }
    server.post("approver", &requests, "", &before).is(409).says("the plan was edited since it was shown");
    assert_eq!((house.told("GatePassed").len(), house.told("AttemptLeased").len()), (0, 0));
    server.post("approver", &requests, "", &word()).is(200);
    house.until("it is done", || house.board()["stands"]["class"] == "done");
    assert_eq!(house.landed("src/a.txt"), "minded");
}

/// Bytes that a request which edits a plan may have.
const PLAN_BYTES: usize = 12 << 20;

#[test]
fn a_plan_of_two_thousand_tasks_is_edited_in_the_browser_and_over_the_wire() {
    let house = large();
    let run = house.run();
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    house.until("the plan waits", || house.board()["stands"]["class"] == "waits");
    let (at, draft) = (format!("/runs/{run}/plan"), format!("/api/v1/runs/{run}/plan/draft"));
    server.get("approver", &at).is(403);
    server.get("operator", "/runs/none/plan").is(404);
    let look = || server.send("GET", &at, &cookie, "").is(200);
    let page = look().says("2000 tasks");
    let text = plan_on(&page);
    assert!(text.len() > 200_000, "{} bytes", text.len());
    assert!(!page.body.contains("data-events") && !page.body.contains("data-poll"), "it is not asked for again");
    press(&server, &cookie, &page, "edit_plan", &text.replacen("weight: 1\r\n", "weight: 7\r\n", 1)).is(303);
    let old = look();
    let mut plan = server.get("viewer", &draft).is(200).json();
    assert_eq!((plan["revision"].as_u64(), plan["tasks"][0]["weight"].as_u64()), (Some(1), Some(7)));
    plan["tasks"][1999]["brief"] = json!("mind the gap");
    let requests = format!("/api/v1/runs/{run}/requests");
    server.post("operator", &requests, "", &json!({"edit_plan": plan})).is(200);
    let told = server.get("viewer", &draft).is(200).json();
    assert_eq!((told["revision"].as_u64(), told["tasks"].as_array().unwrap().len()), (Some(2), 2000));
    assert_eq!((&told["tasks"][1999]["brief"], &told["tasks"][0]["weight"]), (&json!("mind the gap"), &json!(7)));
    press(&server, &cookie, &old, "edit_plan", &plan_on(&old)).is(409).says("was edited since");
    press(&server, &cookie, &look(), "edit_plan", "revision: 2\ntasks: [{}]\n").is(422).says("still stands there");
    assert_eq!(house.told("PlanEdited").len(), 2);
}

#[test]
fn a_request_is_as_large_as_a_plan_only_where_it_edits_one() {
    let house = opened("approve: { plan: required }\n");
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    house.until("the plan waits", || house.board()["stands"]["class"] == "waits");
    let ask = format!("/runs/{}/ask", house.run());
    let head = format!("{FORM}{cookie}Origin: http://{}\r\n", server.at);
    let form = |of: &str, length: usize| {
        let form = format!("key=k&back=/&ask={of}&text=");
        let padding = "x".repeat(length - form.len());
        server.send("POST", &ask, &head, &format!("{form}{padding}"))
    };
    form("steer", 70_000).is(413).says("no edit of a plan");
    form("edit_plan", PLAN_BYTES).is(422).says("larger than 4096 KiB");
    form("edit_plan", PLAN_BYTES + 1).is(413).says("more than 12 MiB");
    let requests = format!("/api/v1/runs/{}/requests", house.run());
    let token = server.token("operator");
    let head = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let json = |length: usize| {
        let body = json!({"edit_plan": {"revision": 9, "tasks": []}}).to_string();
        server.send("POST", &requests, &head, &format!("{body}{}", " ".repeat(length - body.len())))
    };
    json(PLAN_BYTES).is(409).says("revision 0 stands");
    json(PLAN_BYTES + 1).is(413);
    assert!(house.told("PlanEdited").is_empty() && house.told("Steered").is_empty());
}

/// Plans one task, and another where the plan was sent back.
const PLANS: &str = r#"key=a; if grep -q 'rather b' "$ARTEL_BRIEF"; then key=b; fi
if grep -q 'both of them' "$ARTEL_BRIEF"; then key=c; fi
printf '```artel\n{"tasks":[{"key":"%s","title":"t","brief":"b","paths":["src/%s.txt"]}]}\n```\n' $key $key
"#;

#[test]
fn a_plan_is_sent_back_in_the_browser_and_over_the_wire() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    crew(&house, &[], MINDS, "approve: [plan]\n");
    house.write("plan.sh", PLANS);
    house.commit("a planner");
    let session = ["--role", "shard.agents=[\"command:sh plan.sh\"]", "--open-only"];
    house.artel(&playing(&session)).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    let requests = format!("/api/v1/runs/{run}/requests");
    let shown =
        || server.get("viewer", &format!("/api/v1/runs/{run}/inbox")).is(200).json()[0]["waiting"]["shown"].clone();
    let waits = |key: &str| {
        house.until("a plan waits", || {
            house.board()["stands"]["class"] == "waits" && house.board()["coordinated"] == false
        });
        let plan = server.get("viewer", &format!("/api/v1/runs/{run}/plan/draft")).is(200).json();
        let keys: Vec<_> = plan["tasks"].as_array().unwrap().iter().map(|task| text(&task["key"])).collect();
        assert_eq!(keys, [key]);
    };
    waits("a");
    let (page, old) = (server.send("GET", &format!("/runs/{run}"), &cookie, "").is(200), shown());
    press(&server, &cookie, &page, "send_plan_back", " ").is(422).says("say it in words");
    press(&server, &cookie, &page, "send_plan_back", "rather b").is(303);
    waits("b");
    let back = |shown| json!({"send_plan_back": {"reason": "both of them", "shown": shown}});
    server.post("approver", &requests, "", &back(old)).is(409).says("since it was shown");
    server.post("viewer", &requests, "", &back(shown())).is(403);
    server.post("approver", &requests, "", &back(shown())).is(200);
    waits("c");
    assert_eq!(house.told("PlanSentBack").len(), 2);
}
