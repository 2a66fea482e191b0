//! Vectors as arrays: what every target has.

use super::{Real, Vector};

/// `N` elements.
#[derive(Clone, Copy)]
pub(crate) struct Portable<T, const N: usize>([T; N]);

impl<T: Real, const N: usize> Portable<T, N> {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(T, T) -> T) -> Self {
        let mut out = self;
        for i in 0..N {
            out.0[i] = f(self.0[i], b.0[i]);
        }
        out
    }
}

impl<T: Real, const N: usize> Vector for Portable<T, N> {
    type Elem = T;
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: as the caller promises.
        Portable(unsafe { from.cast::<[T; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as the caller promises.
        unsafe { to.cast::<[T; N]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    fn splat(x: T) -> Self {
        Portable([x; N])
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, Real::add)
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, Real::sub)
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, Real::mul)
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, Real::div)
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self.mul(b).add(c)
    }

    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        c.sub(self.mul(b))
    }

    #[inline(always)]
    fn deinterleave(a: Self, b: Self) -> (Self, Self) {
        let (mut re, mut im) = (a, b);
        for i in 0..N / 2 {
            (re.0[i], im.0[i]) = (a.0[2 * i], a.0[2 * i + 1]);
            (re.0[N / 2 + i], im.0[N / 2 + i]) = (b.0[2 * i], b.0[2 * i + 1]);
        }
        (re, im)
    }

    #[inline(always)]
    fn interleave(re: Self, im: Self) -> (Self, Self) {
        let (mut a, mut b) = (re, im);
        for i in 0..N / 2 {
            (a.0[2 * i], a.0[2 * i + 1]) = (re.0[i], im.0[i]);
            (b.0[2 * i], b.0[2 * i + 1]) = (re.0[N / 2 + i], im.0[N / 2 + i]);
        }
        (a, b)
    }

    #[inline(always)]
    fn transpose(rows: [Self; 8]) -> [Self; 8] {
        let mut out = rows;
        for i in 0..N / 2 {
            for j in 0..N / 2 {
                out[j].0[2 * i] = rows[i].0[2 * j];
                out[j].0[2 * i + 1] = rows[i].0[2 * j + 1];
            }
        }
        out
    }
}
