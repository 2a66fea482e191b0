//! Methods of elementwise operators. Derived from `graph-spec/ops.toml`.

use crate::expr::Expr;
use crate::operand::Operand;
use kiln_ir::{BinaryOp, UnaryOp};

impl Expr {
    /// Absolute value. The smallest signed integer has no positive counterpart and stays as it is; NaN stays NaN.
    #[track_caller]
    pub fn abs(&self) -> Expr {
        self.unary(UnaryOp::Abs)
    }

    /// Cube root.
    #[track_caller]
    pub fn cbrt(&self) -> Expr {
        self.unary(UnaryOp::Cbrt)
    }

    /// Smallest integer not below x.
    #[track_caller]
    pub fn ceil(&self) -> Expr {
        self.unary(UnaryOp::Ceil)
    }

    /// Cosine of x in radians; NaN for infinities.
    #[track_caller]
    pub fn cos(&self) -> Expr {
        self.unary(UnaryOp::Cosine)
    }

    /// Number of zero bits before the first one bit; the width for 0.
    #[track_caller]
    pub fn count_leading_zeros(&self) -> Expr {
        self.unary(UnaryOp::CountLeadingZeros)
    }

    /// Error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
    #[track_caller]
    pub fn erf(&self) -> Expr {
        self.unary(UnaryOp::Erf)
    }

    /// e to the power of x; infinity on overflow, 0 for -infinity.
    #[track_caller]
    pub fn exp(&self) -> Expr {
        self.unary(UnaryOp::Exponential)
    }

    /// e to the power of x, minus 1, accurate near 0.
    #[track_caller]
    pub fn expm1(&self) -> Expr {
        self.unary(UnaryOp::ExponentialMinusOne)
    }

    /// Largest integer not above x.
    #[track_caller]
    pub fn floor(&self) -> Expr {
        self.unary(UnaryOp::Floor)
    }

    /// True unless x is an infinity or NaN.
    #[track_caller]
    pub fn is_finite(&self) -> Expr {
        self.unary(UnaryOp::IsFinite)
    }

    /// Natural logarithm; -infinity for 0, NaN below 0.
    #[track_caller]
    pub fn log(&self) -> Expr {
        self.unary(UnaryOp::Log)
    }

    /// Natural logarithm of 1 + x, accurate near 0; -infinity for -1, NaN below.
    #[track_caller]
    pub fn log1p(&self) -> Expr {
        self.unary(UnaryOp::LogPlusOne)
    }

    /// The sigmoid, 1 / (1 + exp(-x)).
    #[track_caller]
    pub fn sigmoid(&self) -> Expr {
        self.unary(UnaryOp::Logistic)
    }

    /// Number of one bits.
    #[track_caller]
    pub fn popcnt(&self) -> Expr {
        self.unary(UnaryOp::Popcnt)
    }

    /// Nearest integer, halves away from zero.
    #[track_caller]
    pub fn round(&self) -> Expr {
        self.unary(UnaryOp::RoundNearestAfz)
    }

    /// Nearest integer, halves to the even one.
    #[track_caller]
    pub fn round_even(&self) -> Expr {
        self.unary(UnaryOp::RoundNearestEven)
    }

    /// 1 / sqrt(x); infinity for 0 (of the sign of the zero), NaN below 0.
    #[track_caller]
    pub fn rsqrt(&self) -> Expr {
        self.unary(UnaryOp::Rsqrt)
    }

    /// -1, 0 or 1 as x is negative, zero or positive; -0 and NaN stay as they are.
    #[track_caller]
    pub fn sign(&self) -> Expr {
        self.unary(UnaryOp::Sign)
    }

    /// Sine of x in radians; NaN for infinities.
    #[track_caller]
    pub fn sin(&self) -> Expr {
        self.unary(UnaryOp::Sine)
    }

    /// Square root, correctly rounded; NaN below 0, -0 stays.
    #[track_caller]
    pub fn sqrt(&self) -> Expr {
        self.unary(UnaryOp::Sqrt)
    }

    /// Tangent of x in radians; NaN for infinities.
    #[track_caller]
    pub fn tan(&self) -> Expr {
        self.unary(UnaryOp::Tan)
    }

    /// Hyperbolic tangent.
    #[track_caller]
    pub fn tanh(&self) -> Expr {
        self.unary(UnaryOp::Tanh)
    }

    /// Angle in (-pi, pi] of the point with ordinate x and abscissa y. Here x is `self` and y is `rhs`.
    #[track_caller]
    pub fn atan2(&self, rhs: impl Operand) -> Expr {
        self.binary_side(BinaryOp::Atan2, rhs.into_side())
    }

    /// The larger one; NaN if one is NaN; +0 is larger than -0; on bool the logical or. Here x is `self` and y is `rhs`.
    #[track_caller]
    pub fn maximum(&self, rhs: impl Operand) -> Expr {
        self.binary_side(BinaryOp::Maximum, rhs.into_side())
    }

    /// The smaller one; NaN if one is NaN; -0 is smaller than +0; on bool the logical and. Here x is `self` and y is `rhs`.
    #[track_caller]
    pub fn minimum(&self, rhs: impl Operand) -> Expr {
        self.binary_side(BinaryOp::Minimum, rhs.into_side())
    }

    /// x to the power of y, as C pow: 1 for y = 0, NaN for negative x and y that is no integer. Integers wrap; a negative exponent gives 1 for x = 1, 1 or -1 for x = -1, -1 for x = 0 (a division by 0), otherwise 0. Here x is `self` and y is `rhs`.
    #[track_caller]
    pub fn pow(&self, rhs: impl Operand) -> Expr {
        self.binary_side(BinaryOp::Power, rhs.into_side())
    }

    /// x shifted right by y bits, copies of the sign bit coming in; all sign bits when y is at least the width (or negative). Here x is `self` and y is `rhs`.
    #[track_caller]
    pub fn shift_right_arithmetic(&self, rhs: impl Operand) -> Expr {
        self.binary_side(BinaryOp::ShiftRightArithmetic, rhs.into_side())
    }

    /// x shifted right by y bits, zeros coming in; 0 when y is at least the width (or negative). Here x is `self` and y is `rhs`.
    #[track_caller]
    pub fn shift_right_logical(&self, rhs: impl Operand) -> Expr {
        self.binary_side(BinaryOp::ShiftRightLogical, rhs.into_side())
    }
}
