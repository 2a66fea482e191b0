//! The table of `docs/accuracy.md`.

use super::Results;
use super::complex;
use super::evaluate::Backend;
use super::format::{BF16, F16, F32, F64, Format};
use super::functions::{FUNCTIONS, Function, Origin};
use super::measure::Row;
use std::fmt::Write;

const HEAD: &str = "<!-- Written by `cargo xtask accuracy`; do not edit. -->

# Accuracy

Largest errors found, in units in the last place (ULP) of the exact result: the distance between the two floats around it (the
smallest subnormal near 0). An infinity counts as the number after the largest one. 0.5 is correctly rounded. The bounds are those
of `graph-spec/ops.toml` and `graph-spec/composed.toml`; `graph-spec/numerics.md` defines the terms. `cargo xtask accuracy --check`
measures again and fails when a bound is exceeded; a small sweep is part of `cargo test`.

";

const METHOD: &str = "
## How it is measured

- **Points.** f32: both signs of every binade with 1024 mantissas each (one at random in each of 1024 equal parts), 2^18 points in
  each interval where the function is interesting, the floats next to 2^15 multiples of pi/2, random huge arguments, the worst case
  of argument reduction, 2^11 neighbours on both sides of 0, 1, the largest and the smallest numbers, the thresholds of overflow and
  underflow and the places where implementations change their formula. f64: the same with 96 mantissas. f16 and bf16: all
  2^16 values. Two operands: 2^18 pairs of each kind (any two bit patterns; like exponents; neighbours; a box around 0; for power,
  results in range), and all pairs of special values. `--exhaustive` takes all 2^32 values of f32.
- **Reference.** Double-double arithmetic (about 104 bits) on the exact argument: series after reduction, the argument of sine,
  cosine and tangent reduced with 256 bits of 2/pi; checked against mpmath. For f32 and below, the compiled f64 function picks the
  worst 64 points of each sweep, which are then measured against the reference.
- **What runs.** The function as a graph of its own, compiled as users compile it, with and without fused multiply-add, and the
  interpreter. Its f64 functions are the platform's C library, for which no bound is promised. A test compiles each function for arrays of 1 to 64 elements and
  compares bits: neither the place in a vector nor the scalar rest of an array changes a result.
- **Subnormals** are arguments and results like all others; nothing is flushed to 0.
";

struct Table<'a> {
    rows: &'a [Row],
}

impl Table<'_> {
    fn row(&self, f: &Function, format: Format, backend: Backend) -> Option<&Row> {
        self.rows.iter().find(|r| r.function == f.name && r.format == format && r.backend == backend)
    }

    fn error(&self, f: &Function, format: Format, backend: Backend) -> String {
        self.row(f, format, backend).map_or("-".into(), |r| ulps(r.worst))
    }

    fn place(&self, f: &Function, format: Format) -> String {
        let Some(r) = self.row(f, format, Backend::Compiled) else { return "-".into() };
        if r.worst == 0.0 {
            return String::new();
        }
        r.at.iter().map(|x| format!("{}", Argument(*x))).collect::<Vec<_>>().join(", ")
    }

    fn bound(&self, f: &Function, format: Format) -> String {
        self.row(f, format, Backend::Compiled).map_or("-".into(), |r| bound(r.bound))
    }
}

struct Argument(f64);
impl std::fmt::Display for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0.0 || (1e-3..1e5).contains(&self.0.abs()) {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:e}", self.0)
        }
    }
}

/// Rounded up in the third place, so that no table shows less than what was measured.
fn ulps(e: f64) -> String {
    match e {
        e if e.is_infinite() => "wrong".into(),
        e if e > 1e6 => format!("{e:.1e}"),
        e => format!("{:.3}", (e * 1000.0 - 1e-6).ceil().max(0.0) / 1000.0),
    }
}

fn bound(b: f64) -> String {
    match b {
        0.0 => "exact".into(),
        0.5 => "0.5".into(),
        b => format!("{}", (b * 1e5).round() / 1e5),
    }
}

