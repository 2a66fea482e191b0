//! Emission of straight-line sequences: a small assembler for expressions.

use crate::ir::{Const, Expr, Stmt, Var};
use crate::math::MathOptions;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use std::collections::BTreeMap;

/// The layout of a float type.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// The float type.
    pub float: DType,
    /// Signed and unsigned integers of the same width.
    pub int: DType,
    /// The unsigned one.
    pub uint: DType,
    /// Explicit mantissa bits.
    pub mantissa: u32,
    /// Exponent bias.
    pub bias: u64,
    /// The sign bit.
    pub sign: u64,
    /// Bits of infinity.
    pub inf: u64,
    /// `1.5 * 2^mantissa`: adding it rounds to an integer that stands in the low bits.
    pub magic: f64,
}

pub(super) const F32: Format = Format {
    float: DType::F32,
    int: DType::I32,
    uint: DType::U32,
    mantissa: 23,
    bias: 127,
    sign: 0x8000_0000,
    inf: 0x7f80_0000,
    magic: 12_582_912.0,
};
pub(super) const F64: Format = Format {
    float: DType::F64,
    int: DType::I64,
    uint: DType::U64,
    mantissa: 52,
    bias: 1023,
    sign: 0x8000_0000_0000_0000,
    inf: 0x7ff0_0000_0000_0000,
    magic: 6_755_399_441_055_744.0,
};

/// Collects statements. Literals are shared within the scopes open while emitting.
pub(super) struct Seq<'a> {
    pub vars: &'a mut Vec<DType>,
    pub out: Vec<Stmt>,
    pub options: MathOptions,
    /// Literals of the enclosing scopes, innermost last.
    pub consts: Vec<BTreeMap<(DType, u64), Var>>,
    /// The literal that a variable holds.
    pub known: BTreeMap<Var, Const>,
}

