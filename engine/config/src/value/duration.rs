//! Durations as Go prints and reads them: `90s`, `1h30m`, `500ms`.

use std::time::Duration;

use crate::reader::Problem;
use crate::report::quote;

/// Units with their nanoseconds; `ms` before `m` so that the longer one is tried first.
const UNITS: [(&str, u64); 6] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

/// Whole numbers with units, one after another; `0` needs none.
pub(crate) fn duration(text: &str) -> Result<Duration, Problem> {
    let problem = |why: &str| {
        Problem::new(
            format!("{} is not a duration: {why}", quote(text)),
            "write a number with its unit, for example `30s`, `10m` or `1h30m`",
        )
    };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, 0u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| problem("a number is missing or too large"))?;
        let (unit, factor) =
            UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(|| problem("a unit is missing"))?;
        total = number
            .checked_mul(*factor)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| problem("it is too long"))?;
        rest = &tail[unit.len()..];
    }
    if text.is_empty() { Err(problem("it is empty")) } else { Ok(Duration::from_nanos(total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("0", 0), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("24h", 86_400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        for text in ["", "30", "s", "-1s", "1d", "1.5h", "99999999999h", "30s "] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
