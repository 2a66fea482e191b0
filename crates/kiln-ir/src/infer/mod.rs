//! Shape inference: operator and operand types to result types.
//!
//! Every constraint of an operator's specification has a label that begins the diagnostic's code:
//!
//! - `op.Cn`: constraint `n` of the operator, numbered as in StableHLO where StableHLO has it;
//! - `op.I0`: the number of operands; `op.In`: the element type or rank that operand `n` (from 1) may have;
//! - `op.D1`: a size would not be a linear expression of the named dimensions;
//! - `op.D2`: a size is negative, or too large for any machine;
//! - `op.D3`: a named dimension is not an identifier.
//!
//! Nothing here panics, whatever the attributes: graphs from text and files come through here.

mod control;
mod data_movement;
mod dot;
mod elementwise;
mod gather_scatter;
mod linalg;
mod reduce;
mod region;
mod window;

use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::{DType, DTypeSet};
use crate::op::Op;
use crate::shape::{Shape, TensorType};
use smallvec::{SmallVec, smallvec};

/// The types of a node's results.
pub type ResultTypes = SmallVec<[TensorType; 1]>;

/// The result types of `op` on operands of these types.
///
/// # Errors
/// The first violated constraint of the operator's specification, labelled `op.Cn`.
pub fn result_types(op: &Op, operands: &[&TensorType]) -> Result<ResultTypes, Diagnostic> {
    let cx = Cx { op, tys: operands };
    let types: ResultTypes = match op {
        Op::Parameter(_) => {
            let text = "the type of a parameter comes from the function's input, not from operands";
            return Err(cx.err("C1", text).help("declare the input with `Func::add_input`"));
        }
        Op::Constant(t) => cx.count(0).map(|()| smallvec![t.ty()]),
        Op::While { cond, body } => control::while_op(&cx, cond, body),
        Op::If { on_true, on_false } => control::if_op(&cx, on_true, on_false),
        Op::Case { branches } => control::case(&cx, branches),
        Op::Composite { body, vjp, .. } => control::composite(&cx, body, vjp.as_deref()),
        Op::RngBitGenerator { algorithm, ty } => control::rng_bit_generator(&cx, *algorithm, ty),
        Op::GenericReduce { axes, body } => region::reduce(&cx, axes, body),
        Op::GenericReduceWindow { window, body } => region::reduce_window(&cx, window, body),
        Op::GenericScatter { dims, body } => region::scatter(&cx, dims, body),
        Op::Sort { dim, comparator, .. } => region::sort(&cx, *dim, comparator),
        other => single(&cx, other).map(|t| smallvec![t]),
    }?;
    types.iter().try_for_each(|t| cx.check_size(t))?;
    Ok(types)
}

/// The operators of one result that hold no functions.
fn single(cx: &Cx, op: &Op) -> Result<TensorType, Diagnostic> {
    match op {
        Op::Unary(u) => elementwise::unary(cx, *u),
        Op::Binary(b) => elementwise::binary(cx, *b),
        Op::Compare(_) => elementwise::compare(cx),
        Op::Select => elementwise::select(cx),
        Op::Clamp => elementwise::clamp(cx),
        Op::Convert(to) => elementwise::convert(cx, *to),
        Op::BitcastConvert(to) => elementwise::bitcast_convert(cx, *to),
        Op::Complex => elementwise::complex(cx),
        Op::Real | Op::Imag => elementwise::part(cx),
        Op::ReducePrecision { exponent_bits, .. } => elementwise::reduce_precision(cx, *exponent_bits),
        Op::OptimizationBarrier => cx.count(1).map(|()| cx.tys[0].clone()),
        Op::Iota { ty, dim } => data_movement::iota(cx, ty, *dim),
        Op::GetDimensionSize(dim) => data_movement::get_dimension_size(cx, *dim),
        Op::BroadcastInDim { shape, dims } => data_movement::broadcast_in_dim(cx, shape, dims),
        Op::Reshape(shape) => data_movement::reshape(cx, shape),
        Op::Transpose(permutation) => data_movement::transpose(cx, permutation),
        Op::Reverse(dims) => data_movement::reverse(cx, dims),
        Op::Slice { start, limit, strides } => data_movement::slice(cx, start, limit, strides),
        Op::DynamicSlice { sizes } => data_movement::dynamic_slice(cx, sizes),
        Op::DynamicUpdateSlice => data_movement::dynamic_update_slice(cx),
        Op::Concatenate(dim) => data_movement::concatenate(cx, *dim),
        Op::Pad { low, high, interior } => data_movement::pad(cx, low, high, interior),
        Op::DotGeneral(dims) => dot::dot_general(cx, dims),
        Op::Reduce { axes, reducer } => reduce::reduce(cx, axes, *reducer),
        Op::ArgReduce { axis, dtype, .. } => reduce::arg_reduce(cx, *axis, *dtype),
        Op::Convolution(dims) => window::convolution(cx, dims),
        Op::ReduceWindow { window, reducer } => window::reduce_window(cx, window, *reducer),
        Op::SelectAndScatter { window, select, scatter } => window::select_and_scatter(cx, window, *select, *scatter),
        Op::Gather(dims) => gather_scatter::gather(cx, dims),
        Op::Scatter { dims, update } => gather_scatter::scatter(cx, dims, *update),
        Op::GenericSelectAndScatter { window, select, scatter } => {
            region::select_and_scatter(cx, window, select, scatter)
        }
        Op::Fft { kind, length, interleaved } => linalg::fft(cx, *kind, length, *interleaved),
        Op::Cholesky { interleaved, .. } => linalg::cholesky(cx, *interleaved),
        Op::TriangularSolve { left_side, interleaved, .. } => linalg::triangular_solve(cx, *left_side, *interleaved),
        Op::Parameter(_)
        | Op::Constant(_)
        | Op::While { .. }
        | Op::If { .. }
        | Op::Case { .. }
        | Op::RngBitGenerator { .. }
        | Op::GenericReduce { .. }
        | Op::GenericReduceWindow { .. }
        | Op::GenericScatter { .. }
        | Op::Sort { .. }
        | Op::Composite { .. } => Err(cx.err("I0", "the operator has no single result")),
    }
}

