//! What a call used, read from the wire while it passes: from streams of events and from whole bodies, in pieces of any
//! size, in memory that does not grow with them. Never holds a chunk back, never changes one.

mod picker;
mod sse;
mod anthropic;
mod openai;
mod gemini;
mod meter;

pub(super) use meter::{Framing, Meter};
