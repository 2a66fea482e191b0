//! The `kiln` command from outside: its output, files and exit codes.

use kiln::ir::{DType, Tensor};
use kiln::runtime::npy::{read_npz, write_npz};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of a test of its own, empty at first.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}"));
    // It may be there from an earlier run.
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a folder for the test");
    path
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
    std::fs::write(&path, text).expect("written");
    path
}

fn kiln<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kiln")).args(args).output().expect("the command runs")
}

fn kiln_at(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kiln")).current_dir(folder).args(args).output().expect("the command runs")
}

fn stdout(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned()
}
fn stderr(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}
fn code(o: &Output) -> i32 {
    o.status.code().expect("not killed")
}

const LINE: &str = "\
func.func @main(%x: tensor<2x3xf32>, %w: tensor<3x2xf32>) -> (tensor<2x2xf32>, tensor<i32>) {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x2xf32>
  %1 = stablehlo.negate %0 : tensor<2x2xf32>
  %2 = stablehlo.exponential %1 : tensor<2x2xf32>
  %3 = stablehlo.constant dense<7> : tensor<i32>
  return %2, %3 : tensor<2x2xf32>, tensor<i32>
}
";

/// A file that checks that 1 + 2 is `sum`.
fn adds(sum: &str) -> String {
    format!(
        "func.func @adds() {{
  %a = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = stablehlo.constant dense<[2.0, 3.0]> : tensor<2xf32>
  %c = stablehlo.add %a, %b : tensor<2xf32>
  %d = stablehlo.constant dense<[{sum}, 5.0]> : tensor<2xf32>
  check.expect_close %c, %d, max_ulp_difference = 3 : tensor<2xf32>, tensor<2xf32>
  func.return
}}
"
    )
}

fn inputs(path: &Path) {
    let x = Tensor::from_vec([2, 3], vec![0.0f32; 6]).expect("made");
    let w = Tensor::from_vec([3, 2], vec![1.0f32; 6]).expect("made");
    write_npz(path, &[("a0", &x), ("a1", &w)]).expect("written");
}

#[test]
fn runs_compiles_and_runs_the_artifact() {
    let dir = folder("run");
    write(&dir, "line.mlir", LINE);
    inputs(&dir.join("in.npz"));
    for backend in ["interp", "cpu"] {
        let o =
            kiln_at(&dir, &["run", "line.mlir", "--inputs", "in.npz", "--outputs", "out.npz", "--backend", backend]);
        assert_eq!(code(&o), 0, "{}", stderr(&o));
        assert!(stdout(&o).contains("r0: f32[2, 2] = [1.0, 1.0, 1.0, 1.0]"), "{}", stdout(&o));
        assert!(stdout(&o).contains("r1: i32[] = 7"), "{}", stdout(&o));
        let out = read_npz(dir.join("out.npz")).expect("read");
        assert_eq!(out[0].1, Tensor::from_vec([2, 2], vec![1.0f32; 4]).expect("made"));
    }
    let o = kiln_at(&dir, &["compile", "line.mlir", "-o", "line.kiln", "--threads", "1"]);
    assert_eq!(code(&o), 0, "{}", stderr(&o));
    assert!(stdout(&o).contains("1 library calls"), "{}", stdout(&o));
    let o = kiln_at(&dir, &["run", "line.kiln", "--inputs", "in.npz", "--repeat", "3"]);
    assert_eq!(code(&o), 0, "{}", stderr(&o));
    assert!(stdout(&o).contains("r0: f32[2, 2] = [1.0, 1.0, 1.0, 1.0]") && stdout(&o).contains("3 runs: median"));
}

