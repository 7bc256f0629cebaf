//! Owns the measuring of the way to models: what a call through the gateway takes and costs beside one that goes straight,
//! what a session holds in memory, and how soon an agent asks for the first time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use artel::io::clock::SystemClock;
use artel::io::gateway::{Family, Gateway, GatewayConfig, KeySource, Pocket, Prices, Provider, Session, Terms};

use artel::machine::event::{Event, Recorded};
use artel::model::sandbox::Tier;
use tokio::runtime::Runtime;

use super::Size;
use super::figure::{Goal, figure, note, quantile};
use super::ground::{Lab, Spread, folder, write_goal};
use super::ring::{place, work};
use super::wire::{Answers, At, Model, Times, calls, held};

/// Tells the process of the gateway where the model is.
const UPSTREAM: &str = "ARTEL_BENCH_UPSTREAM";
/// Streams at one time.
const STREAMS: usize = 50;
/// Bytes of a request: about as many as the programs of agents send at first.
const REQUEST_BYTES: usize = 50_000;
/// Events of an answer, and the pause between two: fifty tokens a second.
const EVENTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);
/// Sessions at one time.
const SESSIONS: usize = 200;

/// Measures all of it.
pub fn gateways(size: Size) {
    let runtime = Runtime::new().expect("a runtime");
    streams(&runtime, if size == Size::Quick { 1 } else { 40 });
    memory(&runtime);
    first_calls(&runtime, if size == Size::Quick { 3 } else { 50 });
}

/// Streams through the gateway and straight, so many calls on each of the connections.
fn streams(runtime: &Runtime, count: usize) {
    let clock = Instant::now();
    let model = runtime.block_on(Model::new(Answers::Stream(EVENTS, PAUSE), clock));
    let straight = At { address: model.address.to_string(), path: "/v1/messages", key: "a-key".to_owned() };
    // The first calls open connections and read what is read once.
    let mut gate = Gate::before(model.address);
    let through = gate.opens(STREAMS);
    runtime.block_on(at_once(through.clone(), 1, clock));
    let alone = runtime.block_on(at_once(vec![straight; STREAMS], count, clock));
    let cpu = gate.cpu_s();
    let led = runtime.block_on(at_once(through, count, clock));
    let cpu_s = gate.cpu_s() - cpu;
    note(&format!("{STREAMS} streams at once of {EVENTS} events, one each {} ms", PAUSE.as_millis()));
    added("gateway_first_event", (led.first, alone.first), (Goal::Most(1.0), Goal::Most(5.0)));
    added("gateway_event", (led.each, alone.each), (Goal::Most(1.0), Goal::Most(5.0)));
    figure("gateway_cpu", cpu_s * 1000.0 / (STREAMS * count) as f64, "ms/call", Goal::Most(1.0));
}

/// Has clients make so many calls each, spread evenly over the time of one, and their events over that of one.
async fn at_once(all: Vec<At>, count: usize, clock: Instant) -> Times {
    let streams = all.len() as u32;
    let apart = PAUSE * EVENTS / streams + PAUSE / streams;
    let clients = (0..).zip(all).map(|(number, at)| {
        tokio::spawn(async move {
            tokio::time::sleep(apart * number).await;
            calls(at, count, REQUEST_BYTES, clock).await
        })
    });
    let mut times = Times::default();
    for client in clients.collect::<Vec<_>>() {
        let of_one = client.await.expect("a client's calls");
        times.first.extend(of_one.first);
        times.each.extend(of_one.each);
    }
    times
}

/// Tells how much later what comes through the gateway comes, by quantiles of both ways.
fn added(name: &str, (mut led, mut alone): (Vec<f64>, Vec<f64>), (p50, p99): (Goal, Goal)) {
    for (quarter, share, goal) in [("p50", 0.5, p50), ("p99", 0.99, p99)] {
        let (led, alone) = (quantile(&mut led, share), quantile(&mut alone, share));
        figure(&format!("{name}_straight_{quarter}"), alone, "ms", Goal::None);
        figure(&format!("{name}_added_{quarter}"), led - alone, "ms", goal);
    }
}

/// Opens sessions with a listener and a live stream each.
fn memory(runtime: &Runtime) {
    let model = runtime.block_on(Model::new(Answers::Hold, Instant::now()));
    let mut gate = Gate::before(model.address);
    let mut hold = |count: usize| {
        let all = gate.opens(count);
        let streams = runtime.block_on(async {
            let mut streams = Vec::new();
            for at in all {
                streams.push(held(at, REQUEST_BYTES).await);
            }
            streams
        });
        (streams, gate.resident_kib())
    };
    let (_warm, before) = hold(1);
    let (_live, after) = hold(SESSIONS);
    figure("gateway_session", (after - before) / 1024.0 / SESSIONS as f64, "MiB", Goal::Most(1.0));
}

