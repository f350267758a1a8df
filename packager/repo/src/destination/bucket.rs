//! A bucket of S3-compatible object storage as a place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::buffered::BufWriter;
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, ClientConfigKey, Error, ObjectStore as _, ObjectStoreExt as _, PutOptions, PutPayload,
    RetryConfig,
};
use packager_source::stop::unless_interrupted;
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::runtime::Runtime;

use super::lease::{Denied, Lease};
use super::place::{Held, Place, PlaceError, Reach, Source};

/// Name of the lock.
const LOCK: &str = ".packager-lock";

/// Larger files go up in parts.
const PART_BYTES: usize = 8 << 20;

/// How long a server may keep us from an answer before we give up, tries of the same request together, and how many tries there are: the
/// pauses between them double, so that a server that is not there is known after ten seconds.
const SERVER_PATIENCE: Duration = Duration::from_secs(120);
const TRIES: usize = 6;

/// How long one request may take: a part of a file over a line of 100 kbit/s that others use too.
const REQUEST: &str = "20 minutes";

/// What may help where the server was reached and refused.
const HINT: &str = "see that AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION are set and may write there, and that \
                    `--endpoint` or AWS_ENDPOINT_URL names the server (with AWS_ALLOW_HTTP=true for plain HTTP)";

/// What servers answer where there is no bucket; listings do not end with `NotFound` then.
const NO_SUCH_BUCKET: &str = "<Code>NoSuchBucket</Code>";

/// What may help there.
const NO_BUCKET: &str = "make the bucket first, or correct its name";

pub(super) struct Bucket {
    address: String,
    store: Arc<AmazonS3>,
    /// Below which everything lies; nothing for the whole bucket.
    prefix: Option<Key>,
    lock: Key,
    runtime: Runtime,
    lease: Duration,
    unlocked: bool,
    jobs: usize,
}

impl Bucket {
    pub(super) fn new(address: &str, reach: &Reach) -> Result<Bucket, PlaceError> {
        let lacks = |lacks| PlaceError::Incomplete { address: address.to_owned(), lacks };
        let rest = address.strip_prefix("s3://").ok_or_else(|| PlaceError::Address(address.to_owned()))?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if name.is_empty() {
            return Err(lacks("it names no bucket"));
        }
        let prefix = prefix.trim_end_matches('/');
        let unusable = |_| lacks("its prefix has parts that are empty, `.` or `..`");
        let prefix = (!prefix.is_empty()).then(|| Key::parse(prefix)).transpose().map_err(unusable)?;
        let lock = below(prefix.as_ref(), LOCK).map_err(unusable)?;
        let failed = |source: Error| PlaceError::Bucket {
            what: "use".to_owned(),
            place: address.to_owned(),
            hint: HINT,
            source: Box::new(source),
        };
        // The one library for TLS of this program; another part of it may have said so before.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig { retry_timeout: SERVER_PATIENCE, max_retries: TRIES, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(name)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST)
            .with_retry(retry);
        if let Some(endpoint) = &reach.endpoint {
            builder = builder.with_endpoint(endpoint);
            if endpoint.starts_with("http://") {
                builder = builder.with_allow_http(true);
            }
        }
        let store = Arc::new(builder.build().map_err(failed)?);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let io = |source| PlaceError::Io { path: "/proc/self/task".into(), source };
        let (lease, unlocked, jobs) = (reach.lease, reach.unlocked, reach.jobs.max(1));
        Ok(Bucket {
            address: address.to_owned(),
            store,
            prefix,
            lock,
            runtime: runtime.map_err(io)?,
            lease,
            unlocked,
            jobs,
        })
    }

    /// The key of a file: its name as it is, because that is what readers ask for. (`Key::from` would write `1~rc1` as `1%7Erc1`.)
    fn key(&self, name: &str) -> Result<Key, PlaceError> {
        let unusable = |_| PlaceError::Name { place: self.address.clone(), name: name.to_owned() };
        below(self.prefix.as_ref(), name).map_err(unusable)
    }

    fn error(&self, what: &str) -> impl FnOnce(Error) -> PlaceError + use<> {
        let (what, place) = (what.to_owned(), self.address.clone());
        move |source| {
            let none = matches!(source, Error::NotFound { .. }) || source.to_string().contains(NO_SUCH_BUCKET);
            let hint = if none { NO_BUCKET } else { HINT };
            PlaceError::Bucket { what, place, hint, source: Box::new(source) }
        }
    }

