//! What is written is read again as the same graph.

mod common;

use common::{program, programs};
use kiln_ir::{DType, Func, InputKind, Loc, Op, Tensor, TensorType, text};
use kiln_stablehlo::{Precision, ToStableHlo, WriteError, WriteOptions, build, lift_constants, read_text, write};

/// The graph that is read from what is written of a graph.
fn again(name: &str, func: &Func) -> (String, Func) {
    let written = write(func, &WriteOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let module = read_text(&written, name).unwrap_or_else(|e| panic!("{name}: {e}\n{written}"));
    let program = build(&module, "main").unwrap_or_else(|e| panic!("{name}: {e}\n{written}"));
    (written, program.func)
}

/// Inputs of every type: small numbers of both signs.
fn inputs(func: &Func) -> Vec<Tensor> {
    let value = |ty: &TensorType| {
        let shape = ty.shape.as_sizes().expect("fixed shapes");
        let n: usize = shape.iter().product();
        let wide: Vec<f64> = (0..n).map(|i| ((i * 7 + 3) % 11) as f64 * 0.5 - 2.0).collect();
        let wide = Tensor::from_vec(&shape[..], wide).expect("as many as the shape has");
        kiln_interp::eval_op(&Op::Convert(ty.dtype), &[wide]).expect("any type converts").swap_remove(0)
    };
    func.inputs.iter().map(|i| value(&i.ty)).collect()
}

/// Both graphs give the same numbers; fused rounding and reassociation aside, which do not happen here.
#[track_caller]
fn same_results(name: &str, a: &Func, b: &Func) {
    let inputs = inputs(a);
    let x = kiln_interp::eval(a, &inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
    let y = kiln_interp::eval(b, &inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(x.len(), y.len(), "{name}");
    for (i, (x, y)) in x.iter().zip(&y).enumerate() {
        assert_eq!(x.ty(), y.ty(), "{name}: output {i}");
        if x.dtype().is_complex() {
            assert_eq!(x, y, "{name}: output {i}");
            continue;
        }
        for (j, (a, b)) in x.numbers().into_iter().zip(y.numbers()).enumerate() {
            assert!(a == b || a.is_nan() && b.is_nan(), "{name}: element {j} of output {i}: {a:?} and {b:?}");
        }
    }
}

#[test]
fn programs_survive() {
    for (name, text) in &programs() {
        let first = program(name, text).unwrap_or_else(|e| panic!("{name}: {e}")).func;
        let (_, second) = again(name, &first);
        same_results(name, &first, &second);
        // What StableHLO says in other words (initial values, narrow sums) has been replaced: from here on every writing is the
        // same to the letter, and so is the graph. Only the triangle of a factorization is set to zero anew each time.
        if text.contains("cholesky") {
            continue;
        }
        let (written, third) = again(name, &second);
        let (once_more, fourth) = again(name, &third);
        assert_eq!(written, once_more, "{name}");
        assert_eq!(text::print(&third), text::print(&fourth), "{name}");
    }
}

/// A graph in kiln's text form and what its body is written as.
#[track_caller]
fn written(graph: &str, lines: &[&str]) {
    let func = text::parse(graph).unwrap_or_else(|d| panic!("{graph}: {}", kiln_ir::diag::render(&d)));
    let (text, read) = again("written", &func);
    for line in lines {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    same_results(graph, &func, &read);
}

#[test]
fn operators_in_their_pretty_form() {
    written(
        "func @f(%x: f32[2, 3], %p: bool[2, 3]) -> (f32[2, 3]) {
           %0 = erf %x : f32[2, 3]
           %1 = select %p, %0, %x : f32[2, 3]
           return %1
         }",
        &[
            "module @f {",
            "func.func public @main(%x: tensor<2x3xf32>, %p: tensor<2x3xi1>)",
            "%0 = chlo.erf %x : tensor<2x3xf32> -> tensor<2x3xf32>",
            "%1 = stablehlo.select %p, %0, %x : tensor<2x3xi1>, tensor<2x3xf32>",
            "return %1 : tensor<2x3xf32>",
        ],
    );
    written(
        "func @f(%x: i32[4]) -> (bool[4], f64[4]) {
           %0 = constant dense<[1, 2, 3, -4]> : i32[4]
           %1 = compare %x, %0, direction = LT : bool[4]
           %2 = convert %x : f64[4]
           return %1, %2
         }",
        &[
            "%c = stablehlo.constant dense<[1, 2, 3, -4]> : tensor<4xi32>",
            "%0 = stablehlo.compare LT, %x, %c, SIGNED : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>",
            "%1 = stablehlo.convert %x : (tensor<4xi32>) -> tensor<4xf64>",
        ],
    );
}

/// A function of one operator, built without text.
fn single(types: &[TensorType], op: Op) -> Func {
    let mut f = Func::new("single");
    let x: Vec<_> = (types.iter().enumerate())
        .map(|(i, ty)| f.add_input(format!("x{i}"), ty.clone(), InputKind::Feed, Loc::UNKNOWN))
        .collect();
    let node = f.push(op, &x, Loc::UNKNOWN).expect("the operands fit");
    f.add_output("y", node.into());
    f
}

#[test]
fn sums_of_narrow_floats_run_in_f32() {
    let axes = kiln_ir::op::Axes::from_slice(&[0]);
    let op = Op::Reduce { axes, reducer: kiln_ir::op::Reducer::Add };
    let func = single(&[TensorType::new(DType::BF16, [6]), TensorType::scalar(DType::BF16)], op);
    let text = write(&func, &WriteOptions::default()).expect("it can be written");
    // The initial value is no literal: it counts once, whatever the target does with it.
    for line in [
        "%0 = stablehlo.convert %x0 : (tensor<6xbf16>) -> tensor<6xf32>",
        "%cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>",
        "stablehlo.reduce(%0 init: %cst) applies stablehlo.add across dimensions = [0]",
        "stablehlo.add %2, %1 : tensor<f32>",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    same_results("sum", &func, &again("sum", &func).1);
}

/// XLA's constant folding dies of a zero divisor.
#[test]
fn literal_divisions_are_computed() {
    written(
        "func @f(%x: i32[2]) -> (i32[2], i32[2]) {
           %0 = constant dense<[7, -7]> : i32[2]
           %1 = constant dense<0> : i32[]
           %2 = broadcast_in_dim %1, dims = [] : i32[2]
           %3 = divide %0, %2 : i32[2]
           %4 = divide %x, %2 : i32[2]
           return %3, %4
         }",
        &["stablehlo.constant dense<-1> : tensor<2xi32>", "%1 = stablehlo.divide %x, %0 : tensor<2xi32>"],
    );
}

#[test]
fn positions_are_wide_enough() {
    let types = [TensorType::new(DType::F32, [300]), TensorType::scalar(DType::I8)];
    let func = single(&types, Op::DynamicSlice { sizes: [2].into() });
    let text = write(&func, &WriteOptions::default()).expect("it can be written");
    assert!(text.contains("%0 = stablehlo.convert %x1 : (tensor<i8>) -> tensor<i32>"), "{text}");
}

#[test]
fn precision_and_places_as_asked() {
    let mut f = Func::new("dot");
    let ty = TensorType::new(DType::F32, [3, 3]);
    let x = f.add_input("the input", ty, InputKind::Feed, Loc::new("dir/a \"b\".rs", 4, 9));
    let dims = kiln_ir::op::DotDims {
        lhs_contract: kiln_ir::op::Axes::from_slice(&[1]),
        rhs_contract: kiln_ir::op::Axes::from_slice(&[0]),
        ..Default::default()
    };
    let y = f.push(Op::DotGeneral(dims), &[x, x], Loc::new("model.rs", 10, 5)).expect("square matrices");
    f.node_mut(y).name = Some("layer/q".into());
    f.add_output("y", y.into());
    let options = WriteOptions { locations: true, precision: Precision::Default, ..WriteOptions::default() };
    let text = f.to_stablehlo_with(&options).expect("it can be written");
    let head = r#"%the_input: tensor<3x3xf32> {kiln.feed = "the input"} loc("the input"("dir/a \"b\".rs":4:9))"#;
    assert!(text.contains(head), "{text}");
    let line = "%layer.q = stablehlo.dot_general %the_input, %the_input, contracting_dims = [1] x [0] : ";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("loc(\"layer/q\"(\"model.rs\":10:5))"), "{text}");
    assert!(!text.contains("HIGHEST") && f.to_stablehlo().expect("again").contains("precision = [HIGHEST, HIGHEST]"));
    read_text(&text, "places.mlir").expect("our reader knows places");
}

#[test]
fn what_cannot_be_written_is_named() {
    let g = kiln_builder::Graph::new("open");
    let x = g.placeholder::<f32>("x", kiln_builder::dims!["batch", 2]);
    let error = g.function([&x]).to_stablehlo().expect_err("no size");
    assert!(matches!(&error, WriteError::Symbolic { dims, .. } if dims == &["batch"]), "{error}");
    assert!(error.to_string().contains("`open` has dimensions without a size: batch"), "{error}");
    let sum = &x + &g.placeholder::<i32>("y", [3]);
    assert!(matches!(g.function([&sum]).to_stablehlo(), Err(WriteError::Graph(_))));
    let pairs = TensorType::new(DType::F32, [4, 4, 2]);
    let func = single(&[pairs], Op::Cholesky { lower: true, interleaved: true });
    let error = func.to_stablehlo().expect_err("an internal form");
    assert!(matches!(&error, WriteError::Unsupported { op, .. } if op == "cholesky"), "{error}");
}

#[test]
fn weights_become_arguments() {
    let g = kiln_builder::Graph::new("weights");
    let x = g.placeholder::<f32>("x", [2, 4]);
    let w = g.constant(Tensor::from_vec([4, 3], vec![0.5f32; 12]).expect("twelve")).named("w");
    let func = g.function([]).named("y", &(x.dot(&w) + 1.0)).finish().expect("the graph is right");
    let lifted = lift_constants(&func, 40);
    assert_eq!(lifted.inputs.len(), 2);
    let text = lifted.to_stablehlo().expect("it can be written");
    assert!(text.contains("%w: tensor<4x3xf32> {kiln.variable = \"w\"}"), "{text}");
    let x = Tensor::from_vec([2, 4], (0..8).map(|i| i as f32).collect()).expect("eight");
    let w = Tensor::from_vec([4, 3], vec![0.5f32; 12]).expect("twelve");
    let wanted = kiln_interp::eval(&func, std::slice::from_ref(&x)).expect("runs");
    assert_eq!(kiln_interp::eval(&lifted, &[x, w]).expect("runs"), wanted);
}
