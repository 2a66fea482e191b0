//! MLIR text: modules, functions, blocks, operations in generic form.

mod attrs;
mod cursor;
mod pretty;

use crate::ast::{Block, Function, Module, Operation, Type, ValueRef};
use crate::error::Error;
use cursor::Cursor;

/// Deepest nesting of regions, lists and types.
const MAX_DEPTH: usize = 100;

type Parsed<T> = Result<T, Error>;

/// Parses a module, or a file of functions without one.
///
/// # Errors
/// Where the text is not understood.
pub fn read_text(text: &str, file: &str) -> Result<Module, Error> {
    let mut p = Parser {
        c: Cursor::new(text, file),
        depth: 0,
        aliases: Default::default(),
        types: Default::default(),
        budget: (1 << 26) + 64 * text.len(),
    };
    let mut module = Module { file: file.to_owned(), functions: Vec::new() };
    p.items(&mut module, None)?;
    Ok(module)
}

struct Parser<'t> {
    c: Cursor<'t>,
    depth: usize,
    /// `#name = attribute` definitions.
    aliases: std::collections::BTreeMap<String, (crate::ast::Attr, usize)>,
    /// `!name = type` definitions.
    types: std::collections::BTreeMap<String, (Type, usize)>,
    /// How much the uses of aliases may still stand for, roughly in bytes: an alias of aliases can be much longer than the text.
    budget: usize,
}

