//! Local rules on the walk of [`kiln_ir::rewrite`]: a rule is tried on every node whose operands are already rewritten. Nodes
//! that a rule makes are tried in turn, so that one walk reaches most of what repeated walks would. Nodes left without a user
//! are removed by the pass `dce`.

use crate::context::Cx;
use crate::lit::Lit;
use crate::options::Level;
use kiln_ir::rewrite::{self, New, Values};
use kiln_ir::{DType, Func, Loc, Node, Op, Shape, Tensor, TensorType, Value};
use smallvec::{SmallVec, smallvec};

/// Sizes of a static shape.
pub(crate) type Sizes = SmallVec<[usize; 4]>;

/// A set of rewrites: the value that a node (with rewritten operands) can be replaced by.
pub(crate) type Rule = fn(&mut Rewriter<'_>, &Node) -> Option<Value>;

/// How deep nodes made by rules are rewritten in turn. A bound on the stack; what is left waits for the next round.
const MAX_DEPTH: u32 = 12;

/// One node of the old function on its way into the new one.
pub(crate) struct Rewriter<'c> {
    pub cx: &'c mut Cx,
    new: &'c mut New,
    rule: Rule,
    depth: u32,
    loc: Loc,
    /// Uses of each new node: those of the old nodes that it stands for. Nodes made by rules count none.
    uses: &'c mut Vec<u32>,
}

/// Rewrites a function and the functions nested in it.
pub(crate) fn walk(old: Func, cx: &mut Cx, rule: Rule) -> Func {
    let counts = old.use_counts();
    let mut uses = Vec::with_capacity(counts.len());
    rewrite::walk(old, |new, mut node| {
        node.map_regions(|region| walk(region, cx, rule));
        let count = counts[new.old().index()];
        Rewriter { cx, new, rule, depth: 0, loc: node.loc.clone(), uses: &mut uses }.rewrite_old(node, count)
    })
}

/// Dimensions `a..b` of one shape and `c..d` of another that hold the same elements in row-major order.
pub(crate) type Group = (std::ops::Range<usize>, std::ops::Range<usize>);

/// Splits two shapes of as many elements into the finest groups of dimensions with equal products, in order. Dimensions of
/// size 1 belong to the group before (or, at the start, the first one). `None` without elements.
pub(crate) fn groups(from: &[usize], to: &[usize]) -> Option<Vec<Group>> {
    if elements(from) == 0 || elements(from) != elements(to) {
        return None;
    }
    let mut groups = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let start = (i, j);
        let (mut p, mut q) = (1, 1);
        loop {
            if p <= q && i < from.len() && (p < q || p == 1) {
                p *= from[i];
                i += 1;
            } else if j < to.len() && (q < p || q == 1) {
                q *= to[j];
                j += 1;
            } else {
                break;
            }
        }
        while i < from.len() && from[i] == 1 {
            i += 1;
        }
        while j < to.len() && to[j] == 1 {
            j += 1;
        }
        groups.push((start.0..i, start.1..j));
    }
    Some(groups)
}

/// The dimensions of `to` that hold what dimensions `dims` of `from` hold, without those of size 1, if `dims` are whole
/// groups (see [`groups`]; dimensions of size 1 do not matter).
pub(crate) fn regrouped(from: &[usize], to: &[usize], dims: &[usize]) -> Option<Sizes> {
    let mut result = Sizes::new();
    for (a, b) in groups(from, to)? {
        let mut real = a.filter(|&d| from[d] != 1).peekable();
        if real.peek().is_none_or(|d| !dims.contains(d)) {
            // None of the group: the others must be absent as well.
            if real.any(|d| dims.contains(&d)) {
                return None;
            }
            continue;
        }
        if !real.all(|d| dims.contains(&d)) {
            return None;
        }
        result.extend(b.filter(|&d| to[d] != 1));
    }
    Some(result)
}

