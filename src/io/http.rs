//! Owns what all connections have in common that artel opens to servers of the web. Never opens one.

use std::error::Error;

use reqwest::{Client, ClientBuilder};

/// Begins a client that goes where it is sent and nowhere else, once, and says of itself no more than it must.
pub fn client() -> ClientBuilder {
    // One that is installed already does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
}

/// Begins one for this address. What is asked without TLS needs no certificates, which a machine may not have, and no proxy.
pub fn client_for(url: &str) -> ClientBuilder {
    if url.starts_with("https:") { client() } else { client().no_proxy().tls_certs_only([]) }
}

/// Tells an error with all that lies behind it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
