//! Prints the PTX module of kernels in text form: `ptx SM FILE...`.

use kiln_gpu::{PtxTarget, module};
use kiln_loops::Verified;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let sm = args.next().ok_or("usage: ptx SM FILE...")?.parse()?;
    let mut kernels = vec![];
    for path in args {
        let text = std::fs::read_to_string(&path)?;
        let kernel = kiln_loops::text::parse(&text).map_err(|e| format!("{path}:{e}"))?;
        kernels.push(Verified::new(kernel).map_err(|errors| format!("{path}: {}", errors[0]))?);
    }
    print!("{}", module(&kernels, &PtxTarget { sm })?.0);
    Ok(())
}
