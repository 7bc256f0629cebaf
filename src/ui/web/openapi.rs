//! Owns the document that describes what programs may ask, made from the table of routes. Never describes what is not
//! there.

use axum::Json;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::refused::Faulty;
use super::routes::{Answer, PREFIX, routes};

/// Answers with the document.
pub async fn openapi() -> Json<Value> {
    Json(document())
}

/// Makes the document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let fault = generator.subschema_for::<Faulty>();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let (kinds, schema) = match route.answer {
            Answer::Json(schema) => (["application/json"].as_slice(), schema(&mut generator).to_value()),
            Answer::Text(kinds) => (kinds, json!({ "type": "string" })),
        };
        let content = kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema })));
        let content: Map<String, Value> = content.collect();
        let done = json!({ "description": "It was done.", "content": content });
        let refused = json!({
            "description": "It was not done; the answer says why and what to do.",
            "content": { "application/json": { "schema": fault } },
        });
        let mut told = json!({
            "summary": route.tells.split('.').next(),
            "description": format!("{} For: {}.", route.tells, route.needs),
            "operationId": operation(route.method, route.path),
            "parameters": parameters(route.method, route.path, route.query),
            "responses": { "200": done, "4XX": &refused },
            "security": [{ "token": [] }],
        });
        if let Some(body) = route.body {
            let schema = body(&mut generator).to_value();
            told["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
            let mut too_large = refused;
            too_large["description"] = format!("The body has more than {} KiB.", route.body_bytes >> 10).into();
            told["responses"]["413"] = too_large;
        }
        let of_path = paths.entry(format!("{PREFIX}{}", route.path)).or_insert_with(|| json!({}));
        of_path[route.method] = told;
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": { "title": "artel", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn parameters(method: &str, path: &str, query: &[(&str, &str)]) -> Vec<Value> {
    let holes = path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
    let hole = |name: &str| {
        let says = match name {
            "run" => "run, by id, a unique beginning of it, or its name",
            "task" => "task, as t12",
            "transcript" => "what a session wrote, by its name, as t12.1",
            _ => "attempt, as t12.1",
        };
        json!({ "name": name, "in": "path", "required": true, "description": says, "schema": { "type": "string" } })
    };
    let mut all: Vec<Value> = holes.map(hole).collect();
    all.extend(query.iter().map(|(name, says)| {
        let schema = match *name {
            "text" | "kind" | "task" | "actor" => json!({ "type": "string", "maxLength": 400 }),
            "anchor" => json!({ "type": "string" }),
            "all" => json!({ "type": "boolean" }),
            "repo" => json!({ "type": "string", "pattern": "^/" }),
            "role" => json!({ "type": "array", "items": { "type": "string" } }),
            _ => json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
        };
        // Without a repository there is nothing to be cleared away.
        let required = *name == "repo" && path == "/gc";
        json!({ "name": name, "in": "query", "required": required, "description": says, "schema": schema })
    }));
    // A link is another one each time.
    if method == "post" && path != "/links" {
        let says = "names the request, so that it may be sent any number of times";
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 200 });
        all.push(json!({ "name": "Idempotency-Key", "in": "header", "description": says, "schema": schema }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_document_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let document = document();
        let text = document.to_string();
        for (at, mark) in text.match_indices("\"$ref\":\"#") {
            let pointer = text[at + mark.len()..].split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|methods| methods.as_object().unwrap().values());
        let names: Vec<&str> = operations.map(|told| told["operationId"].as_str().unwrap()).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!((names.len(), unique.len()), (routes().len(), routes().len()));
    }

    #[test]
    fn the_document_says_how_large_a_body_may_be() {
        let document = document();
        let told = |path: &str| document["paths"][path]["post"]["responses"]["413"]["description"].clone();
        assert_eq!(told("/api/v1/runs/{run}/requests"), "The body has more than 12288 KiB.");
        assert_eq!(told("/api/v1/runs"), "The body has more than 64 KiB.");
        assert!(document["paths"]["/api/v1/runs"]["get"]["responses"].get("413").is_none(), "a look has no body");
    }
}
