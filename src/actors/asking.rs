//! Owns how an agent is asked for an answer that a program reads: in a worktree that it cannot change, once, and once more
//! where its answer could not be read; it may ask a person something in the place of it. Never says what an answer means.

use std::collections::BTreeMap;
use std::sync::Arc;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;

use super::acting::{Acted, Stage, act, job_limits};
use super::coordinator::Coordinator;
use super::llm_session::{self, reading};
use super::room::{Access, Whose};
use super::seated::Seated;
use super::setup::{For, set_up};
use super::tools::{AskingTools, BriefTool, LookingTools, Steered, answer_to};
use super::world::{World, told};
use crate::io::agents::{Brief, Desk, Stance, in_block, plan_schema, read_question, review_schema, run_schema};
use crate::io::git::GitError;
use crate::io::tools::{Joined, Toolbox};
use crate::machine::asked::Heard;
use crate::machine::command::{Command, Leave};
use crate::model::attempt::Usage;
use crate::model::ids::Oid;
use crate::model::means::Means;
use crate::model::paths::PathSet;
use crate::model::role::AgentRef;
use crate::model::seat::again;
use crate::views::answer::{Form, ask, ask_again};
use crate::views::brief::BriefView;

/// Says who is asked, and what.
pub struct Asking {
    /// Who is asked.
    pub seated: Seated,
    /// What it is told first where it takes a session up again, a line each.
    pub news: Vec<String>,
    /// The commit whose files it sees.
    pub commit: Oid,
    /// Tools of its own beside those by which it looks.
    pub tools: Option<Arc<dyn Toolbox>>,
    /// In what form it answers.
    pub form: Form,
    /// What its prompt is filled with.
    pub view: BriefView,
    /// The paths that it is asked about.
    pub paths: PathSet,
}

/// Tells why there is no answer.
pub enum Silence {
    /// The session is over, by which report.
    Over(Box<Command>),
    /// It is wanted no longer.
    Cancelled,
}

impl Silence {
    /// Tells whether a limit or a question ended the session.
    fn may_be_taken_up(&self) -> bool {
        let Self::Over(report) = self else { return false };
        matches!(&**report, Command::LeaveSeat { leave: Leave::Limited { .. } | Leave::Asks { .. }, .. })
    }

    /// Adds what the session cost to what was spent before, and reports all of it.
    fn after(mut self, spent: &mut Usage) -> Self {
        if let Self::Over(report) = &mut self
            && let Command::LeaveSeat { usage, .. } = &mut **report
        {
            *spent += *usage;
            *usage = *spent;
        }
        self
    }
}

impl Asking {
    /// Reports that there is no answer.
    pub fn leaves(&self, leave: Leave, usage: Usage) -> Silence {
        Silence::Over(Box::new(Command::LeaveSeat { seat: self.seated.seat, fence: self.seated.fence, leave, usage }))
    }

    /// Asks until there is an answer that `take` takes, twice at most; gives it with what all of that cost.
    pub async fn answer<T, F: Future<Output = Result<T, String>>>(
        &self,
        world: &Arc<World>,
        coordinator: &WeakActorRef<Coordinator>,
        cancelled: &watch::Receiver<bool>,
        mut take: impl FnMut(String) -> F,
    ) -> Result<(T, Usage), Silence> {
        let mut spent = Usage::default();
        let failed = |error: &dyn std::error::Error| Leave::Failed(format!("failed to {}", told(error)));
        let view = BriefView { answered: self.seated.answered.clone(), ..self.view.clone() };
        let named = &self.seated.role.prompt;
        let template = world
            .opening
            .prompts
            .get(named)
            .ok_or_else(|| self.leaves(Leave::Failed(format!("the run holds no prompt `{named}`")), spent))?;
        let mut prompt = ask(template, self.form, &view).map_err(|error| self.leaves(failed(&error), spent))?;
        let mut fault = String::new();
        for turn in 1..=2 {
            let (said, usage, session) = match self.have_said(world, (turn, prompt), coordinator, cancelled).await {
                Ok(said) => said,
                Err(silence) => {
                    let may_be_taken_up = silence.may_be_taken_up();
                    let silence = silence.after(&mut spent);
                    if !may_be_taken_up {
                        return Err(silence);
                    }
                    // What was said by a tool before stands: there is nothing to go on with.
                    return take(String::new()).await.map(|answer| (answer, spent)).map_err(|_| silence);
                }
            };
            spent += usage;
            fault = match take(said.clone()).await {
                Ok(answer) => return Ok((answer, spent)),
                Err(fault) => fault,
            };
            if let Some(question) = read_question(&said) {
                let missing = answer_to(&question);
                return Err(self.leaves(asks(&missing, session), spent));
            }
            prompt =
                ask_again(self.form, &self.view, &said, &fault).map_err(|error| self.leaves(failed(&error), spent))?;
        }
        Err(self.leaves(Leave::Failed(format!("its answer could not be taken, twice: {fault}")), spent))
    }

