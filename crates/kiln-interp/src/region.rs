//! Operators that apply a nested function of scalars to elements: generic reductions, scatters, sorts.

use crate::error::{EvalError, Fault, Site};
use crate::exec::Exec;
use crate::index::{complement, offsets};
use crate::ops::{Results, check_size, gather, sizes, window};
use kiln_ir::op::{ScatterDims, Window};
use kiln_ir::{Func, Op, Tensor, TensorType};

/// Where a node is, for its errors.
type At<'a> = &'a dyn Fn() -> Site;

impl Exec<'_> {
    /// Evaluates an operator of this module on operands it was checked against.
    pub fn elementwise_region(
        &mut self,
        op: &Op,
        types: &[TensorType],
        x: &[Tensor],
        site: At,
    ) -> Result<Results, EvalError> {
        let fault = |f: Fault| f.at(site());
        for t in types {
            check_size(t, self.options.max_bytes).map_err(fault)?;
        }
        if types.iter().all(|t| t.shape.num_elements() == Some(0)) {
            // Nothing to compute; the other sizes may be astronomical.
            return types
                .iter()
                .map(|t| Ok(Tensor::zeros(t.dtype, sizes(t)?)?))
                .collect::<Result<_, Fault>>()
                .map_err(fault);
        }
        match op {
            Op::GenericReduce { axes, body } => self.reduce(axes, body, types, x, site),
            Op::GenericReduceWindow { window, body } => self.reduce_window(window, body, types, x, site),
            Op::GenericSelectAndScatter { window, select, scatter } => {
                self.select_and_scatter(window, select, scatter, x, site)
            }
            Op::GenericScatter { dims, body } => self.scatter(dims, body, types, x, site),
            Op::Sort { dim, comparator, .. } => self.sort(*dim, comparator, types, x, site),
            _ => Err(Fault::malformed("the operator has no function of elements").at(site())),
        }
    }

    /// Folds the elements at these offsets into the accumulators.
    fn fold(
        &mut self,
        body: &Func,
        x: &[Tensor],
        at: impl Iterator<Item = usize>,
        site: At,
    ) -> Result<Results, EvalError> {
        let n = body.outputs.len();
        let mut acc: Results = x[n..2 * n].into();
        for o in at {
            let mut args = acc;
            for t in &x[..n] {
                args.push(element(t, o).map_err(|f| f.at(site()))?);
            }
            args.extend(x[2 * n..].iter().cloned());
            acc = self.nested(body, &args)?;
        }
        Ok(acc)
    }

    fn reduce(
        &mut self,
        axes: &[usize],
        body: &Func,
        types: &[TensorType],
        x: &[Tensor],
        site: At,
    ) -> Result<Results, EvalError> {
        let shape = x[0].shape();
        let folded = offsets(shape, axes);
        let mut out = Columns::new(types);
        for k in offsets(shape, &complement(shape.len(), axes)) {
            out.push(&self.fold(body, x, folded.iter().map(|o| k + o), site)?);
        }
        out.finish(types).map_err(|f| f.at(site()))
    }

    fn reduce_window(
        &mut self,
        window: &Window,
        body: &Func,
        types: &[TensorType],
        x: &[Tensor],
        site: At,
    ) -> Result<Results, EvalError> {
        let windows = sizes(&types[0]).map_err(|f| f.at(site()))?;
        let mut out = Columns::new(types);
        let mut failed = Ok(());
        window::for_each_window(x[0].shape(), window, &windows, |covered| {
            if failed.is_ok() {
                failed = self.fold(body, x, covered.iter().copied(), site).map(|acc| out.push(&acc));
            }
        });
        failed?;
        out.finish(types).map_err(|f| f.at(site()))
    }

    fn select_and_scatter(
        &mut self,
        window: &Window,
        select: &Func,
        scatter: &Func,
        x: &[Tensor],
        site: At,
    ) -> Result<Results, EvalError> {
        let (operand, source, init) = (&x[0], &x[1], &x[2]);
        let ty = operand.ty();
        let mut out = init.bytes().repeat(operand.len());
        let mut failed = Ok(());
        let mut next = 0;
        window::for_each_window(operand.shape(), window, source.shape(), |covered| {
            let from = next;
            next += 1;
            if failed.is_ok() {
                failed = self.selected(select, operand, covered, site).and_then(|chosen| {
                    let Some(at) = chosen else { return Ok(()) };
                    let pair = [element_of(&ty, &out, at), element(source, from)];
                    let [old, new] = pair.map(|e| e.map_err(|f| f.at(site())));
                    store(&mut out, at, &self.nested(scatter, &[old?, new?])?[0]);
                    Ok(())
                });
            }
        });
        failed?;
        Columns { bytes: vec![out] }.finish(std::slice::from_ref(&ty)).map_err(|f| f.at(site()))
    }

    /// The offset of the element that a window selects; none if it covers none.
    fn selected(&mut self, select: &Func, x: &Tensor, covered: &[usize], site: At) -> Result<Option<usize>, EvalError> {
        let Some((&first, rest)) = covered.split_first() else { return Ok(None) };
        let mut best = first;
        for &o in rest {
            let [kept, candidate] = [best, o].map(|at| element(x, at).map_err(|f| f.at(site())));
            if !truth(&self.nested(select, &[kept?, candidate?])?, site)? {
                best = o;
            }
        }
        Ok(Some(best))
    }

    fn scatter(
        &mut self,
        dims: &ScatterDims,
        body: &Func,
        types: &[TensorType],
        x: &[Tensor],
        site: At,
    ) -> Result<Results, EvalError> {
        let fault = |f: Fault| f.at(site());
        let n = types.len();
        let (operands, indices, updates, captures) = (&x[..n], &x[n], &x[n + 1..2 * n + 1], &x[2 * n + 1..]);
        let mut pairs = Vec::new();
        gather::for_each_update(x[0].shape(), indices, updates[0].shape(), dims, |at, from| pairs.push((at, from)))
            .map_err(fault)?;
        let mut columns = Columns { bytes: operands.iter().map(|t| t.bytes().to_vec()).collect() };
        for (at, from) in pairs {
            let mut args = Results::new();
            for (column, ty) in columns.bytes.iter().zip(types) {
                args.push(element_of(ty, column, at).map_err(fault)?);
            }
            for t in updates {
                args.push(element(t, from).map_err(fault)?);
            }
            args.extend(captures.iter().cloned());
            for (column, new) in columns.bytes.iter_mut().zip(self.nested(body, &args)?) {
                store(column, at, &new);
            }
        }
        columns.finish(types).map_err(fault)
    }

    fn sort(
        &mut self,
        dim: usize,
        comparator: &Func,
        types: &[TensorType],
        x: &[Tensor],
        site: At,
    ) -> Result<Results, EvalError> {
        let (operands, captures) = x.split_at(types.len());
        let shape = operands[0].shape();
        let along = offsets(shape, &[dim]);
        let mut out = Columns { bytes: operands.iter().map(|t| t.bytes().to_vec()).collect() };
        for line in offsets(shape, &complement(shape.len(), &[dim])) {
            let before = &mut |a: usize, b: usize| -> Result<bool, EvalError> {
                let mut args = Results::new();
                for t in operands {
                    for i in [a, b] {
                        args.push(element(t, line + along[i]).map_err(|f| f.at(site()))?);
                    }
                }
                args.extend(captures.iter().cloned());
                truth(&self.nested(comparator, &args)?, site)
            };
            let order = merge_sort((0..along.len()).collect(), before)?;
            for (t, column) in operands.iter().zip(&mut out.bytes) {
                let size = t.dtype().size();
                for (&to, &from) in along.iter().zip(&order) {
                    let source = &t.bytes()[(line + along[from]) * size..][..size];
                    column[(line + to) * size..][..size].copy_from_slice(source);
                }
            }
        }
        out.finish(types).map_err(|f| f.at(site()))
    }
}

