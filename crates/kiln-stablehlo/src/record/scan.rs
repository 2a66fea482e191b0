//! `chlo.scan`: a loop along a dimension that carries values.

use super::sizes::shape_of;
use super::{Builder, Built, Scope};
use crate::ast::Operation;
use kiln_builder::Expr;
use std::cell::RefCell;

impl Builder<'_> {
    /// The body takes a slice of each input and the carried values; it gives a slice of each output and new carried values.
    pub(super) fn scan(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let [body] = op.regions.as_slice() else { return self.malformed(op, "one region is needed") };
        let dim = self.axis(op, &["dimension"])?;
        let reverse = self.flag(op, "is_reverse");
        let inputs = match self.ints_or(op, "operandSegmentSizes")?.as_deref() {
            Some([inputs, carried]) if *inputs >= 0 && *carried >= 0 && (inputs + carried) as usize == x.len() => {
                *inputs as usize
            }
            _ => return self.malformed(op, "`operandSegmentSizes` does not say which operands are carried"),
        };
        let carried = x.len() - inputs;
        let Some(outputs) = op.result_types.len().checked_sub(carried) else {
            return self.malformed(op, "fewer results than carried values");
        };
        let g = self.graph.clone();
        let mut length = None;
        for e in &x[..inputs] {
            let sizes = self.sizes(op, e)?;
            let Some(&n) = sizes.get(dim) else { return self.malformed(op, "no such dimension") };
            if length.is_some_and(|l| l != n) {
                return self.malformed(op, "inputs of different lengths");
            }
            length = Some(n);
        }
        let mut state = vec![g.constant(0i32)];
        state.extend_from_slice(&x[inputs..]);
        for i in 0..outputs {
            let (dtype, shape) = self.result_type(op, i)?;
            if length.is_none() {
                length = shape.get(dim).and_then(|d| d.as_const());
            }
            state.push(g.zeros(dtype, shape));
        }
        let Some(length) = length.and_then(|n| i32::try_from(n).ok()) else {
            return self.unsupported(op, "a scan of unknown length");
        };
        let sizes: Vec<Vec<i64>> = x[..inputs].iter().map(|e| self.sizes(op, e)).collect::<Built<_>>()?;
        let failure = RefCell::new(None);
        let this = RefCell::new(&mut *self);
        let done = g.while_loop(
            state,
            |s: Vec<Expr>| s[0].lt(length),
            |s: Vec<Expr>| {
                let zero = g.constant(0i32);
                let at = if reverse { (length - 1) - &s[0] } else { s[0].clone() };
                let starts = |rank: usize| (0..rank).map(|d| if d == dim { &at } else { &zero }).collect::<Vec<_>>();
                let slices = x[..inputs].iter().zip(&sizes).map(|(e, n)| {
                    let one = n.iter().enumerate().map(|(d, &n)| if d == dim { 1 } else { n });
                    let kept = n.iter().enumerate().filter(|(d, _)| *d != dim).map(|(_, &n)| n);
                    e.dynamic_slice(&starts(n.len()), shape_of(one)).reshape(shape_of(kept))
                });
                let args = slices.chain(s[1..=carried].iter().cloned()).collect();
                let mut results =
                    this.borrow_mut().region(body, args, scope, outputs + carried, &mut failure.borrow_mut());
                let carry = results.split_off(outputs);
                let written = s[1 + carried..].iter().zip(&results).map(|(buffer, slice)| {
                    let shape = buffer.shape();
                    let one = shape.iter().enumerate().map(|(d, n)| if d == dim { 1.into() } else { n.clone() });
                    let one: kiln_builder::Shape = one.collect();
                    if slice.is_poisoned() {
                        return g.poisoned();
                    }
                    buffer.dynamic_update_slice(&slice.reshape(&one), &starts(shape.rank()))
                });
                let next = &s[0] + 1;
                std::iter::once(next).chain(carry).chain(written.collect::<Vec<_>>()).collect()
            },
        );
        if let Some(e) = failure.into_inner() {
            return Err(e);
        }
        let (carry, written) = done[1..].split_at(carried);
        Ok(written.iter().chain(carry).cloned().collect())
    }
}
