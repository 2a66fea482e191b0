//! Eager debugging: stepping through a function and recording what it computes.

use crate::error::{EvalError, NonFinite};
use crate::exec::{EvalOptions, Exec, NodeEvent, Observer, find, prepare};
use crate::ops::Results;
use crate::scalar::Scalar;
use crate::scalar::lane::Wide;
use kiln_ir::{Func, Loc, NodeId, Tensor, Value};
use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Evaluates a function one node at a time and keeps every value.
///
/// ```
/// use kiln_ir::{DType, Func, InputKind, Loc, Op, Tensor, TensorType, UnaryOp};
/// let mut f = Func::new("f");
/// let x = f.add_input("x", TensorType::scalar(DType::F32), InputKind::Feed, Loc::UNKNOWN);
/// let y = f.push1(Op::Unary(UnaryOp::Exponential), &[x], Loc::caller())?;
/// f.node_mut(y.node).name = Some("e".into());
/// f.add_output("y", y);
/// let mut s = kiln_interp::Stepper::new(&f, &[Tensor::scalar(0.0f32)], Default::default())?;
/// while let Some(id) = s.step()? {
///     println!("{} = {}", s.func().node(id).op.name(), kiln_interp::summary(&s.results(id)[0]));
/// }
/// assert_eq!(s.named("e"), Some(&Tensor::scalar(1.0f32)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stepper<'f> {
    func: Cow<'f, Func>,
    inputs: Vec<Tensor>,
    options: EvalOptions,
    values: Vec<Results>,
}

impl<'f> Stepper<'f> {
    /// Stands before the first node.
    ///
    /// # Errors
    /// As [`crate::eval`].
    pub fn new(func: &'f Func, inputs: &[Tensor], options: EvalOptions) -> Result<Stepper<'f>, EvalError> {
        let func = prepare(func, inputs)?;
        Ok(Stepper { func, inputs: inputs.to_vec(), options, values: Vec::new() })
    }

    /// The function, with all sizes known.
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// The node that [`Stepper::step`] evaluates next; none at the end.
    pub fn next(&self) -> Option<NodeId> {
        (self.values.len() < self.func.nodes().len()).then_some(NodeId(self.values.len() as u32))
    }

    /// Evaluates the next node (with all that is nested in it) and returns it; none at the end.
    ///
    /// # Errors
    /// As [`crate::eval_with`]; the stepper stays before the node.
    pub fn step(&mut self) -> Result<Option<NodeId>, EvalError> {
        let Some(id) = self.next() else { return Ok(None) };
        let mut exec = Exec { options: &self.options, observer: &mut (), depth: 0 };
        let results = exec.node(&self.func, id, &self.inputs, &self.values)?;
        self.values.push(results);
        Ok(Some(id))
    }

    /// Steps until a node of this name is evaluated; false when the end came first.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub fn run_to(&mut self, name: &str) -> Result<bool, EvalError> {
        while let Some(id) = self.step()? {
            if self.func.node(id).name.as_deref() == Some(name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Steps to the end and gives the outputs.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub fn finish(&mut self) -> Result<Vec<Tensor>, EvalError> {
        while self.step()?.is_some() {}
        Ok(self.func.outputs.iter().filter_map(|o| self.value(o.value)).cloned().collect())
    }

    /// All results of a node; empty before it is evaluated.
    pub fn results(&self, id: NodeId) -> &[Tensor] {
        self.values.get(id.index()).map_or(&[], |r| r.as_slice())
    }

    /// A value, once it is evaluated.
    pub fn value(&self, v: Value) -> Option<&Tensor> {
        self.results(v.node).get(v.result as usize)
    }

    /// The first result of the last evaluated node of this name.
    pub fn named(&self, name: &str) -> Option<&Tensor> {
        let done = self.func.iter().take(self.values.len());
        let id = done.filter(|(_, n)| n.name.as_deref() == Some(name)).map(|(id, _)| id).next_back()?;
        self.results(id).first()
    }
}

/// A node that a [`Trace`] recorded.
#[derive(Clone, Debug)]
pub struct TraceEntry {
    /// The function that holds it.
    pub func: String,
    /// How many nodes with nested functions it lies in.
    pub depth: usize,
    /// Its id.
    pub id: NodeId,
    /// The user's name for it.
    pub name: Option<Arc<str>>,
    /// The operator's name.
    pub op: String,
    /// The user's source line.
    pub loc: Loc,
    /// Its results.
    pub results: Vec<Tensor>,
}

/// Records every node of an evaluation, nested functions and iterations included.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The nodes, in order of evaluation (a node comes after those nested in it).
    pub entries: Vec<TraceEntry>,
}

impl Trace {
    /// Every recorded evaluation of nodes of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a TraceEntry> {
        self.entries.iter().filter(move |e| e.name.as_deref() == Some(name))
    }
}

impl Observer for Trace {
    fn node(&mut self, e: &NodeEvent<'_>) -> ControlFlow<()> {
        self.entries.push(TraceEntry {
            func: e.func.name.clone(),
            depth: e.depth,
            id: e.id,
            name: e.node.name.clone(),
            op: e.node.op.name().to_string(),
            loc: e.node.loc.clone(),
            results: e.results.to_vec(),
        });
        ControlFlow::Continue(())
    }
}

impl fmt::Display for Trace {
    /// One line for every result: nesting, node, operator, name, summary, source line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for e in &self.entries {
            for r in &e.results {
                write!(f, "{:indent$}%{} {}", "", e.id.0, e.op, indent = 2 * e.depth)?;
                if let Some(name) = &e.name {
                    write!(f, " \"{name}\"")?;
                }
                write!(f, " {}", summary(r))?;
                if e.loc.is_unknown() { writeln!(f) } else { writeln!(f, " ({})", e.loc) }?;
            }
        }
        Ok(())
    }
}

fn show(x: Scalar) -> String {
    match x.widen() {
        Wide::C(z) => format!("({}, {})", z.re, z.im),
        _ => x.to_f64().to_string(),
    }
}

/// Type, least, greatest and mean value of a tensor, and whether it holds NaN or infinities; small tensors in full.
/// Complex numbers are compared by magnitude.
///
/// ```
/// let t = kiln_ir::Tensor::from_vec([2], vec![1i32, 2])?;
/// assert_eq!(kiln_interp::summary(&t), "i32[2] = [1, 2]");
/// # Ok::<(), kiln_ir::TensorError>(())
/// ```
pub fn summary(t: &Tensor) -> String {
    let elements = (0..t.len()).filter_map(|i| Scalar::read(t, i));
    if t.len() <= 8 {
        let list: Vec<String> = elements.map(show).collect();
        return format!("{} = [{}]", t.ty(), list.join(", "));
    }
    // Complex numbers by their magnitude.
    let values: Vec<f64> = elements.map(|x| if t.dtype().is_complex() { x.magnitude() } else { x.to_f64() }).collect();
    let (least, greatest) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let what = if t.dtype().is_complex() { "magnitudes " } else { "" };
    let mut text = format!("{}: {what}{least} to {greatest}, mean {mean}", t.ty());
    for (value, word) in [(NonFinite::NaN, "NaN"), (NonFinite::Infinity, "infinity")] {
        if let Some(i) = find(t, value) {
            text += &format!(", first {word} at {i}");
        }
    }
    text
}
