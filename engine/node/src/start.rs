//! From arguments to a serving engine, and back to rest.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, mpsc as blocking};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use config::BdevConf;
use fabric::{Bound, PROVIDERS, Provider};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use wire::proto::drpc::{NotifyReadyReq, RasEvent};
use xstream::{Report, Target};

use crate::cli::{Arguments, EXIT_TARGET_FAILED};
use crate::local::Local;
use crate::peers::Connections;
use crate::port::{NO_RANK, Port};
use crate::service::PoolService;
use crate::targets::{Mailboxes, MemoryShare};
use crate::{cores, devices, interface, notify};

/// What ends a running engine.
enum End {
    Asked,
    Failed(String),
}

/// Runs the engine until it is asked to stop or cannot go on.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let conf = devices::read_conf(&arguments.conf)?;
    check(arguments, &conf)?;
    let erasure = erasure::Choice::named(&arguments.erasure, || started.elapsed())?.install();
    tracing::info!(checksums = erasure.checksums.name(), parity = erasure.parity.name(), "erasure kernels");
    if arguments.helpers > 0 {
        tracing::info!(helpers = arguments.helpers, "nr_xs_helpers is set; this engine's targets need no helpers");
    }
    // The port first: what is in use is found before the time is spent on recovery.
    let address = SocketAddr::new(interface::address_of(&arguments.interface)?, arguments.port);
    let provider = Provider::serving(&arguments.provider).with_context(|| {
        let known = PROVIDERS.join(", ");
        format!("the provider `{}` is not built into this engine\nhint: it has {known}; correct provider in daos_server.yml", arguments.provider)
    })?;
    let bound = Bound::open(provider, address).map_err(|error| match error.kind() {
        // libfabric's own words, which name the address.
        ErrorKind::Other => anyhow::Error::from(error),
        _ => anyhow::Error::from(error).context(format!(
            "cannot listen on {address}; another engine uses it, or fabric_iface_port in daos_server.yml must be changed"
        )),
    })?;
    // What the targets answer while they stop still has to arrive.
    let streams = bound.streams();
    let uri = bound.uri(provider)?;
    let (reports, failures) = blocking::channel();
    let (targets, share) = start_targets(arguments, &conf, &reports)?;
    let recovery_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let replayed_bytes = targets.iter().map(|target| target.recovery.replayed_bytes).sum();
    tracing::info!(targets = targets.len(), recovery_us, replayed_bytes, %uri, "all targets are open");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ready = NotifyReadyReq {
        instance: arguments.instance,
        uuid: conf.engine_uuid.to_string(),
        incarnation: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        uri: uri.to_string(),
        targets: conf.targets,
        socket: arguments.socket_dir.join(format!("daos_engine_{}.sock", std::process::id())).display().to_string(),
        recovery_us,
        replayed_bytes,
    };
    let end = runtime.block_on(serve(arguments, &conf, (&targets, share), bound, ready.clone(), failures))?;
    runtime.shutdown_background();
    let _ = std::fs::remove_file(&ready.socket); // the next start would replace it anyway
    stop_targets(targets);
    drop(streams);
    match end {
        End::Asked => {
            tracing::info!("ended in order");
            Ok(ExitCode::SUCCESS)
        }
        End::Failed(reason) => {
            tracing::error!("{reason}");
            eprintln!("ERROR: daos_engine: {reason}");
            Ok(ExitCode::from(EXIT_TARGET_FAILED))
        }
    }
}

fn check(arguments: &Arguments, conf: &BdevConf) -> anyhow::Result<()> {
    if arguments.group != conf.system {
        bail!("the storage was formatted for system `{}`, not `{}`", conf.system, arguments.group);
    }
    if let Some(targets) = arguments.targets
        && targets != conf.targets
    {
        bail!(
            "the storage was formatted for {} target(s), not {targets}\nhint: restore `targets` in daos_server.yml, or format again",
            conf.targets
        );
    }
    if let Some(mount) = &arguments.scm_mount
        && *mount != std::path::Path::new(&conf.scm.mount)
    {
        bail!("the storage was formatted with scm_mount `{}`, not `{}`", conf.scm.mount, mount.display());
    }
    Ok(())
}

fn start_targets(
    arguments: &Arguments,
    conf: &BdevConf,
    reports: &blocking::Sender<(u32, Report)>,
) -> anyhow::Result<(Vec<Target>, MemoryShare)> {
    let open = devices::open(conf).map_err(|(_, fault)| anyhow::anyhow!("{fault}"))?;
    let cores = cores::choose(arguments, conf.targets)?;
    let starting: Vec<_> = (0..conf.targets)
        .zip(&cores)
        .map(|(index, core)| {
            let reports = reports.clone();
            // The receiver lives as long as the engine.
            let report = move |report| drop(reports.send((index, report)));
            xstream::start(format!("daos_io_{index}"), *core, open.target(conf, index), report)
        })
        .collect();
    let mut targets = Vec::new();
    let mut failed = Vec::new();
    for (index, outcome) in starting.into_iter().enumerate() {
        match outcome.recv() {
            Ok(Ok(target)) => {
                if !target.pinned
                    && let Some(core) = cores[index]
                {
                    tracing::info!(target = index, core, "this process may not use the core; the thread is not pinned");
                }
                if !target.fast && index == 0 {
                    tracing::warn!(
                        "no io_uring: absent from this kernel or forbidden (sysctl kernel.io_uring_disabled); targets are slower"
                    );
                }
                targets.push(target);
            }
            Ok(Err(error)) => failed.push(error),
            Err(_) => failed.push(format!("target {index} ended while it started")),
        }
    }
    if failed.is_empty() {
        return Ok((targets, open.memory_share(conf)));
    }
    stop_targets(targets);
    bail!("{}", failed.join("; "))
}

