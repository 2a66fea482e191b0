//! Loads and stores, of one element and of lanes.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use kiln_ir::DType;
use kiln_loops::analysis::Pattern;
use kiln_loops::{Buf, Index, Var};

use super::LANES;
use super::address::Address;
use super::core::{Emit, Form, Regs, memory_flags, vector_type};
use crate::error::{Fault, broken};

/// Reverses four 32-bit lanes.
const REVERSE_32: [u8; 16] = [12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3];
/// Swaps two 64-bit lanes.
const REVERSE_64: [u8; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];

impl Emit<'_> {
    /// The element at an index that is equal in all lanes.
    pub(super) fn load_scalar(&mut self, buf: Buf, index: &Index) -> Result<Value, Fault> {
        let dtype = self.buffer_dtype(buf);
        let address = self.address(buf, index)?;
        Ok(self.load_element(dtype, address, 0))
    }

    pub(super) fn load_element(&mut self, dtype: DType, address: Address, extra: i64) -> Value {
        let (p, offset) = self.fold(address, extra);
        let flags = memory_flags();
        match dtype {
            DType::Bool => self.b.ins().load(types::I8, flags, p, offset),
            DType::I8 => self.b.ins().sload8(types::I32, flags, p, offset),
            DType::U8 => self.b.ins().uload8(types::I32, flags, p, offset),
            DType::I16 => self.b.ins().sload16(types::I32, flags, p, offset),
            DType::U16 | DType::F16 | DType::BF16 => self.b.ins().uload16(types::I32, flags, p, offset),
            DType::I32 | DType::U32 => self.b.ins().load(types::I32, flags, p, offset),
            DType::I64 | DType::U64 => self.b.ins().load(types::I64, flags, p, offset),
            DType::F32 => self.b.ins().load(types::F32, flags, p, offset),
            DType::F64 => self.b.ins().load(types::F64, flags, p, offset),
            other => kiln_loops::legalized(other),
        }
    }

    fn store_element(&mut self, dtype: DType, value: Value, address: Address, extra: i64) {
        let (p, offset) = self.fold(address, extra);
        let flags = memory_flags();
        match dtype.size() {
            1 if dtype != DType::Bool => self.b.ins().istore8(flags, value, p, offset),
            2 => self.b.ins().istore16(flags, value, p, offset),
            _ => self.b.ins().store(flags, value, p, offset),
        };
    }

    /// The elements of all lanes, at an index that differs between them.
    pub(super) fn load_lanes(&mut self, buf: Buf, index: &Index) -> Result<Regs, Fault> {
        let dtype = self.buffer_dtype(buf);
        let address = self.address(buf, index)?;
        match self.pattern(index) {
            Pattern::Contiguous => Ok(self.load_contiguous(dtype, address)),
            Pattern::Strided(-1) if dtype.size() >= 4 => Ok(self.load_reversed(dtype, address)),
            _ => {
                let places = self.lane_places(dtype, index, address)?;
                let elements: Vec<Value> =
                    places.iter().map(|&(place, extra)| self.load_element(dtype, place, extra)).collect();
                Ok(self.gather_lanes(dtype, &elements))
            }
        }
    }

    /// Where the element of each lane lies.
    fn lane_places(&mut self, dtype: DType, index: &Index, address: Address) -> Result<Vec<(Address, i64)>, Fault> {
        let size = dtype.size() as i64;
        let stride = match self.mode {
            super::core::Mode::Lanes { axis, .. } => index.stride(axis),
            super::core::Mode::Scalar => return broken("lanes outside of a vectorized loop"),
        };
        let mut places = Vec::new();
        for lane in 0..self.lane_count() {
            let mut place = address;
            for &(var, factor) in &index.dynamic {
                if self.in_lanes(var) {
                    let regs = self.lanes(var)?;
                    let element = self.element(DType::I64, &regs, lane);
                    let term = self.times(element, factor * size);
                    place.pointer = self.b.ins().iadd(place.pointer, term);
                }
            }
            places.push((place, lane as i64 * stride * size));
        }
        Ok(places)
    }

    fn load_contiguous(&mut self, dtype: DType, address: Address) -> Regs {
        match dtype.size() {
            1 => self.load_bytes(dtype, address),
            2 => {
                let mut regs = Regs::new();
                for group in 0..self.copies() {
                    let (p, offset) = self.fold(address, (group * LANES * 2) as i64);
                    let flags = memory_flags();
                    regs.push(match dtype {
                        DType::I16 => self.b.ins().sload16x4(flags, p, offset),
                        _ => self.b.ins().uload16x4(flags, p, offset),
                    });
                }
                regs
            }
            _ => {
                let ty = vector_type(dtype);
                (0..self.register_count(dtype))
                    .map(|i| {
                        let (p, offset) = self.fold(address, 16 * i as i64);
                        self.b.ins().load(ty, memory_flags(), p, offset)
                    })
                    .collect()
            }
        }
    }

    /// Bytes, widened to 32-bit lanes; as many at once as there are.
    fn load_bytes(&mut self, dtype: DType, address: Address) -> Regs {
        let signed = dtype == DType::I8;
        let flags = memory_flags();
        let mut words = Vec::new();
        let mut group = 0;
        while group < self.copies() {
            let (p, offset) = self.fold(address, (group * LANES) as i64);
            let left = self.copies() - group;
            if left >= 4 {
                let bytes = self.b.ins().load(types::I8X16, flags, p, offset);
                words.push(self.widen(signed, false, bytes));
                words.push(self.widen(signed, true, bytes));
            } else if left >= 2 {
                words.push(match signed {
                    true => self.b.ins().sload8x8(flags, p, offset),
                    false => self.b.ins().uload8x8(flags, p, offset),
                });
            } else {
                let word = self.b.ins().load(types::I32, flags, p, offset);
                let register = self.b.ins().scalar_to_vector(types::I32X4, word);
                let bytes = self.cast(types::I8X16, register);
                words.push(self.widen(signed, false, bytes));
            }
            group += if left >= 4 {
                4
            } else if left >= 2 {
                2
            } else {
                1
            };
        }
        let mut regs = Regs::new();
        for word in words {
            regs.push(self.widen(signed, false, word));
            if regs.len() < self.copies() {
                regs.push(self.widen(signed, true, word));
            }
        }
        if dtype == DType::Bool {
            let zero = self.int(Form::Vector, false, 0);
            for r in &mut regs {
                *r = self.b.ins().icmp(IntCC::SignedGreaterThan, *r, zero);
            }
        }
        regs
    }

    fn widen(&mut self, signed: bool, high: bool, v: Value) -> Value {
        match (signed, high) {
            (true, false) => self.b.ins().swiden_low(v),
            (true, true) => self.b.ins().swiden_high(v),
            (false, false) => self.b.ins().uwiden_low(v),
            (false, true) => self.b.ins().uwiden_high(v),
        }
    }

    /// Elements side by side in memory whose last belongs to the first lane; 4 or 8 bytes each.
    fn load_reversed(&mut self, dtype: DType, address: Address) -> Regs {
        let ty = vector_type(dtype);
        let order = if dtype.size() == 4 { REVERSE_32 } else { REVERSE_64 };
        let mut regs = Regs::new();
        for i in 0..self.register_count(dtype) as i64 {
            let (p, offset) = self.fold(address, dtype.size() as i64 - 16 * (i + 1));
            let v = self.b.ins().load(ty, memory_flags(), p, offset);
            regs.push(self.shuffle(ty, v, v, order));
        }
        regs
    }

    /// A store statement.
    pub(super) fn store(&mut self, buf: Buf, index: &Index, value: Var) -> Result<(), Fault> {
        let dtype = self.buffer_dtype(buf);
        let address = self.address(buf, index)?;
        match self.pattern(index) {
            Pattern::Uniform => {
                let value = self.scalar(value)?;
                self.store_element(dtype, value, address, 0);
            }
            Pattern::Contiguous => {
                let regs = self.lanes(value)?;
                self.store_contiguous(dtype, &regs, address);
            }
            _ => {
                let places = self.lane_places(dtype, index, address)?;
                let regs = if self.in_lanes(value) { self.lanes(value)? } else { Regs::new() };
                for (lane, (place, extra)) in places.into_iter().enumerate() {
                    let element = match regs.is_empty() {
                        true => self.scalar(value)?,
                        false => self.element(dtype, &regs, lane),
                    };
                    self.store_element(dtype, element, place, extra);
                }
            }
        }
        Ok(())
    }

    fn store_contiguous(&mut self, dtype: DType, regs: &[Value], address: Address) {
        if dtype.size() >= 4 {
            for (i, &r) in regs.iter().enumerate() {
                let (p, offset) = self.fold(address, 16 * i as i64);
                self.b.ins().store(memory_flags(), r, p, offset);
            }
            return;
        }
        let halves: Vec<Value> = regs.chunks(2).map(|pair| self.pack_words(dtype, pair)).collect();
        let mut done = 0;
        if dtype.size() == 2 {
            for (pair, v) in regs.chunks(2).zip(halves) {
                self.store_low(v, pair.len() * 8, address, done);
                done += 16;
            }
            return;
        }
        for (pair, registers) in halves.chunks(2).zip(regs.chunks(4)) {
            let v = self.pack_bytes(dtype, pair);
            self.store_low(v, registers.len() * 4, address, done);
            done += 16;
        }
    }

    /// One or two registers of 32-bit lanes to 16-bit lanes. The lanes are in range, so saturation never happens.
    fn pack_words(&mut self, dtype: DType, pair: &[Value]) -> Value {
        let (low, high) = (pair[0], *pair.last().unwrap_or(&pair[0]));
        match dtype {
            DType::U16 | DType::F16 | DType::BF16 => self.b.ins().unarrow(low, high),
            _ => self.b.ins().snarrow(low, high),
        }
    }

    /// One or two registers of 16-bit lanes to bytes.
    fn pack_bytes(&mut self, dtype: DType, pair: &[Value]) -> Value {
        let (low, high) = (pair[0], *pair.last().unwrap_or(&pair[0]));
        match dtype {
            DType::U8 => self.b.ins().unarrow(low, high),
            DType::Bool => {
                let masks = self.b.ins().snarrow(low, high);
                let one = self.vector_literal(types::I8X16, &[1]);
                self.b.ins().band(masks, one)
            }
            _ => self.b.ins().snarrow(low, high),
        }
    }

    /// Stores the first 4, 8, 12 or 16 bytes of a register.
    fn store_low(&mut self, v: Value, bytes: usize, address: Address, extra: i64) {
        let flags = memory_flags();
        if bytes == 16 {
            let (p, offset) = self.fold(address, extra);
            self.b.ins().store(flags, v, p, offset);
            return;
        }
        let mut done = 0;
        if bytes >= 8 {
            let v = self.cast(types::I64X2, v);
            let part = self.b.ins().extractlane(v, 0);
            let (p, offset) = self.fold(address, extra);
            self.b.ins().store(flags, part, p, offset);
            done = 8;
        }
        if bytes > done {
            let v = self.cast(types::I32X4, v);
            let part = self.b.ins().extractlane(v, (done / 4) as u8);
            let (p, offset) = self.fold(address, extra + done as i64);
            self.b.ins().store(flags, part, p, offset);
        }
    }
}
