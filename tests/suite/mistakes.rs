//! Mistakes as users make them. Their texts, with line numbers, are in `diagnostics.txt`.

use crate::support::floats;
use kiln::builder::{Conv, Graph, Pool, Updates, grad};
use kiln::debug;
use kiln::interp::EvalOptions;
use kiln::nn::layers::{Dense, Embedding};
use kiln::optimizer::{OptimizeOptions, PASSES};
use kiln::prelude::*;

/// Compiles and gives the error's text.
fn compiled(spec: &FunctionSpec) -> String {
    match Compiler::cpu().threads(1).compile(spec) {
        Err(e) => e.to_string(),
        Ok(_) => "it compiled".to_owned(),
    }
}

fn text<T>(result: Result<T, impl std::fmt::Display>) -> String {
    result.map_or_else(|e| e.to_string(), |_| "it worked".to_owned())
}

/// Every mistake with the text that its maker reads.
pub fn all() -> Vec<(&'static str, String)> {
    let mut all = graphs();
    all.extend(training());
    all.extend(compiling());
    all.extend(running());
    all
}

fn graphs() -> Vec<(&'static str, String)> {
    vec![
        ("a weight of the wrong size", {
            let g = Graph::new("mlp");
            let x = g.placeholder::<f32>("x", dims!["batch", 784]);
            let w1 = g.variable("w1", init::he_normal([784, 128]));
            let w2 = g.variable("w2", init::he_normal([256, 10]));
            let h = x.dot(&w1).relu().named("h");
            // Everything behind the mistake is silent.
            let y = h.dot(&w2).softmax(-1).sum([0, 1]).named("y");
            compiled(&g.function([&y]))
        }),
        ("several mistakes at once", {
            let g = Graph::new("several");
            let x = g.placeholder::<f32>("x", dims![4, 3]);
            let a = x.reshape([5, 5]);
            let b = x.transpose([0, 0]);
            let c = x.sum(2);
            compiled(&g.function([&a, &b, &c]))
        }),
        ("mixed element types", {
            let g = Graph::new("dtypes");
            let x = g.placeholder::<f32>("x", dims![3]);
            let ids = g.placeholder::<i32>("ids", dims![3]);
            compiled(&g.function([&(&x * &ids)]))
        }),
        ("a logical operator on floats", {
            let g = Graph::new("logic");
            let x = g.placeholder::<f32>("x", dims![3]);
            compiled(&g.function([&(!&x)]))
        }),
        ("channels that do not fit the kernel", {
            let g = Graph::new("conv");
            let x = g.placeholder::<f32>("x", dims!["batch", 3, 32, 32]);
            let k = g.variable("k", init::he_normal([16, 4, 3, 3]));
            compiled(&g.function([&x.conv(&k, &Conv::nchw().same())]))
        }),
        ("a window of too many dimensions", {
            let g = Graph::new("pool");
            let x = g.placeholder::<f32>("x", dims![1, 1, 8]);
            compiled(&g.function([&x.max_pool(&[3, 3], &Pool::nchw())]))
        }),
        ("a reshape that named sizes rule out", {
            let g = Graph::new("reshape");
            let x = g.placeholder::<f32>("x", dims!["n", "m"]);
            compiled(&g.function([&x.reshape([Dim::symbol("n") * 2, 4i64.into()])]))
        }),
        ("parts that do not line up", {
            let g = Graph::new("concat");
            let a = g.placeholder::<f32>("a", dims!["batch", 3]);
            let b = g.placeholder::<f32>("b", dims!["other", 4]);
            compiled(&g.function([&g.concat(&[&a, &b], 1)]))
        }),
        ("a name used twice", {
            let g = Graph::new("names");
            let x = g.placeholder::<f32>("x", dims![2]);
            let y = g.placeholder::<f32>("x", dims![2]);
            compiled(&g.function([&(x + y)]))
        }),
        ("a dense layer on the wrong width", {
            let g = Graph::new("layers");
            let x = g.placeholder::<f32>("x", dims!["batch", 100]);
            let fc = Dense::new(&g, "fc", 128, 10);
            let y = fc.apply(&x);
            compiled(&g.function([&y]))
        }),
        ("float ids", {
            let g = Graph::new("ids");
            let ids = g.placeholder::<f32>("ids", dims!["batch", "seq"]);
            let words = Embedding::new(&g, "words", 1000, 64);
            compiled(&g.function([&words.apply(&ids)]))
        }),
        ("a loop that changes its state", {
            let g = Graph::new("loop");
            let x = g.placeholder::<f32>("x", dims![2]);
            let y = g.fori_loop(3, x, |_, x| g.concat(&[&x, &x], 0));
            compiled(&g.function([&y]))
        }),
    ]
}

