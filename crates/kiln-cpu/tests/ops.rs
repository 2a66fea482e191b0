//! Every operator on every dtype, in vector main loops, single groups, scalar rests, and scalar loops, against the interpreter.

mod common;

use common::{READ, WRITE, check_all, loop_types, options};
use kiln_cpu::CpuOptions;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::types::{binary_accepts, unary_accepts, unary_result};
use kiln_loops::{Expr, Index, Kernel, KernelBuilder, LoopKind, Var};

/// Operand kinds of a generated kernel.
#[derive(Clone, Copy, PartialEq)]
enum Operand {
    /// An element per iteration.
    Varying,
    /// The same element in all iterations.
    Uniform,
}

/// `out[i] = f(in0[i], in1[i], ...)`, over `extent` elements in a loop of this kind.
fn map(
    name: &str,
    inputs: &[(DType, Operand)],
    out: DType,
    extent: u64,
    kind: LoopKind,
    f: impl FnOnce(&mut KernelBuilder, &[Var]) -> Var,
) -> Kernel {
    let mut b = KernelBuilder::new(name);
    let bufs: Vec<_> =
        inputs.iter().enumerate().map(|(i, (d, _))| b.param(format!("x{i}"), *d, extent, READ)).collect();
    let y = b.param("y", out, extent, WRITE);
    b.for_loop(extent, kind, |b, i| {
        let at = Index::constant(0).plus_axis(i, 1);
        let vars: Vec<Var> = bufs
            .iter()
            .zip(inputs)
            .map(|(&buf, (_, operand))| match operand {
                Operand::Varying => b.load(buf, at.clone()),
                Operand::Uniform => b.load(buf, Index::constant(0)),
            })
            .collect();
        let r = f(b, &vars);
        b.store(y, at, r);
    });
    b.finish()
}

const EXTENTS: [(u64, LoopKind); 5] = [
    (43, LoopKind::Vector),
    (6, LoopKind::Vector),
    (3, LoopKind::Vector),
    (5, LoopKind::Serial),
    (39, LoopKind::Parallel),
];

fn check_kernels(kernels: Vec<Kernel>, seed: u64) {
    for k in &kernels {
        if let Err(errors) = kiln_loops::verify::verify(k) {
            panic!("{}", errors[0]);
        }
    }
    check_all(&kernels, seed, &options());
}

#[test]
fn unary_operators() {
    let mut kernels = Vec::new();
    for &op in UnaryOp::ALL {
        for d in loop_types().filter(|&d| unary_accepts(op, d)) {
            let (extent, kind) = EXTENTS[kernels.len() % 2];
            let name = format!("{} {d} {extent}", op.name());
            kernels.push(map(&name, &[(d, Operand::Varying)], unary_result(op, d), extent, kind, |b, v| {
                b.unary(op, v[0])
            }));
        }
    }
    check_kernels(kernels, 1);
}

fn binary_kernels(ops: &[BinaryOp], extents: &[(u64, LoopKind)]) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for &op in ops {
        for d in loop_types().filter(|&d| binary_accepts(op, d)) {
            for &(extent, kind) in extents {
                let operands = [Operand::Varying, if extent % 4 == 3 { Operand::Varying } else { Operand::Uniform }];
                let name = format!("{} {d} {extent} {kind:?}", op.name());
                let inputs = [(d, operands[0]), (d, operands[1])];
                kernels.push(map(&name, &inputs, d, extent, kind, |b, v| b.binary(op, v[0], v[1])));
            }
        }
    }
    kernels
}

#[test]
fn binary_operators() {
    let basic: Vec<BinaryOp> = BinaryOp::ALL
        .iter()
        .copied()
        .filter(|op| !matches!(op, BinaryOp::Power | BinaryOp::Atan2 | BinaryOp::Remainder | BinaryOp::Divide))
        .collect();
    check_kernels(binary_kernels(&basic, &EXTENTS), 2);
}

#[test]
fn binary_operators_of_many_instructions() {
    let long = [BinaryOp::Power, BinaryOp::Atan2, BinaryOp::Remainder, BinaryOp::Divide];
    check_kernels(binary_kernels(&long, &EXTENTS[1..2]), 3);
    check_kernels(binary_kernels(&long[2..], &EXTENTS[..1]), 4);
}

