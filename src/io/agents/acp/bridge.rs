//! Owns where an agent's tools are, in the words of the protocol, and the hidden verb for agents that reach a server of
//! tools by a program only: it carries lines to the gate and back. Knows nothing of what they say.

use std::env;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use agent_client_protocol_schema::v1::{HttpHeader, McpServer, McpServerHttp, McpServerStdio};
use serde_json::Value;

use crate::io::agents::door::{GATE_VARIABLE, TOKEN_VARIABLE, TOOLS};

/// Hidden verb under which artel carries lines between its standard streams and the gate.
pub const MCP_VERB: &str = "__mcp";
/// Longest line that is carried, in bytes.
const LINE_BYTES_MOST: u64 = 2 << 20;

/// Says where a session's tools are.
#[derive(Debug, Clone)]
pub(super) struct ToolsPlace {
    gate: String,
    token: String,
}

impl ToolsPlace {
    /// Finds them by the environment; nothing where the session has none.
    pub(super) fn from_environment() -> Option<Self> {
        Some(Self { gate: env::var(GATE_VARIABLE).ok()?, token: env::var(TOKEN_VARIABLE).ok()? })
    }

    fn url(&self) -> String {
        format!("http://{}/mcp", self.gate)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Says to an agent where they are, by the way that it says it can go.
    pub(super) fn server(&self, greeted: &Value) -> McpServer {
        if greeted["agentCapabilities"]["mcpCapabilities"]["http"] == true {
            let header = HttpHeader::new("Authorization", self.bearer());
            return McpServer::Http(McpServerHttp::new(TOOLS, self.url()).headers(vec![header]));
        }
        // This very program, by the only name that it surely has where the agent runs. The variables are inherited.
        let program = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
        McpServer::Stdio(McpServerStdio::new(TOOLS, program).args(vec![MCP_VERB.to_owned()]))
    }
}

/// Takes the session's token out of what is written down.
pub(super) fn masked(line: String) -> String {
    match env::var(TOKEN_VARIABLE) {
        Ok(token) if !token.is_empty() => line.replace(&token, "(the session's token)"),
        Ok(_) | Err(_) => line,
    }
}

/// Carries lines until there are no more; gives the exit code.
pub fn mcp_main() -> i32 {
    let place = ToolsPlace::from_environment().ok_or_else(|| io::Error::other("this session has no tools"));
    let carried = place.and_then(|place| carry(&place, io::stdin().lock(), io::stdout().lock()));
    match carried {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "artel: failed to carry a line to the tools: {error}");
            1
        }
    }
}

/// Posts each line, and writes each answer as one.
fn carry(place: &ToolsPlace, mut from: impl BufRead, mut to: impl Write) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        from.by_ref().take(LINE_BYTES_MOST).read_until(b'\n', &mut line)?;
        match line.last() {
            None => return Ok(()),
            Some(b'\n') => {}
            Some(_) if line.len() as u64 == LINE_BYTES_MOST => return Err(io::Error::other("it is too long")),
            Some(_) => {}
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut answer = post(place, &line)?;
        answer.retain(|byte| *byte != b'\n');
        if !answer.is_empty() {
            answer.push(b'\n');
            to.write_all(&answer)?;
            to.flush()?;
        }
    }
}

/// Posts a line to the gate on a connection of its own; gives the body of the answer.
fn post(place: &ToolsPlace, line: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(&place.gate)?;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        place.gate,
        place.bearer(),
        line.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(line)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    // The gate tells the length of all that it says, and closes the connection after it.
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| answer.split_off(at + 4));
    body.ok_or_else(|| io::Error::other("the gate gave no answer"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    #[test]
    fn an_agent_is_told_the_way_that_it_can_go() {
        let place = ToolsPlace { gate: "127.0.0.1:9".to_owned(), token: "secret".to_owned() };
        let told = |http: Value| {
            let greeted = json!({"agentCapabilities": {"mcpCapabilities": {"http": http}}});
            serde_json::to_value(place.server(&greeted)).unwrap()
        };
        let by_http = told(json!(true));
        assert_eq!((&by_http["type"], &by_http["url"]), (&json!("http"), &json!("http://127.0.0.1:9/mcp")));
        assert_eq!(by_http["headers"], json!([{"name": "Authorization", "value": "Bearer secret"}]));
        for other in [json!(false), json!(null), json!("true")] {
            let by_program = told(other);
            assert_eq!((&by_program["name"], &by_program["args"]), (&json!("artel"), &json!(["__mcp"])));
            assert!(!by_program.to_string().contains("secret"), "{by_program}");
        }
    }

    #[test]
    fn each_line_is_posted_and_each_answer_is_a_line() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = ToolsPlace { gate: listener.local_addr().unwrap().to_string(), token: "secret".to_owned() };
        let gate = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for body in ["{\"a\":\n1}", "", "{}"] {
                let (stream, _) = listener.accept().unwrap();
                let mut from = io::BufReader::new(stream);
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    from.read_line(&mut line).unwrap();
                    length = line.strip_prefix("content-length: ").map_or(length, |it| it.trim().parse().unwrap());
                    if line.trim().is_empty() {
                        break;
                    }
                    head.push_str(&line);
                }
                let mut sent = vec![0; length];
                from.read_exact(&mut sent).unwrap();
                assert!(head.contains("authorization: Bearer secret"), "{head}");
                heard.push(String::from_utf8(sent).unwrap());
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                from.get_mut().write_all(answer.as_bytes()).unwrap();
            }
            heard
        });
        let mut said = Vec::new();
        carry(&place, &b"{\"one\":1}\n\n{\"two\":2}\nthree"[..], &mut said).unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), "{\"a\":1}\n{}\n");
        assert_eq!(gate.join().unwrap(), ["{\"one\":1}\n", "{\"two\":2}\n", "three"]);
        let long = vec![b'x'; 3 << 20];
        assert!(carry(&place, &long[..], &mut Vec::new()).unwrap_err().to_string().contains("too long"));
    }
}
