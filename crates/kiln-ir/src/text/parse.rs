//! Parsing. Bounded in recursion and in memory, whatever the text.

use super::attrs::{Attr, Attrs, build};
use super::lex::{Lexer, Token};
use super::literal::{Raw, f64_value, parse_hex_bytes, push_element};
use crate::diag::{Diagnostic, Diagnostics};
use crate::dim::Dim;
use crate::dtype::DType;
use crate::func::{Func, Input, InputKind, Node, NodeId, Output, OutputKind, Value};
use crate::init::Initializer;
use crate::loc::Loc;
use crate::op::{Op, WindowDim};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;
use crate::verify::{MAX_DEPTH, verify};
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most dimensions of a tensor in text.
const MAX_RANK: usize = 64;
/// Most bytes that all `dense<x>` of one text may stand for: a few characters must not take all memory.
const MAX_SPLAT_BYTES: usize = 1 << 30;
/// After so many violated constraints the rest of the text is not read.
const MAX_ERRORS: usize = 50;

pub fn one(file: &str, text: &str) -> Result<Func, Diagnostics> {
    let mut p = Parser::new(file, text);
    let result = p.top().and_then(|f| match p.token {
        Token::Eof => Ok(f),
        _ => Err(p.expected("the end of the text")),
    });
    p.finish(result)
}

pub fn all(file: &str, text: &str) -> Result<Vec<Func>, Diagnostics> {
    let mut p = Parser::new(file, text);
    let mut funcs = Vec::new();
    while p.token != Token::Eof {
        let result = p.top();
        funcs.push(p.finish(result)?);
    }
    Ok(funcs)
}

type Result<T, E = Box<Diagnostic>> = std::result::Result<T, E>;

/// A literal as written, before its type is known.
enum Literal<'a> {
    /// `3.0` or `dense<3.0>`
    Splat(Raw<'a>),
    /// `dense<[[1, 2], [3, 4]]>` with its sizes.
    List(Vec<usize>, Vec<Raw<'a>>),
    /// `dense<"0x...">`
    Bytes(Vec<u8>),
}

struct Parser<'a> {
    file: Arc<str>,
    text: &'a str,
    lexer: Lexer<'a>,
    token: Token<'a>,
    /// Where `token` begins.
    at: usize,
    /// An error of the lexer, in place of `token`.
    broken: Option<String>,
    depth: usize,
    splat_bytes: usize,
    errors: Vec<Diagnostic>,
}

/// A nested list while it is read.
#[derive(Default)]
struct NestedList<'a> {
    /// Length of the lists at each depth, once one has ended.
    sizes: Vec<Option<usize>>,
    elements: Vec<Raw<'a>>,
    /// The depth at which numbers stand.
    leaf_depth: Option<usize>,
}

/// Values of one function by name.
type Scope = BTreeMap<String, NodeId>;

impl<'a> Parser<'a> {
    fn new(file: &str, text: &'a str) -> Parser<'a> {
        let mut p = Parser {
            file: file.into(),
            text,
            lexer: Lexer::new(text),
            token: Token::Eof,
            at: 0,
            broken: None,
            depth: 0,
            splat_bytes: 0,
            errors: Vec::new(),
        };
        p.advance();
        p
    }

    fn finish(&mut self, result: Result<Func>) -> Result<Func, Diagnostics> {
        let mut errors = std::mem::take(&mut self.errors);
        match result {
            Err(d) => {
                errors.push(*d);
                Err(Diagnostics(errors))
            }
            Ok(_) if !errors.is_empty() => Err(Diagnostics(errors)),
            Ok(func) => verify(&func).map(|()| func),
        }
    }

    // Tokens.

    fn advance(&mut self) -> Token<'a> {
        let (at, next) = self.lexer.next();
        self.at = at;
        self.broken = next.as_ref().err().cloned();
        std::mem::replace(&mut self.token, next.unwrap_or(Token::Eof))
    }

    /// An error at a byte of the text, with the line it is on.
    fn error_at(&self, at: usize, code: &str, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(self.place(at, Diagnostic::new(code, message)))
    }

    fn place(&self, at: usize, mut d: Diagnostic) -> Diagnostic {
        let before = &self.text[..at];
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = self.text[start..].lines().next().unwrap_or("");
        let row = before.matches('\n').count() + 1;
        let column = before[start..].chars().count() + 1;
        d.loc = Loc::new(self.file.clone(), row as u32, column as u32);
        // Long lines (constants) are cut to what stands around the place.
        let skip = (column - 1).saturating_sub(60);
        let shown: String = line.chars().skip(skip).take(120).collect();
        let caret = " ".repeat(column - 1 - skip);
        d.label = format!("{shown}\n{caret}^ {}", d.label);
        d
    }

