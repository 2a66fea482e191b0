//! One case for every constraint label of every operator, and the shapes that inference gives.

mod infer_cases;

use kiln_ir::infer::result_types;
use kiln_ir::op::{ConvDims, GatherDims, Op, ScatterDims, ScatterUpdate, Window, WindowDim};
use kiln_ir::text::parse;
use kiln_ir::{DType, Dim, Func, InputKind, Loc, Shape, TensorType};
use std::collections::BTreeSet;

/// Inputs, statement, and the code of the (first) error that it gives.
const CASES: &[(&str, &str, &str)] = &[
    ("%x: f32[2]", "%0 = negate %x, %x : f32[2]", "negate.I0"),
    ("%x: f32[2]", "%0 = add %x : f32[2]", "add.I0"),
    ("%x: f32[2], %y: f32[3]", "%0 = add %x, %y : f32[2]", "add.C1"),
    ("%x: f32[2], %y: f64[2]", "%0 = add %x, %y : f32[2]", "add.C1"),
    ("%x: f32[n], %y: f32[m]", "%0 = multiply %x, %y : f32[n]", "multiply.C1"),
    ("%x: f32[2], %y: f32[3]", "%0 = compare %x, %y, direction = EQ : bool[2]", "compare.C2"),
    ("%x: f32[2], %y: f16[2]", "%0 = compare %x, %y, direction = EQ : bool[2]", "compare.C1"),
    ("%x: f32[2]", "%0 = select %x, %x, %x : f32[2]", "select.I1"),
    ("%p: bool[3], %x: f32[2]", "%0 = select %p, %x, %x : f32[2]", "select.C1"),
    ("%p: bool[2], %x: f32[2], %y: f32[]", "%0 = select %p, %x, %y : f32[2]", "select.C2"),
    ("%x: f32[2], %y: f32[3]", "%0 = clamp %y, %x, %x : f32[2]", "clamp.C1"),
    ("%x: f32[2], %y: f32[3]", "%0 = clamp %x, %x, %y : f32[2]", "clamp.C2"),
    ("%x: f32[2], %y: f64[]", "%0 = clamp %y, %x, %x : f32[2]", "clamp.C3"),
    ("%x: bool[2]", "%0 = bitcast_convert %x : u8[2]", "bitcast_convert.I1"),
    ("%x: u8[3]", "%0 = bitcast_convert %x : u16[]", "bitcast_convert.C1"),
    ("%x: u8[2]", "%0 = bitcast_convert %x : bool[2]", "bitcast_convert.C3"),
    ("", "%0 = iota dim = 1 : i32[2]", "iota.C1"),
    ("", "%0 = iota dim = 0 : bool[2]", "iota.C2"),
    ("", "%0 = iota dim = 0 : i32[-1]", "iota.D2"),
    ("", "%0 = iota dim = 0 : i32[9223372036854775807]", "iota.D2"),
    ("%x: f32[2]", "%0 = get_dimension_size %x, dim = 1 : i32[]", "get_dimension_size.C1"),
    ("%x: bool[4294967296]", "%0 = get_dimension_size %x, dim = 0 : i32[]", "get_dimension_size.C2"),
    ("%x: f32[2]", "%0 = broadcast_in_dim %x, dims = [] : f32[2]", "broadcast_in_dim.C2"),
    ("%x: f32[2]", "%0 = broadcast_in_dim %x, dims = [1] : f32[2]", "broadcast_in_dim.C3"),
    ("%x: f32[1, 1]", "%0 = broadcast_in_dim %x, dims = [0, 0] : f32[1]", "broadcast_in_dim.C4"),
    ("%x: f32[2]", "%0 = broadcast_in_dim %x, dims = [0] : f32[3]", "broadcast_in_dim.C5"),
    ("%x: f32[n]", "%0 = broadcast_in_dim %x, dims = [0] : f32[3]", "broadcast_in_dim.C5"),
    ("%x: f32[2]", "%0 = reshape %x : f32[3]", "reshape.C2"),
    ("%x: f32[2*n]", "%0 = reshape %x : f32[3, n]", "reshape.C2"),
    ("%x: f32[2, 3]", "%0 = transpose %x, permutation = [0] : f32[2, 3]", "transpose.C2"),
    ("%x: f32[2, 3]", "%0 = transpose %x, permutation = [0, 0] : f32[2, 2]", "transpose.C2"),
    ("%x: f32[2, 3]", "%0 = reverse %x, dims = [0, 0] : f32[2, 3]", "reverse.C2"),
    ("%x: f32[2, 3]", "%0 = reverse %x, dims = [2] : f32[2, 3]", "reverse.C3"),
    ("%x: f32[2, 3]", "%0 = slice %x, bounds = [0:1] : f32[1]", "slice.C2"),
    ("%x: f32[3]", "%0 = slice %x, bounds = [0:4] : f32[4]", "slice.C3"),
    ("%x: f32[3]", "%0 = slice %x, bounds = [-1:2] : f32[3]", "slice.C3"),
    ("%x: f32[3]", "%0 = slice %x, bounds = [2:1] : f32[0]", "slice.C3"),
    ("%x: f32[n]", "%0 = slice %x, bounds = [0:n+1] : f32[n+1]", "slice.C3"),
    ("%x: f32[3]", "%0 = slice %x, bounds = [0:3:0] : f32[3]", "slice.C4"),
    ("%x: f32[n]", "%0 = slice %x, bounds = [0:n:2] : f32[n]", "slice.D1"),
    ("%x: f32[3], %i: i32[]", "%0 = dynamic_slice %x, %i, %i : f32[1]", "dynamic_slice.C2"),
    ("%x: f32[3], %i: i32[]", "%0 = dynamic_slice %x, %i : f32[1, 1]", "dynamic_slice.C2"),
    ("%x: f32[3, 3], %i: i32[], %j: i64[]", "%0 = dynamic_slice %x, %i, %j : f32[1, 1]", "dynamic_slice.C3"),
    ("%x: f32[3], %i: i32[]", "%0 = dynamic_slice %x, %i : f32[4]", "dynamic_slice.C4"),
    ("%x: f32[3], %i: f32[]", "%0 = dynamic_slice %x, %i : f32[1]", "dynamic_slice.I2"),
    ("%x: f32[3], %i: i32[1]", "%0 = dynamic_slice %x, %i : f32[1]", "dynamic_slice.I2"),
    ("%x: f32[3], %u: f64[1], %i: i32[]", "%0 = dynamic_update_slice %x, %u, %i : f32[3]", "dynamic_update_slice.C2"),
    (
        "%x: f32[3], %u: f32[1, 1], %i: i32[]",
        "%0 = dynamic_update_slice %x, %u, %i : f32[3]",
        "dynamic_update_slice.C3",
    ),
    ("%x: f32[3], %u: f32[1]", "%0 = dynamic_update_slice %x, %u : f32[3]", "dynamic_update_slice.C4"),
    (
        "%x: f32[3, 3], %i: i32[], %j: i64[]",
        "%0 = dynamic_update_slice %x, %x, %i, %j : f32[3, 3]",
        "dynamic_update_slice.C5",
    ),
    ("%x: f32[3], %u: f32[4], %i: i32[]", "%0 = dynamic_update_slice %x, %u, %i : f32[3]", "dynamic_update_slice.C6"),
    ("%x: f32[3], %i: f32[]", "%0 = dynamic_update_slice %x, %x, %i : f32[3]", "dynamic_update_slice.I3"),
    ("%x: f32[3], %y: i32[3]", "%0 = concatenate %x, %y, dim = 0 : f32[6]", "concatenate.C1"),
    ("%x: f32[3, 2], %y: f32[3, 3]", "%0 = concatenate %x, %y, dim = 0 : f32[6, 2]", "concatenate.C2"),
    ("%x: f32[3], %y: f32[3, 3]", "%0 = concatenate %x, %y, dim = 0 : f32[6]", "concatenate.C2"),
    ("", "%0 = concatenate dim = 0 : f32[6]", "concatenate.C3"),
    ("%x: f32[3]", "%0 = concatenate %x, dim = 1 : f32[3]", "concatenate.C4"),
    ("%x: f32[3]", "%0 = pad %x, %x, low = [0], high = [0] : f32[3]", "pad.C1"),
    ("%x: f32[3], %v: f32[]", "%0 = pad %x, %v, low = [0, 0], high = [0] : f32[3]", "pad.C2"),
    ("%x: f32[3], %v: f32[]", "%0 = pad %x, %v, low = [0], high = [0], interior = [-1] : f32[3]", "pad.C3"),
    ("%x: f32[3], %v: f32[]", "%0 = pad %x, %v, low = [-2], high = [-2] : f32[3]", "pad.C4"),
    ("%x: f32[3], %v: f32[]", "%0 = pad %x, %v, low = [9223372036854775807], high = [1] : f32[3]", "pad.D2"),
    ("%x: bool[2, 2]", "%0 = dot_general %x, %x, contract = [1] x [0] : bool[2, 2]", "dot_general.I1"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, batch = [0] x [], contract = [1] x [0] : f32[2, 2]", "dot_general.C1"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, contract = [1] x [] : f32[2, 2]", "dot_general.C2"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, batch = [0] x [1], contract = [0] x [0] : f32[2, 2]", "dot_general.C3"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, batch = [0] x [0], contract = [1] x [0] : f32[2, 2]", "dot_general.C4"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, batch = [2] x [0], contract = [] x [] : f32[2, 2]", "dot_general.C5"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, contract = [2] x [0] : f32[2, 2]", "dot_general.C6"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, batch = [0] x [2], contract = [] x [] : f32[2, 2]", "dot_general.C7"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, contract = [0] x [2] : f32[2, 2]", "dot_general.C8"),
    ("%x: f32[2, 3]", "%0 = dot_general %x, %x, batch = [0] x [1], contract = [] x [] : f32[2, 2]", "dot_general.C9"),
    ("%x: f32[2, 3]", "%0 = dot_general %x, %x, contract = [1] x [0] : f32[2, 3]", "dot_general.C10"),
    ("%x: f32[2, 2], %y: f64[2, 2]", "%0 = dot_general %x, %y, contract = [1] x [0] : f32[2, 2]", "dot_general.C13"),
    ("%x: f32[2, 2]", "%0 = dot_general %x, %x, contract = [1] x [0], result = f16 : f16[2, 2]", "dot_general.C25"),
    ("%x: f32[2, 3], %v: f64[]", "%0 = reduce %x, %v, reducer = add, axes = [0] : f32[3]", "reduce.C2"),
    ("%x: f32[2, 3], %v: f32[]", "%0 = reduce %x, %v, reducer = add, axes = [2] : f32[3]", "reduce.C4"),
    ("%x: f32[2, 3], %v: f32[]", "%0 = reduce %x, %v, reducer = add, axes = [0, 0] : f32[3]", "reduce.C5"),
    ("%x: f32[2, 3], %v: f32[]", "%0 = reduce %x, %v, reducer = add, axes = [1, 0] : f32[]", "reduce.C5"),
    ("%x: f32[2, 3], %v: f32[]", "%0 = reduce %x, %v, reducer = and, axes = [0] : f32[3]", "reduce.C6"),
    ("%x: bool[2]", "%0 = argmax %x, axis = 0 : i32[]", "argmax.I1"),
    ("%x: f32[2]", "%0 = argmax %x, axis = 1 : i32[]", "argmax.C1"),
    ("%x: f32[2]", "%0 = argmax %x, axis = 0 : f32[]", "argmax.C2"),
    ("%x: f32[0, 3]", "%0 = argmax %x, axis = 0 : i32[3]", "argmax.C3"),
    ("%x: f32[129]", "%0 = argmax %x, axis = 0 : i8[]", "argmax.C4"),
    ("%x: bool[2]", "%0 = argmin %x, axis = 0 : i32[]", "argmin.I1"),
    ("%x: f32[2]", "%0 = argmin %x, axis = 1 : i32[]", "argmin.C1"),
    ("%x: f32[2]", "%0 = argmin %x, axis = 0 : f32[]", "argmin.C2"),
    ("%x: f32[0, 3]", "%0 = argmin %x, axis = 0 : i32[3]", "argmin.C3"),
    ("%x: f32[257]", "%0 = argmin %x, axis = 0 : u8[]", "argmin.C4"),
    ("%x: f32[2], %v: f64[]", "%0 = reduce_window %x, %v, reducer = add, window = [{}] : f32[2]", "reduce_window.C3"),
    ("%x: f32[2], %v: f32[]", "%0 = reduce_window %x, %v, reducer = add, window = [] : f32[2]", "reduce_window.C4"),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = reduce_window %x, %v, reducer = add, window = [{size = 0}] : f32[2]",
        "reduce_window.C5",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = reduce_window %x, %v, reducer = add, window = [{stride = 0}] : f32[2]",
        "reduce_window.C7",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = reduce_window %x, %v, reducer = add, window = [{base_dilation = 0}] : f32[2]",
        "reduce_window.C9",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = reduce_window %x, %v, reducer = add, window = [{window_dilation = -1}] : f32[2]",
        "reduce_window.C11",
    ),
    ("%x: f32[2], %v: f32[]", "%0 = reduce_window %x, %v, reducer = xor, window = [{}] : f32[2]", "reduce_window.C13"),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = reduce_window %x, %v, reducer = add, window = [{reversed}] : f32[2]",
        "reduce_window.C17",
    ),
    (
        "%x: f32[n], %v: f32[]",
        "%0 = reduce_window %x, %v, reducer = add, window = [{stride = 2}] : f32[n]",
        "reduce_window.D1",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = reduce_window %x, %v, reducer = add, window = [{size = 9223372036854775807, window_dilation = 9223372036854775807}] : f32[2]",
        "reduce_window.D2",
    ),
    (
        "%x: bool[2], %v: bool[]",
        "%0 = select_and_scatter %x, %x, %v, select = GE, scatter = or, window = [{}] : bool[2]",
        "select_and_scatter.I1",
    ),
    (
        "%x: f32[2], %s: f64[2], %v: f32[]",
        "%0 = select_and_scatter %x, %s, %v, select = GE, scatter = add, window = [{}] : f32[2]",
        "select_and_scatter.C1",
    ),
    (
        "%x: f32[2], %s: f32[3], %v: f32[]",
        "%0 = select_and_scatter %x, %s, %v, select = GE, scatter = add, window = [{}] : f32[2]",
        "select_and_scatter.C2",
    ),
    (
        "%x: f32[2], %v: f64[]",
        "%0 = select_and_scatter %x, %x, %v, select = GE, scatter = add, window = [{}] : f32[2]",
        "select_and_scatter.C3",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = select_and_scatter %x, %x, %v, select = GE, scatter = add, window = [] : f32[2]",
        "select_and_scatter.C4",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = select_and_scatter %x, %x, %v, select = GE, scatter = add, window = [{size = 0}] : f32[2]",
        "select_and_scatter.C5",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = select_and_scatter %x, %x, %v, select = GE, scatter = add, window = [{stride = 0}] : f32[2]",
        "select_and_scatter.C7",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = select_and_scatter %x, %x, %v, select = EQ, scatter = add, window = [{}] : f32[2]",
        "select_and_scatter.C9",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = select_and_scatter %x, %x, %v, select = GE, scatter = or, window = [{}] : f32[2]",
        "select_and_scatter.C10",
    ),
    (
        "%x: f32[2], %v: f32[]",
        "%0 = select_and_scatter %x, %x, %v, select = GE, scatter = add, window = [{base_dilation = 2}] : f32[2]",
        "select_and_scatter.C13",
    ),
    (
        "%n: i32[], %x: f32[]",
        "%0:2 = while %n, %x, cond = (%n: i32[]) -> (bool[]) { %0 = constant true : bool[] return %0 }, body = (%n: i32[], %x: f32[]) -> (i32[], f32[]) { return %n, %x } : (i32[], f32[])",
        "while.C1",
    ),
    (
        "%n: i32[]",
        "%0 = while %n, cond = (%n: i32[]) -> (i32[]) { return %n }, body = (%n: i32[]) -> (i32[]) { return %n } : i32[]",
        "while.C1",
    ),
    (
        "%n: i32[]",
        "%0 = while %n, cond = (%n: i32[]) -> (bool[]) { %0 = constant true : bool[] return %0 }, body = (%n: i32[]) -> () { return } : i32[]",
        "while.C2",
    ),
    (
        "%n: i32[]",
        "%0 = while %n, cond = (%n: i32[]) -> (bool[]) { %0 = constant true : bool[] return %0 }, body = (%n: i32[], %m: i32[]) -> (i32[]) { return %n } : i32[]",
        "while.C2",
    ),
    (
        "%n: i32[]",
        "%0 = while %n, cond = (%n: i32[]) -> (bool[]) { %0 = constant true : bool[] return %0 }, body = (%n: var i32[]) -> (i32[]) { return %n } : i32[]",
        "while.R1",
    ),
    ("%p: i32[]", "%0:0 = if %p, on_true = () -> () { return }, on_false = () -> () { return } : ()", "if.I1"),
    ("%p: bool[1]", "%0:0 = if %p, on_true = () -> () { return }, on_false = () -> () { return } : ()", "if.I1"),
    (
        "%p: bool[]",
        "%0:0 = if %p, on_true = (%x: f32[]) -> () { return }, on_false = () -> () { return } : ()",
        "if.C1",
    ),
    (
        "%p: bool[], %x: f32[]",
        "%0 = if %p, %x, on_true = (%x: f32[]) -> (f32[]) { return %x }, on_false = (%x: f32[]) -> () { return } : f32[]",
        "if.C2",
    ),
    (
        "%p: bool[]",
        "%0:0 = if %p, on_true = (%w: var f32[]) -> () { return }, on_false = () -> () { return } : ()",
        "if.C1",
    ),
    (
        "%p: bool[], %x: f32[]",
        "%0:0 = if %p, %x, on_true = (%w: var f32[]) -> () { return }, on_false = (%x: f32[]) -> () { return } : ()",
        "if.R1",
    ),
    ("%i: i64[]", "%0:0 = case %i, branches = [() -> () { return }] : ()", "case.I1"),
    ("%i: i32[]", "%0:0 = case %i, branches = [] : ()", "case.C1"),
    ("%i: i32[]", "%0:0 = case %i, branches = [() -> () { return }, (%x: f32[]) -> () { return }] : ()", "case.C2"),
    (
        "%i: i32[], %x: f32[]",
        "%0 = case %i, %x, branches = [(%x: f32[]) -> (f32[]) { return %x }, (%x: f32[]) -> () { return }] : f32[]",
        "case.C3",
    ),
    ("%i: i32[], %x: f32[]", "%0:0 = case %i, %x, branches = [(%x: var f32[]) -> () { return }] : ()", "case.R1"),
    ("%x: f32[]", "%0:0 = composite %x, name = \"c\", body = () -> () { return } : ()", "composite.C3"),
    ("%x: f32[]", "%0:0 = composite %x, name = \"c\", body = (%x: var f32[]) -> () { return } : ()", "composite.R1"),
    (
        "%x: f32[]",
        "%0 = composite %x, name = \"c\", body = (%x: f32[]) -> (f32[]) { return %x }, vjp = (%x: f32[]) -> (f32[]) { return %x } : f32[]",
        "composite.C5",
    ),
    (
        "%x: f32[]",
        "%0 = composite %x, name = \"c\", body = (%x: f32[]) -> (f32[]) { return %x }, vjp = (%x: f32[], %y: f32[], %g: f32[]) -> () { return } : f32[]",
        "composite.C5",
    ),
    ("%s: u64[3]", "%0:2 = rng_bit_generator %s, algorithm = three_fry : (u64[2], u32[4])", "rng_bit_generator.C2"),
    ("%s: u64[2]", "%0:2 = rng_bit_generator %s, algorithm = three_fry : (u64[2], f32[4])", "rng_bit_generator.C3"),
    ("", "%0 = optimization_barrier frob : f32[4]", "text.syntax"),
    ("", "%0 = optimization_barrier : f32[4]", "optimization_barrier.I0"),
];

