//! What `legalize` makes computes the same, by the interpreter, on the same bytes.
//!
//! Bits for everything but functions of complex numbers, which the interpreter computes in f64 and rounds once: those agree
//! within some units in the last place of the larger part.

mod support;

use kiln_ir::op::{ArgKind, CompareDirection, ConvDims, DotDims, FftKind, Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::op::{TransposeKind, Window, WindowDim};
use kiln_ir::{
    BinaryOp, Complex, DType, Func, InputKind, Loc, Op, Shape, Tensor, TensorType, UnaryOp, Value, Verified, infer,
    text,
};
use kiln_optimizer::{OptimizeOptions, optimize, run_pass};
use smallvec::smallvec;
use support::{Draw, Rng, eval, retyped, tensor};

const COMPLEX: [DType; 2] = [DType::C64, DType::C128];
const NARROW: [DType; 4] = [DType::I2, DType::I4, DType::U2, DType::U4];
fn minis() -> Vec<DType> {
    DType::ALL.into_iter().filter(|d| d.mini_format().is_some()).collect()
}

fn illegal() -> Vec<DType> {
    COMPLEX.into_iter().chain(NARROW).chain(minis()).collect()
}

/// The function with the proof that it follows the rules.
fn verified(f: Func) -> Verified {
    Verified::new(f).unwrap_or_else(|d| panic!("{d}"))
}

fn options() -> OptimizeOptions {
    OptimizeOptions { dump: None, verify: true, ..OptimizeOptions::default() }
}

fn legalized(f: &Func) -> Func {
    let done = run_pass(f.clone(), "legalize", &options()).unwrap_or_else(|d| panic!("{d}\n{}", text::print(f)));
    assert_legal(&done.func);
    done.func
}

fn assert_legal(f: &Func) {
    for node in f.nodes() {
        let illegal = node.types.iter().find(|t| !DType::NATIVE.contains(&t.dtype));
        assert!(illegal.is_none(), "{} is left\n{}", illegal.expect("one"), text::print(f));
        node.op.regions().into_iter().for_each(assert_legal);
    }
}

/// One operator on inputs of these types.
fn function(op: Op, types: &[TensorType]) -> Option<Func> {
    let refs: Vec<&TensorType> = types.iter().collect();
    infer::result_types(&op, &refs).ok()?;
    let mut f = Func::new("f");
    let args: Vec<Value> = (types.iter().enumerate())
        .map(|(i, t)| f.add_input(format!("x{i}"), t.clone(), InputKind::Feed, Loc::UNKNOWN))
        .collect();
    let id = f.push(op, &args, Loc::UNKNOWN).expect("types were inferred");
    for (i, v) in f.results(id).collect::<Vec<_>>().into_iter().enumerate() {
        f.add_output(format!("y{i}"), v);
    }
    Some(f)
}

/// The largest distance of two results in units in the last place of the larger part, for complex tensors and floats.
/// `None` when equal to the bit (NaN aside); infinite when one is not finite and the other differs.
fn distance(expected: &Tensor, found: &Tensor) -> f64 {
    let (group, epsilon, least) = match expected.dtype() {
        DType::C64 => (2, f64::from(f32::EPSILON), f64::from(f32::MIN_POSITIVE)),
        DType::C128 => (2, f64::EPSILON, f64::MIN_POSITIVE),
        DType::F32 => (1, f64::from(f32::EPSILON), f64::from(f32::MIN_POSITIVE)),
        DType::F64 => (1, f64::EPSILON, f64::MIN_POSITIVE),
        _ => {
            return if support::difference(expected, found, support::Tolerance::Bits).is_none() {
                0.0
            } else {
                f64::INFINITY
            };
        }
    };
    let parts = |t: &Tensor| -> Vec<f64> {
        match t.dtype().real_type() {
            DType::F32 => {
                t.bytes().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4")).into()).collect()
            }
            _ => t.bytes().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("8"))).collect(),
        }
    };
    let mut worst: f64 = 0.0;
    for (e, f) in parts(expected).chunks(group).zip(parts(found).chunks(group)) {
        let size = e.iter().fold(least, |m, x| if x.is_finite() { m.max(x.abs()) } else { m });
        for (x, y) in e.iter().zip(f) {
            let same = x == y || (x.is_nan() && y.is_nan());
            worst = worst.max(if same {
                0.0
            } else if x.is_finite() && y.is_finite() {
                (x - y).abs() / (size * epsilon)
            } else {
                f64::INFINITY
            });
        }
    }
    worst
}

