//! Quantized tensors: integers with scales and zero points.
//!
//! Values are kept as their integers. `uniform_quantize` and `uniform_dequantize` are what the StableHLO specification says; every
//! other operator is computed on the dequantized operands and its result is quantized again, as the specification defines it
//! (`dequantize_op_quantize`).

use super::{Builder, Built, Scope, Slot};
use crate::ast::{Element, Operation, Type};
use kiln_builder::Expr;
use kiln_import::Quantization;
use kiln_ir::DType;
use std::rc::Rc;

fn known(name: &str) -> Option<DType> {
    match crate::ast::Element::named(name.trim()) {
        Element::Known(d) => Some(d),
        Element::Unknown(_) => None,
    }
}

/// The quantization that an element type of this text is:
/// `!quant.uniform<storage<low:high>:expressed:axis, {scale:zero_point, ...}>`.
fn parse(text: &str) -> Option<Quantization> {
    let body = text.strip_prefix("!quant.uniform<")?.strip_suffix('>')?;
    let (types, scales) = body.split_once(',')?;
    let (storage_text, rest, bounds) = match types.split_once('<') {
        Some((storage, rest)) => {
            let (bounds, rest) = rest.split_once('>')?;
            (storage, rest.strip_prefix(':')?, Some(bounds.split_once(':')?))
        }
        None => {
            let (storage, rest) = types.split_once(':')?;
            (storage, rest, None)
        }
    };
    let (expressed, axis) = match rest.split_once(':') {
        Some((expressed, axis)) => (expressed, Some(axis.trim().parse().ok()?)),
        None => (rest, None),
    };
    let (storage, expressed) = (known(storage_text)?, known(expressed)?);
    let narrow = storage.is_int() && storage.bits() <= 32;
    let own = (i64::try_from(storage.lowest_int()).ok()?, i64::try_from(storage.highest_int()).ok()?);
    let range = match bounds {
        Some((low, high)) => (low.trim().parse().ok()?, high.trim().parse().ok()?),
        None => own,
    };
    let inside = own.0 <= range.0 && range.0 < range.1 && range.1 <= own.1;
    let list = scales.trim();
    let list = list.strip_prefix('{').and_then(|l| l.strip_suffix('}')).unwrap_or(list);
    let (mut all, mut zeros) = (Vec::new(), Vec::new());
    for entry in list.split(',') {
        let (scale, zero) = entry.split_once(':').unwrap_or((entry, "0"));
        let (scale, zero): (f64, i64) = (scale.trim().parse().ok()?, zero.trim().parse().ok()?);
        if !(scale > 0.0 && scale.is_finite() && (range.0..=range.1).contains(&zero)) {
            return None;
        }
        all.push(scale);
        zeros.push(zero);
    }
    let one = axis.is_some() || all.len() == 1;
    let q = Quantization { storage, expressed, range, axis, scales: all, zero_points: zeros };
    (narrow && expressed.is_float() && inside && one).then_some(q)
}

/// The quantization of a tensor type, if it has one.
pub(super) fn of_type(ty: &Type) -> Option<Quantization> {
    match ty {
        Type::Tensor { element: Element::Unknown(name), .. } => parse(name),
        _ => None,
    }
}

/// The type with this element type.
fn with_element(ty: &Type, dtype: DType) -> Type {
    match ty {
        Type::Tensor { dims, .. } => Type::Tensor { dims: dims.clone(), element: Element::Known(dtype) },
        other => other.clone(),
    }
}