/// Every case that text can express.
fn cases() -> Vec<(String, String, &'static str)> {
    let own = CASES.iter().map(|(inputs, statement, code)| (inputs.to_string(), statement.to_string(), *code));
    own.chain(infer_cases::all()).collect()
}

fn first_error(inputs: &str, statement: &str) -> Option<kiln_ir::Diagnostic> {
    parse(&format!("func @f({inputs}) -> () {{ {statement} return }}")).err().map(|mut d| d.0.remove(0))
}

#[test]
fn each_label_has_its_case() {
    for (inputs, statement, code) in cases() {
        let d = first_error(&inputs, &statement).unwrap_or_else(|| panic!("{code}: {statement} is accepted"));
        assert_eq!(d.code, code, "{inputs} | {statement}\n{d}");
        assert!(!d.message.is_empty() && d.label.lines().count() >= 2, "{d}");
    }
}

fn ty(dtype: DType, shape: impl Into<Shape>) -> TensorType {
    TensorType::new(dtype, shape)
}

fn code(op: &Op, operands: &[&TensorType]) -> String {
    result_types(op, operands).expect_err("a violated constraint").code
}

fn good_conv() -> ConvDims {
    ConvDims {
        input_batch: 0,
        input_feature: 1,
        input_spatial: [2].as_slice().into(),
        kernel_output_feature: 0,
        kernel_input_feature: 1,
        kernel_spatial: [2].as_slice().into(),
        output_batch: 0,
        output_feature: 1,
        output_spatial: [2].as_slice().into(),
        window: [WindowDim { size: 3, ..WindowDim::TRIVIAL }].as_slice().into(),
        feature_group_count: 1,
        batch_group_count: 1,
    }
}

