//! Lowering of one function body to steps: the order of its groups, and which buffer each value lives in.
//!
//! Values that share memory by construction (reshapes, state that a loop passes through) share a *root*. A root's buffer is, in
//! this order of preference: the *target* that the value has to end up in (a fetch, a variable, a loop's state), the buffer of
//! an operand that dies here and may be overwritten in place, a new buffer in the arena. What did not reach its target directly
//! is copied at the end.

mod control;
mod values;

use crate::buffers::{Buffers, byte_size};
use crate::emit::{self, Emitted, Operand};
use crate::library;
use kiln_ir::{Diagnostics, Func, Op, Tensor, Value};
use kiln_kernels::CpuCall;
use kiln_plan::fusion::{Group, GroupKind};
use kiln_program::{BufferId, Slot, Step};
use values::{Root, Values};

/// The steps of a region and the buffer of each of its outputs.
pub(crate) type Lowered = (Vec<Step>, Vec<BufferId>);

/// Lowers `func` with its inputs in `params`. Output `i` ends up in `targets[i]` where one is given; a target may be the
/// buffer of a parameter, which is then overwritten once its old contents are dead.
pub(crate) fn lower(
    ctx: &mut Buffers,
    func: &Func,
    params: &[BufferId],
    targets: &[Option<BufferId>],
) -> Result<Lowered, Diagnostics> {
    let values = Values::new(func, ctx.options, |output| {
        targets[output].and_then(|target| params.iter().position(|&p| p == target))
    });
    let mut region = Region {
        func,
        params,
        targets,
        buffer_of: vec![None; values.len()],
        owned: vec![false; values.len()],
        taken: vec![false; values.len()],
        values,
        steps: Vec::new(),
        pos: 0,
    };
    for (input, &param) in func.inputs.iter().zip(params) {
        let root = region.values.root(input.node.into());
        region.buffer_of[root.0] = Some(param);
    }
    for pos in 0..region.values.order.len() {
        region.pos = pos;
        region.group(ctx, pos)?;
    }
    let outputs = region.finish(ctx)?;
    Ok((region.steps, outputs))
}

struct Region<'f> {
    func: &'f Func,
    params: &'f [BufferId],
    targets: &'f [Option<BufferId>],
    values: Values,
    /// Per root: where it lives, once that is decided.
    buffer_of: Vec<Option<BufferId>>,
    /// Per root: the buffer is arena memory of this region, free for reuse when the root dies.
    owned: Vec<bool>,
    /// Per root: its memory has been handed on to another root.
    taken: Vec<bool>,
    steps: Vec<Step>,
    pos: usize,
}

