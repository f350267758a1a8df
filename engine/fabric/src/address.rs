//! Fabric addresses: `ofi+tcp://127.0.0.1:31416`, in the spelling of DAOS's attach info.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

const SCHEME: &str = "ofi+tcp://";

/// The address of an engine's data port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uri(pub SocketAddr);

/// Why a text is not such an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fabric address: `ofi+tcp://` with an IP address and a port, as in `ofi+tcp://127.0.0.1:31416`")]
pub struct ParseUriError(String);

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

impl FromStr for Uri {
    type Err = ParseUriError;
    fn from_str(text: &str) -> Result<Uri, ParseUriError> {
        let bad = || ParseUriError(text.to_owned());
        let address: SocketAddr = text.strip_prefix(SCHEME).ok_or_else(bad)?.parse().map_err(|_| bad())?;
        if address.port() == 0 { Err(bad()) } else { Ok(Uri(address)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_and_others_are_refused() {
        for good in ["ofi+tcp://127.0.0.1:31416", "ofi+tcp://[::1]:1"] {
            assert_eq!(good.parse::<Uri>().unwrap().to_string(), good);
        }
        for bad in
            ["", "127.0.0.1:1", "ofi+verbs://1.2.3.4:5", "ofi+tcp://host:1", "ofi+tcp://1.2.3.4:0", "ofi+tcp://1.2.3.4"]
        {
            assert!(bad.parse::<Uri>().is_err(), "{bad}");
        }
    }
}
