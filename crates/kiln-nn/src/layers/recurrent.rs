//! Recurrent layers: a scan over time. Equations and gate orders are PyTorch's.
//!
//! Inputs are `[time, batch, features]`. What does not depend on the state (the product of the inputs with their weights) is
//! computed for all times at once, before the loop. Initially all variables are uniform in `1 / sqrt(hidden)` of zero.

use super::{Params, checked, full_name};
use kiln_builder::{Diagnostic, Expr, Graph, Shape, init};

/// The variables of a recurrent layer.
#[derive(Clone, Debug)]
struct Cell {
    name: String,
    inputs: usize,
    hidden: usize,
    w_in: Expr,
    w_state: Expr,
    b: Option<Expr>,
}

impl Cell {
    #[track_caller]
    fn new(g: &Graph, inputs: usize, hidden: usize, gates: usize, params: &Params) -> Cell {
        let limit = limit(hidden);
        let uniform = |s: Shape| init::uniform(s, -limit, limit);
        let w_in = params.weight(g, "w_in", Shape::from_sizes(&[inputs, gates * hidden]), uniform);
        let w_state = params.weight(g, "w_state", Shape::from_sizes(&[hidden, gates * hidden]), uniform);
        let b = params.bias.then(|| uniform_bias(g, "b", gates * hidden, hidden, params));
        Cell { name: full_name(&w_in, "w_in"), inputs, hidden, w_in, w_state, b }
    }

    /// The part of the gates that comes from the inputs, for all times.
    #[track_caller]
    fn project(&self, x: &Expr) -> Option<Expr> {
        checked(&self.name, "inputs", x, -1, self.inputs)?;
        if x.rank() != 3 {
            x.graph().report(
                Diagnostic::new("recurrent.rank", format!("\"{}\" needs [time, batch, features]", self.name))
                    .label(format!("the input has {} dimensions", x.rank()))
                    .note("input", x.describe()),
            );
            return None;
        }
        let y = x.dot(&self.w_in);
        Some(match &self.b {
            Some(b) => y + b,
            None => y,
        })
    }

    /// A state of zeros for the batch of `x`.
    #[track_caller]
    fn zero_state(&self, x: &Expr) -> Expr {
        if x.rank() < 2 {
            return x.graph().poisoned();
        }
        x.graph().zeros(self.w_state.dtype(), [x.dim(1), self.hidden.into()])
    }
}

fn limit(hidden: usize) -> f64 {
    1.0 / (hidden.max(1) as f64).sqrt()
}

#[track_caller]
fn uniform_bias(g: &Graph, name: &str, size: usize, hidden: usize, params: &Params) -> Expr {
    let limit = limit(hidden);
    g.variable(name, init::uniform([size], -limit, limit).dtype(params.dtype))
}

/// The plain recurrent layer: `h = tanh(x w_in + h w_state + b)`.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::Rnn;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims![20, "batch", 32]);
/// let (sequence, last) = Rnn::new(&g, "rnn", 32, 64).apply(&x);
/// assert_eq!(sequence.ty().to_string(), "f32[20, batch, 64]");
/// assert_eq!(last.ty().to_string(), "f32[batch, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct Rnn(Cell);

impl Rnn {
    /// A layer of f32 with bias.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, inputs: usize, hidden: usize) -> Rnn {
        Rnn::with(g, name, inputs, hidden, &Params::default())
    }

    /// [`Rnn::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, inputs: usize, hidden: usize, params: &Params) -> Rnn {
        let _here = g.here();
        let _scope = g.enter(name);
        Rnn(Cell::new(g, inputs, hidden, 1, params))
    }

    /// The states at all times `[time, batch, hidden]` and the last one, starting from zeros.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> (Expr, Expr) {
        let _here = x.graph().here();
        self.apply_from(x, &self.0.zero_state(x))
    }

    /// [`Rnn::apply`] from a state `[batch, hidden]`.
    #[track_caller]
    pub fn apply_from(&self, x: &Expr, state: &Expr) -> (Expr, Expr) {
        let g = x.graph();
        let _here = g.here();
        let Some(projected) = self.0.project(x) else { return (g.poisoned(), g.poisoned()) };
        let (last, all) = g.scan(projected, state.clone(), |h, x| {
            let h = (x + h.dot(&self.0.w_state)).tanh();
            (h.clone(), h)
        });
        (all, last)
    }
}

/// The state of an [`Lstm`], each `[batch, hidden]`.
#[derive(Clone, Debug)]
pub struct LstmState {
    /// The output.
    pub h: Expr,
    /// The cell.
    pub c: Expr,
}

/// Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates). The gates in the variables are in the order input,
/// forget, cell, output: `c = f c + i g; h = o tanh(c)`.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::Lstm;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims![20, "batch", 32]);
/// let (sequence, last) = Lstm::new(&g, "lstm", 32, 64).apply(&x);
/// assert_eq!(sequence.ty().to_string(), "f32[20, batch, 64]");
/// assert_eq!(last.c.ty().to_string(), "f32[batch, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct Lstm(Cell);

impl Lstm {
    /// A layer of f32 with bias.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, inputs: usize, hidden: usize) -> Lstm {
        Lstm::with(g, name, inputs, hidden, &Params::default())
    }

    /// [`Lstm::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, inputs: usize, hidden: usize, params: &Params) -> Lstm {
        let _here = g.here();
        let _scope = g.enter(name);
        Lstm(Cell::new(g, inputs, hidden, 4, params))
    }

    /// The outputs at all times `[time, batch, hidden]` and the last state, starting from zeros.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> (Expr, LstmState) {
        let _here = x.graph().here();
        let zero = self.0.zero_state(x);
        self.apply_from(x, &LstmState { h: zero.clone(), c: zero })
    }

    /// [`Lstm::apply`] from a state.
    #[track_caller]
    pub fn apply_from(&self, x: &Expr, state: &LstmState) -> (Expr, LstmState) {
        let g = x.graph();
        let _here = g.here();
        let Some(projected) = self.0.project(x) else {
            return (g.poisoned(), LstmState { h: g.poisoned(), c: g.poisoned() });
        };
        let start = (state.h.clone(), state.c.clone());
        let ((h, c), all) = g.scan(projected, start, |(h, c), x| {
            let gates = (x + h.dot(&self.0.w_state)).split(4, -1);
            let [i, f, cell, o] = &gates[..] else { return ((h.clone(), c), h) };
            let c = f.sigmoid() * c + i.sigmoid() * cell.tanh();
            let h = o.sigmoid() * c.tanh();
            ((h.clone(), c), h)
        });
        (all, LstmState { h, c })
    }
}

/// Gated recurrent unit (Cho et al. 2014, with the reset gate behind the product). The gates in the variables are in the order
/// reset, update, new: `n = tanh(x w_n + b_n + r (h u_n + b_state)); h = (1 - z) n + z h`.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::Gru;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims![20, "batch", 32]);
/// let (sequence, last) = Gru::new(&g, "gru", 32, 64).apply(&x);
/// assert_eq!(sequence.ty().to_string(), "f32[20, batch, 64]");
/// assert_eq!(last.ty().to_string(), "f32[batch, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct Gru {
    cell: Cell,
    b_state: Option<Expr>,
}

impl Gru {
    /// A layer of f32 with bias.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, inputs: usize, hidden: usize) -> Gru {
        Gru::with(g, name, inputs, hidden, &Params::default())
    }

    /// [`Gru::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, inputs: usize, hidden: usize, params: &Params) -> Gru {
        let _here = g.here();
        let _scope = g.enter(name);
        let cell = Cell::new(g, inputs, hidden, 3, params);
        let b_state = params.bias.then(|| uniform_bias(g, "b_state", hidden, hidden, params));
        Gru { cell, b_state }
    }

    /// The states at all times `[time, batch, hidden]` and the last one, starting from zeros.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> (Expr, Expr) {
        let _here = x.graph().here();
        self.apply_from(x, &self.cell.zero_state(x))
    }

    /// [`Gru::apply`] from a state `[batch, hidden]`.
    #[track_caller]
    pub fn apply_from(&self, x: &Expr, state: &Expr) -> (Expr, Expr) {
        let g = x.graph();
        let _here = g.here();
        let Some(projected) = self.cell.project(x) else { return (g.poisoned(), g.poisoned()) };
        let (last, all) = g.scan(projected, state.clone(), |h, x| {
            let from_input = x.split(3, -1);
            let from_state = h.dot(&self.cell.w_state).split(3, -1);
            let ([xr, xz, xn], [hr, hz, hn]) = (&from_input[..], &from_state[..]) else { return (h.clone(), h) };
            let r = (xr + hr).sigmoid();
            let z = (xz + hz).sigmoid();
            let hn = match &self.b_state {
                Some(b) => hn + b,
                None => hn.clone(),
            };
            let n = (xn + r * hn).tanh();
            let h = &n + z * (h - &n);
            (h.clone(), h)
        });
        (all, last)
    }
}
