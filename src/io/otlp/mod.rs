//! OTLP: where a collector of telemetry is, what is sent to it, and how. Knows no run.

mod config;
mod wire;
mod collector;

pub use collector::{Collector, Unsent};
pub use config::OtlpConfig;
