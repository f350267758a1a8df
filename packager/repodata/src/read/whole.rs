//! The three files put together: packages with all that is known of them.

use std::collections::HashMap;
use std::io::BufRead;

use super::{ReadError, filelists, other, primary};
use crate::Package;

/// Reads all packages, in the order of `primary`. Every package must be in all three as often as in `primary`.
pub fn whole(
    from_primary: impl BufRead,
    from_filelists: impl BufRead,
    from_other: impl BufRead,
) -> Result<Vec<Package>, ReadError> {
    let mut packages = Vec::new();
    primary(from_primary, |package| {
        packages.push(package);
        Ok(())
    })?;
    complete(&mut packages, from_filelists, from_other)?;
    Ok(packages)
}

/// Gives packages from `primary` all their files and their changes.
pub fn complete(
    packages: &mut [Package],
    from_filelists: impl BufRead,
    from_other: impl BufRead,
) -> Result<(), ReadError> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, package) in packages.iter().enumerate().rev() {
        places.entry(&package.sha256).or_default().push(place);
    }
    let mut files: Vec<Option<_>> = packages.iter().map(|_| None).collect();
    let mut left = places.clone();
    filelists(from_filelists, |sha256, list| {
        files[place(&mut left, sha256)?] = Some(list);
        Ok(())
    })?;
    let mut changes: Vec<Option<_>> = packages.iter().map(|_| None).collect();
    other(from_other, |sha256, list| {
        changes[place(&mut places, sha256)?] = Some(list);
        Ok(())
    })?;
    for ((package, files), changes) in packages.iter_mut().zip(files).zip(changes) {
        let (Some(files), Some(changes)) = (files, changes) else {
            return Err(ReadError::Apart(package.nevra()));
        };
        (package.files, package.changes) = (files, changes);
    }
    Ok(())
}

/// The first place that a package has left.
fn place(places: &mut HashMap<&str, Vec<usize>>, sha256: String) -> Result<usize, ReadError> {
    places.get_mut(sha256.as_str()).and_then(Vec::pop).ok_or(ReadError::Apart(sha256))
}
