//! Owns one call from its request to its account: what it may cost is held, it waits its turn, it is sent, its answer
//! passes, and whatever happens it is settled. Runs apart from its client, which may go away at any moment.

use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::body::{Answer, Collected};
use super::bound::Bound;
use super::call::{Api, Call, Outcome, Tokens};
use super::config::Family;
use super::fault::{Fault, fault};
use super::limits::{PATIENCE, Permit};
use super::policy::Policy;
use super::prices::Price;
use super::refusal::Refusal;
use super::relay::{End, Relay, error_body};
use super::request::Wish;
use super::route::{Asks, Route};
use super::session::{Inner, Open};
use super::upstream::Upstream;
use super::usage::{Framing, Meter};
use super::{headers, reply};
use crate::io::keys::Key;
use crate::model::means::Means;

/// Holds a request that was understood.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) began: Instant,
    /// By which rules it is made, whatever the user changes meanwhile.
    pub(super) policy: Arc<Policy>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) route: Route,
    pub(super) wish: Wish,
    /// What of the request's headers passes.
    pub(super) headers: HeaderMap,
    /// The body as it came, and the memory that is counted for it.
    pub(super) body: Collected,
    /// By what the body is known again.
    pub(super) mark: u64,
}

impl Asked {
    fn api(&self) -> Option<Api> {
        match self.route.asks {
            Asks::Answer(api) | Asks::Count(api) => Some(api),
            Asks::Models | Asks::Hello => None,
        }
    }

    fn is_count(&self) -> bool {
        matches!(self.route.asks, Asks::Count(_))
    }
}

/// Tells how a call that had its money ended.
#[derive(Debug)]
struct Ended {
    status: u16,
    outcome: Outcome,
    tokens: Tokens,
    nano_usd: u64,
    response_bytes: u64,
}

impl Ended {
    fn free(status: u16, outcome: Outcome) -> Self {
        Self { status, outcome, tokens: Tokens::default(), nano_usd: 0, response_bytes: 0 }
    }

    /// Charges all that a call may have cost.
    fn in_doubt(status: u16, bound: &Bound) -> Self {
        let tokens = Tokens { input: bound.read, output: bound.written, ..Tokens::default() };
        Self { tokens, nano_usd: bound.nano_usd, ..Self::free(status, Outcome::Cut) }
    }
}

/// Sends to whoever asked, who may be gone.
type Client = oneshot::Sender<Response<Answer>>;

