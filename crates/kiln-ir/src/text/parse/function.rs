//! Functions and their statements.

use super::{MAX_ERRORS, Parser, Result, Scope};
use crate::diag::Diagnostic;
use crate::func::{Func, Input, InputKind, Node, NodeId, Output, OutputKind, Value};
use crate::init::Initializer;
use crate::op::Op;
use crate::shape::TensorType;
use crate::text::attrs::build;
use crate::text::lex::Token;
use crate::verify::MAX_DEPTH;
use smallvec::{SmallVec, smallvec};

impl Parser<'_> {
    /// `func @name(...) -> (...) { ... }`
    pub(super) fn top(&mut self) -> Result<Func> {
        self.keyword("func")?;
        match std::mem::replace(&mut self.token, Token::Eof) {
            Token::At(name) => {
                self.advance();
                self.function(name)
            }
            other => {
                self.token = other;
                Err(self.expected("the function's name, such as `@main`"))
            }
        }
    }

    /// From the parameters on.
    pub(super) fn function(&mut self, name: String) -> Result<Func> {
        self.depth += 1;
        if self.depth > MAX_DEPTH + 1 {
            return Err(self.error(format!("functions are nested more than {MAX_DEPTH} deep")));
        }
        let mut func = Func::new(name);
        let mut scope = Scope::new();
        self.punct(b'(')?;
        let inputs = self.separated(b')', Self::input)?;
        if self.token != Token::Arrow {
            return Err(self.expected("`->`"));
        }
        self.advance();
        self.punct(b'(')?;
        let outputs = self.separated(b')', Self::output)?;
        self.punct(b'{')?;
        let mut late = Late::declare(&mut func, inputs);
        for i in &func.inputs {
            // Two inputs of one name are an error of the verifier.
            scope.insert(i.name.clone(), i.node);
        }
        self.statements(&mut func, &mut scope, &mut late)?;
        if let Some((_, index)) = late.0.last() {
            return Err(self.error(format!("the place of input {} was not reached", index.0)));
        }
        self.returns(&mut func, &scope, outputs)?;
        self.depth -= 1;
        Ok(func)
    }

    /// An input, and the place of its node if that is not at the front.
    fn input(&mut self) -> Result<(Input, Option<u32>)> {
        let name = self.value_name()?;
        self.punct(b':')?;
        let variable = self.token == Token::Ident("var");
        if variable {
            self.advance();
        }
        let ty = self.tensor_type()?;
        let kind = match (variable, self.is(b'=')) {
            (true, true) => {
                self.advance();
                InputKind::Variable(self.initializer(&ty)?)
            }
            (true, false) => InputKind::Variable(Initializer::Zeros),
            (false, true) => return Err(self.error("only variables have initial values (`var` before the type)")),
            (false, false) => InputKind::Feed,
        };
        let mut place = None;
        if self.token == Token::Ident("at") {
            self.advance();
            place = Some(self.unsigned("place")?);
        }
        let loc = self.location()?;
        Ok((Input { name, ty, kind, node: NodeId(0), loc }, place))
    }

    fn initializer(&mut self, ty: &TensorType) -> Result<Initializer> {
        let at = self.at;
        let Token::Ident(word) = self.token else { return Err(self.expected("an initial value")) };
        if word == "dense" {
            let literal = self.literal()?;
            return self.tensor(at, literal, ty).map(Initializer::Value);
        }
        self.advance();
        if word == "zeros" {
            return Ok(Initializer::Zeros);
        }
        self.punct(b'(')?;
        let first = self.float()?;
        let init = match word {
            "constant" => Initializer::Constant(first),
            "uniform" => {
                self.punct(b',')?;
                let high = self.float()?;
                Initializer::Uniform { low: first, high, seed: self.seed()? }
            }
            "normal" => Initializer::Normal { std: first, seed: self.seed()? },
            "truncated_normal" => Initializer::TruncatedNormal { std: first, seed: self.seed()? },
            other => return Err(self.error_at(at, "text.syntax", format!("unknown initial value `{other}`"))),
        };
        self.punct(b')')?;
        Ok(init)
    }

    fn seed(&mut self) -> Result<u64> {
        self.punct(b',')?;
        self.keyword("seed")?;
        self.punct(b'=')?;
        self.unsigned("seed")
    }

    /// `probs: f32[2]`, `f32[2]`, `update %w: f32[2]`, `update %w as "name": f32[2]`
    fn output(&mut self) -> Result<DeclaredOutput> {
        let at = self.at;
        if let Token::Str(_) = self.token {
            let name = self.string()?;
            self.punct(b':')?;
            return Ok(DeclaredOutput { at, name: Some(name), variable: None, ty: self.tensor_type()? });
        }
        let word = self.ident("an output")?;
        if word == "update" && matches!(self.token, Token::Value(_)) {
            let variable = self.value_name()?;
            let mut name = None;
            if self.token == Token::Ident("as") {
                self.advance();
                name = Some(self.string()?);
            }
            self.punct(b':')?;
            return Ok(DeclaredOutput { at, name, variable: Some(variable), ty: self.tensor_type()? });
        }
        if self.eat(b':') {
            return Ok(DeclaredOutput { at, name: Some(word.into()), variable: None, ty: self.tensor_type()? });
        }
        let dtype = word.parse().map_err(|e: String| self.error_at(at, "text.syntax", e))?;
        Ok(DeclaredOutput { at, name: None, variable: None, ty: TensorType { dtype, shape: self.shape()? } })
    }

    fn statements(&mut self, func: &mut Func, scope: &mut Scope, late: &mut Late) -> Result<()> {
        loop {
            late.insert_due(func);
            match self.token {
                Token::Ident("return") => {
                    self.advance();
                    return Ok(());
                }
                Token::Value(_) => self.statement(func, scope)?,
                _ => return Err(self.expected("a statement such as `%0 = add %x, %y : f32[2]`, or `return`")),
            }
        }
    }

    /// `%0 = add %x, %y : f32[2] "name" loc("file":1:2)`
    fn statement(&mut self, func: &mut Func, scope: &mut Scope) -> Result<()> {
        let at = self.at;
        let label = self.value_name()?;
        let count: usize = if self.eat(b':') { self.unsigned("number of results")? } else { 1 };
        self.punct(b'=')?;
        let op_at = self.at;
        let op_name = self.ident("an operator")?;
        let literal_at = self.at;
        let literal = if op_name == "constant" { Some(self.literal()?) } else { None };
        let (operands, mut attrs) = self.operands_and_attributes(func, scope)?;
        self.punct(b':')?;
        let types = self.result_types()?;
        if types.len() != count {
            let text = format!("{count} results are named, {} types are given", types.len());
            return Err(self.error_at(at, "text.syntax", text));
        }
        if let Some(literal) = literal {
            let [ty] = types.as_slice() else {
                return Err(self.error_at(op_at, "text.syntax", "a constant has one result"));
            };
            attrs.literal = Some(self.tensor(literal_at, literal, ty)?);
        }
        attrs.types = types.clone();
        let op = build(op_name, &mut attrs).map_err(|e| self.error_at(op_at, "text.syntax", e))?;
        attrs.finish().map_err(|e| self.error_at(op_at, "text.syntax", e))?;
        let name = if let Token::Str(_) = self.token { Some(self.string()?.into()) } else { None };
        let loc = self.location()?;
        self.check_types(op_at, func, &op, &operands, &types)?;
        let id = func.push_raw(Node { op, operands, types, loc, name });
        if scope.insert(label.clone(), id).is_some() {
            return Err(self.error_at(at, "text.syntax", format!("`%{label}` is defined twice")));
        }
        Ok(())
    }

    /// Infers the types and compares them with the annotation, which stands in for them after an error.
    fn check_types(
        &mut self,
        at: usize,
        func: &Func,
        op: &Op,
        operands: &[Value],
        annotated: &SmallVec<[TensorType; 1]>,
    ) -> Result<()> {
        let tys: SmallVec<[&TensorType; 4]> = operands.iter().map(|v| func.ty(*v)).collect();
        let problem = match crate::infer::result_types(op, &tys) {
            Ok(types) if types == *annotated => return Ok(()),
            Ok(types) => {
                let list = |t: &[TensorType]| t.iter().map(TensorType::to_string).collect::<Vec<_>>().join(", ");
                Diagnostic::new("text.type", "the annotated type is not the operator's result").label(format!(
                    "gives {}, annotated {}",
                    list(&types),
                    list(annotated)
                ))
            }
            Err(d) => func.explain(d, op, operands),
        };
        let problem = self.place(at, problem);
        if self.errors.len() + 1 >= MAX_ERRORS {
            return Err(Box::new(problem));
        }
        self.errors.push(problem);
        Ok(())
    }

    pub(super) fn value(&mut self, func: &Func, scope: &Scope) -> Result<Value> {
        let at = self.at;
        let label = self.value_name()?;
        let Some(&node) = scope.get(&label) else {
            return Err(self.error_at(at, "text.syntax", format!("`%{label}` is not defined before its use")));
        };
        let result = if self.eat(b'#') { self.unsigned("result number")? } else { 0 };
        let count = func.nodes().get(node.index()).map_or(0, |n| n.types.len());
        if result as usize >= count {
            let text =
                if count == 0 { "is not computed before its use".into() } else { format!("has {count} results") };
            return Err(self.error_at(at, "text.syntax", format!("`%{label}` {text}")));
        }
        Ok(Value { node, result })
    }

    fn returns(&mut self, func: &mut Func, scope: &Scope, outputs: Vec<DeclaredOutput>) -> Result<()> {
        let at = self.at;
        let mut values = Vec::new();
        while !self.eat(b'}') {
            if !values.is_empty() {
                self.punct(b',')?;
            }
            values.push((self.at, self.value(func, scope)?));
        }
        if values.len() != outputs.len() {
            let text = format!("{} outputs are declared, {} returned", outputs.len(), values.len());
            return Err(self.error_at(at, "text.syntax", text));
        }
        for ((at, value), o) in values.into_iter().zip(outputs) {
            if *func.ty(value) != o.ty {
                let d = Diagnostic::new("text.type", "the output has another type").label(format!(
                    "declared {}, returned {}",
                    o.ty,
                    func.ty(value)
                ));
                return Err(Box::new(self.place(at, d)));
            }
            let (kind, name) = match o.variable {
                None => (OutputKind::Fetch, o.name.unwrap_or_default()),
                Some(v) => match func.inputs.iter().position(|i| i.name == v) {
                    Some(i) => (OutputKind::Update(i), o.name.unwrap_or(v)),
                    None => return Err(self.error_at(o.at, "text.syntax", format!("there is no input `%{v}`"))),
                },
            };
            func.outputs.push(Output { name, value, kind });
        }
        Ok(())
    }
}

