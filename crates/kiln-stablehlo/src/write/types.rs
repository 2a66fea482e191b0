//! Types and lists as text.

use super::emit::Val;
use crate::ast::Element;
use kiln_ir::{Dim, TensorType};
use std::fmt::Display;

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
    text.push_str(&Element::name_of(ty.dtype));
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
