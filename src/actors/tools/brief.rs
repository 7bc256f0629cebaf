//! Owns the tool by which any session reads once more what it was told. Never words it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::io::tools::{Pending, Tool, Toolbox, arguments, schema_of};

/// Names the tool.
const NAME: &str = "task_brief";

/// Holds a session's brief.
#[derive(Debug)]
pub struct BriefTool(String);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskBrief {}

impl BriefTool {
    /// Takes the brief.
    pub fn of(brief: &str) -> Self {
        Self(brief.to_owned())
    }
}

impl Toolbox for BriefTool {
    fn tools(&self) -> Vec<Tool> {
        let about = "Gives your whole brief again, word for word.".to_owned();
        vec![Tool { name: NAME.to_owned(), about, input: schema_of::<TaskBrief>() }]
    }

    fn call(&self, _: &str, given: Value) -> Pending<'_, Result<String, String>> {
        Box::pin(async { arguments::<TaskBrief>(NAME, given).map(|TaskBrief {}| self.0.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn the_brief_is_given_byte_for_byte() {
        let tool = BriefTool::of("Mend it.\n");
        assert_eq!(tool.call(NAME, json!({})).await.unwrap(), "Mend it.\n");
        assert!(tool.call(NAME, json!({"of": "t2"})).await.unwrap_err().contains("unknown field `of`"));
    }
}
