//! The planner.

use super::cost::{Recompute, op_cost, reduces_trailing, windows_tile};
use super::draft::{Draft, is_reduction, pieces};
use super::rows::{At, operand_at};
use super::{Form, FusionPlan, GroupKind, elements, is_inline, kind_of};
use crate::model::{FusionLimits, MachineModel};
use kiln_ir::{Func, NodeId, Op};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn plan(func: &Func, fuse: bool, machine: &MachineModel) -> FusionPlan {
    if !fuse {
        return singletons(func);
    }
    let mut p = Planner::new(func, machine);
    for (id, node) in func.iter().rev() {
        if p.live[id.index()] && !matches!(node.op, Op::Parameter(_) | Op::Constant(_)) {
            p.visit(id);
        }
    }
    p.join_siblings();
    p.finish()
}

/// Every node its own group; inline nodes go along with their users.
fn singletons(func: &Func) -> FusionPlan {
    let live = func.live_nodes();
    let mut groups = Vec::new();
    for (id, node) in func.iter() {
        if !live[id.index()] || matches!(node.op, Op::Parameter(_) | Op::Constant(_)) {
            continue;
        }
        let mut d = Draft::new(func, id, 0);
        d.absorb_inline(func);
        groups.push(d.group());
    }
    FusionPlan { groups }
}

pub(super) type GroupId = usize;

/// A group that needs a node's result.
struct Reader {
    group: GroupId,
    /// Where it needs the elements; `None` when it can only read memory.
    at: Option<At>,
}

pub(super) struct Planner<'f> {
    pub func: &'f Func,
    pub limits: FusionLimits,
    /// Of a large reduction (from so many elements on), rows so few that it runs in two stages.
    few_rows: usize,
    large: usize,
    live: Vec<bool>,
    /// Live users of each node.
    pub users: Vec<SmallVec<[NodeId; 4]>>,
    /// Nodes with a result that is an output.
    fetched: Vec<bool>,
    recompute: Vec<Recompute>,
    /// The groups that compute each node (see [`Planner::now`] for those that were merged).
    homes: Vec<SmallVec<[GroupId; 2]>>,
    pub groups: Vec<Draft>,
    /// The group that each group was merged into, or itself.
    pub merged: Vec<GroupId>,
}

/// Distance of the positions of two nodes, so that groups fit between.
const STEP: u64 = 1 << 32;

