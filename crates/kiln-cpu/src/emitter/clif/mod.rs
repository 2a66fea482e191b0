//! The Cranelift emitter: complete for the loop IR, with vectors of 128 bits.
//!
//! A loop that runs in lanes is emitted three times: a main loop over several interleaved groups of [`LANES`] iterations,
//! a loop over one group, and a scalar loop over the rest. Inside the first two, a variable that differs between lanes is a
//! list of registers in lane order: one per group for 32-bit lanes (f32, and every integer of up to 32 bits, kept extended
//! to 32; bool as a mask), two for 64-bit lanes. What is equal in all lanes stays scalar.

mod address;
mod convert;
mod core;
mod int;
mod lanes;
mod loops;
mod memory;
mod ops;
mod plan;
mod stmt;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, Signature, UserFuncName, types};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use kiln_ir::BinaryOp;
use kiln_loops::{Expr, Kernel, Stmt};

use crate::emitter::{KernelEmitter, MachineCode, Scratch};
use crate::error::{CompileError, Fault};
use crate::target::Machine;
use crate::{CpuOptions, OptLevel};

/// Iterations in one group: the lanes of a 128-bit vector of 32-bit elements.
const LANES: usize = 4;

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
    pub(crate) fn new(plain: Machine, optimizing: Machine, options: &CpuOptions) -> CraneliftEmitter {
        CraneliftEmitter { plain, optimizing, level: options.opt_level, dump: options.dump }
    }

    fn machine(&self, kernel: &Kernel) -> &Machine {
        match self.level {
            OptLevel::Auto if divides(kernel, &kernel.body) => &self.optimizing,
            OptLevel::Auto | OptLevel::None => &self.plain,
            OptLevel::Speed => &self.optimizing,
        }
    }
}

/// Whether integers are divided.
fn divides(kernel: &Kernel, body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::Let { var, expr: Expr::Binary(BinaryOp::Divide | BinaryOp::Remainder, ..) } => {
            kernel.vars.get(var.0 as usize).is_some_and(|d| d.is_int())
        }
        Stmt::Let { .. } | Stmt::Store { .. } => false,
        Stmt::Loop(l) => divides(kernel, &l.body),
        Stmt::If { then, .. } => divides(kernel, then),
    })
}

impl KernelEmitter for CraneliftEmitter {
    fn name(&self) -> &'static str {
        "cranelift"
    }

    fn supports(&self, _kernel: &Kernel) -> bool {
        true
    }

    fn emit(&self, kernel: &Kernel, scratch: &mut Scratch) -> Result<MachineCode, CompileError> {
        self.emit_kernel(kernel, scratch).map_err(|fault| fault.of_kernel(&kernel.name))
    }
}

impl CraneliftEmitter {
    fn emit_kernel(&self, kernel: &Kernel, scratch: &mut Scratch) -> Result<MachineCode, Fault> {
        let plan = plan::Plan::new(kernel)?;
        let machine = self.machine(kernel);
        scratch.context.clear();
        let call_conv = machine.isa.default_call_conv();
        scratch.context.func = Function::with_name_signature(UserFuncName::default(), kernel_signature(call_conv));
        let builder = FunctionBuilder::new(&mut scratch.context.func, &mut scratch.builder);
        core::Emit::new(builder, kernel, &plan, machine)?.kernel()?;
        compile_function(machine, scratch, self.dump).and_then(|(code, calls)| match calls.is_empty() {
            true => Ok(code),
            false => Err(Fault::Backend("the code calls other functions".to_owned())),
        })
    }
}

fn kernel_signature(call_conv: CallConv) -> Signature {
    let mut signature = Signature::new(call_conv);
    signature.params.extend([AbiParam::new(types::I64); 3]);
    signature
}

/// A direct call inside the code object that remains to be patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallSite {
    /// Where the operand of the call instruction lies, from the start of the function.
    pub(crate) offset: usize,
    /// The encoding.
    pub(crate) kind: CallKind,
    /// Index of the function called.
    pub(crate) target: u32,
}

/// How a direct call is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// 32-bit distance from the end of the operand.
    X86,
    /// 26 low bits: distance from the instruction in words.
    Aarch64,
}

/// Compiles the function in `scratch` and collects its direct calls; any other relocation is an error.
pub(crate) fn compile_function(
    machine: &Machine,
    scratch: &mut Scratch,
    dump: bool,
) -> Result<(MachineCode, Vec<CallSite>), Fault> {
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
            other => return Err(Fault::Backend(format!("the code has a relocation {other:?} at {}", reloc.offset))),
        };
        let FinalizedRelocTarget::ExternalName(ExternalName::User(user)) = &reloc.target else {
            return Err(Fault::Backend(format!("the code calls {:?}", reloc.target)));
        };
        let target = names.user_named_funcs()[*user].index;
        calls.push(CallSite { offset: reloc.offset as usize, kind, target });
    }
    let dump = text.map(|text| format!("{text}\n{}", code.vcode.as_deref().unwrap_or("")));
    let align = u64::from(code.buffer.alignment).max(16);
    Ok((MachineCode { bytes: code.code_buffer().to_vec(), align, dump }, calls))
}
