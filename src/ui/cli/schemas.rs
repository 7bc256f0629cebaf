//! Owns the JSON schemas of the files that people write. Never reads such a file.

use schemars::{Schema, schema_for};
use serde_json::Value;

use crate::io::agents::script::Part;
use crate::model::attempt::Handoff;
use crate::model::config::Config;
use crate::model::goal_text::WrittenGoal;
use crate::model::role::Role;

/// Gives the schemas by name: `goal` (the front matter), `config` (`artel.toml`), `role` (`roles/*.toml`), `handoff`
/// (what an agent may leave as `handoff.json`), `part` (what a script plays).
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("goal", titled(schema_for!(WrittenGoal), "artel goal: front matter")),
        ("config", titled(schema_for!(Config), "artel.toml")),
        ("role", role()),
        ("handoff", titled(schema_for!(Handoff), "artel handoff")),
        ("part", titled(schema_for!(Part), "artel part: what a script plays")),
    ]
}

/// Describes a role file: each field may be missing, since a file changes a role field by field.
fn role() -> Value {
    let mut schema = titled(schema_for!(Role), "artel role");
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("required");
    }
    schema
}

fn titled(schema: Schema, title: &str) -> Value {
    let mut schema = schema.to_value();
    schema["title"] = Value::from(title);
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::{config_text, goal_text, role_text};

    /// Lists the fields of each type of a schema; the outermost by the name that is given.
    fn fields(schema: &Value, root: &str) -> BTreeMap<String, BTreeSet<String>> {
        let names = |part: &Value| -> Option<BTreeSet<String>> {
            Some(part.get("properties")?.as_object()?.keys().cloned().collect())
        };
        let inner = schema["$defs"].as_object().into_iter().flatten();
        inner
            .filter_map(|(name, part)| Some((name.clone(), names(part)?)))
            .chain(names(schema).map(|names| (root.to_owned(), names)))
            .collect()
    }

    #[test]
    fn the_reader_and_the_schema_know_the_same_fields() {
        let schemas: BTreeMap<&str, Value> = schemas().into_iter().collect();
        for (schema, root, known) in [
            ("goal", "WrittenGoal", goal_text::known_fields()),
            ("config", "Config", config_text::known_fields()),
            ("role", "Role", role_text::known_fields()),
        ] {
            let read: BTreeMap<String, BTreeSet<String>> = known
                .into_iter()
                .map(|(name, fields)| (name.to_owned(), fields.iter().map(|field| (*field).to_owned()).collect()))
                .collect();
            assert_eq!(fields(&schemas[schema], root), read, "{schema}");
        }
    }

    #[test]
    fn an_editor_is_told_that_unknown_fields_are_wrong() {
        for (name, schema) in schemas() {
            assert_eq!(schema["additionalProperties"], Value::Bool(false), "{name}");
        }
    }

    #[test]
    fn the_schema_of_the_goal_stays_as_it_is_until_it_is_changed_on_purpose() {
        let goal = schemas().into_iter().find(|(name, _)| *name == "goal").unwrap().1;
        insta::assert_snapshot!(serde_json::to_string_pretty(&goal).unwrap());
    }
}
