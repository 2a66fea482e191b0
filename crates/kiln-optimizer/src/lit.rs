//! Scalar literals: the value of a scalar constant in a form that rules can ask questions of.

use half::{bf16, f16};
use kiln_ir::op::Reducer;
use kiln_ir::{DType, Tensor};

/// The value of one element. Every float type converts to f64 exactly.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Lit {
    Bool(bool),
    Int(i128),
    Float(f64),
}

impl Lit {
    /// The element of a tensor that has exactly one.
    pub fn of(t: &Tensor) -> Option<Lit> {
        Some(match t.dtype() {
            DType::Bool => Lit::Bool(t.item().ok()?),
            DType::I8 => Lit::Int(t.item::<i8>().ok()?.into()),
            DType::I16 => Lit::Int(t.item::<i16>().ok()?.into()),
            DType::I32 => Lit::Int(t.item::<i32>().ok()?.into()),
            DType::I64 => Lit::Int(t.item::<i64>().ok()?.into()),
            DType::U8 => Lit::Int(t.item::<u8>().ok()?.into()),
            DType::U16 => Lit::Int(t.item::<u16>().ok()?.into()),
            DType::U32 => Lit::Int(t.item::<u32>().ok()?.into()),
            DType::U64 => Lit::Int(t.item::<u64>().ok()?.into()),
            DType::F16 => Lit::Float(t.item::<f16>().ok()?.to_f64()),
            DType::BF16 => Lit::Float(t.item::<bf16>().ok()?.to_f64()),
            DType::F32 => Lit::Float(t.item::<f32>().ok()?.into()),
            DType::F64 => Lit::Float(t.item::<f64>().ok()?),
            DType::I2 | DType::I4 => Lit::Int((*t.bytes().first()? as i8).into()),
            DType::U2 | DType::U4 => Lit::Int((*t.bytes().first()?).into()),
            // Legalized before any pass that asks; complex numbers are no single number.
            DType::C64
            | DType::C128
            | DType::F4E2M1FN
            | DType::F6E2M3FN
            | DType::F6E3M2FN
            | DType::F8E3M4
            | DType::F8E4M3
            | DType::F8E4M3B11FNUZ
            | DType::F8E4M3FN
            | DType::F8E4M3FNUZ
            | DType::F8E5M2
            | DType::F8E5M2FNUZ
            | DType::F8E8M0FNU => return None,
        })
    }

    /// The scalar tensor of this value; integers wrap, floats round. `None` when the kind does not fit the dtype.
    pub fn tensor(self, dtype: DType) -> Option<Tensor> {
        Some(match (self, dtype) {
            (Lit::Bool(b), DType::Bool) => Tensor::scalar(b),
            (Lit::Int(n), DType::I8) => Tensor::scalar(n as i8),
            (Lit::Int(n), DType::I16) => Tensor::scalar(n as i16),
            (Lit::Int(n), DType::I32) => Tensor::scalar(n as i32),
            (Lit::Int(n), DType::I64) => Tensor::scalar(n as i64),
            (Lit::Int(n), DType::U8) => Tensor::scalar(n as u8),
            (Lit::Int(n), DType::U16) => Tensor::scalar(n as u16),
            (Lit::Int(n), DType::U32) => Tensor::scalar(n as u32),
            (Lit::Int(n), DType::U64) => Tensor::scalar(n as u64),
            // Through f32, as arithmetic on these types is carried out.
            (Lit::Float(x), DType::F16) => Tensor::scalar(f16::from_f32(x as f32)),
            (Lit::Float(x), DType::BF16) => Tensor::scalar(bf16::from_f32(x as f32)),
            (Lit::Float(x), DType::F32) => Tensor::scalar(x as f32),
            (Lit::Float(x), DType::F64) => Tensor::scalar(x),
            _ => return None,
        })
    }

    /// A small whole number as a value of this dtype (bool: not zero).
    pub fn whole(dtype: DType, n: i32) -> Lit {
        match dtype {
            DType::Bool => Lit::Bool(n != 0),
            d if d.is_float() => Lit::Float(n.into()),
            _ => Lit::Int(n.into()),
        }
    }

    /// Zero of either sign, or false.
    pub fn is_zero(self) -> bool {
        match self {
            Lit::Bool(b) => !b,
            Lit::Int(n) => n == 0,
            Lit::Float(x) => x == 0.0,
        }
    }

    /// One, or true.
    pub fn is_one(self) -> bool {
        match self {
            Lit::Bool(b) => b,
            Lit::Int(n) => n == 1,
            Lit::Float(x) => x == 1.0,
        }
    }

    /// Equal with floats compared by bits (so -0 differs from 0, and NaN equals itself).
    pub fn same(self, o: Lit) -> bool {
        match (self, o) {
            (Lit::Float(a), Lit::Float(b)) => a.to_bits() == b.to_bits(),
            _ => self == o,
        }
    }
}

/// The smallest and the largest value of an integer type.
pub(crate) fn int_range(dtype: DType) -> Option<(i128, i128)> {
    let bits = dtype.bits();
    if dtype.is_signed_int() {
        Some((-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1))
    } else if dtype.is_unsigned_int() {
        Some((0, (1i128 << bits) - 1))
    } else {
        None
    }
}

/// The value that leaves every other one unchanged: exactly, so -0 for a float sum.
pub(crate) fn identity(reducer: Reducer, dtype: DType) -> Option<Lit> {
    let float = dtype.is_float();
    Some(match (reducer, dtype) {
        (Reducer::Add, d) if float => {
            debug_assert!(d.is_float());
            Lit::Float(-0.0)
        }
        (Reducer::Multiply, DType::Bool) | (Reducer::And, DType::Bool) | (Reducer::Minimum, DType::Bool) => {
            Lit::Bool(true)
        }
        (Reducer::Add | Reducer::Or | Reducer::Xor | Reducer::Maximum, DType::Bool) => Lit::Bool(false),
        (Reducer::Multiply, d) => Lit::whole(d, 1),
        (Reducer::Minimum, _) if float => Lit::Float(f64::INFINITY),
        (Reducer::Maximum, _) if float => Lit::Float(f64::NEG_INFINITY),
        (Reducer::Minimum, d) => Lit::Int(int_range(d)?.1),
        (Reducer::Maximum, d) => Lit::Int(int_range(d)?.0),
        (Reducer::Add, _) => Lit::Int(0),
        (Reducer::And | Reducer::Or | Reducer::Xor, _) if float => return None,
        (Reducer::And, d) => {
            let (low, high) = int_range(d)?;
            Lit::Int(if low < 0 { -1 } else { high })
        }
        (Reducer::Or | Reducer::Xor, _) => Lit::Int(0),
    })
}

/// Whether reducing with this initial value is reducing without one, up to the sign of a zero sum.
pub(crate) fn is_identity(reducer: Reducer, dtype: DType, init: Lit) -> bool {
    identity(reducer, dtype).is_some_and(|id| id.same(init) || (id.is_zero() && init.is_zero()))
}

/// The integers of magnitude up to this are all values of the type: 2^(significand bits).
pub(crate) fn exact_int_limit(dtype: DType) -> Option<i128> {
    match dtype {
        DType::F16 => Some(1 << 11),
        DType::BF16 => Some(1 << 8),
        DType::F32 => Some(1 << 24),
        DType::F64 => Some(1 << 53),
        _ => int_range(dtype).map(|(_, high)| high),
    }
}
