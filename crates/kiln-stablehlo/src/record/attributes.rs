//! Attributes by name.

use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_import::limits::MAX_ELEMENTS;

impl Builder<'_> {
    pub(super) fn ints(&self, op: &Operation, name: &str) -> Built<Vec<i64>> {
        match self.ints_or(op, name)? {
            Some(list) => Ok(list),
            None => self.malformed(op, format!("attribute `{name}` is missing")),
        }
    }

    pub(super) fn ints_or(&self, op: &Operation, name: &str) -> Built<Option<Vec<i64>>> {
        match op.attrs.get(name) {
            None => Ok(None),
            Some(attr) => match attr.as_ints() {
                Some(list) if list.iter().all(|n| n.unsigned_abs() <= MAX_ELEMENTS as u64) => Ok(Some(list)),
                Some(_) => self.malformed(op, format!("attribute `{name}` holds a number out of all proportion")),
                None => self.malformed(op, format!("attribute `{name}` is no list of integers")),
            },
        }
    }

    /// A list of integers that is this number everywhere when the attribute is missing.
    pub(super) fn ints_default(&self, op: &Operation, name: &str, n: usize, default: i64) -> Built<Vec<i64>> {
        let list = self.ints_or(op, name)?.unwrap_or_else(|| vec![default; n]);
        if list.len() == n {
            Ok(list)
        } else {
            self.malformed(op, format!("attribute `{name}` has {} entries, not {n}", list.len()))
        }
    }

    /// Pairs (before, after) per dimension.
    pub(super) fn padding(&self, op: &Operation, name: &str, n: usize) -> Built<Vec<(i64, i64)>> {
        let flat = self.ints_default(op, name, 2 * n, 0)?;
        Ok(flat.chunks_exact(2).map(|p| (p[0], p[1])).collect())
    }

    /// Dimension numbers.
    pub(super) fn axes(&self, op: &Operation, name: &str) -> Built<Vec<usize>> {
        let list = self.ints(op, name)?;
        self.to_axes(op, &list)
    }

    pub(super) fn to_axes(&self, op: &Operation, list: &[i64]) -> Built<Vec<usize>> {
        match list.iter().map(|&i| usize::try_from(u32::try_from(i)?)).collect::<Result<_, _>>() {
            Ok(axes) => Ok(axes),
            Err(_) => self.malformed(op, "a negative dimension number"),
        }
    }

    pub(super) fn axis(&self, op: &Operation, names: &[&str]) -> Built<usize> {
        let found = names.iter().find_map(|n| op.attrs.get(*n)).and_then(Attr::as_int);
        match found.and_then(|i| usize::try_from(i).ok()).filter(|&i| i <= u32::MAX as usize) {
            Some(axis) => Ok(axis),
            None => self.malformed(op, format!("attribute `{}` is missing", names[0])),
        }
    }

    pub(super) fn flag(&self, op: &Operation, name: &str) -> bool {
        op.attrs.get(name).and_then(Attr::as_int) == Some(1)
    }

    pub(super) fn count(&self, op: &Operation, name: &str) -> Built<usize> {
        match op.attrs.get(name) {
            None => Ok(1),
            Some(_) => self.axis(op, &[name]),
        }
    }

    /// The dimension numbers in a field of a `#stablehlo.name<...>` attribute; none when it is missing.
    pub(super) fn field(&self, op: &Operation, attr: &str, field: &str) -> Built<Vec<usize>> {
        match op.attrs.get(attr) {
            Some(Attr::Dict(fields)) => match fields.get(field).map(Attr::as_ints) {
                None => Ok(Vec::new()),
                Some(Some(list)) => self.to_axes(op, &list),
                Some(None) => self.malformed(op, format!("`{field}` is no list of integers")),
            },
            _ => self.malformed(op, format!("attribute `{attr}` is missing")),
        }
    }
}
