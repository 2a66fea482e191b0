//! The buffers of a program under construction, and their final places.

use crate::constants::{ConstantPool, Place};
use crate::kernels::KernelTable;
use crate::{LowerOptions, Lowered};
use kiln_ir::{DType, Tensor, TensorType};
use kiln_plan::arena::{self as plan, Interval};
use kiln_program::{BoundSignature, Buffer, BufferId, CallInfo, Program, Slot, Step};
use std::collections::HashMap;

/// Alignment in the arena: a cache line.
const ARENA_ALIGN: u64 = 64;

/// Everything that the regions of one function share.
pub(crate) struct Buffers<'o> {
    pub(crate) options: &'o LowerOptions,
    pub(crate) kernels: KernelTable,
    pub(crate) calls: Vec<CallInfo>,
    buffers: Vec<Buffer>,
    constants: ConstantPool,
    constant_buffers: HashMap<Place, BufferId>,
}

impl<'o> Buffers<'o> {
    pub(crate) fn new(options: &'o LowerOptions) -> Buffers<'o> {
        Buffers {
            options,
            kernels: KernelTable::default(),
            calls: Vec::new(),
            buffers: Vec::new(),
            constants: ConstantPool::default(),
            constant_buffers: HashMap::new(),
        }
    }

    fn add(&mut self, name: &str, dtype: DType, bytes: u64, slot: Slot, offset: u64) -> BufferId {
        let id = BufferId(self.buffers.len() as u32);
        self.buffers.push(Buffer { name: name.to_owned(), dtype, bytes, slot, offset, live: (u32::MAX, 0) });
        id
    }

    /// A buffer at a known place.
    pub(crate) fn at(&mut self, name: &str, ty: &TensorType, slot: Slot, offset: u64) -> BufferId {
        self.add(name, ty.dtype, byte_size(ty), slot, offset)
    }

    /// A buffer in the arena, placed at the end.
    pub(crate) fn arena(&mut self, name: &str, dtype: DType, bytes: u64) -> BufferId {
        self.add(name, dtype, bytes, Slot::Arena, 0)
    }

    /// The buffer of a literal.
    pub(crate) fn constant(&mut self, name: &str, value: &Tensor) -> BufferId {
        let place = self.constants.place(value);
        if let Some(&id) = self.constant_buffers.get(&place)
            && self.get(id).dtype == value.dtype()
            && self.get(id).bytes == value.bytes().len() as u64
        {
            return id;
        }
        let id = self.add(name, value.dtype(), value.bytes().len() as u64, Slot::Constants(place.0), place.1);
        self.constant_buffers.insert(place, id);
        id
    }

    pub(crate) fn get(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0 as usize]
    }

    /// Appends a copy unless there is nothing to copy.
    pub(crate) fn copy(&self, steps: &mut Vec<Step>, src: BufferId, dst: BufferId) {
        if src != dst && self.get(src).bytes > 0 {
            steps.push(Step::Copy { src, dst });
        }
    }

    /// Computes lifetimes, places the arena's buffers and puts the program together.
    pub(crate) fn finish(mut self, name: String, signature: BoundSignature, steps: Vec<Step>) -> Lowered {
        let mut lifetimes = Lifetimes { buffers: &mut self.buffers, step: 0, loops: Vec::new() };
        lifetimes.walk(&steps);
        let arena: Vec<usize> = (0..self.buffers.len())
            .filter(|&i| self.buffers[i].slot == Slot::Arena && self.buffers[i].live.0 <= self.buffers[i].live.1)
            .collect();
        let intervals: Vec<Interval> = arena
            .iter()
            .map(|&i| &self.buffers[i])
            .map(|b| Interval { bytes: b.bytes, first: b.live.0, last: b.live.1 })
            .collect();
        let assignment = plan::assign(&intervals, ARENA_ALIGN);
        for (&i, &offset) in arena.iter().zip(&assignment.offsets) {
            self.buffers[i].offset = offset;
        }
        let constants = self.constants.into_blocks();
        let program = Program {
            name,
            signature,
            buffers: self.buffers,
            steps,
            kernels: self.kernels.infos,
            calls: self.calls,
            constants: constants.iter().map(|block| block.len() as u64).collect(),
            arena_bytes: assignment.total,
            lower_bound_bytes: assignment.lower_bound,
        };
        Lowered { program, constants, kernels: self.kernels.kernels, fused: self.kernels.operators }
    }
}

/// Bytes of a static tensor type (checked to be static before lowering).
pub(crate) fn byte_size(ty: &TensorType) -> u64 {
    ty.num_bytes().expect("static shapes are checked before lowering") as u64
}

/// Numbers the steps in order and widens each buffer's lifetime to the steps that touch it. Memory that enters a loop from
/// outside stays live to the loop's end, since the next iteration may read it.
struct Lifetimes<'b> {
    buffers: &'b mut Vec<Buffer>,
    step: u32,
    /// For each open loop: its first step and the buffers touched in it.
    loops: Vec<(u32, Vec<BufferId>)>,
}

impl Lifetimes<'_> {
    fn touch(&mut self, id: BufferId) {
        let live = &mut self.buffers[id.0 as usize].live;
        *live = (live.0.min(self.step), live.1.max(self.step));
        if let Some((_, touched)) = self.loops.last_mut() {
            touched.push(id);
        }
    }

    fn walk(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::While { cond, pred, body } => self.walk_loop(cond, *pred, body),
                _ => {
                    step.buffers().into_iter().for_each(|id| self.touch(id));
                    let inner = step.children();
                    self.step += u32::from(!inner.is_empty());
                    inner.into_iter().for_each(|steps| self.walk(steps));
                }
            }
            self.step += 1;
        }
    }

    fn walk_loop(&mut self, cond: &[Step], pred: BufferId, body: &[Step]) {
        self.loops.push((self.step, Vec::new()));
        self.walk(cond);
        self.touch(pred);
        self.step += 1;
        self.walk(body);
        let (start, mut touched) = self.loops.pop().expect("pushed above");
        touched.sort_unstable();
        touched.dedup();
        for &id in &touched {
            let live = &mut self.buffers[id.0 as usize].live;
            if live.0 < start {
                live.1 = live.1.max(self.step);
            }
        }
        if let Some((_, outer)) = self.loops.last_mut() {
            outer.extend(touched);
        }
    }
}
