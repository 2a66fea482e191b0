//! `+ - * / % & | ^ ! - << >>` between expressions and Rust scalars.
//!
//! On the right stands anything that is an [`Operand`]. On the left, Rust allows scalars only type by type, and a second
//! float type would leave the literal in `(1.0 - x).log()` without a type: so `f64` and `i32` it is.

use crate::expr::Expr;
use crate::operand::{Operand, Side};
use kiln_ir::{BinaryOp, UnaryOp};
use std::ops::*;

macro_rules! left_scalars {
    ($tr:ident, $method:ident, $via:ident; $($t:ty),*) => {$(
        impl $tr<Expr> for $t {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: Expr) -> Expr {
                Expr::$via(&rhs.literal(self.into()), Side::Expr(rhs))
            }
        }
        impl $tr<&Expr> for $t {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: &Expr) -> Expr {
                Expr::$via(&rhs.literal(self.into()), Side::Expr(rhs.clone()))
            }
        }
    )*};
}

macro_rules! operators {
    ($($tr:ident $method:ident $assign:ident $assign_method:ident $via:ident;)*) => {$(
        impl<T: Operand> $tr<T> for Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: T) -> Expr {
                Expr::$via(&self, rhs.into_side())
            }
        }
        impl<T: Operand> $tr<T> for &Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, rhs: T) -> Expr {
                Expr::$via(self, rhs.into_side())
            }
        }
        impl<T: Operand> $assign<T> for Expr {
            #[track_caller]
            fn $assign_method(&mut self, rhs: T) {
                *self = Expr::$via(self, rhs.into_side());
            }
        }
        left_scalars!($tr, $method, $via; i32, f64);
    )*};
}
operators! {
    Add add AddAssign add_assign add_side;
    Sub sub SubAssign sub_assign sub_side;
    Mul mul MulAssign mul_assign mul_side;
    Div div DivAssign div_assign div_side;
    Rem rem RemAssign rem_assign rem_side;
    BitAnd bitand BitAndAssign bitand_assign and_side;
    BitOr bitor BitOrAssign bitor_assign or_side;
    BitXor bitxor BitXorAssign bitxor_assign xor_side;
    Shl shl ShlAssign shl_assign shl_side;
    Shr shr ShrAssign shr_assign shr_side;
}

macro_rules! sides {
    ($($name:ident $op:ident;)*) => {$(
        #[track_caller]
        fn $name(&self, rhs: Side) -> Expr {
            self.binary_side(BinaryOp::$op, rhs)
        }
    )*};
}
impl Expr {
    sides! {
        add_side Add;
        sub_side Subtract;
        mul_side Multiply;
        div_side Divide;
        rem_side Remainder;
        and_side And;
        or_side Or;
        xor_side Xor;
        shl_side ShiftLeft;
    }

    /// `>>` keeps the sign of signed integers, as in Rust.
    #[track_caller]
    fn shr_side(&self, rhs: Side) -> Expr {
        let op =
            if self.dtype().is_signed_int() { BinaryOp::ShiftRightArithmetic } else { BinaryOp::ShiftRightLogical };
        self.binary_side(op, rhs)
    }
}

impl Neg for Expr {
    type Output = Expr;
    #[track_caller]
    fn neg(self) -> Expr {
        self.unary(UnaryOp::Negate)
    }
}
impl Neg for &Expr {
    type Output = Expr;
    #[track_caller]
    fn neg(self) -> Expr {
        self.unary(UnaryOp::Negate)
    }
}
impl Not for Expr {
    type Output = Expr;
    #[track_caller]
    fn not(self) -> Expr {
        self.unary(UnaryOp::Not)
    }
}
impl Not for &Expr {
    type Output = Expr;
    #[track_caller]
    fn not(self) -> Expr {
        self.unary(UnaryOp::Not)
    }
}
