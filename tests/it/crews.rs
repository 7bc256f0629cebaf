//! Tells how roles, prompts, schemas and what `init` lays down reach a run.

use std::fs;

use crate::common::{House, RENAME, rename_goal};

fn house(more: &[(&str, &str)]) -> House {
    let goal = rename_goal("plan: { rules: [rename.yml] }\n");
    let mut files = vec![("goal.md", goal.as_str()), ("rename.yml", RENAME), ("src/a.py", "print(old(1))\n")];
    files.extend_from_slice(more);
    House::with(&files)
}

fn role(house: &House, name: &str, more: &[&str]) -> serde_json::Value {
    let roles = house.artel(&[&["roles", "--json"], more].concat()).exits(0).json();
    roles.as_array().unwrap().iter().find(|row| row["role"]["name"] == name).unwrap().clone()
}

#[test]
fn a_repository_changes_a_role_field_by_field_and_a_run_over_it() {
    let own = "[limits]\nwall_s = 77\nattempts = 9\n";
    let house = house(&[(".artel/roles/worker.toml", own)]);
    let plain = role(&house, "worker", &[]);
    assert_eq!((&plain["role"]["limits"]["wall_s"], &plain["role"]["limits"]["attempts"]), (&77.into(), &9.into()));
    assert_eq!(plain["role"]["agents"], serde_json::json!(["codemod"]));
    assert_eq!(plain["role"]["mechanical"], true);
    assert_eq!(plain["from"], serde_json::json!(["built in", ".artel/roles/worker.toml"]));
    let set = ["--role", "worker.limits.attempts=3", "--role", "worker.agents=codemod,command:./fix.sh"];
    let changed = role(&house, "worker", &set);
    assert_eq!(changed["role"]["limits"]["attempts"], 3);
    assert_eq!(changed["role"]["limits"]["wall_s"], 77);
    assert_eq!(changed["role"]["agents"], serde_json::json!(["codemod", "command:./fix.sh"]));
    assert_eq!(changed["from"], serde_json::json!(["built in", ".artel/roles/worker.toml", set[1], set[3]]));
    assert_eq!(role(&house, "shard", &set)["from"], serde_json::json!(["built in"]));
    house.artel(&["run", "goal.md", "--role", set[1]]).exits(0);
    let opened = &house.told("RunOpened")[0]["roles"]["worker"]["limits"];
    assert_eq!((&opened["wall_s"], &opened["attempts"]), (&77.into(), &3.into()));
}

#[test]
fn a_repository_adds_roles_and_replaces_prompts() {
    let role = "about = \"prints its brief\"\npart = \"worker\"\nprompt = \"mine\"\nagents = [\"command:cat $ARTEL_BRIEF > src/a.py\"]\n";
    let house = house(&[(".artel/roles/printer.toml", role), (".artel/prompts/mine.md", "# {{ title }}, printer\n")]);
    let goal = rename_goal("plan: { rules: [rename.yml], worker: printer }\n");
    fs::write(house.repo().join("goal.md"), goal).unwrap();
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(house.landed("src/a.py"), "# src/a.py: 1 match, printer");
    fs::write(house.repo().join(".artel/prompts/mine.md"), "# {{ titel }}\n").unwrap();
    house.artel(&["run", "goal.md"]).exits(3).says("`mine`").says("line 1");
    fs::remove_file(house.repo().join(".artel/prompts/mine.md")).unwrap();
    house.artel(&["run", "goal.md"]).exits(3).says("there is no prompt of this name");
}

#[test]
fn faulty_roles_are_refused_with_all_their_faults() {
    let house = house(&[(".artel/roles/worker.toml", "agnts = [\"codemod\"]\n[limits]\nwall = 3\n")]);
    for verb in [&["run", "goal.md"][..], &["plan", "goal.md"], &["roles"]] {
        let said = house.artel(verb).exits(3);
        let said =
            said.says(".artel/roles/worker.toml:1:1: a role has no field `agnts`").says("did you mean `agents`?");
        said.says(".artel/roles/worker.toml:3:1:").says("did you mean `wall_s`?");
    }
    fs::remove_dir_all(house.repo().join(".artel")).unwrap();
    let set =
        ["worker.agnts=x", "wroker.agents=codemod", "worker.limits.wall_s=soon", "worker.agents=codmod", "nonsense"];
    let args: Vec<&str> = ["run", "goal.md"].into_iter().chain(set.iter().flat_map(|one| ["--role", *one])).collect();
    let said = house.artel(&args).exits(3);
    let said = said.says("did you mean `agents`?").says("did you mean `worker`?").says("must be a whole number");
    said.says("did you mean `codemod`?").says("this sets no field of a role");
}

#[test]
fn roles_are_shown_outside_a_repository_too() {
    let house = house(&[]);
    fs::rename(house.repo().join(".git"), house.root().join("git")).unwrap();
    house.artel(&["roles"]).exits(0).says("worker").says("codemod").says("built in");
}

