//! A program under construction: buffers, constants, kernels and calls, and at the end their places.

use crate::Lowered;
use crate::constants::ConstantPool;
use crate::kernels::KernelTable;
use kiln_ir::{DType, Tensor, TensorType};
use kiln_plan::{MachineModel, arena};
use kiln_program::{Blob, BoundSignature, Buffer, BufferId, CallInfo, Program, Slot, Step};
use std::collections::HashMap;

/// Everything that the regions of one function share.
pub(crate) struct ProgramBuilder<'m> {
    pub(crate) machine: &'m MachineModel,
    pub(crate) kernels: KernelTable,
    pub(crate) calls: Vec<CallInfo>,
    buffers: Vec<Buffer>,
    constants: ConstantPool,
    constant_buffers: HashMap<u64, BufferId>,
}

impl<'m> ProgramBuilder<'m> {
    pub(crate) fn new(machine: &'m MachineModel) -> ProgramBuilder<'m> {
        ProgramBuilder {
            machine,
            kernels: KernelTable::new(machine.work),
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
        let offset = self.constants.place(value);
        if let Some(&id) = self.constant_buffers.get(&offset)
            && self.get(id).dtype == value.dtype()
            && self.get(id).bytes == value.bytes().len() as u64
        {
            return id;
        }
        let id = self.add(name, value.dtype(), value.bytes().len() as u64, Slot::Constants, offset);
        self.constant_buffers.insert(offset, id);
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
        let arena = arena::place(&mut self.buffers, &steps, self.machine.arena_align);
        let constants = Blob::from(&self.constants.into_bytes()[..]);
        let program = Program {
            name,
            signature,
            buffers: self.buffers,
            steps,
            kernels: self.kernels.infos,
            calls: self.calls,
            constant_bytes: constants.len() as u64,
            arena_bytes: arena.total,
            lower_bound_bytes: arena.lower_bound,
        };
        Lowered { program, constants, kernels: self.kernels.kernels, fused: self.kernels.operators }
    }
}

/// Bytes of a static tensor type (checked to be static before lowering).
pub(crate) fn byte_size(ty: &TensorType) -> u64 {
    ty.num_bytes().expect("static shapes are checked before lowering") as u64
}
