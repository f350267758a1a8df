//! Serving folders over HTTP: for laboratories and sites without a network. `tower-http` does ranges and conditional requests.
//!
//! What is hidden, and what a link leads out of the folder to, is not there. Connections are bounded in number, and in how long they
//! may take to say what they want.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use packager_source::stop::unless_interrupted;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

/// Connections at the same time: each of a hundred hosts opens three, and some wait.
const CONNECTIONS_MAX: usize = 512;

/// How long a connection may take for its handshake, and for the head of each request.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a connection may last: the largest file over the slowest line, and no reader that stopped reading for ever.
const CONNECTION_LASTS: Duration = Duration::from_secs(3600);

/// How often the wish to stop is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The folder.
    #[error("cannot serve `{}`", folder.display())]
    Folder {
        /// As it was given.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address.
    #[error(
        "cannot listen on {address}\nhint: another program may use the port; give `--listen ADDRESS:PORT`, with port 0 for any free one"
    )]
    Listen {
        /// As it was given.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A certificate or its key.
    #[error("`{}` holds no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Certificate or key.
        what: &'static str,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// A certificate and a key that do not belong together.
    #[error(
        "the certificate and its key cannot be used\nhint: the first certificate of the file must be the server's, and the key its own"
    )]
    Tls(#[source] rustls::Error),
}

/// The certificate of a server, and its key: files in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The server's certificate, then those that lead to a trusted one.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A server that listens already.
#[derive(Debug)]
pub struct Server {
    root: PathBuf,
    listener: std::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

/// A request that was answered.
#[derive(Debug)]
pub struct Answered {
    /// Who asked.
    pub by: IpAddr,
    /// What for.
    pub method: Method,
    /// Path of the address.
    pub path: String,
    /// With what result.
    pub status: StatusCode,
    /// Bytes of the answer, when they are known.
    pub bytes: Option<u64>,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Server {
    /// Listens, for a folder.
    pub fn listen(folder: &Path, address: SocketAddr, tls: Option<&Tls>) -> Result<Server, ServeError> {
        let unusable = |source| ServeError::Folder { folder: folder.to_owned(), source };
        let root = folder.canonicalize().map_err(unusable)?;
        std::fs::read_dir(&root).map_err(unusable)?;
        let tls = tls.map(configured).transpose()?;
        let listening = |source| ServeError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        Ok(Server { root, listener, tls })
    }

    /// Where it is reached.
    pub fn address(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves until the user asks to stop. `answered` hears of every request.
    pub fn run(self, answered: impl Fn(&Answered) + Send + Sync + 'static) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let answered: Arc<dyn Fn(&Answered) + Send + Sync> = Arc::new(answered);
        runtime.block_on(async {
            let listener = TcpListener::from_std(self.listener)?;
            let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
            let acceptor = self.tls.map(TlsAcceptor::from);
            while unless_interrupted().is_ok() {
                let Ok(place) = tokio::time::timeout(POLL, Arc::clone(&places).acquire_owned()).await else { continue };
                let place = place.map_err(io::Error::other)?;
                let (stream, by) = match tokio::time::timeout(POLL, listener.accept()).await {
                    Ok(Ok(accepted)) => accepted,
                    Err(_nobody) => continue,
                    // No more files may be open, or a client went away: the next one may have more luck.
                    Ok(Err(_)) => {
                        tokio::time::sleep(POLL).await;
                        continue;
                    }
                };
                let files = Files { root: self.root.clone(), by: by.ip(), answered: Arc::clone(&answered) };
                let acceptor = acceptor.clone();
                tokio::spawn(tokio::time::timeout(CONNECTION_LASTS, async move {
                    match acceptor {
                        None => files.connection(stream).await,
                        Some(acceptor) => {
                            // One that speaks no TLS is told so by the library.
                            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                                files.connection(stream).await;
                            }
                        }
                    }
                    drop(place);
                }));
            }
            Ok(())
        })
    }
}

fn configured(tls: &Tls) -> Result<Arc<ServerConfig>, ServeError> {
    let Tls { certificate, key } = tls;
    let bad = |path: &Path, what| {
        let path = path.to_owned();
        move |source| ServeError::Pem { path, what, source }
    };
    let certificates = CertificateDer::pem_file_iter(certificate).map_err(bad(certificate, "certificate"))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(bad(certificate, "certificate"))?;
    if certificates.is_empty() {
        return Err(bad(certificate, "certificate")(rustls_pki_types::pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(bad(key, "private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.map_err(ServeError::Tls)?.with_no_client_auth();
    config.with_single_cert(certificates, key).map(Arc::new).map_err(ServeError::Tls)
}

/// The files of a folder, for one client.
struct Files {
    root: PathBuf,
    by: IpAddr,
    answered: Arc<dyn Fn(&Answered) + Send + Sync>,
}

impl Files {
    async fn connection(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let files = Arc::new(self);
        let service = service_fn(move |request| {
            let files = Arc::clone(&files);
            async move { Ok::<_, Infallible>(files.answer(request).await) }
        });
        let mut server = hyper::server::conn::http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        // A client that goes away is its own affair.
        let _ended = server.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        // The page of a folder is what is given out for it.
        let page = if path.ends_with('/') { format!("{path}index.html") } else { path.clone() };
        let response = if is_public(&self.root, &page) {
            let found = ServeDir::new(&self.root).oneshot(request).await;
            found.map_or_else(|never| match never {}, |found| found.map(BodyExt::boxed_unsync))
        } else {
            let body = Full::new(Bytes::from_static(b"not found\n")).map_err(|never| match never {});
            let mut response = Response::new(body.boxed_unsync());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain"));
            response
        };
        let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let bytes = length.and_then(|length| length.parse().ok());
        (self.answered)(&Answered { by: self.by, method, path, status: response.status(), bytes });
        response
    }
}

/// Whether a path of an address leads to something that may be seen: nothing hidden, nothing outside. What is not there may be asked for.
fn is_public(root: &Path, path: &str) -> bool {
    let Ok(path) = percent_encoding::percent_decode_str(path).decode_utf8() else { return false };
    let path = path.trim_start_matches('/');
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    let outside = || root.join(path).canonicalize().is_ok_and(|real| !real.starts_with(root));
    !hidden && !path.contains('\0') && !outside()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::is_public;

    #[test]
    fn nothing_hidden_and_nothing_outside_is_seen() {
        let (root, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let root = root.path().canonicalize().expect("there");
        fs::write(root.join("a b"), "").expect("written");
        symlink(root.join("a b"), root.join("inside")).expect("a link");
        symlink(other.path(), root.join("outside")).expect("a link");
        for seen in ["/", "", "/a%20b", "/inside", "/missing", "/Packages/x.rpm"] {
            assert!(is_public(&root, seen), "{seen}");
        }
        for hidden in
            ["/.packager.json", "/x/.y", "/..", "/%2e%2e/etc/passwd", "/outside", "/outside/x/..", "/%00", "/%ff"]
        {
            assert!(!is_public(&root, hidden), "{hidden}");
        }
    }
}
