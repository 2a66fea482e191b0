//! Random operators with sane and insane attributes: each gives results of the inferred types or an error, and never panics.

use kiln_interp::{EvalOptions, eval_op_with};
use kiln_ir::op::{
    ArgKind, CompareDirection, ConvDims, DotDims, FftKind, GatherDims, Reducer, RngAlgorithm, ScatterDims,
    ScatterUpdate, TransposeKind, Window, WindowDim,
};
use kiln_ir::{BinaryOp, DType, Dim, Func, InputKind, Loc, Op, Shape, Tensor, TensorType, UnaryOp, infer};

/// Numerical Recipes' 64-bit linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }
    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }
    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
    /// Mostly small, seldom extreme.
    fn int(&mut self) -> i64 {
        if self.chance(40) {
            self.pick(&[i64::MAX, i64::MIN, 1 << 40, -(1 << 40), 1 << 62])
        } else {
            self.below(7) as i64 - 2
        }
    }
    fn positive(&mut self) -> i64 {
        if self.chance(30) { self.int() } else { 1 + self.below(3) as i64 }
    }
    fn list<T, C: FromIterator<T>>(&mut self, n: usize, mut f: impl FnMut(&mut Random) -> T) -> C {
        (0..n).map(|_| f(self)).collect()
    }
    /// Distinct numbers below `rank` in ascending order.
    fn ascending(&mut self, rank: usize) -> kiln_ir::op::Axes {
        (0..rank).filter(|_| self.chance(2)).collect()
    }
    fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut p: Vec<usize> = (0..n).collect();
        (1..n).for_each(|i| p.swap(i, self.below(i + 1)));
        p
    }
    fn shape(&mut self, rank: usize) -> Vec<usize> {
        self.list(rank, |r| r.below(4))
    }
    fn dims(&mut self, n: usize) -> Shape {
        self.list(n, |r| Dim::from(r.int()))
    }
    fn tensor(&mut self, dtype: DType, shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        let values: Vec<i64> = self.list(n, Random::int);
        let x = Tensor::from_vec(shape, values).expect("the length fits");
        kiln_interp::eval_op(&Op::Convert(dtype), &[x]).expect("every conversion is defined").remove(0)
    }
    fn window(&mut self) -> WindowDim {
        WindowDim {
            size: self.positive(),
            stride: self.positive(),
            pad_low: self.int(),
            pad_high: self.int(),
            base_dilation: self.positive(),
            window_dilation: self.positive(),
            reversed: self.chance(8),
        }
    }
}

fn movement(r: &mut Random, x: &Tensor) -> (Op, Vec<Tensor>) {
    let n = x.rank();
    let scalar = r.tensor(x.dtype(), &[]);
    let starts: Vec<Tensor> = r.list(n, |r| r.tensor(DType::I64, &[]));
    let with =
        |first: &[&Tensor], rest: &[Tensor]| first.iter().map(|&t| t.clone()).chain(rest.iter().cloned()).collect();
    match r.below(10) {
        0 => (
            Op::Slice {
                start: r.list(n, |r| Dim::from(r.int())),
                limit: r.list(n, |r| Dim::from(r.int())),
                strides: r.list(n, Random::positive),
            },
            with(&[x], &[]),
        ),
        1 => (
            Op::Pad {
                low: r.list(n, |r| Dim::from(r.int())),
                high: r.list(n, |r| Dim::from(r.int())),
                interior: r.list(n, |r| r.positive().saturating_sub(1)),
            },
            with(&[x, &scalar], &[]),
        ),
        2 => (Op::DynamicSlice { sizes: r.dims(n) }, with(&[x], &starts)),
        3 => {
            let update = r.shape(n);
            (Op::DynamicUpdateSlice, with(&[x, &r.tensor(x.dtype(), &update)], &starts))
        }
        4 => (Op::Transpose(r.permutation(n).into()), with(&[x], &[])),
        5 => (Op::Reverse(r.ascending(n)), with(&[x], &[])),
        6 => {
            let mut shape = x.shape().to_vec();
            shape.insert(r.below(n + 1), r.below(4));
            let dims: Vec<usize> = r.permutation(n + 1).into_iter().take(n).collect();
            (Op::BroadcastInDim { shape: shape.into(), dims: dims.into() }, with(&[x], &[]))
        }
        7 => (Op::Concatenate(r.below(3)), with(&[x, x, &scalar][..2], &[])),
        8 => (Op::BitcastConvert(r.pick(&DType::ALL)), with(&[x], &[])),
        _ => (Op::Reshape(r.dims(n)), with(&[x], &[])),
    }
}

