//! Dimension sizes: numbers, or linear expressions of named symbols.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};
use std::sync::Arc;

/// Values of named dimensions, as bound by one set of feeds.
pub type DimEnv = BTreeMap<Arc<str>, i64>;

/// A dimension: a number, or a linear expression of named symbols such as `2*seq+1`.
///
/// Also used for slice bounds and padding amounts, which may be negative.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dim {
    /// A known number.
    Const(i64),
    /// A linear expression with at least one symbol; see [`LinearExpr`].
    Expr(Arc<LinearExpr>),
}

/// `constant + sum(coefficient * symbol)`, with at least one term, no zero coefficient, terms sorted by symbol.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinearExpr {
    terms: Vec<(Arc<str>, i64)>,
    constant: i64,
}

impl LinearExpr {
    /// The terms, sorted by symbol, without zero coefficients.
    pub fn terms(&self) -> &[(Arc<str>, i64)] {
        &self.terms
    }
    /// The constant part.
    pub fn constant(&self) -> i64 {
        self.constant
    }
}

impl Dim {
    /// A named dimension.
    pub fn symbol(name: impl Into<Arc<str>>) -> Dim {
        Dim::from_terms(vec![(name.into(), 1)], 0)
    }

    /// `constant + sum(coefficient * symbol)` in normal form. Arithmetic wraps on overflow of i64.
    pub fn from_terms(terms: impl IntoIterator<Item = (Arc<str>, i64)>, constant: i64) -> Dim {
        let mut map: BTreeMap<Arc<str>, i64> = BTreeMap::new();
        for (s, c) in terms {
            let e = map.entry(s).or_insert(0);
            *e = e.wrapping_add(c);
        }
        let terms: Vec<_> = map.into_iter().filter(|(_, c)| *c != 0).collect();
        if terms.is_empty() { Dim::Const(constant) } else { Dim::Expr(Arc::new(LinearExpr { terms, constant })) }
    }

    /// The number, if it is one.
    pub fn as_const(&self) -> Option<i64> {
        match self {
            Dim::Const(n) => Some(*n),
            Dim::Expr(_) => None,
        }
    }

    /// True unless the dimension is a number.
    pub fn is_symbolic(&self) -> bool {
        matches!(self, Dim::Expr(_))
    }

    /// The symbol, if the dimension is exactly one symbol.
    pub fn as_symbol(&self) -> Option<&Arc<str>> {
        match self {
            Dim::Expr(e) if e.constant == 0 && e.terms.len() == 1 && e.terms[0].1 == 1 => Some(&e.terms[0].0),
            _ => None,
        }
    }

    /// All symbols that occur.
    pub fn symbols(&self) -> impl Iterator<Item = &Arc<str>> {
        match self {
            Dim::Const(_) => [].iter(),
            Dim::Expr(e) => e.terms.iter(),
        }
        .map(|(s, _)| s)
    }

    /// Replaces symbols by their values; symbols that `env` lacks stay.
    pub fn substitute(&self, env: &DimEnv) -> Dim {
        match self {
            Dim::Const(n) => Dim::Const(*n),
            Dim::Expr(e) => {
                let mut constant = e.constant;
                let mut rest = Vec::new();
                for (s, c) in &e.terms {
                    match env.get(s) {
                        Some(v) => constant = constant.wrapping_add(c.wrapping_mul(*v)),
                        None => rest.push((s.clone(), *c)),
                    }
                }
                Dim::from_terms(rest, constant)
            }
        }
    }

    /// The product, when at least one side is a number.
    pub fn checked_mul(&self, other: &Dim) -> Option<Dim> {
        match (self, other) {
            (Dim::Const(a), Dim::Const(b)) => a.checked_mul(*b).map(Dim::Const),
            (Dim::Const(a), d @ Dim::Expr(_)) | (d @ Dim::Expr(_), Dim::Const(a)) => Some(d.clone() * *a),
            (Dim::Expr(_), Dim::Expr(_)) => None,
        }
    }

    /// The exact quotient by a number, when every coefficient divides.
    pub fn checked_div(&self, by: i64) -> Option<Dim> {
        let div = |n: i64| if by != 0 && n % by == 0 { Some(n / by) } else { None };
        match self {
            Dim::Const(n) => div(*n).map(Dim::Const),
            Dim::Expr(e) => {
                let terms: Option<Vec<_>> = e.terms.iter().map(|(s, c)| Some((s.clone(), div(*c)?))).collect();
                Some(Dim::from_terms(terms?, div(e.constant)?))
            }
        }
    }

    fn parts(&self) -> (&[(Arc<str>, i64)], i64) {
        match self {
            Dim::Const(n) => (&[], *n),
            Dim::Expr(e) => (&e.terms, e.constant),
        }
    }
}

impl Add for Dim {
    type Output = Dim;
    fn add(self, o: Dim) -> Dim {
        let ((a, x), (b, y)) = (self.parts(), o.parts());
        Dim::from_terms(a.iter().chain(b).cloned(), x.wrapping_add(y))
    }
}
impl Add<i64> for Dim {
    type Output = Dim;
    fn add(self, o: i64) -> Dim {
        self + Dim::Const(o)
    }
}
impl Neg for Dim {
    type Output = Dim;
    fn neg(self) -> Dim {
        self * -1
    }
}
impl Sub for Dim {
    type Output = Dim;
    fn sub(self, o: Dim) -> Dim {
        self + -o
    }
}
impl Sub<i64> for Dim {
    type Output = Dim;
    fn sub(self, o: i64) -> Dim {
        self + Dim::Const(o.wrapping_neg())
    }
}
impl Mul<i64> for Dim {
    type Output = Dim;
    fn mul(self, k: i64) -> Dim {
        let (terms, c) = self.parts();
        Dim::from_terms(terms.iter().map(|(s, t)| (s.clone(), t.wrapping_mul(k))), c.wrapping_mul(k))
    }
}

impl From<i64> for Dim {
    fn from(n: i64) -> Dim {
        Dim::Const(n)
    }
}
impl From<i32> for Dim {
    fn from(n: i32) -> Dim {
        Dim::Const(n.into())
    }
}
impl From<usize> for Dim {
    /// Sizes above `i64::MAX` saturate; no tensor is that large.
    fn from(n: usize) -> Dim {
        Dim::Const(i64::try_from(n).unwrap_or(i64::MAX))
    }
}
impl From<&str> for Dim {
    fn from(s: &str) -> Dim {
        Dim::symbol(s)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (terms, constant) = self.parts();
        if terms.is_empty() {
            return write!(f, "{constant}");
        }
        for (i, (s, c)) in terms.iter().enumerate() {
            match (*c, i) {
                (1, 0) => write!(f, "{s}")?,
                (1, _) => write!(f, "+{s}")?,
                (-1, _) => write!(f, "-{s}")?,
                (c, 0) => write!(f, "{c}*{s}")?,
                (c, _) => write!(f, "{c:+}*{s}")?,
            }
        }
        if constant != 0 { write!(f, "{constant:+}") } else { Ok(()) }
    }
}
impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A shape from numbers and names: `dims!["batch", 784]`.
#[macro_export]
macro_rules! dims {
    ($($d:expr),* $(,)?) => { $crate::Shape::new([$($crate::Dim::from($d)),*]) };
}