    /// Has one session, and gives what was said last in it, what it cost, and by which name it is taken up again.
    async fn have_said(
        &self,
        world: &Arc<World>,
        (turn, prompt): (u32, String),
        coordinator: &WeakActorRef<Coordinator>,
        cancelled: &watch::Receiver<bool>,
    ) -> Result<(String, Usage, Option<String>), Silence> {
        let acted = self.session(world, (turn, prompt), coordinator, cancelled.clone()).await;
        if *cancelled.borrow() || cancelled.has_changed().is_err() {
            return Err(Silence::Cancelled);
        }
        let none = Usage::default();
        let Acted { stance, handoff, said, usage, session } = match acted {
            Ok(Ok(Ok(acted))) => acted,
            Ok(Ok(Err(wants))) => {
                let report = Command::ReportOutOfMoney { seat: self.seated.seat, fence: self.seated.fence, wants };
                return Err(Silence::Over(Box::new(report)));
            }
            Ok(Err(why)) => return Err(self.leaves(Leave::Failed(why), none)),
            Err(error) if error.is_of_the_machine() => {
                let what = format!("failed to {}", told(&error));
                return Err(Silence::Over(Box::new(Command::ReportTrouble { what })));
            }
            Err(error) => return Err(self.leaves(Leave::Failed(format!("failed to {}", told(&error))), none)),
        };
        match (stance, handoff.blocked) {
            // Who has asked has nothing to do after a limit but to end.
            (Stance::Blocked { missing }, _) | (Stance::Done | Stance::Limited { .. }, Some(missing)) => {
                Err(self.leaves(asks(&missing, session), usage))
            }
            (Stance::Done, None) => {
                let said = if self.schema(turn).is_some() { in_block(&said) } else { said };
                Ok((said, usage, session))
            }
            (Stance::Failed { why }, _) => Err(self.leaves(Leave::Failed(why), usage)),
            (Stance::Limited { why, resets_at_ms }, None) => {
                Err(self.leaves(Leave::Limited { until_ms: resets_at_ms, why, session }, usage))
            }
        }
    }

    async fn session(
        &self,
        world: &Arc<World>,
        (turn, prompt): (u32, String),
        coordinator: &WeakActorRef<Coordinator>,
        cancelled: watch::Receiver<bool>,
    ) -> Result<Result<Result<Acted, Means>, String>, GitError> {
        let commit = self.commit;
        let name = self.name(turn);
        let Seated { seat, fence, agent, role, .. } = &self.seated;
        // What is asked a second time is asked in a session of its own.
        let resumes = if turn == 1 { self.seated.resumed(world, &self.news) } else { None };
        let brief = Brief { resumes, schema: self.schema(turn), ..self.brief(world, prompt) };
        if let AgentRef::Llm(_) = agent {
            return Ok(self.talk(world, &name, brief, coordinator, cancelled).await);
        }
        let (mut tree, git) = world
            .blocking(move |world| {
                let tree = world.workshop.take(commit)?;
                let git = world.own_git(&tree)?;
                Ok((tree, git))
            })
            .await?;
        let (grants, limits) = (&role.grants, job_limits(&role.limits));
        let whom = For { name: &name, whose: Whose::Attempts, grants, git: git.as_ref(), limits };
        let acted = match self.form {
            // Who judges sees a part of the tree only, which nothing can be set up in.
            Form::Review => Ok(()),
            Form::Plan | Form::Run => set_up(world, &mut tree, &whom, cancelled.clone()).await,
        };
        let acted = match acted {
            Err(why) => Err(format!("failed to {why}")),
            Ok(()) => {
                let desk = Desk::at(world.desk(&name));
                let stage = Stage {
                    name: &name,
                    seat: (*seat, *fence),
                    agent,
                    role,
                    tree: &tree,
                    git: git.as_ref(),
                    access: Access::Read,
                    desk: &desk,
                };
                let looking = LookingTools::of_worktree(&world.ground, tree.glance(), self.paths.clone());
                let tools = self.tools(world, (&brief, Arc::new(looking)), &desk, coordinator);
                act(world, &stage, (&brief, tools), coordinator, cancelled).await
            }
        };
        world
            .blocking(move |world| {
                // Whatever stands there, what was an agent's leads no git of this machine astray.
                let _ = tree.turn_back();
                world.workshop.give_back(tree);
                Ok(())
            })
            .await?;
        Ok(acted)
    }

