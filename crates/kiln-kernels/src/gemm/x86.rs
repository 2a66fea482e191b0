//! Micro-kernels for x86-64: AVX2 with FMA (6 rows by 2 vectors) and AVX-512F (12 rows by 2 vectors).
//!
//! 12 x 2 accumulators, two vectors of B and a broadcast element of A fit the 32 registers of AVX-512; 6 x 2 the 16 of
//! AVX2. Every number of rows has its own instance, so edge tiles do no superfluous arithmetic; partial vectors are
//! loaded and stored under masks.

use core::arch::x86_64::*;

use super::portable;
use super::tile::{Dots, PANEL_M, TileArgs, TileKernel};
use crate::element::Packed;
use crate::isa::Isa;

/// The micro-kernel of the other element types, compiled with AVX2.
pub(super) fn generic_avx2<P: Packed>() -> TileKernel<P> {
    TileKernel { rows: 4, cols: 16, run: run_generic_avx2::<P> }
}

#[target_feature(enable = "avx2")]
unsafe fn run_generic_avx2<P: Packed>(tile: &TileArgs<P>) {
    // SAFETY: as for the micro-kernel.
    unsafe { portable::any_rows::<P, 16>(tile) }
}

/// Defines a micro-kernel over `ROWS` rows and `VECTORS` vectors, with the last vector masked when `MASKED`.
macro_rules! tile_kernel {
    ($name:ident, $features:literal, $elem:ty, $lanes:literal, $mask:ident,
     $zero:ident, $load:ident, $load_masked:path, $store:ident, $store_masked:path,
     $splat:ident, $fma:ident, $add:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn $name<const ROWS: usize, const VECTORS: usize, const MASKED: bool, const PACKED: bool>(
            tile: &TileArgs<$elem>,
        ) {
            let last = VECTORS - 1;
            let mask = $mask(tile.n - last * $lanes);
            let mut acc = [[$zero(); VECTORS]; ROWS];
            let (mut a, mut b) = (tile.a, tile.b);
            // A packed panel has constant strides, which the compiler folds into addresses.
            let a_row = if PACKED { 1 } else { tile.a_row };
            let a_col = if PACKED { PANEL_M as isize } else { tile.a_col };
            for i in 0..ROWS {
                _mm_prefetch::<_MM_HINT_T0>(tile.c.wrapping_offset(i as isize * tile.c_row).cast());
            }
            for _ in 0..tile.k {
                let mut row = [$zero(); VECTORS];
                for v in 0..VECTORS {
                    // SAFETY: row `p` of B has `n` elements; the mask covers those of the last vector.
                    row[v] = unsafe {
                        if MASKED && v == last {
                            $load_masked(b.add(v * $lanes), mask)
                        } else {
                            $load(b.add(v * $lanes))
                        }
                    };
                }
                for i in 0..ROWS {
                    // SAFETY: the tile has ROWS rows.
                    let x = unsafe { $splat(*a.offset(i as isize * a_row)) };
                    for v in 0..VECTORS {
                        acc[i][v] = $fma(x, row[v], acc[i][v]);
                    }
                }
                a = a.wrapping_offset(a_col);
                b = b.wrapping_offset(tile.b_row);
            }
            for i in 0..ROWS {
                for v in 0..VECTORS {
                    // SAFETY: row `i` of the tile of C; the mask covers the elements of its last vector.
                    unsafe {
                        let c = tile.c.offset(i as isize * tile.c_row).add(v * $lanes);
                        if MASKED && v == last {
                            let mut sum = acc[i][v];
                            if tile.accumulate {
                                sum = $add($load_masked(c, mask), sum);
                            }
                            $store_masked(c, mask, sum);
                        } else {
                            let mut sum = acc[i][v];
                            if tile.accumulate {
                                sum = $add($load(c), sum);
                            }
                            $store(c, sum);
                        }
                    }
                }
            }
        }
    };
}

/// Defines the function that picks the instance for a tile: one per number of rows, vectors and kind of access.
macro_rules! dispatch {
    ($dispatch:ident, $kernel:ident, $elem:ty, $lanes:literal, [$($rows:literal),*]) => {
        unsafe fn $dispatch(tile: &TileArgs<$elem>) {
            const TABLE: &[[unsafe fn(&TileArgs<$elem>); 8]] = &[$([
                $kernel::<$rows, 1, false, false>,
                $kernel::<$rows, 1, false, true>,
                $kernel::<$rows, 1, true, false>,
                $kernel::<$rows, 1, true, true>,
                $kernel::<$rows, 2, false, false>,
                $kernel::<$rows, 2, false, true>,
                $kernel::<$rows, 2, true, false>,
                $kernel::<$rows, 2, true, true>,
            ]),*];
            let two = tile.n > $lanes;
            let masked = tile.n % $lanes != 0;
            let packed = tile.a_row == 1 && tile.a_col == PANEL_M as isize;
            let kernel = TABLE[tile.m - 1][two as usize * 4 + masked as usize * 2 + packed as usize];
            // SAFETY: as for the micro-kernel; the features are there because this kernel was chosen.
            unsafe { kernel(tile) }
        }
    };
}

#[target_feature(enable = "avx512f")]
fn mask16(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}

#[target_feature(enable = "avx512f")]
fn mask8(count: usize) -> __mmask8 {
    ((1u32 << count) - 1) as __mmask8
}

#[target_feature(enable = "avx512f")]
unsafe fn load_f32x16(from: *const f32, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's mask covers readable elements.
    unsafe { _mm512_maskz_loadu_ps(mask, from) }
}

