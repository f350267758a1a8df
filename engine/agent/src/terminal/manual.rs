//! Completions and man pages of a command line, made from its own definition.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use serde_json::json;
use types::Status;
use wire::fault::Failure;

use super::Report;

/// The completion script of `command` for `shell`.
pub fn completion(mut command: Command, shell: Shell) -> Report {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    let text = String::from_utf8_lossy(&script).into_owned();
    Report::new(script, json!(text))
}

/// The man page of `command`; with a folder, one page for it and one for each of its subcommands.
pub fn manpage(command: Command, folder: Option<&Path>) -> Result<Report, Failure> {
    match folder {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).expect("writing to memory does not fail");
            let text = String::from_utf8_lossy(&page).into_owned();
            Ok(Report::new(page, json!(text)))
        }
        Some(folder) => {
            std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder)).map_err(
                |error| {
                    Failure::new(Status::Io, format!("cannot write man pages to `{}`: {error}", folder.display()))
                        .with_resolution("name a folder that can be written")
                },
            )?;
            Ok(Report::new("", json!(folder)))
        }
    }
}
