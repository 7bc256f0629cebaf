//! Tells that the pages work in a real browser the size of a phone: live, in two taps, in light and dark, and for who
//! cannot see them. Where there is no browser it says so.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::approvals::MINDS;
use crate::common::{House, said};
use crate::crew::{crew, playing};
use crate::pages::tainted;
use crate::wire::{Server, gated};

/// Finds a browser, and the folder of what drives it.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let on_path = |name: &str| {
        std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|it| it.is_file())
    };
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/browser");
    let has_driver = ["playwright-core", "axe-core"].iter().all(|name| driver.join("node_modules").join(name).is_dir());
    Some((on_path("chromium")?, driver)).filter(|_| has_driver && on_path("node").is_some())
}

/// Prepares the script of a person, with where it finds its browser; nothing where there is none, which is said.
#[expect(clippy::print_stderr, reason = "a story that cannot be told here must say why")]
pub fn person(house: &House, script: &str) -> Option<Command> {
    let Some((browser, driver)) = tools() else {
        assert!(std::env::var_os("CI").is_none(), "there is no browser: .ci/test installs one");
        eprintln!("note: no chromium, or nothing to drive it with; run .ci/test");
        return None;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut node = Command::new("node");
    node.arg(root.join("tests/web/browser").join(script));
    node.env("BROWSER", browser).env("BROWSER_TOOLS", driver).env("HOME", house.root());
    Some(node)
}

/// Gives the folder in which pictures are left.
pub fn pictures() -> PathBuf {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    pictures
}

/// Waits until a person's script has left a sign, or is over; takes the sign away.
pub fn signed(playing: &Child, sign: &Path) {
    let stat = format!("/proc/{}/stat", playing.id());
    let is_over = || std::fs::read_to_string(&stat).map_or(true, |it| it.contains(") Z "));
    while std::fs::remove_file(sign).is_err() && !is_over() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

pub fn link(house: &House) -> String {
    house.artel(&["serve", "--link"]).exits(0).out.trim().to_owned()
}

#[test]
fn a_person_with_a_phone_approves_in_two_taps_and_watches_the_run_live() {
    let house = gated("approve: [plan]\n");
    let Some(mut node) = person(&house, "look.mjs") else { return };
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits" && house.board()["coordinated"] == false);
    node.arg(link(&house)).arg(house.run()).arg(house.root()).arg(pictures());
    said(&node.output().unwrap()).exits(0);
    drop(server);
}

#[test]
fn a_person_watches_loses_the_server_sends_a_task_back_and_replays() {
    let house = House::with(&[("src/a.rs", "fn old() {}\n"), ("src/b.rs", "fn old() {}\n")]);
    house.in_the_open();
    let Some(mut node) = person(&house, "story.mjs") else { return };
    let root = house.root().to_owned();
    let gate = |name: &str| format!("until test -e {}/gate-{name}; do sleep 0.02; done", root.display());
    let steps = format!(
        "  - match:\n      path: src/a.rs\n      then:\n        - say: one\n        - run: \"{}\"\n        - say: \"two \\e[31m\"\n        \
         - run: \"{}\"\n      or:\n        - run: \"test -e {}/gate-mend\"\n  - write: {{text: \"fn new() {{}} // done\\n\"}}\n",
        gate("more"),
        gate("last"),
        root.display()
    );
    crew(&house, &[("a", "src/a.rs", ""), ("b", "src/b.rs", "")], &steps, "");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    let at = server.at.clone();
    node.arg("watch").arg(link(&house)).arg(house.run()).arg(&root).arg(pictures());
    let playing = node.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The person's script says when the server is to go and when to come back.
    let wait = |name: &str| signed(&playing, &root.join(name));
    wait("server-away");
    server.kill();
    wait("server-back-wanted");
    let server = Server::start_at(&house, &at);
    std::fs::write(root.join("server-back"), "").unwrap();
    said(&playing.wait_with_output().unwrap()).exits(0);
    let told: Vec<String> =
        house.told("Steered").iter().map(|told| told["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["mind the <gap>\u{202e} & keep the order"]);
    drop(server);
}

#[test]
fn a_person_with_a_phone_raises_a_budget_in_two_taps() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let Some(mut node) = person(&house, "story.mjs") else { return };
    let steps = "  - write: {text: \"new\\n\"}\n";
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], steps, "budget: {attempts: 1}\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("it rests", || house.board()["stands"]["class"] == "budget" && house.board()["coordinated"] == false);
    node.arg("raise").arg(link(&house)).arg(house.run()).arg(house.root()).arg(pictures());
    said(&node.output().unwrap()).exits(0);
    drop(server);
}

#[test]
fn a_person_with_a_phone_refuses_a_candidate_with_a_reason_that_the_next_attempt_hears() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let Some(mut node) = person(&house, "story.mjs") else { return };
    crew(&house, &[("a", "src/a.txt", "")], MINDS, "approve: [landing]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    let gated = || house.board()["counts"]["gated"] == 1 && house.board()["coordinated"] == false;
    house.until("it waits", gated);
    node.arg("refuse").arg(link(&house)).arg(house.run()).arg(house.root()).arg(pictures());
    said(&node.output().unwrap()).exits(0);
    assert_eq!(house.told("AttemptLeased").len(), 2);
    drop(server);
}

#[test]
fn a_person_who_comes_by_a_link_comes_to_what_it_leads_to() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let Some(mut node) = person(&house, "story.mjs") else { return };
    crew(&house, &[("a", "src/a.txt", "")], "  - say: one\n  - write: {text: \"new\\n\"}\n", "");
    house.artel(&playing(&[])).exits(0);
    let server = Server::start(&house);
    node.arg("link").arg(link(&house)).arg(house.run()).arg(house.root()).arg(pictures());
    said(&node.output().unwrap()).exits(0);
    drop(server);
}

#[test]
fn nothing_that_agents_and_repositories_write_does_anything_in_a_browser() {
    let house = tainted("approve: [plan]\n");
    let Some(mut node) = person(&house, "story.mjs") else { return };
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits" && house.board()["coordinated"] == false);
    node.arg("hostile").arg(link(&house)).arg(house.run()).arg(house.root()).arg(pictures());
    said(&node.output().unwrap()).exits(0);
    drop(server);
}
