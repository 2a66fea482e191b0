//! The graphs: workloads of the benchmark, training, control flow, and (in `operators`) every operator.

use crate::{inputs, operators, small_types};
use kiln::builder::{Conv, Pool, custom_vjp, grad};
use kiln::ir::{DType, Func, InputKind, Loc, OutputKind};
use kiln::nn::layers::{BatchNorm, Dense, LayerNorm, Lstm, Mask, Mode, TransformerBlock};
use kiln::prelude::*;
use kiln_benches::table::Kind;
use kiln_testing::Rng;

/// A graph with what is fed to it.
pub struct Case {
    /// Name of its folder.
    pub name: String,
    /// The graph.
    pub func: Func,
    /// Feeds by name.
    pub feeds: Vec<(String, Tensor)>,
    /// Writes source lines too.
    pub locations: bool,
    /// What multiplies the tolerance of an element type.
    factor: f64,
    /// Learning rate of an optimizer of Adam's kind.
    rate: f64,
    /// Errors count relative to each element, not to the largest.
    unscaled: bool,
    /// Absolute errors allowed for each output, in place of those of its type.
    errors: Option<Vec<f64>>,
}

impl Case {
    /// The function of a graph; what `feeds` does not name gets random data.
    pub fn new(name: &str, function: &FunctionSpec, feeds: &[(&str, Tensor)]) -> Case {
        let func = function.finish().unwrap_or_else(|d| panic!("{name}: {}", kiln::ir::diag::render(&d)));
        let mut rng = Rng::new(name.bytes().fold(0, |h: u64, b| h.wrapping_mul(31) + u64::from(b)));
        let mut all = Vec::new();
        for input in func.inputs.iter().filter(|i| i.kind == InputKind::Feed) {
            let given = feeds.iter().find(|(n, _)| *n == input.name).map(|(_, t)| t.clone());
            let shape =
                input.ty.shape.as_sizes().unwrap_or_else(|| panic!("{name}: {} has no fixed shape", input.name));
            all.push((input.name.clone(), given.unwrap_or_else(|| inputs::random(&mut rng, input.ty.dtype, &shape))));
        }
        Case {
            name: name.to_owned(),
            func,
            feeds: all,
            locations: false,
            factor: 1.0,
            rate: 0.0,
            unscaled: false,
            errors: None,
        }
    }

    /// Errors this much larger are allowed.
    pub fn loose(mut self, factor: f64) -> Case {
        self.factor = factor;
        self
    }

    /// Every element is held to its own size.
    pub fn unscaled(mut self) -> Case {
        self.unscaled = true;
        self
    }

    /// No error at all.
    pub fn exact(mut self) -> Case {
        self.errors = Some(vec![0.0; self.func.outputs.len()]);
        self
    }

    /// An optimizer of Adam's kind with this learning rate: its first step divides a gradient by its own size, so that one which is
    /// nothing but rounding errors moves a weight by up to the rate in any direction.
    fn adam(mut self, rate: f64) -> Case {
        self.rate = rate;
        self
    }

    /// True for the new value of a weight that an optimizer keeps something about.
    fn first_step_of(&self, output: &kiln::ir::Output) -> bool {
        let OutputKind::Update(input) = output.kind else { return false };
        let slots = format!("{}/", self.func.inputs[input].name);
        self.rate > 0.0 && self.func.inputs.iter().any(|i| i.name.starts_with(&slots))
    }

    /// The tolerance of an output as JSON: an error of `atol + rtol * (|want| + scaled * largest |want|)` is allowed.
    ///
    /// Sums in another order and other approximations of functions differ by a few units in the last place of the largest
    /// number that takes part; narrow floats are rounded after operators that the other compiler may fuse.
    pub fn tolerance(&self, output: usize, dtype: DType) -> String {
        if let Some(errors) = &self.errors {
            return format!("{{\"atol\": {:e}, \"rtol\": 0, \"scaled\": 0}}", errors[output]);
        }
        let rtol = match dtype.real_type() {
            DType::F64 => 1e-13,
            DType::F32 => 2e-6,
            DType::F16 => 2e-3,
            DType::BF16 => 1.6e-2,
            _ => 0.0,
        };
        let rtol = rtol * self.factor;
        // Gradients that are zero but for rounding errors are small beside the others, not beside themselves.
        let output = &self.func.outputs[output];
        let atol = match () {
            () if self.first_step_of(output) => self.rate,
            // Some functions of XLA lose everything below half precision's normal numbers.
            () if self.unscaled && dtype == DType::F16 => rtol,
            () => rtol * 1e-3,
        };
        format!("{{\"atol\": {atol:e}, \"rtol\": {rtol:e}, \"scaled\": {}}}", u8::from(!self.unscaled))
    }
}

