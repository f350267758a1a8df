//! RAS events: one log line each, in the form that DAOS writes to syslog.

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Notice,
    Error,
}

/// Raises an event about an engine of this host.
pub(crate) fn raise(id: &str, severity: Severity, instance: u32, message: &str) {
    let sev = match severity {
        Severity::Notice => "NOTICE",
        Severity::Error => "ERROR",
    };
    let time = crate::rfc3339::format(crate::rfc3339::now_ms());
    let line = format!(
        "&&& RAS EVENT id: [{id}] ts: [{time}] type: [STATE_CHANGE] sev: [{sev}] inst: [{instance}] msg: [{message}]"
    );
    match severity {
        Severity::Notice => tracing::info!("{line}"),
        Severity::Error => tracing::error!("{line}"),
    }
}
