//! Environment variables of engines and clients.

use super::{log_mask, log_streams, log_subsystems};
use crate::reader::Problem;
use crate::report::quote;
use crate::settings::{EnvVar, ProviderKind};

/// Least stack of a user-level thread: on persistent memory, with metadata on SSD, and over UCX, whose calls nest
/// deepest (DAOS: server/engine/config.go).
const STACK_DCPM: u64 = 20_480;
const STACK_METADATA_ON_SSD: u64 = 24_576;
const STACK_UCX: u64 = 32_768;

/// `NAME=value`.
pub(crate) fn variable(text: &str) -> Result<EnvVar, Problem> {
    let remedy = "write it as `NAME=value`";
    let Some((name, value)) = text.split_once('=') else {
        return Err(Problem::new(format!("{} sets no variable", quote(text)), remedy));
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Problem::new(
            format!("{} is not the name of an environment variable", quote(name)),
            "use letters, digits and `_`, not beginning with a digit, as in `NAME=value`",
        ));
    }
    if value.is_empty() {
        return Err(Problem::new(format!("the variable `{name}` has no value"), "give it a value or remove the line"));
    }
    Ok(EnvVar { name: name.to_owned(), value: value.to_owned() })
}

/// Variables whose wrong value would stop the engine or let it fail later.
pub(crate) fn check_engine_variable(
    variable: &EnvVar,
    dcpm: bool,
    metadata_on_ssd: bool,
    provider: Option<ProviderKind>,
) -> Result<(), Problem> {
    match variable.name.as_str() {
        "D_LOG_MASK" => log_mask(&variable.value).map(drop),
        "DD_MASK" => log_streams(&variable.value),
        "DD_SUBSYS" => log_subsystems(&variable.value),
        "ABT_THREAD_STACKSIZE" => {
            let least = [
                (dcpm, STACK_DCPM),
                (metadata_on_ssd, STACK_METADATA_ON_SSD),
                (provider == Some(ProviderKind::Ucx), STACK_UCX),
            ]
            .into_iter()
            .filter_map(|(applies, least)| applies.then_some(least))
            .max()
            .unwrap_or(0);
            match variable.value.parse::<u64>() {
                Ok(bytes) if bytes >= least => Ok(()),
                _ => Err(Problem::new(
                    format!(
                        "`ABT_THREAD_STACKSIZE` is {}, but these settings need {least} or more",
                        quote(&variable.value)
                    ),
                    format!("set it to {least} or more, or remove it"),
                )),
            }
        }
        "PMEMOBJ_CONF" if !dcpm && variable.value.contains("sds.at_create=1") => Err(Problem::new(
            "`PMEMOBJ_CONF` asks for shutdown-state detection, which memory of class `ram` cannot do",
            "write `PMEMOBJ_CONF=sds.at_create=0` or remove it",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_name_and_a_value() {
        assert_eq!(variable("A=b=c"), Ok(EnvVar { name: "A".into(), value: "b=c".into() }));
        for text in ["A", "=b", "1A=b", "A B=c", "A="] {
            assert!(variable(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_stack_grows_with_what_runs_on_it() {
        let stack = |bytes: &str| EnvVar { name: "ABT_THREAD_STACKSIZE".into(), value: bytes.into() };
        assert!(check_engine_variable(&stack("16384"), false, false, None).is_ok());
        assert!(check_engine_variable(&stack("20480"), true, false, None).is_ok());
        assert!(check_engine_variable(&stack("20480"), false, true, None).is_err());
        assert!(check_engine_variable(&stack("24576"), false, true, Some(ProviderKind::Ucx)).is_err());
        assert!(check_engine_variable(&stack("big"), false, false, None).is_err());
    }
}
