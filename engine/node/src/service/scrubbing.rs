//! The pool properties `scrub` and `scrub_freq`, as every target of the pool keeps them. The management service has checked the values.

use store::{ScrubMode, Scrubbing};
use types::{PoolId, Status};
use wire::fault::Failure;
use wire::proto::mgmt::Property;
use wire::proto::service::ShardPoolScrubReq;

/// DAOS's default of `scrub_freq`: a week.
const PERIOD_S: u32 = 604_800;

/// True when one of them is among `properties`.
pub(super) fn is_among(properties: &[Property]) -> bool {
    properties.iter().any(|property| ["scrub", "scrub_freq"].contains(&property.name.as_str()))
}

/// What the properties of a pool say; what they do not say is the default.
pub(super) fn of(properties: &[Property]) -> Result<Scrubbing, Failure> {
    let value = |name: &str| properties.iter().find(|property| property.name == name).map(|property| &*property.value);
    let mode = match value("scrub").unwrap_or("off") {
        "off" => ScrubMode::Off,
        "lazy" => ScrubMode::Lazy,
        "timed" => ScrubMode::Timed,
        other => return Err(invalid("scrub", other, "off, lazy or timed")),
    };
    let period_s = match value("scrub_freq") {
        None => PERIOD_S,
        // Nobody waits longer than u32 seconds: it is more than a century.
        Some(text) => text
            .parse::<u64>()
            .map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
            .map_err(|_| invalid("scrub_freq", text, "a number of seconds"))?,
    };
    Ok(Scrubbing { mode, period_s })
}

fn invalid(name: &str, value: &str, wanted: &str) -> Failure {
    Failure::new(Status::Invalid, format!("`{value}` is no value of the property `{name}`"))
        .with_resolution(format!("use {wanted}"))
}

/// For a peer engine.
pub(super) fn request(pool: PoolId, scrubbing: Scrubbing) -> ShardPoolScrubReq {
    let mode = match scrubbing.mode {
        ScrubMode::Off => "off",
        ScrubMode::Lazy => "lazy",
        ScrubMode::Timed => "timed",
    };
    ShardPoolScrubReq { pool: pool.to_string(), scrub: mode.to_owned(), scrub_freq: scrubbing.period_s }
}

/// From a peer engine.
pub(super) fn requested(request: &ShardPoolScrubReq) -> Result<Scrubbing, Failure> {
    let property = |name: &str, value: String| Property { name: name.to_owned(), value };
    of(&[property("scrub", request.scrub.clone()), property("scrub_freq", request.scrub_freq.to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Vec<Property> {
        pairs.iter().map(|(name, value)| Property { name: (*name).to_owned(), value: (*value).to_owned() }).collect()
    }

    #[test]
    fn properties_become_a_setting_that_peers_understand() {
        assert_eq!(of(&[]).unwrap(), Scrubbing { mode: ScrubMode::Off, period_s: 604_800 });
        for (word, mode) in [("off", ScrubMode::Off), ("lazy", ScrubMode::Lazy), ("timed", ScrubMode::Timed)] {
            let scrubbing = of(&given(&[("scrub", word), ("scrub_freq", "3600")])).unwrap();
            assert_eq!(scrubbing, Scrubbing { mode, period_s: 3600 });
            assert_eq!(requested(&request(PoolId(uuid::Uuid::nil()), scrubbing)), Ok(scrubbing));
        }
        let long = of(&given(&[("scrub_freq", "18446744073709551615")])).unwrap();
        assert_eq!(long.period_s, u32::MAX);
        for bad in [("scrub", "always"), ("scrub_freq", "-1")] {
            assert_eq!(of(&given(&[bad])).unwrap_err().status, Status::Invalid);
        }
        assert!(
            is_among(&given(&[("label", "a"), ("scrub_freq", "1")])) && !is_among(&given(&[("scrub_thresh", "1")]))
        );
    }
}
