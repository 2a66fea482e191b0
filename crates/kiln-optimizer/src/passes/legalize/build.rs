//! Short names for making nodes.

use crate::rewrite::sizes_of;
use kiln_ir::op::{Axes, CompareDirection};
use kiln_ir::rewrite::Values;
use kiln_ir::{BinaryOp, DType, Diagnostic, Dim, Func, Loc, Op, Shape, Tensor, TensorType, UnaryOp, Value};
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;

/// A new value, or the rule that the node would have broken.
pub(super) type Built = Result<Value, Diagnostic>;
/// Real and imaginary part.
pub(super) type Pair = [Value; 2];
/// A new complex value.
pub(super) type BuiltPair = Result<Pair, Diagnostic>;

/// A legal function under construction.
pub(super) struct Build {
    pub f: Func,
    /// The source line of the node that is legalized.
    pub loc: Loc,
    /// Interleaved tensors by their parts.
    joined: BTreeMap<Pair, Value>,
}

impl Build {
    pub fn new(name: String) -> Build {
        Build { f: Func::new(name), loc: Loc::UNKNOWN, joined: BTreeMap::new() }
    }

    pub fn push(&mut self, op: Op, operands: &[Value]) -> Built {
        self.f.push1(op, operands, self.loc.clone())
    }
    /// A node of several results.
    pub fn push_all(&mut self, op: Op, operands: &[Value]) -> Result<Values, Diagnostic> {
        let id = self.f.push(op, operands, self.loc.clone())?;
        Ok(self.f.results(id).collect())
    }

    pub fn ty(&self, v: Value) -> &TensorType {
        self.f.ty(v)
    }
    pub fn dtype(&self, v: Value) -> DType {
        self.ty(v).dtype
    }
    pub fn sizes(&self, v: Value) -> SmallVec<[usize; 4]> {
        sizes_of(self.ty(v))
    }

    /// A scalar, broadcast.
    pub fn splat(&mut self, t: Tensor, shape: &Shape) -> Built {
        let s = self.f.constant(t, self.loc.clone());
        self.spread(s, shape)
    }
    /// A scalar value, broadcast.
    pub fn spread(&mut self, s: Value, shape: &Shape) -> Built {
        if shape.rank() == 0 || self.ty(s).rank() > 0 {
            return Ok(s);
        }
        self.push(Op::BroadcastInDim { shape: shape.clone(), dims: Axes::new() }, &[s])
    }
    /// This number in the type and shape of `like`.
    pub fn num(&mut self, like: Value, x: f64) -> Built {
        let TensorType { dtype, shape } = self.ty(like).clone();
        self.splat(Tensor::scalar_of(dtype, x), &shape)
    }
    /// These bits in the integer type and shape of `like`.
    pub fn bits(&mut self, like: Value, bits: u64) -> Built {
        let TensorType { dtype, shape } = self.ty(like).clone();
        let bytes = bits.to_le_bytes();
        let t = Tensor::from_bytes(dtype, [], &bytes[..dtype.size()]);
        self.splat(t.map_err(|e| internal(e.to_string()))?, &shape)
    }

    pub fn un(&mut self, op: UnaryOp, x: Value) -> Built {
        self.push(Op::Unary(op), &[x])
    }
    pub fn bin(&mut self, op: BinaryOp, x: Value, y: Value) -> Built {
        self.push(Op::Binary(op), &[x, y])
    }
    pub fn add(&mut self, x: Value, y: Value) -> Built {
        self.bin(BinaryOp::Add, x, y)
    }
    pub fn sub(&mut self, x: Value, y: Value) -> Built {
        self.bin(BinaryOp::Subtract, x, y)
    }
    pub fn mul(&mut self, x: Value, y: Value) -> Built {
        self.bin(BinaryOp::Multiply, x, y)
    }
    pub fn div(&mut self, x: Value, y: Value) -> Built {
        self.bin(BinaryOp::Divide, x, y)
    }
    pub fn and(&mut self, x: Value, y: Value) -> Built {
        self.bin(BinaryOp::And, x, y)
    }
    pub fn or(&mut self, x: Value, y: Value) -> Built {
        self.bin(BinaryOp::Or, x, y)
    }
    pub fn not(&mut self, x: Value) -> Built {
        self.un(UnaryOp::Not, x)
    }
    pub fn neg(&mut self, x: Value) -> Built {
        self.un(UnaryOp::Negate, x)
    }
    pub fn abs(&mut self, x: Value) -> Built {
        self.un(UnaryOp::Abs, x)
    }
    /// `x` times a number.
    pub fn scale(&mut self, x: Value, by: f64) -> Built {
        let by = self.num(x, by)?;
        self.mul(x, by)
    }
    /// `x` plus a number.
    pub fn plus(&mut self, x: Value, by: f64) -> Built {
        let by = self.num(x, by)?;
        self.add(x, by)
    }
    /// `x` and these bits.
    pub fn mask(&mut self, x: Value, bits: u64) -> Built {
        let m = self.bits(x, bits)?;
        self.and(x, m)
    }
    /// `x` shifted left.
    pub fn shl(&mut self, x: Value, by: u32) -> Built {
        let by = self.bits(x, by.into())?;
        self.bin(BinaryOp::ShiftLeft, x, by)
    }
    /// `x` shifted right, zeros coming in.
    pub fn shr(&mut self, x: Value, by: u32) -> Built {
        let by = self.bits(x, by.into())?;
        self.bin(BinaryOp::ShiftRightLogical, x, by)
    }
    /// `x` shifted right, copies of the sign coming in.
    pub fn sar(&mut self, x: Value, by: u32) -> Built {
        let by = self.bits(x, by.into())?;
        self.bin(BinaryOp::ShiftRightArithmetic, x, by)
    }

