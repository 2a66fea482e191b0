//! Symbolic element indices: affine expressions of loop axes and of dynamic i64 variables.

use super::builder::Emitter;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType};
use kiln_loops::{Expr, Index, Var};
use smallvec::SmallVec;

/// One index per dimension of a value.
pub(super) type Idx = SmallVec<[Index; 6]>;
/// Concrete sizes of a value.
pub(super) type Sizes = SmallVec<[i64; 6]>;

/// `var`, an i64 variable.
pub(super) fn var(v: Var) -> Index {
    Index::default().plus_var(v, 1)
}

/// `a + b`, in normal form (dynamic terms sorted and merged).
pub(super) fn add(a: &Index, b: &Index) -> Index {
    let mut out = a.clone();
    out.offset += b.offset;
    for &(x, s) in &b.terms {
        out = out.plus_axis(x, s);
    }
    for &(v, f) in &b.dynamic {
        match out.dynamic.binary_search_by_key(&v, |t| t.0) {
            Ok(i) => {
                out.dynamic[i].1 += f;
                if out.dynamic[i].1 == 0 {
                    out.dynamic.remove(i);
                }
            }
            Err(i) => out.dynamic.insert(i, (v, f)),
        }
    }
    out
}

/// `a + k`.
pub(super) fn offset(a: &Index, k: i64) -> Index {
    let mut out = a.clone();
    out.offset += k;
    out
}

/// `a * k`.
pub(super) fn scale(a: &Index, k: i64) -> Index {
    if k == 0 {
        return Index::default();
    }
    let mut out = a.clone();
    out.offset *= k;
    out.terms.iter_mut().for_each(|t| t.1 *= k);
    out.dynamic.iter_mut().for_each(|t| t.1 *= k);
    out
}

/// `a - b`.
pub(super) fn sub(a: &Index, b: &Index) -> Index {
    add(a, &scale(b, -1))
}

/// Row-major strides of a shape.
pub(super) fn strides(sizes: &[i64]) -> Sizes {
    let mut out: Sizes = SmallVec::from_elem(1, sizes.len());
    for d in (0..sizes.len().saturating_sub(1)).rev() {
        out[d] = out[d + 1] * sizes[d + 1];
    }
    out
}

/// The row-major element number of a multi-dimensional index.
pub(super) fn linearize(idx: &[Index], sizes: &[i64]) -> Index {
    idx.iter().zip(strides(sizes)).fold(Index::default(), |acc, (i, s)| add(&acc, &scale(i, s)))
}

/// Number of elements of a shape.
pub(super) fn count(sizes: &[i64]) -> i64 {
    sizes.iter().product()
}

/// The parts of two shapes of equal element count whose products agree: pairs of ranges of dimensions. Dimensions of size 1
/// are attached to the part they follow.
pub(super) fn segments(a: &[i64], b: &[i64]) -> SmallVec<[(std::ops::Range<usize>, std::ops::Range<usize>); 4]> {
    let mut out = SmallVec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let (i0, j0) = (i, j);
        let (mut p, mut q) = (1, 1);
        if i < a.len() {
            p *= a[i];
            i += 1;
        }
        if j < b.len() {
            q *= b[j];
            j += 1;
        }
        while p != q {
            if (p < q && i < a.len()) || j >= b.len() {
                if i >= a.len() {
                    break;
                }
                p *= a[i];
                i += 1;
            } else {
                q *= b[j];
                j += 1;
            }
        }
        while i < a.len() && a[i] == 1 {
            i += 1;
        }
        while j < b.len() && b[j] == 1 {
            j += 1;
        }
        out.push((i0..i, j0..j));
    }
    out
}

