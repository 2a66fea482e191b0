//! Walking over tensors: strides, offsets, views and windows. All offsets count elements.

use kiln_ir::op::WindowDim;
use smallvec::{SmallVec, smallvec};

/// One number per dimension.
pub(crate) type Dims<T> = SmallVec<[T; 6]>;

/// Row-major strides of a dense tensor.
pub(crate) fn strides(shape: &[usize]) -> Dims<isize> {
    let mut s: Dims<isize> = smallvec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        s[i - 1] = s[i].wrapping_mul(shape[i] as isize);
    }
    s
}

/// A place in a buffer for every index: `offset + sum(index * stride)`.
pub(crate) struct View {
    /// Offset of index 0.
    pub offset: isize,
    /// Step per dimension; may be 0 or negative.
    pub strides: Dims<isize>,
}

impl View {
    /// A dense tensor as it lies.
    pub fn dense(shape: &[usize]) -> View {
        View { offset: 0, strides: strides(shape) }
    }
}

/// Calls `f` with the offsets of two views at every index of `shape`, in row-major order.
pub(crate) fn for_each2(shape: &[usize], a: &View, b: &View, mut f: impl FnMut(usize, usize)) {
    if shape.contains(&0) {
        return;
    }
    let (mut x, mut y) = (a.offset, b.offset);
    let Some((&inner, outer)) = shape.split_last() else {
        return f(x as usize, y as usize);
    };
    let last = outer.len();
    let (dx, dy) = (a.strides[last], b.strides[last]);
    let mut index: Dims<usize> = smallvec![0; last];
    loop {
        let (mut p, mut q) = (x, y);
        for _ in 0..inner {
            f(p as usize, q as usize);
            p += dx;
            q += dy;
        }
        let mut d = last;
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            index[d] += 1;
            x += a.strides[d];
            y += b.strides[d];
            if index[d] < shape[d] {
                break;
            }
            x -= a.strides[d] * shape[d] as isize;
            y -= b.strides[d] * shape[d] as isize;
            index[d] = 0;
        }
    }
}

/// Calls `f` with every index of `shape`, in row-major order.
pub(crate) fn for_each_index(shape: &[usize], mut f: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index: Dims<usize> = smallvec![0; shape.len()];
    loop {
        f(&index);
        let mut d = shape.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
}

/// The offsets of the dimensions `dims` of a dense tensor, row-major in the order of `dims`, the others at index 0.
pub(crate) fn offsets(shape: &[usize], dims: &[usize]) -> Vec<usize> {
    if dims.iter().any(|&d| shape[d] == 0) {
        return Vec::new();
    }
    let all = strides(shape);
    let mut list = vec![0usize];
    for &d in dims {
        let step = all[d] as usize;
        list = list.iter().flat_map(|&o| (0..shape[d]).map(move |i| o + i * step)).collect();
    }
    list
}

/// The offset of an index in a dense tensor.
pub(crate) fn offset_of(index: &[usize], strides: &[isize]) -> usize {
    index.iter().zip(strides).map(|(&i, &s)| i * s as usize).sum()
}

/// The dimensions from 0 to `rank` that are not listed.
pub(crate) fn complement(rank: usize, listed: &[usize]) -> Dims<usize> {
    (0..rank).filter(|d| !listed.contains(d)).collect()
}

/// The elements that window number `out` touches in a dimension of size `n`: pairs of (index in the window, index in the
/// input), by ascending window index. Padding and the holes of a dilated input are left out.
pub(crate) fn taps(w: &WindowDim, n: usize, out: usize) -> Vec<(usize, usize)> {
    // Positions count in the dilated input; element i lies at i * base. 128 bits, for attributes may be anything.
    let start = out as i128 * i128::from(w.stride) - i128::from(w.pad_low);
    let (size, n, base, step) =
        (i128::from(w.size), n as i128, i128::from(w.base_dilation), i128::from(w.window_dilation));
    if n == 0 || size <= 0 {
        return Vec::new();
    }
    let mut list = Vec::new();
    if step >= base {
        let first = (-start + step - 1).div_euclid(step).max(0);
        let last = ((n - 1) * base - start).div_euclid(step).min(size - 1);
        for k in first..=last {
            let at = start + k * step;
            if at % base == 0 {
                list.push((k as usize, (at / base) as usize));
            }
        }
    } else {
        let first = (start + base - 1).div_euclid(base).max(0);
        let last = (start + (size - 1) * step).div_euclid(base).min(n - 1);
        for i in first..=last {
            let from_start = i * base - start;
            if from_start % step == 0 {
                list.push(((from_start / step) as usize, i as usize));
            }
        }
    }
    if w.reversed {
        list.iter_mut().for_each(|(k, _)| *k = (size - 1) as usize - *k);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_agree_with_the_definition() {
        for (n, size, stride, low, high, base, step) in [
            (5, 3, 1, 0, 0, 1, 1),
            (5, 3, 2, 2, 1, 2, 3),
            (4, 4, 3, -1, 2, 3, 2),
            (1, 2, 1, 5, 5, 4, 7),
            (6, 2, 1, 1, 1, 3, 3),
        ] {
            let w = WindowDim {
                size,
                stride,
                pad_low: low,
                pad_high: high,
                base_dilation: base,
                window_dilation: step,
                reversed: false,
            };
            for out in 0..w.output_size(n) {
                let mut want = Vec::new();
                for k in 0..size {
                    let at = out * stride + k * step - low;
                    if at >= 0 && at % base == 0 && at / base < n {
                        want.push((k as usize, (at / base) as usize));
                    }
                }
                assert_eq!(taps(&w, n as usize, out as usize), want, "{w:?} window {out}");
            }
        }
    }

    #[test]
    fn views_walk_in_row_major_order() {
        let mut seen = Vec::new();
        let transposed = View { offset: 0, strides: smallvec![1, 3] };
        for_each2(&[3, 2], &transposed, &View::dense(&[3, 2]), |a, b| seen.push((a, b)));
        assert_eq!(seen, [(0, 0), (3, 1), (1, 2), (4, 3), (2, 4), (5, 5)]);
        for_each2(&[], &View::dense(&[]), &View::dense(&[]), |a, b| seen.push((a, b)));
        for_each2(&[2, 0], &View::dense(&[2, 0]), &View::dense(&[2, 0]), |_, _| {
            panic!("an empty tensor has no element")
        });
        assert_eq!(seen.len(), 7);
    }

    #[test]
    fn offsets_follow_the_order_of_the_dimensions() {
        assert_eq!(offsets(&[2, 3], &[1, 0]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(offsets(&[2, 3], &[]), [0]);
        assert_eq!(offsets(&[2, 0], &[0, 1]), [0usize; 0]);
    }
}
