//! Every rule of the verifier can fail, and all failures are reported.

use kiln_ir::op::Op;
use kiln_ir::text::parse;
use kiln_ir::verify::verify;
use kiln_ir::{
    BinaryOp, DType, Dim, Func, Initializer, Input, InputKind, Loc, Node, NodeId, Output, OutputKind, Tensor,
    TensorType, Value, dims,
};

fn base() -> Func {
    parse(
        "func @f(%x: f32[2], %w: var f32[2]) -> (y: f32[2], update %w: f32[2]) {
           %0 = add %x, %w : f32[2]
           %1 = add %0, %0 : f32[2]
           return %0, %1
         }",
    )
    .expect("valid")
}

fn codes(f: &Func) -> Vec<String> {
    verify(f).expect_err("invalid").0.into_iter().map(|d| d.code).collect()
}

/// The only code that a change of the valid function gives.
fn broken(change: impl FnOnce(&mut Func)) -> String {
    let mut f = base();
    change(&mut f);
    let mut codes = codes(&f);
    codes.dedup();
    assert_eq!(codes.len(), 1, "{codes:?}");
    codes.remove(0)
}

#[test]
fn every_rule_can_fail() {
    let sum = NodeId(2);
    assert_eq!(broken(|f| f.node_mut(sum).operands[0].node = NodeId(3)), "verify.V1");
    assert_eq!(broken(|f| f.node_mut(sum).operands[0].node = sum), "verify.V1");
    assert_eq!(broken(|f| f.node_mut(sum).operands[0].node = NodeId(99)), "verify.V1");
    assert_eq!(broken(|f| f.node_mut(sum).operands[0].result = 1), "verify.V1");
    assert_eq!(broken(|f| f.node_mut(NodeId(3)).op = Op::Convert(DType::F32)), "convert.I0");
    assert_eq!(broken(|f| f.node_mut(NodeId(3)).op = Op::Binary(BinaryOp::And)), "and.I1");
    assert_eq!(broken(|f| f.node_mut(NodeId(0)).op = Op::Parameter(7)), "verify.V3");
    assert_eq!(broken(|f| f.inputs[0].node = NodeId(1)), "verify.V3");
    assert_eq!(broken(|f| f.inputs[0].name = "w".into()), "verify.V4");
    assert_eq!(broken(|f| f.add_output("y", Value::from(sum))), "verify.V4");
    assert_eq!(broken(|f| f.outputs[0].value.node = NodeId(50)), "verify.V5");
    assert_eq!(broken(|f| f.outputs[0].value.result = 50), "verify.V5");
    assert_eq!(broken(|f| f.outputs[1].kind = OutputKind::Update(0)), "verify.V6");
    assert_eq!(broken(|f| f.outputs[1].kind = OutputKind::Update(10)), "verify.V6");
    assert_eq!(broken(|f| f.outputs.push(f.outputs[1].clone())), "verify.V6");
    let start = |init| broken(|f| f.inputs[1].kind = InputKind::Variable(init));
    assert_eq!(start(Initializer::Value(Tensor::scalar(1.0f32))), "verify.V7");
    assert_eq!(start(Initializer::Uniform { low: 1.0, high: 0.0, seed: 0 }), "verify.V7");
    assert_eq!(start(Initializer::Normal { std: f64::NAN, seed: 0 }), "verify.V7");
}

#[test]
fn types_must_be_the_inferred_ones() {
    let mut f = base();
    f.node_mut(NodeId(3)).types[0].dtype = DType::F64;
    assert_eq!(codes(&f), ["verify.V2", "verify.V6"]);
}

#[test]
fn inputs_have_sane_types() {
    let with = |ty: TensorType, kind: InputKind| {
        let mut f = Func::new("f");
        f.add_input("x", ty, kind, Loc::UNKNOWN);
        codes(&f)
    };
    let variable = || InputKind::Variable(Initializer::Zeros);
    assert_eq!(with(TensorType::new(DType::F32, dims!["n"]), variable()), ["verify.V7"]);
    let random = InputKind::Variable(Initializer::Normal { std: 1.0, seed: 1 });
    assert_eq!(with(TensorType::new(DType::I32, [2]), random), ["verify.V7"]);
    assert_eq!(with(TensorType::new(DType::F32, [Dim::Const(-1)]), InputKind::Feed), ["verify.V10"]);
    assert_eq!(with(TensorType::new(DType::F32, [i64::MAX, 4]), InputKind::Feed), ["verify.V10"]);
    assert_eq!(with(TensorType::new(DType::F32, dims!["a b"]), InputKind::Feed), ["verify.V10"]);
}

/// A function whose node holds `inner`.
fn around(inner: Func) -> Func {
    let mut f = Func::new("f");
    let ty = TensorType::scalar(DType::F32);
    let x = f.add_input("x", ty.clone(), InputKind::Feed, Loc::UNKNOWN);
    let op = Op::Composite { name: "c".into(), body: Box::new(inner), vjp: None };
    let loc = Loc::new("a.rs", 5, 5);
    let id = f.push_raw(Node {
        op,
        operands: [x].into_iter().collect(),
        types: [ty].into_iter().collect(),
        loc,
        name: None,
    });
    f.add_output("", id.into());
    f
}

fn identity() -> Func {
    let mut f = Func::new("inner");
    let x = f.add_input("x", TensorType::scalar(DType::F32), InputKind::Feed, Loc::UNKNOWN);
    f.add_output("", x);
    f
}

#[test]
fn nested_functions_are_verified() {
    verify(&around(identity())).expect("valid");
    let mut inner = identity();
    inner.inputs[0].kind = InputKind::Variable(Initializer::Zeros);
    assert_eq!(codes(&around(inner)), ["verify.V8", "composite.R1"]);
    let mut inner = identity();
    inner.outputs = vec![Output { kind: OutputKind::Update(0), ..inner.outputs[0].clone() }];
    assert_eq!(codes(&around(inner)), ["verify.V8", "composite.R1"]);
    let mut inner = identity();
    inner.outputs[0].value.node = NodeId(9);
    let found = verify(&around(inner)).expect_err("invalid");
    assert_eq!(found.0[0].code, "verify.V5");
    assert_eq!(found.0[0].loc.line(), Some(5), "{found}");
    assert_eq!(found.0[1].code, "composite.R2");
    let mut deep = identity();
    for _ in 0..65 {
        deep = around(deep);
    }
    assert_eq!(codes(&deep), ["verify.V9"]);
}

#[test]
fn all_errors_are_collected() {
    let mut f = base();
    f.node_mut(NodeId(2)).operands[0].node = NodeId(9);
    f.node_mut(NodeId(3)).op = Op::Binary(BinaryOp::Xor);
    f.inputs.push(Input { name: "x".into(), ..f.inputs[0].clone() });
    f.outputs[0].name = String::new();
    assert_eq!(codes(&f), ["verify.V4", "verify.V3", "verify.V1", "xor.I1"]);
}
