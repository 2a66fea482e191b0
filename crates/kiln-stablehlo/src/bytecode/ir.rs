//! Operations, regions and blocks.

use super::cursor::{Cursor, Read};
use super::ops;
use super::tables::{self, File, since};
use super::translate::translate;
use crate::ast::{Attr, Block, Function, Module, Operation, Place, Type, ValueRef};

/// Deepest nesting of regions.
const MAX_DEPTH: usize = 100;

/// What an operation's mask says is there.
mod has {
    pub const ATTRIBUTES: u8 = 1;
    pub const RESULTS: u8 = 2;
    pub const OPERANDS: u8 = 4;
    pub const SUCCESSORS: u8 = 8;
    pub const REGIONS: u8 = 16;
    pub const USE_ORDERS: u8 = 32;
    pub const PROPERTIES: u8 = 64;
}

/// The numbers of values inside of an isolated region: those of inner regions follow those of the outer ones.
#[derive(Default)]
struct Values {
    /// Numbers given out by the regions that are open.
    total: usize,
    /// The next number in the innermost region.
    next: usize,
    /// The end of the innermost region's numbers.
    end: usize,
}

/// What surrounds an operation.
#[derive(Clone, Copy)]
struct Around {
    depth: usize,
    /// True directly inside of a function.
    function: bool,
}

impl<'b> File<'b> {
    /// The functions of the file.
    pub(super) fn module(&mut self) -> Read<Module> {
        let mut module = Module { file: self.name.to_string(), functions: Vec::new() };
        let mut c = self.all.over(self.ir.clone());
        let block = self.block(&mut c, &mut Values::default(), Around { depth: 0, function: false })?;
        if !c.at_end() {
            return c.fail("bytes behind the last operation");
        }
        self.items(block, &mut module, &c)?;
        Ok(module)
    }

    /// Modules and functions of a block.
    fn items(&self, block: Block, module: &mut Module, c: &Cursor<'b>) -> Read<()> {
        for op in block.ops {
            match op.name.as_str() {
                "builtin.module" => {
                    for region in op.regions {
                        self.items(region, module, c)?;
                    }
                }
                "func.func" => module.functions.push(function(op, c)?),
                // Meshes and the like say where a program runs.
                name if name.starts_with("sdy.") => {}
                name => return c.unsupported(format!("{}: {name} outside of a function", op.place)),
            }
        }
        Ok(())
    }

    fn block(&mut self, c: &mut Cursor<'b>, values: &mut Values, around: Around) -> Read<Block> {
        let (count, with_args) = c.flagged()?;
        if count > c.remaining() {
            return c.fail(format!("{count} operations are announced in {} bytes", c.remaining()));
        }
        let mut block = Block::default();
        if with_args {
            for _ in 0..c.count()? {
                let ty = if self.version >= since::ELIDED_LOCATIONS {
                    let (ty, located) = c.flagged()?;
                    if located {
                        c.varint()?;
                    }
                    ty
                } else {
                    let ty = c.index()?;
                    c.varint()?;
                    ty
                };
                let ty = self.ty(ty, c, 0)?;
                block.args.push((define(values, c)?, ty));
            }
            if self.version >= since::USE_ORDERS && c.byte()? != 0 {
                use_orders(c, block.args.len())?;
            }
        }
        for _ in 0..count {
            block.ops.push(self.operation(c, values, around)?);
        }
        Ok(block)
    }

    fn operation(&mut self, c: &mut Cursor<'b>, values: &mut Values, around: Around) -> Read<Operation> {
        let start = c.place();
        self.charge(std::mem::size_of::<Operation>(), c)?;
        let (dialect, name, registered) = self.next_op_name(c)?;
        let mask = c.byte()?;
        let location = c.index()?;
        let place = self.source(location, 0).unwrap_or_else(|| Place {
            file: self.name.clone(),
            line: 0,
            column: u32::try_from(start).unwrap_or(u32::MAX),
        });
        let mut op = Operation { place, ..Operation::default() };
        if mask & has::ATTRIBUTES != 0 {
            match self.next_attr(c, 0)? {
                Attr::Dict(attrs) => op.attrs = attrs,
                _ => return c.fail("the attributes of an operation are no dictionary"),
            }
        }
        if mask & has::PROPERTIES != 0 {
            self.properties_of(c, &mut op, (&dialect, &name), registered)?;
        }
        if mask & has::RESULTS != 0 {
            op.result_types = self.type_list(c, 0)?;
        }
        if mask & has::OPERANDS != 0 {
            for _ in 0..c.count()? {
                let value = c.index()?;
                if value >= values.total {
                    return c.fail(format!("value {value} of {}", values.total));
                }
                op.operands.push(ValueRef { name: value.to_string(), index: 0 });
            }
        }
        if mask & has::SUCCESSORS != 0 && c.count()? != 0 {
            return c.unsupported(format!("{}: {dialect}.{name} with successors", op.place));
        }
        if mask & has::USE_ORDERS != 0 && self.version >= since::USE_ORDERS {
            use_orders(c, op.result_types.len())?;
        }
        let regions = if mask & has::REGIONS != 0 { Some(c.flagged()?) } else { None };
        // Outside of regions there are no numbers for values.
        if values.end > 0 {
            for _ in 0..op.result_types.len() {
                op.results.push((define(values, c)?, 1));
            }
        }
        if dialect == "vhlo" {
            if let Err(message) = translate(&mut op, &name, around.function) {
                return c.fail(format!("{}: {message}", op.place));
            }
        } else {
            op.name = format!("{dialect}.{name}");
        }
        if let Some((count, isolated)) = regions {
            let inner = Around { depth: around.depth + 1, function: op.name == "func.func" };
            self.regions(c, values, &mut op, (count, isolated), inner)?;
        }
        Ok(op)
    }

