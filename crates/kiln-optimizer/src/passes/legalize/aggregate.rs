//! Reductions, windows and scatters with a named combiner.

use super::build::{Build, Built};
use super::{Class, Rep, Site, class, storage};
use kiln_ir::op::{ArgKind, CompareDirection, Reducer};
use kiln_ir::{DType, Diagnostic, Func, InputKind, Loc, Op, TensorType};
use smallvec::SmallVec;

impl Build {
    /// `reduce` and `reduce_window`.
    pub(super) fn reduction(&mut self, site: &Site) -> Result<Rep, Diagnostic> {
        let (op, dtype) = (&site.node.op, site.dtype());
        let reducer = match op {
            Op::Reduce { reducer, .. } | Op::ReduceWindow { reducer, .. } => *reducer,
            _ => return Err(site.unsupported()),
        };
        match class(dtype) {
            // The parts of a sum are sums; other combiners mix the parts.
            Class::Complex if reducer == Reducer::Add => self.lift(op, &site.args),
            Class::Complex => {
                let body = Box::new(combiner(reducer, dtype)?);
                let op = match op {
                    Op::ReduceWindow { window, .. } => Op::GenericReduceWindow { window: window.clone(), body },
                    Op::Reduce { axes, .. } => Op::GenericReduce { axes: axes.clone(), body },
                    _ => return Err(site.unsupported()),
                };
                let values = self.push_all(op, &site.flat())?;
                Ok(Rep::Pair([values[0], values[1]]))
            }
            Class::Mini(format) => {
                let (x, init) = (self.decode(site.one(0), format)?, self.decode(site.one(1), format)?);
                let y = self.push(op.clone(), &[x, init])?;
                self.encode(y, format).map(Rep::One)
            }
            Class::Narrow | Class::Legal => {
                let y = self.push(op.clone(), &[site.one(0), site.one(1)])?;
                self.wrapped(y, dtype).map(Rep::One)
            }
        }
    }

    pub(super) fn arg_reduce(&mut self, site: &Site, axis: usize, kind: ArgKind, to: DType) -> Built {
        let x = match class(site.dtype()) {
            Class::Mini(format) => self.decode(site.one(0), format)?,
            _ => site.one(0),
        };
        // Positions fit in the type asked for, so they fit in what it is stored in.
        self.push(Op::ArgReduce { axis, kind, dtype: storage(to) }, &[x])
    }

    /// `scatter` that combines. Each update is rounded (small floats), or mixes the parts (complex products).
    pub(super) fn scatter(&mut self, site: &Site, reducer: Reducer) -> Result<Rep, Diagnostic> {
        let (op, dtype) = (&site.node.op, site.dtype());
        let Op::Scatter { dims, .. } = op else { return Err(site.unsupported()) };
        let generic = |body: Func| Op::GenericScatter { dims: dims.clone(), body: Box::new(body) };
        match class(dtype) {
            Class::Complex if reducer == Reducer::Add => self.lift(op, &site.args),
            Class::Complex => {
                let values = self.push_all(generic(combiner(reducer, dtype)?), &site.flat())?;
                Ok(Rep::Pair([values[0], values[1]]))
            }
            Class::Mini(_) => self.push(generic(combiner(reducer, dtype)?), &site.flat()).map(Rep::One),
            Class::Narrow | Class::Legal => {
                let y = self.push(op.clone(), &site.flat())?;
                self.wrapped(y, dtype).map(Rep::One)
            }
        }
    }

    pub(super) fn select_and_scatter(&mut self, site: &Site) -> Result<Rep, Diagnostic> {
        let (op, dtype) = (&site.node.op, site.dtype());
        let Op::SelectAndScatter { window, select, scatter } = op else { return Err(site.unsupported()) };
        match class(dtype) {
            Class::Complex => Err(site.unsupported()),
            Class::Mini(_) => {
                let op = Op::GenericSelectAndScatter {
                    window: window.clone(),
                    select: Box::new(selection(*select, dtype)?),
                    scatter: Box::new(combiner(*scatter, dtype)?),
                };
                self.push(op, &site.flat()).map(Rep::One)
            }
            Class::Narrow | Class::Legal => {
                let y = self.push(op.clone(), &site.flat())?;
                self.wrapped(y, dtype).map(Rep::One)
            }
        }
    }
}

/// A scalar parameter.
fn parameter(b: &mut Build, name: &str, dtype: DType) -> Rep {
    let mut part = |suffix: &str| {
        let ty = TensorType::scalar(storage(dtype));
        b.f.add_input(format!("{name}{suffix}"), ty, InputKind::Feed, Loc::UNKNOWN)
    };
    if dtype.is_complex() { Rep::Pair([part(".re"), part(".im")]) } else { Rep::One(part("")) }
}

/// `(a, b) -> a op b` on what stands for scalars of a type.
fn combiner(reducer: Reducer, dtype: DType) -> Result<Func, Diagnostic> {
    let mut b = Build::new(reducer.name().to_owned());
    let (x, y) = (parameter(&mut b, "a", dtype), parameter(&mut b, "b", dtype));
    let z = b.binary(reducer.binary(), x, y, dtype)?;
    let names: SmallVec<[&str; 2]> = if dtype.is_complex() { ["re", "im"].into() } else { ["out"].as_slice().into() };
    for (v, name) in z.values().into_iter().zip(names) {
        b.f.add_output(name, v);
    }
    Ok(b.f)
}

/// `(a, b) -> a <direction> b` on what stands for scalars of a float type of at most 8 bits.
fn selection(direction: CompareDirection, dtype: DType) -> Result<Func, Diagnostic> {
    let mut b = Build::new("select".to_owned());
    let (x, y) = (parameter(&mut b, "a", dtype).one(), parameter(&mut b, "b", dtype).one());
    let (x, y) = match class(dtype) {
        Class::Mini(format) => (b.decode(x, format)?, b.decode(y, format)?),
        _ => (x, y),
    };
    let p = b.cmp(direction, x, y)?;
    b.f.add_output("out", p);
    Ok(b.f)
}
