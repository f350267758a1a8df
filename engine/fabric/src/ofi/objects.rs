//! libfabric's objects behind an endpoint: asked for, opened, bound to each other and closed.
#![allow(unsafe_code)] // the door to libfabric

use std::ffi::{CStr, CString, c_int};
use std::mem;
use std::net::SocketAddr;
use std::ptr;

use super::message::MESSAGE_BYTES;
use super::sockaddr::from_sockaddr;
use super::sys;

/// Why libfabric did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfiError {
    /// It cannot serve the address by that provider.
    #[error(
        "libfabric has no provider `{provider}` for {address} on this host\nhint: `fi_info` lists what it has here"
    )]
    NoProvider {
        /// As libfabric calls it.
        provider: String,
        /// Where from.
        address: SocketAddr,
    },
    /// A call failed.
    #[error("libfabric cannot {what} for `{provider}` on {address}: {reason}")]
    Call {
        /// What.
        what: &'static str,
        /// As libfabric calls it.
        provider: String,
        /// Where from.
        address: SocketAddr,
        /// Its words.
        reason: String,
    },
    /// There is no thread left to do it.
    #[error("the endpoint on {0} has ended")]
    Ended(SocketAddr),
}

/// libfabric's objects, closed in the opposite order.
pub(super) struct Objects {
    provider: String,
    asked: SocketAddr,
    info: *mut sys::Info,
    pub(super) fabric: *mut sys::Fabric,
    domain: *mut sys::Domain,
    pub(super) vector: *mut sys::AddressVector,
    pub(super) queue: *mut sys::CompletionQueue,
    pub(super) endpoint: *mut sys::Endpoint,
}

impl Objects {
    /// Opens an endpoint of `provider` at `address` with room for `depth` operations in each direction.
    pub(super) fn open(provider: &str, address: SocketAddr, depth: usize) -> Result<Objects, OfiError> {
        let mut objects = Objects::find(provider, address)?;
        objects.open_all(depth)?;
        Ok(objects)
    }

    /// Asks which endpoint the provider can open.
    pub(super) fn find(provider: &str, address: SocketAddr) -> Result<Objects, OfiError> {
        let mut objects = Objects {
            provider: provider.to_owned(),
            asked: address,
            info: ptr::null_mut(),
            fabric: ptr::null_mut(),
            domain: ptr::null_mut(),
            vector: ptr::null_mut(),
            queue: ptr::null_mut(),
            endpoint: ptr::null_mut(),
        };
        objects.ask()?;
        Ok(objects)
    }

    fn failed(&self, what: &'static str, code: c_int) -> OfiError {
        OfiError::Call { what, provider: self.provider.clone(), address: self.asked, reason: reason(-code) }
    }

    fn checked(&self, what: &'static str, code: c_int) -> Result<(), OfiError> {
        if code == 0 { Ok(()) } else { Err(self.failed(what, code)) }
    }

    fn ask(&mut self) -> Result<(), OfiError> {
        let no_provider = || OfiError::NoProvider { provider: self.provider.clone(), address: self.asked };
        let text = |text: String| CString::new(text).map_err(|_| no_provider());
        let (node, service) = (text(self.asked.ip().to_string())?, text(self.asked.port().to_string())?);
        let provider = text(self.provider.clone())?;
        // SAFETY: a fresh info comes with all its attributes, which are the library's memory; the name of the provider must be memory
        // of malloc, as the library frees it together with the info. The texts outlive the call.
        let code = unsafe {
            let hints = sys::fi_dupinfo(ptr::null());
            if hints.is_null() {
                return Err(self.failed("make room for its hints", -libc::ENOMEM));
            }
            (*hints).caps = sys::FI_MSG | sys::FI_SEND | sys::FI_RECV;
            (*hints).mode = sys::FI_CONTEXT | sys::FI_CONTEXT2;
            (*hints).addr_format = if self.asked.is_ipv4() { sys::FI_SOCKADDR_IN } else { sys::FI_SOCKADDR_IN6 };
            (*(*hints).ep_attr).kind = sys::FI_EP_RDM;
            (*(*hints).tx_attr).msg_order = sys::FI_ORDER_SAS;
            (*(*hints).rx_attr).msg_order = sys::FI_ORDER_SAS;
            let domain = (*hints).domain_attr;
            (*domain).threading = sys::FI_THREAD_DOMAIN;
            (*domain).resource_mgmt = sys::FI_RM_ENABLED;
            (*domain).av_type = sys::FI_AV_TABLE;
            // What verbs needs for its own sake; without RMA nothing is registered here.
            (*domain).mr_mode = sys::FI_MR_VIRT_ADDR | sys::FI_MR_ALLOCATED | sys::FI_MR_PROV_KEY;
            (*(*hints).fabric_attr).prov_name = libc::strdup(provider.as_ptr());
            let flags = sys::FI_SOURCE | sys::FI_NUMERICHOST;
            let code = sys::fi_getinfo(sys::VERSION, node.as_ptr(), service.as_ptr(), flags, hints, &raw mut self.info);
            sys::fi_freeinfo(hints);
            code
        };
        match code {
            0 if self.largest_message() >= MESSAGE_BYTES => Ok(()),
            0 => Err(self.failed("send messages of 64 KiB", -libc::EMSGSIZE)),
            code if code == -sys::FI_ENODATA => Err(no_provider()),
            code => Err(self.failed("look for an endpoint", code)),
        }
    }

