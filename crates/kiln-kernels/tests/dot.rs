//! Matrix products against a plain loop: every element type, instruction set, layout and path.

mod common;

use common::{Reader, Rng, Values, available_isas, call, random_values};
use kiln_ir::DType;
use kiln_kernels::{ThreadPool, call_info, check_call, with_isa};
use kiln_program::call::{BatchDim, Call, CallInfo, CallParams, DotParams};

/// The product by definition, in f64 (exact for the small integers that the tests use, wrapped where integers wrap),
/// together with `sum |a * b|`, which the error bounds refer to.
fn reference(p: &DotParams, a: &Values, b: &Values, mut check: impl FnMut(usize, f64, f64, i128)) {
    let (a, b) = (Reader::new(a), Reader::new(b));
    let total: usize = p.batch.iter().map(|dim| dim.extent).product();
    for batch in 0..total {
        let (mut rest, mut a0, mut b0, mut c0) = (batch, 0, 0, 0);
        for dim in p.batch.iter().rev() {
            let digit = (rest % dim.extent) as isize;
            rest /= dim.extent;
            (a0, b0, c0) = (a0 + digit * dim.a_stride, b0 + digit * dim.b_stride, c0 + digit * dim.c_stride);
        }
        for i in 0..p.m as isize {
            for j in 0..p.n as isize {
                let (mut sum, mut magnitude, mut wrapped) = (0.0, 0.0, 0i128);
                for q in 0..p.k as isize {
                    let x = (a0 + i * p.a_row + q * p.a_col) as usize;
                    let y = (b0 + q * p.b_row + j * p.b_col) as usize;
                    let term = a.floats[x] * b.floats[y];
                    sum += term;
                    magnitude += term.abs();
                    if !a.integers.is_empty() {
                        wrapped = wrapped.wrapping_add(a.integers[x].wrapping_mul(b.integers[y]));
                    }
                }
                check((c0 + i * p.c_row + j * p.c_col) as usize, sum, magnitude, wrapped);
            }
        }
    }
}

/// Runs the parameters on random operands and compares; elements of c between the strided ones must not change.
fn check(p: &DotParams, rng: &mut Rng, pool: Option<&ThreadPool>) {
    let op = Call::Dot(p.clone());
    op.validate().unwrap_or_else(|message| panic!("{message}: {p:?}"));
    let elements = |operand: usize| common::needed_elements(&op, operand, p.dtype);
    let a = random_values(p.dtype, elements(0), rng);
    let b = random_values(p.dtype, elements(1), rng);
    let mut c = random_values(p.dtype, elements(2), rng);
    let before = c.clone();
    call(&op, &a, &b, &mut c, pool);
    let mut written = vec![false; c.len()];
    reference(p, &a, &b, |at, sum, magnitude, wrapped| {
        written[at] = true;
        common::assert_close(&c, at, sum, magnitude, wrapped, p.k, &format!("{p:?}"));
    });
    for (at, written) in written.iter().enumerate() {
        assert!(*written || c.float(at) == before.float(at), "element {at} of c was overwritten: {p:?}");
    }
}

/// A layout of a matrix: strides of rows and columns.
fn layout(kind: usize, rows: usize, cols: usize) -> (isize, isize) {
    let (rows, cols) = (rows as isize, cols as isize);
    match kind {
        0 => (cols.max(1), 1),
        1 => (1, rows.max(1)),
        2 => (cols + 3, 1),
        3 => (1, rows + 5),
        _ => (2 * cols + 1, 2),
    }
}

fn params(dtype: DType, (m, n, k): (usize, usize, usize), kinds: [usize; 3]) -> DotParams {
    let [(a_row, a_col), (b_row, b_col), (c_row, c_col)] =
        [layout(kinds[0], m, k), layout(kinds[1], k, n), layout(kinds[2], m, n)];
    let batch = Vec::new();
    DotParams { dtype, batch, m, n, k, a_row, a_col, b_row, b_col, c_row, c_col }
}

