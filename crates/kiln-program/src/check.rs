//! The check of a program, whoever made it: every index is in range, every buffer lies inside its slot, every step has the
//! buffers it needs.

use crate::call::CallParams;
use crate::{BoundPort, Buffer, BufferId, Program, Slot, Step};
use kiln_ir::DType;
use std::fmt;

/// Why a program is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProgram(pub String);

impl fmt::Display for InvalidProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program is malformed: {}", self.0)
    }
}
impl std::error::Error for InvalidProgram {}

/// Deepest nesting of control flow that is accepted.
pub(crate) const MAX_DEPTH: usize = 256;

type Checked = Result<(), InvalidProgram>;

fn fail<T>(message: impl Into<String>) -> Result<T, InvalidProgram> {
    Err(InvalidProgram(message.into()))
}

impl Program {
    /// Proves that running the steps touches only memory of the program's own slots, as far as data shows it (machine code is
    /// taken at its word).
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Checked {
        let s = &self.signature;
        s.inputs.iter().chain(&s.outputs).try_for_each(|port| port_bytes(port).map(drop))?;
        s.variables.iter().try_for_each(|v| tensor_bytes(&v.name, v.dtype, &v.shape).map(drop))?;
        self.buffers.iter().try_for_each(|buffer| self.check_buffer(buffer))?;
        for site in &self.calls {
            site.call.validate().map_err(|e| InvalidProgram(format!("{}: {e}", site.call.name())))?;
        }
        self.check_steps(&self.steps, 0)
    }

    fn slot_bytes(&self, slot: Slot) -> Result<u64, InvalidProgram> {
        let s = &self.signature;
        let port = |list: &[BoundPort], i: u32| list.get(i as usize).map(port_bytes);
        let known = match slot {
            Slot::Arena => Some(Ok(self.arena_bytes)),
            Slot::Constants(i) => self.constants.get(i as usize).map(|&bytes| Ok(bytes)),
            Slot::Input(i) => port(&s.inputs, i),
            Slot::Output(i) => port(&s.outputs, i),
            Slot::Variable(i) => s.variables.get(i as usize).map(|v| tensor_bytes(&v.name, v.dtype, &v.shape)),
        };
        known.unwrap_or_else(|| fail(format!("{slot:?} is not in the signature")))
    }

    fn check_buffer(&self, b: &Buffer) -> Checked {
        let size = self.slot_bytes(b.slot)?;
        if !b.offset.is_multiple_of(b.dtype.size() as u64) {
            return fail(format!("buffer `{}` of {} lies at offset {}", b.name, b.dtype, b.offset));
        }
        match b.offset.checked_add(b.bytes) {
            Some(end) if end <= size => Ok(()),
            _ => fail(format!(
                "buffer `{}` ends beyond its slot ({} + {} > {size} in {:?})",
                b.name, b.offset, b.bytes, b.slot
            )),
        }
    }

    fn find(&self, id: BufferId) -> Result<&Buffer, InvalidProgram> {
        self.buffers.get(id.0 as usize).ok_or_else(|| InvalidProgram(format!("there is no buffer {}", id.0)))
    }

    fn check_steps(&self, steps: &[Step], depth: usize) -> Checked {
        if depth > MAX_DEPTH {
            return fail(format!("control flow is nested more than {MAX_DEPTH} deep"));
        }
        for step in steps {
            self.check_step(step)?;
            step.children().into_iter().try_for_each(|inner| self.check_steps(inner, depth + 1))?;
        }
        Ok(())
    }

    /// Checks a step but for those inside it.
    fn check_step(&self, step: &Step) -> Checked {
        let buffers = step.buffers().into_iter().map(|id| self.find(id)).collect::<Result<Vec<_>, _>>();
        match step {
            Step::Launch { kernel, .. } => self.check_launch(*kernel, buffers),
            Step::Call { call, .. } => {
                let Some(site) = self.calls.get(*call as usize) else {
                    return fail(format!("there is no library call {call}"));
                };
                let sizes: Vec<u64> = buffers?.iter().map(|b| b.bytes).collect();
                site.check_bounds(&sizes).map_err(InvalidProgram)
            }
            Step::Copy { .. } => match buffers?[..] {
                [a, b] if a.bytes != b.bytes => {
                    fail(format!("a copy of {} bytes `{}` to {} bytes `{}`", a.bytes, a.name, b.bytes, b.name))
                }
                _ => Ok(()),
            },
            Step::While { .. } | Step::If { .. } => decides(buffers?[0], DType::Bool),
            Step::Case { branches, .. } if branches.is_empty() => fail("a case without branches"),
            Step::Case { .. } => decides(buffers?[0], DType::I32),
        }
    }