/// Convolutions, gathers and scatters have attributes that the text form cannot even write wrongly: built directly.
fn conv_cases() -> Vec<(&'static str, String)> {
    let (x, k) = (ty(DType::F32, [4, 6, 8]), ty(DType::F32, [4, 6, 3]));
    let with = |change: &dyn Fn(&mut ConvDims)| {
        let mut c = good_conv();
        change(&mut c);
        code(&Op::Convolution(Box::new(c)), &[&x, &k])
    };
    let on = |x: &TensorType, k: &TensorType| code(&Op::Convolution(Box::new(good_conv())), &[x, k]);
    let grouped = |x: [i64; 3], k: [i64; 3], features: usize, batch: usize| {
        let c = ConvDims { feature_group_count: features, batch_group_count: batch, ..good_conv() };
        code(&Op::Convolution(Box::new(c)), &[&ty(DType::F32, x), &ty(DType::F32, k)])
    };
    vec![
        ("I1", on(&ty(DType::Bool, [4, 6, 8]), &k)),
        ("C1", on(&ty(DType::F32, [4, 6]), &k)),
        ("C1", on(&ty(DType::F32, [4]), &ty(DType::F32, [4]))),
        ("C2", with(&|c| c.window.clear())),
        ("C3", with(&|c| c.window[0].stride = 0)),
        ("C4", with(&|c| c.window[0].size = -1)),
        ("C4", with(&|c| c.window[0].size = 2)),
        ("C6", with(&|c| c.window[0].base_dilation = 0)),
        ("C8", with(&|c| c.window[0].window_dilation = 0)),
        ("C10", grouped([5, 6, 8], [4, 6, 3], 1, 2)),
        ("C11", grouped([4, 7, 8], [4, 6, 3], 2, 1)),
        ("C12", with(&|c| c.input_spatial.push(2))),
        ("C13", with(&|c| c.input_batch = 1)),
        ("C13", with(&|c| c.input_batch = usize::MAX)),
        ("C14", on(&ty(DType::F32, [4, 5, 8]), &k)),
        ("C15", grouped([4, 6, 8], [5, 6, 3], 1, 2)),
        ("C16", grouped([4, 6, 8], [5, 3, 3], 2, 1)),
        ("C17", with(&|c| c.kernel_spatial.clear())),
        ("C18", with(&|c| c.kernel_spatial[0] = 0)),
        ("C19", with(&|c| c.output_spatial.clear())),
        ("C20", with(&|c| c.output_feature = 3)),
        ("C21", with(&|c| c.feature_group_count = 0)),
        ("C22", with(&|c| c.batch_group_count = 0)),
        ("C23", grouped([4, 6, 8], [4, 6, 3], 2, 2)),
        ("C27", on(&ty(DType::F64, [4, 6, 8]), &k)),
    ]
}

