//! Dense row-major layouts: strides, and runs of dimensions that are walked as one.

use crate::op::{Axes, DotDims};
use smallvec::SmallVec;

/// Strides in elements of a dense tensor of these sizes; a dimension without elements counts as one.
pub fn strides(sizes: &[usize]) -> SmallVec<[isize; 4]> {
    let mut strides: SmallVec<[isize; 4]> = SmallVec::from_elem(1, sizes.len());
    for i in (1..sizes.len()).rev() {
        strides[i - 1] = strides[i] * sizes[i].max(1) as isize;
    }
    strides
}

/// A run of dimensions walked as one: its size, and its stride in each of `N` tensors.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Run<const N: usize> {
    /// Number of steps.
    pub size: usize,
    /// Elements between two steps, in each tensor.
    pub strides: [isize; N],
}

/// Joins neighbours (outer, inner) whose strides nest in every tensor, and drops dimensions of size 1.
pub fn collapse<const N: usize>(dims: impl IntoIterator<Item = Run<N>>) -> SmallVec<[Run<N>; 4]> {
    let mut out: SmallVec<[Run<N>; 4]> = SmallVec::new();
    for d in dims.into_iter().filter(|d| d.size != 1) {
        match out.last_mut() {
            Some(last) if (0..N).all(|i| last.strides[i] == d.strides[i] * d.size as isize) => {
                *last = Run { size: last.size * d.size, strides: d.strides };
            }
            _ => out.push(d),
        }
    }
    out
}

/// The contracted dimensions of a dot of dense operands of these sizes, in the order in which the left side stores them: one
/// run (or none) when a single stride per operand walks them all.
pub fn contraction(dims: &DotDims, lhs: &[usize], rhs: &[usize]) -> SmallVec<[Run<2>; 4]> {
    let (a, b) = (strides(lhs), strides(rhs));
    let mut pairs: SmallVec<[(usize, usize); 4]> =
        dims.lhs_contract.iter().copied().zip(dims.rhs_contract.iter().copied()).collect();
    pairs.sort_unstable();
    collapse(pairs.into_iter().map(|(l, r)| Run { size: lhs[l], strides: [a[l], b[r]] }))
}

/// The dimensions of a dot's operand that are neither batch nor contracted, ascending.
pub fn free_axes(rank: usize, batch: &Axes, contract: &Axes) -> Axes {
    (0..rank).filter(|d| !batch.contains(d) && !contract.contains(d)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_run() {
        assert_eq!(strides(&[2, 0, 3]).to_vec(), [3, 3, 1]);
        let axes = |list: &[usize]| list.iter().copied().collect::<Axes>();
        let dims =
            |l: &[usize], r: &[usize]| DotDims { lhs_contract: axes(l), rhs_contract: axes(r), ..DotDims::default() };
        let both = contraction(&dims(&[1, 2], &[0, 1]), &[5, 2, 3], &[2, 3, 7]);
        assert_eq!(both.to_vec(), [Run { size: 6, strides: [1, 7] }]);
        // The right side stores them the other way round.
        assert_eq!(contraction(&dims(&[1, 2], &[1, 0]), &[5, 2, 3], &[3, 2, 7]).len(), 2);
        assert!(contraction(&dims(&[1], &[0]), &[5, 1], &[1, 7]).is_empty());
    }
}
