//! Initial values of variables: shape, dtype and recipe in one.

use kiln_ir::{DType, Diagnostic, Initializer, Shape, Tensor, TensorType};

/// What [`crate::Graph::variable`] takes: made by the functions of this module, refined by its methods.
///
/// ```
/// use kiln_builder::{DType, Graph, init};
/// let g = Graph::new("g");
/// let w = g.variable("w", init::he_normal([784, 256]).seed(1));
/// let mean = g.variable("mean", init::zeros([256]).dtype(DType::F64).trainable(false));
/// assert_eq!(g.trainable_variables().len(), 1);
/// # let _ = (w, mean);
/// ```
#[derive(Clone, Debug)]
pub struct VariableInit {
    shape: Shape,
    dtype: DType,
    recipe: Recipe,
    seed: Option<u64>,
    trainable: bool,
    fans: Option<(usize, usize)>,
}

#[derive(Clone, Debug)]
enum Recipe {
    Constant(f64),
    Uniform { low: f64, high: f64 },
    Normal { std: f64 },
    TruncatedNormal { std: f64 },
    Scaled { scale: f64, fan: Fan, shape: Distribution },
    Orthogonal { gain: f64 },
    Value(Tensor),
}

#[derive(Clone, Copy, Debug)]
enum Fan {
    In,
    Average,
}

#[derive(Clone, Copy, Debug)]
enum Distribution {
    Normal,
    Uniform,
}

fn new(shape: impl Into<Shape>, recipe: Recipe) -> VariableInit {
    VariableInit { shape: shape.into(), dtype: DType::F32, recipe, seed: None, trainable: true, fans: None }
}

/// All zeros.
pub fn zeros(shape: impl Into<Shape>) -> VariableInit {
    constant(shape, 0.0)
}
/// All ones.
pub fn ones(shape: impl Into<Shape>) -> VariableInit {
    constant(shape, 1.0)
}
/// Every element this value.
pub fn constant(shape: impl Into<Shape>, value: f64) -> VariableInit {
    new(shape, Recipe::Constant(value))
}
/// Uniform in `[low, high)`.
pub fn uniform(shape: impl Into<Shape>, low: f64, high: f64) -> VariableInit {
    new(shape, Recipe::Uniform { low, high })
}
/// Normal with mean 0.
pub fn normal(shape: impl Into<Shape>, std: f64) -> VariableInit {
    new(shape, Recipe::Normal { std })
}
/// Normal with mean 0, redrawn outside of two standard deviations.
pub fn truncated_normal(shape: impl Into<Shape>, std: f64) -> VariableInit {
    new(shape, Recipe::TruncatedNormal { std })
}
/// Normal with variance `2 / fan_in` (He et al. 2015), for layers followed by a ReLU.
pub fn he_normal(shape: impl Into<Shape>) -> VariableInit {
    new(shape, Recipe::Scaled { scale: 2.0, fan: Fan::In, shape: Distribution::Normal })
}
/// Uniform with variance `2 / fan_in` (He et al. 2015).
pub fn he_uniform(shape: impl Into<Shape>) -> VariableInit {
    new(shape, Recipe::Scaled { scale: 2.0, fan: Fan::In, shape: Distribution::Uniform })
}
/// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010), also known as Xavier.
pub fn glorot_normal(shape: impl Into<Shape>) -> VariableInit {
    new(shape, Recipe::Scaled { scale: 1.0, fan: Fan::Average, shape: Distribution::Normal })
}
/// Uniform with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010), also known as Xavier.
pub fn glorot_uniform(shape: impl Into<Shape>) -> VariableInit {
    new(shape, Recipe::Scaled { scale: 1.0, fan: Fan::Average, shape: Distribution::Uniform })
}
/// Another name of [`glorot_normal`].
pub fn xavier_normal(shape: impl Into<Shape>) -> VariableInit {
    glorot_normal(shape)
}
/// Another name of [`glorot_uniform`].
pub fn xavier_uniform(shape: impl Into<Shape>) -> VariableInit {
    glorot_uniform(shape)
}
/// Normal with variance `1 / fan_in` (LeCun et al. 1998).
pub fn lecun_normal(shape: impl Into<Shape>) -> VariableInit {
    new(shape, Recipe::Scaled { scale: 1.0, fan: Fan::In, shape: Distribution::Normal })
}
/// Uniform with variance `1 / fan_in` (LeCun et al. 1998).
pub fn lecun_uniform(shape: impl Into<Shape>) -> VariableInit {
    new(shape, Recipe::Scaled { scale: 1.0, fan: Fan::In, shape: Distribution::Uniform })
}
/// A random matrix with orthonormal rows or columns, whichever are fewer; leading dimensions count as rows.
pub fn orthogonal(shape: impl Into<Shape>) -> VariableInit {
    new(shape, Recipe::Orthogonal { gain: 1.0 })
}
/// This value; shape and dtype are the tensor's.
pub fn value(tensor: Tensor) -> VariableInit {
    let ty = tensor.ty();
    VariableInit { dtype: ty.dtype, ..new(ty.shape, Recipe::Value(tensor)) }
}

