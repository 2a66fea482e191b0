//! Users, rebuilding, extraction, and petgraph's algorithms on functions.

use kiln_ir::petgraph::FuncGraph;
use kiln_ir::rewrite::{try_walk, walk};
use kiln_ir::text::{parse, print};
use kiln_ir::verify::verify;
use kiln_ir::{BinaryOp, Diagnostic, Func, NodeId, Op, OutputKind, UnaryOp, UnusedInputs, Value, Verified};
use petgraph::algo::{dominators, is_cyclic_directed, tarjan_scc, toposort};
use petgraph::visit::{EdgeRef, IntoEdgeReferences, IntoEdgesDirected, NodeCount, Reversed};

fn sample() -> Func {
    parse(
        "func @f(%x: f32[2], %unused: f32[3], %w: var f32[2], %s: u64[2]) -> (y: f32[2], update %w: f32[2], bits: u32[2]) {
           %0 = exponential %x : f32[2] \"the exp\" loc(\"a.rs\":7:1)
           %1 = negate %x : f32[2]
           %2 = add %0, %1 : f32[2]
           %3 = multiply %2, %2 : f32[2]
           %4 = tanh %w : f32[2]
           %5:2 = rng_bit_generator %s, algorithm = three_fry : (u64[2], u32[2])
           return %3, %3, %5#1
         }",
    )
    .unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn users_lists_every_use_once() {
    let f = sample();
    let users = f.users();
    let x = Value::from(NodeId(0));
    assert_eq!(users.of(x.node).iter().map(|u| u.user.0).collect::<Vec<_>>(), [4, 5]);
    let product = NodeId(7);
    assert_eq!(
        users.of(NodeId(6)).iter().map(|u| (u.user, u.operand)).collect::<Vec<_>>(),
        [(product, 0), (product, 1)]
    );
    assert_eq!((users.outputs(product.into()), users.count(product.into())), (2, 2));
    assert!(users.is_unused(NodeId(8)) && users.is_unused(NodeId(1)) && !users.is_unused(NodeId(9)));
    assert_eq!(users.count(Value { node: NodeId(9), result: 0 }), 0);
    assert_eq!(users.count(Value { node: NodeId(9), result: 1 }), 1);
}

#[test]
fn petgraph_algorithms_run() {
    let f = sample();
    let g = FuncGraph::new(&f);
    assert!(!is_cyclic_directed(&g));
    let order = toposort(&g, None).expect("no cycle");
    let place = |id: NodeId| order.iter().position(|o| *o == id).expect("every node is there");
    for e in g.edge_references() {
        assert!(place(e.source()) < place(e.target()));
        assert_eq!(e.weight().node, e.source());
    }
    assert_eq!(tarjan_scc(&g).len(), g.node_count());
    // Everything that the product needs goes through the sum; the sum needs x in two ways, and only x dominates it.
    let from_x = dominators::simple_fast(&g, NodeId(0));
    assert_eq!(from_x.immediate_dominator(NodeId(6)), Some(NodeId(0)));
    assert_eq!(from_x.immediate_dominator(NodeId(7)), Some(NodeId(6)));
    let to_x = dominators::simple_fast(Reversed(&g), NodeId(7));
    assert_eq!(to_x.immediate_dominator(NodeId(0)), Some(NodeId(6)));
    let into: Vec<_> = g.edges_directed(NodeId(7), petgraph::Direction::Incoming).map(|e| e.id()).collect();
    assert_eq!(into, [(NodeId(7), 0), (NodeId(7), 1)]);
    let label = |_: &FuncGraph, (id, n): (NodeId, &kiln_ir::Node)| format!("label = \"{} {}\"", id.0, n.op.name());
    let config = [petgraph::dot::Config::EdgeNoLabel, petgraph::dot::Config::NodeNoLabel];
    let dot = format!(
        "{:?}",
        petgraph::dot::Dot::with_attr_getters(&&g, &config, &|_, _| String::new(), &|g, n| label(g, n))
    );
    assert!(dot.contains("4 exponential") && dot.contains("0 -> 4"), "{dot}");
}

