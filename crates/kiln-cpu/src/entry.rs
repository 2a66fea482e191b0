//! The entry function: a program's steps as straight-line machine code.
//!
//! Per step it builds the array of buffer pointers on its stack and calls a kernel, the thread pool or a library function
//! through the tables of the run context; control flow between steps is native. Long programs are cut into functions of
//! bounded size that the code block calls directly (patched at link time), since Cranelift limits the size of one
//! function; compile time stays linear in the number of steps.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockCall, ExtFuncData, ExternalName, FuncRef, Function, InstBuilder, JumpTableData, MemFlagsData,
    SigRef, Signature, StackSlot, StackSlotData, StackSlotKind, UserExternalName, UserFuncName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use kiln_kernels::abi::{
    BUFFERS_OFFSET, CALL_FUNCTION_OFFSET, CALL_PARAMS_OFFSET, CALL_SITE_SIZE, CALLS_OFFSET, KERNELS_OFFSET,
    PARALLEL_FOR_OFFSET,
};
use kiln_program::{BufferId, Program, Step};

use crate::emitter::clif::{Scratch, compile_function};
use crate::error::CompileError;
use crate::link::Image;
use crate::target::Machine;

mod copy;

/// Work of one function: about the number of pointers it writes and calls it makes.
const CHUNK_WEIGHT: usize = 2000;

/// Emits the entry function; gives its offset and the number of functions it was cut into.
pub(crate) fn emit(program: &Program, machine: &Machine, image: &mut Image) -> Result<(u64, usize), CompileError> {
    let mut chunks = Chunks { pending: vec![&program.steps] };
    let mut scratch = Scratch::default();
    let mut placed = Vec::new();
    let mut calls = Vec::new();
    // Chunk 0 is the entry; each function may append the chunks it calls.
    while let Some(&steps) = chunks.pending.get(placed.len()) {
        let index = placed.len();
        let function = emit_function(program, machine, &mut chunks, steps, index == 0, &mut scratch);
        let name = || if index == 0 { "entry".to_owned() } else { format!("entry part {index}") };
        function.map_err(|message| CompileError::Backend { function: name(), message })?;
        let code = compile_function(machine, &mut scratch, false).map_err(|fault| fault.of_function(&name()))?;
        let offset = image.place(&code.bytes);
        placed.push(offset);
        calls.extend(code.calls.into_iter().map(|site| (offset, site)));
    }
    for (function, site) in calls {
        let Some(&target) = placed.get(site.target as usize) else {
            return Err(CompileError::Program(format!("call of part {} of {}", site.target, placed.len())));
        };
        image.patch(function, site, target)?;
    }
    Ok((placed[0] as u64, placed.len()))
}

/// Emits an entry function that does nothing, for kernels alone; gives its offset.
pub(crate) fn emit_nothing(machine: &Machine, image: &mut Image) -> Result<u64, CompileError> {
    let mut scratch = Scratch::default();
    let signature = signature(machine.isa.default_call_conv(), 1, true);
    scratch.context.func = Function::with_name_signature(UserFuncName::default(), signature);
    let mut b = FunctionBuilder::new(&mut scratch.context.func, &mut scratch.builder);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    let zero = b.ins().iconst(types::I64, 0);
    b.ins().return_(&[zero]);
    b.seal_all_blocks();
    b.finalize(machine.isa.frontend_config());
    let code = compile_function(machine, &mut scratch, false).map_err(|fault| fault.of_function("entry"))?;
    Ok(image.place(&code.bytes) as u64)
}

/// The lists of steps that become functions.
struct Chunks<'a> {
    pending: Vec<&'a [Step]>,
}

fn weight(step: &Step) -> usize {
    match step {
        Step::Launch { args, .. } | Step::Call { args, .. } => args.len() + 3,
        Step::Copy { .. } => 8,
        // Lists inside are bounded by becoming functions themselves.
        Step::While { cond, body, .. } => 4 + list_weight(cond) * 2 + list_weight(body),
        Step::If { then, otherwise, .. } => 4 + list_weight(then) + list_weight(otherwise),
        Step::Case { branches, .. } => 4 + branches.iter().map(|b| 2 + list_weight(b)).sum::<usize>(),
    }
}

/// Weight of a list where it stands: its steps, or one call per function it is cut into.
fn list_weight(steps: &[Step]) -> usize {
    let total: usize = steps.iter().map(weight).sum();
    if total <= CHUNK_WEIGHT { total } else { 3 * (total / CHUNK_WEIGHT + 1) }
}

