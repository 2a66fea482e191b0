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

    /// [`Dim::substitute`], unless something overflows.
    pub fn checked_substitute(&self, env: &DimEnv) -> Option<Dim> {
        let Dim::Expr(e) = self else { return Some(self.clone()) };
        let mut constant = e.constant;
        let mut rest = Vec::new();
        for (s, c) in &e.terms {
            match env.get(s) {
                Some(v) => constant = constant.checked_add(c.checked_mul(*v)?)?,
                None => rest.push((s.clone(), *c)),
            }
        }
        Some(Dim::from_terms(rest, constant))
    }

    /// The product, when at least one side is a number and nothing overflows.
    pub fn checked_mul(&self, other: &Dim) -> Option<Dim> {
        match (self, other) {
            (Dim::Const(a), d) | (d, Dim::Const(a)) => d.checked_scale(*a),
            (Dim::Expr(_), Dim::Expr(_)) => None,
        }
    }

    /// The sum, unless a coefficient overflows.
    pub fn checked_add(&self, other: &Dim) -> Option<Dim> {
        let ((a, x), (b, y)) = (self.parts(), other.parts());
        let mut map: BTreeMap<&Arc<str>, i64> = BTreeMap::new();
        for (s, c) in a.iter().chain(b) {
            let e = map.entry(s).or_insert(0);
            *e = e.checked_add(*c)?;
        }
        Some(Dim::from_terms(map.into_iter().map(|(s, c)| (s.clone(), c)), x.checked_add(y)?))
    }

    /// The difference, unless a coefficient overflows.
    pub fn checked_sub(&self, other: &Dim) -> Option<Dim> {
        self.checked_add(&other.checked_scale(-1)?)
    }

    /// The product with a number, unless a coefficient overflows.
    pub fn checked_scale(&self, by: i64) -> Option<Dim> {
        self.map_coefficients(|c| c.checked_mul(by), |c| c.checked_mul(by))
    }

    /// The exact quotient by a number, when every coefficient divides.
    pub fn checked_div(&self, by: i64) -> Option<Dim> {
        self.map_coefficients(|c| exact_div(c, by), |c| exact_div(c, by))
    }

    /// The quotient by a positive number, rounded down: linear when the coefficient of every symbol divides.
    pub fn checked_floor_div(&self, by: i64) -> Option<Dim> {
        let floor = |c: i64| if by > 0 { Some(c.div_euclid(by)) } else { None };
        self.map_coefficients(|c| exact_div(c, by), floor)
    }

    /// The quotient by a positive number, rounded up: linear when the coefficient of every symbol divides.
    pub fn checked_ceil_div(&self, by: i64) -> Option<Dim> {
        let ceil = |c: i64| if by > 0 { c.div_euclid(by).checked_add(i64::from(c.rem_euclid(by) != 0)) } else { None };
        self.map_coefficients(|c| exact_div(c, by), ceil)
    }

    /// `self` as `content * primitive`: the coefficients of the primitive part have no common factor and the first is
    /// positive. A number is its own content with primitive part 1.
    pub fn content(&self) -> (i128, Dim) {
        let Dim::Expr(e) = self else {
            return (self.parts().1.into(), Dim::Const(1));
        };
        let mut g = e.terms.iter().fold(e.constant.unsigned_abs(), |g, (_, c)| gcd(g, c.unsigned_abs())) as i128;
        if e.terms[0].1 < 0 {
            g = -g;
        }
        // A quotient fits unless it is -(i64::MIN), which wraps consistently on both sides of a comparison.
        let div = |c: i64| (i128::from(c) / g) as i64;
        (g, Dim::from_terms(e.terms.iter().map(|(s, c)| (s.clone(), div(*c))), div(e.constant)))
    }

    fn map_coefficients(
        &self,
        term: impl Fn(i64) -> Option<i64>,
        constant: impl Fn(i64) -> Option<i64>,
    ) -> Option<Dim> {
        let (terms, c) = self.parts();
        let terms: Option<Vec<_>> = terms.iter().map(|(s, c)| Some((s.clone(), term(*c)?))).collect();
        Some(Dim::from_terms(terms?, constant(c)?))
    }

    fn parts(&self) -> (&[(Arc<str>, i64)], i64) {
        match self {
            Dim::Const(n) => (&[], *n),
            Dim::Expr(e) => (&e.terms, e.constant),
        }
    }
}

fn exact_div(n: i64, by: i64) -> Option<i64> {
    if n.checked_rem(by)? == 0 { n.checked_div(by) } else { None }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
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
#[allow(clippy::suspicious_arithmetic_impl, reason = "a difference is the sum with the negated right side")]
impl Sub for Dim {
    type Output = Dim;
    fn sub(self, o: Dim) -> Dim {
        self + -o
    }
}
#[allow(clippy::suspicious_arithmetic_impl, reason = "as above")]
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

/// True for `[A-Za-z_][A-Za-z0-9_]*`, what a named dimension must be.
pub fn is_identifier(s: &str) -> bool {
    let mut bytes = s.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A shape from numbers and names: `dims!["batch", 784]`.
#[macro_export]
macro_rules! dims {
    ($($d:expr),* $(,)?) => { $crate::Shape::new([$($crate::Dim::from($d)),*]) };
}
