//! Programs and code.

use super::codec::{Damage, Out, Rest, Wire, field, form, record};
use kiln_ir::DType;
use kiln_program::{Buffer, BufferId, CallInfo, KernelInfo, PtxArg, PtxLaunch, Slot, Step};

record!(
    /// The section of a program: what its target and sizes decide. The signature is the manifest's.
    ProgramRecord {
        buffers: Vec<Buffer>,
        steps: Vec<Step>,
        kernels: Vec<KernelInfo>,
        calls: Vec<CallInfo>,
        arena_bytes: u64,
        lower_bound_bytes: u64,
    }
);

record!(
    /// The section of code for a CPU.
    CpuCodeRecord<'f> { entry: u64, kernels: Vec<u64>, bytes: &'f [u8] }
);

record!(
    /// The section of code for an NVIDIA GPU.
    PtxCodeRecord { text: String, kernels: Vec<PtxLaunch>, calls: Vec<Vec<PtxLaunch>> }
);
form!(PtxLaunch { entry: String, grid: [u32; 3], block: u32, shared: u32, args: Vec<PtxArg> });

/// Columns, rows, layers.
impl<'f> Wire<'f> for [u32; 3] {
    fn put(&self, out: &mut Out) {
        self.iter().for_each(|n| n.put(out));
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        Ok([Wire::take(rest)?, Wire::take(rest)?, Wire::take(rest)?])
    }
}

/// All parameters have one form: the kind's name, a position, an offset or number.
impl<'f> Wire<'f> for PtxArg {
    fn put(&self, out: &mut Out) {
        let (kind, index, number) = match *self {
            PtxArg::Buffer { index, offset } => ("buffer", index.into(), offset),
            PtxArg::Word(word) => ("word", 0u32, word),
        };
        out.record(|out| {
            kind.put(out);
            index.put(out);
            number.put(out);
        });
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let mut fields = rest.record()?;
        let (kind, index, number) = (<&str>::take(&mut fields)?, u32::take(&mut fields)?, u64::take(&mut fields)?);
        match (kind, u8::try_from(index)) {
            ("buffer", Ok(index)) => Ok(PtxArg::Buffer { index, offset: number }),
            ("word", _) => Ok(PtxArg::Word(number)),
            _ => Err(format!("there is no parameter {kind:?} {index}")),
        }
    }
}

form!(KernelInfo { name: String, params: Vec<u64>, extent: u64, grain: u64, bytes_moved: u64, flops: u64 });
form!(Buffer { name: String, dtype: DType, bytes: u64, slot: Slot, offset: u64, live: (u32, u32) });

/// First and last step, one behind the other.
impl<'f> Wire<'f> for (u32, u32) {
    fn put(&self, out: &mut Out) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        Ok((Wire::take(rest)?, Wire::take(rest)?))
    }
}

impl<'f> Wire<'f> for BufferId {
    fn put(&self, out: &mut Out) {
        self.0.put(out);
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        Ok(BufferId(Wire::take(rest)?))
    }
}

/// A name and an index; the index of a slot that there is once is 0.
impl<'f> Wire<'f> for Slot {
    fn put(&self, out: &mut Out) {
        let (kind, index) = match *self {
            Slot::Arena => ("arena", 0),
            Slot::Constants(i) => ("constants", i),
            Slot::Input(i) => ("input", i),
            Slot::Output(i) => ("output", i),
            Slot::Variable(i) => ("variable", i),
        };
        out.record(|out| {
            kind.put(out);
            index.put(out);
        });
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let mut fields = rest.record()?;
        let (kind, index) = (<&str>::take(&mut fields)?, u32::take(&mut fields)?);
        Ok(match kind {
            "arena" => Slot::Arena,
            "constants" => Slot::Constants(index),
            "input" => Slot::Input(index),
            "output" => Slot::Output(index),
            "variable" => Slot::Variable(index),
            other => return Err(format!("there is no slot {other:?}")),
        })
    }
}

/// All steps have one form: the kind's name, which kernel or call, buffers, lists of steps inside.
impl<'f> Wire<'f> for Step {
    fn put(&self, out: &mut Out) {
        let mut step = |kind: &str, index: u32, buffers: &[BufferId], bodies: &[&Vec<Step>]| {
            out.record(|out| {
                kind.put(out);
                index.put(out);
                list(buffers, out);
                (bodies.len() as u64).put(out);
                bodies.iter().for_each(|body| body.put(out));
            });
        };
        match self {
            Step::Launch { kernel, args } => step("launch", *kernel, args, &[]),
            Step::Call { call, args } => step("call", *call, args, &[]),
            Step::Copy { src, dst } => step("copy", 0, &[*src, *dst], &[]),
            Step::While { cond, pred, body } => step("while", 0, &[*pred], &[cond, body]),
            Step::If { pred, then, otherwise } => step("if", 0, &[*pred], &[then, otherwise]),
            Step::Case { index, branches } => step("case", 0, &[*index], &branches.iter().collect::<Vec<_>>()),
        }
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let mut fields = rest.record()?;
        let kind: &str = field("kind", &mut fields)?;
        let index: u32 = field("index", &mut fields)?;
        let buffers: Vec<BufferId> = field("buffers", &mut fields)?;
        let bodies: Vec<Vec<Step>> = field("bodies", &mut fields)?;
        let unlike = |buffers: &[BufferId], bodies: &[Vec<Step>]| {
            format!("a step {kind:?} of {} buffers and {} lists of steps", buffers.len(), bodies.len())
        };
        Ok(match kind {
            "launch" if bodies.is_empty() => Step::Launch { kernel: index, args: buffers },
            "call" if bodies.is_empty() => Step::Call { call: index, args: buffers },
            "copy" if bodies.is_empty() => {
                let [src, dst] = buffers[..] else { return Err(unlike(&buffers, &bodies)) };
                Step::Copy { src, dst }
            }
            "while" | "if" => {
                let ([pred], Ok([first, second])) = (&buffers[..], <[Vec<Step>; 2]>::try_from(bodies)) else {
                    return Err(format!(
                        "a step {kind:?} of {} buffers and other than two lists of steps",
                        buffers.len()
                    ));
                };
                match kind {
                    "while" => Step::While { cond: first, pred: *pred, body: second },
                    _ => Step::If { pred: *pred, then: first, otherwise: second },
                }
            }
            "case" => {
                let [index] = buffers[..] else { return Err(unlike(&buffers, &bodies)) };
                Step::Case { index, branches: bodies }
            }
            _ => return Err(unlike(&buffers, &bodies)),
        })
    }
}

fn list(buffers: &[BufferId], out: &mut Out) {
    (buffers.len() as u64).put(out);
    buffers.iter().for_each(|b| b.put(out));
}
