//! What floats may differ by.

use super::compare::Allowed;
use kiln::ir::{BinaryOp, UnaryOp};
use kiln_stablehlo::CheckKind;
use std::collections::{BTreeMap, BTreeSet};

/// What the numerics contract allows the results of some operators, beyond a file's own demand.
struct Row {
    /// The operators.
    operators: &'static [&'static str],
    /// Units in the last place of the element.
    ulps: u32,
    /// Units in the last place of the largest element of the result.
    scale: u32,
    /// Why.
    reason: &'static str,
}

/// Tolerances of operators that the operator table gives no bound. A case is allowed what the widest of its operators is allowed;
/// one whose operators are neither here nor there, nothing beyond its own demand.
const TABLE: [Row; 5] = [
    Row {
        operators: &[
            "chlo.acos",
            "chlo.acosh",
            "chlo.asin",
            "chlo.asinh",
            "chlo.atan",
            "chlo.atanh",
            "chlo.cosh",
            "chlo.erfc",
            "chlo.erf_inv",
            "chlo.sinh",
        ],
        ulps: 16,
        scale: 0,
        reason: "computed from the functions above; exp(x + log(1/2)), as XLA has it in sinh and cosh, loses what the rounding of \
                 the sum loses: 7 ulp at |x| = 10",
    },
    Row {
        operators: &[
            "chlo.bessel_i1e",
            "chlo.digamma",
            "chlo.lgamma",
            "chlo.polygamma",
            "chlo.zeta",
            "chlo.igamma",
            "chlo.igammac",
            "chlo.igamma_grad_a",
            "chlo.random_gamma_grad",
            "chlo.regularized_incomplete_beta",
        ],
        ulps: 64,
        scale: 4,
        reason: "series and continued fractions of some dozen terms; zeros of the function inside the range",
    },
    Row {
        operators: &[
            "stablehlo.batch_norm_grad",
            "stablehlo.batch_norm_inference",
            "stablehlo.batch_norm_training",
            "stablehlo.convolution",
            "stablehlo.dot",
            "stablehlo.dot_general",
            "stablehlo.dynamic_conv",
            "stablehlo.reduce",
            "stablehlo.reduce_window",
            "stablehlo.scatter",
            "stablehlo.select_and_scatter",
            "chlo.ragged_dot",
            "chlo.scan",
        ],
        ulps: 4,
        scale: 16,
        reason: "the order of a sum is free, and products may be rounded or fused: relative to the sum of the magnitudes, not to \
                 what is left of them",
    },
    Row { operators: &["stablehlo.fft"], ulps: 4, scale: 16, reason: "every result is a sum over all elements" },
    Row {
        operators: &["stablehlo.cholesky", "stablehlo.triangular_solve"],
        ulps: 8,
        scale: 64,
        reason: "backward stable: the error of a solution grows with the condition of the matrix",
    },
];

/// What a check asks for.
pub fn asked(kind: CheckKind) -> Allowed {
    match kind {
        CheckKind::Equal => Allowed::Exact,
        CheckKind::Almost { tolerance } => Allowed::Near { absolute: tolerance, relative: 0.0 },
        CheckKind::Close { ulps } => Allowed::Ulps(ulps),
    }
}

/// The names of elementwise operators that the operator table gives a bound, and what their results may differ by: either side
/// may be off by the bound.
fn elementwise() -> impl Iterator<Item = (&'static [&'static str], u32)> {
    let unary = UnaryOp::ALL.iter().map(|u| (u.stablehlo_names(), u.ulps()));
    let binary = BinaryOp::ALL.iter().map(|b| (b.stablehlo_names(), b.ulps()));
    unary.chain(binary).filter(|(_, ulps)| *ulps != 0).map(|(names, ulps)| (names, 2 * ulps))
}

/// What a program of these operators is allowed, if it is more than nothing.
pub fn contract(operators: &BTreeSet<String>) -> Option<Allowed> {
    let any = |names: &[&str]| names.iter().any(|n| operators.contains(*n));
    let listed = TABLE.iter().filter(|r| any(r.operators)).map(|r| (r.ulps, r.scale));
    let bounded = elementwise().filter(|(names, _)| any(names)).map(|(_, ulps)| (ulps, 0));
    let (ulps, scale) = bounded.chain(listed).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))?;
    Some(Allowed::Contract { ulps, scale })
}

/// The tolerances as a Markdown table.
pub fn table() -> String {
    let mut out = "| operators | ulp | ulp of the largest | why |\n|---|---|---|---|\n".to_owned();
    let mut bounded: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    elementwise().for_each(|(names, ulps)| bounded.entry(ulps).or_default().extend(names));
    for (ulps, names) in bounded {
        out += &format!("| {} | {ulps} | 0 | at most {} ulp on either side |\n", names.join(", "), ulps / 2);
    }
    for row in &TABLE {
        out += &format!("| {} | {} | {} | {} |\n", row.operators.join(", "), row.ulps, row.scale, row.reason);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_operator_counts() {
        let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<String>>();
        assert_eq!(contract(&set(&["stablehlo.add", "stablehlo.sqrt"])), None);
        let allowed = contract(&set(&["stablehlo.add", "stablehlo.dot_general", "chlo.lgamma"]));
        assert_eq!(allowed, Some(Allowed::Contract { ulps: 64, scale: 16 }));
        let allowed = contract(&set(&["chlo.erf", "stablehlo.sqrt"]));
        assert_eq!(allowed, Some(Allowed::Contract { ulps: 4, scale: 0 }));
    }

    #[test]
    fn no_operator_is_listed_twice() {
        let names = TABLE.iter().map(|r| r.operators).chain(elementwise().map(|(names, _)| names));
        let all: Vec<&str> = names.flatten().copied().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
