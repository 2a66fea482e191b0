//! Scalar semantics of every elementwise operator, conversion and comparison, in one place.
//!
//! The rules, the same for the graph, the loop IR and compiled code:
//! - f16 and bf16 are computed in f32 and rounded after every operator. Here f32 is computed in f64 and rounded once: exactly
//!   rounded for `+ - * / sqrt`, and almost always exactly rounded for the transcendental functions.
//! - Integers wrap. `x / 0` is all ones (-1), `x % 0` is `x`, `MIN / -1` is `MIN`, `MIN % -1` is 0.
//! - Shifts by the width or more (or by a negative amount) give 0; arithmetic ones fill with the sign.
//! - `power` of integers with a negative exponent: 1 and -1 by parity for bases 1 and -1, -1 for base 0, otherwise 0.
//! - `maximum`, `minimum` propagate NaN and order -0 below +0; `remainder` has the dividend's sign; comparisons are IEEE 754.
//! - Conversions: see [`lane::Lane::narrow`].
//! - On bool, `add`, `maximum`, `or` are the logical or; `multiply`, `minimum`, `and` the logical and.

pub mod lane;
pub mod math;

use half::{bf16, f16};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Tensor, UnaryOp};
use lane::{Lane, Wide};
use std::fmt;

/// One element of any type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scalar {
    /// `bool`.
    Bool(bool),
    /// `i8`.
    I8(i8),
    /// `i16`.
    I16(i16),
    /// `i32`.
    I32(i32),
    /// `i64`.
    I64(i64),
    /// `u8`.
    U8(u8),
    /// `u16`.
    U16(u16),
    /// `u32`.
    U32(u32),
    /// `u64`.
    U64(u64),
    /// `f16`.
    F16(f16),
    /// `bf16`.
    BF16(bf16),
    /// `f32`.
    F32(f32),
    /// `f64`.
    F64(f64),
}

/// An operator met element types that it is not defined on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScalarError {
    /// The operator's name.
    pub op: &'static str,
    /// The element type of the first operand.
    pub dtype: DType,
    /// The element type of the second operand when it differs from the first's.
    pub other: Option<DType>,
}

impl fmt::Display for ScalarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not defined on {}", self.op, self.dtype)?;
        if let Some(o) = self.other { write!(f, " with {o}") } else { Ok(()) }
    }
}
impl std::error::Error for ScalarError {}

macro_rules! scalars {
    ($($v:ident $t:ty),*) => {
        $(impl From<$t> for Scalar {
            fn from(x: $t) -> Scalar {
                Scalar::$v(x)
            }
        })*

        impl Scalar {
            /// The element type.
            pub const fn dtype(self) -> DType {
                match self {
                    $(Scalar::$v(_) => DType::$v,)*
                }
            }
            /// The value without loss.
            pub fn widen(self) -> Wide {
                match self {
                    $(Scalar::$v(x) => x.widen(),)*
                }
            }
        }

        /// Applies a unary operator. `is_finite` gives bool, every other operator the operand's type.
        ///
        /// # Errors
        /// When the operator is not defined on the operand's type.
        ///
        /// ```
        /// use kiln_interp::scalar::{Scalar, unary};
        /// use kiln_ir::UnaryOp;
        /// assert_eq!(unary(UnaryOp::Negate, Scalar::I8(-128)), Ok(Scalar::I8(-128)));
        /// ```
        pub fn unary(op: UnaryOp, x: Scalar) -> Result<Scalar, ScalarError> {
            let err = ScalarError { op: op.name(), dtype: x.dtype(), other: None };
            match x {
                $(Scalar::$v(x) if op == UnaryOp::IsFinite && DType::$v.is_float() => Ok(Scalar::Bool(Lane::is_finite(x))),
                Scalar::$v(x) => <$t as Lane>::unary(op).map(|f| f(x).into()).ok_or(err),)*
            }
        }

        /// Applies a binary operator to operands of one type.
        ///
        /// # Errors
        /// When the types differ or the operator is not defined on them.
        ///
        /// ```
        /// use kiln_interp::scalar::{Scalar, binary};
        /// use kiln_ir::BinaryOp;
        /// assert_eq!(binary(BinaryOp::Divide, Scalar::I32(7), Scalar::I32(0)), Ok(Scalar::I32(-1)));
        /// ```
        pub fn binary(op: BinaryOp, x: Scalar, y: Scalar) -> Result<Scalar, ScalarError> {
            match (x, y) {
                $((Scalar::$v(x), Scalar::$v(y)) => <$t as Lane>::binary(op)
                    .map(|f| f(x, y).into())
                    .ok_or(ScalarError { op: op.name(), dtype: DType::$v, other: None }),)*
                (x, y) => Err(ScalarError { op: op.name(), dtype: x.dtype(), other: Some(y.dtype()) }),
            }
        }

        /// Compares operands of one type.
        ///
        /// # Errors
        /// When the types differ.
        pub fn compare(direction: CompareDirection, x: Scalar, y: Scalar) -> Result<bool, ScalarError> {
            match (x, y) {
                $((Scalar::$v(x), Scalar::$v(y)) => Ok(lane::compare(direction, x, y)),)*
                (x, y) => Err(ScalarError { op: "compare", dtype: x.dtype(), other: Some(y.dtype()) }),
            }
        }

        /// Converts by value; see [`Lane::narrow`].
        ///
        /// ```
        /// use kiln_interp::scalar::{Scalar, convert};
        /// use kiln_ir::DType;
        /// assert_eq!(convert(Scalar::F32(300.7), DType::U8), Scalar::U8(255));
        /// ```
        pub fn convert(x: Scalar, to: DType) -> Scalar {
            if x.dtype() == to {
                return x;
            }
            match to {
                $(DType::$v => Scalar::$v(<$t>::narrow(x.widen())),)*
                DType::I2 | DType::I4 | DType::U2 | DType::U4 | DType::F4E2M1FN | DType::F6E2M3FN | DType::F6E3M2FN | DType::F8E3M4 | DType::F8E4M3 | DType::F8E4M3B11FNUZ | DType::F8E4M3FN | DType::F8E4M3FNUZ | DType::F8E5M2 | DType::F8E5M2FNUZ | DType::F8E8M0FNU | DType::C64 | DType::C128 => x,
            }
        }
    };
}
scalars!(Bool bool, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, F16 f16, BF16 bf16, F32 f32, F64 f64);

impl Scalar {
    /// The element of a tensor at a row-major position, if there is one.
    pub fn read(tensor: &Tensor, index: usize) -> Option<Scalar> {
        crate::dispatch!(tensor.dtype(), T => tensor.as_slice::<T>().ok()?.get(index).map(|&x| x.into()))
    }

    /// The number as f64: exact but for integers beyond 2^53.
    pub fn to_f64(self) -> f64 {
        f64::narrow(self.widen())
    }

    /// Zero (false) of a type.
    pub fn zero(dtype: DType) -> Scalar {
        convert(Scalar::Bool(false), dtype)
    }

    /// `minimum(maximum(x, lo), hi)`, operands of one type.
    ///
    /// # Errors
    /// When the types differ.
    pub fn clamp(lo: Scalar, x: Scalar, hi: Scalar) -> Result<Scalar, ScalarError> {
        binary(BinaryOp::Minimum, binary(BinaryOp::Maximum, x, lo)?, hi)
    }
}
