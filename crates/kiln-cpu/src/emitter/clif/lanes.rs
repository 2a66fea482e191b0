//! Moving between lanes, registers and single elements.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use kiln_ir::DType;
use kiln_loops::Var;

use super::LANES;
use super::core::{Emit, Form, Regs, is_wide, vector_type};
use crate::error::Fault;

/// Bytes of the even 32-bit lanes of two registers.
const EVEN: [u8; 16] = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
/// Bytes of the lower halves of two registers.
const LOWER: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
/// Bytes of the upper half, twice.
const UPPER: [u8; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

impl<'a> Emit<'a> {
    /// One lane of a register as an element.
    pub(super) fn lane(&mut self, dtype: DType, register: Value, lane: usize) -> Value {
        let v = self.b.ins().extractlane(register, lane as u8);
        match dtype {
            DType::Bool => {
                let zero = self.b.ins().iconst(types::I32, 0);
                self.b.ins().icmp(IntCC::NotEqual, v, zero)
            }
            _ => v,
        }
    }

    /// Registers from one element per lane.
    pub(super) fn gather_lanes(&mut self, dtype: DType, elements: &[Value]) -> Regs {
        let ty = vector_type(dtype);
        let mut regs = Regs::new();
        for group in elements.chunks(ty.lane_count() as usize) {
            let mut register = None;
            for (i, &element) in group.iter().enumerate() {
                let element = match dtype {
                    DType::Bool => {
                        let word = self.b.ins().uextend(types::I32, element);
                        self.b.ins().ineg(word)
                    }
                    _ => element,
                };
                register = Some(match register {
                    None => self.b.ins().scalar_to_vector(ty, element),
                    Some(r) => self.b.ins().insertlane(r, element, i as u8),
                });
            }
            regs.extend(register);
        }
        regs
    }

    /// Computes each lane by itself: for whatever has no vector instruction. `result` is the dtype of the result.
    pub(super) fn lane_by_lane(
        &mut self,
        result: DType,
        operands: &[Var],
        mut compute: impl FnMut(&mut Emit<'a>, &[Value]) -> Result<Value, Fault>,
    ) -> Result<Regs, Fault> {
        let mut sources = Vec::new();
        for &var in operands {
            let dtype = self.dtype(var);
            let regs = if self.in_lanes(var) { self.lanes(var)? } else { Regs::from_slice(&[self.scalar(var)?]) };
            sources.push((dtype, self.in_lanes(var), regs));
        }
        let mut elements = Vec::new();
        for lane in 0..self.lane_count() {
            let mut args = Vec::new();
            for (dtype, varying, regs) in &sources {
                args.push(match varying {
                    true => self.element(*dtype, regs, lane),
                    false => regs[0],
                });
            }
            elements.push(compute(self, &args)?);
        }
        Ok(self.gather_lanes(result, &elements))
    }

    /// The element of a lane counted over all registers.
    pub(super) fn element(&mut self, dtype: DType, regs: &[Value], lane: usize) -> Value {
        let per_register = if is_wide(dtype) { LANES / 2 } else { LANES };
        self.lane(dtype, regs[lane / per_register], lane % per_register)
    }

    /// Masks of 64-bit lanes to masks of 32-bit lanes.
    pub(super) fn narrow_masks(&mut self, wide: &[Value]) -> Regs {
        wide.chunks(2).map(|pair| self.even_lanes(pair[0], pair[1])).collect()
    }

    /// Masks of 32-bit lanes to masks of 64-bit lanes.
    pub(super) fn widen_masks(&mut self, masks: &[Value]) -> Regs {
        let mut regs = Regs::new();
        for &mask in masks {
            regs.push(self.b.ins().swiden_low(mask));
            regs.push(self.b.ins().swiden_high(mask));
        }
        regs
    }

    /// The low halves of the 64-bit lanes of two registers.
    pub(super) fn even_lanes(&mut self, low: Value, high: Value) -> Value {
        self.shuffle(types::I32X4, low, high, EVEN)
    }

    /// Two half-filled registers in one.
    pub(super) fn join_lower(&mut self, low: Value, high: Value) -> Value {
        let ty = self.type_of(low);
        self.shuffle(ty, low, high, LOWER)
    }

    /// The upper half moved down.
    pub(super) fn upper_half(&mut self, v: Value) -> Value {
        let ty = self.type_of(v);
        self.shuffle(ty, v, v, UPPER)
    }

    /// `mask ? x : y`; the mask has lanes as wide as the values (bool for elements).
    pub(super) fn choose(&mut self, form: Form, mask: Value, x: Value, y: Value) -> Value {
        if form == Form::Scalar {
            return self.b.ins().select(mask, x, y);
        }
        let ty = self.type_of(x);
        if !self.machine.cpu.x64 {
            let mask = self.cast(ty, mask);
            return self.b.ins().bitselect(mask, x, y);
        }
        let lanes = ty.as_int();
        let (mask, x, y) = (self.cast(lanes, mask), self.cast(lanes, x), self.cast(lanes, y));
        let v = self.b.ins().blendv(mask, x, y);
        self.cast(ty, v)
    }
}
