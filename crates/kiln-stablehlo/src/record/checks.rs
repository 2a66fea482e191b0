//! The `check` dialect, and its spelling as custom calls.

use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;

/// How two values have to agree.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum CheckKind {
    /// Element for element.
    Equal,
    /// Within an absolute difference; NaN equals NaN.
    Almost {
        /// The difference.
        tolerance: f64,
    },
    /// Within units in the last place; NaN equals NaN.
    Close {
        /// The units.
        ulps: u64,
    },
}

/// One check: outputs `check{found}` and `check{expected}` of the graph have to agree.
#[derive(Clone, Debug)]
pub struct Check {
    /// Position among the checked outputs of the value found.
    pub found: usize,
    /// Position of the value expected.
    pub expected: usize,
    /// How they have to agree.
    pub kind: CheckKind,
    /// Where it is written.
    pub place: String,
}

/// Absolute tolerance of `check.expect_almost_eq_const` and `check.expect_almost_eq` unless given.
const ALMOST: f64 = 1e-4;
/// Absolute tolerance of the custom call of that name.
const ALMOST_CALL: f64 = 1e-3;
/// Units in the last place of `check.expect_close` unless given.
const CLOSE: u64 = 3;

impl Builder<'_> {
    pub(super) fn check(&mut self, op: &Operation, x: &[Expr]) -> Built<()> {
        let is_call = op.name == "stablehlo.custom_call";
        let target = match op.attrs.get("call_target_name").and_then(Attr::as_str) {
            Some(target) if is_call => target,
            _ => op.name.as_str(),
        };
        let number = |name: &str| match op.attrs.get(name) {
            Some(Attr::Float(f)) => Some(*f),
            Some(other) => other.as_int().map(|i| i as f64),
            None => None,
        };
        let almost = number("tolerance").unwrap_or(if is_call { ALMOST_CALL } else { ALMOST });
        let (kind, constant) = match target {
            "check.expect_eq" => (CheckKind::Equal, false),
            "check.expect_eq_const" => (CheckKind::Equal, true),
            "check.expect_almost_eq" => (CheckKind::Almost { tolerance: almost }, false),
            "check.expect_almost_eq_const" => (CheckKind::Almost { tolerance: almost }, true),
            "check.expect_close" => {
                (CheckKind::Close { ulps: number("max_ulp_difference").map_or(CLOSE, |n| n as u64) }, false)
            }
            other => return self.unsupported(op, format!("call of @{other}")),
        };
        let expected = match (constant, x) {
            (true, [_]) => {
                let Some(value) = op.attrs.get("value") else { return self.malformed(op, "the value is missing") };
                self.constant(op, value)?
            }
            (false, [_, expected]) => expected.clone(),
            _ => return self.malformed(op, format!("{} operands", x.len())),
        };
        let found = self.checked.len();
        self.checked.extend([x[0].clone(), expected]);
        self.checks.push(Check { found, expected: found + 1, kind, place: self.place(op) });
        Ok(())
    }
}