fn good_gather() -> GatherDims {
    GatherDims {
        offset_dims: [1].as_slice().into(),
        collapsed_slice_dims: [1].as_slice().into(),
        operand_batching_dims: [0].as_slice().into(),
        start_indices_batching_dims: [0].as_slice().into(),
        start_index_map: [1].as_slice().into(),
        index_vector_dim: 1,
        slice_sizes: [1, 1, 4].into(),
        indices_are_sorted: false,
    }
}

fn gather_cases() -> Vec<(&'static str, String)> {
    let (x, i) = (ty(DType::F32, [6, 10, 4]), ty(DType::I32, [6, 1]));
    let with = |change: &dyn Fn(&mut GatherDims)| {
        let mut g = good_gather();
        change(&mut g);
        code(&Op::Gather(Box::new(g)), &[&x, &i])
    };
    let on = |x: &TensorType, i: &TensorType| code(&Op::Gather(Box::new(good_gather())), &[x, i]);
    vec![
        ("I2", on(&x, &ty(DType::F32, [6, 1]))),
        ("C1", with(&|g| g.offset_dims.clear())),
        ("C2", with(&|g| g.index_vector_dim = 3)),
        ("C3", with(&|g| g.start_index_map.clear())),
        ("C4", with(&|g| (g.offset_dims, g.collapsed_slice_dims) = ([1, 0].as_slice().into(), Default::default()))),
        ("C4", with(&|g| (g.offset_dims, g.collapsed_slice_dims) = ([1, 1].as_slice().into(), Default::default()))),
        ("C5", with(&|g| g.offset_dims[0] = 2)),
        ("C6", with(&|g| g.collapsed_slice_dims[0] = 0)),
        (
            "C7",
            with(&|g| {
                (g.offset_dims, g.collapsed_slice_dims) = (Default::default(), [2, 1].as_slice().into());
            }),
        ),
        ("C8", with(&|g| g.collapsed_slice_dims[0] = 3)),
        ("C9", with(&|g| g.slice_sizes[1] = Dim::Const(2))),
        (
            "C10",
            with(&|g| {
                (g.collapsed_slice_dims, g.operand_batching_dims) = (Default::default(), [1, 0].as_slice().into());
            }),
        ),
        ("C11", with(&|g| g.operand_batching_dims[0] = 9)),
        ("C12", with(&|g| g.slice_sizes[0] = Dim::Const(6))),
        ("C13", with(&|g| g.start_indices_batching_dims = [0, 0].as_slice().into())),
        ("C14", with(&|g| g.start_indices_batching_dims[0] = 2)),
        ("C15", with(&|g| g.start_indices_batching_dims[0] = 1)),
        ("C16", with(&|g| g.start_indices_batching_dims.clear())),
        ("C17", on(&x, &ty(DType::I32, [7, 1]))),
        ("C18", with(&|g| g.start_index_map[0] = 0)),
        ("C19", with(&|g| g.start_index_map[0] = 3)),
        ("C20", with(&|g| g.slice_sizes.push(Dim::Const(1)))),
        ("C21", with(&|g| g.slice_sizes[2] = Dim::Const(5))),
        ("C21", with(&|g| g.slice_sizes[2] = Dim::Const(-5))),
    ]
}