fn wide(out: &mut String, t: &Table<'_>, origin: Origin) {
    let _ = writeln!(out, "| function | f32 bound | f32 | at | f64 bound | f64 | at |");
    let _ = writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |");
    for f in FUNCTIONS.iter().filter(|f| f.origin == origin) {
        let side = |format| {
            let (b, e, p) = (t.bound(f, format), t.error(f, format, Backend::Compiled), t.place(f, format));
            format!("{b} | {e} | {p}")
        };
        let star = if super::measure::floor(f) == 0 { " (*)" } else { "" };
        let _ = writeln!(out, "| {}{star} | {} | {} |", f.name, side(F32), side(F64));
    }
}

fn halves(out: &mut String, t: &Table<'_>) {
    let _ = writeln!(out, "| function | f16 bound | f16 | bf16 bound | bf16 | interpreter f16 | bf16 |");
    let _ = writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |");
    for f in FUNCTIONS {
        let side = |format| format!("{} | {}", t.bound(f, format), t.error(f, format, Backend::Compiled));
        let other = |format| t.error(f, format, Backend::Interpreter);
        let _ = writeln!(out, "| {} | {} | {} | {} | {} |", f.name, side(F16), side(BF16), other(F16), other(BF16));
    }
}

fn others(out: &mut String, t: &Table<'_>) {
    let _ = writeln!(out, "| function | without FMA f32 | f64 | interpreter f32 | f64 |");
    let _ = writeln!(out, "| --- | --- | --- | --- | --- |");
    for f in FUNCTIONS {
        let e = |format, backend| t.error(f, format, backend);
        let (a, b) = (e(F32, Backend::WithoutFma), e(F64, Backend::WithoutFma));
        let (c, d) = (e(F32, Backend::Interpreter), e(F64, Backend::Interpreter));
        let _ = writeln!(out, "| {} | {a} | {b} | {c} | {d} |", f.name);
    }
}

fn complex_numbers(out: &mut String, results: &Results) {
    let _ = writeln!(out, "| function | bound | c64 | at | c128 | without FMA c64 | c128 | interpreter c64 | c128 |");
    let _ = writeln!(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for f in complex::FUNCTIONS {
        let row = |format, backend| {
            results.complex.iter().find(|r| r.function == f.name && r.format == format && r.backend == backend)
        };
        let e = |format, backend| row(format, backend).map_or("-".into(), |r| ulps(r.worst));
        let both = |backend| format!("{} | {}", e(F32, backend), e(F64, backend));
        let Some(main) = row(F32, Backend::Compiled) else { continue };
        let at: Vec<String> = main.at.iter().map(|z| format!("({}, {})", Argument(z.0), Argument(z.1))).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            f.name,
            bound(main.bound),
            ulps(main.worst),
            at.join(", "),
            e(F64, Backend::Compiled),
            both(Backend::WithoutFma),
            both(Backend::Interpreter),
        );
    }
}

/// The page.
pub fn markdown(results: &Results) -> String {
    let t = Table { rows: &results.real };
    let mut out = HEAD.to_owned();
    out.push_str("## Operators\n\n");
    wide(&mut out, &t, Origin::Operator);
    out.push_str("\n## Functions of `chlo`\n\nMade of operators by the StableHLO reader.\n\n");
    wide(&mut out, &t, Origin::Chlo);
    out.push_str("\n(*) In units of the last place of 1 where the function is smaller than that: next to its zeros the error is absolute.\n");
    out.push_str(
        "\n## f16 and bf16\n\nComputed in f32 and rounded once: half a unit and the error in f32. All 2^16 values.\n\n",
    );
    halves(&mut out, &t);
    out.push_str("\n## Without fused multiply-add, and the interpreter\n\nWithout fused multiply-add the bound is twice the one above.\n\n");
    others(&mut out, &t);
    out.push_str("\n## Complex numbers\n\n");
    out.push_str("In units of the last place of the larger part of the exact result. Parts of magnitudes up to 8, the unit circle, and the\n");
    out.push_str(
        "neighbourhoods of 1, -1, i and the zeros of sine and cosine; overflow and infinities are not measured. The error of power is\n\
         divided by the magnitude of y log x where that is above 1. For atan2 the unit is at least that of 1, and nothing is promised\n\
         on c128.\n\n",
    );
    complex_numbers(&mut out, results);
    out.push_str(METHOD);
    out
}
