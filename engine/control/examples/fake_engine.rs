//! A `daos_engine` without storage, for the tests of the control plane: it formats, reports ready, takes its rank and
//! keeps pools in a JSON file beside its `daos_nvme.conf`, so that they survive its restarts.
//!
//! Behaviour is chosen by `env_vars`: `FAKE_EXIT=CODE` ends it at once with words (`FAKE_WORDS`) on standard error; `FAKE_MUTE=1`
//! leaves pings unanswered; a pool whose label begins with `full` has a container; one whose label begins with `lost`
//! never gets an answer to its creation.

#![allow(clippy::disallowed_methods)] // it stands for a program of its own

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use config::BdevConf;
use media::{Inspection, Label, OpenDevice};
use prost::Message;
use serde::{Deserialize, Serialize};
use types::Status;
use uuid::Uuid;
use wire::drpc;
use wire::fault::Failure;
use wire::proto::drpc::{
    Answer, Call, EnginePoolCreateReq, EnginePoolDestroyReq, EnginePoolPropReq, EnginePoolReq, Method, NotifyReadyReq,
    Stats, StorageUsage, TargetStats,
};
use wire::proto::mgmt::{PoolPropResp, PoolQueryResp, Property, TierStats};

#[derive(Default, Serialize, Deserialize)]
struct State {
    pools: BTreeMap<String, Pool>,
    #[serde(skip)]
    groups: u64,
}

#[derive(Serialize, Deserialize)]
struct Pool {
    label: String,
    scm: u64,
    nvme: u64,
    ranks: u64,
    properties: BTreeMap<String, String>,
}

struct Engine {
    conf: BdevConf,
    state_path: PathBuf,
    state: Mutex<State>,
}

fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next()
}

fn main() -> std::process::ExitCode {
    if let Ok(code) = std::env::var("FAKE_EXIT") {
        eprintln!("{}", std::env::var("FAKE_WORDS").unwrap_or("the fake engine was told to fail".to_owned()));
        return code.parse::<u8>().unwrap_or(1).into();
    }
    let conf_path = PathBuf::from(option("-n").expect("-n"));
    let conf: BdevConf = serde_json::from_slice(&std::fs::read(&conf_path).expect("conf")).expect("conf is JSON");
    if std::env::args().any(|argument| argument == "--format") {
        return format(&conf, std::env::args().any(|argument| argument == "--force"));
    }
    serve(conf, &conf_path);
    std::process::ExitCode::SUCCESS
}

fn format(conf: &BdevConf, force: bool) -> std::process::ExitCode {
    for device in conf.tiers.iter().flat_map(|tier| &tier.devices) {
        let path = Path::new(&device.path);
        // One that is not there yet cannot be looked at.
        if !force && !matches!(media::inspect(path), Ok(Inspection::Unformatted) | Err(_)) {
            println!(
                "{}",
                serde_json::json!({"ok": false, "device": device.path, "fault": "StorageAlreadyFormatted",
                    "error": format!("`{}` has a label", device.path), "resolution": "retry with `--force`"})
            );
            return 1.into();
        }
        let label = Label {
            device: Uuid::new_v4(),
            engine: conf.engine_uuid,
            system: conf.system.clone(),
            total_bytes: device.bytes,
            arena_bytes: 1 << 20,
            slices: Vec::new(),
        };
        media::label::write(&OpenDevice::create(path, device.bytes).expect("makes"), &label).expect("writes");
    }
    println!("{}", serde_json::json!({"ok": true, "device": null, "fault": null, "error": null, "resolution": null}));
    std::process::ExitCode::SUCCESS
}

fn serve(conf: BdevConf, conf_path: &Path) {
    let socket_dir = PathBuf::from(option("-d").expect("-d"));
    let socket = socket_dir.join(format!("daos_engine_{}.sock", std::process::id()));
    let listener = UnixListener::bind(&socket).expect("binds");
    eprintln!("the fake engine serves on {}", socket.display());
    let state_path = conf_path.with_file_name("fake_pools.json");
    let state =
        std::fs::read(&state_path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("clock");
    let ready = NotifyReadyReq {
        instance: option("-I").and_then(|index| index.parse().ok()).expect("-I"),
        uuid: conf.engine_uuid.to_string(),
        incarnation: now.as_nanos() as u64,
        uri: format!("ofi+tcp://127.0.0.1:{}", std::env::var("D_PORT").expect("D_PORT")),
        targets: conf.targets,
        socket: socket.display().to_string(),
        recovery_us: 1000,
        replayed_bytes: 0,
    };
    let engine = Arc::new(Engine { conf, state_path, state: Mutex::new(state) });
    let accepting = std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let engine = engine.clone();
            std::thread::spawn(move || talk(&engine, stream));
        }
    });
    let mut server = UnixStream::connect(socket_dir.join("daos_server.sock")).expect("connects");
    server.write_all(&drpc::encode(&drpc::call(Method::NotifyReady, 1, &ready)).expect("fits")).expect("sends");
    let answer: Answer = read(&mut server).expect("an answer");
    assert_eq!(answer.status, 0, "{}", answer.message);
    accepting.join().expect("accepts for ever");
}

