use kiln_builder::{Diagnostics, Expr, Graph, Updates, dims, grad, init};

/// The only problem of finishing a function of these outputs, with this file's name shortened and line numbers replaced by
/// their distance from `line`.
#[track_caller]
fn problems(g: &Graph, outputs: &[&Expr]) -> Diagnostics {
    g.function(outputs.iter().copied()).finish().expect_err("there is a problem")
}

#[track_caller]
fn one(g: &Graph, outputs: &[&Expr], line: u32) -> String {
    let d = problems(g, outputs);
    assert_eq!(d.0.len(), 1, "{d}");
    let text = d.to_string().replace(file!(), "model.rs");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("model.rs:") {
        let number: String = rest[at + 9..].chars().take_while(char::is_ascii_digit).collect();
        out += &rest[..at];
        out += &format!("model.rs:{}", i64::from(number.parse::<u32>().unwrap()) - i64::from(line));
        rest = &rest[at + 9 + number.len()..];
        // Columns change with the formatting.
        if rest.starts_with(':') {
            rest = rest[1..].trim_start_matches(|c: char| c.is_ascii_digit());
        }
    }
    out + rest
}

#[test]
fn contracting_dimensions() {
    let g = Graph::new("g");
    let line = line!();
    let x = g.placeholder::<f32>("x", dims!["batch", 128]);
    let w2 = g.variable("w2", init::zeros([256, 10]));
    let h = x.relu();
    let y = h.dot(&w2);
    // Everything after is silent.
    let z = (y + 1).softmax(-1).sum(3);
    let text = one(&g, &[&z], line);
    assert_eq!(
        text,
        "error[dot_general.C10]: contracting dimensions differ
  --> model.rs:4
   | left has size 128 in dim 1, right has size 256 in dim 0
   = left: maximum f32[batch, 128] from model.rs:3
   = right: variable \"w2\" f32[256, 10] from model.rs:2
   = help: transpose or reshape one side, or check the sizes"
    );
}

#[test]
fn broadcast() {
    let g = Graph::new("g");
    let line = line!();
    let x = g.placeholder::<f32>("x", dims!["batch", 3]);
    let b = g.scope("dense", || g.variable("b", init::zeros([4])));
    let y = (&x * 2).named("doubled") + &b;
    assert_eq!(
        one(&g, &[&y], line),
        "error[add.broadcast]: the shapes do not broadcast
  --> model.rs:3
   | left has size 3, right has size 4 in the same place, and neither is 1
   = left: \"doubled\" f32[batch, 3] from model.rs:3
   = right: variable \"dense/b\" f32[4] from model.rs:2"
    );
}

#[test]
fn dtypes() {
    let g = Graph::new("g");
    let x = g.constant([1.0f32]);
    let i = g.constant([1i32]);
    let y = &x + &i;
    let text = problems(&g, &[&y]).to_string();
    assert!(text.starts_with("error[add.") && text.contains("f32[1]") && text.contains("i32[1]"), "{text}");

    let g = Graph::new("g");
    let i = g.constant([1i32]);
    let y = i * 0.5;
    let text = problems(&g, &[&y]).to_string();
    assert!(text.contains("0.5 is no value of i32") && text.contains("help: "), "{text}");
}

#[test]
fn mixed_graphs_and_escapes() {
    let (g, other) = (Graph::new("g"), Graph::new("other"));
    let y = g.constant(1.0f32) + other.constant(2.0f32);
    let text = problems(&g, &[&y]).to_string();
    assert!(text.contains("error[graph.mixed]: `add` mixes expressions of two graphs"), "{text}");
    assert!(text.contains("\"other\""), "{text}");

    let g = Graph::new("g");
    let mut leak = None;
    let x = g.fori_loop(3, g.constant(1.0f32), |_, x| {
        leak = Some(&x * 2);
        x
    });
    let y = x + leak.unwrap();
    let text = problems(&g, &[&y]).to_string();
    assert!(
        text.contains("error[graph.escaped]") && text.contains("help: return the value from the closure"),
        "{text}"
    );
}

