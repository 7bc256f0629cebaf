//! Tells a stranger's first minutes: the demo on a machine without a network, and what the README promises.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::common::{House, said};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_demo_needs_neither_network_nor_configuration_and_touches_nothing_else() {
    let house = House::with(&[("mine", "mine\n")]);
    let empty = house.root().join("empty");
    fs::create_dir(&empty).unwrap();
    let place = house.root().join("place");
    fs::create_dir(&place).unwrap();
    let mut demo = house.command(&["demo", "--workers", "2"]);
    demo.current_dir(&place).env("CARGO_HOME", &empty).env("CARGO_NET_OFFLINE", "true");
    let said = said(&demo.output().unwrap()).exits(0).says("no network").says("7 landed").says("left as they are");
    assert!(said.out.contains("artel deliver"), "it says what to do next: {}", said.out);
    let made: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["artel-demo"]);
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    let at = |revision: &str| {
        let mut git = std::process::Command::new("git");
        git.current_dir(place.join("artel-demo")).args(["grep", "-c", "try!(", revision, "--", "src"]);
        String::from_utf8(git.output().unwrap().stdout).unwrap().lines().count()
    };
    let run = house.artel(&["list", "--json"]).json()[0]["run"].as_str().unwrap().to_owned();
    assert!(at("main") > at(&format!("artel/{run}/main")));
    // What the sample's own tests say was counted, before and after.
    let baseline = house.artel(&["log", &run, "--json"]).json_lines();
    let baseline = baseline.iter().find(|event| event["kind"] == "BaselineTaken").unwrap();
    assert!(baseline.to_string().contains("\"executed\":13"), "{baseline}");
}

#[test]
fn the_readme_shows_every_verb_a_goal_that_is_read_and_the_board_as_it_is() {
    let readme = page("README.md");
    assert!(readme.contains(page("docs/board.txt").trim_end()), "the picture of the board is docs/board.txt");
    let goal = readme.split("```markdown\n").nth(1).and_then(|rest| rest.split("\n```\n").next()).unwrap();
    assert_eq!(goal, page("src/ui/cli/demo/goal-sample.md").trim_end(), "the goal is the sample's own");
    assert!(artel::model::goal_text::read(goal).is_ok());
    let house = House::with(&[("a", "a")]);
    let help = house.artel(&["--help"]).exits(0).out;
    let verbs = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let verbs: BTreeSet<&str> = verbs.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    let table: String = readme.lines().filter(|line| line.starts_with("| `artel")).collect();
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        assert!(table.contains(&format!("`artel {verb}")) || table.contains(&format!("`{verb}")), "{verb}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(link.starts_with("https://") || root.join(link).exists(), "{link}");
    }
}
