//! Owns one session with an agent, from the first word to the end of its only turn. Lends the agent nothing of its own:
//! neither files nor terminals. Trusts no order in what it hears.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use agent_client_protocol_schema::ProtocolVersion;
use agent_client_protocol_schema::v1::{
    ClientCapabilities, ContentBlock, Implementation, InitializeRequest, InitializeResponse, NewSessionRequest,
    NewSessionResponse, PromptRequest, RequestPermissionOutcome, RequestPermissionRequest, RequestPermissionResponse,
    SelectedPermissionOutcome, SessionId, SetSessionModeRequest, TextContent,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::bridge::ToolsPlace;
use super::choices::{Choice, effort, mode, permission};
use super::outcome::{Cost, MARK, Outcome, Trouble, Used, cut};
use super::wire::{Deaf, FRAME_BYTES_MOST, Heard, Message, Peer, answer, message, notice, request};

/// Says what a session is about and how long is waited for it.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// What the agent is asked to do.
    pub(super) brief: String,
    /// The session that it is to take up again, where it can.
    pub(super) resumes: Option<Resumes>,
    /// Where it works.
    pub(super) cwd: PathBuf,
    /// Where its tools are.
    pub(super) tools: Option<ToolsPlace>,
    /// How hard it is to think, where that was said.
    pub(super) effort: Option<String>,
    /// Longest wait for each answer before the turn; how long the turn may be silent is the job's limit.
    pub(super) patience: Duration,
    /// Longest wait for the end of a turn that was cancelled.
    pub(super) grace: Duration,
}

/// Names a session that is taken up again.
#[derive(Debug, Clone)]
pub(super) struct Resumes {
    /// The agent's own name for it.
    pub(super) session: String,
    /// What it is told then.
    pub(super) words: String,
}

/// Comes to an end when the session is to be broken off.
pub(super) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Holds a session.
pub(super) struct Session<'a> {
    peer: Peer,
    /// Told of each message of both sides.
    transcript: &'a mut dyn FnMut(Value),
    stop: Stop,
    grace: Duration,
    cancelled: bool,
    next_id: u64,
    /// How many tools the agent has called.
    tools: u64,
    /// The end of what it has said in plain words.
    words: String,
    outcome: Outcome,
}

impl<'a> Session<'a> {
    /// Takes a peer that nobody has spoken to.
    pub(super) fn new(peer: Peer, stop: Stop, transcript: &'a mut dyn FnMut(Value)) -> Self {
        let outcome = Outcome { artel: MARK.to_owned(), ..Outcome::default() };
        Self {
            peer,
            transcript,
            stop,
            grace: Duration::ZERO,
            cancelled: false,
            next_id: 0,
            tools: 0,
            words: String::new(),
            outcome,
        }
    }

    /// Has the session, and tells how it ended.
    pub(super) async fn run(mut self, order: Order) -> Outcome {
        self.grace = order.grace;
        if let Err(trouble) = self.turn(order).await {
            self.outcome.error = Some(trouble);
        }
        self.outcome
    }

