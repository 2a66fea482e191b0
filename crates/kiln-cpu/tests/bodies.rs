//! Straight-line loops inside of kernels by an emitter of their own: it takes nothing else, and the code of the kernel calls its.

mod common;

use common::{Rng, assert_same, buffers, options, run_code, verified};
use kiln_cpu::{CpuOptions, KernelEmitter, MachineCode, Worker, compile_kernels_with, emitters};
use kiln_loops::analysis::{BodyCall, bodies, with_calls};
use kiln_loops::math::MathOptions;
use kiln_loops::{Kernel, LoopKind, Stmt, Verified};

/// Takes kernels of one straight-line vector loop, as bodies are, and has them compiled by another emitter.
struct BodyEmitter(Box<dyn KernelEmitter>);

impl KernelEmitter for BodyEmitter {
    fn name(&self) -> &'static str {
        "bodies"
    }
    fn math(&self) -> MathOptions {
        self.0.math()
    }
    fn supports(&self, kernel: &Verified<Kernel>) -> bool {
        kernel.body.iter().all(|s| match s {
            Stmt::Loop(l) => l.kind == LoopKind::Vector && l.is_straight_line(),
            Stmt::Let { .. } | Stmt::Store { .. } => true,
            Stmt::If { .. } => false,
        })
    }
    fn worker(&self) -> Box<dyn Worker + '_> {
        self.0.worker()
    }
}

/// Kernels as the lowering makes them, and a softmax, a layer norm and others of the file tests.
fn kernels() -> Vec<Kernel> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/filetests/files/emit");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the kernels")
        .map(|e| e.expect("a file").path())
        .filter(|p| p.extension().is_some_and(|e| e == "kl"))
        .collect();
    paths.sort();
    let read = |p: std::path::PathBuf| (p.display().to_string(), std::fs::read_to_string(&p).expect("a text"));
    let texts = kiln_testing::golden::lowered_kernels().into_iter().chain(paths.into_iter().map(read));
    let parse = |(n, t): (String, String)| kiln_loops::text::parse(&t).unwrap_or_else(|e| panic!("{n}: {e}"));
    texts.map(parse).collect()
}

/// The emitter that takes every kernel, alone.
fn complete(options: &CpuOptions) -> Vec<Box<dyn KernelEmitter>> {
    vec![emitters(options).expect("the host is supported").pop().expect("an emitter")]
}

fn with_bodies(options: &CpuOptions) -> Vec<Box<dyn KernelEmitter>> {
    let mut all = complete(options);
    all.insert(0, Box::new(BodyEmitter(complete(options).remove(0))));
    all
}

#[test]
fn bodies_compute_the_same() {
    let kernels = verified(&kernels());
    let options = options();
    let (plain, _) = compile_kernels_with(&complete(&options), &kernels, &options).expect("compiles");
    let (code, report) = compile_kernels_with(&with_bodies(&options), &kernels, &options).expect("compiles");
    let taken: usize = report.kernels.iter().map(|k| k.bodies).sum();
    assert!(taken >= 9, "{taken} loops of {} kernels", kernels.len());
    assert!(report.kernels.iter().any(|k| k.emitter == "bodies"), "some kernels are no more than such a loop");
    let mut rng = Rng(3);
    let inputs: Vec<Vec<Vec<u8>>> = kernels.iter().map(|k| buffers(k, &mut rng)).collect();
    for pieces in 1..3 {
        let (mut expected, mut found) = (inputs.clone(), inputs.clone());
        run_code(&plain, &kernels, &mut expected, pieces);
        run_code(&code, &kernels, &mut found, pieces);
        for (kernel, (expected, found)) in kernels.iter().zip(expected.iter().zip(&found)) {
            assert_same(kernel, expected, found);
        }
    }
}