#[test]
fn comparisons_and_selects() {
    use CompareDirection::*;
    let mut kernels = Vec::new();
    for d in loop_types().filter(|d| !matches!(d, DType::F16 | DType::BF16)) {
        for direction in [EQ, NE, GE, GT, LE, LT] {
            let (extent, kind) = EXTENTS[kernels.len() % 3];
            let inputs = [(d, Operand::Varying), (d, Operand::Varying)];
            let name = format!("compare {direction:?} {d} {extent}");
            kernels.push(map(&name, &inputs, DType::Bool, extent, kind, |b, v| b.compare(direction, v[0], v[1])));
            let name = format!("select {direction:?} {d} {extent}");
            kernels.push(map(&name, &inputs, d, extent, kind, |b, v| {
                let mask = b.compare(direction, v[0], v[1]);
                b.select(mask, v[0], v[1])
            }));
        }
    }
    check_kernels(kernels, 5);
}

#[test]
fn masks_cross_widths() {
    let mut kernels = Vec::new();
    for (d, e) in
        [(DType::F64, DType::F32), (DType::I8, DType::U64), (DType::I64, DType::F64), (DType::F32, DType::U16)]
    {
        for (extent, kind) in EXTENTS {
            let inputs = [
                (d, Operand::Varying),
                (d, Operand::Uniform),
                (e, Operand::Varying),
                (e, Operand::Varying),
                (DType::Bool, Operand::Varying),
            ];
            kernels.push(map(&format!("masks {d} {e} {extent}"), &inputs, e, extent, kind, |b, v| {
                let m = b.compare(CompareDirection::LT, v[0], v[1]);
                let n = b.compare(CompareDirection::NE, v[0], v[1]);
                let o = b.binary(BinaryOp::Xor, m, n);
                let o = b.unary(UnaryOp::Not, o);
                let p = b.binary(BinaryOp::And, o, v[4]);
                let x = b.select(p, v[2], v[3]);
                b.select(n, x, v[2])
            }));
        }
    }
    check_kernels(kernels, 6);
}

#[test]
fn selects_of_16_bit_floats() {
    let kernels = [DType::F16, DType::BF16].map(|d| {
        let inputs = [(DType::Bool, Operand::Varying), (d, Operand::Varying), (d, Operand::Varying)];
        map(&format!("select {d}"), &inputs, d, 43, LoopKind::Vector, |b, v| {
            let (x, y) = (b.convert(DType::F32, v[1]), b.convert(DType::F32, v[2]));
            let z = b.select(v[0], x, y);
            b.convert(d, z)
        })
    });
    check_kernels(kernels.to_vec(), 7);
}

#[test]
fn conversions() {
    let mut kernels = Vec::new();
    for from in loop_types() {
        for to in loop_types() {
            let (extent, kind) = EXTENTS[kernels.len() % 2];
            let name = format!("convert {from} {to} {extent}");
            kernels.push(map(&name, &[(from, Operand::Varying)], to, extent, kind, |b, v| b.convert(to, v[0])));
            let (extent, kind) = EXTENTS[3];
            let name = format!("convert {from} {to} {extent}");
            kernels.push(map(&name, &[(from, Operand::Varying)], to, extent, kind, |b, v| b.convert(to, v[0])));
        }
    }
    check_kernels(kernels, 8);
}

#[test]
fn bitcasts() {
    let mut kernels = Vec::new();
    for from in loop_types() {
        for to in loop_types().filter(|to| to.size() == from.size()) {
            let mut b = KernelBuilder::new("probe");
            let x = b.param("x", from, 1, READ);
            let v = b.load(x, Index::constant(0));
            b.bitcast(to, v);
            if kiln_loops::verify::verify(&b.finish()).is_err() {
                continue;
            }
            for (extent, kind) in [EXTENTS[0], EXTENTS[3]] {
                let name = format!("bitcast {from} {to} {extent}");
                kernels.push(map(&name, &[(from, Operand::Varying)], to, extent, kind, |b, v| b.bitcast(to, v[0])));
            }
        }
    }
    assert!(kernels.len() > 30);
    check_kernels(kernels, 9);
}

