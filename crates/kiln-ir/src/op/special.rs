//! Elements of special meaning, and the neutral elements of reducers.

use super::{BinaryOp, Reducer};
use crate::dtype::DType;
use crate::tensor::Tensor;

/// A special element of a dtype.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpecialElement {
    /// 0 or false.
    Zero,
    /// -0 of floats, 0 or false of other types. The neutral element of a sum: +0 would turn -0 into +0.
    NegativeZero,
    /// 1 or true.
    One,
    /// Every bit one: -1, the largest unsigned integer, true.
    AllOnes,
    /// The smallest value: -infinity (or the smallest float), the smallest integer, false.
    Lowest,
    /// The largest value: infinity (or the largest float), the largest integer, true.
    Highest,
}

impl SpecialElement {
    /// The element as a scalar.
    pub fn tensor(self, dtype: DType) -> Tensor {
        let value = match self {
            SpecialElement::Zero => 0.0,
            SpecialElement::NegativeZero => -0.0,
            SpecialElement::One => 1.0,
            SpecialElement::AllOnes if dtype.is_signed_int() => -1.0,
            SpecialElement::Lowest if dtype == DType::Bool => 0.0,
            // Integers saturate.
            SpecialElement::Lowest => dtype.bound_of(f64::NEG_INFINITY),
            SpecialElement::Highest | SpecialElement::AllOnes => dtype.bound_of(f64::INFINITY),
        };
        Tensor::scalar_of(dtype, value)
    }
}

impl Reducer {
    /// The scalar that leaves every other one as it is, to the bit; `None` where the reducer is not defined.
    ///
    /// ```
    /// use kiln_ir::{DType, Tensor, op::Reducer};
    /// assert_eq!(Reducer::Maximum.identity(DType::I8), Some(Tensor::scalar(i8::MIN)));
    /// assert_eq!(Reducer::And.identity(DType::F32), None);
    /// ```
    pub fn identity(self, dtype: DType) -> Option<Tensor> {
        let op: BinaryOp = self.binary();
        let element = op.identity().filter(|_| op.operand_types().contains(dtype))?;
        Some(element.tensor(dtype))
    }

    /// Where a fold starts if nothing else is said: [`Reducer::identity`], but +0 for a sum of floats.
    pub fn start(self, dtype: DType) -> Option<Tensor> {
        match self {
            Reducer::Add => Some(SpecialElement::Zero.tensor(dtype)),
            _ => self.identity(dtype),
        }
    }
}
