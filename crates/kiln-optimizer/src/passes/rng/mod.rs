//! `expand_rng`: `rng_bit_generator` as integer arithmetic on a counter, which fuses with what uses the bits.
//!
//! Threefry-2x32 with 20 rounds and Philox-4x32 with 10 (module `philox`; Salmon, Moraes, Dror, Shaw: "Parallel random
//! numbers: as easy as 1, 2, 3", SC 2011); counters and words are laid out as the interpreter does it, bit for bit. Of
//! threefry, 64-bit results take one block each, narrower ones share a block between neighbours along one dimension.

mod philox;

use crate::context::Cx;
use crate::pass::Pass;
use crate::rewrite::Sizes;
use kiln_ir::op::{Axes, CompareDirection, RngAlgorithm};
use kiln_ir::rewrite::{Values, walk};
use kiln_ir::{BinaryOp, DType, Diagnostic, Dim, Func, Loc, Node, Op, Shape, Tensor, TensorType, Value};
use smallvec::smallvec;

/// See the module.
pub(crate) const PASS: Pass = Pass::new("expand_rng", rewrite).on(|op| matches!(op, Op::RngBitGenerator { .. }));

fn rewrite(old: Func, cx: &mut Cx) -> Func {
    walk(old, |new, mut node| {
        cx.work += 1;
        node.map_regions(|region| rewrite(region, cx));
        let expanded = match &node.op {
            Op::RngBitGenerator { ty, algorithm } => expand(new, &node, ty, *algorithm, cx),
            _ => None,
        };
        expanded.unwrap_or_else(|| new.keep(node))
    })
}

/// How the bits of one result are laid out.
struct Plan {
    ty: TensorType,
    sizes: Sizes,
    /// Blocks taken.
    blocks: u32,
    /// For results of less than 64 bits: the dimension along which neighbours share a block, if there is one.
    split: Option<usize>,
}

impl Plan {
    /// `None` when there are more blocks than a 32-bit counter can number.
    fn of(ty: &TensorType) -> Option<Plan> {
        let sizes = ty.shape.as_sizes()?;
        let wide = ty.dtype.size() == 8;
        let even = sizes.iter().position(|n| n % 2 == 0);
        let largest = || (0..sizes.len()).max_by_key(|&d| (sizes[d], std::cmp::Reverse(d)));
        let split = if wide { None } else { even.or_else(largest) };
        let mut counted = sizes.clone();
        if let Some(d) = split {
            counted[d] = sizes[d].div_ceil(2);
        }
        let blocks = counted.iter().try_fold(1usize, |a, &n| a.checked_mul(n))?;
        // A dimension of size 0 with others that overflow when doubled cannot be built; there is nothing to compute.
        Some(Plan { ty: ty.clone(), blocks: u32::try_from(blocks).ok()?, split, sizes })
    }
}

/// `None` where there is no expansion: the generator stays as it is.
fn expand(f: &mut Func, node: &Node, ty: &TensorType, algorithm: RngAlgorithm, cx: &mut Cx) -> Option<Values> {
    let state = node.operands[0];
    let built = match algorithm {
        RngAlgorithm::ThreeFry => {
            let plan = Plan::of(ty)?;
            cx.require("threefry");
            Builder { f, loc: node.loc.clone() }.generate(state, &plan)
        }
        RngAlgorithm::Philox => {
            let count = ty.shape.num_elements()?;
            cx.require("philox");
            Builder { f, loc: node.loc.clone() }.philox(state, ty, count)
        }
    };
    match built {
        Ok((state, bits)) => {
            f.node_mut(bits.node).name = node.name.clone();
            Some(smallvec![state, bits])
        }
        Err(d) => {
            // The nodes pushed so far are dead.
            debug_assert!(false, "the expansion of {} is well typed: {d}", algorithm.name());
            None
        }
    }
}

struct Builder<'f> {
    f: &'f mut Func,
    loc: Loc,
}

type Built = Result<Value, Diagnostic>;

