//! Writes every stage of a workload's compilation to a directory: `dump KEY DIR`.

use kiln::ir::dim::DimEnv;
use kiln::optimizer::OptimizeOptions;
use kiln::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [key, dir] = args.as_slice() else { return Err("usage: dump KEY DIR".into()) };
    let workload = kiln_benches::table::make(key).ok_or_else(|| format!("there is no workload {key}"))?;
    let func = kiln_benches::models::function(&workload).finish()?;
    let options = OptimizeOptions { dump: Some(dir.into()), ..OptimizeOptions::default() };
    let compiled = Compiler::cpu().threads(1).optimize(options).stages(&func, &DimEnv::new())?;
    let program = &compiled.lowered.program;
    println!("{}\n{}", compiled.log, compiled.report);
    let text = format!("{}\n{}", program.memory_table(), program.arena_picture());
    std::fs::write(std::path::Path::new(dir).join("memory.txt"), text)?;
    println!("{} kernels, {} library calls; written to {dir}", program.kernels.len(), program.calls.len());
    Ok(())
}
