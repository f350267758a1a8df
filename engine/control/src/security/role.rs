//! Who may call what: the role of a caller (common name of its certificate) and the roles of each method.
//!
//! The table follows DAOS's grpc_authorization.go and is shown in engine/docs/control-plane.md. A method that is not in
//! the table is refused for everyone.

use std::fmt;

/// The role of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `dmg`.
    Admin,
    /// `daos_agent`.
    Agent,
    /// Another `daos_server`.
    Server,
}

impl Role {
    /// The common name in its certificate.
    pub const fn common_name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Agent => "agent",
            Role::Server => "server",
        }
    }

    /// The role with this common name.
    pub fn from_common_name(name: &str) -> Option<Role> {
        [Role::Admin, Role::Agent, Role::Server].into_iter().find(|role| role.common_name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.common_name())
    }
}

/// gRPC paths and the roles that may call them.
const METHODS: &[(&str, &[Role])] = &[
    ("/mgmt.MgmtSvc/Join", &[Role::Server]),
    ("/mgmt.MgmtSvc/SystemQuery", &[Role::Admin]),
    ("/mgmt.MgmtSvc/SystemStop", &[Role::Admin]),
    ("/mgmt.MgmtSvc/SystemStart", &[Role::Admin]),
    ("/mgmt.MgmtSvc/LeaderQuery", &[Role::Admin]),
    ("/mgmt.MgmtSvc/GetAttachInfo", &[Role::Agent, Role::Admin]),
    ("/mgmt.MgmtSvc/PoolCreate", &[Role::Admin]),
    ("/mgmt.MgmtSvc/PoolDestroy", &[Role::Admin]),
    ("/mgmt.MgmtSvc/PoolQuery", &[Role::Admin]),
    ("/mgmt.MgmtSvc/PoolGetProp", &[Role::Admin]),
    ("/mgmt.MgmtSvc/PoolSetProp", &[Role::Admin]),
    ("/mgmt.MgmtSvc/ListPools", &[Role::Admin, Role::Agent]),
    ("/ctl.CtlSvc/StorageScan", &[Role::Admin]),
    ("/ctl.CtlSvc/StorageFormat", &[Role::Admin]),
    ("/ctl.CtlSvc/StorageUsage", &[Role::Admin, Role::Server]),
    ("/ctl.CtlSvc/PingRanks", &[Role::Server]),
    ("/ctl.CtlSvc/StartRanks", &[Role::Server]),
    ("/ctl.CtlSvc/StopRanks", &[Role::Server]),
];

/// The roles that may call the method at `path`; none for an unknown method.
pub fn allowed(path: &str) -> &'static [Role] {
    METHODS.iter().find(|(method, _)| *method == path).map_or(&[], |(_, roles)| roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Methods of a proto file with the roles named in the comment behind each.
    fn documented(text: &str) -> Vec<(String, Vec<String>)> {
        let package =
            text.lines().find_map(|line| line.strip_prefix("package ")).expect("package").trim_end_matches(';');
        let service = text.lines().find_map(|line| line.strip_prefix("service ")).expect("service");
        let service = service.trim_end_matches(" {");
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("rpc "))
            .map(|line| {
                let method = line.split('(').next().expect("method");
                let roles = line.split("//").nth(1).expect("roles are named").split(',');
                (format!("/{package}.{service}/{method}"), roles.map(|role| role.trim().to_owned()).collect())
            })
            .collect()
    }

    #[test]
    fn the_table_is_exactly_what_the_protocol_files_say() {
        let mut expected = documented(include_str!("../../../wire/proto/mgmt.proto"));
        expected.extend(documented(include_str!("../../../wire/proto/ctl.proto")));
        let table: Vec<(String, Vec<String>)> = METHODS
            .iter()
            .map(|(path, roles)| ((*path).to_owned(), roles.iter().map(ToString::to_string).collect()))
            .collect();
        assert_eq!(table, expected);
    }

    #[test]
    fn unknown_methods_and_names_have_no_rights() {
        assert_eq!(allowed("/mgmt.MgmtSvc/Erase"), []);
        assert_eq!(allowed(""), []);
        assert_eq!(Role::from_common_name("Admin"), None);
        assert_eq!(Role::from_common_name("admin"), Some(Role::Admin));
    }
}
