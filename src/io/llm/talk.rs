//! Owns the loop: a model is asked, what it calls for is done, and it is asked again until it has said all, or may not go
//! on. Never says what its words are worth.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::context::{ASKED, Context, Note, begun_anew, compact, hand_over, told};
use super::model::{Answer, Ask, Call, Failure, Message, Model, Outcome, Stop};
use super::transcript::{Transcript, TranscriptError};
use crate::io::clock::{Clock, SystemClock};
use crate::io::tools::Toolbox;

/// How long it is waited before a question is asked again, by how often that was done; then it has failed.
const PAUSES_MS: [u64; 4] = [100, 1_000, 4_000, 10_000];
/// Answers in a row that may reach the greatest length.
const LENGTHS: u32 = 3;
/// Calls of one answer that are done; no model calls for more in earnest.
const CALLS: usize = 64;
/// Bytes of a result that a model is shown.
const RESULT_BYTES: usize = 64 << 10;

/// What a model is told of its part that works on files, before its brief.
pub const SYSTEM: &str = include_str!("system.md");
/// The same for one that only reads them.
pub const READING: &str = include_str!("reading.md");

/// What a model is told whose answer was cut off.
const GO_ON: &str = "Your answer reached its greatest length and was cut off. Go on where it ended, in smaller steps.";

/// Bounds a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Answers that it may have.
    pub turns: u32,
    /// When it has to have ended.
    pub until: Instant,
    /// What becomes of its context when that is long.
    pub context: Context,
    /// Where a note for the next context is written down.
    pub note: PathBuf,
}

/// Says how a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The model has said all; these were its last words.
    Said(String),
    /// It could not go on.
    Failed(String),
    /// A limit of hours was met.
    Limited(String),
    /// Nobody wants it any longer.
    Cancelled,
}

/// Tells what a session came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Talked {
    /// How it ended.
    pub end: End,
    /// All that was said in its last context, for who takes it up again.
    pub messages: Vec<Message>,
}

/// Leads one session.
pub struct Talk<'a> {
    /// Who is asked.
    pub model: &'a dyn Model,
    /// What it may call.
    pub tools: &'a dyn Toolbox,
    /// What it is told of its part.
    pub system: String,
    /// What it is to do.
    pub brief: String,
    /// What was said before it ended, where it is taken up again: it is asked what it was asked then.
    pub earlier: Option<Vec<Message>>,
    /// How far it may go.
    pub bounds: Bounds,
    /// Where it is written down.
    pub transcript: Transcript,
    /// Turns true, or loses its sender, when nobody wants it any longer.
    pub cancelled: watch::Receiver<bool>,
}

/// Leaves the loop.
enum Over {
    End(End),
    Unwritten(TranscriptError),
}

impl From<TranscriptError> for Over {
    fn from(error: TranscriptError) -> Self {
        Self::Unwritten(error)
    }
}

impl From<End> for Over {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl Talk<'_> {
    /// Leads the session to its end.
    ///
    /// # Errors
    /// Where it cannot be written down.
    pub async fn run(mut self) -> Result<Talked, TranscriptError> {
        let mut ask = self.first().await?;
        let end = match self.go_on(&mut ask).await {
            Ok(end) | Err(Over::End(end)) => end,
            Err(Over::Unwritten(error)) => return Err(error),
        };
        let line = match &end {
            End::Said(_) => json!({"end": "done"}),
            End::Failed(why) => json!({"end": "failed", "why": why}),
            End::Limited(why) => json!({"end": "limited", "why": why}),
            End::Cancelled => json!({"end": "cancelled"}),
        };
        self.transcript.add(&line).await?;
        Ok(Talked { end, messages: ask.messages })
    }

    /// Says what is asked first.
    async fn first(&mut self) -> Result<Ask, TranscriptError> {
        let mut tools = self.tools.tools();
        if self.bounds.context.tokens > 0 {
            tools.push(hand_over());
        }
        let system = std::mem::take(&mut self.system);
        self.transcript.add(&json!({"system": system, "brief": self.brief})).await?;
        let messages = match self.earlier.take() {
            Some(messages) => {
                self.transcript.add(&json!({"resumed": messages.len()})).await?;
                messages
            }
            None => vec![Message::Said(self.brief.clone())],
        };
        Ok(Ask { system, messages, tools })
    }

