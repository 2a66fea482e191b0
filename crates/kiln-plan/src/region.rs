//! The plan of one function: its groups in the order in which they run, and what they do to its values. Nested functions have
//! plans of their own.
//!
//! Values that share memory by construction (reshapes, state that a loop passes through) share a *root*. A root may have a
//! *target*: the output that it is, in whose memory it is best computed.

use crate::calls;
use crate::fusion::{self, Group, GroupKind};
use crate::model::MachineModel;
use crate::options::PlanOptions;
use crate::schedule::{Resource, TaskGraph, schedule};
use kiln_ir::{Diagnostics, Func, NodeId, Op, OutputKind, Value};
use std::collections::BTreeMap;

/// A set of values that share memory; an index into per-root tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Root(usize);

impl Root {
    /// Its place in tables of [`Region::roots`] entries.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The plan of one function.
#[derive(Clone, Debug)]
pub struct Region {
    /// The groups that run, in order; groups of kind [`GroupKind::Alias`] are gone.
    pub groups: Vec<Group>,
    /// The plans of the functions nested in nodes of control flow, in the order of [`Op::regions`].
    pub nested: BTreeMap<NodeId, Vec<Region>>,
    first: Vec<usize>,
    values: Vec<Value>,
    roots: Vec<Root>,
    /// Per root: position of the last group that reads it; `groups.len()` when an end copy or the caller does.
    last_use: Vec<Option<usize>>,
    /// Per root: the output it is the value of (the first one that has a target).
    target: Vec<Option<usize>>,
    /// Per output: the input whose memory it overwrites.
    updates: Vec<Option<usize>>,
}

impl Region {
    /// Plans a function whose output `i` overwrites the memory of input `updates[i]`, if any.
    pub(crate) fn new(
        func: &Func,
        machine: &MachineModel,
        options: &PlanOptions,
        updates: Vec<Option<usize>>,
    ) -> Result<Region, Diagnostics> {
        let mut first = Vec::with_capacity(func.nodes().len());
        let mut values = Vec::new();
        for (id, _) in func.iter() {
            first.push(values.len());
            values.extend(func.results(id));
        }
        let roots = (0..values.len()).map(Root).collect();
        let n = values.len();
        let (groups, nested) = (Vec::new(), BTreeMap::new());
        let (last_use, target) = (vec![None; n], vec![None; n]);
        let mut this = Region { groups, nested, first, values, roots, last_use, target, updates };
        let groups = fusion::plan(func, options.fuse, machine).groups;
        this.join_aliases(func, &groups);
        let mut groups: Vec<Group> = groups.into_iter().filter(|g| g.kind != GroupKind::Alias).collect();
        this.find_targets(func, &groups);
        for group in &mut groups {
            match group.kind {
                GroupKind::Library => group.call = calls::site(func, group, machine)?,
                GroupKind::Control => {
                    let id = group.nodes[0];
                    this.nested.insert(id, nested_plans(&func.node(id).op, machine, options)?);
                }
                GroupKind::Kernel | GroupKind::Alias => {}
            }
        }
        this.groups = if options.schedule { this.scheduled(func, groups) } else { groups };
        this.find_last_uses(func);
        Ok(this)
    }

    /// The size of tables per root.
    pub fn roots(&self) -> usize {
        self.values.len()
    }

    /// The root of a value.
    pub fn root(&self, v: Value) -> Root {
        self.roots[self.first[v.node.index()] + v.result as usize]
    }

    /// The value that a root is named after: the one computed first.
    pub fn value(&self, root: Root) -> Value {
        self.values[root.0]
    }

    /// The position of the last group that reads a root; the number of groups when it is read behind the last one.
    pub fn last_use(&self, root: Root) -> Option<usize> {
        self.last_use[root.0]
    }

    /// The output whose memory a root is best computed in.
    pub fn target_output(&self, root: Root) -> Option<usize> {
        self.target[root.0]
    }

    fn join(&mut self, v: Value, with: Value) {
        let root = self.root(with);
        self.roots[self.first[v.node.index()] + v.result as usize] = root;
    }

    /// Alias groups share their operand's memory, and so does state that a loop passes through unchanged.
    fn join_aliases(&mut self, func: &Func, groups: &[Group]) {
        for group in groups {
            match group.kind {
                GroupKind::Alias => {
                    for &id in &group.nodes {
                        self.join(id.into(), func.node(id).operands[0]);
                    }
                }
                GroupKind::Control => {
                    let id = group.nodes[0];
                    if let Op::While { body, .. } = &func.node(id).op {
                        for (i, v) in func.results(id).enumerate() {
                            if is_invariant(body, i) {
                                self.join(v, func.node(id).operands[i]);
                            }
                        }
                    }
                }
                GroupKind::Kernel | GroupKind::Library => {}
            }
        }
    }

