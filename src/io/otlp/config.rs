//! Owns where the user says that telemetry goes: one line of `telemetry.toml`, or the variables that all programs which
//! speak OTLP read. Never opens a file.

use std::collections::BTreeMap;

use crate::model::written::{Fault, Faults, Fields, SIZE_MAX, read_toml, text};

const FILE: &[&str] = &["otlp"];
/// What a collector listens at for OTLP over HTTP, for the help of a fault.
const USUAL: &str = "such as http://localhost:4318";

/// Says where telemetry goes, and what is said of whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpConfig {
    /// The collector, without the path of a signal.
    pub endpoint: String,
    /// Headers of each request, such as a key.
    pub headers: Vec<(String, String)>,
    /// What this program is called.
    pub service: String,
    /// What else is said of it.
    pub resource: Vec<(String, String)>,
}

impl OtlpConfig {
    /// Reads `telemetry.toml`, empty where there is none, and the variables, which stand before it; nothing where telemetry
    /// is off.
    ///
    /// # Errors
    /// All that is wrong with the file, in its order, or what is wrong with a variable.
    pub fn read(file: &str, env: &BTreeMap<String, String>) -> Result<Option<Self>, Vec<Fault>> {
        let mut faults = Faults::default();
        let written = if file.len() > SIZE_MAX {
            faults.add(&(0..0), format!("the file is larger than {} KiB", SIZE_MAX >> 10));
            None
        } else {
            from_file(file, &mut faults)
        };
        let var = |name: &str| env.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let given = var("OTEL_EXPORTER_OTLP_ENDPOINT");
        if let (Some(given), false) = (given, given.is_none_or(is_endpoint)) {
            let what = format!("OTEL_EXPORTER_OTLP_ENDPOINT is `{given}`, which is no address of HTTP");
            faults.add_with_help(&(0..0), what, USUAL);
        }
        let endpoint = given.map(str::to_owned).or(written);
        let protocol = var("OTEL_EXPORTER_OTLP_PROTOCOL").filter(|protocol| *protocol != "http/protobuf");
        if let (Some(protocol), true) = (protocol, endpoint.is_some()) {
            let what = format!("OTEL_EXPORTER_OTLP_PROTOCOL is `{protocol}`, and artel speaks `http/protobuf` alone");
            faults.add_with_help(&(0..0), what, USUAL);
        }
        let is_off = var("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let config = endpoint.filter(|_| !is_off).map(|endpoint| Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            headers: var("OTEL_EXPORTER_OTLP_HEADERS").map(pairs).unwrap_or_default(),
            service: var("OTEL_SERVICE_NAME").unwrap_or("artel").to_owned(),
            resource: var("OTEL_RESOURCE_ATTRIBUTES").map(pairs).unwrap_or_default(),
        });
        faults.unless_any(Some(config))
    }
}

fn from_file(file: &str, faults: &mut Faults) -> Option<String> {
    let node = read_toml(file, faults);
    let mut fields = Fields::open(&node, "`telemetry.toml`", FILE, faults)?;
    let node = fields.take("otlp")?;
    let endpoint = text(node, "`otlp`", faults)?;
    if !is_endpoint(&endpoint) {
        faults.add_with_help(&node.at, "`otlp` is no address of HTTP", USUAL);
    }
    Some(endpoint)
}

fn is_endpoint(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['@', ' ', '?', '#']))
}

/// Reads `name=value` pairs with commas between them, values as they stand in addresses.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), unescaped(value.trim())))
    };
    text.split(',').filter_map(pair).collect()
}

/// Puts `%` and two digits back into the byte that they stand for.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, vars: &[(&str, &str)]) -> Result<Option<OtlpConfig>, Vec<Fault>> {
        let env = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        OtlpConfig::read(file, &env)
    }

    #[test]
    fn one_line_or_one_variable_turns_it_on() {
        assert_eq!(read("", &[]), Ok(None));
        let config = read("otlp = \"http://localhost:4318/\"", &[]).unwrap().unwrap();
        assert_eq!((config.endpoint.as_str(), config.service.as_str()), ("http://localhost:4318", "artel"));
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.test/otlp"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc=, x-team = blue"),
            ("OTEL_SERVICE_NAME", "artel-night"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=night,broken"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ];
        let config = read("otlp = \"http://localhost:4318\"", &vars).unwrap().unwrap();
        assert_eq!(config.endpoint, "https://collector.test/otlp");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(config.headers, [pair("authorization", "Basic abc="), pair("x-team", "blue")]);
        assert_eq!(config.resource, [pair("deployment.environment.name", "night")]);
        let off = [vars[0], ("OTEL_SDK_DISABLED", "TRUE")];
        assert_eq!(read("", &off), Ok(None));
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        for (file, vars, what) in [
            ("otlp = \"localhost:4318\"", &[][..], "`otlp` is no address"),
            ("otlp = \"http://user:key@localhost\"", &[], "`otlp` is no address"),
            ("oltp = \"http://localhost:4318\"", &[], "no field `oltp`"),
            ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317")], "no address of HTTP"),
            ("otlp = \"http://localhost:4317\"", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "`http/protobuf` alone"),
        ] {
            let faults = read(file, vars).unwrap_err();
            assert!(faults[0].what.contains(what), "{faults:?}");
        }
        assert_eq!(read("", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), Ok(None));
    }
}
