//! Tells how the deterministic planner splits a goal: by folder, owner, package and count, nested, in order, bounded.

use std::collections::BTreeSet;

use crate::common::{House, RENAME, rename_goal};

fn goal(plan: &str) -> String {
    rename_goal(&format!("plan: {{ rules: [rename.yml], {plan} }}\n"))
}

fn house(plan: &str, files: &[(&str, &str)]) -> House {
    let goal = goal(plan);
    let mut all = vec![("rename.yml", RENAME), ("goal.md", goal.as_str())];
    all.extend_from_slice(files);
    House::with(&all)
}

const OLD: &str = "print(old(1))\n";

/// Lists the scopes below the root, each as its key and its paths.
fn scopes(house: &House) -> Vec<(String, Vec<String>)> {
    let opened = house.told("ScopeOpened");
    let below = opened.iter().filter(|scope| !scope["parent"].is_null());
    below
        .map(|scope| {
            let files = scope["draft"]["paths"]["files"].as_array().unwrap();
            let files = files.iter().map(|file| file.as_str().unwrap().to_owned()).collect();
            (scope["draft"]["key"].as_str().unwrap().to_owned(), files)
        })
        .collect()
}

fn keys(house: &House) -> Vec<String> {
    let mut keys: Vec<String> = scopes(house).into_iter().map(|(key, _)| key).collect();
    keys.sort();
    keys
}

/// Every file with a match lies in exactly one task, and each task lies in the scope whose key it begins with.
#[track_caller]
fn tasks_cover(house: &House, files: &[&str]) {
    let tasks = house.handed_out();
    let mut paths: Vec<&str> = tasks.values().flat_map(|(paths, _)| paths).map(String::as_str).collect();
    paths.sort_unstable();
    assert_eq!(paths, files);
    for (key, (paths, _)) in &tasks {
        let scope = key.rsplit_once('#').unwrap().0;
        let (_, owned) = scopes(house).into_iter().find(|(other, _)| other == scope).unwrap();
        assert!(paths.iter().all(|path| owned.contains(path)), "{key} reaches outside its scope");
    }
}

#[test]
fn each_folder_has_a_planner_of_its_own() {
    let files =
        [("one/a.py", OLD), ("one/b.py", "print(2)\n"), ("two/c.py", OLD), ("d.py", OLD), ("two/e.txt", "old(1)")];
    let house = house("by: folder, files_per_task: 1", &files);
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(keys(&house), ["i1/.", "i1/one", "i1/two"]);
    tasks_cover(&house, &["d.py", "one/a.py", "two/c.py"]);
    assert_eq!(house.landed("two/c.py"), "print(new(1))");
    assert_eq!(house.landed("two/e.txt"), "old(1)");
}

#[test]
fn each_owner_has_a_planner_of_its_own() {
    let owners = "*.py @everyone\n/one/ @ann\n/two/ @ben @ann\n/two/free.py\n";
    let files =
        [("CODEOWNERS", owners), ("one/a.py", OLD), ("two/b.py", OLD), ("two/free.py", OLD), ("three/c.py", OLD)];
    let house = house("by: owner", &files);
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(keys(&house), ["i1/@ann", "i1/@ann @ben", "i1/@everyone", "i1/unowned"]);
    tasks_cover(&house, &["one/a.py", "three/c.py", "two/b.py", "two/free.py"]);
}

#[test]
fn a_plan_by_owner_without_owners_fails_and_says_what_to_do() {
    let house = house("by: owner", &[("one/a.py", OLD)]);
    house.artel(&["run", "goal.md"]).exits(5).says("CODEOWNERS");
    assert_eq!(house.told("PlannerFailed").len(), 1);
    house.artel(&["plan", "goal.md"]).exits(5).says("CODEOWNERS");
}

