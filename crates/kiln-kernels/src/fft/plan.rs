//! How a line is transformed, and the tables for it.
//!
//! A plan is computed from the parameters whenever it is needed, without allocation: the kernel at run time and the
//! compiler that fills the tables come to the same layout.

use super::passes::{MAX_RADIX, needs_roots};
use crate::simd::Real;
use crate::trig::Roots;

/// Most passes of one transform.
const MAX_PASSES: usize = 40;

/// Bytes that a group of lines takes for each index, in two copies.
const SLOT_BYTES_PER_INDEX: usize = 4 * crate::simd::BLOCK_BYTES;

/// Longest line that a group of lines is transformed at in one go: the two copies stay in a second-level cache.
const MAX_LANE_LENGTH: usize = 2048;

/// Shortest single line for which it pays to be treated as a matrix.
const MIN_MATRIX_LENGTH: usize = 256;

/// Bytes of workspace for groups of lines that are transformed at the same time.
const SLOTS_BYTES: usize = 4 << 20;

/// Most groups of lines that are transformed at the same time.
const MAX_SLOTS: usize = 32;

/// Bytes of lines that are transformed together by a detour through the workspace.
const CHUNK_BYTES: usize = 2 << 20;

/// Rounds up to a multiple of a cache line.
pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(64)
}

/// A length whose prime factors are all small, with the place of its tables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Smooth {
    pub(super) n: usize,
    passes: usize,
    radices: [u8; MAX_PASSES],
    /// Offset in bytes of the tables.
    table: usize,
}

/// What one pass does, with the offsets of its tables in elements.
pub(super) struct Shape {
    pub(super) radix: usize,
    pub(super) m: usize,
    pub(super) s: usize,
    pub(super) twiddles: usize,
    pub(super) roots: usize,
}

impl Smooth {
    /// The passes for a length; `None` when it has a large prime factor. 0 counts as 1.
    fn factor(n: usize) -> Option<Smooth> {
        let mut plan = Smooth { n: n.max(1), passes: 0, radices: [0; MAX_PASSES], table: 0 };
        let twos = plan.n.trailing_zeros() as usize;
        let mut rest = plan.n >> twos;
        let mut prime = 3;
        while rest > 1 && prime <= MAX_RADIX {
            while rest.is_multiple_of(prime) {
                plan.push(prime);
                rest /= prime;
            }
            prime += 2;
        }
        // 2 * 8 = 4 * 4: without passes of radix 2 where possible.
        let (fours, eights) = match (twos % 3, twos / 3) {
            (1, eights @ 1..) => (2, eights - 1),
            (2, eights) => (1, eights),
            (_, eights) => (0, eights),
        };
        if twos == 1 {
            plan.push(2);
        }
        (0..fours).for_each(|_| plan.push(4));
        (0..eights).for_each(|_| plan.push(8));
        (rest == 1).then_some(plan)
    }

    fn push(&mut self, radix: usize) {
        self.radices[self.passes] = radix as u8;
        self.passes += 1;
    }

    /// The passes in order.
    pub(super) fn shapes(&self) -> impl Iterator<Item = Shape> + '_ {
        let (mut m, mut s, mut at) = (self.n, 1, 0);
        self.radices[..self.passes].iter().map(move |&radix| {
            let radix = radix as usize;
            m /= radix;
            let roots = at + if m > 1 { 2 * m * (radix - 1) } else { 0 };
            let shape = Shape { radix, m, s, twiddles: at, roots };
            at = roots + if needs_roots(radix) { 2 * radix } else { 0 };
            s *= radix;
            shape
        })
    }

    /// Elements of the tables.
    fn table_elements(&self) -> usize {
        let last = self.shapes().last();
        last.map_or(0, |shape| shape.roots + if needs_roots(shape.radix) { 2 * shape.radix } else { 0 })
    }

    /// Reserves the place of the tables.
    fn place<T>(mut self, end: &mut usize) -> Smooth {
        self.table = *end;
        *end += padded(self.table_elements() * size_of::<T>());
        self
    }

    /// Offset in bytes of the tables.
    pub(super) fn table(&self) -> usize {
        self.table
    }

    fn fill<T: Real>(&self, bytes: &mut [u8]) {
        let roots = Roots::new(self.n);
        let mut table = Table::<T>::at(bytes, self.table);
        for Shape { radix, m, .. } in self.shapes() {
            if m > 1 {
                for p in 0..m {
                    for k in 1..radix {
                        table.push(roots.get(p * k * (self.n / (m * radix))));
                    }
                }
            }
            if needs_roots(radix) {
                (0..radix).for_each(|k| table.push(roots.get(k * (self.n / radix))));
            }
        }
    }

    /// Bytes that one group of lines needs.
    pub(super) fn slot_bytes(&self) -> usize {
        self.n.saturating_mul(SLOT_BYTES_PER_INDEX)
    }

    /// Groups that can be transformed at the same time, of so many.
    pub(super) fn slots(&self, groups: usize) -> usize {
        (SLOTS_BYTES / self.slot_bytes()).clamp(1, MAX_SLOTS).min(groups.max(1))
    }

    /// Bytes of workspace for so many groups.
    fn workspace_bytes(&self, groups: usize) -> usize {
        self.slot_bytes().saturating_mul(self.slots(groups))
    }
}

