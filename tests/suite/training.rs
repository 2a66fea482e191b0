//! Training follows double precision: losses of the first steps of the benchmark's training workloads.

use kiln::prelude::*;

/// Double precision reference of T1 (multilayer perceptron, SGD with momentum): the loss before each of the first 20 updates.
const MLP: [f64; 20] = [
    2.7057790957007932,
    2.5068602402795577,
    2.5560970837878436,
    2.36566043018819,
    2.1258210601222336,
    1.839298367335769,
    1.76832202161313,
    1.597256153531888,
    1.17563104676615,
    0.8896890851733096,
    0.878156843275597,
    0.8318872473113148,
    0.3861538105917468,
    0.34678949761144395,
    0.4439792043548615,
    0.3102671943498417,
    0.13592853713254738,
    0.10297714608016406,
    0.1132885280212373,
    0.08003859033684393,
];

/// Double precision reference of T2 (convolutional network, Adam): the loss before each of the first 20 updates.
const CNN: [f64; 20] = [
    2.9868092690422454,
    2.9568267128354204,
    2.68707077313421,
    2.9224421778935614,
    3.0464018817563283,
    2.659427201355666,
    2.3009389369603754,
    2.458330147823805,
    2.340935045100387,
    2.5680237804968415,
    2.3802423330675455,
    2.453885432777356,
    2.170148012910861,
    2.4475791403317793,
    2.2670475654627706,
    2.262642074895158,
    2.144261534978744,
    2.231881722888299,
    2.0789727934975337,
    2.1793799818854502,
];

/// Double precision reference of T3 (transformer, AdamW): the loss before each of the first 20 updates.
const GPT: [f64; 20] = [
    7.094609768277329,
    7.044693482592398,
    6.964648857348501,
    6.904344046192075,
    6.713503731038987,
    6.707286733971385,
    6.670570589779193,
    6.678514949300945,
    6.517613843216812,
    6.5182980962075785,
    6.645108382564525,
    6.558607111555738,
    6.418869070905168,
    6.446713029396999,
    6.520232694270862,
    6.473722172158402,
    6.234113906115382,
    6.249072761697443,
    6.310499266875039,
    6.404790131530412,
];

/// Runs `steps` training steps and compares each loss.
///
/// The bound of 1e-4 relative leaves room for single precision, 20 updates, and any order of summation.
fn check(key: &str, reference: &[f64; 20], steps: usize, threads: usize) {
    let w = kiln_benches::table::make(key).expect("the table has it");
    let exe = Compiler::cpu().threads(threads).compile(&kiln_benches::models::function(&w));
    let exe = exe.unwrap_or_else(|e| panic!("{key}: {e}"));
    let mut session = Session::new(&exe).expect("a session");
    for (i, expected) in reference.iter().take(steps).enumerate() {
        let (x, y) = &w.batches[i % w.batches.len()];
        let out = session.run(&[("x", x), ("y", y)]).expect("runs");
        let found = f64::from(out["loss"].item::<f32>().expect("a scalar"));
        let error = (found - expected).abs() / expected;
        assert!(error <= 1e-4, "{key}, step {i}: loss {found}, expected {expected} (relative error {error:.1e})");
    }
}

#[test]
fn mlp_with_momentum() {
    check("T1", &MLP, 20, 1);
}

#[test]
fn mlp_on_two_threads() {
    check("T1", &MLP, 20, 2);
}

#[test]
fn cnn_with_adam() {
    check("T2", &CNN, 20, 1);
}

#[test]
fn gpt_with_adamw() {
    check("T3", &GPT, 20, 1);
}
