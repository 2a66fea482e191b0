//! Random graphs give the same results whatever the optimizer may do.

use kiln::optimizer::{OptimizeOptions, PASSES};
use kiln::plan::{FusionLimits, PlanOptions};
use kiln::prelude::*;
use kiln_tests::compare::compare;
use kiln_tests::random::{Case, generate};
use kiln_tests::size_of;

/// Graphs compiled in every way. Other seeds than those of the random suite.
const SEEDS: std::ops::Range<u64> = 20_000..20_060;

/// Every way: a name and its options.
fn ways() -> Vec<(String, OptimizeOptions, PlanOptions)> {
    let base = OptimizeOptions { dump: None, ..OptimizeOptions::default() };
    let unfused = PlanOptions { fuse: false, ..PlanOptions::default() };
    let unscheduled = PlanOptions { schedule: false, ..PlanOptions::default() };
    let limits = FusionLimits { max_nodes: 3, max_inputs: 3, ..kiln::cpu::machine().fusion };
    let small = PlanOptions { limits: Some(limits), ..PlanOptions::default() };
    let mut ways = vec![
        ("no fusion".to_owned(), base.clone(), unfused),
        ("no scheduling".to_owned(), base.clone(), unscheduled),
        ("small kernels".to_owned(), base.clone(), small),
    ];
    for level in 0..=2 {
        ways.push((format!("level {level}"), OptimizeOptions { level, ..base.clone() }, PlanOptions::default()));
    }
    for pass in PASSES {
        let options = OptimizeOptions { disable: vec![pass.to_owned()], ..base.clone() };
        ways.push((format!("without {pass}"), options, PlanOptions::default()));
    }
    for n in [1, 7] {
        let options = OptimizeOptions { stop_after_n_rewrites: Some(n), ..base.clone() };
        ways.push((format!("{n} rewrites"), options, PlanOptions::default()));
    }
    ways
}

fn check(case: &Case, optimize: &OptimizeOptions, plan: &PlanOptions) -> Result<(), String> {
    let compiler = Compiler::cpu().optimize(optimize.clone()).plan(plan.clone()).threads(1);
    let exe = compiler.compile_func(case.func.clone()).map_err(|e| format!("compile: {e}"))?;
    let feeds: Vec<(&str, &Tensor)> = case.func.inputs.iter().map(|i| i.name.as_str()).zip(&case.inputs).collect();
    let found = exe.run(&feeds).map_err(|e| format!("run: {e}"))?.into_vec();
    for (i, ((expected, error), found)) in case.expected.iter().zip(&found).enumerate() {
        compare(found, expected, *error).map_err(|e| format!("output {i}: {e}"))?;
    }
    Ok(())
}

#[test]
fn options_do_not_change_results() {
    let ways = ways();
    let mut failures = Vec::new();
    for seed in SEEDS {
        let case = generate(seed, size_of(seed));
        for (name, optimize, plan) in &ways {
            if let Err(e) = check(&case, optimize, plan) {
                failures.push(format!("seed {seed}, {name}: {e}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn dumps_of_every_size_stand_side_by_side() {
    let dir = std::env::temp_dir().join(format!("kiln-dump-{}", std::process::id()));
    let g = Graph::new("models/the one");
    let y = g.placeholder::<f32>("x", dims!["n"]).exp();
    let options = OptimizeOptions { dump: Some(dir.clone()), ..OptimizeOptions::default() };
    let compiler = Compiler::cpu().optimize(options).threads(1).sizes(&[("n", 2)]).sizes(&[("n", 3)]);
    compiler.compile(&g.function([&y])).expect("compiles");
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .expect("the dump")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    std::fs::remove_dir_all(&dir).expect("removable");
    for stem in ["models_the_one", "models_the_one.2"] {
        let of: Vec<&str> = names.iter().filter_map(|n| n.strip_prefix(stem)?.strip_prefix(".0")).collect();
        assert_eq!(of.first(), Some(&"00.input.kir"), "{names:?}");
        assert!(of.iter().any(|n| n.ends_with(".kernels.txt")), "{names:?}");
        assert!(of.last().is_some_and(|n| n.ends_with(".program.txt")), "{names:?}");
    }
}