impl Seq<'_> {
    pub fn dtype(&self, v: Var) -> DType {
        self.vars[v.0 as usize]
    }

    fn push(&mut self, dtype: DType, expr: Expr) -> Var {
        self.vars.push(dtype);
        let var = Var(self.vars.len() as u32 - 1);
        self.out.push(Stmt::Let { var, expr });
        var
    }

    /// Notes that a statement defines `var` as a literal.
    pub fn note_const(&mut self, var: Var, c: Const) {
        self.known.insert(var, c);
        if let Some(scope) = self.consts.last_mut() {
            scope.entry((c.dtype, c.bits)).or_insert(var);
        }
    }

    pub fn bits(&mut self, dtype: DType, bits: u64) -> Var {
        if let Some(v) = self.consts.iter().rev().find_map(|s| s.get(&(dtype, bits))) {
            return *v;
        }
        let c = Const { dtype, bits };
        let var = self.push(dtype, Expr::Const(c));
        self.note_const(var, c);
        var
    }

    /// A literal by value; exact for floats and for ints of up to 53 bits.
    pub fn c(&mut self, dtype: DType, value: f64) -> Var {
        self.bits(dtype, Const::from_f64(dtype, value).bits)
    }

    pub fn unary(&mut self, op: UnaryOp, x: Var) -> Var {
        self.push(self.dtype(x), Expr::Unary(op, x))
    }

    pub fn binary(&mut self, op: BinaryOp, x: Var, y: Var) -> Var {
        self.push(self.dtype(x), Expr::Binary(op, x, y))
    }

    pub fn add(&mut self, x: Var, y: Var) -> Var {
        self.binary(BinaryOp::Add, x, y)
    }

    pub fn sub(&mut self, x: Var, y: Var) -> Var {
        self.binary(BinaryOp::Subtract, x, y)
    }

    pub fn mul(&mut self, x: Var, y: Var) -> Var {
        self.binary(BinaryOp::Multiply, x, y)
    }

    pub fn div(&mut self, x: Var, y: Var) -> Var {
        self.binary(BinaryOp::Divide, x, y)
    }

    pub fn and(&mut self, x: Var, y: Var) -> Var {
        self.binary(BinaryOp::And, x, y)
    }

    pub fn or(&mut self, x: Var, y: Var) -> Var {
        self.binary(BinaryOp::Or, x, y)
    }

    pub fn xor(&mut self, x: Var, y: Var) -> Var {
        self.binary(BinaryOp::Xor, x, y)
    }

    pub fn not(&mut self, x: Var) -> Var {
        self.unary(UnaryOp::Not, x)
    }

    /// Shift by a literal below the width.
    pub fn shift(&mut self, op: BinaryOp, x: Var, by: u32) -> Var {
        let by = self.bits(self.dtype(x), u64::from(by));
        self.binary(op, x, by)
    }

    pub fn shl(&mut self, x: Var, by: u32) -> Var {
        self.shift(BinaryOp::ShiftLeft, x, by)
    }

    pub fn shr(&mut self, x: Var, by: u32) -> Var {
        self.shift(BinaryOp::ShiftRightLogical, x, by)
    }

    pub fn sar(&mut self, x: Var, by: u32) -> Var {
        self.shift(BinaryOp::ShiftRightArithmetic, x, by)
    }

    pub fn neg(&mut self, x: Var) -> Var {
        self.unary(UnaryOp::Negate, x)
    }

    pub fn abs(&mut self, x: Var) -> Var {
        self.unary(UnaryOp::Abs, x)
    }

    pub fn fma(&mut self, x: Var, y: Var, z: Var) -> Var {
        self.push(self.dtype(x), Expr::Fma(x, y, z))
    }

    pub fn compare(&mut self, d: CompareDirection, x: Var, y: Var) -> Var {
        self.push(DType::Bool, Expr::Compare(d, x, y))
    }

    pub fn lt(&mut self, x: Var, y: Var) -> Var {
        self.compare(CompareDirection::LT, x, y)
    }

    pub fn eq(&mut self, x: Var, y: Var) -> Var {
        self.compare(CompareDirection::EQ, x, y)
    }

    pub fn ne(&mut self, x: Var, y: Var) -> Var {
        self.compare(CompareDirection::NE, x, y)
    }

    pub fn select(&mut self, p: Var, a: Var, b: Var) -> Var {
        self.push(self.dtype(a), Expr::Select(p, a, b))
    }

    pub fn convert(&mut self, t: DType, x: Var) -> Var {
        self.push(t, Expr::Convert(t, x))
    }

    pub fn cast(&mut self, t: DType, x: Var) -> Var {
        if self.dtype(x) == t { x } else { self.push(t, Expr::Bitcast(t, x)) }
    }

    /// `min(a, b)`, and `b` when one is NaN: one machine instruction.
    pub fn min_or_second(&mut self, a: Var, b: Var) -> Var {
        let p = self.lt(a, b);
        self.select(p, a, b)
    }

    /// `max(a, b)`, and `b` when one is NaN: one machine instruction.
    pub fn max_or_second(&mut self, a: Var, b: Var) -> Var {
        let p = self.lt(b, a);
        self.select(p, a, b)
    }

    /// `sum(coefficients[i] * x^i)` by Horner's rule.
    pub fn poly(&mut self, x: Var, coefficients: &[f64]) -> Var {
        let t = self.dtype(x);
        let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
        let mut acc = self.c(t, *last);
        for &k in rest.iter().rev() {
            let k = self.c(t, k);
            acc = self.fma(acc, x, k);
        }
        acc
    }

    /// The sign bit of a float, as an unsigned integer.
    pub fn sign_bit(&mut self, f: Format, x: Var) -> Var {
        let u = self.cast(f.uint, x);
        let mask = self.bits(f.uint, f.sign);
        self.and(u, mask)
    }

    /// A float with its sign bit flipped where `sign` (as of [`Seq::sign_bit`]) is set.
    pub fn flip_sign(&mut self, f: Format, x: Var, sign: Var) -> Var {
        let u = self.cast(f.uint, x);
        let r = self.xor(u, sign);
        self.cast(f.float, r)
    }

    /// `magnitude` (whose sign bit is ignored when it is a NaN, and clear otherwise) with the sign of `x`.
    pub fn copy_sign(&mut self, f: Format, magnitude: Var, x: Var) -> Var {
        let s = self.sign_bit(f, x);
        let u = self.cast(f.uint, magnitude);
        let r = self.or(u, s);
        self.cast(f.float, r)
    }

    /// `a * b` and its rounding error, exact unless it underflows (Dekker's product where fma may round twice).
    pub fn two_product(&mut self, f: Format, a: Var, b: Var) -> (Var, Var) {
        let p = self.mul(a, b);
        if self.options.fused_fma {
            let minus = self.neg(p);
            return (p, self.fma(a, b, minus));
        }
        let split = |s: &mut Self, v: Var| {
            let u = s.cast(f.uint, v);
            let low = f.mantissa / 2 + 1;
            let mask = s.bits(f.uint, (f.sign | (f.sign - 1)) >> low << low);
            let hi = s.and(u, mask);
            let hi = s.cast(f.float, hi);
            let lo = s.sub(v, hi);
            (hi, lo)
        };
        let (ah, al) = split(self, a);
        let (bh, bl) = split(self, b);
        let e = self.mul(ah, bh);
        let e = self.sub(e, p);
        let x = self.mul(ah, bl);
        let e = self.add(e, x);
        let x = self.mul(al, bh);
        let e = self.add(e, x);
        let x = self.mul(al, bl);
        (p, self.add(e, x))
    }

    /// `a + b` and its rounding error, for `|a| >= |b|`.
    pub fn fast_two_sum(&mut self, a: Var, b: Var) -> (Var, Var) {
        let s = self.add(a, b);
        let d = self.sub(s, a);
        (s, self.sub(b, d))
    }
}
