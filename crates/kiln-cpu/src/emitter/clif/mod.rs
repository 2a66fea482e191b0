//! The Cranelift emitter: complete for the loop IR, with vectors of 128 bits.
//!
//! A loop that runs in lanes is emitted three times: a main loop over several interleaved groups of [`LANES`] iterations,
//! a loop over one group, and a scalar loop over the rest. Inside the first two, a variable that differs between lanes is a
//! list of registers in lane order: one per group for 32-bit lanes (f32, and every integer of up to 32 bits, kept extended
//! to 32; bool as a mask), two for 64-bit lanes. What is equal in all lanes stays scalar.

mod address;
mod call;
mod convert;
mod core;
mod int;
mod lanes;
mod loops;
mod memory;
mod ops;
mod stmt;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, Signature, UserFuncName, types};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use kiln_ir::BinaryOp;
use kiln_loops::analysis::{BodyCall, VectorModel, VectorPlan};
use kiln_loops::ir::for_each_stmt;
use kiln_loops::math::MathOptions;
use kiln_loops::{Expr, Kernel, Stmt, Verified};

use super::{CallKind, CallSite, KernelEmitter, MachineCode, Worker};
use crate::error::{CompileError, Fault, broken};
use crate::target::{Machine, Use, build_machine};
use crate::{CpuOptions, OptLevel};

/// Iterations in one group: the lanes of a 128-bit vector of 32-bit elements.
const LANES: usize = 4;

/// Interleaving: several independent groups hide latency, since the processor looks ahead no further than about one iteration
/// of a long body (four groups made a gelu 1.4 times as fast as one, and a softmax 1.2 times as fast as two); in the longest
/// ones they would spill registers and cost compile time. A fold over rows takes whole cache lines of each row.
const VECTORS: VectorModel =
    VectorModel { lanes: LANES, interleave: &[(60, 4), (120, 2)], interleave_nested: &[(4, 8)] };

/// Most bytes of local scratch: it lies on the stack of a worker thread.
const MAX_LOCAL_BYTES: u64 = 64 << 10;

/// Emits kernels through Cranelift; supports every kernel.
pub(crate) struct CraneliftEmitter {
    /// The target without and with Cranelift's optimizer.
    plain: Machine,
    optimizing: Machine,
    level: OptLevel,
    dump: bool,
}

impl CraneliftEmitter {
    pub(crate) fn new(options: &CpuOptions) -> Result<CraneliftEmitter, CompileError> {
        let plain = build_machine(options, Use::Kernels)?;
        let optimizing = build_machine(options, Use::OptimizedKernels)?;
        Ok(CraneliftEmitter { plain, optimizing, level: options.opt_level, dump: options.dump })
    }

    fn machine(&self, kernel: &Kernel) -> &Machine {
        match self.level {
            OptLevel::Auto if divides(kernel) => &self.optimizing,
            OptLevel::Auto | OptLevel::None => &self.plain,
            OptLevel::Speed => &self.optimizing,
        }
    }
}

/// Whether integers are divided.
fn divides(kernel: &Kernel) -> bool {
    let mut found = false;
    for_each_stmt(&kernel.body, &mut |s| {
        if let Stmt::Let { var, expr: Expr::Binary(BinaryOp::Divide | BinaryOp::Remainder, ..) } = s {
            found |= kernel.vars[var.0 as usize].is_int();
        }
    });
    found
}

impl KernelEmitter for CraneliftEmitter {
    fn name(&self) -> &'static str {
        "cranelift"
    }

    fn math(&self) -> MathOptions {
        MathOptions { fused_fma: self.plain.cpu.fma, native_half: false }
    }

    fn supports(&self, _kernel: &Verified<Kernel>) -> bool {
        true
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(CraneliftWorker { emitter: self, scratch: Scratch::default() })
    }
}

struct CraneliftWorker<'e> {
    emitter: &'e CraneliftEmitter,
    scratch: Scratch,
}

/// Cranelift's memory, reused between functions.
pub(crate) struct Scratch {
    pub(crate) context: Context,
    pub(crate) builder: FunctionBuilderContext,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { context: Context::new(), builder: FunctionBuilderContext::new() }
    }
}

impl Worker for CraneliftWorker<'_> {
    fn emit(&mut self, kernel: &Verified<Kernel>, calls: &[BodyCall]) -> Result<MachineCode, CompileError> {
        self.kernel(kernel, calls).map_err(|fault| fault.of_function(&kernel.name))
    }
}

impl CraneliftWorker<'_> {
    fn kernel(&mut self, kernel: &Verified<Kernel>, calls: &[BodyCall]) -> Result<MachineCode, Fault> {
        let plan = VectorPlan::new(kernel, &VECTORS);
        let machine = self.emitter.machine(kernel);
        let scratch = &mut self.scratch;
        scratch.context.clear();
        let call_conv = machine.isa.default_call_conv();
        scratch.context.func = Function::with_name_signature(UserFuncName::default(), kernel_signature(call_conv));
        let builder = FunctionBuilder::new(&mut scratch.context.func, &mut scratch.builder);
        core::Emit::new(builder, kernel, &plan, calls, machine)?.kernel()?;
        compile_function(machine, scratch, self.emitter.dump)
    }
}

fn kernel_signature(call_conv: CallConv) -> Signature {
    let mut signature = Signature::new(call_conv);
    signature.params.extend([AbiParam::new(types::I64); 3]);
    signature
}

/// Compiles the function in `scratch` and collects its direct calls; any other relocation is an error.
pub(crate) fn compile_function(machine: &Machine, scratch: &mut Scratch, dump: bool) -> Result<MachineCode, Fault> {
    use cranelift_codegen::FinalizedRelocTarget;
    use cranelift_codegen::binemit::Reloc;
    use cranelift_codegen::ir::ExternalName;

    let text = dump.then(|| scratch.context.func.display().to_string());
    scratch.context.set_disasm(dump);
    let mut plane = ControlPlane::default();
    scratch.context.compile(&*machine.isa, &mut plane).map_err(|e| Fault::Backend(format!("{:?}", e.inner)))?;
    let names = &scratch.context.func.params;
    let code = scratch.context.compiled_code().expect("compiled just now");
    let mut calls = Vec::new();
    for reloc in code.buffer.relocs() {
        let kind = match reloc.kind {
            Reloc::X86CallPCRel4 => CallKind::X86,
            Reloc::Arm64Call => CallKind::Aarch64,
            other => return broken(format!("the code has a relocation {other:?} at {}", reloc.offset)),
        };
        let FinalizedRelocTarget::ExternalName(ExternalName::User(user)) = &reloc.target else {
            return broken(format!("the code calls {:?}", reloc.target));
        };
        let target = names.user_named_funcs()[*user].index;
        calls.push(CallSite { offset: reloc.offset as usize, kind, target });
    }
    let dump = text.map(|text| format!("{text}\n{}", code.vcode.as_deref().unwrap_or("")));
    Ok(MachineCode { bytes: code.code_buffer().to_vec(), calls, dump })
}
