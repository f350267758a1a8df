//! The plan as a drawing: one column per wave, the distribution's packages in front, lines from who provides to who needs.
//!
//! Layered as by Sugiyama: an edge over several columns gets a place in each one between, so that it passes beside boxes and not through
//! them; places in a column are sorted by the mean of their neighbours' places, there and back a fixed number of times. The same plan gives
//! the same bytes. Colours follow the viewer's light or dark setting.

use std::fmt::Write as _;

use packager_resolve::plan::{Plan, State};

use super::count;
use super::graph::{Edge, Graph, Kind, Node};

const BOX_HEIGHT: f64 = 46.0;
/// Between boxes of a column.
const ROW_GAP: f64 = 16.0;
/// Height of the place of an edge that passes a column.
const PASSING: f64 = 10.0;
/// Between columns: room for the curves.
const COLUMN_GAP: f64 = 130.0;
const MARGIN: f64 = 32.0;
/// Above the boxes: title, counts and the names of the columns.
const HEAD: f64 = 118.0;
/// Below the boxes: the legend.
const FOOT: f64 = 64.0;
/// Mean width of a letter of the box's texts.
const LETTER: f64 = 7.1;
/// Narrowest and widest box, in letters.
const LETTERS: (usize, usize) = (16, 34);
/// Sorting sweeps. The order hardly changes after a few.
const SWEEPS: usize = 12;

