//! Rewriting functions: one walk in topological order, O(nodes). Nodes move from the old function to the new one, so what a
//! rewrite leaves alone costs no copy, and keeps its name and source line.

use crate::func::{Func, Input, Node, NodeId, Output, Value};
use crate::op::Op;
use smallvec::{SmallVec, smallvec};
use std::convert::Infallible;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// What stands for each result of a node.
pub type Values = SmallVec<[Value; 1]>;

/// The function under construction while [`walk`] goes through the old one; it derefs to that [`Func`].
#[derive(Debug)]
pub struct New {
    func: Func,
    /// What stands for the results of each old node so far.
    map: Vec<Values>,
    /// How many new nodes there were when the walk came to the present old one.
    reached: usize,
}

impl Deref for New {
    type Target = Func;
    fn deref(&self) -> &Func {
        &self.func
    }
}

impl DerefMut for New {
    fn deref_mut(&mut self) -> &mut Func {
        &mut self.func
    }
}

impl New {
    /// The old node that is being rewritten.
    pub fn old(&self) -> NodeId {
        NodeId(self.map.len() as u32)
    }

    /// The new value that stands for a value of the old function.
    ///
    /// # Panics
    /// When the walk has not reached that value.
    pub fn map(&self, old: Value) -> Value {
        self.map[old.node.index()][old.result as usize]
    }

    /// Appends a node whose types are known to be right, such as the old one itself. Gives its results.
    pub fn keep(&mut self, node: Node) -> Values {
        let results = node.types.len() as u32;
        let node = self.func.push_raw(node);
        (0..results).map(|result| Value { node, result }).collect()
    }

    /// Gives the name of the old node to the node of `to`, if that was made for it and has no name of its own.
    pub fn hand_on_name(&mut self, name: Option<Arc<str>>, to: Value) {
        if let Some(name) = name
            && to.node.index() >= self.reached
        {
            self.func.node_mut(to.node).name.get_or_insert(name);
        }
    }

    /// Goes through nodes in order; nothing stands for those that are left out (`None`).
    fn append<E>(
        &mut self,
        nodes: impl Iterator<Item = Option<Node>>,
        mut rewrite: impl FnMut(&mut New, Node) -> Result<Values, E>,
    ) -> Result<(), E> {
        self.map.reserve(nodes.size_hint().0);
        for node in nodes {
            self.reached = self.func.nodes().len();
            let values = match node {
                None => Values::new(),
                Some(mut node) => {
                    for v in &mut node.operands {
                        *v = self.map(*v);
                    }
                    rewrite(self, node)?
                }
            };
            self.map.push(values);
        }
        Ok(())
    }
}

/// Builds a function again: for every node in order, with its operands in the new function, `rewrite` gives the values that
/// stand for its results. [`New::keep`] keeps it.
///
/// Inputs, outputs, names and source lines are kept. Parameters must be kept, before anything is made in their place. Nodes that
/// a rewrite makes obsolete stay until they are removed with [`Func::without_dead_nodes`]. For nested functions see
/// [`Node::map_regions`].
///
/// # Panics
/// When `rewrite` gives fewer values than the node has results that are used.
///
/// # Example
/// ```
/// use kiln_ir::{Func, InputKind, DType, Loc, Op, TensorType, UnaryOp, rewrite::walk};
/// let mut f = Func::new("f");
/// let x = f.add_input("x", TensorType::new(DType::F32, [4]), InputKind::Feed, Loc::UNKNOWN);
/// let n = f.push1(Op::Unary(UnaryOp::Negate), &[x], Loc::UNKNOWN)?;
/// let y = f.push1(Op::Unary(UnaryOp::Negate), &[n], Loc::UNKNOWN)?;
/// f.add_output("y", y);
/// // -(-x) is x.
/// let f = walk(f, |new, node| match &node.op {
///     Op::Unary(UnaryOp::Negate) => match new.node(node.operands[0].node) {
///         inner if inner.op == node.op => [inner.operands[0]].into(),
///         _ => new.keep(node),
///     },
///     _ => new.keep(node),
/// });
/// assert_eq!(f.without_dead_nodes().nodes().len(), 1);
/// # Ok::<(), kiln_ir::Diagnostic>(())
/// ```
pub fn walk(old: Func, mut rewrite: impl FnMut(&mut New, Node) -> Values) -> Func {
    let Ok(new) = try_walk::<Infallible>(old, |new, node| Ok(rewrite(new, node)));
    new
}

