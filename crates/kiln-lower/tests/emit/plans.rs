//! Fusion plans as files: `tests/plans/*.plan`. `KILN_BLESS=1 cargo test` writes them anew.

use crate::driver::check;
use crate::graph::G;
use kiln_ir::op::{CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, Op, UnaryOp};
use std::path::Path;

fn snapshot(name: &str, g: G) {
    let f = g.f.clone();
    let r = check(g);
    let found = format!("{}\n{}", kiln_ir::text::print(&f), r.text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans").join(format!("{name}.plan"));
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, found, "the plan of `{name}` changed; KILN_BLESS=1 accepts it");
}

#[test]
fn softmax() {
    let mut g = G::new();
    let x = g.x(&[4, 8, 64]);
    let y = g.softmax(x);
    g.out(y);
    snapshot("softmax", g);
}

#[test]
fn layer_norm_into_dot() {
    let mut g = G::new();
    let (x, a, b, w) = (g.x(&[32, 64]), g.x(&[64]), g.x(&[64]), g.x(&[64, 16]));
    let (y, _, r) = g.layernorm(x, a, b);
    let z = g.dot(y, w);
    g.out(z);
    g.out(r);
    snapshot("layer_norm_into_dot", g);
}

#[test]
fn dense_relu_backward() {
    let mut g = G::new();
    let (x, w, b, dy) = (g.x(&[16, 24]), g.x(&[24, 32]), g.x(&[32]), g.x(&[16, 32]));
    let t = g.dot(x, w);
    let bb = g.colwise(b, t);
    let t = g.add(t, bb);
    let zero = g.k(0.0, t);
    let y = g.bin(BinaryOp::Maximum, t, zero);
    g.out(y);
    let mask = g.cmp(CompareDirection::GT, t, zero);
    let dt = g.op(Op::Select, &[mask, dy, zero]);
    let xt = g.transpose(x, &[1, 0]);
    let dw = g.dot(xt, dt);
    let db = g.sum(dt, &[0]);
    let lr = g.k(0.1, db);
    let step = g.mul(lr, db);
    let b2 = g.sub(b, step);
    g.out(dw);
    g.out(b2);
    snapshot("dense_relu_backward", g);
}

#[test]
fn expensive_values_are_computed_once() {
    let mut g = G::new();
    let (x, w) = (g.x(&[8, 8]), g.x(&[8, 8]));
    let e = g.un(UnaryOp::Tanh, x);
    let d = g.dot(e, w);
    let y = g.add(d, e);
    let t = g.transpose(e, &[1, 0]);
    let z = g.mul(t, y);
    g.out(z);
    snapshot("expensive_once", g);
}

#[test]
fn cheap_values_are_computed_again() {
    let mut g = G::new();
    let (x, w) = (g.x(&[8, 8]), g.x(&[8, 8]));
    let k = g.k(2.0, x);
    let c = g.mul(x, k);
    let s = g.sum(c, &[0]);
    let p = g.dot(w, w);
    let q = g.add(p, c);
    g.out(s);
    g.out(q);
    snapshot("cheap_again", g);
}

#[test]
fn sibling_column_sums() {
    let mut g = G::new();
    let (x, dy) = (g.x(&[64, 32]), g.x(&[64, 32]));
    let p = g.mul(x, dy);
    let (a, b) = (g.sum(p, &[0]), g.sum(dy, &[0]));
    let m = g.reduce(dy, &[1], Reducer::Maximum);
    g.out(a);
    g.out(b);
    g.out(m);
    snapshot("sibling_column_sums", g);
}

#[test]
fn reshapes_lie_between_calls_and_inside_kernels() {
    let mut g = G::new();
    let (x, w) = (g.x(&[4, 6, 8]), g.x(&[8, 8]));
    let y = g.un(UnaryOp::Negate, x);
    let r = g.reshape(y, &[24, 8]);
    let d = g.dot(r, w);
    let d = g.reshape(d, &[4, 6, 8]);
    let i = g.iota(DType::I32, &[4, 6, 8], 2);
    let i = g.op(Op::Convert(DType::F32), &[i]);
    let s = g.add(d, i);
    let s = g.reshape(s, &[4, 48]);
    g.out(s);
    snapshot("reshapes", g);
}
