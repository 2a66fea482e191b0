//! Convolutions, reduce_window and select_and_scatter.

use super::{Entry, Gen, MAX_ELEMENTS, epsilon, magnitude, sums};
use kiln::ir::op::{CompareDirection, ConvDims, Reducer, Window, WindowDim};
use kiln::ir::{DType, Op};
use smallvec::SmallVec;

impl Gen {
    fn window_dim(&mut self, n: usize, dilations: bool, negative: bool) -> WindowDim {
        let size = 1 + self.rng.below(n.clamp(1, 4)) as i64;
        let pad = if negative { -1 } else { 0 };
        WindowDim {
            size,
            stride: self.rng.range(1, 3),
            pad_low: self.rng.range(pad, size - 1),
            pad_high: self.rng.range(pad, size - 1),
            base_dilation: if dilations && self.rng.one_in(4) { 2 } else { 1 },
            window_dilation: if dilations && self.rng.one_in(4) { 2 } else { 1 },
            reversed: false,
        }
    }

    pub(super) fn reduce_window(&mut self) -> Option<Entry> {
        let x = self
            .find(|e| e.tensor.rank() > 0 && !e.tensor.is_empty() && e.tensor.len() <= 800 && sums(e.tensor.dtype()))?;
        if self.rng.one_in(3) {
            return self.select_and_scatter(&x);
        }
        let shape = x.tensor.shape().to_vec();
        let dims: SmallVec<[WindowDim; 4]> = shape
            .iter()
            .map(|&n| if self.rng.one_in(3) { WindowDim::TRIVIAL } else { self.window_dim(n, true, false) })
            .collect();
        let size: i64 = dims.iter().map(|d| d.size).product();
        let reducer = *self.rng.pick(&[Reducer::Add, Reducer::Maximum, Reducer::Minimum]);
        let dtype = x.tensor.dtype();
        let op = Op::ReduceWindow { window: Box::new(Window { dims }), reducer };
        if reducer != Reducer::Add || !dtype.is_float() {
            let init = self.tensor_of(dtype, &[]);
            let init = self.constant(init);
            return self.emit_moved(op, &[&x, &init]);
        }
        let x = self.clamped(&x, -16.0, 16.0)?;
        let init = self.scalar(dtype, 0.0);
        let (n, m, e, eps) = (size as f64, magnitude(&x.tensor), x.error, epsilon(dtype));
        self.emit(op, &[&x, &init], |r| n * e + (n + 1.0) * eps.min(1.2e-7) * n * m + eps * magnitude(r))
    }

    fn select_and_scatter(&mut self, x: &Entry) -> Option<Entry> {
        if x.error > 0.0 {
            return None;
        }
        let dims: SmallVec<[WindowDim; 4]> = x
            .tensor
            .shape()
            .iter()
            .map(|&n| if self.rng.one_in(2) { WindowDim::TRIVIAL } else { self.window_dim(n, false, false) })
            .collect();
        let out: Vec<usize> =
            dims.iter().zip(x.tensor.shape()).map(|(d, &n)| d.output_size(n as i64) as usize).collect();
        let dtype = x.tensor.dtype();
        let source = self.tensor_of(dtype, &out);
        let source = self.input(source);
        let source = if dtype.is_float() { self.clamped(&source, -16.0, 16.0)? } else { source };
        let init = self.scalar(dtype, 0.0);
        let select = *self.rng.pick(&[CompareDirection::GE, CompareDirection::LE]);
        let windows: i64 = dims.iter().map(|d| d.size).product();
        let op = Op::SelectAndScatter { window: Box::new(Window { dims }), select, scatter: Reducer::Add };
        let (n, m, eps) = (windows as f64, magnitude(&source.tensor), epsilon(dtype));
        self.emit(op, &[x, &source, &init], |_| (n + 1.0) * eps * n * m)
    }

    pub(super) fn convolution(&mut self) -> Option<Entry> {
        let spatial = 1 + self.rng.below(2);
        let x = self.find(|e| {
            e.tensor.rank() == spatial + 2
                && !e.tensor.is_empty()
                && e.tensor.len() <= 600
                && e.tensor.dtype() != DType::Bool
                && sums(e.tensor.dtype())
        })?;
        let dtype = x.tensor.dtype();
        let x = if dtype.is_float() { self.clamped(&x, -8.0, 8.0)? } else { x };
        let shape = x.tensor.shape().to_vec();
        let rank = shape.len();
        let (input, kernel, output) =
            (self.rng.permutation(rank), self.rng.permutation(rank), self.rng.permutation(rank));
        let features = shape[input[1]];
        let batch = shape[input[0]];
        let groups = if features % 2 == 0 && self.rng.one_in(3) { 2 } else { 1 };
        let batch_groups = if groups == 1 && batch % 2 == 0 && self.rng.one_in(4) { 2 } else { 1 };
        let out_features = groups * batch_groups * (1 + self.rng.below(4));
        let mut window: SmallVec<[WindowDim; 4]> =
            (0..spatial).map(|i| self.window_dim(shape[input[2 + i]], true, true)).collect();
        window.iter_mut().for_each(|w| w.reversed = self.rng.one_in(4));
        let mut kernel_shape = vec![0; rank];
        kernel_shape[kernel[0]] = features / groups;
        kernel_shape[kernel[1]] = out_features;
        (0..spatial).for_each(|i| kernel_shape[kernel[2 + i]] = window[i].size as usize);
        let k: usize = kernel_shape.iter().product::<usize>() / out_features;
        // NaN times the zeros of the padding is nobody's promise, so kernels hold ordinary numbers.
        let y = self.ordinary(dtype, &kernel_shape);
        let y = self.input(y);
        let y = if dtype.is_float() { self.clamped(&y, -8.0, 8.0)? } else { y };
        let out: i64 = (0..spatial).map(|i| window[i].output_size(shape[input[2 + i]] as i64)).product();
        if out as usize * batch * out_features > MAX_ELEMENTS {
            return None;
        }
        let op = Op::Convolution(Box::new(ConvDims {
            input_batch: input[0],
            input_feature: input[1],
            input_spatial: input[2..].iter().copied().collect(),
            kernel_input_feature: kernel[0],
            kernel_output_feature: kernel[1],
            kernel_spatial: kernel[2..].iter().copied().collect(),
            output_batch: output[0],
            output_feature: output[1],
            output_spatial: output[2..].iter().copied().collect(),
            window,
            feature_group_count: groups,
            batch_group_count: batch_groups,
        }));
        let error = self.sum_of_products(&x, &y, k);
        self.emit(op, &[&x, &y], error)
    }
}
