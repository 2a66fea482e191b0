//! The graph being recorded: frames, declarations, scopes, and the one place where nodes are made.

use crate::expr::{Expr, Place};
use crate::init::VariableInit;
use crate::operand::IntoTensor;
use kiln_ir::{DType, Diagnostic, Diagnostics, Element, Func, InputKind, Loc, NodeId, Op, Shape, TensorType, Value};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;

/// A graph that is being recorded. Cloning gives another handle to the same graph.
///
/// ```
/// use kiln_builder::{Graph, dims, init};
/// let g = Graph::new("mlp");
/// let x = g.placeholder::<f32>("x", dims!["batch", 4]);
/// let w = g.variable("w", init::he_normal([4, 2]).seed(1));
/// let y = x.dot(&w).relu();
/// let func = g.function([&y]).finish().unwrap();
/// assert_eq!(func.inputs.len(), 2);
/// ```
#[derive(Clone)]
pub struct Graph(pub(crate) Rc<RefCell<State>>);

/// Everything a graph has recorded so far.
pub(crate) struct State {
    name: String,
    /// Open frames; the first is the graph itself, the last receives new nodes.
    pub(crate) frames: Vec<Frame>,
    next_frame: u64,
    pub(crate) diagnostics: Vec<Diagnostic>,
    scopes: Vec<String>,
    names: BTreeSet<String>,
    pub(crate) declared: Vec<Declared>,
    pub(crate) registered: Vec<Registered>,
    here: Option<Loc>,
}

/// A placeholder or variable.
pub(crate) struct Declared {
    pub(crate) value: Value,
    pub(crate) variable: bool,
    pub(crate) trainable: bool,
}

/// An update that functions pick up by themselves; see [`Graph::register_update`].
pub(crate) struct Registered {
    pub(crate) variable: Value,
    pub(crate) value: Value,
    pub(crate) when: UpdateWhen,
}

/// When a registered update becomes part of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateWhen {
    /// When the function's outputs depend on the variable (random states).
    Reached,
    /// When the function has updates of its own, so is a training step (running statistics).
    Training,
}

/// A function being recorded: the graph itself or the body of a control flow closure.
pub(crate) struct Frame {
    pub(crate) id: u64,
    pub(crate) func: Func,
    /// Values of the enclosing frame that are used here, with the parameter that stands for each.
    pub(crate) captures: Vec<(Value, Value)>,
    capture_of: HashMap<Value, Value>,
    /// What the frame is, for diagnostics: "the body of a while loop".
    what: &'static str,
    /// Literals of enclosing frames are copied in, not captured.
    copy_constants: bool,
    /// Loops that the gradient built again with saved states, with their replacements.
    pub(crate) replaced: Vec<(NodeId, NodeId)>,
}

impl Frame {
    fn new(id: u64, name: &str, what: &'static str) -> Frame {
        Frame {
            id,
            func: Func::new(name),
            captures: Vec::new(),
            capture_of: HashMap::new(),
            what,
            copy_constants: false,
            replaced: Vec::new(),
        }
    }

    /// The parameter that stands for `outer`, made at the first use.
    fn capture(&mut self, outer: Value, ty: &TensorType, origin: (Option<&Op>, Loc, String)) -> Value {
        if let Some(&inner) = self.capture_of.get(&outer) {
            return inner;
        }
        let (op, loc, name) = origin;
        let inner = match op {
            Some(Op::Constant(t)) if self.copy_constants => self.func.constant(t.clone(), loc),
            _ => {
                let unique = format!("{name}.{}", self.func.inputs.len());
                let inner = self.func.add_input(unique, ty.clone(), InputKind::Feed, loc);
                self.captures.push((outer, inner));
                inner
            }
        };
        self.capture_of.insert(outer, inner);
        inner
    }
}

/// A frame after its closure has run.
pub(crate) struct ClosedFrame {
    pub(crate) func: Func,
    pub(crate) captures: Vec<(Value, Value)>,
    pub(crate) replaced: Vec<(NodeId, NodeId)>,
    /// The closure's results in the frame; `None` when one of them is poisoned.
    pub(crate) outputs: Option<Vec<Value>>,
}

