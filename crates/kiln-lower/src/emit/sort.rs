//! `sort`: a stable merge sort from the bottom up.
//!
//! Blocks of a few elements are sorted by compare-exchanges of neighbours in registers. Each pass then merges pairs of runs, forth
//! and back between two buffers so that the last pass ends in the results. Two runs of equal length are merged from both
//! ends at once: that makes two chains of dependent loads instead of one, and no head can leave its run. Where the comparator
//! is no strict weak order (NaN compared as a number) the two ends may not meet; such a pair is merged once more from the front,
//! so that what comes out is a permutation of what goes in whatever the comparator.
//!
//! Up to [`MOVED`] operands are moved themselves. With more a permutation is sorted, and the operands are gathered at the end.
//!
//! Many rows are sorted in parallel by one kernel, each by one thread (so nothing in it runs in lanes, which a GPU would give to
//! the threads of a block); of few long ones the runs are merged in parallel, by one kernel per pass.

use super::builder::{Context, Emitter, unsupported};
use super::elemental::Emit;
use super::index::{self, Idx, Sizes};
use super::{Emitted, Temp, launch};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Func, NodeId, Op, Value};
use kiln_loops::{AxisId, Buf, Index, Stmt, Var};

/// Most operands that are moved themselves.
const MOVED: usize = 3;

/// What is sorted.
struct Sorted<'a> {
    id: NodeId,
    dim: usize,
    operands: &'a [Value],
    captures: &'a [Value],
    comparator: &'a Func,
    sizes: Sizes,
    /// Elements of a row.
    len: i64,
    rows: i64,
    /// Elements of the blocks sorted in registers.
    block: i64,
    /// Length of the runs that each pass merges.
    passes: Vec<i64>,
    /// The type of the permutation, if that is what is sorted.
    permutation: Option<DType>,
}

/// One of the two places that runs are in: where element `k` of the row lies.
#[derive(Clone)]
struct Side {
    bufs: Vec<Buf>,
    start: Index,
    stride: i64,
}

impl Side {
    fn at(&self, k: &Index) -> Index {
        index::add(&self.start, &index::scale(k, self.stride))
    }
}

/// The scratch of a kernel: temporaries of the group, or memory of the kernel's own.
#[derive(Clone)]
enum Scratch {
    Temps(Vec<u32>),
    Local(Vec<Buf>),
}

