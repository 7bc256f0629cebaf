//! Owns the server's connections: how many, how long one may say nothing, how large a request may be. Never looks into
//! one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_service::Service;

use super::patient::Patient;

/// Connections at one time; more wait.
const CONNECTIONS: usize = 1024;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// Headers of a request.
const HEADERS: usize = 64;
/// How long a client may take over a request's head, or be silent between two.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may leave what it was sent unread.
const READ_PATIENCE: Duration = Duration::from_secs(30);
/// Pause after the system could not take a connection, which is when it has no descriptors left.
const BREATH: Duration = Duration::from_millis(50);

/// Serves a listener's connections until dropped.
pub async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept(), if connections.len() < CONNECTIONS => match taken {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, router.clone()));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router) {
    // Without it the answers come a little later.
    let _ = stream.set_nodelay(true);
    let router = Arc::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut router = Router::clone(&router);
        async move { router.call(request.map(axum::body::Body::new)).await }
    });
    // A connection that breaks off is its client's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_header_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(Patient::new(stream, read_patience())), service)
        .await;
}

#[cfg(not(debug_assertions))]
fn read_patience() -> Duration {
    READ_PATIENCE
}

/// As in the program that is shipped, unless a test has no time to wait.
#[cfg(debug_assertions)]
fn read_patience() -> Duration {
    let told = std::env::var("ARTEL_TEST_READ_PATIENCE_MS").ok().and_then(|ms| ms.parse().ok());
    told.map_or(READ_PATIENCE, Duration::from_millis)
}
