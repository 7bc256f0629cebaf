//! Owns how a toolbox is shown to clients of the Model Context Protocol: over HTTP, whole answers, in each revision that
//! the SDK knows. Keeps nothing between requests but how many there were; never asks who its client is.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::toolbox::{Toolbox, unknown};

/// Bytes of one request: as much as the largest handoff takes, and its frame.
pub const REQUEST_BYTES_MAX: usize = (1 << 20) + (64 << 10);
/// Calls of one session under way at one time; more wait.
const AT_ONCE: usize = 8;
/// Requests of one session within one [`WINDOW`]: many times what a model can ask for, and little for this machine.
const REQUESTS_IN_WINDOW: u32 = 600;
/// The time in which requests are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Requests of one session in all.
const REQUESTS: u32 = 50_000;

/// Says why a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// There were too many of late.
    #[error("this session has sent {REQUESTS_IN_WINDOW} requests to its tools within a minute; wait, then go on")]
    Now,
    /// There were too many in all.
    #[error("this session has sent {REQUESTS} requests to its tools, which are all that it may")]
    InAll,
}

/// Serves one session's tools.
pub struct Server {
    service: StreamableHttpService<Face, NeverSessionManager>,
    at_once: Semaphore,
    asked: Mutex<Asked>,
}

/// Counts requests.
#[derive(Debug)]
struct Asked {
    since: Instant,
    in_window: u32,
    in_all: u32,
}

impl Server {
    /// Serves what a toolbox holds.
    pub fn of(toolbox: Arc<dyn Toolbox>) -> Self {
        let face = Face { toolbox };
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(REQUEST_BYTES_MAX)
            .enforce_origin_validation();
        let service = StreamableHttpService::new(move || Ok(face.clone()), Arc::default(), config);
        let asked = Asked { since: Instant::now(), in_window: 0, in_all: 0 };
        Self { service, at_once: Semaphore::new(AT_ONCE), asked: Mutex::new(asked) }
    }

    /// Answers a request; a call whose answer is no longer awaited is dropped.
    ///
    /// # Errors
    /// Fails where the session has asked too much.
    pub async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TooMany> {
        self.count()?;
        // Nobody closes it.
        let _permit = self.at_once.acquire().await;
        let (head, body) = self.service.handle(request.map(Full::new)).await.into_parts();
        let Ok(body) = body.collect().await;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    fn count(&self) -> Result<(), TooMany> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.in_all >= REQUESTS {
            return Err(TooMany::InAll);
        }
        if asked.since.elapsed() >= WINDOW {
            (asked.since, asked.in_window) = (Instant::now(), 0);
        }
        if asked.in_window >= REQUESTS_IN_WINDOW {
            return Err(TooMany::Now);
        }
        (asked.in_window, asked.in_all) = (asked.in_window + 1, asked.in_all + 1);
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// Shows a toolbox in the SDK's words.
#[derive(Clone)]
struct Face {
    toolbox: Arc<dyn Toolbox>,
}

impl ServerHandler for Face {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("artel", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.toolbox.tools().into_iter().map(in_words_of_sdk).collect()))
    }

    /// What is wrong with a call is said to the model, which clients do with what a tool says only.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let names: Vec<String> = self.toolbox.tools().into_iter().map(|tool| tool.name).collect();
        let said = if names.iter().any(|name| *name == request.name) {
            self.toolbox.call(&request.name, Value::Object(request.arguments.unwrap_or_default())).await
        } else {
            Err(unknown(&request.name, &names))
        };
        let news = self.toolbox.news().await;
        Ok(match said {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text + &news)]),
            Err(why) => CallToolResult::error(vec![ContentBlock::text(why + &news)]),
        }
        .into())
    }
}

fn in_words_of_sdk(tool: super::Tool) -> rmcp::model::Tool {
    let input = match tool.input {
        Value::Object(input) => input,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => JsonObject::new(),
    };
    rmcp::model::Tool::new(Cow::Owned(tool.name), Cow::Owned(tool.about), input)
}
