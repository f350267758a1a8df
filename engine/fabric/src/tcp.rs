//! The provider `ofi+tcp`: sockets of the kernel.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};

use crate::provider::{Listener, Socket};

/// A client's host that vanishes without a word is missed after about a minute: what the client held is free then.
const KEEPALIVE_IDLE_S: u32 = 30;
const KEEPALIVE_INTERVAL_S: u32 = 10;
const KEEPALIVE_PROBES: u32 = 3;

impl Socket for TcpStream {
    fn keep_alive(&self) -> io::Result<()> {
        setsockopt(self, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE_S)?;
        setsockopt(self, sockopt::TcpKeepInterval, &KEEPALIVE_INTERVAL_S)?;
        setsockopt(self, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)?;
        setsockopt(self, sockopt::KeepAlive, &true)?;
        Ok(())
    }

    fn into_blocking(self) -> io::Result<OwnedFd> {
        let socket = self.into_std()?;
        socket.set_nonblocking(false)?;
        Ok(socket.into())
    }
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, from) = TcpListener::accept(self).await?;
        socket.set_nodelay(true)?;
        Ok((socket, from))
    }
}
