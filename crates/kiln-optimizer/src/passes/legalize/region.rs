//! Operators with nested functions.

use super::build::{Build, Built, BuiltPair, Pair};
use super::signature::{Order, legalize_nested};
use super::{Class, Rep, Reps, Site, class};
use crate::context::Cx;
use kiln_ir::op::Window;
use kiln_ir::{DType, Diagnostic, Func, Op, Value};
use smallvec::{SmallVec, smallvec};

impl Build {
    /// Operands and results are as many as the values that stand for them; nested functions follow.
    pub(super) fn with_regions(&mut self, site: &Site, cx: &mut Cx) -> Result<Reps, Diagnostic> {
        if let Op::GenericSelectAndScatter { window, select, scatter } = &site.node.op
            && class(site.dtype()) == Class::Complex
        {
            return self.select_packed(site, window, select, scatter, cx);
        }
        let op = legalized(&site.node.op, site, cx)?;
        let values = self.push_all(op, &site.flat())?;
        let mut values = values.into_iter();
        let mut next = || values.next().ok_or_else(|| site.unsupported());
        (site.node.types.iter())
            .map(|t| Ok(if t.dtype.is_complex() { Rep::Pair([next()?, next()?]) } else { Rep::One(next()?) }))
            .collect()
    }
}

impl Build {
    /// One tensor is selected from, so the parts of a complex number are the halves of a u64.
    fn select_packed(
        &mut self,
        site: &Site,
        window: &Window,
        select: &Func,
        scatter: &Func,
        cx: &mut Cx,
    ) -> Result<Reps, Diagnostic> {
        if site.dtype() != DType::C64 {
            return Err(site.unsupported());
        }
        let packed = |f: &Func, cx: &mut Cx| legalize_nested(f, Order::Packed, cx).map(Box::new);
        let op = Op::GenericSelectAndScatter {
            window: Box::new(window.clone()),
            select: packed(select, cx)?,
            scatter: packed(scatter, cx)?,
        };
        let mut operands: SmallVec<[Value; 3]> = SmallVec::new();
        for i in 0..site.args.len() {
            let parts = self.join(site.pair(i))?;
            operands.push(self.bitcast(parts, DType::U64)?);
        }
        let result = self.push(op, &operands)?;
        let parts = self.bitcast(result, DType::F32)?;
        Ok(smallvec![Rep::Pair(self.split(parts)?)])
    }

    /// The parts of a c64 in the halves of a u64.
    pub(super) fn unpack_c64(&mut self, x: Value) -> BuiltPair {
        let high = self.shr(x, 32)?;
        let mut part = |half: Value| {
            let bits = self.convert(half, DType::U32)?;
            self.bitcast(bits, DType::F32)
        };
        Ok([part(x)?, part(high)?])
    }

    /// The other way round.
    pub(super) fn pack_c64(&mut self, parts: Pair) -> Built {
        let mut half = |x: Value| {
            let bits = self.bitcast(x, DType::U32)?;
            self.convert(bits, DType::U64)
        };
        let (low, high) = (half(parts[0])?, half(parts[1])?);
        let high = self.shl(high, 32)?;
        self.or(low, high)
    }
}

fn boxed(f: &Func, cx: &mut Cx) -> Result<Box<Func>, Diagnostic> {
    legalize_nested(f, Order::Natural, cx).map(Box::new)
}

fn legalized(op: &Op, site: &Site, cx: &mut Cx) -> Result<Op, Diagnostic> {
    Ok(match op {
        Op::While { cond, body } => Op::While { cond: boxed(cond, cx)?, body: boxed(body, cx)? },
        Op::If { on_true, on_false } => Op::If { on_true: boxed(on_true, cx)?, on_false: boxed(on_false, cx)? },
        Op::Case { branches } => {
            let branches = branches.iter().map(|b| legalize_nested(b, Order::Natural, cx)).collect::<Result<_, _>>()?;
            Op::Case { branches }
        }
        // The derivative was taken before.
        Op::Composite { name, body, .. } => Op::Composite { name: name.clone(), body: boxed(body, cx)?, vjp: None },
        Op::GenericReduce { axes, body } => Op::GenericReduce { axes: axes.clone(), body: boxed(body, cx)? },
        Op::GenericReduceWindow { window, body } => {
            Op::GenericReduceWindow { window: window.clone(), body: boxed(body, cx)? }
        }
        Op::GenericScatter { dims, body } => Op::GenericScatter { dims: dims.clone(), body: boxed(body, cx)? },
        Op::GenericSelectAndScatter { window, select, scatter } => Op::GenericSelectAndScatter {
            window: window.clone(),
            select: boxed(select, cx)?,
            scatter: boxed(scatter, cx)?,
        },
        Op::Sort { dim, stable, comparator } => {
            let n = comparator.inputs.len() - site.types.len();
            let comparator = Box::new(legalize_nested(comparator, Order::Pairs(n), cx)?);
            Op::Sort { dim: *dim, stable: *stable, comparator }
        }
        _ => return Err(site.unsupported()),
    })
}