    fn properties_of(
        &mut self,
        c: &mut Cursor<'b>,
        op: &mut Operation,
        (dialect, name): (&str, &str),
        registered: Option<bool>,
    ) -> Read<()> {
        let mut p = self.next_properties(c)?;
        match (dialect, ops::properties(name)) {
            ("vhlo", Some(names)) if registered == Some(true) => {
                for key in names {
                    let value = self.next_attr(&mut p, 0)?;
                    op.attrs.insert((*key).to_owned(), value);
                }
                if !p.at_end() {
                    return p.fail(format!("{}: vhlo.{name} has more properties than expected", op.place));
                }
                Ok(())
            }
            // The name and visibility of a module, and where things run.
            ("builtin" | "sdy", _) => Ok(()),
            ("vhlo", _) => c.unsupported(format!("{}: vhlo.{name}", op.place)),
            _ => c.unsupported(format!(
                "{}: {dialect}.{name} in bytecode; of the dialects of programs only VHLO is read, the portable form",
                op.place
            )),
        }
    }

    /// The regions of an operation: isolated ones in a section of their own, where the values count from zero.
    fn regions(
        &mut self,
        c: &mut Cursor<'b>,
        values: &mut Values,
        op: &mut Operation,
        (count, isolated): (usize, bool),
        around: Around,
    ) -> Read<()> {
        if around.depth > MAX_DEPTH {
            return c.fail(format!("regions nested more than {MAX_DEPTH} deep"));
        }
        let mut own = Values::default();
        let values = if isolated { &mut own } else { values };
        let mut section = None;
        if isolated && self.version >= since::REGION_SECTIONS && count > 0 {
            let (kind, range) = c.section()?;
            if kind != tables::IR {
                return c.fail("expected a section of operations");
            }
            section = Some(self.all.over(range));
        }
        let c = section.as_mut().unwrap_or(c);
        if count > c.remaining() {
            return c.fail(format!("{count} regions are announced in {} bytes", c.remaining()));
        }
        for _ in 0..count {
            let block = self.region(c, values, around)?;
            op.regions.push(block);
        }
        Ok(())
    }

    fn region(&mut self, c: &mut Cursor<'b>, values: &mut Values, around: Around) -> Read<Block> {
        match c.index()? {
            0 => return Ok(Block::default()),
            1 => {}
            _ => return c.unsupported("a region of several blocks"),
        }
        // Each value takes at least a byte.
        let count = c.count()?;
        let outer = (values.total, values.next, values.end);
        values.next = values.total;
        values.total += count;
        values.end = values.total;
        let block = self.block(c, values, around)?;
        (values.total, values.next, values.end) = outer;
        Ok(block)
    }
}

/// The name of the next value.
fn define(values: &mut Values, c: &Cursor<'_>) -> Read<String> {
    if values.next >= values.end {
        return c.fail("more values in a region than announced");
    }
    values.next += 1;
    Ok((values.next - 1).to_string())
}

/// Passes over the orders of the uses of some values, which mean nothing here.
fn use_orders(c: &mut Cursor<'_>, values: usize) -> Read<()> {
    let count = if values > 1 { c.count()? } else { 1 };
    for _ in 0..count {
        if values > 1 {
            c.varint()?;
        }
        let (indices, _) = c.flagged()?;
        for _ in 0..indices {
            c.varint()?;
        }
    }
    Ok(())
}

/// A function of the operation that defines it.
fn function(op: Operation, c: &Cursor<'_>) -> Read<Function> {
    let Operation { attrs, mut regions, place, .. } = op;
    let Some(name) = attrs.get("sym_name").and_then(Attr::as_str) else {
        return c.fail(format!("{place}: a function without a name"));
    };
    let Some(Attr::Type(Type::Function(args, results))) = attrs.get("function_type") else {
        return c.fail(format!("{place}: a function without a type"));
    };
    let mut body = regions.pop().unwrap_or_default();
    if body.ops.is_empty() && body.args.is_empty() {
        // A declaration.
        body.args = args.iter().enumerate().map(|(i, ty)| (format!("arg{i}"), ty.clone())).collect();
    }
    if body.args.len() != args.len() {
        return c.fail(format!("{place}: the block of @{name} takes {} values, not {}", body.args.len(), args.len()));
    }
    Ok(Function { name: name.to_owned(), results: results.clone(), body, place })
}
