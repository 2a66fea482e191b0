//! Every operator, at ordinary and at special numbers.

use crate::cases::Case;
use crate::inputs::{SPECIAL, numbers, random, special_integers, special_pairs};
use kiln::ir::op::{
    ArgKind, Axes, CompareDirection, DotDims, FftKind, GatherDims, Reducer, ScatterDims, ScatterUpdate, TransposeKind,
    Window, WindowDim,
};
use kiln::ir::{BinaryOp, DType, Op, UnaryOp};
use kiln::prelude::*;
use kiln_testing::Rng;

const FLOATS: [DType; 4] = [DType::F16, DType::BF16, DType::F32, DType::F64];
const INTS: [DType; 8] = [DType::I8, DType::I16, DType::I32, DType::I64, DType::U8, DType::U16, DType::U32, DType::U64];
const DIRECTIONS: [CompareDirection; 6] = [
    CompareDirection::EQ,
    CompareDirection::NE,
    CompareDirection::GE,
    CompareDirection::GT,
    CompareDirection::LE,
    CompareDirection::LT,
];

/// Every case by name.
pub fn all() -> Vec<(&'static str, fn(&str) -> Case)> {
    vec![
        ("elementwise_f16", |n| elementwise(n, DType::F16)),
        ("elementwise_bf16", |n| elementwise(n, DType::BF16)),
        ("elementwise_f32", |n| elementwise(n, DType::F32)),
        ("elementwise_f64", |n| elementwise(n, DType::F64)),
        ("integers", integers),
        ("bools", bools),
        ("conversions", conversions),
        ("bitcasts", bitcasts),
        ("constants", constants),
        ("reductions", reductions),
        ("arg_reductions", arg_reductions),
        ("windows", windows),
        ("data_movement", data_movement),
        ("dynamic_slices", dynamic_slices),
        ("gathers", gathers),
        ("scatters", scatters),
        ("dots", dots),
        ("any_functions", any_functions),
        ("sorts", sorts),
        ("fft", fft),
        ("complex", complex),
        ("linear_algebra", linear_algebra),
    ]
}

fn elementwise(name: &str, dtype: DType) -> Case {
    let g = Graph::new(name);
    let mut rng = Rng::new(3);
    let spread = (0..400).map(|i| (rng.unit() * 2.0 - 1.0) * [0.1, 1.0, 4.0, 50.0][i % 4]);
    let values: Vec<f64> = SPECIAL.into_iter().chain(spread).collect();
    let line = g.placeholder_dyn("line", dtype, [values.len()]);
    let (left, right) = special_pairs(dtype);
    let x = g.placeholder_dyn("x", dtype, left.shape());
    let y = g.placeholder_dyn("y", dtype, right.shape());
    let mut function = g.function([]);
    for op in UnaryOp::ALL.iter().filter(|op| op.operand_types().contains(dtype)) {
        function = function.named(op.name(), &g.emit(Op::Unary(*op), &[&line]));
    }
    for op in BinaryOp::ALL.iter().filter(|op| op.operand_types().contains(dtype)) {
        function = function.named(op.name(), &g.emit(Op::Binary(*op), &[&x, &y]));
    }
    for direction in DIRECTIONS {
        function = function.named(&format!("{direction:?}"), &x.compare(direction, &y));
    }
    let scalar = g.placeholder::<bool>("scalar", dims![]);
    function = function.named("select", &g.emit(Op::Select, &[&scalar, &x, &y]));
    function = function.named("clamp", &g.emit(Op::Clamp, &[&x, &(&x * 2.0), &y]));
    function = function.named("clamp_scalar", &line.clamp(-0.75, 1.25));
    function = function.named("reduce_precision", &line.reduce_precision(4, 3));
    let feeds = [("line", numbers(dtype, &[values.len()], values)), ("x", left), ("y", right)];
    Case::new(name, &function, &feeds).unscaled()
}

