use crate::{close, eval, run, t};
use kiln_builder::{DType, Expr, Graph, dims, grad, init};
use kiln_ir::Op;

#[test]
fn loops() {
    let g = Graph::new("g");
    let n = g.placeholder::<i32>("n", dims![]);
    let k = g.constant(3.0f32);
    let (i, x) = g.while_loop((g.constant(0i32), g.constant(1.0f32)), |(i, _)| i.lt(&n), |(i, x)| (i + 1, x * &k));
    let out = run(&g, &[&i, &x], &[("n", kiln_builder::Tensor::scalar(4i32))]);
    assert_eq!(out[0].item::<i32>().unwrap(), 4);
    close(&out[1], &[81.0]);

    let sum = g.fori_loop(5, g.constant(0i32), |i, s| s + i);
    assert_eq!(run(&g, &[&sum], &[])[0].item::<i32>().unwrap(), 10);
    let sum = g.fori_loop(&n, g.constant(0i32), |i, s| s + i * 2);
    assert_eq!(run(&g, &[&sum], &[("n", kiln_builder::Tensor::scalar(4i32))])[0].item::<i32>().unwrap(), 12);
}

#[test]
fn scans_stack_their_outputs() {
    let g = Graph::new("g");
    let xs = g.placeholder::<f32>("xs", dims!["time", 2]);
    let k = g.constant(10.0f32);
    let (last, (sums, scaled)) = g.scan(&xs * 1, g.zeros(DType::F32, [2]), |sum, x| {
        let sum = sum + &x;
        (sum.clone(), (sum, x * &k))
    });
    let out = run(&g, &[&last, &sums, &scaled], &[("xs", t(&[3, 2], &[1., 2., 3., 4., 5., 6.]))]);
    close(&out[0], &[9.0, 12.0]);
    close(&out[1], &[1.0, 2.0, 4.0, 6.0, 9.0, 12.0]);
    close(&out[2], &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
}

#[test]
fn branches_capture() {
    let g = Graph::new("g");
    let p = g.placeholder::<bool>("p", dims![]);
    let i = g.placeholder::<i32>("i", dims![]);
    let x = g.constant([1.0f32, 2.0]);
    let y = g.constant([5.0f32, 6.0]);
    let z = g.cond(&p, || (&x + 1, y.clone()), || (&y * 2, x.clone()));
    let w = g.switch::<Expr>(&i, vec![Box::new(|| x.exp()), Box::new(|| &x + &y), Box::new(|| &y - &x)]).unwrap();
    for (flag, index) in [(true, 1), (false, 9)] {
        let feeds = [("p", kiln_builder::Tensor::scalar(flag)), ("i", kiln_builder::Tensor::scalar(index))];
        let out = run(&g, &[&z.0, &z.1, &w], &feeds);
        close(&out[0], if flag { &[2.0, 3.0] } else { &[10.0, 12.0] });
        close(&out[1], if flag { &[5.0, 6.0] } else { &[1.0, 2.0] });
        close(&out[2], if flag { &[6.0, 8.0] } else { &[4.0, 4.0] });
    }
}

#[test]
fn captures_pass_through_several_levels() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims![]);
    let y = g.fori_loop(2, x.zeros_like(), |_, outer| {
        let inner = g.fori_loop(3, outer, |_, s| g.cond(&x.gt(0), || &s + &x, || s.clone() - &x));
        inner + &x
    });
    close(&run(&g, &[&y], &[("x", t(&[], &[2.0]))])[0], &[16.0]);
    close(&run(&g, &[&y], &[("x", t(&[], &[-1.0]))])[0], &[4.0]);
}

#[test]
fn gradients_flow_through_loops_and_captures() {
    // h <- tanh(x_t + w h), loss = sum of all h: the gradient against differences.
    let g = Graph::new("rnn");
    let xs = g.placeholder::<f64>("xs", dims!["time"]);
    let w = g.variable("w", init::constant(dims![], 0.5).dtype(DType::F64));
    let (_, hs) = g.scan(xs.clone(), g.constant(0.0f64), |h, x| {
        let h = (x + &w * &h).tanh();
        (h.clone(), h)
    });
    let loss = hs.square().sum(..);
    let d = grad(&loss, &[&w, &xs]);
    let data = [0.3, -0.2, 0.8, 0.5];
    let at = |w: f64, xs: &[f64], out: &[&Expr]| {
        let f = g.function(out.iter().copied()).finish().unwrap();
        let feeds =
            [("xs", kiln_builder::Tensor::from_slice([4], xs).unwrap()), ("w", kiln_builder::Tensor::scalar(w))];
        eval(&f, &feeds)
    };
    let value = |w: f64, xs: &[f64]| at(w, xs, &[&loss])[0].item::<f64>().unwrap();
    let got = at(0.5, &data, &[&d[0], &d[1]]);
    let h = 1e-6;
    let numeric = (value(0.5 + h, &data) - value(0.5 - h, &data)) / (2.0 * h);
    assert!((got[0].item::<f64>().unwrap() - numeric).abs() < 1e-8);
    for k in 0..4 {
        let (mut up, mut down) = (data, data);
        up[k] += h;
        down[k] -= h;
        let numeric = (value(0.5, &up) - value(0.5, &down)) / (2.0 * h);
        assert!((got[1].as_slice::<f64>().unwrap()[k] - numeric).abs() < 1e-8);
    }
    // The loop with stacks serves the loss as well: two loops in the training function, one in evaluation.
    let loops = |out: &[&Expr]| {
        let f = g.function(out.iter().copied()).finish().unwrap();
        f.nodes().iter().filter(|n| matches!(n.op, Op::While { .. })).count()
    };
    assert_eq!(loops(&[&loss, &d[0]]), 2);
    assert_eq!(loops(&[&loss]), 1);
}

#[test]
fn gradients_inside_of_a_loop() {
    // Gradient descent in the graph: the minimum of (x - 3)^2.
    let g = Graph::new("g");
    let target = g.placeholder::<f32>("target", dims![]);
    let x = g.fori_loop(100, g.constant(0.0f32), |_, x| {
        let loss = (&x - &target).square();
        let dx = &grad(&loss, &[&x])[0];
        &x - dx * 0.1
    });
    close(&run(&g, &[&x], &[("target", t(&[], &[3.0]))])[0], &[3.0]);
    // A loss of outside, differentiated inside.
    let y = g.placeholder::<f32>("y", dims![]);
    let loss = y.square();
    let z = g.fori_loop(2, g.constant(0.0f32), |_, s| s + &grad(&loss, &[&y])[0]);
    close(&run(&g, &[&z], &[("y", t(&[], &[5.0]))])[0], &[20.0]);
}
