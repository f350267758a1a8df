//! The user's changelog, turned into rpm's.
//!
//! The file is Markdown: `## <version>` headings (`## Unreleased` on top) with `- ` items. A heading may carry a date:
//! `## 0.2.0 - 2026-12-01`; one without a date takes the date of the sources.

use serde::Serialize;

use crate::version::{is_version, of_cargo};

/// What changed in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// `None` for what is not released yet.
    pub version: Option<String>,
    /// Days since 1970-01-01, when the heading has a date.
    pub day: Option<i64>,
    /// One item per line, joined.
    pub items: Vec<String>,
}

/// Reads the changelog, newest first, without empty sections.
#[must_use]
pub fn parse(text: &str) -> Vec<Release> {
    let mut releases: Vec<Release> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let (version, date) = heading.trim().split_once(" - ").unwrap_or((heading.trim(), ""));
            let version = (!version.eq_ignore_ascii_case("unreleased"))
                .then(|| version.trim_matches(['[', ']']).trim_start_matches('v').to_owned());
            releases.push(Release { version, day: parse_day(date.trim()), items: Vec::new() });
        } else if let Some(release) = releases.last_mut() {
            if let Some(item) = line.strip_prefix("- ") {
                release.items.push(item.trim().to_owned());
            } else if !line.trim().is_empty()
                && line.starts_with(' ')
                && let Some(last) = release.items.last_mut()
            {
                last.push(' ');
                last.push_str(line.trim());
            }
        }
    }
    releases.retain(|release| !release.items.is_empty());
    releases
}

/// What was released, newest first, with versions as rpm spells them. Headings that begin with no version are left out.
#[must_use]
pub fn released(text: &str) -> Vec<Release> {
    let mut releases = parse(text);
    releases.retain_mut(|release| {
        release.version = release
            .version
            .as_deref()
            .map(of_cargo)
            .filter(|version| version.starts_with(|first: char| first.is_ascii_digit()) && is_version(version));
        release.version.is_some()
    });
    releases
}

/// `Mon Nov 23 2026`, as rpm wants it.
#[must_use]
pub fn rpm_date(day: i64) -> String {
    // 1970-01-01 was a Thursday.
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from(day.rem_euclid(7)).unwrap_or(0)];
    let (year, month, date) = civil(day);
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [usize::try_from(month - 1).unwrap_or(0)];
    format!("{weekday} {month} {date:02} {year}")
}

/// `2026-11-23T04:40:20Z`.
#[must_use]
pub fn iso_time(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let rest = seconds.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// `2026-11-23 00:00:00`.
#[must_use]
pub fn day_time(day: i64) -> String {
    let (year, month, date) = civil(day);
    format!("{year:04}-{month:02}-{date:02} 00:00:00")
}

/// Year, month, day of a day number (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, date)
}

/// Days since 1970-01-01 of `2026-11-23`.
#[must_use]
pub fn parse_day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{civil, parse, parse_day, rpm_date};

    #[test]
    fn items_may_span_lines_and_empty_sections_vanish() {
        let text = "# Changelog\n\nProse.\n\n## Unreleased\n\n- one\n  goes on\n- two\n\n## 0.2.0 - 2026-11-23\n\n## 0.1.0 - 2026-11-22\n- first\n";
        let releases = parse(text);
        assert_eq!(releases.len(), 2);
        assert_eq!(releases[0].version, None);
        assert_eq!(releases[0].items, ["one goes on", "two"]);
        assert_eq!(releases[1].version.as_deref(), Some("0.1.0"));
        assert_eq!(releases[1].day.map(rpm_date).as_deref(), Some("Sun Nov 22 2026"));
    }

    proptest! {
        #[test]
        fn days_round_trip(day in 0_i64..100_000) {
            let (year, month, date) = civil(day);
            prop_assert_eq!(parse_day(&format!("{year:04}-{month:02}-{date:02}")), Some(day));
        }
    }
}
