//! How long each buffer of a program lives.

use kiln_program::{Buffer, BufferId, Step};

/// Numbers the steps in order and sets each buffer's lifetime to the steps that touch it. Memory that enters a loop from outside
/// stays live to the loop's end, since the next iteration may read it.
pub fn find_lifetimes(buffers: &mut [Buffer], steps: &[Step]) {
    Lifetimes { buffers, step: 0, loops: Vec::new() }.walk(steps);
}

struct Lifetimes<'b> {
    buffers: &'b mut [Buffer],
    step: u32,
    /// For each open loop: its first step and the buffers touched in it.
    loops: Vec<(u32, Vec<BufferId>)>,
}

impl Lifetimes<'_> {
    fn touch(&mut self, id: BufferId) {
        let live = &mut self.buffers[id.0 as usize].live;
        *live = (live.0.min(self.step), live.1.max(self.step));
        if let Some((_, touched)) = self.loops.last_mut() {
            touched.push(id);
        }
    }

    fn walk(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::While { cond, pred, body } => self.walk_loop(cond, *pred, body),
                _ => {
                    step.buffers().into_iter().for_each(|id| self.touch(id));
                    let inner = step.children();
                    self.step += u32::from(!inner.is_empty());
                    inner.into_iter().for_each(|steps| self.walk(steps));
                }
            }
            self.step += 1;
        }
    }

    fn walk_loop(&mut self, cond: &[Step], pred: BufferId, body: &[Step]) {
        self.loops.push((self.step, Vec::new()));
        self.walk(cond);
        self.touch(pred);
        self.step += 1;
        self.walk(body);
        let (start, mut touched) = self.loops.pop().expect("pushed above");
        touched.sort_unstable();
        touched.dedup();
        for &id in &touched {
            let live = &mut self.buffers[id.0 as usize].live;
            if live.0 < start {
                live.1 = live.1.max(self.step);
            }
        }
        if let Some((_, outer)) = self.loops.last_mut() {
            outer.extend(touched);
        }
    }
}
