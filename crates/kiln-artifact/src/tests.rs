//! Damage of every kind, on a file with several targets, sizes and blobs.

use crate::sections::{Kind, Sections};
use crate::wire::codec::{Out, Wire, decode};
use crate::{Artifact, ArtifactError, Contents, FileBytes, Source};
use kiln_ir::dim::DimEnv;
use kiln_ir::{DType, Dim, Initializer, Shape, Tensor};
use kiln_program::call::{BatchDim, Call, CallInfo, DotParams};
use kiln_program::{
    Blob, Buffer, BufferId, Code, CompiledProgram, CpuTarget, CudaTarget, KernelInfo, NativeCode, Port, Program,
    PtxArg, PtxCode, PtxLaunch, Signature, Slot, Step, Target, Variable,
};

fn signature() -> Signature {
    let port = |name: &str, dims: [Dim; 2]| Port { name: name.into(), dtype: DType::F32, shape: Shape::new(dims) };
    let b = Dim::symbol("batch");
    let variable =
        |name: &str, init, updated| Variable { name: name.into(), dtype: DType::F32, shape: vec![40], init, updated };
    let weights = Tensor::from_vec([40], (0..40).map(|i| i as f32).collect()).expect("forty");
    Signature {
        inputs: vec![port("x", [b.clone(), Dim::from(3usize)])],
        outputs: vec![port("y", [b.clone() + b, Dim::from(3usize)])],
        variables: vec![
            variable("w", Initializer::Value(weights.clone()), false),
            variable("same", Initializer::Value(weights), false),
            variable("s", Initializer::TruncatedNormal { std: 0.5, seed: 7 }, true),
        ],
    }
}

fn dims(batch: usize) -> DimEnv {
    [("batch".into(), batch as i64)].into()
}

fn program(batch: usize, features: &[&str]) -> CompiledProgram {
    let buffer = |slot, bytes| Buffer { name: "b".into(), dtype: DType::F32, bytes, slot, offset: 0, live: (0, 1) };
    let (x, y) = (12 * batch as u64, 24 * batch as u64);
    let product = DotParams {
        batch: vec![BatchDim { extent: 1, a_stride: 0, b_stride: 0, c_stride: 0 }],
        ..DotParams::row_major(DType::F32, 1, 1, 3)
    };
    let copy = vec![Step::Copy { src: BufferId(0), dst: BufferId(0) }];
    let program = Program {
        name: "sample".into(),
        signature: signature().bind(&dims(batch)).expect("sizes"),
        buffers: vec![
            buffer(Slot::Input(0), x),
            buffer(Slot::Output(0), y),
            buffer(Slot::Constants(1), 160),
            buffer(Slot::Variable(2), 160),
            buffer(Slot::Arena, 64),
        ],
        steps: vec![
            Step::Launch { kernel: 0, args: vec![BufferId(0), BufferId(1)] },
            Step::Call { call: 0, args: vec![BufferId(2), BufferId(3), BufferId(4)] },
            Step::While { cond: vec![], pred: BufferId(4), body: copy.clone() },
            Step::If { pred: BufferId(4), then: copy.clone(), otherwise: vec![] },
            Step::Case { index: BufferId(4), branches: vec![copy, vec![]] },
        ],
        kernels: vec![KernelInfo {
            name: "k".into(),
            params: vec![12, 24],
            extent: 9,
            grain: 3,
            bytes_moved: 1 << 40,
            flops: 8,
        }],
        calls: vec![CallInfo { call: Call::Dot(product), tables: 0, workspace: 0 }],
        constants: vec![4, 160],
        arena_bytes: 64,
        lower_bound_bytes: 64,
    };
    let large = Tensor::from_vec([40], (0..40).map(|i| -(i as f32)).collect()).expect("forty");
    let constants = vec![Blob::from(&(batch as u32).to_le_bytes()[..]), Blob::of(&large)];
    let target = CpuTarget { arch: "x86_64".into(), features: features.iter().map(|&f| f.to_owned()).collect() };
    let bytes = Blob::from(&[0xC3; 80][..65 + batch + features.len()]);
    let code = Code::Native(NativeCode { target, bytes, entry: 64, kernels: vec![0] });
    CompiledProgram { program, constants, code }
}

