//! petgraph's traits, so that its algorithms run on functions as they are.
//!
//! An edge goes from the node that computes a value to each node that uses it, once per operand. [`Func`] has what needs no
//! index (nodes, counts, visiting); [`FuncGraph`] adds the table of users and with it edges and neighbours.

use crate::func::{Func, Node, NodeId, Value};
use crate::users::{Use, Users};
use ::petgraph::visit::{
    Data, EdgeCount, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences, NodeCompactIndexable, NodeCount, NodeIndexable,
    VisitMap, Visitable,
};
use ::petgraph::{Directed, Direction};

/// A function with the table of users: a graph to petgraph.
///
/// # Example
/// ```
/// use kiln_ir::{petgraph::FuncGraph, text};
/// let f = text::parse("func @f(%x: f32[2]) -> (f32[2]) { %0 = add %x, %x : f32[2] return %0 }")?;
/// let order = ::petgraph::algo::toposort(&FuncGraph::new(&f), None).expect("functions have no cycles");
/// assert_eq!(order.len(), 2);
/// # Ok::<(), kiln_ir::Diagnostics>(())
/// ```
#[derive(Clone, Debug)]
pub struct FuncGraph<'a> {
    func: &'a Func,
    users: Users,
}

impl<'a> FuncGraph<'a> {
    /// The graph of a function. Nested functions are not part of it: they are graphs of their own.
    pub fn new(func: &'a Func) -> FuncGraph<'a> {
        FuncGraph { func, users: func.users() }
    }
    /// The function.
    pub fn func(&self) -> &'a Func {
        self.func
    }
    /// The table of users.
    pub fn users(&self) -> &Users {
        &self.users
    }
}

/// One operand: an edge from what computes the value to what uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge<'a> {
    value: &'a Value,
    user: NodeId,
    operand: u32,
}

impl EdgeRef for Edge<'_> {
    type NodeId = NodeId;
    /// The user and which of its operands it is.
    type EdgeId = (NodeId, u32);
    type Weight = Value;
    fn source(&self) -> NodeId {
        self.value.node
    }
    fn target(&self) -> NodeId {
        self.user
    }
    fn weight(&self) -> &Value {
        self.value
    }
    fn id(&self) -> (NodeId, u32) {
        (self.user, self.operand)
    }
}

/// Nodes that a search has seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Visited(Vec<bool>);

impl VisitMap<NodeId> for Visited {
    fn visit(&mut self, id: NodeId) -> bool {
        !std::mem::replace(&mut self.0[id.index()], true)
    }
    fn is_visited(&self, id: &NodeId) -> bool {
        self.0[id.index()]
    }
    fn unvisit(&mut self, id: NodeId) -> bool {
        std::mem::replace(&mut self.0[id.index()], false)
    }
}

/// The ids of all nodes.
pub type NodeIds = std::iter::Map<std::ops::Range<u32>, fn(u32) -> NodeId>;

/// What both [`Func`] and [`FuncGraph`] implement, given an expression for the function.
macro_rules! node_traits {
    ($t:ty, |$self:ident| $func:expr) => {
        impl GraphBase for $t {
            type NodeId = NodeId;
            type EdgeId = (NodeId, u32);
        }
        impl GraphProp for $t {
            type EdgeType = Directed;
        }
        impl Data for $t {
            type NodeWeight = Node;
            type EdgeWeight = Value;
        }
        impl NodeCount for $t {
            fn node_count(&$self) -> usize {
                $func.nodes().len()
            }
        }
        impl EdgeCount for $t {
            fn edge_count(&$self) -> usize {
                $func.nodes().iter().map(|n| n.operands.len()).sum()
            }
        }
        impl NodeIndexable for $t {
            fn node_bound(&$self) -> usize {
                $func.nodes().len()
            }
            fn to_index(&self, id: NodeId) -> usize {
                id.index()
            }
            fn from_index(&self, i: usize) -> NodeId {
                NodeId(i as u32)
            }
        }
        impl NodeCompactIndexable for $t {}
        impl Visitable for $t {
            type Map = Visited;
            fn visit_map(&$self) -> Visited {
                Visited(vec![false; $func.nodes().len()])
            }
            fn reset_map(&$self, map: &mut Visited) {
                map.0.clear();
                map.0.resize($func.nodes().len(), false);
            }
        }
        impl IntoNodeIdentifiers for &$t {
            type NodeIdentifiers = NodeIds;
            fn node_identifiers($self) -> NodeIds {
                (0..$func.nodes().len() as u32).map(NodeId)
            }
        }
        impl<'g> IntoNodeReferences for &'g $t {
            type NodeRef = (NodeId, &'g Node);
            type NodeReferences = std::iter::Zip<NodeIds, std::slice::Iter<'g, Node>>;
            fn node_references($self) -> Self::NodeReferences {
                $self.node_identifiers().zip($func.nodes())
            }
        }
    };
}
node_traits!(Func, |self| self);
node_traits!(FuncGraph<'_>, |self| self.func);

/// The nodes before or after a node, once per operand.
#[derive(Clone, Debug)]
pub enum Neighbors<'g> {
    /// The users.
    After(std::slice::Iter<'g, Use>),
    /// The operands' nodes.
    Before(std::slice::Iter<'g, Value>),
}

impl Iterator for Neighbors<'_> {
    type Item = NodeId;
    fn next(&mut self) -> Option<NodeId> {
        match self {
            Neighbors::After(uses) => uses.next().map(|u| u.user),
            Neighbors::Before(values) => values.next().map(|v| v.node),
        }
    }
}

impl<'g> IntoNeighbors for &'g FuncGraph<'_> {
    type Neighbors = Neighbors<'g>;
    fn neighbors(self, id: NodeId) -> Neighbors<'g> {
        self.neighbors_directed(id, Direction::Outgoing)
    }
}

