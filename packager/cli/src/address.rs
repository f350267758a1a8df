//! Addresses of repositories, as `.repo` files have them.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What dnf reads packages from.
const SCHEMES: [&str; 4] = ["https", "http", "ftp", "file"];

/// Everything but what paths have unescaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address of a folder, whatever its name holds.
pub(crate) fn of_folder(folder: &Path) -> String {
    format!("file://{}", percent_encode(folder.as_os_str().as_bytes(), ESCAPED))
}

/// Refuses what dnf would take for something else, or not at all. `option` is what the user gave it to.
pub(crate) fn check(option: &str, address: &str) -> Result<()> {
    let known = |scheme: &str| SCHEMES.contains(&scheme);
    let rest = address.split_once("://").filter(|(scheme, _)| known(scheme)).map_or("", |(_, rest)| rest);
    if rest.is_empty() || address.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        bail!(
            "`{option} {address}` is no address of a repository\nhint: write for example https://packages.example.org/daos, with %20 for a blank"
        );
    }
    Ok(())
}

/// Refuses also what stands for several addresses: metadata that is read through a mirror list is made for one.
pub(crate) fn check_one(option: &str, address: &str) -> Result<()> {
    check(option, address)?;
    if address.contains('$') {
        bail!("`{option} {address}` stands for several addresses\nhint: write the one of this repository");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check, check_one, of_folder};

    #[test]
    fn folders_have_addresses() {
        assert_eq!(of_folder(Path::new("/srv/dist/el8-x_1.0~")), "file:///srv/dist/el8-x_1.0~");
        assert_eq!(of_folder(Path::new("/srv/my dist/ü%")), "file:///srv/my%20dist/%C3%BC%25");
    }

    #[test]
    fn addresses_are_checked() {
        for good in
            ["https://packages.invalid", "http://127.0.0.1:8000/daos", "file:///srv/my%20dist", "https://a/$basearch"]
        {
            assert!(check("--base-url", good).is_ok(), "{good}");
            assert_eq!(check_one("--mirror-list", good).is_ok(), !good.contains('$'), "{good}");
        }
        for bad in ["", "packages.invalid", "https://", "gopher://a", "https://a b", "https://a\nenabled=0", "/srv"] {
            assert!(check("--base-url", bad).is_err() && check_one("--base-url", bad).is_err(), "{bad}");
        }
    }
}