    fn error(&self, message: impl Into<String>) -> Box<Diagnostic> {
        match &self.broken {
            Some(text) => self.error_at(self.at, "text.syntax", text.clone()),
            None => self.error_at(self.at, "text.syntax", message),
        }
    }

    fn expected(&self, what: &str) -> Box<Diagnostic> {
        self.error(format!("expected {what}, found {}", self.token.describe()))
    }

    fn is(&self, c: u8) -> bool {
        self.token == Token::Punct(c)
    }

    fn eat(&mut self, c: u8) -> bool {
        let found = self.is(c);
        if found {
            self.advance();
        }
        found
    }

    fn punct(&mut self, c: u8) -> Result<()> {
        if self.eat(c) { Ok(()) } else { Err(self.expected(&format!("`{}`", c as char))) }
    }

    fn ident(&mut self, what: &str) -> Result<&'a str> {
        match self.token {
            Token::Ident(s) => {
                self.advance();
                Ok(s)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn keyword(&mut self, word: &str) -> Result<()> {
        match self.token {
            Token::Ident(s) if s == word => {
                self.advance();
                Ok(())
            }
            _ => Err(self.expected(&format!("`{word}`"))),
        }
    }

    fn value_name(&mut self) -> Result<String> {
        match std::mem::replace(&mut self.token, Token::Eof) {
            Token::Value(s) => {
                self.advance();
                Ok(s)
            }
            other => {
                self.token = other;
                Err(self.expected("a value such as `%0`"))
            }
        }
    }

    fn string(&mut self) -> Result<String> {
        match std::mem::replace(&mut self.token, Token::Eof) {
            Token::Str(s) => {
                self.advance();
                Ok(s)
            }
            other => {
                self.token = other;
                Err(self.expected("a string"))
            }
        }
    }

    fn unsigned<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        match self.token {
            Token::Number(s) => match s.parse() {
                Ok(n) => {
                    self.advance();
                    Ok(n)
                }
                Err(_) => Err(self.error(format!("`{s}` is no {what}"))),
            },
            _ => Err(self.expected(&format!("a {what}"))),
        }
    }

    /// `open item, item, ... close`, after `open` has been read.
    fn separated<T>(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.punct(b',')?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    // Types.

    /// `2*seq+1`
    fn dim(&mut self) -> Result<Dim> {
        let mut sum = self.dim_term(false)?;
        while self.is(b'+') || self.is(b'-') {
            let negative = self.is(b'-');
            self.advance();
            let term = self.dim_term(negative)?;
            sum = sum.checked_add(&term).ok_or_else(|| self.error("the size overflows"))?;
        }
        Ok(sum)
    }

    fn dim_term(&mut self, mut negative: bool) -> Result<Dim> {
        if !negative && self.eat(b'-') {
            negative = true;
        }
        let factor: i64 = match self.token {
            Token::Number(s) => {
                // The sign belongs to the number, so that the smallest one can be written.
                let text = if negative { format!("-{s}") } else { s.to_string() };
                let n = text.parse().map_err(|_| self.error(format!("`{text}` is no whole number of 64 bits")))?;
                self.advance();
                if !self.eat(b'*') {
                    return Ok(Dim::Const(n));
                }
                n
            }
            _ => {
                if negative {
                    -1
                } else {
                    1
                }
            }
        };
        let name = self.ident("a size or the name of a dimension")?;
        Ok(Dim::from_terms([(Arc::from(name), factor)], 0))
    }

    fn shape(&mut self) -> Result<Shape> {
        self.punct(b'[')?;
        let dims = self.separated(b']', Self::dim)?;
        if dims.len() > MAX_RANK {
            return Err(self.error(format!("a tensor has at most {MAX_RANK} dimensions")));
        }
        Ok(Shape::new(dims))
    }

    fn tensor_type(&mut self) -> Result<TensorType> {
        let at = self.at;
        let name = self.ident("a type such as `f32[2, 3]`")?;
        let dtype: DType = name.parse().map_err(|e: String| self.error_at(at, "text.syntax", e))?;
        Ok(TensorType { dtype, shape: self.shape()? })
    }

    fn location(&mut self) -> Result<Loc> {
        if self.token != Token::Ident("loc") {
            return Ok(Loc::UNKNOWN);
        }
        self.advance();
        self.punct(b'(')?;
        let file = self.string()?;
        self.punct(b':')?;
        let line = self.unsigned("line")?;
        self.punct(b':')?;
        let column = self.unsigned("column")?;
        self.punct(b')')?;
        Ok(Loc::new(file, line, column))
    }

    // Literals.

    fn raw(&mut self) -> Result<Raw<'a>> {
        let negative = self.eat(b'-');
        match self.token {
            Token::Number(text) | Token::Ident(text) => {
                self.advance();
                Ok(Raw { negative, text })
            }
            _ => Err(self.expected("a number")),
        }
    }

    fn literal(&mut self) -> Result<Literal<'a>> {
        if self.token != Token::Ident("dense") {
            return self.raw().map(Literal::Splat);
        }
        self.advance();
        self.punct(b'<')?;
        let literal = match &self.token {
            Token::Str(_) => {
                let at = self.at;
                let text = self.string()?;
                Literal::Bytes(parse_hex_bytes(&text).map_err(|e| self.error_at(at, "text.syntax", e))?)
            }
            Token::Punct(b'[') => {
                let mut list = NestedList::default();
                self.nested_list(0, &mut list)?;
                Literal::List(list.sizes.into_iter().map(|n| n.unwrap_or(0)).collect(), list.elements)
            }
            Token::Ellipsis => {
                return Err(self.error("this constant was left out when the text was printed"));
            }
            _ => Literal::Splat(self.raw()?),
        };
        self.punct(b'>')?;
        Ok(literal)
    }

