//! What the tests of the optimizer share: inputs, evaluation and comparison.
#![allow(dead_code, reason = "each test file uses its part")]

use kiln_interp::{EvalOptions, eval_with};
use kiln_ir::op::Reducer;
use kiln_ir::{DType, DTypeClass, Func, Op, Tensor, TensorType};
pub use kiln_testing::Rng;

/// What the elements of floats are drawn from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Draw {
    /// Small whole numbers: sums and products are exact in any order.
    Whole,
    /// Infinities, NaN, zeros of both signs, subnormal, huge and ordinary numbers.
    Special,
}

const SPECIAL: [f64; 18] = [
    0.0,
    0.0,
    -0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.0,
    7.25,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e-40,
    -1e-40,
    3e38,
    0.1,
    1e9,
];

/// A random tensor of a type.
pub fn tensor(rng: &mut Rng, ty: &TensorType, draw: Draw) -> Tensor {
    let shape = ty.shape.as_sizes().expect("static");
    let n: usize = shape.iter().product();
    let ints: Vec<i64> = (0..n).map(|_| rng.below(11) as i64 - 4).collect();
    let floats: Vec<f64> = match draw {
        Draw::Whole => ints.iter().map(|&i| i as f64).collect(),
        Draw::Special => (0..n).map(|_| *rng.pick(&SPECIAL)).collect(),
    };
    match ty.dtype.class() {
        DTypeClass::Bool => {
            Tensor::from_vec(&shape, ints.iter().map(|i| i % 2 == 0).collect()).expect("the length fits")
        }
        _ if ty.dtype.is_int() && ty.dtype.bits() >= 8 => {
            Tensor::from_ints(ty.dtype, &shape, ints.iter().map(|&i| i.into())).expect("the length fits")
        }
        DTypeClass::Float => {
            // Through f32, as arithmetic on short types is carried out.
            let short = |x: f64| if ty.dtype == DType::F64 { x } else { f64::from(x as f32) };
            Tensor::from_numbers(ty.dtype, &shape, floats.into_iter().map(short)).expect("the length fits")
        }
        DTypeClass::Complex => {
            let other: Vec<f64> = match draw {
                Draw::Whole => (0..n).map(|_| rng.below(11) as f64 - 4.0).collect(),
                Draw::Special => (0..n).map(|_| *rng.pick(&SPECIAL)).collect(),
            };
            let parts = floats.into_iter().zip(other).flat_map(|(x, y)| [x, y]);
            let parts = Tensor::from_numbers(ty.dtype.real_type(), [2 * n], parts).expect("the length fits");
            Tensor::from_bytes(ty.dtype, &shape, parts.bytes()).expect("two parts each")
        }
        _ => {
            let small = ty.dtype;
            // Small whole numbers, or any element.
            let of_number = |x: f64| Tensor::scalar_of(small, x).bytes()[0];
            let of_bits = |bits: u64| {
                let unused = 8 - small.bits();
                let high = (bits as u8) << unused;
                if small.is_signed_int() { ((high as i8) >> unused) as u8 } else { high >> unused }
            };
            let bytes: Vec<u8> = match draw {
                Draw::Whole => ints.iter().map(|&i| of_number(i as f64)).collect(),
                Draw::Special => (0..n).map(|_| of_bits(rng.bits())).collect(),
            };
            Tensor::from_bytes(small, &shape, &bytes).expect("elements")
        }
    }
}

/// The same bytes as a tensor of another type: what legalizing does to inputs and outputs.
pub fn retyped(t: &Tensor, ty: &TensorType) -> Tensor {
    if t.ty() == *ty {
        return t.clone();
    }
    Tensor::from_bytes(ty.dtype, ty.shape.as_sizes().expect("static"), t.bytes()).expect("as many bytes")
}