fn emit_function<'a>(
    program: &'a Program,
    machine: &Machine,
    chunks: &mut Chunks<'a>,
    steps: &'a [Step],
    entry: bool,
    scratch: &mut Scratch,
) -> Result<(), String> {
    scratch.context.clear();
    let call_conv = machine.isa.default_call_conv();
    scratch.context.func = Function::with_name_signature(UserFuncName::default(), signature(call_conv, 1, entry));
    let mut b = FunctionBuilder::new(&mut scratch.context.func, &mut scratch.builder);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    let ctx = b.block_params(block)[0];
    let buffers = b.ins().load(types::I64, table_flags(), ctx, BUFFERS_OFFSET as i32);
    let arena = b.ins().load(types::I64, table_flags(), buffers, 0);
    let kernels = b.ins().load(types::I64, table_flags(), ctx, KERNELS_OFFSET as i32);
    let kernel_sig = b.import_signature(signature(call_conv, 3, false));
    let parallel_sig = b.import_signature(signature(call_conv, 5, false));
    let chunk_sig = b.import_signature(signature(call_conv, 1, false));
    let mut emit = EntryEmit {
        b,
        program,
        chunks,
        ctx,
        buffers,
        arena,
        kernels,
        kernel_sig,
        parallel_sig,
        chunk_sig,
        pointers: None,
    };
    emit.steps(steps)?;
    let results: Vec<Value> = if entry { vec![emit.b.ins().iconst(types::I64, 0)] } else { vec![] };
    emit.b.ins().return_(&results);
    emit.b.seal_all_blocks();
    emit.b.finalize(machine.isa.frontend_config());
    Ok(())
}

fn signature(call_conv: CallConv, params: usize, returns: bool) -> Signature {
    let mut signature = Signature::new(call_conv);
    signature.params.extend(std::iter::repeat_n(AbiParam::new(types::I64), params));
    if returns {
        signature.returns.push(AbiParam::new(types::I64));
    }
    signature
}

/// The tables of the run context do not change during a run.
fn table_flags() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly()
}

struct EntryEmit<'a, 'b> {
    b: FunctionBuilder<'b>,
    program: &'a Program,
    chunks: &'b mut Chunks<'a>,
    ctx: Value,
    buffers: Value,
    /// Base of slot 0, which most buffers lie in.
    arena: Value,
    /// The table of kernels.
    kernels: Value,
    kernel_sig: SigRef,
    parallel_sig: SigRef,
    chunk_sig: SigRef,
    /// The pointer array, with its size in bytes: as large as the largest call needs.
    pointers: Option<(StackSlot, u32)>,
}

