//! The caller as the owner of what is created: principals are names, `alice@`, not numbers.

use nix::unistd::{Gid, Group, Uid, User};

/// The caller's user; empty when it has no name, which leaves the choice to the service.
pub(crate) fn own_user() -> String {
    let user = User::from_uid(Uid::effective()).ok().flatten();
    user.map_or_else(String::new, |user| format!("{}@", user.name))
}

/// The caller's group, likewise.
pub(crate) fn own_group() -> String {
    let group = Group::from_gid(Gid::effective()).ok().flatten();
    group.map_or_else(String::new, |group| format!("{}@", group.name))
}