    /// Asks until the model has said all.
    async fn go_on(&mut self, ask: &mut Ask) -> Result<End, Over> {
        let (mut turn, mut lengths) = (0, 0);
        while turn < self.bounds.turns {
            turn += 1;
            let answer = match self.asked(ask).await? {
                Ok(answer) => answer,
                Err(too_long) => {
                    // Where nothing was said yet but the brief, a shorter context cannot be had.
                    if ask.messages.len() < 2 || compact(&mut ask.messages) == 0 {
                        return Ok(End::Failed(too_long));
                    }
                    self.transcript.add(&json!({"compacted": too_long})).await?;
                    continue;
                }
            };
            match answer.stop {
                Stop::Refused => {
                    let words = if answer.text.is_empty() { "it says nothing of why" } else { answer.text.as_str() };
                    return Ok(End::Failed(format!("the model refused to go on: {words}")));
                }
                Stop::Done if answer.calls.is_empty() => {
                    let words = answer.text.clone();
                    // No API takes back an answer without a word.
                    if !words.trim().is_empty() {
                        ask.messages.push(Message::Answered(answer));
                    }
                    return Ok(End::Said(words));
                }
                Stop::Length => lengths += 1,
                Stop::Done | Stop::Calls => lengths = 0,
            }
            if lengths > LENGTHS {
                return Ok(End::Failed(format!("{lengths} answers in a row reached their greatest length")));
            }
            let is_long = self.bounds.context.is_long(&answer);
            let calls = answer.calls.clone();
            ask.messages.push(Message::Answered(answer));
            if calls.is_empty() {
                ask.messages.push(Message::Said(GO_ON.to_owned()));
            } else {
                let outcomes = self.done(&calls).await?;
                ask.messages.push(Message::Done(outcomes));
            }
            if is_long {
                self.make_room(ask).await?;
            }
        }
        Ok(End::Failed(format!("it was not done after {turn} answers of its model")))
    }

    /// Asks until there is an answer; gives what the model said where there was more than it can read.
    async fn asked(&mut self, ask: &Ask) -> Result<Result<Answer, String>, Over> {
        let mut pauses = PAUSES_MS.iter();
        loop {
            let asked = self.model.ask(ask);
            let answer = tokio::select! {
                biased;
                () = unwanted(&mut self.cancelled) => return Err(End::Cancelled.into()),
                () = sleep_until(self.bounds.until) => return Err(out_of_time().into()),
                answer = asked => answer,
            };
            let why = match answer {
                Ok(answer) => {
                    self.transcript.add(&line_of(&answer)).await?;
                    return Ok(Ok(answer));
                }
                Err(Failure::TooLong(why)) => return Ok(Err(why)),
                Err(Failure::Lasting(why)) => return Err(End::Failed(why).into()),
                Err(Failure::Limited(why)) => return Err(End::Limited(why).into()),
                Err(Failure::Passing(why)) => why,
            };
            self.transcript.add(&json!({"unanswered": why})).await?;
            let Some(pause_ms) = pauses.next() else { return Err(End::Failed(why).into()) };
            tokio::select! {
                biased;
                () = unwanted(&mut self.cancelled) => return Err(End::Cancelled.into()),
                () = sleep_until(self.bounds.until) => return Err(out_of_time().into()),
                () = sleep(Duration::from_millis(*pause_ms)) => {}
            }
        }
    }

