//! Holds the looks of all faces, over runs that the real law told. Never part of the product.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory;
use jiff::tz::TimeZone;

use super::args::Cli;
use super::board_text::{Depth, board as board_lines, glance as glance_lines};
use super::exit::Exit;
use super::log::stamped;
use super::out::inert_json;
use super::paint::{Color, Paint};
use super::seam::{Fact, Fit, Garbage, RoleRow, RunRow};
use super::{cost, diff, doctor, examples, gc, list, plan, roles, show, status};
use crate::machine::command::Ask;
use crate::machine::evolve::evolve;
use crate::machine::snapshot;
use crate::machine::state::State;
use crate::model::goal::Gate;
use crate::model::ids::TaskId;
use crate::model::inert::{is_active, width_of};
use crate::ui::tui::tests as live;
use crate::views::board::{RunningRow, board};
use crate::views::glance::{Glance, ROWS};
use crate::views::inbox::inbox;
use crate::views::line::line;
use crate::views::plan_tree::plan_tree;
use crate::views::story::{HOSTILE, Story};
use crate::views::task::task;
use crate::views::timeline::timeline;

const PLAIN: fn() -> Paint = Paint::plain;

fn text(lines: &[String]) -> String {
    lines.join("\n")
}

fn board_of(story: &Story, depth: Depth, width: usize) -> Vec<String> {
    board_lines(&board(&story.state, &story.outside()).unwrap(), depth, width, PLAIN())
}

#[test]
fn the_board_of_a_run_with_leftovers_at_80_columns() {
    insta::assert_snapshot!(text(&board_of(&Story::incomplete(""), Depth::FULL, 80)));
}

#[test]
fn the_picture_in_the_documents_is_what_a_person_sees() {
    let board = text(&board_of(&Story::incomplete(""), Depth::FULL, 80));
    assert_eq!(include_str!("../../../docs/board.txt").trim_end(), board);
}

#[test]
fn the_board_of_a_run_with_leftovers_at_120_columns() {
    insta::assert_snapshot!(text(&board_of(&Story::incomplete(""), Depth::FULL, 120)));
}

#[test]
fn the_board_of_a_done_run_at_80_columns() {
    insta::assert_snapshot!(text(&board_of(&Story::done(""), Depth::FULL, 80)));
}

#[test]
fn the_board_of_a_run_at_a_gate() {
    let mut story = Story::open("", &[Gate::Plan], 2);
    story.plan(4);
    story.advance();
    insta::assert_snapshot!(text(&board_of(&story, Depth::FULL, 80)));
}

#[test]
fn one_task() {
    let story = Story::incomplete("");
    insta::assert_snapshot!("a_kept_task", text(&show_of(&story, 8, 100)));
    insta::assert_snapshot!("a_landed_task", text(&show_of(&story, 2, 80)));
}

fn show_of(story: &Story, id: u32, width: usize) -> Vec<String> {
    show::lines(&task(&story.state, TaskId(id), story.now_ms).unwrap(), width, PLAIN())
}

#[test]
fn the_plan_as_tree_and_table() {
    let mut story = Story::open("", &[], 2);
    story.plan(6);
    insta::assert_snapshot!(text(&plan::text(&plan_tree(&story.state).unwrap(), 80, PLAIN())));
}

#[test]
fn the_timeline() {
    let story = Story::incomplete("");
    insta::assert_snapshot!(text(&status::timeline_lines(
        &timeline(&story.state, story.now_ms).unwrap(),
        100,
        PLAIN()
    )));
}

#[test]
fn the_cost() {
    let view = crate::views::cost::cost(&Story::incomplete("").state).unwrap();
    insta::assert_snapshot!(text(&cost::lines(&view, 80, PLAIN())));
}

#[test]
fn the_inbox() {
    let mut items = inbox(&Story::incomplete("").state);
    items.truncate(7);
    insta::assert_snapshot!(text(&list::inbox_lines(&items, 120, PLAIN())));
}

fn runs(taint: &str) -> Vec<RunRow> {
    let row = |run: &str, name: Option<&str>, ended| RunRow {
        run: run.parse().unwrap(),
        name: name.map(|name| format!("{name}{taint}")),
        repo: format!("/home/ada/engine{taint}/.git"),
        opened_at_ms: 1_773_500_966_000,
        last_seq: 1204,
        ended,
    };
    vec![row("r-7k2m", Some("TICKET-123"), false), row("r-x93a", None, true)]
}

