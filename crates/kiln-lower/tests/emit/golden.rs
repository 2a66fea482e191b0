//! Kernels of the operators with nested functions as text, which the code generators' tests run and compile, too.
//! `KILN_BLESS=1 cargo test -p kiln-lower --test emit golden` rewrites them.

use crate::graph::G;
use kiln_ir::op::{CompareDirection, ScatterDims, Window, WindowDim};
use kiln_ir::{BinaryOp, DType, Func, Op, UnaryOp, Value};
use kiln_plan::fusion::plan;

/// Compares the first operands, downwards.
fn greater(types: &[DType]) -> Box<Func> {
    let pairs: Vec<DType> = types.iter().flat_map(|t| [*t, *t]).collect();
    G::nested(&pairs, |g, p| vec![g.cmp(CompareDirection::GT, p[0], p[1])])
}

/// The largest element with its index.
fn argmax() -> Box<Func> {
    G::nested(&[DType::F32, DType::I32, DType::F32, DType::I32], |g, p| {
        let first = g.cmp(CompareDirection::GE, p[0], p[2]);
        let value = g.op(Op::Select, &[first, p[0], p[2]]);
        vec![value, g.op(Op::Select, &[first, p[1], p[3]])]
    })
}

fn sort(g: &mut G, dim: usize, operands: &[Value]) {
    let types: Vec<DType> = operands.iter().map(|v| g.f.ty(*v).dtype).collect();
    for v in g.ops(Op::Sort { dim, stable: true, comparator: greater(&types) }, operands) {
        g.out(v);
    }
}

fn graphs() -> Vec<(&'static str, G)> {
    let mut list = vec![];
    let mut g = G::new();
    let x = g.x(&[3, 45]);
    let x = g.un(UnaryOp::Negate, x);
    sort(&mut g, 1, &[x]);
    list.push(("sort_values", g));
    let mut g = G::new();
    let x = g.input(DType::F16, &[6, 21]);
    sort(&mut g, 0, &[x]);
    list.push(("sort_in_lanes", g));
    let mut g = G::new();
    let operands = [DType::U8, DType::F64, DType::I16, DType::Bool].map(|t| g.input(t, &[19, 2]));
    sort(&mut g, 0, &operands);
    list.push(("sort_permutation", g));
    let mut g = G::new();
    let x = g.input(DType::I64, &[17_000]);
    let i = g.iota(DType::I32, &[17_000], 0);
    sort(&mut g, 0, &[x, i]);
    list.push(("sort_long", g));
    for (name, axis) in [("reduce_rows", 1), ("reduce_columns", 0)] {
        let mut g = G::new();
        let (x, low, none) = (g.x(&[9, 37]), g.scalar(f32::NEG_INFINITY), g.scalar(-1i32));
        let i = g.iota(DType::I32, &[9, 37], axis);
        let op = Op::GenericReduce { axes: [axis].as_slice().into(), body: argmax() };
        g.ops(op, &[x, i, low, none]).into_iter().for_each(|v| g.out(v));
        list.push((name, g));
    }
    let mut g = G::new();
    let (x, low, none) = (g.x(&[8, 37]), g.scalar(f32::NEG_INFINITY), g.scalar(-1i32));
    let i = g.iota(DType::I32, &[8, 37], 1);
    let w = WindowDim { size: 3, stride: 2, pad_low: 1, pad_high: 1, ..WindowDim::TRIVIAL };
    let window = Box::new(Window { dims: [w, w].into_iter().collect() });
    let op = Op::GenericReduceWindow { window: window.clone(), body: argmax() };
    g.ops(op, &[x, i, low, none]).into_iter().for_each(|v| g.out(v));
    list.push(("window", g));
    let mut g = G::new();
    let (x, s, init) = (g.x(&[8, 37]), g.x(&[4, 19]), g.scalar(0.5f32));
    let select = greater(&[DType::F32]);
    let scatter = G::nested(&[DType::F32; 2], |g, p| vec![g.sub(p[0], p[1])]);
    let y = g.op(Op::GenericSelectAndScatter { window, select, scatter }, &[x, s, init]);
    g.out(y);
    list.push(("select_and_scatter", g));
    let mut g = G::new();
    let (x, y, i) = (g.x(&[5, 12]), g.input(DType::I32, &[5, 12]), g.input(DType::I32, &[9]));
    let (u, v, k) = (g.x(&[9, 12]), g.input(DType::I32, &[9, 12]), g.x(&[]));
    let body = G::nested(&[DType::F32, DType::I32, DType::F32, DType::I32, DType::F32], |g, p| {
        let (a, b) = (g.mul(p[0], p[4]), g.bin(BinaryOp::Xor, p[1], p[3]));
        vec![g.add(a, p[2]), b]
    });
    let dims = ScatterDims {
        update_window_dims: [1].as_slice().into(),
        inserted_window_dims: [0].as_slice().into(),
        scatter_dims_to_operand_dims: [0].as_slice().into(),
        index_vector_dim: 1,
        ..ScatterDims::default()
    };
    let op = Op::GenericScatter { dims: Box::new(dims), body };
    g.ops(op, &[x, y, i, u, v, k]).into_iter().for_each(|v| g.out(v));
    list.push(("scatter", g));
    list
}

#[test]
fn golden_kernels() {
    let bless = std::env::var_os("KILN_BLESS").is_some();
    for (name, g) in graphs() {
        let plan = plan(&g.f, &Default::default());
        let launches = plan.groups.iter().flat_map(|p| kiln_lower::emit::emit(&g.f, p).unwrap().launches);
        // Of a long sort: the blocks, and the first pass with what it leaves over.
        for (i, l) in launches.take(3).enumerate() {
            let mut kernel = l.kernel;
            kiln_loops::simplify::simplify(&mut kernel);
            let (path, text) = (format!("tests/kernels/{name}_{i}.kl"), kiln_loops::text::print(&kernel));
            if bless {
                std::fs::write(&path, &text).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
            let line = golden.lines().zip(text.lines()).position(|(a, b)| a != b);
            assert!(golden == text, "{path} differs from line {:?} on", line.map(|l| l + 1));
        }
    }
}