fn outputs(f: &Func, inputs: &[Tensor]) -> Vec<Tensor> {
    eval(f, inputs).expect("loops end")
}

/// Runs both forms on these inputs; gives the largest distance.
fn compare_on(f: &Func, legal: &Func, inputs: &[Tensor]) -> f64 {
    let expected = outputs(f, inputs);
    let stored: Vec<Tensor> = inputs.iter().zip(&legal.inputs).map(|(t, i)| retyped(t, &i.ty)).collect();
    let found = outputs(legal, &stored);
    assert_eq!(expected.len(), found.len());
    expected.iter().zip(&found).map(|(e, g)| distance(e, &retyped(g, &e.ty()))).fold(0.0, f64::max)
}

/// Both forms agree within `ulp` on inputs of a kind.
fn check_within(f: &Func, draws: &[Draw], ulp: f64) {
    let legal = legalized(f);
    let mut rng = Rng::new(7);
    for draw in draws {
        for _ in 0..3 {
            let inputs: Vec<Tensor> = f.inputs.iter().map(|i| tensor(&mut rng, &i.ty, *draw)).collect();
            let d = compare_on(f, &legal, &inputs);
            if d > ulp {
                let all =
                    |ts: &[Tensor]| ts.iter().map(|t| format!("{t:?} {:?}", t.bytes())).collect::<Vec<_>>().join("\n");
                let stored: Vec<Tensor> = inputs.iter().zip(&legal.inputs).map(|(t, i)| retyped(t, &i.ty)).collect();
                panic!(
                    "{d} ulp\n{}{}\ninputs {}\nexpected {}\nfound {}",
                    text::print(f),
                    text::print(&legal),
                    all(&inputs),
                    all(&outputs(f, &inputs)),
                    all(&outputs(&legal, &stored)),
                );
            }
        }
    }
}

fn check(f: &Func) {
    check_within(f, &[Draw::Whole, Draw::Special], 0.0);
}

fn vector(dtype: DType) -> TensorType {
    TensorType::new(dtype, [64])
}

#[test]
fn unary_operators_of_small_types() {
    for dtype in NARROW.into_iter().chain(minis()) {
        for &op in UnaryOp::ALL {
            if let Some(f) = function(Op::Unary(op), &[TensorType::new(dtype, [256])]) {
                let legal = legalized(&f);
                let bits = dtype.bits();
                let all: Vec<u8> = (0..256u32)
                    .map(|i| {
                        let high = (i as u8) << (8 - bits);
                        if dtype.is_signed_int() { ((high as i8) >> (8 - bits)) as u8 } else { high >> (8 - bits) }
                    })
                    .collect();
                let t = Tensor::from_bytes(dtype, [256], &all).expect("elements");
                assert_eq!(compare_on(&f, &legal, &[t]), 0.0, "{op:?} {dtype}");
            }
        }
    }
}

#[test]
fn binary_operators_and_comparisons_of_small_types() {
    use CompareDirection::{EQ, GE, GT, LE, LT, NE};
    for dtype in NARROW.into_iter().chain(minis()) {
        let ty = vector(dtype);
        let compare = [EQ, GE, GT, LE, LT, NE].map(Op::Compare);
        for op in BinaryOp::ALL.iter().map(|b| Op::Binary(*b)).chain(compare) {
            if let Some(f) = function(op, &[ty.clone(), ty.clone()]) {
                check(&f);
            }
        }
        let scalar = TensorType::scalar(dtype);
        check(&function(Op::Clamp, &[scalar.clone(), ty.clone(), scalar]).expect("clamps"));
        check(&function(Op::Select, &[vector(DType::Bool), ty.clone(), ty]).expect("selects"));
    }
}

#[test]
fn conversions() {
    for from in DType::ALL {
        for to in DType::ALL {
            check(&function(Op::Convert(to), &[vector(from)]).expect("everything converts"));
        }
    }
}