const SIZES: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (1, 67, 35),
    (67, 1, 35),
    (5, 3, 0),
    (0, 5, 3),
    (12, 32, 7),
    (13, 33, 40),
    (6, 16, 100),
    (37, 95, 61),
    (2, 7, 400),
    (130, 140, 90),
    (25, 17, 801),
];

#[test]
fn floats_of_all_sizes_and_layouts_on_all_instruction_sets() {
    let mut rng = Rng::new(1);
    for isa in available_isas() {
        for (index, &size) in SIZES.iter().enumerate() {
            // All pairs of layouts of two operands for the small sizes; the third goes along.
            let step = if size.0 * size.1 * size.2 > 50_000 { 3 } else { 1 };
            for kinds in (0..25).step_by(step) {
                for dtype in [DType::F32, DType::F64] {
                    let kinds = [kinds % 5, kinds / 5, (kinds + index) % 5];
                    with_isa(isa, || check(&params(dtype, size, kinds), &mut rng, None)).expect("available");
                }
            }
        }
    }
}

#[test]
fn all_element_types() {
    let mut rng = Rng::new(2);
    for isa in available_isas() {
        for dtype in DType::NATIVE {
            for (index, &size) in SIZES.iter().enumerate() {
                for c_kind in [0, 1, 4] {
                    let kinds = [index % 5, (index / 2) % 5, c_kind];
                    with_isa(isa, || check(&params(dtype, size, kinds), &mut rng, None)).expect("available");
                }
            }
        }
    }
}

/// Sizes beyond one block in every direction.
#[test]
fn several_blocks() {
    let mut rng = Rng::new(3);
    let pool = ThreadPool::new(3).expect("threads");
    for (dtype, size) in [
        (DType::F32, (30, 2100, 800)),
        (DType::F32, (1400, 40, 390)),
        (DType::F64, (40, 1600, 270)),
        (DType::BF16, (500, 50, 790)),
        (DType::F16, (30, 1100, 400)),
        (DType::I32, (13, 2100, 400)),
        // Few rows: a large B is read in place.
        (DType::F32, (9, 600, 70)),
        (DType::F64, (20, 300, 130)),
        (DType::BF16, (1, 700, 90)),
    ] {
        for kinds in [[0, 0, 0], [1, 1, 1]] {
            check(&params(dtype, size, kinds), &mut rng, Some(&pool));
        }
    }
}

