//! Random typed graphs, evaluated by the interpreter as they grow.
//!
//! Every value carries a bound of the error that a compiled graph may have there. Data movement, integers, and the correctly
//! rounded float operators are exact; transcendental functions and reassociated sums are not, and what is computed from
//! them is kept away from operators that are discontinuous or badly conditioned (their inputs are clamped to a small range first).

mod control;
mod data;
mod exotic;
mod ops;
mod structured;
mod windows;

use kiln::ir::{DType, Func, InputKind, Loc, Op, Tensor, Value};
use kiln_testing::Rng;

/// A value of the graph with its contents.
#[derive(Clone, Debug)]
pub struct Entry {
    value: Value,
    tensor: Tensor,
    /// Largest absolute error that a compiled graph may have; 0 = exact.
    error: f64,
}

/// A random graph with inputs and expected results.
#[derive(Clone, Debug)]
pub struct Case {
    /// The graph.
    pub func: Func,
    /// The feeds, in order.
    pub inputs: Vec<Tensor>,
    /// Expected outputs, each with the error allowed.
    pub expected: Vec<(Tensor, f64)>,
}

/// A graph under construction.
pub(crate) struct Gen {
    rng: Rng,
    func: Func,
    inputs: Vec<Tensor>,
    entries: Vec<Entry>,
}

/// Most elements of a value.
const MAX_ELEMENTS: usize = 3000;

/// The unit roundoff bound used for a dtype: the distance from 1 to the next number.
pub(crate) fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON,
        DType::F32 => f64::from(f32::EPSILON),
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        DType::C64 | DType::C128 => epsilon(dtype.real_type()),
        other => other.mini_format().map_or(0.0, |f| 2f64.powi(-(f.mantissa_bits as i32))),
    }
}

impl Gen {
    fn new(seed: u64) -> Gen {
        Gen { rng: Rng::new(seed), func: Func::new("random"), inputs: Vec::new(), entries: Vec::new() }
    }

    /// Appends a node if its operands fit, evaluates it, and records its first result.
    fn emit(&mut self, op: Op, operands: &[&Entry], error: impl Fn(&Tensor) -> f64) -> Option<Entry> {
        let values: Vec<Value> = operands.iter().map(|e| e.value).collect();
        let tensors: Vec<Tensor> = operands.iter().map(|e| e.tensor.clone()).collect();
        let node = self.func.push(op.clone(), &values, Loc::UNKNOWN).ok()?;
        let results = kiln::interp::eval_op(&op, &tensors).unwrap_or_else(|e| panic!("{}: {e}", op.name()));
        let mut first = None;
        for (value, tensor) in self.func.results(node).zip(results) {
            let dtype = tensor.dtype();
            let error = if dtype.is_float() || dtype.is_complex() { error(&tensor) } else { 0.0 };
            let entry = Entry { value, tensor, error };
            if entry.tensor.len() <= MAX_ELEMENTS {
                self.entries.push(entry.clone());
            }
            first.get_or_insert(entry);
        }
        first
    }

    /// A node whose results are as exact as its operands.
    fn emit_moved(&mut self, op: Op, operands: &[&Entry]) -> Option<Entry> {
        let error = operands.iter().fold(0.0f64, |a, e| a.max(e.error));
        self.emit(op, operands, |_| error)
    }

    /// A random entry that fulfils a condition.
    fn find(&mut self, ok: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let fitting: Vec<usize> = (0..self.entries.len()).filter(|&i| ok(&self.entries[i])).collect();
        if fitting.is_empty() {
            return None;
        }
        // Later values are likelier, so that graphs grow deep.
        let i = fitting.len() - 1 - self.rng.below(fitting.len()).min(self.rng.below(fitting.len()));
        Some(self.entries[fitting[i]].clone())
    }

    fn input(&mut self, tensor: Tensor) -> Entry {
        let name = format!("x{}", self.inputs.len());
        let value = self.func.add_input(name, tensor.ty(), InputKind::Feed, Loc::UNKNOWN);
        self.inputs.push(tensor.clone());
        let entry = Entry { value, tensor, error: 0.0 };
        self.entries.push(entry.clone());
        entry
    }

    fn constant(&mut self, tensor: Tensor) -> Entry {
        let value = self.func.constant(tensor.clone(), Loc::UNKNOWN);
        Entry { value, tensor, error: 0.0 }
    }
}

/// False for types whose sums and products of many terms have no bound here: complex, and floats that overflow early.
pub(crate) fn sums(dtype: DType) -> bool {
    !dtype.is_complex() && dtype.mini_format().is_none()
}

/// The largest finite absolute value.
pub(crate) fn magnitude(t: &Tensor) -> f64 {
    t.numbers().into_iter().filter(|x| x.is_finite()).fold(0.0, |a, x| a.max(x.abs()))
}

/// The graph of a seed: about `size` operators.
pub fn generate(seed: u64, size: usize) -> Case {
    let mut g = Gen::new(seed);
    for _ in 0..1 + g.rng.below(4) {
        let tensor = g.random_tensor();
        g.input(tensor);
    }
    for _ in 0..size {
        g.random_step();
    }
    let count = 1 + g.rng.below(4);
    let mut chosen: Vec<Entry> = (0..count).filter_map(|_| g.find(|_| true)).collect();
    chosen.extend(g.entries.last().cloned());
    let mut func = g.func;
    let mut expected = Vec::new();
    for (i, e) in chosen.into_iter().enumerate() {
        func.add_output(format!("y{i}"), e.value);
        expected.push((e.tensor, e.error));
    }
    Case { func, inputs: g.inputs, expected }
}

impl Gen {
    fn random_step(&mut self) {
        // A step that does not fit what is there makes nothing; the next one is tried.
        let _ = match self.rng.below(33) {
            0..=4 => self.unary(),
            5..=9 => self.binary(),
            10 => self.compare_select(),
            11 => self.convert(),
            12 => self.bitcast(),
            13..=14 => self.broadcast(),
            15 => self.reshape(),
            16 => self.transpose_or_reverse(),
            17 => self.slice(),
            18 => self.dynamic_slice(),
            19 => self.concatenate(),
            20 => self.pad(),
            21 => self.dot(),
            22..=23 => self.reduce(),
            24 => self.arg_reduce(),
            25 => self.reduce_window(),
            26 => self.convolution(),
            27 => self.gather_or_scatter(),
            28 => self.control_flow(),
            29..=31 => self.exotic(),
            _ => self.source(),
        };
    }
}
