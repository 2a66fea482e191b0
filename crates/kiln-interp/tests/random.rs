//! Random bits against XLA (CPU, by way of JAX 0.10.2) and the authors' known answers.

mod common;

use common::t;
use kiln_interp::philox4x32;
use kiln_ir::op::RngAlgorithm;
use kiln_ir::{DType, Op, Tensor, TensorType};

const KEY: u64 = 0x9abc_def0_1234_5678;
const COUNTER: u64 = 0xffff_ffff_ffff_fffe;

fn bits(algorithm: RngAlgorithm, state: &[u64], dtype: DType, shape: &[usize]) -> (Vec<u64>, Vec<u64>) {
    let ty = TensorType::new(dtype, kiln_ir::Shape::from_sizes(shape));
    let op = Op::RngBitGenerator { algorithm, ty };
    let results = kiln_interp::eval_op(&op, &[t(&[state.len()], state)]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(results[1].shape(), shape);
    let element = |b: &[u8]| b.iter().rev().fold(0u64, |v, &b| v << 8 | u64::from(b));
    let values = results[1].bytes().chunks(dtype.size()).map(element).collect();
    (results[0].to_vec().expect("u64"), values)
}

#[test]
fn philox_gives_the_known_answers() {
    assert_eq!(philox4x32([0xffff_ffff; 2], [0xffff_ffff; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    assert_eq!(
        philox4x32([0xa409_3822, 0x299f_31d0], [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

#[test]
fn bits_are_laid_out_as_by_xla() {
    use RngAlgorithm::{Philox, ThreeFry};
    let six: &[u64] = &[0x78e50b5c, 0xd13f68cb, 0x7a6012f5, 0xb29a5028, 0x1f9672e0, 0x2ccb3c66];
    let wide: &[u64] = &[
        0xd13f68cb78e50b5c,
        0xb29a50287a6012f5,
        0x2ccb3c661f9672e0,
        0x8c473e42ec33af7f,
        0x50052cd8eac18854,
        0xf992ca57b256446b,
    ];
    let fry: &[u64] = &[0xb67b1508, 0xd04e5495, 0x22b3e624, 0xfaab5466, 0xed280379, 0xa0bb73c3];
    let fry_wide: &[u64] = &[
        0xd04e5495b67b1508,
        0xfaab546622b3e624,
        0xa0bb73c3ed280379,
        0x6232673119101b65,
        0x7911ffa65e33164e,
        0x6c92731a437c43ff,
    ];
    let shapes: [&[usize]; 3] = [&[], &[5], &[3, 2]];
    // Blocks taken by each shape: of elements of 64 bits, and of others.
    for (algorithm, narrow, wide, blocks) in
        [(Philox, six, wide, [[1, 1], [3, 2], [3, 2]]), (ThreeFry, fry, fry_wide, [[1, 1], [5, 3], [6, 3]])]
    {
        for (shape, [of_wide, of_narrow]) in shapes.into_iter().zip(blocks) {
            let n: usize = shape.iter().product();
            for dtype in [DType::U2, DType::U4, DType::U8, DType::U16, DType::U32, DType::U64, DType::I64] {
                let (state, values) = bits(algorithm, &[KEY, COUNTER], dtype, shape);
                let (source, taken) = if dtype.size() == 8 { (wide, of_wide) } else { (narrow, of_narrow) };
                let mask = u64::MAX >> (64 - dtype.bits());
                let want: Vec<u64> = source[..n].iter().map(|b| b & mask).collect();
                assert_eq!(values, want, "{algorithm:?} {dtype} {shape:?}");
                assert_eq!(state, [KEY, COUNTER.wrapping_add(taken)], "{algorithm:?} {dtype} {shape:?}");
            }
        }
    }
}

#[test]
fn the_long_state_of_philox_carries() {
    let state = [KEY, u64::MAX - 1, 7];
    let (next, values) = bits(RngAlgorithm::Philox, &state, DType::U32, &[10]);
    assert_eq!(next, [KEY, 1, 8]);
    let words = |x: u64| [x as u32, (x >> 32) as u32];
    let [k, l] = [words(KEY), words(8)];
    assert_eq!(values[8..], philox4x32(k, [0, 0, l[0], l[1]]).map(u64::from)[..2]);
    // The short form has the key for a high half.
    let (_, short) = bits(RngAlgorithm::Philox, &[KEY, 5], DType::U64, &[3]);
    assert_eq!(short, bits(RngAlgorithm::Philox, &[KEY, 5, KEY], DType::U64, &[3]).1);
}

#[test]
fn nothing_is_taken_for_nothing() {
    for (algorithm, state) in [(RngAlgorithm::Philox, vec![1, 2, 3]), (RngAlgorithm::ThreeFry, vec![1, 2])] {
        for dtype in [DType::U32, DType::U64] {
            let (next, values) = bits(algorithm, &state, dtype, &[3, 0]);
            assert_eq!((next, values.len()), (state.clone(), 0));
        }
    }
    let short = Tensor::from_slice([1], &[1u64]).expect("one word");
    let ty = TensorType::new(DType::U32, [1]);
    let op = Op::RngBitGenerator { algorithm: RngAlgorithm::Philox, ty };
    assert!(kiln_interp::eval_op(&op, &[short]).is_err());
}
