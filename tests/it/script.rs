//! Tests the agents that are processes: what they are given, what a part makes of a worktree, how they are read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use artel::io::agents::script::{PlannerMove, Script, planner_moves, read_part};
use artel::io::agents::{Agent, AgentError, Brief, Command, Desk, Left, NamedRule, Play, Report, Stance, collect};
use artel::io::hands::{Enclosure, Ended, Hands, Job, JobLimits, Local, View};
use artel::io::process::How;
use artel::model::paths::PathSet;
use tempfile::TempDir;

/// Holds a worktree and a desk for one attempt.
struct Stage {
    dir: TempDir,
    brief: Brief,
    limits: JobLimits,
}

impl Stage {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        for (path, text) in files {
            let path = dir.path().join("tree").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let brief = Brief {
            run: "r-1".parse().unwrap(),
            seat: "t7.1".parse().unwrap(),
            title: "mend the spelling".to_owned(),
            text: "# Mend\n".to_owned(),
            paths: PathSet::of_files(files.iter().map(|(path, _)| (*path).to_owned())),
            rules: vec![NamedRule { name: "r.yml".to_owned(), yaml: "id: r".to_owned() }],
            findings: Vec::new(),
            steering: Vec::new(),
            handoffs: Vec::new(),
            seed: 42,
            resumes: None,
            schema: None,
        };
        let limits = JobLimits { grace: Duration::from_millis(100), ..JobLimits::default() };
        Self { dir, brief, limits }
    }

    fn tree(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join("tree").join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.tree(path)).unwrap()
    }

    fn play(&self, agent: &dyn Agent) -> (Ended, Report) {
        let desk = Desk::at(self.dir.path().join("desk"));
        let Play::Process { program, files, mut env, .. } = agent.play(&self.brief, &desk).unwrap() else {
            panic!("no process is played")
        };
        desk.lay(&files).unwrap();
        env.insert("PATH".to_owned(), std::env::var("PATH").unwrap());
        let job = Job {
            grown: None,
            program,
            cwd: self.dir.path().join("tree"),
            env,
            limits: self.limits,
            view: View::default(),
            log: self.dir.path().join("log"),
            clock: self.dir.path().join("clock"),
            tail_bytes: 4096,
        };
        let hands = Hands::Local(Local::with_init(env!("CARGO_BIN_EXE_artel").into(), Enclosure::None));
        let (_keep, cancel) = tokio::sync::watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(hands.run(job, cancel)).unwrap();
        let log = self.dir.path().join("log");
        let handoff = collect(&desk.handoff());
        let report = agent.read(Left { how: ended.how, tail: &ended.tail, log: &log, handoff });
        (ended, report)
    }

    fn script(&self, part: &str) -> (Ended, Report) {
        self.play(&script(part))
    }
}

fn script(part: &str) -> Script {
    Script::new(env!("CARGO_BIN_EXE_artel").into(), "part.yml".to_owned(), part.to_owned())
}

fn why(report: &Report) -> &str {
    let Stance::Failed { why } = &report.stance else { panic!("no failure: {report:?}") };
    why
}

#[test]
fn a_command_finds_its_brief_and_is_read_by_code_and_handoff() {
    let stage = Stage::new(&[("a.txt", "old\n"), ("b.txt", "old\n")]);
    let line = r#"cat "$ARTEL_BRIEF"; xargs sed -i s/old/new/ < "$ARTEL_PATHS"; echo "$ARTEL_TASK $ARTEL_ATTEMPT";
        test -d "$TMPDIR"; grep -q '"yaml": "id: r"' "$ARTEL_BRIEF_JSON" && echo '{"done": "both"}' > "$ARTEL_HANDOFF""#;
    let (ended, report) = stage.play(&Command::new(line.to_owned()));
    assert_eq!((ended.how, ended.tail.as_str()), (How::Exited(0), "# Mend\nt7 t7.1\n"));
    assert_eq!((&report.stance, report.handoff.done.as_str()), (&Stance::Done, "both"));
    assert_eq!((stage.read("a.txt"), stage.read("b.txt")), ("new\n".to_owned(), "new\n".to_owned()));
    assert_eq!(fs::read_dir(stage.tree(".")).unwrap().count(), 2, "nothing of artel's lies in the worktree");
}

#[test]
fn a_command_that_fails_is_quoted() {
    let stage = Stage::new(&[]);
    let (_, report) = stage.play(&Command::new("echo no such luck; exit 3".to_owned()));
    assert_eq!(why(&report), "exited with 3:\nno such luck");
}

