//! Reductions, windows and convolutions.

use super::sizes::to_axes;
use super::{Builder, Built, Scope};
use crate::ast::{Attr, Block, Operation};
use kiln_builder::Expr;
use kiln_ir::op::{CompareDirection, ConvDims, Reducer, Window, WindowDim};
use kiln_ir::{Op, Shape};
use smallvec::SmallVec;

/// The reducer that a binary operator of this name is.
fn reducer_of(name: &str) -> Option<Reducer> {
    let short = name.strip_prefix("stablehlo.").unwrap_or(name);
    Reducer::ALL.into_iter().find(|r| r.name() == short)
}

/// The reducer that a region applies to its two arguments, if it does just that.
pub(super) fn reducer_region(block: &Block) -> Option<Reducer> {
    let [op, ret] = block.ops.as_slice() else { return None };
    let [a, b] = block.args.as_slice() else { return None };
    let uses: Vec<&str> = op.operands.iter().map(|o| o.name.as_str()).collect();
    let both = uses == [a.0.as_str(), b.0.as_str()] || uses == [b.0.as_str(), a.0.as_str()];
    let returned = ret.operands.len() == 1 && op.results.first().is_some_and(|r| r.0 == ret.operands[0].name);
    if both && returned { reducer_of(&op.name) } else { None }
}

/// The comparison that a region makes of its two arguments, if it does just that.
fn comparison_region(block: &Block) -> Option<CompareDirection> {
    let [op, ret] = block.ops.as_slice() else { return None };
    let total = ["compare_type", "word"].iter().any(|k| op.attrs.get(*k).and_then(Attr::as_str) == Some("TOTALORDER"));
    let returned = ret.operands.len() == 1 && op.results.first().is_some_and(|r| r.0 == ret.operands[0].name);
    if total || !returned {
        return None;
    }
    let in_order = op.operands.iter().map(|o| &o.name).eq(block.args.iter().map(|a| &a.0));
    match op.attrs.get("comparison_direction")?.as_str()? {
        // A strict comparison keeps the last of equal elements, which the operator cannot say.
        "GE" if in_order => Some(CompareDirection::GE),
        "LE" if in_order => Some(CompareDirection::LE),
        _ => None,
    }
}

