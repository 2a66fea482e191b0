//! Comparison of results with what the numerics contract allows.

use kiln::ir::{DType, Tensor};

/// The elements as f64 (exact for all but 64-bit integers); of complex tensors real and imaginary parts in turn.
pub fn to_f64(t: &Tensor) -> Vec<f64> {
    macro_rules! cast {
        ($t:ty, $f:expr) => {
            t.as_slice::<$t>().expect("the dtype is matched").iter().map($f).collect()
        };
    }
    match t.dtype() {
        DType::Bool => cast!(bool, |&x| f64::from(u8::from(x))),
        DType::I8 => cast!(i8, |&x| f64::from(x)),
        DType::I16 => cast!(i16, |&x| f64::from(x)),
        DType::I32 => cast!(i32, |&x| f64::from(x)),
        DType::I64 => cast!(i64, |&x| x as f64),
        DType::U8 => cast!(u8, |&x| f64::from(x)),
        DType::U16 => cast!(u16, |&x| f64::from(x)),
        DType::U32 => cast!(u32, |&x| f64::from(x)),
        DType::U64 => cast!(u64, |&x| x as f64),
        DType::I2
        | DType::I4
        | DType::U2
        | DType::U4
        | DType::F4E2M1FN
        | DType::F6E2M3FN
        | DType::F6E3M2FN
        | DType::F8E3M4
        | DType::F8E4M3
        | DType::F8E4M3B11FNUZ
        | DType::F8E4M3FN
        | DType::F8E4M3FNUZ
        | DType::F8E5M2
        | DType::F8E5M2FNUZ
        | DType::F8E8M0FNU
        | DType::F16
        | DType::BF16 => {
            let f64s = kiln::interp::eval_op(&kiln::ir::Op::Convert(DType::F64), std::slice::from_ref(t));
            to_f64(&f64s.expect("converts")[0])
        }
        DType::C64 | DType::C128 => {
            let parts = Tensor::from_bytes(t.dtype().real_type(), [2 * t.len()], t.bytes());
            to_f64(&parts.expect("a complex number is two floats"))
        }
        DType::F32 => cast!(f32, |&x| f64::from(x)),
        DType::F64 => cast!(f64, |&x| x),
    }
}

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
    let (f, e) = (to_f64(found), to_f64(expected));
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
