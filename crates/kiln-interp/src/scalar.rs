//! Scalar semantics of every elementwise operator, conversion and comparison, in one place.
//!
//! The rules, the same for the graph, the loop IR and compiled code:
//! - f16, bf16 and smaller floats are computed in f32 and rounded after every operator. Here f32 is computed in f64 and rounded once: exactly
//!   rounded for `+ - * / sqrt`, and almost always exactly rounded for the transcendental functions.
//! - Integers wrap. `x / 0` is all ones (-1), `x % 0` is `x`, `MIN / -1` is `MIN`, `MIN % -1` is 0.
//! - Shifts by the width or more (or by a negative amount) give 0; arithmetic ones fill with the sign.
//! - `power` of integers with a negative exponent: 1 and -1 by parity for bases 1 and -1, -1 for base 0, otherwise 0.
//! - `maximum`, `minimum` propagate NaN and order -0 below +0; `remainder` has the dividend's sign; comparisons are IEEE 754.
//! - Conversions: see [`lane::Lane::narrow`].
//! - Integers of 2 and 4 bits wrap at their width.
//! - Complex numbers are computed as pairs of f64, see [`complex_math`]; they compare by real, then by imaginary part;
//!   `maximum` and `minimum` give the first operand with a NaN.
//! - On bool, `add`, `maximum`, `or` are the logical or; `multiply`, `minimum`, `and` the logical and.

mod complex;
pub mod complex_math;
pub mod lane;
pub mod math;
pub mod precision;
pub mod small;

use half::{bf16, f16};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, Complex, DType, Tensor, UnaryOp};
use lane::{Lane, Wide};
use small::*;
use std::fmt;

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
        /// One element of any type.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Scalar {
            $(#[doc = concat!("`", stringify!($t), "`.")]
            $v($t),)*
        }

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

        /// Applies a unary operator. `is_finite` gives bool, `abs` of a complex number a float, every other operator the operand's
        /// type.
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
                Scalar::$v(x) if op == UnaryOp::Abs && DType::$v.is_complex() => {
                    Ok(convert(Scalar::F64(Scalar::$v(x).magnitude()), DType::$v.real_type()))
                }
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
            }
        }
    };
}
scalars!(
    Bool bool, I2 I2, I4 I4, I8 i8, I16 i16, I32 i32, I64 i64, U2 U2, U4 U4, U8 u8, U16 u16, U32 u32, U64 u64,
    F4E2M1FN F4E2M1FN, F6E2M3FN F6E2M3FN, F6E3M2FN F6E3M2FN, F8E3M4 F8E3M4, F8E4M3 F8E4M3, F8E4M3B11FNUZ F8E4M3B11FNUZ, F8E4M3FN F8E4M3FN, F8E4M3FNUZ F8E4M3FNUZ, F8E5M2 F8E5M2, F8E5M2FNUZ F8E5M2FNUZ, F8E8M0FNU F8E8M0FNU,
    F16 f16, BF16 bf16, F32 f32, F64 f64, C64 Complex<f32>, C128 Complex<f64>
);

impl Scalar {
    /// The element of a tensor at a row-major position, if there is one.
    pub fn read(tensor: &Tensor, index: usize) -> Option<Scalar> {
        crate::dispatch!(tensor.dtype(), T => tensor.as_slice::<T>().ok()?.get(index).map(|&x| x.into()))
    }

    /// The number as f64: exact but for integers beyond 2^53; of complex numbers the real part.
    pub fn to_f64(self) -> f64 {
        f64::narrow(self.widen())
    }

    /// The absolute value as f64, also of complex numbers.
    pub fn magnitude(self) -> f64 {
        complex_math::abs(Complex::narrow(self.widen()))
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
