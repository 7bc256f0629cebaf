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
    let (mut line, mut read) = (Vec::new(), vec![0; 64 << 10]);
    while known < until {
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut read)).await;
        let Ok(count @ 1..) = count.unwrap_or(Ok(0)) else { break };
        for byte in &read[..count] {
            if *byte != b'\n' {
                // Of each line only its beginning says which event it is.
                if line.len() < 32 {
                    line.push(*byte);
                }
                continue;
            }
            if let Some(seq) = id(&line) {
                told.events += 1;
                told.astray += seq.abs_diff(known + 1);
                known = seq;
                told.last = Some(Instant::now());
            }
            line.clear();
        }
    }
    told.astray += until.saturating_sub(known);
    told
}

fn id(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line).ok()?.strip_prefix("id: ")?.trim().parse().ok()
}