fn integers(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let mut feeds = Vec::new();
    for dtype in INTS {
        let (left, right) = special_integers(dtype);
        let (x_name, y_name) = (format!("x_{dtype}"), format!("y_{dtype}"));
        let x = g.placeholder_dyn(&x_name, dtype, left.shape());
        let y = g.placeholder_dyn(&y_name, dtype, right.shape());
        for op in UnaryOp::ALL.iter().filter(|op| op.operand_types().contains(dtype)) {
            function = function.named(&format!("{}_{dtype}", op.name()), &g.emit(Op::Unary(*op), &[&x]));
        }
        for op in BinaryOp::ALL.iter().filter(|op| op.operand_types().contains(dtype)) {
            // XLA looks at six bits of an exponent only, and gives 0 for negative powers of 0.
            let (x, y) = match *op == BinaryOp::Power {
                true => (g.where_(&(x.eq(0) & y.lt(0)), 1, &x), y.minimum(63)),
                false => (x.clone(), y.clone()),
            };
            function = function.named(&format!("{}_{dtype}", op.name()), &g.emit(Op::Binary(*op), &[&x, &y]));
        }
        for direction in DIRECTIONS {
            function = function.named(&format!("{direction:?}_{dtype}"), &x.compare(direction, &y));
        }
        feeds.push((x_name, left));
        feeds.push((y_name, right));
    }
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    Case::new(name, &function, &feeds)
}

fn bools(name: &str) -> Case {
    let g = Graph::new(name);
    let (x, y) = (g.placeholder::<bool>("x", [40]), g.placeholder::<bool>("y", [40]));
    let mut function = g.function([]).named("not", &g.emit(Op::Unary(UnaryOp::Not), &[&x]));
    for op in BinaryOp::ALL.iter().filter(|op| op.operand_types().contains(DType::Bool)) {
        function = function.named(op.name(), &g.emit(Op::Binary(*op), &[&x, &y]));
    }
    for direction in DIRECTIONS {
        function = function.named(&format!("{direction:?}"), &x.compare(direction, &y));
    }
    for reducer in Reducer::ALL {
        function = function.named(&format!("all_{}", reducer.name()), &x.reshape([5, 8]).reduce(reducer, [1]));
    }
    Case::new(name, &function, &[])
}

fn conversions(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let mut feeds = Vec::new();
    let mut rng = Rng::new(9);
    for from in FLOATS.into_iter().chain(INTS).chain([DType::Bool]) {
        let tensor = match from {
            d if d.is_float() => {
                let more = [127.5, 128.0, 255.9, 256.0, -128.9, 65504.0, 3e9, -3e9, 1e19, -1e19, 2.5e4, 0.999, -0.999];
                let values: Vec<f64> = SPECIAL.into_iter().chain(more).collect();
                numbers(d, &[values.len()], values)
            }
            d if d.is_int() => special_integers(d).1,
            d => random(&mut rng, d, &[20]),
        };
        let x = g.placeholder_dyn(&format!("x_{from}"), from, tensor.shape());
        for to in FLOATS.into_iter().chain(INTS).chain([DType::Bool]) {
            function = function.named(&format!("{from}_to_{to}"), &g.emit(Op::Convert(to), &[&x]));
        }
        feeds.push((format!("x_{from}"), tensor));
    }
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    Case::new(name, &function, &feeds).unscaled()
}

fn bitcasts(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let wide = g.placeholder::<u64>("wide", [3, 4]);
    for dtype in FLOATS.into_iter().chain(INTS) {
        // Floats travel as integers of their size: how NaNs look is not compared.
        let parts = g.emit(Op::BitcastConvert(dtype), &[&wide]);
        let back = g.emit(Op::BitcastConvert(DType::U64), &[&parts]);
        function = function.named(&format!("through_{dtype}"), &back);
        if dtype.is_int() {
            function = function.named(&format!("as_{dtype}"), &parts);
        }
    }
    let x = g.placeholder::<f32>("x", [5]);
    function = function.named("bits", &x.bitcast::<i32>());
    let wide = Tensor::from_vec([3, 4], (0..12u64).map(|i| i.wrapping_mul(0x3C1F_0A2B_4D5E_1337)).collect());
    Case::new(name, &function, &[("wide", wide.expect("twelve elements"))])
}