/// While it lives, new nodes carry the source line that made it. See [`Graph::here`].
#[must_use = "the line holds while the guard lives"]
pub struct Here {
    graph: Graph,
    outer: Option<Loc>,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.graph.0.borrow_mut().here = self.outer.take();
    }
}

/// While it lives, names get its prefix. See [`Graph::enter`].
#[must_use = "the scope is left when the guard is dropped"]
pub struct ScopeGuard(Graph);

impl Drop for ScopeGuard {
    fn drop(&mut self) {
        self.0.0.borrow_mut().scopes.pop();
    }
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Graph {
        let name = name.into();
        let root = Frame::new(0, &name, "the graph");
        Graph(Rc::new(RefCell::new(State {
            name,
            frames: vec![root],
            next_frame: 1,
            diagnostics: Vec::new(),
            scopes: Vec::new(),
            names: BTreeSet::new(),
            declared: Vec::new(),
            registered: Vec::new(),
            here: None,
        })))
    }

    /// The graph's name.
    pub fn name(&self) -> String {
        self.0.borrow().name.clone()
    }

    /// The number of nodes of the functions that are being recorded: the graph's and, inside of closures, theirs.
    pub fn open_nodes(&self) -> usize {
        self.0.borrow().frames.iter().map(|f| f.func.nodes().len()).sum()
    }

    /// True when both handles are of one graph.
    pub fn same(&self, other: &Graph) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// An input that is fed at every run, with the element type as a type parameter.
    ///
    /// A name that is taken already is an error, since feeds go by name.
    #[track_caller]
    pub fn placeholder<T: Element>(&self, name: &str, shape: impl Into<Shape>) -> Expr {
        self.placeholder_dyn(name, T::DTYPE, shape)
    }

    /// [`Graph::placeholder`] with the element type as a value.
    #[track_caller]
    pub fn placeholder_dyn(&self, name: &str, dtype: DType, shape: impl Into<Shape>) -> Expr {
        let _here = self.here();
        let name = self.scoped(name);
        let loc = self.loc();
        if self.0.borrow().names.contains(&name) {
            let mut d = Diagnostic::new("placeholder.name", format!("the name \"{name}\" is taken"))
                .label("feeds go by name, so every placeholder needs its own");
            if let Some(first) = self.0.borrow().frames[0].func.inputs.iter().find(|i| i.name == name) {
                d = d.note("first", self.0.borrow().frames[0].func.describe(first.node.into()));
            }
            return self.fail(d.at(&loc));
        }
        self.declare(name, TensorType::new(dtype, shape), InputKind::Feed, true)
    }

    /// State that a session keeps between runs. Shape, dtype and initial value come from `init`.
    ///
    /// The name gets the scopes in front and, when taken, a number behind. Without a seed of its own, a random
    /// initializer is seeded by that full name, so no two variables start alike.
    #[track_caller]
    pub fn variable(&self, name: &str, init: impl Into<VariableInit>) -> Expr {
        let _here = self.here();
        let init = init.into();
        let name = self.unique(&self.scoped(name));
        let (ty, recipe) = match init.resolve(&name) {
            Ok(r) => r,
            Err(d) => return self.fail(d.at(&self.loc())),
        };
        self.declare(name, ty, InputKind::Variable(recipe), init.is_trainable())
    }

    fn declare(&self, name: String, ty: TensorType, kind: InputKind, trainable: bool) -> Expr {
        let loc = self.loc();
        let mut s = self.0.borrow_mut();
        s.names.insert(name.clone());
        let variable = matches!(kind, InputKind::Variable(_));
        let value = s.frames[0].func.add_input(name, ty.clone(), kind, loc);
        s.declared.push(Declared { value, variable, trainable: variable && trainable });
        drop(s);
        Expr::new(self, Some(Place { frame: 0, value, ty }))
    }

