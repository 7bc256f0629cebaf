//! artel's own loop over a model: it asks, does what the model calls for with the tools that it was given, and ends when
//! the model does. Knows neither attempts nor git nor sandboxes, and holds no key: what it asks goes where it is told.

mod model;
mod wire;
mod transcript;
mod context;
mod parking;
mod talk;
mod arguments;
mod files;
mod look;
mod marked;

pub use context::{Context, Note};
pub use files::{Act, FileTools, Files, Found, Place, Ran};
pub use marked::Marked;
pub use model::{Answer, Ask, Call, Failure, Message, Model, Outcome, Stop};
pub use parking::{park, parked, told_further};
pub use talk::{Bounds, End, READING, SYSTEM, Talk, Talked};
pub use transcript::{Transcript, TranscriptError};
pub use wire::{Wire, Wired, WiredError};
