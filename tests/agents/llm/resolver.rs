//! Tells how two tasks that changed the same line are brought together by a model that wrote neither.

use super::scene::{AGENTS, CLAUDE, Scene, USED};
use crate::model::{Call, Script, Turn};
use crate::stage::{leased, told};
use crate::workers::FILES;

/// Two tasks on one line, each with a check of its own.
const TASKS: &str = "[{key: a, brief: \"This is task-a: add it.\", paths: [a.txt], checks: [\"grep -q and-a a.txt\"]}, \
                     {key: b, brief: \"This is task-b: add it.\", paths: [a.txt], checks: [\"grep -q and-b a.txt\"]}]";

#[test]
fn a_model_that_wrote_neither_brings_two_changes_of_a_line_together() {
    let adds = |word: &str| {
        let edit = Call::edit("a.txt", "before", &format!("before {word}"));
        [Turn::calls(edit).using(USED), Turn::says("It is added.").using(USED)]
    };
    let resolves = [
        Turn::calls(Call::read("a.txt")).using(USED),
        Turn::writes("a.txt", "before and-a and-b\n").using(USED),
        Turn::says("Both stand.").using(USED),
    ];
    let scripts = [
        Script::of("# Resolve:", resolves),
        Script::of("This is task-a", adds("and-a")),
        Script::of("This is task-b", adds("and-b")),
    ];
    let goal = "plan: { resolver: resolver }\nlanding: { conflicts: 3 }\n";
    let scene = Scene::with(CLAUDE, goal, TASKS, &FILES, scripts);
    let resolver = format!("resolver.agents=[{:?}]", AGENTS[2]);
    // The second begins when the first is about to land, on what was there before it.
    scene.run(&["--workers", "2", "--role", &resolver]).exits(0);
    assert_eq!(scene.house.landed("a.txt"), "before and-a and-b");
    let ejected = told(&scene.house, "MemberEjected");
    assert_eq!(ejected.len(), 1, "{ejected:?}");
    assert_eq!(ejected[0]["findings"][0]["rule"], "conflict");
    let agents: Vec<String> = leased(&scene.house).into_iter().map(|(_, agent)| agent).collect();
    assert_eq!(agents, [CLAUDE, CLAUDE, AGENTS[2]], "neither author resolves");
    let asked = scene.turns();
    let shown = asked.iter().find(|seen| seen.holds("# Resolve:")).unwrap();
    for words in ["> This landed: ", "> The change that did not merge:", "This is task-a", "This is task-b"] {
        assert!(shown.holds(words), "the resolver is not shown `{words}`");
    }
    assert!(!shown.holds("It is added."), "what its workers say for themselves is not shown");
    scene.is_accounted();
}
