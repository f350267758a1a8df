//! Runs inside a container and writes values, keeping a journal of what was acknowledged; reads them back by their hashes.
//!
//! A line of the journal is `number length sha256`, appended after the acknowledgement. Every number is written once. `rounds` (rounds.rs) keeps its
//! account in memory instead, of keys that are changed again and again.
#![allow(clippy::disallowed_methods)] // a suite: it reads the clock and writes files

mod rounds;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use client::{Object, Settings, System};
use sha2::{Digest, Sha256};
use system_suite::pattern;
use types::{Key, ObjectId};

/// Writers of a load.
const WRITERS: u64 = 8;

#[derive(Parser)]
struct Arguments {
    /// Pool.
    #[arg(long)]
    pool: String,
    /// Container.
    #[arg(long)]
    container: String,
    /// Journal of what `write` got acknowledged.
    #[arg(long, default_value = "load.journal")]
    journal: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes values of 1 B to 8 MiB, one after the other; all must be acknowledged.
    Write {
        /// How many.
        count: u64,
    },
    /// Reads everything in the journal back.
    Verify,
    /// Changes the keys of a fresh container, and compares them with its account of them, as its standard input says.
    Rounds,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> Result<()> {
    if matches!(arguments.task, Task::Rounds) {
        return rounds::run(&arguments.pool, &arguments.container).await;
    }
    let pool = System::connect(Settings::from_env()).await?.open_pool(&arguments.pool).await?;
    let object = pool.open_container(&arguments.container).await?.object(ObjectId { hi: 0, lo: 7 });
    match arguments.task {
        Task::Write { count } => {
            let journal = File::options().create(true).append(true).open(&arguments.journal)?;
            for number in 0..count {
                put(&object, number, length_of(number), &journal).await?;
            }
            println!("acknowledged={count}");
            Ok(())
        }
        Task::Verify => verify(&object, &arguments.journal).await,
        Task::Rounds => unreachable!("answered above"),
    }
}

/// Lengths from 1 B to 8 MiB, more of them small: 1,000 values, about 190 MiB.
fn length_of(number: u64) -> usize {
    let number = usize::try_from(number).expect("a small number");
    match number % 100 {
        0 => 8 << 20,
        1..=4 => (1 << 20) + number,
        5 => 1,
        6..=19 => 4096 * (1 + number % 16),
        _ => 1 + (number * 37) % 5000,
    }
}

fn names(number: u64) -> Result<(Key, Key)> {
    Ok((Key::try_from(format!("key{number:08}").as_str())?, Key::try_from("v")?))
}

fn hash(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn put(object: &Object, number: u64, length: usize, mut journal: &File) -> Result<()> {
    let (dkey, akey) = names(number)?;
    let data = pattern(number, length);
    let line = format!("{number} {length} {}\n", hash(&data));
    object.put(&dkey, &akey, data).await?;
    journal.write_all(line.as_bytes())?;
    Ok(())
}

async fn verify(object: &Object, journal: &PathBuf) -> Result<()> {
    let text = std::fs::read_to_string(journal).with_context(|| format!("cannot read `{}`", journal.display()))?;
    let (mut values, mut bytes) = (0, 0);
    for line in text.lines() {
        let mut fields = line.split(' ');
        let mut field = || fields.next().with_context(|| format!("the journal has the line `{line}`"));
        let (number, length, expected) = (field()?.parse()?, field()?.parse::<usize>()?, field()?);
        let (dkey, akey) = names(number)?;
        let data =
            object.get(&dkey, &akey).await?.with_context(|| format!("value {number} was acknowledged and is gone"))?;
        ensure!(data.len() == length && hash(&data) == expected, "value {number} differs from what was acknowledged");
        values += 1;
        bytes += length;
    }
    println!("verified={values} bytes={bytes}");
    Ok(())
}
