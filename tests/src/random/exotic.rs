//! Complex numbers, small types, sorts and functions of scalars.

use super::{Entry, Gen, epsilon, magnitude};
use kiln::ir::op::{Axes, CompareDirection};
use kiln::ir::{BinaryOp, DType, Func, InputKind, Loc, Op, TensorType, UnaryOp, Value};

const SMALL: [DType; 9] = [
    DType::I2,
    DType::I4,
    DType::U2,
    DType::U4,
    DType::F4E2M1FN,
    DType::F8E4M3FN,
    DType::F8E5M2,
    DType::F8E4M3FNUZ,
    DType::F8E3M4,
];

/// A function of scalars.
fn function(params: &[DType], make: impl FnOnce(&mut Func, &[Value]) -> Vec<Value>) -> Box<Func> {
    let mut f = Func::new("f");
    let mut values = Vec::new();
    for (i, d) in params.iter().enumerate() {
        values.push(f.add_input(format!("x{i}"), TensorType::scalar(*d), InputKind::Feed, Loc::UNKNOWN));
    }
    for v in make(&mut f, &values) {
        f.add_output("", v);
    }
    Box::new(f)
}

fn push(f: &mut Func, op: Op, operands: &[Value]) -> Value {
    f.push1(op, operands, Loc::UNKNOWN).expect("operands fit")
}

/// Without NaN, so that comparators are orders.
fn ordered(e: &Entry) -> bool {
    e.error == 0.0 && !e.tensor.numbers().iter().any(|x| x.is_nan())
}

impl Gen {
    pub(super) fn exotic(&mut self) -> Option<Entry> {
        match self.rng.below(8) {
            0..=1 => {
                let to = *self.rng.pick(&SMALL);
                let x = self.find(|e| e.error == 0.0 && !e.tensor.dtype().is_complex())?;
                self.emit_moved(Op::Convert(to), &[&x])
            }
            2..=3 => {
                let re = self.find(|e| e.tensor.dtype().complex_type().is_some())?;
                let im = self.partner(&re)?;
                self.emit_moved(Op::Complex, &[&re, &im])
            }
            4 => {
                let x = self.find(|e| e.tensor.dtype().is_complex())?;
                let op = if self.rng.one_in(2) { Op::Real } else { Op::Imag };
                self.emit_moved(op, &[&x])
            }
            5 => {
                let x = self.find(|e| e.error == 0.0 && e.tensor.dtype().is_float())?;
                let exponent_bits = 2 + self.rng.below(9) as u32;
                let mantissa_bits = self.rng.below(24) as u32;
                self.emit_moved(Op::ReducePrecision { exponent_bits, mantissa_bits }, &[&x])
            }
            6 => self.sort(),
            _ => self.generic_reduce(),
        }
    }

    /// Sorts one value, or two by the first of them.
    fn sort(&mut self) -> Option<Entry> {
        let x = self.find(|e| ordered(e) && e.tensor.rank() > 0)?;
        let dim = self.rng.below(x.tensor.rank());
        let direction = *self.rng.pick(&[CompareDirection::LT, CompareDirection::GT]);
        let shape = x.tensor.shape().to_vec();
        let other = if self.rng.one_in(2) { self.find(|e| e.tensor.shape() == shape) } else { None };
        let operands: Vec<&Entry> = [&x].into_iter().chain(&other).collect();
        let params: Vec<DType> = operands.iter().flat_map(|e| [e.tensor.dtype(); 2]).collect();
        let comparator = function(&params, |f, p| vec![push(f, Op::Compare(direction), &p[..2])]);
        let errors: Vec<f64> = operands.iter().map(|e| e.error).collect();
        let error = errors.into_iter().fold(0.0, f64::max);
        self.emit(Op::Sort { dim, stable: true, comparator }, &operands, |_| error)
    }

    /// The largest element and how many are as large.
    fn generic_reduce(&mut self) -> Option<Entry> {
        let x = self.find(|e| ordered(e) && e.tensor.rank() > 0)?;
        let dtype = x.tensor.dtype();
        let k = 1 + self.rng.below(x.tensor.rank());
        let axes: Axes = self.rng.subset(x.tensor.rank(), k).into_iter().collect();
        let ones = self.scalar(DType::I32, 1.0);
        let shape = x.tensor.ty().shape;
        let ones = self.emit_moved(Op::BroadcastInDim { shape, dims: Axes::new() }, &[&ones])?;
        let (start, none) = (self.scalar(dtype, 0.0), self.scalar(DType::I32, 0.0));
        let body = function(&[dtype, DType::I32, dtype, DType::I32], |f, p| {
            let more = push(f, Op::Compare(CompareDirection::GT), &[p[2], p[0]]);
            let same = push(f, Op::Compare(CompareDirection::EQ), &[p[2], p[0]]);
            let best = push(f, Op::Select, &[more, p[2], p[0]]);
            let sum = push(f, Op::Binary(BinaryOp::Add), &[p[1], p[3]]);
            let kept = push(f, Op::Select, &[same, sum, p[1]]);
            vec![best, push(f, Op::Select, &[more, p[3], kept])]
        });
        self.emit_moved(Op::GenericReduce { axes, body }, &[&x, &ones, &start, &none])
    }

    /// Operators of one complex number.
    pub(super) fn complex_unary(&mut self, x: &Entry) -> Option<Entry> {
        let eps = epsilon(x.tensor.dtype());
        if x.error == 0.0 && self.rng.one_in(2) {
            let op = *self.rng.pick(&[UnaryOp::Abs, UnaryOp::Tanh]);
            let big = magnitude(&x.tensor);
            // Far from poles of tanh and from overflow.
            let tame = big < 1.0 && x.tensor.numbers().iter().all(|v| v.is_finite());
            let op = if tame { op } else { UnaryOp::Negate };
            let error = if op == UnaryOp::Negate { 0.0 } else { 16.0 * eps };
            return self.emit(Op::Unary(op), &[x], |y| error * magnitude(y).max(1e-3));
        }
        self.emit_moved(Op::Unary(UnaryOp::Negate), &[x])
    }

    /// Operators of two complex numbers.
    pub(super) fn complex_binary(&mut self, x: &Entry, y: &Entry) -> Option<Entry> {
        let eps = epsilon(x.tensor.dtype());
        let (mx, my) = (magnitude(&x.tensor), magnitude(&y.tensor));
        let (ex, ey) = (x.error, y.error);
        let finite = |e: &Entry| e.tensor.numbers().iter().all(|v| v.is_finite());
        let tame = mx < 1e6 && my < 1e6 && finite(x) && finite(y);
        let op = *self.rng.pick(&[BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply]);
        match op {
            BinaryOp::Multiply if tame => {
                self.emit(Op::Binary(op), &[x, y], |_| 2.0 * (mx * ey + my * ex + ex * ey) + 4.0 * eps * mx * my)
            }
            BinaryOp::Multiply => None,
            _ => self.emit(Op::Binary(op), &[x, y], |r| ex + ey + if ex + ey > 0.0 { eps * magnitude(r) } else { 0.0 }),
        }
    }
}