/// [`walk`] with rewrites that can fail.
///
/// # Errors
/// The first error that `rewrite` gives.
///
/// # Panics
/// As [`walk`].
pub fn try_walk<E>(old: Func, mut rewrite: impl FnMut(&mut New, Node) -> Result<Values, E>) -> Result<Func, E> {
    let (name, inputs, outputs, nodes) = old.into_parts();
    let mut parameters = vec![NodeId(u32::MAX); inputs.len()];
    let mut func = Func::new(name);
    func.reserve(nodes.len());
    let mut new = New { func, map: Vec::new(), reached: 0 };
    new.append(nodes.into_iter().map(Some), |new, node| {
        if let Op::Parameter(i) = node.op {
            parameters[i as usize] = NodeId(new.reached as u32);
        }
        rewrite(new, node)
    })?;
    let inputs = inputs.into_iter().zip(parameters).map(|(i, node)| Input { node, ..i }).collect();
    let outputs = outputs.into_iter().map(|o| Output { value: new.map(o.value), ..o }).collect();
    let mut func = new.func;
    debug_assert!(func.inputs.is_empty() && func.outputs.is_empty(), "a rewrite leaves inputs and outputs to the walk");
    (func.inputs, func.outputs) = (inputs, outputs);
    Ok(func)
}

impl Node {
    /// Replaces every function nested in the node.
    pub fn map_regions(&mut self, mut f: impl FnMut(Func) -> Func) {
        for region in self.op.regions_mut() {
            *region = f(std::mem::take(region));
        }
    }

    /// [`Node::map_regions`] with functions that can fail.
    ///
    /// # Errors
    /// The first error that `f` gives; functions that were not replaced yet are empty or as they were.
    pub fn try_map_regions<E>(&mut self, mut f: impl FnMut(Func) -> Result<Func, E>) -> Result<(), E> {
        for region in self.op.regions_mut() {
            *region = f(std::mem::take(region))?;
        }
        Ok(())
    }
}

impl Func {
    /// Appends nodes of another function, in order, with what `rewrite` makes of them; nothing stands for nodes that are left out
    /// (`None`). Gives what stands for each. Where [`walk`] makes a function with the signature of the old one, this leaves
    /// inputs and outputs to the caller.
    ///
    /// # Panics
    /// When a node is left out that another one uses.
    pub fn append(
        &mut self,
        nodes: impl IntoIterator<Item = Option<Node>>,
        mut rewrite: impl FnMut(&mut New, Node) -> Values,
    ) -> Vec<Values> {
        let mut new = New { func: std::mem::take(self), map: Vec::new(), reached: 0 };
        let Ok(()) = new.append::<Infallible>(nodes.into_iter(), |new, node| Ok(rewrite(new, node)));
        *self = new.func;
        new.map
    }

    /// Appends a copy of the nodes of `body` with `args` for its parameters. Gives what stands for its outputs.
    ///
    /// # Panics
    /// When there are fewer arguments than parameters.
    pub fn inline(&mut self, body: &Func, args: &[Value]) -> Vec<Value> {
        self.inline_all(body, args).1
    }

    /// [`Func::inline`], with what stands for the results of every node of `body`.
    ///
    /// # Panics
    /// As [`Func::inline`].
    pub fn inline_all(&mut self, body: &Func, args: &[Value]) -> (Vec<Values>, Vec<Value>) {
        let map = self.append_with_args(body.nodes().iter().cloned().map(Some), args, None);
        let outputs = body.outputs.iter().map(|o| map[o.value.node.index()][o.value.result as usize]).collect();
        (map, outputs)
    }

    /// Appends copies of those nodes of `body` that `roots` need, with `args` for its parameters. Gives the roots.
    ///
    /// # Panics
    /// As [`Func::inline`].
    pub fn inline_values(&mut self, body: &Func, args: &[Value], roots: &[Value]) -> Vec<Value> {
        let needed = body.reachable(roots.iter().copied());
        let nodes = body.nodes().iter().zip(needed).map(|(node, needed)| needed.then(|| node.clone()));
        let map = self.append_with_args(nodes, args, None);
        roots.iter().map(|v| map[v.node.index()][v.result as usize]).collect()
    }

    /// [`Func::inline`] of a function that is not needed any more: its nodes move. Names get `scope` in front.
    ///
    /// # Panics
    /// As [`Func::inline`].
    pub fn splice(&mut self, body: Func, args: &[Value], scope: Option<&Arc<str>>) -> Values {
        let (_, _, outputs, nodes) = body.into_parts();
        let map = self.append_with_args(nodes.into_iter().map(Some), args, scope);
        outputs.iter().map(|o| map[o.value.node.index()][o.value.result as usize]).collect()
    }

    fn append_with_args(
        &mut self,
        nodes: impl Iterator<Item = Option<Node>>,
        args: &[Value],
        scope: Option<&Arc<str>>,
    ) -> Vec<Values> {
        self.append(nodes, |new, mut node| {
            if let Op::Parameter(i) = node.op {
                return smallvec![args[i as usize]];
            }
            if let (Some(scope), Some(name)) = (scope, &node.name) {
                node.name = Some(format!("{scope}/{name}").into());
            }
            new.keep(node)
        })
    }
}