/// The random graph of a seed. Its errors are bounds for kiln's code; another compiler's functions may be twice as far off.
pub fn random(name: &str, seed: u64) -> Case {
    let case = kiln_tests::random::generate(seed, kiln_tests::size_of(seed));
    let feeds = case.func.inputs.iter().map(|i| i.name.clone()).zip(case.inputs).collect();
    let errors = case.expected.iter().map(|(_, error)| 3.0 * error).collect();
    Case {
        name: name.to_owned(),
        func: case.func,
        feeds,
        locations: false,
        factor: 1.0,
        rate: 0.0,
        unscaled: false,
        errors: Some(errors),
    }
}

type Make = fn(&str) -> Case;

/// Every case by name.
pub fn all() -> Vec<(&'static str, Make)> {
    let mut list: Vec<(&'static str, Make)> = vec![
        ("T1", workload),
        ("T2", workload),
        ("T3", workload),
        ("I1.b1", workload),
        ("I2.b1", workload),
        ("I3", workload),
        ("E1.1024x1024", workload),
        ("E2.softmax", workload),
        ("E2.layernorm", workload),
        ("M1.mm_bias_gelu", workload),
        ("train_half", train_half),
        ("train_bf16_transformer", train_bf16_transformer),
        ("train_f64_regression", train_f64_regression),
        ("train_lstm", train_lstm),
        ("train_batch_norm", train_batch_norm),
        ("train_rms_prop", train_rms_prop),
        ("newton_while", newton_while),
        ("gradient_of_while", gradient_of_while),
        ("branches", branches),
        ("scan_of_a_state", scan_of_a_state),
        ("custom_gradient", custom_gradient),
        ("random_numbers", random_numbers),
        ("dropout", dropout),
        ("named_dimensions", named_dimensions),
        ("locations", locations),
        ("embedding_gradient", embedding_gradient),
        ("convolutions", convolutions),
        ("pooling", pooling),
    ];
    list.extend(operators::all());
    list.extend(small_types::all());
    list
}

/// A workload of the benchmark. Training steps start from small gradients of long sums.
fn workload(name: &str) -> Case {
    let w = kiln_benches::table::make(name).unwrap_or_else(|| panic!("there is no workload {name}"));
    let function = kiln_benches::models::function(&w);
    let feeds: Vec<(&str, Tensor)> = match w.batches.first() {
        Some((x, y)) => vec![("x", x.clone()), ("y", y.clone())],
        None => ["x", "b"].into_iter().zip(w.inputs.iter().cloned()).collect(),
    };
    let case = Case::new(name, &function, &feeds).loose(if w.batches.is_empty() { 10.0 } else { 50.0 });
    match w.kind {
        Kind::TrainCnn { lr, .. } | Kind::TrainGpt { lr, .. } => case.adam(lr),
        _ => case,
    }
}

fn train_half(name: &str) -> Case {
    let g = Graph::new("half");
    let x = g.placeholder_dyn("x", DType::F16, [16, 24]);
    let y = g.placeholder_dyn("y", DType::F16, [16, 1]);
    let w = g.variable("w", init::normal([24, 32], 0.2).dtype(DType::F16));
    let v = g.variable("v", init::normal([32, 1], 0.2).dtype(DType::F16));
    let loss = (x.dot(&w).tanh().dot(&v) - &y).square().mean(..);
    let updates = optim::Sgd::new(0.01).momentum(0.9).minimize(&loss);
    Case::new(name, &g.function([]).named("loss", &loss).updates(updates), &[]).loose(4.0)
}