#[test]
fn conversions_to_small_floats_round_once() {
    for to in minis() {
        let f = function(Op::Convert(to), &[TensorType::new(DType::F64, [4096])]).expect("converts");
        let g = function(Op::Convert(to), &[TensorType::new(DType::F32, [4096])]).expect("converts");
        let mut rng = Rng::new(3);
        let format = to.mini_format().expect("small");
        let mut near: Vec<f64> = Vec::new();
        while near.len() < 4096 {
            // Elements, the middles of neighbours, and what lies just beside them.
            let code = (rng.bits() as u8) & format.largest();
            let (low, high) = (f64::from(format.decode(code)), f64::from(format.decode(code.saturating_add(1))));
            let x = if rng.below(2) == 0 { low } else { (low + high) / 2.0 };
            let nudge = *rng.pick(&[0.0, 1e-15, -1e-15, 1e-12, -1e-9, 1e-7, -1e-7]);
            near.push(if rng.below(2) == 0 { x * (1.0 + nudge) } else { -x * (1.0 + nudge) });
        }
        let single: Vec<f32> = near.iter().map(|&x| x as f32).collect();
        let t = Tensor::from_vec([4096], near).expect("4096");
        assert_eq!(compare_on(&f, &legalized(&f), &[t]), 0.0, "{to}");
        let t = Tensor::from_vec([4096], single).expect("4096");
        assert_eq!(compare_on(&g, &legalized(&g), &[t]), 0.0, "{to}");
    }
}

