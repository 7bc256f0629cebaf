//! Tells what `artel plan` shows: the run's own plan, in every form, and that it creates nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::common::{House, RENAME, rename_goal};

const OLD: &str = "print(old(1), old(2))\n";

fn house() -> House {
    let goal =
        rename_goal("plan: { rules: [rename.yml], files_per_task: 2, by: package, order: dependency, sample: 1 }\n");
    let app = "[project]\nname = \"app\"\ndependencies = [\"lib\"]\n";
    House::with(&[
        ("rename.yml", RENAME),
        ("goal.md", &goal),
        ("app/pyproject.toml", app),
        ("app/a.py", OLD),
        ("app/b.py", OLD),
        ("app/say \"hi\" {x}.py", OLD),
        ("lib/pyproject.toml", "[project]\nname = \"lib\"\n"),
        ("lib/c.py", OLD),
    ])
}

/// Reads every file below a folder, with its bytes.
fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            let path = entry.path();
            found.insert(path.display().to_string(), Vec::new());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else if entry.file_type().unwrap().is_file() {
                found.insert(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_plan_is_the_plan_that_the_run_then_makes() {
    let house = house();
    let plan = house.artel(&["plan", "goal.md", "--json"]).exits(0).json();
    house.artel(&["run", "goal.md"]).exits(0);
    let texts = |list: &serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let tasks = plan["tasks"].as_array().unwrap();
    let key_of: BTreeMap<&str, &str> =
        tasks.iter().map(|task| (task["task"].as_str().unwrap(), task["key"].as_str().unwrap())).collect();
    let planned: BTreeMap<String, (Vec<String>, Vec<String>)> = tasks
        .iter()
        .map(|task| {
            let after = texts(&task["after"]).iter().map(|id| key_of[id.as_str()].to_owned()).collect();
            (task["key"].as_str().unwrap().to_owned(), (texts(&task["paths"]), after))
        })
        .collect();
    assert_eq!(planned.len(), 3);
    assert_eq!(planned, house.handed_out());
    let opened: BTreeSet<String> =
        house.told("ScopeOpened").iter().map(|it| it["draft"]["key"].as_str().unwrap().to_owned()).collect();
    fn keys(scope: &serde_json::Value, into: &mut BTreeSet<String>) {
        into.insert(scope["key"].as_str().unwrap().to_owned());
        scope["scopes"].as_array().unwrap().iter().for_each(|child| keys(child, into));
    }
    let mut drawn = BTreeSet::new();
    keys(&plan["roots"][0], &mut drawn);
    assert_eq!(drawn, opened);
}

#[test]
fn looking_at_a_plan_creates_nothing() {
    let house = house();
    let before = everything(house.root());
    for form in [&["plan", "goal.md"][..], &["plan", "goal.md", "--json"], &["plan", "goal.md", "--dot"]] {
        house.artel(form).exits(0);
    }
    house.artel(&["plan", "goal.md", "--base", "nowhere"]).exits(4);
    let after = everything(house.root());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "a file has changed");
    assert!(!house.home().exists());
}

#[test]
fn a_plan_is_drawn_as_tree_table_and_graph() {
    let house = house();
    let said = house.artel(&["plan", "goal.md"]).exits(0);
    let said = said.says("3 tasks").says("longest chain 2").says("1 first as a sample").says("t1*");
    assert!(said.out.contains("└──") || said.out.contains("· 3 tasks"), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'));
    let graph = house.artel(&["plan", "goal.md", "--dot"]).exits(0).out;
    assert!(graph.starts_with("digraph plan {") && graph.ends_with("}\n"));
    assert_eq!(graph.matches('{').count(), graph.matches('}').count());
    assert_eq!(graph.lines().filter(|line| line.contains(" -> ")).count(), 2, "{graph}");
    let quotes = |line: &str| line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
    assert!(graph.lines().all(|line| quotes(line) % 2 == 0), "{graph}");
    house.artel(&["plan", "goal.md", "--dot", "--json"]).exits(2);
}

#[test]
fn planning_again_gives_the_same_plan() {
    let house = house();
    let once = house.artel(&["plan", "goal.md", "--json"]).exits(0).json();
    assert_eq!(once, house.artel(&["plan", "goal.md", "--json"]).exits(0).json());
}
