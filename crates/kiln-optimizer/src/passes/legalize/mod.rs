//! `legalize`: a function of any element types becomes one of `bool`, `i8` to `i64`, `u8` to `u64`, `f16`, `bf16`, `f32` and
//! `f64`, which is what everything below the graph knows. It always runs.
//!
//! - Complex tensors become two real ones. Inputs and outputs of the function itself are interleaved: `c64[2, 3]` is
//!   `f32[2, 3, 2]`, the same bytes. Nested functions take and give the parts.
//! - 2- and 4-bit integers are `i8` or `u8` that hold the value; what may leave their range is wrapped.
//! - Floats of at most 8 bits are their bits as `u8`, computed on as `f32` and rounded after every operator.
//! - `reduce_precision` becomes integer arithmetic on bits.
//!
//! The bytes of inputs and outputs stay the same, so whoever runs the function may go by its old signature.

mod aggregate;
mod build;
mod complex;
mod contract;
mod convert;
mod mini;
mod narrow;
mod precision;
mod region;
mod signature;

use crate::context::Cx;
use crate::pass::Pass;
use build::{Build, Pair, internal};
use kiln_ir::op::{FftKind, Reducer, ScatterUpdate};
use kiln_ir::{DType, Diagnostic, Diagnostics, Func, MiniFormat, Node, Op, Tensor, TensorType, UnaryOp, Value};
use smallvec::{SmallVec, smallvec};

/// See the module. Refuses operators that have no form on legal types (code `optimize.legalize`).
pub(crate) const PASS: Pass = Pass::fallible("legalize", run);

fn run(func: Func, cx: &mut Cx) -> Result<Func, Diagnostics> {
    if is_legal(&func) {
        return Ok(func);
    }
    Ok(signature::legalize_top(&func, cx)?)
}

/// Whether the function has nothing to legalize.
pub(crate) fn is_legal(func: &Func) -> bool {
    func.nodes().iter().all(|n| {
        n.types.iter().all(|t| class(t.dtype) == Class::Legal)
            && !matches!(n.op, Op::ReducePrecision { .. })
            && n.op.regions().into_iter().all(is_legal)
    })
}

/// How elements of a type are represented.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Class {
    /// As they are.
    Legal,
    /// As two tensors.
    Complex,
    /// As i8 or u8.
    Narrow,
    /// As u8 of this layout.
    Mini(MiniFormat),
}

fn class(dtype: DType) -> Class {
    match dtype {
        DType::C64 | DType::C128 => Class::Complex,
        DType::I2 | DType::I4 | DType::U2 | DType::U4 => Class::Narrow,
        other => other.mini_format().map_or(Class::Legal, Class::Mini),
    }
}

/// The type that elements (of complex numbers: their parts) are stored in.
fn storage(dtype: DType) -> DType {
    match dtype {
        DType::C64 | DType::C128 => dtype.real_type(),
        DType::I2 | DType::I4 => DType::I8,
        DType::U2 | DType::U4 => DType::U8,
        other if other.mini_format().is_some() => DType::U8,
        other => other,
    }
}

/// What stands for a value.
#[derive(Clone, Copy, Debug)]
enum Rep {
    One(Value),
    Pair(Pair),
}

impl Rep {
    /// The value; the real part of a complex one.
    fn one(self) -> Value {
        match self {
            Rep::One(v) | Rep::Pair([v, _]) => v,
        }
    }
    /// The parts. Only complex values are asked for them.
    fn pair(self) -> Pair {
        match self {
            Rep::One(v) => [v, v],
            Rep::Pair(p) => p,
        }
    }
    fn part(self, i: usize) -> Value {
        self.pair()[i]
    }
    /// All values, in order.
    fn values(self) -> SmallVec<[Value; 2]> {
        match self {
            Rep::One(v) => smallvec![v],
            Rep::Pair([re, im]) => smallvec![re, im],
        }
    }
}

type Reps = SmallVec<[Rep; 1]>;