    /// `[[1, 2], [3, 4]]`: all lists of one depth have one length. Recursion is bounded by the rank.
    fn nested_list(&mut self, depth: usize, list: &mut NestedList<'a>) -> Result<()> {
        if depth >= MAX_RANK {
            return Err(self.error(format!("lists are nested more than {MAX_RANK} deep")));
        }
        if list.sizes.len() <= depth {
            list.sizes.push(None);
        }
        self.punct(b'[')?;
        let mut count = 0;
        while !self.is(b']') {
            if count > 0 {
                self.punct(b',')?;
            }
            if self.is(b'[') {
                self.nested_list(depth + 1, list)?;
            } else if *list.leaf_depth.get_or_insert(depth) == depth {
                let raw = self.raw()?;
                list.elements.push(raw);
            } else {
                return Err(self.error("numbers stand at different depths"));
            }
            count += 1;
        }
        if *list.sizes[depth].get_or_insert(count) != count {
            return Err(self.error("lists of one depth have different lengths"));
        }
        self.punct(b']')
    }

    /// The tensor of a literal, now that its type is known.
    fn tensor(&mut self, at: usize, literal: Literal<'a>, ty: &TensorType) -> Result<Tensor> {
        let fail = |p: &Self, text: String| p.error_at(at, "text.literal", text);
        let Some(sizes) = ty.shape.as_sizes() else {
            return Err(fail(self, format!("a constant cannot have type {ty}")));
        };
        let Some(bytes) = ty.num_bytes() else {
            return Err(fail(self, format!("a constant of type {ty} is too large")));
        };
        let count = bytes / ty.dtype.size();
        let data = match literal {
            Literal::Bytes(b) => b,
            Literal::Splat(raw) => {
                self.splat_bytes = self.splat_bytes.saturating_add(bytes);
                if self.splat_bytes > MAX_SPLAT_BYTES {
                    return Err(fail(self, format!("constants stand for more than {MAX_SPLAT_BYTES} bytes")));
                }
                let mut one = Vec::new();
                push_element(&mut one, ty.dtype, raw).map_err(|e| fail(self, e))?;
                one.repeat(count)
            }
            Literal::List(found, elements) => {
                let empty = elements.is_empty() && count == 0;
                if !empty && (found[..] != sizes[..] || elements.len() != count) {
                    return Err(fail(self, format!("the literal has shape {found:?}, the type is {ty}")));
                }
                let mut data = Vec::with_capacity(elements.len() * ty.dtype.size());
                for raw in elements {
                    push_element(&mut data, ty.dtype, raw).map_err(|e| fail(self, e))?;
                }
                data
            }
        };
        Tensor::from_bytes(ty.dtype, &sizes, &data).map_err(|e| fail(self, e.to_string()))
    }

    fn float(&mut self) -> Result<f64> {
        let at = self.at;
        let raw = self.raw()?;
        f64_value(raw).ok_or_else(|| self.error_at(at, "text.literal", format!("`{}` is no number", raw.text)))
    }

    // Functions.

