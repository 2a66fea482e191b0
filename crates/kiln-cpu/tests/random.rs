//! Random kernels: loop nests with random expressions, accesses and sizes, compiled and interpreted.

mod common;

use common::{READ, Rng, WRITE, check_all, options};
use kiln_ir::op::{CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::types::{binary_accepts, unary_accepts};
use kiln_loops::{AxisId, Buf, Index, Kernel, KernelBuilder, LoopKind, Var};

/// Types that expressions compute in.
const TYPES: [DType; 11] = [
    DType::F32,
    DType::F32,
    DType::F64,
    DType::I32,
    DType::I64,
    DType::U8,
    DType::I8,
    DType::U16,
    DType::U32,
    DType::U64,
    DType::Bool,
];
/// Operators of few instructions.
const UNARY: [UnaryOp; 8] = [
    UnaryOp::Abs,
    UnaryOp::Ceil,
    UnaryOp::Negate,
    UnaryOp::Not,
    UnaryOp::Sign,
    UnaryOp::Sqrt,
    UnaryOp::Popcnt,
    UnaryOp::IsFinite,
];
const BINARY: [BinaryOp; 12] = [
    BinaryOp::Add,
    BinaryOp::And,
    BinaryOp::Divide,
    BinaryOp::Maximum,
    BinaryOp::Minimum,
    BinaryOp::Multiply,
    BinaryOp::Or,
    BinaryOp::ShiftLeft,
    BinaryOp::ShiftRightArithmetic,
    BinaryOp::ShiftRightLogical,
    BinaryOp::Subtract,
    BinaryOp::Xor,
];
const DIRECTIONS: [CompareDirection; 6] = [
    CompareDirection::EQ,
    CompareDirection::NE,
    CompareDirection::GE,
    CompareDirection::GT,
    CompareDirection::LE,
    CompareDirection::LT,
];
/// Every buffer is this long; accesses stay below by construction.
const LEN: u64 = 4096;

struct Gen<'r> {
    b: KernelBuilder,
    rng: &'r mut Rng,
    inputs: Vec<(DType, Buf)>,
    /// Axes around the current statement with their extents.
    axes: Vec<(AxisId, u64)>,
    /// Variables in scope.
    vars: Vec<Var>,
    outputs: u64,
}

