//! Settings that more than one of the three files has.

use std::fmt;
use std::path::PathBuf;

/// A host and a port, as in `node0:10001` or `[fd00::1]:10001`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// Port, never 0.
    pub port: u16,
}

impl HostPort {
    /// From its two parts.
    pub fn new(host: impl Into<String>, port: u16) -> HostPort {
        HostPort { host: host.into(), port }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `transport_config`: how gRPC connections are secured, for one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportConfig {
    /// No TLS at all; every peer is believed.
    pub allow_insecure: bool,
    /// Directory of the agents' certificates, with which servers verify credentials. Servers only.
    pub client_cert_dir: Option<PathBuf>,
    /// The certificate authority's certificate.
    pub ca_cert: PathBuf,
    /// This role's certificate.
    pub cert: PathBuf,
    /// This role's private key.
    pub key: PathBuf,
}

/// Levels of the control plane's log (`control_log_mask`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Nothing.
    Disabled,
    /// Everything.
    Trace,
    /// For developers.
    Debug,
    /// The default.
    Info,
    /// Normal but significant.
    Notice,
    /// Failures only.
    Error,
}

impl LogLevel {
    /// Every level.
    pub const ALL: &'static [LogLevel] =
        &[LogLevel::Disabled, LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Notice, LogLevel::Error];

    /// As written in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            LogLevel::Disabled => "DISABLED",
            LogLevel::Trace => "TRACE",
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Notice => "NOTICE",
            LogLevel::Error => "ERROR",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What carries a provider's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// TCP: over sockets, or libfabric's.
    Tcp,
    /// InfiniBand or RoCE verbs.
    Verbs,
    /// HPE Slingshot.
    Cxi,
    /// Omni-Path.
    Opx,
    /// UCX over any of its transports.
    Ucx,
    /// One host, for tests.
    Shm,
}

/// `provider`: exactly one known fabric provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Provider {
    /// As written, for example `ofi+tcp;ofi_rxm`. Peers compare this text.
    pub name: String,
    /// What it stands for.
    pub kind: ProviderKind,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// One `NAME=value` of `env_vars` or `client_env_vars`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Value, possibly empty.
    pub value: String,
}

impl fmt::Display for EnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}
