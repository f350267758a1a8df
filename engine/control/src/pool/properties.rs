//! Pool properties: names, values and defaults as in DAOS. Pure.
//!
//! A value travels and is stored as text in its canonical form: sizes and numbers in decimal, words in lower case.
//! Which properties already change behaviour and which are only kept is in engine/docs/control-plane.md.

use types::{Label, Size, Status};
use wire::fault::Failure;
use wire::proto::mgmt::Property;

/// When a property may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// At creation and later.
    Any,
    /// Only at creation: data is laid out by it.
    Creation,
    /// Never: the system computes it.
    ReadOnly,
}

/// What values a property has.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A label.
    Label,
    /// A whole number in the range.
    Number(u64, u64),
    /// A size in bytes in the range, a multiple of the third number.
    Bytes(u64, u64, u64),
    /// A percentage in the range, with or without `%`.
    Percent(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// One or more of these words, joined by `;`; `none` stands alone.
    Words(&'static [&'static str]),
    /// Free text.
    Text,
}

struct Definition {
    name: &'static str,
    kind: Kind,
    default: &'static str,
    access: Access,
}

const fn any(name: &'static str, kind: Kind, default: &'static str) -> Definition {
    Definition { name, kind, default, access: Access::Any }
}

const fn creation(name: &'static str, kind: Kind, default: &'static str) -> Definition {
    Definition { name, kind, default, access: Access::Creation }
}

const fn read_only(name: &'static str, default: &'static str) -> Definition {
    Definition { name, kind: Kind::Text, default, access: Access::ReadOnly }
}

/// Largest value of a 32-bit count.
const U32: u64 = u32::MAX as u64;
/// Largest value of a 64-bit count of seconds or bytes.
const U64: u64 = u64::MAX;

/// Every property in the order in which it is shown. Ranges and defaults: DAOS, src/control/lib/daos/pool_property.go
/// and src/pool/srv_layout.c. `rd_fac` is 0 by default: no redundant object class exists yet.
const DEFINITIONS: &[Definition] = &[
    any("label", Kind::Label, ""),
    any("checkpoint", Kind::Word(&["disabled", "timed", "lazy"]), "timed"),
    any("checkpoint_freq", Kind::Number(1, 1_000_000), "5"),
    any("checkpoint_thresh", Kind::Percent(10, 75), "50"),
    any("data_thresh", Kind::Bytes(0, 1 << 30, 1), "4096"),
    any("ec_cell_sz", Kind::Bytes(4096, 1 << 30, 4096), "131072"),
    any("ec_pda", Kind::Number(1, U32), "1"),
    read_only("global_version", "4"),
    read_only("group", ""),
    read_only("owner", ""),
    creation("perf_domain", Kind::Word(&["root", "group"]), "root"),
    creation("rd_fac", Kind::Number(0, 4), "0"),
    any("reclaim", Kind::Word(&["disabled", "lazy", "time"]), "lazy"),
    any("reintegration", Kind::Word(&["data_sync", "no_data_sync", "incremental"]), "data_sync"),
    any("rp_pda", Kind::Number(1, U32), "4294967295"),
    any("scrub", Kind::Word(&["off", "lazy", "timed"]), "off"),
    any("scrub_freq", Kind::Number(0, U64), "604800"),
    any("scrub_thresh", Kind::Number(0, U32), "0"),
    any("self_heal", Kind::Words(&["exclude", "rebuild", "delay_rebuild"]), "exclude;rebuild"),
    any("space_rb", Kind::Percent(0, 100), "5"),
    read_only("svc_list", ""),
    any("svc_ops_enabled", Kind::Number(0, 1), "1"),
    any("svc_ops_entry_age", Kind::Number(60, 600), "300"),
    creation("svc_rf", Kind::Number(0, 4), "2"),
    read_only("upgrade_status", "not started"),
];

/// Every name, in the order of presentation.
pub fn names() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.iter().map(|definition| definition.name)
}

fn definition(name: &str) -> Result<&'static Definition, Failure> {
    DEFINITIONS.iter().find(|definition| definition.name == name).ok_or_else(|| {
        let known: Vec<&str> = names().collect();
        Failure::new(Status::Invalid, format!("`{name}` is not a pool property"))
            .with_resolution(format!("use one of {}", known.join(", ")))
    })
}

/// Checks that `names` are properties.
pub fn check_names(names: &[String]) -> Result<(), Failure> {
    names.iter().try_for_each(|name| definition(name).map(|_| ()))
}

/// All properties of a new pool: what was given, checked and in canonical form, and the defaults of the rest.
pub fn for_creation(given: &[Property]) -> Result<Vec<Property>, Failure> {
    let given = check(given, |definition| match definition.access {
        Access::Any | Access::Creation => Ok(()),
        Access::ReadOnly => Err(read_only_refused(definition.name)),
    })?;
    let complete = DEFINITIONS.iter().map(|definition| {
        given
            .iter()
            .find(|property| property.name == definition.name)
            .cloned()
            .unwrap_or_else(|| Property { name: definition.name.to_owned(), value: definition.default.to_owned() })
    });
    Ok(complete.collect())
}

/// Properties for an existing pool, checked and in canonical form.
pub fn for_change(given: &[Property]) -> Result<Vec<Property>, Failure> {
    if given.is_empty() {
        return Err(Failure::new(Status::Invalid, "no property is given").with_resolution("give NAME:VALUE"));
    }
    check(given, |definition| match definition.access {
        Access::Any => Ok(()),
        Access::Creation => Err(Failure::new(
            Status::Invalid,
            format!("the property `{}` can be set only when the pool is created", definition.name),
        )),
        Access::ReadOnly => Err(read_only_refused(definition.name)),
    })
}