    /// All variables that optimizers train, in the order of their declaration.
    pub fn trainable_variables(&self) -> Vec<Expr> {
        self.variables_where(|d| d.variable && d.trainable)
    }

    /// All variables in the order of their declaration.
    pub fn variables(&self) -> Vec<Expr> {
        self.variables_where(|d| d.variable)
    }

    fn variables_where(&self, keep: impl Fn(&Declared) -> bool) -> Vec<Expr> {
        let s = self.0.borrow();
        let root = &s.frames[0].func;
        let place = |d: &Declared| Place { frame: 0, value: d.value, ty: root.ty(d.value).clone() };
        s.declared.iter().filter(|d| keep(d)).map(|d| Expr::new(self, Some(place(d)))).collect()
    }

    /// A literal: a scalar, an array (of arrays), a slice, a `Vec` or a [`kiln_ir::Tensor`].
    ///
    /// ```
    /// let g = kiln_builder::Graph::new("g");
    /// let m = g.constant([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(m.ty().to_string(), "f32[2, 2]");
    /// ```
    #[track_caller]
    pub fn constant(&self, value: impl IntoTensor) -> Expr {
        let loc = self.loc();
        let tensor = value.into_tensor();
        let ty = tensor.ty();
        let mut s = self.0.borrow_mut();
        let frame = s.frames.last_mut().expect("the root frame is always open");
        let (value, frame) = (frame.func.constant(tensor, loc), frame.id);
        drop(s);
        Expr::new(self, Some(Place { frame, value, ty }))
    }

    /// Registers an update of a variable that functions pick up by themselves, as `when` says. A later registration for
    /// the same variable replaces the earlier one.
    #[track_caller]
    pub fn register_update(&self, variable: &Expr, value: &Expr, when: UpdateWhen) {
        let Some((var, ty)) = variable.root_variable("register_update") else { return };
        let Some(place) = &value.place else { return };
        if !self.same(value.graph()) || place.frame != 0 || place.ty != ty {
            let label = format!("the new value must be {ty}, of this graph, outside of control flow closures");
            variable.fail2(value, "register_update.value", "a variable cannot be updated with this value", label);
            return;
        }
        let mut s = self.0.borrow_mut();
        s.registered.retain(|r| r.variable != var);
        s.registered.push(Registered { variable: var, value: place.value, when });
    }

    /// Runs `f` with `name/` in front of the names declared inside.
    pub fn scope<R>(&self, name: &str, f: impl FnOnce() -> R) -> R {
        let _scope = self.enter(name);
        f()
    }

    /// Puts `name/` in front of names while the guard lives.
    pub fn enter(&self, name: &str) -> ScopeGuard {
        self.0.borrow_mut().scopes.push(name.to_owned());
        ScopeGuard(self.clone())
    }

    /// `name` with the open scopes in front.
    pub(crate) fn scoped(&self, name: &str) -> String {
        let s = self.0.borrow();
        s.scopes.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("/")
    }

    fn unique(&self, name: &str) -> String {
        let s = self.0.borrow();
        let numbered = std::iter::once(name.to_owned()).chain((1..).map(|i| format!("{name}_{i}")));
        numbered.into_iter().find(|n| !s.names.contains(n)).expect("numbers do not run out")
    }

    /// While the guard lives, new nodes carry the line of this call, unless an outer guard holds already.
    ///
    /// For layers made of several operators: with `#[track_caller]` on the layer and this guard as its first line,
    /// diagnostics point at the user's line rather than into the layer.
    #[track_caller]
    pub fn here(&self) -> Here {
        let caller = Loc::caller();
        let mut s = self.0.borrow_mut();
        let outer = s.here.clone();
        if outer.is_none() {
            s.here = Some(caller);
        }
        drop(s);
        Here { graph: self.clone(), outer }
    }

    /// While the guard lives, new nodes carry this place: for readers of programs written elsewhere.
    pub fn at(&self, loc: Loc) -> Here {
        let outer = self.0.borrow_mut().here.replace(loc);
        Here { graph: self.clone(), outer }
    }

