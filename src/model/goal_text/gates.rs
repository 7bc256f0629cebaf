//! Owns the reading of what waits for a person's word: a list of gates, or a table of gates and rules. Approves nothing.

use std::collections::BTreeSet;

use super::parts::{Sampled, role};
use crate::model::gating::{Gating, Then, Timeout};
use crate::model::goal::Gate;
use crate::model::written::{Faults, Fields, Node, Value, count, duration_s, flag, globs, list, nano_usd, word};

pub(super) const APPROVE: &[&str] =
    &["plan", "sweep", "landing", "delivery", "paths", "roles", "lines", "files", "spend", "timeout", "then"];

const GATES: &[(&str, Gate)] =
    &[("plan", Gate::Plan), ("sweep", Gate::Sweep), ("landing", Gate::Landing), ("delivery", Gate::Delivery)];
const THENS: &[(&str, Then)] =
    &[("deny", Then::Deny), ("approve", Then::Approve), ("stop", Then::Stop), ("escalate", Then::Escalate)];
const REQUIRED: &[(&str, bool)] = &[("required", true), ("none", false)];

/// Reads whether the plan waits for a person's word, as `plan` says it.
pub(super) fn approval(node: &Node, faults: &mut Faults) -> bool {
    word(node, "`approval`", REQUIRED, faults).unwrap_or_default()
}

/// Reads what waits for a person's word.
pub(super) fn approve(node: &Node, sampled: Sampled, faults: &mut Faults) -> (BTreeSet<Gate>, Gating) {
    if matches!(node.value, Value::Map(_)) {
        return table(node, sampled, faults);
    }
    let mut gates = BTreeSet::new();
    for node in list(node, "`approve`", faults) {
        let Some(gate) = word(node, "a gate of `approve`", GATES, faults) else { continue };
        has_a_sample(node, gate, sampled, faults);
        if !gates.insert(gate) {
            faults.add(&node.at, "this gate stands twice in `approve`");
        }
    }
    (gates, Gating::default())
}

fn has_a_sample(node: &Node, gate: Gate, sampled: Sampled, faults: &mut Faults) {
    if gate == Gate::Sweep && sampled == Sampled::No {
        let help = "add `sample: 2` to `plan`, or take `sweep` out of `approve`";
        faults.add_with_help(&node.at, "the gate `sweep` opens after a sample, and there is none", help);
    }
}

fn table(node: &Node, sampled: Sampled, faults: &mut Faults) -> (BTreeSet<Gate>, Gating) {
    let (mut gates, mut gating) = (BTreeSet::new(), Gating::default());
    let Some(mut fields) = Fields::open(node, "`approve`", APPROVE, faults) else { return (gates, gating) };
    for (name, gate) in GATES {
        let Some(node) = fields.take(name) else { continue };
        let is_wanted = match (&node.value, gate) {
            (Value::Text(_), Gate::Plan) => word(node, "`plan`", REQUIRED, faults),
            _ => flag(node, &format!("`{name}`"), faults),
        };
        if is_wanted == Some(true) {
            has_a_sample(node, *gate, sampled, faults);
            gates.insert(*gate);
        }
    }
    if let Some(node) = fields.take("paths") {
        gating.paths = globs(node, "`paths`", faults);
    }
    if let Some(node) = fields.take("roles") {
        let roles = list(node, "`roles`", faults);
        gating.roles = roles.iter().filter_map(|node| role(node, "each of `roles`", faults)).collect();
    }
    gating.lines = fields.take("lines").and_then(|node| count(node, "`lines`", 0..=i64::MAX, faults));
    gating.files = fields.take("files").and_then(|node| count(node, "`files`", 0..=1_000_000, faults));
    gating.nano_usd = fields.take("spend").and_then(|node| nano_usd(node, "`spend`", faults));
    gating.timeout = timeout(&mut fields, faults);
    (gates, gating)
}

/// Reads how long a word is waited for, and what happens then: one is nothing without the other.
fn timeout(fields: &mut Fields, faults: &mut Faults) -> Option<Timeout> {
    let (after, then) = (fields.take("timeout"), fields.take("then"));
    match (after, then) {
        (Some(after), Some(then)) => {
            let after_s = duration_s(after, "`timeout`", faults);
            let then = word(then, "`then`", THENS, faults);
            Some(Timeout { after_s: after_s?, then: then? })
        }
        (Some(node), None) => {
            let help = "add `then: deny`, `approve`, `stop` or `escalate`";
            faults.add_with_help(&node.at, "`timeout` does not say what happens then", help);
            None
        }
        (None, Some(node)) => {
            faults.add_with_help(&node.at, "`then` does not say when", "add `timeout: 8h`");
            None
        }
        (None, None) => None,
    }
}
