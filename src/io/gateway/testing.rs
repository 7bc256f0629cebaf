//! Owns the fakes of the gateway's laws: a provider that says what it is told to and remembers what it heard, and a
//! client that speaks plain HTTP. Both over real loopback.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;
use crate::io::clock::ManualClock;

/// The key that only the provider may see.
pub(super) const KEY: &str = "sk-real-key-0123456789";

/// Holds a message that was heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The first line.
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Heard {
    pub(super) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn everything(&self) -> String {
        format!("{}\n{:?}\n{}", self.line, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// Says how a provider answers.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Whole(u16, Vec<(&'static str, String)>, String),
    Stream(Vec<String>, Rest),
    /// What comes after someone has let it.
    After(Arc<Semaphore>, Box<Said>),
}

/// Says how a stream ends.
#[derive(Debug, Clone)]
pub(super) enum Rest {
    Whole,
    /// The connection is closed before the end.
    Cut,
    /// Nothing comes until the other side goes away, which is told here.
    Silence(Arc<Semaphore>),
    /// More comes after someone has let it.
    After(Arc<Semaphore>, Vec<String>),
}

impl Said {
    pub(super) fn json(text: impl Into<String>) -> Self {
        Self::Whole(200, Vec::new(), text.into())
    }

    pub(super) fn events(events: &[&str]) -> Self {
        Self::Stream(events.iter().map(|event| format!("data: {event}\n\n")).collect(), Rest::Whole)
    }
}

/// Answers requests as it is told to.
pub(super) struct Fake {
    pub(super) base: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Fake {
    pub(super) async fn new(answer: impl Fn(&Heard) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (answer, notes) = (Arc::new(answer), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (answer, notes) = (Arc::clone(&answer), Arc::clone(&notes));
                tokio::spawn(async move {
                    let mut wire = Wire { stream, read: Vec::new() };
                    while let Some(heard) = wire.message().await {
                        notes.lock().unwrap().push(heard.clone());
                        if !wire.say(answer(&heard)).await {
                            return;
                        }
                    }
                });
            }
        });
        Self { base, heard }
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// Reads and writes messages of HTTP.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(super) async fn to(address: &str) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    async fn more(&mut self) -> bool {
        let mut chunk = vec![0; 64 << 10];
        let count = self.stream.read(&mut chunk).await.unwrap_or_default();
        self.read.extend_from_slice(&chunk[..count]);
        count > 0
    }

    /// Reads until a text is there; gives what came before it.
    pub(super) async fn until(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some(at) = self.read.windows(mark.len()).position(|window| window == mark.as_bytes()) {
                let before = self.read.drain(..at + mark.len()).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&before[..at]).into_owned());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            if !self.more().await {
                return None;
            }
        }
        Some(self.read.drain(..count).collect())
    }

    pub(super) async fn head(&mut self) -> Option<Heard> {
        let head = self.until("\r\n\r\n").await?;
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        Some(Heard { line, headers, body: Vec::new() })
    }

    /// Reads a chunk of a body in chunks; an empty one is the last.
    pub(super) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.until("\r\n").await?;
        let chunk = self.exactly(usize::from_str_radix(&size, 16).ok()?).await?;
        self.exactly(2).await?;
        Some(chunk)
    }

    /// Reads a whole message; nothing where it breaks off.
    pub(super) async fn message(&mut self) -> Option<Heard> {
        let mut heard = self.head().await?;
        if heard.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            loop {
                let chunk = self.chunk().await?;
                if chunk.is_empty() {
                    break;
                }
                heard.body.extend(chunk);
            }
        } else if let Some(length) = heard.headers.get("content-length") {
            heard.body = self.exactly(length.parse().ok()?).await?;
        }
        Some(heard)
    }

    /// Answers; tells whether the connection can be used again.
    async fn say(&mut self, said: Said) -> bool {
        match said {
            Said::After(gate, said) => {
                gate.acquire().await.unwrap().forget();
                Box::pin(self.say(*said)).await
            }
            Said::Whole(status, headers, body) => {
                let kind = "content-type: application/json\r\n";
                let named: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let head = format!("HTTP/1.1 {status} X\r\n{kind}{named}content-length: {}\r\n\r\n", body.len());
                self.stream.write_all(format!("{head}{body}").as_bytes()).await.is_ok()
            }
            Said::Stream(chunks, rest) => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                let _ = self.stream.write_all(head.as_bytes()).await;
                self.chunks(&chunks).await;
                match rest {
                    Rest::Whole => self.stream.write_all(b"0\r\n\r\n").await.is_ok(),
                    Rest::Cut => false,
                    Rest::Silence(gone) => {
                        while self.more().await {}
                        gone.add_permits(1);
                        false
                    }
                    Rest::After(gate, chunks) => {
                        gate.acquire().await.unwrap().forget();
                        self.chunks(&chunks).await;
                        self.stream.write_all(b"0\r\n\r\n").await.is_ok()
                    }
                }
            }
        }
    }

    async fn chunks(&mut self, chunks: &[String]) {
        for chunk in chunks {
            let _ = self.stream.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await;
        }
    }
}

