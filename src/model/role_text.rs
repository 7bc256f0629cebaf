//! The written form of a role: a TOML file, and the `ROLE.FIELD=VALUE` of the command line, each read over what the
//! role was before. Never opens a file.

use super::egress::is_grant;
use super::login::{LOGINS, UNGRANTED};
use super::review::{Criterion, Lens};
use super::role::{AgentRef, CONTEXT_TOKENS, ContextPolicy, Effort, Grants, Limits, Part, Role};
use super::written::{
    Entry, Faults, Fields, Node, SIZE_MAX, Value, count, flag, list, nano_usd, nearest, read_toml, read_toml_value,
    shown, text, word,
};

pub use super::written::Fault;

const ROLE: &[&str] = &[
    "name",
    "about",
    "part",
    "agents",
    "prompt",
    "failover",
    "mechanical",
    "lenses",
    "criteria",
    "effort",
    "context",
    "context_tokens",
    "limits",
    "grants",
];
const LIMITS: &[&str] = &[
    "wall_s",
    "idle_s",
    "output_bytes",
    "attempts",
    "memory_bytes",
    "processes",
    "file_bytes",
    "changed_files",
    "changed_bytes",
    "calls",
    "tokens",
    "usd",
    "depth",
    "fan_out",
    "tasks",
    "rounds",
];
const CRITERION: &[&str] = &["name", "about", "least"];
const GRANTS: &[&str] = &["env", "ports", "read", "write", "toolchains", "egress", "logins"];
const TOOLCHAINS: &[(&str, &str)] =
    &[("cargo", "cargo"), ("npm", "npm"), ("python", "python"), ("go", "go"), ("jvm", "jvm")];
const PARTS: &[(&str, Part)] = &[("planner", Part::Planner), ("worker", Part::Worker), ("judge", Part::Judge)];
const EFFORTS: &[(&str, Effort)] = &[("low", Effort::Low), ("medium", Effort::Medium), ("high", Effort::High)];
const CONTEXTS: &[(&str, ContextPolicy)] = &[("reset", ContextPolicy::Reset), ("compact", ContextPolicy::Compact)];

/// Fields whose values are lists; on the command line a comma parts them.
const LENSES: &[(&str, Lens)] = &[("diff", Lens::Diff), ("result", Lens::Result), ("codebase", Lens::Codebase)];
const LISTS: &[&str] = &[
    "agents",
    "lenses",
    "grants.env",
    "grants.read",
    "grants.write",
    "grants.toolchains",
    "grants.egress",
    "grants.logins",
];

/// Reads a role file over the role that it changes, field by field.
///
/// # Errors
/// All that is wrong with it, in the order of the file; never empty.
pub fn read_over(before: &Role, file: &str) -> Result<Role, Vec<Fault>> {
    let mut faults = Faults::default();
    let node = read_bounded(file, &mut faults);
    let role = node.and_then(|node| over(before.clone(), &node, &mut faults));
    faults.unless_any(role)
}

/// Reads the file of a role that is not built in.
///
/// # Errors
/// All that is wrong with it, in the order of the file; never empty.
pub fn read_new(name: &str, file: &str) -> Result<Role, Vec<Fault>> {
    let mut faults = Faults::default();
    let Some(node) = read_bounded(file, &mut faults) else { return faults.unless_any(None) };
    for (field, help) in [("part", "add `part = \"worker\"`"), ("agents", "add `agents = [\"command:./fix.sh\"]`")] {
        if matches!(&node.value, Value::Map(entries) if entries.iter().all(|entry| entry.name != field)) {
            faults.add_with_help(&(0..0), format!("the new role `{name}` has no `{field}`"), help);
        }
    }
    let blank = Role {
        name: name.to_owned(),
        about: String::new(),
        part: Part::Worker,
        agents: Vec::new(),
        prompt: String::new(),
        failover: false,
        mechanical: false,
        lenses: Vec::new(),
        criteria: Vec::new(),
        effort: None,
        context: ContextPolicy::default(),
        context_tokens: CONTEXT_TOKENS,
        limits: Limits::default(),
        grants: Grants::default(),
    };
    let role = over(blank, &node, &mut faults);
    faults.unless_any(role).map(|mut role| {
        if role.prompt.is_empty() {
            usual_prompt(role.part).clone_into(&mut role.prompt);
        }
        role
    })
}

