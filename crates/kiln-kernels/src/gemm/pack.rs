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

/// The lanes and terms of one panel, or of several that follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanelRange {
    pub(crate) lane: usize,
    /// More than `width` for several panels; each takes `width * terms` elements.
    pub(crate) lanes: usize,
    pub(crate) term: usize,
    pub(crate) terms: usize,
    /// Lanes of a panel's layout: [`PANEL_M`] or [`super::tile::panel_n`].
    pub(crate) width: usize,
}

impl PanelRange {
    /// The panels one by one, each with the offset of its elements in the destination.
    pub(crate) fn panels(self) -> impl Iterator<Item = (PanelRange, usize)> {
        (0..self.lanes).step_by(self.width).map(move |at| {
            let lanes = self.width.min(self.lanes - at);
            (PanelRange { lane: self.lane + at, lanes, ..self }, at * self.terms)
        })
    }
}

/// Something that panels can be filled from.
pub(crate) trait PanelSource<T: Element>: Sync {
    /// Fills panels.
    ///
    /// # Safety
    /// The operand's elements are readable from `base`; `to` has room for all panels of the range.
    unsafe fn pack(&self, base: *const T, range: PanelRange, to: *mut T::Packed);
}

impl<T: Element> PanelSource<T> for Strided {
    unsafe fn pack(&self, base: *const T, range: PanelRange, to: *mut T::Packed) {
        if let (Some(1), Some(step)) = (self.lanes.single_stride(), self.terms.single_stride())
            && range.lanes.is_multiple_of(range.width)
        {
            let from = base.wrapping_offset(range.lane as isize + range.term as isize * step);
            // SAFETY: as the caller promises.
            return unsafe { adjacent_lanes(from, step, range, to) };
        }
        for (panel, at) in range.panels() {
            // SAFETY: as the caller promises.
            unsafe { self.pack_one(base, panel, to.add(at)) };
        }
    }
}

impl Strided {
    unsafe fn pack_one<T: Element>(&self, base: *const T, range: PanelRange, to: *mut T::Packed) {
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

/// Whole panels whose lanes are adjacent in memory, term by term, so that memory is read along its rows.
unsafe fn adjacent_lanes<T: Element>(from: *const T, step: isize, range: PanelRange, to: *mut T::Packed) {
    let panel = range.width * range.terms;
    let copy = match range.width {
        PANEL_M => copy_lanes::<T, PANEL_M>,
        16 => copy_lanes::<T, 16>,
        _ => copy_lanes::<T, 32>,
    };
    for term in 0..range.terms {
        let row = from.wrapping_offset(term as isize * step);
        // SAFETY: one row of every panel.
        unsafe { copy(row, range.lanes / range.width, panel, to.add(term * range.width)) };
    }
}

unsafe fn copy_lanes<T: Element, const WIDTH: usize>(row: *const T, panels: usize, panel: usize, to: *mut T::Packed) {
    for index in 0..panels {
        // SAFETY: as for `adjacent_lanes`.
        unsafe {
            let (row, to) = (row.add(index * WIDTH), to.add(index * panel));
            for i in 0..WIDTH {
                *to.add(i) = (*row.add(i)).widen();
            }
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
    let adjacent = offsets.iter().zip(offsets[0]..).all(|(&offset, expected)| offset == expected);
    // SAFETY: as for `copy_strip`.
    unsafe {
        if adjacent && lanes == WIDTH {
            rows::<T, WIDTH>(from.offset(offsets[0]), step, count, to);
        } else if step == 1 && lanes >= 4 {
            let mut starts = [from; WIDTH];
            for (start, &offset) in starts.iter_mut().zip(offsets) {
                *start = from.offset(offset);
            }
            transpose::<T, WIDTH>(&starts[..lanes], count, to);
        } else {
            for p in 0..count {
                for i in lanes..WIDTH {
                    *to.add(p * WIDTH + i) = T::Packed::ZERO;
                }
            }
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

/// Adjacent terms: blocks of four lanes by four terms. The lanes that the panel lacks become zero.
unsafe fn transpose<T: Element, const WIDTH: usize>(lanes: &[*const T], count: usize, to: *mut T::Packed) {
    let whole = count & !3;
    let mut lane = 0;
    while lane + 4 <= lanes.len() {
        for p in (0..whole).step_by(4) {
            // SAFETY: as for `copy_strip`.
            unsafe {
                let starts = [0, 1, 2, 3].map(|i| lanes[lane + i].add(p));
                T::transpose4(starts, to.add(p * WIDTH + lane), WIDTH);
            }
        }
        lane += 4;
    }
    for p in 0..count {
        let rest = if p < whole { lane } else { 0 };
        for i in rest..WIDTH {
            // SAFETY: as for `copy_strip`.
            unsafe {
                let value = if i < lanes.len() { (*lanes[i].add(p)).widen() } else { T::Packed::ZERO };
                *to.add(p * WIDTH + i) = value;
            }
        }
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

/// The longest strip of terms there is: the longest block.
const LONGEST: usize = super::blocking::MAX_TERMS;

/// Zeros in place of the elements of an absent lane, of any type.
#[repr(align(64))]
struct Zeros([u8; 8 * LONGEST]);

static ZEROS: Zeros = Zeros([0; 8 * LONGEST]);

/// As [`copy_strip`] with adjacent terms, but lanes that are not `present` become zero.
///
/// # Safety
/// As for [`copy_strip`] with a step of 1, for the lanes that are present; `count` is at most [`LONGEST`].
pub(crate) unsafe fn copy_present_lanes<T: Element>(
    from: *const T,
    offsets: &[isize],
    present: &[bool],
    count: usize,
    width: usize,
    to: *mut T::Packed,
) {
    let mut lanes = [from; MAX_PANEL_N];
    for (lane, (&offset, &present)) in lanes.iter_mut().zip(offsets.iter().zip(present)) {
        *lane = if present { from.wrapping_offset(offset) } else { ZEROS.0.as_ptr().cast() };
    }
    let lanes = &lanes[..offsets.len()];
    // SAFETY: absent lanes read zeros, of which there are enough.
    unsafe {
        match width {
            PANEL_M => transpose::<T, PANEL_M>(lanes, count, to),
            16 => transpose::<T, 16>(lanes, count, to),
            _ => transpose::<T, 32>(lanes, count, to),
        }
    }
}

/// Copies `to[p * width + i] = from[p * term_step + i * lane_step]` for `p < terms`, `i < lanes`.
///
/// # Safety
/// All these elements are readable and writable.
pub(crate) unsafe fn copy_runs<T: Element>(
    from: *const T,
    (term_step, terms): (isize, usize),
    (lane_step, lanes): (isize, usize),
    width: usize,
    to: *mut T::Packed,
) {
    for p in 0..terms {
        let (row, to) = (from.wrapping_offset(p as isize * term_step), to.wrapping_add(p * width));
        // SAFETY: as the caller promises.
        unsafe {
            if lane_step == 1 && lanes == PANEL_M {
                for i in 0..PANEL_M {
                    *to.add(i) = (*row.add(i)).widen();
                }
            } else if lane_step == 1 {
                for i in 0..lanes {
                    *to.add(i) = (*row.add(i)).widen();
                }
            } else {
                for i in 0..lanes {
                    *to.add(i) = (*row.offset(i as isize * lane_step)).widen();
                }
            }
        }
    }
}
