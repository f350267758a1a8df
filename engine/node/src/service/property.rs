//! Container properties: names, values and defaults as in DAOS (src/include/daos/cont_props.h). Pure.
//!
//! Only what this engine does may be asked for: data always has checksums and is checked by the server, nothing is
//! redundant yet. A value that would promise more is refused instead of stored.

use store::SNAPSHOTS_MOST;
use types::{ChecksumKind, Label, Status};
use wire::fault::Failure;
use wire::proto::mgmt::Property;

/// The property with the kind of checksums.
const CKSUM: &str = "cksum";
/// Its values.
const CHECKSUM_KINDS: [&str; 3] =
    [ChecksumKind::Crc32c.as_str(), ChecksumKind::Crc64.as_str(), ChecksumKind::Sha256.as_str()];

/// Name, default, and the values that may be given at creation.
const DEFINITIONS: &[(&str, &str, Values)] = &[
    (CKSUM, "crc32", Values::OneOf(&CHECKSUM_KINDS)),
    ("cksum_size", "32768", Values::OneOf(&["32768", "32KiB"])),
    ("srv_cksum", "on", Values::OneOf(&["on"])),
    ("rd_fac", "0", Values::OneOf(&["0"])),
    ("rd_lvl", "node", Values::OneOf(&["node", "rank", "1", "2"])),
    ("layout_type", "unknown", Values::OneOf(&LAYOUTS)),
    ("layout_version", "1", Values::OneOf(&["1"])),
    ("max_snapshot", "0", Values::UpTo(SNAPSHOTS_MOST)),
    ("compression", "off", Values::OneOf(&["off"])),
    ("encryption", "off", Values::OneOf(&["off"])),
    ("dedup", "off", Values::OneOf(&["off"])),
    ("status", "HEALTHY", Values::ReadOnly),
    ("owner", "", Values::ReadOnly),
    ("group", "", Values::ReadOnly),
];

/// Container types.
const LAYOUTS: [&str; 9] = ["unknown", "POSIX", "HDF5", "PYTHON", "SPARK", "DATABASE", "ROOT", "SEISMIC", "METEO"];

#[derive(Clone, Copy)]
enum Values {
    OneOf(&'static [&'static str]),
    /// A number.
    UpTo(usize),
    ReadOnly,
}

/// Other names under which DAOS's tools know a property.
fn canonical_name(name: &str) -> &str {
    match name {
        "rf" => "rd_fac",
        "rf_lvl" => "rd_lvl",
        "health" => "status",
        "type" => "layout_type",
        other => other,
    }
}

/// All properties of a new container: what was given, checked, and the defaults of the rest. A `label` among them is
/// given back apart.
pub(super) fn for_creation(given: &[Property]) -> Result<(Option<Label>, Vec<Property>), Failure> {
    let mut label = None;
    let mut chosen: Vec<(&str, String)> = Vec::new();
    for property in given {
        let name = canonical_name(&property.name);
        if name == "label" {
            label = Some(parse_label(&property.value)?);
            continue;
        }
        let (name, _, values) = definition(name)?;
        if chosen.iter().any(|(earlier, _)| *earlier == name) {
            return Err(Failure::new(Status::Invalid, format!("the property `{name}` is given twice")));
        }
        chosen.push((name, check(name, values, &property.value)?));
    }
    let all = DEFINITIONS.iter().map(|(name, default, _)| {
        let value =
            chosen.iter().find(|(given, _)| given == name).map_or_else(|| (*default).to_owned(), |(_, v)| v.clone());
        Property { name: (*name).to_owned(), value }
    });
    Ok((label, all.collect()))
}

/// The kind of checksums that a container's properties ask for.
pub(super) fn checksum_kind(properties: &[Property]) -> Result<ChecksumKind, Failure> {
    match properties.iter().find(|property| property.name == CKSUM) {
        None => Ok(ChecksumKind::default()),
        Some(property) => property.value.parse().map_err(|_| {
            Failure::new(Status::DataLoss, format!("the record of the container has `{}` as `{CKSUM}`", property.value))
                .with_resolution("run the version of the engine that wrote it, or a newer one")
        }),
    }
}

/// What a label is, for people.
pub(super) const LABEL_RULE: &str = "choose 1 to 127 letters, digits and `:._-` that do not read as a UUID";

