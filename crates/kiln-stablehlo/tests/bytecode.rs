//! MLIR bytecode: own programs that StableHLO's tools wrote for several of its versions, and what comes of damaged ones.
//!
//! The files of `tests/bytecode` are made of the texts of `tests/programs` and of small ones of their own, with
//! `serialize_portable_artifact` of StableHLO 1.17; `programs.VERSION.mlirbc` targets that version: formats 0, 1, 3, 4 and 6.
//! The checks of the texts are in them as custom calls, with what they expect.

mod common;

use common::check;
use kiln_stablehlo::{Attr, Error, Module, build, read, read_bytecode};

/// A file of `tests/bytecode`.
fn bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/bytecode/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn module(name: &str) -> Module {
    read(&bytes(name), name).unwrap_or_else(|e| panic!("{e}"))
}

const PROGRAMS: [&str; 6] = [
    "programs.0.9.0.mlirbc",
    "programs.0.10.0.mlirbc",
    "programs.0.12.0.mlirbc",
    "programs.0.14.0.mlirbc",
    "programs.1.0.0.mlirbc",
    "programs.1.17.0.mlirbc",
];

#[test]
fn programs_of_every_format_give_what_they_expect() {
    for (file, format) in PROGRAMS.iter().zip([0, 1, 3, 4, 6, 6]) {
        assert_eq!(bytes(file)[4] >> 1, format, "{file} is of another format");
        let module = module(file);
        let mut checks = 0;
        for function in module.functions.iter().filter(|f| f.body.args.is_empty()) {
            let name = &function.name;
            let program = build(&module, name).unwrap_or_else(|e| panic!("{file} @{name}: {e}"));
            checks += check(&program).unwrap_or_else(|e| panic!("{file} @{name}: {e}"));
        }
        assert!(checks >= 40, "{file}: {checks} checks");
    }
}

#[test]
fn constants_are_those_of_the_text() {
    let [binary, text] = ["constants.mlirbc", "constants.mlir"].map(|file| {
        let program = build(&module(file), "main").unwrap_or_else(|e| panic!("{e}"));
        kiln_interp::eval(&program.func, &[]).unwrap_or_else(|e| panic!("{file}: {e}"))
    });
    assert_eq!(binary.len(), 11);
    for (i, (b, t)) in binary.iter().zip(&text).enumerate() {
        assert_eq!(b.ty(), t.ty(), "constant {i}");
        assert_eq!(b.bytes(), t.bytes(), "constant {i}");
    }
    assert_eq!(binary[2].numbers(), [-8.0, 7.0, -1.0]);
    assert_eq!(binary[6].numbers(), [1.0; 10]);
}

#[test]
fn what_says_where_a_program_runs_is_passed_over() {
    let module = module("attributes.mlirbc");
    assert_eq!(module.functions.len(), 2);
    let ops = &module.functions[0].body.ops;
    let names: Vec<&str> = ops.iter().map(|o| o.name.as_str()).collect();
    let expected = [
        "stablehlo.custom_call",
        "stablehlo.exponential",
        "stablehlo.dot_general",
        "stablehlo.broadcast_in_dim",
        "stablehlo.composite",
        "func.return",
    ];
    assert_eq!(names, expected);
    assert_eq!(ops[4].attrs["decomposition"], Attr::Symbol("double".into()));
    let Attr::Dict(attributes) = &ops[4].attrs["composite_attributes"] else { panic!("no dictionary") };
    assert_eq!(attributes["k"], Attr::Int(2));
    assert_eq!(attributes["s"], Attr::Str("text".into()));
    assert_eq!(attributes["n"], Attr::Dict([("a".to_owned(), Attr::Bool(true))].into()));
    let program = build(&module, "main").expect("a program");
    let input = kiln_ir::Tensor::from_slice([4], &[0.0f32, 1.0, -1.0, 0.5]).expect("four numbers");
    let outputs = kiln_interp::eval(&program.func, &[input]).expect("a value");
    let sum: f64 = [0.0f64, 1.0, -1.0, 0.5].iter().map(|x| (2.0 * x).exp()).sum();
    // Four correctly rounded products of exponentials of f32 and their sum.
    assert!(outputs[0].numbers().iter().all(|x| (x - 2.0 * sum).abs() < 1e-5), "{:?}", outputs[0].numbers());
}

#[test]
fn shardings_change_nothing() {
    for file in ["sharded.mlirbc", "sharded.mlir"] {
        let program = build(&module(file), "main").unwrap_or_else(|e| panic!("{e}"));
        let input = kiln_ir::Tensor::from_slice([2, 2], &[1.0f32, 2.0, 3.0, 4.0]).expect("four numbers");
        let outputs = kiln_interp::eval(&program.func, &[input]).expect("a value");
        assert_eq!(outputs[0].numbers(), [-2.0, -4.0, -6.0, -8.0], "{file}");
    }
}

