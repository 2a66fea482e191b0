//! Kernels that are tested and measured.

use kiln_ir::op::Reducer;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::{Access, Index, Kernel, KernelBuilder, LoopKind};

/// Softmax of rows: three passes, the second stores what the third reads.
pub fn softmax(rows: u64, columns: u64) -> Kernel {
    let d = DType::F32;
    let mut b = KernelBuilder::new("softmax");
    let x = b.param("x", d, rows * columns, Access::Read);
    let y = b.param("y", d, rows * columns, Access::ReadWrite);
    b.for_loop(rows, LoopKind::Parallel, |b, r| {
        let place = |c| Index::constant(0).plus_axis(r, columns as i64).plus_axis(c, 1);
        let low = b.constant(d, f64::NEG_INFINITY);
        let max = b.reduce_loop(columns, LoopKind::Vector, Reducer::Maximum, low, |b, c| b.load(x, place(c)));
        let zero = b.constant(d, 0.0);
        let sum = b.reduce_loop(columns, LoopKind::Vector, Reducer::Add, zero, |b, c| {
            let v = b.load(x, place(c));
            let v = b.binary(BinaryOp::Subtract, v, max);
            let e = b.unary(UnaryOp::Exponential, v);
            b.store(y, place(c), e);
            e
        });
        let one = b.constant(d, 1.0);
        let scale = b.binary(BinaryOp::Divide, one, sum);
        b.for_loop(columns, LoopKind::Vector, |b, c| {
            let v = b.load(y, place(c));
            let v = b.binary(BinaryOp::Multiply, v, scale);
            b.store(y, place(c), v);
        });
    });
    b.finish()
}