fn train_bf16_transformer(name: &str) -> Case {
    let g = Graph::new("block");
    let x = g.placeholder::<f32>("x", [2, 12, 16]);
    let block = TransformerBlock::new(&g, "block", 16, 4, 32);
    let narrow = x.cast_to(DType::BF16);
    let y = block.apply(&x, &Mask::causal()) + narrow.cast::<f32>();
    let loss = (y.cast_to(DType::BF16) * narrow).sum(..).cast::<f32>() * 0.01;
    let updates = optim::Sgd::new(1e-2).momentum(0.9).weight_decay(0.01).minimize(&loss);
    Case::new(name, &g.function([]).named("loss", &loss).named("y", &y).updates(updates), &[]).loose(2e3)
}

fn train_f64_regression(name: &str) -> Case {
    let g = Graph::new("regression");
    let x = g.placeholder::<f64>("x", [50, 7]);
    let y = g.placeholder::<f64>("y", [50]);
    let w = g.variable("w", init::uniform([7], -1.0, 1.0).dtype(DType::F64));
    let b = g.variable("b", init::zeros(dims![]).dtype(DType::F64));
    let z = x.dot(&w) + &b;
    let loss = (z.sigmoid() - &y).abs().softplus().mean(..) + (&w * &w).sum(..) * 0.01;
    let updates = optim::Adam::new(1e-3).minimize(&loss);
    Case::new(name, &g.function([]).named("loss", &loss).updates(updates), &[]).loose(10.0)
}

fn train_lstm(name: &str) -> Case {
    let g = Graph::new("lstm");
    let x = g.placeholder::<f32>("x", [9, 4, 6]);
    let (y, _) = Lstm::new(&g, "lstm", 6, 8).apply(&x);
    let loss = y.square().mean(..);
    let updates = optim::Sgd::new(0.1).minimize(&loss);
    Case::new(name, &g.function([]).named("loss", &loss).updates(updates), &[]).loose(10.0)
}

fn train_batch_norm(name: &str) -> Case {
    let g = Graph::new("norms");
    let x = g.placeholder::<f32>("x", [8, 10, 10, 3]);
    let labels = g.placeholder::<i32>("labels", [8]);
    let h = BatchNorm::new(&g, "bn", 3).axis(-1).apply(&x, Mode::Train);
    let h = LayerNorm::new(&g, "ln", 300).apply(&h.reshape([8, 300]));
    let loss = Dense::new(&g, "out", 300, 5).apply(&h).softmax_cross_entropy(&labels).mean(..);
    let updates = optim::Adam::new(1e-2).minimize(&loss);
    let labels = Tensor::from_vec([8], vec![0i32, 1, 2, 3, 4, 0, 1, 2]).expect("eight labels");
    let function = g.function([]).named("loss", &loss).updates(updates);
    Case::new(name, &function, &[("labels", labels)]).loose(100.0)
}

fn train_rms_prop(name: &str) -> Case {
    let g = Graph::new("rms");
    let x = g.placeholder::<f32>("x", [12, 5]);
    let h = Dense::new(&g, "a", 5, 9).apply(&x).gelu();
    let loss = Dense::new(&g, "b", 9, 3).apply(&h).log_softmax(-1).slice_axis(1, 0..1, 1).mean(..);
    let rule = optim::RmsProp::new(1e-3).momentum(0.5).centered().clip_norm(1.0);
    Case::new(name, &g.function([]).named("loss", &loss).updates(rule.minimize(&loss)), &[]).loose(100.0)
}

fn newton_while(name: &str) -> Case {
    let g = Graph::new("newton");
    let a = g.placeholder::<f64>("a", [6]);
    let positive = a.abs() + 0.5;
    let start = (g.constant(0i32), positive.ones_like());
    let (steps, root) = g.while_loop(
        start,
        |(i, x): (Expr, Expr)| {
            let far = (x.square() - &positive).abs().reduce(kiln::ir::op::Reducer::Maximum, ..).gt(1e-9);
            i.lt(50) & far
        },
        |(i, x)| (&i + 1, (&x + &positive / &x) * 0.5),
    );
    Case::new(name, &g.function([]).named("root", &root).named("steps", &steps), &[])
}

fn gradient_of_while(name: &str) -> Case {
    let g = Graph::new("gradient");
    let x = g.placeholder::<f32>("x", [4, 4]);
    let n = g.placeholder::<i32>("n", dims![]);
    let y = g.fori_loop(&n, x.clone(), |i, y: Expr| (&y * 0.9).sin() + i.cast::<f32>() * 0.01 * y.dot(&x));
    let loss = y.sum(..);
    let dx = &grad(&loss, &[&x])[0];
    let function = g.function([]).named("loss", &loss).named("dx", dx);
    Case::new(name, &function, &[("n", Tensor::scalar(5i32))]).loose(20.0)
}

