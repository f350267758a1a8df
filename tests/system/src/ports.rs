//! Ports on loopback that nobody uses.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use rand::Rng;

/// Below the range from which Linux takes the local ports of outgoing connections (32768 and up): a client that tries to
/// connect while a server is down must not be given the server's port.
const FIRST: u16 = 15_000;
const LAST: u16 = 32_000;

/// A port nobody uses now, given to nobody else in this process.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_default();
    loop {
        let port = rand::rng().random_range(FIRST..LAST);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
            return port;
        }
    }
}
