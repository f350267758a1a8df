//! `comps.xml`: groups of packages. No `DOCTYPE`: a parser that validates would go and look for it.

use super::xml::{DECLARATION, attribute, close, content, element, open};
use crate::comps::{Comps, Environment, Group, Member, When};

/// The whole text.
#[must_use]
pub fn comps(comps: &Comps) -> String {
    let Comps { groups, environments } = comps;
    let mut to = format!("{DECLARATION}<comps>\n");
    for group in groups {
        write_group(group, &mut to);
    }
    for environment in environments {
        write_environment(environment, &mut to);
    }
    close(&mut to, "", "comps");
    to
}

fn write_group(group: &Group, to: &mut String) {
    let Group { id, name, description, default, uservisible, members } = group;
    to.push_str("  <group>\n");
    head(to, id, name, description);
    element(to, "    ", "default", word(*default));
    element(to, "    ", "uservisible", word(*uservisible));
    to.push_str("    <packagelist>\n");
    for Member { name, when } in members {
        open(to, "      ", "packagereq");
        attribute(to, "type", when.name());
        if let When::Conditional(requires) = when {
            attribute(to, "requires", requires);
        }
        to.push('>');
        content(to, name);
        close(to, "", "packagereq");
    }
    close(to, "    ", "packagelist");
    close(to, "  ", "group");
}

fn write_environment(environment: &Environment, to: &mut String) {
    let Environment { id, name, description, groups, options } = environment;
    to.push_str("  <environment>\n");
    head(to, id, name, description);
    for (list, ids) in [("grouplist", groups), ("optionlist", options)] {
        to.push_str("    <");
        to.push_str(list);
        to.push_str(">\n");
        for id in ids {
            element(to, "      ", "groupid", id);
        }
        close(to, "    ", list);
    }
    close(to, "  ", "environment");
}

fn head(to: &mut String, id: &str, name: &str, description: &str) {
    element(to, "    ", "id", id);
    element(to, "    ", "name", name);
    element(to, "    ", "description", description);
}

fn word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
