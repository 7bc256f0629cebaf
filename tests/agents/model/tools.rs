//! Owns how a script's calls become calls of the tools that an agent offers, filled in by their schemas.

use serde_json::{Map, Value, json};

use super::api::Api;
use super::script::Call;

/// A tool that a request offers.
#[derive(Debug, Clone)]
pub struct Offer {
    pub name: String,
    /// Where the name is one among others.
    namespace: Option<String>,
    schema: Value,
    /// Takes a text of any form.
    is_free: bool,
}

/// A call of an offered tool.
#[derive(Debug, Clone)]
pub struct Use {
    pub name: String,
    /// What the name stands in, where the API has such places.
    pub namespace: Option<String>,
    pub input: Input,
}

#[derive(Debug, Clone)]
pub enum Input {
    Arguments(Value),
    Text(String),
}

const WRITERS: [&str; 12] = [
    "Write",
    "write_file",
    "write",
    "WriteFile",
    "create_file",
    "create",
    "write_to_file",
    "Create",
    "save-file",
    "str_replace_based_edit_tool",
    "editor",
    "str_replace_editor",
];
const SHELLS: [&str; 15] = [
    "Bash",
    "bash",
    "run_shell_command",
    "exec_command",
    "shell_command",
    "shell",
    "Shell",
    "execute_command",
    "run_commands",
    "run_command",
    "Execute",
    "launch-process",
    "local_shell",
    "terminal",
    "run_terminal_command",
];
const READERS: [&str; 7] = ["Read", "read_file", "read", "ReadFile", "view", "View", "read_files"];
const EDITORS: [&str; 8] =
    ["Edit", "edit", "replace", "search_replace", "StrReplaceFile", "edit_file", "str_replace", "text_editor"];
const PATCHER: &str = "apply_patch";

/// Gives the tools that a request offers.
pub fn offered(api: Api, body: &Value) -> Vec<Offer> {
    let all = body["tools"].as_array().into_iter().flatten();
    let offer = |name: &Value, schema: &Value, kind: &Value| Offer {
        name: name.as_str().or(kind.as_str()).unwrap_or_default().to_owned(),
        namespace: None,
        schema: schema.clone(),
        is_free: kind == "custom",
    };
    match api {
        Api::Anthropic => all.map(|it| offer(&it["name"], &it["input_schema"], &Value::Null)).collect(),
        Api::Chat => {
            all.map(|it| offer(&it["function"]["name"], &it["function"]["parameters"], &Value::Null)).collect()
        }
        Api::Responses => {
            // A namespace holds the tools of an MCP server.
            let each = all.flat_map(|it| match it["tools"].as_array() {
                Some(all) => all.iter().map(|inner| (it["name"].as_str(), inner)).collect(),
                None => vec![(None, it)],
            });
            let each = each.map(|(namespace, it)| Offer {
                namespace: namespace.map(str::to_owned),
                ..offer(&it["name"], &it["parameters"], &it["type"])
            });
            each.collect()
        }
        Api::Gemini => {
            let each = all.flat_map(|it| it["functionDeclarations"].as_array().into_iter().flatten());
            let schema = |it: &Value| {
                if it["parametersJsonSchema"].is_null() {
                    it["parameters"].clone()
                } else {
                    it["parametersJsonSchema"].clone()
                }
            };
            each.map(|it| offer(&it["name"], &schema(it), &Value::Null)).collect()
        }
    }
}