impl Builder<'_> {
    /// One reducer for each operand: of `applies`, or of a region that combines each pair on its own. None for a region
    /// that does anything else.
    fn reducers(&self, op: &Operation, n: usize) -> Built<Option<Vec<Reducer>>> {
        if let Some(name) = op.attrs.get("applies").and_then(Attr::as_str) {
            return match reducer_of(name) {
                Some(r) => Ok(Some(vec![r; n])),
                None => self.unsupported(op, format!("reduction with {name}")),
            };
        }
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        if block.args.len() != 2 * n {
            return self.malformed(op, format!("the region takes {} values, not {}", block.args.len(), 2 * n));
        }
        if n == 1 {
            return Ok(reducer_region(block).map(|r| vec![r]));
        }
        let ret = block.ops.last();
        let found: Option<Vec<Reducer>> = (0..n)
            .map(|i| {
                let name = &ret?.operands.get(i)?.name;
                let single = block.ops.iter().find(|o| o.results.first().is_some_and(|r| &r.0 == name))?;
                let args = [block.args[i].0.as_str(), block.args[n + i].0.as_str()];
                let uses: Vec<&str> = single.operands.iter().map(|o| o.name.as_str()).collect();
                if uses == args { reducer_of(&single.name) } else { None }
            })
            .collect();
        Ok(found.filter(|_| block.ops.len() == n + 1))
    }

    /// Operands in the element types that the region computes with.
    fn promoted(&self, op: &Operation, x: &[Expr]) -> Built<Vec<Expr>> {
        let n = x.len() / 2;
        let promote = |(i, e): (usize, &Expr)| {
            let dtype = match op.regions.first().and_then(|b| b.args.get(i)) {
                Some((_, ty)) => self.tensor_type(ty, &op.place)?.0,
                None => self.result_dtype(op, i % n.max(1))?,
            };
            Ok(e.cast_to(dtype))
        };
        x.iter().enumerate().map(promote).collect()
    }

    pub(super) fn reduce(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let n = x.len() / 2;
        let mut axes = self.axes(op, "dimensions")?;
        axes.sort_unstable();
        let x = self.promoted(op, x)?;
        let Some(reducers) = self.reducers(op, n)? else { return self.reduce_any(op, &x, &axes, scope) };
        let reduce = |i: usize| {
            let op = Op::Reduce { axes: to_axes(&axes), reducer: reducers[i] };
            self.graph.emit(op, &[&x[i], &x[n + i]])
        };
        Ok((0..n).map(reduce).collect())
    }

    fn window(&self, op: &Operation, rank: usize, sizes: &[i64]) -> Built<SmallVec<[WindowDim; 4]>> {
        let strides = self.ints_default(op, "window_strides", rank, 1)?;
        let padding = self.padding(op, "padding", rank)?;
        let base = match op.attrs.contains_key("lhs_dilation") {
            true => self.ints_default(op, "lhs_dilation", rank, 1)?,
            false => self.ints_default(op, "base_dilations", rank, 1)?,
        };
        let window = match op.attrs.contains_key("rhs_dilation") {
            true => self.ints_default(op, "rhs_dilation", rank, 1)?,
            false => self.ints_default(op, "window_dilations", rank, 1)?,
        };
        let reversed = self.ints_default(op, "window_reversal", rank, 0)?;
        if sizes.len() != rank {
            return self.malformed(op, format!("{} window sizes for {rank} dimensions", sizes.len()));
        }
        let dim = |i: usize| WindowDim {
            size: sizes[i],
            stride: strides[i],
            pad_low: padding[i].0,
            pad_high: padding[i].1,
            base_dilation: base[i],
            window_dilation: window[i],
            reversed: reversed[i] != 0,
        };
        Ok((0..rank).map(dim).collect())
    }

    pub(super) fn reduce_window(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let n = x.len() / 2;
        let Some(first) = x.first() else { return self.malformed(op, "no operands") };
        let dims = self.window(op, first.rank(), &self.ints(op, "window_dimensions")?)?;
        let x = self.promoted(op, x)?;
        let Some(reducers) = self.reducers(op, n)? else { return self.reduce_window_any(op, &x, &dims, scope) };
        let reduce = |i: usize| {
            let op = Op::ReduceWindow { window: Box::new(Window { dims: dims.clone() }), reducer: reducers[i] };
            self.graph.emit(op, &[&x[i], &x[n + i]])
        };
        Ok((0..n).map(reduce).collect())
    }

    pub(super) fn select_and_scatter(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Expr> {
        let [a, source, init] = self.operands(op, x)?;
        let dims = self.window(op, a.rank(), &self.ints(op, "window_dimensions")?)?;
        let [select, scatter] = op.regions.as_slice() else { return self.malformed(op, "two regions are needed") };
        let (Some(select), Some(scatter)) = (comparison_region(select), reducer_region(scatter)) else {
            return self.select_and_scatter_any(op, [a, source, init], &dims, scope);
        };
        let op = Op::SelectAndScatter { window: Box::new(Window { dims }), select, scatter };
        Ok(self.graph.emit(op, &[&a, &source, &init]))
    }

    pub(super) fn convolution(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [l, r] = self.operands(op, x)?;
        let Some(Attr::Dict(numbers)) = op.attrs.get("dimension_numbers") else {
            return self.malformed(op, "the dimension numbers are missing");
        };
        let words = |part: &str| -> Vec<String> {
            match numbers.get(part) {
                Some(Attr::List(list)) => list.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect(),
                _ => Vec::new(),
            }
        };
        let (input, kernel, output) = (words("input"), words("kernel"), words("output"));
        let rank = l.rank().saturating_sub(2);
        let find = |list: &[String], word: &str| list.iter().position(|w| w == word);
        let place = |list: &[String], word: &str| match find(list, word) {
            Some(at) => Ok(at),
            None => self.malformed(op, format!("the dimension numbers lack `{word}`")),
        };
        let spatial = |list: &[String]| (0..rank).map(|i| place(list, &i.to_string())).collect::<Built<Vec<_>>>();
        let kernel_spatial = spatial(&kernel)?;
        let shape: Shape = r.shape();
        let size = |d: &usize| shape.get(*d).and_then(|d| d.as_const()).unwrap_or(0);
        let sizes: Vec<i64> = kernel_spatial.iter().map(size).collect();
        let dims = ConvDims {
            input_batch: place(&input, "b")?,
            input_feature: place(&input, "f")?,
            input_spatial: to_axes(&spatial(&input)?),
            kernel_input_feature: place(&kernel, "i")?,
            kernel_output_feature: place(&kernel, "o")?,
            kernel_spatial: to_axes(&kernel_spatial),
            output_batch: place(&output, "b")?,
            output_feature: place(&output, "f")?,
            output_spatial: to_axes(&spatial(&output)?),
            window: self.window(op, rank, &sizes)?,
            feature_group_count: self.count(op, "feature_group_count")?,
            batch_group_count: self.count(op, "batch_group_count")?,
        };
        let dtype = self.result_dtype(op, 0)?;
        self.product(op, dtype, [l, r], |g, [l, r], result| {
            let to = result.unwrap_or(dtype);
            g.emit(Op::Convolution(Box::new(dims)), &[&l.cast_to(to), &r.cast_to(to)])
        })
    }
}