    /// Runs it, unless the user asks to stop.
    fn block<T>(&self, work: impl Future<Output = Result<T, PlaceError>>) -> Result<T, PlaceError> {
        self.runtime.block_on(async {
            tokio::pin!(work);
            loop {
                tokio::select! {
                    done = &mut work => return done,
                    () = tokio::time::sleep(Duration::from_millis(50)) => unless_interrupted()?,
                }
            }
        })
    }
}

fn below(prefix: Option<&Key>, name: &str) -> Result<Key, object_store::path::Error> {
    Key::parse(prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}/{name}")))
}

/// How a file is served.
pub(super) fn attributes(name: &str) -> Attributes {
    let file = name.rsplit('/').next().unwrap_or(name);
    let kind = match file.rsplit('.').next().unwrap_or_default() {
        "rpm" => "application/x-rpm",
        "xml" => "text/xml; charset=utf-8",
        "gz" => "application/gzip",
        "zst" => "application/zstd",
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "repo" | "asc" | "pem" => "text/plain; charset=utf-8",
        _ if file.starts_with("RPM-GPG-KEY") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    // What carries its hash in its name never changes. Everything else is asked for again.
    let hashed = name.starts_with("repodata/") && file.split('-').next().is_some_and(|hash| hash.len() == 64);
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, kind.into());
    attributes.insert(Attribute::CacheControl, cache.into());
    attributes
}

impl Place for Bucket {
    fn address(&self) -> &str {
        &self.address
    }

    fn lock(&self, patience: Duration) -> Result<Box<dyn Held + '_>, PlaceError> {
        if self.unlocked {
            return Ok(Box::new(Unlocked));
        }
        let (store, key) = (Arc::clone(&self.store), self.lock.clone());
        let lease = self.block(async {
            Lease::acquire(store, key, self.lease, patience).await.map_err(|denied| match denied {
                Denied::Held(by) => PlaceError::Held { place: self.address.clone(), waited: patience, by },
                Denied::Ignored(condition) => PlaceError::NoLock { place: self.address.clone(), condition },
                Denied::Server(error) => self.error("lock")(error),
            })
        })?;
        let lease = Arc::new(lease);
        let kept = Arc::clone(&lease);
        let renewal = self.runtime.spawn(async move { kept.keep().await });
        Ok(Box::new(Locked { bucket: self, lease, renewal }))
    }

    fn list(&self) -> Result<BTreeMap<String, u64>, PlaceError> {
        let found = self.block(async {
            self.store.list(self.prefix.as_ref()).try_collect::<Vec<_>>().await.map_err(self.error("list"))
        })?;
        let start = self.prefix.as_ref().map_or(0, |prefix| prefix.as_ref().len() + 1);
        let named = found.into_iter().filter_map(|object| {
            let name = object.location.as_ref().get(start..)?.to_owned();
            Some((name, object.size))
        });
        Ok(named.collect())
    }

    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, PlaceError> {
        self.block(async {
            let found = match self.store.get(&self.key(name)?).await {
                Err(Error::NotFound { .. }) => return Ok(None),
                other => other.map_err(self.error("read from"))?,
            };
            if found.meta.size > most {
                return Err(PlaceError::Large { place: self.address.clone(), name: name.to_owned(), most });
            }
            Ok(Some(found.bytes().await.map_err(self.error("read from"))?.to_vec()))
        })
    }

    fn put_all(&self, files: &[Source], put: &mut dyn FnMut(&Source)) -> Result<(), PlaceError> {
        self.block(async {
            let one = async |file: &Source| -> Result<(), PlaceError> {
                let io = |source| PlaceError::Io { path: file.path.clone(), source };
                let mut from = tokio::fs::File::open(&file.path).await.map_err(io)?;
                let store: Arc<dyn object_store::ObjectStore> = Arc::clone(&self.store) as _;
                let mut to = BufWriter::with_capacity(store, self.key(&file.name)?, PART_BYTES)
                    .with_max_concurrency(2)
                    .with_attributes(attributes(&file.name));
                let what = format!("write `{}` to", file.name);
                let failed = |source: std::io::Error| {
                    self.error(&what)(Error::Generic { store: "S3", source: Box::new(source) })
                };
                if let Err(error) = copy(&mut from, &mut to).await {
                    let _left = to.abort().await; // the first error counts
                    return Err(failed(error));
                }
                to.shutdown().await.map_err(failed)
            };
            let mut running = futures_util::stream::iter(files)
                .map(|file| {
                    let work = one(file);
                    async move { work.await.map(|()| file) }
                })
                .buffer_unordered(self.jobs);
            while let Some(file) = running.try_next().await? {
                put(file);
            }
            Ok(())
        })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), PlaceError> {
        let options = PutOptions { attributes: attributes(name), ..PutOptions::default() };
        self.block(async {
            let body = PutPayload::from(bytes.to_vec());
            let put = self.store.put_opts(&self.key(name)?, body, options).await;
            put.map(drop).map_err(self.error(&format!("write `{name}` to")))
        })
    }

    /// The requests are under way together: nothing puts several objects at one moment.
    fn switch(&self, files: &[(&str, Option<&[u8]>)]) -> Result<(), PlaceError> {
        self.block(async {
            let put = futures_util::stream::iter(files).map(|(name, bytes)| async move {
                let what = format!("write `{name}` to");
                let key = self.key(name)?;
                let done = match bytes {
                    Some(bytes) => {
                        let options = PutOptions { attributes: attributes(name), ..PutOptions::default() };
                        self.store.put_opts(&key, PutPayload::from(bytes.to_vec()), options).await.map(drop)
                    }
                    None => self.store.delete(&key).await,
                };
                match done {
                    Err(Error::NotFound { .. }) if bytes.is_none() => Ok(()),
                    other => other.map_err(self.error(&what)),
                }
            });
            put.buffer_unordered(files.len().max(1)).try_collect::<Vec<()>>().await.map(drop)
        })
    }

    fn remove(&self, names: &[String]) -> Result<(), PlaceError> {
        self.block(async {
            let removed = futures_util::stream::iter(names)
                .map(|name| async move {
                    match self.store.delete(&self.key(name)?).await {
                        Err(Error::NotFound { .. }) => Ok(()),
                        other => other.map_err(self.error(&format!("remove `{name}` from"))),
                    }
                })
                .buffer_unordered(self.jobs);
            removed.try_collect::<Vec<()>>().await.map(drop)
        })
    }

    /// Servers answer when what they were given is safe.
    fn settle(&self) -> Result<(), PlaceError> {
        Ok(())
    }
}