/// Holds a gateway with one session before a fake provider.
pub(super) struct Room {
    pub(super) fake: Fake,
    pub(super) gateway: Gateway,
    pub(super) session: Session,
    pub(super) address: String,
    pub(super) pocket: Arc<Pocket>,
}

/// Says how a room is furnished.
pub(super) struct Plan {
    pub(super) budget: u64,
    pub(super) terms: Terms,
    pub(super) config: GatewayConfig,
    /// Where the key of those is that need one and are not configured.
    pub(super) key: KeySource,
}

impl Default for Plan {
    fn default() -> Self {
        let terms = Terms { models: vec!["*".to_owned()], ..Terms::default() };
        Self {
            budget: 1_000_000_000_000,
            terms,
            config: GatewayConfig::default(),
            key: KeySource::Literal(KEY.to_owned()),
        }
    }
}

/// What a model costs here, in nano-dollars a token; see [`NANO`].
const PRICES: &str = "
[[price]]
provider = 'anthropic'
models = ['m', 'other']
input = 100
cache_read = 10
cache_write = 125
cache_write_1h = 200
output = 500
output_max = 1000
[[price]]
provider = 'openai'
models = ['m']
input = 100
cache_read = 10
output = 500
output_max = 1000
[[price]]
provider = 'gemini'
models = ['m']
input = 100
cache_read = 10
output = 500
output_max = 1000
";

impl Room {
    pub(super) async fn new(answer: impl Fn(&Heard) -> Said + Send + Sync + 'static) -> Self {
        Self::of(Plan::default(), answer).await
    }

    pub(super) async fn of(plan: Plan, answer: impl Fn(&Heard) -> Said + Send + Sync + 'static) -> Self {
        let fake = Fake::new(answer).await;
        let mut config = plan.config;
        for (name, speaks, tail) in [
            ("anthropic", Family::Anthropic, ""),
            ("openai", Family::OpenAi, "/v1"),
            ("gemini", Family::Gemini, ""),
            ("local", Family::OpenAi, "/v1"),
        ] {
            let at = Provider::at(speaks, format!("{}{tail}", fake.base));
            let is_free = name == "local";
            let key = if is_free { KeySource::None } else { plan.key.clone() };
            let unknown_models = if is_free { UnknownModels::Free } else { UnknownModels::Refuse };
            config.providers.entry(name.to_owned()).or_insert(Provider { key, unknown_models, ..at });
        }
        let clock = Arc::new(ManualClock::at(1_000_000));
        let gateway = Gateway::new(config, Prices::from_toml(PRICES).unwrap(), clock).unwrap();
        let pocket = Arc::new(Pocket::of(plan.budget));
        let session = gateway.open("a1", plan.terms, Arc::clone(&pocket) as _).unwrap();
        let address = serve(&session).await;
        Self { fake, gateway, session, address, pocket }
    }

    /// Writes a request with the session's token.
    pub(super) fn request(&self, target: &str, body: &str) -> String {
        request(target, &format!("x-api-key: {}", self.session.token().reveal()), body)
    }

    /// Makes a request and reads the answer.
    pub(super) async fn ask(&self, target: &str, body: &str) -> Heard {
        ask(&self.address, &self.request(target, body)).await
    }

    /// Ends the session and gives its sum and its accounts.
    pub(super) async fn end(self) -> (Metered, Vec<Call>) {
        (self.session.close().await, self.pocket.calls())
    }
}

pub(super) async fn serve(session: &Session) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(session.serve(listener));
    address
}

pub(super) fn request(target: &str, header: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nhost: x\r\n{header}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(super) async fn ask(address: &str, request: &str) -> Heard {
    let mut wire = Wire::to(address).await;
    wire.stream.write_all(request.as_bytes()).await.unwrap();
    wire.message().await.unwrap_or_default()
}
