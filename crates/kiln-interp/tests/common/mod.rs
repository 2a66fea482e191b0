//! Short ways to write tensors and to run one operator.
#![allow(dead_code, reason = "each test file uses its part")]

use kiln_interp::scalar::Scalar;
use kiln_ir::{DType, Element, Op, Tensor};

/// A tensor of these elements.
pub fn t<T: Element>(shape: &[usize], data: &[T]) -> Tensor {
    Tensor::from_slice(shape, data).expect("the length fits")
}

/// `(i * mul) % modulus + offset` for the row-major position `i`.
pub fn seq(shape: &[usize], mul: i32, modulus: i32, offset: i32) -> Tensor {
    let n: usize = shape.iter().product();
    t(shape, &(0..n as i32).map(|i| (i * mul) % modulus + offset).collect::<Vec<_>>())
}

/// The only result of an operator.
pub fn run(op: Op, operands: &[Tensor]) -> Tensor {
    let mut results = kiln_interp::eval_op(&op, operands).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(results.len(), 1);
    results.remove(0)
}

/// The tensor converted to another type.
pub fn to(dtype: DType, x: &Tensor) -> Tensor {
    run(Op::Convert(dtype), std::slice::from_ref(x))
}

/// The elements as numbers.
pub fn numbers(x: &Tensor) -> Vec<f64> {
    (0..x.len()).map(|i| Scalar::read(x, i).expect("in range").to_f64()).collect()
}

/// Asserts shape and i32 elements.
pub fn expect(what: &str, x: &Tensor, shape: &[usize], data: &[i32]) {
    assert_eq!(x.shape(), shape, "{what}");
    assert_eq!(x.as_slice::<i32>().expect("i32"), data, "{what}");
}
