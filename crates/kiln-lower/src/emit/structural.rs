//! Index maps that depend on data or need a choice: dynamic slices, concatenation, padding, gather, bit casts.

use super::builder::Emitter;
use super::elemental::Emit;
use super::index::{self, Idx};
use kiln_ir::op::{CompareDirection, GatherDims};
use kiln_ir::{BinaryOp, DType, Node, Value};
use kiln_loops::{Expr, Index, Var};
use smallvec::SmallVec;

impl Emitter<'_> {
    /// A start index (an integer element of any width) clamped to `0..=last`.
    pub fn start_index(&mut self, x: Var, last: i64) -> Index {
        if last <= 0 {
            return Index::default();
        }
        let x = if self.dtype(x) == DType::U64 {
            // Beyond i64 it would turn negative.
            let limit = self.int(DType::U64, last);
            self.binary(BinaryOp::Minimum, x, limit)
        } else {
            x
        };
        let x = self.convert(DType::I64, x);
        let (zero, limit) = (self.int(DType::I64, 0), self.int(DType::I64, last));
        let x = self.binary(BinaryOp::Maximum, x, zero);
        let x = self.binary(BinaryOp::Minimum, x, limit);
        self.dynamic(x, 0, last)
    }

    pub fn dynamic_slice(&mut self, node: &Node, idx: &Idx) -> Emit<Var> {
        let (from, to) = (self.cx.sizes(node.operands[0]), result_sizes(node));
        let mut inner = Idx::new();
        for d in 0..idx.len() {
            let x = self.scalar(node.operands[1 + d])?;
            let start = self.start_index(x, from[d] - to[d]);
            inner.push(index::add(&idx[d], &start));
        }
        self.elem(node.operands[0], &inner)
    }

    pub fn concatenate(&mut self, node: &Node, dim: usize, idx: &Idx) -> Emit<Var> {
        let (lo, hi) = self.range(&idx[dim]);
        let mut pieces: SmallVec<[(Value, i64, i64); 4]> = SmallVec::new();
        let mut at = 0;
        for &v in &node.operands {
            let n = self.cx.sizes(v)[dim];
            if n > 0 && lo < at + n && hi >= at {
                pieces.push((v, at, n));
            }
            at += n;
        }
        let mut result = None;
        for &(v, at, n) in pieces.iter().rev() {
            let mut inner = idx.clone();
            let shifted = index::offset(&idx[dim], -at);
            inner[dim] = if pieces.len() == 1 { shifted } else { self.guarded(&shifted, n).0 };
            let x = self.elem(v, &inner)?;
            result = Some(match result {
                None => x,
                Some(later) => {
                    let t = self.index_type(&idx[dim]);
                    let i = self.materialize(&idx[dim], t);
                    let end = self.int(t, at + n);
                    let here = self.compare(CompareDirection::LT, i, end);
                    self.select(here, x, later)
                }
            });
        }
        Ok(result.expect("an index lies in some operand"))
    }

    pub fn pad(&mut self, node: &Node, idx: &Idx) -> Emit<Var> {
        let kiln_ir::Op::Pad { low, interior, .. } = &node.op else { unreachable!("called for pad") };
        let sizes = self.cx.sizes(node.operands[0]);
        if index::count(&sizes) == 0 {
            return self.scalar(node.operands[1]);
        }
        let mut inner = Idx::new();
        let mut valid: Option<Var> = None;
        for d in 0..idx.len() {
            let pos = index::offset(&idx[d], -low[d].as_const().unwrap_or(0));
            let (first, last) = self.range(&pos);
            if last < 0 || first > (sizes[d] - 1) * (interior[d] + 1) {
                return self.scalar(node.operands[1]);
            }
            let (ix, ok) = self.undilate(&pos, interior[d] + 1, sizes[d]);
            inner.push(ix);
            valid = self.both(valid, ok);
        }
        let x = self.elem(node.operands[0], &inner)?;
        let Some(valid) = valid else { return Ok(x) };
        let p = self.scalar(node.operands[1])?;
        Ok(self.select(valid, x, p))
    }

    /// `a && b` of optional conditions (`None`: true).
    pub fn both(&mut self, a: Option<Var>, b: Option<Var>) -> Option<Var> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.binary(BinaryOp::And, a, b)),
            (a, b) => a.or(b),
        }
    }

    /// The element number in a dimension of size `n` at position `pos` of the dimension with `dilation - 1` gaps between
    /// elements, clamped, and whether there is an element (`None`: always).
    pub fn undilate(&mut self, pos: &Index, dilation: i64, n: i64) -> (Index, Option<Var>) {
        if dilation == 1 {
            return self.guarded(pos, n);
        }
        let (clamped, inside) = self.guarded(pos, (n - 1) * dilation + 1);
        let (q, r) = self.div_mod(&clamped, dilation);
        if r == Index::default() {
            return (q, inside);
        }
        let t = self.index_type(&r);
        let (rest, zero) = (self.materialize(&r, t), self.int(t, 0));
        let exact = self.compare(CompareDirection::EQ, rest, zero);
        (q, self.both(inside, Some(exact)))
    }

    pub fn gather(&mut self, node: &Node, dims: &GatherDims, idx: &Idx) -> Emit<Var> {
        let (operand, indices) = (node.operands[0], node.operands[1]);
        let sizes = self.cx.sizes(operand);
        let batch: Idx = (0..idx.len()).filter(|d| !dims.offset_dims.contains(d)).map(|d| idx[d].clone()).collect();
        let mut inner: Idx = SmallVec::from_elem(Index::default(), sizes.len());
        // Offsets in the slice.
        let kept = (0..sizes.len())
            .filter(|d| !dims.collapsed_slice_dims.contains(d) && !dims.operand_batching_dims.contains(d));
        for (d, &o) in kept.zip(&dims.offset_dims) {
            inner[d] = idx[o].clone();
        }
        // Start indices.
        for (k, &d) in dims.start_index_map.iter().enumerate() {
            let at = indices_index(&batch, dims.index_vector_dim, k, self.cx.func.ty(indices).rank());
            let x = self.elem(indices, &at)?;
            let slice = dims.slice_sizes[d].as_const().unwrap_or(1);
            let start = self.start_index(x, sizes[d] - slice);
            inner[d] = index::add(&inner[d], &start);
        }
        // Batching dimensions run along with those of the indices.
        for (&d, &b) in dims.operand_batching_dims.iter().zip(&dims.start_indices_batching_dims) {
            inner[d] = batch[b - usize::from(b > dims.index_vector_dim)].clone();
        }
        self.elem(operand, &inner)
    }

    pub fn bitcast(&mut self, node: &Node, to: DType, idx: &Idx) -> Emit<Var> {
        let operand = node.operands[0];
        let from = self.cx.dtype(operand);
        if from.size() == to.size() {
            let x = self.elem(operand, idx)?;
            let bits = self.bits_of(from, x);
            return Ok(self.of_bits(to, bits));
        }
        let (wide, narrow) = (unsigned(from.size().max(to.size())), unsigned(from.size().min(to.size())));
        let width = i64::from(narrow.bits());
        if from.size() > to.size() {
            let (part, outer) = idx.split_last().expect("a dimension of the parts");
            let x = self.elem(operand, outer)?;
            let x = self.bits_of(from, x);
            let shift = self.materialize(&index::scale(part, width), wide);
            let x = self.binary(BinaryOp::ShiftRightLogical, x, shift);
            let x = self.low_bits(x, wide, narrow);
            return Ok(self.of_bits(to, x));
        }
        let mut whole: Option<Var> = None;
        for k in 0..(to.size() / from.size()) as i64 {
            let mut inner = idx.clone();
            inner.push(Index::constant(k));
            let x = self.elem(operand, &inner)?;
            let x = self.bits_of(from, x);
            let x = self.convert(wide, x);
            let shift = self.int(wide, k * width);
            let x = if k == 0 { x } else { self.binary(BinaryOp::ShiftLeft, x, shift) };
            whole = Some(whole.map_or(x, |w| self.binary(BinaryOp::Or, w, x)));
        }
        Ok(self.of_bits(to, whole.expect("at least two parts")))
    }

    fn low_bits(&mut self, x: Var, wide: DType, narrow: DType) -> Var {
        let mask = self.int(wide, (1i64 << narrow.bits()) - 1);
        let x = self.binary(BinaryOp::And, x, mask);
        self.convert(narrow, x)
    }

    /// The bits of an element (in compute type) of a graph dtype, as unsigned integer of its width.
    pub fn bits_of(&mut self, dtype: DType, x: Var) -> Var {
        let u = unsigned(dtype.size());
        if dtype == DType::Bool {
            return self.convert(u, x);
        }
        let narrow = self.narrow.get(&x).copied().filter(|n| self.dtype(*n) == dtype);
        let x = narrow.unwrap_or_else(|| self.convert(dtype, x));
        if dtype == u { x } else { self.expr(Expr::Bitcast(u, x)) }
    }

    /// The element (in compute type) of a graph dtype that has these bits.
    pub fn of_bits(&mut self, dtype: DType, bits: Var) -> Var {
        if dtype == DType::Bool {
            return self.convert(dtype, bits);
        }
        let x = if self.dtype(bits) == dtype { bits } else { self.expr(Expr::Bitcast(dtype, bits)) };
        let wide = self.convert(dtype.compute_type(), x);
        if wide != x {
            self.narrow.insert(wide, x);
        }
        wide
    }
}

/// The position of component `k` of the start index of a batch element.
pub(super) fn indices_index(batch: &[Index], vector_dim: usize, k: usize, rank: usize) -> Idx {
    let mut at: Idx = batch.iter().cloned().collect();
    if vector_dim < rank {
        at.insert(vector_dim, Index::constant(k as i64));
    }
    at
}

fn unsigned(size: usize) -> DType {
    match size {
        1 => DType::U8,
        2 => DType::U16,
        4 => DType::U32,
        _ => DType::U64,
    }
}

/// Sizes of a node's first result.
pub(super) fn result_sizes(node: &Node) -> index::Sizes {
    node.types[0].shape.iter().map(|d| d.as_const().unwrap_or(0)).collect()
}
