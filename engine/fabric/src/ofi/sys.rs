//! What is used of libfabric: declarations as in `rdma/fabric.h` and its neighbours, of interface 1.11 and later.
//!
//! Most of libfabric's calls are inline functions of its headers that go through tables in the objects, so the tables are
//! declared up to the last entry that is used. Objects and attributes of the library are read and written through pointers that it
//! gave; newer releases append fields, which nothing here touches. What is allocated here has room for such fields (`CompletionError`).
//! Field names are the headers'; functions that are not used are only counted.
#![allow(unsafe_code)] // the door to libfabric

use std::ffi::{c_char, c_int, c_void};

/// `FI_VERSION(1, 11)`.
pub(super) const VERSION: u32 = (1 << 16) | 11;
pub(super) const FI_MSG: u64 = 1 << 1;
pub(super) const FI_RECV: u64 = 1 << 10;
pub(super) const FI_SEND: u64 = 1 << 11;
pub(super) const FI_SOURCE: u64 = 1 << 57;
pub(super) const FI_NUMERICHOST: u64 = 1 << 55;
pub(super) const FI_CONTEXT: u64 = 1 << 59;
pub(super) const FI_CONTEXT2: u64 = 1 << 52;
pub(super) const FI_ORDER_SAS: u64 = 1 << 8;
pub(super) const FI_SOCKADDR_IN: u32 = 2;
pub(super) const FI_SOCKADDR_IN6: u32 = 3;
pub(super) const FI_EP_RDM: c_int = 3;
pub(super) const FI_AV_TABLE: c_int = 2;
pub(super) const FI_THREAD_DOMAIN: c_int = 3;
pub(super) const FI_RM_ENABLED: c_int = 2;
pub(super) const FI_MR_VIRT_ADDR: c_int = 1 << 4;
pub(super) const FI_MR_ALLOCATED: c_int = 1 << 5;
pub(super) const FI_MR_PROV_KEY: c_int = 1 << 6;
pub(super) const FI_WAIT_FD: c_int = 3;
pub(super) const FI_CQ_FORMAT_MSG: c_int = 2;
pub(super) const FI_GETWAIT: c_int = 5;
pub(super) const FI_ENABLE: c_int = 6;
pub(super) const FI_EAGAIN: isize = libc::EAGAIN as isize;
pub(super) const FI_EAVAIL: isize = 259;
pub(super) const FI_ENODATA: c_int = libc::ENODATA;

/// A function that is not called from here.
type Unused = *const c_void;

#[repr(C)]
pub(super) struct Fid {
    pub(super) fclass: usize,
    pub(super) context: *mut c_void,
    pub(super) ops: *const FidOps,
}

#[repr(C)]
pub(super) struct FidOps {
    pub(super) size: usize,
    pub(super) close: unsafe extern "C" fn(*mut Fid) -> c_int,
    pub(super) bind: unsafe extern "C" fn(*mut Fid, *mut Fid, u64) -> c_int,
    pub(super) control: unsafe extern "C" fn(*mut Fid, c_int, *mut c_void) -> c_int,
}

#[repr(C)]
pub(super) struct Fabric {
    pub(super) fid: Fid,
    pub(super) ops: *const FabricOps,
}

#[repr(C)]
pub(super) struct FabricOps {
    pub(super) size: usize,
    pub(super) domain: unsafe extern "C" fn(*mut Fabric, *mut Info, *mut *mut Domain, *mut c_void) -> c_int,
    pub(super) passive_ep: Unused,
    pub(super) eq_open: Unused,
    pub(super) wait_open: Unused,
    pub(super) trywait: unsafe extern "C" fn(*mut Fabric, *mut *mut Fid, c_int) -> c_int,
}

#[repr(C)]
pub(super) struct Domain {
    pub(super) fid: Fid,
    pub(super) ops: *const DomainOps,
}