impl<'a> Sorted<'a> {
    fn of(cx: &Context<'a>, id: NodeId) -> Emit<Sorted<'a>> {
        let node = cx.node(id);
        let Op::Sort { dim, comparator, .. } = &node.op else { return Err(unsupported(node, "not a sort")) };
        let (operands, captures) = node.operands.split_at(node.types.len());
        let sizes = cx.sizes(operands[0]);
        let len = sizes[*dim];
        // Comparators are inlined a number of times that is quadratic in the size of a block.
        let block = match weight(comparator) {
            ..=16 => 8,
            17..=48 => 4,
            _ => 2,
        };
        let block = len.min(block);
        let passes: Vec<i64> =
            std::iter::successors(Some(block), |w| w.checked_mul(2)).take_while(|w| *w < len).collect();
        let index_type = if u32::try_from(len).is_ok() { DType::U32 } else { DType::I64 };
        let permutation = (operands.len() > MOVED && !passes.is_empty()).then_some(index_type);
        let rows = index::count(&sizes) / len.max(1);
        Ok(Sorted { id, dim: *dim, operands, captures, comparator, sizes, len, rows, block, passes, permutation })
    }

    /// The types of what is moved.
    fn types(&self, cx: &Context<'_>) -> Vec<DType> {
        match self.permutation {
            Some(t) => vec![t],
            None => self.operands.iter().map(|v| cx.dtype(*v)).collect(),
        }
    }

    /// Sides that lie in scratch: the one that the last pass reads, and for a permutation also the one that it writes.
    fn scratch_sides(&self) -> usize {
        match (self.passes.is_empty(), self.permutation) {
            (true, _) => 0,
            (false, None) => 1,
            (false, Some(_)) => 2,
        }
    }

    /// True when the data are where the last pass ends after so many passes.
    fn ends_after(&self, passes: usize) -> bool {
        (self.passes.len() - passes).is_multiple_of(2)
    }
}

/// Operators of a nested function, those of its own nested functions included.
fn weight(f: &Func) -> usize {
    f.iter().map(|(_, n)| 1 + n.op.regions().iter().map(|r| weight(r)).sum::<usize>()).sum()
}

/// Kernels of a `sort`.
pub(super) fn sort(cx: &Context<'_>, id: NodeId, out: &mut Emitted) -> Emit<()> {
    let s = Sorted::of(cx, id)?;
    if index::count(&s.sizes) == 0 {
        return Ok(());
    }
    let types = s.types(cx);
    let row_bytes: i64 = types.iter().map(|t| t.size() as i64).sum::<i64>() * s.len;
    let limits = cx.machine.sort;
    let by_pass = s.len >= limits.long_row && s.rows < limits.many_rows;
    let local = !by_pass && row_bytes.saturating_mul(s.scratch_sides() as i64) <= limits.scratch_bytes;
    let mut temps = Vec::new();
    for &dtype in (0..s.scratch_sides()).flat_map(|_| &types).filter(|_| !local) {
        out.temps.push(Temp { dtype, len: (s.rows * s.len) as u64 });
        temps.push(out.temps.len() as u32 - 1);
    }
    if by_pass {
        return sort_by_pass(cx, &s, &Scratch::Temps(temps), out);
    }
    launch(cx, out, |e, _| {
        let scratch = match local {
            true => Scratch::Local((0..s.scratch_sides()).flat_map(|_| &types).map(|t| e.local(*t, s.len)).collect()),
            false => Scratch::Temps(temps),
        };
        let (axes, row) = e.sorted_rows(&s);
        let work = s.rows.saturating_mul(s.len).saturating_mul(s.passes.len() as i64 + 1);
        e.root_nest(axes, s.passes.is_empty(), cx.machine.parallel.worth(work), |e| {
            e.sort_blocks(&s, &scratch, &row, None)?;
            e.sort_rest(&s, &scratch, &row)?;
            for pass in 0..s.passes.len() {
                e.merge_runs(&s, &scratch, &row, pass, None)?;
                e.merge_rest(&s, &scratch, &row, pass, false)?;
            }
            if s.permutation.is_some() {
                let (axes, k) = e.dim_axes(e.top() + 1, &[s.len]);
                e.inner_nest(axes, false, |e| e.apply_permutation(&s, &scratch, &row, &k))?;
            }
            Ok(())
        })
    })
}

/// A kernel for the blocks and for each pass, parallel over rows and runs; what is left over at the end of the rows has kernels
/// of its own.
fn sort_by_pass(cx: &Context<'_>, s: &Sorted<'_>, scratch: &Scratch, out: &mut Emitted) -> Emit<()> {
    let kernel = |out: &mut Emitted, runs: i64, body: &dyn Fn(&mut Emitter<'_>, &Idx, &Index) -> Emit<()>| {
        launch(cx, out, |e, _| {
            let (mut axes, row) = e.sorted_rows(s);
            let (more, run) = e.dim_axes(0, &[runs]);
            axes.extend(more);
            e.root_nest(axes, false, runs * s.rows > 1, |e| body(e, &row, &run))?;
            // Each kernel stores a part.
            let all: Vec<Buf> = (0..e.kernel.params.len() as u32).map(Buf::Param).collect();
            e.partial.extend(all);
            Ok(())
        })
    };
    kernel(out, s.len / s.block, &|e, row, run| e.sort_blocks(s, scratch, row, Some(run)))?;
    if s.len % s.block > 0 {
        kernel(out, 1, &|e, row, _| e.sort_rest(s, scratch, row))?;
    }
    for (pass, &w) in s.passes.iter().enumerate() {
        if s.len / (2 * w) > 0 {
            kernel(out, s.len / (2 * w), &|e, row, run| e.merge_runs(s, scratch, row, pass, Some(run)))?;
        }
        if s.len % (2 * w) > 0 {
            kernel(out, 1, &|e, row, _| e.merge_rest(s, scratch, row, pass, true))?;
        }
    }
    if s.permutation.is_some() {
        launch(cx, out, |e, _| {
            let (mut axes, row) = e.sorted_rows(s);
            let (more, k) = e.dim_axes(0, &[s.len]);
            axes.extend(more);
            e.root_nest(axes, true, true, |e| e.apply_permutation(s, scratch, &row, &k))
        })?;
    }
    Ok(())
}

impl Emitter<'_> {
    /// Axes over the rows, and the index of a row's first element.
    fn sorted_rows(&mut self, s: &Sorted<'_>) -> (Vec<AxisId>, Idx) {
        let (mut axes, mut row) = (Vec::new(), Idx::new());
        for (d, &n) in s.sizes.iter().enumerate() {
            if d == s.dim {
                row.push(Index::default());
                continue;
            }
            let (a, ix) = self.dim_axes(0, &[n]);
            axes.extend(a);
            row.push(ix);
        }
        (axes, row)
    }

