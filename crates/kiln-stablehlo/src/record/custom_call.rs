//! Custom calls: by handlers that the caller registers, and the few that every program from JAX may hold.

use super::{Builder, Built, Scope, Slot};
use crate::ast::{Attr, Operation};
use crate::error::Error;
use kiln_builder::{Expr, Graph, Shape};
use kiln_ir::DType;
use std::collections::BTreeMap;
use std::fmt;

/// What a handler of a custom call is given.
#[derive(Debug)]
pub struct CustomCall<'a> {
    /// The target, without `@`.
    pub target: &'a str,
    /// All attributes: `backend_config`, `api_version` ...
    pub attrs: &'a BTreeMap<String, Attr>,
    /// The operands.
    pub operands: &'a [Expr],
    /// Element types and shapes that the results must have.
    pub results: &'a [(DType, Shape)],
    /// Where to record.
    pub graph: &'a Graph,
}

/// Records what a custom call means; the text of an error says what the call asked for that the handler cannot do.
pub type Handler = Box<dyn Fn(&CustomCall) -> Result<Vec<Expr>, String>>;

/// How programs become graphs.
#[derive(Default)]
pub struct BuildOptions {
    handlers: BTreeMap<String, Handler>,
}

impl fmt::Debug for BuildOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildOptions").field("custom calls", &self.handlers.keys().collect::<Vec<_>>()).finish()
    }
}

impl BuildOptions {
    /// Nothing registered.
    pub fn new() -> BuildOptions {
        BuildOptions::default()
    }

    /// Records calls of `@target` by this handler.
    ///
    /// ```
    /// use kiln_stablehlo::{BuildOptions, build_with, read_text};
    /// let options = BuildOptions::new().custom_call("my_swish", |call| match call.operands {
    ///     [x] => Ok(vec![x * x.sigmoid()]),
    ///     _ => Err("one operand is needed".into()),
    /// });
    /// let module = read_text(
    ///     "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
    ///        %0 = stablehlo.custom_call @my_swish(%x) : (tensor<2xf32>) -> tensor<2xf32>
    ///        return %0 : tensor<2xf32>
    ///      }",
    ///     "example.mlir",
    /// )?;
    /// assert_eq!(build_with(&module, "main", &options)?.results, 1);
    /// # Ok::<(), kiln_stablehlo::Error>(())
    /// ```
    #[must_use]
    pub fn custom_call(
        mut self,
        target: impl Into<String>,
        handler: impl Fn(&CustomCall) -> Result<Vec<Expr>, String> + 'static,
    ) -> BuildOptions {
        self.handlers.insert(target.into(), Box::new(handler));
        self
    }
}

/// Annotations for several devices or memories; for one device they hand their operands through.
const IDENTITIES: [&str; 7] = [
    "Sharding",
    "SPMDFullToShardShape",
    "SPMDShardToFullShape",
    "LayoutConstraint",
    "annotate_device_placement",
    "xla.sdy.FuncResultSharding",
    "local_xla.sdy.FuncResultSharding",
];

impl Builder<'_> {
    pub(super) fn custom_call(&mut self, op: &Operation, x: Vec<Expr>, scope: &Scope) -> Built<Vec<Slot>> {
        let target = op.attrs.get("call_target_name").and_then(Attr::as_str).unwrap_or_default();
        if let Some(handler) = self.options.handlers.get(target) {
            let results = (0..op.result_types.len()).map(|i| self.result_type(op, i)).collect::<Built<Vec<_>>>()?;
            let call = CustomCall { target, attrs: &op.attrs, operands: &x, results: &results, graph: &self.graph };
            let made = handler(&call).or_else(|why| self.unsupported(op, format!("@{target}: {why}")))?;
            return self.checked_results(op, target, made, &results);
        }
        if target.starts_with("check.") {
            self.check(op, &x)?;
            return Ok(Vec::new());
        }
        if IDENTITIES.contains(&target) && x.len() == op.result_types.len() {
            return Ok(x.into_iter().map(Slot::One).collect());
        }
        if target == "ApproxTopK" {
            return self.approx_top_k(op, &x, scope);
        }
        // How operators of `chlo` were stored before StableHLO had composites for them.
        if let Some(short) = target.strip_prefix("mhlo.").or(target.strip_prefix("chlo.")) {
            let short = if short == "topk" { "top_k" } else { short };
            let mut plain = op.clone();
            plain.name = format!("chlo.{short}");
            if let Some(Attr::Dict(attrs)) = op.attrs.get("mhlo.attributes") {
                plain.attrs.extend(attrs.clone());
            }
            let results = self.compute(&plain, &x, scope)?;
            return Ok(results.into_iter().map(Slot::One).collect());
        }
        self.unsupported(op, format!("call of @{target}: no handler is registered for it"))
    }

    /// What `jax.lax.approx_max_k` becomes: the first elements in the order of a comparator; exact here.
    fn approx_top_k(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Slot>> {
        let field = |name: &str| match op.attrs.get("mhlo.backend_config") {
            Some(Attr::Dict(config)) => config.get(name).and_then(Attr::as_int),
            _ => None,
        };
        let comparator = match op.attrs.get("called_computations") {
            Some(Attr::List(list)) => list.first().and_then(Attr::as_str),
            _ => None,
        };
        let module = self.module;
        let function = module.functions.iter().find(|f| Some(f.name.as_str()) == comparator);
        let (Some(function), Some(dim)) = (function, field("reduction_dim")) else {
            return self.malformed(op, "the comparator or the dimension is missing");
        };
        let n = x.len() / 2;
        let Some(first) = x.first().filter(|e| (0..e.rank() as i64).contains(&dim)) else {
            return self.malformed(op, "no such dimension");
        };
        let (length, kept) = (self.sizes(op, first)?, self.result_type(op, 0)?.1);
        let kept = kept.get(dim as usize).and_then(|d| d.as_const()).unwrap_or(0);
        if function.body.args.len() != 2 * n || kept > length[dim as usize] {
            return self.malformed(op, "the comparator or the results do not fit the operands");
        }
        let (graph, operands) = (self.graph.clone(), x[..n].iter().collect::<Vec<_>>());
        let sorted = self.with_region(&function.body, scope, 1, |apply| {
            graph.sort_by(&operands, dim, |a, b| {
                let pairs: Vec<Expr> = a.iter().zip(b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
                apply(&pairs, &[]).swap_remove(0)
            })
        })?;
        Ok(sorted.iter().map(|e| Slot::One(e.slice_axis(dim, 0..kept, 1))).collect())
    }

    /// What a handler gave, if it is what the program says.
    fn checked_results(
        &self,
        op: &Operation,
        target: &str,
        made: Vec<Expr>,
        wanted: &[(DType, Shape)],
    ) -> Built<Vec<Slot>> {
        if made.iter().any(Expr::is_poisoned) {
            return Err(Error::Graph(self.graph.diagnostics()));
        }
        let fits = made.len() == wanted.len()
            && made.iter().zip(wanted).all(|(e, (dtype, shape))| e.dtype() == *dtype && e.shape() == *shape);
        if !fits {
            let list = |types: Vec<String>| types.join(", ");
            let found = list(made.iter().map(|e| e.ty().to_string()).collect());
            let expected = list(wanted.iter().map(|(d, s)| format!("{d}{s}")).collect());
            return self.malformed(op, format!("the handler of @{target} gives ({found}), expected ({expected})"));
        }
        Ok(made.into_iter().map(Slot::One).collect())
    }
}
