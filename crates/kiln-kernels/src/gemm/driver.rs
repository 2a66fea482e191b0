//! The loops around the micro-kernel: packing and computing block by block.

use super::blocking::Blocks;
use super::pack::{PanelRange, PanelSource};
use super::problem::{Gemm, Operands, Side};
use super::tile::{MAX_PANEL_N, PANEL_M, TileArgs, TileElement, TileKernel, Tiled, panel_n};
use crate::element::Packed;
use crate::isa::Isa;
use crate::parallel::Threads;

/// Elements that a thread should pack at least, to be worth waking.
const PACK_GRAIN: usize = 1 << 14;

/// Terms that a thread should compute at least, to be worth waking.
const COMPUTE_GRAIN: usize = 1 << 16;

/// Panels that are packed together.
const PANELS_PER_TASK: usize = 16;

/// Pieces of work per thread to aim for, so that threads finish together.
const TASKS_PER_THREAD: usize = 3;

/// One step of the blocked loops: ranges of products, rows, columns and terms.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    products: usize,
    row: usize,
    rows: usize,
    col: usize,
    cols: usize,
    term: usize,
    terms: usize,
}

/// A product on its way.
pub(super) struct Run<'a, T: TileElement> {
    gemm: &'a Gemm<'a, T>,
    blocks: Blocks,
    operands: Operands<T>,
    workspace: SharedMut<u8>,
    threads: Threads<'a>,
    kernel: TileKernel<T::Packed>,
}

impl<'a, T: TileElement> Run<'a, T> {
    pub(super) fn new(
        gemm: &'a Gemm<'a, T>,
        blocks: Blocks,
        operands: Operands<T>,
        workspace: *mut u8,
        threads: Threads<'a>,
        isa: Isa,
    ) -> Run<'a, T> {
        let kernel = <T::Packed as Tiled>::kernel(isa);
        Run { gemm, blocks, operands, workspace: SharedMut(workspace), threads, kernel }
    }
}

