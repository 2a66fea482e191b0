//! What methods accept: expressions or Rust scalars, literals, axes.

use crate::expr::Expr;
use half::{bf16, f16};
use kiln_ir::op::Axes;
use kiln_ir::{DType, Element, Tensor};
use smallvec::SmallVec;
use std::ops::{Range, RangeFull, RangeInclusive};

/// A Rust number or bool that takes on the dtype of the tensor it meets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ScalarValue {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// A floating point number.
    Float(f64),
}

impl ScalarValue {
    /// The value as a scalar of this dtype.
    ///
    /// # Errors
    /// When an integer type cannot hold the value exactly, or `bool` meets a number; the text says which.
    pub fn to_tensor(self, dtype: DType) -> Result<Tensor, String> {
        let float = match self {
            ScalarValue::Bool(b) => f64::from(u8::from(b)),
            ScalarValue::Int(i) => i as f64,
            ScalarValue::Float(x) => x,
        };
        let int = match self {
            ScalarValue::Bool(b) => Some(i128::from(b)),
            ScalarValue::Int(i) => Some(i),
            ScalarValue::Float(x) => (x.fract() == 0.0 && x.abs() < 1e30).then_some(x as i128),
        };
        let lost = || format!("{self} is no value of {dtype}");
        match dtype {
            DType::Bool => match self {
                ScalarValue::Bool(b) => Ok(Tensor::scalar(b)),
                ScalarValue::Int(_) | ScalarValue::Float(_) => Err(lost()),
            },
            d if d.is_int() => match int {
                Some(i) if (d.lowest_int()..=d.highest_int()).contains(&i) => {
                    Tensor::from_ints(d, [], [i]).map_err(|e| e.to_string())
                }
                _ => Err(lost()),
            },
            d => Ok(Tensor::scalar_of(d, float)),
        }
    }
}

impl std::fmt::Display for ScalarValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ScalarValue::Bool(b) => write!(f, "{b}"),
            ScalarValue::Int(i) => write!(f, "{i}"),
            ScalarValue::Float(x) => write!(f, "{x:?}"),
        }
    }
}

/// One side of a binary operator: an expression or a scalar.
#[derive(Clone, Debug)]
pub enum Side {
    /// An expression.
    Expr(Expr),
    /// A scalar that takes the other side's dtype.
    Scalar(ScalarValue),
}

/// What binary methods take: `&Expr`, `Expr`, or a Rust scalar.
pub trait Operand {
    /// The side it stands for.
    fn into_side(self) -> Side;
}
impl Operand for Expr {
    fn into_side(self) -> Side {
        Side::Expr(self)
    }
}
impl Operand for &Expr {
    fn into_side(self) -> Side {
        Side::Expr(self.clone())
    }
}
impl Operand for &&Expr {
    fn into_side(self) -> Side {
        Side::Expr((*self).clone())
    }
}
impl Operand for ScalarValue {
    fn into_side(self) -> Side {
        Side::Scalar(self)
    }
}

/// What [`crate::Graph::constant`] takes.
pub trait IntoTensor {
    /// The literal.
    fn into_tensor(self) -> Tensor;
}
impl IntoTensor for Tensor {
    fn into_tensor(self) -> Tensor {
        self
    }
}
impl IntoTensor for &Tensor {
    fn into_tensor(self) -> Tensor {
        self.clone()
    }
}

fn tensor_of<T: Element>(shape: &[usize], data: Vec<T>) -> Tensor {
    Tensor::from_vec(shape, data).expect("an array has as many elements as its lengths say")
}

