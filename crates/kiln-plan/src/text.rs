//! Plans as text, and as drawings of the graph of groups.

use crate::fusion::{Form, Group, GroupKind};
use crate::{Planned, Region};
use kiln_ir::{Func, Op, Value};
use petgraph::algo::toposort;
use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::IntoNeighbors;
use std::fmt;

/// One line for a group: its iteration space, the operators inside, what it reads and what it writes.
pub(crate) fn group(func: &Func, g: &Group) -> String {
    let ops: Vec<&str> = g.nodes.iter().map(|n| func.node(*n).op.name()).collect();
    format!("{} {{{}}} ({}) -> ({})", space(g), ops.join(" "), values(func, &g.inputs), values(func, &g.outputs))
}

fn space(g: &Group) -> String {
    match (g.kind, g.form) {
        (GroupKind::Library, _) => "library".to_owned(),
        (GroupKind::Control, _) => "control".to_owned(),
        (GroupKind::Alias, _) => "alias".to_owned(),
        (GroupKind::Kernel, Form::Elementwise { elements }) => format!("loop[{elements}]"),
        (GroupKind::Kernel, Form::Rows { rows, cols }) => format!("rows[{rows}x{cols}]"),
        (GroupKind::Kernel, Form::Reduction { elements }) => format!("reduce[{elements}]"),
        (GroupKind::Kernel, Form::Root(_)) => "root".to_owned(),
    }
}

fn values(func: &Func, values: &[Value]) -> String {
    let names: Vec<String> = values.iter().map(|v| value_name(func, *v)).collect();
    names.join(" ")
}

fn value_name(func: &Func, v: Value) -> String {
    let node = func.node(v.node);
    match &node.op {
        Op::Parameter(_) => node.name.as_deref().map_or_else(|| format!("%{}", v.node.0), |n| format!("%{n}")),
        _ if v.result == 0 => format!("%{}", v.node.0),
        _ => format!("%{}#{}", v.node.0, v.result),
    }
}

/// The groups in their order: each with what it reads for the last time, the size of a call's tables and workspace, and the
/// plans of nested functions.
impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan {} for {}", self.func.name, self.machine.name)?;
        region(f, &self.func, &self.region, 1)
    }
}

fn region(f: &mut fmt::Formatter<'_>, func: &Func, plan: &Region, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for (position, g) in plan.groups.iter().enumerate() {
        write!(f, "{indent}{position}: {}", group(func, g))?;
        if let Some(site) = &g.call {
            write!(f, ", tables {}, workspace {}", site.tables, site.workspace)?;
        }
        let last: Vec<Value> =
            g.inputs.iter().copied().filter(|v| plan.last_use(plan.root(*v)) == Some(position)).collect();
        if !last.is_empty() {
            write!(f, ", last reads ({})", values(func, &last))?;
        }
        writeln!(f)?;
        for id in &g.nodes {
            let regions = func.node(*id).op.regions();
            for (nested, plan) in regions.into_iter().zip(plan.nested.get(id).into_iter().flatten()) {
                writeln!(f, "{indent}  plan {}", nested.name)?;
                region(f, nested, plan, depth + 2)?;
            }
        }
    }
    let outputs = func.outputs.iter().map(|o| o.value).collect::<Vec<_>>();
    writeln!(f, "{indent}return ({})", values(func, &outputs))
}

impl Region {
    /// The graph of groups: nodes are positions in [`Region::groups`], an edge goes from the group that computes a value to
    /// each group that reads its memory.
    pub fn graph(&self) -> DiGraph<usize, Value> {
        let mut graph = DiGraph::with_capacity(self.groups.len(), 2 * self.groups.len());
        let mut home = vec![None; self.roots()];
        for (position, g) in self.groups.iter().enumerate() {
            let node = graph.add_node(position);
            g.outputs.iter().filter(|v| self.value(self.root(**v)) == **v).for_each(|v| {
                home[self.root(*v).index()] = Some(node);
            });
        }
        for (position, g) in self.groups.iter().enumerate() {
            for &v in &g.inputs {
                if let Some(from) = home[self.root(v).index()] {
                    graph.add_edge(from, NodeIndex::new(position), v);
                }
            }
        }
        graph
    }
}

impl Planned {
    /// The graph of groups as a Graphviz drawing. An edge that follows from others is left out.
    pub fn to_dot(&self) -> String {
        let graph = self.region.graph();
        let order = toposort(&graph, None).expect("a plan has an order");
        let (ordered, _) = dag_to_toposorted_adjacency_list::<_, NodeIndex>(&graph, &order);
        let (reduced, _) = dag_transitive_reduction_closure(&ordered);
        let mut drawn: DiGraph<usize, ()> = DiGraph::new();
        let nodes: Vec<NodeIndex> = order.iter().map(|n| drawn.add_node(graph[*n])).collect();
        for (i, &from) in nodes.iter().enumerate() {
            for to in reduced.neighbors(NodeIndex::new(i)) {
                drawn.add_edge(from, nodes[to.index()], ());
            }
        }
        let label = |_: &DiGraph<usize, ()>, (_, position): (NodeIndex, &usize)| {
            let text = group(&self.func, &self.region.groups[*position]);
            format!("shape = box, label = \"{position}: {}\"", text.replace(['\\', '"'], "_"))
        };
        let config = [Config::EdgeNoLabel, Config::NodeNoLabel];
        format!("{:?}", Dot::with_attr_getters(&drawn, &config, &|_, _| String::new(), &label))
    }
}