#[test]
fn inspects_programs_and_artifacts() {
    let dir = folder("inspect");
    write(&dir, "line.mlir", LINE);
    let o = kiln_at(&dir, &["inspect", "line.mlir"]);
    let text = stdout(&o);
    assert_eq!(code(&o), 0, "{}", stderr(&o));
    for part in [
        "input    a0: f32[2, 3]",
        "output   r0: f32[2, 2]",
        "dot_general",
        "negate, exponential",
        "library calls: 1",
        "bytes lower bound",
        "ms codegen",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for (stage, part) in [
        ("graph", "func @main"),
        ("stablehlo", "stablehlo.dot_general"),
        ("optimized", "exponential"),
        ("passes", "fold_constants"),
        ("plan", "library {dot_general}"),
        ("kernels", "kernel"),
        ("program", "call dot_general"),
        ("code", "; kernel #0"),
    ] {
        let o = kiln_at(&dir, &["inspect", "line.mlir", "--ir", stage]);
        assert!(stdout(&o).contains(part), "{stage}: {}{}", stdout(&o), stderr(&o));
    }
    assert!(stdout(&kiln_at(&dir, &["inspect", "line.mlir", "--dot"])).starts_with("digraph"));
    let groups = stdout(&kiln_at(&dir, &["inspect", "line.mlir", "--ir", "plan", "--dot"]));
    assert!(groups.starts_with("digraph") && groups.contains("library {dot_general}"), "{groups}");
    assert_eq!(code(&kiln_at(&dir, &["inspect", "line.mlir", "--ir", "kernels", "--dot"])), 2);
    assert_eq!(code(&kiln_at(&dir, &["compile", "line.mlir", "-o", "line.kiln"])), 0);
    let o = kiln_at(&dir, &["inspect", "line.kiln"]);
    assert!(stdout(&o).contains("output   r0: f32[2, 2]") && stdout(&o).contains("bytes of code"), "{}", stdout(&o));
    assert_eq!(code(&kiln_at(&dir, &["inspect", "line.kiln", "--ir", "graph"])), 2);
}

#[test]
fn wrong_command_lines_end_with_2() {
    let dir = folder("usage");
    write(&dir, "line.mlir", LINE);
    for (args, part) in [
        (&["run"][..], "required"),
        (&["check"], "required"),
        (&["frobnicate"], "unrecognized"),
        (&["run", "line.mlir"], "the program takes input a0 (f32): give arrays with --inputs"),
        (&["run", "line.mlir", "--without-pass", "polish"], "there is no pass polish"),
        (&["run", "x.kiln", "--backend", "interp"], "the interpreter needs the program itself"),
        (&["compile", "x.kiln", "-o", "y.kiln"], "compiled already"),
        (&["check", "line.mlir", "-O", "9"], "invalid value '9'"),
        (&["check", "line.mlir", "--artifact", "--backend", "interp"], "the interpreter cannot run it"),
    ] {
        let o = kiln_at(&dir, args);
        assert_eq!(code(&o), 2, "{args:?}: {}", stderr(&o));
        assert!(stderr(&o).contains(part), "{args:?}: {}", stderr(&o));
    }
}

#[test]
fn bad_files_end_with_3_and_say_where() {
    let dir = folder("bad");
    write(&dir, "line.mlir", LINE);
    write(&dir, "syntax.mlir", "func.func @main() {\n  %0 = stablehlo.add %1 %2\n}\n");
    write(
        &dir,
        "unknown.mlir",
        "func.func @main() -> tensor<f32> {\n  %0 = stablehlo.frobnicate : tensor<f32>\n  return %0 : tensor<f32>\n}\n",
    );
    std::fs::write(dir.join("half.mlirbc"), b"ML\xefR\x0d").expect("written");
    std::fs::write(dir.join("noise.kiln"), b"\x89KILN\r\n\x1a and then noise").expect("written");
    std::fs::write(dir.join("noise.npz"), b"PK\x03\x04 noise").expect("written");
    let x = Tensor::from_vec([2, 3], vec![0i32; 6]).expect("made");
    let w = Tensor::from_vec([3, 2], vec![1.0f32; 6]).expect("made");
    write_npz(dir.join("types.npz"), &[("a0", &x), ("a1", &w)]).expect("written");
    write_npz(dir.join("missing.npz"), &[("a1", &w)]).expect("written");
    write_npz(dir.join("extra.npz"), &[("weights", &w)]).expect("written");
    for (args, part) in [
        (&["run", "none.mlir"][..], "none.mlir"),
        (&["run", "syntax.mlir"], "syntax.mlir:2:"),
        (&["run", "unknown.mlir"], "unknown.mlir:2:"),
        (&["inspect", "half.mlirbc"], "half.mlirbc"),
        (&["run", "noise.kiln"], "noise.kiln"),
        (&["run", "line.mlir", "--function", "f"], "there is no function @f"),
        (&["run", "line.mlir", "--inputs", "none.npz"], "none.npz"),
        (&["run", "line.mlir", "--inputs", "noise.npz"], "noise.npz"),
        (&["run", "line.mlir", "--inputs", "types.npz"], "a0: the array has elements of type i32, the program f32"),
        (&["run", "line.mlir", "--inputs", "missing.npz"], "no array for input a0"),
        (&["run", "line.mlir", "--inputs", "extra.npz"], "the program has no input weights"),
        (&["check", "none"], "none"),
        (&["check", "noise.npz"], "not a .mlir or .mlirbc file"),
    ] {
        let o = kiln_at(&dir, args);
        assert_eq!(code(&o), 3, "{args:?}: {}", stderr(&o));
        assert!(stderr(&o).starts_with("error: ") && stderr(&o).contains(part), "{args:?}: {}", stderr(&o));
    }
}

#[test]
fn passing_and_failing_cases_are_told_apart() {
    let dir = folder("check");
    write(&dir, "right.mlir", &adds("3.0"));
    write(&dir, "wrong.mlir", &adds("3.5"));
    write(&dir, "nothing.mlir", LINE);
    write(
        &dir,
        "deep/unknown.mlir",
        "func.func @main() -> tensor<f32> {\n  %0 = stablehlo.frobnicate : tensor<f32>\n  return %0 : tensor<f32>\n}\n",
    );
    for backend in ["interp", "cpu"] {
        let json = dir.join(format!("{backend}.jsonl"));
        let o = kiln_at(&dir, &["check", ".", "--backend", backend, "--json", json.to_str().expect("UTF-8")]);
        let text = stdout(&o);
        assert_eq!(code(&o), 1, "{text}{}", stderr(&o));
        assert!(text.ends_with("1 passed, 2 failed, 1 skipped\n"), "{text}");
        assert!(text.contains("element [0] of f32[2]: got 3.0, want 3.5"), "{text}");
        assert!(text.contains("wrong.mlir:6:"), "{text}");
        assert!(text.contains("ulp apart, allowed: 3 ulp); 1 of 2 differ"), "{text}");
        assert!(text.contains("unknown.mlir:2:") && text.contains("frobnicate"), "{text}");
        assert!(text.contains("the file checks nothing"), "{text}");
        let rows: Vec<serde_json::Value> = std::fs::read_to_string(json)
            .expect("written")
            .lines()
            .map(|l| serde_json::from_str(l).expect("an object a line"))
            .collect();
        let status = |name: &str| rows.iter().find(|r| r["name"] == name).expect("a row a case")["status"].clone();
        assert_eq!(
            (status("right"), status("wrong"), status("nothing")),
            ("passed".into(), "failed".into(), "skipped".into())
        );
        let right = rows.iter().find(|r| r["name"] == "right").expect("a row");
        assert_eq!((&right["within"], &right["max_ulps"]), (&"demand".into(), &0.into()));
        assert!(right["run_ms"].is_number() && right["compile_ms"].is_number() == (backend == "cpu"), "{right}");
    }
}

#[test]
fn cases_are_chosen_by_name() {
    let dir = folder("choice");
    write(&dir, "right.mlir", &adds("3.0"));
    write(&dir, "wrong.mlir", &adds("3.5"));
    let o = kiln_at(&dir, &["check", ".", "--skip", "wr*"]);
    assert_eq!(code(&o), 0, "{}", stdout(&o));
    assert!(
        stdout(&o).contains("SKIPPED ./wrong.mlir: --skip wr*")
            && stdout(&o).ends_with("1 passed, 0 failed, 1 skipped\n")
    );
    let o = kiln_at(&dir, &["check", ".", "--only", "*wrong*"]);
    assert!(stdout(&o).ends_with("0 passed, 1 failed, 0 skipped\n"), "{}", stdout(&o));
    assert_eq!(code(&kiln_at(&dir, &["check", ".", "--only", "neither"])), 3);
}

#[test]
fn a_crash_or_hang_costs_one_case() {
    let dir = folder("faults");
    for i in 0..6 {
        write(&dir, &format!("case{i}.mlir"), &adds("3.0"));
    }
    let faults = ["--fault", "abort=case1", "--fault", "hang=case3", "--fault", "panic=case4"];
    let o = kiln(["check", dir.to_str().expect("UTF-8"), "--jobs", "2", "--timeout", "2"].into_iter().chain(faults));
    let text = stdout(&o);
    assert_eq!(code(&o), 1, "{text}");
    assert!(text.ends_with("3 passed, 3 failed, 0 skipped\n"), "{text}");
    assert!(text.contains("case1.mlir: the worker died: signal"), "{text}");
    assert!(text.contains("case3.mlir: no result within 2 s"), "{text}");
    assert!(text.contains("case4.mlir: panic at ") && text.contains("asked to"), "{text}");
}

/// A folder as exporters write it, with one more form of the program and a type that NumPy has not.
fn program(dir: &Path, want: u16) {
    let text = |ty: &str| {
        format!(
            "func.func @main(%x: tensor<2x{ty}>) -> tensor<2x{ty}> {{\n  %0 = stablehlo.negate %x : tensor<2x{ty}>\n  return %0 : tensor<2x{ty}>\n}}\n"
        )
    };
    write(dir, "program.mlir", &text("bf16"));
    let generic = "\"func.func\"() <{function_type = (tensor<2xbf16>) -> tensor<2xbf16>, sym_name = \"main\"}> ({\n^bb0(%x: tensor<2xbf16>):\n  %0 = \"stablehlo.negate\"(%x) : (tensor<2xbf16>) -> tensor<2xbf16>\n  \"func.return\"(%0) : (tensor<2xbf16>) -> ()\n}) : () -> ()\n";
    write(dir, "program.generic.mlir", generic);
    write(dir, "meta.json", r#"{"rtol": 0.0, "atol": 0.0, "outputs": [{"dtype": "bfloat16"}]}"#);
    let bits = |a: u16, b: u16| Tensor::from_vec([2], vec![a, b]).expect("made");
    write_npz(dir.join("inputs.npz"), &[("a0", &bits(0x3f80, 0x4000))]).expect("written");
    write_npz(dir.join("outputs.npz"), &[("a0", &bits(0xbf80, want))]).expect("written");
}

#[test]
fn folders_are_checked_in_every_form() {
    let dir = folder("forms");
    program(&dir.join("good"), 0xc000);
    program(&dir.join("bad"), 0xc080);
    let o = kiln_at(&dir, &["check", "."]);
    let text = stdout(&o);
    assert!(text.ends_with("1 passed, 1 failed, 0 skipped\n"), "{text}");
    assert!(
        text.contains("FAILED ./bad [text, generic]: result 0: element [1] of bf16[2]: got -2.0, want -4.0"),
        "{text}"
    );
    assert!(text.contains("forms: text 1 of 2, generic 1 of 2"), "{text}");
    // A file that is not even MLIR spoils the case, unless its form is left out.
    std::fs::write(dir.join("good/program.mlirbc"), b"ML\xefR\x00").expect("written");
    let o = kiln_at(&dir, &["check", "good"]);
    assert!(
        stdout(&o).contains("[bytecode]") && stdout(&o).ends_with("0 passed, 1 failed, 0 skipped\n"),
        "{}",
        stdout(&o)
    );
    let o = kiln_at(&dir, &["check", "good", "--forms", "text,generic"]);
    assert!(stdout(&o).ends_with("1 passed, 0 failed, 0 skipped\n"), "{}", stdout(&o));
}

#[test]
fn every_way_of_compiling_is_checked() {
    let dir = folder("variants");
    write(&dir, "right.mlir", &adds("3.0"));
    program(&dir.join("negates"), 0xc000);
    for backend in ["interp", "cpu"] {
        let o = kiln_at(&dir, &["check", ".", "--every-level", "--every-pass-off", "--backend", backend]);
        let text = stdout(&o);
        assert_eq!(code(&o), 0, "{text}{}", stderr(&o));
        for variant in ["level 0", "level 1", "level 2", "without cse", "without fusion", "without schedule"] {
            assert!(text.contains(&format!("3 of 3 {variant}\n")), "{variant}: {text}");
        }
        assert!(text.ends_with("2 passed, 0 failed, 0 skipped\n"), "{text}");
    }
}

#[test]
fn artifacts_run_in_another_process() {
    let dir = folder("artifact");
    write(&dir, "right.mlir", &adds("3.0"));
    write(&dir, "wrong.mlir", &adds("3.5"));
    program(&dir.join("negates"), 0xc000);
    let o = kiln_at(&dir, &["check", ".", "--artifact"]);
    assert!(stdout(&o).ends_with("2 passed, 1 failed, 0 skipped\n"), "{}", stdout(&o));
    assert!(stdout(&o).contains("got 3.0, want 3.5"), "{}", stdout(&o));
}

/// What misses the file's demand but not the contract's tolerance passes, and is counted apart.
#[test]
fn relaxed_cases_are_counted_apart() {
    let dir = folder("relaxed");
    // The sum of four terms, one unit in the last place off.
    let text = "func.func @sum() {
  %a = stablehlo.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
  %d = stablehlo.constant dense<10.000001> : tensor<f32>
  check.expect_close %s, %d, max_ulp_difference = 0 : tensor<f32>, tensor<f32>
  func.return
}
";
    write(&dir, "sum.mlir", text);
    let o = kiln_at(&dir, &["check", "sum.mlir", "-v"]);
    assert_eq!(code(&o), 0, "{}", stdout(&o));
    assert!(stdout(&o).contains("RELAXED sum.mlir: sum.mlir:6:"), "{}", stdout(&o));
    assert!(stdout(&o).contains("0 within the file's own demand, 1 within the contract's tolerance"), "{}", stdout(&o));
    let o = kiln_at(&dir, &["check", "sum.mlir", "--strict"]);
    assert_eq!(code(&o), 1, "{}", stdout(&o));
    // An addition is exactly rounded: nothing relaxes it.
    write(&dir, "add.mlir", &adds("3.000002"));
    assert_eq!(code(&kiln_at(&dir, &["check", "add.mlir"])), 1);
}

/// Types that NumPy has go in and out as they are, others as their bits.
#[test]
fn arrays_of_every_type_go_through() {
    let dir = folder("types");
    for (dtype, name) in [
        (DType::BF16, "bf16"),
        (DType::F16, "f16"),
        (DType::U16, "ui16"),
        (DType::Bool, "i1"),
        (DType::F64, "f64"),
        (DType::C64, "complex<f32>"),
        (DType::C128, "complex<f64>"),
        (DType::I4, "i4"),
        (DType::U2, "ui2"),
        (DType::F8E4M3FN, "f8E4M3FN"),
        (DType::F4E2M1FN, "f4E2M1FN"),
    ] {
        let text = format!(
            "func.func @main(%x: tensor<3x{name}>) -> tensor<3x{name}> {{\n  %0 = stablehlo.reverse %x, dims = [0] : tensor<3x{name}>\n  return %0 : tensor<3x{name}>\n}}\n"
        );
        write(&dir, "reverse.mlir", &text);
        let bytes: Vec<u8> = (0..3 * dtype.size()).map(|i| u8::from(i < dtype.size())).collect();
        let x = Tensor::from_bytes(dtype, [3], &bytes).expect("made");
        write_npz(dir.join("in.npz"), &[("a0", &x)]).expect("written");
        let o = kiln_at(&dir, &["run", "reverse.mlir", "--inputs", "in.npz", "--outputs", "out.npz"]);
        assert_eq!(code(&o), 0, "{}", stderr(&o));
        let out = read_npz(dir.join("out.npz")).expect("read");
        let back: Vec<u8> = bytes.chunks(dtype.size()).rev().flatten().copied().collect();
        assert_eq!(out[0].1.bytes(), back, "{dtype}");
    }
}

/// Programs with a random generator keep its state in a variable: every run goes on from the last.
#[test]
fn programs_with_state_run() {
    let dir = folder("state");
    let text = "func.func @main() -> tensor<4xf32> {
  %a = stablehlo.constant dense<0.0> : tensor<f32>
  %b = stablehlo.constant dense<1.0> : tensor<f32>
  %s = stablehlo.constant dense<4> : tensor<1xi64>
  %0 = stablehlo.rng %a, %b, %s, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
";
    write(&dir, "random.mlir", text);
    assert_eq!(code(&kiln_at(&dir, &["compile", "random.mlir", "-o", "random.kiln"])), 0);
    let line = |args: &[&str]| {
        let o = kiln_at(&dir, args);
        assert_eq!(code(&o), 0, "{args:?}: {}", stderr(&o));
        stdout(&o).lines().next().expect("a result").to_owned()
    };
    let once = line(&["run", "random.mlir"]);
    let twice = line(&["run", "random.mlir", "--repeat", "2"]);
    assert!(once.starts_with("r0: f32[4] = ["), "{once}");
    assert_ne!(once, twice);
    for file in [&["run", "random.mlir", "--backend", "interp"][..], &["run", "random.kiln"]] {
        assert_eq!(line(file), once, "{file:?}");
        assert_eq!(line(&[file, &["--repeat", "2"]].concat()), twice, "{file:?}");
    }
}

/// The page about the command has the present table of tolerances.
#[test]
fn the_tolerances_are_documented() {
    let table = stdout(&kiln(["check", "--tolerances"]));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    assert!(page.contains(&table), "docs/command.md needs this table:\n{table}");
}
