//! Scalar literals: the value of a scalar constant in a form that rules can ask questions of.

use kiln_ir::op::Reducer;
use kiln_ir::{DType, DTypeClass, Tensor};

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
        let dtype = t.dtype();
        match dtype.class() {
            DTypeClass::Bool => t.item().ok().map(Lit::Bool),
            DTypeClass::Signed | DTypeClass::Unsigned => t.item_int().ok().map(Lit::Int),
            DTypeClass::Float if t.len() == 1 => t.numbers().first().copied().map(Lit::Float),
            // Legalized before any pass that asks; complex numbers are no single number.
            DTypeClass::Float | DTypeClass::Mini | DTypeClass::Complex => None,
        }
    }

    /// The scalar tensor of this value; integers wrap, floats round. `None` when the kind does not fit the dtype.
    pub fn tensor(self, dtype: DType) -> Option<Tensor> {
        match (self, dtype.class()) {
            (Lit::Bool(b), DTypeClass::Bool) => Some(Tensor::scalar(b)),
            (Lit::Int(n), DTypeClass::Signed | DTypeClass::Unsigned) => Tensor::from_ints(dtype, [], [n]).ok(),
            // Through f32, as arithmetic on short types is carried out.
            (Lit::Float(x), DTypeClass::Float) if dtype.bits() < 32 => {
                Some(Tensor::scalar_of(dtype, f64::from(x as f32)))
            }
            (Lit::Float(x), DTypeClass::Float) => Some(Tensor::scalar_of(dtype, x)),
            _ => None,
        }
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
    dtype.is_int().then(|| (dtype.lowest_int(), dtype.highest_int()))
}

/// The value that leaves every other one unchanged: exactly, so -0 for a float sum.
pub(crate) fn identity(reducer: Reducer, dtype: DType) -> Option<Lit> {
    Lit::of(&reducer.identity(dtype)?)
}

/// Whether reducing with this initial value is reducing without one, up to the sign of a zero sum.
pub(crate) fn is_identity(reducer: Reducer, dtype: DType, init: Lit) -> bool {
    identity(reducer, dtype).is_some_and(|id| id.same(init) || (id.is_zero() && init.is_zero()))
}

/// The integers of magnitude up to this are all values of the type: 2^(significand bits).
pub(crate) fn exact_int_limit(dtype: DType) -> Option<i128> {
    match dtype.mantissa_bits() {
        Some(bits) => Some(1 << (bits + 1)),
        None => int_range(dtype).map(|(_, high)| high),
    }
}
