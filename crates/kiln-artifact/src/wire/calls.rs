//! Call sites: each kind of call by its operator's name, with its parameters.

use super::codec::{Damage, Out, Rest, Wire, form, named};
use kiln_ir::DType;
use kiln_ir::op::{FftKind, TransposeKind};
use kiln_program::call::{
    BatchDim, Call, CallInfo, CallParams, CholeskyParams, ConvDim, ConvParams, DotParams, FftParams,
    TriangularSolveParams,
};

form!(CallInfo { call: Call, tables: u64, workspace: u64 });

impl<'f> Wire<'f> for Call {
    fn put(&self, out: &mut Out) {
        out.record(|out| {
            self.name().put(out);
            match self {
                Call::Dot(p) => p.put(out),
                Call::Convolution(p) => p.put(out),
                Call::Fft(p) => p.put(out),
                Call::Cholesky(p) => p.put(out),
                Call::TriangularSolve(p) => p.put(out),
            }
        });
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let mut fields = rest.record()?;
        Ok(match <&str>::take(&mut fields)? {
            "dot_general" => Call::Dot(Wire::take(&mut fields)?),
            "convolution" => Call::Convolution(Wire::take(&mut fields)?),
            "fft" => Call::Fft(Wire::take(&mut fields)?),
            "cholesky" => Call::Cholesky(Wire::take(&mut fields)?),
            "triangular_solve" => Call::TriangularSolve(Wire::take(&mut fields)?),
            other => return Err(format!("there is no call {other:?}")),
        })
    }
}

form!(DotParams {
    dtype: DType,
    batch: Vec<BatchDim>,
    m: usize,
    n: usize,
    k: usize,
    a_row: isize,
    a_col: isize,
    b_row: isize,
    b_col: isize,
    c_row: isize,
    c_col: isize,
});
form!(BatchDim { extent: usize, a_stride: isize, b_stride: isize, c_stride: isize });

form!(ConvParams {
    dtype: DType,
    batch: usize,
    input_features: usize,
    output_features: usize,
    feature_group_count: usize,
    batch_group_count: usize,
    spatial: Vec<ConvDim>,
    lhs_batch_stride: isize,
    lhs_feature_stride: isize,
    rhs_output_stride: isize,
    rhs_input_stride: isize,
    out_batch_stride: isize,
    out_feature_stride: isize,
});
form!(ConvDim {
    input: usize,
    window: usize,
    output: usize,
    stride: usize,
    padding_low: isize,
    padding_high: isize,
    lhs_dilation: usize,
    rhs_dilation: usize,
    reversal: bool,
    lhs_stride: isize,
    rhs_stride: isize,
    out_stride: isize,
});

form!(FftParams { dtype: DType, transform: FftKind, batch: usize, length: Vec<usize> });
named!(FftKind { Fft = "fft", Ifft = "ifft", Rfft = "rfft", Irfft = "irfft" });

form!(CholeskyParams { dtype: DType, interleaved: bool, batch: usize, n: usize, lower: bool });

form!(TriangularSolveParams {
    dtype: DType,
    interleaved: bool,
    batch: usize,
    n: usize,
    m: usize,
    left_side: bool,
    lower: bool,
    unit_diagonal: bool,
    transpose: TransposeKind,
});
named!(TransposeKind { NoTranspose = "no_transpose", Transpose = "transpose", Adjoint = "adjoint" });
