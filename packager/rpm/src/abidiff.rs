//! abidiff of libabigail, where it is installed: it reads debug information and says what changed in the types that a library shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use packager_source::stop;

/// Bits of abidiff's exit status (abidiff(1), RETURN VALUES).
const FAILED: i32 = 1;
const USAGE: i32 = 2;
/// Something that dependants can see. What it calls incompatible is less: symbols that went away, which are known without it.
const CHANGED: i32 = 4;

/// One build of a library.
pub(crate) struct Library<'l> {
    pub(crate) content: &'l [u8],
    /// In hexadecimal.
    pub(crate) build_id: &'l str,
    /// Its debug information, cut off.
    pub(crate) symbols: &'l [u8],
}

/// Compares two builds: nothing when abidiff is not installed, else what changed but for additions, or why that could not be found out.
pub(crate) fn compare(old: &Library<'_>, new: &Library<'_>) -> Option<Result<Option<String>, String>> {
    let room = match tempfile::tempdir() {
        Ok(room) => room,
        Err(error) => return Some(Err(format!("no temporary folder: {error}"))),
    };
    let mut command = Command::new("abidiff");
    command.args(["--no-show-locs", "--leaf-changes-only", "--no-added-syms"]);
    for (library, option) in [(old, "--debug-info-dir1"), (new, "--debug-info-dir2")] {
        let folder = room.path().join(&option[2..]);
        if let Err(error) = lay_out(library, &folder) {
            return Some(Err(format!("cannot write into a temporary folder: {error}")));
        }
        command.arg(option).arg(&folder);
    }
    command.args([room.path().join("debug-info-dir1/library"), room.path().join("debug-info-dir2/library")]);
    let output = match stop::output(&mut command) {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(format!("abidiff does not run: {error}"))),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    Some(match output.status.code() {
        Some(status) if status & (FAILED | USAGE) == 0 => Ok((status & CHANGED != 0).then(|| summary(&said))),
        _ => Err(format!("abidiff gave up: {}", String::from_utf8_lossy(&output.stderr).trim())),
    })
}

/// The library, and its debug information where abidiff looks for it.
fn lay_out(library: &Library<'_>, folder: &Path) -> std::io::Result<()> {
    let (first, rest) = library.build_id.split_at_checked(2).unwrap_or_default();
    let symbols = folder.join(".build-id").join(first);
    fs::create_dir_all(&symbols)?;
    fs::write(symbols.join(format!("{rest}.debug")), library.symbols)?;
    fs::write(folder.join("library"), library.content)
}

/// Its first lines that are no count: which type changed, and how.
fn summary(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains(" summary: "));
    lines.take(4).collect::<Vec<_>>().join("; ")
}
