//! The lock of a bucket: an object that is created only where none is, and renewed as long as it is held. No two clocks are compared: who
//! waits sees that the object does not change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// How often a lock of another is looked at.
const POLL: Duration = Duration::from_secs(1);

/// After which a server that looks and writes in two steps has written for all who came at once.
const SETTLING: Duration = Duration::from_millis(200);

/// An entity tag that no lock has.
const NOBODYS: &str = "\"00000000000000000000000000000000\"";

/// What the lock object says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    id: uuid::Uuid,
    host: String,
    /// Of the running kernel and the space of its process ids: they mean something within it only.
    boot: String,
    process: u32,
    /// When that process began, in ticks since the kernel did.
    begun: String,
    lease_seconds: u64,
    /// Other contents each time: an entity tag is a hash of them.
    #[serde(default)]
    renewed: u64,
}

impl Holder {
    fn new(lease: Duration) -> Holder {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let process = std::process::id();
        Holder {
            id: uuid::Uuid::new_v4(),
            host: read("/proc/sys/kernel/hostname"),
            boot: format!("{} {}", read("/proc/sys/kernel/random/boot_id"), space.display()),
            process,
            begun: begun(process).unwrap_or_default(),
            lease_seconds: lease.as_secs().max(1),
            renewed: 0,
        }
    }

    /// Whether it ran on this machine and does not any more.
    fn is_gone(&self, us: &Holder) -> bool {
        self.boot.len() > 1 && self.boot == us.boot && begun(self.process).as_ref() != Some(&self.begun)
    }
}

/// The time at which a process began, if it runs.
fn begun(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18).map(str::to_owned))?
}

/// Why there is no lease.
pub(super) enum Denied {
    /// Another has it; who, if that is known.
    Held(String),
    /// The server lets everybody have it: it does not look at this condition.
    Ignored(&'static str),
    /// The server.
    Server(Error),
}

impl From<Error> for Denied {
    fn from(error: Error) -> Denied {
        Denied::Server(error)
    }
}

/// A lock that was had.
pub(super) struct Lease {
    store: Arc<AmazonS3>,
    key: Key,
    us: Holder,
    /// What we wrote last, and how often; nothing once it is another's.
    version: Mutex<Option<(UpdateVersion, u64)>>,
}

/// Writes the lock if it is as it is expected to be. Nothing when it is not.
async fn written(store: &AmazonS3, key: &Key, us: &Holder, mode: PutMode) -> Result<Option<UpdateVersion>, Error> {
    let updating = matches!(mode, PutMode::Update(_));
    let body = PutPayload::from(serde_json::to_vec(us).unwrap_or_default());
    let options = PutOptions { mode, attributes: super::bucket::attributes(key.as_ref()), ..PutOptions::default() };
    match store.put_opts(key, body, options).await {
        Ok(put) => Ok(Some(put.into())),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(None),
        // It went away meanwhile; where one is created it is the bucket that is missing.
        Err(Error::NotFound { .. }) if updating => Ok(None),
        Err(error) => Err(error),
    }
}

/// The condition that the server does not look at, if there is one: the lock, which is held, must be had neither as one that is not there
/// nor as one that it is not. A server that says nothing of conditions takes them for wishes (Garage 2.5 does).
async fn ignored(store: &AmazonS3, key: &Key, us: &Holder) -> Result<Option<&'static str>, Error> {
    if written(store, key, us, PutMode::Create).await?.is_some() {
        return Ok(Some("If-None-Match"));
    }
    let nobodys = UpdateVersion { e_tag: Some(NOBODYS.to_owned()), version: None };
    Ok(written(store, key, us, PutMode::Update(nobodys)).await?.map(|_| "If-Match"))
}

