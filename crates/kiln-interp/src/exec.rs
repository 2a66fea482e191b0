//! Running functions node by node.

use crate::error::{EvalError, NonFinite, Site};
use crate::ops::{self, Results};
use crate::scalar::lane::Lane;
use kiln_ir::{Diagnostics, Func, Node, NodeId, Op, Tensor, TensorType, Verified, infer, specialize, verify};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::ControlFlow;

/// How to evaluate.
#[derive(Clone, PartialEq, Debug)]
pub struct EvalOptions {
    /// Iterations after which a `while` fails; none means that it may run for ever.
    pub max_iterations: Option<u64>,
    /// Fail at the first node with a NaN in a result, inputs and constants included.
    pub stop_at_first_nan: bool,
    /// Fail at the first node that makes an infinity: it is no input or constant, and no operand has one.
    pub stop_at_first_infinity: bool,
    /// Largest result of a node, in bytes.
    pub max_bytes: usize,
}

impl Default for EvalOptions {
    /// No iteration limit, no search for NaN or infinity, results up to 8 GiB.
    fn default() -> EvalOptions {
        EvalOptions {
            max_iterations: None,
            stop_at_first_nan: false,
            stop_at_first_infinity: false,
            max_bytes: 8 << 30,
        }
    }
}

/// A node that was just evaluated.
#[derive(Clone, Copy)]
pub struct NodeEvent<'a> {
    /// The function that holds it, with all sizes known.
    pub func: &'a Func,
    /// Its id.
    pub id: NodeId,
    /// The node.
    pub node: &'a Node,
    /// Its results.
    pub results: &'a [Tensor],
    /// How many nodes with nested functions it lies in.
    pub depth: usize,
}

/// Watches an evaluation.
pub trait Observer {
    /// Called after every node, nested functions included, in order of evaluation. `Break` ends the evaluation with
    /// [`EvalError::Stopped`].
    fn node(&mut self, event: &NodeEvent<'_>) -> ControlFlow<()>;
}

impl Observer for () {
    fn node(&mut self, _: &NodeEvent<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Evaluates a function.
///
/// `inputs` are in the order of [`Func::inputs`] (variables included), the results in the order of [`Func::outputs`] (updates
/// included). Named dimensions are bound by the shapes of the inputs.
///
/// # Errors
/// When the function breaks a rule of [`kiln_ir::verify`], the inputs do not fit, or memory runs out.
///
/// ```
/// use kiln_ir::{BinaryOp, DType, Func, InputKind, Loc, Op, Tensor, TensorType, dims};
/// let mut f = Func::new("double");
/// let x = f.add_input("x", TensorType::new(DType::F32, dims!["n"]), InputKind::Feed, Loc::UNKNOWN);
/// let y = f.push1(Op::Binary(BinaryOp::Add), &[x, x], Loc::caller())?;
/// f.add_output("y", y);
/// let out = kiln_interp::eval(&f, &[Tensor::from_vec([3], vec![1.0f32, 2.0, 3.0])?])?;
/// assert_eq!(out[0].as_slice::<f32>()?, [2.0, 4.0, 6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn eval(func: &Func, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
    eval_with(func, inputs, &EvalOptions::default(), &mut ())
}

/// Evaluates a function under options, showing every node to an observer.
///
/// # Errors
/// As [`eval`], and as options and observer ask for.
pub fn eval_with(
    func: &Func,
    inputs: &[Tensor],
    options: &EvalOptions,
    observer: &mut dyn Observer,
) -> Result<Vec<Tensor>, EvalError> {
    let func = prepare(func, inputs)?;
    Exec { options, observer, depth: 0 }.call(&func, inputs)
}

/// Evaluates one operator on concrete operands, nested functions included.
///
/// # Errors
/// When the operator does not take these operands, or memory runs out.
///
/// ```
/// use kiln_ir::{Op, Tensor, UnaryOp};
/// let y = kiln_interp::eval_op(&Op::Unary(UnaryOp::Sqrt), &[Tensor::scalar(9.0f32)])?;
/// assert_eq!(y[0], Tensor::scalar(3.0f32));
/// # Ok::<(), kiln_interp::EvalError>(())
/// ```
pub fn eval_op(op: &Op, operands: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
    eval_op_with(op, operands, &EvalOptions::default())
}

/// [`eval_op`] under options.
///
/// # Errors
/// As [`eval_op`], and as the options ask for.
pub fn eval_op_with(op: &Op, operands: &[Tensor], options: &EvalOptions) -> Result<Vec<Tensor>, EvalError> {
    for region in op.regions() {
        verify::verify(region).map_err(EvalError::Invalid)?;
    }
    let site = || Site { op: op.name().to_string(), ..Site::default() };
    let types: Vec<TensorType> = operands.iter().map(Tensor::ty).collect();
    let types = infer::result_types(op, &types.iter().collect::<Vec<_>>())
        .map_err(|d| EvalError::Operands { site: site(), diagnostic: Box::new(d) })?;
    let mut exec = Exec { options, observer: &mut (), depth: 0 };
    let results = exec.op(op, &types, operands, &site)?;
    exec.check_finite(op, operands, &results, &site)?;
    Ok(results.into_vec())
}

/// Checks function and inputs, and binds named dimensions.
pub(crate) fn prepare<'f>(func: &'f Func, inputs: &[Tensor]) -> Result<Cow<'f, Func>, EvalError> {
    let verified = Verified::new(func).map_err(EvalError::Invalid)?;
    if inputs.len() != func.inputs.len() {
        return Err(EvalError::InputCount {
            func: func.name.clone(),
            expected: func.inputs.len(),
            found: inputs.len(),
        });
    }
    let func = if func.symbols().is_empty() { Cow::Borrowed(func) } else { Cow::Owned(bind(&verified, inputs)?) };
    for (input, tensor) in func.inputs.iter().zip(inputs) {
        let found = tensor.ty();
        if input.ty != found {
            let site = Site::of(&func, input.node, func.node(input.node));
            return Err(EvalError::InputType { site, expected: input.ty.clone(), found });
        }
    }
    Ok(func)
}