/// Writes complex numbers one after the other.
struct Table<'a, T> {
    bytes: &'a mut [u8],
    at: usize,
    elem: core::marker::PhantomData<T>,
}

impl<T: Real> Table<'_, T> {
    fn at(bytes: &mut [u8], at: usize) -> Table<'_, T> {
        Table { bytes, at, elem: core::marker::PhantomData }
    }

    fn push(&mut self, parts: [f64; 2]) {
        write::<T>(self.bytes, self.at, parts);
        self.at += 2 * size_of::<T>();
    }
}

/// Writes a complex number at an offset in bytes.
pub(super) fn write<T: Real>(bytes: &mut [u8], at: usize, parts: [f64; 2]) {
    let size = size_of::<T>();
    for (i, part) in parts.into_iter().enumerate() {
        let to = &mut bytes[at + i * size..][..size];
        match size {
            4 => to.copy_from_slice(&(part as f32).to_ne_bytes()),
            _ => to.copy_from_slice(&part.to_ne_bytes()),
        }
    }
}

/// How a smooth length is transformed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Direct {
    /// Groups of whole lines.
    Lanes(Smooth),
    /// A long line as a matrix of `columns.n` rows and `rows.n` columns: transforms of the columns, a
    /// multiplication, transforms of the rows. (D. H. Bailey, "FFTs in external or hierarchical memory", 1990.)
    Matrix {
        columns: Smooth,
        rows: Smooth,
        /// Offset in bytes of the factors.
        twiddles: usize,
    },
}

impl Direct {
    /// The plan for `lines` lines; `contiguous` says that each lies in memory without gaps.
    fn new<T: Real>(smooth: Smooth, lines: usize, contiguous: bool, end: &mut usize) -> Direct {
        let n = smooth.n;
        let few = lines < T::LANES / 2 && n >= MIN_MATRIX_LENGTH;
        if contiguous && (few || n > MAX_LANE_LENGTH) {
            let columns = (1..=n.isqrt()).rev().find(|&d| n.is_multiple_of(d)).unwrap_or(1);
            let rows = n / columns;
            if columns >= T::LANES || (n > MAX_LANE_LENGTH && columns > 1) {
                // The factors of a smooth number are smooth.
                if let (Some(columns), Some(rows)) = (Smooth::factor(columns), Smooth::factor(rows)) {
                    let columns = columns.place::<T>(end);
                    let rows = if rows.n == columns.n { columns } else { rows.place::<T>(end) };
                    let twiddles = *end;
                    *end += padded(2 * n * size_of::<T>());
                    return Direct::Matrix { columns, rows, twiddles };
                }
            }
        }
        Direct::Lanes(smooth.place::<T>(end))
    }

    fn fill<T: Real>(&self, bytes: &mut [u8]) {
        match self {
            Direct::Lanes(smooth) => smooth.fill::<T>(bytes),
            Direct::Matrix { columns, rows, twiddles } => {
                columns.fill::<T>(bytes);
                rows.fill::<T>(bytes);
                let roots = Roots::new(columns.n * rows.n);
                let mut table = Table::<T>::at(bytes, *twiddles);
                for i in 0..columns.n {
                    for j in 0..rows.n {
                        table.push(roots.get(i * j));
                    }
                }
            }
        }
    }

    /// Bytes of workspace for `groups` groups of lines (of any number of lines when they go through a matrix).
    pub(super) fn workspace_bytes<T: Real>(&self, groups: usize) -> usize {
        match self {
            Direct::Lanes(smooth) => smooth.workspace_bytes(groups),
            Direct::Matrix { columns, rows, .. } => {
                let slots = |smooth: &Smooth, lines: usize| smooth.workspace_bytes(lines.div_ceil(T::LANES));
                padded((columns.n * rows.n).saturating_mul(2 * size_of::<T>()))
                    .saturating_add(slots(columns, rows.n).max(slots(rows, columns.n)))
            }
        }
    }
}