impl<'g> IntoNeighborsDirected for &'g FuncGraph<'_> {
    type NeighborsDirected = Neighbors<'g>;
    fn neighbors_directed(self, id: NodeId, direction: Direction) -> Neighbors<'g> {
        match direction {
            Direction::Outgoing => Neighbors::After(self.users.of(id).iter()),
            Direction::Incoming => Neighbors::Before(self.func.node(id).operands.iter()),
        }
    }
}

/// The edges into or out of a node.
#[derive(Clone, Debug)]
pub enum Edges<'g> {
    /// To the users.
    After(&'g Func, std::slice::Iter<'g, Use>),
    /// From the operands of this node.
    Before(NodeId, std::iter::Enumerate<std::slice::Iter<'g, Value>>),
}

impl<'g> Iterator for Edges<'g> {
    type Item = Edge<'g>;
    fn next(&mut self) -> Option<Edge<'g>> {
        match self {
            Edges::After(func, uses) => uses.next().map(|u| Edge {
                value: &func.node(u.user).operands[u.operand as usize],
                user: u.user,
                operand: u.operand,
            }),
            Edges::Before(user, values) => {
                values.next().map(|(i, value)| Edge { value, user: *user, operand: i as u32 })
            }
        }
    }
}

impl<'g> IntoEdges for &'g FuncGraph<'_> {
    type Edges = Edges<'g>;
    fn edges(self, id: NodeId) -> Edges<'g> {
        self.edges_directed(id, Direction::Outgoing)
    }
}

impl<'g> IntoEdgesDirected for &'g FuncGraph<'_> {
    type EdgesDirected = Edges<'g>;
    fn edges_directed(self, id: NodeId, direction: Direction) -> Edges<'g> {
        match direction {
            Direction::Outgoing => Edges::After(self.func, self.users.of(id).iter()),
            Direction::Incoming => Edges::Before(id, self.func.node(id).operands.iter().enumerate()),
        }
    }
}

/// All edges, in the order of users and their operands.
#[derive(Clone, Debug)]
pub struct AllEdges<'g> {
    func: &'g Func,
    user: usize,
    operand: usize,
}

impl<'g> Iterator for AllEdges<'g> {
    type Item = Edge<'g>;
    fn next(&mut self) -> Option<Edge<'g>> {
        loop {
            let node = self.func.nodes().get(self.user)?;
            if let Some(value) = node.operands.get(self.operand) {
                let edge = Edge { value, user: NodeId(self.user as u32), operand: self.operand as u32 };
                self.operand += 1;
                return Some(edge);
            }
            self.user += 1;
            self.operand = 0;
        }
    }
}

impl<'g> IntoEdgeReferences for &'g FuncGraph<'_> {
    type EdgeRef = Edge<'g>;
    type EdgeReferences = AllEdges<'g>;
    fn edge_references(self) -> AllEdges<'g> {
        AllEdges { func: self.func, user: 0, operand: 0 }
    }
}

/// The function as a Graphviz drawing: nodes with operator, name and type, edges with the number of the operand.
///
/// ```
/// use kiln_ir::{DType, Func, InputKind, Loc, TensorType, petgraph::to_dot};
/// let mut f = Func::new("f");
/// let x = f.add_input("x", TensorType::new(DType::F32, [4]), InputKind::Feed, Loc::UNKNOWN);
/// f.add_output("y", x);
/// assert!(to_dot(&f).contains("x: f32[4]"));
/// ```
pub fn to_dot(func: &Func) -> String {
    use ::petgraph::dot::{Config, Dot};
    let graph = FuncGraph::new(func);
    let config = [Config::EdgeNoLabel, Config::NodeNoLabel];
    let edge = |_: &FuncGraph<'_>, e: Edge<'_>| format!("label = \"{}\"", e.operand);
    let node = |_: &FuncGraph<'_>, (id, n): (NodeId, &Node)| {
        let types: Vec<String> = n.types.iter().map(ToString::to_string).collect();
        let name = match &n.name {
            Some(name) => name.to_string(),
            None => format!("%{}", id.0),
        };
        format!("label = \"{}\\n{}: {}\"", n.op.name(), name.replace(['\\', '"'], "_"), types.join(", "))
    };
    format!("{:?}", Dot::with_attr_getters(&&graph, &config, &|g, e| edge(g, e), &|g, n| node(g, n)))
}
