//! Control flow: operators with regions that stay regions, and `map`.

use super::{Builder, Built, Scope, Slot};
use crate::ast::{Block, Operation};
use crate::error::Error;
use kiln_builder::Expr;
use std::cell::RefCell;

impl Builder<'_> {
    /// The values that a region returns; an error inside is kept for the caller, since closures cannot fail.
    pub(super) fn region(
        &mut self,
        block: &Block,
        args: Vec<Expr>,
        scope: &Scope,
        expected: usize,
        failure: &mut Option<Error>,
    ) -> Vec<Expr> {
        let args = args.into_iter().map(Slot::One).collect();
        let values = match self.block(block, args, scope) {
            Ok(slots) => slots.into_iter().flat_map(Slot::leaves).collect(),
            Err(e) => {
                failure.get_or_insert(e);
                Vec::new()
            }
        };
        if values.len() == expected { values } else { vec![self.graph.poisoned(); expected] }
    }

    /// `map`: its region applied to whole tensors.
    pub(super) fn map(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        match op.regions.first() {
            Some(block) => self.lifted(op, block, x.to_vec(), scope),
            None => self.malformed(op, "a region is missing"),
        }
    }

    pub(super) fn while_loop(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let [cond, body] = op.regions.as_slice() else { return self.malformed(op, "two regions are needed") };
        let n = x.len();
        let graph = self.graph.clone();
        let failure = RefCell::new(None);
        let this = RefCell::new(self);
        let results = graph.while_loop(
            x.to_vec(),
            |state| {
                let mut values = this.borrow_mut().region(cond, state, scope, 1, &mut failure.borrow_mut());
                values.swap_remove(0)
            },
            |state| this.borrow_mut().region(body, state, scope, n, &mut failure.borrow_mut()),
        );
        match failure.into_inner() {
            Some(e) => Err(e),
            None => Ok(results),
        }
    }

    pub(super) fn branches(&mut self, op: &Operation, name: &str, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let [index] = self.operands(op, x)?;
        let n = op.result_types.len();
        let graph = self.graph.clone();
        let failure = RefCell::new(None);
        let this = RefCell::new(self);
        let run = |block: &Block| this.borrow_mut().region(block, Vec::new(), scope, n, &mut failure.borrow_mut());
        let results = match (name, op.regions.as_slice()) {
            ("if", [on_true, on_false]) => graph.cond(&index, || run(on_true), || run(on_false)),
            ("case", blocks) if !blocks.is_empty() => {
                let run = &run;
                let list = blocks.iter().map(|b| Box::new(move || run(b)) as Box<dyn FnOnce() -> Vec<Expr> + '_>);
                graph.switch(&index, list.collect()).unwrap_or_default()
            }
            _ => return this.borrow().malformed(op, "regions are missing"),
        };
        match failure.into_inner() {
            Some(e) => Err(e),
            None => Ok(results),
        }
    }
}
