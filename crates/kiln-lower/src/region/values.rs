//! What the groups of a region read and write: roots, last uses, targets and the order of execution.

use crate::LowerOptions;
use kiln_ir::{Func, Op, OutputKind, Value};
use kiln_plan::fusion::{self, Group, GroupKind};
use kiln_plan::schedule::{Resource, TaskGraph, schedule};

/// A set of values that share memory; an index into per-root tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Root(pub(super) usize);

/// Facts about the values of one function.
pub(super) struct Values {
    /// The groups that run, in order; alias groups are gone.
    pub(super) order: Vec<Group>,
    first: Vec<usize>,
    values: Vec<Value>,
    roots: Vec<Root>,
    /// Per root: position of the last group that reads it; `order.len()` when an end copy or the caller does.
    last_use: Vec<Option<usize>>,
    /// Per root: the output it is the value of (the first one that has a target).
    target: Vec<Option<usize>>,
}

impl Values {
    /// Plans, schedules and analyses a function. `updates(output)` gives the parameter that the output overwrites, if any.
    pub(super) fn new(func: &Func, options: &LowerOptions, updates: impl Fn(usize) -> Option<usize>) -> Values {
        let mut first = Vec::with_capacity(func.nodes().len());
        let mut values = Vec::new();
        for (id, _) in func.iter() {
            first.push(values.len());
            values.extend(func.results(id));
        }
        let roots = (0..values.len()).map(Root).collect();
        let n = values.len();
        let mut this =
            Values { order: Vec::new(), first, values, roots, last_use: vec![None; n], target: vec![None; n] };
        let groups = fusion::plan(func, &options.fusion).groups;
        this.join_aliases(func, &groups);
        let groups: Vec<Group> = groups.into_iter().filter(|g| g.kind != GroupKind::Alias).collect();
        this.find_targets(func, &groups);
        this.order = if options.schedule { this.scheduled(func, groups, &updates) } else { groups };
        this.find_last_uses(func, &updates);
        this
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The root of a value.
    pub(super) fn root(&self, v: Value) -> Root {
        self.roots[self.first[v.node.index()] + v.result as usize]
    }

    /// The value that a root is named after: the one computed first.
    pub(super) fn value(&self, root: Root) -> Value {
        self.values[root.0]
    }

    pub(super) fn last_use(&self, root: Root) -> Option<usize> {
        self.last_use[root.0]
    }

    pub(super) fn target_output(&self, root: Root) -> Option<usize> {
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
        let mut computed = vec![false; self.len()];
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

    fn find_last_uses(&mut self, func: &Func, updates: &impl Fn(usize) -> Option<usize>) {
        let end = self.order.len();
        for (pos, group) in self.order.iter().enumerate() {
            for &v in &group.inputs {
                self.last_use[self.roots[self.first[v.node.index()] + v.result as usize].0] = Some(pos);
            }
        }
        for (i, output) in func.outputs.iter().enumerate() {
            let root = self.root(output.value);
            // A parameter that keeps its value, or a value that is on its way to its own target, needs no copy at the end.
            let stays = updates(i).is_some_and(|p| self.root(func.inputs[p].node.into()) == root);
            if !stays {
                self.last_use[root.0] = Some(end);
            }
        }
    }

    /// Orders the groups for low peak memory; whoever reads a parameter goes before the group that overwrites it, where the
    /// given order allows.
    fn scheduled(&self, func: &Func, groups: Vec<Group>, updates: &impl Fn(usize) -> Option<usize>) -> Vec<Group> {
        let mut producer = vec![None; self.len()];
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.len()];
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
        let mut graph = TaskGraph { tasks: groups.len(), ..TaskGraph::default() };
        for (i, output) in func.outputs.iter().enumerate() {
            let Some(param) = updates(i) else { continue };
            let old = self.root(func.inputs[param].node.into());
            if let Some(writer) = producer[self.root(output.value).0] {
                graph.edges.extend(readers[old.0].iter().filter(|&&r| r < writer).map(|&r| (r, writer)));
            }
        }
        let is_output: Vec<bool> = {
            let mut flags = vec![false; self.len()];
            func.outputs.iter().for_each(|o| flags[self.root(o.value).0] = true);
            flags
        };
        for root in 0..self.len() {
            if producer[root].is_some() {
                let bytes = crate::buffers::byte_size(func.ty(self.values[root]));
                let consumers = std::mem::take(&mut readers[root]);
                graph.resources.push(Resource { bytes, producer: producer[root], consumers, pinned: is_output[root] });
            }
        }
        // A loop that passes state through still has to run before nobody in particular: its readers depend on the operand.
        let order = schedule(&graph);
        let mut slots: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
        order.into_iter().filter_map(|t| slots[t].take()).collect()
    }
}

/// True when a loop body returns its state `i` unchanged.
pub(super) fn is_invariant(body: &Func, i: usize) -> bool {
    let value = body.outputs[i].value;
    debug_assert!(body.outputs[i].kind == OutputKind::Fetch, "nested functions have no variables");
    value == Value::from(body.inputs[i].node)
}
