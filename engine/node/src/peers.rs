//! The pool service's way to other engines: one service connection each, opened when first needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fabric::{Dialer, ServiceConnection, Uri};
use tokio::sync::Mutex;
use types::Status;
use wire::fault::Failure;
use wire::hello::Peer;
use wire::proto::mgmt::GroupMember;
use wire::proto::service::Method;

use crate::service::Peers;

/// For connecting and for each call: a collective with one slow rank must still fit into a client's patience (30 s).
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Connections to other engines by address.
pub(crate) struct Connections {
    system: String,
    dialer: Dialer,
    open: Mutex<HashMap<String, Arc<ServiceConnection>>>,
}

impl Connections {
    pub(crate) fn new(system: String) -> Connections {
        Connections { system, dialer: Dialer::default(), open: Mutex::default() }
    }

    async fn connection(&self, uri: &str) -> Result<Arc<ServiceConnection>, Failure> {
        let mut open = self.open.lock().await;
        if let Some(connection) = open.get(uri)
            && connection.connection().ended().is_none()
        {
            return Ok(connection.clone());
        }
        let to: Uri = uri
            .parse()
            .map_err(|error: fabric::address::ParseUriError| Failure::new(Status::Invalid, error.to_string()))?;
        let connection = ServiceConnection::open(&self.dialer, to, &self.system, Peer::Engine, CALL_LIMIT).await;
        let connection = Arc::new(connection.map_err(|error| Failure::from(&error))?);
        open.insert(uri.to_owned(), connection.clone());
        Ok(connection)
    }
}

impl Peers for Connections {
    async fn call(&self, member: &GroupMember, method: Method, body: Bytes) -> Result<Bytes, Failure> {
        self.connection(&member.uri).await?.call_encoded(method, &body).await
    }
}
