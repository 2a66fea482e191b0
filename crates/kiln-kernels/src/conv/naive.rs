//! Stage one.
use super::ConvParams;
use crate::element::{Element, Packed};

pub(super) unsafe fn run<T: Element>(p: &ConvParams, lhs: *const T, rhs: *const T, out: *mut T) {
    let pixels: usize = p.spatial.iter().map(|d| d.output).product();
    let window: usize = p.spatial.iter().map(|d| d.window).product();
    let per_group = p.output_features / p.feature_group_count;
    let per_batch_group = p.output_features / p.batch_group_count;
    for n in 0..p.output_batch() {
        for f in 0..p.output_features {
            let image = n + f / per_batch_group * p.output_batch();
            let first = f / per_group * p.features_per_group();
            for pixel in 0..pixels {
                let mut sum = T::Packed::ZERO;
                for c in 0..p.features_per_group() {
                    'window: for w in 0..window {
                        let mut l = image as isize * p.lhs_batch_stride + (first + c) as isize * p.lhs_feature_stride;
                        let mut r = f as isize * p.rhs_output_stride + c as isize * p.rhs_input_stride;
                        let (mut o, mut w) = (pixel, w);
                        for d in p.spatial.iter().rev() {
                            let x = (o % d.output * d.stride + w % d.window * d.rhs_dilation) as isize - d.padding_low;
                            let dilation = d.lhs_dilation as isize;
                            if x < 0 || x % dilation != 0 || x / dilation >= d.input as isize {
                                continue 'window;
                            }
                            l += x / dilation * d.lhs_stride;
                            let tap = if d.reversal { d.window - 1 - w % d.window } else { w % d.window };
                            r += tap as isize * d.rhs_stride;
                            (o, w) = (o / d.output, w / d.window);
                        }
                        // SAFETY: in bounds by the caller's contract.
                        unsafe { sum = T::Packed::mul_add((*lhs.offset(l)).widen(), (*rhs.offset(r)).widen(), sum) };
                    }
                }
                let mut at = n as isize * p.out_batch_stride + f as isize * p.out_feature_stride;
                let mut o = pixel;
                for d in p.spatial.iter().rev() {
                    at += (o % d.output) as isize * d.out_stride;
                    o /= d.output;
                }
                // SAFETY: as above.
                unsafe { *out.offset(at) = T::narrow(sum) };
            }
        }
    }
}