/// A stable sort by a comparison that may fail and need not be an order.
fn merge_sort<E>(list: Vec<usize>, before: &mut impl FnMut(usize, usize) -> Result<bool, E>) -> Result<Vec<usize>, E> {
    if list.len() < 2 {
        return Ok(list);
    }
    let right = list[list.len() / 2..].to_vec();
    let left = merge_sort(list[..list.len() / 2].to_vec(), before)?;
    let right = merge_sort(right, before)?;
    let mut merged = Vec::with_capacity(list.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if before(right[j], left[i])? {
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    Ok(merged)
}

/// The result of a predicate.
fn truth(results: &[Tensor], site: At) -> Result<bool, EvalError> {
    results[0].item().map_err(|e| Fault::from(e).at(site()))
}

/// The element at an offset, as a scalar.
fn element(t: &Tensor, at: usize) -> Result<Tensor, Fault> {
    let size = t.dtype().size();
    Ok(Tensor::from_bytes(t.dtype(), [], &t.bytes()[at * size..][..size])?)
}

/// The element at an offset of bytes of a type.
fn element_of(ty: &TensorType, bytes: &[u8], at: usize) -> Result<Tensor, Fault> {
    let size = ty.dtype.size();
    Ok(Tensor::from_bytes(ty.dtype, [], &bytes[at * size..][..size])?)
}

/// Writes a scalar at an offset.
fn store(bytes: &mut [u8], at: usize, scalar: &Tensor) {
    let size = scalar.bytes().len();
    bytes[at * size..][..size].copy_from_slice(scalar.bytes());
}

/// The bytes of several results.
struct Columns {
    bytes: Vec<Vec<u8>>,
}

impl Columns {
    fn new(types: &[TensorType]) -> Columns {
        Columns { bytes: vec![Vec::new(); types.len()] }
    }
    /// Appends one scalar to each result.
    fn push(&mut self, scalars: &[Tensor]) {
        for (column, t) in self.bytes.iter_mut().zip(scalars) {
            column.extend_from_slice(t.bytes());
        }
    }
    fn finish(self, types: &[TensorType]) -> Result<Results, Fault> {
        let tensor = |(bytes, ty): (Vec<u8>, &TensorType)| Ok(Tensor::from_bytes(ty.dtype, sizes(ty)?, &bytes)?);
        self.bytes.into_iter().zip(types).map(tensor).collect()
    }
}
