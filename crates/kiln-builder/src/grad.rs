//! Gradients.

use crate::control::{Origin, Out, Param, assemble, union_of_captures};
use crate::expr::{Expr, Place};
use crate::graph::{ClosedFrame, Graph};
use kiln_autodiff::{Derivatives, STOP_GRADIENT, jvp_with, vjp_with};
use kiln_ir::{DType, Diagnostic, Diagnostics, Func, InputKind, Loc, Op, TensorType, Value};

/// The gradients of a scalar with respect to each of `wrt`. What the loss does not depend on has gradient zero.
///
/// ```
/// use kiln_builder::{Graph, dims, grad, init};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 3]);
/// let w = g.variable("w", init::zeros([3]));
/// let loss = (x.dot(&w) - 1.0).square().mean(..);
/// let dw = &grad(&loss, &[&w])[0];
/// assert_eq!(dw.ty().to_string(), "f32[3]");
/// ```
#[track_caller]
pub fn grad(loss: &Expr, wrt: &[&Expr]) -> Vec<Expr> {
    let g = loss.graph().clone();
    let _here = g.here();
    if loss.is_poisoned() {
        return vec![g.poisoned(); wrt.len()];
    }
    if loss.rank() != 0 || !loss.dtype().is_float() {
        let label = format!("the loss is {}", loss.ty());
        let d = Diagnostic::new("grad.loss", "a gradient needs a loss that is a float scalar").label(label);
        g.report(d.note("loss", loss.describe()).help("reduce it with `.mean(..)` or `.sum(..)`, or use `vjp`"));
        return vec![g.poisoned(); wrt.len()];
    }
    let Some(one) = in_frame_of(loss, |g| g.ones(loss.dtype(), loss.shape())) else {
        return vec![g.poisoned(); wrt.len()];
    };
    vjp(&[loss], &[&one], wrt)
}

/// The loss itself and its gradients with respect to each of `wrt`.
#[track_caller]
pub fn value_and_grad(loss: &Expr, wrt: &[&Expr]) -> (Expr, Vec<Expr>) {
    (loss.clone(), grad(loss, wrt))
}

/// Reverse mode: the cotangents of `wrt`, given one cotangent for each output (of the output's type).
#[track_caller]
pub fn vjp(outputs: &[&Expr], cotangents: &[&Expr], wrt: &[&Expr]) -> Vec<Expr> {
    let Some(first) = outputs.first() else { return wrt.iter().map(|w| w.zeros_like()).collect() };
    let g = first.graph().clone();
    let _here = g.here();
    let poisoned = || vec![g.poisoned(); wrt.len()];
    if outputs.len() != cotangents.len() {
        let label = format!("{} outputs, {} cotangents", outputs.len(), cotangents.len());
        g.report(Diagnostic::new("vjp.cotangents", "every output needs one cotangent").label(label));
        return poisoned();
    }
    if !all_floats(&g, "vjp", wrt) {
        return poisoned();
    }
    let all: Vec<&Expr> = outputs.iter().chain(cotangents).copied().collect();
    let Some((frame, values)) = common_frame(&g, "vjp", &all, wrt) else { return poisoned() };
    let (outs, cts) = values.split_at(outputs.len());
    let pairs: Vec<(Value, Value)> = outs.iter().copied().zip(cts.iter().copied()).collect();
    let known = wrt_values(&g, wrt, frame);
    let targets: Vec<Value> = known.iter().flatten().copied().collect();
    let Some(found) = differentiate(&g, frame, |f| vjp_with(f, &pairs, &targets)) else { return poisoned() };
    let mut found = found.into_iter();
    let result = |(w, v): (&&Expr, &Option<Value>)| {
        let ct = v.and_then(|_| found.next().flatten());
        ct.unwrap_or_else(|| w.zeros_like())
    };
    wrt.iter().zip(&known).map(result).collect()
}

