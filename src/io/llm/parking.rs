//! Owns what was said in a session that a limit or a question ended, written down so that it is taken up again word for word.
//! Never says when.

use std::io;
use std::path::Path;

use super::model::Message;
use crate::io::files::atomic_write;

/// Longest that is read, in bytes; no model reads as much.
const BYTES_MOST: u64 = 64 << 20;

/// Writes down what was said, for who takes the session up again; tells whether it is there. Without that, it is begun anew.
pub async fn park(place: &Path, messages: &[Message]) -> bool {
    let written = write(place, messages).await;
    if let Err(error) = &written {
        tracing::warn!(place = %place.display(), error = %error, "a session cannot be taken up again");
    }
    written.is_ok()
}

async fn write(place: &Path, messages: &[Message]) -> io::Result<()> {
    let text = serde_json::to_vec(messages)?;
    let place = place.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder)?;
        }
        atomic_write(&place, &text).map_err(io::Error::other)
    });
    written.await.map_err(io::Error::other)?
}

/// Reads what was said; nothing where nothing that is sound lies there.
pub fn parked(place: &Path) -> Option<Vec<Message>> {
    let length = std::fs::symlink_metadata(place).ok().filter(|it| it.is_file())?.len();
    let text = (length <= BYTES_MOST).then(|| std::fs::read(place).ok()).flatten()?;
    let messages: Vec<Message> = serde_json::from_slice(&text).ok()?;
    (!messages.is_empty()).then_some(messages)
}

/// Adds to what was said what is told before the model goes on; that and the brief of who goes on hold all that people said.
pub fn told_further(mut messages: Vec<Message>, words: String) -> Vec<Message> {
    for message in &mut messages {
        if let Message::Done(outcomes) = message {
            outcomes.iter_mut().for_each(|outcome| outcome.text.push_str(&std::mem::take(&mut outcome.told)));
        }
    }
    // What was not answered and what is told now are one message: no API is asked twice in a row by the same side.
    match messages.last_mut() {
        Some(Message::Said(asked)) => {
            asked.push_str("\n\n");
            asked.push_str(&words);
        }
        Some(Message::Answered(_) | Message::Done(_)) | None => messages.push(Message::Said(words)),
    }
    messages
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::io::llm::model::{Answer, Call, Outcome, Stop};

    #[tokio::test]
    async fn what_was_said_is_read_back_word_for_word() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("t1.1-note/turns.json");
        assert_eq!(parked(&place), None);
        let call = Call { id: "1".to_owned(), name: "read".to_owned(), arguments: json!({"path": "a"}) };
        let answer = Answer {
            text: "I look.".to_owned(),
            thought: "hm".to_owned(),
            calls: vec![call],
            stop: Stop::Calls,
            read: 7,
            written: 3,
            form: json!([{"signature": "c2ln"}]),
        };
        let (id, name, text, told) = ("1".to_owned(), "read".to_owned(), "x".to_owned(), " Be brief.".to_owned());
        let outcome = Outcome { id, name, text, is_error: false, told };
        let messages =
            vec![Message::Said("Mend it.".to_owned()), Message::Answered(answer), Message::Done(vec![outcome])];
        assert!(park(&place, &messages).await);
        assert!(!park(&place.join("below-a-file"), &messages).await);
        assert_eq!(parked(&place), Some(messages));
        let further = told_further(parked(&place).unwrap(), "Go on.".to_owned());
        assert_eq!((further.len(), further.last()), (4, Some(&Message::Said("Go on.".to_owned()))));
        let Message::Done(outcomes) = &further[2] else { panic!("{further:?}") };
        assert_eq!((outcomes[0].text.as_str(), outcomes[0].told.as_str()), ("x Be brief.", ""), "who goes on knows it");
        let asked = told_further(vec![Message::Said("Mend it.".to_owned())], "Go on.".to_owned());
        assert_eq!(asked, [Message::Said("Mend it.\n\nGo on.".to_owned())]);
        for broken in ["[]", "", "{", "[{\"Said\": 7}]"] {
            std::fs::write(&place, broken).unwrap();
            assert_eq!(parked(&place), None, "{broken}");
        }
    }
}
