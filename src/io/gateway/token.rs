//! Owns the token by which a session's client is known, and where a request carries it. Never shows one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, PROXY_AUTHORIZATION};
use subtle::ConstantTimeEq;

/// Lets a client make calls of one session; worth nothing elsewhere.
#[derive(Clone)]
pub struct Token(String);

/// Begins each token, so that one that is found somewhere is known for what it is.
const PREFIX: &str = "artel-";

impl Token {
    /// Draws a token of 256 bits; nothing where the system has no randomness to give.
    pub(super) fn draw() -> Option<Self> {
        let mut bytes = [0; 32];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self(format!("{PREFIX}{hex}")))
    }

    /// Gives the text that the client is to send as its key.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Tells whether a request to a proxy carries this token, as the password of whatever user, or as a bearer.
    pub(super) fn is_for_proxy(&self, headers: &HeaderMap) -> bool {
        let mut found = false;
        for value in headers.get_all(PROXY_AUTHORIZATION) {
            let Some((scheme, told)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else { continue };
            let basic = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(told.trim()).ok()).flatten();
            let password = basic.and_then(|pair| pair.splitn(2, |byte| *byte == b':').nth(1).map(<[u8]>::to_vec));
            let bearer = scheme.eq_ignore_ascii_case("bearer").then(|| told.as_bytes().to_vec());
            found |= password.or(bearer).is_some_and(|it| bool::from(it.as_slice().ct_eq(self.0.as_bytes())));
        }
        found
    }

    /// Tells whether a request carries this token: where any of the APIs has its key.
    pub(super) fn is_in(&self, headers: &HeaderMap, query: &str) -> bool {
        let plain = ["x-api-key", "x-goog-api-key"].into_iter().flat_map(|name| headers.get_all(name));
        let plain = plain.map(|value| value.as_bytes());
        let in_query = query.split('&').filter_map(|pair| pair.strip_prefix("key=")).map(str::as_bytes);
        self.is_among(plain.chain(bearers(headers)).chain(in_query))
    }

    /// Tells whether a request carries this token as its bearer.
    pub(super) fn is_bearer(&self, headers: &HeaderMap) -> bool {
        self.is_among(bearers(headers))
    }

    fn is_among<'p>(&self, presented: impl Iterator<Item = &'p [u8]>) -> bool {
        // All are compared, in the same time each.
        presented.fold(false, |found, it| found | bool::from(it.ct_eq(self.0.as_bytes())))
    }
}

fn bearers(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    })
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_do_not_show() {
        let (one, other) = (Token::draw().unwrap(), Token::draw().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), PREFIX.len() + 64);
        assert!(!format!("{one:?}").contains(&one.reveal()[6..]));
    }

    #[test]
    fn a_token_is_found_where_each_api_has_its_key() {
        let token = Token::draw().unwrap();
        let with = |name: &'static str, value: String| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        let text = token.reveal();
        for headers in [
            with("x-api-key", text.to_owned()),
            with("x-goog-api-key", text.to_owned()),
            with("authorization", format!("Bearer {text}")),
            with("authorization", format!("bearer {text}")),
        ] {
            assert!(token.is_in(&headers, ""), "{headers:?}");
            assert_eq!(token.is_bearer(&headers), headers.contains_key("authorization"), "{headers:?}");
        }
        assert!(token.is_in(&HeaderMap::new(), &format!("alt=sse&key={text}")));
        for headers in [
            with("x-api-key", format!("{text}x")),
            with("x-api-key", text[..text.len() - 1].to_owned()),
            with("authorization", text.to_owned()),
            with("authorization", format!("Basic {text}")),
            with("cookie", text.to_owned()),
            with("authorization", "Bearer".to_owned()),
        ] {
            assert!(!token.is_in(&headers, "key=") && !token.is_bearer(&headers), "{headers:?}");
        }
    }
}
