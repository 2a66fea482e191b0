//! Every optimizer against a few lines of plain Rust, and schedules against their definitions.

use super::*;
use crate::testing::{Machine, assert_close, eval, f64s};
use kiln_builder::Tensor;

const START: [f64; 3] = [0.5, -1.25, 2.0];
const STEPS: usize = 5;

/// The gradient that step `t` is fed.
fn gradient(t: usize) -> [f64; 3] {
    let t = t as f64;
    [(1.0 + t).sin(), 0.3 * t - 0.7, -2.0 + t * t * 0.1]
}

fn setup(dtype: DType) -> (Graph, Expr, Expr) {
    let g = Graph::new("optimizers");
    let start = match dtype {
        DType::F32 => Tensor::from_vec([3], START.map(|x| x as f32).to_vec()).unwrap(),
        _ => f64s(&[3], &START),
    };
    let w = g.variable("w", init::value(start));
    let d = g.placeholder_dyn("d", dtype, [3]);
    (g, w, d)
}

/// `STEPS` steps of the optimizer in f64.
fn trained(optimizer: &dyn Optimizer) -> Machine {
    let (g, w, d) = setup(DType::F64);
    let updates = optimizer.apply(&[(w, d)]);
    let mut machine = Machine::new(&g.function([]).updates(updates));
    for t in 0..STEPS {
        machine.run(&[("d", &f64s(&[3], &gradient(t)))]);
    }
    machine
}

/// The same by a closure: (step from 1, element, value, gradient, state) -> value.
fn reference(mut update: impl FnMut(usize, f64, f64, &mut [f64; 3]) -> f64) -> Vec<f64> {
    let mut state = [[0.0; 3]; 3];
    let mut w = START.to_vec();
    for t in 0..STEPS {
        for i in 0..3 {
            w[i] = update(t + 1, w[i], gradient(t)[i], &mut state[i]);
        }
    }
    w
}

/// Rounding of five steps in f64.
const EXACT: f64 = 1e-14;

#[test]
fn sgd() {
    let found = trained(&Sgd::new(0.1).weight_decay(0.01));
    let expected = reference(|_, p, g, _| p - 0.1 * (g + 0.01 * p));
    assert_close(&found.state["w"], &expected, EXACT);
    assert_eq!(found.state.len(), 1, "plain descent keeps no state");
}

#[test]
fn sgd_with_momentum() {
    let found = trained(&Sgd::new(0.1).momentum(0.9));
    let expected = reference(|_, p, g, s| {
        s[0] = 0.9 * s[0] + g;
        p - 0.1 * s[0]
    });
    assert_close(&found.state["w"], &expected, EXACT);
    assert!(found.state.contains_key("w/sgd_momentum"));
}

#[test]
fn sgd_with_nesterov_momentum() {
    let found = trained(&Sgd::new(0.1).momentum(0.9).nesterov().weight_decay(0.1));
    let expected = reference(|_, p, g, s| {
        let g = g + 0.1 * p;
        s[0] = 0.9 * s[0] + g;
        p - 0.1 * (g + 0.9 * s[0])
    });
    assert_close(&found.state["w"], &expected, EXACT);
}

fn adam_step(t: usize, rate: f64, p: f64, g: f64, s: &mut [f64; 3]) -> f64 {
    let (b1, b2) = (0.9f64, 0.999f64);
    s[0] = b1 * s[0] + (1.0 - b1) * g;
    s[1] = b2 * s[1] + (1.0 - b2) * g * g;
    let (c1, c2) = (1.0 - b1.powi(t as i32), 1.0 - b2.powi(t as i32));
    p - rate * (s[0] / c1) / ((s[1] / c2).sqrt() + 1e-8)
}

#[test]
fn adam() {
    let found = trained(&Adam::new(0.05));
    // The reference loses about 1e-13 in 1 - 0.999^t.
    assert_close(&found.state["w"], &reference(|t, p, g, s| adam_step(t, 0.05, p, g, s)), 1e-12);
    assert_eq!(found.state["adam_step"].item::<i32>(), Ok(STEPS as i32));
    let found = trained(&Adam::new(0.05).weight_decay(0.1));
    assert_close(&found.state["w"], &reference(|t, p, g, s| adam_step(t, 0.05, p, g + 0.1 * p, s)), 1e-12);
}

