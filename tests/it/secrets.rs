//! Tells that a credential of whoever started artel stands in nothing that is kept, whatever an agent does with it.

use std::fs;
use std::path::Path;

use crate::common::{House, said, unpacked};
use crate::stage::why;

const CANARY: &str = "canary-5f1c0b7a-of-the-user";

/// Lists the files below a folder that hold the canary.
fn holding(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holding(&path));
        } else if kind.is_file() && unpacked(&path).windows(CANARY.len()).any(|it| it == CANARY.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_credential_that_an_agent_has_got_hold_of_is_kept_nowhere() {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("src/c.txt", "old\n")]);
    house.write(
        "plan.yml",
        "plan:\n  - emit: [{key: a, paths: [src/a.txt]}, {key: b, paths: [src/b.txt]}, {key: c, paths: [src/c.txt]}]\n",
    );
    house.write("goal.md", "---\nname: a goal\ndone: [\"true\"]\nchecks: [\"true\"]\n---\nDo it.\n");
    house.commit("all that is needed");
    let leak = house.root().join("leak");
    fs::write(&leak, CANARY).unwrap();
    // One writes it into its file, one says it and fails, and one says it, hands it up and does its task.
    let line = format!(
        r#"read -r f < "$ARTEL_PATHS"; k=$(cat {}); echo "it is $k"; case $f in
            *a.txt) echo "$k" >> "$f" ;;
            *b.txt) exit 3 ;;
            *c.txt) echo new >> "$f"; printf '{{"done": "with %s"}}' "$k" > "$ARTEL_HANDOFF" ;;
        esac"#,
        leak.display()
    );
    let agent = format!("worker.agents={}", serde_json::json!([format!("command:{line}")]));
    let args = [
        "run",
        "goal.md",
        "--sandbox",
        "none",
        "--role",
        "shard.agents=script:plan.yml",
        "--role",
        "worker.mechanical=false",
    ];
    let mut artel = house.command(&args);
    artel.args(["--role", &agent, "--role", "worker.limits.attempts=1"]).env("CANARY_TOKEN", CANARY);
    said(&artel.output().unwrap()).exits(5);
    assert!(why(&house, "t1").contains("the value of CANARY_TOKEN"), "{}", why(&house, "t1"));
    let stars = "*".repeat(CANARY.len());
    assert!(why(&house, "t2").contains(&format!("it is {stars}")), "{}", why(&house, "t2"));
    assert_eq!(house.landed("src/c.txt"), "old\nnew");
    let events = serde_json::to_string(&house.events()).unwrap();
    assert!(events.contains(&format!("with {stars}")), "{events}");
    fs::remove_file(&leak).unwrap();
    // What an agent itself puts on its own desk is neither read again nor shown.
    let desks = format!("{}/desks/", house.run());
    let kept: Vec<String> = holding(house.root()).into_iter().filter(|path| !path.contains(&desks)).collect();
    assert_eq!(kept, Vec::<String>::new());
    assert!(!house.git(&["log", "--all", "-p"]).contains(CANARY));
}
