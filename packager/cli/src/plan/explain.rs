//! One package of a plan in sentences.

use packager_resolve::Distribution;
use packager_resolve::plan::{Left, Need, Plan, Provided, Provider, State, Step};

/// Everything about a package, a recipe or a package of the distribution; nothing when nobody knows it.
pub(super) fn explain(plan: &Plan, distribution: &Distribution, name: &str) -> Option<String> {
    if let Some((wave, step)) = plan.step(name) {
        let package = step.packages.iter().find(|package| *package == name);
        // A recipe has a package of its name, which stands for the whole.
        let only = package.filter(|package| **package != step.recipe).map(String::as_str);
        return Some(built(plan, wave, step, only));
    }
    let provided = plan.provided.iter().find(|provided| provided.package == name);
    let provided =
        provided.or_else(|| plan.provided.iter().find(|one| one.stands_in_for.iter().any(|other| other == name)));
    if let Some(provided) = provided {
        return Some(taken(plan, provided));
    }
    plan.left(name).map(|recipe| left(plan, recipe)).or_else(|| known(plan, distribution, name))
}

fn built(plan: &Plan, wave: usize, step: &Step, only: Option<&str>) -> String {
    let mut text = match only {
        Some(package) => format!("{package} {} comes from the recipe `{}`.\n", step.evr, step.recipe),
        None => format!("The recipe `{}` makes {}.\n", step.recipe, and(step.packages.iter().cloned())),
    };
    let state = match step.state {
        State::Built => "It is built",
        State::Cached => "It is in the store, built before from the same inputs:",
    };
    text.push_str(&format!(
        "{state} for {}, in wave {wave} of {}, at version {}, because {}.\n",
        plan.target,
        plan.waves.len(),
        step.evr,
        step.why
    ));
    for reason in &step.not_instead {
        text.push_str(&format!("{}.\n", sentence(plan, reason)));
    }
    if step.not_instead.is_empty() {
        text.push_str("The recipe names no package of a distribution that could stand in for it.\n");
    }
    let own = |provider: &Provider| matches!(provider, Provider::Recipe { recipe, .. } if *recipe == step.recipe);
    // Of a whole recipe it goes without saying that its packages need each other.
    let who = who_needs(plan, |other, provider| match provider {
        Provider::Recipe { package, .. } if own(provider) => match only {
            Some(only) => only == package,
            None => other.recipe != step.recipe,
        },
        _ => false,
    });
    let links = plan.steps().flat_map(|(_, other)| other.linked.iter().map(move |link| (other, link)));
    let links = links.filter(|(_, link)| link.recipe == step.recipe && only.is_none_or(|only| only == link.package));
    let linked = links.map(|(other, link)| format!("the recipe `{}` links against `{}`", other.recipe, link.package));
    paragraph(&mut text, "Who needs it", who.into_iter().chain(linked), "nothing else in the plan");
    let needs = step.needs.iter().filter(|need| match only {
        Some(only) => only == need.package,
        None => need.rich.is_some() || !own(&need.provider),
    });
    let links = step
        .linked
        .iter()
        .map(|link| format!("to build, it links against `{}` of the recipe `{}`", link.package, link.recipe));
    paragraph(
        &mut text,
        "What it needs",
        needs.map(|need| answered(plan, step, need)).chain(links),
        "nothing but what its binaries show",
    );
    unseen(&step.unseen, &mut text);
    if let Some(source) = &step.source {
        text.push_str(&format!("Its sources: {source}.\n"));
    }
    let options = step
        .options
        .iter()
        .map(|option| format!("{} is {}: {}", option.name, if option.on { "on" } else { "off" }, option.why));
    if !step.options.is_empty() {
        paragraph(&mut text, "Options of the recipe", options, "");
    }
    text
}

fn taken(plan: &Plan, provided: &Provided) -> String {
    let mut text = format!("{} is provided by {}; nothing is built for it.\n", provided.described, plan.distribution);
    text.push_str(&format!("It is taken because {}.\n", provided.why));
    for recipe in &provided.stands_in_for {
        text.push_str(&format!(
            "So the recipe `{recipe}` is not built; naming one of its packages builds it all the same.\n"
        ));
    }
    let who = who_needs(plan, |_, provider| match provider {
        Provider::Distribution { package, .. } => *package == provided.package,
        Provider::Recipe { .. } => false,
    });
    paragraph(&mut text, "Who needs it", who.into_iter(), "nothing else in the plan");
    text.push_str(&format!("This is known from: {}.\n", provided.known_from));
    text
}

