//! Running one operator over many values through the loop-IR interpreter, and error in ULP.
#![allow(dead_code)]

use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::interp::{InterpOptions, run_with};
use kiln_loops::math::is_basic;
use kiln_loops::types::expr_type;
use kiln_loops::{Access, Expr, Index, Kernel, KernelBuilder, LoopKind, Stmt, verify};
pub use kiln_testing::Rng;

fn bytes(t: DType, v: &[u64]) -> Vec<u8> {
    v.iter().flat_map(|b| b.to_le_bytes()[..t.size()].to_vec()).collect()
}

/// Every expression of an expanded kernel is in the basic set.
fn all_basic(k: &Kernel, stmts: &[Stmt]) {
    for s in stmts {
        match s {
            Stmt::Let { expr, .. } => {
                let mut operand = None;
                expr.for_each_operand(|v| operand = operand.or(k.var_type(v)));
                assert!(is_basic(expr, operand.unwrap_or(DType::F32)), "{expr:?} on {operand:?}");
            }
            Stmt::Loop(l) => all_basic(k, &l.body),
            Stmt::If { then, .. } => all_basic(k, then),
            Stmt::Store { .. } => {}
        }
    }
}

/// Applies `f(x0, x1, ...)` elementwise on bit patterns; gives the result type and bit patterns.
pub fn apply(
    types: &[DType],
    data: &[Vec<u64>],
    fused_fma: bool,
    f: impl FnOnce(&[kiln_loops::Var]) -> Expr,
) -> (DType, Vec<u64>) {
    let n = data[0].len() as u64;
    let mut b = KernelBuilder::new("op");
    let inputs: Vec<_> = types.iter().enumerate().map(|(i, t)| b.param(format!("x{i}"), *t, n, Access::Read)).collect();
    let axis = b.begin_loop(n, LoopKind::Vector);
    let at = Index::constant(0).plus_axis(axis, 1);
    let vars: Vec<_> = inputs.iter().map(|x| b.load(*x, at.clone())).collect();
    let expr = f(&vars);
    let t = expr_type(b.kernel(), &expr).expect("operands exist");
    let v = b.let_(expr);
    let out = b.param("y", t, n, Access::Write);
    b.store(out, at, v);
    let mut k = b.finish();
    verify::verify(&k).expect("the test kernel is well formed");
    let mut buffers: Vec<Vec<u8>> = types.iter().zip(data).map(|(t, d)| bytes(*t, d)).collect();
    buffers.push(vec![0; n as usize * t.size()]);
    let own: Vec<usize> = (0..buffers.len()).collect();
    run_with(&k, &mut buffers, &own, InterpOptions { fused_fma, reverse: false }).expect("the kernel runs");
    kiln_loops::math::expand(&mut k);
    verify::verify(&k).expect("the expanded kernel is well formed");
    all_basic(&k, &k.body);
    let out = buffers.pop().expect("the output");
    let bits = out
        .chunks(t.size())
        .map(|c| {
            let mut b = [0; 8];
            b[..c.len()].copy_from_slice(c);
            u64::from_le_bytes(b)
        })
        .collect();
    (t, bits)
}

pub fn unary32(op: UnaryOp, x: &[f32], fused: bool) -> Vec<f32> {
    let data = vec![x.iter().map(|v| u64::from(v.to_bits())).collect()];
    let (_, r) = apply(&[DType::F32], &data, fused, |v| Expr::Unary(op, v[0]));
    r.into_iter().map(|b| f32::from_bits(b as u32)).collect()
}

pub fn unary64(op: UnaryOp, x: &[f64], fused: bool) -> Vec<f64> {
    let data = vec![x.iter().map(|v| v.to_bits()).collect()];
    let (_, r) = apply(&[DType::F64], &data, fused, |v| Expr::Unary(op, v[0]));
    r.into_iter().map(f64::from_bits).collect()
}

pub fn binary32(op: BinaryOp, x: &[f32], y: &[f32], fused: bool) -> Vec<f32> {
    let bits = |v: &[f32]| v.iter().map(|v| u64::from(v.to_bits())).collect();
    let (_, r) = apply(&[DType::F32; 2], &[bits(x), bits(y)], fused, |v| Expr::Binary(op, v[0], v[1]));
    r.into_iter().map(|b| f32::from_bits(b as u32)).collect()
}

pub fn binary64(op: BinaryOp, x: &[f64], y: &[f64], fused: bool) -> Vec<f64> {
    let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect();
    let (_, r) = apply(&[DType::F64; 2], &[bits(x), bits(y)], fused, |v| Expr::Binary(op, v[0], v[1]));
    r.into_iter().map(f64::from_bits).collect()
}

/// Distance in representable numbers; 0 for two NaNs, large for one, and 2^31 for zeros of different sign.
pub fn ulp64(a: f64, b: f64) -> u64 {
    if a.is_nan() || b.is_nan() {
        return if a.is_nan() && b.is_nan() { 0 } else { u64::MAX };
    }
    if a == 0.0 && b == 0.0 {
        return if a.is_sign_negative() == b.is_sign_negative() { 0 } else { 1 << 31 };
    }
    let key = |v: f64| {
        let b = v.to_bits() as i64;
        if b < 0 { i64::MIN - b } else { b }
    };
    key(a).abs_diff(key(b))
}

/// Error of an f32 against a reference in f64, in units of the last place of the reference rounded to f32.
pub fn ulp32(got: f32, reference: f64) -> f64 {
    let r = reference as f32;
    if got.is_nan() || r.is_nan() {
        return if got.is_nan() && r.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if r == 0.0 && got == 0.0 {
        return if r.is_sign_negative() == got.is_sign_negative() { 0.0 } else { f64::INFINITY };
    }
    if r.is_infinite() || got.is_infinite() {
        // The number after the largest one counts as 2^128.
        if r == got {
            return 0.0;
        }
        let clamp = |v: f64| v.clamp(-(2f64.powi(128)), 2f64.powi(128));
        return (clamp(f64::from(got)) - clamp(reference)).abs() / 2f64.powi(104);
    }
    let exponent = (((r.to_bits() >> 23) & 0xff) as i32).max(1) - 127;
    (f64::from(got) - reference).abs() / 2f64.powi(exponent - 23)
}

/// Every exponent of f32 with `per` mantissas each and both signs, and values that functions treat specially.
pub fn sweep32(per: usize) -> Vec<f32> {
    let mut rng = Rng(7);
    let mut v = vec![];
    for e in 0..255u32 {
        for _ in 0..per {
            let m = rng.bits() as u32 & 0x7f_ffff;
            let s = (rng.bits() as u32 & 1) << 31;
            v.push(f32::from_bits(s | e << 23 | m));
        }
    }
    v.extend([0.0, 1.0, 0.5, 2.0, 3.0, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-45, 0.99999994, 1.0000001]);
    v.extend([
        88.72, 88.73, 103.9, 104.1, 87.33, 87.34, 0.925, 0.55, 0.625, 8388607.5, 8388608.5, 0.49999997, 1.5, 2.5,
    ]);
    let negative: Vec<f32> = v[v.len() - 25..].iter().map(|x| -x).collect();
    v.extend(negative);
    v.push(f32::NAN);
    v
}

/// Uniform values.
pub fn uniform32(lo: f32, hi: f32, n: usize) -> Vec<f32> {
    let mut rng = Rng(9);
    (0..n).map(|_| lo + (hi - lo) * (rng.bits() >> 40) as f32 / (1u32 << 24) as f32).collect()
}