    /// The line that new nodes carry: that of the [`Graph::here`] guard, otherwise the caller's.
    #[track_caller]
    pub(crate) fn loc(&self) -> Loc {
        let caller = Loc::caller();
        self.0.borrow().here.clone().unwrap_or(caller)
    }

    /// Runs a user's closure: nodes made inside carry their own lines.
    pub(crate) fn user_code<R>(&self, f: impl FnOnce() -> R) -> R {
        let outer = self.0.borrow_mut().here.take();
        let result = f();
        self.0.borrow_mut().here = outer;
        result
    }

    /// All problems recorded so far.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics(self.0.borrow().diagnostics.clone())
    }

    /// Records a problem and gives a poisoned expression.
    #[track_caller]
    pub fn fail(&self, d: Diagnostic) -> Expr {
        self.report(d);
        self.poisoned()
    }

    /// Records a problem; it gets the current line unless it has one.
    #[track_caller]
    pub fn report(&self, d: Diagnostic) {
        let d = d.at(&self.loc());
        self.0.borrow_mut().diagnostics.push(d);
    }

    /// An expression that stands for a failed one: whatever uses it fails silently.
    pub fn poisoned(&self) -> Expr {
        Expr::new(self, None)
    }

    /// Appends a node of one result. The one way to use any operator, however rare.
    ///
    /// Operands must be of equal types where the operator asks for that; nothing is broadcast here.
    #[track_caller]
    pub fn emit(&self, op: Op, operands: &[&Expr]) -> Expr {
        self.emit_n(op, operands, 1).pop().unwrap_or_else(|| self.poisoned())
    }

    /// Appends a node of `n` results.
    #[track_caller]
    pub fn emit_n(&self, op: Op, operands: &[&Expr], n: usize) -> Vec<Expr> {
        let loc = self.loc();
        let Some(values) = self.resolve_all(operands, op.name(), &loc) else {
            return vec![self.poisoned(); n];
        };
        self.push_values(op, &values, &loc, n)
    }

    /// Appends a node over values of the current frame.
    pub(crate) fn push_values(&self, op: Op, values: &[Value], loc: &Loc, n: usize) -> Vec<Expr> {
        let mut s = self.0.borrow_mut();
        let frame = s.frames.last_mut().expect("the root frame is always open");
        match frame.func.push(op, values, loc.clone()) {
            Ok(node) => {
                let id = frame.id;
                let place = |v: Value| Place { frame: id, value: v, ty: frame.func.ty(v).clone() };
                let results: Vec<_> = frame.func.results(node).map(place).collect();
                drop(s);
                results.into_iter().map(|p| Expr::new(self, Some(p))).collect()
            }
            Err(d) => {
                s.diagnostics.push(d.at(loc));
                drop(s);
                vec![self.poisoned(); n]
            }
        }
    }

    /// The operands as values of the current frame; `None` (with a diagnostic, unless the cause is known) on failure.
    pub(crate) fn resolve_all(&self, operands: &[&Expr], op: &str, loc: &Loc) -> Option<SmallVec<[Value; 4]>> {
        let mut values = SmallVec::new();
        let mut ok = true;
        for e in operands {
            match self.resolve(e, op, loc) {
                Some(v) => values.push(v),
                None => ok = false,
            }
        }
        ok.then_some(values)
    }

    /// An operand as a value of the current frame, captured from an enclosing one if need be.
    pub(crate) fn resolve(&self, e: &Expr, op: &str, loc: &Loc) -> Option<Value> {
        let place = e.place.as_ref()?;
        if !self.same(&e.graph) {
            let d = Diagnostic::new("graph.mixed", format!("`{op}` mixes expressions of two graphs"))
                .label(format!("an operand is of graph \"{}\", not of \"{}\"", e.graph.name(), self.name()))
                .note("operand", e.describe())
                .help("build both operands from the same `Graph` handle");
            self.0.borrow_mut().diagnostics.push(d.at(loc));
            return None;
        }
        let mut s = self.0.borrow_mut();
        let Some(level) = s.frames.iter().position(|f| f.id == place.frame) else {
            let d = Diagnostic::new("graph.escaped", format!("`{op}` uses an expression that left its closure"))
                .label("an operand was made inside of a control flow closure that has ended")
                .note("operand", format!("{} made in a closure", place.ty))
                .help("return the value from the closure and use the result of the control flow operator");
            s.diagnostics.push(d.at(loc));
            return None;
        };
        Some(s.capture_up(level, place.value, &place.ty))
    }

    /// True for an expression of this graph whose frame is open.
    pub(crate) fn owns(&self, e: &Expr) -> bool {
        let frame = e.place.as_ref().map(|p| p.frame);
        self.same(&e.graph) && self.0.borrow().frames.iter().any(|f| Some(f.id) == frame)
    }

    /// Opens a frame; nodes go there until it is closed.
    pub(crate) fn open_frame(&self, what: &'static str, copy_constants: bool) {
        let mut s = self.0.borrow_mut();
        let id = s.next_frame;
        s.next_frame += 1;
        let mut frame = Frame::new(id, what.rsplit(' ').next().unwrap_or(what), what);
        frame.copy_constants = copy_constants;
        s.frames.push(frame);
    }

    /// A parameter of the current frame.
    pub(crate) fn frame_param(&self, name: &str, ty: &TensorType, loc: &Loc) -> Expr {
        let mut s = self.0.borrow_mut();
        let frame = s.frames.last_mut().expect("a frame is open");
        let unique = format!("{name}{}", frame.func.inputs.len());
        let value = frame.func.add_input(unique, ty.clone(), InputKind::Feed, loc.clone());
        let place = Place { frame: frame.id, value, ty: ty.clone() };
        drop(s);
        Expr::new(self, Some(place))
    }

    /// Closes the innermost frame with these results.
    pub(crate) fn close_frame(&self, outputs: &[Expr], loc: &Loc) -> ClosedFrame {
        let refs: Vec<&Expr> = outputs.iter().collect();
        let what = self.0.borrow().frames.last().map_or("frame", |f| f.what);
        let outputs = self.resolve_all(&refs, what, loc).map(|v| v.into_vec());
        let frame = self.0.borrow_mut().frames.pop().expect("a frame is open");
        ClosedFrame { func: frame.func, captures: frame.captures, replaced: frame.replaced, outputs }
    }
}

