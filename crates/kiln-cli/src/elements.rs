//! Tensors of any type, element by element, as numbers and as text.

use kiln::ir::{DType, Tensor};

/// A tensor of numbers: complex elements are two parts, all others one.
pub struct Elements<'t> {
    tensor: &'t Tensor,
    /// Type of a part.
    real: DType,
    /// Bytes of a part.
    size: usize,
    /// Parts of an element.
    pub parts: usize,
}

impl<'t> Elements<'t> {
    /// Looks at a tensor.
    pub fn new(tensor: &'t Tensor) -> Elements<'t> {
        let real = tensor.dtype().real_type();
        let size = real.size();
        Elements { tensor, real, size, parts: tensor.dtype().size() / size }
    }

    fn bytes(&self, part: usize) -> &'t [u8] {
        &self.tensor.bytes()[part * self.size..(part + 1) * self.size]
    }

    /// The bits of a part, zero extended.
    fn bits(&self, part: usize) -> u64 {
        let mut raw = [0u8; 8];
        raw[..self.size].copy_from_slice(self.bytes(part));
        u64::from_le_bytes(raw)
    }

    /// The integer that a part is (bool: 0 or 1); meaningless for floats.
    fn integer(&self, part: usize) -> i128 {
        self.real.decode_int(self.bits(part))
    }

    /// A part as f64: exact but for integers beyond 2^53.
    pub fn value(&self, part: usize) -> f64 {
        self.real.decode(self.bits(part))
    }

    /// The position of a part in the order of all values of its type: neighbours differ by one, both zeros are 0.
    pub fn ordinal(&self, part: usize) -> i128 {
        if !self.real.is_float() {
            return self.integer(part);
        }
        let bits = self.bits(part);
        let width = self.real.bits();
        let unsigned = self.real == DType::F8E8M0FNU;
        let sign = 1u64 << (width - 1);
        if unsigned || bits & sign == 0 { i128::from(bits) } else { -i128::from(bits & (sign - 1)) }
    }

    /// An element as text that tells apart all values of the type.
    pub fn text(&self, element: usize) -> String {
        let part = |i: usize| match self.real {
            DType::Bool => (self.bits(i) != 0).to_string(),
            real if real.is_float() => float_text(self.value(i), real),
            _ => self.integer(i).to_string(),
        };
        match self.parts {
            1 => part(element),
            _ => format!("({}, {})", part(2 * element), part(2 * element + 1)),
        }
    }
}

/// The shortest text that reads back as the same value of its type.
fn float_text(x: f64, dtype: DType) -> String {
    if dtype == DType::F64 { format!("{x:?}") } else { format!("{:?}", x as f32) }
}

/// The distance from 1 to the next number of a type of floats (or of complex numbers of them): 2 to the power of minus the
/// bits of the mantissa. Zero for other types.
pub fn epsilon(dtype: DType) -> f64 {
    dtype.real_type().mantissa_bits().map_or(0.0, |bits| 2f64.powi(-(bits as i32)))
}

/// The indices of an element in a tensor of this shape.
pub fn index_of(mut element: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = element % n.max(1);
        element /= n.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_order_of_half_precision() {
        let bits: Vec<u16> = vec![0x0000, 0x8000, 0x0001, 0x3c00, 0x3c01, 0x7bff, 0x7c00, 0xfc00, 0xbc00];
        let bytes: Vec<u8> = bits.iter().flat_map(|b| b.to_le_bytes()).collect();
        let t = Tensor::from_bytes(DType::F16, [9], &bytes).expect("made");
        let e = Elements::new(&t);
        let expected =
            [0.0, -0.0, 2f64.powi(-24), 1.0, 1.0 + 2f64.powi(-10), 65504.0, f64::INFINITY, f64::NEG_INFINITY, -1.0];
        for (i, want) in expected.into_iter().enumerate() {
            assert_eq!(e.value(i), want, "{i}");
        }
        assert_eq!(e.ordinal(0), e.ordinal(1));
        assert_eq!(e.ordinal(4) - e.ordinal(3), 1);
        assert_eq!(e.ordinal(8), -e.ordinal(3));
    }

    #[test]
    fn text_of_every_kind() {
        let complex = [1.5f32, -0.0].map(f32::to_le_bytes).concat();
        let t = Tensor::from_bytes(DType::C64, [1], &complex).expect("made");
        assert_eq!(Elements::new(&t).text(0), "(1.5, -0.0)");
        assert_eq!(Elements::new(&Tensor::scalar(u64::MAX)).text(0), "18446744073709551615");
        assert_eq!(Elements::new(&Tensor::scalar(i64::MIN)).text(0), "-9223372036854775808");
        assert_eq!(Elements::new(&Tensor::scalar(0.1f32)).text(0), "0.1");
        assert_eq!(Elements::new(&Tensor::scalar(true)).text(0), "true");
        let small = Tensor::from_bytes(DType::I4, [1], &[0xf8]).expect("made");
        assert_eq!(Elements::new(&small).text(0), "-8");
        let mini = Tensor::from_bytes(DType::F8E4M3FN, [1], &[0x39]).expect("made");
        assert_eq!(Elements::new(&mini).text(0), "1.125");
    }

    #[test]
    fn indices() {
        assert_eq!(index_of(7, &[2, 3, 2]), [1, 0, 1]);
        assert_eq!(index_of(0, &[]), [0usize; 0]);
    }
}