/// The results are those of the interpreter also where the kernel as it is prepared for calls keeps its loops.
#[test]
fn an_emitter_may_keep_the_loops() {
    struct Keeps(Box<dyn KernelEmitter>);
    struct Keeping<'e>(Box<dyn Worker + 'e>);
    impl KernelEmitter for Keeps {
        fn name(&self) -> &'static str {
            "keeps"
        }
        fn math(&self) -> MathOptions {
            self.0.math()
        }
        fn supports(&self, _: &Verified<Kernel>) -> bool {
            true
        }
        fn worker(&self) -> Box<dyn Worker + '_> {
            Box::new(Keeping(self.0.worker()))
        }
    }
    impl Worker for Keeping<'_> {
        fn emit(&mut self, kernel: &Verified<Kernel>, _: &[BodyCall]) -> Result<MachineCode, kiln_cpu::CompileError> {
            self.0.emit(kernel, &[])
        }
    }
    let (kernels, options) = (verified(&kernels()), options());
    let mut list = with_bodies(&options);
    let last = list.pop().expect("Cranelift");
    list.push(Box::new(Keeps(last)));
    let (code, _) = compile_kernels_with(&list, &kernels, &options).expect("compiles");
    let (plain, _) = compile_kernels_with(&complete(&options), &kernels, &options).expect("compiles");
    let mut rng = Rng(4);
    let mut expected: Vec<Vec<Vec<u8>>> = kernels.iter().map(|k| buffers(k, &mut rng)).collect();
    let mut found = expected.clone();
    run_code(&plain, &kernels, &mut expected, 1);
    run_code(&code, &kernels, &mut found, 1);
    for (kernel, (expected, found)) in kernels.iter().zip(expected.iter().zip(&found)) {
        assert_same(kernel, expected, found);
    }
}

#[test]
fn without_a_body_emitter_nothing_is_called() {
    let (kernels, options) = (verified(&kernels()), options());
    let (code, report) = compile_kernels_with(&complete(&options), &kernels, &options).expect("compiles");
    assert!(report.kernels.iter().all(|k| k.bodies == 0 && k.emitter == "cranelift"));
    let bytes: usize = report.kernels.iter().map(|k| k.bytes.next_multiple_of(64)).sum();
    assert!(code.bytes.len() <= bytes + 64, "nothing but the kernels and an empty entry");
    assert_eq!(compile_kernels_with(&complete(&options), &kernels, &options).expect("compiles").0, code);
}

#[test]
fn a_body_is_a_kernel_of_places_and_values() {
    let text = r#"kernel "rows" {
  param p0 "x": f32[80] read
  param p1 "y": f32[80] write
  param p2 "s": f32[8] read
  axes 2
  parallel i0 < 8 {
    %0: f32 = load p2[i0]
    %1: f32 = const 2.0
    vector i1 < 9 {
      %2: f32 = load p0[10*i0 + i1]
      %3: f32 = load p0[10*i0 + i1 + 1]
      %4: f32 = fma %2, %1, %0
      %5: f32 = add %4, %3
      store p1[10*i0 + i1] = %5
    } reduce %6: f32 = maximum(%0, %5)
    store p1[10*i0 + 9] = %6
  }
}"#;
    let kernel = Verified::new(kiln_loops::text::parse(text).expect("parses")).expect("verifies");
    let found = bodies(&kernel);
    assert_eq!(found.len(), 1);
    let body = r#"kernel "rows, axis 1" {
  param p0 "arg0": f32[10] read
  param p1 "arg1": f32[9] readwrite
  param p2 "arg2": f32[1] read
  param p3 "arg3": f32[1] write
  axes 1
  %2: f32 = const 2.0
  %3: f32 = load p2[0]
  vector i0 < 9 {
    %0: f32 = load p0[i0]
    %1: f32 = load p0[i0 + 1]
    %4: f32 = fma %0, %2, %3
    %5: f32 = add %4, %1
    store p1[i0] = %5
  } reduce %6: f32 = maximum(%3, %5)
  store p3[0] = %6
}
"#;
    assert_eq!(kiln_loops::text::print(&found[0].kernel), body);
    let (host, calls) = with_calls(&kernel, &found);
    assert_eq!(calls[0].args.len(), 4);
    assert_eq!(calls[0].results.len(), 1);
    assert_eq!(host.locals.len(), 2);
    // A gather, and a buffer that is reached from two places of which one is stored to, stay.
    for other in [
        text.replace("load p0[10*i0 + i1 + 1]", "load p0[%7]").replace("%0: f32 =", "%7: i64 = axis i0\n %0: f32 ="),
        text.replace("p1 \"y\": f32[80] write", "p1 \"y\": f32[80] readwrite")
            .replace("load p0[10*i0 + i1 + 1]", "load p1[0]"),
    ] {
        let kernel = kiln_loops::text::parse(&other).unwrap_or_else(|e| panic!("{e}\n{other}"));
        let Ok(kernel) = Verified::new(kernel) else { panic!("{other}") };
        assert!(bodies(&kernel).is_empty(), "{other}");
    }
}
