//! Parameters as an untrusted file might hold them: checking never panics, and what passes the check runs without
//! touching anything outside its operands (they end at inaccessible pages).

mod common;

use common::{Rng, call, call_with_tables, random_values};
use kiln_ir::DType;
use kiln_ir::op::{FftKind, TransposeKind};
use kiln_kernels::call_info;
use kiln_program::call::{
    BatchDim, Call, CallInfo, CallParams, CholeskyParams, ConvDim, ConvParams, DotParams, FftParams,
    TriangularSolveParams,
};

/// Bytes of each operand.
const BYTES: usize = 4096;

/// Longest run to try, in operations: strides of 0 allow any number of terms.
const MOST_FLOPS: u64 = 1 << 20;

/// Mostly small sizes, sometimes one at a limit.
fn size(rng: &mut Rng) -> usize {
    match rng.below(12) {
        0 => 0,
        1 => [usize::MAX, 1 << 63, 1 << 60, 1 << 40, 1 << 32, 4096][rng.below(6)] - rng.below(3),
        2..5 => 1,
        _ => rng.below(20),
    }
}

/// Mostly strides that can occur, sometimes one at a limit.
fn stride(rng: &mut Rng) -> isize {
    match rng.below(12) {
        0 => [isize::MAX, isize::MIN, -1, 1 << 60, -(1 << 40), 1 << 59][rng.below(6)],
        1 => 0,
        2..6 => 1,
        _ => rng.below(200) as isize,
    }
}

/// Checks the parameters, and runs them when they pass. Whether they ran.
fn try_run(op: &Call, dtype: DType, rng: &mut Rng) -> bool {
    if common::check_bounds(op, &[BYTES; 3]).is_err() || op.flops() > MOST_FLOPS {
        return false;
    }
    if call_info(op.clone()).workspace > 64 << 20 {
        return false;
    }
    let elements = BYTES / dtype.size();
    let [a, b, mut c] = [(); 3].map(|()| random_values(dtype, elements, rng));
    call(op, &a, &b, &mut c, None);
    true
}

#[test]
fn products() {
    let mut rng = Rng::new(20);
    let mut ran = 0;
    for round in 0..60_000 {
        let dtype = DType::NATIVE[round % 13];
        let batch = (0..rng.below(3))
            .map(|_| BatchDim {
                extent: size(&mut rng),
                a_stride: stride(&mut rng),
                b_stride: stride(&mut rng),
                c_stride: stride(&mut rng),
            })
            .collect();
        let op = Call::Dot(DotParams {
            dtype,
            batch,
            m: size(&mut rng),
            n: size(&mut rng),
            k: size(&mut rng),
            a_row: stride(&mut rng),
            a_col: stride(&mut rng),
            b_row: stride(&mut rng),
            b_col: stride(&mut rng),
            c_row: stride(&mut rng),
            c_col: stride(&mut rng),
        });
        ran += usize::from(try_run(&op, dtype, &mut rng));
    }
    assert!(ran > 1000, "{ran} of the parameter sets passed");
}

#[test]
fn convolutions() {
    let mut rng = Rng::new(21);
    let mut ran = 0;
    for round in 0..60_000 {
        let dtype = DType::NATIVE[round % 13];
        let spatial = (0..rng.below(3))
            .map(|_| {
                let padding = |rng: &mut Rng| if rng.below(3) == 0 { stride(rng) } else { rng.range(-2, 5) as isize };
                let step = |rng: &mut Rng| if rng.below(3) == 0 { size(rng) } else { 1 };
                let mut dim = ConvDim {
                    input: size(&mut rng),
                    window: size(&mut rng),
                    output: 0,
                    stride: step(&mut rng),
                    padding_low: padding(&mut rng),
                    padding_high: padding(&mut rng),
                    lhs_dilation: step(&mut rng),
                    rhs_dilation: step(&mut rng),
                    reversal: rng.below(2) == 0,
                    lhs_stride: stride(&mut rng),
                    rhs_stride: stride(&mut rng),
                    out_stride: stride(&mut rng),
                };
                dim.output = dim.output_size().unwrap_or(7);
                dim
            })
            .collect();
        let groups = [(1, 1), (size(&mut rng), 1), (1, size(&mut rng))][rng.below(3)];
        let op = Call::Convolution(ConvParams {
            dtype,
            batch: size(&mut rng).wrapping_mul(groups.1),
            input_features: size(&mut rng).wrapping_mul(groups.0),
            output_features: size(&mut rng).wrapping_mul(groups.0.max(groups.1)),
            feature_group_count: groups.0,
            batch_group_count: groups.1,
            spatial,
            lhs_batch_stride: stride(&mut rng),
            lhs_feature_stride: stride(&mut rng),
            rhs_output_stride: stride(&mut rng),
            rhs_input_stride: stride(&mut rng),
            out_batch_stride: stride(&mut rng),
            out_feature_stride: stride(&mut rng),
        });
        ran += usize::from(try_run(&op, dtype, &mut rng));
    }
    assert!(ran > 1000, "{ran} of the parameter sets passed");
}

