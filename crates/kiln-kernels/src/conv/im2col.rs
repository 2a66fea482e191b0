//! The window matrix of a convolution, filled panel by panel and never stored as a whole.
//!
//! Offsets are computed with wrapping arithmetic: for positions in the padding they may be anything, those of elements
//! are in range by the bounds check.

use super::geometry::TERM_DIMS;
use super::{ConvDim, MAX_SPATIAL};
use crate::element::{Element, Packed};
use crate::gemm::map::DimMap;
use crate::gemm::pack::{PanelRange, PanelSource, Strided, copy_present_lanes, copy_runs, copy_strip};
use crate::gemm::tile::MAX_PANEL_N;

/// One spatial axis: output position `o` and window index `w` meet lhs at
/// `(o * stride + w * window_step - padding) / dilation`, if that is an integer inside lhs; else they meet a zero.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) input: isize,
    pub(super) output: usize,
    pub(super) window: usize,
    pub(super) stride: isize,
    pub(super) window_step: isize,
    pub(super) padding: isize,
    pub(super) dilation: isize,
    pub(super) lhs_stride: isize,
}

impl Axis {
    pub(super) fn new(dim: ConvDim) -> Axis {
        Axis {
            input: dim.input as isize,
            output: dim.output,
            window: dim.window,
            stride: dim.stride as isize,
            window_step: dim.rhs_dilation as isize,
            padding: dim.padding_low,
            dilation: dim.lhs_dilation as isize,
            lhs_stride: dim.lhs_stride,
        }
    }

    /// Offset in lhs of a position in the padded and dilated input, if there is an element.
    #[inline]
    pub(super) fn offset(&self, position: isize) -> Option<isize> {
        if self.dilation == 1 {
            return (0..self.input).contains(&position).then(|| position * self.lhs_stride);
        }
        let inside = position >= 0 && position % self.dilation == 0 && position / self.dilation < self.input;
        inside.then(|| position / self.dilation * self.lhs_stride)
    }
}

/// The window matrix: see the module.
pub(super) struct Im2col {
    pub(super) axes: [Axis; MAX_SPATIAL],
    pub(super) images: usize,
    pub(super) image_stride: isize,
    pub(super) features: usize,
    pub(super) feature_stride: isize,
    /// Order of the digits of a lane, outermost first: a spatial axis, or `None` for the image.
    pub(super) lanes: [Option<usize>; TERM_DIMS],
    /// Order of the digits of a term, outermost first: a spatial axis, or `None` for the input feature.
    pub(super) order: [Option<usize>; TERM_DIMS],
}

/// A lane: offset of its image, and the position of its window's first element on each axis.
#[derive(Clone, Copy, Default)]
struct Lane {
    offset: isize,
    position: [isize; MAX_SPATIAL],
}

/// Consecutive lanes of a panel that differ in the innermost digit only.
#[derive(Clone, Copy, Default)]
struct Segment {
    /// First lane in the panel.
    at: usize,
    /// Number of lanes.
    len: usize,
    /// The first lane.
    first: Lane,
}

/// Equally spaced elements of lhs for consecutive lanes of a panel.
#[derive(Clone, Copy, Default)]
struct Piece {
    at: usize,
    len: usize,
    offset: isize,
}

/// A list with room for one entry per lane of a panel.
struct PerLane<X> {
    items: [X; MAX_PANEL_N],
    len: usize,
}

impl<X: Copy + Default> PerLane<X> {
    fn new() -> PerLane<X> {
        PerLane { items: [X::default(); MAX_PANEL_N], len: 0 }
    }

    fn push(&mut self, item: X) {
        self.items[self.len] = item;
        self.len += 1;
    }

    fn as_slice(&self) -> &[X] {
        &self.items[..self.len]
    }
}

/// A stretch of terms of one innermost run: the window indices of the outer digits are fixed.
struct Stretch {
    /// The digits of its first term, in [`Im2col::order`].
    digits: [usize; TERM_DIMS],
    /// Offset of the feature, where it is an outer digit.
    offset: isize,
    /// Window index of each axis, 0 for the innermost digit.
    window: [isize; MAX_SPATIAL],
    /// Range of the innermost digit.
    start: usize,
    end: usize,
}

impl Im2col {
    /// Number of terms.
    pub(super) fn terms(&self) -> usize {
        self.features * self.axes.iter().map(|axis| axis.window).product::<usize>()
    }

