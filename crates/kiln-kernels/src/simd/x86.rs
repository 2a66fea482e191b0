//! Vectors of AVX2 with FMA and of AVX-512F.

use core::arch::x86_64::*;

use super::{Real, Task, Vector};

/// # Safety
/// The processor has AVX2 and FMA; whatever the task asks for.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2<T: Real, K: Task<T>>(task: K) {
    // SAFETY: as the caller promises.
    unsafe { task.run::<T::Avx2>() }
}

/// # Safety
/// The processor has AVX2, FMA and AVX-512F; whatever the task asks for.
#[target_feature(enable = "avx2,fma,avx512f")]
pub(super) unsafe fn avx512<T: Real, K: Task<T>>(task: K) {
    // SAFETY: as the caller promises.
    unsafe { task.run::<T::Avx512>() }
}

macro_rules! vector {
    ($name:ident, $register:ty, $elem:ty, $lanes:literal,
     $load:ident, $store:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident, $fnma:ident,
     |$a:ident, $b:ident| $deinterleave:expr, $interleave_low:ident, $interleave_high:ident, $transpose:ident) => {
        #[doc = concat!(stringify!($lanes), " elements.")]
        #[derive(Clone, Copy)]
        pub(crate) struct $name($register);

        // SAFETY of all the blocks below: the functions are used inside of `vectorize` only, which its caller promises
        // to use where the instructions are there; pointers are as the caller of `load` and `store` promises.
        impl Vector for $name {
            type Elem = $elem;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                // SAFETY: see above.
                $name(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                // SAFETY: see above.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            fn splat(x: $elem) -> Self {
                // SAFETY: see above.
                $name(unsafe { $splat(x) })
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                // SAFETY: see above.
                $name(unsafe { $add(self.0, b.0) })
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                // SAFETY: see above.
                $name(unsafe { $sub(self.0, b.0) })
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                // SAFETY: see above.
                $name(unsafe { $mul(self.0, b.0) })
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                // SAFETY: see above.
                $name(unsafe { $div(self.0, b.0) })
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: see above.
                $name(unsafe { $fma(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn neg_mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: see above.
                $name(unsafe { $fnma(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn deinterleave(a: Self, b: Self) -> (Self, Self) {
                let ($a, $b) = (a.0, b.0);
                // SAFETY: see above.
                let (re, im) = unsafe { $deinterleave };
                ($name(re), $name(im))
            }
            #[inline(always)]
            fn interleave(re: Self, im: Self) -> (Self, Self) {
                // SAFETY: see above.
                unsafe { ($name($interleave_low(re.0, im.0)), $name($interleave_high(re.0, im.0))) }
            }
            #[inline(always)]
            fn transpose(rows: [Self; 8]) -> [Self; 8] {
                // SAFETY: see above.
                unsafe { $transpose(rows.map(|row| row.0)).map($name) }
            }
        }
    };
}

vector!(
    F32x8,
    __m256,
    f32,
    8,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_fnmadd_ps,
    |a, b| (_mm256_shuffle_ps::<0x88>(a, b), _mm256_shuffle_ps::<0xdd>(a, b)),
    _mm256_unpacklo_ps,
    _mm256_unpackhi_ps,
    transpose_f32x8
);
vector!(
    F64x4,
    __m256d,
    f64,
    4,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_set1_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_fmadd_pd,
    _mm256_fnmadd_pd,
    |a, b| (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)),
    _mm256_unpacklo_pd,
    _mm256_unpackhi_pd,
    transpose_f64x4
);
vector!(
    F32x16,
    __m512,
    f32,
    16,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_fnmadd_ps,
    |a, b| (_mm512_shuffle_ps::<0x88>(a, b), _mm512_shuffle_ps::<0xdd>(a, b)),
    _mm512_unpacklo_ps,
    _mm512_unpackhi_ps,
    transpose_f32x16
);
vector!(
    F64x8,
    __m512d,
    f64,
    8,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_set1_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_div_pd,
    _mm512_fmadd_pd,
    _mm512_fnmadd_pd,
    |a, b| (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)),
    _mm512_unpacklo_pd,
    _mm512_unpackhi_pd,
    transpose_f64x8
);

#[inline]
#[target_feature(enable = "avx2,fma")]
fn transpose_f64x4(mut rows: [__m256d; 8]) -> [__m256d; 8] {
    let [a, b, ..] = rows;
    rows[0] = _mm256_permute2f128_pd::<0x20>(a, b);
    rows[1] = _mm256_permute2f128_pd::<0x31>(a, b);
    rows
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn transpose_f32x8(mut rows: [__m256; 8]) -> [__m256; 8] {
    let [a, b, c, d, ..] = rows.map(|row| _mm256_castps_pd(row));
    let (ab0, ab1) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    let (cd0, cd1) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
    rows[0] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x20>(ab0, cd0));
    rows[1] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x20>(ab1, cd1));
    rows[2] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x31>(ab0, cd0));
    rows[3] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x31>(ab1, cd1));
    rows
}

/// Transposes the 4 x 4 matrix of quarters.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f")]
fn transpose_quarters(a: __m512d, b: __m512d, c: __m512d, d: __m512d) -> [__m512d; 4] {
    let (ab0, ab1) = (_mm512_shuffle_f64x2::<0x44>(a, b), _mm512_shuffle_f64x2::<0xee>(a, b));
    let (cd0, cd1) = (_mm512_shuffle_f64x2::<0x44>(c, d), _mm512_shuffle_f64x2::<0xee>(c, d));
    [
        _mm512_shuffle_f64x2::<0x88>(ab0, cd0),
        _mm512_shuffle_f64x2::<0xdd>(ab0, cd0),
        _mm512_shuffle_f64x2::<0x88>(ab1, cd1),
        _mm512_shuffle_f64x2::<0xdd>(ab1, cd1),
    ]
}

#[inline]
#[target_feature(enable = "avx2,fma,avx512f")]
fn transpose_f64x8(mut rows: [__m512d; 8]) -> [__m512d; 8] {
    let [a, b, c, d, ..] = rows;
    [rows[0], rows[1], rows[2], rows[3]] = transpose_quarters(a, b, c, d);
    rows
}

#[inline]
#[target_feature(enable = "avx2,fma,avx512f")]
fn transpose_f32x16(rows: [__m512; 8]) -> [__m512; 8] {
    let [a, b, c, d, e, f, g, h] = rows.map(|row| _mm512_castps_pd(row));
    let even = transpose_quarters(
        _mm512_unpacklo_pd(a, b),
        _mm512_unpacklo_pd(c, d),
        _mm512_unpacklo_pd(e, f),
        _mm512_unpacklo_pd(g, h),
    );
    let odd = transpose_quarters(
        _mm512_unpackhi_pd(a, b),
        _mm512_unpackhi_pd(c, d),
        _mm512_unpackhi_pd(e, f),
        _mm512_unpackhi_pd(g, h),
    );
    [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]].map(|row| _mm512_castpd_ps(row))
}
