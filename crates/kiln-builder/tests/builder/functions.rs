use kiln_builder::{Graph, UpdateWhen, Updates, dims, init};
use kiln_ir::{InputKind, OutputKind};

#[test]
fn inputs_come_in_order_and_only_if_used() {
    let g = Graph::new("g");
    let w = g.variable("w", init::zeros([2]));
    let a = g.placeholder::<f32>("a", dims![2]);
    let unused = g.placeholder::<f32>("unused", dims![2]);
    let b = g.placeholder::<f32>("b", dims![2]);
    let v = g.variable("v", init::ones([2]));
    let y = (&b + &w * &a).named("y");
    let f = g.function([&y]).named("b again", &b).updates(Updates::new().with(&v, &(&a + 1))).finish().unwrap();
    let names: Vec<&str> = f.inputs.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "w", "v"]);
    assert!(matches!(f.inputs[3].kind, InputKind::Variable(_)));
    let outs: Vec<(&str, &OutputKind)> = f.outputs.iter().map(|o| (o.name.as_str(), &o.kind)).collect();
    assert_eq!(outs, [("y", &OutputKind::Fetch), ("b again", &OutputKind::Fetch), ("v", &OutputKind::Update(3))]);
    kiln_ir::verify::verify(&f).unwrap();
    let _ = unused;
}

#[test]
fn names() {
    let g = Graph::new("g");
    let (w0, w1) = g.scope("layer", || (g.variable("w", init::zeros([1])), g.variable("w", init::zeros([1]))));
    assert_eq!((w0.name().unwrap().as_str(), w1.name().unwrap().as_str()), ("layer/w", "layer/w_1"));
    let h = {
        let _scope = g.enter("head");
        (&w0 + &w1).named("h")
    };
    assert_eq!(h.name().unwrap(), "head/h");
    let f = g.function([&h, &(&w0 - 1), &h]).name("f").finish().unwrap();
    let names: Vec<&str> = f.outputs.iter().map(|o| o.name.as_str()).collect();
    assert_eq!((f.name.as_str(), names), ("f", vec!["head/h", "output1", "head/h_1"]));
}

#[test]
fn seeds_follow_names() {
    let g = Graph::new("g");
    let make = |name: &str| g.variable(name, init::he_normal([4, 4]));
    let (a, b) = (make("a"), make("b"));
    let f = g.function([&a, &b]).finish().unwrap();
    assert_ne!(f.inputs[0].kind, f.inputs[1].kind);
    let again = Graph::new("g");
    let a = again.variable("a", init::he_normal([4, 4]));
    assert_eq!(again.function([&a]).finish().unwrap().inputs[0].kind, f.inputs[0].kind);
}

#[test]
fn registered_updates() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims![]);
    let mean = g.variable("mean", init::zeros(dims![]).trainable(false));
    let w = g.variable("w", init::zeros(dims![]));
    g.register_update(&mean, &(&mean * 0.9 + &x * 0.1), UpdateWhen::Training);
    let y = &x * &w;
    assert_eq!(g.function([&y]).finish().unwrap().outputs.len(), 1);
    let step = Updates::new().with(&w, &(&w - 1));
    assert_eq!(g.function([&y]).updates(step.clone()).finish().unwrap().outputs.len(), 3);
    assert_eq!(g.function([&y]).updates(step).registered_updates(false).finish().unwrap().outputs.len(), 2);
    assert_eq!(g.trainable_variables().len(), 1);
    assert_eq!(g.variables().len(), 2);
}

#[test]
fn only_what_is_needed_is_kept() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims![]);
    let _dead = x.exp().sin();
    let y = x.cos();
    assert_eq!(g.function([&y]).finish().unwrap().nodes().len(), 2);
}

#[test]
fn every_node_has_the_users_line() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["n", 4]);
    let line = line!() + 1;
    let y = x.softmax(-1).gelu().var(0);
    let d = kiln_builder::grad(&y.sum(..), &[&x]);
    let f = g.function([&y, &d[0]]).finish().unwrap();
    for n in f.nodes() {
        assert!(n.loc.file().unwrap().ends_with("functions.rs"), "{:?}", n.loc);
        assert!((line - 2..=line + 1).contains(&n.loc.line().unwrap()), "{} {:?}", n.op.name(), n.loc);
    }
    // So do the loop's own nodes.
    let g = Graph::new("g");
    let y = g.fori_loop(3, g.constant(1.0f32), |_, x| x * 2);
    let line = line!() - 1;
    let f = g.function([&y]).finish().unwrap();
    let inside = f.nodes().iter().flat_map(|n| n.op.regions()).flat_map(|r| r.nodes());
    assert!(inside.chain(f.nodes()).all(|n| n.loc.line() == Some(line)));
}

#[test]
fn gradient_nodes_carry_the_forward_line() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["n", 4]);
    let line = line!() + 1;
    let y = x.softmax(-1).gelu().var(0);
    let d = kiln_builder::grad(&y.sum(..), &[&x]);
    let f = g.function([&d[0]]).finish().unwrap();
    // The gradient's nodes carry the forward line.
    assert!(f.nodes().iter().filter(|n| n.loc.line() == Some(line)).count() > 30);
}