#[test]
fn each_package_has_a_planner_of_its_own() {
    let files = [
        ("rust/Cargo.toml", "[package]\nname = \"rusty\"\nversion = \"0.1.0\"\n"),
        ("rust/scripts/a.py", OLD),
        ("js/package.json", "{\"name\": \"jay\"}"),
        ("js/tools/b.py", OLD),
        ("py/pyproject.toml", "[project]\nname = \"pie\"\n"),
        ("py/pie/c.py", OLD),
        ("loose/d.py", OLD),
    ];
    let house = house("by: package", &files);
    house.artel(&["run", "goal.md"]).exits(0);
    tasks_cover(&house, &["js/tools/b.py", "loose/d.py", "py/pie/c.py", "rust/scripts/a.py"]);
    let owned: BTreeSet<Vec<String>> = scopes(&house).into_iter().map(|(_, files)| files).collect();
    assert_eq!(owned.len(), 4, "{owned:?}");
}

#[test]
fn a_plan_by_count_has_one_planner_and_equal_tasks() {
    let files = [("a/1.py", OLD), ("b/2.py", OLD), ("c/3.py", OLD), ("d/4.py", OLD), ("e/5.py", OLD)];
    let house = house("by: count, files_per_task: 2", &files);
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(keys(&house), ["i1/all"]);
    let sizes: Vec<usize> = house.handed_out().values().map(|(paths, _)| paths.len()).collect();
    assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (3, 5));
    tasks_cover(&house, &["a/1.py", "b/2.py", "c/3.py", "d/4.py", "e/5.py"]);
}

/// Builds a house with this many files below `big/deep/`, in four folders, and one beside them.
fn forest(count: usize, plan: &str) -> House {
    let paths: Vec<String> = (0..count).map(|n| format!("big/deep/p{}/f{n:03}.py", n % 4)).collect();
    let mut files = vec![("small/x.py", OLD)];
    files.extend(paths.iter().map(|path| (path.as_str(), OLD)));
    house(plan, &files)
}

#[test]
fn work_begins_before_planning_ends_and_large_folders_nest_deeper() {
    let house = forest(640, "files_per_task: 16");
    house.artel(&["run", "goal.md", "--workers", "2"]).exits(0);
    let opened = house.told("ScopeOpened");
    let parent = |key: &str| opened.iter().find(|it| it["draft"]["key"] == key).unwrap()["parent"].clone();
    let deep = opened.iter().find(|it| it["draft"]["key"] == "i1/big/deep").unwrap();
    for part in 0..4 {
        assert_eq!(parent(&format!("i1/big/deep/p{part}")), deep["scope"]);
    }
    assert_eq!(parent("i1/big/deep"), "s0");
    let begun = house.told("AttemptLeased")[0]["seq"].as_u64().unwrap();
    let planned = house.told("PlannerFinished").last().unwrap()["seq"].as_u64().unwrap();
    assert!(begun < planned, "the first attempt began at {begun}, and planning ended at {planned}");
    assert_eq!(house.board()["counts"]["landed"], 41);
}

#[test]
fn depth_and_fan_out_are_bounded_by_the_role_and_nothing_is_lost() {
    let house = forest(420, "files_per_task: 20");
    let nested = |role: &str| {
        let plan = house.artel(&["plan", "goal.md", "--json", "--role", role]).exits(0).json();
        fn depth(scope: &serde_json::Value) -> usize {
            1 + scope["scopes"].as_array().unwrap().iter().map(depth).max().unwrap_or(0)
        }
        let files: usize =
            plan["tasks"].as_array().unwrap().iter().map(|task| task["paths"].as_array().unwrap().len()).sum();
        assert_eq!(files, 421, "{role}");
        depth(&plan["roots"][0])
    };
    assert_eq!(nested("shard.limits.depth=3"), 3);
    assert_eq!(nested("shard.limits.depth=1"), 2);
    assert_eq!(nested("shard.limits.depth=0"), 1);
    assert_eq!(nested("shard.limits.fan_out=1"), 1);
}

