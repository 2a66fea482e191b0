//! Statements, loops and the two mappings to threads.

use super::inner_body;
use super::regs::{Class, Emitter, Value};
use kiln_loops::{AxisId, Loop, LoopKind, Stmt};

impl Emitter<'_> {
    /// Every thread takes elements `block * threads + thread`, then at the distance of the grid.
    pub fn flat(&mut self, parallel: Option<(AxisId, u64)>, vector: Option<(AxisId, u64)>) {
        let rows = parallel.map_or(1, |p| p.1);
        let cols = vector.map_or(1, |v| v.1);
        let total = rows * cols;
        let (element, step) = self.grid_position(self.plan.shape.threads);
        let (body, end) = (self.label(), self.label());
        self.skip_unless_below(&element, total, &end);
        self.place(&body);
        match (parallel, vector) {
            (Some(p), Some(v)) => {
                let (i, j) = (self.reg(Class::B32), self.reg(Class::B32));
                self.line(&format!("div.u32 {i}, {element}, {cols};"));
                self.line(&format!("rem.u32 {j}, {element}, {cols};"));
                self.axes.insert(p.0, i);
                self.axes.insert(v.0, j);
            }
            (Some(a), None) | (None, Some(a)) => {
                self.axes.insert(a.0, element.clone());
            }
            (None, None) => {}
        }
        for s in inner_body(self.kernel) {
            match s {
                Stmt::Loop(l) if vector.is_some_and(|v| v.0 == l.axis) => self.block(&l.body),
                s => self.block(std::slice::from_ref(s)),
            }
        }
        self.advance(&element, &step, total, &body);
        self.place(&end);
    }

    /// Every block takes iterations of the parallel loop at the distance of the grid.
    pub fn blocks(&mut self, parallel: Option<(AxisId, u64)>) {
        let body = inner_body(self.kernel);
        let Some((axis, extent)) = parallel else {
            // One block does everything; further ones have nothing to do.
            let end = self.label();
            let row = self.reg(Class::B32);
            self.line(&format!("mov.u32 {row}, %ctaid.x;"));
            self.skip_unless_below(&row, 1, &end);
            self.block(body);
            self.place(&end);
            return;
        };
        let (row, step) = (self.reg(Class::B32), self.reg(Class::B32));
        self.line(&format!("mov.u32 {row}, %ctaid.x;"));
        self.line(&format!("mov.u32 {step}, %nctaid.x;"));
        let (start, end) = (self.label(), self.label());
        self.skip_unless_below(&row, extent, &end);
        self.place(&start);
        self.axes.insert(axis, row.clone());
        self.block(body);
        self.advance(&row, &step, extent, &start);
        self.place(&end);
    }

    /// Number of the thread in the grid, and number of threads of the grid.
    fn grid_position(&mut self, threads: u32) -> (String, String) {
        let (block, blocks) = (self.reg(Class::B32), self.reg(Class::B32));
        let (element, step) = (self.reg(Class::B32), self.reg(Class::B32));
        let tid = self.tid.clone();
        self.line(&format!("mov.u32 {block}, %ctaid.x;"));
        self.line(&format!("mad.lo.u32 {element}, {block}, {threads}, {tid};"));
        self.line(&format!("mov.u32 {blocks}, %nctaid.x;"));
        self.line(&format!("mul.lo.u32 {step}, {blocks}, {threads};"));
        (element, step)
    }

    fn skip_unless_below(&mut self, i: &str, extent: u64, end: &str) {
        let p = self.reg(Class::Pred);
        self.line(&format!("setp.ge.u32 {p}, {i}, {extent};"));
        self.line(&format!("@{p} bra {end};"));
    }

    /// The end of a loop; counters stay below 2^32 since both terms are below 2^31.
    fn advance(&mut self, i: &str, step: &str, extent: u64, start: &str) {
        let p = self.reg(Class::Pred);
        self.line(&format!("add.u32 {i}, {i}, {step};"));
        self.line(&format!("setp.lt.u32 {p}, {i}, {extent};"));
        self.line(&format!("@{p} bra {start};"));
    }

    pub fn block(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => self.let_(*var, expr),
                Stmt::Store { buf, index, value } => {
                    let r = self.register(*value);
                    let address = self.address(*buf, index);
                    let (t, space) = (self.dtype(*value), self.space(*buf));
                    if self.alone {
                        self.store(&r, t, space, &address, "");
                        continue;
                    }
                    // All threads are here with the same value: the first one stores it, the others may load it later.
                    let p = self.reg(Class::Pred);
                    let tid = self.tid.clone();
                    self.line("bar.sync 0;");
                    self.line(&format!("setp.eq.u32 {p}, {tid}, 0;"));
                    self.store(&r, t, space, &address, &format!("@{p} "));
                    self.line("bar.sync 0;");
                }
                Stmt::If { cond, then } => {
                    let p = self.register(*cond);
                    let end = self.label();
                    self.line(&format!("@!{p} bra {end};"));
                    self.block(then);
                    self.place(&end);
                }
                Stmt::Loop(l) if l.kind == LoopKind::Vector && !self.alone => self.lanes(l),
                Stmt::Loop(l) => self.serial(l),
            }
        }
    }

    /// A counted loop; folds and carried values go on from their start value.
    fn serial(&mut self, l: &Loop) {
        let mut folds = vec![];
        for r in &l.reductions {
            let init = self.operand(r.init);
            let t = self.dtype(r.result);
            let acc = self.reg(Class::of(t));
            self.move_to(&acc, Class::of(t), &init);
            folds.push(acc);
        }
        let mut carried = vec![];
        for c in &l.carried {
            let init = self.operand(c.init);
            let class = Class::of(self.dtype(c.param));
            let register = self.reg(class);
            self.move_to(&register, class, &init);
            self.set(c.param, Value::Register(register.clone()));
            carried.push(register);
        }
        let i = self.reg(Class::B32);
        let start = self.label();
        if l.extent > 0 {
            self.line(&format!("mov.u32 {i}, 0;"));
            self.place(&start);
            self.axes.insert(l.axis, i.clone());
            self.block(&l.body);
            self.hand_on(l, &carried);
            for (r, acc) in l.reductions.iter().zip(&folds) {
                let v = self.operand(r.value);
                self.binary(acc, r.op.binary(), self.dtype(r.result), acc, &v);
            }
            self.advance(&i, "1", l.extent, &start);
        }
        for (r, acc) in l.reductions.iter().zip(folds) {
            self.set(r.result, Value::Register(acc));
        }
        for (c, register) in l.carried.iter().zip(carried) {
            self.set(c.result, Value::Register(register));
        }
    }

    /// Moves what the next iteration starts with into place, all at once: a value may come from the place of another.
    fn hand_on(&mut self, l: &Loop, places: &[String]) {
        let mut next: Vec<String> = vec![];
        for c in &l.carried {
            let mut from = self.operand(c.next);
            if places.contains(&from) {
                let class = Class::of(self.dtype(c.param));
                let copy = self.reg(class);
                self.move_to(&copy, class, &from);
                from = copy;
            }
            next.push(from);
        }
        for ((c, place), from) in l.carried.iter().zip(places).zip(next) {
            self.move_to(place, Class::of(self.dtype(c.param)), &from);
        }
    }

    pub fn move_to(&mut self, d: &str, class: Class, from: &str) {
        self.line(&format!("mov.{} {d}, {from};", class.bits()));
    }

    /// A vector loop over the threads of the block.
    fn lanes(&mut self, l: &Loop) {
        let mut folds = vec![];
        for r in &l.reductions {
            let t = self.dtype(r.result);
            let acc = self.reg(Class::of(t));
            self.identity(&acc, r.op, t);
            folds.push(acc);
        }
        let i = self.reg(Class::B32);
        let (start, end) = (self.label(), self.label());
        let tid = self.tid.clone();
        self.move_to(&i, Class::B32, &tid);
        self.skip_unless_below(&i, l.extent, &end);
        self.place(&start);
        self.axes.insert(l.axis, i.clone());
        self.alone = true;
        self.block(&l.body);
        self.alone = false;
        for (r, acc) in l.reductions.iter().zip(&folds) {
            let v = self.operand(r.value);
            self.binary(acc, r.op.binary(), self.dtype(r.result), acc, &v);
        }
        let threads = self.plan.shape.threads.to_string();
        self.advance(&i, &threads, l.extent, &start);
        self.place(&end);
        for (r, acc) in l.reductions.iter().zip(folds) {
            let t = self.dtype(r.result);
            let all = self.fold_block(r.op, t, &acc);
            let init = self.operand(r.init);
            self.binary(&all, r.op.binary(), t, &init, &all);
            self.set(r.result, Value::Register(all));
        }
        // What the threads stored is there for all, and nobody overwrites what another one still reads.
        self.line("bar.sync 0;");
    }
}
