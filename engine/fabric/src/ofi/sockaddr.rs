//! Addresses as the kernel and libfabric write them.
#![allow(unsafe_code)] // the door to libfabric

use std::ffi::c_int;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr;

/// With room for any address.
pub(super) fn to_sockaddr(address: SocketAddr) -> libc::sockaddr_storage {
    // SAFETY: numbers only.
    let mut raw: libc::sockaddr_storage = unsafe { mem::zeroed() };
    match address {
        SocketAddr::V4(v4) => {
            let place = (&raw mut raw).cast::<libc::sockaddr_in>();
            let sin_addr = libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) };
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr,
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is large enough and aligned for every kind of address.
            unsafe { place.write(value) };
        }
        SocketAddr::V6(v6) => {
            let place = (&raw mut raw).cast::<libc::sockaddr_in6>();
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { place.write(value) };
        }
    }
    raw
}

/// An address of the internet; `None` is another kind.
pub(super) fn from_sockaddr(raw: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match c_int::from(raw.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one, and the storage is large enough and aligned for it.
            let v4 = unsafe { *ptr::from_ref(raw).cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::new(address.into(), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { *ptr::from_ref(raw).cast::<libc::sockaddr_in6>() };
            Some(SocketAddr::new(Ipv6Addr::from(v6.sin6_addr.s6_addr).into(), u16::from_be(v6.sin6_port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_and_other_kinds_are_none() {
        for text in ["10.0.0.7:31416", "[fd00::7]:1", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(from_sockaddr(&to_sockaddr(address)), Some(address));
        }
        let mut raw = to_sockaddr("10.0.0.7:31416".parse().unwrap());
        raw.ss_family = libc::AF_UNIX as libc::sa_family_t;
        assert_eq!(from_sockaddr(&raw), None);
    }
}
