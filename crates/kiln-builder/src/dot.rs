//! Products: dot, matmul, einsum.

use crate::expr::Expr;
use crate::graph::Graph;
use crate::ops_elementwise::broadcast_shapes;
use kiln_ir::op::{Axes, DotDims};
use kiln_ir::{DType, Diagnostic, Op, Shape};

fn axes(list: impl IntoIterator<Item = usize>) -> Axes {
    list.into_iter().collect()
}

impl Expr {
    /// StableHLO's `dot_general`: result dimensions are batch, then the free ones of the left, then of the right side.
    #[track_caller]
    pub fn dot_general(&self, rhs: &Expr, dims: DotDims) -> Expr {
        self.graph.emit(Op::DotGeneral(dims), &[self, rhs])
    }

    /// numpy's `dot`: contracts the last axis of the left with the second to last (or only) axis of the right side.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let x = g.placeholder::<f32>("x", dims!["batch", 784]);
    /// let w = g.placeholder::<f32>("w", dims![784, 10]);
    /// assert_eq!(x.dot(&w).ty().to_string(), "f32[batch, 10]");
    /// ```
    #[track_caller]
    pub fn dot(&self, rhs: &Expr) -> Expr {
        self.dot_as(rhs, None)
    }

    /// [`Expr::dot`] with the result (and accumulation) in another dtype, such as f32 for bf16 operands.
    #[track_caller]
    pub fn dot_as(&self, rhs: &Expr, result: Option<DType>) -> Expr {
        let _here = self.graph.here();
        if self.rank() == 0 || rhs.rank() == 0 {
            return if self.is_poisoned() || rhs.is_poisoned() { self.graph.poisoned() } else { self * rhs };
        }
        let contract = rhs.rank().saturating_sub(2);
        let dims = DotDims {
            lhs_contract: axes([self.rank() - 1]),
            rhs_contract: axes([contract]),
            result,
            ..DotDims::default()
        };
        self.dot_general(rhs, dims)
    }

    /// numpy's `matmul`: matrices in the last two dimensions, the others are batch dimensions and broadcast. A vector on
    /// the left is a row, on the right a column, and its dimension vanishes from the result.
    #[track_caller]
    pub fn matmul(&self, rhs: &Expr) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || rhs.is_poisoned() {
            return self.graph.poisoned();
        }
        if self.rank() == 0 || rhs.rank() == 0 {
            return self.fail2(rhs, "matmul.rank", "matmul needs vectors or matrices", "use `*` to scale");
        }
        // Without batch dimensions on the right, the left ones are plain free dimensions: one large product.
        if rhs.rank() <= 2 {
            return self.dot(rhs);
        }
        let (ls, rs) = (self.shape(), rhs.shape());
        let row = self.rank() == 1;
        let left_batch: Shape = ls[..ls.rank().saturating_sub(2)].iter().cloned().collect();
        let right_batch: Shape = rs[..rs.rank() - 2].iter().cloned().collect();
        let batch = match broadcast_shapes(&left_batch, &right_batch) {
            Ok(b) => b,
            Err((a, b)) => {
                let label = format!("left has batch size {a}, right has {b} in the same place, and neither is 1");
                return self.fail2(rhs, "matmul.batch", "the batch dimensions do not broadcast", label);
            }
        };
        let full = |s: &Shape, keep: usize| -> Shape { batch.iter().chain(&s[s.rank() - keep..]).cloned().collect() };
        let left = self.broadcast_to(full(&ls, if row { 1 } else { 2 }));
        let right = rhs.broadcast_to(full(&rs, 2));
        let b = batch.rank();
        let dims = DotDims {
            lhs_batch: axes(0..b),
            rhs_batch: axes(0..b),
            lhs_contract: axes([left.rank() - 1]),
            rhs_contract: axes([b]),
            result: None,
        };
        left.dot_general(&right, dims)
    }
}

/// An operand with a letter for every dimension.
struct Labelled {
    x: Expr,
    labels: Vec<char>,
}

impl Labelled {
    /// Sums away a dimension.
    fn sum_out(self, label: char) -> Labelled {
        let at = self.labels.iter().position(|&l| l == label).unwrap_or(0);
        let labels = self.labels.iter().copied().filter(|&l| l != label).collect();
        Labelled { x: self.x.sum(at as i64), labels }
    }

    /// A letter that occurs twice takes the diagonal.
    fn diagonals(mut self) -> Labelled {
        while let Some((i, j)) = duplicate(&self.labels) {
            let shape = self.x.shape();
            let g = self.x.graph().clone();
            let mask = g.iota(DType::I32, &shape, i).eq(g.iota(DType::I32, &shape, j));
            self.x = mask.select(&self.x, self.x.zeros_like()).sum(j as i64);
            self.labels.remove(j);
        }
        self
    }

    fn dims_of(&self, labels: &[char]) -> Axes {
        labels.iter().filter_map(|l| self.labels.iter().position(|o| o == l)).collect()
    }
}

fn duplicate(labels: &[char]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|i| (i + 1..labels.len()).find(|&j| labels[i] == labels[j]).map(|j| (i, j)))
}

