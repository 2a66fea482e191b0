//! Groups of expressions that closures take and return.

use crate::expr::Expr;

/// One expression, or a tuple, array or `Vec` of such groups: the state of loops, the results of branches.
pub trait ExprTree {
    /// Appends the expressions in order.
    fn flatten_into(&self, out: &mut Vec<Expr>);
    /// A group of the same structure from the next expressions.
    fn rebuild(&self, from: &mut dyn Iterator<Item = Expr>) -> Self;

    /// The expressions in order.
    fn flatten(&self) -> Vec<Expr> {
        let mut out = Vec::new();
        self.flatten_into(&mut out);
        out
    }
}

impl ExprTree for Expr {
    fn flatten_into(&self, out: &mut Vec<Expr>) {
        out.push(self.clone());
    }
    fn rebuild(&self, from: &mut dyn Iterator<Item = Expr>) -> Expr {
        from.next().unwrap_or_else(|| self.graph().poisoned())
    }
}

impl<T: ExprTree> ExprTree for Vec<T> {
    fn flatten_into(&self, out: &mut Vec<Expr>) {
        self.iter().for_each(|t| t.flatten_into(out));
    }
    fn rebuild(&self, from: &mut dyn Iterator<Item = Expr>) -> Vec<T> {
        self.iter().map(|t| t.rebuild(from)).collect()
    }
}

impl<T: ExprTree, const N: usize> ExprTree for [T; N] {
    fn flatten_into(&self, out: &mut Vec<Expr>) {
        self.iter().for_each(|t| t.flatten_into(out));
    }
    fn rebuild(&self, from: &mut dyn Iterator<Item = Expr>) -> [T; N] {
        std::array::from_fn(|i| self[i].rebuild(from))
    }
}

impl ExprTree for () {
    fn flatten_into(&self, _: &mut Vec<Expr>) {}
    fn rebuild(&self, _: &mut dyn Iterator<Item = Expr>) {}
}

macro_rules! tuples {
    ($(($($t:ident $i:tt),*))*) => {$(
        impl<$($t: ExprTree),*> ExprTree for ($($t,)*) {
            fn flatten_into(&self, out: &mut Vec<Expr>) {
                $(self.$i.flatten_into(out);)*
            }
            fn rebuild(&self, from: &mut dyn Iterator<Item = Expr>) -> Self {
                ($(self.$i.rebuild(from),)*)
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
