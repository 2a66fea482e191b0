//! Stage one.
use super::DotParams;
use crate::element::{Element, Packed};

pub(super) unsafe fn run<T: Element>(p: &DotParams, a: *const T, b: *const T, c: *mut T) {
    let total: usize = p.batch.iter().map(|d| d.extent).product();
    for batch in 0..total {
        let (mut a0, mut b0, mut c0, mut rest) = (0, 0, 0, batch);
        for d in p.batch.iter().rev() {
            let i = (rest % d.extent) as isize;
            rest /= d.extent;
            (a0, b0, c0) = (a0 + i * d.a_stride, b0 + i * d.b_stride, c0 + i * d.c_stride);
        }
        for i in 0..p.m as isize {
            for j in 0..p.n as isize {
                let mut sum = T::Packed::ZERO;
                for q in 0..p.k as isize {
                    // SAFETY: in bounds by the caller's contract.
                    let x = unsafe { *a.offset(a0 + i * p.a_row + q * p.a_col) };
                    // SAFETY: as above.
                    let y = unsafe { *b.offset(b0 + q * p.b_row + j * p.b_col) };
                    sum = T::Packed::mul_add(x.widen(), y.widen(), sum);
                }
                // SAFETY: as above.
                unsafe { *c.offset(c0 + i * p.c_row + j * p.c_col) = T::narrow(sum) };
            }
        }
    }
}
