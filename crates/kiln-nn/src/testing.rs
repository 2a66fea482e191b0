//! Runs functions with the interpreter, keeping variables between runs.

use kiln_builder::{DType, Expr, FunctionSpec, Graph, Tensor, grad};
use kiln_ir::{Func, Initializer, InputKind, OutputKind};
use std::collections::BTreeMap;

/// A function with the values of its variables.
pub(crate) struct Machine {
    func: Func,
    pub(crate) state: BTreeMap<String, Tensor>,
}

impl Machine {
    pub(crate) fn new(spec: &FunctionSpec) -> Machine {
        let func = match spec.finish() {
            Ok(f) => f,
            Err(d) => panic!("{d}"),
        };
        let mut state = BTreeMap::new();
        for input in &func.inputs {
            if let InputKind::Variable(init) = &input.kind {
                let shape = input.ty.shape.as_sizes().expect("variables have sizes");
                state.insert(input.name.clone(), initial(init, input.ty.dtype, &shape));
            }
        }
        Machine { func, state }
    }

    /// One run: fetches by name; variables are updated.
    pub(crate) fn run(&mut self, feeds: &[(&str, &Tensor)]) -> BTreeMap<String, Tensor> {
        let inputs: Vec<Tensor> = self
            .func
            .inputs
            .iter()
            .map(|i| match feeds.iter().find(|(n, _)| *n == i.name) {
                Some((_, t)) => (*t).clone(),
                None => self.state.get(&i.name).unwrap_or_else(|| panic!("{} is not fed", i.name)).clone(),
            })
            .collect();
        let values = kiln_interp::eval(&self.func, &inputs).unwrap_or_else(|e| panic!("{e}"));
        let mut fetches = BTreeMap::new();
        for (output, value) in self.func.outputs.iter().zip(values) {
            match output.kind {
                OutputKind::Fetch => fetches.insert(output.name.clone(), value),
                OutputKind::Update(i) => self.state.insert(self.func.inputs[i].name.clone(), value),
            };
        }
        fetches
    }
}

/// Some value of that distribution; tests do not depend on which.
fn initial(init: &Initializer, dtype: DType, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let mut state = 0x9e37_79b9u64;
    let mut unit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let values: Vec<f64> = match init {
        Initializer::Zeros => vec![0.0; n],
        Initializer::Constant(c) => vec![*c; n],
        Initializer::Uniform { low, high, .. } => (0..n).map(|_| low + (high - low) * unit()).collect(),
        Initializer::Normal { std, .. } | Initializer::TruncatedNormal { std, .. } => {
            (0..n).map(|_| (unit() * 2.0 - 1.0) * 3f64.sqrt() * std).collect()
        }
        Initializer::Value(t) => return t.clone(),
    };
    match dtype {
        DType::F64 => Tensor::from_vec(shape, values),
        DType::F32 => Tensor::from_vec(shape, values.iter().map(|&x| x as f32).collect()),
        DType::I32 => Tensor::from_vec(shape, values.iter().map(|&x| x as i32).collect()),
        other => panic!("no test has variables of {other}"),
    }
    .expect("as many values as the shape says")
}

pub(crate) fn f64s(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::from_vec(shape, values.to_vec()).expect("as many values as the shape says")
}

/// Values in about [-1, 1] without pattern.
pub(crate) fn noise(shape: &[usize], seed: u64) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|i| ((i as f64 + 1.0) * 12.9898 + seed as f64 * 78.233).sin()).collect();
    f64s(shape, &values)
}

#[track_caller]
pub(crate) fn assert_close(found: &Tensor, expected: &[f64], tolerance: f64) {
    let found: Vec<f64> = match found.dtype() {
        DType::F32 => found.to_vec::<f32>().expect("f32").into_iter().map(f64::from).collect(),
        _ => found.to_vec::<f64>().expect("f64"),
    };
    assert_eq!(found.len(), expected.len(), "{found:?} for {expected:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "found {found:?}, expected {expected:?}");
    }
}

/// Evaluates one value.
pub(crate) fn eval(value: &Expr, feeds: &[(&str, &Tensor)]) -> Tensor {
    let spec = value.graph().function([]).named("out", value).registered_updates(false);
    Machine::new(&spec).run(feeds).remove("out").expect("fetched")
}

/// Compares the gradient of `sum(value * weights)` with respect to all trainable variables and the given placeholders to central
/// differences. Everything is f64.
#[track_caller]
pub(crate) fn check_gradients(g: &Graph, value: &Expr, feeds: &[(&str, Tensor)], wrt: &[&Expr]) {
    let sizes = value.shape().as_sizes().expect("tests use fixed sizes");
    let weights = g.constant(noise(&sizes, 99));
    let loss = (value * weights).sum(..);
    let mut all = g.trainable_variables();
    all.extend(wrt.iter().map(|e| (*e).clone()));
    let gradients = grad(&loss, &all.iter().collect::<Vec<_>>());
    let mut spec = g.function([]).named("loss", &loss).registered_updates(false);
    for (i, gradient) in gradients.iter().enumerate() {
        spec = spec.named(&format!("grad{i}"), gradient);
    }
    let mut machine = Machine::new(&spec);
    let feeds: Vec<(&str, &Tensor)> = feeds.iter().map(|(n, t)| (*n, t)).collect();
    let out = machine.run(&feeds);
    for (i, variable) in all.iter().enumerate() {
        let name = variable.name().expect("inputs have names");
        let gradient = out[&format!("grad{i}")].to_vec::<f64>().expect("f64");
        let start = match feeds.iter().find(|(n, _)| *n == name) {
            Some((_, t)) => (*t).clone(),
            None => machine.state[&name].clone(),
        };
        for k in 0..gradient.len().min(24) {
            let mut at = |delta: f64| {
                let mut values = start.to_vec::<f64>().expect("f64");
                values[k] += delta;
                let moved = f64s(start.shape(), &values);
                let mut feeds: Vec<(&str, &Tensor)> = feeds.iter().filter(|(n, _)| *n != name).copied().collect();
                feeds.push((&name, &moved));
                machine.run(&feeds)["loss"].item::<f64>().expect("scalar")
            };
            // The step balances truncation (h^2) against rounding (1e-16 / h).
            let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
            let error = (numeric - gradient[k]).abs();
            assert!(
                error < 1e-6 * (1.0 + numeric.abs()),
                "{name}[{k}]: {numeric} by differences, {} found",
                gradient[k]
            );
        }
    }
}
