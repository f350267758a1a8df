//! Calls of the pool service on a data connection.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use types::Status;
use wire::fault::Failure;
use wire::frame::{Body, Kind, VERSION};
use wire::hello::{Hello, Peer, SERVICE_TARGET};
use wire::proto::drpc::Answer;
use wire::proto::service::Method;

use crate::address::Uri;
use crate::connection::{Connection, ConnectionError};
use crate::dial::Dialer;

/// A connection to the service of an engine.
#[derive(Debug)]
pub struct ServiceConnection {
    connection: Connection,
    limit: Duration,
}

impl ServiceConnection {
    /// Connects; `limit` is for connecting and for each call.
    pub async fn open(
        dialer: &Dialer,
        to: Uri,
        system: &str,
        peer: Peer,
        limit: Duration,
    ) -> Result<Self, ConnectionError> {
        let hello = Hello {
            least_version: VERSION,
            greatest_version: VERSION,
            target: SERVICE_TARGET,
            peer,
            system: system.to_owned(),
        };
        Ok(ServiceConnection { connection: Connection::open(dialer, to, hello, limit).await?, limit })
    }

    /// The connection under it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Calls a method with an encoded message.
    pub async fn call_encoded(&self, method: Method, body: &Bytes) -> Result<Bytes, Failure> {
        let mut frame = Body::new();
        frame.share(body);
        let number = u16::try_from(method as i32).expect("methods are small numbers");
        let answer = tokio::time::timeout(self.limit, self.connection.call(Kind::Service, number, frame)).await;
        let address = self.connection.address();
        let reply = answer
            .map_err(|_| Failure::from(&ConnectionError::TimedOut { address, limit: self.limit }))?
            .map_err(|error| Failure::from(&error))?;
        if reply.header.kind != Kind::ServiceReply {
            let kind = reply.header.kind;
            return Err(Failure::new(Status::Protocol, format!("{address} answered a service call with {kind:?}")));
        }
        let answer = Answer::decode(reply.body).map_err(|error| undecodable(method, &error))?;
        Failure::check_answer(answer)
    }

    /// Calls a method.
    pub async fn call<Resp: Message + Default>(&self, method: Method, request: &impl Message) -> Result<Resp, Failure> {
        let body = self.call_encoded(method, &Bytes::from(request.encode_to_vec())).await?;
        Resp::decode(body).map_err(|error| undecodable(method, &error))
    }
}

fn undecodable(method: Method, error: &prost::DecodeError) -> Failure {
    Failure::new(Status::Protocol, format!("the answer to {} does not decode: {error}", method.as_str_name()))
}

impl From<&ConnectionError> for Failure {
    fn from(error: &ConnectionError) -> Failure {
        Failure::new(error.status(), error.to_string())
            .with_resolution("check with `dmg system query` that the engine runs and is joined")
    }
}
