//! From the recorded graph to a function that can be compiled.

use crate::expr::Expr;
use crate::graph::{Graph, UpdateWhen};
use kiln_ir::{Diagnostic, Diagnostics, Func, Loc, NewInput, Op, Output, OutputKind, Value};
use std::collections::BTreeSet;

/// New values of variables: what optimizers give and [`FunctionSpec::updates`] takes.
#[derive(Clone, Default, Debug)]
pub struct Updates(Vec<(Expr, Expr)>);

impl Updates {
    /// None yet.
    pub fn new() -> Updates {
        Updates::default()
    }
    /// Adds the new value of a variable.
    pub fn push(&mut self, variable: &Expr, value: &Expr) {
        self.0.push((variable.clone(), value.clone()));
    }
    /// [`Updates::push`] in a chain.
    pub fn with(mut self, variable: &Expr, value: &Expr) -> Updates {
        self.push(variable, value);
        self
    }
    /// (variable, new value) in order.
    pub fn iter(&self) -> impl Iterator<Item = &(Expr, Expr)> {
        self.0.iter()
    }
    /// Number of updates.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
impl Extend<(Expr, Expr)> for Updates {
    fn extend<I: IntoIterator<Item = (Expr, Expr)>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}
impl IntoIterator for Updates {
    type Item = (Expr, Expr);
    type IntoIter = std::vec::IntoIter<(Expr, Expr)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
impl FromIterator<(Expr, Expr)> for Updates {
    fn from_iter<I: IntoIterator<Item = (Expr, Expr)>>(iter: I) -> Updates {
        Updates(iter.into_iter().collect())
    }
}

/// What to fetch and what to update: turned into a [`Func`] by [`FunctionSpec::finish`].
///
/// ```
/// use kiln_builder::{Graph, Updates, dims, grad, init};
/// let g = Graph::new("fit");
/// let x = g.placeholder::<f32>("x", dims!["batch", 3]);
/// let w = g.variable("w", init::zeros([3]));
/// let loss = (x.dot(&w) - 1.0).square().mean(..);
/// let dw = &grad(&loss, &[&w])[0];
/// let step = g.function([&loss]).named("gradient", dw).updates(Updates::new().with(&w, &(&w - dw * 0.1)));
/// let func = step.finish().unwrap();
/// assert_eq!(func.outputs.len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    graph: Graph,
    name: String,
    fetches: Vec<(Option<String>, Expr)>,
    updates: Updates,
    registered: bool,
    loc: Loc,
}

impl Graph {
    /// A function of the graph that fetches these values. Their names are the values' own, or `output0`, ...
    #[track_caller]
    pub fn function<'a>(&self, fetches: impl IntoIterator<Item = &'a Expr>) -> FunctionSpec {
        FunctionSpec {
            graph: self.clone(),
            name: self.name(),
            fetches: fetches.into_iter().map(|e| (None, e.clone())).collect(),
            updates: Updates::new(),
            registered: true,
            loc: Loc::caller(),
        }
    }
}

impl FunctionSpec {
    /// Names the function; the graph's name unless given.
    pub fn name(mut self, name: impl Into<String>) -> FunctionSpec {
        self.name = name.into();
        self
    }
    /// Fetches another value under this name.
    pub fn named(mut self, name: &str, value: &Expr) -> FunctionSpec {
        self.fetches.push((Some(name.to_owned()), value.clone()));
        self
    }
    /// Updates variables at every run.
    pub fn updates(mut self, updates: impl IntoIterator<Item = (Expr, Expr)>) -> FunctionSpec {
        self.updates.extend(updates);
        self
    }
    /// False leaves out the updates registered in the graph (random states, running statistics).
    pub fn registered_updates(mut self, include: bool) -> FunctionSpec {
        self.registered = include;
        self
    }
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The function: only what fetches and updates need; inputs are the placeholders in use, then the variables in use
    /// or updated, both in the order of their declaration.
    ///
    /// # Errors
    /// Everything that was recorded while the graph was built, and what is wrong with fetches and updates.
    pub fn finish(&self) -> Result<Func, Diagnostics> {
        let mut problems = self.graph.diagnostics().0;
        let checked = self.collect(&mut problems);
        if problems.is_empty() { Ok(self.build(checked)) } else { Err(Diagnostics(problems)) }
    }

    /// Named fetches and updates as values of the root frame.
    fn collect(&self, problems: &mut Vec<Diagnostic>) -> (Vec<(String, Value)>, Vec<(Value, Value)>) {
        if self.graph.in_closure() {
            problems.push(
                Diagnostic::new("function.closure", "a function cannot be finished inside a control flow closure")
                    .at(&self.loc),
            );
            return (Vec::new(), Vec::new());
        }
        let mut taken = BTreeSet::new();
        let mut fetches = Vec::new();
        // Names given here come first, so that names of values step aside.
        for name in self.fetches.iter().filter_map(|(n, _)| n.as_ref()) {
            if !taken.insert(name.clone()) {
                let d = Diagnostic::new("function.name", format!("two fetches are named \"{name}\""));
                problems.push(d.at(&self.loc));
            }
        }
        for (i, (name, e)) in self.fetches.iter().enumerate() {
            let Some(value) = self.value(e, "fetch", problems) else { continue };
            let name = name.clone().unwrap_or_else(|| {
                let base = e.name().unwrap_or_else(|| format!("output{i}"));
                let mut names = std::iter::once(base.clone()).chain((1..).map(|k| format!("{base}_{k}")));
                names.find(|n| taken.insert(n.clone())).expect("numbers do not run out")
            });
            fetches.push((name, value));
        }
        let updates = self.collect_updates(&fetches, problems);
        (fetches, updates)
    }

