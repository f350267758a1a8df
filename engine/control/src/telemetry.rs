//! Prometheus metrics on `telemetry_port`, path `/metrics`.
//!
//! Everything is asked for when it is scraped: engines over their local socket, the rest from memory. Names follow
//! DAOS: `engine_*` with labels rank and target.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method as HttpMethod, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use types::{Fault, FaultName};
use wire::proto::drpc::{Method, Stats, TargetStats};

use crate::engine::Instance;
use crate::harness::Harness;
use crate::management::Management;
use crate::system::member::State;

/// Longest wait for an engine's numbers; a scrape must not hang on one engine.
const STATS_DEADLINE: Duration = Duration::from_secs(2);

/// A client must send its request within this time.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Scrapes at the same time.
const MAX_CONNECTIONS: usize = 16;

/// What is measured.
pub(crate) struct Telemetry {
    pub(crate) harness: Harness,
    pub(crate) management: Arc<Management>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    rank: u32,
    target: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RankLabels {
    rank: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InstanceLabels {
    instance: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: String,
    label: String,
    tier: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: String,
}

type TargetCounter = (&'static str, &'static str, fn(&TargetStats) -> u64);

/// Counters of a target, by name. The text format adds `_total`.
const TARGET_COUNTERS: [TargetCounter; 25] = [
    ("engine_io_ops_update", "update operations", |stats| stats.updates),
    ("engine_io_ops_fetch", "fetch operations", |stats| stats.fetches),
    ("engine_io_ops_punch", "punch operations", |stats| stats.punches),
    ("engine_io_ops_list", "list operations", |stats| stats.lists),
    ("engine_io_bytes_written", "bytes written by clients", |stats| stats.bytes_written),
    ("engine_io_bytes_read", "bytes read by clients", |stats| stats.bytes_read),
    ("engine_checksum_errors", "checksums that did not match", |stats| stats.checksum_errors),
    ("engine_values_marked", "values marked as damaged", |stats| stats.values_marked),
    ("engine_scrub_bytes", "bytes of values compared by the scrubber", |stats| stats.scrubbed_bytes),
    ("engine_scrub_passes", "passes of the scrubber over a pool", |stats| stats.scrub_passes),
    ("engine_scrub_found", "damaged values that the scrubber found", |stats| stats.scrub_found),
    ("engine_device_errors", "device reads, writes and flushes that failed", |stats| stats.io_errors),
    ("engine_wal_commits", "groups made durable in the log", |stats| stats.wal_commits),
    ("engine_wal_bytes", "bytes written to the log", |stats| stats.wal_bytes),
    ("engine_checkpoints", "checkpoints", |stats| stats.checkpoints),
    ("engine_arena_page_ins", "metadata pages read back into memory", |stats| stats.page_ins),
    ("engine_arena_page_evictions", "metadata pages that left memory", |stats| stats.page_evictions),
    ("engine_checkpoint_pages", "arena pages written by checkpoints", |stats| stats.checkpoint_pages),
    ("engine_io_ops_refused", "changes refused for conditions, space or limits", |stats| stats.refusals),
    ("engine_vos_aggregation_removed", "superseded records removed by merging of history", |stats| stats.reclaimed),
    ("engine_vos_aggregation_merged_recs", "small extents joined by merging of history", |stats| stats.coalesced),
    ("engine_vos_discarded", "records removed by discards", |stats| stats.discarded),
    ("engine_dtx_prepared", "transactions prepared", |stats| stats.prepared),
    ("engine_dtx_committed", "prepared transactions committed", |stats| stats.committed),
    ("engine_connections_accepted", "connections since start", |stats| stats.connections),
];

impl Telemetry {
    /// All metrics as text.
    pub(crate) async fn scrape(&self) -> String {
        let mut registry = Registry::default();
        self.engines(&mut registry).await;
        self.system(&mut registry).await;
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION").to_owned() }).set(1);
        registry.register("daos_server_build_info", "version of daos_server", build);
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }

    async fn engines(&self, registry: &mut Registry) {
        let restarts = Family::<InstanceLabels, Counter>::default();
        let up = Family::<InstanceLabels, Gauge>::default();
        let uptime = Family::<RankLabels, Gauge>::default();
        let resident = Family::<TargetLabels, Gauge>::default();
        let over_limit = Family::<TargetLabels, Gauge>::default();
        let counters: Vec<Family<TargetLabels, Counter<u64, AtomicU64>>> =
            TARGET_COUNTERS.iter().map(|_| Family::default()).collect();
        for instance in self.harness.iter() {
            let snapshot = instance.snapshot();
            let labels = InstanceLabels { instance: instance.index };
            restarts.get_or_create(&labels).inc_by(snapshot.restarts);
            up.get_or_create(&labels).set(i64::from(snapshot.state == State::Joined));
            let (Some(rank), Some(stats)) = (snapshot.rank, stats(instance).await) else { continue };
            uptime.get_or_create(&RankLabels { rank }).set(i64::try_from(stats.uptime_s).unwrap_or(i64::MAX));
            for target in &stats.targets {
                let labels = TargetLabels { rank, target: target.target };
                let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
                resident.get_or_create(&labels).set(number(target.arena_resident_bytes));
                over_limit.get_or_create(&labels).set(number(target.over_limit_pages));
                for (counter, (_, _, value)) in counters.iter().zip(TARGET_COUNTERS) {
                    counter.get_or_create(&labels).inc_by(value(target));
                }
            }
        }
        for (counter, (name, help, _)) in counters.into_iter().zip(TARGET_COUNTERS) {
            registry.register(name, help, counter);
        }
        registry.register("engine_arena_resident_bytes", "bytes of metadata in memory", resident);
        let help = "the most metadata pages there ever were beyond the memory limit";
        registry.register("engine_arena_over_limit_pages", help, over_limit);
        registry.register("engine_uptime_seconds", "seconds since the engine started", uptime);
        registry.register("daos_server_engine_up", "1 when the engine serves", up);
        registry.register("daos_server_engine_restarts", "automatic restarts", restarts);
    }

    async fn system(&self, registry: &mut Registry) {
        let Ok(system) = self.management.here() else { return };
        let states = Family::<StateLabels, Gauge>::default();
        for state in State::ALL {
            states.get_or_create(&StateLabels { state: state.to_string() }).set(0);
        }
        for (_, state) in system.member_states().await {
            states.get_or_create(&StateLabels { state: state.to_string() }).inc();
        }
        registry.register("daos_server_members", "members by state", states);
        let promised = Family::<PoolLabels, Gauge>::default();
        for pool in system.pool_sizes().await {
            let ranks = pool.ranks.len() as u64;
            for (tier, bytes) in [("scm", pool.scm_bytes), ("nvme", pool.nvme_bytes)] {
                let (uuid, label) = (pool.uuid.to_string(), pool.label.to_string());
                let labels = PoolLabels { pool: uuid, label, tier: tier.to_owned() };
                promised.get_or_create(&labels).set(i64::try_from(bytes.saturating_mul(ranks)).unwrap_or(i64::MAX));
            }
        }
        registry.register("daos_server_pool_bytes", "space promised to pools, all ranks", promised);
    }
}

async fn stats(instance: &Instance) -> Option<Stats> {
    instance.call(Method::Stats, &(), STATS_DEADLINE).await.ok()
}

/// Binds the telemetry port.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).await.map_err(|error| {
        let port = address.port();
        Fault::new(
            FaultName::ServerConfigBadTelemetryPort,
            format!("cannot listen on telemetry port {port}: {error}"),
            format!("stop the process that listens on it (`ss -ltnp sport = :{port}`), or change `telemetry_port` in daos_server.yml"),
        )
    })
}

/// Serves until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, telemetry: Arc<Telemetry>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot accept a telemetry connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let telemetry = telemetry.clone();
        tokio::spawn(async move {
            let _slot = slot;
            let service = service_fn(|request| answer(&telemetry, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_DEADLINE)
                .serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
        });
    }
}

async fn answer<B>(telemetry: &Telemetry, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let reply = |status, kind: &str, body: String| {
        Response::builder()
            .status(status)
            .header("content-type", kind)
            .body(Full::from(body))
            .expect("the parts are valid")
    };
    Ok(match (request.method(), request.uri().path()) {
        (&HttpMethod::GET, "/metrics") => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            reply(StatusCode::OK, kind, telemetry.scrape().await)
        }
        _ => reply(StatusCode::NOT_FOUND, "text/plain", "metrics are at /metrics\n".to_owned()),
    })
}