fn constants(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let mut rng = Rng::new(11);
    for dtype in FLOATS.into_iter().chain(INTS).chain([DType::Bool]) {
        for shape in [&[][..], &[3], &[2, 3], &[13, 17], &[2, 0]] {
            let tensor = random(&mut rng, dtype, shape);
            function = function.named(&format!("c_{dtype}_{shape:?}"), &g.emit(Op::Constant(tensor), &[]));
        }
        let splat = numbers(dtype, &[40, 5], vec![1.0; 200]);
        function = function.named(&format!("splat_{dtype}"), &g.emit(Op::Constant(splat), &[]));
        if dtype.is_float() {
            let special = numbers(dtype, &[SPECIAL.len()], SPECIAL.to_vec());
            function = function.named(&format!("special_{dtype}"), &g.emit(Op::Constant(special), &[]));
        }
    }
    let bits: Vec<f32> = [0x0080_0000u32, 0x7F7F_FFFF, 0x3F80_0001, 0xC049_0FDB].map(f32::from_bits).to_vec();
    function = function.named("bits", &g.constant(bits).bitcast::<u32>());
    Case::new(name, &function, &[]).unscaled().exact()
}

fn reductions(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    for dtype in FLOATS.into_iter().chain([DType::I8, DType::I32, DType::U16, DType::I64]) {
        let x = g.placeholder_dyn(&format!("x_{dtype}"), dtype, [4, 5, 6]);
        for reducer in Reducer::ALL.into_iter().filter(|r| r.binary().operand_types().contains(dtype)) {
            for axes in [vec![0i64], vec![1, 2], vec![0, 1, 2], vec![]] {
                let label = format!("{}_{dtype}_{axes:?}", reducer.name());
                function = function.named(&label, &x.reduce(reducer, axes));
            }
            // No identity: it has to count once.
            let init = g.full(dtype, dims![], 3i32);
            let op = Op::Reduce { axes: Axes::from_slice(&[1]), reducer };
            function = function.named(&format!("{}_{dtype}_from_3", reducer.name()), &g.emit(op, &[&x, &init]));
            let given = x.slice_general(&[0.into(), 0.into(), 0.into()], &[1.into(), 1.into(), 1.into()], &[1, 1, 1]);
            let op = Op::Reduce { axes: Axes::from_slice(&[0, 2]), reducer };
            function = function
                .named(&format!("{}_{dtype}_from_input", reducer.name()), &g.emit(op, &[&x, &given.reshape(dims![])]));
        }
    }
    let x = g.placeholder::<f32>("values", [SPECIAL.len()]);
    let rows = x.broadcast_to([3, SPECIAL.len()]);
    function = function.named("max_of_nan", &rows.reduce(Reducer::Maximum, [1]));
    function = function.named("logsumexp", &rows.slice_axis(1, 0..20, 1).logsumexp([1]));
    function = function.named("var", &rows.slice_axis(1, 0..20, 1).var([1]));
    let values = numbers(DType::F32, &[SPECIAL.len()], SPECIAL.to_vec());
    Case::new(name, &function, &[("values", values)]).loose(10.0)
}

fn arg_reductions(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let mut feeds = Vec::new();
    for dtype in FLOATS.into_iter().chain([DType::I8, DType::I32, DType::U8, DType::U64]) {
        let nan = |i: usize| if dtype.is_float() && i % 13 == 5 { f64::NAN } else { (i * 7 % 5) as f64 };
        let x = g.placeholder_dyn(&format!("x_{dtype}"), dtype, [6, 9]);
        feeds.push((format!("x_{dtype}"), numbers(dtype, &[6, 9], (0..54).map(nan).collect())));
        for (kind, word) in [(ArgKind::Max, "argmax"), (ArgKind::Min, "argmin")] {
            for axis in 0..2 {
                for index in [DType::I32, DType::U8, DType::I64] {
                    let label = format!("{word}_{dtype}_{axis}_{index}");
                    function = function.named(&label, &x.arg_reduce(axis, kind, index));
                }
            }
        }
    }
    let extreme = g.placeholder::<f32>("extreme", [3, 4]);
    function = function.named("all_infinite", &extreme.argmax(1)).named("all_infinite_min", &(-extreme).argmin(1));
    feeds.push(("extreme".into(), numbers(DType::F32, &[3, 4], vec![f64::NEG_INFINITY; 12])));
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    Case::new(name, &function, &feeds)
}

