//! The largest error of a function over a sweep, and whether the place in an array matters.

use super::evaluate::{Backend, Evaluator};
use super::format::{F64, Format};
use super::functions::Function;
use super::sweep::{Density, points};
use kiln_spec::Spec;

/// Elements of one run.
const CHUNK: usize = 1 << 14;
/// Candidates that are measured against the reference where f64 picks them.
const CANDIDATES: usize = 64;

/// A measured row.
#[derive(Clone, Debug)]
pub struct Row {
    /// The function.
    pub function: &'static str,
    /// The format.
    pub format: Format,
    /// How it was evaluated.
    pub backend: Backend,
    /// The bound of the specification, in units of the last place.
    pub bound: f64,
    /// The largest error found.
    pub worst: f64,
    /// Where.
    pub at: Vec<f64>,
    /// What was found there.
    pub found: f64,
    /// How many points were measured.
    pub points: u64,
}

impl Row {
    /// True when the bound is kept. The interpreter takes f64 functions from the platform's C library, for which nothing is
    /// promised.
    pub fn holds(&self) -> bool {
        let foreign = self.backend == Backend::Interpreter && self.format == F64;
        foreign && self.worst.is_finite() || self.worst <= self.bound + 1e-9
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Row { function, format, backend, bound, worst, at, found, points } = self;
        let name = format.name;
        write!(f, "{function} {name} {backend:?}: {worst:.4} ULP of {bound} at {at:?} ({found:e}), {points} points")
    }
}

/// The exponent below which the unit of a function's error does not fall.
pub fn floor(f: &Function) -> i32 {
    let absolute = kiln_spec::composed(f.name).is_some_and(|c| c.absolute);
    if f.origin == super::functions::Origin::Chlo && absolute { 0 } else { i32::MIN }
}

struct Worst {
    error: f64,
    at: Vec<f64>,
    found: f64,
}

impl Worst {
    fn new() -> Worst {
        Worst { error: -1.0, at: vec![], found: 0.0 }
    }

    /// Measures one point against the reference.
    fn look(&mut self, f: &Function, format: Format, x: Vec<f64>, found: f64) {
        let error = format.error(found, f.exact(&x), floor(f));
        if error > self.error {
            *self = Worst { error, at: x, found };
        }
    }
}

fn arguments(format: Format, points: &[Vec<u64>], i: usize) -> Vec<f64> {
    points.iter().map(|p| format.decode(p[i])).collect()
}

/// Measures a function over a sweep. For formats narrower than f64, the compiled f64 function (whose own error is measured
/// too) picks the points that are then compared with the reference.
///
/// # Errors
/// What cannot be compiled or run.
pub fn measure(f: &Function, format: Format, backend: Backend, density: Density, spec: &Spec) -> Result<Row, String> {
    let mut points = points(f, format, density);
    if format == F64 && backend != Backend::Compiled && density == Density::Dense {
        // Every point of f64 is measured against the reference, which takes its time.
        points.iter_mut().for_each(|p| *p = p.iter().copied().step_by(5).collect());
    }
    let found = Evaluator::new(f, format, backend, CHUNK)?.run(&points)?;
    let mut worst = Worst::new();
    let total = found.len();
    if format == F64 {
        for (i, &bits) in found.iter().enumerate() {
            worst.look(f, format, arguments(format, &points, i), F64.decode(bits));
        }
    } else {
        let guide = Evaluator::new(f, F64, Backend::Compiled, CHUNK)?;
        screen(f, format, &guide, &points, &found, &mut worst)?;
    }
    row(f, format, backend, spec, worst, total as u64)
}

fn row(f: &Function, format: Format, backend: Backend, spec: &Spec, w: Worst, points: u64) -> Result<Row, String> {
    let bound = f.bound(spec, format, backend != Backend::WithoutFma)?;
    Ok(Row { function: f.name, format, backend, bound, worst: w.error, at: w.at, found: w.found, points })
}

/// Looks at the points that differ most from f64.
fn screen(
    f: &Function,
    format: Format,
    guide: &Evaluator,
    points: &[Vec<u64>],
    found: &[u64],
    worst: &mut Worst,
) -> Result<(), String> {
    let wide: Vec<Vec<u64>> = points.iter().map(|p| p.iter().map(|&b| format.decode(b).to_bits()).collect()).collect();
    let reference = guide.run(&wide)?;
    let least = floor(f);
    let error = |i: usize| format.error(format.decode(found[i]), f64::from_bits(reference[i]).into(), least);
    let mut candidates: Vec<(f64, usize)> =
        (0..found.len()).map(|i| (error(i), i)).filter(|c| c.0 >= worst.error * 0.99).collect();
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    for &(_, i) in candidates.iter().take(CANDIDATES) {
        worst.look(f, format, arguments(format, points, i), format.decode(found[i]));
    }
    Ok(())
}

/// Measures every bit pattern of a function of one f32.
///
/// # Errors
/// What cannot be compiled or run.
pub fn exhaustive(f: &Function, backend: Backend, spec: &Spec) -> Result<Row, String> {
    let format = super::format::F32;
    let evaluator = Evaluator::new(f, format, backend, CHUNK)?;
    let guide = Evaluator::new(f, F64, Backend::Compiled, CHUNK)?;
    let mut worst = Worst::new();
    let all = 1u64 << 32;
    for start in (0..all).step_by(CHUNK) {
        let points = vec![(start..start + CHUNK as u64).collect::<Vec<u64>>()];
        let found = evaluator.run(&points)?;
        screen(f, format, &guide, &points, &found, &mut worst)?;
    }
    row(f, format, backend, spec, worst, all)
}

/// Checks that an element's result does not depend on where it stands: arrays of several lengths, so that every point passes
/// through vector lanes and through the scalar rest.
///
/// # Errors
/// The first point where bits differ.
pub fn same_everywhere(f: &Function, format: Format, backend: Backend) -> Result<(), String> {
    let all = points(f, format, Density::Quick);
    let step = (all[0].len() / 600).max(1);
    let points: Vec<Vec<u64>> = all.iter().map(|p| p.iter().copied().step_by(step).collect()).collect();
    let expected = Evaluator::new(f, format, backend, 64)?.run(&points)?;
    for n in [1, 2, 3, 5, 7, 19] {
        let found = Evaluator::new(f, format, backend, n)?.run(&points)?;
        for i in 0..found.len() {
            let nan = format.decode(found[i]).is_nan() && format.decode(expected[i]).is_nan();
            if found[i] != expected[i] && !nan {
                return Err(format!(
                    "{} on {}: at {:?} an array of {n} gives {:e}, one of 64 gives {:e}",
                    f.name,
                    format.name,
                    arguments(format, &points, i),
                    format.decode(found[i]),
                    format.decode(expected[i]),
                ));
            }
        }
    }
    Ok(())
}
