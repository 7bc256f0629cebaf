//! Owns how artel's own loop is led for any part: which API its model is asked by, and what bounds it. Never says what it is
//! to do, nor what came of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;
use tokio::time::Instant;

use super::acting::Acted;
use super::coordinator::Coordinator;
use super::gate::Gate;
use super::keeping::Keeping;
use super::played::as_metered;
use super::seated::{Seated, kept};
use super::tools::LookingTools;
use super::workplace::Reading;
use super::world::{World, blocking, told};
use crate::io::agents::{Brief, Desk, Stance, collect, read_question};
use crate::io::gateway::{Family, Metered};
use crate::io::llm::{
    Bounds, Context, End, FileTools, Marked, Message, READING, Talk, Talked, Transcript, Wire, Wired, park, parked,
    told_further,
};
use crate::io::tools::{Joined, Toolbox};
use crate::model::attempt::{Handoff, Usage};
use crate::model::ids::Oid;
use crate::model::means::Means;
use crate::model::model_name::{Form, ModelName};
use crate::model::paths::PathSet;
use crate::model::role::{AgentRef, Role};
use crate::model::seat::Seat;

/// Answers that a session may have; `limits.calls` of its role bounds it closer.
const TURNS: u32 = 1_000;

/// What a session of artel's own loop needs, whatever part it plays.
pub struct LlmSession<'a> {
    /// The model.
    pub agent: &'a AgentRef,
    /// Whose limits bound it.
    pub role: &'a Role,
    /// What it is told of its part.
    pub system: &'a str,
    /// What it is to do.
    pub brief: String,
    /// What it may call.
    pub tools: &'a dyn Toolbox,
    /// Keeps what is written down of it.
    pub keeping: Keeping,
    /// Where it leaves a note to itself.
    pub note: PathBuf,
    /// What was said before, where it is taken up again.
    pub earlier: Option<Vec<Message>>,
    /// When it has to have ended.
    pub until: Instant,
}

impl LlmSession<'_> {
    /// Leads it to its end behind a door (`http://127.0.0.1:1234`) that knows its token; see [`super::gate::Gate::inside`].
    ///
    /// # Errors
    /// Says why it could not be begun or written down.
    pub async fn lead(
        self,
        world: &World,
        door: String,
        token: String,
        cancelled: watch::Receiver<bool>,
    ) -> Result<Talked, String> {
        let AgentRef::Llm(name) = self.agent else { return Err(format!("{} is no model", self.agent)) };
        let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
        let wire = wire(world, name)?;
        let base = format!("{door}/{}", name.provider());
        let silence = Duration::from_secs(self.role.limits.idle_s);
        let model = Wired::new(&base, token, (wire, name.model()), self.role.effort, silence);
        let model = model.map_err(|error| failed(&error))?;
        let bytes_max = self.role.limits.output_bytes;
        let keeping = self.keeping;
        let transcript = Transcript::begin(&keeping.file(), bytes_max, world.secrets.clone()).await;
        let transcript = transcript.map(|it| it.telling(keeping.grown()));
        let talk = Talk {
            model: &model,
            tools: self.tools,
            system: self.system.to_owned(),
            brief: self.brief,
            earlier: self.earlier,
            bounds: Bounds {
                turns: TURNS,
                until: self.until,
                context: Context { policy: self.role.context, tokens: self.role.context_tokens },
                note: self.note,
            },
            transcript: transcript.map_err(|error| failed(&error))?,
            cancelled,
        };
        let ended = keeping.during(talk.run()).await;
        keeping.pack().await;
        ended.map_err(|error| failed(&error))
    }
}

/// Says in which form a model is asked: as its name says, else as its provider speaks.
fn wire(world: &World, name: &ModelName) -> Result<Wire, String> {
    let provider = name.provider();
    let speaks = world.gateway.speaks(provider).ok_or_else(|| unknown(provider))?;
    match (speaks, name.form()) {
        (Family::Anthropic, None) => Ok(Wire::Messages),
        (Family::Gemini, None) => Ok(Wire::Gemini),
        (Family::OpenAi, Some(Form::Chat)) => Ok(Wire::Chat),
        (Family::OpenAi, Some(Form::Responses)) => Ok(Wire::Responses),
        // Only its maker is sure to speak the newer form.
        (Family::OpenAi, None) if provider == "openai" => Ok(Wire::Responses),
        (Family::OpenAi, None) => Ok(Wire::Chat),
        (Family::Anthropic | Family::Gemini, Some(_)) => {
            Err(format!("failed to ask {name}: `{provider}` does not speak that form; leave it out of the name"))
        }
    }
}

