//! Symbolic element indices: affine expressions of loop axes and of dynamic i64 variables.

use kiln_loops::{Index, Var};
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