impl From<Tensor> for VariableInit {
    fn from(t: Tensor) -> VariableInit {
        value(t)
    }
}

impl VariableInit {
    /// Element type, f32 unless set (and a [`value`]'s own).
    pub fn dtype(mut self, dtype: DType) -> VariableInit {
        self.dtype = dtype;
        self
    }
    /// Seed of a random initializer; derived from the variable's name unless set.
    pub fn seed(mut self, seed: u64) -> VariableInit {
        self.seed = Some(seed);
        self
    }
    /// False for state that optimizers leave alone, such as running statistics.
    pub fn trainable(mut self, trainable: bool) -> VariableInit {
        self.trainable = trainable;
        self
    }
    /// Sets fan-in and fan-out for he, glorot and lecun. Unless set, the last dimension is the output, the one before
    /// it the input, and all others multiply both (as in `[height, width, in, out]` kernels).
    pub fn fans(mut self, fan_in: usize, fan_out: usize) -> VariableInit {
        self.fans = Some((fan_in, fan_out));
        self
    }
    /// Scales an [`orthogonal`] initializer; no effect on others.
    pub fn gain(mut self, by: f64) -> VariableInit {
        if let Recipe::Orthogonal { gain } = &mut self.recipe {
            *gain = by;
        }
        self
    }
    /// The variable's shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
    pub(crate) fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// The variable's type and initializer under this full name.
    pub(crate) fn resolve(&self, name: &str) -> Result<(TensorType, Initializer), Diagnostic> {
        let ty = TensorType::new(self.dtype, &self.shape);
        let Some(sizes) = self.shape.as_sizes() else {
            return Err(Diagnostic::new("variable.shape", format!("variable \"{name}\" needs a shape of numbers"))
                .label(format!("the shape is {}", self.shape)));
        };
        let seed = self.seed.unwrap_or_else(|| fnv1a(name));
        let random = !matches!(self.recipe, Recipe::Constant(_) | Recipe::Value(_));
        if random && !self.dtype.is_float() {
            return Err(Diagnostic::new("variable.dtype", "random initial values need a float dtype")
                .label(format!("\"{name}\" is {}", self.dtype)));
        }
        let init =
            match &self.recipe {
                Recipe::Constant(c) if *c == 0.0 => Initializer::Zeros,
                Recipe::Constant(c) => Initializer::Constant(*c),
                Recipe::Uniform { low, high } => Initializer::Uniform { low: *low, high: *high, seed },
                Recipe::Normal { std } => Initializer::Normal { std: *std, seed },
                Recipe::TruncatedNormal { std } => Initializer::TruncatedNormal { std: *std, seed },
                Recipe::Scaled { scale, fan, shape } => {
                    let (fan_in, fan_out) = self.fans.unwrap_or_else(|| fans(&sizes));
                    let n = match fan {
                        Fan::In => fan_in as f64,
                        Fan::Average => (fan_in as f64 + fan_out as f64) / 2.0,
                    };
                    let variance = scale / n.max(1.0);
                    match shape {
                        Distribution::Normal => Initializer::Normal { std: variance.sqrt(), seed },
                        Distribution::Uniform => {
                            let limit = (3.0 * variance).sqrt();
                            Initializer::Uniform { low: -limit, high: limit, seed }
                        }
                    }
                }
                Recipe::Orthogonal { gain } => Initializer::Value(orthogonal_tensor(&sizes, *gain, seed, self.dtype)),
                Recipe::Value(t) if t.dtype() != self.dtype => {
                    return Err(Diagnostic::new("variable.dtype", "the initial value has another dtype")
                        .label(format!("\"{name}\" is {}, the value {}", self.dtype, t.dtype())));
                }
                Recipe::Value(t) => Initializer::Value(t.clone()),
            };
        Ok((ty, init))
    }
}

