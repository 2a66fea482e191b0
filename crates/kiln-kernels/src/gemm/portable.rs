//! The micro-kernel in plain Rust, for every element type; the compiler vectorizes the loop over columns.

use super::tile::{TileArgs, TileKernel};
use crate::element::Packed;

/// Rows of the portable tile.
const ROWS: usize = 4;

/// Columns of the portable tile: two 16-byte vectors of f32.
const COLS: usize = 8;

pub(super) fn kernel<P: Packed>() -> TileKernel<P> {
    TileKernel { rows: ROWS, cols: COLS, run: run::<P> }
}

unsafe fn run<P: Packed>(tile: &TileArgs<P>) {
    // SAFETY: as for the micro-kernel; it reads and writes only the tile.
    unsafe { any_rows::<P, COLS>(tile) }
}

/// A tile of up to [`ROWS`] rows and `COLS` columns.
///
/// # Safety
/// The pointers of `tile` reach all of its elements.
#[inline(always)]
pub(super) unsafe fn any_rows<P: Packed, const COLS: usize>(tile: &TileArgs<P>) {
    // SAFETY: as above.
    unsafe {
        match tile.m {
            1 => columns::<P, 1, COLS>(tile),
            2 => columns::<P, 2, COLS>(tile),
            3 => columns::<P, 3, COLS>(tile),
            _ => columns::<P, 4, COLS>(tile),
        }
    }
}

#[inline(always)]
unsafe fn columns<P: Packed, const ROWS: usize, const COLS: usize>(tile: &TileArgs<P>) {
    let mut acc = [[P::ZERO; COLS]; ROWS];
    let (mut a, mut b) = (tile.a, tile.b);
    for _ in 0..tile.k {
        // SAFETY: row `p` of B has `n` elements, and COLS when the tile is full.
        let row: [P; COLS] = unsafe {
            if tile.n == COLS {
                b.cast::<[P; COLS]>().read_unaligned()
            } else {
                let mut row = [P::ZERO; COLS];
                for j in 0..tile.n {
                    row[j] = *b.add(j);
                }
                row
            }
        };
        for i in 0..ROWS {
            // SAFETY: the tile has ROWS rows.
            let x = unsafe { *a.offset(i as isize * tile.a_row) };
            for j in 0..COLS {
                acc[i][j] = P::mul_add(x, row[j], acc[i][j]);
            }
        }
        a = a.wrapping_offset(tile.a_col);
        b = b.wrapping_offset(tile.b_row);
    }
    for i in 0..ROWS {
        for j in 0..tile.n {
            // SAFETY: element (i, j) of the tile of C.
            unsafe {
                let c = tile.c.offset(i as isize * tile.c_row).add(j);
                *c = if tile.accumulate { P::add(*c, acc[i][j]) } else { acc[i][j] };
            }
        }
    }
}

/// Partial sums per dot product.
const PARTS: usize = 8;

/// Dot products: see [`super::tile::Dots`].
pub(super) unsafe fn dots<P: Packed>(k: usize, x: *const P, cols: [*const P; 4]) -> [P; 4] {
    cols.map(|col| {
        let mut parts = [P::ZERO; PARTS];
        let whole = k - k % PARTS;
        for p in (0..whole).step_by(PARTS) {
            for l in 0..PARTS {
                // SAFETY: elements below `k`.
                parts[l] = unsafe { P::mul_add(*x.add(p + l), *col.add(p + l), parts[l]) };
            }
        }
        for p in whole..k {
            // SAFETY: elements below `k`.
            parts[p - whole] = unsafe { P::mul_add(*x.add(p), *col.add(p), parts[p - whole]) };
        }
        let mut width = PARTS / 2;
        while width > 0 {
            for l in 0..width {
                parts[l] = P::add(parts[l], parts[l + width]);
            }
            width /= 2;
        }
        parts[0]
    })
}
