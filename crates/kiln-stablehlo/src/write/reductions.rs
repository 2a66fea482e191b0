//! Reductions, and sorting: operators whose regions combine scalars.

use super::elementwise::names;
use super::emit::{Scope, Val, Writer, Written};
use super::types::{arrow, join, tensor};
use kiln_ir::op::{ArgKind, CompareDirection, Reducer};
use kiln_ir::{DType, Func, Node, Op, Shape, Tensor, TensorType, Value};

/// A value of the surroundings that a region uses.
pub(super) enum Capture<'f> {
    /// Written again inside the region.
    Literal(&'f Tensor),
    /// Comes as a further operand.
    Operand(Val),
}

impl Capture<'_> {
    /// The further operand, if it is one.
    pub(super) fn operand(&self) -> Option<&Val> {
        match self {
            Capture::Literal(_) => None,
            Capture::Operand(v) => Some(v),
        }
    }
}

/// The type that a fold of this type runs in: sums and products of narrow floats are rounded once, at the end.
pub(super) fn accumulator(dtype: DType, reducer: Reducer) -> DType {
    match reducer {
        Reducer::Add | Reducer::Multiply => dtype.compute_type(),
        Reducer::Minimum | Reducer::Maximum | Reducer::And | Reducer::Or | Reducer::Xor => dtype,
    }
}

/// A scalar of this value; none when the type has no such value.
pub(super) fn number(dtype: DType, value: f64) -> Option<Tensor> {
    kiln_interp::eval_op(&Op::Convert(dtype), &[Tensor::scalar(value)]).ok()?.into_iter().next()
}

/// True when combining with `x` once or several times is the same.
pub(super) fn harmless(x: Option<&Tensor>, dtype: DType, reducer: Reducer) -> bool {
    let is = |value: f64| x.is_some_and(|x| number(dtype, value).is_some_and(|n| n == *x));
    match reducer {
        Reducer::Minimum | Reducer::Maximum | Reducer::And | Reducer::Or => true,
        Reducer::Add | Reducer::Multiply if dtype == DType::Bool => true,
        Reducer::Add => is(0.0) || dtype.is_float() && is(-0.0),
        Reducer::Xor => is(0.0),
        Reducer::Multiply => is(1.0),
    }
}

