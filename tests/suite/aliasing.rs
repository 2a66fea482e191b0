//! Values that share memory: variables updated in place, state of loops, results of branches. What a session computes over
//! several runs equals what the interpreter computes with the state carried by hand.

mod machine;

use kiln::ir::{Func, InputKind, OutputKind};
use kiln::optimizer::OptimizeOptions;
use kiln::plan::PlanOptions;
use kiln::prelude::*;

/// Runs in each session.
const RUNS: usize = 3;
/// Random state machines.
const MACHINES: u64 = 400;

/// The compilers that every function is tried with.
fn compilers() -> Vec<(&'static str, Compiler)> {
    let optimize = |level| OptimizeOptions { level, ..OptimizeOptions::default() };
    let plain = PlanOptions { fuse: false, ..PlanOptions::default() };
    let unscheduled = PlanOptions { schedule: false, ..PlanOptions::default() };
    vec![
        ("default", Compiler::cpu().threads(1)),
        ("two threads, level 0", Compiler::cpu().optimize(optimize(0)).threads(2)),
        ("no fusion, level 0", Compiler::cpu().optimize(optimize(0)).plan(plain).threads(1)),
        ("no scheduling, level 1", Compiler::cpu().optimize(optimize(1)).plan(unscheduled).threads(1)),
    ]
}

/// The feeds of a run: something else each time.
fn feeds(func: &Func, run: usize) -> Vec<(&str, Tensor)> {
    let feeds = func.inputs.iter().filter(|i| i.kind == InputKind::Feed);
    let tensor = |i: &kiln::ir::func::Input| {
        let shape = i.ty.shape.as_sizes().expect("static");
        let n: usize = shape.iter().product();
        match i.ty.dtype {
            DType::I32 => Tensor::from_vec(&shape, (0..n).map(|k| (k * 7 % 11 + run) as i32 - 5).collect::<Vec<_>>()),
            _ => Tensor::from_vec(&shape, (0..n).map(|k| (k * 7 % 11 + run) as f32 - 5.0).collect::<Vec<_>>()),
        }
        .expect("as many as the shape has")
    };
    feeds.map(|i| (i.name.as_str(), tensor(i))).collect()
}

/// Compares a session with the interpreter.
fn check(func: &Func, compiler: &Compiler) -> Result<(), String> {
    let exe = compiler.compile_func(func.clone()).map_err(|e| format!("compile: {e}"))?;
    let mut session = exe.session().map_err(|e| format!("session: {e}"))?;
    let mut state: Vec<Option<Tensor>> = func
        .inputs
        .iter()
        .map(|i| (i.kind != InputKind::Feed).then(|| session.get(&i.name).expect("a variable of the session")))
        .collect();
    for run in 0..RUNS {
        let feeds = feeds(func, run);
        let given: Vec<(&str, &Tensor)> = feeds.iter().map(|(n, t)| (*n, t)).collect();
        let found = session.run(&given).map_err(|e| format!("run {run}: {e}"))?.into_vec();
        let mut next = feeds.iter().map(|f| f.1.clone());
        let args: Vec<Tensor> =
            state.iter().map(|s| s.clone().unwrap_or_else(|| next.next().expect("a feed"))).collect();
        let expected = kiln::interp::eval(func, &args).map_err(|e| format!("interpreter: {e}"))?;
        let mut fetches = found.into_iter();
        for (output, expected) in func.outputs.iter().zip(expected) {
            match output.kind {
                OutputKind::Fetch if fetches.next().as_ref() == Some(&expected) => {}
                OutputKind::Fetch => return Err(format!("run {run}: fetch \"{}\" differs", output.name)),
                OutputKind::Update(i) => state[i] = Some(expected),
            }
        }
        for (input, state) in func.inputs.iter().zip(&state) {
            if let Some(state) = state
                && session.get(&input.name).expect("a variable of the session") != *state
            {
                return Err(format!("run {run}: variable \"{}\" differs", input.name));
            }
        }
    }
    Ok(())
}

fn check_all(func: &Func) -> Result<(), String> {
    kiln::ir::verify::verify(func).map_err(|e| format!("verifier: {e}"))?;
    compilers().iter().try_for_each(|(name, compiler)| check(func, compiler).map_err(|e| format!("{name}: {e}")))
}