fn windows(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let shapes = [
        WindowDim { size: 2, stride: 2, pad_low: 1, pad_high: 0, ..WindowDim::TRIVIAL },
        WindowDim { size: 3, stride: 1, pad_low: -1, pad_high: 2, window_dilation: 2, ..WindowDim::TRIVIAL },
        WindowDim { size: 2, stride: 3, base_dilation: 2, ..WindowDim::TRIVIAL },
        WindowDim::TRIVIAL,
    ];
    for dtype in [DType::F32, DType::BF16, DType::F64, DType::I32] {
        let x = g.placeholder_dyn(&format!("x_{dtype}"), dtype, [7, 9]);
        for (i, pair) in [[0, 1], [1, 2], [2, 3], [3, 0]].into_iter().enumerate() {
            let window = Window { dims: pair.iter().map(|&p| shapes[p]).collect() };
            for reducer in [Reducer::Add, Reducer::Maximum, Reducer::Minimum, Reducer::Multiply] {
                let label = format!("{}_{dtype}_{i}", reducer.name());
                function = function.named(&label, &x.reduce_window(window.clone(), reducer));
            }
            let op = Op::ReduceWindow { window: Box::new(window), reducer: Reducer::Add };
            let init = g.full(dtype, dims![], 2i32);
            function = function.named(&format!("from_2_{dtype}_{i}"), &g.emit(op, &[&x, &init]));
        }
        let dims = [shapes[0], WindowDim { size: 3, stride: 2, pad_high: 1, ..WindowDim::TRIVIAL }];
        let window = Window { dims: dims.into_iter().collect() };
        let counts: Vec<usize> = [7, 9].into_iter().zip(dims).map(|(n, d)| d.output_size(n) as usize).collect();
        let source = g.placeholder_dyn(&format!("source_{dtype}"), dtype, &counts[..]);
        for (select, start) in [(CompareDirection::GE, 0i32), (CompareDirection::LE, 5)] {
            let op = Op::SelectAndScatter { window: Box::new(window.clone()), select, scatter: Reducer::Add };
            let init = g.full(dtype, dims![], start);
            function = function.named(&format!("scattered_{select:?}_{dtype}"), &g.emit(op, &[&x, &source, &init]));
        }
    }
    Case::new(name, &function, &[]).loose(10.0)
}

fn data_movement(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    for dtype in [DType::F32, DType::I8, DType::Bool, DType::F64] {
        let x = g.placeholder_dyn(&format!("x_{dtype}"), dtype, [4, 6, 5]);
        let label = |what: &str| format!("{what}_{dtype}");
        let value = g.zeros(dtype, dims![]);
        let (low, high) = ([1.into(), (-2).into(), 0.into()], [0.into(), 1.into(), (-1).into()]);
        function = function
            .named(&label("transpose"), &x.transpose([2, 0, 1]))
            .named(&label("reverse"), &x.flip([0, 2]))
            .named(&label("reshape"), &x.reshape([8, 15]))
            .named(
                &label("slice"),
                &x.slice_general(&[1.into(), 0.into(), 2.into()], &[4.into(), 6.into(), 5.into()], &[2, 3, 1]),
            )
            .named(&label("pad"), &x.pad_general(&value, &low, &high, &[0, 2, 1]))
            .named(&label("concatenate"), &g.concat(&[&x, &x.slice_axis(1, 0..2, 1), &x], 1))
            .named(&label("broadcast"), &x.slice_axis(1, 0..1, 1).broadcast_in_dim([3, 4, 7, 5], &[1, 2, 3]))
            .named(&label("barrier"), &x.optimization_barrier())
            .named(&label("input"), &x);
    }
    for dtype in FLOATS.into_iter().chain(INTS) {
        function = function.named(&format!("iota_{dtype}"), &g.iota(dtype, [3, 4], 1));
    }
    let x = g.placeholder::<f32>("sized", [9, 2]);
    function = function.named("size", &g.emit(Op::GetDimensionSize(0), &[&x]));
    Case::new(name, &function, &[])
}

