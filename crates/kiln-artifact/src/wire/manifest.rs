//! The manifest: what goes in and out of the graph, and where its programs, code and values stand.

use super::codec::{Damage, Out, Rest, Wire, record};
use kiln_ir::{DType, Dim, Initializer, Shape};
use kiln_program::{CpuTarget, CudaTarget, Target};

record!(
    /// The manifest.
    Manifest<'f> {
        producer: &'f str,
        name: &'f str,
        inputs: Vec<PortRecord>,
        outputs: Vec<PortRecord>,
        variables: Vec<VariableRecord>,
        entries: Vec<EntryRecord<'f>>,
    }
);

record!(
    /// An input or output, with named dimensions.
    PortRecord { name: String, dtype: DType, shape: Shape }
);

record!(
    /// A variable with what it starts from.
    VariableRecord { name: String, dtype: DType, shape: Vec<usize>, init: Start }
);

record!(
    /// The graph for one target and one set of sizes.
    EntryRecord<'f> {
        // The minor version that a reader has to know to use the entry.
        minor: u32,
        target: TargetRecord,
        dims: Vec<BindingRecord<'f>>,
        // For each variable: whether a run writes it.
        updated: Vec<bool>,
        // Sections.
        program: u32,
        code: u32,
        constants: Vec<u32>,
    }
);

record!(
    /// The machine that code was made for.
    TargetRecord { kind: String, arch: String, features: Vec<String> }
);

impl TargetRecord {
    pub(crate) fn of(target: &Target) -> TargetRecord {
        match target {
            Target::Cpu(t) => {
                TargetRecord { kind: "cpu".to_owned(), arch: t.arch.clone(), features: t.features.clone() }
            }
            Target::Cuda(t) => TargetRecord {
                kind: "cuda".to_owned(),
                arch: format!("sm_{}{}", t.sm, if t.specific { "a" } else { "" }),
                features: vec![format!("ptx{}.{}", t.ptx.0, t.ptx.1)],
            },
        }
    }

    /// The target, if this version knows such ones.
    pub(crate) fn target(&self) -> Option<Target> {
        match self.kind.as_str() {
            "cpu" => Some(Target::Cpu(CpuTarget { arch: self.arch.clone(), features: self.features.clone() })),
            "cuda" => {
                let arch = self.arch.strip_prefix("sm_")?;
                let sm = arch.trim_end_matches('a').parse().ok()?;
                let (major, minor) = self.features.first()?.strip_prefix("ptx")?.split_once('.')?;
                let ptx = (major.parse().ok()?, minor.parse().ok()?);
                Some(Target::Cuda(CudaTarget { sm, specific: arch.ends_with('a'), ptx }))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for TargetRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} [{}]", self.kind, self.arch, self.features.join(", "))
    }
}

record!(
    /// The value of a named dimension.
    BindingRecord<'f> { name: &'f str, value: i64 }
);

record!(
    /// A symbol of a linear expression with its factor.
    TermRecord<'f> { symbol: &'f str, coefficient: i64 }
);

/// How a variable starts: from a blob, or by a recipe.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Start {
    /// The section of the value.
    Blob(u32),
    /// Never [`Initializer::Value`].
    Recipe(Initializer),
}

/// All starts have one form: the kind's name, two numbers, a seed, a section.
impl<'f> Wire<'f> for Start {
    fn put(&self, out: &mut Out) {
        let (kind, a, b, seed, section) = match *self {
            Start::Blob(section) => ("value", 0.0, 0.0, 0, section),
            Start::Recipe(Initializer::Zeros | Initializer::Value(_)) => ("zeros", 0.0, 0.0, 0, 0),
            Start::Recipe(Initializer::Constant(c)) => ("constant", c, 0.0, 0, 0),
            Start::Recipe(Initializer::Uniform { low, high, seed }) => ("uniform", low, high, seed, 0),
            Start::Recipe(Initializer::Normal { std, seed }) => ("normal", std, 0.0, seed, 0),
            Start::Recipe(Initializer::TruncatedNormal { std, seed }) => ("truncated_normal", std, 0.0, seed, 0),
        };
        out.record(|out| {
            kind.put(out);
            a.put(out);
            b.put(out);
            seed.put(out);
            section.put(out);
        });
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let mut fields = rest.record()?;
        let kind = <&str>::take(&mut fields)?;
        let (a, b) = (f64::take(&mut fields)?, f64::take(&mut fields)?);
        let (seed, section) = (u64::take(&mut fields)?, u32::take(&mut fields)?);
        Ok(Start::Recipe(match kind {
            "value" => return Ok(Start::Blob(section)),
            "zeros" => Initializer::Zeros,
            "constant" => Initializer::Constant(a),
            "uniform" => Initializer::Uniform { low: a, high: b, seed },
            "normal" => Initializer::Normal { std: a, seed },
            "truncated_normal" => Initializer::TruncatedNormal { std: a, seed },
            other => return Err(format!("there is no initial value {other:?}")),
        }))
    }
}

impl<'f> Wire<'f> for DType {
    fn put(&self, out: &mut Out) {
        self.name().put(out);
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let name = <&str>::take(rest)?;
        name.parse().map_err(|_| format!("there is no element type {name:?}"))
    }
}

/// Dimensions, outermost first.
impl<'f> Wire<'f> for Shape {
    fn put(&self, out: &mut Out) {
        self.to_vec().put(out);
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        Vec::<Dim>::take(rest).map(Shape::new)
    }
}

/// A constant and the terms of a linear expression.
impl<'f> Wire<'f> for Dim {
    fn put(&self, out: &mut Out) {
        let (constant, terms) = match self {
            Dim::Const(n) => (*n, Vec::new()),
            Dim::Expr(e) => {
                let term = |(symbol, coefficient): &(std::sync::Arc<str>, i64)| (symbol.to_string(), *coefficient);
                (e.constant(), e.terms().iter().map(term).collect::<Vec<_>>())
            }
        };
        out.record(|out| {
            constant.put(out);
            let terms = terms.iter().map(|(symbol, coefficient)| TermRecord { symbol, coefficient: *coefficient });
            terms.collect::<Vec<_>>().put(out);
        });
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let mut fields = rest.record()?;
        let (constant, terms) = (i64::take(&mut fields)?, Vec::<TermRecord>::take(&mut fields)?);
        Ok(Dim::from_terms(terms.into_iter().map(|t| (t.symbol.into(), t.coefficient)), constant))
    }
}