#[test]
fn a_handoff_that_is_garbage_fails_the_attempt() {
    let stage = Stage::new(&[]);
    let play = |line: &str| stage.play(&Command::new(line.to_owned())).1;
    assert!(why(&play("echo garbage > $ARTEL_HANDOFF")).starts_with("its handoff is not one"));
    assert!(why(&play("mkfifo $ARTEL_HANDOFF")).contains("not a regular file"));
    assert!(why(&play("ln -s /etc/passwd $ARTEL_HANDOFF")).contains("symbolic link"));
    assert!(why(&play("head -c 2000000 /dev/zero > $ARTEL_HANDOFF")).contains("longer than"));
    let blocked = Stance::Blocked { missing: "a key".to_owned() };
    assert_eq!(play(r#"echo '{"blocked": "a key"}' > $ARTEL_HANDOFF; exit 1"#).stance, blocked);
}

#[test]
fn the_worked_example_of_the_documentation_is_played() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/script.md")).unwrap();
    let parts: Vec<&str> = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();

    let mut stage = Stage::new(&[("src/a.txt", "a colour, two colours\n"), ("LICENSE", "colour\n")]);
    stage.brief.paths = PathSet::parse(["src/".to_owned()]);
    let (ended, report) = stage.script(parts[0]);
    assert_eq!((ended.how, ended.virtual_ms), (How::Exited(3), 1500));
    assert_eq!(why(&report), "exited with 3:\nattempt t7.1 dies");
    assert!(ended.usage.wall_ms < 1500, "virtual time was slept: {:?}", ended.usage);

    let mut stage = Stage::new(&[("src/a.txt", "a colour, two colours\n"), ("LICENSE", "colour\n")]);
    stage.brief.paths = PathSet::parse(["src/".to_owned()]);
    stage.brief.seat = "t7.2".parse().unwrap();
    let (ended, report) = stage.script(parts[0]);
    assert_eq!((ended.how, report.stance), (How::Exited(0), Stance::Done));
    assert_eq!(report.handoff.done, "spelling of src/");
    assert_eq!(
        (stage.read("src/a.txt").as_str(), stage.read("LICENSE").as_str()),
        ("a color, two colors\n", "colour\n")
    );

    let mut stage = Stage::new(&[("docs/deep/a.md", "text\n")]);
    stage.brief.seat = "t7.2".parse().unwrap();
    stage.script(parts[0]);
    assert_eq!(stage.read("docs/deep/a.md"), "text\n\nReviewed in t7.\n");

    let moves = planner_moves(&read_part(parts[1]).unwrap(), "root", 0, &[]).unwrap();
    let PlannerMove::Emit(chapters) = &moves[1] else { panic!("no chapters: {moves:?}") };
    let keys: Vec<&str> = chapters.iter().map(|task| task.key.as_str()).collect();
    assert_eq!(keys, ["chapter-1", "chapter-2", "chapter-3"]);
}

#[test]
fn every_step_is_documented_and_has_a_schema() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/script.md")).unwrap();
    let schema = serde_json::to_value(schemars::schema_for!(artel::io::agents::script::Step)).unwrap();
    let names: Vec<String> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| match step["properties"].as_object() {
            Some(fields) => fields.keys().next().unwrap().clone(),
            None => step["const"].as_str().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(names.len(), 29, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("| `{name}:")) || page.contains(&format!("| `{name}`")), "{name}");
    }
}