#[test]
fn loops_and_branches() {
    let g = Graph::new("g");
    let x = g.while_loop(g.constant(1.0f32), |x| x.lt(3.0), |x| x.reshape([1]));
    let text = problems(&g, &[&x]).to_string();
    assert!(text.contains("state 0 starts as f32[] and becomes f32[1]"), "{text}");

    let g = Graph::new("g");
    let x = g.while_loop(g.constant(1.0f32), |x| x, |x| x * 2);
    assert!(problems(&g, &[&x]).to_string().contains("the condition of a loop must be a bool scalar"));

    let g = Graph::new("g");
    let p = g.constant(true);
    let x = g.cond(&p, || g.constant(1.0f32), || g.constant(1i32));
    assert!(problems(&g, &[&x]).to_string().contains("error[if.results]"));

    // Poison that goes into closures is silent there.
    let g = Graph::new("g");
    let bad = g.constant([1.0f32]) + g.constant([1i32]);
    let x = kiln_builder::custom_vjp("c", &[&bad], |x| vec![x[0].sum(3)], |_, _, ct| vec![ct[0].clone()]);
    let (y, _) = g.scan(bad.clone(), g.constant(0.0f32), |c, x| (c + x.sum(7), x));
    let z = g.fori_loop(3, bad, |_, x| x.reshape([7]));
    let w = g.cond(&z, || y.exp(), || x[0].sum(9));
    assert_eq!(problems(&g, &[&w]).0.len(), 1);

    // Poison inside of a body is reported once, where it came from.
    let g = Graph::new("g");
    let x = g.fori_loop(3, g.constant([1.0f32, 2.0]), |_, x| x + g.constant([1.0f32; 3]));
    let d = problems(&g, &[&x]);
    assert!(d.0.len() == 1 && d.0[0].code == "add.broadcast", "{d}");
}

#[test]
fn gradients() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims![3]);
    let d = grad(&x.exp(), &[&x]);
    let text = problems(&g, &[&d[0]]).to_string();
    assert!(text.contains("error[grad.loss]") && text.contains("the loss is f32[3]"), "{text}");

    let g = Graph::new("g");
    let i = g.placeholder::<i32>("i", dims![3]);
    let loss = i.cast::<f32>().sum(..);
    let d = grad(&loss, &[&i]);
    assert!(problems(&g, &[&d[0]]).to_string().contains("only floats and complex numbers have derivatives"));

    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["n"]);
    let line = line!() + 1;
    let p = x.prod(..);
    let d = grad(&p, &[&x]);
    let e = problems(&g, &[&d[0]]);
    assert_eq!((e.0.len(), e.0[0].code.as_str(), e.0[0].loc.line()), (1, "autodiff.reduce", Some(line)), "{e}");
}

#[test]
fn axes_shapes_and_names() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims![2, 3]);
    assert!(x.sum(2).is_poisoned());
    assert!(x.sum([0, 0]).is_poisoned());
    assert!(x.reshape([4, -1]).is_poisoned());
    assert!(x.slice(kiln_builder::s![5]).is_poisoned());
    assert!(x.squeeze(0).is_poisoned());
    assert!(g.placeholder::<f32>("x", dims![1]).is_poisoned());
    assert!(g.variable("v", init::zeros(dims!["n"])).is_poisoned());
    assert!(g.einsum("ij,jk", &[&x]).is_poisoned());
    assert!(x.split(2, 1)[0].is_poisoned());
    let codes: Vec<String> = g.diagnostics().0.into_iter().map(|d| d.code).collect();
    let expected = [
        "reduce.axis",
        "reduce.axes",
        "reshape.infer",
        "slice.index",
        "squeeze.size",
        "placeholder.name",
        "variable.shape",
        "einsum.equation",
        "split.size",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn functions() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims![3]);
    let w = g.variable("w", init::zeros([3]));
    let spec = |u: Updates| g.function([&x]).updates(u).finish().unwrap_err().to_string();
    assert!(spec(Updates::new().with(&x, &x)).contains("only a variable can be updated"));
    assert!(spec(Updates::new().with(&w, &x.sum(..))).contains("the variable is f32[3], the value f32[]"));
    assert!(spec(Updates::new().with(&w, &x).with(&w, &w)).contains("updated twice"));
    let twice = g.function([]).named("a", &x).named("a", &w).finish().unwrap_err().to_string();
    assert!(twice.contains("two fetches are named \"a\""));
    // Nothing of this sticks to the graph.
    assert!(g.function([&x]).finish().is_ok());
}
