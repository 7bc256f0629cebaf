//! Owns the smallest value that a JSON schema allows, for requests that ask for one, and where each API names the schema.

use serde_json::{Value, json};

use super::api::Api;

/// Gives the schema that an answer must fit; `null` where any JSON will do.
pub fn asked(api: Api, body: &Value) -> Option<Value> {
    let given = |schema: &Value| (!schema.is_null()).then(|| schema.clone());
    match api {
        Api::Anthropic => given(&body["output_config"]["format"]["schema"]).or(given(&body["output_format"]["schema"])),
        Api::Chat => {
            let format = &body["response_format"];
            match format["type"].as_str()? {
                "json_schema" => given(&format["json_schema"]["schema"]),
                "json_object" => Some(json!({"type": "object"})),
                _ => None,
            }
        }
        Api::Responses => given(&body["text"]["format"]["schema"]),
        Api::Gemini => {
            let wanted = &body["generationConfig"];
            let is_json = wanted["responseMimeType"] == "application/json";
            given(&wanted["responseJsonSchema"])
                .or(given(&wanted["responseSchema"]))
                .or(is_json.then(|| json!({"type": "object"})))
        }
    }
}

/// Gives the smallest value of a schema.
pub fn smallest(schema: &Value) -> Value {
    smallest_in(schema, schema)
}

fn smallest_in(schema: &Value, root: &Value) -> Value {
    if let Some(place) = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#')) {
        return root.pointer(place).map_or(Value::Null, |it| smallest_in(it, root));
    }
    if let Some(value) = schema.get("const").or(schema["enum"].get(0)) {
        return value.clone();
    }
    if let Some(first) = schema["anyOf"].get(0).or(schema["oneOf"].get(0)) {
        return smallest_in(first, root);
    }
    let kind = schema["type"].get(0).unwrap_or(&schema["type"]);
    let fallback = if schema["properties"].is_object() { "object" } else { "string" };
    let least = |name: &str| schema[name].as_u64().and_then(|least| usize::try_from(least).ok()).unwrap_or(0);
    match kind.as_str().unwrap_or(fallback).to_lowercase().as_str() {
        "object" => {
            let all = schema["properties"].as_object().into_iter().flatten();
            all.map(|(name, its)| (name.clone(), smallest_in(its, root))).collect()
        }
        "array" => vec![smallest_in(&schema["items"], root); least("minItems")].into(),
        "boolean" => false.into(),
        "integer" | "number" => schema["minimum"].as_i64().unwrap_or(1).max(1).into(),
        "null" => Value::Null,
        _ => format!("{:x<1$}", "some", least("minLength")).into(),
    }
}
