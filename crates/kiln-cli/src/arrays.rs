//! Tensors in `.npz` files.
//!
//! NumPy has no bf16, no floats of 8 bits and less, no integers of 4 and 2 bits: files hold them as integers of the width in memory
//! (unsigned for floats, `int8` and `uint8` for small integers), or as raw bytes (`V1`, `V2`). The program knows the real type.

use kiln::ir::{DType, DTypeClass, Tensor};
use std::path::Path;

/// All arrays of a file by name.
///
/// # Errors
/// What is wrong with the file, with its name.
pub fn read(path: &Path) -> Result<Vec<(String, Tensor)>, String> {
    // The errors of the reader name the file.
    kiln::runtime::npy::read_npz(path).map_err(|e| e.to_string())
}

/// True when an array of type `stored` may hold elements of `dtype`, byte for byte.
fn holds(stored: DType, dtype: DType) -> bool {
    let bits_of_floats = (dtype == DType::BF16 || dtype == DType::F16 || dtype.mini_format().is_some())
        && stored.is_unsigned_int()
        && stored.size() == dtype.size();
    let small = dtype.is_int() && dtype.bits() < 8 && matches!(stored, DType::I8 | DType::U8);
    stored == dtype || bits_of_floats || small
}

/// The array as elements of the type that the program has.
///
/// # Errors
/// When the array is of another type, or an element is out of range.
pub fn as_type(array: &Tensor, dtype: DType) -> Result<Tensor, String> {
    let stored = array.dtype();
    if stored == dtype {
        return Ok(array.clone());
    }
    if !holds(stored, dtype) {
        return Err(format!("the array has elements of type {stored}, the program {dtype}"));
    }
    if let Some(i) = array.bytes().iter().position(|b| !dtype.is_element(*b) && dtype.size() == 1) {
        return Err(format!("element {i} of the array is no {dtype}: {:#04x}", array.bytes()[i]));
    }
    Tensor::from_bytes(dtype, array.shape(), array.bytes()).map_err(|e| e.to_string())
}

/// The same bytes under another type of the same size in bytes.
///
/// # Errors
/// When the sizes differ, or a byte is no element of the new type.
pub fn retype(t: &Tensor, ty: &kiln::ir::TensorType) -> Result<Tensor, String> {
    if t.ty() == *ty {
        return Ok(t.clone());
    }
    let shape = ty.shape.as_sizes().ok_or_else(|| format!("{ty} has no fixed shape"))?;
    Tensor::from_bytes(ty.dtype, &shape[..], t.bytes()).map_err(|e| format!("{} as {ty}: {e}", t.ty()))
}

/// The number of argument or result in a name such as `a12` or `r0`.
pub fn position(name: &str) -> Option<usize> {
    name.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()
}

/// The type that NumPy, ml_dtypes and JAX call by this name.
pub fn numpy_type(name: &str) -> Option<DType> {
    DType::ALL.into_iter().find(|d| numpy_name(*d) == name)
}

/// What NumPy, ml_dtypes and JAX call the type.
fn numpy_name(dtype: DType) -> String {
    let bits = dtype.bits();
    match dtype.class() {
        DTypeClass::Bool => "bool".to_owned(),
        DTypeClass::Signed => format!("int{bits}"),
        DTypeClass::Unsigned => format!("uint{bits}"),
        DTypeClass::Float if dtype == DType::BF16 => "bfloat16".to_owned(),
        DTypeClass::Float => format!("float{bits}"),
        DTypeClass::Complex => format!("complex{bits}"),
        // `f8E4M3FN` is `float8_e4m3fn`.
        DTypeClass::Mini => format!("float{bits}_{}", dtype.name()[2..].to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_taken_and_nothing_else() {
        let bits = Tensor::from_vec([2], vec![0x3f80u16, 0x4000]).expect("made");
        assert_eq!(as_type(&bits, DType::BF16).expect("bits of bf16").dtype(), DType::BF16);
        assert!(as_type(&bits, DType::F32).is_err());
        let small = Tensor::from_vec([3], vec![-8i8, 0, 7]).expect("made");
        assert_eq!(as_type(&small, DType::I4).expect("in range").dtype(), DType::I4);
        let large = Tensor::from_vec([1], vec![8i8]).expect("made");
        assert!(as_type(&large, DType::I4).expect_err("out of range").contains("element 0"));
        assert!(as_type(&Tensor::scalar(1i64), DType::I32).is_err());
        assert_eq!(as_type(&Tensor::scalar(0x38u8), DType::F8E4M3FN).expect("bits").dtype(), DType::F8E4M3FN);
    }

    #[test]
    fn names_of_numpy() {
        let expected = [("bool", DType::Bool), ("int4", DType::I4), ("uint16", DType::U16), ("float16", DType::F16)];
        let others = [
            ("bfloat16", DType::BF16),
            ("complex64", DType::C64),
            ("float4_e2m1fn", DType::F4E2M1FN),
            ("float8_e4m3b11fnuz", DType::F8E4M3B11FNUZ),
            ("float8_e8m0fnu", DType::F8E8M0FNU),
        ];
        for (name, dtype) in expected.into_iter().chain(others) {
            assert_eq!(numpy_type(name), Some(dtype));
        }
        assert_eq!(numpy_type("float8"), None);
    }

    #[test]
    fn positions() {
        assert_eq!(position("a12"), Some(12));
        assert_eq!(position("weights"), None);
    }
}
