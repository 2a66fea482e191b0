//! Control flow by closures.
//!
//! A closure is run once, to record its body. What it uses from outside is captured: nested functions are isolated, so each
//! captured value becomes a parameter, fed by the enclosing function.

use crate::expr::Expr;
use crate::graph::{ClosedFrame, Graph};
use crate::operand::{Operand, Side};
use crate::tree::ExprTree;
use kiln_ir::{DType, Diagnostic, Dim, Func, InputKind, Loc, NewInput, Op, Shape, TensorType, Value};

/// The captured outer values of several frames, each once, in order of first use.
pub(crate) fn union_of_captures(frames: &[&ClosedFrame]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (outer, _) in frames.iter().flat_map(|f| &f.captures) {
        if seen.insert(*outer) {
            all.push(*outer);
        }
    }
    all
}

/// An output of an assembled function.
pub(crate) enum Out {
    /// A value of the frame.
    Value(Value),
    /// The parameter of this index, handed through.
    Param(usize),
}

/// Type and source line of a captured value.
pub(crate) type Origin = (TensorType, Loc);

/// A parameter of an assembled function.
pub(crate) enum Param {
    /// One that the frame declared.
    Own(Value),
    /// A captured value; the parameter exists even if this frame does not use it.
    Captured(Value, Origin),
}

/// Makes a frame's function with parameters in the given order; only what the outputs need is kept.
pub(crate) fn assemble(frame: &ClosedFrame, name: &str, params: &[Param], outputs: &[Out]) -> Func {
    let inner_of = |outer: Value| frame.captures.iter().find(|(o, _)| *o == outer).map(|(_, inner)| *inner);
    let input = |(i, p): (usize, &Param)| {
        let (old, (ty, loc), kind) = match p {
            Param::Own(v) => (Some(*v), (frame.func.ty(*v).clone(), frame.func.node(v.node).loc.clone()), "state"),
            Param::Captured(outer, origin) => (inner_of(*outer), origin.clone(), "captured"),
        };
        NewInput { old, name: format!("{kind}{i}"), ty, kind: InputKind::Feed, loc }
    };
    let inputs: Vec<NewInput> = params.iter().enumerate().map(input).collect();
    let roots: Vec<Value> = outputs
        .iter()
        .filter_map(|o| match o {
            Out::Value(v) => Some(*v),
            Out::Param(_) => None,
        })
        .collect();
    let mut made = frame.func.extract(name, &inputs, &roots, &frame.replaced);
    let mut roots = made.roots.into_iter();
    for (i, o) in outputs.iter().enumerate() {
        let value = match o {
            Out::Param(p) => Some(made.params[*p]),
            Out::Value(_) => roots.next(),
        };
        made.func.add_output(format!("out{i}"), value.expect("one root for every value"));
    }
    made.func
}

impl Graph {
    /// Types and lines of captured values of the current frame.
    pub(crate) fn origins(&self, values: &[Value]) -> Vec<Origin> {
        let s = self.0.borrow();
        let func = &s.frames.last().expect("the root frame is always open").func;
        values.iter().map(|v| (func.ty(*v).clone(), func.node(v.node).loc.clone())).collect()
    }

    /// Runs `body` while `cond` gives true, on a state that both take: an expression, or a tuple, array or `Vec` of them.
    ///
    /// ```
    /// # use kiln_builder::{DType, Graph};
    /// # let g = Graph::new("g");
    /// let (i, x) = g.while_loop(
    ///     (g.constant(0i32), g.constant(1.0f32)),
    ///     |(i, _)| i.lt(10),
    ///     |(i, x)| (i + 1, x * 2.0),
    /// );
    /// assert_eq!((i.dtype(), x.dtype()), (DType::I32, DType::F32));
    /// ```
    #[track_caller]
    pub fn while_loop<S: ExprTree>(&self, init: S, cond: impl FnOnce(S) -> Expr, body: impl FnOnce(S) -> S) -> S {
        let _here = self.here();
        let flat = init.flatten();
        let rebuild = |flat: Vec<Expr>| init.rebuild(&mut flat.into_iter());
        let finished = self.while_flat(
            &flat,
            |state| self.user_code(|| cond(rebuild(state))),
            |state| self.user_code(|| body(rebuild(state)).flatten()),
        );
        rebuild(finished)
    }

