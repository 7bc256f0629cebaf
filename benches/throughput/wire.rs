//! Owns a model that streams by the clock, and the client that asks it: plain HTTP over loopback, in which each event says
//! when it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The model that is asked for.
pub const MODEL: &str = "claude-sonnet-4-5";

/// Stands before the time at which an event was sent, in nanoseconds of the clock.
const STAMP: &str = "\"text\":\"at ";
const BEGIN: &str = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":900,"output_tokens":1}}}"#;
const END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":400}}"#;
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// Says how a model answers.
#[derive(Debug, Clone, Copy)]
pub enum Answers {
    /// By so many events, one after each pause.
    Stream(u32, Duration),
    /// By its first event, and by nothing more until the other side goes away.
    Hold,
}

/// Keeps when each request had come.
type Heard = Arc<Mutex<Vec<SystemTime>>>;

/// A model, as long as its runtime lives.
pub struct Model {
    pub address: SocketAddr,
    heard: Heard,
}

impl Model {
    /// Listens and answers.
    pub async fn new(answers: Answers, clock: Instant) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its number");
        let heard = Heard::default();
        let notes = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let notes = Arc::clone(&notes);
                // Whoever goes away has what it wants.
                tokio::spawn(async move { drop(serve(stream, answers, clock, &notes).await) });
            }
        });
        Self { address, heard }
    }

    /// Gives when each request had come, in order.
    pub fn heard(&self) -> Vec<SystemTime> {
        self.heard.lock().expect("nobody panicked").clone()
    }
}

async fn serve(mut stream: TcpStream, answers: Answers, clock: Instant, notes: &Heard) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::new();
    while request(&mut stream, &mut read).await?.is_some() {
        notes.lock().expect("nobody panicked").push(SystemTime::now());
        stream.write_all(HEAD.as_bytes()).await?;
        event(&mut stream, BEGIN).await?;
        stamped(&mut stream, clock).await?;
        match answers {
            Answers::Stream(events, pause) => {
                for _ in 1..events {
                    tokio::time::sleep(pause).await;
                    stamped(&mut stream, clock).await?;
                }
                event(&mut stream, END).await?;
                event(&mut stream, r#"{"type":"message_stop"}"#).await?;
                stream.write_all(b"0\r\n\r\n").await?;
            }
            Answers::Hold => while stream.read(&mut [0; 64]).await? > 0 {},
        }
    }
    Ok(())
}

async fn stamped(stream: &mut TcpStream, clock: Instant) -> std::io::Result<()> {
    let at = clock.elapsed().as_nanos();
    let text =
        format!("{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",{STAMP}{at}\"}}}}");
    event(stream, &text).await
}

async fn event(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    // Each begins with its type, which is also its name.
    let name = text.split('"').nth(3).unwrap_or_default();
    let event = format!("event: {name}\ndata: {text}\n\n");
    stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await
}

/// Reads a request; gives its body, or nothing where there are no more.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(at) = find(read, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..at]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map(str::trim);
            let length: usize = length.and_then(|text| text.parse().ok()).unwrap_or_default();
            if read.len() >= at + 4 + length {
                let message: Vec<u8> = read.drain(..at + 4 + length).collect();
                return Ok(Some(message[at + 4..].to_vec()));
            }
        }
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Where a client asks: an address, a path, and the key that it shows.
#[derive(Debug, Clone)]
pub struct At {
    pub address: String,
    pub path: &'static str,
    pub key: String,
}

impl At {
    fn request(&self, body: &str) -> String {
        let Self { address, path, key } = self;
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\nanthropic-version: 2023-06-01\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    }
}

/// Writes a request's body of about so many bytes.
pub fn body(bytes: usize, number: usize) -> String {
    let words = "do what is written, and nothing else. ".repeat(bytes / 38);
    format!(
        "{{\"model\":\"{MODEL}\",\"max_tokens\":400,\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"{number} {words}\"}}]}}"
    )
}

/// What a client saw of its calls, in milliseconds.
#[derive(Debug, Default)]
pub struct Times {
    /// From a request to its answer's first event.
    pub first: Vec<f64>,
    /// From the sending of each event to its arrival.
    pub each: Vec<f64>,
}

/// Makes so many calls over one connection, one after the other.
pub async fn calls(at: At, count: usize, bytes: usize, clock: Instant) -> Times {
    let mut stream = TcpStream::connect(&at.address).await.expect("somebody listens");
    stream.set_nodelay(true).expect("a socket");
    let mut times = Times::default();
    for number in 0..count {
        let request = at.request(&body(bytes, number));
        let begun = clock.elapsed();
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let (mut read, mut seen, mut is_first) = (Vec::new(), 0, true);
        while find(&read[seen..], b"\r\n0\r\n\r\n").is_none() {
            let count = stream.read_buf(&mut read).await.expect("an answer");
            assert!(count > 0, "the answer broke off: {}", String::from_utf8_lossy(&read));
            let now = clock.elapsed();
            while let Some((at, end)) = stamp(&read, seen) {
                if std::mem::take(&mut is_first) {
                    times.first.push(millis(now.saturating_sub(begun)));
                }
                times.each.push(millis(now.saturating_sub(at)));
                seen = end;
            }
        }
    }
    times
}

/// Asks, waits for the first event, and keeps the connection.
pub async fn held(at: At, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&at.address).await.expect("somebody listens");
    stream.write_all(at.request(&body(bytes, 0)).as_bytes()).await.expect("it is sent");
    let mut read = Vec::new();
    while stamp(&read, 0).is_none() {
        let count = stream.read_buf(&mut read).await.expect("an answer");
        assert!(count > 0, "the answer broke off: {}", String::from_utf8_lossy(&read));
    }
    stream
}

/// Finds the next stamp from a place on, and where it ends.
fn stamp(read: &[u8], from: usize) -> Option<(Duration, usize)> {
    let begin = from + find(&read[from..], STAMP.as_bytes())? + STAMP.len();
    let length = find(&read[begin..], b"\"")?;
    let nanos = std::str::from_utf8(&read[begin..begin + length]).ok()?.parse().ok()?;
    Some((Duration::from_nanos(nanos), begin + length))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