/// Makes a call and settles it.
pub(super) async fn exchange(session: Arc<Inner>, asked: Asked, mut client: Client, _open: Open) {
    let mut call = Call {
        number: asked.number,
        api: asked.api(),
        provider: asked.upstream.name.clone(),
        model: asked.wish.model.clone(),
        status: 0,
        streamed: asked.wish.streamed,
        tokens: Tokens::default(),
        reserved: Means::default(),
        nano_usd: 0,
        priced: true,
        ms: 0,
        request_bytes: asked.body.bytes.len() as u64,
        response_bytes: 0,
        outcome: Outcome::Cut,
        policy: asked.policy.version.clone(),
    };
    let (held, ended) = match admitted(&session, &asked, &mut client).await {
        Err(refusal) => (None, refused(&session, &asked, client, refusal)),
        Ok((bound, price)) => {
            call.priced = price.is_some() || asked.is_count();
            let ended = match session.purse.reserve(bound.means()).await {
                Err(refusal) => refused(&session, &asked, client, refusal),
                Ok(()) => {
                    call.reserved = bound.means();
                    sent(&session, &asked, client, &bound, price.as_ref()).await
                }
            };
            note(&session, &asked, &ended);
            (Some(bound), ended)
        }
    };
    call.status = ended.status;
    call.tokens = ended.tokens;
    call.nano_usd = ended.nano_usd;
    call.response_bytes = ended.response_bytes;
    call.outcome = ended.outcome;
    call.ms = u64::try_from(asked.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    session.settle(call, held).await;
}

/// Checks a request against all that is known without asking others, and holds what it may use.
async fn admitted(session: &Inner, asked: &Asked, client: &mut Client) -> Result<(Bound, Option<Price>), Refusal> {
    let (wish, upstream) = (&asked.wish, &asked.upstream);
    let is_of_provider = upstream.models.is_match(&wish.model);
    if !session.models.is_match(&wish.model) || !is_of_provider {
        let allowed = if is_of_provider { &session.terms.models } else { &upstream.config.models };
        let allowed = allowed.join(", ");
        return Err(Refusal::Model { model: wish.model.clone(), allowed });
    }
    if let Some(what) = wish.extra.as_ref().filter(|_| !upstream.config.extras) {
        return Err(Refusal::Extra { what: what.clone() });
    }
    {
        let mut ledger = session.ledger();
        ledger.breaker.obey(asked.policy.breaker);
        ledger.breaker.check(asked.mark)?;
    }
    session.house.rate().check(asked.policy.breaker, Instant::now())?;
    let (bound, price) = if asked.is_count() {
        (Bound::default(), None)
    } else {
        let unpriced = |()| Refusal::Unpriced { provider: upstream.name.clone(), model: wish.model.clone() };
        let price = upstream.price(&wish.model, &asked.policy.prices).map_err(unpriced)?;
        (Bound::of(wish, &price.unwrap_or(Price::of(Default::default()))), price)
    };
    tokio::select! {
        biased;
        () = client.closed() => Err(Refusal::Closed),
        held = session.hold(&bound) => held.map(|()| (bound, price)),
    }
}

/// Tells a client that its request is not sent.
fn refused(session: &Inner, asked: &Asked, client: Client, refusal: Refusal) -> Ended {
    session.ledger().remember(&refusal);
    let answer = reply::refusal(Some(asked.upstream.config.speaks), &refusal, session.house.clock.now_ms());
    let status = hand(client, answer);
    Ended::free(status, Outcome::Refused(refusal))
}

/// Hands an answer to a client; gives the status that it got.
fn hand(client: Client, answer: Response<Answer>) -> u16 {
    let status = answer.status().as_u16();
    client.send(answer).map_or(0, |()| status)
}

/// Notes what the breaker has to know of a call.
fn note(session: &Inner, asked: &Asked, ended: &Ended) {
    session.house.rate().spent(asked.policy.breaker, ended.nano_usd, Instant::now());
    let mut ledger = session.ledger();
    match &ended.outcome {
        Outcome::Complete => ledger.breaker.answered(asked.mark),
        Outcome::Failed => ledger.breaker.failed(),
        Outcome::Cut | Outcome::Refused(_) => {}
    }
}

/// Waits for the call's turn, sends it and passes the answer on.
async fn sent(session: &Inner, asked: &Asked, mut client: Client, bound: &Bound, price: Option<&Price>) -> Ended {
    let lane = asked.upstream.lanes.of(&asked.wish.model);
    let permit = tokio::select! {
        biased;
        () = unwanted(session, &mut client) => return refused(session, asked, client, Refusal::Closed),
        permit = lane.enter() => permit,
    };
    let permit = match permit {
        Ok(permit) => permit,
        Err(wait) => {
            let refusal = Refusal::Limited { until_ms: in_ms(session, wait) };
            return refused(session, asked, client, refusal);
        }
    };
    let key = match asked.upstream.keys.key().await {
        Ok(key) => key,
        Err(why) => {
            let refusal = Refusal::NoKey { provider: asked.upstream.name.clone(), why };
            return refused(session, asked, client, refusal);
        }
    };
    if let Some(refusal) = refused_before(asked, key.as_ref()).await {
        return refused(session, asked, client, refusal);
    }
    let sending = asked.upstream.send(&asked.route.path, asked.headers.clone(), key.as_ref(), asked.wish.body.clone());
    let answer = tokio::select! {
        answer = sending => answer,
        () = unwanted(session, &mut client) => return Ended::in_doubt(0, bound),
    };
    match answer {
        Ok(answer) if answer.status().is_success() => {
            permit.answered();
            passed(session, asked, client, answer, bound, price).await
        }
        Ok(answer) => failed(session, asked, client, answer, key.as_ref(), &permit).await,
        Err(unsent) => {
            let why = format!("{} did not answer: {}", asked.upstream.name, unsent.why);
            session.ledger().metered.unusable = Some(why.clone());
            let status = hand(client, reply::unreached(asked.upstream.config.speaks, &why));
            if unsent.may_have_begun { Ended::in_doubt(status, bound) } else { Ended::free(status, Outcome::Failed) }
        }
    }
}

/// Tells whether the provider has refused the key of late. It is read again then, because it may be another by now.
async fn refused_before(asked: &Asked, key: Option<&Key>) -> Option<Refusal> {
    let (upstream, model) = (&asked.upstream, &asked.wish.model);
    let is_of_model = upstream.shut.is_refused(key?, model)?;
    upstream.keys.forget(key?).await;
    let provider = upstream.name.clone();
    Some(if is_of_model {
        Refusal::Forbidden { provider, model: model.clone() }
    } else {
        Refusal::KeyRefused { provider }
    })
}

/// Waits until nobody wants an answer.
async fn unwanted(session: &Inner, client: &mut Client) {
    tokio::select! {
        () = client.closed() => {}
        () = session.closing() => {}
    }
}

fn in_ms(session: &Inner, wait: Duration) -> i64 {
    session.house.clock.now_ms().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}

/// Passes an answer on and counts it.
async fn passed(
    session: &Inner,
    asked: &Asked,
    client: Client,
    answer: reqwest::Response,
    bound: &Bound,
    price: Option<&Price>,
) -> Ended {
    let (told, from) = Response::from(answer).into_parts();
    let relay = Relay::new(from, Meter::new(asked.api().unwrap_or(Api::Chat), framing(&told.headers)));
    let mut head = Response::new(Answer::Passing(relay.passage()));
    *head.status_mut() = told.status;
    *head.headers_mut() = headers::to_client(&told.headers);
    let status = hand(client, head);
    let Some((end, flow)) = relay.ended(session).await else { return Ended::in_doubt(status, bound) };
    let ended = if asked.is_count() {
        Ended::free(status, if end == End::Whole { Outcome::Complete } else { Outcome::Cut })
    } else {
        counted(&flow.meter, end, asked, status, bound, price)
    };
    Ended { response_bytes: flow.passed, ..ended }
}

fn framing(headers: &HeaderMap) -> Framing {
    let is = |name, beginning: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.trim().to_ascii_lowercase().starts_with(beginning)
    };
    if headers.contains_key(CONTENT_ENCODING) && !is(CONTENT_ENCODING, "identity") {
        Framing::Dark
    } else if is(CONTENT_TYPE, "text/event-stream") {
        Framing::Events
    } else {
        Framing::Whole
    }
}

