use crate::check::{Case, shape};
use kiln_ir::op::{Axes, GatherDims, Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::{Op, UnaryOp, dims};

fn axes(a: &[usize]) -> Axes {
    a.iter().copied().collect()
}

/// Rows of a `[5, 3]` table.
fn rows() -> GatherDims {
    GatherDims {
        offset_dims: axes(&[1]),
        collapsed_slice_dims: axes(&[0]),
        start_index_map: axes(&[0]),
        index_vector_dim: 1,
        slice_sizes: shape(&[1, 3]),
        ..GatherDims::default()
    }
}

#[test]
fn gathers() {
    // Repeated and clamped indices.
    let mut c = Case::new();
    let x = c.x(&[5, 3]);
    let i = c.ints(&[4], vec![1, 1, 9, -2]);
    let y = c.op(Op::Gather(Box::new(rows())), &[x, i]);
    let z = c.un(UnaryOp::Sine, y);
    c.done(z);

    // Windows at two-component indices, index vector in front.
    let mut c = Case::new();
    let x = c.x(&[5, 4]);
    let i = c.ints(&[2, 3], vec![0, 3, 9, 1, 2, 0]);
    let d = GatherDims {
        offset_dims: axes(&[0, 2]),
        start_index_map: axes(&[1, 0]),
        index_vector_dim: 0,
        slice_sizes: shape(&[2, 2]),
        ..GatherDims::default()
    };
    let y = c.op(Op::Gather(Box::new(d)), &[x, i]);
    let z = c.un(UnaryOp::Sine, y);
    c.done(z);

    // Along an axis, batched.
    let mut c = Case::new();
    let x = c.x(&[3, 4]);
    let i = c.ints(&[3, 2], vec![3, 3, 0, 1, 2, 7]);
    let d = GatherDims {
        collapsed_slice_dims: axes(&[1]),
        operand_batching_dims: axes(&[0]),
        start_indices_batching_dims: axes(&[0]),
        start_index_map: axes(&[1]),
        index_vector_dim: 2,
        slice_sizes: shape(&[1, 1]),
        ..GatherDims::default()
    };
    let y = c.op(Op::Gather(Box::new(d)), &[x, i]);
    let z = c.un(UnaryOp::Sine, y);
    c.done(z);
}

#[test]
fn gather_from_a_symbolic_table() {
    let mut c = Case::new();
    let x = c.symbolic(dims!["rows", 3], &[5, 3]);
    let i = c.ints(&[4], vec![1, 1, 9, -2]);
    let y = c.op(Op::Gather(Box::new(rows())), &[x, i]);
    let z = c.un(UnaryOp::Sine, y);
    c.done(z);
}

fn scatter(update: ScatterUpdate, indices: Vec<i32>, unique: bool) {
    let mut c = Case::new();
    let x = c.x(&[5, 3]);
    let n = indices.len();
    let i = c.ints(&[n], indices);
    let u = c.x(&[n, 3]);
    let d = ScatterDims {
        update_window_dims: axes(&[1]),
        inserted_window_dims: axes(&[0]),
        scatter_dims_to_operand_dims: axes(&[0]),
        index_vector_dim: 1,
        unique_indices: unique,
        ..ScatterDims::default()
    };
    let y = c.op(Op::Scatter { dims: Box::new(d), update }, &[x, i, u]);
    let z = c.un(UnaryOp::Sine, y);
    c.done(z);
}

#[test]
fn scatters() {
    for update in [
        ScatterUpdate::Assign,
        ScatterUpdate::Combine(Reducer::Add),
        ScatterUpdate::Combine(Reducer::Multiply),
        ScatterUpdate::Combine(Reducer::Minimum),
        ScatterUpdate::Combine(Reducer::Maximum),
    ] {
        scatter(update, vec![3, 0, 4], true);
        // Repeated, and out of range on both sides (those updates are skipped).
        scatter(update, vec![3, 0, 3, 7, -1, 3], false);
    }
}

#[test]
fn scattered_windows() {
    for update in
        [ScatterUpdate::Assign, ScatterUpdate::Combine(Reducer::Add), ScatterUpdate::Combine(Reducer::Multiply)]
    {
        let mut c = Case::new();
        let x = c.x(&[2, 5, 4]);
        // Overlapping 2x2 windows; the last leaves the operand.
        let i = c.ints(&[2, 3, 2], vec![0, 0, 1, 1, 4, 3, 2, 2, 0, 1, 1, 0]);
        let u = c.x(&[2, 3, 2, 2]);
        let d = ScatterDims {
            update_window_dims: axes(&[2, 3]),
            input_batching_dims: axes(&[0]),
            scatter_indices_batching_dims: axes(&[0]),
            scatter_dims_to_operand_dims: axes(&[1, 2]),
            index_vector_dim: 2,
            ..ScatterDims::default()
        };
        let y = c.op(Op::Scatter { dims: Box::new(d), update }, &[x, i, u]);
        let z = c.un(UnaryOp::Sine, y);
        c.done(z);
    }
}
