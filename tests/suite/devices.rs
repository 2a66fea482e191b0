//! The wall between executables and devices: several targets in one executable, and a device whose memory the host cannot see.

use crate::support::{TempFile, bits, floats, labels, predictor, trainer};
use kiln::prelude::*;
use kiln::program::target::FEATURES;
use kiln::program::{CompiledProgram, CpuTarget, Signature, Target};
use kiln::runtime::device::{Address, Device, DeviceBuffer, DeviceError, LoadedProgram};
use kiln::runtime::{ArtifactError, ExecutableBuilder, HostDevice, Specialized};
use std::sync::Arc;
use std::time::Duration;

/// Targets of which the second is this machine; the first is less, where there is less.
fn targets() -> [CpuTarget; 2] {
    let host = CpuTarget::host();
    let least =
        if cfg!(target_arch = "x86_64") { CpuTarget::parse("x86-64-v2").expect("a level") } else { host.clone() };
    [least, host]
}

#[test]
fn an_executable_of_several_targets_runs_by_the_best() {
    let sizes = |compiler: Compiler| compiler.threads(1).sizes(&[("batch", 3)]).sizes(&[("batch", 1)]);
    let fat = sizes(Compiler::for_targets(targets())).compile(&predictor()).expect("compiles");
    let alone = sizes(Compiler::cpu()).compile(&predictor()).expect("compiles");
    let file = TempFile::new("fat.kiln");
    fat.export(file.path()).expect("written");
    let loaded = Executable::load(file.path(), Trust::RunsItsCode).expect("loads");
    for exe in [&fat, &loaded] {
        let programs = exe.programs();
        assert_eq!(programs.len(), 2);
        assert!(programs.iter().all(|p| p.targets() == targets().map(Target::Cpu)), "both targets for both sizes");
        for n in [1, 3] {
            let x = floats(n as u64, &[n, 1, 8, 8]);
            let run = |exe: &Executable| bits(exe.run(&[("x", &x)]).expect("runs"));
            assert!(run(exe) == run(&alone), "batch {n}");
        }
    }
}

/// Code for a machine with everything is compiled anywhere; it runs or says what is missing, and can be exported.
#[test]
fn code_for_another_machine_is_for_export() {
    let everything = CpuTarget::with_features(FEATURES).expect("known features");
    let exe = Compiler::for_targets([everything.clone()]).threads(1).compile(&trainer(2)).expect("compiles");
    let file = TempFile::new("everything.kiln");
    exe.export(file.path()).expect("written");
    let feeds = (floats(1, &[2, 1, 8, 8]), labels(2, &[2], 10));
    let run = |exe: &Executable| exe.session()?.run(&[("x", &feeds.0), ("y", &feeds.1)]).map(drop);
    match everything.lacks() {
        None => run(&exe).and_then(|()| run(&Executable::load(file.path(), Trust::RunsItsCode)?)).expect("runs"),
        Some(lacks) => {
            let error = run(&exe).expect_err("it lacks features");
            assert!(matches!(&error, RunError::Device(DeviceError::Target(t)) if t[0].1 == lacks), "{error}");
            let error = Executable::load(file.path(), Trust::RunsItsCode).expect_err("it lacks features");
            assert!(matches!(&error, RunError::Artifact(ArtifactError::Target { .. })), "{error}");
        }
    }
}

#[test]
fn unknown_and_too_small_targets_are_refused() {
    let mut warp = CpuTarget::host();
    warp.features.push("warp".into());
    let none = CpuTarget { features: vec![], ..CpuTarget::host() };
    for target in [warp, CpuTarget { arch: "mips".into(), features: vec![] }, none] {
        let compiled = Compiler::for_targets([target.clone()]).threads(1).compile(&trainer(2));
        let bare_is_fine = !cfg!(target_arch = "x86_64") && target.features.is_empty() && target.arch != "mips";
        assert_eq!(compiled.is_ok(), bare_is_fine, "{target}");
    }
}

/// The CPU with memory that the host cannot look into, as a GPU's.
struct Far(HostDevice);

struct FarBuffer(Box<dyn DeviceBuffer>);

impl Device for Far {
    fn name(&self) -> &str {
        "far"
    }
    fn threads(&self) -> usize {
        1
    }
    fn accepts(&self, target: &Target) -> Result<u32, String> {
        self.0.accepts(target)
    }
    unsafe fn load(&self, compiled: &CompiledProgram) -> Result<Box<dyn LoadedProgram>, DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.0.load(compiled) }
    }
    fn variable(&self, value: &[u8]) -> Result<Box<dyn DeviceBuffer>, DeviceError> {
        Ok(Box::new(FarBuffer(self.0.variable(value)?)))
    }
    fn shared(&self, value: &Tensor) -> Result<Box<dyn DeviceBuffer>, DeviceError> {
        self.variable(value.bytes())
    }
}

impl DeviceBuffer for FarBuffer {
    fn address(&self) -> Address {
        self.0.address()
    }
    fn read(&self, into: &mut [u8]) -> Result<(), DeviceError> {
        self.0.read(into)
    }
    fn write(&mut self, from: &[u8]) -> Result<(), DeviceError> {
        self.0.write(from)
    }
    fn host(&self) -> Option<&[u8]> {
        None
    }
}

fn on_far(function: &FunctionSpec) -> Executable {
    let func = function.finish().expect("the graph is right");
    let compiled = Compiler::cpu().threads(1).stages(&func, &Default::default()).expect("compiles");
    let device = Arc::new(Far(HostDevice::new(1).expect("one thread")));
    let variants = compiled.into_variants();
    // SAFETY: just compiled.
    let loaded = unsafe { device.load(&variants[0]) }.expect("loads");
    let programs = vec![Specialized { variants, loaded: Some((0, loaded)), compile_time: Duration::ZERO }];
    let (name, signature) = (func.name.clone(), Signature::of(&func));
    ExecutableBuilder { name, signature, programs, specialize: None, capacity: 1, device }.build().expect("fits")
}

#[test]
fn sessions_work_on_a_device_whose_memory_is_its_own() {
    let (near, far) = (Compiler::cpu().threads(1).compile(&trainer(4)).expect("compiles"), on_far(&trainer(4)));
    let (x, y) = (floats(8, &[4, 1, 8, 8]), labels(9, &[4], 10));
    let (mut a, mut b) = (near.session().expect("a session"), far.session().expect("a session"));
    for _ in 0..3 {
        let run = |s: &mut Session| bits(s.run(&[("x", &x), ("y", &y)]).expect("runs"));
        assert!(run(&mut a) == run(&mut b));
    }
    let names: Vec<String> = a.variables().map(str::to_owned).collect();
    assert!(names.iter().all(|n| a.get(n).expect("known") == b.get(n).expect("known")));
    let file = TempFile::new("far.safetensors");
    b.save(file.path()).expect("written");
    a.set(
        &names[0],
        &Tensor::zeros(a.get(&names[0]).expect("known").dtype(), a.get(&names[0]).expect("known").shape())
            .expect("small"),
    )
    .expect("the same type");
    a.restore(file.path()).expect("fits");
    assert!(names.iter().all(|n| a.get(n).expect("known") == b.get(n).expect("known")));
    let error = a.attach(&far).expect_err("another device");
    assert!(matches!(&error, RunError::OtherDevice { .. }), "{error}");
}
