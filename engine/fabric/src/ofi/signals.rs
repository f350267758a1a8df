//! Signals that libraries below libfabric take for themselves.
#![allow(unsafe_code)] // the door to libfabric

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The signals. SIGSEGV and SIGBUS stay as they are: Rust's own handlers for overflows of stacks cannot be told from others.
const TAKEN: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGABRT, Signal::SIGILL];

/// Gives signals their default meaning back. Omni-Path's libraries, which libfabric may bring, have set handlers before `main` that
/// print a backtrace and exit with 1, and handlers that are set later call those before them. To be called first in `main`.
pub fn own_signals() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in TAKEN {
        // SAFETY: the default is no function, so nothing runs in a handler. It cannot fail for signals that may be handled.
        let _ = unsafe { sigaction(signal, &default) };
    }
}
