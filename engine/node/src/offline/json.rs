//! Findings and items as JSON, in the envelope of all commands.

use serde_json::{Map, Number, Value as Json, json};
use store::inspect::{Finding, Findings, Item, Severity, Value};

/// `status` of a command that found or met something wrong: `DER_IO`.
pub(super) const STATUS_FAILED: i32 = -2001;

pub(super) fn findings(findings: &Findings, locate: &dyn Fn(&Finding) -> Option<(String, u64)>) -> Json {
    let list = findings.list().iter().map(|finding| {
        let device = locate(finding);
        json!({
            "severity": finding.advice.severity.to_string(),
            "room": finding.place.room(),
            "byte": finding.place.byte(),
            "device": device.as_ref().map(|(path, _)| path),
            "device_byte": device.as_ref().map(|(_, byte)| byte),
            "what": finding.what,
            "meaning": finding.advice.meaning,
            "remedy": finding.advice.remedy,
        })
    });
    Json::Array(list.collect())
}

pub(super) fn counts(findings: &Findings) -> Json {
    json!({
        "damage": findings.count(Severity::Damage),
        "warnings": findings.count(Severity::Warning),
        "notes": findings.count(Severity::Note),
        "left_out": findings.left_out(),
    })
}

/// Numbers stay numbers; those that people read in hex are text, as epochs are elsewhere.
pub(super) fn item(item: &Item) -> Json {
    let fields = item.iter().map(|(name, value)| ((*name).to_owned(), self::value(value)));
    Json::Object(fields.collect::<Map<String, Json>>())
}

fn value(value: &Value) -> Json {
    match value {
        Value::Number(number) => Json::Number(Number::from(*number)),
        Value::Hex(number) => Json::String(format!("{number:#x}")),
        Value::Text(text) => Json::String(text.clone()),
        Value::Flag(flag) => Json::Bool(*flag),
        Value::Items(items) => Json::Array(items.iter().map(item).collect()),
    }
}
