//! The state of emitting one kernel: where variables live, literals, and the small helpers that everything else uses.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    ConstantData, Endianness, Function, Inst, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Type,
    Value, types,
};
use cranelift_frontend::FunctionBuilder;
use kiln_ir::DType;
use kiln_loops::analysis::{BodyCall, VectorPlan};
use kiln_loops::{AxisId, Const, Kernel, Var};
use smallvec::SmallVec;

use super::address::Pointers;
use super::{LANES, MAX_LOCAL_BYTES};
use crate::error::{Fault, broken, unsupported};
use crate::target::Machine;

/// Registers of one variable in lane order.
pub(super) type Regs = SmallVec<[Value; 8]>;

/// Whether an operation works on one element or on a register of lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Scalar,
    Vector,
}

/// Where a variable lives at present.
#[derive(Clone, Default)]
pub(super) struct Slot {
    /// The value when it is equal in all lanes.
    pub(super) scalar: Option<Value>,
    /// The same in every lane of one register.
    pub(super) splat: Option<Value>,
    /// One value per lane.
    pub(super) lanes: Regs,
    /// A bool as masks of 64-bit lanes (from a comparison of such).
    pub(super) wide: Regs,
    /// Number of loops around the definition.
    pub(super) depth: u32,
}

/// The value of an axis at present.
#[derive(Clone, Copy)]
pub(super) enum AxisValue {
    /// Not inside of its loop.
    Unset,
    /// Known.
    Known(i64),
    /// In a register; in the vectorized loop: of the first lane.
    Running(Value),
}

/// How the current statements run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One iteration at a time.
    Scalar,
    /// Groups of lanes along an axis.
    Lanes { axis: AxisId, copies: usize },
}

/// The emitter of one kernel.
pub(super) struct Emit<'a> {
    pub(super) b: FunctionBuilder<'a>,
    pub(super) kernel: &'a Kernel,
    pub(super) plan: &'a VectorPlan,
    /// Loops whose work other code does.
    pub(super) calls: &'a [BodyCall],
    pub(super) machine: &'a Machine,
    pub(super) vars: Vec<Slot>,
    pub(super) axes: Vec<(AxisValue, u32)>,
    pub(super) mode: Mode,
    /// Loops around the current statement.
    pub(super) depth: u32,
    pub(super) pointers: Pointers,
    pub(super) params: Vec<Value>,
    pub(super) locals: Vec<StackSlot>,
    /// Address of a table of register literals on the stack. Literals used in loops are loaded from there, as operands of
    /// the instructions that use them: kept in registers they would be spilled, and then reloaded by instructions of
    /// their own.
    literal_table: Option<Value>,
    table_literals: Vec<[u8; 16]>,
    table_places: HashMap<[u8; 16], usize>,
}

/// The register type of one element.
pub(super) fn scalar_type(dtype: DType) -> Type {
    match dtype {
        DType::Bool => types::I8,
        DType::I8 | DType::I16 | DType::I32 | DType::U8 | DType::U16 | DType::U32 | DType::F16 | DType::BF16 => {
            types::I32
        }
        DType::I64 | DType::U64 => types::I64,
        DType::F32 => types::F32,
        DType::F64 => types::F64,
        other => kiln_loops::legalized(other),
    }
}

/// The register type of a group of elements; two registers make a group when [`is_wide`].
pub(super) fn vector_type(dtype: DType) -> Type {
    match dtype {
        DType::F32 => types::F32X4,
        DType::F64 => types::F64X2,
        DType::I64 | DType::U64 => types::I64X2,
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::F16
        | DType::BF16 => types::I32X4,
        other => kiln_loops::legalized(other),
    }
}

/// Whether an element takes a 64-bit lane.
pub(super) fn is_wide(dtype: DType) -> bool {
    dtype.size() == 8
}

/// Access flags of kernel memory: never traps (the verifier checked bounds), any alignment.
pub(super) fn memory_flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