    /// `func @name(...) -> (...) { ... }`
    fn top(&mut self) -> Result<Func> {
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
    fn function(&mut self, name: String) -> Result<Func> {
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
        let op = match literal {
            Some(literal) => match types.as_slice() {
                [ty] => Op::Constant(self.tensor(literal_at, literal, ty)?),
                _ => return Err(self.error_at(op_at, "text.syntax", "a constant has one result")),
            },
            None => build(op_name, &mut attrs, &types).map_err(|e| self.error_at(op_at, "text.syntax", e))?,
        };
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

    fn value(&mut self, func: &Func, scope: &Scope) -> Result<Value> {
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

    /// Operands, then attributes, separated by commas, up to the `:` before the types.
    fn operands_and_attributes(&mut self, func: &Func, scope: &Scope) -> Result<(SmallVec<[Value; 3]>, Attrs)> {
        let (mut operands, mut attrs, mut first) = (SmallVec::new(), Attrs::default(), true);
        while !self.is(b':') {
            if !first {
                self.punct(b',')?;
            }
            first = false;
            if let Token::Value(_) = self.token {
                operands.push(self.value(func, scope)?);
                continue;
            }
            let at = self.at;
            let key = self.ident("a value or an attribute")?;
            let value = if self.eat(b'=') { self.attribute()? } else { Attr::Flag };
            attrs.insert(key, value).map_err(|e| self.error_at(at, "text.syntax", e))?;
        }
        Ok((operands, attrs))
    }

    fn attribute(&mut self) -> Result<Attr> {
        match self.token {
            Token::Punct(b'(') | Token::At(_) => self.region().map(Attr::Func),
            Token::Str(_) => self.string().map(Attr::Str),
            Token::Punct(b'[') => {
                self.advance();
                match self.token {
                    Token::Punct(b'{') => self.separated(b']', Self::window).map(Attr::Windows),
                    Token::Punct(b'(') | Token::At(_) => self.separated(b']', Self::region).map(Attr::Funcs),
                    _ => self.lists(),
                }
            }
            _ => self.dim().map(Attr::Scalar),
        }
    }

    fn region(&mut self) -> Result<Func> {
        match std::mem::replace(&mut self.token, Token::Eof) {
            Token::At(name) => {
                self.advance();
                self.function(name)
            }
            other => {
                self.token = other;
                self.function(String::new())
            }
        }
    }

    /// Lists of sizes or of bounds, after the first `[`.
    fn lists(&mut self) -> Result<Attr> {
        let first = self.separated(b']', Self::bound)?;
        if first.iter().any(|(_, rest)| rest.is_some()) {
            let whole = first.into_iter().map(|(start, rest)| rest.map(|(limit, stride)| (start, limit, stride)));
            let bounds: Option<Vec<_>> = whole.collect();
            return bounds.map(Attr::Bounds).ok_or_else(|| self.error("expected `start:limit` for every dimension"));
        }
        let mut lists = vec![first.into_iter().map(|(d, _)| d).collect()];
        if self.token == Token::Ident("x") {
            self.advance();
            lists.push(self.dims()?);
            if self.token == Token::Arrow {
                self.advance();
                lists.push(self.dims()?);
            }
        }
        Ok(Attr::Lists(lists))
    }

    fn dims(&mut self) -> Result<Vec<Dim>> {
        self.punct(b'[')?;
        self.separated(b']', Self::dim)
    }

    /// `size`, `start:limit` or `start:limit:stride`
    fn bound(&mut self) -> Result<(Dim, Option<(Dim, i64)>)> {
        let start = self.dim()?;
        if !self.eat(b':') {
            return Ok((start, None));
        }
        let limit = self.dim()?;
        let stride = if self.eat(b':') { self.int()? } else { 1 };
        Ok((start, Some((limit, stride))))
    }

    fn int(&mut self) -> Result<i64> {
        match self.dim()? {
            Dim::Const(n) => Ok(n),
            d @ Dim::Expr(_) => Err(self.error(format!("expected a number, found `{d}`"))),
        }
    }

    /// `{size = 3, stride = 2, pad = [1, 1], base_dilation = 1, window_dilation = 1, reversed}`
    fn window(&mut self) -> Result<WindowDim> {
        self.punct(b'{')?;
        let mut w = WindowDim::TRIVIAL;
        self.separated(b'}', |p| {
            let at = p.at;
            let key = p.ident("an entry of a window")?;
            if key == "reversed" {
                w.reversed = true;
                return Ok(());
            }
            p.punct(b'=')?;
            if key == "pad" {
                p.punct(b'[')?;
                w.pad_low = p.int()?;
                p.punct(b',')?;
                w.pad_high = p.int()?;
                return p.punct(b']');
            }
            let slot = match key {
                "size" => &mut w.size,
                "stride" => &mut w.stride,
                "base_dilation" => &mut w.base_dilation,
                "window_dilation" => &mut w.window_dilation,
                other => return Err(p.error_at(at, "text.syntax", format!("windows have no `{other}`"))),
            };
            *slot = p.int()?;
            Ok(())
        })?;
        Ok(w)
    }

    /// `f32[2]` or `(f32[2], i32[])`
    fn result_types(&mut self) -> Result<SmallVec<[TensorType; 1]>> {
        if self.eat(b'(') {
            return self.separated(b')', Self::tensor_type).map(SmallVec::from_vec);
        }
        self.tensor_type().map(|t| smallvec![t])
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