fn training() -> Vec<(&'static str, String)> {
    vec![
        ("a loss that is no scalar", {
            let g = Graph::new("loss");
            let x = g.placeholder::<f32>("x", dims!["batch", 3]);
            let w = g.variable("w", init::zeros([3, 2]));
            let losses = x.dot(&w).square().named("losses");
            let step = optim::Sgd::new(0.1).minimize(&losses);
            compiled(&g.function([&losses]).updates(step))
        }),
        ("labels of another batch", {
            let g = Graph::new("labels");
            let logits = g.placeholder::<f32>("logits", dims![32, 10]);
            let labels = g.placeholder::<i32>("labels", dims![16]);
            compiled(&g.function([&logits.softmax_cross_entropy(&labels)]))
        }),
        ("the gradient of an integer", {
            let g = Graph::new("integers");
            let n = g.placeholder::<i32>("n", dims![3]);
            let loss = n.cast::<f32>().sum(..);
            compiled(&g.function(&grad(&loss, &[&n])))
        }),
        ("an update that is no variable", {
            let g = Graph::new("update");
            let x = g.placeholder::<f32>("x", dims![3]);
            compiled(&g.function([&x]).updates(Updates::new().with(&x, &(&x + 1.0))))
        }),
        ("a random integer", {
            let g = Graph::new("start");
            let w = g.variable("w", init::normal([3], 1.0).dtype(DType::I32));
            compiled(&g.function([&w]))
        }),
    ]
}

fn compiling() -> Vec<(&'static str, String)> {
    let g = Graph::new("sizes");
    let x = g.placeholder::<f32>("x", dims!["n", "m"]);
    let first = x.slice_axis(1, 0..4, 1).named("first");
    let spec = g.function([&first]);
    vec![
        ("a size that does not fit", { text(Compiler::cpu().threads(1).sizes(&[("n", 2), ("m", 3)]).compile(&spec)) }),
        ("a negative size", text(Compiler::cpu().threads(1).sizes(&[("n", -2), ("m", 4)]).compile(&spec))),
        ("a size left out", text(Compiler::cpu().threads(1).sizes(&[("m", 4)]).compile(&spec))),
        ("an unknown pass", {
            let options = OptimizeOptions { disable: vec!["fusoin".into()], ..OptimizeOptions::default() };
            let one = Graph::new("pass").constant([1.0f32]);
            let text = text(Compiler::cpu().optimize(options).compile(&one.graph().function([&one])));
            // Every pass is named; which there are is not for this file to know.
            text.replace(&PASSES.join(", "), "<all passes, in order>")
        }),
        ("text with a typing error", {
            let source = "func @f(%x: f32[3]) -> (y: f32[3]) {\n  %0 = negaet %x : f32[3]\n  return %0\n}\n";
            text(kiln::ir::text::parse_named("model.kir", source))
        }),
        ("text with the wrong type", {
            let source = "func @f(%x: f32[3]) -> (y: f32[4]) {\n  %0 = negate %x : f32[4]\n  return %0\n}\n";
            text(kiln::ir::text::parse_named("model.kir", source))
        }),
        ("a NaN on the way", {
            let g = Graph::new("nan");
            let x = g.placeholder::<f32>("x", dims![2]);
            let y = (x.log().named("logs") * 0.0).exp();
            let options = EvalOptions { stop_at_first_nan: true, ..EvalOptions::default() };
            let negative = Tensor::from_vec([2], vec![1.0f32, -1.0]).expect("fits");
            text(debug::eval(&g.function([&y]), &[("x", &negative)], &options))
        }),
    ]
}

fn running() -> Vec<(&'static str, String)> {
    let exe = {
        let g = Graph::new("serve");
        let x = g.placeholder::<f32>("x", dims!["batch", 3]);
        let mask = g.placeholder::<bool>("mask", dims!["batch"]);
        let w = g.variable("w", init::ones([3]));
        let y = g.where_(&mask, x.dot(&w), 0.0).named("y");
        let step = Updates::new().with(&w, &(&w + 1.0));
        Compiler::cpu().threads(1).compile(&g.function([&y]).updates(step)).expect("compiles")
    };
    let mut session = Session::new(&exe).expect("a session");
    let (x, mask) = (floats(1, &[2, 3]), Tensor::from_vec([2], vec![true, false]).expect("fits"));
    let (ints, long) = (Tensor::from_vec([2, 3], vec![0i32; 6]).expect("fits"), floats(1, &[5, 3]));
    let good = [("x", &x), ("mask", &mask)];
    let mut of = |feeds: &[(&str, &Tensor)]| text(session.run(feeds));
    let mut texts = vec![
        ("an unknown feed", of(&[("x", &x), ("mask", &mask), ("z", &x)])),
        ("a missing feed", of(&[("x", &x)])),
        ("a feed given twice", of(&[("x", &x), ("x", &x), ("mask", &mask)])),
        ("a feed of another element type", of(&[("x", &ints), ("mask", &mask)])),
        ("a feed of another rank", of(&[("x", &floats(1, &[3])), ("mask", &mask)])),
        ("a feed of another size", of(&[("x", &floats(1, &[2, 4])), ("mask", &mask)])),
        ("sizes that contradict each other", of(&[("x", &long), ("mask", &mask)])),
        ("all is well", of(&good)),
    ];
    let shape = [3usize];
    let mut small = [0.0f32; 3];
    let views = [TensorView::from(&x), TensorView::from(&mask)];
    texts.extend([
        ("a run that needs a session", text(exe.run(&good))),
        ("an unknown variable", text(session.get("W"))),
        ("a variable of another shape", text(session.set("w", &x))),
        ("too few inputs", text(session.run_into(&views[..1], &mut []))),
        ("too few outputs", text(session.run_into(&views, &mut []))),
        (
            "an output buffer of another size",
            text(session.run_into(&views, &mut [TensorViewMut::new(&shape, &mut small).expect("fits")])),
        ),
    ]);
    // No failed run has changed the variable; the good one has, once.
    assert_eq!(session.get("w").expect("it is a variable").to_vec::<f32>().expect("f32"), [2.0; 3]);
    texts
}
