//! Attributes: `key = value` in any order, and the operators made of them.

use crate::dim::Dim;
use crate::dtype::DType;
use crate::func::Func;
use crate::op::{
    ArgKind, Axes, CompareDirection, ConvDims, DotDims, FftKind, GatherDims, Ints, Op, Reducer, RngAlgorithm,
    ScatterDims, ScatterUpdate, TransposeKind, Window, WindowDim,
};
use crate::op::{BinaryOp, UnaryOp};
use crate::shape::{Shape, TensorType};
use smallvec::SmallVec;

/// A value as written; its form says what it is.
#[derive(Debug)]
pub enum Attr {
    /// `[1, 2*n+1]`, `[..] x [..]`, `[..] x [..] -> [..]`
    Lists(Vec<Vec<Dim>>),
    /// `[0:4, 1:n:2]`
    Bounds(Vec<(Dim, Dim, i64)>),
    /// `[{size = 3}, {}]`
    Windows(Vec<WindowDim>),
    /// A number, or a word: `3`, `GE`, `add`.
    Scalar(Dim),
    /// `"gelu"`
    Str(String),
    /// A nested function.
    Func(Func),
    /// `[f, g]`: nested functions.
    Funcs(Vec<Func>),
    /// A key without a value.
    Flag,
}

/// What was written after the operands of one operator.
#[derive(Default)]
pub struct Attrs {
    entries: Vec<(String, Attr)>,
}

type Result<T> = std::result::Result<T, String>;