impl Region<'_> {
    fn group(&mut self, ctx: &mut Buffers, pos: usize) -> Result<(), Diagnostics> {
        let group = self.values.order[pos].clone();
        match group.kind {
            GroupKind::Kernel => self.kernel(ctx, &group),
            GroupKind::Library => self.library(ctx, &group),
            GroupKind::Control => self.control(ctx, &group),
            GroupKind::Alias => Ok(()),
        }
    }

    fn name(&self, v: Value) -> String {
        let node = self.func.node(v.node);
        match &node.name {
            Some(name) => name.to_string(),
            None => format!("%{} {}", v.node.0, node.op.name()),
        }
    }

    fn bytes(&self, v: Value) -> u64 {
        byte_size(self.func.ty(v))
    }

    /// The buffer that holds a value; literals get their place in the constants when first asked for.
    fn buffer(&mut self, ctx: &mut Buffers, v: Value) -> BufferId {
        let root = self.values.root(v);
        if let Some(id) = self.buffer_of[root.0] {
            return id;
        }
        let node = self.func.node(self.values.value(root).node);
        let Op::Constant(literal) = &node.op else {
            unreachable!("{} is used before the group that computes it", self.name(v));
        };
        let id = ctx.constant(&self.name(v), literal);
        self.buffer_of[root.0] = Some(id);
        id
    }

    fn kernel(&mut self, ctx: &mut Buffers, group: &Group) -> Result<(), Diagnostics> {
        if group.outputs.iter().all(|&v| self.bytes(v) == 0) {
            return self.skip(ctx, group);
        }
        let emitted = emit::emit(self.func, group)?;
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
    fn skip(&mut self, ctx: &mut Buffers, group: &Group) -> Result<(), Diagnostics> {
        for &out in &group.outputs {
            self.bind(ctx, out, &Emitted::default());
        }
        Ok(())
    }

    fn library(&mut self, ctx: &mut Buffers, group: &Group) -> Result<(), Diagnostics> {
        let out = group.outputs[0];
        if self.bytes(out) == 0 {
            return self.skip(ctx, group);
        }
        let node = self.func.node(out.node);
        let call = library::call(self.func, out.node)?;
        let mut args: Vec<BufferId> = node.operands.iter().map(|&v| self.buffer(ctx, v)).collect();
        self.bind(ctx, out, &Emitted::default());
        args.push(self.buffer(ctx, out));
        let tables = call.tables();
        if !tables.is_empty() {
            let tables = Tensor::from_vec([tables.len()], tables).expect("as many as the shape has");
            args.push(ctx.constant("tables", &tables));
        }
        let workspace = call.workspace_bytes() as u64;
        if workspace > 0 {
            args.push(ctx.arena("workspace", kiln_ir::DType::U8, workspace));
        }
        self.steps.push(Step::Call { call: ctx.calls.len() as u32, args });
        ctx.calls.push(kiln_kernels::call_info(call));
        Ok(())
    }

    /// Decides the buffer of a group's output.
    fn bind(&mut self, ctx: &mut Buffers, out: Value, emitted: &Emitted) {
        let root = self.values.root(out);
        let in_place = self.in_place(out, emitted);
        if let Some(target) = self.reachable_target(root, &in_place) {
            self.buffer_of[root.0] = Some(target);
            return;
        }
        for input in in_place {
            let from = self.values.root(input);
            let fits = self.bytes(input) == self.bytes(out);
            if fits && self.dies_here(from) && self.owned[from.0] && !self.taken[from.0] {
                self.taken[from.0] = true;
                self.buffer_of[root.0] = self.buffer_of[from.0];
                self.owned[root.0] = true;
                return;
            }
        }
        let id = ctx.arena(&self.name(out), self.func.ty(out).dtype, self.bytes(out));
        self.buffer_of[root.0] = Some(id);
        self.owned[root.0] = true;
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
        let same_memory = |a: Value, b: Value| self.values.root(a) == self.values.root(b);
        let pairs = emitted.copy_in.iter().chain(&emitted.may_alias);
        let inputs = pairs.filter(|p| p.1 == out).map(|p| p.0);
        inputs
            .filter(|&input| reads().all(|v| !same_memory(v, input) || emitted.may_alias.contains(&(v, out))))
            .collect()
    }

    fn dies_here(&self, root: Root) -> bool {
        self.values.last_use(root) == Some(self.pos)
    }

    /// The target of a root, if writing it at this position destroys nothing that is still needed: `in_place` are the values
    /// that this group may overwrite while it reads them.
    fn reachable_target(&self, root: Root, in_place: &[Value]) -> Option<BufferId> {
        let output = self.values.target_output(root)?;
        let target = self.targets[output]?;
        let Some(param) = self.params.iter().position(|&p| p == target) else { return Some(target) };
        let old = self.values.root(self.func.inputs[param].node.into());
        let free = match self.values.last_use(old) {
            None => true,
            Some(last) if last < self.pos => true,
            Some(last) => last == self.pos && in_place.iter().any(|&v| self.values.root(v) == old),
        };
        free.then_some(target)
    }

    /// Copies what is not yet in its target; an old value that another copy overwrites is saved first.
    fn finish(&mut self, ctx: &mut Buffers) -> Result<Vec<BufferId>, Diagnostics> {
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
    fn is_arena(&self, ctx: &Buffers, id: BufferId) -> bool {
        ctx.get(id).slot == Slot::Arena
    }
}
