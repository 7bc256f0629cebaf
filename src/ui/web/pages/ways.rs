//! Owns which path leads to which page, and how a page tells that something was not done. Never makes a page itself.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};

use super::frame::{Frame, bare, line, lines};
use super::{digest, forms, inbox, journal, plan, run, runs, task};
use crate::app::Standing;
use crate::ui::web::refused::Refused;
use crate::ui::web::routes::PLAN_BYTES;
use crate::ui::web::site::Site;
use crate::ui::web::{guard, login};

/// Answers with pages.
pub fn router() -> Router<Arc<Site>> {
    let looked_at = Router::new()
        .route("/", get(runs::runs))
        .route("/inbox", get(inbox::inbox))
        .route("/runs/{run}", get(run::run))
        .route("/runs/{run}/journal", get(journal::journal))
        .route("/runs/{run}/digest", get(digest::digest))
        .route("/runs/{run}/deliveries/{commit}/diff", get(digest::delivered))
        .route("/runs/{run}/tasks/{task}", get(task::task))
        .route("/runs/{run}/attempts/{attempt}/diff", get(task::changes))
        .layer(from_fn(|request, next| guard::needs(Standing::Viewer, request, next)));
    let changed = Router::new()
        .route("/runs/{run}/plan", get(plan::plan))
        .layer(from_fn(|request, next| guard::needs(Standing::Operator, request, next)));
    let asked = Router::new()
        .route("/runs/{run}/ask", post(forms::ask).layer(DefaultBodyLimit::max(PLAN_BYTES)))
        .layer(from_fn(|request, next| guard::needs(Standing::Approver, request, next)));
    let open =
        Router::new().route("/login", get(login::look).post(login::log_in)).route("/logout", post(login::log_out));
    looked_at.merge(changed).merge(asked).merge(open)
}

/// Tells as a page what was refused. Who came by a link of another site, and so without a cookie, comes once more from here,
/// with it; who is not logged in is led back once they are.
pub async fn told_as_page(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map(|path| path.as_str().to_owned());
    let path = path.filter(|path| request.method() == Method::GET && guard::leads_here(path));
    let (comes_by_link, opens_page) = (guard::comes_by_link(request.headers()), guard::opens_page(request.headers()));
    let response = next.run(request).await;
    let Some(Refused { status, fault }) = response.extensions().get::<Refused>().cloned() else { return response };
    let wanted = path.filter(|_| status == StatusCode::UNAUTHORIZED && opens_page);
    if let Some(path) = wanted.as_deref().filter(|_| comes_by_link) {
        return (status, once_more(path)).into_response();
    }
    let page = bare(
        &Frame::titled("Not done"),
        html! {
            h1 { "artel failed to " (line(&fault.tried)) }
            pre { (lines(&fault.why)) }
            @if let Some(next) = &fault.next { p { (line(next)) } }
            p { a href="/" { "All runs" } " · " a href="/inbox" { "Inbox" } }
        },
    );
    let mut response = (status, page.into_response().into_body()).into_response().with_type();
    if let Some(cookie) = wanted.and_then(|path| login::wants(&site, &path)) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Leads to a page of this server from this server.
fn once_more(path: &str) -> Markup {
    let frame = Frame::titled("On its way").leading_to(path);
    bare(&frame, html! { p { a href=(path) { "Go on" } } })
}

trait WithType {
    fn with_type(self) -> Self;
}

impl WithType for Response {
    fn with_type(mut self) -> Self {
        let html = axum::http::HeaderValue::from_static("text/html; charset=utf-8");
        self.headers_mut().insert(axum::http::header::CONTENT_TYPE, html);
        self
    }
}