#[test]
fn bits_are_kept() {
    let mut tried = 0;
    for from in DType::ALL {
        for to in DType::ALL {
            let parts = (to.bits() / from.bits()) as usize;
            let shape: Shape = if parts > 1 { Shape::from_sizes(&[3, parts]) } else { Shape::from_sizes(&[3, 2]) };
            if let Some(f) = function(Op::BitcastConvert(to), &[TensorType { dtype: from, shape }]) {
                // NaN compare equal whatever their bits, so floats are looked at as integers where there are some.
                check(&f);
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "only {tried} pairs");
}

#[test]
fn fewer_bits_of_precision() {
    for dtype in DType::ALL {
        for (exponent_bits, mantissa_bits) in
            [(1, 0), (2, 1), (4, 3), (5, 2), (5, 10), (8, 7), (8, 23), (11, 3), (3, 52)]
        {
            let op = Op::ReducePrecision { exponent_bits, mantissa_bits };
            if let Some(f) = function(op, &[TensorType::new(dtype, [256])]) {
                check(&f);
            }
        }
    }
}

/// Ordinary complex numbers, of many magnitudes, near the axes and the unit circle; then every pair of special values.
fn complex_points(dtype: DType, n: usize, special: bool, seed: u64) -> Tensor {
    let mut rng = Rng::new(seed);
    let unit = |rng: &mut Rng| (rng.bits() % 200_001) as f64 / 100_000.0 - 1.0;
    let specials = [0.0, -0.0, 1.0, -1.0, 2.5, -0.75, 1e30, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let values: Vec<(f64, f64)> = (0..n)
        .map(|i| {
            if special {
                return (specials[i % 10], specials[i / 10 % 10]);
            }
            match rng.below(4) {
                0 => (10.0 * unit(&mut rng), 10.0 * unit(&mut rng)),
                1 => (unit(&mut rng), 1e-3 * unit(&mut rng)),
                2 => {
                    let angle = 3.2 * unit(&mut rng);
                    (angle.cos() + 1e-5 * unit(&mut rng), angle.sin() + 1e-5 * unit(&mut rng))
                }
                _ => (1e-5 * unit(&mut rng), 1e-4 * unit(&mut rng)),
            }
        })
        .collect();
    if dtype == DType::C64 {
        let v: Vec<Complex<f32>> = values.iter().map(|&(x, y)| Complex::new(x as f32, y as f32)).collect();
        Tensor::from_vec([n], v).expect("n")
    } else {
        Tensor::from_vec([n], values.iter().map(|&(x, y)| Complex::new(x, y)).collect::<Vec<_>>()).expect("n")
    }
}

/// Units in the last place that the parts may differ by, against the larger one.
const ULP: f64 = 8.0;

#[test]
fn unary_operators_of_complex_numbers() {
    let mut report = String::new();
    for dtype in COMPLEX {
        for &op in UnaryOp::ALL {
            let n = 1000;
            let Some(f) = function(Op::Unary(op), &[TensorType::new(dtype, [n])]) else { continue };
            let legal = legalized(&f);
            let worst =
                (1..4).map(|seed| compare_on(&f, &legal, &[complex_points(dtype, n, false, seed)])).fold(0.0, f64::max);
            if worst > ULP {
                report.push_str(&format!("{} {dtype}: {worst}\n", op.name()));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn unary_operators_of_special_complex_numbers() {
    let mut report = String::new();
    for dtype in COMPLEX {
        for &op in UnaryOp::ALL {
            let Some(f) = function(Op::Unary(op), &[TensorType::new(dtype, [100])]) else { continue };
            let (legal, x) = (legalized(&f), complex_points(dtype, 100, true, 0));
            let expected = outputs(&f, std::slice::from_ref(&x));
            let stored = retyped(&x, &legal.inputs[0].ty);
            let found = outputs(&legal, &[stored]);
            let found = retyped(&found[0], &expected[0].ty());
            let size = expected[0].dtype().size();
            for (i, (e, g)) in expected[0].bytes().chunks(size).zip(found.bytes().chunks(size)).enumerate() {
                let one = |b: &[u8]| Tensor::from_bytes(expected[0].dtype(), [], b).expect("one");
                // Zero times what overflows: the interpreter's NaN may be a zero.
                let huge = matches!(op, UnaryOp::Sine | UnaryOp::Cosine) && i / 10 == 6 && i % 10 < 2;
                if huge {
                    continue;
                }
                if distance(&one(e), &one(g)) > 4.0 * ULP {
                    let show = |t: &Tensor| match t.dtype() {
                        DType::C64 => format!("{:?}", t.item::<Complex<f32>>().expect("c64")),
                        DType::C128 => format!("{:?}", t.item::<Complex<f64>>().expect("c128")),
                        DType::F32 => format!("{:?}", t.item::<f32>().expect("f32")),
                        _ => format!("{:?}", t.item::<f64>().expect("f64")),
                    };
                    let at = one_of(&x, i);
                    report.push_str(&format!(
                        "{} {}: {} became {}\n",
                        op.name(),
                        show(&at),
                        show(&one(e)),
                        show(&one(g))
                    ));
                }
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

fn one_of(t: &Tensor, i: usize) -> Tensor {
    let size = t.dtype().size();
    Tensor::from_bytes(t.dtype(), [], &t.bytes()[i * size..(i + 1) * size]).expect("one")
}

#[test]
fn binary_operators_of_complex_numbers() {
    use CompareDirection::{EQ, GE, GT, LE, LT, NE};
    for dtype in COMPLEX {
        let ty = vector(dtype);
        for &op in BinaryOp::ALL {
            let n = 1000;
            let Some(f) = function(Op::Binary(op), &[TensorType::new(dtype, [n]), TensorType::new(dtype, [n])]) else {
                continue;
            };
            let legal = legalized(&f);
            let ulp = match op {
                // The exponent times the logarithm is rounded; 10 log 10 is 23, and pi 10 turns.
                BinaryOp::Power if dtype == DType::C128 => 200.0,
                BinaryOp::Atan2 if dtype == DType::C128 => 64.0,
                _ => ULP,
            };
            for seed in 1..4 {
                let (x, y) = (complex_points(dtype, n, false, seed), complex_points(dtype, n, false, seed + 10));
                let d = compare_on(&f, &legal, &[x, y]);
                assert!(d <= ulp, "{} {dtype}: {d}", op.name());
            }
        }
        for direction in [EQ, GE, GT, LE, LT, NE] {
            check(&function(Op::Compare(direction), &[ty.clone(), ty.clone()]).expect("compares"));
        }
        check(&function(Op::Binary(BinaryOp::Maximum), &[ty.clone(), ty.clone()]).expect("orders"));
        check(&function(Op::Binary(BinaryOp::Minimum), &[ty.clone(), ty.clone()]).expect("orders"));
        let scalar = TensorType::scalar(dtype);
        check(&function(Op::Clamp, &[scalar.clone(), ty.clone(), scalar]).expect("clamps"));
    }
}

#[test]
fn special_products_quotients_and_powers() {
    // A power's exponent is rounded, and so are its angle's turns: `binary_operators_of_complex_numbers` has the bounds.
    for (op, ulp) in [(BinaryOp::Multiply, ULP), (BinaryOp::Divide, ULP), (BinaryOp::Power, 300.0)] {
        let (dtype, n) = (DType::C128, 10_000);
        let ty = TensorType::new(dtype, [n]);
        let f = function(Op::Binary(op), &[ty.clone(), ty]).expect("an operator of complex numbers");
        let specials = complex_points(dtype, 100, true, 0);
        let element = |i: usize| &specials.bytes()[i * dtype.size()..(i + 1) * dtype.size()];
        let pick = |at: &dyn Fn(usize) -> usize| {
            let bytes: Vec<u8> = (0..n).flat_map(|i| element(at(i)).to_vec()).collect();
            Tensor::from_bytes(dtype, [n], &bytes).expect("n")
        };
        // Powers by 1e30 turn so often that their direction is nobody's business.
        let huge = |j: usize| op == BinaryOp::Power && (j % 10 == 6 || j / 10 == 6);
        let right = |i: usize| if huge(i % 100) { 0 } else { i % 100 };
        let d = compare_on(&f, &legalized(&f), &[pick(&|i| i / 100), pick(&right)]);
        assert!(d <= ulp, "{}: {d}", op.name());
    }
}

fn window(size: i64, stride: i64) -> WindowDim {
    WindowDim { size, stride, ..WindowDim::TRIVIAL }
}

#[test]
fn elements_move() {
    for d in illegal() {
        let x = TensorType::new(d, [4, 6]);
        let (scalar, i32s) = (TensorType::scalar(d), TensorType::scalar(DType::I32));
        check(&function(Op::Transpose(smallvec![1, 0]), std::slice::from_ref(&x)).expect("moves"));
        check(&function(Op::Reverse(smallvec![1]), std::slice::from_ref(&x)).expect("moves"));
        check(&function(Op::Concatenate(1), &[x.clone(), x.clone()]).expect("moves"));
        let sizes = Shape::from_sizes(&[2, 3]);
        check(
            &function(Op::DynamicSlice { sizes: sizes.clone() }, &[x.clone(), i32s.clone(), i32s.clone()])
                .expect("moves"),
        );
        let part = TensorType { dtype: d, shape: sizes };
        check(&function(Op::DynamicUpdateSlice, &[x.clone(), part, i32s.clone(), i32s]).expect("moves"));
        let pad = Op::Pad {
            low: smallvec![1.into(), 0.into()],
            high: smallvec![0.into(), (-1).into()],
            interior: smallvec![1, 0],
        };
        check(&function(pad, &[x.clone(), scalar]).expect("moves"));
        check(&function(Op::OptimizationBarrier, std::slice::from_ref(&x)).expect("moves"));
        check(&function(Op::GetDimensionSize(1), &[x]).expect("a size"));
        if let Some(f) = function(Op::Iota { ty: TensorType::new(d, [2, 300]), dim: 1 }, &[]) {
            check(&f);
        }
    }
}

#[test]
fn reductions_and_windows() {
    for d in illegal() {
        let (x, init) = (TensorType::new(d, [4, 6]), TensorType::scalar(d));
        for reducer in Reducer::ALL {
            let w = Window { dims: smallvec![window(2, 1), window(3, 2)] };
            let ops = [
                Op::Reduce { axes: smallvec![1], reducer },
                Op::Reduce { axes: smallvec![0, 1], reducer },
                Op::ReduceWindow { window: Box::new(w), reducer },
            ];
            for f in ops.into_iter().filter_map(|op| function(op, &[x.clone(), init.clone()])) {
                // Whole numbers: sums in f32 and f64 are the same. Products of many may not be.
                let product = reducer == Reducer::Multiply && !d.is_int();
                check_within(&f, &[Draw::Whole], if product { 64.0 } else { 0.0 });
            }
        }
        for kind in [ArgKind::Min, ArgKind::Max] {
            if let Some(f) = function(Op::ArgReduce { axis: 1, kind, dtype: DType::I32 }, std::slice::from_ref(&x)) {
                check(&f);
            }
        }
    }
    // Positions of a narrow type.
    let f = function(
        Op::ArgReduce { axis: 0, kind: ArgKind::Max, dtype: DType::U4 },
        &[TensorType::new(DType::F32, [9, 3])],
    );
    check(&f.expect("positions fit"));
}

#[test]
fn scatters() {
    let dims = ScatterDims {
        update_window_dims: smallvec![1],
        inserted_window_dims: smallvec![0],
        scatter_dims_to_operand_dims: smallvec![0],
        index_vector_dim: 1,
        ..ScatterDims::default()
    };
    for d in illegal() {
        let (x, updates) = (TensorType::new(d, [4, 3]), TensorType::new(d, [5, 3]));
        let indices = TensorType::new(DType::I32, [5, 1]);
        let updates_of = Reducer::ALL.map(ScatterUpdate::Combine).into_iter().chain([ScatterUpdate::Assign]);
        for update in updates_of {
            let op = Op::Scatter { dims: Box::new(dims.clone()), update };
            if let Some(f) = function(op, &[x.clone(), indices.clone(), updates.clone()]) {
                check_within(&f, &[Draw::Whole], if d == DType::C64 { 4.0 } else { 0.0 });
            }
        }
        for select in [CompareDirection::GE, CompareDirection::LE] {
            let w = Window { dims: smallvec![window(2, 1), window(3, 3)] };
            let op = Op::SelectAndScatter { window: Box::new(w), select, scatter: Reducer::Add };
            let source = TensorType::new(d, [3, 1]);
            if let Some(f) = function(op, &[x.clone(), source, TensorType::scalar(d)]) {
                check_within(&f, &[Draw::Whole], 0.0);
            }
        }
    }
}

#[test]
fn products_and_convolutions() {
    let conv = ConvDims {
        input_batch: 0,
        input_feature: 1,
        input_spatial: smallvec![2],
        kernel_output_feature: 0,
        kernel_input_feature: 1,
        kernel_spatial: smallvec![2],
        output_batch: 0,
        output_feature: 1,
        output_spatial: smallvec![2],
        window: smallvec![window(3, 1)],
        feature_group_count: 1,
        batch_group_count: 1,
    };
    for d in illegal() {
        let dims = DotDims { lhs_contract: smallvec![1], rhs_contract: smallvec![0], ..DotDims::default() };
        let (x, y) = (TensorType::new(d, [3, 4]), TensorType::new(d, [4, 2]));
        for result in DType::ALL.into_iter().map(Some).chain([None]) {
            let op = Op::DotGeneral(DotDims { result, ..dims.clone() });
            if let Some(f) = function(op, &[x.clone(), y.clone()]) {
                check_within(&f, &[Draw::Whole], 0.0);
            }
        }
        let (x, k) = (TensorType::new(d, [1, 2, 5]), TensorType::new(d, [2, 2, 3]));
        let f = function(Op::Convolution(Box::new(conv.clone())), &[x, k]).expect("convolves");
        check_within(&f, &[Draw::Whole], 0.0);
    }
}

#[test]
fn transforms_and_factorizations() {
    let z = TensorType::new(DType::C64, [2, 6]);
    for (kind, ty) in [
        (FftKind::Fft, z.clone()),
        (FftKind::Ifft, z.clone()),
        (FftKind::Rfft, TensorType::new(DType::F32, [2, 6])),
        (FftKind::Irfft, TensorType::new(DType::C64, [2, 4])),
    ] {
        let f = function(Op::Fft { kind, length: smallvec![6], interleaved: false }, &[ty]).expect("transforms");
        check_within(&f, &[Draw::Whole], 1.0);
    }
    let (a, b) = (TensorType::new(DType::C128, [2, 3, 3]), TensorType::new(DType::C128, [2, 3, 2]));
    for transpose_a in [TransposeKind::NoTranspose, TransposeKind::Adjoint] {
        let op =
            Op::TriangularSolve { left_side: true, lower: true, unit_diagonal: true, transpose_a, interleaved: false };
        check_within(&function(op, &[a.clone(), b.clone()]).expect("solves"), &[Draw::Whole], 4.0);
    }
    check_within(
        &function(Op::Cholesky { lower: true, interleaved: false }, &[a]).expect("factors"),
        &[Draw::Whole],
        4.0,
    );
}

const PROGRAMS: [&str; 7] = [
    "func @loop(%n: i32[], %z: c64[3], %q: i4[2]) -> (c64[3], i4[2]) {
  %0:3 = while %n, %z, %q, cond = (%i: i32[], %z: c64[3], %q: i4[2]) -> (bool[]) {
    %0 = constant 1 : i32[]
    %1 = compare %i, %0, direction = GT : bool[]
    return %1
  }, body = (%i: i32[], %z: c64[3], %q: i4[2]) -> (i32[], c64[3], i4[2]) {
    %0 = constant 1 : i32[]
    %1 = subtract %i, %0 : i32[]
    %2 = constant dense<[(1.0, 1.0), (0.0, -1.0), (0.5, 0.0)]> : c64[3]
    %3 = add %z, %2 : c64[3]
    %4 = add %q, %q : i4[2]
    return %1, %3, %4
  } : (i32[], c64[3], i4[2])
  return %0#1, %0#2
}
",
    "func @branches(%p: bool[], %i: i32[], %z: c128[2], %x: f8E5M2[2]) -> (c128[2], f8E5M2[2]) {
  %0 = if %p, %z, on_true = (%z: c128[2]) -> (c128[2]) {
    return %z
  }, on_false = (%z: c128[2]) -> (c128[2]) {
    %0 = negate %z : c128[2]
    return %0
  } : c128[2]
  %1 = case %i, %x, branches = [(%x: f8E5M2[2]) -> (f8E5M2[2]) {
    return %x
  }, (%x: f8E5M2[2]) -> (f8E5M2[2]) {
    %0 = add %x, %x : f8E5M2[2]
    return %0
  }] : f8E5M2[2]
  return %0, %1
}
",
    "func @sort(%z: c64[7], %k: i4[7], %c: f8E4M3FN[]) -> (c64[7], i4[7]) {
  %0:2 = sort %z, %k, %c, dim = 0, stable, comparator = (%a: c64[], %b: c64[], %k: i4[], %l: i4[], %c: f8E4M3FN[]) -> (bool[]) {
    %0 = abs %a : f32[]
    %1 = abs %b : f32[]
    %2 = convert %c : f32[]
    %3 = add %0, %2 : f32[]
    %4 = compare %3, %1, direction = LT : bool[]
    return %4
  } : (c64[7], i4[7])
  return %0#0, %0#1
}
",
    "func @any_reduction(%z: c64[4, 3], %i: c64[]) -> (c64[4]) {
  %0 = generic_reduce %z, %i, axes = [1], body = (%a: c64[], %b: c64[]) -> (c64[]) {
    %0 = add %a, %b : c64[]
    %1 = negate %0 : c64[]
    return %1
  } : c64[4]
  return %0
}
",
    "func @state(%s: u64[2], %v: var i4[3] = constant(3.0), %w: var c64[2] = constant(1.5)) -> (u4[5], update %v: i4[3], update %w: c64[2]) {
  %0:2 = rng_bit_generator %s, algorithm = three_fry : (u64[2], u4[5])
  %1 = add %v, %v : i4[3]
  %2 = multiply %w, %w : c64[2]
  return %0#1, %1, %2
}
",
    "func @pool(%z: c64[4, 3], %s: c64[2, 3], %i: c64[]) -> (c64[4, 3]) {
  %0 = generic_select_and_scatter %z, %s, %i, window = [{size = 2, stride = 2}, {}], select = (%a: c64[], %b: c64[]) -> (bool[]) {
    %0 = imag %a : f32[]
    %1 = imag %b : f32[]
    %2 = compare %0, %1, direction = GE : bool[]
    return %2
  }, scatter = (%a: c64[], %b: c64[]) -> (c64[]) {
    %0 = add %a, %b : c64[]
    return %0
  } : c64[4, 3]
  return %0
}
",
    "func @composite(%z: c64[2]) -> (c64[2], c64[2]) {
  %0 = composite %z, name = \"twice\", body = (%z: c64[2]) -> (c64[2]) {
    %0 = add %z, %z : c64[2]
    return %0
  } : c64[2]
  return %0, %z
}
",
];

#[test]
fn nested_functions_and_state() {
    for program in PROGRAMS {
        let f = text::parse(program).unwrap_or_else(|d| panic!("{d}"));
        check_within(&f, &[Draw::Whole], 0.0);
        for level in 0..3 {
            let o = optimize(verified(f.clone()), &OptimizeOptions { level, ..options() })
                .unwrap_or_else(|d| panic!("{d}"));
            assert_legal(&o.func);
            let mut rng = Rng::new(5);
            let inputs: Vec<Tensor> = f.inputs.iter().map(|i| tensor(&mut rng, &i.ty, Draw::Whole)).collect();
            assert_eq!(compare_on(&f, &o.func, &inputs), 0.0, "level {level}\n{program}");
        }
    }
}

#[test]
fn what_passes_through_is_not_taken_apart() {
    let f = text::parse("func @f(%z: c64[3]) -> (c64[3]) {\n  return %z\n}\n").unwrap_or_else(|d| panic!("{d}"));
    let f = legalized(&f);
    assert_eq!(f.outputs[0].value, Value::from(f.inputs[0].node));
}