/// Names the prompt of a role whose file names none; the ladder is shown none.
fn usual_prompt(part: Part) -> &'static str {
    match part {
        Part::Planner => "planner",
        Part::Worker => "worker",
        Part::Judge => "judge",
    }
}

/// Takes the role's name out of `ROLE.FIELD=VALUE`.
///
/// # Errors
/// What is wrong where the text has not this form.
pub fn role_of_setting(setting: &str) -> Result<&str, Vec<Fault>> {
    let path = setting.split_once('=').map(|(path, _)| path);
    if let Some((role, _)) = path.and_then(|path| path.split_once('.')) {
        return Ok(role.trim());
    }
    let mut faults = Faults::default();
    let help = "write ROLE.FIELD=VALUE, such as worker.agents=codemod,command:./fix.sh or worker.limits.wall_s=60";
    faults.add_with_help(&(0..setting.len()), "this sets no field of a role", help);
    faults.unless_any(None)
}

/// Changes a role as a `ROLE.FIELD=VALUE` says.
///
/// # Errors
/// All that is wrong with it, with places in the setting's own text; never empty.
pub fn set(before: &Role, setting: &str) -> Result<Role, Vec<Fault>> {
    role_of_setting(setting)?;
    let mut faults = Faults::default();
    let (path, _) = setting.split_once('=').unwrap_or((setting, ""));
    let from = path.split_once('.').map_or(0, |(role, _)| role.len() + 1);
    let fields = &path[from..];
    let mut node = setting_value(setting, path.len() + 1, LISTS.contains(&fields.trim()));
    let mut end = path.len();
    for field in fields.rsplit('.') {
        let start = end - field.len();
        let entry = Entry { at: start..end, name: field.trim().to_owned(), node };
        node = Node { at: start..setting.len(), value: Value::Map(vec![entry]) };
        end = start.saturating_sub(1);
    }
    let role = over(before.clone(), &node, &mut faults);
    faults.unless_any(role)
}

/// Reads the value of a setting: as TOML where it is TOML, else as the text that it is.
fn setting_value(setting: &str, from: usize, is_list: bool) -> Node {
    let written = setting[from..].trim();
    if is_list && !written.starts_with('[') {
        let mut start = from;
        let parts = setting[from..].split(',').map(|part| {
            let at = start..start + part.len();
            start = at.end + 1;
            Node { at, value: Value::Text(part.trim().to_owned()) }
        });
        return Node { at: from..setting.len(), value: Value::List(parts.collect()) };
    }
    let from = setting.len() - setting[from..].trim_start().len();
    let read = read_toml_value(setting, from..from + written.len())
        .filter(|node| !matches!(node.value, Value::Date(_) | Value::Null));
    read.unwrap_or_else(|| Node { at: from..setting.len(), value: Value::Text(written.to_owned()) })
}

