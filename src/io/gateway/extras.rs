//! Owns what a request may ask for beside tokens: tools that run at the provider, which cost more than tokens and reach
//! beyond the sandbox, and faster tiers, which cost more than the list says. Never forbids; names what it found.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Begins the types of tools that run where the client is, or cost nothing but tokens.
const AT_THE_CLIENT: [&str; 13] = [
    "function",
    "custom",
    "local_shell",
    "apply_patch",
    "namespace",
    "tool_search",
    "computer",
    "bash_",
    "text_editor_",
    "memory_",
    "str_replace",
    "shell_command",
    "exec_command",
];
/// Tiers that cost what the list says, or less.
const LIST_TIERS: [&str; 6] = ["auto", "default", "standard", "standard_only", "flex", "unspecified"];

/// Holds what matters of a tool that is offered to a model.
#[derive(Debug, Deserialize)]
pub(super) struct Tool {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    tools: Vec<Tool>,
}

/// Holds the tools that are offered to Gemini.
pub(super) type ToolSet = Vec<BTreeMap<String, IgnoredAny>>;

/// Holds what of a request asks for more speed or another place.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Speed {
    pub(super) service_tier: Option<String>,
    pub(super) speed: Option<String>,
    pub(super) inference_geo: Option<String>,
}

impl Speed {
    /// Names what is not in the price list.
    pub(super) fn extra(&self) -> Option<String> {
        let tier = self.service_tier.as_ref().filter(|tier| !LIST_TIERS.contains(&tier.to_lowercase().as_str()));
        let speed = self.speed.as_ref().filter(|speed| *speed != "standard");
        let geo = self.inference_geo.as_ref().filter(|geo| *geo != "global");
        let named = [("service_tier", tier), ("speed", speed), ("inference_geo", geo)];
        named.into_iter().find_map(|(name, value)| Some(format!("{name} = {}", crate::model::written::shown(value?))))
    }
}

/// Names the first tool that does not run at the client.
pub(super) fn extra_tool(tools: Option<&[Tool]>) -> Option<String> {
    tools.into_iter().flatten().find_map(|tool| {
        let kind = tool.kind.as_deref().filter(|kind| !AT_THE_CLIENT.iter().any(|known| kind.starts_with(known)));
        kind.map(crate::model::written::shown).or_else(|| extra_tool(Some(&tool.tools)))
    })
}

/// Names the first tool of Gemini's that does not run at the client.
pub(super) fn extra_tool_set(tools: Option<&ToolSet>) -> Option<String> {
    let names = tools.into_iter().flatten().flat_map(BTreeMap::keys);
    let is_extra = |name: &&String| !["functionDeclarations", "function_declarations"].contains(&name.as_str());
    names.into_iter().find(is_extra).map(|name| crate::model::written::shown(name))
}