    /// The same matrix in memory, when every window is one element and all lie inside lhs.
    pub(super) fn as_matrix(&self) -> Option<Strided> {
        let inside = |axis: &Axis| {
            let last = (axis.output as isize - 1) * axis.stride;
            axis.window == 1 && axis.padding == 0 && axis.dilation == 1 && last < axis.input
        };
        if !self.axes.iter().all(inside) {
            return None;
        }
        let lanes = self.lanes.map(|axis| match axis {
            None => (self.images, self.image_stride),
            Some(index) => (self.axes[index].output, self.axes[index].stride * self.axes[index].lhs_stride),
        });
        Some(Strided { lanes: DimMap::new(&lanes), terms: DimMap::affine(self.features, self.feature_stride) })
    }

    fn term_extent(&self, digit: usize) -> usize {
        self.order[digit].map_or(self.features, |index| self.axes[index].window)
    }

    /// Extent of the innermost digit of a lane.
    fn lane_extent(&self) -> usize {
        self.lanes[TERM_DIMS - 1].map_or(self.images, |index| self.axes[index].output)
    }

    /// The lane at an index, with its innermost digit.
    fn lane(&self, index: usize) -> (Lane, usize) {
        let mut lane = Lane::default();
        let mut rest = index;
        for axis in self.lanes.into_iter().rev() {
            let extent = axis.map_or(self.images, |index| self.axes[index].output);
            let digit = if extent == 1 { 0 } else { rest % extent };
            rest = if extent == 1 { rest } else { rest / extent };
            match axis {
                None => lane.offset = (digit as isize).wrapping_mul(self.image_stride),
                Some(index) => {
                    lane.position[index] = digit as isize * self.axes[index].stride - self.axes[index].padding;
                }
            }
        }
        (lane, index % self.lane_extent())
    }

    /// The lanes of a panel as segments.
    fn segments(&self, first: usize, lanes: usize) -> PerLane<Segment> {
        let mut segments = PerLane::new();
        let mut at = 0;
        while at < lanes {
            let (lane, digit) = self.lane(first + at);
            let len = (self.lane_extent() - digit).min(lanes - at);
            segments.push(Segment { at, len, first: lane });
            at += len;
        }
        segments
    }

    /// The lanes of a panel one by one.
    fn lanes_of(&self, segments: &[Segment]) -> PerLane<Lane> {
        let mut lanes = PerLane::new();
        for segment in segments {
            for i in 0..segment.len as isize {
                let mut lane = segment.first;
                match self.lanes[TERM_DIMS - 1] {
                    None => lane.offset = lane.offset.wrapping_add(i.wrapping_mul(self.image_stride)),
                    Some(index) => lane.position[index] += i * self.axes[index].stride,
                }
                lanes.push(lane);
            }
        }
        lanes
    }

    /// The digits of a term.
    fn digits(&self, term: usize) -> [usize; TERM_DIMS] {
        let mut digits = [0; TERM_DIMS];
        let mut rest = term;
        for digit in (0..TERM_DIMS).rev() {
            let extent = self.term_extent(digit);
            digits[digit] = rest % extent;
            rest /= extent;
        }
        digits
    }

    /// The stretch of terms from some digits on, at most `most` long.
    fn stretch(&self, digits: [usize; TERM_DIMS], most: usize) -> Stretch {
        let start = digits[TERM_DIMS - 1];
        let end = self.term_extent(TERM_DIMS - 1).min(start + most);
        let mut stretch = Stretch { digits, offset: 0, window: [0; MAX_SPATIAL], start, end };
        for digit in 0..TERM_DIMS - 1 {
            let value = digits[digit] as isize;
            match self.order[digit] {
                None => stretch.offset = value.wrapping_mul(self.feature_stride),
                Some(index) => stretch.window[index] = value,
            }
        }
        stretch
    }

    /// The digits of the term after a stretch.
    fn after(&self, stretch: &Stretch) -> [usize; TERM_DIMS] {
        let mut digits = stretch.digits;
        digits[TERM_DIMS - 1] = stretch.end;
        for digit in (1..TERM_DIMS).rev() {
            if digits[digit] == self.term_extent(digit) {
                digits[digit] = 0;
                digits[digit - 1] += 1;
            }
        }
        digits
    }