/// The lock as it is, and whose.
async fn held(store: &AmazonS3, key: &Key) -> Result<Option<(UpdateVersion, Option<Holder>)>, Error> {
    match store.get(key).await {
        Ok(found) => {
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            let holder = serde_json::from_slice(&found.bytes().await?).ok();
            Ok(Some((version, holder)))
        }
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Lease {
    /// Waits for it that long.
    pub(super) async fn acquire(
        store: Arc<AmazonS3>,
        key: Key,
        lease: Duration,
        patience: Duration,
    ) -> Result<Lease, Denied> {
        let us = Holder::new(lease);
        let asked = Instant::now();
        let mut watched: Option<(UpdateVersion, Instant)> = None;
        loop {
            let mut had = written(&store, &key, &us, PutMode::Create).await?.is_some();
            let mut by = String::new();
            if !had && let Some((version, holder)) = held(&store, &key).await? {
                let since = match &watched {
                    Some((before, since)) if *before == version => *since,
                    _ => Instant::now(),
                };
                let good_for = holder.as_ref().map_or(lease, |holder| Duration::from_secs(holder.lease_seconds));
                let gone = holder.as_ref().is_some_and(|holder| holder.is_gone(&us)) || since.elapsed() > good_for;
                if gone {
                    had = written(&store, &key, &us, PutMode::Update(version.clone())).await?.is_some();
                }
                by = holder
                    .map(|holder| format!(": process {} of `{}`", holder.process, holder.host))
                    .unwrap_or_default();
                watched = Some((version, since));
            }
            // An answer that was lost makes a second try of the same request look like another's lock: what counts is what is there.
            tokio::time::sleep(SETTLING).await;
            if let Some((version, Some(holder))) = held(&store, &key).await?
                && holder.id == us.id
            {
                let fault = match ignored(&store, &key, &us).await {
                    Ok(None) => return Ok(Lease { store, key, us, version: Mutex::new(Some((version, 0))) }),
                    Ok(Some(condition)) => Denied::Ignored(condition),
                    Err(error) => error.into(),
                };
                let _left = store.delete(&key).await; // what is said counts
                return Err(fault);
            }
            if asked.elapsed() >= patience {
                return Err(Denied::Held(by));
            }
            if !had {
                tokio::time::sleep(POLL.min(patience)).await;
            }
        }
    }

    /// Renews it. False when it is another's by now.
    pub(super) async fn renew(&self) -> Result<bool, Error> {
        let mut version = self.version.lock().await;
        let Some((before, rounds)) = version.clone() else { return Ok(false) };
        let round = Holder { renewed: rounds + 1, ..self.us.clone() };
        match written(&self.store, &self.key, &round, PutMode::Update(before)).await? {
            Some(now) => *version = Some((now, rounds + 1)),
            // As above: it may be ours in spite of the answer.
            None => {
                let ours = |(now, holder): (UpdateVersion, Option<Holder>)| {
                    holder.filter(|holder| holder.id == self.us.id).map(|holder| (now, holder.renewed))
                };
                *version = held(&self.store, &self.key).await?.and_then(ours);
            }
        }
        Ok(version.is_some())
    }

    /// Renews it for as long as it can be had.
    pub(super) async fn keep(&self) {
        loop {
            tokio::time::sleep(Duration::from_secs(self.us.lease_seconds) / 3).await;
            // A server that does not answer is asked again.
            if matches!(self.renew().await, Ok(false)) {
                return;
            }
        }
    }

    /// Gives it back. It stays when it is another's; one that stays of us is known to be gone.
    pub(super) async fn release(&self) {
        let version = self.version.lock().await.take();
        let there = self.store.head(&self.key).await;
        if let (Some((ours, _)), Ok(there)) = (version, there)
            && there.e_tag == ours.e_tag
        {
            let _left = self.store.delete(&self.key).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Holder;

    #[test]
    fn a_holder_is_gone_when_its_process_is() {
        let us = Holder::new(Duration::from_secs(60));
        assert!(!us.is_gone(&us));
        let began_earlier = Holder { begun: "1".to_owned(), ..us.clone() };
        assert!(began_earlier.is_gone(&us), "another process with the same number");
        let elsewhere = Holder { boot: "another kernel".to_owned(), ..began_earlier };
        assert!(!elsewhere.is_gone(&us), "nothing is known of other machines");
    }
}
