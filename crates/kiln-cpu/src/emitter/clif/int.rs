//! Integer operators.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use kiln_ir::{BinaryOp, DType};

use super::core::{Emit, Form};
use crate::error::{Fault, unsupported};

impl Emit<'_> {
    /// Brings an integer below 32 bits back into its range, wrapping.
    pub(super) fn normalize(&mut self, form: Form, dtype: DType, x: Value) -> Value {
        match (dtype, form) {
            (DType::I8, Form::Scalar) => self.sign_extended(types::I8, x),
            (DType::I16, Form::Scalar) => self.sign_extended(types::I16, x),
            (DType::I8 | DType::I16, Form::Vector) => {
                let excess = self.b.ins().iconst(types::I32, 32 - i64::from(dtype.bits()));
                let v = self.b.ins().ishl(x, excess);
                self.b.ins().sshr(v, excess)
            }
            (DType::U8 | DType::U16, _) => self.zero_extended(form, dtype, x),
            (
                DType::Bool
                | DType::I32
                | DType::I64
                | DType::U32
                | DType::U64
                | DType::F16
                | DType::BF16
                | DType::F32
                | DType::F64,
                _,
            ) => x,
            (other, _) => kiln_loops::legalized(other),
        }
    }

    fn sign_extended(&mut self, ty: cranelift_codegen::ir::Type, x: Value) -> Value {
        let v = self.b.ins().ireduce(ty, x);
        self.b.ins().sextend(types::I32, v)
    }

    /// The bits of an integer below 32 bits, zero extended.
    pub(super) fn zero_extended(&mut self, form: Form, dtype: DType, x: Value) -> Value {
        if dtype.bits() >= 32 {
            return x;
        }
        let mask = self.int(form, false, (1i64 << dtype.bits()) - 1);
        self.b.ins().band(x, mask)
    }

    /// See [`Emit::binary`].
    pub(super) fn binary_int(
        &mut self,
        form: Form,
        op: BinaryOp,
        dtype: DType,
        x: Value,
        y: Value,
    ) -> Result<Value, Fault> {
        let signed = dtype.is_signed_int();
        let v = match op {
            BinaryOp::Add => self.b.ins().iadd(x, y),
            BinaryOp::Subtract => self.b.ins().isub(x, y),
            BinaryOp::Multiply => self.b.ins().imul(x, y),
            BinaryOp::And => return Ok(self.b.ins().band(x, y)),
            BinaryOp::Or => return Ok(self.b.ins().bor(x, y)),
            BinaryOp::Xor => return Ok(self.b.ins().bxor(x, y)),
            BinaryOp::Maximum if signed => return Ok(self.b.ins().smax(x, y)),
            BinaryOp::Maximum => return Ok(self.b.ins().umax(x, y)),
            BinaryOp::Minimum if signed => return Ok(self.b.ins().smin(x, y)),
            BinaryOp::Minimum => return Ok(self.b.ins().umin(x, y)),
            BinaryOp::Divide | BinaryOp::Remainder if form == Form::Scalar => {
                return Ok(self.divide(op == BinaryOp::Remainder, dtype, x, y));
            }
            BinaryOp::ShiftLeft | BinaryOp::ShiftRightArithmetic | BinaryOp::ShiftRightLogical
                if form == Form::Scalar =>
            {
                return self.shift(form, op, dtype, x, y);
            }
            BinaryOp::Divide
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Atan2
            | BinaryOp::Power => return unsupported(format!("operator `{}` of {dtype}", op.name())),
        };
        Ok(self.normalize(form, dtype, v))
    }

    /// A shift by `amount`, an element equal for all lanes and below the width of the dtype.
    pub(super) fn shift(
        &mut self,
        form: Form,
        op: BinaryOp,
        dtype: DType,
        x: Value,
        amount: Value,
    ) -> Result<Value, Fault> {
        Ok(match op {
            BinaryOp::ShiftLeft => {
                let v = self.b.ins().ishl(x, amount);
                self.normalize(form, dtype, v)
            }
            BinaryOp::ShiftRightArithmetic => {
                // The sign bit of a narrow unsigned integer has to be brought to the top first.
                let signed = match dtype {
                    DType::U8 => self.normalize(form, DType::I8, x),
                    DType::U16 => self.normalize(form, DType::I16, x),
                    _ => x,
                };
                let v = self.b.ins().sshr(signed, amount);
                self.normalize(form, dtype, v)
            }
            BinaryOp::ShiftRightLogical => {
                let bits = self.zero_extended(form, dtype, x);
                let v = self.b.ins().ushr(bits, amount);
                self.normalize(form, dtype, v)
            }
            _ => return unsupported(format!("operator `{}` as a shift", op.name())),
        })
    }

    /// Quotient or remainder of an element; the divisor is not 0, nor -1 with the least dividend of 32 or 64 bits.
    fn divide(&mut self, remainder: bool, dtype: DType, x: Value, y: Value) -> Value {
        let v = match (remainder, dtype.is_signed_int()) {
            (false, false) => self.b.ins().udiv(x, y),
            (false, true) => self.b.ins().sdiv(x, y),
            (true, false) => self.b.ins().urem(x, y),
            (true, true) => self.b.ins().srem(x, y),
        };
        self.normalize(Form::Scalar, dtype, v)
    }
}
