//! Properties on the command line, `name:value,name:value`, and their table.

use std::convert::Infallible;
use std::str::FromStr;

use serde_json::{Value, json};
use wire::proto::mgmt::Property;

use super::{Report, Table};

/// The name of a property; the server knows which there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyName(pub String);

impl FromStr for PropertyName {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<PropertyName, Infallible> {
        Ok(PropertyName(text.trim().to_owned()))
    }
}

/// A property with the value it shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    name: String,
    value: String,
}

/// Why a text is no property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a property: a name, a colon and a value, as in `reclaim:disabled`")]
pub struct SettingError(String);

impl FromStr for Setting {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Setting, SettingError> {
        let bad = || SettingError(text.to_owned());
        // DAOS takes `name:value`; scripts also carry `name=value`
        let at = text.find([':', '=']).ok_or_else(bad)?;
        let (name, value) = (text[..at].trim(), text[at + 1..].trim());
        if name.is_empty() || value.is_empty() {
            return Err(bad());
        }
        Ok(Setting { name: name.to_owned(), value: value.to_owned() })
    }
}

impl Setting {
    /// Which property.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it travels.
    pub fn into_property(self) -> Property {
        Property { name: self.name, value: self.value }
    }
}

/// Properties under `title`.
pub fn properties_report(title: &str, properties: &[Property]) -> Report {
    let mut table = Table::new(["Name", "Value"]);
    for property in properties {
        table.row([property.name.clone(), property.value.clone()]);
    }
    Report::new(format!("{title}\n{}", table.render()), json!(properties_json(properties)))
}

/// As a list of objects.
pub fn properties_json(properties: &[Property]) -> Vec<Value> {
    properties.iter().map(|property| json!({"name": property.name, "value": property.value})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_a_name_and_a_value() {
        let setting = |text: &str| text.parse::<Setting>().map(|setting| (setting.name, setting.value));
        assert_eq!(setting("reclaim:disabled"), Ok(("reclaim".to_owned(), "disabled".to_owned())));
        assert_eq!(setting("label=a:b"), Ok(("label".to_owned(), "a:b".to_owned())));
        for bad in ["", "reclaim", ":x", "x:", " : "] {
            assert!(setting(bad).unwrap_err().to_string().contains("is not a property"), "{bad}");
        }
    }

    #[test]
    fn properties_are_a_table() {
        let property = |name: &str, value: &str| Property { name: name.to_owned(), value: value.to_owned() };
        let report =
            properties_report("Pool tank properties:", &[property("label", "tank"), property("reclaim", "lazy")]);
        insta::assert_snapshot!(String::from_utf8(report.text).unwrap(), @r"
        Pool tank properties:
        Name    Value
        ----    -----
        label   tank
        reclaim lazy
        ");
        assert_eq!(report.response[1], json!({"name": "reclaim", "value": "lazy"}));
    }
}
