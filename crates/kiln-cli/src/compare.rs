//! How results agree.

use kiln::ir::{DType, Op, Tensor};

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub enum Tolerance {
    /// Element for element (any NaN equals any NaN).
    Exact,
    /// `|found - expected| <= absolute + relative * |expected|`.
    Near {
        /// Absolute part.
        absolute: f64,
        /// Relative part.
        relative: f64,
    },
    /// Units in the last place.
    Ulps(u64),
}

/// The elements as f64 and, for the distance in ULPs, as ordered integers.
fn values(t: &Tensor) -> Result<Vec<f64>, String> {
    let wide = kiln::interp::eval_op(&Op::Convert(DType::F64), std::slice::from_ref(t)).map_err(|e| e.to_string())?;
    wide[0].to_vec::<f64>().map_err(|e| e.to_string())
}

/// The position of a number in the order of all numbers of its type: neighbours differ by one.
fn ordinal(bytes: &[u8]) -> i128 {
    let mut raw = [0u8; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(raw);
    let sign = 1u64 << (bytes.len() * 8 - 1);
    if bits & sign == 0 { i128::from(bits) } else { -i128::from(bits & (sign - 1)) }
}

/// The first element that does not agree.
///
/// # Errors
/// What differs and where.
pub fn compare(found: &Tensor, expected: &Tensor, tolerance: Tolerance) -> Result<(), String> {
    if found.ty() != expected.ty() {
        return Err(format!("expected type {}, found {}", expected.ty(), found.ty()));
    }
    if found.bytes() == expected.bytes() {
        return Ok(());
    }
    let float = found.dtype().is_float();
    let (f, e) = (values(found)?, values(expected)?);
    let size = found.dtype().size();
    for i in 0..f.len() {
        let bytes = |t: &Tensor| ordinal(&t.bytes()[i * size..(i + 1) * size]);
        let same = if float { f[i] == e[i] || f[i].is_nan() && e[i].is_nan() } else { bytes(found) == bytes(expected) };
        let near = float
            && match tolerance {
                Tolerance::Exact => false,
                Tolerance::Near { absolute, relative } => (f[i] - e[i]).abs() <= absolute + relative * e[i].abs(),
                Tolerance::Ulps(n) => {
                    f[i].is_finite() && e[i].is_finite() && bytes(found).abs_diff(bytes(expected)) <= u128::from(n)
                }
            };
        if !(same || near) {
            let (x, y) = (f[i], e[i]);
            return Err(format!("element {i} of {}: expected {y:?}, found {x:?} ({tolerance:?})", found.ty()));
        }
    }
    Ok(())
}