#[test]
fn adam_w() {
    let found = trained(&AdamW::new(0.05).weight_decay(0.1));
    let expected = reference(|t, p, g, s| adam_step(t, 0.05, p * (1.0 - 0.05 * 0.1), g, s));
    assert_close(&found.state["w"], &expected, 1e-12);
    let found = trained(&AdamW::new(0.05).weight_decay(0.1).decay_filter(|n| n != "w"));
    assert_close(&found.state["w"], &reference(|t, p, g, s| adam_step(t, 0.05, p, g, s)), 1e-12);
}

#[test]
fn rms_prop() {
    let found = trained(&RmsProp::new(0.02));
    let expected = reference(|_, p, g, s| {
        s[0] = 0.99 * s[0] + 0.01 * g * g;
        p - 0.02 * g / (s[0].sqrt() + 1e-8)
    });
    assert_close(&found.state["w"], &expected, EXACT);
    let found = trained(&RmsProp::new(0.02).alpha(0.9).momentum(0.5).centered().weight_decay(0.1));
    let expected = reference(|_, p, g, s| {
        let g = g + 0.1 * p;
        s[0] = 0.9 * s[0] + 0.1 * g * g;
        s[1] = 0.9 * s[1] + 0.1 * g;
        s[2] = 0.5 * s[2] + g / ((s[0] - s[1] * s[1]).sqrt() + 1e-8);
        p - 0.02 * s[2]
    });
    assert_close(&found.state["w"], &expected, 1e-12);
}

#[test]
fn the_first_steps_of_adam_lose_nothing_in_f32() {
    // 1 - 0.999 in f32 would be off by 5e-5 of its value.
    let (g, w, d) = setup(DType::F32);
    let mut machine = Machine::new(&g.function([]).updates(Adam::new(0.05).apply(&[(w, d)])));
    for t in 0..STEPS {
        let d: Vec<f32> = gradient(t).iter().map(|&x| x as f32).collect();
        machine.run(&[("d", &Tensor::from_vec([3], d).unwrap())]);
    }
    assert_close(&machine.state["w"], &reference(|t, p, g, s| adam_step(t, 0.05, p, g, s)), 1e-6);
}

#[test]
fn half_precision_variables_have_f32_state() {
    let g = Graph::new("half");
    let w = g.variable("w", init::zeros([2]).dtype(DType::BF16));
    let d = g.placeholder_dyn("d", DType::BF16, [2]);
    let updates = Adam::new(0.1).apply(&[(w, d)]);
    let types: Vec<String> = updates.iter().map(|(v, e)| format!("{} {}", v.ty(), e.ty())).collect();
    assert_eq!(types, ["i32[] i32[]", "f32[2] f32[2]", "f32[2] f32[2]", "bf16[2] bf16[2]"]);
}

#[test]
fn clipping() {
    let (g, w, d) = setup(DType::F64);
    let updates = Sgd::new(1.0).clip_norm(1.0).apply(&[(w.clone(), d.clone())]);
    let new = updates.iter().next().unwrap().1.clone();
    let gradient = f64s(&[3], &[3.0, 0.0, -4.0]);
    let factor = 1.0 / (5.0 + 1e-6);
    let expected = [0.5 - 3.0 * factor, -1.25, 2.0 + 4.0 * factor];
    assert_close(&eval(&new, &[("d", &gradient)]), &expected, EXACT);
    let small = f64s(&[3], &[0.1, 0.0, 0.1]);
    assert_close(&eval(&new, &[("d", &small)]), &[0.4, -1.25, 1.9], EXACT);
    let updates = Sgd::new(1.0).clip_value(0.5).apply(&[(w, d)]);
    let new = updates.iter().next().unwrap().1.clone();
    assert_close(&eval(&new, &[("d", &gradient)]), &[0.0, -1.25, 2.5], EXACT);
    assert!(g.diagnostics().0.is_empty());
}

