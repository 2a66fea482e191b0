use crate::check::Case;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Op, Tensor, UnaryOp};

#[test]
fn unary() {
    use UnaryOp as U;
    for &op in U::ALL {
        // Inside of each function's domain and away from its kinks.
        let (low, high) = match op {
            U::Log | U::Sqrt | U::Rsqrt | U::Cbrt => (0.3, 3.0),
            U::LogPlusOne => (-0.5, 2.0),
            U::Tan => (-1.0, 1.0),
            U::Ceil | U::Floor => (0.1, 0.9),
            U::RoundNearestAfz | U::RoundNearestEven => (0.6, 1.4),
            U::Not | U::Popcnt | U::CountLeadingZeros | U::IsFinite => continue,
            _ => (-2.0, 2.0),
        };
        let mut c = Case::new();
        let x = c.input(&[3, 5], low, high);
        let y = c.un(op, x);
        c.done(y);
    }
}

#[test]
fn binary() {
    use BinaryOp as B;
    for &op in B::ALL {
        let ((a, b), (p, q)) = match op {
            B::Power => ((0.2, 2.0), (-2.0, 2.0)),
            B::Divide => ((-2.0, 2.0), (0.5, 2.0)),
            B::Remainder => ((3.1, 3.9), (0.8, 1.0)),
            B::Atan2 => ((0.2, 1.0), (-1.0, 1.0)),
            B::And | B::Or | B::Xor | B::ShiftLeft | B::ShiftRightArithmetic | B::ShiftRightLogical => continue,
            _ => ((-2.0, 2.0), (-2.0, 2.0)),
        };
        let mut c = Case::new();
        let x = c.input(&[7], a, b);
        let y = c.input(&[7], p, q);
        let z = c.bin(op, x, y);
        c.done(z);
    }
}

#[test]
fn power_at_zero() {
    // x^2 at 0, and 0^y: no NaN.
    let mut c = Case::new();
    let x = c.input_of(&[3], vec![0.0, -1.5, 2.0]);
    let two = c.input_of(&[3], vec![2.0, 2.0, 2.0]);
    let z = c.bin(BinaryOp::Power, x, two);
    c.out(z);
    let g = c.gradient().eval();
    assert!(g[0].as_slice::<f64>().unwrap().iter().all(|v| v.is_finite()));
    assert_eq!(g[1].as_slice::<f64>().unwrap()[0], 0.0);
}

#[test]
fn same_operand_twice() {
    let mut c = Case::new();
    let x = c.x(&[4]);
    let y = c.bin(BinaryOp::Multiply, x, x);
    let z = c.bin(BinaryOp::Multiply, y, x);
    c.done(z);
}

#[test]
fn select_and_clamp() {
    let mut c = Case::new();
    let p = c.bools(&[5], vec![true, false, true, true, false]);
    let (x, y) = (c.x(&[5]), c.x(&[5]));
    let z = c.op(Op::Select, &[p, x, y]);
    c.done(z);

    let mut c = Case::new();
    let p = c.bools(&[], vec![true]);
    let (x, y) = (c.x(&[5]), c.x(&[5]));
    let z = c.op(Op::Select, &[p, x, y]);
    c.done(z);

    let mut c = Case::new();
    let low = c.input(&[], -0.3, -0.2);
    let high = c.input(&[], 0.2, 0.3);
    let x = c.x(&[9]);
    let y = c.op(Op::Clamp, &[low, x, high]);
    c.done(y);

    let mut c = Case::new();
    let (low, x, high) = (c.input(&[9], -1.0, 0.2), c.x(&[9]), c.input(&[9], -0.2, 1.0));
    let y = c.op(Op::Clamp, &[low, x, high]);
    c.done(y);
}

#[test]
fn a_tie_with_a_literal_goes_to_the_literal() {
    let mut c = Case::new();
    let x = c.input_of(&[3], vec![-1.0, 0.0, 1.0]);
    let zero = c.f.constant(Tensor::from_vec([3], vec![0.0f64; 3]).unwrap(), Default::default());
    let y = c.bin(BinaryOp::Maximum, x, zero);
    c.out(y);
    let g = c.gradient();
    let ct = g.inputs[1].as_slice::<f64>().unwrap()[2];
    assert_eq!(g.eval()[0].as_slice::<f64>().unwrap(), [0.0, 0.0, ct]);
}

#[test]
fn ties_of_variables_share() {
    let mut c = Case::new();
    let x = c.input_of(&[1], vec![2.0]);
    let y = c.input_of(&[1], vec![2.0]);
    let z = c.bin(BinaryOp::Minimum, x, y);
    c.out(z);
    let g = c.gradient();
    let ct = g.inputs[2].as_slice::<f64>().unwrap()[0];
    let out = g.eval();
    assert_eq!(out[0].item::<f64>().unwrap(), ct / 2.0);
    assert_eq!(out[1].item::<f64>().unwrap(), ct / 2.0);
}

#[test]
fn conversions() {
    // Through f32 and back the gradient is one, but differences see the rounding: compare with the exact value.
    let mut c = Case::new();
    let x = c.x(&[3]);
    let narrow = c.op(Op::Convert(DType::F32), &[x]);
    let wide = c.op(Op::Convert(DType::F64), &[narrow]);
    c.out(wide);
    let g = c.gradient();
    let ct = g.inputs[1].as_slice::<f64>().unwrap();
    for (a, b) in g.eval()[0].as_slice::<f64>().unwrap().iter().zip(ct) {
        assert_eq!(*a, f64::from(*b as f32));
    }

    // Through an integer nothing flows.
    let mut c = Case::new();
    let x = c.input(&[3], 0.1, 0.9);
    let i = c.op(Op::Convert(DType::I32), &[x]);
    let y = c.op(Op::Convert(DType::F64), &[i]);
    c.done(y);
}

#[test]
fn compare_and_barrier() {
    let mut c = Case::new();
    let (x, y) = (c.x(&[4]), c.x(&[4]));
    let p = c.op(Op::Compare(CompareDirection::GT), &[x, y]);
    let s = c.un(UnaryOp::Sine, x);
    let z = c.op(Op::Select, &[p, s, y]);
    let b = c.op(Op::OptimizationBarrier, &[z]);
    c.done(b);
}