    async fn turn(&mut self, order: Order) -> Result<(), Trouble> {
        let greeting = InitializeRequest::new(ProtocolVersion::V1)
            .client_capabilities(ClientCapabilities::default())
            .client_info(Implementation::new("artel", env!("CARGO_PKG_VERSION")));
        let greeted = self.call("initialize", &greeting, Some(order.patience)).await?;
        speaks_version_1(&greeted)?;
        let Order { brief, resumes, cwd, tools, effort: wanted, patience, .. } = order;
        let servers = tools.map(|tools| tools.server(&greeted));
        let begins = NewSessionRequest::new(cwd).mcp_servers(servers.into_iter().collect());
        let taken_up = match resumes {
            Some(resumes) => self.take_up(&greeted, resumes, &begins, patience).await?,
            None => None,
        };
        let (session_id, made, words) = match taken_up {
            Some((session, made, words)) => (SessionId::new(session), made, words),
            None => {
                let made = self.call("session/new", &begins, Some(patience)).await?;
                let NewSessionResponse { session_id, .. } = serde_json::from_value(made.clone())
                    .map_err(|error| Trouble::own(format!("the agent's session is none: {error}")))?;
                (session_id, made, brief)
            }
        };
        self.outcome.session = Some(cut(&session_id.to_string()));
        // One who keeps asking is answered anyway, and one who does not think as hard as it should thinks.
        let effort = wanted.and_then(|wanted| effort(&made, &wanted));
        for chosen in mode(&made).into_iter().chain(effort) {
            match chosen {
                Choice::Mode(id) => {
                    let set = SetSessionModeRequest::new(session_id.clone(), id);
                    self.try_call("session/set_mode", &set, patience).await?;
                }
                Choice::Option(id, value) => {
                    let set = json!({"sessionId": session_id, "configId": id, "value": value});
                    self.try_call("session/set_config_option", &set, patience).await?;
                }
            }
        }
        let prompt = PromptRequest::new(session_id, vec![ContentBlock::Text(TextContent::new(words))]);
        let ended = self.call("session/prompt", &prompt, None).await?;
        self.outcome.stop_reason = ended["stopReason"].as_str().map(cut);
        self.outcome.usage = used(&ended);
        let Some(reason) = &self.outcome.stop_reason else {
            return Err(Trouble::own("the agent does not say why it stopped"));
        };
        // Some end a turn in good order, and in plain words, when their model could not be reached.
        if reason == "end_turn" && self.tools == 0 && self.outcome.usage.is_none_or(|used| used.output_tokens == 0) {
            return Err(Trouble::own(format!("the agent has called no tool and no model; it said: {}", self.words)));
        }
        Ok(())
    }