fn good_scatter() -> ScatterDims {
    ScatterDims {
        update_window_dims: [1].as_slice().into(),
        inserted_window_dims: [1].as_slice().into(),
        input_batching_dims: [0].as_slice().into(),
        scatter_indices_batching_dims: [0].as_slice().into(),
        scatter_dims_to_operand_dims: [1].as_slice().into(),
        index_vector_dim: 1,
        indices_are_sorted: false,
        unique_indices: false,
    }
}

/// Cases of dimension numbers and operands, of a scatter of one operand in either form.
fn scatter_cases(op: &dyn Fn(ScatterDims) -> Op) -> Vec<(&'static str, String)> {
    let (x, i, u) = (ty(DType::F32, [6, 10, 4]), ty(DType::I32, [6, 1]), ty(DType::F32, [6, 4]));
    let with = |change: &dyn Fn(&mut ScatterDims)| {
        let mut s = good_scatter();
        change(&mut s);
        code(&op(s), &[&x, &i, &u])
    };
    let on = |i: &TensorType, u: &TensorType| code(&op(good_scatter()), &[&x, i, u]);
    vec![
        ("I2", on(&ty(DType::F32, [6, 1]), &u)),
        ("C2", with(&|s| s.inserted_window_dims.clear())),
        ("C4", on(&i, &ty(DType::F32, [6, 4, 1]))),
        ("C4", on(&i, &ty(DType::F32, [6, 5]))),
        ("C4", on(&i, &ty(DType::F32, [5, 4]))),
        ("C6", on(&i, &ty(DType::F64, [6, 4]))),
        (
            "C7",
            with(&|s| (s.update_window_dims, s.inserted_window_dims) = ([1, 0].as_slice().into(), Default::default())),
        ),
        ("C8", with(&|s| s.update_window_dims[0] = 2)),
        ("C9", with(&|s| s.inserted_window_dims[0] = 0)),
        (
            "C10",
            with(&|s| {
                (s.update_window_dims, s.inserted_window_dims) = (Default::default(), [2, 1].as_slice().into());
            }),
        ),
        ("C11", with(&|s| s.inserted_window_dims[0] = 3)),
        (
            "C12",
            with(&|s| {
                (s.inserted_window_dims, s.input_batching_dims) = (Default::default(), [1, 0].as_slice().into());
            }),
        ),
        ("C13", with(&|s| s.input_batching_dims[0] = 3)),
        ("C14", with(&|s| s.scatter_indices_batching_dims = [0, 0].as_slice().into())),
        ("C15", with(&|s| s.scatter_indices_batching_dims[0] = 2)),
        ("C16", with(&|s| s.scatter_indices_batching_dims[0] = 1)),
        ("C17", with(&|s| s.scatter_indices_batching_dims.clear())),
        ("C18", on(&ty(DType::I32, [7, 1]), &ty(DType::F32, [7, 4]))),
        ("C19", with(&|s| s.scatter_dims_to_operand_dims.clear())),
        ("C20", with(&|s| s.scatter_dims_to_operand_dims[0] = 0)),
        ("C21", with(&|s| s.scatter_dims_to_operand_dims[0] = 3)),
        ("C22", with(&|s| s.index_vector_dim = 3)),
    ]
}

