use crate::{close, run, t};
use kiln_builder::{Conv, DType, Expr, Graph, Pool, Tensor, custom_vjp, dims, grad, init, jvp, value_and_grad, vjp};

/// Gradients of `loss(x)` against central differences in f64.
#[track_caller]
fn check(shape: &[usize], loss: impl Fn(&Expr) -> Expr) {
    let g = Graph::new("g");
    let x = g.placeholder_dyn("x", DType::F64, kiln_builder::Shape::from_sizes(shape));
    let y = loss(&x).sum(..);
    let d = &grad(&y, &[&x])[0];
    let n: usize = shape.iter().product();
    let data: Vec<f64> = (0..n).map(|i| ((i * 7919 % 101) as f64 - 50.3) / 40.0).collect();
    let at = |data: &[f64], out: &Expr| run(&g, &[out], &[("x", Tensor::from_slice(shape, data).unwrap())]).remove(0);
    let got: Vec<f64> = at(&data, d).to_vec().unwrap();
    let h = 1e-5;
    for k in 0..n {
        let (mut up, mut down) = (data.clone(), data.clone());
        up[k] += h;
        down[k] -= h;
        let numeric = (at(&up, &y).item::<f64>().unwrap() - at(&down, &y).item::<f64>().unwrap()) / (2.0 * h);
        assert!((got[k] - numeric).abs() <= 1e-6 * numeric.abs().max(1.0), "element {k}: {} is not {numeric}", got[k]);
    }
}

#[test]
fn friendly_operators() {
    check(&[6], |x| x.softplus());
    check(&[6], |x| x.silu() + x.gelu() + x.gelu_tanh() + x.elu(0.7) + x.leaky_relu(0.1));
    check(&[2, 4], |x| x.softmax(-1).square());
    check(&[2, 4], |x| x.log_softmax(0).square());
    check(&[2, 4], |x| x.logsumexp(1));
    check(&[3, 4], |x| x.softmax_cross_entropy(&x.graph().constant([0i32, 3, 1])));
    check(&[5], |x| x.sigmoid_cross_entropy(&x.graph().constant([1.0f64, 0.0, 1.0, 0.5, 0.0])));
    check(&[3, 4], |x| x.var(0) + x.std(0) + x.mean(0));
    check(&[3, 4], |x| x.standardize(-1, 1e-5).pow(3));
    check(&[7], |x| x.cumsum(0).square() + x.cumprod(0));
    check(&[3, 4], |x| x.tril(1).matmul(&x.t()).square());
    check(&[2, 3, 2], |x| x.attention(x, x, None, None));
    check(&[3, 2], |x| x.graph().einsum("ij,kj,ij->ki", &[x, x, x]));
    check(&[3, 3], |x| x.graph().einsum("ii->i", &[x]).square());
    check(&[5, 2], |x| x.take(0, &x.graph().indices([4, 4, 0])).square());
    check(&[3, 4], |x| x.take_along_axis(1, &x.graph().indices([[1, 1], [3, 0], [2, 2]])).square());
    check(&[3, 2], |x| x.scatter_add(0, &x.graph().indices([1, 1]), x.slice_axis(0, 0..2, 1).square()).square());
    check(&[1, 2, 4, 4], |x| {
        let k = x.graph().constant([[[0.5f64, -1.0], [2.0, 0.3]], [[1.0, 0.1], [0.2, -0.4]]]).expand_dims(0);
        let y = x.conv(&k, &Conv::nchw().same());
        y.max_pool(&[2, 2], &Pool::nchw()) + y.avg_pool(&[2, 2], &Pool::nchw().same())
    });
}

#[test]
fn softplus_at_zero() {
    let g = Graph::new("g");
    let x = g.constant([0.0f32]);
    let d = &grad(&x.softplus().sum(..), &[&x])[0];
    let r = &grad(&x.relu().sum(..), &[&x])[0];
    let out = run(&g, &[d, r], &[]);
    close(&out[0], &[0.5]);
    close(&out[1], &[0.0]);
}

#[test]
fn forms_of_differentiation() {
    let g = Graph::new("g");
    let x = g.constant([1.0f32, 2.0, 3.0]);
    let w = g.variable("w", init::constant([3], 2.0));
    let unused = g.variable("unused", init::zeros([2]));
    let y = &x * &w * &w;
    let (loss, d) = value_and_grad(&y.sum(..), &[&w, &unused, &x]);
    let ct = g.constant([1.0f32, 0.0, -1.0]);
    let back = &vjp(&[&y], &[&ct], &[&w])[0];
    let forth = &jvp(&[&y], &[&w], &[&ct])[0];
    let second = &grad(&d[0].square().sum(..), &[&w])[0];
    let out = run(&g, &[&loss, &d[0], &d[1], &d[2], back, forth, second], &[]);
    close(&out[0], &[24.0]);
    close(&out[1], &[4.0, 8.0, 12.0]);
    close(&out[2], &[0.0, 0.0]);
    close(&out[3], &[4.0, 4.0, 4.0]);
    close(&out[4], &[4.0, 0.0, -12.0]);
    close(&out[5], &[4.0, 0.0, -12.0]);
    // d/dw of sum (2 x w)^2 = 8 x^2 w
    close(&out[6], &[16.0, 64.0, 144.0]);
}