/// Two targets, two sizes each, and one for a GPU.
fn programs() -> Vec<CompiledProgram> {
    let launch = PtxLaunch {
        entry: "k".into(),
        grid: [7, 1, 1],
        block: 128,
        shared: 0,
        args: vec![PtxArg::Buffer { index: 1, offset: 64 }, PtxArg::Word(3)],
    };
    let target = CudaTarget { sm: 90, specific: true, ptx: (8, 0) };
    let (kernels, calls) = (vec![launch.clone()], vec![vec![launch]]);
    let code = Code::Ptx(PtxCode { target, text: ".version 8.0".into(), kernels, calls });
    let gpu = CompiledProgram { code, ..program(1, &[]) };
    let mut list: Vec<_> =
        [(1, &["avx2", "fma"][..]), (8, &["avx2", "fma"]), (1, &[]), (8, &[])].map(|(n, f)| program(n, f)).into();
    list.push(gpu);
    list
}

fn sample_as(minor: u32, unknown: &'static [u8]) -> Vec<u8> {
    let (mut bytes, compiled) = (Vec::new(), programs());
    let programs = compiled.iter().map(Source::Compiled).collect();
    let contents = Contents { producer: "test", name: "sample", signature: &signature(), programs };
    contents.write_as(minor, unknown, &mut bytes).expect("written");
    bytes
}

fn sample() -> Vec<u8> {
    sample_as(crate::MINOR_VERSION, &[])
}

fn open(bytes: &[u8]) -> Result<Artifact, ArtifactError> {
    Artifact::read(FileBytes::copy_of(bytes).expect("memory"))
}

/// Reads all that there is to read.
fn read_all(bytes: &[u8]) -> Result<Artifact, ArtifactError> {
    let artifact = open(bytes)?;
    artifact.verify()?;
    Ok(artifact)
}

#[test]
fn reads_what_it_wrote() {
    let bytes = sample();
    assert_eq!(bytes, sample(), "the same contents give the same bytes");
    let artifact = read_all(&bytes).expect("read");
    assert_eq!((artifact.producer(), artifact.name(), artifact.version()), ("test", "sample", (2, 0)));
    assert_eq!(artifact.signature(), &signature());
    for (i, expected) in programs().into_iter().enumerate() {
        assert_eq!(artifact.load(i), Ok(expected));
    }
}

#[test]
fn equal_contents_stand_once() {
    let artifact = open(&sample()).expect("read");
    let sections = |kind| artifact.sections.sizes(kind).collect::<Vec<_>>();
    // Two variables of equal values, a block of constants for each size, one for both.
    assert_eq!(artifact.blobs(), [4, 160, 4, 160]);
    assert_eq!((sections(Kind::Program).len(), sections(Kind::Code).len()), (2, 5));
    let pointer = |i: usize| match &artifact.signature().variables[i].init {
        Initializer::Value(t) => t.bytes().as_ptr(),
        other => panic!("{other:?}"),
    };
    assert_eq!(pointer(0), pointer(1));
    assert!(artifact.file.bytes().as_ptr_range().contains(&pointer(0)), "values are used in place");
    let constants = |i| artifact.load(i).expect("read").constants[1].as_ptr();
    assert_eq!(constants(0), constants(3));
    assert!(artifact.file.bytes().as_ptr_range().contains(&constants(0)), "constants are used in place");
}

#[test]
fn entries_of_another_file_are_kept() {
    let artifact = open(&sample()).expect("read");
    let programs = artifact.entries().iter().map(|e| Source::Kept(&artifact, e)).collect();
    let mut bytes = Vec::new();
    let contents = Contents { producer: "test", name: "sample", signature: artifact.signature(), programs };
    contents.write(&mut bytes).expect("written");
    assert!(bytes == sample());
}