    /// The side where the data are after so many passes.
    fn side(&mut self, s: &Sorted<'_>, scratch: &Scratch, row: &Idx, passes: usize) -> Side {
        let last = s.ends_after(passes);
        let types = s.types(self.cx);
        let side = match (last, s.permutation) {
            (true, None) => {
                let bufs = self.cx.func.results(s.id).map(|v| self.buffer(v)).collect();
                Side { bufs, start: index::linearize(row, &s.sizes), stride: index::strides(&s.sizes)[s.dim] }
            }
            _ => {
                let first = if last { types.len() } else { 0 };
                let range = first..first + types.len();
                match scratch {
                    Scratch::Local(bufs) => Side { bufs: bufs[range].to_vec(), start: Index::default(), stride: 1 },
                    Scratch::Temps(temps) => {
                        let len = s.rows * s.len;
                        let bufs = temps[range].iter().zip(&types).map(|(t, d)| self.temp(*t, *d, len)).collect();
                        let others = (0..row.len()).filter(|d| *d != s.dim);
                        let (at, sizes): (Idx, Sizes) = others.map(|d| (row[d].clone(), s.sizes[d])).unzip();
                        let start = index::scale(&index::linearize(&at, &sizes), s.len);
                        Side { bufs, start, stride: 1 }
                    }
                }
            }
        };
        if !s.passes.is_empty() {
            self.volatile.extend(side.bufs.iter().copied());
        }
        side
    }

    fn load_side(&mut self, side: &Side, k: &Index) -> Vec<Var> {
        side.bufs.iter().map(|b| self.load(*b, side.at(k))).collect()
    }

    fn store_side(&mut self, side: &Side, k: &Index, values: &[Var]) {
        for (b, v) in side.bufs.iter().zip(values) {
            self.store(*b, side.at(k), *v);
        }
    }

    /// The operands' elements at position `k` of a row.
    fn row_elements(&mut self, s: &Sorted<'_>, row: &Idx, k: &Index) -> Emit<Vec<Var>> {
        let mut at = row.clone();
        at[s.dim] = k.clone();
        s.operands.iter().map(|v| self.elem(*v, &at)).collect()
    }

    /// What the comparator looks at of something moved.
    fn keys(&mut self, s: &Sorted<'_>, row: &Idx, moved: &[Var]) -> Emit<Vec<Var>> {
        if s.permutation.is_none() {
            return Ok(moved.to_vec());
        }
        let k = self.dynamic(moved[0], 0, s.len - 1);
        self.row_elements(s, row, &k)
    }

    /// True when `a` comes before `b`; both hold an element of each operand first.
    fn comes_before(&mut self, s: &Sorted<'_>, a: &[Var], b: &[Var]) -> Emit<Var> {
        let n = s.operands.len();
        let mut args: Vec<Var> = a[..n].iter().zip(&b[..n]).flat_map(|(a, b)| [*a, *b]).collect();
        args.extend(self.scalars(s.captures)?);
        Ok(self.nested(s.comparator, &args)?[0])
    }

    fn select_all(&mut self, p: Var, a: &[Var], b: &[Var]) -> Vec<Var> {
        a.iter().zip(b).map(|(a, b)| self.select(p, *a, *b)).collect()
    }

    /// Sorts the full blocks: all of them in a loop, or the one of this number.
    fn sort_blocks(&mut self, s: &Sorted<'_>, scratch: &Scratch, row: &Idx, number: Option<&Index>) -> Emit<()> {
        let blocks = s.len / s.block;
        self.each_run(blocks, number, |e, run| e.sort_network(s, scratch, row, &index::scale(run, s.block), s.block))
    }

