//! `daos kv` over values in memory: addressing, arrays larger than one update, holes, pages, conditions.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Cursor;

use bytes::Bytes;
use clap::Parser;
use types::{Level, MAX_VALUE_BYTES, Scope, Segment, Selection, Shape, Status};

use super::*;
use crate::daos::{Cli, Command as Noun};

/// A container in memory, newest state only: epochs are counted but not kept.
#[derive(Default)]
struct Memory {
    single: RefCell<BTreeMap<Address, Bytes>>,
    array: RefCell<BTreeMap<Address, BTreeMap<u64, Bytes>>>,
    epoch: Cell<u64>,
}

impl Memory {
    fn tick(&self) -> Epoch {
        self.epoch.set(self.epoch.get() + 1);
        Epoch(self.epoch.get())
    }

    fn holds(&self, address: &Address) -> bool {
        self.single.borrow().contains_key(address) || self.array.borrow().contains_key(address)
    }

    fn check(&self, address: &Address, condition: Condition) -> Result<(), Failure> {
        match condition {
            Condition::Absent if self.holds(address) => Err(status(Status::Exists)),
            Condition::Present if !self.holds(address) => Err(status(Status::Nonexistent)),
            _ => Ok(()),
        }
    }
}

fn status(status: Status) -> Failure {
    Failure::new(status, status.to_string())
}

impl Store for Memory {
    async fn update(
        &self,
        address: &Address,
        shape: Shape,
        condition: Condition,
        data: Bytes,
    ) -> Result<Epoch, Failure> {
        assert!(data.len() <= MAX_VALUE_BYTES, "an update within the limit");
        self.check(address, condition)?;
        match shape {
            Shape::Single if self.array.borrow().contains_key(address) => return Err(status(Status::Invalid)),
            Shape::Single => drop(self.single.borrow_mut().insert(address.clone(), data)),
            Shape::Array { offset, .. } => {
                drop(self.array.borrow_mut().entry(address.clone()).or_default().insert(offset, data));
            }
        }
        Ok(self.tick())
    }

    async fn fetch(&self, address: &Address, selection: Selection, _: Epoch) -> Result<Vec<Segment>, Failure> {
        if !self.holds(address) {
            return Err(status(Status::Nonexistent));
        }
        let segment = |offset, data| Segment { offset, checksums: types::Checksums::none(), data };
        match selection {
            Selection::Single => {
                let single = self.single.borrow().get(address).cloned().ok_or_else(|| status(Status::Invalid))?;
                Ok(vec![segment(0, single)])
            }
            Selection::Array { offset, length } => {
                assert!(length <= MAX_VALUE_BYTES as u64, "a fetch within the limit");
                let arrays = self.array.borrow();
                let extents = arrays.get(address).into_iter().flatten();
                Ok(extents
                    .filter_map(|(start, data)| {
                        let (from, to) = (offset.max(*start), (offset + length).min(start + data.len() as u64));
                        (from < to).then(|| segment(from, data.slice((from - start) as usize..(to - start) as usize)))
                    })
                    .collect())
            }
        }
    }

    async fn punch(&self, scope: Scope, condition: Condition) -> Result<Epoch, Failure> {
        match scope {
            Scope::Akey(address) => {
                self.check(&address, condition)?;
                self.single.borrow_mut().remove(&address);
                self.array.borrow_mut().remove(&address);
            }
            Scope::Dkey(object, dkey) => {
                self.single.borrow_mut().retain(|address, _| address.object != object || address.dkey != dkey);
            }
            Scope::Range { address, offset, .. } => {
                self.array.borrow_mut().entry(address).or_default().retain(|start, _| *start < offset);
            }
            Scope::Object(_) => unreachable!("no command punches objects"),
        }
        Ok(self.tick())
    }

    async fn list(&self, level: Level, after: Vec<u8>, limit: u32, _: Epoch) -> Result<(Vec<Bytes>, bool), Failure> {
        let singles = self.single.borrow();
        let mut names: Vec<Vec<u8>> = singles
            .keys()
            .filter_map(|address| match &level {
                Level::Objects => Some(address.object.to_bytes().to_vec()),
                Level::Dkeys(object) => (address.object == *object).then(|| address.dkey.as_bytes().to_vec()),
                Level::Akeys(object, dkey) => {
                    (address.object == *object && address.dkey == *dkey).then(|| address.akey.as_bytes().to_vec())
                }
            })
            .filter(|name| *name > after)
            .collect();
        names.sort();
        names.dedup();
        let more = names.len() > limit as usize;
        names.truncate(limit as usize);
        Ok((names.into_iter().map(Bytes::from).collect(), more))
    }