fn facts(taint: &str) -> Vec<Fact> {
    let fact = |name: &str, fit, found: &str, advice: Option<&str>| Fact {
        name: name.to_owned(),
        fit,
        found: format!("{found}{taint}"),
        advice: advice.map(|advice| format!("{advice}{taint}")),
    };
    vec![
        fact("git", Fit::Good, "2.47.1", None),
        fact("state directory", Fit::Good, "/home/ada/.local/state/artel, writable", None),
        fact("free space", Fit::Weak, "1.2 GiB", Some("clear something away: `artel gc`")),
        fact("repository", Fit::Unfit, "has no commits", Some("commit something: a run starts from a commit")),
    ]
}

fn garbage(taint: &str) -> Vec<Garbage> {
    let (path, why) = (format!("/home/ada/.local/state/artel/trees/3{taint}"), format!("its run has ended{taint}"));
    vec![Garbage { what: "worktree".to_owned(), path, bytes: 81_788_928, why }]
}

fn role_rows(story: &Story) -> Vec<RoleRow> {
    let row = |role: &crate::model::role::Role| RoleRow { role: role.clone(), from: vec!["built in".to_owned()] };
    story.state.opening().roles.values().map(row).collect()
}

fn agents(taint: &str) -> Vec<crate::io::agents::KnownAgent> {
    let mut agents = crate::io::agents::known_agents(&crate::io::agents::Programs::default());
    for known in agents.iter_mut().filter(|known| known.agent == "claude") {
        (known.found, known.installed) = (Some(format!("/home/ada/.local/bin/claude{taint}").into()), true);
        known.version = Some(format!("2.1.330 (Claude Code){taint}"));
    }
    agents
}

#[test]
fn lists_of_runs_roles_facts_and_garbage() {
    insta::assert_snapshot!("runs", text(&list::run_lines(&runs(""), 80, PLAIN(), &TimeZone::UTC)));
    insta::assert_snapshot!("roles", text(&roles::lines(&role_rows(&Story::at_work("")), 100, PLAIN())));
    insta::assert_snapshot!("agents", text(&roles::agent_lines(&agents(""), 120, PLAIN())));
    insta::assert_snapshot!("doctor", text(&doctor::lines(&facts(""), 80, PLAIN())));
    insta::assert_snapshot!("gc", text(&gc::lines(&garbage(""), true, 100, PLAIN())));
}

/// Every text that any face writes for a person about these runs.
fn every_face(story: &Story, taint: &str, width: usize) -> Vec<String> {
    let paint = PLAIN();
    let mut all = board_of(story, Depth::FULL, width);
    all.extend(live::of_story(story, width as u16));
    for id in story.state.tasks.keys() {
        all.extend(show_of(story, id.0, width));
    }
    all.extend(plan::text(&plan_tree(&story.state).unwrap(), width, paint));
    all.extend(status::timeline_lines(&timeline(&story.state, story.now_ms).unwrap(), width, paint));
    all.extend(cost::lines(&crate::views::cost::cost(&story.state).unwrap(), width, paint));
    all.extend(list::inbox_lines(&inbox(&story.state), width, paint));
    all.extend(list::run_lines(&runs(taint), width, paint, &TimeZone::UTC));
    all.extend(roles::lines(&role_rows(story), width, paint));
    all.extend(roles::agent_lines(&agents(taint), width, paint));
    all.extend(doctor::lines(&facts(taint), width, paint));
    all.extend(gc::lines(&garbage(taint), false, width, paint));
    all
}

fn hostile_stories() -> Vec<Story> {
    let mut steered = Story::incomplete(HOSTILE);
    steered.ask("q-1", Ask::Steer { task: Some(TaskId(2)), message: HOSTILE.to_owned() });
    steered.ask("q-2", Ask::DenyTask { task: TaskId(8), reason: HOSTILE.to_owned() });
    steered.ask("q-3", Ask::Revert(TaskId(2)));
    steered.ask("q-4", Ask::Deliver { branch: Some(HOSTILE.to_owned()), onto: None });
    steered.tell(crate::machine::command::Command::ReportDelivery {
        branch: HOSTILE.to_owned(),
        result: Err(HOSTILE.to_owned()),
    });
    vec![steered, Story::at_work(HOSTILE), Story::done(HOSTILE)]
}