impl Writer<'_> {
    /// True for operands that the operator writes itself (in another type, or inside its region) when they are literals.
    pub(super) fn writes_itself(node: &Node, operand: usize) -> bool {
        match &node.op {
            Op::Reduce { reducer, .. } | Op::ReduceWindow { reducer, .. } => {
                let dtype = node.types[0].dtype;
                operand == 1 && accumulator(dtype, *reducer) != dtype
            }
            Op::GenericReduce { body, .. } | Op::GenericReduceWindow { body, .. } => operand >= 2 * body.outputs.len(),
            Op::GenericScatter { body, .. } => operand > 2 * body.outputs.len(),
            Op::Sort { .. } => operand >= node.types.len(),
            _ => false,
        }
    }

    /// An initial value in the type of the fold. What is no identity becomes the identity, with the value to combine at the end.
    pub(super) fn init(
        &mut self,
        scope: &Scope<'_>,
        (value, x): (Value, &Val),
        dtype: DType,
        reducer: Reducer,
    ) -> (Val, Option<Val>) {
        let literal = scope.literal(value);
        let init = match literal.filter(|_| x.name.is_empty()) {
            Some(t) => {
                let wide = kiln_interp::eval_op(&Op::Convert(dtype), std::slice::from_ref(t)).unwrap_or_default();
                let wide = wide.into_iter().next().unwrap_or_else(|| t.clone());
                self.helper_constant(&wide)
            }
            None => self.convert(x, dtype),
        };
        if harmless(literal, x.ty.dtype, reducer) {
            return (init, None);
        }
        let neutral = if reducer == Reducer::Multiply { 1.0 } else { 0.0 };
        match number(dtype, neutral) {
            Some(t) => (self.helper_constant(&t), Some(init)),
            None => (init, None),
        }
    }

    /// The result of a fold that ran in another type or without its initial value.
    pub(super) fn finish(&mut self, node: &Node, folded: Val, rest: Option<Val>, reducer: Reducer) -> Vec<Val> {
        let ty = &node.types[0];
        let converted = folded.ty.dtype != ty.dtype;
        let combined = match rest {
            None => folded,
            Some(init) => {
                let init = self.splat(&init, &ty.shape);
                if !converted {
                    let text = format!("stablehlo.{} {}, {} : {}", reducer.name(), folded.name, init.name, tensor(ty));
                    return self.result(ty, &text);
                }
                self.binary(reducer.name(), &folded, &init)
            }
        };
        if !converted {
            return vec![combined];
        }
        let types = arrow(&[&combined], std::slice::from_ref(ty));
        self.result(ty, &format!("stablehlo.convert {} : {types}", combined.name))
    }

    pub(super) fn reduce(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        x: &[Val],
        axes: &[usize],
        reducer: Reducer,
    ) -> Written<Vec<Val>> {
        let dtype = accumulator(x[0].ty.dtype, reducer);
        let operand = self.convert(&x[0], dtype);
        let (init, rest) = self.init(scope, (node.operands[1], &x[1]), dtype, reducer);
        let ty = node.types[0].with_dtype(dtype);
        let text = format!(
            "stablehlo.reduce({} init: {}) applies stablehlo.{} across dimensions = [{}] : {}",
            operand.name,
            init.name,
            reducer.name(),
            join(axes),
            arrow(&[&operand, &init], std::slice::from_ref(&ty))
        );
        if ty == node.types[0] && rest.is_none() {
            return Ok(self.result(&ty, &text));
        }
        let folded = self.step(&ty, &text);
        Ok(self.finish(node, folded, rest, reducer))
    }

    /// `stablehlo.reduce` with a body: operands, initial values, and what the body makes of accumulators and elements.
    fn reduce_with(
        &mut self,
        types: &[TensorType],
        (x, init): (&[Val], &[Val]),
        axes: &[usize],
        arg_names: &[(String, String)],
        body: impl FnOnce(&mut Self, &[Val], &[Val]) -> Written<Vec<Val>>,
    ) -> Written<Vec<Val>> {
        let reserved = self.reserve(types);
        let pairs = x.iter().zip(init).map(|(x, i)| format!("({} init: {})", x.name, i.name));
        let operands: Vec<&Val> = x.iter().chain(init).collect();
        let head = format!(
            "stablehlo.reduce{} across dimensions = [{}] : {}",
            join(pairs),
            join(axes),
            arrow(&operands, types)
        );
        let mut argument = |name: &String, like: &Val| self.argument(name, TensorType::scalar(like.ty.dtype));
        let acc: Vec<Val> = init.iter().zip(arg_names).map(|(i, (name, _))| argument(name, i)).collect();
        let elem: Vec<Val> = init.iter().zip(arg_names).map(|(i, (_, name))| argument(name, i)).collect();
        let params = acc.iter().zip(&elem).map(|(a, e)| {
            let ty = tensor(&a.ty);
            format!("({}: {ty}, {}: {ty})", a.name, e.name)
        });
        let params = params.collect::<Vec<_>>().join(" ");
        let (content, close) = self.indented(|w| body(w, &acc, &elem))?;
        let indent = &close[..close.len() - 1];
        Ok(self.define(reserved, &format!("{head}\n{indent} reducer{params} {{\n{content}{close}")))
    }

    pub(super) fn arg_reduce(&mut self, node: &Node, x: &Val, axis: usize, kind: ArgKind) -> Written<Vec<Val>> {
        use CompareDirection::{EQ, GT, LT, NE};
        // Targets know few operators on floats of at most 8 bits; f32 holds all their values.
        let x = if x.ty.dtype.mini_format().is_some() { self.convert(x, DType::F32) } else { x.clone() };
        let (dtype, index) = (x.ty.dtype, node.types[0].dtype);
        let worst = self.helper_constant(&extreme(dtype, kind == ArgKind::Min));
        let Some(zero) = number(index, 0.0) else {
            return self.unsupported(node, format!("positions of type {index}"));
        };
        let zero = self.helper_constant(&zero);
        let positions = self.iota(&x.ty.with_dtype(index), axis);
        let types = [node.types[0].with_dtype(dtype), node.types[0].clone()];
        let better = if kind == ArgKind::Max { GT } else { LT };
        let arg_names = [("v", "w"), ("i", "j")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        // The reducer that JAX writes for argmax.
        let results =
            self.reduce_with(&types, (&[x, positions], &[worst, zero]), &[axis], &arg_names, |w, acc, elem| {
                let ahead = w.compare(better, &acc[0], &elem[0]);
                let nan = w.compare(NE, &acc[0], &acc[0]);
                let ahead = w.binary("or", &ahead, &nan);
                let equal = w.compare(EQ, &acc[0], &elem[0]);
                let first = w.compare(LT, &acc[1], &elem[1]);
                let tie = w.binary("and", &equal, &first);
                let keep = w.binary("or", &ahead, &tie);
                Ok(vec![w.select(&ahead, &acc[0], &elem[0]), w.select(&keep, &acc[1], &elem[1])])
            })?;
        Ok(results[1..].to_vec())
    }

    /// What the region of a node captures: the operands from `first` on.
    pub(super) fn captures<'f>(&self, scope: &Scope<'f>, node: &Node, x: &[Val], first: usize) -> Vec<Capture<'f>> {
        let capture = |(value, x): (&Value, &Val)| match scope.literal(*value) {
            Some(t) => Capture::Literal(t),
            None => Capture::Operand(x.clone()),
        };
        node.operands.iter().zip(x).skip(first).map(capture).collect()
    }

    /// The last parameters of a region's function: literals written here, others as they arrived.
    pub(super) fn captured(&mut self, captures: &[Capture<'_>], arrived: &[Val]) -> Vec<Val> {
        let mut arrived = arrived.iter();
        let mut values = Vec::with_capacity(captures.len());
        for c in captures {
            match c {
                Capture::Literal(t) => values.push(self.helper_constant(t)),
                Capture::Operand(_) => values.extend(arrived.next().cloned()),
            }
        }
        values
    }

    /// The captured operands, spread over a shape.
    pub(super) fn spread(&mut self, captures: &[Capture<'_>], shape: &Shape) -> Vec<Val> {
        captures.iter().filter_map(Capture::operand).map(|v| self.splat(v, shape)).collect()
    }

    pub(super) fn generic_reduce(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        x: &[Val],
        axes: &[usize],
        body: &Func,
    ) -> Written<Vec<Val>> {
        let n = node.types.len();
        let captures = self.captures(scope, node, x, 2 * n);
        let (mut operands, mut init) = (x[..n].to_vec(), x[n..2 * n].to_vec());
        operands.extend(self.spread(&captures, &x[0].ty.shape));
        init.extend(captures.iter().filter_map(Capture::operand).cloned());
        let extra = init[n..].iter().map(|v| node.types[0].with_dtype(v.ty.dtype));
        let types: Vec<TensorType> = node.types.iter().cloned().chain(extra).collect();
        let arg_names = pair_names(body, n, init.len());
        let mut results = self.reduce_with(&types, (&operands, &init), axes, &arg_names, |w, acc, elem| {
            let captured = w.captured(&captures, &acc[n..]);
            let args = [&acc[..n], &elem[..n], &captured].concat();
            Ok([w.body(body, args)?, acc[n..].to_vec()].concat())
        })?;
        results.truncate(n);
        Ok(results)
    }

    pub(super) fn sort(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        x: &[Val],
        (dim, stable): (usize, bool),
        comparator: &Func,
    ) -> Written<Vec<Val>> {
        let n = node.types.len();
        let captures = self.captures(scope, node, x, n);
        let mut operands = x[..n].to_vec();
        operands.extend(self.spread(&captures, &x[0].ty.shape));
        let types: Vec<TensorType> = operands.iter().map(|v| v.ty.clone()).collect();
        let reserved = self.reserve(&types);
        let name = |i: usize| comparator.inputs.get(i).map_or("arg", |input| input.name.as_str());
        let mut args = Vec::with_capacity(2 * types.len());
        for (i, ty) in types.iter().enumerate() {
            for side in 0..2 {
                let hint = if i < n { name(2 * i + side) } else { "captured" };
                args.push(self.argument(hint, TensorType::scalar(ty.dtype)));
            }
        }
        let region = self.region(&args, |w| {
            let arrived: Vec<Val> = args[2 * n..].iter().step_by(2).cloned().collect();
            let captured = w.captured(&captures, &arrived);
            w.body(comparator, [&args[..2 * n], &captured].concat())
        })?;
        let properties = format!("dimension = {dim} : i64, is_stable = {stable}");
        let mut results = self.generic(reserved, "sort", &operands.iter().collect::<Vec<_>>(), &properties, &[region]);
        results.truncate(n);
        Ok(results)
    }

    /// A region that applies one operator to its two arguments.
    pub(super) fn combiner(&mut self, dtype: DType, reducer: Reducer) -> Written<String> {
        let scalar = TensorType::scalar(dtype);
        let args = [self.argument("a", scalar.clone()), self.argument("b", scalar)];
        self.region(&args, |w| Ok(vec![w.binary(reducer.name(), &args[0], &args[1])]))
    }
}

/// Names for accumulators and elements: those of the body, and `captured`.
pub(super) fn pair_names(body: &Func, n: usize, total: usize) -> Vec<(String, String)> {
    let name = |i: usize| body.inputs.get(i).map_or_else(|| "arg".to_owned(), |input| input.name.clone());
    let pair = |i: usize| match i < n {
        true => (name(i), name(n + i)),
        false => ("captured".to_owned(), "captured".to_owned()),
    };
    (0..total).map(pair).collect()
}

/// The largest or smallest value of a type as a scalar; infinities for floats.
fn extreme(dtype: DType, largest: bool) -> Tensor {
    let bits = dtype.bits();
    let integer: i128 = match (dtype.is_signed_int(), largest) {
        (true, true) => (1i128 << (bits - 1)) - 1,
        (true, false) => -(1i128 << (bits - 1)),
        (false, true) => (1i128 << bits) - 1,
        (false, false) => 0,
    };
    let infinity = if largest { f64::INFINITY } else { f64::NEG_INFINITY };
    match number(dtype, infinity) {
        Some(t) if dtype.is_float() => t,
        _ => Tensor::from_bytes(dtype, [], &integer.to_le_bytes()[..dtype.size()]).expect("an element of the type"),
    }
}

/// Operands and initial values of a fold over windows in one list.
pub(super) fn chained<'a>(x: &'a [Val], init: &'a [Val]) -> Vec<&'a Val> {
    debug_assert_eq!(x.len(), init.len(), "{} operands", names(x));
    x.iter().chain(init).collect()
}