impl Emitter<'_> {
    /// Bounds (inclusive) of an index over all iterations.
    pub fn range(&self, ix: &Index) -> (i64, i64) {
        let (mut lo, mut hi) = (ix.offset, ix.offset);
        let mut widen = |f: i64, a: i64, b: i64| {
            let (x, y) = (f.saturating_mul(a), f.saturating_mul(b));
            lo = lo.saturating_add(x.min(y));
            hi = hi.saturating_add(x.max(y));
        };
        for &(a, s) in &ix.terms {
            widen(s, 0, (self.extent(a) - 1).max(0));
        }
        for &(v, f) in &ix.dynamic {
            let (a, b) = self.ranges.get(&v).copied().unwrap_or((i64::MIN / 4, i64::MAX / 4));
            widen(f, a, b);
        }
        (lo, hi)
    }

    /// States the bounds of an i64 variable.
    pub fn bound(&mut self, v: Var, lo: i64, hi: i64) {
        self.ranges.insert(v, (lo, hi));
    }

    /// The index as a variable of an integer type (in which it is exact or wraps).
    pub fn materialize(&mut self, ix: &Index, dtype: DType) -> Var {
        let mut sum: Option<Var> = None;
        let mut terms: SmallVec<[(Var, i64); 6]> = SmallVec::new();
        for &(a, s) in &ix.terms {
            terms.push((self.expr(Expr::Axis(a)), s));
        }
        terms.extend(ix.dynamic.iter().copied());
        // Outer terms first, so that partial sums leave the inner loops.
        terms.sort_by_key(|t| self.level(t.0));
        let mut offset = Some(ix.offset).filter(|o| *o != 0);
        for (v, s) in terms {
            let x = self.convert(dtype, v);
            let k = self.int(dtype, s);
            let x = if s == 1 { x } else { self.binary(BinaryOp::Multiply, x, k) };
            let x = match sum {
                Some(y) => self.binary(BinaryOp::Add, y, x),
                None => x,
            };
            let constant = offset.take().map(|o| self.int(dtype, o));
            sum = Some(constant.map_or(x, |c| self.binary(BinaryOp::Add, x, c)));
        }
        sum.unwrap_or_else(|| self.int(dtype, ix.offset))
    }

    /// The type to compare and clamp an index in: i32 when it fits.
    pub fn index_type(&self, ix: &Index) -> DType {
        let (lo, hi) = self.range(ix);
        if lo > i64::from(i32::MIN) / 2 && hi < i64::from(i32::MAX) / 2 { DType::I32 } else { DType::I64 }
    }

    /// The index clamped to `0..n`, and whether it lies there (`None`: always). `n` is at least 1.
    pub fn guarded(&mut self, ix: &Index, n: i64) -> (Index, Option<Var>) {
        let (lo, hi) = self.range(ix);
        if lo >= 0 && hi < n {
            return (ix.clone(), None);
        }
        let t = self.index_type(ix);
        let (zero, last) = (self.int(t, 0), self.int(t, n - 1));
        let mut x = self.materialize(ix, t);
        let mut valid = None;
        let raw = x;
        if lo < 0 {
            valid = Some(self.compare(CompareDirection::GE, raw, zero));
            x = self.binary(BinaryOp::Maximum, x, zero);
        }
        if hi >= n {
            let below = self.compare(CompareDirection::LE, raw, last);
            valid = Some(valid.map_or(below, |v| self.binary(BinaryOp::And, v, below)));
            x = self.binary(BinaryOp::Minimum, x, last);
        }
        (self.dynamic(x, 0, n - 1), valid)
    }

    /// An index made of an integer variable whose bounds are known.
    pub fn dynamic(&mut self, x: Var, lo: i64, hi: i64) -> Index {
        let x = self.convert(DType::I64, x);
        self.bound(x, lo, hi);
        var(x)
    }

    /// `(ix / n, ix % n)` of a non-negative index, affine where possible.
    pub fn div_mod(&mut self, ix: &Index, n: i64) -> (Index, Index) {
        let (mut q, mut r) = (Index::default(), Index::default());
        for &(a, s) in &ix.terms {
            q = q.plus_axis(a, s / n);
            r = r.plus_axis(a, s % n);
        }
        for &(v, f) in &ix.dynamic {
            q = q.plus_var(v, f / n);
            r = r.plus_var(v, f % n);
        }
        let (lo, hi) = self.range(&r);
        let k = (ix.offset + lo).rem_euclid(n) - lo;
        if lo + k >= 0 && hi + k < n {
            q.offset = (ix.offset - k) / n;
            r.offset = k;
            return (q, r);
        }
        let (lo, hi) = self.range(ix);
        let t = self.index_type(ix);
        let x = self.materialize(ix, t);
        let by = self.int(t, n);
        let d = self.binary(BinaryOp::Divide, x, by);
        let m = self.binary(BinaryOp::Remainder, x, by);
        (self.dynamic(d, (lo / n).max(0), (hi / n).max(0)), self.dynamic(m, 0, n - 1))
    }

    /// The multi-dimensional index of an element number.
    pub fn delinearize(&mut self, linear: &Index, sizes: &[i64]) -> Idx {
        let mut out: Idx = SmallVec::from_elem(Index::default(), sizes.len());
        let first = sizes.iter().position(|&n| n != 1).unwrap_or(0);
        let mut rest = linear.clone();
        for d in (0..sizes.len()).rev() {
            if sizes[d] == 1 {
                continue;
            }
            if d == first {
                out[d] = rest.clone();
            } else {
                (rest, out[d]) = self.div_mod(&rest, sizes[d]);
            }
        }
        out
    }

    /// The index in a shape of the element that has index `idx` in another shape of as many elements.
    pub fn reshape(&mut self, idx: &[Index], from: &[i64], to: &[i64]) -> Idx {
        let mut out: Idx = SmallVec::new();
        for (f, t) in segments(from, to) {
            let linear = linearize(&idx[f.clone()], &from[f]);
            let part = self.delinearize(&linear, &to[t]);
            out.extend(part);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_loops::AxisId;

    fn axis(a: AxisId) -> Index {
        Index::default().plus_axis(a, 1)
    }

    #[test]
    fn segments_split_at_equal_products() {
        assert_eq!(segments(&[2, 3, 4], &[6, 4]).as_slice(), &[(0..2, 0..1), (2..3, 1..2)]);
        assert_eq!(segments(&[4, 1], &[1, 2, 2]).as_slice(), &[(0..2, 0..3)]);
        assert_eq!(segments(&[], &[1, 1]).as_slice(), &[(0..0, 0..2)]);
        assert_eq!(segments(&[5], &[5, 1]).as_slice(), &[(0..1, 0..2)]);
    }

    #[test]
    fn addition_cancels() {
        let a = axis(AxisId(3));
        assert_eq!(sub(&a, &a), Index::default());
        assert_eq!(sub(&var(Var(1)), &var(Var(1))), Index::default());
        assert_eq!(linearize(&[axis(AxisId(0)), axis(AxisId(1))], &[3, 5]).stride(AxisId(0)), 5);
    }
}
