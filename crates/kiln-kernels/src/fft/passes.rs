//! The passes of a transform of many lines at once.
//!
//! Stockham's self-sorting form of the mixed-radix transform (C. Van Loan, "Computational Frameworks for the Fast Fourier
//! Transform", 1992, 1.7): a pass of radix `r` with `m` groups and `s` finished indices reads
//! `x[q + s (p + m k)]` and writes `y[q + s (r p + k)]`. Index `i` of a line is a *block*: the real parts of all
//! lines, then the imaginary parts, so that every operation is one on vectors without any shuffle.

use crate::simd::{Real, Task, Vector};

/// The largest radix that passes have.
pub(super) const MAX_RADIX: usize = 61;

/// One pass over one group of lines.
#[derive(Clone, Copy)]
pub(super) struct Pass<T> {
    pub(super) x: *const T,
    pub(super) y: *mut T,
    pub(super) m: usize,
    pub(super) s: usize,
    /// `r - 1` factors for each of the `m` groups; not read when `m` is 1.
    pub(super) twiddles: *const T,
    /// The roots of unity of the radix, for radices without code of their own.
    pub(super) roots: *const T,
    pub(super) radix: usize,
}

/// A complex number per lane.
#[derive(Clone, Copy)]
pub(super) struct Num<V> {
    re: V,
    im: V,
}

impl<V: Vector> Num<V> {
    #[inline(always)]
    unsafe fn load(from: *const V::Elem) -> Num<V> {
        // SAFETY: both halves of a block are readable.
        unsafe { Num { re: V::load(from), im: V::load(from.add(V::Elem::LANES)) } }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut V::Elem) {
        // SAFETY: both halves of a block are writable.
        unsafe {
            self.re.store(to);
            self.im.store(to.add(V::Elem::LANES));
        }
    }

    #[inline(always)]
    fn add(self, b: Num<V>) -> Num<V> {
        Num { re: self.re.add(b.re), im: self.im.add(b.im) }
    }

    #[inline(always)]
    fn sub(self, b: Num<V>) -> Num<V> {
        Num { re: self.re.sub(b.re), im: self.im.sub(b.im) }
    }

    /// `self - i b`.
    #[inline(always)]
    fn sub_i(self, b: Num<V>) -> Num<V> {
        Num { re: self.re.add(b.im), im: self.im.sub(b.re) }
    }

    /// `self + i b`.
    #[inline(always)]
    fn add_i(self, b: Num<V>) -> Num<V> {
        Num { re: self.re.sub(b.im), im: self.im.add(b.re) }
    }

    /// `self + c b` for real `c`.
    #[inline(always)]
    fn add_scaled(self, c: V, b: Num<V>) -> Num<V> {
        Num { re: c.mul_add(b.re, self.re), im: c.mul_add(b.im, self.im) }
    }

    #[inline(always)]
    fn scaled(self, c: V) -> Num<V> {
        Num { re: self.re.mul(c), im: self.im.mul(c) }
    }

    #[inline(always)]
    fn mul(self, w: Num<V>) -> Num<V> {
        Num { re: self.im.neg_mul_add(w.im, self.re.mul(w.re)), im: self.re.mul_add(w.im, self.im.mul(w.re)) }
    }
}

#[inline(always)]
fn butterfly2<V: Vector>([a, b]: [Num<V>; 2]) -> [Num<V>; 2] {
    [a.add(b), a.sub(b)]
}

#[inline(always)]
fn butterfly3<V: Vector>([a, b, c]: [Num<V>; 3]) -> [Num<V>; 3] {
    let (sum, difference) = (b.add(c), b.sub(c));
    let middle = a.add_scaled(V::splat(V::Elem::of(-0.5)), sum);
    let side = difference.scaled(V::splat(V::Elem::of(0.866_025_403_784_438_6)));
    [a.add(sum), middle.sub_i(side), middle.add_i(side)]
}

