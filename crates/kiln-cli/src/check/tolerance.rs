//! What floats may differ by.

use super::compare::Allowed;
use kiln_stablehlo::CheckKind;
use std::collections::BTreeSet;

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

/// Tolerances by operator. A case is allowed what the widest of its operators is allowed; one whose operators are not here, nothing
/// beyond its own demand.
const TABLE: [Row; 6] = [
    Row {
        operators: &[
            "stablehlo.exponential",
            "stablehlo.exponential_minus_one",
            "stablehlo.log",
            "stablehlo.log_plus_one",
            "stablehlo.logistic",
            "stablehlo.tanh",
            "stablehlo.sine",
            "stablehlo.cosine",
            "stablehlo.tan",
            "stablehlo.atan2",
            "stablehlo.power",
            "stablehlo.cbrt",
            "stablehlo.rsqrt",
            "chlo.erf",
            "chlo.tan",
        ],
        ulps: 4,
        scale: 0,
        reason: "at most 2 ulp on either side",
    },
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

/// What a program of these operators is allowed, if it is more than nothing.
pub fn contract(operators: &BTreeSet<String>) -> Option<Allowed> {
    let rows: Vec<&Row> = TABLE.iter().filter(|r| r.operators.iter().any(|o| operators.contains(*o))).collect();
    let (ulps, scale) = (rows.iter().map(|r| r.ulps).max()?, rows.iter().map(|r| r.scale).max()?);
    Some(Allowed::Contract { ulps, scale })
}

/// The tolerances as a Markdown table.
pub fn table() -> String {
    let mut out = "| operators | ulp | ulp of the largest | why |\n|---|---|---|---|\n".to_owned();
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
    }

    #[test]
    fn no_operator_is_listed_twice() {
        let all: Vec<&str> = TABLE.iter().flat_map(|r| r.operators).copied().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
