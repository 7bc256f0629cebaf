//! Owns the way out to hosts that a role grants: which requests for a tunnel are good, and that each is told. Never looks
//! into a tunnel, and lets nobody out who was not granted the host by its name.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, PROXY_AUTHENTICATE, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::body::Answer;
use super::call::{Call, Outcome};
use super::reach::{PORT, Unreached, reach};
use super::refusal::Refusal;
use super::reply;
use super::server::unmade;
use super::session::{Inner, Open};
use super::tunnel::{Passed, pass};
use crate::model::egress::{EGRESS, is_host};

/// Answers a request for a tunnel; what passes in it is told when it ends.
pub(super) async fn answer(
    session: Arc<Inner>,
    request: Request<Incoming>,
    (number, open): (u64, Open),
    began: Instant,
) -> Response<Answer> {
    let mut call = unmade(number, &session.house.policy());
    EGRESS.clone_into(&mut call.provider);
    let far = match admitted(&session, &request, &mut call).await {
        Ok(far) => far,
        Err(refusal) => return refused(session, call, open, refusal, began),
    };
    let permit = Arc::clone(&session.tunnels).acquire_owned().await;
    tokio::spawn(async move {
        let passed = Passed::default();
        let whole = tokio::select! {
            whole = through(request, far, &passed) => whole,
            () = session.closing() => false,
        };
        drop(permit);
        (call.request_bytes, call.response_bytes) =
            (passed.out.load(Ordering::Relaxed), passed.back.load(Ordering::Relaxed));
        (call.status, call.outcome) = (200, if whole { Outcome::Complete } else { Outcome::Cut });
        call.ms = ms_since(began);
        session.purse.settle(call).await;
        drop(open);
    });
    Response::new(Answer::whole(Bytes::new()))
}

/// Waits until the client speaks through its connection, and passes on what it says.
async fn through(request: Request<Incoming>, far: TcpStream, passed: &Passed) -> bool {
    match hyper::upgrade::on(request).await {
        Ok(near) => pass(TokioIo::new(near), far, passed).await,
        Err(_) => false,
    }
}

/// Checks a request, and reaches the host that it names; notes in the call which that is.
async fn admitted(session: &Inner, request: &Request<Incoming>, call: &mut Call) -> Result<TcpStream, Refusal> {
    if session.ledger().is_closed {
        return Err(Refusal::Closed);
    }
    if !session.token.is_for_proxy(request.headers()) {
        return Err(Refusal::Stray { status: 407, what: "the request does not carry this session's token".to_owned() });
    }
    let host = host_of(request.uri(), request.headers()).map_err(no)?;
    call.model.clone_from(&host);
    if !session.terms.hosts.contains(&host) {
        let granted = if session.terms.hosts.is_empty() {
            "none is".to_owned()
        } else {
            format!("granted are {}", session.terms.hosts.iter().cloned().collect::<Vec<_>>().join(", "))
        };
        return Err(no(format!("the host `{host}` is not granted to this role by `grants.egress`; {granted}")));
    }
    match reach(&host).await {
        Ok(far) => Ok(far),
        Err(Unreached::Near(ip)) => Err(no(format!("`{host}` leads to {ip}, which is no address of the world"))),
        Err(Unreached::Failed(why)) => {
            Err(Refusal::Stray { status: 502, what: format!("`{host}` was not reached: {why}") })
        }
    }
}

fn no(what: String) -> Refusal {
    Refusal::Egress { what }
}

/// Reads which host a request names, where it says so in one way only.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Result<String, String> {
    let is_plain = uri.scheme().is_none() && uri.path_and_query().is_none();
    let authority = uri.authority().filter(|_| is_plain).map(|authority| authority.as_str());
    let named = authority.ok_or("a way out is asked for as HOST:443 and nothing else")?;
    let (host, port) = named.rsplit_once(':').ok_or("a way out is asked for with its port, HOST:443")?;
    if port != PORT.to_string() {
        return Err(format!("only the port {PORT} is reached"));
    }
    let host = host.to_ascii_lowercase();
    if !is_host(&host) {
        return Err(
            "a way out is asked for by the plain name of a host, not by an address or in another form".to_owned()
        );
    }
    let mut hosts = headers.get_all(HOST).iter();
    let is_named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|told| {
            let told = told.to_ascii_lowercase();
            told == host || told == format!("{host}:{PORT}")
        })
    };
    if !hosts.all(is_named) {
        return Err("the request names two hosts".to_owned());
    }
    if headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
        return Err("a request for a way out has no body".to_owned());
    }
    Ok(host)
}

/// Says no, and has that told.
fn refused(session: Arc<Inner>, mut call: Call, open: Open, refusal: Refusal, began: Instant) -> Response<Answer> {
    let mut answer = reply::refusal(None, &refusal, session.house.clock.now_ms());
    if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        answer.headers_mut().insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"artel\""));
    }
    call.status = answer.status().as_u16();
    call.outcome = Outcome::Refused(refusal);
    call.ms = ms_since(began);
    tokio::spawn(async move {
        session.settle(call, None).await;
        drop(open);
    });
    answer
}

fn ms_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authority: &str, headers: &[(&'static str, &str)]) -> Result<String, String> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        host_of(&authority.parse::<Uri>().map_err(|error| error.to_string())?, &headers)
    }

    #[test]
    fn a_host_is_named_in_one_way() {
        assert_eq!(
            read("Static.Crates.io:443", &[("host", "static.crates.io:443")]),
            Ok("static.crates.io".to_owned())
        );
        assert_eq!(
            read("crates.io:443", &[("host", "crates.io"), ("content-length", "0")]),
            Ok("crates.io".to_owned())
        );
        for tricky in [
            "crates.io",
            "crates.io:80",
            "crates.io:0443",
            "crates.io:443:443",
            "crates.io:+443",
            "crates.io.:443",
            "user@crates.io:443",
            "crates.io:443@evil.example:443",
            "127.0.0.1:443",
            "127.1:443",
            "2130706433:443",
            "0x7f000001:443",
            "0177.0.0.1:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:443",
            "crates%2eio:443",
            "crates.io%00.evil.example:443",
            "crates.io\0:443",
            "crates.io\t:443",
            "https://crates.io:443/",
            "/crates.io:443",
            "localhost:443",
            "crates\u{3002}io:443",
            "*:443",
            ":443",
            "crates.io:443/../x",
            "crates.io:443?x",
            "crates.io:443#x",
        ] {
            assert!(read(tricky, &[]).is_err(), "{tricky:?}");
        }
        for headers in [
            &[("host", "evil.example:443")][..],
            &[("host", "crates.io:443"), ("host", "evil.example")],
            &[("host", "crates.io:80")],
            &[("transfer-encoding", "chunked")],
            &[("content-length", "5")],
        ] {
            assert!(read("crates.io:443", headers).is_err(), "{headers:?}");
        }
    }
}