fn dynamic_slices(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let x = g.placeholder::<f32>("x", [300, 4]);
    let update = g.placeholder::<f32>("update", [7, 2]);
    let mut feeds = Vec::new();
    for (dtype, rows) in [
        (DType::I32, [-5, 295, 1000]),
        (DType::I8, [-128, 127, 3]),
        (DType::U8, [0, 255, 3]),
        (DType::I64, [1, 299, 3]),
    ] {
        for (i, row) in rows.into_iter().enumerate() {
            let (r, c) = (format!("row_{dtype}_{i}"), format!("column_{dtype}_{i}"));
            let (row_at, column_at) = (g.placeholder_dyn(&r, dtype, dims![]), g.placeholder_dyn(&c, dtype, dims![]));
            let sliced = x.dynamic_slice(&[&row_at, &column_at], [7, 2]);
            let updated = x.dynamic_update_slice(&update, &[&row_at, &column_at]);
            function = function.named(&format!("sliced_{dtype}_{i}"), &sliced);
            function = function.named(&format!("updated_{dtype}_{i}"), &updated);
            feeds.push((r, numbers(dtype, &[], vec![f64::from(row)])));
            feeds.push((c, numbers(dtype, &[], vec![1.0])));
        }
    }
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    Case::new(name, &function, &feeds)
}

fn gathers(name: &str) -> Case {
    let g = Graph::new(name);
    let x = g.placeholder::<f32>("x", [300, 5]);
    let near = g.placeholder::<i32>("near", [4, 3]);
    let narrow = g.placeholder::<i8>("narrow", [6]);
    let bytes = g.placeholder::<u8>("bytes", [6]);
    let along = g.placeholder::<i64>("along", [2, 5]);
    let batched = GatherDims {
        offset_dims: Axes::from_slice(&[1]),
        operand_batching_dims: Axes::from_slice(&[0]),
        start_indices_batching_dims: Axes::from_slice(&[0]),
        start_index_map: Axes::from_slice(&[1]),
        index_vector_dim: 1,
        slice_sizes: [1, 2].into(),
        ..GatherDims::default()
    };
    let starts = g.placeholder::<i32>("starts", [300, 1]);
    let function = g
        .function([])
        .named("take", &x.take(0, &near))
        .named("narrow", &x.take(0, &narrow))
        .named("bytes", &x.take(0, &bytes))
        .named("along", &x.take_along_axis(0, &along))
        .named("at", &x.at(&near.sum(..)))
        .named("one_hot", &near.one_hot(9, DType::F32))
        .named("batched", &x.gather(&starts, batched));
    let list =
        |dtype: DType, shape: &[usize], v: &[i32]| numbers(dtype, shape, v.iter().map(|&i| f64::from(i)).collect());
    let feeds = [
        ("near", list(DType::I32, &[4, 3], &[0, 5, 299, -1, 300, 7, 1000, -1000, 2, 2, 2, 9])),
        ("narrow", list(DType::I8, &[6], &[0, 127, -128, -1, 5, 6])),
        ("bytes", list(DType::U8, &[6], &[0, 255, 128, 1, 5, 6])),
        ("along", list(DType::I64, &[2, 5], &[0, 1, 2, 3, 299, 8, 7, 6, 5, 4])),
        ("starts", list(DType::I32, &[300, 1], &(0..300).map(|i| i % 7 - 1).collect::<Vec<_>>())),
    ];
    Case::new(name, &function, &feeds)
}

