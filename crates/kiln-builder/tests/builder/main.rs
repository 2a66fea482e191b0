//! The builder against the interpreter, and its diagnostics.

mod control;
mod diagnostics;
mod functions;
mod gradients;
mod random;
mod values;

use kiln_builder::{Expr, Graph, Tensor};
use kiln_ir::{Initializer, InputKind};

/// Finishes a function of these outputs and evaluates it; variables start at zero, their constant, or their value.
#[track_caller]
pub fn run(g: &Graph, outputs: &[&Expr], feeds: &[(&str, Tensor)]) -> Vec<Tensor> {
    let func = g.function(outputs.iter().copied()).finish().unwrap_or_else(|d| panic!("{d}"));
    eval(&func, feeds)
}

/// Evaluates a function.
#[track_caller]
pub fn eval(func: &kiln_ir::Func, feeds: &[(&str, Tensor)]) -> Vec<Tensor> {
    let fixed = |n: &str| feeds.iter().find(|(name, _)| *name == n).map(|(_, t)| t.clone());
    let start = |i: &kiln_ir::Input| match &i.kind {
        InputKind::Feed => panic!("no feed for {}", i.name),
        InputKind::Variable(Initializer::Value(t)) => t.clone(),
        InputKind::Variable(Initializer::Constant(c)) => {
            let n = i.ty.shape.num_elements().unwrap();
            Tensor::from_vec(i.ty.shape.as_sizes().unwrap(), vec![*c as f32; n]).unwrap()
        }
        InputKind::Variable(_) => Tensor::zeros(i.ty.dtype, i.ty.shape.as_sizes().unwrap()).unwrap(),
    };
    let inputs: Vec<Tensor> = func.inputs.iter().map(|i| fixed(&i.name).unwrap_or_else(|| start(i))).collect();
    kiln_interp::eval(func, &inputs).unwrap_or_else(|e| panic!("{e}\n{}", kiln_ir::text::print(func)))
}

/// A f32 tensor.
pub fn t(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::from_slice(shape, data).unwrap()
}

/// The elements of a f32 result.
pub fn f32s(t: &Tensor) -> Vec<f32> {
    t.to_vec().unwrap()
}

/// Element by element within a tolerance that covers a few roundings of f32.
#[track_caller]
pub fn close(a: &Tensor, expected: &[f32]) {
    let a = f32s(a);
    assert_eq!(a.len(), expected.len());
    for (x, y) in a.iter().zip(expected) {
        assert!((x - y).abs() <= 2e-6 * y.abs().max(1.0), "{a:?} is not {expected:?}");
    }
}