fn read_only_refused(name: &str) -> Failure {
    Failure::new(Status::Invalid, format!("the property `{name}` is read-only"))
}

fn check(given: &[Property], access: impl Fn(&Definition) -> Result<(), Failure>) -> Result<Vec<Property>, Failure> {
    let mut checked: Vec<Property> = Vec::with_capacity(given.len());
    for property in given {
        let definition = definition(&property.name)?;
        access(definition)?;
        if checked.iter().any(|earlier| earlier.name == property.name) {
            return Err(Failure::new(Status::Invalid, format!("the property `{}` is given twice", property.name)));
        }
        let value = canonical(definition.kind, &property.value).map_err(|expected| {
            Failure::new(
                Status::Invalid,
                format!("`{}` is no value of the property `{}`", property.value, property.name),
            )
            .with_resolution(format!("give {expected}"))
        })?;
        checked.push(Property { name: property.name.clone(), value });
    }
    Ok(checked)
}

/// The value in canonical form, or what is expected.
fn canonical(kind: Kind, value: &str) -> Result<String, String> {
    let value = value.trim();
    match kind {
        Kind::Label => value.parse::<Label>().map(String::from).map_err(|error| error.to_string()),
        Kind::Number(least, most) => number(value, least, most, "a whole number"),
        Kind::Percent(least, most) => number(value.strip_suffix('%').unwrap_or(value), least, most, "a percentage"),
        Kind::Bytes(least, most, multiple) => {
            let expected = || {
                let step = if multiple > 1 { format!(", a multiple of {multiple}") } else { String::new() };
                format!("a size from {least} to {most} bytes{step}")
            };
            let Size(bytes) = value.parse().map_err(|_| expected())?;
            let fits = (least..=most).contains(&bytes) && bytes % multiple == 0;
            if fits { Ok(bytes.to_string()) } else { Err(expected()) }
        }
        Kind::Word(words) => {
            let lower = value.to_ascii_lowercase();
            if words.contains(&lower.as_str()) { Ok(lower) } else { Err(format!("one of {}", words.join(", "))) }
        }
        Kind::Words(words) => {
            let lower = value.to_ascii_lowercase();
            let expected = || format!("`none`, or one or more of {} joined by `;`", words.join(", "));
            if lower == "none" {
                return Ok(lower);
            }
            let mut chosen: Vec<&str> = lower.split([';', ',']).map(str::trim).collect();
            if chosen.iter().any(|word| !words.contains(word)) {
                return Err(expected());
            }
            chosen.sort_unstable();
            chosen.dedup();
            Ok(chosen.join(";"))
        }
        Kind::Text => Ok(value.to_owned()),
    }
}

fn number(value: &str, least: u64, most: u64, what: &str) -> Result<String, String> {
    match value.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
        _ => Err(format!("{what} from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &str, value: &str) -> Property {
        Property { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn defaults_are_values_of_their_own_properties() {
        for definition in DEFINITIONS.iter().filter(|definition| definition.name != "label") {
            let canonical = canonical(definition.kind, definition.default);
            assert_eq!(canonical.as_deref(), Ok(definition.default), "{}", definition.name);
        }
        assert!(DEFINITIONS[1..].windows(2).all(|pair| pair[0].name < pair[1].name), "shown in order");
    }

    #[test]
    fn values_become_canonical() {
        for (name, given, stored) in [
            ("ec_cell_sz", "64KiB", "65536"),
            ("self_heal", "rebuild,exclude", "exclude;rebuild"),
            ("self_heal", "NONE", "none"),
            ("space_rb", "7%", "7"),
            ("scrub", "Timed", "timed"),
            ("checkpoint_freq", "10", "10"),
        ] {
            assert_eq!(for_change(&[property(name, given)]), Ok(vec![property(name, stored)]), "{name} {given}");
        }
    }

    #[test]
    fn bad_values_say_what_is_expected() {
        for (name, value, expected) in [
            ("rp_pda", "0", "give a whole number from 1 to 4294967295"),
            ("checkpoint_thresh", "80", "give a percentage from 10 to 75"),
            ("ec_cell_sz", "5000", "give a size from 4096 to 1073741824 bytes, a multiple of 4096"),
            ("reclaim", "eager", "give one of disabled, lazy, time"),
            ("self_heal", "pray", "give `none`, or one or more of exclude, rebuild, delay_rebuild joined by `;`"),
        ] {
            let failure = for_change(&[property(name, value)]).expect_err(value);
            assert_eq!((failure.status, failure.resolution.as_str()), (Status::Invalid, expected));
        }
    }

    #[test]
    fn unknown_repeated_and_read_only_properties_are_refused() {
        assert!(for_creation(&[property("colour", "red")]).expect_err("unknown").message.contains("`colour`"));
        assert!(for_creation(&[property("scrub", "off"), property("scrub", "lazy")]).is_err());
        assert!(for_creation(&[property("svc_list", "0")]).is_err());
        assert!(for_change(&[property("rd_fac", "0")]).is_err(), "only at creation");
        assert!(for_change(&[]).is_err());
        assert!(check_names(&["scrub".to_owned(), "owner".to_owned()]).is_ok());
        assert!(check_names(&["scrubs".to_owned()]).is_err());
    }

    #[test]
    fn a_new_pool_has_every_property() {
        let all = for_creation(&[property("reclaim", "time")]).expect("valid");
        assert_eq!(all.len(), DEFINITIONS.len());
        assert!(all.contains(&property("reclaim", "time")) && all.contains(&property("checkpoint", "timed")));
    }
}
