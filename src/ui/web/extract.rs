//! Owns how the parts of a request are read, so that one that cannot be read is refused in the words of all refusals.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request, rejection};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::refused::Refused;

/// What to look at next.
const NEXT: &str = "GET /api/v1/openapi.json describes what is read";

/// Holds what the holes of a path were filled with.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// Holds what a query says.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// Holds what a body says, and how many bytes it has.
#[derive(Debug)]
pub struct Weighed<T>(pub T, pub usize);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(found)| Self(found)).map_err(|fault: rejection::PathRejection| {
            // A name that cannot even be read is nobody's.
            Refused::missing("read the path", fault.body_text()).next(NEXT)
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(found)| Self(found)).map_err(|fault: rejection::QueryRejection| {
            Refused::new(fault.status(), "read the query", fault.body_text()).next(NEXT)
        })
    }
}

impl<T, S> FromRequest<S> for Weighed<T>
where
    T: FromRequest<S, Rejection: From<rejection::BytesRejection>>,
    S: Send + Sync,
{
    type Rejection = T::Rejection;
    async fn from_request(request: Request, state: &S) -> Result<Self, T::Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await?;
        let weight = bytes.len();
        let read = T::from_request(Request::from_parts(parts, Body::from(bytes)), state).await?;
        Ok(Self(read, weight))
    }
}
