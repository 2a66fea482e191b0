//! Attributes as values: what printing, parsing, hashing and substitution have in common.
//!
//! [`Op::attributes`] shows the attributes of any operator, [`Op::attributes_mut`] those that passes rewrite, and
//! [`OpKind::build`](super::OpKind::build) makes an operator of them. All three are derived from the operator table, so that whoever treats every
//! type of attribute treats every operator.

use super::{Axes, Ints, Op, WindowDim};
use crate::dim::Dim;
use crate::dtype::DType;
use crate::func::Func;
use crate::shape::TensorType;
use crate::tensor::Tensor;
use smallvec::SmallVec;

/// An attribute of an operator.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Attribute<'a> {
    /// The key in the text form.
    pub name: &'static str,
    /// The value.
    pub value: AttributeValue<'a>,
    /// False for what the text form leaves out: what is the default, or what result types say.
    pub written: bool,
    /// False for what has no influence on results.
    pub counts: bool,
}

impl<'a> Attribute<'a> {
    pub(super) const fn new(name: &'static str, value: AttributeValue<'a>) -> Attribute<'a> {
        Attribute { name, value, written: true, counts: true }
    }
    /// Left out when it has its default value.
    pub(super) const fn unless(self, default: bool) -> Attribute<'a> {
        Attribute { written: !default, ..self }
    }
    /// The type of a result says it.
    pub(super) const fn annotated(self) -> Attribute<'a> {
        Attribute { written: false, ..self }
    }
    /// It has no influence on results.
    pub(super) const fn inert(self) -> Attribute<'a> {
        Attribute { counts: false, ..self }
    }
}

/// The value of an attribute, by its type in the operator table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AttributeValue<'a> {
    /// A number or a dimension.
    Int(u64),
    /// Dimensions.
    Axes(&'a [usize]),
    /// Dimensions of two operands.
    AxesPair([&'a [usize]; 2]),
    /// Numbers, one per dimension.
    Ints(&'a [i64]),
    /// Sizes or amounts.
    Sizes(&'a [Dim]),
    /// Parts of dimensions.
    Bounds {
        /// First index per dimension.
        start: &'a [Dim],
        /// End (excluded) per dimension.
        limit: &'a [Dim],
        /// Step per dimension.
        strides: &'a [i64],
    },
    /// Windows.
    Windows(&'a [WindowDim]),
    /// The dimensions of a convolution's input, kernel and result.
    Labels([Labels<&'a [usize]>; 3]),
    /// Whether the key is there.
    Flag(bool),
    /// One word of a few.
    Word(&'static str),
    /// An element type.
    DType(DType),
    /// A type.
    Type(&'a TensorType),
    /// Text.
    String(&'a str),
    /// A literal.
    Tensor(&'a Tensor),
    /// A nested function.
    Function(&'a Func),
    /// Nested functions.
    Functions(&'a [Func]),
}

/// What the dimensions of one tensor of a convolution are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Labels<A> {
    /// Batch and feature, of a kernel input and output feature.
    pub named: [usize; 2],
    /// The spatial dimensions.
    pub spatial: A,
}

/// What passes rewrite within attributes.
#[derive(PartialEq, Debug)]
pub enum AttributeMut<'a> {
    /// Sizes, bounds or amounts that may be symbolic.
    Sizes(&'a mut [Dim]),
    /// A nested function.
    Function(&'a mut Func),
}

/// A word that an attribute may be.
pub trait Word: Copy + 'static {
    /// What the words are called in messages.
    const WHAT: &'static str;
    /// Every value.
    const WORDS: &'static [Self];
    /// The word in the text form.
    fn word(self) -> &'static str;
}

/// Where the attributes of an operator come from: the text form.
///
/// # Errors
/// Every method says what is missing or what has another form.
#[allow(missing_docs, reason = "each method takes the attribute of its name's type")]
pub trait AttributeSource {
    /// The attribute is there.
    fn has(&self, name: &str) -> bool;
    /// The type of a result; the operator has as many results as the largest index that it asks for says.
    fn result_type(&mut self, index: usize) -> Result<TensorType, String>;
    fn int<T: TryFrom<usize>>(&mut self, name: &str) -> Result<T, String>;
    fn axes(&mut self, name: &str) -> Result<Axes, String>;
    fn axes_pair(&mut self, name: &str) -> Result<[Axes; 2], String>;
    fn ints(&mut self, name: &str) -> Result<Ints, String>;
    fn sizes(&mut self, name: &str) -> Result<SmallVec<[Dim; 4]>, String>;
    fn bounds(&mut self, name: &str) -> Result<Bounds, String>;
    fn windows(&mut self, name: &str) -> Result<SmallVec<[WindowDim; 4]>, String>;
    fn labels(&mut self, name: &str) -> Result<[Labels<Axes>; 3], String>;
    fn flag(&mut self, name: &str) -> Result<bool, String>;
    fn word<T: Word>(&mut self, name: &str) -> Result<T, String>;
    fn dtype(&mut self, name: &str) -> Result<DType, String>;
    fn string(&mut self, name: &str) -> Result<String, String>;
    fn tensor(&mut self, name: &str) -> Result<Tensor, String>;
    fn function(&mut self, name: &str) -> Result<Box<Func>, String>;
    fn functions(&mut self, name: &str) -> Result<Vec<Func>, String>;
}

/// Start, limit and stride per dimension.
pub type Bounds = (SmallVec<[Dim; 4]>, SmallVec<[Dim; 4]>, Ints);

impl Op {
    /// The functions nested in the operator, in order.
    pub fn regions(&self) -> SmallVec<[&Func; 2]> {
        let mut all = SmallVec::new();
        if !self.has_functions() {
            return all;
        }
        self.attributes(&mut |a| match a.value {
            AttributeValue::Function(f) => all.push(f),
            AttributeValue::Functions(many) => all.extend(many),
            _ => {}
        });
        all
    }

    /// The functions nested in the operator, for rewriting in place.
    pub fn regions_mut(&mut self) -> SmallVec<[&mut Func; 2]> {
        let mut all = SmallVec::new();
        if !self.has_functions() {
            return all;
        }
        self.attributes_mut(&mut |a| {
            if let AttributeMut::Function(f) = a {
                all.push(f);
            }
        });
        all
    }

    /// All sizes, bounds and amounts in the attributes that may be symbolic (nested functions not included).
    pub fn dims(&self) -> SmallVec<[&Dim; 8]> {
        let mut all = SmallVec::new();
        self.attributes(&mut |a| match a.value {
            AttributeValue::Sizes(sizes) => all.extend(sizes),
            AttributeValue::Bounds { start, limit, .. } => all.extend(start.iter().chain(limit)),
            AttributeValue::Type(ty) => all.extend(ty.shape.iter()),
            _ => {}
        });
        all
    }

    /// Visits what [`Op::dims`] gives, writable.
    pub fn for_each_dim(&mut self, f: &mut dyn FnMut(&mut Dim)) {
        self.attributes_mut(&mut |a| {
            if let AttributeMut::Sizes(sizes) = a {
                sizes.iter_mut().for_each(&mut *f);
            }
        });
    }
}