/// Fan-in and fan-out of `[..., in, out]`.
fn fans(sizes: &[usize]) -> (usize, usize) {
    match *sizes {
        [] => (1, 1),
        [n] => (n, n),
        [ref field @ .., i, o] => {
            let field: usize = field.iter().product();
            (field * i, field * o)
        }
    }
}

/// FNV-1a, 64 bits: stable over runs and versions.
pub(crate) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// Standard normals: splitmix64 (Steele et al. 2014) through Box-Muller.
struct Normals(u64);

impl Normals {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
    fn next(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

/// Orthonormal vectors by Gram-Schmidt (twice, for accuracy), laid out as the rows or columns of the matrix.
fn orthogonal_tensor(sizes: &[usize], gain: f64, seed: u64, dtype: DType) -> Tensor {
    let cols = sizes.last().copied().unwrap_or(1);
    let rows: usize = sizes[..sizes.len().saturating_sub(1)].iter().product();
    let (count, len) = (rows.min(cols), rows.max(cols));
    let mut source = Normals(seed);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut v: Vec<f64> = (0..len).map(|_| source.next()).collect();
        for _ in 0..2 {
            for b in &basis {
                let along: f64 = v.iter().zip(b).map(|(x, y)| x * y).sum();
                v.iter_mut().zip(b).for_each(|(x, y)| *x -= along * y);
            }
        }
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-6 {
            basis.push(v.iter().map(|x| x / norm).collect());
        }
    }
    let at = |r: usize, c: usize| if rows <= cols { basis[r][c] } else { basis[c][r] };
    let data: Vec<f64> = (0..rows * cols).map(|i| gain * at(i / cols, i % cols)).collect();
    let tensor = match dtype {
        DType::F64 => Tensor::from_vec(sizes, data),
        DType::F16 => Tensor::from_vec(sizes, data.into_iter().map(kiln_ir::float::f16_from_f64).collect()),
        DType::BF16 => Tensor::from_vec(sizes, data.into_iter().map(kiln_ir::float::bf16_from_f64).collect()),
        _ => Tensor::from_vec(sizes, data.into_iter().map(|x| x as f32).collect()),
    };
    tensor.expect("rows times columns is the product of the sizes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fans_of_dense_and_conv_kernels() {
        assert_eq!(fans(&[784, 256]), (784, 256));
        assert_eq!(fans(&[3, 3, 16, 32]), (144, 288));
    }

    #[test]
    fn names_give_different_seeds() {
        assert_ne!(fnv1a("layer0/w"), fnv1a("layer1/w"));
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
    }

    #[test]
    fn orthogonal_rows_are_orthonormal() {
        let t = orthogonal_tensor(&[3, 5], 1.0, 7, DType::F64);
        let d = t.as_slice::<f64>().unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let dot: f64 = (0..5).map(|k| d[i * 5 + k] * d[j * 5 + k]).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12, "{i} {j} {dot}");
            }
        }
    }
}
