//! Tests what artel says of its sandboxes as the superuser of a container: which holds, or that none does.

use std::process::Command;

use super::attack::Tier;
use super::common::{House, RENAME, Said, rename_goal, said};
use super::who::{PATH, Who, is_root};

fn house() -> House {
    let goal = rename_goal("checks: [\"true\"]\nplan: { planner: shard, rules: [rename.yml] }\n");
    House::with(&[("a.py", "old(1)\n"), ("rename.yml", RENAME), ("goal.md", &goal)])
}

fn artel(house: &House, who: Who, args: &[&str]) -> Said {
    let mut command = house.command(args);
    command.env("PATH", PATH);
    said(&who.runs(command).output().unwrap())
}

/// Gives how fit the machine is for sandboxes, and what was found.
fn told(said: &Said) -> (String, String) {
    let facts = said.json();
    let fact = facts.as_array().unwrap().iter().find(|fact| fact["name"] == "sandbox").unwrap();
    (fact["fit"].as_str().unwrap().to_owned(), fact["found"].as_str().unwrap().to_owned())
}

#[test]
fn a_container_without_user_namespaces_has_landlock_and_is_told_why() {
    if Who::Container.lacks(Tier::Landlock) {
        return;
    }
    let house = house();
    let (fit, found) = told(&artel(&house, Who::Container, &["doctor", "--json"]));
    assert_eq!(fit, "weak", "{found}");
    assert!(found.starts_with("landlock holds; not better, because bubblewrap: failed to"), "{found}");
    assert!(found.contains("rights and times of files"), "{found}");
    let said = artel(&house, Who::Container, &["run", "goal.md", "--sandbox", "bubblewrap"]);
    assert_eq!(said.code, Some(13), "{}", said.err);
    artel(&house, Who::Container, &["run", "goal.md", "--sandbox", "landlock"]).exits(0);
}

#[test]
fn a_container_where_nothing_holds_is_told_so_and_runs_nothing() {
    if Who::BareContainer.lacks(Tier::Bare) {
        return;
    }
    let house = house();
    let (fit, found) = told(&artel(&house, Who::BareContainer, &["doctor", "--json"]));
    assert_eq!(fit, "unfit", "{found}");
    assert!(
        found.starts_with("none holds: bubblewrap: failed to") && found.contains("; landlock: failed to"),
        "{found}"
    );
    artel(&house, Who::BareContainer, &["run", "goal.md"])
        .exits(13)
        .says("bubblewrap: failed to")
        .says("landlock: failed to")
        .says("--sandbox none");
    assert_eq!(house.told("AttemptLeased"), Vec::<serde_json::Value>::new());
}

#[test]
fn a_container_with_a_whole_proc_has_bubblewrap() {
    if !is_root() || Who::Tester.lacks(Tier::Bubblewrap) {
        return;
    }
    let house = house();
    let asked = house.command(&["doctor", "--json"]);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--ipc", "--fork", "--mount-proc"])
        .arg(asked.get_program())
        .args(asked.get_args());
    command.current_dir(house.repo()).env_clear();
    command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let (fit, found) = told(&said(&command.output().unwrap()));
    assert!(fit == "good" && found.starts_with("bubblewrap holds"), "{fit}: {found}");
}