/// The name of operand `index` of `op` in diagnostics: `lhs`, `operand`, `indices` ...
pub fn operand_name(op: &Op, index: usize) -> String {
    let names = op.kind().operand_names();
    names.get(index).map_or_else(|| format!("operand {index}"), |n| (*n).to_string())
}

/// One call: the operator and the types it is given.
pub(crate) struct Cx<'a> {
    pub op: &'a Op,
    pub tys: &'a [&'a TensorType],
}

impl Cx<'_> {
    /// A diagnostic labelled with the operator.
    pub fn err(&self, label: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(format!("{}.{label}", self.op.name()), message)
    }

    /// Fails with `label` unless `ok`.
    pub fn check(
        &self,
        ok: bool,
        label: &str,
        message: &str,
        found: impl FnOnce() -> String,
    ) -> Result<(), Diagnostic> {
        if ok { Ok(()) } else { Err(self.err(label, message).label(found())) }
    }

    /// The operator takes exactly `n` operands.
    pub fn count(&self, n: usize) -> Result<(), Diagnostic> {
        self.check(self.tys.len() == n, "I0", "wrong number of operands", || {
            format!("`{}` takes {n}, found {}", self.op.name(), self.tys.len())
        })
    }

    /// The operator takes at least `n` operands.
    pub fn count_at_least(&self, n: usize) -> Result<(), Diagnostic> {
        self.check(self.tys.len() >= n, "I0", "wrong number of operands", || {
            format!("`{}` takes at least {n}, found {}", self.op.name(), self.tys.len())
        })
    }

    /// Operand `index` has one of these element types.
    pub fn dtype(&self, index: usize, allowed: DTypeSet) -> Result<(), Diagnostic> {
        let found = self.tys[index].dtype;
        if allowed.contains(found) {
            return Ok(());
        }
        let message = format!("`{}` is not defined on {found}", self.op.name());
        let label = format!("{} is {}, expected {allowed}", operand_name(self.op, index), self.tys[index]);
        let d = self.err(&format!("I{}", index + 1), message).label(label);
        Err(match found {
            DType::Bool => d.help("convert it to a number first"),
            f if f.is_int() && allowed.contains(DType::F32) => d.help("convert it to a float first"),
            _ => d,
        })
    }

    /// Operand `index` is a scalar of one of these element types.
    pub fn scalar(&self, index: usize, allowed: DTypeSet) -> Result<(), Diagnostic> {
        self.dtype(index, allowed)?;
        self.check(self.tys[index].rank() == 0, &format!("I{}", index + 1), "expected a scalar", || {
            format!("{} is {}", operand_name(self.op, index), self.tys[index])
        })
    }

    /// The scalar initial value at `index` of a reduction over elements of the type of operand 0.
    pub fn init(&self, index: usize, label: &str) -> Result<(), Diagnostic> {
        let (x, init) = (self.tys[0], self.tys[index]);
        self.check(init.rank() == 0 && init.dtype == x.dtype, label, "the initial value has another type", || {
            format!("expected {}, found {init}", TensorType::scalar(x.dtype))
        })
    }

    /// Both element types are the same.
    pub fn same_dtype(&self, label: &str, a: usize, b: usize) -> Result<(), Diagnostic> {
        let (x, y) = (self.tys[a], self.tys[b]);
        if x.dtype == y.dtype {
            return Ok(());
        }
        let (m, n) = (operand_name(self.op, a), operand_name(self.op, b));
        Err(self
            .err(label, "element types differ")
            .label(format!("{m} is {}, {n} is {}", x.dtype, y.dtype))
            .help("convert one side"))
    }

    /// Both shapes are the same.
    pub fn same_shape(&self, label: &str, a: usize, b: usize) -> Result<(), Diagnostic> {
        let (x, y) = (&self.tys[a].shape, &self.tys[b].shape);
        if x == y {
            return Ok(());
        }
        let (m, n) = (operand_name(self.op, a), operand_name(self.op, b));
        let differ = if x.rank() == y.rank() {
            let dim = x.iter().zip(y.iter()).position(|(p, q)| p != q).unwrap_or(0);
            format!("{m} has size {} in dim {dim}, {n} has size {}", x[dim], y[dim])
        } else {
            format!("{m} has rank {}, {n} has rank {}", x.rank(), y.rank())
        };
        Err(self
            .err(label, "shapes differ")
            .label(differ)
            .help(format!("{m} is {}, {n} is {}: broadcast or reshape one side", self.tys[a], self.tys[b])))
    }

    /// Every entry is a dimension of a tensor of this rank.
    pub fn in_range(&self, label: &str, what: &str, dims: &[usize], rank: usize) -> Result<(), Diagnostic> {
        match dims.iter().find(|d| **d >= rank) {
            None => Ok(()),
            Some(d) => Err(self
                .err(label, format!("{what} out of range"))
                .label(format!("dim {d} of a tensor of rank {rank}"))),
        }
    }

    /// No entry twice.
    pub fn unique(&self, label: &str, what: &str, dims: &[usize]) -> Result<(), Diagnostic> {
        match dims.iter().enumerate().find(|(i, d)| dims[..*i].contains(d)) {
            None => Ok(()),
            Some((_, d)) => {
                Err(self.err(label, format!("{what} must be unique")).label(format!("dim {d} is listed twice")))
            }
        }
    }

    /// Strictly ascending.
    pub fn ascending(&self, label: &str, what: &str, dims: &[usize]) -> Result<(), Diagnostic> {
        if dims.windows(2).all(|w| w[0] < w[1]) {
            return Ok(());
        }
        Err(self.err(label, format!("{what} must be ascending")).label(format!("found {dims:?}")))
    }

    /// `a == b`, both lengths.
    pub fn len(&self, label: &str, what: &str, found: usize, expected: usize) -> Result<(), Diagnostic> {
        if found == expected {
            return Ok(());
        }
        let text = format!("expected {expected} entries, found {found}");
        Err(self.err(label, format!("{what} has the wrong length")).label(text))
    }

    /// A size that arithmetic could not express.
    pub fn overflow(&self) -> Diagnostic {
        self.err("D2", "a size overflows").label("sizes and attributes are limited to 63 bits")
    }

    /// A size that is not linear in `dim`'s symbols.
    pub fn not_linear(&self, dim: &Dim, what: &str) -> Diagnostic {
        let names: Vec<String> = dim.symbols().map(|s| format!("`{s}`")).collect();
        let message = if names.is_empty() {
            format!("{what} does not divide")
        } else {
            format!("{what} is not a linear expression of {}", names.join(", "))
        };
        self.err("D1", message)
            .label(format!("found a size of {dim}"))
            .help("declare the dimension as a multiple (such as `2*n`), or compile for a fixed size")
    }

    /// No size is negative, and the bytes are countable.
    fn check_size(&self, t: &TensorType) -> Result<(), Diagnostic> {
        if let Some(s) = t.shape.iter().flat_map(Dim::symbols).find(|s| !crate::dim::is_identifier(s)) {
            return Err(self.err("D3", "not a name for a dimension").label(format!("`{s}` in {t}")));
        }
        if let Some((i, d)) = t.shape.iter().enumerate().find(|(_, d)| d.as_const().is_some_and(|n| n < 0)) {
            return Err(self.err("D2", "a size is negative").label(format!("size {d} in dim {i} of {t}")));
        }
        let fits = t.shape.is_symbolic() || t.num_bytes().is_some_and(|n| n <= isize::MAX as usize);
        self.check(fits, "D2", "the tensor is too large", || format!("{t} has more than 2^63 bytes"))
    }
}

/// True when `a > b` for certain; false when symbols leave it open.
pub(crate) fn surely_greater(a: &Dim, b: &Dim) -> bool {
    match a.checked_sub(b) {
        Some(Dim::Const(n)) => n > 0,
        Some(Dim::Expr(e)) => {
            // Symbols stand for sizes: at least 0.
            e.constant() > 0 && e.terms().iter().all(|(_, c)| *c > 0)
        }
        None => false,
    }
}

/// `shape` without these dimensions.
pub(crate) fn without(shape: &Shape, dims: &[usize]) -> Shape {
    shape.iter().enumerate().filter(|(i, _)| !dims.contains(i)).map(|(_, d)| d.clone()).collect()
}
