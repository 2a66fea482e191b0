//! Random shapes and contents.

use super::{Entry, Gen, MAX_ELEMENTS};
use kiln::interp::eval_op;
use kiln::ir::{DType, Op, Tensor};

/// Dtypes with their weight: those that are compiled to SIMD code come more often.
const DTYPES: [DType; 22] = [
    DType::F32,
    DType::F32,
    DType::F32,
    DType::F32,
    DType::F32,
    DType::F64,
    DType::F64,
    DType::I32,
    DType::I32,
    DType::I64,
    DType::I64,
    DType::U8,
    DType::U8,
    DType::U32,
    DType::U32,
    DType::Bool,
    DType::F16,
    DType::BF16,
    DType::I8,
    DType::I16,
    DType::U16,
    DType::U64,
];
const SIZES: [usize; 14] = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 33, 64];

impl Gen {
    pub(super) fn dtype(&mut self) -> DType {
        *self.rng.pick(&DTYPES)
    }

    pub(super) fn shape(&mut self) -> Vec<usize> {
        let rank = [0, 1, 1, 2, 2, 2, 3, 3, 4][self.rng.below(9)];
        let mut shape: Vec<usize> = Vec::new();
        for _ in 0..rank {
            let room = MAX_ELEMENTS / shape.iter().product::<usize>().max(1);
            let fitting: Vec<usize> = SIZES.iter().copied().filter(|&n| n <= room).collect();
            shape.push(if self.rng.one_in(60) { 0 } else { *self.rng.pick(&fitting) });
        }
        shape
    }

    pub(super) fn random_tensor(&mut self) -> Tensor {
        let (dtype, shape) = (self.dtype(), self.shape());
        self.tensor_of(dtype, &shape)
    }

    /// Mostly small numbers, now and then an extreme one.
    pub(super) fn tensor_of(&mut self, dtype: DType, shape: &[usize]) -> Tensor {
        let special = self.rng.one_in(4);
        self.contents(dtype, shape, special)
    }

    /// Small numbers only.
    pub(super) fn ordinary(&mut self, dtype: DType, shape: &[usize]) -> Tensor {
        self.contents(dtype, shape, false)
    }

    fn contents(&mut self, dtype: DType, shape: &[usize], special: bool) -> Tensor {
        let n: usize = shape.iter().product();
        if dtype == DType::Bool {
            let data: Vec<bool> = (0..n).map(|_| self.rng.one_in(2)).collect();
            return Tensor::from_vec(shape, data).expect("as many as the shape has");
        }
        if dtype.is_float() {
            let data: Vec<f64> = (0..n).map(|_| self.float(special)).collect();
            let t = Tensor::from_vec(shape, data).expect("as many as the shape has");
            return eval_op(&Op::Convert(dtype), &[t]).expect("converts").swap_remove(0);
        }
        if dtype.is_complex() {
            let parts = [(); 2].map(|()| self.contents(dtype.real_type(), shape, special));
            return eval_op(&Op::Complex, &parts).expect("parts fit").swap_remove(0);
        }
        if dtype.bits() < 8 {
            let wide = self.contents(DType::I32, shape, special);
            return eval_op(&Op::Convert(dtype), &[wide]).expect("converts").swap_remove(0);
        }
        let data: Vec<u8> = (0..n * dtype.size()).map(|_| 0).collect();
        let mut bytes = data;
        for chunk in bytes.chunks_mut(dtype.size()) {
            let v = if special && self.rng.one_in(8) {
                [0, 1, !0, 1 << 63, (1 << 63) - 1, 1 << (dtype.bits() - 1), self.rng.bits()][self.rng.below(7)]
            } else {
                self.rng.range(-20, 20) as u64
            };
            chunk.copy_from_slice(&v.to_le_bytes()[..dtype.size()]);
        }
        Tensor::from_bytes(dtype, shape, &bytes).expect("as many as the shape has")
    }

    fn float(&mut self, special: bool) -> f64 {
        if special && self.rng.one_in(10) {
            return [
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                0.0,
                1e30,
                -1e30,
                1e-40,
                f64::from(f32::MAX),
                0.5,
                2.5,
            ][self.rng.below(11)];
        }
        match self.rng.below(4) {
            0 => self.rng.range(-8, 8) as f64,
            1 => self.rng.range(-16, 16) as f64 / 4.0,
            _ => (self.rng.unit() - 0.5) * 6.0,
        }
    }

    /// A new input, constant or iota.
    pub(super) fn source(&mut self) -> Option<Entry> {
        match self.rng.below(3) {
            0 => {
                let t = self.random_tensor();
                Some(self.input(t))
            }
            1 => {
                let t = self.random_tensor();
                let e = self.constant(t);
                self.entries.push(e.clone());
                Some(e)
            }
            _ => {
                let (dtype, shape) = (self.dtype(), self.shape());
                if shape.is_empty() || dtype == DType::Bool {
                    return None;
                }
                let dim = self.rng.below(shape.len());
                let ty = kiln::ir::TensorType::new(dtype, shape.as_slice());
                self.emit_moved(Op::Iota { ty, dim }, &[])
            }
        }
    }
}
