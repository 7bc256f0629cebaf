//! Owns crews for stories: a planner that is a script, workers that are one too, gates that a story opens, and looks
//! at what is left of them. Never starts artel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::House;

/// Has a crew of scripts play a run.
pub const CREW: [&str; 7] = [
    "goal.md",
    "--role",
    "shard.agents=script:plan.yml",
    "--role",
    "worker.agents=script:work.yml",
    "--role",
    "worker.mechanical=false",
];

/// Describes a task: its key, its paths with commas between, its rule file or nothing.
pub type TaskLine<'a> = (&'a str, &'a str, &'a str);

/// Lays down a goal, a planner that emits these tasks in order, and what each worker does; commits them.
pub fn crew(house: &House, tasks: &[TaskLine], steps: &str, front: &str) {
    let line = |(key, paths, rule): &TaskLine| format!("      - {{key: {key}, paths: [{paths}], rules: [{rule}]}}\n");
    let lines: String = tasks.iter().map(line).collect();
    house.write("plan.yml", &format!("plan:\n  - emit:\n{lines}"));
    house.write("work.yml", &format!("steps:\n{steps}"));
    let done = if front.contains("done:") { "" } else { "done:\n  - \"true\"\n" };
    house.write("goal.md", &format!("---\nname: a story\n{done}{front}---\nDo as the parts say.\n"));
    house.commit("crew");
}

/// Gives the command line that has a crew play a run, with more behind it.
pub fn playing<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ["run"].iter().chain(&CREW).chain(more).copied().collect()
}

/// Writes the step that waits until a story opens a gate; `{task}` and `{attempt}` are filled in.
pub fn waits(house: &House, gate: &str) -> String {
    house.in_the_open();
    let gate = house.root().join(format!("gate-{gate}"));
    format!("  - run: \"until test -e {}; do sleep 0.02; done\"\n", gate.display())
}

/// Opens a gate.
pub fn open_gate(house: &House, gate: &str) {
    fs::write(house.root().join(format!("gate-{gate}")), "").unwrap();
}

/// Lists the events of a kind, as the journal holds them.
pub fn of_kind(events: &[Value], kind: &str) -> Vec<Value> {
    events.iter().filter(|event| event["kind"] == kind).map(|event| event["event"][kind].clone()).collect()
}

/// Lists every landing in order: the attempt, and the merge commit.
pub fn landings(events: &[Value]) -> Vec<(String, String)> {
    let landed = of_kind(events, "BatchLanded");
    let links = landed.iter().flat_map(|batch| batch["landed"].as_array().unwrap().clone());
    links.map(|link| (text(&link["attempt"]), text(&link["commit"]))).collect()
}

/// Lists the tasks that landed, in order.
pub fn landed_tasks(events: &[Value]) -> Vec<String> {
    landings(events).into_iter().map(|(attempt, _)| attempt.split('.').next().unwrap().to_owned()).collect()
}

/// Asserts what must hold of every run: nothing landed twice, landed means ancestor, what landed is what was checked.
#[track_caller]
pub fn holds_the_laws(house: &House) {
    let events = house.events();
    let tasks = landed_tasks(&events);
    assert_eq!(tasks.iter().collect::<BTreeSet<_>>().len(), tasks.len(), "landed twice: {tasks:?}");
    let head = house.head();
    for (_, commit) in landings(&events) {
        assert!(house.try_git(&["merge-base", "--is-ancestor", &commit, &head]).status.success(), "{commit}");
    }
    let green = of_kind(&events, "PrefixChecked").into_iter().filter(|check| check["green"] == true);
    let checked: BTreeSet<String> = green.map(|check| text(&check["tree"])).collect();
    for batch in of_kind(&events, "BatchLanded") {
        let tree = text(&batch["tree"]);
        assert_eq!(house.git(&["rev-parse", &format!("{}^{{tree}}", text(&batch["head"]))]), tree);
        assert!(checked.is_empty() || checked.contains(&tree), "{tree} landed and was never checked green");
    }
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Lists the processes of this house by id, with their command lines: all that have its folder in their command line,
/// their environment or as their working directory.
pub fn processes(house: &House) -> BTreeMap<u32, String> {
    let root = house.root().to_string_lossy().into_owned();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let read = |name: &str| {
            let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let cwd = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let is_ours = read("environ").contains(&root) || read("cmdline").contains(&root) || cwd.starts_with(&root);
        if is_ours && pid != std::process::id() {
            found.insert(pid, read("cmdline"));
        }
    }
    found
}

/// Waits until no process of this house lives; says which do where that does not come soon.
#[track_caller]
pub fn all_end(house: &House) {
    for _ in 0..100 {
        if processes(house).is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("they live on: {:?}", processes(house));
}

/// Sends a signal to one process.
#[track_caller]
pub fn signal(pid: u32, name: &str) {
    let sent = std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(sent.success(), "{pid} is gone");
}

/// Describes every file below a folder: kind, mode and content; leaves out what `skip` names.
pub fn shape(dir: &Path, skip: &dyn Fn(&str) -> bool) -> BTreeMap<String, (u32, Vec<u8>)> {
    fn walk(root: &Path, dir: &Path, skip: &dyn Fn(&str) -> bool, into: &mut BTreeMap<String, (u32, Vec<u8>)>) {
        use std::os::unix::fs::PermissionsExt;
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let meta = fs::symlink_metadata(&path).unwrap();
            if skip(&name) {
                continue;
            }
            let content = if meta.is_dir() {
                walk(root, &path, skip, into);
                Vec::new()
            } else if meta.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            into.insert(name, (meta.permissions().mode(), content));
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, skip, &mut found);
    found
}