#[test]
fn more_tasks_than_a_planner_may_hand_out_are_refused_by_name() {
    let house = house("files_per_task: 1", &[("a/1.py", OLD), ("a/2.py", OLD), ("a/3.py", OLD)]);
    let said = house.artel(&["run", "goal.md", "--role", "shard.limits.tasks=2"]).exits(5);
    said.says("may not have more: its role allows 2 tasks");
}

#[test]
fn a_packages_tasks_wait_for_those_of_what_it_depends_on() {
    let app = "[project]\nname = \"app\"\ndependencies = [\"lib >= 1\"]\n";
    let lib = "[project]\nname = \"lib\"\ndependencies = [\"base\"]\n";
    let files = [
        ("app/pyproject.toml", app),
        ("app/a.py", OLD),
        ("lib/pyproject.toml", lib),
        ("lib/l.py", OLD),
        ("base/pyproject.toml", "[project]\nname = \"base\"\n"),
        ("base/b.py", OLD),
        ("other/pyproject.toml", "[project]\nname = \"other\"\n"),
        ("other/o.py", OLD),
    ];
    let house = house("by: package, order: dependency", &files);
    house.artel(&["run", "goal.md"]).exits(0);
    let tasks = house.handed_out();
    let of = |file: &str| tasks.iter().find(|(_, (paths, _))| paths[0] == file).unwrap();
    assert_eq!(of("app/a.py").1.1, [of("lib/l.py").0.clone()]);
    assert_eq!(of("lib/l.py").1.1, [of("base/b.py").0.clone()]);
    assert!(of("base/b.py").1.1.is_empty() && of("other/o.py").1.1.is_empty());
    let emitted = house.told("TasksEmitted");
    let id = |file: &str| {
        let all = emitted.iter().flat_map(|told| told["tasks"].as_array().unwrap());
        all.clone().find(|task| task["draft"]["paths"]["files"][0] == file).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let begun = |file: &str| {
        let attempt = format!("{}.1", id(file));
        house.told("AttemptLeased").iter().find(|it| it["attempt"] == attempt).unwrap()["seq"].as_u64().unwrap()
    };
    let landed = |file: &str| {
        let attempt = format!("{}.1", id(file));
        let landings = house.told("BatchLanded");
        let holds = |it: &&serde_json::Value| it["landed"].as_array().unwrap().iter().any(|l| l["attempt"] == attempt);
        landings.iter().find(holds).unwrap()["seq"].as_u64().unwrap()
    };
    assert!(begun("lib/l.py") > landed("base/b.py"));
    assert!(begun("app/a.py") > landed("lib/l.py"));
}

#[test]
fn packages_that_depend_on_one_another_are_not_waited_for_for_ever() {
    let package = |name: &str, on: &str| format!("{{\"name\": \"{name}\", \"dependencies\": {{\"{on}\": \"1\"}}}}");
    let (one, two) = (package("one", "two"), package("two", "one"));
    let files = [("one/package.json", one.as_str()), ("one/a.py", OLD), ("two/package.json", &two), ("two/b.py", OLD)];
    let house = house("by: package, order: dependency", &files);
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(house.board()["counts"]["landed"], 2);
}

#[test]
fn what_is_excluded_forbidden_or_not_owned_is_not_planned() {
    let plan = goal("files_per_task: 1, exclude: [\"src/skip/**\"]")
        .replace("plan:", "owns: [\"src/**\"]\nnever: [\"src/gen/**\"]\nplan:");
    let plan = plan.replace("query: { rule: rename.yml }", "query: { rule: rename.yml, within: [\"src/*.py\"] }");
    let files = [
        ("rename.yml", RENAME),
        ("goal.md", plan.as_str()),
        ("src/a.py", OLD),
        ("src/skip/b.py", OLD),
        ("src/gen/c.py", OLD),
        ("lib/d.py", OLD),
    ];
    let house = House::with(&files);
    house.artel(&["run", "goal.md"]).exits(0);
    tasks_cover(&house, &["src/a.py"]);
    for path in ["src/skip/b.py", "src/gen/c.py", "lib/d.py"] {
        assert_eq!(house.landed(path), OLD.trim());
    }
}
