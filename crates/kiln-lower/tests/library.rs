//! Transforms and factorizations as library calls: lowered, run step by step, compared with the reference interpreter.

use kiln_ir::{DType, Func, Legal, Tensor, Verified, text};
use kiln_kernels::{CpuCall, RunContext, abi, check_call};
use kiln_lower::{Lowered, lower};
use kiln_plan::PlanOptions;
use kiln_program::{Call, Program, Slot, Step};

/// Numbers in -1..1.
fn random(dtype: DType, shape: &[usize], seed: u64) -> Tensor {
    let mut rng = kiln_testing::Rng(seed);
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| rng.signed_unit()).collect();
    let t = Tensor::from_vec(shape, values).expect("as many as the shape has");
    kiln_interp::eval_op(&kiln_ir::Op::Convert(dtype), &[t]).expect("a conversion").remove(0)
}

/// Memory aligned as the runtime aligns it.
fn memory(bytes: &[u8], len: usize) -> Vec<[u64; 8]> {
    let mut memory = vec![[0u64; 8]; len.max(bytes.len()).div_ceil(64) + 1];
    for (word, chunk) in memory.as_flattened_mut().iter_mut().zip(bytes.chunks(8)) {
        let mut whole = [0; 8];
        whole[..chunk.len()].copy_from_slice(chunk);
        *word = u64::from_ne_bytes(whole);
    }
    memory
}

/// Runs a program that has library calls only.
fn run(lowered: &Lowered, inputs: &[Tensor]) -> Vec<Tensor> {
    let program = &lowered.program;
    program.check().expect("a valid program");
    program.calls.iter().try_for_each(check_call).expect("the kernels' sizes");
    let mut slots = vec![memory(&[], program.arena_bytes as usize)];
    slots.extend(lowered.constants.iter().map(|block| memory(block, 0)));
    slots.extend(inputs.iter().map(|t| memory(t.bytes(), 0)));
    let size = |port: &kiln_program::BoundPort| port.shape.iter().product::<usize>() * port.dtype.size();
    slots.extend(program.signature.outputs.iter().map(|port| memory(&[], size(port))));
    let bases: Vec<*mut u8> = slots.iter_mut().map(|slot| slot.as_mut_ptr().cast()).collect();
    for step in &program.steps {
        let Step::Call { call, args } = step else { panic!("not a library call: {step:?}") };
        let op = &program.calls[*call as usize].call;
        let place = |id: &kiln_program::BufferId| {
            let buffer = program.buffer(*id);
            bases[program.slot_index(buffer.slot)].wrapping_add(buffer.offset as usize)
        };
        let bufs: Vec<*mut u8> = args.iter().map(place).collect();
        let ctx = RunContext {
            buffers: bases.as_ptr(),
            kernels: core::ptr::null(),
            calls: core::ptr::null(),
            parallel_for: abi::parallel_for,
            pool: core::ptr::null(),
        };
        // SAFETY: the program is valid, its slots have their sizes.
        unsafe { op.function()(&ctx, op.params_ptr(), bufs.as_ptr()) };
    }
    let first = program.slot_index(kiln_program::Slot::Output(0));
    let output = |(i, port): (usize, &kiln_program::BoundPort)| {
        let bytes: Vec<u8> = slots[first + i].as_flattened().iter().flat_map(|word| word.to_ne_bytes()).collect();
        Tensor::from_bytes(port.dtype, &port.shape[..], &bytes[..size(port)]).expect("a tensor")
    };
    program.signature.outputs.iter().enumerate().map(output).collect()
}

