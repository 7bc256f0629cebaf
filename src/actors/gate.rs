//! Owns the way to artel of whoever sits somewhere: a session at the gateway with its tools, and with models where artel
//! has their key, behind the only door of its sandbox, for as long as its job runs. Never speaks HTTP, and never decides
//! what a session may spend.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use kameo::prelude::WeakActorRef;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::coordinator::Coordinator;
use super::purse::Purse;
use super::world::{World, told};
use crate::io::agents::Door;
use crate::io::gateway::{self, Metered, Pocket, Session, Terms};
use crate::io::hands::{Ended, GATE_PLACE, HandsError, Job};
use crate::io::tools::Toolbox;
use crate::model::egress::hosts;
use crate::model::role::{AgentRef, Limits, Role};
use crate::model::seat::Seat;

/// Leads one session to its tools, and to models.
pub struct Gate {
    session: Session,
    /// What it may spend; none where it leads to no models and to no hosts.
    purse: Option<Arc<Purse>>,
    /// Whether models are asked through it.
    asks: bool,
    /// Whether it leads to tools.
    has_tools: bool,
    /// Whether it leads to hosts beside models.
    leads_out: bool,
}

impl Gate {
    /// Opens the gate of an agent that asks models: to the tools that it is given, and to models unless artel has no key of
    /// theirs, so that the agent has to log in by itself. Other agents have one only where their role grants a way out.
    ///
    /// # Errors
    /// Says why the gateway opened no session.
    pub fn open(
        world: &World,
        (seat, fence): (Seat, u64),
        (agent, role): (&AgentRef, &Role),
        coordinator: &WeakActorRef<Coordinator>,
        toolbox: Arc<dyn Toolbox>,
    ) -> Result<Option<Self>, String> {
        let providers = agent.providers();
        if providers.is_empty() {
            return Self::out(world, (seat, fence), role, coordinator);
        }
        // Who is let use a login of its own asks by that.
        let has_login = role.grants.login_of(agent).is_some();
        let asks = !has_login && providers.iter().any(|provider| world.gateway.has_key(provider));
        let mut hosts = hosts(&role.grants.egress);
        hosts.extend(role.grants.hosts_of_login(agent));
        let leads_out = !hosts.is_empty();
        let purse = (asks || leads_out).then(|| Purse::of(&world.till, coordinator.clone(), (seat, fence)));
        let pays: Arc<dyn gateway::Purse> = match &purse {
            Some(purse) => Arc::<Purse>::clone(purse),
            None => Arc::new(Pocket::of(0)),
        };
        let (name, terms) = (seat.to_string(), terms(&role.limits, asks, hosts));
        let session = world.gateway.open_with_tools(name, terms, pays, toolbox);
        let session = session.map_err(|error| format!("failed to {}", told(&error)))?;
        Ok(Some(Self { session, purse, asks, has_tools: true, leads_out }))
    }

    /// Opens a way to the hosts that a role grants and to nothing else; none where it grants none.
    ///
    /// # Errors
    /// Says why the gateway opened no session.
    pub fn out(
        world: &World,
        (seat, fence): (Seat, u64),
        role: &Role,
        coordinator: &WeakActorRef<Coordinator>,
    ) -> Result<Option<Self>, String> {
        let hosts = hosts(&role.grants.egress);
        if hosts.is_empty() {
            return Ok(None);
        }
        let purse = Purse::of(&world.till, coordinator.clone(), (seat, fence));
        let terms = terms(&role.limits, false, hosts);
        let session = world.gateway.open(seat.to_string(), terms, Arc::<Purse>::clone(&purse));
        let session = session.map_err(|error| format!("failed to {}", told(&error)))?;
        Ok(Some(Self { session, purse: Some(purse), asks: false, has_tools: false, leads_out: true }))
    }

    /// Gives what leads the agent to its tools, and to models where they are asked through here.
    pub fn door(&self) -> Option<Door> {
        let token = || self.session.token().reveal().to_owned();
        self.has_tools.then(|| if self.asks { Door::to_models_and_tools(token()) } else { Door::to_tools(token()) })
    }

    /// Gives the environment by which programs find the way out; empty where none is granted.
    pub fn env(&self) -> Vec<(String, String)> {
        if !self.leads_out {
            return Vec::new();
        }
        let proxy = format!("http://artel:{}@{GATE_PLACE}", self.session.token().reveal());
        let near = "localhost,127.0.0.1,::1".to_owned();
        let both = [("HTTPS_PROXY", &proxy), ("https_proxy", &proxy), ("NO_PROXY", &near), ("no_proxy", &near)];
        both.map(|(name, value)| (name.to_owned(), value.clone())).to_vec()
    }

    /// Opens the gate to this very process: gives an address of its loopback at which the token is asked for, and lets one
    /// thing be done there. All calls are counted when this returns.
    ///
    /// # Errors
    /// Where this machine has no port to give.
    pub async fn inside<T>(self, work: impl AsyncFnOnce(String, String) -> T) -> std::io::Result<(T, Metered)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let place = format!("http://{}", listener.local_addr()?);
        let token = self.session.token().reveal().to_owned();
        let serve = async {
            self.session.serve(listener).await;
            std::future::pending().await
        };
        let came = tokio::select! {
            came = work(place, token) => came,
            never = serve => never,
        };
        Ok((came, close(self.session, self.purse).await))
    }

    /// Runs the attempt's job; all calls are counted when this returns.
    ///
    /// # Errors
    /// As running a job.
    pub async fn run(
        self,
        world: &World,
        job: Job,
        cancelled: watch::Receiver<bool>,
    ) -> Result<(Ended, Metered), HandsError> {
        let (gate, opened) = oneshot::channel();
        let serve = async {
            if let Ok(listener) = opened.await {
                self.session.serve(listener).await;
            }
            std::future::pending().await
        };
        let ended = tokio::select! {
            ended = world.hands.run_with_gate(job, cancelled, gate) => ended,
            never = serve => never,
        };
        let metered = close(self.session, self.purse).await;
        Ok((ended?, metered))
    }
}

/// Ends a session; all calls are counted, and what it did not use is there for others, when this returns.
async fn close(session: Session, purse: Option<Arc<Purse>>) -> Metered {
    purse.iter().for_each(|purse| purse.end());
    let metered = session.close().await;
    if let Some(purse) = purse {
        purse.close().await;
    }
    metered
}

/// Says what a session may do beside what the run may spend.
fn terms(limits: &Limits, asks: bool, hosts: BTreeSet<String>) -> Terms {
    let bound = |limit: u64| (limit > 0).then_some(limit);
    Terms {
        models: if asks { vec!["*".to_owned()] } else { Vec::new() },
        calls: bound(limits.calls),
        tokens: bound(limits.tokens),
        nano_usd: bound(limits.nano_usd),
        hosts,
    }
}
