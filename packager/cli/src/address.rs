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
    let fault = if address.contains(['?', '#']) {
        Some("it ends in a query or a fragment, behind which nothing can be asked for")
    } else if !address.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._~:/@!&()*+,;=%[]".contains(letter)) {
        Some("it has letters that must be written as %XX")
    } else if has_bad_escape(address) {
        Some("`%` is not followed by two digits of base 16")
    } else if authority(address).contains('@') {
        Some("it has credentials, and is published")
    } else if !has_good_port(authority(address)) {
        Some("its port is no number below 65536")
    } else {
        None
    };
    match fault {
        None => Ok(()),
        Some(fault) => bail!(
            "`{option} {address}` is no address of a repository: {fault}\nhint: write for example https://packages.example.org/daos"
        ),
    }
}

fn authority(address: &str) -> &str {
    address.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default()
}

fn has_bad_escape(address: &str) -> bool {
    address
        .split('%')
        .skip(1)
        .any(|rest| !rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

fn has_good_port(authority: &str) -> bool {
    // Behind the brackets of an IPv6 address, if it is one.
    let rest = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    rest.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok())
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
        for bad in [
            "http://h/?x=1",
            "http://h/#f",
            "http://h:99999/",
            "http://h/%zz",
            "http://h/x'y\"<&>",
            "http://h\\x",
            "http://u:p@h/x",
        ] {
            assert!(check_one("--mirror-list", bad).is_err(), "{bad}");
        }
        for good in ["http://[::1]:8080/x", "http://h:1/a@b", "file:///srv/my%20dist"] {
            assert!(check_one("--mirror-list", good).is_ok(), "{good}");
        }
        for bad in ["", "packages.invalid", "https://", "gopher://a", "https://a b", "https://a\nenabled=0", "/srv"] {
            assert!(check("--base-url", bad).is_err() && check_one("--base-url", bad).is_err(), "{bad}");
        }
    }
}