impl<'a> Emit<'a> {
    pub(super) fn new(
        b: FunctionBuilder<'a>,
        kernel: &'a Kernel,
        plan: &'a VectorPlan,
        calls: &'a [BodyCall],
        machine: &'a Machine,
    ) -> Result<Emit<'a>, Fault> {
        let local_bytes =
            kernel.locals.iter().map(|l| l.len.saturating_mul(l.dtype.size() as u64)).fold(0, u64::saturating_add);
        if local_bytes > MAX_LOCAL_BYTES {
            return unsupported(format!("{local_bytes} bytes of local scratch (more than {MAX_LOCAL_BYTES})"));
        }
        Ok(Emit {
            b,
            kernel,
            plan,
            calls,
            machine,
            vars: vec![Slot::default(); kernel.vars.len()],
            axes: vec![(AxisValue::Unset, 0); kernel.axes as usize],
            mode: Mode::Scalar,
            depth: 0,
            pointers: Pointers::default(),
            params: Vec::new(),
            locals: Vec::new(),
            literal_table: None,
            table_literals: Vec::new(),
            table_places: HashMap::new(),
        })
    }

    /// Emits everything and finishes the function.
    pub(super) fn kernel(mut self) -> Result<(), Fault> {
        let entry = self.b.create_block();
        self.b.append_block_params_for_function_params(entry);
        self.b.switch_to_block(entry);
        let args = self.b.block_params(entry).to_vec();
        for i in 0..self.kernel.params.len() {
            let offset =
                i32::try_from(i * size_of::<usize>()).map_err(|_| Fault::Unsupported("that many buffers".into()))?;
            let flags = MemFlagsData::trusted().with_readonly().with_can_move();
            let base = self.b.ins().load(types::I64, flags, args[0], offset);
            self.params.push(base);
        }
        for local in &self.kernel.locals {
            let bytes = (local.len * local.dtype.size() as u64).max(1) as u32;
            self.locals.push(self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4)));
        }
        // The optimizer would forward the table's contents and keep them in registers after all.
        let table = (!self.machine.optimizes).then(|| {
            let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 16, 4));
            (slot, self.b.ins().stack_addr(types::I64, slot, 0))
        });
        self.literal_table = table.map(|t| t.1);
        let start = self.b.create_block();
        let jump = self.b.ins().jump(start, &[]);
        self.b.switch_to_block(start);
        self.top_level(args[1], args[2])?;
        self.b.ins().return_(&[]);
        if let Some((slot, table)) = table {
            self.fill_table(slot, table, jump);
        }
        self.b.seal_all_blocks();
        let config = self.machine.isa.frontend_config();
        self.b.finalize(config);
        Ok(())
    }

    /// The dtype of a variable.
    pub(super) fn dtype(&self, var: Var) -> DType {
        self.kernel.vars[var.0 as usize]
    }

    /// The literal that a variable is, if it is one.
    pub(super) fn literal(&self, var: Var) -> Option<Const> {
        self.plan.literal(var)
    }

    /// Whether the variable has a value per lane at present.
    pub(super) fn in_lanes(&self, var: Var) -> bool {
        self.mode != Mode::Scalar && self.plan.varies(var)
    }

    /// Groups of lanes at present.
    pub(super) fn copies(&self) -> usize {
        match self.mode {
            Mode::Scalar => 1,
            Mode::Lanes { copies, .. } => copies,
        }
    }

    /// Registers that a variable of this dtype takes at present.
    pub(super) fn register_count(&self, dtype: DType) -> usize {
        self.copies() * if is_wide(dtype) { 2 } else { 1 }
    }

    /// Lanes at present.
    pub(super) fn lane_count(&self) -> usize {
        self.copies() * LANES
    }

    /// The value of a variable that is equal in all lanes.
    pub(super) fn scalar(&mut self, var: Var) -> Result<Value, Fault> {
        if let Some(c) = self.literal(var) {
            return Ok(self.lit(Form::Scalar, c.dtype, c.bits));
        }
        match self.vars.get(var.0 as usize).and_then(|s| s.scalar) {
            Some(v) => Ok(v),
            None => broken(format!("variable {} is used where it has no value", var.0)),
        }
    }

    /// The registers of a variable, spread over the lanes if it is equal in all of them.
    pub(super) fn lanes(&mut self, var: Var) -> Result<Regs, Fault> {
        let dtype = self.dtype(var);
        let count = self.register_count(dtype);
        if let Some(c) = self.literal(var) {
            let v = self.lit(Form::Vector, c.dtype, c.bits);
            return Ok(SmallVec::from_elem(v, count));
        }
        let slot = &self.vars[var.0 as usize];
        if !slot.lanes.is_empty() && self.in_lanes(var) {
            return Ok(slot.lanes.clone());
        }
        if !slot.wide.is_empty() && self.in_lanes(var) {
            let wide = slot.wide.clone();
            return Ok(self.narrow_masks(&wide));
        }
        match slot.splat {
            Some(v) => Ok(SmallVec::from_elem(v, count)),
            None => {
                let scalar = self.scalar(var)?;
                let v = self.spread(dtype, scalar);
                Ok(SmallVec::from_elem(v, count))
            }
        }
    }

    /// A register with this value in every lane.
    pub(super) fn spread(&mut self, dtype: DType, scalar: Value) -> Value {
        let scalar = match dtype {
            DType::Bool => {
                let word = self.b.ins().uextend(types::I32, scalar);
                self.b.ins().ineg(word)
            }
            _ => scalar,
        };
        self.b.ins().splat(vector_type(dtype), scalar)
    }

    /// Records the value of a variable that is equal in all lanes.
    pub(super) fn define_scalar(&mut self, var: Var, value: Value) -> Result<(), Fault> {
        let dtype = self.dtype(var);
        let splat = match self.mode != Mode::Scalar && self.plan.splat(var) {
            true => Some(self.spread(dtype, value)),
            false => None,
        };
        let slot = Slot { scalar: Some(value), splat, depth: self.depth, ..Slot::default() };
        self.vars[var.0 as usize] = slot;
        Ok(())
    }

    /// Records the registers of a variable that differs between lanes.
    pub(super) fn define_lanes(&mut self, var: Var, lanes: Regs) {
        self.vars[var.0 as usize] = Slot { lanes, depth: self.depth, ..Slot::default() };
    }

    /// A literal of a dtype as it is kept in registers: `bits` as in memory, zero extended.
    pub(super) fn lit(&mut self, form: Form, dtype: DType, bits: u64) -> Value {
        match dtype {
            DType::F32 => self.float_bits(form, types::F32, bits),
            DType::F64 => self.float_bits(form, types::F64, bits),
            DType::Bool => match form {
                Form::Scalar => self.b.ins().iconst(types::I8, i64::from(bits & 1 != 0)),
                Form::Vector => self.int(form, false, -i64::from(bits & 1 != 0)),
            },
            DType::I8 => self.int(form, false, i64::from(bits as i8)),
            DType::I16 => self.int(form, false, i64::from(bits as i16)),
            DType::I32 => self.int(form, false, i64::from(bits as i32)),
            DType::U8 => self.int(form, false, i64::from(bits as u8)),
            DType::U16 | DType::F16 | DType::BF16 => self.int(form, false, i64::from(bits as u16)),
            DType::U32 => self.int(form, false, i64::from(bits as u32 as i32)),
            DType::I64 | DType::U64 => self.int(form, true, bits as i64),
            other => kiln_loops::legalized(other),
        }
    }

    /// An integer literal of 32 or 64 bits.
    pub(super) fn int(&mut self, form: Form, wide: bool, v: i64) -> Value {
        match (form, wide) {
            (Form::Scalar, false) => self.b.ins().iconst(types::I32, i64::from(v as u32)),
            (Form::Scalar, true) => self.b.ins().iconst(types::I64, v),
            (Form::Vector, false) => self.vector_literal(types::I32X4, &(v as u32).to_le_bytes()),
            (Form::Vector, true) => self.vector_literal(types::I64X2, &v.to_le_bytes()),
        }
    }

    fn float_bits(&mut self, form: Form, ty: Type, bits: u64) -> Value {
        use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
        match (form, ty == types::F32) {
            (Form::Scalar, true) => self.b.ins().f32const(Ieee32::with_bits(bits as u32)),
            (Form::Scalar, false) => self.b.ins().f64const(Ieee64::with_bits(bits)),
            (Form::Vector, true) => self.vector_literal(types::F32X4, &(bits as u32).to_le_bytes()),
            (Form::Vector, false) => self.vector_literal(types::F64X2, &bits.to_le_bytes()),
        }
    }

    /// A register literal that repeats `lane`.
    pub(super) fn vector_literal(&mut self, ty: Type, lane: &[u8]) -> Value {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(lane.iter().cycle()) {
            *to = *from;
        }
        let cheap = bytes == [0; 16] || bytes == [0xff; 16];
        match self.literal_table {
            Some(table) if self.depth > 0 && !cheap => {
                let next = self.table_literals.len();
                let place = *self.table_places.entry(bytes).or_insert(next);
                if place == next {
                    self.table_literals.push(bytes);
                }
                self.b.ins().load(ty, MemFlagsData::trusted(), table, 16 * place as i32)
            }
            _ => {
                let constant = self.func().dfg.constants.insert(ConstantData::from(bytes.as_slice()));
                self.b.ins().vconst(ty, constant)
            }
        }
    }

    /// Fills the table of literals, before the jump at the end of the entry block.
    fn fill_table(&mut self, slot: StackSlot, table: Value, jump: Inst) {
        self.b.func.sized_stack_slots[slot].size = 16 * self.table_literals.len().max(1) as u32;
        for (i, bytes) in self.table_literals.iter().enumerate() {
            let constant = self.b.func.dfg.constants.insert(ConstantData::from(bytes.as_slice()));
            let mut cursor = FuncCursor::new(self.b.func).at_inst(jump);
            let literal = cursor.ins().vconst(types::I8X16, constant);
            cursor.ins().store(MemFlagsData::trusted(), literal, table, 16 * i as i32);
        }
    }

    fn func(&mut self) -> &mut Function {
        self.b.func
    }

    /// The same register seen as another type of the same size.
    pub(super) fn cast(&mut self, ty: Type, v: Value) -> Value {
        let from = self.b.func.dfg.value_type(v);
        if from == ty {
            return v;
        }
        let flags = match from.lane_count() == ty.lane_count() {
            true => MemFlagsData::new(),
            false => MemFlagsData::new().with_endianness(Endianness::Little),
        };
        self.b.ins().bitcast(ty, flags, v)
    }

    /// Rearranges the 16 bytes of `a` (0..16) and `b` (16..32).
    pub(super) fn shuffle(&mut self, ty: Type, a: Value, b: Value, bytes: [u8; 16]) -> Value {
        let (a, b) = (self.cast(types::I8X16, a), self.cast(types::I8X16, b));
        let mask = self.func().dfg.immediates.push(ConstantData::from(bytes.as_slice()));
        let v = self.b.ins().shuffle(a, b, mask);
        self.cast(ty, v)
    }

    /// The type of a value.
    pub(super) fn type_of(&self, v: Value) -> Type {
        self.b.func.dfg.value_type(v)
    }
}
