//! Artifacts and checkpoints: the same bits in this process and in another one, errors for everything else.

use crate::support::{TempFile, bits, floats, labels, predictor, trainer};
use kiln::prelude::*;
use kiln::runtime::ArtifactError;
use std::process::Command;

/// What every test says of the file that it wrote.
pub fn trusted() -> LoadOptions {
    LoadOptions::new(Trust::RunsItsCode)
}

fn export(exe: &Executable, name: &str) -> TempFile {
    let file = TempFile::new(name);
    exe.export(file.path()).expect("written");
    file
}

/// The bytes of all outputs, run by a process without a compiler.
fn elsewhere(artifact: &TempFile, threads: usize, feeds: &[(&str, &Tensor)]) -> Vec<u8> {
    let unique = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
    let out = TempFile::new(&format!("out-{unique}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_run_artifact"));
    command.arg(artifact.path()).arg(threads.to_string()).arg(out.path());
    let files: Vec<TempFile> = feeds.iter().map(|(name, _)| TempFile::new(&format!("in-{unique}-{name}"))).collect();
    for ((name, t), file) in feeds.iter().zip(&files) {
        std::fs::write(file.path(), t.bytes()).expect("written");
        let sizes: Vec<String> = t.shape().iter().map(usize::to_string).collect();
        command.arg(format!("{name}={}:{}:{}", t.dtype(), sizes.join("x"), file.path().display()));
    }
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out.bytes()
}

#[test]
fn loaded_gives_the_same_bits() {
    let exe = Compiler::cpu().threads(2).sizes(&[("batch", 3)]).compile(&predictor()).expect("compiles");
    exe.prepare(&[("batch", 1)]).expect("compiles");
    exe.prepare(&[("batch", 17)]).expect("compiles");
    let file = export(&exe, "predictor.kiln");
    let loaded = Executable::load(file.path(), Trust::RunsItsCode).expect("loads");
    assert_eq!((loaded.name(), loaded.memory().len()), ("predictor", 3));
    assert_eq!(loaded.signature().inputs[0].shape, exe.signature().inputs[0].shape);
    let threaded = Executable::load_with(file.path(), &trusted().threads(3)).expect("loads");
    for n in [1, 3, 17] {
        let x = floats(n as u64, &[n, 1, 8, 8]);
        let expected = bits(exe.run(&[("x", &x)]).expect("runs"));
        assert!(bits(loaded.run(&[("x", &x)]).expect("runs")) == expected, "batch {n}");
        assert!(bits(threaded.run(&[("x", &x)]).expect("runs")) == expected, "batch {n} on 3 threads");
        assert!(elsewhere(&file, 1, &[("x", &x)]) == expected.concat(), "batch {n} in another process");
        assert!(elsewhere(&file, 2, &[("x", &x)]) == expected.concat(), "batch {n} in another process on 2 threads");
    }
    // A loaded executable exports as well, to the same file.
    assert!(export(&loaded, "again.kiln").bytes() == file.bytes());
    let error = loaded.run(&[("x", &floats(1, &[2, 1, 8, 8]))]).expect_err("there is no program for 2");
    assert!(matches!(&error, RunError::NoProgram { available, .. } if available.len() == 3), "{error}");
}

#[test]
fn exporting_twice_gives_the_same_bytes() {
    let exe = Compiler::cpu().threads(1).compile(&trainer(4)).expect("compiles");
    assert!(export(&exe, "once.kiln").bytes() == export(&exe, "twice.kiln").bytes());
}

#[test]
fn nothing_compiled_is_nothing_to_export() {
    let exe = Compiler::cpu().threads(1).compile(&predictor()).expect("compiles");
    let file = TempFile::new("nothing.kiln");
    assert!(matches!(exe.export(file.path()), Err(RunError::NothingCompiled)));
    assert!(!file.path().exists());
}

fn batch() -> (Tensor, Tensor) {
    (floats(8, &[4, 1, 8, 8]), labels(9, &[4], 10))
}

fn step(session: &mut Session) -> Vec<Vec<u8>> {
    let (x, y) = batch();
    bits(session.run(&[("x", &x), ("y", &y)]).expect("runs"))
}

