//! Tells that a run arrives in a real collector of OpenTelemetry, span by span and number by number, over whatever happens
//! to the collector and to the run, and that the run waits for none of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::clis::Cli;
use crate::collector::{Collector, Span, free_port, program};
use crate::llm::scene::{CLAUDE, Scene, USED};
use crate::model::{Call, Turn};
use crate::stage::{crew, run};
use crate::workers::{FILES, TASK, agent, command, writing};

fn turns() -> [Turn; 2] {
    [Turn::calls(Call::edit("a.txt", "before", "behind")).using(USED), Turn::says("It is written.").using(USED)]
}

fn by_id(spans: &[Span]) -> BTreeMap<&str, &Span> {
    spans.iter().map(|span| (span.id.as_str(), span)).collect()
}

/// Gives the names of a span and of all above it.
fn above<'a>(spans: &BTreeMap<&str, &'a Span>, from: &'a Span) -> Vec<&'a str> {
    let mut names = vec![from.name.as_str()];
    let mut span = from;
    while let Some(parent) = spans.get(span.parent.as_str()) {
        names.push(parent.name.as_str());
        span = parent;
    }
    names
}

#[test]
fn a_run_arrives_in_a_collector_from_the_run_to_each_call_and_says_nothing_of_what_was_said() {
    let Some(program) = program() else { return };
    let scene = Scene::of(CLAUDE, turns());
    let collector = Collector::start(&scene.house, &program);
    std::fs::create_dir_all(scene.house.home()).unwrap();
    let line = format!("otlp = {:?}\n", collector.url());
    std::fs::write(scene.house.home().join("telemetry.toml"), line).unwrap();
    scene.run(&[]).exits(0);
    // What it took it writes down a moment later.
    let ends = |name: &str| collector.spans().iter().filter(|span| span.name == name).count();
    scene.house.until("all has arrived", || ends("run") == 1 && collector.metrics().contains_key("artel.spend"));

    let spans = collector.spans();
    let ids = by_id(&spans);
    assert_eq!(ids.len(), spans.len(), "each is told once");
    let traces: BTreeSet<_> = spans.iter().map(|span| &span.trace).collect();
    assert_eq!(traces.len(), 1);
    let calls: Vec<&Span> = spans.iter().filter(|span| span.name == "chat claude-sonnet-4-5").collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(above(&ids, calls[0]), ["chat claude-sonnet-4-5", "invoke_agent llm", "task", "iteration", "run"]);
    for call in &calls {
        assert_eq!(call.kind, "SPAN_KIND_CLIENT");
        assert!(call.start < call.end);
        for (name, value) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.request.model", "claude-sonnet-4-5"),
            ("gen_ai.usage.input_tokens", &(USED.input + USED.cache_read + USED.cache_write).to_string()),
            ("gen_ai.usage.output_tokens", &USED.output.to_string()),
            ("gen_ai.usage.cache_read.input_tokens", &USED.cache_read.to_string()),
            ("artel.role", "worker"),
        ] {
            assert_eq!(call.attributes.get(name).map(String::as_str), Some(value), "{name}: {call:?}");
        }
    }
    let tools: Vec<&Span> = spans.iter().filter(|span| span.name.starts_with("execute_tool ")).collect();
    assert_eq!(tools.len(), 1);
    assert_eq!(above(&ids, tools[0])[1..], ["invoke_agent llm", "task", "iteration", "run"]);
    assert_eq!(tools[0].attributes["gen_ai.operation.name"], "execute_tool");
    assert_eq!(format!("execute_tool {}", tools[0].attributes["gen_ai.tool.name"]), tools[0].name);
    let agent = spans.iter().find(|span| span.name == "invoke_agent llm").unwrap();
    assert_eq!(agent.attributes["gen_ai.agent.name"], "llm");
    let root = spans.iter().find(|span| span.name == "run").unwrap();
    assert_eq!((root.parent.as_str(), root.attributes["artel.end"].as_str()), ("", "done"));
    assert_eq!(root.resource["service.name"], "artel");
    let said = format!("{spans:?}");
    for text in ["task-a", "behind", "It is written", "a.txt", crate::workers::KEY] {
        assert!(!said.contains(text), "{text} is nobody's affair");
    }

    let metrics = collector.metrics();
    let tokens = &metrics["gen_ai.client.token.usage"];
    assert_eq!((tokens.unit.as_str(), tokens.kind.as_str()), ("{token}", "Histogram"));
    assert!(tokens.text.contains("gen_ai.token.type: Str(input)"), "{}", tokens.text);
    assert_eq!(metrics["gen_ai.client.operation.duration"].unit, "s");
    for name in ["artel.tasks", "artel.landings", "artel.attempts", "artel.conflicts", "artel.queue", "artel.spend"] {
        assert!(metrics.contains_key(name), "{name} of {:?}", metrics.keys());
    }
    assert!(metrics["artel.tasks"].text.contains("artel.task.status: Str(landed)"));
}