    fn find_targets(&mut self, func: &Func, groups: &[Group]) {
        let mut computed = vec![false; self.roots()];
        for group in groups {
            for &v in &group.outputs {
                // Results that share memory with an operand have another root and are not computed here.
                computed[self.first[v.node.index()] + v.result as usize] = true;
            }
        }
        for (i, output) in func.outputs.iter().enumerate() {
            let root = self.root(output.value);
            if computed[root.0] && self.target[root.0].is_none() {
                self.target[root.0] = Some(i);
            }
        }
    }

    fn find_last_uses(&mut self, func: &Func) {
        let end = self.groups.len();
        for (pos, group) in self.groups.iter().enumerate() {
            for &v in &group.inputs {
                self.last_use[self.roots[self.first[v.node.index()] + v.result as usize].0] = Some(pos);
            }
        }
        for (i, output) in func.outputs.iter().enumerate() {
            let root = self.root(output.value);
            // A parameter that keeps its value, or a value that is on its way to its own target, needs no copy at the end.
            let stays = self.updates[i].is_some_and(|p| self.root(func.inputs[p].node.into()) == root);
            if !stays {
                self.last_use[root.0] = Some(end);
            }
        }
    }

    /// Orders the groups for low peak memory; whoever reads a parameter goes before the group that overwrites it, where the
    /// given order allows.
    fn scheduled(&self, func: &Func, groups: Vec<Group>) -> Vec<Group> {
        let mut producer = vec![None; self.roots()];
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.roots()];
        for (t, group) in groups.iter().enumerate() {
            for &v in &group.outputs {
                let root = self.root(v);
                // State that a loop passes through has its producer elsewhere.
                if self.value(root) == v {
                    producer[root.0] = Some(t);
                }
            }
            for &v in &group.inputs {
                let list = &mut readers[self.root(v).0];
                if list.last() != Some(&t) {
                    list.push(t);
                }
            }
        }
        let mut graph = TaskGraph::new(groups.len());
        for (i, output) in func.outputs.iter().enumerate() {
            let Some(param) = self.updates[i] else { continue };
            let old = self.root(func.inputs[param].node.into());
            if let Some(writer) = producer[self.root(output.value).0] {
                readers[old.0].iter().filter(|&&r| r < writer).for_each(|&r| graph.before(r, writer));
            }
        }
        let is_output: Vec<bool> = {
            let mut flags = vec![false; self.roots()];
            func.outputs.iter().for_each(|o| flags[self.root(o.value).0] = true);
            flags
        };
        for root in 0..self.roots() {
            if producer[root].is_some() {
                let bytes = byte_size(func, self.values[root]);
                let consumers = std::mem::take(&mut readers[root]);
                graph.add(Resource { bytes, producer: producer[root], consumers, pinned: is_output[root] });
            }
        }
        // A loop that passes state through still has to run before nobody in particular: its readers depend on the operand.
        let order = schedule(&graph);
        let mut slots: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
        order.into_iter().filter_map(|t| slots[t].take()).collect()
    }
}

/// The plans of the functions nested in a node of control flow.
fn nested_plans(op: &Op, machine: &MachineModel, options: &PlanOptions) -> Result<Vec<Region>, Diagnostics> {
    let none = |func: &Func| vec![None; func.outputs.len()];
    let plan = |func: &Func, updates| Region::new(func, machine, options, updates);
    if let Op::While { cond, body } = op {
        // State is computed in the memory that the next iteration finds it in.
        let state = (0..body.outputs.len()).map(|i| (!is_invariant(body, i)).then_some(i)).collect();
        return Ok(vec![plan(cond, none(cond))?, plan(body, state)?]);
    }
    op.regions().into_iter().map(|func| plan(func, none(func))).collect()
}

/// Bytes of a value.
pub(crate) fn byte_size(func: &Func, v: Value) -> u64 {
    func.ty(v).num_bytes().expect("legal functions have static shapes") as u64
}

/// True when a loop body returns its state `i` unchanged.
pub fn is_invariant(body: &Func, i: usize) -> bool {
    let value = body.outputs[i].value;
    debug_assert!(body.outputs[i].kind == OutputKind::Fetch, "nested functions have no variables");
    value == Value::from(body.inputs[i].node)
}