fn folding(r: &mut Random, x: &Tensor) -> (Op, Vec<Tensor>) {
    let reducer = r.pick(&Reducer::ALL);
    let init = r.tensor(x.dtype(), &[]);
    let window = Box::new(Window { dims: r.list(x.rank(), Random::window) });
    match r.below(4) {
        0 => (Op::Reduce { axes: r.ascending(x.rank()), reducer }, vec![x.clone(), init]),
        1 => (
            Op::ArgReduce { axis: r.below(3), kind: r.pick(&[ArgKind::Min, ArgKind::Max]), dtype: r.pick(&DType::ALL) },
            vec![x.clone()],
        ),
        2 => (Op::ReduceWindow { window, reducer }, vec![x.clone(), init]),
        _ => {
            let window = Box::new(Window {
                dims: r.list(x.rank(), |r| WindowDim {
                    size: r.positive(),
                    pad_low: r.int(),
                    stride: r.positive(),
                    ..WindowDim::TRIVIAL
                }),
            });
            let shape: Option<Vec<usize>> = window
                .dims
                .iter()
                .zip(x.shape())
                .map(|(w, &n)| {
                    (w.size.max(w.stride).max(w.pad_low) < 100 && w.stride.min(w.size) > 0)
                        .then(|| w.output_size(n as i64) as usize)
                })
                .collect();
            let source = r.tensor(x.dtype(), &shape.unwrap_or_default());
            (
                Op::SelectAndScatter {
                    window,
                    select: r.pick(&[CompareDirection::GE, CompareDirection::LE]),
                    scatter: reducer,
                },
                vec![x.clone(), source, init],
            )
        }
    }
}

fn products(r: &mut Random, x: &Tensor) -> (Op, Vec<Tensor>) {
    if r.chance(2) {
        let p = r.permutation(x.rank());
        let shape: Vec<usize> = p.iter().map(|&d| x.shape()[d]).collect();
        let batch = r.below(x.rank() + 1);
        let contract = r.below(x.rank() - batch + 1);
        let at = |from: usize, n: usize| -> Vec<usize> { p[from..from + n].to_vec() };
        let same = |from: usize, n: usize| -> Vec<usize> { (from..from + n).collect() };
        let dims = DotDims {
            lhs_batch: at(0, batch).into(),
            rhs_batch: same(0, batch).into(),
            lhs_contract: at(batch, contract).into(),
            rhs_contract: same(batch, contract).into(),
            result: if r.chance(3) { Some(r.pick(&DType::ALL)) } else { None },
        };
        return (Op::DotGeneral(dims), vec![x.clone(), r.tensor(x.dtype(), &shape)]);
    }
    let n = 1 + r.below(2);
    let (i, k, o) = (r.permutation(n + 2), r.permutation(n + 2), r.permutation(n + 2));
    let input_shape = r.shape(n + 2);
    let groups = if r.chance(3) { 2 } else { 1 };
    let (feature_group_count, batch_group_count) = if r.chance(2) { (groups, 1) } else { (1, groups) };
    let mut kernel_shape = r.shape(n + 2);
    kernel_shape[k[0]] = input_shape[i[1]] / feature_group_count;
    let window = (0..n).map(|d| WindowDim { size: kernel_shape[k[2 + d]] as i64, ..r.window() }).collect();
    let dims = ConvDims {
        input_batch: i[0],
        input_feature: i[1],
        input_spatial: i[2..].into(),
        kernel_input_feature: k[0],
        kernel_output_feature: k[1],
        kernel_spatial: k[2..].into(),
        output_batch: o[0],
        output_feature: o[1],
        output_spatial: o[2..].into(),
        window,
        feature_group_count,
        batch_group_count,
    };
    (Op::Convolution(Box::new(dims)), vec![r.tensor(x.dtype(), &input_shape), r.tensor(x.dtype(), &kernel_shape)])
}