fn named_scatter(dims: ScatterDims) -> Op {
    Op::Scatter { dims: Box::new(dims), update: ScatterUpdate::Assign }
}

fn generic_scatter(dims: ScatterDims) -> Op {
    let mut body = Func::new("last");
    let scalar = TensorType::scalar(DType::F32);
    body.add_input("old", scalar.clone(), InputKind::Feed, Loc::UNKNOWN);
    let new = body.add_input("new", scalar, InputKind::Feed, Loc::UNKNOWN);
    body.add_output("", new);
    Op::GenericScatter { dims: Box::new(dims), body: Box::new(body) }
}

/// Cases that text cannot express: an output that does not exist, a parameter as an operator.
fn special_cases() -> Vec<(&'static str, &'static str, String)> {
    let scalar = TensorType::scalar(DType::F32);
    let mut inner = Func::new("inner");
    let x = inner.add_input("x", scalar.clone(), InputKind::Feed, Loc::UNKNOWN);
    inner.add_output("", x);
    inner.outputs[0].value.node.0 = 7;
    let b = || Box::new(inner.clone());
    let mut pair = inner.clone();
    pair.add_input("y", scalar.clone(), InputKind::Feed, Loc::UNKNOWN);
    let p = || Box::new(pair.clone());
    let x = ty(DType::F32, [4]);
    let window = || Box::new(Window { dims: std::iter::once(WindowDim::TRIVIAL).collect() });
    let or = ScatterUpdate::Combine(kiln_ir::op::Reducer::Or);
    let scatter = [&ty(DType::F32, [6, 10, 4]), &ty(DType::I32, [6, 1]), &ty(DType::F32, [6, 4])];
    let dims = || Box::new(good_scatter());
    let flag = TensorType::scalar(DType::Bool);
    let index = TensorType::scalar(DType::I32);
    let composite = Op::Composite { name: "c".into(), body: b(), vjp: None };
    vec![
        ("parameter", "C1", code(&Op::Parameter(0), &[])),
        ("while", "R2", code(&Op::While { cond: b(), body: b() }, &[&scalar])),
        ("if", "R2", code(&Op::If { on_true: b(), on_false: b() }, &[&flag, &scalar])),
        ("case", "R2", code(&Op::Case { branches: vec![inner.clone()] }, &[&index, &scalar])),
        ("composite", "R2", code(&composite, &[&scalar])),
        ("scatter", "C23", code(&Op::Scatter { dims: dims(), update: or }, &scatter)),
        ("generic_scatter", "R2", code(&Op::GenericScatter { dims: dims(), body: p() }, &scatter)),
        ("generic_reduce", "R2", code(&Op::GenericReduce { axes: [0].as_slice().into(), body: p() }, &[&x, &scalar])),
        ("generic_reduce_window", "R2", code(&Op::GenericReduceWindow { window: window(), body: p() }, &[&x, &scalar])),
        (
            "generic_select_and_scatter",
            "R2",
            code(&Op::GenericSelectAndScatter { window: window(), select: p(), scatter: p() }, &[&x, &x, &scalar]),
        ),
        ("sort", "R2", code(&Op::Sort { dim: 0, stable: true, comparator: p() }, &[&x])),
        ("iota", "D3", code(&Op::Iota { ty: ty(DType::I32, [Dim::symbol("a b")]), dim: 0 }, &[])),
    ]
}