fn stop_targets(targets: Vec<Target>) {
    for target in &targets {
        let _ = target.mailbox.stop(); // one that has ended needs no asking
    }
    for target in targets {
        let _ = target.thread.join(); // a panic was printed by the thread
    }
}

async fn serve(
    arguments: &Arguments,
    conf: &BdevConf,
    (targets, share): (&[Target], MemoryShare),
    bound: Bound,
    ready: NotifyReadyReq,
    failures: blocking::Receiver<(u32, Report)>,
) -> anyhow::Result<End> {
    let mailboxes = Mailboxes::new(targets.iter().map(|target| target.mailbox.clone()).collect(), share);
    let hearing = mailboxes.clone();
    let service = PoolService::new(mailboxes.clone(), Connections::new(conf.system.clone()), conf.system.clone());
    service.load().await.map_err(|failure| anyhow::anyhow!("the pool service cannot read its records: {failure}"))?;
    let port = Arc::new(Port {
        system: conf.system.clone(),
        incarnation: ready.incarnation,
        rank: AtomicU32::new(NO_RANK),
        targets: mailboxes,
        service: Arc::new(service),
        service_connections: AtomicUsize::new(0),
        next_client: AtomicU64::new(0),
    });
    let stop = Arc::new(Notify::new());
    let local = Arc::new(Local { port: port.clone(), started: Instant::now(), stop: stop.clone() });
    let socket = std::path::PathBuf::from(&ready.socket);
    let own = fabric::local::bind(&socket).with_context(|| format!("cannot make the socket `{}`", socket.display()))?;
    tokio::spawn(fabric::local::serve(own, move |method, body| local.clone().answer(method, body)));
    let accepting = match bound {
        Bound::Tcp(listener) => tokio::spawn(port.accept(tokio::net::TcpListener::from_std(listener)?)),
        #[cfg(feature = "ofi")]
        Bound::Ofi(endpoint) => tokio::spawn(port.accept(endpoint.listen()?)),
    };
    let (events, queue) = mpsc::channel(notify::MAX_EVENTS);
    tokio::spawn(notify::run(arguments.socket_dir.clone(), ready, queue));
    let (failed, mut failure) = mpsc::channel(1);
    let instance = arguments.instance;
    // Targets report on a blocking channel; one thread carries that over.
    std::thread::spawn(move || {
        while let Ok((target, report)) = failures.recv() {
            hearing.heard(target, &report);
            let (event, fatal) = describe(instance, target, &report);
            tracing::error!(target, "{}", event.message);
            if fatal {
                let _ = failed.blocking_send(event.message.clone());
            }
            let _ = events.try_send(event); // a full queue: the log has it
        }
    });
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        () = stop.notified() => Ok(End::Asked),
        _ = terminate.recv() => Ok(End::Asked),
        _ = interrupt.recv() => Ok(End::Asked),
        Some(reason) = failure.recv() => Ok(End::Failed(reason)),
        Ok(error) = accepting => Ok(End::Failed(format!("nobody can connect any more: {error}"))),
    }
}

/// The event to pass on for a report, and whether the engine must end.
fn describe(instance: u32, target: u32, report: &Report) -> (RasEvent, bool) {
    let event = |id: &str, severity: &str, message| RasEvent {
        id: id.to_owned(),
        severity: severity.to_owned(),
        instance,
        message,
    };
    match report {
        Report::Store(store::Event::Checksum(damage)) => {
            let by = if damage.scrubbed { "found by the scrubber" } else { "not served" };
            let text = format!(
                "target {target}: checksum mismatch in {damage}; {by}, and refused until it is written again or removed"
            );
            (event("device_media_error", "ERROR", text), false)
        }
        Report::Store(store::Event::Unsteady { offset, length }) => {
            let text = format!(
                "target {target}: {length} bytes from byte {offset} of the data slice did not match their checksum and, read again, did; check the device, its cable and the memory"
            );
            (event("device_media_error", "NOTICE", text), false)
        }
        Report::Store(store::Event::ReadFailed { offset, reason }) => {
            let text = format!("target {target}: reading the data slice at byte {offset} failed: {reason}");
            (event("device_media_error", "ERROR", text), false)
        }
        Report::Store(store::Event::Died { reason }) => {
            let text = format!(
                "target {target} takes no more changes: {reason}; restart the engine to recover what its log holds"
            );
            (event("device_set_faulty", "ERROR", text), false)
        }
        Report::Failed(reason) => {
            (event("engine_self_terminated", "ERROR", format!("target {target}: {reason}")), true)
        }
    }
}