fn left(plan: &Plan, left: &Left) -> String {
    let mut text = format!("The recipe `{}` makes {}.\n", left.recipe, and(left.packages.iter().cloned()));
    text.push_str(&format!("It is not built for {}: {}. Naming it builds {}.\n", plan.target, left.why, left.evr));
    for reason in &left.instead {
        text.push_str(&format!("{}.\n", sentence(plan, reason)));
    }
    unseen(&left.unseen, &mut text);
    if let Some(source) = &left.source {
        text.push_str(&format!("Its sources: {source}.\n"));
    }
    text
}

fn unseen(names: &[String], text: &mut String) {
    if !names.is_empty() {
        text.push_str(&format!("It needs {} of the distribution: {}.\n", names.join(", "), super::UNSEEN));
    }
}

/// What the distribution has, or is known not to have, and nothing of the plan takes.
fn known(plan: &Plan, distribution: &Distribution, name: &str) -> Option<String> {
    let Some(offered) = distribution.package(name) else {
        let from = distribution.absent(name)?;
        let title = &plan.distribution;
        return Some(format!("{title} has no `{name}`, and no recipe makes one. This is known from: {from}.\n"));
    };
    let described = offered.described();
    let mut text = format!("{described} is a package of {}; nothing in the plan takes it.\n", plan.distribution);
    let steps = plan.steps().map(|(_, step)| (&step.recipe, &step.not_instead));
    let all = steps.chain(plan.left.iter().map(|left| (&left.recipe, &left.instead)));
    let reasons = all.flat_map(|(recipe, reasons)| reasons.iter().map(move |reason| (recipe, reason)));
    for (recipe, reason) in reasons.filter(|(_, reason)| reason.contains(&described)) {
        text.push_str(&format!("The recipe `{recipe}` names it: {reason}.\n"));
    }
    text.push_str(&format!("This is known from: {}.\n", offered.from));
    Some(text)
}

/// Packages whose needs are answered by such a provider.
fn who_needs(plan: &Plan, test: impl Fn(&Step, &Provider) -> bool) -> Vec<String> {
    let needs = plan.steps().flat_map(|(_, step)| step.needs.iter().map(move |need| (step, need)));
    let needs = needs.filter(|(step, need)| test(step, &need.provider));
    let mut lines: Vec<String> =
        needs.map(|(_, need)| format!("{} requires `{}`", need.package, need.requirement)).collect();
    lines.dedup();
    lines
}

fn answered(plan: &Plan, step: &Step, need: &Need) -> String {
    let mut text = format!("{} requires `{}`", need.package, need.requirement);
    if let Some(rich) = &need.rich {
        text.push_str(&format!(" (part of `{rich}`)"));
    }
    text.push_str(", which is ");
    text.push_str(&match &need.provider {
        Provider::Recipe { recipe, package } if *recipe == step.recipe => format!("{package} of the same recipe"),
        Provider::Recipe { recipe, package } => format!("{package} of the recipe `{recipe}`"),
        Provider::Distribution { package, capability } => {
            let provided = plan.provided.iter().find(|provided| provided.package == *package);
            let described = provided.map_or(package, |provided| &provided.described);
            let how = if *capability == need.requirement { String::new() } else { format!(", as `{capability}`") };
            format!("{described} of {}{how}", plan.distribution)
        }
    });
    if let Some(choice) = &need.choice {
        text.push_str(&format!("; not {}, because {}", choice.instead_of.join(", "), choice.why));
    }
    text
}

fn paragraph(text: &mut String, title: &str, lines: impl Iterator<Item = String>, none: &str) {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        text.push_str(&format!("{title}: {none}.\n"));
        return;
    }
    text.push_str(&format!("{title}:\n"));
    for line in lines {
        text.push_str(&format!("  - {line}.\n"));
    }
}

/// A distribution's name keeps its letters.
fn sentence(plan: &Plan, text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) if !text.starts_with(&plan.distribution) => first.to_uppercase().chain(rest).collect(),
        _ => text.to_owned(),
    }
}

fn and(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
        None => "nothing".to_owned(),
    }
}