/// Opens the way to the model of one who sits somewhere.
///
/// # Errors
/// Says why there is none, and what to do.
pub(super) fn open(
    world: &World,
    seat: (Seat, u64),
    (agent, role): (&AgentRef, &Role),
    coordinator: &WeakActorRef<Coordinator>,
) -> Result<Gate, String> {
    let AgentRef::Llm(name) = agent else { return Err(format!("{agent} is no model")) };
    let provider = name.provider();
    if world.gateway.speaks(provider).is_none() {
        return Err(unknown(provider));
    }
    let without_key = || {
        let variable = provider.to_uppercase();
        format!(
            "failed to ask {name}: there is no key for `{provider}`; set {variable}_API_KEY, or say in gateway.toml where \
             it is"
        )
    };
    if !world.gateway.has_key(provider) {
        return Err(without_key());
    }
    // Its tools are called in this process: its way leads to models alone.
    let tools = Arc::new(Joined::new(Vec::new()));
    Gate::open(world, seat, (agent, role), coordinator, tools)?.ok_or_else(without_key)
}

/// Joins to the tools by which a session works on files a map of the commit that it begins from; the paths are those that the
/// map is about.
pub(super) fn looking(world: &World, files: FileTools, commit: Oid, about: PathSet) -> Arc<dyn Toolbox> {
    let map = Arc::new(LookingTools::map_of(&world.ground, commit, about));
    Arc::new(Joined::new(vec![Arc::new(files), Arc::new(Marked::of(map, world.secrets.clone()))]))
}

/// Gives who changes nothing the tools by which it looks at the files of a commit.
pub(super) fn reading(world: &Arc<World>, commit: Oid, about: PathSet) -> Arc<dyn Toolbox> {
    looking(world, FileTools::read_only(Arc::new(Reading::of(world, commit))), commit, about)
}

/// Names the file on the desk of a session that a limit or a question ended in which it is kept what was said.
const TURNS_FILE: &str = "turns.json";

/// Has a model asked by who sits somewhere, in a session of that name, for what its brief says and with these tools, by one of
/// which it hands up onto a desk; tells what that came to, or what its next call would have needed where a budget left too
/// little; or why it could not be asked.
pub(super) async fn ask(
    world: &Arc<World>,
    name: &str,
    Seated { seat, fence, agent, role, .. }: &Seated,
    (brief, tools, desk): (Brief, Arc<dyn Toolbox>, &Desk),
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Result<Result<Acted, Means>, String> {
    let seat = (*seat, *fence);
    let earlier = brief.resumes.as_ref().and_then(|resumed| parked(&resumed.desk.file(TURNS_FILE)));
    let gate = open(world, seat, (agent, role), coordinator)?;
    let began = Instant::now();
    let session = LlmSession {
        agent,
        role,
        system: READING,
        earlier: earlier.map(|messages| told_further(messages, brief.go_on_by_tools())),
        brief: brief.text,
        tools: tools.as_ref(),
        keeping: Keeping::begin(world, seat, (name, agent), coordinator),
        note: world.desk(&format!("{name}-note")).join("note.json"),
        until: began + Duration::from_secs(role.limits.wall_s),
    };
    let talked = gate.inside(async |door, token| session.lead(world, door, token, cancelled).await).await;
    let (ended, metered) = talked.map_err(|error| no_port(&error))?;
    if let Some(wants) = metered.lacked() {
        return Ok(Err(wants));
    }
    let left = desk.handoff();
    let handoff = blocking(move || collect(&left)).await.ok().flatten().unwrap_or_default();
    let session = match &ended {
        Ok(talked) if is_taken_up(&talked.end, &handoff) => {
            park(&kept(world, *fence).file(TURNS_FILE), &talked.messages).await.then(|| name.to_owned())
        }
        Ok(_) | Err(_) => None,
    };
    let (stance, said) = stance_of(ended.map(|talked| talked.end), &metered, world.now_ms());
    let wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let usage = Usage { wall_ms, ..Usage::default() };
    Ok(Ok(Acted { stance, handoff, said, usage, session }))
}

/// Tells whether the session of one who sits somewhere may be taken up again after such an end: a limit met, or a question asked.
fn is_taken_up(end: &End, handoff: &Handoff) -> bool {
    match end {
        End::Limited(_) => true,
        End::Said(words) => handoff.blocked.is_some() || read_question(words).is_some(),
        End::Failed(_) | End::Cancelled => false,
    }
}

/// Says how a session's end is taken, by what the gateway saw of it, with its last words.
pub(super) fn stance_of(ended: Result<End, String>, metered: &Metered, now_ms: i64) -> (Stance, String) {
    let (stance, words) = match ended {
        Ok(End::Said(words)) => (Stance::Done, words),
        Ok(End::Limited(why)) => (Stance::Limited { why, resets_at_ms: None }, String::new()),
        Ok(End::Cancelled) => (Stance::Failed { why: "was cancelled".to_owned() }, String::new()),
        Ok(End::Failed(why)) | Err(why) => (Stance::Failed { why }, String::new()),
    };
    (as_metered(stance, metered, now_ms), words)
}

/// Says that this machine gives no port.
pub(super) fn no_port(error: &std::io::Error) -> String {
    format!("failed to open a port for the way to models: {error}")
}

fn unknown(provider: &str) -> String {
    format!("failed to find the provider `{provider}`: say in gateway.toml where it is, or name one that is there")
}
