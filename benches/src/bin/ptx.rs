//! Writes the PTX of a workload's generated kernels: `ptx KEY DIR` makes `DIR/sm_80.ptx` and `DIR/sm_90.ptx`.

use kiln::ir::dim::DimEnv;
use kiln::prelude::*;
use kiln_gpu::PtxTarget;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [key, dir] = args.as_slice() else { return Err("usage: ptx KEY DIR".into()) };
    let workload = kiln_benches::table::make(key).ok_or_else(|| format!("there is no workload {key}"))?;
    let func = kiln_benches::models::function(&workload).finish()?;
    let compiled = Compiler::cpu().threads(1).stages(&func, &DimEnv::new())?;
    for sm in [80, 90] {
        let (text, kernels) = kiln_gpu::module(&compiled.lowered.kernels, &PtxTarget { sm })?;
        let path = std::path::Path::new(dir).join(format!("sm_{sm}.ptx"));
        std::fs::write(&path, text)?;
        println!("{}: {} kernels", path.display(), kernels.len());
    }
    Ok(())
}