#[test]
fn random_state_machines() {
    let compilers = compilers();
    let check = |seed: u64| {
        let func = machine::machine(seed);
        kiln::ir::verify::verify(&func).map_err(|e| format!("seed {seed}: verifier: {e}"))?;
        let (name, compiler) = &compilers[seed as usize % compilers.len()];
        check(&func, compiler).map_err(|e| format!("seed {seed}, {name}: {e}"))
    };
    let failures: Vec<String> = (0..MACHINES).filter_map(|seed| check(seed).err()).collect();
    assert!(failures.is_empty(), "{} of {MACHINES}:\n{}", failures.len(), failures.join("\n"));
}

/// Parses a function and checks it with every compiler.
fn check_text(text: &str) {
    let func = kiln::ir::text::parse(text).unwrap_or_else(|e| panic!("{e}"));
    check_all(&func).unwrap_or_else(|e| panic!("{e}"));
}

/// A literal index beyond the operand: the update is skipped.
#[test]
fn scatter_to_a_literal_index_out_of_range() {
    for index in ["10", "-1", "2"] {
        check_text(&format!(
            "func @f(%v: var i32[6] = dense<[1, 2, 3, 4, 5, 6]>, %x: i32[3]) -> (update %v: i32[6], y: i32[6]) {{
               %i = constant dense<[{index}]> : i32[1]
               %s = scatter %v, %i, %x, update = add, update_window_dims = [0],
                    inserted_window_dims = [], scatter_dims_to_operand_dims = [0], index_vector_dim = 0 : i32[6]
               return %s, %s
             }}"
        ));
    }
}

/// Updates that are the operand itself, or another view of it, are read while the operand is overwritten.
#[test]
fn scatter_of_a_value_into_itself() {
    for (start, views) in [("%v", ["%v", "%w"]), ("%own", ["%own", "%w"])] {
        for updates in views {
            let text = format!(
                "func @f(%v: var i32[6] = dense<[1, 2, 3, 4, 5, 6]>, %x: i32[6]) -> (update %v: i32[6], y: i32[6]) {{
                   %i = constant dense<[[3], [0], [1], [5], [2], [4]]> : i32[6, 1]
                   %own = add %v, %x : i32[6]
                   %w = optimization_barrier {start} : i32[6]
                   %s = scatter {start}, %i, {updates}, update = assign, update_window_dims = [],
                        inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1 : i32[6]
                   %z = add %x, %x : i32[6]
                   return %s, %z
                 }}"
            );
            check_text(&text);
        }
    }
}

#[test]
fn update_slice_of_a_value_into_itself() {
    for from in ["%v", "%own", "%w"] {
        let text = format!(
            "func @f(%v: var i32[6] = dense<[1, 2, 3, 4, 5, 6]>, %x: i32[6]) -> (update %v: i32[6]) {{
               %i = constant 1 : i32[]
               %own = add %v, %x : i32[6]
               %w = optimization_barrier %v : i32[6]
               %part = slice %v, bounds = [0:4] : i32[4]
               %s = dynamic_update_slice %v, %part, %i : i32[6]
               %o = slice {from}, bounds = [1:6] : i32[5]
               %r = reverse %o, dims = [0] : i32[5]
               %t = dynamic_update_slice {from}, %r, %i : i32[6]
               %u = add %s, %t : i32[6]
               return %u
             }}"
        );
        check_text(&text);
    }
}

/// A condition or index may be computed in place of a value of another type.
#[test]
fn conditions_in_place_of_other_types() {
    check_text(
        "func @f(%a: f32[4], %b: f32[4]) -> (y: f32[4]) {
           %d = dot_general %a, %b, contract = [0] x [0] : f32[]
           %i = convert %d : i32[]
           %y = case %i, %a, branches = [
             (%p: f32[4]) -> (f32[4]) { %n = negate %p : f32[4] return %n },
             (%p: f32[4]) -> (f32[4]) { %n = add %p, %p : f32[4] return %n }] : f32[4]
           return %y
         }",
    );
    check_text(
        "func @f(%a: i32[4], %b: i32[4]) -> (y: i32[4]) {
           %c = convert %a : i8[4]
           %e = convert %b : i8[4]
           %d = dot_general %c, %e, contract = [0] x [0] : i8[]
           %i = convert %d : bool[]
           %y = if %i, %a, on_true = (%p: i32[4]) -> (i32[4]) { %n = negate %p : i32[4] return %n },
             on_false = (%p: i32[4]) -> (i32[4]) { %n = add %p, %p : i32[4] return %n } : i32[4]
           return %y
         }",
    );
}

