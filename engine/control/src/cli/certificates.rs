//! `certs generate`.

use serde_json::json;

use super::arguments::Generate;
use super::envelope::Outcome;
use crate::certs::{Options, Scope, generate};
use crate::rfc3339;

/// Makes the files and says where they belong.
pub(super) fn run(arguments: &Generate) -> Outcome {
    let scope = match (arguments.renew, arguments.force) {
        (true, _) => Scope::Renew,
        (false, true) => Scope::Replace,
        (false, false) => Scope::New,
    };
    let options = Options { scope, days: arguments.days, names: arguments.names.clone() };
    match generate(&arguments.directory, &options) {
        Ok(made) => {
            let until = rfc3339::format(u64::try_from(made.not_after).unwrap_or(0) * 1000);
            let files: Vec<String> =
                made.files.iter().map(|file| made.directory.join(file).display().to_string()).collect();
            let text = format!(
                "{}\nvalid until {until}\n\
                 copy to /etc/daos/certs: daosCA.crt to every host; server.* and clients/ to servers; agent.* to clients; \
                 admin.* to administrators\nkeep daosCA.key off the network",
                files.join("\n")
            );
            Outcome::done(json!({ "directory": made.directory, "files": files, "not_after": until }), text)
        }
        Err(error) => Outcome::failed(error.to_string()),
    }
}
