//! Runs a function group by group with emitted kernels and compares with the reference interpreter.

use crate::graph::G;
use kiln_ir::{DType, Func, Legal, Op, Tensor, Value, Verified};
use kiln_loops::interp::{InterpOptions, run_with};
use kiln_lower::emit::{Emitted, Operand, emit};
use kiln_plan::PlanOptions;
use kiln_plan::fusion::{FusionPlan, Group, GroupKind};
pub use kiln_testing::Rng;
use std::collections::HashMap;

/// The dtypes that kernels compute with.
pub fn loop_types() -> impl Iterator<Item = DType> {
    DType::ALL.into_iter().filter(|t| kiln_loops::is_loop_type(*t))
}

/// How input data is drawn.
#[derive(Clone, Copy)]
pub enum Data {
    /// Floats in (-2, 2), small integers.
    Plain,
    /// With NaN, infinities and signed zeros mixed in.
    Special,
}

pub fn random(dtype: DType, shape: &[usize], rng: &mut Rng, data: Data) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f64> = (0..n)
        .map(|_| {
            if dtype.is_float() {
                if let Data::Special = data {
                    match rng.bits() % 12 {
                        0 => return f64::NAN,
                        1 => return f64::INFINITY,
                        2 => return f64::NEG_INFINITY,
                        3 => return -0.0,
                        4 => return 0.0,
                        _ => {}
                    }
                }
                rng.unit() * 4.0 - 2.0
            } else if dtype.is_signed_int() {
                (rng.bits() % 23) as f64 - 11.0
            } else {
                (rng.bits() % 23) as f64
            }
        })
        .collect();
    let t = Tensor::from_vec(shape, values).unwrap();
    if dtype == DType::Bool {
        let b: Vec<bool> = t.as_slice::<f64>().unwrap().iter().map(|v| *v as i64 % 2 == 1).collect();
        return Tensor::from_vec(shape, b).unwrap();
    }
    kiln_interp::eval_op(&Op::Convert(dtype), &[t]).unwrap().remove(0)
}

/// The program for a CPU.
pub fn lowered(f: Func) -> kiln_lower::Lowered {
    let legal = Legal::new(Verified::new(f).expect("verified")).expect("legal");
    let planned = kiln_plan::plan(legal, &kiln_cpu::machine(), &PlanOptions::default()).expect("it has calls");
    kiln_lower::lower(&planned).expect("it has kernels")
}

/// The fusion plan for a CPU.
pub fn plan(f: &Func) -> FusionPlan {
    kiln_plan::fusion::plan(f, true, &kiln_cpu::machine())
}

/// Checks a graph on random data, fused and unfused.
pub fn check(g: G) -> Run {
    check_data(g, Data::Plain)
}

pub fn check_data(g: G, data: Data) -> Run {
    let mut rng = Rng(7);
    let inputs: Vec<Tensor> =
        g.f.inputs.iter().map(|i| random(i.ty.dtype, &i.ty.shape.as_sizes().unwrap(), &mut rng, data)).collect();
    check_with(g, &inputs)
}

/// What a fused run looked like.
pub struct Run {
    pub text: String,
    /// Launches of generated kernels.
    pub launches: usize,
    /// Groups of generated kernels.
    pub groups: usize,
    /// (input, output) pairs that may share memory.
    pub aliases: Vec<(Value, Value)>,
}

pub fn check_with(g: G, inputs: &[Tensor]) -> Run {
    let f = g.f;
    let expected = kiln_interp::eval(&f, inputs).unwrap_or_else(|e| panic!("reference: {e}"));
    let single = kiln_plan::fusion::plan(&f, false, &kiln_cpu::machine());
    compare(&f, &expected, &execute(&f, &single, inputs).0, "one node per group");
    let fused = plan(&f);
    check_plan(&f, &fused);
    let (got, launches, aliases) = execute(&f, &fused, inputs);
    compare(&f, &expected, &got, &fused.describe(&f));
    let groups = fused.groups.iter().filter(|g| g.kind == GroupKind::Kernel).count();
    Run { text: fused.describe(&f), launches, groups, aliases }
}

/// The outputs of a fused run.
pub fn execute_fused(f: &Func, inputs: &[Tensor]) -> Vec<Tensor> {
    execute(f, &plan(f), inputs).0
}

/// Everything read was computed before; every value is written once; outputs are written.
fn check_plan(f: &Func, p: &FusionPlan) {
    let mut known: Vec<Value> = Vec::new();
    for (id, n) in f.iter() {
        if matches!(n.op, Op::Parameter(_) | Op::Constant(_)) {
            known.push(id.into());
        }
    }
    for g in &p.groups {
        for i in &g.inputs {
            assert!(known.contains(i), "{i:?} is read before it is written\n{}", p.describe(f));
        }
        for o in &g.outputs {
            assert!(!known.contains(o), "{o:?} is written twice\n{}", p.describe(f));
            known.push(*o);
        }
        assert!(g.nodes.is_sorted() && g.inputs.is_sorted());
    }
    for o in &f.outputs {
        assert!(known.contains(&o.value), "output {} is not written", o.name);
    }
}

