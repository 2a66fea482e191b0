//! Products of matrices and convolutions.

use super::build::{Build, Built};
use super::{Class, Rep, Site, class, storage};
use kiln_ir::op::{ConvDims, DotDims};
use kiln_ir::{DType, Diagnostic, Op, Value};

impl Build {
    pub(super) fn dot(&mut self, site: &Site, dims: &DotDims) -> Result<Rep, Diagnostic> {
        let (from, to) = (site.dtype(), site.result().dtype);
        let with = |result: DType| Op::DotGeneral(DotDims { result: Some(result), ..dims.clone() });
        match class(from) {
            Class::Complex => self.four(site, &with(to.real_type())),
            Class::Mini(format) => {
                let (x, y) = (self.decode(site.one(0), format)?, self.decode(site.one(1), format)?);
                let wide = if to == DType::F64 { DType::F64 } else { DType::F32 };
                let z = self.push(with(wide), &[x, y])?;
                self.convert_rep(Rep::One(z), wide, to)
            }
            Class::Narrow | Class::Legal => {
                let z = self.push(with(storage(to)), &[site.one(0), site.one(1)])?;
                self.wrapped(z, to).map(Rep::One)
            }
        }
    }

    pub(super) fn convolution(&mut self, site: &Site, dims: &ConvDims) -> Result<Rep, Diagnostic> {
        let (from, op) = (site.dtype(), Op::Convolution(Box::new(dims.clone())));
        match class(from) {
            Class::Complex => self.four(site, &op),
            Class::Mini(format) => {
                let (x, y) = (self.decode(site.one(0), format)?, self.decode(site.one(1), format)?);
                let z = self.push(op, &[x, y])?;
                self.encode(z, format).map(Rep::One)
            }
            Class::Narrow | Class::Legal => {
                let z = self.push(op, &[site.one(0), site.one(1)])?;
                self.wrapped(z, from).map(Rep::One)
            }
        }
    }

    /// A sum of products, which ran over: integers wrap at their width.
    pub(super) fn wrapped(&mut self, x: Value, dtype: DType) -> Built {
        if class(dtype) == Class::Narrow { self.wrap(x, dtype) } else { Ok(x) }
    }

    /// A bilinear operator on the parts. Three products would do, at the price of cancellation.
    fn four(&mut self, site: &Site, op: &Op) -> Result<Rep, Diagnostic> {
        let ([a, b], [c, d]) = (site.pair(0), site.pair(1));
        let mut product = |x: Value, y: Value| self.push(op.clone(), &[x, y]);
        let (ac, bd, ad, bc) = (product(a, c)?, product(b, d)?, product(a, d)?, product(b, c)?);
        Ok(Rep::Pair([self.sub(ac, bd)?, self.add(ad, bc)?]))
    }
}