/// Batches: contiguous, transposed among themselves, broadcast, shared; small and large enough to be grouped.
#[test]
fn batches() {
    let mut rng = Rng::new(4);
    let pool = ThreadPool::new(2).expect("threads");
    for dtype in [DType::F32, DType::F64, DType::I8, DType::F16] {
        for (m, n, k) in [(4, 5, 6), (1, 40, 33), (33, 1, 20), (20, 70, 64), (70, 40, 50)] {
            for kinds in [[0, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 4]] {
                for sharing in 0..5 {
                    let mut p = params(dtype, (m, n, k), kinds);
                    let (a, b, c) = (2 * (m * k) as isize, 2 * (k * n) as isize, 5 * (m * n) as isize);
                    let (a_shared, b_shared) = (sharing & 1 != 0, sharing & 2 != 0);
                    p.batch = vec![
                        BatchDim {
                            extent: 3,
                            a_stride: if a_shared { 0 } else { a },
                            b_stride: if b_shared { 0 } else { b },
                            c_stride: c,
                        },
                        BatchDim { extent: 1, a_stride: 5, b_stride: 6, c_stride: 7 },
                        // In c the dimensions are the other way round.
                        BatchDim {
                            extent: 2,
                            a_stride: 3 * a,
                            b_stride: if sharing > 2 { 0 } else { 3 * b },
                            c_stride: 3 * c,
                        },
                    ];
                    check(&p, &mut rng, Some(&pool));
                }
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut rng = Rng::new(6);
    for (size, kinds, dtype) in [
        ((150, 200, 500), [0, 0, 0], DType::F32),
        ((200, 300, 100), [0, 1, 1], DType::F32),
        ((1, 3000, 300), [0, 0, 0], DType::F32),
        ((1, 300, 3000), [0, 1, 0], DType::F32),
        ((150, 200, 500), [1, 0, 0], DType::BF16),
    ] {
        let p = params(dtype, size, kinds);
        let op = Call::Dot(p.clone());
        let elements = |operand: usize| common::needed_elements(&op, operand, dtype);
        let a = random_values(dtype, elements(0), &mut rng);
        let b = random_values(dtype, elements(1), &mut rng);
        let run = |threads: usize| {
            let pool = ThreadPool::new(threads).expect("threads");
            let mut c = Values::zeros(dtype, elements(2));
            call(&op, &a, &b, &mut c, Some(&pool));
            c
        };
        let alone = run(1);
        for threads in [2, 3, 7] {
            assert!(run(threads).as_bytes() == alone.as_bytes(), "{threads} threads: {p:?}");
        }
    }
}

#[test]
fn infinities_and_nans_propagate() {
    let mut p = params(DType::F32, (2, 3, 5), [0, 0, 0]);
    for (m, n) in [(2, 3), (1, 3), (40, 50)] {
        p = params(p.dtype, (m, n, 5), [0, 0, 0]);
        let mut a = Values::zeros(p.dtype, m * 5);
        let mut b = Values::zeros(p.dtype, n * 5);
        a.set(0, f64::INFINITY);
        b.set(0, 1.0);
        let mut c = Values::zeros(p.dtype, m * n);
        call(&Call::Dot(p.clone()), &a, &b, &mut c, None);
        assert_eq!(c.float(0), f64::INFINITY);
        assert!(c.float(1).is_nan(), "inf * 0");
    }
}

#[test]
fn bad_parameters_are_refused() {
    let good = params(DType::F32, (4, 5, 6), [0, 0, 0]);
    let op = |change: &dyn Fn(&mut DotParams)| {
        let mut p = good.clone();
        change(&mut p);
        Call::Dot(p)
    };
    let bytes = [4 * 24, 4 * 30, 4 * 20];
    let site = call_info(op(&|_| ()));
    assert_eq!(site.check_bounds(&bytes), Ok(()));
    for short in 0..3 {
        let mut bytes = bytes;
        bytes[short] -= 1;
        let message = site.check_bounds(&bytes).expect_err("short operand");
        assert!(message.contains(["a needs", "b needs", "c needs"][short]), "{message}");
    }
    assert!(site.check_bounds(&bytes[..2]).is_err());
    assert!(op(&|p| p.dtype = DType::C64).validate().is_err());
    assert!(op(&|p| p.c_row = 4).validate().is_err(), "overlapping rows");
    assert!(op(&|p| p.c_col = 0).validate().is_err(), "overlapping columns");
    assert!(op(&|p| p.a_row = -1).validate().is_err());
    assert!(op(&|p| p.m = usize::MAX).validate().is_err());
    assert!(op(&|p| (p.k, p.a_col, p.b_row) = (1 << 62, 0, 0)).validate().is_err());
    assert!(op(&|p| (p.m, p.n) = (1 << 40, 1 << 40)).validate().is_err());
    assert!(op(&|p| (p.m, p.n, p.a_row) = (1 << 59, 0, isize::MAX)).validate().is_err());
    let dim = BatchDim { extent: 2, a_stride: 0, b_stride: 0, c_stride: 0 };
    assert!(op(&|p| p.batch = vec![dim]).validate().is_err());
    let many = (0..9).map(|i| BatchDim { c_stride: 20 << i, ..dim }).collect::<Vec<_>>();
    assert!(op(&|p| p.batch = many.clone()).validate().is_err());
    let large = call_info(Call::Dot(params(DType::F32, (300, 300, 300), [0, 0, 0])));
    assert!(large.workspace > 0);
    assert!(large.check_bounds(&[360000, 360000, 360000]).is_err());
    assert!(large.check_bounds(&[360000, 360000, 360000, large.workspace - 1]).is_err());
    assert_eq!(large.check_bounds(&[360000, 360000, 360000, large.workspace]), Ok(()));
    let scant = CallInfo { workspace: large.workspace - 64, ..large.clone() };
    assert!(check_call(&large).is_ok() && check_call(&scant).expect_err("scant").contains("bytes of workspace"));
}