fn constructed_cases() -> [(&'static str, Vec<(&'static str, String)>); 4] {
    [
        ("convolution", conv_cases()),
        ("gather", gather_cases()),
        ("scatter", scatter_cases(&named_scatter)),
        ("generic_scatter", scatter_cases(&generic_scatter)),
    ]
}

#[test]
fn constructed_cases_give_their_labels() {
    for (op, cases) in constructed_cases() {
        for (label, found) in cases {
            assert_eq!(found, format!("{op}.{label}"));
        }
    }
    for (op, label, found) in special_cases() {
        assert_eq!(found, format!("{op}.{label}"));
    }
}

/// Every label that the specification lists has a case here, and every case's label is in the specification.
#[test]
fn labels_are_those_of_the_specification() {
    let spec = kiln_spec::load();
    let mut tested: BTreeSet<String> =
        cases().into_iter().map(|c| c.2.to_string()).filter(|c| !c.starts_with("text.")).collect();
    tested.extend(constructed_cases().into_iter().flat_map(|(_, cases)| cases).map(|(_, code)| code));
    tested.extend(special_cases().into_iter().map(|(_, _, code)| code));
    let common = |label: &str| label == "I0" || label.starts_with('D');
    for code in &tested {
        let (op, label) = code.split_once('.').expect("op.label");
        let entry = spec.op(op).unwrap_or_else(|| panic!("{op} is not in the table"));
        let listed = entry.constraints.iter().any(|c| c.label == label);
        assert!(listed || common(label), "{code} is not in the table");
    }
    for (name, entry) in spec.ops() {
        // Elementwise rules are one function each; `every_type_rule` goes through all of them.
        let elementwise = matches!(entry.class, kiln_spec::Class::Unary | kiln_spec::Class::Binary);
        for c in entry.constraints.iter().filter(|c| !elementwise && c.checked) {
            assert!(tested.contains(&format!("{name}.{}", c.label)), "{name}.{} has no case", c.label);
        }
    }
}

#[test]
fn every_type_rule_of_elementwise_operators() {
    for dtype in DType::ALL {
        let t = ty(dtype, [3]);
        for op in kiln_ir::UnaryOp::ALL {
            match result_types(&Op::Unary(*op), &[&t]) {
                Ok(r) => assert!(op.operand_types().contains(dtype) && r[0].shape == t.shape),
                Err(d) => assert_eq!(d.code, format!("{}.I1", op.name())),
            }
        }
        for op in kiln_ir::BinaryOp::ALL {
            match result_types(&Op::Binary(*op), &[&t, &t]) {
                Ok(r) => assert!(op.operand_types().contains(dtype) && r[0] == t),
                Err(d) => assert_eq!(d.code, format!("{}.I1", op.name())),
            }
            let other = ty(dtype, [4]);
            if op.operand_types().contains(dtype) {
                assert_eq!(code(&Op::Binary(*op), &[&t, &other]), format!("{}.C1", op.name()));
            }
        }
    }
}

#[test]
fn windows_of_every_form() {
    // size, stride, low, high, base, window, input -> expected, against a direct count of the windows.
    for size in 1..4 {
        for stride in 1..4 {
            for (low, high) in [(0, 0), (1, 2), (-1, 0), (-3, -3)] {
                for (base, dilation) in [(1, 1), (2, 1), (1, 2), (3, 2)] {
                    for n in 0..7i64 {
                        let w = WindowDim {
                            size,
                            stride,
                            pad_low: low,
                            pad_high: high,
                            base_dilation: base,
                            window_dilation: dilation,
                            reversed: false,
                        };
                        let padded = if n == 0 { 0 } else { (n - 1) * base + 1 } + low + high;
                        let extent = (size - 1) * dilation + 1;
                        let expected = (0..100).filter(|i| i * stride + extent <= padded).count() as i64;
                        let op = Op::ReduceWindow {
                            window: Box::new(Window { dims: [w].as_slice().into() }),
                            reducer: kiln_ir::op::Reducer::Add,
                        };
                        let found = result_types(&op, &[&ty(DType::F32, [n]), &TensorType::scalar(DType::F32)]);
                        assert_eq!(found.expect("valid")[0].shape[0], Dim::Const(expected), "{w:?} on {n}");
                    }
                }
            }
        }
    }
}

