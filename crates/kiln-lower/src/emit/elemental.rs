//! The element of a value at a symbolic index.

use super::builder::{Emitter, unsupported};
use super::index::{self, Idx};
use kiln_ir::{BinaryOp, DType, Diagnostic, Node, Op, UnaryOp, Value};
use kiln_loops::{Const, Index, Var};
use smallvec::SmallVec;

pub(super) type Emit<T> = Result<T, Diagnostic>;

impl Emitter<'_> {
    /// The element of `v` at `idx` (one index per dimension, all within the shape), in the compute type of its dtype.
    pub fn elem(&mut self, v: Value, idx: &[Index]) -> Emit<Var> {
        let sizes = self.cx.sizes(v);
        let idx: Idx =
            idx.iter().zip(&sizes).map(|(i, &n)| if n == 1 { Index::default() } else { i.clone() }).collect();
        let key = (v, idx);
        if let Some(var) = self.remembered(&key) {
            return Ok(var);
        }
        let var = if self.cx.is_memory(v) {
            let buf = self.buffer(v);
            self.load(buf, index::linearize(&key.1, &sizes))
        } else if let Some(var) = self.spilled(v, &key.1) {
            var
        } else {
            let var = self.compute(v, &key.1)?;
            self.spill(v, &key.1, var);
            var
        };
        self.remember(key, var);
        Ok(var)
    }

    fn compute(&mut self, v: Value, idx: &Idx) -> Emit<Var> {
        let cx = self.cx;
        let node = cx.node(v.node);
        let dtype = cx.dtype(v);
        match &node.op {
            Op::Constant(t) => {
                let bytes = t.splat().ok_or_else(|| unsupported(node, "literal of several values in a kernel"))?;
                Ok(self.literal(dtype, bytes))
            }
            Op::Iota { dim, .. } => Ok(self.iota(dtype, &idx[*dim])),
            Op::GetDimensionSize(d) => {
                let n = cx.sizes(node.operands[0])[*d];
                Ok(self.int(dtype, n))
            }
            Op::Unary(op) => {
                let x = self.elem(node.operands[0], idx)?;
                Ok(self.apply_unary(*op, dtype, x))
            }
            Op::Binary(op) => {
                let x = self.elem(node.operands[0], idx)?;
                let y = self.elem(node.operands[1], idx)?;
                Ok(self.apply_binary(*op, dtype, x, y))
            }
            Op::Compare(d) => {
                let x = self.elem(node.operands[0], idx)?;
                let y = self.elem(node.operands[1], idx)?;
                Ok(self.compare(*d, x, y))
            }
            Op::Select => {
                let p = self.elem_or_scalar(node.operands[0], idx)?;
                let x = self.elem(node.operands[1], idx)?;
                let y = self.elem(node.operands[2], idx)?;
                Ok(self.select(p, x, y))
            }
            Op::Clamp => {
                let lo = self.elem_or_scalar(node.operands[0], idx)?;
                let x = self.elem(node.operands[1], idx)?;
                let hi = self.elem_or_scalar(node.operands[2], idx)?;
                let x = self.binary(BinaryOp::Maximum, x, lo);
                Ok(self.binary(BinaryOp::Minimum, x, hi))
            }
            Op::Convert(to) => {
                let x = self.elem(node.operands[0], idx)?;
                Ok(self.cast(*to, x))
            }
            Op::ReducePrecision { exponent_bits, mantissa_bits } => {
                let x = self.elem(node.operands[0], idx)?;
                Ok(self.reduce_precision(dtype, *exponent_bits, *mantissa_bits, x))
            }
            Op::OptimizationBarrier => self.elem(node.operands[v.result as usize], idx),
            Op::BroadcastInDim { dims, .. } => {
                let sizes = cx.sizes(node.operands[0]);
                let inner: Idx = dims
                    .iter()
                    .zip(&sizes)
                    .map(|(&d, &n)| if n == 1 { Index::default() } else { idx[d].clone() })
                    .collect();
                self.elem(node.operands[0], &inner)
            }
            Op::Reshape(_) => {
                let inner = self.reshape(idx, &cx.sizes(v), &cx.sizes(node.operands[0]));
                self.elem(node.operands[0], &inner)
            }
            Op::Transpose(perm) => {
                let mut inner: Idx = SmallVec::from_elem(Index::default(), perm.len());
                perm.iter().enumerate().for_each(|(i, &d)| inner[d] = idx[i].clone());
                self.elem(node.operands[0], &inner)
            }
            Op::Reverse(dims) => {
                let sizes = cx.sizes(v);
                let mut inner = idx.clone();
                dims.iter().for_each(|&d| inner[d] = index::offset(&index::scale(&idx[d], -1), sizes[d] - 1));
                self.elem(node.operands[0], &inner)
            }
            Op::Slice { start, strides, .. } => {
                let inner: Idx = (0..idx.len())
                    .map(|d| index::offset(&index::scale(&idx[d], strides[d]), start[d].as_const().unwrap_or(0)))
                    .collect();
                self.elem(node.operands[0], &inner)
            }
            Op::BitcastConvert(to) => self.bitcast(node, *to, idx),
            Op::DynamicSlice { .. } => self.dynamic_slice(node, idx),
            Op::Concatenate(dim) => self.concatenate(node, *dim, idx),
            Op::Pad { .. } => self.pad(node, idx),
            Op::Gather(dims) => self.gather(node, dims, idx),
            Op::Reduce { .. } => self.reduce(v.node, idx),
            Op::ArgReduce { .. } => self.arg_reduce(v.node, idx),
            Op::ReduceWindow { .. } => self.reduce_window(v.node, idx),
            Op::Parameter(_)
            | Op::DotGeneral(_)
            | Op::Convolution(_)
            | Op::SelectAndScatter { .. }
            | Op::GenericSelectAndScatter { .. }
            | Op::GenericReduce { .. }
            | Op::GenericReduceWindow { .. }
            | Op::DynamicUpdateSlice
            | Op::Scatter { .. }
            | Op::GenericScatter { .. }
            | Op::Sort { .. }
            | Op::Fft { .. }
            | Op::Cholesky { .. }
            | Op::TriangularSolve { .. }
            | Op::While { .. }
            | Op::If { .. }
            | Op::Case { .. }
            | Op::RngBitGenerator { .. }
            | Op::Composite { .. } => Err(not_elemental(node)),
            // Legalization leaves pairs of floats.
            Op::Complex | Op::Real | Op::Imag => Err(unsupported(node, "complex numbers are not legalized")),
        }
    }

    /// The element of an operand that is of the result's shape or a scalar.
    fn elem_or_scalar(&mut self, v: Value, idx: &[Index]) -> Emit<Var> {
        if self.cx.func.ty(v).rank() == 0 { self.elem(v, &[]) } else { self.elem(v, idx) }
    }

    /// A scalar operand.
    pub fn scalar(&mut self, v: Value) -> Emit<Var> {
        self.elem(v, &[])
    }

    /// A literal element, in compute type.
    pub fn literal(&mut self, dtype: DType, bytes: &[u8]) -> Var {
        let bits = bytes.iter().rev().fold(0u64, |a, b| a << 8 | u64::from(*b));
        let (dtype, bits) = match dtype {
            DType::BF16 => (DType::F32, bits << 16),
            DType::F16 => (DType::F32, u64::from(kiln_ir::float::f32_of_f16(bits as u16).to_bits())),
            other => (other, bits),
        };
        self.constant(Const { dtype, bits })
    }

    /// `convert`: exact types in, exact types out.
    pub fn cast(&mut self, to: DType, x: Var) -> Var {
        if to.compute_type() == to {
            return self.convert(to, x);
        }
        if self.dtype(x) == DType::F32 {
            return self.rounded(to, x);
        }
        let n = self.convert(to, x);
        let wide = self.convert(DType::F32, n);
        self.narrow.insert(wide, n);
        wide
    }

    fn iota(&mut self, dtype: DType, ix: &Index) -> Var {
        match dtype {
            d if d.is_int() => self.materialize(ix, d),
            d => {
                let t = self.index_type(ix);
                let i = self.materialize(ix, t);
                self.cast(d, i)
            }
        }
    }

    /// A unary operator on elements of `dtype`'s compute type, rounded to the result dtype.
    pub fn apply_unary(&mut self, op: UnaryOp, dtype: DType, x: Var) -> Var {
        let y = self.unary(op, x);
        if op.rounds_half() { self.rounded(dtype, y) } else { y }
    }

    /// A binary operator on elements of `dtype`'s compute type, rounded to it.
    pub fn apply_binary(&mut self, op: BinaryOp, dtype: DType, x: Var, y: Var) -> Var {
        let z = self.binary(op, x, y);
        if op.rounds_half() { self.rounded(dtype, z) } else { z }
    }

    /// Index over all of a value's elements in row-major order, from axes of their own in a scope about to be opened.
    pub fn space(&mut self, v: Value, dims: std::ops::Range<usize>) -> (Vec<kiln_loops::AxisId>, Idx) {
        let sizes = self.cx.sizes(v);
        let (total, strides) = (index::count(&sizes), index::strides(&sizes));
        let level = self.scopes.len();
        let mut axes = Vec::new();
        let mut idx = Idx::new();
        for d in dims {
            let factors = self.cx.factors(total, strides[d], sizes[d]);
            let (a, ix) = self.dim_axes(level, &factors);
            axes.extend(a);
            idx.push(ix);
        }
        (axes, idx)
    }

    /// Stores the elements of `outputs`, whose element number is `linear`, computed before the first store.
    pub fn store_all(&mut self, outputs: &[Value], linear: &Index, shape: &[i64], idx: &[Index]) -> Emit<()> {
        let mut vars = Vec::new();
        for &v in outputs {
            let inner = self.reshape(idx, shape, &self.cx.sizes(v));
            vars.push(self.elem(v, &inner)?);
        }
        for (&v, var) in outputs.iter().zip(vars) {
            let buf = self.buffer(v);
            self.store(buf, linear.clone(), var);
        }
        Ok(())
    }
}

/// The error for a node that cannot be computed element by element.
fn not_elemental(node: &Node) -> Diagnostic {
    unsupported(node, "it is not computed element by element and cannot be fused into a consumer")
}