fn read<M: Message + Default>(stream: &mut UnixStream) -> Option<M> {
    let mut length = [0; drpc::LENGTH_BYTES];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; drpc::decode_length(length).ok()?];
    stream.read_exact(&mut body).ok()?;
    drpc::decode(body.into()).ok()
}

fn talk(engine: &Engine, mut stream: UnixStream) {
    while let Some(call) = read::<Call>(&mut stream) {
        let (sequence, method) = (call.sequence, call.method());
        let result = engine.handle(method, call.body);
        let answer = drpc::answer(sequence, result.map(Into::into));
        if stream.write_all(&drpc::encode(&answer).expect("fits")).is_err() {
            return;
        }
        if method == Method::PrepShutdown {
            std::process::exit(0);
        }
    }
}

impl Engine {
    fn handle(&self, method: Method, body: bytes::Bytes) -> Result<Vec<u8>, Failure> {
        let mut state = self.state.lock().expect("no holder panics");
        let absent = || Failure::new(Status::Nonexistent, "no such pool");
        let answer = match method {
            Method::SetRank | Method::PrepShutdown => Vec::new(),
            Method::Ping => {
                while std::env::var_os("FAKE_MUTE").is_some() {
                    std::thread::park();
                }
                Vec::new()
            }
            Method::GroupUpdate => {
                state.groups += 1;
                Vec::new()
            }
            Method::PoolCreate => {
                let request = EnginePoolCreateReq::decode(body).expect("decodes");
                while request.label.starts_with("lost") {
                    std::thread::park();
                }
                let properties =
                    request.properties.into_iter().map(|property| (property.name, property.value)).collect();
                let (label, scm, nvme) = (request.label, request.scm_bytes, request.nvme_bytes);
                let ranks = request.ranks.len() as u64;
                state.pools.insert(request.uuid, Pool { label, scm, nvme, ranks, properties });
                Vec::new()
            }
            Method::PoolDestroy => {
                let request = EnginePoolDestroyReq::decode(body).expect("decodes");
                let pool = state.pools.get(&request.uuid).ok_or_else(absent)?;
                if pool.label.starts_with("full") && !request.recursive {
                    return Err(Failure::new(Status::NotEmpty, "the pool has containers"));
                }
                state.pools.remove(&request.uuid);
                Vec::new()
            }
            Method::PoolQuery => {
                let request = EnginePoolReq::decode(body).expect("decodes");
                let pool = state.pools.get(&request.uuid).ok_or_else(absent)?;
                let tier = |bytes, media: &str| TierStats {
                    total: bytes,
                    free: bytes,
                    min: bytes,
                    max: bytes,
                    mean: bytes,
                    media_type: media.to_owned(),
                };
                let tier_stats = vec![tier(pool.scm, "scm"), tier(pool.nvme, "nvme")];
                let (total_targets, active_targets) = (self.conf.targets, self.conf.targets);
                // The fake is a pool's only rank, or the others have as much.
                let mem_file_bytes = pool.ranks * pool.scm * u64::from(self.conf.scm.mem_ratio) / 100;
                PoolQueryResp {
                    tier_stats,
                    total_targets,
                    active_targets,
                    mem_file_bytes,
                    version: 1,
                    ..PoolQueryResp::default()
                }
                .encode_to_vec()
            }
            Method::PoolGetProp | Method::PoolSetProp => {
                let request = EnginePoolPropReq::decode(body).expect("decodes");
                let pool = state.pools.get_mut(&request.uuid).ok_or_else(absent)?;
                pool.properties.extend(request.properties.into_iter().map(|property| (property.name, property.value)));
                let all = pool.properties.iter();
                let properties =
                    all.map(|(name, value)| Property { name: name.clone(), value: value.clone() }).collect();
                PoolPropResp { properties }.encode_to_vec()
            }
            Method::StorageUsage => self.usage(&state).encode_to_vec(),
            Method::Stats => {
                let target = |target| TargetStats {
                    target,
                    updates: 10 + u64::from(target),
                    over_limit_pages: 20 + u64::from(target),
                    ..TargetStats::default()
                };
                Stats { targets: (0..self.conf.targets).map(target).collect(), uptime_s: 1 }.encode_to_vec()
            }
            other => return Err(Failure::new(Status::Protocol, format!("no {}", other.as_str_name()))),
        };
        std::fs::write(&self.state_path, serde_json::to_vec(&*state).expect("plain data")).expect("writes");
        Ok(answer)
    }

    fn usage(&self, state: &State) -> StorageUsage {
        let device_bytes: u64 = self.conf.tiers.iter().flat_map(|tier| &tier.devices).map(|device| device.bytes).sum();
        let scm: u64 = state.pools.values().map(|pool| pool.scm).sum();
        let nvme: u64 = state.pools.values().map(|pool| pool.nvme).sum();
        StorageUsage {
            scm_total: self.conf.scm.bytes,
            scm_free: self.conf.scm.bytes - scm,
            data_total: device_bytes,
            data_free: device_bytes - nvme,
            meta_total: 0,
            wal_total: 0,
        }
    }
}