fn indexed(r: &mut Random, x: &Tensor) -> (Op, Vec<Tensor>) {
    let n = x.rank();
    let indices_rank = 1 + r.below(2);
    let mut indices_shape = r.shape(indices_rank);
    let index_vector_dim = r.below(indices_rank + 1);
    let map: Vec<usize> = {
        let k = r.below(n + 1);
        r.permutation(n).into_iter().take(k).collect()
    };
    if index_vector_dim < indices_rank {
        indices_shape[index_vector_dim] = map.len();
    }
    let dropped = r.ascending(n);
    let batch = indices_rank - usize::from(index_vector_dim < indices_rank);
    let result_rank = batch + n - dropped.len();
    let window: Vec<usize> = {
        let mut w: Vec<usize> = r.permutation(result_rank).into_iter().take(n - dropped.len()).collect();
        w.sort_unstable();
        w
    };
    let dtype = r.pick(&[DType::I32, DType::U64, DType::I8, DType::I64]);
    let indices = r.tensor(dtype, &indices_shape);
    if r.chance(2) {
        let sizes: Vec<usize> = (0..n)
            .map(|d| if dropped.contains(&d) { x.shape()[d].min(1) } else { r.below(x.shape()[d] + 1) })
            .collect();
        let g = GatherDims {
            offset_dims: window.into(),
            collapsed_slice_dims: dropped,
            start_index_map: map.into(),
            index_vector_dim,
            slice_sizes: sizes.into(),
            ..GatherDims::default()
        };
        return (Op::Gather(Box::new(g)), vec![x.clone(), indices]);
    }
    let mut batch_sizes =
        (0..indices_rank).filter(|d| *d != index_vector_dim).map(|d| indices_shape[d]).collect::<Vec<_>>().into_iter();
    let mut room = (0..n).filter(|d| !dropped.contains(d)).map(|d| x.shape()[d]).collect::<Vec<_>>().into_iter();
    let updates: Vec<usize> =
        (0..result_rank)
            .map(|d| {
                if window.contains(&d) {
                    r.below(room.next().unwrap_or(0) + 1)
                } else {
                    batch_sizes.next().unwrap_or(0)
                }
            })
            .collect();
    let s = ScatterDims {
        update_window_dims: window.into(),
        inserted_window_dims: dropped,
        scatter_dims_to_operand_dims: map.into(),
        index_vector_dim,
        ..ScatterDims::default()
    };
    let update = if r.chance(2) { ScatterUpdate::Assign } else { ScatterUpdate::Combine(r.pick(&Reducer::ALL)) };
    (Op::Scatter { dims: Box::new(s), update }, vec![x.clone(), indices, r.tensor(x.dtype(), &updates)])
}

fn elementwise(r: &mut Random, x: &Tensor) -> (Op, Vec<Tensor>) {
    let y = r.tensor(x.dtype(), x.shape());
    match r.below(7) {
        0 => (Op::Unary(r.pick(UnaryOp::ALL)), vec![x.clone()]),
        1 => (Op::Binary(r.pick(BinaryOp::ALL)), vec![x.clone(), y]),
        2 => (Op::Compare(CompareDirection::GE), vec![x.clone(), y]),
        3 => (Op::Clamp, vec![r.tensor(x.dtype(), &[]), x.clone(), y]),
        4 => (Op::Select, vec![r.tensor(DType::Bool, &[]), x.clone(), y]),
        5 => (Op::Iota { ty: TensorType::new(r.pick(&DType::ALL), r.dims(2)), dim: r.below(3) }, vec![]),
        _ => {
            let ty = TensorType::new(r.pick(&DType::ALL), r.dims(2));
            (Op::RngBitGenerator { algorithm: r.pick(&RngAlgorithm::ALL), ty }, vec![r.tensor(DType::U64, &[2])])
        }
    }
}

/// Transforms, factorizations and parts of complex numbers, half of them in shapes that fit.
fn algebra(r: &mut Random) -> (Op, Vec<Tensor>) {
    let dtype =
        if r.chance(4) { r.pick(&DType::ALL) } else { r.pick(&[DType::F32, DType::F64, DType::C64, DType::C128]) };
    let rank = 1 + r.below(3);
    let (shape, interleaved) = (r.shape(rank), r.chance(5));
    let n = r.below(4);
    let square = |r: &mut Random| if r.chance(6) { r.shape(2) } else { [&shape[1..], &[n, n]].concat() };
    match r.below(6) {
        0 => {
            let kind = r.pick(&FftKind::ALL);
            let dtype = if kind == FftKind::Rfft { dtype.real_type() } else { dtype };
            let first = r.below(rank);
            let mut length: kiln_ir::op::Ints = shape[first..].iter().map(|&n| n as i64).collect();
            if let (FftKind::Irfft, Some(last)) = (kind, length.last_mut()) {
                *last = (2 * *last - 2).max(0) + r.below(2) as i64;
            }
            if r.chance(8) {
                length[0] = r.int();
            }
            (Op::Fft { kind, length, interleaved }, vec![r.tensor(dtype, &shape)])
        }
        1 => {
            let shape = square(r);
            (Op::Cholesky { lower: r.chance(2), interleaved }, vec![r.tensor(dtype, &shape)])
        }
        2 => {
            let (left_side, m) = (r.chance(2), r.below(3));
            let sides = if left_side { [n, m] } else { [m, n] };
            let op = Op::TriangularSolve {
                left_side,
                lower: r.chance(2),
                unit_diagonal: r.chance(2),
                transpose_a: r.pick(&TransposeKind::ALL),
                interleaved,
            };
            let a = square(r);
            (op, vec![r.tensor(dtype, &a), r.tensor(dtype, &[&shape[1..], &sides].concat())])
        }
        3 => (Op::Complex, vec![r.tensor(dtype.real_type(), &shape), r.tensor(dtype.real_type(), &shape)]),
        4 => (r.pick(&[Op::Real, Op::Imag]), vec![r.tensor(dtype, &shape)]),
        _ => {
            let bits = |r: &mut Random| r.pick(&[0, 1, 2, 3, 5, 8, 11, 23, 52, 100, u32::MAX]);
            let op = Op::ReducePrecision { exponent_bits: bits(r), mantissa_bits: bits(r) };
            let dtype = r.pick(&DType::ALL);
            (op, vec![r.tensor(dtype, &shape)])
        }
    }
}

