//! Philox-4x32: four words to a block, for consecutive elements; 64-bit elements take two.

use super::{Builder, Built};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Diagnostic, Dim, Op, Shape, Tensor, TensorType, Value};
use smallvec::smallvec;

/// What the words of the key grow by in every round.
const STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const FACTORS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const ROUNDS: usize = 10;

impl Builder<'_> {
    /// The new state, and `count` elements. The state is (key, low half of the counter, high half); in the form of two words
    /// the key is the high half, too.
    pub fn philox(&mut self, state: Value, ty: &TensorType, count: usize) -> Result<(Value, Value), Diagnostic> {
        let wide = ty.dtype.size() == 8;
        let blocks = count.div_ceil(if wide { 2 } else { 4 });
        let long = self.f.ty(state).shape.num_elements() == Some(3);
        let (key, low) = (self.word(state, 0)?, self.word(state, 1)?);
        let high = if long { self.word(state, 2)? } else { key };

        let taken = self.splat(Tensor::scalar(blocks as u64), low)?;
        let [next_low, next_high] = self.add128([low, high], taken)?;
        let mut parts = vec![key, next_low];
        if long {
            parts.push(next_high);
        }
        for v in &mut parts {
            *v = self.push(Op::Reshape([1usize].into()), &[*v])?;
        }
        let next = self.push(Op::Concatenate(0), &parts)?;

        let index = self.push(Op::Iota { ty: TensorType::new(DType::U64, [blocks]), dim: 0 }, &[])?;
        let counter = self.add128([low, high], index)?;
        let ([c0, c1], [c2, c3], key) = (self.halves(counter[0])?, self.halves(counter[1])?, self.halves(key)?);
        let words = self.rounds(key, [c0, c1, c2, c3])?;
        let bits = self.in_order(words, ty, count, wide)?;
        Ok((next, bits))
    }

    /// An element of the state as a scalar.
    fn word(&mut self, state: Value, at: usize) -> Built {
        let w = self.slice1(state, at)?;
        self.push(Op::Reshape(Shape::scalar()), &[w])
    }

    /// `base + index` of 128 bits in two words of 64.
    fn add128(&mut self, base: [Value; 2], index: Value) -> Result<[Value; 2], Diagnostic> {
        let (low_base, high_base) = (self.broadcast(base[0], index)?, self.broadcast(base[1], index)?);
        let low = self.binary(BinaryOp::Add, index, low_base)?;
        let carry = self.push(Op::Compare(CompareDirection::LT), &[low, low_base])?;
        let carry = self.push(Op::Convert(DType::U64), &[carry])?;
        Ok([low, self.binary(BinaryOp::Add, carry, high_base)?])
    }

    /// The low and the high half of words of 64 bits.
    fn halves(&mut self, x: Value) -> Result<[Value; 2], Diagnostic> {
        let low = self.push(Op::Convert(DType::U32), &[x])?;
        let by = self.splat(Tensor::scalar(32u64), x)?;
        let high = self.binary(BinaryOp::ShiftRightLogical, x, by)?;
        Ok([low, self.push(Op::Convert(DType::U32), &[high])?])
    }

    /// The low and the high half of the product with a constant.
    fn product(&mut self, x: Value, factor: u32) -> Result<[Value; 2], Diagnostic> {
        let x = self.push(Op::Convert(DType::U64), &[x])?;
        let factor = self.splat(Tensor::scalar(u64::from(factor)), x)?;
        let p = self.binary(BinaryOp::Multiply, x, factor)?;
        self.halves(p)
    }

    fn rounds(&mut self, key: [Value; 2], counter: [Value; 4]) -> Result<[Value; 4], Diagnostic> {
        let (mut k, mut x) = (key, counter);
        for _ in 0..ROUNDS {
            let ([low0, high0], [low1, high1]) = (self.product(x[0], FACTORS[0])?, self.product(x[2], FACTORS[1])?);
            let mixed = |b: &mut Self, high: Value, other: Value, k: Value| {
                let k = b.broadcast(k, high)?;
                let v = b.binary(BinaryOp::Xor, high, other)?;
                b.binary(BinaryOp::Xor, v, k)
            };
            x = [mixed(self, high1, x[1], k[0])?, low1, mixed(self, high0, x[3], k[1])?, low0];
            for (word, step) in k.iter_mut().zip(STEPS) {
                // Scalars: added once.
                let step = self.f.constant(Tensor::scalar(step), self.loc.clone());
                *word = self.binary(BinaryOp::Add, *word, step)?;
            }
        }
        Ok(x)
    }

    /// The words of a block go to consecutive elements.
    fn in_order(&mut self, words: [Value; 4], ty: &TensorType, count: usize, wide: bool) -> Built {
        let mut parts = Vec::with_capacity(4);
        if wide {
            for pair in words.chunks_exact(2) {
                parts.push(self.joined([pair[0], pair[1]])?);
            }
        } else {
            parts.extend(words);
        }
        let mut total = 0;
        for v in &mut parts {
            let blocks = self.f.ty(*v).shape.num_elements().unwrap_or(0);
            total += blocks;
            let narrow = self.push(Op::Convert(ty.dtype), &[*v])?;
            *v = self.push(Op::Reshape([blocks, 1].into()), &[narrow])?;
        }
        let bits = self.push(Op::Concatenate(1), &parts)?;
        let mut bits = self.push(Op::Reshape([total].into()), &[bits])?;
        if total != count {
            let (start, limit) = (smallvec![Dim::Const(0)], smallvec![Dim::from(count)]);
            bits = self.push(Op::Slice { start, limit, strides: smallvec![1] }, &[bits])?;
        }
        self.push(Op::Reshape(ty.shape.clone()), &[bits])
    }
}
