//! Lowering of one planned function to steps: which buffer each value lives in.
//!
//! Values that share memory by construction (reshapes, state that a loop passes through) share a *root*. A root's buffer is, in
//! this order of preference: the *target* that the value has to end up in (a fetch, a variable, a loop's state), the buffer of
//! an operand that dies here and may be overwritten in place, a new buffer in the arena. What did not reach its target directly
//! is copied at the end.

use crate::builder::{ProgramBuilder, byte_size};
use crate::emit::{self, Emitted, Operand};
use kiln_ir::{Diagnostics, Func, Op, Tensor, Value};
use kiln_plan::Root;
use kiln_plan::fusion::{Group, GroupKind};
use kiln_program::{BufferId, Slot, Step};

/// The steps of a region and the buffer of each of its outputs.
pub(crate) type Lowered = (Vec<Step>, Vec<BufferId>);

/// Lowers a planned function with its inputs in `params`. Output `i` ends up in `targets[i]` where one is given; a target may be
/// the buffer of a parameter, which is then overwritten once its old contents are dead.
pub(crate) fn lower(
    ctx: &mut ProgramBuilder,
    func: &Func,
    plan: &kiln_plan::Region,
    params: &[BufferId],
    targets: &[Option<BufferId>],
) -> Result<Lowered, Diagnostics> {
    let mut region = Region {
        func,
        plan,
        params,
        targets,
        buffer_of: vec![None; plan.roots()],
        owned: vec![false; plan.roots()],
        taken: vec![false; plan.roots()],
        steps: Vec::new(),
        pos: 0,
    };
    for (input, &param) in func.inputs.iter().zip(params) {
        let root = plan.root(input.node.into());
        region.buffer_of[root.index()] = Some(param);
    }
    for (pos, group) in plan.groups.iter().enumerate() {
        region.pos = pos;
        region.group(ctx, group)?;
    }
    let outputs = region.finish(ctx)?;
    Ok((region.steps, outputs))
}

pub(crate) struct Region<'f> {
    pub(crate) func: &'f Func,
    pub(crate) plan: &'f kiln_plan::Region,
    params: &'f [BufferId],
    targets: &'f [Option<BufferId>],
    /// Per root: where it lives, once that is decided.
    pub(crate) buffer_of: Vec<Option<BufferId>>,
    /// Per root: the buffer is arena memory of this region, free for reuse when the root dies.
    pub(crate) owned: Vec<bool>,
    /// Per root: its memory has been handed on to another root.
    pub(crate) taken: Vec<bool>,
    pub(crate) steps: Vec<Step>,
    pos: usize,
}