#[target_feature(enable = "avx512f")]
unsafe fn load_f64x8(from: *const f64, mask: __mmask8) -> __m512d {
    // SAFETY: the caller's mask covers readable elements.
    unsafe { _mm512_maskz_loadu_pd(mask, from) }
}

/// A mask for AVX2: lanes below `count` are all ones.
#[target_feature(enable = "avx2")]
fn lanes_f32(count: usize) -> __m256i {
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}

/// A mask for AVX2: lanes below `count` are all ones.
#[target_feature(enable = "avx2")]
fn lanes_f64(count: usize) -> __m256i {
    _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3))
}

tile_kernel!(
    tile_f32_avx2,
    "avx2,fma",
    f32,
    8,
    lanes_f32,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_maskload_ps,
    _mm256_storeu_ps,
    _mm256_maskstore_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps
);
tile_kernel!(
    tile_f64_avx2,
    "avx2,fma",
    f64,
    4,
    lanes_f64,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_maskload_pd,
    _mm256_storeu_pd,
    _mm256_maskstore_pd,
    _mm256_set1_pd,
    _mm256_fmadd_pd,
    _mm256_add_pd
);
tile_kernel!(
    tile_f32_avx512,
    "avx512f",
    f32,
    16,
    mask16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    load_f32x16,
    _mm512_storeu_ps,
    _mm512_mask_storeu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps
);
tile_kernel!(
    tile_f64_avx512,
    "avx512f",
    f64,
    8,
    mask8,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    load_f64x8,
    _mm512_storeu_pd,
    _mm512_mask_storeu_pd,
    _mm512_set1_pd,
    _mm512_fmadd_pd,
    _mm512_add_pd
);

dispatch!(run_f32_avx2, tile_f32_avx2, f32, 8, [1, 2, 3, 4, 5, 6]);
dispatch!(run_f64_avx2, tile_f64_avx2, f64, 4, [1, 2, 3, 4, 5, 6]);
dispatch!(run_f32_avx512, tile_f32_avx512, f32, 16, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
dispatch!(run_f64_avx512, tile_f64_avx512, f64, 8, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

pub(super) fn f32_avx2() -> TileKernel<f32> {
    TileKernel { rows: 6, cols: 16, run: run_f32_avx2 }
}

pub(super) fn f64_avx2() -> TileKernel<f64> {
    TileKernel { rows: 6, cols: 8, run: run_f64_avx2 }
}

pub(super) fn f32_avx512() -> TileKernel<f32> {
    TileKernel { rows: 12, cols: 32, run: run_f32_avx512 }
}

pub(super) fn f64_avx512() -> TileKernel<f64> {
    TileKernel { rows: 12, cols: 16, run: run_f64_avx512 }
}

/// Defines four dot products of contiguous vectors with a common one: two accumulators per column, then a tree.
macro_rules! dots_kernel {
    ($name:ident, $features:literal, $elem:ty, $lanes:literal, $zero:ident, $load:ident, $store:ident, $fma:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(k: usize, x: *const $elem, cols: [*const $elem; 4]) -> [$elem; 4] {
            const PARTS: usize = 2 * $lanes;
            let whole = k - k % PARTS;
            let mut acc = [[$zero(); 2]; 4];
            let mut p = 0;
            while p < whole {
                // SAFETY: elements below `k`.
                unsafe {
                    let (x0, x1) = ($load(x.add(p)), $load(x.add(p + $lanes)));
                    for c in 0..4 {
                        acc[c][0] = $fma(x0, $load(cols[c].add(p)), acc[c][0]);
                        acc[c][1] = $fma(x1, $load(cols[c].add(p + $lanes)), acc[c][1]);
                    }
                }
                p += PARTS;
            }
            let mut sums = [0.0; 4];
            for c in 0..4 {
                let mut parts = [0.0; PARTS];
                // SAFETY: the parts have room; elements below `k`.
                unsafe {
                    $store(parts.as_mut_ptr(), acc[c][0]);
                    $store(parts.as_mut_ptr().add($lanes), acc[c][1]);
                    for p in whole..k {
                        parts[p - whole] = (*x.add(p)).mul_add(*cols[c].add(p), parts[p - whole]);
                    }
                }
                let mut width = PARTS / 2;
                while width > 0 {
                    for l in 0..width {
                        parts[l] += parts[l + width];
                    }
                    width /= 2;
                }
                sums[c] = parts[0];
            }
            sums
        }
    };
}

dots_kernel!(dots_f32_avx2, "avx2,fma", f32, 8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps);
dots_kernel!(dots_f64_avx2, "avx2,fma", f64, 4, _mm256_setzero_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd);
dots_kernel!(
    dots_f32_avx512,
    "avx512f,avx2,fma",
    f32,
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps
);
dots_kernel!(
    dots_f64_avx512,
    "avx512f,avx2,fma",
    f64,
    8,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_fmadd_pd
);

pub(super) fn dots_f32(isa: Isa) -> Option<Dots<f32>> {
    match isa {
        Isa::Portable => None,
        Isa::Avx2 => Some(dots_f32_avx2),
        Isa::Avx512 => Some(dots_f32_avx512),
    }
}

pub(super) fn dots_f64(isa: Isa) -> Option<Dots<f64>> {
    match isa {
        Isa::Portable => None,
        Isa::Avx2 => Some(dots_f64_avx2),
        Isa::Avx512 => Some(dots_f64_avx512),
    }
}
