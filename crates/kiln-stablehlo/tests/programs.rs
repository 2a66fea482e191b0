//! Programs of our own, in every form that the reader knows, checked by what they say about themselves.

mod common;

use common::{evaluate, programs};

#[test]
fn programs_give_what_they_say() {
    let all = programs();
    assert!(all.len() >= 35, "{} programs found", all.len());
    for (name, text) in &all {
        let checks = evaluate(name, text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(checks > 0, "{name} checks nothing");
    }
}

/// What a program that is wrong is answered with, and where.
#[track_caller]
fn refused(text: &str, place: &str, words: &str) {
    let e = evaluate("bad.mlir", text).expect_err("the program is wrong");
    assert!(e.contains(place) && e.contains(words), "{e}");
}

#[test]
fn errors_name_the_place() {
    let with = |line: &str| {
        format!("func.func @f() {{\n  %x = stablehlo.constant dense<1> : tensor<2xi32>\n  {line}\n  return\n}}")
    };
    refused(&with("%y = stablehlo.add %x, %z : tensor<2xi32>"), "bad.mlir:3:3", "%z is not defined");
    refused(&with("%y = stablehlo.unheard_of %x : tensor<2xi32>"), "bad.mlir:3:3", "stablehlo.unheard_of");
    refused(&with("%y = call @nobody(%x) : (tensor<2xi32>) -> tensor<2xi32>"), "bad.mlir:3:3", "@nobody");
    refused(&with("%y:2 = stablehlo.negate %x : tensor<2xi32>"), "bad.mlir:3:3", "2 results");
    refused(&with("%y = stablehlo.constant dense<[1, 2, 3]> : tensor<2xi32>"), "bad.mlir:3:3", "constant");
    refused(&with("%y = stablehlo.constant dense<1> : tensor<2xcomplex<f32>>"), "bad.mlir:3:3", "pairs");
    refused(&with("%y = stablehlo.constant dense<1> : tensor<2xi128>"), "bad.mlir:3:3", "i128");
    refused(&with("%y = stablehlo.reshape %x : (tensor<2xi32>) -> tensor<3xi32>"), "bad.mlir:3:3", "reshape");
    refused(&with("%y = stablehlo.custom_call @mine(%x) : (tensor<2xi32>) -> tensor<2xi32>"), "bad.mlir:3:3", "@mine");
    refused(&with("%y = stablehlo.slice %x [0 2] : (tensor<2xi32>) -> tensor<2xi32>"), "bad.mlir:3:30", "expected `:`");
    refused("func.func @f() {\n ^a:\n  cf.br ^b\n ^b:\n  return\n}", "bad.mlir:3", "");
    refused("func.func @f() {\n ^a:\n  return\n ^b:\n  return\n}", "bad.mlir:4:2", "several blocks");
    refused("module {\n  func.func @f() {", "bad.mlir:2", "the end of the text");
}

#[test]
fn sizes_have_to_be_known() {
    let text = "func.func @f(%n: tensor<1xi32>) -> tensor<?xi32> {
      %r = stablehlo.dynamic_iota %n, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>
      return %r : tensor<?xi32>
    }";
    refused(text, "bad.mlir:2:7", "not constants");
}

#[test]
fn calls_are_bounded() {
    let mut text = String::from("func.func @main() {\n  call @f0() : () -> ()\n  return\n}\n");
    for i in 0..40 {
        let next = format!("call @f{}() : () -> ()", i + 1);
        text += &format!("func.func private @f{i}() {{\n  {next}\n  {next}\n  return\n}}\n");
    }
    text += "func.func private @f40() {\n  return\n}\n";
    refused(&text, "bad.mlir", "operations");
    refused("func.func @main() {\n  call @main() : () -> ()\n  return\n}", "bad.mlir", "deep");
}

#[test]
fn nesting_is_bounded() {
    let brackets = "[".repeat(100_000);
    refused(
        &format!("func.func @f() {{\n %x = stablehlo.constant dense<{brackets}> : tensor<i32>\n}}"),
        "bad.mlir:2",
        "deep",
    );
    let tuples = "tuple<".repeat(100_000);
    refused(&format!("func.func @f(%x: {tuples}) {{}}"), "bad.mlir:1", "deep");
    let regions = "\"a.b\"() ({\n".repeat(100_000);
    refused(&format!("func.func @f() {{\n{regions}"), "bad.mlir", "deep");
}
