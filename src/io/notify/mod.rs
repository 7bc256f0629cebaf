//! Notices on their way out: to a program of the user's, or to a web address. Knows how one is sent and whether it was
//! taken; never when one is due, nor how often it is tried.

mod config;
mod config_text;
mod unsent;
mod webhook;
mod program;
mod channel;

pub use channel::Sender;
pub use config::{Body, Channel, NotifyConfig, Way};
pub use unsent::Unsent;
pub use webhook::signature;