#[test]
fn files_are_changed_as_the_part_says() {
    let stage =
        Stage::new(&[("a.txt", "one\ntwo\nthree\n"), ("t.rs", "fn a() {\n    assert_eq!(1, 1);\n}\n\nfn b() {}\n")]);
    let part = r#"
steps:
  - conflict: {path: a.txt, line: 2, text: "two by {attempt}"}
  - break_test: {path: t.rs}
  - delete_test: {path: t.rs, test: "fn b()"}
  - write: {path: "new/{task}.sh", text: "{seed} {other}"}
  - chmod: {path: "new/{task}.sh", mode: "755"}
  - symlink: {path: link, target: /etc/hostname}
  - outside: {}
  - run: "echo $ARTEL_RUN > run.txt"
  - replace: {path: a.txt, find: nowhere, with: x, optional: true}
  - delete: {path: a.txt}
"#;
    let part_without_end = part.replace("  - delete: {path: a.txt}\n", "");
    let (ended, _) = stage.script(&part_without_end);
    assert_eq!(ended.how, How::Exited(0), "{}", ended.tail);
    assert_eq!(stage.read("a.txt"), "one\ntwo by t7.1\nthree\n");
    assert_eq!(stage.read("t.rs"), "fn a() {\n    assert_ne!(1, 1);\n}\n");
    assert_eq!((stage.read("new/t7.sh"), stage.read("run.txt")), ("42 {other}".to_owned(), "r-1\n".to_owned()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(stage.tree("new/t7.sh")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(fs::read_link(stage.tree("link")).unwrap(), Path::new("/etc/hostname"));
    assert!(stage.dir.path().join("outside-t7.1").exists());
    stage.script(
        "steps: [{delete: {path: a.txt}}, {fail_if: {path: t.rs, contains: assert_ne}}, {write: {path: x, text: x}}]",
    );
    assert!(!stage.tree("a.txt").exists() && !stage.tree("x").exists());
}

#[test]
fn a_step_that_cannot_be_done_fails_the_attempt() {
    let stage = Stage::new(&[("a.txt", "text\n")]);
    let said = |part: &str| why(&stage.script(part).1).to_owned();
    assert_eq!(said("steps: [{replace: {find: zzz, with: y}}]"), "exited with 1:\na.txt does not hold \"zzz\"");
    assert!(said("steps: [{conflict: {path: a.txt, line: 9, text: x}}]").contains("has 1 lines, not 9"));
    assert!(said("steps: [{break_test: {path: a.txt}}]").contains("no assertion"));
    assert!(said("steps: [{run: 'exit 4'}]").contains("exit status: 4"));
    assert!(said("steps: [{fail: 'not {task}'}]").ends_with("not t7"));
    assert!(said("steps: [{delete: {path: gone}}]").contains("gone: No such file"));
}

#[test]
fn mischief_is_real_and_is_survived() {
    let mut stage = Stage::new(&[]);
    stage.limits.output_bytes = 1 << 20;
    stage.limits.wall = Duration::from_secs(60);
    let how = |stage: &Stage, part: &str| stage.script(part).0.how;
    assert_eq!(how(&stage, "steps: [{crash: {code: 9}}]"), How::Exited(9));
    assert_eq!(how(&stage, "steps: [{crash: {signal: 9}}]"), How::Signalled(9));
    assert_eq!(how(&stage, "steps: [{flood: {bytes: 10000000}}]"), How::OutputLimit);
    assert_eq!(how(&stage, "steps: [{fork: {children: 20}}, {crash: {code: 5}}]"), How::Exited(5));
    let (ended, _) = stage.script("steps: [{leak: {children: 3}}]");
    assert_eq!((ended.how, ended.usage.leaked), (How::Exited(0), 3));
    stage.limits.wall = Duration::from_millis(300);
    assert_eq!(how(&stage, "steps: [ignore_term, hang]"), How::WallLimit);
    let (ended, _) = stage.script("steps: [ignore_term, {crash: {signal: 15}}, {say: alive}]");
    assert_eq!(ended.tail, "alive\n");
    let (ended, _) = stage.script("clock: real\nsteps: [{wait: {ms: 30}}]");
    assert_eq!(ended.virtual_ms, 0);
    assert!(ended.usage.wall_ms >= 30);
}

#[test]
fn claims_are_handed_up_whatever_they_are_worth() {
    let stage = Stage::new(&[("a.txt", "text\n")]);
    let (_, report) = stage.script(r#"steps: [{lie: 'all of "{path}"'}, {delete: {path: a.txt}}]"#);
    assert_eq!((report.stance, report.handoff.done.as_str()), (Stance::Done, r#"all of "a.txt""#));
    assert!(stage.tree("a.txt").exists());
    let (_, report) = stage.script("steps: [{blocked: 'a tool'}]");
    assert_eq!(report.stance, Stance::Blocked { missing: "a tool".to_owned() });
    assert!(why(&stage.script("steps: [{garble: '{]'}]").1).starts_with("its handoff is not one"));
}

#[test]
fn chance_follows_from_the_seed_and_the_attempt() {
    let part = "steps: [{choose: [{weight: 1, steps: [{say: a}]}, {steps: [{say: b}]}, {weight: 0, steps: [hang]}]}]";
    let mut seen = BTreeMap::new();
    for number in 1..=12 {
        let mut stage = Stage::new(&[]);
        stage.brief.seat = format!("t7.{number}").parse().unwrap();
        let (first, second) = (stage.script(part).0.tail, stage.script(part).0.tail);
        assert_eq!(first, second);
        *seen.entry(first).or_insert(0) += 1;
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["a\n", "b\n"], "both happen");
}

#[test]
fn a_part_with_faults_is_not_played() {
    let stage = Stage::new(&[]);
    let desk = Desk::at(stage.dir.path().join("desk"));
    let error = script("steps: [{sai: x}, hangs]").play(&stage.brief, &desk).unwrap_err();
    let AgentError::Part { faults, .. } = &error else { panic!("{error}") };
    assert_eq!(faults.len(), 2);
    let error = script("plan: [done]").play(&stage.brief, &desk).unwrap_err();
    assert_eq!(error.to_string(), "play the part part.yml: it has no `steps`");
}
