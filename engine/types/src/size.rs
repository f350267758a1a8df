//! Sizes in bytes, as people type and read them.
//!
//! Input takes both families: `8GiB`, `8G`, `8GB`, `512MiB`, `4096`; a decimal fraction is allowed (`1.5GiB`). As in
//! DAOS's command lines, `K`, `M`, `G`, `T` and their `B` forms are powers of 1000 and the `i` forms powers of 1024.
//! Output uses powers of 1000 with two significant decimals, again as DAOS prints.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

impl Size {
    /// `n` KiB.
    pub const fn kib(n: u64) -> Size {
        Size(n << 10)
    }

    /// `n` MiB.
    pub const fn mib(n: u64) -> Size {
        Size(n << 20)
    }

    /// `n` GiB.
    pub const fn gib(n: u64) -> Size {
        Size(n << 30)
    }

    /// The count of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if self.0 < 1000 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1000.0;
        let mut unit = 0;
        while value >= 999.95 && unit < UNITS.len() - 1 {
            value /= 1000.0;
            unit += 1;
        }
        if value < 10.0 { write!(f, "{value:.1} {}", UNITS[unit]) } else { write!(f, "{value:.0} {}", UNITS[unit]) }
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Size({})", self.0)
    }
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: a number with an optional unit, as in `8GiB`, `1.5TB` or `4096`")]
pub struct ParseSizeError(String);

impl FromStr for Size {
    type Err = ParseSizeError;
    fn from_str(text: &str) -> Result<Size, ParseSizeError> {
        let bad = || ParseSizeError(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "t" | "tb" => 1_000_000_000_000,
            "p" | "pb" => 1_000_000_000_000_000,
            "ki" | "kib" => 1 << 10,
            "mi" | "mib" => 1 << 20,
            "gi" | "gib" => 1 << 30,
            "ti" | "tib" => 1 << 40,
            "pi" | "pib" => 1 << 50,
            _ => return Err(bad()),
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Size).ok_or_else(bad);
        }
        let fraction: f64 = number.parse().map_err(|_| bad())?;
        let bytes = fraction * factor as f64;
        if bytes.is_finite() && (0.0..1.8e19).contains(&bytes) { Ok(Size(bytes as u64)) } else { Err(bad()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_unit_families_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("8GiB", 8 << 30),
            ("8gib", 8 << 30),
            ("8G", 8_000_000_000),
            ("8GB", 8_000_000_000),
            ("1.5GiB", 3 << 29),
            (" 2 TiB ", 2 << 40),
        ] {
            assert_eq!(text.parse::<Size>(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn nonsense_overflow_and_negatives_are_refused() {
        for text in ["", "GiB", "-1", "1e3", "8 giraffes", "99999999999PiB", "1.2.3G"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn output_has_two_significant_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (8_589_934_592, "8.6 GB"),
            (999_999, "1.0 MB"),
            (16_000_000_000, "16 GB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