impl Region<'_> {
    fn group(&mut self, ctx: &mut ProgramBuilder, group: &Group) -> Result<(), Diagnostics> {
        match group.kind {
            GroupKind::Kernel => self.kernel(ctx, group),
            GroupKind::Library => self.call(ctx, group),
            GroupKind::Control => self.control(ctx, group),
            GroupKind::Alias => Ok(()),
        }
    }

    pub(crate) fn name(&self, v: Value) -> String {
        let node = self.func.node(v.node);
        match &node.name {
            Some(name) => name.to_string(),
            None => format!("%{} {}", v.node.0, node.op.name()),
        }
    }

    pub(crate) fn bytes(&self, v: Value) -> u64 {
        byte_size(self.func.ty(v))
    }

    /// The buffer that holds a value; literals get their place in the constants when first asked for.
    pub(crate) fn buffer(&mut self, ctx: &mut ProgramBuilder, v: Value) -> BufferId {
        let root = self.plan.root(v);
        if let Some(id) = self.buffer_of[root.index()] {
            return id;
        }
        let node = self.func.node(self.plan.value(root).node);
        let Op::Constant(literal) = &node.op else {
            unreachable!("{} is used before the group that computes it", self.name(v));
        };
        let id = ctx.constant(&self.name(v), literal);
        self.buffer_of[root.index()] = Some(id);
        id
    }

    fn kernel(&mut self, ctx: &mut ProgramBuilder, group: &Group) -> Result<(), Diagnostics> {
        if group.outputs.iter().all(|&v| self.bytes(v) == 0) {
            return self.skip(ctx, group);
        }
        let emitted = emit::emit(self.func, group, ctx.machine)?;
        for &out in &group.outputs {
            self.bind(ctx, out, &emitted);
        }
        for &(input, out) in &emitted.copy_in {
            let (src, dst) = (self.buffer(ctx, input), self.buffer(ctx, out));
            ctx.copy(&mut self.steps, src, dst);
        }
        let temps: Vec<BufferId> =
            emitted.temps.iter().map(|t| ctx.arena("temp", t.dtype, t.len * t.dtype.size() as u64)).collect();
        let operators: Vec<String> = group.nodes.iter().map(|&n| self.func.node(n).op.name().to_owned()).collect();
        for launch in emitted.launches {
            let args = launch
                .args
                .iter()
                .map(|&operand| match operand {
                    Operand::Value(v) => self.buffer(ctx, v),
                    Operand::Temp(t) => temps[t as usize],
                })
                .collect();
            let kernel = ctx.kernels.add(launch.kernel, &operators)?;
            self.steps.push(Step::Launch { kernel, args });
        }
        Ok(())
    }

    /// Gives the outputs of a group without elements their (empty) buffers.
    fn skip(&mut self, ctx: &mut ProgramBuilder, group: &Group) -> Result<(), Diagnostics> {
        for &out in &group.outputs {
            self.bind(ctx, out, &Emitted::default());
        }
        Ok(())
    }

    fn call(&mut self, ctx: &mut ProgramBuilder, group: &Group) -> Result<(), Diagnostics> {
        let Some(site) = &group.call else { return self.skip(ctx, group) };
        let out = group.outputs[0];
        let mut args: Vec<BufferId> = self.func.node(out.node).operands.iter().map(|&v| self.buffer(ctx, v)).collect();
        self.bind(ctx, out, &Emitted::default());
        args.push(self.buffer(ctx, out));
        if site.tables > 0 {
            let tables = ctx.machine.library.tables(&site.call);
            let tables = Tensor::from_vec([tables.len()], tables).expect("as many as the shape has");
            args.push(ctx.constant("tables", &tables));
        }
        if site.workspace > 0 {
            args.push(ctx.arena("workspace", kiln_ir::DType::U8, site.workspace));
        }
        self.steps.push(Step::Call { call: ctx.calls.len() as u32, args });
        ctx.calls.push(site.clone());
        Ok(())
    }

    /// Decides the buffer of a group's output.
    pub(crate) fn bind(&mut self, ctx: &mut ProgramBuilder, out: Value, emitted: &Emitted) {
        let root = self.plan.root(out);
        let in_place = self.in_place(out, emitted);
        if let Some(target) = self.reachable_target(root, &in_place) {
            self.buffer_of[root.index()] = Some(target);
            return;
        }
        for input in in_place {
            let from = self.plan.root(input);
            let fits = self.bytes(input) == self.bytes(out);
            if fits && self.dies_here(from) && self.owned[from.index()] && !self.taken[from.index()] {
                self.taken[from.index()] = true;
                self.buffer_of[root.index()] = self.buffer_of[from.index()];
                self.owned[root.index()] = true;
                return;
            }
        }
        let id = ctx.arena(&self.name(out), self.func.ty(out).dtype, self.bytes(out));
        self.buffer_of[root.index()] = Some(id);
        self.owned[root.index()] = true;
    }

    /// The values whose memory a group's output may take: those that are copied there anyway or read element by element, unless
    /// a kernel also reads the memory in another way (the same value as the updates of a scatter, or another view of it).
    fn in_place(&self, out: Value, emitted: &Emitted) -> Vec<Value> {
        let reads = || {
            emitted.launches.iter().flat_map(|l| &l.args).filter_map(|&arg| match arg {
                Operand::Value(v) => Some(v),
                Operand::Temp(_) => None,
            })
        };
        let same_memory = |a: Value, b: Value| self.plan.root(a) == self.plan.root(b);
        let pairs = emitted.copy_in.iter().chain(&emitted.may_alias);
        let inputs = pairs.filter(|p| p.1 == out).map(|p| p.0);
        inputs
            .filter(|&input| reads().all(|v| !same_memory(v, input) || emitted.may_alias.contains(&(v, out))))
            .collect()
    }

    pub(crate) fn dies_here(&self, root: Root) -> bool {
        self.plan.last_use(root) == Some(self.pos)
    }

    /// The target of a root, if writing it at this position destroys nothing that is still needed: `in_place` are the values
    /// that this group may overwrite while it reads them.
    pub(crate) fn reachable_target(&self, root: Root, in_place: &[Value]) -> Option<BufferId> {
        let output = self.plan.target_output(root)?;
        let target = self.targets[output]?;
        let Some(param) = self.params.iter().position(|&p| p == target) else { return Some(target) };
        let old = self.plan.root(self.func.inputs[param].node.into());
        let free = match self.plan.last_use(old) {
            None => true,
            Some(last) if last < self.pos => true,
            Some(last) => last == self.pos && in_place.iter().any(|&v| self.plan.root(v) == old),
        };
        free.then_some(target)
    }

    /// Copies what is not yet in its target; an old value that another copy overwrites is saved first.
    fn finish(&mut self, ctx: &mut ProgramBuilder) -> Result<Vec<BufferId>, Diagnostics> {
        let mut pending: Vec<(BufferId, BufferId)> = Vec::new();
        let mut outputs = Vec::with_capacity(self.func.outputs.len());
        for (i, output) in self.func.outputs.iter().enumerate() {
            let from = self.buffer(ctx, output.value);
            outputs.push(self.targets[i].unwrap_or(from));
            if let Some(target) = self.targets[i].filter(|&t| t != from) {
                pending.push((from, target));
            }
        }
        let written: Vec<BufferId> = pending.iter().map(|p| p.1).collect();
        for (src, _) in &mut pending {
            if written.contains(src) {
                let (dtype, bytes) = (ctx.get(*src).dtype, ctx.get(*src).bytes);
                let saved = ctx.arena("saved", dtype, bytes);
                ctx.copy(&mut self.steps, *src, saved);
                *src = saved;
            }
        }
        for (src, dst) in pending {
            ctx.copy(&mut self.steps, src, dst);
        }
        Ok(outputs)
    }

    /// True when the buffer is memory that this region may hand on: not an input, output, constant or parameter.
    pub(crate) fn is_arena(&self, ctx: &ProgramBuilder, id: BufferId) -> bool {
        ctx.get(id).slot == Slot::Arena
    }
}
