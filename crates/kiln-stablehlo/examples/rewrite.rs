//! Reads a StableHLO program (text or bytecode) and writes it as kiln understands it: `rewrite FILE`.
//!
//! The result has calls inlined and operators that kiln does not have replaced by those that it has.

use kiln_stablehlo::{WriteOptions, build, read, write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: rewrite FILE")?;
    let module = read(&std::fs::read(&file)?, &file)?;
    let main = if module.functions.iter().any(|f| f.name == "main") { "main" } else { "" };
    let program = build(&module, main)?;
    print!("{}", write(&program.func, &WriteOptions::default())?);
    Ok(())
}