/// The product of two operands with `keep` in the result: `dot_general` over the shared letters that are not kept.
fn contract(a: Labelled, b: Labelled, keep: &[char]) -> Labelled {
    let lonely = |own: &Labelled, other: &Labelled| -> Vec<char> {
        own.labels.iter().copied().filter(|l| !other.labels.contains(l) && !keep.contains(l)).collect()
    };
    let (only_a, only_b) = (lonely(&a, &b), lonely(&b, &a));
    let a = only_a.into_iter().fold(a, Labelled::sum_out);
    let b = only_b.into_iter().fold(b, Labelled::sum_out);
    let shared: Vec<char> = a.labels.iter().copied().filter(|l| b.labels.contains(l)).collect();
    let (batch, sum): (Vec<char>, Vec<char>) = shared.iter().partition(|l| keep.contains(l));
    let dims = DotDims {
        lhs_batch: a.dims_of(&batch),
        rhs_batch: b.dims_of(&batch),
        lhs_contract: a.dims_of(&sum),
        rhs_contract: b.dims_of(&sum),
        result: None,
    };
    let free = |o: &Labelled| o.labels.iter().copied().filter(|l| !shared.contains(l)).collect::<Vec<_>>();
    let labels = [batch.clone(), free(&a), free(&b)].concat();
    Labelled { x: a.x.dot_general(&b.x, dims), labels }
}

impl Graph {
    /// Einstein summation, operands contracted from left to right: letters that the result lacks are summed over.
    ///
    /// Without `->` the result has the letters that occur once, in alphabetical order. A letter twice in one operand
    /// takes the diagonal.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let q = g.placeholder::<f32>("q", dims!["batch", 8, 16, 64]);
    /// let k = g.placeholder::<f32>("k", dims!["batch", 8, 16, 64]);
    /// assert_eq!(g.einsum("bhqd,bhkd->bhqk", &[&q, &k]).ty().to_string(), "f32[batch, 8, 16, 16]");
    /// ```
    #[track_caller]
    pub fn einsum(&self, equation: &str, operands: &[&Expr]) -> Expr {
        let _here = self.here();
        if operands.iter().any(|e| e.is_poisoned()) {
            return self.poisoned();
        }
        match self.einsum_labels(equation, operands) {
            Ok((inputs, result)) => einsum_over(inputs, &result),
            Err(d) => {
                let notes = operands.iter().enumerate();
                self.fail(notes.fold(d, |d, (i, e)| d.note(format!("operand {i}"), e.describe())))
            }
        }
    }

    fn einsum_labels(&self, equation: &str, operands: &[&Expr]) -> Result<(Vec<Labelled>, Vec<char>), Diagnostic> {
        let bad = |label: String| Diagnostic::new("einsum.equation", format!("`{equation}` does not fit")).label(label);
        let compact: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match compact.split_once("->") {
            Some((l, r)) => (l, Some(r)),
            None => (compact.as_str(), None),
        };
        if let Some(c) = left.chars().chain(right.unwrap_or("").chars()).find(|c| !c.is_alphabetic() && *c != ',') {
            return Err(bad(format!("`{c}` is no letter")));
        }
        let terms: Vec<Vec<char>> = left.split(',').map(|t| t.chars().collect()).collect();
        if terms.len() != operands.len() || operands.is_empty() {
            return Err(bad(format!("{} terms for {} operands", terms.len(), operands.len())));
        }
        for (i, (t, e)) in terms.iter().zip(operands).enumerate() {
            if t.len() != e.rank() {
                return Err(bad(format!("term {i} has {} letters, the operand {} dimensions", t.len(), e.rank())));
            }
        }
        let all: Vec<char> = terms.concat();
        let result: Vec<char> = match right {
            Some(r) => r.chars().collect(),
            None => {
                let mut once: Vec<char> =
                    all.iter().copied().filter(|l| all.iter().filter(|o| *o == l).count() == 1).collect();
                once.sort_unstable();
                once
            }
        };
        if let Some(l) = result.iter().find(|l| !all.contains(l)) {
            return Err(bad(format!("the result has `{l}`, which no operand has")));
        }
        if duplicate(&result).is_some() {
            return Err(bad("the result names a letter twice".to_owned()));
        }
        let label = |(x, labels): (&&Expr, Vec<char>)| Labelled { x: (*x).clone(), labels };
        Ok((operands.iter().zip(terms).map(label).collect(), result))
    }
}

fn einsum_over(inputs: Vec<Labelled>, result: &[char]) -> Expr {
    let mut rest: std::collections::VecDeque<Labelled> = inputs.into_iter().map(Labelled::diagonals).collect();
    let mut acc = rest.pop_front().expect("einsum_labels refuses an empty list");
    while let Some(next) = rest.pop_front() {
        let mut keep: Vec<char> = result.to_vec();
        keep.extend(rest.iter().flat_map(|l| l.labels.iter()));
        acc = contract(acc, next, &keep);
    }
    let gone: Vec<char> = acc.labels.iter().copied().filter(|l| !result.contains(l)).collect();
    let acc = gone.into_iter().fold(acc, Labelled::sum_out);
    let order = acc.dims_of(result);
    acc.x.transpose(&order)
}