/// Parameters that stand between other nodes (`at` in the signature), in the order of their places.
struct Late(Vec<(u32, NodeId)>);

impl Late {
    /// Declares the inputs; those without a place get their nodes now, in order.
    fn declare(func: &mut Func, inputs: Vec<(Input, Option<u32>)>) -> Late {
        let mut late = Vec::new();
        for (index, (input, place)) in inputs.into_iter().enumerate() {
            match place {
                None => Late::push(func, index as u32, &input),
                Some(place) => late.push((place, NodeId(index as u32))),
            }
            let node = NodeId(place.unwrap_or_else(|| func.nodes().len() as u32 - 1));
            func.inputs.push(Input { node, ..input });
        }
        // The last is the next, to be popped.
        late.sort_by(|a, b| b.cmp(a));
        Late(late)
    }

    fn push(func: &mut Func, index: u32, input: &Input) {
        func.push_raw(Node {
            op: Op::Parameter(index),
            operands: SmallVec::new(),
            types: smallvec![input.ty.clone()],
            loc: input.loc.clone(),
            name: Some(input.name.as_str().into()),
        });
    }

    /// Makes the parameters whose place has come.
    fn insert_due(&mut self, func: &mut Func) {
        while let Some((place, index)) = self.0.last().copied()
            && place as usize == func.nodes().len()
        {
            let input = func.inputs[index.index()].clone();
            Late::push(func, index.0, &input);
            self.0.pop();
        }
    }
}

/// An output as the signature declares it.
struct DeclaredOutput {
    at: usize,
    name: Option<String>,
    variable: Option<String>,
    ty: TensorType,
}
