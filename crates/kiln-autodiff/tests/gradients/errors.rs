use crate::check::Case;
use kiln_ir::op::Reducer;
use kiln_ir::{DType, Op, UnaryOp, dims};

#[test]
fn bits_have_no_derivative() {
    let mut c = Case::new();
    let x = c.x(&[3]);
    let bits = c.op(Op::BitcastConvert(DType::I64), &[x]);
    let back = c.op(Op::BitcastConvert(DType::F64), &[bits]);
    let direct = c.op(Op::BitcastConvert(DType::F64), &[x]);
    // Through integers: zero, no error.
    let mut through = c.clone();
    through.out(back);
    assert_eq!(through.gradient().eval()[0].as_slice::<f64>().unwrap(), [0.0; 3]);
    c.out(direct);
    let e = c.try_gradient().err().expect("no derivative").to_string();
    assert!(e.contains("error[autodiff.bitcast_convert]") && e.contains("errors.rs"), "{e}");
}

#[test]
fn a_product_over_a_symbolic_size_is_refused() {
    let mut c = Case::new();
    let x = c.symbolic(dims!["n"], &[3]);
    let one = c.scalar(1.0);
    let y = c.op(Op::Reduce { axes: [0].into_iter().collect(), reducer: Reducer::Multiply }, &[x, one]);
    c.out(y);
    let e = c.try_gradient().err().expect("refused").to_string();
    assert!(e.contains("symbolic dimension"), "{e}");
}

#[test]
fn cotangents_are_checked() {
    let mut c = Case::new();
    let (x, wrong) = (c.x(&[3]), c.x(&[4]));
    let y = c.un(UnaryOp::Sine, x);
    let e = kiln_autodiff::vjp(&mut c.f, &[(y, wrong)], &[x]).unwrap_err().to_string();
    assert!(e.contains("f64[3], not f64[4]"), "{e}");
}

#[test]
fn what_does_not_depend_has_none() {
    let mut c = Case::new();
    let (x, other, ct) = (c.x(&[3]), c.x(&[3]), c.x(&[3]));
    let y = c.un(UnaryOp::Sine, x);
    let cts = kiln_autodiff::vjp(&mut c.f, &[(y, ct)], &[other, x]).unwrap();
    assert!(cts[0].is_none() && cts[1].is_some());
}

#[test]
fn linear_in_the_number_of_nodes() {
    // A chain of n nodes gives at most a few nodes for each: no blow-up, also for shared values.
    let mut c = Case::new();
    let x = c.x(&[2]);
    let mut y = x;
    for _ in 0..2000 {
        let s = c.un(UnaryOp::Sine, y);
        y = c.bin(kiln_ir::BinaryOp::Add, s, y);
    }
    let ct = c.x(&[2]);
    let before = c.f.nodes().len();
    kiln_autodiff::vjp(&mut c.f, &[(y, ct)], &[x]).unwrap();
    assert!(c.f.nodes().len() < 3 * before, "{} nodes from {before}", c.f.nodes().len());
}
