//! Random numbers in the graph: explicit states, counter based, reproducible on every target.

use crate::expr::Expr;
use crate::graph::{Graph, UpdateWhen};
use crate::init;
use kiln_ir::op::RngAlgorithm;
use kiln_ir::{DType, Diagnostic, Op, Shape, Tensor, TensorType};
use std::cell::RefCell;
use std::rc::Rc;

/// A source of random numbers: a state (key and counter, `u64[2]`) that every draw advances.
///
/// ```
/// use kiln_builder::{DType, Graph, dims};
/// let g = Graph::new("g");
/// let rng = g.rng_state("dropout", 42);
/// let keep = rng.bernoulli(0.9, dims!["batch", 256]);
/// let noise = rng.normal(DType::F32, dims![8]);
/// assert_eq!((keep.dtype(), noise.dtype()), (DType::Bool, DType::F32));
/// ```
#[derive(Clone)]
pub struct Rng {
    graph: Graph,
    state: Rc<RefCell<Expr>>,
    variable: Option<Expr>,
}

impl Graph {
    /// A source that starts at this state, an expression of type `u64[2]` (key, counter). For use in loops: carry
    /// [`Rng::state`] along.
    #[track_caller]
    pub fn rng(&self, state: &Expr) -> Rng {
        let wanted = TensorType::new(DType::U64, [2]);
        let state = if state.is_poisoned() || state.ty() == wanted {
            state.clone()
        } else {
            state.fail("rng.state", "a random state is u64[2]", format!("this is {}", state.ty()))
        };
        Rng { graph: self.clone(), state: Rc::new(RefCell::new(state)), variable: None }
    }

    /// A source whose key is a literal: the same numbers in every run.
    #[track_caller]
    pub fn rng_from_seed(&self, seed: u64) -> Rng {
        let state = self.constant([seed, 0u64]);
        self.rng(&state)
    }

    /// A source that goes on from run to run: its state is a variable, updated by every function that draws from it.
    #[track_caller]
    pub fn rng_state(&self, name: &str, seed: u64) -> Rng {
        let _here = self.here();
        let start = Tensor::from_vec([2], vec![seed, 0u64]).expect("two elements");
        let variable = self.variable(name, init::value(start).trainable(false));
        Rng { variable: Some(variable.clone()), ..self.rng(&variable) }
    }
}

impl Rng {
    /// The state after all draws so far.
    pub fn state(&self) -> Expr {
        self.state.borrow().clone()
    }

    /// Uniformly random bits of an integer type.
    #[track_caller]
    pub fn bits(&self, dtype: DType, shape: impl Into<Shape>) -> Expr {
        let _here = self.graph.here();
        let state = self.state();
        if state.is_poisoned() {
            return state;
        }
        if self.variable.is_some() && self.graph.in_closure() {
            return self.graph.fail(
                Diagnostic::new("rng.closure", "a stateful source cannot be drawn from inside a control flow closure")
                    .label("every iteration would draw the same numbers")
                    .help("carry a state through the loop: `let rng = g.rng(&state)`, draw, return `rng.state()`"),
            );
        }
        let op = Op::RngBitGenerator { algorithm: RngAlgorithm::ThreeFry, ty: TensorType::new(dtype, shape) };
        let results = self.graph.emit_n(op, &[&state], 2);
        let [next, bits] = &results[..] else { return self.graph.poisoned() };
        *self.state.borrow_mut() = next.clone();
        if let Some(variable) = &self.variable {
            self.graph.register_update(variable, next, UpdateWhen::Reached);
        }
        bits.clone()
    }

    /// A state for an independent source: for another use or another loop.
    #[track_caller]
    pub fn split(&self) -> Expr {
        let _here = self.graph.here();
        // A fresh key from the stream; the counter starts at 0.
        let key = self.bits(DType::U64, [1]);
        let zero = self.graph.constant([0u64]);
        self.graph.concat(&[&key, &zero], 0)
    }

    /// Uniform in `[0, 1)`, a multiple of the dtype's epsilon.
    #[track_caller]
    pub fn uniform(&self, dtype: DType, shape: impl Into<Shape>) -> Expr {
        let _here = self.graph.here();
        // Random mantissa bits under the exponent of 1 give [1, 2).
        let shape = shape.into();
        let one_to_two = match dtype {
            DType::F16 => ((self.bits(DType::U16, shape) >> 6u16) | 0x3c00u16).bitcast::<half::f16>(),
            DType::BF16 => ((self.bits(DType::U16, shape) >> 9u16) | 0x3f80u16).bitcast::<half::bf16>(),
            DType::F32 => ((self.bits(DType::U32, shape) >> 9u32) | 0x3f80_0000u32).bitcast::<f32>(),
            DType::F64 => ((self.bits(DType::U64, shape) >> 12u64) | 0x3ff0_0000_0000_0000u64).bitcast::<f64>(),
            other => {
                let d = Diagnostic::new("uniform.dtype", "uniform numbers are floats");
                return self.graph.fail(d.label(format!("{other} asked for")).help("use `bits` for integers"));
            }
        };
        one_to_two - 1
    }

    /// Uniform in `[low, high)`.
    #[track_caller]
    pub fn uniform_in(&self, dtype: DType, shape: impl Into<Shape>, low: f64, high: f64) -> Expr {
        let _here = self.graph.here();
        let x = self.uniform(dtype, shape) * (high - low) + low;
        x.maximum(low)
    }

    /// Standard normal numbers (Box and Muller 1958); f16 and bf16 are rounded from f32.
    #[track_caller]
    pub fn normal(&self, dtype: DType, shape: impl Into<Shape>) -> Expr {
        let _here = self.graph.here();
        let shape = shape.into();
        let compute = dtype.compute_type();
        let u = 1 - self.uniform(compute, &shape);
        let v = self.uniform(compute, &shape);
        ((u.log() * -2).sqrt() * (v * std::f64::consts::TAU).cos()).cast_to(dtype)
    }

    /// True with probability `p`.
    #[track_caller]
    pub fn bernoulli(&self, p: f64, shape: impl Into<Shape>) -> Expr {
        let _here = self.graph.here();
        self.uniform(DType::F32, shape).lt(p)
    }
}
