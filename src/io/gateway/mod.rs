//! The gateway: the only way to a model. Holds the real credentials, lets through what the terms of a session and a
//! purse allow, counts what the wire tells, and refuses the rest. Knows neither agents nor sandboxes; decides nothing
//! about what a refusal means for a run.

mod call;
mod refusal;
mod purse;
mod prices;
mod price_text;
mod config;
mod config_text;
mod token;
mod route;
mod request;
mod extras;
mod usage;
mod bound;
mod limits;
mod shut;
mod breaker;
mod session;
mod ledger;
mod headers;
mod fault;
mod upstream;
mod exchange;
mod relay;
mod reply;
mod body;
mod tools;
mod reach;
mod tunnel;
mod egress;
mod server;
mod policy;
mod follow;
mod house;
mod count;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod laws;

pub use crate::io::keys::KeySource;
pub use breaker::BreakerLimits;
pub use call::{Api, Call, Metered, Outcome, Tokens};
pub use config::{Family, GatewayConfig, Provider, UnknownModels};
pub use count::Uncounted;
pub use follow::Follow;
pub use house::{Gateway, GatewayError};
pub use policy::Rules;
pub use prices::{Price, PriceRow, Prices, Rates};
pub use purse::{Pending, Pocket, Purse};
pub use refusal::Refusal;
pub use session::{Session, Terms, TermsError};
pub use token::Token;