fn branches(name: &str) -> Case {
    let g = Graph::new("branches");
    let x = g.placeholder::<f32>("x", [3, 5]);
    let index = g.placeholder::<i32>("index", [4]);
    let outside = x.sum(..);
    let mut function = g.function([]);
    let positive = outside.gt(0.0);
    let (a, b) = g.cond(&positive, || (&x * 2.0, outside.clone()), || (x.exp(), &outside - 1.0));
    function = function.named("a", &a).named("b", &b);
    for i in 0..4usize {
        let which = index.slice_axis(0, i as i64..i as i64 + 1, 1).reshape(dims![]);
        let list: Vec<Box<dyn FnOnce() -> Expr + '_>> =
            vec![Box::new(|| &x + 1.0), Box::new(|| x.tanh()), Box::new(|| &x * &outside)];
        let chosen = g.switch(&which, list).expect("there are branches");
        function = function.named(&format!("chosen{i}"), &chosen);
    }
    let index = Tensor::from_vec([4], vec![0i32, 1, 7, -1]).expect("four indices");
    Case::new(name, &function, &[("index", index)])
}

fn scan_of_a_state(name: &str) -> Case {
    let g = Graph::new("scan");
    let xs = g.placeholder::<f32>("xs", [7, 3]);
    let bits = g.placeholder::<u32>("bits", [7]);
    let carry = (g.constant([0.5f32; 3]), g.constant(1u32));
    let ((sum, hash), ys) = g.scan((xs, bits), carry, |(sum, hash): (Expr, Expr), (x, b): (Expr, Expr)| {
        let sum = &sum * 0.5 + &x;
        let hash = (&hash ^ &b) * 16_777_619u32;
        ((sum.clone(), hash), sum.square())
    });
    Case::new(name, &g.function([]).named("sum", &sum).named("hash", &hash).named("ys", &ys), &[])
}

fn custom_gradient(name: &str) -> Case {
    let g = Graph::new("custom");
    let x = g.placeholder::<f32>("x", [8]);
    let clip = |x: &Expr| {
        custom_vjp("clip gradient", &[x], |x| vec![x[0].sin()], |_, _, ct| vec![ct[0].clamp(-0.5, 0.5)]).swap_remove(0)
    };
    let y = clip(&x) * 3.0 + clip(&(&x * 2.0));
    let dx = &grad(&y.square().sum(..), &[&x])[0];
    let fixed = (&x * 2.0).stop_gradient();
    Case::new(name, &g.function([]).named("y", &y).named("dx", dx).named("fixed", &fixed), &[])
}

fn random_numbers(name: &str) -> Case {
    let g = Graph::new("noise");
    let rng = g.rng_state("rng", 42);
    let mut function = g.function([]);
    for dtype in [DType::U8, DType::U16, DType::U32, DType::U64, DType::I32, DType::I64] {
        function = function.named(&format!("bits_{dtype}"), &rng.bits(dtype, [3, 7]));
    }
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
        function = function.named(&format!("uniform_{dtype}"), &rng.uniform(dtype, [50]));
    }
    let normal = rng.normal(DType::F32, [33]);
    function = function.named("normal", &normal).named("coin", &rng.bernoulli(0.3, [100]));
    Case::new(name, &function, &[]).loose(4.0)
}

fn dropout(name: &str) -> Case {
    let g = Graph::new("dropout");
    let x = g.placeholder::<f32>("x", [16, 16]);
    let layer = kiln::nn::layers::Dropout::new(&g, "drop", 0.25, 7);
    let y = layer.apply(&Dense::new(&g, "d", 16, 16).apply(&x), Mode::Train);
    let updates = optim::Sgd::new(0.1).minimize(&y.square().mean(..));
    Case::new(name, &g.function([]).named("y", &y).updates(updates), &[]).loose(10.0)
}

