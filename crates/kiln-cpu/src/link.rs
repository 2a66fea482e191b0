//! Laying out functions in one block of code, and patching the calls between them.

use crate::emitter::{CallKind, CallSite};
use crate::error::CompileError;

/// Every function starts at a multiple of this.
const FUNCTION_ALIGN: usize = 64;

/// Code under construction.
#[derive(Default)]
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
}

impl Image {
    /// Appends a function; gives its offset.
    pub(crate) fn place(&mut self, code: &[u8]) -> usize {
        // Breakpoints on x86-64; an undefined instruction on aarch64 would be zeros, but nothing ever runs into the gaps.
        let filler = if cfg!(target_arch = "x86_64") { 0xcc } else { 0 };
        self.bytes.resize(self.bytes.len().next_multiple_of(FUNCTION_ALIGN), filler);
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(code);
        offset
    }

    /// Writes the distance to `target` into a call of the function that starts at `function`.
    pub(crate) fn patch(&mut self, function: usize, call: CallSite, target: usize) -> Result<(), CompileError> {
        let at = function + call.offset;
        let too_far = || CompileError::Program("the code is too large for direct calls".to_owned());
        let Some(operand) = self.bytes.get_mut(at..at + 4) else {
            return Err(CompileError::Program("a call lies outside of its function".to_owned()));
        };
        match call.kind {
            CallKind::X86 => {
                let distance = i32::try_from(target as i64 - (at as i64 + 4)).map_err(|_| too_far())?;
                operand.copy_from_slice(&distance.to_le_bytes());
            }
            CallKind::Aarch64 => {
                let words = (target as i64 - at as i64) / 4;
                if !(-(1 << 25)..1 << 25).contains(&words) {
                    return Err(too_far());
                }
                let mut word = [0; 4];
                word.copy_from_slice(operand);
                let instruction = u32::from_le_bytes(word) & !0x03ff_ffff | (words as u32 & 0x03ff_ffff);
                operand.copy_from_slice(&instruction.to_le_bytes());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_aligned_and_calls_reach_them() {
        let mut image = Image::default();
        let first = image.place(&[0xe8, 0, 0, 0, 0]);
        let second = image.place(&[0xc3]);
        assert_eq!((first, second), (0, 64));
        image.patch(first, CallSite { offset: 1, kind: CallKind::X86, target: 1 }, second).expect("patched");
        assert_eq!(image.bytes[1..5], (64i32 - 5).to_le_bytes());
        image.bytes[64..].copy_from_slice(&[0xc3]);
        image.place(&[0, 0, 0, 0x94]);
        image.patch(128, CallSite { offset: 0, kind: CallKind::Aarch64, target: 0 }, 64).expect("patched");
        assert_eq!(image.bytes[128..132], (0x9400_0000u32 | (0x03ff_ffff & (-16i32 as u32))).to_le_bytes());
    }
}