    async fn array_size(&self, address: &Address, _: Epoch) -> Result<u64, Failure> {
        let arrays = self.array.borrow();
        let extents = arrays.get(address).into_iter().flatten();
        Ok(extents.map(|(start, data)| start + data.len() as u64).max().unwrap_or(0))
    }
}

fn parsed(line: &[&str]) -> Command {
    let (verb, rest) = line.split_first().unwrap();
    let words = [&["daos", "kv", verb, "tank", "data"][..], rest].concat();
    match Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).command {
        Noun::Kv(command) => command,
        other => panic!("not a kv command: {other:?}"),
    }
}

async fn kv(store: &Memory, line: &[&str], stdin: &[u8]) -> Result<Report, Failure> {
    let prepared = parsed(line).prepare(&mut Cursor::new(stdin))?;
    run(store, prepared, None).await
}

#[tokio::test]
async fn a_value_comes_back_byte_for_byte() {
    let store = Memory::default();
    let binary = [0, 255, b'\n', 0];
    let put = kv(&store, &["put", "k", "-"], &binary).await.unwrap();
    assert_eq!(put.text, b"Stored 4 bytes at epoch 0x1\n");
    let get = kv(&store, &["get", "k"], b"").await.unwrap();
    assert_eq!(get.text, binary);
    assert_eq!(get.response, serde_json::json!({"bytes": 4, "base64": "AP8KAA==", "text": null}));
    kv(&store, &["put", "k", ""], b"").await.unwrap();
    assert_eq!(kv(&store, &["get", "k"], b"").await.unwrap().response["text"], "");
    kv(&store, &["rm", "k"], b"").await.unwrap();
    let gone = kv(&store, &["get", "k"], b"").await.unwrap_err();
    assert_eq!(gone.status, Status::Nonexistent);
    assert!(gone.message.contains("dkey `k`, akey `value` of object 0.1"), "{gone}");
}

#[tokio::test]
async fn a_value_goes_to_the_file_that_is_named() {
    let (store, folder) = (Memory::default(), tempfile::tempdir().unwrap());
    let path = folder.path().join("out");
    kv(&store, &["put", "k", "v"], b"").await.unwrap();
    let get = kv(&store, &["get", "k", "-o", path.to_str().unwrap()], b"").await.unwrap();
    assert!(get.text.is_empty());
    assert_eq!(std::fs::read(&path).unwrap(), b"v");
    assert!(kv(&store, &["get", "k", "-o", "/absent/out"], b"").await.unwrap_err().message.contains("/absent/out"));
}

#[tokio::test]
async fn conditions_are_kept_and_explained() {
    let store = Memory::default();
    let absent = kv(&store, &["put", "k", "v", "--if-present"], b"").await.unwrap_err();
    assert!(absent.resolution.contains("--if-present"), "{absent}");
    kv(&store, &["put", "k", "v", "--if-absent"], b"").await.unwrap();
    let exists = kv(&store, &["put", "k", "w", "--if-absent"], b"").await.unwrap_err();
    assert_eq!(exists.status, Status::Exists);
    assert!(exists.resolution.contains("--if-absent"), "{exists}");
    kv(&store, &["put", "k", "w", "--if-present"], b"").await.unwrap();
    assert_eq!(kv(&store, &["rm", "other", "--if-present"], b"").await.unwrap_err().status, Status::Nonexistent);
    kv(&store, &["rm", "other"], b"").await.unwrap();
}

#[tokio::test]
async fn an_array_larger_than_an_update_is_written_and_read_in_parts() {
    let store = Memory::default();
    let data: Vec<u8> = (0..MAX_VALUE_BYTES + 1000).map(|n| (n / 7) as u8).collect();
    kv(&store, &["put", "a", "-", "--array", "--offset", "10", "--if-absent"], &data).await.unwrap();
    let get = kv(&store, &["get", "a", "--array"], b"").await.unwrap();
    assert_eq!(get.text[..10], [0; 10], "what was never written reads as zeros");
    assert!(get.text[10..] == data[..]);
    let part = ["get", "a", "--array", "--offset", "33554432", "--length", "500"];
    assert!(kv(&store, &part, b"").await.unwrap().text == data[MAX_VALUE_BYTES - 10..][..500]);
    let beyond = ["get", "a", "--array", "--offset", "99999999999"];
    assert!(kv(&store, &beyond, b"").await.unwrap().text.is_empty());
    let kind = kv(&store, &["get", "a"], b"").await.unwrap_err();
    assert!(kind.resolution.contains("--array"), "{kind}");
    let absent = kv(&store, &["get", "b", "--array"], b"").await.unwrap_err();
    assert_eq!(absent.status, Status::Nonexistent);
}