    /// Offset of a lane's elements with the outer digits of a stretch, without the innermost axis `skip`; `None`
    /// where they meet padding.
    #[inline]
    fn start(&self, lane: &Lane, stretch: &Stretch, skip: Option<usize>) -> Option<isize> {
        let mut offset = lane.offset.wrapping_add(stretch.offset);
        for (index, axis) in self.axes.iter().enumerate() {
            if Some(index) != skip {
                let position = lane.position[index] + stretch.window[index] * axis.window_step;
                offset = offset.wrapping_add(axis.offset(position)?);
            }
        }
        Some(offset)
    }

    /// A stretch with the feature innermost and adjacent in memory: every lane is there throughout or not at all.
    unsafe fn pack_features<T: Element>(
        &self,
        base: *const T,
        lanes: &[Lane],
        stretch: &Stretch,
        width: usize,
        to: *mut T::Packed,
    ) {
        let count = stretch.end - stretch.start;
        let skip = (stretch.start as isize).wrapping_mul(self.feature_stride);
        let mut offsets = [0; MAX_PANEL_N];
        let mut present = [false; MAX_PANEL_N];
        for (i, lane) in lanes.iter().enumerate() {
            if let Some(offset) = self.start(lane, stretch, None) {
                (offsets[i], present[i]) = (offset + skip, true);
            }
        }
        let (offsets, present) = (&offsets[..lanes.len()], &present[..lanes.len()]);
        // SAFETY: present lanes lie inside lhs; the panel has room.
        unsafe {
            if present.iter().all(|&present| present) {
                copy_strip(base, offsets, self.feature_stride, count, width, to);
            } else {
                copy_present_lanes(base, offsets, present, count, width, to);
            }
        }
    }

    /// The elements that the lanes of a segment meet, for the first term of a stretch with the feature innermost.
    fn pieces(&self, segment: &Segment, stretch: &Stretch, pieces: &mut PerLane<Piece>) {
        let inner = self.lanes[TERM_DIMS - 1];
        let skip = (stretch.start as isize).wrapping_mul(self.feature_stride);
        let Some(offset) = self.start(&segment.first, stretch, inner) else { return };
        let offset = offset.wrapping_add(skip);
        let Some(index) = inner else {
            return pieces.push(Piece { at: segment.at, len: segment.len, offset });
        };
        let axis = &self.axes[index];
        let first = segment.first.position[index] + stretch.window[index] * axis.window_step;
        if axis.dilation == 1 {
            let low = clamp_index(div_ceil(-first, axis.stride), segment.len);
            let high = clamp_index(div_ceil(axis.input - first, axis.stride), segment.len);
            if low < high {
                let start = (first + low as isize * axis.stride) * axis.lhs_stride;
                pieces.push(Piece { at: segment.at + low, len: high - low, offset: offset.wrapping_add(start) });
            }
            return;
        }
        for i in 0..segment.len {
            if let Some(start) = axis.offset(first + i as isize * axis.stride) {
                pieces.push(Piece { at: segment.at + i, len: 1, offset: offset.wrapping_add(start) });
            }
        }
    }

    /// A stretch with the feature innermost, term by term.
    unsafe fn pack_segments<T: Element>(
        &self,
        base: *const T,
        (segments, pieces): (&[Segment], &mut PerLane<Piece>),
        stretch: &Stretch,
        width: usize,
        to: *mut T::Packed,
    ) {
        pieces.len = 0;
        for segment in segments {
            self.pieces(segment, stretch, pieces);
        }
        let lane_step = match self.lanes[TERM_DIMS - 1] {
            None => self.image_stride,
            Some(index) => self.axes[index].stride.wrapping_mul(self.axes[index].lhs_stride),
        };
        let count = stretch.end - stretch.start;
        let covered: usize = pieces.as_slice().iter().map(|piece| piece.len).sum();
        // SAFETY: pieces lie inside lhs; the panel has room.
        unsafe {
            if covered < width {
                for at in 0..count * width {
                    *to.add(at) = T::Packed::ZERO;
                }
            }
            for piece in pieces.as_slice() {
                let (from, to) = (base.offset(piece.offset), to.add(piece.at));
                copy_runs(from, (self.feature_stride, count), (lane_step, piece.len), width, to);
            }
        }
    }

