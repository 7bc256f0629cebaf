//! Tells how goal files, rule files and settings are refused, all faults at once, and that an open run is locked.

use std::fs;

use crate::common::{House, RENAME, rename_goal};

const PLAN: &str = "plan: { rules: [rename.yml] }\n";

fn house(more: &[(&str, &str)]) -> House {
    let goal = rename_goal(PLAN);
    let mut files = vec![("goal.md", goal.as_str()), ("rename.yml", RENAME), ("src/a.py", "print(old(1))\n")];
    files.extend_from_slice(more);
    House::with(&files)
}

/// A goal file, and what is said of it with its place.
const FAULTY: &[(&str, &[&str])] = &[
    ("", &["x.md:1:1: the front matter is missing"]),
    ("Do it.\n", &["x.md:1:1: the front matter is missing", "name: what-is-wanted"]),
    ("---\nname: x\n", &["x.md:1:1: the front matter that begins here does not end"]),
    ("---\nname: [\n---\nDo.\n", &["x.md:2:7: this is not YAML"]),
    ("---\nname: x\ndone: [\"true\"]\n---\n", &["x.md:4:1: the goal has no prose below this line"]),
    ("---\nname: x\n---\nDo.\n", &["has no done-condition that can be executed", "cargo test", "query: { regex:"]),
    ("---\nname: x\ndone: []\n---\nDo.\n", &["x.md:3:7: the goal has no done-condition", "cargo test"]),
    (
        "---\nname: x\ndone: [\"true\"]\nplan: { order: dependency }\n---\nDo.\n",
        &["x.md:4:16: `order: dependency` needs a plan by package"],
    ),
    ("---\ndone: [\"true\"]\n---\nDo.\n", &["the goal has no `name`"]),
    (
        "---\nnmae: x\ndone:\n  - query: { regex: '(' }\n  - { chek: x }\nplan: { by: flder, sample: many }\n\
         budget: { wall: soon }\nlanding: { policy: budgeted }\napprove: [swep]\nnever: ['[']\n---\nDo.\n",
        &[
            "x.md:2:1: the goal has no field `nmae`",
            "did you mean `name`?",
            "x.md:4:21: `regex` is no regular expression",
            "did you mean `check`?",
            "x.md:6:13: `by` cannot be `flder`",
            "did you mean `folder`?",
            "`sample` must be a whole number",
            "`wall` must be a duration",
            "comes with a later version",
            "did you mean `sweep`?",
            "`[` is not a glob",
            "^^^^^",
            "faults in x.md",
        ],
    ),
];

#[test]
fn a_faulty_goal_is_refused_with_all_its_faults_and_their_places() {
    let house = house(&[]);
    for (text, said) in FAULTY {
        fs::write(house.repo().join("x.md"), text).unwrap();
        for verb in ["run", "plan"] {
            let told = house.artel(&[verb, "x.md"]).exits(3);
            for part in *said {
                assert!(told.err.contains(part), "no `{part}` in\n{}", told.err);
            }
            assert_eq!(told.out, "");
        }
    }
    house.artel(&["list", "--json"]).exits(0).says("[]");
}

#[test]
fn a_goal_that_is_not_there_or_no_text_is_refused() {
    let house = house(&[]);
    house.artel(&["run", "nowhere.md"]).exits(3).says("nowhere.md").says("hint: ");
    house.artel(&["run", "src"]).exits(3).says("Is a directory");
    fs::write(house.repo().join("x.md"), b"\xff\xfe").unwrap();
    house.artel(&["run", "x.md"]).exits(3).says("x.md").says("UTF-8");
}

#[test]
fn a_goal_with_windows_line_ends_and_a_mark_is_read() {
    let house = house(&[]);
    let text = format!("\u{feff}{}", rename_goal(PLAN).replace('\n', "\r\n"));
    fs::write(house.repo().join("x.md"), text).unwrap();
    house.artel(&["plan", "x.md"]).exits(0).says("1 task");
}

#[test]
fn a_rule_file_that_is_missing_or_faulty_is_told_with_all_its_faults() {
    let house = house(&[]);
    let cases = [
        (None, &["rename.yml", "No such file"][..]),
        (Some(""), &["rename.yml", "it holds no rule"]),
        (Some("id: x\nlanguage: pyton\nrule: { pattern: a }\n"), &["rename.yml:2:1", "pyton", "1 fault in rename.yml"]),
        (Some("id: x\nlanguage: python\nrule:\n  patern: a\n"), &["rename.yml:3:1", "patern", "^^^"]),
        (Some("id: x\nlanguage: python\nrule: {\n"), &["rename.yml:3:"]),
        (
            Some(
                "language: pyton\nrule: { pattern: a }\n---\nlanguage: python\nrule: { kind: nonsense }\n---\nlanguage: [\n",
            ),
            &["rename.yml:1:1", "rename.yml:5:1", "nonsense", "rename.yml:7:", "3 faults in rename.yml"],
        ),
    ];
    for (text, said) in cases {
        match text {
            Some(text) => house.write("rename.yml", text),
            None => fs::remove_file(house.repo().join("rename.yml")).unwrap(),
        }
        let told = house.artel(&["run", "goal.md"]).exits(3);
        for part in said {
            assert!(told.err.contains(part), "no `{part}` in\n{}", told.err);
        }
    }
}

