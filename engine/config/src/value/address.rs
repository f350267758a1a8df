//! PCI addresses and ranges of bus numbers.

use crate::reader::Problem;
use crate::report::quote;
use crate::settings::{BusIdRange, PciAddress};

/// Largest domain: VMD back-ends use 24 bits (`5d0505:01:00.0`).
const MAX_DOMAIN: u32 = 0xff_ffff;

/// `dddd:bb:dd.f`; the domain may have four to six hexadecimal digits.
pub(crate) fn pci(text: &str) -> Result<PciAddress, Problem> {
    parse(text).ok_or_else(|| {
        Problem::new(
            format!("{} is not a PCI address", quote(text)),
            "write it as `lspci -D` prints it, for example `0000:81:00.0`, and quote it",
        )
    })
}

/// Three parts divided by colons: what only a PCI address looks like, right or wrong.
pub(crate) fn looks_like_pci(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 3 && !text.contains('/') && (4..=6).contains(&parts[0].len()) && parts[1].len() == 2
}

fn parse(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    if !(4..=6).contains(&domain.len()) || bus.len() != 2 || device.len() != 2 || function.len() != 1 {
        return None;
    }
    let hex = |digits: &str| {
        digits.chars().all(|c| c.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let address = PciAddress {
        domain: hex(domain)?,
        bus: u8::try_from(hex(bus)?).ok()?,
        device: u8::try_from(hex(device)?).ok()?,
        function: u8::try_from(hex(function)?).ok()?,
    };
    // Five bits of device and three of function, by the PCI specification.
    (address.domain <= MAX_DOMAIN && address.device < 32 && address.function < 8).then_some(address)
}

/// `0x80-0x8f` or `128-143`.
pub(crate) fn bus_range(text: &str) -> Result<BusIdRange, Problem> {
    let number = |digits: &str| match digits.strip_prefix("0x") {
        Some(hex) if hex.chars().all(|c| c.is_ascii_hexdigit()) => u8::from_str_radix(hex, 16).ok(),
        None if digits.chars().all(|c| c.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    let remedy = "write the first and the last bus number, for example `0x80-0x8f` or `128-143`";
    let range = text.split_once('-').and_then(|(first, last)| Some((number(first.trim())?, number(last.trim())?)));
    match range {
        Some((first, last)) if first <= last => Ok(BusIdRange { first, last }),
        Some(_) => Err(Problem::new(format!("the range {} ends before it begins", quote(text)), remedy)),
        None => Err(Problem::new(format!("{} is not a range of bus numbers", quote(text)), remedy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed() {
        for text in ["0000:81:00.0", "0000:5d:05.5", "5d0505:01:00.0", "0000:ff:1f.7"] {
            assert_eq!(pci(text).map(|address| address.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "81:00.0", "0000:81:00", "0000:81:00.8", "0000:81:20.0", "000:81:00.0", "0000:8g:00.0", "0000:+1:00.0"]
        {
            assert!(pci(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_read_in_both_bases() {
        assert_eq!(bus_range("0x80-0x8f"), Ok(BusIdRange { first: 0x80, last: 0x8f }));
        assert_eq!(bus_range("128-143"), Ok(BusIdRange { first: 128, last: 143 }));
        for text in ["", "1", "9-1", "0x80", "1-256", "a-b", "-", "0x-0x"] {
            assert!(bus_range(text).is_err(), "{text}");
        }
    }
}
