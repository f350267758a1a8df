//! What clients of this host need to reach a system, asked from the servers and remembered.
//!
//! The answer is the same for every client, so one is kept; an answer without ranks is never kept, since the system is
//! then still starting. SIGUSR2 and `cache_expiration` make the next call ask again. The pool list is never kept.
//! Whoever asks while a question is under way waits for its answer instead of asking again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use config::AgentConfig;
use tokio::sync::Mutex;
use tracing::{debug, info, warn};
use types::{Fault, FaultName, Status};
use wire::fault::Failure;
use wire::proto::mgmt::{GetAttachInfoReq, GetAttachInfoResp, ListPoolsReq, ListPoolsResp};

use crate::grpc::{Security, ask_in_turn, within};
use crate::interface::{address_of_uri, choose, scan};

/// How long a server may take to answer. It answers attach info and pool lists from its own database.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether and how long an answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Ask every time.
    Off,
    /// Until SIGUSR2.
    Forever,
    /// Until it is this old, or SIGUSR2.
    For(Duration),
}

impl Caching {
    /// As configured.
    pub fn of(config: &AgentConfig) -> Caching {
        match (config.disable_caching, config.cache_expiration_min) {
            (true, _) => Caching::Off,
            (false, 0) => Caching::Forever,
            (false, minutes) => Caching::For(Duration::from_secs(60 * u64::from(minutes))),
        }
    }

    fn serves(self, age: Duration) -> bool {
        match self {
            Caching::Off => false,
            Caching::Forever => true,
            Caching::For(limit) => age < limit,
        }
    }
}

struct Kept {
    since: Instant,
    answer: GetAttachInfoResp,
}

/// The servers of one system, as this host's clients see them.
pub struct Attachment {
    config: AgentConfig,
    security: Security,
    caching: Caching,
    kept: Mutex<Option<Kept>>,
}

impl Attachment {
    /// Nothing is asked yet.
    pub fn new(config: AgentConfig, security: Security, caching: Caching) -> Attachment {
        Attachment { config, security, caching, kept: Mutex::new(None) }
    }

    /// Attach info for clients of system `sys`; an empty name means the agent's own system. All ranks are always in it.
    pub async fn info(&self, sys: &str) -> Result<GetAttachInfoResp, Failure> {
        self.check_system(sys)?;
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| self.caching.serves(kept.since.elapsed())) {
            return Ok(kept.answer.clone());
        }
        let answer = self.ask_attach_info().await?;
        *kept = (self.caching != Caching::Off && !answer.rank_uris.is_empty())
            .then(|| Kept { since: Instant::now(), answer: answer.clone() });
        Ok(answer)
    }

    /// Forgets what is kept and asks again, so that the next client does not wait.
    pub async fn refresh(&self) {
        *self.kept.lock().await = None;
        match self.info("").await {
            Ok(answer) => info!(ranks = answer.rank_uris.len(), version = answer.data_version, "attach info refreshed"),
            Err(failure) => warn!("attach info could not be refreshed: {failure}"),
        }
    }

    /// The pools of system `sys`.
    pub async fn pools(&self, sys: &str) -> Result<ListPoolsResp, Failure> {
        self.check_system(sys)?;
        let request = ListPoolsReq { sys: self.config.name.clone() };
        let (answer, _) = ask_in_turn(&self.config.access_points, &self.security, |mut service| {
            let request = within(CALL_TIMEOUT, request.clone());
            async move { service.list_pools(request).await }
        })
        .await?;
        Ok(answer)
    }

    fn check_system(&self, sys: &str) -> Result<(), Failure> {
        if sys.is_empty() || sys == self.config.name {
            return Ok(());
        }
        let description = format!("the agent serves system `{}`, not `{sys}`", self.config.name);
        let resolution = "use the system name of daos_agent.yml (`name`), or the agent of the other system by \
                          setting DAOS_AGENT_DRPC_DIR";
        Err(Fault::new(FaultName::ServerWrongSystem, description, resolution).into())
    }

    async fn ask_attach_info(&self) -> Result<GetAttachInfoResp, Failure> {
        let request = GetAttachInfoReq { sys: self.config.name.clone(), all_ranks: true };
        let (mut answer, _) = ask_in_turn(&self.config.access_points, &self.security, |mut service| {
            let request = within(CALL_TIMEOUT, request.clone());
            async move { service.get_attach_info(request).await }
        })
        .await?;
        note_other_release(&answer.build);
        let engines: Vec<IpAddr> = answer.rank_uris.iter().filter_map(|member| address_of_uri(&member.uri)).collect();
        let interfaces = scan()
            .map_err(|error| Failure::new(Status::Misc, format!("cannot list this host's interfaces: {error}")))?;
        let choice = choose(&self.config, &interfaces, &engines)?;
        debug!(interface = choice.interface, "interface for clients");
        let hint = answer.client_net_hint.get_or_insert_default();
        hint.interface = choice.interface;
        hint.domain = choice.domain;
        Ok(answer)
    }
}

/// Agents may be one minor release apart from servers, as in DAOS; farther apart nothing has been tried.
fn note_other_release(build: &str) {
    let release = |version: &str| version.split('.').take(2).map(str::parse).collect::<Result<Vec<u64>, _>>().ok();
    if let (Some(server), Some(own)) = (release(build), release(env!("CARGO_PKG_VERSION")))
        && server.len() == 2
        && (server[0] != own[0] || server[1].abs_diff(own[1]) > 1)
    {
        warn!(server = build, agent = env!("CARGO_PKG_VERSION"), "servers and agent are more than one release apart");
    }
}