    pub fn cmp(&mut self, direction: CompareDirection, x: Value, y: Value) -> Built {
        self.push(Op::Compare(direction), &[x, y])
    }
    /// `x` compared with a number.
    pub fn cmp_num(&mut self, direction: CompareDirection, x: Value, y: f64) -> Built {
        let y = self.num(x, y)?;
        self.cmp(direction, x, y)
    }
    /// `x` compared with these bits.
    pub fn cmp_bits(&mut self, direction: CompareDirection, x: Value, y: u64) -> Built {
        let y = self.bits(x, y)?;
        self.cmp(direction, x, y)
    }
    pub fn is_nan(&mut self, x: Value) -> Built {
        self.cmp(CompareDirection::NE, x, x)
    }
    pub fn is_finite(&mut self, x: Value) -> Built {
        self.un(UnaryOp::IsFinite, x)
    }
    /// Infinite, of either sign.
    pub fn is_inf(&mut self, x: Value) -> Built {
        let a = self.abs(x)?;
        self.cmp_num(CompareDirection::EQ, a, f64::INFINITY)
    }
    pub fn sel(&mut self, p: Value, x: Value, y: Value) -> Built {
        self.push(Op::Select, &[p, x, y])
    }
    /// `p ? x : y` of complex numbers.
    pub fn sel2(&mut self, p: Value, x: Pair, y: Pair) -> BuiltPair {
        Ok([self.sel(p, x[0], y[0])?, self.sel(p, x[1], y[1])?])
    }

    pub fn convert(&mut self, x: Value, to: DType) -> Built {
        if self.dtype(x) == to { Ok(x) } else { self.push(Op::Convert(to), &[x]) }
    }
    pub fn bitcast(&mut self, x: Value, to: DType) -> Built {
        if self.dtype(x) == to { Ok(x) } else { self.push(Op::BitcastConvert(to), &[x]) }
    }
    pub fn reshape(&mut self, x: Value, sizes: &[usize]) -> Built {
        if self.sizes(x).as_slice() == sizes { Ok(x) } else { self.push(Op::Reshape(Shape::from_sizes(sizes)), &[x]) }
    }

    /// `|x|` with the sign of `sign`, for floats.
    pub fn copysign(&mut self, x: Value, sign: Value) -> Built {
        let dtype = self.dtype(x);
        let int = uint_of(dtype);
        let top = 1u64 << (dtype.bits() - 1);
        let (x, sign) = (self.bitcast(x, int)?, self.bitcast(sign, int)?);
        let (x, sign) = (self.mask(x, top - 1)?, self.mask(sign, top)?);
        let bits = self.or(x, sign)?;
        self.bitcast(bits, dtype)
    }

    /// The elements at this place of the last dimension, which keeps size 1.
    pub fn slice_last(&mut self, x: Value, at: usize) -> Built {
        let sizes = self.sizes(x);
        let last = sizes.len() - 1;
        let mut start: SmallVec<[Dim; 4]> = smallvec![Dim::Const(0); sizes.len()];
        let mut limit: SmallVec<[Dim; 4]> = sizes.iter().map(|&n| Dim::from(n)).collect();
        (start[last], limit[last]) = (Dim::from(at), Dim::from(at + 1));
        self.push(Op::Slice { start, limit, strides: smallvec![1; sizes.len()] }, &[x])
    }

    /// The parts of an interleaved tensor.
    pub fn split(&mut self, x: Value) -> BuiltPair {
        let sizes = self.sizes(x);
        let lead = &sizes[..sizes.len() - 1];
        let (re, im) = (self.slice_last(x, 0)?, self.slice_last(x, 1)?);
        let pair = [self.reshape(re, lead)?, self.reshape(im, lead)?];
        self.joined.insert(pair, x);
        Ok(pair)
    }

    /// The interleaved tensor of these parts.
    pub fn join(&mut self, pair: Pair) -> Built {
        if let Some(&v) = self.joined.get(&pair) {
            return Ok(v);
        }
        let mut sizes = self.sizes(pair[0]);
        sizes.push(1);
        let (re, im) = (self.reshape(pair[0], &sizes)?, self.reshape(pair[1], &sizes)?);
        let v = self.push(Op::Concatenate(sizes.len() - 1), &[re, im])?;
        self.joined.insert(pair, v);
        Ok(v)
    }
}

/// The unsigned integer type of the bits of a legal float.
pub(super) fn uint_of(dtype: DType) -> DType {
    match dtype.size() {
        1 => DType::U8,
        2 => DType::U16,
        4 => DType::U32,
        _ => DType::U64,
    }
}

/// What cannot happen on verified functions.
pub(super) fn internal(what: impl Into<String>) -> Diagnostic {
    Diagnostic::new("optimize.legalize", what)
}