impl Gen<'_> {
    fn index(&mut self) -> Index {
        let mut index = Index::constant(self.rng.below(40) as i64 + 200);
        let axes = self.axes.clone();
        for (axis, extent) in axes {
            let stride = match self.rng.below(6) {
                0 | 1 => 1,
                2 => 0,
                3 => -1,
                4 => 2 + self.rng.below(7) as i64,
                // Large strides only where they stay inside.
                _ => {
                    if extent < 12 {
                        64
                    } else {
                        3
                    }
                }
            };
            index = index.plus_axis(axis, stride);
        }
        index
    }

    fn load(&mut self) -> Var {
        let (_, buf) = *self.rng.pick(&self.inputs.clone());
        let mut index = self.index();
        let indices: Vec<Var> = self.vars.iter().copied().filter(|&v| self.b.dtype(v) == DType::I64).collect();
        if !indices.is_empty() && self.rng.below(4) == 0 {
            let v = *self.rng.pick(&indices);
            let mask = self.b.const_i64(127);
            let v = self.b.binary(BinaryOp::And, v, mask);
            index = index.plus_var(v, 1 + self.rng.below(3) as i64);
        }
        self.b.load(buf, index)
    }

    fn var_of(&mut self, d: DType) -> Var {
        let known: Vec<Var> = self.vars.iter().copied().filter(|&v| self.b.dtype(v) == d).collect();
        match self.rng.below(6) {
            0 => {
                let bits = common::element(d, self.rng);
                self.b.const_bits(d, bits)
            }
            _ if !known.is_empty() => *self.rng.pick(&known),
            _ => {
                let v = *self.rng.pick(&self.vars.clone());
                self.b.convert(d, v)
            }
        }
    }

    fn expression(&mut self) {
        let d = *self.rng.pick(&TYPES);
        let x = self.var_of(d);
        let v = match self.rng.below(7) {
            0 => self.load(),
            1 => {
                let op = *self.rng.pick(&UNARY);
                if !unary_accepts(op, d) {
                    return;
                }
                self.b.unary(op, x)
            }
            2 | 3 => {
                let (op, y) = (*self.rng.pick(&BINARY), self.var_of(d));
                if !binary_accepts(op, d) {
                    return;
                }
                self.b.binary(op, x, y)
            }
            4 => {
                let (direction, y) = (*self.rng.pick(&DIRECTIONS), self.var_of(d));
                self.b.compare(direction, x, y)
            }
            5 => {
                let (c, y) = (self.var_of(DType::Bool), self.var_of(d));
                self.b.select(c, x, y)
            }
            _ => {
                let to = *self.rng.pick(&TYPES);
                self.b.convert(to, x)
            }
        };
        self.vars.push(v);
    }

    /// A serial loop with a reduction and carried values, inside of anything.
    fn serial(&mut self, depth: u32) {
        let extent = 1 + self.rng.below(6) as u64;
        let d = *self.rng.pick(&TYPES);
        let init = self.var_of(d);
        let scope = self.vars.len();
        let inits: Vec<(Var, DType)> = (0..self.rng.below(3))
            .map(|_| {
                let d = *self.rng.pick(&TYPES);
                (self.var_of(d), d)
            })
            .collect();
        let axis = self.b.begin_loop(extent, LoopKind::Serial);
        self.axes.push((axis, extent));
        let carried: Vec<(Var, DType)> = inits.into_iter().map(|(init, d)| (self.b.carry(init), d)).collect();
        let mut results = vec![];
        self.vars.extend(carried.iter().map(|c| c.0));
        for _ in 0..1 + self.rng.below(4) {
            self.expression();
        }
        if depth > 0 && self.rng.below(2) == 0 {
            self.serial(depth - 1);
        }
        let value = self.var_of(d);
        for (param, dtype) in carried.clone() {
            let next = self.var_of(dtype);
            results.push(self.b.carry_next(param, next));
        }
        let ops: Vec<Reducer> = Reducer::ALL.into_iter().filter(|op| binary_accepts(op.binary(), d)).collect();
        let op = *self.rng.pick(&ops);
        let result = self.b.reduction(op, init, value);
        self.b.end();
        self.axes.pop();
        self.vars.truncate(scope);
        self.vars.push(result);
        self.vars.extend(results);
    }

    /// A loop that stores one element per iteration into a buffer of its own.
    fn storing_loop(&mut self, outer: Option<(AxisId, u64)>) {
        let extent = 1 + self.rng.below(40) as u64;
        let kind = if self.rng.below(4) == 0 { LoopKind::Serial } else { LoopKind::Vector };
        let scope = self.vars.len();
        let (len, row) = match outer {
            Some((_, rows)) => (rows * extent, extent as i64),
            None => (extent, 0),
        };
        let axis = self.b.begin_loop(extent, kind);
        self.axes.push((axis, extent));
        for _ in 0..3 + self.rng.below(8) {
            self.expression();
        }
        if self.rng.below(2) == 0 {
            self.serial(1);
        }
        let value = *self.vars.last().expect("at least the first load");
        let d = self.b.dtype(value);
        self.outputs += 1;
        let y = self.b.param(format!("y{}", self.outputs), d, len, WRITE);
        let mut place = Index::constant(0).plus_axis(axis, 1);
        if let Some((axis, _)) = outer {
            place = place.plus_axis(axis, row);
        }
        self.b.store(y, place, value);
        self.b.end();
        self.axes.pop();
        self.vars.truncate(scope);
    }
}

fn random_kernel(rng: &mut Rng, number: u64) -> Kernel {
    let mut b = KernelBuilder::new(format!("random {number}"));
    let inputs = (0..3)
        .map(|i| {
            let d = *rng.pick(&TYPES);
            (d, b.param(format!("x{i}"), d, LEN, READ))
        })
        .collect();
    let mut g = Gen { b, rng, inputs, axes: vec![], vars: vec![], outputs: 0 };
    let parallel = g.rng.below(2) == 0;
    let mut outer = None;
    if parallel {
        let rows = 1 + g.rng.below(9) as u64;
        let axis = g.b.begin_loop(rows, LoopKind::Parallel);
        g.axes.push((axis, rows));
        outer = Some((axis, rows));
    }
    let first = g.load();
    g.vars.push(first);
    for _ in 0..3 {
        g.expression();
    }
    if g.rng.below(2) == 0 {
        g.serial(1);
    }
    for _ in 0..1 + g.rng.below(3) {
        g.storing_loop(outer);
    }
    if outer.is_some() {
        g.b.end();
    }
    g.b.finish()
}

#[test]
fn random_kernels_equal_the_interpreter() {
    let mut rng = Rng(2024);
    for batch in 0..12 {
        let kernels: Vec<Kernel> = (0..25).map(|i| random_kernel(&mut rng, batch * 25 + i)).collect();
        for k in &kernels {
            if let Err(errors) = kiln_loops::verify::verify(k) {
                panic!("the generator is wrong: {}", errors[0]);
            }
        }
        let level = if batch % 2 == 0 { kiln_cpu::OptLevel::Speed } else { kiln_cpu::OptLevel::None };
        check_all(&kernels, batch, &kiln_cpu::CpuOptions { opt_level: level, ..options() });
    }
}

#[test]
fn code_does_not_depend_on_compiling_threads() {
    let mut rng = Rng(7);
    let kernels: Vec<Kernel> = (0..20).map(|i| random_kernel(&mut rng, i)).collect();
    let compile = |threads| {
        kiln_cpu::compile_kernels(&common::verified(&kernels), &kiln_cpu::CpuOptions { threads, ..options() })
            .expect("compiles")
            .0
    };
    assert_eq!(compile(1), compile(3));
}
