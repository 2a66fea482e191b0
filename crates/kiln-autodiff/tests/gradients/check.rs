//! The harness: builds small functions and compares their derivatives with finite differences.

use kiln_autodiff::{jvp, vjp};
use kiln_ir::{
    BinaryOp, DType, Diagnostics, Dim, Func, InputKind, Loc, Op, OutputKind, Shape, Tensor, TensorType, UnaryOp, Value,
};

/// A function under construction, with values for its inputs.
#[derive(Clone)]
pub struct Case {
    pub f: Func,
    pub inputs: Vec<Tensor>,
    seed: u64,
}

/// xorshift64*: good enough to avoid accidents.
fn next(seed: &mut u64) -> f64 {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    (seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
}

impl Case {
    pub fn new() -> Case {
        Case { f: Func::new("case"), inputs: Vec::new(), seed: 0x9e37_79b9_7f4a_7c15 }
    }
    fn declare(&mut self, ty: TensorType, value: Tensor) -> Value {
        let name = format!("x{}", self.inputs.len());
        self.inputs.push(value);
        self.f.add_input(name, ty, InputKind::Feed, Loc::caller())
    }
    /// An f64 input with random values in `low..high`.
    pub fn input(&mut self, shape: &[usize], low: f64, high: f64) -> Value {
        let n = shape.iter().product();
        let data: Vec<f64> = (0..n).map(|_| low + (high - low) * next(&mut self.seed)).collect();
        self.input_of(shape, data)
    }
    /// An f64 input in -1..1.
    pub fn x(&mut self, shape: &[usize]) -> Value {
        self.input(shape, -1.0, 1.0)
    }
    pub fn input_of(&mut self, shape: &[usize], data: Vec<f64>) -> Value {
        let t = Tensor::from_vec(shape, data).unwrap();
        self.declare(t.ty(), t)
    }
    /// An f64 input whose declared type has these (symbolic) dims.
    pub fn symbolic(&mut self, dims: Shape, sizes: &[usize]) -> Value {
        let n = sizes.iter().product();
        let data: Vec<f64> = (0..n).map(|_| 2.0 * next(&mut self.seed) - 1.0).collect();
        self.declare(TensorType::new(DType::F64, dims), Tensor::from_vec(sizes, data).unwrap())
    }
    pub fn ints(&mut self, shape: &[usize], data: Vec<i32>) -> Value {
        let t = Tensor::from_vec(shape, data).unwrap();
        self.declare(t.ty(), t)
    }
    pub fn bools(&mut self, shape: &[usize], data: Vec<bool>) -> Value {
        let t = Tensor::from_vec(shape, data).unwrap();
        self.declare(t.ty(), t)
    }
    pub fn scalar(&mut self, x: f64) -> Value {
        self.f.constant(Tensor::scalar(x), Loc::UNKNOWN)
    }
    #[track_caller]
    pub fn op(&mut self, op: Op, operands: &[Value]) -> Value {
        match self.f.push1(op, operands, Loc::caller()) {
            Ok(v) => v,
            Err(d) => panic!("{d}"),
        }
    }
    #[track_caller]
    pub fn un(&mut self, op: UnaryOp, x: Value) -> Value {
        self.op(Op::Unary(op), &[x])
    }
    #[track_caller]
    pub fn bin(&mut self, op: BinaryOp, x: Value, y: Value) -> Value {
        self.op(Op::Binary(op), &[x, y])
    }
    pub fn out(&mut self, v: Value) {
        let name = format!("y{}", self.f.outputs.len());
        self.f.add_output(name, v);
    }
    /// Gradient, tangent and second order against finite differences.
    #[track_caller]
    pub fn check(self) {
        self.first_order();
        self.gradient().first_order();
    }
    /// [`Case::check`] for one output made in one go.
    #[track_caller]
    pub fn done(mut self, v: Value) {
        self.out(v);
        self.check();
    }

    pub fn eval(&self) -> Vec<Tensor> {
        match kiln_interp::eval(&self.f, &self.inputs) {
            Ok(out) => out,
            Err(e) => panic!("{e}\n{}", kiln_ir::text::print(&self.f)),
        }
    }

    /// The function that computes the cotangents of all float inputs, with the cotangents of the outputs as further inputs.
    #[track_caller]
    pub fn gradient(&self) -> Case {
        self.try_gradient().unwrap_or_else(|d| panic!("{d}"))
    }

    pub fn try_gradient(&self) -> Result<Case, Diagnostics> {
        let mut g = self.clone();
        let values = self.eval();
        let wrt = self.float_inputs();
        let outputs = std::mem::take(&mut g.f.outputs);
        let mut pairs = Vec::new();
        for (o, value) in outputs.iter().zip(&values).filter(|(o, _)| self.f.ty(o.value).dtype.is_float()) {
            let data: Vec<f64> = (0..value.len()).map(|_| 2.0 * next(&mut g.seed) - 1.0).collect();
            let ct = g.declare(self.f.ty(o.value).clone(), Tensor::from_vec(value.shape(), data).unwrap());
            pairs.push((o.value, ct));
        }
        let cts = vjp(&mut g.f, &pairs, &wrt)?;
        for (v, ct) in wrt.iter().zip(cts) {
            let ct = ct.unwrap_or_else(|| {
                let zero = g.f.constant(Tensor::scalar(0.0f64), Loc::UNKNOWN);
                let shape = g.f.ty(*v).shape.clone();
                g.f.push1(Op::BroadcastInDim { shape, dims: Default::default() }, &[zero], Loc::UNKNOWN).unwrap()
            });
            g.out(ct);
        }
        Ok(g)
    }

    fn float_inputs(&self) -> Vec<Value> {
        self.f.inputs.iter().filter(|i| i.ty.dtype.is_float()).map(|i| i.node.into()).collect()
    }

    #[track_caller]
    fn first_order(&self) {
        assert!(self.f.outputs.iter().all(|o| o.kind == OutputKind::Fetch));
        let grad = self.gradient();
        let cts: Vec<Vec<f64>> = grad.eval().iter().map(|t| t.to_vec().unwrap()).collect();
        let weights: Vec<Vec<f64>> = grad.inputs[self.inputs.len()..].iter().map(|t| t.to_vec().unwrap()).collect();
        self.compare_with_differences(&cts, &weights);
        self.compare_with_tangents(&cts, &weights);
    }

    /// sum(weights * outputs) at these inputs.
    fn weighted(&self, inputs: &[Tensor], weights: &[Vec<f64>]) -> f64 {
        let case = Case { inputs: inputs.to_vec(), ..self.clone() };
        let floats = case.eval().into_iter().filter(|t| t.dtype() == DType::F64);
        floats
            .zip(weights)
            .map(|(t, w)| t.as_slice::<f64>().unwrap().iter().zip(w).map(|(y, w)| y * w).sum::<f64>())
            .sum()
    }

    #[track_caller]
    fn compare_with_differences(&self, cts: &[Vec<f64>], weights: &[Vec<f64>]) {
        // Central differences of f64 with this step are good to about 1e-9 for functions of size 1.
        let h = 1e-5;
        let floats: Vec<usize> = (0..self.inputs.len()).filter(|&i| self.inputs[i].dtype() == DType::F64).collect();
        for (ct, &i) in cts.iter().zip(&floats) {
            let data: Vec<f64> = self.inputs[i].to_vec().unwrap();
            for k in 0..data.len() {
                let at = |d: f64| {
                    let mut moved = data.clone();
                    moved[k] += d;
                    let mut inputs = self.inputs.clone();
                    inputs[i] = Tensor::from_vec(inputs[i].shape(), moved).unwrap();
                    self.weighted(&inputs, weights)
                };
                let numeric = (at(h) - at(-h)) / (2.0 * h);
                let scale = 1.0f64.max(numeric.abs());
                assert!(
                    (ct[k] - numeric).abs() <= 2e-6 * scale,
                    "input {i}, element {k}: gradient {}, difference {numeric}\n{}",
                    ct[k],
                    kiln_ir::text::print(&self.f)
                );
            }
        }
    }

    /// <weights, jvp(t)> = <vjp(weights), t>: exact up to rounding.
    #[track_caller]
    fn compare_with_tangents(&self, cts: &[Vec<f64>], weights: &[Vec<f64>]) {
        let mut j = self.clone();
        let outputs: Vec<Value> = std::mem::take(&mut j.f.outputs).iter().map(|o| o.value).collect();
        let outputs: Vec<Value> = outputs.into_iter().filter(|v| self.f.ty(*v).dtype.is_float()).collect();
        let mut pairs = Vec::new();
        let mut directions: Vec<Vec<f64>> = Vec::new();
        for v in self.float_inputs() {
            let Op::Parameter(i) = self.f.node(v.node).op else { panic!("inputs are parameters") };
            let value = &self.inputs[i as usize];
            let data: Vec<f64> = (0..value.len()).map(|_| 2.0 * next(&mut j.seed) - 1.0).collect();
            directions.push(data.clone());
            let t = j.declare(self.f.ty(v).clone(), Tensor::from_vec(value.shape(), data).unwrap());
            pairs.push((v, t));
        }
        let tangents = jvp(&mut j.f, &outputs, &pairs).unwrap_or_else(|d| panic!("{d}"));
        let present: Vec<bool> = tangents.iter().map(Option::is_some).collect();
        tangents.into_iter().flatten().for_each(|t| j.out(t));
        let mut computed = j.eval().into_iter();
        let mut forward = 0.0;
        for (w, _) in weights.iter().zip(present).filter(|(_, p)| *p) {
            let t = computed.next().unwrap().to_vec::<f64>().unwrap();
            forward += t.iter().zip(w).map(|(a, b)| a * b).sum::<f64>();
        }
        let reverse: f64 = cts.iter().flatten().zip(directions.iter().flatten()).map(|(a, b)| a * b).sum();
        let scale = 1.0f64.max(reverse.abs());
        assert!(
            (forward - reverse).abs() <= 1e-10 * scale,
            "forward mode {forward}, reverse mode {reverse}\n{}",
            kiln_ir::text::print(&j.f)
        );
    }
}

pub fn consts(dims: &[i64]) -> Vec<Dim> {
    dims.iter().map(|&d| Dim::Const(d)).collect()
}

pub fn shape(dims: &[usize]) -> Shape {
    Shape::from_sizes(dims)
}