/// Lists the fields that are read, by the part of the file that holds them.
pub fn known_fields() -> Vec<(&'static str, &'static [&'static str])> {
    vec![("Role", ROLE), ("Criterion", CRITERION), ("Limits", LIMITS), ("Grants", GRANTS)]
}

fn read_bounded(file: &str, faults: &mut Faults) -> Option<Node> {
    if file.len() > SIZE_MAX {
        faults.add(&(0..0), format!("the file is larger than {} KiB", SIZE_MAX >> 10));
        return None;
    }
    Some(read_toml(file, faults))
}

fn over(mut role: Role, node: &Node, faults: &mut Faults) -> Option<Role> {
    let mut fields = Fields::open(node, "a role", ROLE, faults)?;
    if let Some(node) = fields.take("name").filter(|node| node.value != Value::Text(role.name.clone())) {
        let help = format!("take the field out: the role is `{}`, after its file", role.name);
        faults.add_with_help(&node.at, "a role is named by its file", help);
    }
    if let Some(about) = fields.take("about").and_then(|node| text(node, "`about`", faults)) {
        role.about = about;
    }
    if let Some(part) = fields.take("part").and_then(|node| word(node, "`part`", PARTS, faults)) {
        role.part = part;
    }
    if let Some(node) = fields.take("agents") {
        role.agents = agents(node, role.part, faults);
    }
    if let Some(prompt) = fields.take("prompt").and_then(|node| text(node, "`prompt`", faults)) {
        role.prompt = prompt;
    }
    if let Some(failover) = fields.take("failover").and_then(|node| flag(node, "`failover`", faults)) {
        role.failover = failover;
    }
    if let Some(mechanical) = fields.take("mechanical").and_then(|node| flag(node, "`mechanical`", faults)) {
        role.mechanical = mechanical;
    }
    if let Some(node) = fields.take("lenses") {
        role.lenses = lenses(node, faults);
    }
    if let Some(node) = fields.take("criteria") {
        role.criteria = list(node, "`criteria`", faults).iter().filter_map(|node| criterion(node, faults)).collect();
    }
    if let Some(effort) = fields.take("effort").and_then(|node| word(node, "`effort`", EFFORTS, faults)) {
        role.effort = Some(effort);
    }
    if let Some(context) = fields.take("context").and_then(|node| word(node, "`context`", CONTEXTS, faults)) {
        role.context = context;
    }
    number(&mut fields, "context_tokens", 0, &mut role.context_tokens, faults);
    if let Some(node) = fields.take("limits") {
        limits(&mut role.limits, node, faults);
    }
    if let Some(node) = fields.take("grants") {
        grants(&mut role.grants, node, faults);
    }
    Some(role)
}

fn agents(node: &Node, part: Part, faults: &mut Faults) -> Vec<AgentRef> {
    let nodes = list(node, "`agents`", faults);
    if matches!(&node.value, Value::List(nodes) if nodes.is_empty()) {
        faults.add(&node.at, "a role without agents can do nothing");
    }
    let mut agents = Vec::new();
    for node in nodes {
        let Some(written) = text(node, "each agent", faults) else { continue };
        match written.trim().parse::<AgentRef>() {
            Err(error) => match nearest(&written, ["codemod", "shard", "whole", "ladder", "claude", "codex"]) {
                Some(meant) => faults.add_with_help(&node.at, error.to_string(), format!("did you mean `{meant}`?")),
                None => faults.add(&node.at, error.to_string()),
            },
            Ok(agent) if !plays(&agent, part) => {
                let part = PARTS.iter().find(|(_, known)| *known == part).map_or("", |(word, _)| word);
                faults.add(&node.at, format!("the agent `{}` cannot be a {part}", shown(&written)));
            }
            Ok(agent) if agents.contains(&agent) => faults.add_with_help(
                &node.at,
                "this agent stands twice",
                "`limits.attempts` says how often each agent is tried",
            ),
            Ok(agent) => agents.push(agent),
        }
    }
    agents
}

fn lenses(node: &Node, faults: &mut Faults) -> Vec<Lens> {
    let mut lenses = Vec::new();
    for node in list(node, "`lenses`", faults) {
        let Some(lens) = word(node, "each lens", LENSES, faults) else { continue };
        if lenses.contains(&lens) {
            faults.add(&node.at, "this lens stands twice");
        } else {
            lenses.push(lens);
        }
    }
    lenses
}

/// Reads `{ name = "...", about = "...", least = 7 }`.
fn criterion(node: &Node, faults: &mut Faults) -> Option<Criterion> {
    let mut fields = Fields::open(node, "a criterion", CRITERION, faults)?;
    let name = fields.take("name").and_then(|node| text(node, "`name`", faults));
    let about = fields.take("about").and_then(|node| text(node, "`about`", faults));
    let least = fields.take("least").map_or(Some(7), |node| count(node, "`least`", 0..=10, faults));
    let (Some(name), Some(about)) = (name, about) else {
        faults.add(&node.at, "a criterion needs a `name` and says what it is `about`");
        return None;
    };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        faults.add(&node.at, "a criterion's name is one word of lower-case letters, digits and dashes");
        return None;
    }
    Some(Criterion { name, about, least: least? })
}