#[test]
fn custom_derivatives() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims![3]);
    let half = g.constant(0.5f32);
    let y = custom_vjp("straight_through", &[&x], |x| vec![x[0].round() * &half], |_, _, ct| vec![&ct[0] * &half]);
    let d = &grad(&(&y[0] * 4).sum(..), &[&x])[0];
    let out = run(&g, &[&y[0], d], &[("x", t(&[3], &[0.4, 1.6, -2.2]))]);
    close(&out[0], &[0.0, 1.0, -1.0]);
    close(&out[1], &[2.0, 2.0, 2.0]);

    let w = g.variable("w", init::zeros([3]));
    let bad = custom_vjp("bad", &[&x], |x| vec![&x[0] * &w], |_, _, ct| vec![ct[0].clone()]);
    assert!(bad[0].is_poisoned());
    assert!(g.diagnostics().to_string().contains("its gradient would be lost"));
}

#[test]
fn stop_gradient() {
    let g = Graph::new("g");
    let x = g.constant([3.0f32]);
    let d = &grad(&(x.stop_gradient() * &x).sum(..), &[&x])[0];
    close(&run(&g, &[d], &[])[0], &[3.0]);
}

#[test]
fn training_a_small_network_by_hand() {
    let g = Graph::new("mlp");
    let x = g.placeholder::<f32>("x", dims!["batch", 2]);
    let labels = g.placeholder::<i32>("labels", dims!["batch"]);
    let ortho = |name: &str, shape: [usize; 2], seed| g.variable(name, init::orthogonal(shape).seed(seed));
    let (w1, w2) = (ortho("w1", [2, 8], 1), ortho("w2", [8, 2], 2));
    let b1 = g.variable("b1", init::zeros([8]));
    let logits = (x.dot(&w1) + &b1).tanh().dot(&w2);
    let loss = logits.softmax_cross_entropy(&labels).mean(..);
    let params = g.trainable_variables();
    let grads = grad(&loss, &params.iter().collect::<Vec<_>>());
    let updates: kiln_builder::Updates = params.iter().zip(&grads).map(|(p, d)| (p.clone(), p - d * 0.5)).collect();
    let f = g.function([&loss]).updates(updates).finish().unwrap();
    // Exclusive or.
    let data = t(&[4, 2], &[0., 0., 0., 1., 1., 0., 1., 1.]);
    let targets = Tensor::from_vec([4], vec![0i32, 1, 1, 0]).unwrap();
    let mut state: Vec<Tensor> = f.inputs[2..]
        .iter()
        .map(|i| match &i.kind {
            kiln_ir::InputKind::Variable(kiln_ir::Initializer::Value(v)) => v.clone(),
            _ => Tensor::zeros(i.ty.dtype, i.ty.shape.as_sizes().unwrap()).unwrap(),
        })
        .collect();
    let mut losses = Vec::new();
    for _ in 0..200 {
        let inputs: Vec<Tensor> = [data.clone(), targets.clone()].into_iter().chain(state.clone()).collect();
        let mut out = kiln_interp::eval(&f, &inputs).unwrap();
        losses.push(out.remove(0).item::<f32>().unwrap());
        state = out;
    }
    assert!(losses[199] < 0.1 && losses[0] > 0.5, "{:?}", (losses[0], losses[199]));
}

#[test]
fn narrow_types_keep_their_type() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["batch", 4]);
    for dtype in [DType::BF16, DType::F16] {
        let w = g.variable(&format!("w_{dtype}"), init::constant([4, 2], 0.5).dtype(dtype));
        // Products of narrow operands with a wide result.
        let y = x.cast_to(dtype).dot_as(&w, Some(DType::F32));
        let d = &grad(&y.softmax(-1).slice_axis(1, 0..1, 1).sum(..), &[&w])[0];
        assert_eq!(d.dtype(), dtype);
        let f = g.function([&d.cast::<f32>()]).finish().unwrap();
        let zeros = Tensor::zeros(dtype, [4, 2]).unwrap();
        let feeds = [t(&[2, 4], &[1., 2., 3., 4., 0., 1., 0., -1.]), zeros];
        // Both columns are equal, so each row's gradient is x / 4 and its negative; all values here are exact.
        close(&kiln_interp::eval(&f, &feeds).unwrap()[0], &[0.25, -0.25, 0.75, -0.75, 0.75, -0.75, 0.75, -0.75]);
    }
}

#[test]
fn gradients_stay_linear() {
    // Many layers that share their input: the gradient has a few nodes for each.
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["n", 8]);
    let w = g.variable("w", init::zeros([8, 8]));
    let mut h = x.clone();
    for _ in 0..300 {
        h = (h.dot(&w) + &x).tanh() + &h;
    }
    let d = &grad(&h.mean(..), &[&w])[0];
    let f = g.function([d]).finish().unwrap();
    assert!(f.nodes().len() < 300 * 20, "{}", f.nodes().len());
    kiln_ir::verify::verify(&f).unwrap();
}
