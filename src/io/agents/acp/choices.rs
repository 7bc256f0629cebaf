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

/// Says how a session is set to another mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// By its mode.
    Mode(String),
    /// By an option of its configuration: the option's name and the value.
    Option(String, String),
}

/// Chooses the mode in which a session asks least; nothing where it offers none that is known, or has it already.
pub(super) fn mode(session: &Value) -> Option<Mode> {
    let modes = &session["modes"];
    if let Some(offered) = modes["availableModes"].as_array() {
        let ids: Vec<&str> = offered.iter().filter_map(|mode| mode["id"].as_str()).collect();
        let wanted = first_of(&ids)?;
        return (modes["currentModeId"] != wanted).then(|| Mode::Mode(wanted.to_owned()));
    }
    let options = session["configOptions"].as_array()?;
    let option = options.iter().find(|option| option["category"] == "mode" || option["id"] == "mode")?;
    // Values may stand in groups.
    let values = option["options"].as_array()?.iter().flat_map(|value| match value["options"].as_array() {
        Some(group) => group.iter().collect::<Vec<_>>(),
        None => vec![value],
    });
    let values: Vec<&str> = values.filter_map(|value| value["value"].as_str()).collect();
    let wanted = first_of(&values)?;
    let id = option["id"].as_str()?;
    (option["currentValue"] != wanted).then(|| Mode::Option(id.to_owned(), wanted.to_owned()))
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
        let some = |id: &str| Some(Mode::Mode(id.to_owned()));
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
        assert_eq!(mode(&option), Some(Mode::Option("permissions".to_owned(), "yolo".to_owned())));
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