/// One node with what stands for its operands.
struct Site<'a> {
    node: &'a Node,
    args: SmallVec<[Rep; 3]>,
    /// The operands' types in the old function.
    types: SmallVec<[&'a TensorType; 3]>,
}

impl Site<'_> {
    fn dtype(&self) -> DType {
        self.types.first().map_or(self.node.types[0].dtype, |t| t.dtype)
    }
    fn result(&self) -> &TensorType {
        &self.node.types[0]
    }
    fn one(&self, i: usize) -> Value {
        self.args[i].one()
    }
    fn pair(&self, i: usize) -> Pair {
        self.args[i].pair()
    }
    /// All values that stand for operands, in order.
    fn flat(&self) -> Vec<Value> {
        self.args.iter().flat_map(|a| a.values()).collect()
    }
    fn unsupported(&self) -> Diagnostic {
        let text = format!("`{}` on {} cannot be compiled", self.node.op.name(), self.dtype());
        internal(text).at(&self.node.loc)
    }
}

impl Build {
    /// What stands for the results of a node.
    fn node(&mut self, site: &Site, cx: &mut Cx) -> Result<Reps, Diagnostic> {
        let node = site.node;
        let plain = |t: &TensorType| class(t.dtype) == Class::Legal;
        let legal = node.types.iter().all(plain) && site.types.iter().all(|t| plain(t));
        if legal && !node.op.has_functions() && !matches!(node.op, Op::ReducePrecision { .. }) {
            let operands = site.args.iter().map(|a| a.one()).collect();
            let node =
                Node { op: node.op.clone(), operands, types: node.types.clone(), loc: node.loc.clone(), name: None };
            let id = self.f.push_raw(node);
            return Ok(self.f.results(id).map(Rep::One).collect());
        }
        cx.require(match (class(site.dtype()), class(site.result().dtype)) {
            (Class::Complex, _) | (_, Class::Complex) => "complex",
            (Class::Narrow, _) | (_, Class::Narrow) => "small integer",
            (Class::Mini(_), _) | (_, Class::Mini(_)) => "small float",
            (Class::Legal, Class::Legal) if !node.op.has_functions() => "reduce_precision",
            (Class::Legal, Class::Legal) => "nested function",
        });
        if node.op.has_functions() {
            return self.with_regions(site, cx);
        }
        match node.op {
            Op::RngBitGenerator { .. } => self.rng(site),
            _ => self.single(site).map(|r| smallvec![r]),
        }
    }