fn named_dimensions(name: &str) -> Case {
    let g = Graph::new("named");
    let x = g.placeholder::<f32>("x", dims!["batch", "seq", 8]);
    let y = (x.softmax(1) + x.mean_keepdims([0])).reshape([x.dim(0) * 8, x.dim(1)]).transpose([1, 0]);
    let symbolic = g.function([]).named("y", &y).finish().expect("the graph is right");
    let symbolic = kiln::ir::Verified::new(symbolic).expect("the builder keeps the rules");
    let sizes = [("batch".into(), 3), ("seq".into(), 5)].into_iter().collect();
    let func = kiln::ir::specialize::specialize(&symbolic, &sizes).expect("the sizes fit").into_func();
    let x = inputs::random(&mut Rng::new(5), DType::F32, &[3, 5, 8]);
    let feeds = vec![("x".to_owned(), x)];
    Case { name: name.to_owned(), func, feeds, locations: false, factor: 1.0, rate: 0.0, unscaled: false, errors: None }
}

fn locations(name: &str) -> Case {
    let g = Graph::new("places");
    let x = g.placeholder::<f32>("the input", [4, 4]);
    let y = g.scope("encoder", || (x.dot(&x) + 1.0).named("h").tanh());
    let _odd = g.at(Loc::new("dir with \"quotes\"/é.rs", 3, 7));
    let z = y.sort(1);
    let mut case = Case::new(name, &g.function([]).named("the result", &z), &[]);
    case.locations = true;
    case
}

fn embedding_gradient(name: &str) -> Case {
    let g = Graph::new("embedding");
    let ids = g.placeholder::<i32>("ids", [5, 6]);
    let table = g.variable("table", init::normal([11, 4], 1.0));
    let loss = table.embedding(&ids).square().sum([2]).softmax(1).square().sum(..);
    let updates = optim::Sgd::new(0.5).minimize(&loss);
    let ids = inputs::numbers(DType::I32, &[5, 6], (0..30).map(|i| f64::from(i * 7 % 11)).collect());
    Case::new(name, &g.function([]).named("loss", &loss).updates(updates), &[("ids", ids)]).loose(10.0)
}

fn convolutions(name: &str) -> Case {
    let g = Graph::new("convolutions");
    let x = g.placeholder::<f32>("x", [2, 6, 11, 9]);
    let k = g.variable("k", init::normal([8, 6, 3, 3], 0.3));
    let d = g.variable("d", init::normal([12, 3, 3, 2], 0.3));
    let t = g.variable("t", init::normal([5, 6, 4, 4], 0.3));
    let plain = x.conv(&k, &Conv::nchw().same().stride([2, 1]));
    let grouped = x.conv(&d, &Conv::nchw().groups(2).kernel_dilation([2, 3]));
    let transposed = x.conv(&t, &Conv::nchw().input_dilation([2, 2]).pad([(3, 2), (1, -1)]));
    let loss = plain.square().sum(..) + grouped.sin().sum(..) + transposed.tanh().sum(..);
    let updates = optim::Sgd::new(0.01).minimize(&loss);
    let line = g.placeholder::<f64>("line", [3, 20, 4]);
    let filter = g.placeholder::<f64>("filter", [5, 4, 7]);
    let nhwc = line.conv(&filter, &Conv::in_layout(kiln::builder::Layout::ChannelsLast).stride([3]));
    let function = g.function([]).named("plain", &plain).named("grouped", &grouped).named("transposed", &transposed);
    Case::new(name, &function.named("nhwc", &nhwc).updates(updates), &[]).loose(20.0)
}

fn pooling(name: &str) -> Case {
    let g = Graph::new("pooling");
    let x = g.placeholder::<f32>("x", [2, 3, 10, 12]);
    let options = || Pool::nchw().stride([2, 3]).pad([(1, 0), (0, 2)]);
    let largest = x.max_pool(&[3, 3], &options());
    let average = x.avg_pool(&[2, 3], &options());
    let smallest = x.min_pool(&[3, 2], &options());
    let sums = x.cast_to(DType::BF16).sum_pool(&[3, 3], &options());
    let loss = largest.square().sum(..) + average.square().sum(..) + smallest.exp().sum(..);
    let dx = &grad(&loss, &[&x])[0];
    let function = g.function([]).named("largest", &largest).named("average", &average).named("smallest", &smallest);
    Case::new(name, &function.named("sums", &sums).named("dx", dx), &[]).loose(4.0)
}