#[tokio::test]
async fn what_ends_behind_the_largest_array_is_refused_unsent() {
    let store = Memory::default();
    for offset in ["9223372036854775808", "18446744073709551615"] {
        let failure = kv(&store, &["put", "a", "x", "--array", "--offset", offset], b"").await.unwrap_err();
        assert_eq!(failure.status, Status::Invalid);
    }
    assert_eq!(store.epoch.get(), 0);
}

#[tokio::test]
async fn keys_are_listed_escaped_in_pages_and_by_level() {
    let store = Memory::default();
    for key in ["b", "a\\", "ü"] {
        kv(&store, &["put", key, "v"], b"").await.unwrap();
    }
    kv(&store, &["put", r"\x00", "v", "--escaped", "--akey", "other"], b"").await.unwrap();
    kv(&store, &["put", "x", "v", "--oid", "7.8"], b"").await.unwrap();
    let mut lines = Vec::new();
    let prepared = parsed(&["list"]).prepare(&mut Cursor::new(b"")).unwrap();
    run(&store, prepared, Some(&mut lines)).await.unwrap();
    assert_eq!(String::from_utf8(lines).unwrap(), "\\x00\na\\\\\nb\n\\xc3\\xbc\n");
    let page = kv(&store, &["list", "--after", r"\x00", "-e", "--limit", "2"], b"").await.unwrap();
    let expected = serde_json::json!({
        "keys": [{"key": r"a\\", "base64": "YVw="}, {"key": "b", "base64": "Yg=="}], "more": true
    });
    assert_eq!(page.response, expected);
    let akeys = kv(&store, &["ls", "--dkey", r"\x00", "-e"], b"").await.unwrap();
    assert_eq!(akeys.response["keys"][0]["key"], "other");
    let objects = kv(&store, &["list", "--objects", "--after", "0.1"], b"").await.unwrap();
    assert_eq!(objects.response, serde_json::json!({"objects": ["7.8"], "more": false}));
}

#[tokio::test]
async fn more_keys_than_a_page_are_all_listed() {
    let store = Memory::default();
    for n in 0..2500 {
        kv(&store, &["put", &format!("{n:04}"), "v"], b"").await.unwrap();
    }
    let list = kv(&store, &["list"], b"").await.unwrap();
    assert_eq!(list.response["keys"].as_array().unwrap().len(), 2500);
    let list = kv(&store, &["list", "--limit", "1500"], b"").await.unwrap();
    assert_eq!((list.response["keys"].as_array().unwrap().len(), &list.response["more"]), (1500, &true.into()));
}

#[tokio::test]
async fn a_dkey_is_removed_with_all_its_akeys_and_a_range_leaves_the_rest() {
    let store = Memory::default();
    for akey in ["one", "two"] {
        kv(&store, &["put", "d", "v", "--akey", akey], b"").await.unwrap();
    }
    kv(&store, &["rm", "d", "--all-akeys"], b"").await.unwrap();
    assert_eq!(kv(&store, &["list"], b"").await.unwrap().response["keys"], serde_json::json!([]));
    kv(&store, &["put", "a", "12", "--array"], b"").await.unwrap();
    kv(&store, &["put", "a", "34", "--array", "--offset", "2"], b"").await.unwrap();
    kv(&store, &["rm", "a", "--array", "--offset", "2", "--length", "2"], b"").await.unwrap();
    assert_eq!(kv(&store, &["get", "a", "--array"], b"").await.unwrap().text, b"12");
}

#[test]
fn what_contradicts_is_refused() {
    for line in [
        &["put", "k"][..],
        &["put", "k", "v", "--dkey", "d", "--akey", "a"],
        &["put", "k", "v", "--offset", "3"],
        &["put", "k", "v", "--if-absent", "--if-present"],
        &["put", "k", "v", "--oid", "1"],
        &["get", "k", "--length", "3"],
        &["get", "k", "--epoch", "yesterday"],
        &["list", "--limit", "0"],
        &["list", "--objects", "--dkey", "d"],
        &["rm", "k", "--array"],
        &["rm", "k", "--array", "--length", "0"],
        &["rm", "k", "--all-akeys", "--akey", "a"],
    ] {
        let (verb, rest) = line.split_first().unwrap();
        let words = [&["daos", "kv", verb, "tank", "data"][..], rest].concat();
        assert!(Cli::try_parse_from(words).is_err(), "{line:?}");
    }
    assert_eq!(epoch("0x1f"), Ok(Epoch(31)));
    assert_eq!(epoch("31"), Ok(Epoch(31)));
}

#[test]
fn a_value_may_start_with_a_dash_and_a_negative_number_is_a_value() {
    for value in ["-", "-5", "-x y"] {
        let Command::Put(put) = parsed(&["put", "k", value]) else { panic!("a put") };
        assert_eq!(put.value, value);
    }
}
