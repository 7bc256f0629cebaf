//! Owns how a model is shown what tools answer that know nothing of models: as material, and without a credential. Never calls
//! a tool by itself.

use std::sync::Arc;

use serde_json::Value;

use super::look::quoted;
use crate::io::tools::{Pending, Tool, Toolbox};
use crate::model::secrets::Secrets;

/// Marks what tools answer as material.
pub struct Marked {
    tools: Arc<dyn Toolbox>,
    secrets: Secrets,
}

impl Marked {
    /// Marks what these answer, and masks these credentials in it.
    pub fn of(tools: Arc<dyn Toolbox>, secrets: Secrets) -> Self {
        Self { tools, secrets }
    }
}

impl Toolbox for Marked {
    fn tools(&self) -> Vec<Tool> {
        self.tools.tools()
    }

    fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
        let answer = self.tools.call(name, arguments);
        Box::pin(async move {
            let text = answer.await?;
            Ok(quoted(&String::from_utf8_lossy(&self.secrets.mask(text.as_bytes()))))
        })
    }
}
