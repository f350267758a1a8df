//! `sysusers.d` files, and the shell lines that do the same where rpm and systemd do not.
//!
//! Only rpm 4.19 and later make users from a packaged sysusers.d file before it unpacks the package; for all older
//! ones `%pre` must. Both come from the one file, so they cannot differ. Format: sysusers.d(5).

use std::collections::BTreeSet;

use crate::values::made_of;

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

    /// Takes what a line makes.
    fn by(&mut self, line: &Line) {
        match line {
            Line::Group { name, .. } => drop(self.groups.insert(name.clone())),
            Line::User { name, group, .. } => {
                self.users.insert(name.clone());
                self.groups.insert(group.clone());
            }
            Line::Member { .. } => {}
        }
    }
}

/// A line that `%pre` can do.
enum Line {
    Group {
        name: String,
        gid: Option<String>,
    },
    User {
        name: String,
        uid: Option<String>,
        group: String,
        gid: Option<String>,
        comment: Option<String>,
        home: Option<String>,
        shell: Option<String>,
    },
    Member {
        user: String,
        group: String,
    },
}

impl Line {
    /// Nothing when `%pre` cannot do what it says.
    fn read(line: &str) -> Option<Line> {
        let fields = split(line)?;
        let field = |index: usize| fields.get(index).map(String::as_str).filter(|field| !["-", ""].contains(field));
        let name = named(field(1)?)?;
        match field(0)? {
            "g" => Some(Line::Group { name, gid: checked(field(2), is_number)? }),
            "u" => {
                // `uid`, `uid:gid`, `uid:group`; not a path, which only systemd can read an owner from.
                let ids = field(2).map(|ids| ids.split_once(':').unwrap_or((ids, ids)));
                let given = |id: &'_ str| (id != "-").then(|| id.to_owned());
                let (uid, group) = ids.map_or((None, None), |(uid, group)| (given(uid), given(group)));
                // A user has a group of its name unless the line says another.
                let (group, gid) = match group {
                    Some(group) if !is_number(&group) => (named(&group)?, None),
                    gid => (name.clone(), gid),
                };
                let uid = checked(uid.as_deref(), is_number)?;
                let [home, shell] = [checked(field(4), is_path)?, checked(field(5), is_path)?];
                Some(Line::User { name, uid, group, gid, comment: checked(field(3), is_comment)?, home, shell })
            }
            "m" => Some(Line::Member { group: named(field(2)?)?, user: name }),
            _ => None,
        }
    }
}

fn named(text: &str) -> Option<String> {
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    (begins && made_of(text, "._-")).then(|| text.to_owned())
}

/// A field that is absent or right.
fn checked(field: Option<&str>, right: impl Fn(&str) -> bool) -> Option<Option<String>> {
    match field {
        Some(text) if !right(text) => None,
        other => Some(other.map(str::to_owned)),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && made_of(text, "/._+-@")
}

/// What neither a shell nor rpm reads as anything but itself between double quotes.
fn is_comment(text: &str) -> bool {
    !text.contains(|letter: char| letter.is_control() || "\"$`\\%!:".contains(letter))
}

/// Who is there once the lines were applied.
pub(crate) fn made(text: &str) -> Made {
    let mut made = Made::default();
    for line in entries(text).filter_map(Line::read) {
        made.by(&line);
    }
    made
}

/// Shell lines for `%pre`, or the first line that it cannot do: one of another kind, or a member or group of `m` that no line before it makes.
pub fn pre_install(text: &str) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let mut there = Made::default();
    let id = |flag: &str, id: Option<String>| id.map(|id| format!("-{flag} {id} ")).unwrap_or_default();
    let add_group = |group: &str, gid: Option<String>| {
        format!("getent group {group} >/dev/null || groupadd -r {}{group} || :", id("g", gid))
    };
    for text in entries(text) {
        let line = Line::read(text).ok_or_else(|| text.to_owned())?;
        there.by(&line);
        match line {
            Line::Group { name, gid } => lines.push(add_group(&name, gid)),
            Line::User { name, uid, group, gid, comment, home, shell } => {
                let comment = comment.unwrap_or_default();
                let home = home.unwrap_or_else(|| "/".to_owned());
                let shell = shell.unwrap_or_else(|| "/sbin/nologin".to_owned());
                lines.push(add_group(&group, gid));
                lines.push(format!(
                    "getent passwd {name} >/dev/null || useradd -r {}-g {group} -d {home} -s {shell} -c \"{comment}\" {name} || :",
                    id("u", uid)
                ));
            }
            Line::Member { user, group } if there.users.contains(&user) && there.groups.contains(&group) => {
                lines.push(format!("usermod -a -G {group} {user} || :"));
            }
            Line::Member { .. } => return Err(text.to_owned()),
        }
    }
    Ok(lines)
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Splits at blanks, with single and double quotes; nothing when one is not closed.
fn split(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut field: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                field.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => fields.extend(field.take()),
            _ => field.get_or_insert_default().push(letter),
        }
    }
    fields.extend(field);
    quote.is_none().then_some(fields)
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
        let there = made("# g no\ng daemons -\nu app -\nu other 951:daemons \"Other\" /\nu third 7:8\nm app other\n");
        assert_eq!(there.users.iter().collect::<Vec<_>>(), ["app", "other", "third"]);
        assert_eq!(there.groups.iter().collect::<Vec<_>>(), ["app", "daemons", "third"]);
    }

    #[test]
    fn an_empty_field_keeps_its_place() {
        let lines = pre_install("u app - \"\" /var/lib/app\nu other - 'Other one'\n").expect("understood");
        assert!(lines[1].contains("-d /var/lib/app -s /sbin/nologin -c \"\" app"), "{}", lines[1]);
        assert!(lines[3].contains("-d / -s /sbin/nologin -c \"Other one\" other"), "{}", lines[3]);
    }

    #[test]
    fn a_line_that_would_make_nothing_or_something_else_is_named() {
        for line in [
            "r - 500-900",
            "g daemons /etc/passwd",
            "g dae$mons -",
            "u app /usr/bin/app",
            "u app daemons",
            "u app 951:",
            "u app :",
            "u app - \"$(id)\"",
            "u app - \"100 %x\"",
            "u app - - home",
            "u app - \"open",
            "m app daemons",
        ] {
            assert_eq!(pre_install(line), Err(line.to_owned()));
        }
        assert_eq!(made("u app daemons\n").users.len(), 0);
    }
}