    /// Does what a model calls for, one after the other: what one call changes the next may read.
    async fn done(&mut self, calls: &[Call]) -> Result<Vec<Outcome>, Over> {
        let mut outcomes = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            let from_ms = SystemClock.now_ms();
            let came = if number < CALLS {
                self.called(call).await
            } else {
                Err(format!("not done: {CALLS} calls at one time are the most"))
            };
            let (mut text, is_error) = match came {
                Ok(text) => (text, false),
                Err(why) => (why, true),
            };
            if text.len() > RESULT_BYTES {
                let bytes = text.len();
                text.truncate(text.floor_char_boundary(RESULT_BYTES));
                text.push_str(&format!("\n({bytes} bytes; the rest is not shown)\n"));
            }
            let told = self.tools.news().await;
            let outcome = Outcome { id: call.id.clone(), name: call.name.clone(), text, is_error, told };
            let line = json!({"result": &outcome, "from_ms": from_ms, "to_ms": SystemClock.now_ms()});
            self.transcript.add(&line).await?;
            outcomes.push(outcome);
            if *self.cancelled.borrow() || self.cancelled.has_changed().is_err() {
                return Err(End::Cancelled.into());
            }
            if Instant::now() >= self.bounds.until {
                return Err(out_of_time().into());
            }
        }
        Ok(outcomes)
    }

    async fn called(&self, call: &Call) -> Result<String, String> {
        let arguments = match &call.arguments {
            Value::Object(_) => call.arguments.clone(),
            Value::Null => json!({}),
            Value::String(text) if text.trim().is_empty() => json!({}),
            Value::String(_) => return Err("its arguments are no JSON: they may have been cut off".to_owned()),
            Value::Array(_) | Value::Bool(_) | Value::Number(_) => {
                return Err("its arguments are no JSON object".to_owned());
            }
        };
        if call.name == super::context::HAND_OVER {
            return Err("not now: call it when you are told that your context ends".to_owned());
        }
        self.tools.call(&call.name, arguments).await
    }

    /// Makes a long context shorter, by the role's policy.
    async fn make_room(&mut self, ask: &mut Ask) -> Result<(), Over> {
        use crate::model::role::ContextPolicy;
        let stubs = match self.bounds.context.policy {
            ContextPolicy::Compact => compact(&mut ask.messages),
            ContextPolicy::Reset => 0,
        };
        if stubs > 0 {
            self.transcript.add(&json!({"compacted": format!("{stubs} results")})).await?;
            return Ok(());
        }
        ask.messages.push(Message::Said(ASKED.to_owned()));
        let answered = self.asked(ask).await;
        // Who takes the session up again is asked for a note of its own.
        ask.messages.pop();
        let answer = answered?.map_err(End::Failed)?;
        let note = serde_json::to_string_pretty(&Note::of(&answer)).unwrap_or_default();
        let path = self.bounds.note.clone();
        let unwritten = |error: std::io::Error| End::Failed(format!("failed to write {}: {error}", path.display()));
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(unwritten)?;
        }
        tokio::fs::write(&path, &note).await.map_err(unwritten)?;
        // The new context begins from what lies there.
        let note = tokio::fs::read_to_string(&path).await.map_err(unwritten)?;
        self.transcript.add(&json!({"reset": serde_json::from_str::<Value>(&note).unwrap_or_default()})).await?;
        self.brief.push_str(&told(&ask.messages));
        ask.messages = vec![Message::Said(begun_anew(&self.brief, &note))];
        Ok(())
    }
}

fn out_of_time() -> End {
    End::Failed("it ran out of time".to_owned())
}

/// Waits until a session is no longer wanted; its owner's death says so too.
async fn unwanted(cancelled: &mut watch::Receiver<bool>) {
    let _ = cancelled.wait_for(|cancelled| *cancelled).await;
}

