//! Emission of one fusion group as loop kernels.
//!
//! Emission is demand-driven: [`emit`] opens the loops of the group's iteration space and asks for the element of each output
//! at the loops' symbolic index. The element of a value is computed from elements of its operands at indices derived from
//! that index (module `elemental`); index maps such as transposes and slices cost nothing, a reduction opens loops of its own
//! (module `reduce`). Whatever is computed is placed in the outermost loop that it depends on and remembered there, so the
//! result of a row's reduction is computed once per row. Loop nests are built over the finest axes that make all index maps
//! affine, and are then collapsed, ordered and split (module `loops`).
//!
//! Functions of scalars that an operator brings along are inlined (module `nested`): into serial loops that carry accumulators
//! (module `generic`), into scatters, and into merge sorts (module `sort`).

mod alias;
mod builder;
mod elemental;
mod elementwise;
mod generic;
mod index;
mod loops;
mod nested;
mod reduce;
mod rows;
mod scatter;
mod sort;
mod structural;
mod window;

use builder::{Context, Emitter};
use kiln_ir::{DType, Diagnostic, Func, Value};
use kiln_loops::Kernel;
use kiln_plan::MachineModel;
use kiln_plan::fusion::{Form, Group};

/// A buffer that a launch works on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Operand {
    /// A value of the function that lies in memory.
    Value(Value),
    /// A temporary of this group.
    Temp(u32),
}

/// A temporary buffer between the kernels of one group.
#[derive(Clone, Copy, Debug)]
pub struct Temp {
    /// Element type.
    pub dtype: DType,
    /// Number of elements.
    pub len: u64,
}

/// One kernel launch; `args[i]` is the buffer of kernel parameter `i`.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The kernel, before math expansion.
    pub kernel: Kernel,
    /// Its buffers.
    pub args: Vec<Operand>,
}

/// The code of one group.
#[derive(Clone, Debug, Default)]
pub struct Emitted {
    /// Temporaries.
    pub temps: Vec<Temp>,
    /// Pairs (input, output): the output's buffer must hold the input's contents before the first launch (scatter,
    /// dynamic_update_slice). The program builder lets them share memory where the input dies, and copies otherwise.
    pub copy_in: Vec<(Value, Value)>,
    /// Pairs (input, output) that may share one buffer: every element of the input is loaded before the same element of the
    /// output is stored, by the same iteration, in every launch.
    pub may_alias: Vec<(Value, Value)>,
    /// The launches, in order.
    pub launches: Vec<Launch>,
}

/// Emits a group of kind `Kernel` of a function with static shapes. Outputs without elements need no launch.
///
/// # Errors
/// An operator or dtype that has no lowering, named with its node and source line.
pub fn emit(func: &Func, group: &Group, machine: &MachineModel) -> Result<Emitted, Diagnostic> {
    check_static(func, group)?;
    let cx = Context::new(func, group, machine);
    let mut out = Emitted::default();
    match group.form {
        // Without columns every row is an initial value.
        Form::Elementwise { .. } | Form::Rows { cols: 0, .. } => elementwise::elementwise(&cx, &mut out)?,
        Form::Rows { rows, cols } => rows::rows(&cx, rows as i64, cols as i64, &mut out)?,
        Form::Reduction { .. } => reduce::reduction(&cx, &mut out)?,
        Form::Root(node) => scatter::root(&cx, node, &mut out)?,
    }
    alias::find(&cx, &mut out);
    Ok(out)
}

fn check_static(func: &Func, group: &Group) -> Result<(), Diagnostic> {
    let values = group.inputs.iter().chain(&group.outputs).copied();
    for v in values.chain(group.nodes.iter().flat_map(|n| func.results(*n))) {
        let node = func.node(v.node);
        if func.ty(v).num_bytes().is_none_or(|n| i64::try_from(n).is_err()) {
            let what = format!("`{}` of type {} has no known size", node.op.name(), func.ty(v));
            return Err(Diagnostic::new("lower.static", what)
                .at(&node.loc)
                .help("specialize the function to concrete dimensions before lowering it"));
        }
    }
    Ok(())
}

/// Runs `f` on a fresh emitter and appends the kernel that it builds as a launch.
fn launch<'a>(
    cx: &'a Context<'a>,
    out: &mut Emitted,
    f: impl FnOnce(&mut Emitter<'a>, &mut Emitted) -> Result<(), Diagnostic>,
) -> Result<(), Diagnostic> {
    let mut e = Emitter::new(cx);
    f(&mut e, out)?;
    if let Some(launch) = e.finish() {
        out.launches.push(launch);
    }
    Ok(())
}
