//! The name of a system.

use crate::reader::Problem;
use crate::report::quote;

/// DAOS_SYS_NAME_MAX.
const MAX_CHARS: usize = 15;

/// 1 to 15 letters, digits, `_`, `-` or `.`.
pub(crate) fn system_name(text: &str) -> Result<String, Problem> {
    let remedy = format!("use 1 to {MAX_CHARS} letters, digits, `_`, `-` or `.`; the usual name is `daos_server`");
    if text.chars().count() > MAX_CHARS {
        return Err(Problem::new(
            format!("the system name {} is longer than {MAX_CHARS} characters", quote(text)),
            remedy,
        ));
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !"_-.".contains(*c)) {
        Some(found) => {
            Err(Problem::new(format!("the system name {} has the character {found:?}", quote(text)), remedy))
        }
        None => Ok(text.to_owned()),
    }
}
