//! Manual pages and completions: made once by running the programs, shipped as a source of the package.
//!
//! Programs for another architecture cannot run on the build host. Their documents do not depend on the architecture, so a
//! native build of the same sources makes them, and the source package carries them, as release tarballs do
//! (docs/adr/0011). Both happen in the sandbox.
//!
//! The native build has the default features only: what a recipe's options switch on may need libraries that are packages for the target and not
//! there for the build host. So commands and arguments must not depend on these features.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use packager_recipe::Concrete;
use packager_source::tarball::Contents;
use packager_source::vendor::Crate;

use crate::run::run;
use crate::sandbox::Sandbox;
use crate::stages::BuildError;

/// The list of crates.
const CRATES: &str = "docs/crates";

/// The programs run for a moment, and once: what takes the least time to compile.
const QUICK: [&str; 5] =
    ["opt-level=0", "debug=false", "debug-assertions=false", "incremental=false", "panic=\"abort\""];

/// What a document is called, who makes it, and with which arguments.
fn wanted(recipe: &Concrete) -> Vec<(String, &str, Vec<&'static str>)> {
    let mut documents = Vec::new();
    let Some(build) = &recipe.cargo else { return documents };
    for program in &build.manual {
        documents.push((format!("{program}.8"), program.as_str(), vec!["manpage"]));
    }
    for program in &build.completions {
        documents.push((format!("{program}.bash"), program.as_str(), vec!["completion", "bash"]));
        documents.push((format!("_{program}"), program.as_str(), vec!["completion", "zsh"]));
        documents.push((format!("{program}.fish"), program.as_str(), vec!["completion", "fish"]));
    }
    documents
}

/// Makes the documents in `sandbox`, whose work folder holds the unpacked sources in `tree`, into `tarball`.
pub(crate) fn make(
    recipe: &Concrete,
    crates: &[Crate],
    sandbox: &Sandbox<'_>,
    tarball: &Path,
    log: &Path,
) -> Result<(), BuildError> {
    let tree = PathBuf::from("/build").join(recipe.folder());
    let documents = wanted(recipe);
    let mut contents = Contents::new();
    contents.text(CRATES, list(crates));
    if !documents.is_empty() {
        let mut cargo = sandbox.command("sh");
        cargo.args(["-c", "cd \"$1\" && shift && exec cargo \"$@\"", "sh"]).arg(&tree);
        cargo.args(["build", "--frozen", "--target-dir", "/build/target"]);
        for setting in QUICK {
            cargo.args(["--config", &format!("profile.dev.{setting}")]);
        }
        for package in recipe.cargo.iter().flat_map(|build| &build.packages) {
            cargo.args(["-p", package]);
        }
        let programs: BTreeSet<&str> = documents.iter().map(|(_, program, _)| *program).collect();
        for program in programs {
            cargo.args(["--bin", program]);
        }
        run(&mut cargo, "building the programs natively for their documents", log)?;
        fs::create_dir_all(sandbox.work.join("docs")).map_err(BuildError::at(&sandbox.work))?;
        for (file, program, arguments) in &documents {
            let mut command = sandbox.command("sh");
            command.args(["-c", "out=$1 && shift && exec \"$@\" > \"/build/docs/$out\"", "sh", file]);
            command.arg(format!("/build/target/debug/{program}")).args(arguments);
            run(&mut command, &format!("`{program} {}`", arguments.join(" ")), log)?;
            let made = sandbox.work.join("docs").join(file);
            let text = fs::read(&made).map_err(BuildError::at(&made))?;
            if text.is_empty() {
                return Err(BuildError::EmptyDocument {
                    program: (*program).to_owned(),
                    arguments: arguments.join(" "),
                });
            }
            contents.text(format!("docs/{file}"), text);
        }
    }
    contents.write(tarball, sandbox.time).map_err(BuildError::at(tarball))
}

/// Only what needs no program to run, into `tarball`.
pub(crate) fn without_programs(crates: &[Crate], time: i64, tarball: &Path) -> Result<(), BuildError> {
    let mut contents = Contents::new();
    contents.text(CRATES, list(crates));
    contents.write(tarball, time).map_err(BuildError::at(tarball))
}

/// The crates in the programs and their licences, for people.
fn list(crates: &[Crate]) -> String {
    let mut text = String::from("Crates compiled into the programs, with their licences.\n\n");
    for entry in crates.iter().filter(|entry| entry.linked) {
        text.push_str(&format!("{} {}: {}\n", entry.name, entry.version, entry.license));
    }
    text
}
