//! Graphs as StableHLO with inputs and kiln's own results, for another compiler to check:
//! `stablehlo DIR [--random N] [--only NAME] [--interp]`.
//!
//! Each case is a folder with `program.mlir`, `inputs.npz`, `outputs.npz` (arrays `a0`, `a1`, ... in the order of `@main`'s
//! arguments and results) and `meta.json` (element types by NumPy's names, tolerances). The results are those of compiled
//! code, or of the interpreter with `--interp`.

mod cases;
mod inputs;
mod operators;
mod small_types;

use cases::Case;
use kiln::ir::{DType, Func, InputKind, OutputKind};
use kiln::prelude::*;
use kiln_runtime::initialize::initial_value;
use kiln_stablehlo::{WriteOptions, lift_constants, write};
use std::path::Path;

/// Literals from this size on become arguments.
const LIFTED_BYTES: usize = 1 << 16;

/// Random graphs that XLA's CPU compiler (jaxlib 0.10.2) computes otherwise, and what it does.
const DIFFERENT_IN_XLA: [(u64, &str); 3] = [
    (68, "count_leading_zeros of negative literals gives 32"),
    (152, "the initial value 16 of an `and` over a dimension of size 1 is dropped"),
    (197, "a subnormal bf16 divisor is flushed to 0"),
];

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let dir = args
        .first()
        .filter(|a| !a.starts_with('-'))
        .ok_or("usage: stablehlo DIR [--random N] [--only NAME] [--interp]")?;
    let random: u64 = option("--random").map_or(Ok(0), |n| n.parse()).map_err(|e| format!("--random: {e}"))?;
    let only = option("--only");
    let interp = args.iter().any(|a| a == "--interp");
    let wanted = |name: &str| only.is_none_or(|o| name.contains(o.as_str()));
    let mut written = 0;
    for (name, make) in cases::all() {
        if wanted(name) {
            emit(Path::new(dir), &make(name), interp).map_err(|e| format!("{name}: {e}"))?;
            written += 1;
        }
    }
    for seed in 0..random {
        let name = format!("random_{seed:04}");
        if let Some((_, why)) = DIFFERENT_IN_XLA.iter().find(|(s, _)| *s == seed).filter(|_| only.is_none()) {
            println!("{name} left out: {why}");
        } else if wanted(&name) {
            let case = cases::random(&name, seed);
            emit(Path::new(dir), &case, interp).map_err(|e| format!("{name}: {e}"))?;
            written += 1;
        }
    }
    println!("{written} programs written to {dir}");
    Ok(())
}

/// Runs a case and writes its folder.
fn emit(dir: &Path, case: &Case, interp: bool) -> Result<(), String> {
    let folder = dir.join(&case.name);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let lifted = lift_constants(&case.func, LIFTED_BYTES);
    let text = write(&lifted, &WriteOptions { locations: case.locations, ..WriteOptions::default() });
    let text = text.map_err(|e| e.to_string())?;
    std::fs::write(folder.join("program.mlir"), text).map_err(|e| e.to_string())?;
    let inputs = arguments(&lifted, case)?;
    let outputs = match interp {
        true => kiln::interp::eval(&case.func, &arguments(&case.func, case)?).map_err(|e| e.to_string())?,
        false => run(&case.func, case)?,
    };
    let save = |file: &str, arrays: &[Tensor]| {
        let names: Vec<String> = (0..arrays.len()).map(|i| format!("a{i}")).collect();
        let arrays: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(arrays).collect();
        kiln_runtime::npy::write_npz(folder.join(file), &arrays).map_err(|e| e.to_string())
    };
    save("inputs.npz", &inputs)?;
    save("outputs.npz", &outputs)?;
    let port = |(i, t): (usize, &Tensor)| {
        format!("{{\"key\": \"a{i}\", \"dtype\": \"{}\", \"shape\": {:?}}}", numpy_name(t.dtype()), t.shape())
    };
    let list = |ts: &[Tensor]| ts.iter().enumerate().map(port).collect::<Vec<_>>().join(", ");
    let tolerances: Vec<String> = outputs.iter().enumerate().map(|(i, t)| case.tolerance(i, t.dtype())).collect();
    let meta = format!(
        "{{\"name\": \"{}\",\n \"inputs\": [{}],\n \"outputs\": [{}],\n \"tolerances\": [{}]}}\n",
        case.name,
        list(&inputs),
        list(&outputs),
        tolerances.join(", ")
    );
    std::fs::write(folder.join("meta.json"), meta).map_err(|e| e.to_string())
}

/// Values for the inputs of a function: what the case feeds, and initial values of variables.
fn arguments(func: &Func, case: &Case) -> Result<Vec<Tensor>, String> {
    let value = |input: &kiln::ir::Input| match &input.kind {
        InputKind::Feed => {
            let fed = case.feeds.iter().find(|(name, _)| *name == input.name);
            fed.map(|(_, t)| t.clone()).ok_or_else(|| format!("{} is not fed", input.name))
        }
        InputKind::Variable(init) => {
            let shape = input.ty.shape.as_sizes().ok_or_else(|| format!("{} has no fixed shape", input.name))?;
            initial_value(init, input.ty.dtype, &shape)
        }
    };
    func.inputs.iter().map(value).collect()
}

/// The outputs of a function in its order, from compiled code.
fn run(func: &Func, case: &Case) -> Result<Vec<Tensor>, String> {
    let exe = Compiler::cpu().threads(1).compile_func(func.clone()).map_err(|e| e.to_string())?;
    let mut session = exe.session().map_err(|e| e.to_string())?;
    let feeds: Vec<(&str, &Tensor)> = case.feeds.iter().map(|(name, t)| (name.as_str(), t)).collect();
    let fetched = session.run(&feeds).map_err(|e| e.to_string())?;
    let output = |o: &kiln::ir::Output| match o.kind {
        OutputKind::Fetch => fetched.get(&o.name).cloned().ok_or_else(|| format!("{} is not fetched", o.name)),
        OutputKind::Update(input) => session.get(&func.inputs[input].name).map_err(|e| e.to_string()),
    };
    func.outputs.iter().map(output).collect()
}

/// The element type's name in NumPy or `ml_dtypes`.
fn numpy_name(dtype: DType) -> String {
    let name = dtype.name();
    match dtype {
        DType::Bool => "bool".into(),
        DType::BF16 => "bfloat16".into(),
        DType::F16 | DType::F32 | DType::F64 => name.replacen('f', "float", 1),
        DType::C64 => "complex64".into(),
        DType::C128 => "complex128".into(),
        d if d.is_signed_int() => name.replacen('i', "int", 1),
        d if d.is_unsigned_int() => name.replacen('u', "uint", 1),
        // f8E4M3FN is float8_e4m3fn.
        _ => {
            let (bits, format) = name[1..].split_at(1);
            format!("float{bits}_{}", format.to_lowercase())
        }
    }
}
