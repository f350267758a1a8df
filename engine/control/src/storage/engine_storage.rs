//! The storage of one engine instance: is it formatted, format it, make it ready for a start.
//!
//! Files, in the order in which a format writes them: `daos_nvme.conf`; devices of class `file`, the file on persistent memory and
//! device labels (by `daos_engine --format`); the superblock last, which is the point of no return. A format that was interrupted leaves
//! no superblock and is asked for again; then labels of the attempt need `--force` only when they are complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use config::{BDEV_CONF_VERSION, BdevConf, BdevConfVersion, BdevDevice, EngineConfig, ScmClass};
use media::{Inspection, label::LABEL_VERSION};
use serde::Deserialize;
use types::{Fault, FaultName};
use uuid::Uuid;
use wire::proto::ctl::FormatResult;

use super::plan::{Found, bdev_conf};
use super::superblock::{Superblock, write_durably};
use super::{bdev, pmem, scm};

/// Where an engine's storage and its records are.
#[derive(Debug, Clone)]
pub(crate) struct EngineStorage {
    pub(crate) system: String,
    pub(crate) index: u32,
    pub(crate) engine: EngineConfig,
    /// `daos_control/engine<N>`.
    pub(crate) folder: PathBuf,
    /// Bytes of memory settled for the arenas.
    pub(crate) scm_bytes: u64,
    /// The `daos_engine` executable.
    pub(crate) program: PathBuf,
}

/// What a start finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// To be formatted first.
    Unformatted,
    /// Ready to start.
    Formatted(Superblock),
}

/// One line of JSON that `daos_engine --format` prints.
#[derive(Debug, Deserialize)]
struct FormatLine {
    ok: bool,
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    fault: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    resolution: Option<String>,
}

impl EngineStorage {
    /// `daos_nvme.conf`.
    pub(crate) fn conf_path(&self) -> PathBuf {
        self.folder.join("daos_nvme.conf")
    }

    /// The file with logs and checkpoints, with a memory tier of class `dcpm`.
    fn metadata_file(&self) -> Option<String> {
        let scm = &self.engine.scm;
        (scm.class == ScmClass::Dcpm).then(|| pmem::file(scm).display().to_string())
    }

    /// Devices of the block tiers.
    fn blocks(&self) -> impl Iterator<Item = &String> {
        self.engine.bdevs.iter().flat_map(|tier| &tier.devices)
    }

    /// Everything that carries a label, in the order of `daos_nvme.conf`.
    fn devices(&self) -> Vec<String> {
        self.metadata_file().into_iter().chain(self.blocks().cloned()).collect()
    }

    /// Makes the memory tier usable; true when it is a tmpfs.
    fn prepare_memory(&self) -> Result<bool, Fault> {
        match self.engine.scm.class {
            ScmClass::Ram => scm::prepare(&self.engine.scm, self.scm_bytes),
            ScmClass::Dcpm => pmem::prepare(&self.engine.scm).map(|()| false),
        }
    }

    /// Mounts the memory tier and looks for a format.
    pub(crate) fn prepare(&self) -> Result<Readiness, Fault> {
        let mounted = self.prepare_memory()?;
        fs::create_dir_all(&self.folder).map_err(|error| folder_denied(&self.folder, &error))?;
        let Some(superblock) = Superblock::read(&self.folder)? else { return Ok(Readiness::Unformatted) };
        if superblock.system != self.system {
            return Err(Fault::new(
                FaultName::ServerWrongSystem,
                format!(
                    "engine {} was formatted for system `{}`, not `{}`",
                    self.index, superblock.system, self.system
                ),
                "restore `name` in daos_server.yml, or format with `dmg storage format --force`",
            ));
        }
        let mut conf = self.read_conf()?;
        if conf.engine_uuid != superblock.uuid {
            return Err(Fault::new(
                FaultName::Unknown,
                format!("`{}` and the superblock beside it belong to different formats", self.conf_path().display()),
                "restore both files from one backup, or format with `dmg storage format --force`",
            ));
        }
        self.check_settings(&conf)?;
        self.check_labels(superblock.uuid, &conf)?;
        if conf.scm.mounted != mounted {
            conf.scm.mounted = mounted;
            self.write_conf(&conf).map_err(|error| folder_denied(&self.folder, &error))?;
        }
        Ok(Readiness::Formatted(superblock))
    }

    /// Formats everything and says per device what became of it. The first failure ends it.
    pub(crate) fn format(&self, force: bool) -> Vec<FormatResult> {
        let mut results = Vec::new();
        let scm = self.engine.scm.mount.display().to_string();
        let mounted = match self.prepare_format(force) {
            Ok(mounted) => mounted,
            Err(fault) => {
                results.push(self.failed(&scm, "scm", &fault));
                return results;
            }
        };
        let formatted = self.format_devices(mounted, force);
        // The file on persistent memory is told with the memory tier.
        match &formatted {
            Err((device, fault)) if Some(device) == self.metadata_file().as_ref() => {
                results.push(self.failed(&scm, "scm", fault));
                return results;
            }
            _ => results.push(self.done(&scm, "scm")),
        }
        match formatted {
            Ok(()) => results.extend(self.blocks().map(|device| self.done(device, "bdev"))),
            Err((device, fault)) => results.push(self.failed(&device, "bdev", &fault)),
        }
        results
    }