fn bind(func: &Verified<&Func>, inputs: &[Tensor]) -> Result<Func, EvalError> {
    let declared: Vec<(&str, &TensorType)> = func.inputs.iter().map(|i| (i.name.as_str(), &i.ty)).collect();
    let shapes: Vec<&[usize]> = inputs.iter().map(Tensor::shape).collect();
    let bound = || -> Result<Verified, Diagnostics> {
        specialize::specialize(func, &specialize::bind_dims(&declared, &shapes)?)
    };
    bound().map(Verified::into_func).map_err(EvalError::Invalid)
}

/// One evaluation.
pub(crate) struct Exec<'a> {
    pub options: &'a EvalOptions,
    pub observer: &'a mut dyn Observer,
    pub depth: usize,
}

impl Exec<'_> {
    /// Runs a verified function of known sizes on arguments of its types.
    fn call(&mut self, func: &Func, args: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let dying = last_uses(func);
        let mut values: Vec<Results> = Vec::with_capacity(func.nodes().len());
        for (id, node) in func.iter() {
            let results = self.node(func, id, args, &values)?;
            values.push(results);
            for v in &node.operands {
                if dying[v.node.index()] == id.index() {
                    values[v.node.index()].clear();
                }
            }
        }
        Ok(func.outputs.iter().map(|o| values[o.value.node.index()][o.value.result as usize].clone()).collect())
    }

    /// Evaluates a node from the values of the nodes before it.
    pub fn node(&mut self, func: &Func, id: NodeId, args: &[Tensor], values: &[Results]) -> Result<Results, EvalError> {
        let node = func.node(id);
        let site = || Site::of(func, id, node);
        let operands: SmallVec<[Tensor; 3]> =
            node.operands.iter().map(|v| values[v.node.index()][v.result as usize].clone()).collect();
        let results = match &node.op {
            Op::Parameter(i) => Results::from_elem(args[*i as usize].clone(), 1),
            op => self.op(op, &node.types, &operands, &site)?,
        };
        self.check_finite(&node.op, &operands, &results, &site)?;
        match self.observer.node(&NodeEvent { func, id, node, results: &results, depth: self.depth }) {
            ControlFlow::Continue(()) => Ok(results),
            ControlFlow::Break(()) => Err(EvalError::Stopped { site: site() }),
        }
    }

    fn op(
        &mut self,
        op: &Op,
        types: &[TensorType],
        operands: &[Tensor],
        site: &dyn Fn() -> Site,
    ) -> Result<Results, EvalError> {
        match op {
            Op::While { cond, body } => self.while_loop(cond, body, operands, site),
            Op::If { on_true, on_false } => {
                let taken = if scalar::<bool>(&operands[0], site)? { on_true } else { on_false };
                self.nested(taken, &operands[1..])
            }
            Op::Case { branches } => {
                let index = usize::try_from(scalar::<i32>(&operands[0], site)?).ok();
                let last = branches.len() - 1;
                self.nested(&branches[index.filter(|i| *i <= last).unwrap_or(last)], &operands[1..])
            }
            Op::Composite { body, .. } => self.nested(body, operands),
            Op::GenericReduce { .. }
            | Op::GenericReduceWindow { .. }
            | Op::GenericSelectAndScatter { .. }
            | Op::GenericScatter { .. }
            | Op::Sort { .. } => self.elementwise_region(op, types, operands, site),
            op => ops::eval(op, types, operands, self.options.max_bytes).map_err(|f| f.at(site())),
        }
    }

    pub fn nested(&mut self, func: &Func, args: &[Tensor]) -> Result<Results, EvalError> {
        self.depth += 1;
        let results = self.call(func, args);
        self.depth -= 1;
        results.map(Results::from_vec)
    }

    fn while_loop(
        &mut self,
        cond: &Func,
        body: &Func,
        operands: &[Tensor],
        site: &dyn Fn() -> Site,
    ) -> Result<Results, EvalError> {
        let mut state: Results = operands.into();
        let mut iterations = 0u64;
        while scalar::<bool>(&self.nested(cond, &state)?[0], site)? {
            if let Some(limit) = self.options.max_iterations.filter(|limit| iterations >= *limit) {
                return Err(EvalError::IterationLimit { site: site(), limit });
            }
            state = self.nested(body, &state)?;
            iterations += 1;
        }
        Ok(state)
    }

    fn check_finite(
        &self,
        op: &Op,
        operands: &[Tensor],
        results: &[Tensor],
        site: &dyn Fn() -> Site,
    ) -> Result<(), EvalError> {
        let given = matches!(op, Op::Parameter(_) | Op::Constant(_));
        let infinities = self.options.stop_at_first_infinity
            && !given
            && !operands.iter().any(|t| find(t, NonFinite::Infinity).is_some());
        for (value, wanted) in [(NonFinite::NaN, self.options.stop_at_first_nan), (NonFinite::Infinity, infinities)] {
            for (result, t) in results.iter().enumerate().filter(|_| wanted) {
                if let Some(element) = find(t, value) {
                    return Err(EvalError::NotFinite { site: site(), value, result, element });
                }
            }
        }
        Ok(())
    }
}

/// The only element of a value whose type was checked.
fn scalar<T: kiln_ir::Element>(t: &Tensor, site: &dyn Fn() -> Site) -> Result<T, EvalError> {
    t.item().map_err(|e| EvalError::Malformed { site: site(), reason: e.to_string() })
}

/// The position of the first NaN or infinity.
pub(crate) fn find(t: &Tensor, value: NonFinite) -> Option<usize> {
    if !t.dtype().is_float() && !t.dtype().is_complex() {
        return None;
    }
    crate::dispatch!(t.dtype(), T => t.as_slice::<T>().ok()?.iter().position(|&x| match value {
        NonFinite::NaN => Lane::is_nan(x),
        NonFinite::Infinity => !Lane::is_nan(x) && !Lane::is_finite(x),
    }))
}

/// For every node the last node that reads it; `usize::MAX` for outputs and for nodes that nothing reads.
fn last_uses(func: &Func) -> Vec<usize> {
    let mut last = vec![usize::MAX; func.nodes().len()];
    for (id, node) in func.iter() {
        for v in &node.operands {
            last[v.node.index()] = id.index();
        }
    }
    for o in &func.outputs {
        last[o.value.node.index()] = usize::MAX;
    }
    last
}
