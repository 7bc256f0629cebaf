//! Owns how a tool's arguments are described and read: by one type, so that what is said of them is what is taken.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Gives the schema of a tool's arguments, whole in one piece: not every client follows references.
pub fn schema_of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    (settings.inline_subschemas, settings.meta_schema) = (true, None);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.into()
}

/// Reads a tool's arguments.
///
/// # Errors
/// Says to the model where they do not fit their schema.
pub fn arguments<T: DeserializeOwned>(tool: &str, arguments: Value) -> Result<T, String> {
    let is_object = arguments.is_object();
    let read = serde_json::from_value(arguments);
    let read = if is_object { read.map_err(|error| error.to_string()) } else { Err("they are no object".to_owned()) };
    read.map_err(|why| format!("the arguments do not fit the schema of `{tool}`: {why}"))
}