impl Builder<'_> {
    /// An argument: of a quantized type its integers.
    pub(super) fn argument_type<'t>(&self, ty: &'t Type) -> (std::borrow::Cow<'t, Type>, Option<Rc<Quantization>>) {
        match of_type(ty) {
            Some(q) => (std::borrow::Cow::Owned(with_element(ty, q.storage)), Some(Rc::new(q))),
            None => (std::borrow::Cow::Borrowed(ty), None),
        }
    }

    /// An operation with quantized operands or results; none when it has neither.
    pub(super) fn quantized(&mut self, op: &Operation, operands: &[Slot], scope: &Scope) -> Built<Option<Vec<Slot>>> {
        let wanted: Vec<Option<Quantization>> = op.result_types.iter().map(of_type).collect();
        let given = operands.iter().any(|s| matches!(s, Slot::Quantized(..)));
        if !given && wanted.iter().all(Option::is_none) {
            return Ok(None);
        }
        if op.name == "stablehlo.constant" || op.name == "stablehlo.bitcast_convert" {
            return self.quantized_bits(op, operands, &wanted, scope).map(Some);
        }
        let misfit = "the scales are not as many as the quantized dimension is long";
        let mut values = Vec::with_capacity(operands.len());
        for slot in operands {
            values.push(match slot {
                Slot::One(e) => e.clone(),
                Slot::Quantized(e, q) => match q.dequantize(e) {
                    Some(e) => e,
                    None => return self.malformed(op, misfit),
                },
                Slot::Tuple(_) => return self.unsupported(op, "a tuple as operand"),
            });
        }
        let results = match op.name.as_str() {
            "stablehlo.uniform_quantize" | "stablehlo.uniform_dequantize" => values,
            _ => {
                let mut plain = op.clone();
                let types = plain.result_types.iter_mut().zip(&wanted);
                types
                    .for_each(|(ty, q)| *ty = q.as_ref().map_or_else(|| ty.clone(), |q| with_element(ty, q.expressed)));
                self.compute(&plain, &values, scope)?
            }
        };
        let mut out = Vec::with_capacity(results.len());
        for (e, q) in results.into_iter().zip(wanted.into_iter().chain(std::iter::repeat(None))) {
            out.push(match q {
                Some(q) => match q.quantize(&e) {
                    Some(e) => Slot::Quantized(e, Rc::new(q)),
                    None => return self.malformed(op, misfit),
                },
                None => Slot::One(e),
            });
        }
        Ok(Some(out))
    }

    /// Operators on the integers themselves.
    fn quantized_bits(
        &mut self,
        op: &Operation,
        operands: &[Slot],
        wanted: &[Option<Quantization>],
        scope: &Scope,
    ) -> Built<Vec<Slot>> {
        let mut plain = op.clone();
        let types = plain.result_types.iter_mut().zip(wanted);
        types.for_each(|(ty, q)| *ty = q.as_ref().map_or_else(|| ty.clone(), |q| with_element(ty, q.storage)));
        if let (Some(crate::ast::Attr::Dense(_, ty)), Some(Some(q))) = (plain.attrs.get_mut("value"), wanted.first()) {
            *ty = with_element(ty, q.storage);
        }
        let values: Vec<Expr> = operands.iter().cloned().flat_map(Slot::leaves).collect();
        let results = self.compute(&plain, &values, scope)?;
        let slot = |(e, q): (Expr, &Option<Quantization>)| match q {
            Some(q) => Slot::Quantized(e, Rc::new(q.clone())),
            None => Slot::One(e),
        };
        Ok(results.into_iter().zip(wanted).map(slot).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read() {
        let q = parse("!quant.uniform<i8:f32, 0.5:-3>").expect("a type");
        assert_eq!((q.storage, q.expressed, q.range, q.axis), (DType::I8, DType::F32, (-128, 127), None));
        assert_eq!((q.scales, q.zero_points), (vec![0.5], vec![-3]));
        let q = parse("!quant.uniform<u8<1:255>:f32:1, {0.5:3,2.0}>");
        assert_eq!(q, None, "the spelling of unsigned types is ui8");
        let q = parse("!quant.uniform<ui8<1:255>:f32:1, {0.5:3, 2.0:1}>").expect("a type");
        assert_eq!((q.range, q.axis, q.zero_points), ((1, 255), Some(1), vec![3, 1]));
        for bad in
            ["!quant.uniform<i8:f32, 0.0>", "!quant.uniform<i8:f32, {1.0, 2.0}>", "!quant.uniform<i8<5:1>:f32, 1.0>"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
