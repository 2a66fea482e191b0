//! Files of every version of the artifact format, in `tests/golden`: they load and run for ever.
//!
//! `KILN_WRITE_GOLDEN=1` writes those that are missing, and never one that is there. `mlp-2.9.kiln` is made of `mlp-2.0.kiln` by the tests
//! of `kiln-artifact`.

use crate::support::floats;
use kiln::prelude::*;
use kiln::program::CpuTarget;
use kiln::runtime::ArtifactError;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).join(name)
}

/// A little of everything that a file holds: trained weights, a large and small literals, a call, a kernel, a named dimension.
fn mlp() -> FunctionSpec {
    let g = Graph::new("mlp");
    let x = g.placeholder::<f32>("x", dims!["batch", 8]);
    let w = g.variable("w", init::value(floats(1, &[8, 16])));
    let b = g.variable("b", init::zeros([16]));
    let mix = g.constant(floats(2, &[16, 32]));
    let y = ((x.dot(&w) + &b).tanh().dot(&mix) * 0.5).named("y");
    g.function([&y])
}

/// Writes what is missing, if asked to: two targets, two sizes.
fn write_missing() {
    if std::env::var_os("KILN_WRITE_GOLDEN").is_none() || !cfg!(target_arch = "x86_64") {
        return;
    }
    let path = golden("mlp-2.0.kiln");
    if !path.exists() {
        let targets = ["x86-64-v2", "x86-64-v3"].map(|t| CpuTarget::parse(t).expect("a level"));
        let compiler = Compiler::for_targets(targets).threads(1).sizes(&[("batch", 1)]).sizes(&[("batch", 3)]);
        compiler.compile(&mlp()).expect("compiles").export(&path).expect("written");
    }
    let next = golden("mlp-3.0.kiln");
    if !next.exists() {
        let mut bytes = std::fs::read(&path).expect("written above");
        bytes[8] = 3;
        std::fs::write(next, bytes).expect("written");
    }
}

#[test]
fn golden_files_load_and_run() {
    write_missing();
    let here = Compiler::cpu().threads(1).compile(&mlp()).expect("compiles");
    for name in ["mlp-2.0.kiln", "mlp-2.9.kiln"] {
        let options = LoadOptions::new(Trust::RunsItsCode).verify_all();
        let loaded = match Executable::load_with(golden(name), &options) {
            Err(RunError::Artifact(ArtifactError::Target { .. })) if !cfg!(target_arch = "x86_64") => continue,
            loaded => loaded.unwrap_or_else(|e| panic!("{name}: {e}")),
        };
        assert_eq!(loaded.programs().len(), 2, "{name}: two sizes");
        assert!(loaded.programs().iter().all(|p| p.targets().len() == 2), "{name}: two targets");
        for n in [1, 3] {
            let x = floats(7, &[n, 8]);
            let values = |exe: &Executable| {
                let out = exe.session().and_then(|mut s| s.run(&[("x", &x)])).unwrap_or_else(|e| panic!("{name}: {e}"));
                out["y"].to_vec::<f32>().expect("f32")
            };
            let (found, expected) = (values(&loaded), values(&here));
            // Code of another day may round sums of 16 otherwise.
            assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() <= 1e-5), "{name}: {found:?} {expected:?}");
        }
    }
}

#[test]
fn files_of_other_major_versions_are_refused_by_name() {
    write_missing();
    let error = Executable::load(golden("mlp-3.0.kiln"), Trust::RunsItsCode).expect_err("another version").to_string();
    assert!(error.contains("version 3") && error.contains("version 2"), "{error}");
}