struct Locked<'b> {
    bucket: &'b Bucket,
    lease: Arc<Lease>,
    renewal: tokio::task::JoinHandle<()>,
}

impl Held for Locked<'_> {
    /// The server says so, now.
    fn check(&self) -> Result<(), PlaceError> {
        let lost = || PlaceError::Lost { place: self.bucket.address.clone() };
        self.bucket.block(async {
            let ours = self.lease.renew().await.map_err(self.bucket.error("lock"))?;
            if ours { Ok(()) } else { Err(lost()) }
        })
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.renewal.abort();
        let ended = &mut self.renewal;
        self.bucket.runtime.block_on(async {
            let _aborted = ended.await; // then no renewal is under way
            self.lease.release().await;
        });
    }
}

/// No lock was asked for.
struct Unlocked;

impl Held for Unlocked {
    fn check(&self) -> Result<(), PlaceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use object_store::Attribute;

    use super::{Bucket, attributes};
    use crate::destination::place::{PlaceError, Reach};

    #[test]
    fn addresses_of_buckets() {
        let reach = Reach { endpoint: Some("http://127.0.0.1:1".to_owned()), ..Reach::default() };
        for (address, key) in [("s3://b", "x"), ("s3://b/", "x"), ("s3://b/a/c/", "a/c/x")] {
            let bucket = Bucket::new(address, &reach).expect("an address");
            assert_eq!(bucket.key("x").expect("a name").as_ref(), key);
            assert!(
                bucket.key("a~1^2+3.rpm").expect("a name").as_ref().ends_with("a~1^2+3.rpm"),
                "as readers ask for it"
            );
        }
        for bad in ["s3://", "s3:///a", "s3://b/../c", "s3://b/a//c"] {
            assert!(matches!(Bucket::new(bad, &reach), Err(PlaceError::Incomplete { .. })), "{bad}");
        }
    }

    #[test]
    fn only_what_carries_its_hash_is_kept_by_readers() {
        let cached = |name: &str| attributes(name).get(&Attribute::CacheControl).expect("it is set").to_string();
        assert_eq!(cached("repodata/repomd.xml"), "no-cache");
        assert_eq!(
            cached(&format!("repodata/{}-primary.xml.gz", "0".repeat(64))),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(cached("Packages/a-1-1.noarch.rpm"), "no-cache");
    }
}
