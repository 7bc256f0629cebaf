//! Owns the files that the pages are made of beside their text, all from this binary. Never fetches one from elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use super::site::Site;

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");
const GRAPH: &str = include_str!("assets/graph.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Answers with the files.
pub fn router() -> Router<Arc<Site>> {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move {
            // Short, because another version of artel may serve the next page.
            ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=60")], text).into_response()
        })
    };
    Router::new()
        .route("/static/page.css", file("text/css; charset=utf-8", STYLE))
        .route("/static/page.js", file("text/javascript; charset=utf-8", SCRIPT))
        .route("/static/graph.js", file("text/javascript; charset=utf-8", GRAPH))
        .route("/static/icon.svg", file("image/svg+xml", ICON))
}