// The methods of this block all rely on the promises of `Gemm::run`.
impl<T: TileElement> Run<'_, T> {
    /// Packs and computes everything.
    ///
    /// # Safety
    /// As for `Gemm::run`.
    pub(super) unsafe fn all_blocks(&self) {
        let gemm = self.gemm;
        let batches = gemm.batches.count();
        for first in (0..batches).step_by(self.blocks.group) {
            let products = self.blocks.group.min(batches - first);
            for col in (0..gemm.n).step_by(self.blocks.cols) {
                let cols = self.blocks.cols.min(gemm.n - col);
                let block = Block { first, products, row: 0, rows: gemm.m, col, cols, term: 0, terms: gemm.k };
                // SAFETY: the ranges are inside the problem.
                unsafe {
                    if self.blocks.c_slot > 0 {
                        self.wide_columns(block);
                    } else {
                        self.columns(block);
                    }
                }
            }
        }
    }

    /// All rows and terms of a block of columns: B is packed once per block of terms.
    unsafe fn columns(&self, all: Block) {
        for term in (0..all.terms).step_by(self.blocks.terms) {
            let block = Block { term, terms: self.blocks.terms.min(all.terms - term), ..all };
            // SAFETY: the block is cut from the ranges of the problem, for whose memory the caller of `Gemm::run`
            // vouches.
            unsafe { self.pack_b(block) };
            for row in (0..all.rows).step_by(self.blocks.rows) {
                let block = Block { row, rows: self.blocks.rows.min(all.rows - row), ..block };
                // SAFETY: the block is cut from the ranges of the problem, for whose memory the caller of `Gemm::run`
                // vouches.
                unsafe {
                    self.pack_a(block);
                    self.compute(block);
                }
            }
        }
    }

    /// The same with sums in the wider copy of C, which must be complete before it is rounded.
    unsafe fn wide_columns(&self, all: Block) {
        for row in (0..all.rows).step_by(self.blocks.rows) {
            let rows = Block { row, rows: self.blocks.rows.min(all.rows - row), ..all };
            for term in (0..all.terms).step_by(self.blocks.terms) {
                let block = Block { term, terms: self.blocks.terms.min(all.terms - term), ..rows };
                // SAFETY: the block is cut from the ranges of the problem, for whose memory the caller of `Gemm::run`
                // vouches.
                unsafe {
                    self.pack_b(block);
                    self.pack_a(block);
                    self.compute(block);
                }
            }
            // SAFETY: the block's sums are complete.
            unsafe { self.store_wide(rows) };
        }
    }

    /// A region of the workspace.
    fn region(&self, index: usize) -> *mut T::Packed {
        self.workspace.get().wrapping_add(self.blocks.offsets[index]).cast()
    }

    unsafe fn pack_a(&self, block: Block) {
        if self.blocks.pack_a {
            let slots = (self.region(0), self.blocks.a_slot);
            // SAFETY: the rows and terms of a block fit a slot.
            unsafe { self.pack(&self.gemm.a, 0, block, (block.row, block.rows), PANEL_M, slots) };
        }
    }

    unsafe fn pack_b(&self, block: Block) {
        if self.blocks.pack_b {
            let width = panel_n(size_of::<T::Packed>());
            let slots = (self.region(1), self.blocks.b_slot);
            // SAFETY: the columns and terms of a block fit a slot.
            unsafe { self.pack(&self.gemm.b, 1, block, (block.col, block.cols), width, slots) };
        }
    }

    /// Packs the lanes of one operand for all products of a block.
    unsafe fn pack(
        &self,
        side: &Side<'_, T>,
        operand: usize,
        block: Block,
        (lane, lanes): (usize, usize),
        width: usize,
        (slots, slot): (*mut T::Packed, usize),
    ) {
        let source: &dyn PanelSource<T> = match side {
            Side::Strided(matrix) => matrix,
            Side::Computed(source) => *source,
        };
        // Several panels per task: memory is read in longer stretches.
        let step = width * PANELS_PER_TASK;
        let tasks = lanes.div_ceil(step);
        let slots = SharedMut(slots);
        let base = [self.operands.a, self.operands.b][operand];
        let base = SharedMut(base.cast_mut());
        let grain = PACK_GRAIN.div_ceil(step * block.terms);
        self.threads.run(block.products * tasks, grain, &|start, end| {
            for task in start..end {
                let (product, at) = (task / tasks, task % tasks * step);
                let range = PanelRange {
                    lane: lane + at,
                    lanes: step.min(lanes - at),
                    term: block.term,
                    terms: block.terms,
                    width,
                };
                let offset = self.gemm.batches.offsets(block.first + product)[operand];
                // SAFETY: the panels are inside the operand and inside its slot.
                unsafe {
                    let to = slots.get().add(product * slot + at * block.terms);
                    source.pack(base.get().cast_const().wrapping_offset(offset), range, to);
                }
            }
        });
    }

    unsafe fn compute(&self, block: Block) {
        let (row_panels, task_panels, task_cols) = self.tasks(block);
        let row_tasks = row_panels.div_ceil(task_panels);
        let col_tasks = block.cols.div_ceil(task_cols);
        let terms = (task_panels * PANEL_M).min(block.rows) * task_cols.min(block.cols) * block.terms;
        let tasks = block.products * row_tasks * col_tasks;
        self.threads.run(tasks, COMPUTE_GRAIN.div_ceil(terms.max(1)), &|start, end| {
            for task in start..end {
                let (rest, row) = (task / row_tasks, task % row_tasks * task_panels * PANEL_M);
                let (product, col) = (rest / col_tasks, rest % col_tasks * task_cols);
                let rows = (task_panels * PANEL_M).min(block.rows - row);
                let cols = task_cols.min(block.cols - col);
                // SAFETY: the tiles are inside the block; tasks are disjoint.
                unsafe { self.tiles(block, product, (row, rows), (col, cols)) };
            }
        });
    }

    /// Row panels of the block, row panels per task and columns per task.
    fn tasks(&self, block: Block) -> (usize, usize, usize) {
        let row_panels = block.rows.div_ceil(PANEL_M);
        let mut task_cols = self.blocks.task_cols;
        if self.threads.count() == 1 {
            return (row_panels, row_panels, task_cols);
        }
        let wanted = self.threads.count() * TASKS_PER_THREAD;
        let row_tasks = wanted.div_ceil(block.products * block.cols.div_ceil(task_cols)).clamp(1, row_panels);
        let width = panel_n(size_of::<T::Packed>());
        let col_tasks = wanted.div_ceil(block.products * row_tasks);
        task_cols = task_cols.min(block.cols.div_ceil(width).div_ceil(col_tasks) * width);
        (row_panels, row_panels.div_ceil(row_tasks), task_cols)
    }

    /// All tiles of one task.
    unsafe fn tiles(&self, block: Block, product: usize, (row, rows): (usize, usize), (col, cols): (usize, usize)) {
        let width = panel_n(size_of::<T::Packed>());
        let offsets = self.gemm.batches.offsets(block.first + product);
        for i in (row..row + rows).step_by(PANEL_M) {
            let m = PANEL_M.min(row + rows - i);
            // SAFETY: the panel begins inside the block, so inside the operand or its slot of the workspace.
            let (a, a_row, a_col) = unsafe { self.a_panel(block, product, i, offsets[0]) };
            for j in (col..col + cols).step_by(width) {
                let n = width.min(col + cols - j);
                // SAFETY: panels and tile begin inside the block and are cut at its ends.
                unsafe {
                    let (b, b_row) = self.b_panel(block, product, j, offsets[1]);
                    let tile = TileArgs {
                        m,
                        n,
                        k: block.terms,
                        a,
                        a_row,
                        a_col,
                        b,
                        b_row,
                        c: core::ptr::null_mut(),
                        c_row: 0,
                        accumulate: block.term > 0,
                    };
                    self.tile(block, product, (i, j), offsets[2], tile);
                }
            }
        }
    }

    /// Pointer and strides of the panel of A at row `i` of the block.
    unsafe fn a_panel(
        &self,
        block: Block,
        product: usize,
        i: usize,
        offset: isize,
    ) -> (*const T::Packed, isize, isize) {
        let packed = |base: *const T::Packed| (base, 1, PANEL_M as isize);
        match &self.gemm.a {
            Side::Strided(matrix) if !self.blocks.pack_a => {
                let row = matrix.lanes.inner_stride();
                let col = matrix.terms.inner_stride();
                let at = offset + (block.row + i) as isize * row + block.term as isize * col;
                (self.operands.a.wrapping_offset(at).cast(), row, col)
            }
            Side::Strided(_) | Side::Computed(_) => {
                packed(self.region(0).wrapping_add(product * self.blocks.a_slot + i * block.terms))
            }
        }
    }

    /// Pointer and distance between rows of the panel of B at column `j` of the block.
    unsafe fn b_panel(&self, block: Block, product: usize, j: usize, offset: isize) -> (*const T::Packed, isize) {
        let width = panel_n(size_of::<T::Packed>());
        match &self.gemm.b {
            Side::Strided(matrix) if !self.blocks.pack_b => {
                let row = matrix.terms.inner_stride();
                let at = offset + (block.col + j) as isize + block.term as isize * row;
                (self.operands.b.wrapping_offset(at).cast(), row)
            }
            Side::Strided(_) | Side::Computed(_) => {
                let at = product * self.blocks.b_slot + j * block.terms;
                (self.region(1).cast_const().wrapping_add(at), width as isize)
            }
        }
    }

    /// One tile of panel size, to where its sums go.
    unsafe fn tile(
        &self,
        block: Block,
        product: usize,
        (i, j): (usize, usize),
        c_offset: isize,
        tile: TileArgs<T::Packed>,
    ) {
        let gemm = self.gemm;
        if self.blocks.c_slot > 0 {
            let at = product * self.blocks.c_slot + i * self.blocks.cols + j;
            let c = self.region(2).wrapping_add(at);
            // SAFETY: the tile is inside the wider C.
            unsafe { self.split(TileArgs { c, c_row: self.blocks.cols as isize, ..tile }) };
            return;
        }
        let rows = gemm.c_rows.run(block.row + i);
        let cols = gemm.c_cols.run(block.col + j);
        let direct = T::IN_PLACE && rows.len >= tile.m && cols.len >= tile.n && (cols.stride == 1 || tile.n == 1);
        if direct {
            let c = self.operands.c.wrapping_offset(c_offset + rows.offset + cols.offset).cast();
            // SAFETY: the tile is inside c.
            unsafe { self.split(TileArgs { c, c_row: rows.stride, ..tile }) };
        } else {
            // SAFETY: the tile is inside c.
            unsafe { self.scattered(block, (i, j), c_offset, tile) };
        }
    }

    /// A tile whose elements lie apart in C: computed on the side.
    unsafe fn scattered(&self, block: Block, (i, j): (usize, usize), c_offset: isize, tile: TileArgs<T::Packed>) {
        let mut sums = [T::Packed::ZERO; PANEL_M * MAX_PANEL_N];
        let side = TileArgs { c: sums.as_mut_ptr(), c_row: MAX_PANEL_N as isize, accumulate: false, ..tile };
        // SAFETY: the side tile is large enough.
        unsafe { self.split(side) };
        let (rows, cols) = (&self.gemm.c_rows, &self.gemm.c_cols);
        let mut col_offsets = [0; MAX_PANEL_N];
        super::pack::lane_offsets(cols, block.col + j, &mut col_offsets[..tile.n]);
        for row in 0..tile.m {
            let start = c_offset + rows.offset(block.row + i + row);
            for col in 0..tile.n {
                let mut sum = sums[row * MAX_PANEL_N + col];
                // SAFETY: the maps of rows and columns reach only elements of c, which this task alone writes.
                unsafe {
                    let c = self.operands.c.offset(start + col_offsets[col]);
                    if tile.accumulate {
                        sum = T::Packed::add((*c).widen(), sum);
                    }
                    *c = T::narrow(sum);
                }
            }
        }
    }

    /// Calls the micro-kernel for the parts of a tile of panel size.
    unsafe fn split(&self, tile: TileArgs<T::Packed>) {
        let kernel = self.kernel;
        for j in (0..tile.n).step_by(kernel.cols) {
            for i in (0..tile.m).step_by(kernel.rows) {
                let part = TileArgs {
                    m: kernel.rows.min(tile.m - i),
                    n: kernel.cols.min(tile.n - j),
                    a: tile.a.wrapping_offset(i as isize * tile.a_row),
                    b: tile.b.wrapping_add(j),
                    c: tile.c.wrapping_offset(i as isize * tile.c_row).wrapping_add(j),
                    ..tile
                };
                // SAFETY: the part is inside the tile.
                unsafe { (kernel.run)(&part) };
            }
        }
    }

    /// Rounds the wider C of a block into C.
    unsafe fn store_wide(&self, block: Block) {
        let grain = PACK_GRAIN.div_ceil(block.cols);
        let wide = SharedMut(self.region(2));
        self.threads.run(block.products * block.rows, grain, &|start, end| {
            for task in start..end {
                let (product, row) = (task / block.rows, task % block.rows);
                let [_, _, offset] = self.gemm.batches.offsets(block.first + product);
                let offset = offset + self.gemm.c_rows.offset(block.row + row);
                let at = product * self.blocks.c_slot + row * self.blocks.cols;
                // SAFETY: a row of the wider C, and elements of c that only this task writes.
                unsafe {
                    let from = wide.get().add(at);
                    let mut col = 0;
                    while col < block.cols {
                        let run = self.gemm.c_cols.run(block.col + col);
                        let count = run.len.min(block.cols - col);
                        let to = self.operands.c.offset(offset + run.offset);
                        for i in 0..count {
                            *to.offset(i as isize * run.stride) = T::narrow(*from.add(col + i));
                        }
                        col += count;
                    }
                }
            }
        });
    }
}

/// A pointer that the threads of a phase share.
struct SharedMut<P>(*mut P);

// SAFETY: who dereferences it vouches for disjoint accesses.
unsafe impl<P> Sync for SharedMut<P> {}

impl<P> SharedMut<P> {
    fn get(&self) -> *mut P {
        self.0
    }
}