/// How lines of any length are transformed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plan {
    /// A smooth length.
    Direct(Direct),
    /// A length with a large prime factor, as a convolution of a smooth length, in f64. (L. I. Bluestein, "A linear
    /// filtering approach to the computation of discrete Fourier transform", 1970.)
    Chirp {
        n: usize,
        /// The smooth length.
        m: usize,
        /// Offset in bytes of the conjugate chirp, `n` numbers.
        chirp: usize,
        /// Offset in bytes of the transform of the chirp over `m`, `m` numbers.
        filter: usize,
        inner: Direct,
    },
}

/// The smallest smooth number that is at least `n` and convenient.
fn next_smooth(n: usize) -> usize {
    let with = |odd: usize| n.div_ceil(odd).next_power_of_two() * odd;
    [1, 3, 5, 9, 15].map(with).into_iter().min().unwrap_or(n)
}

impl Plan {
    /// The plan for `lines` lines of length `n`; its tables go to `end`, which is moved behind them.
    pub(super) fn new<T: Real>(n: usize, lines: usize, contiguous: bool, end: &mut usize) -> Plan {
        if let Some(smooth) = Smooth::factor(n) {
            return Plan::Direct(Direct::new::<T>(smooth, lines, contiguous, end));
        }
        let m = next_smooth(2 * n - 1);
        let [chirp, filter] = [n, m].map(|count| {
            let at = *end;
            *end += padded(16 * count);
            at
        });
        let smooth = Smooth::factor(m).unwrap_or_else(|| unreachable!("{m} was chosen to be smooth"));
        let inner = Direct::new::<f64>(smooth, chirp_lines(m, lines), true, end);
        Plan::Chirp { n, m, chirp, filter, inner }
    }

    /// Fills the plan's part of the tables.
    pub(super) fn fill<T: Real>(&self, bytes: &mut [u8]) {
        match self {
            Plan::Direct(direct) => direct.fill::<T>(bytes),
            Plan::Chirp { n, m, chirp, filter, inner } => {
                inner.fill::<f64>(bytes);
                let roots = Roots::new(2 * n);
                let square = |j: usize| (j as u128 * j as u128 % (2 * n) as u128) as usize;
                let mut table = Table::<f64>::at(bytes, *chirp);
                (0..*n).for_each(|j| table.push(roots.get(square(j))));
                let mut values = vec![[0.0f64; 2]; *m];
                for j in 0..*n {
                    let [re, im] = roots.get(square(j));
                    values[j] = [re, -im];
                    values[(m - j) % m] = values[j];
                }
                super::transform::whole(inner, bytes, &mut values);
                let mut table = Table::<f64>::at(bytes, *filter);
                values.iter().for_each(|value| table.push(value.map(|part| part / *m as f64)));
            }
        }
    }

    /// Bytes of workspace for `lines` lines in `groups` groups.
    pub(super) fn workspace_bytes<T: Real>(&self, lines: usize, groups: usize) -> usize {
        match self {
            Plan::Direct(direct) => direct.workspace_bytes::<T>(groups),
            Plan::Chirp { m, inner, .. } => {
                let lines = chirp_lines(*m, lines);
                padded(m.saturating_mul(16 * lines))
                    .saturating_add(inner.workspace_bytes::<f64>(lines.div_ceil(f64::LANES)))
            }
        }
    }
}

/// Lines that the convolution takes at a time.
pub(super) fn chirp_lines(m: usize, lines: usize) -> usize {
    chunk_lines(16 * m, lines)
}

/// Lines of so many bytes that are brought to the workspace at a time.
pub(super) fn chunk_lines(bytes: usize, lines: usize) -> usize {
    (CHUNK_BYTES / bytes.max(1)).max(1).min(lines.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radices_multiply_to_the_length() {
        for n in 1..3000 {
            if let Some(plan) = Smooth::factor(n) {
                assert_eq!(plan.shapes().map(|shape| shape.radix).product::<usize>(), n);
            }
        }
        assert!(Smooth::factor(67).is_none() && Smooth::factor(2 * 3 * 127).is_none());
        assert!(Smooth::factor(61 * 59).is_some());
        let largest = 1 << 40;
        assert_eq!(Smooth::factor(largest).map(|plan| plan.shapes().map(|s| s.radix).product()), Some(largest));
    }

    #[test]
    fn smooth_numbers_are_close() {
        for n in 1..5000 {
            let m = next_smooth(n);
            assert!(m >= n && m < 2 * n.max(2) && Smooth::factor(m).is_some(), "{n}: {m}");
        }
    }
}
