//! Owns how a browser gets to be known: by a link that works once, and a cookie from then on. To look at a link uses
//! nothing up; only the button does.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{ConnectInfo, Form, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use maud::{Markup, html};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::Query;
use super::guard::{cookie, leads_here};
use super::limits::Sort;
use super::pages::frame::{Frame, bare};
use super::reads::Told;
use super::refused::Refused;
use super::site::Site;
use crate::actors::world::blocking;
use crate::app::Standing;

/// Seconds that a cookie is kept.
const COOKIE_S: u64 = 30 * 24 * 3600;

/// Seconds that the page is kept which somebody asked for before they were logged in.
const WANTED_S: u64 = 3600;

/// Carries the code of a link.
#[derive(Debug, Deserialize)]
pub struct Code {
    /// The code.
    #[serde(default)]
    code: String,
}

/// Says for whom a link is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// viewer, approver or operator.
    #[schemars(extend("enum" = ["viewer", "approver", "operator"]))]
    standing: String,
}

/// Tells of a link.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Made {
    /// The link's path, from the server's address on.
    pub path: String,
}

/// Makes a link.
///
/// # Errors
/// Where there is no such standing.
pub async fn make_link(State(site): State<Arc<Site>>, body: Result<Json<Wanted>, JsonRejection>) -> Told<Made> {
    let unread = |status, why| Refused::new(status, "make a link", why);
    let Json(wanted) = body.map_err(|fault| unread(fault.status(), fault.body_text()))?;
    let standing: Standing = wanted.standing.parse().map_err(|why| unread(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    Ok(Json(Made { path: path(&site.access.make_link(standing)?) }))
}

/// Gives the path of a link with this code.
pub fn path(code: &str) -> String {
    format!("/login?code={code}")
}

/// Gives the code of such a path; nothing where it is another one.
pub fn code(path: &str) -> Option<&str> {
    path.strip_prefix("/login?code=").filter(|code| is_code(code))
}

fn is_code(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !text.is_empty()
}

/// Shows the button that logs in.
pub async fn look(Query(Code { code }): Query<Code>) -> Markup {
    bare(
        &Frame::titled("Log in"),
        html! {
            h1 { "artel" }
            @if is_code(&code) {
                p { "This link logs this browser in once, for 30 days." }
                form method="post" action="/login" {
                    input type="hidden" name="code" value=(code);
                    button.main { "Log in" }
                }
            } @else {
                p { "To log a browser in, type " code { "artel serve --link" } " on the server's machine and open what it prints." }
            }
        },
    )
}

/// Names the cookie that holds the page which somebody asked for who is not logged in.
fn wanted(site: &Site) -> String {
    format!("{}-wanted", site.cookie)
}

/// Has a browser keep the page that was asked for until it is logged in.
pub fn wants(site: &Site, path: &str) -> Option<HeaderValue> {
    let name = wanted(site);
    HeaderValue::try_from(format!("{name}={path}; Path=/login; Max-Age={WANTED_S}; HttpOnly; SameSite=Strict")).ok()
}

/// Logs in, and leads to the page that was asked for.
///
/// # Errors
/// Where the code was used, is too old or was never made.
pub async fn log_in(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Result<Form<Code>, FormRejection>,
) -> Result<Response, Refused> {
    let Form(Code { code }) = form.map_err(|fault| Refused::new(fault.status(), "log in", fault.body_text()))?;
    let secret = {
        let site = Arc::clone(&site);
        blocking(move || site.access.log_in(&code)).await?
    };
    let Some(secret) = secret else {
        let wait = |wait: u64| Refused::new(StatusCode::TOO_MANY_REQUESTS, "log in", format!("wait {wait} s"));
        site.limits.count(peer.ip(), Sort::Wrong).map_err(wait)?;
        return Err(Refused::new(StatusCode::UNAUTHORIZED, "log in", "the link was used already, or is too old")
            .next("`artel serve --link` prints another"));
    };
    let wanted = wanted(&site);
    let back = cookie(&headers, &wanted).filter(|path| leads_here(path)).unwrap_or("/").to_owned();
    let known = format!("{}={secret}; Path=/; Max-Age={COOKIE_S}; HttpOnly; SameSite=Strict", site.cookie);
    let met = format!("{wanted}=; Path=/login; Max-Age=0; HttpOnly; SameSite=Strict");
    let heads = AppendHeaders([(LOCATION, back), (SET_COOKIE, known), (SET_COOKIE, met)]);
    Ok((StatusCode::SEE_OTHER, heads).into_response())
}

/// Logs out.
///
/// # Errors
/// Where that cannot be noted.
pub async fn log_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Response, Refused> {
    if let Some(secret) = cookie(&headers, &site.cookie).map(str::to_owned) {
        let site = Arc::clone(&site);
        blocking(move || site.access.log_out(&secret)).await?;
    }
    let gone = format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", site.cookie);
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/login".to_owned()), (SET_COOKIE, gone)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_link_holds_its_code_and_nothing_else() {
        assert_eq!(code(&path("1a-B2")), Some("1a-B2"));
        for other in ["/login?code=", "/login?code=a\u{1b}]0;x", "/login?code=a&b", "/login", "@evil/login?code=a", ""]
        {
            assert_eq!(code(other), None, "{other:?}");
        }
    }
}
