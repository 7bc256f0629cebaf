//! Owns how a program is told that something was not done: what was tried, why not, what to do next. Never decides that.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::actors::world::told;
use crate::app::AppError;
use crate::io::journal::JournalError;
use crate::model::inert::inert;

/// States why something was not done.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The status of the answer.
    pub status: StatusCode,
    /// What is told.
    pub fault: Fault,
}

/// Tells a fault.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Fault {
    /// What was tried, on what.
    pub tried: String,
    /// Why it was not done.
    pub why: String,
    /// What to do next, where something is to be done.
    pub next: Option<String>,
}

/// Wraps a fault, so that an answer which is one is seen to be.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Faulty {
    /// The fault.
    pub error: Fault,
}

impl Refused {
    /// States a refusal.
    pub fn new(status: StatusCode, tried: impl Into<String>, why: impl Into<String>) -> Self {
        Self { status, fault: Fault { tried: tried.into(), why: why.into(), next: None } }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.fault.next = Some(next.into());
        self
    }

    /// Says that there is no such thing.
    pub fn missing(tried: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, tried, why)
    }
}

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        let status = match &error {
            AppError::Journal(JournalError::NoSuchRun { .. } | JournalError::NoRunLike { .. })
            | AppError::NoChannel { .. }
            | AppError::NoRun
            | AppError::Unopened { .. } => StatusCode::NOT_FOUND,
            AppError::Journal(JournalError::Ambiguous { .. }) | AppError::Held { .. } => StatusCode::CONFLICT,
            AppError::Faults { .. }
            | AppError::Unfit { .. }
            | AppError::Prompt { .. }
            | AppError::Brief { .. }
            | AppError::Uncounted { .. }
            | AppError::Roles(_)
            | AppError::Read { .. }
            | AppError::PrefixTaken { .. }
            | AppError::NotFetched { .. }
            | AppError::Git(_) => StatusCode::UNPROCESSABLE_ENTITY,
            AppError::Files(_)
            | AppError::Journal(_)
            | AppError::Gateway(_)
            | AppError::Format(_)
            | AppError::Signing(_)
            | AppError::Sandbox { .. }
            | AppError::Bug { .. }
            | AppError::Untrue { .. }
            | AppError::Lost { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let why = if let AppError::Faults { faults, .. } = &error {
            faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join("; ")
        } else {
            std::error::Error::source(&error).map(told).unwrap_or_default()
        };
        let refused = Self::new(status, error.to_string(), why);
        if let AppError::Unfit { next, .. } = error {
            return refused.next(next);
        }
        if let AppError::NoChannel { .. } = error {
            return refused.next("docs/notify.md says what stands there");
        }
        if matches!(error, AppError::Journal(JournalError::NoRunLike { .. } | JournalError::Ambiguous { .. })) {
            return refused.next("GET /api/v1/runs lists all runs");
        }
        refused
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Fault { tried, why, next } = &self.fault;
        let error = Fault { tried: inert(tried), why: inert(why), next: next.as_deref().map(inert) };
        let mut response = (self.status, Json(Faulty { error })).into_response();
        // A page tells it in its own way.
        response.extensions_mut().insert(self);
        response
    }
}
