//! Checks of a program from an untrusted file: every index is in range and every buffer lies inside its slot.

use crate::call::CallParams;
use crate::{Buffer, BufferId, Port, Program, Slot, Step};
use kiln_ir::DType;
use std::fmt;

/// Why a program is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProgram(pub String);

impl fmt::Display for InvalidProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program is damaged: {}", self.0)
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
    pub fn validate(&self) -> Checked {
        let s = &self.signature;
        for port in s.inputs.iter().chain(&s.outputs) {
            port_bytes(port)?;
        }
        for v in &s.variables {
            tensor_bytes(&v.name, v.dtype, &v.shape)?;
        }
        for buffer in &self.buffers {
            self.validate_buffer(buffer)?;
        }
        for site in &self.calls {
            site.call.validate().map_err(|e| InvalidProgram(format!("{}: {e}", site.call.name())))?;
        }
        self.validate_steps(&self.steps, 0)
    }

    fn slot_bytes(&self, slot: Slot) -> Result<u64, InvalidProgram> {
        let s = &self.signature;
        let port = |list: &[Port], i: u32| match list.get(i as usize) {
            Some(port) => port_bytes(port),
            None => fail(format!("{slot:?} is not in the signature")),
        };
        match slot {
            Slot::Arena => Ok(self.arena_bytes),
            Slot::Constants => Ok(self.constants.len() as u64),
            Slot::Input(i) => port(&s.inputs, i),
            Slot::Output(i) => port(&s.outputs, i),
            Slot::Variable(i) => match s.variables.get(i as usize) {
                Some(v) => tensor_bytes(&v.name, v.dtype, &v.shape),
                None => fail(format!("{slot:?} is not in the signature")),
            },
        }
    }

    fn validate_buffer(&self, b: &Buffer) -> Checked {
        let size = self.slot_bytes(b.slot)?;
        if !b.offset.is_multiple_of(b.dtype.size() as u64) {
            return fail(format!("buffer \"{}\" of {} lies at offset {}", b.name, b.dtype, b.offset));
        }
        match b.offset.checked_add(b.bytes) {
            Some(end) if end <= size => Ok(()),
            _ => fail(format!(
                "buffer \"{}\" ends beyond its slot ({} + {} > {size} in {:?})",
                b.name, b.offset, b.bytes, b.slot
            )),
        }
    }

    fn find(&self, id: BufferId) -> Result<&Buffer, InvalidProgram> {
        self.buffers.get(id.0 as usize).ok_or_else(|| InvalidProgram(format!("there is no buffer {}", id.0)))
    }

    fn at_least(&self, id: BufferId, bytes: u64) -> Checked {
        let b = self.find(id)?;
        if b.bytes < bytes { fail(format!("buffer \"{}\" has {} bytes, not {bytes}", b.name, b.bytes)) } else { Ok(()) }
    }

    fn validate_steps(&self, steps: &[Step], depth: usize) -> Checked {
        if depth > MAX_DEPTH {
            return fail(format!("control flow is nested more than {MAX_DEPTH} deep"));
        }
        steps.iter().try_for_each(|step| self.validate_step(step, depth))
    }

    fn validate_step(&self, step: &Step, depth: usize) -> Checked {
        match step {
            Step::Launch { kernel, args } => {
                let Some(info) = self.kernels.get(*kernel as usize) else {
                    return fail(format!("there is no kernel {kernel}"));
                };
                if info.params as usize != args.len() {
                    return fail(format!("\"{}\" takes {} buffers, not {}", info.name, info.params, args.len()));
                }
                args.iter().try_for_each(|&a| self.find(a).map(|_| ()))
            }
            Step::Call { call, args } => {
                let Some(site) = self.calls.get(*call as usize) else {
                    return fail(format!("there is no call {call}"));
                };
                let sizes: Result<Vec<u64>, _> = args.iter().map(|&a| Ok(self.find(a)?.bytes)).collect();
                site.check_bounds(&sizes?).map_err(InvalidProgram)
            }
            Step::Copy { src, dst } => {
                let (a, b) = (self.find(*src)?.bytes, self.find(*dst)?.bytes);
                if a == b { Ok(()) } else { fail(format!("a copy of {a} bytes into {b}")) }
            }
            Step::While { cond, pred, body } => {
                self.at_least(*pred, 1)?;
                self.validate_steps(cond, depth + 1)?;
                self.validate_steps(body, depth + 1)
            }
            Step::If { pred, then, otherwise } => {
                self.at_least(*pred, 1)?;
                self.validate_steps(then, depth + 1)?;
                self.validate_steps(otherwise, depth + 1)
            }
            Step::Case { index, branches } => {
                self.at_least(*index, 4)?;
                if branches.is_empty() {
                    return fail("a case without branches");
                }
                branches.iter().try_for_each(|b| self.validate_steps(b, depth + 1))
            }
        }
    }
}

fn port_bytes(port: &Port) -> Result<u64, InvalidProgram> {
    tensor_bytes(&port.name, port.dtype, &port.shape)
}

fn tensor_bytes(name: &str, dtype: DType, shape: &[usize]) -> Result<u64, InvalidProgram> {
    match shape.iter().try_fold(dtype.size(), |a, &n| a.checked_mul(n)) {
        Some(n) if n <= isize::MAX as usize => Ok(n as u64),
        _ => fail(format!("the size of \"{name}\" overflows")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KernelInfo, Signature};

    fn program() -> Program {
        let buffer =
            |slot, offset, bytes| Buffer { name: "b".into(), dtype: DType::F32, bytes, slot, offset, live: (0, 0) };
        Program {
            name: "p".into(),
            signature: Signature::default(),
            buffers: vec![buffer(Slot::Arena, 0, 64), buffer(Slot::Arena, 64, 64)],
            steps: vec![Step::Copy { src: BufferId(0), dst: BufferId(1) }],
            kernels: vec![KernelInfo { name: "k".into(), params: 1, extent: 1, grain: 1, bytes_moved: 0, flops: 0 }],
            calls: vec![],
            constants: vec![],
            arena_bytes: 128,
            lower_bound_bytes: 128,
            threads: 1,
        }
    }

    #[test]
    fn accepts_a_sound_program() {
        assert_eq!(program().validate(), Ok(()));
    }

    #[test]
    fn refuses_what_leaves_its_memory() {
        let damage: [(&str, fn(&mut Program)); 8] = [
            ("lies at offset 62", |p| p.buffers[1].offset = 62),
            ("ends beyond its slot", |p| p.arena_bytes = 127),
            ("ends beyond its slot", |p| p.buffers[1].offset = !63),
            ("not in the signature", |p| p.buffers[0].slot = Slot::Input(0)),
            ("no buffer 2", |p| p.steps = vec![Step::Copy { src: BufferId(2), dst: BufferId(0) }]),
            ("no kernel 1", |p| p.steps = vec![Step::Launch { kernel: 1, args: vec![] }]),
            ("takes 1 buffers", |p| p.steps = vec![Step::Launch { kernel: 0, args: vec![] }]),
            ("without branches", |p| p.steps = vec![Step::Case { index: BufferId(0), branches: vec![] }]),
        ];
        for (expected, change) in damage {
            let mut p = program();
            change(&mut p);
            let error = p.validate().expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn refuses_deep_nesting() {
        let mut p = program();
        for _ in 0..300 {
            p.steps = vec![Step::If { pred: BufferId(0), then: std::mem::take(&mut p.steps), otherwise: vec![] }];
        }
        assert!(p.validate().is_err());
    }
}
