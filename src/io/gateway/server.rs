//! Owns the side of the clients: connections, and each request from its arrival until it is understood or refused.
//! Never forwards one; never waits for a provider but through the exchange.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::body::{Answer, Never, collect, memory};
use super::breaker::mark;
use super::call::{Api, Call, Outcome, Tokens};
use super::config::Family;
use super::exchange::{Asked, exchange};
use super::policy::Policy;
use super::refusal::Refusal;
use super::request;
use super::route::{Asks, Route, route};
use super::session::Inner;
use super::tools::{is_for_tools, is_plain};
use super::{egress, headers, reply, tools};
use crate::model::means::Means;

/// Connections of one session at one time; more wait.
const CONNECTIONS: usize = 64;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes that are read at one time.
const READ_BYTES: usize = 256 << 10;
/// Headers of a request.
const HEADERS: usize = 100;
/// Times the largest body: what the bodies of one session may take together.
const BODIES: usize = 4;
/// What a session without models is told.
const NO_MODELS: &str =
    "this session has tools alone: artel has no key for its agent, which asks its model by its own login";
/// Pause after the system could not take a connection, which is when it has no descriptors left.
const BREATH: Duration = Duration::from_millis(50);

/// Serves the connections of a listener until dropped.
pub(super) async fn serve(session: Arc<Inner>, listener: TcpListener) {
    let memory = memory(session.house.body_bytes_max.saturating_mul(BODIES));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept(), if connections.len() < CONNECTIONS => match taken {
                Ok((stream, _)) => {
                    connections.spawn(connection(Arc::clone(&session), stream, Arc::clone(&memory)));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(session: Arc<Inner>, stream: TcpStream, memory: Arc<Semaphore>) {
    // Without it the answers come a little later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (session, memory) = (Arc::clone(&session), Arc::clone(&memory));
        async move { Ok::<_, Never>(answer(session, request, &memory).await) }
    });
    // A connection that breaks off is its client's affair.
    let _ = http1::Builder::new()
        .max_header_size(HEAD_BYTES)
        .max_buf_size(READ_BYTES)
        .max_headers(HEADERS)
        .writev(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// Answers a request.
async fn answer(session: Arc<Inner>, request: Request<Incoming>, memory: &Arc<Semaphore>) -> Response<Answer> {
    let began = Instant::now();
    let (number, open) = session.begin();
    if request.method() == Method::CONNECT {
        return egress::answer(session, request, (number, open), began).await;
    }
    let policy = session.house.policy();
    let family = family(&policy, request.uri().path());
    let mut unmade = unmade(number, &policy);
    match understood(&session, (request, policy), memory, (number, began), &mut unmade).await {
        Ok(Understood::Here(answer)) => answer,
        Ok(Understood::Call(asked)) => {
            let (client, answer) = oneshot::channel();
            tokio::spawn(exchange(Arc::clone(&session), *asked, client, open));
            let broken = || reply::refusal(family, &Refusal::Closed, 0);
            answer.await.unwrap_or_else(|_| broken())
        }
        Err(refusal) => {
            let answer = reply::refusal(family, &refusal, session.house.clock.now_ms());
            unmade.status = answer.status().as_u16();
            unmade.outcome = Outcome::Refused(refusal);
            unmade.ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            tokio::spawn(async move {
                session.settle(unmade, None).await;
                drop(open);
            });
            answer
        }
    }
}

/// Says what is to become of a request.
enum Understood {
    /// It is answered here.
    Here(Response<Answer>),
    /// A provider is asked.
    Call(Box<Asked>),
}

async fn understood(
    session: &Arc<Inner>,
    (request, policy): (Request<Incoming>, Arc<Policy>),
    memory: &Arc<Semaphore>,
    (number, began): (u64, Instant),
    unmade: &mut Call,
) -> Result<Understood, Refusal> {
    if session.ledger().is_closed {
        return Err(Refusal::Closed);
    }
    if is_for_tools(request.uri()) {
        return tools::answer(session, request, memory).await.map(Understood::Here);
    }
    let (head, body) = request.into_parts();
    let route = route(&head.method, &head.uri, |name| policy.upstreams.get(name).map(|it| it.config.speaks));
    let query = head.uri.query().unwrap_or_default();
    // Clients ask whether anybody is there before they have a token to show.
    let is_hello = route.as_ref().is_ok_and(|route| route.asks == Asks::Hello);
    if !is_hello && !session.token.is_in(&head.headers, query) {
        return Err(Refusal::Stray { status: 401, what: "the request does not carry this session's token".to_owned() });
    }
    let route = route?;
    let Some(upstream) = policy.upstreams.get(&route.provider).map(Arc::clone) else {
        return Err(Refusal::Closed);
    };
    let api = match route.asks {
        Asks::Hello => return Ok(Understood::Here(reply::hello())),
        Asks::Models => {
            let names = models(session, &policy, &route.provider);
            return Ok(Understood::Here(reply::models(upstream.config.speaks, &names)));
        }
        Asks::Answer(api) | Asks::Count(api) => api,
    };
    if session.terms.models.is_empty() {
        return Err(Refusal::Stray { status: 403, what: NO_MODELS.to_owned() });
    }
    (unmade.api, unmade.provider) = (Some(api), route.provider.clone());
    if !is_plain(&head.headers) {
        return Err(Refusal::Stray { status: 415, what: "the body is packed; send it as it is".to_owned() });
    }
    let body = collect(body, session.house.body_bytes_max, memory).await?;
    unmade.request_bytes = body.bytes.len() as u64;
    let wish = wish(api, &route, &body.bytes)?;
    let headers = headers::to_provider(&head.headers);
    let mark = mark(&body.bytes);
    Ok(Understood::Call(Box::new(Asked { number, began, policy, upstream, route, wish, headers, body, mark })))
}

fn wish(api: Api, route: &Route, body: &hyper::body::Bytes) -> Result<request::Wish, Refusal> {
    let model = route.model.as_deref();
    match route.asks {
        Asks::Count(_) => request::read_count(model, body.clone()),
        Asks::Answer(_) | Asks::Models | Asks::Hello => request::read(api, model, route.streamed, body.clone()),
    }
}

/// Tells in whose form a request wants its errors.
fn family(policy: &Policy, path: &str) -> Option<Family> {
    let provider = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    policy.upstreams.get(provider).map(|it| it.config.speaks)
}

/// Lists the models that a session may ask of a provider, as far as they have names.
fn models(session: &Inner, policy: &Policy, provider: &str) -> Vec<String> {
    let configured =
        policy.upstreams.get(provider).into_iter().flat_map(|it| it.config.models.iter().map(String::as_str));
    let of_terms = session.terms.models.iter().map(String::as_str);
    let all = configured
        .chain(of_terms)
        .chain(policy.prices.names(provider))
        .filter(|name| !name.contains(['*', '?', '[', '{']));
    let may = |name: &&str| {
        let of_provider = policy
            .upstreams
            .get(provider)
            .is_some_and(|it| it.models.is_match(*name) && it.price(name, &policy.prices).is_ok());
        of_provider && session.models.is_match(*name)
    };
    let names: std::collections::BTreeSet<String> = all.filter(may).map(str::to_owned).collect();
    names.into_iter().collect()
}

/// Accounts for a request that was not understood yet.
pub(super) fn unmade(number: u64, policy: &Policy) -> Call {
    Call {
        number,
        api: None,
        provider: String::new(),
        model: String::new(),
        status: 0,
        streamed: false,
        tokens: Tokens::default(),
        reserved: Means::default(),
        nano_usd: 0,
        priced: true,
        ms: 0,
        request_bytes: 0,
        response_bytes: 0,
        outcome: Outcome::Failed,
        policy: policy.version.clone(),
    }
}