/// Lowers and runs a function, and compares with the interpreter. The program.
fn check(source: &str, prepare: impl Fn(usize, Tensor) -> Tensor) -> Program {
    let func: Func = text::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let draw = |(i, input): (usize, &kiln_ir::Input)| {
        let shape = input.ty.shape.as_sizes().expect("static");
        prepare(i, random(input.ty.dtype, &shape, i as u64 + 1))
    };
    let inputs: Vec<Tensor> = func.inputs.iter().enumerate().map(draw).collect();
    let expected = kiln_interp::eval(&func, &inputs).unwrap_or_else(|e| panic!("{e}"));
    let legal = Verified::new(func).and_then(Legal::new).unwrap_or_else(|e| panic!("{e}"));
    let planned = kiln_plan::plan(legal, &kiln_cpu::machine(), &PlanOptions::default());
    let lowered = planned.and_then(|p| lower(&p)).unwrap_or_else(|e| panic!("{e}"));
    for (e, g) in expected.iter().zip(run(&lowered, &inputs)) {
        assert_eq!((e.dtype(), e.shape()), (g.dtype(), g.shape()), "{source}");
        let wide = |t: &Tensor| {
            let wide = kiln_interp::eval_op(&kiln_ir::Op::Convert(DType::F64), std::slice::from_ref(t));
            wide.expect("a conversion")[0].to_vec::<f64>().expect("f64")
        };
        let (e, g) = (wide(e), wide(&g));
        let norm = (e.iter().map(|x| x * x).sum::<f64>() / e.len().max(1) as f64).sqrt();
        // Sizes are small: errors of some dozens of units in the last place of what is typical.
        let bound =
            norm.max(1e-30) * if lowered.program.signature.outputs[0].dtype == DType::F32 { 2e-6 } else { 4e-15 };
        for (i, (a, b)) in e.iter().zip(&g).enumerate() {
            assert!((a - b).abs() <= bound || (a.is_nan() && b.is_nan()), "{source}: element {i}: {b}, expected {a}");
        }
    }
    lowered.program
}

#[test]
fn fourier_transforms() {
    for (dtype, n) in [("f32", 12), ("f64", 67), ("f32", 1), ("f64", 0)] {
        let half = if n == 0 { 0 } else { n / 2 + 1 };
        let sources = [
            format!("%0 = fft %x, kind = fft, length = [{n}], interleaved : {dtype}[3, 2, {n}, 2]"),
            format!("%0 = fft %x, kind = ifft, length = [2, {n}], interleaved : {dtype}[3, 2, {n}, 2]"),
            format!("%0 = fft %x, kind = rfft, length = [3, 2, {n}], interleaved : {dtype}[3, 2, {half}, 2]"),
            format!("%0 = fft %x, kind = irfft, length = [2, {n}], interleaved : {dtype}[3, 2, {n}]"),
        ];
        for (i, line) in sources.iter().enumerate() {
            let input =
                [format!("3, 2, {n}, 2"), format!("3, 2, {n}, 2"), format!("3, 2, {n}"), format!("3, 2, {half}, 2")];
            let result = line.rsplit(": ").next().expect("a type");
            check(&format!("func @f(%x: {dtype}[{}]) -> ({result}) {{\n  {line}\n  return %0\n}}", input[i]), |_, t| t);
        }
    }
}

#[test]
fn tables_are_constants_that_calls_share() {
    let program = check(
        "func @f(%x: f32[20, 64, 2]) -> (f32[20, 64, 2]) {
  %0 = fft %x, kind = fft, length = [64], interleaved : f32[20, 64, 2]
  %1 = fft %0, kind = ifft, length = [64], interleaved : f32[20, 64, 2]
  return %1
}",
        |_, t| t,
    );
    let Call::Fft(params) = &program.calls[0].call else { panic!("not a transform") };
    assert_eq!(program.constants.iter().sum::<u64>(), params.table_bytes() as u64);
    let tables = program.buffers.iter().filter(|buffer| matches!(buffer.slot, Slot::Constants(_)));
    assert_eq!(tables.count(), 1, "{program}");
}

