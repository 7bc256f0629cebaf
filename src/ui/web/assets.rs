//! Owns the files that the pages are made of beside their text, all from this binary. Never fetches one from elsewhere.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::site::Site;

const STYLE: &str = concat!(include_str!("assets/uplot/uPlot.min.css"), "\n", include_str!("assets/page.css"));
const SCRIPT: &str = include_str!("assets/page.js");
const GRAPH: &str = include_str!("assets/graph.js");
const CHARTS: &str = include_str!("assets/charts.js");
const ICON: &str = include_str!("assets/icon.svg");
/// What draws charts, as its authors publish it, with its licence; it is a module here, so that it is loaded where it is
/// wanted and leaves no name behind.
const UPLOT: &str = concat!(
    "/*!\n",
    include_str!("assets/uplot/LICENSE"),
    "\n*/\n",
    include_str!("assets/uplot/uPlot.iife.min.js"),
    "\nexport default uPlot;\n"
);

/// Answers with the files.
pub fn router() -> Router<Arc<Site>> {
    const SCRIPTS: &str = "text/javascript; charset=utf-8";
    Router::new()
        .route("/static/page.css", file("text/css; charset=utf-8", STYLE))
        .route("/static/page.js", file(SCRIPTS, SCRIPT))
        .route("/static/graph.js", file(SCRIPTS, GRAPH))
        .route("/static/charts.js", file(SCRIPTS, CHARTS))
        .route("/static/uplot.js", file(SCRIPTS, UPLOT))
        .route("/static/icon.svg", file("image/svg+xml", ICON))
}

/// Answers with a file, compressed where that is accepted: nothing in it is secret.
fn file(kind: &'static str, text: &'static str) -> MethodRouter<Arc<Site>> {
    let small = Arc::new(LazyLock::new(move || gzip(text)));
    get(move |headers: HeaderMap| async move {
        // Short, because another version of artel may serve the next page.
        let head = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=60"), (VARY, "accept-encoding")];
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|it| it.to_str().ok()).unwrap_or_default();
        match &**small {
            Some(small) if accepted.split(',').any(|it| it.trim() == "gzip") => {
                (head, [(CONTENT_ENCODING, "gzip")], small.clone()).into_response()
            }
            _ => (head, text).into_response(),
        }
    })
}

/// Compresses a text; nothing where that fails, and the text is sent as it is.
fn gzip(text: &str) -> Option<Vec<u8>> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    to.write_all(text.as_bytes()).and_then(|()| to.finish()).ok()
}
