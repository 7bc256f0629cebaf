//! Owns whoever follows a run of a server by server-sent events, over plain HTTP on loopback: reads as fast as it is told,
//! and counts what it was told and what it missed.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a follower waits for an event that must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says where a run is followed.
#[derive(Debug, Clone)]
pub struct Where {
    pub address: String,
    pub token: String,
    pub run: String,
}

/// What a follower was told.
#[derive(Debug, Default)]
pub struct Told {
    /// Events.
    pub events: u64,
    /// Events that were missing or came twice.
    pub astray: u64,
    /// When the last one came.
    pub last: Option<Instant>,
}

/// Follows a run after an event until another, or until the server is gone.
pub async fn follow(at: Where, after: u64, until: u64) -> Told {
    let Where { address, token, run } = at;
    let mut stream = TcpStream::connect(&address).await.expect("the server listens");
    let request = format!(
        "GET /api/v1/runs/{run}/events HTTP/1.0\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         accept: text/event-stream\r\nlast-event-id: {after}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("it is asked");
    let (mut told, mut known) = (Told::default(), after);
    let (mut text, mut read) = (String::new(), vec![0; 64 << 10]);
    while known < until {
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut read)).await;
        let Ok(count @ 1..) = count.unwrap_or(Ok(0)) else { break };
        text.push_str(&String::from_utf8_lossy(&read[..count]));
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for seq in text[..whole].lines().filter_map(id) {
            told.events += 1;
            told.astray += seq.abs_diff(known + 1);
            known = seq;
            told.last = Some(Instant::now());
        }
        text.drain(..whole);
    }
    told.astray += until.saturating_sub(known);
    told
}

fn id(line: &str) -> Option<u64> {
    line.strip_prefix("id: ")?.trim().parse().ok()
}
