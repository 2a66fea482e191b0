//! Control flow: state of loops, results of branches.

use crate::builder::ProgramBuilder;
use crate::region::{Region, lower};
use kiln_ir::{Diagnostics, Func, Node, NodeId, Op, Value};
use kiln_plan::fusion::Group;
use kiln_plan::region::is_invariant;
use kiln_program::{BufferId, Step};

impl Region<'_> {
    pub(crate) fn control(&mut self, ctx: &mut ProgramBuilder, group: &Group) -> Result<(), Diagnostics> {
        let id = group.nodes[0];
        let node: &Node = self.func.node(id);
        match &node.op {
            Op::While { cond, body } => self.while_loop(ctx, id, cond, body),
            Op::If { on_true, on_false } => {
                let pred = self.buffer(ctx, node.operands[0]);
                let mut branches = self.branches(ctx, id, &[on_true, on_false])?.into_iter();
                let (then, otherwise) =
                    (branches.next().expect("two branches"), branches.next().expect("two branches"));
                self.steps.push(Step::If { pred, then, otherwise });
                Ok(())
            }
            Op::Case { branches } => {
                let index = self.buffer(ctx, node.operands[0]);
                let funcs: Vec<&Func> = branches.iter().collect();
                let branches = self.branches(ctx, id, &funcs)?;
                self.steps.push(Step::Case { index, branches });
                Ok(())
            }
            other => unreachable!("{} is no control flow", other.name()),
        }
    }

    fn while_loop(
        &mut self,
        ctx: &mut ProgramBuilder,
        id: NodeId,
        cond: &Func,
        body: &Func,
    ) -> Result<(), Diagnostics> {
        let operands = self.func.node(id).operands.clone();
        let mut state = Vec::with_capacity(operands.len());
        let mut targets = Vec::with_capacity(operands.len());
        for (i, (&operand, result)) in operands.iter().zip(self.func.results(id)).enumerate() {
            if is_invariant(body, i) {
                state.push(self.buffer(ctx, operand));
                targets.push(None);
            } else {
                let buffer = self.loop_state(ctx, &operands, operand, result);
                state.push(buffer);
                targets.push(Some(buffer));
            }
        }
        let plan = self.plan;
        let nested = &plan.nested[&id];
        let (cond_steps, outputs) = lower(ctx, cond, &nested[0], &state, &[None])?;
        let (body_steps, _) = lower(ctx, body, &nested[1], &state, &targets)?;
        self.steps.push(Step::While { cond: cond_steps, pred: outputs[0], body: body_steps });
        Ok(())
    }

    /// The buffer that holds one state of a loop: that of its start value if this is the value's last use, otherwise one that
    /// the start value is copied to.
    fn loop_state(&mut self, ctx: &mut ProgramBuilder, operands: &[Value], operand: Value, result: Value) -> BufferId {
        let (from, to) = (self.plan.root(operand), self.plan.root(result));
        let source = self.buffer(ctx, operand);
        let used_once = operands.iter().filter(|&&v| self.plan.root(v) == from).count() == 1;
        let in_place: &[Value] = if used_once { &[operand] } else { &[] };
        if let Some(target) = self.reachable_target(to, in_place) {
            ctx.copy(&mut self.steps, source, target);
            self.buffer_of[to.index()] = Some(target);
            return target;
        }
        self.owned[to.index()] = true;
        if used_once
            && self.dies_here(from)
            && self.owned[from.index()]
            && !self.taken[from.index()]
            && self.is_arena(ctx, source)
        {
            self.taken[from.index()] = true;
            self.buffer_of[to.index()] = Some(source);
            return source;
        }
        let ty = self.func.ty(result);
        let buffer = ctx.arena(&self.name(result), ty.dtype, self.bytes(result));
        ctx.copy(&mut self.steps, source, buffer);
        self.buffer_of[to.index()] = Some(buffer);
        buffer
    }

    /// Lowers each branch so that its results end up in the node's result buffers.
    fn branches(
        &mut self,
        ctx: &mut ProgramBuilder,
        id: NodeId,
        branches: &[&Func],
    ) -> Result<Vec<Vec<Step>>, Diagnostics> {
        let args: Vec<Value> = self.func.node(id).operands[1..].to_vec();
        let params: Vec<BufferId> = args.iter().map(|&v| self.buffer(ctx, v)).collect();
        let results: Vec<Value> = self.func.results(id).collect();
        let mut targets = Vec::with_capacity(results.len());
        for &result in &results {
            self.bind(ctx, result, &crate::emit::Emitted::default());
            targets.push(Some(self.buffer(ctx, result)));
        }
        let nested = self.plan.nested[&id].iter();
        branches
            .iter()
            .zip(nested)
            .map(|(branch, plan)| lower(ctx, branch, plan, &params, &targets).map(|(steps, _)| steps))
            .collect()
    }
}