/// Checks the parameters, and runs them when they pass. Whether they ran.
fn try_run_with_tables(op: &Call, dtype: DType, inputs: usize, rng: &mut Rng) -> bool {
    if op.validate().is_err() {
        let site = CallInfo { call: op.clone(), tables: 0, workspace: 0 };
        assert!(site.check_bounds(&vec![BYTES as u64; inputs + 1]).is_err());
        return false;
    }
    let site = call_info(op.clone());
    let mut sizes = vec![BYTES as u64; inputs + 1];
    // Asked for before it is known that the operands are this large: must not fail, whatever they say.
    sizes.extend([site.tables, site.workspace].into_iter().filter(|&bytes| bytes > 0));
    if site.check_bounds(&sizes).is_err() || op.flops() > MOST_FLOPS || site.workspace > 64 << 20 {
        return false;
    }
    if sizes.len() > inputs + 1 {
        *sizes.last_mut().expect("tables or workspace") -= 1;
        assert!(site.check_bounds(&sizes).is_err(), "{op:?}");
    }
    let operands: Vec<_> = (0..inputs).map(|_| random_values(dtype, BYTES / dtype.size(), rng)).collect();
    let mut out = random_values(dtype, BYTES / dtype.size(), rng);
    call_with_tables(op, &operands.iter().collect::<Vec<_>>(), &mut out, None);
    true
}

#[test]
fn transforms() {
    use FftKind::{Fft, Ifft, Irfft, Rfft};
    let mut rng = Rng::new(22);
    let mut ran = 0;
    for _ in 0..4_000 {
        let dtype = DType::NATIVE[11 + rng.below(2) - usize::from(rng.below(20) == 0)];
        let transform = [Fft, Ifft, Rfft, Irfft][rng.below(4)];
        let rank = if rng.below(20) == 0 { [0, 4][rng.below(2)] } else { 1 + rng.below(3) };
        let length = (0..rank).map(|_| if rng.below(30) == 0 { 1 << 39 } else { size(&mut rng) }).collect();
        let op = Call::Fft(FftParams { dtype, transform, batch: size(&mut rng), length });
        ran += usize::from(try_run_with_tables(&op, dtype, 1, &mut rng));
    }
    assert!(ran > 500, "{ran} of the parameter sets passed");
}

#[test]
fn factorizations() {
    let mut rng = Rng::new(23);
    let mut ran = 0;
    for _ in 0..6_000 {
        let dtype = DType::NATIVE[11 + rng.below(2) - usize::from(rng.below(20) == 0)];
        let (batch, n, m) = (size(&mut rng), size(&mut rng), size(&mut rng));
        let mut bit = || rng.below(2) == 0;
        let (interleaved, left_side, lower, unit_diagonal) = (bit(), bit(), bit(), bit());
        let (op, inputs) = if bit() {
            (Call::Cholesky(CholeskyParams { dtype, interleaved, batch, n, lower }), 1)
        } else {
            let transpose = [TransposeKind::NoTranspose, TransposeKind::Adjoint][rng.below(2)];
            let op =
                TriangularSolveParams { dtype, interleaved, batch, n, m, left_side, lower, unit_diagonal, transpose };
            (Call::TriangularSolve(op), 2)
        };
        ran += usize::from(try_run_with_tables(&op, dtype, inputs, &mut rng));
    }
    assert!(ran > 500, "{ran} of the parameter sets passed");
}
