//! Owns the one path by which a session's tools are called. Never counts a call of theirs as one of a model.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderMap};
use hyper::{Request, Response, Uri};
use tokio::sync::Semaphore;

use super::body::{Answer, collect};
use super::refusal::Refusal;
use super::session::Inner;
use crate::io::tools::REQUEST_BYTES_MAX;

/// The path of a session's tools; nothing may follow it.
pub(super) const TOOLS_PATH: &str = "/mcp";

/// Tells whether a request is for a session's tools.
pub(super) fn is_for_tools(uri: &Uri) -> bool {
    uri.scheme().is_none() && uri.authority().is_none() && uri.path_and_query().is_some_and(|it| it == TOOLS_PATH)
}

/// Has a request answered by the session's tools.
///
/// # Errors
/// Refuses one without the session's token, one that is packed, too large, or one too many.
pub(super) async fn answer(
    session: &Inner,
    request: Request<Incoming>,
    memory: &Arc<Semaphore>,
) -> Result<Response<Answer>, Refusal> {
    let stray = |status, what: String| Refusal::Stray { status, what };
    let (head, body) = request.into_parts();
    if !session.token.is_bearer(&head.headers) {
        return Err(stray(401, "the request does not carry this session's token as its bearer".to_owned()));
    }
    let Some(tools) = &session.tools else {
        return Err(stray(404, format!("this session has no tools, and so nothing is at {TOOLS_PATH}")));
    };
    if !is_plain(&head.headers) {
        return Err(stray(415, "the body is packed; send it as it is".to_owned()));
    }
    let body = collect(body, REQUEST_BYTES_MAX, memory).await?;
    let answer = tokio::select! {
        biased;
        () = session.closing() => return Err(Refusal::Closed),
        answer = tools.answer(Request::from_parts(head, body.bytes.clone())) => answer,
    };
    answer.map(|answer| answer.map(Answer::whole)).map_err(|error| stray(429, error.to_string()))
}

