//! What a micro-kernel is: the innermost loop, over the terms of the sums of one tile of C.

use super::portable;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::element::Element;
use crate::isa::Isa;

/// Rows of a packed panel of A. Micro-kernels have 12, 6 or 4 rows and read it in parts.
pub(crate) const PANEL_M: usize = 12;

/// Columns of a packed panel of B of elements of `size` bytes: two 64-byte vectors of f32 or f64. The same on every
/// processor, so that operands packed at compile time fit any of them; narrower micro-kernels read it in parts.
pub(crate) const fn panel_n(size: usize) -> usize {
    if size >= 8 { 16 } else { 32 }
}

/// The largest [`panel_n`].
pub(crate) const MAX_PANEL_N: usize = 32;

/// One call of a micro-kernel: `C[i, j] (+)= sum_p A[i, p] * B[p, j]` for `i < m`, `j < n`, `p < k`.
#[derive(Clone, Copy)]
pub(crate) struct TileArgs<P> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) a: *const P,
    /// Distance between rows of A.
    pub(crate) a_row: isize,
    /// Distance between columns of A.
    pub(crate) a_col: isize,
    pub(crate) b: *const P,
    /// Distance between rows of B; its columns are adjacent.
    pub(crate) b_row: isize,
    pub(crate) c: *mut P,
    /// Distance between rows of C; its columns are adjacent.
    pub(crate) c_row: isize,
    /// Whether to add to what C holds.
    pub(crate) accumulate: bool,
}

/// A micro-kernel for one element type.
#[derive(Clone, Copy)]
pub(crate) struct TileKernel<P> {
    /// Most rows of one call; divides [`PANEL_M`].
    pub(crate) rows: usize,
    /// Most columns of one call; divides [`panel_n`].
    pub(crate) cols: usize,
    /// Computes a tile with `1 <= m <= rows`, `1 <= n <= cols`; reads and writes nothing outside it.
    pub(crate) run: unsafe fn(&TileArgs<P>),
}

/// Dot products of a contiguous vector of `k` elements with four others, each added up in an order that depends on
/// `k` only.
pub(crate) type Dots<P> = unsafe fn(k: usize, x: *const P, cols: [*const P; 4]) -> [P; 4];

/// The element types that tiles are computed in.
pub(crate) trait Tiled: Sized {
    /// The micro-kernel for these instructions.
    fn kernel(isa: Isa) -> TileKernel<Self>;

    /// Dot products with these instructions.
    fn dots(isa: Isa) -> Dots<Self>;
}

/// An element whose products are computed in tiles.
pub(crate) trait TileElement: Element<Packed: Tiled> {}
impl<T: Element<Packed: Tiled>> TileElement for T {}

macro_rules! float {
    ($type:ty, $avx2:path, $avx512:path, $dots:path) => {
        impl Tiled for $type {
            fn kernel(isa: Isa) -> TileKernel<Self> {
                match isa {
                    Isa::Portable => portable::kernel(),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => $avx2(),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => $avx512(),
                    #[cfg(not(target_arch = "x86_64"))]
                    Isa::Avx2 | Isa::Avx512 => portable::kernel(),
                }
            }

            fn dots(isa: Isa) -> Dots<Self> {
                #[cfg(target_arch = "x86_64")]
                if let Some(dots) = $dots(isa) {
                    return dots;
                }
                let _ = isa;
                portable::dots
            }
        }
    };
}

macro_rules! other {
    ($($type:ty),*) => {$(
        impl Tiled for $type {
            fn kernel(isa: Isa) -> TileKernel<Self> {
                match isa {
                    Isa::Portable => portable::kernel(),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 | Isa::Avx512 => x86::generic_avx2(),
                    #[cfg(not(target_arch = "x86_64"))]
                    Isa::Avx2 | Isa::Avx512 => portable::kernel(),
                }
            }

            fn dots(_isa: Isa) -> Dots<Self> {
                portable::dots
            }
        }
    )*};
}

float!(f32, x86::f32_avx2, x86::f32_avx512, x86::dots_f32);
float!(f64, x86::f64_avx2, x86::f64_avx512, x86::dots_f64);
other!(i8, i16, i32, i64, u8, u16, u32, u64, crate::element::Truth);
