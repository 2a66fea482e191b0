//! Element types of at most 8 bits.

use crate::cases::Case;
use crate::inputs::{SPECIAL, numbers, random};
use kiln::ir::op::Reducer;
use kiln::ir::{BinaryOp, DType, Op, UnaryOp};
use kiln::prelude::*;
use kiln_testing::Rng;

/// Every case by name.
pub fn all() -> Vec<(&'static str, fn(&str) -> Case)> {
    vec![("small_integers", small_integers), ("small_floats", small_floats)]
}

fn small_integers(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    for dtype in [DType::I4, DType::U4] {
        let (x, y) = (
            g.placeholder_dyn(&format!("x_{dtype}"), dtype, [60]),
            g.placeholder_dyn(&format!("y_{dtype}"), dtype, [60]),
        );
        let label = |what: &str| format!("{what}_{dtype}");
        for op in
            [BinaryOp::Add, BinaryOp::Multiply, BinaryOp::Subtract, BinaryOp::Maximum, BinaryOp::And, BinaryOp::Xor]
        {
            function = function.named(&label(op.name()), &g.emit(Op::Binary(op), &[&x, &y]));
        }
        let constant = random(&mut Rng::new(4), dtype, &[150]);
        function = function
            .named(&label("not"), &g.emit(Op::Unary(UnaryOp::Not), &[&x]))
            .named(&label("less"), &x.lt(&y))
            .named(&label("wide"), &x.cast::<i32>())
            .named(&label("float"), &x.cast::<f32>())
            .named(&label("narrowed"), &g.iota(DType::I32, [40], 0).cast_to(dtype))
            .named(&label("sum"), &x.reduce(Reducer::Add, ..))
            .named(&label("moved"), &x.reshape([6, 10]).t().flip([0]))
            .named(&label("constant"), &g.emit(Op::Constant(constant), &[]));
    }
    Case::new(name, &function, &[])
}

fn small_floats(name: &str) -> Case {
    let g = Graph::new(name);
    let mut function = g.function([]);
    let mut feeds = Vec::new();
    for dtype in [
        DType::F8E4M3FN,
        DType::F8E5M2,
        DType::F8E4M3B11FNUZ,
        DType::F8E4M3FNUZ,
        DType::F8E5M2FNUZ,
        DType::F8E4M3,
        DType::F8E3M4,
    ] {
        let label = |what: &str| format!("{what}_{dtype}");
        let mut rng = Rng::new(6);
        let values: Vec<f64> = SPECIAL.into_iter().chain((0..200).map(|_| rng.unit() * 20.0 - 10.0)).collect();
        let wide = g.placeholder::<f32>(&format!("wide_{dtype}"), [values.len()]);
        feeds.push((format!("wide_{dtype}"), numbers(DType::F32, &[values.len()], values)));
        let bytes: Vec<u8> = (0..=255).collect();
        let every = Tensor::from_bytes(dtype, [256], &bytes).expect("every pattern is an element");
        let x = g.placeholder_dyn(&format!("x_{dtype}"), dtype, [256]);
        feeds.push((format!("x_{dtype}"), every.clone()));
        let narrow = wide.cast_to(dtype);
        function = function
            .named(&label("narrow"), &narrow)
            .named(&label("wide"), &x.cast::<f32>())
            .named(&label("sum"), &(&x + &x.flip([0])))
            .named(&label("product"), &(&x * 3.0))
            .named(&label("larger"), &x.gt(x.flip([0])))
            .named(&label("constant"), &g.emit(Op::Constant(every), &[]).cast::<f32>());
    }
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    Case::new(name, &function, &feeds)
}
