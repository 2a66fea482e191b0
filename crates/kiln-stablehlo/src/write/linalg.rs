//! Fourier transforms and linear algebra.

use super::emit::{Val, Writer, Written};
use super::types::{arrow, join, tensor};
use kiln_ir::op::{CompareDirection, FftKind, TransposeKind};
use kiln_ir::{DType, Node, Shape, Tensor, TensorType};

impl Writer<'_> {
    pub(super) fn fft(
        &mut self,
        node: &Node,
        x: &Val,
        kind: FftKind,
        length: &[i64],
        interleaved: bool,
    ) -> Written<Vec<Val>> {
        if interleaved {
            return self.unsupported(node, "complex numbers as pairs of floats");
        }
        let kind = kind.name().to_uppercase();
        let attrs = format!(", type = {kind}, length = [{}]", join(length));
        Ok(self.full(node, std::slice::from_ref(x), "fft", &attrs))
    }

    pub(super) fn cholesky(&mut self, node: &Node, a: &Val, lower: bool, interleaved: bool) -> Written<Vec<Val>> {
        if interleaved {
            return self.unsupported(node, "complex numbers as pairs of floats");
        }
        let factor = self.step(&a.ty, &format!("stablehlo.cholesky {}, lower = {lower} : {}", a.name, tensor(&a.ty)));
        // The other triangle is not defined.
        let rank = a.ty.rank();
        let matrix: Shape = a.ty.shape[rank - 2..].iter().cloned().collect();
        let positions = TensorType::new(DType::I32, matrix);
        let (row, column) = (self.iota(&positions, 0), self.iota(&positions, 1));
        let direction = if lower { CompareDirection::GE } else { CompareDirection::LE };
        let mut inside = self.compare(direction, &row, &column);
        if rank > 2 {
            let ty = a.ty.with_dtype(DType::Bool);
            let types = arrow(&[&inside], std::slice::from_ref(&ty));
            let text =
                format!("stablehlo.broadcast_in_dim {}, dims = [{}, {}] : {types}", inside.name, rank - 2, rank - 1);
            inside = self.step(&ty, &text);
        }
        let Ok(zero) = Tensor::zeros(a.ty.dtype, []) else { return self.unsupported(node, "no zero") };
        let zero = self.helper_constant(&zero);
        let zeros = self.splat(&zero, &a.ty.shape);
        let types = format!("{}, {}", tensor(&inside.ty), tensor(&a.ty));
        let text = format!("stablehlo.select {}, {}, {} : {types}", inside.name, factor.name, zeros.name);
        Ok(self.result(&a.ty, &text))
    }

    pub(super) fn triangular_solve(
        &mut self,
        node: &Node,
        x: &[Val],
        [left_side, lower, unit_diagonal]: [bool; 3],
        transpose: TransposeKind,
    ) -> Vec<Val> {
        let transpose = transpose.name().to_uppercase();
        let properties = format!(
            "left_side = {left_side}, lower = {lower}, transpose_a = #stablehlo<transpose {transpose}>, unit_diagonal = {unit_diagonal}"
        );
        let reserved = self.reserve(&node.types);
        self.generic(reserved, "triangular_solve", &[&x[0], &x[1]], &properties, &[])
    }
}
