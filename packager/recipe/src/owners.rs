//! Owners of files: somebody must make them before rpm unpacks, or the files belong to root.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Page, instead};
use crate::evaluate::Facts;
use crate::sysusers::{self, Made};
use crate::written::Recipe;

/// Files whose user or group neither their package makes nor one of the recipe that it requires.
pub(crate) fn nobody_makes(recipe: &Recipe, page: Page<'_>, facts: &Facts) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (name, package) in &recipe.packages {
        let Some(made) = made_with(recipe, name, facts) else { continue };
        for spanned in &package.files {
            let owners = [("user", &spanned.value.user, &made.users), ("group", &spanned.value.group, &made.groups)];
            for (kind, owner, known) in owners {
                let Some(owner) = owner.as_ref().filter(|owner| *owner != "root" && !known.contains(*owner)) else {
                    continue;
                };
                let hint = instead(owner, known.iter().map(String::as_str)).unwrap_or_else(|| {
                    "add it to a `sysusers:` file of one of them, also when systems have it".to_owned()
                });
                let message = format!(
                    "neither `{name}` nor a package of this recipe that it requires makes the {kind} `{owner}`"
                );
                findings.push(page.at(spanned, message, Some(hint)));
            }
        }
    }
    findings
}

/// What a package makes, and what packages of the recipe make that it requires. Nothing is known when a file of theirs is not there.
fn made_with(recipe: &Recipe, name: &str, facts: &Facts) -> Option<Made> {
    let mut made = Made::default();
    let mut seen = BTreeSet::from([name]);
    let mut left = vec![name];
    while let Some(package) = left.pop().and_then(|name| recipe.packages.get(name)) {
        for file in package.files.iter().filter_map(|entry| entry.value.sysusers.as_ref()) {
            made.add(sysusers::made(facts.beside.get(file)?));
        }
        let required = package.requires.iter().map(|required| required.value.trim());
        left.extend(required.filter(|name| recipe.packages.contains_key(*name) && seen.insert(name)));
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = include_str!("../../cli/tests/walk/fixture/specs/demo/recipe.yaml");

    /// What is found when `demo` requires `demo-libs`, which has a file of users, and owns a folder.
    fn found(owner: &str, requires: &str) -> Vec<String> {
        found_with(&[("users.conf", "g daemons -\nu app - -\n")], owner, requires)
    }

    fn found_with(beside: &[(&str, &str)], owner: &str, requires: &str) -> Vec<String> {
        let packages = format!(
            "packages:\n  demo-libs:\n    files: [{{ sysusers: users.conf }}]\n  demo:\n    requires: [{requires}]\n    files:\n      - {{ directory: /srv, {owner} }}\n"
        );
        let text = format!("{}{packages}", RECIPE.split_once("packages:\n  demo").expect("packages").0);
        let page = Page { file: "recipe.yaml", text: &text };
        let beside = beside.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let recipe = Recipe::parse(page).expect("a good recipe");
        nobody_makes(&recipe, page, &Facts { beside, ..Facts::default() })
            .into_iter()
            .map(|finding| format!("{}; {}", finding.message, finding.hint.expect("a hint")))
            .collect()
    }

    #[test]
    fn owners_come_with_what_is_required() {
        assert_eq!(found("user: app, group: daemons", "demo-libs"), [] as [String; 0]);
        assert_eq!(found("user: root, group: root", ""), [] as [String; 0]);
        let [user, group]: [String; 2] = found("user: app, group: daemons", "").try_into().expect("two findings");
        assert!(user.contains("the user `app`") && group.contains("the group `daemons`"), "{user} {group}");
        let [group]: [String; 1] = found("user: app, group: demons", "demo-libs").try_into().expect("one finding");
        assert!(group.ends_with("the group `demons`; write `daemons`"), "{group}");
        let [user]: [String; 1] = found("user: daemons", "demo-libs").try_into().expect("one finding");
        assert!(user.contains("the user `daemons`"), "{user}");
    }

    /// That a file is not there is one finding, of somebody else.
    #[test]
    fn a_file_of_users_that_is_not_there_says_nothing_of_owners() {
        assert_eq!(found_with(&[], "user: app", "demo-libs"), [] as [String; 0]);
    }
}
