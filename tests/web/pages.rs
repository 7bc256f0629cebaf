//! Tells that people can look and answer in a browser, and that nothing an agent or a repository wrote is more than text
//! there.

use crate::access::log_in;
use crate::common::House;
use crate::crew::{crew, open_gate, playing};
use crate::wire::{Answer, Server, gated};

pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Writes a text as forms do.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Presses the button of a form that a page shows, with a text in its field.
pub fn press(server: &Server<'_>, cookie: &str, page: &Answer, ask: &str, text: &str) -> Answer {
    let marker = format!("name=\"ask\" value=\"{ask}\"");
    let at = page.body.find(&marker).unwrap_or_else(|| panic!("no button `{ask}` in\n{}", page.body));
    let start = page.body[..at].rfind("<form").unwrap();
    let form = &page.body[start..start + page.body[start..].find("</form>").unwrap()];
    let action = form.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut fields: Vec<String> = Vec::new();
    for input in form.split("<input type=\"hidden\" name=\"").skip(1) {
        let name = input.split('"').next().unwrap();
        let value = input.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
        fields.push(format!("{name}={}", encoded(value)));
    }
    if form.contains("name=\"text\"") {
        fields.push(format!("text={}", encoded(text)));
    }
    let head = format!("{FORM}{cookie}Origin: http://{}\r\n", server.at);
    server.send("POST", action, &head, &fields.join("&"))
}

#[test]
fn a_person_approves_steers_retries_and_denies_in_the_browser() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let steps = "  - match: {path: src/b.txt, then: [fail: no way]}\n  - write: {text: \"new\\n\"}\n";
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], steps, "approve: [plan]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    let look = |path: &str| server.send("GET", path, &cookie, "").is(200);
    house.until("it waits", || house.board()["stands"]["class"] == "waits");
    let inbox = look("/inbox").says("needs input (1)");
    press(&server, &cookie, &inbox, "approve", "").is(303);
    // Pressed twice, it is asked once.
    press(&server, &cookie, &inbox, "approve", "").is(303);
    house.until("it has ended", || house.artel(&["list", "--json"]).json()[0]["ended"] == true);
    let inbox = look("/inbox").says("failed (2)");
    assert_eq!(inbox.body.matches(&format!("/runs/{run}/tasks/t2\"")).count(), 1, "each thing stands in one place");
    press(&server, &cookie, &inbox, "deny_task", "it is & stays <i>no</i>").is(303);
    house.until("it is given up", || house.told("TaskDropped").len() == 1);
    look(&format!("/runs/{run}/tasks/t2")).says("it is &amp; stays &lt;i&gt;no&lt;/i&gt;").says("no way");
    look(&format!("/runs/{run}/tasks/t1")).says("class=\"del\">old").says("class=\"add\">new");
    let page = look(&format!("/runs/{run}")).says("Attempts by worker").says("<svg").says("k k-landed");
    press(&server, &cookie, &page, "deliver", "").is(303);
    house.until("it is delivered", || std::fs::read_to_string(house.repo().join("src/a.txt")).unwrap() == "new\n");
}

const TAINT: &str = "<script>alert(1)</script>\\\" onload=x <img src=x onerror=y>\\e[31m\\u202e\\u0007";

/// A house in which everything that agents and a repository may name or write is hostile.
pub fn tainted(front: &str) -> House {
    let house = gated(front);
    let name = "src/<img src=x onerror=alert(2)>.txt".replace("src/", "");
    house.write(&name, "old\n");
    house.write(
        "plan.yml",
        &format!("plan:\n  - emit:\n      - {{key: a, title: \"{TAINT}\", brief: \"{TAINT}\", paths: [\"{name}\"]}}\n"),
    );
    let steps = format!(
        "steps:\n  - run: \"printf '%s' '</pre><script>alert(3)</script>'\"\n  - write: {{text: \"{TAINT}\"}}\n"
    );
    house.write("work.yml", &steps);
    let goal = std::fs::read_to_string(house.repo().join("goal.md")).unwrap();
    house.write("goal.md", &goal.replace("name: a story", "name: \"<script>alert(1)</script><img src=x>\""));
    house.commit("tainted");
    house
}

