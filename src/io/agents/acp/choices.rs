//! Owns what the client chooses where an agent offers a choice: the most that it may do, since the sandbox holds it. Asks
//! nobody.

use agent_client_protocol_schema::v1::{PermissionOption, PermissionOptionId, PermissionOptionKind};
use serde_json::Value;

/// Modes in which agents ask least, by the names that agents give them, most wanted first.
const MODES: [&str; 10] = [
    "bypassPermissions",
    "agent-full-access",
    "yolo",
    "autopilot",
    "auto-approve",
    "auto",
    "acceptEdits",
    "accept-edits",
    "autoEdit",
    "auto-edit",
];

/// Names under which agents let be chosen how hard they think, the protocol's own first.
const EFFORTS: [&str; 4] = ["thought_level", "effort", "reasoning_effort", "thinking"];

/// Says how a session is set to something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// By its mode.
    Mode(String),
    /// By an option of its configuration: the option's name and the value.
    Option(String, String),
}

/// Chooses the mode in which a session asks least; nothing where it offers none that is known, or has it already.
pub(super) fn mode(session: &Value) -> Option<Choice> {
    let modes = &session["modes"];
    if let Some(offered) = modes["availableModes"].as_array() {
        let ids: Vec<&str> = offered.iter().filter_map(|mode| mode["id"].as_str()).collect();
        let wanted = first_of(&ids)?;
        return (modes["currentModeId"] != wanted).then(|| Choice::Mode(wanted.to_owned()));
    }
    of_option(session, &["mode"], first_of)
}

/// Chooses how hard a session thinks; nothing where it offers no such choice, or not this one, or has it already.
pub(super) fn effort(session: &Value, wanted: &str) -> Option<Choice> {
    of_option(session, &EFFORTS, |values| values.iter().find(|value| **value == wanted).copied())
}

/// Chooses among the values of the option of a session's configuration that is of such a category, or has such a name.
fn of_option(
    session: &Value,
    names: &[&str],
    choose: impl for<'v> Fn(&[&'v str]) -> Option<&'v str>,
) -> Option<Choice> {
    let is_one = |value: &Value| value.as_str().is_some_and(|name| names.contains(&name));
    let options = session["configOptions"].as_array()?;
    let option = options.iter().find(|option| is_one(&option["category"]) || is_one(&option["id"]))?;
    // Values may stand in groups.
    let values = option["options"].as_array()?.iter().flat_map(|value| match value["options"].as_array() {
        Some(group) => group.iter().collect::<Vec<_>>(),
        None => vec![value],
    });
    let values: Vec<&str> = values.filter_map(|value| value["value"].as_str()).collect();
    let wanted = choose(&values)?;
    let id = option["id"].as_str()?;
    (option["currentValue"] != wanted).then(|| Choice::Option(id.to_owned(), wanted.to_owned()))
}

fn first_of<'a>(offered: &[&'a str]) -> Option<&'a str> {
    MODES.iter().find_map(|wanted| offered.iter().find(|offered| *offered == wanted)).copied()
}

/// Chooses what lets an agent go on; nothing where it may only be refused.
pub(super) fn permission(options: &[PermissionOption]) -> Option<PermissionOptionId> {
    let of = |kind: PermissionOptionKind| options.iter().find(|option| option.kind == kind);
    let chosen = of(PermissionOptionKind::AllowAlways).or_else(|| of(PermissionOptionKind::AllowOnce));
    chosen.map(|option| option.option_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_mode_that_asks_least_is_chosen() {
        let modes = |current: &str, ids: &[&str]| {
            let ids: Vec<Value> = ids.iter().map(|id| json!({"id": id, "name": id})).collect();
            mode(&json!({"modes": {"currentModeId": current, "availableModes": ids}}))
        };
        let some = |id: &str| Some(Choice::Mode(id.to_owned()));
        assert_eq!(
            modes("auto", &["default", "acceptEdits", "plan", "auto", "bypassPermissions"]),
            some("bypassPermissions")
        );
        assert_eq!(modes("default", &["default", "autoEdit", "yolo", "plan"]), some("yolo"));
        assert_eq!(
            modes("agent", &["read-only", "workspace-write", "agent", "agent-full-access"]),
            some("agent-full-access")
        );
        assert_eq!(modes("approve", &["auto", "approve", "smart_approve", "chat"]), some("auto"));
        assert_eq!(modes("auto", &["auto", "approve"]), None);
        assert_eq!(modes("build", &["build", "plan"]), None);
        let option = json!({"configOptions": [
            {"id": "model", "category": "model", "currentValue": "a", "options": [{"value": "yolo"}]},
            {"id": "permissions", "category": "mode", "currentValue": "plan", "options": [{"group": "g", "options": [{"value": "yolo"}]}, {"value": "plan"}]},
        ]});
        assert_eq!(mode(&option), Some(Choice::Option("permissions".to_owned(), "yolo".to_owned())));
        for garbage in [
            json!(null),
            json!({"modes": 7}),
            json!({"modes": {"availableModes": [7, {}]}}),
            json!({"configOptions": [1]}),
        ] {
            assert_eq!(mode(&garbage), None, "{garbage}");
        }
    }

    #[test]
    fn how_hard_is_thought_is_chosen_where_that_is_offered() {
        let session = json!({"configOptions": [
            {"id": "mode", "category": "mode", "currentValue": "low", "options": [{"value": "high"}]},
            {"id": "effort", "category": "thought_level", "currentValue": "low", "options": [{"value": "low"}, {"value": "high"}]},
        ]});
        assert_eq!(effort(&session, "high"), Some(Choice::Option("effort".to_owned(), "high".to_owned())));
        assert_eq!(effort(&session, "low"), None, "it has it already");
        assert_eq!(effort(&session, "medium"), None, "it is not offered");
        assert_eq!(effort(&json!({"configOptions": [{"id": "x"}, 7]}), "high"), None);
    }

    #[test]
    fn who_may_go_on_for_good_does() {
        let option = |id: &str, kind| PermissionOption::new(id.to_owned(), "a name", kind);
        let (once, always) = (PermissionOptionKind::AllowOnce, PermissionOptionKind::AllowAlways);
        let reject = PermissionOptionKind::RejectOnce;
        let chosen = |options: &[PermissionOption]| permission(options).map(|id| id.to_string());
        assert_eq!(chosen(&[option("o", once), option("a", always), option("r", reject)]).as_deref(), Some("a"));
        assert_eq!(chosen(&[option("r", reject), option("o", once)]).as_deref(), Some("o"));
        assert_eq!(chosen(&[option("r", reject)]), None);
        assert_eq!(chosen(&[]), None);
    }
}