#[inline(always)]
fn butterfly4<V: Vector>([a, b, c, d]: [Num<V>; 4]) -> [Num<V>; 4] {
    let (ac, ca, bd, db) = (a.add(c), a.sub(c), b.add(d), b.sub(d));
    [ac.add(bd), ca.sub_i(db), ac.sub(bd), ca.add_i(db)]
}

#[inline(always)]
fn butterfly5<V: Vector>([a, b, c, d, e]: [Num<V>; 5]) -> [Num<V>; 5] {
    // Cosines and sines of 2 pi / 5 and 4 pi / 5.
    let [c1, c2] = [0.309_016_994_374_947_45, -0.809_016_994_374_947_5].map(|x| V::splat(V::Elem::of(x)));
    let [s1, s2] = [0.951_056_516_295_153_5, 0.587_785_252_292_473_1].map(|x| V::splat(V::Elem::of(x)));
    let (be, eb, cd, dc) = (b.add(e), b.sub(e), c.add(d), c.sub(d));
    let first = a.add_scaled(c1, be).add_scaled(c2, cd);
    let second = a.add_scaled(c2, be).add_scaled(c1, cd);
    let side1 = eb.scaled(s1).add_scaled(s2, dc);
    let side2 = eb.scaled(s2).sub(dc.scaled(s1));
    [a.add(be).add(cd), first.sub_i(side1), second.sub_i(side2), second.add_i(side2), first.add_i(side1)]
}

#[inline(always)]
fn butterfly8<V: Vector>([a, b, c, d, e, f, g, h]: [Num<V>; 8]) -> [Num<V>; 8] {
    let [e0, e1, e2, e3] = butterfly4([a, c, e, g]);
    let [o0, o1, o2, o3] = butterfly4([b, d, f, h]);
    let half = V::splat(V::Elem::of(core::f64::consts::FRAC_1_SQRT_2));
    // o1 (1 - i) and o3 (1 + i), each still to be scaled by `half`; the latter has the wrong sign.
    let t1 = Num { re: o1.re.add(o1.im), im: o1.im.sub(o1.re) };
    let t3 = Num { re: o3.re.sub(o3.im), im: o3.im.add(o3.re) };
    let (t1, t3) = (t1.scaled(half), t3.scaled(half));
    [e0.add(o0), e1.add(t1), e2.sub_i(o2), e3.sub(t3), e0.sub(o0), e1.sub(t1), e2.add_i(o2), e3.add(t3)]
}

/// A pass with one butterfly.
#[inline(always)]
unsafe fn pass<V: Vector, const R: usize>(pass: &Pass<V::Elem>, butterfly: impl Fn([Num<V>; R]) -> [Num<V>; R]) {
    let block = 2 * V::Elem::LANES;
    let (m, s) = (pass.m, pass.s);
    for p in 0..m {
        let mut w = [Num { re: V::splat(V::Elem::ONE), im: V::splat(V::Elem::ONE) }; R];
        if m > 1 {
            for k in 1..R {
                // SAFETY: the table has `r - 1` factors for each group.
                unsafe {
                    let from = pass.twiddles.add((p * (R - 1) + k - 1) * 2);
                    w[k] = Num { re: V::splat(*from), im: V::splat(*from.add(1)) };
                }
            }
        }
        for q in 0..s {
            for lane in (0..V::Elem::LANES).step_by(V::LANES) {
                // SAFETY: blocks below `r m s` of both arrays.
                unsafe {
                    let from = pass.x.add((q + s * p) * block + lane);
                    let mut x = [w[0]; R];
                    for k in 0..R {
                        x[k] = Num::load(from.add(k * s * m * block));
                    }
                    let y = butterfly(x);
                    let to = pass.y.add((q + s * R * p) * block + lane);
                    y[0].store(to);
                    for k in 1..R {
                        let value = if m > 1 { y[k].mul(w[k]) } else { y[k] };
                        value.store(to.add(k * s * block));
                    }
                }
            }
        }
    }
}

/// Half of the largest radix.
const HALF: usize = MAX_RADIX / 2;