#[test]
fn literals_fma_and_axes() {
    let mut kernels = Vec::new();
    for (extent, kind) in EXTENTS {
        for d in [DType::F32, DType::F64] {
            let inputs = [(d, Operand::Varying), (d, Operand::Uniform), (d, Operand::Varying)];
            kernels.push(map(&format!("fma {d} {extent}"), &inputs, d, extent, kind, |b, v| {
                b.let_(Expr::Fma(v[0], v[1], v[2]))
            }));
            for (op, c) in
                [BinaryOp::Maximum, BinaryOp::Minimum].into_iter().flat_map(|op| [(op, 0.0), (op, -0.0), (op, 1.5)])
            {
                let name = format!("{} {d} {c} {extent}", op.name());
                kernels.push(map(&name, &inputs[..1], d, extent, kind, |b, v| {
                    let bits = kiln_loops::Const::from_f64(d, c).bits;
                    let c = b.const_bits(d, bits);
                    let left = b.binary(op, c, v[0]);
                    let right = b.binary(op, v[0], c);
                    // Equal by definition, so this keeps both alive and shows a difference as NaN.
                    let same = b.compare(CompareDirection::EQ, left, right);
                    let nan = b.constant(d, f64::NAN);
                    let picked = b.select(same, left, nan);
                    b.binary(op, picked, right)
                }));
            }
        }
        for d in loop_types().filter(|d| d.is_int() || *d == DType::F32 || *d == DType::F64) {
            let mut b = KernelBuilder::new(format!("iota {d} {extent}"));
            let y = b.param("y", d, extent, WRITE);
            b.for_loop(extent, kind, |b, i| {
                let v = b.axis(i);
                let v = b.convert(d, v);
                let c = b.constant(d, 3.0);
                let v = b.binary(BinaryOp::Multiply, v, c);
                b.store(y, Index::constant(0).plus_axis(i, 1), v);
            });
            kernels.push(b.finish());
        }
    }
    check_kernels(kernels, 10);
}

#[test]
fn extremes_of_all_pairs_of_special_values() {
    const VALUES: [f64; 7] = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for d in [DType::F32, DType::F64] {
        let bytes = |pick: fn(usize) -> usize| -> Vec<u8> {
            (0..49)
                .flat_map(|i| {
                    kiln_loops::Const::from_f64(d, VALUES[pick(i)]).bits.to_le_bytes().into_iter().take(d.size())
                })
                .collect()
        };
        for op in [BinaryOp::Maximum, BinaryOp::Minimum] {
            for kind in [LoopKind::Vector, LoopKind::Serial] {
                let inputs = [(d, Operand::Varying), (d, Operand::Varying)];
                let name = format!("{} {d} {kind:?}", op.name());
                let kernel = map(&name, &inputs, d, 49, kind, |b, v| b.binary(op, v[0], v[1]));
                let mut expected = vec![bytes(|i| i / 7), bytes(|i| i % 7), vec![0; 49 * d.size()]];
                let mut found = [expected.clone()];
                common::run_compiled(std::slice::from_ref(&kernel), &mut found, 1, &options());
                kiln_loops::interp::run(&kernel, &mut expected).expect("interprets");
                common::assert_same(&kernel, &expected, &found[0]);
                // And the interpreter says what the contract does.
                let zeros = common::elements(d, &found[0][2]);
                assert_eq!(zeros[1] == 0, op == BinaryOp::Maximum, "of +0 and -0");
                assert_eq!(zeros[7], zeros[1], "either way round");
            }
        }
    }
}

/// Older x86-64 levels give the same results; without fma it rounds twice, as the interpreter then does.
#[cfg(target_arch = "x86_64")]
#[test]
fn older_cpus() {
    let levels: [&[&str]; 2] = [
        &["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"],
        &["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "fma", "bmi1", "bmi2", "lzcnt"],
    ];
    let ops = [BinaryOp::Add, BinaryOp::Multiply, BinaryOp::Maximum, BinaryOp::Minimum, BinaryOp::ShiftRightArithmetic];
    for level in levels {
        let target = kiln_cpu::CpuTarget::with_features(level).expect("known features");
        if target.lacks().is_some() {
            continue;
        }
        let options = CpuOptions { target, ..options() };
        check_all(&binary_kernels(&ops, &EXTENTS[..2]), 11, &options);
        let inputs = [(DType::F32, Operand::Varying)];
        let gelu = map("gelu", &inputs, DType::F32, 43, LoopKind::Vector, |b, v| b.unary(UnaryOp::Tanh, v[0]));
        check_all(&[gelu], 12, &options);
    }
}
