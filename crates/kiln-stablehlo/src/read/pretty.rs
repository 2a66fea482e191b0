//! The pretty forms of operations.

use super::{Parsed, Parser};
use crate::ast::{Attr, Block, Operation};

impl Parser<'_> {
    /// After the name of an operation in pretty form.
    pub(super) fn pretty(&mut self, op: &mut Operation) -> Parsed<()> {
        match op.name.as_str() {
            "stablehlo.constant" => return self.constant(op),
            "return" | "func.return" | "stablehlo.return" | "mhlo.return" => return self.return_(op),
            "call" | "func.call" => return self.call(op, "callee"),
            "stablehlo.custom_call" => return self.call(op, "call_target_name"),
            "stablehlo.while" => return self.while_(op),
            "stablehlo.reduce" => return self.reduce(op),
            "stablehlo.convolution" | "stablehlo.dynamic_conv" => return self.convolution(op),
            "stablehlo.slice" => return self.slice(op),
            "chlo.scan" => return self.scan(op),
            "sdy.sharding_constraint" | "sdy.reshard" => {
                // `%x <@mesh, [{"axis"}]> : type`.
                let operand = self.operand()?;
                op.operands.push(operand);
                self.c.skip_balanced('<', '>')?;
                return self.types(op);
            }
            "stablehlo.compare" => {
                let word = self.c.ident()?;
                op.attrs.insert("comparison_direction".into(), Attr::Word(word));
                self.c.expect(",")?;
            }
            "stablehlo.composite" => {
                let name = self.c.string()?;
                op.attrs.insert("name".into(), Attr::Str(name));
            }
            _ => {}
        }
        self.items_then_types(op)
    }

    /// `%a, %b, key = value, WORD, dense<...> : types`, the common shape.
    fn items_then_types(&mut self, op: &mut Operation) -> Parsed<()> {
        if self.c.eat("(") {
            // `(%x, %y)`, and `chlo.top_k(%x, k = 2)`.
            while !self.c.eat(")") {
                if self.c.peek() == Some('%') {
                    let operand = self.operand()?;
                    op.operands.push(operand);
                } else {
                    self.named_item(op)?;
                }
                if !self.c.eat(",") && self.c.peek() != Some(')') {
                    return self.c.fail("expected `,` or `)`");
                }
            }
        }
        loop {
            match self.c.peek() {
                Some(':') => break,
                Some('%') => {
                    let operand = self.operand()?;
                    op.operands.push(operand);
                }
                Some('{') => {
                    let more = self.dict()?;
                    op.attrs.extend(more);
                }
                Some('[') => {
                    // The index of get_tuple_element.
                    let value = self.attr()?;
                    op.attrs.insert("index".into(), value);
                }
                Some('<') => {
                    self.c.expect("<")?;
                    let more = self.dict()?;
                    self.c.expect(">")?;
                    op.attrs.extend(more);
                }
                Some(',') => self.c.expect(",")?,
                Some('d') if self.c.eat_word("dense") => {
                    // The type behind the literal is that of the operation.
                    let value = self.dense()?;
                    if let Attr::Dense(_, ty) = &value {
                        op.result_types = vec![ty.clone()];
                    }
                    op.attrs.insert("value".into(), value);
                    if self.c.peek() == Some('{') {
                        let more = self.dict()?;
                        op.attrs.extend(more);
                    }
                    return Ok(());
                }
                Some(c) if c.is_ascii_alphabetic() => self.named_item(op)?,
                _ => return Ok(()),
            }
        }
        self.types(op)
    }

    /// `key = value`, `key = [1] x [2]`, or a bare word.
    fn named_item(&mut self, op: &mut Operation) -> Parsed<()> {
        let key = self.c.dotted_ident()?;
        if !self.c.eat("=") {
            op.attrs.insert("word".into(), Attr::Word(key));
            return Ok(());
        }
        // A colon behind a number begins the operation's types.
        let value = if self.c.at_number() { self.plain_number()? } else { self.attr()? };
        if self.c.eat_word("x") {
            let right = self.attr()?;
            op.attrs.insert(key, Attr::List(vec![value, right]));
        } else {
            op.attrs.insert(key, value);
        }
        Ok(())
    }

    /// `: t`, `: t0, t1`, `: (t...) -> t`, `: (t...) -> (t...)`.
    fn types(&mut self, op: &mut Operation) -> Parsed<()> {
        self.c.expect(":")?;
        if self.c.peek() == Some('(') {
            (op.operand_types, op.result_types) = self.function_type()?;
            return Ok(());
        }
        let mut list = vec![self.ty()?];
        while self.c.eat(",") {
            list.push(self.ty()?);
        }
        if self.c.eat("->") {
            op.operand_types = list;
            op.result_types = if self.c.peek() == Some('(') { self.type_list()? } else { vec![self.ty()?] };
            return Ok(());
        }
        // One type is that of all; of several the last is the result's (`select`: pred, values).
        op.result_types = vec![list[list.len() - 1].clone()];
        op.operand_types = list;
        Ok(())
    }

    fn constant(&mut self, op: &mut Operation) -> Parsed<()> {
        if self.c.peek() == Some('{') {
            op.attrs = self.dict()?;
        }
        if !self.c.eat_word("dense") {
            return self.c.fail("expected `dense<...>`");
        }
        let value = self.dense()?;
        if let Attr::Dense(_, ty) = &value {
            op.result_types = vec![ty.clone()];
        }
        op.attrs.insert("value".into(), value);
        Ok(())
    }

    fn return_(&mut self, op: &mut Operation) -> Parsed<()> {
        while self.c.peek() == Some('%') {
            let operand = self.operand()?;
            op.operands.push(operand);
            self.c.eat(",");
        }
        if self.c.eat(":") {
            op.operand_types.push(self.ty()?);
            while self.c.eat(",") {
                op.operand_types.push(self.ty()?);
            }
        }
        Ok(())
    }

    fn call(&mut self, op: &mut Operation, key: &str) -> Parsed<()> {
        let target = self.c.symbol()?;
        op.attrs.insert(key.into(), Attr::Symbol(target));
        op.operands = self.operand_list()?;
        if self.c.peek() == Some('{') {
            let more = self.dict()?;
            op.attrs.extend(more);
        }
        self.types(op)
    }

    fn while_(&mut self, op: &mut Operation) -> Parsed<()> {
        self.c.expect("(")?;
        let mut names = Vec::new();
        while !self.c.eat(")") {
            names.push(self.c.value_name()?);
            self.c.expect("=")?;
            let operand = self.operand()?;
            op.operands.push(operand);
            self.c.eat(",");
        }
        self.c.expect(":")?;
        let mut types = Vec::new();
        while types.len() < names.len() {
            types.push(self.ty()?);
            self.c.eat(",");
        }
        if self.c.eat_word("attributes") {
            op.attrs = self.dict()?;
        }
        for word in ["cond", "do"] {
            if !self.c.eat_word(word) {
                return self.c.fail(format!("expected `{word}`"));
            }
            let mut block = self.block()?;
            block.args = names.iter().cloned().zip(types.iter().cloned()).collect();
            op.regions.push(block);
        }
        op.operand_types = types.clone();
        op.result_types = types;
        Ok(())
    }

    /// `(%x init: %i), (%y init: %j) applies op across dimensions = [0] : type` or with a reducer block.
    fn reduce(&mut self, op: &mut Operation) -> Parsed<()> {
        let mut inits = Vec::new();
        while self.c.eat("(") {
            let operand = self.operand()?;
            op.operands.push(operand);
            if !self.c.eat("init") {
                return self.c.fail("expected `init`");
            }
            self.c.expect(":")?;
            inits.push(self.operand()?);
            self.c.expect(")")?;
            self.c.eat(",");
        }
        op.operands.append(&mut inits);
        let applied = if self.c.eat_word("applies") { Some(self.c.dotted_ident()?) } else { None };
        if !(self.c.eat_word("across") && self.c.eat_word("dimensions")) {
            return self.c.fail("expected `across dimensions`");
        }
        self.c.expect("=")?;
        let dims = self.attr()?;
        op.attrs.insert("dimensions".into(), dims);
        if self.c.peek() == Some('{') {
            let more = self.dict()?;
            op.attrs.extend(more);
        }
        self.types(op)?;
        match applied {
            Some(name) => {
                op.attrs.insert("applies".into(), Attr::Word(name));
            }
            None => {
                let block = self.reducer(op.operands.len() / 2)?;
                op.regions.push(block);
            }
        }
        Ok(())
    }

    /// `reducer(%a: t, %b: t) (%c: t, %d: t) { ... }`: one pair per operand; the arguments are all firsts, then all seconds.
    fn reducer(&mut self, operands: usize) -> Parsed<Block> {
        if !self.c.eat_word("reducer") {
            return self.c.fail("expected `reducer`");
        }
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..operands {
            self.c.expect("(")?;
            for list in [&mut first, &mut second] {
                let name = self.c.value_name()?;
                self.c.expect(":")?;
                list.push((name, self.ty()?));
                self.location()?;
                self.c.eat(",");
            }
            self.c.expect(")")?;
        }
        let mut block = self.block()?;
        first.append(&mut second);
        block.args = first;
        Ok(block)
    }

    /// `(%x, ...) inits(%c, ...) dimension=0 attributes {...} { body } : types`.
    fn scan(&mut self, op: &mut Operation) -> Parsed<()> {
        op.operands = self.operand_list()?;
        let mut inits = if self.c.eat_word("inits") { self.operand_list()? } else { Vec::new() };
        let sizes = vec![Attr::Int(op.operands.len() as i64), Attr::Int(inits.len() as i64)];
        op.attrs.insert("operandSegmentSizes".into(), Attr::List(sizes));
        op.operands.append(&mut inits);
        while !matches!(self.c.peek(), Some('{' | ':')) {
            if self.c.eat_word("attributes") {
                let more = self.dict()?;
                op.attrs.extend(more);
            } else {
                self.named_item(op)?;
                self.c.eat(",");
            }
        }
        let body = self.block()?;
        op.regions.push(body);
        self.types(op)
    }

    fn convolution(&mut self, op: &mut Operation) -> Parsed<()> {
        op.operands = self.operand_list()?;
        if !self.c.eat_word("dim_numbers") {
            return self.c.fail("expected `dim_numbers`");
        }
        self.c.expect("=")?;
        let dims = self.conv_dims()?;
        op.attrs.insert("dimension_numbers".into(), dims);
        self.c.expect(",")?;
        if !self.c.eat_word("window") {
            return self.c.fail("expected `window`");
        }
        self.c.expect("=")?;
        for (key, value) in self.dict()? {
            let name = match key.as_str() {
                "stride" => "window_strides",
                "pad" => "padding",
                "lhs_dilate" => "lhs_dilation",
                "rhs_dilate" => "rhs_dilation",
                "reverse" => "window_reversal",
                other => other,
            };
            op.attrs.insert(name.to_owned(), value);
        }
        if self.c.peek() == Some('{') {
            let more = self.dict()?;
            op.attrs.extend(more);
        }
        self.types(op)
    }

    /// `%x [0:2, 1:8:3] : type`.
    fn slice(&mut self, op: &mut Operation) -> Parsed<()> {
        let operand = self.operand()?;
        op.operands.push(operand);
        self.c.expect("[")?;
        let mut lists: [Vec<Attr>; 3] = Default::default();
        while !self.c.eat("]") {
            lists[0].push(Attr::Int(self.c.int()?));
            self.c.expect(":")?;
            lists[1].push(Attr::Int(self.c.int()?));
            lists[2].push(Attr::Int(if self.c.eat(":") { self.c.int()? } else { 1 }));
            self.c.eat(",");
        }
        for (name, list) in ["start_indices", "limit_indices", "strides"].into_iter().zip(lists) {
            op.attrs.insert(name.into(), Attr::List(list));
        }
        self.types(op)
    }
}
