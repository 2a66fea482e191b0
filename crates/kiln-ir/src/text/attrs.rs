//! Attributes: `key = value` in any order, and the operators made of them.

use crate::dim::Dim;
use crate::dtype::DType;
use crate::func::Func;
use crate::op::attribute::{AttributeSource, Bounds, Labels, Word};
use crate::op::{Axes, Ints, Op, OpKind, WindowDim};
use crate::shape::TensorType;
use crate::tensor::Tensor;
use smallvec::SmallVec;

/// A value as written; its form says what it is.
#[derive(Debug)]
pub enum Attr {
    /// `[1, 2*n+1]`, `[..] x [..]`, `[..] x [..] -> [..]`
    Lists(Vec<Vec<Dim>>),
    /// `[0:4, 1:n:2]`
    Bounds(Vec<(Dim, Dim, i64)>),
    /// `[{size = 3}, {}]`
    Windows(Vec<WindowDim>),
    /// A number, or a word: `3`, `GE`, `add`.
    Scalar(Dim),
    /// `"gelu"`
    Str(String),
    /// A nested function.
    Func(Func),
    /// `[f, g]`: nested functions.
    Funcs(Vec<Func>),
    /// A key without a value.
    Flag,
}

/// What was written of one operator besides its operands.
#[derive(Default)]
pub struct Attrs {
    entries: Vec<(String, Attr)>,
    operator: &'static str,
    /// The value of a constant, which has no key.
    pub literal: Option<Tensor>,
    /// The types annotated.
    pub types: SmallVec<[TensorType; 1]>,
}

type Result<T> = std::result::Result<T, String>;

impl Attrs {
    /// Adds an entry.
    pub fn insert(&mut self, key: &str, value: Attr) -> Result<()> {
        if self.entries.iter().any(|(k, _)| k == key) {
            return Err(format!("`{key}` is given twice"));
        }
        self.entries.push((key.to_string(), value));
        Ok(())
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every entry has been used.
    pub fn finish(&self) -> Result<()> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!("unknown attribute `{key}`")),
        }
    }

    fn take(&mut self, key: &str) -> Result<Attr> {
        self.optional(key).ok_or_else(|| format!("the attribute `{key}` is missing"))
    }

    fn optional(&mut self, key: &str) -> Option<Attr> {
        let at = self.entries.iter().position(|(k, _)| k == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    fn lists<const N: usize>(&mut self, key: &str) -> Result<[Vec<Dim>; N]> {
        match self.take(key)? {
            Attr::Lists(l) => l.try_into().map_err(|_| format!("`{key}` takes {N} list(s)")),
            // `[]` may be empty bounds or windows as well.
            other => Err(format!("`{key}` takes a list, found {}", other.kind())),
        }
    }

    fn dims(&mut self, key: &str) -> Result<Vec<Dim>> {
        self.lists::<1>(key).map(|[l]| l)
    }

    fn text(&mut self, key: &str) -> Result<String> {
        match self.take(key)? {
            Attr::Scalar(d) if d.as_symbol().is_some() => Ok(d.to_string()),
            other => Err(format!("`{key}` takes a word, found {}", other.kind())),
        }
    }
}

impl AttributeSource for Attrs {
    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(k, _)| k == key)
    }

    fn result_type(&mut self, index: usize) -> Result<TensorType> {
        match self.types.get(index) {
            Some(ty) if self.types.len() == index + 1 => Ok(ty.clone()),
            _ if index == 0 => Err(format!("`{}` has one result", self.operator)),
            _ => Err(format!("`{}` has {} results", self.operator, index + 1)),
        }
    }

    fn axes(&mut self, key: &str) -> Result<Axes> {
        axes(key, self.dims(key)?)
    }

    fn axes_pair(&mut self, key: &str) -> Result<[Axes; 2]> {
        let [a, b] = self.lists::<2>(key)?;
        Ok([axes(key, a)?, axes(key, b)?])
    }

    fn ints(&mut self, key: &str) -> Result<Ints> {
        self.dims(key)?.into_iter().map(|d| d.as_const().ok_or(format!("`{key}` takes numbers, found {d}"))).collect()
    }

    fn sizes(&mut self, key: &str) -> Result<SmallVec<[Dim; 4]>> {
        self.dims(key).map(SmallVec::from_vec)
    }

    fn int<T: TryFrom<usize>>(&mut self, key: &str) -> Result<T> {
        match self.take(key)? {
            Attr::Scalar(d) => T::try_from(index(key, &d)?).map_err(|_| format!("`{key}` is too large")),
            other => Err(format!("`{key}` takes a number, found {}", other.kind())),
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool> {
        match self.optional(key) {
            None => Ok(false),
            Some(Attr::Flag) => Ok(true),
            Some(other) => Err(format!("`{key}` takes no value, found {}", other.kind())),
        }
    }

    fn windows(&mut self, key: &str) -> Result<SmallVec<[WindowDim; 4]>> {
        match self.take(key)? {
            Attr::Windows(w) => Ok(w.into()),
            Attr::Lists(l) if l.len() == 1 && l[0].is_empty() => Ok(SmallVec::new()),
            other => Err(format!("`{key}` takes windows, found {}", other.kind())),
        }
    }

    fn bounds(&mut self, key: &str) -> Result<Bounds> {
        let bounds = match self.take(key)? {
            Attr::Bounds(b) => b,
            Attr::Lists(l) if l.len() == 1 && l[0].is_empty() => Vec::new(),
            other => return Err(format!("`{key}` takes bounds, found {}", other.kind())),
        };
        let mut parts = Bounds::default();
        for (start, limit, stride) in bounds {
            parts.0.push(start);
            parts.1.push(limit);
            parts.2.push(stride);
        }
        Ok(parts)
    }

    fn labels(&mut self, key: &str) -> Result<[Labels<Axes>; 3]> {
        let [input, kernel, output] = self.lists::<3>(key)?;
        if [&input, &kernel, &output].iter().any(|l| l.len() > 64) {
            return Err("too many dimensions".into());
        }
        let [i, k, o] = LABELS;
        Ok([places(&input, i)?, places(&kernel, k)?, places(&output, o)?])
    }

    fn word<T: Word>(&mut self, key: &str) -> Result<T> {
        let word = self.text(key)?;
        let found = T::WORDS.iter().copied().find(|t| t.word() == word);
        found.ok_or_else(|| format!("unknown {} `{word}`", T::WHAT))
    }

    fn dtype(&mut self, key: &str) -> Result<DType> {
        self.text(key)?.parse()
    }

    fn string(&mut self, key: &str) -> Result<String> {
        match self.take(key)? {
            Attr::Str(s) => Ok(s),
            other => Err(format!("`{key}` takes a string, found {}", other.kind())),
        }
    }

    fn tensor(&mut self, key: &str) -> Result<Tensor> {
        self.literal.take().ok_or_else(|| format!("the attribute `{key}` is missing"))
    }

    fn function(&mut self, key: &str) -> Result<Box<Func>> {
        match self.take(key)? {
            Attr::Func(f) => Ok(Box::new(f)),
            other => Err(format!("`{key}` takes a function, found {}", other.kind())),
        }
    }

    fn functions(&mut self, key: &str) -> Result<Vec<Func>> {
        match self.take(key)? {
            Attr::Funcs(functions) => Ok(functions),
            Attr::Lists(l) if l.len() == 1 && l[0].is_empty() => Ok(Vec::new()),
            other => Err(format!("`{key}` takes functions, found {}", other.kind())),
        }
    }
}

impl Attr {
    fn kind(&self) -> &'static str {
        match self {
            Attr::Lists(l) if l.len() == 1 => "a list",
            Attr::Lists(_) => "several lists",
            Attr::Bounds(_) => "bounds",
            Attr::Windows(_) => "windows",
            Attr::Scalar(Dim::Const(_)) => "a number",
            Attr::Scalar(Dim::Expr(_)) => "a word",
            Attr::Str(_) => "a string",
            Attr::Func(_) => "a function",
            Attr::Funcs(_) => "functions",
            Attr::Flag => "nothing",
        }
    }
}

