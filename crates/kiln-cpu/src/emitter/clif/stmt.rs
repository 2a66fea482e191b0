//! Statements and expressions.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::{AxisId, Expr, Stmt, Var};
use smallvec::SmallVec;

use super::LANES;
use super::core::{AxisValue, Emit, Form, Mode, Regs, Slot, is_wide};
use crate::error::{Fault, broken};

impl<'a> Emit<'a> {
    /// Statements in order.
    pub(super) fn body(&mut self, body: &'a [Stmt]) -> Result<(), Fault> {
        for stmt in body {
            match stmt {
                Stmt::Let { expr: Expr::Const(_), .. } => {}
                Stmt::Let { var, expr } if self.in_lanes(*var) => self.let_lanes(*var, expr)?,
                Stmt::Let { var, expr } => {
                    let value = self.scalar_expr(expr)?;
                    self.define_scalar(*var, value)?;
                }
                Stmt::Store { buf, index, value } => self.store(*buf, index, *value)?,
                Stmt::Loop(l) => self.loop_stmt(l)?,
                Stmt::If { cond, then } => self.if_stmt(*cond, then)?,
            }
        }
        Ok(())
    }

    fn if_stmt(&mut self, cond: Var, then: &'a [Stmt]) -> Result<(), Fault> {
        let cond = self.scalar(cond)?;
        let (inside, after) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(cond, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        let mark = self.pointers.mark();
        self.body(then)?;
        self.pointers.release(mark);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
        Ok(())
    }

    fn axis_value(&self, axis: AxisId) -> Result<AxisValue, Fault> {
        match self.axes[axis.0 as usize] {
            (AxisValue::Unset, _) => broken(format!("axis {} is used outside of its loop", axis.0)),
            (value, _) => Ok(value),
        }
    }

    fn axis_register(&mut self, axis: AxisId) -> Result<Value, Fault> {
        match self.axis_value(axis)? {
            AxisValue::Known(v) => Ok(self.b.ins().iconst(types::I64, v)),
            AxisValue::Running(v) => Ok(v),
            AxisValue::Unset => broken("an axis without a value"),
        }
    }

    /// The value of an expression that is equal in all lanes.
    fn scalar_expr(&mut self, expr: &Expr) -> Result<Value, Fault> {
        match expr {
            Expr::Const(c) => Ok(self.lit(Form::Scalar, c.dtype, c.bits)),
            Expr::Load { buf, index } => self.load_scalar(*buf, index),
            Expr::Axis(axis) => self.axis_register(*axis),
            Expr::Unary(op, x) => {
                let (dtype, x) = (self.dtype(*x), self.scalar(*x)?);
                self.unary(Form::Scalar, *op, dtype, x)
            }
            Expr::Binary(op, x, y) => {
                let (dtype, lits) = (self.dtype(*x), [self.literal(*x), self.literal(*y)]);
                let (x, y) = (self.scalar(*x)?, self.scalar(*y)?);
                self.binary(Form::Scalar, *op, dtype, x, y, lits)
            }
            Expr::Compare(direction, x, y) => {
                let dtype = self.dtype(*x);
                let (x, y) = (self.scalar(*x)?, self.scalar(*y)?);
                self.compare(*direction, dtype, x, y)
            }
            Expr::Select(c, x, y) => {
                let (c, x, y) = (self.scalar(*c)?, self.scalar(*x)?, self.scalar(*y)?);
                Ok(self.b.ins().select(c, x, y))
            }
            Expr::Convert(to, x) => {
                let (from, x) = (self.dtype(*x), self.scalar(*x)?);
                self.convert_scalar(*to, from, x)
            }
            Expr::Bitcast(to, x) => {
                let (from, x) = (self.dtype(*x), self.scalar(*x)?);
                Ok(self.bitcast(Form::Scalar, *to, from, x))
            }
            Expr::Fma(x, y, z) => {
                let (x, y, z) = (self.scalar(*x)?, self.scalar(*y)?, self.scalar(*z)?);
                Ok(self.multiply_add(x, y, z))
            }
        }
    }

    /// Defines a variable that differs between lanes.
    fn let_lanes(&mut self, var: Var, expr: &Expr) -> Result<(), Fault> {
        let regs = match expr {
            Expr::Const(c) => {
                let v = self.lit(Form::Vector, c.dtype, c.bits);
                SmallVec::from_elem(v, self.register_count(c.dtype))
            }
            Expr::Load { buf, index } => self.load_lanes(*buf, index)?,
            Expr::Axis(axis) => self.axis_lanes(*axis)?,
            Expr::Unary(op, x) => return self.unary_lanes(var, *op, *x),
            Expr::Binary(op, x, y) => return self.binary_lanes(var, *op, *x, *y),
            Expr::Compare(direction, x, y) => return self.compare_lanes(var, *direction, *x, *y),
            Expr::Select(c, x, y) => self.select_lanes(*c, *x, *y)?,
            Expr::Convert(to, x) => self.convert_lanes(*to, *x)?,
            Expr::Bitcast(to, x) => {
                let from = self.dtype(*x);
                let xs = self.lanes(*x)?;
                xs.iter().map(|&x| self.bitcast(Form::Vector, *to, from, x)).collect()
            }
            Expr::Fma(x, y, z) => {
                let (xs, ys, zs) = (self.lanes(*x)?, self.lanes(*y)?, self.lanes(*z)?);
                (0..xs.len()).map(|i| self.multiply_add(xs[i], ys[i], zs[i])).collect()
            }
        };
        self.define_lanes(var, regs);
        Ok(())
    }

    /// `base, base + 1, ...` of the vectorized axis.
    fn axis_lanes(&mut self, axis: AxisId) -> Result<Regs, Fault> {
        let Mode::Lanes { axis: own, copies } = self.mode else { return broken("lanes outside of a vectorized loop") };
        if own != axis {
            return broken(format!("axis {} differs between lanes", axis.0));
        }
        let base = self.axis_register(axis)?;
        let base = self.b.ins().splat(types::I64X2, base);
        let mut regs = Regs::new();
        for i in 0..copies * LANES / 2 {
            let first = 2 * i as u64;
            let bytes: Vec<u8> = [first, first + 1].iter().flat_map(|v| v.to_le_bytes()).collect();
            let steps = self.vector_literal(types::I64X2, &bytes);
            regs.push(self.b.ins().iadd(base, steps));
        }
        Ok(regs)
    }

    fn unary_lanes(&mut self, var: Var, op: UnaryOp, x: Var) -> Result<(), Fault> {
        let dtype = self.dtype(x);
        if matches!(op, UnaryOp::Popcnt | UnaryOp::CountLeadingZeros) {
            let regs =
                self.lane_by_lane(self.dtype(var), &[x], |emit, args| emit.unary(Form::Scalar, op, dtype, args[0]))?;
            self.define_lanes(var, regs);
            return Ok(());
        }
        if op == UnaryOp::Not
            && let Some(masks) = self.wide_masks(&[x])
        {
            let wide = masks[0].iter().map(|&m| self.b.ins().bnot(m)).collect();
            self.define_masks(var, true, wide);
            return Ok(());
        }
        let xs = self.lanes(x)?;
        let mut regs = Regs::new();
        for x in xs {
            regs.push(self.unary(Form::Vector, op, dtype, x)?);
        }
        self.define_lanes(var, regs);
        Ok(())
    }

    fn binary_lanes(&mut self, var: Var, op: BinaryOp, x: Var, y: Var) -> Result<(), Fault> {
        let dtype = self.dtype(x);
        let lits = [self.literal(x), self.literal(y)];
        let shift = matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRightArithmetic | BinaryOp::ShiftRightLogical);
        if shift && !self.in_lanes(y) {
            let (xs, y) = (self.lanes(x)?, self.scalar(y)?);
            let mut regs = Regs::new();
            for x in xs {
                regs.push(self.shift(Form::Vector, op, dtype, x, y)?);
            }
            self.define_lanes(var, regs);
            return Ok(());
        }
        let int_division = matches!(op, BinaryOp::Divide | BinaryOp::Remainder) && !dtype.is_float();
        if shift || int_division {
            let regs = self.lane_by_lane(dtype, &[x, y], |emit, args| {
                emit.binary(Form::Scalar, op, dtype, args[0], args[1], lits)
            })?;
            self.define_lanes(var, regs);
            return Ok(());
        }
        let masks = if dtype == DType::Bool { self.wide_masks(&[x, y]) } else { None };
        let wide = masks.is_some();
        let (xs, ys) = match masks {
            Some(mut masks) => {
                let ys = masks.pop().unwrap_or_default();
                (masks.pop().unwrap_or_default(), ys)
            }
            None => (self.lanes(x)?, self.lanes(y)?),
        };
        let mut regs = Regs::new();
        for (x, y) in xs.into_iter().zip(ys) {
            regs.push(self.binary(Form::Vector, op, dtype, x, y, lits)?);
        }
        self.define_masks(var, wide, regs);
        Ok(())
    }

