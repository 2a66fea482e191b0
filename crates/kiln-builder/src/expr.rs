//! Handles to values of a graph.

use crate::graph::Graph;
use kiln_ir::{DType, Diagnostic, Dim, Op, Shape, TensorType, Value};
use std::fmt;

/// A value of a [`Graph`]: what operators and methods take and give. Cheap to clone.
///
/// No method panics and none returns a `Result`: a mistake is recorded in the graph with the caller's source line, and
/// the result is *poisoned*, which silences everything computed from it. [`crate::FunctionSpec::finish`] returns all
/// that was recorded.
#[derive(Clone)]
pub struct Expr {
    pub(crate) graph: Graph,
    pub(crate) place: Option<Place>,
}

/// Where the value of an expression is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) frame: u64,
    pub(crate) value: Value,
    pub(crate) ty: TensorType,
}

impl Expr {
    pub(crate) fn new(graph: &Graph, place: Option<Place>) -> Expr {
        Expr { graph: graph.clone(), place }
    }

    /// The graph it belongs to.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// True when it stands for a failed operation.
    pub fn is_poisoned(&self) -> bool {
        self.place.is_none()
    }

    /// Element type and shape; `f32[]` when poisoned.
    pub fn ty(&self) -> TensorType {
        self.place.as_ref().map_or_else(|| TensorType::scalar(DType::F32), |p| p.ty.clone())
    }

    /// Element type; f32 when poisoned.
    pub fn dtype(&self) -> DType {
        self.place.as_ref().map_or(DType::F32, |p| p.ty.dtype)
    }

    /// Sizes; those of a scalar when poisoned.
    pub fn shape(&self) -> Shape {
        self.place.as_ref().map_or_else(Shape::scalar, |p| p.ty.shape.clone())
    }

    /// Number of dimensions; 0 when poisoned.
    pub fn rank(&self) -> usize {
        self.place.as_ref().map_or(0, |p| p.ty.rank())
    }

    /// The size of one dimension; negative axes count from the end. An axis out of range is recorded, and the size is 1.
    #[track_caller]
    pub fn dim(&self, axis: i64) -> Dim {
        match self.axis(axis, "dim") {
            Some(a) => self.shape()[a].clone(),
            None => Dim::Const(1),
        }
    }

    /// Names the value, with the open scopes in front. Names show in diagnostics, dumps and as default names of fetches.
    pub fn named(&self, name: &str) -> Expr {
        let name = self.graph.scoped(name);
        if let Some(p) = &self.place
            && let Some(frame) = self.graph.0.borrow_mut().frame_mut(p.frame)
        {
            let node = frame.func.node_mut(p.value.node);
            if !matches!(node.op, Op::Parameter(_)) {
                node.name = Some(name.into());
            }
        }
        self.clone()
    }

    /// The name of the variable, placeholder or named value.
    pub fn name(&self) -> Option<String> {
        let p = self.place.as_ref()?;
        let s = self.graph.0.borrow();
        let frame = s.frames.iter().find(|f| f.id == p.frame)?;
        frame.func.node(p.value.node).name.as_deref().map(str::to_owned)
    }

    /// What it is, its type and source line, as diagnostics say it.
    pub fn describe(&self) -> String {
        let Some(p) = &self.place else { return "a poisoned expression".to_owned() };
        let s = self.graph.0.borrow();
        match s.frames.iter().find(|f| f.id == p.frame) {
            Some(frame) => frame.func.describe(p.value),
            None => format!("{} made in a closure that has ended", p.ty),
        }
    }

    /// Turns a possibly negative axis into an index, or records what is wrong.
    #[track_caller]
    pub(crate) fn axis(&self, axis: i64, op: &str) -> Option<usize> {
        self.place.as_ref()?;
        self.axis_of_rank(axis, self.rank(), op)
    }

    /// [`Expr::axis`] against a rank other than the expression's.
    #[track_caller]
    pub(crate) fn axis_of_rank(&self, axis: i64, rank: usize, op: &str) -> Option<usize> {
        let r = rank as i64;
        if (-r..r).contains(&axis) {
            return usize::try_from(if axis < 0 { axis + r } else { axis }).ok();
        }
        let range =
            if r == 0 { "a scalar has no axes".to_owned() } else { format!("axes go from {} to {}", -r, r - 1) };
        self.graph.report(
            Diagnostic::new(format!("{op}.axis"), format!("axis {axis} is out of range"))
                .label(range)
                .note("operand", self.describe()),
        );
        None
    }

    /// Records a problem about this operand and gives a poisoned result.
    #[track_caller]
    pub(crate) fn fail(&self, code: &str, message: impl Into<String>, label: impl Into<String>) -> Expr {
        if self.is_poisoned() {
            return self.clone();
        }
        self.graph.fail(Diagnostic::new(code, message).label(label).note("operand", self.describe()))
    }

    /// Records a problem about two operands and gives a poisoned result.
    #[track_caller]
    pub(crate) fn fail2(&self, other: &Expr, code: &str, message: impl Into<String>, label: impl Into<String>) -> Expr {
        if self.is_poisoned() || other.is_poisoned() {
            return self.graph.poisoned();
        }
        let d = Diagnostic::new(code, message).label(label);
        self.graph.fail(d.note("left", self.describe()).note("right", other.describe()))
    }

    /// The value of a variable of the root frame, or a diagnostic.
    #[track_caller]
    pub(crate) fn root_variable(&self, op: &str) -> Option<(Value, TensorType)> {
        let p = self.place.as_ref()?;
        let known = {
            let s = self.graph.0.borrow();
            p.frame == 0 && s.declared.iter().any(|d| d.variable && d.value == p.value)
        };
        if !known {
            self.fail(&format!("{op}.variable"), "only a variable can be updated", "this is no variable of the graph");
            return None;
        }
        Some((p.value, p.ty.clone()))
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