/// Tells where a value breaks a schema, as a validator of schemas would; where there is none, nothing is told.
fn breaks(house: &House, schema: &serde_json::Value, value: &serde_json::Value) -> Option<String> {
    let check = "import json,sys\nfrom jsonschema import Draft202012Validator as V\ns,v=json.load(sys.stdin)\n\
                 V.check_schema(s)\nprint('; '.join(e.message for e in V(s).iter_errors(v)))";
    if !std::process::Command::new("python3").args(["-c", "import jsonschema"]).output().unwrap().status.success() {
        return None;
    }
    let input = house.root().join("input.json");
    fs::write(&input, serde_json::json!([schema, value]).to_string()).unwrap();
    let out = std::process::Command::new("python3")
        .args(["-c", check])
        .stdin(fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

#[test]
fn the_schemas_take_what_is_right_and_refuse_what_is_not() {
    let house = house(&[]);
    let all = house.artel(&["schema"]).exits(0).json();
    let names: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert_eq!(names, ["config", "goal", "handoff", "part", "role"]);
    for name in names {
        assert_eq!(all[name], house.artel(&["schema", name]).exits(0).json());
        assert!(all[name]["$schema"].as_str().unwrap().contains("json-schema.org"));
        assert_eq!(all[name]["type"], "object", "{name}");
    }
    let goal = serde_json::json!({
        "name": "try-to-question-mark",
        "done": ["cargo test", {"name": "none", "query": {"rule": "rules/try.yml"}}, {"check": "cargo test", "timeout": "10m"}],
        "checks": ["cargo check", {"name": "tests", "run": "cargo test", "timeout": "10m"}],
        "plan": {"rules": ["rules/try.yml"], "by": "folder", "files_per_task": 4, "sample": 2},
        "owns": ["src/**"], "never": ["src/generated/**"],
        "budget": {"wall": "2h", "attempts": 500, "cpu": "4h"},
        "landing": {"policy": "strict", "batch": 64, "conflicts": 2},
        "approve": ["plan", "sweep"]
    });
    if let Some(broken) = breaks(&house, &all["goal"], &goal) {
        assert_eq!(broken, "");
    }
    let cases = [
        ("goal", serde_json::json!({"name": "x"})),
        ("goal", serde_json::json!({"name": "x", "done": ["true"], "dnoe": 1})),
        ("config", serde_json::json!({"cheks": []})),
        ("role", serde_json::json!({"agents": ["codmod"]})),
    ];
    for (name, value) in cases {
        if let Some(broken) = breaks(&house, &all[name], &value) {
            assert!(!broken.is_empty(), "the schema {name} takes {value}");
        }
    }
}

#[test]
fn init_fits_the_project_and_its_result_can_be_planned() {
    let projects: &[(&str, &str, &str)] = &[
        ("Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.1.0\"\n", "cargo test"),
        ("package.json", "{\"name\": \"x\"}", "npm test"),
        ("pyproject.toml", "[project]\nname = \"x\"\n", "pytest"),
        ("README", "nothing yet\n", "checks = []"),
    ];
    for (file, text, check) in projects {
        let house = House::with(&[(file, text), (".gitignore", "/out")]);
        house.artel(&["init"]).exits(0).says("artel.toml").says("goal.md");
        let written = fs::read_to_string(house.repo().join("artel.toml")).unwrap();
        assert!(written.contains(check), "{file}: {written}");
        assert!(fs::read_to_string(house.repo().join(".gitignore")).unwrap().starts_with("/out\n"));
        house.commit("what init laid down");
        house.artel(&["plan", "goal.md"]).exits(0);
        let before: Vec<String> = ["artel.toml", "goal.md", ".gitignore"]
            .map(|name| fs::read_to_string(house.repo().join(name)).unwrap())
            .to_vec();
        house.artel(&["init"]).exits(0).says("left alone");
        for (name, text) in ["artel.toml", "goal.md", ".gitignore"].iter().zip(before) {
            assert_eq!(fs::read_to_string(house.repo().join(name)).unwrap(), text, "{name}");
        }
    }
}

#[test]
fn init_overwrites_nothing_and_follows_no_link() {
    let house = House::with(&[("goal.md", "mine\n")]);
    std::os::unix::fs::symlink("../elsewhere.toml", house.repo().join("artel.toml")).unwrap();
    house.artel(&["init"]);
    assert_eq!(fs::read_to_string(house.repo().join("goal.md")).unwrap(), "mine\n");
    assert!(!house.root().join("elsewhere.toml").exists());
    fs::create_dir(house.repo().join("deep")).unwrap();
    let said = house.command(&["init"]).current_dir(house.repo().join("deep")).output().unwrap();
    assert!(!house.repo().join("deep/goal.md").exists(), "{said:?}");
}

#[test]
fn a_run_may_use_what_its_goal_says_and_else_what_the_repository_says() {
    let own =
        "budget = { attempts = 5, usd = 3, task = { usd = 1, calls = 8 }, roles = { worker = { tokens = 7 } } }\n";
    let house = house(&[("artel.toml", own)]);
    house.artel(&["run", "goal.md"]).exits(0);
    let budget = || house.told("RunOpened")[0]["goal"]["budget"].clone();
    assert_eq!((&budget()["attempts"], &budget()["nano_usd"]), (&5.into(), &3_000_000_000_u64.into()));
    let goal = rename_goal("plan: { rules: [rename.yml] }\nbudget: { usd: 20, task: { calls: 2 } }\n");
    fs::write(house.repo().join("goal.md"), goal).unwrap();
    house.artel(&["run", "goal.md"]).exits(0);
    let budget = budget();
    assert_eq!((&budget["nano_usd"], &budget["attempts"]), (&20_000_000_000_u64.into(), &5.into()));
    assert_eq!((&budget["task"]["calls"], &budget["task"]["nano_usd"]), (&2.into(), &1_000_000_000_u64.into()));
    assert_eq!(budget["roles"]["worker"]["tokens"], 7);
    fs::write(house.repo().join("artel.toml"), own.replace("worker", "nobody")).unwrap();
    house.artel(&["run", "goal.md"]).exits(3).says("names the role `nobody`");
}
