//! `convolution`, straight from its definition.

use super::dot::{fma_complex, fma_float, fma_int, with_numbers};
use super::sizes;
use crate::error::Fault;
use crate::index::{for_each_index, offset_of, strides, taps};
use kiln_ir::op::ConvDims;
use kiln_ir::{Tensor, TensorType};

pub(super) fn convolution(lhs: &Tensor, rhs: &Tensor, ty: &TensorType, c: &ConvDims) -> Result<Tensor, Fault> {
    let shape = sizes(ty)?;
    let run = Run { c, input: lhs.shape(), kernel: rhs.shape(), output: &shape };
    with_numbers(
        lhs,
        rhs,
        ty,
        |a, b| run.run(a, b, fma_float),
        |a, b| run.run(a, b, fma_int),
        |a, b| run.run(a, b, fma_complex),
    )
}

struct Run<'a> {
    c: &'a ConvDims,
    input: &'a [usize],
    kernel: &'a [usize],
    output: &'a [usize],
}

impl Run<'_> {
    fn run<T: Copy + Default>(&self, a: &[T], b: &[T], fma: impl Fn(T, T, T) -> T) -> Vec<T> {
        let mut out = vec![T::default(); self.output.iter().product()];
        if out.is_empty() || a.is_empty() || b.is_empty() {
            return out;
        }
        let c = self.c;
        let (is, ks, os) = (strides(self.input), strides(self.kernel), strides(self.output));
        let spatial: Vec<usize> = c.output_spatial.iter().map(|&d| self.output[d]).collect();
        let (batch, features) = (self.output[c.output_batch], self.output[c.output_feature]);
        let group_inputs = self.kernel[c.kernel_input_feature];
        for_each_index(&spatial, |at| {
            let points = self.points(at);
            let base = offset_of(at, &c.output_spatial.iter().map(|&d| os[d]).collect::<Vec<_>>());
            for n in 0..batch {
                for f in 0..features {
                    let (image, first) = self.group(n, f, batch, features);
                    let mut sum = T::default();
                    for &(k, i) in &points {
                        for q in 0..group_inputs {
                            let x = i + image * is[c.input_batch] as usize + (first + q) * is[c.input_feature] as usize;
                            let y =
                                k + q * ks[c.kernel_input_feature] as usize + f * ks[c.kernel_output_feature] as usize;
                            sum = fma(sum, a[x], b[y]);
                        }
                    }
                    out[base + n * os[c.output_batch] as usize + f * os[c.output_feature] as usize] = sum;
                }
            }
        });
        out
    }

    /// Image and first input feature that output (image `n`, feature `f`) reads.
    fn group(&self, n: usize, f: usize, batch: usize, features: usize) -> (usize, usize) {
        let c = self.c;
        let group = |groups: usize| f / (features / groups);
        let image = n + group(c.batch_group_count) * batch;
        (image, group(c.feature_group_count) * self.kernel[c.kernel_input_feature])
    }

    /// Spatial offsets of (kernel, input) that meet in the window at a spatial output index.
    fn points(&self, at: &[usize]) -> Vec<(usize, usize)> {
        let c = self.c;
        let (is, ks) = (strides(self.input), strides(self.kernel));
        let mut points = vec![(0, 0)];
        for (d, w) in c.window.iter().enumerate() {
            let (i, k) = (c.input_spatial[d], c.kernel_spatial[d]);
            let (si, sk) = (is[i] as usize, ks[k] as usize);
            let line = taps(w, self.input[i], at[d]);
            points =
                points.iter().flat_map(|&(p, q)| line.iter().map(move |&(x, y)| (p + x * sk, q + y * si))).collect();
        }
        points
    }
}
