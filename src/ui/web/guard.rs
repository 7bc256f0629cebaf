//! Owns who gets to ask anything: by what name the server is called, from which page, with which token, how often; and
//! what a browser is told to forbid. Never answers what is asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, HOST, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::limits::Sort;
use super::refused::Refused;
use super::site::Site;
use crate::app::Standing;

/// Says who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(pub Standing);

/// How long a request that changes something may take, its arrival included.
const WRITE_PATIENCE: Duration = Duration::from_secs(120);

/// Longest path that is led back to, in bytes.
const PATH_BYTES: usize = 2000;

/// What a browser is told with every answer.
const TOLD: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // Without any referrer a browser would send no origin with a form either.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Lets a request pass, with what its caller may do noted, or refuses it.
pub async fn guard(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let passed = passes(&site, peer, request.method(), request.headers());
    let mut response = match passed {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            in_time(request, next).await
        }
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in TOLD {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
    }
    response
}

/// Has a request that changes something answered in time: whoever sends its body byte by byte holds up a connection.
async fn in_time(request: Request, next: Next) -> Response {
    if is_look(request.method()) {
        return next.run(request).await;
    }
    match tokio::time::timeout(WRITE_PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refused::new(StatusCode::REQUEST_TIMEOUT, "change something on this server", "it took too long")
            .next("ask how it stands, or the same under its `Idempotency-Key` again: what was asked may be stored, or being done")
            .into_response(),
    }
}

fn is_look(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Lets a request of a route pass where its caller may do that.
pub async fn needs(standing: Standing, request: Request, next: Next) -> Response {
    let tried = format!("{} {}", request.method(), request.uri().path());
    match request.extensions().get::<Caller>() {
        Some(Caller(has)) if *has >= standing => next.run(request).await,
        Some(Caller(has)) => too_little(tried, *has, standing).into_response(),
        None => Refused::new(StatusCode::UNAUTHORIZED, tried, "nobody is logged in, and no token was sent")
            .next("`artel serve --link` prints a link that logs a browser in; programs send a token as `Authorization: Bearer …`")
            .into_response(),
    }
}

/// Says that somebody may not do something.
pub fn too_little(tried: impl Into<String>, has: Standing, needed: Standing) -> Refused {
    Refused::new(
        StatusCode::FORBIDDEN,
        tried,
        format!("a {has} may not; it takes the token or the login of an {needed}"),
    )
    .next(format!("`artel serve --link {needed}` prints a link for one"))
}

fn passes(site: &Site, peer: SocketAddr, method: &Method, headers: &HeaderMap) -> Result<Option<Caller>, Refused> {
    let tried = "ask this server";
    let too_many = |wait: u64| {
        let why = format!("too much was asked from {}; wait {wait} s", peer.ip());
        Refused::new(StatusCode::TOO_MANY_REQUESTS, tried, why)
    };
    let is_write = !is_look(method);
    site.limits.count(peer.ip(), Sort::Any).map_err(too_many)?;
    if is_write {
        site.limits.count(peer.ip(), Sort::Write).map_err(too_many)?;
    }
    let host = called(site, headers)?;
    if is_write {
        comes_from_here(host, headers)?;
    }
    if let Some(value) = headers.get(AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|text| text.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let standing = token.and_then(|token| site.access.of_token(token));
        let Some(standing) = standing else {
            site.limits.count(peer.ip(), Sort::Wrong).map_err(too_many)?;
            return Err(Refused::new(StatusCode::UNAUTHORIZED, tried, "the token is not one of this server's")
                .next("the tokens lie in the state directory of the server, in serve/tokens.toml"));
        };
        return Ok(Some(Caller(standing)));
    }
    let Some(standing) = cookie(headers, &site.cookie).and_then(|secret| site.access.of_session(secret)) else {
        return Ok(None);
    };
    // A browser says where a form comes from; what says nothing has no business with a browser's cookie.
    if is_write && headers.get(ORIGIN).is_none() && headers.get("sec-fetch-site").is_none() {
        return Err(foreign("it does not say which page it comes from"));
    }
    Ok(Some(Caller(standing)))
}

/// Looks that the server is called by a name of its own: a page whose name was bound to this address has another.
fn called<'a>(site: &Site, headers: &'a HeaderMap) -> Result<&'a str, Refused> {
    let mut hosts = headers.get_all(HOST).into_iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_address = |port: u16| host.parse::<SocketAddr>().is_ok_and(|at| at.port() == port);
    let is_own = site.names.contains(&host.to_ascii_lowercase()) || site.any_address.is_some_and(is_address);
    if hosts.next().is_none() && is_own {
        return Ok(host);
    }
    Err(Refused::new(StatusCode::MISDIRECTED_REQUEST, "ask this server", format!("it is not called `{host}`"))
        .next("where a proxy stands before it, `artel serve --name NAME` names it"))
}

/// Looks that a request which changes something comes from no page but the server's own.
fn comes_from_here(host: &str, headers: &HeaderMap) -> Result<(), Refused> {
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            return Err(foreign("it comes from a page of another site"));
        }
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(foreign("it comes from a page of another site")),
    }
}

fn foreign(why: &str) -> Refused {
    Refused::new(StatusCode::FORBIDDEN, "change something on this server", why)
}

/// Tells whether a path leads to a page of this server, however a browser reads it.
pub fn leads_here(path: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_graphic() && !"\\\";,".contains(c);
    path.starts_with('/') && !path.starts_with("//") && path.len() <= PATH_BYTES && path.chars().all(is_plain)
}

/// Tells whether a browser opens a page as such, and by a link on a page of another site: then it sends no cookie.
pub fn comes_by_link(headers: &HeaderMap) -> bool {
    opens_page(headers) && says(headers, "sec-fetch-site", "cross-site")
}

/// Tells whether a browser opens a page as such.
pub fn opens_page(headers: &HeaderMap) -> bool {
    says(headers, "sec-fetch-mode", "navigate") && says(headers, "sec-fetch-dest", "document")
}

fn says(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found == value)
}

/// Gives the value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_here_leads_nowhere_else() {
        for own in ["/", "/inbox", "/runs/r-1/tasks/t1?live=1&text=%3Cb%3E", "/runs/r-1/attempts/t1.1/diff"] {
            assert!(leads_here(own), "{own}");
        }
        let long = format!("/{}", "x".repeat(PATH_BYTES));
        let others =
            ["", "inbox", "//evil.example", "/\\evil.example", "/\t/evil", "/a\r\nSet-Cookie: b", "/\u{202e}", "/a b"];
        for other in others.into_iter().chain(["http://evil.example/", "/a;Path=/", "/\"", &long]) {
            assert!(!leads_here(other), "{other:?}");
        }
    }
}
