//! Failures between processes: status, fault name, message and resolution, in gRPC metadata and in local answers.
//!
//! On gRPC the message is the status message; three metadata keys carry the rest: `daos-status` (negative DER code),
//! `daos-fault` (name of a fault) and `daos-resolution`. Metadata is ASCII, so every other byte of a resolution travels
//! percent-encoded, as gRPC itself does with messages. A status without these keys comes from the transport; its code
//! is translated to the nearest DER status.

use std::fmt;

use tonic::metadata::{Ascii, MetadataValue};
use types::{Fault, FaultName, Status};

use crate::proto::drpc::Answer;

/// Metadata key of the DER code.
pub const STATUS_KEY: &str = "daos-status";
/// Metadata key of the fault name.
pub const FAULT_KEY: &str = "daos-fault";
/// Metadata key of the resolution.
pub const RESOLUTION_KEY: &str = "daos-resolution";

/// Longest message or resolution sent: header lists of HTTP/2 peers are limited to 16 KiB, and percent-encoding may
/// triple a text.
const MAX_TEXT_BYTES: usize = 2048;

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// DER status.
    pub status: Status,
    /// The fault, when an administrator can act on it.
    pub fault: Option<FaultName>,
    /// What is wrong; lower case, no period.
    pub message: String,
    /// What to do; empty when there is nothing to advise.
    pub resolution: String,
}

impl Failure {
    /// A failure that is no fault.
    pub fn new(status: Status, message: impl Into<String>) -> Failure {
        Failure { status, fault: None, message: message.into(), resolution: String::new() }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_resolution(self, resolution: impl Into<String>) -> Failure {
        Failure { resolution: resolution.into(), ..self }
    }

    /// The fault, when there is one.
    pub fn as_fault(&self) -> Option<Fault> {
        self.fault.map(|name| Fault::new(name, self.message.clone(), self.resolution.clone()))
    }

    /// As the answer to local call `sequence`.
    pub fn to_answer(&self, sequence: u64) -> Answer {
        Answer {
            sequence,
            status: self.status.code(),
            fault: self.fault.map(|name| name.as_str().to_owned()).unwrap_or_default(),
            message: self.message.clone(),
            resolution: self.resolution.clone(),
            body: bytes::Bytes::new(),
        }
    }

    /// The body of a local answer, or the failure it carries.
    pub fn check_answer(answer: Answer) -> Result<bytes::Bytes, Failure> {
        match Status::from_code(answer.status) {
            Ok(()) => Ok(answer.body),
            Err(status) => Err(Failure {
                status,
                fault: fault_name(&answer.fault),
                message: if answer.message.is_empty() { status.to_string() } else { answer.message },
                resolution: answer.resolution,
            }),
        }
    }
}

impl fmt::Display for Failure {
    /// The message, and `hint:` with the resolution on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.resolution.is_empty() { Ok(()) } else { write!(f, "\nhint: {}", self.resolution) }
    }
}

impl std::error::Error for Failure {}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure {
            status: status_of_fault(fault.name),
            fault: Some(fault.name),
            message: fault.description,
            resolution: fault.resolution,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::new(status, status.text())
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> tonic::Status {
        let mut status = tonic::Status::new(code_of_status(failure.status), bounded(&failure.message));
        let metadata = status.metadata_mut();
        metadata.insert(STATUS_KEY, ascii(&failure.status.code().to_string()));
        if let Some(name) = failure.fault {
            metadata.insert(FAULT_KEY, ascii(name.as_str()));
        }
        if !failure.resolution.is_empty() {
            metadata.insert(RESOLUTION_KEY, ascii(bounded(&failure.resolution)));
        }
        status
    }
}

impl From<&tonic::Status> for Failure {
    fn from(status: &tonic::Status) -> Failure {
        let text = |key| status.metadata().get(key).map(|value| percent_decode(value.as_bytes()));
        let code = text(STATUS_KEY).and_then(|code| code.parse::<i32>().ok());
        Failure {
            status: code.and_then(|code| Status::from_code(code).err()).unwrap_or(status_of_code(status.code())),
            fault: text(FAULT_KEY).and_then(|name| fault_name(&name)),
            message: status.message().to_owned(),
            resolution: text(RESOLUTION_KEY).unwrap_or_default(),
        }
    }
}

/// The fault with this name.
pub fn fault_name(text: &str) -> Option<FaultName> {
    FaultName::ALL.iter().copied().find(|name| name.as_str() == text)
}

