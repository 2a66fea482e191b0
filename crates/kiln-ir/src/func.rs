//! Functions: SSA graphs over tensors.

use crate::diag::Diagnostic;
use crate::init::Initializer;
use crate::loc::Loc;
use crate::op::Op;
use crate::shape::TensorType;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::sync::Arc;

/// A node of one function. Operands of a node always have smaller ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The id as an index into per-node tables.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One result of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value {
    /// The node that computes it.
    pub node: NodeId,
    /// Which of the node's results.
    pub result: u32,
}

impl From<NodeId> for Value {
    /// The first result.
    fn from(node: NodeId) -> Value {
        Value { node, result: 0 }
    }
}

/// An operation with its operands.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// Inputs, all of smaller node id.
    pub operands: SmallVec<[Value; 3]>,
    /// Types of the results.
    pub types: SmallVec<[TensorType; 1]>,
    /// The user's source line.
    pub loc: Loc,
    /// The user's name for it (with scopes, as `encoder/layer0/q`), if any.
    pub name: Option<Arc<str>>,
}

/// What an input is.
#[derive(Clone, PartialEq, Debug)]
pub enum InputKind {
    /// Given at every call (and every parameter of a nested function).
    Feed,
    /// State that a session keeps between calls.
    Variable(Initializer),
}

/// An input of a function; its node is the `Parameter` of the same index.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// Name, unique among the inputs.
    pub name: String,
    /// Type.
    pub ty: TensorType,
    /// Feed or variable.
    pub kind: InputKind,
    /// Its `Parameter` node.
    pub node: NodeId,
    /// Where the user declared it.
    pub loc: Loc,
}

/// What an output is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutputKind {
    /// Handed to the caller.
    Fetch,
    /// The new value of the variable that is this input.
    Update(usize),
}

/// An output of a function.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Name; unique among the fetches.
    pub name: String,
    /// The value.
    pub value: Value,
    /// Fetch or variable update.
    pub kind: OutputKind,
}

/// A function: inputs, nodes in topological order, outputs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Func {
    /// Name.
    pub name: String,
    /// Inputs, in order.
    pub inputs: Vec<Input>,
    /// Outputs, in order.
    pub outputs: Vec<Output>,
    nodes: Vec<Node>,
}

impl Func {
    /// An empty function.
    pub fn new(name: impl Into<String>) -> Func {
        Func { name: name.into(), ..Func::default() }
    }

    /// Makes room for this many further nodes, so that adding them moves none.
    pub fn reserve(&mut self, nodes: usize) {
        self.nodes.reserve(nodes);
    }

    /// Name, inputs, outputs and nodes, to move into another function.
    pub(crate) fn into_parts(self) -> (String, Vec<Input>, Vec<Output>, Vec<Node>) {
        (self.name, self.inputs, self.outputs, self.nodes)
    }

    /// The nodes, to move into another function.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// The nodes in topological order; a node's position is its id.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Ids and nodes in topological order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i as u32), n))
    }

    /// The node of an id.
    ///
    /// # Panics
    /// When the id is not of this function.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node of an id, for rewriting in place. Operands must keep smaller ids, and types must stay true.
    ///
    /// # Panics
    /// When the id is not of this function.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// The type of a value.
    ///
    /// # Panics
    /// When the value is not of this function.
    pub fn ty(&self, v: Value) -> &TensorType {
        &self.nodes[v.node.index()].types[v.result as usize]
    }

    /// Declares an input.
    pub fn add_input(&mut self, name: impl Into<String>, ty: TensorType, kind: InputKind, loc: Loc) -> Value {
        let index = self.inputs.len() as u32;
        let name = name.into();
        let node = self.push_raw(Node {
            op: Op::Parameter(index),
            operands: SmallVec::new(),
            types: SmallVec::from_elem(ty.clone(), 1),
            loc: loc.clone(),
            name: Some(name.as_str().into()),
        });
        self.inputs.push(Input { name, ty, kind, node, loc });
        node.into()
    }

    /// Declares a fetch.
    pub fn add_output(&mut self, name: impl Into<String>, value: Value) {
        self.outputs.push(Output { name: name.into(), value, kind: OutputKind::Fetch });
    }

    /// Appends a node and infers its result types.
    ///
    /// # Errors
    /// The violated constraint, labelled as in the operator's specification (`dot_general.C3`), located at `loc`.
    pub fn push(&mut self, op: Op, operands: &[Value], loc: Loc) -> Result<NodeId, Diagnostic> {
        let types = {
            let tys: SmallVec<[&TensorType; 4]> = operands.iter().map(|v| self.ty(*v)).collect();
            crate::infer::result_types(&op, &tys).map_err(|d| self.explain(d, &op, operands).at(&loc))?
        };
        Ok(self.push_raw(Node { op, operands: operands.into(), types, loc, name: None }))
    }

    /// [`Func::push`] for operators of one result.
    ///
    /// # Errors
    /// As [`Func::push`].
    pub fn push1(&mut self, op: Op, operands: &[Value], loc: Loc) -> Result<Value, Diagnostic> {
        self.push(op, operands, loc).map(Value::from)
    }

    /// Appends a node whose types are known to be right (a rewrite of a verified node).
    ///
    /// # Panics
    /// In debug builds, when an operand has no smaller id.
    pub fn push_raw(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        debug_assert!(node.operands.iter().all(|v| v.node < id), "operands come before their users");
        self.nodes.push(node);
        id
    }

    /// Appends a literal.
    pub fn constant(&mut self, value: Tensor, loc: Loc) -> Value {
        let types = SmallVec::from_elem(value.ty(), 1);
        self.push_raw(Node { op: Op::Constant(value), operands: SmallVec::new(), types, loc, name: None }).into()
    }

    /// A value in words: `"relu" f32[batch, 128] from src/model.rs:40:13`.
    ///
    /// # Panics
    /// When the value is not of this function.
    pub fn describe(&self, v: Value) -> String {
        let node = self.node(v.node);
        let mut text = match &node.op {
            Op::Parameter(i)
                if matches!(self.inputs.get(*i as usize), Some(Input { kind: InputKind::Variable(_), .. })) =>
            {
                "variable ".to_string()
            }
            Op::Parameter(_) => "input ".to_string(),
            op if node.name.is_none() => format!("{} ", op.name()),
            _ => String::new(),
        };
        if let Some(name) = &node.name {
            text.push_str(&format!("\"{name}\" "));
        }
        text.push_str(&self.ty(v).to_string());
        if !node.loc.is_unknown() {
            text.push_str(&format!(" from {}", node.loc));
        }
        text
    }

    /// Adds to a diagnostic of `op` what its operands are (the first eight).
    pub fn explain(&self, d: Diagnostic, op: &Op, operands: &[Value]) -> Diagnostic {
        let known = operands.iter().enumerate().take(8).filter(|(_, v)| v.node.index() < self.nodes.len());
        known.fold(d, |d, (i, v)| d.note(crate::infer::operand_name(op, i), self.describe(*v)))
    }

    /// All results of a node.
    pub fn results(&self, id: NodeId) -> impl Iterator<Item = Value> + use<> {
        (0..self.node(id).types.len() as u32).map(move |result| Value { node: id, result })
    }
}