/// The gateway, in a process of its own.
struct Gate {
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Gate {
    fn before(model: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("gate").env(UPSTREAM, model.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let ask = child.stdin.take().expect("a pipe");
        let told = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, ask, told }
    }

    /// Has so many sessions opened.
    fn opens(&mut self, count: usize) -> Vec<At> {
        writeln!(self.ask, "{count}").expect("it listens");
        let mut opened = Vec::new();
        while opened.len() < count {
            let mut line = String::new();
            assert!(self.told.read_line(&mut line).expect("it speaks") > 0, "the gateway has ended");
            let mut words = line.split_whitespace().skip_while(|word| *word != "session").skip(1);
            if let (Some(address), Some(token)) = (words.next(), words.next()) {
                opened.push(At { address: address.to_owned(), path: "/anthropic/v1/messages", key: token.to_owned() });
            }
        }
        opened
    }

    fn cpu_s(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        let spent = |task: std::path::PathBuf| {
            let schedstat = std::fs::read_to_string(task.join("schedstat")).ok()?;
            schedstat.split_whitespace().next()?.parse::<f64>().ok()
        };
        tasks.flatten().filter_map(|task| spent(task.path())).sum::<f64>() / 1e9
    }

    fn resident_kib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the process of the gateway: opens as many sessions as each line of its input says.
pub fn gate(_: Size) {
    let Ok(upstream) = std::env::var(UPSTREAM) else { return note("it is started by the part `gateway`") };
    let runtime = Runtime::new().expect("a runtime");
    let provider = Provider {
        key: KeySource::Literal("sk-of-nobody".to_owned()),
        calls_at_once: 1000,
        ..Provider::at(Family::Anthropic, format!("http://{upstream}"))
    };
    let providers = BTreeMap::from([("anthropic".to_owned(), provider)]);
    let config = GatewayConfig { providers, ..GatewayConfig::default() };
    let gateway = Gateway::new(config, Prices::built_in(), Arc::new(SystemClock)).expect("a gateway");
    let mut sessions: Vec<Session> = Vec::new();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        for _ in 0..line.parse().unwrap_or(0) {
            let terms = Terms { models: vec!["*".to_owned()], ..Terms::default() };
            let session = gateway.open("bench", terms, Arc::new(Pocket::of(u64::MAX))).expect("a session");
            let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
            let address = listener.local_addr().expect("its number");
            runtime.spawn(session.serve(listener));
            note(&format!("session {address} {}", session.token().reveal()));
            sessions.push(session);
        }
    }
}

/// A program named as an agent's that asks once, by the shell alone, and does its task.
const STUB: &str = r#"#!/bin/bash
body='{"model":"claude-sonnet-4-5","max_tokens":16,"stream":true,"messages":[{"role":"user","content":"hello"}]}'
exec 3<>"/dev/tcp/${ARTEL_GATE%:*}/${ARTEL_GATE##*:}"
printf 'POST /anthropic/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: %s\r\nconnection: close\r\ncontent-length: %s\r\n\r\n%s' \
    "$ANTHROPIC_API_KEY" "${#body}" "$body" >&3
while read -r -u 3 line; do :; done
read -r file < "$ARTEL_PATHS"
echo '// done' >> "$file"
echo '{"type":"result","subtype":"success","is_error":false,"terminal_reason":"completed","result":"done"}'
"#;

/// Measures how soon an agent asks its model after its attempt was leased, in the sandbox and without.
fn first_calls(runtime: &Runtime, count: usize) {
    let bin = folder();
    let program = bin.join("claude");
    std::fs::write(&program, STUB).expect("a program");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    for (name, tier, agent, goal) in [
        ("open", Tier::None, "claude", Goal::None),
        ("sandboxed", Tier::Bubblewrap, "claude", Goal::None),
        // It needs no sandbox before a command is run.
        ("llm", Tier::Bubblewrap, "llm:claude-sonnet-4-5", Goal::Most(20.0)),
    ] {
        let model = runtime.block_on(Model::new(Answers::Stream(1, PAUSE), Instant::now()));
        let lab = Lab::new(300);
        let task = write_goal(&lab, count, &[agent.to_owned()], Spread::OneAFile);
        let mut place = place(&lab);
        place.sandbox = Some(tier);
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        place.env.insert("PATH".to_owned(), path);
        let key = lab.beside("key").join("key");
        std::fs::write(&key, "sk-of-nobody").expect("a file");
        // One that others may read is no key.
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("it is ours alone");
        let providers = format!(
            "[providers.anthropic]\nbase = \"http://{}\"\nkey = {{ file = \"{}\" }}\n",
            model.address,
            key.display()
        );
        std::fs::write(lab.beside("state").join("gateway.toml"), providers).expect("a file");
        let hosted = work(&place, task, 1);
        let run = &hosted.state.opening.as_ref().expect("an open run").run;
        let mut waits = waits(&model, &place.events(run, 0).expect("the journal"));
        assert!(waits.len() >= count, "{} of {count} asked: {:?}", waits.len(), hosted.state.rest);
        figure(&format!("first_call_{name}_p50"), quantile(&mut waits, 0.5), "ms", goal);
        figure(&format!("first_call_{name}_p99"), quantile(&mut waits, 0.99), "ms", Goal::None);
    }
}

/// Tells how long after the lease of its attempt each request came, in milliseconds: one attempt at a time, one request each.
fn waits(model: &Model, events: &[Recorded]) -> Vec<f64> {
    let leased = events.iter().filter(|it| matches!(it.event, Event::AttemptLeased(_))).map(|it| it.at_ms as f64);
    let asked = model.heard().into_iter().filter_map(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let (asked, leased): (Vec<_>, Vec<_>) = (asked.collect(), leased.collect());
    assert!(asked.len() == leased.len(), "{} requests of {} attempts", asked.len(), leased.len());
    asked.into_iter().zip(leased).map(|(at, leased)| at.as_secs_f64() * 1000.0 - leased).collect()
}