    /// Has the agent take a session up again, in whichever way it says that it can; gives its name, what the agent tells
    /// of it, and the first words. Nothing where it cannot: it then begins anew.
    async fn take_up(
        &mut self,
        greeted: &Value,
        Resumes { session, words }: Resumes,
        begins: &NewSessionRequest,
        patience: Duration,
    ) -> Result<Option<(String, Value, String)>, Trouble> {
        let able = &greeted["agentCapabilities"];
        let method = if able["sessionCapabilities"]["resume"].is_object() {
            "session/resume"
        } else if able["loadSession"] == true {
            "session/load"
        } else {
            return Ok(None);
        };
        let mut asked = serde_json::to_value(begins).map_err(|error| Trouble::own(error.to_string()))?;
        asked["sessionId"] = session.as_str().into();
        match self.call(method, &asked, Some(patience)).await {
            Ok(made) => Ok(Some((session, made, words))),
            Err(trouble) if trouble.code.is_some() => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Asks for what the session goes on without; an answer that is an error is none of ours.
    async fn try_call(&mut self, method: &str, params: &impl Serialize, patience: Duration) -> Result<(), Trouble> {
        match self.call(method, params, Some(patience)).await {
            Err(trouble) if trouble.code.is_none() => Err(trouble),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Asks the agent, and hears it out until it answers.
    async fn call(
        &mut self,
        method: &str,
        params: &impl Serialize,
        patience: Option<Duration>,
    ) -> Result<Value, Trouble> {
        self.next_id += 1;
        let id = self.next_id;
        let params = serde_json::to_value(params).map_err(|error| Trouble::own(error.to_string()))?;
        self.say(&request(id, method, &params))?;
        let mut until = patience.map(|patience| Instant::now() + patience);
        loop {
            let Some(heard) = self.hear(&mut until).await.map_err(|()| no_answer(method, self.cancelled))? else {
                return Err(Trouble::own(format!("the agent went away before it answered {method}")));
            };
            let line = match heard {
                Heard::Line(line) => line,
                Heard::TooLong => {
                    return Err(Trouble::own(format!("the agent wrote a message of over {FRAME_BYTES_MOST} bytes")));
                }
            };
            let Ok(value) = serde_json::from_slice::<Value>(&line) else {
                (self.transcript)(json!({"garbage": cut(&String::from_utf8_lossy(&line))}));
                continue;
            };
            (self.transcript)(json!({"from": &value}));
            match message(&value) {
                Message::Answer { id: of, answer } if of == id => {
                    return answer.map_err(|error| Trouble::of_peer(&error));
                }
                Message::Request { id, method, params } => self.answer(&id, &method, params)?,
                Message::Notice { method, params } => self.note(&method, &params),
                // Answers to what was never asked, and what is no message, are in the transcript and nowhere else.
                Message::Answer { .. } | Message::Garbage => {}
            }
        }
    }

    /// Waits for what the agent says next, and breaks the turn off where that is asked for meanwhile.
    async fn hear(&mut self, until: &mut Option<Instant>) -> Result<Option<Heard>, ()> {
        loop {
            let deadline = *until;
            let heard = async {
                match deadline {
                    Some(deadline) => timeout_at(deadline, self.peer.hear()).await.map_err(|_| ()),
                    None => Ok(self.peer.hear().await),
                }
            };
            tokio::select! {
                heard = heard => return heard,
                () = &mut self.stop, if !self.cancelled => {}
            }
            self.cancelled = true;
            *until = Some(Instant::now() + self.grace);
            if let Some(session) = self.outcome.session.clone() {
                let _ = self.say(&notice("session/cancel", &json!({"sessionId": session})));
            }
        }
    }

    fn say(&mut self, message: &Value) -> Result<(), Trouble> {
        (self.transcript)(json!({"to": message}));
        match self.peer.say(message) {
            // What it said before it went away is still to be heard, and then its end.
            Ok(()) | Err(Deaf::Gone) => Ok(()),
            Err(Deaf::Full) => Err(Trouble::own("the agent does not read what it is told")),
        }
    }

    /// Answers what the agent asks: it may do what it asks leave for, and there is nothing else to be asked.
    fn answer(&mut self, id: &Value, method: &str, params: Value) -> Result<(), Trouble> {
        let said = if method == "session/request_permission" {
            match serde_json::from_value::<RequestPermissionRequest>(params) {
                Ok(asked) => {
                    let chosen = permission(&asked.options).filter(|_| !self.cancelled);
                    let outcome = chosen.map_or(RequestPermissionOutcome::Cancelled, |chosen| {
                        RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(chosen))
                    });
                    serde_json::to_value(RequestPermissionResponse::new(outcome))
                        .map_err(|error| json!({"code": -32603, "message": error.to_string()}))
                }
                Err(error) => Err(json!({"code": -32602, "message": format!("invalid params: {error}")})),
            }
        } else {
            Err(json!({"code": -32601, "message": format!("method not found: {}", cut(method))}))
        };
        self.say(&answer(id, said))
    }

    /// Keeps what the agent says of its cost, which counts all of the session, and what shows that it does something.
    fn note(&mut self, method: &str, params: &Value) {
        let update = &params["update"];
        let is_own = params["sessionId"].as_str() == self.outcome.session.as_deref();
        if method != "session/update" || !is_own {
            return;
        }
        match update["sessionUpdate"].as_str() {
            Some("usage_update") => {
                let cost = &update["cost"];
                if let (true, Some(currency)) = (cost["amount"].is_number(), cost["currency"].as_str()) {
                    self.outcome.cost = Some(Cost { amount: cost["amount"].clone(), currency: cut(currency) });
                }
            }
            Some("tool_call") => self.tools += 1,
            Some("agent_message_chunk") => {
                let more = update["content"]["text"].as_str().unwrap_or_default();
                self.words = ending_of(&format!("{}{}", self.words, more));
            }
            _ => {}
        }
    }
}

/// Words of an agent that are kept, in characters.
const WORDS_MOST: usize = 1000;

/// Gives the end of a text.
fn ending_of(text: &str) -> String {
    let from = text.char_indices().rev().nth(WORDS_MOST - 1).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}

fn no_answer(method: &str, cancelled: bool) -> Trouble {
    Trouble::own(if cancelled {
        format!("the session was broken off, and the agent did not answer {method}")
    } else {
        format!("the agent did not answer {method} in time")
    })
}

/// Holds a peer to the version that was asked for. Some give back any number that they are sent; what counts then is
/// whether the rest is of version 1.
fn speaks_version_1(greeted: &Value) -> Result<(), Trouble> {
    let read = serde_json::from_value::<InitializeResponse>(greeted.clone());
    let InitializeResponse { protocol_version, .. } =
        read.map_err(|error| Trouble::own(format!("the agent's greeting is none: {error}")))?;
    let is_of_1 = greeted["agentCapabilities"].is_object() && greeted["capabilities"].is_null();
    if protocol_version == ProtocolVersion::V1 || is_of_1 {
        return Ok(());
    }
    Err(Trouble::own(format!(
        "the agent speaks version {} of the protocol, not 1",
        cut(&greeted["protocolVersion"].to_string())
    )))
}

/// Reads what a turn used; some say it beside the protocol only.
fn used(ended: &Value) -> Option<Used> {
    if ended["usage"].is_object() {
        return serde_json::from_value(ended["usage"].clone()).ok();
    }
    let beside = &ended["_meta"]["quota"]["token_count"];
    let (input_tokens, output_tokens) = (beside["input_tokens"].as_u64()?, beside["output_tokens"].as_u64()?);
    Some(Used { input_tokens, output_tokens, ..Used::default() })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::*;
    use crate::io::agents::agent::Ending;

    /// What a fake peer says to a message: lines, or the end.
    type Reply = Vec<String>;
    const GONE: &str = "(gone)";

    fn line(value: &Value) -> String {
        format!("{value}\n")
    }

    fn result(to: &Value, result: &Value) -> String {
        line(&json!({"jsonrpc": "2.0", "id": to["id"], "result": result}))
    }

    /// Gives the answer of an agent that does what it should.
    fn good(heard: &Value) -> Reply {
        match heard["method"].as_str() {
            Some("initialize") => vec![result(heard, &json!({"protocolVersion": 1, "agentCapabilities": {}}))],
            Some("session/new") => {
                let modes = json!({"currentModeId": "default", "availableModes": [{"id": "default", "name": "d"}, {"id": "yolo", "name": "y"}]});
                vec![result(heard, &json!({"sessionId": "s1", "modes": modes}))]
            }
            Some("session/set_mode") => vec![result(heard, &json!({}))],
            Some("session/prompt") => {
                let cost = json!({"sessionId": "s1", "update": {"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": {"amount": 0.02, "currency": "USD"}}});
                let usage = json!({"inputTokens": 20, "outputTokens": 3, "cachedReadTokens": 4, "totalTokens": 27});
                vec![
                    line(&json!({"jsonrpc": "2.0", "method": "session/update", "params": cost})),
                    result(heard, &json!({"stopReason": "end_turn", "usage": usage})),
                ]
            }
            _ => Vec::new(),
        }
    }

    /// Has a session with a peer that answers each message as `reply` says; gives its end and all that was said.
    async fn with(stop: Stop, reply: impl FnMut(&Value) -> Reply + Send + 'static) -> (Outcome, Vec<Value>) {
        within(Duration::from_secs(60), stop, reply).await
    }

    async fn within(
        patience: Duration,
        stop: Stop,
        reply: impl FnMut(&Value) -> Reply + Send + 'static,
    ) -> (Outcome, Vec<Value>) {
        let (brief, cwd) = ("Mend it.".to_owned(), "/work".into());
        let order = Order { brief, resumes: None, cwd, tools: None, effort: None, patience, grace: patience };
        led(order, stop, reply).await
    }

    /// Has a session take up another with a peer that answers each message as `reply` says.
    async fn going_on(reply: impl FnMut(&Value) -> Reply + Send + 'static) -> (Outcome, Vec<Value>) {
        let patience = Duration::from_secs(60);
        let resumes = Some(Resumes { session: "s1".to_owned(), words: "Go on.".to_owned() });
        let (brief, cwd) = ("Mend it.".to_owned(), "/work".into());
        let effort = Some("high".to_owned());
        led(Order { brief, resumes, cwd, tools: None, effort, patience, grace: patience }, never(), reply).await
    }

    async fn led(
        order: Order,
        stop: Stop,
        mut reply: impl FnMut(&Value) -> Reply + Send + 'static,
    ) -> (Outcome, Vec<Value>) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (from, to) = tokio::io::split(ours);
        tokio::spawn(async move {
            let (heard, mut said) = tokio::io::split(theirs);
            let mut heard = BufReader::new(heard).lines();
            while let Ok(Some(next)) = heard.next_line().await {
                for line in reply(&serde_json::from_str(&next).unwrap()) {
                    if line == GONE || said.write_all(line.as_bytes()).await.is_err() {
                        let _ = said.shutdown().await;
                        return;
                    }
                }
            }
        });
        let mut transcript = Vec::new();
        let mut note = |line: Value| transcript.push(line);
        let outcome = Session::new(Peer::new(from, to), stop, &mut note).run(order).await;
        (outcome, transcript)
    }

    fn never() -> Stop {
        Box::pin(std::future::pending())
    }

    /// Has a session with a peer that is good but for what it says to one method.
    async fn but(
        method: &'static str,
        mut says: impl FnMut(&Value) -> Reply + Send + 'static,
    ) -> (Outcome, Vec<Value>) {
        with(never(), move |heard| if heard["method"] == method { says(heard) } else { good(heard) }).await
    }

    fn why(outcome: &Outcome) -> String {
        match outcome.ending() {
            Some(Ending::Failed(why)) => why,
            other => panic!("no failure: {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_agent_that_does_what_it_should_is_asked_in_order_and_heard() {
        let (outcome, transcript) = with(never(), good).await;
        assert_eq!(outcome.ending(), Some(Ending::Done));
        let told = outcome.told();
        assert_eq!((told.session.as_deref(), told.nano_usd), (Some("s1"), Some(20_000_000)));
        assert_eq!(told.tokens.map(|tokens| (tokens.input, tokens.cache_read, tokens.output)), Some((20, 4, 3)));
        let asked: Vec<&Value> = transcript.iter().filter_map(|line| line.get("to")).collect();
        let methods: Vec<&str> = asked.iter().filter_map(|said| said["method"].as_str()).collect();
        assert_eq!(methods, ["initialize", "session/new", "session/set_mode", "session/prompt"]);
        assert_eq!(asked[0]["params"]["protocolVersion"], 1);
        assert_eq!(asked[0]["params"]["clientCapabilities"]["fs"]["readTextFile"], false);
        assert_eq!(asked[0]["params"]["clientCapabilities"]["terminal"], false);
        assert_eq!((&asked[1]["params"]["cwd"], &asked[1]["params"]["mcpServers"]), (&json!("/work"), &json!([])));
        assert_eq!(asked[2]["params"]["modeId"], "yolo");
        assert_eq!(asked[3]["params"]["prompt"], json!([{"type": "text", "text": "Mend it."}]));
    }

    /// Lists what was asked, each method with the first words of a prompt.
    fn asked(transcript: &[Value]) -> Vec<String> {
        let said = transcript.iter().filter_map(|line| line.get("to"));
        let named = said.filter_map(|said| {
            let words = said["params"]["prompt"][0]["text"].as_str().unwrap_or_default();
            Some(format!("{} {words}", said["method"].as_str()?).trim().to_owned())
        });
        named.collect()
    }

    fn able(heard: &Value, able: &Value) -> Reply {
        vec![result(heard, &json!({"protocolVersion": 1, "agentCapabilities": able}))]
    }

    #[tokio::test]
    async fn a_session_is_taken_up_again_in_the_way_in_which_the_agent_can() {
        let loads = json!({"loadSession": true});
        let resumes = json!({"loadSession": true, "sessionCapabilities": {"resume": {}}});
        for (abilities, method) in [(loads, "session/load"), (resumes, "session/resume")] {
            let (outcome, transcript) = going_on(move |heard| match heard["method"].as_str() {
                Some("initialize") => able(heard, &abilities),
                Some("session/load" | "session/resume") => vec![result(heard, &json!({}))],
                _ => good(heard),
            })
            .await;
            assert_eq!((outcome.ending(), outcome.session.as_deref()), (Some(Ending::Done), Some("s1")));
            assert_eq!(asked(&transcript), ["initialize", method, "session/prompt Go on."]);
        }
    }

    #[tokio::test]
    async fn how_hard_it_is_to_think_is_set_where_the_agent_offers_that() {
        let (_, transcript) = going_on(|heard| match heard["method"].as_str() {
            Some("initialize") => able(heard, &json!({"loadSession": true})),
            Some("session/load") => {
                let values = json!([{"value": "low"}, {"value": "high"}]);
                let option =
                    json!({"id": "effort", "category": "thought_level", "currentValue": "low", "options": values});
                vec![result(heard, &json!({"configOptions": [option]}))]
            }
            Some("session/set_config_option") => vec![result(heard, &json!({"configOptions": []}))],
            _ => good(heard),
        })
        .await;
        assert_eq!(asked(&transcript)[2], "session/set_config_option");
        let set = transcript.iter().find(|line| line["to"]["method"] == "session/set_config_option").unwrap();
        let expected = json!({"sessionId": "s1", "configId": "effort", "value": "high"});
        assert_eq!(set["to"]["params"], expected);
    }

    #[tokio::test]
    async fn a_session_that_cannot_be_taken_up_is_begun_anew_with_the_brief() {
        let no = |heard: &Value| {
            vec![line(&json!({"jsonrpc": "2.0", "id": heard["id"], "error": {"code": -32603, "message": "gone"}}))]
        };
        let (outcome, transcript) = going_on(move |heard| match heard["method"].as_str() {
            Some("initialize") => able(heard, &json!({"loadSession": true})),
            Some("session/load") => no(heard),
            _ => good(heard),
        })
        .await;
        assert_eq!(outcome.ending(), Some(Ending::Done));
        let mode = "session/set_mode";
        let anew = ["initialize", "session/load", "session/new", mode, "session/prompt Mend it."];
        assert_eq!(asked(&transcript), anew);
        let (_, transcript) = going_on(good).await;
        assert_eq!(asked(&transcript), ["initialize", "session/new", mode, "session/prompt Mend it."]);
    }

    #[tokio::test]
    async fn what_is_told_again_of_a_session_is_not_what_the_agent_does_now() {
        let (outcome, _) = going_on(|heard| match heard["method"].as_str() {
            Some("initialize") => able(heard, &json!({"loadSession": true})),
            Some("session/load") => {
                let call = json!({"sessionId": "s1", "update": {"sessionUpdate": "tool_call", "toolCallId": "1", "title": "t"}});
                let told = line(&json!({"jsonrpc": "2.0", "method": "session/update", "params": call}));
                vec![told, result(heard, &json!({}))]
            }
            Some("session/prompt") => vec![result(heard, &json!({"stopReason": "end_turn"}))],
            _ => good(heard),
        })
        .await;
        assert!(why(&outcome).contains("has called no tool and no model"));
    }

    #[tokio::test]
    async fn garbage_and_answers_to_nothing_change_nothing() {
        let (outcome, transcript) = but("session/prompt", |heard| {
            let mut reply = vec![
                "npm warn deprecated\n".to_owned(),
                "\u{0}\n".to_owned(),
                "[]\n\"id\"\n7\n{}\n{\"id\":null}\n".to_owned(),
                format!("{{\"a\":{}\n", "[".repeat(5000)),
                line(&json!({"id": 999, "result": {"stopReason": "end_turn"}})),
                line(&json!({"id": heard["id"].to_string(), "result": {"stopReason": "refusal"}})),
                line(&json!({"id": 1, "error": {"code": 1, "message": "late"}})),
                line(&json!({"method": "session/update", "params": {"sessionId": "other", "update": {"sessionUpdate": "usage_update", "cost": {"amount": 9, "currency": "USD"}}}})),
            ];
            reply.extend(good(heard));
            reply
        })
        .await;
        assert_eq!((outcome.ending(), outcome.told().nano_usd), (Some(Ending::Done), Some(20_000_000)));
        assert!(transcript.contains(&json!({"garbage": "npm warn deprecated"})));
    }

    #[tokio::test]
    async fn what_it_asks_leave_for_it_may_do_and_all_else_is_not_there() {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let heard_answers = Arc::clone(&answers);
        let mut prompt = Value::Null;
        let (outcome, _) = with(never(), move |heard| {
            let ask = |id: Value, method: &str, params: Value| {
                line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            };
            if heard["method"] == "session/prompt" {
                prompt = heard.clone();
                let call = json!({"toolCallId": "c1"});
                let both = json!([{"optionId": "o", "name": "n", "kind": "allow_once"}, {"optionId": "a", "name": "n", "kind": "allow_always"}]);
                let none = json!([{"optionId": "r", "name": "n", "kind": "reject_once"}]);
                return vec![
                    ask(json!("p1"), "session/request_permission", json!({"sessionId": "s1", "toolCall": call, "options": both})),
                    ask(json!(2), "session/request_permission", json!({"sessionId": "s1", "toolCall": call, "options": none})),
                    ask(json!(3), "session/request_permission", json!({"options": 7})),
                    ask(json!(4), "fs/read_text_file", json!({"sessionId": "s1", "path": "/etc/passwd"})),
                    ask(json!(5), "terminal/create", json!({"command": "sh"})),
                ];
            }
            if heard.get("method").is_none() {
                let mut answers = heard_answers.lock().unwrap();
                answers.push(heard.clone());
                return if answers.len() == 5 { good(&prompt) } else { Vec::new() };
            }
            good(heard)
        })
        .await;
        assert_eq!(outcome.ending(), Some(Ending::Done));
        let answers = answers.lock().unwrap();
        assert_eq!(answers[0]["result"]["outcome"], json!({"outcome": "selected", "optionId": "a"}));
        assert_eq!(
            (&answers[0]["id"], &answers[1]["result"]["outcome"]["outcome"]),
            (&json!("p1"), &json!("cancelled"))
        );
        assert_eq!((&answers[2]["error"]["code"], &answers[2]["id"]), (&json!(-32602), &json!(3)));
        assert!(answers[3..].iter().all(|answer| answer["error"]["code"] == -32601), "{answers:?}");
    }

    #[tokio::test]
    async fn a_silent_agent_is_waited_for_only_so_long() {
        for method in ["initialize", "session/new", "session/set_mode"] {
            let silent = move |heard: &Value| if heard["method"] == method { Vec::new() } else { good(heard) };
            let (outcome, _) = within(Duration::from_millis(100), never(), silent).await;
            assert_eq!(why(&outcome), format!("the agent did not answer {method} in time"));
        }
        let chatter = "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n";
        let talk = move |_: &Value| vec![chatter.to_owned(); 10];
        let (outcome, _) = within(Duration::from_millis(100), never(), talk).await;
        assert!(why(&outcome).contains("in time"), "talk is no answer");
    }

    #[tokio::test]
    async fn an_agent_that_goes_away_has_failed_wherever_it_does() {
        for method in ["initialize", "session/new", "session/set_mode", "session/prompt"] {
            let (outcome, _) = but(method, |_| vec!["half a li".to_owned(), GONE.to_owned()]).await;
            assert_eq!(why(&outcome), format!("the agent went away before it answered {method}"));
        }
        // What it said before it went is heard.
        let (outcome, _) = but("session/prompt", |heard| {
            let mut reply = good(heard);
            reply.push(GONE.to_owned());
            reply
        })
        .await;
        assert_eq!(outcome.ending(), Some(Ending::Done));
    }

    #[tokio::test]
    async fn a_mode_that_cannot_be_set_is_gone_without() {
        let refuse =
            |heard: &Value| vec![line(&json!({"id": heard["id"], "error": {"code": -32602, "message": "no"}}))];
        assert_eq!(but("session/set_mode", refuse).await.0.ending(), Some(Ending::Done));
        let (outcome, _) = but("session/new", refuse).await;
        assert_eq!(why(&outcome), "no");
    }

    #[tokio::test]
    async fn a_message_too_long_to_hold_ends_the_session() {
        let huge = "x".repeat(FRAME_BYTES_MOST + 1);
        let (outcome, _) = but("session/prompt", move |heard| {
            let mut reply = vec![format!("{huge}\n")];
            reply.extend(good(heard));
            reply
        })
        .await;
        assert!(why(&outcome).starts_with("the agent wrote a message of over"));
    }

    #[tokio::test]
    async fn another_version_is_taken_only_where_the_rest_is_of_this_one() {
        let greet = |greeting: Value| but("initialize", move |heard| vec![result(heard, &greeting)]);
        let goose = json!({"protocolVersion": 2, "agentCapabilities": {"loadSession": true}, "authMethods": []});
        assert_eq!(greet(goose).await.0.ending(), Some(Ending::Done));
        let (outcome, _) = greet(json!({"protocolVersion": 2, "capabilities": {}, "info": {"name": "a"}})).await;
        assert_eq!(why(&outcome), "the agent speaks version 2 of the protocol, not 1");
        for garbage in [json!(null), json!({}), json!({"protocolVersion": {}}), json!("1")] {
            let (outcome, _) = greet(garbage.clone()).await;
            assert!(why(&outcome).contains("greeting"), "{garbage}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_turn_in_which_nothing_was_done_is_no_success() {
        let says =
            |update: Value| line(&json!({"method": "session/update", "params": {"sessionId": "s1", "update": update}}));
        let words =
            says(json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "no network"}}));
        for usage in [json!(null), json!({"inputTokens": 4, "outputTokens": 0})] {
            let words = words.clone();
            let (outcome, _) = but("session/prompt", move |heard| {
                vec![words.clone(), result(heard, &json!({"stopReason": "end_turn", "usage": usage}))]
            })
            .await;
            assert_eq!(why(&outcome), "the agent has called no tool and no model; it said: no network");
        }
        // Not all tell what they use, but all tell of their tools.
        let tool = says(json!({"sessionUpdate": "tool_call", "toolCallId": "c", "title": "t"}));
        let (outcome, _) =
            but("session/prompt", move |heard| vec![tool.clone(), result(heard, &json!({"stopReason": "end_turn"}))])
                .await;
        assert_eq!(outcome.ending(), Some(Ending::Done));
        assert_eq!(ending_of(&"é".repeat(WORDS_MOST + 5)).chars().count(), WORDS_MOST);
    }

    #[tokio::test]
    async fn an_error_and_a_turn_without_an_end_are_told() {
        let (outcome, _) = but("session/prompt", |heard| {
            let error = json!({"code": -32603, "message": "Internal error", "data": {"errorKind": "rate_limit"}});
            vec![line(&json!({"id": heard["id"], "error": error}))]
        })
        .await;
        assert_eq!(outcome.ending(), Some(Ending::Limited("Internal error".to_owned(), None)));
        for strange in [json!({}), json!(null), json!({"stopReason": 7})] {
            let (outcome, _) = but("session/prompt", move |heard| vec![result(heard, &strange)]).await;
            assert_eq!(why(&outcome), "the agent does not say why it stopped");
        }
    }

    #[tokio::test]
    async fn a_session_that_is_broken_off_is_heard_out_and_allows_nothing_more() {
        // It is broken off when the agent has heard what it is to do.
        let stop = || {
            let (heard, stop) = tokio::sync::oneshot::channel::<()>();
            let stop: Stop = Box::pin(async { drop(stop.await) });
            (heard, stop)
        };
        let (heard_it, stopped) = stop();
        let (mut heard_it, mut prompt) = (Some(heard_it), Value::Null);
        let (outcome, transcript) = with(stopped, move |heard| match heard["method"].as_str() {
            Some("session/prompt") => {
                prompt = heard.clone();
                drop(heard_it.take());
                Vec::new()
            }
            Some("session/cancel") => {
                let options = json!([{"optionId": "a", "name": "n", "kind": "allow_always"}]);
                let asked = json!({"sessionId": "s1", "toolCall": {"toolCallId": "c"}, "options": options});
                vec![line(&json!({"id": 1, "method": "session/request_permission", "params": asked}))]
            }
            None => vec![result(&prompt, &json!({"stopReason": "cancelled", "usage": {"inputTokens": 5}}))],
            Some(_) => good(heard),
        })
        .await;
        assert_eq!(why(&outcome), "the agent stopped: cancelled");
        assert_eq!(outcome.told().tokens.map(|tokens| tokens.input), Some(5));
        assert!(
            transcript.iter().any(|line| line["to"]["result"]["outcome"]["outcome"] == "cancelled"),
            "{transcript:?}"
        );
        // Who does not hear is not waited for.
        let (heard_it, stopped) = stop();
        let mut heard_it = Some(heard_it);
        let deaf = move |heard: &Value| {
            if heard["method"] == "session/prompt" {
                drop(heard_it.take());
                return Vec::new();
            }
            good(heard)
        };
        let (outcome, _) = within(Duration::from_millis(100), stopped, deaf).await;
        assert_eq!(why(&outcome), "the session was broken off, and the agent did not answer session/prompt");
    }
}
