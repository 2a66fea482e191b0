//! Nested functions of scalars, inlined: comparators, and the bodies of generic reductions, windows and scatters.
//!
//! Every value in such a function counts as one element that all of its positions share, so broadcasts, reshapes and the like
//! cost nothing. Both sides of an `if` are computed and one is selected: nothing in a function has effects.

use super::builder::{Emitter, unsupported};
use super::elemental::Emit;
use super::index::Idx;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Func, Node, Op};
use kiln_loops::{Carry, Index, Loop, LoopKind, Stmt, Var};
use smallvec::{SmallVec, smallvec};

/// The elements of a node's results.
type Results = SmallVec<[Var; 1]>;

impl Emitter<'_> {
    /// The results of a nested function for arguments in the compute types of its parameters, in compute types.
    pub fn nested(&mut self, f: &Func, args: &[Var]) -> Emit<Vec<Var>> {
        let needed = f.live_nodes();
        let mut values: Vec<Results> = Vec::with_capacity(needed.len());
        for (id, node) in f.iter() {
            if !needed[id.index()] {
                values.push(Results::new());
                continue;
            }
            let operands: SmallVec<[Var; 4]> =
                node.operands.iter().map(|v| values[v.node.index()][v.result as usize]).collect();
            let results = self.nested_node(f, node, &operands, args)?;
            values.push(results);
        }
        Ok(f.outputs.iter().map(|o| values[o.value.node.index()][o.value.result as usize]).collect())
    }

    /// The results of one node for the elements `x` of its operands.
    fn nested_node(&mut self, f: &Func, node: &Node, x: &[Var], args: &[Var]) -> Emit<Results> {
        let dtype = node.types[0].dtype;
        let from = |i: usize| f.ty(node.operands[i]);
        let one = match &node.op {
            Op::Parameter(i) => args[*i as usize],
            Op::Constant(t) => {
                let bytes = t.splat().ok_or_else(|| inside(node, "it has several values"))?;
                self.literal(dtype, bytes)
            }
            Op::Iota { dim, .. } if node.types[0].shape[*dim].as_const() == Some(1) => {
                let zero = self.int(DType::I32, 0);
                self.cast(dtype, zero)
            }
            Op::GetDimensionSize(d) => match from(0).shape[*d].as_const() {
                Some(n) => self.int(dtype, n),
                None => return Err(inside(node, "the size is not known")),
            },
            Op::Unary(op) => self.apply_unary(*op, dtype, x[0]),
            Op::Binary(op) => self.apply_binary(*op, dtype, x[0], x[1]),
            Op::Compare(d) => self.compare(*d, x[0], x[1]),
            Op::Select => self.select(x[0], x[1], x[2]),
            Op::Clamp => {
                let low = self.binary(BinaryOp::Maximum, x[1], x[0]);
                self.binary(BinaryOp::Minimum, low, x[2])
            }
            Op::Convert(to) => self.cast(*to, x[0]),
            Op::BitcastConvert(to) if from(0).dtype.size() == to.size() => {
                let bits = self.bits_of(from(0).dtype, x[0]);
                self.of_bits(*to, bits)
            }
            Op::ReducePrecision { exponent_bits, mantissa_bits } => {
                self.reduce_precision(dtype, *exponent_bits, *mantissa_bits, x[0])
            }
            Op::BroadcastInDim { .. }
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Reverse(_)
            | Op::Slice { .. }
            | Op::DynamicSlice { .. } => x[0],
            Op::Concatenate(_) if x.len() == 1 => x[0],
            Op::Reduce { reducer, .. } if from(0).shape.num_elements() == Some(1) => {
                self.apply_binary(reducer.binary(), dtype, x[1], x[0])
            }
            Op::OptimizationBarrier => return Ok(x.iter().copied().collect()),
            Op::If { on_true, on_false } => {
                let (a, b) = (self.nested(on_true, &x[1..])?, self.nested(on_false, &x[1..])?);
                return Ok(a.into_iter().zip(b).map(|(a, b)| self.select(x[0], a, b)).collect());
            }
            Op::Case { branches } => return self.nested_case(branches, x),
            Op::Composite { body, .. } => return Ok(self.nested(body, x)?.into()),
            _ => return Err(inside(node, "it is not computed element by element")),
        };
        Ok(smallvec![one])
    }

    /// The results of the branch that the index (`x[0]`) names; of the last one when there is no such branch.
    fn nested_case(&mut self, branches: &[Func], x: &[Var]) -> Emit<Results> {
        let mut chosen: Results = SmallVec::new();
        for (k, branch) in branches.iter().enumerate().rev() {
            let results = self.nested(branch, &x[1..])?;
            if k + 1 == branches.len() {
                chosen = results.into();
                continue;
            }
            let number = self.int(DType::I32, k as i64);
            let here = self.compare(CompareDirection::EQ, x[0], number);
            chosen = results.into_iter().zip(chosen).map(|(a, b)| self.select(here, a, b)).collect();
        }
        Ok(chosen)
    }

    /// A float rounded (to nearest even) to what so many bits of exponent and mantissa can hold: too large becomes infinity, what
    /// would be subnormal becomes zero, NaN stays.
    pub fn reduce_precision(&mut self, dtype: DType, exponent_bits: u32, mantissa_bits: u32, x: Var) -> Var {
        let (uint, mantissa, bias) = match dtype {
            DType::F64 => (DType::U64, 52u32, 1023i64),
            DType::F16 => (DType::U16, 10, 15),
            DType::BF16 => (DType::U16, 7, 127),
            _ => (DType::U32, 23, 127),
        };
        let exponent = dtype.bits() - 1 - mantissa;
        let infinity = ((1i64 << exponent) - 1) << mantissa;
        let mut bits = self.bits_of(dtype, x);
        if mantissa_bits < mantissa {
            let dropped = mantissa - mantissa_bits;
            // Half a unit, less one bit when the last kept bit is even.
            let (shift, one) = (self.int(uint, i64::from(dropped)), self.int(uint, 1));
            let odd = self.binary(BinaryOp::ShiftRightLogical, bits, shift);
            let odd = self.binary(BinaryOp::And, odd, one);
            let half = self.int(uint, (1i64 << (dropped - 1)) - 1);
            let up = self.binary(BinaryOp::Add, odd, half);
            bits = self.binary(BinaryOp::Add, bits, up);
            let kept = self.int(uint, -(1i64 << dropped));
            bits = self.binary(BinaryOp::And, bits, kept);
        }
        if exponent_bits < exponent {
            let reduced_bias = (1i64 << (exponent_bits - 1)) - 1;
            let magnitude = self.int(uint, infinity);
            let field = self.binary(BinaryOp::And, bits, magnitude);
            let sign = self.int(uint, i64::MIN >> (64 - dtype.bits()));
            let sign = self.binary(BinaryOp::And, bits, sign);
            let largest = self.int(uint, (bias + reduced_bias) << mantissa);
            let over = self.compare(CompareDirection::GT, field, largest);
            let inf = self.binary(BinaryOp::Or, sign, magnitude);
            bits = self.select(over, inf, bits);
            let least = self.int(uint, (bias - reduced_bias) << mantissa);
            let under = self.compare(CompareDirection::LE, field, least);
            bits = self.select(under, sign, bits);
        }
        let y = self.of_bits(dtype, bits);
        let nan = self.compare(CompareDirection::NE, x, x);
        self.select(nan, x, y)
    }

    /// A serial loop in the current scope that hands values from iteration to iteration: `body` takes the position and the
    /// values that an iteration starts with and gives those of the next one. Returns the last ones.
    pub fn carry_loop(
        &mut self,
        extent: i64,
        inits: &[Var],
        body: impl FnOnce(&mut Self, &Index, &[Var]) -> Emit<Vec<Var>>,
    ) -> Emit<Vec<Var>> {
        let (outer, level) = (self.top(), self.top() + 1);
        let axis = self.axis(level, extent);
        self.open(vec![axis], false);
        let types: SmallVec<[DType; 4]> = inits.iter().map(|v| self.dtype(*v)).collect();
        let params: Vec<Var> = types.iter().map(|t| self.fresh(*t, level)).collect();
        let at = Index::default().plus_axis(axis, 1);
        let next = body(self, &at, &params)?;
        let scope = self.close();
        let results: Vec<Var> = types.iter().map(|t| self.fresh(*t, outer)).collect();
        let carried = (0..inits.len())
            .map(|i| Carry { param: params[i], init: inits[i], next: next[i], result: results[i] })
            .collect();
        self.scopes[outer].stmts.push(Stmt::Loop(Loop {
            axis,
            extent: extent as u64,
            kind: LoopKind::Serial,
            reductions: SmallVec::new(),
            carried,
            body: scope.stmts,
        }));
        Ok(results)
    }

    /// Nested [`Emitter::carry_loop`]s, outermost first, around `body`, which takes one position per loop.
    pub fn carry_nest(&mut self, extents: &[i64], inits: Vec<Var>, body: &mut CarryBody<'_>) -> Emit<Vec<Var>> {
        let mut at: Idx = SmallVec::from_elem(Index::default(), extents.len());
        self.carry_levels(extents, 0, &mut at, inits, body)
    }

    fn carry_levels(
        &mut self,
        extents: &[i64],
        d: usize,
        at: &mut Idx,
        inits: Vec<Var>,
        body: &mut CarryBody<'_>,
    ) -> Emit<Vec<Var>> {
        match extents.get(d) {
            None => body(self, at, &inits),
            Some(1) => self.carry_levels(extents, d + 1, at, inits, body),
            Some(&n) => self.carry_loop(n, &inits, |e, ix, params| {
                at[d] = ix.clone();
                e.carry_levels(extents, d + 1, at, params.to_vec(), body)
            }),
        }
    }
}

/// The body of a nest of loops that carry values: positions and values in, the next values out.
pub(super) type CarryBody<'b> = dyn FnMut(&mut Emitter<'_>, &[Index], &[Var]) -> Emit<Vec<Var>> + 'b;

/// The error for a node that has no scalar form.
fn inside(node: &Node, why: &str) -> kiln_ir::Diagnostic {
    unsupported(node, &format!("in a nested function of scalars, where {why}"))
}
