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

/// A line that `%pre` can do.
enum Line {
    Group { name: String, gid: Option<String> },
    User { name: String, uid: Option<String>, group: String, gid: Option<String>, rest: [Option<String>; 3] },
    Member { user: String, group: String },
}

impl Line {
    fn read(line: &str) -> Option<Line> {
        let fields = split(line);
        let field = |index: usize| fields.get(index).filter(|field| *field != "-").cloned();
        let name = field(1)?;
        match field(0)?.as_str() {
            "g" => Some(Line::Group { name, gid: field(2) }),
            "u" => {
                // `uid`, `uid:gid`, `uid:group`, or a path that only systemd can read an owner from.
                let ids = field(2);
                if ids.as_ref().is_some_and(|ids| ids.starts_with('/')) {
                    return None;
                }
                let (uid, group) = match &ids {
                    Some(ids) => ids.split_once(':').unwrap_or((ids, ids)),
                    None => ("-", "-"),
                };
                let given = |id: &str| (id != "-").then(|| id.to_owned());
                // A user has a group of its name unless the line says another.
                let (group, gid) = match given(group) {
                    Some(group) if !is_number(&group) => (group, None),
                    gid => (name.clone(), gid),
                };
                Some(Line::User { uid: given(uid), group, gid, rest: [field(3), field(4), field(5)], name })
            }
            "m" => Some(Line::Member { group: field(2)?, user: name }),
            _ => None,
        }
    }
}

/// Who is there once the lines were applied.
pub(crate) fn made(text: &str) -> Made {
    let mut made = Made::default();
    for line in entries(text).filter_map(Line::read) {
        match line {
            Line::Group { name, .. } => drop(made.groups.insert(name)),
            Line::User { name, group, .. } => {
                made.users.insert(name);
                made.groups.insert(group);
            }
            Line::Member { .. } => {}
        }
    }
    made
}

/// Shell lines for `%pre`, or the first line that is not understood.
pub fn pre_install(text: &str) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let id = |flag: &str, id: Option<String>| id.map(|id| format!("-{flag} {id} ")).unwrap_or_default();
    let add_group = |group: &str, gid: Option<String>| {
        format!("getent group {group} >/dev/null || groupadd -r {}{group} || :", id("g", gid))
    };
    for line in entries(text) {
        match Line::read(line).ok_or_else(|| line.to_owned())? {
            Line::Group { name, gid } => lines.push(add_group(&name, gid)),
            Line::User { name, uid, group, gid, rest: [comment, home, shell] } => {
                let comment = comment.unwrap_or_default();
                let home = home.unwrap_or_else(|| "/".to_owned());
                let shell = shell.unwrap_or_else(|| "/sbin/nologin".to_owned());
                lines.push(add_group(&group, gid));
                lines.push(format!(
                    "getent passwd {name} >/dev/null || useradd -r {}-g {group} -d {home} -s {shell} -c \"{comment}\" {name} || :",
                    id("u", uid)
                ));
            }
            Line::Member { user, group } => lines.push(format!("usermod -a -G {group} {user} || :")),
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
