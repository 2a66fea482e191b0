//! Running passes: options, times, counts, dumps and the verifier around each. Which passes, and in what order, says
//! `passes`.

use crate::context::{Cx, count_nodes};
use crate::dump::Dump;
use crate::log::{PassLog, PassRun};
use crate::options::OptimizeOptions;
use crate::pass::Pass;
use crate::passes::{ALL, PASSES, REQUIRED, run_all, run_one};
use kiln_ir::{Diagnostic, Diagnostics, Dim, Func, Legal, Op, Verified};
use std::time::Instant;

/// What [`optimize`] gives.
#[derive(Clone, Debug)]
pub struct Optimized<F = Legal> {
    /// The optimized function, of the same signature.
    pub func: F,
    /// What was done.
    pub log: PassLog,
    /// Where later stages write their files, if the options ask for a dump.
    pub dump: Option<Dump>,
}

impl Optimized {
    /// The same with a function that may be changed.
    pub fn into_func(self) -> Optimized<Func> {
        Optimized { func: self.func.into_func(), log: self.log, dump: self.dump }
    }
}

/// Optimizes a static function. Inputs and outputs (names, order, kinds, bytes) stay as they are, and their types as well
/// unless the pass `legalize` has to change them: `c64[3]` becomes `f32[3, 2]`, `i4` becomes `i8`, `f8E5M2` becomes `u8`.
///
/// Deterministic: the same function and options give the same result.
///
/// # Errors
/// When a dimension is symbolic (code `optimize.static`), when `options` names an unknown pass (`optimize.options`), when a dump cannot be written (`optimize.dump`), and with `options.verify` when a pass breaks the function
/// (`optimize.verify`, which is a bug of that pass).
///
/// # Example
/// ```
/// use kiln_ir::{DType, Func, InputKind, Loc, Op, TensorType, UnaryOp, Verified};
/// use kiln_optimizer::{OptimizeOptions, optimize};
/// let mut f = Func::new("f");
/// let x = f.add_input("x", TensorType::new(DType::F32, [4]), InputKind::Feed, Loc::UNKNOWN);
/// let n = f.push1(Op::Unary(UnaryOp::Negate), &[x], Loc::UNKNOWN)?;
/// let y = f.push1(Op::Unary(UnaryOp::Negate), &[n], Loc::UNKNOWN)?;
/// f.add_output("y", y);
/// let f = Verified::new(f).expect("it follows the rules");
/// let optimized = optimize(f, &OptimizeOptions::default()).expect("a static function");
/// assert_eq!(optimized.func.nodes().len(), 1);
/// # Ok::<(), kiln_ir::Diagnostic>(())
/// ```
pub fn optimize(func: Verified, options: &OptimizeOptions) -> Result<Optimized, Diagnostics> {
    let mut o = Pipeline::new(func, options)?;
    o.dump("input")?;
    run_all(&mut o, options)?;
    // Each pass was verified where that was asked for.
    Ok(Optimized { func: Legal::new(Verified::by_construction(o.func))?, log: o.cx.log, dump: o.dump })
}

/// Runs one pass alone, once (for tests and tools).
///
/// # Errors
/// As [`optimize`], and when the function breaks a rule of [`kiln_ir::verify`]; an unknown `pass` is `optimize.options`.
pub fn run_pass(func: Func, pass: &str, options: &OptimizeOptions) -> Result<Optimized<Func>, Diagnostics> {
    let Some(pass) = ALL.iter().find(|p| p.name == pass) else { return Err(unknown_pass(pass).into()) };
    let mut o = Pipeline::new(Verified::new(func)?, options)?;
    run_one(&mut o, pass)?;
    Ok(Optimized { func: o.func, log: o.cx.log, dump: o.dump })
}

fn unknown_pass(name: &str) -> Diagnostic {
    Diagnostic::new("optimize.options", format!("there is no optimizer pass `{name}`"))
        .help(format!("the passes are {}", PASSES.join(", ")))
}

/// The function on its way through the passes.
pub(crate) struct Pipeline {
    func: Func,
    cx: Cx,
    round: u32,
    dump: Option<Dump>,
    /// Rewrites so far.
    rewrites: u64,
    /// Per pass: the number of rewrites of all passes when it last found nothing to do. Until another pass rewrites
    /// something, running it again is pointless.
    idle_at: [Option<u64>; ALL.len()],
}

