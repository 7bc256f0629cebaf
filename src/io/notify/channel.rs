//! Owns one way out with its keys, read when they are first needed. Never tries again.

use super::config::{Channel, Way};
use super::unsent::Unsent;
use super::{program, webhook};
use crate::io::keys::{Key, KeySource, Keyring};
use crate::model::notice::Notice;

/// Sends notices by one way.
#[derive(Debug)]
pub struct Sender {
    way: Way,
    url: Keyring,
    secret: Keyring,
}

impl Sender {
    /// Reads no key yet.
    pub fn new(channel: &Channel) -> Self {
        let (url, secret) = match &channel.way {
            Way::Command(_) => (KeySource::None, KeySource::None),
            Way::Webhook { url, secret, .. } => (url.clone(), secret.clone()),
        };
        Self { way: channel.way.clone(), url: Keyring::new(url), secret: Keyring::new(secret) }
    }

    /// Sends a notice at a time, in milliseconds since 1970.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn send(&self, notice: &Notice, at_ms: i64) -> Result<(), Unsent> {
        let body = match &self.way {
            Way::Command(argv) => return program::tell(argv, notice).await,
            Way::Webhook { body, .. } => *body,
        };
        let url = self.url.key().await.map_err(|why| Unsent::for_now(format!("its address: {why}")))?;
        let secret = self.secret.key().await.map_err(|why| Unsent::for_now(format!("its secret: {why}")))?;
        let Some(url) = url else { return Err(Unsent::for_good("it has no address")) };
        webhook::send(url.text(), secret.as_ref().map(Key::text), body, notice, at_ms.div_euclid(1000)).await
    }
}
