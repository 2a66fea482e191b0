//! Copying operands into panels.
//!
//! A panel holds `width` lanes (rows of A or columns of B) over a range of `k`: element `(lane, p)` is at
//! `p * width + lane`. Lanes beyond the operand are zero.

use super::map::DimMap;
use super::tile::{MAX_PANEL_N, PANEL_M};
use crate::element::{Element, Packed};

/// A matrix in memory: `lanes` by `k`.
#[derive(Clone, Copy)]
pub(crate) struct Strided {
    pub(crate) lanes: DimMap,
    pub(crate) terms: DimMap,
}

/// The lanes and terms of one panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanelRange {
    pub(crate) lane: usize,
    pub(crate) lanes: usize,
    pub(crate) term: usize,
    pub(crate) terms: usize,
    /// Lanes of the panel's layout, at least `lanes`: [`PANEL_M`] or [`super::tile::panel_n`].
    pub(crate) width: usize,
}

/// Something that panels can be filled from.
pub(crate) trait PanelSource<T: Element>: Sync {
    /// Fills one panel.
    ///
    /// # Safety
    /// The operand's elements are readable from `base`; `to` has room for `range.terms * range.width` elements.
    unsafe fn pack(&self, base: *const T, range: PanelRange, to: *mut T::Packed);
}

impl<T: Element> PanelSource<T> for Strided {
    unsafe fn pack(&self, base: *const T, range: PanelRange, to: *mut T::Packed) {
        let mut offsets = [0; MAX_PANEL_N];
        lane_offsets(&self.lanes, range.lane, &mut offsets[..range.lanes]);
        let mut done = 0;
        while done < range.terms {
            let run = self.terms.run(range.term + done);
            let count = run.len.min(range.terms - done);
            // SAFETY: as the caller promises; the strip lies inside the panel.
            unsafe {
                let from = base.offset(run.offset);
                let to = to.add(done * range.width);
                copy_strip(from, &offsets[..range.lanes], run.stride, count, range.width, to);
            }
            done += count;
        }
    }
}

/// Offsets of consecutive lanes.
pub(crate) fn lane_offsets(lanes: &DimMap, first: usize, offsets: &mut [isize]) {
    let mut lane = 0;
    while lane < offsets.len() {
        let run = lanes.run(first + lane);
        let count = run.len.min(offsets.len() - lane);
        for i in 0..count {
            offsets[lane + i] = run.offset + i as isize * run.stride;
        }
        lane += count;
    }
}

/// Copies `to[p * width + i] = from[offsets[i] + p * step]` for `p < count`, and zeros for the lanes without offset.
///
/// # Safety
/// All these elements are readable, and `to` has room for `count * width` elements.
pub(crate) unsafe fn copy_strip<T: Element>(
    from: *const T,
    offsets: &[isize],
    step: isize,
    count: usize,
    width: usize,
    to: *mut T::Packed,
) {
    // SAFETY: as the caller promises. The widths that panels have get their own code.
    unsafe {
        match width {
            PANEL_M => strip::<T, PANEL_M>(from, offsets, step, count, to),
            16 => strip::<T, 16>(from, offsets, step, count, to),
            _ => strip::<T, 32>(from, offsets, step, count, to),
        }
    }
}

unsafe fn strip<T: Element, const WIDTH: usize>(
    from: *const T,
    offsets: &[isize],
    step: isize,
    count: usize,
    to: *mut T::Packed,
) {
    let lanes = offsets.len();
    if lanes < WIDTH {
        for p in 0..count {
            for i in lanes..WIDTH {
                // SAFETY: inside the panel.
                unsafe { *to.add(p * WIDTH + i) = T::Packed::ZERO };
            }
        }
    }
    let adjacent = offsets.iter().zip(offsets[0]..).all(|(&offset, expected)| offset == expected);
    // SAFETY: as for `copy_strip`.
    unsafe {
        if adjacent && lanes == WIDTH {
            rows::<T, WIDTH>(from.offset(offsets[0]), step, count, to);
        } else if step == 1 && lanes >= 4 {
            transpose::<T, WIDTH>(from, offsets, count, to);
        } else {
            elements(from, offsets, step, count, WIDTH, to);
        }
    }
}

/// Adjacent lanes: every term is a copy of `WIDTH` elements.
unsafe fn rows<T: Element, const WIDTH: usize>(from: *const T, step: isize, count: usize, to: *mut T::Packed) {
    for p in 0..count {
        // SAFETY: as for `copy_strip`.
        unsafe {
            let row = from.wrapping_offset(p as isize * step);
            let to = to.add(p * WIDTH);
            for i in 0..WIDTH {
                *to.add(i) = (*row.add(i)).widen();
            }
        }
    }
}

/// Adjacent terms: blocks of four lanes by four terms.
unsafe fn transpose<T: Element, const WIDTH: usize>(
    from: *const T,
    offsets: &[isize],
    count: usize,
    to: *mut T::Packed,
) {
    let whole = count & !3;
    let mut lanes = offsets.chunks_exact(4);
    let mut lane = 0;
    for group in lanes.by_ref() {
        for p in (0..whole).step_by(4) {
            // SAFETY: as for `copy_strip`.
            unsafe {
                let starts = [0, 1, 2, 3].map(|i| from.offset(group[i] + p as isize));
                T::transpose4(starts, to.add(p * WIDTH + lane), WIDTH);
            }
        }
        lane += 4;
    }
    // SAFETY: as for `copy_strip`: what is left of lanes and of terms.
    unsafe {
        elements(from, lanes.remainder(), 1, whole, WIDTH, to.add(lane));
        elements(from.wrapping_add(whole), offsets, 1, count - whole, WIDTH, to.add(whole * WIDTH));
    }
}

/// Any strides.
unsafe fn elements<T: Element>(
    from: *const T,
    offsets: &[isize],
    step: isize,
    count: usize,
    width: usize,
    to: *mut T::Packed,
) {
    for p in 0..count {
        for (i, &offset) in offsets.iter().enumerate() {
            // SAFETY: as for `copy_strip`.
            unsafe { *to.add(p * width + i) = (*from.offset(offset + p as isize * step)).widen() };
        }
    }
}
