//! The groups of a repository: what a project says of its packages, as far as the repository has them.

use std::collections::BTreeSet;

use packager_recipe::Groups;
use packager_recipe::groups;
use packager_repodata::comps::{Comps, Environment, Group, Member, When};

/// Groups of the packages that a repository has, by their names. Groups without packages are left out, also of their environments, and
/// environments without groups.
#[must_use]
pub fn comps(groups: &Groups, packages: &BTreeSet<&str>) -> Comps {
    let groups::Groups { groups, environments } = groups;
    let groups: Vec<Group> = groups.iter().filter_map(|group| of_group(group, packages)).collect();
    let known: BTreeSet<&str> = groups.iter().map(|group| group.id.as_str()).collect();
    let environments = environments.iter().filter_map(|environment| of_environment(environment, &known)).collect();
    Comps { groups, environments }
}

fn of_group(group: &groups::Group, packages: &BTreeSet<&str>) -> Option<Group> {
    let groups::Group { id, name, description, default, uservisible, packages: members } = group;
    let groups::Members { mandatory, default: by_default, optional, conditional } = &members.value;
    let lists = [(mandatory, When::Mandatory), (by_default, When::Default), (optional, When::Optional)];
    let plain = lists.into_iter().flat_map(|(names, when)| names.iter().map(move |name| (&name.value, when.clone())));
    let conditional = conditional.iter().map(|(name, requires)| (name, When::Conditional(requires.value.clone())));
    let there = plain.chain(conditional).filter(|(name, _)| packages.contains(name.as_str()));
    let members: Vec<Member> = there.map(|(name, when)| Member { name: name.clone(), when }).collect();
    (!members.is_empty()).then(|| Group {
        id: id.value.clone(),
        name: name.value.trim().to_owned(),
        description: description.trim().to_owned(),
        default: *default,
        uservisible: *uservisible,
        members,
    })
}

fn of_environment(environment: &groups::Environment, known: &BTreeSet<&str>) -> Option<Environment> {
    let groups::Environment { id, name, description, groups, options } = environment;
    let there = |id: &String| known.contains(id.as_str()).then(|| id.clone());
    let groups: Vec<String> = groups.value.iter().filter_map(|id| there(&id.value)).collect();
    let options = options.iter().filter_map(|id| there(&id.value)).collect();
    (!groups.is_empty()).then(|| Environment {
        id: id.value.clone(),
        name: name.value.trim().to_owned(),
        description: description.trim().to_owned(),
        groups,
        options,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use packager_recipe::Groups;
    use packager_recipe::diagnostic::Page;

    use super::comps;

    const TEXT: &str = "groups:\n  - id: server\n    name: Server\n    description: d\n    packages: { mandatory: [a], optional: [b], conditional: { c: x } }\n  \
        - id: client\n    name: Client\n    description: d\n    packages: { default: [b] }\n\
        environments:\n  - id: host\n    name: Host\n    description: d\n    groups: [server]\n    options: [client]\n";

    /// Groups with their packages, and environments with their groups.
    fn shown(packages: &[&str]) -> String {
        let groups =
            Groups::parse(Page { file: "groups.yaml", text: TEXT }, &BTreeSet::from(["a", "b", "c"])).expect("good");
        let comps = comps(&groups, &packages.iter().copied().collect());
        let group = comps.groups.iter().map(|group| {
            let members: Vec<_> =
                group.members.iter().map(|member| format!("{} {}", member.when.name(), member.name)).collect();
            format!("{}: {}; ", group.id, members.join(", "))
        });
        let environment =
            comps.environments.iter().map(|one| format!("{}: {:?} {:?}", one.id, one.groups, one.options));
        group.chain(environment).collect()
    }

    #[test]
    fn what_the_repository_does_not_have_is_left_out() {
        assert_eq!(
            shown(&["a", "b", "c", "more"]),
            "server: mandatory a, optional b, conditional c; client: default b; host: [\"server\"] [\"client\"]"
        );
        assert_eq!(shown(&["a"]), "server: mandatory a; host: [\"server\"] []");
        assert_eq!(shown(&["b"]), "server: optional b; client: default b; host: [\"server\"] [\"client\"]");
        assert_eq!(shown(&["more"]), "");
    }
}
