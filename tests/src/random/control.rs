//! Control flow and random bits.

use super::{Entry, Gen};
use kiln::ir::op::{CompareDirection, RngAlgorithm};
use kiln::ir::{BinaryOp, DType, Func, InputKind, Loc, Op, Tensor, TensorType, Value};

/// Exact operators that keep a type, for the bodies of loops and branches.
const BODIES: [BinaryOp; 5] =
    [BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Maximum, BinaryOp::Minimum, BinaryOp::Multiply];

/// A nested function that applies `ops` to its first two arguments in turn.
fn branch(types: &[TensorType], ops: &[BinaryOp]) -> Func {
    let mut f = Func::new("branch");
    let args: Vec<Value> = types
        .iter()
        .enumerate()
        .map(|(i, t)| f.add_input(format!("a{i}"), t.clone(), InputKind::Feed, Loc::UNKNOWN))
        .collect();
    let mut x = args[0];
    for &op in ops {
        x = f.push1(Op::Binary(op), &[x, args[1]], Loc::UNKNOWN).expect("operands of one type");
    }
    f.add_output("r0", x);
    f.add_output("r1", args[1]);
    f
}

impl Gen {
    pub(super) fn control_flow(&mut self) -> Option<Entry> {
        match self.rng.below(4) {
            0 => self.while_loop(),
            1 => self.conditional(),
            2 => self.case(),
            _ => self.random_bits(),
        }
    }

    fn exact_pair(&mut self) -> Option<(Entry, Entry)> {
        let x = self.find(|e| e.error == 0.0)?;
        let y = self.partner(&x).filter(|y| y.error == 0.0)?;
        Some((x, y))
    }

    fn ops(&mut self, dtype: DType) -> Vec<BinaryOp> {
        let fits = |op: &BinaryOp| match op {
            BinaryOp::Subtract => dtype != DType::Bool,
            // The oracle rounds complex products once.
            BinaryOp::Multiply => !dtype.is_complex(),
            _ => true,
        };
        (0..self.rng.below(3)).map(|_| *self.rng.pick(&BODIES)).filter(fits).collect()
    }

    /// `while i < n { (x, y) = (x op y, y or x) }`, sometimes with the two states exchanged.
    fn while_loop(&mut self) -> Option<Entry> {
        let (x, y) = self.exact_pair()?;
        let types = [TensorType::scalar(DType::I32), x.tensor.ty(), y.tensor.ty()];
        let trips = self.rng.below(4) as i32;
        let params = |f: &mut Func| -> Vec<Value> {
            let add =
                |(i, t): (usize, &TensorType)| f.add_input(format!("s{i}"), t.clone(), InputKind::Feed, Loc::UNKNOWN);
            types.iter().enumerate().map(add).collect()
        };
        let mut cond = Func::new("cond");
        let s = params(&mut cond);
        let limit = cond.constant(Tensor::scalar(trips), Loc::UNKNOWN);
        let go = cond.push1(Op::Compare(CompareDirection::LT), &[s[0], limit], Loc::UNKNOWN).ok()?;
        cond.add_output("go", go);
        let mut body = Func::new("body");
        let s = params(&mut body);
        let one = body.constant(Tensor::scalar(1i32), Loc::UNKNOWN);
        let next = body.push1(Op::Binary(BinaryOp::Add), &[s[0], one], Loc::UNKNOWN).ok()?;
        let mut v = s[1];
        for op in self.ops(types[1].dtype) {
            v = body.push1(Op::Binary(op), &[v, s[2]], Loc::UNKNOWN).ok()?;
        }
        let exchange = self.rng.one_in(3);
        body.add_output("i", next);
        body.add_output("x", if exchange { s[2] } else { v });
        body.add_output("y", if exchange { v } else { s[2] });
        let start = self.constant(Tensor::scalar(0i32));
        let op = Op::While { cond: Box::new(cond), body: Box::new(body) };
        self.emit_moved(op, &[&start, &x, &y])
    }

    fn conditional(&mut self) -> Option<Entry> {
        let (x, y) = self.exact_pair()?;
        let types = [x.tensor.ty(), y.tensor.ty()];
        let pred = self.rng.one_in(2);
        let pred = self.input(Tensor::scalar(pred));
        let dtype = types[0].dtype;
        let (a, b) = (self.ops(dtype), self.ops(dtype));
        let op = Op::If { on_true: Box::new(branch(&types, &a)), on_false: Box::new(branch(&types, &b)) };
        self.emit_moved(op, &[&pred, &x, &y])
    }

    fn case(&mut self) -> Option<Entry> {
        let (x, y) = self.exact_pair()?;
        let types = [x.tensor.ty(), y.tensor.ty()];
        let index = self.rng.range(-1, 4) as i32;
        let index = self.input(Tensor::scalar(index));
        let branches =
            (0..1 + self.rng.below(3)).map(|_| self.ops(types[0].dtype)).map(|o| branch(&types, &o)).collect();
        self.emit_moved(Op::Case { branches }, &[&index, &x, &y])
    }

    fn random_bits(&mut self) -> Option<Entry> {
        let state = self.tensor_of(DType::U64, &[2]);
        let state = self.input(state);
        let dtype = *self.rng.pick(&[DType::U32, DType::U64, DType::U8, DType::U16]);
        let shape = self.shape();
        let ty = TensorType::new(dtype, shape.as_slice());
        self.emit_moved(Op::RngBitGenerator { algorithm: RngAlgorithm::ThreeFry, ty }, &[&state])
    }
}
