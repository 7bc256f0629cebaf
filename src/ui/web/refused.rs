//! Owns how a program is told that something was not done: what was tried, why not, what to do next. Never decides that.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::actors::world::told;
use crate::app::AppError;
use crate::io::journal::JournalError;
use crate::io::roles::RolesError;
use crate::model::inert::{inert, inert_lines};
use crate::model::written;
use crate::ui::cli::blame::{drawn, verdict};
use crate::ui::cli::diagnostics::{Look, line_and_column};

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
    /// What `artel` exits with where it meets that itself; nothing where only a server does.
    pub exit: Option<u8>,
    /// What is wrong with files that people wrote, drawn line by line; nothing where that is not what was met.
    pub drawn: Option<String>,
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
        Self { status, fault: Fault { tried: tried.into(), why: why.into(), next: None, exit: None, drawn: None } }
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
        let why = if let AppError::Faults { name, text, faults, .. } = &error {
            places(name, text, faults)
        } else if let AppError::Roles(RolesError::Refused(refused)) = &error {
            let each = refused.iter().map(|one| places(&one.name, &one.text, &one.faults));
            each.collect::<Vec<_>>().join("; ")
        } else {
            std::error::Error::source(&error).map(told).unwrap_or_default()
        };
        let mut refused = Self::new(status, error.to_string(), why);
        let (exit, hint) = verdict(&error);
        refused.fault.exit = Some(exit.code());
        refused.fault.drawn = drawn(&error, Look::Plain);
        refused.fault.next =
            if let AppError::Unfit { next, .. } = error { Some(next) } else { hint.map(str::to_owned) };
        refused
    }
}

/// Tells faults of a file on one line, each with its place.
fn places(name: &str, text: &str, faults: &[written::Fault]) -> String {
    let place = |fault: &written::Fault| {
        let (line, column) = line_and_column(text, fault.at.start);
        format!("{name}:{line}:{column}: {}", fault.what)
    };
    faults.iter().map(place).collect::<Vec<_>>().join("; ")
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Fault { tried, why, next, exit, drawn } = &self.fault;
        let (next, drawn) = (next.as_deref().map(inert), drawn.as_deref().map(inert_lines));
        let error = Fault { tried: inert(tried), why: inert(why), next, exit: *exit, drawn };
        let mut response = (self.status, Json(Faulty { error })).into_response();
        // A page tells it in its own way.
        response.extensions_mut().insert(self);
        response
    }
}