#[test]
fn a_role_that_is_not_there_or_plays_another_part_is_refused() {
    let house = house(&[]);
    let cases = [
        ("worker: wroker", &["`plan.worker` names the role `wroker`", "did you mean `worker`?"][..]),
        ("worker: shard", &["`plan.worker` names the role `shard`, which plays another part"]),
        ("planner: judge", &["`plan.planner` names the role `judge`, which plays another part"]),
        ("planner: ../worker", &["is the name of a role"]),
    ];
    for (field, said) in cases {
        let plan = PLAN.replace("rules:", &format!("{field}, rules:"));
        fs::write(house.repo().join("x.md"), rename_goal(&plan)).unwrap();
        let told = house.artel(&["run", "x.md"]).exits(3);
        for part in said {
            assert!(told.err.contains(part), "no `{part}` in\n{}", told.err);
        }
    }
    fs::write(house.repo().join("x.md"), rename_goal("")).unwrap();
    house.artel(&["run", "x.md"]).exits(3).says("`plan: { rules: [rules/my-rule.yml] }`");
}

#[test]
fn a_faulty_configuration_is_refused_with_all_its_faults() {
    let house = house(&[]);
    house.write("artel.toml", "cheks = [\"x\"]\nworkers = \"two\"\n\n[tests.rust]\nfils = []\n");
    for verb in ["run", "plan"] {
        let said = house.artel(&[verb, "goal.md"]).exits(3);
        let said = said.says("artel.toml:1:1: `artel.toml` has no field `cheks`").says("did you mean `checks`?");
        said.says("artel.toml:2:11: `workers` must be").says("artel.toml:5:1:").says("3 faults in artel.toml");
    }
    house.write("artel.toml", "checks = [\n");
    house.artel(&["run", "goal.md"]).exits(3).says("artel.toml:");
}

#[test]
fn what_is_misspelt_on_the_command_line_is_asked_about() {
    let house = house(&[]);
    house.artel(&["statsu"]).exits(2).says("'status'");
    house.artel(&["run", "goal.md", "--wokers", "2"]).exits(2).says("'--workers'");
    house.artel(&["run", "goal.md", "--workers", "0"]).exits(2);
    house.artel(&["run"]).exits(2).says("<GOAL>");
    house.artel(&["schema", "gaol"]).exits(2).says("goal");
}

#[test]
fn an_open_run_is_locked_against_every_later_edit() {
    let goal = rename_goal("plan: { planner: planner, worker: worker }\n");
    let part = "plan: [{emit: [{key: one, paths: [src/a.py], rules: [rename.yml]}]}]\n";
    let role = "about = \"plans\"\npart = \"planner\"\nagents = [\"script:plan.yml\"]\nprompt = \"planner\"\n";
    let house = house(&[
        ("goal.md", &goal),
        ("plan.yml", part),
        (".artel/roles/planner.toml", role),
        ("artel.toml", "checks = [\"test -d src\"]\n"),
    ]);
    let run = house.artel(&["run", "--open-only", "goal.md"]).exits(0).out.trim().to_owned();
    house.write("goal.md", "---\nname: other\ndone: [\"false\"]\n---\nDo something else.\n");
    house.write("rename.yml", "id: rename\nlanguage: python\nrule: { pattern: old($A) }\nfix: worse($A)\n");
    house.write("plan.yml", "plan: [{fail: edited}]\n");
    house.write("artel.toml", "checks = [\"false\"]\nbranch_prefix = \"elsewhere\"\n");
    fs::remove_dir_all(house.repo().join(".artel")).unwrap();
    house.commit("all is different now");
    house.artel(&["resume", &run]).exits(0);
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
    assert_eq!(house.told("BatchLanded").len(), 1);
    let opened = &house.told("RunOpened")[0];
    assert_eq!(opened["goal"]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(opened["goal_text"], goal);
}

#[test]
fn a_condition_does_not_find_what_states_the_goal() {
    let goal = "---\nname: rename\ndone:\n  - query: { regex: 'old\\W' }\nplan: { rules: [rename.yml] }\n---\nNo old (name) is left.\n";
    let house = house(&[("goal.md", goal)]);
    house.artel(&["run", "goal.md"]).exits(0);
    let all = goal.replace("regex: 'old\\W'", "regex: 'old\\W', within: ['**']");
    fs::write(house.repo().join("goal.md"), all).unwrap();
    house.artel(&["run", "goal.md"]).exits(5).says("condition");
}

#[test]
fn a_goal_may_lie_outside_the_repository_beside_its_rules() {
    let house = House::with(&[("src/a.py", "print(old(1))\n")]);
    let outside = house.root().join("goals");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("goal.md"), rename_goal(PLAN)).unwrap();
    fs::write(outside.join("rename.yml"), RENAME).unwrap();
    house.artel(&["run", "../goals/goal.md"]).exits(0);
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
    house.artel(&["run", &outside.join("goal.md").to_string_lossy()]).exits(0);
    assert_eq!(house.git(&["status", "--porcelain"]), "");
}