/// Accounts for an answer: what was told of it or, where that is not all, as much as it may have been.
fn counted(meter: &Meter, end: End, asked: &Asked, status: u16, bound: &Bound, price: Option<&Price>) -> Ended {
    let told = meter.told();
    let is_complete = meter.is_complete(end == End::Whole);
    if !is_complete && !told.read {
        return Ended::in_doubt(status, bound);
    }
    let mut tokens = told.tokens;
    if !is_complete {
        let unseen = if asked.wish.thinks { bound.written } else { 0 };
        tokens.output = tokens.output.max(told.seen).max(unseen);
    }
    let outcome = if is_complete { Outcome::Complete } else { Outcome::Cut };
    let nano_usd = price.map_or(0, |price| price.cost(&tokens));
    Ended { tokens, nano_usd, ..Ended::free(status, outcome) }
}

/// Passes an error on, without the key in it, and slows down where that is what it asks for.
async fn failed(
    session: &Inner,
    asked: &Asked,
    client: Client,
    answer: reqwest::Response,
    key: Option<&Key>,
    permit: &Permit,
) -> Ended {
    let (status, told) = (answer.status(), answer.headers().clone());
    let body = error_body(session, answer).await.unwrap_or_default();
    let wait = headers::wait(&told, &body, session.house.clock.now_ms());
    let fault = fault(status.as_u16(), &body);
    let pause = match (fault, wait) {
        (Fault::Limit | Fault::Overloaded, wait) => Some(permit.overloaded(wait)),
        (Fault::Other, Some(wait)) if status.is_server_error() => {
            permit.pause(wait);
            Some(wait)
        }
        (Fault::Other | Fault::OutOfCredit | Fault::Key | Fault::Forbidden, _) => None,
    };
    let long = pause.filter(|pause| *pause > PATIENCE);
    if let Some(pause) = long {
        session.ledger().remember(&Refusal::Limited { until_ms: in_ms(session, pause) });
    }
    if fault == Fault::OutOfCredit {
        session.ledger().remember(&Refusal::OutOfCredit { provider: asked.upstream.name.clone() });
    }
    if fault == Fault::Key {
        if let Some(key) = key {
            asked.upstream.shut.note(key, None);
            asked.upstream.keys.forget(key).await;
        }
        // What the provider says of a key may hold a part of it.
        let refusal = Refusal::KeyRefused { provider: asked.upstream.name.clone() };
        return Ended { outcome: Outcome::Failed, ..refused(session, asked, client, refusal) };
    }
    if let Some(key) = key.filter(|_| fault == Fault::Forbidden) {
        asked.upstream.shut.note(key, Some(&asked.wish.model));
        asked.upstream.keys.forget(key).await;
        let (provider, model) = (asked.upstream.name.clone(), asked.wish.model.clone());
        session.ledger().remember(&Refusal::Forbidden { provider, model });
    }
    let response_bytes = body.len() as u64;
    let body = key.map_or_else(|| Bytes::from(body.clone()), |key| Bytes::from(key.mask(&body)));
    let mut reply = Response::new(Answer::whole(body));
    *reply.status_mut() = status;
    *reply.headers_mut() = headers::to_client(&told);
    let ends = long.is_some() || fault == Fault::OutOfCredit;
    if ends && asked.upstream.config.speaks == Family::OpenAi {
        reply::end_session(reply.headers_mut());
    }
    Ended { response_bytes, ..Ended::free(hand(client, reply), Outcome::Failed) }
}