    /// Operators of one result without nested functions.
    fn single(&mut self, site: &Site) -> Result<Rep, Diagnostic> {
        let op = &site.node.op;
        let (from, to) = (site.dtype(), site.result().dtype);
        let one = match op {
            Op::Constant(t) => return self.literal(t),
            Op::Iota { ty, dim } => return self.iota(ty, *dim),
            Op::Unary(u) => match class(from) {
                Class::Complex => {
                    let pair = self.complex_unary(*u, site.pair(0))?;
                    return Ok(if *u == UnaryOp::Abs { Rep::One(pair[0]) } else { Rep::Pair(pair) });
                }
                Class::Narrow => self.narrow_unary(*u, site.one(0), from)?,
                Class::Mini(format) => self.mini_unary(*u, site.one(0), format)?,
                Class::Legal => self.un(*u, site.one(0))?,
            },
            Op::Binary(b) => return self.binary(*b, site.args[0], site.args[1], from),
            Op::Compare(d) => match class(from) {
                Class::Complex => self.complex_compare(*d, site.pair(0), site.pair(1))?,
                Class::Mini(format) => {
                    let (x, y) = (self.decode(site.one(0), format)?, self.decode(site.one(1), format)?);
                    self.cmp(*d, x, y)?
                }
                Class::Narrow | Class::Legal => self.cmp(*d, site.one(0), site.one(1))?,
            },
            Op::Clamp => return self.clamp(site),
            Op::Convert(_) => return self.convert_rep(site.args[0], from, to),
            Op::BitcastConvert(_) => return self.bitcast_rep(site.args[0], from, to),
            Op::Complex => return Ok(Rep::Pair([site.one(0), site.one(1)])),
            Op::Real => site.pair(0)[0],
            Op::Imag => site.pair(0)[1],
            Op::ReducePrecision { exponent_bits: e, mantissa_bits: m } => match class(from) {
                Class::Mini(format) => self.reduce_mini_precision(site.one(0), format, *e, *m)?,
                _ => self.reduce_precision(site.one(0), *e, *m)?,
            },
            Op::GetDimensionSize(_) => self.push(op.clone(), &[site.one(0)])?,
            Op::DotGeneral(dims) => return self.dot(site, dims),
            Op::Convolution(dims) => return self.convolution(site, dims),
            Op::Reduce { .. } | Op::ReduceWindow { .. } => return self.reduction(site),
            Op::ArgReduce { axis, kind, dtype } => return self.arg_reduce(site, *axis, *kind, *dtype).map(Rep::One),
            Op::SelectAndScatter { .. } => return self.select_and_scatter(site),
            Op::Scatter { update: ScatterUpdate::Combine(reducer), .. } => return self.scatter(site, *reducer),
            Op::Fft { kind, length, .. } => {
                let op = Op::Fft { kind: *kind, length: length.clone(), interleaved: true };
                let x = if *kind == FftKind::Rfft { site.one(0) } else { self.join(site.pair(0))? };
                let y = self.push(op, &[x])?;
                return if *kind == FftKind::Irfft { Ok(Rep::One(y)) } else { self.split(y).map(Rep::Pair) };
            }
            Op::Cholesky { lower, .. } => {
                let x = self.join(site.pair(0))?;
                let y = self.push(Op::Cholesky { lower: *lower, interleaved: true }, &[x])?;
                return self.split(y).map(Rep::Pair);
            }
            Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, .. } => {
                let (a, b) = (self.join(site.pair(0))?, self.join(site.pair(1))?);
                let op = Op::TriangularSolve {
                    left_side: *left_side,
                    lower: *lower,
                    unit_diagonal: *unit_diagonal,
                    transpose_a: *transpose_a,
                    interleaved: true,
                };
                let y = self.push(op, &[a, b])?;
                return self.split(y).map(Rep::Pair);
            }
            // The same on every part: elements only move.
            Op::Select
            | Op::BroadcastInDim { .. }
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Reverse(_)
            | Op::Slice { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Concatenate(_)
            | Op::Pad { .. }
            | Op::Gather(_)
            | Op::Scatter { update: ScatterUpdate::Assign, .. }
            | Op::OptimizationBarrier => return self.lift(op, &site.args),
            Op::Parameter(_)
            | Op::GenericReduce { .. }
            | Op::GenericReduceWindow { .. }
            | Op::GenericSelectAndScatter { .. }
            | Op::GenericScatter { .. }
            | Op::Sort { .. }
            | Op::While { .. }
            | Op::If { .. }
            | Op::Case { .. }
            | Op::RngBitGenerator { .. }
            | Op::Composite { .. } => return Err(site.unsupported()),
        };
        Ok(Rep::One(one))
    }

    /// One operator on stored values: on both parts of complex ones.
    fn lift(&mut self, op: &Op, args: &[Rep]) -> Result<Rep, Diagnostic> {
        let operands = |i: usize| -> SmallVec<[Value; 4]> { args.iter().map(|a| a.part(i)).collect() };
        let first = self.push(op.clone(), &operands(0))?;
        if args.iter().all(|a| matches!(a, Rep::One(_))) {
            return Ok(Rep::One(first));
        }
        Ok(Rep::Pair([first, self.push(op.clone(), &operands(1))?]))
    }