/// A label, or a failure that says what a label is.
pub(super) fn parse_label(text: &str) -> Result<Label, Failure> {
    text.parse::<Label>().map_err(|error| Failure::new(Status::Invalid, error.to_string()).with_resolution(LABEL_RULE))
}

fn definition(name: &str) -> Result<(&'static str, &'static str, Values), Failure> {
    DEFINITIONS.iter().copied().find(|(known, _, _)| *known == name).ok_or_else(|| {
        let known: Vec<&str> = DEFINITIONS.iter().map(|(known, _, _)| *known).collect();
        Failure::new(Status::Invalid, format!("`{name}` is not a container property"))
            .with_resolution(format!("use one of label, {}", known.join(", ")))
    })
}

fn check(name: &str, values: Values, given: &str) -> Result<String, Failure> {
    let allowed = match values {
        Values::ReadOnly => {
            return Err(Failure::new(Status::Invalid, format!("the property `{name}` is read-only")));
        }
        Values::UpTo(most) => {
            return match given.parse::<usize>() {
                Ok(number) if number <= most => Ok(number.to_string()),
                _ => Err(Failure::new(Status::Invalid, format!("`{given}` is no value of the property `{name}`"))
                    .with_resolution(format!("use a number from 0 to {most}"))),
            };
        }
        Values::OneOf(allowed) => allowed,
    };
    match allowed.iter().find(|value| value.eq_ignore_ascii_case(given)) {
        Some(&"32KiB") => Ok("32768".to_owned()),
        Some(&"1") if name == "rd_lvl" => Ok("rank".to_owned()),
        Some(&"2") if name == "rd_lvl" => Ok("node".to_owned()),
        Some(value) => Ok((*value).to_owned()),
        None => Err(Failure::new(
            Status::Invalid,
            format!("`{given}` is no value of the property `{name}` that this version has"),
        )
        .with_resolution(format!("use {}", allowed.join(" or ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Result<(Option<Label>, Vec<Property>), Failure> {
        let list: Vec<Property> = pairs
            .iter()
            .map(|(name, value)| Property { name: (*name).to_owned(), value: (*value).to_owned() })
            .collect();
        for_creation(&list)
    }

    #[test]
    fn what_is_given_replaces_the_default_and_aliases_are_known() {
        let (label, all) =
            given(&[("label", "boxes"), ("type", "posix"), ("rf", "0"), ("rd_lvl", "1"), ("max_snapshot", "07")])
                .unwrap();
        assert_eq!(label.unwrap().as_str(), "boxes");
        let value = |name: &str| all.iter().find(|property| property.name == name).unwrap().value.as_str();
        assert_eq!(value("max_snapshot"), "7");
        assert_eq!(
            (value("layout_type"), value("rd_fac"), value("rd_lvl"), value("cksum")),
            ("POSIX", "0", "rank", "crc32")
        );
    }

    #[test]
    fn promises_that_cannot_be_kept_are_refused() {
        for (name, value) in [
            ("rd_fac", "2"),
            ("cksum", "off"),
            ("cksum", "sha512"),
            ("dedup", "hash"),
            ("encryption", "aes"),
            ("status", "HEALTHY"),
            ("max_snapshot", "4097"),
            ("max_snapshot", "-1"),
            ("colour", "red"),
            ("label", "a b"),
        ] {
            let failure = given(&[(name, value)]).unwrap_err();
            assert_eq!(failure.status, Status::Invalid, "{name}: {failure}");
        }
        let refused = given(&[("cksum", "off")]).unwrap_err();
        assert_eq!(refused.resolution, "use crc32 or crc64 or sha256");
        assert!(given(&[("rf", "0"), ("rd_fac", "0")]).unwrap_err().message.contains("twice"));
    }

    #[test]
    fn the_kind_of_checksums_is_a_property() {
        for kind in ChecksumKind::ALL {
            let (_, all) = given(&[("cksum", kind.as_str())]).unwrap();
            assert_eq!(checksum_kind(&all), Ok(kind));
        }
        assert_eq!(checksum_kind(&given(&[]).unwrap().1), Ok(ChecksumKind::Crc32c));
        let unknown = [Property { name: CKSUM.to_owned(), value: "md5".to_owned() }];
        assert_eq!(checksum_kind(&unknown).unwrap_err().status, Status::DataLoss);
    }
}
