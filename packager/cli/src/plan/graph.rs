//! The plan as nodes and edges, for pictures: recipes in the columns of their waves, the distribution's packages before them.

use std::collections::BTreeMap;

use packager_resolve::plan::{Plan, Provider, State};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Built,
    Cached,
    Provided,
}

impl Kind {
    /// Its word in pictures.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Built => "built",
            Kind::Cached => "cached",
            Kind::Provided => "provided",
        }
    }
}

/// A recipe or a package of the distribution.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// 0 for the distribution, then the wave.
    pub(super) column: usize,
    pub(super) name: String,
    /// Version, and repository for the distribution's.
    pub(super) detail: String,
    /// Why, in full.
    pub(super) why: String,
}

/// From who provides to who needs; both are places in [`Graph::nodes`].
#[derive(Debug, Clone, Default)]
pub(super) struct Edge {
    pub(super) links: bool,
    /// The requirements and libraries.
    pub(super) what: Vec<String>,
}

/// See the header.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: BTreeMap<(usize, usize), Edge>,
}

impl Graph {
    pub(super) fn new(plan: &Plan) -> Graph {
        let provided = plan.provided.iter().map(|provided| Node {
            kind: Kind::Provided,
            column: 0,
            name: provided.package.clone(),
            detail: [&provided.evr, &provided.repository].into_iter().flatten().cloned().collect::<Vec<_>>().join(", "),
            why: provided.why.clone(),
        });
        let steps = plan.steps().map(|(wave, step)| Node {
            kind: if step.state == State::Cached { Kind::Cached } else { Kind::Built },
            column: wave,
            name: step.recipe.clone(),
            detail: step.evr.clone(),
            why: [&step.why].into_iter().chain(&step.not_instead).cloned().collect::<Vec<_>>().join("; "),
        });
        let nodes: Vec<Node> = provided.chain(steps).collect();
        let place = |provided: bool, name: &str| {
            nodes.iter().position(|node| (node.kind == Kind::Provided) == provided && node.name == name)
        };
        let mut edges: BTreeMap<(usize, usize), Edge> = BTreeMap::new();
        for (_, step) in plan.steps() {
            let Some(to) = place(false, &step.recipe) else { continue };
            for need in &step.needs {
                let from = match &need.provider {
                    Provider::Recipe { recipe, .. } => place(false, recipe),
                    Provider::Distribution { package, .. } => place(true, package),
                };
                if let Some(from) = from.filter(|from| *from != to) {
                    let edge = edges.entry((from, to)).or_default();
                    if !edge.what.contains(&need.requirement) {
                        edge.what.push(need.requirement.clone());
                    }
                }
            }
            for link in &step.linked {
                if let Some(from) = place(false, &link.recipe) {
                    let edge = edges.entry((from, to)).or_default();
                    edge.links = true;
                    edge.what.push(link.package.clone());
                }
            }
        }
        Graph { nodes, edges }
    }
}
