//! Fabric addresses: `ofi+tcp://127.0.0.1:31416`, in the spelling of DAOS's attach info.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::provider::{PROVIDERS, Provider};

/// The address of an engine's data port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uri {
    /// What carries the bytes.
    pub provider: Provider,
    /// Where to.
    pub address: SocketAddr,
}

/// Why a text is not such an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseUriError {
    /// It is something else.
    #[error("`{0}` is not a fabric address: a provider, an IP address and a port, as in `ofi+tcp://127.0.0.1:31416`")]
    Text(String),
    /// Another build made it.
    #[error("the provider of `{text}` is not built in\nhint: this build has {}", PROVIDERS.join(", "))]
    Provider {
        /// What was read.
        text: String,
    },
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.provider, self.address)
    }
}

impl FromStr for Uri {
    type Err = ParseUriError;
    fn from_str(text: &str) -> Result<Uri, ParseUriError> {
        let bad = || ParseUriError::Text(text.to_owned());
        let (name, address) = text.split_once("://").ok_or_else(bad)?;
        let address: SocketAddr = address.parse().map_err(|_| bad())?;
        // An address names what carries the bytes, so here no provider stands for another.
        let provider = Provider::serving(name).filter(|provider| provider.to_string() == name);
        match provider {
            Some(provider) if address.port() != 0 => Ok(Uri { provider, address }),
            None if name.starts_with("ofi+") => Err(ParseUriError::Provider { text: text.to_owned() }),
            _ => Err(bad()),
        }
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
            ["", "127.0.0.1:1", "tcp://1.2.3.4:5", "ofi+tcp://host:1", "ofi+tcp://1.2.3.4:0", "ofi+tcp://1.2.3.4"]
        {
            assert_eq!(bad.parse::<Uri>(), Err(ParseUriError::Text(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn an_address_of_libfabric_needs_libfabric() {
        let text = "ofi+tcp;ofi_rxm://127.0.0.1:31416";
        let parsed = text.parse::<Uri>().map(|uri| uri.to_string());
        let expected = if cfg!(feature = "ofi") {
            Ok(text.to_owned())
        } else {
            Err(ParseUriError::Provider { text: text.to_owned() })
        };
        assert_eq!(parsed, expected);
        let unknown = "ofi+psm9://127.0.0.1:31416";
        assert_eq!(unknown.parse::<Uri>(), Err(ParseUriError::Provider { text: unknown.to_owned() }));
    }
}
