//! Operators of functions of scalars: reductions with any region, over dimensions and over windows.

use super::sizes::to_axes;
use super::{Builder, Built, Scope};
use crate::ast::{Block, Operation};
use kiln_builder::Expr;
use kiln_ir::op::{Window, WindowDim};
use smallvec::SmallVec;

impl Builder<'_> {
    /// Records an operator whose function of scalars is `block`: `record` gets a closure that applies the region to two lists
    /// of scalars, one after the other.
    pub(super) fn with_region<T>(
        &mut self,
        block: &Block,
        scope: &Scope,
        results: usize,
        record: impl FnOnce(&dyn Fn(&[Expr], &[Expr]) -> Vec<Expr>) -> T,
    ) -> Built<T> {
        let failure = std::cell::RefCell::new(None);
        let this = std::cell::RefCell::new(self);
        let made = record(&|a, b| {
            let args = a.iter().chain(b).cloned().collect();
            this.borrow_mut().region(block, args, scope, results, &mut failure.borrow_mut())
        });
        match failure.into_inner() {
            Some(e) => Err(e),
            None => Ok(made),
        }
    }

    /// Operands and initial values of a reduction of `n` tensors.
    fn fold_operands<'e>(&self, op: &Operation, x: &'e [Expr]) -> Built<(Vec<&'e Expr>, Vec<&'e Expr>)> {
        let n = x.len() / 2;
        if x.is_empty() || x.len() != 2 * n {
            return self.malformed(op, format!("{} operands, expected as many initial values as tensors", x.len()));
        }
        Ok((x[..n].iter().collect(), x[n..].iter().collect()))
    }

    /// `reduce` with any region.
    pub(super) fn reduce_any(&mut self, op: &Operation, x: &[Expr], axes: &[usize], scope: &Scope) -> Built<Vec<Expr>> {
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        let (operands, inits) = self.fold_operands(op, x)?;
        let graph = self.graph.clone();
        self.with_region(block, scope, operands.len(), |apply| {
            graph.generic_reduce(&operands, &inits, &to_axes(axes), |acc, elem| apply(acc, elem))
        })
    }

    /// `reduce_window` with any region.
    pub(super) fn reduce_window_any(
        &mut self,
        op: &Operation,
        x: &[Expr],
        dims: &[WindowDim],
        scope: &Scope,
    ) -> Built<Vec<Expr>> {
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        let (operands, inits) = self.fold_operands(op, x)?;
        let (graph, window) = (self.graph.clone(), Window { dims: SmallVec::from_slice(dims) });
        self.with_region(block, scope, operands.len(), |apply| {
            graph.generic_reduce_window(&operands, &inits, window, |acc, elem| apply(acc, elem))
        })
    }

    /// `select_and_scatter` with regions that the named form cannot say.
    pub(super) fn select_and_scatter_any(
        &mut self,
        op: &Operation,
        [x, source, init]: [Expr; 3],
        dims: &[WindowDim],
        scope: &Scope,
    ) -> Built<Expr> {
        let [select, scatter] = op.regions.as_slice() else { return self.malformed(op, "two regions are needed") };
        let (graph, window) = (self.graph.clone(), Window { dims: SmallVec::from_slice(dims) });
        let failure = std::cell::RefCell::new(None);
        let this = std::cell::RefCell::new(self);
        let apply = |block: &Block, a: &Expr, b: &Expr| {
            let args = vec![a.clone(), b.clone()];
            this.borrow_mut().region(block, args, scope, 1, &mut failure.borrow_mut()).swap_remove(0)
        };
        let made = graph.generic_select_and_scatter(
            &x,
            &source,
            &init,
            window,
            |best, candidate| apply(select, best, candidate),
            |old, update| apply(scatter, old, update),
        );
        match failure.into_inner() {
            Some(e) => Err(e),
            None => Ok(made),
        }
    }
}