    /// A stretch with a window index innermost: every lane has its own part outside the padding.
    unsafe fn pack_window<T: Element>(
        &self,
        base: *const T,
        (lanes, index): (&[Lane], usize),
        stretch: &Stretch,
        width: usize,
        to: *mut T::Packed,
    ) {
        let axis = &self.axes[index];
        let step = axis.window_step;
        let count = stretch.end - stretch.start;
        let mut offsets = [0; MAX_PANEL_N];
        let mut all_inside = axis.dilation == 1;
        let mut outside = [false; MAX_PANEL_N];
        for (i, lane) in lanes.iter().enumerate() {
            let first = lane.position[index] + stretch.start as isize * step;
            let last = first + (count as isize - 1) * step;
            match self.start(lane, stretch, Some(index)) {
                Some(offset) => {
                    all_inside &= first >= 0 && last < axis.input;
                    offsets[i] = offset.wrapping_add(first.wrapping_mul(axis.lhs_stride));
                }
                None => {
                    all_inside = false;
                    outside[i] = true;
                }
            }
        }
        // SAFETY: all elements lie inside lhs, or are checked one by one.
        unsafe {
            if all_inside {
                return copy_strip(base, &offsets[..lanes.len()], step * axis.lhs_stride, count, width, to);
            }
            for at in 0..count * width {
                *to.add(at) = T::Packed::ZERO;
            }
            for (i, lane) in lanes.iter().enumerate().filter(|&(i, _)| !outside[i]) {
                let first = lane.position[index] + stretch.start as isize * step;
                // `offsets` holds the place of `first` as if there was no dilation.
                let start = offsets[i].wrapping_sub(first.wrapping_mul(axis.lhs_stride));
                if axis.dilation == 1 {
                    let low = clamp_index(div_ceil(-first, step), count);
                    let high = clamp_index(div_ceil(axis.input - first, step), count);
                    for p in low..high {
                        let from = base.offset(start + (first + p as isize * step) * axis.lhs_stride);
                        *to.add(p * width + i) = (*from).widen();
                    }
                } else {
                    for p in 0..count {
                        if let Some(offset) = axis.offset(first + p as isize * step) {
                            *to.add(p * width + i) = (*base.offset(start + offset)).widen();
                        }
                    }
                }
            }
        }
    }
}

/// Division rounded up, for a positive divisor; those that occur most need no division.
#[inline]
pub(super) fn div_ceil(value: isize, divisor: isize) -> isize {
    if divisor & (divisor - 1) == 0 {
        return (value + divisor - 1) >> divisor.trailing_zeros();
    }
    value.div_euclid(divisor) + isize::from(value.rem_euclid(divisor) != 0)
}

#[inline]
pub(super) fn clamp_index(value: isize, count: usize) -> usize {
    value.clamp(0, count as isize) as usize
}

impl<T: Element> PanelSource<T> for Im2col {
    unsafe fn pack(&self, base: *const T, range: PanelRange, to: *mut T::Packed) {
        for (panel, at) in range.panels() {
            // SAFETY: as for all panels.
            unsafe { self.pack_one(base, panel, to.add(at)) };
        }
    }
}

impl Im2col {
    unsafe fn pack_one<T: Element>(&self, base: *const T, panel: PanelRange, to: *mut T::Packed) {
        let segments = self.segments(panel.lane, panel.lanes);
        let segments = segments.as_slice();
        let inner = self.order[TERM_DIMS - 1];
        // Terms that are adjacent in memory are transposed, lane by lane; others are copied along the lanes.
        let along_lanes = inner.is_none() && (self.feature_stride != 1 || self.features < 4);
        let lanes = if along_lanes { PerLane::new() } else { self.lanes_of(segments) };
        let mut pieces = PerLane::new();
        let mut digits = self.digits(panel.term);
        let mut done = 0;
        while done < panel.terms {
            let stretch = self.stretch(digits, panel.terms - done);
            // SAFETY: the stretch lies inside the panel, whose lanes are inside the matrix.
            unsafe {
                let to = to.add(done * panel.width);
                match inner {
                    None if along_lanes => {
                        self.pack_segments(base, (segments, &mut pieces), &stretch, panel.width, to);
                    }
                    None => self.pack_features(base, lanes.as_slice(), &stretch, panel.width, to),
                    Some(index) => self.pack_window(base, (lanes.as_slice(), index), &stretch, panel.width, to),
                }
            }
            done += stretch.end - stretch.start;
            digits = self.after(&stretch);
        }
    }
}