impl<'a> EntryEmit<'a, '_> {
    /// Steps in order; a list that is too long becomes functions that are called.
    fn steps(&mut self, steps: &'a [Step]) -> Result<(), String> {
        let total: usize = steps.iter().map(weight).sum();
        // Every piece is shorter than the list, so this ends.
        if total <= CHUNK_WEIGHT || steps.len() == 1 {
            return steps.iter().try_for_each(|s| self.step(s));
        }
        // At most as many pieces as the weight of one function allows; these are cut again in their own functions.
        let pieces = (total / CHUNK_WEIGHT + 1).clamp(2, CHUNK_WEIGHT / 4);
        let mut rest = steps;
        let mut left = total;
        for piece in (1..=pieces).rev() {
            let share = left / piece;
            let (mut taken, mut count) = (0, 0);
            // Something is left for the last piece, however heavy the end of the list is.
            while count < rest.len() && (count == 0 || piece == 1 || taken < share && count + 1 < rest.len()) {
                taken += weight(&rest[count]);
                count += 1;
            }
            let (now, later) = rest.split_at(count);
            if !now.is_empty() {
                self.call_chunk(now)?;
            }
            rest = later;
            left -= taken;
        }
        Ok(())
    }

    fn call_chunk(&mut self, steps: &'a [Step]) -> Result<(), String> {
        let index = u32::try_from(self.chunks.pending.len()).map_err(|_| "too many steps".to_owned())?;
        self.chunks.pending.push(steps);
        let name = self.b.func.declare_imported_user_function(UserExternalName { namespace: 0, index });
        let callee: FuncRef = self.b.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature: self.chunk_sig,
            colocated: true,
            patchable: false,
        });
        let ctx = self.ctx;
        self.b.ins().call(callee, &[ctx]);
        Ok(())
    }

    fn step(&mut self, step: &'a Step) -> Result<(), String> {
        match step {
            Step::Launch { kernel, args } => self.launch(*kernel, args),
            Step::Call { call, args } => self.library(*call, args),
            Step::Copy { src, dst } => self.copy(*src, *dst),
            Step::While { cond, pred, body } => {
                let (head, inside, after) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                self.b.ins().jump(head, &[]);
                self.b.switch_to_block(head);
                self.steps(cond)?;
                let pred = self.load_bool(*pred)?;
                self.b.ins().brif(pred, inside, &[], after, &[]);
                self.b.switch_to_block(inside);
                self.steps(body)?;
                self.b.ins().jump(head, &[]);
                self.b.switch_to_block(after);
                Ok(())
            }
            Step::If { pred, then, otherwise } => {
                let (yes, no, after) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                let pred = self.load_bool(*pred)?;
                self.b.ins().brif(pred, yes, &[], no, &[]);
                self.branch(yes, then, after)?;
                self.branch(no, otherwise, after)?;
                self.b.switch_to_block(after);
                Ok(())
            }
            Step::Case { index, branches } => {
                let address = self.buffer(*index)?;
                let index = self.b.ins().load(types::I32, MemFlagsData::trusted(), address, 0);
                let blocks: Vec<Block> = branches.iter().map(|_| self.b.create_block()).collect();
                let after = self.b.create_block();
                let Some(&last) = blocks.last() else { return Err("a case without branches".to_owned()) };
                let mut call = |block: Block| BlockCall::new(block, [], &mut self.b.func.dfg.value_lists);
                let (otherwise, table): (_, Vec<_>) = (call(last), blocks.iter().map(|&b| call(b)).collect());
                let table = self.b.create_jump_table(JumpTableData::new(otherwise, &table));
                self.b.ins().br_table(index, table);
                for (block, steps) in blocks.into_iter().zip(branches) {
                    self.branch(block, steps, after)?;
                }
                self.b.switch_to_block(after);
                Ok(())
            }
        }
    }

    fn branch(&mut self, block: Block, steps: &'a [Step], after: Block) -> Result<(), String> {
        self.b.switch_to_block(block);
        self.steps(steps)?;
        self.b.ins().jump(after, &[]);
        Ok(())
    }

    /// The address of a buffer.
    fn buffer(&mut self, id: BufferId) -> Result<Value, String> {
        let buffer = self.program.buffer(id);
        let slot = self.program.slot_index(buffer.slot) * size_of::<usize>();
        let slot = i32::try_from(slot).map_err(|_| "too many inputs and outputs".to_owned())?;
        let base = match slot {
            0 => self.arena,
            _ => self.b.ins().load(types::I64, table_flags(), self.buffers, slot),
        };
        match buffer.offset {
            0 => Ok(base),
            offset => {
                let offset = i64::try_from(offset).map_err(|_| "a buffer offset is too large".to_owned())?;
                Ok(self.b.ins().iadd_imm_s(base, offset))
            }
        }
    }

    fn load_bool(&mut self, id: BufferId) -> Result<Value, String> {
        let address = self.buffer(id)?;
        Ok(self.b.ins().load(types::I8, MemFlagsData::trusted(), address, 0))
    }

    /// Writes the pointers of the arguments into the array on the stack; gives its address.
    fn pointer_array(&mut self, args: &[BufferId]) -> Result<Value, String> {
        let bytes =
            u32::try_from(args.len().max(1) * size_of::<usize>()).map_err(|_| "too many arguments".to_owned())?;
        let slot = match self.pointers {
            Some((slot, size)) if size >= bytes => slot,
            Some((slot, _)) => {
                self.b.func.sized_stack_slots[slot].size = bytes;
                self.pointers = Some((slot, bytes));
                slot
            }
            None => {
                let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4));
                self.pointers = Some((slot, bytes));
                slot
            }
        };
        let array = self.b.ins().stack_addr(types::I64, slot, 0);
        for (i, &arg) in args.iter().enumerate() {
            let pointer = self.buffer(arg)?;
            self.b.ins().store(MemFlagsData::trusted(), pointer, array, (i * size_of::<usize>()) as i32);
        }
        Ok(array)
    }

    fn launch(&mut self, kernel: u32, args: &[BufferId]) -> Result<(), String> {
        let info = &self.program.kernels[kernel as usize];
        let array = self.pointer_array(args)?;
        let entry = i32::try_from(kernel as usize * size_of::<usize>()).map_err(|_| "too many kernels".to_owned())?;
        let code = self.b.ins().load(types::I64, table_flags(), self.kernels, entry);
        let extent = self.b.ins().iconst(types::I64, info.extent as i64);
        if info.extent <= info.grain.max(1) {
            let zero = self.b.ins().iconst(types::I64, 0);
            self.b.ins().call_indirect(self.kernel_sig, code, &[array, zero, extent]);
            return Ok(());
        }
        let parallel_for = self.b.ins().load(types::I64, table_flags(), self.ctx, PARALLEL_FOR_OFFSET as i32);
        let grain = self.b.ins().iconst(types::I64, info.grain as i64);
        self.b.ins().call_indirect(self.parallel_sig, parallel_for, &[self.ctx, code, array, extent, grain]);
        Ok(())
    }

    fn library(&mut self, call: u32, args: &[BufferId]) -> Result<(), String> {
        let array = self.pointer_array(args)?;
        let table = self.b.ins().load(types::I64, table_flags(), self.ctx, CALLS_OFFSET as i32);
        let site = call as usize * CALL_SITE_SIZE;
        let at = |field: usize| i32::try_from(site + field).map_err(|_| "too many library calls".to_owned());
        let code = self.b.ins().load(types::I64, table_flags(), table, at(CALL_FUNCTION_OFFSET)?);
        let params = self.b.ins().load(types::I64, table_flags(), table, at(CALL_PARAMS_OFFSET)?);
        self.b.ins().call_indirect(self.kernel_sig, code, &[self.ctx, params, array]);
        Ok(())
    }

    fn copy(&mut self, src: BufferId, dst: BufferId) -> Result<(), String> {
        let bytes = self.program.buffer(src).bytes;
        let (from, to) = (self.buffer(src)?, self.buffer(dst)?);
        copy::emit(&mut self.b, from, to, bytes)
    }
}

/// `a < b` on unsigned 64-bit values.
fn below(b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Value {
    b.ins().icmp(IntCC::UnsignedLessThan, x, y)
}