impl Attrs {
    /// Adds an entry.
    pub fn insert(&mut self, key: &str, value: Attr) -> Result<()> {
        if self.entries.iter().any(|(k, _)| k == key) {
            return Err(format!("`{key}` is given twice"));
        }
        self.entries.push((key.to_string(), value));
        Ok(())
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every entry has been used.
    pub fn finish(&self) -> Result<()> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!("unknown attribute `{key}`")),
        }
    }

    fn optional(&mut self, key: &str) -> Option<Attr> {
        let at = self.entries.iter().position(|(k, _)| k == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    fn take(&mut self, key: &str) -> Result<Attr> {
        self.optional(key).ok_or_else(|| format!("the attribute `{key}` is missing"))
    }

    fn lists<const N: usize>(&mut self, key: &str) -> Result<[Vec<Dim>; N]> {
        match self.take(key)? {
            Attr::Lists(l) => l.try_into().map_err(|_| format!("`{key}` takes {N} list(s)")),
            // `[]` may be empty bounds or windows as well.
            other => Err(format!("`{key}` takes a list, found {}", other.kind())),
        }
    }

    fn dims(&mut self, key: &str) -> Result<Vec<Dim>> {
        self.lists::<1>(key).map(|[l]| l)
    }

    fn axes(&mut self, key: &str) -> Result<Axes> {
        axes(key, self.dims(key)?)
    }

    fn axes_or_empty(&mut self, key: &str) -> Result<Axes> {
        if self.entries.iter().any(|(k, _)| k == key) { self.axes(key) } else { Ok(Axes::new()) }
    }

    fn axes_pair(&mut self, key: &str) -> Result<[Axes; 2]> {
        let [a, b] = self.lists::<2>(key)?;
        Ok([axes(key, a)?, axes(key, b)?])
    }

    fn ints(&mut self, key: &str) -> Result<Ints> {
        self.dims(key)?.into_iter().map(|d| d.as_const().ok_or(format!("`{key}` takes numbers, found {d}"))).collect()
    }

    fn index(&mut self, key: &str) -> Result<usize> {
        match self.take(key)? {
            Attr::Scalar(d) => index(key, &d),
            other => Err(format!("`{key}` takes a number, found {}", other.kind())),
        }
    }

    fn index_or(&mut self, key: &str, default: usize) -> Result<usize> {
        if self.entries.iter().any(|(k, _)| k == key) { self.index(key) } else { Ok(default) }
    }

    fn word(&mut self, key: &str) -> Result<String> {
        match self.take(key)? {
            Attr::Scalar(d) if d.as_symbol().is_some() => Ok(d.to_string()),
            other => Err(format!("`{key}` takes a word, found {}", other.kind())),
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool> {
        match self.optional(key) {
            None => Ok(false),
            Some(Attr::Flag) => Ok(true),
            Some(other) => Err(format!("`{key}` takes no value, found {}", other.kind())),
        }
    }

    fn func(&mut self, key: &str) -> Result<Box<Func>> {
        match self.take(key)? {
            Attr::Func(f) => Ok(Box::new(f)),
            other => Err(format!("`{key}` takes a function, found {}", other.kind())),
        }
    }

    fn windows(&mut self, key: &str) -> Result<SmallVec<[WindowDim; 4]>> {
        match self.take(key)? {
            Attr::Windows(w) => Ok(w.into()),
            Attr::Lists(l) if l.len() == 1 && l[0].is_empty() => Ok(SmallVec::new()),
            other => Err(format!("`{key}` takes windows, found {}", other.kind())),
        }
    }

    fn bounds(&mut self, key: &str) -> Result<Vec<(Dim, Dim, i64)>> {
        match self.take(key)? {
            Attr::Bounds(b) => Ok(b),
            Attr::Lists(l) if l.len() == 1 && l[0].is_empty() => Ok(Vec::new()),
            other => Err(format!("`{key}` takes bounds, found {}", other.kind())),
        }
    }

    fn bits(&mut self, key: &str) -> Result<u32> {
        let n = self.index(key)?;
        u32::try_from(n).map_err(|_| format!("`{key}` is too large"))
    }

    /// The one that has the name given.
    fn one_of<T: Copy>(&mut self, key: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T> {
        let word = self.word(key)?;
        all.iter().copied().find(|t| name(*t) == word).ok_or_else(|| format!("unknown {key} `{word}`"))
    }

    fn reducer(&mut self, key: &str) -> Result<Reducer> {
        reducer(&self.word(key)?)
    }

    fn direction(&mut self, key: &str) -> Result<CompareDirection> {
        use CompareDirection::{EQ, GE, GT, LE, LT, NE};
        let word = self.word(key)?;
        let all = [EQ, NE, GE, GT, LE, LT];
        all.into_iter().find(|d| format!("{d:?}") == word).ok_or_else(|| format!("unknown direction `{word}`"))
    }
}

impl Attr {
    fn kind(&self) -> &'static str {
        match self {
            Attr::Lists(l) if l.len() == 1 => "a list",
            Attr::Lists(_) => "several lists",
            Attr::Bounds(_) => "bounds",
            Attr::Windows(_) => "windows",
            Attr::Scalar(Dim::Const(_)) => "a number",
            Attr::Scalar(Dim::Expr(_)) => "a word",
            Attr::Str(_) => "a string",
            Attr::Func(_) => "a function",
            Attr::Funcs(_) => "functions",
            Attr::Flag => "nothing",
        }
    }
}

fn index(key: &str, d: &Dim) -> Result<usize> {
    d.as_const().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| format!("`{key}` takes a number, found {d}"))
}

fn axes(key: &str, dims: Vec<Dim>) -> Result<Axes> {
    dims.iter().map(|d| index(key, d)).collect()
}

fn reducer(word: &str) -> Result<Reducer> {
    Reducer::ALL.into_iter().find(|r| r.name() == word).ok_or_else(|| format!("unknown combiner `{word}`"))
}

/// The operator called `name`. `types` are the annotated result types, which hold what the attributes leave out.
pub fn build(name: &str, attrs: &mut Attrs, types: &[TensorType]) -> Result<Op> {
    if let Some(u) = UnaryOp::ALL.iter().find(|u| u.name() == name) {
        return Ok(Op::Unary(*u));
    }
    if let Some(b) = BinaryOp::ALL.iter().find(|b| b.name() == name) {
        return Ok(Op::Binary(*b));
    }
    let one = || match types {
        [one] => Ok(one.clone()),
        _ => Err(format!("`{name}` has one result")),
    };
    Ok(match name {
        "iota" => Op::Iota { ty: one()?, dim: attrs.index("dim")? },
        "compare" => Op::Compare(attrs.direction("direction")?),
        "select" => Op::Select,
        "clamp" => Op::Clamp,
        "convert" => Op::Convert(one()?.dtype),
        "bitcast_convert" => Op::BitcastConvert(one()?.dtype),
        "get_dimension_size" => Op::GetDimensionSize(attrs.index("dim")?),
        "broadcast_in_dim" => Op::BroadcastInDim { shape: one()?.shape, dims: attrs.axes("dims")? },
        "reshape" => Op::Reshape(one()?.shape),
        "transpose" => Op::Transpose(attrs.axes("permutation")?),
        "reverse" => Op::Reverse(attrs.axes("dims")?),
        "slice" => slice(attrs)?,
        "dynamic_slice" => Op::DynamicSlice { sizes: one()?.shape },
        "dynamic_update_slice" => Op::DynamicUpdateSlice,
        "concatenate" => Op::Concatenate(attrs.index("dim")?),
        "pad" => pad(attrs)?,
        "dot_general" => Op::DotGeneral(dot(attrs)?),
        "complex" => Op::Complex,
        "real" => Op::Real,
        "imag" => Op::Imag,
        "reduce_precision" => Op::ReducePrecision {
            exponent_bits: attrs.bits("exponent_bits")?,
            mantissa_bits: attrs.bits("mantissa_bits")?,
        },
        "generic_reduce" => Op::GenericReduce { axes: attrs.axes("axes")?, body: attrs.func("body")? },
        "generic_reduce_window" => Op::GenericReduceWindow {
            window: Box::new(Window { dims: attrs.windows("window")? }),
            body: attrs.func("body")?,
        },
        "generic_select_and_scatter" => Op::GenericSelectAndScatter {
            window: Box::new(Window { dims: attrs.windows("window")? }),
            select: attrs.func("select")?,
            scatter: attrs.func("scatter")?,
        },
        "generic_scatter" => Op::GenericScatter { dims: Box::new(scatter_dims(attrs)?), body: attrs.func("body")? },
        "sort" => {
            Op::Sort { dim: attrs.index("dim")?, stable: attrs.flag("stable")?, comparator: attrs.func("comparator")? }
        }
        "fft" => Op::Fft {
            kind: attrs.one_of("kind", &FftKind::ALL, FftKind::name)?,
            length: attrs.ints("length")?,
            interleaved: attrs.flag("interleaved")?,
        },
        "cholesky" => Op::Cholesky { lower: attrs.flag("lower")?, interleaved: attrs.flag("interleaved")? },
        "triangular_solve" => Op::TriangularSolve {
            left_side: attrs.flag("left_side")?,
            lower: attrs.flag("lower")?,
            unit_diagonal: attrs.flag("unit_diagonal")?,
            transpose_a: attrs.one_of("transpose_a", &TransposeKind::ALL, TransposeKind::name)?,
            interleaved: attrs.flag("interleaved")?,
        },
        "reduce" => Op::Reduce { reducer: attrs.reducer("reducer")?, axes: attrs.axes("axes")? },
        "argmin" | "argmax" => Op::ArgReduce {
            axis: attrs.index("axis")?,
            kind: if name == "argmin" { ArgKind::Min } else { ArgKind::Max },
            dtype: one()?.dtype,
        },
        "convolution" => Op::Convolution(Box::new(convolution(attrs)?)),
        "reduce_window" => Op::ReduceWindow {
            reducer: attrs.reducer("reducer")?,
            window: Box::new(Window { dims: attrs.windows("window")? }),
        },
        "select_and_scatter" => Op::SelectAndScatter {
            select: attrs.direction("select")?,
            scatter: attrs.reducer("scatter")?,
            window: Box::new(Window { dims: attrs.windows("window")? }),
        },
        "gather" => Op::Gather(Box::new(gather(attrs)?)),
        "scatter" => scatter(attrs)?,
        "rng_bit_generator" => rng(attrs, types)?,
        "optimization_barrier" => Op::OptimizationBarrier,
        "while" => Op::While { cond: attrs.func("cond")?, body: attrs.func("body")? },
        "if" => Op::If { on_true: attrs.func("on_true")?, on_false: attrs.func("on_false")? },
        "case" => case(attrs)?,
        "composite" => composite(attrs)?,
        other => return Err(format!("unknown operator `{other}`")),
    })
}

fn slice(attrs: &mut Attrs) -> Result<Op> {
    let bounds = attrs.bounds("bounds")?;
    let (mut start, mut limit, mut strides) = (SmallVec::new(), SmallVec::new(), Ints::new());
    for (s, l, stride) in bounds {
        start.push(s);
        limit.push(l);
        strides.push(stride);
    }
    Ok(Op::Slice { start, limit, strides })
}

fn pad(attrs: &mut Attrs) -> Result<Op> {
    let low: SmallVec<[Dim; 4]> = attrs.dims("low")?.into();
    let high = attrs.dims("high")?.into();
    let given = attrs.entries.iter().any(|(k, _)| k == "interior");
    let interior = if given { attrs.ints("interior")? } else { SmallVec::from_elem(0, low.len()) };
    Ok(Op::Pad { low, high, interior })
}

fn dot(attrs: &mut Attrs) -> Result<DotDims> {
    let batch =
        if attrs.entries.iter().any(|(k, _)| k == "batch") { attrs.axes_pair("batch")? } else { Default::default() };
    let [lhs_batch, rhs_batch] = batch;
    let [lhs_contract, rhs_contract] = attrs.axes_pair("contract")?;
    let given = attrs.entries.iter().any(|(k, _)| k == "result");
    let result = if given { Some(attrs.word("result")?.parse::<DType>()?) } else { None };
    Ok(DotDims { lhs_batch, rhs_batch, lhs_contract, rhs_contract, result })
}

/// Places of two named labels and of the numbered ones in `[b, 0, 1, f]`.
fn places(labels: &[Dim], names: [&str; 2]) -> Result<([usize; 2], Axes)> {
    let find = |wanted: &Dim| {
        let mut places = labels.iter().enumerate().filter(|(_, l)| *l == wanted).map(|(i, _)| i);
        match (places.next(), places.next()) {
            (Some(i), None) => Ok(i),
            _ => Err(format!("expected `{wanted}` once in [{}]", join(labels))),
        }
    };
    let named = [find(&Dim::symbol(names[0]))?, find(&Dim::symbol(names[1]))?];
    let spatial = (0..labels.len().saturating_sub(2)).map(|i| find(&Dim::from(i))).collect::<Result<Axes>>()?;
    Ok((named, spatial))
}

fn join(dims: &[Dim]) -> String {
    dims.iter().map(Dim::to_string).collect::<Vec<_>>().join(", ")
}

fn convolution(attrs: &mut Attrs) -> Result<ConvDims> {
    let [input, kernel, output] = attrs.lists::<3>("dims")?;
    if input.len() > 64 || kernel.len() > 64 || output.len() > 64 {
        return Err("too many dimensions".into());
    }
    let ([input_batch, input_feature], input_spatial) = places(&input, ["b", "f"])?;
    let ([kernel_input_feature, kernel_output_feature], kernel_spatial) = places(&kernel, ["i", "o"])?;
    let ([output_batch, output_feature], output_spatial) = places(&output, ["b", "f"])?;
    Ok(ConvDims {
        input_batch,
        input_feature,
        input_spatial,
        kernel_input_feature,
        kernel_output_feature,
        kernel_spatial,
        output_batch,
        output_feature,
        output_spatial,
        window: attrs.windows("window")?,
        feature_group_count: attrs.index_or("feature_group_count", 1)?,
        batch_group_count: attrs.index_or("batch_group_count", 1)?,
    })
}

fn gather(attrs: &mut Attrs) -> Result<GatherDims> {
    Ok(GatherDims {
        offset_dims: attrs.axes("offset_dims")?,
        collapsed_slice_dims: attrs.axes("collapsed_slice_dims")?,
        operand_batching_dims: attrs.axes_or_empty("operand_batching_dims")?,
        start_indices_batching_dims: attrs.axes_or_empty("start_indices_batching_dims")?,
        start_index_map: attrs.axes("start_index_map")?,
        index_vector_dim: attrs.index("index_vector_dim")?,
        slice_sizes: Shape::new(attrs.dims("slice_sizes")?),
        indices_are_sorted: attrs.flag("indices_are_sorted")?,
    })
}

fn scatter(attrs: &mut Attrs) -> Result<Op> {
    let update = match attrs.word("update")?.as_str() {
        "assign" => ScatterUpdate::Assign,
        word => ScatterUpdate::Combine(reducer(word)?),
    };
    Ok(Op::Scatter { dims: Box::new(scatter_dims(attrs)?), update })
}

fn scatter_dims(attrs: &mut Attrs) -> Result<ScatterDims> {
    Ok(ScatterDims {
        update_window_dims: attrs.axes("update_window_dims")?,
        inserted_window_dims: attrs.axes("inserted_window_dims")?,
        input_batching_dims: attrs.axes_or_empty("input_batching_dims")?,
        scatter_indices_batching_dims: attrs.axes_or_empty("scatter_indices_batching_dims")?,
        scatter_dims_to_operand_dims: attrs.axes("scatter_dims_to_operand_dims")?,
        index_vector_dim: attrs.index("index_vector_dim")?,
        indices_are_sorted: attrs.flag("indices_are_sorted")?,
        unique_indices: attrs.flag("unique_indices")?,
    })
}

fn rng(attrs: &mut Attrs, types: &[TensorType]) -> Result<Op> {
    let algorithm = attrs.one_of("algorithm", &RngAlgorithm::ALL, RngAlgorithm::name)?;
    match types {
        [_, ty] => Ok(Op::RngBitGenerator { algorithm, ty: ty.clone() }),
        _ => Err("`rng_bit_generator` has two results".into()),
    }
}

fn case(attrs: &mut Attrs) -> Result<Op> {
    match attrs.take("branches")? {
        Attr::Funcs(branches) => Ok(Op::Case { branches }),
        Attr::Lists(l) if l.len() == 1 && l[0].is_empty() => Ok(Op::Case { branches: Vec::new() }),
        other => Err(format!("`branches` takes functions, found {}", other.kind())),
    }
}

fn composite(attrs: &mut Attrs) -> Result<Op> {
    let name = match attrs.take("name")? {
        Attr::Str(s) => s,
        other => return Err(format!("`name` takes a string, found {}", other.kind())),
    };
    let given = attrs.entries.iter().any(|(k, _)| k == "vjp");
    let vjp = if given { Some(attrs.func("vjp")?) } else { None };
    Ok(Op::Composite { name, body: attrs.func("body")?, vjp })
}