    fn binary(&mut self, op: kiln_ir::BinaryOp, x: Rep, y: Rep, dtype: DType) -> Result<Rep, Diagnostic> {
        Ok(match class(dtype) {
            Class::Complex => Rep::Pair(self.complex_binary(op, x.pair(), y.pair())?),
            Class::Narrow => Rep::One(self.narrow_binary(op, x.one(), y.one(), dtype)?),
            Class::Mini(format) => {
                let (x, y) = (self.decode(x.one(), format)?, self.decode(y.one(), format)?);
                let z = self.bin(op, x, y)?;
                Rep::One(self.encode(z, format)?)
            }
            Class::Legal => Rep::One(self.bin(op, x.one(), y.one())?),
        })
    }

    fn literal(&mut self, t: &Tensor) -> Result<Rep, Diagnostic> {
        let stored = |bytes: &[u8]| {
            let t = Tensor::from_bytes(storage(t.dtype()), t.shape(), bytes);
            t.map_err(|e| internal(e.to_string()))
        };
        let loc = self.loc.clone();
        if !t.dtype().is_complex() {
            let t = stored(t.bytes())?;
            return Ok(Rep::One(self.f.constant(t, loc)));
        }
        let size = t.dtype().real_type().size();
        let part = |i: usize| -> Vec<u8> {
            t.bytes().chunks_exact(2 * size).flat_map(|c| &c[i * size..(i + 1) * size]).copied().collect()
        };
        let (re, im) = (stored(&part(0))?, stored(&part(1))?);
        Ok(Rep::Pair([self.f.constant(re, loc.clone()), self.f.constant(im, loc)]))
    }

    fn iota(&mut self, ty: &TensorType, dim: usize) -> Result<Rep, Diagnostic> {
        let mut count = |dtype: DType| self.push(Op::Iota { ty: ty.with_dtype(dtype), dim }, &[]);
        Ok(match class(ty.dtype) {
            Class::Complex => {
                let re = count(ty.dtype.real_type())?;
                Rep::Pair([re, self.num(re, 0.0)?])
            }
            // Counting in the storage wraps at a multiple of the width.
            Class::Narrow => {
                let x = count(storage(ty.dtype))?;
                Rep::One(self.wrap(x, ty.dtype)?)
            }
            Class::Mini(format) => {
                let x = count(DType::F32)?;
                Rep::One(self.encode(x, format)?)
            }
            Class::Legal => Rep::One(count(ty.dtype)?),
        })
    }

    fn clamp(&mut self, site: &Site) -> Result<Rep, Diagnostic> {
        match class(site.dtype()) {
            Class::Complex => {
                let shape = &site.types[1].shape;
                let spread = |b: &mut Build, [re, im]: Pair| -> Result<Pair, Diagnostic> {
                    Ok([b.spread(re, shape)?, b.spread(im, shape)?])
                };
                let (low, high) = (spread(self, site.pair(0))?, spread(self, site.pair(2))?);
                let x = self.complex_binary(Reducer::Maximum.binary(), site.pair(1), low)?;
                self.complex_binary(Reducer::Minimum.binary(), x, high).map(Rep::Pair)
            }
            Class::Mini(format) => {
                let mut decoded: SmallVec<[Value; 3]> = SmallVec::new();
                for arg in &site.args {
                    decoded.push(self.decode(arg.one(), format)?);
                }
                let x = self.push(Op::Clamp, &decoded)?;
                self.encode(x, format).map(Rep::One)
            }
            Class::Narrow | Class::Legal => self.lift(&Op::Clamp, &site.args),
        }
    }

    /// Random bits of a narrow type: the low bits of bytes.
    fn rng(&mut self, site: &Site) -> Result<Reps, Diagnostic> {
        let Op::RngBitGenerator { algorithm, ty } = &site.node.op else { return Err(site.unsupported()) };
        let op = Op::RngBitGenerator { algorithm: *algorithm, ty: ty.with_dtype(storage(ty.dtype)) };
        let values = self.push_all(op, &[site.one(0)])?;
        let bits = self.wrap(values[1], ty.dtype)?;
        Ok(smallvec![Rep::One(values[0]), Rep::One(bits)])
    }
}