/// A pass of any odd radix, with the definition of the transform folded by its symmetry.
#[inline(always)]
unsafe fn odd_pass<V: Vector>(pass: &Pass<V::Elem>) {
    let block = 2 * V::Elem::LANES;
    let (m, s, r) = (pass.m, pass.s, pass.radix);
    let half = r / 2;
    let zero = Num { re: V::splat(V::Elem::ZERO), im: V::splat(V::Elem::ZERO) };
    let (mut sums, mut differences) = ([zero; HALF], [zero; HALF]);
    for p in 0..m {
        for q in 0..s {
            for lane in (0..V::Elem::LANES).step_by(V::LANES) {
                // SAFETY: blocks below `r m s` of both arrays; tables of `r` roots and `r - 1` factors for each group.
                unsafe {
                    let from = pass.x.add((q + s * p) * block + lane);
                    let to = pass.y.add((q + s * r * p) * block + lane);
                    let first = Num::<V>::load(from);
                    let mut total = first;
                    for j in 1..=half {
                        let a = Num::<V>::load(from.add(j * s * m * block));
                        let b = Num::<V>::load(from.add((r - j) * s * m * block));
                        (sums[j - 1], differences[j - 1]) = (a.add(b), a.sub(b));
                        total = total.add(sums[j - 1]);
                    }
                    total.store(to);
                    for k in 1..=half {
                        let (mut middle, mut side, mut index) = (first, zero, 0);
                        for j in 0..half {
                            index += k;
                            index -= if index >= r { r } else { 0 };
                            let root = pass.roots.add(2 * index);
                            middle = middle.add_scaled(V::splat(*root), sums[j]);
                            // The table has the negative sine.
                            side = side.add_scaled(V::splat(*root.add(1)), differences[j]);
                        }
                        for (k, y) in [(k, middle.add_i(side)), (r - k, middle.sub_i(side))] {
                            let mut y = y;
                            if m > 1 {
                                let w = pass.twiddles.add((p * (r - 1) + k - 1) * 2);
                                y = y.mul(Num { re: V::splat(*w), im: V::splat(*w.add(1)) });
                            }
                            y.store(to.add(k * s * block));
                        }
                    }
                }
            }
        }
    }
}

macro_rules! pass_task {
    ($($name:ident: $radix:literal = $butterfly:ident;)*) => {
        $(
            struct $name<T>(Pass<T>);

            impl<T: Real> Task<T> for $name<T> {
                #[inline(always)]
                unsafe fn run<V: Vector<Elem = T>>(self) {
                    // SAFETY: as the caller promises.
                    unsafe { pass::<V, $radix>(&self.0, $butterfly::<V>) }
                }
            }
        )*

        struct Odd<T>(Pass<T>);

        impl<T: Real> Task<T> for Odd<T> {
            #[inline(always)]
            unsafe fn run<V: Vector<Elem = T>>(self) {
                // SAFETY: as the caller promises.
                unsafe { odd_pass::<V>(&self.0) }
            }
        }

        impl<T: Real> Pass<T> {
            /// Runs the pass.
            ///
            /// # Safety
            /// Both arrays hold `radix * m * s` blocks and do not overlap, the tables are as described; `isa` is
            /// available.
            pub(super) unsafe fn run(self, isa: crate::isa::Isa) {
                // SAFETY: as the caller promises.
                unsafe {
                    match self.radix {
                        $($radix => crate::simd::vectorize(isa, $name(self)),)*
                        _ => crate::simd::vectorize(isa, Odd(self)),
                    }
                }
            }
        }
    };
}

pass_task! {
    Radix2: 2 = butterfly2;
    Radix3: 3 = butterfly3;
    Radix4: 4 = butterfly4;
    Radix5: 5 = butterfly5;
    Radix8: 8 = butterfly8;
}

/// Whether passes of this radix read a table of roots.
pub(super) const fn needs_roots(radix: usize) -> bool {
    !matches!(radix, 2 | 3 | 4 | 5 | 8)
}