macro_rules! literals {
    ($($t:ty => $kind:ident as $as:ty),* $(,)?) => {$(
        impl Operand for $t {
            fn into_side(self) -> Side {
                Side::Scalar(ScalarValue::$kind(<$as>::from(self)))
            }
        }
        impl From<$t> for ScalarValue {
            fn from(x: $t) -> ScalarValue {
                ScalarValue::$kind(<$as>::from(x))
            }
        }
        impl IntoTensor for $t {
            fn into_tensor(self) -> Tensor {
                Tensor::scalar(self)
            }
        }
        impl IntoTensor for Vec<$t> {
            fn into_tensor(self) -> Tensor {
                tensor_of(&[self.len()], self)
            }
        }
        impl IntoTensor for &[$t] {
            fn into_tensor(self) -> Tensor {
                tensor_of(&[self.len()], self.to_vec())
            }
        }
        impl<const N: usize> IntoTensor for [$t; N] {
            fn into_tensor(self) -> Tensor {
                tensor_of(&[N], self.to_vec())
            }
        }
        impl<const N: usize, const M: usize> IntoTensor for [[$t; N]; M] {
            fn into_tensor(self) -> Tensor {
                tensor_of(&[M, N], self.concat())
            }
        }
        impl<const N: usize, const M: usize, const K: usize> IntoTensor for [[[$t; N]; M]; K] {
            fn into_tensor(self) -> Tensor {
                tensor_of(&[K, M, N], self.concat().concat())
            }
        }
    )*};
}
literals!(bool => Bool as bool, i8 => Int as i128, i16 => Int as i128, i32 => Int as i128, i64 => Int as i128,
    u8 => Int as i128, u16 => Int as i128, u32 => Int as i128, u64 => Int as i128,
    f16 => Float as f64, bf16 => Float as f64, f32 => Float as f64, f64 => Float as f64);

/// Axes as methods take them: `-1`, `[0, 2]`, `1..3`, or `..` for all. Negative axes count from the end.
pub trait IntoAxes {
    /// The axes, still possibly negative; `None` for all.
    fn into_axes(self) -> Option<SmallVec<[i64; 4]>>;
}
impl IntoAxes for RangeFull {
    fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
        None
    }
}
impl IntoAxes for &Axes {
    fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
        Some(self.iter().map(|&a| a as i64).collect())
    }
}

/// An axis or index: any Rust integer; one that does not fit is out of any range.
fn index<T: TryInto<i64>>(x: T) -> i64 {
    x.try_into().unwrap_or(i64::MAX)
}

macro_rules! axes {
    ($($t:ty),*) => {$(
        impl IntoAxes for $t {
            fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
                Some([index(self)].into_iter().collect())
            }
        }
        impl<const N: usize> IntoAxes for [$t; N] {
            fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
                Some(self.into_iter().map(index).collect())
            }
        }
        impl IntoAxes for &[$t] {
            fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
                Some(self.iter().copied().map(index).collect())
            }
        }
        impl IntoAxes for Vec<$t> {
            fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
                Some(self.into_iter().map(index).collect())
            }
        }
        impl IntoAxes for &Vec<$t> {
            fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
                Some(self.iter().copied().map(index).collect())
            }
        }
        impl IntoAxes for Range<$t> {
            fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
                Some((index(self.start)..index(self.end)).take(64).collect())
            }
        }
        impl IntoAxes for RangeInclusive<$t> {
            fn into_axes(self) -> Option<SmallVec<[i64; 4]>> {
                Some((index(*self.start())..=index(*self.end())).take(64).collect())
            }
        }
    )*};
}
axes!(i32, i64, isize, usize);

impl Expr {
    /// Axes as ascending indices without duplicates, or `None` with a diagnostic.
    #[track_caller]
    pub(crate) fn axes(&self, axes: impl IntoAxes, op: &str) -> Option<Axes> {
        let mut list = self.axes_in_order(axes, op)?;
        list.sort_unstable();
        Some(list)
    }

    /// Axes as indices in the order given, without duplicates, or `None` with a diagnostic.
    #[track_caller]
    pub(crate) fn axes_in_order(&self, axes: impl IntoAxes, op: &str) -> Option<Axes> {
        self.place.as_ref()?;
        let Some(given) = axes.into_axes() else { return Some((0..self.rank()).collect()) };
        let mut list = Axes::new();
        for a in given {
            let a = self.axis(a, op)?;
            if list.contains(&a) {
                self.fail(&format!("{op}.axes"), format!("axis {a} is given twice"), "axes must differ");
                return None;
            }
            list.push(a);
        }
        Some(list)
    }
}
