//! A good client that goes about its business while a test does something bad.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use client::{Settings, System};
use types::{Key, ObjectId};

use crate::{Cluster, PATIENCE, pattern, wait_for};

/// Its object, apart from those of the tests.
const OBJECT: ObjectId = ObjectId { hi: 0, lo: 777 };

/// Puts and gets values in `tank/things` until it is asked to finish.
pub struct Visitor {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Visitor {
    /// Starts one.
    pub fn start(cluster: &Cluster) -> Visitor {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        // Without repeats: an ended connection shows.
        let settings = Settings { retry_for: Duration::ZERO, ..cluster.settings() };
        let thread = std::thread::spawn({
            let (stop, done) = (stop.clone(), done.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(visit(settings, &stop, &done))
            }
        });
        Visitor { stop, done, thread }
    }

    /// Waits until it did something more.
    pub fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        wait_for("the good client goes on", PATIENCE, || {
            let over = self.thread.is_finished() || self.done.load(Ordering::Relaxed) > before + 1;
            over.then_some(()) // one that ended tells why in `finish`
        });
    }

    /// Ends it; everything it did must have succeeded.
    #[track_caller]
    pub fn finish(self) {
        self.goes_on();
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self.thread.join().expect("it does not panic");
        outcome.unwrap_or_else(|error| panic!("the good client was disturbed: {error}"));
    }
}

async fn visit(settings: Settings, stop: &AtomicBool, done: &AtomicU64) -> anyhow::Result<()> {
    let pool = System::connect(settings).await?.open_pool("tank").await?;
    let object = pool.open_container("things").await?.object(OBJECT);
    let akey = Key::try_from("v")?;
    while !stop.load(Ordering::Relaxed) {
        let n = done.load(Ordering::Relaxed);
        // Values in the log and in the data role, on all targets.
        let (dkey, value) =
            (Key::new(&(n % 16).to_be_bytes())?, pattern(n, if n.is_multiple_of(4) { 20_000 } else { 500 }));
        object.put(&dkey, &akey, value.clone()).await?;
        let found = object.get(&dkey, &akey).await?;
        anyhow::ensure!(found.as_deref() == Some(&value[..]), "value {n} differs");
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