fn scatters(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let rows = g.placeholder::<i32>("rows", [6]);
    let narrow = g.placeholder::<i8>("narrow", [6]);
    for dtype in [DType::F32, DType::I32, DType::BF16] {
        let x = g.placeholder_dyn(&format!("x_{dtype}"), dtype, [200, 3]);
        let updates = g.placeholder_dyn(&format!("u_{dtype}"), dtype, [6, 3]);
        for update in [
            ScatterUpdate::Assign,
            ScatterUpdate::Combine(Reducer::Add),
            ScatterUpdate::Combine(Reducer::Multiply),
            ScatterUpdate::Combine(Reducer::Maximum),
        ] {
            let label = format!("{update:?}_{dtype}");
            function = function.named(&label, &x.scatter_axis(0, &rows, &updates, update));
        }
        function = function.named(&format!("narrow_{dtype}"), &x.scatter_add(0, &narrow, &updates));
        // Windows that leave the operand are skipped as a whole.
        let window = ScatterDims {
            update_window_dims: Axes::from_slice(&[1, 2]),
            scatter_dims_to_operand_dims: Axes::from_slice(&[0]),
            index_vector_dim: 1,
            ..ScatterDims::default()
        };
        let blocks = g.placeholder_dyn(&format!("b_{dtype}"), dtype, [6, 4, 2]);
        let combined = x.scatter(&rows, &blocks, window, ScatterUpdate::Combine(Reducer::Add));
        function = function.named(&format!("blocks_{dtype}"), &combined);
    }
    let list = |dtype: DType, v: [i32; 6]| numbers(dtype, &[6], v.into_iter().map(f64::from).collect());
    let feeds =
        [("rows", list(DType::I32, [3, 3, 199, -1, 200, 0])), ("narrow", list(DType::I8, [3, 3, 127, -1, -128, 0]))];
    Case::new(name, &function, &feeds).loose(2.0)
}

fn dots(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let dims = |lb: &[usize], rb: &[usize], lc: &[usize], rc: &[usize], result| DotDims {
        lhs_batch: Axes::from_slice(lb),
        rhs_batch: Axes::from_slice(rb),
        lhs_contract: Axes::from_slice(lc),
        rhs_contract: Axes::from_slice(rc),
        result,
    };
    for dtype in FLOATS.into_iter().chain([DType::I8, DType::I32, DType::U16, DType::I64]) {
        let a = g.placeholder_dyn(&format!("a_{dtype}"), dtype, [3, 4, 5]);
        let b = g.placeholder_dyn(&format!("b_{dtype}"), dtype, [5, 3, 6]);
        let label = |what: &str| format!("{what}_{dtype}");
        function = function
            .named(&label("batch"), &a.dot_general(&b, dims(&[0], &[1], &[2], &[0], None)))
            .named(&label("two"), &a.dot_general(&b, dims(&[], &[], &[2, 0], &[0, 1], None)))
            .named(&label("outer"), &a.dot_general(&b, dims(&[], &[], &[], &[], None)));
    }
    for (from, to) in [(DType::F16, DType::F32), (DType::BF16, DType::F32), (DType::I8, DType::I32)] {
        let a = g.placeholder_dyn(&format!("a_{from}_{to}"), from, [4, 8]);
        let b = g.placeholder_dyn(&format!("b_{from}_{to}"), from, [8, 3]);
        function = function.named(&format!("{from}_to_{to}"), &a.dot_as(&b, Some(to)));
    }
    Case::new(name, &function, &[]).loose(10.0)
}

