//! Owns a real collector of OpenTelemetry under test, one that `.ci/test` installs: it listens on loopback and writes down
//! all that it takes, which is read back here. Never speaks for it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::House;

/// A collector; killed when dropped.
pub struct Collector {
    child: Child,
    log: PathBuf,
    port: u16,
}

/// A span as a collector wrote it down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span {
    pub trace: String,
    pub parent: String,
    pub id: String,
    pub name: String,
    pub kind: String,
    pub status: String,
    pub start: u64,
    pub end: u64,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
}

/// A metric as a collector wrote it down, with how many points it has and the attributes of the last.
#[derive(Debug, Clone, Default)]
pub struct Metric {
    pub unit: String,
    pub kind: String,
    pub text: String,
}

/// Finds the collector; says so where it is not here.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
pub fn program() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/collector/rotel/rotel-agent");
    if program.exists() {
        return Some(program);
    }
    assert!(std::env::var_os("CI").is_none(), "there is no collector: .ci/test installs one");
    eprintln!("note: there is no collector; run .ci/test");
    None
}

/// Finds a port that is free.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Collector {
    pub fn start(house: &House, program: &Path) -> Self {
        Self::start_at(house, program, free_port())
    }

    pub fn start_at(house: &House, program: &Path, port: u16) -> Self {
        let log = house.root().join(format!("collector-{port}-{}.log", free_port()));
        let written = File::create(&log).unwrap();
        let child = Command::new(program)
            .args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log", "metrics"])
            .args(["--debug-log-verbosity", "detailed", "--disable-batching"])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", free_port())])
            .env_clear()
            .current_dir(house.root())
            .stdin(Stdio::null())
            .stdout(written.try_clone().unwrap())
            .stderr(written)
            .spawn()
            .unwrap();
        house.until("the collector listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { child, log, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Reads the spans that were taken, in order, those that were taken twice twice.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut resource = BTreeMap::new();
        let mut is_resource = false;
        for line in self.text().lines().map(str::trim) {
            if line.starts_with("ResourceSpans #") || line.starts_with("ResourceMetrics #") {
                (is_resource, resource) = (true, BTreeMap::new());
            } else if line.starts_with("ScopeSpans #") || line.starts_with("ScopeMetrics #") {
                is_resource = false;
            } else if line.starts_with("Span #") {
                spans.push(Span { resource: resource.clone(), ..Span::default() });
            } else if let Some((name, value)) = attribute(line) {
                let into =
                    if is_resource { Some(&mut resource) } else { spans.last_mut().map(|it| &mut it.attributes) };
                into.map(|into| into.insert(name, value));
            } else if let (Some((name, value)), Some(span)) = (line.split_once(':'), spans.last_mut()) {
                let value = value.trim().to_owned();
                match name.trim() {
                    "Trace ID" => span.trace = value,
                    "Parent ID" => span.parent = value,
                    "ID" => span.id = value,
                    "Name" => span.name = value,
                    "Kind" => span.kind = value,
                    "Status code" => span.status = value,
                    "Start time" => span.start = value.parse().unwrap(),
                    "End time" => span.end = value.parse().unwrap(),
                    _ => {}
                }
            }
        }
        spans.retain(|span| !span.id.is_empty());
        spans
    }

    /// Reads the metrics that were taken last, by name.
    pub fn metrics(&self) -> BTreeMap<String, Metric> {
        let text = self.text();
        let mut found = BTreeMap::new();
        for piece in text.split("Metric #").skip(1) {
            let piece = piece.split("ResourceSpans #").next().unwrap();
            let field = |name: &str| {
                let line = piece.lines().find_map(|line| line.trim().strip_prefix(name));
                line.map(|value| value.trim().to_owned()).unwrap_or_default()
            };
            let (unit, kind) = (field("-> Unit:"), field("-> DataType:"));
            found.insert(field("-> Name:"), Metric { unit, kind, text: piece.to_owned() });
        }
        found
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads `-> name: Kind(value)`.
fn attribute(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("-> ")?.split_once(": ")?;
    let (_, value) = value.split_once('(')?;
    Some((name.to_owned(), value.strip_suffix(')')?.to_owned()))
}