/// Tells whether a body is sent as it is.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding.as_bytes() == b"identity")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Heard, Room, Said, Wire, ask, serve};
    use super::super::{Metered, Pocket, Session, Terms};
    use super::*;
    use crate::io::tools::{Pending, Tool, Toolbox};

    /// A toolbox that echoes, refuses, or never answers.
    struct Echo;

    impl Toolbox for Echo {
        fn tools(&self) -> Vec<Tool> {
            let schema = json!({"type": "object", "properties": {"word": {"type": "string"}}});
            let tool = |name: &str| Tool { name: name.to_owned(), about: "Says.".to_owned(), input: schema.clone() };
            vec![tool("echo"), tool("refuse"), tool("hang")]
        }

        fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
            let name = name.to_owned();
            Box::pin(async move {
                match name.as_str() {
                    "echo" => Ok(arguments.to_string()),
                    "refuse" => Err("the argument `word` is none".to_owned()),
                    _ => std::future::pending().await,
                }
            })
        }
    }

    const OLD: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];
    const NEW: &str = "2026-07-28";

    struct Scene {
        room: Room,
        session: Session,
        address: String,
        pocket: Arc<Pocket>,
    }

    impl Scene {
        async fn new() -> Self {
            let room = Room::new(|_| Said::json("{}")).await;
            let pocket = Arc::new(Pocket::of(0));
            let session =
                room.gateway.open_with_tools("a2", Terms::default(), Arc::clone(&pocket) as _, Arc::new(Echo)).unwrap();
            let address = serve(&session).await;
            Self { room, session, address, pocket }
        }

        fn head(&self, more: &str, length: usize) -> String {
            format!(
                "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 accept: application/json, text/event-stream\r\n{more}content-length: {length}\r\n\r\n",
                self.address,
                self.session.token().reveal()
            )
        }

        async fn post(&self, more: &str, body: &str) -> Heard {
            ask(&self.address, &format!("{}{body}", self.head(more, body.len()))).await
        }

        /// Calls a method as clients of before and of `NEW` do.
        async fn method(&self, version: &str, method: &str, params: Value) -> Value {
            let mut params = params;
            let mut more = format!("mcp-protocol-version: {version}\r\n");
            if version == NEW {
                more.push_str(&format!("mcp-method: {method}\r\n"));
                if let Some(name) = params["name"].as_str() {
                    more.push_str(&format!("mcp-name: {name}\r\n"));
                }
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": NEW,
                    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                    "io.modelcontextprotocol/clientCapabilities": {}
                });
            }
            let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
            let heard = self.post(&more, &body.to_string()).await;
            assert_eq!(heard.status(), 200, "{version} {method}: {}", heard.everything());
            let answer = heard.json();
            assert_eq!(answer["id"], 7, "{answer}");
            answer
        }

        async fn end(self) -> (Metered, usize) {
            (self.session.close().await, self.pocket.calls().len())
        }
    }

    #[tokio::test]
    async fn tools_are_listed_and_called_in_each_revision_without_a_session() {
        let scene = Scene::new().await;
        for version in OLD.into_iter().chain([NEW]) {
            if version == NEW {
                let found = scene.method(version, "server/discover", json!({})).await;
                assert!(found["result"]["supportedVersions"].to_string().contains(NEW), "{found}");
            } else {
                let hello = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
                let greeted = scene.method(version, "initialize", hello).await;
                assert_eq!(greeted["result"]["protocolVersion"], version);
                assert_eq!(greeted["result"]["serverInfo"]["name"], "artel");
            }
            let listed = scene.method(version, "tools/list", json!({})).await;
            let tools = listed["result"]["tools"].as_array().unwrap();
            let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
            assert_eq!(names, ["echo", "refuse", "hang"]);
            assert_eq!(
                (&tools[0]["description"], &tools[0]["inputSchema"]["type"]),
                (&json!("Says."), &json!("object"))
            );
            let said = scene.method(version, "tools/call", json!({"name": "echo", "arguments": {"word": "hi"}})).await;
            assert_eq!(said["result"]["content"], json!([{"type": "text", "text": "{\"word\":\"hi\"}"}]), "{said}");
            assert_eq!(said["result"]["isError"], false);
        }
        let none = scene.post("", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        assert_eq!((none.status(), none.body.len()), (202, 0));
        assert_eq!(scene.end().await, (Metered::default(), 0));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_call_is_said_by_the_tool() {
        let scene = Scene::new().await;
        for (params, words) in [
            (json!({"name": "refuse", "arguments": {}}), "the argument `word` is none"),
            (json!({"name": "nothing", "arguments": {}}), "there is no tool `nothing`; there are: echo, refuse, hang"),
            (json!({"name": "../etc", "arguments": {}}), "there is no tool `../etc`"),
        ] {
            let answer = scene.method(OLD[1], "tools/call", params).await;
            assert_eq!(answer["result"]["isError"], true, "{answer}");
            assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains(words), "{answer}");
        }
        assert_eq!(scene.method(OLD[1], "no/such", json!({})).await["error"]["code"], -32601);
        assert!(scene.method(OLD[1], "tools/call", json!({"arguments": 7})).await["error"]["code"].is_i64());
    }

    #[tokio::test]
    async fn garbage_is_refused_and_the_next_request_is_answered() {
        let scene = Scene::new().await;
        for body in ["", "{", "null", "[]", "{}", "\"a\"", "{\"jsonrpc\":\"1.0\"}", "\u{0}\u{1}", &"[".repeat(10_000)] {
            let status = scene.post("", body).await.status();
            assert!((400..500).contains(&status), "{body:.20}: {status}");
        }
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert_eq!(scene.post("content-encoding: gzip\r\n", call).await.status(), 415);
        assert_eq!(scene.post("origin: http://evil.example\r\n", call).await.status(), 403);
        assert_eq!(scene.post("", call).await.status(), 200);
    }

    #[tokio::test]
    async fn who_is_not_the_session_or_comes_another_way_is_refused() {
        let scene = Scene::new().await;
        let (mine, others) = (scene.session.token().reveal(), scene.room.session.token().reveal());
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let good = format!("{}{call}", scene.head("", call.len()));
        for (what, request, status) in [
            ("as it should be", good.clone(), 200),
            ("another's token", good.replace(mine, others), 401),
            ("no token", good.replace("authorization", "x-nothing"), 401),
            ("a token that is no bearer", good.replace("authorization: Bearer", "x-api-key:"), 401),
            ("another host", good.replace(&format!("host: {}", scene.address), "host: evil.example"), 403),
            ("a query", good.replace("/mcp", "/mcp?a=b"), 404),
            ("a token in a query", good.replace("/mcp", &format!("/mcp?key={mine}")), 404),
            ("a path below", good.replace("/mcp", "/mcp/"), 404),
            ("another spelling", good.replace("/mcp", "/%6dcp"), 404),
            ("a proxy's form", good.replace("POST /mcp", "POST http://127.0.0.1/mcp"), 400),
            ("GET", good.replace("POST", "GET"), 405),
            ("DELETE", good.replace("POST", "DELETE"), 405),
        ] {
            assert_eq!(ask(&scene.address, &request).await.status(), status, "{what}");
        }
        // A session that was opened without tools has none.
        let without = good.replace(mine, others);
        assert_eq!(ask(&scene.room.address, &without).await.status(), 404);
    }

    #[tokio::test]
    async fn a_body_is_bounded_whether_its_length_is_told_or_not() {
        let scene = Scene::new().await;
        let told = scene.head("", REQUEST_BYTES_MAX + 1);
        assert_eq!(ask(&scene.address, &told).await.status(), 413);
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, "x".repeat(1 << 16));
        let chunked = scene.head("transfer-encoding: chunked\r\n", 0).replace("content-length: 0\r\n", "");
        let chunks = REQUEST_BYTES_MAX / (1 << 16) + 1;
        assert_eq!(ask(&scene.address, &format!("{chunked}{}", chunk.repeat(chunks))).await.status(), 413);
    }

    #[tokio::test]
    async fn a_session_without_models_says_so_and_asks_no_provider() {
        let scene = Scene::new().await;
        let body = r#"{"model":"m","max_tokens":10,"messages":[]}"#;
        let request = format!("{}{body}", scene.head("", body.len())).replace("/mcp", "/anthropic/v1/messages");
        let heard = ask(&scene.address, &request).await;
        assert_eq!(heard.status(), 403);
        assert!(heard.text().contains("has tools alone"), "{heard:?}");
        assert!(scene.room.fake.heard().is_empty());
        let (metered, told) = scene.end().await;
        assert_eq!((metered.calls, metered.refusals, metered.refused, told), (0, 1, None, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_counted_and_a_flood_is_told_to_wait() {
        let server = crate::io::tools::Server::of(Arc::new(Echo));
        let request = || Request::new(hyper::body::Bytes::new());
        let mut answered = 0;
        while server.answer(request()).await.is_ok() {
            answered += 1;
        }
        assert_eq!(answered, 600);
        tokio::time::advance(std::time::Duration::from_secs(61)).await;
        assert!(server.answer(request()).await.is_ok());
    }

    #[tokio::test]
    async fn a_call_under_way_ends_with_its_session() {
        let scene = Scene::new().await;
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hang","arguments":{}}}"#;
        let mut wire = Wire::to(&scene.address).await;
        let request = format!("{}{call}", scene.head("", call.len()));
        tokio::io::AsyncWriteExt::write_all(&mut wire.stream, request.as_bytes()).await.unwrap();
        // The answer to this one shows that the gate is open, while the other hangs.
        scene.method(OLD[1], "tools/list", json!({})).await;
        scene.session.close().await;
        let heard = wire.message().await.unwrap();
        assert_eq!((heard.status(), heard.json()["error"]["code"].as_str()), (400, Some("closed")));
    }
}
