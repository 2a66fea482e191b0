//! Calling the code of a straight-line loop that another emitter made.

use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, UserExternalName, types,
};

use super::address::Address;
use super::core::Emit;
use super::kernel_signature;
use crate::error::Fault;

impl Emit<'_> {
    /// Calls the code of a body instead of running its loop: the addresses of its parameters go into an array on the stack.
    pub(super) fn call_body(&mut self, body: usize) -> Result<(), Fault> {
        let call = &self.calls[body];
        let bytes = (call.args.len().max(1) * size_of::<usize>()) as u32;
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 3));
        let array = self.b.ins().stack_addr(types::I64, slot, 0);
        for (i, (buf, index)) in call.args.iter().enumerate() {
            let Address { pointer, offset } = self.address(*buf, index)?;
            let pointer = if offset == 0 { pointer } else { self.b.ins().iadd_imm_s(pointer, offset) };
            self.b.ins().store(MemFlagsData::trusted(), pointer, array, (i * size_of::<usize>()) as i32);
        }
        let signature = self.b.import_signature(kernel_signature(self.machine.isa.default_call_conv()));
        let name = UserExternalName { namespace: 0, index: body as u32 };
        let name = ExternalName::user(self.b.func.declare_imported_user_function(name));
        let callee = self.b.import_function(ExtFuncData { name, signature, colocated: true, patchable: false });
        let (zero, one) = (self.b.ins().iconst(types::I64, 0), self.b.ins().iconst(types::I64, 1));
        self.b.ins().call(callee, &[array, zero, one]);
        for &(var, scratch) in &call.results {
            let value = self.load_scalar(scratch, &kiln_loops::Index::constant(0))?;
            self.define_scalar(var, value)?;
        }
        Ok(())
    }
}