/// A function of scalars of these dtypes, over and over: `op` on two of one dtype, as far as it is defined there.
fn function(dtypes: &[DType], params: usize, op: &dyn Fn(DType) -> Op) -> Box<Func> {
    let mut f = Func::new("body");
    let input = |k: usize, f: &mut Func| {
        let ty = TensorType::scalar(dtypes[k % dtypes.len()]);
        f.add_input(format!("p{k}"), ty, InputKind::Feed, Loc::UNKNOWN)
    };
    let inputs: Vec<kiln_ir::Value> = (0..params).map(|k| input(k, &mut f)).collect();
    for k in 0..dtypes.len() {
        let pair = [inputs[k], inputs[(k + dtypes.len()).min(params - 1)]];
        let result = f.push1(op(dtypes[k]), &pair, Loc::UNKNOWN).unwrap_or(pair[1]);
        f.add_output("", result);
    }
    Box::new(f)
}

/// Operators with functions of one or two elements.
fn regions(r: &mut Random, x: &Tensor) -> (Op, Vec<Tensor>) {
    let other = r.pick(&[DType::I32, DType::F32, x.dtype()]);
    let (dtypes, y) = ([x.dtype(), other], r.tensor(other, x.shape()));
    let n = 1 + r.below(2);
    let binary = r.pick(BinaryOp::ALL);
    let combine = |_: DType| Op::Binary(binary);
    let compare = |_: DType| Op::Compare(CompareDirection::LT);
    let operands: Vec<Tensor> = [x.clone(), y][..n].to_vec();
    let inits: Vec<Tensor> = dtypes[..n].iter().map(|d| r.tensor(*d, &[])).collect();
    let window = Box::new(Window { dims: r.list(x.rank(), Random::window) });
    match r.below(5) {
        0 => {
            let body = function(&dtypes[..n], 2 * n, &combine);
            (Op::GenericReduce { axes: r.ascending(x.rank()), body }, [operands, inits].concat())
        }
        1 => {
            let body = function(&dtypes[..n], 2 * n, &combine);
            (Op::GenericReduceWindow { window, body }, [operands, inits].concat())
        }
        2 => {
            let comparator = function(&dtypes[..1], 2, &compare);
            (Op::Sort { dim: r.below(3), stable: r.chance(2), comparator }, vec![x.clone()])
        }
        3 => {
            let (select, scatter) = (function(&dtypes[..1], 2, &compare), function(&dtypes[..1], 2, &combine));
            let (op, operands) = folding(r, x);
            match op {
                Op::SelectAndScatter { window, .. } => {
                    (Op::GenericSelectAndScatter { window, select, scatter }, operands)
                }
                other => (other, operands),
            }
        }
        _ => {
            let body = function(&dtypes[..1], 2, &combine);
            match indexed(r, x) {
                (Op::Scatter { dims, .. }, operands) => (Op::GenericScatter { dims, body }, operands),
                other => other,
            }
        }
    }
}

#[test]
fn random_operators_give_the_inferred_types_or_an_error() {
    let mut r = Random(20240229);
    let options = EvalOptions { max_bytes: 1 << 16, ..EvalOptions::default() };
    let (mut good, mut bad) = ([0usize; 7], 0);
    for _ in 0..40_000 {
        let (dtype, rank) = (r.pick(&DType::ALL), r.below(4));
        let shape = r.shape(rank);
        let x = r.tensor(dtype, &shape);
        let family = r.below(7);
        let (op, mut operands) = match family {
            0 => movement(&mut r, &x),
            1 => folding(&mut r, &x),
            2 => products(&mut r, &x),
            3 => indexed(&mut r, &x),
            4 => algebra(&mut r),
            5 => regions(&mut r, &x),
            _ => elementwise(&mut r, &x),
        };
        if r.chance(50) {
            operands.pop();
        }
        let types: Vec<TensorType> = operands.iter().map(Tensor::ty).collect();
        let inferred = infer::result_types(&op, &types.iter().collect::<Vec<_>>());
        match eval_op_with(&op, &operands, &options) {
            Ok(results) => {
                good[family] += 1;
                let found: Vec<TensorType> = results.iter().map(Tensor::ty).collect();
                assert_eq!(found, inferred.expect("it was evaluated").to_vec(), "{op:?}");
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good.iter().all(|&n| n > 500) && bad > 500, "the generator is lopsided: {good:?} good, {bad} bad");
}
