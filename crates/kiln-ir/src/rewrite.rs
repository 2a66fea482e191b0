//! Rebuilding functions: how passes rewrite. One walk in topological order, O(nodes), provenance and names kept.

use crate::diag::Diagnostic;
use crate::func::{Func, Input, Node, NodeId, Output, OutputKind, Value};
use crate::loc::Loc;
use crate::op::Op;
use crate::shape::TensorType;
use crate::tensor::Tensor;
use smallvec::SmallVec;

/// The function under construction while [`rebuild`] walks the old one.
#[derive(Debug)]
pub struct Rebuild {
    func: Func,
    map: Vec<SmallVec<[Value; 1]>>,
    loc: Loc,
}

/// What stands for each result of an old node; `None` keeps the node as it is.
pub type Replacement = Option<SmallVec<[Value; 1]>>;

impl Rebuild {
    /// The new function so far.
    pub fn func(&self) -> &Func {
        &self.func
    }
    /// The new node that computes a new value.
    pub fn node(&self, v: Value) -> &Node {
        self.func.node(v.node)
    }
    /// The type of a new value.
    pub fn ty(&self, v: Value) -> &TensorType {
        self.func.ty(v)
    }
    /// The new value that stands for a value of the old function.
    ///
    /// # Panics
    /// When the walk has not reached that value.
    pub fn map(&self, old: Value) -> Value {
        self.map[old.node.index()][old.result as usize]
    }
    /// Appends a node with the provenance of the old node being rewritten.
    ///
    /// # Errors
    /// The violated constraint of the operator.
    pub fn push(&mut self, op: Op, operands: &[Value]) -> Result<NodeId, Diagnostic> {
        self.func.push(op, operands, self.loc.clone())
    }
    /// [`Rebuild::push`] for operators of one result.
    ///
    /// # Errors
    /// The violated constraint of the operator.
    pub fn push1(&mut self, op: Op, operands: &[Value]) -> Result<Value, Diagnostic> {
        self.push(op, operands).map(Value::from)
    }
    /// Appends a literal with the provenance of the old node being rewritten.
    pub fn constant(&mut self, value: Tensor) -> Value {
        self.func.constant(value, self.loc.clone())
    }
    /// Appends a copy of an old node with these operands, whose types are those of the old ones. Gives its results.
    pub fn keep(&mut self, node: &Node, operands: &[Value]) -> SmallVec<[Value; 1]> {
        let id = self.func.push_raw(Node { operands: operands.into(), ..node.clone() });
        self.func.results(id).collect()
    }
}

/// Rebuilds `func`: for every node but parameters, in order, `rewrite(new, old id, old node, operands in the new function)`
/// gives the values that stand for its results, or `None` to keep it.
///
/// Inputs, outputs, names and source lines are kept; nodes that a rewrite makes obsolete stay until they are removed with
/// [`Func::without_dead_nodes`]. The name of a replaced node goes to the node that now computes its first result, if that
/// was made for it and has no name of its own.
///
/// # Errors
/// The first error that `rewrite` gives.
///
/// # Panics
/// In debug builds, when a replacement has another number of results or other types than the node.
///
/// # Example
/// ```
/// use kiln_ir::{BinaryOp, Func, InputKind, DType, Loc, Op, TensorType, UnaryOp, rebuild};
/// let mut f = Func::new("f");
/// let x = f.add_input("x", TensorType::new(DType::F32, [4]), InputKind::Feed, Loc::UNKNOWN);
/// let n = f.push1(Op::Unary(UnaryOp::Negate), &[x], Loc::UNKNOWN)?;
/// let y = f.push1(Op::Unary(UnaryOp::Negate), &[n], Loc::UNKNOWN)?;
/// f.add_output("y", y);
/// // -(-x) is x.
/// let f = rebuild(&f, |new, _, node, operands| match &node.op {
///     Op::Unary(UnaryOp::Negate) => match new.node(operands[0]) {
///         inner if inner.op == Op::Unary(UnaryOp::Negate) => Ok(Some([inner.operands[0]].into())),
///         _ => Ok(None),
///     },
///     _ => Ok(None),
/// })?;
/// assert_eq!(f.without_dead_nodes().nodes().len(), 1);
/// # Ok::<(), kiln_ir::Diagnostic>(())
/// ```
pub fn rebuild(
    func: &Func,
    mut rewrite: impl FnMut(&mut Rebuild, NodeId, &Node, &[Value]) -> Result<Replacement, Diagnostic>,
) -> Result<Func, Diagnostic> {
    let mut new =
        Rebuild { func: Func::new(func.name.clone()), map: Vec::with_capacity(func.nodes().len()), loc: Loc::UNKNOWN };
    for (id, node) in func.iter() {
        let operands: SmallVec<[Value; 4]> = node.operands.iter().map(|v| new.map(*v)).collect();
        let first_new = new.func.nodes().len();
        new.loc = node.loc.clone();
        let replacement = match node.op {
            Op::Parameter(_) => None,
            _ => rewrite(&mut new, id, node, &operands)?,
        };
        let values = match replacement {
            None => new.keep(node, &operands),
            Some(values) => {
                hand_on_name(&mut new.func, node, &values, first_new);
                values
            }
        };
        debug_assert!(
            values.len() == node.types.len() && values.iter().zip(&node.types).all(|(v, t)| new.func.ty(*v) == t),
            "the replacement of {id:?} ({}) has the types of its results",
            node.op.name()
        );
        new.map.push(values);
    }
    let map = |v: Value| new.map[v.node.index()][v.result as usize];
    let inputs: Vec<Input> = func.inputs.iter().map(|i| Input { node: map(i.node.into()).node, ..i.clone() }).collect();
    let outputs: Vec<Output> = func.outputs.iter().map(|o| Output { value: map(o.value), ..o.clone() }).collect();
    new.func.inputs = inputs;
    new.func.outputs = outputs;
    Ok(new.func)
}