#[test]
fn no_face_passes_on_an_active_character() {
    for story in hostile_stories() {
        let lines = every_face(&story, HOSTILE, 120);
        assert!(lines.iter().any(|line| line.contains("\\x1b[31mred")), "the hostile text reached no face");
        for line in lines {
            assert!(!line.chars().any(is_active), "{line:?}");
        }
        let mut state = State::default();
        for recorded in &story.events {
            state = evolve(state, recorded);
            let line = stamped(recorded, &line(&state, recorded), PLAIN(), &TimeZone::UTC);
            assert!(!line.chars().any(is_active), "{line:?}");
        }
        let json = serde_json::to_string(&board(&story.state, &story.outside()).unwrap()).unwrap();
        assert!(!inert_json(&json).chars().any(is_active));
    }
    for line in diff::lines(&format!("+a{HOSTILE}\n-b{HOSTILE}"), PLAIN()) {
        assert!(!line.chars().any(is_active), "{line:?}");
    }
}

#[test]
fn no_face_is_wider_than_its_terminal() {
    for story in hostile_stories() {
        for width in [80, 120] {
            for line in every_face(&story, HOSTILE, width) {
                assert!(width_of(&line) <= width, "{} of {width}: {line}", width_of(&line));
            }
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let sgr = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    let view = |story: &Story| board(&story.state, &story.outside()).unwrap();
    for story in hostile_stories() {
        let painted = board_lines(&view(&story), Depth::FULL, 120, Paint::choose(Color::Always, false));
        let plain = board_lines(&view(&story), Depth::FULL, 120, PLAIN());
        let stripped: Vec<String> = painted.iter().map(|line| sgr.replace_all(line, "").into_owned()).collect();
        assert_eq!(stripped, plain);
        assert!(painted.iter().any(|line| line.contains('\x1b')));
    }
}

#[test]
fn the_shape_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn help_of_every_verb() {
    let mut command = examples::command().term_width(100);
    insta::assert_snapshot!("help", command.render_long_help().to_string());
    command.build();
    let mut all = String::new();
    for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
        let help = verb.render_help();
        all.push_str(&format!("$ artel {} --help\n{help}\n", verb.get_name()));
    }
    insta::assert_snapshot!("help_of_verbs", all);
}

#[test]
fn a_misspelt_verb_or_flag_is_answered_with_the_right_one() {
    use clap::Parser;
    let error = |args: &[&str]| Cli::try_parse_from(args).unwrap_err().to_string();
    assert!(error(&["artel", "statsu"]).contains("'status'"));
    assert!(error(&["artel", "run", "goal.md", "--worker", "3"]).contains("'--workers'"));
    assert!(error(&["artel", "show", "12"]).contains("write t12"));
}

#[test]
fn every_reading_verb_writes_json() {
    let command = Cli::command();
    let has_json = |verb: &str| {
        let verb = command.find_subcommand(verb).unwrap();
        verb.get_arguments().any(|argument| argument.get_long() == Some("json"))
    };
    for verb in ["plan", "status", "list", "inbox", "show", "log", "diff", "cost", "watch", "gc", "doctor", "roles"] {
        assert!(has_json(verb), "{verb}");
    }
}

#[test]
fn exit_codes_are_all_different() {
    let codes: BTreeSet<u8> = super::exit::TABLE.iter().map(|(exit, _)| exit.code()).collect();
    assert!(codes.contains(&Exit::JournalLost.code()) && codes.len() == 16);
}

#[test]
fn a_glance_shows_what_the_whole_board_would() {
    for story in [Story::incomplete(""), Story::at_work(""), Story::done(""), Story::incomplete(HOSTILE)] {
        let mut whole = board(&story.state, &story.outside()).unwrap();
        fn more<T: Clone>(rows: &mut Vec<T>) {
            *rows = rows.iter().cycle().take(if rows.is_empty() { 0 } else { 200 }).cloned().collect();
        }
        more(&mut whole.landed);
        more(&mut whole.scopes);
        more(&mut whole.places);
        more(&mut whole.left);
        for row in whole.left.iter_mut().take(150) {
            (row.has_candidate, row.status) = (false, "dropped".into());
        }
        let kept = snapshot::write(&Glance::of(whole.clone())).unwrap();
        let mut glance: Glance = snapshot::read(&kept).unwrap();
        assert!(glance.board.landed.len() + glance.board.left.len() <= 2 * ROWS + 2);
        let shown = |glance: &Glance| text(&glance_lines(glance, Depth::FULL, 80, PLAIN()));
        assert_eq!(shown(&glance), text(&board_lines(&whole, Depth::FULL, 80, PLAIN())));

        glance.later(whole.now_ms + 1000, &BTreeMap::new());
        let elapsed = |rows: &[RunningRow]| rows.iter().map(|row| row.elapsed_ms).collect::<Vec<_>>();
        let grown: Vec<u64> = elapsed(&whole.running).into_iter().map(|ms| ms + 1000).collect();
        assert_eq!(elapsed(&glance.board.running), grown);
    }
}
