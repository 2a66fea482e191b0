//! How a product is divided: block sizes, what is packed, and the workspace that follows from it.
//!
//! Everything here depends on the problem alone, never on the processor or the threads: workspaces planned
//! at compile time fit wherever the program runs.

use super::tile::{PANEL_M, panel_n};

/// Most terms of a block. A panel of A of this length (18 KiB of f32) stays in the first-level cache while the panels
/// of B stream past it.
pub(super) const MAX_TERMS: usize = 384;

/// Most terms of a block of 8-byte elements.
const MAX_TERMS_WIDE: usize = 256;

/// Terms of a block of B that is read in place though it is large: its rows are followed in parallel, as many streams
/// as the prefetchers keep up with.
const STREAMED_TERMS: usize = 16;

/// Most bytes of packed A.
const A_BYTES: usize = 1 << 20;

/// Most bytes of packed B.
const B_BYTES: usize = 2 << 20;

/// Most bytes of the wider copy of C.
const C_BYTES: usize = 2 << 20;

/// Bytes of B that the tiles of one task use again and again: less than the second-level caches hold.
const CACHED_B_BYTES: usize = 384 << 10;

/// Most bytes of an operand that is used where it is.
const IN_PLACE_BYTES: usize = 64 << 10;

/// A problem as the blocking sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) batches: usize,
    /// Bytes of a packed element.
    pub(crate) size: usize,
    /// Whether sums need a wider copy of C.
    pub(crate) wide: bool,
    /// Whether the micro-kernel could read A where it is.
    pub(crate) a_readable: bool,
    /// The same of B.
    pub(crate) b_readable: bool,
}

/// The division of a problem into blocks, with the layout of the workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    /// Whether A is packed.
    pub(crate) pack_a: bool,
    /// Whether B is packed.
    pub(crate) pack_b: bool,
    /// Terms of a block.
    pub(crate) terms: usize,
    /// Rows of a block: a multiple of [`PANEL_M`].
    pub(crate) rows: usize,
    /// Columns of a block: a multiple of the panel's.
    pub(crate) cols: usize,
    /// Products of the batch that are blocked together.
    pub(crate) group: usize,
    /// Most columns that one task of the compute phase covers.
    pub(crate) task_cols: usize,
    /// Elements of packed A per product.
    pub(crate) a_slot: usize,
    /// Elements of packed B per product.
    pub(crate) b_slot: usize,
    /// Elements of the wider C per product.
    pub(crate) c_slot: usize,
    /// Byte offsets in the workspace of packed A, packed B and the wider C.
    pub(crate) offsets: [usize; 3],
    /// Bytes of workspace.
    pub(crate) bytes: usize,
}

/// Terms per block for a sum of `k`: blocks of nearly equal length.
fn block_terms(k: usize, size: usize) -> usize {
    let most = if size >= 8 { MAX_TERMS_WIDE } else { MAX_TERMS };
    let blocks = k.div_ceil(most).max(1);
    k.div_ceil(blocks).max(1)
}

impl Blocks {
    /// The division of a problem with `m`, `n`, `k` and `batches` of at least 1.
    pub(crate) fn new(shape: &Shape) -> Blocks {
        let size = shape.size;
        let width = panel_n(size);
        let pack_a = !(shape.a_readable && shape.prefers_a_in_place());
        let pack_b = !(shape.b_readable && shape.prefers_b_in_place());
        let streamed = !(pack_b || shape.is_b_small());
        let terms = if streamed { shape.k.min(STREAMED_TERMS) } else { block_terms(shape.k, size) };
        // Rounded to whole panels; at least one. The caps keep the products far from overflow.
        let capped = |lanes: usize, width: usize, bytes: usize| {
            let most = (bytes / (terms * size * width)).max(1);
            lanes.div_ceil(width).min(most) * width
        };
        let (a_bytes, b_bytes) = if shape.wide { (A_BYTES / 2, B_BYTES / 2) } else { (A_BYTES, B_BYTES) };
        let mut rows = capped(shape.m, PANEL_M, a_bytes);
        let mut cols = capped(shape.n, width, b_bytes);
        if shape.wide {
            rows = rows.min(480);
            cols = cols.min(C_BYTES / size / rows / width * width).max(width);
        } else {
            // What is not packed needs no blocks for the workspace's sake.
            rows = if pack_a { rows } else { shape.m.next_multiple_of(PANEL_M) };
            cols = if pack_b { cols } else { shape.n.next_multiple_of(width) };
        }
        let slot = |used: bool, elements: usize| if used { elements } else { 0 };
        let a_slot = slot(pack_a, rows * terms);
        let b_slot = slot(pack_b, cols * terms);
        let c_slot = slot(shape.wide, rows * cols);
        let whole = terms >= shape.k && rows >= shape.m && cols >= shape.n;
        let fit = |bytes: usize, slot: usize| if slot == 0 { usize::MAX } else { (bytes / (slot * size)).max(1) };
        let most = fit(a_bytes, a_slot).min(fit(b_bytes, b_slot)).min(fit(C_BYTES, c_slot));
        let group = if whole { shape.batches.min(most) } else { 1 };
        let bytes = |slot: usize| (group * slot * size).next_multiple_of(64);
        let offsets = [0, bytes(a_slot), bytes(a_slot) + bytes(b_slot)];
        let task_cols = (CACHED_B_BYTES / (terms * size) / width).max(1) * width;
        let bytes = offsets[2] + bytes(c_slot);
        Blocks { pack_a, pack_b, terms, rows, cols, group, task_cols, a_slot, b_slot, c_slot, offsets, bytes }
    }
}

impl Shape {
    /// Whether packing A would cost more than it saves: few columns use it, or it fits the first-level cache.
    fn prefers_a_in_place(&self) -> bool {
        self.n <= 2 * panel_n(self.size) || self.m.saturating_mul(self.k) <= IN_PLACE_BYTES / self.size
    }

    /// The same for B.
    fn prefers_b_in_place(&self) -> bool {
        self.m <= 2 * PANEL_M || self.is_b_small()
    }

    fn is_b_small(&self) -> bool {
        self.n.saturating_mul(self.k) <= IN_PLACE_BYTES / self.size
    }
}
