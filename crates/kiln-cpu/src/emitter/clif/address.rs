//! Addresses: a pointer per buffer and set of running terms, computed as far outside as possible and shared, plus a constant
//! displacement that folds into the access.

use std::collections::HashMap;

use cranelift_codegen::ir::{InstBuilder, Value, types};
use kiln_loops::analysis::Pattern;
use kiln_loops::{AxisId, Buf, Expr, Index, Stmt, Var};
use smallvec::SmallVec;

use super::core::{AxisValue, Emit, Mode};
use crate::error::{Fault, broken};
use kiln_ir::DType;

/// A running quantity in an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Part {
    Axis(AxisId),
    Var(Var),
}

/// Terms of an address: quantities with their factors in bytes, sorted.
type Parts = SmallVec<[(Part, i64); 4]>;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// Buffer start plus terms.
    Pointer(Buf, Parts),
    /// One quantity times its factor.
    Scaled(Part, i64),
}

/// Pointers computed so far that dominate the current place. Only ever looked up by key, so the order cannot leak.
#[derive(Default)]
pub(super) struct Pointers {
    known: HashMap<Key, Value>,
    order: Vec<Key>,
}

impl Pointers {
    /// Start of a region whose pointers must not be used after it.
    pub(super) fn mark(&self) -> usize {
        self.order.len()
    }
    /// Forgets what was computed since `mark`.
    pub(super) fn release(&mut self, mark: usize) {
        for key in self.order.drain(mark..) {
            self.known.remove(&key);
        }
    }
    fn insert(&mut self, key: Key, value: Value) {
        self.order.push(key.clone());
        self.known.insert(key, value);
    }
}

/// An address: pointer and constant displacement in bytes.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub(super) pointer: Value,
    pub(super) offset: i64,
}

