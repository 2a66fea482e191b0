//! Conversions by value and by bits between types of any class.

use super::build::{Build, Built, internal};
use super::{Class, Rep, class, storage};
use kiln_ir::{BinaryOp, DType, Diagnostic, MiniFormat, UnaryOp, Value};

impl Build {
    /// `convert`: the value in another type.
    pub fn convert_rep(&mut self, x: Rep, from: DType, to: DType) -> Result<Rep, Diagnostic> {
        if from == to {
            return Ok(x);
        }
        match (class(from), class(to)) {
            (Class::Complex, Class::Complex) => {
                let [re, im] = x.pair();
                let part = to.real_type();
                Ok(Rep::Pair([self.convert(re, part)?, self.convert(im, part)?]))
            }
            // The imaginary part is dropped.
            (Class::Complex, _) => self.convert_rep(Rep::One(x.pair()[0]), from.real_type(), to),
            (_, Class::Complex) => {
                let re = self.convert_rep(x, from, to.real_type())?.one();
                Ok(Rep::Pair([re, self.num(re, 0.0)?]))
            }
            (Class::Mini(format), _) => {
                let value = self.decode(x.one(), format)?;
                self.convert_rep(Rep::One(value), DType::F32, to)
            }
            (_, Class::Mini(format)) => {
                // Whole numbers go by way of f32, as the interpreter has them.
                let value = match from {
                    DType::F64 => self.round_to_odd(x.one())?,
                    _ => self.convert(x.one(), DType::F32)?,
                };
                self.encode(value, format).map(Rep::One)
            }
            (Class::Narrow, Class::Narrow) => self.wrap(x.one(), to).map(Rep::One),
            (Class::Narrow, Class::Legal) => self.convert(x.one(), to).map(Rep::One),
            (Class::Legal, Class::Narrow) if from.is_float() => self.saturate(x.one(), to).map(Rep::One),
            (Class::Legal, Class::Narrow) => {
                let low = self.convert(x.one(), storage(to))?;
                self.wrap(low, to).map(Rep::One)
            }
            (Class::Legal, Class::Legal) => self.convert(x.one(), to).map(Rep::One),
        }
    }

    /// `bitcast_convert`: the bits as another type; dimensions of parts appear or vanish.
    pub fn bitcast_rep(&mut self, x: Rep, from: DType, to: DType) -> Result<Rep, Diagnostic> {
        match (class(from), class(to)) {
            (Class::Complex, Class::Complex) if from == to => Ok(x),
            // Interleaved parts are the bits of a complex number in memory.
            (Class::Complex, Class::Complex) => {
                let v = self.join(x.pair())?;
                let v = self.bitcast(v, to.real_type())?;
                self.split(v).map(Rep::Pair)
            }
            (Class::Complex, _) => {
                let part = from.real_type();
                let v = self.join(x.pair())?;
                if to.bits() >= part.bits() {
                    return self.bits_as(v, part, to).map(Rep::One);
                }
                let rank = self.sizes(v).len();
                let v = self.bits_as(v, part, to)?;
                self.merge_last(v, rank).map(Rep::One)
            }
            (_, Class::Complex) => {
                let part = to.real_type();
                let mut v = x.one();
                if from.bits() < part.bits() {
                    let mut sizes = self.sizes(v);
                    let parts = (part.bits() / from.bits()) as usize;
                    sizes.pop();
                    sizes.extend([2, parts]);
                    v = self.reshape(v, &sizes)?;
                }
                let v = self.bits_as(v, from, part)?;
                self.split(v).map(Rep::Pair)
            }
            (_, _) => self.bits_as(x.one(), from, to).map(Rep::One),
        }
    }

