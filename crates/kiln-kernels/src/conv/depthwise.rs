//! Convolutions that do not mix features: every output feature sees one input feature. As matrix products these would
//! have one column, so they are computed directly, as vectors along the features or along the innermost axis.

use super::geometry::padded_dims;
use super::im2col::{Axis, clamp_index, div_ceil};
use super::{ConvParams, MAX_SPATIAL};
use crate::element::{Element, Packed};
use crate::isa::Isa;
use crate::parallel::Threads;

/// Sums that are kept at once.
const CHUNK: usize = 64;

/// Terms that a thread should compute at least, to be worth waking.
const GRAIN: usize = 1 << 15;

/// A convolution with one input feature per group.
pub(super) struct Depthwise {
    axes: [Axis; MAX_SPATIAL],
    rhs_steps: [isize; MAX_SPATIAL],
    out_strides: [isize; MAX_SPATIAL],
    /// Offset of rhs's element with window index 0 on every axis.
    rhs_start: isize,
    images: usize,
    features: usize,
    /// Output features per input feature.
    multiplier: usize,
    /// Distances between images and features.
    lhs: (isize, isize),
    out: (isize, isize),
    rhs_feature: isize,
    /// Whether vectors run along the features.
    along_features: bool,
}

/// The operands of one run.
#[derive(Clone, Copy)]
struct Operands<T: Element> {
    lhs: *const T,
    rhs: *const T,
    out: *mut T,
    /// rhs by window position and feature, when vectors run along the features.
    weights: *const T::Packed,
}

// SAFETY: threads write disjoint parts of out and only read the others.
unsafe impl<T: Element> Sync for Operands<T> {}

impl Depthwise {
    /// The form of parameters that passed validation and whose out has elements, if they are of this kind.
    pub(super) fn new(params: &ConvParams) -> Option<Depthwise> {
        let dims = padded_dims(params);
        let empty = params.batch == 0 || dims.iter().any(|dim| dim.input == 0 || dim.window == 0);
        if params.feature_group_count == 1 || params.features_per_group() != 1 || empty {
            return None;
        }
        let multiplier = params.output_features / params.feature_group_count;
        let reversed = dims.iter().filter(|dim| dim.reversal);
        Some(Depthwise {
            axes: dims.map(Axis::new),
            rhs_steps: dims.map(|dim| if dim.reversal { -dim.rhs_stride } else { dim.rhs_stride }),
            out_strides: dims.map(|dim| dim.out_stride),
            rhs_start: reversed.map(|dim| (dim.window as isize - 1) * dim.rhs_stride).sum(),
            images: params.batch,
            features: params.output_features,
            multiplier,
            lhs: (params.lhs_batch_stride, params.lhs_feature_stride),
            out: (params.out_batch_stride, params.out_feature_stride),
            rhs_feature: params.rhs_output_stride,
            along_features: multiplier == 1 && params.lhs_feature_stride == 1 && params.out_feature_stride == 1,
        })
    }

    /// Elements of the window.
    fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.window).product()
    }

    /// Bytes of workspace that [`Depthwise::run`] uses.
    pub(super) fn workspace_bytes<T: Element>(&self) -> usize {
        let weights = self.taps() * self.features * size_of::<T::Packed>();
        if self.along_features { weights.next_multiple_of(64) } else { 0 }
    }

    /// Computes the convolution.
    ///
    /// # Safety
    /// The operands (lhs and rhs) passed the bounds check; out overlaps neither; the workspace is as large as
    /// [`Depthwise::workspace_bytes`] says.
    pub(super) unsafe fn run<T: Element>(
        &self,
        threads: Threads<'_>,
        isa: Isa,
        [lhs, rhs]: [*const T; 2],
        out: *mut T,
        workspace: *mut T::Packed,
    ) {
        if self.along_features {
            // SAFETY: as the caller promises.
            unsafe { self.pack_weights(rhs, workspace) };
        }
        let operands = Operands { lhs, rhs, out, weights: workspace };
        let [outer, middle, inner] = self.axes.map(|axis| axis.output);
        let planes = if self.along_features { self.images } else { self.images * self.features };
        let vectors = if self.along_features { self.features } else { 1 };
        let grain = GRAIN.div_ceil(inner * self.taps() * vectors);
        let row = row_kernel::<T>(isa, self.along_features);
        threads.run(planes * outer * middle, grain, &|start, end| {
            // As a whole: only the structure may be shared between threads.
            let operands = &operands;
            for index in start..end {
                let (rest, o1) = (index / middle, index % middle);
                let (plane, o0) = (rest / outer, rest % outer);
                // SAFETY: rows are disjoint; the instructions are those `isa` stands for.
                unsafe { row(self, operands, plane, [o0, o1]) };
            }
        });
    }

    /// Lays rhs out by window position and feature.
    unsafe fn pack_weights<T: Element>(&self, rhs: *const T, to: *mut T::Packed) {
        let mut at = 0;
        self.each_tap(|window| {
            let mut offset = self.rhs_start;
            for axis in 0..MAX_SPATIAL {
                offset += window[axis] as isize * self.rhs_steps[axis];
            }
            for feature in 0..self.features {
                // SAFETY: an element of rhs, and of the workspace.
                unsafe { *to.add(at) = (*rhs.offset(offset + feature as isize * self.rhs_feature)).widen() };
                at += 1;
            }
        });
    }

    fn each_tap(&self, mut body: impl FnMut([usize; MAX_SPATIAL])) {
        for w0 in 0..self.axes[0].window {
            for w1 in 0..self.axes[1].window {
                for w2 in 0..self.axes[2].window {
                    body([w0, w1, w2]);
                }
            }
        }
    }
}

