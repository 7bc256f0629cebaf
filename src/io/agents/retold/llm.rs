//! Owns what the record of artel's own loop says to a person.

use serde_json::Value;

use super::teller::Teller;

/// Tells a line; gives whether it is one of the loop's.
pub(super) fn tell(to: &mut Teller, line: &Value) -> bool {
    let Some((kind, said)) = line.as_object().and_then(|all| {
        let known = ["brief", "resumed", "answer", "result", "compacted", "reset", "unanswered", "end", "cut"];
        known.into_iter().find_map(|name| Some((name, all.get(name)?)))
    }) else {
        return false;
    };
    let word = said.as_str().unwrap_or_default();
    match kind {
        "brief" => to.note("asks its model"),
        "resumed" => to.note("goes on where it was"),
        "answer" => {
            let text = |name: &str| said[name].as_str().unwrap_or_default();
            if !text("thought").is_empty() {
                to.thought(text("thought"));
            }
            to.said(text("text"));
            for call in said["calls"].as_array().into_iter().flatten() {
                to.calls(call["name"].as_str().unwrap_or_default(), &call["arguments"]);
            }
        }
        "result" => to.answers(said["text"].as_str().unwrap_or_default(), said["is_error"] == true),
        "compacted" => to.note(&format!("its context is made shorter: {word}")),
        "reset" => to.note("begins anew, with a note of what it did"),
        "unanswered" => to.note(&format!("has no answer, and asks again: {word}")),
        "end" => match line["why"].as_str() {
            Some(why) => to.ends(&format!("{word}: {why}"), None, None),
            None => to.ends(word, None, None),
        },
        _ => to.note(&format!("no more is kept: {word}")),
    }
    true
}