    #[track_caller]
    pub(crate) fn while_flat(
        &self,
        init: &[Expr],
        cond: impl FnOnce(Vec<Expr>) -> Expr,
        body: impl FnOnce(Vec<Expr>) -> Vec<Expr>,
    ) -> Vec<Expr> {
        let loc = self.loc();
        let poisoned = || vec![self.poisoned(); init.len()];
        let refs: Vec<&Expr> = init.iter().collect();
        let Some(init_values) = self.resolve_all(&refs, "while", &loc) else { return poisoned() };
        let types: Vec<TensorType> = init.iter().map(Expr::ty).collect();
        let record = |what: &'static str, f: &mut dyn FnMut(Vec<Expr>) -> Vec<Expr>| {
            self.open_frame(what, false);
            let state: Vec<Expr> = types.iter().map(|ty| self.frame_param("state", ty, &loc)).collect();
            let own: Vec<Value> = state.iter().filter_map(|e| e.place.as_ref().map(|p| p.value)).collect();
            let results = f(state);
            let result_types: Vec<TensorType> = results.iter().map(Expr::ty).collect();
            (self.close_frame(&results, &loc), own, result_types)
        };
        let (mut cond, mut body) = (Some(cond), Some(body));
        let (cond, cond_params, cond_types) =
            record("the condition of a while loop", &mut |s| cond.take().map_or_else(Vec::new, |f| vec![f(s)]));
        let (body, body_params, body_types) =
            record("the body of a while loop", &mut |s| body.take().map_or_else(Vec::new, |f| f(s)));
        let (Some(cond_out), Some(body_out)) = (&cond.outputs, &body.outputs) else { return poisoned() };
        if !self.check_loop_types(init, &body_types, &cond_types) {
            return poisoned();
        }
        let captured = union_of_captures(&[&cond, &body]);
        let origins = self.origins(&captured);
        let params = |own: &[Value]| -> Vec<Param> {
            let captured = captured.iter().zip(&origins).map(|(v, t)| Param::Captured(*v, t.clone()));
            own.iter().map(|v| Param::Own(*v)).chain(captured).collect()
        };
        let cond_outs: Vec<Out> = cond_out.iter().map(|v| Out::Value(*v)).collect();
        let handed_through = (init.len()..init.len() + captured.len()).map(Out::Param);
        let body_outs: Vec<Out> = body_out.iter().map(|v| Out::Value(*v)).chain(handed_through).collect();
        let op = Op::While {
            cond: Box::new(assemble(&cond, "cond", &params(&cond_params), &cond_outs)),
            body: Box::new(assemble(&body, "body", &params(&body_params), &body_outs)),
        };
        let operands: Vec<Value> = init_values.iter().chain(&captured).copied().collect();
        let mut results = self.push_values(op, &operands, &loc, init.len());
        results.truncate(init.len());
        results
    }

    fn check_loop_types(&self, init: &[Expr], body: &[TensorType], cond: &[TensorType]) -> bool {
        if cond != [TensorType::scalar(DType::Bool)] {
            self.report(
                Diagnostic::new("while.cond", "the condition of a loop must be a bool scalar")
                    .label(format!("it is {}", cond.first().map_or("missing".to_owned(), |t| t.to_string()))),
            );
            return false;
        }
        if init.len() != body.len() {
            let label = format!("{} values go in, {} come out", init.len(), body.len());
            self.report(Diagnostic::new("while.state", "the body changes the number of state values").label(label));
            return false;
        }
        for (i, (e, ty)) in init.iter().zip(body).enumerate() {
            if e.ty() != *ty {
                self.report(
                    Diagnostic::new("while.state", "the body changes the type of a state value")
                        .label(format!("state {i} starts as {} and becomes {ty}", e.ty()))
                        .note("initial", e.describe())
                        .help("every iteration must leave the state with the types it found"),
                );
                return false;
            }
        }
        true
    }

    /// Runs `body` for `i = 0, 1, ..., n - 1` (i32, or the dtype of `n` when it is an expression).
    ///
    /// Gradients need the iteration count to be a number or the size of a dimension to take linear time.
    #[track_caller]
    pub fn fori_loop<S: ExprTree>(&self, n: impl Operand, init: S, body: impl FnOnce(Expr, S) -> S) -> S {
        let _here = self.here();
        let n = match n.into_side() {
            Side::Expr(n) => n,
            Side::Scalar(x) => match x.to_tensor(DType::I32) {
                Ok(t) => self.constant(t),
                Err(why) => self.fail(Diagnostic::new("fori_loop.count", "the iteration count is no i32").label(why)),
            },
        };
        let zero = n.literal(0.into());
        let state = [vec![zero], init.flatten()].concat();
        let finished = self.while_flat(
            &state,
            |state| state[0].lt(&n),
            |state| {
                let i = state[0].clone();
                let new = self.user_code(|| body(i.clone(), init.rebuild(&mut state.into_iter().skip(1))));
                [vec![i + 1], new.flatten()].concat()
            },
        );
        init.rebuild(&mut finished.into_iter().skip(1))
    }

    /// Runs `body` over the slices of `xs` along their first axis, carrying a state along, and stacks what it gives.
    ///
    /// `body(carry, x)` returns the new carry and the outputs of this step. All of `xs` have the same first size.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let xs = g.placeholder::<f32>("xs", dims![10, 3]);
    /// let (total, running) = g.scan(xs, g.constant([0.0f32; 3]), |sum, x| {
    ///     let sum = sum + x;
    ///     (sum.clone(), sum)
    /// });
    /// assert_eq!(total.ty().to_string(), "f32[3]");
    /// assert_eq!(running.ty().to_string(), "f32[10, 3]");
    /// ```
    #[track_caller]
    pub fn scan<X: ExprTree, C: ExprTree, Y: ExprTree>(
        &self,
        xs: X,
        init: C,
        body: impl FnOnce(C, X) -> (C, Y),
    ) -> (C, Y) {
        let _here = self.here();
        let loc = self.loc();
        let flat_xs = xs.flatten();
        let flat_init = init.flatten();
        let length = self.scan_length(&flat_xs, &flat_init);
        let count = match (&length, flat_xs.first()) {
            (Some(Dim::Const(n)), _) => self.constant(i32::try_from(*n).unwrap_or(i32::MAX)),
            (Some(_), Some(x)) => x.size(0),
            _ => self.poisoned(),
        };
        let zero = self.constant(0i32);
        let init_refs: Vec<&Expr> = [&zero].into_iter().chain(&flat_init).collect();
        let init_values = self.resolve_all(&init_refs, "scan", &loc);

        self.open_frame("the body of a scan", false);
        let i = self.frame_param("i", &TensorType::scalar(DType::I32), &loc);
        let carry: Vec<Expr> = flat_init.iter().map(|e| self.carry_param(e, &loc)).collect();
        let parts: Vec<Expr> =
            flat_xs.iter().map(|x| if length.is_some() { x.at(&i) } else { self.poisoned() }).collect();
        let (carry_in, part_in) = (init.rebuild(&mut carry.iter().cloned()), xs.rebuild(&mut parts.into_iter()));
        let (new_carry, ys) = self.user_code(|| body(carry_in, part_in));
        let (flat_carry, flat_ys) = (new_carry.flatten(), ys.flatten());
        let stacks: Vec<Expr> = flat_ys.iter().map(|y| self.stack_param(y, length.as_ref(), &loc)).collect();
        let stacked: Vec<Expr> = stacks.iter().zip(&flat_ys).map(|(s, y)| write_row(s, y, &i)).collect();
        let own: Option<Vec<Value>> =
            [&i].into_iter().chain(&carry).chain(&stacks).map(|e| Some(e.place.as_ref()?.value)).collect();
        let results: Vec<Expr> = [vec![&i + 1], flat_carry.clone(), stacked].concat();
        let frame = self.close_frame(&results, &loc);

        let poisoned = |s: &Self| {
            let carry = init.rebuild(&mut flat_init.iter().map(|_| s.poisoned()));
            (carry, ys.rebuild(&mut flat_ys.iter().map(|_| s.poisoned())))
        };
        let carry_types: Vec<TensorType> = flat_carry.iter().map(Expr::ty).collect();
        let (Some(out), Some(own), Some(init_values), false) = (&frame.outputs, own, init_values, count.is_poisoned())
        else {
            return poisoned(self);
        };
        if !self.check_loop_types(&flat_init, &carry_types, &[TensorType::scalar(DType::Bool)]) {
            return poisoned(self);
        }
        let buffers: Vec<Expr> = stacks.iter().map(|s| self.zeros(s.dtype(), s.shape())).collect();
        let refs: Vec<&Expr> = buffers.iter().collect();
        let Some(buffer_values) = self.resolve_all(&refs, "scan", &loc) else { return poisoned(self) };
        let Some(count) = self.resolve(&count, "scan", &loc) else { return poisoned(self) };
        let mut captured: Vec<Value> = union_of_captures(&[&frame]);
        captured.retain(|v| *v != count);
        captured.insert(0, count);
        let origins = self.origins(&captured);
        let params: Vec<Param> = own
            .iter()
            .map(|v| Param::Own(*v))
            .chain(captured.iter().zip(origins).map(|(v, t)| Param::Captured(*v, t)))
            .collect();
        let outs: Vec<Out> =
            out.iter().map(|v| Out::Value(*v)).chain((own.len()..params.len()).map(Out::Param)).collect();
        let body = assemble(&frame, "body", &params, &outs);
        let Some(cond) = counting_cond(&body, own.len(), &loc) else { return poisoned(self) };
        let operands: Vec<Value> = init_values.iter().chain(&buffer_values).chain(&captured).copied().collect();
        let op = Op::While { cond: Box::new(cond), body: Box::new(body) };
        let done = self.push_values(op, &operands, &loc, own.len());
        let mut done = done.into_iter().skip(1);
        let carry = init.rebuild(&mut done);
        (carry, ys.rebuild(&mut done))
    }

    fn carry_param(&self, init: &Expr, loc: &Loc) -> Expr {
        if init.is_poisoned() { self.poisoned() } else { self.frame_param("carry", &init.ty(), loc) }
    }

    fn stack_param(&self, y: &Expr, length: Option<&Dim>, loc: &Loc) -> Expr {
        let Some(n) = length.filter(|_| !y.is_poisoned()) else { return self.poisoned() };
        let mut shape = y.shape();
        shape.insert(0, n.clone());
        self.frame_param("stack", &TensorType::new(y.dtype(), shape), loc)
    }

    /// The common first size of the scanned values.
    #[track_caller]
    fn scan_length(&self, xs: &[Expr], init: &[Expr]) -> Option<Dim> {
        if xs.iter().chain(init).any(Expr::is_poisoned) {
            return None;
        }
        let Some(first) = xs.first() else {
            self.report(Diagnostic::new("scan.xs", "scan needs at least one value to go over").help("use `fori_loop`"));
            return None;
        };
        for x in xs {
            if x.rank() == 0 || x.shape()[0] != first.shape().first().cloned().unwrap_or(Dim::Const(1)) {
                first.fail2(x, "scan.length", "scanned values need the same first size", "the first sizes differ");
                return None;
            }
        }
        Some(first.shape()[0].clone())
    }

    /// Runs one of two closures. Both return groups of the same types.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let x = g.placeholder::<f32>("x", dims![3]);
    /// let flag = g.placeholder::<bool>("flag", dims![]);
    /// let y = g.cond(&flag, || &x * 2.0, || x.exp());
    /// assert_eq!(y.ty().to_string(), "f32[3]");
    /// ```
    #[track_caller]
    pub fn cond<R: ExprTree>(&self, pred: &Expr, on_true: impl FnOnce() -> R, on_false: impl FnOnce() -> R) -> R {
        let _here = self.here();
        let branches: Vec<Box<dyn FnOnce() -> R + '_>> = vec![Box::new(on_true), Box::new(on_false)];
        self.branches("if", pred, branches, |mut funcs| {
            let on_false = Box::new(funcs.pop().expect("two branches"));
            Op::If { on_true: Box::new(funcs.pop().expect("two branches")), on_false }
        })
        .expect("two branches")
    }

    /// Runs the closure of the given index (i32 scalar); an index out of range takes the last. `None` without closures.
    #[track_caller]
    pub fn switch<'a, R: ExprTree>(&self, index: &Expr, branches: Vec<Box<dyn FnOnce() -> R + 'a>>) -> Option<R> {
        let _here = self.here();
        self.branches("case", index, branches, |branches| Op::Case { branches })
    }

    #[track_caller]
    fn branches<'a, R: ExprTree>(
        &self,
        name: &'static str,
        selector: &Expr,
        branches: Vec<Box<dyn FnOnce() -> R + 'a>>,
        op: impl FnOnce(Vec<Func>) -> Op,
    ) -> Option<R> {
        let loc = self.loc();
        let mut frames = Vec::new();
        let mut template: Option<(R, Vec<TensorType>)> = None;
        for branch in branches {
            self.open_frame("a branch", false);
            let result = self.user_code(branch);
            let flat = result.flatten();
            let frame = self.close_frame(&flat, &loc);
            let types: Vec<TensorType> = flat.iter().map(Expr::ty).collect();
            if let (Some((_, first)), Some(_)) = (&template, &frame.outputs)
                && *first != types
                && frames.iter().all(|f: &ClosedFrame| f.outputs.is_some())
            {
                let d = Diagnostic::new(format!("{name}.results"), "the branches return different types")
                    .label(format!("branch 0 returns {first:?}, branch {} returns {types:?}", frames.len()));
                self.report(d);
                return template.map(|(t, types)| t.rebuild(&mut types.iter().map(|_| self.poisoned())));
            }
            template.get_or_insert((result, types));
            frames.push(frame);
        }
        let (template, types) = template?;
        let poisoned = || Some(template.rebuild(&mut types.iter().map(|_| self.poisoned())));
        let Some(selector) = self.resolve(selector, name, &loc) else { return poisoned() };
        if frames.iter().any(|f| f.outputs.is_none()) {
            return poisoned();
        }
        let captured = union_of_captures(&frames.iter().collect::<Vec<_>>());
        let origins = self.origins(&captured);
        let params: Vec<Param> = captured.iter().zip(origins).map(|(v, t)| Param::Captured(*v, t)).collect();
        let func = |(i, f): (usize, &ClosedFrame)| {
            let outs: Vec<Out> = f.outputs.iter().flatten().map(|v| Out::Value(*v)).collect();
            assemble(f, &format!("branch{i}"), &params, &outs)
        };
        let funcs: Vec<Func> = frames.iter().enumerate().map(func).collect();
        let operands: Vec<Value> = [selector].into_iter().chain(captured).collect();
        let results = self.push_values(op(funcs), &operands, &loc, types.len());
        Some(template.rebuild(&mut results.into_iter()))
    }
}

/// Writes `y` as row `i` of `stack`.
#[track_caller]
fn write_row(stack: &Expr, y: &Expr, i: &Expr) -> Expr {
    if stack.is_poisoned() || y.is_poisoned() {
        return stack.graph().poisoned();
    }
    let row = y.reshape([Dim::Const(1)].into_iter().chain(y.shape().iter().cloned()).collect::<Shape>());
    let zero = i.literal(0.into());
    let starts: Vec<&Expr> = (0..stack.rank()).map(|k| if k == 0 { i } else { &zero }).collect();
    stack.dynamic_update_slice(&row, &starts)
}

/// `state[0] < state[bound]`, as the condition of a loop with this body.
fn counting_cond(body: &Func, bound: usize, loc: &Loc) -> Option<Func> {
    let mut cond = Func::new("cond");
    let params: Vec<Value> = body
        .inputs
        .iter()
        .map(|i| cond.add_input(i.name.clone(), i.ty.clone(), InputKind::Feed, i.loc.clone()))
        .collect();
    let less = Op::Compare(kiln_ir::op::CompareDirection::LT);
    let value = cond.push1(less, &[params[0], params[bound]], loc.clone()).ok()?;
    cond.add_output("out0", value);
    Some(cond)
}
