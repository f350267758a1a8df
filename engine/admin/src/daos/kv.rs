//! `daos kv`: the arguments, and which value a command is about.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use types::{Address, Condition, Epoch, ObjectId, Reference};
use wire::fault::Failure;

use super::store::Store;
use super::{key, kv_get, kv_list, kv_put, kv_remove};
use crate::output::Report;

/// What to do with values.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store a value under a key
    Put(Put),
    /// Print the value of a key, byte for byte
    Get(Get),
    /// List keys, one per line
    #[command(visible_alias = "ls")]
    List(List),
    /// Remove the value of a key
    #[command(visible_alias = "del")]
    Rm(Remove),
}

/// The container a command works in.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Pool: label or UUID
    pub pool: Reference,
    /// Container: label or UUID
    pub container: Reference,
}

/// Which object, and how keys are written.
#[derive(Debug, Clone, Args)]
pub struct Naming {
    /// Object, as hi.lo in decimal
    #[arg(long, value_name = "HI.LO", default_value = "0.1")]
    pub oid: ObjectId,
    /// Keys are typed in the form that kv list prints: \xNN is a byte, \\ a backslash
    #[arg(short, long)]
    pub escaped: bool,
}

/// Which value of the object.
#[derive(Debug, Clone, Args)]
pub struct Key {
    /// Key: a dkey, whose value lies in its akey `value` unless --akey or --dkey says otherwise
    pub key: OsString,
    /// Take KEY as an akey of this dkey
    #[arg(long, conflicts_with = "akey")]
    pub dkey: Option<OsString>,
    /// Take the value in this akey of the dkey KEY
    #[arg(long)]
    pub akey: Option<OsString>,
    /// The object and how keys are written.
    #[command(flatten)]
    pub naming: Naming,
}

impl Key {
    pub(super) fn address(&self) -> Result<Address, Failure> {
        let Key { key, dkey, akey, naming } = self;
        key::address(naming.oid, key, dkey.as_deref(), akey.as_deref(), naming.escaped)
    }
}

/// Arguments of `daos kv put`.
#[derive(Debug, Args)]
pub struct Put {
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// Under which key.
    #[command(flatten)]
    pub key: Key,
    /// The value itself, @FILE for the contents of a file, or - for standard input
    #[arg(allow_hyphen_values = true)]
    pub value: OsString,
    /// Write bytes of an array instead of replacing a single value
    #[arg(long)]
    pub array: bool,
    /// First byte of the array to write
    #[arg(long, requires = "array", default_value_t = 0)]
    pub offset: u64,
    /// Only when there is no value yet
    #[arg(long, conflicts_with = "if_present")]
    pub if_absent: bool,
    /// Only when there is a value
    #[arg(long)]
    pub if_present: bool,
}

impl Put {
    pub(super) fn condition(&self) -> Condition {
        match (self.if_absent, self.if_present) {
            (true, _) => Condition::Absent,
            (false, true) => Condition::Present,
            (false, false) => Condition::Always,
        }
    }
}

/// Arguments of `daos kv get`.
#[derive(Debug, Args)]
pub struct Get {
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// Under which key.
    #[command(flatten)]
    pub key: Key,
    /// Write the value to this file instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Read bytes of an array instead of a single value
    #[arg(long)]
    pub array: bool,
    /// First byte of the array to read
    #[arg(long, requires = "array", default_value_t = 0)]
    pub offset: u64,
    /// How many bytes; up to the end of the array when absent
    #[arg(long, requires = "array")]
    pub length: Option<u64>,
    /// As it was at this epoch, which put, rm and container create-snap print
    #[arg(long, value_parser = epoch, value_name = "EPOCH")]
    pub epoch: Option<Epoch>,
}

/// Arguments of `daos kv list`.
#[derive(Debug, Args)]
pub struct List {
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// List the akeys of this dkey instead of the dkeys of the object
    #[arg(long, conflicts_with = "objects")]
    pub dkey: Option<OsString>,
    /// List the objects of the container instead of the keys of one
    #[arg(long)]
    pub objects: bool,
    /// Only names after this one
    #[arg(long, value_name = "NAME")]
    pub after: Option<OsString>,
    /// At most this many; all when absent
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// As it was at this epoch, which put, rm and container create-snap print
    #[arg(long, value_parser = epoch, value_name = "EPOCH")]
    pub epoch: Option<Epoch>,
    /// The object and how keys are written.
    #[command(flatten)]
    pub naming: Naming,
}

/// Arguments of `daos kv rm`.
#[derive(Debug, Args)]
pub struct Remove {
    /// Where.
    #[command(flatten)]
    pub place: Place,
    /// Under which key.
    #[command(flatten)]
    pub key: Key,
    /// Remove the dkey KEY with all its akeys
    #[arg(long, conflicts_with_all = ["dkey", "akey", "array", "if_present"])]
    pub all_akeys: bool,
    /// Remove bytes of an array; they read as zeros afterwards
    #[arg(long, requires = "length", conflicts_with = "if_present")]
    pub array: bool,
    /// First byte of the array to remove
    #[arg(long, requires = "array", default_value_t = 0)]
    pub offset: u64,
    /// How many bytes
    #[arg(long, requires = "array", value_parser = clap::value_parser!(u64).range(1..))]
    pub length: Option<u64>,
    /// Fail when there is no value
    #[arg(long)]
    pub if_present: bool,
}

impl Command {
    /// The container the command works in.
    pub(super) fn place(&self) -> &Place {
        match self {
            Command::Put(put) => &put.place,
            Command::Get(get) => &get.place,
            Command::List(list) => &list.place,
            Command::Rm(remove) => &remove.place,
        }
    }

    /// Checks what can be checked before anything is sent, and reads the value of a put.
    pub(super) fn prepare(self, stdin: &mut dyn Read) -> Result<Prepared, Failure> {
        Ok(match self {
            Command::Put(put) => Prepared::Put(kv_put::prepare(&put, stdin)?),
            Command::Get(get) => Prepared::Get(kv_get::prepare(get)?),
            Command::List(list) => Prepared::List(kv_list::prepare(&list)?),
            Command::Rm(remove) => Prepared::Remove(kv_remove::prepare(&remove)?),
        })
    }
}

/// A command in terms of the data path.
#[derive(Debug)]
pub(super) enum Prepared {
    Put(kv_put::Prepared),
    Get(kv_get::Prepared),
    List(kv_list::Prepared),
    Remove(kv_remove::Prepared),
}

/// Runs a command. A list is written to `stream` as it comes, when there is one.
pub(super) async fn run(
    store: &impl Store,
    prepared: Prepared,
    stream: Option<&mut dyn Write>,
) -> Result<Report, Failure> {
    match prepared {
        Prepared::Put(put) => kv_put::run(store, put).await,
        Prepared::Get(get) => kv_get::run(store, get).await,
        Prepared::List(list) => kv_list::run(store, list, stream).await,
        Prepared::Remove(remove) => kv_remove::run(store, remove).await,
    }
}

/// Epochs are typed as they are printed, `0x...`, or in decimal.
pub(super) fn epoch(text: &str) -> Result<Epoch, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map(Epoch).map_err(|_| format!("`{text}` is not an epoch: a number as it is printed, `0x...`"))
}

#[cfg(test)]
#[path = "kv_tests.rs"]
mod tests;
