//! Small programs that stand for immense ones: read in little time and memory, or refused.

use kiln_stablehlo::{Program, build, read_text};
use std::time::Instant;

/// Reads and builds `@main`, in seconds rather than hours.
fn program(text: &str) -> Result<Program, String> {
    let start = Instant::now();
    let done = read_text(text, "bounds.mlir").and_then(|m| build(&m, "main")).map_err(|e| e.to_string());
    assert!(start.elapsed().as_secs() < 20, "{:?} for {} bytes", start.elapsed(), text.len());
    done
}

#[track_caller]
fn refused(text: &str, words: &str) {
    let e = program(text).expect_err("the program stands for too much");
    assert!(e.contains(words), "{e}");
}

const F: &str = "tensor<f32>";

fn main_with(body: &str) -> String {
    format!("func.func @main(%x: {F}, %p: tensor<i1>) -> {F} {{\n{body}  return %x : {F}\n}}\n")
}

/// A line for each number, joined.
fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).map(line).collect()
}

#[test]
fn aliases_of_aliases() {
    let attrs = lines(60, |i| format!("#a{} = [#a{i}, #a{i}]\n", i + 1));
    refused(&format!("#a0 = [1, 2]\n{attrs}{}", main_with("")), "aliases");
    let types = lines(60, |i| format!("!t{} = tuple<!t{i}, !t{i}>\n", i + 1));
    refused(&format!("!t0 = tuple<{F}>\n{types}{}", main_with("")), "aliases");
}

#[test]
fn tuples_of_tuples() {
    let tuples = lines(60, |i| format!("  %t{} = stablehlo.tuple %t{i}, %t{i} : tuple<{F}>\n", i + 1));
    refused(&main_with(&format!("  %t0 = stablehlo.tuple %x, %x : tuple<{F}>\n{tuples}")), "a tuple of more than");
}

#[test]
fn calls_of_calls() {
    let call = |i: usize| format!("call @f{i}(%x) : ({F}) -> {F}");
    let functions = lines(60, |i| {
        format!("func.func @f{i}(%x: {F}) -> {F} {{\n  {}\n  {}\n  return %x : {F}\n}}\n", call(i + 1), call(i + 1))
    });
    let last = format!("func.func @f60(%x: {F}) -> {F} {{\n  return %x : {F}\n}}\n");
    refused(&format!("{}{functions}{last}", main_with(&format!("  %c = {}\n", call(0)))), "calls inlined");
}

#[test]
fn one_element_for_very_many() {
    for literal in ["\"0x00000000\"", "0.0"] {
        let body = lines(50, |i| format!("  %c{i} = stablehlo.constant dense<{literal}> : tensor<250000000xf32>\n"));
        program(&main_with(&body)).expect("broadcasts");
    }
    let body = lines(50, |i| format!("  %c{i} = stablehlo.constant dense<\"0xFF\"> : tensor<1000000000xi1>\n"));
    program(&main_with(&body)).expect("broadcasts");
}

#[test]
fn sizes_that_take_long_to_compute() {
    let square = "tensor<250x250xi64>";
    let products = lines(200, |i| {
        let dims = "contracting_dims = [1] x [0]";
        format!("  %d{} = stablehlo.dot_general %d{i}, %d{i}, {dims} : ({square}, {square}) -> {square}\n", i + 1)
    });
    let body = format!(
        "  %d0 = stablehlo.constant dense<1> : {square}\n{products}
         %s = stablehlo.slice %d200 [0:1, 0:1] : ({square}) -> tensor<1x1xi64>
         %n = stablehlo.reshape %s : (tensor<1x1xi64>) -> tensor<1xi64>
         %y = stablehlo.dynamic_broadcast_in_dim %x, %n, dims = [] : ({F}, tensor<1xi64>) -> tensor<?xf32>\n"
    );
    refused(&main_with(&body), "take long to compute");
}

#[test]
fn long_lines_and_many_functions() {
    let body: String = (0..20_000).map(|i| format!("%{i} = stablehlo.add %x, %x : {F} ")).collect();
    program(&main_with(&body)).expect("a program on one line");
    let functions =
        lines(4000, |i| format!("func.func private @function_{i}(%x: {F}) -> {F} {{\n  return %x : {F}\n}}\n"));
    let calls = lines(4000, |i| format!("  %c{i} = call @function_3999(%x) : ({F}) -> {F}\n"));
    program(&format!("{functions}{}", main_with(&calls))).expect("many functions");
}

#[test]
fn regions_within_regions() {
    // In a thread of little stack.
    let nested = |depth: usize| {
        let open = lines(depth, |i| format!("  %w{i} = \"stablehlo.if\"(%p) ({{\n"));
        let close: String = (0..depth)
            .rev()
            .map(|i| {
                let inner = if i + 1 == depth { "%x".to_owned() } else { format!("%w{}", i + 1) };
                format!(
                    "  stablehlo.return {inner} : {F}\n}}, {{\n  stablehlo.return %x : {F}\n}}) : (tensor<i1>) -> {F}\n"
                )
            })
            .collect();
        main_with(&format!("{open}{close}"))
    };
    let small = |text: String| {
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || program(&text)).expect("a thread");
        thread.join().expect("no overflow")
    };
    small(nested(60)).expect("nested 60 deep");
    assert!(small(nested(80)).expect_err("too deep").contains("nested more than"));
    assert!(small(nested(5000)).expect_err("too deep").contains("nested more than"));
    // Many values seen from many regions.
    let values = lines(2000, |i| format!("  %v{i} = stablehlo.add %x, %x : {F}\n"));
    let uses = lines(2000, |i| {
        format!(
            "  %u{i} = \"stablehlo.if\"(%p) ({{\n  stablehlo.return %v{i} : {F}\n}}, {{\n  stablehlo.return %x : {F}\n}}) : (tensor<i1>) -> {F}\n"
        )
    });
    program(&main_with(&format!("{values}{uses}"))).expect("many regions");
}

#[test]
fn operators_made_of_many() {
    let row = "tensor<4xf32>";
    let body = lines(3000, |i| format!("  %y{i} = \"chlo.polygamma\"(%r, %r) : ({row}, {row}) -> {row}\n"));
    let text = format!("func.func @main(%r: {row}) -> {row} {{\n{body}  return %r : {row}\n}}\n");
    refused(&text, "too many nodes");
}
