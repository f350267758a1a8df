//! `daos_engine dump`: structures in decoded form, as lines of `name=value` or as JSON, written as they are read.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use media::Label;
use serde_json::json;
use store::Slice;
use store::inspect::{DumpError, Item, Sink, Structure, Value, dump_target};
use uuid::Uuid;

use super::devices::{Looked, incomplete, look, targets};
use super::{DumpArguments, Failure, json, nothing_named};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    label: bool,
    structures: Vec<Structure>,
    devices: Vec<PathBuf>,
}

/// The words that name structures, for messages.
const STRUCTURES: &str =
    "label, superblock, map, log, arena, pools, containers, container UUID, snapshots, transactions and free";

/// Words name structures as long as they are known; the rest are devices.
fn request(words: &[OsString], configured: bool) -> Result<Request, Failure> {
    let mut request = Request { label: false, structures: Vec::new(), devices: Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let structure = match word.to_str() {
            Some("label") => {
                request.label = true;
                continue;
            }
            Some("superblock") => Structure::Superblock,
            Some("map") => Structure::Map,
            Some("log") => Structure::Log,
            Some("arena") => Structure::Arena,
            Some("pools") => Structure::Pools,
            Some("containers") => Structure::Containers,
            Some("free") => Structure::Free,
            Some("snapshots") => Structure::Snapshots,
            Some("transactions") => Structure::Transactions,
            Some("container") => Structure::Container(container(words.next())?),
            _ if configured => {
                let text = format!(
                    "`{}` is not a structure\nhint: structures are {STRUCTURES}; devices are named without -n",
                    word.display()
                );
                return Err(Failure::Usage(text));
            }
            // A word that is neither is sooner a structure misspelt than a device in this folder.
            Some(text) if !text.contains('/') && !Path::new(text).exists() => {
                let text = format!(
                    "`{text}` is neither a structure nor a file\nhint: structures are {STRUCTURES}; a device is named by its path"
                );
                return Err(Failure::Usage(text));
            }
            _ => {
                request.devices.push(PathBuf::from(word));
                continue;
            }
        };
        request.structures.push(structure);
    }
    if !configured && request.devices.is_empty() {
        return Err(nothing_named("dump"));
    }
    if !request.label && request.structures.is_empty() {
        use Structure::{Arena, Containers, Free, Map, Pools, Snapshots, Superblock, Transactions};
        request.label = true;
        request.structures = vec![Superblock, Map, Arena, Pools, Containers, Snapshots, Transactions, Free];
    }
    Ok(request)
}

fn container(word: Option<&OsString>) -> Result<Uuid, Failure> {
    let text = word.and_then(|word| word.to_str()).unwrap_or_default();
    Uuid::parse_str(text).map_err(|_| {
        let hint = "hint: `daos_engine dump containers` lists them";
        Failure::Usage(format!("`container` needs the UUID of one, not `{text}`\n{hint}"))
    })
}

/// Shows what was asked for; false when a part could not be shown.
pub(super) fn run(arguments: &DumpArguments, out: &mut dyn Write) -> Result<bool, Failure> {
    let common = &arguments.common;
    let request = request(&arguments.words, common.conf.is_some())?;
    let mut devices = look(common, &request.devices)?;
    let targets = targets(&mut devices, common.target);
    let mut printer =
        Printer { out: io::BufWriter::new(out), json: common.json, items: 0, section: None, failed: None };
    printer.begin()?;
    if request.label {
        devices.iter().for_each(|device| printer.label(device));
    }
    printer.begin_targets()?;
    let mut faults = Vec::new();
    let (mut shown, mut absent) = (0, 0);
    for (n, ((engine, number), target)) in targets.iter().enumerate() {
        if request.structures.is_empty() {
            break;
        }
        printer.begin_target(n, *engine, *number)?;
        match target.devices() {
            Err(missing) => faults.push(incomplete(*number, &missing)),
            Ok(mut slices) => match dump_target(&mut slices, &request.structures, &mut printer) {
                Ok(()) => shown += 1,
                // A container need not have a shard on every target.
                Err(error @ DumpError::NoContainer { .. }) => {
                    absent += 1;
                    if absent == targets.len() {
                        faults.push(error.to_string());
                    }
                }
                Err(error) => faults.push(format!("target {number}: {error}")),
            },
        }
        printer.end_target()?;
    }
    if shown == 0 && faults.is_empty() && !request.structures.is_empty() {
        faults.push(
            "there is no such target on these devices\nhint: `daos_engine dump label` lists the slices".to_owned(),
        );
    }
    printer.end(&faults)?;
    for fault in faults.iter().filter(|_| !common.json) {
        eprintln!("ERROR: daos_engine: {fault}");
    }
    Ok(faults.is_empty())
}

struct Printer<'a> {
    out: io::BufWriter<&'a mut dyn Write>,
    json: bool,
    /// Items of the section so far.
    items: u64,
    section: Option<&'static str>,
    failed: Option<io::Error>,
}

