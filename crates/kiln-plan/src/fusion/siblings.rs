//! Joining groups that neither produces for the other: same iteration space, common input.

use super::plan::{GroupId, Planner};
use super::{Form, GroupKind, elements};
use kiln_ir::{NodeId, Op, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Of the readers of one value, how many neighbours are tried.
const TRIED: usize = 6;

impl Planner<'_> {
    /// The earliest position of a group (other than `except`) that reads an output of `g`.
    fn first_reader(&self, g: GroupId, except: GroupId) -> Option<u64> {
        let mut first = None;
        for v in &self.groups[g].outputs {
            for u in &self.users[v.node.index()] {
                for h in self.homes(*u) {
                    if h != g && h != except && self.groups[h].inputs.contains(v) {
                        let p = self.groups[h].pos;
                        first = Some(first.map_or(p, |f: u64| f.min(p)));
                    }
                }
            }
        }
        first
    }

    /// The position that `g` could have after position `after`, if nothing reads it before.
    fn later(&self, g: GroupId, after: u64, except: GroupId) -> Option<u64> {
        let next = self.first_reader(g, except).unwrap_or(after.saturating_add(1 << 20));
        (next > after + 1).then(|| after + (next - after) / 2)
    }

    /// Moves groups behind `target`, all or none.
    pub(super) fn slide(&mut self, groups: &[GroupId], target: GroupId) -> bool {
        let after = self.groups[target].pos;
        let mut moved = Vec::new();
        for &g in groups {
            match self.later(g, after, g) {
                Some(p) if !self.groups[target].inputs.iter().any(|v| self.groups[g].outputs.contains(v)) => {
                    moved.push((g, p));
                }
                _ => return false,
            }
        }
        // Each was placed as if the others stayed; a reader among them would be in front of its producer.
        for &(g, _) in &moved {
            for &(h, _) in &moved {
                if g != h && self.groups[h].inputs.iter().any(|v| self.groups[g].outputs.contains(v)) {
                    return false;
                }
            }
        }
        for (g, p) in moved {
            self.groups[g].pos = p;
        }
        true
    }

    /// The form of two groups in one kernel.
    fn common_form(&self, g: GroupId, h: GroupId) -> Option<Form> {
        let (a, b) = (&self.groups[g], &self.groups[h]);
        if a.kind != GroupKind::Kernel || b.kind != GroupKind::Kernel {
            return None;
        }
        if a.pieces + b.pieces > self.limits.max_pieces
            || (a.window || b.window) && (a.window && b.window || a.pieces + b.pieces > 0)
        {
            return None;
        }
        match (a.form, b.form) {
            (Form::Elementwise { elements: n }, Form::Elementwise { elements: m }) if n == m => Some(a.form),
            (Form::Rows { .. }, Form::Rows { .. }) if a.form == b.form => Some(a.form),
            (r @ Form::Rows { rows, cols }, Form::Elementwise { elements: n })
            | (Form::Elementwise { elements: n }, r @ Form::Rows { rows, cols })
                if n == rows * cols
                    && a.pieces + b.pieces == 0
                    && !a.window
                    && !b.window
                    && !self.too_few_rows(rows, cols) =>
            {
                Some(r)
            }
            (Form::Reduction { elements: n }, Form::Reduction { elements: m })
                if n == m && self.reduction_key(g) == self.reduction_key(h) =>
            {
                Some(a.form)
            }
            _ => None,
        }
    }

    /// Shape and dimensions of the reductions of a group (they all have the same).
    pub(super) fn reduction_key(&self, g: GroupId) -> Option<(Vec<Option<i64>>, Vec<usize>)> {
        self.groups[g].nodes.keys().find_map(|id| {
            let node = self.func.node(*id);
            let axes = match &node.op {
                Op::Reduce { axes, .. } => axes.to_vec(),
                Op::ArgReduce { axis, .. } => vec![*axis],
                _ => return None,
            };
            Some((self.func.ty(node.operands[0]).shape.iter().map(|d| d.as_const()).collect(), axes))
        })
    }

    /// Number of elements that the reductions of a group fold.
    pub(super) fn reduced_elements(&self, g: GroupId) -> usize {
        let size = |d: &Option<i64>| d.and_then(|d| usize::try_from(d).ok()).unwrap_or(0);
        self.reduction_key(g).map_or(usize::MAX, |k| k.0.iter().map(size).product())
    }

    /// Makes two groups one, if that is possible without a cycle. The result is in `g`. Neither may read from the other,
    /// except for the results of `inside`.
    pub(super) fn merge(&mut self, g: GroupId, h: GroupId, inside: Option<NodeId>) -> bool {
        let Some(form) = self.common_form(g, h) else { return false };
        if g == h {
            return false;
        }
        let (a, b) = (&self.groups[g], &self.groups[h]);
        let inputs: BTreeSet<Value> = a.inputs.union(&b.inputs).copied().collect();
        let size = a.nodes.keys().chain(b.nodes.keys()).collect::<BTreeSet<_>>().len();
        if size > self.limits.max_nodes || inputs.len() > self.limits.max_inputs {
            return false;
        }
        // A node in both at different places would be needed at another place than it was admitted for.
        if a.nodes.iter().any(|(id, at)| b.nodes.get(id).is_some_and(|o| o != at)) {
            return false;
        }
        let (first, last) = if a.pos < b.pos { (g, h) } else { (h, g) };
        let (p, q) = (self.groups[first].pos, self.groups[last].pos);
        if self.groups[first].outputs.iter().any(|v| Some(v.node) != inside && self.groups[last].inputs.contains(v)) {
            return false;
        }
        // Either the first can wait for the last, or what the last reads is there when the first runs.
        let pos = if self.first_reader(first, last).is_none_or(|r| r > q) {
            q
        } else if self.ready(last, p, inside) {
            p
        } else {
            return false;
        };
        let moved = std::mem::take(&mut self.groups[h]);
        self.merged[h] = g;
        let a = &mut self.groups[g];
        a.nodes.extend(moved.nodes);
        a.outputs.extend(moved.outputs);
        a.inputs = inputs;
        (a.form, a.pos, a.window) = (form, pos, a.window || moved.window);
        a.pieces += moved.pieces;
        true
    }

    /// True when what a group reads is there at a position.
    fn ready(&self, g: GroupId, pos: u64, inside: Option<NodeId>) -> bool {
        let mut inputs = self.groups[g].inputs.iter().filter(|v| Some(v.node) != inside);
        inputs.all(|v| self.producer_pos(*v).is_none_or(|p| p < pos))
    }

    /// The position of the group that writes a value; `None` for what is in memory anyway or not yet planned.
    fn producer_pos(&self, v: Value) -> Option<u64> {
        self.homes(v.node).find(|g| self.groups[*g].outputs.contains(&v)).map(|g| self.groups[g].pos)
    }

    /// Joins kernels of one space that read the same large value.
    pub(super) fn join_siblings(&mut self) {
        let mut readers: BTreeMap<Value, Vec<GroupId>> = BTreeMap::new();
        for (g, group) in self.groups.iter().enumerate() {
            if group.kind == GroupKind::Kernel && self.merged[g] == g {
                for &v in group.inputs.iter().filter(|v| self.reads_whole(g, **v)) {
                    readers.entry(v).or_default().push(g);
                }
            }
        }
        for (_, mut list) in readers {
            list.iter_mut().for_each(|g| *g = self.now(*g));
            list.sort_by_key(|g| (self.groups[*g].pos, *g));
            list.dedup();
            for i in 0..list.len() {
                for j in i + 1..list.len().min(i + TRIED) {
                    let (g, h) = (self.now(list[i]), self.now(list[j]));
                    if g != h {
                        self.merge(g, h, None);
                    }
                }
            }
        }
    }

    /// True when a value is (at least) as large as a group's iteration space.
    fn reads_whole(&self, g: GroupId, v: Value) -> bool {
        let n = match self.groups[g].form {
            Form::Elementwise { elements } => elements,
            Form::Rows { rows, cols } => rows * cols,
            Form::Reduction { .. } => self.reduced_elements(g),
            Form::Root(_) => usize::MAX,
        };
        let read = elements(self.func, v);
        // Slices of one value are computed together, too.
        if matches!(self.groups[g].form, Form::Elementwise { .. }) { read >= n } else { read == n }
    }
}