fn line_of(answer: &Answer) -> Value {
    let mut line = json!({"text": answer.text, "calls": answer.calls, "stop": answer.stop});
    if !answer.thought.is_empty() {
        line["thought"] = answer.thought.as_str().into();
    }
    (line["read"], line["written"]) = (answer.read.into(), answer.written.into());
    json!({ "answer": line })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::io::tools::{Pending, Tool};
    use crate::model::role::ContextPolicy;
    use crate::model::secrets::Secrets;

    /// Answers as it was told to, then never; remembers what it was asked.
    #[derive(Default)]
    struct Scripted {
        answers: Mutex<VecDeque<Result<Answer, Failure>>>,
        asked: Mutex<Vec<Ask>>,
    }

    impl Scripted {
        fn of(answers: impl IntoIterator<Item = Result<Answer, Failure>>) -> Self {
            Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() }
        }

        fn asked(&self) -> Vec<Ask> {
            self.asked.lock().unwrap().clone()
        }
    }

    impl Model for Scripted {
        fn ask<'a>(&'a self, ask: &'a Ask) -> Pending<'a, Result<Answer, Failure>> {
            self.asked.lock().unwrap().push(ask.clone());
            let next = self.answers.lock().unwrap().pop_front();
            Box::pin(async move {
                match next {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            })
        }
    }

    /// Says back what it is called with; people say something while it is called with `told`.
    #[derive(Default)]
    struct Echo(Mutex<String>);

    impl Toolbox for Echo {
        fn tools(&self) -> Vec<Tool> {
            vec![Tool { name: "echo".to_owned(), about: String::new(), input: json!({}) }]
        }

        fn call(&self, name: &str, arguments: Value) -> Pending<'_, Result<String, String>> {
            let said = format!("{name} {arguments}");
            self.0.lock().unwrap().push_str(arguments["told"].as_str().unwrap_or_default());
            Box::pin(async move { if arguments["fails"] == true { Err(said) } else { Ok(said) } })
        }

        fn news(&self) -> Pending<'_, String> {
            let news = std::mem::take(&mut *self.0.lock().unwrap());
            Box::pin(async move { news })
        }
    }

    fn says(text: &str) -> Answer {
        let (text, thought, calls, form) = (text.to_owned(), String::new(), Vec::new(), Value::Null);
        Answer { text, thought, calls, stop: Stop::Done, read: 10, written: 1, form }
    }

    fn calls(arguments: impl IntoIterator<Item = Value>) -> Answer {
        let call = |(id, arguments): (usize, Value)| Call { id: id.to_string(), name: "echo".to_owned(), arguments };
        Answer { calls: arguments.into_iter().enumerate().map(call).collect(), stop: Stop::Calls, ..says("") }
    }

    fn stopped(stop: Stop) -> Answer {
        Answer { stop, ..says("half") }
    }

    async fn talked(model: &Scripted, context: Context, cancelled: watch::Receiver<bool>) -> End {
        talked_after(None, model, context, cancelled).await.end
    }

    /// Has a session that begins with what was said in an earlier one, where there was one.
    async fn talked_after(
        earlier: Option<Vec<Message>>,
        model: &Scripted,
        context: Context,
        cancelled: watch::Receiver<bool>,
    ) -> Talked {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let transcript = Transcript::begin(&dir.join("log"), 1 << 20, Secrets::default()).await.unwrap();
        let bounds = Bounds {
            turns: 6,
            until: Instant::now() + Duration::from_secs(3600),
            context,
            note: dir.join("note/note.json"),
        };
        let (system, brief) = ("system".to_owned(), "brief".to_owned());
        let tools = &Echo::default();
        let talk = Talk { model, tools, system, brief, earlier, bounds, transcript, cancelled };
        talk.run().await.unwrap()
    }

    const BOUNDLESS: Context = Context { policy: ContextPolicy::Compact, tokens: 0 };

    async fn ends(answers: impl IntoIterator<Item = Result<Answer, Failure>>) -> (End, Vec<Ask>) {
        let model = Scripted::of(answers);
        let (_sender, cancelled) = watch::channel(false);
        let end = talked(&model, BOUNDLESS, cancelled).await;
        (end, model.asked())
    }

    fn failed(why: &str) -> End {
        End::Failed(why.to_owned())
    }

    #[tokio::test]
    async fn what_is_called_for_is_done_in_order_and_told_at_once() {
        let arguments = [json!({"a": 1}), json!({"fails": true}), json!("{\"cut"), json!([1]), Value::Null];
        let (end, asked) = ends([Ok(calls(arguments)), Ok(says("done"))]).await;
        assert_eq!(end, End::Said("done".to_owned()));
        let Some(Message::Done(outcomes)) = asked[1].messages.last() else { panic!("{asked:?}") };
        let told: Vec<(&str, bool)> = outcomes.iter().map(|it| (it.text.as_str(), it.is_error)).collect();
        let expected = [
            ("echo {\"a\":1}", false),
            ("echo {\"fails\":true}", true),
            ("its arguments are no JSON: they may have been cut off", true),
            ("its arguments are no JSON object", true),
            ("echo {}", false),
        ];
        assert_eq!(told, expected);
        assert_eq!(asked[0].tools, Echo::default().tools(), "no tool for a note where none is wanted");
    }

    #[tokio::test]
    async fn what_a_tool_says_and_how_many_are_called_is_bounded() {
        let long = json!({"long": "é".repeat(RESULT_BYTES)});
        let all = std::iter::once(long).chain((0..CALLS).map(|number| json!({ "number": number })));
        let (_, asked) = ends([Ok(calls(all)), Ok(says("done"))]).await;
        let Some(Message::Done(outcomes)) = asked[1].messages.last() else { panic!("{asked:?}") };
        assert!(outcomes[0].text.len() < RESULT_BYTES + 100 && outcomes[0].text.contains("the rest is not shown"));
        assert_eq!(outcomes.len(), CALLS + 1, "each call is answered");
        assert!(!outcomes[CALLS - 1].is_error && outcomes[CALLS].is_error);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_may_pass_is_asked_again_a_few_times_and_one_that_does_not_never() {
        let passing = || Err(Failure::Passing("500".to_owned()));
        let (end, asked) = ends([passing(), passing(), passing(), passing(), Ok(says("done"))]).await;
        assert_eq!((end, asked.len()), (End::Said("done".to_owned()), 5));
        let (end, asked) = ends((0..9).map(|_| passing())).await;
        assert_eq!((end, asked.len()), (failed("500"), 5));
        let (end, asked) = ends([Err(Failure::Lasting("400".to_owned()))]).await;
        assert_eq!((end, asked.len()), (failed("400"), 1));
        let (end, asked) = ends([Err(Failure::Limited("enough".to_owned()))]).await;
        assert_eq!((end, asked.len()), (End::Limited("enough".to_owned()), 1));
    }

    #[tokio::test]
    async fn a_session_that_a_limit_ended_asks_again_what_it_was_asking() {
        let (_sender, cancelled) = watch::channel(false);
        let stopped = Scripted::of([Ok(calls([json!({"a": 1})])), Err(Failure::Limited("enough".to_owned()))]);
        let Talked { end, messages } = talked_after(None, &stopped, BOUNDLESS, cancelled.clone()).await;
        assert_eq!(end, End::Limited("enough".to_owned()));
        let model = Scripted::of([Ok(says("done"))]);
        let ended = talked_after(Some(messages), &model, BOUNDLESS, cancelled).await.end;
        assert_eq!(ended, End::Said("done".to_owned()));
        assert_eq!(model.asked()[0], stopped.asked()[1], "word for word");
        assert_eq!(model.asked()[0].messages.len(), 3);
    }

    #[tokio::test]
    async fn last_words_are_kept_for_who_goes_on_where_there_are_any() {
        let (_sender, cancelled) = watch::channel(false);
        for (words, kept) in [("I have asked.", 2), (" \n", 1)] {
            let model = Scripted::of([Ok(says(words))]);
            let Talked { end, messages } = talked_after(None, &model, BOUNDLESS, cancelled.clone()).await;
            assert_eq!((end, messages.len()), (End::Said(words.to_owned()), kept));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_its_time_is_over_or_nobody_wants_it() {
        assert_eq!(ends([]).await.0, failed("it ran out of time"));
        let (sender, cancelled) = watch::channel(false);
        let model = Scripted::default();
        let ended = talked(&model, BOUNDLESS, cancelled.clone());
        let (end, ()) = tokio::join!(ended, async { sender.send(true).unwrap() });
        assert_eq!(end, End::Cancelled);
        drop(sender);
        assert_eq!(talked(&model, BOUNDLESS, cancelled).await, End::Cancelled);
    }

    #[tokio::test]
    async fn an_answer_that_was_cut_off_goes_on_and_not_for_ever() {
        let (end, asked) = ends([Ok(stopped(Stop::Length)), Ok(says("whole"))]).await;
        assert_eq!(end, End::Said("whole".to_owned()));
        assert_eq!(asked[1].messages.last(), Some(&Message::Said(GO_ON.to_owned())));
        let (end, asked) = ends((0..9).map(|_| Ok(stopped(Stop::Length)))).await;
        assert_eq!((end, asked.len()), (failed("4 answers in a row reached their greatest length"), 4));
    }

    #[tokio::test]
    async fn a_model_that_refuses_or_never_ends_has_failed() {
        assert_eq!(ends([Ok(stopped(Stop::Refused))]).await.0, failed("the model refused to go on: half"));
        let (end, asked) = ends((0..9).map(|_| Ok(calls([json!({})])))).await;
        assert_eq!((end, asked.len()), (failed("it was not done after 6 answers of its model"), 6));
    }

    #[tokio::test]
    async fn what_is_more_than_a_model_can_read_is_made_shorter_where_it_can_be() {
        let too_long = || Err(Failure::TooLong("too long".to_owned()));
        assert_eq!(ends([too_long()]).await.0, failed("too long"), "there is only the brief");
        let wide = || Ok(calls([json!({"wide": "x".repeat(1000)})]));
        let (end, asked) = ends([wide(), wide(), wide(), wide(), wide(), too_long()]).await;
        assert_eq!(end, failed("it was not done after 6 answers of its model"));
        assert_eq!(asked.len(), 6);
        let (end, _) = ends([wide(), too_long(), Ok(says("done"))]).await;
        assert_eq!(end, failed("too long"), "what is new is not taken out");
    }

    #[tokio::test]
    async fn a_context_that_cannot_be_made_shorter_is_begun_anew() {
        let context = Context { policy: ContextPolicy::Compact, tokens: 50 };
        let long = Answer { read: 50, ..calls([json!({})]) };
        let note = Answer { read: 60, ..says("this is left") };
        let model = Scripted::of([Ok(long), Ok(note), Ok(says("done"))]);
        let (_sender, cancelled) = watch::channel(false);
        assert_eq!(talked(&model, context, cancelled).await, End::Said("done".to_owned()));
        let asked = model.asked();
        assert_eq!(asked[1].messages.last(), Some(&Message::Said(ASKED.to_owned())));
        let [Message::Said(anew)] = &asked[2].messages[..] else { panic!("{asked:?}") };
        assert!(anew.starts_with("brief\n") && anew.contains("> this is left\n"), "{anew}");
        assert!(asked.iter().all(|ask| ask.tools == asked[0].tools), "tools that change would empty the cache");
    }

    #[tokio::test]
    async fn what_people_said_outlives_each_context() {
        let context = Context { policy: ContextPolicy::Reset, tokens: 50 };
        let long = |told: &str| Ok(Answer { read: 50, ..calls([json!({ "told": told })]) });
        let note = || Ok(says("this is left"));
        let model = Scripted::of([long(" Be brief."), note(), long(" Be kind."), note(), Ok(says("done"))]);
        let (_sender, cancelled) = watch::channel(false);
        assert_eq!(talked(&model, context, cancelled).await, End::Said("done".to_owned()));
        let asked = model.asked();
        let begins = |ask: &Ask, words: &str| {
            let [Message::Said(anew)] = &ask.messages[..] else { panic!("{ask:?}") };
            assert!(anew.starts_with(words) && anew.contains("> this is left\n"), "{anew}");
        };
        begins(&asked[2], "brief Be brief.\n");
        begins(&asked[4], "brief Be brief. Be kind.\n");
    }

    #[tokio::test]
    async fn what_people_said_stays_where_results_are_taken_out_or_cut() {
        let context = Context { policy: ContextPolicy::Compact, tokens: 50 };
        let wide = || Ok(calls([json!({"wide": "x".repeat(1000)})]));
        let told = calls([json!({"wide": "x".repeat(2 * RESULT_BYTES), "told": " Be brief."})]);
        let last = Answer { read: 50, ..calls([json!({})]) };
        let model = Scripted::of([Ok(told), wide(), wide(), wide(), Ok(last), Ok(says("done"))]);
        let (_sender, cancelled) = watch::channel(false);
        assert_eq!(talked(&model, context, cancelled).await, End::Said("done".to_owned()));
        let first = |ask: &Ask| {
            let Message::Done(outcomes) = &ask.messages[2] else { panic!("{ask:?}") };
            outcomes[0].clone()
        };
        let (cut, taken) = (first(&model.asked()[1]), first(&model.asked()[5]));
        assert!(cut.text.contains("the rest is not shown") && taken.text.contains("were taken out"), "{taken:?}");
        assert_eq!((cut.told.as_str(), taken.told.as_str()), (" Be brief.", " Be brief."));
    }

    #[tokio::test]
    async fn a_limit_met_while_a_note_is_left_parks_the_session_as_it_stood() {
        let (_sender, cancelled) = watch::channel(false);
        let context = Context { policy: ContextPolicy::Reset, tokens: 50 };
        let long = Answer { read: 50, ..calls([json!({"a": 1})]) };
        let stopped = Scripted::of([Ok(long), Err(Failure::Limited("enough".to_owned()))]);
        let Talked { end, messages } = talked_after(None, &stopped, context, cancelled).await;
        assert_eq!(end, End::Limited("enough".to_owned()));
        let mut asked = stopped.asked()[1].messages.clone();
        assert_eq!(asked.pop(), Some(Message::Said(ASKED.to_owned())));
        assert_eq!(messages, asked, "without being asked for a note");
    }
}