    /// Sorts what the blocks leave over.
    fn sort_rest(&mut self, s: &Sorted<'_>, scratch: &Scratch, row: &Idx) -> Emit<()> {
        let rest = s.len % s.block;
        if rest == 0 {
            return Ok(());
        }
        self.sort_network(s, scratch, row, &Index::constant(s.len - rest), rest)
    }

    /// Runs `body` for each run in a loop, or for one.
    fn each_run(
        &mut self,
        runs: i64,
        number: Option<&Index>,
        body: impl FnOnce(&mut Self, &Index) -> Emit<()>,
    ) -> Emit<()> {
        match number {
            Some(number) => body(self, number),
            None if runs == 0 => Ok(()),
            None => {
                let (axes, run) = self.dim_axes(self.top() + 1, &[runs]);
                self.inner_nest(axes, false, |e| body(e, &run))
            }
        }
    }

    /// Sorts `n` elements of a row from position `start` on in registers, by insertion.
    fn sort_network(&mut self, s: &Sorted<'_>, scratch: &Scratch, row: &Idx, start: &Index, n: i64) -> Emit<()> {
        let to = self.side(s, scratch, row, 0);
        let mut list = Vec::new();
        for t in 0..n {
            let k = index::offset(start, t);
            let mut record = self.row_elements(s, row, &k)?;
            if let Some(t) = s.permutation {
                record.push(self.materialize(&k, t));
            }
            list.push(record);
        }
        for i in 1..list.len() {
            for j in (1..=i).rev() {
                let swap = self.comes_before(s, &list[j], &list[j - 1])?;
                let low = self.select_all(swap, &list[j], &list[j - 1]);
                let high = self.select_all(swap, &list[j - 1], &list[j]);
                (list[j - 1], list[j]) = (low, high);
            }
        }
        let first = if s.permutation.is_some() { s.operands.len() } else { 0 };
        for (t, record) in list.iter().enumerate() {
            self.store_side(&to, &index::offset(start, t as i64), &record[first..]);
        }
        Ok(())
    }

    /// Merges the full pairs of runs of a pass: all of them in a loop, or the one of this number.
    fn merge_runs(
        &mut self,
        s: &Sorted<'_>,
        scratch: &Scratch,
        row: &Idx,
        pass: usize,
        number: Option<&Index>,
    ) -> Emit<()> {
        let w = s.passes[pass];
        let merge = Merge { s, row, from: self.side(s, scratch, row, pass), to: self.side(s, scratch, row, pass + 1) };
        self.each_run(s.len / (2 * w), number, |e, run| {
            let start = index::scale(run, 2 * w);
            let met = e.merge_from_both_ends(&merge, &start, w)?;
            let width = e.int(DType::I64, w);
            let cond = e.compare(CompareDirection::NE, met, width);
            e.open_if();
            e.merge_from_front(&merge, &start, w, w)?;
            let then = e.close().stmts;
            let top = e.top();
            e.scopes[top].stmts.push(Stmt::If { cond, then });
            Ok(())
        })
    }

    /// Merges or copies (in lanes or not) what the full pairs of a pass leave over.
    fn merge_rest(&mut self, s: &Sorted<'_>, scratch: &Scratch, row: &Idx, pass: usize, lanes: bool) -> Emit<()> {
        let w = s.passes[pass];
        let rest = s.len % (2 * w);
        let merge = Merge { s, row, from: self.side(s, scratch, row, pass), to: self.side(s, scratch, row, pass + 1) };
        let start = Index::constant(s.len - rest);
        if rest > w {
            return self.merge_from_front(&merge, &start, w, rest - w);
        }
        if rest == 0 {
            return Ok(());
        }
        let (axes, k) = self.dim_axes(self.top() + 1, &[rest]);
        self.inner_nest(axes, lanes, |e| {
            let k = index::add(&start, &k);
            let moved = e.load_side(&merge.from, &k);
            e.store_side(&merge.to, &k, &moved);
            Ok(())
        })
    }

