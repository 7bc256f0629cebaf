//! Owns what agents, providers and models are called in telemetry. Never tells a command line, which may hold a secret.

use crate::model::inert::fit;
use crate::model::role::AgentRef;
use crate::model::telemetry::Attributes;

/// Names an agent by its kind.
pub fn agent_name(agent: &AgentRef) -> &'static str {
    match agent {
        AgentRef::Codemod => "codemod",
        AgentRef::Command(_) => "command",
        AgentRef::Script(_) => "script",
        AgentRef::Claude { .. } => "claude",
        AgentRef::Codex { .. } => "codex",
        AgentRef::Acp(_) => "acp",
        AgentRef::Llm(_) => "llm",
        AgentRef::Shard => "shard",
        AgentRef::Whole => "whole",
        AgentRef::Ladder => "ladder",
        AgentRef::Revert => "revert",
    }
}

/// Names a model or a host as it was asked for: one line, and no longer than a name is.
pub(super) fn named(text: &str) -> String {
    fit(text, 120)
}

/// Names a provider as the conventions do.
pub(super) fn provider_name(provider: &str) -> &str {
    match provider {
        "gemini" => "gcp.gemini",
        "bedrock" => "aws.bedrock",
        "vertex" => "gcp.vertex_ai",
        "azure" => "azure.ai.openai",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        other => other,
    }
}

/// Tells who an agent is.
pub(super) fn invoked(agent: &AgentRef, id: String, role: &str) -> Attributes {
    let mut attributes = Attributes::from([
        ("gen_ai.operation.name", "invoke_agent".into()),
        ("gen_ai.agent.name", agent_name(agent).into()),
        ("gen_ai.agent.id", id.into()),
        ("artel.role", role.into()),
    ]);
    let model = match agent {
        AgentRef::Claude { model } => Some(("anthropic", model.clone())),
        AgentRef::Codex { model } => Some(("openai", model.clone())),
        AgentRef::Llm(name) => Some((provider_name(name.provider()), Some(name.model().to_owned()))),
        AgentRef::Codemod
        | AgentRef::Command(_)
        | AgentRef::Script(_)
        | AgentRef::Acp(_)
        | AgentRef::Shard
        | AgentRef::Whole
        | AgentRef::Ladder
        | AgentRef::Revert => None,
    };
    if let Some((provider, model)) = model {
        attributes.insert("gen_ai.provider.name", provider.into());
        attributes.extend(model.map(|model| ("gen_ai.request.model", model.into())));
    }
    attributes
}