impl Rewriter<'_> {
    fn rewrite_old(&mut self, node: Node, uses: u32) -> Values {
        self.cx.work += 1;
        if node.types.len() == 1
            && !matches!(node.op, Op::Parameter(_))
            && let Some(v) = (self.rule)(self, &node)
        {
            debug_assert_eq!(self.ty(v), &node.types[0], "a rewrite of `{}` keeps the type", node.op.name());
            self.uses[v.node.index()] += uses;
            self.new.hand_on_name(node.name, v);
            return smallvec![v];
        }
        self.uses.push(uses);
        self.new.keep(node)
    }

    /// Appends a node (or what it rewrites to) at the place of the node being rewritten. `None` when the operands do not
    /// fit the operator: a rule is wrong, and is not applied.
    pub fn push(&mut self, op: Op, operands: &[Value]) -> Option<Value> {
        let types = {
            let tys: SmallVec<[&TensorType; 4]> = operands.iter().map(|v| self.ty(*v)).collect();
            match kiln_ir::infer::result_types(&op, &tys) {
                Ok(types) => types,
                Err(d) => {
                    debug_assert!(false, "a rewrite made an invalid node: {d}");
                    return None;
                }
            }
        };
        let node = Node { op, operands: operands.into(), types, loc: self.loc.clone(), name: None };
        self.cx.work += 1;
        if self.depth < MAX_DEPTH {
            self.depth += 1;
            let v = (self.rule)(self, &node);
            self.depth -= 1;
            if v.is_some() {
                return v;
            }
        }
        let id = self.new.push_raw(node);
        self.uses.push(0);
        Some(id.into())
    }

    /// Asks to apply a rewrite: see [`Cx::fire`].
    pub fn fire(&mut self, rule: &'static str, level: Level) -> bool {
        self.cx.fire(rule, level)
    }

    /// Applies an exact rewrite to an existing value.
    pub fn exact(&mut self, rule: &'static str, v: Value) -> Option<Value> {
        self.fire(rule, Level::Exact).then_some(v)
    }

    /// The node that computes a value.
    pub fn def(&self, v: Value) -> &Node {
        self.new.node(v.node)
    }
    /// The operator that computes a value, with its operands.
    pub fn op(&self, v: Value) -> (&Op, &[Value]) {
        let n = self.def(v);
        (&n.op, &n.operands)
    }
    /// The type of a value.
    pub fn ty(&self, v: Value) -> &TensorType {
        self.new.ty(v)
    }
    /// The element type of a value.
    pub fn dtype(&self, v: Value) -> DType {
        self.ty(v).dtype
    }
    /// The sizes of a value. The input of the optimizer was checked to be static.
    pub fn sizes(&self, v: Value) -> Sizes {
        sizes_of(self.ty(v))
    }
    /// Whether at most one node uses the value.
    pub fn single_use(&self, v: Value) -> bool {
        self.uses[v.node.index()] <= 1
    }

    /// Appends a constant.
    pub fn constant(&mut self, t: Tensor) -> Value {
        let v = self.new.constant(t, self.loc.clone());
        self.uses.push(0);
        v
    }
    /// Appends a scalar constant.
    pub fn scalar(&mut self, dtype: DType, value: Lit) -> Option<Value> {
        Some(self.constant(value.tensor(dtype)?))
    }
    /// Appends a tensor of equal elements: a scalar constant, broadcast.
    pub fn splat(&mut self, ty: &TensorType, value: Lit) -> Option<Value> {
        let s = self.scalar(ty.dtype, value)?;
        self.broadcast_scalar(s, &ty.shape)
    }
    /// Appends a scalar broadcast to a shape.
    pub fn broadcast_scalar(&mut self, s: Value, shape: &Shape) -> Option<Value> {
        self.broadcast(s, shape, &[])
    }
    /// Appends a broadcast unless it changes nothing.
    pub fn broadcast(&mut self, v: Value, shape: &Shape, dims: &[usize]) -> Option<Value> {
        if self.ty(v).shape == *shape && is_identity(dims) {
            return Some(v);
        }
        self.push(Op::BroadcastInDim { shape: shape.clone(), dims: dims.into() }, &[v])
    }
    /// Appends a reshape unless the shape is right already.
    pub fn reshape(&mut self, v: Value, sizes: &[usize]) -> Option<Value> {
        if self.sizes(v).as_slice() == sizes {
            return Some(v);
        }
        self.push(Op::Reshape(Shape::from_sizes(sizes)), &[v])
    }
    /// Appends a transpose unless it is the identity.
    pub fn transpose(&mut self, v: Value, permutation: &[usize]) -> Option<Value> {
        if is_identity(permutation) {
            return Some(v);
        }
        self.push(Op::Transpose(permutation.into()), &[v])
    }

    /// The scalar constant that every element of a value equals, in the canonical form (a scalar constant, or a
    /// broadcast of one) or as a constant of one element.
    pub fn splat_tensor(&self, v: Value) -> Option<&Tensor> {
        match self.op(v) {
            (Op::Constant(t), _) if t.len() == 1 => Some(t),
            (Op::BroadcastInDim { .. } | Op::Reshape(_), &[x]) => match &self.def(x).op {
                Op::Constant(t) if t.len() == 1 => Some(t),
                _ => None,
            },
            _ => None,
        }
    }
    /// [`Rewriter::splat_tensor`] as a literal.
    pub fn lit(&self, v: Value) -> Option<Lit> {
        self.splat_tensor(v).and_then(Lit::of)
    }
    /// Whether a value is a constant, or a broadcast of one.
    pub fn is_constant_like(&self, v: Value) -> bool {
        match self.op(v) {
            (Op::Constant(_), _) => true,
            (Op::BroadcastInDim { .. } | Op::Reshape(_), &[x]) => matches!(self.def(x).op, Op::Constant(_)),
            _ => false,
        }
    }
}