/// Forward mode: the tangents of `outputs`, given one tangent for each of `inputs` (of the input's type).
#[track_caller]
pub fn jvp(outputs: &[&Expr], inputs: &[&Expr], tangents: &[&Expr]) -> Vec<Expr> {
    let Some(first) = outputs.first() else { return Vec::new() };
    let g = first.graph().clone();
    let _here = g.here();
    let poisoned = || vec![g.poisoned(); outputs.len()];
    if inputs.len() != tangents.len() {
        let label = format!("{} inputs, {} tangents", inputs.len(), tangents.len());
        g.report(Diagnostic::new("jvp.tangents", "every input needs one tangent").label(label));
        return poisoned();
    }
    if !all_floats(&g, "jvp", outputs) {
        return poisoned();
    }
    let all: Vec<&Expr> = outputs.iter().chain(tangents).copied().collect();
    let Some((frame, values)) = common_frame(&g, "jvp", &all, inputs) else { return poisoned() };
    let (outs, ts) = values.split_at(outputs.len());
    let known = wrt_values(&g, inputs, frame);
    let pairs: Vec<(Value, Value)> = known.iter().zip(ts).filter_map(|(v, t)| Some(((*v)?, *t))).collect();
    let Some(found) = differentiate(&g, frame, |f| jvp_with(f, outs, &pairs)) else { return poisoned() };
    outputs.iter().zip(found).map(|(o, t)| t.unwrap_or_else(|| o.zeros_like())).collect()
}

/// An operation with a derivative of your own.
///
/// `forward(inputs)` gives the results. `backward(inputs, results, cotangents)` gives one cotangent for each input, of the
/// input's type (zeros for integer inputs); reverse mode uses it in place of the derivative of `forward`. Both closures use
/// nothing differentiable but their arguments.
///
/// ```
/// use kiln_builder::{Graph, custom_vjp, dims, grad};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims![3]);
/// // The identity, whose gradient is clipped to [-1, 1].
/// let y = &custom_vjp("clip_gradient", &[&x], |x| vec![x[0].clone()], |_, _, ct| vec![ct[0].clamp(-1, 1)])[0];
/// let dx = &grad(&(y * 5.0).sum(..), &[&x])[0];
/// # assert_eq!(dx.ty().to_string(), "f32[3]");
/// ```
#[track_caller]
pub fn custom_vjp(
    name: &str,
    inputs: &[&Expr],
    forward: impl FnOnce(&[Expr]) -> Vec<Expr>,
    backward: impl FnOnce(&[Expr], &[Expr], &[Expr]) -> Vec<Expr>,
) -> Vec<Expr> {
    let Some(first) = inputs.first() else { return Vec::new() };
    let g = first.graph().clone();
    let _here = g.here();
    let loc = g.loc();
    let inputs_ok = g.resolve_all(inputs, "custom_vjp", &loc);
    let types: Vec<TensorType> = inputs.iter().map(|e| e.ty()).collect();

    g.open_frame("a custom operation", true);
    // A poisoned input stays poisoned inside, so that nothing is reported about its made-up type.
    let arg = |e: &&Expr| if e.is_poisoned() { g.poisoned() } else { g.frame_param("x", &e.ty(), &loc) };
    let args: Vec<Expr> = inputs.iter().map(arg).collect();
    let results = g.user_code(|| forward(&args));
    let result_types: Vec<TensorType> = results.iter().map(Expr::ty).collect();
    let body = g.close_frame(&results, &loc);
    let count = results.len();
    let poisoned = || vec![g.poisoned(); count];
    let (Some(operands), Some(outputs)) = (inputs_ok, body.outputs.clone()) else { return poisoned() };

    g.open_frame("a custom derivative", true);
    let own: Vec<Expr> = types.iter().map(|ty| g.frame_param("x", ty, &loc)).collect();
    let ys: Vec<Expr> = result_types.iter().map(|ty| g.frame_param("y", ty, &loc)).collect();
    let cts: Vec<Expr> = result_types.iter().map(|ty| g.frame_param("ct", ty, &loc)).collect();
    let back = g.user_code(|| backward(&own, &ys, &cts));
    let derivative = g.close_frame(&back, &loc);
    let Some(back_values) = derivative.outputs.clone() else { return poisoned() };
    let back_types: Vec<TensorType> = back.iter().map(Expr::ty).collect();
    if back_types != types {
        let label = format!("the inputs are {types:?}, the cotangents {back_types:?}");
        g.report(Diagnostic::new("custom_vjp.cotangents", "every input needs a cotangent of its type").label(label));
        return poisoned();
    }
    if captures_floats(&g, name, &[&body, &derivative]) {
        return poisoned();
    }
    let captured = union_of_captures(&[&body, &derivative]);
    let origins = g.origins(&captured);
    let captured_params = || captured.iter().zip(&origins).map(|(v, t)| Param::Captured(*v, t.clone()));
    let places =
        |list: &[Expr]| list.iter().filter_map(|e| Some(Param::Own(e.place.as_ref()?.value))).collect::<Vec<_>>();
    let body_params: Vec<Param> = places(&args).into_iter().chain(captured_params()).collect();
    let outs: Vec<Out> = outputs.iter().map(|v| Out::Value(*v)).collect();
    let vjp_params: Vec<Param> =
        places(&own).into_iter().chain(captured_params()).chain(places(&ys)).chain(places(&cts)).collect();
    let mut vjp =
        assemble(&derivative, "vjp", &vjp_params, &back_values.iter().map(|v| Out::Value(*v)).collect::<Vec<_>>());
    add_zero_cotangents(&mut vjp, types.len(), &origins, &loc);
    let op = Op::Composite {
        name: name.to_owned(),
        body: Box::new(assemble(&body, name, &body_params, &outs)),
        vjp: Some(Box::new(vjp)),
    };
    let operands: Vec<Value> = operands.into_iter().chain(captured).collect();
    g.push_values(op, &operands, &loc, count)
}