#[test]
fn errors_name_the_place_in_the_users_source() {
    let module = module("locations.mlirbc");
    let error = |name: &str| build(&module, name).expect_err("no operator of one device").to_string();
    assert!(error("named").starts_with("model.py:7:9: "), "{}", error("named"));
    assert!(error("fused").starts_with("model.py:11:13: "), "{}", error("fused"));
    assert!(error("range").starts_with("model.py:15:2: "), "{}", error("range"));
    assert!(error("unknown").starts_with("locations.mlirbc:byte "), "{}", error("unknown"));
    let place = &module.functions[0].body.ops[0].place;
    assert_eq!((&*place.file, place.line, place.column), ("model.py", 3, 1));
}

#[test]
fn what_is_no_bytecode_is_refused_with_its_place() {
    let refused = |bytes: &[u8]| read_bytecode(bytes, "x.mlirbc").expect_err("no program").to_string();
    assert_eq!(refused(b"module {}"), "x.mlirbc:byte 0: this is no MLIR bytecode");
    assert!(refused(b"ML\xEFR\x0Fmlir\0").contains("version 7"), "{}", refused(b"ML\xEFR\x0Fmlir\0"));
    assert!(refused(b"ML\xEFR\x0Dmlir").contains("byte 5: a string without an end"), "{}", refused(b"ML\xEFR\x0Dmlir"));
    assert!(refused(b"ML\xEFR\x0Dmlir\0").contains("section 0 is missing"), "{}", refused(b"ML\xEFR\x0Dmlir\0"));
    // A count far beyond what the bytes can hold.
    let huge = b"ML\xEFR\x0Dmlir\0\x00\x13\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    assert!(refused(huge).contains("entries are announced in"), "{}", refused(huge));
    assert!(matches!(read(b"\xFFmodule", "x"), Err(Error::Syntax { place, .. }) if place == "x:byte 0"));
}

#[test]
fn a_new_version_of_an_operator_is_refused_by_name() {
    let file = bytes("locations.mlirbc");
    let at = file.windows(13).position(|w| w == b"replica_id_v1").expect("the name of the operator");
    let mut newer = file;
    newer[at + 12] = b'9';
    // It has no properties that would have to be understood; the builder does not know the name all the same.
    let module = read(&newer, "new.mlirbc").expect("a module");
    assert_eq!(module.functions[0].body.ops[1].name, "stablehlo.replica_id");
    let mut unknown = bytes("constants.mlirbc");
    let at = unknown.windows(11).position(|w| w == b"constant_v1").expect("the name of the operator");
    unknown[at + 10] = b'9';
    let e = read(&unknown, "new.mlirbc").expect_err("properties in an unknown order").to_string();
    assert!(e.contains("vhlo.constant_v9"), "{e}");
}

/// Reads and builds; a message has to name a place.
fn survives(bytes: &[u8], what: &str) -> bool {
    let done = std::panic::catch_unwind(|| match read(bytes, "damaged.mlirbc") {
        Ok(module) => {
            let name = module.functions.first().map(|f| f.name.clone()).unwrap_or_default();
            build(&module, &name).map(|_| ())
        }
        Err(e) => Err(e),
    });
    match done.unwrap_or_else(|_| panic!("a panic: {what}")) {
        Ok(()) => true,
        Err(e) => {
            let e = e.to_string();
            // A line and column, or a byte. The name of the file may be damaged.
            let place = |w: &str| w.starts_with(|c: char| c.is_ascii_digit()) || w.starts_with("byte ");
            assert!(e.split(':').skip(1).any(place), "{what}: no place in {e}");
            false
        }
    }
}

#[test]
fn files_cut_short_are_refused() {
    for file in ["constants.mlirbc", "attributes.mlirbc", PROGRAMS[0], PROGRAMS[5]] {
        let whole = bytes(file);
        for length in 0..whole.len() {
            assert!(!survives(&whole[..length], &format!("{file} cut to {length}")), "{file} cut to {length} is read");
        }
        assert!(survives(&whole, file));
    }
}

#[test]
fn files_with_changed_bytes_are_read_or_refused() {
    let (mut read, mut refused) = (0, 0);
    let small = ["constants.mlirbc", "attributes.mlirbc", "locations.mlirbc"].map(|file| (file, 1));
    for (file, step) in small.into_iter().chain([(PROGRAMS[2], 29), (PROGRAMS[5], 31)]) {
        let mut changed = bytes(file);
        for at in (0..changed.len()).step_by(step) {
            let old = changed[at];
            for new in [old ^ 1, old ^ 0x80, old.wrapping_add(2), 0, 0xFF] {
                changed[at] = new;
                if survives(&changed, &format!("{file} with {new:#x} at {at}")) { read += 1 } else { refused += 1 }
            }
            changed[at] = old;
        }
    }
    assert!(read > 500 && refused > 5000, "{read} read, {refused} refused: the damage is of no use");
}
