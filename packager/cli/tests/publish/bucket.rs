//! A server of buckets on loopback: writing takes a signature, everybody may read, as in a bucket that is published.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::PutObjectInput;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Request, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const KEY: &str = "publisher";
const SECRET: &str = "not-a-secret";

/// Who may do what, and what the server leaves out of account, as some do.
struct Public {
    ignored: Option<&'static str>,
}

#[async_trait::async_trait]
impl S3Access for Public {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let reading = ["GetObject", "HeadObject"].contains(&request.s3_op().name());
        if request.credentials().is_none() && !reading {
            return Err(s3_error!(AccessDenied, "sign it"));
        }
        // The file system below makes what is missing; servers do not.
        match request.s3_path().get_bucket_name() {
            Some(BUCKET) => Ok(()),
            _ => Err(s3_error!(NoSuchBucket)),
        }
    }

    async fn put_object(&self, request: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        match self.ignored {
            Some("If-None-Match") => request.input.if_none_match = None,
            Some("If-Match") => request.input.if_match = None,
            other => assert_eq!(other, None, "no condition"),
        }
        Ok(())
    }
}

/// A running server with one bucket.
pub(crate) struct Server {
    address: SocketAddr,
    /// Ends it.
    _runtime: Runtime,
}

/// The bucket.
pub(crate) const BUCKET: &str = "published";

pub(crate) fn server(folder: &Path) -> Server {
    ignoring(folder, None)
}

/// A server that does not look at a condition of requests to write.
pub(crate) fn ignoring(folder: &Path, ignored: Option<&'static str>) -> Server {
    std::fs::create_dir_all(folder.join(BUCKET)).expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let mut service = S3ServiceBuilder::new(FileSystem::new(folder).expect("a file system"));
    service.set_auth(SimpleAuth::from_single(KEY, SECRET));
    service.set_access(Public { ignored });
    let service = service.build();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                // A client that goes away is its own affair.
                let _ended = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Server { address, _runtime: runtime }
}

impl Server {
    /// Where hosts read what was published below a prefix.
    pub(crate) fn address(&self, prefix: &str) -> String {
        format!("http://{}/{BUCKET}/{prefix}", self.address)
    }

    /// Lets a packager write.
    pub(crate) fn allow<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.args(["--endpoint", &format!("http://{}", self.address)]);
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "somewhere")
    }
}