fn hand_on_name(func: &mut Func, old: &Node, values: &[Value], first_new: usize) {
    if let (Some(name), Some(v)) = (&old.name, values.first())
        && v.node.index() >= first_new
    {
        func.node_mut(v.node).name.get_or_insert_with(|| name.clone());
    }
}

/// What [`Func::extract`] does with inputs that no output needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnusedInputs {
    /// They stay: the signature is the same.
    Keep,
    /// They go, unless they are variables that an output updates.
    Drop,
}

impl Func {
    /// The part of the function that computes `outputs` (values of this function), without dead nodes. Updates refer to
    /// inputs by their index in this function.
    pub fn extract(&self, outputs: Vec<Output>, unused: UnusedInputs) -> Func {
        let mut live = vec![false; self.nodes().len()];
        for o in &outputs {
            live[o.value.node.index()] = true;
        }
        for (id, node) in self.iter().rev() {
            if live[id.index()] {
                node.operands.iter().for_each(|v| live[v.node.index()] = true);
            }
        }
        let kept = |index: usize, input: &Input| {
            unused == UnusedInputs::Keep
                || live[input.node.index()]
                || outputs.iter().any(|o| o.kind == OutputKind::Update(index))
        };
        let mut input_map: Vec<Option<usize>> = Vec::with_capacity(self.inputs.len());
        let mut count = 0;
        for (i, input) in self.inputs.iter().enumerate() {
            let keep = kept(i, input);
            input_map.push(keep.then_some(count));
            count += usize::from(keep);
        }
        for (i, input) in self.inputs.iter().enumerate() {
            live[input.node.index()] = input_map[i].is_some();
        }
        self.copy_live(&live, &input_map, outputs)
    }

    fn copy_live(&self, live: &[bool], input_map: &[Option<usize>], outputs: Vec<Output>) -> Func {
        let mut new = Func::new(self.name.clone());
        let mut map = vec![NodeId(u32::MAX); self.nodes().len()];
        for (id, node) in self.iter().filter(|(id, _)| live[id.index()]) {
            let mut node = node.clone();
            for v in &mut node.operands {
                v.node = map[v.node.index()];
            }
            if let Op::Parameter(i) = &mut node.op
                && let Some(Some(index)) = input_map.get(*i as usize)
            {
                *i = *index as u32;
            }
            map[id.index()] = new.push_raw(node);
        }
        new.inputs = (self.inputs.iter().zip(input_map))
            .filter(|(_, kept)| kept.is_some())
            .map(|(i, _)| Input { node: map[i.node.index()], ..i.clone() })
            .collect();
        new.outputs = (outputs.into_iter())
            .map(|o| {
                let kind = match o.kind {
                    OutputKind::Fetch => OutputKind::Fetch,
                    OutputKind::Update(i) => OutputKind::Update(input_map.get(i).copied().flatten().unwrap_or(i)),
                };
                Output { value: Value { node: map[o.value.node.index()], ..o.value }, kind, name: o.name }
            })
            .collect();
        new
    }

    /// A copy without the nodes that no output needs; the signature is the same. Nested functions are copied as they are.
    pub fn without_dead_nodes(&self) -> Func {
        self.extract(self.outputs.clone(), UnusedInputs::Keep)
    }
}