    /// Values of other types may share a buffer (bitcasts, reuse in place), so only sizes have to fit.
    fn check_launch(&self, kernel: u32, args: Result<Vec<&Buffer>, InvalidProgram>) -> Checked {
        let Some(info) = self.kernels.get(kernel as usize) else {
            return fail(format!("there is no kernel {kernel}"));
        };
        let (name, args) = (&info.name, args?);
        if info.params.len() != args.len() {
            return fail(format!("kernel `{name}` takes {} buffers, not {}", info.params.len(), args.len()));
        }
        match info.params.iter().zip(args).enumerate().find(|(_, (needed, b))| **needed > b.bytes) {
            Some((i, (needed, b))) => fail(format!(
                "kernel `{name}`: parameter {i} needs {needed} bytes, buffer `{}` has {}",
                b.name, b.bytes
            )),
            None => Ok(()),
        }
    }
}

/// Checks the buffer of a scalar that decides the control flow.
fn decides(b: &Buffer, dtype: DType) -> Checked {
    if b.bytes >= dtype.size() as u64 {
        return Ok(());
    }
    fail(format!("buffer `{}` has {} bytes, a {dtype} decides the control flow", b.name, b.bytes))
}

fn port_bytes(port: &BoundPort) -> Result<u64, InvalidProgram> {
    tensor_bytes(&port.name, port.dtype, &port.shape)
}

fn tensor_bytes(name: &str, dtype: DType, shape: &[usize]) -> Result<u64, InvalidProgram> {
    match shape.iter().try_fold(dtype.size(), |a, &n| a.checked_mul(n)) {
        Some(n) if n <= isize::MAX as usize => Ok(n as u64),
        _ => fail(format!("the size of `{name}` overflows")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BoundSignature, KernelInfo};

    fn program() -> Program {
        let buffer =
            |slot, offset, bytes| Buffer { name: "b".into(), dtype: DType::F32, bytes, slot, offset, live: (0, 0) };
        Program {
            name: "p".into(),
            signature: BoundSignature::default(),
            buffers: vec![buffer(Slot::Arena, 0, 64), buffer(Slot::Arena, 64, 64)],
            steps: vec![Step::Copy { src: BufferId(0), dst: BufferId(1) }],
            kernels: vec![KernelInfo {
                name: "k".into(),
                params: vec![64],
                extent: 1,
                grain: 1,
                bytes_moved: 0,
                flops: 0,
            }],
            calls: vec![],
            constants: vec![],
            arena_bytes: 128,
            lower_bound_bytes: 128,
        }
    }

    #[test]
    fn accepts_a_sound_program() {
        assert_eq!(program().check(), Ok(()));
    }

    #[test]
    fn refuses_what_leaves_its_memory() {
        let damage: [(&str, fn(&mut Program)); 9] = [
            ("lies at offset 62", |p| p.buffers[1].offset = 62),
            ("ends beyond its slot", |p| p.arena_bytes = 127),
            ("ends beyond its slot", |p| p.buffers[1].offset = !63),
            ("not in the signature", |p| p.buffers[0].slot = Slot::Input(0)),
            ("no buffer 2", |p| p.steps = vec![Step::Copy { src: BufferId(2), dst: BufferId(0) }]),
            ("no kernel 1", |p| p.steps = vec![Step::Launch { kernel: 1, args: vec![] }]),
            ("takes 1 buffers", |p| p.steps = vec![Step::Launch { kernel: 0, args: vec![] }]),
            ("needs 64 bytes", |p| {
                p.buffers[0].bytes = 60;
                p.steps = vec![Step::Launch { kernel: 0, args: vec![BufferId(0)] }];
            }),
            ("without branches", |p| p.steps = vec![Step::Case { index: BufferId(0), branches: vec![] }]),
        ];
        for (expected, change) in damage {
            let mut p = program();
            change(&mut p);
            let error = p.check().expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn refuses_deep_nesting() {
        let mut p = program();
        for _ in 0..300 {
            p.steps = vec![Step::If { pred: BufferId(0), then: std::mem::take(&mut p.steps), otherwise: vec![] }];
        }
        assert!(p.check().is_err());
    }
}
