//! `sysusers.d` files, and the shell lines that do the same where rpm and systemd do not.
//!
//! Only rpm 4.19 and later make users from a packaged sysusers.d file before it unpacks the package; for all older
//! ones `%pre` must. Both come from the one file, so they cannot differ. Format: sysusers.d(5).

use std::collections::BTreeSet;

/// The users and groups that files of sysusers.d name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) users: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
}

impl Made {
    /// Takes what another file names.
    pub(crate) fn add(&mut self, mut other: Made) {
        self.users.append(&mut other.users);
        self.groups.append(&mut other.groups);
    }
}

/// Who is there once the lines were applied. A user has a group of its name unless the line says another.
pub(crate) fn made(text: &str) -> Made {
    let mut made = Made::default();
    for fields in entries(text).map(split) {
        match fields.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["g", group, ..] => drop(made.groups.insert((*group).to_owned())),
            ["u", user, rest @ ..] => {
                let named = rest.first().and_then(|id| id.split_once(':')).map(|(_, group)| group);
                let group = named.filter(|group| *group != "-" && !is_number(group)).unwrap_or(user);
                made.groups.insert(group.to_owned());
                made.users.insert((*user).to_owned());
            }
            _ => {}
        }
    }
    made
}

/// Shell lines for `%pre`, or the first line that is not understood.
pub fn pre_install(text: &str) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for line in entries(text) {
        let fields = split(line);
        let field = |index: usize| fields.get(index).map(String::as_str).filter(|field| *field != "-");
        match (field(0), field(1)) {
            (Some("g"), Some(group)) => {
                let id = field(2).map(|id| format!("-g {id} ")).unwrap_or_default();
                lines.push(format!("getent group {group} >/dev/null || groupadd -r {id}{group} || :"));
            }
            (Some("u"), Some(user)) => {
                // `uid`, `uid:gid`, `uid:group`, or a path that only systemd can read an owner from.
                let (uid, group) = match field(2) {
                    Some(id) if id.starts_with('/') => return Err(line.to_owned()),
                    Some(id) => {
                        id.split_once(':').map_or((Some(id), Some(id)), |(uid, group)| (Some(uid), Some(group)))
                    }
                    None => (None, None),
                };
                let uid = uid.filter(|uid| *uid != "-").map(|uid| format!("-u {uid} ")).unwrap_or_default();
                let (group, gid) = match group.filter(|group| *group != "-") {
                    Some(name) if !is_number(name) => (name, String::new()),
                    Some(gid) => (user, format!("-g {gid} ")),
                    None => (user, String::new()),
                };
                let comment = field(3).unwrap_or("");
                let home = field(4).unwrap_or("/");
                let shell = field(5).unwrap_or("/sbin/nologin");
                lines.push(format!("getent group {group} >/dev/null || groupadd -r {gid}{group} || :"));
                lines.push(format!(
                    "getent passwd {user} >/dev/null || useradd -r {uid}-g {group} -d {home} -s {shell} -c \"{comment}\" {user} || :"
                ));
            }
            (Some("m"), Some(user)) => {
                let group = field(2).ok_or_else(|| line.to_owned())?;
                lines.push(format!("usermod -a -G {group} {user} || :"));
            }
            _ => return Err(line.to_owned()),
        }
    }
    Ok(lines)
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits at blanks, with double quotes.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            blank if blank.is_whitespace() && !quoted => {
                if fields.last().is_some_and(|last| !last.is_empty()) {
                    fields.push(String::new());
                }
            }
            other => {
                if let Some(last) = fields.last_mut() {
                    last.push(other);
                }
            }
        }
    }
    fields.retain(|field| !field.is_empty());
    fields
}

#[cfg(test)]
mod tests {
    use super::{made, pre_install};

    #[test]
    fn groups_before_users_before_memberships() {
        let lines = pre_install(
            "# comment\ng daos_daemons -\nu daos_server - \"DAOS server\" /var/lib/daos\nm daos_server daos_daemons\n",
        );
        let lines = lines.expect("understood");
        assert_eq!(lines.len(), 4);
        assert!(lines[0].contains("groupadd -r daos_daemons"));
        assert!(lines[2].contains("-d /var/lib/daos -s /sbin/nologin -c \"DAOS server\" daos_server"));
        assert!(lines[3].starts_with("usermod -a -G daos_daemons daos_server"));
    }

    #[test]
    fn numbers_that_are_given_are_kept() {
        let lines = pre_install("u daos_server 951:952 - - -\n").expect("understood");
        assert!(lines[0].ends_with("groupadd -r -g 952 daos_server || :"), "{}", lines[0]);
        assert!(lines[1].contains("useradd -r -u 951 -g daos_server"), "{}", lines[1]);
        let lines = pre_install("u daos_server 951:daos_daemons - - -\n").expect("understood");
        assert!(lines[1].contains("useradd -r -u 951 -g daos_daemons"), "{}", lines[1]);
    }

    #[test]
    fn who_is_there_afterwards() {
        let there = made("# g no\ng daemons -\nu app -\nu other 951:daemons \"Other\" /\nu third 7:8\nm app extra\n");
        assert_eq!(there.users.iter().collect::<Vec<_>>(), ["app", "other", "third"]);
        assert_eq!(there.groups.iter().collect::<Vec<_>>(), ["app", "daemons", "third"]);
    }

    #[test]
    fn a_line_of_another_kind_is_named() {
        assert_eq!(pre_install("r - 500-900"), Err("r - 500-900".to_owned()));
    }
}
