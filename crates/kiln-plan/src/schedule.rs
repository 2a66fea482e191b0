//! Scheduling for low peak memory.
//!
//! Works on an abstract dependency graph of tasks and the buffers between them, so it knows neither nodes nor kernels. A greedy
//! list scheduler runs, among the ready tasks, the one that grows live memory least (allocations minus frees), and keeps the
//! given order where nothing is gained. Of the given and the greedy order the one with the lower peak is returned.

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A buffer that one task writes and others read.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Size.
    pub bytes: u64,
    /// The task that allocates and writes it; `None` for memory that exists before the first task.
    pub producer: Option<usize>,
    /// The tasks that read it (each once).
    pub consumers: Vec<usize>,
    /// True when the memory stays after its last reader (results, inputs).
    pub pinned: bool,
}

/// Tasks in a given order, and what orders them: an edge goes from a task to one that has to run later.
#[derive(Clone, Debug, Default)]
pub struct TaskGraph {
    graph: DiGraph<(), ()>,
    resources: Vec<Resource>,
}

fn node(task: usize) -> NodeIndex {
    NodeIndex::new(task)
}

impl TaskGraph {
    /// So many tasks that nothing orders yet.
    pub fn new(tasks: usize) -> TaskGraph {
        let mut graph = DiGraph::with_capacity(tasks, 2 * tasks);
        for _ in 0..tasks {
            graph.add_node(());
        }
        TaskGraph { graph, resources: Vec::new() }
    }

    /// Adds a buffer: its readers run after its producer.
    pub fn add(&mut self, resource: Resource) {
        if let Some(p) = resource.producer {
            resource.consumers.iter().for_each(|&c| self.before(p, c));
        }
        self.resources.push(resource);
    }

    /// Has a task run before another.
    pub fn before(&mut self, first: usize, then: usize) {
        if first != then {
            self.graph.add_edge(node(first), node(then), ());
        }
    }

    fn tasks(&self) -> usize {
        self.graph.node_count()
    }

    /// The given order, or another one where the edges forbid that.
    fn valid_order(&self) -> Vec<usize> {
        if self.graph.edge_references().all(|e| e.source() < e.target()) {
            return (0..self.tasks()).collect();
        }
        let order = toposort(&self.graph, None).expect("the task graph has a cycle");
        order.into_iter().map(NodeIndex::index).collect()
    }
}

/// An order of the tasks, each once, that respects all dependencies.
///
/// Runs in `O((tasks + dependencies) log tasks)`.
///
/// # Panics
/// When the edges make a cycle.
pub fn schedule(graph: &TaskGraph) -> Vec<usize> {
    let given = graph.valid_order();
    let greedy = greedy_order(graph);
    if peak_bytes(graph, &greedy) < peak_bytes(graph, &given) { greedy } else { given }
}

/// The largest sum of live bytes over time when the tasks run in this order.
pub fn peak_bytes(graph: &TaskGraph, order: &[usize]) -> u64 {
    let mut position = vec![0usize; graph.tasks()];
    for (i, &t) in order.iter().enumerate() {
        position[t] = i;
    }
    let mut delta = vec![0i128; order.len() + 1];
    for r in graph.resources.iter().filter(|r| !r.pinned) {
        let Some(p) = r.producer else { continue };
        let first = position[p];
        let last = r.consumers.iter().map(|&c| position[c]).max().unwrap_or(first);
        delta[first] += i128::from(r.bytes);
        delta[last + 1] -= i128::from(r.bytes);
    }
    let mut live = 0i128;
    delta.into_iter().fold(0i128, |peak, d| {
        live += d;
        peak.max(live)
    }) as u64
}

fn greedy_order(graph: &TaskGraph) -> Vec<usize> {
    let mut missing = vec![0usize; graph.tasks()];
    graph.graph.edge_references().for_each(|e| missing[e.target().index()] += 1);
    let mut reads = vec![Vec::new(); graph.tasks()];
    let mut allocates = vec![0i64; graph.tasks()];
    let mut readers: Vec<usize> = Vec::with_capacity(graph.resources.len());
    for (i, r) in graph.resources.iter().enumerate() {
        readers.push(r.consumers.len());
        for &c in &r.consumers {
            reads[c].push(i);
        }
        if let (Some(p), false) = (r.producer, r.pinned) {
            allocates[p] += r.bytes as i64;
        }
    }
    // Bytes that running the task now would add to live memory.
    let growth = |t: usize, readers: &[usize]| -> i64 {
        let frees = |&i: &usize| {
            let r = &graph.resources[i];
            let owned = r.producer.is_some() && !r.pinned;
            if owned && readers[i] == 1 { r.bytes as i64 } else { 0 }
        };
        allocates[t] - reads[t].iter().map(frees).sum::<i64>()
    };
    let mut ready: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
    let mut done = vec![false; graph.tasks()];
    let mut waiting = vec![false; graph.tasks()];
    for t in (0..graph.tasks()).filter(|&t| missing[t] == 0) {
        ready.push(Reverse((growth(t, &readers).max(0), t)));
        waiting[t] = true;
    }
    let mut order = Vec::with_capacity(graph.tasks());
    while let Some(Reverse((_, t))) = ready.pop() {
        if std::mem::replace(&mut done[t], true) {
            continue;
        }
        order.push(t);
        for &i in &reads[t] {
            readers[i] -= 1;
            // One reader left: if it is ready, running it now frees the buffer, so its key improves.
            if readers[i] == 1
                && let Some(&last) = graph.resources[i].consumers.iter().find(|&&c| !done[c] && waiting[c])
            {
                ready.push(Reverse((growth(last, &readers).max(0), last)));
            }
        }
        for s in graph.graph.neighbors(node(t)).map(NodeIndex::index) {
            missing[s] -= 1;
            if missing[s] == 0 {
                waiting[s] = true;
                ready.push(Reverse((growth(s, &readers).max(0), s)));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(bytes: u64, producer: usize, consumers: &[usize]) -> Resource {
        Resource { bytes, producer: Some(producer), consumers: consumers.to_vec(), pinned: false }
    }

    #[test]
    fn consumes_large_values_before_making_more() {
        // Tasks 0,1,2 each make 100 bytes; 3,4,5 each turn one of them into 1 byte; 6 reads the three bytes.
        let mut g = TaskGraph::new(7);
        for i in 0..3 {
            g.add(resource(100, i, &[3 + i]));
            g.add(resource(1, 3 + i, &[6]));
        }
        let order = schedule(&g);
        assert_eq!(peak_bytes(&g, &[0, 1, 2, 3, 4, 5, 6]), 301);
        assert_eq!(peak_bytes(&g, &order), 103);
    }

    #[test]
    fn keeps_the_given_order_when_nothing_is_gained() {
        let mut g = TaskGraph::new(4);
        [resource(8, 0, &[1]), resource(8, 1, &[2]), resource(8, 2, &[3])].into_iter().for_each(|r| g.add(r));
        assert_eq!(schedule(&g), [0, 1, 2, 3]);
    }

    #[test]
    fn respects_extra_edges() {
        let mut g = TaskGraph::new(3);
        g.before(2, 0);
        g.before(0, 1);
        assert_eq!(schedule(&g), [2, 0, 1]);
    }
}