/// Sizes of a static type.
pub(crate) fn sizes_of(ty: &TensorType) -> Sizes {
    ty.shape.as_sizes().expect("the optimizer's input was checked to be static")
}

/// Number of elements, saturating.
pub(crate) fn elements(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |a: usize, &n| a.saturating_mul(n))
}

/// Number of elements of a static type, saturating.
pub(crate) fn numel(ty: &TensorType) -> usize {
    elements(&sizes_of(ty))
}

/// Whether a permutation leaves everything in place.
pub(crate) fn is_identity(permutation: &[usize]) -> bool {
    permutation.iter().enumerate().all(|(i, &p)| i == p)
}

/// Whether dimension numbers ascend strictly.
pub(crate) fn is_ascending(dims: &[usize]) -> bool {
    dims.windows(2).all(|w| w[0] < w[1])
}

/// The inverse permutation.
pub(crate) fn inverse(permutation: &[usize]) -> Sizes {
    let mut inv: Sizes = smallvec![0; permutation.len()];
    for (i, &p) in permutation.iter().enumerate() {
        inv[p] = i;
    }
    inv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_the_finest() {
        assert_eq!(groups(&[2, 3, 4], &[6, 4]), Some(vec![(0..2, 0..1), (2..3, 1..2)]));
        assert_eq!(groups(&[6, 4], &[2, 12]), Some(vec![(0..2, 0..2)]));
        assert_eq!(groups(&[1, 5, 1], &[5]), Some(vec![(0..3, 0..1)]));
        assert_eq!(groups(&[], &[1, 1]), Some(vec![(0..0, 0..2)]));
        assert_eq!(groups(&[2, 2], &[2, 1, 2]), Some(vec![(0..1, 0..2), (1..2, 2..3)]));
        assert_eq!(groups(&[0, 2], &[2, 0]), None);
        assert_eq!(groups(&[4], &[5]), None);
    }

    #[test]
    fn dimensions_regroup_when_groups_are_whole() {
        let sizes = |v: &[usize]| Some(Sizes::from_slice(v));
        assert_eq!(regrouped(&[2, 3, 4], &[6, 4], &[0, 1]), sizes(&[0]));
        assert_eq!(regrouped(&[2, 3, 4], &[6, 4], &[2]), sizes(&[1]));
        assert_eq!(regrouped(&[2, 3, 4], &[6, 4], &[1]), None);
        assert_eq!(regrouped(&[2, 3, 4], &[6, 4], &[0]), None);
        assert_eq!(regrouped(&[6, 4], &[2, 1, 3, 4], &[0]), sizes(&[0, 2]));
        assert_eq!(regrouped(&[2, 3], &[6], &[]), sizes(&[]));
    }
}