    /// Has one session of artel's own loop.
    async fn talk(
        &self,
        world: &Arc<World>,
        name: &str,
        brief: Brief,
        coordinator: &WeakActorRef<Coordinator>,
        cancelled: watch::Receiver<bool>,
    ) -> Result<Result<Acted, Means>, String> {
        let desk = Desk::at(world.desk(&format!("{name}-tools")));
        desk.lay(&BTreeMap::new()).map_err(|error| format!("failed to {}", told(&error)))?;
        let looking = reading(world, self.commit, self.paths.clone());
        let tools = self.tools(world, (&brief, looking), &desk, coordinator);
        llm_session::ask(world, name, &self.seated, (brief, tools, &desk), coordinator, cancelled).await
    }

    /// Gives the session its tools beside those that look through what it sees, which for who judges is what its lens shows:
    /// what it asks lies on its desk until it ends.
    fn tools(
        &self,
        world: &World,
        (brief, looking): (&Brief, Arc<dyn Toolbox>),
        desk: &Desk,
        coordinator: &WeakActorRef<Coordinator>,
    ) -> Arc<dyn Toolbox> {
        let brief: Arc<dyn Toolbox> = Arc::new(BriefTool::of(&brief.text));
        let asking: Arc<dyn Toolbox> = Arc::new(AskingTools::new(desk.handoff()));
        let tools = Arc::new(Joined::new(self.tools.iter().cloned().chain([brief, looking, asking]).collect()));
        match self.form {
            Form::Plan => {
                let of_run = u32::try_from(self.view.steering.len()).unwrap_or(u32::MAX);
                let heard = Heard { of_run, of_task: 0 };
                let who = (self.seated.seat, self.seated.fence);
                Arc::new(Steered::new(tools, (&world.ground, coordinator), who, heard))
            }
            // What people say to those who work is none of who judges.
            Form::Review | Form::Run => tools,
        }
    }

    /// Gives the schema that the answer is held to: of who is asked again and can be held to one nothing else is wanted.
    fn schema(&self, turn: u32) -> Option<String> {
        let can_be_held = matches!(self.seated.agent, AgentRef::Claude { .. } | AgentRef::Codex { .. });
        (turn == 2 && can_be_held).then(|| match self.form {
            Form::Plan => plan_schema(),
            Form::Review => review_schema(),
            Form::Run => run_schema(),
        })
    }

    /// Names the session's log and folder.
    fn name(&self, turn: u32) -> String {
        let record = self.seated.seat.record();
        if turn == 1 { record } else { again(&record) }
    }

    fn brief(&self, world: &World, text: String) -> Brief {
        Brief {
            run: world.run.clone(),
            seat: self.seated.seat,
            title: self.view.title.clone(),
            text,
            paths: self.paths.clone(),
            rules: Vec::new(),
            findings: Vec::new(),
            steering: self.view.steering.clone(),
            handoffs: Vec::new(),
            seed: world.opening.seed,
            resumes: None,
            schema: None,
        }
    }
}

/// Bytes of what a person is asked at most: it stands in the brief of each who sits there later.
const MISSING_BYTES: usize = 8 << 10;

/// Says that somebody leaves to ask a person; what is too long is cut.
fn asks(missing: &str, session: Option<String>) -> Leave {
    Leave::Asks { missing: missing[..missing.floor_char_boundary(MISSING_BYTES)].to_owned(), session }
}
