//! Index maps: from a flat index over several dimensions to an element offset.

/// Most dimensions of a [`DimMap`].
const MAX_DIMS: usize = 6;

/// Maps `0..size` to element offsets: the index is split into digits, outermost first, and each digit has a stride.
/// Dimensions that follow each other in memory are merged, so a map is affine exactly when it has at most one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DimMap {
    len: usize,
    extents: [usize; MAX_DIMS],
    strides: [isize; MAX_DIMS],
}

/// A stretch of indices whose offsets are equally spaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    /// Offset of the first index.
    pub(crate) offset: isize,
    /// Distance between offsets.
    pub(crate) stride: isize,
    /// Number of indices, from the first on.
    pub(crate) len: usize,
}

impl DimMap {
    /// One dimension.
    pub(crate) fn affine(extent: usize, stride: isize) -> DimMap {
        let mut map = DimMap { len: 0, extents: [1; MAX_DIMS], strides: [0; MAX_DIMS] };
        // One dimension always fits.
        map.push_outer(extent, stride);
        map
    }

    /// Dimensions given outermost first, at most [`MAX_DIMS`] of them.
    pub(crate) fn new(dims: &[(usize, isize)]) -> DimMap {
        let mut map = DimMap::affine(1, 0);
        for &(extent, stride) in dims.iter().rev() {
            let fits = map.push_outer(extent, stride);
            debug_assert!(fits, "too many dimensions");
        }
        map
    }

    /// Adds a dimension outside the others; false (and no change) when there is no room for it.
    pub(crate) fn push_outer(&mut self, extent: usize, stride: isize) -> bool {
        if extent == 1 {
            return true;
        }
        if self.len > 0 && stride == (self.extents[0] as isize).wrapping_mul(self.strides[0]) {
            self.extents[0] *= extent;
            return true;
        }
        if self.len == MAX_DIMS {
            return false;
        }
        self.extents.copy_within(0..self.len, 1);
        self.strides.copy_within(0..self.len, 1);
        (self.extents[0], self.strides[0]) = (extent, stride);
        self.len += 1;
        true
    }

    /// Whether another dimension certainly fits.
    pub(crate) fn has_room(&self) -> bool {
        self.len < MAX_DIMS
    }

    /// Number of indices.
    pub(crate) fn size(&self) -> usize {
        self.extents[..self.len].iter().product()
    }

    /// The stride, when there is only one (0 for a single index).
    pub(crate) fn single_stride(&self) -> Option<isize> {
        match self.len {
            0 => Some(0),
            1 => Some(self.strides[0]),
            _ => None,
        }
    }

    /// Distance between neighbours in the innermost dimension.
    pub(crate) fn inner_stride(&self) -> isize {
        if self.len == 0 { 0 } else { self.strides[self.len - 1] }
    }

    /// Offset of `index`. Wraps like all offsets that may turn out not to be used: an operand without elements may have
    /// any strides.
    pub(crate) fn offset(&self, index: usize) -> isize {
        self.run(index).offset
    }

    /// The equally spaced stretch that starts at `index` (which is below the size).
    pub(crate) fn run(&self, index: usize) -> Run {
        if self.len == 0 {
            return Run { offset: 0, stride: 0, len: 1 };
        }
        let (inner, mut rest) = (self.len - 1, index);
        let mut offset = 0isize;
        for dim in (1..self.len).rev() {
            let digit = (rest % self.extents[dim]) as isize;
            offset = digit.wrapping_mul(self.strides[dim]).wrapping_add(offset);
            rest /= self.extents[dim];
        }
        offset = (rest as isize).wrapping_mul(self.strides[0]).wrapping_add(offset);
        let at = if inner == 0 { index } else { index % self.extents[inner] };
        Run { offset, stride: self.strides[inner], len: self.extents[inner] - at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_memory_merge() {
        let map = DimMap::new(&[(2, 12), (3, 4), (4, 1)]);
        assert_eq!((map.single_stride(), map.size()), (Some(1), 24));
        assert_eq!(map.run(5), Run { offset: 5, stride: 1, len: 19 });
        let single = DimMap::new(&[(1, 99), (1, 7)]);
        assert_eq!((single.single_stride(), single.size(), single.offset(0)), (Some(0), 1, 0));
    }

    #[test]
    fn digits_have_their_strides() {
        let map = DimMap::new(&[(2, 100), (3, 10), (4, 1)]);
        assert_eq!(map.single_stride(), None);
        let expected: Vec<isize> = (0..24).map(|i| (i / 12) * 100 + i / 4 % 3 * 10 + i % 4).collect();
        assert_eq!((0..24).map(|i| map.offset(i)).collect::<Vec<_>>(), expected);
        assert_eq!(map.run(6), Run { offset: 12, stride: 1, len: 2 });
    }

    #[test]
    fn room_is_limited() {
        let mut map = DimMap::affine(2, 1);
        for stride in [10, 100, 1000, 10000, 100000] {
            assert!(map.push_outer(2, stride));
        }
        assert!(!map.push_outer(2, 1000000));
        assert!(map.push_outer(1, 5));
        assert_eq!(map.size(), 64);
    }
}
