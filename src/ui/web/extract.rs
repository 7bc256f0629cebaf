//! Owns how the parts of a request are read, so that one that cannot be read is refused in the words of all refusals.

use axum::extract::{FromRequestParts, rejection};
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