#[test]
fn the_best_that_fits_is_selected() {
    let artifact = open(&sample()).expect("read");
    let features = |t: &Target| match t {
        Target::Cpu(cpu) => Ok(cpu.features.clone()),
        Target::Cuda(_) => Err("a GPU".to_owned()),
    };
    let select = |has: &[&str]| {
        artifact.select("x86_64, old", |t| match features(t)?.iter().find(|f| !has.contains(&f.as_str())) {
            Some(missing) => Err(missing.clone()),
            None => Ok(features(t)?.len() as u32),
        })
    };
    assert_eq!(select(&["avx2", "fma"]), Ok(vec![0, 1]));
    assert_eq!(select(&["avx2"]), Ok(vec![2, 3]));
    let error =
        artifact.select("a toaster", |t| Err(format!("a processor, not {t}"))).expect_err("nothing fits").to_string();
    assert!(
        error.contains("(a toaster)")
            && error.contains("cpu x86_64 [avx2, fma] (batch = 8), lacking a processor, not x86_64"),
        "{error}"
    );
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = sample();
    for n in 0..bytes.len() {
        let error = open(&bytes[..n]).err().expect("truncated");
        assert!(matches!(error, ArtifactError::NotAnArtifact | ArtifactError::Length { .. }), "{n}: {error}");
    }
    let longer = [&bytes[..], b"\0"].concat();
    assert!(matches!(open(&longer).err(), Some(ArtifactError::Length { .. })));
}

/// The part that a byte is in, as errors name it.
fn part(sections: &Sections, count: usize, at: usize) -> String {
    match at {
        0..64 => "header".to_owned(),
        _ if at < 64 + 24 * count => "section table".to_owned(),
        _ => (0..count)
            .find(|&i| at < sections.range(i).end)
            .map(|i| {
                if sections.range(i).contains(&at) {
                    sections.name(i)
                } else {
                    format!("space before {}", sections.name(i))
                }
            })
            .expect("no byte behind the last section"),
    }
}

#[test]
fn every_flipped_bit_is_an_error_that_names_its_section() {
    let bytes = sample();
    let sections = Sections::read(&bytes).expect("read");
    let count = u32::from_le_bytes(bytes[24..28].try_into().expect("four")) as usize;
    let mut seen = std::collections::BTreeSet::new();
    for i in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[i / 8] ^= 1 << (i % 8);
        let expected = part(&sections, count, i / 8);
        match read_all(&altered).err().unwrap_or_else(|| panic!("bit {i} in {expected}")) {
            ArtifactError::NotAnArtifact => assert!(i / 8 < 8),
            ArtifactError::Version { supported: 2, found } => assert!(found != 2 && (8..12).contains(&(i / 8))),
            ArtifactError::Checksum { section } | ArtifactError::Invalid { section, .. } => {
                assert_eq!(section, expected, "bit {i}");
                seen.insert(section);
            }
            other => panic!("bit {i} in {expected}: {other}"),
        }
    }
    let named = |what: &str| seen.iter().filter(|s| s.contains(what) && !s.contains("before")).count();
    assert_eq!(["header", "section table", "manifest", "program", "code", "blob"].map(named), [1, 1, 1, 2, 5, 4]);
}

/// Without verifying everything, damage in what is not used goes unnoticed, and what is used is checked.
#[test]
fn what_is_used_is_checked() {
    let bytes = sample();
    let artifact = open(&bytes).expect("read");
    let flipped = |section: u32| {
        let mut altered = bytes.clone();
        altered[artifact.sections.range(section as usize).start] ^= 1;
        open(&altered).expect("the outer parts are whole")
    };
    let e = &artifact.entries()[0];
    for section in [e.program, e.code] {
        let name = artifact.sections.name(section as usize);
        assert_eq!(flipped(section).load(0).err(), Some(ArtifactError::Checksum { section: name }));
        assert!(flipped(section).load(3).is_ok());
    }
    let blob = flipped(e.constants[0]);
    assert!(blob.load(0).is_ok() && blob.verify().is_err());
}

/// Makes all checksums and the length right again, so that the damage is read.
fn mend(bytes: &mut [u8]) {
    let put = |bytes: &mut [u8], at: usize, n: u32| bytes[at..at + 4].copy_from_slice(&n.to_le_bytes());
    let length = (bytes.len() as u64).to_le_bytes();
    bytes[16..24].copy_from_slice(&length);
    let number = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight")) as usize;
    let count = u32::from_le_bytes(bytes[24..28].try_into().expect("four")) as usize;
    for row in (0..count).map(|i| 64 + 24 * i).take_while(|row| row + 24 <= bytes.len()).collect::<Vec<_>>() {
        let (start, len) = (number(bytes, row + 8), number(bytes, row + 16));
        if let Some(section) = start.checked_add(len).and_then(|end| bytes.get(start..end)) {
            let crc = crc32fast::hash(section);
            put(bytes, row + 4, crc);
        }
    }
    if let Some(table) = bytes.get(64..64usize.saturating_add(24 * count)) {
        let crc = crc32fast::hash(table);
        put(bytes, 32, crc);
    }
    let crc = crc32fast::hash(&bytes[..60]);
    put(bytes, 60, crc);
}

