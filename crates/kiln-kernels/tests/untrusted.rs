//! Parameters as an untrusted file might hold them: checking never panics, and what passes the check runs without
//! touching anything outside its operands (they end at inaccessible pages).

mod common;

use common::{Rng, call, random_values};
use kiln_kernels::{BatchDim, ConvDim, ConvParams, DotParams, KernelDType, LibraryOp};

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
fn try_run(op: &LibraryOp, dtype: KernelDType, rng: &mut Rng) -> bool {
    if op.check_bounds(&[BYTES, BYTES, BYTES, 64 << 20]).is_err() || op.flops() > MOST_FLOPS {
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
        let dtype = KernelDType::ALL[round % 13];
        let batch = (0..rng.below(3))
            .map(|_| BatchDim {
                extent: size(&mut rng),
                a_stride: stride(&mut rng),
                b_stride: stride(&mut rng),
                c_stride: stride(&mut rng),
            })
            .collect();
        let op = LibraryOp::Dot(DotParams {
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
            prepacked_b: rng.below(4) == 0,
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
        let dtype = KernelDType::ALL[round % 13];
        let spatial = (0..rng.below(3))
            .map(|_| {
                let padding = |rng: &mut Rng| if rng.below(3) == 0 { stride(rng) } else { rng.range(-2, 5) };
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
        let op = LibraryOp::Convolution(ConvParams {
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