fn any_functions(name: &str) -> Case {
    let g = Graph::new(name);
    let x = g.placeholder::<f32>("x", [6, 8]);
    let i = g.placeholder::<i32>("i", [6, 8]);
    let limit = g.placeholder::<f32>("limit", dims![]);
    let (zero, one) = (g.constant(0.0f32), g.constant(1i32));
    let sums = g.generic_reduce(&[&x], &[&zero], [1], |acc, e| {
        // The sum of what lies above a limit from outside. Partial sums are combined by adding them.
        vec![&acc[0] + &e[0].gt(&limit).select(&e[0], &e[0] * 1.0)]
    });
    let pairs = g.generic_reduce(&[&x, &i], &[&g.constant(f32::NEG_INFINITY), &one], [0], |acc, e| {
        let keep = acc[0].ge(&e[0]);
        vec![keep.select(&acc[0], &e[0]), keep.select(&acc[1], &e[1])]
    });
    let dims = [
        WindowDim { size: 2, stride: 2, ..WindowDim::TRIVIAL },
        WindowDim { size: 3, pad_low: 1, pad_high: 1, ..WindowDim::TRIVIAL },
    ];
    let window = Window { dims: dims.into_iter().collect() };
    let two = g.generic_reduce_window(&[&x, &i], &[&zero, &g.constant(0i32)], window, |acc, e| {
        vec![&acc[0] + &e[0], acc[1].maximum(&e[1])]
    });
    let rows = g.placeholder::<i32>("rows", [4]);
    let (u, v) = (g.placeholder::<f32>("u", [4, 8]), g.placeholder::<i32>("v", [4, 8]));
    let dims = ScatterDims {
        update_window_dims: Axes::from_slice(&[1]),
        inserted_window_dims: Axes::from_slice(&[0]),
        scatter_dims_to_operand_dims: Axes::from_slice(&[0]),
        index_vector_dim: 1,
        ..ScatterDims::default()
    };
    let scattered = g.generic_scatter(&[&x, &i], &rows, &[&u, &v], dims, |old, new| {
        vec![&old[0] * 0.5 + &new[0] * &limit, old[1].maximum(&new[1]) - 1]
    });
    let plain = Window {
        dims: [2, 4].map(|size| WindowDim { size, stride: size, ..WindowDim::TRIVIAL }).into_iter().collect(),
    };
    let source = g.placeholder::<f32>("source", [3, 2]);
    let chosen = g.generic_select_and_scatter(&x, &source, &zero, plain, |a, b| a.abs().ge(b.abs()), |a, b| a + b);
    let function = g
        .function([])
        .named("sums", &sums[0])
        .named("largest", &pairs[0])
        .named("of", &pairs[1])
        .named("window0", &two[0])
        .named("window1", &two[1])
        .named("scattered0", &scattered[0])
        .named("scattered1", &scattered[1])
        .named("chosen", &chosen);
    let rows = Tensor::from_vec([4], vec![5i32, 0, 6, 2]).expect("four rows");
    Case::new(name, &function, &[("rows", rows), ("limit", Tensor::scalar(0.25f32))]).loose(4.0)
}

fn sorts(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let mut feeds = Vec::new();
    for dtype in FLOATS.into_iter().chain([DType::I32, DType::U8]) {
        let x = g.placeholder_dyn(&format!("x_{dtype}"), dtype, [3, SPECIAL.len()]);
        let values: Vec<f64> = (0..3).flat_map(|r| SPECIAL.iter().map(move |v| v * f64::from(1 - r))).collect();
        feeds.push((format!("x_{dtype}"), numbers(dtype, &[3, SPECIAL.len()], values)));
        let (top, at) = x.top_k(5);
        function = function
            .named(&format!("sorted_{dtype}"), &x.sort(1))
            .named(&format!("argsort_{dtype}"), &x.argsort(1))
            .named(&format!("top_{dtype}"), &top)
            .named(&format!("top_at_{dtype}"), &at);
    }
    let x = g.placeholder::<f32>("plain", [20, 3]);
    let centre = g.placeholder::<f32>("centre", dims![]);
    let positions = g.iota(DType::I32, [20, 3], 0);
    let near = g.sort_by(&[&x, &positions], 0, |a, b| (&a[0] - &centre).abs().lt((&b[0] - &centre).abs()));
    function = function.named("near", &near[0]).named("near_at", &near[1]);
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    Case::new(name, &function, &feeds)
}