    /// [`Build::bitcast_rep`] of stored values that are no pairs.
    fn bits_as(&mut self, x: Value, from: DType, to: DType) -> Built {
        let (n, m) = (from.bits(), to.bits());
        if n < 8 && m <= 8 {
            return match n.cmp(&m) {
                std::cmp::Ordering::Equal => self.relabel(x, from, to),
                std::cmp::Ordering::Less => self.pack(x, from, to),
                std::cmp::Ordering::Greater => self.unpack(x, from, to),
            };
        }
        if n < 8 {
            // Whole bytes first.
            let mut sizes = self.sizes(x);
            let (per_byte, Some(last)) = ((8 / n) as usize, sizes.pop()) else {
                return Err(internal("a bitcast to a wider type has parts"));
            };
            sizes.extend([last / per_byte, per_byte]);
            let x = self.reshape(x, &sizes)?;
            let bytes = self.pack(x, from, DType::U8)?;
            return self.bits_as(bytes, DType::U8, to);
        }
        if m < 8 {
            let bytes = self.bits_as(x, from, DType::U8)?;
            let parts = self.unpack(bytes, DType::U8, to)?;
            let rank = self.sizes(x).len();
            return if n > 8 { self.merge_last(parts, rank + 1) } else { Ok(parts) };
        }
        // 8 bits and more: the storage has the bits of the element.
        self.bitcast(x, storage(to))
    }

    /// Dimensions from `at - 1` on become one: the parts of parts in order.
    fn merge_last(&mut self, x: Value, at: usize) -> Built {
        let sizes = self.sizes(x);
        let (lead, rest) = sizes.split_at(at - 1);
        let mut merged = lead.to_vec();
        merged.push(rest.iter().product());
        self.reshape(x, &merged)
    }

    /// The bits of elements of less than 8 bits, without copies of the sign, as u8.
    fn plain_bits(&mut self, x: Value, dtype: DType) -> Built {
        let x = self.bitcast(x, DType::U8)?;
        if dtype.is_signed_int() && dtype.bits() < 8 { self.mask(x, (1 << dtype.bits()) - 1) } else { Ok(x) }
    }

    /// Bits as u8 in the storage of a type of at most 8 bits.
    fn with_plain_bits(&mut self, x: Value, dtype: DType) -> Built {
        match class(dtype) {
            Class::Narrow if dtype.is_signed_int() => {
                let x = self.bitcast(x, DType::I8)?;
                self.wrap(x, dtype)
            }
            _ => self.bitcast(x, storage(dtype)),
        }
    }

    fn relabel(&mut self, x: Value, from: DType, to: DType) -> Built {
        let bits = self.plain_bits(x, from)?;
        self.with_plain_bits(bits, to)
    }

    /// The last dimension holds the parts of one element, least significant first.
    fn pack(&mut self, x: Value, from: DType, to: DType) -> Built {
        let bits = self.plain_bits(x, from)?;
        let sizes = self.sizes(bits);
        let (count, lead) = (sizes[sizes.len() - 1], &sizes[..sizes.len() - 1]);
        let mut all: Option<Value> = None;
        for i in 0..count {
            let part = self.slice_last(bits, i)?;
            let part = self.reshape(part, lead)?;
            let part = self.shl(part, i as u32 * from.bits())?;
            all = Some(match all {
                None => part,
                Some(v) => self.bin(BinaryOp::Or, v, part)?,
            });
        }
        let all = all.ok_or_else(|| internal("an element without parts"))?;
        self.with_plain_bits(all, to)
    }

    /// The parts of an element in a new last dimension, least significant first.
    fn unpack(&mut self, x: Value, from: DType, to: DType) -> Built {
        let bits = self.plain_bits(x, from)?;
        let mut sizes = self.sizes(bits);
        let count = from.bits() / to.bits();
        sizes.push(1);
        let mut parts = Vec::new();
        for i in 0..count {
            let part = self.shr(bits, i * to.bits())?;
            let part = self.mask(part, (1 << to.bits()) - 1)?;
            let part = self.with_plain_bits(part, to)?;
            parts.push(self.reshape(part, &sizes)?);
        }
        self.push(kiln_ir::Op::Concatenate(sizes.len() - 1), &parts)
    }

    /// A unary operator on a float of at most 8 bits, through f32.
    pub fn mini_unary(&mut self, op: UnaryOp, x: Value, format: MiniFormat) -> Built {
        let x = self.decode(x, format)?;
        let y = self.un(op, x)?;
        if op.result_dtype().is_some() { Ok(y) } else { self.encode(y, format) }
    }
}
