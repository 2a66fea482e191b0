//! Loops: counted and running, in lanes with main loop, single groups and rest, and their reductions.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, types};
use kiln_loops::analysis::VectorLoop;
use kiln_loops::{AxisId, Const, Loop, LoopKind, Reduction, Stmt, Var};
use smallvec::SmallVec;

use super::LANES;
use super::core::{AxisValue, Emit, Form, Mode, is_wide};
use crate::error::{Fault, broken, unsupported};

/// Serial loops of at most so many iterations are written out when the code stays below [`UNROLL_STATEMENTS`].
const UNROLL_ITERATIONS: u64 = 4;
/// Most statements that writing out a serial loop may produce.
const UNROLL_STATEMENTS: usize = 24;

/// One iteration of a loop: takes the carried values, gives the next ones.
type Body<'b, 'a> = dyn FnMut(&mut Emit<'a>, &[Value]) -> Result<Vec<Value>, Fault> + 'b;

/// Iterations from `from` (included) to `to` (excluded).
#[derive(Clone, Copy)]
enum Span {
    /// Known; `to - from` is a multiple of the step.
    Known(i64, i64),
    /// In registers; a last incomplete step is left out.
    Running(Value, Value),
}

impl<'a> Emit<'a> {
    /// The kernel's statements; `start..end` is the share of the parallel loop.
    pub(super) fn top_level(&mut self, start: Value, end: Value) -> Result<(), Fault> {
        let kernel = self.kernel;
        let [Stmt::Loop(l)] = kernel.body.as_slice() else { return self.body(&kernel.body) };
        if l.kind != LoopKind::Parallel {
            return self.body(&kernel.body);
        }
        match self.plan.in_lanes(l.axis) {
            Some(plan) => self.vector_loop(l, plan, Span::Running(start, end)),
            None => {
                let mut body = |emit: &mut Emit<'a>, _: &[Value]| emit.body(&l.body).map(|()| Vec::new());
                self.range(l.axis, Span::Running(start, end), 1, &l.body, Vec::new(), &mut body).map(drop)
            }
        }
    }

    /// A loop that is a statement.
    pub(super) fn loop_stmt(&mut self, l: &'a Loop) -> Result<(), Fault> {
        if self.mode == Mode::Scalar
            && let Some(body) = self.calls.iter().position(|c| c.axis == l.axis)
        {
            return self.call_body(body);
        }
        let Ok(extent) = i64::try_from(l.extent) else { return unsupported(format!("loop extent {}", l.extent)) };
        if self.mode == Mode::Scalar
            && let Some(plan) = self.plan.in_lanes(l.axis)
        {
            return self.vector_loop(l, plan, Span::Known(0, extent));
        }
        let mut carried = Vec::new();
        for r in &l.reductions {
            match self.in_lanes(r.result) {
                true => carried.extend(self.lanes(r.init)?),
                false => carried.push(self.scalar(r.init)?),
            }
        }
        let folded = carried.len();
        for c in &l.carried {
            match self.in_lanes(c.result) {
                true => carried.extend(self.lanes(c.init)?),
                false => carried.push(self.scalar(c.init)?),
            }
        }
        let mut body = |emit: &mut Emit<'a>, carried: &[Value]| {
            emit.define_carried(l.carried.iter().map(|c| c.param), &carried[folded..])?;
            emit.body(&l.body)?;
            let mut next = emit.fold_in(&l.reductions, &carried[..folded])?;
            for c in &l.carried {
                match emit.in_lanes(c.param) {
                    true => next.extend(emit.lanes(c.next)?),
                    false => next.push(emit.scalar(c.next)?),
                }
            }
            Ok(next)
        };
        let unroll = l.extent <= UNROLL_ITERATIONS && l.extent as usize * statements(&l.body) <= UNROLL_STATEMENTS;
        let carried = match unroll {
            true => self.written_out(l.axis, extent, carried, &mut body)?,
            false => self.range(l.axis, Span::Known(0, extent), 1, &l.body, carried, &mut body)?.1,
        };
        let results = l.reductions.iter().map(|r| r.result).chain(l.carried.iter().map(|c| c.result));
        self.define_carried(results, &carried)
    }

    /// Defines variables from the values of a block, one after the other.
    fn define_carried(&mut self, vars: impl Iterator<Item = Var>, values: &[Value]) -> Result<(), Fault> {
        let mut rest = values;
        for var in vars {
            let in_lanes = self.in_lanes(var);
            let count = if in_lanes { self.register_count(self.dtype(var)) } else { 1 };
            let (own, others) = rest.split_at(count);
            rest = others;
            match in_lanes {
                true => self.define_lanes(var, SmallVec::from_slice(own)),
                false => self.define_scalar(var, own[0])?,
            }
        }
        Ok(())
    }

    /// Combines the values of this iteration with what was carried.
    fn fold_in(&mut self, reductions: &[Reduction], carried: &[Value]) -> Result<Vec<Value>, Fault> {
        let mut next = Vec::with_capacity(carried.len());
        for r in reductions {
            let dtype = self.dtype(r.value);
            // In the vectorized loop itself the result is one for all lanes, but what is carried is per lane.
            let in_lanes = carried.len() > next.len() && self.type_of(carried[next.len()]).is_vector();
            if in_lanes {
                for value in self.lanes(r.value)? {
                    let acc = carried[next.len()];
                    next.push(self.reduce(Form::Vector, r.op, dtype, acc, value)?);
                }
            } else {
                let value = self.scalar(r.value)?;
                let acc = carried[next.len()];
                next.push(self.reduce(Form::Scalar, r.op, dtype, acc, value)?);
            }
        }
        Ok(next)
    }

    /// A loop in lanes.
    fn vector_loop(&mut self, l: &'a Loop, plan: &'a VectorLoop, span: Span) -> Result<(), Fault> {
        for &var in &plan.splat_outer {
            let (dtype, scalar) = (self.dtype(var), self.scalar(var)?);
            let splat = self.spread(dtype, scalar);
            self.vars[var.0 as usize].splat = Some(splat);
        }
        let mut carried = Vec::new();
        for r in &l.reductions {
            let dtype = self.dtype(r.result);
            let identity = Const::identity(r.op, dtype).bits;
            let v = self.lit(Form::Vector, dtype, identity);
            carried.extend(vec![v; plan.copies * if is_wide(dtype) { 2 } else { 1 }]);
        }
        let mut copies = plan.copies;
        let mut span = span;
        loop {
            let step = (copies * LANES) as i64;
            let (now, later) = match span {
                Span::Known(from, to) => {
                    let middle = from + (to - from) / step * step;
                    (Span::Known(from, middle), Some(Span::Known(middle, to)))
                }
                Span::Running(..) => (span, None),
            };
            self.mode = Mode::Lanes { axis: l.axis, copies };
            let mut body = |emit: &mut Emit<'a>, carried: &[Value]| {
                emit.body(&l.body)?;
                emit.fold_in(&l.reductions, carried)
            };
            let (next, out) = self.range(l.axis, now, step, &l.body, carried, &mut body)?;
            carried = out;
            span = match (later, next, span) {
                (Some(later), _, _) => later,
                (None, Some(next), Span::Running(_, to)) => Span::Running(next, to),
                (None, _, _) => return broken("a running loop without an index"),
            };
            if copies > 1 {
                carried = self.fold_copies(&l.reductions, copies, carried)?;
                copies = 1;
            } else {
                break;
            }
        }
        self.mode = Mode::Scalar;
        let carried = self.fold_lanes(&l.reductions, &carried)?;
        let mut body = |emit: &mut Emit<'a>, carried: &[Value]| {
            emit.body(&l.body)?;
            emit.fold_in(&l.reductions, carried)
        };
        let (_, carried) = self.range(l.axis, span, 1, &l.body, carried, &mut body)?;
        for (r, acc) in l.reductions.iter().zip(carried) {
            let (dtype, init) = (self.dtype(r.result), self.scalar(r.init)?);
            let result = self.reduce(Form::Scalar, r.op, dtype, init, acc)?;
            self.define_scalar(r.result, result)?;
        }
        for &var in &plan.splat_outer {
            self.vars[var.0 as usize].splat = None;
        }
        Ok(())
    }

    /// Combines the accumulators of the interleaved groups, pairwise.
    fn fold_copies(
        &mut self,
        reductions: &[Reduction],
        copies: usize,
        carried: Vec<Value>,
    ) -> Result<Vec<Value>, Fault> {
        let mut out = Vec::new();
        let mut rest = carried.as_slice();
        for r in reductions {
            let dtype = self.dtype(r.value);
            let width = if is_wide(dtype) { 2 } else { 1 };
            let (own, others) = rest.split_at(copies * width);
            rest = others;
            let mut groups = own.to_vec();
            while groups.len() > width {
                let half = groups.len() / 2;
                let mut folded = Vec::with_capacity(half);
                for i in 0..half {
                    folded.push(self.reduce(Form::Vector, r.op, dtype, groups[i], groups[half + i])?);
                }
                groups = folded;
            }
            out.extend(groups);
        }
        Ok(out)
    }

    /// Combines the lanes of each accumulator into one element: (0, 2) with (1, 3).
    fn fold_lanes(&mut self, reductions: &[Reduction], carried: &[Value]) -> Result<Vec<Value>, Fault> {
        const UPPER_HALF: [u8; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
        const SECOND: [u8; 16] = [4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7];
        let mut out = Vec::new();
        let mut rest = carried;
        for r in reductions {
            let dtype = self.dtype(r.value);
            let (first, halves) = if is_wide(dtype) {
                let pair = self.reduce(Form::Vector, r.op, dtype, rest[0], rest[1])?;
                rest = &rest[2..];
                (pair, 1)
            } else {
                let v = rest[0];
                rest = &rest[1..];
                (v, 2)
            };
            let mut v = first;
            for bytes in [UPPER_HALF, SECOND].into_iter().take(halves) {
                let ty = self.type_of(v);
                let other = self.shuffle(ty, v, v, bytes);
                v = self.reduce(Form::Vector, r.op, dtype, v, other)?;
            }
            out.push(self.lane(dtype, v, 0));
        }
        Ok(out)
    }

    /// A serial loop written out.
    fn written_out(
        &mut self,
        axis: AxisId,
        extent: i64,
        carried: Vec<Value>,
        body: &mut Body<'_, 'a>,
    ) -> Result<Vec<Value>, Fault> {
        let mut carried = carried;
        for i in 0..extent {
            carried = self.iteration(axis, AxisValue::Known(i), &carried, body)?;
        }
        Ok(carried)
    }

    /// One iteration with its own scope.
    fn iteration(
        &mut self,
        axis: AxisId,
        value: AxisValue,
        carried: &[Value],
        body: &mut Body<'_, 'a>,
    ) -> Result<Vec<Value>, Fault> {
        let mark = self.pointers.mark();
        self.depth += 1;
        self.set_axis(axis, value);
        let out = body(self, carried)?;
        self.set_axis(axis, AxisValue::Unset);
        self.depth -= 1;
        self.pointers.release(mark);
        Ok(out)
    }

    fn set_axis(&mut self, axis: AxisId, value: AxisValue) {
        self.axes[axis.0 as usize] = (value, self.depth);
    }

    /// Runs `body` over a span in steps; gives where it stopped (running spans) and the carried values.
    fn range(
        &mut self,
        axis: AxisId,
        span: Span,
        step: i64,
        statements: &[Stmt],
        carried: Vec<Value>,
        body: &mut Body<'_, 'a>,
    ) -> Result<(Option<Value>, Vec<Value>), Fault> {
        let from = match span {
            Span::Known(from, to) if from >= to => return Ok((None, carried)),
            Span::Known(from, to) if from + step >= to => {
                let out = self.iteration(axis, AxisValue::Known(from), &carried, body)?;
                return Ok((None, out));
            }
            Span::Known(from, _) => self.b.ins().iconst(types::I64, from),
            Span::Running(from, _) => from,
        };
        let mark = self.pointers.mark();
        self.set_axis(axis, AxisValue::Unset);
        self.hoist_pointers(statements)?;
        let (header, exit) = (self.b.create_block(), self.b.create_block());
        let index = self.b.append_block_param(header, types::I64);
        let stopped = self.b.append_block_param(exit, types::I64);
        let types: Vec<_> = carried.iter().map(|&v| self.type_of(v)).collect();
        let inside: Vec<Value> = types.iter().map(|&ty| self.b.append_block_param(header, ty)).collect();
        let after: Vec<Value> = types.iter().map(|&ty| self.b.append_block_param(exit, ty)).collect();
        let arguments = |index: Value, carried: &[Value]| -> Vec<BlockArg> {
            std::iter::once(index).chain(carried.iter().copied()).map(BlockArg::from).collect()
        };
        let first = arguments(from, &carried);
        // The last index at which a whole step fits.
        let last = match span {
            Span::Running(_, to) => {
                let last = self.b.ins().iadd_imm_s(to, -step);
                let enough = self.b.ins().icmp(IntCC::SignedLessThanOrEqual, from, last);
                self.b.ins().brif(enough, header, &first, exit, &first);
                last
            }
            Span::Known(_, to) => {
                let last = self.b.ins().iconst(types::I64, to - step);
                self.b.ins().jump(header, &first);
                last
            }
        };
        self.b.switch_to_block(header);
        let out = self.iteration(axis, AxisValue::Running(index), &inside, body)?;
        let next = self.b.ins().iadd_imm_s(index, step);
        let again = self.b.ins().icmp(IntCC::SignedLessThanOrEqual, next, last);
        let arguments = arguments(next, &out);
        self.b.ins().brif(again, header, &arguments, exit, &arguments);
        self.b.switch_to_block(exit);
        self.pointers.release(mark);
        Ok((Some(stopped), after))
    }
}

/// Number of statements, loops counted once.
fn statements(body: &[Stmt]) -> usize {
    body.iter()
        .map(|s| match s {
            Stmt::Let { .. } | Stmt::Store { .. } => 1,
            // A loop inside is not worth copying.
            Stmt::Loop(l) => UNROLL_STATEMENTS + statements(&l.body),
            Stmt::If { then, .. } => 1 + statements(then),
        })
        .sum()
}
