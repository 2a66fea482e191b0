//! Runs workloads and prints or writes one JSON row each: `cargo xtask bench` calls it.

use clap::Parser;
use kiln_benches::measure::{Options, measure};
use kiln_benches::table::{KEYS, make};
use std::io::Write;
use std::time::Duration;

/// Measures workloads, each in a process of its own.
#[derive(Parser)]
struct Args {
    /// Keys or their beginnings, separated by commas: `T1,T3,I1`; all by default.
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// Threads of a run.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Append the JSON rows to this file.
    #[arg(long)]
    json: Option<std::path::PathBuf>,
    /// Seconds of steady state for each workload.
    #[arg(long, default_value_t = 3.0)]
    min_time: f64,
    /// Fewest calls of the steady state.
    #[arg(long, default_value_t = 7)]
    min_reps: usize,
    /// Measure in this process (used for the processes it starts).
    #[arg(long, hide = true)]
    here: bool,
}

/// Restricts this process to the last `threads` processors it may use, and gives them.
fn pin(threads: usize) -> Result<Vec<usize>, String> {
    // SAFETY: the set is plain data, all zeros is an empty one, and the calls get its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of_val(&set);
        if libc::sched_getaffinity(0, size, &mut set) != 0 {
            return Err("the processor affinity cannot be read".into());
        }
        let allowed: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(|&c| libc::CPU_ISSET(c, &set)).collect();
        if allowed.len() < threads {
            return Err(format!("{threads} threads asked for, {} processors allowed", allowed.len()));
        }
        let chosen = allowed[allowed.len() - threads..].to_vec();
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        chosen.iter().for_each(|&c| libc::CPU_SET(c, &mut set));
        if libc::sched_setaffinity(0, size, &set) != 0 {
            return Err("the processor affinity cannot be set".into());
        }
        Ok(chosen)
    }
}

fn run_here(key: &str, args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let cpus = pin(args.threads)?;
    let workload = make(key).ok_or_else(|| format!("there is no workload {key}"))?;
    let options = Options {
        threads: args.threads,
        min_time: Duration::from_secs_f64(args.min_time),
        min_reps: args.min_reps.max(1),
    };
    let row = measure(&workload, &options, cpus)?;
    println!("{}", row.summary());
    if let Some(path) = &args.json {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(file, "{}", serde_json::to_string(&row)?)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let matches = |key: &str, w: &str| if args.here { key == w } else { key.starts_with(w) };
    let wanted = |key: &&str| args.workloads.is_empty() || args.workloads.iter().any(|w| matches(key, w));
    let keys: Vec<&str> = KEYS.into_iter().filter(|k| wanted(k)).collect();
    if keys.is_empty() {
        return Err(format!("no workload begins with {:?}; there are {KEYS:?}", args.workloads).into());
    }
    if args.here {
        return keys.into_iter().try_for_each(|key| run_here(key, &args));
    }
    let mut failed = Vec::new();
    for key in keys {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(["--here", "--workloads", key, "--threads", &args.threads.to_string()]);
        command.args(["--min-time", &args.min_time.to_string(), "--min-reps", &args.min_reps.to_string()]);
        if let Some(path) = &args.json {
            command.arg("--json").arg(path);
        }
        if !command.status()?.success() {
            failed.push(key);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}