/// Tells whether an agent can play a part.
fn plays(agent: &AgentRef, part: Part) -> bool {
    match (agent, part) {
        (
            AgentRef::Command(_)
            | AgentRef::Claude { .. }
            | AgentRef::Codex { .. }
            | AgentRef::Acp(_)
            | AgentRef::Llm(_),
            _,
        )
        | (AgentRef::Codemod, Part::Worker)
        | (AgentRef::Script(_), Part::Worker | Part::Planner)
        | (AgentRef::Shard | AgentRef::Whole, Part::Planner)
        | (AgentRef::Ladder, Part::Judge) => true,
        (AgentRef::Codemod, Part::Planner | Part::Judge)
        | (AgentRef::Script(_), Part::Judge)
        | (AgentRef::Shard | AgentRef::Whole, Part::Worker | Part::Judge)
        | (AgentRef::Ladder, Part::Planner | Part::Worker)
        | (AgentRef::Revert, Part::Planner | Part::Worker | Part::Judge) => false,
    }
}

fn limits(limits: &mut Limits, node: &Node, faults: &mut Faults) {
    let Some(mut fields) = Fields::open(node, "`limits`", LIMITS, faults) else { return };
    let fields = &mut fields;
    number(fields, "wall_s", 1, &mut limits.wall_s, faults);
    number(fields, "idle_s", 1, &mut limits.idle_s, faults);
    number(fields, "output_bytes", 1, &mut limits.output_bytes, faults);
    number(fields, "attempts", 1, &mut limits.attempts, faults);
    number(fields, "memory_bytes", 0, &mut limits.memory_bytes, faults);
    number(fields, "processes", 0, &mut limits.processes, faults);
    number(fields, "file_bytes", 0, &mut limits.file_bytes, faults);
    number(fields, "changed_files", 1, &mut limits.changed_files, faults);
    number(fields, "changed_bytes", 1, &mut limits.changed_bytes, faults);
    number(fields, "calls", 0, &mut limits.calls, faults);
    number(fields, "tokens", 0, &mut limits.tokens, faults);
    if let Some(nano) = fields.take("usd").and_then(|node| nano_usd(node, "`usd`", faults)) {
        limits.nano_usd = nano;
    }
    number(fields, "depth", 0, &mut limits.depth, faults);
    number(fields, "fan_out", 0, &mut limits.fan_out, faults);
    number(fields, "tasks", 1, &mut limits.tasks, faults);
    number(fields, "rounds", 1, &mut limits.rounds, faults);
}

fn number<T: TryFrom<i64>>(fields: &mut Fields<'_>, name: &str, least: i64, into: &mut T, faults: &mut Faults) {
    if let Some(number) = fields.take(name).and_then(|node| count(node, &format!("`{name}`"), least..=i64::MAX, faults))
    {
        *into = number;
    }
}

fn grants(grants: &mut Grants, node: &Node, faults: &mut Faults) {
    let Some(mut fields) = Fields::open(node, "`grants`", GRANTS, faults) else { return };
    if let Some(node) = fields.take("env") {
        let names = list(node, "`env`", faults).iter();
        grants.env = names.filter_map(|node| super::config_text::variable(node, faults)).collect();
    }
    if let Some(ports) = fields.take("ports").and_then(|node| count(node, "`ports`", 0..=100, faults)) {
        grants.ports = ports;
    }
    for (name, into) in [("read", &mut grants.read), ("write", &mut grants.write)] {
        if let Some(node) = fields.take(name) {
            let paths = list(node, &format!("`{name}`"), faults).iter();
            *into = paths.filter_map(|node| super::config_text::absolute_path(node, faults)).collect();
        }
    }
    if let Some(node) = fields.take("toolchains") {
        let names = list(node, "`toolchains`", faults).iter();
        let known = names.filter_map(|node| word(node, "each toolchain", TOOLCHAINS, faults));
        grants.toolchains = Some(known.map(str::to_owned).collect());
    }
    if let Some(node) = fields.take("logins") {
        let names = list(node, "`logins`", faults).iter();
        grants.logins = names.filter_map(|node| login(node, faults)).map(str::to_owned).collect();
    }
    if let Some(node) = fields.take("egress") {
        let names = list(node, "`egress`", faults).iter();
        grants.egress = names.filter_map(|node| egress(node, faults)).collect();
    }
}

