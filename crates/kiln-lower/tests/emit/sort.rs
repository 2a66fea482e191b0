//! Sorts: lengths around the sizes of blocks and runs, several operands, every dtype, every dimension, any comparator.

use crate::driver::{Data, Rng, check, check_data, check_with, execute_fused};
use crate::graph::G;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Func, Op, Tensor, UnaryOp, Value};

/// Compares the first of operands of these types.
fn by_first(types: &[DType], direction: CompareDirection) -> Box<Func> {
    let pairs: Vec<DType> = types.iter().flat_map(|t| [*t, *t]).collect();
    G::nested(&pairs, |g, p| vec![g.cmp(direction, p[0], p[1])])
}

/// The total order of floats by their bits: negative NaN first, then numbers, then NaN.
fn total_order() -> Box<Func> {
    G::nested(&[DType::F32; 2], |g, p| {
        let key = |g: &mut G, x: Value| {
            let bits = g.op(Op::BitcastConvert(DType::I32), &[x]);
            let (zero, most) = (g.scalar(0i32), g.scalar(i32::MAX));
            let negative = g.cmp(CompareDirection::LT, bits, zero);
            let turned = g.bin(BinaryOp::Xor, bits, most);
            g.op(Op::Select, &[negative, turned, bits])
        };
        let (a, b) = (key(g, p[0]), key(g, p[1]));
        vec![g.cmp(CompareDirection::LT, a, b)]
    })
}

fn sort(g: &mut G, dim: usize, comparator: Box<Func>, operands: &[Value]) {
    for v in g.ops(Op::Sort { dim, stable: true, comparator }, operands) {
        g.out(v);
    }
}

#[test]
fn one_operand_of_every_length() {
    for n in (0..=40).chain([63, 64, 65, 127, 200, 1000]) {
        for direction in [CompareDirection::LT, CompareDirection::GT] {
            let mut g = G::new();
            let x = g.x(&[n]);
            sort(&mut g, 0, by_first(&[DType::F32], direction), &[x]);
            check(g);
        }
    }
}

#[test]
fn every_dtype_and_dimension() {
    let types = [
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];
    for dtype in types {
        for dim in 0..3 {
            for shape in [[3, 17, 5], [2, 1, 30], [4, 6, 2], [0, 3, 4]] {
                let mut g = G::new();
                let x = g.input(dtype, &shape);
                let x = if dim == 1 { g.bin(BinaryOp::Maximum, x, x) } else { x };
                sort(&mut g, dim, by_first(&[dtype], CompareDirection::LT), &[x]);
                check(g);
            }
        }
    }
    let mut g = G::new();
    let x = g.input(DType::Bool, &[2, 33]);
    sort(&mut g, 1, by_first(&[DType::Bool], CompareDirection::LT), &[x]);
    check(g);
}

#[test]
fn equal_elements_keep_their_order() {
    // Few different keys beside one to five operands that tell where an element was.
    for n in [5, 8, 9, 31, 64, 100, 333] {
        for others in [1, 2, 3, 5] {
            let mut g = G::new();
            let key = g.input(DType::I32, &[2, n]);
            let k = g.scalar(7i32);
            let k = g.bcast(k, &[2, n], &[]);
            let key = g.bin(BinaryOp::Remainder, key, k);
            let mut operands = vec![key];
            for o in 0..others {
                let dtype = [DType::I32, DType::F32, DType::U8, DType::F64][o % 4];
                operands.push(if o == 0 { g.iota(dtype, &[2, n], 1) } else { g.input(dtype, &[2, n]) });
            }
            let types: Vec<DType> = operands.iter().map(|v| g.f.ty(*v).dtype).collect();
            let direction = if n % 2 == 0 { CompareDirection::LT } else { CompareDirection::GT };
            sort(&mut g, 1, by_first(&types, direction), &operands);
            check(g);
        }
    }
}

#[test]
fn comparators_of_several_operands_and_captures() {
    // By distance from a capture, then by the second operand, downwards.
    let comparator = || {
        G::nested(&[DType::F32, DType::F32, DType::I32, DType::I32, DType::F32], |g, p| {
            let (a, b) = (g.sub(p[0], p[4]), g.sub(p[1], p[4]));
            let (a, b) = (g.un(UnaryOp::Abs, a), g.un(UnaryOp::Abs, b));
            let (a, b) = (g.un(UnaryOp::Floor, a), g.un(UnaryOp::Floor, b));
            let before = g.cmp(CompareDirection::LT, a, b);
            let equal = g.cmp(CompareDirection::EQ, a, b);
            let second = g.cmp(CompareDirection::GT, p[2], p[3]);
            let second = g.bin(BinaryOp::And, equal, second);
            vec![g.bin(BinaryOp::Or, before, second)]
        })
    };
    for shape in [[7, 50], [50, 7]] {
        let mut g = G::new();
        let (x, y, k) = (g.x(&shape), g.input(DType::I32, &shape), g.x(&[]));
        sort(&mut g, 0, comparator(), &[x, y, k]);
        check(g);
    }
}