/// A custom derivative must not lose gradients of captured values: only integers may be captured.
#[track_caller]
fn captures_floats(g: &Graph, name: &str, frames: &[&ClosedFrame]) -> bool {
    for frame in frames {
        for (_, inner) in &frame.captures {
            if differentiable(frame.func.ty(*inner).dtype) {
                let d = Diagnostic::new("custom_vjp.capture", format!("the closures of \"{name}\" use an outer value"))
                    .label("its gradient would be lost, since the custom derivative does not give it")
                    .note("outer", frame.func.describe(*inner))
                    .help("pass it as an input, or put `stop_gradient` into the inputs' list");
                g.report(d);
                return true;
            }
        }
    }
    false
}

/// Cotangents of captured integers: zeros, which nobody looks at.
fn add_zero_cotangents(vjp: &mut Func, from: usize, captured: &[Origin], loc: &Loc) {
    for (i, (ty, _)) in captured.iter().enumerate() {
        let zero = vjp.constant(kiln_ir::Tensor::zeros(ty.dtype, []).expect("a scalar fits"), loc.clone());
        let op = Op::BroadcastInDim { shape: ty.shape.clone(), dims: Default::default() };
        if let Ok(value) = vjp.push1(op, &[zero], loc.clone()) {
            vjp.add_output(format!("out{}", from + i), value);
        }
    }
}

fn differentiable(dtype: DType) -> bool {
    dtype.is_float() || dtype.is_complex()
}

/// True when all are floats or complex; otherwise records which is not.
#[track_caller]
fn all_floats(g: &Graph, op: &str, values: &[&Expr]) -> bool {
    for e in values {
        if e.is_poisoned() {
            return false;
        }
        if !differentiable(e.dtype()) {
            let d = Diagnostic::new(format!("{op}.dtype"), "only floats and complex numbers have derivatives");
            g.report(d.label(format!("this is {}", e.ty())).note("operand", e.describe()));
            return false;
        }
    }
    true
}