#[test]
fn walks_keep_provenance_and_names() {
    let f = sample();
    // exp(x) becomes exp(-x), -x is shared, and `the exp` stays on what computes its value.
    let g = try_walk(f.clone(), |new, node| match node.op {
        Op::Unary(UnaryOp::Exponential) => {
            let n = new.push1(Op::Unary(UnaryOp::Negate), &node.operands, node.loc.clone())?;
            let y = new.push1(Op::Unary(UnaryOp::Exponential), &[n], node.loc)?;
            new.hand_on_name(node.name, y);
            Ok::<_, Diagnostic>([y].into())
        }
        Op::Binary(BinaryOp::Add) => Ok([new.map(Value::from(NodeId(5)))].into()),
        _ => Ok(new.keep(node)),
    })
    .expect("types fit");
    verify(&g).expect("valid");
    let exp = g.nodes().iter().find(|n| n.op == Op::Unary(UnaryOp::Exponential)).expect("there");
    assert_eq!(exp.name.as_deref(), Some("the exp"));
    assert_eq!(exp.loc.line(), Some(7));
    let clean = g.without_dead_nodes();
    verify(&clean).expect("valid");
    assert_eq!(clean.inputs.len(), f.inputs.len());
    assert!(clean.nodes().iter().all(|n| n.op != Op::Unary(UnaryOp::Exponential) && n.op != Op::Unary(UnaryOp::Tanh)));
}

#[test]
fn other_outputs_take_what_they_need() {
    let f = sample();
    let only =
        |names: &[&str]| f.outputs.iter().filter(|o| names.contains(&o.name.as_str())).cloned().collect::<Vec<_>>();
    let g = f.clone().with_outputs(only(&["y", "w"]), UnusedInputs::Drop);
    verify(&g).expect("valid");
    assert_eq!(g.inputs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["x", "w"]);
    assert_eq!(g.outputs[1].kind, OutputKind::Update(1));
    let g = f.clone().with_outputs(only(&["bits"]), UnusedInputs::Keep);
    verify(&g).expect("valid");
    assert_eq!((g.inputs.len(), g.nodes().len()), (4, 5));
    let g = f.clone().with_outputs(only(&["bits"]), UnusedInputs::Drop);
    assert_eq!(
        print(&g),
        "func @f(%s: u64[2]) -> (bits: u32[2]) {\n  %0:2 = rng_bit_generator %s, algorithm = three_fry : (u64[2], u32[2])\n  return %0#1\n}\n"
    );
}

/// Large functions go through everything in one walk each: seconds here would mean quadratic work.
#[test]
fn large_functions_are_no_problem() {
    let mut f = Func::new("chain");
    let ty = kiln_ir::TensorType::new(kiln_ir::DType::F32, kiln_ir::dims!["n", 4]);
    let x = f.add_input("x", ty, kiln_ir::InputKind::Feed, kiln_ir::Loc::UNKNOWN);
    let mut y = x;
    for i in 0..100_000 {
        let op = BinaryOp::ALL[[0, 4, 6, 13][i % 4]];
        y = f.push1(Op::Binary(op), &[y, x], kiln_ir::Loc::UNKNOWN).expect("types fit");
    }
    f.add_output("y", y);
    let time = std::time::Instant::now();
    let f = Verified::new(f).expect("valid");
    let g = walk(f.clone().into_func(), |new, node| new.keep(node));
    assert_eq!(g.users().of(NodeId(0)).len(), 100_001);
    assert_eq!(parse(&print(&g)).expect("parses").without_dead_nodes(), *f);
    let env = [("n".into(), 3)].into_iter().collect();
    assert_eq!(kiln_ir::specialize::specialize(&f, &env).expect("fits").nodes().len(), f.nodes().len());
    // About a second on a busy machine; quadratic work would take minutes.
    assert!(time.elapsed().as_secs() < 30, "{:?}", time.elapsed());
}
