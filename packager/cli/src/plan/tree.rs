//! The plan as a tree in text.

use std::collections::BTreeMap;

use packager_resolve::plan::{Left, Plan, Provided, Provider, State, Step};

use super::count;

struct Node {
    text: String,
    below: Vec<Node>,
}

impl Node {
    fn leaf(text: String) -> Node {
        Node { text, below: Vec::new() }
    }
}

/// The text; `unknown` says why nobody knows what was built before.
pub(super) fn tree(plan: &Plan, unknown: Option<&str>) -> String {
    let steps = plan.steps().count();
    let cached = plan.steps().filter(|(_, step)| step.state == State::Cached).count();
    let mut text = format!(
        "{}: {} in {}, {} of them in the store; {} of {}\n",
        plan.target,
        count(steps, "recipe"),
        count(plan.waves.len(), "wave"),
        cached,
        count(plan.provided.len(), "package"),
        plan.distribution
    );
    if let Some(unknown) = unknown {
        text.push_str(&format!("{unknown}\n"));
    }
    let mut all: Vec<Node> = (1..)
        .zip(&plan.waves)
        .map(|(number, wave)| Node { text: format!("wave {number}"), below: wave.iter().map(step).collect() })
        .collect();
    if !plan.provided.is_empty() {
        all.push(Node { text: format!("provided by {}", plan.distribution), below: provided(plan) });
    }
    if !plan.left.is_empty() {
        all.push(Node { text: "not built".to_owned(), below: plan.left.iter().map(left).collect() });
    }
    print(&all, "", &mut text);
    text
}

fn step(step: &Step) -> Node {
    let mut below = vec![Node::leaf(format!("because {}", step.why))];
    below.extend(step.not_instead.iter().map(|reason| Node::leaf(reason.clone())));
    below.push(Node::leaf(format!("makes {}", step.packages.join(", "))));
    below.extend(
        step.linked.iter().map(|link| Node::leaf(format!("links against {} of `{}`", link.package, link.recipe))),
    );
    let mut needs: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for need in &step.needs {
        let from = match &need.provider {
            // Its own packages belong together.
            Provider::Recipe { recipe, .. } if *recipe == step.recipe => continue,
            Provider::Recipe { recipe, package } => format!("{package} of `{recipe}`"),
            Provider::Distribution { package, .. } => format!("{package} of the distribution"),
        };
        let packages = needs.entry((need.requirement.clone(), from)).or_default();
        if !packages.contains(&need.package.as_str()) {
            packages.push(&need.package);
        }
    }
    for ((requirement, from), packages) in needs {
        below.push(Node::leaf(format!("needs {requirement} from {from}, for {}", packages.join(", "))));
    }
    if !step.unseen.is_empty() {
        below.push(Node::leaf(format!("needs {} of the distribution: {}", step.unseen.join(", "), super::UNSEEN)));
    }
    below.extend(step.source.iter().map(|source| Node::leaf(format!("sources: {source}"))));
    for option in &step.options {
        below.push(Node::leaf(format!("{} {}: {}", option.name, if option.on { "on" } else { "off" }, option.why)));
    }
    Node { text: format!("{} {}: {}", step.recipe, step.evr, step.state), below }
}

fn provided(plan: &Plan) -> Vec<Node> {
    let line = |provided: &Provided| {
        let instead = match provided.stands_in_for.as_slice() {
            [] => String::new(),
            recipes => format!(", instead of the recipe `{}`", recipes.join("`, `")),
        };
        Node::leaf(format!("{}{instead}: {}", provided.described, provided.why))
    };
    plan.provided.iter().map(line).collect()
}

fn left(left: &Left) -> Node {
    let below = [&left.why].into_iter().chain(&left.instead).cloned().map(Node::leaf).collect();
    Node { text: format!("{} {}", left.recipe, left.evr), below }
}

fn print(nodes: &[Node], before: &str, text: &mut String) {
    for (at, node) in nodes.iter().enumerate() {
        let last = at + 1 == nodes.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        text.push_str(&format!("{before}{branch}{}\n", node.text));
        print(&node.below, &format!("{before}{below}"), text);
    }
}