fn index(key: &str, d: &Dim) -> Result<usize> {
    d.as_const().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| format!("`{key}` takes a number, found {d}"))
}

fn axes(key: &str, dims: Vec<Dim>) -> Result<Axes> {
    dims.iter().map(|d| index(key, d)).collect()
}

/// The names of dimensions of a convolution's input, kernel and result that are not spatial.
pub const LABELS: [[&str; 2]; 3] = [["b", "f"], ["i", "o"], ["b", "f"]];

/// Places of two named labels and of the numbered ones in `[b, 0, 1, f]`.
fn places(labels: &[Dim], names: [&str; 2]) -> Result<Labels<Axes>> {
    let find = |wanted: &Dim| {
        let mut places = labels.iter().enumerate().filter(|(_, l)| *l == wanted).map(|(i, _)| i);
        match (places.next(), places.next()) {
            (Some(i), None) => Ok(i),
            _ => Err(format!("expected `{wanted}` once in [{}]", join(labels))),
        }
    };
    let named = [find(&Dim::symbol(names[0]))?, find(&Dim::symbol(names[1]))?];
    let spatial = (0..labels.len().saturating_sub(2)).map(|i| find(&Dim::from(i))).collect::<Result<Axes>>()?;
    Ok(Labels { named, spatial })
}

fn join(dims: &[Dim]) -> String {
    dims.iter().map(Dim::to_string).collect::<Vec<_>>().join(", ")
}

/// The operator called `name`, with its attributes.
pub fn build(name: &str, attrs: &mut Attrs) -> Result<Op> {
    match OpKind::from_name(name) {
        // Parameters are declared in the signature.
        None | Some(OpKind::Parameter) => Err(format!("unknown operator `{name}`")),
        Some(kind) => {
            attrs.operator = kind.name();
            kind.build(attrs)
        }
    }
}