impl Printer<'_> {
    fn begin(&mut self) -> io::Result<()> {
        if self.json { write!(self.out, "{{\"response\":{{\"label\":[") } else { Ok(()) }
    }

    fn begin_targets(&mut self) -> io::Result<()> {
        self.section = None;
        if self.json { write!(self.out, "],\"targets\":[") } else { Ok(()) }
    }

    fn begin_target(&mut self, n: usize, engine: Uuid, target: u32) -> io::Result<()> {
        self.section = None;
        if self.json {
            let comma = if n == 0 { "" } else { "," };
            write!(self.out, "{comma}{{\"target\":{target},\"engine\":\"{engine}\"")
        } else {
            writeln!(self.out, "# target {target} of engine {engine}")
        }
    }

    fn end_target(&mut self) -> io::Result<()> {
        if self.json {
            let close = if self.section.is_some() { "]}" } else { "}" };
            write!(self.out, "{close}")?;
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn end(&mut self, faults: &[String]) -> io::Result<()> {
        if self.json {
            let (error, status) = match faults {
                [] => (serde_json::Value::Null, 0),
                faults => (json!(faults.join("; ").replace('\n', "; ")), json::STATUS_FAILED),
            };
            writeln!(self.out, "]}},\"error\":{error},\"status\":{status}}}")?;
        }
        self.out.flush()
    }

    fn label(&mut self, device: &Looked) {
        if self.section.is_none() {
            self.section = Some("label");
            self.items = 0;
        }
        for (byte, copy) in &device.label.copies {
            let mut item =
                vec![("device", Value::Text(device.path.display().to_string())), ("byte", Value::Number(*byte))];
            match copy {
                None => item.push(("fault", Value::Text("no label is here".to_owned()))),
                Some(Err(reason)) => item.push(("fault", Value::Text(reason.clone()))),
                Some(Ok(label)) => item.extend(label_fields(label)),
            }
            self.item(item);
        }
    }

    fn write_item(&mut self, item: &Item) -> io::Result<()> {
        if self.json {
            let comma = if self.items == 0 { "" } else { "," };
            write!(self.out, "{comma}{}", json::item(item))?;
        } else {
            writeln!(self.out, "{} {}", self.section.unwrap_or_default(), fields(item))?;
        }
        self.items += 1;
        Ok(())
    }

    fn write_section(&mut self, name: &'static str) -> io::Result<()> {
        let close = if self.section.is_some() { "]" } else { "" };
        if self.json { write!(self.out, "{close},\"{name}\":[") } else { Ok(()) }
    }

    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }
}

impl Sink for Printer<'_> {
    fn section(&mut self, name: &'static str) {
        let result = self.write_section(name);
        self.keep(result);
        (self.section, self.items) = (Some(name), 0);
    }

    fn item(&mut self, item: Item) {
        if self.failed.is_none() {
            let result = self.write_item(&item);
            self.keep(result);
        }
    }
}

fn label_fields(label: &Label) -> Item {
    let slices = label.slices.iter().map(|slice| {
        vec![
            ("target", Value::Number(slice.target.0.into())),
            ("role", Value::Text(Slice(slice.role).to_string())),
            ("offset", Value::Number(slice.offset)),
            ("bytes", Value::Number(slice.length)),
        ]
    });
    vec![
        ("version", Value::Number(media::label::LABEL_VERSION.into())),
        ("uuid", Value::Text(label.device.to_string())),
        ("engine", Value::Text(label.engine.to_string())),
        ("system", Value::Text(label.system.clone())),
        ("total_bytes", Value::Number(label.total_bytes)),
        ("arena_bytes", Value::Number(label.arena_bytes)),
        ("slices", Value::Items(slices.collect())),
    ]
}

/// `name=value` for each field; items of items in brackets.
fn fields(item: &Item) -> String {
    let fields: Vec<String> = item.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
    fields.join(" ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Hex(number) => format!("{number:#x}"),
        Value::Flag(flag) => flag.to_string(),
        Value::Text(text) if text.is_empty() || text.contains([' ', '=', '"', '[', ']']) => format!("{text:?}"),
        Value::Text(text) => text.clone(),
        Value::Items(items) => format!("[{}]", items.iter().map(fields).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn words_are_structures_then_devices() {
        let id = "00000000-0000-0000-0000-000000000007";
        let asked = request(&words(&format!("log container {id} /dev/a ./log")), false).unwrap();
        assert_eq!(asked.structures, [Structure::Log, Structure::Container(Uuid::from_u128(7))]);
        assert_eq!(asked.devices, [PathBuf::from("/dev/a"), PathBuf::from("./log")]);
        assert!(!asked.label);
        let asked = request(&words("/dev/a"), false).unwrap();
        assert!(asked.label && asked.structures.len() == 8);
        for (text, configured, expected) in [
            ("log", false, "nothing to look at is named"),
            ("", false, "`daos_engine dump DEVICE...` with all devices of one engine, or `daos_engine dump -n FILE`"),
            ("logs", true, "`logs` is not a structure\nhint: structures are label, superblock"),
            ("logs /dev/a", false, "`logs` is neither a structure nor a file\nhint: structures are label, superblock"),
            ("container", true, "`container` needs the UUID of one, not ``"),
            ("container 7", true, "not `7`"),
        ] {
            match request(&words(text), configured) {
                Err(Failure::Usage(found)) => assert!(found.contains(expected), "{found}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn fields_are_quoted_where_they_would_not_be_told_apart() {
        let item = vec![
            ("a", Value::Number(1)),
            ("b", Value::Text("x y".to_owned())),
            ("c", Value::Items(vec![vec![("d", Value::Hex(255))], vec![("d", Value::Flag(true))]])),
        ];
        assert_eq!(fields(&item), "a=1 b=\"x y\" c=[d=0xff, d=true]");
    }
}
