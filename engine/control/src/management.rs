//! The way to the management service: on this server, or on the one that serves it.

use std::sync::{Arc, OnceLock};

use types::{Rank, Status};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::mgmt::{JoinReq, JoinResp};

use crate::grpc::peer::Peers;
use crate::system::System;
use crate::system::member::Event;

/// Where the management service is.
pub(crate) enum Seat {
    /// Here.
    Here(Arc<System>),
    /// On the server at this control address.
    There(String),
}

/// Known once the server has read its settings and opened its records.
pub(crate) struct Management {
    seat: OnceLock<Seat>,
    peers: Peers,
}

impl Management {
    pub(crate) fn new(peers: Peers) -> Management {
        Management { seat: OnceLock::new(), peers }
    }

    /// Decides where it is; once.
    pub(crate) fn sit(&self, seat: Seat) {
        assert!(self.seat.set(seat).is_ok(), "the seat is decided once, at start");
    }

    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The service, when it is here; otherwise a refusal that names where it is.
    pub(crate) fn here(&self) -> Result<&Arc<System>, Failure> {
        match self.seat.get() {
            Some(Seat::Here(system)) => Ok(system),
            Some(Seat::There(leader)) => Err(Failure::new(
                Status::NotLeader,
                format!("this server does not serve the management service; `{leader}` does"),
            )
            .with_resolution(format!("send the request to `{leader}`"))),
            None => Err(Failure::new(Status::Busy, "the server is starting").with_resolution("retry in a moment")),
        }
    }

    pub(crate) async fn join(&self, request: JoinReq) -> Result<JoinResp, Failure> {
        match self.seat.get() {
            Some(Seat::There(leader)) => self.peers.join(leader, request).await,
            _ => self.here()?.join(request).await,
        }
    }

    /// Tells the service what happened to an engine of this host. A service elsewhere finds out by its pings.
    pub(crate) async fn report(&self, engine: Uuid, event: &Event) {
        if let Some(Seat::Here(system)) = self.seat.get() {
            system.report(engine, event).await;
        }
    }

    /// An engine's storage was formatted anew: its former self will not come back.
    pub(crate) async fn storage_formatted(&self, former: Uuid) {
        if let Some(Seat::Here(system)) = self.seat.get() {
            system.storage_formatted(former).await;
        }
    }

    /// An engine of this host serves: it gets the present group, and pools whose service it runs are finished.
    pub(crate) fn rank_serves(&self, rank: Rank) {
        if let Some(Seat::Here(system)) = self.seat.get() {
            system.publish_group();
            tokio::spawn(system.clone().finish_pools(rank));
        }
    }
}
