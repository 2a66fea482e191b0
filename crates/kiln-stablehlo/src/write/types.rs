//! Types and lists as text.

use super::emit::Val;
use kiln_ir::{DType, Dim, TensorType};
use std::fmt::Display;

/// The element type's name in MLIR.
pub(super) fn element(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "i1",
        DType::U2 => "ui2",
        DType::U4 => "ui4",
        DType::U8 => "ui8",
        DType::U16 => "ui16",
        DType::U32 => "ui32",
        DType::U64 => "ui64",
        DType::C64 => "complex<f32>",
        DType::C128 => "complex<f64>",
        // The others have the same name.
        DType::I2
        | DType::I4
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
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
        | DType::BF16
        | DType::F32
        | DType::F64 => dtype.name(),
    }
}

/// The size of a dimension.
pub(super) fn size(d: &Dim) -> i64 {
    d.as_const().expect("functions with named dimensions are refused before they are written")
}

/// `tensor<2x3xf32>`.
pub(super) fn tensor(ty: &TensorType) -> String {
    let mut text = String::from("tensor<");
    for d in ty.shape.iter() {
        text.push_str(&size(d).to_string());
        text.push('x');
    }
    text.push_str(element(ty.dtype));
    text.push('>');
    text
}

/// Types separated by commas.
pub(super) fn tensors<'a>(types: impl IntoIterator<Item = &'a TensorType>) -> String {
    types.into_iter().map(tensor).collect::<Vec<_>>().join(", ")
}

/// `(tensor<2xf32>, tensor<f32>) -> tensor<2xf32>`, with parentheses around any other number of results than one.
pub(super) fn arrow(operands: &[&Val], results: &[TensorType]) -> String {
    let from = tensors(operands.iter().map(|v| &v.ty));
    match results {
        [one] => format!("({from}) -> {}", tensor(one)),
        many => format!("({from}) -> ({})", tensors(many)),
    }
}

/// `1, 2, 3`.
pub(super) fn join<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(", ")
}

/// `array<i64: 1, 2>`.
pub(super) fn array<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    match join(items) {
        none if none.is_empty() => "array<i64>".to_owned(),
        some => format!("array<i64: {some}>"),
    }
}
