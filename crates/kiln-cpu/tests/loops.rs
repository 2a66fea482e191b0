//! Loop nests, reductions, scratch, conditions and indirect accesses, against the interpreter.

mod common;
mod kernels;

use common::{READ, Rng, WRITE, buffers, check, elements, loop_types, options, run_compiled};
use kernels::softmax;
use kiln_ir::op::{CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::{Index, Kernel, KernelBuilder, LoopKind};

fn at(offset: i64) -> Index {
    Index::constant(offset)
}

fn neutral(op: Reducer, d: DType) -> f64 {
    match op {
        Reducer::Add | Reducer::Or | Reducer::Xor => 0.0,
        Reducer::Multiply => 1.0,
        Reducer::And => {
            if d == DType::Bool {
                1.0
            } else {
                -1.0
            }
        }
        Reducer::Minimum => f64::INFINITY,
        Reducer::Maximum => f64::NEG_INFINITY,
    }
}

fn accepts(op: Reducer, d: DType) -> bool {
    kiln_loops::types::binary_accepts(op.binary(), d)
}

/// Rows folded: `y[r] = init op x[r][0] op ...`.
fn row_reduction(op: Reducer, d: DType, rows: u64, columns: u64, kind: LoopKind) -> Kernel {
    let mut b = KernelBuilder::new(format!("{} {d} {rows}x{columns} {kind:?}", op.name()));
    let x = b.param("x", d, rows * columns, READ);
    let y = b.param("y", d, rows, WRITE);
    b.for_loop(rows, LoopKind::Parallel, |b, r| {
        let init = b.constant(d, neutral(op, d));
        let v = b
            .reduce_loop(columns, kind, op, init, |b, c| b.load(x, at(0).plus_axis(r, columns as i64).plus_axis(c, 1)));
        b.store(y, at(0).plus_axis(r, 1), v);
    });
    b.finish()
}

/// Sums are exact here, so any order gives the same bits: small whole numbers.
fn whole_numbers(kernel: &Kernel, rng: &mut Rng) -> Vec<Vec<u8>> {
    let number = |d: DType, rng: &mut Rng| {
        let v = rng.below(9) as f64 - 4.0;
        kiln_loops::Const::from_f64(d, if d == DType::Bool { v.max(0.0) } else { v }).bits
    };
    let whole = |p: &kiln_loops::Param, rng: &mut Rng| {
        (0..p.len).flat_map(|_| number(p.dtype, rng).to_le_bytes().into_iter().take(p.dtype.size())).collect()
    };
    kernel.params.iter().map(|p| whole(p, rng)).collect()
}

fn check_exact(kernel: &Kernel, seed: u64) {
    if let Err(errors) = kiln_loops::verify::verify(kernel) {
        panic!("{}", errors[0]);
    }
    let mut rng = Rng(seed);
    let mut expected = whole_numbers(kernel, &mut rng);
    let mut found = [expected.clone()];
    run_compiled(std::slice::from_ref(kernel), &mut found, 1 + seed % 3, &options());
    kiln_loops::interp::run(kernel, &mut expected).expect("interprets");
    common::assert_same(kernel, &expected, &found[0]);
}

#[test]
fn every_reducer_on_every_dtype() {
    for d in loop_types() {
        for op in Reducer::ALL.into_iter().filter(|&op| accepts(op, d)) {
            for (columns, kind) in
                [(53, LoopKind::Vector), (7, LoopKind::Vector), (2, LoopKind::Vector), (9, LoopKind::Serial)]
            {
                check_exact(&row_reduction(op, d, 3, columns, kind), columns);
            }
        }
    }
}

#[test]
fn folding_neutral_elements_gives_the_neutral_element() {
    for d in loop_types() {
        for op in Reducer::ALL.into_iter().filter(|&op| accepts(op, d)) {
            let bits = kiln_loops::Const::from_f64(d, neutral(op, d)).bits;
            let bits = if op == Reducer::And {
                u64::MAX >> (64 - d.bits()) & if d == DType::Bool { 1 } else { u64::MAX }
            } else {
                bits
            };
            let kernel = row_reduction(op, d, 1, 37, LoopKind::Vector);
            let x: Vec<u8> = (0..37).flat_map(|_| bits.to_le_bytes().into_iter().take(d.size())).collect();
            let mut found = [vec![x, vec![0; d.size()]]];
            run_compiled(std::slice::from_ref(&kernel), &mut found, 1, &options());
            // The initial value is the same, but 0 for the "and" of unsigned integers (-1 saturates).
            let init = kiln_loops::Const::from_f64(d, neutral(op, d)).bits;
            let expected = if op == Reducer::And { init & bits } else { bits };
            assert_eq!(elements(d, &found[0][1]), [expected], "{}", kernel.name);
        }
    }
}

#[test]
fn extremes_keep_nan_and_the_sign_of_zero() {
    for d in [DType::F32, DType::F64] {
        for op in [Reducer::Maximum, Reducer::Minimum] {
            for columns in [3, 6, 53] {
                check(&row_reduction(op, d, 40, columns, LoopKind::Vector), columns);
            }
        }
    }
}

#[test]
fn float_sums_stay_within_the_bound() {
    // |error| <= n * eps * sum |x|, whatever the order (Higham, Accuracy and Stability, 4.2).
    let (rows, columns) = (5u64, 1003u64);
    let kernel = row_reduction(Reducer::Add, DType::F32, rows, columns, LoopKind::Vector);
    let mut rng = Rng(77);
    let values: Vec<f32> = (0..rows * columns).map(|_| (rng.bits() as i64 as f64 * 2f64.powi(-62)) as f32).collect();
    let x: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut found = [vec![x, vec![0; 4 * rows as usize]]];
    run_compiled(&[kernel], &mut found, 2, &options());
    for (row, bits) in values.chunks(columns as usize).zip(elements(DType::F32, &found[0][1])) {
        let exact: f64 = row.iter().map(|&v| f64::from(v)).sum();
        let size: f64 = row.iter().map(|&v| f64::from(v.abs())).sum();
        let bound = columns as f64 * f64::from(f32::EPSILON) / 2.0 * size;
        let sum = f64::from(f32::from_bits(bits as u32));
        assert!((sum - exact).abs() <= bound, "{sum} instead of {exact}, bound {bound}");
    }
}

#[test]
fn sums_of_negative_zeros() {
    let kernel = row_reduction(Reducer::Add, DType::F32, 1, 21, LoopKind::Vector);
    let x: Vec<u8> = (0..21).flat_map(|_| (-0.0f32).to_le_bytes()).collect();
    let mut found = [vec![x, vec![1; 4]]];
    run_compiled(&[kernel], &mut found, 1, &options());
    assert_eq!(elements(DType::F32, &found[0][1]), [0], "0 + -0 + ... is +0");
}

/// Columns folded: lanes run over the kept axis, a serial loop over the other.
fn column_reduction(op: Reducer, d: DType, rows: u64, columns: u64) -> Kernel {
    let mut b = KernelBuilder::new(format!("columns {} {d} {rows}x{columns}", op.name()));
    let x = b.param("x", d, rows * columns, READ);
    let y = b.param("y", d, columns, WRITE);
    b.for_loop(columns, LoopKind::Vector, |b, c| {
        let init = b.constant(d, neutral(op, d));
        let v = b.reduce_loop(rows, LoopKind::Serial, op, init, |b, r| {
            b.load(x, at(0).plus_axis(r, columns as i64).plus_axis(c, 1))
        });
        b.store(y, at(0).plus_axis(c, 1), v);
    });
    b.finish()
}

#[test]
fn column_reductions() {
    for d in loop_types() {
        for op in Reducer::ALL.into_iter().filter(|&op| accepts(op, d)) {
            check(&column_reduction(op, d, 6, 27), 3);
            check(&column_reduction(op, d, 2, 5), 4);
        }
    }
}

#[test]
fn softmax_rows_sum_to_one() {
    for columns in [1u64, 4, 19, 64, 101] {
        let kernel = softmax(7, columns);
        kiln_loops::verify::verify(&kernel).expect("verifies");
        let mut rng = Rng(columns);
        let x: Vec<u8> =
            (0..7 * columns).flat_map(|_| ((rng.bits() as i64 as f64 * 2f64.powi(-61)) as f32).to_le_bytes()).collect();
        let mut found = [vec![x.clone(), vec![0; x.len()]]];
        run_compiled(std::slice::from_ref(&kernel), &mut found, 3, &options());
        let floats = |bytes: &[u8]| {
            elements(DType::F32, bytes).into_iter().map(|b| f32::from_bits(b as u32)).collect::<Vec<_>>()
        };
        for (x, y) in floats(&x).chunks(columns as usize).zip(floats(&found[0][1]).chunks(columns as usize)) {
            let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = x.iter().map(|&v| f64::from(v - max).exp()).sum();
            for (x, y) in x.iter().zip(y) {
                let exact = f64::from(x - max).exp() / sum;
                // exp 2 ULP, the sum n/2 eps, division and product 1 eps each.
                let bound = exact * (columns as f64 / 2.0 + 4.0) * f64::from(f32::EPSILON);
                assert!((f64::from(*y) - exact).abs() <= bound, "{y} instead of {exact}");
            }
        }
    }
}

#[test]
fn transposes_reversals_and_strides() {
    for d in [DType::F32, DType::I64, DType::U8, DType::Bool, DType::F16] {
        let (rows, columns) = (9u64, 21u64);
        for kind in [LoopKind::Vector, LoopKind::Serial] {
            let mut b = KernelBuilder::new(format!("transpose {d} {kind:?}"));
            let x = b.param("x", d, rows * columns, READ);
            let y = b.param("y", d, rows * columns, WRITE);
            b.for_loop(columns, LoopKind::Parallel, |b, c| {
                b.for_loop(rows, kind, |b, r| {
                    let v = b.load(x, at(0).plus_axis(r, columns as i64).plus_axis(c, 1));
                    b.store(y, at(0).plus_axis(c, rows as i64).plus_axis(r, 1), v);
                });
            });
            check(&b.finish(), 5);
            let mut b = KernelBuilder::new(format!("reverse {d} {kind:?}"));
            let x = b.param("x", d, columns, READ);
            let y = b.param("y", d, 2 * columns, WRITE);
            b.for_loop(columns, kind, |b, c| {
                let v = b.load(x, at(columns as i64 - 1).plus_axis(c, -1));
                b.store(y, at(0).plus_axis(c, 2), v);
                b.store(y, at(1).plus_axis(c, 2), v);
            });
            check(&b.finish(), 6);
        }
    }
}

#[test]
fn gathers_and_scatters() {
    for d in [DType::F32, DType::F64, DType::I16] {
        let (rows, width) = (13u64, 10u64);
        let mut b = KernelBuilder::new(format!("gather {d}"));
        let table = b.param("table", d, 16 * width, READ);
        let indices = b.param("indices", DType::I32, rows, READ);
        let y = b.param("y", d, rows * width, WRITE);
        let z = b.param("z", d, rows * width, WRITE);
        b.for_loop(rows, LoopKind::Parallel, |b, r| {
            let i = b.load(indices, at(0).plus_axis(r, 1));
            let i = b.convert(DType::I64, i);
            let fifteen = b.const_i64(15);
            let i = b.binary(BinaryOp::And, i, fifteen);
            b.for_loop(width, LoopKind::Vector, |b, c| {
                // The row is the same in all lanes here ...
                let v = b.load(table, at(0).plus_axis(c, 1).plus_var(i, width as i64));
                b.store(y, at(0).plus_axis(r, width as i64).plus_axis(c, 1), v);
                // ... and different in each there.
                let lane = b.axis(c);
                let j = b.binary(BinaryOp::Xor, lane, i);
                let j = b.binary(BinaryOp::And, j, fifteen);
                let v = b.load(table, at(2).plus_var(j, width as i64));
                b.store(z, at(0).plus_axis(r, width as i64).plus_axis(c, 1), v);
            });
        });
        check(&b.finish(), 7);
    }
}

#[test]
fn scratch_conditions_and_small_loops() {
    let (rows, columns, d) = (6u64, 23u64, DType::F32);
    let mut b = KernelBuilder::new("scratch");
    let x = b.param("x", d, rows * columns, READ);
    let y = b.param("y", d, rows * columns, WRITE);
    let z = b.param("z", d, rows, WRITE);
    let line = b.local(d, columns);
    b.for_loop(rows, LoopKind::Parallel, |b, r| {
        let place = |c| at(0).plus_axis(r, columns as i64).plus_axis(c, 1);
        b.for_loop(columns, LoopKind::Vector, |b, c| {
            let v = b.load(x, place(c));
            let w = b.binary(BinaryOp::Multiply, v, v);
            b.store(line, at(0).plus_axis(c, 1), w);
        });
        let row = b.axis(r);
        let three = b.const_i64(3);
        let early = b.compare(CompareDirection::LT, row, three);
        let minus = b.constant(d, -1.0);
        b.store(z, at(0).plus_axis(r, 1), minus);
        b.if_(early, |b| {
            let v = b.load(line, at(4));
            b.store(z, at(0).plus_axis(r, 1), v);
        });
        b.for_loop(columns, LoopKind::Vector, |b, c| {
            let v = b.load(line, at(0).plus_axis(c, 1));
            let zero = b.constant(d, 0.0);
            // Written out: three steps of a window that stays inside.
            let sum =
                b.reduce_loop(3, LoopKind::Serial, Reducer::Maximum, zero, |b, k| b.load(line, at(7).plus_axis(k, -3)));
            b.store(y, place(c), v);
            b.if_(early, |b| {
                let t = b.binary(BinaryOp::Add, v, sum);
                b.store(y, place(c), t);
            });
        });
    });
    check(&b.finish(), 8);
}

#[test]
fn nests_of_serial_loops_in_lanes() {
    // A window over two axes with lanes along the second, as pooling has it.
    let (h, w, k) = (11u64, 37u64, 3u64);
    for d in [DType::F32, DType::I32, DType::F64] {
        let mut b = KernelBuilder::new(format!("pool {d}"));
        let x = b.param("x", d, h * w, READ);
        let y = b.param("y", d, (h - k + 1) * (w - k + 1), WRITE);
        b.for_loop(h - k + 1, LoopKind::Parallel, |b, i| {
            b.for_loop(w - k + 1, LoopKind::Vector, |b, j| {
                let low = b.constant(d, f64::NEG_INFINITY);
                let v = b.reduce_loop(k, LoopKind::Serial, Reducer::Maximum, low, |b, p| {
                    b.reduce_loop(k, LoopKind::Serial, Reducer::Maximum, low, |b, q| {
                        let place = at(0).plus_axis(i, w as i64).plus_axis(j, 1).plus_axis(p, w as i64).plus_axis(q, 1);
                        b.load(x, place)
                    })
                });
                b.store(y, at(0).plus_axis(i, (w - k + 1) as i64).plus_axis(j, 1), v);
            });
        });
        check(&b.finish(), 9);
    }
}

#[test]
fn several_reductions_of_one_loop() {
    let n = 61u64;
    let mut b = KernelBuilder::new("moments");
    let x = b.param("x", DType::I32, n, READ);
    let y = b.param("y", DType::I64, 3, WRITE);
    let zero = b.const_i64(0);
    let least = b.constant(DType::I32, f64::NEG_INFINITY);
    let no = b.constant(DType::Bool, 0.0);
    let (sum, max, any) = b.for_loop(n, LoopKind::Vector, |b, i| {
        let v = b.load(x, at(0).plus_axis(i, 1));
        let wide = b.convert(DType::I64, v);
        let twelve = b.constant(DType::I32, 12.0);
        let hit = b.compare(CompareDirection::EQ, v, twelve);
        (
            b.reduction(Reducer::Add, zero, wide),
            b.reduction(Reducer::Maximum, least, v),
            b.reduction(Reducer::Or, no, hit),
        )
    });
    b.store(y, at(0), sum);
    let max = b.convert(DType::I64, max);
    b.store(y, at(1), max);
    let any = b.convert(DType::I64, any);
    b.store(y, at(2), any);
    check(&b.finish(), 10);
}

/// Horner's rule with exchanged accumulators, and a running extreme with its position: lanes along the kept axis or none.
fn carried(d: DType, rows: u64, columns: u64, kind: LoopKind) -> Kernel {
    let mut b = KernelBuilder::new(format!("carried {d} {rows}x{columns} {kind:?}"));
    let x = b.param("x", d, rows.max(1) * columns, READ);
    let y = b.param("y", d, rows * columns, WRITE);
    let ends = b.param("ends", d, 2 * columns, WRITE);
    let best_at = b.param("best_at", DType::I64, columns, WRITE);
    let up = b.param("up", DType::Bool, columns, WRITE);
    b.for_loop(columns, kind, |b, c| {
        let (one, two) = (b.constant(d, 1.0), b.constant(d, 2.0));
        let first = b.load(x, at(0).plus_axis(c, 1));
        let (zero, no) = (b.const_i64(0), b.constant(DType::Bool, 0.0));
        let last = b.carry_loop(rows, &[one, two, first, zero, no], |b, r, carried| {
            let v = b.load(x, at(0).plus_axis(r, columns as i64).plus_axis(c, 1));
            let s = b.binary(BinaryOp::Subtract, v, carried[1]);
            b.store(y, at(0).plus_axis(r, columns as i64).plus_axis(c, 1), carried[0]);
            let less = b.compare(CompareDirection::LT, v, carried[2]);
            let row = b.axis(r);
            let place = b.select(less, row, carried[3]);
            let value = b.select(less, v, carried[2]);
            let flip = b.binary(BinaryOp::Xor, less, carried[4]);
            // The first two exchange places.
            vec![carried[1], s, value, place, flip]
        });
        b.store(ends, at(0).plus_axis(c, 1), last[0]);
        b.store(ends, at(columns as i64).plus_axis(c, 1), last[1]);
        b.store(best_at, at(0).plus_axis(c, 1), last[3]);
        b.store(up, at(0).plus_axis(c, 1), last[4]);
    });
    b.finish()
}

#[test]
fn carried_values() {
    for d in [DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::I16] {
        for (rows, columns) in [(9, 21), (3, 64), (1, 5), (0, 7)] {
            for kind in [LoopKind::Vector, LoopKind::Serial, LoopKind::Parallel] {
                check(&carried(d, rows, columns, kind), rows + columns);
            }
        }
    }
}

#[test]
fn carried_values_of_nested_loops() {
    // Uniform outside, different between lanes from the first iteration of the inner loop on.
    let (n, columns) = (5u64, 37u64);
    let mut b = KernelBuilder::new("nested");
    let x = b.param("x", DType::I32, columns, READ);
    let y = b.param("y", DType::I32, columns, WRITE);
    b.for_loop(columns, LoopKind::Vector, |b, c| {
        let start = b.constant(DType::I32, 3.0);
        let sum = b.carry_loop(n, &[start, start], |b, i, outer| {
            let row = b.axis(i);
            let row = b.convert(DType::I32, row);
            let step = b.binary(BinaryOp::Add, outer[0], row);
            let inner = b.carry_loop(n, &[step], |b, _, inner| {
                let v = b.load(x, at(0).plus_axis(c, 1));
                let v = b.binary(BinaryOp::Xor, v, inner[0]);
                vec![b.binary(BinaryOp::Add, v, row)]
            });
            let count = b.binary(BinaryOp::Add, outer[1], row);
            vec![inner[0], count]
        });
        let v = b.binary(BinaryOp::Multiply, sum[0], sum[1]);
        b.store(y, at(0).plus_axis(c, 1), v);
    });
    check(&b.finish(), 12);
}

/// A merge of two sorted halves by two heads: dynamic addresses from carried values.
#[test]
fn carried_positions_address_memory() {
    let n = 24u64;
    let mut b = KernelBuilder::new("merge");
    let x = b.param("x", DType::I32, n, READ);
    let y = b.param("y", DType::I32, n, WRITE);
    let (zero, half, one) = (b.const_i64(0), b.const_i64(n as i64 / 2), b.const_i64(1));
    let last = b.const_i64(n as i64 - 1);
    b.carry_loop(n, &[zero, half], |b, k, heads| {
        let clamped: Vec<_> = heads.iter().map(|h| b.binary(BinaryOp::Minimum, *h, last)).collect();
        let left = b.load(x, at(0).plus_var(clamped[0], 1));
        let right = b.load(x, at(0).plus_var(clamped[1], 1));
        let left_ended = b.compare(CompareDirection::GE, heads[0], half);
        let right_ended = b.compare(CompareDirection::GT, heads[1], last);
        let greater = b.compare(CompareDirection::GT, left, right);
        let not_ended = b.unary(UnaryOp::Not, right_ended);
        let greater = b.binary(BinaryOp::And, greater, not_ended);
        let take_right = b.binary(BinaryOp::Or, greater, left_ended);
        let v = b.select(take_right, right, left);
        b.store(y, at(0).plus_axis(k, 1), v);
        let step = b.select(take_right, one, zero);
        let rest = b.binary(BinaryOp::Subtract, one, step);
        vec![b.binary(BinaryOp::Add, heads[0], rest), b.binary(BinaryOp::Add, heads[1], step)]
    });
    let kernel = b.finish();
    check(&kernel, 13);
    let mut rng = Rng(5);
    let mut values: Vec<i32> = (0..n).map(|_| rng.below(50) as i32 - 25).collect();
    values[..12].sort_unstable();
    values[12..].sort_unstable();
    let bytes = |v: &[i32]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let mut found = [vec![bytes(&values), vec![0; 4 * n as usize]]];
    run_compiled(&[kernel], &mut found, 1, &options());
    values.sort_unstable();
    assert_eq!(found[0][1], bytes(&values));
}

#[test]
fn empty_loops_give_the_initial_value() {
    for kind in [LoopKind::Vector, LoopKind::Serial] {
        let mut b = KernelBuilder::new("empty");
        let x = b.param("x", DType::F32, 1, READ);
        let y = b.param("y", DType::F32, 1, WRITE);
        let init = b.constant(DType::F32, 7.0);
        let v = b.reduce_loop(0, kind, Reducer::Add, init, |b, _| b.load(x, at(0)));
        b.store(y, at(0), v);
        check(&b.finish(), 11);
    }
}

#[test]
fn results_do_not_depend_on_the_pieces() {
    let kernel = softmax(12, 45);
    let mut rng = Rng(5);
    let start = buffers(&kernel, &mut rng);
    let mut results = Vec::new();
    for pieces in [1, 3, 12] {
        let mut found = [start.clone()];
        run_compiled(std::slice::from_ref(&kernel), &mut found, pieces, &options());
        results.push(found);
    }
    assert!(results.windows(2).all(|w| w[0] == w[1]));
}
