//! Points in time as people read them: UTC, to the second.

use std::time::UNIX_EPOCH;

use types::Epoch;

const SECONDS_PER_DAY: u64 = 86_400;

/// `2026-01-02T03:04:05Z`, or nothing for an epoch before the origin of epochs.
pub fn utc_of_epoch(epoch: Epoch) -> String {
    if epoch == Epoch::ZERO {
        return String::new();
    }
    let seconds = epoch.to_system_time().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / SECONDS_PER_DAY);
    let of_day = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a count of days since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`, for days after 1970).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn at(seconds: u64) -> String {
        let time: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds);
        // epochs are rounded down to 16 us
        utc_of_epoch(Epoch::from_system_time(time + Duration::from_millis(1)))
    }

    #[test]
    fn days_leap_and_years_end() {
        for (seconds, text) in [
            (1_609_459_200, "2021-01-01T00:00:00Z"),
            (1_709_164_799, "2024-02-28T23:59:59Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (2_719_094_400, "2056-03-01T00:00:00Z"),
        ] {
            assert_eq!(at(seconds), text);
        }
        assert_eq!(utc_of_epoch(Epoch::ZERO), "");
    }
}