impl Parser<'_> {
    /// Bounds the recursion of untrusted text.
    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.c.fail(format!("nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// Takes what the use of an alias stands for from the budget.
    fn charge(&mut self, weight: usize) -> Parsed<()> {
        match self.budget.checked_sub(weight) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => self.c.fail("aliases that stand for more than is in proportion to the text"),
        }
    }

    /// Modules and functions up to the closing text.
    fn items(&mut self, module: &mut Module, close: Option<&str>) -> Parsed<()> {
        loop {
            self.location()?;
            match close {
                Some(close) if self.c.eat(close) => return Ok(()),
                None if self.c.at_end() => return Ok(()),
                _ => {}
            }
            if self.c.eat_word("module") || self.c.eat_word("builtin.module") {
                if self.c.peek() == Some('@') {
                    self.c.symbol()?;
                }
                if self.c.eat_word("attributes") {
                    self.dict()?;
                }
                self.c.expect("{")?;
                self.deeper(|p| p.items(module, Some("}")))?;
            } else if self.c.eat_word("func.func") {
                let f = self.function()?;
                module.functions.push(f);
            } else if self.c.eat_word("sdy.mesh") {
                // `@name = <["axis"=2]>`: where a program runs.
                self.c.symbol()?;
                self.c.expect("=")?;
                self.c.skip_balanced('<', '>')?;
                if self.c.peek() == Some('{') {
                    self.dict()?;
                }
            } else if self.c.peek() == Some('"') {
                self.generic_item(module)?;
            } else if self.c.peek() == Some('#') {
                let name = self.alias_name()?;
                self.c.expect("=")?;
                let value = self.attr()?;
                let weight = value.weight();
                self.aliases.insert(name, (value, weight));
            } else if self.c.eat("!") {
                let name = self.c.ident()?;
                self.c.expect("=")?;
                let value = self.ty()?;
                let weight = value.weight();
                self.types.insert(name, (value, weight));
            } else if self.c.eat("{-#") {
                return self.c.fail("resources beside the module are not supported");
            } else {
                return self.c.fail("expected `module` or `func.func`");
            }
        }
    }

    fn alias_name(&mut self) -> Parsed<String> {
        self.c.expect("#")?;
        self.c.ident()
    }

    /// `"builtin.module"` and `"func.func"` in generic form.
    fn generic_item(&mut self, module: &mut Module) -> Parsed<()> {
        let start = self.c.place();
        let name = self.c.string()?;
        match name.as_str() {
            "builtin.module" => {
                self.c.expect("(")?;
                self.c.expect(")")?;
                if self.c.eat("<") {
                    self.dict()?;
                    self.c.expect(">")?;
                }
                self.c.expect("(")?;
                self.c.expect("{")?;
                if self.c.peek() == Some('^') {
                    self.block_head()?;
                }
                self.deeper(|p| p.items(module, Some("}")))?;
                self.c.expect(")")?;
                if self.c.peek() == Some('{') {
                    self.dict()?;
                }
                self.c.expect(":")?;
                self.function_type()?;
                Ok(())
            }
            "func.func" => {
                let place = self.c.place_of(start);
                let mut op = Operation { name, ..Operation::default() };
                self.generic_rest(&mut op)?;
                let sym = op.attrs.get("sym_name").and_then(|a| a.as_str()).map(str::to_owned);
                let (Some(name), Some(body)) = (sym, op.regions.pop()) else {
                    return self.c.fail("a function needs a name and a body");
                };
                let results = match op.attrs.get("function_type") {
                    Some(crate::ast::Attr::Type(Type::Function(_, results))) => results.clone(),
                    _ => Vec::new(),
                };
                module.functions.push(Function { name, results, body, place });
                Ok(())
            }
            "sdy.mesh" => self.generic_rest(&mut Operation::default()),
            other => self.c.fail(format!("expected a module or function, found \"{other}\"")),
        }
    }

    /// A function in pretty form, after `func.func`.
    fn function(&mut self) -> Parsed<Function> {
        let place = self.c.here();
        for word in ["public", "private", "nested"] {
            self.c.eat_word(word);
        }
        let name = self.c.symbol()?;
        self.c.expect("(")?;
        let mut args = Vec::new();
        while !self.c.eat(")") {
            // A declaration without a body names no arguments.
            let arg = if self.c.peek() == Some('%') {
                let arg = self.c.value_name()?;
                self.c.expect(":")?;
                arg
            } else {
                format!("arg{}", args.len())
            };
            let ty = self.ty()?;
            if self.c.peek() == Some('{') {
                self.dict()?;
            }
            self.location()?;
            args.push((arg, ty));
            self.c.eat(",");
        }
        let mut results = Vec::new();
        if self.c.eat("->") {
            if self.c.eat("(") {
                while !self.c.eat(")") {
                    results.push(self.ty()?);
                    if self.c.peek() == Some('{') {
                        self.dict()?;
                    }
                    self.c.eat(",");
                }
            } else {
                results.push(self.ty()?);
            }
        }
        if self.c.eat_word("attributes") {
            self.dict()?;
        }
        let mut body = if self.c.peek() == Some('{') { self.block()? } else { Block::default() };
        if !body.args.is_empty() && body.args.len() != args.len() {
            return self.c.fail("the entry block repeats the function's arguments, with another number of them");
        }
        body.args = args;
        self.location()?;
        Ok(Function { name, results, body, place })
    }

    /// `{ ^bb0(...): ops }`.
    fn block(&mut self) -> Parsed<Block> {
        self.c.expect("{")?;
        self.deeper(|p| {
            let args = if p.c.peek() == Some('^') { p.block_head()? } else { Vec::new() };
            let mut ops = Vec::new();
            while !p.c.eat("}") {
                if p.c.peek() == Some('^') {
                    return p.c.fail("a region of several blocks is not supported");
                }
                ops.push(p.operation()?);
            }
            Ok(Block { args, ops })
        })
    }

    fn block_head(&mut self) -> Parsed<Vec<(String, Type)>> {
        self.c.expect("^")?;
        self.c.ident()?;
        let mut args = Vec::new();
        if self.c.eat("(") {
            while !self.c.eat(")") {
                let name = self.c.value_name()?;
                self.c.expect(":")?;
                args.push((name, self.ty()?));
                self.location()?;
                self.c.eat(",");
            }
        }
        self.c.expect(":")?;
        Ok(args)
    }

    fn operation(&mut self) -> Parsed<Operation> {
        self.c.skip();
        let mut op = Operation { place: self.c.here(), ..Operation::default() };
        while self.c.peek() == Some('%') {
            let name = self.c.value_name()?;
            let count = if self.c.eat(":") { self.c.int()? } else { 1 };
            let Some(count) = usize::try_from(count).ok().filter(|n| *n <= 1 << 16) else {
                return self.c.fail("a strange number of results");
            };
            op.results.push((name, count));
            if !self.c.eat(",") {
                self.c.expect("=")?;
                break;
            }
        }
        if self.c.peek() == Some('"') {
            op.name = self.c.string()?;
            self.generic_rest(&mut op)?;
        } else {
            op.name = self.c.dotted_ident()?;
            self.pretty(&mut op)?;
        }
        self.location()?;
        Ok(op)
    }

    /// After the name: `(operands) <{properties}> ({regions}) {attributes} : type`.
    fn generic_rest(&mut self, op: &mut Operation) -> Parsed<()> {
        op.operands = self.operand_list()?;
        if self.c.eat("<") {
            op.attrs = self.dict()?;
            self.c.expect(">")?;
        }
        if self.c.eat("(") {
            while !self.c.eat(")") {
                op.regions.push(self.block()?);
                self.c.eat(",");
            }
        }
        if self.c.peek() == Some('{') {
            let more = self.dict()?;
            op.attrs.extend(more);
        }
        self.c.expect(":")?;
        (op.operand_types, op.result_types) = self.function_type()?;
        Ok(())
    }

    /// `(%a, %b#1)`.
    fn operand_list(&mut self) -> Parsed<Vec<ValueRef>> {
        self.c.expect("(")?;
        let mut operands = Vec::new();
        while !self.c.eat(")") {
            operands.push(self.operand()?);
            self.c.eat(",");
        }
        Ok(operands)
    }

    fn operand(&mut self) -> Parsed<ValueRef> {
        let name = self.c.value_name()?;
        let index = if self.c.eat("#") { self.c.int()? } else { 0 };
        Ok(ValueRef { name, index: usize::try_from(index).unwrap_or(usize::MAX) })
    }

    /// `(a, b) -> c` or `(a) -> (b, c)`.
    fn function_type(&mut self) -> Parsed<(Vec<Type>, Vec<Type>)> {
        let from = self.type_list()?;
        self.c.expect("->")?;
        let to = if self.c.peek() == Some('(') { self.type_list()? } else { vec![self.ty()?] };
        Ok((from, to))
    }

    fn type_list(&mut self) -> Parsed<Vec<Type>> {
        self.c.expect("(")?;
        let mut types = Vec::new();
        while !self.c.eat(")") {
            types.push(self.ty()?);
            if self.c.peek() == Some('{') {
                self.dict()?;
            }
            self.c.eat(",");
        }
        Ok(types)
    }

    /// Skips `loc(...)` and `#loc = ...`.
    fn location(&mut self) -> Parsed<()> {
        while self.c.eat_word("loc") {
            self.c.skip_balanced('(', ')')?;
        }
        Ok(())
    }
}