    fn prepare_format(&self, force: bool) -> Result<bool, Fault> {
        let mounted = self.prepare_memory()?;
        fs::create_dir_all(&self.folder).map_err(|error| folder_denied(&self.folder, &error))?;
        let formatted = !matches!(Superblock::read(&self.folder), Ok(None));
        if formatted && !force {
            return Err(already_formatted(&format!("the storage of engine {}", self.index)));
        }
        Superblock::remove(&self.folder).map_err(|error| folder_denied(&self.folder, &error))?;
        Ok(mounted)
    }

    fn format_devices(&self, mounted: bool, force: bool) -> Result<(), (String, Fault)> {
        let first_block = self.blocks().next().cloned().unwrap_or_default();
        let first = self.metadata_file().unwrap_or_else(|| first_block.clone());
        let persistent = match self.metadata_file() {
            Some(path) => {
                let bytes = pmem::provide(&self.engine.scm).map_err(|fault| (path.clone(), fault))?;
                Some(BdevDevice { path, bytes })
            }
            None => None,
        };
        let device_bytes = bdev::provide(&self.engine).map_err(|fault| (first_block, fault))?;
        let found = Found { device_bytes, scm_bytes: self.scm_bytes, persistent, mounted };
        let conf = bdev_conf(&self.system, &self.engine, Uuid::new_v4(), &found);
        let denied = |error: io::Error| (first.clone(), folder_denied(&self.folder, &error));
        self.write_conf(&conf).map_err(denied)?;
        self.run_format(force)?;
        let denied = |error: io::Error| (first.clone(), folder_denied(&self.folder, &error));
        Superblock::new(&self.system, conf.engine_uuid).write(&self.folder).map_err(denied)
    }

    /// `daos_engine --format`: it alone writes labels.
    fn run_format(&self, force: bool) -> Result<(), (String, Fault)> {
        let mut command = Command::new(&self.program);
        command.arg("--format").arg("-n").arg(self.conf_path()).arg("-I").arg(self.index.to_string());
        if force {
            command.arg("--force");
        }
        let failure = |text: String| {
            let resolution = "read daos_server's log, correct the cause and format again";
            (String::new(), Fault::new(FaultName::BdevFormatFailure, text, resolution))
        };
        let output =
            command.output().map_err(|error| failure(format!("cannot run `{}`: {error}", self.program.display())))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let line = stdout.lines().rev().find_map(|line| serde_json::from_str::<FormatLine>(line).ok());
        match line {
            Some(line) if line.ok && output.status.success() => Ok(()),
            Some(line) => {
                let name = line.fault.as_deref().and_then(wire::fault::fault_name);
                let text = line.error.unwrap_or_else(|| format!("the format ended with {}", output.status));
                let resolution = line.resolution.filter(|text| !text.is_empty());
                let resolution = resolution.unwrap_or_else(|| "correct the cause and format again".to_owned());
                let fault = Fault::new(name.unwrap_or(FaultName::BdevFormatFailure), text, resolution);
                Err((line.device.unwrap_or_default(), fault))
            }
            None => {
                let words = String::from_utf8_lossy(&output.stderr);
                let words = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
                Err(failure(format!("`{} --format` ended with {}: {words}", self.program.display(), output.status)))
            }
        }
    }

