//! Owns HTTP/1.1 as far as the clients of models speak it: reads requests, writes answers whole or in chunks.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

/// What a client asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The path with its query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Reads the next request of a connection; `None` where the client has no more.
    pub fn read(reader: &mut impl BufRead, answers: &mut impl Write) -> io::Result<Option<Self>> {
        let first = line(reader)?;
        if first.is_empty() {
            return Ok(None);
        }
        let mut words = first.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let line = line(reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, target, headers, body: Vec::new() };
        if request.header("expect").is_some() {
            answers.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if request.header("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked")) {
            request.body = chunks(reader)?;
        } else if let Some(length) = request.header("content-length") {
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            reader.take(length).read_to_end(&mut request.body)?;
        }
        Ok(Some(request))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether the client closes the connection after the answer.
    pub fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"))
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Gives a parameter of the query, as it stands there.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(its, _)| *its == name).map(|(_, value)| value)
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}

fn chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = line(reader)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        reader.take(size).read_to_end(&mut body)?;
        self::line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Answers with a status, headers and a whole body, or with as much of it as `sent` bytes.
pub fn whole(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
    sent: usize,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\n", reason(status));
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body[..sent.min(body.len())]].concat())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        _ => "Something Else",
    }
}

/// An answer that comes piece by piece.
pub struct Stream<'a> {
    into: &'a TcpStream,
    piece: usize,
}

impl<'a> Stream<'a> {
    /// Says that events will come, in pieces of so many bytes at most.
    pub fn begin(mut into: &'a TcpStream, piece: usize) -> io::Result<Self> {
        into.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        Ok(Self { into, piece })
    }

    pub fn send(&mut self, text: &str) -> io::Result<()> {
        for piece in text.as_bytes().chunks(self.piece) {
            let size = format!("{:x}\r\n", piece.len());
            self.into.write_all(&[size.as_bytes(), piece, b"\r\n"].concat())?;
        }
        Ok(())
    }

    pub fn end(mut self) -> io::Result<()> {
        self.into.write_all(b"0\r\n\r\n")
    }
}