#[test]
fn a_plan_is_edited_as_text_that_does_nothing_and_stays_what_it_was() {
    let house = tainted("approve: [plan]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let (run, server) = (house.run(), Server::start(&house));
    let cookie = log_in(&server, &house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits");
    let page = server.send("GET", &format!("/runs/{run}/plan"), &cookie, "").is(200);
    assert_eq!(page.body.matches("<script").count(), 1, "only the page's own");
    assert!(
        page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.body.contains("\\u202e"),
        "{}",
        page.body
    );
    for active in ["<img", "\u{1b}", "\u{202e}", "\u{7}", "onerror=y>"] {
        assert!(!page.body.contains(active), "{active:?}");
    }
    let draft = format!("/api/v1/runs/{run}/plan/draft");
    let before = server.get("viewer", &draft).is(200).json();
    press(&server, &cookie, &page, "edit_plan", &plan_on(&page)).is(303);
    assert_eq!(server.get("viewer", &draft).is(200).json(), before, "what was saved as it was is what it was");
}

#[test]
fn a_question_is_answered_in_the_browser_once_and_as_it_was_shown() {
    let block = |json: &str| format!("cat <<'EOF'\n```artel\n{json}\n```\nEOF\n");
    let asks = block(r#"{"ask": "Which <script>alert(1)</script>?"}"#);
    let plan = format!("case $(grep -c 'the answer:' $ARTEL_BRIEF) in 0|1) {asks};; *) {};; esac\n", block("{}"));
    let goal = "---\nname: a story\ndone: [\"true\"]\n---\nDo.\n";
    let house = House::with(&[("goal.md", goal), ("plan.sh", &plan)]);
    house.artel(&["run", "goal.md", "--role", "shard.agents=[\"command:sh plan.sh\"]", "--open-only"]).exits(0);
    let (run, server) = (house.run(), Server::start(&house));
    let cookie = log_in(&server, &house);
    let asked = |number: usize| {
        house
            .until("it asks", || house.told("SeatLeft").len() == number && house.board()["stands"]["class"] == "waits");
        server.send("GET", "/inbox", &cookie, "").is(200).says("needs input (1)")
    };
    let first = asked(1).says("Which &lt;script&gt;alert(1)&lt;/script&gt;?");
    assert_eq!(first.body.matches("value=\"answer\"").count(), 1, "it stands in one place");
    press(&server, &cookie, &first, "answer", "The blue one.").is(303);
    asked(2);
    press(&server, &cookie, &first, "answer", "The blue one.").is(303);
    let page = server.send("GET", &format!("/runs/{run}"), &cookie, "").is(200);
    let stale = first.body.replace("name=\"key\" value=\"", "name=\"key\" value=\"other");
    press(&server, &cookie, &Answer { body: stale, ..first }, "answer", "Not that.").is(409);
    press(&server, &cookie, &page, "answer", "The red one.").is(303);
    house.until("it is done", || house.board()["stands"]["class"] == "done");
    let answers: Vec<String> =
        house.told("QuestionAnswered").iter().map(|it| it["answer"].as_str().unwrap().to_owned()).collect();
    assert_eq!(answers, ["The blue one.", "The red one."]);
}

/// Gives the plan that a page shows to be edited, as a browser would send it.
pub fn plan_on(page: &Answer) -> String {
    let field = page.body.split("<textarea class=\"plan\"").nth(1).unwrap();
    let text = field.split_once('>').unwrap().1.split("</textarea>").next().unwrap();
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&"), ("\n", "\r\n")];
    marks.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A house whose plan of two thousand tasks waits for a word.
pub fn large() -> House {
    let house = gated("");
    house.write("plan.yml", "plan:\n  - emit_each: {count: 2000, task: {key: \"c{n}\", paths: [\"src/{n}.txt\"]}}\n");
    house.write("goal.md", "---\nname: large\ndone: [\"true\"]\napprove: [plan]\n---\nDo.\n");
    house.commit("large");
    house.artel(&playing(&["--open-only"])).exits(0);
    house
}

#[test]
fn what_agents_and_repositories_write_is_text() {
    let raw =
        TAINT.replace("\\e", "\u{1b}").replace("\\u202e", "\u{202e}").replace("\\u0007", "\u{7}").replace("\\\"", "\"");
    let house = tainted("");
    house.artel(&playing(&[])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    for path in [
        "/",
        "/inbox",
        &format!("/runs/{run}"),
        &format!("/runs/{run}/journal"),
        &format!("/runs/{run}/digest"),
        &format!("/runs/{run}/tasks/t1"),
        &format!("/runs/{run}/attempts/t1.1/diff"),
    ] {
        let page = server.get("viewer", path).is(200);
        assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{path} shows the text\n{}", page.body);
        assert_eq!(page.body.matches("<script").count(), 1, "only the page's own: {path}");
        for active in ["<img", "\u{1b}", "\u{202e}", "\u{7}", "</pre><script", "onerror=y>"] {
            assert!(!page.body.contains(active), "{active:?} in {path}");
        }
        assert!(!page.body.contains(&raw));
    }
    let log = server.get("viewer", &format!("/api/v1/runs/{run}/attempts/t1.1/log")).is(200);
    assert_eq!(log.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(log.header("x-content-type-options"), Some("nosniff"));
    assert!(!log.body.contains('\u{1b}'));
    // What is asked for is text in the answer too.
    let answer = server.get("viewer", "/runs/%3Cscript%3Ealert(4)%3C%2Fscript%3E").is(404);
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
}

#[test]
fn a_page_stays_small_and_needs_no_script() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    let page = server.get("operator", &format!("/runs/{}", house.run())).is(200);
    page.says("k k-running").says("name=\"viewport\"").says("lang=\"en\"").says("href=\"#main\"");
    for (path, kind) in [("/static/page.js", "text/javascript; charset=utf-8"), ("/static/icon.svg", "image/svg+xml")] {
        assert_eq!(server.send("GET", path, "", "").is(200).header("content-type"), Some(kind));
    }
    open_gate(&house, "t1");
    open_gate(&house, "t2");
}

#[test]
fn a_person_sends_a_task_back_with_a_reason_that_its_next_attempt_is_told() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let steps =
        "  - on_attempt:\n      1: [fail: no way]\n      2: [fail: no way]\n      else: [write: {text: \"new\\n\"}]\n";
    crew(&house, &[("a", "src/a.txt", "")], steps, "");
    house.artel(&playing(&[])).exits(5);
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    let look = |path: &str| server.send("GET", path, &cookie, "").is(200);
    let before = house.told("AttemptLeased").len();
    press(&server, &cookie, &look("/inbox"), "send_back", "mind the gap").is(303);
    house.until("it has landed", || house.board()["counts"]["landed"] == 1);
    let events = house.events();
    let of = |kind: &str| events.iter().rfind(|event| event["kind"] == kind).unwrap()["seq"].as_u64().unwrap();
    assert!(of("Steered") < of("TaskRetried") && of("TaskRetried") < of("AttemptLeased"));
    assert!(house.told("AttemptLeased").len() > before);
    let shown = house.artel(&["show", "t1", "--json"]).exits(0).json();
    assert_eq!(shown["steering"][0], "mind the gap");
    look(&format!("/runs/{}/tasks/t1", house.run())).says("mind the gap");
}

#[test]
fn an_approval_says_what_will_happen_and_whether_the_ground_has_moved() {
    let house = gated("approve: [plan]\nbudget: {usd: 3}\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits");
    let base = house.board()["base"].as_str().unwrap()[..7].to_owned();
    server.get("approver", "/inbox").is(200).says("2 tasks in 1 scope are begun").says("has not moved").says("$3");
    let moved = house.commit("somebody else's work")[..7].to_owned();
    let page = server.get("approver", "/inbox").is(200);
    page.says(&format!("stands on {base}")).says(&format!("main has moved to {moved}"));
}

#[test]
fn lines_of_ten_megabytes_are_cut_on_every_page() {
    let house = gated("");
    let long = "x".repeat(10 << 20);
    house.write("big.txt", &format!("{long}\u{202e}\u{1b}[31m\n"));
    let steps = "  - run: \"cat $(git rev-parse --show-toplevel)/big.txt\"\n  - run: \"cp big.txt src/a.txt 2>/dev/null || true\"\n  - write: {path: src/b.txt, text: \"new\\n\"}\n";
    crew(&house, &[("a", "src/", "")], steps, "");
    house.artel(&playing(&[])).exits(0);
    let run = house.run();
    let server = Server::start(&house);
    for path in [
        "/",
        "/inbox",
        &format!("/runs/{run}"),
        &format!("/runs/{run}/journal"),
        &format!("/runs/{run}/digest"),
        &format!("/runs/{run}/tasks/t1"),
        &format!("/runs/{run}/attempts/t1.1/diff"),
        &format!("/api/v1/runs/{run}/attempts/t1.1/log"),
        &format!("/api/v1/runs/{run}/attempts/t1.1/log?from=0"),
    ] {
        let page = server.get("viewer", path).is(200);
        assert!(page.body.len() < 1 << 20, "{path}: {} bytes", page.body.len());
        assert!(!page.body.contains(['\u{1b}', '\u{202e}']), "{path}");
    }
    server.get("viewer", &format!("/runs/{run}/tasks/t1")).is(200).says("xxx…").says("class=\"add\">new");
}

#[test]
fn a_plan_of_long_lines_is_shown_on_a_page_that_does_nothing() {
    let house = gated("approve: [plan]\n");
    let long = format!("{}\\u202e\\e[31m", "x".repeat(900 << 10));
    house.write(
        "plan.yml",
        &format!("plan:\n  - emit: [{{key: a, title: a, brief: \"{long}\", paths: [src/a.txt]}}]\n"),
    );
    house.commit("long");
    house.artel(&playing(&["--open-only"])).exits(0);
    let (run, server) = (house.run(), Server::start(&house));
    house.until("it waits", || house.board()["stands"]["class"] == "waits");
    // All of it stands there, to be edited, and no more than that.
    let page = server.get("operator", &format!("/runs/{run}/plan")).is(200).says("xxx");
    assert!(page.body.len() < 1 << 20 && !page.body.contains(['\u{1b}', '\u{202e}']), "{} bytes", page.body.len());
    for path in
        [format!("/runs/{run}"), format!("/runs/{run}/tasks/t1"), format!("/runs/{run}/digest"), "/inbox".to_owned()]
    {
        let page = server.get("operator", &path).is(200);
        assert!(
            page.body.len() < 512 << 10 && !page.body.contains(['\u{1b}', '\u{202e}']),
            "{path}: {} bytes",
            page.body.len()
        );
    }
}

#[test]
fn the_page_of_two_thousand_tasks_is_less_than_300_kilobytes_with_all_that_it_loads() {
    let house = large();
    let run = house.run();
    let server = Server::start(&house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits");
    // Who may edit the plan is shown the way to it, and not the plan.
    let page = server.get("operator", &format!("/runs/{run}")).is(200).says(&format!("href=\"/runs/{run}/plan\""));
    assert_eq!(page.body.matches("class=\"k k-").count(), 2000);
    let graph = server.get("viewer", &format!("/api/v1/runs/{run}/graph")).is(200);
    assert_eq!(graph.json()["tasks"].as_array().unwrap().len(), 2000);
    let assets = ["page.css", "page.js", "graph.js", "charts.js", "uplot.js", "icon.svg"];
    let assets: usize =
        assets.iter().map(|name| server.get("viewer", &format!("/static/{name}")).is(200).body.len()).sum();
    let all = page.body.len() + graph.body.len() + assets;
    assert!(all < 300 << 10, "{} + {} + {assets} bytes", page.body.len(), graph.body.len());
    // What is asked for at each step from there on is far less.
    let live = server.get("operator", &format!("/runs/{run}?live=1")).is(200).body.len();
    let marks = server.get("viewer", &format!("/api/v1/runs/{run}/marks")).is(200).body.len();
    assert!(live < 40 << 10 && marks < 4 << 10, "{live} and {marks} bytes");
}

#[test]
fn whatever_has_a_bound_is_raised_in_the_browser() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let front = "approve: [plan]\nbudget: { calls: 5, roles: { worker: { usd: 1 } } }\n";
    crew(&house, &[("a", "src/a.txt", "")], "  - write: {text: \"new\\n\"}\n", front);
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    let cookie = log_in(&server, &house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits");
    let page = server.send("GET", &format!("/runs/{}", house.run()), &cookie, "").is(200);
    let page = page.says("In all; 0 of 5 calls to models are used").says("For all who play it; $0 of $1 are used");
    assert!(!page.body.contains("Raise the tokens"), "nothing bounds them");
    press(&server, &cookie, &page, "raise_bound", "0").is(422).says("write a number of calls");
    press(&server, &cookie, &page, "raise_bound", "40").is(303);
    let raised = house.told("BudgetRaised");
    assert_eq!((raised.len(), &raised[0]["budget"]["calls"]), (1, &40.into()));
    // The form of the role is the second.
    let second = Answer { body: page.body.replacen("value=\"raise_bound\"", "", 1), ..page };
    press(&server, &cookie, &second, "raise_bound", "2.5").is(303);
    let of_role = &house.told("BudgetRaised")[1]["budget"]["roles"]["worker"];
    assert_eq!(of_role["nano_usd"], 2_500_000_000_u64);
}