/// Inputs of a function. Scalars of integer type are small and positive, so that loops counted by them end.
pub fn inputs(func: &Func, seed: u64, draw: Draw) -> Vec<Tensor> {
    let mut rng = Rng::new(seed + 1);
    func.inputs.iter().map(|i| tensor(&mut rng, &i.ty, draw)).collect()
}

/// Evaluates with a bound on loops; `None` when the bound is reached.
pub fn eval(func: &Func, inputs: &[Tensor]) -> Option<Vec<Tensor>> {
    let options = EvalOptions { max_iterations: Some(200), ..EvalOptions::default() };
    match eval_with(func, inputs, &options, &mut ()) {
        Ok(outputs) => Some(outputs),
        Err(kiln_interp::EvalError::IterationLimit { .. }) => None,
        Err(e) => panic!("{e}\n{}", kiln_ir::text::print(func)),
    }
}

/// Whether a float sum is somewhere in the function: its order, so the sign of its zeros, is free.
pub fn has_float_sum(func: &Func) -> bool {
    func.nodes().iter().any(|n| {
        let float = n.types.iter().any(|t| t.dtype.is_float() || t.dtype.is_complex());
        let sums = match &n.op {
            // Products of complex numbers are sums of products.
            _ if n.types.iter().any(|t| t.dtype.is_complex()) => true,
            Op::DotGeneral(_) | Op::Convolution(_) | Op::SelectAndScatter { .. } | Op::Scatter { .. } => true,
            Op::Reduce { reducer, .. } | Op::ReduceWindow { reducer, .. } => {
                matches!(reducer, Reducer::Add | Reducer::Multiply)
            }
            _ => false,
        };
        (float && sums) || n.op.regions().into_iter().any(has_float_sum)
    })
}

/// How far results may differ.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Tolerance {
    /// Bits (all NaN are one).
    Bits,
    /// Numbers: as bits, but zeros of both signs are one.
    Numbers,
    /// This much relative to the larger magnitude (or absolute below 1).
    Relative(f64),
}

/// The first difference, in words.
pub fn difference(a: &Tensor, b: &Tensor, tolerance: Tolerance) -> Option<String> {
    if a.ty() != b.ty() {
        return Some(format!("type {} became {}", a.ty(), b.ty()));
    }
    if a == b {
        return None;
    }
    if !a.dtype().is_float() && !a.dtype().is_complex() {
        return Some("integers differ".into());
    }
    let (x, y) = (a.numbers(), b.numbers());
    let same = |p: f64, q: f64| match tolerance {
        _ if p.is_nan() && q.is_nan() => true,
        Tolerance::Bits => p.to_bits() == q.to_bits(),
        Tolerance::Numbers => p == q,
        Tolerance::Relative(r) => p == q || (p - q).abs() <= r * p.abs().max(q.abs()).max(1.0),
    };
    let at = x.iter().zip(&y).position(|(p, q)| !same(*p, *q))?;
    Some(format!("element {at}: {:?} became {:?}", x[at], y[at]))
}

/// Asserts that two functions give the same on the same inputs.
pub fn assert_same(what: &str, before: &Func, after: &Func, seed: u64, draw: Draw, tolerance: Tolerance) {
    let inputs = inputs(before, seed, draw);
    let Some(expected) = eval(before, &inputs) else { return };
    let stored: Vec<Tensor> = inputs.iter().zip(&after.inputs).map(|(t, i)| retyped(t, &i.ty)).collect();
    let found = eval(after, &stored).unwrap_or_else(|| panic!("{what}: a loop does not end any more"));
    assert_eq!(expected.len(), found.len(), "{what}: number of outputs");
    for (i, (e, f)) in expected.iter().zip(&found).enumerate() {
        if let Some(d) = difference(e, &retyped(f, &e.ty()), tolerance) {
            panic!(
                "{what}: output {i}, {d}\nbefore:\n{}\nafter:\n{}",
                kiln_ir::text::print(before),
                kiln_ir::text::print(after)
            );
        }
    }
}
