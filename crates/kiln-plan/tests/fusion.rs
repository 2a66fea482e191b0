//! Properties that every fusion plan has.

use kiln_ir::op::{Axes, DotDims, Reducer};
use kiln_ir::{BinaryOp, DType, Func, InputKind, Legal, Loc, Op, Shape, Tensor, TensorType, UnaryOp, Value, Verified};
use kiln_plan::fusion::{FusionPlan, GroupKind, plan};
use kiln_plan::{FusionLimits, MachineModel, PlanOptions};
use std::collections::BTreeSet;

/// A random graph of `[16, 16]` values: chains, sums of distant values, products, softmax-like rows, column sums.
fn random(nodes: usize, seed: u64) -> Func {
    let mut f = Func::new("random");
    let ty = TensorType::new(DType::F32, [16usize, 16]);
    let x = f.add_input("x", ty, InputKind::Feed, Loc::UNKNOWN);
    let zero = f.constant(Tensor::scalar(0.0f32), Loc::UNKNOWN);
    let mut values = vec![x];
    let mut state = seed;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let push = |f: &mut Func, op: Op, operands: &[Value]| f.push1(op, operands, Loc::UNKNOWN).expect("well typed");
    while f.nodes().len() < nodes {
        let last = values[values.len() - 1 - below(values.len().min(3))];
        let far = values[below(values.len())];
        let v = match below(8) {
            0 => push(&mut f, Op::Unary(UnaryOp::Tanh), &[last]),
            1 | 2 => push(&mut f, Op::Binary(BinaryOp::Add), &[last, far]),
            3 => push(&mut f, Op::Binary(BinaryOp::Multiply), &[last, x]),
            4 => {
                let dims = DotDims {
                    lhs_contract: [1].into_iter().collect(),
                    rhs_contract: [0].into_iter().collect(),
                    ..DotDims::default()
                };
                push(&mut f, Op::DotGeneral(dims), &[last, far])
            }
            5 => push(&mut f, Op::Transpose(Axes::from_slice(&[1, 0])), &[last]),
            k => {
                let (axis, kept) = if k == 6 { (1, 0) } else { (0, 1) };
                let s =
                    push(&mut f, Op::Reduce { axes: Axes::from_slice(&[axis]), reducer: Reducer::Add }, &[last, zero]);
                let shape = Shape::from([16usize, 16]);
                let b = push(&mut f, Op::BroadcastInDim { shape, dims: Axes::from_slice(&[kept]) }, &[s]);
                push(&mut f, Op::Binary(BinaryOp::Subtract), &[far, b])
            }
        };
        values.push(v);
    }
    for k in 0..3 {
        let v = values[values.len() - 1 - 7 * k];
        f.add_output(format!("y{k}"), v);
    }
    f
}

/// Groups read what was written before, and every value is written once.
fn check(f: &Func, p: &FusionPlan) {
    let mut written: BTreeSet<Value> = BTreeSet::new();
    for g in &p.groups {
        for v in &g.inputs {
            let free = matches!(f.node(v.node).op, Op::Parameter(_) | Op::Constant(_));
            assert!(free || written.contains(v), "{v:?} is read before it is written");
        }
        assert!(g.kind == GroupKind::Kernel || g.nodes.len() == 1);
        for v in &g.outputs {
            assert!(g.nodes.binary_search(&v.node).is_ok(), "{v:?} is not computed where it is written");
            assert!(written.insert(*v), "{v:?} is written twice");
        }
        for n in &g.nodes {
            for v in &f.node(*n).operands {
                let inside = g.nodes.binary_search(&v.node).is_ok();
                assert!(inside || g.inputs.binary_search(v).is_ok(), "{v:?} comes from nowhere");
            }
        }
    }
    assert!(f.outputs.iter().all(|o| written.contains(&o.value)));
}

#[test]
fn plans_are_ordered_and_complete() {
    for seed in 0..60 {
        let f = random(200 + 10 * seed as usize, seed);
        for enabled in [true, false] {
            check(&f, &plan(&f, enabled, &kiln_cpu::machine()));
        }
    }
    let f = random(20_000, 99);
    check(&f, &plan(&f, true, &kiln_cpu::machine()));
}

#[test]
fn groups_keep_their_limits() {
    let f = random(3000, 5);
    let cpu = kiln_cpu::machine();
    let fusion = FusionLimits { max_nodes: 10, max_inputs: 4, ..cpu.fusion };
    let p = plan(&f, true, &MachineModel { fusion, ..cpu });
    check(&f, &p);
    for g in p.groups.iter().filter(|g| g.kind == GroupKind::Kernel) {
        // Literals come on top.
        let nodes = g.nodes.iter().filter(|n| !matches!(f.node(**n).op, Op::Constant(_))).count();
        assert!(nodes <= 10 && g.inputs.len() <= 5, "{} nodes, {} inputs", nodes, g.inputs.len());
    }
}

#[test]
fn fusion_reduces_kernels_and_is_deterministic() {
    let f = random(2000, 11);
    let fused = plan(&f, true, &kiln_cpu::machine());
    let single = plan(&f, false, &kiln_cpu::machine());
    assert!(fused.groups.len() * 2 < single.groups.len(), "{} of {}", fused.groups.len(), single.groups.len());
    assert_eq!(fused.describe(&f), plan(&f, true, &kiln_cpu::machine()).describe(&f));
}

/// A planned function has an order, and its drawing shows every group once.
#[test]
fn plans_print_and_draw() {
    let f = random(300, 3);
    let legal = Legal::new(Verified::new(f).expect("verified")).expect("legal");
    let planned = kiln_plan::plan(legal, &kiln_cpu::machine(), &PlanOptions::default()).expect("planned");
    let graph = planned.region.graph();
    assert!(!petgraph::algo::is_cyclic_directed(&graph));
    assert!(graph.edge_indices().all(|e| graph.edge_endpoints(e).is_some_and(|(from, to)| from < to)));
    let (text, dot) = (planned.to_string(), planned.to_dot());
    assert!(text.starts_with("plan random for cpu\n") && text.contains("library {dot_general}"), "{text}");
    assert_eq!(text.lines().count(), planned.region.groups.len() + 2);
    assert_eq!(dot.matches("label = ").count(), planned.region.groups.len());
    assert!(dot.matches("->").count() - text.matches(" -> ").count() <= graph.edge_count());
}
