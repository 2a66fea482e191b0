use crate::{eval, run};
use kiln_builder::{DType, Graph, dims};
use kiln_ir::OutputKind;

fn moments(v: &[f64]) -> (f64, f64) {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    (mean, v.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n)
}

#[test]
fn distributions() {
    let g = Graph::new("g");
    let rng = g.rng_from_seed(7);
    let n = 4096;
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let u = rng.uniform(dtype, [n]);
        let z = rng.normal(dtype, [n]);
        let out = run(&g, &[&u.cast::<f64>(), &z.cast::<f64>()], &[]);
        let (u, z): (Vec<f64>, Vec<f64>) = (out[0].to_vec().unwrap(), out[1].to_vec().unwrap());
        assert!(u.iter().all(|x| (0.0..1.0).contains(x)));
        // Standard errors at this size are 0.0045 and 0.016; 5 of them leave no chance to chance.
        let (mean, var) = moments(&u);
        assert!((mean - 0.5).abs() < 0.023 && (var - 1.0 / 12.0).abs() < 0.006, "{dtype} {mean} {var}");
        let (mean, var) = moments(&z);
        assert!((mean).abs() < 0.08 && (var - 1.0).abs() < 0.12, "{dtype} {mean} {var}");
        assert!(z.iter().all(|x| x.is_finite()));
    }
    let b = rng.bernoulli(0.25, [n]).cast::<f64>();
    let share = moments(&run(&g, &[&b], &[])[0].to_vec::<f64>().unwrap()).0;
    assert!((share - 0.25).abs() < 0.034, "{share}");
    let k = run(&g, &[&rng.uniform_in(DType::F32, [n], -2.0, 3.0)], &[])[0].to_vec::<f32>().unwrap();
    assert!(k.iter().all(|x| (-2.0..3.0).contains(x)));
}

#[test]
fn draws_differ_and_repeat() {
    let g = Graph::new("g");
    let rng = g.rng_from_seed(1);
    let (a, b) = (rng.bits(DType::U32, [4]), rng.bits(DType::U32, [4]));
    let split = g.rng(&rng.split());
    let c = split.bits(DType::U32, [4]);
    let out = run(&g, &[&a, &b, &c], &[]);
    assert!(out[0] != out[1] && out[1] != out[2] && out[0] != out[2]);
    assert_eq!(run(&g, &[&a], &[])[0], out[0]);
}

#[test]
fn a_stateful_source_goes_on() {
    let g = Graph::new("g");
    let rng = g.rng_state("dropout", 42);
    let a = rng.uniform(DType::F32, dims![3]);
    let other = g.constant(1.0f32);
    let f = g.function([&a]).finish().unwrap();
    assert_eq!(f.outputs[1].kind, OutputKind::Update(0));
    // A function that does not draw leaves the state alone.
    assert_eq!(g.function([&other]).finish().unwrap().outputs.len(), 1);
    let first = eval(&f, &[]);
    let second = eval(&f, &[("dropout", first[1].clone())]);
    assert_ne!(first[0], second[0]);
}

#[test]
fn sources_in_loops_carry_their_state() {
    let g = Graph::new("g");
    let start = g.rng_from_seed(3).state();
    let (_, total) = g.fori_loop(3, (start, g.zeros(DType::F32, dims![])), |_, (state, total)| {
        let rng = g.rng(&state);
        let x = rng.uniform(DType::F32, dims![]);
        (rng.state(), total + x)
    });
    let sum = run(&g, &[&total], &[])[0].item::<f32>().unwrap();
    assert!(sum > 0.0 && sum < 3.0);
    let stateful = g.rng_state("s", 1);
    let _ = g.fori_loop(3, g.zeros(DType::F32, dims![]), |_, t| t + stateful.uniform(DType::F32, dims![]));
    assert!(g.diagnostics().to_string().contains("error[rng.closure]"));
}