/// A trained predictor travels with its weights, and training goes on where it was.
#[test]
fn trained_values_travel() {
    let training = Compiler::cpu().threads(1).compile(&trainer(4)).expect("compiles");
    let predicting = Compiler::cpu().threads(1).sizes(&[("batch", 4)]).compile(&predictor()).expect("compiles");
    let mut session = Session::new(&training).expect("a session");
    session.attach(&predicting).expect("the variables fit");
    (0..5).for_each(|_| drop(step(&mut session)));
    let (x, y) = batch();
    let expected = bits(session.run_with(&predicting, &[("x", &x)]).expect("runs"));
    let untrained = bits(predicting.run(&[("x", &x)]).expect("runs"));
    assert!(expected != untrained, "training changes the predictions");

    let file = TempFile::new("trained.kiln");
    predicting.export_with(&session, file.path()).expect("written");
    let loaded = Executable::load(file.path(), Trust::RunsItsCode).expect("loads");
    assert!(bits(loaded.run(&[("x", &x)]).expect("runs")) == expected);
    assert!(elsewhere(&file, 1, &[("x", &x)]) == expected.concat());

    let file = TempFile::new("trainer.kiln");
    session.export(file.path()).expect("written");
    let mut loaded = Executable::load(file.path(), Trust::RunsItsCode).expect("loads").session().expect("a session");
    let there = elsewhere(&file, 1, &[("x", &x), ("y", &y)]);
    let here = step(&mut session);
    assert!(step(&mut loaded) == here && there == here.concat(), "training goes on to the same bits");
}

#[test]
fn checkpoints_restore_every_variable() {
    let exe = Compiler::cpu().threads(1).compile(&trainer(4)).expect("compiles");
    let mut session = Session::new(&exe).expect("a session");
    (0..3).for_each(|_| drop(step(&mut session)));
    let file = TempFile::new("checkpoint.safetensors");
    session.save(file.path()).expect("written");
    let expected: Vec<_> = (0..3).map(|_| step(&mut session)).collect();
    let mut other = Session::new(&exe).expect("a session");
    other.restore(file.path()).expect("fits");
    let found: Vec<_> = (0..3).map(|_| step(&mut other)).collect();
    assert!(found == expected, "training goes on to the same bits");
    session.restore(file.path()).expect("fits");
    assert!(step(&mut session) == expected[0], "going back in time works too");
}

#[test]
fn checkpoints_that_do_not_fit_change_nothing() {
    let exe = Compiler::cpu().threads(1).compile(&trainer(4)).expect("compiles");
    let mut session = Session::new(&exe).expect("a session");
    step(&mut session);
    let values = |s: &Session| -> Vec<Tensor> { s.variables().map(|n| s.get(n).expect("it is a variable")).collect() };
    let before = values(&session);

    // A graph with one variable of the same name and another shape, in front of which others would fit.
    let g = Graph::new("other");
    let sum = g.variable("k", init::zeros([6, 1, 3, 3])).sum(..) + g.variable("w", init::zeros([5])).sum(..);
    let other = Compiler::cpu().threads(1).compile(&g.function([&sum])).expect("compiles");
    let file = TempFile::new("other.safetensors");
    Session::new(&other).expect("a session").save(file.path()).expect("written");
    let error = session.restore(file.path()).expect_err("another graph's");
    assert!(matches!(&error, RunError::File { reason, .. } if reason.contains("variable")), "{error}");
    assert!(values(&session) == before);

    for (name, contents) in [("empty", &b""[..]), ("noise", b"not a checkpoint"), ("length", &[0xFF; 64])] {
        let file = TempFile::new(name);
        std::fs::write(file.path(), contents).expect("written");
        assert!(matches!(session.restore(file.path()), Err(RunError::File { .. })), "{name}");
        assert!(values(&session) == before, "{name}");
    }
    assert!(matches!(session.restore("/nowhere/at/all"), Err(RunError::Io { .. })));
    let valid = TempFile::new("valid.safetensors");
    session.save(valid.path()).expect("written");
    let bytes = valid.bytes();
    for len in [1, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(valid.path(), &bytes[..len]).expect("written");
        assert!(session.restore(valid.path()).is_err(), "cut at {len}");
        assert!(values(&session) == before, "cut at {len}");
    }
}