impl Emit<'_> {
    /// The dtype of a buffer's elements.
    pub(super) fn buffer_dtype(&self, buf: Buf) -> DType {
        match buf {
            Buf::Param(i) => self.kernel.params[i as usize].dtype,
            Buf::Local(i) => self.kernel.locals[i as usize].dtype,
        }
    }

    /// The address of an element; terms that differ between lanes count with the first lane (axis) or not at all (variables).
    pub(super) fn address(&mut self, buf: Buf, index: &Index) -> Result<Address, Fault> {
        let (parts, offset) = self.parts(buf, index, u32::MAX)?;
        let pointer = self.pointer(buf, parts)?;
        Ok(Address { pointer, offset })
    }

    /// Computes, before a loop at the current depth, the pointers that its accesses start from.
    pub(super) fn hoist_pointers(&mut self, body: &[Stmt]) -> Result<(), Fault> {
        for stmt in body {
            match stmt {
                Stmt::Let { expr: Expr::Load { buf, index }, .. } | Stmt::Store { buf, index, .. } => {
                    let (parts, _) = self.parts(*buf, index, self.depth + 1)?;
                    self.pointer(*buf, parts)?;
                }
                Stmt::Let { .. } => {}
                Stmt::Loop(l) => self.hoist_pointers(&l.body)?,
                Stmt::If { then, .. } => self.hoist_pointers(then)?,
            }
        }
        Ok(())
    }

    /// Splits an index into running terms of loops around `depth` and the constant rest, in bytes. Terms that have no value
    /// yet (inner loops, variables defined later) are left out.
    fn parts(&mut self, buf: Buf, index: &Index, depth: u32) -> Result<(Parts, i64), Fault> {
        let size = self.buffer_dtype(buf).size() as i64;
        let overflow = || Fault::Unsupported("an index of more than 63 bits".to_owned());
        let scale = |v: i64| v.checked_mul(size).ok_or_else(overflow);
        let whole = depth == u32::MAX;
        let mut offset = scale(index.offset)?;
        let mut parts = Parts::new();
        for &(axis, stride) in &index.terms {
            let (value, axis_depth) = self.axes[axis.0 as usize];
            match value {
                AxisValue::Known(v) => {
                    let term = v.checked_mul(scale(stride)?).ok_or_else(overflow)?;
                    offset = offset.checked_add(term).ok_or_else(overflow)?;
                }
                AxisValue::Running(_) if axis_depth < depth => parts.push((Part::Axis(axis), scale(stride)?)),
                AxisValue::Running(_) => {}
                AxisValue::Unset if whole => return broken(format!("axis {} is used outside of its loop", axis.0)),
                AxisValue::Unset => {}
            }
        }
        for &(var, factor) in &index.dynamic {
            if let Some(c) = self.literal(var) {
                let term = (c.bits as i64).checked_mul(scale(factor)?).ok_or_else(overflow)?;
                offset = offset.checked_add(term).ok_or_else(overflow)?;
            } else if self.in_lanes(var) {
                continue;
            } else if whole || self.hoistable(var, depth) {
                parts.push((Part::Var(var), scale(factor)?));
            }
        }
        parts.sort_unstable();
        Ok((parts, offset))
    }

    /// Whether a variable is defined outside of the loop about to start. The depth of a definition never changes, so a value
    /// left from an earlier copy of the loop's body does not pass for one.
    fn hoistable(&self, var: Var, depth: u32) -> bool {
        let slot = &self.vars[var.0 as usize];
        slot.scalar.is_some() && slot.depth < depth
    }

    fn pointer(&mut self, buf: Buf, parts: Parts) -> Result<Value, Fault> {
        if parts.is_empty() {
            return Ok(self.base(buf));
        }
        let key = Key::Pointer(buf, parts.clone());
        if let Some(&v) = self.pointers.known.get(&key) {
            return Ok(v);
        }
        // Terms of outer loops first: their sum is shared.
        let deepest = parts.iter().map(|p| self.part_depth(p.0)).max().unwrap_or(0);
        let (own, outer): (Parts, Parts) =
            parts.iter().copied().partition(|p: &(Part, i64)| self.part_depth(p.0) == deepest);
        let mut pointer = self.pointer(buf, outer)?;
        for &(part, factor) in &own {
            // A shift and a subtraction take less time than a product.
            pointer = match factor.checked_neg() {
                Some(positive) if factor < 0 => {
                    let term = self.scaled(part, positive)?;
                    self.b.ins().isub(pointer, term)
                }
                _ => {
                    let term = self.scaled(part, factor)?;
                    self.b.ins().iadd(pointer, term)
                }
            };
        }
        self.pointers.insert(key, pointer);
        Ok(pointer)
    }

    fn part_depth(&self, part: Part) -> u32 {
        match part {
            Part::Axis(a) => self.axes[a.0 as usize].1,
            Part::Var(v) => self.vars[v.0 as usize].depth,
        }
    }

    fn scaled(&mut self, part: Part, factor: i64) -> Result<Value, Fault> {
        let value = match part {
            Part::Axis(a) => match self.axes[a.0 as usize].0 {
                AxisValue::Running(v) => v,
                AxisValue::Known(_) | AxisValue::Unset => return broken("an axis without a register"),
            },
            Part::Var(v) => self.scalar(v)?,
        };
        if factor == 1 {
            return Ok(value);
        }
        let key = Key::Scaled(part, factor);
        if let Some(&v) = self.pointers.known.get(&key) {
            return Ok(v);
        }
        let v = self.times(value, factor);
        self.pointers.insert(key, v);
        Ok(v)
    }

    /// `value * factor` on i64, by a shift where possible.
    pub(super) fn times(&mut self, value: Value, factor: i64) -> Value {
        match factor {
            1 => value,
            f if f > 0 && f.count_ones() == 1 => self.b.ins().ishl_imm_u(value, i64::from(f.trailing_zeros())),
            f => self.b.ins().imul_imm_s(value, f),
        }
    }

    fn base(&mut self, buf: Buf) -> Value {
        match buf {
            Buf::Param(i) => self.params[i as usize],
            Buf::Local(i) => self.b.ins().stack_addr(types::I64, self.locals[i as usize], 0),
        }
    }

    /// An address with a displacement that fits an instruction.
    pub(super) fn fold(&mut self, address: Address, extra: i64) -> (Value, i32) {
        let offset = address.offset.wrapping_add(extra);
        match i32::try_from(offset) {
            Ok(offset) => (address.pointer, offset),
            Err(_) => (self.b.ins().iadd_imm_s(address.pointer, offset), 0),
        }
    }

    /// How the lanes reach memory at present.
    pub(super) fn pattern(&self, index: &Index) -> Pattern {
        match self.mode {
            Mode::Lanes { axis, .. } => self.plan.pattern(axis, index),
            Mode::Scalar => Pattern::Uniform,
        }
    }
}
