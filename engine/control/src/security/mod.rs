//! Who may call the control plane, and how calls are secured.

pub(crate) mod authorise;
pub mod role;