#[repr(C)]
pub(super) struct DomainOps {
    pub(super) size: usize,
    pub(super) av_open:
        unsafe extern "C" fn(*mut Domain, *mut AddressVectorAttr, *mut *mut AddressVector, *mut c_void) -> c_int,
    pub(super) cq_open:
        unsafe extern "C" fn(*mut Domain, *mut CompletionQueueAttr, *mut *mut CompletionQueue, *mut c_void) -> c_int,
    pub(super) endpoint: unsafe extern "C" fn(*mut Domain, *mut Info, *mut *mut Endpoint, *mut c_void) -> c_int,
}

#[repr(C)]
pub(super) struct AddressVectorAttr {
    pub(super) kind: c_int,
    pub(super) rx_ctx_bits: c_int,
    pub(super) count: usize,
    pub(super) ep_per_node: usize,
    pub(super) name: *const c_char,
    pub(super) map_addr: *mut c_void,
    pub(super) flags: u64,
}

#[repr(C)]
pub(super) struct AddressVector {
    pub(super) fid: Fid,
    pub(super) ops: *const AddressVectorOps,
}

#[repr(C)]
pub(super) struct AddressVectorOps {
    pub(super) size: usize,
    pub(super) insert:
        unsafe extern "C" fn(*mut AddressVector, *const c_void, usize, *mut u64, u64, *mut c_void) -> c_int,
}

#[repr(C)]
pub(super) struct CompletionQueueAttr {
    pub(super) size: usize,
    pub(super) flags: u64,
    pub(super) format: c_int,
    pub(super) wait_obj: c_int,
    pub(super) signaling_vector: c_int,
    pub(super) wait_cond: c_int,
    pub(super) wait_set: *mut c_void,
}

#[repr(C)]
pub(super) struct CompletionQueue {
    pub(super) fid: Fid,
    pub(super) ops: *const CompletionQueueOps,
}

#[repr(C)]
pub(super) struct CompletionQueueOps {
    pub(super) size: usize,
    pub(super) read: unsafe extern "C" fn(*mut CompletionQueue, *mut c_void, usize) -> isize,
    pub(super) readfrom: Unused,
    pub(super) readerr: unsafe extern "C" fn(*mut CompletionQueue, *mut CompletionError, u64) -> isize,
}

/// `struct fi_cq_msg_entry`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CompletionEntry {
    pub(super) op_context: *mut c_void,
    pub(super) flags: u64,
    pub(super) len: usize,
}

/// `struct fi_cq_err_entry`.
#[repr(C)]
pub(super) struct CompletionError {
    pub(super) op_context: *mut c_void,
    pub(super) flags: u64,
    pub(super) len: usize,
    pub(super) buf: *mut c_void,
    pub(super) data: u64,
    pub(super) tag: u64,
    pub(super) olen: usize,
    pub(super) err: c_int,
    pub(super) prov_errno: c_int,
    pub(super) err_data: *mut c_void,
    pub(super) err_data_size: usize,
    /// For what newer releases append.
    pub(super) room: [u64; 8],
}

#[repr(C)]
pub(super) struct Endpoint {
    pub(super) fid: Fid,
    pub(super) ops: Unused,
    pub(super) cm: *const ManagementOps,
    pub(super) msg: *const MessageOps,
}

#[repr(C)]
pub(super) struct ManagementOps {
    pub(super) size: usize,
    pub(super) setname: Unused,
    pub(super) getname: unsafe extern "C" fn(*mut Fid, *mut c_void, *mut usize) -> c_int,
}

#[repr(C)]
pub(super) struct MessageOps {
    pub(super) size: usize,
    pub(super) recv: unsafe extern "C" fn(*mut Endpoint, *mut c_void, usize, *mut c_void, u64, *mut c_void) -> isize,
    pub(super) recvv: Unused,
    pub(super) recvmsg: Unused,
    pub(super) send: unsafe extern "C" fn(*mut Endpoint, *const c_void, usize, *mut c_void, u64, *mut c_void) -> isize,
}

