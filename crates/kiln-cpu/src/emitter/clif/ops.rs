//! Operators on one element or one register.
//!
//! Values are kept normalized: integers below 32 bits sign or zero extended to 32, bools 0 or 1 (elements) or masks
//! (registers). Comparisons give an element's 0 or 1, or masks with lanes as wide as the operands.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use kiln_ir::op::{CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::Const;

use super::core::{Emit, Form, is_wide, vector_type};
use crate::error::{Fault, unsupported};

impl Emit<'_> {
    /// `op(x)`; for registers everything but `popcnt` and `count_leading_zeros`.
    pub(super) fn unary(&mut self, form: Form, op: UnaryOp, dtype: DType, x: Value) -> Result<Value, Fault> {
        let no = |what: &str| unsupported(format!("{what} `{}` of {dtype}", op.name()));
        match (op, dtype) {
            (_, DType::F16 | DType::BF16) => no("operator"),
            (UnaryOp::Not, DType::Bool) => Ok(self.not(form, x)),
            (_, DType::Bool) => no("operator"),
            (_, DType::F32 | DType::F64) => self.unary_float(op, dtype, x),
            (UnaryOp::Abs, _) if dtype.is_signed_int() => {
                let v = self.b.ins().iabs(x);
                Ok(self.normalize(form, dtype, v))
            }
            (UnaryOp::Abs, _) => Ok(x),
            (UnaryOp::Negate, _) => {
                let v = self.b.ins().ineg(x);
                Ok(self.normalize(form, dtype, v))
            }
            (UnaryOp::Not, _) => {
                let v = self.b.ins().bnot(x);
                Ok(self.normalize(form, dtype, v))
            }
            (UnaryOp::Popcnt, _) if form == Form::Scalar => {
                let v = self.zero_extended(form, dtype, x);
                Ok(self.b.ins().popcnt(v))
            }
            (UnaryOp::CountLeadingZeros, _) if form == Form::Scalar => {
                let v = self.zero_extended(form, dtype, x);
                let zeros = self.b.ins().clz(v);
                let excess = if is_wide(dtype) { 0 } else { 32 - i64::from(dtype.bits()) };
                Ok(self.b.ins().iadd_imm_s(zeros, -excess))
            }
            _ => no("operator"),
        }
    }

    fn unary_float(&mut self, op: UnaryOp, dtype: DType, x: Value) -> Result<Value, Fault> {
        Ok(match op {
            UnaryOp::Abs => self.b.ins().fabs(x),
            UnaryOp::Negate => self.b.ins().fneg(x),
            UnaryOp::Ceil => self.b.ins().ceil(x),
            UnaryOp::Floor => self.b.ins().floor(x),
            UnaryOp::RoundNearestEven => self.b.ins().nearest(x),
            UnaryOp::Sqrt => self.b.ins().sqrt(x),
            UnaryOp::Cbrt
            | UnaryOp::Cosine
            | UnaryOp::CountLeadingZeros
            | UnaryOp::Erf
            | UnaryOp::Exponential
            | UnaryOp::ExponentialMinusOne
            | UnaryOp::IsFinite
            | UnaryOp::Log
            | UnaryOp::LogPlusOne
            | UnaryOp::Logistic
            | UnaryOp::Not
            | UnaryOp::Popcnt
            | UnaryOp::RoundNearestAfz
            | UnaryOp::Rsqrt
            | UnaryOp::Sign
            | UnaryOp::Sine
            | UnaryOp::Tan
            | UnaryOp::Tanh => return unsupported(format!("operator `{}` of {dtype}", op.name())),
        })
    }

    /// Negates a bool or mask.
    pub(super) fn not(&mut self, form: Form, mask: Value) -> Value {
        match form {
            Form::Scalar => self.b.ins().bxor_imm_u(mask, 1),
            Form::Vector => self.b.ins().bnot(mask),
        }
    }

    /// `op(x, y)`; for registers without integer division and shifts by amounts per lane. `lits` are the operands' values
    /// where they are literals.
    pub(super) fn binary(
        &mut self,
        form: Form,
        op: BinaryOp,
        dtype: DType,
        x: Value,
        y: Value,
        lits: [Option<Const>; 2],
    ) -> Result<Value, Fault> {
        match dtype {
            DType::Bool => self.binary_bool(op, x, y),
            DType::F16 | DType::BF16 => unsupported(format!("operator `{}` of {dtype}", op.name())),
            DType::F32 | DType::F64 => self.binary_float(form, op, dtype, x, y, lits),
            DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64 => {
                self.binary_int(form, op, dtype, x, y)
            }
            other => kiln_loops::legalized(other),
        }
    }

    fn binary_bool(&mut self, op: BinaryOp, x: Value, y: Value) -> Result<Value, Fault> {
        Ok(match op {
            BinaryOp::Or => self.b.ins().bor(x, y),
            BinaryOp::And => self.b.ins().band(x, y),
            BinaryOp::Xor => self.b.ins().bxor(x, y),
            BinaryOp::Add
            | BinaryOp::Atan2
            | BinaryOp::Divide
            | BinaryOp::Maximum
            | BinaryOp::Minimum
            | BinaryOp::Multiply
            | BinaryOp::Power
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract => return unsupported(format!("operator `{}` of bool", op.name())),
        })
    }

    fn binary_float(
        &mut self,
        form: Form,
        op: BinaryOp,
        dtype: DType,
        x: Value,
        y: Value,
        lits: [Option<Const>; 2],
    ) -> Result<Value, Fault> {
        Ok(match op {
            BinaryOp::Add => self.b.ins().fadd(x, y),
            BinaryOp::Subtract => self.b.ins().fsub(x, y),
            BinaryOp::Multiply => self.b.ins().fmul(x, y),
            BinaryOp::Divide => self.b.ins().fdiv(x, y),
            BinaryOp::Maximum | BinaryOp::Minimum => {
                let max = op == BinaryOp::Maximum;
                match (lits[0].and_then(known_float), lits[1].and_then(known_float)) {
                    (_, Some(c)) => self.extreme_with_literal(form, max, x, y, c),
                    (Some(c), None) => self.extreme_with_literal(form, max, y, x, c),
                    (None, None) => self.extreme(form, max, dtype, x, y),
                }
            }
            BinaryOp::And
            | BinaryOp::Atan2
            | BinaryOp::Or
            | BinaryOp::Power
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Xor => return unsupported(format!("operator `{}` of {dtype}", op.name())),
        })
    }

    /// Maximum or minimum with a literal that is not NaN: a NaN in `x` passes through, and the zeros are ordered.
    fn extreme_with_literal(&mut self, form: Form, max: bool, x: Value, literal: Value, c: f64) -> Value {
        // On equal operands `x` is kept, which is wrong only for a zero of the other sign.
        let keep_literal = c == 0.0 && (c.is_sign_negative() != max);
        let mask = match (max, keep_literal) {
            (true, false) => self.b.ins().fcmp(FloatCC::LessThan, x, literal),
            (true, true) => self.b.ins().fcmp(FloatCC::LessThanOrEqual, x, literal),
            (false, false) => self.b.ins().fcmp(FloatCC::LessThan, literal, x),
            (false, true) => self.b.ins().fcmp(FloatCC::LessThanOrEqual, literal, x),
        };
        match form {
            Form::Scalar => self.b.ins().select(mask, literal, x),
            // This very shape becomes one instruction on x86-64.
            Form::Vector => {
                let ty = self.type_of(x);
                let mask = self.cast(ty, mask);
                self.b.ins().bitselect(mask, literal, x)
            }
        }
    }

    /// Maximum or minimum: NaN if an operand is, -0 below +0.
    fn extreme(&mut self, form: Form, max: bool, dtype: DType, x: Value, y: Value) -> Value {
        if form == Form::Scalar || !self.machine.cpu.x64 {
            return match max {
                true => self.b.ins().fmax(x, y),
                false => self.b.ins().fmin(x, y),
            };
        }
        // x86's instructions give the second operand for NaN and for zeros of different sign. Both orders together
        // give the sign of zero (and: +0, or: -0); all ones, a NaN, is added where operands are unordered.
        let ty = vector_type(dtype);
        let ints = ty.as_int();
        let one_way = self.bare_extreme(max, ty, x, y);
        let other_way = self.bare_extreme(max, ty, y, x);
        let unordered = self.b.ins().fcmp(FloatCC::Unordered, x, y);
        let (one_way, other_way) = (self.cast(ints, one_way), self.cast(ints, other_way));
        let ordered = match max {
            true => self.b.ins().band(one_way, other_way),
            false => self.b.ins().bor(one_way, other_way),
        };
        let v = self.b.ins().bor(ordered, unordered);
        self.cast(ty, v)
    }

    /// `x < y ? x : y` or `y < x ? x : y`, one instruction on x86-64.
    fn bare_extreme(&mut self, max: bool, ty: Type, x: Value, y: Value) -> Value {
        let mask = match max {
            true => self.b.ins().fcmp(FloatCC::LessThan, y, x),
            false => self.b.ins().fcmp(FloatCC::LessThan, x, y),
        };
        let mask = self.cast(ty, mask);
        self.b.ins().bitselect(mask, x, y)
    }

    /// `x * y + z`, rounded once if the target can.
    pub(super) fn multiply_add(&mut self, x: Value, y: Value, z: Value) -> Value {
        if self.machine.cpu.fma {
            return self.b.ins().fma(x, y, z);
        }
        let product = self.b.ins().fmul(x, y);
        self.b.ins().fadd(product, z)
    }

    /// `x ? y`: an element's 0 or 1, or masks as wide as the operands.
    pub(super) fn compare(
        &mut self,
        direction: CompareDirection,
        dtype: DType,
        x: Value,
        y: Value,
    ) -> Result<Value, Fault> {
        if matches!(dtype, DType::F16 | DType::BF16 | DType::Bool) {
            return unsupported(format!("comparison of {dtype}"));
        }
        if dtype.is_float() {
            let cc = match direction {
                CompareDirection::EQ => FloatCC::Equal,
                CompareDirection::NE => FloatCC::NotEqual,
                CompareDirection::GE => FloatCC::GreaterThanOrEqual,
                CompareDirection::GT => FloatCC::GreaterThan,
                CompareDirection::LE => FloatCC::LessThanOrEqual,
                CompareDirection::LT => FloatCC::LessThan,
            };
            return Ok(self.b.ins().fcmp(cc, x, y));
        }
        // Values below 32 bits are extended, so signed comparisons (cheaper in vectors) order them.
        let signed = dtype.is_signed_int() || matches!(dtype, DType::U8 | DType::U16);
        let cc = match (direction, signed) {
            (CompareDirection::EQ, _) => IntCC::Equal,
            (CompareDirection::NE, _) => IntCC::NotEqual,
            (CompareDirection::GE, true) => IntCC::SignedGreaterThanOrEqual,
            (CompareDirection::GE, false) => IntCC::UnsignedGreaterThanOrEqual,
            (CompareDirection::GT, true) => IntCC::SignedGreaterThan,
            (CompareDirection::GT, false) => IntCC::UnsignedGreaterThan,
            (CompareDirection::LE, true) => IntCC::SignedLessThanOrEqual,
            (CompareDirection::LE, false) => IntCC::UnsignedLessThanOrEqual,
            (CompareDirection::LT, true) => IntCC::SignedLessThan,
            (CompareDirection::LT, false) => IntCC::UnsignedLessThan,
        };
        Ok(self.b.ins().icmp(cc, x, y))
    }

    /// One step of a reduction.
    pub(super) fn reduce(
        &mut self,
        form: Form,
        op: Reducer,
        dtype: DType,
        acc: Value,
        value: Value,
    ) -> Result<Value, Fault> {
        self.binary(form, op.binary(), dtype, acc, value, [None, None])
    }
}

/// The value of a float literal that is not NaN.
fn known_float(c: Const) -> Option<f64> {
    let v = match c.dtype {
        DType::F32 => f64::from(f32::from_bits(c.bits as u32)),
        DType::F64 => f64::from_bits(c.bits),
        _ => return None,
    };
    (!v.is_nan()).then_some(v)
}