    fn compare_lanes(&mut self, var: Var, direction: CompareDirection, x: Var, y: Var) -> Result<(), Fault> {
        let dtype = self.dtype(x);
        let (xs, ys) = (self.lanes(x)?, self.lanes(y)?);
        let mut regs = Regs::new();
        for (x, y) in xs.into_iter().zip(ys) {
            regs.push(self.compare(direction, dtype, x, y)?);
        }
        self.define_masks(var, is_wide(dtype), regs);
        Ok(())
    }

    fn select_lanes(&mut self, c: Var, x: Var, y: Var) -> Result<Regs, Fault> {
        let dtype = self.dtype(x);
        let masks = match is_wide(dtype) {
            true => match self.wide_masks(&[c]) {
                Some(mut masks) => masks.pop().unwrap_or_default(),
                None => {
                    let masks = self.lanes(c)?;
                    self.widen_masks(&masks)
                }
            },
            false => self.lanes(c)?,
        };
        let (xs, ys) = (self.lanes(x)?, self.lanes(y)?);
        Ok((0..xs.len()).map(|i| self.choose(Form::Vector, masks[i], xs[i], ys[i])).collect())
    }

    /// Records bools, as masks of 64-bit lanes if `wide`.
    fn define_masks(&mut self, var: Var, wide: bool, regs: Regs) {
        match wide {
            true => self.vars[var.0 as usize] = Slot { wide: regs, depth: self.depth, ..Slot::default() },
            false => self.define_lanes(var, regs),
        }
    }

    /// The bools as masks of 64-bit lanes, if all of them are kept so.
    fn wide_masks(&self, vars: &[Var]) -> Option<Vec<Regs>> {
        let kept = |v: &Var| {
            let slot = &self.vars[v.0 as usize];
            (self.in_lanes(*v) && !slot.wide.is_empty()).then(|| slot.wide.clone())
        };
        vars.iter().map(kept).collect()
    }
}