#[test]
fn total_orders_of_special_values() {
    for shape in [[4, 61], [61, 4]] {
        for dim in 0..2 {
            let mut g = G::new();
            let x = g.x(&shape);
            sort(&mut g, dim, total_order(), &[x]);
            check_data(g, Data::Special);
        }
    }
}

#[test]
fn long_rows_are_merged_in_parallel() {
    let n = 20_000;
    for (dtype, rows) in [(DType::F32, 1), (DType::I32, 3)] {
        let mut g = G::new();
        let x = g.input(dtype, &[rows, n]);
        let i = g.iota(DType::U32, &[rows, n], 1);
        sort(&mut g, 1, by_first(&[dtype, DType::U32], CompareDirection::LT), &[x, i]);
        let run = check(g);
        assert!(run.launches > 10, "a kernel per pass, not {}", run.launches);
    }
    // A permutation, a length that is a power of two.
    let n = 1 << 14;
    let mut g = G::new();
    let key = g.input(DType::I8, &[n]);
    let others: Vec<Value> = [DType::I32, DType::F64, DType::U8].iter().map(|t| g.input(*t, &[n])).collect();
    let operands = [&[key][..], &others].concat();
    let types: Vec<DType> = operands.iter().map(|v| g.f.ty(*v).dtype).collect();
    sort(&mut g, 0, by_first(&types, CompareDirection::GT), &operands);
    check(g);
}

/// NaN compared as a number is no order at all: what comes out is a permutation still.
#[test]
fn contradicting_comparators_give_permutations() {
    let mut rng = Rng(3);
    for n in [9, 16, 40, 100, 257, 20_000] {
        let values: Vec<f32> =
            (0..n).map(|i| if rng.bits().is_multiple_of(3) { f32::NAN } else { (i * 7919 % 1000) as f32 }).collect();
        for comparator in [
            by_first(&[DType::F32, DType::I32], CompareDirection::LT),
            by_first(&[DType::F32, DType::I32], CompareDirection::GE),
            G::nested(&[DType::F32, DType::F32, DType::I32, DType::I32], |g, p| {
                // The parity of a sum: nothing like an order.
                let sum = g.add(p[2], p[3]);
                let one = g.scalar(1i32);
                let odd = g.bin(BinaryOp::And, sum, one);
                vec![g.op(Op::Convert(DType::Bool), &[odd])]
            }),
        ] {
            let mut g = G::new();
            let (x, i) = (g.x(&[n]), g.input(DType::I32, &[n]));
            sort(&mut g, 0, comparator, &[x, i]);
            let numbers: Vec<i32> = (0..n as i32).collect();
            let inputs = [Tensor::from_vec([n], values.clone()).unwrap(), Tensor::from_vec([n], numbers).unwrap()];
            let sorted = execute_fused(&g.f, &inputs);
            let mut at: Vec<i32> = sorted[1].to_vec().unwrap();
            let moved: Vec<f32> = sorted[0].to_vec().unwrap();
            for (v, i) in moved.iter().zip(&at) {
                assert_eq!(v.to_bits(), values[*i as usize].to_bits(), "operands move together");
            }
            at.sort_unstable();
            assert!(at.iter().enumerate().all(|(k, i)| k as i32 == *i), "a permutation of {n}");
        }
    }
}

#[test]
fn the_same_operand_twice_and_sorted_input() {
    let mut g = G::new();
    let x = g.input(DType::I32, &[77]);
    sort(&mut g, 0, by_first(&[DType::I32, DType::I32], CompareDirection::LT), &[x, x]);
    check(g);
    for descending in [false, true] {
        let mut g = G::new();
        let x = g.input(DType::I32, &[300]);
        sort(&mut g, 0, by_first(&[DType::I32], CompareDirection::LT), &[x]);
        let v: Vec<i32> = (0..300).map(|i| if descending { 300 - i } else { i }).collect();
        check_with(g, &[Tensor::from_vec([300], v).unwrap()]);
    }
}

#[test]
fn results_may_take_the_memory_of_operands() {
    for n in [7, 60, 100, 131] {
        let mut g = G::new();
        let x = g.x(&[n]);
        sort(&mut g, 0, by_first(&[DType::F32], CompareDirection::LT), &[x]);
        let (result, run) = (g.f.outputs[0].value, check(g));
        assert_eq!(run.aliases, [(x, result)], "{n} elements");
    }
}

#[test]
fn work_grows_as_n_log_n() {
    // Stores of the loop kernels: one per element for the blocks and for each pass, the repair of a contradicting pair aside.
    let stores = |n: usize| {
        let mut g = G::new();
        let x = g.x(&[n]);
        sort(&mut g, 0, by_first(&[DType::F32], CompareDirection::LT), &[x]);
        let plan = crate::driver::plan(&g.f);
        let launches = kiln_lower::emit::emit(&g.f, &plan.groups[0], &kiln_cpu::machine()).unwrap().launches;
        launches.iter().map(|l| kiln_loops::analysis::cost(&l.kernel).ops["store"]).sum::<u64>()
    };
    for (n, passes) in [(1 << 10, 7), (1 << 16, 13), (1 << 20, 17)] {
        assert!(stores(n) <= (1 + 2 * passes) * n as u64, "{} stores for {n}", stores(n));
    }
}