fn fft(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    for (real, complex) in [(DType::F32, DType::C64), (DType::F64, DType::C128)] {
        let x = g.placeholder_dyn(&format!("x_{real}"), real, [3, 8, 15]);
        let z = g.placeholder_dyn(&format!("z_{complex}"), complex, [3, 8, 15]);
        for length in [&[15][..], &[8, 15]] {
            let label = |what: &str| format!("{what}_{real}_{}", length.len());
            function = function
                .named(&label("fft"), &z.fft(FftKind::Fft, length))
                .named(&label("ifft"), &z.fft(FftKind::Ifft, length))
                .named(&label("rfft"), &x.fft(FftKind::Rfft, length))
                .named(&label("irfft"), &x.fft(FftKind::Rfft, length).fft(FftKind::Irfft, length));
        }
    }
    Case::new(name, &function, &[]).loose(4.0)
}

fn complex(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    for (real, complex) in [(DType::F32, DType::C64), (DType::F64, DType::C128)] {
        let x = g.placeholder_dyn(&format!("x_{real}"), real, [30]);
        let (z, w) = (
            g.placeholder_dyn(&format!("z_{real}"), complex, [30]),
            g.placeholder_dyn(&format!("w_{real}"), complex, [30]),
        );
        for op in UnaryOp::ALL.iter().filter(|op| op.operand_types().contains(complex)) {
            function = function.named(&format!("{}_{real}", op.name()), &g.emit(Op::Unary(*op), &[&z]));
        }
        for op in BinaryOp::ALL
            .iter()
            .filter(|op| op.operand_types().contains(complex) && **op != BinaryOp::Maximum && **op != BinaryOp::Minimum)
        {
            function = function.named(&format!("{}_{real}", op.name()), &g.emit(Op::Binary(*op), &[&z, &w]));
        }
        let label = |what: &str| format!("{what}_{real}");
        let (a, b) = (z.reshape([5, 6]), w.reshape([6, 5]));
        function = function
            .named(&label("pair"), &x.complex(&(&x * 2.0)))
            .named(&label("real"), &z.real())
            .named(&label("imag"), &z.imag())
            .named(&label("equal"), &z.eq(&w))
            .named(&label("from_real"), &x.cast_to(complex))
            .named(&label("sum"), &z.reduce(Reducer::Add, ..))
            .named(&label("product"), &a.reduce(Reducer::Multiply, [0]))
            .named(&label("moved"), &g.concat(&[&a.t(), &b], 0))
            .named(&label("dot"), &a.dot(&b))
            .named(&label("select"), &x.gt(0.0).select(&z, &w));
        let constant = random(&mut Rng::new(2), complex, &[60]);
        function = function.named(&label("constant"), &g.emit(Op::Constant(constant), &[]));
        let many = random(&mut Rng::new(3), complex, &[11, 11]);
        function = function.named(&label("many"), &g.emit(Op::Constant(many), &[]));
    }
    Case::new(name, &function, &[]).loose(10.0)
}

fn linear_algebra(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    for dtype in [DType::F32, DType::F64] {
        let a = g.placeholder_dyn(&format!("a_{dtype}"), dtype, [2, 5, 5]);
        let b = g.placeholder_dyn(&format!("b_{dtype}"), dtype, [2, 5, 3]);
        let spd = a.matmul(&a.transpose([0, 2, 1])) + g.eye(dtype, 5) * 2.0;
        let lower = spd.cholesky();
        let upper = g.emit(Op::Cholesky { lower: false, interleaved: false }, &[&spd]);
        function = function.named(&format!("lower_{dtype}"), &lower).named(&format!("upper_{dtype}"), &upper);
        for (kind, word) in [(TransposeKind::NoTranspose, "plain"), (TransposeKind::Transpose, "transposed")] {
            let solved = lower.triangular_solve(&b, true, kind);
            function = function.named(&format!("solved_{word}_{dtype}"), &solved);
        }
        let op = Op::TriangularSolve {
            left_side: false,
            lower: false,
            unit_diagonal: true,
            transpose_a: TransposeKind::Adjoint,
            interleaved: false,
        };
        let right = g.emit(op, &[&upper, &b.transpose([0, 2, 1])]);
        function = function.named(&format!("right_{dtype}"), &right);
    }
    Case::new(name, &function, &[]).loose(100.0)
}
