//! Owns the port to what a model may call by name. Never says how a call reaches it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

/// Stands for an answer that may take its time.
pub type Pending<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// Describes one tool to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// The name that it is called by: at most 64 of `a-z`, `0-9` and `_`.
    pub name: String,
    /// What it does and when it is of use, in words for a model.
    pub about: String,
    /// The JSON schema of its arguments, which are an object.
    pub input: Value,
}

/// Holds the tools of one session.
///
/// A call that is dropped before it has ended has done all that it does, or nothing.
pub trait Toolbox: Send + Sync {
    /// Lists the tools, the same ones for as long as the session lives.
    fn tools(&self) -> Vec<Tool>;

    /// Calls a tool, with arguments that may be anything.
    ///
    /// # Errors
    /// Says to the model what is wrong with the call, or why the tool could not do it: it may mend its call and try again.
    fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>>;

    /// Gives what people have said since this was last asked, in words for the model: they are put after what a tool answers,
    /// and are no part of it. Empty where nobody said anything.
    fn news(&self) -> Pending<'_, String> {
        Box::pin(async { String::new() })
    }
}

/// Joins several toolboxes into one; of tools with the same name, the first is called.
pub struct Joined {
    boxes: Vec<Arc<dyn Toolbox>>,
}

impl Joined {
    /// Takes the toolboxes in the order in which their tools are listed.
    pub fn new(boxes: Vec<Arc<dyn Toolbox>>) -> Self {
        Self { boxes }
    }
}

impl Toolbox for Joined {
    fn tools(&self) -> Vec<Tool> {
        let mut tools: Vec<Tool> = Vec::new();
        for tool in self.boxes.iter().flat_map(|it| it.tools()) {
            if tools.iter().all(|known| known.name != tool.name) {
                tools.push(tool);
            }
        }
        tools
    }

    fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
        let has = |it: &&Arc<dyn Toolbox>| it.tools().iter().any(|tool| tool.name == name);
        match self.boxes.iter().find(has) {
            Some(found) => found.call(name, arguments),
            None => {
                let names: Vec<String> = self.tools().into_iter().map(|tool| tool.name).collect();
                let why = unknown(name, &names);
                Box::pin(async move { Err(why) })
            }
        }
    }
}

/// Says to a model that it called what is not there, and what is.
pub(super) fn unknown(name: &str, names: &[String]) -> String {
    format!("there is no tool `{}`; there are: {}", crate::model::written::shown(name), names.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A toolbox whose tools say who they are.
    struct Named(&'static str, &'static [&'static str]);

    impl Toolbox for Named {
        fn tools(&self) -> Vec<Tool> {
            let tool = |name: &&str| Tool { name: (*name).to_owned(), about: self.0.to_owned(), input: json!({}) };
            self.1.iter().map(tool).collect()
        }

        fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
            let said = format!("{} {name} {arguments}", self.0);
            Box::pin(async move { Ok(said) })
        }
    }

    fn joined() -> Joined {
        Joined::new(vec![Arc::new(Named("one", &["a", "b"])), Arc::new(Named("two", &["b", "c"]))])
    }

    #[tokio::test]
    async fn a_tool_is_called_in_the_first_box_that_has_it() {
        let tools: Vec<String> = joined().tools().iter().map(|it| format!("{} {}", it.about, it.name)).collect();
        assert_eq!(tools, ["one a", "one b", "two c"]);
        assert_eq!(joined().call("b", json!({"x": 1})).await.unwrap(), "one b {\"x\":1}");
        assert_eq!(joined().call("c", json!([])).await.unwrap(), "two c []");
    }

    #[tokio::test]
    async fn who_calls_what_is_not_there_is_told_what_is() {
        let why = joined().call("d\u{1b}", json!({})).await.unwrap_err();
        assert!(why.ends_with("there are: a, b, c") && !why.contains('\u{1b}'), "{why}");
    }
}
