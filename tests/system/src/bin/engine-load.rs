//! A load generator: puts or gets values of one size at one depth through the client library, and prints latency and
//! rate. Used by `scripts/bench engine`.
#![allow(clippy::disallowed_methods)] // a program: it reads the clock

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use client::{Object, Settings, System};
use hdrhistogram::Histogram;
use system_suite::pattern;
use types::{Address, Answer, ChecksumKind, Checksums, Condition, Epoch, Key, ObjectId, Outcome, Selection, Shape};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Operation {
    Put,
    Get,
}

/// Puts or gets values and prints `name_p50_us=`, `name_p99_us=` and `name_ops=`.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to do. `get` reads what an earlier `put` with the same size wrote.
    operation: Operation,
    /// Pool.
    #[arg(long, default_value = "bench")]
    pool: String,
    /// Container.
    #[arg(long, default_value = "bench")]
    container: String,
    /// Bytes of each value.
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Operations under way at once.
    #[arg(long, default_value_t = 1)]
    depth: u64,
    /// Operations of one frame. Each worker has one frame under way, so depth times batch operations are.
    #[arg(long, default_value_t = 1)]
    batch: u64,
    /// Different keys.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Seconds to measure, after a tenth of that to warm up.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Prefix of the figures.
    #[arg(long, default_value = "ours")]
    name: String,
    /// Folder of the agent's socket.
    #[arg(long, env = "DAOS_AGENT_DRPC_DIR")]
    agent: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // One thread, as the peer's load generator has.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings { agent_dir: arguments.agent.clone(), ..Settings::default() };
    let pool = System::connect(settings).await?.open_pool(&arguments.pool).await?;
    let container = pool.open_container(&arguments.container).await?;
    let object = container.object(ObjectId { hi: 0, lo: arguments.size as u64 });
    let data = Bytes::from(pattern(1, arguments.size));
    let work = Arc::new(Work {
        operation: arguments.operation,
        object,
        checksums: erasure::checksums(ChecksumKind::Crc32c, &data),
        data,
        batch: arguments.batch,
        keys: arguments.keys,
        next: AtomicU64::new(0),
    });
    let measure_from = Instant::now() + Duration::from_millis(100 * arguments.seconds);
    let until = measure_from + Duration::from_secs(arguments.seconds);
    let workers: Vec<_> = (0..arguments.depth)
        .map(|_| {
            let work = work.clone();
            tokio::spawn(async move { work.run(measure_from, until).await })
        })
        .collect();
    let mut all = Histogram::<u64>::new(3)?;
    for worker in workers {
        all.add(worker.await??)?;
    }
    let name = &arguments.name;
    println!("{name}_p50_us={}", all.value_at_quantile(0.5) / 1000);
    println!("{name}_p99_us={}", all.value_at_quantile(0.99) / 1000);
    println!("{name}_ops={}", all.len() * arguments.batch / arguments.seconds);
    Ok(())
}

/// What all workers do.
struct Work {
    operation: Operation,
    object: Object,
    data: Bytes,
    checksums: Checksums,
    batch: u64,
    keys: u64,
    next: AtomicU64,
}

impl Work {
    async fn run(&self, measure_from: Instant, until: Instant) -> anyhow::Result<Histogram<u64>> {
        let mut histogram = Histogram::new(3)?;
        let akey = Key::try_from("v")?;
        loop {
            let n = self.next.fetch_add(self.batch, Ordering::Relaxed);
            let begin = Instant::now();
            if begin >= until {
                return Ok(histogram);
            }
            if self.batch > 1 {
                self.several(n, &akey).await?;
            } else {
                self.one(n, &akey).await?;
            }
            if begin >= measure_from {
                histogram.record(u64::try_from(begin.elapsed().as_nanos())?)?;
            }
        }
    }

    fn dkey(&self, n: u64) -> anyhow::Result<Key> {
        Ok(Key::new(&(n % self.keys).to_be_bytes())?)
    }

    async fn one(&self, n: u64, akey: &Key) -> anyhow::Result<()> {
        let dkey = self.dkey(n)?;
        match self.operation {
            Operation::Put => {
                self.object.put(&dkey, akey, self.data.clone()).await?;
            }
            Operation::Get => {
                let found = self.object.get(&dkey, akey).await?;
                // The first round of a get before enough puts finds nothing; that would measure something else.
                anyhow::ensure!(found.is_some(), "key {n} holds nothing: put at least {} values first", self.keys);
            }
        }
        Ok(())
    }

    /// One frame.
    async fn several(&self, n: u64, akey: &Key) -> anyhow::Result<()> {
        let operations = (n..n + self.batch).map(|n| {
            let address = Address { object: self.object.id(), dkey: self.dkey(n)?, akey: akey.clone() };
            Ok(match self.operation {
                Operation::Put => types::Operation::Update {
                    address,
                    shape: Shape::Single,
                    condition: Condition::Always,
                    checksums: self.checksums.clone(),
                    data: self.data.clone(),
                },
                Operation::Get => types::Operation::Fetch { address, selection: Selection::Single, epoch: Epoch::MAX },
            })
        });
        let answers: Vec<Answer> = self.object.batch(operations.collect::<anyhow::Result<_>>()?).await?;
        for answer in answers {
            let found = answer.map_err(|status| anyhow::anyhow!("refused with {status:?}"))?;
            anyhow::ensure!(
                !matches!(&found, Outcome::Fetched(segments) if segments.is_empty()),
                "a key holds nothing"
            );
        }
        Ok(())
    }
}
