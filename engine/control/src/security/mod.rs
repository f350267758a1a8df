//! Who may call the control plane, and how calls are secured.

pub mod role;
