//! Operators on the bits of numbers.

use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::{Expr, ScalarValue};
use kiln_ir::{BinaryOp, DType, DTypeClass, Op};

/// The integer type of a float's bits, with the widths of exponent and mantissa.
pub(super) fn format_of(dtype: DType) -> Option<(DType, u32, u32)> {
    match dtype.class() {
        DTypeClass::Float => Some((dtype.to_unsigned()?, dtype.exponent_bits()?, dtype.mantissa_bits()?)),
        _ => None,
    }
}

impl Builder<'_> {
    fn bits_constant(&self, dtype: DType, shape: &Expr, bits: u64) -> Expr {
        self.graph.full(dtype, shape.shape(), ScalarValue::Int(i128::from(bits)))
    }

    /// `format = e5m10`, or the two widths.
    pub(super) fn reduce_precision(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let format = op.attrs.get("format").and_then(Attr::as_str);
        let parsed = format.and_then(|f| {
            let (e, m) = f.strip_prefix('e')?.split_once('m')?;
            Some((e.parse::<u32>().ok()?, m.parse::<u32>().ok()?))
        });
        let widths = match parsed {
            Some(pair) => pair,
            None => (self.axis(op, &["exponent_bits"])? as u32, self.axis(op, &["mantissa_bits"])? as u32),
        };
        let (exponent, mantissa) = widths;
        Ok(a.reduce_precision(exponent, mantissa))
    }

    /// The next number after the first operand in the direction of the second.
    pub(super) fn next_after(&self, op: &Operation, x: &Expr, y: &Expr) -> Built<Expr> {
        let Some((int, exponent, mantissa)) = format_of(x.dtype()) else {
            return self.malformed(op, format!("{} is no float type", x.dtype()));
        };
        let g = &self.graph;
        let bits = |e: &Expr| g.emit(Op::BitcastConvert(int), &[e]);
        let full = |bits: u64| self.bits_constant(int, x, bits);
        let sign = 1u64 << (exponent + mantissa);
        let (own, other) = (bits(x), bits(y));
        let (own_size, other_size) = (&own & full(sign - 1), &other & full(sign - 1));
        // Towards zero when the signs differ or the other is nearer to it.
        let inward = own_size.gt(&other_size) | (&own & full(sign)).ne(&other & full(sign));
        let stepped = inward.select(&own - full(1), &own + full(1));
        // From zero, to the smallest number on the other's side.
        let from_zero = (&other & full(sign)) | full(1);
        let stepped = own_size.eq(full(0)).select(from_zero, stepped);
        let result = g.emit(Op::BitcastConvert(x.dtype()), &[&stepped]);
        let result = x.eq(y).select(y, result);
        Ok((x.is_nan() | y.is_nan()).select(x + y, result))
    }

    /// The upper half of the product of two integers.
    pub(super) fn mulhi(&self, op: &Operation, x: &Expr, y: &Expr) -> Built<Expr> {
        let g = &self.graph;
        let dtype = x.dtype();
        let binary = |b: BinaryOp, l: &Expr, r: &Expr| g.emit(Op::Binary(b), &[l, r]);
        let shift = |e: &Expr, by: i64| {
            let by = g.full(e.dtype(), e.shape(), by);
            let signed = e.dtype().is_signed_int();
            binary(if signed { BinaryOp::ShiftRightArithmetic } else { BinaryOp::ShiftRightLogical }, e, &by)
        };
        if !dtype.is_signed_int() && !dtype.is_unsigned_int() {
            return self.malformed(op, format!("{dtype} is no integer type"));
        }
        let bits = dtype.bits() as i64;
        if bits < 64 {
            let wide = if dtype.is_signed_int() { DType::I64 } else { DType::U64 };
            return Ok(shift(&(x.cast_to(wide) * y.cast_to(wide)), bits).cast_to(dtype));
        }
        // Schoolbook multiplication of the 32-bit halves.
        let (u, v) = (x.cast_to(DType::U64), y.cast_to(DType::U64));
        let low = |e: &Expr| e & g.full(DType::U64, e.shape(), 0xFFFF_FFFFi64);
        let (u0, u1, v0, v1) = (low(&u), shift(&u, 32), low(&v), shift(&v, 32));
        let middle = &u1 * &v0 + shift(&(&u0 * &v0), 32);
        let cross = &u0 * &v1 + low(&middle);
        let high = &u1 * &v1 + shift(&middle, 32) + shift(&cross, 32);
        if dtype.is_unsigned_int() {
            return Ok(high);
        }
        // A negative factor reads as itself plus 2^64.
        let zero = v.zeros_like();
        let high = high - x.lt(0).select(&v, &zero) - y.lt(0).select(&u, &zero);
        Ok(high.cast_to(dtype))
    }

    /// `bitcast_convert` from or to bool, which counts as one bit, the lowest first.
    pub(super) fn bitcast_bool(&self, op: &Operation, x: &Expr, to: DType) -> Built<Expr> {
        let g = &self.graph;
        let unsigned = |bits: usize| match bits {
            8 => DType::U8,
            16 => DType::U16,
            32 => DType::U32,
            _ => DType::U64,
        };
        if x.dtype() == to {
            return Ok(x.clone());
        }
        if to == DType::Bool {
            let int = unsigned(x.dtype().bits() as usize);
            let bits = g.emit(Op::BitcastConvert(int), &[x]);
            let mut shape = bits.shape();
            shape.push((x.dtype().bits() as usize).into());
            let dims: Vec<usize> = (0..x.rank()).collect();
            let place = g.iota(int, &shape, x.rank());
            let spread = bits.broadcast_in_dim(&shape, &dims);
            let shifted = g.emit(Op::Binary(BinaryOp::ShiftRightLogical), &[&spread, &place]);
            return Ok((shifted & 1).ne(0));
        }
        let int = unsigned(to.bits() as usize);
        if self.sizes(op, x)?.last() != Some(&(to.bits() as i64)) {
            return self.malformed(op, format!("a last dimension of {} bits is needed for {to}", to.bits()));
        }
        let place = g.iota(int, x.shape(), x.rank() - 1);
        let parts = g.emit(Op::Binary(BinaryOp::ShiftLeft), &[&x.cast_to(int), &place]);
        let whole = parts.reduce(kiln_ir::op::Reducer::Or, [-1]);
        Ok(g.emit(Op::BitcastConvert(to), &[&whole]))
    }
}
