//! Elementwise operators.

use super::{Entry, Gen, epsilon, magnitude};
use kiln::ir::op::CompareDirection;
use kiln::ir::{BinaryOp, DType, Op, Tensor, UnaryOp};

/// ULPs that a transcendental function may be off, twice the contract's bound since the oracle rounds too.
const ULPS: f64 = 5.0;

/// Unary float operators that round correctly or are exact: their results are bit for bit those of the oracle.
const EXACT_FLOAT: [UnaryOp; 9] = [
    UnaryOp::Abs,
    UnaryOp::Negate,
    UnaryOp::Ceil,
    UnaryOp::Floor,
    UnaryOp::RoundNearestAfz,
    UnaryOp::RoundNearestEven,
    UnaryOp::Sign,
    UnaryOp::Sqrt,
    UnaryOp::IsFinite,
];
const INEXACT: [UnaryOp; 14] = [
    UnaryOp::Cbrt,
    UnaryOp::Cosine,
    UnaryOp::Erf,
    UnaryOp::Exponential,
    UnaryOp::ExponentialMinusOne,
    UnaryOp::Log,
    UnaryOp::LogPlusOne,
    UnaryOp::Logistic,
    UnaryOp::Rsqrt,
    UnaryOp::Sine,
    UnaryOp::Tan,
    UnaryOp::Tanh,
    UnaryOp::Tanh,
    UnaryOp::Logistic,
];
const INTEGER: [UnaryOp; 6] =
    [UnaryOp::Abs, UnaryOp::Negate, UnaryOp::Not, UnaryOp::Sign, UnaryOp::Popcnt, UnaryOp::CountLeadingZeros];

const EXACT_BINARY: [BinaryOp; 15] = [
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::Maximum,
    BinaryOp::Minimum,
    BinaryOp::Remainder,
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Xor,
    BinaryOp::ShiftLeft,
    BinaryOp::ShiftRightArithmetic,
    BinaryOp::ShiftRightLogical,
    BinaryOp::Add,
    BinaryOp::Multiply,
];

impl Gen {
    /// A scalar of this dtype.
    pub(super) fn scalar(&mut self, dtype: DType, value: f64) -> Entry {
        let t = kiln::interp::eval_op(&Op::Convert(dtype), &[Tensor::scalar(value)]).expect("converts").swap_remove(0);
        self.constant(t)
    }

    /// The value limited to a range, so that what follows is well conditioned. NaN stays.
    pub(super) fn clamped(&mut self, x: &Entry, low: f64, high: f64) -> Option<Entry> {
        let (low, high) = (self.scalar(x.tensor.dtype(), low), self.scalar(x.tensor.dtype(), high));
        let error = x.error;
        self.emit(Op::Clamp, &[&low, x, &high], |_| error)
    }

    pub(super) fn unary(&mut self) -> Option<Entry> {
        let x = self.find(|_| true)?;
        let dtype = x.tensor.dtype();
        if dtype.is_complex() {
            return self.complex_unary(&x);
        }
        if !dtype.is_float() {
            let op = *self.rng.pick(&INTEGER);
            return self.emit_moved(Op::Unary(op), &[&x]);
        }
        if x.error > 0.0 {
            // Smooth, with a slope of at most one.
            let op = *self.rng.pick(&[UnaryOp::Abs, UnaryOp::Negate, UnaryOp::Tanh, UnaryOp::Logistic, UnaryOp::Sine]);
            let (error, eps) = (x.error, epsilon(dtype));
            return self.emit(Op::Unary(op), &[&x], |y| error + ULPS * eps * magnitude(y));
        }
        if self.rng.one_in(2) {
            let op = *self.rng.pick(&EXACT_FLOAT);
            return self.emit_moved(Op::Unary(op), &[&x]);
        }
        let op = *self.rng.pick(&INEXACT);
        let x = match op {
            UnaryOp::Log | UnaryOp::LogPlusOne | UnaryOp::Rsqrt => self.clamped(&x, 0.0625, 64.0)?,
            UnaryOp::Tan => self.clamped(&x, -1.25, 1.25)?,
            _ => self.clamped(&x, -8.0, 8.0)?,
        };
        let eps = epsilon(dtype);
        self.emit(Op::Unary(op), &[&x], |y| ULPS * eps * magnitude(y))
    }