/// The DER status under which a fault travels.
pub fn status_of_fault(name: FaultName) -> Status {
    match name {
        FaultName::ServerPoolNoLabel
        | FaultName::ServerPoolScmTooSmall
        | FaultName::ServerPoolNvmeTooSmall
        | FaultName::ServerPoolInvalidRanks
        | FaultName::ServerPoolInvalidNumRanks
        | FaultName::ServerPoolInvalidServiceReps
        | FaultName::ServerPoolMemRatioNoRoles
        | FaultName::ServerWrongSystem => Status::Invalid,
        FaultName::ServerPoolDuplicateLabel | FaultName::StorageAlreadyFormatted => Status::Exists,
        FaultName::ServerPoolHasContainers => Status::NotEmpty,
        FaultName::ClientFormatRunningSystem | FaultName::ServerInstancesNotStopped => Status::Busy,
        FaultName::ServerDataPlaneNotStarted | FaultName::ServerHarnessNotStarted => Status::Unreachable,
        FaultName::ClientConnectionBadHost
        | FaultName::ClientConnectionNoRoute
        | FaultName::ClientConnectionRefused
        | FaultName::ClientConnectionClosed => Status::Unreachable,
        FaultName::ClientConnectionTimedOut | FaultName::ClientRpcTimeout => Status::TimedOut,
        FaultName::StoragePathAccessDenied => Status::NoPermission,
        _ => Status::Misc,
    }
}

/// The gRPC code under which a DER status travels.
fn code_of_status(status: Status) -> tonic::Code {
    match status {
        Status::NoPermission => tonic::Code::PermissionDenied,
        Status::Invalid | Status::BadTarget | Status::TooBig => tonic::Code::InvalidArgument,
        Status::Exists => tonic::Code::AlreadyExists,
        Status::Nonexistent => tonic::Code::NotFound,
        Status::NoSpace => tonic::Code::ResourceExhausted,
        Status::TimedOut => tonic::Code::DeadlineExceeded,
        Status::Unreachable => tonic::Code::Unavailable,
        Status::Busy
        | Status::NotEmpty
        | Status::Stale
        | Status::NotLeader
        | Status::NoHandle
        | Status::ClockSkew
        | Status::Restart => tonic::Code::FailedPrecondition,
        Status::DataLoss | Status::Checksum => tonic::Code::DataLoss,
        Status::Protocol => tonic::Code::Unimplemented,
        Status::Misc | Status::Io => tonic::Code::Internal,
    }
}

/// The nearest DER status of a gRPC code that came without one.
fn status_of_code(code: tonic::Code) -> Status {
    match code {
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => Status::NoPermission,
        tonic::Code::InvalidArgument | tonic::Code::OutOfRange => Status::Invalid,
        tonic::Code::AlreadyExists => Status::Exists,
        tonic::Code::NotFound => Status::Nonexistent,
        tonic::Code::ResourceExhausted => Status::TooBig,
        tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => Status::TimedOut,
        tonic::Code::Unavailable => Status::Unreachable,
        tonic::Code::FailedPrecondition | tonic::Code::Aborted => Status::Busy,
        tonic::Code::DataLoss => Status::DataLoss,
        tonic::Code::Unimplemented => Status::Protocol,
        tonic::Code::Ok | tonic::Code::Unknown | tonic::Code::Internal => Status::Misc,
    }
}

/// The longest prefix of whole characters within [`MAX_TEXT_BYTES`].
fn bounded(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_TEXT_BYTES)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

fn ascii(text: &str) -> MetadataValue<Ascii> {
    percent_encode(text).parse().expect("percent-encoded text is printable ASCII")
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Total: a broken escape stays as it is, broken UTF-8 becomes replacement characters.
fn percent_decode(bytes: &[u8]) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                decoded.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_fault_name_and_status_survives_grpc() {
        for name in FaultName::ALL {
            let failure = Failure::from(Fault::new(*name, "what is wrong", "what to do"));
            let status = tonic::Status::from(failure.clone());
            assert_eq!(Failure::from(&status), failure);
        }
        for status in Status::ALL {
            let failure = Failure::new(*status, "text");
            assert_eq!(Failure::from(&tonic::Status::from(failure.clone())), failure);
            assert_eq!(Failure::check_answer(failure.to_answer(7)), Err(failure));
        }
    }

    #[test]
    fn a_status_of_the_transport_becomes_the_nearest_der_status() {
        let failure = Failure::from(&tonic::Status::unavailable("connection refused"));
        assert_eq!(failure, Failure::new(Status::Unreachable, "connection refused"));
        let denied = Failure::from(&tonic::Status::permission_denied("no"));
        assert_eq!(denied.status, Status::NoPermission);
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let failure = Failure::new(Status::Misc, "ä".repeat(4096)).with_resolution("ö".repeat(4096));
        let back = Failure::from(&tonic::Status::from(failure));
        assert_eq!(back.message, "ä".repeat(MAX_TEXT_BYTES / 2));
        assert_eq!(back.resolution, "ö".repeat(MAX_TEXT_BYTES / 2));
    }

    proptest! {
        #[test]
        fn any_resolution_survives(text in "\\PC{0,200}", control in "[\\x00-\\x1f%]{0,20}") {
            let failure = Failure::new(Status::Misc, "m").with_resolution(format!("{text}{control}"));
            let back = Failure::from(&tonic::Status::from(failure.clone()));
            prop_assert_eq!(back, failure);
        }

        #[test]
        fn decoding_any_bytes_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = percent_decode(&bytes);
        }
    }
}
