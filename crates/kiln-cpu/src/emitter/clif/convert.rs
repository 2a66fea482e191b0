//! Conversions between dtypes: floats to integers truncate and saturate with NaN giving 0, integers wrap.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use kiln_ir::DType;
use kiln_loops::Var;

use super::core::{Emit, Form, Regs, is_wide, scalar_type, vector_type};
use crate::error::{Fault, unsupported};

/// Smallest and largest value of an integer below 32 bits.
fn narrow_range(dtype: DType) -> Option<(i64, i64)> {
    match dtype {
        DType::I8 => Some((-128, 127)),
        DType::I16 => Some((-32768, 32767)),
        DType::U8 => Some((0, 255)),
        DType::U16 => Some((0, 65535)),
        DType::Bool
        | DType::I32
        | DType::I64
        | DType::U32
        | DType::U64
        | DType::F16
        | DType::BF16
        | DType::F32
        | DType::F64 => None,
        other => kiln_loops::legalized(other),
    }
}

/// Expansion leaves no conversions of others.
fn is_number(dtype: DType) -> bool {
    !matches!(dtype, DType::Bool | DType::F16 | DType::BF16)
}

impl Emit<'_> {
    /// One element to another dtype.
    pub(super) fn convert_scalar(&mut self, to: DType, from: DType, x: Value) -> Result<Value, Fault> {
        if to == from {
            return Ok(x);
        }
        if !(is_number(from) && is_number(to)) {
            return unsupported(format!("conversion of {from} to {to}"));
        }
        let ty = scalar_type(to);
        Ok(match (from, to) {
            (DType::F32, DType::F64) => self.b.ins().fpromote(types::F64, x),
            (DType::F64, DType::F32) => self.b.ins().fdemote(types::F32, x),
            _ if from.is_float() => match (narrow_range(to), to.is_unsigned_int()) {
                (Some((low, high)), _) => {
                    let v = self.b.ins().fcvt_to_sint_sat(types::I32, x);
                    self.clamp(Form::Scalar, v, low, high)
                }
                (None, false) => self.b.ins().fcvt_to_sint_sat(ty, x),
                (None, true) => self.b.ins().fcvt_to_uint_sat(ty, x),
            },
            _ if to.is_float() => match from {
                DType::U32 | DType::U64 => self.b.ins().fcvt_from_uint(ty, x),
                _ => self.b.ins().fcvt_from_sint(ty, x),
            },
            _ => match (is_wide(from), is_wide(to)) {
                (true, true) => x,
                (false, true) if from.is_unsigned_int() => self.b.ins().uextend(types::I64, x),
                (false, true) => self.b.ins().sextend(types::I64, x),
                (true, false) => {
                    let v = self.b.ins().ireduce(types::I32, x);
                    self.normalize(Form::Scalar, to, v)
                }
                (false, false) => self.normalize(Form::Scalar, to, x),
            },
        })
    }

    fn clamp(&mut self, form: Form, x: Value, low: i64, high: i64) -> Value {
        let (low, high) = (self.int(form, false, low), self.int(form, false, high));
        let v = self.b.ins().smax(x, low);
        self.b.ins().smin(v, high)
    }

    /// A variable that differs between lanes to another dtype.
    pub(super) fn convert_lanes(&mut self, to: DType, x: Var) -> Result<Regs, Fault> {
        let from = self.dtype(x);
        if to == from {
            return self.lanes(x);
        }
        if !(is_number(from) && is_number(to)) {
            return unsupported(format!("conversion of {from} to {to}"));
        }
        if !has_vector_form(from, to) {
            return self.lane_by_lane(to, &[x], |emit, args| emit.convert_scalar(to, from, args[0]));
        }
        let regs = self.lanes(x)?;
        self.convert_regs(to, from, &regs)
    }

    fn convert_regs(&mut self, to: DType, from: DType, regs: &[Value]) -> Result<Regs, Fault> {
        match (is_wide(from), is_wide(to)) {
            (false, false) => Ok(regs.iter().map(|&x| self.convert_narrow(to, from, x)).collect()),
            (true, true) => Ok(regs
                .iter()
                .map(|&x| match (from, to) {
                    (DType::I64, DType::F64) => self.b.ins().fcvt_from_sint(types::F64X2, x),
                    (DType::U64, DType::F64) => self.b.ins().fcvt_from_uint(types::F64X2, x),
                    _ => x,
                })
                .collect()),
            (false, true) => Ok(regs.iter().flat_map(|&x| self.convert_widening(to, from, x)).collect()),
            (true, false) => {
                Ok(regs.chunks(2).map(|pair| self.convert_narrowing(to, from, pair[0], pair[1])).collect())
            }
        }
    }

    /// 32-bit lanes to 32-bit lanes.
    fn convert_narrow(&mut self, to: DType, from: DType, x: Value) -> Value {
        let form = Form::Vector;
        match (from, to) {
            (DType::F32, DType::U32) => self.b.ins().fcvt_to_uint_sat(types::I32X4, x),
            (DType::F32, _) => {
                let v = self.b.ins().fcvt_to_sint_sat(types::I32X4, x);
                match narrow_range(to) {
                    Some((low, high)) => self.clamp(form, v, low, high),
                    None => v,
                }
            }
            (DType::U32, DType::F32) => self.b.ins().fcvt_from_uint(types::F32X4, x),
            (_, DType::F32) => self.b.ins().fcvt_from_sint(types::F32X4, x),
            _ => self.normalize(form, to, x),
        }
    }

    /// 32-bit lanes to two registers of 64-bit lanes.
    fn convert_widening(&mut self, to: DType, from: DType, x: Value) -> [Value; 2] {
        if from == DType::F32 {
            let upper = self.upper_half(x);
            return [x, upper].map(|v| self.b.ins().fvpromote_low(v));
        }
        if to == DType::F64 {
            // Only the lower half converts; both conversions of it are single instructions on x86-64.
            let upper = self.upper_half(x);
            return [x, upper].map(|half| match from {
                DType::U32 => {
                    let wide = self.b.ins().uwiden_low(half);
                    self.b.ins().fcvt_from_uint(types::F64X2, wide)
                }
                _ => {
                    let wide = self.b.ins().swiden_low(half);
                    self.b.ins().fcvt_from_sint(types::F64X2, wide)
                }
            });
        }
        match from.is_unsigned_int() {
            true => [self.b.ins().uwiden_low(x), self.b.ins().uwiden_high(x)],
            false => [self.b.ins().swiden_low(x), self.b.ins().swiden_high(x)],
        }
    }

    /// Two registers of 64-bit lanes to 32-bit lanes.
    fn convert_narrowing(&mut self, to: DType, from: DType, low: Value, high: Value) -> Value {
        let form = Form::Vector;
        if from == DType::F64 && to == DType::F32 {
            let (low, high) = (self.b.ins().fvdemote(low), self.b.ins().fvdemote(high));
            return self.join_lower(low, high);
        }
        let v = self.even_lanes(low, high);
        self.normalize(form, to, v)
    }

    /// The same bits as another dtype of the same size.
    pub(super) fn bitcast(&mut self, form: Form, to: DType, from: DType, x: Value) -> Value {
        let ty = match form {
            Form::Scalar => scalar_type(to),
            Form::Vector => vector_type(to),
        };
        match (from, to) {
            (DType::Bool, DType::Bool) => x,
            (DType::Bool, _) => match form {
                Form::Scalar => self.b.ins().uextend(types::I32, x),
                Form::Vector => {
                    let one = self.int(form, false, 1);
                    self.b.ins().band(x, one)
                }
            },
            (_, DType::Bool) => {
                let zero = self.int(form, false, 0);
                self.b.ins().icmp(IntCC::NotEqual, x, zero)
            }
            (_, DType::F16 | DType::BF16) => self.zero_extended(form, to, x),
            _ if to.size() < 4 => self.normalize(form, to, x),
            _ => self.cast(ty, x),
        }
    }
}

/// Whether registers convert as a whole; otherwise each lane by itself.
fn has_vector_form(from: DType, to: DType) -> bool {
    let float_to_wide = from.is_float() && matches!(to, DType::I64 | DType::U64);
    let wide_to_int = from == DType::F64 && to != DType::F32;
    let wide_to_float = matches!(from, DType::I64 | DType::U64) && to == DType::F32;
    !(float_to_wide || wide_to_int || wide_to_float)
}