    /// Merges two runs of `w` elements: the smaller half from the front, the larger from the back. Gives how many elements of
    /// the left run were taken: `w` unless the comparator contradicts itself.
    fn merge_from_both_ends(&mut self, m: &Merge<'_>, start: &Index, w: i64) -> Emit<Var> {
        let (zero, one) = (self.int(DType::I64, 0), self.int(DType::I64, 1));
        let taken = self.carry_loop(w, &[zero, zero], |e, t, taken| {
            let (front, back) = (index::var(taken[0]), index::var(taken[1]));
            // Position of the heads: of the left run what was not taken, of the right run what the other steps took.
            let left = index::add(start, &front);
            let right = index::offset(&index::add(start, &index::sub(t, &front)), w);
            let (left, right) = (e.load_side(&m.from, &left), e.load_side(&m.from, &right));
            let first = e.right_first(m, &left, &right)?;
            let end = index::offset(start, 2 * w - 1);
            let last_left = index::offset(&index::sub(start, &back), w - 1);
            let last_right = index::add(&index::sub(&end, t), &back);
            let (last_left, last_right) = (e.load_side(&m.from, &last_left), e.load_side(&m.from, &last_right));
            let last = e.right_first(m, &last_left, &last_right)?;
            let low = e.select_all(first, &right, &left);
            e.store_side(&m.to, &index::add(start, t), &low);
            let high = e.select_all(last, &last_left, &last_right);
            e.store_side(&m.to, &index::sub(&end, t), &high);
            let (a, b) = (e.binary(BinaryOp::Add, taken[0], one), e.binary(BinaryOp::Add, taken[1], one));
            Ok(vec![e.select(first, taken[0], a), e.select(last, b, taken[1])])
        })?;
        Ok(self.binary(BinaryOp::Add, taken[0], taken[1]))
    }

    /// Merges a run of `left` elements and the one of `right` elements after it.
    fn merge_from_front(&mut self, m: &Merge<'_>, start: &Index, left: i64, right: i64) -> Emit<()> {
        let zero = self.int(DType::I64, 0);
        self.carry_loop(left + right, &[zero], |e, t, taken| {
            let (i, now) = (taken[0], e.materialize(t, DType::I64));
            let j = e.binary(BinaryOp::Subtract, now, i);
            let (left_end, right_end) = (e.int(DType::I64, left), e.int(DType::I64, right));
            let left_is_empty = e.compare(CompareDirection::GE, i, left_end);
            let right_is_there = e.compare(CompareDirection::LT, j, right_end);
            let (left_last, right_last) = (e.int(DType::I64, left - 1), e.int(DType::I64, right - 1));
            let (li, rj) = (e.binary(BinaryOp::Minimum, i, left_last), e.binary(BinaryOp::Minimum, j, right_last));
            let at_left = index::add(start, &index::var(li));
            let at_right = index::offset(&index::add(start, &index::var(rj)), left);
            let (a, b) = (e.load_side(&m.from, &at_left), e.load_side(&m.from, &at_right));
            let first = e.right_first(m, &a, &b)?;
            let first = e.binary(BinaryOp::And, first, right_is_there);
            let first = e.binary(BinaryOp::Or, first, left_is_empty);
            let moved = e.select_all(first, &b, &a);
            e.store_side(&m.to, &index::add(start, t), &moved);
            let one = e.int(DType::I64, 1);
            let more = e.binary(BinaryOp::Add, i, one);
            Ok(vec![e.select(first, i, more)])
        })?;
        Ok(())
    }

    /// True when what is at the head of the right run comes before the head of the left one.
    fn right_first(&mut self, m: &Merge<'_>, left: &[Var], right: &[Var]) -> Emit<Var> {
        let (right, left) = (self.keys(m.s, m.row, right)?, self.keys(m.s, m.row, left)?);
        self.comes_before(m.s, &right, &left)
    }

    /// Writes the element of every result that the sorted permutation names for position `k`.
    fn apply_permutation(&mut self, s: &Sorted<'_>, scratch: &Scratch, row: &Idx, k: &Index) -> Emit<()> {
        let from = self.side(s, scratch, row, s.passes.len());
        let moved = self.load_side(&from, k);
        let values = self.keys(s, row, &moved)?;
        let mut at = row.clone();
        at[s.dim] = k.clone();
        self.store_results(s.id, &index::linearize(&at, &s.sizes), &values);
        Ok(())
    }
}

/// A merge: from where to where.
struct Merge<'m> {
    s: &'m Sorted<'m>,
    row: &'m Idx,
    from: Side,
    to: Side,
}
