//! Runs inside a container and writes values, keeping a journal of what was acknowledged; reads them back by their hashes.
//!
//! A line of the journal is `number length sha256`, appended after the acknowledgement. Every number is written once.
#![allow(clippy::disallowed_methods)] // a suite: it reads the clock and writes files

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
    /// Journal of what was acknowledged.
    #[arg(long)]
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
    /// Writes small and middling values from several writers, whatever happens to the engine.
    Load {
        /// For so long.
        seconds: u64,
    },
    /// Reads everything in the journal back.
    Verify,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> Result<()> {
    let pool = System::connect(Settings::from_env()).await?.open_pool(&arguments.pool).await?;
    let object = pool.open_container(&arguments.container).await?.object(ObjectId { hi: 0, lo: 7 });
    match arguments.task {
        Task::Write { count } => {
            let journal = File::options().create(true).append(true).open(&arguments.journal)?;
            for number in 0..count {
                put(&object, number, length_of(number), &Mutex::new(&journal)).await?;
            }
            println!("acknowledged={count}");
            Ok(())
        }
        Task::Load { seconds } => load(object, &arguments.journal, Duration::from_secs(seconds)).await,
        Task::Verify => verify(&object, &arguments.journal).await,
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

async fn put(object: &Object, number: u64, length: usize, journal: &Mutex<&File>) -> Result<()> {
    let (dkey, akey) = names(number)?;
    let data = pattern(number, length);
    let line = format!("{number} {length} {}\n", hash(&data));
    object.put(&dkey, &akey, data).await?;
    let mut journal: &File = &journal.lock().expect("no writer panics");
    journal.write_all(line.as_bytes())?;
    Ok(())
}

async fn load(object: Object, journal: &PathBuf, time: Duration) -> Result<()> {
    let journal = Arc::new(File::options().create(true).append(true).open(journal)?);
    let (next, acknowledged, unanswered) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let until = Instant::now() + time;
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (object, journal, next) = (object.clone(), journal.clone(), next.clone());
            let (acknowledged, unanswered) = (acknowledged.clone(), unanswered.clone());
            tokio::spawn(async move {
                while Instant::now() < until {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let length =
                        if number % 10 == 0 { 100_000 } else { 1 + usize::try_from(number * 37 % 9000).unwrap_or(0) };
                    let counter = match put(&object, number, length, &Mutex::new(&*journal)).await {
                        Ok(()) => &acknowledged,
                        Err(_) => &unanswered, // may have happened or not: nobody was told that it did
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await?;
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!("acknowledged={} unanswered={}", count(&acknowledged), count(&unanswered));
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
