//! Gradients.

use crate::expr::Expr;
use kiln_autodiff::STOP_GRADIENT;
use kiln_ir::{Func, InputKind, Op};

impl Expr {
    /// The same value, through which no gradient flows.
    #[track_caller]
    pub fn stop_gradient(&self) -> Expr {
        if self.is_poisoned() || !self.dtype().is_float() {
            return self.clone();
        }
        let mut body = Func::new(STOP_GRADIENT);
        let x = body.add_input("x", self.ty(), InputKind::Feed, self.graph.loc());
        body.add_output("x", x);
        let op = Op::Composite { name: STOP_GRADIENT.to_owned(), body: Box::new(body), vjp: None };
        self.graph.emit(op, &[self])
    }
}