#[test]
fn a_run_does_not_wait_for_a_collector_that_is_gone_and_tells_the_rest_when_it_goes_on() {
    let Some(program) = program() else { return };
    let scene = Scene::of(CLAUDE, turns());
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut command = scene.command(&scene.args(&[]));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    crate::common::said(&command.output().unwrap()).exits(0).says("telemetry waits, and the run does not");

    // A person has a landed task taken back out, by which the run is hosted once more.
    let collector = Collector::start_at(&scene.house, &program, port);
    let mut command = scene.command(&["revert", "t1"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    command.output().unwrap();
    let mut command = scene.command(&["resume"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    command.output().unwrap();
    let ends = || collector.spans().iter().filter(|span| span.name == "run").count();
    scene.house.until("all has arrived", || ends() == 2);
    let spans = collector.spans();
    assert_eq!(by_id(&spans).len(), spans.len(), "each is told once");
    assert_eq!(spans.iter().filter(|span| span.name.starts_with("chat ")).count(), 2, "{spans:#?}");
    let attempts: Vec<_> = spans.iter().filter(|span| span.name.starts_with("invoke_agent ")).collect();
    assert_eq!(attempts.len(), scene.house.told("AttemptLeased").len());
}

#[test]
fn a_repository_does_not_say_where_telemetry_goes() {
    let Some(program) = program() else { return };
    let scene = Scene::of(CLAUDE, turns());
    let collector = Collector::start(&scene.house, &program);
    scene.house.write("telemetry.toml", &format!("otlp = {:?}\n", collector.url()));
    scene.house.commit("a trap");
    scene.run(&[]).exits(0);
    assert_eq!(collector.spans(), []);
    scene.house.write("artel.toml", &format!("[telemetry]\notlp = {:?}\n", collector.url()));
    scene.house.commit("another");
    let refused = scene.run(&[]);
    assert_ne!(refused.code, Some(0), "artel.toml has no such field");
    assert_eq!(collector.spans(), []);
}

#[test]
fn over_a_run_that_is_killed_nothing_is_lost_and_nothing_told_twice() {
    let Some(program) = program() else { return };
    let tasks = "[{key: a, brief: at once, paths: [a.txt]}, {key: b, brief: later, paths: [b.txt]}]";
    let house = crew("", tasks, &[("a.txt", "a\n"), ("b.txt", "b\n")]);
    house.in_the_open();
    let gate = house.root().join("gate");
    let work = format!(
        "read -r file < \"$ARTEL_PATHS\"; test $file = a.txt || until test -e {}; do sleep 0.02; done; echo c > $file",
        gate.display()
    );
    let role = format!("worker.agents=[{:?}]", format!("command:{work}"));
    let collector = Collector::start(&house, &program);
    let endpoint = collector.url();
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let mut working = house.start_in(&run(&role, &[]), &env);
    let offset = || {
        let file = house.home().join("runs").join(house.run()).join("telemetry.json");
        let text = std::fs::read(file).unwrap_or_default();
        let told: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        told["seq"].as_u64().unwrap_or_default()
    };
    let has_landed = || house.told("BatchClosed").len() == 1;
    house.until("the first task has landed and is told", || {
        std::fs::exists(house.home().join("artel.db")).unwrap()
            && has_landed()
            && offset() == house.events().len() as u64
    });
    let of_tasks = |spans: &[Span]| spans.iter().filter(|span| span.name == "task").count();
    house.until("it has arrived", || of_tasks(&collector.spans()) == 1);
    working.kill().unwrap();
    working.wait().unwrap();
    std::fs::write(gate, "").unwrap();
    let mut command = house.command(&["resume"]);
    crate::common::said(&command.envs(env).output().unwrap()).exits(0);
    house.until("all has arrived", || collector.spans().iter().any(|span| span.name == "run"));
    let spans = collector.spans();
    assert_eq!(by_id(&spans).len(), spans.len(), "each is told once");
    assert_eq!(of_tasks(&spans), 2);
    let attempts = spans.iter().filter(|span| span.name == "invoke_agent command").count();
    assert_eq!((attempts, house.told("AttemptLeased").len()), (3, 3), "what was lost is told as well");
    let ids = by_id(&spans);
    for span in &spans {
        assert_eq!(*above(&ids, span).last().unwrap(), "run", "{span:?}");
    }
}

/// Has a real program do a task, and tells by which tool it wrote the file.
#[track_caller]
fn tells_of_its_tools(cli: Cli, tool: &str) {
    let (Some(program), Some((agent, folder))) = (program(), agent(cli)) else { return };
    let (model, house) = (writing(), crew("", TASK, &FILES));
    let collector = Collector::start(&house, &program);
    let role = format!("worker.agents=[{agent:?}]");
    let mut command = command(&house, &model, &folder, &run(&role, &["--sandbox", "bubblewrap"]));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    crate::common::said(&command.output().unwrap()).exits(0);
    house.until("all has arrived", || collector.spans().iter().any(|span| span.name == "run"));
    let spans = collector.spans();
    let ids = by_id(&spans);
    let tools: Vec<&Span> = spans.iter().filter(|span| span.name.starts_with("execute_tool ")).collect();
    let names: Vec<&str> = tools.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, [format!("execute_tool {tool}")], "{spans:#?}");
    let session = ids[tools[0].parent.as_str()];
    let invoked = format!("invoke_agent {}", agent.split(':').next().unwrap());
    assert_eq!(above(&ids, tools[0])[1..], [invoked.as_str(), "task", "iteration", "run"]);
    assert!(session.start <= tools[0].start && tools[0].start <= tools[0].end && tools[0].end <= session.end);
    // A model was asked before.
    let calls: Vec<&Span> = spans.iter().filter(|span| span.name.starts_with("chat ")).collect();
    assert!(calls.iter().any(|call| call.start < tools[0].start), "{spans:#?}");
    assert!(!tools[0].attributes.contains_key("error.type"), "{:?}", tools[0]);
    let told = format!("{:?}", tools[0]);
    assert!(!told.contains("b.txt") && !told.contains("after"), "what it was given is nobody's affair: {told}");
}

#[test]
fn the_tools_of_claude_code_are_told() {
    tells_of_its_tools(Cli::Claude, "Write");
}

#[test]
fn the_tools_of_codex_are_told() {
    tells_of_its_tools(Cli::Codex, "command_execution");
}

#[test]
fn the_tools_of_an_agent_of_the_protocol_are_told() {
    tells_of_its_tools(Cli::Goose, "write");
}
