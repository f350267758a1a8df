//! Fabric providers: exactly one, and a known one.

use crate::reader::Problem;
use crate::report::quote;
use crate::settings::{Provider, ProviderKind};
use crate::suggest;

/// Names without the layered `;ofi_rxm`.
const OFI: [(&str, ProviderKind); 5] = [
    ("ofi+tcp", ProviderKind::Tcp),
    ("ofi+verbs", ProviderKind::Verbs),
    ("ofi+cxi", ProviderKind::Cxi),
    ("ofi+opx", ProviderKind::Opx),
    ("ofi+shm", ProviderKind::Shm),
];

/// Transports that may follow `ucx+`, several joined by commas in UCX but one here, as in DAOS's own examples.
const UCX: [&str; 8] = ["ucx+dc_x", "ucx+ud_x", "ucx+rc_x", "ucx+dc", "ucx+ud", "ucx+rc", "ucx+tcp", "ucx+all"];

/// For messages: every name, as in engine/docs/configuration.md.
const KNOWN: [&str; 15] = [
    "ofi+tcp",
    "ofi+tcp;ofi_rxm",
    "ofi+verbs",
    "ofi+verbs;ofi_rxm",
    "ofi+cxi",
    "ofi+opx",
    "ofi+shm",
    "ucx+dc_x",
    "ucx+ud_x",
    "ucx+rc_x",
    "ucx+dc",
    "ucx+ud",
    "ucx+rc",
    "ucx+tcp",
    "ucx+all",
];

/// One provider.
pub(crate) fn provider(text: &str) -> Result<Provider, Problem> {
    if text.contains(',') {
        return Err(Problem::new(
            format!("{} names more than one provider", quote(text)),
            "name exactly one provider, for example `ofi+tcp`",
        ));
    }
    let base = text.strip_suffix(";ofi_rxm").unwrap_or(text);
    let layered = base.len() != text.len();
    let kind = OFI
        .iter()
        .find(|(name, kind)| *name == base && (!layered || matches!(kind, ProviderKind::Tcp | ProviderKind::Verbs)))
        .map(|(_, kind)| *kind)
        .or_else(|| UCX.contains(&text).then_some(ProviderKind::Ucx));
    match kind {
        Some(kind) => Ok(Provider { name: text.to_owned(), kind }),
        None => Err(Problem::new(
            format!("{} is not a known provider", quote(text)),
            suggest::for_word(text, &KNOWN, "`provider`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_known_provider() {
        for (text, kind) in [
            ("ofi+tcp", ProviderKind::Tcp),
            ("ofi+tcp;ofi_rxm", ProviderKind::Tcp),
            ("ofi+verbs;ofi_rxm", ProviderKind::Verbs),
            ("ofi+cxi", ProviderKind::Cxi),
            ("ucx+dc_x", ProviderKind::Ucx),
        ] {
            assert_eq!(provider(text).map(|provider| provider.kind), Ok(kind), "{text}");
        }
        assert!(KNOWN.iter().all(|known| provider(known).is_ok()), "only known names are suggested");
        for text in ["", "tcp", "ofi+tcp,ofi+verbs", "ofi+cxi;ofi_rxm", "ofi+tcp ofi+verbs", "ofi+sockets"] {
            assert!(provider(text).is_err(), "{text}");
        }
    }
}