#[test]
fn a_program_without_its_tables_is_refused() {
    let mut program = check(
        "func @f(%x: f32[20, 64, 2]) -> (f32[20, 64, 2]) {
  %0 = fft %x, kind = fft, length = [64], interleaved : f32[20, 64, 2]
  return %0
}",
        |_, t| t,
    );
    let whole = program.clone();
    let Step::Call { args, .. } = &mut program.steps[0] else { panic!("not a library call") };
    args.remove(2);
    assert!(program.check().is_err());
    let mut program = whole.clone();
    let Call::Fft(params) = &mut program.calls[0].call else { panic!("not a transform") };
    params.length = vec![1 << 50];
    let message = program.check().expect_err("too long").to_string();
    assert!(message.contains("length"), "{message}");
    let mut program = whole.clone();
    let Call::Fft(params) = &mut program.calls[0].call else { panic!("not a transform") };
    params.batch += 1;
    let message = program.check().expect_err("too many").to_string();
    assert!(message.contains("operand needs"), "{message}");
    // What the program says of its tables is not taken at its word.
    let mut site = whole.calls[0].clone();
    site.tables -= 8;
    let message = check_call(&site).expect_err("too few");
    assert!(message.contains("bytes of tables"), "{message}");
}

/// A triangle or a definite matrix: far from singular.
fn dominant(t: &Tensor, pair: bool) -> Tensor {
    let shape = t.shape().to_vec();
    let rank = shape.len() - usize::from(pair);
    let (n, parts) = (shape[rank - 1], if pair { 2 } else { 1 });
    let wide = kiln_interp::eval_op(&kiln_ir::Op::Convert(DType::F64), std::slice::from_ref(t)).expect("a conversion");
    let mut values = wide[0].to_vec::<f64>().expect("f64");
    for (at, value) in values.iter_mut().enumerate() {
        let (i, j, part) = (at / parts / n % n, at / parts % n, at % parts);
        if i == j {
            *value = if part == 0 { n as f64 + *value } else { 0.0 };
        }
    }
    let t64 = Tensor::from_vec(shape, values).expect("the same size");
    kiln_interp::eval_op(&kiln_ir::Op::Convert(t.dtype()), &[t64]).expect("a conversion").remove(0)
}

#[test]
fn factorizations() {
    for dtype in ["f32", "f64"] {
        for lower in ["", ", lower"] {
            let ty = format!("{dtype}[2, 9, 9]");
            check(
                &format!("func @f(%a: {ty}) -> ({ty}) {{\n  %0 = cholesky %a{lower} : {ty}\n  return %0\n}}"),
                |_, t| dominant(&t, false),
            );
            let ty = format!("{dtype}[9, 9, 2]");
            check(
                &format!(
                    "func @f(%a: {ty}) -> ({ty}) {{\n  %0 = cholesky %a{lower}, interleaved : {ty}\n  return %0\n}}"
                ),
                |_, t| dominant(&t, true),
            );
        }
    }
    // Not positive definite.
    let ty = "f32[2, 5, 5]";
    check(&format!("func @f(%a: {ty}) -> ({ty}) {{\n  %0 = cholesky %a, lower : {ty}\n  return %0\n}}"), |_, t| t);
}

#[test]
fn triangular_systems() {
    let mut count = 0;
    for transpose in ["no_transpose", "transpose", "adjoint"] {
        for flags in 0..8 {
            for (dtype, pair) in [("f32", false), ("f64", true)] {
                let named = [(1, ", left_side"), (2, ", lower"), (4, ", unit_diagonal")];
                let mut options: String = named.iter().filter(|f| flags & f.0 != 0).map(|f| f.1).collect();
                let b = if flags & 1 != 0 { "7, 4" } else { "4, 7" };
                let tail = if pair { ", 2" } else { "" };
                options += if pair { ", interleaved" } else { "" };
                let (a, b) = (format!("{dtype}[2, 7, 7{tail}]"), format!("{dtype}[2, {b}{tail}]"));
                check(
                    &format!(
                        "func @f(%a: {a}, %b: {b}) -> ({b}) {{
  %0 = triangular_solve %a, %b, transpose_a = {transpose}{options} : {b}
  return %0
}}"
                    ),
                    |i, t| if i == 0 { dominant(&t, pair) } else { t },
                );
                count += 1;
            }
        }
    }
    assert_eq!(count, 48);
}