    /// Another value of the same type, or a scalar spread over its shape, or a new constant.
    pub(super) fn partner(&mut self, x: &Entry) -> Option<Entry> {
        let ty = x.tensor.ty();
        if self.rng.one_in(3) {
            let scalar = self.tensor_of(ty.dtype, &[]);
            let scalar = self.constant(scalar);
            return self.emit_moved(Op::BroadcastInDim { shape: ty.shape, dims: Default::default() }, &[&scalar]);
        }
        let found = self.find(|e| e.tensor.ty() == ty);
        if self.rng.one_in(4) {
            let t = self.tensor_of(ty.dtype, x.tensor.shape());
            let e = self.constant(t);
            return Some(e);
        }
        found
    }

    pub(super) fn binary(&mut self) -> Option<Entry> {
        let x = self.find(|_| true)?;
        let y = self.partner(&x)?;
        let dtype = x.tensor.dtype();
        if dtype.is_complex() {
            return self.complex_binary(&x, &y);
        }
        let eps = epsilon(dtype);
        if x.error > 0.0 || y.error > 0.0 {
            let (x, y) = (self.clamped(&x, -64.0, 64.0)?, self.clamped(&y, -64.0, 64.0)?);
            let (ex, ey) = (x.error, y.error);
            let (mx, my) = (magnitude(&x.tensor), magnitude(&y.tensor));
            let op = *self.rng.pick(&[
                BinaryOp::Add,
                BinaryOp::Subtract,
                BinaryOp::Multiply,
                BinaryOp::Maximum,
                BinaryOp::Minimum,
            ]);
            return self.emit(Op::Binary(op), &[&x, &y], |r| match op {
                BinaryOp::Multiply => mx * ey + my * ex + ex * ey + eps * magnitude(r),
                _ => ex + ey + eps * magnitude(r),
            });
        }
        if dtype.is_float() && self.rng.one_in(6) {
            let (x, y) = (self.clamped(&x, 0.125, 4.0)?, self.clamped(&y, -3.0, 3.0)?);
            let op = *self.rng.pick(&[BinaryOp::Power, BinaryOp::Atan2]);
            return self.emit(Op::Binary(op), &[&x, &y], |r| ULPS * eps * magnitude(r));
        }
        let op = *self.rng.pick(&EXACT_BINARY);
        self.emit_moved(Op::Binary(op), &[&x, &y])
    }

    pub(super) fn compare_select(&mut self) -> Option<Entry> {
        use CompareDirection::*;
        let x = self.find(|e| e.error == 0.0)?;
        let y = self.partner(&x).filter(|y| y.error == 0.0)?;
        let direction = *self.rng.pick(&[EQ, NE, GE, GT, LE, LT]);
        let pred = self.emit_moved(Op::Compare(direction), &[&x, &y])?;
        let shape = x.tensor.shape().to_vec();
        let a = self.find(|e| e.tensor.shape() == shape)?;
        let b = self.partner(&a)?;
        match self.rng.below(3) {
            0 => {
                let low = self.partner(&a).filter(|e| e.error == 0.0)?;
                let high = self.partner(&a).filter(|e| e.error == 0.0)?;
                self.emit_moved(Op::Clamp, &[&low, &a, &high])
            }
            _ => self.emit_moved(Op::Select, &[&pred, &a, &b]),
        }
    }

    pub(super) fn convert(&mut self) -> Option<Entry> {
        let to = self.dtype();
        let x = self.find(|e| e.error == 0.0 || to.is_float())?;
        let (error, eps) = (x.error, epsilon(to));
        if error == 0.0 {
            return self.emit_moved(Op::Convert(to), &[&x]);
        }
        let x = self.clamped(&x, -1e4, 1e4)?;
        self.emit(Op::Convert(to), &[&x], |y| error + eps * magnitude(y))
    }

    pub(super) fn bitcast(&mut self) -> Option<Entry> {
        // The payload of a NaN is nobody's promise.
        let known = |t: &Tensor| !t.dtype().is_float() || !t.numbers().iter().any(|x| x.is_nan());
        let x = self.find(|e| e.error == 0.0 && e.tensor.dtype() != DType::Bool && known(&e.tensor))?;
        let to = self.dtype();
        if to == DType::Bool || x.tensor.dtype() == to {
            return None;
        }
        let y = self.emit_moved(Op::BitcastConvert(to), &[&x])?;
        if !known(&y.tensor) {
            // Keep what can hold signalling NaNs from being used: moving them may quieten them.
            let value = y.value;
            self.entries.retain(|e| e.value != value);
        }
        Some(y)
    }
}
