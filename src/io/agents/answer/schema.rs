//! Owns the strict schemas that an agent can be held to when it answers, and where such an answer is read. Never reads one.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::block::OPENING;

/// Keywords of schemas that not every provider takes; the parser of answers holds to them all the same.
const KEYWORDS_REFUSED: [&str; 6] = ["default", "format", "maximum", "minimum", "title", "uniqueItems"];

/// Gives the schema of a form as all providers take it: in one piece, and nothing is left out or added.
pub(super) fn strict<T: JsonSchema>() -> String {
    let mut settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tighten));
    (settings.inline_subschemas, settings.meta_schema) = (true, None);
    settings.into_generator().into_root_schema_for::<T>().to_value().to_string()
}

fn tighten(schema: &mut Schema) {
    for keyword in KEYWORDS_REFUSED {
        schema.remove(keyword);
    }
    if let Some(each) = schema.remove("oneOf") {
        schema.insert("anyOf".to_owned(), each);
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let all: Vec<String> = properties.keys().cloned().collect();
        schema.insert("required".to_owned(), all.into());
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}

/// Puts what an agent said that was held to a schema into the block in which answers are read; what is no object alone stays
/// as it was said.
pub fn in_block(said: &str) -> String {
    let is_object = said.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(said).is_ok();
    // No line of JSON is the end of a block: what it quotes has no ends of lines.
    if is_object { format!("{OPENING}\n{said}\n```\n") } else { said.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{
        plan_schema, read_plan, read_question, read_review, read_run_verdict, review_schema, run_schema,
    };
    use super::*;
    use crate::model::paths::PathSet;
    use crate::model::review::Criterion;

    const KEYWORDS: [&str; 8] =
        ["additionalProperties", "anyOf", "const", "description", "items", "properties", "required", "type"];

    fn is_strict(schema: &Value) {
        let all = schema.as_object().unwrap();
        assert!(all.keys().all(|keyword| KEYWORDS.contains(&keyword.as_str())), "{schema}");
        assert_eq!(schema["type"] == "object", schema["properties"].is_object(), "{schema}");
        if let Some(properties) = schema["properties"].as_object() {
            assert_eq!(schema["additionalProperties"], false, "{schema}");
            let required: Vec<&str> = schema["required"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
            assert_eq!(required, properties.keys().collect::<Vec<_>>(), "{schema}");
            properties.values().for_each(is_strict);
        }
        schema["anyOf"].as_array().into_iter().flatten().for_each(is_strict);
        all.get("items").into_iter().for_each(is_strict);
    }

    #[test]
    fn the_schema_of_each_form_is_strict() {
        for schema in [plan_schema(), review_schema(), run_schema()] {
            let schema: Value = serde_json::from_str(&schema).unwrap();
            assert_eq!(schema["type"], "object");
            is_strict(&schema);
        }
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&serde_json::from_str::<Value>(&run_schema()).unwrap()).unwrap()
        );
    }

    #[test]
    fn what_leaves_nothing_out_is_read_as_what_leaves_out_what_it_may() {
        let own = PathSet::everything();
        let plan = |said: &str| read_plan(&in_block(said), ("worker", "planner"), &own);
        let whole = r#"{"tasks":[{"key":"a","title":"t","brief":"b","paths":["x"],"after":[],"checks":[],"role":null,
            "weight":1,"splits":[]}],"scopes":[],"decisions":[],
            "answers":[{"task":"z","grant":true,"paths":[],"reason":"r"}]}"#;
        let short = r#"{"tasks":[{"key":"a","title":"t","brief":"b","paths":["x"]}],
            "answers":[{"task":"z","grant":true,"reason":"r"}]}"#;
        assert_eq!(plan(whole).unwrap(), plan(short).unwrap());
        let criteria = [Criterion { name: "brief".into(), about: "all of it".into(), least: 7 }];
        let found = r#"[{"class":"c","path":null,"what":"w","advice":"d"}]"#;
        let score = r#"[{"criterion":"brief","score":3,"evidence":"e"}]"#;
        let review = format!(r#"{{"scores":{score},"findings":{found},"ruling":"reject"}}"#);
        assert_eq!(read_review(&in_block(&review), &criteria).unwrap().findings[0].path, None);
        let done = r#"{"ruling":"done","why":"w","handoff":{"holds":[],"missing":[],"advice":[]}}"#;
        assert!(read_run_verdict(&in_block(done)).is_ok());
    }

    #[test]
    fn only_an_object_alone_stands_in_the_block_and_is_read_as_strictly() {
        for said in ["done", "[1]", "\"{}\"", "{", "{} {}", "```artel\n{}\n```", "{}\n```\n```artel\n{}"] {
            assert_eq!(in_block(said), said);
        }
        let quoting = r#"{"ask":"Is \n```\n the end?"}"#;
        assert_eq!(read_question(&in_block(quoting)).as_deref(), Some("Is \n```\n the end?"));
        let twice = r#"{"ruling":"continue","ruling":"done","why":"w"}"#;
        assert!(read_run_verdict(&in_block(twice)).unwrap_err().to_string().contains("duplicate field"));
    }
}
