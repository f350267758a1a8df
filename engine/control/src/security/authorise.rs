//! Refuses calls that the caller's role does not allow, before a service sees them.
//!
//! The role is the common name of the certificate that the TLS handshake verified. Without TLS (`allow_insecure`) every
//! caller is believed, as in DAOS.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower::{Layer, Service};
use types::Status;
use wire::fault::Failure;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::role::{Role, allowed};

/// The layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authorise {
    secured: bool,
}

impl Authorise {
    /// `secured` is false without TLS.
    pub(crate) fn new(secured: bool) -> Authorise {
        Authorise { secured }
    }
}

impl<S> Layer<S> for Authorise {
    type Service = Authorised<S>;
    fn layer(&self, inner: S) -> Authorised<S> {
        Authorised { inner, secured: self.secured }
    }
}

/// A service behind the layer.
#[derive(Debug, Clone)]
pub(crate) struct Authorised<S> {
    inner: S,
    secured: bool,
}

impl<S> Service<Request<Body>> for Authorised<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.secured
            && let Err(failure) = check(&request)
        {
            tracing::warn!("{}", failure.message);
            let refusal = tonic::Status::from(failure).into_http();
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        Box::pin(self.inner.call(request))
    }
}

fn check(request: &Request<Body>) -> Result<(), Failure> {
    let path = request.uri().path();
    let name = common_name(request);
    let role = name.as_deref().and_then(Role::from_common_name);
    let roles = allowed(path);
    if role.is_some_and(|role| roles.contains(&role)) {
        return Ok(());
    }
    let name = name.unwrap_or_default();
    let needed: Vec<&str> = roles.iter().map(|role| role.common_name()).collect();
    let message = format!("a caller with the certificate name `{name}` may not call `{path}`");
    let failure = Failure::new(Status::NoPermission, message);
    Err(if needed.is_empty() {
        failure
    } else {
        failure.with_resolution(format!("use the certificate of role {}", needed.join(" or ")))
    })
}

/// The common name of the peer's certificate.
fn common_name(request: &Request<Body>) -> Option<String> {
    let info = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>()?;
    let certificates = info.peer_certs()?;
    let (_, certificate) = X509Certificate::from_der(certificates.first()?).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    Some(name)
}