/// Variables that exchange or share their values.
#[test]
fn variables_exchange_values() {
    check_text(
        "func @f(%a: var i32[3] = dense<[1, 2, 3]>, %b: var i32[3] = dense<[4, 5, 6]>, %x: i32[3])
           -> (old: i32[3], update %a: i32[3], update %b: i32[3], new: i32[3]) {
           return %a, %b, %a, %b
         }",
    );
    check_text(
        "func @f(%a: var i32[3] = dense<[1, 2, 3]>, %b: var i32[3] = dense<[4, 5, 6]>, %x: i32[3])
           -> (before: i32[3], update %a: i32[3], after: i32[3], update %b: i32[3]) {
           %s = add %a, %x : i32[3]
           return %a, %s, %s, %s
         }",
    );
    check_text(
        "func @f(%a: var i32[3] = dense<[1, 2, 3]>, %b: var i32[3] = dense<[4, 5, 6]>, %c: var i32[3])
           -> (update %a: i32[3], update %b: i32[3], update %c: i32[3]) {
           %s = add %a, %b : i32[3]
           return %c, %s, %b
         }",
    );
}

/// Products with empty and unit dimensions.
#[test]
fn products_of_empty_tensors() {
    for (lhs, rhs, contract, out) in [
        ("2, 0", "0, 3", "[1] x [0]", "2, 3"),
        ("0, 2", "2, 3", "[1] x [0]", "0, 3"),
        ("2, 0, 4", "0, 4, 3", "[1, 2] x [0, 1]", "2, 3"),
        ("2, 4, 0", "4, 3, 0", "[1, 2] x [0, 2]", "2, 3"),
        ("1, 4, 1", "4, 1, 1", "[1] x [0]", "1, 1, 1, 1"),
        ("3, 1, 4", "4, 1, 3", "[0, 2] x [2, 0]", "1, 1"),
    ] {
        check_text(&format!(
            "func @f(%v: var f32[{out}], %a: f32[{lhs}], %b: f32[{rhs}]) -> (y: f32[{out}], update %v: f32[{out}]) {{
               %d = dot_general %a, %b, contract = {contract} : f32[{out}]
               %s = add %v, %d : f32[{out}]
               return %d, %s
             }}"
        ));
    }
}

/// Loops, branches and variables without elements.
#[test]
fn state_without_elements() {
    check_text(
        "func @f(%v: var i32[0, 3], %w: var i32[3, 0], %x: i32[2]) -> (update %v: i32[0, 3], y: i32[3, 0], update %w: i32[3, 0]) {
           %i = constant 0 : i32[]
           %l:3 = while %i, %v, %x, cond = (%i: i32[], %a: i32[0, 3], %b: i32[2]) -> (bool[]) {
             %n = constant 3 : i32[]
             %go = compare %i, %n, direction = LT : bool[]
             return %go
           }, body = (%i: i32[], %a: i32[0, 3], %b: i32[2]) -> (i32[], i32[0, 3], i32[2]) {
             %one = constant 1 : i32[]
             %n = add %i, %one : i32[]
             %c = add %a, %a : i32[0, 3]
             %d = add %b, %b : i32[2]
             return %n, %c, %d
           } : (i32[], i32[0, 3], i32[2])
           %t = transpose %l#1, permutation = [1, 0] : i32[3, 0]
           %c = case %l#0, %t, %w, branches = [
             (%p: i32[3, 0], %q: i32[3, 0]) -> (i32[3, 0]) { return %q },
             (%p: i32[3, 0], %q: i32[3, 0]) -> (i32[3, 0]) { %n = add %p, %q : i32[3, 0] return %n }] : i32[3, 0]
           return %l#1, %c, %t
         }",
    );
}