#[test]
fn schedules() {
    let at = |s: &Schedule, step: f64| {
        let g = Graph::new("schedule");
        eval(&s.at(&g.constant(step)), &[]).item::<f64>().unwrap()
    };
    let check = |s: Schedule, expected: &[(f64, f64)]| {
        for &(step, rate) in expected {
            assert!((at(&s, step) - rate).abs() < 1e-15, "{} at {step}, expected {rate}", at(&s, step));
        }
    };
    check(schedule::constant(0.5), &[(0.0, 0.5), (9.0, 0.5)]);
    check(schedule::linear_warmup(0.5, 5), &[(0.0, 0.1), (3.0, 0.4), (4.0, 0.5), (100.0, 0.5)]);
    check(schedule::linear(1.0, 0.0, 4), &[(0.0, 1.0), (1.0, 0.75), (4.0, 0.0), (9.0, 0.0)]);
    check(schedule::cosine(1.0, 4, 0.5), &[(0.0, 1.0), (2.0, 0.75), (4.0, 0.5), (9.0, 0.5)]);
    check(schedule::exponential(2.0, 0.5), &[(0.0, 2.0), (3.0, 0.25)]);
    check(schedule::step(1.0, 10, 0.5), &[(0.0, 1.0), (9.0, 1.0), (10.0, 0.5), (29.0, 0.25)]);
    let stairs = schedule::piecewise(1.0, &[(3, 0.5), (6, 0.25)]);
    check(stairs, &[(0.0, 1.0), (2.0, 1.0), (3.0, 0.5), (5.0, 0.5), (6.0, 0.25)]);
    check(schedule::cosine(1.0, 4, 0.5).warmup(2), &[(0.0, 0.5), (2.0, 0.75)]);
}

#[test]
fn a_schedule_counts_the_steps() {
    let found = trained(&Sgd::new(schedule::exponential(0.1, 0.5)));
    let expected = reference(|t, p, g, _| p - 0.1 * 0.5f64.powi(t as i32 - 1) * g);
    assert_close(&found.state["w"], &expected, EXACT);
    assert_eq!(found.state["sgd_step"].item::<i32>(), Ok(STEPS as i32));
}

#[test]
fn minimize_trains_what_the_loss_depends_on() {
    let g = Graph::new("two models");
    let (a, b) = (g.variable("a", init::constant([2], 1.0)), g.variable("b", init::ones([2])));
    let frozen = g.variable("frozen", init::ones([2]));
    let fixed = g.variable("fixed", init::ones([2]).trainable(false));
    let loss = (&a * &frozen * &fixed).square().sum(..);
    let updates = Sgd::new(0.1).filter(|n| n != "frozen").minimize(&loss);
    let names: Vec<_> = updates.iter().filter_map(|(v, _)| v.name()).collect();
    assert_eq!(names, ["a"]);
    let mut machine = Machine::new(&g.function([&loss]).updates(updates));
    machine.run(&[]);
    // d loss / d a = 2 a.
    assert_close(&machine.state["a"], &[0.8, 0.8], 1e-7);
    let _ = b;
}

#[test]
fn mistakes_are_diagnosed() {
    let g = Graph::new("nothing to train");
    let x = g.placeholder::<f32>("x", [2]);
    assert!(Sgd::new(0.1).minimize(&x.sum(..)).is_empty());
    assert_eq!(g.diagnostics().0[0].code, "optimizer.variables");

    let g = Graph::new("wrong gradient");
    let w = g.variable("w", init::zeros([2]));
    let d = g.placeholder::<f32>("d", [3]);
    assert!(Adam::new(0.1).apply(&[(w, d)]).is_empty());
    let d = &g.diagnostics().0[0];
    assert_eq!(d.code, "optimizer.gradient");
    assert!(d.loc.to_string().contains("tests.rs"), "{}", d.loc);
}