fn execute(f: &Func, p: &FusionPlan, inputs: &[Tensor]) -> (Vec<Tensor>, usize, Vec<(Value, Value)>) {
    let mut env: HashMap<Value, Tensor> = HashMap::new();
    for (id, n) in f.iter() {
        match &n.op {
            Op::Parameter(i) => {
                env.insert(id.into(), inputs[*i as usize].clone());
            }
            Op::Constant(t) => {
                env.insert(id.into(), t.clone());
            }
            _ => {}
        }
    }
    let (mut launches, mut aliases) = (0, Vec::new());
    for g in &p.groups {
        if g.kind != GroupKind::Kernel {
            let id = g.nodes[0];
            let node = f.node(id);
            let operands: Vec<Tensor> = node.operands.iter().map(|v| env[v].clone()).collect();
            let results = kiln_interp::eval_op(&node.op, &operands).unwrap();
            for (v, t) in f.results(id).zip(results) {
                env.insert(v, t);
            }
            continue;
        }
        let e = emit(f, g, &kiln_cpu::machine()).unwrap_or_else(|d| panic!("{d}"));
        launches += e.launches.len();
        let plain = run_group(f, g, &e, &env, false, false);
        let reversed = run_group(f, g, &e, &env, false, true);
        let shared = run_group(f, g, &e, &env, true, false);
        for ((v, a), (b, c)) in g.outputs.iter().zip(&plain).zip(reversed.iter().zip(&shared)) {
            assert!(same(a, b), "{v:?} depends on the order of iterations");
            assert!(same(a, c), "{v:?} differs in place");
        }
        aliases.extend(e.may_alias.iter().copied());
        for (v, t) in g.outputs.iter().zip(plain) {
            env.insert(*v, t);
        }
    }
    (f.outputs.iter().map(|o| env[&o.value].clone()).collect(), launches, aliases)
}

/// Equal up to the order of summation.
fn same(a: &Tensor, b: &Tensor) -> bool {
    if a.dtype().is_float() { difference(a, b, 1e-5).is_none() } else { a == b }
}

fn run_group(
    f: &Func,
    g: &Group,
    e: &Emitted,
    env: &HashMap<Value, Tensor>,
    in_place: bool,
    reverse: bool,
) -> Vec<Tensor> {
    let mut buffers: Vec<Vec<u8>> = Vec::new();
    let mut at: HashMap<Operand, usize> = HashMap::new();
    for &i in &g.inputs {
        at.insert(Operand::Value(i), buffers.len());
        buffers.push(env[&i].bytes().to_vec());
    }
    for &o in &g.outputs {
        let bytes = f.ty(o).num_bytes().unwrap();
        let copied = e.copy_in.iter().find(|p| p.1 == o);
        let alias = e.may_alias.iter().find(|p| p.1 == o && in_place);
        let free =
            alias.filter(|p| !at.iter().any(|(k, b)| *k != Operand::Value(p.0) && *b == at[&Operand::Value(p.0)]));
        if let Some((i, _)) = free {
            at.insert(Operand::Value(o), at[&Operand::Value(*i)]);
            continue;
        }
        at.insert(Operand::Value(o), buffers.len());
        buffers.push(match copied {
            Some((i, _)) => env[i].bytes().to_vec(),
            None => vec![0xA5; bytes],
        });
    }
    for (t, temp) in e.temps.iter().enumerate() {
        at.insert(Operand::Temp(t as u32), buffers.len());
        buffers.push(vec![0xA5; temp.len as usize * temp.dtype.size()]);
    }
    for l in &e.launches {
        if let Err(errors) = kiln_loops::verify::verify(&l.kernel) {
            panic!("{}\n{:#?}", errors.iter().map(|e| format!("{e}\n")).collect::<String>(), l.kernel);
        }
        // The interpreter takes exactly the buffers of the launch.
        let mut own: Vec<usize> = Vec::new();
        let mut of = Vec::new();
        for a in &l.args {
            let b = at[a];
            let k = own.iter().position(|x| *x == b).unwrap_or_else(|| {
                own.push(b);
                own.len() - 1
            });
            of.push(k);
        }
        let mut mine: Vec<Vec<u8>> = own.iter().map(|b| std::mem::take(&mut buffers[*b])).collect();
        let options = InterpOptions { reverse, ..InterpOptions::default() };
        run_with(&l.kernel, &mut mine, &of, options).unwrap_or_else(|e| panic!("{e}\n{:#?}", l.kernel));
        for (b, m) in own.iter().zip(mine) {
            buffers[*b] = m;
        }
    }
    let tensor = |o: &Value| {
        let ty = f.ty(*o);
        Tensor::from_bytes(ty.dtype, ty.shape.as_sizes().unwrap(), &buffers[at[&Operand::Value(*o)]]).unwrap()
    };
    g.outputs.iter().map(tensor).collect()
}

/// Relative tolerance per dtype: the polynomials of the kernels are within a few ULP of the reference, and sums run in
/// another order.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2e-3,
        DType::BF16 => 1.6e-2,
        DType::F32 => 2e-5,
        _ => 1e-12,
    }
}

fn compare(f: &Func, expected: &[Tensor], got: &[Tensor], what: &str) {
    for ((e, g), o) in expected.iter().zip(got).zip(&f.outputs) {
        assert_eq!((e.dtype(), e.shape()), (g.dtype(), g.shape()), "{}", o.name);
        if let Some(d) = difference(e, g, tolerance(e.dtype())) {
            panic!("output {} ({}): {d}\n{what}", o.name, e.ty());
        }
    }
}

fn difference(e: &Tensor, g: &Tensor, tolerance: f64) -> Option<String> {
    let wide = |t: &Tensor| {
        kiln_interp::eval_op(&Op::Convert(DType::F64), std::slice::from_ref(t)).unwrap()[0].to_vec::<f64>().unwrap()
    };
    if !e.dtype().is_float() {
        let at = e.bytes().iter().zip(g.bytes()).position(|(a, b)| a != b)? / e.dtype().size();
        return Some(format!("element {at}: expected {}, found {}", wide(e)[at], wide(g)[at]));
    }
    for (i, (a, b)) in wide(e).into_iter().zip(wide(g)).enumerate() {
        let equal = (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= tolerance * a.abs().max(1.0);
        if !equal {
            return Some(format!("element {i}: expected {a}, found {b}"));
        }
    }
    None
}