#[test]
fn symbolic_windows_stay_linear() {
    let shape = |n: Dim, w: WindowDim| {
        let op = Op::ReduceWindow {
            window: Box::new(Window { dims: [w].as_slice().into() }),
            reducer: kiln_ir::op::Reducer::Maximum,
        };
        result_types(&op, &[&ty(DType::F32, [n]), &TensorType::scalar(DType::F32)]).map(|t| t[0].shape[0].clone())
    };
    let n = || Dim::symbol("n");
    let w = WindowDim { size: 3, pad_low: 1, pad_high: 1, ..WindowDim::TRIVIAL };
    assert_eq!(shape(n(), w), Ok(n()));
    assert_eq!(shape(n() * 2, WindowDim { size: 2, stride: 2, ..WindowDim::TRIVIAL }), Ok(n()));
    assert_eq!(shape(n() * 2 + 1, WindowDim { size: 2, stride: 2, ..WindowDim::TRIVIAL }), Ok(n()));
    let d = shape(n(), WindowDim { size: 2, stride: 2, ..WindowDim::TRIVIAL }).expect_err("not linear");
    assert!(d.message.contains("`n`"), "{d}");
}

/// Any numbers in attributes give types or an error.
#[test]
fn extreme_attributes_never_panic() {
    let numbers = [i64::MIN, -1, 0, 1, 2, 3, i64::MAX - 1, i64::MAX];
    let sizes = [usize::MAX, 0, 1, 2, 3, 1 << 40];
    let x = ty(DType::F32, [2, 3, 8]);
    let symbolic = ty(DType::F32, [Dim::symbol("n") * i64::MAX, Dim::Const(3), Dim::Const(8)]);
    let k = ty(DType::F32, [4, 3, 3]);
    let v = TensorType::scalar(DType::F32);
    let mut results = 0;
    let mut check = |op: Op| {
        for operands in [&[&x, &k][..], &[&x, &v], &[&symbolic, &v], &[&x], &[&symbolic, &k], &[&x, &x, &v], &[]] {
            results += usize::from(result_types(&op, operands).is_ok());
        }
    };
    for a in numbers {
        for b in numbers {
            let w = WindowDim {
                size: a,
                stride: b,
                pad_low: b,
                pad_high: a,
                base_dilation: a,
                window_dilation: b,
                reversed: false,
            };
            let w2 = WindowDim { size: 3, stride: a, pad_low: b, ..WindowDim::TRIVIAL };
            for w in [w, w2] {
                let window = Box::new(Window { dims: [WindowDim::TRIVIAL, WindowDim::TRIVIAL, w].as_slice().into() });
                check(Op::ReduceWindow { window: window.clone(), reducer: kiln_ir::op::Reducer::Add });
                let (select, scatter) = (kiln_ir::op::CompareDirection::GE, kiln_ir::op::Reducer::Add);
                check(Op::SelectAndScatter { window, select, scatter });
                check(Op::Convolution(Box::new(ConvDims { window: [w].as_slice().into(), ..good_conv() })));
            }
            let d = |n: i64| Dim::Const(n);
            let e = |n: i64| Dim::symbol("n") * n + b;
            for (p, q) in [(d(a), d(b)), (e(a), d(b)), (e(a), e(b))] {
                let (low, high) = ([p.clone(), d(0), d(0)], [q.clone(), d(0), d(0)]);
                check(Op::Pad {
                    low: low.clone().into_iter().collect(),
                    high: high.clone().into_iter().collect(),
                    interior: [a, b, 0].as_slice().into(),
                });
                check(Op::Slice {
                    start: low.into_iter().collect(),
                    limit: high.into_iter().collect(),
                    strides: [b, 1, 1].as_slice().into(),
                });
                check(Op::Reshape([p.clone(), q.clone()].into()));
                check(Op::BroadcastInDim {
                    shape: [p.clone(), q.clone(), d(8)].into(),
                    dims: [0, 1, 2].as_slice().into(),
                });
                check(Op::DynamicSlice { sizes: [p, q].into() });
            }
        }
    }
    for a in sizes {
        check(Op::Concatenate(a));
        check(Op::GetDimensionSize(a));
        check(Op::Transpose([a, 1, 2].as_slice().into()));
        check(Op::Reverse([a, a].as_slice().into()));
        check(Op::Reduce { axes: [a].as_slice().into(), reducer: kiln_ir::op::Reducer::Add });
        check(Op::ArgReduce { axis: a, kind: kiln_ir::op::ArgKind::Max, dtype: DType::I32 });
        for b in sizes {
            let conv = ConvDims {
                input_batch: a,
                output_feature: b,
                feature_group_count: a,
                batch_group_count: b,
                ..good_conv()
            };
            check(Op::Convolution(Box::new(conv)));
            check(Op::Convolution(Box::new(ConvDims { feature_group_count: a, batch_group_count: b, ..good_conv() })));
            let g = GatherDims { index_vector_dim: a, offset_dims: [b].as_slice().into(), ..good_gather() };
            check(Op::Gather(Box::new(g)));
        }
    }
    assert!(results > 100, "only {results} were valid: the attributes are too wild to test much");
}