    fn largest_message(&self) -> usize {
        // SAFETY: called when the library has just given an info, which has all its attributes.
        unsafe { (*(*self.info).ep_attr).max_msg_size }
    }

    fn open_all(&mut self, depth: usize) -> Result<(), OfiError> {
        let none = ptr::null_mut();
        // SAFETY: the info is the library's own and stays until `close`; each object is opened from one that is open, through its
        // own table of functions, into a pointer of `self`; attributes are whole and outlive the calls.
        unsafe {
            let info = self.info;
            let code = sys::fi_fabric((*info).fabric_attr, &raw mut self.fabric, none);
            self.checked("open the fabric", code)?;
            let code = ((*(*self.fabric).ops).domain)(self.fabric, info, &raw mut self.domain, none);
            self.checked("open the domain", code)?;
            let mut attr: sys::AddressVectorAttr = mem::zeroed();
            attr.kind = (*(*info).domain_attr).av_type;
            let code = ((*(*self.domain).ops).av_open)(self.domain, &raw mut attr, &raw mut self.vector, none);
            self.checked("open a table of addresses", code)?;
            let mut attr: sys::CompletionQueueAttr = mem::zeroed();
            (attr.size, attr.format, attr.wait_obj) = (2 * depth, sys::FI_CQ_FORMAT_MSG, sys::FI_WAIT_FD);
            let code = ((*(*self.domain).ops).cq_open)(self.domain, &raw mut attr, &raw mut self.queue, none);
            self.checked("open a queue of completions that can be waited for", code)?;
            (*(*info).tx_attr).size = (*(*info).tx_attr).size.min(depth);
            (*(*info).rx_attr).size = (*(*info).rx_attr).size.min(depth);
            let code = ((*(*self.domain).ops).endpoint)(self.domain, info, &raw mut self.endpoint, none);
            self.checked("open an endpoint", code)?;
            let ops = &*(*self.endpoint).fid.ops;
            let code = (ops.bind)(self.endpoint.cast(), self.vector.cast(), 0);
            self.checked("bind the table of addresses", code)?;
            let code = (ops.bind)(self.endpoint.cast(), self.queue.cast(), sys::FI_SEND | sys::FI_RECV);
            self.checked("bind the queue of completions", code)?;
            self.checked("listen", (ops.control)(self.endpoint.cast(), sys::FI_ENABLE, none))
        }
    }

    /// The descriptor to wait on, which is the queue's.
    pub(super) fn wait(&self) -> Result<c_int, OfiError> {
        let mut descriptor: c_int = -1;
        // SAFETY: the queue is open and was opened to be waited for by a descriptor, which the call stores.
        let code = unsafe {
            let control = (*(*self.queue).fid.ops).control;
            control(self.queue.cast(), sys::FI_GETWAIT, (&raw mut descriptor).cast())
        };
        self.checked("wait for completions", code)?;
        Ok(descriptor)
    }

    /// The endpoint's own address.
    pub(super) fn name(&self) -> Result<SocketAddr, OfiError> {
        // SAFETY: numbers only.
        let mut raw: libc::sockaddr_storage = unsafe { mem::zeroed() };
        let mut length = mem::size_of_val(&raw);
        // SAFETY: the endpoint is enabled; there is room for `length` bytes, more than any address of the format has.
        let code =
            unsafe { ((*(*self.endpoint).cm).getname)(self.endpoint.cast(), (&raw mut raw).cast(), &raw mut length) };
        self.checked("tell its address", code)?;
        from_sockaddr(&raw).ok_or_else(|| self.failed("tell its address as IP and port", -libc::EAFNOSUPPORT))
    }

    /// Closes what is open; a second time it does nothing. False when the library does not let go of something.
    pub(super) fn close(&mut self) -> bool {
        let objects: [*mut sys::Fid; 5] = [
            mem::replace(&mut self.endpoint, ptr::null_mut()).cast(),
            mem::replace(&mut self.queue, ptr::null_mut()).cast(),
            mem::replace(&mut self.vector, ptr::null_mut()).cast(),
            mem::replace(&mut self.domain, ptr::null_mut()).cast(),
            mem::replace(&mut self.fabric, ptr::null_mut()).cast(),
        ];
        let mut closed = true;
        for object in objects.into_iter().filter(|object| !object.is_null()) {
            // SAFETY: every object begins with its `fid`; each is closed once, dependants first.
            let code = unsafe { ((*(*object).ops).close)(object) };
            if code != 0 {
                closed = false;
                tracing::warn!("libfabric cannot close a part of the endpoint on {}: {}", self.asked, reason(-code));
            }
        }
        let info = mem::replace(&mut self.info, ptr::null_mut());
        if !info.is_null() {
            // SAFETY: the library gave it, and what was opened from it is closed.
            unsafe { sys::fi_freeinfo(info) };
        }
        closed
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.close();
    }
}

/// libfabric's words for an error number.
pub(super) fn reason(number: c_int) -> String {
    // SAFETY: it gives a constant text for every number.
    unsafe { CStr::from_ptr(sys::fi_strerror(number)) }.to_string_lossy().into_owned()
}