/// Computes one row of output positions: all features of an image, or one feature of it.
type Row<T> = unsafe fn(&Depthwise, &Operands<T>, usize, [usize; 2]);

fn row_kernel<T: Element>(isa: Isa, along_features: bool) -> Row<T> {
    match (isa, along_features) {
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2 | Isa::Avx512, true) => features_avx2::<T>,
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2 | Isa::Avx512, false) => positions_avx2::<T>,
        #[cfg(not(target_arch = "x86_64"))]
        (Isa::Avx2 | Isa::Avx512, true) => features_portable::<T>,
        #[cfg(not(target_arch = "x86_64"))]
        (Isa::Avx2 | Isa::Avx512, false) => positions_portable::<T>,
        (Isa::Portable, true) => features_portable::<T>,
        (Isa::Portable, false) => positions_portable::<T>,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn features_avx2<T: Element>(conv: &Depthwise, operands: &Operands<T>, image: usize, outer: [usize; 2]) {
    // SAFETY: passed on.
    unsafe { features_row(conv, operands, image, outer, T::Packed::fused) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn positions_avx2<T: Element>(conv: &Depthwise, operands: &Operands<T>, plane: usize, outer: [usize; 2]) {
    // SAFETY: passed on.
    unsafe { positions_row(conv, operands, plane, outer, T::Packed::fused) }
}

unsafe fn features_portable<T: Element>(conv: &Depthwise, operands: &Operands<T>, image: usize, outer: [usize; 2]) {
    // SAFETY: passed on.
    unsafe { features_row(conv, operands, image, outer, T::Packed::mul_add) }
}

unsafe fn positions_portable<T: Element>(conv: &Depthwise, operands: &Operands<T>, plane: usize, outer: [usize; 2]) {
    // SAFETY: passed on.
    unsafe { positions_row(conv, operands, plane, outer, T::Packed::mul_add) }
}

impl Depthwise {
    /// Offsets in lhs for one axis at an output position and window index; `None` in padding.
    #[inline(always)]
    fn meet(&self, axis: usize, output: usize, window: usize) -> Option<isize> {
        let axis = &self.axes[axis];
        axis.offset(output as isize * axis.stride + window as isize * axis.window_step - axis.padding)
    }

    #[inline(always)]
    fn out_offset(&self, [o0, o1]: [usize; 2]) -> isize {
        o0 as isize * self.out_strides[0] + o1 as isize * self.out_strides[1]
    }
}

/// All features of a row of positions of one image: vectors along the features.
#[inline(always)]
unsafe fn features_row<T: Element>(
    conv: &Depthwise,
    operands: &Operands<T>,
    image: usize,
    outer: [usize; 2],
    mul_add: impl Fn(T::Packed, T::Packed, T::Packed) -> T::Packed,
) {
    let [win0, win1, win2] = conv.axes.map(|axis| axis.window);
    let image = image as isize;
    for o2 in 0..conv.axes[2].output {
        let out = image * conv.out.0 + conv.out_offset(outer) + o2 as isize * conv.out_strides[2];
        for feature in (0..conv.features).step_by(CHUNK) {
            let count = CHUNK.min(conv.features - feature);
            let mut sums = [T::Packed::ZERO; CHUNK];
            for w0 in 0..win0 {
                let Some(offset0) = conv.meet(0, outer[0], w0) else { continue };
                for w1 in 0..win1 {
                    let Some(offset1) = conv.meet(1, outer[1], w1) else { continue };
                    for w2 in 0..win2 {
                        let Some(offset2) = conv.meet(2, o2, w2) else { continue };
                        let from = image * conv.lhs.0 + offset0 + offset1 + offset2 + feature as isize;
                        let tap = (w0 * win1 + w1) * win2 + w2;
                        // SAFETY: `count` features at this position of lhs, and of the weights.
                        unsafe {
                            let x = operands.lhs.offset(from);
                            let w = operands.weights.add(tap * conv.features + feature);
                            if count == CHUNK {
                                for i in 0..CHUNK {
                                    sums[i] = mul_add((*x.add(i)).widen(), *w.add(i), sums[i]);
                                }
                            } else {
                                for i in 0..count {
                                    sums[i] = mul_add((*x.add(i)).widen(), *w.add(i), sums[i]);
                                }
                            }
                        }
                    }
                }
            }
            for i in 0..count {
                // SAFETY: features and positions are below the sizes of out, and no other task writes this element.
                unsafe { *operands.out.offset(out + (feature + i) as isize) = T::narrow(sums[i]) };
            }
        }
    }
}

/// A row of positions of one feature of one image: vectors along the innermost axis.
#[inline(always)]
unsafe fn positions_row<T: Element>(
    conv: &Depthwise,
    operands: &Operands<T>,
    plane: usize,
    outer: [usize; 2],
    mul_add: impl Fn(T::Packed, T::Packed, T::Packed) -> T::Packed,
) {
    let (image, feature) = ((plane / conv.features) as isize, plane % conv.features);
    let source = (feature / conv.multiplier) as isize;
    let feature = feature as isize;
    let axis = &conv.axes[2];
    let lhs = image * conv.lhs.0 + source * conv.lhs.1;
    let out = image * conv.out.0 + feature * conv.out.1 + conv.out_offset(outer);
    for first in (0..axis.output).step_by(CHUNK) {
        let count = CHUNK.min(axis.output - first);
        let mut sums = [T::Packed::ZERO; CHUNK];
        for w0 in 0..conv.axes[0].window {
            let Some(offset0) = conv.meet(0, outer[0], w0) else { continue };
            for w1 in 0..conv.axes[1].window {
                let Some(offset1) = conv.meet(1, outer[1], w1) else { continue };
                let rhs = conv.rhs_start
                    + feature * conv.rhs_feature
                    + w0 as isize * conv.rhs_steps[0]
                    + w1 as isize * conv.rhs_steps[1];
                for w2 in 0..axis.window {
                    // SAFETY: the index is below the sizes of the window, so inside rhs.
                    let w = unsafe { (*operands.rhs.offset(rhs + w2 as isize * conv.rhs_steps[2])).widen() };
                    let position = first as isize * axis.stride + w2 as isize * axis.window_step - axis.padding;
                    let row = (operands.lhs, lhs + offset0 + offset1);
                    // SAFETY: only elements inside lhs are read.
                    unsafe { add_row(axis, row, position, w, &mut sums[..count], &mul_add) };
                }
            }
        }
        for i in 0..count {
            let at = out + (first + i) as isize * conv.out_strides[2];
            // SAFETY: features and positions are below the sizes of out, and no other task writes this element.
            unsafe { *operands.out.offset(at) = T::narrow(sums[i]) };
        }
    }
}

/// Adds `w` times a row of lhs to sums of adjacent output positions, of which the first meets `position`.
#[inline(always)]
unsafe fn add_row<T: Element>(
    axis: &Axis,
    (lhs, offset): (*const T, isize),
    position: isize,
    w: T::Packed,
    sums: &mut [T::Packed],
    mul_add: &impl Fn(T::Packed, T::Packed, T::Packed) -> T::Packed,
) {
    if axis.dilation != 1 {
        for (i, sum) in sums.iter_mut().enumerate() {
            if let Some(at) = axis.offset(position + i as isize * axis.stride) {
                // SAFETY: the caller passes positions inside lhs only.
                *sum = mul_add(unsafe { (*lhs.offset(offset + at)).widen() }, w, *sum);
            }
        }
        return;
    }
    let low = clamp_index(div_ceil(-position, axis.stride), sums.len());
    let high = clamp_index(div_ceil(axis.input - position, axis.stride), sums.len());
    if low >= high {
        return;
    }
    let start = offset + (position + low as isize * axis.stride) * axis.lhs_stride;
    let step = axis.stride * axis.lhs_stride;
    // SAFETY: positions `low..high` are inside lhs.
    unsafe {
        let from = lhs.offset(start);
        let sums = &mut sums[low..high];
        if step == 1 {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = mul_add((*from.add(i)).widen(), w, *sum);
            }
        } else {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = mul_add((*from.offset(i as isize * step)).widen(), w, *sum);
            }
        }
    }
}