/// `struct fi_info`.
#[repr(C)]
pub(super) struct Info {
    pub(super) next: *mut Info,
    pub(super) caps: u64,
    pub(super) mode: u64,
    pub(super) addr_format: u32,
    pub(super) src_addrlen: usize,
    pub(super) dest_addrlen: usize,
    pub(super) src_addr: *mut c_void,
    pub(super) dest_addr: *mut c_void,
    pub(super) handle: *mut Fid,
    pub(super) tx_attr: *mut TransmitAttr,
    pub(super) rx_attr: *mut ReceiveAttr,
    pub(super) ep_attr: *mut EndpointAttr,
    pub(super) domain_attr: *mut DomainAttr,
    pub(super) fabric_attr: *mut FabricAttr,
}

#[repr(C)]
pub(super) struct TransmitAttr {
    pub(super) caps: u64,
    pub(super) mode: u64,
    pub(super) op_flags: u64,
    pub(super) msg_order: u64,
    pub(super) comp_order: u64,
    pub(super) inject_size: usize,
    pub(super) size: usize,
}

#[repr(C)]
pub(super) struct ReceiveAttr {
    pub(super) caps: u64,
    pub(super) mode: u64,
    pub(super) op_flags: u64,
    pub(super) msg_order: u64,
    pub(super) comp_order: u64,
    pub(super) total_buffered_recv: usize,
    pub(super) size: usize,
}

#[repr(C)]
pub(super) struct EndpointAttr {
    pub(super) kind: c_int,
    pub(super) protocol: u32,
    pub(super) protocol_version: u32,
    pub(super) max_msg_size: usize,
}

#[repr(C)]
pub(super) struct DomainAttr {
    pub(super) domain: *mut Domain,
    pub(super) name: *mut c_char,
    pub(super) threading: c_int,
    pub(super) control_progress: c_int,
    pub(super) data_progress: c_int,
    pub(super) resource_mgmt: c_int,
    pub(super) av_type: c_int,
    pub(super) mr_mode: c_int,
}

#[repr(C)]
pub(super) struct FabricAttr {
    pub(super) fabric: *mut Fabric,
    pub(super) name: *mut c_char,
    pub(super) prov_name: *mut c_char,
}

#[link(name = "fabric")]
unsafe extern "C" {
    pub(super) fn fi_getinfo(
        version: u32,
        node: *const c_char,
        service: *const c_char,
        flags: u64,
        hints: *const Info,
        info: *mut *mut Info,
    ) -> c_int;
    pub(super) fn fi_freeinfo(info: *mut Info);
    /// Of no info: a fresh one with all its attributes.
    pub(super) fn fi_dupinfo(info: *const Info) -> *mut Info;
    pub(super) fn fi_fabric(attr: *mut FabricAttr, fabric: *mut *mut Fabric, context: *mut c_void) -> c_int;
    pub(super) fn fi_strerror(errno: c_int) -> *const c_char;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    /// What a C compiler says with the headers of libfabric 1.17 and of 2.1 on a 64-bit machine.
    #[test]
    fn fields_lie_where_the_headers_have_them() {
        assert_eq!(offset_of!(Info, fabric_attr), 104);
        assert_eq!(offset_of!(DomainAttr, mr_mode), 36);
        assert_eq!(offset_of!(TransmitAttr, size), 48);
        assert_eq!(offset_of!(EndpointAttr, max_msg_size), 16);
        assert_eq!(offset_of!(FabricAttr, prov_name), 16);
        assert_eq!((offset_of!(Endpoint, cm), offset_of!(Endpoint, msg)), (32, 40));
        assert_eq!(offset_of!(MessageOps, send), 32);
        assert_eq!(offset_of!(CompletionQueueOps, readerr), 24);
        assert_eq!(offset_of!(AddressVectorOps, insert), 8);
        assert_eq!(offset_of!(DomainOps, endpoint), 24);
        assert_eq!((offset_of!(FabricOps, domain), offset_of!(FabricOps, trywait)), (8, 40));
        assert_eq!(offset_of!(FidOps, control), 24);
        assert_eq!(offset_of!(ManagementOps, getname), 16);
        assert_eq!(offset_of!(CompletionError, err_data_size), 72);
        assert!(size_of::<CompletionError>() >= 88);
        assert_eq!((size_of::<CompletionQueueAttr>(), size_of::<AddressVectorAttr>()), (40, 48));
    }
}
