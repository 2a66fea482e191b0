//! Cases of complex numbers, linear algebra and operators with functions of elements: inputs, statement, code of the error.

const ADD: &str = "(%a: f32[], %b: f32[]) -> (f32[]) { %0 = add %a, %b : f32[] return %0 }";
const LESS: &str = "(%a: f32[], %b: f32[]) -> (bool[]) { %0 = compare %a, %b, direction = LT : bool[] return %0 }";
const FIRST: &str = "(%a: f32[], %b: f32[]) -> (f32[]) { return %a }";
const STATE: &str = "(%a: f32[], %b: var f32[]) -> (f32[]) { return %a }";
const ONE: &str = "(%a: f32[]) -> (f32[]) { return %a }";
const TWO: &str = "(%a: f32[], %b: f32[], %c: f32[], %d: f32[]) -> (f32[], f32[]) { return %a, %b }";
const NONE: &str = "() -> () { return }";

/// Every case.
pub fn all() -> Vec<(String, String, &'static str)> {
    let own =
        |(inputs, statement, code): &(&str, &str, &'static str)| (inputs.to_string(), statement.to_string(), *code);
    let mut list: Vec<_> = PLAIN.iter().map(own).collect();
    list.extend(reductions());
    list.extend(windows());
    list.extend(scatters());
    list.extend(sorts());
    list
}

const PLAIN: &[(&str, &str, &str)] = &[
    ("%x: f16[2]", "%0 = complex %x, %x : c64[2]", "complex.I1"),
    ("%x: f32[2], %y: f64[2]", "%0 = complex %x, %y : c64[2]", "complex.C1"),
    ("%x: f32[2], %y: f32[3]", "%0 = complex %x, %y : c64[2]", "complex.C1"),
    ("%x: f32[2]", "%0 = real %x : f32[2]", "real.I1"),
    ("%x: f32[2]", "%0 = imag %x : f32[2]", "imag.I1"),
    ("%x: c64[2]", "%0 = reduce_precision %x, exponent_bits = 5, mantissa_bits = 2 : c64[2]", "reduce_precision.I1"),
    ("%x: f32[2]", "%0 = reduce_precision %x, exponent_bits = 0, mantissa_bits = 2 : f32[2]", "reduce_precision.C2"),
    ("%x: f32[4]", "%0 = fft %x, kind = fft, length = [4], interleaved : f32[4]", "fft.I1"),
    ("%x: c64[4, 2]", "%0 = fft %x, kind = fft, length = [4], interleaved : c64[4, 2]", "fft.I1"),
    ("%x: f16[4, 2]", "%0 = fft %x, kind = ifft, length = [4], interleaved : f16[4, 2]", "fft.I1"),
    ("%x: c64[4]", "%0 = fft %x, kind = fft, length = [4, 4] : c64[4]", "fft.C1"),
    ("%x: f32[4]", "%0 = fft %x, kind = fft, length = [4] : f32[4]", "fft.C2"),
    ("%x: c64[4]", "%0 = fft %x, kind = rfft, length = [4] : c64[3]", "fft.C2"),
    ("%x: f16[4]", "%0 = fft %x, kind = rfft, length = [4] : f16[3]", "fft.C2"),
    ("%x: f64[4]", "%0 = fft %x, kind = irfft, length = [6] : f64[6]", "fft.C2"),
    ("%x: c64[4]", "%0 = fft %x, kind = fft, length = [] : c64[4]", "fft.C3"),
    ("%x: c64[2, 2, 2, 2]", "%0 = fft %x, kind = fft, length = [2, 2, 2, 2] : c64[2, 2, 2, 2]", "fft.C3"),
    ("%x: c64[4]", "%0 = fft %x, kind = fft, length = [5] : c64[5]", "fft.C4"),
    ("%x: c64[4]", "%0 = fft %x, kind = fft, length = [-4] : c64[4]", "fft.C4"),
    ("%x: c64[4]", "%0 = fft %x, kind = irfft, length = [4] : f32[4]", "fft.C4"),
    ("%x: c64[n]", "%0 = fft %x, kind = fft, length = [4] : c64[4]", "fft.C4"),
    ("%a: f16[2, 2]", "%0 = cholesky %a, lower : f16[2, 2]", "cholesky.I1"),
    ("%a: f32[2, 2]", "%0 = cholesky %a, interleaved : f32[2, 2]", "cholesky.C3"),
    ("%a: f32[2, 2, 3]", "%0 = cholesky %a, interleaved : f32[2, 2, 3]", "cholesky.I1"),
    ("%a: f32[2, 3]", "%0 = cholesky %a : f32[2, 3]", "cholesky.C3"),
    ("%a: f32[2]", "%0 = cholesky %a : f32[2]", "cholesky.C3"),
    (
        "%a: i32[2, 2], %b: i32[2, 1]",
        "%0 = triangular_solve %a, %b, transpose_a = transpose, left_side : i32[2, 1]",
        "triangular_solve.I1",
    ),
    (
        "%a: f32[2, 2, 2], %b: f32[2, 1]",
        "%0 = triangular_solve %a, %b, transpose_a = adjoint, left_side, interleaved : f32[2, 1]",
        "triangular_solve.I2",
    ),
    (
        "%a: f32[2, 2], %b: f64[2, 1]",
        "%0 = triangular_solve %a, %b, transpose_a = no_transpose, left_side : f64[2, 1]",
        "triangular_solve.C1",
    ),
    (
        "%a: f32[2, 2], %b: f32[2, 1]",
        "%0 = triangular_solve %a, %b, transpose_a = no_transpose : f32[2, 1]",
        "triangular_solve.C3",
    ),
    (
        "%a: f32[3, 2, 2], %b: f32[2, 2]",
        "%0 = triangular_solve %a, %b, transpose_a = no_transpose : f32[2, 2]",
        "triangular_solve.C3",
    ),
    (
        "%a: f32[2, 3], %b: f32[2, 1]",
        "%0 = triangular_solve %a, %b, transpose_a = no_transpose, left_side : f32[2, 1]",
        "triangular_solve.C4",
    ),
    ("%s: u64[4]", "%0:2 = rng_bit_generator %s, algorithm = philox : (u64[4], u32[4])", "rng_bit_generator.C2"),
    ("%s: u64[3]", "%0:2 = rng_bit_generator %s, algorithm = philox : (u64[3], f32[4])", "rng_bit_generator.C3"),
];

fn reductions() -> Vec<(String, String, &'static str)> {
    let case = |inputs: &str, operands: &str, axes: &str, body: &str, code| {
        let statement = format!("%0 = generic_reduce {operands}, axes = {axes}, body = {body} : f32[2]");
        (inputs.to_string(), statement, code)
    };
    let x = "%x: f32[2, 3], %v: f32[]";
    vec![
        case(x, "%x, %v", "[1]", STATE, "generic_reduce.R1"),
        case("%x: f32[2, 3], %y: f32[3, 2], %v: f32[]", "%x, %y, %v, %v", "[1]", TWO, "generic_reduce.C1"),
        case("%x: f32[2, 3], %v: f64[]", "%x, %v", "[1]", ADD, "generic_reduce.C2"),
        case("%x: f32[2, 3], %v: f32[1]", "%x, %v", "[1]", ADD, "generic_reduce.C2"),
        case(x, "%x, %v", "[2]", ADD, "generic_reduce.C4"),
        case(x, "%x, %v", "[1, 0]", ADD, "generic_reduce.C5"),
        case(x, "%x, %v", "[1]", LESS, "generic_reduce.C6"),
        case(x, "%x, %v", "[1]", ONE, "generic_reduce.C6"),
        case(x, "%x, %v", "[1]", NONE, "generic_reduce.C6"),
        // A capture that the body does not take.
        case(x, "%x, %v, %v", "[1]", ADD, "generic_reduce.C6"),
        case(x, "%x", "[1]", ADD, "generic_reduce.I0"),
    ]
}

fn windows() -> Vec<(String, String, &'static str)> {
    let reduce = |inputs: &str, operands: &str, window: &str, body: &str, code| {
        let statement = format!("%0 = generic_reduce_window {operands}, window = [{window}], body = {body} : f32[2]");
        (inputs.to_string(), statement, code)
    };
    let x = "%x: f32[2], %v: f32[]";
    let mut list = vec![
        reduce(x, "%x, %v", "{}", STATE, "generic_reduce_window.R1"),
        reduce("%x: f32[2], %y: f32[3], %v: f32[]", "%x, %y, %v, %v", "{}", TWO, "generic_reduce_window.C2"),
        reduce("%x: f32[2], %v: f64[]", "%x, %v", "{}", ADD, "generic_reduce_window.C3"),
        reduce(x, "%x, %v", "", ADD, "generic_reduce_window.C4"),
        reduce(x, "%x, %v", "{size = 0}", ADD, "generic_reduce_window.C5"),
        reduce(x, "%x, %v", "{}", NONE, "generic_reduce_window.C6"),
        reduce(x, "%x, %v", "{stride = 0}", ADD, "generic_reduce_window.C7"),
        reduce(x, "%x, %v", "{base_dilation = 0}", ADD, "generic_reduce_window.C9"),
        reduce(x, "%x, %v", "{window_dilation = 0}", ADD, "generic_reduce_window.C11"),
        reduce(x, "%x, %v", "{}", LESS, "generic_reduce_window.C13"),
        reduce(x, "%x, %v", "{reversed}", ADD, "generic_reduce_window.C17"),
    ];
    let select = |inputs: &str, window: &str, select: &str, scatter: &str, code| {
        let statement = format!(
            "%0 = generic_select_and_scatter %x, %s, %v, window = [{window}], select = {select}, scatter = {scatter} : f32[2]"
        );
        (inputs.to_string(), statement, code)
    };
    let x = "%x: f32[2], %s: f32[2], %v: f32[]";
    let choose = "(%a: f32[], %b: var f32[]) -> (bool[]) { %0 = constant true : bool[] return %0 }";
    list.extend([
        select(x, "{}", choose, ADD, "generic_select_and_scatter.R1"),
        select(x, "{}", LESS, STATE, "generic_select_and_scatter.R1"),
        select("%x: f32[2], %s: f64[2], %v: f32[]", "{}", LESS, ADD, "generic_select_and_scatter.C1"),
        select(x, "{size = 2}", LESS, ADD, "generic_select_and_scatter.C2"),
        select("%x: f32[2], %s: f32[2], %v: f32[1]", "{}", LESS, ADD, "generic_select_and_scatter.C3"),
        select(x, "{}, {}", LESS, ADD, "generic_select_and_scatter.C4"),
        select(x, "{size = 0}", LESS, ADD, "generic_select_and_scatter.C5"),
        select(x, "{stride = 0}", LESS, ADD, "generic_select_and_scatter.C7"),
        select(x, "{}", ADD, ADD, "generic_select_and_scatter.C9"),
        select(x, "{}", ONE, ADD, "generic_select_and_scatter.C9"),
        select(x, "{}", LESS, LESS, "generic_select_and_scatter.C10"),
        select(x, "{}", LESS, ONE, "generic_select_and_scatter.C10"),
        select(x, "{base_dilation = 2}", LESS, ADD, "generic_select_and_scatter.C13"),
    ]);
    list
}

fn scatters() -> Vec<(String, String, &'static str)> {
    let case = |inputs: &str, operands: &str, body: &str, code| {
        let statement = format!(
            "%0 = generic_scatter {operands}, update_window_dims = [], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1, body = {body} : f32[5]"
        );
        (inputs.to_string(), statement, code)
    };
    let x = "%x: f32[5], %i: i32[3, 1], %u: f32[3]";
    vec![
        case(x, "%x, %i, %u", STATE, "generic_scatter.R1"),
        case("%x: f32[5], %y: f32[6], %i: i32[3, 1], %u: f32[3]", "%x, %y, %i, %u, %u", TWO, "generic_scatter.C1"),
        case("%x: f32[5], %i: i32[3, 1], %u: f32[3], %w: f32[4]", "%x, %x, %i, %u, %w", TWO, "generic_scatter.C3"),
        case("%x: f32[5], %i: i32[3, 1], %u: f64[3]", "%x, %i, %u", ADD, "generic_scatter.C6"),
        case(x, "%x, %i, %u", LESS, "generic_scatter.C23"),
        case(x, "%x, %i, %u", ONE, "generic_scatter.C23"),
    ]
}

fn sorts() -> Vec<(String, String, &'static str)> {
    let case = |inputs: &str, operands: &str, dim: usize, comparator: &str, code| {
        (inputs.to_string(), format!("%0 = sort {operands}, dim = {dim}, comparator = {comparator} : f32[2]"), code)
    };
    let x = "%x: f32[2]";
    let stateful = "(%a: f32[], %b: var f32[]) -> (bool[]) { %0 = constant true : bool[] return %0 }";
    let four = "(%a: f32[], %b: f32[], %c: f32[], %d: f32[]) -> (bool[]) { %0 = constant true : bool[] return %0 }";
    vec![
        case(x, "%x", 0, stateful, "sort.R1"),
        case("%x: f32[2], %y: f32[3]", "%x, %y", 0, four, "sort.C2"),
        case(x, "%x", 1, LESS, "sort.C4"),
        case("%x: f32[]", "%x", 0, LESS, "sort.C4"),
        case(x, "%x", 0, FIRST, "sort.C5"),
        case(x, "%x", 0, ONE, "sort.C5"),
        case(x, "%x", 0, NONE, "sort.C5"),
    ]
}
