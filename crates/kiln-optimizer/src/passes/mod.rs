//! The passes, a file each, and the order in which they run: whoever adds one adds it here.

mod canonicalize;
mod control;
mod conv;
mod cse;
mod dce;
mod dot;
mod fold;
mod inline;
mod legalize;
mod licm;
mod movement;
mod reduce;
mod regions;
mod rng;
mod shape_calls;
mod simplify;
mod sink;

use crate::options::OptimizeOptions;
use crate::pass::Pass;
use crate::pipeline::Pipeline;
use kiln_ir::Diagnostics;

pub(crate) const ALL: &[Pass] = &[
    inline::PASS,
    legalize::PASS,
    rng::PASS,
    canonicalize::PASS,
    movement::PASS,
    simplify::PASS,
    fold::PASS,
    control::PASS,
    regions::PASS,
    cse::PASS,
    dce::PASS,
    licm::PASS,
    sink::PASS,
    dot::PASS,
    conv::PASS,
    reduce::PASS,
    shape_calls::PASS,
];

/// The names of the passes in the order in which they run.
///
/// - `inline_composites`: composites become their bodies.
/// - `legalize`: complex numbers, 2- and 4-bit integers and floats of at most 8 bits become tensors of other types. What
///   is only made of other types stays as it is.
/// - `expand_rng`: random bits become integer arithmetic on a counter.
/// - `canonicalize`: one form for things that have several; no-op nodes go.
/// - `data_movement`: slices, concatenations, pads, gathers and reversals of each other.
/// - `simplify`: algebra.
/// - `fold_constants`: nodes of constants become constants, within a budget.
/// - `control_flow`: known branches and loops, constants into nested functions.
/// - `regions`: operators with functions of scalars take named forms.
/// - `cse`: equal nodes become one.
/// - `dce`: unused nodes, loop state, arguments and results go.
/// - `licm`: what a loop computes again and again moves out of it.
/// - `sink`: broadcasts, reshapes and transposes move behind elementwise nodes, where they cancel or merge.
/// - `dot`: `dot_general` takes in transposes and loses dimensions of size 1.
/// - `convolution`: convolutions take in transposes; 1x1 ones become products.
/// - `reduce`: reductions merge; tiling windows become reductions.
/// - `shape_calls`: operands of dots and convolutions get the types and layouts that library kernels take.
pub const PASSES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut i = 0;
    while i < ALL.len() {
        names[i] = ALL[i].name;
        i += 1;
    }
    names
};

/// The passes that later stages need: they run at every level, and whether they are disabled or not.
pub const REQUIRED: [&str; 4] = [inline::PASS.name, legalize::PASS.name, rng::PASS.name, shape_calls::PASS.name];

/// Rounds of the fixpoint iteration at most.
const MAX_ROUNDS: u32 = 6;

/// All passes in order, as often as the options ask for.
pub(crate) fn run_all(o: &mut Pipeline, options: &OptimizeOptions) -> Result<(), Diagnostics> {
    o.run(&inline::PASS)?;
    o.run(&legalize::PASS)?;
    o.run(&rng::PASS)?;
    if options.level == 0 {
        o.run(&dce::PASS)?;
        return o.run(&shape_calls::PASS);
    }
    for round in 0..if options.level == 1 { 1 } else { MAX_ROUNDS } {
        let before = o.start_round(round);
        o.run(&canonicalize::PASS)?;
        o.run(&movement::PASS)?;
        o.run(&simplify::PASS)?;
        o.run(&fold::PASS)?;
        o.run(&control::PASS)?;
        o.run(&regions::PASS)?;
        o.run(&cse::PASS)?;
        o.run(&dce::PASS)?;
        if options.level >= 2 {
            o.run(&licm::PASS)?;
            o.run(&sink::PASS)?;
            o.run(&dot::PASS)?;
            o.run(&conv::PASS)?;
            o.run(&reduce::PASS)?;
        }
        if o.rewrites() == before {
            break;
        }
    }
    // What the last passes left behind.
    o.run(&cse::PASS)?;
    o.run(&dce::PASS)?;
    o.run(&shape_calls::PASS)
}

/// A pass alone; behind `legalize`, unless it is to run on what legalization takes.
pub(crate) fn run_one(o: &mut Pipeline, pass: &Pass) -> Result<(), Diagnostics> {
    if pass.name != inline::PASS.name && pass.name != legalize::PASS.name {
        o.run(&legalize::PASS)?;
    }
    o.run(pass)
}