/// Runs `make` in the frame that `e` is of, as if its closure were still being recorded.
#[track_caller]
fn in_frame_of(e: &Expr, make: impl FnOnce(&Graph) -> Expr) -> Option<Expr> {
    let g = e.graph();
    let (frame, _) = common_frame(g, "grad", &[e], &[])?;
    let inner = {
        let mut s = g.0.borrow_mut();
        let at = s.frames.iter().position(|f| f.id == frame)?;
        s.frames.split_off(at + 1)
    };
    let made = make(g);
    g.0.borrow_mut().frames.extend(inner);
    Some(made)
}

/// The innermost frame of these expressions, and their values there. Expressions of `others` are only checked.
#[track_caller]
fn common_frame(g: &Graph, op: &str, exprs: &[&Expr], others: &[&Expr]) -> Option<(u64, Vec<Value>)> {
    let loc = g.loc();
    if exprs.iter().chain(others).any(|e| e.is_poisoned()) {
        return None;
    }
    // Reports expressions of other graphs and of closed frames.
    for e in exprs.iter().chain(others) {
        if !g.owns(e) {
            g.resolve(e, op, &loc)?;
        }
    }
    let mut s = g.0.borrow_mut();
    let level = |s: &crate::graph::State, e: &Expr| {
        let frame = e.place.as_ref()?.frame;
        s.frames.iter().position(|f| f.id == frame)
    };
    let deepest = exprs.iter().filter_map(|e| level(&s, e)).max()?;
    let mut values = Vec::new();
    for e in exprs {
        let at = level(&s, e)?;
        let place = e.place.clone()?;
        values.push(s.capture_between(at, deepest, place.value, &place.ty));
    }
    Some((s.frames[deepest].id, values))
}

/// What stands for each of `wrt` in a frame; `None` when the frame knows nothing of it, so cannot depend on it.
fn wrt_values(g: &Graph, wrt: &[&Expr], frame: u64) -> Vec<Option<Value>> {
    let s = g.0.borrow();
    wrt.iter()
        .map(|w| {
            let p = w.place.as_ref()?;
            s.known_in(p.frame, p.value, frame)
        })
        .collect()
}

/// Runs the differentiation on the function of a frame and gives its results as expressions of it.
#[track_caller]
fn differentiate(
    g: &Graph,
    frame: u64,
    run: impl FnOnce(&mut Func) -> Result<Derivatives, Diagnostics>,
) -> Option<Vec<Option<Expr>>> {
    let loc = g.loc();
    let mut s = g.0.borrow_mut();
    let f = s.frame_mut(frame)?;
    match run(&mut f.func) {
        Ok(found) => {
            f.replaced.extend(found.replaced);
            let place = |v: Value| Place { frame, value: v, ty: f.func.ty(v).clone() };
            let places: Vec<Option<Place>> = found.values.into_iter().map(|v| v.map(place)).collect();
            drop(s);
            Some(places.into_iter().map(|p| p.map(|p| Expr::new(g, Some(p)))).collect())
        }
        Err(problems) => {
            let asked = format!("asked for at {loc}");
            s.diagnostics.extend(problems.0.into_iter().map(|d| d.note("derivative", &asked)));
            None
        }
    }
}

impl Expr {
    /// The same value, through which no gradient flows.
    #[track_caller]
    pub fn stop_gradient(&self) -> Expr {
        if self.is_poisoned() || !differentiable(self.dtype()) {
            return self.clone();
        }
        let mut body = Func::new(STOP_GRADIENT);
        let x = body.add_input("x", self.ty(), InputKind::Feed, self.graph.loc());
        body.add_output("x", x);
        let op = Op::Composite { name: STOP_GRADIENT.to_owned(), body: Box::new(body), vjp: None };
        self.graph.emit(op, &[self])
    }
}