/// Reads an agent whose login may be used.
fn login(node: &Node, faults: &mut Faults) -> Option<&'static str> {
    if let Value::Text(named) = &node.value
        && let Some((name, why)) = UNGRANTED.iter().find(|(name, _)| name == named)
    {
        faults.add_with_help(&node.at, format!("the login of {name} cannot be granted"), *why);
        return None;
    }
    word(node, "each login", &LOGINS.map(|login| (login.agent, login.agent)), faults)
}

/// Reads a registry or a host that may be reached.
fn egress(node: &Node, faults: &mut Faults) -> Option<String> {
    let named = text(node, "each way out", faults)?;
    if !is_grant(&named) {
        let help = "write crates, go, maven, npm, pypi, or the whole name of a host, such as registry.example.com";
        faults.add_with_help(&node.at, "this names no registry and no host", help);
        return None;
    }
    Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> Role {
        read_new("worker", "part = 'worker'\nagents = ['codemod']\nabout = 'x'").unwrap()
    }

    fn faults(setting: &str) -> Vec<String> {
        let found = set(&worker(), setting).unwrap_err();
        found.iter().map(|fault| format!("{}: {}", &setting[fault.at.clone()], fault.what)).collect()
    }

    #[test]
    fn a_file_changes_a_role_field_by_field() {
        let role = read_over(&worker(), "[limits]\nwall_s = 60\n").unwrap();
        assert_eq!((role.limits.wall_s, role.limits.idle_s), (60, Limits::default().idle_s));
        assert_eq!((role.agents, role.about), (worker().agents, "x".to_owned()));
    }

    #[test]
    fn a_way_out_is_a_registry_or_the_whole_name_of_a_host() {
        let role = set(&worker(), "worker.grants.egress=npm,registry.example.com").unwrap();
        assert_eq!(role.grants.egress, ["npm".to_owned(), "registry.example.com".to_owned()].into());
        for wrong in ["*", "127.0.0.1", "registry.example.com:8443", "https://crates.io", "crate"] {
            let found = faults(&format!("worker.grants.egress={wrong}"));
            assert_eq!(found, [format!("{wrong}: this names no registry and no host")]);
        }
    }

    #[test]
    fn a_login_is_granted_that_can_be_given_and_of_others_it_is_said_why_not() {
        let role = set(&worker(), "worker.grants.logins=gemini,copilot").unwrap();
        assert_eq!(role.grants.logins, ["copilot".to_owned(), "gemini".to_owned()].into());
        let found = set(&worker(), "worker.grants.logins=qwen").unwrap_err();
        assert_eq!((found.len(), found[0].what.as_str()), (1, "the login of qwen cannot be granted"));
        assert!(found[0].help.as_deref().unwrap().contains("by a key alone"), "{found:?}");
        assert_eq!(faults("worker.grants.logins=everybody"), ["everybody: each login cannot be `everybody`"]);
    }

    #[test]
    fn a_setting_changes_one_field() {
        let role = set(&worker(), "worker.agents=codemod, command:./fix.sh").unwrap();
        assert_eq!(role.agents, [AgentRef::Codemod, AgentRef::Command("./fix.sh".into())]);
        let role = set(&worker(), "worker.agents=['command:./fix.sh a,b']").unwrap();
        assert_eq!(role.agents, [AgentRef::Command("./fix.sh a,b".into())]);
        assert_eq!(set(&worker(), "worker.limits.wall_s=60").unwrap().limits.wall_s, 60);
        assert!(set(&worker(), "worker.mechanical = true").unwrap().mechanical);
        assert_eq!(set(&worker(), "worker.prompt=other").unwrap().prompt, "other");
        assert_eq!(set(&worker(), "worker.grants.env=A,B").unwrap().grants.env.len(), 2);
    }

    #[test]
    fn a_role_says_what_becomes_of_a_long_context() {
        let role = set(&worker(), "worker.context=compact").unwrap();
        assert_eq!((role.context, role.context_tokens), (ContextPolicy::Compact, CONTEXT_TOKENS));
        assert_eq!(set(&role, "worker.context_tokens=9").unwrap().context_tokens, 9);
        assert_eq!(set(&role, "worker.effort=high").unwrap().effort, Some(Effort::High));
        assert!(faults("worker.context=forget")[0].contains("`context`"));
    }

    #[test]
    fn what_is_wrong_with_a_setting_is_named_at_its_place() {
        for (setting, expected) in [
            ("worker.agnets=codemod", "agnets: a role has no field `agnets`"),
            ("worker.limits.wal_s=1", "wal_s: `limits` has no field `wal_s`"),
            ("worker.limits.wall_s=soon", "soon: `wall_s` must be a whole number, not the text `soon`"),
            ("worker.limits.wall_s=0", "0: `wall_s` is at least 1, not 0"),
            ("worker.limits=1", "1: `limits` is a table of fields, not the number 1"),
            ("worker.agents=shard", "shard: the agent `shard` cannot be a worker"),
            ("worker.agents=", ": each agent is empty"),
            ("worker.agents=[]", "[]: a role without agents can do nothing"),
            ("worker.about.x.y=1", "x.y=1: `about` must be a text, not a table of fields"),
            ("worker", "worker: this sets no field of a role"),
            ("=", "=: this sets no field of a role"),
        ] {
            assert_eq!(faults(setting), [expected], "{setting}");
        }
        let misspelt = set(&worker(), "worker.agents=codmod").unwrap_err();
        assert_eq!(misspelt[0].help.as_deref(), Some("did you mean `codemod`?"));
    }

    #[test]
    fn agents_with_sessions_of_their_own_play_every_part() {
        for agent in ["claude", "claude:opus", "codex", "codex:o", "acp:goose acp", "command:./think.sh", "llm:gpt-5.6"]
        {
            for part in ["worker", "planner", "judge"] {
                let role = read_new("some", &format!("part = '{part}'\nagents = ['{agent}']\nabout = 'x'")).unwrap();
                assert_eq!((role.sessions().count(), role.prompt.as_str()), (1, part));
            }
        }
        for (agent, part) in [("codemod", "planner"), ("script:a.yml", "judge"), ("ladder", "worker")] {
            let faults = read_new("some", &format!("part = '{part}'\nagents = ['{agent}']\nabout = 'x'")).unwrap_err();
            assert_eq!(faults[0].what, format!("the agent `{agent}` cannot be a {part}"));
        }
    }

    #[test]
    fn a_judge_says_through_which_lenses_it_looks_and_what_it_scores() {
        let judge =
            |text: &str| read_new("strict", &format!("part = 'judge'\nagents = ['claude']\nabout = 'x'\n{text}"));
        let role =
            judge("lenses = ['diff', 'codebase']\ncriteria = [{ name = 'api', about = 'no call changes' }]").unwrap();
        assert_eq!(role.lenses, [Lens::Diff, Lens::Codebase]);
        assert_eq!(role.criteria, [Criterion { name: "api".into(), about: "no call changes".into(), least: 7 }]);
        for (text, what) in [
            ("lenses = ['diff', 'diff']", "this lens stands twice"),
            ("criteria = [{ name = 'api' }]", "a criterion needs a `name` and says what it is `about`"),
            ("criteria = [{ name = 'The API', about = 'x' }]", "a criterion's name is one word of lower-case letters"),
        ] {
            let faults = judge(text).unwrap_err();
            assert!(faults[0].what.starts_with(what), "{faults:?}");
        }
    }

    #[test]
    fn a_new_role_says_its_part_and_its_agents() {
        assert_eq!(read_new("fixer", "").unwrap_err().len(), 2);
        assert!(read_over(&worker(), "name = 'other'").is_err());
        assert!(read_over(&worker(), "name = 'worker'").is_ok());
    }
}