const STYLE: &str = "
  svg { --back: #ffffff; --ink: #1d2430; --faint: #667084; --line: #98a2b3; --column: #f5f7fa;
        --built: #fff0dc; --built-edge: #d9822b; --cached: #e3f4e1; --cached-edge: #3d9142; --provided: #e6effb; --provided-edge: #3b73c4; }
  @media (prefers-color-scheme: dark) {
    svg { --back: #14181f; --ink: #e8ecf2; --faint: #9aa5b5; --line: #5d6a7d; --column: #1b212b;
          --built: #3a2a15; --built-edge: #f0a04b; --cached: #17321b; --cached-edge: #6cc070; --provided: #182b47; --provided-edge: #7aa8ea; }
  }
  text { font-family: system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif; fill: var(--ink); font-size: 13px; }
  .title { font-size: 20px; font-weight: 600; }
  .faint, .detail { fill: var(--faint); font-size: 12px; }
  .heading { font-size: 13px; font-weight: 600; fill: var(--faint); }
  .name { font-weight: 600; }
  .back { fill: var(--back); }
  .column { fill: var(--column); }
  .box { stroke-width: 1.5; }
  .built { fill: var(--built); stroke: var(--built-edge); }
  .cached { fill: var(--cached); stroke: var(--cached-edge); }
  .provided { fill: var(--provided); stroke: var(--provided-edge); }
  .edge { fill: none; stroke: var(--line); stroke-width: 1.4; }
  .links { stroke: var(--built-edge); stroke-width: 2; }
  .requires { stroke-dasharray: 5 4; }
";

/// A box, or the place where an edge passes a column.
struct Place {
    column: usize,
    /// The node; nothing for a passing edge.
    node: Option<usize>,
    /// Middle.
    y: f64,
}

impl Place {
    fn height(&self) -> f64 {
        if self.node.is_some() { BOX_HEIGHT } else { PASSING }
    }
}

/// Everything with its place.
struct Layout {
    places: Vec<Place>,
    /// By column, from top to bottom.
    columns: Vec<Vec<usize>>,
    /// The places each edge goes through.
    ways: Vec<Vec<usize>>,
    box_width: f64,
    height: f64,
}

/// The drawing.
pub(super) fn svg(plan: &Plan) -> String {
    let graph = Graph::new(plan);
    let layout = Layout::new(&graph);
    let width = layout.x(layout.columns.len()) - COLUMN_GAP + MARGIN;
    let height = HEAD + layout.height + FOOT;
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = drawn(plan, &graph, &layout, (width.max(560.0), height), &mut text);
    text
}

impl Layout {
    fn new(graph: &Graph) -> Layout {
        let first = graph.nodes.iter().map(|node| node.column).min().unwrap_or(0);
        let last = graph.nodes.iter().map(|node| node.column).max().unwrap_or(0);
        let mut places: Vec<Place> = Vec::new();
        let mut columns: Vec<Vec<usize>> = vec![Vec::new(); last + 1 - first];
        let mut add = |column: usize, node: Option<usize>| {
            let at = places.len();
            columns[column].push(at);
            places.push(Place { column, node, y: 0.0 });
            at
        };
        for (at, node) in graph.nodes.iter().enumerate() {
            add(node.column - first, Some(at));
        }
        let mut ways = Vec::new();
        for (from, to) in graph.edges.keys() {
            let between = graph.nodes[*from].column + 1..graph.nodes[*to].column;
            let passing = between.map(|column| add(column - first, None));
            ways.push([*from].into_iter().chain(passing).chain([*to]).collect());
        }
        let letters = |node: &Node| node.name.chars().count().max(node.detail.chars().count());
        let letters = graph.nodes.iter().map(letters).max().unwrap_or(0).clamp(LETTERS.0, LETTERS.1);
        #[allow(clippy::cast_precision_loss)] // a handful of letters
        let box_width = letters as f64 * LETTER + 30.0;
        let mut layout = Layout { places, columns, ways, box_width, height: 0.0 };
        layout.sort();
        layout.stack();
        layout
    }

    /// Left edge of a column.
    fn x(&self, column: usize) -> f64 {
        #[allow(clippy::cast_precision_loss)] // a handful of columns
        let column = column as f64;
        MARGIN + column * (self.box_width + COLUMN_GAP)
    }

    /// Puts neighbours side by side.
    fn sort(&mut self) {
        self.stack();
        for sweep in 0..SWEEPS {
            let forward = sweep % 2 == 0;
            let mut order: Vec<usize> = (0..self.columns.len()).collect();
            if !forward {
                order.reverse();
            }
            for column in order {
                let mut keyed: Vec<(f64, usize)> =
                    self.columns[column].iter().map(|place| (self.mean(*place, forward), *place)).collect();
                keyed.sort_by(|left, right| left.0.total_cmp(&right.0));
                self.columns[column] = keyed.into_iter().map(|(_, place)| place).collect();
                self.stack();
            }
        }
    }

    /// Mean height of the neighbours before, or after; its own without any.
    fn mean(&self, place: usize, before: bool) -> f64 {
        let mut heights = Vec::new();
        for pair in self.ways.iter().flat_map(|way| way.windows(2)) {
            let (here, there) = if before { (pair[1], pair[0]) } else { (pair[0], pair[1]) };
            if here == place {
                heights.push(self.places[there].y);
            }
        }
        #[allow(clippy::cast_precision_loss)] // a handful of neighbours
        let number = heights.len() as f64;
        if heights.is_empty() { self.places[place].y } else { heights.iter().sum::<f64>() / number }
    }

    /// Gives every place its height: columns are centred.
    fn stack(&mut self) {
        let tall = |column: &Vec<usize>| column.iter().map(|place| self.places[*place].height() + ROW_GAP).sum::<f64>();
        let heights: Vec<f64> = self.columns.iter().map(tall).collect();
        self.height = heights.iter().copied().fold(BOX_HEIGHT, f64::max);
        for (column, tall) in self.columns.iter().zip(heights) {
            let mut top = HEAD + (self.height - tall) / 2.0 + ROW_GAP / 2.0;
            for place in column {
                let place = &mut self.places[*place];
                place.y = top + place.height() / 2.0;
                top += place.height() + ROW_GAP;
            }
        }
    }
}

fn drawn(plan: &Plan, graph: &Graph, layout: &Layout, size: (f64, f64), text: &mut String) -> std::fmt::Result {
    let (width, height) = size;
    writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">"
    )?;
    writeln!(text, "<title>{}</title>\n<style>{STYLE}</style>", escaped(&format!("Build plan for {}", plan.target)))?;
    writeln!(text, "<rect class=\"back\" width=\"100%\" height=\"100%\"/>")?;
    writeln!(text, "<text class=\"title\" x=\"{MARGIN}\" y=\"44\">{}</text>", escaped(&plan.target))?;
    let cached = plan.steps().filter(|(_, step)| step.state == State::Cached).count();
    let recipes = plan.steps().count();
    let counts = format!(
        "{} to build, {cached} in the store, {} of {}",
        count(recipes - cached, "recipe"),
        count(plan.provided.len(), "package"),
        plan.distribution
    );
    writeln!(text, "<text class=\"faint\" x=\"{MARGIN}\" y=\"66\">{}</text>", escaped(&counts))?;
    let first = graph.nodes.iter().map(|node| node.column).min().unwrap_or(0);
    for column in 0..layout.columns.len() {
        let (left, around) = (layout.x(column), 14.0);
        let wide = layout.box_width + 2.0 * around;
        let heading = match column + first {
            0 => plan.distribution.clone(),
            wave => format!("wave {wave}"),
        };
        writeln!(
            text,
            "<rect class=\"column\" x=\"{:.1}\" y=\"82\" width=\"{wide:.1}\" height=\"{:.1}\" rx=\"10\"/>",
            left - around,
            layout.height + HEAD - 82.0 + 8.0
        )?;
        let letters = whole((layout.box_width / LETTER).floor());
        writeln!(
            text,
            "<text class=\"heading\" x=\"{left:.1}\" y=\"104\">{}</text>",
            escaped(&short(&heading, letters))
        )?;
    }
    for (way, ((from, to), edge)) in layout.ways.iter().zip(&graph.edges) {
        line(layout, way, edge, (&graph.nodes[*from].name, &graph.nodes[*to].name), text)?;
    }
    for place in &layout.places {
        if let Some(node) = place.node.and_then(|at| graph.nodes.get(at)) {
            boxed(layout, place, node, text)?;
        }
    }
    legend(height - 26.0, text)?;
    writeln!(text, "</svg>")
}

fn boxed(layout: &Layout, place: &Place, node: &Node, text: &mut String) -> std::fmt::Result {
    let (x, y) = (layout.x(place.column), place.y - BOX_HEIGHT / 2.0);
    let letters = whole(((layout.box_width - 26.0) / LETTER).floor());
    let kind = node.kind.name();
    writeln!(text, "<g><title>{}</title>", escaped(&format!("{} {}, {kind}: {}", node.name, node.detail, node.why)))?;
    writeln!(
        text,
        "<rect class=\"box {kind}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BOX_HEIGHT}\" rx=\"7\"/>",
        layout.box_width
    )?;
    let left = x + 13.0;
    let name_at = if node.detail.is_empty() { place.y + 4.5 } else { y + 19.5 };
    writeln!(
        text,
        "<text class=\"name\" x=\"{left:.1}\" y=\"{name_at:.1}\">{}</text>",
        escaped(&short(&node.name, letters))
    )?;
    if !node.detail.is_empty() {
        let detail = escaped(&short(&node.detail, letters));
        writeln!(text, "<text class=\"detail\" x=\"{left:.1}\" y=\"{:.1}\">{detail}</text>", y + 36.0)?;
    }
    writeln!(text, "</g>")
}

fn line(layout: &Layout, way: &[usize], edge: &Edge, ends: (&str, &str), text: &mut String) -> std::fmt::Result {
    let mut path = String::new();
    for pair in way.windows(2) {
        let (from, to) = (&layout.places[pair[0]], &layout.places[pair[1]]);
        let (left, right) = (layout.x(from.column) + layout.box_width, layout.x(to.column));
        let bend = COLUMN_GAP * 0.5;
        if path.is_empty() {
            write!(path, "M{left:.1},{:.1}", from.y)?;
        } else {
            // Straight through the column that it passes.
            write!(path, " L{left:.1},{:.1}", from.y)?;
        }
        write!(path, " C{:.1},{:.1} {:.1},{:.1} {right:.1},{:.1}", left + bend, from.y, right - bend, to.y, to.y)?;
    }
    let kind = if edge.links { "links" } else { "requires" };
    let what = format!(
        "{} {} {} of {}",
        ends.1,
        if edge.links { "links against" } else { "requires" },
        edge.what.join(", "),
        ends.0
    );
    writeln!(text, "<path class=\"edge {kind}\" d=\"{path}\"><title>{}</title></path>", escaped(&what))
}

fn legend(y: f64, text: &mut String) -> std::fmt::Result {
    let mut x = MARGIN;
    for (kind, label) in
        [(Kind::Built, "to build"), (Kind::Cached, "in the store"), (Kind::Provided, "the distribution's")]
    {
        writeln!(
            text,
            "<rect class=\"box {}\" x=\"{x:.0}\" y=\"{:.0}\" width=\"16\" height=\"12\" rx=\"3\"/><text class=\"faint\" x=\"{:.0}\" y=\"{y:.0}\">{label}</text>",
            kind.name(),
            y - 11.0,
            x + 22.0
        )?;
        x += 138.0;
    }
    for (kind, label) in [("links", "is linked against"), ("requires", "is required")] {
        writeln!(
            text,
            "<path class=\"edge {kind}\" d=\"M{x:.0},{:.0} h26\"/><text class=\"faint\" x=\"{:.0}\" y=\"{y:.0}\">{label}</text>",
            y - 4.0,
            x + 33.0
        )?;
        x += 142.0;
    }
    Ok(())
}

/// A number of letters.
fn whole(number: f64) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a box has a few dozen
    let number = number.max(1.0) as usize;
    number
}

/// At most so many letters.
fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
