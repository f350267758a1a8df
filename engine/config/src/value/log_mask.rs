//! `D_LOG_MASK`, `DD_MASK` and `DD_SUBSYS`: the engine's log settings.
//!
//! Names and limits are those of DAOS (src/control/server/engine/utils.go); case does not matter.

use crate::reader::Problem;
use crate::report::quote;
use crate::suggest;

/// Longest mask, as in DAOS.
const MAX_CHARS: usize = 1023;

const LEVELS: [&str; 12] =
    ["DEBUG", "DBUG", "INFO", "NOTE", "WARN", "ERROR", "ERR", "CRIT", "ALRT", "FATAL", "EMRG", "EMIT"];

const STREAMS: [&str; 18] = [
    "ALL",
    "ANY",
    "CSUM",
    "DF",
    "EPC",
    "GROUP_DEFAULT",
    "GROUP_METADATA",
    "GROUP_METADATA_ONLY",
    "IO",
    "MD",
    "MEM",
    "MGMT",
    "NET",
    "PL",
    "REBUILD",
    "SEC",
    "TEST",
    "TRACE",
];

const SUBSYSTEMS: [&str; 43] = [
    "ALL",
    "ARRAY",
    "BIO",
    "BULK",
    "CLIENT",
    "COMMON",
    "CONTAINER",
    "CORPC",
    "CRT",
    "CSUM",
    "CTL",
    "DAOS",
    "DFS",
    "DFUSE",
    "DRPC",
    "DTX",
    "DUNS",
    "EXTERNAL",
    "FI",
    "GRP",
    "HG",
    "IL",
    "IV",
    "KV",
    "LM",
    "MEM",
    "MGMT",
    "MISC",
    "OBJECT",
    "PLACEMENT",
    "POOL",
    "RDB",
    "REBUILD",
    "RPC",
    "RSVC",
    "SECURITY",
    "SERVER",
    "ST",
    "STACK",
    "SWIM",
    "TELEM",
    "TREE",
    "VOS",
];

/// A level, then `SUBSYSTEM=LEVEL` pairs; the first may lack its subsystem.
pub(crate) fn log_mask(text: &str) -> Result<String, Problem> {
    characters(text)?;
    for (index, part) in text.split(',').enumerate() {
        let level = match part.split_once('=') {
            Some((subsystem, level)) => {
                if subsystem.eq_ignore_ascii_case("ALL") {
                    let problem = "`ALL` is not a subsystem of a log mask";
                    return Err(Problem::new(
                        problem,
                        "write the level for all subsystems first, as in `ERR,mgmt=DEBUG`",
                    ));
                }
                name(subsystem, &SUBSYSTEMS, "a subsystem", "the subsystem")?;
                level
            }
            None if index == 0 => part,
            None => {
                return Err(Problem::new(
                    format!("{} in the log mask names no subsystem", quote(part)),
                    "write one level, then `SUBSYSTEM=LEVEL` pairs, as in `ERR,mgmt=DEBUG`",
                ));
            }
        };
        name(level, &LEVELS, "a log level", "the level")?;
    }
    Ok(text.to_owned())
}

/// `DD_MASK`: debug streams.
pub(crate) fn log_streams(text: &str) -> Result<(), Problem> {
    names(text, &STREAMS, "a debug stream", "`DD_MASK`")
}

/// `DD_SUBSYS`: subsystems.
pub(crate) fn log_subsystems(text: &str) -> Result<(), Problem> {
    names(text, &SUBSYSTEMS, "a subsystem", "`DD_SUBSYS`")
}

fn names(text: &str, known: &[&str], kind: &str, what: &str) -> Result<(), Problem> {
    characters(text)?;
    let parts: Vec<&str> = text.split(',').collect();
    for part in &parts {
        name(part, known, kind, what)?;
    }
    if parts.len() > 1 && parts.iter().any(|part| part.eq_ignore_ascii_case("ALL")) {
        return Err(Problem::new(
            format!("{what} names `ALL` and something else"),
            "write `ALL` alone or leave it out",
        ));
    }
    Ok(())
}

fn name(text: &str, known: &[&str], kind: &str, what: &str) -> Result<(), Problem> {
    if known.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    Err(Problem::new(format!("{} is not {kind}", quote(text)), suggest::for_word(text, known, what)))
}

fn characters(text: &str) -> Result<(), Problem> {
    if text.len() > MAX_CHARS {
        let problem = format!("the value has {} bytes, more than the limit of {MAX_CHARS}", text.len());
        return Err(Problem::new(problem, "shorten it"));
    }
    match text.chars().find(|c| !c.is_ascii_alphabetic() && !",=_".contains(*c)) {
        Some(found) => Err(Problem::new(
            format!("{} has the character {found:?}", quote(text)),
            "use only letters, `_`, `=` and `,` without spaces",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_a_level_and_pairs() {
        for text in ["ERR", "info", "ERR,mgmt=DEBUG,pool=INFO", "mgmt=DEBUG", "DBUG,GRP=EMIT"] {
            assert!(log_mask(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "LOUD",
            "ERR,DEBUG",
            "ERR,mgmt=LOUD",
            "ERR,nothing=DEBUG",
            "ERR,all=DEBUG",
            "ERR mgmt",
            "ERR,",
            "a=b=c",
        ] {
            assert!(log_mask(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_stands_alone() {
        assert!(log_streams("all").is_ok());
        assert!(log_streams("mgmt,io").is_ok());
        assert!(log_streams("all,io").is_err());
        assert!(log_subsystems("vos,bio").is_ok());
        assert!(log_subsystems("vos,bios").is_err());
    }
}