impl<'f> Planner<'f> {
    fn new(func: &'f Func, machine: &MachineModel) -> Planner<'f> {
        let limits = machine.fusion;
        let n = func.nodes().len();
        let live = func.live_nodes();
        let mut users = vec![SmallVec::new(); n];
        let mut fetched = vec![false; n];
        for (id, node) in func.iter().filter(|(id, _)| live[id.index()]) {
            for v in &node.operands {
                let list: &mut SmallVec<[NodeId; 4]> = &mut users[v.node.index()];
                if list.last() != Some(&id) {
                    list.push(id);
                }
            }
        }
        func.outputs.iter().for_each(|o| fetched[o.value.node.index()] = true);
        let recompute = recomputation(func, &live, &limits);
        Planner {
            func,
            limits,
            few_rows: machine.two_stage.few_rows as usize,
            large: machine.two_stage.from_elements as usize,
            live,
            users,
            fetched,
            recompute,
            homes: vec![SmallVec::new(); n],
            groups: Vec::new(),
            merged: Vec::new(),
        }
    }

    /// The group that a group has become part of.
    pub(super) fn now(&self, mut g: GroupId) -> GroupId {
        while self.merged[g] != g {
            g = self.merged[g];
        }
        g
    }

    /// The groups that compute a node; one may occur twice.
    pub(super) fn homes(&self, id: NodeId) -> impl Iterator<Item = GroupId> + use<'_, 'f> {
        self.homes[id.index()].iter().map(|g| self.now(*g))
    }

    /// Decides where a node is computed; all of its users are decided.
    fn visit(&mut self, id: NodeId) {
        let kind = kind_of(self.func, id);
        let readers = self.readers(id);
        match kind {
            GroupKind::Library | GroupKind::Control => self.open(id),
            GroupKind::Alias => self.visit_alias(id, &readers),
            GroupKind::Kernel => self.visit_kernel(id, &readers),
        }
    }

    /// The groups that need a node, by position.
    fn readers(&self, id: NodeId) -> Vec<Reader> {
        let mut found: BTreeMap<GroupId, Option<At>> = BTreeMap::new();
        for &u in &self.users[id.index()] {
            let node = self.func.node(u);
            for g in self.homes(u) {
                let group = &self.groups[g];
                for i in (0..node.operands.len()).filter(|i| node.operands[*i].node == id) {
                    let at = match group.kind {
                        GroupKind::Kernel => operand_at(self.func, node, group.nodes[&u], i),
                        GroupKind::Library | GroupKind::Control | GroupKind::Alias => None,
                    };
                    let join = |old: Option<At>| old.zip(at).map(|(a, b)| a.join(b));
                    found.entry(g).and_modify(|old| *old = join(*old)).or_insert(at);
                }
            }
        }
        let mut out: Vec<Reader> = found.into_iter().map(|(group, at)| Reader { group, at }).collect();
        out.sort_by_key(|r| (self.groups[r.group].pos, r.group));
        out
    }

    /// A new group.
    fn open(&mut self, id: NodeId) {
        self.groups.push(Draft::new(self.func, id, (u64::from(id.0) + 1) * STEP));
        let g = self.groups.len() - 1;
        self.merged.push(g);
        self.homes[id.index()].push(g);
    }

    /// Reshapes are free inside of kernels; whoever reads memory reads the operand's.
    fn visit_alias(&mut self, id: NodeId, readers: &[Reader]) {
        let barrier = matches!(self.func.node(id).op, Op::OptimizationBarrier);
        let mut first = None;
        for r in readers {
            match r.at {
                Some(at) if !barrier && self.has_room(r.group, id) => self.join(id, r.group, at),
                _ => first = first.or(Some(self.groups[r.group].pos)),
            }
        }
        if first.is_some() || self.fetched[id.index()] {
            self.open(id);
            if let (Some(pos), Some(g)) = (first, self.groups.last_mut()) {
                // As late as possible, so that the producer may join any reader before it.
                g.pos = pos - 1;
            }
        }
    }

    fn visit_kernel(&mut self, id: NodeId, readers: &[Reader]) {
        let joinable: Vec<(GroupId, At)> = readers
            .iter()
            .filter_map(|r| Some((r.group, r.at?)))
            .filter(|(g, at)| self.may_join(id, *g, *at))
            .collect();
        let everywhere = joinable.len() == readers.len() && !self.fetched[id.index()];
        let again = &self.recompute[id.index()];
        if everywhere && (joinable.len() == 1 || again.is_cheap(&self.limits)) {
            for (g, at) in joinable {
                self.join(id, g, at);
            }
        } else if again.is_free(&self.limits) {
            for (g, at) in joinable {
                self.join(id, g, at);
            }
            self.open(id);
        } else if !self.join_with_output(id, readers, &joinable) {
            self.open(id);
        }
    }

    /// Computes a node in one of its readers, which writes it to memory for the others.
    fn join_with_output(&mut self, id: NodeId, readers: &[Reader], joinable: &[(GroupId, At)]) -> bool {
        const TRIED: usize = 8;
        for (k, &(g, at)) in joinable.iter().enumerate().take(TRIED) {
            if !self.may_output(id, g, at) {
                continue;
            }
            // Readers before this one have to wait.
            let pos = self.groups[g].pos;
            let earlier: Vec<GroupId> =
                readers.iter().map(|r| r.group).filter(|h| *h != g && self.groups[*h].pos <= pos).collect();
            if !earlier.is_empty() && !self.slide(&earlier, g) {
                continue;
            }
            self.join(id, g, at);
            if let (At::Lead(rows), Form::Elementwise { elements: n }) = (at, self.groups[g].form)
                && rows < n
            {
                self.groups[g].form = Form::Rows { rows, cols: n / rows };
            }
            // Merging must see that the others wait for it.
            self.groups[g].outputs.extend(self.func.results(id));
            let mut written = self.fetched[id.index()];
            for r in readers.iter().filter(|r| r.group != g) {
                // Readers of the same space become part of the kernel.
                let same = joinable[k..].iter().any(|j| j.0 == r.group && j.1 == at);
                if same && self.absorb_reader(id, g, r.group) {
                    continue;
                }
                written = true;
            }
            if !written {
                let outputs = &mut self.groups[g].outputs;
                self.func.results(id).for_each(|v| {
                    outputs.remove(&v);
                });
            }
            return true;
        }
        false
    }

    /// Merges a reader of a node into the group that computes it.
    fn absorb_reader(&mut self, id: NodeId, g: GroupId, h: GroupId) -> bool {
        if !self.merge(g, h, Some(id)) {
            return false;
        }
        for v in self.func.results(id) {
            self.groups[g].inputs.remove(&v);
        }
        true
    }

    /// Puts a node into a group.
    fn join(&mut self, id: NodeId, g: GroupId, at: At) {
        let func = self.func;
        let node = func.node(id);
        let form = self.joined_form(id, g, at);
        let group = &mut self.groups[g];
        if matches!(node.op, Op::SelectAndScatter { .. }) {
            group.form = Form::Root(id);
        } else if let Some(form) = form {
            group.form = form;
        }
        group.pieces += pieces(&node.op);
        group.window |= matches!(node.op, Op::ReduceWindow { .. });
        group.nodes.insert(id, at);
        for v in func.results(id) {
            group.inputs.remove(&v);
        }
        group.inputs.extend(node.operands.iter().copied());
        self.homes[id.index()].push(g);
    }

    fn has_room(&self, g: GroupId, id: NodeId) -> bool {
        let group = &self.groups[g];
        group.nodes.len() < self.limits.max_nodes
            && group.inputs.len() + self.func.node(id).operands.len() <= self.limits.max_inputs + 1
    }

    /// The form of a group when a reduction joins it.
    fn joined_form(&self, id: NodeId, g: GroupId, at: At) -> Option<Form> {
        let node = self.func.node(id);
        let group = &self.groups[g];
        if !is_reduction(&node.op) {
            return Some(group.form);
        }
        let kept = elements(self.func, id.into());
        let total = elements(self.func, node.operands[0]);
        if at != At::Lead(kept) || kept == 0 || total == 0 || group.pieces > 0 || group.window {
            return None;
        }
        let (trailing, cols) = (reduces_trailing(self.func, node), total / kept);
        match group.form {
            Form::Elementwise { elements: n } if trailing && n == total && self.too_few_rows(kept, cols) => None,
            Form::Elementwise { elements: n } if trailing && (n == total || n == kept) => {
                Some(Form::Rows { rows: kept, cols })
            }
            Form::Elementwise { elements: n } if !trailing && n == kept => Some(Form::Reduction { elements: n }),
            // Few long rows are reduced in two stages, which takes reductions that do not depend on each other.
            Form::Rows { rows, cols: c } if rows < self.few_rows && rows * c >= self.large => None,
            Form::Rows { rows, cols: c } if trailing && kept == rows && c == cols => {
                // Each further reduction is another loop over the row that computes again what it needs.
                let reductions = group.nodes.keys().filter(|n| is_reduction(&self.func.node(**n).op)).count();
                (reductions < self.limits.max_row_reductions).then_some(group.form)
            }
            Form::Reduction { elements: n } if !trailing && kept == n => {
                let axes = match &node.op {
                    Op::Reduce { axes, .. } => axes.to_vec(),
                    Op::ArgReduce { axis, .. } => vec![*axis],
                    _ => return None,
                };
                let key = (self.func.ty(node.operands[0]).shape.iter().map(|d| d.as_const()).collect(), axes);
                (self.reduction_key(g) == Some(key)).then_some(group.form)
            }
            Form::Elementwise { .. } | Form::Rows { .. } | Form::Reduction { .. } | Form::Root(_) => None,
        }
    }

    /// True when a row kernel with whole rows as output would leave threads idle.
    pub(super) fn too_few_rows(&self, rows: usize, cols: usize) -> bool {
        rows < self.limits.few_full_rows && rows.saturating_mul(cols) >= self.large
    }

    /// True when a node may be computed where a group needs it.
    fn may_join(&self, id: NodeId, g: GroupId, at: At) -> bool {
        let node = self.func.node(id);
        let group = &self.groups[g];
        if group.kind != GroupKind::Kernel || !self.has_room(g, id) {
            return false;
        }
        let whole = matches!((group.form, at), (Form::Elementwise { elements: n }, At::Lead(k)) if n == k);
        match &node.op {
            Op::Reduce { .. } | Op::ArgReduce { .. } => self.joined_form(id, g, at).is_some(),
            Op::Concatenate(_) | Op::Pad { .. } => {
                whole && !group.window && group.pieces < self.limits.max_pieces && self.same_shape(id, g)
            }
            Op::ReduceWindow { window, .. } => {
                let size: i64 = window.dims.iter().map(|w| w.size).product();
                whole && !group.window && group.pieces == 0 && size <= self.limits.max_window
            }
            Op::Transpose(perm) => {
                // Lanes along a row would not find its elements side by side.
                let strided = perm.last().is_some_and(|d| *d + 1 != perm.len());
                !(strided && matches!(group.form, Form::Rows { .. } | Form::Reduction { .. }))
            }
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::Convert(_)
            | Op::Complex
            | Op::Real
            | Op::Imag
            | Op::ReducePrecision { .. }
            | Op::BitcastConvert(_)
            | Op::Iota { .. }
            | Op::GetDimensionSize(_)
            | Op::BroadcastInDim { .. }
            | Op::Reshape(_)
            | Op::Reverse(_)
            | Op::Slice { .. }
            | Op::DynamicSlice { .. }
            | Op::Gather(_) => {
                let again = match at {
                    At::Lead(_) | At::Once => false,
                    At::Many => true,
                    // Lanes run over what is kept, so a value per reduced row is computed again for all of them.
                    At::Operand(k) => self.reduced_elements(g) != k,
                };
                !again || self.recompute[id.index()].cost < self.limits.expensive
            }
            Op::SelectAndScatter { .. } => {
                let plain = group.pieces == 0 && !group.window;
                let only = self.users[id.index()].len() == 1 && !self.fetched[id.index()];
                whole
                    && plain
                    && only
                    && windows_tile(self.func, node, &self.limits)
                    && self.same_shape(id, g)
                    && self.all_at(g, at)
            }
            _ => false,
        }
    }

    /// True when all users of a group's values follow the space elementwise, so that one place holds one element of each.
    fn all_at(&self, g: GroupId, at: At) -> bool {
        self.groups[g].nodes.iter().all(|(id, a)| *a == at || elements(self.func, (*id).into()) == 1)
    }

    /// True when a node has the shape of the group's outputs.
    fn same_shape(&self, id: NodeId, g: GroupId) -> bool {
        let shape = &self.func.node(id).types[0].shape;
        self.groups[g].outputs.iter().all(|v| &self.func.ty(*v).shape == shape)
    }

    /// True when a group that computes a node `at` could write it to memory, too.
    fn may_output(&self, id: NodeId, g: GroupId, at: At) -> bool {
        let At::Lead(k) = at else { return false };
        if k != elements(self.func, id.into()) {
            return false;
        }
        match self.joined_form(id, g, at) {
            // Values per row of what will be a row kernel.
            Some(Form::Elementwise { elements: n }) if k < n => self.reduces_rows(id, k, n),
            Some(Form::Elementwise { elements: n } | Form::Reduction { elements: n }) => k == n,
            Some(Form::Rows { rows, cols }) => k == rows || (k == rows * cols && !self.too_few_rows(rows, cols)),
            Some(Form::Root(_)) | None => false,
        }
    }

    /// True when a value with an element per row is computed from a reduction of rows that the group could take in.
    fn reduces_rows(&self, id: NodeId, rows: usize, total: usize) -> bool {
        const SEARCHED: usize = 24;
        if rows < 2 || self.too_few_rows(rows, total / rows) {
            return false;
        }
        let mut work = vec![id];
        let mut seen = BTreeSet::new();
        while let Some(id) = work.pop() {
            let node = self.func.node(id);
            if elements(self.func, id.into()) != rows || !seen.insert(id) || seen.len() > SEARCHED {
                continue;
            }
            match node.op {
                Op::Reduce { .. } | Op::ArgReduce { .. } => {
                    if elements(self.func, node.operands[0]) == total && reduces_trailing(self.func, node) {
                        return true;
                    }
                }
                Op::Parameter(_) | Op::Constant(_) => {}
                _ => work.extend(node.operands.iter().map(|v| v.node)),
            }
        }
        false
    }

    fn finish(mut self) -> FusionPlan {
        let mut order: Vec<GroupId> = (0..self.groups.len()).filter(|g| self.merged[*g] == *g).collect();
        order.sort_by_key(|g| (self.groups[*g].pos, self.groups[*g].nodes.keys().next_back().copied()));
        let func = self.func;
        let groups = order.into_iter().map(|g| {
            let mut d = std::mem::take(&mut self.groups[g]);
            d.absorb_inline(func);
            d.group()
        });
        FusionPlan { groups: groups.collect() }
    }
}

/// For every node, what computing it again would take.
fn recomputation(func: &Func, live: &[bool], limits: &FusionLimits) -> Vec<Recompute> {
    let mut out: Vec<Recompute> = vec![Recompute::default(); func.nodes().len()];
    for (id, node) in func.iter() {
        if !live[id.index()] {
            continue;
        }
        let count = elements(func, id.into());
        let mut r = Recompute { cost: op_cost(node), ..Recompute::default() };
        for v in &node.operands {
            let from = func.node(v.node);
            if is_inline(from) {
                continue;
            }
            let below = &out[v.node.index()];
            let leaf = matches!(from.op, Op::Parameter(_) | Op::Constant(_)) || !below.is_cheap(limits);
            if leaf {
                r.read(*v, elements(func, *v), count);
                continue;
            }
            r.cost = r.cost.saturating_add(below.cost);
            r.small += below.small;
            for l in &below.large {
                r.read(*l, elements(func, *l), count);
            }
        }
        out[id.index()] = r;
    }
    out
}
