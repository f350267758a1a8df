//! Writers that know what was acknowledged, told from outside when to write and when to compare: whoever tells them kills servers meanwhile.
//!
//! A word per line of standard input, an answer per line of standard output:
//! - `load N`: the writers begin, and go on after the answer `loaded`, which comes when N changes more were acknowledged;
//! - `settle`: they stop, every key is compared with their account; `acknowledged=A happened=H`, where H is how many changes of this round were
//!   found although nobody was told so;
//! - `all`: every value that was put once and never changed is compared, too: `kept=K`.
//!
//! The end of the input is the end. What differs from the account is a panic with its place.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use client::{ContainerOptions, Settings, System};
use system_suite::{Writer, wait_for};
use tokio::task::JoinHandle;

use crate::WRITERS;

/// How long the writers may take to get something acknowledged: a server that starts meanwhile included.
const PATIENCE: Duration = Duration::from_secs(120);

/// The writers, at rest or at work.
struct Load {
    resting: Vec<Writer>,
    working: Vec<JoinHandle<Writer>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

pub(crate) async fn run(pool: &str, container: &str) -> Result<()> {
    // Without repeats, so that a change under way at a kill shows as one whose answer did not come.
    let settings = Settings { retry_for: Duration::ZERO, ..Settings::from_env() };
    let pool = System::connect(settings).await?.open_pool(pool).await?;
    let container = pool.create_container(ContainerOptions::labelled(container)).await?;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let resting = (0..WRITERS).map(|number| Writer::new(number, &container, acknowledged.clone())).collect();
    let mut load = Load { resting, working: Vec::new(), stop: Arc::default(), acknowledged };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_once(' ').unwrap_or((&line, "")) {
            ("load", count) => load.begin(count.parse().with_context(|| format!("`{line}` has no number"))?),
            ("settle", _) => load.settle().await?,
            ("all", _) => load.all().await,
            _ => bail!("`{line}` is none of load N, settle, all"),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

impl Load {
    fn begin(&mut self, count: u64) -> String {
        self.stop = Arc::default();
        let wanted = self.acknowledged.load(Ordering::Relaxed) + count;
        self.working = self.resting.drain(..).map(|writer| tokio::spawn(writer.run(self.stop.clone()))).collect();
        // The writers run on other threads.
        tokio::task::block_in_place(|| {
            wait_for("changes are acknowledged", PATIENCE, || {
                (self.acknowledged.load(Ordering::Relaxed) >= wanted).then_some(())
            });
        });
        "loaded".to_owned()
    }

    async fn settle(&mut self) -> Result<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut happened = 0;
        for task in self.working.drain(..) {
            let mut writer = task.await?;
            happened += writer.verify().await;
            self.resting.push(writer);
        }
        Ok(format!("acknowledged={} happened={happened}", self.acknowledged.load(Ordering::Relaxed)))
    }

    async fn all(&self) -> String {
        let mut kept = 0;
        for writer in &self.resting {
            kept += writer.verify_kept().await;
        }
        format!("kept={kept}")
    }
}