/// Past the checksums the structure is checked too: damage with mended checksums never panics.
#[test]
fn damage_with_right_checksums_does_not_panic() {
    let bytes = sample();
    let mut refused = 0;
    for i in 8..bytes.len() {
        for value in [0, 1, 0x7F, 0x80, 0xFB, 0xFD, 0xFF] {
            let mut altered = bytes.clone();
            altered[i] = value;
            mend(&mut altered);
            if let Ok(artifact) = open(&altered) {
                refused += u32::from((0..artifact.entries().len()).any(|e| artifact.load(e).is_err()));
                let _ = artifact.verify();
            } else {
                refused += 1;
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// `if`s within `if`s, deeper than any stack.
#[test]
fn bottomless_control_flow_is_an_error() {
    let mut steps = vec![];
    for _ in 0..2000 {
        steps = vec![Step::If { pred: BufferId(0), then: steps, otherwise: vec![] }];
    }
    let mut out = Out::default();
    steps.put(&mut out);
    let error = decode::<Vec<Step>>(&out.bytes).expect_err("too deep");
    assert!(error.contains("nested more than"), "{error}");
    // Taken apart from the outside, so that dropping it does not recurse either.
    while let Some(Step::If { then, .. }) = steps.pop() {
        steps = then;
    }
}

#[test]
fn other_versions_are_named() {
    let mut bytes = sample();
    for (found, remedy) in [(1, "export it again"), (3, "update kiln")] {
        bytes[8] = found;
        let error = open(&bytes).err().expect("another version");
        assert_eq!(error, ArtifactError::Version { supported: 2, found: found.into() });
        let text = error.to_string();
        assert!(
            text.contains(&format!("version {found}")) && text.contains("version 2") && text.contains(remedy),
            "{text}"
        );
    }
}

/// A newer minor version has more behind the fields of every record; what it has of entries for itself is passed over.
#[test]
fn newer_minor_versions_are_read() {
    let newer = sample_as(7, b"what version 2.7 knows");
    let artifact = read_all(&newer).expect("read");
    assert_eq!(artifact.version(), (2, 7));
    let old = open(&sample()).expect("read");
    assert_eq!(artifact.signature(), old.signature());
    for i in 0..5 {
        assert_eq!(artifact.load(i), old.load(i));
    }
    assert_eq!(artifact.select("any", |_| Ok(0)), Ok(vec![0, 1]));
}

/// The file of a made-up version 2.9 that the suites load and run. `KILN_WRITE_GOLDEN=1` makes it, if it is missing, of that of 2.0.
#[test]
fn the_golden_file_of_a_newer_minor_version_is_that_of_2_0_with_more() {
    let golden = |name| concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/").to_owned() + name;
    let old = read_all(&std::fs::read(golden("mlp-2.0.kiln")).expect("it is there")).expect("read");
    let path = golden("mlp-2.9.kiln");
    if std::env::var_os("KILN_WRITE_GOLDEN").is_some() && !std::path::Path::new(&path).exists() {
        let programs = old.entries().iter().map(|e| Source::Kept(&old, e)).collect();
        let contents = Contents { producer: "kiln of 2.9", name: old.name(), signature: old.signature(), programs };
        let mut bytes = Vec::new();
        contents.write_as(9, b"what version 2.9 knows", &mut bytes).expect("written");
        std::fs::write(&path, bytes).expect("written");
    }
    let newer = read_all(&std::fs::read(path).expect("it is there")).expect("read");
    assert_eq!((newer.version(), newer.signature()), ((2, 9), old.signature()));
    assert!((0..old.entries().len()).all(|i| newer.load(i) == old.load(i)));
}

#[test]
fn sizes_that_dimensions_do_not_give_are_errors() {
    let mut other = program(1, &[]);
    other.program.signature.dims = DimEnv::new();
    let mut bytes = Vec::new();
    let (signature, programs) = (signature(), vec![Source::Compiled(&other)]);
    Contents { producer: "test", name: "sample", signature: &signature, programs }.write(&mut bytes).expect("written");
    let error = open(&bytes).expect("read").load(0).expect_err("no sizes").to_string();
    assert!(error.contains("[batch, 3]"), "{error}");
}
