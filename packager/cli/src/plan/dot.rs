//! The plan for Graphviz.

use packager_resolve::plan::Plan;

use super::graph::{Graph, Kind};

/// A `digraph` whose ranks are the waves.
pub(super) fn dot(plan: &Plan) -> String {
    let graph = Graph::new(plan);
    let mut text = format!(
        "digraph plan {{\n  label={};\n  labelloc=t;\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=9];\n",
        quoted(&format!("{}, plan", plan.target))
    );
    let columns = graph.nodes.iter().map(|node| node.column).max().unwrap_or(0);
    for column in 0..=columns {
        let here: Vec<(usize, _)> = graph.nodes.iter().enumerate().filter(|(_, node)| node.column == column).collect();
        if here.is_empty() {
            continue;
        }
        text.push_str("  {\n    rank=same;\n");
        for (at, node) in here {
            let colour = match node.kind {
                Kind::Built => "#ffd9a8",
                Kind::Cached => "#c9e7c4",
                Kind::Provided => "#d5e3f7",
            };
            let label = format!("{}\n{}\n{}", node.name, node.detail, node.kind.name());
            text.push_str(&format!(
                "    n{at} [label={}, tooltip={}, fillcolor=\"{colour}\"];\n",
                quoted(&label),
                quoted(&node.why)
            ));
        }
        text.push_str("  }\n");
    }
    for ((from, to), edge) in &graph.edges {
        let style = if edge.links { "bold" } else { "dashed" };
        text.push_str(&format!("  n{from} -> n{to} [style={style}, label={}];\n", quoted(&edge.what.join("\n"))));
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