impl State {
    /// Carries a value of the frame at `level` into the innermost frame.
    fn capture_up(&mut self, level: usize, value: Value, ty: &TensorType) -> Value {
        self.capture_between(level, self.frames.len() - 1, value, ty)
    }

    /// Carries a value of the frame at level `from` into the one at level `to`.
    pub(crate) fn capture_between(&mut self, from: usize, to: usize, value: Value, ty: &TensorType) -> Value {
        let mut value = value;
        for at in from + 1..=to {
            let (outer, inner) = self.frames.split_at_mut(at);
            let node = outer[at - 1].func.node(value.node);
            let name = node.name.as_deref().unwrap_or_else(|| node.op.name()).to_owned();
            value = inner[0].capture(value, ty, (Some(&node.op), node.loc.clone(), name));
        }
        value
    }

    /// The frame with this id, if it is open.
    pub(crate) fn frame_mut(&mut self, id: u64) -> Option<&mut Frame> {
        self.frames.iter_mut().find(|f| f.id == id)
    }

    /// The value that stands for a value of the frame `of` in the frame `within` so far, without capturing it.
    pub(crate) fn known_in(&self, of: u64, value: Value, within: u64) -> Option<Value> {
        let from = self.frames.iter().position(|f| f.id == of)?;
        let to = self.frames.iter().position(|f| f.id == within)?;
        (from <= to).then_some(())?;
        let mut value = value;
        for frame in &self.frames[from + 1..=to] {
            value = *frame.capture_of.get(&value)?;
        }
        Some(value)
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.borrow();
        write!(f, "Graph(\"{}\", {} nodes)", s.name, s.frames[0].func.nodes().len())
    }
}