    /// Every device must carry the label that this engine's format gave it.
    fn check_labels(&self, uuid: Uuid, conf: &BdevConf) -> Result<(), Fault> {
        for BdevDevice { path, bytes } in conf.tiers.iter().flat_map(|tier| &tier.devices) {
            let problem = match media::inspect(Path::new(path)) {
                Ok(Inspection::Formatted(label)) if label.engine == uuid => continue,
                Ok(Inspection::Formatted(label)) => {
                    format!("carries the label of another engine, `{}` of system `{}`", label.engine, label.system)
                }
                Ok(Inspection::Unformatted) => match fs::metadata(path) {
                    // A block device shows no length here.
                    Ok(found) if found.is_file() && found.len() != *bytes => {
                        format!("has no label; it has {} bytes and was formatted with {bytes}", found.len())
                    }
                    _ => "has lost its label".to_owned(),
                },
                Ok(Inspection::OtherVersion(version)) => {
                    return Err(Fault::new(
                        FaultName::ServerIncompatibleComponents,
                        format!(
                            "the device `{path}` of engine {} has a label of version {version}, this program knows version {LABEL_VERSION}",
                            self.index
                        ),
                        OTHER_VERSION,
                    ));
                }
                Ok(Inspection::Damaged(reason)) => format!("has a damaged label: {reason}"),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Fault::new(
                        FaultName::StoragePathAccessDenied,
                        format!("the device `{path}` of engine {} cannot be read: {error}", self.index),
                        "give it to daos_server's user (`chown` for now, a udev rule with OWNER=\"daos_server\" for good) and \
                         run `dmg system start`",
                    ));
                }
                Err(error) => {
                    return Err(Fault::new(
                        FaultName::BdevNotFound,
                        format!("the device `{path}` of engine {} cannot be read: {error}", self.index),
                        "attach the device again, check its path and owner, and run `dmg system start`",
                    ));
                }
            };
            return Err(Fault::new(
                FaultName::BdevFormatFailure,
                format!("the device `{path}` of engine {} {problem}", self.index),
                "put the right device in its place and run `dmg system start`, or format with `dmg storage format \
                 --force`, which loses the engine's data",
            ));
        }
        Ok(())
    }

    /// The settings must still describe what was formatted.
    fn check_settings(&self, conf: &BdevConf) -> Result<(), Fault> {
        let formatted: Vec<&str> =
            conf.tiers.iter().flat_map(|tier| tier.devices.iter().map(|device| device.path.as_str())).collect();
        let configured = self.devices();
        let differs = |what: &str, was: String, is: String| {
            Err(Fault::new(
                FaultName::ServerConfigBadConfig,
                format!("engine {} was formatted with {what} {was}; daos_server.yml now says {is}", self.index),
                "restore the old setting, or format with `dmg storage format --force`, which loses the engine's data",
            ))
        };
        if conf.targets != self.engine.targets {
            return differs("`targets`", conf.targets.to_string(), self.engine.targets.to_string());
        }
        if formatted != configured {
            return differs("the devices", formatted.join(", "), configured.join(", "));
        }
        Ok(())
    }

    /// What the engine was formatted with.
    pub(crate) fn read_conf(&self) -> Result<BdevConf, Fault> {
        let path = self.conf_path();
        let unreadable = |error: String| {
            Fault::new(
                FaultName::Unknown,
                format!("`{}` cannot be read: {error}", path.display()),
                "restore the file, or format with `dmg storage format --force`, which loses the engine's data",
            )
        };
        let bytes = fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
        // Before everything else: another version may have other fields.
        if let Ok(BdevConfVersion { version }) = serde_json::from_slice(&bytes)
            && version != BDEV_CONF_VERSION
        {
            return Err(Fault::new(
                FaultName::ServerIncompatibleComponents,
                format!("`{}` has version {version}, this program knows version {BDEV_CONF_VERSION}", path.display()),
                OTHER_VERSION,
            ));
        }
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
    }

    fn write_conf(&self, conf: &BdevConf) -> io::Result<()> {
        write_durably(&self.conf_path(), &serde_json::to_vec_pretty(conf).expect("plain data"))
    }

    /// Keeps the rank beside the data it belongs to.
    pub(crate) fn save_rank(&self, rank: u32) -> Result<(), Fault> {
        let denied = |error: io::Error| folder_denied(&self.folder, &error);
        match Superblock::read(&self.folder)? {
            Some(superblock) if superblock.rank != Some(rank) => {
                Superblock { rank: Some(rank), ..superblock }.write(&self.folder).map_err(denied)
            }
            _ => Ok(()),
        }
    }

    fn done(&self, device: &str, kind: &str) -> FormatResult {
        let (device, kind) = (device.to_owned(), kind.to_owned());
        FormatResult { device, kind, ok: true, engine: self.index, ..FormatResult::default() }
    }

    pub(crate) fn failed(&self, device: &str, kind: &str, fault: &Fault) -> FormatResult {
        FormatResult {
            device: device.to_owned(),
            kind: kind.to_owned(),
            ok: false,
            fault: fault.name.as_str().to_owned(),
            error: fault.description.clone(),
            resolution: fault.resolution.clone(),
            engine: self.index,
        }
    }
}

/// What to do with storage that another release formatted.
const OTHER_VERSION: &str = "install the release that wrote it and copy the data elsewhere, or format with `dmg storage format \
                             --force`, which loses the engine's data";

fn already_formatted(what: &str) -> Fault {
    Fault::new(
        FaultName::StorageAlreadyFormatted,
        format!("{what} is already formatted"),
        "retry with `--force` if all data on it may be lost",
    )
}

fn folder_denied(folder: &Path, error: &io::Error) -> Fault {
    Fault::new(
        FaultName::StoragePathAccessDenied,
        format!("cannot keep control records in `{}`: {error}", folder.display()),
        "make `control_metadata.path`, or with class `dcpm` `scm_mount`, writable for daos_server's user and restart daos_server",
    )
}