    fn collect_updates(&self, fetches: &[(String, Value)], problems: &mut Vec<Diagnostic>) -> Vec<(Value, Value)> {
        let mut updates: Vec<(Value, Value)> = Vec::new();
        for (variable, new) in self.updates.iter() {
            let before = self.graph.diagnostics().0.len();
            let target = variable.root_variable("update");
            problems.extend(
                self.graph
                    .take_diagnostics_after(before)
                    .into_iter()
                    .map(|d| Diagnostic { loc: self.loc.clone(), ..d }),
            );
            let (Some((var, ty)), Some(value)) = (target, self.value(new, "update", problems)) else { continue };
            if new.ty() != ty {
                let d = Diagnostic::new("update.type", "a variable's new value has another type")
                    .label(format!("the variable is {ty}, the value {}", new.ty()))
                    .note("left", variable.describe())
                    .note("right", new.describe());
                problems.push(d.at(&self.loc));
            } else if updates.iter().any(|(v, _)| *v == var) {
                let d =
                    Diagnostic::new("update.twice", "a variable is updated twice").note("left", variable.describe());
                problems.push(d.at(&self.loc));
            } else {
                updates.push((var, value));
            }
        }
        if self.registered {
            self.add_registered(fetches, &mut updates);
        }
        updates
    }

    /// Registered updates whose time has come. One may reach the variable of another, so this runs to a fixed point.
    fn add_registered(&self, fetches: &[(String, Value)], updates: &mut Vec<(Value, Value)>) {
        let s = self.graph.0.borrow();
        let root = &s.frames[0].func;
        let training = !updates.is_empty();
        loop {
            let roots = fetches.iter().map(|(_, v)| *v).chain(updates.iter().map(|(_, v)| *v));
            let live = root.reachable(roots);
            let due = s.registered.iter().find(|r| {
                let wanted = match r.when {
                    UpdateWhen::Reached => live[r.variable.node.index()],
                    UpdateWhen::Training => training,
                };
                wanted && !updates.iter().any(|(v, _)| *v == r.variable)
            });
            match due {
                Some(r) => updates.push((r.variable, r.value)),
                None => return,
            }
        }
    }

    /// A value of the root frame; what is wrong otherwise goes to `problems` (silently when poisoned).
    fn value(&self, e: &Expr, what: &str, problems: &mut Vec<Diagnostic>) -> Option<Value> {
        let place = e.place.as_ref()?;
        if !self.graph.same(e.graph()) {
            let d =
                Diagnostic::new("graph.mixed", format!("a {what} is of another graph")).note("operand", e.describe());
            problems.push(d.at(&self.loc));
            return None;
        }
        if place.frame != 0 {
            let d = Diagnostic::new("graph.escaped", format!("a {what} left its control flow closure"))
                .note("operand", e.describe())
                .help("return the value from the closure and use the result of the control flow operator");
            problems.push(d.at(&self.loc));
            return None;
        }
        Some(place.value)
    }

    fn build(&self, (fetches, updates): (Vec<(String, Value)>, Vec<(Value, Value)>)) -> Func {
        let s = self.graph.0.borrow();
        let root = &s.frames[0].func;
        let roots: Vec<Value> = fetches.iter().map(|(_, v)| *v).chain(updates.iter().map(|(_, v)| *v)).collect();
        let live = root.reachable(roots.iter().copied().chain(updates.iter().map(|(v, _)| *v)));
        let used = |variables: bool| s.declared.iter().filter(move |d| d.variable == variables);
        let inputs: Vec<NewInput> = used(false)
            .chain(used(true))
            .filter(|d| live[d.value.node.index()])
            .filter_map(|d| match root.node(d.value.node).op {
                Op::Parameter(i) => root.inputs.get(i as usize),
                _ => None,
            })
            .map(NewInput::of)
            .collect();
        let mut made = root.extract(&self.name, &inputs, &roots, &s.frames[0].replaced);
        let index_of =
            |var: Value| inputs.iter().position(|i| i.old == Some(var)).expect("updated variables are inputs");
        for (i, value) in made.roots.iter().enumerate() {
            match i.checked_sub(fetches.len()) {
                None => made.func.add_output(fetches[i].0.clone(), *value),
                Some(u) => {
                    let input = index_of(updates[u].0);
                    let name = inputs[input].name.clone();
                    made.func.outputs.push(Output { name, value: *value, kind: OutputKind::Update(input) });
                }
            }
        }
        made.func
    }
}

impl Graph {
    /// True while a closure of control flow or of an operator is being recorded.
    pub fn in_closure(&self) -> bool {
        self.0.borrow().frames.len() > 1
    }

    /// Takes back the problems recorded after the first `n`.
    fn take_diagnostics_after(&self, n: usize) -> Vec<Diagnostic> {
        self.0.borrow_mut().diagnostics.split_off(n)
    }
}
