//! Comparison of results with what the numerics contract allows.

use kiln::ir::Tensor;

/// The first element that differs by more than `error`; with an error of 0 the bits have to be equal, except that any NaN equals
/// any NaN.
///
/// # Errors
/// What differs and where.
pub fn compare(found: &Tensor, expected: &Tensor, error: f64) -> Result<(), String> {
    if found.ty() != expected.ty() {
        return Err(format!("expected type {}, found {}", expected.ty(), found.ty()));
    }
    if found.bytes() == expected.bytes() {
        return Ok(());
    }
    let size = found.dtype().real_type().size();
    let (f, e) = (found.numbers(), expected.numbers());
    for i in 0..f.len() {
        let at = i * size..(i + 1) * size;
        let same_bits = found.bytes()[at.clone()] == expected.bytes()[at];
        let both_nan = f[i].is_nan() && e[i].is_nan();
        let near = error > 0.0 && (f[i] - e[i]).abs() <= error;
        if !(same_bits || both_nan || near) {
            return Err(format!(
                "element {i} of {}: expected {:?}, found {:?} (allowed error {error:e})",
                found.ty(),
                e[i],
                f[i]
            ));
        }
    }
    Ok(())
}