impl Builder<'_> {
    fn push(&mut self, op: Op, operands: &[Value]) -> Built {
        self.f.push1(op, operands, self.loc.clone())
    }
    fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Built {
        self.push(Op::Binary(op), &[a, b])
    }
    fn splat(&mut self, t: Tensor, like: Value) -> Built {
        let s = self.f.constant(t, self.loc.clone());
        self.broadcast(s, like)
    }
    fn broadcast(&mut self, s: Value, like: Value) -> Built {
        let shape = self.f.ty(like).shape.clone();
        if shape.rank() == 0 { Ok(s) } else { self.push(Op::BroadcastInDim { shape, dims: Axes::new() }, &[s]) }
    }
    fn slice1(&mut self, x: Value, at: usize) -> Built {
        let (start, limit) = (smallvec![Dim::from(at)], smallvec![Dim::from(at + 1)]);
        self.push(Op::Slice { start, limit, strides: smallvec![1] }, &[x])
    }

    fn generate(&mut self, state: Value, plan: &Plan) -> Result<(Value, Value), Diagnostic> {
        let key = self.slice1(state, 0)?;
        let counter = self.slice1(state, 1)?;
        let blocks = self.splat(Tensor::scalar(u64::from(plan.blocks)), counter)?;
        let next = self.binary(BinaryOp::Add, counter, blocks)?;
        let next = self.push(Op::Concatenate(0), &[key, next])?;

        let key = self.words(key)?;
        let counter = self.words(counter)?;
        let ty = TensorType::new(DType::U32, [plan.blocks as usize]);
        let index = self.push(Op::Iota { ty, dim: 0 }, &[])?;
        let counter = self.add64(counter, index)?;
        let words = self.threefry(key, counter)?;
        let bits = if plan.ty.dtype.size() == 8 { self.join(words, plan)? } else { self.interleave(words, plan)? };
        Ok((next, bits))
    }

    /// The low and the high word of a `u64[1]`, as scalars.
    fn words(&mut self, x: Value) -> Result<[Value; 2], Diagnostic> {
        let words = self.push(Op::BitcastConvert(DType::U32), &[x])?;
        let words = self.push(Op::Reshape([2usize].into()), &[words])?;
        let mut scalar = |i| {
            let w = self.slice1(words, i)?;
            self.push(Op::Reshape(Shape::scalar()), &[w])
        };
        Ok([scalar(0)?, scalar(1)?])
    }

    /// `base + index` of 64 bits in words.
    fn add64(&mut self, base: [Value; 2], index: Value) -> Result<[Value; 2], Diagnostic> {
        let low_base = self.broadcast(base[0], index)?;
        let high_base = self.broadcast(base[1], index)?;
        let low = self.binary(BinaryOp::Add, index, low_base)?;
        let carry = self.push(Op::Compare(CompareDirection::LT), &[low, low_base])?;
        let carry = self.push(Op::Convert(DType::U32), &[carry])?;
        let high = self.binary(BinaryOp::Add, carry, high_base)?;
        Ok([low, high])
    }

    fn rotate_left(&mut self, x: Value, bits: u32) -> Built {
        let (left, right) = (self.splat(Tensor::scalar(bits), x)?, self.splat(Tensor::scalar(32 - bits), x)?);
        let high = self.binary(BinaryOp::ShiftLeft, x, left)?;
        let low = self.binary(BinaryOp::ShiftRightLogical, x, right)?;
        self.binary(BinaryOp::Or, high, low)
    }

    fn threefry(&mut self, key: [Value; 2], counter: [Value; 2]) -> Result<[Value; 2], Diagnostic> {
        const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
        const PARITY: u32 = 0x1bd1_1bda;
        let parity = self.f.constant(Tensor::scalar(PARITY), self.loc.clone());
        let mixed = self.binary(BinaryOp::Xor, key[0], key[1])?;
        let keys = [key[0], key[1], self.binary(BinaryOp::Xor, mixed, parity)?];
        let mut x = counter;
        for (word, k) in x.iter_mut().zip(keys) {
            let k = self.broadcast(k, *word)?;
            *word = self.binary(BinaryOp::Add, *word, k)?;
        }
        for group in 0..5usize {
            for r in ROTATIONS[group % 2] {
                x[0] = self.binary(BinaryOp::Add, x[0], x[1])?;
                let rotated = self.rotate_left(x[1], r)?;
                x[1] = self.binary(BinaryOp::Xor, rotated, x[0])?;
            }
            let i = group + 1;
            let k = self.broadcast(keys[i % 3], x[0])?;
            x[0] = self.binary(BinaryOp::Add, x[0], k)?;
            // Key and round number are added as scalars, once.
            let number = self.f.constant(Tensor::scalar(i as u32), self.loc.clone());
            let k = self.binary(BinaryOp::Add, keys[(i + 1) % 3], number)?;
            let k = self.broadcast(k, x[1])?;
            x[1] = self.binary(BinaryOp::Add, x[1], k)?;
        }
        Ok(x)
    }

    /// 64-bit results: low and high word of one block.
    fn join(&mut self, words: [Value; 2], plan: &Plan) -> Built {
        let bits = self.joined(words)?;
        let bits = self.push(Op::Convert(plan.ty.dtype), &[bits])?;
        self.push(Op::Reshape(plan.ty.shape.clone()), &[bits])
    }

    /// Words of 64 bits of a low and a high half.
    fn joined(&mut self, words: [Value; 2]) -> Built {
        let low = self.push(Op::Convert(DType::U64), &[words[0]])?;
        let high = self.push(Op::Convert(DType::U64), &[words[1]])?;
        let by = self.splat(Tensor::scalar(32u64), high)?;
        let high = self.binary(BinaryOp::ShiftLeft, high, by)?;
        self.binary(BinaryOp::Or, low, high)
    }

    /// Narrower results: the two words of a block are neighbours along the split dimension.
    fn interleave(&mut self, words: [Value; 2], plan: &Plan) -> Built {
        let Some(split) = plan.split else {
            let bits = self.push(Op::Convert(plan.ty.dtype), &[words[0]])?;
            return self.push(Op::Reshape(plan.ty.shape.clone()), &[bits]);
        };
        let mut sizes = plan.sizes.clone();
        sizes[split] = sizes[split].div_ceil(2);
        sizes.insert(split + 1, 1);
        let mut parts = words;
        for word in parts.iter_mut() {
            let narrow = self.push(Op::Convert(plan.ty.dtype), &[*word])?;
            *word = self.push(Op::Reshape(Shape::from_sizes(&sizes)), &[narrow])?;
        }
        let both = self.push(Op::Concatenate(split + 1), &parts)?;
        sizes.remove(split + 1);
        sizes[split] *= 2;
        let bits = self.push(Op::Reshape(Shape::from_sizes(&sizes)), &[both])?;
        if sizes == plan.sizes {
            return Ok(bits);
        }
        let limit = plan.sizes.iter().map(|&n| Dim::from(n)).collect();
        let start = plan.sizes.iter().map(|_| Dim::Const(0)).collect();
        self.push(Op::Slice { start, limit, strides: smallvec![1; plan.sizes.len()] }, &[bits])
    }
}