impl Pipeline {
    fn new(func: Verified, options: &OptimizeOptions) -> Result<Pipeline, Diagnostics> {
        if let Some(name) = options.disable.iter().find(|d| !PASSES.contains(&d.as_str())) {
            return Err(unknown_pass(name).into());
        }
        let mut problems = Vec::new();
        check_static(&func, &mut problems);
        if !problems.is_empty() {
            return Err(Diagnostics(problems));
        }
        let cx = Cx::new(options.clone());
        Ok(Pipeline { func: func.into_func(), cx, round: 0, dump: None, rewrites: 0, idle_at: [None; ALL.len()] })
    }

    /// Starts another round of passes; gives the number of rewrites so far.
    pub fn start_round(&mut self, round: u32) -> u64 {
        self.round = round;
        self.rewrites
    }

    /// The number of rewrites so far.
    pub fn rewrites(&self) -> u64 {
        self.rewrites
    }

    /// Runs a pass, unless it is disabled or known to find nothing.
    pub fn run(&mut self, pass: &Pass) -> Result<(), Diagnostics> {
        let index = PASSES.iter().position(|p| *p == pass.name).expect("every pass is in the list");
        let disabled = !REQUIRED.contains(&pass.name) && self.cx.options.disable.iter().any(|d| d == pass.name);
        if disabled || self.idle_at[index] == Some(self.rewrites) {
            return Ok(());
        }
        let nodes_before = count_nodes(&self.func);
        let start = Instant::now();
        let func = std::mem::take(&mut self.func);
        self.func = pass.run(func, &mut self.cx)?;
        let run = PassRun {
            pass: pass.name,
            round: self.round,
            time: start.elapsed(),
            nodes_before,
            nodes_after: count_nodes(&self.func),
            work: std::mem::take(&mut self.cx.work),
            rules: std::mem::take(&mut self.cx.rules),
        };
        let rewrites = run.rewrites();
        self.rewrites += rewrites;
        self.idle_at[index] = (rewrites == 0).then_some(self.rewrites);
        self.cx.log.runs.push(run);
        self.dump(pass.name)?;
        if self.cx.options.verify {
            kiln_ir::verify::verify(&self.func).map_err(|d| broken(pass.name, d))?;
        }
        Ok(())
    }

    fn dump(&mut self, what: &str) -> Result<(), Diagnostics> {
        let Some(dir) = &self.cx.options.dump else { return Ok(()) };
        let (what, text) = (format!("{what}.kir"), kiln_ir::text::print(&self.func));
        let written = match &mut self.dump {
            Some(dump) => dump.write(&what, &text),
            None => Dump::start(dir, &self.func.name, &what, &text).map(|dump| self.dump = Some(dump)),
        };
        written.map_err(|e| {
            Diagnostic::new("optimize.dump", e.to_string()).help("choose another directory, or unset KILN_DUMP").into()
        })
    }
}

fn broken(pass: &str, mut d: Diagnostics) -> Diagnostics {
    let head = Diagnostic::new("optimize.verify", format!("the pass `{pass}` broke the function"))
        .help(format!("please report it; to go on, disable the pass `{pass}`"));
    d.0.insert(0, head);
    d
}

/// One diagnostic for every node with a symbolic dimension (the first ten).
fn check_static(func: &Func, problems: &mut Vec<Diagnostic>) {
    for (id, node) in func.iter() {
        if problems.len() >= 10 {
            return;
        }
        let bounds = match &node.op {
            Op::Slice { start, limit, .. } => start.iter().chain(limit).any(Dim::is_symbolic),
            Op::Pad { low, high, .. } => low.iter().chain(high).any(Dim::is_symbolic),
            _ => false,
        };
        if let Some(ty) = node.types.iter().find(|t| bounds || t.shape.as_sizes().is_none()) {
            let name = node.name.as_deref().map(|n| format!(" \"{n}\"")).unwrap_or_default();
            let text = format!("node %{}{name} ({}) has no static shape", id.0, node.op.name());
            problems.push(
                Diagnostic::new("optimize.static", text)
                    .at(&node.loc)
                    .label(format!("its type is {ty}"))
                    .help("bind the named dimensions with `kiln_ir::specialize` before optimizing"),
            );
        }
        node.op.regions().into_iter().for_each(|r| check_static(r, problems));
    }
}