fn artifact_error(bytes: &[u8]) -> ArtifactError {
    match Executable::from_bytes(bytes, &trusted()) {
        Err(RunError::Artifact(e)) => e,
        Err(e) => panic!("another error: {e}"),
        Ok(_) => panic!("it was read"),
    }
}

#[test]
fn wrong_files_are_named_errors() {
    let exe = Compiler::cpu().threads(1).compile(&trainer(2)).expect("compiles");
    let valid = export(&exe, "valid.kiln").bytes();
    assert!(Executable::from_bytes(&valid, &trusted()).is_ok());

    for len in [0, 1, 7] {
        assert_eq!(artifact_error(&valid[..len]), ArtifactError::NotAnArtifact);
    }
    let step = valid.len() / 97;
    for len in (8..valid.len()).step_by(step).chain([63, 64, 65, valid.len() - 1]) {
        let error = artifact_error(&valid[..len]);
        assert!(matches!(error, ArtifactError::Length { .. }), "cut at {len}: {error}");
    }
    let longer = [&valid[..], b"\0"].concat();
    assert!(matches!(artifact_error(&longer), ArtifactError::Length { .. }));
    let whole = trusted().verify_all();
    for at in (64..valid.len()).step_by(step) {
        let mut altered = valid.clone();
        altered[at] ^= 0x10;
        let Err(RunError::Artifact(error)) = Executable::from_bytes(&altered, &whole) else { panic!("byte {at}") };
        assert!(matches!(error, ArtifactError::Checksum { .. } | ArtifactError::Invalid { .. }), "byte {at}: {error}");
    }
    let mut newer = valid.clone();
    newer[8] += 1;
    assert!(matches!(artifact_error(&newer), ArtifactError::Version { found: 3, supported: 2 }));
    assert_eq!(
        artifact_error(b"\x7FELF, or any other file of more than thirty-two bytes"),
        ArtifactError::NotAnArtifact
    );
    assert!(matches!(Executable::load("/nowhere/at/all.kiln", Trust::RunsItsCode), Err(RunError::Io { .. })));
}

/// The text of the error, since it has to say what to do.
#[test]
fn another_target_is_refused() {
    let exe = Compiler::cpu().threads(1).compile(&trainer(2)).expect("compiles");
    let valid = export(&exe, "target.kiln").bytes();
    let arch = std::env::consts::ARCH.as_bytes();
    let at = valid.windows(arch.len()).position(|w| w == arch).expect("the target is in the manifest");
    let mut other = valid.clone();
    other[at] = b'z';
    crate::robustness::mend(&mut other);
    let error = artifact_error(&other);
    assert!(matches!(error, ArtifactError::Target { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("was compiled for cpu z") && text.contains(std::env::consts::ARCH), "{text}");
}

/// An executable checks feeds and variables once, against its own signature: a program with another one is refused.
#[test]
fn programs_of_another_signature_are_refused() {
    let compiled = |ty: &str| {
        let text = format!("func @f(%x: {ty}[2]) -> (y: {ty}[2]) {{ %0 = add %x, %x : {ty}[2] return %0 }}");
        let func = kiln::ir::text::parse(&text).expect("parses");
        let compiled = Compiler::cpu().threads(1).stages(&func, &Default::default()).expect("compiles");
        let specialized = kiln_runtime::Specialized {
            variants: compiled.into_variants(),
            loaded: None,
            compile_time: Default::default(),
        };
        (kiln_runtime::Signature::of(&func), specialized)
    };
    let build = |signature: &str, program: &str| {
        let ((signature, _), (_, program)) = (compiled(signature), compiled(program));
        let (name, programs) = ("f".to_owned(), vec![program]);
        let device = std::sync::Arc::new(kiln_runtime::HostDevice::new(1).expect("one thread"));
        kiln_runtime::ExecutableBuilder { name, signature, programs, specialize: None, capacity: 1, device }.build()
    };
    build("f32", "f32").expect("the same signature");
    let error = build("f32", "f64").expect_err("inputs twice as large").to_string();
    assert!(error.contains("other inputs"), "{error}");
}