/// Gives the call of an offered tool that does what the script's call says; of one that nobody offers where none can.
pub fn mapped(call: &Call, offers: &[Offer]) -> Use {
    let find = |name: &str| offers.iter().find(|offer| offer.name == name);
    let first = |names: &[&str]| names.iter().find_map(|name| find(name));
    let used = |offer: &Offer, input| Use { name: offer.name.clone(), namespace: offer.namespace.clone(), input };
    let filled = |offer: &Offer| used(offer, Input::Arguments(fill(&offer.schema, call)));
    let none =
        |what: &str| Use { name: format!("NO_TOOL_TO_{what}"), namespace: None, input: Input::Arguments(json!({})) };
    match call {
        Call::Exact { name, arguments } => {
            let text = arguments.as_str().filter(|_| find(name).is_some_and(|it| it.is_free));
            let input = text.map_or_else(|| Input::Arguments(arguments.clone()), |it| Input::Text(it.to_owned()));
            Use { name: name.clone(), namespace: None, input }
        }
        Call::Tool { name, arguments } => {
            // Agents put the name of the server before it, each in its own way.
            let is_it = |offer: &&Offer| offer.name == *name || offer.name.ends_with(&format!("__{name}"));
            let found = offers.iter().find(is_it);
            found.map_or_else(|| none(name), |offer| used(offer, Input::Arguments(arguments.clone())))
        }
        Call::Write { path, content } => {
            if let Some(offer) = first(&WRITERS) {
                filled(offer)
            } else if let Some(offer) = find(PATCHER) {
                patch(offer, path, content)
            } else if first(&SHELLS).is_some() {
                let text = content.trim_end_matches('\n');
                let command = format!("cat > '{path}' <<'END_OF_FILE'\n{text}\nEND_OF_FILE");
                mapped(&Call::Bash { command }, offers)
            } else {
                none("WRITE")
            }
        }
        Call::Bash { .. } => first(&SHELLS).map_or_else(|| none("RUN"), filled),
        Call::Read { path } => match first(&READERS) {
            Some(offer) => filled(offer),
            None => mapped(&Call::Bash { command: format!("cat '{path}'") }, offers),
        },
        Call::Edit { .. } => first(&EDITORS).map_or_else(|| none("EDIT"), filled),
    }
}

/// Adds a file by Codex's tool for patches.
fn patch(offer: &Offer, path: &str, content: &str) -> Use {
    let added: String = content.lines().map(|line| format!("+{line}\n")).collect();
    let text = format!("*** Begin Patch\n*** Add File: {path}\n{added}*** End Patch\n");
    let input = if offer.is_free {
        Input::Text(text)
    } else {
        let key = offer.schema["properties"].as_object().and_then(|all| all.keys().next());
        Input::Arguments(json!({ key.map_or("input", String::as_str): text }))
    };
    Use { name: offer.name.clone(), namespace: offer.namespace.clone(), input }
}

/// Fills a tool's arguments in: what the call says, by the arguments' names, and something for what else is required.
fn fill(schema: &Value, call: &Call) -> Value {
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let filled = properties.filter_map(|(name, its)| {
        let value = told(name, its, call)
            .or_else(|| required.contains(&&Value::from(name.as_str())).then(|| something(name, its)))?;
        Some((name.clone(), value))
    });
    filled.collect::<Map<_, _>>().into()
}

/// Gives what a call says of an argument.
fn told(name: &str, schema: &Value, call: &Call) -> Option<Value> {
    let name = name.to_lowercase();
    let name = name.as_str();
    let path = match call {
        Call::Write { path, .. } | Call::Read { path } | Call::Edit { path, .. } => Some(path),
        Call::Bash { .. } | Call::Exact { .. } | Call::Tool { .. } => None,
    };
    if let Some(path) = path {
        match name {
            "file_path" | "filepath" | "path" | "absolute_path" | "filename" | "file" | "target_file" => {
                return Some(path.as_str().into());
            }
            "paths" | "file_paths" => return Some(json!([path])),
            _ => {}
        }
    }
    match (call, name) {
        (Call::Write { content, .. }, "content" | "file_text" | "file_content" | "contents" | "text") => {
            Some(content.as_str().into())
        }
        (Call::Write { .. }, "command") => Some("create".into()),
        (Call::Bash { command }, "command" | "cmd" | "commands" | "script") => {
            Some(match (schema["enum"].get(0), schema["type"] == "array") {
                (Some(first), _) => first.clone(),
                (None, true) if name == "command" => json!(["bash", "-lc", command]),
                (None, true) => json!([command]),
                (None, false) => command.as_str().into(),
            })
        }
        (
            Call::Edit { old, .. },
            "old_string" | "oldstring" | "old_str" | "old" | "old_text" | "oldtext" | "before",
        ) => Some(old.as_str().into()),
        (Call::Edit { new, .. }, "new_string" | "newstring" | "new_str" | "new" | "new_text" | "newtext" | "after") => {
            Some(new.as_str().into())
        }
        _ => None,
    }
}

fn something(name: &str, schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str().unwrap_or_default().to_lowercase().as_str() {
        "boolean" => false.into(),
        "integer" | "number" => 10.into(),
        "array" => json!([]),
        "object" => json!({}),
        _ => format!("some {name}").into(),
    }
}
